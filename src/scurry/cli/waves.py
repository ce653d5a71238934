"""`scurry apply --wave`: one plan for all, one question, then wave after wave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.cli.exit_codes import DONE, ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scurry.cli.session import Session
    from scurry.model.errors import ScurryError
    from scurry.model.plan import Plan
    from scurry.model.result import Applied
    from scurry.waves import Ended, Waves


@dataclass(kw_only=True)
class _Told:
    """What was told so far, for the one document at the end."""

    done: list[tuple[Applied, str | None]] = field(default_factory=list)
    errors: list[tuple[Path, ScurryError]] = field(default_factory=list)


def apply_in_waves(session: Session, waves: Waves, files: Sequence[Path]) -> int:
    """Plan all, ask once, apply, and tell what became of each. Returns the exit code."""
    from scurry.cli.progress import NamedReporter

    plans = waves.plan(list(dict.fromkeys(files)))
    if not all(plan.is_converged for plan in plans.values()):
        session.agree(_plan_text(plans, waves.size))
    told = _Told()
    for ended in waves.apply(plans, reporter_for=lambda name: NamedReporter(session.reporter, name)):
        _tell(session, ended, told)
    _conclude(session, waves, told)
    if waves.was_interrupted:
        raise KeyboardInterrupt
    failed = told.errors or any(applied.error for applied, _ in told.done)
    return ERROR if failed else DONE


def _plan_text(plans: Mapping[Path, Plan], size: int) -> str:
    from scurry.cli import views_plan

    count = -(-len(plans) // size)
    summary = f"{len(plans)} applications, in {count} waves of up to {size}; after one that fails, no other begins."
    return "\n\n".join([*map(views_plan.text, plans.values()), summary])


def _tell(session: Session, ended: Ended, told: _Told) -> None:
    from scurry.cli import failure
    from scurry.cli.change import tell

    if ended.bug:
        raise ended.bug
    if ended.applied:
        told.done.append((ended.applied, tell(session, ended.applied)))
    if ended.error:
        told.errors.append((ended.file, ended.error))
        if not session.as_json:
            failure.tell(f"{ended.file}:")
            failure.show(ended.error, as_json=False, verbose=session.verbose)


def _conclude(session: Session, waves: Waves, told: _Told) -> None:
    from scurry.cli import failure, output, views

    if session.as_json:
        errors = [(file, failure.document(error)) for file, error in told.errors]
        first_file, first = errors[0] if errors else (None, None)
        document = views.apply_document(told.done, error=first, failed_file=first_file, not_done=waves.not_begun)
        document["errors"] = [{"file": str(file), "error": error} for file, error in errors]
        output.write_json("apply", document)
        return
    if waves.not_begun:
        why = "it was interrupted" if waves.was_interrupted else "of the failure before"
        failure.tell(f"not begun, because {why}: {', '.join(map(str, waves.not_begun))}")
