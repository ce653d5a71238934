"""A stage for each test, struck at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.examples.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    MakeStage = Callable[[str], Stage]


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[MakeStage]:
    """A function from an example to a stage for it."""
    made: list[Stage] = []

    def make(example: str) -> Stage:
        made.append(Stage(example, tmp_path / "stage"))
        return made[-1]

    yield make
    for stage in made:
        stage.close()
