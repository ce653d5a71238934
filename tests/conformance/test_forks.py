"""Forks and rehearsals on a real Flink: they start from the copied state, and leave the original as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scurry.forking import Asked, carry_out, plan_fork
from scurry.model.errors import Refused
from scurry.model.result import ApplyOutcome
from scurry.rehearsing import Rehearsed, plan_rehearsal, rehearse
from tests.conformance.ledger import SCRIPT, check, committed, sum_of
from tests.conformance.stage import VERSION, Ledger, is_same
from tests.flink.local_flink import until

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

IN_FILES = "execution.checkpointing.data-inline-threshold: 0b"
SQL = """\
name: {name}
flink: "{version}"
code: {{sql: {name}.sql}}
variables: {{out: '{out}', rate: {rate}, end: 100000}}
config: {{execution.checkpointing.interval: 300ms}}
upgrade: {{health: {{window: 60s}}}}
"""


def asked(ledger: Ledger, name: str, snapshot: str = "latest") -> Asked:
    return Asked(application=ledger.name, snapshot=snapshot, name=f"{ledger.name}-{name}", target="local")


def rehearsed(ledger: Ledger, snapshot: str) -> Rehearsed:
    workspace = ledger.stage.open()
    wanted = replace(asked(ledger, "try", snapshot), with_sinks=True)
    return rehearse(workspace, plan_rehearsal(workspace, wanted, ledger.spec))


def copies(ledger: Ledger) -> list[Path]:
    return list((ledger.stage.folder / ".scurry" / "forks").glob(f"fork-{ledger.name}-*"))


def live_jobs(ledger: Ledger) -> list[str]:
    jobs = ledger.stage.open().target("local").survey().values()
    return sorted(job.name for job in jobs if not job.state.is_terminal and job.name.startswith(ledger.name))


def nothing_is_left(ledger: Ledger) -> None:
    assert live_jobs(ledger) == [ledger.name]
    assert copies(ledger) == []
    assert f"{ledger.name}-try" not in ledger.stage.open().journal.applications()


def test_a_fork_goes_on_from_a_copy_and_the_original_goes_on_as_it_was(ledger: Ledger) -> None:
    first = ledger.converge(config=IN_FILES)
    ledger.write(config=IN_FILES)
    workspace = ledger.stage.open()
    forked = carry_out(workspace, plan_fork(workspace, asked(ledger, "fork")))
    try:
        assert forked.outcome is ApplyOutcome.CONVERGED, forked
        assert ledger.job().id == first.job_id
        observed, _ = ledger.stage.open().observe(f"{ledger.name}-fork")
        assert observed.live
        (copy,) = copies(ledger)
        assert is_same(observed.live.restored_from, str(copy)) or is_same(observed.live.restored_from, f"file:{copy}")
    finally:
        ledger.stage.open().delete(f"{ledger.name}-fork", snapshot=False, confirm=lambda plan: True)
    assert live_jobs(ledger) == [ledger.name]
    assert ledger.stage.open().status(ledger.name)[0].revision == 1


def test_a_jar_is_not_rehearsed_into_the_folder_that_the_state_of_its_sink_names(ledger: Ledger) -> None:
    ledger.converge()
    saved = ledger.verb("take_snapshot").snapshot
    assert saved
    ledger.write(f"out={ledger.stage.folder}/elsewhere")
    workspace = ledger.stage.open()
    with pytest.raises(Refused, match="would write to the sinks of its program") as caught:
        plan_rehearsal(workspace, asked(ledger, "try", saved.location), ledger.spec)
    assert "wrote is in the state, and it goes on there" in (caught.value.hint or "")
    assert "--with-sinks" in (caught.value.hint or "")
    nothing_is_left(ledger)
    ledger.goes_on()


def test_a_new_version_that_is_well_is_found_so_and_leaves_nothing(ledger: Ledger) -> None:
    # It writes to the original's folder, whatever its arguments say: the state of a file sink names the folder. So
    # the output is no ledger any more.
    first = ledger.converge()
    saved = ledger.verb("take_snapshot").snapshot
    assert saved
    ledger.write(build=1, health="{window: 60s, hold: 3s}")
    found = rehearsed(ledger, saved.location)
    assert (found.healthy, found.left) == (True, ()), found
    assert ledger.job().id == first.job_id
    nothing_is_left(ledger)
    last = ledger.last()
    until(lambda: ledger.last() > last, "the original goes on")


def test_a_new_version_that_is_not_well_is_told_with_its_diagnosis(ledger: Ledger) -> None:
    first = ledger.converge()
    ledger.write("fail=", f"out={ledger.stage.folder}/elsewhere")
    found = rehearsed(ledger, "latest")
    assert not found.healthy
    assert "told to fail at number" in found.reason
    assert found.diagnosis
    assert found.diagnosis.findings
    assert ledger.job().id == first.job_id
    nothing_is_left(ledger)
    ledger.goes_on()


def test_a_new_version_that_does_not_take_the_state_over_is_told(ledger: Ledger) -> None:
    ledger.converge()
    ledger.write("uid=another", f"out={ledger.stage.folder}/elsewhere", state_check="full")
    found = rehearsed(ledger, "latest")
    assert not found.healthy
    assert "counting" in found.reason
    nothing_is_left(ledger)
    ledger.goes_on()


def test_ctrl_c_removes_a_rehearsal(ledger: Ledger, tmp_path: Path) -> None:
    ledger.converge()
    ledger.write(f"out={tmp_path}", health="{window: 120s, hold: 100s}")
    name = f"{ledger.name}-try"
    command = [
        "fork",
        ledger.name,
        "--from",
        "latest",
        "--as",
        name,
        "--rehearse",
        str(ledger.spec),
        "--with-sinks",
        "--yes",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "scurry.cli.main", *command],
        env={**os.environ, "SCURRY_WORKSPACE": str(ledger.stage.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: name in live_jobs(ledger), "the rehearsal runs")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    nothing_is_left(ledger)


def test_the_sinks_of_a_script_are_not_written_to(ledger: Ledger) -> None:
    script = ledger.stage.folder / f"{ledger.name}.sql"
    script.write_text(SCRIPT.read_text())
    text = SQL.format(name=ledger.name, version=VERSION, out=ledger.output, rate=200)
    ledger.spec.write_text(text)
    applied = ledger.stage.open().apply(ledger.spec, confirm=lambda plan: True)
    assert applied.outcome is ApplyOutcome.CONVERGED, applied
    until(lambda: ledger.last() > 100, "the script has committed something")
    ledger.spec.write_text(text.replace("rate: 200", "rate: 300"))
    workspace = ledger.stage.open()
    planned = plan_rehearsal(workspace, asked(ledger, "try"), ledger.spec)
    assert [table.name for table in planned.replaced] == ["totals"]
    found = rehearse(workspace, planned)
    assert found.healthy, found
    nothing_is_left(ledger)
    last = ledger.last()
    until(lambda: ledger.last() > last, "the original goes on")
    ledger.verb("stop")
    check(committed(ledger.output), sum_of)
