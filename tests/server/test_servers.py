"""Several servers on one journal, as processes: sharing, taking over, pausing, going in the middle of the work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.journal.conftest import journal_url, postgresql  # noqa: F401 - fixtures
from tests.server.site import Running, Site, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGETS = tuple(f"t{number}" for number in range(6))
FAST = ("--takeover", "2s")


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A project of six targets, its journal in a file or on a real PostgreSQL server."""
    project = "targets:\n" + "".join(f"  {name}: {{kind: memory}}\n" for name in TARGETS)
    if request.param == "postgresql":
        project += on_server(request.getfixturevalue("journal_url"), tmp_path)
    site = Site(tmp_path, project)
    for name in TARGETS:
        site.apply(f"on-{name}", target=name)
    yield site
    site.end()


def on_server(url: str, folder: Path) -> str:
    """Return the project's key for a journal on a server, its password in a file."""
    parts = urlsplit(url)
    (folder / "password").write_text(unquote(parts.password or ""))
    address = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    return f"journal: {{url: {address!r}, password: {{file: password}}}}\n"


def _all_are_shared_out(*servers: Running) -> None:
    """Each knows its share, and all shares together are all; a share may be nothing, as chance has it."""

    def are_shared_out() -> bool:
        shares = [server.looks_after() for server in servers]
        return None not in shares and sum(share or 0 for share in shares) == len(TARGETS)

    try:
        until(are_shared_out, "all have their share")
    except AssertionError as error:
        told = "\n--\n".join(server.told() for server in servers)
        raise AssertionError(f"{error}; told:\n{told}") from None


def _cancel_all(site: Site) -> None:
    for name in TARGETS:
        site.cancel(f"on-{name}", name)


def _all_run_once(site: Site, times: int) -> None:
    """Each runs once, from its newest state; and was repaired exactly so many times."""
    for name in TARGETS:
        until(
            lambda name=name: site.live(f"on-{name}", name) and _is_settled(site, name),  # type: ignore[misc]
            f"on-{name} runs and is settled",
        )
    for name in TARGETS:
        (job,) = site.live(f"on-{name}", name)
        history = site.history(f"on-{name}")
        assert job.restored_from == history.snapshots[0].location
        resumes = [
            record
            for record in site.open().journal.operations(f"on-{name}")
            if record.reason and type(record.operation).__name__ == "Resume"
        ]
        assert len(resumes) == times


def test_servers_share_the_targets_out_and_each_application_is_worked_on_by_one(shared: Site) -> None:
    with shared.server(*FAST) as one, shared.server(*FAST) as other:
        _all_are_shared_out(one, other)
        _cancel_all(shared)
        _all_run_once(shared, 1)
        # A repair is told when its job is healthy, which is a moment after it runs.
        until(lambda: _told_repairs(one, other) >= len(TARGETS), "each repair is told")
        assert _told_repairs(one, other) == len(TARGETS)


def _told_repairs(*servers: Running) -> int:
    return sum(len(server.events("repaired")) for server in servers)


def test_a_killed_server_is_replaced_by_the_others(shared: Site) -> None:
    with shared.server(*FAST) as one, shared.server(*FAST) as other:
        _all_are_shared_out(one, other)
        victim, left = sorted((one, other), key=lambda server: -(server.looks_after() or 0))
        victim.end(signal.SIGKILL)
        _cancel_all(shared)
        _all_run_once(shared, 1)
        assert left.looks_after() == len(TARGETS)


def test_a_server_that_ends_is_replaced_at_once(shared: Site) -> None:
    with shared.server("--takeover", "60s") as one, shared.server("--takeover", "60s") as other:
        _all_are_shared_out(one, other)
        assert one.end(signal.SIGTERM) == 0
        _cancel_all(shared)
        _all_run_once(shared, 1)


def test_a_server_that_was_paused_past_its_time_does_nothing_twice(shared: Site) -> None:
    with shared.server(*FAST) as one, shared.server(*FAST) as other:
        _all_are_shared_out(one, other)
        one.send(signal.SIGSTOP)
        _cancel_all(shared)
        until(lambda: other.looks_after() == len(TARGETS), "the other one looks after all")
        _all_run_once(shared, 1)
        one.send(signal.SIGCONT)
        _all_are_shared_out(one, other)
        _cancel_all(shared)
        _all_run_once(shared, 2)


def test_killed_in_the_middle_of_repairs_again_and_again_nothing_is_done_twice(shared: Site) -> None:
    for round_ in range(3):
        _cancel_all(shared)
        server = shared.start_server(*FAST)
        until(
            lambda round_=round_: sum(len(shared.live(f"on-{name}", name)) for name in TARGETS) > round_,  # type: ignore[misc]
            "some run again",
        )
        server.end(signal.SIGKILL)
        with shared.server(*FAST):
            for name in TARGETS:
                until(lambda name=name: _is_settled(shared, name), f"on-{name} is settled")  # type: ignore[misc]


def _is_settled(site: Site, target: str) -> bool:
    history = site.history(f"on-{target}")
    live = site.live(f"on-{target}", target)
    assert len(live) <= 1
    healthy = history.current is not None and history.current.outcome.value == "healthy"
    return history.interrupted is None and healthy and [job.id for job in live] == [history.job_id]
