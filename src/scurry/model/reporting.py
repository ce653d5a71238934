"""How work tells of its progress. The engine and the adapters report; only a face prints."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Activity(Protocol):
    """One piece of work in progress."""

    def advance(self, amount: float) -> None:
        """Add to what is done, in the unit of the activity's total."""

    def describe(self, text: str) -> None:
        """Say what it is at now (`12 of 16 vertices running`)."""


class Reporter(Protocol):
    """Receives progress. An activity that ends by an exception has failed."""

    def activity(self, title: str, *, total: float | None = None) -> AbstractContextManager[Activity]:
        """Tell of a piece of work that takes time; `total` is in bytes or pieces where it is known."""

    def note(self, text: str) -> None:
        """Tell something worth knowing."""

    def warn(self, text: str) -> None:
        """Tell something that a person should look at."""


class SilentActivity:
    """An activity that nobody watches."""

    def advance(self, amount: float) -> None:
        """Do nothing."""

    def describe(self, text: str) -> None:
        """Do nothing."""


class SilentReporter:
    """A reporter for when nobody listens."""

    @contextmanager
    def activity(self, title: str, *, total: float | None = None) -> Iterator[SilentActivity]:
        """Tell nobody."""
        yield SilentActivity()

    def note(self, text: str) -> None:
        """Tell nobody."""

    def warn(self, text: str) -> None:
        """Tell nobody."""
