"""Flink asked beforehand whether a changed program takes over old state, against what a real Flink then does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.flink.state_probe import OldHeads, Opening, ProbeAnswer, probe
from scurry.model.state import Resolution
from scurry.savepoints.heads import KIND, MODE, read_keyed_head, read_operator_head
from scurry.savepoints.reading import Cursor
from tests.flink.local_flink import small, stopped_afterwards
from tests.flink.state_rig import SLOTS, Restores, heads_of, program, request
from tests.targets.probe import jar_of
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.runtimes import Runtimes
    from scurry.model.state import StateResolution

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

CHANGES = Path(__file__).parent / "java" / "StateChanges.java"
NAMES = frozenset(re.findall(r'(?:keep|hold|broadcast|wants)\("([a-z-]+)"', CHANGES.read_text()))
NOT_TOLD = frozenset({"not-opened", "lazy", "kryo-field-added"})
"""what opening cannot tell: a user's own failure, state that comes with the first record, bytes that Kryo wrote"""
ASYNCHRONOUS = ("async-same", "async-retyped", "sync-to-async")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A program, what it becomes, and a Flink that runs both."""

    runtimes: Runtimes
    version: str
    cluster: RunningCluster
    old: Path
    new: Path
    directory: Path

    def restores(self, backend: str) -> Restores:
        directory = self.directory / backend
        directory.mkdir(exist_ok=True)
        return Restores(self.cluster, directory, backend=backend)

    def probe(self, heads: dict[str, OldHeads], *names: str, opening: Opening | None = None) -> ProbeAnswer:
        return probe(request(self.runtimes, self.version, self.new, *names), heads.values(), opening)


@pytest.fixture(scope="module", params=FLINK_VERSIONS)
def stage(
    request: pytest.FixtureRequest, runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    version: str = request.param
    folder = tmp_path_factory.mktemp(f"state-{version}")
    with stopped_afterwards(folder) as clusters:
        settings = small(folder, runtimes.flink(version), runtimes.java(version), slots=SLOTS)
        yield Stage(
            runtimes=runtimes,
            version=version,
            cluster=clusters.ensure(settings),
            old=program(CHANGES, runtimes, version, age="old", into=folder),
            new=program(CHANGES, runtimes, version, age="new", into=folder),
            directory=folder,
        )


def by_name(answer: ProbeAnswer) -> dict[str, list[StateResolution]]:
    names = {operator.id: operator.name for operator in answer.operators}
    found: dict[str, list[StateResolution]] = {name: [] for name in names.values()}
    for resolution in answer.resolutions:
        found[names[resolution.operator]].append(resolution)
    return found


def refused(resolutions: list[StateResolution]) -> bool:
    return any(found.resolution is Resolution.INCOMPATIBLE for found in resolutions)


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_flinks_answer_beforehand_is_what_it_does_on_a_restore(stage: Stage, backend: str) -> None:
    restores = stage.restores(backend)
    savepoint = restores.savepoint(stage.old)
    answer = stage.probe(heads_of(savepoint), opening=Opening(backend=backend))
    assert answer.failed is None
    told = {name: found for name, found in by_name(answer).items() if name in NAMES - NOT_TOLD}
    assert set(told) == NAMES - NOT_TOLD
    blocked = {name for name, found in told.items() if refused(found)}
    assert len(blocked) >= 12
    # All that fits runs as one job, which any of them would fail; what is refused has to fail each by itself.
    assert restores.outcome(stage.new, savepoint, *sorted(told.keys() - blocked)) is None
    wrong = {
        name: told[name] for name, failure in restores.outcomes(stage.new, savepoint, blocked).items() if not failure
    }
    assert wrong == {}


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_asynchronous_state_is_answered_as_flink_does_on_a_restore(stage: Stage, backend: str) -> None:
    if stage.version.startswith("1."):
        pytest.skip("asynchronous state came with Flink 2.0")
    restores = stage.restores(backend)
    # Flink 2.3 cannot write asynchronous state into a canonical savepoint (StreamOperatorStateHandler.snapshotState).
    savepoint = restores.savepoint(stage.old, *ASYNCHRONOUS, format="NATIVE")
    answer = stage.probe(heads_of(savepoint), *ASYNCHRONOUS, opening=Opening(backend=backend))
    told = {name: refused(found) for name, found in by_name(answer).items() if name in ASYNCHRONOUS}
    done = restores.outcomes(stage.new, savepoint, ASYNCHRONOUS)
    assert told == {name: failure is not None for name, failure in done.items()}
    assert told["async-retyped"]
    assert not told["async-same"]


def test_what_an_operator_would_write_is_told_in_flinks_own_format(stage: Stage) -> None:
    answer = stage.probe({}, "map-ttl-added", "union-pojo-field-removed")
    operators = {operator.name: operator for operator in answer.operators}
    keyed = operators["map-ttl-added"].keyed
    assert keyed is not None
    head = read_keyed_head(Cursor(keyed, source="probe"))
    assert head.length == len(keyed)
    assert [(state.name, state.options.get(KIND), state.ttl) for state in head.states] == [
        ("state", "MAP", True),
        ("_timer_state/event_user-timers", None, False),
        ("_timer_state/processing_user-timers", None, False),
    ]
    other = operators["union-pojo-field-removed"].not_keyed
    assert other is not None
    assert [
        (state.name, state.options[MODE]) for state in read_operator_head(Cursor(other, source="probe")).states
    ] == [("state", "UNION")]


def test_an_operator_that_hangs_is_given_up_and_what_it_registered_is_kept(stage: Stage) -> None:
    answer = stage.probe({}, "hangs", opening=Opening(operator_timeout_s=0.5))
    operators = {operator.name: operator for operator in answer.operators}
    assert "it did not open within 500 ms (at StateChanges$Hanging.open(" in (operators["hangs"].unopened or "")
    keyed = operators["hangs"].keyed
    assert keyed is not None
    assert [state.name for state in read_keyed_head(Cursor(keyed, source="probe")).states] == ["state"]


def test_an_operator_that_fails_to_open_is_told_with_the_users_line(stage: Stage) -> None:
    answer = stage.probe({}, "not-opened")
    operators = {operator.name: operator for operator in answer.operators}
    told = operators["not-opened"].unopened or ""
    assert told.startswith("IllegalStateException: nobody listens (at StateChanges$Unreachable.open(StateChanges.java:")


def test_a_program_that_ends_its_process_is_told(runtimes: Runtimes, tmp_path: Path) -> None:
    source = tmp_path / "Ending.java"
    source.write_text("public final class Ending { public static void main(String[] args) { System.exit(3); } }")
    answer = probe(request(runtimes, FLINK_VERSIONS[-1], jar_of(source, runtimes, FLINK_VERSIONS[-1])))
    assert answer.failed == "it ended its own process"


ORDERS = (
    "CREATE TABLE orders (customer STRING, item STRING, price INT)"
    " WITH ('connector' = 'datagen', 'rows-per-second' = '50', 'fields.customer.length' = '1')"
)
SINK = "CREATE TABLE found ({columns}) WITH ('connector' = 'blackhole')"
SQL = {  # of the same shape before and after: then the ids that Flink makes up stay
    "same": (
        ("customer STRING, n BIGINT", "SELECT customer, COUNT(*) FROM orders GROUP BY customer"),
        ("customer STRING, n BIGINT", "SELECT customer, COUNT(*) FROM orders GROUP BY customer"),
    ),
    "aggregate-added": (
        ("customer STRING, s INT", "SELECT customer, SUM(price) FROM orders GROUP BY customer"),
        ("customer STRING, s INT, m INT", "SELECT customer, SUM(price), MAX(price) FROM orders GROUP BY customer"),
    ),
    "join-column-added": (
        ("item STRING", "SELECT a.item FROM orders a JOIN orders b ON a.customer = b.customer"),
        ("item STRING, price INT", "SELECT a.item, b.price FROM orders a JOIN orders b ON a.customer = b.customer"),
    ),
}


@pytest.mark.parametrize("change", SQL)
def test_changed_sql_is_answered_as_flink_does_on_a_restore(stage: Stage, change: str, tmp_path: Path) -> None:
    jar = program(CHANGES.with_name("SqlChanges.java"), stage.runtimes, stage.version, age="new", into=tmp_path)
    old, new = ((ORDERS, SINK.format(columns=columns), f"INSERT INTO found {query}") for columns, query in SQL[change])
    restores = stage.restores("hashmap")
    savepoint = restores.savepoint(jar, *old)
    answer = probe(request(stage.runtimes, stage.version, jar, *new), heads_of(savepoint).values(), Opening())
    assert answer.failed is None
    assert [operator for operator in answer.operators if operator.unopened] == []
    assert answer.resolutions
    outcome = restores.outcome(jar, savepoint, *new)
    assert refused(list(answer.resolutions)) is (outcome is not None), (outcome, answer.resolutions)
