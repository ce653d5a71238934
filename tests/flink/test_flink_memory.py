"""Flink's memory model, compared to the byte with what Flink's own `BashJavaUtils` says of the same options."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from scurry.model.flink_memory import (
    JOB_MANAGER,
    MIB,
    TASK_MANAGER,
    MemoryMisfit,
    job_manager_memory,
    parse_memory,
    task_manager_memory,
)
from tests.targets.probe import jar_of
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes

TASK_MANAGERS: list[dict[str, str]] = [
    {"process.size": "1728m"},
    {"process.size": "1g"},
    {"process.size": "4g"},
    {"process.size": "64g"},
    {"process.size": "123456789b", "jvm-metaspace.size": "16m", "jvm-overhead.min": "1m"},
    {"flink.size": "1280m"},
    {"flink.size": "3g", "jvm-overhead.fraction": "0.25"},
    {"flink.size": "20g", "jvm-overhead.max": "3g"},
    {"process.size": "4g", "flink.size": "3g"},
    {"process.size": "4g", "flink.size": "3900m"},
    {"process.size": "4g", "managed.fraction": "0.25"},
    {"process.size": "4g", "managed.fraction": "0.0"},
    {"process.size": "4g", "managed.fraction": "0.95"},
    {"process.size": "4g", "managed.size": "0"},
    {"process.size": "4g", "managed.size": "1500m", "managed.fraction": "0.9"},
    {"process.size": "4g", "network.fraction": "0.2"},
    {"process.size": "4g", "network.min": "600m"},
    {"process.size": "4g", "network.max": "100m"},
    {"process.size": "4g", "network.min": "200m", "network.max": "100m"},
    {"process.size": "4g", "task.heap.size": "1g"},
    {"process.size": "4g", "task.heap.size": "3g"},
    {"process.size": "8g", "task.heap.size": "1g", "network.max": "512m"},
    {"task.heap.size": "1g", "managed.size": "1g"},
    {"task.heap.size": "1g", "managed.size": "1g", "network.fraction": "0.3", "task.off-heap.size": "77m"},
    {"task.heap.size": "1g", "managed.size": "1g", "flink.size": "2500m"},
    {"task.heap.size": "1g", "managed.size": "1g", "flink.size": "2g"},
    {"task.heap.size": "1g", "managed.size": "1g", "process.size": "3g"},
    {"task.heap.size": "1g", "managed.size": "1g", "process.size": "4g"},
    {"process.size": "3g", "framework.heap.size": "256m", "framework.off-heap.size": "64m", "task.off-heap.size": "1b"},
    {"process.size": "400m"},
    {"process.size": "700m"},
    {},
]
JOB_MANAGERS: list[dict[str, str]] = [
    {"process.size": "1600m"},
    {"process.size": "20g"},
    {"flink.size": "1g"},
    {"flink.size": "100m"},
    {"heap.size": "1g"},
    {"heap.size": "1g", "off-heap.size": "512m", "jvm-metaspace.size": "300m"},
    {"heap.size": "1g", "flink.size": "1152m"},
    {"heap.size": "1g", "flink.size": "1g"},
    {"heap.size": "1g", "flink.size": "3g"},
    {"heap.size": "2g", "flink.size": "1g"},
    {"heap.size": "1g", "flink.size": "2g", "off-heap.size": "1g"},
    {"heap.size": "1g", "flink.size": "2g", "off-heap.size": "128m"},
    {"heap.size": "1g", "flink.size": "2g", "process.size": "3g"},
    {"heap.size": "1g", "process.size": "2g"},
    {"heap.size": "1g", "process.size": "8g"},
    {"process.size": "2g", "flink.size": "1g"},
    {"process.size": "2g", "jvm-overhead.fraction": "0.123456789"},
]


@pytest.mark.flink
@pytest.mark.parametrize("version", FLINK_VERSIONS)
def test_the_parts_are_those_that_flink_itself_works_out(runtimes: Runtimes, tmp_path: Path, version: str) -> None:
    questions = [(TASK_MANAGER, sizes) for sizes in TASK_MANAGERS] + [(JOB_MANAGER, sizes) for sizes in JOB_MANAGERS]
    told = _flinks_own(runtimes, version, tmp_path, questions)
    ours = [_ours(prefix, sizes) for prefix, sizes in questions]
    wrong = [
        (prefix, sizes, mine, flinks)
        for (prefix, sizes), mine, flinks in zip(questions, ours, told, strict=True)
        if mine != flinks
    ]
    assert not wrong
    assert sum(parts is None for parts in told) >= 6
    assert sum(parts is not None for parts in told) >= 30


def _ours(prefix: str, sizes: Mapping[str, str]) -> dict[str, int] | None:
    options = {prefix + name: text for name, text in sizes.items()}
    try:
        if prefix == JOB_MANAGER:
            job_manager = job_manager_memory(options)
            return {
                "heap.size": job_manager.heap,
                "off-heap.size": job_manager.off_heap,
                "jvm-metaspace.size": job_manager.metaspace,
                "jvm-overhead.min": job_manager.overhead,
            }
        found = task_manager_memory(options)
    except MemoryMisfit:
        return None
    return {
        "framework.heap.size": found.framework_heap,
        "framework.off-heap.size": found.framework_off_heap,
        "task.heap.size": found.task_heap,
        "task.off-heap.size": found.task_off_heap,
        "network.min": found.network,
        "managed.size": found.managed,
        "jvm-metaspace.size": found.metaspace,
        "jvm-overhead.min": found.overhead,
    }


def _flinks_own(
    runtimes: Runtimes, version: str, folder: Path, questions: Sequence[tuple[str, Mapping[str, str]]]
) -> list[dict[str, int] | None]:
    """Return the parts of each question; None where Flink refuses."""
    from pathlib import Path

    for name in ("config.yaml", "flink-conf.yaml"):
        (folder / name).write_text("rest.port: 1\n")
    home = runtimes.flink(version).home
    program = jar_of(Path(__file__).parent / "java" / "MemoryOf.java", runtimes, version)
    jars = [program, home / "bin" / "bash-java-utils.jar", *(home / "lib").glob("flink-dist*.jar")]
    lines = []
    for prefix, sizes in questions:
        command = "GET_JM_RESOURCE_PARAMS" if prefix == JOB_MANAGER else "GET_TM_RESOURCE_PARAMS"
        options = [f"-D{prefix}{name}={text}" for name, text in sizes.items()]
        lines.append("\t".join([command, "--configDir", str(folder), *options]) + "\n")
    java = str(runtimes.java(version).executable)
    asked = [java, "-cp", ":".join(map(str, jars)), "MemoryOf"]
    answered = subprocess.run(asked, input="".join(lines), capture_output=True, text=True, check=True).stdout
    return [_parts(answer) for answer in answered.split("QUESTION\n")[1:]]


def _parts(answer: str) -> dict[str, int] | None:
    found = re.findall(r"-D (?:task|job)manager\.memory\.(\S+?)=(\d+)b", answer)
    return {name: int(size) for name, size in found if not name.endswith(".max")} or None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "taskmanager.memory.process.size: neither it nor `flink.size` is set"),
        ({"taskmanager.memory.process.size": "much"}, "'much' is not a memory size; write for example 512m or 2g"),
        (
            {"taskmanager.memory.process.size": "1g", "taskmanager.memory.managed.fraction": "2"},
            "taskmanager.memory.managed.fraction: 2 is not a fraction",
        ),
        (
            {"taskmanager.memory.process.size": "1g", "taskmanager.memory.managed.fraction": "half"},
            "taskmanager.memory.managed.fraction: 'half' is not a number",
        ),
        ({"taskmanager.memory.process.size": "300m"}, "300 MiB are less than the metaspace"),
    ],
)
def test_what_does_not_add_up_is_told_by_its_option(options: dict[str, str], told: str) -> None:
    with pytest.raises(MemoryMisfit, match=re.escape(told)):
        task_manager_memory(options)


def test_a_size_is_read_as_flink_reads_it() -> None:
    assert [parse_memory(text) for text in ("1024", "512m", "1 gb", "2 kibibytes", "3T")] == [
        1024,
        512 * MIB,
        1 << 30,
        2048,
        3 << 40,
    ]
    for wrong in ("", "1.5g", "-1m", "1 parsec"):
        with pytest.raises(ValueError, match="is not a memory size"):
            parse_memory(wrong)
