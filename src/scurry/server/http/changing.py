"""Answers that change an application: the plan with `dry_run`, else the progress of the change and its result."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, assert_never

from scurry.engine.adoption import Wanted
from scurry.model.errors import ArtifactError, PlanOutdated
from scurry.server import wire
from scurry.server.http.errors import BadRequest, Busy
from scurry.server.http.streaming import Stream, encoded
from scurry.server.preview import Preview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.model.plan import Plan
    from scurry.model.result import Applied
    from scurry.server.http.call import Call
    from scurry.workspace import Confirm, Workspace

MOST_AT_ONCE = 12
"""changes whose progress is told at one time: fewer than the threads that answer, so that others are still answered"""

VERBS: dict[str, type[wire.Ask]] = {
    "apply": wire.Apply,
    "adopt": wire.Adopt,
    "rollback": wire.Rollback,
    "stop": wire.Stop,
    "start": wire.Start,
    "restart": wire.Restart,
    "scale": wire.Scale,
    "snapshot": wire.TakeSnapshot,
    "drop-snapshot": wire.DropSnapshot,
    "delete": wire.Delete,
}
"""the last part of the path → what the body says"""


def answering(verb: str) -> Callable[[Call], object]:
    """Return what answers to a verb."""

    def answer(call: Call) -> wire.PlanAnswer | Iterator[bytes]:
        asked = call.body(VERBS[verb])
        _check(call, asked)
        if call.flag("dry_run"):
            return _plan(call, asked)
        return _change(call, asked)

    return answer


def _check(call: Call, asked: wire.Ask) -> None:
    if not isinstance(asked, wire.Apply | wire.Adopt):
        return
    desired = asked.desired
    if desired.application != call.application:
        raise BadRequest(f"the wish is for {desired.application!r}, the path names {call.application!r}")
    if not call.server.workspace.assembly.store.has(desired.artifact):
        raise ArtifactError(
            f"the artifact {desired.artifact.digest} is not on the server",
            hint=f"Upload it: PUT {wire.API}/artifacts/{desired.artifact.digest}",
        )


def _plan(call: Call, asked: wire.Ask) -> wire.PlanAnswer:
    shared = call.server.workspace
    preview = Preview(shared.project, clock=shared.clock)
    preview.assembly.journal = preview.assembly.journal_to_read = shared.assembly.journal
    plan = preview.plan_of(lambda workspace: _verb(workspace, call.application, asked, lambda plan: True))
    return wire.PlanAnswer(plan_id=wire.plan_id(plan), plan=plan)


def _change(call: Call, asked: wire.Ask) -> Iterator[bytes]:
    def change(workspace: Workspace) -> wire.Line:
        applied = _verb(workspace, call.application, asked, _agreed_to(asked))
        call.server.tell_of(applied)
        return wire.Result(applied=applied)

    return begin(call, change, name=f"change of {call.application}")


def begin(call: Call, change: Callable[[Workspace], wire.Line], *, name: str) -> Iterator[bytes]:
    """Begin a change, and tell its progress; what it returns is the last line.

    What fails before it told of anything is raised, and has its own HTTP status.
    """
    stream = Stream()
    workspace = call.server.workspace.beside(reporter=stream)
    workspace.assembly.journal = workspace.assembly.journal.known_as(call.who)
    if not call.server.take_on(MOST_AT_ONCE):
        raise Busy.of(call.server, "too much is being changed through the server")
    ended = call.server.change_ended

    def run() -> wire.Line:
        try:
            return change(workspace)
        finally:
            ended()

    stream.run(run, name=name)
    lines = stream.lines()
    first = next(lines)
    if stream.error is not None and isinstance(first, wire.Failed):
        raise stream.error
    return encoded(chain([first], lines))


def _agreed_to(asked: wire.Ask) -> Confirm:
    def confirm(plan: Plan) -> bool:
        if asked.agreed is not None and asked.agreed != wire.plan_id(plan):
            raise PlanOutdated(
                f"what is to be done with {plan.application!r} is not what was agreed to: things have moved since",
                hint="Plan again.",
            )
        return True

    return confirm


def _verb(workspace: Workspace, name: str, asked: wire.Ask, confirm: Confirm) -> Applied:  # noqa: C901, PLR0911
    wait = timedelta(seconds=asked.wait_s) if asked.wait_s is not None else None
    verb: wire.Verb = asked  # type: ignore[assignment]
    match verb:
        case wire.Apply(desired=desired):
            return workspace.converge(desired, confirm=confirm, wait=wait)
        case wire.Adopt(desired=desired, job=job, named=named, state=state):
            wanted = Wanted(job=job, name=named, state=state)
            return workspace.take_over(desired, wanted, confirm=confirm, wait=wait)
        case wire.Rollback(to=to, source=source):
            return workspace.rollback(name, to=to, source=source, confirm=confirm, wait=wait)
        case wire.Stop(snapshot=snapshot, drain=drain):
            return workspace.stop(name, snapshot=snapshot, drain=drain, confirm=confirm, wait=wait)
        case wire.Start(source=source):
            return workspace.start(name, source=source, confirm=confirm, wait=wait)
        case wire.Restart(source=source):
            return workspace.restart(name, source=source, confirm=confirm, wait=wait)
        case wire.Scale(parallelism=parallelism):
            return workspace.scale(name, parallelism, confirm=confirm, wait=wait)
        case wire.TakeSnapshot():
            return workspace.take_snapshot(name, confirm=confirm, wait=wait)
        case wire.DropSnapshot(location=location):
            return workspace.drop_snapshot(name, location, confirm=confirm, wait=wait)
        case wire.Delete(snapshot=snapshot):
            return workspace.delete(name, snapshot=snapshot, confirm=confirm, wait=wait)
        case _:
            assert_never(verb)
