"""From an SQL script to its artifact: with a plan that goes on from the running one's, if one can be had.

A script that did not change stays the artifact that it is, whatever else of scurry did: no upgrade for nothing.
What the new version cannot take over, and why a script runs without a plan, is told.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.artifacts.disk import digest_of
from scurry.artifacts.jar import open_jar
from scurry.artifacts.sql_errors import is_certain, locate, summary
from scurry.artifacts.sql_matching import Fate, carry_over
from scurry.artifacts.sql_package import Packing, is_made_of, package_sql, statements_in
from scurry.artifacts.sql_plan import SqlPlan
from scurry.flink.sql_plans import Compiled, PlanRequest, Refusal, compile_plan
from scurry.model.desired import SqlPlans
from scurry.model.errors import ArtifactError, SpecInvalid

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scurry.artifacts.store import ArtifactStore
    from scurry.flink.java_asking import Java
    from scurry.model.desired import Artifact, Desired
    from scurry.model.reporting import Reporter
    from scurry.model.script import Script
    from scurry.model.values import Text

_NOT_HERE = (
    "the artifact that {name} runs now ({file}) is not in this workspace, so its plan cannot be gone on from: "
    "operators that were renamed or moved may lose their state"
)
_OPTIONS = re.compile(r"table\.|execution\.runtime-mode$")
"""what the planner goes by; everything else is for the job"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlParts:
    """What an SQL application is made of."""

    name: str
    script: Script
    connectors: Sequence[Path]
    runner: Path
    """the folder of the runner's classes"""
    plans: SqlPlans


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a plan goes by besides the script."""

    config: Mapping[str, Text] = field(default_factory=dict)
    """the job's Flink options"""
    previous: Desired | None = None
    """the wish whose state the new job goes on from"""


@dataclass(frozen=True, kw_only=True)
class SqlWorkshop:
    """What building one needs."""

    on: Java
    store: ArtifactStore
    reporter: Reporter


def build_sql(parts: SqlParts, workshop: SqlWorkshop, running: Running) -> Artifact:
    """Build the jar.

    Raises `ArtifactError`, `SpecInvalid` for a script that is wrong, `RuntimeUnavailable`, `WorkspaceError`.
    """
    previous = running.previous
    with ExitStack() as stack:
        jar = _jar_of(previous, workshop.store, stack)
        before = SqlPlan.in_jar(jar) if jar else None
        options = _options(running.config)
        if previous and jar and _unchanged(parts, options, previous, (jar, before), workshop.on.flink.version):
            return previous.artifact
        plan = None
        if parts.plans is SqlPlans.PLAN:
            if previous and jar is None:
                workshop.reporter.warn(_NOT_HERE.format(name=parts.name, file=previous.artifact.file_name))
            statements = statements_in(jar) if jar else ()
            plan = _Planning(parts=parts, options=options, workshop=workshop).plan(before, statements)
    return package_sql(
        parts.script,
        connectors=parts.connectors,
        runner=parts.runner,
        store=workshop.store,
        packing=Packing(name=f"{parts.name}.jar", plan=plan),
        reporter=workshop.reporter,
    )


def _jar_of(previous: Desired | None, store: ArtifactStore, stack: ExitStack) -> zipfile.ZipFile | None:
    if previous is None or not store.has(previous.artifact):
        return None
    return stack.enter_context(open_jar(store.path(previous.artifact), called=previous.artifact.file_name))


def _unchanged(
    parts: SqlParts,
    options: Mapping[str, str],
    previous: Desired,
    made: tuple[zipfile.ZipFile, SqlPlan | None],
    flink_version: str,
) -> bool:
    """Whether the artifact that runs is what is wished for."""
    jar, plan = made
    wanted = parts.plans is SqlPlans.PLAN
    # What was wished to have a plan and has none was built before there were plans, or could not have one.
    is_meant = wanted == (plan is not None) or (wanted and previous.upgrade.sql is SqlPlans.PLAN)
    return (
        is_meant
        and previous.flink_version == flink_version
        and (plan is None or plan.options == digest_of_options(options))
        and is_made_of(jar, parts.script, parts.connectors)
    )


@dataclass(frozen=True, kw_only=True)
class _Planning:
    parts: SqlParts
    options: Mapping[str, str]
    workshop: SqlWorkshop

    def plan(self, before: SqlPlan | None, statements: Sequence[str]) -> SqlPlan | None:
        """Return the plan, None where there can be none. `before` and `statements` are what runs now."""
        script = self.parts.script.sources()
        if before and self._still_fits(before, statements):
            return before
        compiled = self._ask(script)
        if compiled.refusal:
            self._tell_refusal(compiled, had_one=before is not None)
            return None
        plan = self._plan_of(compiled)
        if before is None and statements:
            # It runs from its script, whose operators are called as its plan would call them.
            run = self._ask(statements)
            before = None if run.refusal else self._plan_of(run)
        if before is None:
            return plan
        return self._carried_over(before, plan)

    def _carried_over(self, before: SqlPlan, plan: SqlPlan) -> SqlPlan:
        reporter = self.workshop.reporter
        try:
            carried = carry_over(before, plan)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            # Flink's JSON is no interface of Flink's; one that we cannot read must not stand in the way.
            reporter.warn(f"the new plan cannot be compared with the running one, so nothing is renamed: {error!r}")
            return plan
        for told in carried.told:
            (reporter.note if told.fate is Fate.REFILTERED else reporter.warn)(str(told))
        return carried.plan

    def _plan_of(self, compiled: Compiled) -> SqlPlan:
        return SqlPlan(
            graph=compiled.graph,
            inserts=compiled.inserts,
            sinks=compiled.sinks,
            uids=compiled.uids,
            tables=compiled.tables,
            options=digest_of_options(self.options),
            flink=self.workshop.on.flink.version,
        )

    def _still_fits(self, before: SqlPlan, statements: Sequence[str]) -> bool:
        """Whether the old plan can stay as it is: the same script, on another Flink or with other connectors."""
        script = self.parts.script.sources()
        same = tuple(statements) == script and before.options == digest_of_options(self.options)
        return same and self._ask(script, before).fits

    def _ask(self, statements: Sequence[str], plan: SqlPlan | None = None) -> Compiled:
        request = PlanRequest(
            statements=statements,
            jars=[(path, _digest(path)) for path in self.parts.connectors],
            options=self.options,
            plan=plan.graph if plan else None,
            names=plan.names if plan else "",
        )
        with self.workshop.reporter.activity("Compiling the SQL plan"):
            return compile_plan(request, self.workshop.on)

    def _tell_refusal(self, compiled: Compiled, *, had_one: bool) -> None:
        script, version = self.parts.script, self.workshop.on.flink.version
        if compiled.refusal is Refusal.SCRIPT and is_certain(compiled.text):
            problem = locate(compiled.text, script, flink_version=version)
            if problem:
                raise SpecInvalid((problem,))
        problem = locate(compiled.text, script, flink_version=version)
        why = problem.message if problem else summary(compiled.text)
        told = f"{self.parts.name} runs from its script, not from a compiled plan: {why}"
        if had_one:
            self.workshop.reporter.warn(f"{told}. It had a plan before; what was renamed since may lose its state")
        else:
            self.workshop.reporter.note(told)


def _options(config: Mapping[str, Text]) -> Mapping[str, str]:
    return {key: value for key, value in config.items() if isinstance(value, str) and _OPTIONS.match(key)}


def digest_of_options(options: Mapping[str, str]) -> str:
    """Return what tells the options of a plan from others."""
    text = "\0".join(f"{key}={value}" for key, value in sorted(options.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    try:
        return digest_of(path)
    except OSError as error:
        raise ArtifactError(f"the connector {str(path)!r} cannot be read: {error.strerror or error}") from error
