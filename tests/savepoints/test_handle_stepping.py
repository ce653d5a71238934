"""Stepping over a subtask says the very same as reading it: bytes, kinds, end; or the error, at its place."""

from __future__ import annotations

import random
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from scurry.model.errors import SnapshotUnreadable
from scurry.savepoints.handle_reading import read_subtask
from scurry.savepoints.handle_stepping import step_over_subtask
from scurry.savepoints.metadata import read_metadata
from scurry.savepoints.reading import Cursor
from tests.savepoints.examples import FOLDERS, metadata_bytes
from tests.savepoints.test_fuzz import mutated

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = tuple[object, ...]
PIECE = 3_000
"""bytes: the first files of a database are in them"""


def stepped(cursor: Cursor, version: int) -> tuple[int, int]:
    return step_over_subtask(cursor, 0, version)


def read(cursor: Cursor, version: int) -> tuple[int, int]:
    subtask = read_subtask(cursor, 0, version)
    return subtask.size, subtask.holds


def outcome(way: Callable[[Cursor, int], tuple[int, int]], data: bytes, version: int) -> Outcome:
    cursor = Cursor(data, source="x")
    try:
        return (*way(cursor, version), cursor.pos)
    except SnapshotUnreadable as error:
        return type(error), error.offset, error.field, error.message


def pieces(folder: str) -> list[tuple[bytes, int]]:
    """What begins with a subtask, of each operator with one, and the version that it is of."""
    data = metadata_bytes(folder)
    found = read_metadata(data)
    return [
        (data[operator.subtasks.places[0] :], found.version) for operator in found.operators if operator.subtasks.places
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_whole_subtasks_and_those_cut_at_any_byte_are_stepped_over_as_they_are_read(folder: str) -> None:
    for data, version in pieces(folder):
        assert outcome(stepped, data, version) == outcome(read, data, version)
        for end in range(min(len(data), PIECE // 4)):
            assert outcome(stepped, data[:end], version) == outcome(read, data[:end], version)


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
def test_damaged_subtasks_are_stepped_over_or_refused_as_they_are_read(version: int) -> None:
    chance = random.Random(version)
    originals = [data[:PIECE] for folder in FOLDERS for data, _ in pieces(folder)]
    until, tried = monotonic() + 0.5, 0
    while monotonic() < until or tried < 500:
        data = mutated(chance.choice(originals), chance)
        assert outcome(stepped, data, version) == outcome(read, data, version)
        tried += 1


def test_more_files_than_a_database_has_are_counted_as_what_they_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scurry.savepoints.handle_stepping._MOST_FILES", 3)
    for data, version in pieces("java-rocksdb-native"):
        assert outcome(stepped, data, version) == outcome(read, data, version)
