"""What a parallelism becomes: figures of the service's own documentation, and properties that hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from scurry.engine.sizing import (
    PRICES,
    KpuSizing,
    Machine,
    cheapest,
    kpu_sizings,
    on_machines,
    on_task_managers,
    python_share,
    told,
)
from scurry.model.errors import TargetUnsuitable
from scurry.model.flink_memory import GIB, MIB

US_EAST = PRICES["us-east-1"]


@pytest.mark.parametrize(
    ("parallelism", "per_kpu", "kpus", "idle", "per_month"),
    [
        (2, 1, 2, 0, 240.90),  # the example of the service's pricing page
        (40, 2, 20, 0, 1686.30),
        (40, 6, 7, 2, 642.40),
        (1, 8, 1, 7, 160.60),
        (256, 4, 64, 0, 5219.50),
    ],
)
def test_kpus_and_what_they_cost(parallelism: int, per_kpu: int, kpus: int, idle: int, per_month: float) -> None:
    found = KpuSizing(parallelism=parallelism, per_kpu=per_kpu)
    assert (found.kpus, found.idle_slots, found.billed_kpus) == (kpus, idle, kpus + 1)
    assert round(found.per_month(US_EAST), 2) == per_month
    assert found.storage_gib == 50 * kpus


def test_slots_share_what_a_kpu_has() -> None:
    found = KpuSizing(parallelism=40, per_kpu=2)
    assert (found.vcpus_per_slot, found.heap_per_slot, found.native_per_slot) == (0.5, 1536 * MIB, 512 * MIB)
    assert found.managed_per_slot() == 512 * MIB
    assert python_share(found.managed_per_slot(0.4), rocksdb=True) == int(0.4 * 4 * GIB) // 2 * 30 // 100
    assert python_share(100, rocksdb=False) == 100


@given(some.integers(1, 2000), some.integers(1, 3 * GIB))
def test_the_cheapest_is_the_cheapest_that_fits(parallelism: int, heap: int) -> None:
    found = cheapest(parallelism, heap_per_slot=heap)
    assert found is not None
    assert found.heap_per_slot >= heap
    for other in kpu_sizings(parallelism):
        if other.heap_per_slot >= heap:
            assert other.kpus >= found.kpus
            assert other.kpus > found.kpus or other.heap_per_slot <= found.heap_per_slot


def test_more_than_a_kpu_has_fits_none() -> None:
    assert cheapest(4, heap_per_slot=3 * GIB + 1) is None


def test_machines_hold_a_task_manager_each_with_a_slot_for_each_processor() -> None:
    found = on_machines(10, Machine(name="m7g.xlarge", vcpus=4, memory=16 * GIB), slots=None, config={})
    assert (found.task_managers, found.slots, found.idle_slots) == (3, 4, 2)
    assert abs(found.memory.process - 14.4 * GIB) < MIB
    assert found.managed_per_slot == found.memory.managed // 4
    config = {"taskmanager.memory.process.size": "4g", "taskmanager.memory.managed.size": "0"}
    assert on_machines(10, Machine(name="x", vcpus=4, memory=16 * GIB), slots=1, config=config).managed_per_slot == 0


def test_memory_that_does_not_suffice_is_told() -> None:
    with pytest.raises(TargetUnsuitable, match=r"t3\.micro has 1 GiB, and 1 GiB are kept for the system"):
        on_machines(1, Machine(name="t3.micro", vcpus=2, memory=GIB), slots=None, config={})
    with pytest.raises(TargetUnsuitable, match=r"does not add up: taskmanager\.memory\.process\.size: 400 MiB"):
        on_task_managers(1, slots=1, config={"taskmanager.memory.process.size": "400m"})


def test_sizes_are_told_as_people_write_them() -> None:
    assert [told(size) for size in (512 * MIB, GIB, 3 * GIB // 2, 10 * GIB + 256 * MIB)] == [
        "512 MiB",
        "1 GiB",
        "1.5 GiB",
        "10.25 GiB",
    ]
