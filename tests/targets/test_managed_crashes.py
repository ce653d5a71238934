"""scurry is killed between any two calls to the service: nothing is lost, nothing runs twice. On a real Flink."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.flink.runtimes import Runtimes
from scurry.model.desired import Desired
from scurry.model.errors import AlreadySubmitted, RejectedByTarget
from scurry.model.operation import Action, Deploy, Operation, Outcome, Resume, Step, Suspend, TakeSnapshot
from scurry.model.snapshot import FromSnapshot, Stateless
from scurry.targets.managed import ManagedTarget
from scurry.testing.rig import CountedMarks, Runner
from tests.emulator.clients import is_laid_over
from tests.targets.managed_rig import ManagedRig, boto, emulating

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

NEW = Stateless(why="it is new")
_PREFIXES = itertools.count(1)


class Killed(BaseException):
    """Ends the process, as far as the target is concerned."""


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of the module."""
    with emulating(tmp_path_factory.mktemp("msf"), runtimes) as served:
        yield served


@pytest.fixture(scope="module")
def rig(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> ManagedRig:
    return ManagedRig(url=emulator.url, folder=tmp_path_factory.mktemp("project"), runtimes=runtimes)


@pytest.fixture
def runner(rig: ManagedRig) -> Iterator[Runner]:
    runner = Runner(rig, CountedMarks(prefix=os.getpid() << 24 | next(_PREFIXES)))
    yield runner
    rig.end()


@pytest.fixture
def service(emulator: Emulator) -> Any:
    """The service, as somebody else's tools have it."""
    return boto(emulator.url)("kinesisanalyticsv2")


def live(runner: Runner) -> list[str]:
    return [job.id for job in runner.observe().jobs if not job.state.is_terminal]


def killed(target: ManagedTarget, call: str) -> ManagedTarget:
    """Return the target, which is killed when a call was made, before its answer came."""
    make = target.aws.call

    def dying(service: str, operation: str, **request: Any) -> dict[str, Any]:
        answer = make(service, operation, **request)
        if operation == call:
            raise Killed
        return answer

    target.aws.call = dying  # type: ignore[method-assign]
    return target


def again(rig: ManagedRig, runner: Runner, operation: Operation, action: Action, killing: str) -> Outcome:
    """Run an operation up to a step in which it is killed; then, as another process, find out and go on."""
    steps = rig.connect().steps(operation, runner.marks)
    context = runner.context(operation)
    for step in itertools.takewhile(lambda step: step.action is not action, steps):
        outcome = rig.target.run(step, context)
        context.artifact_ref = outcome.artifact_ref or context.artifact_ref
    (step,) = (step for step in steps if step.action is action)
    if action is Action.SUBMIT:
        runner.job_ids.insert(0, step.mark)
    with pytest.raises(Killed):
        killed(rig.connect(), killing).run(step, context)
    return found_or_run(rig.connect(), step, context)


def found_or_run(target: ManagedTarget, step: Step, context: Any) -> Outcome:
    return target.find(step) or target.run(step, context)


def starts(service: Any, name: str) -> int:
    listed = service.list_application_operations(ApplicationName=name, Operation="StartApplication")
    return len(listed["ApplicationOperationInfoList"])


def deployed(rig: ManagedRig, runner: Runner, desired: Desired | None = None) -> str:
    job_id = runner.run(Deploy(desired=desired or rig.wish(), restore=NEW))[Action.SUBMIT].job_id
    assert job_id
    return job_id


def test_whatever_call_it_is_killed_after_nothing_is_lost_and_nothing_runs_twice(
    rig: ManagedRig, runner: Runner, service: Any
) -> None:
    first = again(rig, runner, Deploy(desired=rig.wish(), restore=NEW), Action.SUBMIT, "create_application")
    assert live(runner) == [first.job_id]
    assert starts(service, rig.name) == 1
    job_id = str(first.job_id)
    runner.await_running(job_id)

    kept = again(rig, runner, TakeSnapshot(job_id=job_id), Action.SNAPSHOT, "create_application_snapshot")
    assert kept.snapshot
    assert kept.snapshot.location.startswith(f"msf://{rig.name}/scurry-")
    assert live(runner) == [job_id]

    stopped = again(rig, runner, Suspend(job_id=job_id), Action.STOP, "stop_application")
    assert stopped.snapshot
    assert stopped.snapshot.job_id == job_id
    taken = service.list_application_snapshots(ApplicationName=rig.name)["SnapshotSummaries"]
    assert len(taken) == 2
    assert stopped.snapshot.location == f"msf://{rig.name}/{taken[0]['SnapshotName']}"

    resume = Resume(desired=rig.wish(variant=1), restore=FromSnapshot(snapshot=stopped.snapshot))
    second = again(rig, runner, resume, Action.SUBMIT, "update_application")
    assert live(runner) == [second.job_id]
    assert starts(service, rig.name) == 2
    assert runner.await_running(str(second.job_id)).restored_from == stopped.snapshot.location

    again(rig, runner, Suspend(job_id=str(second.job_id), snapshot=False), Action.CANCEL, "stop_application")
    assert live(runner) == []

    third = again(rig, runner, resume, Action.SUBMIT, "start_application")
    assert live(runner) == [third.job_id]
    assert starts(service, rig.name) == 3
    (job,) = rig.connect().survey().values()
    assert (job.id, job.name, job.state.value) == (third.job_id, rig.application, "running")


def test_what_fails_on_the_service_can_be_tried_again_under_its_mark(rig: ManagedRig, runner: Runner) -> None:
    """`main` works here and fails there, so no check finds it: the reason is told, and nothing runs."""
    with pytest.raises(RejectedByTarget, match="told to fail on the service"):
        deployed(rig, runner, rig.job(main="fails-there"))
    failed = runner.job_ids[0]
    assert live(runner) == []
    operation = Deploy(desired=rig.wish(), restore=NEW)
    submit = rig.target.steps(operation, CountedMarks(prefix=1))[-1]
    step = Step(action=Action.SUBMIT, mark=failed, title="again", inputs=submit.inputs)
    assert rig.connect().find(step) is None
    outcome = runner.step(step, runner.context(operation))
    assert outcome.job_id == failed
    with pytest.raises(AlreadySubmitted):
        rig.connect().run(step, runner.context(operation))
    assert live(runner) == [failed]


def test_somebody_elses_change_in_between_is_seen_and_written_over(
    rig: ManagedRig, runner: Runner, service: Any
) -> None:
    runner.run(Suspend(job_id=deployed(rig, runner), snapshot=False))
    operation = Deploy(desired=rig.wish(), restore=NEW)
    submit = rig.target.steps(operation, runner.marks)[-1]
    target = rig.connect()
    make, changes = target.aws.call, itertools.count()

    def meddling(service_name: str, what: str, **request: Any) -> dict[str, Any]:
        if what == "update_application" and next(changes) == 0:
            version = service.describe_application(ApplicationName=rig.name)["ApplicationDetail"][
                "ApplicationVersionId"
            ]
            update = {"ApplicationSnapshotConfigurationUpdate": {"SnapshotsEnabledUpdate": False}}
            service.update_application(
                ApplicationName=rig.name, CurrentApplicationVersionId=version, ApplicationConfigurationUpdate=update
            )
        return make(service_name, what, **request)

    target.aws.call = meddling  # type: ignore[assignment,method-assign]
    runner.job_ids.insert(0, submit.mark)
    assert target.run(submit, runner.context(operation)).job_id == submit.mark
    assert next(changes) == 2
    configured = service.describe_application(ApplicationName=rig.name)["ApplicationDetail"]
    flag = configured["ApplicationConfigurationDescription"]["ApplicationSnapshotConfigurationDescription"]
    assert flag == {"SnapshotsEnabled": True}
    assert live(runner) == [submit.mark]
