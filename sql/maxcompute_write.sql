-- INSERT, COPY, routing, conversion, rejects, partitions, EXPLAIN of writes.
\i sql/setup.psql
\! emu '{"service":"maxcompute","op":"set","rates":false}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_plain (id bigint, name string)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_part (id bigint, name string) partitioned by (dt string, hh int)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_types (ti tinyint, si smallint, i int, bi bigint, f float, d double, b boolean, s string, v varchar(5), c char(3), bin binary, de decimal(10,2), js json, da date, dt datetime, ts timestamp, tn timestamp_ntz, ym interval_year_month, dtm interval_day_time, ai array<int>, ms map<string,bigint>, st struct<a:int,b:string,c:array<double>>)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_strict (id bigint not null, name string) partitioned by (dt string)"}' >/dev/null

CREATE FOREIGN TABLE w_plain (id bigint, name text) SERVER odps;
CREATE FOREIGN TABLE w_part (id bigint, name text, hh int, dt text) SERVER odps;

-- one statement, one session for each partition, created when missing
INSERT INTO w_plain VALUES (1, 'one'), (2, NULL), (3, '');
SELECT id, name, name IS NULL AS is_null FROM w_plain ORDER BY id;
INSERT INTO w_part SELECT g, 'n' || g, g % 2, '2024010' || g % 3 FROM generate_series(1, 12) g;
SELECT dt, hh, count(*), sum(id) FROM w_part GROUP BY dt, hh ORDER BY dt, hh;
-- nothing dropped when partitions do not fit into the open buffers
SET mc_fdw.max_open_partitions = '2';
INSERT INTO w_part SELECT g, 'm' || g, g % 4, '20240201' FROM generate_series(1, 4000) g;
RESET mc_fdw.max_open_partitions;
SELECT hh, count(*), sum(id) FROM w_part WHERE dt = '20240201' GROUP BY hh ORDER BY hh;
-- RETURNING, CTE, PL/pgSQL, prepared, subquery that reads the target
INSERT INTO w_plain VALUES (4, 'four') RETURNING id, upper(name);
WITH x AS (INSERT INTO w_plain VALUES (5, 'five') RETURNING id) SELECT id + 1 AS next FROM x;
DO $$ BEGIN FOR i IN 6 .. 8 LOOP INSERT INTO w_plain VALUES (i, 'loop'); END LOOP; END $$;
PREPARE ins(bigint, text) AS INSERT INTO w_plain VALUES ($1, $2);
EXECUTE ins(9, 'nine');
INSERT INTO w_plain SELECT id + 100, name FROM w_plain WHERE id < 3;
SELECT count(*), sum(id) FROM w_plain;

-- COPY
COPY w_part (dt, hh, id, name) FROM stdin;
20240301	7	1	a
20240301	7	2	\N
20240301	8	3	c
\.
SELECT * FROM w_part WHERE dt = '20240301' ORDER BY id;

-- routing with permuted columns, BEFORE trigger, generated column, dropped column:
-- the remote rows equal those of local tables
CREATE TABLE parent (k int, id bigint, hh int, dt text, name text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE w_child PARTITION OF parent (hh NOT NULL) FOR VALUES IN (1) SERVER odps OPTIONS (table 'w_routed');
DROP FOREIGN TABLE w_child;
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_routed (k int, id bigint, name string) partitioned by (dt string, hh int)"}' >/dev/null
CREATE FOREIGN TABLE w_child (gone text, dt text, id bigint, name text, k int, hh int) SERVER odps OPTIONS (table 'w_routed');
ALTER FOREIGN TABLE w_child DROP COLUMN gone;
ALTER TABLE parent ATTACH PARTITION w_child FOR VALUES IN (1);
CREATE TABLE l_child PARTITION OF parent FOR VALUES IN (2);
INSERT INTO parent SELECT 1 + g % 2, g / 2, g / 2 % 3, '20240401', 'x' || g / 2 FROM generate_series(2, 21) g;
SELECT count(*) FROM w_child;
SELECT id, hh, dt, name FROM w_child EXCEPT SELECT id, hh, dt, name FROM l_child;

\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_gen (id bigint, name string, twice bigint)"}' >/dev/null
CREATE FOREIGN TABLE w_gen (id bigint, gone int, name text, twice bigint GENERATED ALWAYS AS (id * 2) STORED) SERVER odps;
ALTER FOREIGN TABLE w_gen DROP COLUMN gone;
CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.id = 3 THEN RETURN NULL; END IF; NEW.name := NEW.name || '!'; NEW.id := NEW.id + 10; RETURN NEW; END $$;
CREATE TRIGGER loud BEFORE INSERT ON w_gen FOR EACH ROW EXECUTE FUNCTION loud();
INSERT INTO w_gen (name, id) SELECT 'g' || g, g FROM generate_series(1, 4) g;
SELECT * FROM w_gen ORDER BY id;
DROP TRIGGER loud ON w_gen;
INSERT INTO w_gen (id, name) VALUES (1, 'plain');
SELECT * FROM w_gen WHERE id = 1;

-- every type, extremes, NULL
CREATE FOREIGN TABLE w_types (ti smallint, si smallint, i int, bi bigint, f real, d float8, b boolean, s text,
	v varchar, c char(3), bin bytea, de numeric, js jsonb, da date, dt timestamptz, ts timestamptz, tn timestamp,
	ym interval, dtm interval, ai int[], ms jsonb, st jsonb) SERVER odps;
INSERT INTO w_types VALUES
	(127, -32768, 2147483647, -9223372036854775807, 1.5, 'NaN', true, 'h' || U&'\00e9' || 'llo', repeat(U&'\00e9', 5), 'ab',
	 '\x00ff', -12.340, '{"a": [1, null]}', '0001-01-01', '2024-01-01 00:00:00.123+00', '1969-12-31 23:59:59.999999+00',
	 '9999-12-31 23:59:59.999999', '-14 months', '-1 day -00:00:00.5', '{1,NULL,3}', '{"x": 1, "y": null}',
	 '{"a": 1, "B": "q", "c": [1.5, "NaN", "-Infinity"]}'),
	(-128, 32767, -2147483648, 9223372036854775807, '-Infinity', 1.7976931348623157e308, false, '', '', '', '', 99999999.99,
	 '"x"', '9999-12-31', '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00', '0001-01-01', '14 months',
	 '3 days 12:00:00.000001', '{}', '{}', '{}'),
	(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\x
SELECT * FROM w_types ORDER BY ti;
\x

-- never wrapped, cut or rounded
\set VERBOSITY terse
INSERT INTO w_types (ti) VALUES (128);
INSERT INTO w_types (bi) VALUES (-9223372036854775808);
INSERT INTO w_types (v) VALUES ('123456');
INSERT INTO w_types (de) VALUES (1.234);
INSERT INTO w_types (de) VALUES (123456789);
INSERT INTO w_types (de) VALUES ('NaN');
INSERT INTO w_types (da) VALUES ('infinity');
INSERT INTO w_types (da) VALUES ('0001-12-31 BC');
INSERT INTO w_types (dt) VALUES ('2024-01-01 00:00:00.1234');
INSERT INTO w_types (ts) VALUES ('-infinity');
INSERT INTO w_types (tn) VALUES ('10000-01-01');
INSERT INTO w_types (ym) VALUES ('1 day');
INSERT INTO w_types (dtm) VALUES ('1 month');
INSERT INTO w_types (s) VALUES (repeat('x', 8388609));
INSERT INTO w_types (bin) VALUES (convert_to(repeat('x', 8388609), 'UTF8'));
INSERT INTO w_types (ms) VALUES ('[1]');
INSERT INTO w_types (ms) VALUES ('{"a": 9223372036854775808}');
INSERT INTO w_types (st) VALUES ('{"a": 1, "other": 2}');
INSERT INTO w_types (ai) VALUES ('{{1,2},{3,4}}');
\set VERBOSITY default
SELECT count(*) FROM w_types;
-- the whole message
INSERT INTO w_types (i, ti) SELECT g, g FROM generate_series(126, 130) g;
SET mc_fdw.on_precision_loss = 'truncate';
INSERT INTO w_types (i, dt) VALUES (1, '2024-01-01 00:00:00.1239+08');
RESET mc_fdw.on_precision_loss;
SELECT dt FROM w_types WHERE i = 1;

-- other local types for the same remote ones: composite, array, domain, enum, uuid, inet, numeric, bytea
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_more (id bigint, st struct<a:int,b:string>, ats array<timestamp>, am array<struct<k:string,v:decimal(10,2)>>, e string, u string, i string, n bigint, raw string, d string, v double)"}' >/dev/null
CREATE TYPE pair AS (b text, a int);
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'no');
CREATE FOREIGN TABLE w_more (id bigint, st pair, ats timestamptz[], am jsonb, e mood, u uuid, i inet, n numeric, raw bytea, d short, v float8) SERVER odps;
INSERT INTO w_more VALUES (1, ROW('text', 5), ARRAY['2024-01-01 00:00:00+08', NULL]::timestamptz[], '[{"k": "x", "v": 1.50}, null, {"v": "-2"}]',
	'bad', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.0/8', 42.000, '\xc3a9', 'yes', 0.5),
	(2, ROW(NULL, NULL), '{}', '[]', NULL, NULL, NULL, NULL, NULL, NULL, 'NaN');
SELECT * FROM w_more ORDER BY id;
\set VERBOSITY terse
INSERT INTO w_more (n) VALUES (1.5);
INSERT INTO w_more (am) VALUES ('[{"k": "x", "v": 1.505}]');
INSERT INTO w_more (am) VALUES ('[{"k": 1}]');
\set VERBOSITY default

-- on_error
SET mc_fdw.on_error = 'reject';
INSERT INTO w_types (i, ti) SELECT g, g FROM generate_series(126, 130) g;
SELECT relation, position_in_source, column_name, sqlstate, reason, value FROM mc.last_rejects();
SET mc_fdw.on_error = 'set_null';
SET mc_fdw.log_verbosity = 'verbose';
INSERT INTO w_types (i, ti, ai) SELECT g, g, '{{1}}' FROM generate_series(227, 228) g;
SELECT position_in_source, column_name, sqlstate, reason, value FROM mc.last_rejects();
SET mc_fdw.on_error = 'reject';
SET mc_fdw.reject_limit = '1';
INSERT INTO w_types (i, ti) SELECT g, g FROM generate_series(326, 330) g;
RESET ALL;
SET TimeZone = 'Asia/Shanghai';
SELECT i, ti, ai FROM w_types WHERE i BETWEEN 120 AND 400 ORDER BY i;

-- NOT NULL is enforced here, remote and local
CREATE FOREIGN TABLE w_strict (id bigint, name text NOT NULL, dt text) SERVER odps;
INSERT INTO w_strict VALUES (NULL, 'x', '1');
INSERT INTO w_strict VALUES (1, NULL, '1');
SET mc_fdw.on_error = 'set_null';
INSERT INTO w_strict VALUES (1, NULL, '1'), (2, 'two', '1');
RESET mc_fdw.on_error;
SELECT * FROM w_strict;

-- partition values
INSERT INTO w_strict VALUES (3, 'x', NULL);
INSERT INTO w_strict VALUES (3, 'x', '');
INSERT INTO w_strict VALUES (3, 'x', 'a,b');
INSERT INTO w_strict VALUES (3, 'x', repeat('p', 256));
SET mc_fdw.on_error = 'reject';
INSERT INTO w_strict VALUES (3, 'x', NULL), (4, 'y', 'a/b'), (5, 'z', '2');
RESET mc_fdw.on_error;
ALTER FOREIGN TABLE w_strict OPTIONS (ADD null_partition '__none__');
INSERT INTO w_strict VALUES (6, 'x', NULL), (7, 'x', '');
ALTER FOREIGN TABLE w_strict OPTIONS (DROP null_partition);
SELECT * FROM w_strict ORDER BY id;
-- static partition, static and dynamic together, by date
CREATE FOREIGN TABLE w_static (id bigint, name text) SERVER odps OPTIONS (table 'w_strict', partition 'dt=static');
INSERT INTO w_static VALUES (1, 'in the static one');
SELECT * FROM w_strict WHERE dt = 'static';
CREATE FOREIGN TABLE w_half (id bigint, hh int, dt text) SERVER odps OPTIONS (table 'w_part', partition 'dt=20240501');
INSERT INTO w_half VALUES (1, 3, NULL), (2, 4, '20240501');
INSERT INTO w_half VALUES (3, 3, '20240502');
SELECT * FROM w_part WHERE dt = '20240501' ORDER BY id;
CREATE FOREIGN TABLE w_date (id bigint, name text, dt date) SERVER odps OPTIONS (table 'w_strict');
INSERT INTO w_date VALUES (8, 'by date', '2024-05-06');
INSERT INTO w_date VALUES (9, 'by date', 'infinity');
SELECT * FROM w_strict WHERE dt = '2024-05-06';

-- the service takes 03 for 3; null_partition must be a value of the keys
CREATE FOREIGN TABLE w_zero (id bigint, dt text) SERVER odps OPTIONS (table 'w_part', partition 'hh=03');
INSERT INTO w_zero VALUES (1, '20240501');
CREATE FOREIGN TABLE w_none (id bigint, hh int, dt text) SERVER odps OPTIONS (table 'w_part', null_partition 'none');
INSERT INTO w_none VALUES (1, 1, '20240501');
-- a composite type with two fields for one of the struct
CREATE TYPE twice AS (a int, "A" int, b text);
CREATE FOREIGN TABLE w_twice (id bigint, st twice) SERVER odps OPTIONS (table 'w_more');
INSERT INTO w_twice VALUES (1, ROW(1, 2, 'x'));

-- what does not fit is said before the first row
CREATE FOREIGN TABLE e_missing (id bigint, nix text) SERVER odps OPTIONS (table 'w_plain');
INSERT INTO e_missing VALUES (1, 'x');
CREATE FOREIGN TABLE e_type (id boolean, name text) SERVER odps OPTIONS (table 'w_plain');
INSERT INTO e_type VALUES (true, 'x');
CREATE FOREIGN TABLE e_nokey (id bigint, name text) SERVER odps OPTIONS (table 'w_strict');
INSERT INTO e_nokey VALUES (1, 'x');
CREATE FOREIGN TABLE e_notnull (name text, dt text) SERVER odps OPTIONS (table 'w_strict');
INSERT INTO e_notnull VALUES ('x', '1');
CREATE FOREIGN TABLE e_keytype (id bigint, name text, dt boolean) SERVER odps OPTIONS (table 'w_strict');
INSERT INTO e_keytype VALUES (1, 'x', true);
CREATE FOREIGN TABLE e_option (id bigint, name text) SERVER odps OPTIONS (table 'w_strict', partition 'hour=1');
INSERT INTO e_option VALUES (1, 'x');
CREATE FOREIGN TABLE e_option2 (id bigint, name text) SERVER odps OPTIONS (table 'w_plain', partition 'dt=1');
INSERT INTO e_option2 VALUES (1, 'x');
CREATE FOREIGN TABLE e_table (id bigint) SERVER odps OPTIONS (table 'w_nowhere');
\set VERBOSITY sqlstate
INSERT INTO e_table VALUES (1);
\set VERBOSITY default
INSERT INTO w_plain VALUES (1, 'x') ON CONFLICT DO NOTHING;
UPDATE w_plain SET name = 'x';
ALTER FOREIGN TABLE w_plain OPTIONS (ADD updatable 'false');
INSERT INTO w_plain VALUES (1, 'x');
ALTER FOREIGN TABLE w_plain OPTIONS (DROP updatable);

-- codings: the same rows arrive
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table w_coding (coding string, id bigint, text string)"}' >/dev/null
CREATE FOREIGN TABLE w_coding (coding text, id bigint, text text) SERVER odps OPTIONS (block_size '64kB', write_buffer '1MB');
SET mc_fdw.compression = 'none';
INSERT INTO w_coding SELECT 'none', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
SET mc_fdw.compression = 'deflate';
INSERT INTO w_coding SELECT 'deflate', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
SET mc_fdw.compression = 'zstd';
INSERT INTO w_coding SELECT 'zstd', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
SET mc_fdw.compression = 'lz4';
INSERT INTO w_coding SELECT 'lz4', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
SET mc_fdw.compression = 'snappy';
INSERT INTO w_coding SELECT 'snappy', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
SET mc_fdw.compression = 'auto';
INSERT INTO w_coding SELECT 'auto', g, repeat('abc', g % 50) FROM generate_series(1, 5000) g;
RESET mc_fdw.compression;
SELECT coding, count(*), sum(id), sum(length(text)) FROM w_coding GROUP BY coding ORDER BY coding;

-- EXPLAIN: without network and mapping, and with counts
CREATE SERVER odps_nowhere FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'http://127.0.0.1:1/api', project 'p');
CREATE FOREIGN TABLE w_nowhere (id bigint) SERVER odps_nowhere OPTIONS (table 't', schema 's', partition 'dt=1', write_mode 'overwrite');
EXPLAIN (COSTS OFF) INSERT INTO w_nowhere VALUES (1);
EXPLAIN (COSTS OFF, VERBOSE) INSERT INTO w_plain SELECT 1, 'x';
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF)
INSERT INTO w_part SELECT g, 'n' || g, g % 2, '20240601' FROM generate_series(1, 12) g;
DROP FOREIGN TABLE e_missing, e_type, e_nokey, e_notnull, e_keytype, e_option, e_option2, e_table, w_nowhere;
DROP SERVER odps_nowhere;
