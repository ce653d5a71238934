"""Answers that change nothing about applications: how they are, what was done, what the servers do, what is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scurry import __version__, freezing
from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError, JournalError
from scurry.server import wire
from scurry.server.http.errors import BadRequest, Unknown
from scurry.server.sharing import owner

if TYPE_CHECKING:
    from scurry.model.report import Diagnosis, StatusReport
    from scurry.server.http.call import Call


def status(call: Call) -> wire.StatusAnswer:
    """How the applications are now; by `application`, only those."""
    return wire.StatusAnswer(applications=call.workspace.status(*call.request.args.getlist("application")))


def one_status(call: Call) -> StatusReport:
    """How an application is now."""
    (report,) = call.workspace.status(call.application)
    return report


def history(call: Call) -> wire.HistoryAnswer:
    """Revisions and operations, newest first; `limit` of each."""
    revisions, operations = call.workspace.history(call.application, limit=call.number("limit", 20))
    return wire.HistoryAnswer(revisions=revisions, operations=operations)


def diff(call: Call) -> wire.DiffAnswer:
    """What differs between the revisions `before` and `after`."""
    found = call.workspace.differences(call.application, call.number("before"), call.number("after"))
    return wire.DiffAnswer(differences=found)


def snapshots(call: Call) -> wire.SnapshotsAnswer:
    """The states that an application could start from."""
    return wire.SnapshotsAnswer(snapshots=call.workspace.snapshots(call.application))


def diagnosis(call: Call) -> Diagnosis:
    """What is wrong with an application, root cause first."""
    return call.workspace.diagnose(call.application)


def look(call: Call) -> wire.LookAnswer:
    """What the target and the journal say of an application."""
    observed, past = call.workspace.observe(call.application)
    return wire.LookAnswer(observed=observed, history=past)


def names(call: Call) -> wire.NamesAnswer:
    """The names of all applications; no target is asked."""
    return wire.NamesAnswer(applications=call.server.workspace.journal.applications())


def journal(call: Call) -> wire.JournalAnswer:
    """What the journal says of `application`; no target is asked."""
    return wire.JournalAnswer(history=call.server.workspace.journal.history(call.request.args["application"]))


def journal_check(call: Call) -> wire.JournalCheckAnswer:
    """Look the server's journal over: is it whole, do its records fit together, was anything left open."""
    workspace = call.workspace
    found = workspace.check_journal()
    problems = (
        wire.ProblemReport(message=one.message, hint=one.hint, file=one.place.file if one.place else None)
        for one in found
    )
    return wire.JournalCheckAnswer(place=workspace.journal_place, problems=tuple(problems))


def revision(call: Call) -> wire.RevisionAnswer:
    """One revision."""
    try:
        number = int(call.path["number"])
    except ValueError:
        raise BadRequest(f"{call.path['number']!r} is no number") from None
    return wire.RevisionAnswer(revision=call.server.workspace.journal.revision(call.application, number))


# What is frozen ------------------------------------------------------------------------------------------------


def freezes(call: Call) -> wire.FreezesAnswer:
    """What is frozen, why and by whom."""
    return wire.FreezesAnswer(freezes=call.server.workspace.journal.freezes())


def freeze(call: Call) -> wire.FreezesAnswer:
    """Let nothing in a scope be changed until it is thawed."""
    asked = call.body(wire.FreezeAsked)
    workspace = call.workspace
    workspace.assembly.journal = workspace.assembly.journal.known_as(asked.by or call.who)
    try:
        freezing.freeze(workspace, [asked.scope], reason=asked.reason)
    except JournalError as error:
        raise BadRequest(error.message) from error
    return freezes(call)


def thaw(call: Call) -> wire.FreezesAnswer:
    """Take the freeze of `scope` back."""
    scope = call.request.args.get("scope", "")
    if not call.server.workspace.journal.thaw(scope):
        raise Unknown(f"{scope!r} is not frozen")
    return freezes(call)


# Artifacts -----------------------------------------------------------------------------------------------------


def has_artifact(call: Call) -> wire.ArtifactAnswer:
    """Whether the server has an artifact."""
    digest = _digest(call)
    there = {artifact.digest for artifact in call.server.workspace.assembly.store.list()}
    return wire.ArtifactAnswer(digest=digest, present=digest in there)


def put_artifact(call: Call) -> wire.ArtifactAnswer:
    """Store an artifact: its bytes are the body. `kind` is `jar` or `python`, `file_name` is for people."""
    from tempfile import NamedTemporaryFile

    digest = _digest(call)
    name = call.request.args.get("file_name", "artifact").rpartition("/")[2]
    try:
        kind = ArtifactKind(call.request.args.get("kind", "jar"))
    except ValueError:
        raise BadRequest("`kind` is jar or python") from None
    store = call.server.workspace.assembly.store
    with NamedTemporaryFile() as draft:
        while piece := call.request.stream.read(256 * 1024):
            draft.write(piece)
        draft.flush()
        _check(draft.name, digest)
        from pathlib import Path

        store.put_file(Path(draft.name), kind, name)
    return wire.ArtifactAnswer(digest=digest, present=True)


def _digest(call: Call) -> str:
    digest = call.path["digest"]
    kind, _, value = digest.partition(":")
    if kind != "sha256" or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise BadRequest(f"{digest!r} is no digest; write sha256: and 64 hexadecimal digits")
    return digest


def _check(path: str, digest: str) -> None:
    import hashlib

    with open(path, "rb") as file:
        found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    if found != digest:
        raise ArtifactError(f"what came has the digest {found}, not {digest}; nothing was stored")


# The servers ---------------------------------------------------------------------------------------------------


def server(call: Call) -> wire.ServerAnswer:
    """This server, the others on its journal, and the targets as this one sees them."""
    loop = call.server.loop
    return wire.ServerAnswer(
        name=call.server.settings.name,
        version=__version__,
        ready=call.server.is_ready,
        servers=loop.servers,
        targets=tuple(_target(call, name) for name in sorted(loop.fleet.targets())),
        in_hand=loop.crew.in_hand,
        waiting=loop.crew.waiting,
    )


def _target(call: Call, name: str) -> wire.TargetReport:
    loop = call.server.loop
    place = loop.surveyor.places.get(name) if name in loop.ours else None
    return wire.TargetReport(
        name=name,
        server=owner(name, loop.servers),
        applications=len(loop.fleet.of_target(name)),
        surveyed_at=place.surveyed_at if place else None,
        silent_since=place.silent_since if place else None,
        why=place.why if place else None,
    )


def known(call: Call) -> None:
    """Raise `Unknown` when there is no such application: told as 404, not as a conflict."""
    if not call.server.workspace.journal.history(call.application).position:
        raise Unknown(
            f"no application {call.application!r} is known here",
            hint="To see the ones that are, run:\n  scurry status",
        )
