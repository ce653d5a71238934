"""Whole verbs on the managed service: each as a new command, on an emulated service with a real Flink."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scurry.emulator.endpoint import Emulator
from scurry.flink.runtimes import Runtimes
from scurry.model.errors import IncompatibleState
from scurry.model.observed import Job, Phase
from scurry.model.result import Applied, ApplyOutcome
from scurry.workspace import Workspace
from tests.emulator.clients import is_laid_over
from tests.flink.local_flink import until
from tests.server.site import running_server
from tests.targets.managed_rig import BUCKET, PATIENCE_S, ROLE, SOURCE, VERSION, boto, emulating, logging_to
from tests.targets.probe import jar_of

pytestmark = [
    pytest.mark.flink,
    pytest.mark.skipif(not is_laid_over(), reason="needs mount namespaces: this machine allows none"),
]

GROUP = "flink"
PROJECT = f"""\
target: msf
targets:
  msf:
    kind: managed
    endpoint: {{url}}
    region: us-east-1
    role: {ROLE}
    bucket: {BUCKET}
    kpu_quota: 8
    poll: 50ms
    metrics_period: 1s
    log_stream: "arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:log-stream:{{application}}"
"""
SPEC = """\
name: served
flink: "{version}"
code: {{jar: served.jar}}
parallelism: {parallelism}
config: {{execution.checkpointing.interval: 300ms}}
properties: {{job: {{counts: {counts}{properties}}}}}
upgrade: {{state_check: {state_check}, allow_non_restored_state: {allowed}, health: {{window: 60s}}}}
"""


@dataclass
class Stage:
    """A project with one application."""

    folder: Path
    url: str

    @property
    def spec(self) -> Path:
        return self.folder / "served.yaml"

    @property
    def counts(self) -> Path:
        return self.folder / "counts.txt"

    def open(self) -> Workspace:
        """Open the project as a new command does."""
        return Workspace.open(self.folder)

    def apply(self, **wanted: Any) -> Applied:
        self.wish(**wanted)
        return self.open().apply(self.spec, confirm=lambda plan: True)

    def wish(
        self, *, parallelism: int = 1, state_check: str = "off", allowed: str = "false", **properties: str
    ) -> None:
        """Write the spec."""
        told = "".join(f", {key}: {value!r}" for key, value in properties.items())
        self.spec.write_text(
            SPEC.format(
                version=VERSION,
                parallelism=parallelism,
                counts=self.counts,
                properties=told,
                state_check=state_check,
                allowed=allowed,
            )
        )

    def verb(self, name: str, *given: Any, **named: Any) -> Applied:
        found: Applied = getattr(self.open(), name)("served", *given, confirm=lambda plan: True, **named)
        return found

    def job(self) -> Job:
        """Return the one job that runs."""
        observed, _ = self.open().observe("served")
        assert observed.live
        return observed.live

    def phase(self) -> Phase:
        (report,) = self.open().status("served")
        return report.phase

    def may_drop(self) -> bool:
        """Whether the service was told with the newest start that state may be left over."""
        detail = boto(self.url)("kinesisanalyticsv2").describe_application(ApplicationName="served")
        run = detail["ApplicationDetail"]["ApplicationConfigurationDescription"]["RunConfigurationDescription"]
        return bool(run["FlinkRunConfigurationDescription"]["AllowNonRestoredState"])

    def goes_on(self) -> None:
        """Wait until a key was counted further than ever before; it was never counted from the beginning again."""
        before = max(self._counted(), default=0)
        until(lambda: max(self._counted(), default=0) > before, "it goes on", patience_s=PATIENCE_S)
        assert self._counted().count(1) <= 1, "it began anew"

    def _counted(self) -> list[int]:
        return [int(line) for line in self.counts.read_text().split()] if self.counts.exists() else []


@pytest.fixture(scope="module")
def emulator(runtimes: Runtimes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests of the module."""
    with emulating(tmp_path_factory.mktemp("msf"), runtimes) as served, logging_to(served.url, GROUP, "served"):
        yield served


@pytest.fixture(scope="module")
def stage(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Stage:
    """A project with an application that runs."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "scurry.yaml").write_text(PROJECT.replace("{url}", emulator.url))
    shutil.copy(jar_of(SOURCE, runtimes, VERSION), folder / "served.jar")
    return Stage(folder, emulator.url)


@pytest.fixture
def running(stage: Stage) -> Stage:
    """The same, with a good revision that runs."""
    assert stage.apply(label="good").outcome in {ApplyOutcome.CONVERGED, ApplyOutcome.UNCHANGED}
    stage.goes_on()
    return stage


def test_an_upgrade_goes_on_from_the_snapshot_of_its_own_stop(running: Stage) -> None:
    before = running.job()
    upgraded = running.apply(label="better", parallelism=2, state_check="full")
    assert upgraded.outcome is ApplyOutcome.CONVERGED
    assert upgraded.snapshot
    assert upgraded.snapshot.job_id == before.id
    after = running.job()
    assert (after.id, after.parallelism) == (upgraded.job_id, 2)
    assert after.restored_from == upgraded.snapshot.location
    running.goes_on()
    back = running.verb("rollback")
    assert back.outcome is ApplyOutcome.CONVERGED
    assert running.job().parallelism == 1
    running.goes_on()


def test_what_was_changed_behind_its_back_is_seen_and_put_right(running: Stage) -> None:
    service = boto(running.url)("kinesisanalyticsv2")
    detail = service.describe_application(ApplicationName="served")["ApplicationDetail"]
    monitoring = {"ConfigurationTypeUpdate": "CUSTOM", "LogLevelUpdate": "DEBUG"}
    service.update_application(
        ApplicationName="served",
        CurrentApplicationVersionId=detail["ApplicationVersionId"],
        ApplicationConfigurationUpdate={
            "FlinkApplicationConfigurationUpdate": {"MonitoringConfigurationUpdate": monitoring}
        },
    )
    until(lambda: running.phase() is Phase.RUNNING, "it runs again", patience_s=PATIENCE_S)
    (report,) = running.open().status("served")
    assert report.notes == ("changed by somebody else since it was started: LogLevel INFO → DEBUG",)
    plan = running.open().plan(running.spec)
    assert [change.reason for change in plan.changes] == list(report.notes)
    assert running.apply(label="good").outcome is ApplyOutcome.CONVERGED
    assert running.open().plan(running.spec).is_converged
    running.goes_on()


def test_what_cannot_start_is_followed_by_the_version_before_it(running: Stage) -> None:
    """The service leaves it READY; the reason is told, and the old version goes on where it was stopped."""
    bad = running.apply(main="fails-there")
    assert bad.outcome is ApplyOutcome.ROLLED_BACK
    assert bad.error
    assert "told to fail on the service" in bad.error.message
    assert bad.snapshot
    assert running.job().restored_from == bad.snapshot.location
    running.goes_on()


def test_a_restart_loop_behind_running_is_rolled_back_and_explained(running: Stage) -> None:
    bad = running.apply(fail_after="1")
    assert bad.outcome is ApplyOutcome.ROLLED_BACK
    assert bad.error
    assert "told to fail after 1 records" in bad.error.message
    running.goes_on()


def test_stop_and_start_need_no_change_and_any_snapshot_or_none_will_do(running: Stage) -> None:
    stopped = running.verb("stop")
    assert stopped.outcome is ApplyOutcome.SUSPENDED
    assert running.phase() is Phase.SUSPENDED
    assert stopped.snapshot
    older = next(kept for kept in running.open().snapshots("served") if kept.location != stopped.snapshot.location)
    running.verb("start", source=older.location.rpartition("/")[2])
    assert running.job().restored_from == older.location
    assert running.verb("restart", source="none").outcome is ApplyOutcome.CONVERGED
    assert running.job().restored_from is None
    running.counts.unlink()


def test_the_server_alone_leaves_a_restart_loop_for_the_last_good_version(running: Stage) -> None:
    trigger = running.folder / "fail-now"
    risky = running.apply(fail_when=str(trigger))
    assert risky.outcome is ApplyOutcome.CONVERGED
    with running_server(running.folder, "--interval", "500ms") as server:
        trigger.touch()
        told = server.await_event("recovered", "served", patience_s=PATIENCE_S)
        assert told
    assert running.job().id != risky.job_id
    running.goes_on()


def test_state_that_would_be_lost_is_told_before_the_stop_and_dropped_only_where_that_is_allowed(
    running: Stage,
) -> None:
    before = running.job().id
    with pytest.raises(IncompatibleState, match="counting"):
        running.apply(uid="other", state_check="full")
    assert running.job().id == before, "it was not even stopped"

    dropped = running.apply(uid="other", state_check="full", allowed="[counting]")
    assert dropped.outcome is ApplyOutcome.CONVERGED
    assert running.may_drop()
    running.counts.unlink(missing_ok=True)
    unseen = running.apply(label="unseen")
    assert unseen.outcome is ApplyOutcome.ROLLED_BACK, "nobody looked beforehand, and the service refused"
    assert not running.may_drop()
