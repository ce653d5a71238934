"""Progress of work that nobody watches: to the log, each line with the application that it is about."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scurry.model.reporting import SilentActivity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.reporting import Activity

logger = logging.getLogger(__name__)


class LogReporter:
    """The port `Reporter`. One line for each piece of work, when it ends."""

    def __init__(self, application: str) -> None:
        self._about = {"application": application}

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[Activity]:
        """Tell of a piece of work when it is over."""
        started = time.monotonic()
        try:
            yield SilentActivity()
        except BaseException:
            logger.info("not done: %s", title, extra={**self._about, "seconds": _since(started)})
            raise
        logger.info("done: %s", title, extra={**self._about, "seconds": _since(started)})

    def note(self, text: str) -> None:
        """Log it."""
        logger.info("%s", text, extra=self._about)

    def warn(self, text: str) -> None:
        """Log it as a warning."""
        logger.warning("%s", text, extra=self._about)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
