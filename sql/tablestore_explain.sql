-- EXPLAIN of a Tablestore scan.
\i sql/setup.psql
CREATE SCHEMA ots_explain;
SET search_path = ots_explain, public;
-- nothing is asked of the service, nor of the user mapping
CREATE SERVER ots_nobody FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'http://no-such-host.invalid', instance 'nobody');
CREATE FOREIGN TABLE far (k bigint OPTIONS (key '1') NOT NULL, t text OPTIONS (key '2', field 'T') COLLATE "C" NOT NULL, n int)
	SERVER ots_nobody OPTIONS (table 'Far');
EXPLAIN (COSTS OFF) SELECT * FROM far;
EXPLAIN (VERBOSE, COSTS OFF) SELECT n FROM far WHERE k = 1 AND t > 'x' AND n = 3 ORDER BY t DESC LIMIT 5;
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT n FROM far WHERE k IN (1, 2) AND t = 'x' ORDER BY k LIMIT 5;
EXPLAIN (COSTS OFF, FORMAT YAML) SELECT n FROM far WHERE (k = 5 OR (k = 7 AND t < 'a')) AND (n = 1 OR n IS NOT NULL);
EXPLAIN (COSTS OFF) SELECT n FROM far WHERE k = now()::date - '2024-01-01'::date;
EXPLAIN (COSTS OFF) SELECT x.n FROM far x JOIN far y ON y.k = x.n AND y.t = 'c' WHERE x.k = 1 AND x.t = 'c';

-- estimates: a full key is a row, ANALYZE's count is believed
EXPLAIN SELECT * FROM far WHERE k = 1 AND t = 'x';
EXPLAIN SELECT * FROM far WHERE k IN (1, 2, 3) AND t = 'x';
EXPLAIN SELECT * FROM far;
UPDATE pg_class SET reltuples = 5000 WHERE relname = 'far';
EXPLAIN SELECT k FROM far;

-- ANALYZE: figures that do not depend on time
\! emu '{"service":"tablestore","op":"create_table","table":"q_explain","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
\pset format unaligned
\pset tuples_only on
SELECT json_build_object('service', 'tablestore', 'op', 'put', 'table', 'q_explain', 'rows', json_agg(json_build_object(
	'key', json_build_array(g), 'columns', json_build_object('n', g % 7))))
	FROM generate_series(1, 300) g \g |emu @- >/dev/null
\pset format aligned
\pset tuples_only off
CREATE FOREIGN TABLE ex (k bigint OPTIONS (key '1') NOT NULL, n int) SERVER ots OPTIONS (table 'q_explain');
CREATE FUNCTION figures(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line !~ 'Waits|Received|Requests: [1-9]' THEN RETURN NEXT line; END IF;
	END LOOP;
END $$;
\! emu '{"service":"tablestore","op":"set","page_rows":50}' >/dev/null
SELECT figures('SELECT * FROM ex');
SELECT figures('SELECT * FROM ex WHERE k > 100 AND k <= 200 AND n = 3');
SELECT figures('SELECT * FROM ex WHERE n = 9');
SELECT figures('SELECT * FROM ex WHERE k IN (5, 7, 1000)');
SELECT figures('SELECT * FROM ex ORDER BY k DESC LIMIT 3');
SELECT figures('SELECT * FROM ex WHERE k < 10 AND k > 20');
\! emu '{"service":"tablestore","op":"set","page_rows":5000}' >/dev/null
SELECT figures('SELECT * FROM (VALUES (1), (2), (3)) v (k) JOIN ex USING (k)');
