"""From `targets.<name>` of the project file to a target that is connected (no call is made yet)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest
from scurry.targets.rest.places import Places
from scurry.targets.rest.target import RestTarget

if TYPE_CHECKING:
    from scurry.model.project import RestTarget as Settings
    from scurry.targets.services import TargetServices


def connect(name: str, settings: Settings | Mapping[str, Any], services: TargetServices) -> RestTarget:
    """Return the target that the settings describe. Raises `SpecInvalid` or `TargetUnsuitable` when they are wrong."""
    read = _read(settings)
    rest = FlinkRest(rest_settings(read, services.root), target=name, resolve=services.secrets.resolve)
    places = Places(
        savepoints=_location(read.savepoints, services.root),
        checkpoints=_location(read.checkpoints, services.root),
        shared=_path(read.shared_directory, services.root),
    )
    return RestTarget(name, rest, services, places=places)


def rest_settings(settings: Settings, root: Path) -> RestSettings:
    """Return the part of the settings that is about the connection; paths are relative to `root`."""
    return RestSettings(
        url=settings.url,
        verify=settings.verify,
        ca=_path(settings.ca, root),
        cert=_path(settings.cert, root),
        key=_path(settings.key, root),
        username=settings.username,
        password=settings.password,
        token=settings.token,
        headers=settings.headers,
        connect_timeout_s=settings.timeouts.connect.total_seconds(),
        timeout_s=settings.timeouts.read.total_seconds(),
        run_timeout_s=settings.timeouts.run.total_seconds(),
    )


def _read(settings: Settings | Mapping[str, Any]) -> Settings:
    if not isinstance(settings, Mapping):
        return settings
    from scurry.model.project import RestTarget as Model

    return Model.model_validate({"kind": "rest", **settings})


def _path(text: str | None, root: Path) -> Path | None:
    return root / Path(text).expanduser() if text else None


def _location(text: str | None, root: Path) -> str | None:
    return text if text is None or ":" in text else str(_path(text, root))
