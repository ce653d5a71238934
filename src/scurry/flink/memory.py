"""How much memory the processes of a local cluster get: Flink's memory model, which its shell scripts work out.

After the documentation's pages "Set up Flink's Process Memory", "Set up TaskManager Memory" and "Set up JobManager
Memory", and `TaskExecutorProcessUtils`; the TaskManager process itself refuses to start unless every part is given.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.model.errors import TargetUnsuitable

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1 << 20
GIB = 1 << 30

_TM = "taskmanager.memory."
_JM = "jobmanager.memory."
_UNITS = {"": 0, "b": 0, "bytes": 0, "k": 1, "kb": 1, "kibibytes": 1, "m": 2, "mb": 2, "mebibytes": 2}
_UNITS |= {"g": 3, "gb": 3, "gibibytes": 3, "t": 4, "tb": 4, "tebibytes": 4}

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
    sizes = _Sizes(config, _JM)
    wanted = sizes.get("process.size") or process or suggested_job_manager(machine_memory())
    off_heap = sizes.get("off-heap.size", 96 * MIB)
    metaspace = sizes.get("jvm-metaspace.size", 256 * MIB)
    overhead = sizes.bounded("jvm-overhead", wanted, fraction=0.1, least=64 * MIB, most=GIB)
    heap = sizes.get("heap.size") or (sizes.get("flink.size") or wanted - metaspace - overhead) - off_heap
    if heap < 128 * MIB:
        raise _too_small("JobManager", wanted, heap, 128 * MIB)
    return ProcessMemory(
        options={
            f"{_JM}heap.size": f"{heap}b",
            f"{_JM}off-heap.size": f"{off_heap}b",
            f"{_JM}jvm-metaspace.size": f"{metaspace}b",
            f"{_JM}jvm-overhead.min": f"{overhead}b",
            f"{_JM}jvm-overhead.max": f"{overhead}b",
        },
        flags=(f"-Xmx{heap // MIB}m", f"-XX:MaxMetaspaceSize={metaspace // MIB}m"),
        total=heap + off_heap + metaspace + overhead,
    )


def task_manager_memory(process: int, config: Mapping[str, str]) -> ProcessMemory:
    """Divide a TaskManager's memory. Raises `TargetUnsuitable` when it is too small."""
    sizes = _Sizes(config, _TM)
    wanted = sizes.get("process.size") or process
    metaspace = sizes.get("jvm-metaspace.size", 256 * MIB)
    overhead = sizes.bounded("jvm-overhead", wanted, fraction=0.1, least=64 * MIB, most=GIB)
    flink = sizes.get("flink.size") or wanted - metaspace - overhead
    framework_heap = sizes.get("framework.heap.size", 128 * MIB)
    framework_off_heap = sizes.get("framework.off-heap.size", 128 * MIB)
    task_off_heap = sizes.get("task.off-heap.size", 0)
    network = sizes.bounded("network", flink, fraction=0.1, least=64 * MIB, most=GIB)
    rest = flink - framework_heap - framework_off_heap - task_off_heap - network
    # Flink's default share of managed memory leaves nothing for user code below about 1 GiB; on a small machine it
    # gives way.
    managed = int(flink * sizes.fraction("managed", 0.4))
    managed = sizes.get("managed.size", max(min(managed, rest - _GOOD_HEAP), 0))
    task_heap = sizes.get("task.heap.size", rest - managed)
    if task_heap < _LEAST_HEAP:
        raise _too_small("TaskManager", wanted, task_heap, _LEAST_HEAP)
    parts = {
        "framework.heap.size": framework_heap,
        "framework.off-heap.size": framework_off_heap,
        "task.heap.size": task_heap,
        "task.off-heap.size": task_off_heap,
        "managed.size": managed,
        "network.min": network,
        "network.max": network,
        "jvm-metaspace.size": metaspace,
        "jvm-overhead.min": overhead,
        "jvm-overhead.max": overhead,
    }
    direct = framework_off_heap + task_off_heap + network
    return ProcessMemory(
        options={f"{_TM}{name}": f"{size}b" for name, size in parts.items()},
        flags=(
            f"-Xmx{(framework_heap + task_heap) // MIB}m",
            f"-XX:MaxDirectMemorySize={direct}",
            f"-XX:MaxMetaspaceSize={metaspace // MIB}m",
        ),
        total=framework_heap + task_heap + managed + direct + metaspace + overhead,
    )


def is_memory_option(key: str) -> bool:
    """Whether an option is one that is worked out here, so that the user's is read here and not written as it is."""
    return key.startswith((_TM, _JM)) and key.rsplit(".", 1)[-1] in ("size", "min", "max", "fraction")


def parse_size(text: str) -> int:
    """Read a size as Flink's `MemorySize` does: `512m`, `1 gb`, `1024`. Raises `ValueError`."""
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a memory size; write for example 512m or 2g")
    return int(match[1]) << 10 * _UNITS[match[2]]


class _Sizes:
    """The sizes among a cluster's options that have one prefix."""

    def __init__(self, config: Mapping[str, str], prefix: str) -> None:
        self._config = config
        self._prefix = prefix

    def get(self, name: str, default: int = 0) -> int:
        text = self._config.get(self._prefix + name)
        return default if text is None else self._read(name, text)

    def fraction(self, name: str, default: float) -> float:
        text = self._config.get(f"{self._prefix}{name}.fraction", str(default))
        try:
            return float(text)
        except ValueError as error:
            raise self._wrong(f"{name}.fraction", f"{text!r} is not a number") from error

    def bounded(self, name: str, whole: int, *, fraction: float, least: int, most: int) -> int:
        """A part that is a fraction of the whole within bounds."""
        least, most = self.get(f"{name}.min", least), self.get(f"{name}.max", most)
        return min(max(int(whole * self.fraction(name, fraction)), least), most)

    def _read(self, name: str, text: str) -> int:
        try:
            return parse_size(text)
        except ValueError as error:
            raise self._wrong(name, str(error)) from error

    def _wrong(self, name: str, why: str) -> TargetUnsuitable:
        return TargetUnsuitable(f"the option '{self._prefix}{name}' of the local cluster is wrong: {why}")


def _too_small(role: str, process: int, heap: int, least: int) -> TargetUnsuitable:
    setting = "task_manager_memory" if role == "TaskManager" else "job_manager_memory"
    return TargetUnsuitable(
        f"{process // MIB} MiB are too little for a {role}: its heap would have {heap // MIB} MiB "
        f"and needs at least {least // MIB}",
        hint=f"Raise '{setting}' of the target in scurry.yaml, or lower the sizes under its 'config'",
    )
