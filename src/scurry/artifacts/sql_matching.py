"""A new plan takes over the names of an old one's operators, where both compute the same: their state goes on.

Pure. Flink finds state by the operators' names (uids) alone. It takes any state of a fitting type, so what computes
something else must never get the name: a SUM would go on from what was a COUNT.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from scurry.artifacts.sql_graph import SINK, SOURCE, STATELESS, Graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scurry.artifacts.sql_graph import Node
    from scurry.artifacts.sql_plan import SqlPlan

_Trait: TypeAlias = Callable[[Graph, str], Hashable]
# They only hold what is on its way to and from elsewhere.
_NOT_TOLD = frozenset({SINK, "lookup-join", "async-calc", "async-correlate"})
_MATERIALIZER = "materialize"
_GROUPS = re.compile(r"groupBy=\[([^\]]*)\]")


class Fate(StrEnum):
    """What becomes of the state of a part of a query."""

    STARTS_OVER = "starts over"
    GONE = "is gone"
    REFILTERED = "is kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people should know of one part of the query, before its job is stopped."""

    fate: Fate
    part: str
    """Flink's description of it"""
    sinks: tuple[str, ...]
    """the tables that it works for"""
    reason: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"the state of {self.part}, for {', '.join(self.sinks)}, {self.fate}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A plan with the names of the old one."""

    plan: SqlPlan
    told: tuple[Told, ...] = ()


def carry_over(old: SqlPlan, new: SqlPlan) -> Carried:
    """Give the new plan's operators the old names where their state fits, and tell what does not."""
    before = Graph(old.parsed())
    after = Graph(new.parsed(), renamed=_renamed(old, new))
    pairs = _pairs(before, after)
    plan = replace(new, uids=_uids(old, new, _Pairing(before=before, after=after, pairs=pairs)))
    return Carried(plan=plan, told=tuple(_tell(before, after, pairs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairing:
    before: Graph
    after: Graph
    pairs: Mapping[str, str]
    """new node → old node"""


def _renamed(old: SqlPlan, new: SqlPlan) -> Mapping[str, str]:
    """New tables that are old ones by another name: same columns, same options."""
    gone = {name: told for name, told in old.tables.items() if name not in new.tables}
    come = {name: told for name, told in new.tables.items() if name not in old.tables}
    counts = Counter((*gone.values(), *come.values()))
    return {name: other for name, told in come.items() for other in gone if gone[other] == told and counts[told] == 2}


def _pairs(before: Graph, after: Graph) -> Mapping[str, str]:
    """Match what may hold state: first the very same, then the only ones that it can be."""
    pairs = _same_sources(before, after)
    traits: tuple[tuple[_Trait, bool], ...] = (
        (lambda graph, id: (graph.meanings[id].what, graph.meanings[id].rows, graph.sinks[id]), True),
        (lambda graph, id: (graph.meanings[id].what, graph.meanings[id].rows), True),
        (lambda graph, id: (graph.meanings[id].what, graph.sinks[id]), False),
        (lambda graph, id: graph.meanings[id].what, False),
    )
    for trait, is_whole in traits:
        olds = _by(trait, before, set(pairs.values()))
        news = _by(trait, after, set(pairs))
        for key, found in news.items():
            others = olds.get(key, [])
            # Of several that are the same in everything it does not matter which is which.
            if is_whole or len(found) == len(others) == 1:
                pairs.update(zip(found, others, strict=False))
    return _fed_by_the_same(before, after, pairs)


def _same_sources(before: Graph, after: Graph) -> dict[str, str]:
    """Match scans of the same table. Of several that one has become, that goes on which feeds most of what it fed."""

    def fits(new: Node, old: Node) -> tuple[int, int, bool]:
        now, was = after.meanings[new.id], before.meanings[old.id]
        fed = after.fed_by(new.id), before.fed_by(old.id)
        return len(fed[0] & fed[1]), len(after.sinks[new.id] & before.sinks[old.id]), now.rows == was.rows

    couples = [
        (new, old)
        for new in after.of_kind(SOURCE)
        for old in before.of_kind(SOURCE)
        if after.meanings[new.id].what == before.meanings[old.id].what
    ]
    pairs: dict[str, str] = {}
    for new, old in sorted(couples, key=lambda couple: fits(*couple), reverse=True):
        if new.id not in pairs and old.id not in pairs.values():
            pairs[new.id] = old.id
    return pairs


def _fed_by_the_same(before: Graph, after: Graph, pairs: dict[str, str]) -> Mapping[str, str]:
    """Keep those pairs that are fed by pairs. What reads a table anew would count it a second time."""
    kept = dict(pairs)
    for id in after.nodes:
        if id in kept and after.nodes[id].kind not in (SOURCE, SINK):
            feeding = {kept.get(one) for one in after.holders(id)}
            if feeding != before.holders(kept[id]):
                del kept[id]
    return kept


def _by(trait: _Trait, graph: Graph, done: set[str]) -> Mapping[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = defaultdict(list)
    for node in graph.nodes.values():
        if node.kind not in STATELESS and node.kind != SOURCE and node.id not in done:
            found[trait(graph, node.id)].append(node.id)
    return found


def _uids(old: SqlPlan, new: SqlPlan, pairing: _Pairing) -> Mapping[str, str]:
    kept = {}
    for planned in new.uids:
        id, _, kind = planned.partition("_")
        other = pairing.pairs.get(id)
        if other and f"{other}_{kind}" in old.uids and not _rebuilt(kind, pairing, id, other):
            kept[planned] = old.uids[f"{other}_{kind}"]
    taken = {*kept.values(), *(uid for planned, uid in old.uids.items() if _may_hold(planned, pairing.before))}
    found = {}
    for planned, uid in new.uids.items():
        found[planned] = kept[planned] if planned in kept else _fresh(uid, taken)
        taken.add(found[planned])
    return found


def _rebuilt(kind: str, pairing: _Pairing, id: str, other: str) -> bool:
    """Whether it is the part of a sink that keeps its rows by key, and those are not the same rows any more."""
    if _MATERIALIZER not in kind:
        return False
    before, after = pairing.before, pairing.after
    sides = ((after, after.nodes[id]), (before, before.nodes[other]))
    now, was = ((graph.plain(node.body), _columns(graph, node), node.type) for graph, node in sides)
    return now != was


def _columns(graph: Graph, node: Node) -> tuple[str, ...]:
    return tuple(column for one in node.inputs for column in graph.meanings[one].columns)


def _may_hold(planned: str, graph: Graph) -> bool:
    node = graph.nodes.get(planned.partition("_")[0])
    return node is None or node.kind not in STATELESS


def _fresh(uid: str, taken: set[str]) -> str:
    """A name that no operator of the old plan has: it would find that one's state."""
    result, number = uid, 1
    while result in taken:
        number += 1
        result = f"{uid}:{number}"
    return result


def _tell(before: Graph, after: Graph, pairs: Mapping[str, str]) -> Iterable[Told]:
    kept = {old: new for new, old in pairs.items()}
    for node in before.nodes.values():
        if node.kind in STATELESS or node.kind in _NOT_TOLD:
            continue
        sinks = tuple(sorted(map(_short, before.sinks[node.id])))
        if node.id in kept:
            if node.kind != SOURCE and before.meanings[node.id].rows != after.meanings[kept[node.id]].rows:
                reason = "other rows reach it from now on, and those that were there before stay in it"
                yield Told(fate=Fate.REFILTERED, part=node.description, sinks=sinks, reason=reason)
            continue
        heir = _heir(node, before, after, pairs)
        if heir is None:
            reason = "nothing in the new script computes it" if node.kind != SOURCE else "nothing reads that table now"
            yield Told(fate=Fate.GONE, part=node.description, sinks=sinks, reason=reason)
        else:
            reason = _reason(before, node, after, heir, pairs)
            yield Told(fate=Fate.STARTS_OVER, part=node.description, sinks=sinks, reason=reason)


def _heir(node: Node, before: Graph, after: Graph, pairs: Mapping[str, str]) -> Node | None:
    """The new node that most likely stands where an old one stood."""
    same = [each for each in after.nodes.values() if each.kind == node.kind and each.id not in pairs]
    if node.kind == SOURCE:
        same = [each for each in same if after.meanings[each.id].what == before.meanings[node.id].what]
    twins = [each for each in same if after.meanings[each.id].what == before.meanings[node.id].what]
    near = [each for each in same if after.sinks[each.id] & before.sinks[node.id]]
    return next(iter(twins or near or same), None)


def _reason(before: Graph, old: Node, after: Graph, new: Node, pairs: Mapping[str, str]) -> str:
    if before.meanings[old.id].what == after.meanings[new.id].what:
        return _reason_of_the_same(before, old, after, new, pairs)
    was = before.parts(old, [before.meanings[one] for one in old.inputs])
    now = after.parts(new, [after.meanings[one] for one in new.inputs])
    if old.type != new.type:
        return f"this Flink makes another operator of it ({new.type}, not {old.type})"
    if was[0] != now[0] and _GROUPS.findall(old.description) != _GROUPS.findall(new.description):
        return "it groups by something else"
    if was[1] != now[1]:
        return f"it computes something else: {new.description}"
    return "what feeds it is something else"


def _reason_of_the_same(before: Graph, old: Node, after: Graph, new: Node, pairs: Mapping[str, str]) -> str:
    fed = {pairs.get(one) for one in after.holders(new.id)}
    if old.kind == SOURCE or fed == before.holders(old.id):
        return "several compute the same, and which of them it was cannot be told"
    anew = [after.nodes[one] for one in after.holders(new.id) if pairs.get(one) not in before.holders(old.id)]
    tables = sorted({_short(node.table) for node in anew if node.kind == SOURCE and node.table})
    if not tables:
        return "what feeds it starts over"
    return f"it does not share its reading of {', '.join(tables)} as before, and would count rows twice or not at all"


def _short(identifier: str) -> str:
    return identifier.rpartition(".")[2].strip("`")
