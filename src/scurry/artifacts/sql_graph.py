"""What the nodes of a compiled SQL plan mean: what each column holds and which rows there are, by names of nothing.

Two nodes that mean the same compute the same, whatever their numbers, aliases and descriptions. Read from the JSON of
Flink's `CompiledPlan` (`JsonPlanGraph`, FLIP-190); what a node holds that is not known here counts as it stands.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Body: TypeAlias = "Mapping[str, Any]"

SOURCE = "table-source-scan"
SINK = "sink"
_PASSES_ON = frozenset({"exchange", "drop-update-before", "mini-batch-assigner", "watermark-assigner"})
STATELESS = frozenset(
    {*_PASSES_ON, "calc", "python-calc", "union", "expand", "correlate", "values", "window-table-function"}
    | {"local-group-aggregate", "local-window-aggregate"}
)
"""kinds of nodes whose operators keep nothing between checkpoints"""
_FINAL = frozenset(
    {"window-aggregate", "global-window-aggregate", "window-join", "window-rank", "window-deduplicate", "interval-join"}
    | {"over-aggregate", "temporal-sort", "match", "limit"}
)
"""what never takes back a row that it gave out, if nothing that feeds it does"""
_NAMED = re.compile(r"`(?:[^`]|``)*` ")
_COLUMN = re.compile(r"`((?:[^`]|``)*)` ")
# Numbers, names and texts; what only says how results are passed on; where rows have to be; a switch for the planner.
_NO_MEANING = frozenset({"id", "description", "generateUpdateBefore", "inputProperties"})
_MINI_BATCH = "table.exec.mini-batch."


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a plan."""

    id: str
    kind: str
    """without version: `group-aggregate`"""
    type: str
    """with version: `stream-exec-group-aggregate_1`; another version may keep its state in another form"""
    body: Body
    inputs: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What Flink shows for it."""
        return str(self.body.get("description", self.kind))

    @property
    def table(self) -> str | None:
        """The table that a source reads or a sink writes."""
        place = {SOURCE: "scanTableSource", SINK: "dynamicTableSink"}.get(self.kind)
        found = self.body.get(place or "", {}).get("table", {}).get("identifier")
        return str(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a node computes. All texts are digests."""

    what: str
    """what its state is about: the values of all that it uses, but not which of the appended rows reach it"""
    rows: str
    """which rows reach it: every filter in front of it"""
    columns: tuple[str, ...]
    appends: bool
    """whether it only adds rows, and never takes one back"""


class Graph:
    """A plan with the meaning of its nodes."""

    def __init__(self, plan: Body, *, renamed: Mapping[str, str] | None = None) -> None:
        """`renamed`: tables that are to be taken for others."""
        self._renamed = renamed or {}
        inputs: dict[str, list[str]] = {}
        for edge in plan["edges"]:
            inputs.setdefault(str(edge["target"]), []).append(str(edge["source"]))
        found = [_node(body, inputs.get(str(body["id"]), [])) for body in plan["nodes"]]
        self.nodes: Mapping[str, Node] = {node.id: node for node in found}
        """inputs come before what uses them"""

    @cached_property
    def meanings(self) -> Mapping[str, Meaning]:
        """What each node means."""
        first = self._meanings(updating=frozenset())
        # A plan does not say whether a source takes rows back; what is behind it is made for it then.
        updating = {
            source
            for node in self.nodes.values()
            if node.body.get("needRetraction") or node.kind == "changelog-normalize"
            if all(first[one].appends for one in node.inputs)
            for source in self._sources(node.id)
        }
        return self._meanings(updating=frozenset(updating)) if updating else first

    @cached_property
    def sinks(self) -> Mapping[str, frozenset[str]]:
        """The tables that each node works for."""
        found: dict[str, set[str]] = {id: set() for id in self.nodes}
        for node in reversed([*self.nodes.values()]):
            if node.kind == SINK:
                found[node.id].add(self.key(node.table or node.description))
            for one in node.inputs:
                found[one] |= found[node.id]
        return {id: frozenset(tables) for id, tables in found.items()}

    def of_kind(self, kind: str) -> Sequence[Node]:
        """Return the nodes of a kind."""
        return [node for node in self.nodes.values() if node.kind == kind]

    def holders(self, id: str) -> set[str]:
        """Return the nearest nodes in front of one that may hold state."""
        found: set[str] = set()
        for one in self.nodes[id].inputs:
            found |= self.holders(one) if self.nodes[one].kind in STATELESS else {one}
        return found

    def fed_by(self, id: str) -> set[str]:
        """Return what is computed directly from a node, stateless nodes between left out."""
        return {
            self.meanings[node.id].what
            for node in self.nodes.values()
            if node.kind not in STATELESS and node.kind != SINK and id in self.holders(node.id)
        }

    def key(self, table: str) -> str:
        """What a table is known as."""
        return self._renamed.get(table, table)

    def _sources(self, id: str) -> set[str]:
        node = self.nodes[id]
        if node.kind == SOURCE:
            return {id}
        return {source for one in node.inputs for source in self._sources(one)}

    def _meanings(self, *, updating: frozenset[str]) -> Mapping[str, Meaning]:
        found: dict[str, Meaning] = {}
        for node in self.nodes.values():
            found[node.id] = self._meaning(node, [found[one] for one in node.inputs], appends=node.id not in updating)
        return found

    def _meaning(self, node: Node, inputs: Sequence[Meaning], *, appends: bool) -> Meaning:
        match node.kind:
            case "table-source-scan":
                return self._of_source(node, appends=appends)
            case "sink":
                what = digest(SINK, self.key(node.table or ""))
                rows = digest(what, *(one.rows for one in inputs))
                return Meaning(what=what, rows=rows, columns=(), appends=True)
            case "calc" | "python-calc":
                return self._of_calc(node, inputs[0])
            case "union":
                columns = tuple(digest("union", *each) for each in zip(*(one.columns for one in inputs), strict=True))
                rows = digest("union", *(one.rows for one in inputs))
                return Meaning(what=rows, rows=rows, columns=columns, appends=all(one.appends for one in inputs))
            case kind if kind in _PASSES_ON:
                one = inputs[0]
                return Meaning(what=one.rows, rows=one.rows, columns=one.columns, appends=one.appends)
            case _:
                return self._of_operator(node, inputs)

    def _of_source(self, node: Node, *, appends: bool) -> Meaning:
        what = digest(SOURCE, self.key(node.table or node.description))
        abilities = node.body.get("scanTableSource", {}).get("abilities") or ()
        rows = digest(what, *(self.plain(one) for one in abilities if _chooses_rows(one)))
        filters = () if appends else (rows,)
        columns = tuple(digest(what, name, type, *filters) for name, type in columns_of(node.body["outputType"]))
        return Meaning(what=what, rows=rows, columns=columns, appends=appends)

    def _of_calc(self, node: Node, one: Meaning) -> Meaning:
        local = list(node.body.get("expression") or ())
        condition = node.body.get("condition")
        where = "" if condition is None else _expression(condition, one.columns, local)
        # Rows that are taken back have to pass the filter that they passed when they came.
        filters = (where,) if where and not one.appends else ()
        columns = tuple(
            digest(*filters, _expression(each, one.columns, local))
            if filters
            else _expression(each, one.columns, local)
            for each in node.body["projection"]
        )
        rows = digest(one.rows, where) if where else one.rows
        return Meaning(what=rows, rows=rows, columns=columns, appends=one.appends)

    def _of_operator(self, node: Node, inputs: Sequence[Meaning]) -> Meaning:
        parts = self.parts(node, inputs)
        what = digest(node.type, *parts)
        width = len(columns_of(node.body["outputType"]))
        return Meaning(
            what=what,
            rows=digest(what, *(one.rows for one in inputs)),
            columns=tuple(digest(what, str(number)) for number in range(width)),
            appends=(node.kind in _FINAL or node.kind in STATELESS or _is_inner_join(node))
            and all(one.appends for one in inputs),
        )

    def parts(self, node: Node, inputs: Sequence[Meaning]) -> tuple[str, ...]:
        """What a node computes, and over what: (keys and the like, computation, input)."""
        if node.kind != "group-aggregate":
            return ("", self.plain(node.body), *(column for one in inputs for column in one.columns))
        columns = inputs[0].columns
        keys = digest(*(columns[key] for key in node.body["grouping"]))
        calls = [
            {
                **call,
                "argList": [columns[argument] for argument in call["argList"]],
                "filterArg": columns[call["filterArg"]] if call.get("filterArg", -1) >= 0 else "",
            }
            for call in node.body["aggCalls"]
        ]
        rest = {key: value for key, value in node.body.items() if key not in ("grouping", "aggCalls", "outputType")}
        return (keys, self.plain({**rest, "aggCalls": calls}), "")

    def plain(self, value: object) -> str:
        """Return a part of a plan without what has no meaning."""
        return json.dumps(self._plain(value), sort_keys=True)

    def _plain(self, value: object) -> object:
        if isinstance(value, list):
            return [self._plain(each) for each in value]
        if isinstance(value, str):
            return self.key(value) if value in self._renamed else _NAMED.sub("", value)
        if not isinstance(value, dict):
            return value
        is_named = "internalName" in value or "fieldType" in value
        return {
            key: [each.get("ttl") != "0 ms" for each in part] if key == "state" else self._plain(part)
            for key, part in value.items()
            if not (key in _NO_MEANING or key.startswith(_MINI_BATCH) or (key == "name" and is_named))
        }


def _chooses_rows(ability: Body) -> bool:
    """Whether what a source does for the query decides which rows come, and not only what is in them."""
    if ability["type"] in ("ProjectPushDown", "ReadingMetadata", "WatermarkPushDown", "SourceWatermark"):
        return False
    return ability["type"] != "FilterPushDown" or bool(ability.get("predicates"))


def digest(*parts: str) -> str:
    """Return a short text that stands for some."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def columns_of(row: object) -> tuple[tuple[str, str], ...]:
    """Return the columns of a row type as a plan writes it: names and types."""
    if isinstance(row, dict):
        return tuple((str(each["name"]), json.dumps(each["fieldType"])) for each in row["fields"])
    text = str(row)
    inner = text[text.index("<") + 1 : text.rindex(">")] if "<" in text else ""
    starts = [match.start() for match in _COLUMN.finditer(inner) if _depth(inner, match.start()) == 0]
    found = []
    for start, end in zip(starts, [*starts[1:], len(inner)], strict=False):
        name = _COLUMN.match(inner, start)
        if name:
            found.append((name[1], inner[name.end() : end].rstrip(", ")))
    return tuple(found)


def _depth(text: str, end: int) -> int:
    """How many brackets are open at a place; those in quoted names do not count."""
    before = re.sub(r"`(?:[^`]|``)*`|'(?:[^']|'')*'", "", text[:end])
    return before.count("<") + before.count("(") - before.count(">") - before.count(")")


def _expression(rex: object, columns: Sequence[str], local: Sequence[object]) -> str:
    """A Calcite expression, over what its columns hold."""
    if isinstance(rex, dict) and rex.get("kind") == "INPUT_REF":
        return columns[rex["inputIndex"]]
    return digest(json.dumps(_inlined(rex, columns, local), sort_keys=True))


def _inlined(rex: object, columns: Sequence[str], local: Sequence[object]) -> object:
    if isinstance(rex, list):
        return [_inlined(each, columns, local) for each in rex]
    if not isinstance(rex, dict):
        return _NAMED.sub("", rex) if isinstance(rex, str) else rex
    if rex.get("kind") == "INPUT_REF":
        return columns[rex["inputIndex"]]
    if rex.get("kind") == "LOCAL_REF":
        return _inlined(local[rex["localRefIndex"]], columns, local)
    return {key: value if key == "value" else _inlined(value, columns, local) for key, value in rex.items()}


def _is_inner_join(node: Node) -> bool:
    return node.kind in ("join", "lookup-join") and node.body.get("joinSpec", node.body).get("joinType") == "INNER"


def _node(body: Body, inputs: Sequence[str]) -> Node:
    kind = re.sub(r"^stream-exec-|_\d+$", "", str(body["type"]))
    return Node(id=str(body["id"]), kind=kind, type=str(body["type"]), body=body, inputs=tuple(inputs))
