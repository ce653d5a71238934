"""What people are told of two artifacts: the lines and names that differ, not digests."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scurry.artifacts.contents import changed_classes, changes, is_sql
from scurry.model.errors import ArtifactError


def package(path: Path, entries: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def sql(path: Path, *statements: str, **others: str) -> Path:
    named = {f"scurry/statements/{number:04}.sql": text for number, text in enumerate(statements, 1)}
    return package(path, {**named, "scurry/statements/index": "…", **others})


def test_a_changed_statement_is_shown_by_its_lines(tmp_path: Path) -> None:
    before = sql(tmp_path / "a.jar", "CREATE TABLE t (x INT)", "INSERT INTO s\nSELECT x\nFROM t")
    after = sql(tmp_path / "b.jar", "CREATE TABLE t (x INT)", "INSERT INTO s\nSELECT x + 1\nFROM t")

    assert changes(before, after) == ("…", " INSERT INTO s", "-SELECT x", "+SELECT x + 1", " FROM t;")


def test_a_statement_that_is_put_in_front_does_not_make_the_others_look_changed(tmp_path: Path) -> None:
    before = sql(tmp_path / "a.jar", "SELECT 1", "SELECT 2")
    after = sql(tmp_path / "b.jar", "SET 'a' = 'b'", "SELECT 1", "SELECT 2")

    assert changes(before, after) == ("…", "+SET 'a' = 'b';", " SELECT 1;")


def test_equal_packages_have_no_changes_whatever_their_times(tmp_path: Path) -> None:
    before = sql(tmp_path / "a.jar", "SELECT 1")
    after = tmp_path / "b.jar"
    with zipfile.ZipFile(after, "w") as archive:
        archive.writestr(zipfile.ZipInfo("scurry/statements/0001.sql", (2001, 1, 1, 0, 0, 0)), "SELECT 1")

    assert changes(before, after) == ()


def test_python_is_shown_by_lines_and_everything_binary_by_name(tmp_path: Path) -> None:
    before = package(tmp_path / "a.zip", {"main.py": "a = 1\nb = 2\n", "lib/x.so": b"\x00", "old.bin": b"1"})
    after = package(tmp_path / "b.zip", {"main.py": "a = 1\nb = 3\n", "lib/x.so": b"\x01", "new.bin": b"1"})

    assert changes(before, after) == (
        "main.py:",
        "…",
        " a = 1",
        "-b = 2",
        "+b = 3",
        "added: new.bin",
        "removed: old.bin",
        "changed: lib/x.so",
    )


def test_classes_are_told_by_their_names_and_many_of_them_are_counted(tmp_path: Path) -> None:
    names = [f"com/example/{letter}.class" for letter in "ABCDE"]
    before = package(tmp_path / "a.jar", dict.fromkeys(names, b"1"))
    after = package(tmp_path / "b.jar", dict.fromkeys(names, b"2"))

    assert changes(before, after) == ("changed: com.example.A, com.example.B, com.example.C and 2 more",)


def test_another_runner_of_scripts_is_told_as_what_it_is(tmp_path: Path) -> None:
    before = package(tmp_path / "a.jar", {"io/scurry/SqlRunner.class": b"1", "io/scurry/Other.class": b"1"})
    after = package(tmp_path / "b.jar", {"io/scurry/SqlRunner.class": b"2"})

    assert changes(before, after) == ("the runner of SQL scripts, which comes with scurry, is another one",)


def test_a_long_difference_is_cut_and_the_rest_counted(tmp_path: Path) -> None:
    before = sql(tmp_path / "a.jar", "\n".join(f"a{line}" for line in range(100)))
    after = sql(tmp_path / "b.jar", "\n".join(f"b{line}" for line in range(100)))

    told = changes(before, after)

    assert len(told) == 41
    assert told[-1] == "… and 161 more lines"


def test_a_package_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    whole = sql(tmp_path / "a.jar", "SELECT 1")
    broken = tmp_path / "b.jar"
    broken.write_bytes(whole.read_bytes()[:-20])

    with pytest.raises(ArtifactError, match="ends too early"):
        changes(whole, broken)


def test_the_classes_that_differ_are_named_and_nothing_else(tmp_path: Path) -> None:
    before = package(tmp_path / "a.jar", {"a/Same.class": b"1", "a/B$C.class": b"1", "Gone.class": b"1", "a.txt": "1"})
    after = package(tmp_path / "b.jar", {"a/Same.class": b"1", "a/B$C.class": b"2", "New.class": b"1", "a.txt": "2"})

    assert changed_classes(before, after) == {"a.B$C", "Gone", "New"}


def test_a_jar_with_statements_is_sql(tmp_path: Path) -> None:
    assert is_sql(sql(tmp_path / "a.jar", "SELECT 1"))
    assert not is_sql(package(tmp_path / "b.jar", {"a/B.class": b"1"}))
