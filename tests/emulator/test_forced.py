"""Settings that are the service's, over what code sets; on a Flink of the second series, whose metrics differ, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from scurry.emulator.forced import forced
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


def test_checkpoints_are_the_services_and_restarts_those_of_the_flink() -> None:
    found = forced("1.20.5", CHECKPOINTING)
    assert found["execution.checkpointing.interval"] == "1 min"
    assert found["state.backend.type"] == "rocksdb"
    assert found["restart-strategy.type"] == "exponential-delay"
    assert "execution.program-config.enabled" not in found, "before 2.2 the service says nothing of what it overrides"
    assert "execution.checkpointing.interval" not in forced("1.20.5", {"CheckpointingEnabled": False})
    assert forced("1.18.1", CHECKPOINTING)["restart-strategy.type"] == "fixed-delay"
    assert forced("2.2.1", CHECKPOINTING)["execution.program-config.enabled"] == "false"
