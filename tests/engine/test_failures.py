"""The catalogue of failures: each entry is found in what Flink, its connectors and the JVM say, and nothing else is.

The texts (failures.txt) are chains of causes as `flink.stack_trace.explain` gives them. Which of them a real Flink
says, and says so here, is tested in tests/conformance/test_failures.py.
"""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scurry.cli import app as cli
from scurry.engine import failures
from scurry.engine.failure_catalogue import CATALOGUE
from scurry.model.observed import JobFailure

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = (Path(__file__).parent / "failures.txt").read_text("utf-8")
CHAINS = tuple(
    (id, chain.strip()) for id, chain in re.findall(r"^## (\S+)\n(.*?)\n(?=## |\Z)", SAID, re.MULTILINE | re.DOTALL)
)
BY_FIGURES = {"back-pressured", "source-idle"}
"""what no exception tells"""


@pytest.mark.parametrize(("id", "chain"), CHAINS, ids=[f"{id}-{n}" for n, (id, _) in enumerate(CHAINS)])
def test_what_is_said_is_recognised_and_told_in_plain_words(id: str, chain: str) -> None:
    found = failures.recognise(chain, application="shop")
    assert found, "it is not in the catalogue"
    assert found.trouble.id == id, found
    assert found.evidence.rstrip("…") in chain, "the evidence is a line of what was said"
    assert "{" not in found.what.replace(chain, "") or "{" in chain
    assert not re.search(r"  |\s$|: $", found.what), found.what
    assert "APP" not in found.todo.split()


def test_every_entry_has_an_example_and_there_are_enough() -> None:
    assert {id for id, _ in CHAINS} == {entry.id for entry in CATALOGUE} - BY_FIGURES
    assert len(CATALOGUE) >= 50
    assert len({entry.id for entry in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_an_entry_says_what_it_is_and_what_to_do_by_commands_that_there_are(entry: failures.Trouble) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.id)
    assert entry.title[0].isupper()
    assert entry.todo
    for command in re.findall(r"^  scurry (\S+)", entry.todo, re.MULTILINE):
        assert command in cli.COMMANDS
    assert "\n  scurry " in entry.todo, "there is no command"
    lines = entry.todo.split("\n")
    assert all(line.startswith("  scurry ") or not line.startswith(" ") for line in lines)
    named = {group for pattern in entry.seen for group in re.compile(pattern).groupindex}
    wanted = {name for text in (entry.what, entry.todo) for _, name, _, _ in string.Formatter().parse(text) if name}
    if entry.id not in BY_FIGURES:
        assert wanted <= named | {"application"}


@pytest.mark.parametrize(
    "chain",
    [
        "",
        "java.lang.IllegalStateException: told to fail at number 3",
        "com.shop.PriceMissingException: no price for 'x'",
        "java.lang.ArithmeticException: / by zero",
        "java.lang.NullPointerException",
        "java.lang.ClassCastException: class java.lang.Integer cannot be cast to class java.lang.Long",
        "java.io.FileNotFoundException: /data/prices.csv (No such file or directory)",
        "java.lang.IllegalArgumentException: the topic of the talk is memory",
    ],
)
def test_what_is_not_in_the_catalogue_is_not_guessed(chain: str) -> None:
    assert failures.recognise(chain) is None


def test_the_deepest_cause_that_is_known_decides() -> None:
    chain = (
        "org.apache.flink.util.FlinkRuntimeException: Exceeded checkpoint tolerable failure threshold.\n"
        "Caused by: java.io.IOException: Could not flush\n"
        "Caused by: java.io.IOException: No space left on device\n"
        "Caused by: com.shop.Odd: x"
    )
    found = failures.recognise(chain)
    assert found
    assert (found.trouble.id, found.evidence) == ("disk-full", "java.io.IOException: No space left on device")


def test_an_outer_cause_may_name_what_the_deepest_does_not() -> None:
    chain = next(chain for id, chain in CHAINS if id == "topic-missing")
    found = failures.recognise(chain)
    assert found
    assert found.what == "A topic that is read or written is not there: [orders]"


def failed(causes: str, ago_s: float) -> JobFailure:
    return JobFailure(at=NOW - timedelta(seconds=ago_s), message=causes.splitlines()[0], causes=causes)


def test_a_failure_that_explains_goes_before_newer_ones_that_follow_from_it() -> None:
    slots = failed("NoResourceAvailableException: x", 1)
    lost = failed("a.B: TaskManager with id 1 is no longer reachable.", 5)
    memory = failed("java.lang.OutOfMemoryError: Java heap space", 9)
    found = failures.root([slots, lost, memory])
    assert found
    assert found[0] is memory
    newest = failures.root([slots, lost])
    assert newest
    assert newest[0] is slots


def test_an_unknown_failure_is_not_passed_over_for_one_that_only_follows() -> None:
    unknown = failed("com.shop.Odd: x", 5)
    found = failures.root([unknown, failed("NoResourceAvailableException: x", 9)])
    assert found == (unknown, None)
    assert failures.root([]) is None
