"""One comparison of a snapshot with a program: reads and asks what it needs, at the same time where it can.

Part of floor 3. What stands against it is the engine's to say; here it is only found out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.compatibility_late import may_be_late
from scurry.engine.compatibility_opening import for_new_ids, same_program, unopened, with_states
from scurry.engine.compatibility_recalled import REMARK, REMEDY, recalled
from scurry.model.compatibility import Compatibility, Remark, Weight
from scurry.model.desired import ArtifactKind, SqlPlans, StateCheck
from scurry.model.errors import ScurryError, SnapshotNotFound
from scurry.model.operation import Adopt
from scurry.model.state import OpenedProgram
from scurry.model.values import MASKED, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from scurry.engine.compatibility import Circumstances, Language
    from scurry.model.desired import Desired
    from scurry.model.journal import History
    from scurry.model.observed import Observed
    from scurry.model.ports import AsksPrograms, Clock, ReadsSnapshots
    from scurry.model.snapshot import Exported, Snapshot, SnapshotFormat
    from scurry.model.state import JobGraph, SnapshotRead, StateHeads, StateResolution

_PAUSES_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""before the looks for the newest checkpoint of a job that runs: it is deleted when the next one is there"""
_RELEVANT = ("state.backend", "state.changelog", "pipeline.", "table.")
"""what of a cluster's own options decides which operators a program has, and what their states are written with"""


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
    format: SnapshotFormat | None = None
    """of the savepoint that the job's stop will write, where that is told"""
    exported: Callable[[Snapshot], Exported | None] | None = None
    """of a target that keeps its snapshots to itself: returns where a copy of one is. What is in one that has none is
    asked of the program that wrote it"""
    asked: bool = False
    """a person asked for nothing else: what cannot be looked at is an error"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the new job will start from, and what can be read of it now."""

    snapshot: Snapshot
    """the one to read: of a job that runs, its newest checkpoint"""
    format: SnapshotFormat | None
    """of the one that it will start from"""
    live: bool
    earlier: bool = False
    """it is not the job's newest state, but the newest snapshot there is"""
    exported: Exported | None = None
    """the copy of it that is read"""
    unread: str = ""
    """why there is no copy to read, where that is known"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What an inquiry looks with."""

    snapshots: ReadsSnapshots
    programs: AsksPrograms
    clock: Clock


class Inquiry:
    """One comparison."""

    def __init__(self, eyes: Eyes, desired: Desired, occasion: Occasion, start: Start) -> None:
        self._eyes = eyes
        self._desired = desired
        self._occasion = occasion
        self._start = start
        self._before = occasion.wrote(None if start.live else start.snapshot)
        self._same = self._before is not None and same_program(self._before, desired)
        versions = {wish.flink_version for wish in (self._before, desired) if wish is not None}
        self._options = {version: self._asked_options(version) for version in versions}

    def compared(self) -> Compatibility:
        """Return the verdict. Raises a `ScurryError` when one of the two sides could not be had."""
        from scurry.engine.compatibility import judge

        defaults = self._defaults(self._desired)
        with ThreadPoolExecutor(4) as pool:
            reading = pool.submit(self._read)
            asking = pool.submit(self._eyes.programs.graph, self._desired, defaults)
            opening = pool.submit(self._open_with, reading, defaults) if self._is_opened else None
            recalling = pool.submit(self._graph_before) if self._needs_before() else None
            read, graph = self._results(reading, asking)
            opened = opening.result() if opening else None
            before = recalling.result() if recalling else None
        graph, resolutions = self._with_states(graph, opened, read, defaults)
        before = self._with_states_before(before, read, graph) if before and self._is_opened else before
        found = judge(
            read.state,
            graph,
            allowed=self._desired.upgrade.allow_non_restored_state,
            resolutions=resolutions,
            given=self._circumstances(before),
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
        if self._occasion.exported is not None:
            return self._read_copy() or self._recalled(location)
        wish = self._before or self._desired
        options = {**self._options[wish.flink_version], **wish.config}
        pauses = iter(_PAUSES_S if self._start.live else ())
        while True:
            try:
                return self._eyes.snapshots.read(location, options)
            except SnapshotNotFound as error:
                pause = next(pauses, None)
                if pause is None:
                    raise _not_visible(location, error) from error
            self._eyes.clock.sleep(pause)
            live = self._occasion.look().live  # what it finds is read at once: it may be gone after any pause
            if live is not None and live.latest_checkpoint is not None:
                location = live.latest_checkpoint.location

    def _read_copy(self) -> SnapshotRead | None:
        """Read the copy of a snapshot; None where there is none that can be read, and why is told."""
        if self._start.exported is None:
            return None
        try:
            read = self._eyes.snapshots.read_exported(self._start.exported)
        except ScurryError as error:
            self._start = replace(self._start, exported=None, unread=error.message)
            return None
        state = msgspec.structs.replace(read.state, location=self._start.snapshot.location)
        return msgspec.structs.replace(read, state=state)

    def _recalled(self, location: str) -> SnapshotRead:
        """Ask the program that wrote it for what is in a snapshot that cannot be read."""
        wish, last = self._before, self._occasion.history.last
        if wish is None or (last is not None and isinstance(last.operation, Adopt)):
            why = f": {self._start.unread}" if self._start.unread else ""
            raise SnapshotNotFound(
                f"the snapshot cannot be read, and the program that wrote it is not known here{why}",
                hint=REMEDY.format(application=self._desired.application),
            )
        defaults = self._defaults(wish)
        graph = self._eyes.programs.graph(wish, defaults, as_known=True)
        if self._desired.upgrade.state_check is StateCheck.FULL and wish.artifact.kind is not ArtifactKind.PYTHON:
            backend = _backend({**defaults, **wish.config})
            graph = with_states(graph, self._eyes.programs.opened(wish, defaults, (), backend=backend))
        return recalled(graph, location)

    def _needs_before(self) -> bool:
        """Files of Flink 1.x hold no names; none holds Python's types, a source's connector, the edges of the graph."""
        before = self._before
        if before is None:
            return False
        always = before.flink_version.startswith("1.") or before.artifact.kind is ArtifactKind.PYTHON
        return always or not self._same or self._occasion.picture

    def _graph_before(self) -> JobGraph | None:
        if self._before is None:
            return None
        with suppress(ScurryError):  # its names, or Python's types, are not known then
            return self._eyes.programs.graph(self._before, self._defaults(self._before), as_known=True)
        return None

    def _with_states_before(self, before: JobGraph, read: SnapshotRead, graph: JobGraph) -> JobGraph:
        """Open the old operators, too, where the new ones do not register all that is there: it may come later."""
        wish = self._before
        if wish is None or not may_be_late(read.state, graph):
            return before
        with suppress(ScurryError):  # what they register is not known then
            defaults = self._defaults(wish)
            opened = self._eyes.programs.opened(wish, defaults, (), backend=_backend({**defaults, **wish.config}))
            return with_states(before, opened)
        return before

    # The new side

    @property
    def _is_opened(self) -> bool:
        """Whether its operators are opened: not those of Python, whose states come with the graph."""
        full = self._desired.upgrade.state_check is StateCheck.FULL
        return full and not self._same and self._desired.artifact.kind is not ArtifactKind.PYTHON

    def _open_with(self, reading: Future[SnapshotRead], defaults: Mapping[str, str]) -> OpenedProgram:
        """Open the operators while the graph is built. Almost always they have the ids that they had."""
        try:
            heads = reading.result().heads
        except ScurryError:
            return OpenedProgram()  # the reader tells
        return self._open(heads, defaults, _backend({**defaults, **self._desired.config}))

    def _open(self, heads: Sequence[StateHeads], defaults: Mapping[str, str], backend: str | None) -> OpenedProgram:
        try:
            return self._eyes.programs.opened(self._desired, defaults, heads, backend=backend)
        except ScurryError as error:
            return OpenedProgram(failed=f"the new version's operators could not be opened: {error.message}")

    def _with_states(
        self, graph: JobGraph, opened: OpenedProgram | None, read: SnapshotRead, defaults: Mapping[str, str]
    ) -> tuple[JobGraph, tuple[StateResolution, ...]]:
        """Return the graph with what its operators registered when they were opened, and what Flink says of it."""
        if opened is None:
            graph_only = self._desired.upgrade.state_check is StateCheck.GRAPH
            why = "it is not opened: of Python programs, only the Python functions are"
            if graph_only:
                why = "states are not compared, since upgrade.state_check is graph"
            return unopened(graph, why), ()
        guessed = _backend({**defaults, **self._desired.config})
        heads = for_new_ids(read.heads, graph)
        renamed = any(head not in read.heads for head in heads)
        if renamed or (graph.state_backend is not None and guessed not in {None, graph.state_backend}):
            opened = self._open(heads, defaults, graph.state_backend)
        return with_states(graph, opened), opened.resolutions

    def _defaults(self, desired: Desired) -> Mapping[str, str]:
        """Return what a program's job has where it says nothing itself."""
        options = self._options[desired.flink_version]
        return {key: value for key, value in options.items() if key.startswith(_RELEVANT) and value != MASKED}

    def _asked_options(self, flink_version: str) -> Mapping[str, str]:
        defaults = self._occasion.defaults
        with suppress(ScurryError):  # a cluster that does not answer has what Flink itself has
            return defaults(flink_version) if defaults else {}
        return {}

    # Both

    def _circumstances(self, before: JobGraph | None) -> Circumstances:
        from scurry.engine.compatibility import Circumstances

        wish = self._before
        return Circumstances(
            written_by=self._start.snapshot.flink_version or (wish.flink_version if wish else None),
            before=before,
            same_program=self._same,
            changed_classes=self._eyes.programs.changed_classes(wish, self._desired) if wish else None,
            format=self._start.format,
            state_backend=self._backend_before(before),
            language=self._language(),
            sql_plans=self._desired.upgrade.sql is SqlPlans.PLAN,
        )

    def _language(self) -> Language:
        from scurry.engine.compatibility import Language

        if self._desired.artifact.kind is ArtifactKind.PYTHON:
            return Language.PYTHON
        return Language.SQL if self._eyes.programs.is_sql(self._desired) else Language.JAVA

    def _backend_before(self, before: JobGraph | None) -> str | None:
        if before is not None and before.state_backend is not None:
            return before.state_backend
        if self._before is None:
            return None
        return _backend({**self._defaults(self._before), **self._before.config})

    def _remarks(self) -> tuple[Remark, ...]:
        if self._occasion.exported is not None:
            return self._remarks_on_copy()
        if not self._start.earlier:
            return ()
        message = "the job has completed no checkpoint that could be looked at: this is of an earlier snapshot"
        return (Remark(weight=Weight.WARNING, message=message),)

    def _remarks_on_copy(self) -> tuple[Remark, ...]:
        start, application = self._start, self._desired.application
        if start.exported is None:
            message = f"{REMARK} ({start.unread})" if start.unread else REMARK
            return (Remark(weight=Weight.WARNING, message=message, remedy=REMEDY.format(application=application)),)
        if not start.live:
            return ()
        taken = start.snapshot.taken_at
        age = format_duration(self._eyes.clock.now() - taken)
        message = f"this is the state of {taken:%Y-%m-%d %H:%M:%S} UTC, {age} ago: what came into it since is not seen"
        remedy = f"To look at a newer one, take it:\n  scurry snapshot create {application}"
        return (Remark(weight=Weight.WARNING, message=message, remedy=remedy),)


def _not_asked(error: ScurryError) -> ScurryError:
    return ScurryError(f"the new version could not be asked for its operators: {error.message}", hint=error.hint)


def _not_visible(location: str, error: ScurryError) -> ScurryError:
    return SnapshotNotFound(
        f"the state at {location} cannot be seen from this machine: {error.message}",
        hint="Keep checkpoints and savepoints where this machine sees them, too: on an object store, or in a directory "
        "that is mounted here under the same path.",
    )


def _backend(options: Mapping[str, object]) -> str | None:
    found = options.get("state.backend.type") or options.get("state.backend")
    return found if isinstance(found, str) else None
