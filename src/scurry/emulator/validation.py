"""Requests compared with botocore's model of the service: types, required members, lengths, ranges, patterns, words.

botocore checks less before it sends: no patterns, and not all ranges. What is wrong is worded as AWS's services do.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from scurry.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": (int, float),
    "timestamp": (int, float, str),
}


def check(shape: Shape, value: Any) -> Any:
    """Return a request's value with its blobs decoded, and without members that the model does not know.

    Raises `ServiceError`: `SerializationException` for another type, `ValidationException` for another value.
    """
    read = _read(shape, value)
    if found := list(_violations(shape, read, "")):
        plural = "" if len(found) == 1 else "s"
        raise ServiceError("ValidationException", f"{len(found)} validation error{plural} detected: {'; '.join(found)}")
    return read


def _read(shape: Shape, value: Any) -> Any:
    if not _is_of_type(shape, value):
        what = type(value).__name__
        raise ServiceError("SerializationException", f"{what} value cannot be converted to {shape.name}")
    match shape.type_name:
        case "structure":
            known = ((name, member) for name, member in shape.members.items() if value.get(name) is not None)
            return {name: _read(member, value[name]) for name, member in known}
        case "list":
            return [_read(shape.member, entry) for entry in value]
        case "map":
            return {key: _read(shape.value, entry) for key, entry in value.items()}
        case "blob":
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise ServiceError("SerializationException", f"{shape.name} is not base64") from error
        case _:
            return value


def _is_of_type(shape: Shape, value: Any) -> bool:
    return isinstance(value, _TYPES[shape.type_name]) and (shape.type_name == "boolean" or not isinstance(value, bool))


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            yield from _of_members(shape, value, path)
        case "list" | "map":
            yield from _size(shape, value, path)
            yield from _of_entries(shape, value, path)
        case "string":
            yield from _size(shape, value, path)
            yield from _words(shape, value, path)
        case "blob":
            yield from _size(shape, value, path)
        case "integer" | "long" | "double":
            yield from _range(shape, value, path)
        case _:
            pass


def _of_members(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = _below(path, name)
        if name in value:
            yield from _violations(member, value[name], inner)
        elif name in shape.required_members:
            yield f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"


def _of_entries(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "list":
        for number, entry in enumerate(value, start=1):
            yield from _violations(shape.member, entry, f"{path}.{number}.member")
        return
    for key, entry in value.items():
        yield from _violations(shape.key, key, f"{path}.{key}")
        yield from _violations(shape.value, entry, f"{path}.{key}.member")


def _below(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _size(shape: Shape, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield _failed(value, path, f"Member must have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield _failed(value, path, f"Member must have length less than or equal to {most}")


def _range(shape: Shape, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield _failed(value, path, f"Member must have value greater than or equal to {least}")
    if most is not None and value > most:
        yield _failed(value, path, f"Member must have value less than or equal to {most}")


def _words(shape: Shape, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield _failed(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    words = getattr(shape, "enum", None)
    if words and value not in words:
        yield _failed(value, path, f"Member must satisfy enum value set: [{', '.join(words)}]")


def _failed(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
