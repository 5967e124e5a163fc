-- INSERT: put, update, versions, jsonb of the rest, types, batches, EXPLAIN, transactions.
\i sql/setup.psql
CREATE SCHEMA ts_write;
SET search_path = ts_write, public;
\! emu '{"service":"tablestore","op":"create_table","table":"w","keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}],"max_versions":3}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"w_types","keys":[{"name":"b","type":"BINARY"}]}' >/dev/null
CREATE FOREIGN TABLE w (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, b text,
  c double precision, rest jsonb OPTIONS (field '*')) SERVER ots;
CREATE FOREIGN TABLE w_cells (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL,
  __column__ text, __version__ bigint, __type__ text, __value__ text) SERVER ots OPTIONS (table 'w', shape 'cell');

-- a put replaces the row; NULL is absent
INSERT INTO w VALUES ('a', 1, 10, 'x', 1.5, '{"z": 1, "y": "t", "f": 0.25, "t": true, "gone": null}');
INSERT INTO w VALUES ('a', 2);
SELECT * FROM w ORDER BY k, n;
INSERT INTO w (k, n, b) VALUES ('a', 1, 'only');
SELECT * FROM w ORDER BY k, n;
-- the same key in one statement: the last one stays
INSERT INTO w (n, k, a) SELECT 7, 'dup', g FROM generate_series(1, 1000) g;
SELECT * FROM w WHERE k = 'dup';

-- write_mode 'update': named columns only; NULL deletes
CREATE FOREIGN TABLE w_up (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int DEFAULT 77, b text,
  c double precision, rest jsonb OPTIONS (field '*')) SERVER ots OPTIONS (table 'w', write_mode 'update');
INSERT INTO w_up (k, n, a, rest) VALUES ('a', 1, 11, '{"z": 5, "y": "s"}');
INSERT INTO w_up (k, n, c) VALUES ('a', 1, 2.5);
INSERT INTO w_up (k, n, b, rest) VALUES ('a', 1, NULL, '{"z": null}');
SELECT * FROM w WHERE n = 1;
-- only the key: the row is made, or stays as it is
INSERT INTO w_up (k, n) VALUES ('a', 1), ('a', 3);
SELECT * FROM w WHERE k = 'a' ORDER BY n;
INSERT INTO w_up (k, n, a) SELECT 'dup', 7, g FROM generate_series(1, 300) g;
INSERT INTO w_up (k, n, b) VALUES ('dup', 7, 'more');
SELECT * FROM w WHERE k = 'dup';

-- cell versions: one for each statement, newer with each; a column gives its own
SELECT __column__, count(DISTINCT __version__) FROM w_cells WHERE k = 'a' AND n = 1 GROUP BY 1 ORDER BY 1;
INSERT INTO w (k, n, a) SELECT 'v', g, g FROM generate_series(1, 450) g;
SELECT count(*), count(DISTINCT __version__), abs(max(__version__) - extract(epoch FROM clock_timestamp()) * 1000) < 60000 AS now FROM w_cells WHERE k = 'v';
INSERT INTO w_up (k, n, a) VALUES ('v', 1, -1);
INSERT INTO w_up (k, n, a) VALUES ('v', 1, -2);
SELECT __value__, rank() OVER (ORDER BY __version__) FROM w_cells WHERE k = 'v' AND n = 1 ORDER BY 2;
CREATE FOREIGN TABLE w_ver (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, __version__ bigint)
  SERVER ots OPTIONS (table 'w', write_mode 'update');
CREATE FOREIGN TABLE w_vertz (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, __version__ timestamptz)
  SERVER ots OPTIONS (table 'w', write_mode 'update');
SELECT (extract(epoch FROM date_trunc('hour', now())) * 1000)::bigint AS hour \gset
INSERT INTO w_ver SELECT 'ver', 1, g, :hour + g FROM generate_series(1, 3) g;
SELECT __value__, __version__ - :hour AS version FROM w_cells WHERE k = 'ver' ORDER BY 2;
INSERT INTO w_vertz VALUES ('ver', 2, 1, to_timestamp(:hour / 1000.0) + interval '7 ms'), ('ver', 3, 1, NULL);
SELECT n, __version__ - :hour < 10 AS given FROM w_ver WHERE k = 'ver' AND n > 1 ORDER BY n;
-- idempotent: the same rows with the same versions again
INSERT INTO w_ver SELECT 'ver', 1, g, :hour + g FROM generate_series(1, 3) g;
SELECT count(*) FROM w_cells WHERE k = 'ver' AND n = 1;
ALTER FOREIGN TABLE w OPTIONS (ADD cell_timestamp 'server');
INSERT INTO w (k, n, a) VALUES ('srv', 1, 1);
ALTER FOREIGN TABLE w OPTIONS (DROP cell_timestamp);
SELECT count(*) FROM w_cells WHERE k = 'srv';

-- every type, as the service stores it
CREATE FOREIGN TABLE w_types (b bytea OPTIONS (key '1') NOT NULL, i2 smallint, i8 bigint, f4 real, f8 double precision, bo boolean,
  t text, by bytea, nu numeric, nui numeric OPTIONS (type 'integer'), ts timestamptz, d date, u uuid, j json, a8 text OPTIONS (type 'any')) SERVER ots;
CREATE FOREIGN TABLE w_types_cells (b bytea OPTIONS (key '1') NOT NULL, __column__ text, __type__ text, __value__ text)
  SERVER ots OPTIONS (table 'w_types', shape 'cell');
INSERT INTO w_types VALUES ('\x00ff', -32768, 9223372036854775807, 1.1, 0.1, true, 'häuser 漢字', '\x0001', 12345678901234567890.5, 12,
  '2024-02-29 12:00:00.123456+08', '2024-02-29', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'x');
INSERT INTO w_types VALUES ('', 1);
SELECT __column__, __type__, __value__ FROM w_types_cells WHERE b = '\x00ff' ORDER BY 1;
SELECT * FROM w_types ORDER BY b;

-- EXPLAIN
EXPLAIN (COSTS OFF) INSERT INTO w (k, n) VALUES ('e', 1);
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO w_up (k, n, a) VALUES ('e', 1, 2) ON CONFLICT DO NOTHING;
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    RETURN NEXT regexp_replace(line, '(Bytes Sent|Received): \d+', '\1: N');
  END LOOP; END $$;
SELECT * FROM explain('INSERT INTO w (k, n, a) SELECT ''e'', g, g FROM generate_series(1, 1000) g');
SET mc_fdw.batch_size = '10';
SELECT line FROM explain('INSERT INTO w (k, n, a) SELECT ''e'', g, g FROM generate_series(1, 100) g') line WHERE line ~ 'Rows|Batch';
RESET mc_fdw.batch_size;

-- the statement reads what it writes to: everything is read first
INSERT INTO w (k, n, a) SELECT k, n + 1, a FROM w WHERE k = 'e';
SELECT count(*), sum(a - n) FROM w WHERE k = 'e';
INSERT INTO w (k, n, a) SELECT k, n + 10000, a FROM w WHERE k = 'v' ON CONFLICT DO NOTHING;

-- transactions: visible as sent, and said so
BEGIN;
INSERT INTO w (k, n) VALUES ('tx', 1), ('tx', 2);
SELECT count(*) FROM w WHERE k = 'tx';
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO w (k, n) VALUES ('tx', 3);
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO w (k, n) VALUES ('tx', 4);
RELEASE s;
INSERT INTO w (k, n) VALUES ('tx', 5);
COMMIT;
SELECT count(*) FROM w WHERE k = 'tx';
DO $$ BEGIN INSERT INTO w (k, n) VALUES ('tx', 6); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught'; END $$;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO w (k, n) VALUES ('tx', 7);
ROLLBACK;
SET client_min_messages = error;
BEGIN;
INSERT INTO w (k, n) VALUES ('tx', 8);
PREPARE TRANSACTION 'p';
RESET client_min_messages;
SELECT count(*) FROM w WHERE k = 'tx';

-- not for writing
INSERT INTO w_cells (k, n, __column__) VALUES ('a', 1, 'x');
ALTER FOREIGN TABLE w OPTIONS (ADD updatable 'false');
DELETE FROM w;
DROP FOREIGN TABLE w, w_cells, w_up, w_ver, w_vertz, w_types, w_types_cells;
DROP FUNCTION explain;
