"""What is now: status, watch, diagnose, ui."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from scurry.cli import options
from scurry.cli.failure import Usage
from scurry.cli.session import Session, command, new_app

if TYPE_CHECKING:
    from scurry.model.report import StatusReport

app = new_app()

REFRESH_S = 1.0


@app.command()
@command()
def status(session: Session, applications: options.Names = None) -> None:
    """Show how the applications are now: their phase, health, revision and latest snapshot."""
    from scurry.cli import views_status

    reports = session.workspace.status(*(applications or ()))
    session.answer(
        "status",
        {"applications": [views_status.document(report) for report in reports]},
        lambda: views_status.table(reports),
    )


@app.command()
@command()
def watch(
    session: Session,
    application: options.Name,
    duration: Annotated[
        timedelta | None,
        typer.Option("--for", metavar="DURATION", parser=options.duration, help="How long; without it, until Ctrl-C."),
    ] = None,
) -> None:
    """Show an application again and again. With --json, wait until the time is over and show the last state."""
    from scurry.cli import output, views_status

    if session.as_json and duration is None:
        raise Usage("--json writes one document, so it needs --for DURATION")
    until = time.monotonic() + duration.total_seconds() if duration else None
    with output.screen(quiet=session.as_json) as show:
        report = _look(session, application)
        show(views_status.detail(report))
        while until is None or time.monotonic() + REFRESH_S < until:
            time.sleep(REFRESH_S)
            report = _look(session, application)
            show(views_status.detail(report))
    if session.as_json:
        output.write_json("status", {"applications": [views_status.document(report)]})


def _look(session: Session, application: str) -> "StatusReport":
    (report,) = session.workspace.status(application)
    return report


@app.command()
@command()
def diagnose(session: Session, application: options.Name) -> None:
    """Say what is wrong with an application, root cause first, and what to do."""
    from scurry.cli import views_diagnosis

    found = session.workspace.diagnose(application)
    session.answer(
        "diagnose", views_diagnosis.document(found), lambda: views_diagnosis.text(found, verbose=session.verbose)
    )


@app.command()
@command()
def ui(
    session: Session,
    application: options.Name,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser, too.")] = False,
) -> None:
    """Show the address of the application in Flink's own UI."""
    from scurry.model.errors import TargetUnavailable

    observed, _ = session.workspace.observe(application)
    if observed.ui_url is None:
        reason = f": {observed.unreachable_because}" if observed.unreachable_because else ""
        raise TargetUnavailable(
            f"{application!r} has no UI now{reason}", hint=f"To see how it is, run:\n  scurry status {application}"
        )
    session.answer("ui", {"application": application, "url": observed.ui_url}, lambda: observed.ui_url or "")
    if open_it:
        typer.launch(observed.ui_url)
