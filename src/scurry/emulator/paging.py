"""Pages of a list, as all lists of the service have them: `Limit`, `NextToken`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.emulator.errors import invalid_argument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PAGE = 50
_TOKEN = "from-"


def page(request: Mapping[str, Any], member: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a page and the token of the next one, which says where that begins. Raises `ServiceError`."""
    token = request.get("NextToken", f"{_TOKEN}0")
    if not (token.startswith(_TOKEN) and token.removeprefix(_TOKEN).isdecimal()):
        raise invalid_argument("The NextToken is not valid")
    start = int(token.removeprefix(_TOKEN))
    size = request.get("Limit", _PAGE)
    found: dict[str, Any] = {member: list(entries[start : start + size])}
    if start + size < len(entries):
        found["NextToken"] = f"{_TOKEN}{start + size}"
    return found
