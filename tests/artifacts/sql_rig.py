"""A real Flink that runs packaged SQL scripts: submit, feed, read what `print` tables print, stop with a savepoint."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, TypeVar

from scurry.artifacts.jar_package import package_jar
from scurry.artifacts.sql_package import package_sql
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.errors import RejectedByTarget
from tests.artifacts.scripts import script_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scurry.artifacts.store import ArtifactStore
    from scurry.flink.cluster import RunningCluster

T = TypeVar("T")

PATIENCE_S = 60.0
_ENDED = ("FAILED", "CANCELED", "FINISHED")


class SqlRig:
    """One cluster for the tests of one Flink version; each test has a folder of its own."""

    def __init__(
        self, cluster: RunningCluster, rest: FlinkRest, *, runner: Path, store: ArtifactStore, folder: Path
    ) -> None:
        self._cluster = cluster
        self.rest = rest
        self._runner = runner
        self._store = store
        self.folder = folder
        self.tag = secrets.token_hex(4)

    def upload(self, sql: str, connectors: Sequence[Path] = ()) -> str:
        """Package a script and upload its jar. `{folder}` and `{tag}` in it are this test's."""
        text = sql.replace("{folder}", str(self.folder)).replace("{tag}", self.tag)
        artifact = package_sql(script_of(text), connectors=connectors, runner=self._runner, store=self._store)
        return self.rest.upload(self._store.path(artifact), name="app.jar")

    def upload_nested(self, sql: str, connectors: Sequence[Path]) -> str:
        """The same with the connectors as jars in the jar."""
        plain = package_sql(script_of(sql), connectors=(), runner=self._runner, store=self._store)
        artifact = package_jar(self._store.path(plain), connectors=connectors, store=self._store)
        return self.rest.upload(self._store.path(artifact), name="app.jar")

    def run(
        self,
        sql: str,
        *,
        savepoint: str | None = None,
        secrets: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        allow_non_restored_state: bool = False,
    ) -> str:
        """Run a script and wait until its job runs or has ended."""
        return self.start(
            self.upload(sql),
            savepoint=savepoint,
            secrets=secrets,
            config=config,
            allow_non_restored_state=allow_non_restored_state,
        )

    def start(
        self,
        jar: str,
        *,
        savepoint: str | None = None,
        secrets: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        allow_non_restored_state: bool = False,
    ) -> str:
        """Run an uploaded jar and wait until its job runs or has ended."""
        args = [part for name, value in (secrets or {}).items() for part in ("--secret", f"{name}={value}")]
        job = self.rest.run(
            jar,
            JarRequest(
                program_args_list=tuple(args),
                savepoint_path=savepoint,
                allow_non_restored_state=allow_non_restored_state,
                flink_configuration=config or {},
            ),
        )
        self.wait_for_state(job, "RUNNING", "FINISHED")
        return job

    def refused(self, sql: str, *, savepoint: str) -> str:
        """Run a script from a savepoint that does not fit; return why the job failed."""
        request = JarRequest(savepoint_path=savepoint)
        try:
            job = self.rest.run(self.upload(sql), request)
        except RejectedByTarget as error:
            return error.cause
        self.wait_for_state(job, "FAILED")
        return "".join(entry.stacktrace for entry in self.rest.exceptions(job))

    def wait_for_state(self, job: str, *states: str) -> str:
        """Wait until a job is in one of the states; fails when it ends in another."""

        def reached() -> str | None:
            state = self.rest.job_status(job)
            if state in _ENDED and state not in states:
                causes = [entry.stacktrace for entry in self.rest.exceptions(job)]
                raise AssertionError(f"the job is {state}: {causes}")
            return state if state in states else None

        return wait_for(reached, f"job to become {states}")

    def stop(self, job: str) -> str:
        """Stop a job with a savepoint and return where that is."""
        # A task may print before the JobManager knows that it runs, and then no savepoint can be taken yet.
        wait_for(
            lambda: all(vertex.status == "RUNNING" for vertex in self.rest.job(job).vertices) or None,
            "running vertices",
        )
        trigger = secrets.token_hex(16)
        self.rest.stop(job, trigger_id=trigger, directory=str(self.folder / "savepoints"), drain=False)

        def location() -> str | None:
            answer = self.rest.savepoint_status(job, trigger)
            if not answer.completed:
                return None
            assert answer.operation is not None
            assert answer.operation.location, answer.operation
            return answer.operation.location

        found = wait_for(location, "savepoint")
        self.wait_for_state(job, "FINISHED")
        return found

    def feed(self, name: str, *lines: str, into: str = "in") -> None:
        """Put a file into the folder that a table watches; it appears at once, whole."""
        watched = self.folder / into
        watched.mkdir(exist_ok=True)
        hidden = watched / f".{name}"
        hidden.write_text("".join(f"{line}\n" for line in lines))
        hidden.rename(watched / name)

    def printed(self, identifier: str) -> list[str]:
        """What the `print` tables with this identifier printed so far, on all TaskManagers, in order of the log."""
        found = []
        for log in sorted(self._cluster.log_directory.glob("*.out")):
            for line in log.read_text(errors="replace").splitlines():
                if match := re.fullmatch(rf"{identifier}-{self.tag}(?::\d+)?> (.*)", line):
                    found.append(match[1])
        return found

    def output(self) -> str:
        """All that the TaskManagers printed."""
        return "".join(log.read_text(errors="replace") for log in self._cluster.log_directory.glob("*.out"))

    def logs(self) -> str:
        """All that JobManager and TaskManagers logged."""
        return "".join(log.read_text(errors="replace") for log in self._cluster.log_directory.glob("*.log"))

    def wait_until_printed(self, identifier: str, row: str) -> None:
        """Wait for a row."""
        wait_for(lambda: row in self.printed(identifier) or None, lambda: f"{row} among {self.printed(identifier)}")


def wait_for(look: Callable[[], T | None], what: str | Callable[[], str]) -> T:
    """Look again and again until there is something, at most PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what if isinstance(what, str) else what()} within {PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return found
