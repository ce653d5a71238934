"""What a cluster's folders still hold: of a job to adopt, and of deliveries that nothing reads any more."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from scurry.model.desired import Artifact, ArtifactKind
from scurry.model.errors import WorkspaceError
from scurry.model.observed import Job, JobState
from scurry.targets.rest import delivery
from scurry.targets.rest.places import Places
from scurry.targets.rest.program import digest_in, jar_digest, jar_name
from tests.targets.memory_rig import wish

OLDER, OLD, NOW = "a1b2c3" + "0" * 26, "d4e5f6" + "1" * 26, "99aabb" + "2" * 26


def _job(restored_from: Path | str | None) -> Job:
    location = str(restored_from) if restored_from else None
    return Job(id=NOW, name="shop", state=JobState.RUNNING, restored_from=location)


def _snapshot(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "_metadata").write_bytes(b"")
    return path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(savepoints=str(tmp_path / "savepoints"), checkpoints=str(tmp_path / "checkpoints"))


def _names(places: Places, job: Job) -> set[str]:
    return {snapshot.location.rpartition("/")[2] for snapshot in places.left_by(job)}


def test_savepoints_of_the_job_and_all_of_the_job_before_are_found(places: Places, tmp_path: Path) -> None:
    savepoints, checkpoints = tmp_path / "savepoints", tmp_path / "checkpoints"
    _snapshot(savepoints, "savepoint-99aabb-own")
    started_from = _snapshot(savepoints, "savepoint-d4e5f6-stop")
    _snapshot(savepoints, "savepoint-d4e5f6-early")
    _snapshot(savepoints, "savepoint-a1b2c3-of-another-application")
    _snapshot(checkpoints / OLD, "chk-7")
    _snapshot(checkpoints / OLDER, "chk-9")
    _snapshot(checkpoints / NOW, "chk-11")
    found = _names(places, _job(f"file:{started_from}"))
    assert found == {"savepoint-99aabb-own", "savepoint-d4e5f6-stop", "savepoint-d4e5f6-early", "chk-7"}


def test_a_job_that_was_started_from_a_checkpoint_leads_to_the_job_that_wrote_it(
    places: Places, tmp_path: Path
) -> None:
    started_from = _snapshot(tmp_path / "checkpoints" / OLD, "chk-7")
    _snapshot(tmp_path / "savepoints", "savepoint-d4e5f6-early")
    found = _names(places, _job(started_from))
    assert found == {"chk-7", "savepoint-d4e5f6-early"}


def test_what_was_started_from_elsewhere_is_found_where_it_is(places: Places, tmp_path: Path) -> None:
    started_from = _snapshot(tmp_path / "elsewhere", "by-hand")
    assert _names(places, _job(started_from)) == {"by-hand"}
    assert _names(places, _job(tmp_path / "gone")) == set()
    assert _names(places, _job("s3://bucket/savepoints/savepoint-d4e5f6-x")) == set()
    assert _names(places, _job(None)) == set()
    assert Places().left_by(_job(None)) == ()


def _deliver(folder: Path, *parts: str, hours_ago: float) -> Path:
    path = folder.joinpath(delivery.DELIVERED, *parts)
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x" * 100)
    then = (datetime.now(UTC) - timedelta(hours=hours_ago)).timestamp()
    os.utime(path, (then, then))
    return path


def test_deliveries_that_a_wish_reads_and_young_ones_stay(tmp_path: Path) -> None:
    digest = "f" * 64
    artifact = Artifact(kind=ArtifactKind.PYTHON, digest=f"sha256:{digest}", file_name="app.zip", size_bytes=1)
    needed = msgspec.structs.replace(wish(), artifact=artifact, properties={"input": {"path": "data"}})
    (kept,) = (_deliver(tmp_path, *parts, hours_ago=9) for parts in [delivery._properties_folder(needed)])
    code = _deliver(tmp_path, "python", digest[:40], hours_ago=9)
    young = _deliver(tmp_path, "python", "0" * 40, hours_ago=0.1)
    old = _deliver(tmp_path, "python", "1" * 40, hours_ago=9)
    before = datetime.now(UTC) - timedelta(hours=1)
    (found,) = delivery.leftovers(tmp_path, [needed], before=before)
    assert (found.ref, found.size_bytes) == (str(old), 100)
    delivery.discard(found)
    delivery.discard(found)  # somebody else did
    assert [path.exists() for path in (kept, code, young, old)] == [True, True, True, False]


def test_a_delivery_that_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _deliver(tmp_path, "python", "1" * 40, hours_ago=9)
    (found,) = delivery.leftovers(tmp_path, [], before=datetime.now(UTC))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(WorkspaceError, match="Permission denied"):
        delivery.discard(found)


@pytest.mark.parametrize("file_name", ["orders.jar", "Zahlungen (neu).jar", "x"])
def test_a_jar_is_known_again_by_the_name_it_was_uploaded_under(file_name: str) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert digest_in(jar_name(file_name, digest)) == jar_digest(digest)


@pytest.mark.parametrize("name", ["orders.jar", "flink-python-2.3.0.jar", f"{'0' * 40}.jar", f"a-{'0' * 40}.zip"])
def test_names_that_are_not_ours_say_nothing(name: str) -> None:
    assert digest_in(name) is None
