"""From `targets.<name>` of the project file to a target that is connected (no call is made yet)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scurry.targets.managed.aws import Aws
from scurry.targets.managed.target import ManagedTarget

if TYPE_CHECKING:
    from scurry.model.project import ManagedTarget as Settings
    from scurry.targets.services import TargetServices


def connect(name: str, settings: Settings | Mapping[str, Any], services: TargetServices) -> ManagedTarget:
    """Return the target that the settings describe."""
    read = _read(settings)
    aws = Aws(name, region=read.region, profile=read.profile, endpoint=read.endpoint)
    return ManagedTarget(name, aws, read, services)


def _read(settings: Settings | Mapping[str, Any]) -> Settings:
    if not isinstance(settings, Mapping):
        return settings
    from scurry.model.project import ManagedTarget as Model

    return Model.model_validate({"kind": "managed", **settings})
