"""From a spec to a running application: validate, plan, apply, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.desk import Desk, check_document

if TYPE_CHECKING:
    import pytest

FIRST_PLAN = """\
shop on mem, absent
  + deploy  does not exist yet
      It starts for the first time, with no state.
"""
UPGRADE_PLAN = """\
shop on mem, running
  -/+ upgrade  parallelism 1 → 2
      The job stops with a savepoint, and the new one starts from it. If it cannot, the old one is put back.
"""


def test_plan_tells_what_why_and_from_which_state(desk: Desk) -> None:
    result = desk.done("plan", "shop.yaml")
    assert result.out == FIRST_PLAN
    assert result.err == ""


def test_plan_of_a_change_shows_what_differs_and_what_it_costs(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 2")
    assert running.done("plan", "shop.yaml").out == UPGRADE_PLAN


def test_plan_changes_nothing(desk: Desk) -> None:
    desk.done("plan", "shop.yaml")
    assert desk.done("status", "--json").document["applications"] == []


def test_plan_of_what_is_as_it_should_be_says_so(running: Desk) -> None:
    assert running.done("plan", "shop.yaml").out == "shop on mem: nothing to do (running)\n"


def test_plan_check_exits_with_3_when_there_is_something_to_do_and_0_when_not(desk: Desk) -> None:
    assert desk.run("plan", "shop.yaml", "--check").code == 3
    desk.done("apply", "shop.yaml", "--yes")
    assert desk.run("plan", "shop.yaml", "--check").code == 0
    desk.write("other")
    assert desk.run("plan", "shop.yaml", "other.yaml", "--check").code == 3


def test_plan_as_json_is_as_described(running: Desk) -> None:
    running.write("other")
    running.change("parallelism: 1", "parallelism: 2")
    document = running.done("plan", "shop.yaml", "other.yaml", "--json").document
    check_document("plan", document)
    upgrade, deploy = (plan["changes"][0] for plan in document["plans"])
    assert upgrade["operation"] == "upgrade"
    assert upgrade["restore"] == {"from": "latest"}
    assert upgrade["differences"] == [
        {"field": "parallelism", "before": "1", "after": "2", "impact": "rescale", "details": []}
    ]
    assert deploy["restore"] == {"from": "none", "why": "there never was any state"}
    assert [plan["converged"] for plan in document["plans"]] == [False, False]


def test_apply_starts_upgrades_and_then_has_nothing_to_do(desk: Desk) -> None:
    first = desk.done("apply", "shop.yaml", "--yes")
    assert first.shown == FIRST_PLAN + "✓ shop: done, revision 1\n"
    desk.change("parallelism: 1", "parallelism: 2")
    second = desk.done("apply", "shop.yaml", "--yes")
    assert second.shown.startswith(UPGRADE_PLAN + "✓ shop: done, revision 2; not processing for ")
    assert "  state: savepoint memory://mem/savepoint-ID\n" in second.shown
    assert desk.done("apply", "shop.yaml", "--yes").out == "✓ shop: nothing to do, revision 2\n"


def test_progress_goes_to_standard_error_a_line_for_each_step(desk: Desk) -> None:
    result = desk.done("apply", "shop.yaml", "--yes")
    steps = [line.rpartition(" (")[0] for line in result.err.splitlines()]
    assert steps[0] == "✓ upload shop.jar"
    assert steps[1] == "✓ check that the new job can start"
    assert steps[2].startswith("✓ start job ")
    assert steps[3] == "✓ wait until it is healthy"


def test_apply_as_json_is_one_document_and_nothing_else(desk: Desk) -> None:
    result = desk.done("apply", "shop.yaml", "--yes", "--json")
    check_document("apply", result.document)
    assert result.err == ""
    (application,) = result.document["applications"]
    assert application["name"] == "shop"
    assert application["outcome"] == "converged"
    assert application["revision"] == 1
    assert application["gap_seconds"] is None
    assert application["error"] is None
    desk.change("parallelism: 1", "parallelism: 2")
    (application,) = desk.done("apply", "shop.yaml", "--yes", "--json").document["applications"]
    assert 0 < application["gap_seconds"] < 5
    (application,) = desk.done("apply", "shop.yaml", "--yes", "--json").document["applications"]
    assert application["outcome"] == "unchanged"


def test_verbose_shows_progress_beside_the_document(desk: Desk) -> None:
    result = desk.done("apply", "shop.yaml", "--yes", "--json", "--verbose")
    check_document("apply", result.document)
    assert "✓ upload shop.jar" in result.err


def test_apply_without_a_terminal_and_without_yes_changes_nothing(desk: Desk) -> None:
    result = desk.run("apply", "shop.yaml")
    assert result.code == 1
    assert result.out == FIRST_PLAN
    assert "error: this needs a yes, and there is no terminal to ask on" in result.err
    assert "--yes" in result.err
    assert desk.done("status", "--json").document["applications"] == []


def test_apply_as_json_without_yes_is_an_error_document(desk: Desk) -> None:
    result = desk.run("apply", "shop.yaml", "--json")
    assert result.code == 1
    check_document("error", result.document)
    assert result.document["error"]["code"] == "refused"
    assert FIRST_PLAN in result.err


def test_a_new_revision_that_is_not_healthy_is_rolled_back_and_is_an_error(running: Desk) -> None:
    running.behave("fails")
    result = running.run("apply", "shop.yaml", "--yes")
    assert result.code == 1
    assert "✗ shop: rolled back" in result.out
    assert "The revision before it runs again" in result.out
    assert "warning: not healthy" in result.err
    assert "running" in running.done("status").out


def test_a_rollback_as_json_says_so(running: Desk) -> None:
    running.behave("fails")
    result = running.run("apply", "shop.yaml", "--yes", "--json")
    assert result.code == 1
    check_document("apply", result.document)
    (application,) = result.document["applications"]
    assert application["outcome"] == "rolled_back"
    assert application["error"]["code"] == "unhealthy"
    assert application["snapshot"]["kind"] == "savepoint"


def test_what_is_found_out_before_the_stop_leaves_the_job_running(running: Desk) -> None:
    before = running.done("status", "--json").document["applications"][0]["job"]["id"]
    running.behave("fails-check")
    result = running.run("apply", "shop.yaml", "--yes", "--json")
    assert result.code == 1
    check_document("error", result.document)
    assert result.document["error"]["code"] == "rejected-by-target"
    assert result.document["error"]["target"] == "mem"
    assert running.done("status", "--json").document["applications"][0]["job"]["id"] == before


def test_several_files_stop_at_the_first_failure_and_say_what_was_not_done(desk: Desk) -> None:
    desk.write("bad").write_text("name: bad\n")
    desk.write("third")
    result = desk.run("apply", "shop.yaml", "bad.yaml", "third.yaml", "--yes")
    assert result.code == 1
    assert "✓ shop: done" in result.out
    assert "bad.yaml" in result.err
    assert "not done, because of the failure before: third.yaml" in result.err
    names = [found["name"] for found in desk.done("status", "--json").document["applications"]]
    assert names == ["shop"]


def test_several_files_are_one_document(desk: Desk) -> None:
    desk.write("bad").write_text("name: bad\n")
    desk.write("third")
    result = desk.run("apply", "shop.yaml", "bad.yaml", "third.yaml", "--yes", "--json")
    assert result.code == 1
    document = result.document
    check_document("apply", document)
    assert [found["outcome"] for found in document["applications"]] == ["converged"]
    assert document["error"]["code"] == "spec-invalid"
    assert document["failed_file"] == "bad.yaml"
    assert document["not_done"] == ["third.yaml"]
    document = desk.done("apply", "shop.yaml", "third.yaml", "--yes", "--json").document
    assert [found["outcome"] for found in document["applications"]] == ["unchanged", "converged"]
    assert document["not_done"] == []


def test_a_rollback_of_one_file_ends_the_row(running: Desk) -> None:
    running.behave("fails")
    running.write("third")
    result = running.run("apply", "shop.yaml", "third.yaml", "--yes")
    assert result.code == 1
    assert "not done, because of the failure before: third.yaml" in result.err


def test_environments_are_applications_of_their_own(desk: Desk) -> None:
    with (desk.folder / "shop.yaml").open("a") as file:
        file.write("environments: {production: {parallelism: 4}}\n")
    desk.done("apply", "shop.yaml", "--yes")
    desk.done("apply", "shop.yaml", "--env", "production", "--yes")
    found = desk.done("status", "--json").document["applications"]
    assert {entry["name"]: entry["job"]["parallelism"] for entry in found} == {"shop": 1, "shop@production": 4}


def test_target_overrides_what_the_spec_says(desk: Desk) -> None:
    with (desk.folder / "scurry.yaml").open("a") as file:
        file.write("  other: {kind: memory}\n")
    desk.done("apply", "shop.yaml", "--target", "other", "--yes")
    assert desk.done("status", "--json").document["applications"][0]["target"] == "other"
    result = desk.run("plan", "shop.yaml", "--target", "nowhere", "--json")
    assert result.code == 1
    assert result.document["error"]["code"] == "workspace-error"


def test_workspace_can_be_another_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    desk.done("apply", "shop.yaml", "--yes")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("SCURRY_WORKSPACE", str(desk.folder))
    assert "shop" in desk.done("status").out
    monkeypatch.delenv("SCURRY_WORKSPACE")
    assert "shop" in desk.done("status", "--workspace", "..").out
    result = desk.run("status", "--workspace", "nowhere")
    assert result.code == 1
    assert "the workspace 'nowhere' is not a folder" in result.err


def test_rollback_goes_to_the_revision_before_with_the_state(running: Desk) -> None:
    running.change("parallelism: 1", "parallelism: 2")
    running.done("apply", "shop.yaml", "--yes")
    result = running.done("rollback", "shop", "--yes")
    assert "-/+ upgrade  asked to roll back to revision 1" in result.out
    assert running.done("status", "--json").document["applications"][0]["job"]["parallelism"] == 1
    result = running.done("rollback", "shop", "--to", "2", "--yes", "--json")
    check_document("apply", result.document)
    assert running.done("status", "--json").document["applications"][0]["job"]["parallelism"] == 2


def test_rollback_to_nothing_is_an_error_that_says_where_to_look(running: Desk) -> None:
    result = running.run("rollback", "shop", "--yes", "--json")
    assert result.code == 1
    assert result.document["error"]["code"] == "nothing-to-roll-back-to"
    assert "scurry history shop" in result.document["error"]["hint"]
    assert running.run("rollback", "shop", "--to", "9", "--yes").code == 1


def test_validate_tells_all_problems_of_all_files_at_once(desk: Desk) -> None:
    desk.write("bad").write_text("name: bad\nflink: 2.3\ncode: {sql: nowhere.sql}\nparalelism: 2\n")
    desk.write("worse").write_text("name: worse\nflink: zwei\ncode: {jar: shop.jar}\n")
    result = desk.run("validate", "shop.yaml", "bad.yaml", "worse.yaml")
    assert result.code == 1
    assert result.out == ""
    assert "'paralelism'" in result.err
    assert "parallelism" in result.err
    assert "zwei" in result.err
    document = desk.run("validate", "shop.yaml", "bad.yaml", "worse.yaml", "--json").document
    check_document("error", document)
    places = {(problem["file"], problem["line"]) for problem in document["error"]["problems"]}
    assert ("bad.yaml", 4) in places
    assert ("worse.yaml", 2) in places


def test_validate_of_good_files_says_so(desk: Desk) -> None:
    assert desk.done("validate", "shop.yaml").out.startswith("✓ shop.yaml")
    document = desk.done("validate", "shop.yaml", "--json").document
    check_document("validate", document)
    assert document["files"][0]["valid"] is True
