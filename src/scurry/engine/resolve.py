"""Application → Desired: the wish with nothing left open. Pure; what has to be looked up is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.application import Application, CodeKind
from scurry.model.desired import Artifact, Desired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scurry.model.values import Text


def application_id(name: str, environment: str | None) -> str:
    """Return the key of an application's lifecycle: each environment has its own."""
    return f"{name}@{environment}" if environment else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Who it is and where it runs."""

    id: str
    target: str
    flink_version: str


def resolve(
    application: Application,
    placement: Placement,
    *,
    artifact: Artifact,
    config: Mapping[str, Text],
    secrets: Mapping[str, Text],
) -> Desired:
    """Return the wish. `config` is already in the words of the placement's Flink; `artifact` is in the store."""
    return Desired(
        application=placement.id,
        target=placement.target,
        flink_version=placement.flink_version,
        artifact=artifact,
        entry=_entry(application),
        args=tuple(application.code.args),
        parallelism=application.parallelism,
        config=dict(config),
        properties={group: dict(values) for group, values in application.properties.items()},
        secrets=dict(secrets),
        upgrade=application.upgrade_policy(),
        snapshots=application.snapshots.policy(),
        recovery=application.recovery,
        drift=application.drift,
        description=application.description,
        labels=dict(application.labels),
    )


def _entry(application: Application) -> str | None:
    code = application.code
    match code.kind:
        case CodeKind.JAR:
            return code.main_class
        case CodeKind.PYTHON:
            return (code.python or "").rpartition("/")[2]
        case CodeKind.SQL:
            return None
