"""What `plan`, `apply` and `state check` do about state that fits, does not, or cannot be looked at."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scurry.model.errors import RejectedByTarget
from scurry.targets.memory import MemoryTarget
from tests.cli.desk import Desk
from tests.engine.state_of import STRING, held, program, snapshot, value, wanted
from tests.looking import COUNT, MadeUp, make_up

GONE = program(wanted("other"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    return make_up(monkeypatch)


@pytest.fixture
def shop(desk: Desk, seen: MadeUp) -> Desk:
    """The application runs; its next version is wished."""
    desk.done("apply", "shop.yaml", "--yes")
    desk.build("shop.jar", "2")
    return desk


def test_a_first_deploy_has_no_state_to_look_at(desk: Desk, seen: MadeUp) -> None:
    desk.done("apply", "shop.yaml", "--yes")
    assert seen.reads == []
    assert seen.asked == []


def test_plan_says_in_a_line_that_state_fits(shop: Desk) -> None:
    shown = shop.done("plan", "shop.yaml").out
    assert "✓ State fits: 1 operator takes over 100 B" in shown
    assert "OPERATOR" not in shown


def test_plan_shows_what_does_not_fit_and_what_to_write(shop: Desk, seen: MadeUp) -> None:
    seen.graph = program(wanted("totals", COUNT, name="Counts"), wanted("sink", value("x", STRING)))
    seen.state = snapshot(held("counts", COUNT, bytes=2048), held("sink", value("x")))
    shown = shop.done("plan", "shop.yaml").out
    assert "✗ State does NOT fit; 2.0 kB would be lost" in shown
    assert 'its uid was "counts" and is "totals"' in shown
    assert '.uid("counts")' in shown
    assert 'allow_non_restored_state: ["counts"]' in shown
    assert 'state "x": Long becomes String' in shown


def test_plan_tells_programs_the_same(shop: Desk, seen: MadeUp) -> None:
    seen.graph = GONE
    (plan,) = shop.done("plan", "shop.yaml", "--json").document["plans"]
    state = plan["changes"][0]["state"]
    assert (state["fit"], state["certain"], state["lost_bytes"]) == ("blocked", True, 100)
    assert state["operators"][-1]["fate"] == "dropped"


@pytest.mark.parametrize("allow", ["true", "[counts]"])
def test_state_that_may_go_is_dropped(shop: Desk, seen: MadeUp, allow: str) -> None:
    seen.graph = GONE
    shop.change("upgrade: {", f"upgrade: {{allow_non_restored_state: {allow}, ")
    assert "100 B of state is dropped, as allowed" in shop.done("apply", "shop.yaml", "--yes").out
    (upgrade, *_) = shop.done("history", "shop", "--json").document["operations"]
    assert upgrade["outcome"] == "done"


@pytest.mark.parametrize("allow", ["false", "[another]"])
def test_state_that_nobody_allowed_to_go_is_kept_and_nothing_is_stopped(shop: Desk, seen: MadeUp, allow: str) -> None:
    seen.graph = GONE
    shop.change("upgrade: {", f"upgrade: {{allow_non_restored_state: {allow}, ")
    before = shop.done("status", "--json").document["applications"][0]["job"]["id"]
    refused = shop.run("apply", "shop.yaml", "--yes")
    assert refused.code == 1
    assert "nothing was stopped" in refused.err
    assert '"Counts"' in refused.err
    assert "allow_non_restored_state" in refused.err
    assert shop.done("status", "--json").document["applications"][0]["job"]["id"] == before


def test_what_is_refused_has_a_code_of_its_own(shop: Desk, seen: MadeUp) -> None:
    seen.graph = GONE
    error = shop.run("apply", "shop.yaml", "--yes", "--json").document["error"]
    assert (error["code"], error["key"]) == ("incompatible-state", "upgrade")


def test_a_type_that_changed_cannot_be_allowed(shop: Desk, seen: MadeUp) -> None:
    seen.graph = program(wanted("counts", value("count", STRING)))
    shop.change("upgrade: {", "upgrade: {allow_non_restored_state: true, ")
    assert shop.run("apply", "shop.yaml", "--yes").code == 1


def test_the_check_can_be_switched_off(shop: Desk, seen: MadeUp) -> None:
    seen.graph = GONE
    shop.change("upgrade: {", "upgrade: {state_check: off, ")
    shop.done("apply", "shop.yaml", "--yes")
    assert seen.asked == []


def test_with_graph_only_the_operators_are_compared(shop: Desk, seen: MadeUp) -> None:
    seen.graph = program(wanted("counts", states=None, key=None))
    shop.change("upgrade: {", "upgrade: {state_check: graph, ")
    shown = shop.done("plan", "shop.yaml").out
    assert "since upgrade.state_check is graph" in shown
    assert seen.heads == []


@pytest.mark.parametrize("what", ["program", "state"])
def test_what_cannot_be_looked_at_is_a_warning_and_stops_nothing(shop: Desk, seen: MadeUp, what: str) -> None:
    if what == "program":
        seen.error = RejectedByTarget("main() needs a network", hint="Give it one.")
    else:
        seen.gone = 1_000_000
    shown = shop.done("plan", "shop.yaml").out
    assert "? It is not certain that the state fits" in shown
    assert ("main() needs a network" if what == "program" else "cannot be seen from this machine") in shown
    shop.done("apply", "shop.yaml", "--yes")


def test_what_cannot_be_looked_at_is_refused_where_the_spec_says_so(shop: Desk, seen: MadeUp) -> None:
    seen.error = RejectedByTarget("main() needs a network")
    shop.change("upgrade: {", "upgrade: {unknown_state: refuse, ")
    refused = shop.run("apply", "shop.yaml", "--yes")
    assert refused.code == 1
    assert "main() needs a network" in refused.err


def test_going_on_from_a_snapshot_is_looked_at_too(shop: Desk, seen: MadeUp) -> None:
    shop.done("stop", "shop", "--yes")
    seen.graph = GONE
    assert shop.run("apply", "shop.yaml", "--yes").code == 1
    assert "savepoint" in seen.reads[-1]
    shop.done("start", "shop", "--from", "none", "--yes")


def test_a_rollback_that_would_lose_state_is_refused_with_the_way_that_is_left(shop: Desk, seen: MadeUp) -> None:
    shop.done("apply", "shop.yaml", "--yes")
    seen.graph = GONE
    refused = shop.run("rollback", "shop", "--yes")
    assert refused.code == 1
    assert "scurry rollback shop --from own" in refused.err


def test_the_picture_is_drawn_where_it_is_wanted(shop: Desk, seen: MadeUp, tmp_path: Path) -> None:
    seen.before = program(wanted("counts"))
    picture = tmp_path / "shop.svg"
    told = shop.done("plan", "shop.yaml", "--graph", str(picture), "--json").document
    assert told["graph"] == str(picture)
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_without_state_there_is_no_picture(desk: Desk, seen: MadeUp, tmp_path: Path) -> None:
    result = desk.done("plan", "shop.yaml", "--graph", str(tmp_path / "shop.svg"))
    assert "no picture is drawn" in result.err
    assert not (tmp_path / "shop.svg").exists()


def test_a_picture_that_cannot_be_written_is_told(shop: Desk, tmp_path: Path) -> None:
    failed = shop.run("plan", "shop.yaml", "--graph", str(tmp_path / "no folder" / "shop.svg"))
    assert failed.code == 1
    assert "the picture cannot be written" in failed.err


def test_a_picture_is_of_one_application(shop: Desk) -> None:
    shop.write("other")
    assert shop.run("plan", "shop.yaml", "other.yaml", "--graph", "x.svg").code == 2


# state check ---------------------------------------------------------------------------------------------------


def test_state_check_shows_all_operators_and_exits_with_0_when_the_state_fits(shop: Desk) -> None:
    shown = shop.done("state", "check", "shop", "shop.yaml").out
    assert "✓ State fits" in shown
    assert "OPERATOR" in shown


def test_state_check_exits_with_1_when_it_does_not_and_with_3_when_state_is_dropped(shop: Desk, seen: MadeUp) -> None:
    seen.graph = GONE
    assert shop.run("state", "check", "shop", "shop.yaml").code == 1
    assert shop.run("state", "check", "shop", "shop.yaml", "--allow", "counts").code == 3
    assert shop.run("state", "check", "shop", "shop.yaml", "--allow", "all").code == 3


def test_state_check_forgives_what_is_unknown_unless_it_is_strict(shop: Desk, seen: MadeUp) -> None:
    seen.graph = program(wanted("counts", states=None, key=None))
    assert shop.run("state", "check", "shop", "shop.yaml").code == 0
    assert shop.run("state", "check", "shop", "shop.yaml", "--strict").code == 1


def test_state_check_ends_with_an_error_when_it_cannot_look(shop: Desk, seen: MadeUp) -> None:
    seen.gone = 1_000_000
    assert shop.run("state", "check", "shop", "shop.yaml").code == 1


def test_state_check_looks_even_where_plans_do_not(shop: Desk, seen: MadeUp) -> None:
    seen.graph = GONE
    shop.change("upgrade: {", "upgrade: {state_check: off, mode: stateless, ")
    assert shop.run("state", "check", "shop", "shop.yaml").code == 1


def test_state_check_looks_at_a_named_snapshot(shop: Desk, seen: MadeUp) -> None:
    shop.done("snapshot", "create", "shop", "--yes")
    found = json.loads(shop.done("snapshot", "list", "shop", "--json").out)["snapshots"]
    savepoint = next(each["location"] for each in found if each["kind"] == "savepoint")
    told = shop.done("state", "check", "shop", "shop.yaml", "--from", savepoint, "--json").document
    assert seen.reads == [savepoint]
    assert told["state"]["fit"] == "fits"


def test_a_start_from_nothing_needs_no_check(shop: Desk) -> None:
    assert shop.run("state", "check", "shop", "shop.yaml", "--from", "none").code == 1


def test_a_target_without_flinks_state_is_told(running: Desk) -> None:
    result = running.run("state", "check", "shop", "shop.yaml")
    assert result.code == 1
    assert "keeps no state of Flink's" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("shop",),
        ("--jar", "shop.jar"),
        ("--jar", "shop.jar", "--from", "x"),
        ("shop", "shop.yaml", "--jar", "shop.jar", "--from", "x", "--flink", "2.3"),
        ("shop", "shop.yaml", "--flink", "2.3"),
        ("--jar", "shop.jar", "--from", "x", "--flink", "2.3", "--config", "nothing"),
    ],
)
def test_one_of_the_two_ways_is_asked_for(shop: Desk, arguments: tuple[str, ...]) -> None:
    assert shop.run("state", "check", *arguments).code == 2


def test_the_memory_target_itself_keeps_no_state_of_flinks() -> None:
    assert not hasattr(MemoryTarget, "defaults")
