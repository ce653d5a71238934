"""Writes zip archives that are the same to the byte wherever and whenever they are written.

Entries of other archives are taken over as they are, still compressed: that is fast, and free of the differences
between the compressors of machines. For the same reason new entries are stored uncompressed.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")

_VERSION = 20
_VERSION_64 = 45
_UNIX = 3
_UTF8 = 0x800
_TIME = 0
_DATE = 1 << 5 | 1  # the first of January 1980, the first day that the format knows
_FILE_MODE = 0o100644 << 16
_FOLDER_MODE = 0o040755 << 16 | 0x10
_MANY = 0xFFFF
_LARGE = 0xFFFFFFFF
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    name: bytes
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


class ZipWriter:
    """Writes one archive into an open file, entry by entry, in the order of the calls; `close` completes it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._entries: list[_Entry] = []
        self._offset = 0

    def add(self, name: str, data: bytes = b"") -> None:
        """Write an entry; a name that ends with `/` is a folder's."""
        header = self._begin(name, zipfile.ZIP_STORED, zlib.crc32(data), len(data), len(data))
        self._write(header)
        self._write(data)

    def copy(self, source: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str | None = None) -> None:
        """Take an entry over from another archive, under another name if given.

        Raises `ArtifactError` when it is damaged.
        """
        method = entry.compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise ArtifactError(
                f"{entry.filename!r} in {source.filename!r} is encrypted or compressed in a way that Java does not read"
            )
        self._write(self._begin(name or entry.filename, method, entry.CRC, entry.compress_size, entry.file_size))
        file = source.fp
        if file is None:
            raise ValueError("the archive is closed")
        file.seek(entry.header_offset)
        local = file.read(_LOCAL.size)
        if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
            raise ArtifactError(f"{source.filename!r} is damaged at {entry.filename!r}")
        *_, name_length, extra_length = _LOCAL.unpack(local)
        file.seek(name_length + extra_length, 1)
        self._transfer(file.read, entry.compress_size, source.filename or "")

    def close(self) -> None:
        """Write the directory of the archive."""
        start = self._offset
        for entry in self._entries:
            self._write(_central(entry))
        size, count = self._offset - start, len(self._entries)
        if count >= _MANY or start >= _LARGE:
            end_64 = self._offset
            self._write(
                _END_64.pack(b"PK\x06\x06", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, size, start)
                + _LOCATOR_64.pack(b"PK\x06\x07", 0, end_64, 1)
            )
        few = min(count, _MANY)
        self._write(_END.pack(b"PK\x05\x06", 0, 0, few, few, size, min(start, _LARGE), 0))

    def _begin(self, name: str, method: int, checksum: int, packed: int, size: int) -> bytes:
        if max(packed, size, self._offset) >= _LARGE:
            raise ArtifactError(f"the archive would become larger than 4 GiB at {name!r}")
        encoded = name.encode()
        entry = _Entry(name=encoded, method=method, checksum=checksum, packed=packed, size=size, offset=self._offset)
        self._entries.append(entry)
        header = (b"PK\x03\x04", _VERSION, _UTF8, method, _TIME, _DATE, checksum, packed, size, len(encoded), 0)
        return _LOCAL.pack(*header) + encoded

    def _transfer(self, read: Callable[[int], bytes], size: int, name: str) -> None:
        while size:
            chunk = read(min(size, _CHUNK))
            if not chunk:
                raise ArtifactError(f"{name!r} ends too early")
            self._write(chunk)
            size -= len(chunk)

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._offset += len(data)


def _central(entry: _Entry) -> bytes:
    mode = _FOLDER_MODE if entry.name.endswith(b"/") else _FILE_MODE
    fields = (
        *(b"PK\x01\x02", _VERSION, _UNIX, _VERSION, 0, _UTF8, entry.method, _TIME, _DATE),
        *(entry.checksum, entry.packed, entry.size, len(entry.name), 0, 0, 0, 0, mode, entry.offset),
    )
    return _CENTRAL.pack(*fields) + entry.name
