"""`scurry size`: from the spec, from options, and what is said of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk import Desk, check_document


@pytest.fixture(autouse=True)
def no_prices_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What this machine was told of prices is not asked."""
    monkeypatch.setenv("SCURRY_CACHE", str(tmp_path / "cache"))


def test_a_spec_tells_parallelism_and_options(desk: Desk) -> None:
    desk.change("parallelism: 1", "parallelism: 10\nconfig: {taskmanager.memory.managed.fraction: 0.2}")
    found = desk.done("size", "shop.yaml", "--on", "managed", "--on", "m5.xlarge", "--per-kpu", "4", "--json").document
    check_document("size", found)
    assert found["application"] == "shop"
    assert (found["managed"]["kpus"], found["managed"]["usd_per_month"]) == (3, 321.2)
    assert found["managed"]["storage_usd_per_month"] == 15.0
    assert [each["per_kpu"] for each in found["managed"]["all"]] == list(range(1, 9))
    (cluster,) = found["clusters"]
    assert (cluster["task_managers"], cluster["slots"], cluster["python_bytes_per_slot"]) == (3, 4, None)
    plain = desk.done("size", "--parallelism", "10", "--on", "m5.xlarge", "--json").document["clusters"][0]
    assert cluster["managed_bytes_per_slot"] < plain["managed_bytes_per_slot"]


def test_people_see_what_each_choice_becomes(desk: Desk) -> None:
    shown = desk.done("size", "--on", "managed", "--parallelism", "40", "--heap-per-slot", "1g", "--python").out
    assert "14 KPUs with 3 slots each, 2 idle; billed with the one that orchestrates: 15" in shown
    assert "$1,204.50 a month" in shown
    assert "40/3 ←" in shown
    assert "Python workers of a slot, beside RocksDB: 102 MiB" in shown
    unknown = desk.done("size", "--on", "managed", "--region", "eu-west-1").out
    assert "the price in eu-west-1 is not known here; ask AWS for it with --refresh-prices" in unknown
    assert "$70.00 a month for the 700 GiB of running storage" in shown
    assert "with them come 50 GiB of running storage" in unknown
    assert "$175.20 a month" in desk.done("size", "--on", "managed", "--region", "eu-west-1", "--kpu-hour", "0.12").out
    assert "more than the quota" in desk.done("size", "--on", "managed", "--parallelism", "65").out


def test_a_local_target_shows_what_its_task_managers_get(desk: Desk) -> None:
    (desk.folder / "scurry.yaml").write_text("targets: {here: {kind: local, slots: 4, task_manager_memory: 2g}}\n")
    desk.change("parallelism: 1", "parallelism: 6\ntarget: here")
    found = desk.done("size", "shop.yaml", "--json").document
    assert found["managed"]
    (cluster,) = found["clusters"]
    assert (cluster["place"], cluster["task_managers"], cluster["idle_slots"]) == ("here", 2, 2)
    assert cluster["process_bytes"] == 2 << 30
    shown = desk.done("size", "shop.yaml", "--on", "here").out
    assert "a TaskManager: process 2 GiB, task heap " in shown


def test_task_managers_are_described_by_flinks_options(desk: Desk) -> None:
    given = ("--config", "taskmanager.memory.process.size=4g", "--config", "state.backend.type=rocksdb")
    arguments = ("size", "--on", "task-managers", "--slots", "2", *given, "--python")
    (cluster,) = desk.done(*arguments, "--json").document["clusters"]
    assert cluster["python_bytes_per_slot"] == cluster["managed_bytes_per_slot"] * 30 // 100


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--on", "m99.huge"), 1, "nor a known EC2 instance type"),
        (("--on", "mem"), 1, "what the TaskManagers of target 'mem' have is decided where they are started"),
        (("--on", "t3.micro"), 1, "t3.micro has 1 GiB, and 1 GiB are kept for the system"),
        (("--on", "task-managers"), 1, "neither it nor `flink.size` is set"),
        (("--on", "managed", "--heap-per-slot", "4g"), 1, "no KPU has 4096 MiB of heap for a slot"),
        (("--heap-per-slot", "much"), 2, "'much' is not a memory size"),
        (("--heap-per-slot", "1g", "--per-kpu", "2"), 2, "--per-kpu is a choice"),
        (("--config", "x"), 2, "--config 'x' is not KEY=VALUE"),
        (("--per-kpu", "9"), 2, "less than or equal to 8"),
        (("missing.yaml",), 1, "missing.yaml"),
    ],
)
def test_what_cannot_be_is_told(desk: Desk, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = desk.run("size", *arguments)
    assert result.code == code
    assert told in result.err
    assert not result.out
