"""What a real Flink does when a changed program takes over old state: one savepoint, and a restore for each change."""

from __future__ import annotations

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from scurry.flink.connection import RestSettings
from scurry.flink.java_asking import Java
from scurry.flink.job_graph import GraphRequest
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.flink.state_probe import OldHeads
from scurry.savepoints.handles import FileStream, IncrementalHandle, InlineStream, KeyGroupsHandle, plain
from scurry.savepoints.metadata import read_metadata
from tests.flink.local_flink import PATIENCE_S
from tests.targets.probe import jar_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scurry.flink.cluster import RunningCluster
    from scurry.flink.runtimes import Runtimes
    from scurry.savepoints.handles import Stream

SLOTS = 8
"""of the cluster"""
_MARK = re.compile(r"//\s*(1\.x|2\.x)?\s*(old|new)?\s*$")
_ENDED = ("FAILED", "CANCELED", "FINISHED")


def program(source: Path, runtimes: Runtimes, version: str, *, age: str, into: Path) -> Path:
    """Return the jar of a program as it was (`old`) or as it became (`new`), by the marks at the ends of its lines."""
    series = f"{version.split('.', maxsplit=1)[0]}.x"
    lines = [line for line in source.read_text().splitlines() if _belongs(line, series, age)]
    folder = into / f"{source.stem}-{version}-{age}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / source.name).write_text("\n".join(lines) + "\n")
    return jar_of(folder / source.name, runtimes, version)


def _belongs(line: str, series: str, age: str) -> bool:
    mark = _MARK.search(line)
    return mark is None or (mark[1] in (None, series) and mark[2] in (None, age))


def request(
    runtimes: Runtimes, version: str, jar: Path, *arguments: str, config: Mapping[str, str] | None = None
) -> GraphRequest:
    """Return what the probe is asked about."""
    on = Java(flink=runtimes.flink(version), java=runtimes.java(version), cache=runtimes.cache)
    return GraphRequest(on=on, jar=jar, arguments=arguments, config=config or {})


def heads_of(savepoint: Path) -> dict[str, OldHeads]:
    """Return the old heads by operator, cut by scurry's own reader."""
    found = {}
    for operator in read_metadata((savepoint / "_metadata").read_bytes()).operators:
        keyed, not_keyed = [], []
        for subtask in operator.subtasks:
            match subtask.keyed:
                case KeyGroupsHandle(stream=stream) | IncrementalHandle(meta=stream):
                    keyed.append(_content(stream, savepoint))
                case _:
                    pass
            if subtask.operator is not None:
                not_keyed.append(_content(subtask.operator.stream, savepoint))
        found[operator.id] = OldHeads(operator=operator.id, keyed=tuple(keyed), not_keyed=tuple(not_keyed))
    return found


def _content(stream: Stream | None, savepoint: Path) -> bytes:
    match plain(stream):
        case InlineStream(content=content):
            return bytes(content)
        case FileStream(path=path):
            return (savepoint / path).read_bytes()
        case other:
            raise AssertionError(other)


class Restores:
    """Runs the old program, and restores what became of it."""

    def __init__(self, cluster: RunningCluster, directory: Path, *, backend: str) -> None:
        self._rest = FlinkRest(RestSettings(url=cluster.rest_url))
        self._directory = directory
        self._config = {
            "state.backend.type": backend,
            "restart-strategy.type": "none",
            "execution.checkpointing.interval": "1 h",
        }

    def close(self) -> None:
        self._rest.close()

    def savepoint(
        self, jar: Path, *arguments: str, config: Mapping[str, str] | None = None, format: str = "CANONICAL"
    ) -> Path:
        """Run a program until every task of it does, and stop it with a savepoint."""
        job = self._run(self._rest.upload(jar, name=jar.name), arguments, config=config)
        assert self._outcome(job) is None, self._outcome(job)
        trigger = secrets.token_hex(16)
        self._rest.stop(job, trigger_id=trigger, directory=str(self._directory), format=format, drain=False)
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._rest.savepoint_status(job, trigger)).status.id != "COMPLETED":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answer.operation
        assert answer.operation.location, answer.operation.failure_cause
        return self._directory / answer.operation.location.rpartition("/")[2]

    def outcomes(self, jar: Path, savepoint: Path, names: Iterable[str]) -> dict[str, str | None]:
        """Restore each of the named parts of a program; return why Flink failed it, or None."""
        jar_id = self._rest.upload(jar, name=jar.name)
        # No more at a time than there are slots: a job that waits for one holds up nobody.
        with ThreadPoolExecutor(SLOTS) as several:
            ended = several.map(lambda name: (name, self._ended(self._run(jar_id, (name,), savepoint))), names)
            return dict(ended)

    def outcome(
        self, jar: Path, savepoint: Path, *arguments: str, config: Mapping[str, str] | None = None
    ) -> str | None:
        """Restore a program; return why Flink failed it, or None."""
        return self._ended(self._run(self._rest.upload(jar, name=jar.name), arguments, savepoint, config=config))

    def _run(
        self,
        jar_id: str,
        arguments: tuple[str, ...],
        savepoint: Path | None = None,
        *,
        config: Mapping[str, str] | None = None,
    ) -> str:
        request = JarRequest(
            program_args_list=arguments,
            savepoint_path=str(savepoint) if savepoint else None,
            allow_non_restored_state=True if savepoint else None,
            flink_configuration={**self._config, **(config or {})},
        )
        return self._rest.run(jar_id, request)

    def _ended(self, job: str) -> str | None:
        outcome = self._outcome(job)
        if outcome is None:
            self._rest.cancel(job)
        return outcome

    def _outcome(self, job: str) -> str | None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            detail = self._rest.job(job)
            if detail.state in _ENDED:
                return self._rest.exceptions(job)[0].stacktrace
            if detail.state == "RUNNING" and all(vertex.status == "RUNNING" for vertex in detail.vertices):
                return None
            assert time.monotonic() < deadline, (detail.state, {each.name: each.status for each in detail.vertices})
            time.sleep(0.05)
