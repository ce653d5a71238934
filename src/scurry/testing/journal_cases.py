"""What the summary must say after each way in which work can stop: the table of a journal's crash cases.

"Crash" in a name means that nothing was written after what is told; the next process reads the journal like that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.operation import Action
from scurry.testing.journal_story import Story, savepoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.journal import History

Happens: TypeAlias = "Callable[[Story], object]"

S1, S2 = savepoint("s1", minutes=1), savepoint("s2", minutes=2)
_FAILED, _INTERRUPTED = OperationOutcome.FAILED, OperationOutcome.INTERRUPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The part of a history that decisions about what runs are made from; revisions by number, snapshots by name."""

    current: int | None = None
    healthy: int | None = None
    previous: int | None = None
    job: str | None = None
    stopped: bool = False
    marks: tuple[str, ...] = ()
    submits: int = 0
    triggers: int = 0
    snapshots: tuple[str, ...] = ()
    interrupted: bool = False
    known: bool = True

    @classmethod
    def of(cls, history: History, *, known: bool) -> Summary:
        """Return what a history says."""
        return cls(
            current=history.current.number if history.current else None,
            healthy=history.healthy.number if history.healthy else None,
            previous=history.previous_healthy.number if history.previous_healthy else None,
            job=history.job_id,
            stopped=history.stopped,
            marks=history.marks,
            submits=history.resolved_submits,
            triggers=history.resolved_triggers,
            snapshots=tuple(snapshot.location.rpartition("/")[2] for snapshot in history.snapshots),
            interrupted=history.interrupted is not None,
            known=known,
        )


@dataclass(frozen=True, slots=True)
class Case:
    """What happened, and what the summary says then."""

    name: str
    happens: Happens
    expected: Summary

    def __str__(self) -> str:
        return self.name


def _and(*events: Happens) -> Happens:
    return lambda story: [event(story) for event in events]


def _start(action: Action, mark: str = "mark") -> Happens:
    return lambda story: story.start(action, mark)


def _land(action: Action, mark: str = "mark") -> Happens:
    snapshot = {Action.STOP: S1, Action.SNAPSHOT: S1}.get(action)
    return lambda story: story.land(action, mark, snapshot=snapshot)


def _refuse(action: Action, mark: str = "mark") -> Happens:
    return lambda story: story.refuse(action, mark)


def _judge(number: int, outcome: RevisionOutcome) -> Happens:
    return lambda story: story.judge(number, outcome)


def _end(outcome: OperationOutcome = OperationOutcome.DONE) -> Happens:
    return lambda story: story.end(outcome)


def _deploying(story: Story) -> object:
    return story.begin_deploy(1)


def _deployed(story: Story) -> object:
    return story.deploy(1, "job-1")


_upgrading = _and(_deployed, lambda story: story.begin_upgrade(2))
_stopped = _and(_upgrading, _land(Action.STOP))
_submitted = _and(_stopped, _land(Action.SUBMIT, "job-2"))
_upgraded = _and(_deployed, lambda story: story.upgrade(2, "job-2", snapshot=S1))
_unhealthy = _and(_submitted, _judge(2, RevisionOutcome.BAD), _end(_FAILED))
_rolling_back = _and(_unhealthy, lambda story: story.begin_upgrade(1), _land(Action.CANCEL))
_rolled_back = _and(_rolling_back, _land(Action.SUBMIT, "job-3"), _judge(3, RevisionOutcome.HEALTHY), _end())
_suspending = _and(_deployed, Story.begin_suspend)
_suspended = _and(_suspending, _land(Action.STOP), _end())
_adjusting = _and(_deployed, lambda story: story.begin_adjust(2))
_adopting = _and(lambda story: story.begin_adopt(1, "foreign", S1))
_adopted = _and(_adopting, _end())
_rescaling = _and(_deployed, lambda story: story.begin_rescale(2))
_snapshotting = _and(_deployed, Story.begin_snapshot)
_snapshotted = _and(_snapshotting, _land(Action.SNAPSHOT), _end())
_dropping = _and(_snapshotted, lambda story: story.begin_drop(S1))
_deleting = _and(_deployed, Story.begin_delete)
_deleted = _and(_deleting, _land(Action.STOP), _end(), Story.want_absent)


_TWO = ("job-2", "job-1")
_ON_1 = Summary(current=1, healthy=1, job="job-1", marks=("job-1",), submits=1)
_IN_1 = replace(_ON_1, interrupted=True)
_OFF_1 = replace(_ON_1, stopped=True, triggers=1, snapshots=("s1",))
_ON_2 = replace(_OFF_1, current=2, previous=1, job="job-2", stopped=False, marks=_TWO, submits=2)
_BACK = replace(_ON_2, current=3, healthy=3, previous=None, job="job-3", marks=("job-3", *_TWO), submits=3)
_GONE = replace(_OFF_1, current=None, healthy=None, job=None, stopped=False, known=False)

CASES = (
    Case("nothing was ever written", lambda _: None, Summary(known=False)),
    Case("a wish was numbered, crash", lambda story: story.revise(1), Summary()),
    Case("deploy: began, crash", _deploying, Summary(interrupted=True)),
    Case(
        "deploy: submit started, crash",
        _and(_deploying, _start(Action.SUBMIT, "job-1")),
        Summary(marks=("job-1",), interrupted=True),
    ),
    Case(
        "deploy: submit refused, crash",
        _and(_deploying, _refuse(Action.SUBMIT, "job-1")),
        Summary(marks=("job-1",), submits=1, interrupted=True),
    ),
    Case(
        "deploy: submit refused, failed",
        _and(_deploying, _refuse(Action.SUBMIT, "job-1"), _judge(1, RevisionOutcome.REFUSED), _end(_FAILED)),
        Summary(marks=("job-1",), submits=1),
    ),
    Case(
        "deploy: submit landed, crash before it was judged",
        _and(_deploying, _land(Action.SUBMIT, "job-1")),
        replace(_IN_1, healthy=None),
    ),
    Case(
        "deploy: unhealthy",
        _and(_deploying, _land(Action.SUBMIT, "job-1"), _judge(1, RevisionOutcome.BAD), _end(_FAILED)),
        replace(_ON_1, healthy=None),
    ),
    Case("deploy: healthy", _deployed, _ON_1),
    Case("upgrade: upload landed, crash", _and(_upgrading, _land(Action.UPLOAD)), _IN_1),
    Case(
        "upgrade: check refused",
        _and(_upgrading, _refuse(Action.CHECK), _judge(2, RevisionOutcome.REFUSED), _end(_FAILED)),
        _ON_1,
    ),
    Case("upgrade: stop started, crash", _and(_upgrading, _start(Action.STOP)), _IN_1),
    Case("upgrade: stop refused", _and(_upgrading, _refuse(Action.STOP), _end(_FAILED)), replace(_ON_1, triggers=1)),
    Case("upgrade: stop landed, crash", _stopped, replace(_OFF_1, interrupted=True)),
    Case("upgrade: cancelled instead, crash", _and(_upgrading, _land(Action.CANCEL)), replace(_IN_1, stopped=True)),
    Case(
        "upgrade: stop landed, submit started, crash",
        _and(_stopped, _start(Action.SUBMIT, "job-2")),
        replace(_OFF_1, marks=_TWO, interrupted=True),
    ),
    Case(
        "upgrade: stop landed, submit started, its fate left open",
        _and(_stopped, _start(Action.SUBMIT, "job-2"), _end(_INTERRUPTED)),
        replace(_OFF_1, marks=_TWO),
    ),
    Case(
        "upgrade: its submit's fate left open, the same mark landed later",
        _and(
            *(_stopped, _start(Action.SUBMIT, "job-2"), _end(_INTERRUPTED)),
            *(lambda story: story.begin_resume(2, 2), _land(Action.SUBMIT, "job-2")),
        ),
        replace(_ON_2, interrupted=True),
    ),
    Case(
        "upgrade: stop landed, submit refused",
        _and(_stopped, _refuse(Action.SUBMIT, "job-2"), _judge(2, RevisionOutcome.BAD), _end(_FAILED)),
        replace(_OFF_1, marks=_TWO, submits=2),
    ),
    Case("upgrade: submit landed, crash before it was judged", _submitted, replace(_ON_2, interrupted=True)),
    Case("upgrade: unhealthy", _unhealthy, _ON_2),
    Case("upgrade: healthy", _upgraded, replace(_ON_2, healthy=2)),
    Case("rollback: cancel landed, crash", _rolling_back, replace(_ON_2, stopped=True, interrupted=True)),
    Case("rollback: healthy", _rolled_back, _BACK),
    Case(
        "rollback of a healthy revision: the way back is to the one that was left",
        _and(_upgraded, lambda story: story.upgrade(1, "job-3", snapshot=S2)),
        replace(_BACK, previous=2, triggers=2, snapshots=("s2", "s1")),
    ),
    Case(
        "the same wish was healthy twice: the way back is to what differs",
        _and(_upgraded, lambda story: story.upgrade(2, "job-3", snapshot=S2)),
        replace(_BACK, previous=1, triggers=2, snapshots=("s2", "s1")),
    ),
    Case("a healthy revision turns out bad", _and(_upgraded, _judge(2, RevisionOutcome.BAD)), _ON_2),
    Case("suspend: stop landed, crash", _and(_suspending, _land(Action.STOP)), replace(_OFF_1, interrupted=True)),
    Case("suspend: done", _suspended, _OFF_1),
    Case(
        "resume: submit started, crash",
        _and(_suspended, lambda story: story.begin_resume(1, 1), _start(Action.SUBMIT, "job-2")),
        replace(_OFF_1, marks=_TWO, interrupted=True),
    ),
    Case(
        "resume without a revision of its own: done",
        _and(_suspended, lambda story: story.begin_resume(1, None), _land(Action.SUBMIT, "job-2"), _end()),
        replace(_ON_2, current=1, previous=None),
    ),
    Case("adjust: began, crash", _adjusting, _IN_1),
    Case("adjust: failed", _and(_adjusting, _end(_FAILED)), _ON_1),
    Case("adjust: done", _and(_adjusting, _end()), replace(_ON_1, current=2, previous=1)),
    Case("adopt: began, crash", _adopting, Summary(interrupted=True)),
    Case("adopt: done", _adopted, Summary(current=1, job="foreign", marks=("foreign",), snapshots=("s1",))),
    Case(
        "adopt: done, and upgraded",
        _and(_adopted, lambda story: story.upgrade(2, "job-1", snapshot=S2)),
        replace(_ON_1, current=2, healthy=2, triggers=1, snapshots=("s2", "s1")),
    ),
    Case(
        "adopt: only its state",
        _and(lambda story: story.begin_adopt(1, None, S1), _end()),
        Summary(current=1, stopped=True, snapshots=("s1",)),
    ),
    Case(
        "adopt: what was dropped before stays dropped",
        _and(_dropping, _land(Action.DISPOSE), _end(), lambda story: story.begin_adopt(1, "foreign", S1), _end()),
        replace(_ON_1, current=2, job="foreign", marks=("job-1", "foreign"), triggers=1),
    ),
    Case("rescale: started, crash", _and(_rescaling, _start(Action.RESCALE)), _IN_1),
    Case("rescale: refused", _and(_rescaling, _refuse(Action.RESCALE), _end(_FAILED)), _ON_1),
    Case("rescale: landed, crash", _and(_rescaling, _land(Action.RESCALE)), replace(_IN_1, current=2, previous=1)),
    Case("rescale: done", _and(_rescaling, _end()), replace(_ON_1, current=2, previous=1)),
    Case("snapshot: started, crash", _and(_snapshotting, _start(Action.SNAPSHOT)), _IN_1),
    Case("snapshot: done", _snapshotted, replace(_ON_1, triggers=1, snapshots=("s1",))),
    Case(
        "drop: dispose started, crash",
        _and(_dropping, _start(Action.DISPOSE)),
        replace(_IN_1, triggers=1, snapshots=("s1",)),
    ),
    Case("drop: dispose landed, crash", _and(_dropping, _land(Action.DISPOSE)), replace(_IN_1, triggers=1)),
    Case("delete: stop landed, crash", _and(_deleting, _land(Action.STOP)), replace(_OFF_1, interrupted=True)),
    Case("delete: done, nothing is left but marks and snapshots", _deleted, _GONE),
    Case(
        "deployed again after a delete: what was healthy before it does not count",
        _and(_deleted, lambda story: story.begin_deploy(2), _land(Action.SUBMIT, "job-2")),
        replace(_ON_2, healthy=None, previous=None, interrupted=True),
    ),
)
