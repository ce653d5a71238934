"""How long it takes to plan 10,000 applications: survey, histories from memory, one plan each."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from time import perf_counter

import msgspec

from scurry.engine.planner import make_plan
from scurry.model.desired import Artifact, ArtifactKind, Desired
from scurry.model.journal import History, Intent, Revision, RevisionOutcome
from scurry.model.observed import Job, JobState, Observed

APPLICATIONS = 10_000
ROUNDS = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> dict[str, str]:
    before = [_wish(number, parallelism=2) for number in range(APPLICATIONS)]
    after = [_wish(number, parallelism=2 + number % 2) for number in range(APPLICATIONS)]
    histories = [_history(number, desired) for number, desired in enumerate(before)]
    observed = [_observed(number) for number in range(APPLICATIONS)]
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        plans = [
            make_plan(wish, seen, history, now=NOW)
            for wish, seen, history in zip(after, observed, histories, strict=True)
        ]
        times.append(perf_counter() - started)
    changed = sum(not plan.is_converged for plan in plans)
    return {
        f"{APPLICATIONS:,} applications planned ({changed:,} changes), median of {ROUNDS}": f"{median(times):.2f} s",
        "goal": "≤ 2 s",
    }


def _wish(number: int, *, parallelism: int) -> Desired:
    artifact = Artifact(kind=ArtifactKind.JAR, digest=f"sha256:{number:064x}", file_name="app.jar", size_bytes=1)
    return Desired(
        application=f"app-{number}",
        target="memory",
        flink_version="2.3.0",
        artifact=artifact,
        parallelism=parallelism,
        config={"execution.checkpointing.interval": "10s", "state.backend.type": "rocksdb"},
        properties={"input": {"path": f"/data/{number}"}},
    )


def _history(number: int, desired: Desired) -> History:
    revision = Revision(number=1, desired=desired, applied_at=NOW, applied_by="bench", outcome=RevisionOutcome.HEALTHY)
    return History(
        application=desired.application,
        intent=Intent.RUN,
        current=revision,
        healthy=revision,
        job_id=f"{number:032x}",
        marks=(f"{number:032x}",),
    )


def _observed(number: int) -> Observed:
    job = Job(id=f"{number:032x}", name=f"app-{number}", state=JobState.RUNNING, vertices=1, vertices_running=1)
    return Observed(jobs=(msgspec.structs.replace(job),))
