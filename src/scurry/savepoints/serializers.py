"""Serializer snapshots: what Flink wrote down of a serializer, read as a tree of types.

The body of a snapshot has no length, so its class has to be known to go on behind it. One that is not known is named;
the reader is then `lost`, and whoever reads a state has to find the next mark (`heads`). Within a frame of known
length, as the fields of a POJO are, only that one type is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scurry.model.state import StateType
from scurry.savepoints.java_objects import JAVA_OBJECT
from scurry.savepoints.reading import MOST_NESTED
from scurry.savepoints.serializers_sql import SQL_BODIES, java_objects, of_objects
from scurry.savepoints.serializers_user import USER_BODIES
from scurry.savepoints.type_names import of_parts, plain_name, short_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.savepoints.reading import Cursor

_FLINK = "org.apache.flink."
_COMPOSITE = (911108).to_bytes(4, "big")
_NESTED = 1333245
_NESTED_MARK = re.compile(re.escape(_NESTED.to_bytes(4, "big") + b"\0\0\0\1"))
_CLASS_NAME = re.compile(r"[\w$-]+(\.[\w$-]+)*")
_FIELD = "serializer snapshot"
_TYPE_COST = 1200


class TypeReader:
    """Reads snapshots of serializers from a cursor."""

    def __init__(self, cursor: Cursor, depth: int = 0) -> None:
        self.cursor = cursor
        self.depth = depth
        self.lost = False
        """the end of a snapshot is not known: what is behind it cannot be read"""
        self.ttl = False
        """a serializer that keeps a time to live with its values was met; its place is taken by that of the values"""

    def read_versioned(self) -> StateType:
        """Read a snapshot with its envelope's version in front, as state meta infos hold them."""
        self.cursor.expect(2, "version of a serializer snapshot's envelope")
        return self.read()

    def read(self) -> StateType:
        """Read a snapshot: class, version, body. Check `lost` before going on behind it."""
        cursor = self.cursor
        if self.depth >= MOST_NESTED:
            cursor.refuse(_FIELD, f"serializers are nested more than {MOST_NESTED} levels deep")
        cursor.spend(1, _TYPE_COST, _FIELD)
        snapshot = cursor.utf("class of a serializer snapshot")
        version = cursor.i32("version of a serializer snapshot")
        if not _CLASS_NAME.fullmatch(snapshot):
            cursor.refuse(_FIELD, f"{snapshot[:80]!r} is no name of a class")
        self.depth += 1
        found = self._body(snapshot, version)
        self.depth -= 1
        return found

    def within(self, length: int, field: str) -> StateType:
        """Read a snapshot in a frame of that many bytes; being lost in there does no harm outside."""
        inner = TypeReader(self.cursor.frame(length, field), self.depth)
        found = inner.read()
        self.ttl = self.ttl or inner.ttl
        return found

    def nested(self) -> tuple[StateType, ...]:
        """Read the snapshots of nested serializers, as `NestedSerializersSnapshotDelegate` writes them."""
        cursor = self.cursor
        cursor.expect(_NESTED, "magic number of nested serializers")
        cursor.expect(1, "version of nested serializers")
        parts: list[StateType] = []
        for _ in range(cursor.count("number of nested serializers", least=6)):
            parts.append(self.read())
            if self.lost:
                break
        return tuple(parts)

    def unknown(self, snapshot: str, version: int) -> StateType:
        """Name a snapshot that cannot be read."""
        self.lost = True
        return StateType(name=short_class(snapshot), serializer=snapshot, version=version, known=False)

    def _body(self, snapshot: str, version: int) -> StateType:
        ours = snapshot.startswith(_FLINK)
        read = _BODIES.get(short_class(snapshot)) if ours else None
        if read:
            return read(self, snapshot, version)
        ahead = bytes(self.cursor.view[self.cursor.pos : self.cursor.pos + 4])
        if ahead == _COMPOSITE:
            return self._composite(snapshot, version)
        if not ours:
            return self.unknown(snapshot, version)
        if ahead == JAVA_OBJECT:
            return of_objects(snapshot, version, java_objects(self))
        if version == 3:  # SimpleTypeSerializerSnapshot: an empty body
            return StateType(name=plain_name(snapshot), serializer=snapshot, version=version)
        if version == 2:  # the same, as written by Flink 1.7; GenericTypeSerializerSnapshot
            class_name = self.cursor.utf("class of a serializer")
            return StateType(name=plain_name(snapshot), serializer=snapshot, version=version, of=class_name)
        return self.unknown(snapshot, version)

    def _composite(self, snapshot: str, version: int) -> StateType:
        """A `CompositeTypeSerializerSnapshot`: something of the outer serializer, then the nested ones."""
        cursor = self.cursor
        cursor.skip(4, _FIELD)
        outer_version = cursor.i32("version of an outer serializer")
        short = short_class(snapshot)
        ours = snapshot.startswith(_FLINK)
        of = _OUTER[short](self, outer_version) if ours and short in _OUTER else None
        start = cursor.pos
        self._to_nested()
        known = ours and cursor.pos == start
        parts = self.nested()
        known = known and not self.lost
        if short == _TTL and len(parts) == 2:
            self.ttl = True
            return parts[1]
        return StateType(
            name=_composite_name(short, of, parts, snapshot),
            serializer=snapshot,
            version=version,
            of=of,
            parts=parts,
            known=known,
        )

    def _to_nested(self) -> None:
        """Step over what is not known of an outer serializer."""
        found = _NESTED_MARK.search(self.cursor.view, self.cursor.pos)
        if not found:
            self.cursor.cut("nested serializers")
        self.cursor.pos = found.start()


def _composite_name(short: str, of: str | None, parts: tuple[StateType, ...], snapshot: str) -> str:
    if short == "GenericArraySerializerSnapshot" and parts:
        return f"{parts[0].name}[]"
    name = short_class(of) if of else plain_name(snapshot)
    return of_parts(name, parts)


_TTL = "TtlStateFactory$TtlSerializerSnapshot"


def _class_of_outer(reader: TypeReader, _version: int) -> str:
    return reader.cursor.utf("class of an outer serializer")


def _flag_since(first: int) -> Callable[[TypeReader, int], None]:
    def read(reader: TypeReader, version: int) -> None:
        if version >= first:
            reader.cursor.boolean("flag of an outer serializer")

    return read


def _number(reader: TypeReader, _version: int) -> None:
    reader.cursor.i32("number of an outer serializer")


_OUTER: Mapping[str, Callable[[TypeReader, int], str | None]] = {
    "TupleSerializerSnapshot": _class_of_outer,
    "GenericArraySerializerSnapshot": _class_of_outer,
    "ScalaCaseClassSerializerSnapshot": _class_of_outer,
    "NullableSerializer$NullableSerializerSnapshot": _number,
    "RowSerializer$RowSerializerSnapshot": _flag_since(4),
    "LinkedListSerializer$LinkedListSerializerSnapshot": _flag_since(3),
    "NFAStateSerializerSnapshot": _flag_since(2),
    "TwoPhaseCommitSinkFunction$StateSerializerSnapshot": _flag_since(4),
}
_BODIES: Mapping[str, Callable[[TypeReader, str, int], StateType]] = {**USER_BODIES, **SQL_BODIES}
