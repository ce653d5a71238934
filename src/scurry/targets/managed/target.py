"""The target itself: answers the `Target` protocol for one account and region of the managed service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scurry.model.errors import RejectedByTarget, TargetError, TargetUnsuitable, WorkspaceError
from scurry.model.observed import JobFailure, JobState, Observed
from scurry.model.operation import Action, Operation, Outcome, Step
from scurry.model.reporting import SilentActivity
from scurry.model.snapshot import FromLatest
from scurry.targets import lowering
from scurry.targets.managed import code
from scurry.targets.managed.checking import Checking
from scurry.targets.managed.configuration import Wished, options_of, series_of
from scurry.targets.managed.drift import drifted
from scurry.targets.managed.ending import Ending
from scurry.targets.managed.exporting import Exporting
from scurry.targets.managed.fleet import Fleet
from scurry.targets.managed.logs import Failures, StreamLog, stream_of
from scurry.targets.managed.metrics import Asked, Metrics, News
from scurry.targets.managed.runs import job_of, run_of, snapshots_of
from scurry.targets.managed.service import LIVE, Service
from scurry.targets.managed.starting import Start, Starting
from scurry.targets.managed.waiting import Waiting, undecided
from scurry.targets.rest.checking import may_drop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scurry.model.desired import Desired
    from scurry.model.observed import Job
    from scurry.model.ports import Log, Marks, StepContext
    from scurry.model.project import ManagedTarget as Settings
    from scurry.model.snapshot import Exported, Snapshot
    from scurry.targets.managed.aws import Aws
    from scurry.targets.managed.marking import Mark
    from scurry.targets.managed.runs import Run
    from scurry.targets.services import TargetServices


_LOG_LATER_S = 1.1


class ManagedTarget:
    """One account and region. Makes no call before it is asked something."""

    kind = "managed"

    def __init__(self, name: str, aws: Aws, settings: Settings, services: TargetServices) -> None:
        self.name = name
        self.aws = aws
        self._settings = settings
        self._services = services
        self._service = Service(aws)
        self._is_terraforms = settings.owner == "terraform"
        self._fleet = Fleet(service=self._service, names=settings.applications, by_tags=self._is_terraforms)
        self._metrics = Metrics(aws, settings.metrics_period)
        waiting = Waiting(service=self._service, clock=services.clock, target=name, poll=settings.poll)
        self._exporting = Exporting(
            service=self._service, waiting=waiting, settings=settings, target=name, reporter=services.reporter
        )
        self._ending = Ending(
            service=self._service,
            waiting=waiting,
            exporting=self._exporting,
            settings=settings,
            target=name,
            of_job=self._fleet.of_job,
        )
        self._starting = Starting(
            service=self._service, waiting=waiting, settings=settings, target=name, described=self._fleet.application
        )
        self._checking = Checking(
            service=self._service, settings=settings, services=services, target=name, exporting=self._exporting
        )
        self._failures = Failures(aws=aws)
        self._looked_at: dict[str, float] = {}
        self._known: dict[str, News] = {}

    # Reading

    def survey(self) -> Mapping[str, Job]:
        """Return the jobs of all applications: one listing, and one question to CloudWatch."""
        return self._fleet.survey(self._metrics, self._services.clock)

    def observe(self, application: str, marks: Sequence[str]) -> Observed:
        """Return what the service says of one application now; no application is an observation, too."""
        try:
            return self._observe(application, marks)
        except TargetError as error:
            return Observed.silent(error)
        except WorkspaceError as error:
            return Observed.silent(TargetUnsuitable(error.message, target=self.name, hint=error.hint))

    def find(self, step: Step) -> Outcome | None:
        """Say whether a step landed: by the application's mark. Waits for what is in progress."""
        with undecided():
            return self._found(step)

    def settings(self, job_id: str) -> Mapping[str, str]:
        """Return a job's Flink options as far as the service shows them."""
        return options_of(self._ending.known(job_id))

    def defaults(self, flink_version: str) -> Mapping[str, str]:
        """Return the Flink options that the service sets for every job, as far as they decide what state there is."""
        return {"state.backend.type": "rocksdb"}

    def left_by(self, job: Job) -> tuple[Snapshot, ...]:
        """Return the snapshots of a job and of those before it, newest first."""
        application = self._ending.known(job.id)
        own, older = snapshots_of(run_of(self._service, application), self._service.snapshots.of(application))
        return (*own, *older)

    def exported(self, snapshot: Snapshot) -> Exported | None:
        """Return where the bytes of a snapshot can be read; None: nowhere."""
        return self._exporting.exported(snapshot)

    def logs(self, application: str, flink_version: str) -> Sequence[Log]:
        """Return the log stream that the application names."""
        found = self._fleet.application(self._fleet.name_of(application))
        stream = stream_of(found) if found else None
        return (StreamLog(name=stream.name, aws=self.aws, stream=stream),) if stream else ()

    def steps(self, operation: Operation, marks: Marks) -> tuple[Step, ...]:
        """Lower an operation to steps."""
        return lowering.steps(operation, marks)

    # Acting

    def run(self, step: Step, context: StepContext) -> Outcome:  # noqa: C901, PLR0911 - a case for each action
        """Make a step's calls and wait for their end. Raises `TargetUnavailable` when their effect is not known."""
        match step.action:
            case Action.PREPARE | Action.RESCALE:
                return Outcome()
            case Action.UPLOAD if self._is_terraforms:
                return Outcome()
            case Action.UPLOAD:
                return Outcome(artifact_ref=self._upload(context).ref)
            case Action.CHECK:
                desired = _wish(context)
                name = self._fleet.name_of(desired.application)
                return Outcome(detail=self._checking.check(step, context, desired, name))
            case Action.SUBMIT:
                return self._submit(step, context)
            case Action.STOP:
                return self._ending.stop(step, context)
            case Action.SNAPSHOT:
                return self._ending.take(step, context)
            case Action.CANCEL:
                return self._ending.cancel(step, context)
            case Action.DISPOSE:
                return self._ending.dispose(step.inputs["location"], activity=context.activity)

    # Reading, in detail

    def _observe(self, application: str, marks: Sequence[str]) -> Observed:
        name = self._fleet.name_of(application)
        self._pace(name)
        found = self._fleet.expected(name, marks)
        if found is None:
            return Observed()
        run = run_of(self._service, found)
        own, older = snapshots_of(run, self._service.snapshots.of(found))
        news = self._news(run)
        job = job_of(
            run,
            name=self._fleet.id_of(name, found.mark),
            own=own,
            news=news,
            lateness=self._metrics.lateness,
            failures=self._failures_of(run, news),
        )
        is_own = found.mark.job in marks
        return Observed(
            jobs=(job,) if job and is_own else (),
            strangers=(job,) if job and not is_own and found.status in LIVE else (),
            flink_version=series_of(found.runtime),
            drifted=drifted(self._service, run) if job and is_own and not self._is_terraforms else (),
            retained=(*own, *older),
            ui_url=self._console(name) if self.aws.is_amazons else None,
        )

    def _pace(self, name: str) -> None:
        """Nobody is helped by looking more often: the service allows few calls a second to a whole account."""
        since = time.monotonic() - self._looked_at.get(name, float("-inf"))
        pause = self._settings.poll.total_seconds() - since
        if pause > 0:
            self._services.clock.sleep(pause)
        self._looked_at[name] = time.monotonic()

    def _news(self, run: Run) -> News:
        """Return what CloudWatch tells of the job; that a checkpoint completed stays true."""
        start = run.start
        if start is None or run.state is not JobState.RUNNING:
            return News()
        asked = Asked(application=run.application.name, runtime=run.application.runtime, since=start.start)
        news = self._metrics.of(asked, self._services.clock.now())
        known = self._known.get(start.id)
        if known and known.told:
            news = News(
                told=True,
                restarts=max(news.restarts, known.restarts),
                restarted_at=news.restarted_at,
                loops=news.loops,
                checkpoint=news.checkpoint or known.checkpoint,
                failed_checkpoints=max(news.failed_checkpoints, known.failed_checkpoints),
            )
        self._known[start.id] = news
        return news

    def _failures_of(self, run: Run, news: News) -> tuple[JobFailure, ...]:
        """Return why the newest operation failed, or what the job that runs failed with."""
        name, start = run.application.name, run.start
        if run.failure is not None and run.state is JobState.FAILED:
            reason = self._service.outcome(name, run.failure.id)[1]
            return (JobFailure(at=run.failure.start, message=reason),) if reason else ()
        if start is None or run.state is not JobState.RUNNING:
            return ()
        recent = int(news.restarted_at is not None)
        found = self._failures.of(run.application, start.id, start.start, restarts=recent)
        if recent and not found and stream_of(run.application):  # the log may come a moment after the metric
            self._services.clock.sleep(_LOG_LATER_S)
            found = self._failures.of(run.application, start.id, start.start, restarts=recent)
        return found

    def _console(self, name: str) -> str:
        region = self.aws.region
        return f"https://{region}.console.aws.amazon.com/flink/home?region={region}#/applications/{name}"

    def _found(self, step: Step) -> Outcome | None:
        match step.action:
            case Action.SUBMIT:
                application = self._fleet.of_job(step.mark)
                run = run_of(self._service, application) if application else None
                return self._starting.landed(run, SilentActivity()) if run else None
            case Action.STOP:
                snapshot = self._ending.stopped(step.inputs["job_id"], SilentActivity(), None)
                return Outcome(snapshot=snapshot) if snapshot else None
            case Action.SNAPSHOT:
                return self._ending.taken(step, SilentActivity())
            case Action.CANCEL:
                return self._ending.cancelled(step)
            case _:
                return None  # changes nothing, or nothing more when it is run again

    # Acting, in detail

    def _upload(self, context: StepContext) -> code.Code:
        """Upload the wish's code unless it is there, which costs one call; return where it is."""
        desired, settings = _wish(context), self._settings
        if not settings.bucket:
            raise TargetUnsuitable(
                f"target {self.name!r} names no `bucket`, to which code is uploaded",
                target=self.name,
                hint="Name one as `bucket` of the target; scurry makes none by itself.",
            ).concerning("targets", self.name, in_project=True)
        path, key = context.artifacts.path(desired.artifact), code.key_of(desired, settings.prefix)
        store = code.Store(self.aws, settings.bucket)
        version = store.find(key)
        if version is None:
            store.check()
            code.check_artifact(desired.artifact, desired, path)
            with code.as_uploaded(desired, path) as file:
                version = store.upload(file, key, context.activity)
        options = code.run_options(desired, path)
        return code.Code(bucket=settings.bucket, key=key, version=version or None, run_options=options)

    def _submit(self, step: Step, context: StepContext) -> Outcome:
        desired, restore = _wish(context), context.restore
        if isinstance(restore, FromLatest):
            raise RejectedByTarget("a submit needs to know which state it starts from", target=self.name)
        uploaded = None if self._is_terraforms else self._upload(context)

        def wished(mark: Mark) -> Wished:
            if uploaded is None:
                raise AssertionError("a version is only made where the configuration is ours")
            return Wished(
                desired=desired,
                settings=self._settings,
                code=uploaded,
                mark=mark,
                resolve=context.secrets.resolve,
            )

        start = Start(
            name=self._fleet.name_of(desired.application),
            application=desired.application,
            mark=step.mark,
            restore=restore,
            may_drop=may_drop(desired, step.inputs.get("drops")),
            wished=wished,
        )
        self._fleet.by_job[step.mark] = start.name
        self._looked_at.pop(start.name, None)
        return self._starting.submit(start, context.activity)


def _wish(context: StepContext) -> Desired:
    if context.desired is None:
        raise AssertionError("this step belongs to an operation with a wish")
    return context.desired
