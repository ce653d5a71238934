"""Splitting scripts: semicolons in quotes and comments do not count, and nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scurry.model.errors import Place, SpecInvalid
from scurry.model.script import Origin, Script
from scurry.spec.sql_statements import split_statements


def script(text: str) -> Script:
    return Script(text=text, origins=(Origin(offset=0, place=Place(file="q.sql", line=1, column=1)),))


def split(text: str) -> list[str]:
    return list(split_statements(script(text)).sources())


CASES = [
    ("", []),
    (" ;; \n;", []),
    ("-- only a comment\n/* and another; */", []),
    ("a", ["a"]),
    (" a ; b;\n c ", ["a", "b", "c"]),
    ("SELECT 'a;b', \"c;d\", `e;f`; g", ["SELECT 'a;b', \"c;d\", `e;f`", "g"]),
    ("SELECT 'it''s; one', `a``;b`; g", ["SELECT 'it''s; one', `a``;b`", "g"]),
    ("a -- no; end\n b; c", ["a -- no; end\n b", "c"]),
    ("a /* no; -- end ' */ b; c", ["a /* no; -- end ' */ b", "c"]),
    ("-- it's one\na; -- it's two\nb -- three", ["a", "b"]),
    ("SELECT '-- no comment; ' ; b", ["SELECT '-- no comment; '", "b"]),
    ("SELECT /*+ OPTIONS('a'='b;c') */ 1; b", ["SELECT /*+ OPTIONS('a'='b;c') */ 1", "b"]),
    ("a - -b; c", ["a - -b", "c"]),
    (
        "SET 'a' = 'b';\nEXECUTE STATEMENT SET\nBEGIN\n INSERT INTO a SELECT 1;\n INSERT INTO b SELECT 2;\nEND;\nc",
        [
            "SET 'a' = 'b'",
            "EXECUTE STATEMENT SET\nBEGIN\n INSERT INTO a SELECT 1;\n INSERT INTO b SELECT 2;\nEND",
            "c",
        ],
    ),
    (
        "execute /* x */ statement set begin insert into a select case when b then 1 else 2 end; "
        "insert into c select 1; end; d",
        [
            "execute /* x */ statement set begin insert into a select case when b then 1 else 2 end; "
            "insert into c select 1; end",
            "d",
        ],
    ),
    (
        "COMPILE PLAN 'p' FOR STATEMENT SET BEGIN INSERT INTO a SELECT 1; END; d",
        ["COMPILE PLAN 'p' FOR STATEMENT SET BEGIN INSERT INTO a SELECT 1; END", "d"],
    ),
    ("BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;", ["BEGIN STATEMENT SET", "INSERT INTO a SELECT 1", "END"]),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:30] for text, _ in CASES])
def test_statements_end_at_semicolons_that_count(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1;\nSELECT 'a", "q.sql:2:8: the text that begins here never ends"),
        ('SELECT "a', "q.sql:1:8: the quoted name that begins here never ends"),
        ("SELECT `a", "q.sql:1:8: the quoted name that begins here never ends"),
        ("a\n\n /* b", "q.sql:3:2: the comment that begins here never ends"),
    ],
)
def test_what_never_ends_is_told_where_it_begins(text: str, expected: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        split(text)
    assert str(caught.value) == expected


@given(st.text(alphabet="aé;'\"`-/*+ \n", max_size=40))
def test_only_semicolons_blanks_and_comments_are_left_out(text: str) -> None:
    try:
        found = split_statements(script(text)).statements
    except SpecInvalid:
        return
    ends = [0]
    for statement in found:
        assert ends[-1] <= statement.start < statement.end
        ends.append(statement.end)
    starts = [*(statement.start for statement in found), len(text)]
    for end, start in zip(ends, starts, strict=True):
        between = text[end:start]
        assert re.fullmatch(r"(\s|;|--[^\n]*(\n|$)|/\*(?!\+)(?:.|\n)*?\*/)*", between)


_STATEMENT = st.lists(
    st.sampled_from(["a", "1", "'x;y'", "'it''s'", '"q;"', "`b;`", "-- c;\n", "/* ; */", "/*+ h; */", "(", "é"]),
    min_size=1,
).map(lambda words: " ".join(["s", *words, "e"]))


@given(st.lists(_STATEMENT, max_size=6), st.sampled_from([";", " ;\n", ";;\n-- between\n", "; /* ; */ "]))
def test_joining_and_splitting_gives_the_same_statements(statements: list[str], separator: str) -> None:
    assert split(separator.join(statements)) == statements
