"""What becomes of each state of an operator that is kept. Pure.

Flink's own answers win; else the types of both sides are compared, as the state backends do when the new operator
registers its states (`RegisteredKeyValueStateBackendMetaInfo`, `DefaultOperatorStateBackend`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from scurry.engine.compatibility_late import PYTHON_PREFIX, as_late, place
from scurry.engine.compatibility_matching import same_but_for_random
from scurry.engine.compatibility_types import PYTHON, SAME, Answer, Step, compare, find_removed, unseen_by_kryo, worst
from scurry.model.compatibility import StateFate, StateVerdict
from scurry.model.state import GraphOperator, OperatorState, Resolution, State, StateKind, StateResolution

if TYPE_CHECKING:
    from scurry.model.state import StateType

SOURCE_STATE = "SourceReaderState"
"""the positions of a source: bytes of its connector's own"""
UNREAD = "(not read)"
"""as the name of a state: what the snapshot holds more of an operator, and could not be read"""
_TTL_BOTH_WAYS = (2, 2)
"""since this Flink all but ForSt take TTL on and off; RocksDB since the one before (its page "State TTL Migration")"""
_TTL_ON_ROCKSDB = (2, 1)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What states are judged by, the same for all operators."""

    step: Step
    resolutions: Mapping[tuple[str, str, str], StateResolution] = {}
    """by id of the operator in the new version, name of the state, part"""
    backend: str | None = None
    """of the new version: `hashmap`, `rocksdb`, `forst`"""
    same_program: bool = False
    """code, arguments and Flink are what they were: what is not known of the states is as it was"""


def indexed(resolutions: Iterable[StateResolution]) -> Mapping[tuple[str, str, str], StateResolution]:
    """Return Flink's answers by operator, state and part."""
    return {(found.operator, found.state, found.part): found for found in resolutions}


def judge_states(
    before: OperatorState, after: GraphOperator, recorded: GraphOperator | None, look: Look
) -> tuple[StateVerdict, ...]:
    """Return what becomes of the key, of each state of the snapshot, and which states are new.

    `recorded`: the operator as the program that wrote the snapshot asks for it; only it knows Python's types, and
    which states are registered later.
    """
    olds = [_as_recorded(state, recorded) for state in before.states]
    news = {place(state): state for state in after.states or ()}
    taken = {place(state) for state in olds}
    found = [_judge(state, news.get(place(state)), after, look) for state in olds]
    found = as_late(found, olds, after, recorded)
    fresh = [state for where, state in news.items() if where not in taken]
    found = [_as_renamed(verdict, fresh) for verdict in found]
    key = _judge_key(before, after, look)
    unread = _unread(before, look)
    return (*key, *found, *unread, *(new_state(state) for state in fresh))


def _as_recorded(state: State, recorded: GraphOperator | None) -> State:
    """Return a state with Python's kind and type, which Flink's file does not hold."""
    states = recorded.states or () if recorded else ()
    known = next((found for found in states if _is_that_of(found, state) and _is_python(found)), None)
    if known is None:
        return state
    return msgspec.structs.replace(state, kind=known.kind, type=known.type)


def _is_that_of(found: State, state: State) -> bool:
    """Whether a function's state is one of a snapshot: its name may be drawn anew each time the function is asked."""
    return place(found) == place(state) or same_but_for_random(found.name, state.name)


def _is_python(state: State) -> bool:
    return state.type is not None and state.type.name.startswith(PYTHON)


def _unread(before: OperatorState, look: Look) -> tuple[StateVerdict, ...]:
    if before.unread is None or look.same_program:
        return ()
    return (StateVerdict(name=UNREAD, fate=StateFate.UNKNOWN, reason=before.unread),)


def new_state(state: State) -> StateVerdict:
    """Return the verdict on a state that the snapshot has nothing of."""
    return StateVerdict(
        name=state.name, kind=state.kind, fate=StateFate.NEW, after=_name(state.type), reason="starts empty"
    )


# One state -----------------------------------------------------------------------------------------------------


def _judge(before: State, after: State | None, operator: GraphOperator, look: Look) -> StateVerdict:
    told = StateVerdict(
        name=before.name,
        kind=before.kind,
        fate=StateFate.SAME,
        before=_name(before.type),
        after=_name(after.type) if after else None,
        bytes=before.bytes,
    )
    if (by_flink := _by_flink(before, operator, look)) is not None:
        return _with(told, by_flink, by_flink=True)
    if operator.states is None:
        return _with(told, _without_looking(before, operator, look))
    if after is None and not before.name.startswith(PYTHON_PREFIX) and any(map(_is_python, operator.states)):
        return told  # timers and the like, which Flink's Python operators register by themselves
    if after is None:
        reason = "the new version does not register it when it opens: it stays in the snapshots, and nobody reads it"
        return _with(told, Answer(fate=StateFate.UNUSED, reason=reason))
    return _with(told, _compared(before, after, look))


def _with(told: StateVerdict, answer: Answer, *, by_flink: bool = False) -> StateVerdict:
    return msgspec.structs.replace(
        told, fate=answer.fate, reason=answer.reason, remedy=_remedy(told, answer), by_flink=by_flink
    )


def _remedy(told: StateVerdict, answer: Answer) -> str | None:
    if answer.fate is not StateFate.INCOMPATIBLE:
        return None
    return (
        f'Keep the old type, or register the new one under another name: "{told.name}" then stays unused, and the new '
        "state starts empty."
    )


def _without_looking(before: State, operator: GraphOperator, look: Look) -> Answer:
    """The new version was not opened, so nothing is known of its states but what no version could restore."""
    if before.type and (removed := find_removed(before.type, look.step)):
        return removed
    if look.same_program or (before.name == SOURCE_STATE and operator.source is not None):
        return SAME  # every connector's positions are bytes here; whether it is the same one, `_source` judges
    because = operator.unknown_because or "what the new version registers is not known"
    return Answer(fate=StateFate.UNKNOWN, reason=because)


def _compared(before: State, after: State, look: Look) -> Answer:
    if _is_another_kind(before, after):
        return Answer(
            fate=StateFate.INCOMPATIBLE, reason=f"it was {before.kind.value} and becomes {after.kind.value} state"
        )
    value = _types(before.type, after.type, look)
    if before.kind is StateKind.TIMERS:
        value = _never_migrated(value, "timers are never rewritten")
    namespace = _never_migrated(_optional(before.namespace, after.namespace, look), "namespaces are never rewritten")
    return worst(
        [
            value,
            _map_key(before, after, look),
            namespace.within("namespace"),
            _optional(before.key, after.key, look).within("key"),
            _ttl(before, after, look),
        ]
    )


def _is_another_kind(before: State, after: State) -> bool:
    """Whether Flink refuses the kind, or a Python state would be read wrong: its values are lists of one (measured)."""
    if StateKind.OTHER in {before.kind, after.kind}:
        return False
    kinds = before.kind, after.kind
    grows = before.name.startswith(PYTHON_PREFIX) and kinds == (StateKind.VALUE, StateKind.LIST)
    return before.kind is not after.kind and not grows


def _types(before: StateType | None, after: StateType | None, look: Look) -> Answer:
    if before is not None and after is not None:
        return compare(before, after, look.step)
    if before is not None and (removed := find_removed(before, look.step)):
        return removed
    if look.same_program:
        return SAME
    whose = "the snapshot" if before is None else "the new version"
    return Answer(fate=StateFate.UNKNOWN, reason=f"its type in {whose} is not known")


def _optional(before: StateType | None, after: StateType | None, look: Look) -> Answer:
    """Compare what a state may be without; where one side does not tell it, nothing is known against it."""
    return compare(before, after, look.step) if before is not None and after is not None else SAME


def _never_migrated(answer: Answer, why: str) -> Answer:
    if answer.fate is not StateFate.MIGRATABLE:
        return answer
    return Answer(fate=StateFate.INCOMPATIBLE, reason=f"{answer.reason}; {why}")


def _map_key(before: State, after: State, look: Look) -> Answer:
    """RocksDB writes a map's keys into its own, and migrates only values (RocksDBKeyedStateBackend.migrateStateValues).

    Flink's page "State Schema Evolution": evolution of keys is not supported.
    """
    types = before.type, after.type
    if before.kind is not StateKind.MAP or look.backend == "hashmap" or types[0] is None or types[1] is None:
        return SAME
    parts = types[0].parts, types[1].parts
    if min(map(len, parts)) < 2:
        return SAME
    return _never_migrated(compare(parts[0][0], parts[1][0], look.step), "keys of a map are never rewritten")


def _ttl(before: State, after: State, look: Look) -> Answer:
    """Taking a time to live on or off changes the bytes: Flink 2.2 rewrites them, RocksDB in 2.1 already (FLINK-32955).

    Flink's page "State TTL Migration Compatibility".
    """
    if before.ttl == after.ttl:
        return SAME
    flink = look.step.after or (0, 0)
    what = "a time to live was added" if after.ttl else "its time to live was removed"
    if look.backend != "forst" and (
        flink >= _TTL_BOTH_WAYS or (flink >= _TTL_ON_ROCKSDB and look.backend == "rocksdb")
    ):
        return Answer(fate=StateFate.MIGRATABLE, reason=what)
    if flink >= _TTL_ON_ROCKSDB and look.backend is None:
        return Answer(fate=StateFate.UNKNOWN, reason=f"{what}, which this Flink takes on RocksDB only")
    where = "ForSt does not take" if look.backend == "forst" else "Flink takes only since 2.2 (on RocksDB since 2.1)"
    return Answer(fate=StateFate.INCOMPATIBLE, reason=f"{what}, which {where}")


# The key -------------------------------------------------------------------------------------------------------


def _judge_key(before: OperatorState, after: GraphOperator, look: Look) -> tuple[StateVerdict, ...]:
    """Return what becomes of the key; nothing where it is the same, or where there is none.

    The new key serializer has to be compatible as it is (`StateMigrationException: The new key serializer …`).
    """
    if (by_flink := look.resolutions.get((after.id, "", "key"))) is not None:
        answer = _answer(by_flink)
    elif before.key is None or after.key is None:
        return ()
    else:
        answer = compare(before.key, after.key, look.step)
    answer = _never_migrated(answer, "a key is never rewritten")
    if answer.fate is StateFate.SAME:
        return ()
    told = StateVerdict(
        name="",
        fate=answer.fate,
        before=_name(before.key),
        after=_name(after.key),
        reason=answer.reason,
        by_flink=by_flink is not None,
    )
    if answer.fate is not StateFate.INCOMPATIBLE:
        return (told,)
    return (msgspec.structs.replace(told, remedy="Keep the old type of the key, or start the operator anew."),)


# Flink's own answers -------------------------------------------------------------------------------------------

_FATES = {
    Resolution.AS_IS: StateFate.SAME,
    Resolution.RECONFIGURED: StateFate.SAME,
    Resolution.AFTER_MIGRATION: StateFate.MIGRATABLE,
    Resolution.INCOMPATIBLE: StateFate.INCOMPATIBLE,
}
_PARTS = ("value", "namespace", "key")


def _by_flink(before: State, operator: GraphOperator, look: Look) -> Answer | None:
    """Return what Flink itself says of a state; None where it was not asked.

    It is asked by opening the new operator with the old head. What it cannot see stays unknown: Kryo.
    """
    answers = []
    for part in _PARTS:
        if (found := look.resolutions.get((operator.id, before.name, part))) is None:
            continue
        answer = _answer(found)
        if part == "namespace" or before.kind is StateKind.TIMERS:
            answer = _never_migrated(answer, "it is never rewritten")
        answers.append(answer if part == "value" else answer.within(part))
    if not answers:
        return None
    if before.type and (removed := find_removed(before.type, look.step)):
        answers.append(removed)
    if look.step.changed_classes is not None and before.type and (unseen := unseen_by_kryo(before.type, look.step)):
        answers.append(unseen)
    return worst(answers)


def _answer(found: StateResolution) -> Answer:
    fate = _FATES[found.resolution]
    default = {
        StateFate.MIGRATABLE: "Flink rewrites it with the new serializer",
        StateFate.INCOMPATIBLE: "Flink says that the new serializer cannot read what the old one wrote",
    }
    return Answer(fate=fate, reason=found.message or default.get(fate))


# What looks like a new name -----------------------------------------------------------------------------------


def _as_renamed(verdict: StateVerdict, fresh: list[State]) -> StateVerdict:
    """Say of an unused state that a new one looks just like it: a renamed state starts empty."""
    if verdict.fate is not StateFate.UNUSED:
        return verdict
    alike = [state for state in fresh if state.kind is verdict.kind and _name(state.type) == verdict.before]
    if len(alike) != 1:
        return verdict
    return msgspec.structs.replace(
        verdict,
        reason=f'"{alike[0].name}" looks like it under a new name, and starts empty: Flink finds states by name',
        remedy=f'If it is the same state, give it its old name, "{verdict.name.removeprefix(PYTHON_PREFIX)}".',
    )


def _name(found: StateType | None) -> str | None:
    return found.name if found else None
