"""What the REST target does without a Flink: lowering, names, quoting, places, settings, and reading canned answers."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.model.desired import Artifact, ArtifactKind, Desired, UpgradeMode, UpgradePolicy
from scurry.model.errors import TargetUnsuitable, WorkspaceError
from scurry.model.observed import JobState
from scurry.model.operation import (
    Action,
    Adjust,
    Delete,
    Deploy,
    DropSnapshot,
    Operation,
    Rescale,
    Resume,
    Suspend,
    TakeSnapshot,
    Upgrade,
)
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind, Stateless
from scurry.model.values import SecretRef
from scurry.targets.rest import Places, checking, observing
from scurry.targets.rest.places import local_path
from scurry.targets.rest.program import jar_name, job_parameters
from scurry.testing.rig import CountedMarks, Runner
from tests.flink.rest_server import RestServer, serving, whole
from tests.targets.rest_rig import RestRig

if TYPE_CHECKING:
    import socket

JOB = "a" * 32
OTHER = "b" * 32
DESIRED = Desired(
    application="orders",
    target="t",
    flink_version="2.3.0",
    artifact=Artifact(kind=ArtifactKind.JAR, digest="sha256:" + "0" * 64, file_name="orders.jar", size_bytes=1),
)
SNAPSHOT = Snapshot(kind=SnapshotKind.SAVEPOINT, location="s3://b/savepoint-1", taken_at=datetime.now(UTC))
NEW = Stateless(why="new")
NO_CHECKPOINTING = {"errors": ["a.b.RestHandlerException: Checkpointing has not been enabled"]}
MARKS = CountedMarks()
FIRST, SECOND = MARKS.job_id(), MARKS.trigger_id(Action.STOP)
"""the marks, in the order in which they are asked for"""


def upgrade(restore: Any, mode: UpgradeMode = UpgradeMode.SAVEPOINT) -> Upgrade:
    return Upgrade(desired=DESIRED, restore=restore, mode=mode, job_id=JOB)


def rig(folder: Path, url: str = "http://127.0.0.1:1", **settings: Any) -> RestRig:
    return RestRig(url, folder, runtimes=None, version="2.3.0", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Deploy(desired=DESIRED, restore=NEW), ["upload", "check", f"submit {FIRST}"]),
        (Resume(desired=DESIRED, restore=NEW), ["upload", "check", f"submit {FIRST}"]),
        (upgrade(FromLatest()), ["upload", "check", f"stop {FIRST} {JOB}", f"submit {SECOND}"]),
        (upgrade(FromLatest(), UpgradeMode.LAST_STATE), ["upload", "check", f"cancel {JOB} {JOB}", f"submit {FIRST}"]),
        (upgrade(NEW, UpgradeMode.STATELESS), ["upload", "check", f"cancel {JOB} {JOB}", f"submit {FIRST}"]),
        (upgrade(FromSnapshot(snapshot=SNAPSHOT)), ["upload", "check", f"cancel {JOB} {JOB}", f"submit {FIRST}"]),
        (Rescale(desired=DESIRED, job_id=JOB), [f"rescale {JOB} {JOB}"]),
        (Adjust(desired=DESIRED), []),
        (Suspend(job_id=JOB), [f"stop {FIRST} {JOB}"]),
        (Suspend(job_id=JOB, snapshot=False), [f"cancel {JOB} {JOB}"]),
        (TakeSnapshot(job_id=JOB), [f"snapshot {FIRST} {JOB}"]),
        (DropSnapshot(snapshot=SNAPSHOT), [f"dispose {SNAPSHOT.location}"]),
        (Delete(job_id=JOB), [f"stop {FIRST} {JOB}"]),
        (Delete(job_id=JOB, snapshot=False), [f"cancel {JOB} {JOB}"]),
        (Delete(job_id=None), []),
    ],
)
def test_each_operation_is_these_steps_in_this_order(operation: Operation, expected: list[str], tmp_path: Path) -> None:
    steps = rig(tmp_path).target.steps(operation, CountedMarks())
    shown = []
    for step in steps:
        mark = "" if step.mark == DESIRED.artifact.digest else step.mark
        shown.append(" ".join(part for part in (step.action.value, mark, step.inputs.get("job_id")) if part))
    assert shown == expected


@pytest.mark.parametrize("drops", [None, (), ("counting",)])
def test_the_steps_know_whose_state_is_dropped(drops: tuple[str, ...] | None, tmp_path: Path) -> None:
    operation = msgspec.structs.replace(upgrade(FromLatest()), drops=drops)
    steps = {step.action: step.inputs for step in rig(tmp_path).target.steps(operation, CountedMarks())}
    assert [steps[action].get("drops") for action in (Action.CHECK, Action.SUBMIT)] == [drops, drops]


@pytest.mark.parametrize(
    ("allowed", "drops", "told"),
    [
        (False, None, False),
        (False, (), False),
        (True, None, True),
        (True, (), True),
        (("counting",), (), False),
        (("counting",), ("counting",), True),
    ],
)
def test_flink_is_told_that_state_may_go_only_when_it_was_found_and_allowed(
    allowed: bool | tuple[str, ...], drops: tuple[str, ...] | None, told: bool
) -> None:
    desired = msgspec.structs.replace(DESIRED, upgrade=UpgradePolicy(allow_non_restored_state=allowed))
    checking.check_dropping(desired, FromSnapshot(snapshot=SNAPSHOT), "t", drops=drops)
    assert checking.may_drop(desired, drops) is told


def test_some_operators_state_is_not_dropped_blindly() -> None:
    desired = msgspec.structs.replace(DESIRED, upgrade=UpgradePolicy(allow_non_restored_state=("counting",)))
    with pytest.raises(TargetUnsuitable, match="could not be found out") as refused:
        checking.check_dropping(desired, FromSnapshot(snapshot=SNAPSHOT), "t", drops=None)
    assert "scurry plan FILE" in (refused.value.hint or "")
    checking.check_dropping(desired, NEW, "t", drops=None)


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("orders.jar", "orders-"),
        ("my job (final).jar", "my-job-final-"),
        ("../../etc/passwd", "etc-passwd-"),
        ("ä.jar", "job-"),
        ("x" * 200 + ".jar", "x" * 60 + "-"),
    ],
)
def test_an_upload_is_named_for_people_and_by_its_digest(file_name: str, expected: str) -> None:
    assert jar_name(file_name, "sha256:" + "0123456789" * 6 + "0123") == f"{expected}{'0123456789' * 4}.jar"


def test_map_options_are_quoted_for_every_flink() -> None:
    assert job_parameters({"g.k": "v"}) == "'''g.k'':''v'''"
    assert job_parameters({"a": "it's, {b: c}", "d": ""}) == "'''a'':''it''''s, {b: c}''','''d'':'''''"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/data/a", "/data/a"),
        ("file:/data/a", "/data/a"),
        ("file:///data/a%20b", "/data/a b"),
        ("/data/a%20b", "/data/a%20b"),
        ("s3://bucket/a", None),
        ("hdfs:///a", None),
        ("file://host/a", None),
        ("relative", None),
        (None, None),
    ],
)
def test_only_what_is_on_a_machine_of_its_own_is_a_path(location: str | None, path: str | None) -> None:
    assert local_path(location) == (Path(path) if path else None)


class TestRetained:
    def test_what_forgotten_jobs_left_is_found_newest_first(self, tmp_path: Path) -> None:
        made = []
        for age, name in enumerate(
            [f"cp/{JOB}/chk-7", f"cp/{JOB}/chk-9", f"sp/savepoint-{JOB[:6]}-0123", f"cp/{OTHER}/chk-1"]
        ):
            metadata = tmp_path / name / "_metadata"
            metadata.parent.mkdir(parents=True)
            metadata.touch()
            os.utime(metadata, (1_000_000 + age, 1_000_000 + age))
            made.append(f"file:{metadata.parent}")
        (tmp_path / "cp" / JOB / "chk-10").mkdir()  # begun, and never completed
        (tmp_path / "sp" / f"savepoint-{JOB[:6]}-4567").mkdir()
        places = Places(checkpoints=str(tmp_path / "cp"), savepoints=f"file://{tmp_path}/sp")
        found = places.retained([JOB])
        assert [snapshot.location for snapshot in found] == [made[2], made[1], made[0]]
        assert [snapshot.kind.value for snapshot in found] == ["savepoint", "checkpoint", "checkpoint"]
        assert {snapshot.job_id for snapshot in found} == {JOB}

    def test_what_cannot_be_seen_from_here_is_no_error(self, tmp_path: Path) -> None:
        for place in (None, "s3://b/c", str(tmp_path / "missing")):
            assert Places(checkpoints=place, savepoints=place).retained([JOB]) == ()


class TestSettings:
    def test_paths_are_relative_to_the_project(self, tmp_path: Path) -> None:
        settings = {"savepoints": "sp", "checkpoints": "s3://b/cp", "shared_directory": "shared"}
        places = rig(tmp_path, **settings).target._places
        assert places == Places(savepoints=str(tmp_path / "sp"), checkpoints="s3://b/cp", shared=tmp_path / "shared")

    def test_certificates_that_are_missing_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(TargetUnsuitable, match=r"'t'.*`ca`"):
            rig(tmp_path, url="https://127.0.0.1:1", ca="ca.pem")

    def test_an_address_that_holds_credentials_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="holds credentials"):  # placed by who reads the project file
            rig(tmp_path, url="https://me:secret@127.0.0.1:1")


def answering(paths: dict[str, Any]) -> Any:
    """Answer each path with its JSON, or with Flink's 404."""

    def make(server: RestServer) -> Any:
        def answer(connection: socket.socket) -> None:
            path = server.asked[-1].path.partition("?")[0]
            found = paths.get(path, {"errors": ["org.apache.flink.runtime.messages.FlinkJobNotFoundException: no"]})
            status = 404 if "errors" in found else 200
            whole(status, json.dumps(found))(connection)

        answer.keep = True  # type: ignore[attr-defined]
        return answer

    return make


def cluster_of(*jobs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "/overview": {"flink-version": "2.3.0", "taskmanagers": 1, "slots-total": 4, "slots-available": 1},
        "/jobs/overview": {"jobs": list(jobs)},
        **more,
    }


def job(id: str, state: str, *, running: int = 0, finished: int = 0, total: int = 3, start: int = 1) -> dict[str, Any]:
    return {
        "jid": id,
        "name": "orders",
        "state": state,
        "start-time": start,
        "end-time": -1,
        "duration": 5000,
        "tasks": {"total": total, "running": running, "finished": finished},
    }


def detail(id: str, *statuses: str) -> dict[str, Any]:
    vertices = [
        {"id": str(n), "name": f"v{n}", "parallelism": 1, "status": status, "tasks": {status: 1}}
        for n, status in enumerate(statuses)
    ]
    return {"jid": id, "name": "orders", "state": "RUNNING", "start-time": 1, "now": 9**15, "vertices": vertices}


def details_of(id: str, *statuses: str, failures: int = 0, restarts: int = 0) -> dict[str, Any]:
    entries = [{"stacktrace": "a.b.BadError: no", "timestamp": 1}] * failures
    return {
        f"/jobs/{id}": detail(id, *statuses),
        f"/jobs/{id}/checkpoints": {"counts": {"completed": 2}},
        f"/jobs/{id}/checkpoints/config": {},
        f"/jobs/{id}/exceptions": {"exceptionHistory": {"entries": entries}},
        f"/jobs/{id}/metrics": [{"id": "numRestarts", "value": str(restarts)}],
        "/jobmanager/config": [],
        "/config": {"flink-version": "2.3.0", "refresh-interval": 10},
    }


def observe(folder: Path, paths: dict[str, Any], *marks: str) -> tuple[Any, list[str]]:
    with serving() as server:
        server.answers.append(answering(paths)(server))
        observed = rig(folder, server.url).target.observe("orders", marks)
    return observed, [asked.path for asked in server.asked]


def test_between_the_end_of_a_stop_and_the_start_there_is_no_other_call(tmp_path: Path) -> None:
    paths = cluster_of(
        job(JOB, "RUNNING", running=3),
        **details_of(JOB, "RUNNING"),
        **{
            "/jars": {"files": []},
            "/jars/upload": {"filename": "/up/1_orders.jar"},
            "/jars/1_orders.jar/plan": {"plan": {"nodes": [{"id": "0", "parallelism": 1}]}},
            f"/jobs/{JOB}/stop": {"request-id": FIRST},
            f"/jobs/{JOB}/savepoints/{FIRST}": {
                "status": {"id": "COMPLETED"},
                "operation": {"location": "s3://b/savepoint-1"},
            },
            "/jars/1_orders.jar/run": {"jobid": SECOND},
        },
    )
    (tmp_path / "orders.jar").write_bytes(b"jar")
    with serving() as server:
        server.answers.append(answering(paths)(server))
        rest = rig(tmp_path, server.url, savepoints="s3://b")
        artifact = rest.artifacts.add(tmp_path / "orders.jar")
        desired = msgspec.structs.replace(DESIRED, artifact=artifact)
        operation = Upgrade(desired=desired, restore=FromLatest(), mode=UpgradeMode.SAVEPOINT, job_id=JOB)
        Runner(rest, CountedMarks()).run(operation)
    calls = [(asked.method, asked.path) for asked in server.asked]
    assert calls[-3:] == [
        ("POST", f"/jobs/{JOB}/stop"),
        ("GET", f"/jobs/{JOB}/savepoints/{FIRST}"),
        ("POST", "/jars/1_orders.jar/run"),
    ]
    assert server.connections == 1
    body = json.loads(server.asked[-1].body)
    assert (body["jobId"], body["savepointPath"], body["parallelism"]) == (SECOND, "s3://b/savepoint-1", 1)
    assert body["flinkConfiguration"]["pipeline.name"] == "orders"
    assert "allowNonRestoredState" not in body


class TestObserving:
    def test_the_fresh_overview_goes_before_the_cached_detail(self, tmp_path: Path) -> None:
        stale = details_of(JOB, "CREATED", "CREATED")
        observed, _ = observe(tmp_path, cluster_of(job(JOB, "RUNNING", running=2, finished=1), **stale), JOB)
        assert (observed.live.vertices, observed.live.vertices_running) == (2, 2)
        stale = details_of(JOB, "RUNNING", "RUNNING")
        observed, _ = observe(tmp_path, cluster_of(job(JOB, "RUNNING", running=2), **stale), JOB)
        assert (observed.live.vertices, observed.live.vertices_running) == (2, 1)

    def test_a_job_that_begins_is_not_asked_for_checkpoints(self, tmp_path: Path) -> None:
        details = details_of(JOB, "CREATED", "CREATED")
        _, asked = observe(tmp_path, cluster_of(job(JOB, "RUNNING", running=1), **details), JOB)
        assert f"/jobs/{JOB}/checkpoints" not in asked
        _, asked = observe(tmp_path, cluster_of(job(JOB, "RUNNING", running=3), **details), JOB)
        assert f"/jobs/{JOB}/checkpoints" in asked

    @pytest.mark.parametrize(
        ("state", "failures", "metric", "restarts"),
        [
            ("RUNNING", 0, 0, 0),
            ("RUNNING", 2, 0, 2),
            ("RESTARTING", 16, 40, 40),
            ("FAILED", 1, 0, 0),
            ("FAILED", 4, 9, 3),
        ],
    )
    def test_restarts_are_the_greater_of_metric_and_failures(
        self, state: str, failures: int, metric: int, restarts: int, tmp_path: Path
    ) -> None:
        details = details_of(JOB, "RUNNING", failures=failures, restarts=metric)
        observed, _ = observe(tmp_path, cluster_of(job(JOB, state, running=3), **details), JOB)
        (shown,) = observed.jobs
        assert shown.restarts == restarts
        assert shown.root_exception == ("BadError: no" if failures else None)

    def test_a_batch_job_has_no_checkpoints(self, tmp_path: Path) -> None:
        details = details_of(JOB, "RUNNING")
        details[f"/jobs/{JOB}/checkpoints"] = details[f"/jobs/{JOB}/checkpoints/config"] = NO_CHECKPOINTING
        for state in ("RUNNING", "FAILED"):
            observed, _ = observe(tmp_path, cluster_of(job(JOB, state, running=3), **details), JOB)
            (shown,) = observed.jobs
            assert shown.vertices == 1
            assert shown.checkpoints.completed == 0
            assert shown.latest_checkpoint is None

    def test_a_job_that_is_forgotten_in_between_is_told_as_the_overview_has_it(self, tmp_path: Path) -> None:
        observed, _ = observe(tmp_path, cluster_of(job(JOB, "FINISHED", finished=3)), JOB)
        assert [shown.state for shown in observed.jobs] == [JobState.FINISHED]

    def test_strangers_are_live_jobs_of_the_same_name_only(self, tmp_path: Path) -> None:
        jobs = [job(OTHER, "RUNNING"), job("c" * 32, "FINISHED"), job("d" * 32, "RUNNING") | {"name": "else"}]
        observed, _ = observe(tmp_path, cluster_of(*jobs), JOB)
        assert [stranger.id for stranger in observed.strangers] == [OTHER]
        assert observed.jobs == ()

    def test_many_old_jobs_cost_no_more_than_a_few(self, tmp_path: Path) -> None:
        ids = [f"{n:032x}" for n in range(20)]
        jobs = [job(id, "FINISHED", finished=3, start=n) for n, id in enumerate(ids)]
        observed, asked = observe(tmp_path, cluster_of(*jobs), *ids)
        assert [shown.id for shown in observed.jobs] == ids[::-1]
        assert len(asked) <= 8

    def test_a_word_that_no_flink_says_is_told(self, tmp_path: Path) -> None:
        observed, _ = observe(tmp_path, cluster_of(job(JOB, "DREAMING")), JOB)
        assert not observed.reachable
        assert "DREAMING" in observed.unreachable_because

    def test_a_secret_that_is_missing_leaves_the_target_unseen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(self: object, text: object) -> str:
            raise WorkspaceError("the secret {env: TOKEN} is not there")

        monkeypatch.setattr("tests.targets.rest_rig.EnvironmentSecrets.resolve", missing)
        token = SecretRef(source="env", name="TOKEN")
        observed = rig(tmp_path, token=token).target.observe("orders", ())
        assert not observed.reachable
        assert observed.unreachable_because == "the secret {env: TOKEN} is not there"

    def test_a_survey_is_one_call(self) -> None:
        with serving(whole(200, json.dumps({"jobs": [job(JOB, "RUNNING", running=3)]}))) as server:
            with FlinkRest(RestSettings(url=server.url)) as rest:
                found = {summary.jid: observing.surveyed(summary) for summary in rest.jobs()}
            assert len(server.asked) == 1
        assert found[JOB].vertices_running == found[JOB].vertices == 3
        assert found[JOB].started_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1)
