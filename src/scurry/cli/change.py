"""The end of every command that changes one application: tell the result, and turn it into an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.cli.exit_codes import DONE, ERROR

if TYPE_CHECKING:
    from scurry.cli.session import Session
    from scurry.model.result import Applied


def finish(session: Session, applied: Applied) -> int:
    """Tell the result and return the exit code: an outcome with an error is one, also when it was rolled back."""
    from scurry.cli import output, views

    ui_url = tell(session, applied)
    if session.as_json:
        output.write_json("apply", views.apply_document([(applied, ui_url)]))
    return ERROR if applied.error else DONE


def tell(session: Session, applied: Applied) -> str | None:
    """Tell people what became of an application. Returns the address of its job in the UI, if a job runs."""
    from scurry.cli import views

    ui_url = _address(session, applied)
    if not session.as_json:
        session.say(views.applied_text(applied, ui_url))
    return ui_url


def _address(session: Session, applied: Applied) -> str | None:
    from scurry.model.errors import ScurryError
    from scurry.model.result import ApplyOutcome

    if applied.outcome is ApplyOutcome.SUSPENDED or applied.job_id is None:
        return None
    try:
        return session.workspace.observe(applied.application)[0].ui_url
    except ScurryError:
        return None  # the result is known and told; where to look at it is an extra
