"""A process that writes upgrade after upgrade and says so after each write, until it is killed. Run by test_kill.py.

When it is the database that is killed, it waits for it and goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import JournalUnavailable
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.operation import Action, Outcome
from scurry.testing.journal_story import APPLICATION, SetClock, Story, savepoint

if TYPE_CHECKING:
    from scurry.journal.sql_journal import SqlJournal


def open_journal(place: str, *, read_only: bool = False) -> SqlJournal:
    """Open a journal by its address or path."""
    # Every process starts at the same time of this clock, so a lease that is left behind has not expired for the next.
    clock = SetClock()
    if "://" in place:
        return PostgresJournal.open(Address.read(place), clock=clock, lease_clock=clock, read_only=read_only)
    return SqliteJournal.open(Path(place), clock=clock, read_only=read_only)


def main(place: str) -> None:
    """Write for ever."""
    with open_journal(place) as journal:
        story = Story(journal)
        while True:
            try:
                _settle(story)
                while True:
                    _upgrade(story, journal.history(APPLICATION).next_revision)
            except JournalUnavailable as error:
                _say("lost", error.message, error.in_doubt)


def _settle(story: Story) -> None:
    interrupted = story.journal.history(APPLICATION).interrupted
    if interrupted:
        story.journal.finish_operation(story.lease, interrupted.id, OperationOutcome.INTERRUPTED)


def _upgrade(story: Story, wish: int) -> None:
    revision = story.begin_upgrade(wish)
    _say("revision", revision)
    _say("operation", story.operation)
    for action in (Action.STOP, Action.SUBMIT):
        _say("started", story.operation, story.start(action, f"{action.value}-{revision}"))
        outcome = Outcome(job_id=f"job-{revision}", snapshot=savepoint(f"s{revision}", minutes=revision))
        story.journal.finish_step(story.lease, story.operation, story.ordinal, outcome=outcome)
        _say("finished", story.operation, story.ordinal)
    with story.journal.transaction():
        story.judge(revision, RevisionOutcome.HEALTHY)
        story.end(gap_s=0.5)
    _say("done", story.operation, revision)


def _say(*facts: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(facts) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
