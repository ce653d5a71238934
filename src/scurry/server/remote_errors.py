"""Errors that came over the wire, as the classes that they were: the command line tells both alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry.model import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scurry.server.wire import ErrorBody


class Told(errors.ServerError):
    """An error of the server that has no class of its own here."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message, hint=body.hint)
        self.code = body.code  # type: ignore[misc]  # of this one, not of the class
        self.owner, self.since, self.target, self.cause = body.owner, body.since, body.target, body.cause


def raised(body: ErrorBody) -> errors.ScurryError:
    """Return the error that a body tells of."""
    error = _of_code(body)
    if body.about is not None:
        error.concerning(*body.about, in_project=body.in_project)
    return error


def _of_code(body: ErrorBody) -> errors.ScurryError:
    target, hint = body.target or "", body.hint
    match body.code:
        case "spec-invalid":
            found = [errors.Problem(message=str(one["message"]), hint=one.get("hint")) for one in body.problems]
            return errors.SpecInvalid(tuple(found) or (errors.Problem(message=body.message, hint=hint),))
        case "application-locked":
            return errors.ApplicationLocked(body.message, owner=body.owner or "", since=body.since or "", hint=hint)
        case "unknown":
            return errors.PlanError(body.message, hint=hint)
        case "frozen":
            return errors.Frozen(body.message, owner=body.owner or "", since=body.since or "", hint=hint)
        case "target-unavailable":
            again = body.retry_after_s or 1.0
            return errors.TargetUnavailable(body.message, target=target, hint=hint, retry_after_s=again)
        case "rejected-by-target":
            return errors.RejectedByTarget(body.message, target=target, hint=hint, cause=body.cause or "")
        case "target-unsuitable":
            return errors.TargetUnsuitable(body.message, target=target, hint=hint)
        case _:
            plain = next((kind for kind in _plain(errors.ScurryError) if kind.code == body.code), None)
            return plain(body.message, hint=hint) if plain else Told(body)


def _plain(kind: type[errors.ScurryError]) -> Iterator[type[errors.ScurryError]]:
    """Yield the classes that are made from a message and a hint alone."""
    if kind.__init__ is errors.ScurryError.__init__ and kind.__module__ == errors.__name__:
        yield kind
    for more in kind.__subclasses__():
        yield from _plain(more)
