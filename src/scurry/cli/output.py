"""Standard output and the question: one JSON document, or text for people. Progress is not written here."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO


def write(text: str, *, to_stderr: bool = False) -> None:
    """Write what people read, with its colours only where they can be shown."""
    stream = sys.stderr if to_stderr else sys.stdout
    stream.write(shown(text, stream) + "\n")
    stream.flush()


def silence(stream: TextIO) -> None:
    """Let what is still written to a stream go nowhere, at exit, too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def shown(text: str, stream: TextIO) -> str:
    """Return a text as a stream can show it: with colours or without, in the stream's own character set."""
    from scurry.cli.text import plain

    colourful = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    encoding = stream.encoding or "utf-8"
    return (text if colourful else plain(text)).encode(encoding, "replace").decode(encoding)


def write_json(schema: str, document: dict[str, Any]) -> None:
    """Write the one document of a command."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode({"schema": f"scurry/{schema}/1", **document}), indent=2)
    sys.stdout.write(text.decode() + "\n")


def ask(question: str) -> bool:
    """Ask on the terminal; anything but yes is no. Raises `Refused` when there is nobody to ask."""
    from scurry.model.errors import Refused

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(
            "this needs a yes, and there is no terminal to ask on; nothing was changed",
            hint="To do it without being asked, add --yes.",
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def screen(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a text in place of the one before; off a terminal, only a text that is new."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stdout.isatty():
        yield _only_news()
        return
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        yield lambda text: live.update(Text.from_ansi(shown(text, sys.stdout)), refresh=True)


def _only_news() -> Callable[[str], None]:
    before = ""

    def show(text: str) -> None:
        nonlocal before
        if text != before:
            before = text
            write(text)

    return show
