"""The server outlives its database: PostgreSQL killed and started again, and nothing is lost or done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

from tests.journal.postgresql import PostgreSql
from tests.server.site import Site, until
from tests.server.test_servers import on_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSql]:
    """A server that nobody else uses."""
    with PostgreSql.running() as server:
        yield server


def test_a_server_goes_on_when_its_journal_comes_back(own_postgresql: PostgreSql, tmp_path: Path) -> None:
    url = own_postgresql.url(own_postgresql.new_database())
    site = Site(tmp_path, f"target: mem\ntargets:\n  mem: {{kind: memory}}\n{on_server(url, tmp_path)}")
    site.apply()
    site.close()
    pool = urllib3.PoolManager(retries=False)
    with site.server("--takeover", "3s") as server:
        site.until_ready(server.address())
        own_postgresql.kill()
        site.cancel()
        until(lambda: any(line["level"] == "error" for line in server.lines), "the outage is told")
        assert pool.request("GET", f"{server.address()}/healthz").status == 200
        assert server.process.poll() is None
        until(lambda: pool.request("GET", f"{server.address()}/readyz").status == 503, "it says that it is not ready")
        own_postgresql.start()
        server.await_event("repaired", "shop")
        pool.clear()
    (job,) = site.live()
    assert job.id == site.history().job_id
    site.end()
