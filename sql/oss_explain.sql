-- EXPLAIN of a scan of OSS objects.
\i sql/setup.psql
CREATE SCHEMA oss_explain;
SET search_path = oss_explain, public;
-- nothing is asked of the service, nor of the user mapping
CREATE SERVER oss_far FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://no-such-host.invalid', bucket 'far');
CREATE FOREIGN TABLE far (id int, name text, dt date, h int, __object__ text COLLATE "C", __last_modified__ timestamptz,
	__size__ bigint, __line__ bigint) SERVER oss_far OPTIONS (prefix 'ods/dt={dt}/h={h}/', pattern '*.csv');
EXPLAIN (COSTS OFF) SELECT * FROM far;
EXPLAIN (VERBOSE, COSTS OFF) SELECT name, dt FROM far WHERE dt >= '2024-01-01' AND h IN (1, 2) AND id = 3;
EXPLAIN (COSTS OFF) SELECT count(*) FROM far WHERE __object__ >= 'ods/dt=2024' AND __object__ < 'ods/dt=2025' AND __line__ > 1;
EXPLAIN (COSTS OFF) SELECT * FROM far WHERE __last_modified__ > '2024-01-01 00:00:00+00' AND __size__ > 0 AND random() < 2;
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT id FROM far WHERE dt = '2024-01-01';
EXPLAIN (COSTS OFF) SELECT * FROM far x JOIN far y ON y.dt = x.dt AND y.h = 3 WHERE x.dt = '2024-01-01';
EXPLAIN (COSTS OFF) SELECT * FROM (VALUES (date '2024-01-01'), ('2024-01-02')) v (d) JOIN far ON dt = d;
EXPLAIN (COSTS OFF) SELECT * FROM far WHERE dt = (SELECT max(d) FROM (VALUES (date '2024-01-01')) v (d));
-- estimates
EXPLAIN SELECT * FROM far;
UPDATE pg_class SET reltuples = 5000 WHERE oid = 'far'::regclass;
EXPLAIN SELECT * FROM far WHERE dt = '2024-01-01';
CREATE FOREIGN TABLE obj (id int) SERVER oss_far OPTIONS (object 'a/b.csv');
EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM obj;
ANALYZE obj;

-- ANALYZE: figures that do not depend on time
\! for d in 1 2 3; do for h in 1 2; do seq 100 | oss put demo/explain/dt=2024-01-0$d/h=$h/a.csv; done; done
\! printf '7\n' | gzip -nc | oss put demo/explain/dt=2024-01-01/h=1/b.csv.gz
\! oss printf demo/explain/readme.csv ''
CREATE FOREIGN TABLE ex (id int, dt date, h int, __object__ text COLLATE "C", __line__ bigint) SERVER oss OPTIONS (prefix 'explain/dt={dt}/h={h}/');
CREATE FUNCTION figures(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line !~ 'Waits|Requests: [1-9]' THEN RETURN NEXT line; END IF;
	END LOOP;
END $$;
SELECT figures('SELECT * FROM ex');
SELECT figures('SELECT count(*) FROM ex WHERE id <= 10');
SELECT figures('SELECT * FROM ex WHERE dt = ''2024-01-02''');
SELECT figures('SELECT * FROM ex WHERE dt > ''2024-01-01'' AND h = 2');
SELECT figures('SELECT * FROM ex WHERE __object__ = ''explain/dt=2024-01-03/h=1/a.csv'' AND __line__ = 5');
SELECT figures('SELECT * FROM ex WHERE dt = ''2000-01-01''');
SELECT figures('SELECT * FROM ex WHERE dt = NULL::date');
SELECT f FROM figures('SELECT id FROM ex LIMIT 3') f WHERE f !~ 'List';
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT figures('SELECT * FROM (VALUES (date ''2024-01-01''), (''2024-01-02'')) v (d) JOIN ex ON dt = d');
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
SET mc_fdw.on_error = 'reject';
\! oss printf demo/explain/dt=2024-01-04/h=1/a.csv 'x\n1\n'
SELECT figures('SELECT * FROM ex WHERE dt = ''2024-01-04''');
RESET mc_fdw.on_error;

-- what a leaky function may see: conditions of a barrier come first
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM ex WHERE id = 7;
CREATE FUNCTION leak(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$;
EXPLAIN (COSTS OFF) SELECT * FROM barrier WHERE leak(__object__) AND dt = '2024-01-01';
