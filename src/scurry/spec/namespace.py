"""What templates see: `variables` (also by their bare names), `env`, `outputs`; and what is not there, told well.

An undefined name does not stop a rendering: it is noted with its place, so that all of them are told at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import StrictUndefined
from jinja2.utils import missing as nothing

from scurry.model.values import SecretRef

if TYPE_CHECKING:
    from types import FrameType


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A name that a template used and that is not there."""

    name: str
    of: object
    """what it was looked up in; None for a bare name"""
    used_at: tuple[tuple[str, int], ...]
    """template and line, innermost first: a name that is given to a macro is missed inside of it"""


class Names:
    """Names with values, by attribute or by key; nothing else (a dict's methods would hide keys like `items`)."""

    def __init__(self, title: str, values: Mapping[str, Any]) -> None:
        self._values = values
        self._title = title

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __str__(self) -> str:
        return self._title


class SecretText:
    """A secret in a template: it renders as `${secret:name}`, which is filled in at the last moment."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return f"${{secret:{self._name}}}"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError(f"the secret '{self._name}' cannot be compared: its value is not known here")

    __hash__ = None  # type: ignore[assignment]


def with_secrets(value: Any, name: str, found: dict[str, SecretRef]) -> Any:
    """Return a variable's value as templates see it, and note the secrets in it under their dotted names."""
    if isinstance(value, SecretRef):
        found[name] = value
        return SecretText(name)
    if isinstance(value, Mapping):
        return {key: with_secrets(item, f"{name}.{key}", found) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_secrets(item, f"{name}.{index}", found) for index, item in enumerate(value)]
    return value


def _giving(make: Callable[[], Any]) -> Any:
    """Make a special method that notes the use and goes on with an empty value of the type that Python wants."""

    def special(self: Unknown, *_: object, **__: object) -> Any:
        self.note()
        return make()

    return special


def _staying(self: Unknown, *_: object, **__: object) -> Any:
    self.note()
    return self


_itself: Any = _staying


class Unknown(StrictUndefined):
    """An undefined name: noted when it is used, and then as empty as can be, so that the rendering goes on."""

    def note(self) -> None:
        """Tell the environment that the name is missing, and where the template that is being rendered uses it."""
        template, used_at = None, []
        frame: FrameType | None = sys._getframe(1)
        while frame:
            found = frame.f_globals.get("__jinja_template__")
            if found is not None:
                template = found
                used_at.append((found.name or "", found.get_corresponding_lineno(frame.f_lineno)))
            frame = frame.f_back
        if template is None:  # Jinja tries to compute constants when it compiles
            self._fail_with_undefined_error()
        of = None if self._undefined_obj is nothing else self._undefined_obj
        template.environment.missing.append(
            Missing(name=str(self._undefined_name), of=of, used_at=tuple(dict.fromkeys(used_at)))
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self.note()
        return self

    __str__ = _giving(str)
    __iter__ = _giving(lambda: iter(()))
    __len__ = __int__ = __hash__ = _giving(int)
    __float__ = _giving(float)
    __complex__ = _giving(complex)
    __bool__ = __eq__ = __contains__ = _giving(bool)
    __ne__ = _giving(lambda: True)
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _itself
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _itself
    __call__ = __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = _itself
