"""The spec of an application: what people write in `application.yaml`, checked and immutable.

Field descriptions are the reference: editors (JSON Schema) and the documentation show them. Nothing is resolved here;
`model/desired.py` is the same application resolved to the last value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from scurry.model.desired import (
    DriftPolicy,
    HealthPolicy,
    RecoveryPolicy,
    RollbackSource,
    SnapshotPolicy,
    SqlPlans,
    StateCheck,
    UnknownState,
    UpgradeMode,
    UpgradePolicy,
)
from scurry.model.fields import (
    WHOLE,
    Duration,
    Filled,
    Flag,
    FlinkVersion,
    Line,
    Misplaced,
    OneOf,
    Options,
    Size,
    SpecModel,
    Texts,
    Value,
    Values,
    Variables,
    describe,
    read_flag,
    read_text,
    read_texts,
)
from scurry.model.schedule import parse_schedule

if TYPE_CHECKING:
    from scurry.model.values import Text

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
MAX_PARALLELISM = 32768
"""Flink's own upper limit (KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM)"""
CHECKPOINT_INTERVAL = "execution.checkpointing.interval"


class CodeKind(StrEnum):
    """What an application is made of."""

    SQL = "sql"
    JAR = "jar"
    PYTHON = "python"


def read_name(value: object) -> str:
    """Read an application's name. Raises `ValueError`."""
    text = read_text(value)
    if len(text) > 100:
        raise ValueError(f"the name is {len(text)} characters long; 100 is the most")
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError(f"'{text}' is not a name: letters, digits, '-', '_' and '.', beginning with a letter or digit")
    return text


def read_connector(value: object) -> str:
    """Read a connector's Maven coordinate, path or address. Raises `ValueError`."""
    text = read_text(value)
    if text.startswith("mvn:"):
        parts = text.split(":")[1:]
        if len(parts) not in {3, 4} or not all(re.fullmatch(r"[\w.-]+", part) for part in parts):
            raise ValueError(f"'{text}' is not a Maven coordinate; write mvn:group:artifact:version[:classifier]")
    elif not text.endswith(".jar"):
        raise ValueError(f"'{text}' is neither a Maven coordinate (mvn:group:artifact:version) nor a path to a jar")
    return text


def read_schedule(value: object) -> str:
    """Read a cron line. Raises `ValueError`."""
    text = read_text(value)
    parse_schedule(text)
    return text


def read_zone(value: object) -> str:
    """Read the name of a time zone. Raises `ValueError`."""
    from zoneinfo import ZoneInfo

    text = read_text(value)
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        raise ValueError(f"'{text}' is not a time zone; write for example UTC or Europe/Berlin") from None
    return text


def read_allowed(value: object) -> bool | tuple[str, ...]:
    """Read `true`, `false` or a list of operator uids. Raises `ValueError`."""
    if isinstance(value, list | tuple):
        return tuple(read_text(item) for item in value) or False
    try:
        return read_flag(value)
    except ValueError:
        raise ValueError(f"{describe(value)} is neither true, false nor a list of operators' uids") from None


Name = Annotated[
    str,
    PlainValidator(read_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": 100}),
]
Connector = Annotated[str, PlainValidator(read_connector), WithJsonSchema({"type": "string"})]
Allowed = Annotated[
    bool | tuple[str, ...],
    PlainValidator(read_allowed),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Code(SpecModel):
    """What runs: exactly one of `sql`, `jar`, `python`. A change restarts the job from its savepoint."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind.value]} for kind in CodeKind]})

    sql: Filled | None = Field(None, description="SQL script, a template if it has any; relative to this file.")
    jar: Filled | None = Field(
        None, description="Jar: a path, `mvn:group:artifact:version[:classifier]`, `https://…` or `s3://…`."
    )
    main_class: Filled | None = Field(None, description="Entry class of the jar; without it, the one in its manifest.")
    python: Filled | None = Field(None, description="Python script; relative to this file.")
    requirements: Filled | None = Field(None, description="`requirements.txt` with the script's packages.")
    files: Texts = Field((), description="More files and folders that the Python script needs beside it.")
    args: Values = Field((), description="Arguments of the jar's or script's main; secrets may be references.")

    @property
    def kind(self) -> CodeKind:
        """Which of the three it is."""
        return next(kind for kind in CodeKind if getattr(self, kind.value) is not None)

    @property
    def source(self) -> str:
        """The path, coordinate or address of the code."""
        return str(getattr(self, self.kind.value))

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        found = [kind.value for kind in CodeKind if getattr(self, kind.value) is not None]
        if len(found) != 1:
            raise ValueError(f"exactly one of sql, jar, python is needed; found {' and '.join(found) or 'none'}")
        for key, kinds in (
            ("main_class", {"jar"}),
            ("requirements", {"python"}),
            ("files", {"python"}),
            ("args", {"jar", "python"}),
        ):
            if getattr(self, key) and found[0] not in kinds:
                raise Misplaced(f"{key} belongs to {' or '.join(sorted(kinds))}, not to {found[0]}", key, of_key=True)
        return self


class Health(SpecModel):
    """When a started job counts as healthy; until then a deployment is not done. A change restarts nothing."""

    window: Duration = Field(
        HealthPolicy().window,
        json_schema_extra={"default": "30s"},
        description="How long a job may take to become healthy. Default: 30s.",
    )
    hold: Duration | None = Field(
        None,
        description=(
            "How long it has to stay healthy before the deployment is done, for jobs that fail late. "
            "Default: not at all; the first moment at which it is healthy decides."
        ),
    )
    restarts: Annotated[int, Field(ge=0, le=1000), WHOLE] = Field(
        0, description="Restarts that are forgiven within the window."
    )
    checkpoints: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = Field(
        None,
        description=(
            "Checkpoints that must have completed since the restore. Default: 1 when "
            "`execution.checkpointing.interval` is set in `config`, else 0."
        ),
    )


class Upgrade(SpecModel):
    """How a new revision takes over from the running one. A change restarts nothing."""

    mode: Annotated[UpgradeMode, OneOf(UpgradeMode, "is not an upgrade mode")] = Field(
        UpgradeMode.SAVEPOINT,
        description=(
            "`savepoint`: stop with a savepoint, start from it. `last-state`: start from the newest checkpoint; "
            "records since then are processed again. `stateless`: start with nothing; the old state is not used."
        ),
    )
    allow_non_restored_state: Allowed = Field(
        False,
        description=(
            "State that may be dropped: `true` for any, or the operators that are gone by their uids "
            "(by name or id where they have none)."
        ),
    )
    state_check: Annotated[StateCheck, OneOf(StateCheck, "is no way to check state")] = Field(
        StateCheck.FULL,
        description=(
            "How it is found out, while the old job still runs, whether the new one can take its state over. `full`: "
            "the program's `main()` is run, apart and without a network, and its operators are opened. `graph`: only "
            "`main()` is run; states are not compared. `off`: nothing of the program is run beforehand."
        ),
    )
    unknown_state: Annotated[UnknownState, OneOf(UnknownState, "is nothing to do about unknown state")] = Field(
        UnknownState.WARN,
        description=(
            "What is done when not all of the state could be compared: `warn`, or `refuse` to change anything."
        ),
    )
    sql: Annotated[SqlPlans, OneOf(SqlPlans, "is nothing that an SQL application runs from")] = Field(
        SqlPlans.PLAN,
        description=(
            "What an SQL application runs from. `plan`: from a compiled plan, made against the running one's, so that "
            "what computes the same keeps its state; the script where Flink cannot compile it. `none`: from the script."
        ),
    )
    health: Health = Field(default_factory=Health, description=Health.__doc__)
    rollback: Flag = Field(
        True,
        description="Return to the last healthy revision, with its state, when the new one is not healthy in time.",
    )
    rollback_from: Annotated[RollbackSource, OneOf(RollbackSource, "is nothing to roll back from")] = Field(
        RollbackSource.STOP,
        description=(
            "`stop`: with the snapshot of the stop, untouched by the new revision; what that processed is processed "
            "again, and what its sinks committed is there twice. `newest`: with the newest checkpoint of the new "
            "revision, if there is one and it fits; nothing is written twice."
        ),
    )
    stop_timeout: Duration = Field(
        UpgradePolicy().stop_timeout,
        json_schema_extra={"default": "30min"},
        description="How long a stop with a savepoint is waited for; the stop itself goes on. Default: 30min.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode is UpgradeMode.STATELESS and self.allow_non_restored_state:
            message = "it means nothing with mode stateless, which restores no state at all; remove one of the two"
            raise Misplaced(message, "allow_non_restored_state", of_key=True)
        return self


class Snapshots(SpecModel):
    """Scheduled snapshots and how long they are kept. A change restarts nothing."""

    schedule: Annotated[str, PlainValidator(read_schedule), WithJsonSchema({"type": "string"})] | None = Field(
        None, description='When to take one: a cron line in `zone` (`"0 * * * *"`), or `@hourly`, `@daily`, ….'
    )
    zone: Annotated[str, PlainValidator(read_zone), WithJsonSchema({"type": "string"})] = Field(
        SnapshotPolicy().zone, description="Time zone of `schedule`, by its IANA name: `Europe/Berlin`."
    )
    keep: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = Field(
        None, description="How many to keep; what a rollback needs is kept besides."
    )
    max_age: Duration | None = Field(None, description="Older ones are deleted, but never one that a rollback needs.")
    max_size: Size | None = Field(
        None,
        description="What all together may weigh (`50GB`); the oldest are deleted first, never one a rollback needs.",
    )

    def policy(self) -> SnapshotPolicy:
        """Return it as the engine sees it."""
        return SnapshotPolicy(
            schedule=self.schedule, zone=self.zone, keep=self.keep, max_age=self.max_age, max_size=self.max_size
        )


class Application(SpecModel):
    """A Flink application: its code, its configuration and how its state is looked after."""

    name: Name = Field(description="Identifies the application; another name is another application with no state.")
    description: Line = Field("", description="For people. A change restarts nothing.")
    labels: Mapping[Filled, Line] = Field(
        default_factory=dict, description="For people and for choosing applications. A change restarts nothing."
    )
    flink: FlinkVersion = Field(
        description=(
            'Flink version: a series (`"2.3"`, its newest patch) or a release (`"2.3.0"`). '
            "A change restarts the job from its savepoint."
        )
    )
    code: Code = Field(description=Code.__doc__)
    connectors: Annotated[tuple[Connector, ...], BeforeValidator(read_texts)] = Field(
        (),
        description=(
            "Connectors and other jars for the class path: `mvn:group:artifact:version[:classifier]` or a path. "
            "A change restarts the job from its savepoint."
        ),
    )
    parallelism: Annotated[int, Field(ge=1, le=MAX_PARALLELISM), WHOLE] = Field(
        1,
        description="Parallelism of the job. A change rescales: in place where Flink can, else by a savepoint.",
    )
    config: Options = Field(
        default_factory=dict,
        description=(
            "Flink options, dotted or nested, any that belong to a job. A change restarts the job from its savepoint."
        ),
    )
    properties: Mapping[Filled, Mapping[Filled, Value]] = Field(
        default_factory=dict,
        description=(
            "Runtime properties: group, key, value. The job finds them as `application_properties.json`. "
            "A change restarts the job from its savepoint."
        ),
    )
    variables: Variables = Field(
        default_factory=dict,
        description="Values for templates: `{{ name }}`. What a change costs depends on where they are used.",
    )
    upgrade: Upgrade = Field(default_factory=Upgrade, description=Upgrade.__doc__)
    snapshots: Snapshots = Field(default_factory=Snapshots, description=Snapshots.__doc__)
    recovery: Annotated[RecoveryPolicy, OneOf(RecoveryPolicy, "is no way to recover")] = Field(
        RecoveryPolicy.RESTART,
        description=(
            "What the server does when the job goes bad after it was healthy. `restart`: a revision younger than a day "
            "is rolled back; an older one is started from its newest state once, then a person is told. `rollback`: "
            "back to the last healthy revision, however old. `alert`: only tell. A change restarts nothing."
        ),
    )
    drift: Annotated[DriftPolicy, OneOf(DriftPolicy, "is nothing to do about drift")] = Field(
        DriftPolicy.REPAIR,
        description=(
            "What the server does when the job was cancelled or changed behind its back: `repair` or only `report`. "
            "A change restarts nothing."
        ),
    )
    target: Filled | None = Field(
        None,
        description=(
            "Where it runs: a name of `targets` in scurry.yaml; without it, the project's. "
            "A change stops the job there with a savepoint and starts it here from it."
        ),
    )
    environments: Mapping[Filled, Mapping[str, Any]] = Field(
        default_factory=dict,
        description=(
            "Overlays by name, chosen with `--env`: maps are merged, anything else replaces, an empty value removes. "
            "Each environment is an application of its own: `name@environment`."
        ),
    )

    def upgrade_policy(self) -> UpgradePolicy:
        """Return the upgrade section as the engine sees it, with what depends on `config` decided."""
        health = self.upgrade.health
        checkpoints = health.checkpoints
        if checkpoints is None:
            checkpoints = int(checkpointing(self.config) is True)
        return UpgradePolicy(
            mode=self.upgrade.mode,
            allow_non_restored_state=self.upgrade.allow_non_restored_state,
            state_check=self.upgrade.state_check,
            unknown_state=self.upgrade.unknown_state,
            sql=self.upgrade.sql,
            health=HealthPolicy(
                window=health.window,
                hold=health.hold or HealthPolicy().hold,
                restarts=health.restarts,
                checkpoints=checkpoints,
            ),
            rollback=self.upgrade.rollback,
            rollback_from=self.upgrade.rollback_from,
            stop_timeout=self.upgrade.stop_timeout,
        )

    @model_validator(mode="after")
    def _checkpoints_can_be_had(self) -> Self:
        if checkpointing(self.config) is not False:
            return self
        if self.upgrade.health.checkpoints:
            message = f"no checkpoint ever completes: checkpointing is off ({CHECKPOINT_INTERVAL} is 0 in config)"
            raise Misplaced(message, "upgrade", "health", "checkpoints")
        if self.upgrade.mode is UpgradeMode.LAST_STATE:
            message = (
                f"there is no checkpoint to start from: checkpointing is off ({CHECKPOINT_INTERVAL} is 0 in config)"
            )
            raise Misplaced(message, "upgrade", "mode")
        return self


def checkpointing(config: Mapping[str, Text]) -> bool | None:
    """Whether a job's options turn checkpointing on (True), off (False), or leave it to its code (None)."""
    interval = config.get(CHECKPOINT_INTERVAL)
    if not isinstance(interval, str):
        return None
    return not re.match(r"\s*0+(\.0+)?\s*[a-zA-Zµ]*\s*$", interval)
