"""What may happen to a PostgreSQL server, and to the way to it: nothing half-written, a clear word, and on it goes."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from scurry.journal import postgres, postgres_server
from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_check import check
from scurry.journal.postgres_server import Address
from scurry.model.errors import JournalError, JournalUnavailable, ScurryError, WorkspaceError
from scurry.model.journal import Intent, OperationOutcome
from scurry.model.operation import Action, Outcome
from scurry.testing.journal_story import APPLICATION, SetClock, Story, savepoint
from tests.journal.postgresql import PASSWORD, PostgreSql
from tests.journal.proxy import CuttingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


COMMIT = b"COMMIT\0"
"""as it is on the wire; the statement that begins a transaction says COMMITTED"""


def open_journal(url: str, *, read_only: bool = False) -> PostgresJournal:
    clock = SetClock()
    return PostgresJournal.open(Address.read(url), clock=clock, read_only=read_only, lease_clock=clock)


@pytest.fixture
def own() -> Iterator[PostgreSql]:
    """A server of the test's own, to be killed and started again."""
    with PostgreSql.running() as server:
        yield server


@pytest.fixture
def story(journal_url: str) -> Iterator[Story]:
    with open_journal(journal_url) as journal:
        yield Story(journal)


@pytest.fixture
def proxy(postgresql: PostgreSql) -> Iterator[CuttingProxy]:
    with CuttingProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def remote(journal_url: str, proxy: CuttingProxy) -> Iterator[Story]:
    """A story that is written through the proxy."""
    place, _, database = journal_url.rpartition("/")
    with open_journal(f"{place.rpartition('@')[0]}@{proxy.address}/{database}") as journal:
        yield Story(journal)


def _until(is_so: Callable[[], bool], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def refusal(url: str) -> ScurryError:
    """Open a journal in vain, and see that the error says no password, wherever one looks."""
    with pytest.raises(ScurryError) as caught:
        open_journal(url)
    text = "".join(traceback.format_exception(caught.value)) + (caught.value.hint or "") + repr(caught.value)
    assert "sesame" not in text
    assert "%20" not in text
    return caught.value


# The server ---------------------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_in_a_transaction_has_nothing_of_it_afterwards(own: PostgreSql) -> None:
    with open_journal(own.url(own.new_database())) as journal:
        story = Story(journal)
        story.deploy(1, "job-1")
        before = journal.history(APPLICATION)

        def upgrade() -> None:
            with journal.transaction():
                story.begin_upgrade(2)
                story.land(Action.STOP, snapshot=savepoint("s1"))
                own.kill()
                story.land(Action.SUBMIT, "job-2")

        with pytest.raises(JournalUnavailable, match="Nothing was written") as caught:
            upgrade()
        assert not caught.value.in_doubt
        own.start()
        assert journal.history(APPLICATION) == before
        story.upgrade(2, "job-2", snapshot=savepoint("s1"))
        assert journal.history(APPLICATION).job_id == "job-2"


@pytest.mark.parametrize("ends", ["kill", "stop"])
def test_a_server_that_was_started_again_between_two_writes_is_not_missed(own: PostgreSql, ends: str) -> None:
    with open_journal(own.url(own.new_database())) as journal:
        story = Story(journal)
        story.begin_deploy(1)
        getattr(own, ends)()
        own.start()
        story.land(Action.SUBMIT, "job-1")
        getattr(own, ends)()
        own.start()
        assert journal.history(APPLICATION).job_id == "job-1"


def test_a_server_that_is_away_for_a_moment_is_waited_for(own: PostgreSql) -> None:
    with open_journal(own.url(own.new_database())) as journal:
        story = Story(journal)
        own.kill()
        starter = threading.Timer(0.5, own.start)
        starter.start()
        try:
            assert story.revise(1) == 1
        finally:
            starter.join()


def test_a_server_that_stays_away_is_told_of_and_the_journal_goes_on_when_it_is_back(
    own: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE_S", 0.2)
    with open_journal(own.url(own.new_database())) as journal:
        story = Story(journal)
        own.kill()
        for _ in range(2):
            with pytest.raises(JournalUnavailable, match="does not answer") as caught:
                story.revise(1)
            assert not caught.value.in_doubt
        own.start()
        assert story.revise(1) == 1


def test_a_server_that_is_down_at_the_start_is_told_at_once(own: PostgreSql) -> None:
    url = own.url("shop")
    own.stop()
    error = refusal(url)
    assert isinstance(error, JournalUnavailable)
    assert f"postgresql://scurry@127.0.0.1:{own.port}/shop" in error.message
    assert "refused" in error.message
    assert "Running jobs go on" in (error.hint or "")


# Who is not let in --------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told(postgresql: PostgreSql) -> None:
    error = refusal(postgresql.url("postgres", password=f"{PASSWORD} not"))
    assert isinstance(error, WorkspaceError)
    assert "refuses user 'scurry'" in error.message
    assert "password: {env:" in (error.hint or "")


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_what_the_address_says_of_tls_is_kept(postgresql: PostgreSql, mode: str) -> None:
    """The server of the tests is built without TLS: so nothing may be sent to it."""
    error = refusal(postgresql.url("postgres", sslmode=mode, sslrootcert="/dev/null"))
    assert isinstance(error, WorkspaceError)
    assert "no safe connection" in error.message


def test_a_missing_database_is_told(postgresql: PostgreSql) -> None:
    error = refusal(postgresql.url("nowhere"))
    assert isinstance(error, WorkspaceError)
    assert "has no database 'nowhere'" in error.message
    assert "createdb --encoding UTF8 nowhere" in (error.hint or "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://scurry:open%20sesame@[half/db",
        "postgresql://scurry:open%20sesame@host/db?nonsense=1",
        "postgresql://scurry:open%20sesame@host/db%zz",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    assert isinstance(refusal(url), WorkspaceError)


def test_a_user_who_may_not_write_is_told(postgresql: PostgreSql, journal_url: str) -> None:
    with open_journal(journal_url) as journal:
        Story(journal).deploy(1, "job-1")
    database = journal_url.rpartition("/")[2]
    with suppress(psycopg.errors.DuplicateObject):
        postgresql.run("CREATE ROLE reader LOGIN PASSWORD 'open sesame 2'")
    postgresql.run(
        "GRANT USAGE ON SCHEMA scurry TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA scurry TO reader", database
    )
    url = postgresql.url(database, user="reader", password="open sesame 2")
    with open_journal(url, read_only=True) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"
    with open_journal(url) as journal, pytest.raises(WorkspaceError, match="takes no writes: permission denied"):
        journal.freeze("*", reason="may I?")


def test_a_user_who_may_not_make_the_tables_is_told(postgresql: PostgreSql, journal_url: str) -> None:
    with suppress(psycopg.errors.DuplicateObject):
        postgresql.run("CREATE ROLE guest LOGIN PASSWORD 'open sesame 2'")
    url = postgresql.url(journal_url.rpartition("/")[2], user="guest", password="open sesame 2")
    error = refusal(url)
    assert "permission denied for database" in error.message
    assert "GRANT CREATE ON DATABASE" in (error.hint or "")
    with open_journal(url, read_only=True) as journal:
        assert journal.applications() == ()


def test_a_standby_takes_no_writes_and_can_be_read(own: PostgreSql) -> None:
    database = own.new_database()
    with open_journal(own.url(database)) as journal:
        Story(journal).deploy(1, "job-1")
    own.stop()
    (own.folder / "data" / "standby.signal").touch()
    own.start()
    with open_journal(own.url(database), read_only=True) as journal:
        assert journal.history(APPLICATION).job_id == "job-1"
    with open_journal(own.url(database)) as journal, pytest.raises(WorkspaceError, match="takes no writes") as caught:
        journal.freeze("*", reason="may I?")
    assert "target_session_attrs=read-write" in (caught.value.hint or "")


# The way to it ------------------------------------------------------------------------------------------------------


def test_connections_that_were_cut_while_nobody_used_them_are_not_missed(
    postgresql: PostgreSql, journal_url: str, story: Story
) -> None:
    story.begin_deploy(1)
    for pid in postgresql.backends(journal_url.rpartition("/")[2]):
        postgresql.run(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert story.start(Action.SUBMIT) == 0
    assert story.journal.history(APPLICATION).resolved_submits == 0


def test_a_connection_that_is_cut_in_a_transaction_has_written_nothing(
    postgresql: PostgreSql, journal_url: str, story: Story
) -> None:
    before = story.journal.history(APPLICATION)

    def deploy() -> None:
        with story.journal.transaction():
            story.begin_deploy(1)
            for pid in postgresql.backends(journal_url.rpartition("/")[2]):
                postgresql.run(f"SELECT pg_terminate_backend({pid}, 5000)")
            story.land(Action.SUBMIT, "job-1")

    with pytest.raises(JournalUnavailable, match=r"terminating connection.*Nothing was written"):
        deploy()
    assert story.journal.history(APPLICATION) == before


@pytest.mark.parametrize("delivers", [True, False], ids=["it was written", "it was not written"])
def test_a_write_whose_answer_is_lost_is_neither_told_as_done_nor_done_again(
    remote: Story, proxy: CuttingProxy, *, delivers: bool
) -> None:
    proxy.cut_at(b"INSERT INTO operation", delivers=delivers)
    with pytest.raises(JournalUnavailable, match="not known whether it is in the journal") as caught:
        remote.begin_suspend()
    assert caught.value.in_doubt
    assert proxy.cuts == 1
    # The server writes what reached it when it comes to it, which may be a moment after we were told of the cut.
    _until(lambda: len(remote.journal.operations(APPLICATION)) == int(delivers))
    for record in remote.journal.operations(APPLICATION):
        remote.journal.finish_operation(remote.lease, record.id, OperationOutcome.INTERRUPTED)
    remote.begin_suspend()
    proxy.cut_at(b"INSERT INTO step", delivers=delivers)
    with pytest.raises(JournalUnavailable, match="not known whether it is in the journal"):
        remote.start(Action.STOP)
    _until(lambda: len(remote.journal.operations(APPLICATION)[0].steps) == int(delivers))
    assert proxy.cuts == 2


@pytest.mark.parametrize("delivers", [True, False], ids=["it was written", "it was not written"])
def test_a_write_that_may_be_done_twice_is_done_again_when_its_answer_is_lost(
    remote: Story, proxy: CuttingProxy, *, delivers: bool
) -> None:
    proxy.cut_at(COMMIT, delivers=delivers)
    assert remote.revise(1) == 1
    assert proxy.cuts == 1
    remote.begin_snapshot()
    ordinal = remote.start(Action.SNAPSHOT)
    outcome = Outcome(snapshot=savepoint("s1"))
    proxy.cut_at(COMMIT, delivers=delivers)
    remote.journal.finish_step(remote.lease, remote.operation, ordinal, outcome=outcome)
    ordinal = remote.start(Action.SNAPSHOT)
    outcome = Outcome(snapshot=savepoint("s2", revision=1))
    proxy.cut_at(b"UPDATE step", delivers=delivers)
    remote.journal.finish_step(remote.lease, remote.operation, ordinal, outcome=outcome)
    ordinal = remote.start(Action.SUBMIT)
    proxy.cut_at(b"UPDATE step", delivers=delivers)
    remote.journal.finish_step(remote.lease, remote.operation, ordinal, error="refused")
    proxy.cut_at(b"UPDATE operation", delivers=delivers)
    remote.journal.finish_operation(remote.lease, remote.operation, OperationOutcome.DONE)
    assert proxy.cuts == 5
    history = remote.journal.history(APPLICATION)
    assert (history.next_revision, history.resolved_triggers, len(history.snapshots)) == (2, 2, 2)
    assert history.resolved_submits == 1
    assert history.last
    assert history.last.outcome is OperationOutcome.DONE


def test_a_transaction_of_the_caller_is_never_done_again(remote: Story, proxy: CuttingProxy) -> None:
    proxy.cut_at(COMMIT, delivers=True)
    times = 0

    def revise() -> None:
        nonlocal times
        with remote.journal.transaction():
            times += 1
            remote.revise(1)

    with pytest.raises(JournalUnavailable, match="not known"):
        revise()
    assert times == 1
    assert remote.revise(1) == 1


# Others who are at it -----------------------------------------------------------------------------------------------


def test_a_row_that_somebody_holds_for_too_long_is_told(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_server, "LOCK_TIMEOUT_S", 1)
    with open_journal(journal_url) as journal, psycopg.connect(journal_url) as blocker:
        story = Story(journal)
        blocker.execute("SELECT 1 FROM scurry.application FOR UPDATE")
        with pytest.raises(JournalError, match="written by another process for more than 1 s") as caught:
            story.revise(1)
        assert "nothing was written" in caught.value.message
        blocker.rollback()
        assert story.revise(1) == 1


def test_writers_that_wait_for_each_other_are_both_done(journal_url: str) -> None:
    """The database undoes one of two transactions that want the same rows in another order; that one is told so."""
    with open_journal(journal_url) as one, open_journal(journal_url) as two:
        stories = {name: Story(one, name) for name in ("a", "b")}
        both_began = threading.Barrier(2)
        failures: list[Exception] = []

        def write(journal: PostgresJournal, names: str) -> None:
            try:
                with journal.transaction():
                    journal.set_intent(stories[names[0]].lease, Intent.RUN)
                    both_began.wait()
                    journal.set_intent(stories[names[1]].lease, Intent.RUN)
            except JournalUnavailable as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=pair) for pair in ((one, "ab"), (two, "ba"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [undone] = failures
        assert "undid a write in favour of another one; nothing was written" in str(undone)
        assert [one.history(name).intent for name in ("a", "b")] == [Intent.RUN] * 2


def test_all_connections_in_use_are_told(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(postgres, "PATIENCE_S", 0.05)
    errors: list[Exception] = []
    with open_journal(journal_url) as journal:

        def look() -> None:
            try:
                journal.applications()
            except JournalUnavailable as error:
                errors.append(error)

        with journal.transaction():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert "all 1 connections" in str(errors[0])
        assert journal.applications() == ()


# The tables ---------------------------------------------------------------------------------------------------------


def test_all_who_make_a_journal_at_once_get_the_same_one(journal_url: str) -> None:
    barrier = threading.Barrier(8)
    found: list[str] = []

    def make(name: str) -> None:
        barrier.wait()
        with open_journal(journal_url) as journal:
            Story(journal, name).revise(1)
            found.append(journal.history(name).lineage)

    threads = [threading.Thread(target=make, args=(f"application-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_two_journals_in_one_database_know_nothing_of_each_other(journal_url: str) -> None:
    with ExitStack() as opened:
        one, two = (opened.enter_context(open_journal(f"{journal_url}?schema={name}")) for name in ("team-1", "Team 2"))
        Story(one).deploy(1, "job-1")
        assert two.applications() == ()
        assert one.history(APPLICATION).lineage != two.history(APPLICATION).lineage


def test_a_whole_journal_has_no_problems_and_a_broken_one_is_told(journal_url: str, postgresql: PostgreSql) -> None:
    database, address = journal_url.rpartition("/")[2], Address.read(journal_url)
    assert [problem.message for problem in check(address)] == ["there is no journal"]
    with open_journal(journal_url) as journal:
        Story(journal).upgrade(1, "job-1", snapshot=savepoint("s1"))
    assert check(address) == []
    postgresql.run("UPDATE scurry.application SET current_revision = 7, resolved_submits = 0", database)
    postgresql.run("UPDATE scurry.step SET body = 'x'", database)
    postgresql.run("UPDATE scurry.operation SET finished_at = NULL", database)
    postgresql.run(f"ALTER DATABASE {database} SET synchronous_commit = off", database)
    told = "\n".join(problem.message for problem in check(address))
    for words in (
        "runs with synchronous_commit = off",
        "its current revision 7 does not exist",
        "0 submits are counted as resolved, but 1 are",
        "a step of operation 1 of 'orders': the journal is damaged",
        "has not ended",
    ):
        assert words in told
    postgresql.run("DROP TABLE scurry.step", database)
    [problem] = check(address)
    assert 'relation "step" does not exist' in problem.message


def test_what_is_written_is_durable_even_where_the_server_is_set_to_be_quick(
    journal_url: str, postgresql: PostgreSql
) -> None:
    database = journal_url.rpartition("/")[2]
    postgresql.run(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with open_journal(journal_url) as journal, journal.transaction():
        assert journal._database.rows("SHOW synchronous_commit") == [("on",)]


def test_a_journal_of_a_newer_scurry_is_refused(journal_url: str, postgresql: PostgreSql) -> None:
    open_journal(journal_url).close()
    postgresql.run("UPDATE scurry.meta SET value = '99' WHERE name = 'schema_version'", journal_url.rpartition("/")[2])
    for read_only in (False, True):
        with pytest.raises(JournalError, match="newer than this one; nothing was touched"):
            open_journal(journal_url, read_only=read_only)


def test_a_look_makes_nothing_and_sees_what_is_made_later(journal_url: str, postgresql: PostgreSql) -> None:
    with open_journal(journal_url, read_only=True) as looking:
        assert looking.history(APPLICATION).next_revision == 1
        assert (looking.positions(), looking.freezes()) == ({}, ())
        found = postgresql.run("SELECT 1 FROM pg_namespace WHERE nspname = 'scurry'", journal_url.rpartition("/")[2])
        assert found == []
        with pytest.raises(JournalError, match="for reading only"):
            looking.freeze("*", reason="no")
        with open_journal(journal_url) as journal:
            Story(journal).revise(1)
        assert looking.history(APPLICATION).next_revision == 2
