"""Many applications through a server: frozen, and applied in waves."""

from __future__ import annotations

import json
import re
from typing import Any

from scurry.server.http.changing import MOST_AT_ONCE
from tests.cli.desk import check_document
from tests.server.office import Office

SICK = "config: {memory.behaviour: fails}\n"


def _error(office: Office, *arguments: str) -> Any:
    result = office.quick(*arguments, "--json")
    assert result.returncode == 1, result.stdout
    document = json.loads(result.stdout)
    check_document("error", document)
    return document["error"]


def _outcomes(document: Any) -> dict[str, str]:
    return {applied["name"]: applied["outcome"] for applied in document["applications"]}


def test_what_is_frozen_through_the_server_is_changed_by_nobody_until_the_thaw(office: Office) -> None:
    office.done("apply", "shop.yaml", "--yes")
    for scope in (("shop",), ("--target", "mem"), ("--all",)):
        frozen = office.done("freeze", *scope, "--reason", "the fair")
        check_document("freezes", frozen)
        for command in (("apply", "shop.yaml"), ("stop", "shop"), ("adopt", "shop.yaml", "--job", "latest")):
            error = _error(office, *command, "--yes")
            assert error["code"] == "frozen"
            assert "the fair" in error["message"]
            assert re.search(r"pid \d+", error["owner"])
            assert error["since"].endswith(" UTC")
            assert f"scurry thaw {' '.join(scope)}" in error["hint"]
        assert office.on_the_spot("stop", "shop", "--yes").returncode == 1
        assert "the fair" in office.quick("status").stdout
        for arguments in (("freeze",), ("status",)):
            there, here = office.quick(*arguments), office.on_the_spot(*arguments)
            assert there.stdout == here.stdout
        assert office.done("thaw", *scope)["freezes"] == []
    again = office.quick("thaw", "shop")
    assert (again.returncode, again.stdout) == (0, "Nothing is frozen.\n")
    assert "was not frozen" in again.stderr
    assert office.refused("freeze", "slip", "--reason", "why") == "plan-error"
    assert office.refused("freeze", "--target", "slip", "--reason", "why") == "workspace-error"
    assert office.quick("freeze", "shop").returncode == 2
    office.done("stop", "shop", "--yes")


def test_what_is_frozen_begins_no_wave(office: Office) -> None:
    files = tuple(office.write(name=name).name for name in ("a", "b"))
    office.done("apply", "b.yaml", "--yes")
    office.done("freeze", "b", "--reason", "the fair")
    assert office.refused("apply", *files, "--wave", "2", "--yes") == "frozen"
    assert [report["name"] for report in office.done("status")["applications"]] == ["b"]


def test_waves_stop_at_the_first_failure_and_go_on_when_told(office: Office) -> None:
    names = ("a", "b", "c", "d")
    files = tuple(office.write(name=name).name for name in names)
    office.done("apply", "b.yaml", "--yes")
    office.write(SICK, name="b")
    result = office.quick("apply", *files, "--wave", "2", "--yes", "--json")
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert _outcomes(document) == {"a": "converged", "b": "rolled_back"}
    assert document["not_done"] == ["c.yaml", "d.yaml"]
    result = office.quick("apply", *files, "--wave", "2", "--keep-going", "--yes")
    assert result.returncode == 1
    assert {job.name for job in office.site.open().target("mem").survey().values() if not job.state.is_terminal} == set(
        names
    )


def test_a_wave_that_is_more_than_a_server_takes_on_waits_for_it(office: Office) -> None:
    names = [f"app-{number}" for number in range(MOST_AT_ONCE + 4)]
    files = [office.write(name=name).name for name in names]
    result = office.quick("apply", *files, "--wave", str(len(files)), "--yes")
    assert result.returncode == 0, result.stderr
    assert "wait for the server" in result.stderr
    assert "Connection pool" not in result.stderr
    assert [len(office.site.live(name)) for name in names] == [1] * len(names)
