"""Keeps what programs told when they were last asked for their job graphs: for looking back, at those that run.

A program that reads the outside world in its main() may give another graph the next time; so a version that is yet to
come is always asked anew. Whatever cannot be read or written is as if it were not there.

    CACHE/job-graphs/<digest>.json                       known by what the program is, and was told
    CACHE/job-graphs/delivered/python/<digest>/code      of PyFlink programs, unpacked (`targets/job_graphs.py`)
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "job-graphs"
_FORGOTTEN_AFTER_S = 90 * 86_400
"""without being looked at: of an application that runs, that is for as long as nobody changes it"""
_CODE_FORGOTTEN_AFTER_S = 7 * 86_400


def key_of(parts: Iterable[str | bytes]) -> str:
    """Return the digest of all that an answer depends on, each part with its length."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Return the digest of a file, an empty one when it cannot be read."""
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def find(cache: Path, key: str) -> bytes | None:
    """Return what was kept under a key."""
    path = _path(cache, key)
    with suppress(OSError):
        content = path.read_bytes()
        os.utime(path)
        return content
    return None


def keep(cache: Path, key: str, content: bytes) -> None:
    """Keep an answer, readable by its owner only, and forget what is old."""
    path = _path(cache, key)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, suffix=".draft")  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
        _forget(path.parent)


def _forget(folder: Path) -> None:
    """Delete answers that nobody wanted for long, and the code of Python programs that were not asked for a week."""
    now = time.time()
    for old in folder.glob("*.*"):
        if now - old.stat().st_mtime > _FORGOTTEN_AFTER_S:
            old.unlink(missing_ok=True)
    for code in folder.glob("delivered/python/*"):
        if now - code.stat().st_mtime > _CODE_FORGOTTEN_AFTER_S:
            shutil.rmtree(code, ignore_errors=True)


def _path(cache: Path, key: str) -> Path:
    return cache / FOLDER / f"{key}.json"
