"""All applications of an account and region: which of them is whose, by as few calls as can be.

`ListApplications` tells status and version; an application is described only when its version is another one than when
it was described before. What was learned is kept in this process alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scurry.model.observed import Job
from scurry.targets.managed.marking import mark_of_tags
from scurry.targets.managed.metrics import Asked
from scurry.targets.managed.runs import surveyed_state
from scurry.targets.managed.service import LIVE, RESTING, Application

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from scurry.model.ports import Clock
    from scurry.targets.managed.marking import Mark
    from scurry.targets.managed.metrics import Metrics
    from scurry.targets.managed.service import Service


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Finds applications, by name on the service and by the mark of their newest start."""

    service: Service
    names: Mapping[str, str]
    """our id → name on the service, where the rule does not give it"""
    by_tags: bool = False
    """whether marks are in tags first, since the configuration is somebody else's"""
    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    """name and version → mark"""
    by_job: dict[str, str] = field(default_factory=dict)
    """job id → name"""
    tagged: set[str] = field(default_factory=set)
    """names of those whose tags hold the newer mark: their configuration was somebody else's until now"""

    def name_of(self, application: str) -> str:
        """Return the name on the service: it takes no `@`."""
        return self.names.get(application) or application.replace("@", "-")

    def id_of(self, name: str, mark: Mark) -> str:
        """Return our id of an application: as its mark says, else as the settings do, else its name."""
        known = {there: ours for ours, there in self.names.items()}
        return mark.application or known.get(name, name)

    def application(self, name: str) -> Application | None:
        """Describe an application by its name on the service."""
        found = self.service.application(name)
        if found is not None:
            if self.by_tags or name in self.tagged or not found.mark.is_ours:
                found = Application(found.detail, tagged=mark_of_tags(self.service.tags(found.arn)))
            self.marks[name, found.version] = found.mark
            self.by_job[found.mark.job] = name
        return found

    def expected(self, name: str, marks: Sequence[str]) -> Application | None:
        """Describe an application that should have one of these marks; where it has not, its tags are asked, too."""
        found = self.application(name)
        if found is None or not marks or found.mark.job in marks or name in self.tagged:
            return found
        mark = mark_of_tags(self.service.tags(found.arn))
        if mark is None or mark.job not in marks:
            return found
        self.tagged.add(name)
        return self.application(name)

    def of_job(self, job_id: str) -> Application | None:
        """Return the application whose newest start has that mark, as it is now."""
        name = self.by_job.get(job_id)
        if name is None:
            self._learn()
            name = self.by_job.get(job_id)
        found = self.application(name) if name else None
        return found if found is not None and found.mark.job == job_id else None

    def survey(self, metrics: Metrics, clock: Clock) -> dict[str, Job]:
        """Return the jobs of all applications: of those at rest only what scurry started."""
        found: dict[str, tuple[str, str, Job]] = {}
        for name, status, runtime, mark in self._learn():
            if status == "DELETING" or (status in RESTING and not mark.is_ours):
                continue
            state = surveyed_state(status)
            job = Job(
                id=mark.job, name=self.id_of(name, mark), state=state, vertices=1, vertices_running=int(status in LIVE)
            )
            found[name] = (status, runtime, job)
        # How long a job runs is not known from here, and needs not: a rise is a rise.
        now = clock.now()
        asked = [
            Asked(application=name, runtime=runtime, since=_ages_ago(now, metrics.period))
            for name, (status, runtime, _) in found.items()
            if status == "RUNNING"
        ]
        news = metrics.restarts(asked, now)
        return {
            job.id: replace(job, modified_at=news[name].restarted_at) if name in news else job
            for name, (_, _, job) in found.items()
        }

    def _learn(self) -> list[tuple[str, str, str, Mark]]:
        found = []
        for summary in list(self.service.summaries()):
            name, version = summary["ApplicationName"], summary["ApplicationVersionId"]
            if (name, version) not in self.marks and self.application(name) is None:
                continue  # deleted between the two calls
            mark = self.marks.get((name, version))
            if mark is not None:
                self.by_job[mark.job] = name
                found.append((name, summary["ApplicationStatus"], summary["RuntimeEnvironment"], mark))
        return found


def _ages_ago(now: datetime, period: timedelta) -> datetime:
    return now - 1000 * period
