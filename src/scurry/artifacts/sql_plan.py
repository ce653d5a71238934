"""A compiled plan of an SQL application, as it lies in its jar: Flink's plan, and what its operators are called.

Read by `flink/java/PlanNames.java`, too: lines of words parted by tabs; a word that one of the two does not know is
passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scurry.model.errors import ArtifactError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Mapping

PLAN_FOLDER = "scurry/plan/"
"""in the jar"""
GRAPH = f"{PLAN_FOLDER}plan.json"
NAMES = f"{PLAN_FOLDER}names"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPlan:
    """A compiled plan."""

    graph: str
    """Flink's own JSON; secrets are not in it, nor the options of tables"""
    inserts: tuple[int, ...]
    """the statements, from 0, that it stands for"""
    sinks: Mapping[str, str] = field(default_factory=dict)
    """node → name of the table that it writes"""
    uids: Mapping[str, str] = field(default_factory=dict)
    """the planner's name of an operator (`5_group-aggregate`) → its uid"""
    tables: Mapping[str, str] = field(default_factory=dict)
    """identifier of a table → digest of its columns and options"""
    options: str = ""
    """digest of the Flink options that it was compiled with"""
    flink: str = ""
    """the version that compiled it"""

    def files(self) -> Mapping[str, bytes]:
        """Return what it is in a jar."""
        return {GRAPH: self.graph.encode(), NAMES: self.names.encode()}

    @property
    def names(self) -> str:
        """Return what belongs to the graph, as the runner reads it."""
        lines = [
            f"flink\t{self.flink}",
            f"options\t{self.options}",
            *(f"insert\t{number}" for number in self.inserts),
            *(f"sink\t{node}\t{name}" for node, name in self.sinks.items()),
            *(f"uid\t{planned}\t{uid}" for planned, uid in self.uids.items()),
            *(f"table\t{identifier}\t{told}" for identifier, told in self.tables.items()),
        ]
        return "".join(f"{line}\n" for line in lines)

    def parsed(self) -> Mapping[str, Any]:
        """Return Flink's plan."""
        found: Mapping[str, Any] = json.loads(self.graph)
        return found

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> SqlPlan:
        """Read the files of a plan. Raises `ArtifactError`."""
        try:
            lines = [line.split("\t") for line in files[NAMES].decode().splitlines()]
            told: dict[str, list[list[str]]] = {}
            for word, *values in lines:
                told.setdefault(word, []).append(values)
            return cls(
                graph=files[GRAPH].decode(),
                inserts=tuple(int(values[0]) for values in told.get("insert", ())),
                sinks=dict(told.get("sink", ())),
                uids=dict(told.get("uid", ())),
                tables=dict(told.get("table", ())),
                options=told.get("options", [[""]])[0][0],
                flink=told.get("flink", [[""]])[0][0],
            )
        except (KeyError, ValueError, IndexError) as error:
            raise ArtifactError(f"the compiled plan cannot be read: {error}") from error

    @classmethod
    def in_jar(cls, jar: zipfile.ZipFile) -> SqlPlan | None:
        """Return the plan in a jar, if it has one. Raises `ArtifactError`."""
        if NAMES not in jar.namelist():
            return None
        return cls.of({name: jar.read(name) for name in (GRAPH, NAMES)})
