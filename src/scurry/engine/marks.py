"""The marks of attempts: ids that we choose and the target shows again. So "did it land?" has an answer after a crash.

They are derived, not drawn: from the journal's lineage, the application, and how many attempts are *resolved* (known to
have ended, one way or the other). So an attempt whose fate is not known is made again under the same mark, and Flink
refuses or joins the second one: `DuplicateJobSubmissionException` for a job id, the running operation for a trigger id.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.operation import Action

if TYPE_CHECKING:
    from scurry.model.journal import History


@dataclass(frozen=True, slots=True)
class DerivedMarks:
    """The marks of the next operation of an application."""

    history: History
    unresolved: str | None = None
    """the mark of a submit whose fate is not known: as long as its job may still appear, no other one is started"""

    def job_id(self) -> str:
        """Return the id for the job of the next submit: 32 hexadecimal digits."""
        return self.unresolved or self._derive("job", self.history.resolved_submits)

    def trigger_id(self, action: Action = Action.STOP) -> str:
        """Return the id for the next stop or snapshot: 32 hexadecimal digits.

        Flink knows a trigger by its id, whatever was triggered (`DispatcherCachedOperationsHandler`). Under one id, a
        stop after an interrupted snapshot would be told of that snapshot, and the job would go on.
        """
        return self._derive("trigger" if action is Action.STOP else action.value, self.history.resolved_triggers)

    def _derive(self, what: str, number: int) -> str:
        name = f"{self.history.lineage}/{self.history.application}/{what}/{number}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]
