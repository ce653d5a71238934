"""Applying many specs in waves: some at a time, and no further wave after one in which something went wrong.

Part of floor 3, above the workspace: what is done to each application goes through that, in a thread of its own and
under its own lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.model.errors import PlanOutdated, ScurryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from scurry.model.plan import Plan
    from scurry.model.reporting import Reporter
    from scurry.model.result import Applied
    from scurry.workspace import Workspace

ReporterFor = Callable[[str], "Reporter"]
"""application → where the progress of its apply goes"""
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one file: it was applied, or an error ended it."""

    file: Path
    applied: Applied | None = None
    error: ScurryError | None = None
    bug: BaseException | None = None

    @property
    def has_failed(self) -> bool:
        """Whether no further wave is to begin; a rollback counts, too."""
        return self.applied is None or self.applied.error is not None


@dataclass(kw_only=True)
class Waves:
    """Applies what was planned, `size` at a time."""

    workspace: Workspace
    size: int
    keep_going: bool = False
    environment: str | None = None
    target: str | None = None
    wait: timedelta | None = None
    not_begun: list[Path] = field(default_factory=list)
    was_interrupted: bool = False

    def plan(self, files: Sequence[Path]) -> dict[Path, Plan]:
        """Return what is to be done, file by file. Nothing is begun when one of them cannot be."""
        check_distinct(self.workspace, files, environment=self.environment)
        plans = {}
        for file in files:
            plan = self.workspace.plan(file, environment=self.environment, target=self.target)
            self.workspace.refuse_frozen(plan.application, plan.target)
            plans[file] = plan
        return plans

    def apply(self, plans: Mapping[Path, Plan], *, reporter_for: ReporterFor) -> Iterator[Ended]:
        """Do what was planned, and yield what became of each file as it ends. `not_begun` is what then is left.

        The first Ctrl-C lets nothing more begin and waits for what is under way; the second one leaves that as it is,
        which the journal stands as well as a crash.
        """
        self.not_begun = list(plans)
        while self.not_begun and not self.was_interrupted:
            wave = [self.not_begun.pop(0) for _ in range(min(self.size, len(self.not_begun)))]
            ended: list[Ended] = []
            for file in wave:
                worker = threading.Thread(
                    target=self._run,
                    args=(file, plans[file], reporter_for, ended),
                    name=f"apply {file}",
                    daemon=True,  # so that a second Ctrl-C can end the process
                )
                worker.start()
            failed = False
            for number in range(len(wave)):
                result = self._await(ended, number)
                failed = failed or result.has_failed
                yield result
            if failed and not self.keep_going:
                return

    def _await(self, ended: list[Ended], number: int) -> Ended:
        """Wait for a result. It stays in the list: what a queue is about to return, a Ctrl-C in that moment loses."""
        while True:
            try:
                while len(ended) <= number:
                    time.sleep(_POLL_S)
                return ended[number]
            except KeyboardInterrupt:
                if self.was_interrupted:
                    raise
                self.was_interrupted = True
                self.workspace.reporter.warn(
                    "nothing more is begun; waiting for what is under way. To leave that as it is, press Ctrl-C again."
                )

    def _run(self, file: Path, plan: Plan, reporter_for: ReporterFor, ended: list[Ended]) -> None:
        try:
            applied = self.workspace.beside(reporter=reporter_for(plan.application)).apply(
                file,
                environment=self.environment,
                target=self.target,
                confirm=lambda now: _is_still(plan, now),
                wait=self.wait,
            )
        except ScurryError as error:
            ended.append(Ended(file=file, error=error))
        except BaseException as bug:
            ended.append(Ended(file=file, bug=bug))
        else:
            ended.append(Ended(file=file, applied=applied))


def _is_still(shown: Plan, now: Plan) -> bool:
    """Whether what is to be done is what a person said yes to. Raises `PlanOutdated` when it is not."""
    if _essence(shown) != _essence(now):
        raise PlanOutdated(
            f"what is to be done with {now.application!r} is no longer what was shown",
            hint="To see what it is now, apply again.",
        )
    return True


def _essence(plan: Plan) -> list[object]:
    """What makes a plan another one: not the ages and the places of its snapshots, which change by themselves."""
    return [
        (type(change.operation), getattr(change.operation, "desired", None), change.differences)
        for change in plan.changes
    ]


def check_distinct(workspace: Workspace, files: Sequence[Path], *, environment: str | None = None) -> None:
    """Refuse files of which two describe one application: the later would undo the earlier. Raises `SpecInvalid`.

    What is wrong with a file otherwise is told when its turn comes.
    """
    from scurry.model.errors import Problem, SpecInvalid

    seen: dict[str, Path] = {}
    for file in files:
        try:
            loaded = workspace.assembly.load(file, environment)
        except SpecInvalid:
            continue
        first = seen.setdefault(loaded.id, file)
        if first is not file:
            message = f"{loaded.id!r} is described by {str(first)!r}, too: each would undo the other"
            hint = "Give one of them another name, or leave one out."
            raise SpecInvalid((Problem(message=message, place=loaded.place("name"), hint=hint),))
