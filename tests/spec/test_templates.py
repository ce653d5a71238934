"""SQL templates: what they may do, what is told when they are wrong, and where each character comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scurry.model.errors import SpecInvalid
from scurry.model.script import Script
from scurry.model.values import SecretRef
from scurry.spec import origins
from scurry.spec.templates import RenderedScript, Templates, render_script
from tests.spec.writing import write

VARIABLES: dict[str, Any] = {
    "airline": "UA",
    "many": ["x", "y"],
    "kafka": {"brokers": "b:1", "items": 3},
    "password": SecretRef(source="env", name="PW"),
    "text": "two\nlines",
}


def render(folder: Path, template: str, **more: Any) -> RenderedScript:
    (folder / "q.sql").write_text(template, encoding="utf-8", newline="")
    return render_script(folder / "q.sql", variables={**VARIABLES, **more}, env={"HOME": "/home/me"})


def told(folder: Path, template: str) -> list[str]:
    with pytest.raises(SpecInvalid) as caught:
        render(folder, template)
    return [str(problem) for problem in caught.value.problems]


def place_of(script: Script, piece: str) -> str:
    return str(script.place(script.text.index(piece)))


RENDERED = [
    ("plain", "SELECT 1", "SELECT 1"),
    ("a bare name", "{{ airline }}", "UA"),
    ("a dotted name", "{{ variables.airline }}", "UA"),
    ("a key that is a method of dict", "{{ kafka['items'] }}{{ kafka.brokers }}", "3b:1"),
    ("the environment", "{{ env.HOME }}", "/home/me"),
    ("the environment with a default", "{{ env.NONE | default('x') }}", "x"),
    ("a condition on what is not there", "{% if nothing is defined %}a{% else %}b{% endif %}", "b"),
    ("a loop", "{% for m in many %}{{ m }}{{ ', ' if not loop.last }}{% endfor %}", "x, y"),
    ("raw", "{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ("line ends of Windows", "a\r\nb {{ airline }}\r\n", "a\nb UA\n"),
    ("no escaping", "{{ '<&>' }}", "<&>"),
    ("a trailing newline is kept", "a\n", "a\n"),
]


@pytest.mark.parametrize(("template", "expected"), [case[1:] for case in RENDERED], ids=[case[0] for case in RENDERED])
def test_templates_render(folder: Path, template: str, expected: str) -> None:
    assert render(folder, template).script.text == expected


WRONG = [
    ("a {{ airlin }}", ["1:6: the variable 'airlin' is not defined; did you mean 'airline'?"]),
    ("\n\n  {{ variables.airlin }}", ["3:16: the variable 'airlin' is not defined; did you mean 'airline'?"]),
    ("{{ kafka.brokrs }}", ["1:10: there is no 'brokrs' in this map; did you mean 'brokers'?"]),
    ("a\n {{ kafka['no' ~ 'pe'] }}", ["2:2: there is no 'nope' in this map; known: brokers, items"]),
    ("{{ many.length }}", ["1:9: there is no 'length' in this list; there are none"]),
    ("{{ env.NONE }}", ["1:8: the environment variable 'NONE' is not set"]),
    ("{{ outputs.a.b }}", ["1:12: 'outputs.a' cannot be had: outputs of the infrastructure are not read yet"]),
    (
        "{{ aa }}\n{% if bb %}{% endif %}\n{% for x in cc %}{% endfor %}{{ dd.e.f(1)[2] + 3 }}",
        [
            f"{place}: the variable '{name}' is not defined; known: airline, many, kafka, password, text"
            for place, name in (("1:4", "aa"), ("2:7", "bb"), ("3:13", "cc"), ("3:33", "dd"))
        ],
    ),
    (
        "a\n{% if airline %}",
        [
            "2:1: not a template: unexpected end of template. Jinja was looking for the following tags: "
            "'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'"
        ],
    ),
    ("a\n  {{ airline", ["2:3: not a template: unexpected end of template, expected 'end of print statement'"]),
    ("{% fro %}", ["1:1: not a template: encountered unknown tag 'fro'"]),
    ("a\n {{ 1 / 0 }}", ["2:2: the template fails: division by zero"]),
    ("{{ ''.__class__ }}", ["1:7: there is no '__class__' in ''; there are none"]),
    (
        "{% include 'gone.sql' %}",
        ["1:12: there is no template 'gone.sql', neither beside this one nor in the project's folder"],
    ),
    ("{% include '../outside.sql' %}", ["1:12: '../outside.sql' is outside of the project's folder"]),
    ("{% include '/etc/passwd' %}", ["1:12: '/etc/passwd' is outside of the project's folder"]),
    ("{% include 'q.sql' %}", ["1:1: the template includes itself without end"]),
    (
        "{{ password == 'x' }}",
        ["1:1: the template fails: the secret 'password' cannot be compared: its value is not known here"],
    ),
    ("SELECT {{ password | upper }}", ["1:8: there is no secret variable 'PASSWORD'; did you mean 'password'?"]),
    ("SELECT '${secret:pasword}'", ["1:9: there is no secret variable 'pasword'; did you mean 'password'?"]),
    ("SELECT\n 'open {{ airline }}", ["2:2: the text that begins here never ends"]),
    ("SELECT 1;\n  /* open", ["2:3: the comment that begins here never ends"]),
    (
        "{{ range(10000000) }}",
        ["1:1: the template fails: range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)"],
    ),
]


@pytest.mark.parametrize(("template", "expected"), WRONG, ids=[template for template, _ in WRONG])
def test_each_mistake_in_a_template_has_its_place(folder: Path, template: str, expected: list[str]) -> None:
    write(folder.parent, {"outside.sql": "SELECT 1"})
    assert told(folder, template) == [f"q.sql:{line}" for line in expected]


def test_a_mistake_in_an_included_template_is_told_there(folder: Path) -> None:
    write(folder, {"parts/m.sql": "{% macro f(x) %}\n{{ x }}{{ nope }}{% endmacro %}", "parts/i.sql": "\n {{ oops }}"})
    assert told(folder, "{% import 'parts/m.sql' as m %}\n{{ m.f(gone) }}\n{% include 'parts/i.sql' %}") == [
        "q.sql:2:8: the variable 'gone' is not defined; known: airline, many, kafka, password, text",
        "parts/m.sql:2:11: the variable 'nope' is not defined; known: airline, many, kafka, password, text",
        "parts/i.sql:2:4: the variable 'oops' is not defined; known: airline, many, kafka, password, text",
    ]


def test_a_link_cannot_lead_an_include_out_of_the_project(folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    (folder / "link.sql").symlink_to(folder.parent / "secret.txt")
    assert told(folder, "{% include 'link.sql' %}") == ["q.sql:1:12: 'link.sql' is outside of the project's folder"]


def test_includes_come_from_beside_the_template_then_from_the_project(folder: Path) -> None:
    write(
        folder, {"shared.sql": "root", "a/q.sql": "{% include 'b/n.sql' %}", "a/b/n.sql": "{% include 'shared.sql' %}"}
    )
    assert render_script(folder / "a/q.sql", variables={}, env={}, root=folder).script.text == "root"
    write(folder, {"a/b/shared.sql": "beside"})
    assert render_script(folder / "a/q.sql", variables={}, env={}, root=folder).script.text == "beside"


def test_a_secrets_value_is_never_in_the_script(folder: Path) -> None:
    rendered = render(
        folder, "SELECT '{{ password }}', '{{ kafka.key }}'", kafka={"key": SecretRef(source="file", name="k")}
    )
    assert rendered.script.text == "SELECT '${secret:password}', '${secret:kafka.key}'"
    assert rendered.secrets == {
        "password": SecretRef(source="env", name="PW"),
        "kafka.key": SecretRef(source="file", name="k"),
    }


def test_each_piece_knows_its_place(folder: Path) -> None:
    write(folder, {"i.sql": "-- included\nincluded {{ airline }}-tail"})
    script = render(
        folder,
        "start\n"
        "{# a\ncomment #}{%- if airline %}\n"
        "  one {{ airline }} two{{- ' three' }}\n"
        "{% endif -%}   \n"
        "   four {% raw %}{{ five }}{% endraw %}\n"
        "{% for m in many %}<{{ m }}>\n{% endfor %}{{ text }}\n"
        "{% include 'i.sql' %}\n"
        "{% macro f(x) %}macro:{{ x }}!{% endmacro %}\n"
        "last {{ f('arg') }}",
    ).script
    assert {piece: place_of(script, piece) for piece in ("start", "one", "UA", "two", "three", "four", "five")} == {
        "start": "q.sql:1:1",
        "one": "q.sql:4:3",
        "UA": "q.sql:4:7",
        "two": "q.sql:4:21",
        "three": "q.sql:4:24",
        "four": "q.sql:6:4",
        "five": "q.sql:6:21",
    }
    assert [str(script.place(script.text.index(piece))) for piece in ("<x", "x>", "<y", "y>")] == [
        "q.sql:7:20",
        "q.sql:7:21",
        "q.sql:7:20",
        "q.sql:7:21",
    ]
    assert place_of(script, "two\nlines") == place_of(script, "lines") == "q.sql:8:13"
    assert place_of(script, "included UA") == "i.sql:2:1"
    assert place_of(script, "-tail") == "i.sql:2:23"
    assert place_of(script, "macro:") == "q.sql:10:17"
    assert place_of(script, "arg") == "q.sql:10:23"
    assert place_of(script, "last") == "q.sql:11:1"


def test_a_filter_that_looks_at_its_content_costs_exactness_only_in_its_line(folder: Path) -> None:
    script = render(
        folder,
        "first {{ airline }}\n{% set x %}abc{% endset %}n = {{ x | length }}, {{ x[:2] }}\nlast {{ airline }} end",
    ).script
    assert script.text == "first UA\nn = 3, ab\nlast UA end"
    assert place_of(script, "first") == "q.sql:1:1"
    assert place_of(script, "3, ab").startswith("q.sql:2:")
    assert place_of(script, "last") == "q.sql:3:1"
    assert place_of(script, "end") == "q.sql:3:20"


def test_text_with_the_characters_that_mark_places_comes_through(folder: Path) -> None:
    script = render(folder, "\U00100000 a {{ airline }}").script
    assert script.text == "\U00100000 a UA"
    assert str(script.place(3)) == "q.sql:1:1"


def test_a_parser_error_in_the_rendered_text_points_into_the_template(folder: Path) -> None:
    script = render(folder, "-- head\n{% for m in many %}\nINSERT INTO t\n  SELEKT {{ m }};\n{% endfor %}").script
    assert [str(script.place_in_statement(index, 2, 3)) for index in (0, 1)] == ["q.sql:4:3", "q.sql:4:3"]


def test_a_template_that_only_works_without_marks_still_renders(folder: Path) -> None:
    script = render(folder, "a\n{% set n %}5{% endset %}{{ 10 // (n | int) }}").script
    assert script.text == "a\n2"
    assert str(script.place(2)) == "q.sql:1:1"


def test_a_giant_beyond_the_marks_still_renders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "_LAST", origins._FIRST + 1)
    script = render(folder, "a\nb\nc\nd {{ airline }}").script
    assert script.text == "a\nb\nc\nd UA"
    assert [place_of(script, piece) for piece in "abcd"] == [f"q.sql:{line}:1" for line in (1, 2, 3, 4)]


def test_thousands_of_lines_that_marks_change_cost_no_time(folder: Path) -> None:
    body = "line\n" * 5000
    script = render(folder, body + "{% set x %}abc{% endset %}{{ x | length }}").script
    assert script.text == body + "3"
    assert str(script.place(9)) == "q.sql:1:1"


_LITERAL = st.text(alphabet="abc ;'\"`{}%#-\n\té日", max_size=8).filter(
    lambda text: not any(tag in text + "{" for tag in ("{{", "{%", "{#")) and not text.endswith("{")
)


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    open_if = st.sampled_from(["{% if yes %}", "{%- if yes %}", "{% if yes -%}", "{%- if no -%}"])
    open_for = st.sampled_from(["{% for i in three %}", "{%- for i in three -%}", "{% for i in nobody %}"])
    return st.one_of(
        st.tuples(open_if, inner, st.sampled_from(["{% endif %}", "{%- endif -%}"])).map("".join),
        st.tuples(open_for, inner, st.sampled_from(["{% endfor %}", "{%- endfor %}"])).map("".join),
    )


_PIECE = st.one_of(
    _LITERAL,
    st.sampled_from(["{{ word }}", "{{- word }}", "{{ word -}}", "{# a {{ b }} #}", "{#- c\n -#}"]),
    _LITERAL.map(lambda text: "{% raw %}" + text + "{% endraw %}"),
)
_TEMPLATE = st.recursive(
    st.lists(_PIECE, max_size=5).map("".join),
    lambda inner: st.lists(st.one_of(_PIECE, _nested(inner)), max_size=5).map("".join),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(template=_TEMPLATE)
def test_every_character_of_literal_text_is_the_same_character_in_the_template(folder: Path, template: str) -> None:
    # The words that expressions make are of letters that no literal has, so that they are told apart.
    path = folder / "q.sql"
    path.write_text(template, encoding="utf-8", newline="")
    names = {"yes": True, "no": False, "three": [1, 2, 3], "nobody": [], "word": "WORD"}
    script = Templates(variables=names, env={}, root=folder).rendered(path)
    lines = template.split("\n")
    for offset, character in enumerate(script.text):
        place = script.place(offset)
        assert place.line
        assert place.column
        line = lines[place.line - 1] + "\n"
        if character in "WORD":
            assert line[place.column - 1 :].startswith("{{")
        else:
            assert line[place.column - 1] == character
