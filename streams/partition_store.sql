-- Tables of one partition beside memory and tallies (memory_index/schema.sql). Appends only; compaction rewrites.
-- seq counts transactions: what was changed after the last sent seq has still to be sent. run: see streams/compacting.py.
ALTER TABLE memory ADD COLUMN IF NOT EXISTS seq BIGINT DEFAULT 0;
ALTER TABLE memory ADD COLUMN IF NOT EXISTS run BIGINT DEFAULT 0;
ALTER TABLE tallies ADD COLUMN IF NOT EXISTS seq BIGINT DEFAULT 0;
CREATE TABLE IF NOT EXISTS identity(partition BIGINT, partitions BIGINT);
CREATE TABLE IF NOT EXISTS topic_ids(topic VARCHAR, id VARCHAR);
CREATE TABLE IF NOT EXISTS epoch(epoch BIGINT);
CREATE TABLE IF NOT EXISTS applied(seq BIGINT, topic VARCHAR, next BIGINT, time BIGINT);
CREATE TABLE IF NOT EXISTS sent(seq BIGINT, sent_at BIGINT);
CREATE TABLE IF NOT EXISTS ids(bucket BIGINT, id BLOB, content BIGINT);
CREATE TABLE IF NOT EXISTS events(search_id VARCHAR, topic VARCHAR, time BIGINT, value BLOB, ts BIGINT, client BIGINT);
CREATE TABLE IF NOT EXISTS sets(name VARCHAR, count BIGINT, total VARCHAR);
-- Erased people: see streams/erasing/erasing.py.
CREATE TABLE IF NOT EXISTS began(time BIGINT);  -- record time of the first impression that was ever applied
CREATE TABLE IF NOT EXISTS erased(client BIGINT, since BIGINT, until BIGINT, after BIGINT, through BIGINT, seq BIGINT, searches BIGINT,
                                  before BIGINT, done BOOLEAN);
CREATE TABLE IF NOT EXISTS outbox(seq BIGINT, topic VARCHAR, partition BIGINT, key VARCHAR, value BLOB, time BIGINT);
