"""Settings that are the service's, over what code sets; on a Flink of the second series, whose metrics differ, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.emulator.forced import forced
from scurry.flink.releases import EARLIEST
from scurry.flink.runtimes import Runtimes
from tests.emulator.clients import Clients, is_laid_over
from tests.emulator.test_lifecycle import change, configuration, counted, error_of
from tests.emulator.test_metrics import newest, of, rises
from tests.flink.local_flink import until
from tests.targets.probe import jar_of

CHECKPOINTING = {"CheckpointingEnabled": True, "CheckpointInterval": 60000, "MinPauseBetweenCheckpoints": 5000}


@pytest.mark.flink
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_code_that_sets_what_is_the_services_does_not_start_on_flink_2(
    name: str, clients: Clients, runtimes: Runtimes, counts: Path
) -> None:
    jar = jar_of(Path(__file__).parent / "java" / "Managed.java", runtimes, runtimes.newest("2.3"))
    clients.create(name, runtime="FLINK-2_3", **configuration(clients, jar, counts, set="interval"))
    refused = clients.start(name)
    assert refused["OperationStatus"] == "FAILED"
    assert "Not allowed configuration change(s) were detected" in error_of(refused)
    assert clients.status(name) == "READY"

    clients.update(name, **change(counts))
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    counted(counts, beyond=20)
    until(lambda: rises(clients, name, "runningTime"), "the metrics of Flink 2.2 and later are told")
    assert newest(clients, "numRestarts", of(name)) == 0
    assert newest(clients, "fullRestarts", of(name)) is None, "it is gone"
    clients.remove(name)


@pytest.mark.flink
@pytest.mark.network
@pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none")
def test_an_application_of_the_oldest_runtime_is_brought_to_a_newer_one_with_its_state(
    name: str, clients: Clients, runtimes: Runtimes, counts: Path
) -> None:
    oldest = runtimes.since(EARLIEST)
    jar = jar_of(Path(__file__).parent / "java" / "Earlier.java", oldest, oldest.newest("1.15"))
    clients.create(name, runtime="FLINK-1_15", **configuration(clients, jar, counts))
    assert clients.start(name)["OperationStatus"] == "SUCCESSFUL"
    until(lambda: rises(clients, name, "lastCheckpointSize"), "checkpoints are those of the configuration")
    before = counted(counts, beyond=20)[-1]
    updated = clients.update(name, RuntimeEnvironmentUpdate="FLINK-1_20")
    assert updated["OperationStatus"] == "SUCCESSFUL"
    found = counted(counts, beyond=before + 40)
    assert found == sorted(found), "it never began anew"
    version = clients.detail(name)["ApplicationVersionId"]
    clients.service.rollback_application(ApplicationName=name, CurrentApplicationVersionId=version)
    until(lambda: clients.status(name) == "RUNNING", "it is back on the old one")
    assert clients.detail(name)["RuntimeEnvironment"] == "FLINK-1_15"
    clients.remove(name)


def test_the_oldest_runtime_is_told_by_the_names_that_it_knows() -> None:
    found = forced("1.15.4", CHECKPOINTING)
    assert (found["state.backend"], found["restart-strategy"]) == ("rocksdb", "fixed-delay")
    assert not {"state.backend.type", "restart-strategy.type"} & set(found)


def test_checkpoints_are_the_services_and_restarts_those_of_the_flink() -> None:
    found = forced("1.20.5", CHECKPOINTING)
    assert found["execution.checkpointing.interval"] == "1 min"
    assert found["state.backend.type"] == "rocksdb"
    assert found["restart-strategy.type"] == "exponential-delay"
    assert "execution.program-config.enabled" not in found, "before 2.2 the service says nothing of what it overrides"
    assert "execution.checkpointing.interval" not in forced("1.20.5", {"CheckpointingEnabled": False})
    assert forced("1.18.1", CHECKPOINTING)["restart-strategy.type"] == "fixed-delay"
    assert forced("2.2.1", CHECKPOINTING)["execution.program-config.enabled"] == "false"
