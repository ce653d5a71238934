"""Avro's schema resolution: whether a new schema reads what an old one wrote. Pure, standard library only.

Avro specification, "Schema Resolution"; Flink asks `SchemaCompatibility.checkReaderWriterCompatibility`. It covers
records, enums, unions, arrays, maps, fixed and the promotions of numbers; aliases are unknown, never fine.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from scurry.model.compatibility import StateFate

Told: TypeAlias = tuple[StateFate, str | None]
_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
_IGNORED = frozenset({"doc", "order", "aliases"})


class _Misfit(Exception):
    """The reader cannot read what the writer wrote."""


class _Unclear(Exception):
    """It cannot be told."""


def compare_schemas(before: str, after: str) -> Told:
    """Return whether the schema `after` reads what `before` wrote, and why not; both are JSON."""
    try:
        writer, reader = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return StateFate.UNKNOWN, "its Avro schema is not JSON"
    if _bare(writer) == _bare(reader):
        return StateFate.SAME, None
    try:
        _Resolution(writer, reader).check(writer, reader, "")
    except _Misfit as misfit:
        return StateFate.INCOMPATIBLE, f"the new Avro schema cannot read the old one: {misfit}"
    except _Unclear as unclear:
        return StateFate.UNKNOWN, str(unclear)
    except (RecursionError, KeyError, TypeError, AttributeError):
        return StateFate.UNKNOWN, "its Avro schema is damaged, or nests too deep to be looked into"
    return StateFate.MIGRATABLE, "the Avro schema changed so that the new one reads the old one"


def _bare(schema: Any) -> Any:
    """Return a schema without what says nothing about its bytes."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if isinstance(schema, dict):
        bare = {
            key: _bare(value) if key != "default" else value for key, value in schema.items() if key not in _IGNORED
        }
        return bare["type"] if set(bare) == {"type"} and isinstance(bare["type"], str) else bare
    return schema


class _Resolution:
    """One comparison: the named types of both sides, and which pairs were begun (schemas refer to themselves)."""

    def __init__(self, writer: Any, reader: Any) -> None:
        self._writers: dict[str, Any] = {}
        self._readers: dict[str, Any] = {}
        _collect(writer, self._writers, "")
        _collect(reader, self._readers, "")
        self._begun: set[tuple[str, str]] = set()

    def check(self, writer: Any, reader: Any, path: str) -> None:
        """Raise `_Misfit` or `_Unclear`."""
        writer, reader = self._writers.get(_name(writer), writer), self._readers.get(_name(reader), reader)
        if isinstance(writer, list):
            for branch in writer:
                self.check(branch, reader, path)
            return
        if isinstance(reader, list):
            self._into_union(writer, reader, path)
            return
        was, becomes = _kind(writer), _kind(reader)
        if was != becomes:
            if becomes not in _PROMOTIONS.get(was, ()):
                raise _Misfit(f"{path or 'it'} was {was} and becomes {becomes}")
            return
        if _logical(writer) != _logical(reader):
            raise _Unclear(f"{path or 'it'} is of another logical type now")
        self._same_kind(was, writer, reader, path)

    def _same_kind(self, kind: str, writer: Any, reader: Any, path: str) -> None:
        match kind:
            case "record" | "error":
                self._record(writer, reader, path)
            case "enum":
                _enum(writer, reader, path)
            case "fixed":
                _same_name(writer, reader, path)
                if writer.get("size") != reader.get("size"):
                    raise _Misfit(f"{path or 'it'} is of another size")
            case "array":
                self.check(writer.get("items"), reader.get("items"), f"{path}[]")
            case "map":
                self.check(writer.get("values"), reader.get("values"), f"{path}{{}}")
            case _:
                pass

    def _into_union(self, writer: Any, branches: list[Any], path: str) -> None:
        unclear: _Unclear | None = None
        for branch in branches:
            try:
                self.check(writer, branch, path)
            except _Misfit:
                continue
            except _Unclear as error:
                unclear = error
                continue
            return
        raise unclear or _Misfit(f"{path or 'it'} was {_kind(writer)}, which the new union does not have")

    def _record(self, writer: Any, reader: Any, path: str) -> None:
        _same_name(writer, reader, path)
        pair = (str(writer.get("name")), str(reader.get("name")))
        if pair in self._begun:
            return
        self._begun.add(pair)
        written = {field["name"]: field for field in writer.get("fields", ())}
        for field in reader.get("fields", ()):
            name = field["name"]
            where = f"{path}.{name}" if path else f"field {name}"
            if name in written:
                self.check(written[name]["type"], field["type"], where)
            elif field.get("aliases"):
                raise _Unclear(f"{where} has aliases")
            elif "default" not in field:
                raise _Misfit(f"{where} was added without a default")


def _enum(writer: Any, reader: Any, path: str) -> None:
    _same_name(writer, reader, path)
    removed = [symbol for symbol in writer.get("symbols", ()) if symbol not in reader.get("symbols", ())]
    if removed and "default" not in reader:
        raise _Misfit(f"{path or 'the enum'} lost {', '.join(removed)}")


def _same_name(writer: Any, reader: Any, path: str) -> None:
    """Named types are matched by their name without its namespace."""
    was, becomes = (str(schema.get("name", "")).rpartition(".")[2] for schema in (writer, reader))
    if was == becomes:
        return
    if reader.get("aliases"):
        raise _Unclear(f"{path or 'it'} has aliases")
    raise _Misfit(f"{path or 'it'} was called {was} and is called {becomes}")


def _collect(schema: Any, named: dict[str, Any], namespace: str) -> None:
    """Gather the named types, by full and by short name."""
    if isinstance(schema, list):
        for part in schema:
            _collect(part, named, namespace)
    if not isinstance(schema, dict):
        return
    namespace = str(schema.get("namespace", namespace))
    if schema.get("type") in {"record", "error", "enum", "fixed"} and "name" in schema:
        short = str(schema["name"])
        named[short] = named[f"{namespace}.{short}"] = schema
    for key in ("type", "items", "values"):
        _collect(schema.get(key), named, namespace)
    for field in schema.get("fields", ()):
        _collect(field.get("type"), named, namespace)


def _name(schema: Any) -> str:
    return schema if isinstance(schema, str) else ""


def _kind(schema: Any) -> str:
    if isinstance(schema, dict):
        return _kind(schema.get("type"))
    if isinstance(schema, str):
        return schema
    return "union"


def _logical(schema: Any) -> Any:
    told = schema if isinstance(schema, dict) else {}
    return tuple(told.get(key) for key in ("logicalType", "precision", "scale"))
