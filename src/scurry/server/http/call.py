"""One request, read: what it asks for and what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from scurry.server.http.errors import BadRequest
from scurry.server.wire import USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

    from scurry.server.service import Server
    from scurry.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of the API."""

    request: Request
    path: Mapping[str, str]
    server: Server

    @property
    def application(self) -> str:
        """The application that it is about."""
        return self.path["application"]

    @property
    def workspace(self) -> Workspace:
        """A workspace for looking."""
        return self.server.workspace_for(self.path.get("application", ""))

    @property
    def who(self) -> str:
        """Who asks, as they say themselves (`Scurry-User`): what the journal tells of who did what."""
        given = self.request.headers.get(USER, "")
        user = "".join(character for character in given if character.isprintable())[:100]
        return f"{user or 'somebody'} by server {self.server.settings.name}"

    def number(self, name: str, default: int | None = None) -> int:
        """Return a number of the query. Raises `BadRequest`."""
        text = self.request.args.get(name)
        if text is None and default is not None:
            return default
        try:
            return int(text or "")
        except ValueError:
            raise BadRequest(f"the query needs a number {name!r}, not {text!r}") from None

    def flag(self, name: str) -> bool:
        """Return whether a flag of the query is set."""
        return self.request.args.get(name, "").lower() in {"1", "true", "yes"}

    def body(self, kind: type[T]) -> T:
        """Return the body. Raises `BadRequest`."""
        if self.request.mimetype != "application/json":
            raise BadRequest("the body has to be JSON", hint="Send `Content-Type: application/json`.")
        try:
            return msgspec.json.decode(self.request.get_data(cache=False) or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"the body is not what is needed here: {error}") from None
