"""What is read and asked before a change, and when: with snapshots and programs that are made up."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from scurry.model.compatibility import Compatibility, Fit, StateFate, Weight
from scurry.model.desired import ArtifactKind, Desired, SqlPlans, StateCheck, UpgradeMode, UpgradePolicy
from scurry.model.errors import RejectedByTarget, ScurryError, SnapshotNotFound, TargetUnavailable
from scurry.model.journal import History
from scurry.model.observed import Job, JobState, Observed, Phase
from scurry.model.operation import Adjust, Operation, Resume, Upgrade
from scurry.model.plan import Change, Plan
from scurry.model.snapshot import FromLatest, FromSnapshot, Restore, Snapshot, SnapshotFormat, SnapshotKind, Stateless
from scurry.model.state import OpenedOperator, OpenedProgram, Resolution, StateResolution
from scurry.model.values import SecretRef
from scurry.preflight import Occasion, concerns
from tests.engine.state_of import STRING, held, id_of, kryo, program, python, snapshot, value, wanted
from tests.looking import COUNT, MadeUp
from tests.targets.memory_rig import wish

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = wish(variant=1)
AFTER = wish(variant=2)


def kept(name: str, **more: Any) -> Snapshot:
    given: dict[str, Any] = {"kind": SnapshotKind.SAVEPOINT, "location": f"file:/state/{name}", "taken_at": NOW}
    return Snapshot(**(given | more))


def observed(checkpoint: Snapshot | None = None) -> Observed:
    job = Job(id="a" * 32, name="shop", state=JobState.RUNNING, latest_checkpoint=checkpoint)
    return Observed(jobs=(job,))


RUNNING = observed(kept("job/chk-7", kind=SnapshotKind.CHECKPOINT))


def upgrade(desired: Desired = AFTER, restore: Restore | None = None, **more: Any) -> Upgrade:
    source = restore or FromLatest()
    return Upgrade(desired=desired, restore=source, mode=UpgradeMode.SAVEPOINT, job_id="a" * 32, **more)


def occasion(
    seen: Observed = RUNNING, *, before: Desired | None = BEFORE, look: Observed | None = None, **more: Any
) -> Occasion:
    given: dict[str, Any] = {
        "observed": seen,
        "history": History(application="shop"),
        "defaults": lambda version: {},
        "look": lambda: look or seen,
        "wrote": lambda snapshot: before,
    }
    return Occasion(**(given | more))


def judged(made_up: MadeUp, operation: Operation, on: Occasion) -> Change:
    plan = Plan(
        application="shop",
        target="here",
        phase=Phase.RUNNING,
        position=1,
        changes=(Change(operation=operation, reason="code changed"),),
        made_at=NOW,
    )
    return made_up.preflight().judged(plan, on).changes[0]


def found(made_up: MadeUp, operation: Operation | None = None, on: Occasion | None = None) -> Compatibility:
    verdict = judged(made_up, operation or upgrade(), on or occasion()).compatibility
    assert verdict
    return verdict


# What is looked at ---------------------------------------------------------------------------------------------


def test_of_a_running_job_its_newest_checkpoint_is_read_and_the_new_program_asked() -> None:
    made_up = MadeUp()
    assert found(made_up).fit is Fit.FITS
    assert made_up.reads == ["file:/state/job/chk-7"]
    assert AFTER in made_up.asked


def test_a_snapshot_that_is_named_is_the_one_that_is_read() -> None:
    made_up = MadeUp()
    found(made_up, Resume(desired=AFTER, restore=FromSnapshot(snapshot=kept("savepoint-1"))))
    assert made_up.reads == ["file:/state/savepoint-1"]


def test_where_the_state_is_kept_is_taken_from_the_target_and_from_who_wrote_it() -> None:
    made_up = MadeUp()
    key = SecretRef(source="env", name="KEY")
    before = replace(BEFORE, config={"s3.endpoint": "http://ours", "s3.secret-key": key})
    cluster = {"s3.endpoint": "http://theirs", "s3.path.style.access": "true", "s3.secret-key": "******"}
    found(made_up, on=occasion(before=before, defaults=lambda version: cluster))
    assert made_up.options == [
        {"s3.endpoint": "http://ours", "s3.path.style.access": "true", "s3.secret-key": key},
    ]


@pytest.mark.parametrize(
    "operation",
    [
        upgrade(restore=Stateless(why="asked")),
        upgrade(replace(AFTER, upgrade=UpgradePolicy(state_check=StateCheck.OFF))),
        Adjust(desired=AFTER),
    ],
)
def test_what_starts_from_no_state_or_is_not_to_be_looked_at_is_left_alone(operation: Operation) -> None:
    made_up = MadeUp()
    assert not concerns(Change(operation=operation, reason="so"))
    assert judged(made_up, operation, occasion()).compatibility is None
    assert (made_up.reads, made_up.asked) == ([], [])


def test_the_very_revision_that_wrote_the_state_goes_on_without_a_look() -> None:
    made_up = MadeUp()
    change = judged(made_up, upgrade(BEFORE), occasion())
    assert isinstance(change.operation, Upgrade)
    assert (change.compatibility, change.operation.drops) == (None, ())
    assert (made_up.reads, made_up.asked) == ([], [])
    assert found(made_up, upgrade(BEFORE), occasion(picture=True)).fit is Fit.FITS


def test_operators_are_opened_again_when_the_program_itself_chooses_another_backend() -> None:
    opened = OpenedProgram(operators=(OpenedOperator(id=id_of("counts"), states=(COUNT,)),))
    made_up = MadeUp(graph=program(wanted("counts", COUNT), state_backend="rocksdb"), opened=opened)
    found(made_up, on=occasion(defaults=lambda version: {"state.backend.type": "hashmap"}))
    assert len(made_up.heads) == 2
    made_up.heads.clear()
    found(made_up, on=occasion(defaults=lambda version: {"state.backend.type": "rocksdb"}))
    assert len(made_up.heads) == 1


def test_a_place_that_runs_no_flink_is_left_alone() -> None:
    assert judged(MadeUp(), upgrade(), occasion(defaults=None)).compatibility is None


def test_a_checkpoint_that_was_subsumed_meanwhile_is_looked_for_anew() -> None:
    made_up = MadeUp(gone=2)
    later = observed(kept("job/chk-9", kind=SnapshotKind.CHECKPOINT))
    assert found(made_up, on=occasion(look=later)).fit is Fit.FITS
    assert made_up.reads == ["file:/state/job/chk-7", "file:/state/job/chk-9", "file:/state/job/chk-9"]


def test_a_state_that_this_machine_does_not_see_is_unknown_with_what_to_do() -> None:
    made_up = MadeUp(gone=1000)
    verdict = found(made_up)
    assert verdict.fit is Fit.UNKNOWN
    assert "cannot be seen from this machine" in verdict.remarks[0].message
    assert "object store" in (verdict.remarks[0].remedy or "")
    assert len(made_up.reads) == 10


def test_a_named_snapshot_that_is_not_there_is_read_once() -> None:
    made_up = MadeUp(gone=1000)
    verdict = found(made_up, Resume(desired=AFTER, restore=FromSnapshot(snapshot=kept("savepoint-1"))))
    assert (verdict.fit, len(made_up.reads)) == (Fit.UNKNOWN, 1)


def test_what_a_person_asked_for_ends_with_the_error_instead() -> None:
    with pytest.raises(SnapshotNotFound):
        found(MadeUp(gone=1000), on=occasion(asked=True))
    with pytest.raises(ScurryError, match="no network"):
        found(MadeUp(error=RejectedByTarget("no network")), on=occasion(asked=True))
    with pytest.raises(SnapshotNotFound, match="checkpoint"):
        found(MadeUp(), on=occasion(observed(), asked=True))


def test_a_job_without_any_state_yet_is_unknown_with_what_to_do() -> None:
    made_up = MadeUp()
    verdict = found(made_up, on=occasion(observed()))
    assert verdict.fit is Fit.UNKNOWN
    assert "scurry snapshot create shop" in (verdict.remarks[0].remedy or "")
    assert made_up.asked == []


def test_before_its_first_checkpoint_the_newest_snapshot_is_looked_at_and_that_is_told() -> None:
    made_up = MadeUp()
    history = History(application="shop", restored=kept("savepoint-1"))
    verdict = found(made_up, on=occasion(observed(), history=history))
    assert made_up.reads == ["file:/state/savepoint-1"]
    assert [remark.weight for remark in verdict.remarks] == [Weight.WARNING]


def test_a_program_that_cannot_be_asked_is_unknown_and_its_error_told() -> None:
    verdict = found(MadeUp(error=RejectedByTarget("main() needs a network", hint="Give it one."), gone=1000))
    assert "main() needs a network" in verdict.remarks[0].message
    assert verdict.remarks[0].remedy == "Give it one."


def test_a_cluster_that_does_not_answer_has_what_flink_itself_has() -> None:
    def silent(version: str) -> Mapping[str, str]:
        raise TargetUnavailable("no answer")

    assert found(MadeUp(), on=occasion(defaults=silent)).fit is Fit.FITS


def test_a_checkpoint_is_read_as_soon_as_it_is_found_since_the_next_one_deletes_it() -> None:
    there: list[str] = []

    def read() -> None:
        if not there:
            raise SnapshotNotFound("it was deleted")

    def look() -> Observed:
        there.append("until the next pause")
        return RUNNING

    made_up = MadeUp(on_read=read, on_sleep=lambda seconds: there.clear())
    assert found(made_up, on=dataclasses.replace(occasion(), look=look)).fit is Fit.FITS
    assert len(made_up.reads) == 2


def test_both_sides_are_looked_at_at_the_same_time() -> None:
    made_up = MadeUp(on_read=lambda: time.sleep(0.2))
    begun = time.monotonic()
    found(made_up, on=occasion(picture=True))
    assert len(made_up.asked) == 2
    assert time.monotonic() - begun < 2


# The old program -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "picture", "times"),
    [
        (BEFORE, AFTER, False, 2),
        (BEFORE, replace(BEFORE, parallelism=4), False, 1),
        (BEFORE, replace(BEFORE, parallelism=4), True, 2),
        (replace(BEFORE, flink_version="1.20.5"), replace(BEFORE, flink_version="1.20.4"), False, 2),
        (None, AFTER, True, 1),
    ],
)
def test_the_old_program_is_asked_only_for_what_no_file_tells(
    before: Desired | None, after: Desired, picture: bool, times: int
) -> None:
    made_up = MadeUp()
    found(made_up, upgrade(after), occasion(before=before, picture=picture))
    assert len(made_up.asked) == times


def test_names_of_old_files_come_from_the_old_program() -> None:
    old = snapshot(held("counts", COUNT, uid=None, name=None), metadata_version=4)
    made_up = MadeUp(state=old, graph=program(wanted("other")), before=program(wanted("counts", COUNT)))
    verdict = found(made_up, on=occasion(before=replace(BEFORE, flink_version="1.20.5")))
    assert [operator.name for operator in verdict.blocked] == ["Counts"]


def test_pythons_types_come_with_the_graphs_and_nothing_is_opened() -> None:
    python_after = replace(AFTER, artifact=replace(AFTER.artifact, kind=ArtifactKind.PYTHON))
    state = replace(value("count"), name="python-state-count")
    made_up = MadeUp(
        state=snapshot(held("counts", state)),
        graph=program(wanted("counts", value("count", python("STRING")))),
        before=program(wanted("counts", value("count", python("LONG")))),
    )
    before = replace(BEFORE, artifact=python_after.artifact, args=("--old",))
    assert found(made_up, upgrade(python_after), occasion(before=before)).fit is Fit.BLOCKED
    assert made_up.heads == []


# The new program ----------------------------------------------------------------------------------------------


def test_the_same_program_is_not_opened() -> None:
    made_up = MadeUp(graph=program(wanted("counts", states=None, key=None)))
    assert found(made_up, upgrade(replace(BEFORE, parallelism=4))).fit is Fit.FITS
    assert made_up.heads == []


def test_what_its_operators_register_and_what_flink_says_counts() -> None:
    opened = OpenedProgram(
        operators=(OpenedOperator(id=id_of("counts"), states=(value("count", STRING),)),),
        resolutions=(StateResolution(operator=id_of("counts"), state="count", resolution=Resolution.AFTER_MIGRATION),),
    )
    made_up = MadeUp(graph=program(wanted("counts", states=None, key=None)), opened=opened)
    verdict = found(made_up)
    assert verdict.fit is Fit.FITS
    assert [state.fate for state in verdict.operators[0].states] == [StateFate.MIGRATABLE]
    assert [head.operator for heads in made_up.heads for head in heads] == [id_of("counts")]


def test_old_descriptions_go_to_the_operator_that_takes_the_state_over() -> None:
    made_up = MadeUp(graph=program(wanted("totals", states=None, alternative_id=id_of("counts"))))
    found(made_up)
    assert [head.operator for head in made_up.heads[-1]] == [id_of("totals")]


@pytest.mark.parametrize(
    ("opened", "why"),
    [
        (OpenedProgram(failed="its process died"), "its process died"),
        (OpenedProgram(), "it was not opened"),
        (
            OpenedProgram(operators=(OpenedOperator(id=id_of("counts"), unknown_because="open() failed"),)),
            "open() failed",
        ),
    ],
)
def test_what_could_not_be_opened_is_unknown_with_the_reason(opened: OpenedProgram, why: str) -> None:
    made_up = MadeUp(graph=program(wanted("counts", states=None, key=None)), opened=opened)
    verdict = found(made_up)
    assert verdict.fit is Fit.UNKNOWN
    assert verdict.operators[0].states[0].reason == why


def test_a_harness_that_fails_leaves_the_comparison_of_operators() -> None:
    class Failing(MadeUp):
        @property
        def opened(self) -> OpenedProgram:
            raise ScurryError("no such Java")

        @opened.setter
        def opened(self, _: OpenedProgram) -> None:
            return None

    made_up = Failing(graph=program(wanted("counts", states=None, key=None)))
    verdict = found(made_up)
    assert "no such Java" in (verdict.operators[0].states[0].reason or "")


def test_only_operators_are_compared_where_the_spec_says_graph() -> None:
    made_up = MadeUp(graph=program(wanted("counts", states=None, key=None), wanted("known", COUNT)))
    verdict = found(made_up, upgrade(replace(AFTER, upgrade=UpgradePolicy(state_check=StateCheck.GRAPH))))
    assert "state_check is graph" in (verdict.operators[0].states[0].reason or "")
    assert made_up.heads == []


def test_options_of_the_cluster_that_decide_about_state_go_along_and_no_others() -> None:
    asked: list[Mapping[str, str]] = []

    class Noting(MadeUp):
        def preflight(self) -> Any:
            made = super().preflight()
            graph = made.programs.graph

            def noting(desired: Desired, defaults: Mapping[str, str], **more: Any) -> Any:
                asked.append(defaults)
                return graph(desired, defaults, **more)

            made.programs.graph = noting  # type: ignore[method-assign]
            return made

    options = {
        "state.backend.type": "rocksdb",
        "pipeline.operator-chaining": "false",
        "rest.port": "1",
        "table.secret": "******",
    }
    found(Noting(), on=occasion(defaults=lambda version: options))
    assert asked
    assert all(given == {"state.backend.type": "rocksdb", "pipeline.operator-chaining": "false"} for given in asked)


# What it will start from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "fit"),
    [
        (upgrade(), Fit.FITS),
        (replace(upgrade(), mode=UpgradeMode.LAST_STATE), Fit.BLOCKED),
        (
            Resume(desired=AFTER, restore=FromSnapshot(snapshot=kept("a", format=SnapshotFormat.CANONICAL))),
            Fit.FITS,
        ),
        (Resume(desired=AFTER, restore=FromSnapshot(snapshot=kept("a", format=SnapshotFormat.NATIVE))), Fit.BLOCKED),
        (
            Resume(desired=AFTER, restore=FromSnapshot(snapshot=kept("a/chk-1", kind=SnapshotKind.CHECKPOINT))),
            Fit.BLOCKED,
        ),
    ],
)
def test_another_state_backend_needs_a_canonical_savepoint(operation: Operation, fit: Fit) -> None:
    before = replace(BEFORE, config={"state.backend.type": "hashmap"})
    made_up = MadeUp(
        state=snapshot(held("counts", COUNT), is_savepoint=False),
        graph=program(wanted("counts", COUNT), state_backend="rocksdb"),
    )
    assert found(made_up, operation, occasion(before=before)).fit is fit


def test_the_backend_before_is_that_of_the_old_program_or_of_its_cluster() -> None:
    made_up = MadeUp(
        state=snapshot(held("counts", COUNT), is_savepoint=False),
        graph=program(wanted("counts", COUNT), state_backend="rocksdb"),
        before=program(wanted("counts", COUNT), state_backend="hashmap"),
    )
    operation = replace(upgrade(), mode=UpgradeMode.LAST_STATE)
    assert found(made_up, operation, occasion(picture=True)).fit is Fit.BLOCKED
    on_cluster = occasion(defaults=lambda version: {"state.backend": "hashmap"})
    made_up.before = None
    assert found(made_up, operation, on_cluster).fit is Fit.BLOCKED
    assert found(made_up, operation, occasion(before=None)).fit is Fit.FITS


def test_a_class_that_kryo_writes_and_that_changed_is_doubted() -> None:
    basket = value("count", kryo("shop.Basket"))
    made_up = MadeUp(state=snapshot(held("counts", basket)), graph=program(wanted("counts", basket)))
    assert found(made_up).fit is Fit.FITS
    made_up.changed = frozenset({"shop.Basket"})
    assert found(made_up).fit is Fit.UNKNOWN


# What follows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made_up", "drops"),
    [
        (MadeUp(), ()),
        (MadeUp(graph=program(wanted("other"))), ("counts",)),
        (MadeUp(gone=1000), None),
    ],
)
def test_the_operation_says_whose_state_is_lost_as_far_as_that_is_known(
    made_up: MadeUp, drops: tuple[str, ...] | None
) -> None:
    desired = replace(AFTER, upgrade=UpgradePolicy(allow_non_restored_state=True))
    operation = judged(made_up, upgrade(desired), occasion()).operation
    assert isinstance(operation, Upgrade)
    assert operation.drops == drops


def test_sql_is_told_in_its_words() -> None:
    made_up = MadeUp(graph=program(wanted("counts", COUNT, uid=None)), sql=True)
    warnings = [warning for operator in found(made_up).operators for warning in operator.warnings]
    assert any("SQL runner" in warning for warning in warnings)


# What is dropped unseen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [*SnapshotFormat, None])
def test_a_native_savepoint_of_the_stop_binds_the_state_backend(told: SnapshotFormat | None) -> None:
    graph = program(wanted("counts", COUNT), state_backend="rocksdb")
    made_up = MadeUp(graph=graph, before=program(wanted("counts", COUNT), state_backend="hashmap"))
    verdict = found(made_up, on=occasion(format=told))
    assert verdict.fit is (Fit.BLOCKED if told is SnapshotFormat.NATIVE else Fit.FITS)


@pytest.mark.parametrize("check", list(StateCheck))
@pytest.mark.parametrize("allowed", [True, False, ("counts",)])
def test_state_that_is_dropped_without_a_look_is_warned_of(check: StateCheck, allowed: bool | tuple[str, ...]) -> None:
    policy = UpgradePolicy(state_check=check, allow_non_restored_state=allowed)
    made_up = MadeUp(error=ScurryError("main() failed"))
    change = judged(made_up, upgrade(replace(AFTER, upgrade=policy)), occasion())
    told = [warning for warning in change.warnings if "records may be processed twice" in warning]
    assert len(told) == (1 if allowed is True else 0)


def test_state_that_was_looked_at_is_not_warned_of_as_a_whole() -> None:
    policy = UpgradePolicy(allow_non_restored_state=True)
    made_up = MadeUp(graph=program(wanted("other", COUNT)))
    change = judged(made_up, upgrade(replace(AFTER, upgrade=policy)), occasion())
    assert change.compatibility
    assert change.compatibility.fit is Fit.DROPS
    assert change.warnings == ()


@pytest.mark.parametrize("plans", list(SqlPlans))
def test_of_a_script_without_a_plan_it_is_told_that_nothing_is_matched(plans: SqlPlans) -> None:
    made_up = MadeUp(graph=program(wanted("other", COUNT)), sql=True)
    verdict = found(made_up, upgrade(replace(AFTER, upgrade=UpgradePolicy(sql=plans))))
    (lost,) = verdict.dropping
    assert ("upgrade.sql: plan" in (lost.remedy or "")) == (plans is SqlPlans.NONE)
