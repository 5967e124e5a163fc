\i sql/setup.psql
CREATE SERVER odps_scan FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'scan');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps_scan OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\! emu '{"service":"maxcompute","op":"create_project","project":"scan"}' >/dev/null
CREATE SCHEMA mc_scan;
SET search_path = mc_scan, public;
-- What a scan owes the executor: plans, own writes, keys, constraints.
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE p (id BIGINT, s STRING) PARTITIONED BY (dt STRING, hh BIGINT)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE u (id BIGINT, s STRING)"}' >/dev/null
CREATE FOREIGN TABLE p (id bigint, s text, dt text, hh bigint) SERVER odps_scan;
CREATE FOREIGN TABLE u (id bigint, s text) SERVER odps_scan;
CREATE FOREIGN TABLE u_alias (id bigint, s text) SERVER odps_scan OPTIONS ("table" 'U');
INSERT INTO p SELECT g, 'x' || g, (g % 3)::text, g % 2 FROM generate_series(1, 60) g;
INSERT INTO u SELECT g, 'x' || g FROM generate_series(1, 10) g;

-- a statement reads what was there before it; what earlier ones wrote cannot be read
BEGIN;
INSERT INTO u SELECT id + 100, s FROM u UNION ALL SELECT id + 200, s FROM u_alias;
COMMIT;
SELECT count(*), count(DISTINCT id) FROM u;
BEGIN;
INSERT INTO u VALUES (11, 'a');
SAVEPOINT a;
INSERT INTO u SELECT id + 1000, s FROM u;
ROLLBACK TO a;
SELECT count(*) FROM u_alias;
ROLLBACK;
BEGIN;
TRUNCATE u;
INSERT INTO u SELECT id + 1000, s FROM u;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM u;
INSERT INTO u VALUES (11, 'a');
FETCH c;
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO u VALUES (11, 'a');
ROLLBACK TO a;
SELECT count(*) FROM u;
COMMIT;

-- system columns and whole rows in conditions, joins of two scans, outer joins
SELECT count(*) FROM p WHERE tableoid = 'p'::regclass AND dt = '1';
DELETE FROM p WHERE tableoid = 'p'::regclass;
SELECT count(*) FROM p WHERE p IS NOT NULL AND dt = '1';
SELECT count(*) FROM p a JOIN p b USING (id, dt) WHERE b.hh = 1;
SELECT count(*) FROM u LEFT JOIN p ON u.id = p.id AND p.dt = '1' WHERE p.dt IS NULL;
SELECT count(*) FROM p LEFT JOIN u ON u.id = p.id AND p.dt = '1' WHERE u.id IS NULL;
SELECT count(*) FROM p WHERE (dt = '1' AND id = 4) OR (dt = '2' AND id = 5);
SELECT EXISTS (SELECT FROM p WHERE dt = '1'), EXISTS (SELECT FROM p WHERE dt = '9');
CREATE TABLE local AS SELECT id, s FROM u WHERE id <= 5;
BEGIN;
SELECT count(*) FROM (SELECT l.id FROM local l JOIN p ON l.id = p.id FOR UPDATE OF l) x;
UPDATE local SET s = p.dt FROM p WHERE p.id = local.id AND p.hh = 1;
SELECT id, s FROM local ORDER BY id;
COMMIT;
BEGIN;
DECLARE h SCROLL CURSOR WITH HOLD FOR SELECT id FROM u WHERE id <= 4 ORDER BY id;
FETCH 2 FROM h;
COMMIT;
FETCH BACKWARD 1 FROM h;
FETCH ALL FROM h;
CLOSE h;
CREATE FOREIGN TABLE none () SERVER odps_scan OPTIONS ("table" 'u');
SELECT count(*) FROM none;

-- a condition that fails while EXPLAIN counts partitions leaves nothing behind
CREATE FUNCTION boom(text) RETURNS text LANGUAGE plpgsql STABLE AS
	$$ BEGIN PERFORM 1; RAISE 'boom %', $1; END $$;
BEGIN;
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE dt = boom(hh::text);
SELECT count(*) FROM p WHERE dt = '1';
COMMIT;

-- domains: refused values are handled like all others
CREATE DOMAIN small AS int CHECK (VALUE < 5);
CREATE DOMAIN small_not_null AS int CHECK (VALUE < 5) NOT NULL;
CREATE FOREIGN TABLE u_domain (id small, s text) SERVER odps_scan OPTIONS ("table" 'u');
CREATE FOREIGN TABLE u_domain_not_null (id small_not_null, s text) SERVER odps_scan OPTIONS ("table" 'u');
SELECT count(id) FROM u_domain;
SET mc_fdw.on_error = 'reject';
SELECT count(*), count(id) FROM (SELECT id FROM u_domain) x;
SET mc_fdw.on_error = 'set_null';
SELECT count(*), count(id) FROM (SELECT id FROM u_domain OFFSET 0) x;
SELECT count(*), count(id) FROM (SELECT id FROM u_domain_not_null OFFSET 0) x;
RESET mc_fdw.on_error;

-- a cancel inside a constraint, an input function or EXPLAIN's look at the partitions leaves a usable session
CREATE FUNCTION slow(text) RETURNS bool LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
CREATE DOMAIN slow_text AS text CHECK (slow(VALUE));
CREATE TYPE slow_pair AS (a slow_text);
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE pair (s STRING)"}' >/dev/null
\! printf '%s\n' '["(a)"]' | odps-load scan pair
CREATE FOREIGN TABLE u_slow (s slow_text) SERVER odps_scan OPTIONS ("table" 'u');
CREATE FOREIGN TABLE pair (s slow_pair) SERVER odps_scan;
SET mc_fdw.on_error = 'reject';
SET statement_timeout = '200ms';
SELECT count(s) FROM u_slow;
SELECT 'alive';
SELECT count(s) FROM pair;
SELECT 'alive';
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE slow(dt);
SELECT 'alive';
RESET statement_timeout;
RESET mc_fdw.on_error;

-- strings that are times without a zone are of option timezone
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE z (s STRING)"}' >/dev/null
\! printf '%s\n' '["2024-01-01 00:00:00"]' | odps-load scan z
CREATE FOREIGN TABLE z (s timestamptz) SERVER odps_scan;
SELECT * FROM z;
ALTER FOREIGN TABLE z OPTIONS (timezone 'UTC');
SELECT * FROM z;

-- keys of other types, NULL keys
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE k (id BIGINT) PARTITIONED BY (d DATE, n INT, s STRING)"}' >/dev/null
\! for spec in 'd=2024-01-01,n=1,s=__HIVE_DEFAULT_PARTITION__' 'd=2024-01-02,n=-5,s=Ä ü+%&' 'd=0001-01-01,n=7,s=x'; do q=$(printf %s "$spec" | sed "s/=\([^,]*\)/='\1'/g"); emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"ALTER TABLE k ADD PARTITION ('"$q"')"}'; emu '{"service":"maxcompute","op":"generate","project":"scan","table":"k","rows":3,"partition":"'"$spec"'"}'; done >/dev/null
CREATE FOREIGN TABLE k (id bigint, d date, n int, s text) SERVER odps_scan;
SELECT d, n, s, count(*), count(id) FROM k GROUP BY 1, 2, 3 ORDER BY 1;
SELECT count(*) FROM k WHERE n < 0 AND d BETWEEN '2024-01-01' AND '2024-02-01' AND s LIKE 'Ä%';
CREATE FOREIGN TABLE k_not_null (id bigint, d date, n int, s text NOT NULL) SERVER odps_scan OPTIONS ("table" 'k');
SELECT count(id) FROM k_not_null;
SELECT count(s) FROM k_not_null WHERE n < 0;
SELECT count(s) FROM k_not_null;
SET mc_fdw.on_error = 'reject';
SELECT count(s), count(*) FROM k_not_null WHERE length(s) IS NULL OR length(s) > 0;
RESET mc_fdw.on_error;
-- one column shown twice
CREATE FOREIGN TABLE twice (a text OPTIONS (field 's'), b bytea OPTIONS (field 's'), c varchar(5) OPTIONS (field 's'), id bigint, id_text text OPTIONS (field 'id'))
	SERVER odps_scan OPTIONS ("table" 'u');
SELECT * FROM twice WHERE id = 1;
-- option partition
CREATE FOREIGN TABLE u_part (id bigint) SERVER odps_scan OPTIONS ("table" 'u', partition 'dt=1');
SELECT count(*) FROM u_part;
CREATE FOREIGN TABLE p_part (id bigint) SERVER odps_scan OPTIONS ("table" 'p', partition E'DT=\'1\'/hh="1"');
SELECT count(*) FROM p_part;
ALTER FOREIGN TABLE p_part OPTIONS (SET partition 'garbage');
SELECT count(*) FROM p_part;

-- names
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE names (`'$(printf 'a%.0s' $(seq 100))'` BIGINT, `Order` STRING, `select` STRING)"}' >/dev/null
IMPORT FOREIGN SCHEMA scan LIMIT TO (names) FROM SERVER odps_scan INTO mc_scan;
\d names
INSERT INTO names VALUES (1, 'o', 'd');
SELECT * FROM names;
\! emu '{"service":"maxcompute","op":"sql","project":"scan","sql":"CREATE TABLE thousand ('"$(seq -s, -f 'c%04g STRING' 1000)"')"}' >/dev/null
IMPORT FOREIGN SCHEMA scan LIMIT TO (thousand) FROM SERVER odps_scan INTO mc_scan;
INSERT INTO thousand (c0001, c1000) VALUES ('a', 'b');
SELECT c0001, c1000, c0500 IS NULL AS empty, thousand::text = '(a' || repeat(',', 999) || 'b)' AS whole FROM thousand;
