"""From a wish to the job graph that it will run, the same for every target: nothing is uploaded and nothing started.

What is asked is what the REST target would submit, with the cluster's options under the application's; but it runs
apart (`flink/job_graph.py`), and its properties are in a file of its own there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scurry.flink.java_asking import FILES, Java
from scurry.flink.job_graph import TIME_LIMIT_S, Asked, GraphRequest, job_graph
from scurry.targets.rest.delivery import PROPERTIES_FILE, Delivery, delivered_at, properties_content
from scurry.targets.rest.delivery import DeliveredProperties as Properties
from scurry.targets.rest.program import make_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scurry.flink.job_graph import ReadType
    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Desired
    from scurry.model.ports import ArtifactStore, Secrets
    from scurry.model.reporting import Reporter
    from scurry.targets.rest.delivery import DeliveredPython
    from scurry.targets.rest.program import Resolving

_OF_THE_CLUSTER = (
    *("jobmanager.", "taskmanager.", "rest.", "web.", "metrics.", "env.", "blob.", "heartbeat.", "security."),
    *("high-availability", "cluster.", "akka.", "pekko.", "io.tmp.dirs", "process.", "kubernetes.", "yarn."),
)
"""options of a cluster's processes, which say nothing about a job"""
SERVICE_PROPERTIES = "service-properties.json"
"""what `fence_process.py` lays over `/etc`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a wish's graph is asked with."""

    secrets: Secrets
    artifacts: ArtifactStore
    runtimes: Runtimes
    reporter: Reporter
    cluster: Mapping[str, str] = field(default_factory=dict, repr=False)
    """options of the cluster that it will run on"""
    read_type: ReadType | None = None
    as_known: bool = False
    """as the program answered when it was last asked, if it ever was"""
    timeout_s: float = TIME_LIMIT_S
    network: bool = False
    of_service: bool = False
    """its properties are where Amazon's managed service has them, if this machine allows that"""


def graph_request(desired: Desired, asking: Asking) -> GraphRequest:
    """Return what the wish's program is asked. Raises `ArtifactError`, `SecretMissing`, `RuntimeUnavailable`."""
    runtimes = asking.runtimes
    delivery = _Apart(runtimes=runtimes, reporter=asking.reporter, of_service=asking.of_service)
    program = make_program(desired, secrets=asking.secrets, artifacts=asking.artifacts, delivery=delivery)
    below = {key: value for key, value in asking.cluster.items() if not key.startswith(_OF_THE_CLUSTER)}
    request = program.request
    return GraphRequest(
        on=Java(
            flink=runtimes.flink(desired.flink_version),
            java=runtimes.java(desired.flink_version),
            cache=runtimes.cache,
            reporter=asking.reporter,
        ),
        jar=program.jar,
        jar_digest=program.jar_name,
        entry=request.entry_class,
        arguments=request.program_args_list or (),
        parallelism=desired.parallelism,
        config={**below, **(request.flink_configuration or {})},
        files=delivery.files,
        conceal=program.conceal,
        timeout_s=asking.timeout_s,
        network=asking.network,
    )


def wished_graph(desired: Desired, asking: Asking) -> Asked:
    """Return the job graph of a wish. Raises `ProgramFailed`, and what `graph_request` raises."""
    return job_graph(graph_request(desired, asking), read_type=asking.read_type, as_known=asking.as_known)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apart:
    """Brings properties to the enclosure in which the program is asked, and Python code to the cache."""

    runtimes: Runtimes
    reporter: Reporter
    of_service: bool = False
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    def properties(self, desired: Desired, resolve: Resolving) -> Properties:
        if not desired.properties:
            return Properties()
        self.files[PROPERTIES_FILE] = properties_content(desired, resolve)
        if self.of_service:
            self.files[SERVICE_PROPERTIES] = self.files[PROPERTIES_FILE]
        return delivered_at(f"{FILES}/{PROPERTIES_FILE}", desired, resolve)

    def python(self, desired: Desired, archive: Path) -> DeliveredPython:
        cached = self.runtimes.cache / "job-graphs"
        delivery = Delivery(target=desired.target, shared=cached, runtimes=self.runtimes, reporter=self.reporter)
        return delivery.python(desired, archive)
