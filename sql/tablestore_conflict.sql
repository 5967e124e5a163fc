-- write_mode 'insert', ON CONFLICT DO NOTHING, auto-increment keys, lost answers.
\i sql/setup.psql
CREATE SCHEMA ts_conflict;
SET search_path = ts_conflict, public;
\! emu '{"service":"tablestore","op":"create_table","table":"c","keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"au","keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER","auto_increment":true}]}' >/dev/null
CREATE FOREIGN TABLE c (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, b text) SERVER ots;
CREATE FOREIGN TABLE c_ins (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int, b text)
  SERVER ots OPTIONS (table 'c', write_mode 'insert');
\unset QUIET
INSERT INTO c_ins SELECT 'a', g, g FROM generate_series(1, 500) g;
-- skipped rows are not counted, within one statement too
INSERT INTO c SELECT 'a', g, -g FROM generate_series(401, 600) g ON CONFLICT DO NOTHING;
INSERT INTO c SELECT 'a', 1 + g % 700, -g FROM generate_series(0, 2999) g ON CONFLICT DO NOTHING;
INSERT INTO c VALUES ('a', 1, 0), ('b', 1, 0) ON CONFLICT DO NOTHING RETURNING *;
\set QUIET on
SELECT count(*), count(*) FILTER (WHERE a > 0), count(DISTINCT n) FROM c WHERE k = 'a';
-- (what stays is told by a WARNING, before or after the error)
SET client_min_messages = error;
-- a row that exists is an error in write_mode 'insert', by batch, by row and by COPY
INSERT INTO c_ins VALUES ('b', 2, 0), ('b', 1, 0), ('b', 3, 0);
INSERT INTO c_ins VALUES ('b', 4, 0), ('b', 4, 0);
INSERT INTO c_ins VALUES ('b', 1, 0) RETURNING n;
COPY c_ins (k, n) FROM stdin;
b	10
b	1
\.
RESET client_min_messages;
-- the same with reject: not counted as rejected, it is an error all the same
ALTER FOREIGN TABLE c_ins OPTIONS (ADD on_error 'reject');
INSERT INTO c_ins VALUES ('b', 1, 0);
ALTER FOREIGN TABLE c_ins OPTIONS (DROP on_error);
SELECT k, n FROM c WHERE k = 'b' AND n IN (1, 10) ORDER BY n;
-- what the grammar knows and a foreign table does not
INSERT INTO c VALUES ('b', 1) ON CONFLICT (k, n) DO NOTHING;
INSERT INTO c VALUES ('b', 1) ON CONFLICT (k, n) DO UPDATE SET a = 1;

-- the answer is lost after the service has taken the rows: they are ours
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"reset_after"}]' >/dev/null
INSERT INTO c SELECT 'lost', g, g FROM generate_series(1, 50) g ON CONFLICT DO NOTHING;
SELECT count(*), sum(a) FROM c WHERE k = 'lost';
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"status_after","http":503,"code":"OTSTimeout"}]' >/dev/null
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    RETURN NEXT regexp_replace(line, '(Bytes Sent|Capacity Units|Received|Requests): \d+', '\1: N');
  END LOOP; END $$;
SELECT * FROM explain('INSERT INTO c_ins SELECT ''lost'', g, g FROM generate_series(51, 100) g');
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"reset_after"}]' >/dev/null
SET client_min_messages = error;
INSERT INTO c_ins VALUES ('lost', 50, 0), ('lost', 1000, 0);
RESET client_min_messages;
SELECT a FROM c WHERE k = 'lost' AND n IN (50, 1000) ORDER BY n;

-- rows without other columns, and a row that comes twice: only what we made counts
\unset QUIET
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"reset_after"}]' >/dev/null
INSERT INTO c (k, n) VALUES ('lost', 1), ('lost', 2001), ('lost', 2002) ON CONFLICT DO NOTHING;
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":2,"action":"reset_after"}]' >/dev/null
INSERT INTO c VALUES ('lost', 2003, 1), ('lost', 2003, 1), ('lost', 2004, 1) ON CONFLICT DO NOTHING;
\set QUIET on

-- only rows that failed are sent again
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"row_error","code":"OTSRowOperationConflict","each":5}]' >/dev/null
SELECT * FROM explain('INSERT INTO c SELECT ''part'', g, g FROM generate_series(1, 100) g') line WHERE line ~ 'Rows|Batches';
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"row_error","code":"OTSTimeout","each":3,"applied":1}]' >/dev/null
SELECT * FROM explain('INSERT INTO c_ins SELECT ''part'', g, g FROM generate_series(101, 130) g') line WHERE line ~ 'Rows|Batches';
SELECT count(*), sum(a) FROM c WHERE k = 'part';
\! emu faults '[]' >/dev/null

-- the service chooses the key
CREATE FOREIGN TABLE au (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, a int) SERVER ots;
WITH new AS (INSERT INTO au (k, a) VALUES ('p', 1), ('p', 2), ('q', 3) RETURNING k, n, a)
SELECT new.k, new.a, new.n > 0 AS chosen, new.n > lag(new.n) OVER (PARTITION BY k ORDER BY a) AS rising FROM new ORDER BY a;
SELECT k, a, n > 0 AS chosen FROM au ORDER BY k, n;
INSERT INTO au (k, a) SELECT 'many', g FROM generate_series(1, 600) g;
SELECT count(*), count(DISTINCT n), sum(a) FROM au WHERE k = 'many';
INSERT INTO au (k, a) SELECT 'skip', g FROM generate_series(1, 3) g ON CONFLICT DO NOTHING;
UPDATE au SET a = a * 10 WHERE k = 'p';
DELETE FROM au WHERE k = 'many' AND a > 1;
SELECT k, count(*), sum(a) FROM au GROUP BY k ORDER BY k;
\! emu faults '[{"service":"tablestore","api":"BatchWriteRow","nth":1,"action":"reset_after"}]' >/dev/null
SELECT * FROM explain('INSERT INTO au (k, a) VALUES (''twice'', 1)') line WHERE line ~ 'Rows';
\! emu faults '[]' >/dev/null
SELECT count(*) FROM au WHERE k = 'twice';
DROP FOREIGN TABLE c, c_ins, au;
DROP FUNCTION explain;
