"""What a workspace is put together from, each part made when it is first asked for.

Part of floor 3: it knows all adapters and the project's settings. From a spec's file to a `Desired` goes through here.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.model.errors import (
    MissingExtra,
    RejectedByTarget,
    SecretMissing,
    SpecInvalid,
    WorkspaceError,
    concerning,
)
from scurry.model.values import SecretRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scurry.artifacts.lock import LockFile
    from scurry.artifacts.store import ArtifactStore
    from scurry.flink.cluster import LocalClusters
    from scurry.flink.runtimes import Runtimes
    from scurry.journal.postgres_server import Address
    from scurry.journal.sql_journal import SqlJournal
    from scurry.model.desired import Desired
    from scurry.model.errors import Problem
    from scurry.model.journal import History
    from scurry.model.plan import Difference, Plan
    from scurry.model.ports import Clock, Target
    from scurry.model.project import Project, TargetSettings
    from scurry.model.reporting import Reporter
    from scurry.model.script import Script
    from scurry.model.values import Text
    from scurry.preflight import Preflight
    from scurry.spec.load import LoadedApplication
    from scurry.spec.places import Places

DIRECTORY = ".scurry"


class LocalSecrets:
    """Secrets of this machine: environment variables, and files relative to the project."""

    def __init__(self, root: Path, environ: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._environ = environ if environ is not None else os.environ

    def resolve(self, text: Text) -> str:
        """Return the plain text of a value. Raises `SecretMissing`."""
        if not isinstance(text, SecretRef):
            return text
        return self._from_environment(text) if text.source == "env" else self._from_file(text)

    def _from_environment(self, secret: SecretRef) -> str:
        value = self._environ.get(secret.name)
        if value is None:
            raise SecretMissing(
                f"the secret {{env: {secret.name}}} is not there: the environment has no variable {secret.name!r}",
                hint=f"Set it where scurry runs:\n  export {secret.name}=…",
                secret=secret,
            )
        return value

    def _from_file(self, secret: SecretRef) -> str:
        path = self._root / Path(secret.name).expanduser()
        try:
            return path.read_text("utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SecretMissing(
                f"the secret {{file: {secret.name}}} cannot be read: {reason}",
                hint=f"Its path is relative to the folder of scurry.yaml. To see what is there, run:\n  ls -l {path}",
                secret=secret,
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a spec wishes for, and the script that it came from: Flink speaks of the script, people of their file."""

    desired: Desired
    script: Script | None
    places: Places

    @contextmanager
    def placing_errors(self) -> Iterator[None]:
        """Give errors their place in the user's files: of a key, or of what Flink says of the SQL script."""
        try:
            with self.places.found():
                yield
        except RejectedByTarget as error:
            from scurry.artifacts.sql_errors import locate

            problem = self.script and locate(error.cause, self.script, flink_version=self.desired.flink_version)
            if not problem:
                raise
            raise SpecInvalid((problem,)) from error


class Assembly:
    """The parts of one workspace."""

    def __init__(self, project: Project, *, reporter: Reporter, clock: Clock) -> None:
        self.project = project
        self._reporter = reporter
        self._clock = clock

    @property
    def directory(self) -> Path:
        """The workspace's own folder, `.scurry` beside the project file."""
        return self.project.root / DIRECTORY

    @cached_property
    def secrets(self) -> LocalSecrets:
        """Resolves references to secrets."""
        return LocalSecrets(self.project.root)

    @property
    def journal_place(self) -> str:
        """Where the project's journal is, or will be: a path, or an address without its password."""
        return str(self._journal_address or self._journal_path)

    @cached_property
    def journal(self) -> SqlJournal:
        """The project's journal, ready to be written."""
        return self._open_journal(read_only=False)

    @cached_property
    def journal_to_read(self) -> SqlJournal:
        """The project's journal for looking: nothing is made or migrated, and what is not there is empty."""
        return self._open_journal(read_only=True)

    def check_journal(self, path: Path | None = None) -> list[Problem]:
        """Return what is wrong with the project's journal, or with a file; empty when it is whole."""
        address = None if path else self._journal_address
        if address is None:
            from scurry.journal.check import check

            return check(path or self._journal_path)
        from scurry.journal.postgres_check import check as check_on_server

        return check_on_server(address)

    @cached_property
    def store(self) -> ArtifactStore:
        """The store of artifacts."""
        from scurry.artifacts.store import ArtifactStore

        return ArtifactStore(self.directory / "artifacts")

    @cached_property
    def runtimes(self) -> Runtimes:
        """Flink and Java on this machine."""
        from scurry.flink.runtimes import Runtimes, default_cache

        return Runtimes(
            cache=default_cache(),
            reporter=self._reporter,
            flink_sources=self.project.flink,
            java_home=self.project.java_home,
        )

    @cached_property
    def local_clusters(self) -> LocalClusters:
        """The local clusters, for looking at them and stopping them."""
        from scurry.flink.cluster import LocalClusters

        return LocalClusters(self.directory / "local", self._reporter, class_data=self.runtimes.cache)

    @cached_property
    def lock(self) -> LockFile:
        """What coordinates and Flink series are pinned to."""
        from scurry.artifacts.lock import LOCK_FILE, LockFile

        return LockFile(self.project.root / LOCK_FILE)

    @cached_property
    def preflight(self) -> Preflight:
        """Looks whether state and new versions fit."""
        from scurry.inspection import FlinkPrograms, SnapshotFiles
        from scurry.preflight import Preflight

        programs = FlinkPrograms(
            secrets=self.secrets,
            store=self.store,
            runtimes=self.runtimes,
            reporter=self._reporter,
            services=frozenset(name for name, each in self.project.all_targets().items() if each.kind == "managed"),
        )
        snapshots = SnapshotFiles(secrets=self.secrets)
        return Preflight(snapshots=snapshots, programs=programs, reporter=self._reporter, clock=self._clock)

    def target(self, name: str) -> Target:
        """Return a target by its name in the project. Raises `WorkspaceError` when there is none of that name."""
        from scurry.targets import connect
        from scurry.targets.services import TargetServices

        settings = self.settings_of(name)
        services = TargetServices(
            root=self.project.root,
            directory=self.directory,
            secrets=self.secrets,
            artifacts=self.store,
            clock=self._clock,
            reporter=self._reporter,
            runtimes=self.runtimes,
        )
        return connect(name, settings.kind, settings.model_dump(), services)

    def settings_of(self, name: str) -> TargetSettings:
        """Return a target's settings. Raises `WorkspaceError` when the project has none of that name."""
        known = self.project.all_targets()
        if name not in known:
            raise WorkspaceError(
                f"there is no target {name!r} in this project",
                hint=f"It has: {', '.join(sorted(known))}. Targets are defined in scurry.yaml, under `targets`.",
            )
        return known[name]

    # From a file to a wish -------------------------------------------------------------------------------------

    def load(self, file: Path, environment: str | None) -> LoadedApplication:
        """Read a spec. Raises `SpecInvalid`."""
        from scurry.spec.load import load_application

        return load_application(file, environment=environment, project=self.project)

    def validate(self, file: Path, environment: str | None) -> tuple[str, ...]:
        """Read a spec and check its Flink options. Returns notes. Raises `SpecInvalid`."""
        loaded = self.load(file, environment)
        _, notes = self._config(loaded, loaded.application.flink)
        return notes

    def wish(
        self,
        file: Path,
        environment: str | None,
        target: str | None,
        *,
        reshaped: Callable[[Script], Script] | None = None,
    ) -> Wish:
        """Return what a spec wishes for: its artifact built and stored, its Flink version exact.

        `reshaped` makes another SQL script of the one that the spec has.
        """
        loaded = self.load(file, environment)
        if reshaped is not None and loaded.script is not None:
            loaded = replace(loaded, script=reshaped(loaded.script))
        with self.places(loaded).found():
            return self._wish(loaded, target)

    def _wish(self, loaded: LoadedApplication, target: str | None) -> Wish:
        from scurry.artifacts.build import Workbench, build
        from scurry.artifacts.sql_application import Running
        from scurry.engine.resolve import Placement, resolve

        application = loaded.application
        name = target or application.target or self.project.target
        self.settings_of(name)
        version = self.flink_version(application.flink)
        config, notes = self._config(loaded, version)
        for note in notes:
            self._reporter.note(note)
        workbench = Workbench(
            store=self.store,
            runtimes=self.runtimes,
            lock=self.lock,
            repositories=self.project.repositories,
            secrets=self.secrets,
            reporter=self._reporter,
        )
        artifact = build(
            loaded.application,
            workbench,
            folder=loaded.folder,
            script=loaded.script,
            flink_version=version,
            running=Running(config=config, previous=self._goes_on_from(loaded)),
        )
        desired = resolve(
            application,
            Placement(id=loaded.id, target=name, flink_version=version),
            artifact=artifact,
            config=config,
            secrets=loaded.secrets,
        )
        return Wish(desired=desired, script=loaded.script, places=self.places(loaded))

    def _goes_on_from(self, loaded: LoadedApplication) -> Desired | None:
        """Return the wish of an SQL application whose state its next job takes over, which its plan goes on from."""
        from scurry.model.journal import RevisionOutcome

        if loaded.script is None:
            return None
        history = self.journal_to_read.history(loaded.id)
        current = history.current
        if current is None or current.outcome in (RevisionOutcome.BAD, RevisionOutcome.REFUSED):
            current = history.healthy
        return current.desired if current else None

    def explain(self, plan: Plan, history: History) -> Plan:
        """Return a plan with what differs inside the artifact, which only its bytes tell, and with what it costs."""
        from msgspec.structs import replace

        settings = self.settings_of(plan.target)
        if settings.kind == "managed":
            from scurry import prices

            plan = prices.told(plan, settings, history)
        if history.current is None or plan.desired is None:
            return plan
        before, after = history.current.desired, plan.desired
        changes = (
            replace(change, differences=self.explained(change.differences, before, after)) for change in plan.changes
        )
        return replace(plan, changes=tuple(changes))

    def explained(self, found: tuple[Difference, ...], before: Desired, after: Desired) -> tuple[Difference, ...]:
        """Return differences with what differs inside the artifact, where both can still be read."""
        from contextlib import suppress

        from msgspec.structs import replace

        from scurry.artifacts.contents import changes
        from scurry.model.errors import ArtifactError

        if before.artifact.digest == after.artifact.digest:
            return found
        with suppress(ArtifactError):
            details = changes(self.store.path(before.artifact), self.store.path(after.artifact))
            return tuple(replace(item, details=details) if item.field == "artifact" else item for item in found)
        return found

    def places(self, loaded: LoadedApplication | None = None) -> Places:
        """Return what finds the places that errors are about: in a spec, and in the project file."""
        from scurry.spec.places import Places

        return Places(project=self.project, loaded=loaded)

    def flink_version(self, asked: str) -> str:
        """Return the exact version for a series: the one that is pinned, else the newest, which is pinned then."""
        from scurry.flink.releases import is_exact

        if is_exact(asked):
            return asked
        pinned = self.lock.read().flink.get(asked)
        if pinned:
            return pinned
        with concerning("flink"):
            newest = self.runtimes.newest(asked)
        self.lock.update(lambda lock: lock.with_flink(asked, newest))
        return newest

    def _config(self, loaded: LoadedApplication, flink_version: str) -> tuple[Mapping[str, Text], tuple[str, ...]]:
        from scurry.engine.flink_options import prepare_config
        from scurry.model.errors import Problem

        prepared = prepare_config(loaded.application.config, flink_version=flink_version)
        if prepared.problems:
            raise SpecInvalid(
                tuple(
                    Problem(
                        message=problem.message,
                        hint=problem.hint,
                        place=loaded.place("config", problem.key, of_key=True),
                    )
                    for problem in prepared.problems
                )
            )
        return prepared.config, prepared.notes

    @property
    def _journal_path(self) -> Path:
        place = self.project.journal
        return self.project.root / ((place and place.path) or f"{DIRECTORY}/journal.db")

    @cached_property
    def _journal_address(self) -> Address | None:
        place = self.project.journal
        if place is None or place.url is None:
            return None
        try:
            from scurry.journal.postgres_server import Address
        except ImportError as error:
            raise MissingExtra("postgres", purpose="a journal on PostgreSQL") from error
        with concerning("journal", in_project=True):
            password = None if place.password is None else self.secrets.resolve(place.password)
            return Address.read(self.secrets.resolve(place.url), password=password)

    def _open_journal(self, *, read_only: bool) -> SqlJournal:
        address = self._journal_address
        if address is None:
            from scurry.journal.sqlite import SqliteJournal

            return SqliteJournal.open(self._journal_path, clock=self._clock, read_only=read_only)
        from scurry.journal.postgres import PostgresJournal

        with concerning("journal", in_project=True):
            return PostgresJournal.open(address, clock=self._clock, read_only=read_only)
