"""Desired: an application resolved to the last value. What a revision is made of; no secrets in it.

Each field says how big its change is (`Impact`); the planner takes the greatest. This follows the Flink Kubernetes
Operator's `@SpecDiff`, whose reconciler also decides by the field and not by the place of the change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum, StrEnum
from functools import cache
from typing import Annotated, TypeAlias, get_type_hints

import msgspec

from scurry.model.values import Text

ApplicationId: TypeAlias = str
"""The name, or `name@environment`: one lifecycle, one lease, one line of revisions."""


class Impact(IntEnum):
    """How big a change is, smallest first."""

    NONE = 0
    """not a change"""
    ADJUST = 1
    """recorded; nothing restarts"""
    RESCALE = 2
    """parallelism only: in place where Flink can, by savepoint otherwise"""
    UPGRADE = 3
    """the job is stopped with a savepoint and started from it"""
    MOVE = 4
    """another target: stopped there with a savepoint, started here from it"""


class UpgradeMode(StrEnum):
    """The Flink Kubernetes Operator's words."""

    SAVEPOINT = "savepoint"
    LAST_STATE = "last-state"
    STATELESS = "stateless"


class ArtifactKind(StrEnum):
    """How Flink runs it."""

    JAR = "jar"
    PYTHON = "python"


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """The jar or zip, known by its digest. The bytes are in the artifact store."""

    kind: ArtifactKind
    digest: str
    """`sha256:` and 64 hexadecimal digits"""
    file_name: str
    """for people; the digest is the identity"""
    size_bytes: int


class RecoveryPolicy(StrEnum):
    """What the server does by itself about a job that goes bad after it was healthy."""

    RESTART = "restart"
    """a revision younger than a day is rolled back; an older one is started again from its newest state, once"""
    ROLLBACK = "rollback"
    """back to the last healthy revision, however old the current one is"""
    ALERT = "alert"
    """nothing but to tell"""


class RollbackSource(StrEnum):
    """Which state an upgrade that failed is rolled back with."""

    STOP = "stop"
    """the snapshot of the stop: what the good revision had left, untouched by the bad one"""
    NEWEST = "newest"
    """the newest checkpoint of the bad revision, up to which its sinks have committed; if that does not fit, `stop`"""


class StateCheck(StrEnum):
    """How the state of a job is compared with what its next version will ask for, before anything is stopped."""

    FULL = "full"
    """the program's main() is run, apart, and its operators are opened with the old state's description"""
    GRAPH = "graph"
    """only its main() is run: operators are compared, their states are not"""
    OFF = "off"
    """nothing of the program is run beforehand"""


class UnknownState(StrEnum):
    """What is done when not all of the state could be compared."""

    WARN = "warn"
    REFUSE = "refuse"


class SqlPlans(StrEnum):
    """What an SQL application runs from."""

    PLAN = "plan"
    """a compiled plan, made when it was built; the script itself where it cannot have one"""
    NONE = "none"
    """the script, planned anew at every start"""


class DriftPolicy(StrEnum):
    """What the server does about a job that is not what was applied, without anything being wrong with it."""

    REPAIR = "repair"
    REPORT = "report"


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a started job counts as healthy."""

    window: timedelta = timedelta(seconds=30)
    """how long a job may take to become healthy"""
    hold: timedelta = timedelta()
    """how long it has to stay so; zero: the first moment at which it is healthy decides"""
    restarts: int = 0
    """restarts that are forgiven within the window"""
    checkpoints: int = 1
    """checkpoints that must have completed since the restore; 0 when checkpointing is off"""


class UpgradePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a new revision takes over from the old one."""

    mode: UpgradeMode = UpgradeMode.SAVEPOINT
    allow_non_restored_state: bool | tuple[str, ...] = False
    """operators (uids) whose state may be dropped; `true` allows all"""
    state_check: StateCheck = StateCheck.FULL
    unknown_state: UnknownState = UnknownState.WARN
    sql: SqlPlans = SqlPlans.PLAN
    health: HealthPolicy = HealthPolicy()
    rollback: bool = True
    rollback_from: RollbackSource = RollbackSource.STOP
    stop_timeout: timedelta = timedelta(minutes=30)
    """how long a stop with a savepoint may take before `apply` gives up waiting; the stop itself goes on"""


class SnapshotPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Scheduled snapshots and their retention."""

    schedule: str | None = None
    zone: str = "UTC"
    """IANA name of the time zone that `schedule` is in"""
    keep: int | None = None
    max_age: timedelta | None = None
    max_size: int | None = None
    """bytes of all together"""


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """One application as it should be: everything that a target needs to run it, secrets as references."""

    application: Annotated[ApplicationId, Impact.NONE]
    target: Annotated[str, Impact.MOVE]
    flink_version: Annotated[str, Impact.UPGRADE]
    """exact: `2.3.0`"""
    artifact: Annotated[Artifact, Impact.UPGRADE]
    entry: Annotated[str | None, Impact.UPGRADE] = None
    """main class of a jar (None: the manifest's), or the script inside a Python artifact"""
    args: Annotated[tuple[Text, ...], Impact.UPGRADE] = ()
    parallelism: Annotated[int, Impact.RESCALE] = 1
    config: Annotated[Mapping[str, Text], Impact.UPGRADE] = {}
    """Flink options for the job, in the words of `flink_version`"""
    properties: Annotated[Mapping[str, Mapping[str, Text]], Impact.UPGRADE] = {}
    """group → key → value; delivered as `application_properties.json`"""
    secrets: Annotated[Mapping[str, Text], Impact.UPGRADE] = {}
    """what an SQL script's `${secret:NAME}` stand for"""
    upgrade: Annotated[UpgradePolicy, Impact.ADJUST] = UpgradePolicy()
    snapshots: Annotated[SnapshotPolicy, Impact.ADJUST] = SnapshotPolicy()
    recovery: Annotated[RecoveryPolicy, Impact.ADJUST] = RecoveryPolicy.RESTART
    drift: Annotated[DriftPolicy, Impact.ADJUST] = DriftPolicy.REPAIR
    description: Annotated[str, Impact.ADJUST] = ""
    labels: Annotated[Mapping[str, str], Impact.ADJUST] = {}

    def digest(self) -> str:
        """Return the identity of this wish: equal digests mean that nothing differs."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


@cache
def impacts() -> Mapping[str, Impact]:
    """Return each field's impact, as declared on `Desired`."""
    hints = get_type_hints(Desired, include_extras=True)
    return {
        name: next(note for note in hints[name].__metadata__ if isinstance(note, Impact))
        for name in Desired.__struct_fields__
    }
