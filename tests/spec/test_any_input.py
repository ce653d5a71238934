"""Whatever stands in a file, it is read or its mistakes are told; nothing else comes out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from scurry.model.application import Application
from scurry.model.errors import Problem, SpecInvalid
from scurry.model.project import Project
from scurry.spec.complaint import problems_of
from scurry.spec.yaml_source import Source, parse_yaml
from tests.spec.test_good_application import EXAMPLE

PROJECT = """\
name: a
target: eu
targets:
  local: {kind: local, slots: 4, task_managers: 2, task_manager_memory: 2g, config: {a: {b: 1}}, log_level: INFO}
  eu: {kind: rest, url: "https://f", verify: true, headers: {X: y}, timeouts: {read: 1min}}
  toy: {kind: memory}
  other: {kind: other, x: 1}
environments: {prod: {target: eu, variables: {a: 1}}}
repositories: ["https://m", {url: "https://n", username: me, password: {env: PW}}]
flink: {"2.3": /opt/flink}
"""
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([[], {}, [None], [[]], [{}], {"a": None}, {"a": {"b": []}}, {"env": "X"}, {"secretsmanager": "X"}]),
    st.sampled_from([{"env": {}}, {"env": None}, {"file": 3}, {"env": "A", "file": "b"}, {"1": 2}, {"kind": "rest"}]),
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in paths_in(item, (*path, key)))]


def replaced(data: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = deepcopy(data)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


@pytest.mark.parametrize(
    ("model", "text"), [(Application, EXAMPLE), (Project, PROJECT)], ids=["application", "project"]
)
@settings(max_examples=120, deadline=None)
@given(choice=st.data())
def test_every_mistake_is_told_without_the_librarys_words(
    model: type[BaseModel], text: str, choice: st.DataObject
) -> None:
    source = parse_yaml(text, file="f.yaml")
    path = choice.draw(st.sampled_from(paths_in(source.data)))
    data = replaced(source.data, path, choice.draw(JUNK))
    if not isinstance(data, dict):
        return
    try:
        model.model_validate(data)
    except ValidationError as error:
        found = problems_of(error, source=Source(file="f.yaml", data=data, spans=source.spans), model=model)
        assert found
        for _, problem in found:
            assert problem.place
            assert problem.place.line
            assert not any(
                word in problem.message
                for word in ("Input", "valid ", "pydantic", "type=", "str", "dict", "does not fit")
            )


PIECES = (
    *(
        "a",
        ": ",
        "- ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "!x ",
        "|\n",
        ">",
        "'",
        '"',
        "#",
        "? ",
        "<<: ",
    ),
    *("%", "---\n", "...\n", "\t", "!!int ", "1.5", "true", "{{", "\\", "é", "\u2028", "\x85", "\x07", "\ufeff"),
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=20).map("".join)))
def test_any_text_is_yaml_or_told_not_to_be(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse_yaml(text, file="f.yaml")
    except SpecInvalid as error:
        problems = error.problems
    assert all(problem.place and problem.place.file == "f.yaml" for problem in problems)


_WORD = st.text(alphabet="abc", min_size=1, max_size=4)
_SCALAR = st.text(alphabet="abz ZüЖ#:'-{", min_size=1, max_size=10).map(str.strip).filter(bool)


@settings(deadline=None)
@given(
    st.dictionaries(_WORD, st.tuples(_SCALAR, st.sampled_from(["'", '"', "|"])), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_the_place_of_a_text_is_where_its_first_character_stands(
    values: dict[str, tuple[str, str]], indent: int
) -> None:
    lines = ["top:"]
    for key, (value, style) in values.items():
        if style == "|":
            lines += [f"{' ' * indent}{key}: |", f"{' ' * (indent + 2)}{value}"]
        else:
            safe = value.replace("'", "''") if style == "'" else value
            lines.append(f"{' ' * indent}{key}: {style}{safe}{style}")
    source = parse_yaml("\n".join(lines) + "\n", file="f.yaml")
    for key, (value, style) in values.items():
        span = source.spans["top", key]
        assert lines[span.key_line - 1][span.key_column - 1 :].startswith(f"{key}:")
        assert lines[span.line - 1][span.column - 1] == style
        if span.text_line is not None and span.text_column is not None:
            assert lines[span.text_line - 1][span.text_column - 1 :].startswith(value)
        else:
            assert "'" in value  # a doubled quote: its text and its file differ
