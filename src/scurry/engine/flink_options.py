"""An application's Flink options, checked and put into the words of the Flink version that will run it.

Pure. What Flink calls an option changed between 1.18 and 2.x; what scurry sets itself, and what only a cluster's own
configuration can set, has no place in an application. Secrets pass through unseen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from scurry.engine import flink_option_table as table
from scurry.model.values import SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scurry.model.values import Text

_CLUSTER_HINT = (
    "On a local target it goes into scurry.yaml, under targets.NAME.config;\n"
    "on any other cluster, into that cluster's own configuration."
)
_CLUSTER = (
    "akka.", "blob.", "classloader.", "cleanup-strategy", "client.", "cluster.", "daemon.", "env.", "events.",
    "execution.checkpointing.local-backup.dirs", "external-resource", "fine-grained.", "fs.", "heartbeat.",
    "high-availability", "historyserver.", "io.tmp.dirs", "jobmanager.", "jobstore.", "kubernetes.", "local.",
    "metrics.", "minicluster.", "pekko.", "plugin.", "process.", "queryable-state.", "resourcemanager.", "rest.",
    "rpc.", "s3.", "security.", "slot.", "slotmanager.", "sql-client.", "sql-gateway.", "taskmanager.", "traces.",
    "web.", "yarn.", "zookeeper.",
)  # fmt: skip
"""options (by prefix) that Flink reads when a cluster's processes start, never from a job"""
_JOB_AFTER_ALL = ("metrics.latency.interval", "fine-grained.shuffle-mode.all-blocking")
"""options that jobs read in spite of their names (ExecutionConfig.configure, StreamGraphGenerator)"""
_OWN: dict[str, tuple[str, str]] = {
    "pipeline.name": ("the job is called as the application is", "name"),
    "parallelism.default": ("the parallelism has a field of its own", "parallelism"),
    "pipeline.jars": ("jars have a field of their own", "connectors"),
    "pipeline.classpaths": ("jars have a field of their own", "connectors"),
    "user.artifacts.artifact-list": ("jars have a field of their own", "connectors"),
    "execution.state-recovery.path": ("scurry chooses the state that a job starts from", ""),
    "execution.state-recovery.claim-mode": ("a snapshot that Flink owned could be gone when a rollback needs it", ""),
    "execution.state-recovery.ignore-unclaimed-state": (
        "dropping state is asked for in the spec",
        "upgrade.allow_non_restored_state",
    ),
    "execution.target": ("the target has a field of its own", "target"),
    "execution.attached": ("scurry submits the job", ""),
    "execution.shutdown-on-attached-exit": ("scurry submits the job", ""),
    "python.requirements": ("scurry makes the Python environment", "code.requirements"),
    "python.files": ("scurry ships the files", "code.files"),
    "python.executable": ("scurry makes the Python environment", "code.requirements"),
    "python.client.executable": ("scurry makes the Python environment", "code.requirements"),
}
"""options that scurry sets for a job: why, and the field of the spec to use instead"""
_GUESSED = ("execution.", "pipeline.", "restart-strategy.", "state.", "table.exec.", "table.optimizer.", "python.")
"""namespaces that are Flink's alone, where an unknown name is worth a note"""
_DURATION = re.compile(
    r"(\d+)\s*(d|days?|h|hours?|min|m|minutes?|s|sec|secs|seconds?|ms|millis?|milliseconds?"
    r"|µs|micros?|microseconds?|ns|nanos?|nanoseconds?)?"
)
_SIZE = re.compile(r"(\d+)\s*(b|bytes|k|kb|kibibytes|m|mb|mebibytes|g|gb|gibibytes|t|tb|tebibytes)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionProblem:
    """What is wrong with one option; `key` is as the user wrote it."""

    key: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedConfig:
    """Options in the words of one Flink version. With problems, `config` is not to be used."""

    config: Mapping[str, Text]
    notes: tuple[str, ...] = ()
    problems: tuple[OptionProblem, ...] = ()


@dataclass(slots=True)
class _Findings:
    notes: list[str] = field(default_factory=list)
    problems: list[OptionProblem] = field(default_factory=list)

    def complain(self, key: str, message: str, hint: str | None = None) -> None:
        self.problems.append(OptionProblem(key=key, message=message, hint=hint))


def prepare_config(config: Mapping[str, Text], *, flink_version: str, session: bool = True) -> PreparedConfig:
    """Check an application's options and name them as `flink_version` (`2.3`, `2.3.0`) does.

    `session` says that the job shares a cluster with others, so that the cluster's options cannot be set for it.
    """
    version = _version(flink_version)
    findings = _Findings()
    prepared: dict[str, Text] = {}
    written_as: dict[str, str] = {}
    for key, value in config.items():
        name = option_name(key, flink_version=flink_version)
        if name in prepared:
            _check_same(key, written_as[name], same=prepared[name] == value, findings=findings)
            continue
        prepared[name], written_as[name] = value, key
        found = len(findings.problems)
        _check(key, name, value, version=version, session=session, findings=findings)
        if name != key and len(findings.problems) == found:
            findings.notes.append(f"'{key}' is '{name}' in Flink {_show(version)}; it is set under that name.")
    return PreparedConfig(config=prepared, notes=tuple(findings.notes), problems=tuple(findings.problems))


def option_name(key: str, *, flink_version: str) -> str:
    """Return what a Flink version calls an option that may be written as any version calls it."""
    names = _names().get(key)
    if names is None:
        return key
    since, name, before = names
    return name if _version(flink_version) >= since else before


def _check(key: str, name: str, value: Text, *, version: tuple[int, int], session: bool, findings: _Findings) -> None:
    if _own(name):
        why, instead = _own(name) or ("", "")
        hint = f"Use the field '{instead}' of the spec." if instead else "Remove it."
        findings.complain(key, f"'{key}' cannot be set here: {why}", hint)
    elif session and name.startswith(_CLUSTER) and name not in _JOB_AFTER_ALL:
        findings.complain(key, f"'{key}' is an option of the cluster; a job cannot set it", _CLUSTER_HINT)
    elif name in table.REMOVED and version >= table.REMOVED[name][0]:
        since, instead_of = table.REMOVED[name]
        hint = f"Use {instead_of}." if instead_of else "Remove it."
        findings.complain(key, f"Flink {_show(version)} has no option '{key}': it was removed in {_show(since)}", hint)
    elif isinstance(value, SecretRef):
        return
    else:
        _check_value(key, name, value, version=version, findings=findings)


def _own(name: str) -> tuple[str, str] | None:
    if name.startswith("$internal."):
        return ("it is internal to Flink", "")
    return _OWN.get(option_name(name, flink_version="99.0"))


def _check_same(key: str, other: str, *, same: bool, findings: _Findings) -> None:
    if not same:
        message = f"'{key}' and '{other}' are the same option of Flink, and their values differ"
        findings.complain(key, message, "Keep one of them.")


def _check_value(key: str, name: str, value: str, *, version: tuple[int, int], findings: _Findings) -> None:
    kind = _kinds().get(option_name(name, flink_version="99.0"))
    if kind is None:
        _guess(key, findings)
        return
    if name in {"state.backend.type", "state.backend"} and value in {"jobmanager", "filesystem"} and version >= (2, 0):
        hint = "Use hashmap; where checkpoints go is execution.checkpointing.storage."
        findings.complain(key, f"the state backend '{value}' was removed in Flink 2.0", hint)
        return
    wrong = _wrong(kind, value, name)
    if wrong:
        findings.complain(key, f"'{value}' is not {wrong}")
    elif kind == "duration" and value.strip().isdigit() and int(value):
        findings.notes.append(f"'{key}: {value}' has no unit: Flink takes it as {value} milliseconds.")


def _wrong(kind: str, value: str, name: str) -> str | None:
    """Return what the value should have been; None when Flink takes it (ConfigurationUtils.convertValue)."""
    text = value.strip()
    match kind:
        case "flag":
            return None if text.lower() in {"true", "false"} else "true or false"
        case "whole":
            return None if re.fullmatch(r"-?\d+", text) else "a whole number"
        case "decimal":
            return None if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) else "a number"
        case "duration":
            fits = _DURATION.fullmatch(text.lower())
            return None if fits else "a duration as Flink writes it: one number with a unit, like 10s, 5min or 1h"
        case "size":
            return None if _SIZE.fullmatch(text) else "a memory size as Flink writes it, like 64kb, 512m or 1g"
        case "choice":
            words = _choices()[option_name(name, flink_version="99.0")]
            known = text.upper() in {word.upper() for word in words} or "." in text
            return None if known else f"one of {', '.join(words)}"
        case _:
            return None


def _guess(key: str, findings: _Findings) -> None:
    if not key.startswith(_GUESSED):
        return
    near = get_close_matches(key, _kinds(), n=1, cutoff=0.92)
    if near:
        findings.notes.append(f"'{key}' is no option of Flink's that scurry knows; did you mean '{near[0]}'?")


def _version(text: str) -> tuple[int, int]:
    major, minor, *_ = text.split(".")
    return int(major), int(minor)


def _show(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


@cache
def _names() -> dict[str, tuple[tuple[int, int], str, str]]:
    """Return, for each spelling, from which version on the newest name holds, that name, and the name before it."""
    names = {}
    for since, name, before, *older in _lines(table.RENAMED):
        for spelling in (name, before, *older):
            names[spelling] = (_version(since), name, before)
    return names


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    return {key: tuple(words) for key, *words in _lines(table.CHOICES)}


def _lines(text: str) -> Iterator[list[str]]:
    return (line.split() for line in text.replace("\n ", " ").strip().splitlines())


@cache
def _kinds() -> dict[str, str]:
    listed = {
        "flag": table.FLAGS,
        "whole": table.WHOLE_NUMBERS,
        "decimal": table.DECIMALS,
        "duration": table.DURATIONS,
        "size": table.MEMORY_SIZES,
        "text": table.TEXTS,
    }
    kinds = {key: kind for kind, keys in listed.items() for key in keys.split()}
    return kinds | dict.fromkeys(_choices(), "choice")
