"""What the step from one Flink to another, and from one state backend to another, means for a whole snapshot. Pure.

Sources: Flink's release notes 2.0 ("State Compatibility is not guaranteed between 1.x and 2.x"), its pages "Upgrading
Applications and Flink Versions" (table of compatible versions) and "Checkpoints vs. Savepoints" (what which kind of
snapshot allows), and the versions of `_metadata` (MetadataV4Serializer and its neighbours).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scurry.model.compatibility import Remark, Weight
from scurry.model.snapshot import SnapshotFormat
from scurry.model.state import JobGraph, SnapshotState, StateKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWEST_READABLE = (((2, 1), 6), ((2, 0), 5), ((1, 11), 4))
"""from which Flink on which newest version of `_metadata` can be read"""
_WRITTEN_SINCE = {5: "2.0", 6: "2.1"}
_OLDEST_OF_FILE = {5: (2, 0), 6: (2, 1)}
_OPERATOR_KINDS = frozenset({StateKind.OPERATOR_LIST, StateKind.OPERATOR_UNION, StateKind.BROADCAST})


def series(version: str | None) -> tuple[int, int] | None:
    """Return major and minor of a Flink version; None for what is none."""
    found = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None


def writer(snapshot: SnapshotState, written_by: str | None) -> tuple[int, int]:
    """Return the Flink that wrote a snapshot: as it is known, else as old as the file allows within its major."""
    return series(written_by) or _OLDEST_OF_FILE.get(snapshot.metadata_version, (1, 20))


def version_remarks(snapshot: SnapshotState, graph: JobGraph, *, written_by: str | None, sql: bool) -> Iterator[Remark]:
    """Yield what stands against reading a snapshot with the new version's Flink, or makes it uncertain."""
    after = series(graph.flink_version)
    if after is None:
        return
    readable = next((newest for since, newest in _NEWEST_READABLE if after >= since), 4)
    before = writer(snapshot, written_by)
    if snapshot.metadata_version > readable:
        since = _WRITTEN_SINCE.get(snapshot.metadata_version, "a newer release")
        yield Remark(
            weight=Weight.BLOCKS,
            message=f"the snapshot was written by Flink {since} or later; Flink {graph.flink_version} cannot read it",
            remedy="Go on with the Flink that wrote it, or start from a snapshot of before that upgrade.",
        )
    elif before > after and before[0] == after[0] and written_by:
        yield Remark(
            weight=Weight.UNKNOWN,
            message=f"Flink {graph.flink_version} is older than the one that wrote the snapshot ({written_by}): "
            "Flink promises to read older state only",
        )
    if before[0] < 2 <= after[0]:
        yield Remark(
            weight=Weight.WARNING,
            message="Flink does not guarantee that state of 1.x can be read by 2.x, and no way leads back; "
            "operators and states below were looked at one by one",
            remedy="Rehearse it on a copy first.",
        )
    elif sql and before != after and written_by:
        yield Remark(
            weight=Weight.WARNING,
            message=f"Flink {graph.flink_version} may plan the same SQL in another way than {written_by} did",
        )


def backend_remarks(
    snapshot: SnapshotState, graph: JobGraph, *, format: SnapshotFormat | None, before: str | None, changelog: bool
) -> Iterator[Remark]:
    """Yield what a change of the state backend means: only a canonical savepoint can be read by another one.

    `before`: the backend that wrote it; `changelog`: whether it wrote a changelog.
    """
    if format is SnapshotFormat.CANONICAL or not _has_keyed_state(snapshot):
        return
    was, becomes = backend_name(before), backend_name(graph.state_backend)
    if was and becomes and was != becomes:
        what = "a native savepoint" if snapshot.is_savepoint and format is SnapshotFormat.NATIVE else "a checkpoint"
        yield Remark(
            weight=Weight.BLOCKS,
            message=f"the state backend changes from {was} to {becomes}, and {what} can only be read by the one that "
            "wrote it",
            remedy="Start from a canonical savepoint: upgrade.mode: savepoint",
        )
    elif changelog != graph.changelog:
        verb = "on" if graph.changelog else "off"
        yield Remark(
            weight=Weight.UNKNOWN,
            message=f"the changelog is switched {verb} while it starts from no canonical savepoint",
            remedy="Start from a canonical savepoint: upgrade.mode: savepoint",
        )


def backend_name(given: str | None) -> str | None:
    """Return a state backend by its short name, whichever of Flink's names for it was given."""
    if given is None:
        return None
    lower = given.lower()
    for short in ("rocksdb", "forst"):
        if short in lower:
            return short
    if lower in {"hashmap", "filesystem", "jobmanager", "memory"} or "hashmap" in lower:
        return "hashmap"
    return given


def _has_keyed_state(snapshot: SnapshotState) -> bool:
    return any(
        operator.key is not None or any(state.kind not in _OPERATOR_KINDS for state in operator.states)
        for operator in snapshot.operators
    )
