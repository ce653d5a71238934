"""Where Flink's failures become scurry's errors: the only place that reads Flink's stack traces and HTTP statuses."""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from urllib3 import exceptions

from scurry.flink.stack_trace import Cause, Explanation, explain, parse
from scurry.model.errors import (
    AlreadySubmitted,
    JobNotFound,
    RejectedByTarget,
    ScurryError,
    TargetError,
    TargetUnavailable,
    TargetUnsuitable,
)
from scurry.model.values import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class OperationNotFound(RejectedByTarget):
    """Flink knows no asynchronous operation of this trigger id: never triggered, or forgotten."""


class JarNotFound(RejectedByTarget):
    """Flink knows no uploaded jar of this id: deleted, or the JobManager was started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call that failed, as far as messages need it."""

    url: str
    path: str
    method: str = "GET"
    target: str = ""
    conceal: tuple[str, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The call for people, without its query."""
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def changes_something(self) -> bool:
        """Whether it is one that has an effect."""
        return self.method not in {"GET", ""}

    @property
    def place(self) -> str:
        """The target for people."""
        return f"target {self.target!r} ({self.url})" if self.target else f"the REST API at {self.url}"

    def masked(self, text: str) -> str:
        """Return the text without the secrets that the call carried."""
        for secret in self.conceal:
            if secret:
                text = text.replace(secret, MASK)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no success."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Errors(msgspec.Struct, frozen=True):
    """How Flink reports failures (`ErrorResponseBody`)."""

    errors: tuple[str, ...]


def from_answer(answer: Answer, call: Call) -> ScurryError:
    """Return the error that an answer with a status of 300 or more stands for."""
    if answer.status in {401, 403}:
        return _forbidden(answer, call)
    if answer.status in {301, 302, 303, 307, 308}:
        return _redirected(answer, call)
    try:
        text = "\n".join(msgspec.json.decode(answer.body, type=_Errors).errors)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _from_something_else(answer, call)
    return _from_flink(answer, text, call)


def from_failed_operation(stack_trace: str, call: Call) -> RejectedByTarget:
    """Return the error for an asynchronous operation (savepoint, disposal) that Flink reports as failed."""
    error = _from_causes(parse(stack_trace), explain(stack_trace), call)
    if isinstance(error, RejectedByTarget):
        return error
    return RejectedByTarget(error.message, target=call.target, hint=error.hint, cause=call.masked(stack_trace))


def from_failure(error: Exception, call: Call) -> TargetError:
    """Return the error for a call that got no whole answer: refused, reset, timed out, not trusted."""
    reason = getattr(error, "reason", None)
    tls = next(
        (e for e in (error, reason, error.__cause__) if isinstance(e, (exceptions.SSLError, ssl.SSLError))), None
    )
    if tls is not None:
        return _tls(str(tls), call)
    return TargetUnavailable(f"{call.place} {_what_happened(error)}", target=call.target, hint=_look_there(error, call))


def too_slow(call: Call) -> TargetUnavailable:
    """Return the error for an answer that trickled in for longer than the call may take."""
    return TargetUnavailable(
        f"{call.place} did not answer {call.name!r} in time", target=call.target, hint=_RAISE_TIMEOUT
    )


def not_flink(call: Call, body: bytes, *, why: str = "", may_have_happened: bool = True) -> TargetError:
    """Return the error for an answer that is not what Flink would say.

    Of a call that changes something it does not tell whether that happened: somebody in between may have lost the
    real answer. `may_have_happened`: whether the call may have come through to Flink.
    """
    seen = "an HTML page" if _is_html(body) else "other JSON" if body.lstrip()[:1] in {b"{", b"["} else "something else"
    detail = f" ({why})" if why else ""
    if may_have_happened and call.changes_something:
        return TargetUnavailable(
            f"{call.place} answered {call.name!r} with {seen}{detail}: whether it happened is not known",
            target=call.target,
        )
    return TargetUnsuitable(
        f"{call.place} answers, but is not Flink's REST API: {call.name!r} brought {seen}{detail}",
        target=call.target,
        hint="Check `url`: it is the address of Flink's web interface, with the path prefix if a proxy is in front.",
    )


def unsendable_header(name: str, target: str) -> TargetUnsuitable:
    """Return the error for a header whose value HTTP cannot carry; the value may be a secret."""
    where = f"target {target!r}: " if target else ""
    return TargetUnsuitable(
        f"{where}the value of the header {name!r} cannot be sent: line breaks, or characters that are not ASCII",
        target=target,
        hint="Check `headers` and `token` of the target, and what their secrets hold.",
    )


@contextmanager
def unreadable_tls_files(target: str) -> Iterator[None]:
    """Say which settings are meant when certificates cannot be read."""
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        where = f"target {target!r}: " if target else ""
        why = (
            f"{str(error.filename)!r}: {error.strerror}" if error.filename else "one is no PEM file, or they do not fit"
        )
        raise TargetUnsuitable(
            f"{where}the files of `ca`, `cert` or `key` cannot be used: {why}",
            target=target,
            hint="All are PEM files; `key` belongs to `cert` and has no passphrase.",
        ).concerning("targets", target, in_project=True) from None


_BROKEN_TLS = (
    "If the server asks for a client certificate, set `cert` and `key` of the target; if it does not speak TLS, write"
    " `http://` instead of `https://`."
)
"""a server that wants a certificate may say so only by breaking off, in TLS 1.3 even after the handshake"""
_RAISE_TIMEOUT = "If it is only slow, raise `timeouts.read` of the target; `timeouts.run` where `main` runs."

_NO_REASON = "The JobManager's log may say more. To try again, run the same command again."

Made: TypeAlias = type[TargetError]

_BY_CLASS: Mapping[str, Made] = {
    "FlinkJobNotFoundException": JobNotFound,
    "DuplicateJobSubmissionException": AlreadySubmitted,
    "DuplicateApplicationSubmissionException": AlreadySubmitted,  # Flink 2.3 asks about the application first
    "AskTimeoutException": TargetUnavailable,
    "TimeoutException": TargetUnavailable,
    "RecipientUnreachableException": TargetUnavailable,
    "FencingTokenException": TargetUnavailable,
    "LeaderElectionException": TargetUnavailable,
    "UnavailableDispatcherOperationException": TargetUnavailable,
    "EndpointNotStartedException": TargetUnavailable,
}
"""simple class name anywhere in the chain of causes → our error"""

_BY_TEXT: tuple[tuple[re.Pattern[str], Made], ...] = (
    (re.compile(r"There is no savepoint operation with triggerId="), OperationNotFound),
    (re.compile(r"Operation not found under key"), OperationNotFound),
    (re.compile(r"(Jar file|File) .* does not exist"), JarNotFound),
)


def _from_flink(answer: Answer, text: str, call: Call) -> ScurryError:
    if answer.status == 503:
        # `LeaderRetrievalHandler`: no JobManager is leader yet.
        retry_after = _retry_after(answer)
        said = call.masked(text.strip().splitlines()[0] if text.strip() else "no reason given")
        return TargetUnavailable(f"{call.place} is not ready: {said}", target=call.target, retry_after_s=retry_after)
    if answer.status == 404 and "Unable to load requested file" in text:
        return TargetUnsuitable(
            f"{call.place} does not know {call.name!r}",
            target=call.target,
            hint="This Flink is older than 1.18, it runs with `web.submit.enable: false`, or something else answers.",
        )
    return _from_causes(parse(text), explain(text), call)


def _from_causes(causes: tuple[Cause, ...], explanation: Explanation, call: Call) -> TargetError:
    chain = call.masked(explanation.cause)
    message, hint = call.masked(explanation.message), explanation.hint or (None if causes else _NO_REASON)
    made = next((_BY_CLASS[cause.simple_name] for cause in causes if cause.simple_name in _BY_CLASS), None)
    made = made or next((made for pattern, made in _BY_TEXT if pattern.search(explanation.cause)), RejectedByTarget)
    if issubclass(made, RejectedByTarget):
        rejected = made(message, target=call.target, hint=hint, cause=chain)
        return rejected.concerning(*explanation.about) if explanation.about else rejected
    return made(f"{call.place} could not do {call.name!r} now: {message}", target=call.target, hint=hint)


def _from_something_else(answer: Answer, call: Call) -> ScurryError:
    if answer.status in {429, 502, 503, 504}:
        return TargetUnavailable(
            f"{call.place} is not reachable through what is in front of it (HTTP {answer.status})",
            target=call.target,
            retry_after_s=_retry_after(answer),
        )
    if answer.status == 413:
        return RejectedByTarget(
            f"{call.place} does not accept a file of this size (HTTP 413)",
            target=call.target,
            hint="The limit is set by the proxy in front of Flink (nginx: `client_max_body_size`).",
        )
    return not_flink(call, answer.body, why=f"HTTP {answer.status}", may_have_happened=answer.status >= 500)


def _forbidden(answer: Answer, call: Call) -> RejectedByTarget:
    if answer.status == 401:
        message = f"{call.place} wants to know who asks (HTTP 401)"
        hint = "Set `username` and `password`, `token`, or `cert` and `key` of the target; or they are wrong."
    else:
        message = f"{call.place} does not allow {call.name!r} (HTTP 403)"
        hint = "The credentials of the target are known but may not do this; or `web.submit.enable` is off."
    return RejectedByTarget(message, target=call.target, hint=hint)


def _redirected(answer: Answer, call: Call) -> TargetUnsuitable:
    where = next((value for name, value in answer.headers.items() if name.lower() == "location"), "elsewhere")
    return TargetUnsuitable(
        f"{call.place} sends us to {where.partition('?')[0]!r} instead of answering {call.name!r}",
        target=call.target,
        hint="If that is where Flink is, set it as `url`; if it is a page to log in, set `token` or `username`.",
    )


_TLS: tuple[tuple[str, str, str], ...] = (
    (
        "hostname mismatch|doesn't match|IP address mismatch",
        "has a certificate for another name",
        "Use the name that is in the certificate, or set `verify: false` for the target.",
    ),
    ("certificate has expired", "has a certificate that has expired", "Renew it, or set `verify: false`."),
    (
        "CERTIFICATE_VERIFY_FAILED|self.signed|unable to get local issuer",
        "has a certificate that this machine does not trust",
        "Set `ca` to the PEM file of the authority that signed it, or `verify: false` for the target.",
    ),
    (
        "CERTIFICATE_REQUIRED|certificate required|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA|unknown ca",
        "does not accept our certificate, or wants one and got none",
        "Set `cert` and `key` of the target to a client certificate that the server trusts.",
    ),
    (
        "WRONG_VERSION_NUMBER|WRONG VERSION NUMBER|record layer failure",
        "does not speak TLS",
        "Write `http://` instead of `https://`.",
    ),
)


def _tls(text: str, call: Call) -> TargetError:
    for pattern, what, hint in _TLS:
        if re.search(pattern, text, re.IGNORECASE):
            return TargetUnsuitable(f"{call.place} {what}", target=call.target, hint=hint)
    if "EOF" in text:
        return TargetUnavailable(f"{call.place} broke off the TLS handshake", target=call.target, hint=_BROKEN_TLS)
    return TargetUnsuitable(f"no TLS connection to {call.place}: {text}", target=call.target)


_HAPPENED: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "refuses connections"),
    (exceptions.NameResolutionError, "cannot be found: its host name is not known"),
    (exceptions.NewConnectionError, "cannot be reached"),
    (exceptions.ConnectTimeoutError, "does not accept a connection in time"),
    (exceptions.ReadTimeoutError, "accepted the call but did not answer in time"),
    (exceptions.IncompleteRead, "broke off in the middle of its answer"),
    (ConnectionResetError, "broke off the connection"),
    (BrokenPipeError, "broke off the connection"),
    (exceptions.ProtocolError, "broke off the connection without an answer"),
)
"""urllib3's or the system's exception, most telling first → what happened"""


def _what_happened(error: Exception) -> str:
    cause = _innermost(error)
    for kind, what in _HAPPENED:
        if isinstance(error, kind) or isinstance(cause, kind):
            return f"{what}: {cause}" if kind is exceptions.NewConnectionError else what
    return f"cannot be reached: {cause}"


def _innermost(error: BaseException) -> BaseException:
    while True:
        inner = error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, Exception)), None)
        if inner is None:
            return error
        error = inner


def _look_there(error: Exception, call: Call) -> str | None:
    if isinstance(error, exceptions.ReadTimeoutError):
        return _RAISE_TIMEOUT
    if isinstance(error, (exceptions.NewConnectionError, exceptions.ConnectTimeoutError)):
        return "Check that Flink runs there, and `url`."
    return _BROKEN_TLS if call.url.startswith("https:") else None


def _retry_after(answer: Answer) -> float:
    text = next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
    return min(float(text), 60.0) if text.isdigit() else 1.0


def _is_html(body: bytes) -> bool:
    start = body.lstrip()[:200].lower()
    return start.startswith((b"<!doctype html", b"<html")) or b"<html" in start
