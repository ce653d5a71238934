"""From a wish to what `CreateApplication` and `UpdateApplication` are told, and what of it the service cannot take.

Pure. The service takes checkpoint, monitoring and parallelism settings, and nothing else of Flink's options; what it
cannot take is a problem with the key's name, never dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.model.values import SecretRef, parse_duration
from scurry.targets.managed.marking import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scurry.model.desired import Desired
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.values import Text
    from scurry.targets.managed.code import Code
    from scurry.targets.managed.marking import Mark
    from scurry.targets.managed.service import Application

Block: TypeAlias = "dict[str, Any]"

RUNTIMES = ("FLINK-1_15", "FLINK-1_18", "FLINK-1_19", "FLINK-1_20", "FLINK-2_2", "FLINK-2_3")
"""oldest first; older ones cannot be created or started any more"""
FIRST_ENHANCED, ENHANCED = "FLINK-1_20", "ENHANCED_SNAPSHOTS"
"""the first runtime that has enhanced snapshots, and the mode in which they are taken"""
RUN_OPTIONS = "kinesis.analytics.flink.run.options"
MOST_GROUPS, MOST_KEYS, LONGEST_VALUE, LONGEST_GROUP = 50, 50, 2048, 50
_INTERVAL, _PAUSE = "execution.checkpointing.interval", "execution.checkpointing.min-pause"
_TAKEN = frozenset({_INTERVAL, _PAUSE})
# "Apache Flink settings" of the developer guide: what the service has, whoever says something else.
_FIXED: Mapping[str, frozenset[str]] = {
    "state.backend.type": frozenset({"rocksdb"}),
    "state.backend": frozenset({"rocksdb"}),
    "state.backend.incremental": frozenset({"true"}),
    "execution.checkpointing.incremental": frozenset({"true"}),
    "execution.checkpointing.mode": frozenset({"exactly_once"}),
    "execution.checkpointing.max-concurrent-checkpoints": frozenset({"1"}),
    "execution.checkpointing.num-retained": frozenset({"1"}),
    "execution.checkpointing.externalized-checkpoint-retention": frozenset({"retain_on_cancellation"}),
    "python.execution-mode": frozenset({"process"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something of a wish that the service cannot take."""

    message: str
    hint: str
    path: tuple[str, ...]
    """the key of the spec that it is about"""


def kpus(parallelism: int, per_kpu: int) -> int:
    """Return the KPUs that a job of that parallelism needs, without the one for orchestration that is billed, too."""
    return math.ceil(parallelism / per_kpu)


def troubles(desired: Desired) -> Iterator[Trouble]:
    """Give what the service cannot take of a wish."""
    for key, text in desired.config.items():
        if key not in _TAKEN and not _is_so_anyway(key, text):
            yield Trouble(
                message=f"the managed service takes no Flink option {key!r}",
                hint="It takes the checkpoint interval and the pause between checkpoints. Set others in the program, "
                "where the service allows that, or by a support case.",
                path=("config", key),
            )
    if desired.args:
        yield Trouble(
            message="the managed service gives programs no arguments",
            hint="Put what the program has to be told into `properties`, and read them in it.",
            path=("code", "args"),
        )
    if desired.secrets:
        names = ", ".join(sorted(desired.secrets))
        yield Trouble(
            message=f"the managed service gives programs no arguments, by which the script gets its secrets ({names})",
            hint="Let the application's role reach what they protect.",
            path=("code", "sql"),
        )
    yield from _property_troubles(desired.properties)


def _is_so_anyway(key: str, text: Text) -> bool:
    return isinstance(text, str) and text.strip().lower() in _FIXED.get(key, frozenset())


def _property_troubles(groups: Mapping[str, Mapping[str, Text]]) -> Iterator[Trouble]:
    if len(groups) >= MOST_GROUPS:  # one is ours
        yield _too_much(f"{len(groups)} groups of properties; {MOST_GROUPS - 1} is the most", ())
    for group, values in groups.items():
        if group in {GROUP, RUN_OPTIONS}:
            yield Trouble(
                message=f"the group {group!r} is written by scurry", hint="Rename it.", path=("properties", group)
            )
        if len(group) > LONGEST_GROUP:
            yield _too_much(f"the name of group {group!r} is longer than {LONGEST_GROUP} characters", (group,))
        if not 0 < len(values) <= MOST_KEYS:
            yield _too_much(
                f"group {group!r} has {len(values)} properties; the service takes 1 to {MOST_KEYS}", (group,)
            )
        for key, text in values.items():
            if isinstance(text, str) and not 0 < len(text) <= LONGEST_VALUE:
                yield _too_much(f"it has {len(text)} characters; the service takes 1 to {LONGEST_VALUE}", (group, key))


def _too_much(message: str, path: tuple[str, ...]) -> Trouble:
    return Trouble(message=message, hint="Keep what is larger in S3.", path=("properties", *path))


def secret_properties(desired: Desired) -> tuple[str, ...]:
    """Return the properties that are secrets: on the service they are readable by who may describe the application."""
    return tuple(
        f"{group}.{key}"
        for group, values in desired.properties.items()
        for key, text in values.items()
        if isinstance(text, SecretRef)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """All that a version is made of."""

    desired: Desired
    settings: Settings
    code: Code
    mark: Mark
    resolve: Callable[[Text], str]

    def groups(self) -> list[Block]:
        """Return the groups of runtime properties: the application's, PyFlink's run options, and our mark."""
        found = [
            {"PropertyGroupId": group, "PropertyMap": {key: self.resolve(text) for key, text in values.items()}}
            for group, values in self.desired.properties.items()
        ]
        if self.code.run_options:
            found.append({"PropertyGroupId": RUN_OPTIONS, "PropertyMap": dict(self.code.run_options)})
        return [*found, self.mark.group()]

    def flink(self) -> Block:
        """Return `FlinkApplicationConfiguration`."""
        settings = self.settings
        return {
            "CheckpointConfiguration": _checkpoints(self.desired.config),
            "MonitoringConfiguration": {
                "ConfigurationType": "CUSTOM",
                "MetricsLevel": settings.metrics_level,
                "LogLevel": settings.log_level,
            },
            "ParallelismConfiguration": {
                "ConfigurationType": "CUSTOM",
                "Parallelism": self.desired.parallelism,
                "ParallelismPerKPU": settings.parallelism_per_kpu,
                "AutoScalingEnabled": settings.autoscaling,
            },
        }


def can_be_enhanced(runtime: str) -> bool:
    """Whether the service has enhanced snapshots for a runtime environment."""
    return runtime in RUNTIMES and RUNTIMES.index(runtime) >= RUNTIMES.index(FIRST_ENHANCED)


def takes_enhanced(application: Application, settings: Settings) -> bool:
    """Whether an application is to be switched to enhanced snapshots, and can be: by the runtime that it has now."""
    wanted = settings.snapshots is not None and settings.owner == "scurry"
    return wanted and not application.is_enhanced and can_be_enhanced(application.runtime)


def switched() -> Block:
    """Return `ApplicationSnapshotConfigurationUpdate` that switches to enhanced snapshots, for good."""
    return {"SnapshotsEnabledUpdate": True, "SnapshotModeUpdate": ENHANCED}


def created(wished: Wished, name: str) -> Block:
    """Return the request of `CreateApplication`."""
    settings = wished.settings
    configuration: Block = {
        "ApplicationCodeConfiguration": {
            "CodeContentType": "ZIPFILE",
            "CodeContent": {"S3ContentLocation": wished.code.location},
        },
        "FlinkApplicationConfiguration": wished.flink(),
        "EnvironmentProperties": {"PropertyGroups": wished.groups()},
        "ApplicationSnapshotConfiguration": {"SnapshotsEnabled": True},
    }
    if settings.snapshots:
        configuration["ApplicationSnapshotConfiguration"]["SnapshotMode"] = ENHANCED
    if settings.vpc:
        configuration["VpcConfigurations"] = [vpc_of(settings)]
    request: Block = {
        "ApplicationName": name,
        "RuntimeEnvironment": runtime_of(wished.desired.flink_version),
        "ServiceExecutionRole": settings.role,
        "ApplicationConfiguration": configuration,
    }
    if settings.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in settings.tags.items()]
    if wished.desired.description:
        request["ApplicationDescription"] = wished.desired.description
    if stream := log_stream_of(settings, name):
        request["CloudWatchLoggingOptions"] = [{"LogStreamARN": stream}]
    return request


def updated(wished: Wished, before: Block, *, switch: bool = False) -> Block:
    """Return what `UpdateApplication` is told besides the name and the version. `before`: `ApplicationDetail`.

    `switch`: to enhanced snapshots.
    """
    location = {f"{key}Update": value for key, value in wished.code.location.items()}
    request: Block = {
        "ApplicationConfigurationUpdate": {
            "ApplicationCodeConfigurationUpdate": {
                "CodeContentTypeUpdate": "ZIPFILE",
                "CodeContentUpdate": {"S3ContentLocationUpdate": location},
            },
            "FlinkApplicationConfigurationUpdate": {
                f"{name}Update": {f"{key}Update": value for key, value in block.items()}
                for name, block in wished.flink().items()
            },
            "EnvironmentPropertyUpdates": {"PropertyGroups": wished.groups()},
            "ApplicationSnapshotConfigurationUpdate": switched() if switch else {"SnapshotsEnabledUpdate": True},
        },
    }
    runtime = runtime_of(wished.desired.flink_version)
    if before["RuntimeEnvironment"] != runtime:
        request["RuntimeEnvironmentUpdate"] = runtime
    if wished.settings.role and before["ServiceExecutionRole"] != wished.settings.role:
        request["ServiceExecutionRoleUpdate"] = wished.settings.role
    return request


def options_of(application: Application) -> dict[str, str]:
    """Return what an application's configuration is in Flink's own options."""
    found = {"parallelism.default": str(application.parallelism)}
    flink = application.configuration.get("FlinkApplicationConfigurationDescription", {})
    block = flink.get("CheckpointConfigurationDescription", {})
    if not block.get("CheckpointingEnabled", True):
        return found | {_INTERVAL: "0"}
    if block.get("ConfigurationType") == "CUSTOM":
        found[_INTERVAL] = f"{block['CheckpointInterval']} ms"
        found[_PAUSE] = f"{block.get('MinPauseBetweenCheckpoints', 0)} ms"
    return found


def differences(desired: Desired, application: Application) -> Iterator[Trouble]:
    """Give what a wish says otherwise than an application whose configuration is Terraform's."""
    hint = "Its configuration is Terraform's (`owner: terraform` of the target): change it there, and here the same."
    wanted, there = runtime_of(desired.flink_version), application.runtime
    if wanted != there:
        yield Trouble(message=f"{application.name!r} runs on {there}, not {wanted}", hint=hint, path=("flink",))
    block = application.configuration.get("FlinkApplicationConfigurationDescription", {})
    parallelism = block.get("ParallelismConfigurationDescription", {}).get("Parallelism", 1)
    if parallelism != desired.parallelism:
        yield Trouble(
            message=f"{application.name!r} has parallelism {parallelism}, not {desired.parallelism}",
            hint=hint,
            path=("parallelism",),
        )
    groups = {group["PropertyGroupId"]: group["PropertyMap"] for group in application.groups}
    for group, values in desired.properties.items():
        for key, text in values.items():
            if isinstance(text, str) and groups.get(group, {}).get(key) != text:
                yield Trouble(
                    message=f"{application.name!r} has another value of property {group}.{key}",
                    hint=hint,
                    path=("properties", group, key),
                )


def vpc_of(settings: Settings) -> Block:
    """Return `VpcConfiguration`."""
    if settings.vpc is None:
        raise AssertionError("asked only where there is one")
    return {"SubnetIds": list(settings.vpc.subnets), "SecurityGroupIds": list(settings.vpc.security_groups)}


def log_stream_of(settings: Settings, name: str) -> str | None:
    """Return the log stream of one application."""
    return settings.log_stream.replace("{application}", name) if settings.log_stream else None


def runtime_of(version: str) -> str:
    """Return the runtime environment of a Flink version: `1.20.5` → `FLINK-1_20`."""
    return "FLINK-" + "_".join(version.split(".")[:2])


def series_of(runtime: str) -> str:
    """Return the series of Flink that a runtime environment names: `FLINK-1_20` → `1.20`."""
    return runtime.removeprefix("FLINK-").replace("_", ".")


def _checkpoints(config: Mapping[str, Text]) -> Block:
    interval, pause = _milliseconds(config.get(_INTERVAL)), _milliseconds(config.get(_PAUSE))
    if interval is None and pause is None:
        return {"ConfigurationType": "DEFAULT"}
    found: Block = {"ConfigurationType": "CUSTOM", "CheckpointingEnabled": interval != 0}
    if interval:
        found["CheckpointInterval"] = interval
    found["MinPauseBetweenCheckpoints"] = pause or 0
    return found


def _milliseconds(text: Text | None) -> int | None:
    if not isinstance(text, str):
        return None
    plain = text.strip()
    return int(plain) if plain.isdigit() else round(parse_duration(plain).total_seconds() * 1000)
