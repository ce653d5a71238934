"""How Flink divides the memory of its processes: the same parts from the same options, to the byte.

After the pages "Set up Flink's Process Memory", "Set up TaskManager Memory" and "Set up JobManager Memory", and
`ProcessMemoryUtils`, `TaskExecutorFlinkMemoryUtils`, `JobManagerFlinkMemoryUtils`; compared with what Flink's own
`BashJavaUtils` says. Not in it: the options of before Flink 1.10, which 1.18 still reads.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB, GIB = 1 << 20, 1 << 30
TASK_MANAGER = "taskmanager.memory."
JOB_MANAGER = "jobmanager.memory."
_UNITS = {"": 0, "b": 0, "bytes": 0, "k": 1, "kb": 1, "kibibytes": 1, "m": 2, "mb": 2, "mebibytes": 2}
_UNITS |= {"g": 3, "gb": 3, "gibibytes": 3, "t": 4, "tb": 4, "tebibytes": 4}
_ENDLESS = (1 << 63) - 1


class MemoryMisfit(ValueError):
    """The options do not add up. `key` is the option that says so, the message what is wrong with it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """How big a part is by default: a fraction of the whole, within bounds in bytes."""

    fraction: float
    least: int
    most: int


_MANAGED = _Share(fraction=0.4, least=0, most=_ENDLESS)
_NETWORK = _Share(fraction=0.1, least=64 * MIB, most=_ENDLESS)
_OVERHEAD = _Share(fraction=0.1, least=192 * MIB, most=GIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManagerMemory:
    """The parts of a TaskManager's process, each in bytes."""

    framework_heap: int
    framework_off_heap: int
    task_heap: int
    """what the operators' own objects live in, and the state of the hashmap backend"""
    task_off_heap: int
    network: int
    managed: int
    """off the heap, lent by Flink to RocksDB, to sorting, and to Python workers"""
    metaspace: int
    overhead: int

    @property
    def heap(self) -> int:
        """Of the Java virtual machine: `-Xmx`."""
        return self.framework_heap + self.task_heap

    @property
    def direct(self) -> int:
        """`-XX:MaxDirectMemorySize`."""
        return self.framework_off_heap + self.task_off_heap + self.network

    @property
    def flink(self) -> int:
        """Total Flink memory: all but the metaspace and the overhead."""
        return self.heap + self.direct + self.managed

    @property
    def process(self) -> int:
        """All of it: what a container needs."""
        return self.flink + self.metaspace + self.overhead


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManagerMemory:
    """The parts of a JobManager's process, each in bytes."""

    heap: int
    off_heap: int
    metaspace: int
    overhead: int

    @property
    def flink(self) -> int:
        """Total Flink memory."""
        return self.heap + self.off_heap

    @property
    def process(self) -> int:
        """All of it: what a container needs."""
        return self.flink + self.metaspace + self.overhead


def task_manager_memory(options: Mapping[str, str]) -> TaskManagerMemory:
    """Divide a TaskManager's memory as Flink does. Raises `MemoryMisfit` where Flink refuses to start."""
    sizes = _Sizes(options, TASK_MANAGER)
    if sizes.has("task.heap.size") and sizes.has("managed.size"):
        parts = _from_parts(sizes)
        metaspace, overhead = _around(sizes, sum(parts.values()))
    elif sizes.has("flink.size"):
        total = sizes.get("flink.size", 0)
        parts = _from_total(sizes, total)
        metaspace, overhead = _around(sizes, total)
    else:
        total, metaspace, overhead = _within(sizes)
        parts = _from_total(sizes, total)
    return TaskManagerMemory(**parts, metaspace=metaspace, overhead=overhead)


def job_manager_memory(options: Mapping[str, str]) -> JobManagerMemory:
    """Divide a JobManager's memory as Flink does. Raises `MemoryMisfit` where Flink refuses to start."""
    sizes = _Sizes(options, JOB_MANAGER)
    off_heap = sizes.get("off-heap.size", 128 * MIB)
    if sizes.has("heap.size"):
        heap = sizes.get("heap.size", 0)
        if sizes.has("flink.size"):
            rest = _rest(sizes, "flink.size", {"heap": heap}, sizes.get("flink.size", 0))
            if sizes.has("off-heap.size") and rest != off_heap:
                raise sizes.misfit("flink.size", f"heap and off-heap memory together are {_told(heap + off_heap)}")
            off_heap = rest
        metaspace, overhead = _around(sizes, heap + off_heap)
    else:
        if sizes.has("flink.size"):
            total = sizes.get("flink.size", 0)
            metaspace, overhead = _around(sizes, total)
        else:
            total, metaspace, overhead = _within(sizes)
        heap = total - off_heap
    if heap <= 0:
        raise sizes.misfit("off-heap.size", f"{_told(off_heap)} leave nothing for the heap")
    return JobManagerMemory(heap=heap, off_heap=off_heap, metaspace=metaspace, overhead=overhead)


def is_memory_option(key: str) -> bool:
    """Whether an option is one of those that the division is made from."""
    return key.startswith((TASK_MANAGER, JOB_MANAGER)) and key.rsplit(".", 1)[-1] in ("size", "min", "max", "fraction")


def parse_memory(text: str) -> int:
    """Read a size as Flink's `MemorySize` does: `512m`, `1 gb`, `1024`. Raises `ValueError`."""
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a memory size; write for example 512m or 2g")
    return int(match[1]) << 10 * _UNITS[match[2]]


# Flink's own memory, inside ------------------------------------------------------------------------------------------


def _from_total(sizes: _Sizes, total: int) -> dict[str, int]:
    """`deriveFromTotalFlinkMemory`: what is not told is the task's heap; if that is told, the network's buffers."""
    parts = _fixed(sizes)
    managed = sizes.get("managed.size", -1)
    parts["managed"] = sizes.part("managed", total, _MANAGED) if managed < 0 else managed
    if sizes.has("task.heap.size"):
        parts["task_heap"] = sizes.get("task.heap.size", 0)
        parts["network"] = _rest(sizes, "task.heap.size", parts, total)
        sizes.check_bounds("network", parts["network"], _NETWORK)
    else:
        parts["network"] = sizes.part("network", total, _NETWORK)
        parts["task_heap"] = _rest(sizes, "flink.size" if sizes.has("flink.size") else "process.size", parts, total)
    return parts


def _from_parts(sizes: _Sizes) -> dict[str, int]:
    """`deriveFromRequiredFineGrainedOptions`: the total is the sum, or the network has what is left of it."""
    parts = _fixed(sizes)
    parts |= {"task_heap": sizes.get("task.heap.size", 0), "managed": sizes.get("managed.size", 0)}
    if sizes.has("flink.size"):
        parts["network"] = _rest(sizes, "flink.size", parts, sizes.get("flink.size", 0))
        sizes.check_bounds("network", parts["network"], _NETWORK)
    else:
        parts["network"] = sizes.part("network", sum(parts.values()), _NETWORK, inverse=True)
    return parts


def _fixed(sizes: _Sizes) -> dict[str, int]:
    return {
        "framework_heap": sizes.get("framework.heap.size", 128 * MIB),
        "framework_off_heap": sizes.get("framework.off-heap.size", 128 * MIB),
        "task_off_heap": sizes.get("task.off-heap.size", 0),
    }


def _rest(sizes: _Sizes, key: str, parts: Mapping[str, int], total: int) -> int:
    rest = total - sum(parts.values())
    if rest < 0:
        told = ", ".join(f"{name.replace('_', ' ')} {_told(size)}" for name, size in parts.items() if size)
        raise sizes.misfit(key, f"{_told(total)} of Flink's memory are {_told(-rest)} less than its parts: {told}")
    return rest


# The process around it -----------------------------------------------------------------------------------------------


def _within(sizes: _Sizes) -> tuple[int, int, int]:
    """Return Flink's memory, the metaspace and the overhead of a process whose size is told."""
    if not sizes.has("process.size"):
        raise sizes.misfit("process.size", "neither it nor `flink.size` is set, and Flink does not start without")
    process, metaspace = sizes.get("process.size", 0), sizes.get("jvm-metaspace.size", 256 * MIB)
    overhead = sizes.part("jvm-overhead", process, _OVERHEAD)
    if metaspace + overhead > process:
        raise sizes.misfit(
            "process.size",
            f"{_told(process)} are less than the metaspace ({_told(metaspace)}) and the JVM's overhead "
            f"({_told(overhead)})",
        )
    return process - metaspace - overhead, metaspace, overhead


def _around(sizes: _Sizes, flink: int) -> tuple[int, int]:
    """Return the metaspace and the overhead around a memory of Flink that is told."""
    metaspace = sizes.get("jvm-metaspace.size", 256 * MIB)
    if not sizes.has("process.size"):
        return metaspace, sizes.part("jvm-overhead", flink + metaspace, _OVERHEAD, inverse=True)
    overhead = sizes.get("process.size", 0) - flink - metaspace
    sizes.check_bounds("jvm-overhead", overhead, _OVERHEAD)
    return metaspace, overhead


class _Sizes:
    """The sizes among options that have one prefix."""

    def __init__(self, options: Mapping[str, str], prefix: str) -> None:
        self._options = options
        self._prefix = prefix

    def has(self, name: str) -> bool:
        return self._prefix + name in self._options

    def get(self, name: str, default: int) -> int:
        text = self._options.get(self._prefix + name)
        if text is None:
            return default
        try:
            return parse_memory(text)
        except ValueError as error:
            raise self.misfit(name, str(error)) from error

    def part(self, name: str, whole: int, default: _Share, *, inverse: bool = False) -> int:
        """Return a part that is a fraction, within bounds; `inverse`: of the whole with that part in it.

        Flink reads a fraction as a `float`, and multiplies by its decimal digits as a `double`.
        """
        share = self._fraction(name, default.fraction)
        share = share / (1 - share) if inverse else share
        least, most = self._bounds(name, default)
        return min(max(int(Decimal(whole) * Decimal(repr(share))), least), most)

    def check_bounds(self, name: str, size: int, default: _Share) -> None:
        least, most = self._bounds(name, default)
        if not least <= size <= most:
            bounds = f"at least {_told(least)}" if size < least else f"at most {_told(most)}"
            raise self.misfit(f"{name}.{'min' if size < least else 'max'}", f"{_told(size)} are left, not {bounds}")

    def misfit(self, name: str, why: str) -> MemoryMisfit:
        return MemoryMisfit(self._prefix + name, why)

    def _bounds(self, name: str, default: _Share) -> tuple[int, int]:
        least, most = self.get(f"{name}.min", default.least), self.get(f"{name}.max", default.most)
        if least > most:
            raise self.misfit(f"{name}.min", f"{_told(least)} are more than the maximum, {_told(most)}")
        return least, most

    def _fraction(self, name: str, default: float) -> float:
        key = f"{name}.fraction"
        text = self._options.get(self._prefix + key, str(default))
        try:
            (share,) = struct.unpack("f", struct.pack("f", float(text)))
        except (ValueError, OverflowError) as error:
            raise self.misfit(key, f"{text!r} is not a number") from error
        if not 0 <= share < 1:
            raise self.misfit(key, f"{text} is not a fraction from 0 to below 1")
        return float(share)


def _told(size: int) -> str:
    return f"{size / MIB:.0f} MiB" if abs(size) >= MIB else f"{size} bytes"
