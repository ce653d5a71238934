"""What a rollback costs by default when Flink, not the revision, was at fault: output twice, and that is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scurry.model.result import ApplyOutcome
from tests.faults.cases import killed
from tests.faults.ground import ground

if TYPE_CHECKING:
    from scurry.flink.runtimes import Runtimes

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]


def test_a_rollback_to_the_stop_loses_nothing_and_tells_what_may_be_there_twice(
    tmp_path: Path, runtimes: Runtimes
) -> None:
    """`rollback_from: stop`, decision 9. The JobManager dies after the new job has committed output of its own."""
    with ground(tmp_path, runtimes, rollback_from="stop") as site:
        site.change(window="8s")
        site.proxy.arm(*killed("jobmanager", "after its first checkpoint").rules(site))
        applied = site.apply()
        site.proxy.arm()
        site.restored()
        assert applied.outcome is ApplyOutcome.ROLLED_BACK
        assert applied.error
        assert "may be there twice" in applied.error.message
        site.converge()
        with pytest.raises(AssertionError, match="are there more than once"):
            site.judge()
        assert (site.tally.lost, site.tally.wrong) == (0, [])
