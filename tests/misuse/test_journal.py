"""Journals that are newer, damaged, gone or somebody else's: told, left as they are, and `journal check` says more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.misuse.shop import Shop

JOURNAL = ".scurry/journal.db"
COMMANDS = (("apply", "orders.yaml", "--yes"), ("status",), ("stop", "orders", "--yes"))


def change(shop: Shop, statement: str) -> None:
    with closing(sqlite3.connect(shop.path(JOURNAL))) as journal, journal:
        journal.execute(statement)


def replace(shop: Shop, content: bytes) -> None:
    for path in shop.path(".scurry").glob("journal.db*"):
        path.unlink()
    shop.path(JOURNAL).write_bytes(content)


def test_a_journal_of_a_newer_scurry_is_left_alone(shop: Shop) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    change(shop, "UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    change(shop, "UPDATE meta SET value = '7.1.0' WHERE name = 'written_by'")
    before = shop.path(JOURNAL).read_bytes()
    for command in COMMANDS:
        refusal = shop.refused(*command)
        assert refusal.code == "journal-too-new"
        assert "scurry 7.1.0" in refusal.message
        assert "nothing was touched" in refusal.message
        assert "\n  pip install --upgrade scurry" in refusal.hint
    assert shop.path(JOURNAL).read_bytes() == before
    checked = shop.run("journal", "check", "--json")
    assert checked.code == 1
    assert "7.1.0" in checked.document["problems"][0]["message"]


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "another-database"])
def test_a_damaged_journal_is_left_as_it_is_and_never_begun_anew(shop: Shop, damage: str) -> None:
    shop.change("parallelism: 2", "parallelism: 3")
    content = shop.path(JOURNAL).read_bytes()
    replace(
        shop, {"garbage": b"garbage " * 1000, "empty": b"", "cut": content[: len(content) // 2 + 100]}.get(damage, b"")
    )
    if damage == "another-database":
        change(shop, "CREATE TABLE notes (text)")
    before = shop.path(JOURNAL).read_bytes()
    for command in COMMANDS[:2]:
        refusal = shop.refused(*command)
        assert refusal.code == "journal-damaged", refusal.text
        assert str(shop.path(JOURNAL)) in refusal.message
        assert "\n  scurry journal check" in refusal.hint
    assert shop.path(JOURNAL).read_bytes() == before
    checked = shop.run("journal", "check")
    assert checked.code == 1
    assert "whole in its place" in checked.out
    assert "scurry journal check" not in checked.out, "it has just been run"


def test_a_lost_journal_does_not_make_a_second_job_of_one_that_runs(shop: Shop) -> None:
    """Without the journal the running job is a stranger: it would run twice."""
    replace(shop, b"")
    shop.path(JOURNAL).unlink()
    refusal = shop.refused("apply", "orders.yaml", "--yes", locks=True)
    assert refusal.code == "refused"
    assert shop.running()[0] in refusal.message
    assert "run it twice" in refusal.message
    assert "scurry adopt FILE --job latest" in refusal.hint


def test_a_journal_whose_log_is_there_alone_is_missed(shop: Shop) -> None:
    shop.path(JOURNAL).unlink()
    shop.path(f"{JOURNAL}-wal").write_bytes(b"x")
    refusal = shop.refused("apply", "orders.yaml", "--yes")
    assert "is gone, but its log" in refusal.message


def test_a_whole_journal_is_found_whole(shop: Shop) -> None:
    checked = shop.done("journal", "check", "--json").document
    assert checked == {"schema": "scurry/journal-check/1", "path": str(shop.path(JOURNAL)), "problems": []}
    assert "✓" in shop.done("journal", "check", JOURNAL).out


def test_records_that_do_not_fit_together_are_all_named(shop: Shop) -> None:
    change(shop, "UPDATE application SET current_revision = 7")
    change(shop, "UPDATE operation SET finished_at = NULL, outcome = NULL")
    checked = shop.run("journal", "check", "--json")
    assert checked.code == 1
    told = [problem["message"] for problem in checked.document["problems"]]
    assert any("its current revision 7 does not exist" in message for message in told)
    assert any("has not ended" in message for message in told)
    assert f"{len(told)} errors" in shop.run("journal", "check").out


def test_a_check_of_what_is_not_there_makes_nothing(shop: Shop) -> None:
    checked = shop.run("journal", "check", "nowhere.db", "--json")
    assert checked.code == 1
    assert checked.document["problems"][0]["message"] == "there is no journal"
    assert not shop.path("nowhere.db").exists()


def test_times_of_a_clock_that_was_wrong_do_no_harm(shop: Shop) -> None:
    """The machine's clock was a year ahead when the application was last changed."""
    for table, column in (("revision", "applied_at"), ("operation", "started_at"), ("operation", "finished_at")):
        change(shop, f"UPDATE {table} SET {column} = '2099' || substr({column}, 5)")
    shop.done("status")
    shop.done("history", "orders")
    shop.change("parallelism: 2", "parallelism: 3")
    result = shop.done("apply", "orders.yaml", "--yes")
    assert "-" not in result.out.partition("not processing for")[2].split("\n")[0]
    assert len(shop.running()) == 1
