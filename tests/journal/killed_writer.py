"""A process that writes upgrade after upgrade and says so after each write, until it is killed. Run by test_kill.py."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from scurry.journal.sqlite import SqliteJournal
from scurry.model.journal import OperationOutcome, RevisionOutcome
from scurry.model.operation import Action, Outcome
from scurry.testing.journal_story import APPLICATION, SetClock, Story, savepoint


def main(path: Path) -> None:
    """Write for ever."""
    # Every process starts at the same time of this clock, so a lease that is left behind has not expired for the next.
    with SqliteJournal.open(path, clock=SetClock()) as journal:
        story = Story(journal)
        interrupted = journal.history(APPLICATION).interrupted
        if interrupted:
            journal.finish_operation(story.lease, interrupted.id, OperationOutcome.INTERRUPTED)
        number = journal.history(APPLICATION).next_revision
        while True:
            _upgrade(story, number)
            number += 1


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
    main(Path(sys.argv[1]))
