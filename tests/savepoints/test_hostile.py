"""Broken and hostile input: one typed error with offset and field, in bounded memory and time."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from time import process_time

import pytest

from scurry.model.errors import SnapshotUnreadable
from scurry.savepoints.files import LocalStorage
from scurry.savepoints.handles import RELATIVE, FileStream, KeyedHandle
from scurry.savepoints.heads import read_keyed_head, read_operator_head
from scurry.savepoints.java_objects import read_object
from scurry.savepoints.logical_types import described
from scurry.savepoints.metadata import read_metadata
from scurry.savepoints.reading import MEMORY_FACTOR, MEMORY_FLOOR, Cursor
from scurry.savepoints.streams import StreamReader
from tests.savepoints.examples import FILES, FOLDERS, metadata_bytes
from tests.savepoints.writing import MAGIC, Operator, Snapshot, framed, i8, i16, i32, i64, utf, write

LONG = "org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot"
LIST = "org.apache.flink.api.common.typeutils.base.ListSerializerSnapshot"
TYPE = "org.apache.flink.api.java.typeutils.runtime."


def refused(data: bytes, read: Callable[[bytes], object] = read_metadata) -> SnapshotUnreadable:
    with pytest.raises(SnapshotUnreadable) as caught:
        read(data)
    error = caught.value
    assert 0 <= error.offset <= len(data)
    assert error.field
    assert error.hint
    assert f"offset {error.offset:,}" in error.message
    return error


def keyed_head(data: bytes) -> object:
    return read_keyed_head(Cursor(data, source="head"))


def operator_head(data: bytes) -> object:
    return read_operator_head(Cursor(data, source="head"))


def java(data: bytes) -> object:
    return read_object(Cursor(data, source="object"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_cut_short_anywhere_is_refused(folder: str) -> None:
    data = metadata_bytes(folder)
    at_most = 8_000 if len(data) < 10_000 else 300
    for end in range(0, len(data), max(1, len(data) // at_most)):
        refused(data[:end])


@pytest.mark.parametrize("folder", ["java-hashmap-canonical", "sqlplan-rocksdb-canonical", "py-rocksdb-canonical"])
def test_a_head_is_read_on_wherever_the_first_read_ends(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = next(path for path in sorted((FILES / folder).glob("*-*-*")))
    size = file.stat().st_size
    reader = StreamReader(str(FILES / folder), LocalStorage())
    stream = FileStream(RELATIVE, file.name, size, 0, 0)
    whole = reader.head(stream, read_keyed_head)
    assert whole
    for first in range(1, whole.length + 20, 5):
        monkeypatch.setattr("scurry.savepoints.streams.FIRST_READ", first)
        assert reader.head(stream, read_keyed_head) == whole


def test_a_count_that_cannot_be_is_refused_before_anything_is_made() -> None:
    start = struct.pack(">Iiq", MAGIC, 6, 1)
    operator = utf("") + utf("") + bytes(16) + i32(1) + i32(128) + i8(0)
    for count in (2**31 - 1, -(2**31), -2, 2**30):
        assert refused(start + i32(count)).field == "number of master states"
        assert refused(start + i32(0) + i32(count)).field == "number of operators"
        assert refused(start + i32(0) + i32(1) + operator + i32(count)).field == "number of subtasks"
    subtask = start + i32(0) + i32(1) + operator + i32(1) + i32(0)
    for count in (2**31 - 1, -1):
        assert refused(subtask + i32(1) + i8(4) + i32(count)).field == "operator state handle"
        assert refused(subtask + i32(0) + i32(0) + i8(7) + i32(0) + i32(count)).field in {
            *("keyed state handle", "offsets of key groups"),
        }


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\3\4" + bytes(60), b"\x7fELF" + bytes(60), b"{}", b"\xca\xfe\xba\xbe" * 9, bytes(100), b"a" * 4096],
)
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    assert refused(data).field == "magic number"


@pytest.mark.parametrize("version", [-1, 0, 1, 7, 2**31 - 1])
def test_another_version_is_refused_by_number(version: int) -> None:
    assert f"it is {version}" in refused(struct.pack(">Iiq", MAGIC, version, 1) + bytes(8)).message


@pytest.mark.parametrize(
    ("parallelism", "max_parallelism"), [(2, 1), (-1, 5), (1, 32769), (2**31 - 1, 2**31 - 1), (0, -1)]
)
def test_a_parallelism_that_cannot_be_is_refused(parallelism: int, max_parallelism: int) -> None:
    data = write(Snapshot(version=3, operators=(Operator(parallelism=parallelism, max_parallelism=max_parallelism),)))
    assert refused(data).field == "parallelism"


def test_handles_nested_without_end_are_refused() -> None:
    def nested(depth: int) -> bytes:
        changelog = i8(8) + i32(0) + i32(1) + i64(0) + i32(1)
        return changelog * depth + i8(0) + (i32(0) + i64(0) + utf("")) * depth

    def file(keyed: bytes) -> bytes:
        data = write(Snapshot(version=3, operators=(Operator(parallelism=1),)))
        return data[:-4] + i32(1) + i32(0) + i32(0) + i32(0) + keyed + i8(0) + i32(0) + i32(0)

    (operator,) = read_metadata(file(nested(50))).operators
    keyed: KeyedHandle | None = operator.subtasks[0].keyed
    assert keyed
    assert "nested too deeply" in refused(file(nested(50_000))).message
    key_groups = (i8(3) + i32(0) + i32(0)) * 50_000
    assert "key groups in key groups" in refused(file(i8(7) + i32(0) + i32(0) + key_groups)).message


def composite(*parts: bytes, name: str = LIST, outer: bytes = b"") -> bytes:
    return utf(name) + i32(3) + i32(911108) + i32(1) + outer + i32(1333245) + i32(1) + i32(len(parts)) + b"".join(parts)


def head_of(key: bytes) -> bytes:
    return i32(6) + i8(0) + i32(2) + key + i16(0)


def test_serializers_nested_without_end_are_refused() -> None:
    inner = utf(LONG) + i32(3)
    for _ in range(60):
        inner = composite(inner)
    assert read_keyed_head(Cursor(head_of(inner), source="head")).key
    endless = (utf(LIST) + i32(3) + i32(911108) + i32(1) + i32(1333245) + i32(1) + i32(1)) * 5_000
    assert "levels deep" in refused(head_of(endless), keyed_head).message


def test_pojos_nested_without_end_are_refused() -> None:
    def pojo(field: bytes) -> bytes:
        entry = utf("f") + i8(0) + i8(1) + framed(field)
        maps = i64(0x4F2C69A3D70) + i32(1) + entry + (i64(0x4F2C69A3D70) + i32(0)) * 2
        return utf(TYPE + "PojoSerializerSnapshot") + i32(2) + utf("a.B") + maps

    inner = utf(LONG) + i32(3)
    for _ in range(200):
        inner = pojo(inner)
    assert "levels deep" in refused(head_of(inner), keyed_head).message


OBJECT = b"\xac\xed\0\5"


def class_of(name: str, *fields: tuple[str, str], flags: int = 2) -> bytes:
    told = b"".join(code.encode() + utf(field) + b"\x74" + utf("Ljava/lang/Object;") for code, field in fields)
    return b"\x72" + utf(name) + bytes(8) + bytes([flags]) + i16(len(fields)) + told + b"\x78\x70"


def test_java_objects_nested_without_end_are_refused() -> None:
    first = b"\x73" + class_of("A", ("L", "next"))
    again = b"\x73\x71" + i32(0x7E0000)
    assert "levels deep" in refused(OBJECT + first + again * 10_000, java).message
    assert "levels deep" in refused(OBJECT + b"\x76" * 10_000, java).message


def test_a_cycle_of_java_objects_is_read_and_described() -> None:
    # An array type whose element type is itself: the class is handle 0, the name of the field's type 1, the object 2.
    root = class_of("Root", flags=0x12)
    type_ = b"\x73" + class_of("ArrayType", ("L", "elementType"), ("L", "typeRoot"))
    data = OBJECT + type_ + b"\x71" + i32(0x7E0003) + b"\x7e" + root + b"\x74" + utf("ARRAY")
    found = described(read_object(Cursor(data, source="object")))
    assert found.startswith("ARRAY<ARRAY<")
    assert len(found) < 4001


def test_objects_that_refer_to_each_other_do_not_become_a_type_without_end() -> None:
    # Maps whose key and value are the same map, as deep as a description goes: 2 ** 20 names, if all were told.
    root = b"\x7e" + class_of("Root", flags=0x12) + b"\x74" + utf("MAP")
    first = b"\x73" + class_of("MapType", ("L", "keyType"), ("L", "typeRoot"), ("L", "valueType"))
    levels = 30
    out = OBJECT + first + (b"\x73\x71" + i32(0x7E0000)) * levels
    # Handles: 0 the class, 1 to 3 the names of its fields' types, 4 the outermost object, then those within it.
    out += b"\x70" + root + b"\x70"
    innermost = 4 + levels
    constant = innermost + 3  # the class of the enum, the name of its field is none; then the constant itself
    for level in range(levels):
        out += b"\x71" + i32(0x7E0000 + constant - 1) + b"\x71" + i32(0x7E0000 + innermost - level)
    started = process_time()
    found = described(read_object(Cursor(out, source="object")))
    assert process_time() - started < 5
    assert found.startswith("MAP<MAP<MAP<")
    assert len(found) <= 4000


def test_a_reference_to_nothing_is_refused() -> None:
    for number in (0x7E0000, 0x7E0005, -1, 0):
        assert refused(OBJECT + b"\x71" + i32(number), java).field == "Java object"


def test_an_array_of_2_31_elements_is_refused() -> None:
    data = OBJECT + b"\x75" + class_of("[Ljava.lang.Object;") + i32(2**31 - 1) + b"\x70" * 10
    refused(data, java)


def test_texts_that_are_none_are_refused() -> None:
    data = write(Snapshot(version=6, operators=(Operator(name="abc"),)))
    for bad in (b"\xff\xff\xff", b"ab\x80", b"a\xe0\x80"):
        error = refused(data.replace(b"abc", bad))
        assert error.field == "name of an operator"
    (operator,) = read_metadata(data.replace(b"abc", b"\xed\xa0\x80") + properties()).operators
    assert operator.name == "\N{REPLACEMENT CHARACTER}"


def properties() -> bytes:
    data = metadata_bytes("f120-rocksdb-canonical")
    return data[data.rindex(OBJECT) :]


def peak_of(data: bytes, read: Callable[[bytes], object]) -> int:
    tracemalloc.start()
    try:
        kept = read(data)
        del kept
        return tracemalloc.get_traced_memory()[1]
    except SnapshotUnreadable:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def everything(data: bytes) -> object:
    return [subtask for operator in read_metadata(data).operators for subtask in [*operator.subtasks[:2]]]


BIG = 500_000
IN_SUBTASK = write(Snapshot(version=3, operators=(Operator(parallelism=1),)))[:-4] + i32(1) + i32(0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(IN_SUBTASK + i32(1) + i8(4) + i32(BIG) + (utf("") + i8(0) + i32(0)) * BIG, id="states"),
        pytest.param(
            IN_SUBTASK
            + (i32(0) + i32(0) + i8(5) + i64(0) + utf("") + i32(0) + i32(0) + i8(0) + i32(BIG))
            + (utf("") + i8(0)) * BIG,
            id="files",
        ),
        pytest.param(
            IN_SUBTASK + i32(0) + i32(0) + i8(8) + i32(0) + i32(0) + i64(0) + i32(BIG) + i8(0) * BIG, id="parts"
        ),
        pytest.param(
            IN_SUBTASK + (i32(0) + i32(0) + i8(9) + i32(0) + i32(0) + bytes(16) + i32(BIG)) + (i32(-1) + i32(0)) * BIG,
            id="changes",
        ),
        pytest.param(
            struct.pack(">Iiq", MAGIC, 3, 1) + i32(0) + i32(20_000) + (bytes(16) + i32(0) * 3 + i8(0)) * 20_000,
            id="operators",
        ),
        pytest.param(
            write(Snapshot(version=3, operators=(Operator(parallelism=9),)))[:-4] + i32(BIG) + i32(-3) * BIG,
            id="finished",
        ),
        pytest.param(
            struct.pack(">Iiq", MAGIC, 4, 1)
            + (i32(0) + i32(0) + OBJECT + b"\x75" + class_of("[Ljava.lang.Object;") + i32(BIG) + b"\x70" * BIG),
            id="nulls",
        ),
    ],
)
def test_memory_is_bounded_by_the_size_of_the_file(data: bytes) -> None:
    assert peak_of(data, everything) <= MEMORY_FACTOR * len(data) + MEMORY_FLOOR + 8 * 2**20


@pytest.mark.parametrize("head", [keyed_head, operator_head])
def test_a_head_of_nothing_but_names_takes_bounded_memory(head: Callable[[bytes], object]) -> None:
    data = i32(6) + i8(0) + (i32(2) + utf(LONG) + i32(3) if head is keyed_head else b"") + i16(32767)
    data += (utf("") + i32(0) + i32(0) + i32(0)) * 32767
    assert peak_of(data, head) <= MEMORY_FACTOR * len(data) + MEMORY_FLOOR + 8 * 2**20
