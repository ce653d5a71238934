"""The plan that a person only asks about: would the state of an application fit this program? Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scurry.engine import restore
from scurry.engine.phase import phase_of
from scurry.model.desired import StateCheck, UpgradeMode
from scurry.model.errors import PlanError
from scurry.model.operation import Resume, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromLatest, FromSnapshot

if TYPE_CHECKING:
    from datetime import datetime

    from scurry.model.desired import Desired
    from scurry.model.journal import History
    from scurry.model.observed import Observed
    from scurry.model.operation import Operation


class StateWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    environment: str | None = None
    source: str = "latest"
    """`latest`, or a snapshot by its name or location"""
    allowed: bool | tuple[str, ...] = ()
    """operators whose state may go, besides those that the spec names; True: any"""
    picture: bool = False
    """also what only a picture needs"""


def plan_to_check(
    desired: Desired, observed: Observed, history: History, *, wanted: StateWanted, now: datetime
) -> Plan:
    """Return the plan of going on from an application's state with another program; it is never carried out.

    Raises `SnapshotNotFound`, `PlanError`.
    """
    asked = _to_be_checked(desired, wanted.allowed)
    operation = _operation(asked, observed, history, source=wanted.source, now=now)
    return Plan(
        application=desired.application,
        target=history.target or desired.target,
        phase=phase_of(observed, history),
        position=history.position,
        changes=(Change(operation=operation, reason="asked whether state fits"),),
        desired=asked,
        made_at=now,
    )


def _operation(desired: Desired, observed: Observed, history: History, *, source: str, now: datetime) -> Operation:
    if source == "latest" and observed.live is not None:
        return Upgrade(desired=desired, restore=FromLatest(), mode=desired.upgrade.mode, job_id=observed.live.id)
    chosen = restore.named(source, observed, history, now=now)
    if not isinstance(chosen, FromSnapshot):
        raise PlanError("a start without state needs no check: name a snapshot, or `latest`")
    return Resume(desired=desired, restore=chosen)


def _to_be_checked(desired: Desired, allowed: bool | tuple[str, ...]) -> Desired:
    """Return a wish whose policy has the state looked at: that is what was asked for."""
    policy = desired.upgrade
    named = policy.allow_non_restored_state
    either = True if named is True or allowed is True else (*(named or ()), *(allowed or ())) or False
    return msgspec.structs.replace(
        desired,
        upgrade=msgspec.structs.replace(
            policy,
            mode=UpgradeMode.SAVEPOINT if policy.mode is UpgradeMode.STATELESS else policy.mode,
            state_check=StateCheck.FULL if policy.state_check is StateCheck.OFF else policy.state_check,
            allow_non_restored_state=either,
        ),
    )
