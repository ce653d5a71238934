"""Answers that are kept for a while."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from scurry.flink import job_graph_cache

if TYPE_CHECKING:
    from pathlib import Path


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


def test_an_answer_is_found_under_its_key(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "key", b"{}")
    assert job_graph_cache.find(tmp_path, "key") == b"{}"
    assert job_graph_cache.find(tmp_path, "other") is None


def test_only_its_owner_can_read_an_answer(tmp_path: Path) -> None:
    job_graph_cache.keep(tmp_path, "key", b"{}")
    (path,) = (tmp_path / "job-graphs").iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_what_nobody_wanted_for_long_is_forgotten(tmp_path: Path) -> None:
    for name in ("wanted", "unwanted"):
        job_graph_cache.keep(tmp_path, name, b"{}")
    for path in list((tmp_path / "job-graphs").iterdir()):
        aged(path, 91)
    assert job_graph_cache.find(tmp_path, "wanted") == b"{}"
    code = tmp_path / "job-graphs" / "delivered" / "python"
    for name, days in (("new", 6.0), ("old", 8.0)):
        (code / name / "code").mkdir(parents=True)
        aged(code / name, days)
    job_graph_cache.keep(tmp_path, "today", b"{}")
    assert {path.name for path in (tmp_path / "job-graphs").glob("*.json")} == {"today.json", "wanted.json"}
    assert [path.name for path in code.iterdir()] == ["new"]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "job-graphs").write_text("in the way")
    job_graph_cache.keep(tmp_path, "key", b"{}")
    assert job_graph_cache.find(tmp_path, "key") is None


def test_every_part_counts_for_a_key_and_where_it_ends() -> None:
    keys = {
        job_graph_cache.key_of(parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", ""), (b"ab", "d"))
    }
    assert len(keys) == 5
    assert job_graph_cache.key_of(("a", b"b")) == job_graph_cache.key_of((b"a", "b"))


def test_a_file_that_is_not_there_has_an_empty_digest(tmp_path: Path) -> None:
    assert job_graph_cache.digest_of(tmp_path / "missing.jar") == ""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert job_graph_cache.digest_of(tmp_path / "a") == job_graph_cache.digest_of(tmp_path / "b") != ""
