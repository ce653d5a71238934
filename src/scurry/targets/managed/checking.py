"""All that can be known beforehand says that the new job can start: asked while the old one still runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scurry.flink.job_graph_answer import ProgramFailed
from scurry.model.desired import StateCheck
from scurry.model.errors import RejectedByTarget, ScurryError, TargetUnsuitable
from scurry.model.snapshot import FromLatest, FromSnapshot
from scurry.targets.managed import code, configuration, roles
from scurry.targets.managed.configuration import FIRST_ENHANCED, RUNTIMES, can_be_enhanced, kpus, runtime_of, series_of
from scurry.targets.managed.snapshots import key_of
from scurry.targets.rest.checking import check_dropping

if TYPE_CHECKING:
    from scurry.model.desired import Desired
    from scurry.model.operation import Step
    from scurry.model.ports import StepContext
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.snapshot import Restore
    from scurry.targets.managed.exporting import Exporting
    from scurry.targets.managed.service import Application, Service
    from scurry.targets.services import TargetServices

_READ_CODE = """{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow",
  "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::{bucket}/{prefix}*"}}]}}"""
_ELSEWHERE = "/etc/flink/application_properties.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Checks wishes for one target."""

    service: Service
    settings: Settings
    services: TargetServices
    target: str
    exporting: Exporting

    def check(self, step: Step, context: StepContext, desired: Desired, name: str) -> dict[str, object]:
        """Raise an error when the job is known not to start. Returns what was found out."""
        drops = step.inputs.get("drops")
        if self.settings.owner == "terraform":
            return self._check_terraforms(step, context, desired, name)
        self._check_wish(desired)
        self._check_size(desired)
        check_dropping(desired, context.restore, self.target, drops=drops)
        code.check_artifact(desired.artifact, desired, context.artifacts.path(desired.artifact))
        self._check_role()
        application = self.service.application(name)
        self.check_snapshots(desired, context.restore, name, application)
        if application is not None:
            self._check_runtime(desired, application, context.restore)
            self._check_stop(step, context.restore, application)
        self._tell(desired, context)
        vertices = self._check_graph(desired, context)
        return {"kpus": kpus(desired.parallelism, self.settings.parallelism_per_kpu), "vertices": vertices}

    def _check_terraforms(self, step: Step, context: StepContext, desired: Desired, name: str) -> dict[str, object]:
        """What is started is what Terraform made: the wish may say nothing else."""
        application = self.service.application(name)
        if application is None:
            raise TargetUnsuitable(
                f"there is no application {name!r} on the service; it is Terraform's to make it",
                target=self.target,
                hint="To make it:\n  terraform apply",
            )
        for trouble in configuration.differences(desired, application):
            raise TargetUnsuitable(trouble.message, target=self.target, hint=trouble.hint).concerning(*trouble.path)
        check_dropping(desired, context.restore, self.target, drops=step.inputs.get("drops"))
        self._check_snapshot(context.restore, name, application)
        self._check_stop(step, context.restore, application)
        return {}

    def _check_wish(self, desired: Desired) -> None:
        runtime = runtime_of(desired.flink_version)
        if runtime not in RUNTIMES:
            known = ", ".join(map(series_of, RUNTIMES))
            raise TargetUnsuitable(
                f"the managed service has no Flink {desired.flink_version}; it has {known}",
                target=self.target,
                hint="Set `flink` in the application to one of them.",
            ).concerning("flink")
        for trouble in configuration.troubles(desired):
            raise TargetUnsuitable(trouble.message, target=self.target, hint=trouble.hint).concerning(*trouble.path)

    def _check_size(self, desired: Desired) -> None:
        per_kpu, quota = self.settings.parallelism_per_kpu, self.settings.kpu_quota
        needed = kpus(desired.parallelism, per_kpu)
        if needed > quota:
            raise TargetUnsuitable(
                f"{desired.parallelism} slots, {per_kpu} to a KPU, are {needed} KPUs, and the quota is {quota} for an "
                "application",
                target=self.target,
                hint="Lower `parallelism`, put more slots on a KPU (`parallelism_per_kpu` of the target), or have the "
                "quota raised and write it as `kpu_quota` of the target.",
            ).concerning("parallelism")

    def _check_role(self) -> None:
        role = self.settings.role
        if not role:
            raise TargetUnsuitable(
                f"target {self.target!r} names no `role`, under which the service runs applications",
                target=self.target,
                hint=self._role_hint(),
            ).concerning("targets", self.target, in_project=True)
        if roles.is_missing(self.service.aws, role):
            raise TargetUnsuitable(
                f"there is no role {role!r}, under which the service is to run applications",
                target=self.target,
                hint=self._role_hint(),
            ).concerning("targets", self.target, "role", in_project=True)

    def _role_hint(self) -> str:
        reads = _READ_CODE.format(bucket=self.settings.bucket, prefix=self.settings.prefix)
        return (
            f"Make one whom the service may become:\n  {roles.TRUST}\nand which may read the code:\n  {reads}\n"
            "and whatever the applications themselves need. Then name its ARN as `role` of the target."
        )

    def check_snapshots(self, desired: Desired, restore: Restore, name: str, application: Application | None) -> None:
        """Raise an error when snapshots cannot be taken as is wished, or the one to start from cannot be had."""
        self._check_enhanced(desired, application)
        self._check_snapshot(restore, name, application)

    def _check_enhanced(self, desired: Desired, application: Application | None) -> None:
        """Enhanced snapshots need Flink 1.20, an account that has them, and a place that they can be copied to."""
        wanted = self.settings.snapshots is not None
        is_so = application is not None and application.is_enhanced
        if (wanted or is_so) and not can_be_enhanced(runtime_of(desired.flink_version)):
            hint = "Leave `snapshots` out of the target, or set `flink` in the application to a newer one."
            raise TargetUnsuitable(
                f"enhanced snapshots need Flink {series_of(FIRST_ENHANCED)} or newer, not {desired.flink_version}; "
                + (f"`snapshots` of target {self.target!r} asks for them" if wanted else "the application has them"),
                target=self.target,
                hint=hint if wanted and not is_so else "Set `flink` in the application to a newer one.",
            ).concerning("flink")
        self.exporting.check()

    def _check_snapshot(self, restore: Restore, name: str, application: Application | None) -> None:
        """It has to be there, and of the kind that the application will start from."""
        if not isinstance(restore, FromSnapshot):
            return
        location = restore.snapshot.location
        key = key_of(location)
        if key is None or key.application not in {None, name} or (key.application and application is None):
            raise self._no_snapshot(location)
        entry = self.service.snapshots.find(key)
        if entry is None or entry["SnapshotStatus"] != "READY":
            raise self._no_snapshot(location)
        is_enhanced = application is not None and application.is_enhanced
        if key.application is not None and is_enhanced:
            raise TargetUnsuitable(
                f"{location!r} is of before {name!r} was switched to enhanced snapshots, and the service starts it "
                "only from those now",
                target=self.target,
                hint="To see what there is, run:\n  scurry snapshot list APPLICATION",
            )
        if key.application is None and not is_enhanced and self._stays_legacy(application):
            raise TargetUnsuitable(
                f"{location!r} is an enhanced snapshot, and {name!r} does not take those",
                target=self.target,
                hint="Say by `snapshots` of the target that it is to.",
            ).concerning("targets", self.target, in_project=True)

    def _stays_legacy(self, application: Application | None) -> bool:
        if application is None:
            return self.settings.snapshots is None
        return not configuration.takes_enhanced(application, self.settings)

    def _no_snapshot(self, location: str) -> RejectedByTarget:
        return RejectedByTarget(f"the service has no snapshot {location!r} for this application", target=self.target)

    def _check_runtime(self, desired: Desired, application: Application, restore: Restore) -> None:
        """Down only to a runtime that it ran with before, and from a snapshot of that one or an earlier one."""
        wanted, now = runtime_of(desired.flink_version), application.runtime
        if now not in RUNTIMES or RUNTIMES.index(wanted) >= RUNTIMES.index(now):
            return
        wrote = None
        if isinstance(restore, FromSnapshot) and (key := key_of(restore.snapshot.location)):
            entry = self.service.snapshots.find(key)
            wrote = entry.get("RuntimeEnvironment") if entry else None
        if isinstance(restore, FromLatest) or (wrote in RUNTIMES and RUNTIMES.index(wrote) > RUNTIMES.index(wanted)):
            raise TargetUnsuitable(
                f"{application.name!r} runs on {now}, and the service takes no state of that back to {wanted}",
                target=self.target,
                hint="Start it from a snapshot that the older one wrote:\n  scurry rollback APPLICATION",
            ).concerning("flink")

    def _check_stop(self, step: Step, restore: Restore, application: Application) -> None:
        if step.inputs.get("replaces") and isinstance(restore, FromLatest) and not application.snapshots_enabled:
            raise TargetUnsuitable(
                f"snapshots of {application.name!r} are switched off: its stop would lose the state",
                target=self.target,
                hint="Switch them on first (ApplicationSnapshotConfiguration).",
            )

    def _tell(self, desired: Desired, context: StepContext) -> None:
        reporter = self.services.reporter
        if secret := configuration.secret_properties(desired):
            reporter.warn(
                f"whoever may describe the application can read its properties on the service: {', '.join(secret)}"
            )
        if code.has_requirements(desired, context.artifacts.path(desired.artifact)):
            reporter.warn(
                "the service installs no Python packages by itself: have the script do it "
                "(env.set_python_requirements), or put the packages beside it"
            )

    def _check_graph(self, desired: Desired, context: StepContext) -> int | None:
        """Build the job graph here: the service tells only after it stopped the old job that `main` fails."""
        if desired.upgrade.state_check is StateCheck.OFF:
            return None
        from scurry.targets.job_graphs import Asking, wished_graph

        asking = Asking(
            secrets=context.secrets,
            artifacts=context.artifacts,
            runtimes=self.services.runtimes,
            reporter=self.services.reporter,
            cluster={"state.backend.type": "rocksdb"},
            of_service=True,
        )
        try:
            return len(wished_graph(desired, asking).graph.operators)
        except ProgramFailed as error:
            if error.without_network or _ELSEWHERE in f"{error.message} {error.cause}":
                self._unseen(error)
                return None
            raise RejectedByTarget(
                error.message,
                target=self.target,
                cause=error.cause,
                hint="This was found out on this machine. If it can only work on the service, set "
                "`upgrade.state_check: off`.",
            ) from error

    def _unseen(self, error: ScurryError) -> None:
        self.services.reporter.warn(f"whether the program builds its job could not be seen here: {error.message}")
