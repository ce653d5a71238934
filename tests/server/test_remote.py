"""The command line with `--server`: the same commands, the same output, done over there."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import signal

from scurry.engine.lease import LEASE
from scurry.model.observed import Phase
from tests.cli.desk import check_document
from tests.server.office import Office
from tests.server.site import until


def test_an_application_lives_its_whole_life_through_the_server(office: Office) -> None:
    applied = office.done("apply", "shop.yaml", "--yes")
    check_document("apply", applied)
    assert applied["applications"][0]["outcome"] == "converged"
    assert not (office.folder / ".scurry" / "journal.db").exists()
    last = office.site.history().last
    assert last
    assert re.fullmatch(rf"{getpass.getuser()}@\S+ pid \d+ by server \S+", last.started_by)
    (job,) = office.site.live()
    office.done("snapshot", "create", "shop", "--yes")
    office.write("parallelism: 3\n")
    assert office.done("apply", "shop.yaml", "--yes")["applications"][0]["revision"] == 2
    for verb in (
        ("rollback", "shop"),
        ("restart", "shop"),
        ("scale", "shop", "2"),
        ("stop", "shop"),
        ("start", "shop"),
    ):
        document = office.done(*verb, "--yes")
        check_document("apply", document)
        assert document["applications"][0]["error"] is None
    assert office.site.live()[0].id != job.id
    office.done("delete", "shop", "--yes")
    assert office.done("status")["applications"] == []


def test_everything_that_only_looks_says_the_same_as_on_the_spot(office: Office) -> None:
    office.done("apply", "shop.yaml", "--yes")
    office.done("snapshot", "create", "shop", "--yes")
    office.write("parallelism: 3\n")
    office.done("apply", "shop.yaml", "--yes")
    shutil.copy(office.folder / "shop.yaml", office.site.folder)
    for arguments in (
        ("status",),
        ("status", "shop"),
        ("history", "shop"),
        ("diff", "shop", "1", "2"),
        ("snapshot", "list", "shop"),
        ("diagnose", "shop"),
        ("plan", "shop.yaml"),
        ("freeze",),
    ):
        there, here = office.quick(*arguments), office.on_the_spot(*arguments)
        assert there.returncode == here.returncode == 0, there.stderr
        assert _timeless(there.stdout) == _timeless(here.stdout), arguments


def _timeless(text: str) -> str:
    return re.sub(r"\d+(\.\d+)? (ms|s|min)( ago)?|just now", "TIME", text)


def test_progress_is_shown_as_if_it_were_done_here(office: Office) -> None:
    result = office.run("apply", "shop.yaml", "--yes")
    assert result.returncode == 0
    for told in ("upload shop.jar to the server", "start job", "wait until it is healthy"):
        assert told in result.stderr, result.stderr


def test_an_error_of_the_spec_is_told_at_its_place_in_the_file_here(office: Office) -> None:
    office.write("parallelism: 99\n")
    result = office.run("apply", "shop.yaml", "--yes", "--json")
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["key"], error["line"]) == ("target-unsuitable", "parallelism", 5)
    assert error["file"].endswith("shop.yaml")


def test_a_bad_revision_is_rolled_back_told_here_and_sent_as_an_event(office: Office) -> None:
    office.done("apply", "shop.yaml", "--yes")
    office.write("config: {memory.behaviour: fails}\n")
    result = office.run("apply", "shop.yaml", "--yes", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["applications"][0]["outcome"] == "rolled_back"
    assert office.server.await_event("rolled-back", "shop")["target"] == "mem"


def test_what_is_declined_or_not_known_or_locked_is_told_by_the_same_codes(office: Office) -> None:
    assert office.refused("apply", "shop.yaml") == "refused"
    assert office.refused("stop", "nobody", "--yes") == "plan-error"
    assert office.refused("history", "nobody") == "plan-error"
    assert office.refused("status", token="guessed") == office.refused("status", token=None) == "unauthorized"
    assert office.refused("logs", "nobody") == "plan-error"
    office.done("apply", "shop.yaml", "--yes")
    lease = office.site.open().journal.acquire("shop", duration=LEASE)
    error = json.loads(office.quick("stop", "shop", "--yes", "--json").stdout)["error"]
    assert (error["code"], error["owner"]) == ("application-locked", lease.owner)


def test_freezing_works_over_the_wire(office: Office) -> None:
    office.done("apply", "shop.yaml", "--yes")
    office.done("freeze", "shop", "--reason", "the fair")
    assert office.refused("stop", "shop", "--yes") == "frozen"
    office.done("thaw", "shop")
    office.done("stop", "shop", "--yes")


def test_a_server_that_is_not_there_is_told(office: Office) -> None:
    office.server.end()
    assert office.refused("status") == "server-unavailable"


def test_a_connection_that_breaks_in_the_middle_is_told_and_the_server_goes_on(office: Office) -> None:
    client = office.begin_slowly("8s")
    until(lambda: len(office.site.live()) == 1, "the job runs")
    client.send_signal(signal.SIGKILL)
    client.communicate()
    until(lambda: office.site.history().interrupted is None, "the server has ended what it was at")
    assert office.site.status().phase in {Phase.RUNNING, Phase.SUSPENDED, Phase.FAILED}


def test_a_server_that_dies_in_the_middle_is_told_as_a_broken_connection(office: Office) -> None:
    client = office.begin_slowly("20s")
    until(lambda: len(office.site.live()) == 1, "the job runs")
    office.server.end(signal.SIGKILL)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 1
    error = json.loads(out)["error"]
    assert error["code"] == "server-lost"
    assert "scurry status" in error["hint"]


def test_stopping_the_server_gracefully_hands_a_change_over(office: Office) -> None:
    client = office.begin_slowly("120s")
    until(lambda: len(office.site.live()) == 1, "the job runs")
    assert office.server.end() == 0
    out, _ = client.communicate(timeout=60)
    assert json.loads(out)["error"]["code"] == "handed-over"
    journal = office.site.open().journal
    journal.release(journal.acquire("shop", duration=LEASE))  # it was given back
    assert office.site.history().interrupted
