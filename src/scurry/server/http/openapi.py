"""The OpenAPI document of the API, made from the table of routes and the types that go over the wire."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from scurry import __version__
from scurry.server import wire
from scurry.server.http.routes import ROUTES, Route

Document = dict[str, Any]

_PLAIN: tuple[tuple[str, str, str, str], ...] = (
    ("/healthz", "healthz", "Whether the server's loop goes on.", "text/plain"),
    ("/readyz", "readyz", "Whether it has read its journal and looks after its share.", "text/plain"),
    ("/metrics", "metrics", "Metrics for Prometheus.", "text/plain"),
    (f"{wire.API}/openapi.json", "openapi", "This document.", "application/json"),
)
_ERRORS = {
    "400": "the request is wrong",
    "401": "the token is missing or wrong",
    "404": "there is nothing of that name",
    "409": "it cannot be done as things stand",
    "422": "the wish, the artifact or the target does not allow it",
    "423": "somebody else is changing the application",
    "500": "a fault of the server or its journal",
    "503": "the target or the server cannot answer now",
}


def document() -> Document:
    """Return the document (OpenAPI 3.1)."""
    kinds = [kind for route in ROUTES for kind in (route.gives, route.takes) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*dict.fromkeys(kinds), wire.Line, wire.ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    by_kind = dict(zip([*dict.fromkeys(kinds), wire.Line, wire.ErrorAnswer], schemas, strict=True))
    paths: dict[str, Document] = {}
    for path, name, about, mime in _PLAIN:
        paths[path] = {"get": {"operationId": name, "summary": about, "responses": {"200": _content(about, mime, {})}}}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "scurry", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


_ABOUT = (
    "The reconciling server of a scurry project. Changes answer with lines of JSON (`application/x-ndjson`) that tell"
    " their progress; the last one is a `result` or an `error`. A client that goes away stops no change."
)


def _operation(route: Route, schemas: dict[Any, Document]) -> Document:
    answer = _content("done", "application/json", schemas[route.gives])
    if route.streams:
        what = (
            "lines of progress; with `dry_run`, the plan" if route.takes else "the ends; with `follow`, lines of JSON"
        )
        answer["description"] = what
        answer["content"]["application/x-ndjson"] = {"schema": schemas[wire.Line]}
    operation: Document = {
        "operationId": route.name,
        "summary": route.about.split("\n")[0],
        "parameters": [*_in_path(route), *_in_query(route)],
        "responses": {
            "200": answer,
            **{
                status: _content(about, "application/json", schemas[wire.ErrorAnswer])
                for status, about in _ERRORS.items()
            },
        },
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[route.takes]}},
        }
    if route.takes_bytes:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    return operation


def _in_path(route: Route) -> list[Document]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(route: Route) -> list[Document]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "required": parameter.required,
            "schema": {"type": "array", "items": {"type": parameter.kind}}
            if parameter.repeated
            else {"type": parameter.kind},
        }
        for parameter in route.query
    ]


def _content(about: str, mime: str, schema: Document) -> Document:
    return {"description": about, "content": {mime: {"schema": schema or {"type": "string"}}}}
