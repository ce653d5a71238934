"""Tags of applications and of enhanced snapshots: three operations, none of which makes a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.emulator.enhanced_records import EnhancedSnapshot
from scurry.emulator.errors import ServiceError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scurry.emulator.records import Application, Records

MOST_TAGS = 50


class Tagging:
    """Finds what an ARN names, and changes its tags."""

    def __init__(self, records: Records, prefix: str) -> None:
        """`prefix`: of the ARNs of an account and Region."""
        self._records = records
        self._prefix = prefix
        self.operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.tags,
        }

    def tag(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`TagResource`."""
        found = self._known(request["ResourceARN"])
        self._replace(found, found.tags | checked_tags(request["Tags"]))
        return {}

    def untag(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`UntagResource`."""
        found = self._known(request["ResourceARN"])
        self._replace(found, {key: value for key, value in found.tags.items() if key not in request["TagKeys"]})
        return {}

    def tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`ListTagsForResource`."""
        found = self._known(request["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(found.items())]}

    def _known(self, arn: str) -> Application | EnhancedSnapshot:
        kind, _, name = arn.removeprefix(self._prefix).partition("/")
        found: Application | EnhancedSnapshot | None = None
        if kind == "application":
            found = self._records.applications.get(name)
        elif kind == "snapshot":
            found = self._records.enhanced.snapshot(name)
        if found is None:
            raise not_found(f"{'Snapshot' if kind == 'snapshot' else 'Application'} {arn} was not found")
        return found

    def _replace(self, found: Application | EnhancedSnapshot, tags: dict[str, str]) -> None:
        _check(tags)
        found.tags = tags
        if isinstance(found, EnhancedSnapshot):
            self._records.enhanced.save(found.name)
        else:
            self._records.save(found)


def checked_tags(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags as they are kept. Raises `ServiceError` for too many."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in given}
    _check(tags)
    return tags


def _check(tags: Mapping[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        raise ServiceError("TooManyTagsException", f"An application or a snapshot has {MOST_TAGS} tags at most")
