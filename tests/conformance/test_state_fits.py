"""Whether state fits, said of a job that runs on a real Flink, before it is stopped; and that it then is so."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from scurry.cli.graph_svg import draw
from scurry.engine.compatibility_asking import StateWanted
from scurry.flink.runtimes import Runtimes
from scurry.model.compatibility import Compatibility, Fit, OperatorFate, OperatorVerdict, StateFate
from scurry.model.errors import IncompatibleState
from scurry.model.plan import Plan
from scurry.model.result import Applied, ApplyOutcome
from scurry.workspace import Workspace
from tests.conformance.stage import PROJECT, VERSION
from tests.flink.local_flink import stopped_afterwards, until
from tests.targets.probe import probe_jar

pytestmark = [pytest.mark.flink, pytest.mark.network, pytest.mark.timeout(600)]

SPEC = """\
name: probe
flink: "{version}"
code: {{jar: {jar}, args: {args}}}
config: {{execution.checkpointing.interval: 300ms}}
upgrade: {{health: {{window: 60s}}, {upgrade}}}
"""
NAME = "properties none"
"""of the operator with state"""


class Shop:
    """A project with one application, whose program does as its arguments say."""

    def __init__(self, folder: Path, jar: Path) -> None:
        self.folder = folder
        self.jar = jar
        self.spec = folder / "probe.yaml"
        (folder / "scurry.yaml").write_text(PROJECT)

    def write(self, *args: str, **upgrade: str) -> Path:
        policy = ", ".join(f"{key}: {value}" for key, value in upgrade.items())
        self.spec.write_text(SPEC.format(version=VERSION, jar=self.jar, args=json.dumps(args), upgrade=policy))
        return self.spec

    def open(self) -> Workspace:
        return Workspace.open(self.folder)

    def plan(self, *args: str, picture: bool = False, **upgrade: str) -> Plan:
        return self.open().plan(self.write(*args, **upgrade), picture=picture)

    def found(self, *args: str, picture: bool = False, **upgrade: str) -> Compatibility:
        (change,) = self.plan(*args, picture=picture, **upgrade).changes
        assert change.compatibility
        return change.compatibility

    def apply(self, *args: str, **upgrade: str) -> Applied:
        return self.open().apply(self.write(*args, **upgrade), confirm=lambda plan: True)

    def job_id(self) -> str:
        observed, _ = self.open().observe("probe")
        assert observed.live
        return observed.live.id

    def has_checkpoint(self) -> bool:
        observed, _ = self.open().observe("probe")
        return observed.live is not None and observed.live.latest_checkpoint is not None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, runtimes: Runtimes) -> Iterator[Shop]:
    """The application runs, and has completed a checkpoint."""
    folder = tmp_path_factory.mktemp("shop")
    with stopped_afterwards(folder / ".scurry"):
        shop = Shop(folder, probe_jar(runtimes, VERSION))
        assert shop.apply().outcome is ApplyOutcome.CONVERGED
        until(shop.has_checkpoint, what="a checkpoint")
        yield shop


def counting(found: Compatibility) -> OperatorVerdict:
    return next(verdict for verdict in found.operators if verdict.name == NAME)


def test_a_program_with_other_arguments_fits_and_flink_itself_says_so(shop: Shop) -> None:
    found = shop.found("slow-snapshot=1")
    assert found.fit is Fit.FITS, found
    assert {verdict.fate for verdict in found.operators} == {OperatorFate.KEPT}
    (count,) = counting(found).states
    assert (count.name, count.fate, count.before, count.by_flink) == ("count", StateFate.SAME, "Long", True)


def test_what_runs_already_needs_no_looking(shop: Shop) -> None:
    assert shop.plan().is_converged


def test_a_changed_uid_is_refused_while_the_job_runs_on(shop: Shop) -> None:
    before = shop.job_id()
    found = shop.found("uid=another")
    assert found.fit is Fit.BLOCKED
    assert (counting(found).fate, counting(found).uid) == (OperatorFate.MOVED, "counting")
    assert counting(found).lost > 0
    with pytest.raises(IncompatibleState, match="counting") as refused:
        shop.apply("uid=another")
    assert '.uid("counting")' in (refused.value.hint or "")
    assert shop.job_id() == before


def test_a_max_parallelism_that_changes_is_refused_while_the_job_runs_on(shop: Shop) -> None:
    before = shop.job_id()
    with pytest.raises(IncompatibleState, match="max parallelism"):
        shop.open().apply(Path(_with_config(shop, "pipeline.max-parallelism: 64")), confirm=lambda plan: True)
    assert shop.job_id() == before


def _with_config(shop: Shop, option: str) -> Path:
    path = shop.write()
    path.write_text(path.read_text().replace("config: {", f"config: {{{option}, "))
    return path


def test_both_graphs_are_drawn_with_their_edges(shop: Shop) -> None:
    found = shop.found("uid=another", picture=True)
    edges = [(verdict.name, len(verdict.inputs_before), len(verdict.inputs)) for verdict in found.operators]
    assert (NAME, 1, 1) in edges
    assert ET.fromstring(draw(found, title="probe")) is not None


def test_a_savepoint_and_a_jar_are_enough_to_ask(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    from scurry.cli.main import main

    snapshot = shop.open().take_snapshot("probe", confirm=lambda plan: True).snapshot
    assert snapshot
    asked = ("state", "check", "--from", snapshot.location, "--jar", str(shop.jar), "--flink", VERSION)
    assert main(asked) == 0
    assert "State fits" in capsys.readouterr().out
    assert main([*asked, "--arg", "uid=another"]) == 1
    assert main([*asked, "--arg", "uid=another", "--allow", "counting"]) == 3
    assert main([*asked[:3], f"{snapshot.location}-gone", *asked[4:]]) == 1
    capsys.readouterr()


def test_an_application_can_be_asked_about_a_file(shop: Shop) -> None:
    spec = shop.write("uid=another")
    assert shop.open().check_state("probe", spec, StateWanted()).fit is Fit.BLOCKED
    assert shop.open().check_state("probe", spec, StateWanted(allowed=("counting",))).fit is Fit.DROPS


def test_state_of_operators_that_are_named_is_dropped_and_no_other(shop: Shop) -> None:
    """The last: it changes what runs."""
    with pytest.raises(IncompatibleState):
        shop.apply("uid=another", allow_non_restored_state="[throttle]")
    applied = shop.apply("uid=another", allow_non_restored_state="[counting]")
    assert applied.outcome is ApplyOutcome.CONVERGED, applied.error
    assert applied.snapshot, "it started from the savepoint, not from nothing"
    until(shop.has_checkpoint, what="a checkpoint")
    assert shop.found("uid=another", "slow-snapshot=1").fit is Fit.FITS
