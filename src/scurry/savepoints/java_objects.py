"""Objects that Java's own serialization wrote (`ObjectOutputStream`), as plain values.

No class is needed to read them: a stream describes the classes of its objects. Of what a class writes by itself
(`writeObject`) the objects and texts in between are kept, not its primitive bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import unpack
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from scurry.savepoints.reading import MOST_NESTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.savepoints.reading import Cursor

_MAGIC = 0xACED
JAVA_OBJECT = b"\xac\xed\0\5"
"""how every stream of them begins"""
_FIRST_REFERENCE = 0x7E0000
_FIELD = "Java object"
_VALUE_COST = 400
_ELEMENT_COST = 8

_SERIALIZABLE, _EXTERNALIZABLE, _WRITES_ITSELF, _BLOCKS = 0x02, 0x04, 0x01, 0x08
_PRIMITIVES = {"B": ">b", "C": ">H", "D": ">d", "F": ">f", "I": ">i", "J": ">q", "S": ">h", "Z": ">?"}
_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaEnum:
    """A constant of an enum."""

    type: str
    constant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaClass:
    """A class as a value, and how its objects are written."""

    name: str
    flags: int
    fields: tuple[tuple[str, str], ...]
    """type code and name of each"""
    parent: JavaClass | None


@dataclass(slots=True, kw_only=True, eq=False)
class JavaObject:
    """An object; its fields are filled while it is read, since they may refer to it."""

    type: str
    fields: dict[str, JavaValue] = field(default_factory=dict, repr=False)
    """of all its classes together"""
    written: list[JavaValue] = field(default_factory=list, repr=False)
    """what its classes wrote by themselves: objects in their order"""


@dataclass(slots=True, kw_only=True, eq=False)
class JavaArray:
    """An array of objects; of primitives only its length is kept."""

    type: str
    length: int
    elements: list[JavaValue] = field(default_factory=list, repr=False)


JavaValue: TypeAlias = "JavaObject | JavaArray | JavaEnum | JavaClass | str | int | float | bool | None"


def read_object(cursor: Cursor) -> JavaValue:
    """Read a stream that holds one object. The cursor moves behind it.

    Raises `SnapshotUnreadable`, also for what cannot be read without its class. References make it a graph, and there
    may be cycles: whoever walks it needs a limit.
    """
    if cursor.u16(_FIELD) != _MAGIC:
        cursor.pos -= 2
        cursor.refuse(_FIELD, "no object of Java begins there")
    version = cursor.u16(_FIELD)
    if version != 5:
        cursor.refuse(_FIELD, f"version {version} of Java's serialization is not known")
    return _ObjectReader(cursor).value(0)


class _ObjectReader:
    """Reads one stream; knows what was in it so far, since later parts refer to it by number."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._seen: list[JavaValue] = []

    def value(self, depth: int) -> JavaValue:
        """Whatever comes next that is an object, a text, a class or null."""
        cursor = self._cursor
        if depth > MOST_NESTED:
            cursor.refuse(_FIELD, f"it is nested more than {MOST_NESTED} levels deep")
        code = cursor.u8(_FIELD)
        read = self._READERS.get(code)
        if read is None:
            cursor.pos -= 1
            cursor.refuse(_FIELD, f"nothing is written with the code {code:#x}")
        cursor.spend(1, _VALUE_COST, _FIELD)
        return read(self, depth + 1)

    def _null(self, _depth: int) -> None:
        return None

    def _reference(self, _depth: int) -> JavaValue:
        number = self._cursor.i32(_FIELD) - _FIRST_REFERENCE
        if not 0 <= number < len(self._seen):
            self._cursor.pos -= 4
            self._cursor.refuse(_FIELD, "it refers to what was not written before")
        return self._seen[number]

    def _text(self, _depth: int) -> str:
        return self._remember(self._cursor.utf(_FIELD))

    def _long_text(self, _depth: int) -> str:
        length = self._cursor.i64(_FIELD)
        return self._remember(self._cursor.text(length, self._cursor.pos, _FIELD))

    def _remember(self, text: str) -> str:
        self._seen.append(text)
        return text

    def _class(self, depth: int) -> JavaClass:
        found = self._described(depth)
        self._seen.append(found)
        return found

    def _enum(self, depth: int) -> JavaEnum:
        type_ = self._described(depth)
        place = len(self._seen)
        self._seen.append(None)
        constant = self.value(depth)
        if not isinstance(constant, str):
            self._cursor.refuse(_FIELD, "a constant of an enum without a name")
        found = JavaEnum(type=type_.name, constant=constant)
        self._seen[place] = found
        return found

    def _array(self, depth: int) -> JavaArray:
        cursor = self._cursor
        type_ = self._described(depth)
        found = JavaArray(type=type_.name, length=0)
        self._seen.append(found)
        element = type_.name[1:2]
        size = _SIZES.get(element, 1)
        found.length = cursor.count(_FIELD, least=size)
        if element in _SIZES:
            cursor.skip(size * found.length, _FIELD)
            return found
        cursor.spend(found.length, _ELEMENT_COST, _FIELD)
        found.elements.extend(self.value(depth) for _ in range(found.length))
        return found

    def _object(self, depth: int) -> JavaObject:
        type_ = self._described(depth)
        found = JavaObject(type=type_.name)
        self._seen.append(found)
        for each in _lineage(type_):
            self._part(found, each, depth)
        return found

    def _part(self, found: JavaObject, type_: JavaClass, depth: int) -> None:
        """What one class of an object's lineage wrote."""
        if type_.flags & _EXTERNALIZABLE:
            if not type_.flags & _BLOCKS:
                self._cursor.refuse(_FIELD, f"only {type_.name!r} itself knows how long its objects are")
            found.written.extend(self._annotation(depth))
            return
        for code, name in type_.fields:
            found.fields[name] = self._field(code, depth)
        if type_.flags & _WRITES_ITSELF:
            found.written.extend(self._annotation(depth))

    def _field(self, code: str, depth: int) -> JavaValue:
        if code in "[L":
            return self.value(depth)
        cursor = self._cursor
        (value,) = unpack(_PRIMITIVES[code], cursor.block(_SIZES[code], _FIELD))
        return chr(value) if code == "C" else value

    def _annotation(self, depth: int) -> list[JavaValue]:
        """What stands until the end of a block: objects; primitive bytes are stepped over."""
        cursor = self._cursor
        found: list[JavaValue] = []
        while (code := cursor.u8(_FIELD)) != 0x78:
            if code == 0x77:
                cursor.skip(cursor.u8(_FIELD), _FIELD)
            elif code == 0x7A:
                cursor.skip(cursor.i32(_FIELD), _FIELD)
            else:
                cursor.pos -= 1
                found.append(self.value(depth))
        return found

    def _described(self, depth: int) -> JavaClass:
        """The class of what comes next: described here, or referred to."""
        found = self.value(depth)
        if not isinstance(found, JavaClass):
            self._cursor.refuse(_FIELD, "a class is not described")
        return found

    def _description(self, depth: int) -> JavaClass:
        cursor = self._cursor
        name = cursor.utf(_FIELD)
        cursor.skip(8, _FIELD)  # serialVersionUID
        place = len(self._seen)
        self._seen.append(None)
        flags = cursor.u8(_FIELD)
        fields = []
        for _ in range(cursor.u16(_FIELD)):
            cursor.spend(1, _VALUE_COST, _FIELD)
            code, field_name = chr(cursor.u8(_FIELD)), cursor.utf(_FIELD)
            if code in "[L":
                self.value(depth)  # the name of the field's type
            elif code not in _PRIMITIVES:
                cursor.refuse(_FIELD, f"no field is of type {code!r}")
            fields.append((code, field_name))
        self._annotation(depth)
        return self._finish(place, name, flags, tuple(fields), depth)

    def _proxy(self, depth: int) -> JavaClass:
        cursor = self._cursor
        place = len(self._seen)
        self._seen.append(None)
        number = cursor.count(_FIELD, least=2)
        cursor.spend(number, _VALUE_COST, _FIELD)
        names = [cursor.utf(_FIELD) for _ in range(number)]
        self._annotation(depth)
        return self._finish(place, f"proxy of {', '.join(names)}", _SERIALIZABLE, (), depth)

    def _finish(self, place: int, name: str, flags: int, fields: tuple[tuple[str, str], ...], depth: int) -> JavaClass:
        parent = self.value(depth)
        if parent is not None and not isinstance(parent, JavaClass):
            self._cursor.refuse(_FIELD, f"the class above {name!r} is not described")
        found = JavaClass(name=name, flags=flags, fields=fields, parent=parent)
        self._seen[place] = found
        return found

    def _reset(self, depth: int) -> JavaValue:
        if depth > 1:
            self._cursor.refuse(_FIELD, "it is begun anew in the middle of an object")
        self._seen.clear()
        return self.value(depth)

    _READERS: ClassVar[Mapping[int, Callable[[_ObjectReader, int], JavaValue]]] = {
        0x70: _null,
        0x71: _reference,
        0x72: _description,
        0x73: _object,
        0x74: _text,
        0x75: _array,
        0x76: _class,
        0x79: _reset,
        0x7C: _long_text,
        0x7D: _proxy,
        0x7E: _enum,
    }


def _lineage(type_: JavaClass) -> list[JavaClass]:
    """The classes whose fields an object holds, in the order in which they are written: from the top."""
    found: list[JavaClass] = []
    each: JavaClass | None = type_
    while each is not None:
        found.append(each)
        each = each.parent
    return found[::-1]
