"""What the state probe asks, and what it makes of answers: without a JVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from scurry.flink import state_probe
from scurry.flink.installed import FlinkRuntime, JavaRuntime
from scurry.flink.isolation import Fence
from scurry.flink.java_asking import FILES, Answer, Java
from scurry.flink.job_graph import GraphRequest
from scurry.flink.job_graph_python import PYTHON_DRIVER
from scurry.flink.state_probe import OldHeads, OpenedOperator, Opening, ProbeAnswer, probe
from scurry.model.state import Resolution, StateResolution
from scurry.model.values import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.flink.java_asking import Question

ON = Java(
    flink=FlinkRuntime(version="2.3.0", home=Path("/flink"), source="pypi"),
    java=JavaRuntime(home=Path("/java"), major=17, source="PATH"),
    cache=Path("/cache"),
)
HEADS = (OldHeads(operator="aa", keyed=(b"one", b"two")), OldHeads(operator="bb", not_keyed=(b"three",)))


class Asked:
    """Stands for the JVM: remembers what it was asked, and answers what it was told to."""

    def __init__(self, content: object = None, *, exit_code: int | None = None, output: str = "") -> None:
        self.questions: list[Question] = []
        self._answer = Answer(
            content=None if content is None else msgspec.json.encode(content),
            exit_code=exit_code,
            output=output,
            fence=Fence(network=True, processes=True),
        )

    def __call__(self, question: Question, on: Java) -> Answer:
        self.questions.append(question)
        return self._answer


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Asked], Asked]:
    def use(asked: Asked) -> Asked:
        monkeypatch.setattr(state_probe, "ask", asked)
        return asked

    return use


def wish(
    *, files: Mapping[str, bytes] | None = None, conceal: tuple[str, ...] = (), entry: str | None = None
) -> GraphRequest:
    return GraphRequest(on=ON, jar=Path("/job.jar"), environment={}, files=files or {}, conceal=conceal, entry=entry)


def resolution(resolution: Resolution, message: str | None = None) -> StateResolution:
    return StateResolution(operator="aa", state="count", resolution=resolution, message=message)


def test_old_heads_are_handed_over_as_files(answering: Callable[[Asked], Asked]) -> None:
    asked = answering(Asked(ProbeAnswer()))
    probe(wish(files={"mine": b"file"}), HEADS, Opening(backend="rocksdb"))
    (question,) = asked.questions
    assert set(question.files.values()) == {b"file", b"one", b"two", b"three"}
    told = [(name, question.files[value.removeprefix(f"{FILES}/")]) for name, value in question.pairs if FILES in value]
    assert told == [("keyed:aa", b"one"), ("keyed:aa", b"two"), ("other:bb", b"three")]
    assert ("backend", "rocksdb") in question.pairs
    assert not any(name == "only" for name, _ in question.pairs)


def test_only_operators_with_old_state_are_opened_when_told_so(answering: Callable[[Asked], Asked]) -> None:
    asked = answering(Asked(ProbeAnswer()))
    probe(wish(), HEADS, Opening(only_with_heads=True))
    assert [value for name, value in asked.questions[0].pairs if name == "only"] == ["aa", "bb"]
    assert probe(wish(), (), Opening(only_with_heads=True)) == ProbeAnswer()
    assert len(asked.questions) == 1


def test_of_several_subtasks_the_worst_answer_counts(answering: Callable[[Asked], Asked]) -> None:
    bad = resolution(Resolution.INCOMPATIBLE, "no")
    answering(Asked(ProbeAnswer(resolutions=(resolution(Resolution.AS_IS), bad, resolution(Resolution.RECONFIGURED)))))
    assert probe(wish(), HEADS).resolutions == (bad,)


def test_a_process_that_died_is_told_with_what_it_printed_but_no_secret(answering: Callable[[Asked], Asked]) -> None:
    answering(Asked(exit_code=137, output="password hunter2 does not fit\n"))
    failed = probe(wish(conceal=("hunter2",)), HEADS).failed
    assert failed == f"its process ended with code 137; it printed:\npassword {MASK} does not fit"


def test_a_process_that_takes_too_long_is_told(answering: Callable[[Asked], Asked]) -> None:
    answering(Asked())
    assert probe(wish(), HEADS) == ProbeAnswer(failed="it did not answer in time")


def test_no_secret_is_in_why_an_operator_did_not_open(answering: Callable[[Asked], Asked]) -> None:
    answering(Asked(ProbeAnswer(operators=(OpenedOperator(id="aa", name="a", unopened="no hunter2"),))))
    assert [operator.unopened for operator in probe(wish(conceal=("hunter2",))).operators] == [f"no {MASK}"]


def test_python_is_not_asked_and_said_so(answering: Callable[[Asked], Asked]) -> None:
    asked = answering(Asked(ProbeAnswer()))
    assert "Python" in (probe(wish(entry=PYTHON_DRIVER), HEADS).failed or "")
    assert asked.questions == []
