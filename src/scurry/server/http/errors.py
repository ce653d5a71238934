"""Between scurry's errors and HTTP: which status an error has, and what its body says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scurry.model import errors
from scurry.server.wire import ErrorBody

if TYPE_CHECKING:
    from scurry.server.service import Server

_STATUS: tuple[tuple[type[errors.ScurryError], int], ...] = (
    (errors.SpecInvalid, 422),
    (errors.SnapshotNotFound, 404),
    (errors.PlanError, 409),
    (errors.TargetUnavailable, 503),
    (errors.TargetError, 422),
    (errors.ArtifactError, 422),
    (errors.WorkspaceError, 422),
    (errors.ApplicationLocked, 423),
    (errors.LeaseLost, 409),
    (errors.ScurryError, 500),
)
"""the first that fits"""


class Unknown(errors.PlanError):
    """There is nothing of that name."""

    code = "unknown"


class Unauthorized(errors.ScurryError):
    """The token is missing or wrong."""

    code = "unauthorized"


class BadRequest(errors.ScurryError):
    """The request itself is wrong."""

    code = "bad-request"


class Busy(errors.ScurryError):
    """The server cannot take this on now. Without `retry_after_s` it never will: it is stopping."""

    code = "busy"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @classmethod
    def of(cls, server: Server, too_much: str) -> Busy:
        """Return why a server does not take something on: it is stopping, or there is too much of it."""
        if server.is_stopping:
            return cls("the server is stopping; it takes nothing on any more")
        return cls(f"{too_much}: no more at one time", retry_after_s=1.0)


_OWN: dict[type[errors.ScurryError], int] = {Unknown: 404, Unauthorized: 401, BadRequest: 400, Busy: 503}


def status_of(error: errors.ScurryError) -> int:
    """Return the HTTP status of an error."""
    own = _OWN.get(type(error))
    return own or next(status for kind, status in _STATUS if isinstance(error, kind))


def body_of(error: errors.ScurryError) -> ErrorBody:
    """Return what is said of an error."""
    more: dict[str, Any] = {
        name: value for name in ("target", "owner", "since", "cause") if (value := getattr(error, name, ""))
    }
    if isinstance(error, errors.TargetUnavailable | Busy):
        more["retry_after_s"] = error.retry_after_s
    if error.about is not None:
        more |= {"about": error.about.path, "in_project": error.about.in_project}
    problems = tuple({"message": problem.message, "hint": problem.hint} for problem in getattr(error, "problems", ()))
    return ErrorBody(code=error.code, message=error.message, hint=error.hint, problems=problems, **more)
