"""What a target may need of the workspace that it is opened for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import ArtifactStore, Clock, Reporter, Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetServices:
    """Given to each target's `connect`. Steps get secrets and artifacts by their context; these are the same ones."""

    root: Path
    """the project's folder: what paths in scurry.yaml are relative to"""
    directory: Path
    """the workspace's own folder, `.scurry`"""
    secrets: Secrets
    artifacts: ArtifactStore
    clock: Clock
    reporter: Reporter
    runtimes: Runtimes
