"""Whether a state's new type can take over what its old type wrote, from the snapshots of both serializers. Pure.

These are the rules of Flink's own `TypeSerializerSnapshot.resolveSchemaCompatibility`, class by class, for when Flink
itself could not be asked; see `docs/dev/datastream/fault-tolerance/serialization/schema_evolution` of Flink's
documentation. What no rule is known for is unknown, never fine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.engine.compatibility_avro import compare_schemas
from scurry.model.compatibility import StateFate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scurry.model.state import StateType

_WEIGHT = {StateFate.SAME: 0, StateFate.MIGRATABLE: 1, StateFate.UNKNOWN: 2, StateFate.INCOMPATIBLE: 3}
PYTHON = "python "
"""how the name of a type begins that a Python state descriptor was recorded with"""
_COLLECTIONS = ("java.util.List", "java.util.Map", "java.util.Set", "java.util.Collection")
_DEEP_ENOUGH = 200
"""types nest no deeper; what does is not looked into"""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """From which Flink to which, and what of the user's code changed on the way."""

    before: tuple[int, int] | None = None
    """major and minor of the Flink that wrote the state; None: not known"""
    after: tuple[int, int] | None = None
    changed_classes: frozenset[str] | None = None
    """classes of the user's that are not what they were when the state was written; None: not known"""

    @property
    def crosses_2_0(self) -> bool:
        """Whether state of Flink 1.x is restored by Flink 2.x."""
        return self.before is not None and self.after is not None and self.before[0] < 2 <= self.after[0]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it can, and why not."""

    fate: StateFate
    reason: str | None = None

    def within(self, what: str) -> Answer:
        """Return the same, told of a part: `field total: …`."""
        return msgspec.structs.replace(self, reason=f"{what}: {self.reason}") if self.reason else self


SAME = Answer(fate=StateFate.SAME)


def worst(answers: Iterable[Answer]) -> Answer:
    """Return the answer that counts: Flink refuses a type when it refuses any part of it."""
    return max(answers, key=lambda answer: _WEIGHT[answer.fate], default=SAME)


def compare(before: StateType, after: StateType, step: Step) -> Answer:
    """Return what Flink would say of the two, wrappers for a time to live taken off both."""
    return _compare(without_ttl(before), without_ttl(after), step, 0)


def without_ttl(found: StateType) -> StateType:
    """Return what a TTL serializer wraps: it keeps a timestamp first and then the value (TtlStateFactory)."""
    if "TtlAwareSerializer" in found.serializer and len(found.parts) == 1:
        return without_ttl(found.parts[0])
    if "TtlSerializer" in found.serializer and found.parts:
        return without_ttl(found.parts[-1])
    if found.parts and _simple(found) in {"ListSerializerSnapshot", "MapSerializerSnapshot"}:
        return msgspec.structs.replace(found, parts=tuple(map(without_ttl, found.parts)))
    return found


def _compare(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    if depth > _DEEP_ENOUGH:
        return _unknown("it nests too deep to be looked into")
    if before.name.startswith(PYTHON) or after.name.startswith(PYTHON):
        return _python(before, after)
    if removed := removed_by(before, step):
        return worst([removed, _compare_as_now(before, after, step, depth)])
    return _compare_as_now(before, after, step, depth)


def _compare_as_now(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Compare as if the same Flink had written it."""
    if before.serializer != after.serializer:
        return _other_serializer(before, after, step)
    rule = _RULES.get(_simple(before), _composite)
    if not (before.known and after.known) and rule is _composite:
        return _unknown(f"its serializer's snapshot, {_simple(before)}, is of a class that scurry cannot read")
    return rule(before, after, step, depth + 1)


def _simple(found: StateType) -> str:
    """Return the class of a serializer's snapshot without its package and outer class."""
    return found.serializer.rpartition(".")[2].rpartition("$")[2]


# What the step from 1.x to 2.x takes away ----------------------------------------------------------------------


def removed_by(before: StateType, step: Step) -> Answer | None:
    """Return why a newer Flink cannot, or may not, read what a serializer itself has written, whatever the new type is.

    Flink's release notes 2.0: "State Compatibility is not guaranteed between 1.x and 2.x"; Kryo went from 2.24 to 5.6,
    whose bytes differ for some classes only (measured: a class of a number is read rightly); the Scala API went, with
    its serializers.
    """
    if not step.crosses_2_0:
        return None
    name = without_ttl(before)
    if _simple(name) == "KryoSerializerSnapshot" and (name.of or "").startswith(_COLLECTIONS):
        return _incompatible(
            f"{name.of} was written by Kryo 2, and Flink 2 has Kryo 5, which writes collections in another way"
        )
    if _simple(name) == "KryoSerializerSnapshot":
        return _unknown(
            f"{name.of or 'it'} was written by Kryo 2, and Flink 2 has Kryo 5: whether that reads it rightly "
            "depends on the class, and Flink cannot tell"
        )
    if name.serializer.startswith("org.apache.flink.api.scala."):
        return _incompatible(
            "it was written by a serializer of Flink's Scala API, which Flink 2 does not have any more"
        )
    return None


def find_removed(found: StateType, step: Step) -> Answer | None:
    """Return why a newer Flink cannot, or may not, read a type, looking into all of it; None where all is well."""
    stack, answers = [found], []
    while stack:
        part = stack.pop()
        if answer := removed_by(part, step):
            answers.append(answer)
        stack += part.parts
        stack += [field.type for field in part.fields if field.type]
    return worst(answers) if answers else None


# Rules, class by class -----------------------------------------------------------------------------------------


def _python(before: StateType, after: StateType) -> Answer:
    if not (before.name.startswith(PYTHON) and after.name.startswith(PYTHON)):
        return _unknown("the file does not hold Python's types, and they were not recorded when the job was deployed")
    if before.name == after.name:
        return SAME
    was, becomes = (found.name.removeprefix(PYTHON) for found in (before, after))
    return _incompatible(
        f"{was} becomes {becomes}: Flink does not see Python's types, so it would restore the bytes of the one as "
        "the other, and say nothing"
    )


def _other_serializer(before: StateType, after: StateType, step: Step) -> Answer:
    if step.crosses_2_0 and before.name == after.name and not (before.parts or after.parts or before.fields):
        return _unknown(f"Flink renamed its serializer, {_simple(before)} to {_simple(after)}")
    if _simple(before) == "KryoSerializerSnapshot" and (before.of or "").startswith(_COLLECTIONS):
        return _incompatible(
            f"{before.of} was written by Kryo, and is now written by {_simple(after)} (since Flink 2.0, unless "
            "pipeline.built-in-collection-serializers is false)"
        )
    return _incompatible(f"{before.name} becomes {after.name}")


def _pojo(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Fields may come and go; those that stay keep their type (PojoSerializerSnapshot)."""
    if renamed := _renamed(before, after):
        return renamed
    if not (before.known and after.known):
        return _unknown("not all of its fields could be read")
    was = {field.name: field.type for field in before.fields}
    becomes = {field.name: field.type for field in after.fields}
    answers = [_field(name, was[name], becomes[name], step, depth) for name in was if name in becomes]
    removed, added = [name for name in was if name not in becomes], [name for name in becomes if name not in was]
    if removed:
        answers.append(_migratable(f"{_fields(removed)} removed, its values are dropped"))
    if added:
        answers.append(_migratable(f"{_fields(added)} added, empty at first"))
    # A field that is gone is still read once, by the serializer that wrote it.
    gone = [find_removed(found, step) for name in removed if (found := was[name])]
    return worst([*(answer for answer in gone if answer), *answers])


def _field(name: str, before: StateType | None, after: StateType | None, step: Step, depth: int) -> Answer:
    if before is None or after is None:
        return _unknown(f"the type of field {name} could not be read")
    return _compare(before, after, step, depth).within(f"field {name}")


def _fields(names: list[str]) -> str:
    return f"field {names[0]}" if len(names) == 1 else f"fields {', '.join(names)}"


def _enum(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Constants may be added and reordered, never removed: the old snapshot could not be read (EnumSerializer)."""
    if renamed := _renamed(before, after):
        return renamed
    removed = [name for name in before.symbols if name not in after.symbols]
    if removed:
        return _incompatible(f"the enum lost {', '.join(removed)}")
    return SAME


def _kryo(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Flink only compares the class and the registrations: whether Kryo can read the fields, it cannot know."""
    if renamed := _renamed(before, after):
        return renamed
    return unseen_by_kryo(before, step) or SAME


def unseen_by_kryo(found: StateType, step: Step) -> Answer | None:
    """Return why a state may be unreadable although Flink itself takes it for compatible; None where it may not."""
    stack = [found]
    while stack:
        part = stack.pop()
        if _simple(part) == "KryoSerializerSnapshot" and (reason := _unseen(part, step)):
            return _unknown(reason)
        stack += part.parts
        stack += [field.type for field in part.fields if field.type]
    return None


def _unseen(found: StateType, step: Step) -> str | None:
    what = found.of or "its class"
    if step.changed_classes is None:
        return f"it is written by Kryo: Flink cannot tell whether the fields of {what} are still the same"
    changed = sorted(name for name in step.changed_classes if name == what or name.startswith(f"{what}$"))
    if changed:
        return f"it is written by Kryo, which cannot take fields over, and the class {changed[0]} changed"
    if step.changed_classes and what.startswith("java."):
        return f"it is written by Kryo: which classes are in the {what}, and whether they changed, is not known"
    return None


def _avro(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Avro's schema resolution, the new schema reading what the old one wrote (AvroSerializerSnapshot)."""
    if before.schema is None or after.schema is None:
        return _unknown("its Avro schema could not be read")
    fate, reason = compare_schemas(before.schema, after.schema)
    return Answer(fate=fate, reason=reason)


def _row_data(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """Rows of SQL keep every column's type, with precision and nullability (RowDataSerializerSnapshot)."""
    was, becomes = before.logical, after.logical
    if not was or not becomes:
        return _composite(before, after, step, depth)
    if len(was) != len(becomes):
        return _incompatible(f"{len(was)} columns become {len(becomes)}; Flink cannot tell which value is whose")
    for number, (one, other) in enumerate(zip(was, becomes, strict=True), start=1):
        if one != other:
            return _incompatible(f"column {number}, {one}, becomes {other}")
    return SAME


def _composite(before: StateType, after: StateType, step: Step, depth: int) -> Answer:
    """As many parts, each fitting; and the same of what the type itself says (CompositeTypeSerializerSnapshot)."""
    if renamed := _renamed(before, after):
        return renamed
    if before.logical != after.logical:
        return _incompatible(f"{before.name} becomes {after.name}")
    if len(before.parts) != len(after.parts) or len(before.fields) != len(after.fields):
        return _incompatible(f"{before.name} becomes {after.name}")
    parts = [
        _compare(one, other, step, depth).within(_part(before, number))
        for number, (one, other) in enumerate(zip(before.parts, after.parts, strict=True))
    ]
    fields = [
        _field(one.name, one.type, other.type, step, depth)
        for one, other in zip(before.fields, after.fields, strict=True)
    ]
    return worst([*parts, *fields])


def _part(whole: StateType, number: int) -> str:
    if _simple(whole) == "MapSerializerSnapshot":
        return ("key", "value")[number] if number < 2 else f"part {number + 1}"
    if len(whole.parts) == 1:
        return "element"
    return f"part {number + 1}"


def _renamed(before: StateType, after: StateType) -> Answer | None:
    if before.of and after.of and before.of != after.of:
        return _incompatible(f"the class {before.of} becomes {after.of}; Flink takes over no state of another class")
    return None


def _incompatible(reason: str) -> Answer:
    return Answer(fate=StateFate.INCOMPATIBLE, reason=reason)


def _migratable(reason: str) -> Answer:
    return Answer(fate=StateFate.MIGRATABLE, reason=reason)


def _unknown(reason: str) -> Answer:
    return Answer(fate=StateFate.UNKNOWN, reason=reason)


_RULES: dict[str, Callable[[StateType, StateType, Step, int], Answer]] = {
    "PojoSerializerSnapshot": _pojo,
    "EnumSerializerSnapshot": _enum,
    "KryoSerializerSnapshot": _kryo,
    "AvroSerializerSnapshot": _avro,
    "RowDataSerializerSnapshot": _row_data,
}
