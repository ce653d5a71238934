"""What `--json` writes of state, field by field; a part of `documents.py`."""

from __future__ import annotations

STATE_FITS = {
    "fit": "`fits`, `drops` (state is dropped that may be), `unknown` or `blocked`",
    "certain": "whether all of it could be looked at",
    "location?": "the snapshot that was looked at; of a running job, its newest checkpoint",
    "lost_bytes": "of state that the new version does not take over",
    "operators[]": "as the new version flows, then those that are not in it any more",
    "operators[].name": "for people",
    "operators[].fate": ("`kept`, `moved` (its id changed), `new`, `dropped`, `gone` (without state) or `blocked`"),
    "operators[].uid?": "in the snapshot; of a new one, in the new version",
    "operators[].id?": "in the snapshot; null for a new one",
    "operators[].new_uid?": "in the new version",
    "operators[].new_id?": "in the new version; null where it is not in it",
    "operators[].bytes": "of its state in the snapshot",
    "operators[].lost_bytes": "of them, what is not taken over",
    "operators[].allowed": "of `moved` and `dropped`: whether its state may go",
    "operators[].finished": "whether it had come to its end",
    "operators[].states[]": "its states, those of the snapshot first",
    "operators[].states[].name": "empty: the key of its keyed state",
    "operators[].states[].kind?": "as in `state show`",
    "operators[].states[].fate": (
        "`same`, `migratable` (Flink rewrites it), `incompatible`, `unknown`, `new` (starts empty) or `unused`"
    ),
    "operators[].states[].before?": "its type in the snapshot, for people",
    "operators[].states[].after?": "its type in the new version",
    "operators[].states[].bytes?": "null: not told by the file",
    "operators[].states[].reason?": "why it is not plainly the same",
    "operators[].states[].remedy?": "what to do",
    "operators[].states[].by_flink": "whether Flink itself was asked; else the types were compared",
    "operators[].reason?": "why it is not plainly kept",
    "operators[].remedy?": "what to write or run",
    "operators[].warnings[]": "what may go wrong with a later change",
    "remarks[]": "what is to be known of the whole",
    "remarks[].weight": "`warning`, `unknown` or `blocks`",
    "remarks[].message": "a sentence",
    "remarks[].remedy?": "what to do",
}
"""whether a new version can take a snapshot's state over"""

STATE_SHOWN = {
    "location": "where it is",
    "metadata_version": "of its `_metadata`: 2 (Flink 1.3 to 1.10), 3 (to 1.14), 4 (to 1.20), 5 (2.0), 6",
    "checkpoint_id": "Flink's number of it",
    "is_savepoint?": "null: a file of before Flink 1.15 does not tell",
    "format?": "of a savepoint: `canonical` or `native`",
    "bytes": "of all operators that are listed",
    "operators[]": "all of the job, also those without state; with `--operator`, only those",
    "operators[].id": "32 hexadecimal digits",
    "operators[].uid?": "null: none was set, or the file does not tell (before Flink 2.0)",
    "operators[].name?": "told from Flink 2.0 on",
    "operators[].parallelism": "of the job that wrote it",
    "operators[].max_parallelism": "its number of key groups",
    "operators[].key_serializer?": "class of its key's serializer snapshot; null: no keyed state, or not told",
    "operators[].key_type?": "the same, for people: `Long`",
    "operators[].finished": "whether all its subtasks had finished",
    "operators[].has_state": "whether Flink refuses to restore without this operator",
    "operators[].bytes": "of its subtasks and its coordinator",
    "operators[].subtask_bytes[]": "by subtask",
    "operators[].coordinator_bytes": "of its coordinator",
    "operators[].skew?": "how many times the mean the largest subtask holds; null: one subtask, or no state",
    "operators[].unread?": "why its states are not all known",
    "operators[].states[]": "each state that it registered",
    "operators[].states[].name": "as the program calls it",
    "operators[].states[].kind": (
        "`value`, `list`, `reducing`, `aggregating`, `map`, `folding`, `timers`, `operator-list`, "
        "`operator-union`, `broadcast` or `other`"
    ),
    "operators[].states[].type?": "of its values: `demo.Account {id: String, total: Long}`; null: not known",
    "operators[].states[].bytes?": "null: the file holds several states in one stream, and does not tell",
    "operators[].states[].serializer?": "class of the snapshot of its serializer",
    "operators[].states[].key_type?": "only `broadcast`: of its keys",
    "operators[].states[].namespace_type?": "what it is kept by besides the key: `TimeWindow`",
    "operators[].states[].ttl": "whether its values have a time to live; how long, the file does not tell",
}
"""what a snapshot holds"""

STATE_COPIED = {
    "source": "as it was named",
    "location": "what Flink can restore from",
    "files": "besides `_metadata`",
    "bytes": "of all its files",
    "resumed_files": "that an interrupted copy before had brought already",
    "metadata_sha256": "digest of its `_metadata`",
}

_KPU = {
    "parallelism": "of the job",
    "per_kpu": "ParallelismPerKPU",
    "kpus": "that run it: parallelism / per_kpu, rounded up",
    "billed_kpus": "with the one that orchestrates",
    "idle_slots": "paid for, and without a subtask",
    "vcpus_per_slot": "processors",
    "heap_bytes_per_slot": "for what operators hold",
    "native_bytes_per_slot": "for RocksDB, Python workers, network buffers and the JVM",
    "storage_gib": "running storage that comes with them",
    "region": "of the price",
    "usd_per_month?": "730 hours, without storage and snapshots; null where the price is not known",
    "storage_usd_per_month?": "of the running storage, as the examples of the pricing page bill it; null where unknown",
}
SIZE = {
    "application?": "its name, if a spec was given",
    "managed?": "what it becomes on the managed service",
    **{f"managed?.{name}": text for name, text in _KPU.items()},
    "managed?.all[]": "the same for each ParallelismPerKPU, 1 to 8",
    **{f"managed?.all[].{name}": text for name, text in _KPU.items()},
    "clusters[]": "what it becomes elsewhere, one for each place",
    "clusters[].place": "a target, an EC2 instance type, or `task-managers`",
    "clusters[].parallelism": "of the job",
    "clusters[].task_managers": "as many as it needs",
    "clusters[].slots": "of each",
    "clusters[].idle_slots": "of all",
    "clusters[].vcpus?": "of each, where that is known",
    "clusters[].process_bytes": "memory of a TaskManager's process",
    "clusters[].heap_bytes_per_slot": "task heap by slots; it is not fenced",
    "clusters[].managed_bytes_per_slot": "managed memory of each slot",
    "clusters[].python_bytes_per_slot?": "what Python workers get of it; null without Python",
}

SINK = {
    "name": "of the table",
    "connector?": "`kafka`, `jdbc`, …",
    "kept_because?": "why it could not be replaced",
}

FREEZE = {
    "scope": "`*`, `target:NAME` or `application:APP`",
    "reason": "why",
    "by": "`user@host pid 123`",
    "at": "when",
}
