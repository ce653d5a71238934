"""The table of what the API answers to. The OpenAPI document is made from it: neither says what the other does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scurry.model.report import Diagnosis, StatusReport
from scurry.server import wire
from scurry.server.http import changing, looking, pruning, reading_logs
from scurry.server.wire_prune import PruneAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from scurry.server.http.call import Call

ONE = f"{wire.API}/applications/{{application}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a query."""

    name: str
    about: str
    kind: str = "string"
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method and a path, what answers, and what goes in and out."""

    method: str
    path: str
    name: str
    answer: Callable[[Call], object]
    gives: Any
    takes: Any = None
    query: tuple[Parameter, ...] = ()
    streams: bool = False
    """without `dry_run`, or with `follow`, lines of JSON"""
    takes_bytes: bool = False

    @property
    def about(self) -> str:
        """What it does."""
        return (self.takes.__doc__ if self.streams and self.takes else self.answer.__doc__) or ""


def _look(path: str, answer: Callable[[Call], object], gives: Any, *query: Parameter) -> Route:
    return Route(method="GET", path=path, name=answer.__name__, answer=answer, gives=gives, query=query)


_DRY_RUN = Parameter(name="dry_run", about="Return the plan and change nothing.", kind="boolean")
_SCOPE = Parameter(name="scope", about="What was frozen.", required=True)

ROUTES: tuple[Route, ...] = (
    _look(f"{wire.API}/server", looking.server, wire.ServerAnswer),
    _look(
        f"{wire.API}/applications",
        looking.status,
        wire.StatusAnswer,
        Parameter(name="application", about="Only these; all without any.", repeated=True),
    ),
    _look(f"{wire.API}/names", looking.names, wire.NamesAnswer),
    _look(
        f"{wire.API}/journal",
        looking.journal,
        wire.JournalAnswer,
        Parameter(name="application", about="Which one.", required=True),
    ),
    _look(f"{wire.API}/journal/check", looking.journal_check, wire.JournalCheckAnswer),
    _look(ONE, looking.one_status, StatusReport),
    _look(f"{ONE}/revisions/{{number}}", looking.revision, wire.RevisionAnswer),
    _look(
        f"{ONE}/history",
        looking.history,
        wire.HistoryAnswer,
        Parameter(name="limit", about="How many of each.", kind="integer"),
    ),
    _look(
        f"{ONE}/diff",
        looking.diff,
        wire.DiffAnswer,
        Parameter(name="before", about="Number of a revision.", kind="integer", required=True),
        Parameter(name="after", about="Number of a revision.", kind="integer", required=True),
    ),
    _look(f"{ONE}/snapshots", looking.snapshots, wire.SnapshotsAnswer),
    _look(f"{ONE}/diagnosis", looking.diagnosis, Diagnosis),
    _look(f"{ONE}/look", looking.look, wire.LookAnswer),
    Route(
        method="GET",
        path=f"{ONE}/logs",
        name="logs",
        answer=reading_logs.logs,
        gives=wire.LogsAnswer,
        query=(
            Parameter(name="lines", about="How many of each log.", kind="integer"),
            Parameter(name="follow", about="Go on with what is added: lines of JSON.", kind="boolean"),
        ),
        streams=True,
    ),
    *(
        Route(
            method="POST",
            path=f"{ONE}/{verb}",
            name=verb.replace("-", "_"),
            answer=changing.answering(verb),
            gives=wire.PlanAnswer,
            takes=body,
            query=(_DRY_RUN,),
            streams=True,
        )
        for verb, body in changing.VERBS.items()
    ),
    Route(
        method="POST",
        path=f"{wire.API}/prune",
        name="prune",
        answer=pruning.prune,
        gives=PruneAnswer,
        takes=wire.Prune,
        query=(_DRY_RUN,),
        streams=True,
    ),
    _look(f"{wire.API}/freezes", looking.freezes, wire.FreezesAnswer),
    Route(
        method="POST",
        path=f"{wire.API}/freezes",
        name="freeze",
        answer=looking.freeze,
        gives=wire.FreezesAnswer,
        takes=wire.FreezeAsked,
    ),
    Route(
        method="DELETE",
        path=f"{wire.API}/freezes",
        name="thaw",
        answer=looking.thaw,
        gives=wire.FreezesAnswer,
        query=(_SCOPE,),
    ),
    _look(f"{wire.API}/artifacts/{{digest}}", looking.has_artifact, wire.ArtifactAnswer),
    Route(
        method="PUT",
        path=f"{wire.API}/artifacts/{{digest}}",
        name="put_artifact",
        answer=looking.put_artifact,
        gives=wire.ArtifactAnswer,
        query=(
            Parameter(name="kind", about="`jar` or `python`."),
            Parameter(name="file_name", about="For people."),
        ),
        takes_bytes=True,
    ),
)
