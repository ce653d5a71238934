"""Real snapshots, looked at as a preflight does: what is read of them, how often, and that each fits itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import boto3
import pytest

from scurry.engine.compatibility import Circumstances, judge
from scurry.inspection import SnapshotFiles
from scurry.model.compatibility import Fit, OperatorFate, StateFate
from scurry.model.errors import SnapshotNotFound, StorageError
from scurry.model.state import GraphOperator, JobGraph, SnapshotState
from scurry.model.values import SecretRef, Text
from scurry.savepoints.heads import read_keyed_head, read_operator_head
from scurry.savepoints.reading import Cursor
from scurry.savepoints.storage import AnyStorage
from tests.savepoints.moto_store import moto_server

FILES = Path(__file__).parent / "savepoints" / "files"
SNAPSHOTS = sorted(path.parent.name for path in FILES.glob("*/_metadata"))
VERSIONS = {"f118-rocksdb-native": "1.18.1", "f120-rocksdb-canonical": "1.20.5"}


def read(name: str) -> SnapshotState:
    return SnapshotFiles().read(str(FILES / name), {}).state


def itself(snapshot: SnapshotState, flink_version: str) -> JobGraph:
    """Return the program that asks for exactly what a snapshot holds."""
    operators = tuple(
        GraphOperator(
            id=held.id,
            uid=held.uid,
            name=held.name or held.id,
            parallelism=held.parallelism,
            key=held.key,
            states=held.states,
            stateful=held.has_state,
        )
        for held in snapshot.operators
    )
    return JobGraph(flink_version=flink_version, operators=operators)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_heads_are_the_bytes_that_tell_of_the_states(name: str) -> None:
    found = SnapshotFiles().read(str(FILES / name), {})
    named = {held.id: {state.name for state in held.states} for held in found.state.operators}
    assert found.heads
    for heads in found.heads:
        keyed = [read_keyed_head(Cursor(head, source="head")) for head in heads.keyed]
        other = [read_operator_head(Cursor(head, source="head")) for head in heads.not_keyed]
        names = {meta.name for head in (*keyed, *other) for meta in head.states}
        assert names
        assert names <= named[heads.operator]


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_nothing_is_read_twice_since_a_checkpoint_may_vanish_meanwhile(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[tuple[str, int]] = Counter()
    plain = AnyStorage.read

    def counted(self: AnyStorage, path: str, start: int, length: int) -> bytes:
        reads[path, start] += 1
        return plain(self, path, start, length)

    monkeypatch.setattr(AnyStorage, "read", counted)
    SnapshotFiles().read(str(FILES / name), {})
    assert reads
    assert set(reads.values()) == {1}


class Vault:
    """Secrets by name."""

    def resolve(self, text: Text) -> str:
        return text if isinstance(text, str) else {"KEY": "key", "SECRET": "secret"}[text.name]


def test_a_snapshot_in_a_store_of_your_own_is_read_with_the_options_of_who_wrote_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with moto_server() as address:
        client = boto3.client(
            "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        client.create_bucket(Bucket="states")
        for path in (FILES / "java-rocksdb-native").iterdir():
            client.put_object(Bucket="states", Key=f"sp/{path.name}", Body=path.read_bytes())
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        options: dict[str, Text] = {
            "s3.endpoint": address,
            "s3.path.style.access": "true",
            "s3.access-key": SecretRef(source="env", name="KEY"),
            "s3.secret-key": SecretRef(source="env", name="SECRET"),
            "other": SecretRef(source="env", name="NOT_THERE"),
        }
        found = SnapshotFiles(secrets=Vault()).read("s3://states/sp", options)
        with pytest.raises(StorageError, match=r"[Cc]redentials"):
            SnapshotFiles().read("s3://states/sp", options)
    assert found.heads == SnapshotFiles().read(str(FILES / "java-rocksdb-native"), {}).heads


def test_a_snapshot_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound):
        SnapshotFiles().read(str(tmp_path / "none"), {})


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_each_snapshot_fits_the_program_that_wrote_it(name: str) -> None:
    snapshot = read(name)
    given = Circumstances(changed_classes=frozenset())
    found = judge(snapshot, itself(snapshot, VERSIONS.get(name, "2.3.0")), given=given)
    unread = [held for held in snapshot.operators if held.unread]
    assert found.fit is (Fit.UNKNOWN if unread else Fit.FITS), found
    assert {verdict.fate for verdict in found.operators} == {OperatorFate.KEPT}
    fates = {state.fate for verdict in found.operators for state in verdict.states}
    assert fates <= {StateFate.SAME, *([StateFate.UNKNOWN] if unread else [])}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_no_snapshot_fits_a_program_without_its_operators(name: str) -> None:
    snapshot = read(name)
    found = judge(snapshot, JobGraph(flink_version=VERSIONS.get(name, "2.3.0")))
    assert found.fit is Fit.BLOCKED
    assert len(found.dropping) == sum(held.has_state for held in snapshot.operators)
    assert found.lost == sum(held.bytes for held in snapshot.operators if held.has_state)


def test_whether_flink_2_reads_what_kryo_wrote_in_flink_1_is_not_known() -> None:
    snapshot = read("f120-rocksdb-canonical")
    found = judge(snapshot, itself(snapshot, "2.3.0"), given=Circumstances(changed_classes=frozenset()))
    states = [state for verdict in found.operators for state in verdict.states]
    unknown = {state.name: state.reason or "" for state in states if state.fate is StateFate.UNKNOWN}
    assert found.fit is Fit.UNKNOWN
    assert set(unknown) == {"opaque"}
    assert "Kryo 2" in unknown["opaque"]


def test_flink_1_does_not_read_what_flink_2_wrote() -> None:
    snapshot = read("java-hashmap-canonical")
    assert judge(snapshot, itself(snapshot, "1.20.5")).fit is Fit.BLOCKED
