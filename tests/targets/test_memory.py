"""The memory target passes the suite that every target passes; so it may stand for them in tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.targets.memory import MemoryTarget
from scurry.testing.target_conformance import TargetConformance
from tests.targets.memory_rig import FakeClock, MemoryRig


class TestMemory(TargetConformance):
    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()


class TestMemoryInAFile(TargetConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> MemoryRig:
        return MemoryRig(MemoryTarget("memory", clock=FakeClock(), path=tmp_path / "memory.json"))
