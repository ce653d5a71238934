"""What differs between two wishes, field by field, and how big each difference is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from scurry.model.desired import Artifact, Desired, Impact, impacts
from scurry.model.plan import Difference
from scurry.model.values import MASK, SecretRef, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(before: Desired, after: Desired) -> tuple[Difference, ...]:
    """Return every difference, in the order of the fields of `Desired`."""
    if before == after:
        return ()
    return tuple(
        Difference(field=path, before=old, after=new, impact=impact)
        for field, impact in impacts().items()
        if impact is not Impact.NONE
        for path, old, new in _compare(field, getattr(before, field), getattr(after, field))
    )


def greatest(found: tuple[Difference, ...]) -> Impact:
    """Return the impact that decides: the greatest."""
    return max((difference.impact for difference in found), default=Impact.NONE)


def _compare(path: str, before: Any, after: Any) -> Iterator[tuple[str, str | None, str | None]]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _compare(f"{path}.{key}", before.get(key), after.get(key))
        return
    if (
        isinstance(before, msgspec.Struct)
        and type(before) is type(after)
        and not isinstance(before, Artifact | SecretRef)
    ):
        for name in before.__struct_fields__:
            yield from _compare(f"{path}.{name}", getattr(before, name), getattr(after, name))
        return
    yield path, _shown(before), _shown(after)


def _shown(value: Any) -> str | None:
    """Render a value for people. A secret shows as a mask with the place it comes from, never its value."""
    match value:
        case None:
            return None
        case SecretRef():
            return f"{MASK} ({value.source} {value.name})"
        case tuple():
            return "[" + ", ".join(str(_shown(item)) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
        case _:
            return _plain(value)


def _plain(value: Any) -> str:
    match value:
        case Artifact():
            return f"{value.file_name} ({value.digest.removeprefix('sha256:')[:12]})"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case timedelta():
            return format_duration(value)
        case _:
            return str(value)
