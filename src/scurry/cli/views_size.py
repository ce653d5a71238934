"""What a parallelism becomes, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.cli.text import bold, grid
from scurry.engine.sizing import (
    DEFAULT_QUOTA_KPUS,
    MANAGED_FRACTION,
    SERVICE_MANAGED_FRACTION,
    kpu_sizings,
    python_share,
    told,
)

if TYPE_CHECKING:
    from scurry.engine.sizing import ClusterSizing, KpuSizing
    from scurry.sizing import Sized


def document(found: Sized) -> dict[str, Any]:
    """Return it as programs read it."""
    return {
        "application": found.name,
        "managed": None if found.managed is None else {**_kpu(found.managed, found), "all": _all(found)},
        "clusters": [{"place": place, **_cluster(sizing, found)} for place, sizing in found.clusters.items()],
    }


def _all(found: Sized) -> list[dict[str, Any]]:
    return [_kpu(sizing, found) for sizing in kpu_sizings(found.managed.parallelism)] if found.managed else []


def _kpu(sizing: KpuSizing, found: Sized) -> dict[str, Any]:
    return {
        "parallelism": sizing.parallelism,
        "per_kpu": sizing.per_kpu,
        "kpus": sizing.kpus,
        "billed_kpus": sizing.billed_kpus,
        "idle_slots": sizing.idle_slots,
        "vcpus_per_slot": sizing.vcpus_per_slot,
        "heap_bytes_per_slot": sizing.heap_per_slot,
        "native_bytes_per_slot": sizing.native_per_slot,
        "storage_gib": sizing.storage_gib,
        "region": found.region,
        "usd_per_month": round(sizing.per_month(found.price), 2) if found.price else None,
        "storage_usd_per_month": _storage(sizing, found),
    }


def _storage(sizing: KpuSizing, found: Sized) -> float | None:
    cost = sizing.storage_per_month(found.price) if found.price else None
    return None if cost is None else round(cost, 2)


def _cluster(sizing: ClusterSizing, found: Sized) -> dict[str, Any]:
    memory = sizing.memory
    return {
        "parallelism": sizing.parallelism,
        "task_managers": sizing.task_managers,
        "slots": sizing.slots,
        "idle_slots": sizing.idle_slots,
        "vcpus": sizing.vcpus,
        "process_bytes": memory.process,
        "heap_bytes_per_slot": sizing.heap_per_slot,
        "managed_bytes_per_slot": sizing.managed_per_slot,
        "python_bytes_per_slot": python_share(sizing.managed_per_slot, rocksdb=found.rocksdb) if found.python else None,
    }


def text(found: Sized) -> str:
    """Return it for people."""
    parts = [_managed_text(found.managed, found)] if found.managed else []
    parts += [_cluster_text(place, sizing, found) for place, sizing in found.clusters.items()]
    return "\n\n".join(parts)


def _managed_text(sizing: KpuSizing, found: Sized) -> str:
    name = found.name or "An application"
    head = f"{name} on the managed service, parallelism {sizing.parallelism}, {sizing.per_kpu} per KPU"
    idle = f", {sizing.idle_slots} idle" if sizing.idle_slots else ""
    lines = [
        bold(head),
        f"  {sizing.kpus} KPUs with {sizing.per_kpu} slots each{idle}; billed with the one that orchestrates: "
        f"{sizing.billed_kpus}",
        f"  each slot: {sizing.vcpus_per_slot:.2f} vCPU, {told(sizing.heap_per_slot)} of heap, "
        f"{told(sizing.native_per_slot)} native (RocksDB, Python, network, JVM)",
        f"  {_money(sizing, found)}",
        f"  {_storage_text(sizing, found)}",
    ]
    if sizing.kpus > DEFAULT_QUOTA_KPUS:
        lines.append(f"  more than the quota that an application has by default: {DEFAULT_QUOTA_KPUS} KPUs")
    if found.python:
        lines += _python_text(sizing)
    return "\n".join([*lines, "", _choices(sizing, found)])


def _money(sizing: KpuSizing, found: Sized) -> str:
    if found.price is None:
        return (
            f"cost: the price in {found.region} is not known here; ask AWS for it with --refresh-prices, or give it "
            "with --kpu-hour"
        )
    price = found.price
    return (
        f"${sizing.per_month(price):,.2f} a month: {sizing.billed_kpus} KPUs × ${price.kpu_hour:g} × 730 h in "
        f"{price.region} ({price.of}), without storage and snapshots"
    )


def _storage_text(sizing: KpuSizing, found: Sized) -> str:
    cost = _storage(sizing, found)
    if cost is None or found.price is None:
        return f"with them come {sizing.storage_gib} GiB of running storage"
    return (
        f"${cost:,.2f} a month for the {sizing.storage_gib} GiB of running storage that come with them, at "
        f"${found.price.storage_gib_month:g} a GiB, where it is billed as in the examples of the pricing page"
    )


def _python_text(sizing: KpuSizing) -> list[str]:
    service, flink = SERVICE_MANAGED_FRACTION, MANAGED_FRACTION
    here, there = (told(python_share(sizing.managed_per_slot(each), rocksdb=True)) for each in (service, flink))
    return [
        f"  Python workers of a slot, beside RocksDB: {here} at the service's managed fraction ({service:g}); "
        f"at Flink's own ({flink:g}) it would be {there}"
    ]


def _choices(chosen: KpuSizing, found: Sized) -> str:
    rows = [
        (
            f"{sizing.parallelism}/{sizing.per_kpu}" + (" ←" if sizing.per_kpu == chosen.per_kpu else ""),
            str(sizing.kpus),
            str(sizing.idle_slots),
            f"{sizing.vcpus_per_slot:.2f}",
            told(sizing.heap_per_slot),
            told(sizing.native_per_slot),
            f"{sizing.per_month(found.price):,.2f}" if found.price else "?",
        )
        for sizing in kpu_sizings(chosen.parallelism)
    ]
    header = ("PARALLELISM/PER KPU", "KPUS", "IDLE SLOTS", "VCPU/SLOT", "HEAP/SLOT", "NATIVE/SLOT", "USD/MONTH")
    return grid(header, rows)


def _cluster_text(place: str, sizing: ClusterSizing, found: Sized) -> str:
    memory = sizing.memory
    processors = f", {sizing.vcpus / sizing.slots:.2f} vCPU" if sizing.vcpus else ""
    lines = [
        bold(f"{found.name or 'An application'} on {place}, parallelism {sizing.parallelism}"),
        f"  {sizing.task_managers} TaskManagers with {sizing.slots} slots each, {sizing.idle_slots} idle",
        f"  each slot: {told(sizing.heap_per_slot)} of heap (not fenced), {told(sizing.managed_per_slot)} of managed "
        f"memory{processors}",
    ]
    if found.python:
        share = python_share(sizing.managed_per_slot, rocksdb=found.rocksdb)
        lines.append(f"  Python workers of a slot: {told(share)}{' beside RocksDB' if found.rocksdb else ''}")
    parts = (
        ("process", memory.process),
        ("task heap", memory.task_heap),
        ("framework heap", memory.framework_heap),
        ("managed", memory.managed),
        ("network", memory.network),
        ("off-heap", memory.framework_off_heap + memory.task_off_heap),
        ("metaspace", memory.metaspace),
        ("JVM overhead", memory.overhead),
    )
    lines.append("  a TaskManager: " + ", ".join(f"{name} {told(part)}" for name, part in parts))
    return "\n".join(lines)
