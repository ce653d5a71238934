"""Durations and schedules as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scurry.model.fields import read_duration
from scurry.model.schedule import parse_schedule
from scurry.model.values import format_duration, parse_duration

UNITS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@given(
    st.lists(st.tuples(st.integers(0, 9999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "])), min_size=1)
)
def test_a_sum_of_parts_is_read_as_the_sum(parts: list[tuple[int, str, str]]) -> None:
    text = " ".join(f"{number}{blank}{unit}" for number, unit, blank in parts)
    expected = timedelta(seconds=sum(number * UNITS[unit] for number, unit, _ in parts))
    assert abs(parse_duration(text) - expected) < timedelta(milliseconds=1)


@given(st.integers(10, 10_000_000))
def test_what_is_formatted_is_read_back_to_the_precision_shown(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    read = parse_duration(format_duration(duration))
    assert abs(read - duration) < max(timedelta(seconds=1), duration / 24)


@given(st.text(alphabet="0123456789. smhdwin", max_size=12))
def test_any_text_is_a_duration_or_told_not_to_be_one(text: str) -> None:
    told = ""
    try:
        assert read_duration(text) > timedelta()
    except ValueError as error:
        told = str(error)
    assert not told or re.search(r"write for example|no time at all|longer than anybody", told)


def test_a_duration_beyond_all_bounds_is_told() -> None:
    with pytest.raises(ValueError, match="'9999999999999w' is longer than anybody can wait"):
        read_duration("9999999999999w")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 * * * *", "0 * * * *"),
        ("*/20 8-10 * * mon-fri", "*/20 8-10 * * mon-fri"),
        ("0 0 1 JAN,dec Sun", "0 0 1 JAN,dec Sun"),
        (" @Weekly ", "0 0 * * 0"),
    ],
)
def test_schedules_are_read(text: str, fields: str) -> None:
    assert parse_schedule(text) == fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "* * * *",
            "'* * * *' is not a cron schedule: it has 4 of 5 fields (minute, hour, day of month, month, day of week)",
        ),
        (
            "@often",
            "'@often' is not a cron schedule: it has 1 of 5 fields (minute, hour, day of month, month, day of week)",
        ),
        ("60 * * * *", "'60' is not a minute of a cron schedule (0 to 59)"),
        ("* 24 * * *", "'24' is not a hour of a cron schedule (0 to 23)"),
        ("* * 0 * *", "'0' is not a day of month of a cron schedule (1 to 31)"),
        ("* * * foo *", "'foo' is not a month of a cron schedule (1 to 12)"),
        ("* * * * 8", "'8' is not a day of week of a cron schedule (0 to 7)"),
        ("*/0 * * * *", "'*/0' is not a minute of a cron schedule (0 to 59)"),
        ("9-5 * * * *", "'9-5' is not a minute of a cron schedule (0 to 59)"),
        ("*-5 * * * *", "'*-5' is not a minute of a cron schedule (0 to 59)"),
        ("1,,2 * * * *", "'1,,2' is not a minute of a cron schedule (0 to 59)"),
        ("0 0 30 feb *", "'30' is not a day of month of a cron schedule (1 to 31)"),
        (
            "1 0 0 * * *",
            "'1 0 0 * * *' is not a cron schedule: it has 6 of 5 fields "
            "(minute, hour, day of month, month, day of week)",
        ),
    ],
)
def test_a_schedule_that_is_wrong_names_its_field(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match="cron schedule") as caught:
        parse_schedule(text)
    assert str(caught.value) == expected
