"""`scurry state show` and `state copy`: what people and programs read of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from scurry.model.errors import SnapshotNotFound
from scurry.model.snapshot import Snapshot, SnapshotKind
from scurry.stored_state import is_place, state_of
from tests.cli.desk import Desk, check_document
from tests.savepoints import snapshot_writer as w

if TYPE_CHECKING:
    from scurry.workspace import Workspace

FILES = Path(__file__).parents[1] / "savepoints" / "files"
JAVA = FILES / "java-hashmap-canonical"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_operators_and_their_states_are_shown_as_a_tree(desk: Desk) -> None:
    out = desk.done("state", "show", str(JAVA)).out
    assert out.startswith(f"savepoint {JAVA}\ncanonical, checkpoint 22, _metadata version 6, 302 kB\n")
    assert (
        "├─ counter  parallelism 2 (max 16), 297 kB, key Long  0da08f51eaa85fc298e176a139b3649a\n"
        "│  ├─ red                                  reducing  Integer\n"
    ) in out
    assert "│  ├─ count                                value     Long, with a time to live\n" in out
    assert "│  └─ subtasks: 120 kB to 177 kB\n" in out
    assert "├─ rules  broadcast  String → Long  252 B\n" in out
    assert "├─ no uid win-nouid  " in out
    assert "window-contents                        reducing  Tuple2<Long, Long> by TimeWindow\n" in out
    assert out.endswith("└─ without state: throttle, rules-src (finished), sink\n")


def test_a_file_of_before_flink_2_accuses_nobody_of_missing_uids(desk: Desk) -> None:
    out = desk.done("state", "show", str(FILES / "f118-rocksdb-native")).out
    assert "no uid" not in out
    assert "├─ operator  parallelism 2 (max 16)" in out


@pytest.mark.parametrize("folder", ["java-hashmap-canonical", "f120-rocksdb-canonical", "sql-rocksdb-canonical"])
def test_the_document_is_as_it_is_described(desk: Desk, folder: str) -> None:
    document = desk.done("state", "show", str(FILES / folder / "_metadata"), "--json").document
    check_document("state", document)


def test_the_document_has_what_others_build_on(desk: Desk) -> None:
    document = desk.done("state", "show", f"file:{JAVA}", "--json").document
    assert (document["metadata_version"], document["checkpoint_id"], document["format"]) == (6, 22, "canonical")
    (counter,) = (operator for operator in document["operators"] if operator["uid"] == "counter")
    assert counter["id"] == "0da08f51eaa85fc298e176a139b3649a"
    assert counter["key_serializer"].endswith("LongSerializerSnapshot")
    assert (counter["parallelism"], counter["max_parallelism"]) == (2, 16)
    assert counter["subtask_bytes"] == [177136, 119648]
    assert counter["skew"] == 1.19
    (count,) = (state for state in counter["states"] if state["name"] == "count")
    assert {key: count[key] for key in ("kind", "type", "bytes", "ttl")} == {
        "kind": "value",
        "type": "Long",
        "bytes": None,
        "ttl": True,
    }


@pytest.mark.parametrize("name", ["counter", "count", "0da08f51"])
def test_one_operator_is_shown_by_the_beginning_of_its_name(desk: Desk, name: str) -> None:
    document = desk.done("state", "show", str(JAVA), "--operator", name, "--json").document
    assert [operator["uid"] for operator in document["operators"]] == ["counter"]
    assert document["bytes"] == 296784


def test_an_operator_that_is_not_there_is_told_with_those_that_are(desk: Desk) -> None:
    result = desk.run("state", "show", str(JAVA), "--operator", "nobody")
    assert result.code == 1
    assert "has no operator 'nobody'\nIt has: counter, throttle, bcast" in result.err


def test_skew_is_shown(desk: Desk, tmp_path: Path) -> None:
    sizes = [1, 1, 1, 9]
    subtasks = [w.Subtask(keyed=w.key_groups(w.inline(b"x" * size))) for size in sizes]
    (tmp_path / "_metadata").write_bytes(w.metadata(*subtasks))
    out = desk.done("state", "show", str(tmp_path)).out
    assert "subtasks: 1 B to 9 B; the largest, 3, has 3.0 times the mean" in out


def test_what_cannot_be_read_of_an_operator_is_told_and_the_rest_is_shown(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes((JAVA / "_metadata").read_bytes())
    result = desk.done("state", "show", str(tmp_path))
    assert "not read: " in result.out
    assert "├─ rules  broadcast  String → Long" in result.out
    document = desk.done("state", "show", str(tmp_path), "--json").document
    check_document("state", document)
    assert any(operator["unread"] for operator in document["operators"])


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/nowhere/sp", "there is no file '/nowhere/sp/_metadata'\nName the directory that holds `_metadata`"),
        ("hdfs://name/sp", "is at a place that is not known here: hdfs://"),
    ],
)
def test_a_place_without_a_snapshot_is_told(desk: Desk, place: str, told: str) -> None:
    result = desk.run("state", "show", place)
    assert result.code == 1
    assert told in result.err


def test_what_is_no_snapshot_is_told_with_the_place_where_it_ends_to_be_one(desk: Desk) -> None:
    (desk.folder / "_metadata").write_bytes(b"\x49\x60\x67\x2d\0\0\0\7")
    result = desk.run("state", "show", "./", "--json")
    assert result.code == 1
    assert result.document["error"]["code"] == "snapshot-unreadable"


def test_no_project_is_needed_to_look_at_a_place(tmp_path: Path, desk: Desk) -> None:
    (desk.folder / "scurry.yaml").write_text("nonsense: [")
    assert desk.done("state", "show", str(JAVA)).out


def test_what_is_an_application_and_what_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "savepoint-1").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "savepoint-1" / "_metadata").touch()
    places = ["/x", "x/y", "./x", "file:/x", "s3://b/x", "savepoint-1"]
    assert [is_place(name) for name in places] == [True] * len(places)
    assert [is_place(name) for name in ("shop", "shop@production")] == [False, False]


def test_an_application_without_a_snapshot_is_told(running: Desk) -> None:
    result = running.run("state", "show", "shop")
    assert result.code == 1
    assert "scurry snapshot create shop" in result.err


@dataclass
class Pretended:
    """A workspace of which only the snapshots count; each look shows the next list."""

    looks: list[list[Snapshot]]
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Any:
        return self

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def snapshots(self, application: str) -> tuple[Snapshot, ...]:
        return tuple(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])


def snapshot(place: Path | str, age: int = 0) -> Snapshot:
    return Snapshot(kind=SnapshotKind.CHECKPOINT, location=str(place), taken_at=NOW - timedelta(seconds=age))


def looked(pretended: Pretended) -> str:
    return state_of(cast("Workspace", pretended), "shop").location


def test_the_newest_snapshot_of_an_application_is_shown() -> None:
    assert looked(Pretended([[snapshot(JAVA), snapshot("/none", 5)]])) == str(JAVA)


def test_the_next_checkpoint_is_read_when_one_is_subsumed_meanwhile() -> None:
    pretended = Pretended([[snapshot("/gone/chk-1")], [snapshot(JAVA), snapshot("/gone/chk-1", 9)]])
    assert looked(pretended) == str(JAVA)
    assert pretended.slept == [0.1]


def test_an_older_snapshot_is_read_where_no_newer_one_comes() -> None:
    assert looked(Pretended([[snapshot("/gone/chk-1"), snapshot(JAVA, 5)]])) == str(JAVA)


def test_checkpoints_that_vanish_again_and_again_are_told() -> None:
    pretended = Pretended([[snapshot(f"/gone/chk-{number}")] for number in range(9)])
    with pytest.raises(SnapshotNotFound, match="they follow each other too fast"):
        looked(pretended)
    with pytest.raises(SnapshotNotFound, match="are to be seen from this machine: /gone/chk-1"):
        looked(Pretended([[snapshot("/gone/chk-1")]]))
    with pytest.raises(SnapshotNotFound, match="no snapshot of 'shop' is known"):
        looked(Pretended([[]]))


def test_a_copy_is_told_with_its_size_and_place(desk: Desk) -> None:
    source = str(FILES / "java-rocksdb-native")
    result = desk.done("state", "copy", source, "copy")
    assert result.out == f"✓ copied 8 files and _metadata, 303 kB, each verified\n  file:{desk.folder}/copy\n"
    assert "✓ Copying 8 files" in result.err
    document = desk.done("state", "copy", "copy", "again", "--json").document
    check_document("state-copy", document)
    assert document["location"] == f"file:{desk.folder}/again"
    refused = desk.run("state", "copy", source, "copy")
    assert refused.code == 1
    assert "is not empty: a snapshot is there" in refused.err
