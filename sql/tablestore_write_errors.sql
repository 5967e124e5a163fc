-- Bad input: each is named, nothing else is lost.
\i sql/setup.psql
CREATE SCHEMA ts_write_errors;
SET search_path = ts_write_errors, public;
\! emu '{"service":"tablestore","op":"create_table","table":"e","keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}],"deviation":3600}' >/dev/null
CREATE FOREIGN TABLE e (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, t text, d double precision,
  req text, rest jsonb OPTIONS (field '*')) SERVER ots;
-- keys
INSERT INTO e (k, n) VALUES ('a', 1), (NULL, 2);
INSERT INTO e (k) VALUES ('a');
INSERT INTO e (k, n) VALUES (repeat('k', 1025), 1);
INSERT INTO e (k, n) VALUES (repeat('k', 1024), 1);
INSERT INTO e (k, n, t) VALUES ('a', 1, repeat('t', 2097153));
INSERT INTO e (k, n, t) VALUES ('a', 2, repeat('t', 2097152));
INSERT INTO e (k, n, t, req) VALUES ('a', 3, repeat('t', 2097152), repeat('t', 2097152));
INSERT INTO e (k, n, d) VALUES ('a', 4, 'NaN');
INSERT INTO e (k, n, d) VALUES ('a', 4, '-Infinity');
SELECT length(k), n, length(t) FROM e ORDER BY k, n;
-- the rest
INSERT INTO e (k, n, rest) VALUES ('r', 1, '[1]');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"x": [1]}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"x": {"y": 1}}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"t": "a column"}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"k": "a key"}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"": 1}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, jsonb_build_object(repeat('n', 256), 1));
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"x": 123456789.123456789123456789}');
INSERT INTO e (k, n, rest) VALUES ('r', 1, '{"x": 1e400}');
INSERT INTO e (k, n, rest) SELECT 'r', 1, jsonb_object_agg('c' || g, g) FROM generate_series(1, 1025) g;
INSERT INTO e (k, n, rest) SELECT 'r', 1, jsonb_object_agg('c' || g, g) FROM generate_series(1, 1024) g;
SELECT count(*) FROM e, jsonb_object_keys(rest) WHERE k = 'r';
-- NOT NULL and versions
CREATE FOREIGN TABLE e_ver (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int NOT NULL, __version__ timestamptz)
  SERVER ots OPTIONS (table 'e');
INSERT INTO e_ver VALUES ('v', 1, NULL, NULL);
INSERT INTO e_ver VALUES ('v', 1, 1, 'infinity');
INSERT INTO e_ver VALUES ('v', 1, 1, '2024-01-01 00:00:00.0001');
INSERT INTO e_ver VALUES ('v', 1, 1, '1969-12-31');
-- what only the service knows: the version lies outside of what the table allows; the other rows of the batch are written
DO $$ BEGIN
  INSERT INTO e_ver SELECT 'v', g, g, CASE WHEN g = 150 THEN '2001-01-01'::timestamptz END FROM generate_series(1, 200) g;
EXCEPTION WHEN OTHERS THEN DECLARE d text; c text; BEGIN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, c = PG_EXCEPTION_CONTEXT;
  RAISE NOTICE '% % / % / %', SQLSTATE, SQLERRM, regexp_replace(d, 'request id [^)]*', 'request id ID'), split_part(c, E'\n', 1); END; END $$;
SELECT count(*) FROM e WHERE k = 'v';
-- rejected, counted, shown
ALTER FOREIGN TABLE e_ver OPTIONS (ADD on_error 'reject');
\unset QUIET
INSERT INTO e_ver SELECT 'w', nullif(g, 7), nullif(g, 9), CASE WHEN g IN (150, 151) THEN '2001-01-01'::timestamptz END FROM generate_series(1, 300) g;
INSERT INTO e_ver SELECT 'x', g, 1, CASE WHEN g = 2 THEN '2001-01-01'::timestamptz END FROM generate_series(1, 3) g RETURNING n;
\set QUIET on
SELECT sqlstate, position_in_source, column_name, reason FROM mc.last_rejects();
SELECT k, count(*) FROM e WHERE k IN ('w', 'x') GROUP BY k ORDER BY k;
ALTER FOREIGN TABLE e_ver OPTIONS (ADD reject_limit '1');
INSERT INTO e_ver SELECT 'y', nullif(g, 7), nullif(g, 9) FROM generate_series(1, 300) g;
ALTER FOREIGN TABLE e_ver OPTIONS (SET on_error 'set_null', DROP reject_limit);
INSERT INTO e_ver VALUES ('z', 1, 1, '2024-01-01 00:00:00.0001');
ALTER FOREIGN TABLE e OPTIONS (ADD on_error 'set_null');
INSERT INTO e (k, n, a, d) VALUES ('z', 2, 1, 'NaN');
SELECT k, n, a, d FROM e WHERE k = 'z' ORDER BY n;
ALTER FOREIGN TABLE e OPTIONS (DROP on_error);

-- the declared key is not the live one; no such table; no UpdateRow
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE d text; h text; c text; BEGIN
  EXECUTE query; RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
  RETURN regexp_replace(format(E'%s: %s\n%s\n%s\n%s', SQLSTATE, SQLERRM, d, h, split_part(c, E'\n', 1)),
    'request id [^)]*|127.0.0.1:\d+|in [0-9.]+ s', 'X', 'g'); END $$;
SET client_min_messages = error;
\t on
\pset format unaligned
CREATE FOREIGN TABLE e_wrong (k text OPTIONS (key '1') COLLATE "C" NOT NULL, a int) SERVER ots OPTIONS (table 'e');
SELECT attempt($$INSERT INTO e_wrong VALUES ('a', 1)$$);
CREATE FOREIGN TABLE e_none (k text OPTIONS (key '1') COLLATE "C" NOT NULL, a int) SERVER ots OPTIONS (table 'nowhere');
SELECT attempt($$INSERT INTO e_none VALUES ('a', 1)$$);
\! emu '{"service":"tablestore","op":"create_table","table":"puts","keys":[{"name":"k","type":"STRING"}],"allow_update":false}' >/dev/null
CREATE FOREIGN TABLE puts (k text OPTIONS (key '1') COLLATE "C" NOT NULL, a int) SERVER ots;
INSERT INTO puts VALUES ('a', 1);
SELECT attempt($$UPDATE puts SET a = 2$$);
SELECT * FROM puts;
-- the table goes away under a statement
INSERT INTO puts VALUES ('b', 1);
\! emu '{"service":"tablestore","op":"drop_table","table":"puts"}' >/dev/null
SELECT attempt($$INSERT INTO puts VALUES ('c', 1)$$);

-- the service stays busy, refuses, forbids
SET mc_fdw.max_retries = '1';
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","every":1,"action":"row_error","code":"OTSRowOperationConflict","each":1}]' >/dev/null
SELECT attempt($$INSERT INTO e (k, n) VALUES ('busy', 1), ('busy', 2)$$);
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","every":1,"action":"status","http":403,"code":"OTSNoPermissionAccess"}]' >/dev/null
SELECT attempt($$INSERT INTO e (k, n) VALUES ('busy', 3)$$);
\! emu faults '[]' >/dev/null
RESET mc_fdw.max_retries;
SELECT n FROM e WHERE k = 'busy';
-- a cancel ends it, and the session goes on
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","every":1,"action":"stall_before"}]' >/dev/null
SET statement_timeout = '300ms';
INSERT INTO e (k, n) VALUES ('stall', 1);
RESET statement_timeout;
\! emu faults '[]' >/dev/null
INSERT INTO e (k, n) VALUES ('stall', 2);
SELECT n FROM e WHERE k = 'stall' ORDER BY n;
DROP FUNCTION attempt;
DROP FOREIGN TABLE e, e_ver, e_wrong, e_none, puts;
