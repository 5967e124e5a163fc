-- Change streams: windows, row and cell shape, what is refused and what is said.
\i sql/setup.psql
CREATE SCHEMA ts_stream;
SET search_path = ts_stream, public;
\set ots '\\! emu'
\! emu clock '{"now":1700000000}' >/dev/null
\! emu '{"service":"tablestore","op":"stream_set","page_records":3,"shard_limit":2,"iterator_steps":2,"seek_early":2}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"orders","keys":[{"name":"uid","type":"STRING"},{"name":"id","type":"INTEGER"}],"max_versions":3,"stream_hours":24}' >/dev/null
CREATE FOREIGN TABLE orders_changes (
	uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'),
	status text, qty int, price float8, paid bool, photo bytea,
	op text OPTIONS (field '__op__'), at timestamptz OPTIONS (field '__commit_time__'),
	seq text OPTIONS (field '__sequence__'), shard text OPTIONS (field '__shard__'),
	deleted text[] OPTIONS (field '__deleted__'), version bigint OPTIONS (field '__version__'),
	rest jsonb OPTIONS (field '*')
) SERVER ots OPTIONS (table 'orders', mode 'stream');
CREATE FOREIGN TABLE orders_cells (
	uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'),
	"__op__" text, "__commit_time__" timestamptz, "__sequence__" text, "__shard__" text,
	"__column__" text, "__version__" timestamptz, "__type__" text, "__value__" text
) SERVER ots OPTIONS (table 'orders', mode 'stream', shape 'cell');

-- changes, one second apart
\! emu clock '{"now":1700001000}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"key":["a",1],"columns":{"status":"new","qty":2,"price":9.5,"paid":false,"photo":{"bytes":"00ff"},"extra":"x","n":{"double":2}}}]}' >/dev/null
\! emu clock '{"now":1700001001}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"do":"update","key":["a",1],"columns":{"qty":3,"price":[{"delete":true}],"extra":[{"delete":true}],"more":7}}]}' >/dev/null
\! emu clock '{"now":1700001002}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"do":"update","key":["a",1],"columns":{"status":[{"delete":true,"ts":1700001000000}],"qty":[{"value":4,"ts":1700001002000},{"value":40,"ts":1700001001500}]}},{"do":"delete","key":["b",2]},{"key":["b",2],"columns":{}}]}' >/dev/null
\! emu clock '{"now":1700001003}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"do":"delete","key":["a",1]},{"do":"update","key":["c",3],"columns":{"qty":[{"increment":5}]}}]}' >/dev/null
\! emu clock '{"now":1700002000}' >/dev/null

-- what each change looks like
SELECT op, uid, id, status, qty, price, paid, photo, deleted, rest FROM orders_changes WHERE at >= '1970-01-01' ORDER BY seq;
ALTER FOREIGN TABLE orders_changes OPTIONS (ADD expired_window 'clamp');
SELECT op, uid, id, status, qty, price, paid, photo, deleted, rest FROM orders_changes WHERE at >= '1970-01-01' ORDER BY seq;
ALTER FOREIGN TABLE orders_changes OPTIONS (DROP expired_window);
SELECT op, at, version, regexp_replace(seq, '_[^_]*$', '') AS seq, seq LIKE '%\_' || shard AS shard
FROM orders_changes WHERE at >= to_timestamp(1700000000) ORDER BY seq;
SELECT uid, id, "__op__", "__column__", "__version__", "__type__", "__value__",
	regexp_replace("__sequence__", '_[^_]*:', '_…:') AS seq
FROM orders_cells WHERE "__commit_time__" >= to_timestamp(1700000000) ORDER BY "__sequence__";

-- windows, exact to the microsecond
\set w 'SELECT count(*), min(extract(epoch FROM at) - 1700001000) AS first, max(extract(epoch FROM at) - 1700001000) AS last FROM orders_changes WHERE '
:w at >= to_timestamp(1700001001) AND at < to_timestamp(1700001003);
:w at > to_timestamp(1700001001) AND at <= to_timestamp(1700001003);
:w at > to_timestamp(1700001000.999999) AND at < to_timestamp(1700001001.000001);
:w at = to_timestamp(1700001002);
:w at BETWEEN to_timestamp(1700001002) AND to_timestamp(1700001003);
:w to_timestamp(1700001002) <= at AND at <> to_timestamp(1700001003);
:w at >= timestamp '2023-11-15 06:30:01' AND at < timestamp '2023-11-15 06:30:03';
:w at >= date '2023-11-15' AND at < date '2023-11-16';
:w at >= to_timestamp(1700000000) AND at < date '2023-11-16';
:w at > NULL;
:w at >= 'infinity';
:w at >= to_timestamp(1700001003) AND at < to_timestamp(1700001001);
:w at >= to_timestamp(1700000000) AND at < 'infinity';
-- without a lower bound: said once
:w at < to_timestamp(1700001002);
:w true;
-- parameters
PREPARE p(timestamptz, timestamptz) AS SELECT uid, op FROM orders_changes WHERE at >= $1 AND at < $2 ORDER BY seq;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('2023-11-15 06:30:01+08', '2023-11-15 06:30:02+08');
EXECUTE p('2023-11-15 06:30:02+08', '2023-11-15 06:30:03+08');
EXECUTE p(NULL, '2023-11-15 06:30:03+08');
RESET plan_cache_mode;
-- a table of windows drives the scan
CREATE TABLE windows AS SELECT n, to_timestamp(1700001000 + n) AS a, to_timestamp(1700001001 + n) AS b FROM generate_series(0, 4) n;
ANALYZE windows;
SELECT n, count(c.op), string_agg(c.op, ',' ORDER BY seq) FROM windows w LEFT JOIN LATERAL (SELECT op, seq FROM orders_changes WHERE at >= w.a AND at < w.b) c ON true GROUP BY n ORDER BY n;
EXPLAIN (COSTS OFF) SELECT n, op FROM windows w, orders_changes c WHERE at >= w.a AND at < w.b;

-- an end that is too young
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < to_timestamp(1700001999);
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001900) AND at < to_timestamp(1700001999);
ALTER FOREIGN TABLE orders_changes OPTIONS (ADD unsettled_window 'error');
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < to_timestamp(1700001999);
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < to_timestamp(1700001700);
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001001);
ALTER FOREIGN TABLE orders_changes OPTIONS (DROP unsettled_window);
SELECT mc.safe_until('orders_changes') AT TIME ZONE 'UTC', to_timestamp(1700001700) AT TIME ZONE 'UTC';
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < mc.safe_until('orders_changes');
EXPLAIN (COSTS OFF) SELECT op FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < mc.safe_until('orders_changes');
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"until","shards":1,"ttl":30}' >/dev/null
CREATE FOREIGN TABLE until (m text) SERVER sls OPTIONS (logstore 'until');
SELECT mc.safe_until('until') AT TIME ZONE 'UTC', to_timestamp(1700001940) AT TIME ZONE 'UTC';
DROP FOREIGN TABLE until;
CREATE ROLE stream_reader;
GRANT USAGE ON SCHEMA ts_stream TO stream_reader;
SET ROLE stream_reader;
SELECT mc.safe_until('orders_changes');
SELECT * FROM mc.stream_shards('orders_changes');
RESET ROLE;
DROP OWNED BY stream_reader;
DROP ROLE stream_reader;
SELECT mc.safe_until('windows');
SELECT * FROM mc.stream_shards('windows');

-- shards
SELECT count(*) AS shards, count(*) FILTER (WHERE closed) AS closed, count(*) FILTER (WHERE cardinality(parents) > 0) AS children FROM mc.stream_shards('orders_changes');
SELECT shard AS first_shard FROM mc.stream_shards('orders_changes') \gset
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000) AND shard = :'first_shard';
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000) AND shard = 'nobody';
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000) AND shard = ANY (ARRAY[:'first_shard', NULL, 'x']) AND shard = :'first_shard';
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000) AND shard = NULL;
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000) AND shard > :'first_shard';
\! emu '{"service":"tablestore","op":"split_partition","table":"orders","at":"b"}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"key":["a",5],"columns":{"qty":1}},{"key":["b",6],"columns":{"qty":1}}]}' >/dev/null
\! emu clock '{"now":1700002001}' >/dev/null
\! emu '{"service":"tablestore","op":"merge_partitions","table":"orders","at":"b"}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"orders","rows":[{"key":["a",5],"columns":{"qty":2}},{"key":["b",6],"columns":{"qty":2}}]}' >/dev/null
\! emu clock '{"now":1700003000}' >/dev/null
SELECT count(*) AS shards, count(*) FILTER (WHERE closed) AS closed, count(*) FILTER (WHERE cardinality(parents) > 0) AS children FROM mc.stream_shards('orders_changes');
SELECT uid, id, op, qty FROM orders_changes WHERE at >= to_timestamp(1700001003) ORDER BY uid, id, at;
-- a key's changes come in order, whatever shards they went through
SELECT uid, id, array_agg(qty) FROM (SELECT * FROM orders_changes WHERE at >= to_timestamp(1700002000)) c GROUP BY uid, id ORDER BY 1, 2;

-- plans
EXPLAIN (COSTS OFF, VERBOSE) SELECT op, qty FROM orders_changes WHERE at >= now() - interval '1 hour' AND at < '2023-11-15' AND shard IN ('x', 'y') AND qty > 1;
CREATE FUNCTION explain_stream(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		line := regexp_replace(line, 'Stream: .*', 'Stream: …');
		RETURN NEXT regexp_replace(line, '(Bytes|Waits|Requests|Retries|Pages|Clock Corrections): \d+', '\1: …');
	END LOOP;
END $$;
SELECT explain_stream($$SELECT op FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < to_timestamp(1700001003)$$);
SELECT explain_stream($$SELECT op FROM orders_changes WHERE at >= to_timestamp(1700001001) AND at < NULL$$);

-- rejects
CREATE FOREIGN TABLE bad_changes (
	uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'), status int, qty int,
	op text OPTIONS (field '__op__'), at timestamptz OPTIONS (field '__commit_time__'), seq text OPTIONS (field '__sequence__')
) SERVER ots OPTIONS (table 'orders', mode 'stream');
\set VERBOSITY terse
SELECT op, status, qty FROM bad_changes WHERE at >= to_timestamp(1700001000) AND at < to_timestamp(1700001001) ORDER BY seq;
ALTER FOREIGN TABLE bad_changes OPTIONS (ADD on_error 'set_null');
SELECT op, status, qty FROM bad_changes WHERE at >= to_timestamp(1700001000) AND at < to_timestamp(1700001001) ORDER BY seq;
ALTER FOREIGN TABLE bad_changes OPTIONS (SET on_error 'reject');
SELECT op, status, qty FROM bad_changes WHERE at >= to_timestamp(1700001000) AND at < to_timestamp(1700001002) ORDER BY seq;
SELECT relation, regexp_replace(part, 'shard .*', 'shard …') AS part, regexp_replace(position_in_source, '_[^_]*$', '_…') AS position, column_name, reason FROM mc.last_rejects();
ALTER FOREIGN TABLE bad_changes OPTIONS (DROP on_error, ADD unknown_columns 'error');
\set VERBOSITY terse
SELECT op FROM bad_changes WHERE at >= to_timestamp(1700001000) AND at < to_timestamp(1700001001);
SELECT op FROM bad_changes WHERE at >= to_timestamp(1700001002) AND at < to_timestamp(1700001003);
\set VERBOSITY default

-- declarations that make no sense
CREATE FOREIGN TABLE s1 (uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'), at timestamptz(3) OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (table 'orders', mode 'stream');
SELECT * FROM s1;
CREATE FOREIGN TABLE s2 (uid text OPTIONS (key '1'), at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (table 'orders', mode 'stream');
\set VERBOSITY terse
SELECT * FROM s2 WHERE at > to_timestamp(1700001002);
\set VERBOSITY default
CREATE FOREIGN TABLE s3 (uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'), d text OPTIONS (field '__deleted__')) SERVER ots OPTIONS (table 'orders', mode 'stream');
SELECT * FROM s3;
CREATE FOREIGN TABLE s4 (uid text OPTIONS (key '1'), id bigint OPTIONS (key '2'), d text[] OPTIONS (field '__deleted__')) SERVER ots OPTIONS (table 'orders');
SELECT * FROM s4;
INSERT INTO orders_changes (uid, id) VALUES ('x', 1);
DELETE FROM orders_changes;

-- one column put and deleted, or put twice, in one change: what is left is shown
\! emu '{"service":"tablestore","op":"create_table","table":"mixed","keys":[{"name":"id","type":"INTEGER"}],"max_versions":3,"stream_hours":24}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"mixed","rows":[{"do":"update","key":[1],"columns":{"a":[{"value":1},{"delete":true}],"b":[{"delete":true},{"value":2}],"x":[{"value":1},{"delete":true}],"y":[{"delete":true},{"value":2}]}}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"mixed","rows":[{"do":"update","key":[2],"columns":{"a":[{"value":1,"ts":1700002000000},{"value":2,"ts":1700002000000},{"value":3,"ts":1700001999000}],"x":[{"value":1,"ts":1700002000000},{"value":2,"ts":1700002000000}]}}]}' >/dev/null
CREATE FOREIGN TABLE mixed (id bigint OPTIONS (key '1'), a int, b int, x int, y int) SERVER ots;
CREATE FOREIGN TABLE mixed_changes (id bigint OPTIONS (key '1'), a int, b int, rest jsonb OPTIONS (field '*'),
	deleted text[] OPTIONS (field '__deleted__'), at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (table 'mixed', mode 'stream');
\! emu clock '{"now":1700004000}' >/dev/null
SELECT * FROM mixed ORDER BY id;
SELECT id, a, b, rest, deleted FROM mixed_changes WHERE at >= to_timestamp(1700003000) ORDER BY id;

-- a bound by mc.safe_until() moves with the service's clock, in a cached plan too
PREPARE settled AS SELECT count(*) FROM mixed_changes WHERE at >= to_timestamp(1700003000) AND at < mc.safe_until('mixed_changes');
SET plan_cache_mode = force_generic_plan;
EXECUTE settled;
\! emu '{"service":"tablestore","op":"put","table":"mixed","rows":[{"key":[3],"columns":{"a":3}}]}' >/dev/null
EXECUTE settled;
\! emu clock '{"now":1700005000}' >/dev/null
EXECUTE settled;
RESET plan_cache_mode;
-- a shard that splits while it is read, and its children in the next window
\! emu faults '[{"service":"tablestore","api":"GetStreamRecord","nth":1,"action":"command","command":{"service":"tablestore","op":"split_partition","table":"mixed","at":2}}]' >/dev/null
SELECT count(*) FROM mixed_changes WHERE at >= to_timestamp(1700003000);
\! emu faults '[]' >/dev/null
SELECT count(*), count(*) FILTER (WHERE closed) AS closed FROM mc.stream_shards('mixed_changes');
\! emu '{"service":"tablestore","op":"put","table":"mixed","rows":[{"key":[1],"columns":{"a":4}},{"key":[3],"columns":{"a":5}}]}' >/dev/null
\! emu clock '{"now":1700006000}' >/dev/null
SELECT id, a FROM mixed_changes WHERE at >= to_timestamp(1700004000) ORDER BY at, id;

-- no stream; no table; a stream that ends while it is read
\! emu '{"service":"tablestore","op":"create_table","table":"calm","keys":[{"name":"id","type":"INTEGER"}]}' >/dev/null
CREATE FOREIGN TABLE calm (id bigint OPTIONS (key '1'), at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (mode 'stream');
SELECT * FROM calm WHERE at > to_timestamp(1700001002);
SELECT mc.safe_until('calm');
CREATE FOREIGN TABLE nothing (id bigint OPTIONS (key '1'), at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (mode 'stream');
\set VERBOSITY sqlstate
SELECT * FROM nothing WHERE at > to_timestamp(1700001002);
SELECT mc.safe_until('nothing');
\set VERBOSITY default
\! emu faults '[{"service":"tablestore","api":"GetStreamRecord","nth":2,"action":"status","http":400,"code":"OTSTrimmedDataAccess","message":"Requested stream data is already trimmed or does not exist."}]' >/dev/null
\set VERBOSITY terse
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000);
\! emu faults '[{"service":"tablestore","api":"GetShardIterator","nth":2,"action":"status","http":404,"code":"OTSObjectNotExist","message":"Requested stream does not exist."}]' >/dev/null
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000);
\set VERBOSITY default
-- what is worth another attempt is repeated
\! emu faults '[{"service":"tablestore","api":"*","every":3,"action":"reset_after"}]' >/dev/null
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000);
\! emu faults '[{"service":"tablestore","api":"*","every":3,"action":"corrupt_body","seed":5}]' >/dev/null
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000);
\! emu faults '[]' >/dev/null
-- expired
\! emu clock '{"now":1700090000}' >/dev/null
SELECT count(*) FROM orders_changes WHERE at >= to_timestamp(1700001000);
ALTER FOREIGN TABLE orders_changes OPTIONS (ADD expired_window 'clamp');
SELECT op, uid FROM orders_changes WHERE at >= to_timestamp(1700001000) ORDER BY seq;
\! emu clock '{"system":true}' >/dev/null
\! emu '{"service":"tablestore","op":"drop_table","table":"orders"}' >/dev/null
DROP FOREIGN TABLE orders_changes, orders_cells, bad_changes, s1, s2, s3, s4, calm, nothing, mixed, mixed_changes;
DROP TABLE windows;
