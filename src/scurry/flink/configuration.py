"""The configuration of a local cluster: what scurry sets, what it lets users set, and the files that Flink reads.

Everything is bound to 127.0.0.1; an option that would undo that, or that the target's own settings say, is refused.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.model.errors import TargetUnsuitable
from scurry.model.flink_memory import is_memory_option

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scurry.flink.installed import FlinkRuntime, JavaRuntime

LOOPBACK = "127.0.0.1"

_OWNED = "scurry sets it itself: local clusters listen only on 127.0.0.1, on free ports"
_REFUSED = {
    "jobmanager.rpc.address": _OWNED,
    "jobmanager.rpc.port": _OWNED,
    "jobmanager.rpc.bind-port": _OWNED,
    "jobmanager.bind-host": _OWNED,
    "rest.address": _OWNED,
    "rest.bind-address": _OWNED,
    "rest.port": "say 'rest_port' of the target instead",
    "rest.bind-port": "say 'rest_port' of the target instead",
    "rest.url-prefix": _OWNED,
    "taskmanager.host": _OWNED,
    "taskmanager.bind-host": _OWNED,
    "taskmanager.resource-id": _OWNED,
    "taskmanager.rpc.port": _OWNED,
    "taskmanager.rpc.bind-port": _OWNED,
    "taskmanager.data.port": _OWNED,
    "taskmanager.data.bind-port": _OWNED,
    "blob.server.port": _OWNED,
    "metrics.internal.query-service.port": _OWNED,
    "taskmanager.numberOfTaskSlots": "say 'slots' of the target instead",
    "taskmanager.cpu.cores": "scurry sets it itself",
    # `JMXServer` creates an RMI registry, which listens on every interface and cannot be told otherwise.
    "jmx.server.port": "it would listen on all networks; use the JDK's 'jcmd' or Flight Recorder on the pid",
    "high-availability": "a local cluster has one JobManager; its jobs are started again from their checkpoints",
    "high-availability.type": "a local cluster has one JobManager; its jobs are started again from their checkpoints",
    "security.ssl.rest.enabled": "scurry talks to the local cluster by plain HTTP, on 127.0.0.1 only",
    "env.log.dir": "logs of local clusters are in the workspace, under .scurry/local",
    "env.pid.dir": "scurry keeps track of the processes itself",
    "env.log.level": "say 'log_level' of the target instead",
    "env.java.home": "say 'java_home' of the target instead",
}

# Old and new names of one option: who sets one of them has replaced ours.
_DIRECTORIES = {
    "checkpoints": ("execution.checkpointing.dir", "state.checkpoints.dir", "state.backend.fs.checkpointdir"),
    "savepoints": ("execution.checkpointing.savepoint-dir", "state.savepoints.dir", "savepoints.state.backend.fs.dir"),
}

# For people who look at the local cluster, the defaults of a production cluster are slow. Each can be overridden.
# Durations are bare milliseconds: up to 1.19 some of these options are numbers and do not understand units.
_DEFAULTS = {
    # Design decision 7: REST answers come from a copy of the job's state that is this old at most (Flink: 3 s).
    "web.refresh-interval": "100",
    # What a job's operators are, their metrics tell (Flink: up to 10 s old). Fetched only when somebody asks.
    "metrics.fetcher.update-interval": "300",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    # Both processes start at once; the TaskManager finds nobody at first, and would wait 10 s before asking again.
    "cluster.registration.initial-timeout": "50",
    "cluster.registration.max-timeout": "500",
    "cluster.registration.error-delay": "50",
    "cluster.registration.refused-registration-delay": "100",
    "pekko.retry-gate-closed-for": "20",
    # A TaskManager that was killed is noticed by its broken connection, within two beats.
    "heartbeat.interval": "2000",
    # A laptop that slept, or a machine that swaps, is not a broken cluster.
    "heartbeat.timeout": "180000",
}

_FILE_STRUCTURE_SINCE = (1, 19)
"""`config.yaml`, real YAML, since FLIP-366 (1.19); `flink-conf.yaml` before. 1.19 and 1.20 prefer the old name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a local cluster should be like."""

    flink: FlinkRuntime
    java: JavaRuntime
    state_directory: Path
    """holds `checkpoints/` and `savepoints/`"""
    task_managers: int = 1
    slots: int = 4
    """of each TaskManager"""
    job_manager_memory: int | None = None
    """bytes of the whole process; None: by the machine's"""
    task_manager_memory: int | None = None
    """bytes of each process; None: by the machine's"""
    config: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "INFO"
    rest_port: int | None = None
    """None: a free one"""
    wrapper: tuple[str, ...] = ()
    """what every process is started by; it becomes that process (`exec`)"""
    logging: str = ""
    """lines of Log4j's configuration beyond scurry's own: further appenders"""


def check_config(config: Mapping[str, str]) -> None:
    """Refuse options that scurry sets itself. Raises `TargetUnsuitable`."""
    for key in config:
        if why := _REFUSED.get(key):
            raise TargetUnsuitable(
                f"the option '{key}' cannot be set for a local cluster: {why}",
                hint=f"Remove '{key}' from the target's 'config' in scurry.yaml",
            )


def options(settings: ClusterSettings, directory: Path) -> dict[str, str]:
    """Return the cluster's Flink options but for its ports and memory. `directory` is the cluster's own."""
    from scurry.flink.releases import parts

    check_config(settings.config)
    own = {
        **_DEFAULTS,
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "io.tmp.dirs": str(directory / "tmp"),
    }
    for name, keys in _DIRECTORIES.items():
        if not any(key in settings.config for key in keys):
            # The new names came with 1.20 (FLINK-34255) and 2.0; the old ones are understood by all up to 2.3.
            key = keys[0] if parts(settings.flink.version) >= (1, 20) else keys[1]
            own[key] = (settings.state_directory / name).absolute().as_uri()
    users = {key: value for key, value in settings.config.items() if not is_memory_option(key)}
    return {**own, **{key: value for key, value in users.items() if not key.startswith("env.java.opts")}}


def java_options(config: Mapping[str, str], role: str) -> tuple[str, ...]:
    """Return what the user's `env.java.opts…` say for a role (`jobmanager`, `taskmanager`)."""
    keys = ("env.java.opts.all", "env.java.opts", f"env.java.opts.{role}")
    try:
        return tuple(word for key in keys if key in config for word in shlex.split(config[key]))
    except ValueError as error:
        raise TargetUnsuitable(f"the Java options of the local cluster cannot be read: {error}") from error


def state_place(kind: str, config: Mapping[str, str], state_directory: Path) -> str:
    """Return where a cluster's `checkpoints` or `savepoints` go, as a path or URI."""
    return next((config[key] for key in _DIRECTORIES[kind] if key in config), str(state_directory / kind))


def configuration_file(version: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the text of the file that this Flink version reads.

    `GlobalConfiguration.loadConfiguration`: 1.18 knows only the old file, 2.x only the new one.
    """
    from scurry.flink.releases import parts

    if parts(version) < _FILE_STRUCTURE_SINCE:
        return "flink-conf.yaml", "".join(f"{key}: {_one_line(key, value)}\n" for key, value in values.items())
    # A JSON string is a YAML string, whatever is in it.
    return "config.yaml", "".join(f"{json.dumps(key)}: {json.dumps(value)}\n" for key, value in values.items())


def logging_file(level: str, more: str = "") -> str:
    """Return the Log4j configuration, which the processes read again within seconds when it changes."""
    return f"""\
monitorInterval = 2
rootLogger.level = {level}
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = RollingFile
appender.file.append = true
appender.file.fileName = ${{sys:log.file}}
appender.file.filePattern = ${{sys:log.file}}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss,SSS}} %-5p %-60c %x - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 5
# A client that goes away in the middle of an answer is no error of Flink's.
logger.netty.name = org.apache.flink.shaded.netty4.io.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
{more}"""


def _one_line(key: str, value: str) -> str:
    # The old format has no quotes: `loadYAMLResource` cuts a line at the first '#'.
    if "#" in value or "\n" in value:
        raise TargetUnsuitable(
            f"the value of the option '{key}' has a '#' or a line break, which Flink before 1.19 cannot read"
        )
    return value
