"""Code that is missing or broken: jars, classes, scripts, connectors. Found before the running job is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.misuse.shop import make_jar

if TYPE_CHECKING:
    from tests.misuse.shop import Shop

APPLY = ("apply", "orders.yaml", "--yes")


def test_a_jar_that_is_not_there_is_missed_at_its_key(shop: Shop) -> None:
    shop.path("orders.jar").unlink()
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 4, "code.jar", column=8)
    assert "'orders.jar'" in refusal.message


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"hello", "it is no zip"), (b"", "the file is empty"), (b"PK\x03\x04" + b"x" * 200, "ends too early")],
    ids=["text", "empty", "cut"],
)
def test_a_jar_that_cannot_be_read_is_told_at_its_key(shop: Shop, content: bytes, says: str) -> None:
    shop.path("orders.jar").write_bytes(content)
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 4, "code.jar")
    assert says in refusal.message
    assert refusal.code == "artifact-error"
    assert "Build it" in refusal.hint


def test_a_main_class_that_the_jar_has_not_names_those_like_it(shop: Shop) -> None:
    shop.change("jar: orders.jar", "jar: orders.jar\n  main_class: com.example.Order")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 5, "code.main_class")
    assert "'com.example.Order'" in refusal.message
    assert "com.example.Orders" in refusal.hint


def test_a_jar_that_names_no_class_asks_for_one(shop: Shop) -> None:
    make_jar(shop.path("orders.jar"), main_class=None)
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 4, "code.jar")
    assert "main_class: com.example.Main" in refusal.hint


def test_a_python_script_that_does_not_parse_is_told_at_its_line(shop: Shop) -> None:
    shop.change("jar: orders.jar", "python: orders.py")
    shop.write("orders.py", "import this\nprint 'hello'\n")
    refusal = shop.refused(*APPLY)
    assert refusal.error["line"] == 2
    assert refusal.error["file"].endswith("orders.py")


def test_requirements_that_name_another_file_are_told_at_their_line(shop: Shop) -> None:
    shop.change("jar: orders.jar", "python: orders.py\n  requirements: needs.txt")
    shop.write("orders.py", "pass\n")
    shop.write("needs.txt", "numpy\n-r more.txt\n")
    refusal = shop.refused(*APPLY)
    assert refusal.error["line"] == 2
    assert refusal.error["file"].endswith("needs.txt")


def test_a_script_template_with_an_undefined_variable_is_told_at_its_line(shop: Shop) -> None:
    shop.change("jar: orders.jar", "sql: orders.sql.j2")
    shop.add("variables: {regions: [eu, us]}\n")
    shop.write(
        "orders.sql.j2", "{% for region in regions %}\nSELECT '{{ region }}',\n  '{{ regoin }}';\n{% endfor %}\n"
    )
    refusal = shop.refused(*APPLY)
    assert (refusal.error["file"], refusal.error["line"], refusal.error["column"]) == ("orders.sql.j2", 3, 7)
    assert "'regoin'" in refusal.message


def test_a_script_template_that_is_none_is_told_at_its_line(shop: Shop) -> None:
    shop.change("jar: orders.jar", "sql: orders.sql.j2")
    shop.write("orders.sql.j2", "SELECT 1;\n{% for region in [1] %}\nSELECT 2;\n")
    refusal = shop.refused(*APPLY)
    assert refusal.error["file"] == "orders.sql.j2"
    assert refusal.error["line"] in {2, 3, 4}


def test_a_template_cannot_read_what_is_outside(shop: Shop) -> None:
    shop.change("jar: orders.jar", "sql: orders.sql.j2")
    shop.write(
        "orders.sql.j2", "SELECT '{{ ''.__class__.__mro__[1].__subclasses__() }}';\n{% include '/etc/passwd' %}\n"
    )
    assert shop.refused(*APPLY).error["file"] == "orders.sql.j2"


def test_a_connector_that_is_no_jar_is_told_at_its_place_in_the_list(shop: Shop) -> None:
    shop.add("connectors:\n  - good.jar\n  - bad.jar\n")
    make_jar(shop.path("good.jar"))
    shop.write("bad.jar", "hello")
    refusal = shop.refused(*APPLY)
    refusal.is_at("orders.yaml", 8, "connectors[1]")
    assert "'bad.jar'" in refusal.message


def test_a_jar_that_is_replaced_while_its_plan_is_looked_at_is_not_what_starts(shop: Shop) -> None:
    """What was planned is what is uploaded: the artifact is in the store before the question is asked."""
    make_jar(shop.path("orders.jar"), content=b"2")
    with shop.on_terminal("apply", "orders.yaml") as terminal:
        terminal.read_until("[y/N]")
        make_jar(shop.path("orders.jar"), content=b"3")
        terminal.type("y\n")
        assert terminal.end() == 0
    changes = shop.done("plan", "orders.yaml", "--json").document["plans"][0]["changes"]
    assert [difference["field"] for difference in changes[0]["differences"]] == ["artifact"]
    history = shop.done("diff", "orders", "1", "2", "--json").document
    assert history["differences"][0]["after"] == changes[0]["differences"][0]["before"]
