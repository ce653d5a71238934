"""What tests of job graphs share: the program `Shop`, requests for it, and a cluster that runs the very same."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scurry.flink.connection import RestSettings
from scurry.flink.isolation import plain_environment
from scurry.flink.java_asking import Java
from scurry.flink.job_graph import GraphRequest
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.observed import JobState
from scurry.savepoints.metadata import read_metadata
from tests.flink.local_flink import small, stopped_afterwards, until
from tests.targets.probe import jar_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.flink.runtimes import Runtimes
    from scurry.model.state import JobGraph
    from scurry.savepoints.metadata import Metadata

SHOP = Path(__file__).parent / "java" / "Shop.java"


def java(runtimes: Runtimes, version: str) -> Java:
    """A Flink with its Java, and the shared cache."""
    return Java(flink=runtimes.flink(version), java=runtimes.java(version), cache=runtimes.cache)


def shop(runtimes: Runtimes, version: str, *arguments: str, **more: Any) -> GraphRequest:
    """A request for the program."""
    environment = {**plain_environment(os.environ), **more.pop("environment", {})}
    return GraphRequest(
        on=java(runtimes, version),
        jar=more.pop("jar", None) or jar_of(SHOP, runtimes, version),
        arguments=arguments,
        environment=environment,
        **more,
    )


class Cluster:
    """A small cluster of one Flink version."""

    def __init__(self, rest: FlinkRest, folder: Path) -> None:
        self._rest = rest
        self._folder = folder

    def savepoint_of(self, request: GraphRequest) -> Metadata:
        """Run what was asked about, and return what a savepoint of it holds."""
        jar = self._rest.upload(request.jar, name=request.jar.name)
        job_id = self._rest.run(
            jar,
            JarRequest(
                entry_class=request.entry,
                program_args_list=request.arguments,
                parallelism=request.parallelism,
                flink_configuration=request.config,
            ),
        )
        until(lambda: self._all_run(job_id), "all tasks run")
        location = self._savepoint(job_id)
        self._rest.cancel(job_id)
        until(lambda: JobState(self._rest.job_status(job_id).lower()).is_terminal, "the job is at its end")
        path = Path(location.removeprefix("file:")) / "_metadata"
        return read_metadata(path.read_bytes(), source=str(path))

    def _savepoint(self, job_id: str) -> str:
        trigger = self._rest.trigger_savepoint(job_id, trigger_id=uuid4().hex, directory=self._folder.as_uri())
        until(lambda: self._rest.savepoint_status(job_id, trigger).completed, "the savepoint is there")
        operation = self._rest.savepoint_status(job_id, trigger).operation
        assert operation
        assert operation.location, operation.failure_cause
        return operation.location

    def _all_run(self, job_id: str) -> bool:
        vertices = self._rest.job(job_id).vertices
        return bool(vertices) and all(vertex.status == "RUNNING" for vertex in vertices)


@contextmanager
def cluster(workspace: Path, runtimes: Runtimes, version: str) -> Iterator[Cluster]:
    """Give a cluster, which is stopped at the end."""
    with stopped_afterwards(workspace) as clusters:
        started = clusters.ensure(small(workspace, runtimes.flink(version), runtimes.java(version), slots=4))
        with FlinkRest(RestSettings(url=started.rest_url)) as rest:
            yield Cluster(rest, workspace / "savepoints")


def assert_same(graph: JobGraph, savepoint: Metadata) -> None:
    """Fail unless a graph and a savepoint are of the same operators."""
    found = {operator.id: operator for operator in graph.operators}
    held = {operator.id: operator for operator in savepoint.operators}
    assert found.keys() == held.keys()
    for id, operator in held.items():
        assert found[id].parallelism == operator.parallelism
        if found[id].max_parallelism is not None:
            assert found[id].max_parallelism == operator.max_parallelism
        if operator.uid is not None:
            assert found[id].uid == operator.uid
        if operator.name is not None:
            assert _unnumbered(found[id].name) == _unnumbered(operator.name)


def _unnumbered(name: str) -> str:
    """The planner numbers its operators by a counter of its process: `Calc[7]`."""
    return re.sub(r"\[\d+]", "", name)
