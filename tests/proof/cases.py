"""Changes of a program, of which scurry's verdict is compared with what a real Flink then does. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a program is written in."""

    JAVA = "Java"
    SQL = "SQL"
    PYTHON = "PyFlink"


class Take(StrEnum):
    """What the new version starts from."""

    CANONICAL = "canonical savepoint"
    NATIVE = "native savepoint"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a program."""

    kind: Kind = Kind.JAVA
    steps: tuple[str, ...] = ()
    """arguments of `java/Orders.java` or `python/orders.py`; statements of SQL"""
    age: str = "old"
    """`old` or `new`: which of the marked lines of `java/Orders.java` are there"""
    parallelism: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    flink: str | None = None
    """None: the one that the case is tried on"""

    @property
    def tells(self) -> bool:
        """Whether what it counts is to be seen."""
        return self.kind is not Kind.SQL or any("{tag}" in step for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change."""

    name: str
    change: str
    """what changes, for people"""
    before: Version
    after: Version
    take: Take = Take.CANONICAL
    anew: bool = False
    """it means that what is counted begins anew"""
    old_flinks: bool = False
    """it is tried on Flink 1.18 and 1.19, too"""
    only: tuple[str, ...] = ()
    """series of Flink that it is tried on; empty: all"""

    def is_for(self, flink: str) -> bool:
        """Whether it is tried on a version of Flink."""
        if flink.startswith(("1.18.", "1.19.")) and not self.old_flinks:
            return False
        return not self.only or flink.startswith(self.only)


BACKEND = "state.backend.type"
SOURCE = "source uid=source"
SINK = "sink uid=sink"
COUNT = "keep uid=count"
TOTAL = "keep uid=total log=total"
BARE = ("source", "map", "keep", "sink-without-uid")
"""the same line without any uid"""


def line(*steps: str, **more: object) -> Version:
    """Return a program with a source and a sink around steps."""
    return replace(Version(steps=(SOURCE, *steps, SINK)), **more)  # type: ignore[arg-type]


def newer(version: Version, *steps: str, **more: object) -> Version:
    """Return what a program becomes: other steps, compiled anew."""
    return replace(version, age="new", steps=(SOURCE, *steps, SINK) if steps else version.steps, **more)  # type: ignore[arg-type]


def same(*steps: str) -> Version:
    """Return a program of bare steps."""
    return Version(steps=steps)


def keeping(name: str, change: str, was: str, becomes: str | None = None, **more: object) -> Case:
    """Return a case in which what is kept by key changes."""
    before = line(f"{COUNT} case={was}")
    after = newer(before, f"{COUNT} case={becomes or was}")
    return replace(Case(name=name, change=change, before=before, after=after), **more)  # type: ignore[arg-type]


ONE = line(COUNT)
TWO = line(COUNT, TOTAL)

OPERATORS = (
    Case(name="nothing-changed", change="nothing", before=ONE, after=ONE, old_flinks=True),
    Case(name="compiled-anew", change="nothing, but compiled anew", before=ONE, after=newer(ONE)),
    Case(
        name="operator-added",
        change="an operator without state added",
        before=ONE,
        after=newer(ONE, "map uid=enrich", COUNT),
        old_flinks=True,
    ),
    Case(
        name="stateful-operator-added",
        change="an operator with state added",
        before=ONE,
        after=newer(ONE, COUNT, TOTAL),
    ),
    Case(
        name="operator-removed",
        change="an operator without state removed",
        before=line("map uid=enrich", COUNT),
        after=newer(ONE),
    ),
    Case(
        name="stateful-operator-removed",
        change="an operator with state removed",
        before=TWO,
        after=newer(TWO, COUNT),
        old_flinks=True,
    ),
    Case(
        name="operators-reordered",
        change="two operators with state change places",
        before=TWO,
        after=newer(TWO, TOTAL, COUNT),
    ),
    Case(
        name="operator-renamed",
        change="name of an operator, uid kept",
        before=line(f"{COUNT} name=count"),
        after=newer(ONE, f"{COUNT} name=tally"),
    ),
    Case(
        name="uid-changed",
        change="uid of an operator with state changed",
        before=ONE,
        after=newer(ONE, "keep uid=tally"),
        old_flinks=True,
    ),
    Case(
        name="uid-added",
        change="uid added to an operator with state that had none",
        before=line("keep"),
        after=newer(ONE, COUNT),
        old_flinks=True,
    ),
    Case(
        name="uid-removed",
        change="uid of an operator with state removed",
        before=ONE,
        after=newer(ONE, "keep"),
    ),
    Case(
        name="uid-hash",
        change="uid added to an operator with state that had none, its old id kept by `setUidHash`",
        before=line("keep"),
        after=newer(ONE, f"{COUNT} hash=57fefc9de50916331c90167f7a71188c"),
        old_flinks=True,
    ),
    Case(
        name="without-uids-nothing-changed",
        change="nothing; no operator has a uid",
        before=same(*BARE),
        after=replace(same(*BARE), age="new"),
        old_flinks=True,
    ),
    Case(
        name="without-uids-renamed",
        change="name of an operator; no operator has a uid",
        before=same(*BARE),
        after=replace(same("source", "map name=enrich", "keep name=tally", "sink-without-uid"), age="new"),
    ),
    Case(
        name="without-uids-operator-added",
        change="an operator added in front of one with state; no operator has a uid",
        before=same(*BARE),
        after=replace(same("source", "map", "map", "keep", "sink-without-uid"), age="new"),
        old_flinks=True,
    ),
    Case(
        name="without-uids-chaining-off",
        change="chaining of an operator switched off; no operator has a uid",
        before=same(*BARE),
        after=replace(same("source", "map chain=off", "keep", "sink-without-uid"), age="new"),
    ),
    Case(
        name="without-uids-parallelism",
        change="parallelism of the job 1 → 2; no operator has a uid",
        before=same(*BARE),
        after=replace(same(*BARE), parallelism=2),
    ),
    Case(
        name="chaining-off",
        change="chaining of an operator switched off",
        before=line("map uid=enrich", COUNT),
        after=newer(ONE, "map uid=enrich chain=off", f"{COUNT} chain=off"),
    ),
    Case(
        name="parallelism-more",
        change="parallelism 1 → 3",
        before=ONE,
        after=replace(ONE, parallelism=3),
        old_flinks=True,
    ),
    Case(name="parallelism-less", change="parallelism 3 → 1", before=replace(ONE, parallelism=3), after=ONE),
    Case(
        name="parallelism-above-max",
        change="parallelism above the max parallelism of the state",
        before=line(f"{COUNT} max=2"),
        after=newer(ONE, f"{COUNT} parallelism=3"),
        old_flinks=True,
    ),
    Case(
        name="max-parallelism-changed",
        change="max parallelism 16 → 32",
        before=same("env max=16", SOURCE, COUNT, SINK),
        after=replace(same("env max=32", SOURCE, COUNT, SINK), age="new"),
        old_flinks=True,
    ),
    Case(
        name="max-parallelism-unset",
        change="max parallelism 16 → not set",
        before=same("env max=16", SOURCE, COUNT, SINK),
        after=newer(ONE),
    ),
    Case(
        name="max-parallelism-set",
        change="max parallelism not set → 128, what it was by default",
        before=ONE,
        after=replace(same("env max=128", SOURCE, COUNT, SINK), age="new"),
    ),
)

STATES = (
    keeping("state-added", "a state added to an operator", "long", "long+other", old_flinks=True),
    keeping("state-removed", "a state of an operator removed", "long+other", "long", old_flinks=True),
    keeping("state-renamed", "a state renamed", "long", "other", anew=True, old_flinks=True),
    keeping("primitive-retyped", "value state, `Long` → `String`", "long", "string", old_flinks=True),
    keeping("primitive-narrowed", "value state, `Long` → `Integer`", "long", "int"),
    keeping("pojo-same", "nothing in a POJO", "pojo-same"),
    keeping("pojo-field-added", "field added to a POJO", "pojo-field-added", old_flinks=True),
    keeping("pojo-field-removed", "field of a POJO removed", "pojo-field-removed", old_flinks=True),
    keeping("pojo-field-retyped", "field of a POJO, `long` → `int`", "pojo-field-retyped", old_flinks=True),
    keeping("pojo-field-renamed", "field of a POJO renamed", "pojo-field-renamed", anew=True),
    keeping("pojo-renamed", "class of a POJO renamed", "pojo-renamed", old_flinks=True),
    keeping("pojo-nested", "field added to a POJO in a POJO", "pojo-nested"),
    keeping("pojo-to-kryo", "a POJO becomes none (Kryo)", "pojo-to-kryo", old_flinks=True),
    keeping("kryo-to-pojo", "a class written by Kryo becomes a POJO", "kryo-to-pojo"),
    keeping("kryo-same", "nothing in a class written by Kryo", "kryo-same", old_flinks=True),
    keeping("kryo-field-added", "field added to a class written by Kryo", "kryo-field-added"),
    keeping("enum-constant-added", "constants added to an enum", "enum-constant-added"),
    keeping("enum-constant-removed", "constant of an enum removed", "enum-constant-removed", old_flinks=True),
    keeping("enum-reordered", "constants of an enum reordered", "enum-reordered"),
    keeping("avro-same", "nothing in an Avro schema", "avro"),
    keeping(
        "avro-field-added", "field with a default added to an Avro schema", "avro", "avro-field-added", old_flinks=True
    ),
    keeping(
        "avro-field-added-without-default",
        "field without a default added to an Avro schema",
        "avro",
        "avro-field-added-without-default",
    ),
    keeping("avro-field-removed", "field of an Avro schema removed", "avro-field-added-without-default", "avro"),
    keeping("avro-widened", "field of an Avro schema, `int` → `long`", "avro-int", "avro"),
    keeping("avro-retyped", "field of an Avro schema, `long` → `string`", "avro", "avro-string", old_flinks=True),
    keeping("tuple-longer", "a tuple gets longer", "tuple", "tuple-longer"),
    keeping("value-to-list", "value state becomes list state", "long", "list", old_flinks=True),
    keeping("list-retyped", "list state, `Long` → `String`", "list", "list-of-strings"),
    keeping("list-of-pojos", "field added to a POJO in list state", "list-of-pojos"),
    keeping("map-key-retyped", "map state, key `Long` → `String`", "map", "map-by-string"),
    keeping("map-value-evolved", "field added to a POJO that is a map's value", "map-to-pojo", old_flinks=True),
    keeping("map-key-evolved", "field added to a POJO that is a map's key", "map-by-pojo"),
    keeping("reducing-to-value", "reducing state becomes value state", "reducing", "long"),
    keeping("aggregating-to-value", "aggregating state becomes value state", "aggregating", "long"),
    keeping("ttl-on", "time to live switched on", "long", "ttl", old_flinks=True),
    keeping("ttl-off", "time to live switched off", "ttl", "long", old_flinks=True),
    keeping("ttl-longer", "time to live 1 h → 2 h", "ttl", "ttl-longer"),
    keeping("list-ttl-on", "time to live of a list switched on", "list", "list-ttl"),
    keeping("map-ttl-off", "time to live of a map switched off", "map-ttl", "map"),
    keeping("pojo-ttl", "field added to a POJO with a time to live", "pojo-ttl"),
    Case(
        name="key-retyped",
        change="key, `Long` → `String`",
        before=ONE,
        after=newer(ONE, f"{COUNT} key=string"),
        old_flinks=True,
    ),
    Case(
        name="key-evolved",
        change="field added to a POJO that is the key",
        before=line(f"{COUNT} key=pojo"),
        after=newer(ONE, f"{COUNT} key=pojo"),
        old_flinks=True,
    ),
    Case(
        name="late-same",
        change="nothing in a state that is registered with the first record",
        before=line(f"{COUNT} late=yes"),
        after=newer(ONE, f"{COUNT} late=yes"),
    ),
    Case(
        name="late-retyped",
        change="value state that is registered with the first record, `Long` → `String`",
        before=line(f"{COUNT} late=yes"),
        after=newer(ONE, f"{COUNT} late=yes case=string"),
    ),
    Case(
        name="late-early",
        change="value state that was registered with the first record, now when the operator opens",
        before=line(f"{COUNT} late=yes"),
        after=newer(ONE, COUNT),
    ),
    Case(
        name="timers-removed",
        change="timers are not used any more",
        before=line(f"{COUNT} timers=yes"),
        after=newer(ONE, COUNT),
    ),
)

OPERATOR_STATES = (
    Case(
        name="operator-list-retyped",
        change="operator list state, `Long` → `String`",
        before=line("hold uid=hold case=list"),
        after=newer(ONE, "hold uid=hold case=strings"),
        old_flinks=True,
    ),
    Case(
        name="operator-list-evolved",
        change="field added to a POJO in operator list state",
        before=line("hold uid=hold case=pojos"),
        after=newer(ONE, "hold uid=hold case=pojos"),
    ),
    Case(
        name="union-to-list",
        change="operator union list becomes a split list",
        before=line("hold uid=hold case=union"),
        after=newer(ONE, "hold uid=hold case=list"),
    ),
    Case(
        name="broadcast-retyped",
        change="broadcast state, `Long` → `String`",
        before=line("broadcast uid=rules case=long"),
        after=newer(ONE, "broadcast uid=rules case=strings"),
    ),
    Case(
        name="broadcast-evolved",
        change="field added to a POJO in broadcast state",
        before=line("broadcast uid=rules case=pojos"),
        after=newer(ONE, "broadcast uid=rules case=pojos"),
        old_flinks=True,
    ),
)

WINDOW = "window uid=window"
WINDOWS = (
    Case(
        name="window-size",
        change="size of a tumbling window",
        before=line(WINDOW),
        after=newer(ONE, f"{WINDOW} days=9998"),
        anew=True,
        old_flinks=True,
    ),
    Case(
        name="window-function",
        change="window that reduces → window that keeps all",
        before=line(WINDOW),
        after=newer(ONE, f"{WINDOW} kind=all"),
        old_flinks=True,
    ),
    Case(
        name="window-to-session",
        change="tumbling window → session window",
        before=line(WINDOW),
        after=newer(ONE, f"{WINDOW} kind=session"),
        anew=True,
    ),
    Case(
        name="window-to-global",
        change="tumbling window → global window",
        before=line(WINDOW),
        after=newer(ONE, f"{WINDOW} kind=global"),
    ),
)

SOURCES = (
    Case(
        name="source-range",
        change="another range of the same source",
        before=ONE,
        after=replace(same("source uid=source to=1000000000", COUNT, SINK), age="new"),
    ),
    Case(
        name="source-type",
        change="another connector under the same uid and another name",
        before=ONE,
        after=replace(same("source uid=source kind=files name=files from={input}", COUNT, SINK), age="new"),
        old_flinks=True,
    ),
    Case(
        name="source-type-same-name",
        change="another connector under the same uid and name",
        before=ONE,
        after=replace(same("source uid=source kind=files from={input}", COUNT, SINK), age="new"),
    ),
    Case(
        name="source-type-new-uid",
        change="another connector under another uid",
        before=ONE,
        after=replace(same("source uid=files kind=files name=files from={input}", COUNT, SINK), age="new"),
    ),
)
