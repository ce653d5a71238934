"""Changes of the state backend, and steps from one Flink to the next. Data only."""

from __future__ import annotations

from dataclasses import replace

from tests.proof.cases import BACKEND, COUNT, ONE, STATES, WINDOW, Case, Take, line, newer

HEAP, ROCKSDB = {BACKEND: "hashmap"}, {BACKEND: "rocksdb"}


def backends(name: str, was: dict[str, str], becomes: dict[str, str], take: Take, **more: object) -> Case:
    """Return a case in which the state backend changes."""
    before = replace(line(f"{COUNT} case=pojo-same timers=yes"), config=was)
    change = f"{was[BACKEND]} → {becomes[BACKEND]}, {take.value}"
    after = replace(before, config=becomes)
    return replace(Case(name=name, change=change, before=before, after=after, take=take), **more)  # type: ignore[arg-type]


def on_rocksdb(case: Case, **more: object) -> Case:
    """Return a case tried on RocksDB, which takes over less than the heap."""
    return replace(
        case,
        name=f"rocksdb-{case.name}",
        change=f"{case.change} (RocksDB)",
        before=replace(case.before, config=ROCKSDB),
        after=replace(case.after, config=ROCKSDB),
        **more,  # type: ignore[arg-type]
    )


def _states_on_rocksdb() -> tuple[Case, ...]:
    wanted = (
        *("pojo-field-added", "primitive-retyped", "ttl-on", "ttl-off", "map-key-evolved", "map-value-evolved"),
        *("list-of-pojos", "enum-reordered", "kryo-field-added", "pojo-field-removed"),
    )
    return tuple(on_rocksdb(case, old_flinks=False) for case in STATES if case.name in wanted)


BACKENDS = (
    backends("heap-to-rocksdb", HEAP, ROCKSDB, Take.CANONICAL, old_flinks=True),
    backends("rocksdb-to-heap", ROCKSDB, HEAP, Take.CANONICAL),
    backends("heap-to-rocksdb-native", HEAP, ROCKSDB, Take.NATIVE),
    backends("rocksdb-to-heap-native", ROCKSDB, HEAP, Take.NATIVE, old_flinks=True),
    backends("rocksdb-to-heap-checkpoint", ROCKSDB, HEAP, Take.CHECKPOINT, old_flinks=True),
    backends("heap-native", HEAP, HEAP, Take.NATIVE),
    backends("rocksdb-native", ROCKSDB, ROCKSDB, Take.NATIVE),
    backends("rocksdb-checkpoint", ROCKSDB, ROCKSDB, Take.CHECKPOINT),
    *_states_on_rocksdb(),
)


UPGRADE = "1.20.5"


def upgraded(name: str, change: str, *steps: str, **more: object) -> Case:
    """Return a case in which Flink 2.3 goes on with what 1.20 left."""
    before = replace(line(*steps), flink=UPGRADE)
    case = Case(name=f"flink-2-{name}", change=change, before=before, after=newer(line(*steps)), only=("2.3.",))
    return replace(case, **more)  # type: ignore[arg-type]


FLINKS = (
    upgraded("nothing", "Flink 1.20.5 → 2.3.0, a number as state", COUNT),
    upgraded("pojo", "Flink 1.20.5 → 2.3.0, a POJO as state", f"{COUNT} case=pojo-same timers=yes"),
    upgraded("pojo-field-added", "Flink 1.20.5 → 2.3.0, and a field added", f"{COUNT} case=pojo-field-added"),
    upgraded("kryo", "Flink 1.20.5 → 2.3.0, a class written by Kryo", f"{COUNT} case=kryo-same"),
    upgraded(
        "kryo-rich", "Flink 1.20.5 → 2.3.0, a class of texts, lists and maps written by Kryo", f"{COUNT} case=kryo-rich"
    ),
    upgraded("list", "Flink 1.20.5 → 2.3.0, list and map state", f"{COUNT} case=list+other"),
    upgraded("avro", "Flink 1.20.5 → 2.3.0, an Avro record", f"{COUNT} case=avro"),
    upgraded("enum", "Flink 1.20.5 → 2.3.0, an enum with more constants", f"{COUNT} case=enum-constant-added"),
    upgraded(
        "ttl-on",
        "Flink 1.20.5 → 2.3.0, and a time to live switched on",
        COUNT,
        after=newer(ONE, f"{COUNT} case=ttl"),
    ),
    upgraded("window", "Flink 1.20.5 → 2.3.0, a window", WINDOW),
    upgraded("broadcast", "Flink 1.20.5 → 2.3.0, broadcast state", "broadcast uid=rules case=pojos"),
)
