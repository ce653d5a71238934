"""What of a snapshot had finished, and whether the new version's chains can be restored around it. Pure.

Flink's `VertexFinishedStateChecker`: a chain has finished as a whole or not at all, and nothing in front of one that
has may still run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Self

    from scurry.engine.compatibility_matching import Matching
    from scurry.model.state import GraphOperator


class Chains:
    """Chains of the new version, and what of them had finished in the snapshot."""

    def __init__(self, finished: dict[str, set[bool]], inputs: dict[str, set[str]]) -> None:
        self._finished = finished
        self._inputs = inputs

    @classmethod
    def of(cls, operators: Collection[GraphOperator], matching: Matching) -> Self:
        """Return the chains of a program, by the ids of their heads."""
        finished = {new.id for old, new in matching.kept.items() if old in matching.finished}
        chain_of = {operator.id: operator.chain or operator.id for operator in operators}
        chains: dict[str, set[bool]] = {chain: set() for chain in chain_of.values()}
        inputs: dict[str, set[str]] = {chain: set() for chain in chain_of.values()}
        for operator in operators:
            own = chain_of[operator.id]
            chains[own].add(operator.id in finished)
            inputs[own] |= {chain_of[id] for id in operator.inputs if id in chain_of} - {own}
        return cls(chains, inputs)

    def against(self, new: GraphOperator) -> tuple[str, str] | None:
        """Say why an operator cannot be restored beside what had finished, and what to do; None where it can."""
        chain = new.chain or new.id
        if len(self._finished[chain]) > 1:
            return (
                "it runs in one chain with an operator that had finished, and one that had not: Flink restores no "
                "such mixture",
                "Keep the chain as it was: .disableChaining() on what is new in it.",
            )
        running = any(False in self._finished[other] for other in self._inputs[chain])
        if self._finished[chain] == {True} and running:
            return (
                "it had finished, and now something in front of it has not: Flink restores no such mixture",
                "Give the operator a new uid, so that it runs again.",
            )
        return None
