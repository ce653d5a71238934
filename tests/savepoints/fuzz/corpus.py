"""The corpus of the fuzzer: real files and heads to begin with, and `inputs/`, what it found."""

from __future__ import annotations

from pathlib import Path

from scurry.savepoints.handles import InlineStream
from scurry.savepoints.metadata import read_metadata
from tests.savepoints.examples import FILES, FOLDERS, metadata_bytes

CORPUS = Path(__file__).with_name("inputs")
LONGEST = 20_000
"""of an input; with longer ones fuzzing is slow"""


def seeds() -> dict[str, bytes]:
    """Return inputs by name: the small `_metadata` files, and heads, in files of their own and inline."""
    found: dict[str, bytes] = {}
    for folder in FOLDERS:
        data = metadata_bytes(folder)
        if len(data) < LONGEST:
            found[f"metadata-{folder}"] = b"m" + data
        for operator in read_metadata(data).operators:
            for subtask in operator.subtasks[:1]:
                if subtask.operator and isinstance(subtask.operator.stream, InlineStream):
                    found[f"operator-{operator.id}"] = b"o" + bytes(subtask.operator.stream.content)
    for file in sorted(FILES.glob("*canonical/*-*-*")):
        found[f"keyed-{file.name}"] = b"k" + file.read_bytes()[:9000]
    return found


def inputs() -> dict[str, bytes]:
    """Return all inputs, those of the repository included."""
    return seeds() | {path.name: path.read_bytes() for path in sorted(CORPUS.glob("*"))}
