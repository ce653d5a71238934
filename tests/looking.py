"""Snapshots and programs that are made up: what a preflight looks at in tests that need no Flink."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from scurry.assembly import Assembly
from scurry.clock import SystemClock
from scurry.model.desired import Desired
from scurry.model.errors import ScurryError, SnapshotNotFound
from scurry.model.reporting import SilentReporter
from scurry.model.snapshot import Exported
from scurry.model.state import JobGraph, OpenedProgram, SnapshotRead, SnapshotState, StateHeads
from scurry.model.values import Text
from scurry.preflight import Preflight
from scurry.targets.memory import MemoryTarget
from tests.engine.state_of import held, program, snapshot, value, wanted

COUNT = value("count")


@dataclass(kw_only=True)
class MadeUp:
    """What snapshots hold and what programs ask for, as a test says."""

    state: SnapshotState = field(default_factory=lambda: snapshot(held("counts", COUNT)))
    graph: JobGraph = field(default_factory=lambda: program(wanted("counts", COUNT)))
    before: JobGraph | None = None
    """of programs that are asked as they are known"""
    opened: OpenedProgram = field(default_factory=OpenedProgram)
    changed: frozenset[str] | None = frozenset()
    sql: bool = False
    error: ScurryError | None = None
    """of asking a program"""
    gone: int = 0
    """so many reads find nothing"""
    on_read: Callable[[], None] = lambda: None
    on_sleep: Callable[[float], None] = lambda seconds: None
    reads: list[str] = field(default_factory=list)
    options: list[Mapping[str, Text]] = field(default_factory=list)
    """with which snapshots were read"""
    asked: list[Desired] = field(default_factory=list)
    heads: list[Sequence[StateHeads]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def preflight(self) -> Preflight:
        """Return a preflight that looks here."""
        return Preflight(
            snapshots=_Snapshots(self), programs=_Programs(self), reporter=SilentReporter(), clock=_Quick(self)
        )


@dataclass
class _Quick(SystemClock):
    of: MadeUp

    def sleep(self, seconds: float) -> None:
        self.of.on_sleep(seconds)


@dataclass
class _Snapshots:
    of: MadeUp

    def read(self, location: str, options: Mapping[str, Text]) -> SnapshotRead:
        with self.of.lock:
            self.of.reads.append(location)
            self.of.options.append(options)
            self.of.gone -= 1
            gone = self.of.gone >= 0
        self.of.on_read()
        if gone:
            raise SnapshotNotFound(f"there is nothing at {location}")
        return SnapshotRead(
            state=self.of.state, heads=tuple(StateHeads(operator=o.id) for o in self.of.state.operators)
        )

    def read_exported(self, exported: Exported) -> SnapshotRead:
        return self.read(exported.location, {})


@dataclass
class _Programs:
    of: MadeUp

    def graph(self, desired: Desired, defaults: Mapping[str, str], *, as_known: bool = False) -> JobGraph:
        with self.of.lock:
            self.of.asked.append(desired)
        if self.of.error:
            raise self.of.error
        if not as_known:
            return self.of.graph
        if self.of.before is None:
            raise ScurryError("the old program cannot be asked any more")
        return self.of.before

    def opened(
        self, desired: Desired, defaults: Mapping[str, str], heads: Sequence[StateHeads], *, backend: str | None
    ) -> OpenedProgram:
        self.of.heads.append(heads)
        return self.of.opened

    def is_sql(self, desired: Desired) -> bool:
        return self.of.sql

    def changed_classes(self, before: Desired, after: Desired) -> frozenset[str] | None:
        return self.of.changed


class FlinkInMemory(MemoryTarget):
    """The memory target as if its checkpoints were Flink's."""

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name, **given)
        self.writes_checkpoints = True

    def defaults(self, flink_version: str) -> Mapping[str, str]:
        """Return no options."""
        return {}


def make_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """Have the memory target pass for Flink, and all workspaces look at what is made up."""
    made_up = MadeUp()
    monkeypatch.setattr("scurry.targets.memory.MemoryTarget", FlinkInMemory)
    monkeypatch.setattr(Assembly, "preflight", property(lambda self: made_up.preflight()))
    return made_up
