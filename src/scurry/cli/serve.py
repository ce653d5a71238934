"""`scurry serve`: the reconciling server, in the foreground, until SIGTERM or Ctrl-C."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from socket import socketpair
from typing import Annotated

import typer

from scurry.cli import options
from scurry.cli.exit_codes import DONE
from scurry.cli.session import Session, command, new_app

app = new_app()

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _duration(name: str, help: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar="DURATION", parser=options.duration, help=help)
    return option


Interval = Annotated[timedelta | None, _duration("--interval", "Between two looks at a target. Default: 2s.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=512, help="Applications worked on at once.")]
Grace = Annotated[
    timedelta | None,
    _duration(
        "--grace",
        "How long what is in hand may take to end when the server is stopped; then it is handed over. Default: 20s.",
    ),
]
Takeover = Annotated[
    timedelta | None,
    _duration(
        "--takeover", "After so long without a sign of another server, its targets are taken over. Default: 15s."
    ),
]
Listen = Annotated[
    str,
    typer.Option(
        "--listen",
        metavar="HOST:PORT|none",
        help="Where the HTTP API answers. Port 0 is a free one. Others than this machine need a token.",
    ),
]
LogFormat = Annotated[
    str, typer.Option("--log-format", metavar="text|json", help="How log lines are written to standard error.")
]


@app.command()
@command(is_server=True, here="this starts a server, on this machine")
def serve(  # noqa: PLR0913, PLR0917 - options of one command
    session: Session,
    interval: Interval = None,
    workers: Workers = 32,
    grace: Grace = None,
    takeover: Takeover = None,
    address: Listen = "127.0.0.1:8686",
    log_format: LogFormat = "text",
) -> int:
    """Look after the project's applications: put right what drifts, recover what fails, take snapshots on schedule.

    Runs in the foreground until SIGTERM or Ctrl-C. Several servers on one journal share the targets out.
    """
    from scurry.cli.failure import Usage
    from scurry.server.extra import check_installed

    if log_format not in {"text", "json"}:
        raise Usage("--log-format is text or json", command="scurry serve")
    check_installed()
    from scurry.server.http.listening import listen
    from scurry.server.logs import log_to_stderr
    from scurry.server.service import Server
    from scurry.server.settings import ATTENDANCE_S, GRACE_S, INTERVAL_S, ServerSettings

    log_to_stderr(as_json=log_format == "json", verbose=session.verbose)
    settings = ServerSettings(
        interval_s=interval.total_seconds() if interval else INTERVAL_S,
        workers=workers,
        attendance_s=takeover.total_seconds() if takeover else ATTENDANCE_S,
        token=os.environ.get("SCURRY_TOKEN") or None,
        grace_s=GRACE_S if grace is None else grace.total_seconds(),
    )
    server = Server(session.workspace.project, settings)
    with _signalled() as until:
        listening = listen(server, address, server.token) if address != "none" else None
        server.run(until=until)
        if listening:
            listening.finish()
    return DONE


@contextmanager
def _signalled() -> Iterator[Callable[[], object]]:
    """Give a function that waits for a signal to end.

    A lock, an event or a queue would not do: Python runs a handler between two instructions of the main thread, and one
    that just begins to wait, or whose process took the signal in another thread, is never woken. A byte that the
    interpreter's own C handler writes to a socket is there for who reads later, too.
    """
    told, tells = socketpair()
    tells.setblocking(False)
    with told, tells:
        signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda number, _: None)
        try:
            yield lambda: told.recv(1)
        finally:
            signal.set_wakeup_fd(-1)
