"""A project that is open: its parts, each made when it is first asked for, and how its applications are now.

The workspace builds on it; it only looks. It prints nothing: a `Reporter` is told.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scurry.clock import SystemClock
from scurry.model.errors import PlanError
from scurry.model.reporting import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scurry.assembly import Assembly
    from scurry.model.journal import History
    from scurry.model.observed import Observed
    from scurry.model.ports import Clock, Journal, Target
    from scurry.model.project import Project
    from scurry.model.report import StatusReport
    from scurry.model.reporting import Reporter

DETAILED = 16
"""up to this many applications `status` asks the target about each; above, once per target"""
_AT_ONCE = 32


class OpenProject:
    """A project folder and what belongs to it: specs, targets, journal, artifacts."""

    def __init__(self, project: Project, *, reporter: Reporter | None = None, clock: Clock | None = None) -> None:
        self.project = project
        self.reporter: Reporter = reporter or SilentReporter()
        self.clock: Clock = clock or SystemClock()
        self._targets: dict[str, Target] = {}

    @classmethod
    def open(cls, start: Path | None = None, *, reporter: Reporter | None = None, clock: Clock | None = None) -> Self:
        """Open the project of a folder: the nearest `scurry.yaml` upwards, else the folder itself with its defaults.

        Raises `SpecInvalid` when the project file is wrong.
        """
        from scurry.spec.load import load_project

        return cls(load_project(start or Path.cwd()), reporter=reporter, clock=clock)

    def status(self, *applications: str) -> tuple[StatusReport, ...]:
        """Return how the given applications are, or all of them. A target that does not answer is told, not raised."""
        from scurry.engine.freezing import with_freezes
        from scurry.engine.status import report, survey_report

        names = applications or self._reading.applications()
        histories = [self._known(name) for name in names]
        if len(histories) > DETAILED:
            surveys = self._surveys({target_of(history) for history in histories})
            reports = [survey_report(history, surveys[target_of(history)]) for history in histories]
        else:
            now = self.clock.now()
            reports = [report(history, self._look(history), now=now) for history in histories]
        return with_freezes(reports, self._reading.freezes())

    @property
    def _reading(self) -> Journal:
        """The journal for looking: a command that only looks creates nothing."""
        return self.assembly.journal_to_read

    @cached_property
    def assembly(self) -> Assembly:
        """What the workspace is put together from: runtimes, stores, secrets, the journal."""
        from scurry.assembly import Assembly

        return Assembly(self.project, reporter=self.reporter, clock=self.clock)

    def target(self, name: str) -> Target:
        """Return a target of the project by its name. Raises `WorkspaceError` when there is none."""
        if name not in self._targets:
            self._targets[name] = self.assembly.target(name)
        return self._targets[name]

    def _observe(self, target: str, history: History) -> Observed:
        return self.target(target).observe(history.application, history.marks)

    def _look(self, history: History) -> Observed:
        """Observe for `status`: a target that is not defined any more, or lacks a secret, is told like a silent one."""
        from scurry.model.errors import ScurryError
        from scurry.model.observed import Observed

        try:
            return self._observe(target_of(history), history)
        except ScurryError as error:
            return Observed.silent(error)

    def _surveys(self, targets: Collection[str]) -> Mapping[str, Observed]:
        """Survey many at once: those that do not answer are waited for together."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(len(targets), _AT_ONCE)) as pool:
            return dict(zip(targets, pool.map(self._survey, targets), strict=True))

    def _survey(self, target: str) -> Observed:
        from scurry.model.errors import ScurryError
        from scurry.model.observed import Observed

        try:
            return Observed(jobs=tuple(self.target(target).survey().values()))
        except ScurryError as error:
            return Observed.silent(error)

    def _known(self, application: str) -> History:
        history = self._reading.history(application)
        if not history.position:
            raise unknown(application)
        return history


def target_of(history: History) -> str:
    """Return the target that an application is on. Raises `PlanError` when it was deleted."""
    if history.target is None:  # it was deleted
        raise unknown(history.application)
    return history.target


def unknown(application: str) -> PlanError:
    """Return the error for an application that the journal does not know."""
    return PlanError(
        f"no application {application!r} is known here", hint="To see the ones that are, run:\n  scurry status"
    )
