"""The columns of a live line that are there only where a total is known."""

from rich.progress import BarColumn, DownloadColumn, ProgressColumn, Task
from rich.text import Text

PIECES = 10_000
"""a total below this counts pieces, not bytes"""


class ThinBar(BarColumn):
    """A bar, if a total is known."""

    def render(self, task: Task) -> ProgressColumn:  # type: ignore[override]  # rich renders whatever it gets
        """Return the bar, or nothing."""
        return super().render(task) if task.total is not None else Text()  # type: ignore[return-value]


class Amount(DownloadColumn):
    """`12.3/45.6 MB` or `3/16`, if a total is known."""

    def render(self, task: Task) -> Text:
        """Return how much is done, or nothing."""
        if task.total is None:
            return Text()
        if task.total < PIECES:
            return Text(f"{task.completed:.0f}/{task.total:.0f}")
        return super().render(task)
