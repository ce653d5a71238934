"""`scurry size`: what a parallelism becomes, in the places that are asked for.

Part of floor 3: it reads the spec, the target's settings and the table of machines; `engine/sizing.py` does the sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from scurry.engine.sizing import (
    ClusterSizing,
    KpuSizing,
    Machine,
    Price,
    cheapest,
    on_machines,
    on_task_managers,
)
from scurry.model.application import CodeKind
from scurry.model.errors import TargetUnsuitable
from scurry.model.flink_memory import MIB, TASK_MANAGER, parse_memory
from scurry.prices import price_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scurry.looking import OpenProject
    from scurry.model.project import LocalTarget
    from scurry.spec.load import LoadedApplication

MANAGED = "managed"
TASK_MANAGERS = "task-managers"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeWanted:
    """What is asked. What is None comes from the spec, or is as it is by default."""

    places: tuple[str, ...] = ()
    """`managed`, a target of kind local, an EC2 instance type, or `task-managers` as `config` and `slots` say"""
    parallelism: int | None = None
    per_kpu: int | None = None
    """None: the cheapest that leaves each slot `heap_per_slot`; without that, 1, the service's default"""
    heap_per_slot: int | None = None
    """bytes"""
    slots: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    python: bool = False
    region: str = DEFAULT_REGION
    kpu_hour: float | None = None
    """price in US dollars, in place of the table's"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The answer."""

    name: str | None
    """the application's"""
    python: bool
    rocksdb: bool
    """elsewhere than on the managed service, where it always is"""
    managed: KpuSizing | None = None
    price: Price | None = None
    """None: of that region nothing is known"""
    region: str = DEFAULT_REGION
    clusters: Mapping[str, ClusterSizing] = field(default_factory=dict)
    """by place"""


def sized(project: OpenProject, file: Path | None, environment: str | None, wanted: SizeWanted) -> Sized:
    """Say what a parallelism becomes. Raises `SpecInvalid`, and `TargetUnsuitable` where memory does not suffice."""
    loaded = project.assembly.load(file, environment) if file else None
    config = {**_config(loaded), **wanted.config}
    parallelism = wanted.parallelism or (loaded.application.parallelism if loaded else 1)
    places = wanted.places or (MANAGED, _default_place(project, loaded))
    return Sized(
        name=loaded.application.name if loaded else None,
        python=wanted.python or (loaded is not None and loaded.application.code.kind is CodeKind.PYTHON),
        rocksdb=config.get("state.backend.type", config.get("state.backend", "")) == "rocksdb",
        managed=_managed(parallelism, wanted) if MANAGED in places else None,
        price=_price(wanted),
        region=wanted.region,
        clusters={
            place: _cluster(project, place, parallelism, wanted.slots, config)
            for place in places
            if place not in {MANAGED, ""}
        },
    )


def _config(loaded: LoadedApplication | None) -> dict[str, str]:
    if loaded is None:
        return {}
    return {key: text for key, text in loaded.application.config.items() if isinstance(text, str)}


def _default_place(project: OpenProject, loaded: LoadedApplication | None) -> str:
    """Return the application's target if what it has can be known here; else none."""
    name = (loaded.application.target if loaded else None) or project.project.target
    return name if project.assembly.settings_of(name).kind == "local" else ""


def _managed(parallelism: int, wanted: SizeWanted) -> KpuSizing:
    if wanted.per_kpu is not None or wanted.heap_per_slot is None:
        return KpuSizing(parallelism=parallelism, per_kpu=wanted.per_kpu or 1)
    found = cheapest(parallelism, heap_per_slot=wanted.heap_per_slot)
    if found is None:
        most = KpuSizing(parallelism=parallelism, per_kpu=1).heap_per_slot
        raise TargetUnsuitable(
            f"no KPU has {wanted.heap_per_slot // MIB} MiB of heap for a slot: {most // MIB} MiB are the most",
            hint="Hold less in each subtask by a greater parallelism, or run it where machines are larger:\n"
            "  scurry size --on r7g.2xlarge",
        )
    return found


def _price(wanted: SizeWanted) -> Price | None:
    found = price_of(wanted.region)
    if wanted.kpu_hour is None:
        return found
    storage = found.storage_gib_month if found else None
    return Price(region=wanted.region, kpu_hour=wanted.kpu_hour, storage_gib_month=storage, of="as given")


def _cluster(
    project: OpenProject, place: str, parallelism: int, slots: int | None, config: Mapping[str, str]
) -> ClusterSizing:
    memory = {key: text for key, text in config.items() if key.startswith(TASK_MANAGER)}
    if place == TASK_MANAGERS:
        return on_task_managers(parallelism, slots=slots or _slots(config), config=memory)
    if place in project.project.all_targets():
        return _local(project, place, parallelism, slots)
    machine = machines().get(place)
    if machine is None:
        raise TargetUnsuitable(
            f"{place!r} is neither `managed`, `task-managers`, a target of this project nor a known EC2 instance type",
            hint="Write for example:\n  scurry size --on managed --on m7g.xlarge",
        )
    return on_machines(parallelism, machine, slots=slots, config=memory)


def _slots(config: Mapping[str, str]) -> int:
    text = config.get("taskmanager.numberOfTaskSlots", "1")
    return int(text) if text.isdecimal() and int(text) else 1


def _local(project: OpenProject, place: str, parallelism: int, slots: int | None) -> ClusterSizing:
    from scurry.flink import memory

    settings = project.assembly.settings_of(place)
    if settings.kind != "local":
        raise TargetUnsuitable(
            f"what the TaskManagers of target {place!r} have is decided where they are started",
            target=place,
            hint="Say what they have:\n  scurry size --on task-managers --slots 4 "
            f"--config {TASK_MANAGER}process.size=8g",
        )
    local: LocalTarget = settings  # type: ignore[assignment] # its kind says so
    slots = slots or local.slots or memory.processors()
    size = (
        parse_memory(local.task_manager_memory)
        if local.task_manager_memory
        else memory.suggested_task_manager(memory.machine_memory(), task_managers=local.task_managers, slots=slots)
    )
    options = {key: text for key, text in local.config.items() if isinstance(text, str)}
    divided = memory.task_manager_memory(size, options)
    return on_task_managers(parallelism, slots=slots, config=divided.options, at_least=local.task_managers)


@cache
def machines() -> Mapping[str, Machine]:
    """Return the EC2 instance types that are known, by name."""
    lines = files("scurry").joinpath("ec2_instances.txt").read_text("utf-8").splitlines()
    found = (line.split() for line in lines if not line.startswith("#"))
    return {name: Machine(name=name, vcpus=int(vcpus), memory=int(mib) * MIB) for name, vcpus, mib in found}
