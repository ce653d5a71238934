-- What Ledger.java does, in SQL: a numbered source with its position in state, running totals, an exactly-once sink.
-- The sink closes a file after a second and commits it with the next checkpoint.
CREATE TABLE numbers (
    n BIGINT,
    moment AS PROCTIME()
) WITH (
    'connector' = 'datagen', 'rows-per-second' = '{{ rate }}',
    'fields.n.kind' = 'sequence', 'fields.n.start' = '0', 'fields.n.end' = '{{ end }}'
);
CREATE TABLE totals (n BIGINT, k BIGINT, total BIGINT) WITH (
    'connector' = 'filesystem', 'path' = '{{ out }}', 'format' = 'csv',
    'sink.rolling-policy.rollover-interval' = '1s', 'sink.rolling-policy.check-interval' = '200ms'
);
INSERT INTO totals
SELECT n, MOD(n, 8), SUM(n) OVER (PARTITION BY MOD(n, 8) ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
FROM numbers;
