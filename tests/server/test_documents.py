"""What the server's reference says is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from scurry.server.events import EventKind
from scurry.server.http.routes import ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "server.md").read_text()


def test_every_route_is_in_the_reference_and_no_other() -> None:
    told = set(re.findall(r"^\| `([A-Z]+ /api/v1/[^`]*)`", PAGE, re.MULTILINE)) - {"GET /api/v1/openapi.json"}
    assert told == {f"{route.method} {route.path}" for route in ROUTES}


def test_every_kind_of_event_is_in_the_reference() -> None:
    table = PAGE[PAGE.index("## Events") :]
    assert {kind.value for kind in EventKind} == set(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE))


def test_every_metric_is_in_the_reference() -> None:
    source = (Path(__file__).parents[2] / "src" / "scurry" / "server" / "metrics.py").read_text()
    named = {name.removesuffix("_total") for name in re.findall(r'"(scurry_[a-z_]+)"', source)}
    assert named == {name.removesuffix("_total") for name in re.findall(r"`(scurry_[a-z_]+)", PAGE)}
