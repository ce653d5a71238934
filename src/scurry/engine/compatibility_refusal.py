"""What is refused because of the state, while everything still runs; and how that is told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model.compatibility import Fit, Weight
from scurry.model.desired import Desired, UnknownState
from scurry.model.errors import IncompatibleState
from scurry.model.operation import Upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.model.compatibility import Compatibility
    from scurry.model.plan import Change, Plan

_MOST = 3
"""operators that an error tells of; the plan tells of all"""


def refuse_unfit(plan: Plan) -> None:
    """Raise `IncompatibleState` when the new job could not take its state over, or would drop what nobody allowed.

    What is unknown is refused only where the spec says so.
    """
    for change in plan.changes:
        found, desired = change.compatibility, getattr(change.operation, "desired", None)
        if found is None or not isinstance(desired, Desired):
            continue
        if found.fit is Fit.BLOCKED:
            raise _blocked(found, change, desired)
        if found.is_uncertain and desired.upgrade.unknown_state is UnknownState.REFUSE:
            raise _unknown(found, desired)


def _blocked(found: Compatibility, change: Change, desired: Desired) -> IncompatibleState:
    reasons = list(_reasons(found))
    told, more = reasons[:_MOST], len(reasons) - _MOST
    lines = [reason for reason, _ in told] + ([f"and {more} more"] if more > 0 else [])
    remedies = list(dict.fromkeys(remedy for _, remedy in told if remedy))
    error = IncompatibleState(
        f"the state of {desired.application!r} does not fit what it is to become; nothing was stopped:\n  "
        + "\n  ".join(lines),
        hint="\n".join([*remedies, *_ways_out(change)]),
    )
    return error.concerning("upgrade")


def _reasons(found: Compatibility) -> Iterator[tuple[str, str | None]]:
    for remark in found.remarks:
        if remark.weight is Weight.BLOCKS:
            yield remark.message, remark.remedy
    for operator in found.blocked:
        yield f'operator "{operator.name}": {operator.reason}', operator.remedy


def _ways_out(change: Change) -> Iterator[str]:
    if isinstance(change.operation, Upgrade) and change.operation.rollback_to is not None:
        application = change.operation.desired.application
        yield f"To go back with the state that the revision itself left:\n  scurry rollback {application} --from own"
    yield "To do it without this check: upgrade.state_check: off"


def _unknown(found: Compatibility, desired: Desired) -> IncompatibleState:
    first = next(iter(_uncertainties(found)))
    return IncompatibleState(
        f"it is not certain that the state of {desired.application!r} fits what it is to become, and "
        f"upgrade.unknown_state is refuse; nothing was stopped: {first}",
        hint="To see all of it, run:\n  scurry plan FILE",
    ).concerning("upgrade", "unknown_state")


def _uncertainties(found: Compatibility) -> Iterator[str]:
    for remark in found.remarks:
        if remark.weight is Weight.UNKNOWN:
            yield remark.message
    for operator in found.operators:
        if operator.is_unknown:
            reason = next(state.reason for state in operator.states if state.reason)
            yield f'operator "{operator.name}": {reason}'
