"""Changes of PyFlink programs. Data only."""

from __future__ import annotations

from dataclasses import replace

from tests.proof.cases import Case, Kind, Version

COUNT = "keep uid=count"


def line(*steps: str) -> Version:
    """Return a PyFlink program with a source in front of steps."""
    config = {"python.fn-execution.bundle.time": "100", "python.fn-execution.bundle.size": "10"}
    return Version(kind=Kind.PYTHON, steps=("source uid=source", *steps), config=config)


def keeping(name: str, change: str, was: str, becomes: str, **more: object) -> Case:
    """Return a case in which what is kept by key changes."""
    case = Case(
        name=f"python-{name}",
        change=change,
        before=line(f"{COUNT} case={was}"),
        after=line(f"{COUNT} case={becomes}"),
    )
    return replace(case, **more)  # type: ignore[arg-type]


CHAINED = line(COUNT, "map uid=after")

PYTHON = (
    keeping("nothing-changed", "nothing", "long", "long", old_flinks=True),
    keeping("element-retyped", "element type, LONG → STRING", "long", "string", old_flinks=True),
    keeping("element-to-double", "element type, LONG → DOUBLE", "long", "double"),
    keeping("element-to-int", "element type, LONG → INT", "long", "int"),
    keeping("element-to-pickled", "element type, LONG → pickled", "long", "pickled"),
    keeping("value-to-list", "value state becomes list state", "long", "list-long", old_flinks=True),
    keeping("list-to-value", "list state becomes value state", "list-long", "long"),
    keeping("value-to-map", "value state becomes map state", "long", "map-long"),
    keeping("map-retyped", "value type of a map, LONG → STRING", "map-long", "map-string"),
    keeping("state-renamed", "a state renamed", "long", "long:other", anew=True, old_flinks=True),
    keeping("state-added", "a state added", "long", "long+string:other"),
    keeping("state-removed", "a state removed", "long+string:other", "long"),
    keeping("ttl-on", "time to live switched on", "long", "ttl-long"),
    Case(
        name="python-key-retyped",
        change="key, LONG → STRING",
        before=line(COUNT),
        after=line(f"{COUNT} key=string"),
    ),
    Case(
        name="python-uid-changed",
        change="uid of a function with state changed",
        before=line(COUNT),
        after=line("keep uid=tally"),
    ),
    Case(
        name="python-chained-uid-changed",
        change="uid of a function chained behind one with state changed",
        before=CHAINED,
        after=line(COUNT, "map uid=afterwards"),
    ),
    Case(
        name="python-chained-added",
        change="a function chained behind one with state",
        before=line(COUNT),
        after=CHAINED,
        old_flinks=True,
    ),
    Case(
        name="python-stateful-removed",
        change="a function with state removed",
        before=line(COUNT, "keep uid=total log=total"),
        after=line(COUNT),
    ),
)
