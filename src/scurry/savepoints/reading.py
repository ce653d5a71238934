"""A bounded cursor over bytes that Flink wrote with `java.io.DataOutput`, and its errors: offset, field, file.

All integers are big endian. Whatever the bytes are, only `SnapshotUnreadable` comes out, and values that take more
memory than `Cursor.spend` allows are not made.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NoReturn

from scurry.model.errors import SnapshotUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_FACTOR = 4
"""what is made of a file takes at most so many times its size …"""
MEMORY_FLOOR = 16 * 1024 * 1024
"""… and this, so that small files with many small parts can be read"""
MOST_NESTED = 64
"""levels of serializers within serializers, of objects within objects; Flink's own are below 20"""

_I16 = struct.Struct(">h").unpack_from
_U16 = struct.Struct(">H").unpack_from
_I32 = struct.Struct(">i").unpack_from
_I64 = struct.Struct(">q").unpack_from


class BytesEnded(SnapshotUnreadable):
    """The bytes ended within a field: the file is cut short, or only its beginning was read so far."""


class Cursor:
    """A place in bytes, which moves on with everything that is read.

    `data` may be mapped from a file (as a memoryview); nothing but texts is copied out of it. The hot path reads
    `data` at `pos` itself, with structs of several fields, and says by `cut` where the bytes ended too early.
    """

    __slots__ = ("_purse", "_spendable", "data", "end", "origin", "pos", "source", "view")

    def __init__(self, data: bytes | memoryview, *, source: str, pos: int = 0) -> None:
        self.data = data
        self.view = memoryview(data)
        self.pos = pos
        self.end = len(data)
        self.source = source
        self.origin = 0
        """of `data` in the file"""
        self._purse = [0]
        self.spend_anew()

    def frame(self, length: int, field: str) -> Cursor:
        """Step over that many bytes, and return a cursor that cannot leave them."""
        start = self.pos
        inner = Cursor(self.block(length, field), source=self.source)
        inner.origin = self.origin + start
        inner._purse = self._purse
        return inner

    def spend_anew(self) -> None:
        """Forget what was made: it is no longer kept."""
        self._spendable = self._purse[0] = MEMORY_FACTOR * self.end + MEMORY_FLOOR

    @property
    def spent(self) -> int:
        """About how many bytes of memory what was made so far takes."""
        return self._spendable - self._purse[0]

    def spend(self, count: int, each: int, field: str) -> None:
        """Say that `count` values of about `each` bytes of memory will be made of what comes next."""
        self._purse[0] -= count * each
        if self._purse[0] < 0:
            self.refuse(field, f"{count:,} of them, and what was before, do not fit a file of {self.end:,} bytes")

    def i8(self, field: str) -> int:
        """One byte, with its sign."""
        byte = self.u8(field)
        return byte - 256 if byte > 127 else byte

    def u8(self, field: str) -> int:
        """One byte without a sign."""
        pos = self.pos
        if pos >= self.end:
            self.cut(field)
        self.pos = pos + 1
        return self.data[pos]

    def boolean(self, field: str) -> bool:
        """One byte; as in Java, all but 0 is true."""
        return self.u8(field) != 0

    def i16(self, field: str) -> int:
        """Two bytes, with sign."""
        return self._number(_I16, 2, field)

    def u16(self, field: str) -> int:
        """Two bytes, without a sign."""
        return self._number(_U16, 2, field)

    def i32(self, field: str) -> int:
        """Four bytes, with sign."""
        return self._number(_I32, 4, field)

    def i64(self, field: str) -> int:
        """Eight bytes, with sign."""
        return self._number(_I64, 8, field)

    def _number(self, unpack: Callable[[bytes | memoryview, int], tuple[int]], size: int, field: str) -> int:
        pos = self.pos
        try:
            (value,) = unpack(self.data, pos)
        except struct.error:
            self.cut(field)
        self.pos = pos + size
        return value

    def count(self, field: str, *, least: int) -> int:
        """A number of things that follow, of which each takes at least `least` bytes."""
        number = self.i32(field)
        if number < 0:
            self.pos -= 4
            self.refuse(field, f"{number:,} of them cannot be")
        if number * least > self.end - self.pos:
            self.pos -= 4
            self.cut(field, f"{number:,} of them do not fit the {self.end - self.pos:,} bytes that follow")
        return number

    def utf(self, field: str) -> str:
        """A text as `DataOutput.writeUTF` writes it: length in two bytes, modified UTF-8."""
        start = self.pos + 2
        return self.text(self.u16(field), start, field)

    def text(self, length: int, start: int, field: str) -> str:
        """A text of modified UTF-8 of that many bytes, which begins at `start`."""
        stop = start + length
        if length < 0 or stop > self.end:
            self.cut(field)
        self.pos = stop
        try:
            return str(self.view[start:stop], "ascii")
        except UnicodeDecodeError:
            return self._modified_utf8(start, stop, field)

    def _modified_utf8(self, start: int, stop: int, field: str) -> str:
        raw = bytes(self.view[start:stop]).replace(b"\xc0\x80", b"\0")
        try:
            text = raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            self.pos = start
            self.refuse(field, f"it is not a text: {error.reason}", error)
        # Pairs of surrogates become the characters that they stand for; a lone one cannot be printed.
        return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")

    def block(self, length: int, field: str) -> memoryview:
        """That many bytes, not copied."""
        stop = self.pos + length
        if length < 0 or stop > self.end:
            self.cut(field)
        block = self.view[self.pos : stop]
        self.pos = stop
        return block

    def skip(self, length: int, field: str) -> None:
        """Step over that many bytes."""
        if length < 0 or self.pos + length > self.end:
            self.cut(field)
        self.pos += length

    def expect(self, wanted: int, field: str) -> None:
        """Four bytes that can only be this."""
        found = self.i32(field)
        if found != wanted:
            self.pos -= 4
            self.refuse(field, f"{found} stands where only {wanted} can")

    def cut(self, field: str, why: str = "") -> NoReturn:
        """Refuse bytes that end within a field."""
        raise self._refusal(BytesEnded, field, why or f"the bytes end there, {self.end:,} in all")

    def refuse(self, field: str, why: str, cause: Exception | None = None) -> NoReturn:
        """Say that a field, at the cursor's place, is not what Flink writes."""
        raise self._refusal(SnapshotUnreadable, field, why) from cause

    def _refusal(self, type_: type[SnapshotUnreadable], field: str, why: str) -> SnapshotUnreadable:
        offset = self.origin + self.pos
        return type_(
            f"{self.source!r} cannot be read at its {field} (offset {offset:,}): {why}",
            offset=offset,
            field=field,
            hint="It is damaged, cut short, or not what Flink wrote. Take or name another snapshot",
        )
