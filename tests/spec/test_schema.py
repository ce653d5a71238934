"""The JSON Schemas say what the models say: what loads validates, what does not load does not validate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from scurry.model.application import Application
from scurry.model.project import Project
from scurry.spec.schema import DIALECT, application_schema, project_schema
from tests.spec.test_bad_application import ADDED
from tests.spec.test_good_application import EXAMPLE
from tests.spec.writing import MINIMAL


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_both_are_schemas_of_the_dialect_that_they_name() -> None:
    for schema in (application_schema(), project_schema()):
        assert schema["$schema"] == DIALECT
        assert schema["$id"].startswith("urn:scurry:")
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_documented_example_validates() -> None:
    jsonschema.Draft202012Validator(application_schema()).validate(read(EXAMPLE))


RIGHT = [
    'flink: "2.3.0"',
    "parallelism: '{{ slots }}'",
    "config: {a: {b: [1, x]}, c.d: true, e: {env: X}}",
    "upgrade: {allow_non_restored_state: [a, b], rollback: '{{ x }}', health: {window: 1h 30m, checkpoints: 0}}",
    "environments: {p: {code: {jar: x.jar, sql: }, parallelism: 3, upgrade: {health: {window: 1s}}}, q: }",
    "connectors: [a.jar]",
    "variables: {a: {b: [1, 2]}, c: {env: X}}",
]


@pytest.mark.parametrize("added", RIGHT)
def test_what_is_right_validates(added: str) -> None:
    value = read(MINIMAL) | read(added)
    jsonschema.Draft202012Validator(application_schema()).validate(value)


SHAPES = (
    "is not known",
    "whole number",
    "is too",
    "a list",
    "is not a map",
    "is not an upgrade mode",
    "neither true nor false",
    "has no unit",
    "is not a duration",
    "it is called name@",
)
"""mistakes that a schema can see; the others are about files, names elsewhere, or the syntax of YAML"""


@pytest.mark.parametrize(
    "added",
    [
        added
        for added, told in ADDED
        if "tag" not in told and "<<" not in told and any(shape in told for shape in SHAPES)
    ],
)
def test_what_is_wrong_does_not_validate(added: str) -> None:
    assert not is_valid(application_schema(), read(MINIMAL) | read(added))


@pytest.mark.parametrize("code", ["{}", "{sql: a, jar: b}", "a.sql"])
def test_code_of_none_or_two_kinds_does_not_validate(code: str) -> None:
    assert not is_valid(application_schema(), read(MINIMAL) | read(f"code: {code}"))


@pytest.mark.parametrize("missing", ["name", "flink", "code"])
def test_what_is_needed_has_to_be_there(missing: str) -> None:
    value = read(MINIMAL)
    del value[missing]
    assert not is_valid(application_schema(), value)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{}", True),
        ("targets: {a: {kind: local, slots: 3}, b: {kind: rest, url: 'http://x'}, c: {kind: memory}}", True),
        ("targets: {a: {kind: other, anything: [1]}}", True),
        ("targets: {a: {slots: 3}}", False),
        ("targets: {a: {kind: local, slot: 3}}", False),
        ("targets: {a: {kind: rest}}", False),
        ("targets: {a: {kind: memory, slots: 3}}", False),
        ("repositories: ['https://x', {url: 'https://y'}]", True),
        ("repositories: [{ulr: 'https://y'}]", False),
        ("tragets: {}", False),
    ],
)
def test_projects_validate_as_they_load(text: str, valid: bool) -> None:
    assert is_valid(project_schema(), read(text)) is valid


def test_every_field_is_described() -> None:
    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, value in schema.get("properties", {}).items():
            if "description" not in value and "$ref" not in value:
                found.append(f"{path}.{name}")
        for name, value in schema.get("$defs", {}).items():
            if not name.startswith("Overlay"):
                found += undescribed(value, name)
        return found

    assert undescribed(application_schema(), "application") == []
    assert undescribed(project_schema(), "project") == []
    for model in (Application, Project):
        assert all(field.description for field in model.model_fields.values())


def test_schemas_are_the_same_every_time(folder: Path) -> None:
    assert application_schema() == application_schema()
    assert project_schema() == project_schema()
