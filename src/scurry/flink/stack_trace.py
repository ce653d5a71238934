"""Reads Java stack traces as Flink reports them: the chain of causes, and what a person should know of it first."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRAME = re.compile(r"\s*(at [\w.$/<>@:-]+\(.*\)|\.\.\. \d+ (more|common frames omitted))\s*$")
_HEAD = re.compile(r"(?:<Exception on server side:)?(?P<type>(?:[a-z_][\w$]*\.)+[A-Z][\w$]*)(?:: ?(?P<text>.*))?$")
_NOISE = ("<Exception on server side:", "End of exception on server side>", "Internal server error.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One exception of a chain."""

    type: str
    """full class name; empty for text that is no exception"""
    text: str
    """its message, which may have several lines"""

    @property
    def simple_name(self) -> str:
        """The class's name without its package."""
        return re.split(r"[.$]", self.type)[-1]

    def __str__(self) -> str:
        return f"{self.type}: {self.text}" if self.type and self.text else self.type or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a stack trace means."""

    message: str
    """one sentence or line"""
    hint: str | None
    cause: str
    """the chain of causes without its frames"""
    about: tuple[str, ...] = ()
    """the key of the application's file that it is about, if it is about one"""


def parse(trace: str) -> tuple[Cause, ...]:
    """Return the causes, outermost first. Suppressed exceptions are left out."""
    causes: list[tuple[str, list[str]]] = []
    suppressed = False
    for line in trace.splitlines():
        if line.strip() in _NOISE:
            continue
        if re.match(r"\s+Suppressed: ", line):
            suppressed = True
        if _FRAME.match(line) or (suppressed and line[:1].isspace()):
            continue
        suppressed = False
        caused = line.startswith("Caused by: ")
        head = _HEAD.match(line.removeprefix("Caused by: "))
        if head and (caused or not causes):
            causes.append((head["type"], [head["text"] or ""]))
        elif caused or not causes:
            causes.append(("", [line.removeprefix("Caused by: ")]))
        else:
            causes[-1][1].append(line)
    found = [_unwrapped(Cause(type=name, text="\n".join(text).strip())) for name, text in causes]
    return tuple(cause for index, cause in enumerate(found) if not index or cause != found[index - 1])


def explain(trace: str) -> Explanation:
    """Say what matters in a stack trace: a known trouble in plain words with advice, else the root cause."""
    causes = parse(trace)
    chain = "\nCaused by: ".join(str(cause) for cause in causes)
    for known in _KNOWN:
        for cause in reversed(causes):
            match = known.pattern.search(str(cause))
            if match:
                found = {name: _oneline(value) for name, value in match.groupdict(default="").items()}
                return Explanation(
                    message=known.message.format(**found),
                    hint=known.hint.format(**found) if known.hint else None,
                    cause=chain,
                    about=known.about,
                )
    return Explanation(message=_root(causes), hint=None, cause=chain)


def thrown_at(trace: str) -> str | None:
    """Return the line of code that threw the root cause: `com.shop.Prices.parse(Prices.java:12)`."""
    root = trace.rpartition("\nCaused by: ")[2]
    frame = re.search(r"^\s*at (?P<code>[\w.$/<>@:-]+\(.*\))\s*$", root, re.MULTILINE)
    return frame["code"] if frame else None


def _root(causes: tuple[Cause, ...]) -> str:
    if not causes:
        return "Flink gave no reason"
    telling = next((cause for cause in reversed(causes) if cause.text), causes[-1])
    first = next((line.strip() for line in telling.text.splitlines() if line.strip()), "")
    shown = f"{telling.simple_name}: {first}" if telling.type and first else str(telling)
    root = causes[-1]
    return shown if telling is root else f"{root.simple_name or root}, in: {shown}"


def _unwrapped(cause: Cause) -> Cause:
    # A wrapper's message repeats its cause's class and message: `CompletionException: a.b.SomeException: text`.
    if cause.simple_name in {"CompletionException", "SerializedThrowable", "ExecutionException"}:
        head = _HEAD.match(cause.text.partition("\n")[0])
        if head:
            rest = cause.text.partition("\n")[2]
            return Cause(type=head["type"], text="\n".join(part for part in (head["text"] or "", rest) if part))
    return cause


def _oneline(text: str) -> str:
    return ", ".join(line.strip() for line in text.splitlines() if line.strip()).replace(":, ", ": ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    pattern: re.Pattern[str]
    message: str
    hint: str | None = None
    about: tuple[str, ...] = ()


def _known(pattern: str, message: str, hint: str | None = None, *, about: tuple[str, ...] = ()) -> _Known:
    return _Known(pattern=re.compile(pattern, re.DOTALL), message=message, hint=hint, about=about)


_SQL_CAUSES = r"scurry-sql-error statement=[^\n]*\n(?:.*\nscurry-sql-error cause\n)?"
"""what `SqlScript.describe` writes, up to its last causes"""

_KNOWN = (
    _known(
        r"FlinkJobNotFoundException: Could not find Flink job \((?P<job>\w+)\)",
        "Flink knows no job {job!r}",
    ),
    _known(
        r"Duplicate(?:Job|Application)SubmissionException",
        "a job of this id was submitted before",
    ),
    _known(
        r"entry point class '(?P<name>[^']*)' was not found in the jar file",
        "no main class {name!r} in the jar",
        "Set `main_class` to a class that the jar holds.",
        about=("code", "main_class"),
    ),
    _known(
        # PackagedProgram.hasMainMethod, callMainMethod
        r"does not have a main\(String\[\]\) method|has no main\(String|main method must be (?:static|public)",
        "the main class has no method `public static void main(String[])`",
        "Set `main_class` to the class that starts the program.",
        about=("code", "main_class"),
    ),
    _known(
        r"Neither a 'Main-Class', nor a 'program-class' entry was found in the jar",
        "the jar does not say which class to run",
        "Set `main_class`.",
        about=("code", "jar"),
    ),
    _known(
        r"Could not find any factory for identifier '(?P<name>[^']*)' that implements"
        r" '[\w.]*\.(?:Dynamic|Catalog)\w*'.*?Available factory identifiers are:(?P<there>.*?)(?:\nscurry-sql-error|$)",
        "no connector {name!r} is there, only: {there}",
        "Add the connector's Maven coordinate to `connectors`, or correct its name in the table's options.",
    ),
    _known(
        r"Could not find any factory for identifier '(?P<name>[^']*)' that implements"
        r" '[\w.]*?(?P<kind>\w+)'.*?(?:Available factory identifiers are:(?P<there>.*?)(?:\nscurry-sql-error|$)|$)",
        "nothing called {name!r} is there ({kind}), only: {there}",
        "Add the Maven coordinate of what brings it (a format, a catalog) to `connectors`.",
    ),
    _known(
        r"Could not find any format factory for identifier '(?P<name>[^']*)'",  # FileSystemTableFactory
        "nothing called {name!r} is there (a format)",
        "Add the Maven coordinate of what brings it (a format, a catalog) to `connectors`.",
    ),
    _known(
        r"Unsupported options found for '(?P<name>[^']*)'\.\s*Unsupported options:\s*(?P<options>.*?)\s*Supported"
        r" options:",
        "unsupported options of {name!r}: {options}",
    ),
    _known(
        r"One or more required options are missing\.\s*Missing required options are:\s*(?P<options>.*?)(?:\n\n|$)",
        "required options are missing: {options}",
    ),
    _known(
        r"NoResourceAvailableException(?:: (?P<text>[^\n]*))?",
        "not enough free slots: {text}",
        "Lower `parallelism`, or add TaskManagers or slots.",
        about=("parallelism",),
    ),
    _known(
        r"Failed to rollback to checkpoint/savepoint (?P<where>\S+?)\.? Cannot map checkpoint/savepoint state for"
        r" operator (?P<operator>\w+) to the new program",
        "the state of operator {operator!r} in {where} fits no operator of the new program",
        "Give the operators the uids they had (in SQL: an aggregation, join or window that computes something else has"
        " other state), or allow the state to be dropped with `upgrade.allow_non_restored_state`.",
    ),
    _known(
        r"Cannot find (?:meta data file '_metadata' in directory|checkpoint or savepoint file/directory)"
        r" '(?P<where>[^']*)'",
        "there is no checkpoint or savepoint at {where!r}, as Flink sees it",
        "The location has to be readable on the hosts of JobManager and TaskManagers.",
    ),
    _known(
        r"Could not find a file system implementation for scheme '(?P<scheme>[^']*)'",
        "this Flink has no file system for {scheme!r}",
        "Its plugin (for example flink-s3-fs-presto) has to be in `plugins/` of the cluster.",
    ),
    _known(
        r"UnsupportedClassVersionError: (?P<name>\S+) has been compiled by a more recent version"
        r".*?class file version (?P<file>[\d.]+).*?up to (?P<up>[\d.]+)",
        "the jar was compiled for a newer Java than Flink runs on (class file version {file}, {up} at most)",
        "Compile it for an older Java (`--release`), or run Flink on a newer one.",
    ),
    _known(
        r"(?:ClassNotFoundException|NoClassDefFoundError): (?:Could not initialize class )?(?P<name>[\w./$]+)",
        "class {name!r} is neither in the jar nor in Flink",
        "Put the dependency into the jar, or add its Maven coordinate to `connectors`.",
    ),
    _known(
        _SQL_CAUSES + r"(?P<outer>[^\n]+?)\.?\nscurry-sql-error cause\n(?P<name>\S+)\nscurry-sql-error end",
        "{outer}: {name}",
    ),
    _known(_SQL_CAUSES + r"(?P<text>.+?)(?:\nscurry-sql-error|$)", "{text}"),
    _known(
        r"org\.apache\.flink\.table\.api\.(?:ValidationException|SqlParserException\w*): (?P<text>[^\n]+)",
        "{text}",
    ),
    _known(
        # CheckpointFailureReason.NOT_ALL_REQUIRED_TASKS_RUNNING
        r"Not all required tasks are currently running",
        "not all of its tasks run now, and only all of them can write its state",
        "When all of them run again (`scurry status` tells), run the same command again.",
    ),
    _known(
        r"No savepoint directory configured|"
        r"Neither.*savepoint.* directory.*configured|config option .*savepoint.*dir",
        "Flink does not know where to put savepoints",
        "Set `savepoints` of the target, or Flink's option `execution.checkpointing.savepoint-dir`.",
    ),
    _known(
        r".*Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n)*(?P<text>[^\n]+)",
        "Python: {text}",
    ),
)
"""troubles that deserve plain words, most telling first"""
