"""The REST target on real Flinks: what lands, what is found again, what is refused, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from scurry.flink.rest_errors import OperationNotFound
from scurry.model.desired import UpgradeMode, UpgradePolicy
from scurry.model.errors import AlreadySubmitted, JobNotFound, RejectedByTarget, TargetUnavailable, TargetUnsuitable
from scurry.model.observed import JobState
from scurry.model.operation import Action, Deploy, DropSnapshot, Resume, Suspend, TakeSnapshot, Upgrade
from scurry.model.snapshot import FromLatest, FromSnapshot, Snapshot, SnapshotKind
from scurry.model.values import SecretRef
from scurry.testing.rig import Context
from tests.flink.local_flink import small, stopped_afterwards, until
from tests.targets.probe import probe_jar
from tests.targets.rest_rig import NEW, Play, RestRig, Watching, patient_for
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.installed import FlinkRuntime, JavaRuntime
    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Desired
    from scurry.model.operation import Operation, Step

pytestmark = [pytest.mark.flink, pytest.mark.timeout(300)]

SECRET = "hush-hush-42"
LIKE_ANY_CLUSTER = {"web.refresh-interval": "3000", "rest.async.store-duration": "4 s"}
"""the first is Flink's default; the second (5 min) is shortened to see what Flink forgets"""


@pytest.fixture(scope="module", params=FLINK_VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(
    version: str,
    tmp_path_factory: pytest.TempPathFactory,
    flink_runtime: Callable[[str], FlinkRuntime],
    java_runtime: JavaRuntime,
) -> Iterator[RunningCluster]:
    workspace = tmp_path_factory.mktemp("cluster")
    settings = small(workspace, flink_runtime(version), java_runtime, config=LIKE_ANY_CLUSTER)
    with stopped_afterwards(workspace) as clusters:
        yield clusters.ensure(settings)


@pytest.fixture
def rig(cluster: RunningCluster, version: str, runtimes: Runtimes, tmp_path: Path) -> RestRig:
    rig = RestRig(cluster.rest_url, tmp_path, runtimes=runtimes, version=version)
    rig.artifact = rig.artifacts.add(probe_jar(runtimes, version))
    return rig


@pytest.fixture
def play(rig: RestRig) -> Iterator[Play]:
    play = Play(rig)
    yield play
    play.end_all()


def snapshot_of(snapshot: Snapshot | None) -> Snapshot:
    assert snapshot
    return snapshot


def upgrade(desired: Desired, job_id: str, *, mode: UpgradeMode = UpgradeMode.SAVEPOINT) -> Upgrade:
    return Upgrade(desired=desired, restore=FromLatest(), mode=mode, job_id=job_id)


def only(play: Play, operation: Operation, action: Action) -> tuple[Step, Context]:
    """Return the one step of that kind, and a context for it."""
    (step,) = (step for step in play.rig.target.steps(operation, play.marks) if step.action is action)
    return step, play.runner.context(operation)


class TestObserve:
    def test_a_job_is_told_with_all_that_decisions_need(self, play: Play, rig: RestRig, version: str) -> None:
        job_id = play.deploy(rig.job(parallelism=2))
        observed = rig.target.observe("probe@test", (job_id, "0" * 32))
        (job,) = observed.jobs
        assert (job.id, job.name, job.state, job.parallelism) == (job_id, "probe@test", JobState.RUNNING, 2)
        assert job.vertices == job.vertices_running == 2
        assert job.restarts == 0
        assert job.restored_from is None
        assert job.root_exception is None
        assert job.latest_checkpoint
        assert job.latest_checkpoint.kind is SnapshotKind.CHECKPOINT
        assert job.latest_checkpoint.job_id == job_id
        assert (observed.flink_version, observed.slots_total, observed.slots_free) == (version, 2, 0)
        assert observed.ui_url == f"{rig.target.rest.url}/#/job/running/{job_id}/overview"
        assert not observed.rescales_in_place
        assert not observed.strangers
        assert rig.target.survey()[job_id].state is JobState.RUNNING

    def test_a_job_that_restarts_says_why(self, play: Play, rig: RestRig) -> None:
        config = {"restart-strategy.type": "fixed-delay", "restart-strategy.fixed-delay.attempts": "100"}
        job_id = play.submit(rig.job("fail-after=5", config={**config, "restart-strategy.fixed-delay.delay": "100ms"}))
        job = play.until(job_id, lambda job: job.restarts >= 2 and job.root_exception is not None)
        assert job.root_exception == "IllegalStateException: told to fail after 5 records"

    def test_a_job_that_failed_says_why_and_keeps_its_checkpoint(self, play: Play, rig: RestRig) -> None:
        job_id = play.submit(rig.job("fail-after=900", config={"restart-strategy.type": "none"}))
        job = play.until(job_id, lambda job: job.state is JobState.FAILED)
        assert job.root_exception == "IllegalStateException: told to fail after 900 records"
        assert job.restarts == 0
        assert job.latest_checkpoint
        assert Path(job.latest_checkpoint.location.removeprefix("file:"), "_metadata").exists()

    def test_nobody_there_is_an_observation(self, rig: RestRig) -> None:
        rig.settings["url"] = "http://127.0.0.1:1"
        observed = rig.connect().observe("probe@test", ())
        assert not observed.reachable
        assert observed.unreachable_because
        assert "refuses connections" in observed.unreachable_because


class TestStartAndStop:
    def test_state_goes_from_a_stop_to_the_next_job(self, play: Play, rig: RestRig, tmp_path: Path) -> None:
        rig.settings["savepoints"] = str(tmp_path / "savepoints")
        rig.target = rig.connect()
        first = play.deploy(rig.wish())
        outcomes = play.run(upgrade(rig.wish(variant=1), first))
        savepoint = snapshot_of(outcomes[Action.STOP].snapshot)
        assert Path(savepoint.location.removeprefix("file:")).parent == tmp_path / "savepoints"
        second = outcomes[Action.SUBMIT].job_id
        assert second
        assert play.running(second).restored_from == savepoint.location
        assert play.job(first).state is JobState.FINISHED
        assert play.job(first).latest_checkpoint is None

    def test_the_same_job_id_is_one_job_also_after_its_end(self, play: Play, rig: RestRig) -> None:
        operation = Deploy(desired=rig.wish(), restore=NEW)
        submit, context = only(play, operation, Action.SUBMIT)
        assert rig.target.find(submit) is None
        assert rig.target.run(submit, context).job_id == submit.mark
        with pytest.raises(AlreadySubmitted):
            rig.connect().run(submit, context)
        play.running(submit.mark)
        play.run(Suspend(job_id=submit.mark))
        with pytest.raises(AlreadySubmitted):
            rig.connect().run(submit, context)
        assert play.job(submit.mark).state is JobState.FINISHED
        found = rig.connect().find(submit)
        assert found
        assert found.job_id == submit.mark

    def test_a_stop_is_found_by_its_mark_and_later_by_what_the_job_left(self, play: Play, rig: RestRig) -> None:
        operation = Suspend(job_id=play.deploy(rig.wish()))
        stop, context = only(play, operation, Action.STOP)
        assert rig.target.find(stop) is None
        location = snapshot_of(rig.target.run(stop, context).snapshot).location
        assert snapshot_of(rig.target.run(stop, context).snapshot).location == location

        def is_forgotten() -> bool:
            try:
                rig.target.rest.savepoint_status(operation.job_id, stop.mark)
            except OperationNotFound:
                return True
            return False

        until(is_forgotten, "Flink forgets the trigger")
        found = rig.connect().find(stop)
        assert found
        assert snapshot_of(found.snapshot).location == location

    def test_a_savepoint_that_a_job_took_before_is_not_taken_for_its_stop(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        play.run(TakeSnapshot(job_id=job_id))
        stop, _ = only(play, Suspend(job_id=job_id), Action.STOP)
        play.run(Suspend(job_id=job_id, snapshot=False))
        assert rig.target.find(stop) is None

    def test_a_drained_stop_says_so(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        assert snapshot_of(play.run(Suspend(job_id=job_id, drain=True))[Action.STOP].snapshot).drained

    def test_a_stop_that_fails_leaves_the_job_and_says_so(self, play: Play, rig: RestRig) -> None:
        rig.settings["savepoints"] = "/proc/nowhere"
        rig.target = rig.connect()
        job_id = play.deploy(rig.wish())
        with pytest.raises(RejectedByTarget, match=r"failed, and the job goes on: .*/proc/nowhere") as caught:
            play.run(Suspend(job_id=job_id))
        assert "java.io.IOException" in caught.value.cause
        assert play.job(job_id).state is JobState.RUNNING

    def test_a_slow_stop_is_told_of_and_goes_on_when_nobody_waits(self, play: Play, rig: RestRig) -> None:
        desired = rig.job("slow-snapshot=6000", config={"execution.checkpointing.interval": "1h"})
        job_id = play.submit(desired)
        play.until(job_id, lambda job: 0 < job.vertices <= job.vertices_running)
        stop, context = only(play, Suspend(job_id=job_id), Action.STOP)
        context.desired = msgspec.structs.replace(desired, upgrade=patient_for(3.0))
        watching = Watching()
        context.activity = watching
        with pytest.raises(TargetUnavailable, match=r"still in progress after 3\.0 s"):
            rig.target.run(stop, context)
        assert watching.descriptions
        with pytest.raises(TargetUnavailable):
            rig.target.find(stop)
        found = rig.connect().find(stop)
        assert found
        assert snapshot_of(found.snapshot).job_id == job_id

    @pytest.mark.parametrize("snapshot", [True, False])
    def test_a_job_that_is_not_there_is_an_error_of_its_own(self, play: Play, snapshot: bool) -> None:
        with pytest.raises(JobNotFound, match="knows no job 'ffff"):
            play.run(Suspend(job_id="f" * 32, snapshot=snapshot))

    def test_a_job_that_ended_cannot_be_stopped_but_cancelled_again(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        cancel, context = only(play, Suspend(job_id=job_id, snapshot=False), Action.CANCEL)
        assert rig.target.find(cancel) is None
        rig.target.run(cancel, context)
        assert play.job(job_id).state is JobState.CANCELED
        rig.target.run(cancel, context)
        assert rig.target.find(cancel)
        with pytest.raises(RejectedByTarget, match="the job is canceled now"):
            play.run(Suspend(job_id=job_id))

    def test_a_snapshot_can_be_restored_until_it_is_deleted_twice(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        snapshot = snapshot_of(play.run(TakeSnapshot(job_id=job_id))[Action.SNAPSHOT].snapshot)
        play.run(Suspend(job_id=job_id, snapshot=False))
        resumed = play.submit(rig.wish(), FromSnapshot(snapshot=snapshot))
        assert play.running(resumed).restored_from == snapshot.location
        play.run(DropSnapshot(snapshot=snapshot))
        play.run(DropSnapshot(snapshot=snapshot))
        with pytest.raises(RejectedByTarget, match="there is no checkpoint or savepoint at"):
            play.run(Resume(desired=rig.wish(), restore=FromSnapshot(snapshot=snapshot)))

    def test_the_checkpoint_of_a_running_job_is_not_deleted(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        checkpoint = snapshot_of(play.job(job_id).latest_checkpoint)
        with pytest.raises(RejectedByTarget, match="which runs"):
            play.run(DropSnapshot(snapshot=checkpoint))

    def test_state_that_fits_no_operator_is_refused_in_plain_words(self, play: Play, rig: RestRig) -> None:
        snapshot = snapshot_of(play.run(Suspend(job_id=play.deploy(rig.wish())))[Action.STOP].snapshot)
        with pytest.raises(RejectedByTarget, match="fits no operator of the new program") as caught:
            play.submit(rig.job("uid=other"), FromSnapshot(snapshot=snapshot))
        assert caught.value.hint
        assert "allow_non_restored_state" in caught.value.hint
        dropping = rig.job("uid=other", upgrade=UpgradePolicy(allow_non_restored_state=True))
        job_id = play.submit(dropping, FromSnapshot(snapshot=snapshot))
        assert play.running(job_id).restored_from == snapshot.location


class TestLastState:
    def test_the_newest_checkpoint_is_what_is_left(self, play: Play, rig: RestRig) -> None:
        desired = rig.job(upgrade=UpgradePolicy(mode=UpgradeMode.LAST_STATE))
        first = play.deploy(desired)
        outcomes = play.run(upgrade(desired, first, mode=UpgradeMode.LAST_STATE))
        checkpoint = snapshot_of(outcomes[Action.CANCEL].snapshot)
        assert checkpoint.kind is SnapshotKind.CHECKPOINT
        folder = Path(checkpoint.location.removeprefix("file:"))
        assert [path.name for path in folder.parent.glob("chk-*")] == [folder.name]
        second = outcomes[Action.SUBMIT].job_id
        assert second
        assert play.running(second).restored_from == checkpoint.location

    def test_a_job_whose_checkpoints_die_with_it_is_not_cancelled(self, play: Play, rig: RestRig) -> None:
        option = "execution.checkpointing.externalized-checkpoint-retention"
        policy = UpgradePolicy(mode=UpgradeMode.LAST_STATE)
        desired = rig.job(config={option: "DELETE_ON_CANCELLATION"}, upgrade=policy)
        job_id = play.deploy(desired)
        operation = upgrade(desired, job_id, mode=UpgradeMode.LAST_STATE)
        for action in (Action.CHECK, Action.CANCEL):
            step, context = only(play, operation, action)
            with pytest.raises(TargetUnsuitable, match="are deleted when it is cancelled"):
                rig.target.run(step, context)
        assert play.job(job_id).state is JobState.RUNNING


class TestCheck:
    def test_a_wrong_main_class_is_found_out_while_the_old_job_runs(self, play: Play, rig: RestRig) -> None:
        job_id = play.deploy(rig.wish())
        with pytest.raises(RejectedByTarget, match=r"no main class 'com\.example\.Wrong' in the jar"):
            play.run(upgrade(rig.job(entry="com.example.Wrong"), job_id))
        assert play.job(job_id).state is JobState.RUNNING

    def test_a_main_that_fails_is_told_without_its_secrets(
        self, play: Play, rig: RestRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THE_SECRET", SECRET)
        secret = SecretRef(source="env", name="THE_SECRET")
        with pytest.raises(RejectedByTarget) as caught:
            play.run(Deploy(desired=rig.job("fail-main", secret), restore=NEW))
        assert caught.value.message == "IllegalStateException: told to fail with fail-main •••"
        assert SECRET not in caught.value.cause

    def test_slots_have_to_suffice_counting_those_of_the_old_job(self, play: Play, rig: RestRig) -> None:
        with pytest.raises(TargetUnsuitable, match="needs 3 slots, and target 't' has 2 for it"):
            play.run(Deploy(desired=rig.wish(parallelism=3), restore=NEW))
        job_id = play.deploy(rig.wish(parallelism=2))
        with pytest.raises(TargetUnsuitable, match="needs 1 slots, and target 't' has 0 for it"):
            play.run(Deploy(desired=rig.wish(), restore=NEW))
        assert play.run(upgrade(rig.wish(variant=1, parallelism=2), job_id))[Action.SUBMIT].job_id

    def test_another_series_of_flink_is_unsuitable(self, play: Play, rig: RestRig, version: str) -> None:
        desired = msgspec.structs.replace(rig.wish(), flink_version="1.19.3")
        with pytest.raises(TargetUnsuitable, match=f"runs Flink {version}"):
            play.run(Deploy(desired=desired, restore=NEW))

    def test_a_checkpointless_patch_of_the_same_series_is_fine(self, play: Play, rig: RestRig, version: str) -> None:
        series = version.rpartition(".")[0]
        assert play.submit(msgspec.structs.replace(rig.wish(), flink_version=f"{series}.99"))

    def test_dropping_the_state_of_some_operators_only_is_not_pretended(self, play: Play, rig: RestRig) -> None:
        policy = UpgradePolicy(allow_non_restored_state=("counting",))
        snapshot = snapshot_of(play.run(Suspend(job_id=play.deploy(rig.wish())))[Action.STOP].snapshot)
        with pytest.raises(TargetUnsuitable, match="the state of counting"):
            play.submit(rig.job(upgrade=policy), FromSnapshot(snapshot=snapshot))


class TestUpload:
    def test_a_jar_that_is_there_is_used_again(self, play: Play, rig: RestRig) -> None:
        upload, context = only(play, Deploy(desired=rig.wish(), restore=NEW), Action.UPLOAD)
        first = rig.target.run(upload, context).artifact_ref
        assert rig.connect().run(upload, context).artifact_ref == first
        assert rig.artifact
        name = next(jar.name for jar in rig.target.rest.jars() if jar.id == first)
        assert rig.artifact.digest.removeprefix("sha256:")[:40] in name

    def test_a_jar_that_vanished_since_is_uploaded_again(self, play: Play, rig: RestRig) -> None:
        operation = Deploy(desired=rig.wish(), restore=NEW)
        upload, context = only(play, operation, Action.UPLOAD)
        context.artifact_ref = rig.target.run(upload, context).artifact_ref
        assert context.artifact_ref
        rig.target.rest.delete_jar(context.artifact_ref)
        submit, _ = only(play, operation, Action.SUBMIT)
        assert rig.target.run(submit, context).job_id == submit.mark


class TestProperties:
    def test_a_job_finds_its_properties_in_the_file_it_is_told(
        self, play: Play, rig: RestRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("THE_SECRET", SECRET)
        secret = SecretRef(source="env", name="THE_SECRET")
        job_id = play.submit(rig.job(properties={"in": {"path": "a, 'b': c", "key": secret}}))
        expected = '[{"PropertyGroupId":"in","PropertyMap":{"path":"a,\'b\':c","key":"' + SECRET + '"}}]'
        vertices = rig.target.rest.job(job_id).vertices
        assert any(f"properties {expected}" in vertex.name for vertex in vertices)
        (path,) = (tmp_path / ".scurry").rglob("application_properties.json")
        assert path.stat().st_mode & 0o777 == 0o600
        assert rig.target.rest.job_config(job_id).user == {"in.path": "a, 'b': c"}

    def test_without_a_shared_directory_they_are_job_parameters_with_a_warning(
        self, play: Play, rig: RestRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scurry.targets.rest.target._LOOPBACK", ())
        job_id = play.submit(rig.job(properties={"g": {"k": "v"}}))
        assert rig.target.rest.job_config(job_id).user == {"g.k": "v"}
        assert not list(tmp_path.rglob("application_properties.json"))
        assert any("shared_directory" in note for note in rig.reporter.notes)


def test_an_id_that_is_refused_and_not_shown_is_no_success(play: Play, rig: RestRig) -> None:
    submit, context = only(play, Deploy(desired=rig.wish(), restore=NEW), Action.SUBMIT)
    rig.target.run(submit, context)

    def shown(job_id: str) -> str:
        raise JobNotFound(f"no {job_id}")

    rig.target.rest.job_status = shown  # type: ignore[method-assign]
    with pytest.raises(AlreadySubmitted):
        rig.target.run(submit, context)
