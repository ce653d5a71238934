"""The verdict: whether a new version can take over the state of a snapshot, told before anything is stopped. Pure.

It follows what Flink does at a restore: `Checkpoints.loadAndValidateCheckpoint` (who is missing, max parallelism),
`StateAssignmentOperation` (parallelism), `VertexFinishedStateChecker` (what had finished), and what the state backends
say when the new operators register their states. What could not be looked at is unknown, never fine.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from scurry.engine.compatibility_finished import Chains
from scurry.engine.compatibility_losses import counted_twice, effect, is_source
from scurry.engine.compatibility_matching import Matching, match, same_but_for_random
from scurry.engine.compatibility_random import named_at_random
from scurry.engine.compatibility_states import SOURCE_STATE, Look, indexed, judge_states, new_state
from scurry.engine.compatibility_types import Step
from scurry.engine.compatibility_versions import backend_name, backend_remarks, series, version_remarks, writer
from scurry.model.compatibility import (
    Compatibility,
    OperatorFate,
    OperatorVerdict,
    StateFate,
    StateVerdict,
)
from scurry.model.snapshot import SnapshotFormat
from scurry.model.state import GraphOperator, JobGraph, OperatorState, SnapshotState, StateResolution

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


class Language(StrEnum):
    """What the program is written in: remedies are told in its words."""

    JAVA = "java"
    PYTHON = "python"
    SQL = "sql"


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict depends on besides the two sides."""

    written_by: str | None = None
    """the exact Flink that wrote the snapshot; None: as old as its file allows"""
    before: JobGraph | None = None
    """what the program that wrote it asks for: names and uids that files of Flink 1.x do not hold, Python's types"""
    same_program: bool = False
    """code, arguments and Flink are what they were; something else changes"""
    changed_classes: frozenset[str] | None = None
    """classes of the user's that are not what they were; None: not known"""
    format: SnapshotFormat | None = None
    """of the snapshot that will be started from, where that is another one; None: as the one that was read"""
    state_backend: str | None = None
    """of the job that wrote it; None: not known"""
    language: Language = Language.JAVA
    sql_plans: bool = True
    """of a script: parts that compute the same were matched, so that they keep their ids"""


def judge(
    snapshot: SnapshotState,
    graph: JobGraph,
    *,
    allowed: bool | tuple[str, ...] = False,
    resolutions: Iterable[StateResolution] = (),
    given: Circumstances | None = None,
) -> Compatibility:
    """Return what becomes of each operator and state of a snapshot in a new version.

    `allowed`: operators whose state may be dropped, by uid (by name or id where there is none), or all of them.
    `resolutions`: what Flink itself says of states; it wins over the comparison of types.
    """
    given = given or Circumstances()
    named = _named(snapshot, given.before)
    guess = given.language is not Language.SQL  # an SQL operator of another uid computes something else
    bench = _Bench(named, graph, given=given, allowed=allowed, resolutions=resolutions)
    matching = match(named, graph, guess=guess)
    verdicts = _in_order(bench.verdicts(matching), graph)
    return Compatibility(
        location=snapshot.location,
        operators=tuple(verdicts),
        remarks=(
            *counted_twice(verdicts, bench.lost_sources(verdicts), graph),
            *version_remarks(snapshot, graph, written_by=given.written_by, sql=given.language is Language.SQL),
            *backend_remarks(
                snapshot,
                graph,
                format=given.format or snapshot.format,
                before=given.state_backend or (given.before.state_backend if given.before else None),
                changelog=given.before.changelog if given.before else graph.changelog,
            ),
        ),
    )


def _in_order(verdicts: Iterable[OperatorVerdict], graph: JobGraph) -> list[OperatorVerdict]:
    """Return verdicts as the new version flows; what is not in it any more comes last, as the snapshot has it."""
    places = {operator.id: place for place, operator in enumerate(graph.operators)}
    return sorted(verdicts, key=lambda verdict: places.get(verdict.new_id or "", len(places)))


def _named(snapshot: SnapshotState, before: JobGraph | None) -> SnapshotState:
    """Return the snapshot with the names and uids that its file does not tell, from the program that wrote it."""
    known = _by_ids(before)
    operators = tuple(
        msgspec.structs.replace(old, name=old.name or known[old.id].name, uid=old.uid or known[old.id].uid)
        if old.id in known
        else old
        for old in snapshot.operators
    )
    return msgspec.structs.replace(snapshot, operators=operators)


def _by_ids(before: JobGraph | None) -> dict[str, GraphOperator]:
    operators = before.operators if before else ()
    found = {operator.id: operator for operator in operators}
    return found | {operator.alternative_id: operator for operator in operators if operator.alternative_id}


class _Bench:
    """One judgement: both sides and all that is known, at hand."""

    def __init__(
        self,
        snapshot: SnapshotState,
        graph: JobGraph,
        *,
        given: Circumstances,
        allowed: bool | tuple[str, ...],
        resolutions: Iterable[StateResolution],
    ) -> None:
        self._snapshot = snapshot
        self._given = given
        self._allowed = allowed
        self._new = {operator.id: operator for operator in graph.operators}
        self._recorded = _by_ids(given.before)
        self._look = Look(
            step=Step(
                before=writer(snapshot, given.written_by),
                after=series(graph.flink_version),
                changed_classes=frozenset() if given.same_program else given.changed_classes,
            ),
            resolutions=indexed(resolutions),
            backend=backend_name(graph.state_backend),
            same_program=given.same_program,
        )

    def verdicts(self, matching: Matching) -> Iterator[OperatorVerdict]:
        """Yield a verdict for each operator of the snapshot, then one for each new one."""
        chains = Chains.of(self._new.values(), matching)
        moved_to = {operator.id for operator in matching.moved.values()}
        for old in self._snapshot.operators:
            if (kept := matching.kept.get(old.id)) is not None:
                yield self._kept(old, kept, chains)
            elif (moved := matching.moved.get(old.id)) is not None:
                yield self._moved(old, moved)
            else:
                yield self._missing(old)
        for new in matching.fresh:
            if new.id not in moved_to:
                yield self._fresh(new)

    def lost_sources(self, verdicts: Iterable[OperatorVerdict]) -> dict[str, str]:
        """Return the names of the sources whose positions are dropped, by their ids in the snapshot."""
        lost = {verdict.id: verdict.name for verdict in verdicts if verdict.loses_state}
        return {
            old.id: lost[old.id]
            for old in self._snapshot.operators
            if old.id in lost and is_source(old, self._recorded.get(old.id))
        }

    # Kept

    def _kept(self, old: OperatorState, new: GraphOperator, chains: Chains) -> OperatorVerdict:
        states = judge_states(old, new, self._recorded.get(old.id), self._look) if not old.finished else ()
        states = tuple(self._source(state, old, new) for state in states)
        states = named_at_random(states, new, allowed=self._is_allowed(old), allow=_allow(old))
        against = self._max_parallelism(old, new) or chains.against(new)
        if against is None and any(state.fate is StateFate.INCOMPATIBLE for state in states):
            against = _incompatible_states(states)
        told = self._told(old, new)
        reason, remedy = against or (None, None)
        return msgspec.structs.replace(
            told,
            fate=OperatorFate.BLOCKED if against else OperatorFate.KEPT,
            states=states,
            reason=reason,
            remedy=remedy,
            warnings=tuple(self._kept_warnings(old, new)),
        )

    def _max_parallelism(self, old: OperatorState, new: GraphOperator) -> tuple[str, str] | None:
        """Say why key groups do not fit. A max parallelism that is not set is taken over from the snapshot.

        `Checkpoints.loadAndValidateCheckpoint`, also of operators without state; the head of a chain speaks for all.
        """
        head = self._new.get(new.chain or new.id, new)
        wanted = head.max_parallelism
        if wanted is not None and wanted != old.max_parallelism:
            return (
                f"its max parallelism is {old.max_parallelism} in the snapshot and {wanted} in the new version: "
                "it can never change",
                f"Set it to {old.max_parallelism} (pipeline.max-parallelism, or setMaxParallelism), or leave it unset: "
                "then it is taken over.",
            )
        if old.has_state and new.parallelism > old.max_parallelism:
            return (
                f"its parallelism {new.parallelism} is above the max parallelism {old.max_parallelism} of its state",
                f"Set the parallelism to {old.max_parallelism} or less.",
            )
        return None

    def _source(self, state: StateVerdict, old: OperatorState, new: GraphOperator) -> StateVerdict:
        """Judge a source's positions, which are bytes of its connector's own: which one that was, no file tells."""
        if state.name != SOURCE_STATE or state.fate is not StateFate.SAME or self._look.same_program:
            return state
        recorded = self._recorded.get(old.id)
        was = recorded.source if recorded else None
        if was and new.source and _simple(was) != _simple(new.source):
            return msgspec.structs.replace(
                state,
                fate=StateFate.INCOMPATIBLE,
                reason=f"these are positions of {_simple(was)}, and the source is {_simple(new.source)} now",
                remedy="Give the source a new uid: it then begins anew.",
            )
        if was == new.source is not None or not old.name or old.name == new.name:
            return state
        return msgspec.structs.replace(
            state,
            fate=StateFate.UNKNOWN,
            reason=f'the source "{old.name}" is called "{new.name}" now; whether it is still the same connector, '
            "whose positions these are, the snapshot does not tell",
        )

    def _kept_warnings(self, old: OperatorState, new: GraphOperator) -> Iterator[str]:
        if old.finished:
            yield "It had finished, and stays so: it does not run again."
        if (old.has_state or new.stateful) and not _has_uid(new):
            yield self._without_uid(new)

    def _without_uid(self, new: GraphOperator) -> str:
        what = "It has state and no uid, so a change of the program may lose it."
        match self._given.language:
            case Language.SQL:
                return f"{what} Deploy it with scurry's own SQL runner, which sets uids."
            case Language.PYTHON:
                return f"{what} Set one together with its id of now: .set_uid_hash('{new.id}')"
            case Language.JAVA:
                return f'{what} To keep its id of now, write: .setUidHash("{new.id}")'
            case _:
                assert_never(self._given.language)

    # Not kept

    def _moved(self, old: OperatorState, new: GraphOperator) -> OperatorVerdict:
        reason = f"its id changed, so Flink does not find its state: {_why_moved(old, new)}"
        anew = "It reads its input from the beginning again."
        warnings = (anew if old.finished else effect(old, self._recorded.get(old.id)),)
        return msgspec.structs.replace(
            self._told(old, new),
            fate=OperatorFate.MOVED,
            lost=old.bytes,
            allowed=self._is_allowed(old),
            reason=reason,
            remedy=f"{self._back(old)}\nIf its state may go: {_allow(old)}",
            warnings=warnings,
        )

    def _back(self, old: OperatorState) -> str:
        """Say how a moved operator gets its state back."""
        python = self._given.language is Language.PYTHON
        if old.uid is not None:
            return f"If it is the same operator, give it its uid back: .uid({_quoted(old.uid, python=python)})"
        call = "set_uid_hash" if python else "setUidHash"
        return f"If it is the same operator, give it its old id: .{call}({_quoted(old.id, python=python)})"

    def _missing(self, old: OperatorState) -> OperatorVerdict:
        told = self._told(old, None)
        if not old.has_state:
            ran = ("It had finished. If something else reads that input now, it begins anew.",) if old.finished else ()
            return msgspec.structs.replace(told, fate=OperatorFate.GONE, warnings=ran)
        return msgspec.structs.replace(
            told,
            fate=OperatorFate.DROPPED,
            lost=old.bytes,
            allowed=self._is_allowed(old),
            reason=f"{self._why_missing()}, so its state would be dropped",
            remedy=f"{self._to_keep()}If its state may go: {_allow(old)}",
            warnings=(effect(old, self._recorded.get(old.id)),),
        )

    def _why_missing(self) -> str:
        if self._given.language is not Language.SQL:
            return "the new version has no operator of this id"
        if self._given.sql_plans:
            return "nothing in the new version computes the same"
        return "the new script has no part of its id, and upgrade.sql is none: what computes the same is not sought"

    def _to_keep(self) -> str:
        unmatched = self._given.language is Language.SQL and not self._given.sql_plans
        return "To keep what computes the same: upgrade.sql: plan\n" if unmatched else ""

    def _is_allowed(self, old: OperatorState) -> bool:
        if isinstance(self._allowed, bool):
            return self._allowed
        return handle(old.uid, old.name, old.id) in self._allowed or old.id in self._allowed

    # New

    def _fresh(self, new: GraphOperator) -> OperatorVerdict:
        warnings = (self._without_uid(new),) if new.stateful and not _has_uid(new) else ()
        return OperatorVerdict(
            fate=OperatorFate.NEW,
            name=new.name,
            uid=new.uid,
            new_uid=new.uid,
            new_id=new.id,
            chain=new.chain,
            inputs=new.inputs,
            states=tuple(map(new_state, new.states or ())),
            warnings=warnings,
        )

    def _told(self, old: OperatorState, new: GraphOperator | None) -> OperatorVerdict:
        recorded = self._recorded.get(old.id)
        return OperatorVerdict(
            fate=OperatorFate.KEPT,
            name=old.name or (new.name if new else None) or old.uid or old.id,
            uid=old.uid,
            id=old.id,
            new_id=new.id if new else None,
            new_uid=new.uid if new else None,
            chain=new.chain if new else None,
            bytes=old.bytes,
            has_state=old.has_state,
            finished=old.finished,
            inputs_before=recorded.inputs if recorded else (),
            inputs=new.inputs if new else (),
        )


def handle(uid: str | None, name: str | None, id: str | None) -> str:
    """Return what a spec calls an operator by: its uid, else its name, else its id."""
    return uid or name or id or ""


def _allow(old: OperatorState) -> str:
    return f"upgrade.allow_non_restored_state: [{_quoted(handle(old.uid, old.name, old.id), python=False)}]"


def _quoted(text: str, *, python: bool) -> str:
    quote = "'" if python else '"'
    return f"{quote}{text}{quote}"


def _simple(class_: str) -> str:
    return class_.rpartition(".")[2].rpartition("$")[2]


def _has_uid(new: GraphOperator) -> bool:
    return new.uid is not None or new.alternative_id is not None


def _why_moved(old: OperatorState, new: GraphOperator) -> str:
    if same_but_for_random(old.uid, new.uid):
        return f'its uid holds a part that is drawn at random ("{new.uid}"), so it is another one with every build'
    if old.uid and new.uid and old.uid != new.uid:
        return f'its uid was "{old.uid}" and is "{new.uid}"'
    if old.uid and not new.uid:
        return f'its uid "{old.uid}" is not set any more'
    if new.uid and not old.uid:
        return f'it had no uid, and has one now, "{new.uid}"'
    return "it has no uid, and operators around it changed"


def _incompatible_states(states: Collection[StateVerdict]) -> tuple[str, str]:
    first, *more = [state for state in states if state.fate is StateFate.INCOMPATIBLE]
    what = f'state "{first.name}"' if first.name else "the key"
    others = f" (and {len(more)} more)" if more else ""
    return f"{what}{others}: {first.reason}", first.remedy or "Keep the old type."
