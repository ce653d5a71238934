"""Copies enhanced snapshots to S3, and tells where copies are. A snapshot without one is as good to start from.

An export is known again by the snapshot that it is of: nothing has to be remembered, and none is made twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.model.errors import PlanOutdated, RejectedByTarget, TargetError, TargetUnsuitable
from scurry.model.snapshot import Exported
from scurry.targets.managed import roles
from scurry.targets.managed.configuration import takes_enhanced
from scurry.targets.managed.faults import UNSUPPORTED, Answered
from scurry.targets.managed.snapshots import EXPORT, Key, key_of

if TYPE_CHECKING:
    from datetime import timedelta

    from scurry.model.ports import Activity, Reporter
    from scurry.model.project import ManagedSnapshots
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.snapshot import Snapshot
    from scurry.targets.managed.service import Application, Service
    from scurry.targets.managed.waiting import Waiting

_WRITE = """{{"Version": "2012-10-17", "Statement": [
  {{"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
    "Resource": "arn:aws:s3:::{bucket}/{prefix}*"}},
  {{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": "arn:aws:s3:::{bucket}"}}]}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """Exports on one target."""

    service: Service
    waiting: Waiting
    settings: Settings
    target: str
    reporter: Reporter

    @property
    def role(self) -> str | None:
        """The role under which the service writes copies."""
        block = self.settings.snapshots
        return (block.role if block else None) or self.settings.role

    # Beforehand

    def check(self) -> None:
        """Raise `TargetUnsuitable` when the account has no enhanced snapshots, or copies of them cannot be written."""
        block = self.settings.snapshots
        if block is None:
            return
        try:
            self.service.snapshots.probe()
        except Answered as error:
            if error.word == UNSUPPORTED:
                raise self._unsuitable(
                    f"this account has no enhanced snapshots in this region, and `snapshots` of target "
                    f"{self.target!r} asks for them: {error.message}",
                    "Leave `snapshots` out of the target: state is compared by what the programs ask for then.",
                ) from error
            raise
        self._check_role()
        self._check_bucket(_place(block)[0])

    def _check_role(self) -> None:
        if not self.role:
            raise self._unsuitable(f"target {self.target!r} names no `role` for copies of snapshots", self.hint())
        if roles.is_missing(self.service.aws, self.role):
            raise self._unsuitable(
                f"there is no role {self.role!r}, under which the service is to write copies of snapshots", self.hint()
            )

    def _check_bucket(self, bucket: str) -> None:
        try:
            self.service.aws.call("s3", "head_bucket", Bucket=bucket)
        except Answered as error:
            if error.word in {"404", "NoSuchBucket"}:
                raise self._unsuitable(
                    f"there is no bucket {bucket!r}, to which snapshots are copied",
                    f"Make it, in the account and region of the applications:\n  aws s3 mb s3://{bucket}",
                ) from error
            if error.word == "301":
                raise self._unsuitable(
                    f"bucket {bucket!r}, to which snapshots are copied, is in another region than the applications",
                    "Name one that is in theirs.",
                ) from error
            raise
        except TargetUnsuitable:
            pass  # scurry needs no right on the bucket to have it written

    def _unsuitable(self, message: str, hint: str) -> TargetUnsuitable:
        found = TargetUnsuitable(message, target=self.target, hint=hint)
        return found.concerning("targets", self.target, "snapshots", in_project=True)

    def hint(self) -> str:
        """Say what the role has to be allowed."""
        if self.settings.snapshots is None:
            raise AssertionError("asked only where copies are made")
        bucket, prefix = _place(self.settings.snapshots)
        return (
            f"Make a role whom the service may become:\n  {roles.TRUST}\nand which may write there:\n  "
            f"{_WRITE.format(bucket=bucket, prefix=prefix)}\nThen name its ARN as `snapshots.role` of the target. "
            "Your own role needs iam:PassRole on it."
        )

    # Copies

    def export(self, key: Key, *, activity: Activity, limit: timedelta) -> None:
        """Have a whole snapshot copied unless it was, and wait for that. That it failed is a warning, no more."""
        if not self._copies(key):
            return
        hint: str | None = None
        try:
            status, why = self._exported(key, activity, limit)
        except (RejectedByTarget, TargetUnsuitable, PlanOutdated) as error:
            status, why, hint = "FAILED", error.message, error.hint
        if status != "SUCCESSFUL":
            self._warn(key, why or status, hint)

    def begin(self, key: Key) -> None:
        """Have a whole snapshot copied, and do not wait for it: its job's end is what counts."""
        if not self._copies(key):
            return
        try:
            self._begun(key)
        except (TargetError, PlanOutdated) as error:
            self._warn(key, error.message, error.hint)

    def is_over(self, key: Key, *, activity: Activity) -> bool:
        """Whether nothing is left to do for a snapshot's copy; one that is being made is waited for."""
        if not self._copies(key):
            return True
        newest = next(iter(self.service.snapshots.works(key.name, EXPORT)), None)
        if newest is not None and newest.status == "IN_PROGRESS":
            self._wait(key, newest.id, activity, None)
        return newest is not None

    def exported(self, snapshot: Snapshot) -> Exported | None:
        """Return where the bytes of a snapshot can be read; None: nowhere."""
        key = key_of(snapshot.location)
        if key is None or key.application is not None:
            return None
        place = self.service.snapshots.exported(key.name)
        return Exported(location=place, s3=self.service.aws.client("s3")) if place else None

    def tell_of_none(self, application: Application) -> None:
        """Warn that a snapshot is not copied yet, where copies are wanted: it is of the legacy kind."""
        if takes_enhanced(application, self.settings):
            self.reporter.warn(
                f"{application.name!r} takes no enhanced snapshots yet, so this one is not copied: its next upgrade "
                "switches it"
            )

    def _copies(self, key: Key) -> bool:
        """Whether a snapshot is to be copied; only an enhanced one can be."""
        return self.settings.snapshots is not None and key.application is None

    def _exported(self, key: Key, activity: Activity, limit: timedelta) -> tuple[str, str]:
        begun = self._begun(key)
        return self._wait(key, begun, activity, limit) if begun else ("SUCCESSFUL", "")

    def _begun(self, key: Key) -> str | None:
        """Return the id of the export that is under way, begun now if need be; None: there is a copy."""
        works = self.service.snapshots.works(key.name, EXPORT)
        if any(each.status == "SUCCESSFUL" for each in works):
            return None
        for each in works:
            if each.status == "IN_PROGRESS":
                return each.id
        block = self.settings.snapshots
        if block is None or self.role is None:
            raise TargetUnsuitable(
                f"target {self.target!r} names no `role` for copies of snapshots", target=self.target, hint=self.hint()
            )
        bucket, prefix = _place(block)
        return self.service.snapshots.export(key.name, bucket=bucket, prefix=prefix, role=self.role)

    def _wait(self, key: Key, id: str, activity: Activity, limit: timedelta | None) -> tuple[str, str]:
        return self.waiting.ended(
            lambda: self.service.snapshots.outcome(key.name, id),
            activity=activity,
            limit=limit,
            what=f"the copy of snapshot {key.name!r}",
        )

    def _warn(self, key: Key, why: str, hint: str | None) -> None:
        self.reporter.warn(
            f"snapshot {key.name!r} is whole, but could not be copied to S3, so its bytes cannot be compared: {why}\n"
            f"{hint or self.hint()}"
        )


def _place(block: ManagedSnapshots) -> tuple[str, str]:
    """Return bucket and prefix."""
    bucket, _, prefix = block.export.removeprefix("s3://").partition("/")
    return bucket, prefix
