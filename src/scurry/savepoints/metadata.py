"""The `_metadata` file of a snapshot, versions 2 to 6 (Flink 1.3 to 2.3): operators, and where the state of each is.

A file is read through once, which checks all of it. Of each subtask only its place and size are kept; its handles are
made again when they are asked for, so that a file with 50,000 subtasks is read in no more memory than its own size.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from scurry.savepoints.handle_reading import read_stream, read_subtask
from scurry.savepoints.handle_stepping import step_over_subtask
from scurry.savepoints.properties import CheckpointProperties, read_properties
from scurry.savepoints.reading import Cursor

if TYPE_CHECKING:
    from scurry.savepoints.handles import Stream, Subtask

MAGIC = 0x4960672D
VERSIONS = range(2, 7)
MOST_OPERATORS = 20_000
"""a job of that many cannot be run; a file that says so is not Flink's"""
MOST_PARALLELISM = 1 << 15
"""Flink's own limit (`KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM`)"""
MOST_SUBTASKS = 1 << 22
"""of all operators together"""

MOST_BYTES = 1 << 60
"""of one subtask"""

_NAME_COST = 200
_MASTER_MAGIC = 0xC96B1696 - (1 << 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtasks(Sequence["Subtask"]):
    """The subtasks of an operator that are in the file, in its order; handles are made when they are asked for."""

    data: bytes | memoryview = field(repr=False, compare=False)
    source: str
    version: int
    places: array[int]
    """where each begins in the file"""
    numbers: array[int]
    """of each, from 0"""
    sizes: array[int]
    """bytes of state of each"""
    holds: bytearray
    """kinds of state of each: `OPERATOR`, `KEYED`, `RAW`, `CHANNELS`; 0 for a subtask without any"""

    def holding(self, kind: int) -> list[int]:
        """Return the places of the subtasks that hold state of a kind, the largest first."""
        places = [place for place, kinds in enumerate(self.holds) if kinds & kind]
        return sorted(places, key=self.sizes.__getitem__, reverse=True)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Subtask: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Subtask]: ...
    def __getitem__(self, place: int | slice) -> Subtask | Sequence[Subtask]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        cursor = Cursor(self.data, source=self.source, pos=self.places[place])
        return read_subtask(cursor, self.numbers[place], self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEntry:
    """An operator of the job, with or without state."""

    id: str
    """32 hexadecimal digits"""
    name: str | None = None
    uid: str | None = None
    parallelism: int
    max_parallelism: int
    coordinator: Stream | None = None
    finished: bool = False
    """the whole operator, so that there are no subtasks"""
    finished_subtasks: array[int]
    subtasks: Subtasks

    @property
    def coordinator_bytes(self) -> int:
        """Bytes of the coordinator's state."""
        return self.coordinator.size if self.coordinator else 0

    @property
    def has_state(self) -> bool:
        """Whether Flink refuses to restore without this operator (`Checkpoints.loadAndValidateCheckpoint`)."""
        return self.coordinator is not None or any(self.subtasks.holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a `_metadata` file says."""

    version: int
    checkpoint_id: int
    master_states: tuple[str, ...] = ()
    """names of what the job's hooks left; of no application that is known"""
    operators: tuple[OperatorEntry, ...]
    properties: CheckpointProperties | None = None
    """None before version 4"""


def read_metadata(data: bytes | memoryview, *, source: str = "_metadata") -> Metadata:
    """Read a whole `_metadata` file; `source` names it in errors. Raises `SnapshotUnreadable`.

    `data` stays in use by what is returned: handles are read from it when they are asked for.
    """
    cursor = Cursor(data, source=source)
    if cursor.i32("magic number") != MAGIC:
        cursor.pos = 0
        cursor.refuse("magic number", f"it is {bytes(cursor.view[:4]).hex()}, not {MAGIC:x}: no `_metadata` of Flink")
    version = cursor.i32("version")
    if version not in VERSIONS:
        cursor.pos -= 4
        cursor.refuse("version", f"it is {version}; {VERSIONS[0]} to {VERSIONS[-1]} are known")
    checkpoint = cursor.i64("checkpoint id")
    masters = _master_states(cursor)
    number = cursor.count("number of operators", least=28)
    if number > MOST_OPERATORS:
        cursor.refuse("number of operators", f"it is {number:,}, and no job has more than {MOST_OPERATORS:,}")
    operators = tuple([_operator(cursor, version) for _ in range(number)])
    if sum(operator.parallelism for operator in operators) > MOST_SUBTASKS:
        cursor.refuse("number of operators", f"no job has more than {MOST_SUBTASKS:,} subtasks")
    return Metadata(
        version=version,
        checkpoint_id=checkpoint,
        master_states=masters,
        operators=operators,
        properties=read_properties(cursor) if version >= 4 else None,
    )


def _master_states(cursor: Cursor) -> tuple[str, ...]:
    number = cursor.count("number of master states", least=18)
    cursor.spend(number, _NAME_COST, "number of master states")
    names = []
    for _ in range(number):
        cursor.expect(_MASTER_MAGIC, "magic number of a master state")
        end = cursor.count("length of a master state", least=1) + cursor.pos
        cursor.i32("version of a master state")
        names.append(cursor.utf("name of a master state"))
        if cursor.pos > end:
            cursor.cut("name of a master state")
        cursor.pos = end
    return tuple(names)


def _operator(cursor: Cursor, version: int) -> OperatorEntry:
    cursor.spend_anew()
    name = cursor.utf("name of an operator") if version >= 5 else ""
    uid = cursor.utf("uid of an operator") if version >= 5 else ""
    operator_id = cursor.block(16, "id of an operator").hex()
    parallelism = cursor.i32("parallelism")
    max_parallelism = cursor.i32("max parallelism")
    if not 0 <= parallelism <= max_parallelism <= MOST_PARALLELISM:
        cursor.pos -= 8
        cursor.refuse("parallelism", f"{parallelism:,} of at most {max_parallelism:,} cannot be")
    coordinator = read_stream(cursor, "coordinator state") if version >= 3 else None
    if version == 2:
        cursor.i32("length of a chain")  # unused since Flink 1.3
    finished = array("i")
    subtasks = Subtasks(
        data=cursor.data,
        source=cursor.source,
        version=version,
        places=array("q"),
        numbers=array("i"),
        sizes=array("q"),
        holds=bytearray(),
    )
    number = cursor.i32("number of subtasks")
    if number != -1:
        cursor.pos -= 4
        number = cursor.count("number of subtasks", least=4)
        if number > parallelism:
            cursor.refuse("number of subtasks", f"{number:,} of {parallelism:,} cannot be")
        for _ in range(number):
            _subtask(cursor, subtasks, finished, parallelism)
    return OperatorEntry(
        id=operator_id,
        name=name or None,
        uid=uid or None,
        parallelism=parallelism,
        max_parallelism=max_parallelism,
        coordinator=coordinator,
        finished=number == -1,
        finished_subtasks=finished,
        subtasks=subtasks,
    )


def _subtask(cursor: Cursor, subtasks: Subtasks, finished: array[int], parallelism: int) -> None:
    index = cursor.i32("index of a subtask")
    number = index if index >= 0 else -index - 1
    if number >= parallelism or (index < 0 and subtasks.version == 2):
        cursor.pos -= 4
        cursor.refuse("index of a subtask", f"{index:,} cannot be of {parallelism:,} subtasks")
    if index < 0:  # it had finished, and left nothing
        finished.append(number)
        return
    place = cursor.pos
    cursor.spend_anew()
    size, kinds = step_over_subtask(cursor, index, subtasks.version)
    if size > MOST_BYTES:
        cursor.pos = place
        cursor.refuse("state of a subtask", f"{size:,} bytes cannot be")
    subtasks.places.append(place)
    subtasks.numbers.append(index)
    subtasks.sizes.append(size)
    subtasks.holds.append(kinds)
