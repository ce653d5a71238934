"""The savepoints and checkpoints under `files`, by folder."""

from __future__ import annotations

import lzma
from pathlib import Path

FILES = Path(__file__).parent / "files"
FOLDERS = tuple(sorted(path.parent.name for path in FILES.glob("*/_metadata*")))


def metadata_bytes(folder: str) -> bytes:
    """Return the `_metadata` of an example."""
    plain = FILES / folder / "_metadata"
    if plain.exists():
        return plain.read_bytes()
    return lzma.decompress(plain.with_suffix(".xz").read_bytes())


def true_sizes(folder: str) -> dict[str, int]:
    """Return the sizes of the files that are kept only in part."""
    listed = FILES / folder / "TRUNCATED"
    lines = listed.read_text().splitlines() if listed.exists() else []
    return {name: int(size) for name, size in map(str.split, lines)}
