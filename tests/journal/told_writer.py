"""A process that writes into a journal when it is told to on standard input. Run by tests that stop or cut it.

`python -m tests.journal.told_writer URL_OR_PATH LEASE_S`; each line is a word: `acquire`, `write`, `transaction`.
It answers each with a line: `done`, or the class and message of the error.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scurry.clock import SystemClock
from scurry.journal.postgres import PostgresJournal
from scurry.journal.postgres_server import Address
from scurry.journal.sqlite import SqliteJournal
from scurry.model.errors import ScurryError
from scurry.model.journal import Intent
from scurry.testing.journal_story import APPLICATION

if TYPE_CHECKING:
    from scurry.journal.sql_journal import SqlJournal
    from scurry.model.journal import Lease


def open_journal(place: str) -> SqlJournal:
    """Open a journal by its address or path, on the clock of the machine."""
    if "://" in place:
        return PostgresJournal.open(Address.read(place), clock=SystemClock())
    return SqliteJournal.open(Path(place), clock=SystemClock())


def main(place: str, lease_s: float) -> None:
    lease: Lease | None = None
    with open_journal(place) as journal:
        print("open", flush=True)
        for line in sys.stdin:
            try:
                match line.strip():
                    case "acquire":
                        lease = journal.acquire(APPLICATION, duration=timedelta(seconds=lease_s))
                    case "write" if lease:
                        journal.set_intent(lease, Intent.RUN)
                    case "transaction" if lease:
                        with journal.transaction():
                            journal.set_intent(lease, Intent.RUN)
                            print("in it", flush=True)
                            sys.stdin.readline()
                    case word:
                        raise ValueError(word)
                print("done", flush=True)
            except ScurryError as error:
                print(f"{type(error).__name__}: {error.message}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
