"""`scurry apply` is killed as by kill -9 at every delicate moment of an upgrade; the next one has to go on from there.

What that means: one job runs, it is the new revision's, it has the state of the old one, and no record is lost or
processed twice.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from scurry.model.errors import PlanOutdated
from scurry.model.operation import Action
from scurry.model.result import ApplyOutcome
from scurry.model.snapshot import SnapshotKind
from tests.conformance.crashing import EXERCISES, Survivor, exercise, exercise_twice, survivor_on
from tests.conformance.stage import PROJECT, Ledger, Stage, is_same
from tests.flink.local_flink import stopped_afterwards

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

ALL = bool(os.environ.get("SCURRY_CRASH_POINTS"))
"""whether every operation is killed at every point (a quarter of an hour), or only the most telling ones"""
SEED = int(os.environ.get("SCURRY_CRASH_SEED", "4"))
PAIRS = 40 if ALL else 3
_TELLING = ("stop:", "submit:", "cancel:", "health:", "transaction:", "upload:in-flight")
_FIRST_OF_ROLLBACK = "1:upgrade/health:"
"""what comes before is killed in the upgrade, too"""


@pytest.fixture(scope="module")
def survivor(stage: Stage) -> Iterator[Survivor]:
    """An application that lives through all of it."""
    survivor = survivor_on(stage, "survivor")
    yield survivor
    survivor.ledger.end()


@pytest.fixture(scope="module")
def rest_survivor(stage: Stage, survivor: Survivor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    """Another one on the same cluster, of which its project knows nothing but the address."""
    cluster, folder = stage.cluster(), tmp_path_factory.mktemp("rest")
    elsewhere = Stage(folder, stage._jar)
    places = f"savepoints: {folder}/savepoints, checkpoints: {stage.folder}/.scurry/state/checkpoints"
    (folder / "scurry.yaml").write_text(f"targets: {{local: {{kind: rest, url: '{cluster.rest_url}', {places}}}}}\n")
    survivor = survivor_on(elsewhere, "rest-survivor")
    yield survivor
    survivor.ledger.verb("stop")


@pytest.fixture(scope="module")
def adaptive_survivor(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    """One on a cluster that rescales jobs in place."""
    folder = tmp_path_factory.mktemp("adaptive")
    with stopped_afterwards(folder / ".scurry"):
        elastic = Stage(folder, stage._jar)
        (folder / "scurry.yaml").write_text(
            PROJECT.replace("slots: 4", "slots: 4, config: {jobmanager.scheduler: adaptive}")
        )
        yield survivor_on(elastic, "adaptive-survivor")


def is_wanted(name: str, point: str) -> bool:
    if ALL:
        return True
    is_new = name == "upgrade" or point.startswith(("2:", _FIRST_OF_ROLLBACK))
    return is_new and any(telling in point for telling in _TELLING)


def is_killed_everywhere(survivor: Survivor, name: str) -> None:
    outcome = exercise(survivor, name, at=lambda point: is_wanted(name, point))

    print(f"{survivor.ledger.name}, {name}: killed at {len(outcome.reached)} points, missed {outcome.missed}")
    assert outcome.failed == {}
    assert len(outcome.reached) > 3 * len(outcome.missed)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [name for name, chosen in EXERCISES.items() if ALL or chosen.is_representative])
def test_what_is_killed_at_any_point_is_carried_through_by_the_next_apply(name: str, survivor: Survivor) -> None:
    is_killed_everywhere(survivor, name)


@pytest.mark.skipif(not ALL, reason="SCURRY_CRASH_POINTS=all")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", EXERCISES)
def test_on_a_cluster_that_is_only_known_by_its_address_it_is_too(name: str, rest_survivor: Survivor) -> None:
    is_killed_everywhere(rest_survivor, name)


@pytest.mark.skipif(not ALL, reason="SCURRY_CRASH_POINTS=all")
@pytest.mark.timeout(3600)
def test_a_rescale_in_place_that_is_killed_is_carried_through(adaptive_survivor: Survivor) -> None:
    is_killed_everywhere(adaptive_survivor, "scale")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["upgrade", "automatic-rollback"])
def test_what_is_killed_again_in_its_recovery_is_carried_through(name: str, survivor: Survivor) -> None:
    outcome = exercise_twice(survivor, name, seed=SEED, pairs=PAIRS)

    print(f"{name}: SCURRY_CRASH_SEED={SEED}, killed twice {outcome.reached}, once {outcome.missed}")
    assert outcome.failed == {}


def test_a_stop_that_is_still_in_progress_is_waited_for(ledger: Ledger, stage: Stage) -> None:
    first = ledger.converge("label=a", "slow-snapshot=2000")
    ledger.write("label=b")
    stage.killed_apply("1:upgrade/stop:in-flight", ledger.spec)

    second = ledger.converge("label=b")

    assert second.snapshot
    assert second.snapshot.job_id == first.job_id
    assert is_same(ledger.job().restored_from, second.snapshot.location)
    _, operations = stage.open().history(ledger.name)
    stops = [entry for record in operations for entry in record.steps if entry.step.action is Action.STOP]
    assert len(stops) == 1, "it was not stopped a second time"


@pytest.mark.parametrize("moment", ["1:upgrade/cancel:in-flight", "1:upgrade/cancel:landed"])
def test_a_killed_upgrade_by_last_state_goes_on_from_the_last_checkpoint(
    moment: str, ledger: Ledger, stage: Stage
) -> None:
    first = ledger.converge("label=a", mode="last-state")
    ledger.write("label=b", mode="last-state")
    stage.killed_apply(moment, ledger.spec)

    ledger.converge("label=b", mode="last-state")

    _, history = stage.open().observe(ledger.name)
    assert history.restored
    assert (history.restored.kind, history.restored.job_id) == (SnapshotKind.CHECKPOINT, first.job_id)
    assert is_same(ledger.job().restored_from, history.restored.location)


def test_a_job_that_nobody_knows_to_have_started_is_not_started_from_older_state(ledger: Ledger, stage: Stage) -> None:
    """Killed right after the submit; the job commits for a while; then its JobManager is killed, too."""
    ledger.converge("label=a")
    ledger.write("label=b")
    stage.killed_apply("1:upgrade/submit:landed", ledger.spec)
    ledger.goes_on()
    stage.kill("jobmanager", signal.SIGKILL)

    ledger.converge("label=b")


@pytest.mark.parametrize("moment", ["1:upgrade/stop:landed", "1:upgrade/submit:in-flight"])
def test_with_its_flink_killed_too_it_goes_on_from_what_is_left_on_the_disk(
    moment: str, ledger: Ledger, stage: Stage
) -> None:
    first = ledger.converge("label=a")
    ledger.write("label=b")
    stage.killed_apply(moment, ledger.spec)
    stage.kill("jobmanager", signal.SIGKILL)

    ledger.converge("label=b")

    job = ledger.job()
    assert job.restored_from
    _, history = stage.open().observe(ledger.name)
    assert history.restored
    if "submit" not in moment:  # its job may have started, and have a checkpoint of its own
        assert history.restored.job_id == first.job_id
    assert is_same(job.restored_from, history.restored.location)


def test_a_rollback_that_is_killed_is_carried_through(ledger: Ledger, stage: Stage) -> None:
    good = ledger.converge("label=good")
    ledger.write("label=bad", "fail=")
    stage.killed_apply("2:upgrade/cancel:landed", ledger.spec)

    again = ledger.apply("label=bad", "fail=")

    assert again.outcome is ApplyOutcome.ROLLED_BACK
    assert ledger.job().id != good.job_id
    ledger.goes_on()


def test_another_revision_after_a_killed_submit_is_the_one_that_runs(ledger: Ledger, stage: Stage) -> None:
    """The submit that was on its way comes about while the file says something else already."""
    ledger.converge("label=a")
    ledger.write("label=b", "slow-main=4000")
    stage.killed_apply("1:upgrade/submit:in-flight", ledger.spec)

    with pytest.raises(PlanOutdated, match="come about only now"):
        ledger.apply("label=c", parallelism=2)
    ledger.goes_on()
    assert ledger.job().parallelism == 1

    ledger.converge("label=c", parallelism=2)
    assert ledger.job().parallelism == 2
    ledger.verb("stop")
    ledger.check()
