"""The mark of a start: a group of runtime properties of our own, which `DescribeApplication` shows again.

It comes with the very version that is started, so what runs and whose it is are written in one call, which the service
refuses when somebody else changed the application meanwhile. `after` is the newest operation before it: a start that is
listed later is the one that this mark is of; clocks do not matter.

Where the configuration is Terraform's, tags hold the same: they make no version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "scurry"
JOB_TAG, APPLICATION_TAG = "scurry:job", "scurry:application"
NONE = "none"
"""the service takes no empty values"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Whose start it is."""

    job: str
    """the job's id, chosen by us: 32 hexadecimal digits"""
    application: str
    """our id of the application: `flights@production`; empty where scurry did not start it"""
    after: str
    """id of the newest operation before it; empty when there was none"""

    @property
    def is_ours(self) -> bool:
        """Whether scurry made it."""
        return bool(self.application)

    def group(self) -> dict[str, Any]:
        """Return it as a property group."""
        values = {"job": self.job, "application": self.application, "after": self.after or NONE}
        return {"PropertyGroupId": GROUP, "PropertyMap": values}

    def tags(self) -> list[dict[str, str]]:
        """Return it as tags."""
        values = {JOB_TAG: f"{self.job} {self.after or NONE}", APPLICATION_TAG: self.application}
        return [{"Key": key, "Value": value} for key, value in values.items()]


def mark_of_tags(tags: Mapping[str, str]) -> Mark | None:
    """Return the mark among an application's tags."""
    job, _, after = tags.get(JOB_TAG, "").partition(" ")
    return _mark(job, tags.get(APPLICATION_TAG, ""), after)


def mark_in(groups: list[dict[str, Any]]) -> Mark | None:
    """Return the mark among an application's property groups."""
    values: dict[str, str] = next((group["PropertyMap"] for group in groups if group["PropertyGroupId"] == GROUP), {})
    return _mark(values.get("job", ""), values.get("application", ""), values.get("after", NONE))


def _mark(job: str, application: str, after: str) -> Mark | None:
    if not (job and application):
        return None
    return Mark(job=job, application=application, after="" if after == NONE else after)
