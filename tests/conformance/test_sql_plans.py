"""SQL applications run from compiled plans on real Flink: what a change keeps goes on, what it cannot keep is told.

One job of four queries is stopped with a savepoint; each test starts another script from it. Flink itself refuses a
start that leaves state behind, so a job that starts without being allowed that has taken over all of it.
"""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from scurry.artifacts.sql_application import Running, SqlParts, SqlWorkshop, build_sql
from scurry.artifacts.sql_plan import SqlPlan
from scurry.artifacts.store import ArtifactStore
from scurry.flink.cluster import ClusterSettings, LocalClusters
from scurry.flink.connection import RestSettings
from scurry.flink.java_asking import Java
from scurry.flink.java_programs import compile_program
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.desired import Desired, SqlPlans
from scurry.model.errors import RejectedByTarget
from scurry.model.reporting import SilentReporter
from tests.artifacts.conftest import Remembering
from tests.artifacts.scripts import script_of
from tests.artifacts.sql_rig import SqlRig
from tests.versions import FLINK_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scurry.flink.runtimes import Runtimes

pytestmark = [pytest.mark.flink, pytest.mark.timeout(600)]

WATCHED = "'connector' = 'filesystem', 'format' = 'csv', 'source.monitor-interval' = '100ms', 'path' = '{folder}"
TABLES = f"""
CREATE TABLE clicks (name STRING, amount BIGINT, price BIGINT) WITH ({WATCHED}/in');
CREATE TABLE cities (name STRING, city STRING) WITH ({WATCHED}/cities');
CREATE TABLE totals (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = '${{secret:totals}}');
CREATE TABLE best (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'best-{{tag}}');
CREATE TABLE visits (city STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'visits-{{tag}}');
CREATE TABLE spread (clicks BIGINT, names BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'spread-{{tag}}');
"""
TOTALS = "INSERT INTO totals SELECT name, SUM(amount) FROM clicks GROUP BY name;\n"
BEST = """INSERT INTO best SELECT name, amount FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY name ORDER BY amount DESC) AS place FROM clicks) WHERE place <= 1;
"""
VISITS = "INSERT INTO visits SELECT city, amount FROM clicks JOIN cities ON clicks.name = cities.name;\n"
SPREAD = """INSERT INTO spread SELECT n, COUNT(*) FROM (
  SELECT name, COUNT(*) AS n FROM clicks GROUP BY name) GROUP BY n;
"""
SCRIPT = TABLES + TOTALS + BEST + VISITS + SPREAD

KEPT = (
    "-- a query put before, a renamed source, another table to write to, a filter, an alias\n"
    + SCRIPT.replace("clicks", "taps").replace("(taps BIGINT", "(clicks BIGINT").replace("INTO totals", "INTO sums")
    .replace("SUM(amount) FROM taps", "SUM(amount) AS total FROM taps")
    .replace("= cities.name", "= cities.name WHERE city <> 'Oslo'")
    .replace("INSERT INTO sums", "INSERT INTO counts SELECT name, COUNT(*) FROM taps GROUP BY name;\nINSERT INTO sums")
    .replace(
        "CREATE TABLE best",
        "CREATE TABLE sums (name STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'sums-{tag}');\n"
        "CREATE TABLE counts (name STRING, n BIGINT) WITH ('connector' = 'blackhole');\nCREATE TABLE best",
    )
)  # fmt: skip
LOST = (
    TABLES
    + TOTALS.replace("SUM(amount)", "SUM(amount) + MAX(price)")
    + VISITS.replace("amount", "amount + price")
    + SPREAD.replace("GROUP BY name)", "GROUP BY name HAVING COUNT(*) > 1)")
)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A cluster of one version, and the workshop that builds for it."""

    rig: SqlRig
    workshop: SqlWorkshop
    version: str

    def build(self, sql: str, previous: Desired | None = None) -> tuple[Desired, list[str], list[str]]:
        """Build a script; return the wish, what was noted and what was warned of."""
        reporter = Remembering()
        text = sql.replace("{folder}", str(self.rig.folder)).replace("{tag}", self.rig.tag)
        on = self.workshop.on
        runner = compile_program("SqlRunner", flink=on.flink, java=on.java, cache=on.cache)
        parts = SqlParts(name="app", script=script_of(text), connectors=(), runner=runner, plans=SqlPlans.PLAN)
        workshop = replace(self.workshop, reporter=reporter)
        artifact = build_sql(parts, workshop, Running(previous=previous))
        wish = Desired(application="app", target="local", flink_version=self.version, artifact=artifact)
        return wish, reporter.notes, reporter.warnings

    def plan_of(self, wish: Desired) -> SqlPlan:
        """The plan in the jar."""
        with zipfile.ZipFile(self.workshop.store.path(wish.artifact)) as jar:
            plan = SqlPlan.in_jar(jar)
            assert plan, "it runs from its script"
            return plan

    def start(self, wish: Desired, savepoint: str | None = None, *, allow: bool = False) -> str:
        """Run what was built."""
        jar = self.rig.rest.upload(self.workshop.store.path(wish.artifact), name="app.jar")
        secrets = {"totals": f"totals-{self.rig.tag}"}
        return self.rig.start(jar, savepoint=savepoint, secrets=secrets, allow_non_restored_state=allow)

    def refused(self, wish: Desired, savepoint: str) -> str:
        """Why Flink does not start what was built."""
        jar = self.rig.rest.upload(self.workshop.store.path(wish.artifact), name="app.jar")
        request = JarRequest(savepoint_path=savepoint, program_args_list=("--secret", "totals=x"))
        try:
            job = self.rig.rest.run(jar, request)
        except RejectedByTarget as error:
            return error.cause
        self.rig.wait_for_state(job, "FAILED")
        return "".join(entry.stacktrace for entry in self.rig.rest.exceptions(job))


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The job of SCRIPT, stopped after three clicks."""

    wish: Desired
    savepoint: str


@pytest.fixture(scope="module")
def ground_of(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ground]]:
    """A function from version to its ground; all have one folder and one store."""
    folder = tmp_path_factory.mktemp("plans")
    grounds: dict[str, Ground] = {}
    with ExitStack() as stack:

        def ground(version: str) -> Ground:
            if version not in grounds:
                on = Java(flink=runtimes.flink(version), java=runtimes.java(version), cache=runtimes.cache)
                clusters = LocalClusters(folder / f"local-{version}", SilentReporter())
                stack.callback(clusters.stop)
                settings = ClusterSettings(
                    flink=on.flink, java=on.java, state_directory=folder / "state" / version, slots=8
                )
                cluster = clusters.ensure(settings)
                rest = stack.enter_context(FlinkRest(RestSettings(url=cluster.rest_url)))
                runner = compile_program("SqlRunner", flink=on.flink, java=on.java, cache=on.cache)
                store = ArtifactStore(folder / "store")
                own = folder / version
                own.mkdir()
                rig = SqlRig(cluster, rest, runner=runner, store=store, folder=own)
                workshop = SqlWorkshop(on=on, store=store, reporter=SilentReporter())
                grounds[version] = Ground(rig=rig, workshop=workshop, version=version)
            return grounds[version]

        yield ground


@pytest.fixture(scope="module")
def stopped_on(ground_of: Callable[[str], Ground]) -> Callable[[str], Stopped]:
    """A function from version to the stopped job there."""
    known: dict[str, Stopped] = {}

    def stopped(version: str) -> Stopped:
        if version not in known:
            ground = ground_of(version)
            rig = ground.rig
            rig.feed("first", "a,1,10", "a,2,20", "b,3,30")
            rig.feed("first", "a,Rome", "b,Oslo", into="cities")
            wish, _, _ = ground.build(SCRIPT)
            job = ground.start(wish)
            for table, row in (("totals", "+U[a, 3]"), ("best", "+U[a, 2]"), ("spread", "+I[1, 1]")):
                rig.wait_until_printed(table, row)
            rig.wait_until_printed("visits", "+I[Oslo, 3]")
            rig.wait_until_printed("visits", "+I[Rome, 2]")
            rig.wait_until_printed("spread", "+I[2, 1]")
            known[version] = Stopped(wish=wish, savepoint=rig.stop(job))
            rig.feed("second", "a,10,1", "b,1,1")
        return known[version]

    return stopped


@pytest.fixture(params=FLINK_VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_what_computes_the_same_goes_on_under_other_names_and_back_again(
    ground_of: Callable[[str], Ground], stopped_on: Callable[[str], Stopped], version: str
) -> None:
    stopped, ground = stopped_on(version), ground_of(version)
    rig = ground.rig
    before = {table: len(rig.printed(table)) for table in ("best", "visits", "spread")}

    wish, notes, warnings = ground.build(KEPT, stopped.wish)
    job = ground.start(wish, stopped.savepoint)

    rig.wait_until_printed("sums", "+U[a, 13]")
    rig.wait_until_printed("sums", "+U[b, 4]")
    rig.wait_until_printed("best", "+U[a, 10]")
    rig.wait_until_printed("visits", "+I[Rome, 10]")
    rig.wait_until_printed("spread", "+I[3, 1]")
    assert not warnings
    assert [note.partition(", where")[0] for note in notes] == ["the state of Join(joinType=[InnerJoin]"]
    assert not {"+I[a, 10]", "+I[b, 1]"} & set(rig.printed("best")[before["best"] :])
    assert "+I[1, 1]" not in rig.printed("spread")[before["spread"] :]
    again = rig.stop(job)
    rig.feed("third", "b,100,1")
    job = ground.start(stopped.wish, again, allow=True)  # what only the new script counts is left behind
    rig.wait_until_printed("totals", "+U[b, 104]")
    rig.rest.cancel(job)


def test_what_cannot_be_kept_is_told_and_the_rest_goes_on(
    ground_of: Callable[[str], Ground], stopped_on: Callable[[str], Stopped], version: str
) -> None:
    stopped, ground = stopped_on(version), ground_of(version)
    rig = ground.rig
    before = {table: len(rig.printed(table)) for table in ("totals", "spread")}

    wish, notes, warnings = ground.build(LOST, stopped.wish)

    told = sorted((text.split(", for ")[1].split(", ")[0], text.rpartition("), for ")[2]) for text in warnings)
    assert [table for table, _ in told] == ["best", "spread", "totals", "visits"]
    assert "nothing in the new script computes it" in told[0][1]
    assert "what feeds it is something else" in told[1][1]
    assert "it computes something else: GroupAggregate(" in told[2][1]
    assert not notes
    assert "Cannot map checkpoint/savepoint state for operator" in ground.refused(wish, stopped.savepoint)
    job = ground.start(wish, stopped.savepoint, allow=True)
    rig.wait_until_printed("totals", "+I[a, 11]")
    rig.wait_until_printed("spread", "+I[3, 1]")
    assert "+U[a, 14]" not in rig.printed("totals")[before["totals"] :]
    rig.rest.cancel(job)


def test_an_unchanged_script_stays_the_artifact_that_it_is_and_holds_no_secret(
    ground_of: Callable[[str], Ground], stopped_on: Callable[[str], Stopped], version: str
) -> None:
    stopped, ground = stopped_on(version), ground_of(version)

    assert ground.build(SCRIPT, stopped.wish)[0].artifact == stopped.wish.artifact
    assert ground.build(SCRIPT)[0].artifact == stopped.wish.artifact

    plan = ground.plan_of(stopped.wish)
    assert "secret" not in plan.graph + plan.names
    assert str(ground.rig.folder) not in plan.graph, "options of tables are not in it"


def test_a_plan_of_1_20_runs_on_2_3_as_it_is_and_goes_on(
    ground_of: Callable[[str], Ground], stopped_on: Callable[[str], Stopped]
) -> None:
    stopped, old, new = stopped_on("1.20.5"), ground_of("1.20.5"), ground_of("2.3.0")
    rig = new.rig
    script = SCRIPT.replace("{folder}", str(old.rig.folder)).replace("{tag}", old.rig.tag)

    wish, notes, warnings = new.build(script, stopped.wish)

    assert (notes, warnings) == ([], [])
    assert new.plan_of(wish) == old.plan_of(stopped.wish)
    jar = rig.rest.upload(new.workshop.store.path(wish.artifact), name="app.jar")
    before = len(rig.printed("totals"))
    job = rig.start(jar, savepoint=stopped.savepoint, secrets={"totals": f"totals-{rig.tag}"})
    rig.wait_until_printed("totals", "+U[a, 13]")
    assert "+I[a, 10]" not in rig.printed("totals")[before:]
    rig.rest.cancel(job)
