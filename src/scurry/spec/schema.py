"""JSON Schema (draft 2020-12) of `application.yaml` and `scurry.yaml`, for editors and for other tools.

It is made from the models, so it cannot say anything else than they do; cross checks between fields are theirs alone.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from scurry.model.application import Application
from scurry.model.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFINITIONS = "#/$defs/"
_TEMPLATE: Schema = {"type": "string", "pattern": r"\{[{%]"}
_OVERLAY = "Overlay"


def application_schema() -> Schema:
    """Return the schema of `application.yaml`."""
    schema = _schema_of(Application.model_json_schema(), name="application")
    definitions = schema["$defs"]
    overlay = {key: value for key, value in schema["properties"].items() if key not in {"name", "environments"}}
    root = {"type": "object", "properties": overlay, "additionalProperties": False}
    for name, definition in {**definitions, "": root}.items():
        definitions[_OVERLAY + name] = _relaxed(definition)
    schema["properties"]["environments"]["additionalProperties"] = {
        "anyOf": [{"$ref": _DEFINITIONS + _OVERLAY}, {"type": "null"}]
    }
    return schema


def project_schema() -> Schema:
    """Return the schema of `scurry.yaml`."""
    return _schema_of(Project.model_json_schema(), name="project", templates=False)


def _schema_of(schema: Schema, *, name: str, templates: bool = True) -> Schema:
    result = deepcopy(schema)
    result.setdefault("$defs", {})
    for node in list(_nodes(result)):
        _strip(node)
    for node in list(_nodes(result)) if templates else ():
        _allow_template(node)
    return {"$schema": DIALECT, "$id": f"urn:scurry:schema:{name}", **result}


def _nodes(node: Schema) -> Iterator[Schema]:
    """Yield a schema and all schemas in it."""
    yield node
    for key in ("properties", "$defs"):
        for child in node.get(key, {}).values():
            yield from _nodes(child)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for child in node.get(key, []):
            yield from _nodes(child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _nodes(node[key])


def _strip(node: Schema) -> None:
    """Take away what is pydantic's and says nothing: titles, and null for what may as well be absent."""
    node.pop("title", None)
    if "default" in node and node["default"] is None:
        del node["default"]
    kinds = [kind for kind in node.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1 != len(node["anyOf"]):
        del node["anyOf"]
        node.update({**kinds[0], **node})


def _allow_template(node: Schema) -> None:
    """Let a template stand where a number, a flag, one of a few words or a text of some form belongs."""
    strict = {key: node[key] for key in _STRICT if key in node}
    if node.get("type") in ("integer", "boolean") or strict.keys() & {"enum", "pattern"}:
        for key in strict:
            del node[key]
        node["anyOf"] = [strict, dict(_TEMPLATE)]


_STRICT = ("type", "enum", "pattern", "minimum", "maximum", "maxLength")


def _relaxed(node: Schema) -> Schema:
    """Return a schema for a part of what the given one describes: nothing is required, and null removes."""
    result = deepcopy(node)
    for child in _nodes(result):
        child.pop("required", None)
        child.pop("default", None)
        if "oneOf" in child and "kind" not in child.get("properties", {}):
            child.pop("oneOf")
        if "$ref" in child:
            child["$ref"] = child["$ref"].replace(_DEFINITIONS, _DEFINITIONS + _OVERLAY)
        for name, value in child.get("properties", {}).items():
            child["properties"][name] = {"anyOf": [value, {"type": "null"}]}
    return result
