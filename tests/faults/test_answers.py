"""What an answer that is none says of what was asked for: nothing. Without a Flink; a small server answers badly."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from scurry.flink.connection import RestSettings
from scurry.flink.rest import FlinkRest, JarRequest
from scurry.model.errors import RejectedByTarget, TargetUnavailable, TargetUnsuitable
from scurry.model.operation import Action, Step
from scurry.model.reporting import SilentActivity
from scurry.targets.rest.ending import Ending
from tests.flink.rest_server import Answer, flink_error, reset, serving, whole
from tests.targets.rest_rig import SystemTime

if TYPE_CHECKING:
    pass

JOB, MARK = "0" * 32, "1" * 32
TRIGGER = whole(202, json.dumps({"request-id": MARK}))
DONE = whole(200, json.dumps({"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoint-1"}}))
FAILED = whole(
    200,
    json.dumps(
        {
            "status": {"id": "COMPLETED"},
            "operation": {
                "failure-cause": {"class": "E", "stack-trace": "java.io.IOException: No space left on device"}
            },
        }
    ),
)
WRITTEN = whole(
    200,
    json.dumps(
        {
            "status": {"id": "COMPLETED"},
            "operation": {
                "failure-cause": {
                    "class": "E",
                    "stack-trace": "java.util.concurrent.CompletionException: org.apache.flink.runtime.scheduler."
                    "stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at:"
                    f" file:/sp/savepoint-1, but the corresponding job {JOB} failed during stopping. The savepoint is"
                    " consistent, but might have uncommitted transactions. If you want to commit the transaction"
                    " please restart a job from this savepoint.\n\tat a.b.C.d(C.java:1)\n",
                }
            },
        }
    ),
)
OOPS = whole(500, "<html>oops</html>", content_type="text/html")
PAGE = whole(200, "<html>log in</html>", content_type="text/html")
INTERNAL = flink_error(500, "Internal server error.")


def head_only(connection: socket.socket) -> None:
    """Break off in the middle of the head, in an orderly way."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-ty")


def client(url: str) -> FlinkRest:
    return FlinkRest(RestSettings(url=url, timeout_s=5.0, run_timeout_s=5.0), target="prod")


@pytest.mark.parametrize("answer", [head_only, OOPS, PAGE, reset])
def test_a_call_with_an_effect_may_have_had_it_whatever_answers(answer: Answer) -> None:
    with serving(answer) as server, client(server.url) as rest:
        for call in (
            lambda: rest.run("a.jar", JarRequest(job_id=JOB)),
            lambda: rest.stop(JOB, trigger_id=MARK, drain=False),
            lambda: rest.cancel(JOB),
        ):
            with pytest.raises(TargetUnavailable):
                call()
    assert len(server.asked) == 3, "none is sent twice"


def test_an_address_that_is_not_there_had_no_effect() -> None:
    with (
        serving(whole(404, "<html>not here</html>")) as server,
        client(server.url) as rest,
        pytest.raises(TargetUnsuitable),
    ):
        rest.run("a.jar", JarRequest(job_id=JOB))


def test_a_read_whose_head_broke_off_is_sent_again() -> None:
    with serving(head_only, whole(200, '{"jobs": []}')) as server, client(server.url) as rest:
        assert rest.jobs() == ()
    assert len(server.asked) == 2


def test_an_error_of_flinks_without_a_reason_says_where_to_look() -> None:
    with serving(INTERNAL) as server, client(server.url) as rest, pytest.raises(RejectedByTarget) as caught:
        rest.run("a.jar", JarRequest(job_id=JOB))
    assert caught.value.hint
    assert "log" in caught.value.hint


def stopping(*answers: Answer) -> Any:
    """Stop a job with these answers, the last of them again and again."""
    from datetime import timedelta

    step = Step(action=Action.STOP, mark=MARK, title="stop", inputs={"job_id": JOB})
    with serving(*answers) as server, client(server.url) as rest:
        ending = Ending(rest=rest, clock=SystemTime(), target="prod", directory=None)
        return ending.stop(step, limit=timedelta(seconds=5), activity=SilentActivity())


@pytest.mark.parametrize("answer", [OOPS, PAGE, INTERNAL, head_only])
def test_a_stop_that_cannot_be_asked_after_has_not_failed(answer: Answer) -> None:
    with pytest.raises(TargetUnavailable):
        stopping(TRIGGER, answer)


def test_a_stop_that_failed_has_failed_though_the_job_cannot_be_asked_after() -> None:
    with pytest.raises(RejectedByTarget, match="No space left"):
        stopping(TRIGGER, FAILED, INTERNAL)


def status(word: str) -> Answer:
    return whole(200, json.dumps({"status": word}))


def test_a_job_that_died_after_its_savepoint_was_written_is_stopped_with_that_savepoint() -> None:
    """Its sinks may have committed what is in it: from an older state that would be written twice."""
    snapshot = stopping(TRIGGER, WRITTEN, status("RUNNING"), status("FAILING"), status("FAILED"))
    assert (snapshot.location, snapshot.job_id) == ("file:/sp/savepoint-1", JOB)


def test_whether_that_job_has_ended_has_to_be_known() -> None:
    with pytest.raises(TargetUnavailable):
        stopping(TRIGGER, WRITTEN, status("RUNNING"), INTERNAL)


def test_a_stop_that_was_done_has_its_savepoint() -> None:
    assert stopping(TRIGGER, DONE).location == "file:/savepoint-1"
