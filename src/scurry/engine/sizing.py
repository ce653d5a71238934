"""What a parallelism becomes: TaskManagers, slots, processors, memory and money; on the managed service, and elsewhere.

Pure. How one process's memory is divided is `model/flink_memory.py`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.errors import TargetUnsuitable
from scurry.model.flink_memory import GIB, MIB, TASK_MANAGER, MemoryMisfit, TaskManagerMemory, task_manager_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

HOURS_A_MONTH = 730

# A KPU, and what the service allows: "How Managed Service for Apache Flink works", resources and quotas.
KPU_VCPUS = 1
KPU_HEAP = 3 * GIB
KPU_NATIVE = 1 * GIB
"""for RocksDB and Python workers, for network buffers and for the JVM itself"""
KPU_STORAGE_GIB = 50
MOST_PER_KPU = 8
DEFAULT_QUOTA_KPUS = 64
MANAGED_FRACTION = 0.4
"""Flink's `taskmanager.memory.managed.fraction`"""
SERVICE_MANAGED_FRACTION = 0.25

# `taskmanager.memory.managed.consumer-weights`: OPERATOR:70, STATE_BACKEND:70, PYTHON:30. Consumers that a slot does
# not have get nothing, so Python alone has all of it.
_STATE_BACKEND, _PYTHON = 70, 30

LEAST_RESERVE = 1 * GIB
RESERVED = 0.1
"""of a machine, for its system and what else runs on it; at least `LEAST_RESERVE`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a region of the managed service costs, in US dollars."""

    region: str
    kpu_hour: float
    of: str
    """when, and where it was read"""
    storage_gib_month: float | None = None
    """a GiB of running application storage for a month; None: not known"""


PRICES: Mapping[str, Price] = {
    "us-east-1": Price(
        region="us-east-1",
        kpu_hour=0.11,
        storage_gib_month=0.1,
        of="the service's pricing page, September 2026",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KpuSizing:
    """What a parallelism becomes on the managed service. Sizes in bytes."""

    parallelism: int
    per_kpu: int

    @property
    def kpus(self) -> int:
        """That run the application: Parallelism / ParallelismPerKPU, rounded up."""
        return math.ceil(self.parallelism / self.per_kpu)

    @property
    def billed_kpus(self) -> int:
        """With the one that orchestrates."""
        return self.kpus + 1

    @property
    def idle_slots(self) -> int:
        """Paid for, and without a subtask."""
        return self.kpus * self.per_kpu - self.parallelism

    @property
    def vcpus_per_slot(self) -> float:
        """Processors for each subtask."""
        return KPU_VCPUS / self.per_kpu

    @property
    def heap_per_slot(self) -> int:
        """For what the operators themselves hold."""
        return KPU_HEAP // self.per_kpu

    @property
    def native_per_slot(self) -> int:
        """For RocksDB, Python workers, network buffers and the JVM."""
        return KPU_NATIVE // self.per_kpu

    def managed_per_slot(self, fraction: float = SERVICE_MANAGED_FRACTION) -> int:
        """Managed memory for each slot, if that is its fraction."""
        return int((KPU_HEAP + KPU_NATIVE) * fraction) // self.per_kpu

    @property
    def storage_gib(self) -> int:
        """Of running application storage, which comes with the KPUs."""
        return self.kpus * KPU_STORAGE_GIB

    def per_month(self, price: Price) -> float:
        """Cost of 730 hours in US dollars, without storage and snapshots."""
        return self.billed_kpus * price.kpu_hour * HOURS_A_MONTH

    def storage_per_month(self, price: Price) -> float | None:
        """Cost of the running storage in US dollars, as the examples of the service's pricing page have it.

        They bill all that the KPUs have, used or not. Other pages of AWS call it included.
        """
        return None if price.storage_gib_month is None else self.storage_gib * price.storage_gib_month


def kpu_sizings(parallelism: int) -> tuple[KpuSizing, ...]:
    """Return what each ParallelismPerKPU makes of a parallelism, 1 first."""
    return tuple(KpuSizing(parallelism=parallelism, per_kpu=each) for each in range(1, MOST_PER_KPU + 1))


def cheapest(parallelism: int, *, heap_per_slot: int) -> KpuSizing | None:
    """Return the sizing with the fewest KPUs that leaves each slot so much heap; of equal ones, that with more memory.

    None where not even a KPU for each slot has it.
    """
    fitting = [sizing for sizing in kpu_sizings(parallelism) if sizing.heap_per_slot >= heap_per_slot]
    return min(fitting, key=lambda sizing: (sizing.kpus, sizing.per_kpu), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A kind of machine: an EC2 instance type."""

    name: str
    vcpus: int
    memory: int
    """bytes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSizing:
    """What a parallelism becomes on TaskManagers that are all alike."""

    parallelism: int
    slots: int
    """of each TaskManager"""
    memory: TaskManagerMemory
    vcpus: int | None = None
    """of each TaskManager, where that is known"""
    at_least: int = 1
    """TaskManagers that there are anyway"""

    @property
    def task_managers(self) -> int:
        """As many as the parallelism needs."""
        return max(math.ceil(self.parallelism / self.slots), self.at_least)

    @property
    def idle_slots(self) -> int:
        """Of all TaskManagers, without a subtask."""
        return self.task_managers * self.slots - self.parallelism

    @property
    def heap_per_slot(self) -> int:
        """For what the operators themselves hold. Slots do not fence it: one may take another's."""
        return self.memory.task_heap // self.slots

    @property
    def managed_per_slot(self) -> int:
        """Managed memory; it is fenced, an equal part for each slot."""
        return self.memory.managed // self.slots


def python_share(managed: int, *, rocksdb: bool) -> int:
    """Return what Python workers get of a slot's managed memory: all, or their weight beside that of RocksDB."""
    return managed * _PYTHON // (_PYTHON + _STATE_BACKEND) if rocksdb else managed


def on_machines(parallelism: int, machine: Machine, *, slots: int | None, config: Mapping[str, str]) -> ClusterSizing:
    """Size one TaskManager on each machine, with a slot for each processor. Raises as `on_task_managers` does."""
    reserve = max(int(machine.memory * RESERVED), LEAST_RESERVE)
    if machine.memory <= reserve:
        raise TargetUnsuitable(
            f"{machine.name} has {told(machine.memory)}, and {told(reserve)} are kept for the system",
            hint="Choose one with more memory, for example:\n  scurry size --on m7g.large",
        )
    process = f"{machine.memory - reserve}b"
    options = {f"{TASK_MANAGER}process.size": process, **config}
    return on_task_managers(parallelism, slots=slots or machine.vcpus, config=options, vcpus=machine.vcpus)


def on_task_managers(
    parallelism: int, *, slots: int, config: Mapping[str, str], vcpus: int | None = None, at_least: int = 1
) -> ClusterSizing:
    """Size TaskManagers whose memory is told by Flink's options. Raises `TargetUnsuitable` where they do not add up."""
    try:
        memory = task_manager_memory(config)
    except MemoryMisfit as error:
        raise TargetUnsuitable(
            f"the memory of a TaskManager does not add up: {error}",
            hint=f"Give it more, by '{TASK_MANAGER}process.size', or less to its parts.",
        ) from error
    return ClusterSizing(parallelism=parallelism, slots=slots, memory=memory, vcpus=vcpus, at_least=at_least)


def told(size: int) -> str:
    """Write a size as Flink's documentation does: `1.5 GiB`, `512 MiB`."""
    return f"{size / GIB:.2f}".rstrip("0").rstrip(".") + " GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
