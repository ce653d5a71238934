"""From a script to its artifact: when it stays what it is, what it is planned against, and what is told."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from scurry.artifacts import sql_application
from scurry.artifacts.sql_application import Running, SqlParts, SqlWorkshop, build_sql
from scurry.artifacts.sql_plan import SqlPlan
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from scurry.flink.java_asking import Java
from scurry.flink.sql_plans import Compiled, PlanRequest, Refusal
from scurry.model.desired import Desired, SqlPlans, UpgradePolicy
from scurry.model.errors import SpecInvalid
from tests.artifacts.scripts import script_of
from tests.artifacts.sql_plan_files import SCRIPTS, plan

if TYPE_CHECKING:
    from pathlib import Path

    from scurry.artifacts.store import ArtifactStore
    from tests.artifacts.conftest import Remembering

Build = Callable[..., Desired]


class Compiler:
    """Answers as the compiler did for the kept scripts; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[PlanRequest] = []
        self.fits = True
        self.refusal: Compiled | None = None

    def __call__(self, request: PlanRequest, on: Java) -> Compiled:
        self.asked.append(request)
        if request.plan is not None:
            return Compiled(fits=self.fits)
        if self.refusal:
            return self.refusal
        name = next(name for name in SCRIPTS if script_of(SCRIPTS[name]).sources() == tuple(request.statements))
        found = plan(name)
        return Compiled(
            graph=found.graph,
            inserts=found.inserts,
            sinks=dict(found.sinks),
            uids=dict(found.uids),
            tables=dict(found.tables),
        )


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    found = Compiler()
    monkeypatch.setattr(sql_application, "compile_plan", found)
    return found


@pytest.fixture
def build(store: ArtifactStore, reporter: Remembering, tmp_path: Path) -> Build:
    """Build a kept script, and return what would be applied."""

    def built(
        name: str,
        previous: Desired | None = None,
        *,
        plans: SqlPlans = SqlPlans.PLAN,
        version: str = "2.3.0",
        runner: str = "1",
        config: dict[str, str] | None = None,
    ) -> Desired:
        classes = tmp_path / f"runner-{runner}"
        (classes / "io" / "scurry").mkdir(parents=True, exist_ok=True)
        (classes / "io" / "scurry" / "SqlRunner.class").write_text(runner)
        on = Java(
            flink=FlinkRuntime(version=version, home=tmp_path, source="pypi"),
            java=JavaRuntime(home=tmp_path, major=17, source="PATH"),
            cache=tmp_path,
        )
        parts = SqlParts(
            name="app", script=script_of(SCRIPTS.get(name, name)), connectors=(), runner=classes, plans=plans
        )
        workshop = SqlWorkshop(on=on, store=store, reporter=reporter)
        artifact = build_sql(parts, workshop, Running(config=config or {}, previous=previous))
        policy = UpgradePolicy(sql=plans)
        return Desired(application="app", target="local", flink_version=version, artifact=artifact, upgrade=policy)

    return built


def plan_in(store: ArtifactStore, wish: Desired) -> SqlPlan | None:
    with zipfile.ZipFile(store.path(wish.artifact)) as jar:
        return SqlPlan.in_jar(jar)


def test_the_plan_is_in_the_jar_and_is_the_same_wherever_it_is_made(
    build: Build, compiler: Compiler, store: ArtifactStore
) -> None:
    first = build("sum")
    found = plan_in(store, first)
    assert found
    assert (found.graph, found.uids, found.flink) == (plan("sum").graph, plan("sum").uids, "2.3.0")
    assert build("sum").artifact == first.artifact


def test_an_unchanged_script_stays_the_artifact_that_it_is_and_asks_nothing(build: Build, compiler: Compiler) -> None:
    first = build("sum")
    compiler.asked.clear()
    assert build("sum", first).artifact == first.artifact
    assert build("sum", first, runner="2", config={"pipeline.name": "x"}).artifact == first.artifact
    assert not compiler.asked


def test_a_revision_of_before_there_were_plans_is_not_upgraded_for_nothing(build: Build, compiler: Compiler) -> None:
    old = msgspec.structs.replace(build("sum", plans=SqlPlans.NONE), upgrade=UpgradePolicy())
    assert build("sum", old, runner="2").artifact == old.artifact
    assert not compiler.asked


def test_what_was_wished_without_a_plan_gets_one_when_that_is_wished_and_back(
    build: Build, compiler: Compiler, store: ArtifactStore
) -> None:
    without = build("sum", plans=SqlPlans.NONE)
    planned = build("sum", without)
    assert plan_in(store, planned)
    assert plan_in(store, build("sum", planned, plans=SqlPlans.NONE)) is None


def test_a_changed_script_goes_on_from_the_running_plan(
    build: Build, compiler: Compiler, store: ArtifactStore, reporter: Remembering
) -> None:
    first = build("sum")
    second = plan_in(store, build("sum-to-others", first))
    assert second
    assert "totals:group-aggregate" in " ".join(second.uids.values())
    assert not reporter.warnings


def test_a_changed_script_goes_on_from_one_that_runs_without_a_plan(
    build: Build, compiler: Compiler, store: ArtifactStore
) -> None:
    old = msgspec.structs.replace(build("sum", plans=SqlPlans.NONE), upgrade=UpgradePolicy())
    second = plan_in(store, build("sum-to-others", old))
    assert second
    assert "totals:group-aggregate" in " ".join(second.uids.values())


def test_what_cannot_be_kept_is_told_each_time_it_is_planned(
    build: Build, compiler: Compiler, reporter: Remembering
) -> None:
    first = build("sum")
    changed = build("sum-of-price", first)
    assert len(reporter.warnings) == 1
    assert build("sum-of-price", first).artifact == changed.artifact
    assert len(reporter.warnings) == 2
    assert build("sum-of-price", changed).artifact == changed.artifact
    assert len(reporter.warnings) == 2


def test_the_same_script_on_another_flink_keeps_its_plan_if_that_takes_it(
    build: Build, compiler: Compiler, store: ArtifactStore
) -> None:
    first = build("sum", version="1.20.5")
    assert plan_in(store, build("sum", first)) == plan_in(store, first)
    compiler.fits = False
    other = plan_in(store, build("sum", first))
    assert other
    assert other.flink == "2.3.0"


def test_options_of_the_planner_make_another_plan(build: Build, compiler: Compiler, store: ArtifactStore) -> None:
    first = build("sum")
    compiler.asked.clear()
    build("sum", first, config={"table.exec.state.ttl": "1 h"})
    assert [dict(asked.options) for asked in compiler.asked] == [{"table.exec.state.ttl": "1 h"}]


def test_an_error_in_the_script_is_told_at_its_place(build: Build, compiler: Compiler) -> None:
    text = "scurry-sql-error statement=1 line=1 column=3\nColumn 'x' not found in any table\nscurry-sql-error end"
    compiler.refusal = Compiled(refusal=Refusal.SCRIPT, text=text)
    with pytest.raises(SpecInvalid) as caught:
        build("SET 'a' = 'b';\nINSERT INTO t SELECT x;")
    (problem,) = caught.value.problems
    assert (str(problem.place), problem.message) == ("queries.sql:2:3", "Column 'x' not found in any table")


@pytest.mark.parametrize("refusal", [Refusal.CANNOT, Refusal.MISSING, Refusal.DIED, Refusal.SCRIPT])
def test_what_cannot_have_a_plan_runs_from_its_script_and_says_why(
    build: Build, compiler: Compiler, store: ArtifactStore, reporter: Remembering, refusal: Refusal
) -> None:
    compiler.refusal = Compiled(refusal=refusal, text="it is so")
    first = build("sum")
    assert plan_in(store, first) is None
    assert reporter.notes == ["app runs from its script, not from a compiled plan: it is so"]
    assert build("sum", first).artifact == first.artifact


def test_losing_a_plan_is_a_warning(build: Build, compiler: Compiler, reporter: Remembering) -> None:
    first = build("sum")
    compiler.refusal = Compiled(refusal=Refusal.DIED, text="the process ended with 137")
    build("count", first)
    assert "It had a plan before" in reporter.warnings[0]


def test_an_artifact_that_is_elsewhere_cannot_be_gone_on_from_and_that_is_told(
    build: Build, compiler: Compiler, store: ArtifactStore, reporter: Remembering
) -> None:
    first = build("sum")
    artifact = msgspec.structs.replace(first.artifact, digest="sha256:" + "0" * 64)
    build("count", msgspec.structs.replace(first, artifact=artifact))
    assert "is not in this workspace" in reporter.warnings[0]


def test_a_plan_that_is_not_understood_does_not_stand_in_the_way(
    build: Build, compiler: Compiler, store: ArtifactStore, reporter: Remembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(old: SqlPlan, new: SqlPlan) -> None:
        raise KeyError("projection")

    first = build("sum")
    monkeypatch.setattr(sql_application, "carry_over", strange)
    assert plan_in(store, build("count", first))
    assert "cannot be compared with the running one" in reporter.warnings[0]
