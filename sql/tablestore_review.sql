-- Conditions that depend on one another, security policies, keys that do not convert.
\i sql/setup.psql
CREATE SCHEMA ots_review;
SET search_path = ots_review, public;
\! emu '{"service":"tablestore","op":"create_table","table":"v_keys","keys":[{"name":"a","type":"INTEGER"},{"name":"b","type":"INTEGER"},{"name":"c","type":"STRING"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"v_keys","rows":[{"key":[1,5,"x"],"columns":{"n":1}},{"key":[1,5,"y"],"columns":{"n":2}},{"key":[2,5,"x"],"columns":{"n":3}},{"key":[2,5,"y"],"columns":{"n":4}},{"key":[2,6,"y"],"columns":{"n":5}},{"key":[3000000000,6,"y"],"columns":{"n":6}},{"key":[-3000000000,6,"y"],"columns":{"n":7}}]}' >/dev/null
CREATE FOREIGN TABLE keys (a bigint OPTIONS (key '1') NOT NULL, b bigint OPTIONS (key '2') NOT NULL,
	c text OPTIONS (key '3') COLLATE "C" NOT NULL, n int) SERVER ots OPTIONS (table 'v_keys');

-- an OR that reaches its last columns only with the help of another condition
SELECT n FROM keys WHERE b = 5 AND ((a = 1 AND c = 'x') OR (a = 2 AND c = 'y')) ORDER BY n;
EXPLAIN (COSTS OFF) SELECT n FROM keys WHERE b = 5 AND ((a = 1 AND c = 'x') OR (a = 2 AND c = 'y'));
SELECT n FROM keys WHERE b = ANY ('{5,7}') AND ((a = 1 AND c > 'x') OR (a = 2 AND c <= 'x')) ORDER BY n;
EXPLAIN (COSTS OFF) SELECT n FROM keys WHERE b > 5 AND ((a = 1 AND c = 'x') OR (a = 2 AND c = 'y'));
SELECT n FROM keys WHERE b > 5 AND ((a = 1 AND c = 'x') OR (a = 2 AND c = 'y')) ORDER BY n;
-- of no use to the OR
EXPLAIN (COSTS OFF) SELECT n FROM keys WHERE b = 5 AND (a > 2 OR a < 0);
EXPLAIN (COSTS OFF) SELECT n FROM keys WHERE c = 'x' AND ((a = 1 AND b > 5) OR a = 2);

-- a key that does not convert takes its row along: no condition on it holds, no order has a place for it
CREATE FOREIGN TABLE small (a int OPTIONS (key '1'), b bigint OPTIONS (key '2'), c text OPTIONS (key '3') COLLATE "C", n int)
	SERVER ots OPTIONS (table 'v_keys', on_error 'set_null');
SELECT a, n FROM small ORDER BY a, b, c;
SELECT a, n FROM small WHERE a IS NULL;
SELECT count(*) FROM small WHERE a > 2999999999;

-- a security policy's condition comes before a function that may leak the row, whatever they cost
CREATE FUNCTION leak(int) RETURNS bool COST 0.0001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
CREATE TABLE parent (a bigint, b bigint, c text COLLATE "C", n int) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES FROM (MINVALUE) TO (MAXVALUE) SERVER ots OPTIONS (table 'v_keys');
ALTER FOREIGN TABLE part ALTER a OPTIONS (key '1'), ALTER b OPTIONS (key '2'), ALTER c OPTIONS (key '3');
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY fives ON parent USING (b = 6);
CREATE ROLE ots_reader;
GRANT USAGE ON SCHEMA ots_review TO ots_reader;
GRANT SELECT ON parent TO ots_reader;
\set ECHO none
SELECT format('CREATE USER MAPPING FOR ots_reader SERVER ots OPTIONS (access_key_id %L, access_key_secret %L)', :'key_id', :'key_secret') \gexec
\set ECHO all
SET ROLE ots_reader;
EXPLAIN (COSTS OFF) SELECT n FROM parent WHERE leak(n);
SELECT n FROM parent WHERE leak(n) ORDER BY n;
RESET ROLE;
DROP POLICY fives ON parent;
CREATE POLICY beginnings ON parent USING (c LIKE 'y%y');
SET ROLE ots_reader;
EXPLAIN (COSTS OFF) SELECT n FROM parent WHERE leak(n) AND a = 2 AND b = 5;
SELECT n FROM parent WHERE leak(n) AND a = 2 AND b = 5;
RESET ROLE;

SET client_min_messages = warning;
DROP USER MAPPING FOR ots_reader SERVER ots;
DROP SCHEMA ots_review CASCADE;
DROP ROLE ots_reader;
