"""How much memory the processes of a local cluster get, by what this machine has; Flink's scripts ask for it all.

How it is divided is `model/flink_memory.py`'s. Only what Flink's defaults are too generous in for a laptop is ours.
The TaskManager process refuses to start unless every part is given.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from scurry.model import flink_memory
from scurry.model.errors import TargetUnsuitable
from scurry.model.flink_memory import GIB, JOB_MANAGER, MIB, TASK_MANAGER, MemoryMisfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_SMALL = {"jvm-overhead.min": "64m", "network.max": "1g"}
"""of a TaskManager, in place of Flink's 192 MiB and no limit"""
_LEAST_HEAP = 48 * MIB
"""what user code has to have for anything to run at all, beside Flink's own 128 MiB"""
_GOOD_HEAP = 128 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """The memory of one process: its Flink options, and the limits for its Java virtual machine."""

    options: Mapping[str, str]
    flags: tuple[str, ...]
    total: int
    """bytes"""


def machine_memory() -> int:
    """Return the bytes that this machine, or the container that we are in, has."""
    import psutil

    total = int(psutil.virtual_memory().total)
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such control group, or `max`
            continue
    return total


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def suggested_job_manager(machine: int) -> int:
    """Return a JobManager's share, in bytes: from 704 MiB to 1 GiB. It runs the applications' `main`."""
    return min(max(machine // 16, 704 * MIB), GIB)


def suggested_task_manager(machine: int, *, task_managers: int, slots: int) -> int:
    """Return a TaskManager's share, in bytes: a quarter of the machine for all of them, within what its slots need."""
    return min(max(machine // 4 // task_managers, 768 * MIB), GIB + slots * 512 * MIB)


def job_manager_memory(process: int | None, config: Mapping[str, str]) -> ProcessMemory:
    """Divide a JobManager's memory. Raises `TargetUnsuitable` when it is too small."""
    options = {"jvm-overhead.min": "64m", "off-heap.size": "96m", **_sizes(config, JOB_MANAGER)}
    if not {"process.size", "flink.size", "heap.size"} & options.keys():
        options["process.size"] = str(process or suggested_job_manager(machine_memory()))
    found = _divided(flink_memory.job_manager_memory, options, JOB_MANAGER)
    if found.heap < 128 * MIB:
        raise _too_small(JOB_MANAGER, found.process, f"its heap would have {found.heap // MIB} MiB and needs 128 MiB")
    parts = {
        "heap.size": found.heap,
        "off-heap.size": found.off_heap,
        "jvm-metaspace.size": found.metaspace,
        "jvm-overhead.min": found.overhead,
        "jvm-overhead.max": found.overhead,
    }
    return ProcessMemory(
        options={JOB_MANAGER + name: f"{size}b" for name, size in parts.items()},
        flags=(f"-Xmx{found.heap // MIB}m", f"-XX:MaxMetaspaceSize={found.metaspace // MIB}m"),
        total=found.process,
    )


def task_manager_memory(process: int, config: Mapping[str, str]) -> ProcessMemory:
    """Divide a TaskManager's memory. Raises `TargetUnsuitable` when it is too small."""
    options = {**_SMALL, **_sizes(config, TASK_MANAGER)}
    if not ({"process.size", "flink.size"} & options.keys() or {"task.heap.size", "managed.size"} <= options.keys()):
        options["process.size"] = str(process)
    if not {"managed.size", "task.heap.size"} & options.keys():
        options |= _yielding(options)
    found = _divided(flink_memory.task_manager_memory, options, TASK_MANAGER)
    if found.task_heap < _LEAST_HEAP:
        why = f"user code would have {found.task_heap // MIB} MiB of heap and needs {_LEAST_HEAP // MIB} MiB"
        raise _too_small(TASK_MANAGER, found.process, why)
    parts = {
        "framework.heap.size": found.framework_heap,
        "framework.off-heap.size": found.framework_off_heap,
        "task.heap.size": found.task_heap,
        "task.off-heap.size": found.task_off_heap,
        "managed.size": found.managed,
        "network.min": found.network,
        "network.max": found.network,
        "jvm-metaspace.size": found.metaspace,
        "jvm-overhead.min": found.overhead,
        "jvm-overhead.max": found.overhead,
    }
    return ProcessMemory(
        options={TASK_MANAGER + name: f"{size}b" for name, size in parts.items()},
        flags=(
            f"-Xmx{found.heap // MIB}m",
            f"-XX:MaxDirectMemorySize={found.direct}",
            f"-XX:MaxMetaspaceSize={found.metaspace // MIB}m",
        ),
        total=found.process,
    )


def _sizes(config: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return what a user says of one kind of process, without the prefix."""
    return {key.removeprefix(prefix): text for key, text in config.items() if key.startswith(prefix)}


def _yielding(options: Mapping[str, str]) -> dict[str, str]:
    """Flink's default share of managed memory leaves nothing for user code below about 1 GiB; there it gives way."""
    with suppress(TargetUnsuitable):
        if _divided(flink_memory.task_manager_memory, options, TASK_MANAGER).task_heap >= _GOOD_HEAP:
            return {}
    rest = _divided(flink_memory.task_manager_memory, {**options, "managed.size": "0"}, TASK_MANAGER).task_heap
    return {"managed.size": str(max(rest - _GOOD_HEAP, 0))}


def _divided(divide: Callable[[Mapping[str, str]], T], options: Mapping[str, str], prefix: str) -> T:
    try:
        return divide({prefix + name: text for name, text in options.items()})
    except MemoryMisfit as error:
        if error.key == f"{prefix}process.size" and (size := options.get("process.size", "")).isdecimal():
            raise _too_small(prefix, int(size), error.why) from error
        raise TargetUnsuitable(f"the option '{error.key}' of the local cluster is wrong: {error.why}") from error


def _too_small(prefix: str, process: int, why: str) -> TargetUnsuitable:
    role, setting = ("TaskManager", "task_manager_memory")
    if prefix == JOB_MANAGER:
        role, setting = ("JobManager", "job_manager_memory")
    return TargetUnsuitable(
        f"{process // MIB} MiB are too little for a {role}: {why}",
        hint=f"Raise '{setting}' of the target in scurry.yaml, or lower the sizes under its 'config'",
    )
