"""The part of the journal's conformance suite on many that write: leases, fencing, position, transactions, threads."""

# ruff: noqa: D102 - the names of the tests are the promises

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from scurry.model.errors import ApplicationLocked, JournalError, LeaseLost
from scurry.model.journal import Intent, OperationOutcome, RevisionOutcome
from scurry.model.operation import Action, Outcome, Step, Suspend
from scurry.testing.journal_story import APPLICATION, MINUTE, START, SetClock, Story, savepoint, wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.model.journal import Lease
    from scurry.model.ports import Clock, Journal


class JournalFactory(Protocol):
    """Opens one and the same journal again and again, each time as another process would."""

    def __call__(self, *, clock: Clock, owner: str) -> Journal:
        """Open it."""


ALICE, BOB = "alice@here pid 1", "bob@there pid 2"
_STEP = Step(action=Action.STOP, mark="m", title="stop")

WRITES: dict[str, Callable[[Journal, Lease], object]] = {
    "set_intent": lambda journal, lease: journal.set_intent(lease, Intent.SUSPEND),
    "add_revision": lambda journal, lease: journal.add_revision(lease, wish(99)),
    "judge_revision": lambda journal, lease: journal.judge_revision(lease, 1, RevisionOutcome.BAD, error="bad"),
    "start_operation": lambda journal, lease: journal.start_operation(
        lease, Suspend(job_id="job-1"), reason="asked", revision=None
    ),
    "start_step": lambda journal, lease: journal.start_step(lease, 1, _STEP),
    "finish_step": lambda journal, lease: journal.finish_step(lease, 1, 1, outcome=Outcome(snapshot=savepoint("s9"))),
    "finish_operation": lambda journal, lease: journal.finish_operation(lease, 1, OperationOutcome.DONE),
    "drop_snapshot": lambda journal, lease: journal.drop_snapshot(lease, savepoint("s1")),
}
"""each write of the port, as it can be made on what `_interrupted` leaves (`start_operation`: once that is ended)"""


def _interrupted(journal: Journal, application: str = APPLICATION) -> Story:
    """Tell of a suspend that was interrupted: a savepoint is there and a stop is open."""
    story = Story(journal, application)
    story.revise(1)
    story.begin_suspend()
    story.land(Action.SNAPSHOT, snapshot=savepoint("s1"))
    story.start(Action.STOP)
    return story


def _before(write: str, journal: Journal, lease: Lease) -> None:
    if write == "start_operation":
        journal.finish_operation(lease, 1, OperationOutcome.INTERRUPTED)


class ConcurrencyConformance:
    """One writer at a time, and a writer that was overtaken writes nothing. A part of `JournalConformance`."""

    @pytest.fixture
    def journal_factory(self) -> JournalFactory:
        """Return how to open the journal under test. A subclass overrides it."""
        raise NotImplementedError("a conformance suite needs a fixture `journal_factory`")

    @pytest.fixture
    def clock(self) -> SetClock:
        """The clock that all of a test's journals go by."""
        return SetClock()

    @pytest.fixture
    def journal(self, journal_factory: JournalFactory, clock: SetClock) -> Journal:
        """The journal of the process that the test is about."""
        return journal_factory(clock=clock, owner=ALICE)

    @pytest.fixture
    def other(self, journal_factory: JournalFactory, clock: SetClock) -> Journal:
        """The same journal, opened by another process."""
        return journal_factory(clock=clock, owner=BOB)

    def test_a_lease_says_who_holds_it_since_when_and_how_long(self, journal: Journal) -> None:
        lease = journal.acquire(APPLICATION, duration=MINUTE)
        assert (lease.application, lease.owner) == (APPLICATION, ALICE)
        assert (lease.acquired_at, lease.expires_at) == (START, START + MINUTE)

    def test_a_second_writer_is_told_who_is_at_it_and_since_when(self, journal: Journal, other: Journal) -> None:
        journal.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(ApplicationLocked) as caught:
            other.acquire(APPLICATION, duration=MINUTE)
        assert caught.value.owner == ALICE
        assert caught.value.since.startswith(f"{START:%Y-%m-%d %H:%M:%S}")
        assert ALICE in caught.value.message

    def test_a_holder_cannot_take_its_lease_twice(self, journal: Journal) -> None:
        journal.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(ApplicationLocked):
            journal.acquire(APPLICATION, duration=MINUTE)

    def test_a_lease_on_one_application_leaves_the_others_free(self, journal: Journal, other: Journal) -> None:
        journal.acquire(APPLICATION, duration=MINUTE)
        assert other.acquire("payments", duration=MINUTE).owner == BOB

    def test_a_lease_that_was_given_back_is_free_at_once(self, journal: Journal, other: Journal) -> None:
        first = journal.acquire(APPLICATION, duration=MINUTE)
        journal.release(first)
        assert other.acquire(APPLICATION, duration=MINUTE).fencing > first.fencing

    def test_an_expired_lease_can_be_taken_and_not_before(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        first = journal.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(59.999)
        with pytest.raises(ApplicationLocked):
            other.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(0.001)
        assert other.acquire(APPLICATION, duration=MINUTE).fencing > first.fencing

    def test_a_renewed_lease_lasts_longer_and_stays_the_same(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        first = journal.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(50)
        renewed = journal.renew(first, duration=MINUTE)
        assert (renewed.fencing, renewed.acquired_at, renewed.owner) == (first.fencing, START, ALICE)
        assert renewed.expires_at == clock.now() + MINUTE
        clock.sleep(50)
        with pytest.raises(ApplicationLocked):
            other.acquire(APPLICATION, duration=MINUTE)
        journal.set_intent(first, Intent.RUN)

    def test_a_lease_that_was_taken_or_given_back_cannot_be_renewed(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        first = journal.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(60)
        second = other.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(LeaseLost, match="bob@there"):
            journal.renew(first, duration=MINUTE)
        other.release(second)
        for lost, holder in ((first, journal), (second, other)):
            with pytest.raises(LeaseLost):
                holder.renew(lost, duration=MINUTE)

    def test_giving_back_a_lost_lease_does_not_free_the_new_one(
        self, journal: Journal, other: Journal, clock: SetClock
    ) -> None:
        first = journal.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(60)
        second = other.acquire(APPLICATION, duration=MINUTE)
        journal.release(first)
        with pytest.raises(ApplicationLocked):
            journal.acquire(APPLICATION, duration=MINUTE)
        other.set_intent(second, Intent.RUN)

    @pytest.mark.parametrize("write", WRITES)
    def test_an_expired_lease_that_nobody_took_still_writes(
        self, journal: Journal, clock: SetClock, write: str
    ) -> None:
        story = _interrupted(journal)
        clock.sleep(3600)
        _before(write, journal, story.lease)
        WRITES[write](journal, story.lease)

    @pytest.mark.parametrize("write", WRITES)
    def test_who_was_overtaken_writes_nothing(
        self, journal: Journal, other: Journal, clock: SetClock, write: str
    ) -> None:
        lost = _interrupted(journal).lease
        clock.sleep(60)
        second = other.acquire(APPLICATION, duration=MINUTE)
        _before(write, other, second)
        before = other.history(APPLICATION), other.revisions(APPLICATION)
        with pytest.raises(LeaseLost, match="bob@there"):
            WRITES[write](journal, lost)
        assert (other.history(APPLICATION), other.revisions(APPLICATION)) == before

    @pytest.mark.parametrize("write", WRITES)
    def test_who_gave_the_lease_back_writes_nothing(self, journal: Journal, write: str) -> None:
        lease = _interrupted(journal).lease
        _before(write, journal, lease)
        journal.release(lease)
        before = journal.history(APPLICATION)
        with pytest.raises(LeaseLost):
            WRITES[write](journal, lease)
        assert journal.history(APPLICATION) == before

    @pytest.mark.parametrize("write", WRITES)
    def test_every_write_moves_the_position_of_its_application_only(self, journal: Journal, write: str) -> None:
        story = _interrupted(journal)
        _interrupted(journal, "payments")
        _before(write, journal, story.lease)
        before, unmoved = journal.history(APPLICATION).position, journal.history("payments").position
        WRITES[write](journal, story.lease)
        assert journal.history(APPLICATION).position > before
        assert journal.history("payments").position == unmoved

    def test_neither_reading_nor_leases_move_the_position(self, journal: Journal, clock: SetClock) -> None:
        lease = _interrupted(journal).lease
        before = journal.history(APPLICATION).position
        journal.revisions(APPLICATION)
        journal.operations(APPLICATION)
        journal.release(journal.renew(lease, duration=MINUTE))
        journal.acquire(APPLICATION, duration=MINUTE)
        clock.sleep(60)
        journal.acquire(APPLICATION, duration=MINUTE)
        assert journal.history(APPLICATION).position == before

    def test_a_lease_gives_no_right_to_write_about_another_application(self, journal: Journal) -> None:
        lease = journal.acquire(APPLICATION, duration=MINUTE)
        with pytest.raises(JournalError, match="payments"):
            journal.add_revision(lease, wish(application="payments"))
        assert journal.revisions("payments") == ()
        assert journal.revisions(APPLICATION) == ()

    def test_of_many_that_want_the_lease_at_once_one_gets_it(
        self, journal_factory: JournalFactory, clock: SetClock
    ) -> None:
        owners = [f"writer {number}" for number in range(8)]
        journals = [journal_factory(clock=clock, owner=owner) for owner in owners]
        won: list[str] = []
        told: list[str] = []
        barrier = threading.Barrier(len(owners))

        def take(journal: Journal) -> None:
            barrier.wait()
            try:
                won.append(journal.acquire(APPLICATION, duration=MINUTE).owner)
            except ApplicationLocked as locked:
                told.append(locked.owner)

        threads = [threading.Thread(target=take, args=(journal,)) for journal in journals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert told == won * (len(owners) - 1)

    # Transactions and threads ----------------------------------------------------------------------------------

    def test_a_transaction_is_seen_whole_or_not_at_all(self, journal: Journal, other: Journal) -> None:
        story = Story(journal)
        with journal.transaction():
            story.deploy(1, "job-1")
            inside, outside = journal.history(APPLICATION), other.history(APPLICATION)
            assert (inside.job_id, outside.job_id) == ("job-1", None)
            assert outside.position == 0
        assert other.history(APPLICATION) == inside

    def test_a_transaction_that_fails_writes_nothing(self, journal: Journal) -> None:
        story = Story(journal)
        story.deploy(1, "job-1")
        before = journal.history(APPLICATION)

        def upgrade() -> None:
            with journal.transaction():
                story.upgrade(2, "job-2", snapshot=savepoint("s1"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            upgrade()
        assert journal.history(APPLICATION) == before
        assert story.revise(3) == 2

    def test_a_block_inside_a_transaction_is_undone_by_itself(self, journal: Journal) -> None:
        story = Story(journal)

        def revise_in_vain() -> None:
            with journal.transaction():
                story.revise(2)
                raise ZeroDivisionError

        with journal.transaction():
            story.revise(1)
            with pytest.raises(ZeroDivisionError):
                revise_in_vain()
            with pytest.raises(JournalError):
                story.judge(9, RevisionOutcome.BAD)
            with journal.transaction():
                story.revise(3)
        assert [revision.desired.parallelism for revision in journal.revisions(APPLICATION)] == [3, 1]

    def test_others_read_while_a_transaction_is_open(self, journal: Journal) -> None:
        story = Story(journal)
        seen: list[int] = []
        with journal.transaction():
            story.revise(1)
            reader = threading.Thread(target=lambda: seen.append(journal.history(APPLICATION).position))
            reader.start()
            reader.join(timeout=20)
        assert seen == [0]

    def test_many_threads_write_and_nothing_is_lost(self, journal: Journal) -> None:
        names = [f"application-{number}" for number in range(6)]
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                story = Story(journal, name)
                for parallelism in range(1, 9):
                    story.upgrade(parallelism, f"{name}-{parallelism}", snapshot=savepoint(name))
                    journal.history(name)
            except BaseException as error:  # told by the assertion below, in the test's own thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        for name in names:
            history = journal.history(name)
            assert history.marks == tuple(f"{name}-{parallelism}" for parallelism in range(8, 0, -1))
            assert (history.next_revision, history.resolved_submits, history.resolved_triggers) == (9, 8, 8)

    def test_what_was_written_is_there_for_who_comes_later(
        self, journal_factory: JournalFactory, journal: Journal, clock: SetClock
    ) -> None:
        Story(journal).upgrade(1, "job-1", snapshot=savepoint("s1"))
        later = journal_factory(clock=clock, owner="later")
        assert later.history(APPLICATION) == journal.history(APPLICATION)
        assert later.operations(APPLICATION) == journal.operations(APPLICATION)
