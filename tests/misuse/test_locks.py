"""Two commands that change one application at once: one waits or is told by whom and since when; nobody is hurt."""

from __future__ import annotations

import re
import signal
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.misuse.shop import Finished, finished, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.misuse.shop import Shop

SLOW = "config: {memory.behaviour: never-checkpoints}\nupgrade: {health: {checkpoints: 1, window: 10min}}\n"
"""a job that is waited for until somebody interrupts"""


@contextmanager
def at_it(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """Somebody applies a change, and waits for its health."""
    before = shop.running()
    shop.add(SLOW)
    process = shop.start("apply", "orders.yaml", "--yes")
    try:
        wait_until(lambda: set(shop.running()) - set(before), "the new job runs")
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> Finished:
    process.send_signal(signal.SIGINT)
    return finished(process)


def test_the_second_is_told_who_is_at_it_and_since_when(shop: Shop) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    with at_it(shop) as first:
        for command in (
            ("apply", "orders.yaml", "--yes"),
            ("stop", "orders", "--yes"),
            ("scale", "orders", "5", "--yes"),
        ):
            refusal = shop.refused(*command)
            assert refusal.code == "application-locked"
            assert f"pid {first.pid}" in refusal.error["owner"]
            assert refusal.error["owner"] in refusal.message
            since = datetime.strptime(refusal.error["since"], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
            assert begun - timedelta(seconds=1) <= since <= datetime.now(UTC)
            assert refusal.error["since"] in refusal.message
            assert "--wait" in refusal.hint
        assert shop.done("status", "--json").document["applications"][0]["phase"] == "running"
        refusal = shop.refused("plan", "orders.yaml")
        assert "Plan again" in refusal.hint


def test_who_waits_goes_on_when_the_first_has_ended(shop: Shop) -> None:
    with at_it(shop) as first:
        shop.change("never-checkpoints", "fine")
        second = shop.start("apply", "orders.yaml", "--yes", "--wait", "100s", "--json", "--verbose")
        assert second.stderr is not None
        told = second.stderr.readline()
        assert re.search(rf"wait for \S+ pid {first.pid}, at it since \d{{4}}-", told), told
        assert interrupt(first).code == 130
        result = finished(second)
    assert result.code == 0, result.err
    (applied,) = result.document["applications"]
    assert applied["outcome"] == "converged"
    assert len(shop.running()) == 1


def test_who_waits_in_vain_is_told_after_that_time(shop: Shop) -> None:
    with at_it(shop):
        refusal = shop.refused("apply", "orders.yaml", "--yes", "--wait", "1s")
        assert refusal.code == "application-locked"


def test_a_holder_that_was_killed_holds_nothing(shop: Shop) -> None:
    with at_it(shop) as first:
        first.kill()
        first.wait()
        shop.change("never-checkpoints", "fine")
        shop.done("apply", "orders.yaml", "--yes")
    assert len(shop.running()) == 1


def test_a_holder_on_another_machine_is_believed_until_its_lease_ends(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    now = datetime.now(UTC)
    for until, code in ((now + timedelta(hours=1), 1), (now - timedelta(seconds=1), 0)):
        with closing(sqlite3.connect(shop.path(".scurry/journal.db"))) as journal, journal:
            journal.execute(
                "UPDATE application SET lease_owner = 'anna@elsewhere pid 7', lease_host = 'elsewhere', lease_pid = 7,"
                " lease_acquired_at = ?, lease_expires_at = ?",
                tuple(f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" for time in (now - timedelta(hours=2), until)),
            )
        result = shop.run("apply", "orders.yaml", "--yes")
        assert result.code == code, result.err
        assert code == 0 or "anna@elsewhere pid 7" in result.err


def test_several_at_once_leave_one_job_and_a_whole_journal(shop: Shop) -> None:
    for number in range(3):
        spec = shop.path("orders.yaml").read_text().replace("parallelism: 2", f"parallelism: {number + 3}")
        shop.write(f"{number}.yaml", spec)
    together = [shop.start("apply", f"{number}.yaml", "--yes", "--wait", "100s") for number in range(3)]
    assert [finished(process).code for process in together] == [0, 0, 0]
    assert len(shop.running()) == 1
    shop.done("journal", "check")
