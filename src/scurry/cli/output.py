"""Standard output and the question: one JSON document, or what rich renders. Progress is not written here."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

WIDE = 200
"""columns where there is no terminal: tables are not broken for `grep` and `less -S`"""


def console(*, to_stderr: bool = False) -> Console:
    """Return a console that shows text as it is: no markup, no highlighting, no emoji."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        width=None if is_terminal else WIDE,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not is_terminal,
    )


def write(rendered: RenderableType, *, to_stderr: bool = False) -> None:
    """Write what people read."""
    console(to_stderr=to_stderr).print(rendered)


def write_json(schema: str, document: dict[str, Any]) -> None:
    """Write the one document of a command."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode({"schema": f"scurry/{schema}/1", **document}), indent=2)
    sys.stdout.write(text.decode() + "\n")


def can_ask() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, refusal: str) -> bool:
    """Ask on the terminal; anything but yes is no. Raises `Refused` when there is no terminal."""
    from scurry.model.errors import Refused

    if not can_ask():
        raise Refused(refusal, hint="To do it without being asked, add --yes. Nothing was changed.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def screen(*, quiet: bool) -> Iterator[Callable[[RenderableType], None]]:
    """Yield a function that shows something in place of what it showed before; off a terminal, only what is new."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stdout.isatty():
        yield _only_news()
        return
    from rich.live import Live

    with Live(console=console(), auto_refresh=False) as live:
        yield lambda rendered: live.update(rendered, refresh=True)


def _only_news() -> Callable[[RenderableType], None]:
    shown = ""

    def show(rendered: RenderableType) -> None:
        nonlocal shown
        if str(rendered) != shown:
            shown = str(rendered)
            write(rendered)
            sys.stdout.flush()

    return show
