-- Rows looked up by key for the rows of other relations.
\i sql/setup.psql
CREATE SCHEMA ots_join;
SET search_path = ots_join, public;
\! emu '{"service":"tablestore","op":"create_table","table":"q_big","keys":[{"name":"a","type":"INTEGER"},{"name":"b","type":"STRING"}]}' >/dev/null
\pset format unaligned
\pset tuples_only on
SELECT json_build_object('service', 'tablestore', 'op', 'put', 'table', 'q_big', 'rows', json_agg(json_build_object(
	'key', json_build_array(g / 10, 'k' || g % 10), 'columns', json_build_object('n', g))))
	FROM generate_series(0, 999) g \g |emu @- >/dev/null
\pset format aligned
\pset tuples_only off
CREATE FOREIGN TABLE big (a bigint OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "C" NOT NULL, n int)
	SERVER ots OPTIONS (table 'q_big');
CREATE TABLE few (a int, b varchar COLLATE "C", n bigint, list bigint[]);
INSERT INTO few VALUES (5, 'k3', 53, '{1,2}'), (7, 'k7', 77, '{7,NULL}'), (5, 'k3', 1, '{}'), (NULL, 'k1', 2, NULL), (500, 'k1', 3, '{500}');
ANALYZE few;
CREATE FUNCTION requests(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line ~ 'Keys Asked|Remote Rows' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;

-- a full key: one row at a time
EXPLAIN (COSTS OFF) SELECT * FROM few JOIN big USING (a, b);
SELECT few.n, big.* FROM few JOIN big USING (a, b) ORDER BY 1;
SELECT requests('SELECT * FROM few JOIN big USING (a, b)');
SELECT few.n, big.n FROM few LEFT JOIN big USING (a, b) ORDER BY 1;
SELECT few.n FROM few WHERE NOT EXISTS (SELECT FROM big WHERE big.a = few.a AND big.b = few.b) ORDER BY 1;
-- a part of the key, a range, a row, a list of each outer row
EXPLAIN (COSTS OFF) SELECT few.n, big.n FROM few JOIN big ON big.a = few.a AND big.b > few.b;
SELECT few.n, sum(big.n) FROM few JOIN big ON big.a = few.a AND big.b > few.b GROUP BY 1 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT few.n, big.n FROM few JOIN big ON big.a = ANY (few.list) AND big.b = few.b;
SELECT few.n, big.n FROM few JOIN big ON big.a = ANY (few.list) AND big.b = few.b ORDER BY 1, 2;
EXPLAIN (COSTS OFF) SELECT few.n, s.n FROM few, LATERAL (SELECT n FROM big WHERE (big.a, big.b) > (few.a, few.b) ORDER BY a, b LIMIT 1) s;
SELECT few.n, s.n FROM few, LATERAL (SELECT n FROM big WHERE (big.a, big.b) > (few.a, few.b) ORDER BY a, b LIMIT 1) s ORDER BY 1;
-- keys from two relations, from an equivalence, from a constant
EXPLAIN (COSTS OFF) SELECT big.n FROM few x, few y, big WHERE big.a = x.a AND big.b = y.b AND x.n = 53 AND y.n = 77;
SELECT big.n FROM few x, few y, big WHERE big.a = x.a AND big.b = y.b AND x.n = 53 AND y.n = 77;
EXPLAIN (COSTS OFF) SELECT big.n FROM few JOIN big ON big.a = few.a WHERE few.a = 7 AND big.b = few.b;
SELECT big.n FROM few JOIN big ON big.a = few.a WHERE few.a = 7 AND big.b = few.b;
-- a condition that does not narrow is no reason to look up
EXPLAIN (COSTS OFF) SELECT big.n FROM few JOIN big ON big.b = few.b;
SELECT count(*) FROM few JOIN big ON big.b = few.b;
EXPLAIN (COSTS OFF) SELECT big.n FROM few JOIN big ON big.n = few.n;
SELECT count(*) FROM few JOIN big ON big.n = few.n;
-- many rows: the table is read once
CREATE TABLE many AS SELECT g AS a, 'k1'::text COLLATE "C" AS b FROM generate_series(1, 50000) g;
ANALYZE many;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many JOIN big USING (a, b);
SELECT count(*) FROM many JOIN big USING (a, b);

-- subqueries and outer references
SELECT (SELECT n FROM big WHERE big.a = few.a AND big.b = few.b) FROM few ORDER BY few.n;
SELECT n FROM big WHERE a = (SELECT max(a) FROM few WHERE n < 100 AND a < 100) AND b < 'k2' ORDER BY b;
SELECT array_agg(n ORDER BY n) FROM big WHERE a IN (SELECT a FROM few) AND b = 'k1';

-- after a concurrent change the row is checked again with its own conditions
BEGIN;
SELECT few.n, big.n FROM few JOIN big USING (a, b) WHERE few.n = 53 FOR UPDATE OF few;
ROLLBACK;
UPDATE few SET n = big.n FROM big WHERE big.a = few.a AND big.b = few.b;
SELECT n FROM few ORDER BY n;
