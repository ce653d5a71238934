"""`scurry fork` on the memory target: an application again from a copy of its state; a new version tried on one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scurry import rehearsing
from scurry.forking import Asked, plan_fork
from scurry.model.errors import SnapshotGone, TargetUnavailable
from scurry.model.snapshot import Snapshot, SnapshotKind
from scurry.model.state import State as KeptState
from scurry.model.state import StateKind
from scurry.savepoints.copy import copy_snapshot
from scurry.targets.memory import Memory, State
from scurry.workspace import Workspace
from tests.cli.desk import Desk, check_document
from tests.engine.state_of import held, snapshot, value

if TYPE_CHECKING:
    from scurry.model.result import Applied

SAVEPOINT = Path(__file__).parents[1] / "savepoints" / "files" / "java-rocksdb-native"
FORK = ("fork", "shop", "--from", str(SAVEPOINT), "--as", "shop-2")
TRY = (*FORK, "--rehearse", "shop.yaml", "--target", "mem")
REHEARSE = (*TRY, "--with-sinks")


@pytest.fixture
def shop(running: Desk) -> Desk:
    """The application runs, and the memory target can start from the copy that its fork will make."""
    asked = Asked(application="shop", snapshot=str(SAVEPOINT), name="shop-2")
    place = plan_fork(Workspace.open(running.folder), asked).place
    file = running.folder / ".scurry" / "memory" / "mem.json"
    memory = msgspec.json.decode(file.read_bytes(), type=Memory)
    location = f"file:{place}"
    memory.savepoints[location] = Snapshot(
        kind=SnapshotKind.SAVEPOINT, location=location, taken_at=datetime.now(UTC), job_id="0" * 32
    )
    memory.states[location] = State(history=tuple(memory.jobs), position=7, committed=7)
    file.write_bytes(msgspec.json.encode(memory))
    return running


def jobs(desk: Desk) -> dict[str, str]:
    survey = Workspace.open(desk.folder).target("mem").survey()
    return {job.name: job.id for job in survey.values() if not job.state.is_terminal}


def names(desk: Desk) -> set[str]:
    return {entry["name"] for entry in desk.done("status", "--json").document["applications"]}


def copies(desk: Desk) -> list[Path]:
    return sorted((desk.folder / ".scurry" / "forks").glob("*"))


def test_a_fork_runs_beside_the_original_from_a_copy_of_its_own(shop: Desk) -> None:
    before = jobs(shop)
    result = shop.done(*FORK, "--yes")
    assert "✓ shop-2: done, revision 1" in result.out
    (copy,) = copies(shop)
    assert {path.name for path in copy.iterdir()} == {path.name for path in SAVEPOINT.iterdir()}
    after = jobs(shop)
    assert after.keys() == {"shop", "shop-2"}
    assert after["shop"] == before["shop"]
    told = shop.done("status", "shop-2", "--json").document["applications"][0]
    assert told["restored_from"] == f"file:{copy}"
    assert len(shop.done("history", "shop", "--json").document["operations"]) == 1, (
        "the original's journal is as it was"
    )
    kinds = [entry["operation"] for entry in shop.done("history", "shop-2", "--json").document["operations"]]
    assert kinds == ["resume", "adopt"]


def test_what_is_shared_is_told_before_it_is_asked_for(shop: Desk) -> None:
    shop.change("parallelism: 1", "parallelism: 1\nproperties: {input: {topic: orders, password: x}}")
    shop.done("apply", "shop.yaml", "--yes")
    result = shop.on_terminal(*FORK, answers=("n",))
    assert result.code == 1
    assert "shop-2 on mem: fork of shop" in result.out
    assert "what both process is written twice" in " ".join(result.out.split())
    assert "property input.topic orders" in " ".join(result.out.split())
    assert "password" not in result.out
    assert copies(shop) == []
    assert names(shop) == {"shop"}


def test_the_document_of_a_fork_is_as_it_is_described(shop: Desk) -> None:
    document = shop.done(*FORK, "--yes", "--json").document
    check_document("fork", document)
    assert (document["name"], document["applied"]["outcome"]) == ("shop-2", "converged")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shop", "a fork of 'shop' needs another name"),
        ("a/b", "is no name of an application"),
        ("other", "'other' is an application here already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(shop: Desk, name: str, told: str) -> None:
    shop.write("other")
    shop.done("apply", "other.yaml", "--yes")
    result = shop.run("fork", "shop", "--from", str(SAVEPOINT), "--as", name, "--yes")
    assert result.code == 1
    assert told in result.err
    assert copies(shop) == []


@pytest.mark.parametrize("source", ["latest", "savepoint-none"])
def test_without_a_snapshot_there_is_no_fork(shop: Desk, source: str) -> None:
    result = shop.run("fork", "shop", "--from", source, "--as", "shop-2", "--yes")
    assert result.code == 1
    assert "snapshot" in result.err
    assert names(shop) == {"shop"}


def test_a_fork_that_was_killed_between_its_steps_is_gone_on_with(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> Applied:
        raise TargetUnavailable("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "start", killed)
        assert shop.run(*FORK, "--yes").code == 1
    assert names(shop) == {"shop", "shop-2"}
    assert "shop-2" not in jobs(shop)
    shop.done(*FORK, "--yes")
    assert "shop-2" in jobs(shop)
    assert "is an application here already" in shop.run(*FORK, "--yes").err


def test_a_frozen_name_is_not_forked_to(shop: Desk) -> None:
    shop.done("freeze", "--target", "mem", "--reason", "holiday")
    result = shop.run(*FORK, "--yes")
    assert result.code == 1
    assert "holiday" in result.err
    assert copies(shop) == []


def test_that_no_server_forks_is_told_with_where_to_do_it(shop: Desk) -> None:
    result = shop.run(*FORK, "--server", "http://127.0.0.1:1", "--yes")
    assert result.code == 2
    told = " ".join(result.err.split())
    assert "where its journal and the files of its snapshots are to be had, as on the server's own machine" in told
    assert "leave --server out" in told
    assert copies(shop) == []


def gone_without_a_trace(desk: Desk) -> None:
    assert names(desk) == {"shop"}
    assert jobs(desk).keys() == {"shop"}
    assert copies(desk) == []
    assert desk.run("snapshot", "list", "shop-2").code == 1


def test_a_healthy_rehearsal_says_so_and_leaves_nothing(shop: Desk) -> None:
    before = jobs(shop)
    shop.change("parallelism: 1", "parallelism: 2")
    result = shop.done(*REHEARSE, "--yes")
    assert "✓ shop: the new version is healthy" in result.out
    assert "It WRITES to the real sinks" in result.out
    assert jobs(shop) == before
    gone_without_a_trace(shop)
    document = shop.done(*REHEARSE, "--yes", "--json").document
    check_document("fork", document)
    assert document["rehearsal"]["healthy"] is True
    gone_without_a_trace(shop)


def test_a_program_whose_sinks_cannot_be_replaced_is_not_rehearsed_unless_they_may_be_written_to(shop: Desk) -> None:
    result = shop.run(*TRY, "--yes")
    assert result.code == 1
    assert "the rehearsal would write to the sinks of its program, as 'shop' does" in " ".join(result.err.split())
    assert "--with-sinks" in result.err
    gone_without_a_trace(shop)


def test_the_consent_to_write_means_nothing_for_a_fork_that_stays(shop: Desk) -> None:
    result = shop.run(*FORK, "--with-sinks", "--yes")
    assert result.code == 2
    assert "--with-sinks is for --rehearse" in result.err
    assert names(shop) == {"shop"}


@pytest.mark.parametrize("command", [FORK, REHEARSE])
def test_sinks_whose_state_says_where_they_write_are_named(
    shop: Desk, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    writer = KeptState(name="writer_raw_states", kind=StateKind.OPERATOR_LIST)
    found = snapshot(held("files", writer), held("counts", value("count")))
    monkeypatch.setattr("scurry.forking.read_snapshot", lambda *_: found)
    told = " ".join(shop.done(*command, "--yes").out.split())
    assert ("Where Files wrote is in the state" if command is REHEARSE else "state says") in told
    assert "Counts" not in told


@pytest.mark.parametrize("behaviour", ["fails", "restarts", "rejects-submit", "fails-check"])
def test_an_unhealthy_rehearsal_tells_why_and_leaves_nothing(shop: Desk, behaviour: str) -> None:
    shop.behave(behaviour)
    result = shop.run(*REHEARSE, "--yes", "--json")
    assert result.code == 1
    check_document("fork", result.document)
    told = result.document["rehearsal"]
    assert (told["healthy"], told["left"]) == (False, [])
    assert told["reason"]
    gone_without_a_trace(shop)


@pytest.mark.parametrize("moment", ["copy_state", "start", "diagnose"])
def test_ctrl_c_leaves_nothing_of_a_rehearsal(shop: Desk, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    def interrupted(*_: Any, **__: Any) -> Applied:
        raise KeyboardInterrupt

    shop.behave("fails")
    with monkeypatch.context() as patch:
        if moment == "copy_state":
            patch.setattr("scurry.forking.copy_snapshot", interrupted)
        else:
            patch.setattr(Workspace, moment, interrupted)
        assert shop.run(*REHEARSE, "--yes").code == 130
    gone_without_a_trace(shop)


def test_what_a_killed_rehearsal_left_goes_with_the_next_one(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rehearsing, "_removed", lambda *_: [])
        shop.done(*REHEARSE, "--yes")
    assert names(shop) == {"shop", "shop-2"}
    assert "is an application here already" in shop.run(*FORK, "--yes").err
    result = shop.done(*REHEARSE, "--yes")
    assert "an interrupted rehearsal left" in result.err
    gone_without_a_trace(shop)


def test_what_cannot_be_removed_is_told_with_the_command(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> Applied:
        raise TargetUnavailable("the target does not answer")

    monkeypatch.setattr(Workspace, "delete", silent)
    result = shop.done(*REHEARSE, "--yes")
    assert "the rehearsal 'shop-2' is still there: the target does not answer" in result.out
    assert "scurry delete shop-2 --no-snapshot" in result.out


def test_the_file_of_another_application_is_not_rehearsed(shop: Desk) -> None:
    shop.write("other")
    result = shop.run(*FORK, "--rehearse", "other.yaml", "--target", "mem", "--yes")
    assert result.code == 1
    assert "is the application 'other', not 'shop'" in result.err


def test_a_checkpoint_that_vanishes_is_followed_by_the_next_one(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from scurry import forking

    workspace = Workspace.open(shop.folder)
    asked = Asked(application="shop", snapshot="latest", name="shop-2")
    known = Snapshot(kind=SnapshotKind.CHECKPOINT, location=str(SAVEPOINT), taken_at=datetime.now(UTC))
    gone = msgspec.structs.replace(known, location="/gone/chk-1")
    looks = iter([gone, known])
    monkeypatch.setattr(Workspace, "snapshots", lambda self, name: (next(looks),))
    real = copy_snapshot

    def vanishing(source: str, *rest: Any, **more: Any) -> Any:
        if source.startswith("/gone"):
            raise SnapshotGone("vanished")
        return real(source, *rest, **more)

    monkeypatch.setattr(forking, "copy_snapshot", vanishing)
    planned = forking.plan_fork(workspace, asked)
    assert forking.copy_state(workspace, planned).files == 8
