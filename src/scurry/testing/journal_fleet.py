"""The part of the journal's conformance suite for who looks after many: positions, freezes, servers, alerts."""

# ruff: noqa: D102 - the names of the tests are the promises

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scurry.model.errors import JournalError
from scurry.model.journal import EVERYTHING, Alert, Freeze, application_scope, target_scope
from scurry.model.operation import Action
from scurry.testing.journal_concurrency import ALICE, BOB, ConcurrencyConformance
from scurry.testing.journal_story import APPLICATION, MINUTE, START, SetClock, Story, savepoint

if TYPE_CHECKING:
    from scurry.model.journal import Lease
    from scurry.model.ports import Journal

_HELD = application_scope(APPLICATION)


class FleetConformance(ConcurrencyConformance):
    """Looking after many applications, alone or with other servers. A part of `JournalConformance`."""

    # Positions and snapshots -----------------------------------------------------------------------------------

    def test_the_positions_are_those_of_the_histories(self, journal: Journal, other: Journal) -> None:
        assert journal.positions() == {}
        for number, name in enumerate(("zebra", "ant", "ant@production"), 1):
            story = Story(journal, name)
            for parallelism in range(number):
                story.revise(parallelism)
        journal.acquire("only locked", duration=MINUTE)
        assert other.positions() == {name: other.history(name).position for name in ("zebra", "ant", "ant@production")}
        assert sorted(other.positions()) == list(other.applications())

    def test_a_position_moves_with_a_write_and_not_with_a_lease(self, journal: Journal, other: Journal) -> None:
        stories = {name: Story(journal, name) for name in ("moved", "still")}
        for story in stories.values():
            story.deploy(1, "job-1")
            journal.renew(story.lease, duration=MINUTE)
        before = other.positions()
        stories["moved"].begin_suspend()
        after = other.positions()
        assert after.get("moved", 0) > before.get("moved", 0)
        assert after.get("still") == before.get("still")

    def test_a_deleted_application_has_no_position_until_it_is_deployed_again(
        self, journal: Journal, other: Journal
    ) -> None:
        story = Story(journal)
        story.deploy(1, "job-1")
        before = other.positions().get(APPLICATION, 0)
        story.begin_delete()
        story.end()
        story.want_absent()
        assert other.positions() == {}
        story.revise(2)
        assert other.positions().get(APPLICATION, 0) > before

    def test_all_snapshots_are_told_newest_first_page_by_page(self, journal: Journal, other: Journal) -> None:
        story = _with_snapshots(journal, [3, 1, 2, *range(4, 61)])
        Story(journal, "payments").begin_snapshot()
        assert _names(other) == [f"s{minute}" for minute in range(60, 0, -1)]
        assert _names(other, limit=2) == ["s60", "s59"]
        assert _names(other, limit=2, before=3) == ["s2", "s1"]
        assert _names(other, before=1) == []
        journal.drop_snapshot(story.lease, savepoint("s59", minutes=59))
        assert _names(other, limit=3) == ["s60", "s58", "s57"]
        assert other.snapshots("unheard-of") == ()

    def test_a_page_of_snapshots_ends_with_all_that_were_taken_at_its_last_time(self, journal: Journal) -> None:
        story = _with_snapshots(journal, [1, 3])
        for name in ("c", "a", "b"):
            story.land(Action.SNAPSHOT, snapshot=savepoint(name, minutes=2))
        page = journal.snapshots(APPLICATION, limit=2)
        assert [snapshot.location[-2:] for snapshot in page] == ["s3", "/a", "/b", "/c"]
        assert journal.snapshots(APPLICATION, limit=2, before=page[-1].taken_at) == (savepoint("s1", minutes=1),), (
            "the next page goes on where this one ended"
        )

    # Freezes ---------------------------------------------------------------------------------------------------

    def test_a_freeze_is_told_to_everybody_until_it_is_taken_back(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        assert journal.freezes() == ()
        scopes = (EVERYTHING, _HELD, target_scope("local"))
        for scope in reversed(scopes):
            frozen = journal.freeze(scope, reason="'sale' – ü")
            assert frozen == Freeze(scope=scope, reason="'sale' – ü", by=ALICE, at=START)
        assert [freeze.scope for freeze in other.freezes()] == list(scopes)
        assert {freeze.reason for freeze in other.freezes()} == {"'sale' – ü"}
        clock.sleep(1)
        assert other.thaw(target_scope("local")) is True
        assert other.thaw(target_scope("local")) is False
        assert [freeze.scope for freeze in journal.freezes()] == [EVERYTHING, _HELD]

    def test_freezing_again_gives_the_new_reason(self, journal: Journal, other: Journal, clock: SetClock) -> None:
        journal.freeze(EVERYTHING, reason="first")
        clock.sleep(1)
        newer = other.freeze(EVERYTHING, reason="second")
        assert (newer.by, newer.at) == (BOB, START + timedelta(seconds=1))
        assert journal.freezes() == (newer,)
        assert journal.freeze(EVERYTHING, reason="third", by="carol").by == "carol"

    @pytest.mark.parametrize("scope", ["", "local", "target:", "application: ", "job:7"])
    def test_what_is_no_scope_freezes_nothing(self, journal: Journal, scope: str) -> None:
        with pytest.raises(JournalError, match="scope"):
            journal.freeze(scope, reason="oops")
        assert journal.freezes() == ()

    def test_a_freeze_needs_no_lease_and_takes_none(self, journal: Journal, other: Journal) -> None:
        story = Story(journal)
        story.begin_deploy(1)
        before = journal.history(APPLICATION)
        other.freeze(_HELD, reason="stop this")
        story.land(Action.SUBMIT, "job-1")
        other.thaw(_HELD)
        assert journal.history(APPLICATION).position == before.position + 2

    def test_a_freeze_in_a_transaction_that_fails_is_none(self, journal: Journal) -> None:
        def fail() -> None:
            with journal.transaction():
                journal.freeze(EVERYTHING, reason="in vain")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert journal.freezes() == ()

    # Servers ---------------------------------------------------------------------------------------------------

    def test_servers_see_each_other_for_as_long_as_they_attend(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        assert journal.attend("b", duration=MINUTE) == ("b",)
        assert other.attend("a", duration=MINUTE / 2) == ("a", "b")
        clock.sleep(29)
        assert journal.attend("c", duration=MINUTE) == ("a", "b", "c")
        clock.sleep(1)
        assert journal.attend("c", duration=MINUTE) == ("b", "c")
        assert other.attend("a", duration=MINUTE) == ("a", "b", "c")
        clock.sleep(30)
        assert journal.attend("b", duration=MINUTE) == ("a", "b", "c"), "who attends again lives on"

    def test_a_server_that_leaves_is_gone_at_once(self, journal: Journal, other: Journal) -> None:
        journal.attend("a", duration=MINUTE)
        other.attend("b", duration=MINUTE)
        journal.leave("a")
        journal.leave("a")
        assert other.attend("b", duration=MINUTE) == ("b",)

    def test_servers_are_no_applications_and_hold_no_lease(self, journal: Journal, other: Journal) -> None:
        journal.attend(APPLICATION, duration=MINUTE)
        assert journal.applications() == ()
        lease: Lease = other.acquire(APPLICATION, duration=MINUTE)
        assert lease.owner == BOB

    # What people were told --------------------------------------------------------------------------------------

    def test_what_people_were_told_is_known_to_all_until_it_is_over(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        assert journal.alerts() == ()
        first = journal.remember_alert(APPLICATION, cause="drift", what="its job is gone: 'ü'")
        assert first == Alert(application=APPLICATION, cause="drift", what="its job is gone: 'ü'", at=START)
        clock.sleep(1)
        ant = other.remember_alert("ant", cause="recovery", what="it fails")
        newer = other.remember_alert(APPLICATION, cause="recovery", what="it fails")
        assert newer.at == START + timedelta(seconds=1)
        assert journal.alerts() == (ant, newer)
        journal.forget_alert("ant")
        journal.forget_alert("ant")
        assert other.alerts() == (newer,)

    def test_an_alert_needs_no_lease_and_moves_no_position(self, journal: Journal, other: Journal) -> None:
        Story(journal).deploy(1, "job-1")
        before = journal.history(APPLICATION)
        other.remember_alert(APPLICATION, cause="drift", what="its job is gone")
        other.forget_alert(APPLICATION)
        assert journal.history(APPLICATION) == before


def _with_snapshots(journal: Journal, minutes: list[int]) -> Story:
    story = Story(journal)
    story.begin_snapshot()
    for minute in minutes:
        story.land(Action.SNAPSHOT, snapshot=savepoint(f"s{minute}", minutes=minute))
    return story


def _names(journal: Journal, *, limit: int = 1000, before: int | None = None) -> list[str]:
    earlier = START + before * MINUTE if before is not None else None
    told = journal.snapshots(APPLICATION, limit=limit, before=earlier)
    return [snapshot.location.rpartition("/")[2] for snapshot in told]
