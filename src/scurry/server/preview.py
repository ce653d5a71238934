"""A workspace whose verbs only plan: for `dry_run`, and for a client that asks its user before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from scurry.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from scurry.model.plan import Plan
    from scurry.model.result import Applied
    from scurry.workspace import Confirm, Decide


class _Planned(Exception):
    """Ends a verb when its plan is made. Never leaves this module."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("planned")
        self.plan = plan


class Preview(Workspace):
    """Takes no lease and changes nothing; what a crash interrupted is settled on a copy of the journal."""

    def plan_of(self, verb: Callable[[Preview], Applied]) -> Plan:
        """Return the plan of a verb."""
        try:
            verb(self)
        except _Planned as planned:
            return planned.plan
        raise AssertionError("a verb that changes something goes through `_change`")

    def _change(
        self, application: str, target: str, decide: Decide, *, confirm: Confirm, wait: timedelta | None
    ) -> NoReturn:
        self.refuse_frozen(application, target)
        observed, history = self._settled(target, self._reading.history(application))
        raise _Planned(self._explained(decide(observed, history), observed, history))
