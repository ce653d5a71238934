"""Progress for people, always on standard error: live lines on a terminal, plain ones elsewhere.

A finished activity leaves one line with its time; those that still run are shown with a spinner, the time that has
passed, and a bar where a total is known.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from scurry.cli.output import silence, write
from scurry.model.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from scurry.model.reporting import Activity, Reporter

LONG_S = 3.0
"""without a terminal, an activity is told when it begins only if it takes longer than this"""


def reporter(*, verbose: bool) -> Reporter:
    """Return the reporter that fits standard error."""
    if sys.stderr.isatty():
        return LiveReporter()
    return PlainReporter(verbose=verbose)


def _since(started: float) -> str:
    return format_duration(timedelta(seconds=time.monotonic() - started))


class PlainActivity:
    """An activity in a log: what it is at is told with `--verbose` only, and each word once."""

    def __init__(self, title: str, *, verbose: bool) -> None:
        self._title, self._verbose, self._told = title, verbose, ""

    def advance(self, amount: float) -> None:
        """Tell nothing: a log is no place for a bar."""

    def describe(self, text: str) -> None:
        """Write what it is at, if it is something new."""
        if self._verbose and text != self._told:
            self._told = text
            _write(f"  {self._title}: {text}")


class PlainReporter:
    """One line for each activity, at its end; a long one is told at its beginning, too."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[Activity]:
        """Tell of a piece of work."""
        started = time.monotonic()
        begins = threading.Timer(LONG_S, _begin, (title,))
        begins.daemon = True
        begins.start()
        try:
            yield PlainActivity(title, verbose=self._verbose)
        except BaseException:
            _write(f"✗ {title} ({_since(started)})")
            raise
        else:
            _write(f"✓ {title} ({_since(started)})")
        finally:
            begins.cancel()

    def note(self, text: str) -> None:
        """Write a note."""
        _write(text)

    def warn(self, text: str) -> None:
        """Write a warning."""
        _write(f"warning: {text}")


def _begin(title: str) -> None:
    _write(f"  {title} …")


def _write(text: str) -> None:
    """Write a line, if it can be written: a reader that went away or a full disk stops no change half-way."""
    try:
        write(text, to_stderr=True)
    except OSError:
        silence(sys.stderr)


class NamedReporter:
    """Puts a name before all that is told: several are at work at once."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter, self._name = reporter, name

    def activity(self, title: str, *, total: float | None = None) -> AbstractContextManager[Activity]:
        """Tell of a piece of work."""
        return self._reporter.activity(f"{self._name}: {title}", total=total)

    def note(self, text: str) -> None:
        """Tell a note."""
        self._reporter.note(f"{self._name}: {text}")

    def warn(self, text: str) -> None:
        """Tell a warning."""
        self._reporter.warn(f"{self._name}: {text}")


class LiveActivity:
    """An activity on a terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float) -> None:
        """Move the bar."""
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        """Show what it is at."""
        self._progress.update(self._task, at=text)


class LiveReporter:
    """Live lines at the bottom of the terminal. They are taken away while nothing runs, so that one can ask there."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._open = 0
        self._lock = threading.RLock()

    @cached_property
    def _console(self) -> Console:
        # Not before something is shown: many commands end without, and rich takes its time to import.
        from rich.console import Console

        return Console(stderr=True, highlight=False, markup=False, emoji=False)

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[Activity]:
        """Show a piece of work until it ends; its line stays with its time."""
        progress, task = self._begin(title, total)
        started = time.monotonic()
        try:
            yield LiveActivity(progress, task)
        except BaseException:
            self._end(task, f"[red]✗[/red] {_plain(title)} [dim]{_since(started)}[/dim]")
            raise
        else:
            self._end(task, f"[green]✓[/green] {_plain(title)} [dim]{_since(started)}[/dim]")

    def note(self, text: str) -> None:
        """Show a note."""
        self._console.print(text)

    def warn(self, text: str) -> None:
        """Show a warning."""
        from rich.text import Text

        self._console.print(Text.assemble(("warning: ", "yellow"), text))

    def _begin(self, title: str, total: float | None) -> tuple[Progress, TaskID]:
        with self._lock:
            if self._progress is None:
                self._progress = self._new_progress()
                self._progress.start()
            self._open += 1
            return self._progress, self._progress.add_task(_plain(title), total=total, at="")

    def _end(self, task: TaskID, line: str) -> None:
        from rich.text import Text

        with self._lock:
            progress = self._progress
            if progress is None:
                return
            progress.remove_task(task)
            self._console.print(Text.from_markup(line))
            self._open -= 1
            if not self._open:
                progress.stop()
                self._progress = None

    def _new_progress(self) -> Progress:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from scurry.cli.progress_columns import Amount, ThinBar

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            ThinBar(bar_width=24),
            Amount(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[at]}[/dim]"),
            console=self._console,
            transient=True,
            refresh_per_second=12,
        )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
