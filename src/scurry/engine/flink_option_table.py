"""What is known of Flink's job options: types, names that changed, options that are gone. Data only.

Read from the option classes of the releases 1.18.1, 1.19.3, 1.20.5, 2.0.2, 2.1.3, 2.2.1 and 2.3.0 (`ConfigOption.key`,
`fallbackKeys` and type). Not complete on purpose: what is not listed goes to Flink as it is. A line that is indented
goes on with the one above.
"""

from __future__ import annotations

RENAMED = """
1.18 execution.batch.adaptive.auto-parallelism.avg-data-volume-per-task
    jobmanager.adaptive-batch-scheduler.avg-data-volume-per-task
1.18 execution.batch.adaptive.auto-parallelism.default-source-parallelism
    jobmanager.adaptive-batch-scheduler.default-source-parallelism
1.18 execution.batch.adaptive.auto-parallelism.max-parallelism jobmanager.adaptive-batch-scheduler.max-parallelism
1.18 execution.batch.adaptive.auto-parallelism.min-parallelism jobmanager.adaptive-batch-scheduler.min-parallelism
1.18 execution.batch.speculative.block-slow-node-duration
    jobmanager.adaptive-batch-scheduler.speculative.block-slow-node-duration
1.18 execution.batch.speculative.enabled jobmanager.adaptive-batch-scheduler.speculative.enabled
1.18 execution.batch.speculative.max-concurrent-executions
    jobmanager.adaptive-batch-scheduler.speculative.max-concurrent-executions
1.18 execution.buffer-timeout.interval execution.buffer-timeout
1.18 execution.checkpointing.aligned-checkpoint-timeout execution.checkpointing.alignment-timeout
1.20 execution.checkpointing.checkpoints-after-tasks-finish
    execution.checkpointing.checkpoints-after-tasks-finish.enabled
1.20 execution.checkpointing.cleaner.parallel-mode state.checkpoint.cleaner.parallel-mode
1.20 execution.checkpointing.create-subdir state.checkpoints.create-subdir
1.20 execution.checkpointing.data-inline-threshold state.storage.fs.memory-threshold state.backend.fs.memory-threshold
1.20 execution.checkpointing.dir state.checkpoints.dir state.backend.fs.checkpointdir
1.20 execution.checkpointing.incremental state.backend.incremental
1.20 execution.checkpointing.num-retained state.checkpoints.num-retained
1.20 execution.checkpointing.savepoint-dir state.savepoints.dir savepoints.state.backend.fs.dir
1.20 execution.checkpointing.storage state.checkpoint-storage
1.18 execution.checkpointing.unaligned.enabled execution.checkpointing.unaligned
1.20 execution.checkpointing.write-buffer-size state.storage.fs.write-buffer-size state.backend.fs.write-buffer-size
1.18 execution.program-config.enabled execution.allow-client-job-configurations
1.20 execution.state-recovery.approximate-local-recovery execution.checkpointing.approximate-local-recovery
1.20 execution.state-recovery.claim-mode execution.savepoint-restore-mode
1.20 execution.state-recovery.from-local state.backend.local-recovery
1.20 execution.state-recovery.ignore-unclaimed-state execution.savepoint.ignore-unclaimed-state
1.20 execution.state-recovery.path execution.savepoint.path
1.20 execution.state-recovery.without-channel-state.checkpoint-id
    execution.checkpointing.recover-without-channel-state.checkpoint-id
1.18 pipeline.operator-chaining.enabled pipeline.operator-chaining
1.18 restart-strategy.type restart-strategy
1.18 state.backend.rocksdb.localdir state.backend.rocksdb.checkpointdir
1.18 state.backend.type state.backend
1.20 state.changelog.dstl.dfs.base-path dstl.dfs.base-path
1.20 state.changelog.dstl.dfs.batch.persist-delay dstl.dfs.batch.persist-delay
1.20 state.changelog.dstl.dfs.batch.persist-size-threshold dstl.dfs.batch.persist-size-threshold
1.20 state.changelog.dstl.dfs.compression.enabled dstl.dfs.compression.enabled
1.20 state.changelog.dstl.dfs.discard.num-threads dstl.dfs.discard.num-threads
1.20 state.changelog.dstl.dfs.download.local-cache.idle-timeout-ms dstl.dfs.download.local-cache.idle-timeout-ms
1.20 state.changelog.dstl.dfs.preemptive-persist-threshold dstl.dfs.preemptive-persist-threshold
1.20 state.changelog.dstl.dfs.upload.buffer-size dstl.dfs.upload.buffer-size
1.20 state.changelog.dstl.dfs.upload.max-attempts dstl.dfs.upload.max-attempts
1.20 state.changelog.dstl.dfs.upload.max-in-flight dstl.dfs.upload.max-in-flight
1.20 state.changelog.dstl.dfs.upload.next-attempt-delay dstl.dfs.upload.next-attempt-delay
1.20 state.changelog.dstl.dfs.upload.num-threads dstl.dfs.upload.num-threads
1.20 state.changelog.dstl.dfs.upload.retry-policy dstl.dfs.upload.retry-policy
1.20 state.changelog.dstl.dfs.upload.timeout dstl.dfs.upload.timeout
1.20 state.changelog.enabled state.backend.changelog.enabled
1.20 state.changelog.max-failures-allowed state.backend.changelog.max-failures-allowed
1.20 state.changelog.periodic-materialize.enabled state.backend.changelog.periodic-materialize.enabled
1.20 state.changelog.periodic-materialize.interval state.backend.changelog.periodic-materialize.interval
1.20 state.changelog.storage state.backend.changelog.storage
1.20 state.latency-track.history-size state.backend.latency-track.history-size
1.20 state.latency-track.keyed-state-enabled state.backend.latency-track.keyed-state-enabled
1.20 state.latency-track.sample-interval state.backend.latency-track.sample-interval
1.20 state.latency-track.state-name-as-variable state.backend.latency-track.state-name-as-variable
2.2 table.exec.async-scalar.max-concurrent-operations table.exec.async-scalar.buffer-capacity
1.18 table.exec.deduplicate.insert-update-after-sensitive-enabled
    table.exec.deduplicate.insert-and-updateafter-sensitive.enabled
1.18 table.exec.deduplicate.mini-batch.compact-changes-enabled table.exec.deduplicate.mini-batch.compact-changes.enabled
1.18 table.exec.rank.topn-cache-size table.exec.topn-cache-size
1.18 table.optimizer.sql2rel.project-merge.enabled table.optimizer.sql-to-rel.project.merge.enabled
"""
"""the version from which the name holds; the name; names before it, first the one that held until then"""

REMOVED = {
    "execution.checkpointing.force": ((2, 0), None),
    "pipeline.auto-type-registration": ((2, 0), None),
    "pipeline.default-kryo-serializers": ((2, 0), "pipeline.serialization-config"),
    "pipeline.registered-kryo-types": ((2, 0), "pipeline.serialization-config"),
    "pipeline.registered-pojo-types": ((2, 0), "pipeline.serialization-config"),
    "pipeline.time-characteristic": ((2, 0), None),
    "state.backend.async": ((2, 0), None),
    "table.exec.legacy-transformation-uids": ((2, 0), "table.exec.uid.generation"),
    "table.exec.shuffle-mode": ((2, 0), "execution.batch-shuffle-mode"),
    "table.optimizer.source.aggregate-pushdown-enabled": ((2, 0), None),
    "table.optimizer.source.predicate-pushdown-enabled": ((2, 0), None),
}
"""options that a version no longer knows, and the one that does their work now"""

FLAGS = """
execution.attached
execution.batch-state-backend.enabled
execution.batch.adaptive.auto-parallelism.enabled
execution.batch.job-recovery.enabled
execution.batch.speculative.enabled
execution.buffer-timeout.enabled
execution.checkpointing.checkpoints-after-tasks-finish
execution.checkpointing.cleaner.parallel-mode
execution.checkpointing.create-subdir
execution.checkpointing.during-recovery.enabled
execution.checkpointing.file-merging.across-checkpoint-boundary
execution.checkpointing.file-merging.enabled
execution.checkpointing.file-merging.pool-blocking
execution.checkpointing.incremental
execution.checkpointing.local-backup.enabled
execution.checkpointing.snapshot-compression
execution.checkpointing.unaligned.enabled
execution.checkpointing.unaligned.forced
execution.checkpointing.unaligned.interruptible-timers.enabled
execution.checkpointing.unaligned.recover-output-on-downstream.enabled
execution.program-config.enabled
execution.shutdown-on-application-finish
execution.shutdown-on-attached-exit
execution.state-recovery.approximate-local-recovery
execution.state-recovery.from-local
execution.state-recovery.ignore-unclaimed-state
execution.submit-failed-job-on-application-error
execution.terminate-application-on-any-job-terminated-exceptionally
pipeline.auto-generate-uids
pipeline.force-avro
pipeline.force-kryo
pipeline.force-kryo-avro
pipeline.generic-types
pipeline.object-reuse
pipeline.operator-chaining.chain-operators-with-different-max-parallelism
pipeline.operator-chaining.enabled
pipeline.sources.pause-until-first-checkpoint
pipeline.vertex-name-include-index-prefix
pipeline.watermark-alignment.allow-unaligned-source-splits
python.fn-execution.memory.managed
python.metric.enabled
python.operator-chaining.enabled
python.systemenv.enabled
state.changelog.enabled
state.changelog.periodic-materialize.enabled
state.latency-track.keyed-state-enabled
state.latency-track.state-name-as-variable
state.size-track.keyed-state-enabled
state.size-track.state-name-as-variable
table.dml-sync
table.dynamic-table-options.enabled
table.exec.async-lookup.key-ordered-enabled
table.exec.async-state.enabled
table.exec.deduplicate.insert-update-after-sensitive-enabled
table.exec.deduplicate.mini-batch.compact-changes-enabled
table.exec.delta-join.cache-enabled
table.exec.local-hash-agg.adaptive.enabled
table.exec.mini-batch.enabled
table.exec.operator-fusion-codegen.enabled
table.exec.simplify-operator-name-enabled
table.exec.sink.require-on-conflict
table.exec.sort.async-merge-enabled
table.exec.source.cdc-events-duplicate
table.exec.spill-compression.enabled
table.legacy-nested-row-nullability
table.optimizer.distinct-agg.split.enabled
table.optimizer.dynamic-filtering.enabled
table.optimizer.incremental-agg-enabled
table.optimizer.join-reorder-enabled
table.optimizer.multi-join.enabled
table.optimizer.multiple-input-enabled
table.optimizer.reuse-optimize-block-with-digest-enabled
table.optimizer.reuse-sink-enabled
table.optimizer.reuse-source-enabled
table.optimizer.reuse-sub-plan-enabled
table.optimizer.runtime-filter.enabled
table.optimizer.source.report-statistics-enabled
table.optimizer.sql2rel.project-merge.enabled
table.optimizer.union-all-as-breakpoint-enabled
table.plan.force-recompile
table.rtas-ctas.atomicity-enabled
"""

WHOLE_NUMBERS = """
execution.async-state.active-buffer-size
execution.async-state.active-buffer-timeout
execution.async-state.buffer-size
execution.async-state.buffer-timeout
execution.async-state.in-flight-records-limit
execution.async-state.total-buffer-size
execution.batch.adaptive.auto-parallelism.default-source-parallelism
execution.batch.adaptive.auto-parallelism.max-parallelism
execution.batch.adaptive.auto-parallelism.min-parallelism
execution.batch.speculative.max-concurrent-executions
execution.checkpointing.file-merging.max-subtasks-per-file
execution.checkpointing.max-concurrent-checkpoints
execution.checkpointing.num-retained
execution.checkpointing.tolerable-failed-checkpoints
execution.checkpointing.unaligned.max-subtasks-per-channel-state-file
execution.checkpointing.write-buffer-size
execution.state-recovery.without-channel-state.checkpoint-id
parallelism.default
pipeline.max-parallelism
pipeline.watermark-alignment.buffer-size
python.fn-execution.arrow.batch.size
python.fn-execution.bundle.size
python.fn-execution.bundle.time
python.state.cache-size
restart-strategy.exponential-delay.attempts-before-reset-backoff
restart-strategy.failure-rate.max-failures-per-interval
restart-strategy.fixed-delay.attempts
state.changelog.max-failures-allowed
state.latency-track.history-size
state.latency-track.sample-interval
state.size-track.history-size
state.size-track.sample-interval
table.display.max-column-width
table.exec.async-lookup.buffer-capacity
table.exec.async-ml-predict.max-concurrent-operations
table.exec.async-scalar.max-attempts
table.exec.async-scalar.max-concurrent-operations
table.exec.async-table.max-concurrent-operations
table.exec.async-table.max-retries
table.exec.async-vector-search.max-concurrent-operations
table.exec.delta-join.left.cache-size
table.exec.delta-join.right.cache-size
table.exec.local-hash-agg.adaptive.sampling-threshold
table.exec.mini-batch.size
table.exec.rank.topn-cache-size
table.exec.resource.default-parallelism
table.exec.sink.upsert-materialize-strategy.adaptive.threshold.high
table.exec.sink.upsert-materialize-strategy.adaptive.threshold.low
table.exec.sort.default-limit
table.exec.sort.max-num-file-handles
table.exec.unbounded-over.version
table.exec.window-agg.buffer-size-limit
table.generated-code.max-length
table.generated-code.max-members
table.optimizer.bushy-join-reorder-threshold
table.optimizer.distinct-agg.split.bucket-num
table.optimizer.join.broadcast-threshold
table.optimizer.ptf.max-tables
"""

DECIMALS = """
execution.checkpointing.file-merging.max-space-amplification
restart-strategy.exponential-delay.backoff-multiplier
restart-strategy.exponential-delay.jitter-factor
table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold
table.optimizer.runtime-filter.min-filter-ratio
table.optimizer.skewed-join-optimization.skewed-factor
"""

DURATIONS = """
execution.batch.job-recovery.previous-worker.recovery.timeout
execution.batch.job-recovery.snapshot.min-pause
execution.batch.speculative.block-slow-node-duration
execution.buffer-timeout.interval
execution.checkpointing.aligned-checkpoint-timeout
execution.checkpointing.interval
execution.checkpointing.interval-during-backlog
execution.checkpointing.min-pause
execution.checkpointing.timeout
pipeline.auto-watermark-interval
restart-strategy.exponential-delay.initial-backoff
restart-strategy.exponential-delay.max-backoff
restart-strategy.exponential-delay.reset-backoff-threshold
restart-strategy.failure-rate.delay
restart-strategy.failure-rate.failure-rate-interval
restart-strategy.fixed-delay.delay
state.changelog.periodic-materialize.interval
table.exec.async-lookup.timeout
table.exec.async-ml-predict.timeout
table.exec.async-scalar.retry-delay
table.exec.async-scalar.timeout
table.exec.async-table.retry-delay
table.exec.async-table.timeout
table.exec.async-vector-search.timeout
table.exec.interval-join.min-cleanup-interval
table.exec.mini-batch.allow-latency
table.exec.source.idle-timeout
table.exec.state.ttl
task.cancellation.interval
task.cancellation.timeout
task.cancellation.timers.timeout
"""

MEMORY_SIZES = """
execution.batch.adaptive.auto-parallelism.avg-data-volume-per-task
execution.checkpointing.data-inline-threshold
execution.checkpointing.file-merging.max-file-size
execution.sort-keyed-partition.memory
execution.sort-partition.memory
table.exec.resource.external-buffer-memory
table.exec.resource.hash-agg.memory
table.exec.resource.hash-join.memory
table.exec.resource.sort.memory
table.exec.spill-compression.block-size
table.optimizer.runtime-filter.max-build-data-size
table.optimizer.runtime-filter.min-probe-data-size
table.optimizer.skewed-join-optimization.skewed-threshold
"""

TEXTS = """
execution.checkpointing.dir
execution.checkpointing.local-backup.dirs
execution.checkpointing.savepoint-dir
execution.checkpointing.storage
execution.job-listeners
execution.job-status-changed-listeners
execution.program-config.wildcards
execution.state-recovery.path
execution.target
pipeline.cached-files
pipeline.classpaths
pipeline.global-job-parameters
pipeline.jars
pipeline.jobvertex-parallelism-overrides
pipeline.name
pipeline.serialization-config
python.archives
python.client.executable
python.executable
python.execution-mode
python.files
python.job-options
python.logging.default.level
python.logging.level.overrides
python.pythonpath
python.requirements
state.backend.type
state.changelog.storage
table.builtin-catalog-name
table.builtin-database-name
table.catalog-modification.listeners
table.catalog-store.kind
table.exec.disabled-operators
table.exec.uid.format
table.local-time-zone
table.resources.download-dir
table.secret-store.kind
table.sql-dialect
"""

CHOICES = """
execution.batch-shuffle-mode ALL_EXCHANGES_PIPELINED ALL_EXCHANGES_BLOCKING ALL_EXCHANGES_HYBRID_FULL
    ALL_EXCHANGES_HYBRID_SELECTIVE
execution.checkpointing.externalized-checkpoint-retention DELETE_ON_CANCELLATION RETAIN_ON_CANCELLATION
    NO_EXTERNALIZED_CHECKPOINTS
execution.checkpointing.mode EXACTLY_ONCE AT_LEAST_ONCE
execution.runtime-mode STREAMING BATCH AUTOMATIC
pipeline.closure-cleaner-level NONE TOP_LEVEL RECURSIVE
pipeline.vertex-description-mode TREE CASCADING
table.column-expansion-strategy EXCLUDE_ALIASED_VIRTUAL_METADATA_COLUMNS EXCLUDE_DEFAULT_VIRTUAL_METADATA_COLUMNS
table.exec.async-lookup.output-mode ORDERED ALLOW_UNORDERED
table.exec.async-ml-predict.output-mode ORDERED ALLOW_UNORDERED
table.exec.async-scalar.retry-strategy NO_RETRY FIXED_DELAY
table.exec.async-table.retry-strategy NO_RETRY FIXED_DELAY
table.exec.async-vector-search.output-mode ORDERED ALLOW_UNORDERED
table.exec.legacy-cast-behaviour ENABLED DISABLED
table.exec.sink.keyed-shuffle NONE AUTO FORCE
table.exec.sink.nested-constraint-enforcer IGNORE ROWS ROWS_AND_COLLECTIONS
table.exec.sink.not-null-enforcer ERROR DROP
table.exec.sink.rowtime-inserter ENABLED DISABLED
table.exec.sink.type-length-enforcer IGNORE TRIM_PAD ERROR
table.exec.sink.upsert-materialize NONE AUTO FORCE
table.exec.sink.upsert-materialize-strategy.type LEGACY MAP VALUE ADAPTIVE
table.exec.uid.generation PLAN_ONLY ALWAYS DISABLED
table.optimizer.adaptive-broadcast-join.strategy auto runtime_only none
table.optimizer.agg-phase-strategy AUTO ONE_PHASE TWO_PHASE
table.optimizer.delta-join.strategy AUTO FORCE NONE
table.optimizer.non-deterministic-update.strategy TRY_RESOLVE IGNORE
table.optimizer.skewed-join-optimization.strategy auto forced none
table.plan.compile.catalog-objects ALL SCHEMA IDENTIFIER
table.plan.restore.catalog-objects ALL ALL_ENFORCED IDENTIFIER
restart-strategy.type none off disable fixed-delay fixeddelay failure-rate failurerate exponential-delay
    exponentialdelay
"""
"""options and the words that they take (Flink ignores case)"""
