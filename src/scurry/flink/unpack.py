"""Unpacks a wheel, a source archive or a Flink tarball, safely and with progress. Knows nothing of what is inside."""

from __future__ import annotations

import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.model.reporting import Reporter


class ArchiveBroken(Exception):
    """The file is no archive, is cut short, or has entries that would land outside the folder."""


def unpack(archive: Path, into: Path, *, title: str, reporter: Reporter) -> None:
    """Unpack everything under `into`. Raises `ArchiveBroken`, or `OSError` when it cannot be written."""
    try:
        with reporter.activity(title, total=archive.stat().st_size) as activity:
            unpacked = _unpack_zip if zipfile.is_zipfile(archive) else _unpack_tar
            for amount in unpacked(archive, into):
                activity.advance(amount)
    except (tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise ArchiveBroken(str(error) or type(error).__name__) from error


def _unpack_zip(archive: Path, into: Path) -> Iterator[int]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            path = opened.extract(member, into)  # drops drive letters and `..` by itself
            mode = member.external_attr >> 16 & 0o777
            if mode & 0o100 and not member.is_dir():
                os.chmod(path, mode | 0o600)  # zipfile forgets what is executable
            yield member.compress_size


def _unpack_tar(archive: Path, into: Path) -> Iterator[int]:
    done = 0
    with archive.open("rb") as raw, tarfile.open(fileobj=raw) as opened:
        for member in opened:
            opened.extract(member, into, filter="data")  # refuses absolute paths, `..`, devices and links to elsewhere
            yield raw.tell() - done
            done = raw.tell()
