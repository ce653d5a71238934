"""Field types that the specs share: values as people write them, and the plain sentences when they are wrong.

Pydantic's own messages speak of its types; these speak of the file. Every `ValueError` raised here is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from scurry.model.values import SecretRef, Text, parse_duration, parse_size

if TYPE_CHECKING:
    from enum import StrEnum

SECRET_SOURCES = ("env", "file", "secretsmanager")
OLDEST_FLINK = (1, 18)
RESERVED_VARIABLES = (
    *("variables", "env", "outputs", "true", "false", "none", "True", "False", "None"),
    *("and", "or", "not", "in", "is", "if", "else", "for", "loop", "self"),
)
"""names that templates have for something else"""


class SpecModel(BaseModel):
    """A piece of a spec: immutable, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=False)


class Misplaced(ValueError):
    """What is wrong with one key of a map, found where the whole map is checked."""

    def __init__(self, message: str, *path: str, of_key: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.of_key = of_key


class OneOf:
    """How a field that takes one of an enum's words is read, and its JSON Schema: `Annotated[Kind, OneOf(Kind, …)]`."""

    def __init__(self, kind: type[StrEnum], complaint: str) -> None:
        """`complaint` stands in a message between what was found and the words: `is not an upgrade mode`."""
        self._kind = kind
        self._complaint = complaint
        self._words = [member.value for member in kind]

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: object) -> dict[str, Any]:
        return {"type": "string", "enum": self._words}

    def _read(self, value: object) -> StrEnum:
        word = "off" if value is False and "off" in self._words else value  # as YAML reads a bare `off`
        if word not in self._words:
            raise ValueError(f"{describe(value)} {self._complaint}: {', '.join(self._words)}")
        return self._kind(str(word))


def is_secret(value: object) -> bool:
    """Whether a value of the file is a secret's reference: a map with the one key `env`, `file` or `secretsmanager`."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((source, name),) = value.items()
    return source in SECRET_SOURCES and not isinstance(name, Mapping | list)


def read_secret(value: Mapping[Any, Any]) -> SecretRef:
    """Read `{env: NAME}` or `{file: path}`. Raises `ValueError`."""
    ((source, name),) = value.items()
    if source == "secretsmanager":
        raise ValueError(
            "a secret of AWS Secrets Manager comes with the managed target, which this version does not have yet; "
            "use {env: NAME} or {file: path}"
        )
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"the secret's {source} needs a {'variable' if source == 'env' else 'path'} as text")
    return SecretRef(source=source, name=name)


def read_tree(value: Any) -> Any:
    """Return a variable's value with the references to secrets in it read. Raises `ValueError`."""
    if is_secret(value):
        return read_secret(value)
    if isinstance(value, Mapping):
        return {key: read_tree(item) for key, item in value.items()}
    return [read_tree(item) for item in value] if isinstance(value, list) else value


def written(value: object) -> str:
    """Return a scalar as it was written: `true`, not `True`; numbers that the reader made keep their text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe(value: object) -> str:
    """Name what was found, for a message: `'two'`, `a list`, `nothing`."""
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "a map"
        case list() | tuple():
            return "a list"
        case SecretRef():
            return "a secret"
        case _:
            return f"'{written(value)}'"


def read_text(value: object) -> str:
    """Read a scalar as text, as it was written. Raises `ValueError`."""
    if value is None or isinstance(value, Mapping | list | tuple | SecretRef):
        raise ValueError(f"{describe(value)} is not a text")
    return written(value)


def read_filled(value: object) -> str:
    """Read a text that is not empty. Raises `ValueError`."""
    text = read_text(value)
    if not text.strip():
        raise ValueError("the text is empty")
    return text


def read_value(value: object) -> Text:
    """Read a scalar as it was written, or a reference to a secret. Raises `ValueError`."""
    if isinstance(value, SecretRef):
        return value
    if is_secret(value) and isinstance(value, Mapping):
        return read_secret(value)
    if value is None or isinstance(value, Mapping | list | tuple):
        raise ValueError(f"{describe(value)} is neither a text, a number, true or false, nor a secret ({{env: NAME}})")
    return written(value)


def read_whole(value: object) -> int:
    """Read a whole number; a text that is one serves, too (templates make texts). Raises `ValueError`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    raise ValueError(f"{describe(value)} is not a whole number")


def read_flag(value: object) -> bool:
    """Read `true` or `false`. Raises `ValueError`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ValueError(f"{describe(value)} is neither true nor false")


def read_duration(value: object) -> timedelta:
    """Read `30s`, `10min`, `7d`. Raises `ValueError`."""
    if isinstance(value, timedelta):
        return value
    text = read_text(value)
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"'{text}' has no unit; write for example {text}s or {text}min")
    try:
        duration = parse_duration(text)
    except OverflowError:
        raise ValueError(f"'{text}' is longer than anybody can wait") from None
    if not duration:
        raise ValueError(f"'{text}' is no time at all")
    return duration


def read_size(value: object) -> int:
    """Read `50GB`, `512 MiB` as bytes. Raises `ValueError`."""
    size = value if isinstance(value, int) and not isinstance(value, bool) else parse_size(read_text(value))
    if size <= 0:
        raise ValueError(f"{describe(value)} is no size at all")
    return size


def flatten(value: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested maps with dotted keys, as Flink's own YAML does; secrets are leaves."""
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, Mapping) and not is_secret(item):
            yield from flatten(item, f"{path}.")
        else:
            yield path, item


def read_options(value: object) -> dict[str, Any]:
    """Read Flink options, nested or dotted, to dotted keys. Raises `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{describe(value)} is not a map of Flink options")
    options: dict[str, Any] = {}
    for key, item in flatten(value):
        if key in options:
            raise ValueError(f"the option '{key}' is given twice, nested and with dots")
        options[key] = ";".join(map(written, item)) if _is_scalar_list(item) else item
    return options


def _is_scalar_list(value: object) -> bool:
    # Flink writes a list option as `a;b` in every version it has had (ConfigurationUtils, LEGACY format).
    return isinstance(value, list) and not any(isinstance(item, Mapping | list | None) for item in value)


def read_texts(value: object) -> object:
    """Refuse a single text where a list belongs, with a better word than the type's. Raises `ValueError`."""
    if isinstance(value, str):
        raise ValueError(f"a list belongs here; write [{value}]")
    if not isinstance(value, list | tuple):
        raise ValueError(f"{describe(value)} is not a list")
    return value


def read_memory(value: object) -> str:
    """Check a memory size as Flink writes it: `512m`, `2 gb`. Raises `ValueError`."""
    text = read_text(value)
    if not re.fullmatch(r"\d+\s*(b|bytes|k|kb|kibibytes|m|mb|mebibytes|g|gb|gibibytes|t|tb|tebibytes)", text.lower()):
        raise ValueError(f"'{text}' is not a memory size; write for example 512m or 2g")
    return text


def read_flink_version(value: object) -> str:
    """Read `2.3` (the newest patch) or `2.3.0`. Raises `ValueError`."""
    text = read_text(value)
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", text)
    if not match:
        raise ValueError(f'\'{text}\' is not a Flink version; write a series like "2.3" or a release like "2.3.0"')
    if (int(match[1]), int(match[2])) < OLDEST_FLINK:
        raise ValueError(f"Flink {text} is older than 1.18, the oldest that scurry runs")
    return text


def read_variables(value: object) -> dict[str, Any]:
    """Read variables for templates: names to any values, secrets as references. Raises `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{describe(value)} is not a map of variables")
    for name in value:
        if not isinstance(name, str) or not name.isidentifier():
            message = f"'{name}' cannot be a variable's name: letters, digits and '_', not beginning with a digit"
            raise Misplaced(message, str(name), of_key=True)
        if name in RESERVED_VARIABLES:
            raise Misplaced(f"'{name}' cannot be a variable's name: templates have it", name, of_key=True)
    return {name: _read_variable(name, item) for name, item in value.items()}


def _read_variable(name: str, value: object) -> Any:
    try:
        return read_tree(value)
    except ValueError as error:
        raise Misplaced(str(error), name) from None


SECRET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A reference to a secret, resolved at the last moment: an environment variable or a file.",
    "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_SCALARS = ["string", "number", "boolean"]
VALUE_SCHEMA: dict[str, Any] = {"anyOf": [{"type": _SCALARS}, SECRET_SCHEMA]}
_OPTIONS_SCHEMA: dict[str, Any] = {"type": "object", "additionalProperties": {"type": [*_SCALARS, "object", "array"]}}


Line: TypeAlias = Annotated[str, PlainValidator(read_text), WithJsonSchema({"type": _SCALARS})]
"""text; numbers and flags as written"""
Filled: TypeAlias = Annotated[str, PlainValidator(read_filled), WithJsonSchema({"type": ["string", "number"]})]
"""text that is not empty"""
Value: TypeAlias = Annotated[Text, PlainValidator(read_value), WithJsonSchema(VALUE_SCHEMA)]
"""text, number, flag, or a reference to a secret"""
WHOLE = BeforeValidator(read_whole)
"""goes last on an `int`, behind its bounds"""
Flag: TypeAlias = Annotated[bool, PlainValidator(read_flag), WithJsonSchema({"type": "boolean"})]
Duration: TypeAlias = Annotated[
    timedelta,
    PlainValidator(read_duration),
    PlainSerializer(lambda duration: f"{duration.total_seconds():g}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|min|m|h|d|w))+\s*$"}),
]
"""`30s`, `10min`, `1h 30m`, `7d`"""
Size: TypeAlias = Annotated[
    int,
    PlainValidator(read_size),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^\s*\d+(\.\d+)?\s*([kKMGT]i?)?B?\s*$"}),
]
"""`50GB`, `512 MiB`, or bytes"""
Memory: TypeAlias = Annotated[str, PlainValidator(read_memory), WithJsonSchema({"type": "string"})]
"""`512m`, `2g`"""
Texts: TypeAlias = Annotated[tuple[Line, ...], BeforeValidator(read_texts)]
Values: TypeAlias = Annotated[tuple[Value, ...], BeforeValidator(read_texts)]
Options: TypeAlias = Annotated[Mapping[Filled, Value], BeforeValidator(read_options), WithJsonSchema(_OPTIONS_SCHEMA)]
"""Flink options: dotted keys to values"""
FlinkVersion: TypeAlias = Annotated[
    str,
    PlainValidator(read_flink_version),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^\d+\.\d+(\.\d+)?$"}),
]
Variables: TypeAlias = Annotated[
    Mapping[str, Any],
    PlainValidator(read_variables),
    WithJsonSchema({"type": "object", "propertyNames": {"pattern": r"^[A-Za-z_]\w*$"}}),
]
