-- Reading a table: columns, sparse rows, pages, splits, rescans, '*', unknown columns.
\i sql/setup.psql
CREATE SCHEMA ts_scan;
SET search_path = ts_scan, public;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"scan","keys":[{"name":"part","type":"STRING"},{"name":"n","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"generate","table":"scan","rows":20000,"seed":7,"fan":1000,"columns":[{"name":"c","kind":"text","size":40},{"name":"i","kind":"seq"},{"name":"rare","kind":"int","present":1}]}' >/dev/null
CREATE FOREIGN TABLE scan (part text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, c text, i bigint, rare bigint)
  SERVER ots;
SELECT count(*), sum(n), sum(i), count(rare) > 0 AS some_rare, count(rare) < 1000 AS rare_is_rare, count(DISTINCT c), min(length(c)) FROM scan;
-- rows that have none of the columns appear
SELECT count(*) FROM (SELECT rare FROM scan OFFSET 0) s WHERE rare IS NULL OR rare IS NOT NULL;
SELECT count(*) FROM scan;

-- the same rows, however they come
CREATE FUNCTION same() RETURNS text LANGUAGE sql AS
$$ SELECT count(*) || ' ' || md5(string_agg(part || n || c || i || coalesce(rare::text, '-'), ',' ORDER BY n)) FROM scan $$;
SELECT same() AS expected \gset
\! emu '{"service":"tablestore","op":"set","split_mib":100000}' >/dev/null
SET mc_fdw.split_size = '1MB';
SELECT count(*) > 5 AS many_splits FROM mc.splits('scan');
SELECT same() = :'expected' AS split;
SET mc_fdw.concurrency = 1;
SELECT same() = :'expected' AS one_by_one;
RESET mc_fdw.concurrency;
SET mc_fdw.split_size = '0';
SELECT count(*) FROM mc.splits('scan');
SELECT same() = :'expected' AS not_split;
RESET mc_fdw.split_size;
\! emu '{"service":"tablestore","op":"set","split_mib":1048576}' >/dev/null
\! emu '{"service":"tablestore","op":"set","page_rows":7}' >/dev/null
SELECT same() = :'expected' AS small_pages;
\! emu '{"service":"tablestore","op":"set","page_rows":5000}' >/dev/null
ALTER FOREIGN TABLE scan OPTIONS (ADD verify_content 'true', ADD shape 'row', ADD unknown_columns 'error');
SELECT same() = :'expected' AS verified;

-- rescans, parameters, correlated subqueries
SELECT x, (SELECT count(*) FROM scan WHERE part = lpad(x::text, 12, '0')) FROM generate_series(0, 3) x;
SELECT x, s.n, s.i FROM (VALUES (5), (7005), (99999)) v(x) LEFT JOIN scan s ON s.part = lpad((x / 1000)::text, 12, '0') AND s.n = x ORDER BY x;
PREPARE one(text, bigint) AS SELECT n, i FROM scan WHERE part = $1 AND n = $2;
EXECUTE one('000000000003', 3004);
EXECUTE one('000000000003', 4004);
SELECT count(*) FROM scan a JOIN scan b USING (part, n);
BEGIN;
DECLARE k CURSOR FOR SELECT n FROM scan WHERE part = '000000000002' ORDER BY part, n;
FETCH 2 FROM k;
FETCH 2 FROM k;
CLOSE k;
COMMIT;
SELECT n FROM scan WHERE part = '000000000001' ORDER BY part, n LIMIT 3;
SELECT tableoid::regclass, n FROM scan WHERE part = '000000000001' AND n = 1001;
SELECT s IS NULL AS whole_row_is_null, (s).i FROM scan s WHERE part = '000000000001' AND n = 1001;

-- below an Append the scans run side by side
CREATE TABLE parts (part text COLLATE "C" NOT NULL, n bigint NOT NULL, i bigint) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100000) SERVER ots OPTIONS (table 'scan');
ALTER FOREIGN TABLE parts_1 ALTER part OPTIONS (key '1'), ALTER n OPTIONS (key '2');
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"scan2","keys":[{"name":"part","type":"STRING"},{"name":"n","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"generate","table":"scan2","rows":3000,"seed":7,"first":100000,"fan":1000,"columns":[{"name":"i","kind":"seq"}]}' >/dev/null
CREATE FOREIGN TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100000) TO (200000) SERVER ots OPTIONS (table 'scan2');
ALTER FOREIGN TABLE parts_2 ALTER part OPTIONS (key '1'), ALTER n OPTIONS (key '2');
EXPLAIN (COSTS OFF) SELECT n, i FROM parts WHERE i >= 0;
SELECT count(*), sum(i) FROM parts WHERE i >= 0;
SELECT count(*) FROM (SELECT n FROM parts_1 UNION ALL SELECT n FROM parts_2 UNION ALL SELECT n FROM scan WHERE false) u;
-- one of them ends early, one is not begun
SELECT count(*) FROM (SELECT n FROM parts LIMIT 20001) u;
SET enable_async_append = off;
SELECT count(*), sum(i) FROM parts WHERE i >= 0;
RESET enable_async_append;

-- '*', __version__ and unknown columns
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"wide","deviation":4000000000,"keys":[{"name":"id","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"wide","rows":[{"key":[1],"columns":{"a":[{"value":1,"ts":1700000000123}],"b":[{"value":"x","ts":1700000000456}],"c d":[{"value":2.5,"ts":1700000000001}]}},{"key":[2],"columns":{}},{"key":[3],"columns":{"a":[{"value":3,"ts":1700000000000}]}}]}'
CREATE FOREIGN TABLE wide (id bigint OPTIONS (key '1') NOT NULL, a bigint, v bigint OPTIONS (field '__version__'), rest jsonb OPTIONS (field '*')) SERVER ots;
SELECT * FROM wide ORDER BY id;
SELECT v FROM wide ORDER BY id;
SELECT id, rest FROM wide WHERE rest ? 'b';
SET TimeZone = 'UTC';
ALTER FOREIGN TABLE wide ALTER v TYPE timestamptz;
SELECT id, v FROM wide ORDER BY id;
-- with '*' nothing is unknown, without it the column is named
ALTER FOREIGN TABLE wide OPTIONS (ADD unknown_columns 'error');
SELECT count(rest) FROM wide;
ALTER FOREIGN TABLE wide DROP COLUMN rest;
SELECT id FROM wide WHERE id > 1 ORDER BY id;
SELECT id FROM wide;
ALTER FOREIGN TABLE wide ADD b text, ADD cd double precision OPTIONS (field 'c d');
SELECT id, v FROM wide ORDER BY id;
ALTER FOREIGN TABLE wide OPTIONS (SET unknown_columns 'ignore');
-- more columns than a request may name
SELECT format('CREATE FOREIGN TABLE many (id bigint OPTIONS (key ''1'') NOT NULL, a bigint, %s) SERVER ots OPTIONS (table ''wide'')',
  string_agg('c' || n || ' text', ', ' ORDER BY n)) FROM generate_series(1, 200) n \gexec
SELECT id, a, m.c1, m.c200, m IS NULL AS is_null FROM many m ORDER BY id;
