"""What somebody else changed of an application's configuration since scurry started it. Only looks.

A version that was made after the start under our mark is not ours: the one that it was made from is. Values of runtime
properties are not told: they may be secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.targets.managed.aws import SERVICE
from scurry.targets.managed.runs import START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.targets.managed.runs import Run
    from scurry.targets.managed.service import Service

_CHANGES = frozenset({"UpdateApplication", "RollbackApplication"})
_NOT_CONFIGURED = frozenset({"RunConfigurationDescription", "CurrentParallelism", "JobPlanDescription", "SnapshotMode"})
_PROPERTIES = "EnvironmentPropertyDescriptions"
_SUFFIX = "Description"


def drifted(service: Service, run: Run) -> tuple[str, ...]:
    """Return what differs from the version that was started, in a few words each. Mostly nothing, which is cheap."""
    first = _first_change(run)
    if first is None:
        return ()
    name = run.application.name
    detail = service.aws.call(SERVICE, "describe_application_operation", ApplicationName=name, OperationId=first)
    versions = detail["ApplicationOperationInfoDetails"].get("ApplicationVersionChangeDetails")
    if not versions:
        return ()
    ours = service.aws.call(
        SERVICE,
        "describe_application_version",
        ApplicationName=name,
        ApplicationVersionId=versions["ApplicationVersionUpdatedFrom"],
    )["ApplicationVersionDetail"]
    before, now = _flat(ours), _flat(run.application.detail)
    return tuple(
        _told(key, before, now) for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)
    )


def _first_change(run: Run) -> str | None:
    """Return the id of the oldest change since the oldest start under the mark."""
    oldest_first = list(reversed(run.operations))
    started = next((number for number, each in enumerate(oldest_first) if each.name == START), len(oldest_first))
    since = oldest_first[started:]
    return next((each.id for each in since if each.name in _CHANGES and each.status == "SUCCESSFUL"), None)


def _flat(detail: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration by the last words of its members' paths."""
    configuration = dict(detail.get("ApplicationConfigurationDescription", {}))
    properties = configuration.pop(_PROPERTIES, {}).get("PropertyGroupDescriptions", ())
    found = {
        f"property {group['PropertyGroupId']}.{key}": value
        for group in properties
        for key, value in group["PropertyMap"].items()
    }
    found |= {name: detail.get(name) for name in ("RuntimeEnvironment", "ServiceExecutionRole")}
    return found | dict(_members("", configuration))


def _members(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, below in value.items():
        if key not in _NOT_CONFIGURED:
            yield from _members(f"{name}.{key}".removeprefix(".").replace(_SUFFIX, ""), below)


def _told(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    if key.startswith("property "):
        return key
    name = key.rpartition(".")[2] or key
    return f"{name} {before.get(key, 'unset')} → {now.get(key, 'unset')}"
