"""Whether a job's state and its next version fit: found out when a plan is made, before anything is stopped.

Part of floor 3: it has the snapshot read and the new program asked, by ports, and the engine judge. Nothing that fails
here stops a change by itself: what could not be looked at is unknown, and the reason is told.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.compatibility_opening import for_new_ids, same_program, unopened, with_states
from scurry.model.compatibility import Compatibility, Remark, Weight
from scurry.model.desired import ArtifactKind, StateCheck, UpgradeMode
from scurry.model.errors import ScurryError, SnapshotNotFound
from scurry.model.operation import Deploy, Resume, Upgrade
from scurry.model.snapshot import FromSnapshot, Snapshot, SnapshotFormat, SnapshotKind, Stateless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from scurry.engine.compatibility import Circumstances, Language
    from scurry.model.desired import Desired
    from scurry.model.journal import History
    from scurry.model.observed import Observed
    from scurry.model.plan import Change, Plan
    from scurry.model.ports import AsksPrograms, Clock, ReadsSnapshots, Reporter
    from scurry.model.state import JobGraph, SnapshotRead, StateResolution

_PAUSES_S = (0.0, 0.1, 0.3, 0.6, 1.0)
"""before the tries to read the newest checkpoint of a job that runs: it is deleted when the next one is there"""
_RELEVANT = ("state.backend", "state.changelog", "pipeline.", "table.")
"""what of a cluster's own options decides which operators a program has, and what their states are written with"""
_MASKED = "******"
"""what Flink shows in place of a secret (GlobalConfiguration.HIDDEN_CONTENT)"""
_SQL_RUNNER = "io.scurry.SqlRunner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a plan was made from."""

    observed: Observed
    history: History
    defaults: Callable[[str], Mapping[str, str]] | None
    """returns the options of a Flink version that jobs have where they run; None: that is no Flink"""
    look: Callable[[], Observed]
    """observes anew"""
    wrote: Callable[[Snapshot | None], Desired | None]
    """returns the wish whose job wrote a snapshot; of None, the wish that runs"""
    picture: bool = False
    """the old program's graph is wanted, too, for its edges"""
    asked: bool = False
    """a person asked for nothing else: what cannot be looked at is an error"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What the new job will start from, and what can be read of it now."""

    snapshot: Snapshot
    """the one to read: of a job that runs, its newest checkpoint"""
    format: SnapshotFormat | None
    """of the one that it will start from"""
    live: bool
    earlier: bool = False
    """it is not the job's newest state, but the newest snapshot there is"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Judges the changes of a plan."""

    snapshots: ReadsSnapshots
    programs: AsksPrograms
    reporter: Reporter
    clock: Clock

    def judged(self, plan: Plan, occasion: Occasion) -> Plan:
        """Return a plan with the verdicts on the state that its new jobs start from. Changes nothing."""
        changes = tuple(self._judged(change, occasion) for change in plan.changes)
        return msgspec.structs.replace(plan, changes=changes)

    def _judged(self, change: Change, occasion: Occasion) -> Change:
        from scurry.engine.compatibility import handle

        operation = change.operation
        if not isinstance(operation, Deploy | Upgrade | Resume) or not concerns(change):
            return change
        if occasion.defaults is None:
            return change
        found = self.compared(operation, occasion)
        names = tuple(handle(lost.uid, lost.name, lost.id) for lost in found.dropping)
        drops = names if found.operators else None
        operation = msgspec.structs.replace(operation, drops=drops)
        return msgspec.structs.replace(change, operation=operation, compatibility=found)

    def compared(self, operation: Deploy | Upgrade | Resume, occasion: Occasion) -> Compatibility:
        """Return the verdict on the state that an operation starts from. Raises a `ScurryError` only where asked."""
        start = _start(operation, occasion)
        if start is None:
            return _no_state_yet(operation.desired.application, raising=occasion.asked)
        with self.reporter.activity("see whether the state fits the new version"):
            try:
                return _Inquiry(self, operation.desired, occasion, start).compared()
            except ScurryError as error:
                if occasion.asked:
                    raise
                return Compatibility.unknown(error.message, remedy=error.hint, location=start.snapshot.location)


def _no_state_yet(application: str, *, raising: bool) -> Compatibility:
    message = "the job has not completed a checkpoint yet, so what state it has is not known"
    remedy = f"Wait for one, or take a savepoint:\n  scurry snapshot create {application}"
    if raising:
        raise SnapshotNotFound(message, hint=remedy)
    return Compatibility.unknown(message, remedy=remedy)


def concerns(change: Change) -> bool:
    """Whether a change starts a job from state, and that is to be looked at."""
    operation = change.operation
    if not isinstance(operation, Deploy | Upgrade | Resume) or isinstance(operation.restore, Stateless):
        return False
    return operation.desired.upgrade.state_check is not StateCheck.OFF


def _start(operation: Deploy | Upgrade | Resume, occasion: Occasion) -> _Start | None:
    from scurry.engine.restore import newest

    if isinstance(operation.restore, FromSnapshot):
        named = operation.restore.snapshot
        return _Start(snapshot=named, format=_format(named), live=_is_live(named, occasion))
    by_savepoint = isinstance(operation, Upgrade) and operation.mode is UpgradeMode.SAVEPOINT
    format = SnapshotFormat.CANONICAL if by_savepoint else SnapshotFormat.NATIVE
    live = occasion.observed.live
    if live is not None and live.latest_checkpoint is not None:
        return _Start(snapshot=live.latest_checkpoint, format=format, live=True)
    earlier = newest(occasion.observed, occasion.history)
    return _Start(snapshot=earlier, format=format, live=False, earlier=True) if earlier else None


def _format(snapshot: Snapshot) -> SnapshotFormat | None:
    return SnapshotFormat.NATIVE if snapshot.kind is SnapshotKind.CHECKPOINT else snapshot.format


def _is_live(snapshot: Snapshot, occasion: Occasion) -> bool:
    live = occasion.observed.live
    return live is not None and live.latest_checkpoint is not None and live.latest_checkpoint == snapshot


class _Inquiry:
    """One comparison: reads and asks what it needs, at the same time where it can."""

    def __init__(self, preflight: Preflight, desired: Desired, occasion: Occasion, start: _Start) -> None:
        self._preflight = preflight
        self._desired = desired
        self._occasion = occasion
        self._start = start
        newest = start.live or start.earlier
        self._before = occasion.wrote(None if newest else start.snapshot)
        self._language = _language(desired)

    def compared(self) -> Compatibility:
        """Return the verdict. Raises a `ScurryError` when one of the two sides could not be had."""
        from scurry.engine.compatibility import judge

        defaults = self._defaults(self._desired)
        with ThreadPoolExecutor(3) as pool:
            reading = pool.submit(self._read)
            asking = pool.submit(self._preflight.programs.graph, self._desired, defaults)
            recalling = pool.submit(self._graph_before) if self._needs_before() else None
            read, graph = self._results(reading, asking)
            before = recalling.result() if recalling else None
        given = self._circumstances(before)
        graph, resolutions = self._opened(graph, read, defaults, same=given.same_program)
        found = judge(
            read.state,
            graph,
            allowed=self._desired.upgrade.allow_non_restored_state,
            resolutions=resolutions,
            given=given,
        )
        return msgspec.structs.replace(found, remarks=(*found.remarks, *self._remarks()))

    def _results(self, reading: Future[SnapshotRead], asking: Future[JobGraph]) -> tuple[SnapshotRead, JobGraph]:
        """Wait for both; what is wrong with the new program counts more than what is with the old state."""
        try:
            graph = asking.result()
        except ScurryError as error:
            raise _not_asked(error) from error
        return reading.result(), graph

    # The old side

    def _read(self) -> SnapshotRead:
        """Read the snapshot; of a job that runs the newest checkpoint, which may be deleted while we look."""
        location = self._start.snapshot.location
        options = self._options(self._before or self._desired)
        for pause in _PAUSES_S:
            self._preflight.clock.sleep(pause)
            try:
                return self._preflight.snapshots.read(location, options)
            except SnapshotNotFound as error:
                if not self._start.live:
                    raise _not_visible(location, error) from error
                missing = error
            live = self._occasion.look().live
            if live is not None and live.latest_checkpoint is not None:
                location = live.latest_checkpoint.location
        raise _not_visible(location, missing) from missing

    def _needs_before(self) -> bool:
        """Files of Flink 1.x hold no names, none holds Python's types, and none holds the edges of the graph."""
        if self._before is None:
            return False
        old_file = self._before.flink_version.startswith("1.")
        return old_file or self._occasion.picture or self._before.artifact.kind is ArtifactKind.PYTHON

    def _graph_before(self) -> JobGraph | None:
        if self._before is None:
            return None
        with suppress(ScurryError):  # its names, or Python's types, are not known then
            return self._preflight.programs.graph(self._before, self._defaults(self._before), as_known=True)
        return None

    # The new side

    def _opened(
        self, graph: JobGraph, read: SnapshotRead, defaults: Mapping[str, str], *, same: bool
    ) -> tuple[JobGraph, tuple[StateResolution, ...]]:
        """Return the graph with what its operators registered when they were opened, and what Flink says of it."""
        if same or self._language_is_python:
            return graph, ()
        if self._desired.upgrade.state_check is StateCheck.GRAPH:
            return unopened(graph, "states are not compared, since upgrade.state_check is graph"), ()
        heads = for_new_ids(read.heads, graph)
        try:
            opened = self._preflight.programs.opened(self._desired, defaults, heads, backend=graph.state_backend)
        except ScurryError as error:
            return unopened(graph, f"the new version's operators could not be opened: {error.message}"), ()
        return with_states(graph, opened), opened.resolutions

    @property
    def _language_is_python(self) -> bool:
        """Python's states come with the graph: its functions are not opened in a JVM."""
        return self._desired.artifact.kind is ArtifactKind.PYTHON

    def _defaults(self, desired: Desired) -> Mapping[str, str]:
        """Return what a program's job has where it says nothing itself."""
        options = self._options(desired)
        return {key: value for key, value in options.items() if key.startswith(_RELEVANT) and value != _MASKED}

    def _options(self, desired: Desired) -> Mapping[str, str]:
        defaults = self._occasion.defaults
        with suppress(ScurryError):  # a cluster that does not answer has what Flink itself has
            return defaults(desired.flink_version) if defaults else {}
        return {}

    # Both

    def _circumstances(self, before: JobGraph | None) -> Circumstances:
        from scurry.engine.compatibility import Circumstances

        wish = self._before
        return Circumstances(
            written_by=self._start.snapshot.flink_version or (wish.flink_version if wish else None),
            before=before,
            same_program=wish is not None and same_program(wish, self._desired),
            changed_classes=self._preflight.programs.changed_classes(wish, self._desired) if wish else None,
            format=self._start.format,
            state_backend=self._backend_before(before),
            language=self._language,
        )

    def _backend_before(self, before: JobGraph | None) -> str | None:
        if before is not None and before.state_backend is not None:
            return before.state_backend
        if self._before is None:
            return None
        options = {**self._defaults(self._before), **self._before.config}
        found = options.get("state.backend.type") or options.get("state.backend")
        return found if isinstance(found, str) else None

    def _remarks(self) -> tuple[Remark, ...]:
        if not self._start.earlier:
            return ()
        message = "the job has completed no checkpoint that could be looked at: this is of an earlier snapshot"
        return (Remark(weight=Weight.WARNING, message=message),)


def _language(desired: Desired) -> Language:
    from scurry.engine.compatibility import Language

    if desired.artifact.kind is ArtifactKind.PYTHON:
        return Language.PYTHON
    return Language.SQL if desired.entry == _SQL_RUNNER else Language.JAVA


def _not_asked(error: ScurryError) -> ScurryError:
    return ScurryError(f"the new version could not be asked for its operators: {error.message}", hint=error.hint)


def _not_visible(location: str, error: ScurryError) -> ScurryError:
    return SnapshotNotFound(
        f"the state at {location} cannot be seen from this machine: {error.message}",
        hint="Keep checkpoints and savepoints where this machine sees them, too: on an object store, or in a directory "
        "that is mounted here under the same path.",
    )
