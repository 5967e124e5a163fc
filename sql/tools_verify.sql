-- mc.verify, mc.shards, mc.partitions.
\i sql/setup.psql
SET client_min_messages = warning;
CREATE SCHEMA tv;
SET search_path = tv, public;
SET client_min_messages = notice;
CREATE TABLE a (id int, name text, n numeric, at timestamptz, j json, f float8);
INSERT INTO a SELECT i, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 5 = 0 THEN '' ELSE 'n' || i END, i / 10.0,
	'2024-01-01 00:00:00+00'::timestamptz + i * interval '1.000001 s', '{"a": 1}', i / 3.0 FROM generate_series(1, 1000) i;
CREATE TABLE b (id bigint, name varchar(20), n numeric(20, 4), at timestamptz(3), j json, f float8);
INSERT INTO b SELECT id, name, n, at, '{ "a":1 }', f FROM a ORDER BY random();
-- the same, whatever the order, the precision that the target keeps and the session's settings
SELECT what, source_rows, target_rows, source_checksum = target_checksum AS same, equal FROM mc.verify('SELECT * FROM a', 'b');
SELECT source_checksum AS before FROM mc.verify('a', 'b') \gset
SET TimeZone = 'America/New_York';
SET DateStyle = 'SQL, DMY';
SET extra_float_digits = -5;
SELECT count(*), bool_and(equal) FROM mc.verify('TABLE a;', 'SELECT * FROM b');
SHOW DateStyle;
RESET TimeZone;
RESET DateStyle;
RESET extra_float_digits;
SELECT source_checksum = :'before' AS stable FROM mc.verify('a', 'b');
-- a row more, a row less, a row twice, another value, NULL and ''
DELETE FROM b WHERE id = 5;
INSERT INTO b VALUES (2000, 'x');
INSERT INTO b SELECT * FROM b WHERE id = 9;
UPDATE b SET name = 'other' WHERE id = 11;
UPDATE b SET name = '' WHERE id = 14;
SELECT what, key_value, source_rows, target_rows, equal FROM mc.verify('a', 'b', '{id}');
SELECT what, key_value, source_row, target_row FROM mc.verify('SELECT id, name FROM a', 'SELECT id, name FROM b', '{id}', 2);
SELECT what, source_rows, target_rows, source_row, target_row FROM mc.verify('SELECT id, name FROM a', 'SELECT id, name FROM b');
SELECT count(*) FROM mc.verify('a', 'b', '{id}', 0);
-- by group
SELECT what, key_value, source_rows, target_rows FROM mc.verify('SELECT id % 3 AS g, id FROM a', 'SELECT id % 3 AS g, id FROM b', '{g}');
SELECT what, source_rows, target_rows, source_checksum, target_checksum, equal FROM mc.verify('SELECT 1 WHERE false', 'SELECT 2 WHERE false');
SELECT * FROM mc.verify('DELETE FROM a RETURNING *', 'b');
-- wrong inputs
SELECT * FROM mc.verify('', 'b');
SELECT * FROM mc.verify('no_such', 'b');
SELECT * FROM mc.verify('a; DROP TABLE a', 'b');
SELECT * FROM mc.verify('SELECT 1; SELECT 2', 'b');
SELECT * FROM mc.verify('SELECT id FROM a', 'b');
SELECT * FROM mc.verify('SELECT at FROM a', 'SELECT id FROM b');
SELECT * FROM mc.verify('a', 'b', '{nothing}');
SELECT * FROM mc.verify('a', 'b', '{id}', -1);
SELECT * FROM mc.verify('SELECT name FROM a', 'SELECT id FROM b');

-- shards
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"tools-shards","ttl":7,"shards":2}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"tools-shards","shard":0,"group":{"__logs__":[{"__time__":1700000090,"a":"1"}]}}' >/dev/null
CREATE FOREIGN TABLE logs (a text) SERVER sls OPTIONS (logstore 'tools-shards');
SELECT shard, status, parents, begin_key, end_key, created IS NOT NULL AS created, oldest IS NOT NULL AS oldest, newest >= oldest AS newest FROM mc.shards('logs');
\! emu '{"service":"loghub","op":"split","project":"web","logstore":"tools-shards","shard":1}' >/dev/null
SELECT shard, status, begin_key, end_key, oldest FROM mc.shards('logs') WHERE shard <> '0';
SELECT mc.safe_until('logs') < now() AS behind;
\! emu '{"service":"tablestore","op":"create_table","table":"tools_stream","keys":[{"name":"id","type":"STRING"}],"stream_hours":24}' >/dev/null
CREATE FOREIGN TABLE changes (__commit_time__ timestamptz, id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER ots OPTIONS (table 'tools_stream', mode 'stream');
SELECT count(*), min(status), min(parents::text) FROM mc.shards('changes');
SELECT (SELECT array_agg(shard) FROM mc.shards('changes')) = (SELECT array_agg(shard) FROM mc.stream_shards('changes')) AS same;
CREATE FOREIGN TABLE gone (a text) SERVER sls OPTIONS (logstore 'tools-none');
\set VERBOSITY terse
\set VERBOSITY sqlstate
SELECT * FROM mc.shards('gone');
\set VERBOSITY terse
SELECT * FROM mc.shards('a');

-- partitions
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE tools_parts (a BIGINT) PARTITIONED BY (pt STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE tools_plain (a BIGINT)"}' >/dev/null
CREATE FOREIGN TABLE parts (a bigint, pt text) SERVER odps OPTIONS (table 'tools_parts');
CREATE FOREIGN TABLE plain (a bigint) SERVER odps OPTIONS (table 'tools_plain');
SELECT * FROM mc.partitions('parts');
INSERT INTO parts VALUES (1, 'x'), (2, 'y'), (3, 'y');
SELECT partition, rows, size > 0 AS size, modified IS NOT NULL AS modified FROM mc.partitions('parts');
SELECT what, equal FROM mc.verify('SELECT a::bigint, pt FROM (VALUES (3, ''y''), (2, ''y''), (1, ''x'')) v(a, pt)', 'parts');
SELECT * FROM mc.partitions('plain');
SELECT * FROM mc.partitions('logs');
CREATE ROLE tv_role;
GRANT USAGE ON SCHEMA tv TO tv_role;
SET ROLE tv_role;
SELECT * FROM mc.partitions('parts');
SELECT * FROM mc.shards('logs');
SELECT * FROM mc.verify('a', 'b');
RESET ROLE;
GRANT SELECT ON parts, logs TO tv_role;
SET ROLE tv_role;
SELECT * FROM mc.partitions('parts');
SELECT * FROM mc.shards('logs');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA tv CASCADE;
DROP ROLE tv_role;
