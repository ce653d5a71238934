"""Flink settings that are the service's: what a user cannot change, and what code may still set. Pure.

Sources: "Apache Flink settings" and "Programmatic Flink configuration properties" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEWER_NAMES_SINCE = (1, 18)
"""the service has no Flink between this one and 1.15"""
_STRICT_SINCE = (2, 2)
"""from this Flink on, code that sets what is not on the service's list fails"""

# Names of the list, or what stands before all of a kind's names. All of `python.`: the emulator's own way of running
# a zip is in it. `__table.`: what Flink's planner notes of each SQL statement.
_FREE = (
    "pipeline",
    "table",
    "__table",
    "python",
    "execution.runtime-mode",
    "taskmanager.network.adaptive-partitioner.enabled",
    "taskmanager.network.adaptive-partitioner.max-traverse-size",
)

_UNITS = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000}

_ALWAYS = {
    "state.backend.incremental": "true",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    "execution.checkpointing.timeout": "1 h",
    "execution.checkpointing.max-concurrent-checkpoints": "1",
    "state.checkpoints.num-retained": "1",
}


def forced(flink_version: str, checkpointing: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings; `checkpointing` is a `CheckpointConfigurationDescription`."""
    found = {**_ALWAYS, **_backend(flink_version), **_restarts(flink_version)}
    if checkpointing["CheckpointingEnabled"]:
        found["execution.checkpointing.interval"] = _duration(checkpointing["CheckpointInterval"])
        found["execution.checkpointing.min-pause"] = _duration(checkpointing["MinPauseBetweenCheckpoints"])
    if _series(flink_version) >= _STRICT_SINCE:
        found["execution.program-config.enabled"] = "false"
        found["execution.program-config.wildcards"] = ";".join(_FREE)
    return found


def takes_settings_with_a_job(flink_version: str) -> bool:
    """Whether a job that is run by REST may bring settings of its own (FLIP-256); 1.15 refuses the call that does."""
    return _series(flink_version) >= _NEWER_NAMES_SINCE


def _backend(flink_version: str) -> dict[str, str]:
    return {_name("state.backend", flink_version): "rocksdb"}


def _name(option: str, flink_version: str) -> str:
    """Return what an option is called whose name ends with `.type` now (`StateBackendOptions`)."""
    return f"{option}.type" if _series(flink_version) >= _NEWER_NAMES_SINCE else option


def _restarts(flink_version: str) -> dict[str, str]:
    strategy = _name("restart-strategy", flink_version)
    if _series(flink_version) >= (1, 19):
        return {strategy: "exponential-delay"}
    return {
        strategy: "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "2147483647",
        "restart-strategy.fixed-delay.delay": "10 s",
    }


def _duration(milliseconds: int) -> str:
    """As Flink itself writes it (`TimeUtils.formatWithHighestUnit`): in other words it would be a change of its own."""
    for unit, size in _UNITS.items():
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"


def _series(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
