-- Append-only deltas: a row may stand many times, its value is the sum (and the union of clients). No keys and no indexes:
-- upserts cost a hundred times an append, and secondary indexes have bad records in DuckDB. `compact` adds rows up.
CREATE TABLE IF NOT EXISTS memory (
    query_key VARCHAR NOT NULL, segment VARCHAR NOT NULL, entity_id VARCHAR NOT NULL, day BIGINT NOT NULL,
    shown_1 BIGINT, shown_2 BIGINT, shown_3 BIGINT, shown_4 BIGINT, shown_5 BIGINT, shown_6 BIGINT,
    acted_1 BIGINT, acted_2 BIGINT, acted_3 BIGINT, acted_4 BIGINT, acted_5 BIGINT,
    acted_6 BIGINT, acted_7 BIGINT, acted_8 BIGINT, acted_9 BIGINT, acted_10 BIGINT,
    clients UBIGINT[]  -- hashes of 63 bits, at most 8 of each delta
);
CREATE TABLE IF NOT EXISTS tallies (
    kind VARCHAR NOT NULL, arm VARCHAR NOT NULL, context VARCHAR NOT NULL, hour BIGINT NOT NULL,
    sums BLOB NOT NULL  -- little-endian int64, layout in schemas.rows.TallyRow
);
