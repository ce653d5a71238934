CREATE TABLE numbers (kind INT, amount BIGINT) WITH (
    'connector' = 'datagen', 'rows-per-second' = '200', 'fields.kind.min' = '0', 'fields.kind.max' = '7'
);
CREATE TABLE counts (kind INT, n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT kind, COUNT(*) + {variant} FROM {source} GROUP BY kind;
