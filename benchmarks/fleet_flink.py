"""Many pretended Flink clusters in one process: a small real HTTP server that speaks as much of Flink's REST as needed.

Each cluster is a path, `/c17/jobs/overview`, as behind a proxy. It remembers when each was surveyed; jobs can vanish.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CREATED_MS = 1_700_000_000_000
TASKS = {
    "total": 4,
    "created": 0,
    "scheduled": 0,
    "deploying": 0,
    "running": 4,
    "finished": 0,
    "canceling": 0,
    "canceled": 0,
    "failed": 0,
    "reconciling": 0,
    "initializing": 0,
}


def job_id(cluster: int, number: int) -> str:
    """Return the id of a cluster's job."""
    return f"{cluster:016x}{number:016x}"


def name(cluster: int, number: int) -> str:
    """Return the name of the application that it is."""
    return f"app-{cluster}-{number}"


class Cluster:
    """What one cluster shows."""

    def __init__(self, number: int, jobs: int) -> None:
        self.jobs = {job_id(number, index): name(number, index) for index in range(jobs)}
        self.surveyed: list[float] = []
        self.asked_since: dict[str, int] = {}
        self._overview = b""

    def overview(self) -> bytes:
        """Return `/jobs/overview`."""
        self.surveyed.append(time.time())
        if not self._overview:
            jobs = [_summary(id, title) for id, title in self.jobs.items()]
            self._overview = json.dumps({"jobs": jobs}).encode()
        return self._overview

    def vanish(self, id: str) -> float:
        """Forget a job. Returns the time."""
        self.jobs.pop(id, None)
        self._overview = b""
        return time.time()


def _summary(id: str, title: str) -> dict[str, Any]:
    return {
        "jid": id,
        "name": title,
        "state": "RUNNING",
        "start-time": CREATED_MS,
        "end-time": -1,
        "duration": 100_000_000,
        "last-modification": CREATED_MS + 5000,
        "tasks": TASKS,
    }


def _detail(id: str, title: str) -> dict[str, Any]:
    vertices = [
        {"id": f"{index:032x}", "name": "map", "parallelism": 2, "status": "RUNNING", "tasks": {"RUNNING": 2}}
        for index in range(2)
    ]
    return {**_summary(id, title), "now": CREATED_MS, "vertices": vertices}


class Fleet:
    """All clusters, and what is answered."""

    def __init__(self, clusters: int, jobs: int) -> None:
        self.clusters = [Cluster(number, jobs) for number in range(clusters)]
        self.requests = 0

    def answer(self, path: str) -> bytes | None:
        """Return the body of an answer; None: there is no such thing."""
        self.requests += 1
        _, first, *rest = path.partition("?")[0].split("/")
        if first == "control":
            return self._control(*rest)
        cluster = self.clusters[int(first[1:])]
        if rest == ["jobs", "overview"]:
            return cluster.overview()
        return _other(cluster, rest)

    def _control(self, what: str, *rest: str) -> bytes:
        if what == "vanish":
            return json.dumps(self.clusters[int(rest[0])].vanish(rest[1])).encode()
        surveys = [cluster.surveyed for cluster in self.clusters]
        return json.dumps({"surveys": surveys, "requests": self.requests}).encode()


def _other(cluster: Cluster, rest: list[str]) -> bytes | None:
    match rest:
        case ["overview"]:
            found: Any = {"flink-version": "2.3.0", "taskmanagers": 1, "slots-total": 99, "slots-available": 50}
        case ["config"]:
            found = {"flink-version": "2.3.0", "refresh-interval": 3000}
        case ["jobs", id] if id in cluster.jobs:
            found = _detail(id, cluster.jobs[id])
        case ["jobs", id, "exceptions"] if id in cluster.jobs:
            found = {"exceptionHistory": {"entries": [], "truncated": False}}
        case ["jobmanager", "config"] | ["jobs", _, "metrics"]:
            found = []
        case _:
            return None
    return json.dumps(found).encode()


class Speaks(asyncio.Protocol):
    """HTTP/1.1 with connections that are kept; bodies of requests are not looked at."""

    def __init__(self, answer: Callable[[str], bytes | None]) -> None:
        self._answer = answer
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while b"\r\n\r\n" in self._pending:
            head, _, self._pending = self._pending.partition(b"\r\n\r\n")
            body = self._answer(head.split(b" ", 2)[1].decode())
            status = b"200 OK" if body is not None else b"404 Not Found"
            body = b'{"errors": ["not found"]}' if body is None else body
            self._transport.write(  # type: ignore[attr-defined]
                b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (status, len(body), body)
            )


async def _serve(clusters: int, jobs: int) -> None:
    fleet = Fleet(clusters, jobs)
    server = await asyncio.get_running_loop().create_server(lambda: Speaks(fleet.answer), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
