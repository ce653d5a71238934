"""The small parts: who does how much at once, who looks after what, how long is waited."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from scurry.model import errors
from scurry.model.errors import ScurryError
from scurry.server.backoff import Backoff
from scurry.server.crew import Crew
from scurry.server.http.auth import check_address, is_loopback
from scurry.server.http.errors import body_of, status_of
from scurry.server.remote_errors import raised
from scurry.server.sharing import owned, owner
from scurry.server.threads import Threads
from tests.server.site import until

TARGETS = [f"target-{number}" for number in range(1000)]
SERVERS = [f"server-{number}" for number in range(5)]


def test_every_target_is_looked_after_by_exactly_one_server() -> None:
    shares = [owned(TARGETS, server, SERVERS) for server in SERVERS]
    assert sorted(target for share in shares for target in share) == sorted(TARGETS)
    assert all(120 <= len(share) <= 280 for share in shares)


def test_when_a_server_goes_only_its_own_targets_move() -> None:
    before = {target: owner(target, SERVERS) for target in TARGETS}
    after = {target: owner(target, SERVERS[1:]) for target in TARGETS}
    assert all(before[target] == SERVERS[0] for target in TARGETS if before[target] != after[target])
    assert owner("target-1", []) is None


def test_pauses_grow_to_their_bound_and_are_never_alike() -> None:
    backoff = Backoff(longest_s=100, first_s=1)
    means = [sum(backoff.pause_s(failures) for _ in range(400)) / 400 for failures in range(1, 12)]
    assert means == sorted(means[:7]) + means[7:]
    assert all(backoff.pause_s(1000) <= 100 for _ in range(100))
    assert len({backoff.pause_s(5) for _ in range(100)}) > 90
    assert backoff.pause_s(1, least_s=30) == 30


def test_a_crew_keeps_to_its_bounds_and_a_stuck_target_leaves_room_for_others() -> None:
    crew = Crew(workers=6, per_target=2)
    stuck, ended = threading.Event(), Counter[str]()

    def hang() -> None:
        stuck.wait(20)

    for number in range(10):
        assert crew.submit("stuck", f"stuck-{number}", hang)
    until(lambda: crew.in_hand == 2, "two are at it")
    for number in range(10):
        crew.submit("well", f"well-{number}", lambda: ended.update(["well"]))
    until(lambda: ended["well"] == 10, "the others' work is done")
    assert (crew.in_hand, crew.waiting) == (2, 8)
    stuck.set()
    assert crew.await_end(10)
    assert crew.waiting == 0


def test_a_crew_takes_one_piece_of_work_for_each_application() -> None:
    crew, go = Crew(workers=4, per_target=4), threading.Event()

    def wait() -> None:
        go.wait(20)

    assert crew.submit("t", "a", wait)
    assert not crew.submit("t", "a", lambda: None)
    assert crew.is_at("a")
    go.set()
    assert crew.await_end(10)
    until(lambda: not crew.is_at("a"), "it is done")
    crew.close()
    assert not crew.submit("t", "b", lambda: None)


def test_a_crew_goes_on_after_work_that_failed() -> None:
    crew = Crew(workers=1, per_target=1)
    done = threading.Event()

    def fail() -> None:
        raise ValueError("broken")

    crew.submit("t", "a", fail)
    crew.submit("t", "b", done.set)
    assert done.wait(10)


def test_threads_are_as_many_as_the_work_at_one_time_and_used_again() -> None:
    threads, names = Threads("mine", most=100), set[int]()
    for _ in range(50):
        ended = threading.Event()

        def work(ended: threading.Event = ended) -> None:
            names.add(threading.get_ident())
            ended.set()

        threads.run(work)
        assert ended.wait(10)
    assert len(names) <= 3


def test_threads_are_never_more_than_the_limit() -> None:
    threads, go = Threads("mine", most=5), threading.Event()
    at_once, lock, ended = [0, 0], threading.Lock(), Counter[str]()

    def work() -> None:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        go.wait(20)
        with lock:
            at_once[0] -= 1
            ended["done"] += 1

    for _ in range(20):
        threads.run(work)
    until(lambda: at_once[0] == 5, "five are at it")
    go.set()
    until(lambda: ended["done"] == 20, "all is done")
    assert at_once[1] == 5


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("[::1]", True)]
)
def test_loopback_needs_no_token(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    check_address(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com"])
def test_every_other_address_needs_one(host: str) -> None:
    with pytest.raises(errors.WorkspaceError, match="without a token"):
        check_address(host, None)
    check_address(host, "token")


def _all_errors() -> list[ScurryError]:
    made = [
        errors.SpecInvalid((errors.Problem(message="wrong", hint="right"),)),
        errors.ApplicationLocked("locked", owner="anna", since="now", hint="wait"),
        errors.TargetUnavailable("away", target="t", hint="wait", retry_after_s=7),
        errors.RejectedByTarget("no", target="t", cause="because"),
        errors.TargetUnsuitable("unfit", target="t").concerning("parallelism"),
    ]
    plain = [errors.PlanOutdated, errors.Refused, errors.SnapshotNotFound, errors.LeaseLost, errors.ArtifactError]
    return [*made, *(kind("told", hint="do") for kind in plain)]


@pytest.mark.parametrize("error", _all_errors(), ids=lambda error: type(error).__name__)
def test_an_error_comes_over_the_wire_as_what_it_was(error: ScurryError) -> None:
    assert 400 <= status_of(error) <= 599
    back = raised(body_of(error))
    assert type(back) is type(error)
    assert (back.code, back.message, back.hint, back.about) == (error.code, error.message, error.hint, error.about)
    for name in ("owner", "since", "target", "cause", "retry_after_s"):
        assert getattr(back, name, None) == getattr(error, name, None)
