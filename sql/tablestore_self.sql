-- Statements that read what they write, write one table twice, or write more than they name.
\i sql/setup.psql
CREATE SCHEMA ts_self;
SET search_path = ts_self, public;
\! emu '{"service":"tablestore","op":"create_table","table":"me","keys":[{"name":"k","type":"INTEGER"}],"max_versions":3}' >/dev/null
CREATE FOREIGN TABLE me (k bigint OPTIONS (key '1') NOT NULL, a int, b text) SERVER ots;

-- an UPDATE sees the values of before, whatever the plan
INSERT INTO me SELECT g, g FROM generate_series(1, 1000) g;
EXPLAIN (COSTS OFF) UPDATE me t SET a = s.a FROM me s WHERE s.k = t.k - 1;
UPDATE me t SET a = s.a FROM me s WHERE s.k = t.k - 1;
SELECT count(*) FROM me WHERE a = k - 1;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
UPDATE me t SET a = s.a + 1 FROM me s WHERE s.k = t.k - 1 AND t.k < 500;
SELECT count(*) FROM me WHERE k BETWEEN 3 AND 499 AND a = k - 1;
SET enable_hashagg = off; SET enable_sort = off;
DELETE FROM me t WHERE (SELECT count(*) FROM me s WHERE s.k = t.k - 1) = 1;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_memoize; RESET enable_hashagg; RESET enable_sort;
SELECT k FROM me;
-- its numbers are complete in EXPLAIN
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) UPDATE me t SET b = s.b || 'x' FROM me s WHERE s.k = t.k + 100000;
-- partitions of a table that is read
CREATE TABLE parts (k bigint, a int, b text) PARTITION BY RANGE (k);
ALTER TABLE parts ATTACH PARTITION me FOR VALUES FROM (0) TO (100000);
DELETE FROM parts;
INSERT INTO parts SELECT g, g FROM generate_series(1, 1500) g;
INSERT INTO parts SELECT k + 1500, a FROM parts;
SELECT count(*), max(k) FROM parts;
UPDATE parts t SET a = -s.a FROM parts s WHERE s.k = t.k - 1;
SELECT count(*) FROM parts WHERE k BETWEEN 2 AND 1501 AND a = 1 - k;
ALTER TABLE parts DETACH PARTITION me;
DROP TABLE parts;
DELETE FROM me;

-- what a statement inserts stays, whatever its other parts delete and change
INSERT INTO me VALUES (5, 1, 'old'), (6, 1, 'old'), (7, 1, 'old');
WITH d AS (DELETE FROM me WHERE k = 5) INSERT INTO me VALUES (5, 2, 'new');
WITH d AS (DELETE FROM me WHERE k = 6) INSERT INTO me SELECT k, 9, b || '+' FROM me WHERE k = 6;
WITH i AS (INSERT INTO me VALUES (7, 3, 'new')) DELETE FROM me WHERE k = 7;
WITH u AS (UPDATE me SET a = 100 WHERE k = 7) INSERT INTO me VALUES (7, 4, 'newer');
SELECT * FROM me ORDER BY k;
WITH d AS (DELETE FROM me RETURNING *) INSERT INTO me SELECT k + 1, a, b FROM d;
SELECT * FROM me ORDER BY k;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) WITH d AS (DELETE FROM me WHERE k = 6) INSERT INTO me VALUES (6, 5, 'explained');
SELECT * FROM me ORDER BY k;
DELETE FROM me;

-- write_mode 'update' and generated columns: written with what they are made of
CREATE FOREIGN TABLE me_gen (k bigint OPTIONS (key '1') NOT NULL, a int, c int, twice int GENERATED ALWAYS AS (a * 2) STORED,
  tens bigint GENERATED ALWAYS AS (k * 10) STORED, total int GENERATED ALWAYS AS (a + c) STORED) SERVER ots OPTIONS (table 'me', write_mode 'update');
INSERT INTO me_gen (k, a, c) VALUES (1, 5, 6);
SELECT * FROM me_gen;
INSERT INTO me_gen (k) VALUES (1), (2);
SELECT * FROM me_gen ORDER BY k;
INSERT INTO me_gen (k, a) VALUES (1, 7);
COPY me_gen (k, a, c) FROM stdin;
1	7	8
\.
SELECT * FROM me_gen WHERE k = 1;
DROP FOREIGN TABLE me_gen;
DELETE FROM me;

-- BEFORE triggers: '*', __version__ and columns that nobody named
CREATE FOREIGN TABLE me_trig (k bigint OPTIONS (key '1') NOT NULL, a int, b text, rest jsonb OPTIONS (field '*'), __version__ bigint)
  SERVER ots OPTIONS (table 'me');
CREATE FOREIGN TABLE me_cells (k bigint OPTIONS (key '1') NOT NULL, __column__ text, __version__ bigint, __value__ text)
  SERVER ots OPTIONS (table 'me', shape 'cell');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.a = 1 THEN NEW.rest := jsonb_build_object('by', TG_OP); END IF;
  IF NEW.a = 2 THEN NEW.__version__ := (extract(epoch FROM date_trunc('hour', now())) * 1000)::bigint; END IF;
  RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON me_trig FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO me_trig (k, a) VALUES (1, 1), (2, 2), (3, 3);
SELECT k, a, b, rest, __version__ % 3600000 = 0 AS by_trigger FROM me_trig ORDER BY k;
UPDATE me_trig SET a = 1 WHERE k > 1;
SELECT k, a, rest FROM me_trig ORDER BY k;
ALTER FOREIGN TABLE me_trig OPTIONS (ADD write_mode 'update');
INSERT INTO me_trig (k, a) VALUES (1, 1);
SELECT k, a, rest FROM me_trig WHERE k = 1;
-- only what has changed is written: the version of the others stays
UPDATE me_trig SET a = 4, b = 'b' WHERE k = 3;
UPDATE me_trig SET a = 1 WHERE k = 3;
SELECT __column__, count(*) FROM me_cells WHERE k = 3 GROUP BY 1 ORDER BY 1;
DROP TRIGGER touch ON me_trig;
-- a default is not what a trigger has set
CREATE FOREIGN TABLE me_def (k bigint OPTIONS (key '1') NOT NULL, a int DEFAULT 77, b text DEFAULT 'none') SERVER ots OPTIONS (table 'me', write_mode 'update');
CREATE FUNCTION b_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := 'by trigger'; RETURN NEW; END $$;
CREATE TRIGGER b_only BEFORE INSERT ON me_def FOR EACH ROW EXECUTE FUNCTION b_only();
INSERT INTO me_def VALUES (4, 4, 'x');
INSERT INTO me_def (k) VALUES (4);
SELECT * FROM me_def WHERE k = 4;
DROP FOREIGN TABLE me_def;
DROP FUNCTION b_only;

-- RETURNING: the version that was given, and NULL for what could not be written
ALTER FOREIGN TABLE me_trig OPTIONS (SET write_mode 'put');
INSERT INTO me_trig (k, a) VALUES (9, 9) RETURNING __version__ AS version \gset
SELECT __version__ = :version AS same FROM me_trig WHERE k = 9;
UPDATE me_trig SET a = 10 WHERE k = 9 RETURNING __version__ AS version \gset
SELECT __version__ = :version AS same FROM me_trig WHERE k = 9;
INSERT INTO me_trig (k, a, __version__) VALUES (10, 9, (extract(epoch FROM date_trunc('hour', now())) * 1000)::bigint) RETURNING __version__ % 3600000;
CREATE FOREIGN TABLE me_num (k bigint OPTIONS (key '1') NOT NULL, a float8, rest jsonb OPTIONS (field '*')) SERVER ots OPTIONS (table 'me', on_error 'set_null');
SET client_min_messages = error;
INSERT INTO me_num VALUES (11, 'NaN', '{"x": []}') RETURNING *;
UPDATE me_num SET a = 'Infinity' WHERE k = 11 RETURNING *;
RESET client_min_messages;
SELECT * FROM me_num WHERE k = 11;

DELETE FROM me;

-- a rollback tells what was sent and not answered, too
CREATE FOREIGN TABLE me_slow (k bigint OPTIONS (key '1') NOT NULL, a int) SERVER ots OPTIONS (table 'me', batch_size '100', concurrency '2');
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","every":1,"action":"stall_after"}]' >/dev/null
SET statement_timeout = '2s';
BEGIN;
DO $$ BEGIN
  INSERT INTO me_slow SELECT g, g FROM generate_series(1, 5000) g;
EXCEPTION WHEN query_canceled THEN NULL; END $$;
COMMIT;
RESET statement_timeout;
SET mc_fdw.max_retries = 1;
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","after":1,"action":"reset_after"}]' >/dev/null
DO $$ BEGIN
  INSERT INTO me_slow SELECT g, g FROM generate_series(2001, 2002) g;
  INSERT INTO me_slow SELECT g, g FROM generate_series(2003, 2005) g;
EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLSTATE; END $$;
\! emu faults '[]' >/dev/null
RESET mc_fdw.max_retries;
SELECT k / 1000 AS part, count(*) FROM me GROUP BY 1 ORDER BY 1;

DROP FOREIGN TABLE me_slow, me, me_trig, me_cells, me_num;
DROP FUNCTION touch;
DROP SCHEMA ts_self;
