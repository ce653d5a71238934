"""From an application's `code` to a stored artifact: fetch the jar, package the SQL, package the Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scurry.model.application import CodeKind
from scurry.model.desired import SqlPlans
from scurry.model.errors import concerning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scurry.artifacts.download import Downloads
    from scurry.artifacts.lock import LockFile
    from scurry.artifacts.maven import Maven
    from scurry.artifacts.sql_application import Running
    from scurry.artifacts.store import ArtifactStore
    from scurry.flink.installed import FlinkRuntime
    from scurry.flink.runtimes import Runtimes
    from scurry.model.application import Application
    from scurry.model.desired import Artifact
    from scurry.model.ports import Secrets
    from scurry.model.project import Repository
    from scurry.model.reporting import Reporter
    from scurry.model.script import Script


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What building needs: stores, runtimes, repositories."""

    store: ArtifactStore
    runtimes: Runtimes
    lock: LockFile
    repositories: Sequence[Repository]
    """the project's; without any, Maven Central"""
    secrets: Secrets
    reporter: Reporter

    @cached_property
    def maven(self) -> Maven:
        """Resolves coordinates by the project's repositories and lock file."""
        from scurry.artifacts.maven import Maven
        from scurry.artifacts.repository import Repositories
        from scurry.artifacts.repository import Repository as Remote

        remotes = [
            Remote(name=urlsplit(one.url).netloc, url=one.url, username=one.username, password=one.password)
            for one in self.repositories
        ]
        repositories = Repositories(remotes, cache=self.runtimes.cache, reporter=self.reporter, secrets=self.secrets)
        return Maven(repositories, self.lock, reporter=self.reporter)

    @cached_property
    def downloads(self) -> Downloads:
        """Jars from other addresses."""
        from scurry.artifacts.download import Downloads

        return Downloads(self.runtimes.cache, self.reporter)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SqlOrder:
    script: Script
    flink_version: str
    running: Running | None


def build(
    application: Application,
    workbench: Workbench,
    *,
    folder: Path,
    script: Script | None,
    flink_version: str,
    running: Running | None = None,
) -> Artifact:
    """Build an application's artifact and store it. `folder` is the spec's, which paths are relative to.

    `running` is what the plan of an SQL application goes by, and goes on from.

    Raises `ArtifactError`, `SpecInvalid`, `RuntimeUnavailable`, `WorkspaceError`, `MissingExtra`.
    """
    match application.code.kind:
        case CodeKind.JAR:
            return _jar(application, workbench, folder)
        case CodeKind.PYTHON:
            return _python(application, workbench, folder)
        case CodeKind.SQL:
            if script is None:
                raise ValueError("an SQL application without a script")
            order = _SqlOrder(script=script, flink_version=flink_version, running=running)
            return _sql(application, workbench, folder, order)


def _jar(application: Application, workbench: Workbench, folder: Path) -> Artifact:
    from scurry.artifacts.fetch import fetch_jar
    from scurry.artifacts.jar import check_jar
    from scurry.artifacts.jar_package import package_jar

    code = application.code
    with concerning("code", "jar"):
        path = fetch_jar(code.source, base=folder, maven=workbench.maven, downloads=workbench.downloads)
        check_jar(path, code.main_class, called=code.source)
    return package_jar(path, connectors=_connectors(application, workbench, folder), store=workbench.store)


def _python(application: Application, workbench: Workbench, folder: Path) -> Artifact:
    from scurry.artifacts.python_package import PythonParts, package_python

    code = application.code
    parts = PythonParts(
        requirements=code.requirements, files=code.files, connectors=_connectors(application, workbench, folder)
    )
    with concerning("code", "python"):
        return package_python(code.source, parts, base=folder, store=workbench.store)


def _connectors(
    application: Application, workbench: Workbench, folder: Path, flink: FlinkRuntime | None = None
) -> tuple[Path, ...]:
    from scurry.artifacts.fetch import fetch_connectors

    if not application.connectors:
        return ()
    with concerning("connectors"):
        return fetch_connectors(
            application.connectors, base=folder, maven=workbench.maven, downloads=workbench.downloads, flink=flink
        )


def _sql(application: Application, workbench: Workbench, folder: Path, order: _SqlOrder) -> Artifact:
    from scurry.artifacts.sql_application import Running, SqlParts, SqlWorkshop, build_sql
    from scurry.flink.java_asking import Java
    from scurry.flink.java_programs import ECJ_PATH, compile_program

    runtimes = workbench.runtimes
    with concerning("flink"):
        flink = runtimes.flink(order.flink_version)
    connectors = _connectors(application, workbench, folder, flink)
    on = Java(flink=flink, java=runtimes.java(order.flink_version), cache=runtimes.cache, reporter=workbench.reporter)
    plans = application.upgrade.sql
    # The compiler is compiled here, with a compiler from the project's repositories, not where it is asked.
    for program in ("SqlRunner", *(("SqlCompiler",) if plans is SqlPlans.PLAN else ())):
        compile_program(
            program,
            flink=flink,
            java=on.java,
            cache=runtimes.cache,
            fetch_ecj=lambda: workbench.maven.tool(ECJ_PATH),
            reporter=workbench.reporter,
        )
    runner = compile_program("SqlRunner", flink=flink, java=on.java, cache=runtimes.cache)
    parts = SqlParts(name=application.name, script=order.script, connectors=connectors, runner=runner, plans=plans)
    workshop = SqlWorkshop(on=on, store=workbench.store, reporter=workbench.reporter)
    return build_sql(parts, workshop, order.running or Running())
