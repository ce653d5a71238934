"""What state there is: in a snapshot, operator by operator and state by state, and what a new version will ask for.

Values only. `savepoints` reads them from the bytes of a snapshot, `flink` asks a new version's program for them, and
`engine/compatibility.py` compares the two.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scurry.model.snapshot import SnapshotFormat


class StateKind(StrEnum):
    """What a state is, in Flink's words."""

    VALUE = "value"
    LIST = "list"
    REDUCING = "reducing"
    AGGREGATING = "aggregating"
    MAP = "map"
    FOLDING = "folding"
    """of Flink before 1.13"""
    TIMERS = "timers"
    OPERATOR_LIST = "operator-list"
    """operator state, split among the subtasks at restore (SPLIT_DISTRIBUTE)"""
    OPERATOR_UNION = "operator-union"
    """operator state that every subtask gets whole"""
    BROADCAST = "broadcast"
    OTHER = "other"
    """keyed state of a kind that the file does not tell"""


class StateType(msgspec.Struct, frozen=True, kw_only=True):
    """A serializer, as its snapshot describes it: a tree."""

    name: str
    """for people: `Long`, `Tuple2<String, Long>`, `demo.Account {id: String, total: Long}`"""
    serializer: str
    """the class of the serializer's snapshot, as Flink wrote it"""
    version: int = 0
    """the version of that snapshot"""
    of: str | None = None
    """the class that is serialized, where the snapshot names it (POJO, enum, Kryo, Avro, tuple)"""
    fields: tuple[StateField, ...] = ()
    """fields of a POJO or columns of a row, in their order"""
    parts: tuple[StateType, ...] = ()
    """nested types without a name: a list's element, a map's key and value, a tuple's elements"""
    symbols: tuple[str, ...] = ()
    """constants of an enum, in their order"""
    logical: tuple[str, ...] = ()
    """SQL types with precision and nullability, where the snapshot holds them: `DECIMAL(10, 2) NOT NULL`"""
    schema: str | None = None
    """an Avro schema, as JSON"""
    known: bool = True
    """False: its snapshot is of a class that we cannot read, so what is inside is not known"""


class StateField(msgspec.Struct, frozen=True, kw_only=True):
    """A named part of a type."""

    name: str
    type: StateType | None
    """None: the file names the field but its serializer could not be read"""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One state of an operator."""

    name: str
    kind: StateKind
    type: StateType | None = None
    """of the value; for a map, of key and value (`parts`); for timers, of the timer"""
    namespace: StateType | None = None
    """what windows and timers are kept by; None for operator state"""
    key: StateType | None = None
    """of a broadcast state's keys"""
    ttl: bool = False
    """whether its values are kept with a time to live (how long, the file does not say)"""
    bytes: int | None = None
    """None: not told by the file, which holds several states in one stream"""


class OperatorState(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds of one operator."""

    id: str
    """32 hexadecimal digits, as REST shows them"""
    uid: str | None = None
    """told by files of Flink 2.0 and later; None where none was set, or the file does not tell"""
    name: str | None = None
    parallelism: int
    max_parallelism: int
    finished: bool = False
    """all its subtasks had finished"""
    key: StateType | None = None
    """what keyed state is partitioned by; None: no keyed state, or not told"""
    states: tuple[State, ...] = ()
    bytes: int = 0
    """of all its subtasks and its coordinator together"""
    subtask_bytes: tuple[int, ...] = ()
    """by subtask; shows skew"""
    coordinator_bytes: int = 0
    has_state: bool = False
    """whether Flink would refuse to restore without this operator: any subtask or its coordinator holds something"""
    unread: str | None = None
    """why its states are not (all) known, where they are not"""


class SnapshotState(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds."""

    location: str
    metadata_version: int
    """of the `_metadata` file: 2 (Flink 1.3 to 1.10), 3 (to 1.14), 4 (to 1.20), 5 (2.0), 6 (2.1 and later)"""
    checkpoint_id: int
    is_savepoint: bool | None = None
    """None: a file of before 1.15 does not tell"""
    format: SnapshotFormat | None = None
    operators: tuple[OperatorState, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all operators together."""
        return sum(operator.bytes for operator in self.operators)


class GraphOperator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of a program, as Flink will run it."""

    id: str
    """32 hexadecimal digits; equals a snapshot's where state is taken over"""
    alternative_id: str | None = None
    """set by `setUidHash`: state under this id is taken over, too"""
    uid: str | None = None
    name: str
    parallelism: int
    max_parallelism: int | None = None
    """None: not set, so the snapshot's is taken over"""
    inputs: tuple[str, ...] = ()
    """ids of the operators in front of it"""
    source: str | None = None
    """class of the connector, of an operator that is a source; None: it is none, or not known"""
    chain: str | None = None
    """id of the head of the chain that it runs in"""
    stateful: bool | None = None
    """whether it registers state; None: not known"""
    key: StateType | None = None
    states: tuple[State, ...] | None = None
    """what it registers when it is opened; None: not known"""
    unknown_because: str | None = None
    """why `states` is not known"""


class JobGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What a program will run, by building its job graph without running it."""

    flink_version: str
    operators: tuple[GraphOperator, ...] = ()
    state_backend: str | None = None
    """`hashmap`, `rocksdb`, `forst`, or a factory's class"""
    changelog: bool = False


class Resolution(StrEnum):
    """What Flink itself says of a new serializer and an old one (`TypeSerializerSchemaCompatibility`)."""

    AS_IS = "as-is"
    AFTER_MIGRATION = "after-migration"
    RECONFIGURED = "reconfigured"
    INCOMPATIBLE = "incompatible"


class StateResolution(msgspec.Struct, frozen=True, kw_only=True):
    """Flink's own answer for one state of one operator, got by opening the new operator with the old state's head."""

    operator: str
    """id in the new graph"""
    state: str
    """its name; `` (empty) for the key"""
    part: str = "value"
    """`value`, `namespace`, `key`"""
    resolution: Resolution
    message: str | None = None


class StateHeads(msgspec.Struct, frozen=True, kw_only=True):
    """How a snapshot describes the state of one operator: its bytes, as Flink wrote them."""

    operator: str
    """id in the snapshot; where Flink is asked, in the new version"""
    keyed: tuple[bytes, ...] = ()
    """one for each way in which its subtasks registered keyed state"""
    not_keyed: tuple[bytes, ...] = ()


class SnapshotRead(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot, read: what it holds, and the bytes that say so."""

    state: SnapshotState
    heads: tuple[StateHeads, ...] = ()


class OpenedOperator(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator of a program registered when it was opened."""

    id: str
    key: StateType | None = None
    states: tuple[State, ...] | None = None
    """None: not known"""
    unknown_because: str | None = None


class OpenedProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program whose operators were opened, with the descriptions of old state."""

    operators: tuple[OpenedOperator, ...] = ()
    resolutions: tuple[StateResolution, ...] = ()
    failed: str | None = None
    """why nothing, or not all, could be opened"""
