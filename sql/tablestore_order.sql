-- Key order without a sort, LIMIT.
\i sql/setup.psql
CREATE SCHEMA ots_order;
SET search_path = ots_order, public;
\! emu '{"service":"tablestore","op":"create_table","table":"q_ordered","keys":[{"name":"a","type":"INTEGER"},{"name":"b","type":"STRING"},{"name":"c","type":"BINARY"}]}' >/dev/null
\pset format unaligned
\pset tuples_only on
SELECT json_build_object('service', 'tablestore', 'op', 'put', 'table', 'q_ordered', 'rows', json_agg(json_build_object(
	'key', json_build_array(g % 5, chr(97 + g % 7), json_build_object('bytes', lpad(to_hex(g), 2, '0'))), 'columns', json_build_object('n', g))))
	FROM generate_series(0, 199) g \g |emu @- >/dev/null
\pset format aligned
\pset tuples_only off
CREATE FOREIGN TABLE ordered (a int OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "C" NOT NULL, c bytea OPTIONS (key '3') NOT NULL,
	n int) SERVER ots OPTIONS (table 'q_ordered');
CREATE FUNCTION shape(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT a, b, n FROM ordered ' || q LOOP
		IF line ~ 'Sort|Key Order|Presorted|Limit|Key Range|Keys' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;

-- forward, backward, a leading part, NULLS FIRST and LAST do not matter
SELECT shape('ORDER BY a');
SELECT shape('ORDER BY a, b, c');
SELECT shape('ORDER BY a DESC, b DESC');
SELECT shape('ORDER BY a DESC NULLS LAST');
SELECT shape('ORDER BY a NULLS FIRST, b NULLS FIRST');
-- not the key's order
SELECT shape('ORDER BY b');
SELECT shape('ORDER BY a, b DESC');
SELECT shape('ORDER BY a, c');
SELECT shape('ORDER BY a, n');
SELECT shape('ORDER BY a, b COLLATE "en-x-icu"');
SELECT shape('ORDER BY -a');
-- behind columns with one value
SELECT shape('WHERE a = 3 ORDER BY b DESC, c DESC');
SELECT shape('WHERE a = 3 AND b = ''c'' ORDER BY c');
SELECT shape('WHERE b = ''c'' ORDER BY a, c');
SELECT shape('WHERE a = 3 ORDER BY b, a DESC, c');
SELECT shape('WHERE a IN (3, 1) ORDER BY a, b');
SELECT shape('WHERE a IN (3, 1) ORDER BY b');
-- LIMIT, if nothing is checked here
SELECT shape('LIMIT 5');
SELECT shape('ORDER BY a DESC, b DESC LIMIT 5 OFFSET 3');
SELECT shape('WHERE a = 3 ORDER BY b LIMIT 1');
SELECT shape('ORDER BY n LIMIT 5');
SELECT shape('WHERE n > 3 LIMIT 5');
SELECT shape('ORDER BY a FETCH FIRST 2 ROWS WITH TIES');
SELECT shape('LIMIT (SELECT 5)');
SELECT shape('LIMIT ALL');
SELECT shape('GROUP BY a, b, n LIMIT 5');
SELECT shape('LIMIT 5 FOR UPDATE');

-- the answers
SELECT n FROM ordered ORDER BY a, b, c LIMIT 5;
SELECT n FROM ordered ORDER BY a DESC, b DESC, c DESC LIMIT 5 OFFSET 2;
SELECT n FROM ordered WHERE a = 3 AND b < 'c' ORDER BY b DESC, c DESC LIMIT 4;
SELECT n FROM ordered WHERE a IN (4, 0) AND b IN ('g', 'a') ORDER BY a DESC, b DESC, c DESC LIMIT 8;
SELECT n FROM ordered WHERE (a, b, c) < (1, 'a', '\x32') ORDER BY a DESC, b DESC, c DESC LIMIT 3;
SELECT n FROM ordered WHERE a = 2 AND b = 'c' AND c <= '\x4f' ORDER BY c DESC;
SELECT n FROM ordered WHERE a = 2 AND b = 'c' AND c > '\x02' AND c < '\x4f' ORDER BY c DESC;
SELECT min(a), max(a), max(b) FILTER (WHERE a = 1) FROM ordered;
EXPLAIN (COSTS OFF) SELECT min(a), max(a) FROM ordered;
SELECT min(a), max(a) FROM ordered;
-- grouping in key order
SELECT a, row_number() OVER (ORDER BY a DESC, b DESC, c DESC) FROM ordered LIMIT 3;
SELECT DISTINCT ON (a) a, b, n FROM ordered ORDER BY a, b, c;

-- a key that may not be in byte order is sorted here
CREATE FOREIGN TABLE icu_ordered (a int OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "en-x-icu" NOT NULL, c bytea OPTIONS (key '3') NOT NULL)
	SERVER ots OPTIONS (table 'q_ordered');
EXPLAIN (COSTS OFF) SELECT a, b FROM icu_ordered WHERE a = 3 ORDER BY a, b;
EXPLAIN (COSTS OFF) SELECT a, c FROM icu_ordered WHERE a = 3 AND b = 'd' ORDER BY a, c;

-- merge joins read both sides in key order
SET enable_hashjoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM ordered x JOIN ordered y ON x.a = y.a AND x.b = y.b AND x.c = y.c;
SELECT count(*), sum(x.n + y.n) FROM ordered x JOIN ordered y ON x.a = y.a AND x.b = y.b AND x.c = y.c;
RESET enable_hashjoin;
RESET enable_nestloop;

-- children of a partitioned table keep their order
CREATE TABLE parts (a int NOT NULL, b text COLLATE "C" NOT NULL, c bytea NOT NULL, n int) PARTITION BY RANGE (a);
CREATE TABLE part_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
CREATE FOREIGN TABLE part_low (a int OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "C" NOT NULL,
	c bytea OPTIONS (key '3') NOT NULL, n int) SERVER ots OPTIONS (table 'q_ordered');
ALTER TABLE parts ATTACH PARTITION part_low FOR VALUES FROM (0) TO (100);
INSERT INTO part_high VALUES (100, 'z', '\x00', 1000);
CREATE INDEX ON part_high (a, b);
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT n FROM parts WHERE a >= 4 ORDER BY a DESC, b DESC LIMIT 3;
SELECT a, b FROM parts WHERE a >= 4 ORDER BY a DESC, b DESC LIMIT 3;
RESET enable_sort;
DROP TABLE parts;
