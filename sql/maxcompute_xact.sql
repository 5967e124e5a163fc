-- Remote effects belong to the SQL transaction: commit, rollback, savepoints,
-- overwrite, TRUNCATE, DELETE of partitions, failures while publishing.
\i sql/setup.psql
\! emu '{"service":"maxcompute","op":"set","rates":false}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table x_plain (id bigint)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table x_part (id bigint) partitioned by (p string)"}' >/dev/null
CREATE FOREIGN TABLE x_plain (id bigint) SERVER odps;
CREATE FOREIGN TABLE x_part (id bigint, p text) SERVER odps;

-- commit publishes, rollback does not, errors do not
BEGIN;
INSERT INTO x_plain VALUES (1);
INSERT INTO x_plain VALUES (2);
COMMIT;
BEGIN;
INSERT INTO x_plain VALUES (3);
ROLLBACK;
INSERT INTO x_plain SELECT 10 / (3 - g) FROM generate_series(1, 5) g;
BEGIN;
INSERT INTO x_plain VALUES (4);
SELECT 1 / 0;
COMMIT;
SELECT array_agg(id ORDER BY id) FROM x_plain;

-- not readable after a change, except by the statement itself
BEGIN;
INSERT INTO x_plain SELECT id + 10 FROM x_plain;
SELECT * FROM x_plain;
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO x_plain VALUES (5);
ROLLBACK TO s;
SELECT array_agg(id ORDER BY id) FROM x_plain;
COMMIT;
BEGIN;
TRUNCATE x_plain;
SELECT * FROM x_plain;
ROLLBACK;

-- savepoints
BEGIN;
INSERT INTO x_plain VALUES (20);
SAVEPOINT a;
INSERT INTO x_plain VALUES (21);
SAVEPOINT b;
INSERT INTO x_plain VALUES (22);
RELEASE b;
INSERT INTO x_plain VALUES (23);
ROLLBACK TO a;
INSERT INTO x_plain VALUES (24);
SAVEPOINT c;
INSERT INTO x_plain VALUES (25);
RELEASE c;
INSERT INTO x_plain VALUES (26);
COMMIT;
DO $$
BEGIN
	FOR i IN 30 .. 34 LOOP
		BEGIN
			INSERT INTO x_plain VALUES (i);
			IF i % 2 = 1 THEN
				RAISE EXCEPTION 'odd';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
END $$;
-- a statement that fails with requests in flight, caught
DO $$
BEGIN
	BEGIN
		INSERT INTO x_plain SELECT g / (2000 - g) FROM generate_series(1, 3000) g;
	EXCEPTION WHEN division_by_zero THEN
		INSERT INTO x_plain VALUES (40);
	END;
END $$;
SELECT array_agg(id ORDER BY id) FROM x_plain;

-- what COMMIT will publish
BEGIN;
INSERT INTO x_part VALUES (1, 'u'), (2, 'u'), (3, 'v');
SAVEPOINT s;
INSERT INTO x_plain VALUES (50);
ROLLBACK TO s;
SELECT relation, part, write_mode, upload_id IS NOT NULL AS has_id, blocks, rows, state FROM mc.uploads();
ROLLBACK;
SELECT count(*) FROM mc.uploads();

-- every combination against a local table: same rows, or a refusal
CREATE TABLE x_local (id bigint, p text);
CREATE FUNCTION play(steps text[], OUT refused bool) LANGUAGE plpgsql AS $$
BEGIN
	refused := false;
	FOR i IN 1 .. array_length(steps, 1) LOOP
		EXECUTE steps[i];
	END LOOP;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	refused := true;
END $$;
ALTER FOREIGN TABLE x_part OPTIONS (ADD truncatable 'true');
CREATE PROCEDURE try(VARIADIC steps text[]) LANGUAGE plpgsql AS $$
DECLARE
	refused bool;
	difference bigint;
BEGIN
	TRUNCATE x_part;
	INSERT INTO x_part VALUES (1, 'a'), (2, 'b');
	COMMIT;
	TRUNCATE x_local;
	INSERT INTO x_local VALUES (1, 'a'), (2, 'b');
	SELECT p.refused INTO refused FROM play((SELECT array_agg(replace(s, '@', 'x_part') ORDER BY n) FROM unnest(steps) WITH ORDINALITY u(s, n))) p;
	COMMIT;
	IF NOT refused THEN
		PERFORM play((SELECT array_agg(replace(s, '@', 'x_local') ORDER BY n) FROM unnest(steps) WITH ORDINALITY u(s, n)));
		COMMIT;
	END IF;
	SELECT count(*) INTO difference FROM (SELECT * FROM x_part) r FULL JOIN x_local l USING (id, p) WHERE r IS NULL OR l IS NULL;
	RAISE NOTICE '%: %', CASE WHEN refused THEN 'refused' WHEN difference = 0 THEN 'equal' ELSE 'DIFFERENT' END, steps;
END $$;
\set VERBOSITY terse
CALL try('INSERT INTO @ VALUES (3, ''a'')');
CALL try('TRUNCATE @');
CALL try('TRUNCATE @', 'INSERT INTO @ VALUES (3, ''a'')');
CALL try('INSERT INTO @ VALUES (3, ''a'')', 'TRUNCATE @');
CALL try('INSERT INTO @ VALUES (3, ''a'')', 'TRUNCATE @', 'INSERT INTO @ VALUES (4, ''b'')', 'INSERT INTO @ VALUES (5, ''b'')');
CALL try('DELETE FROM @ WHERE p = ''a''');
CALL try('DELETE FROM @ WHERE p = ''a''', 'INSERT INTO @ VALUES (3, ''a'')');
CALL try('INSERT INTO @ VALUES (3, ''a'')', 'DELETE FROM @ WHERE p IN (''a'', ''b'')', 'INSERT INTO @ VALUES (4, ''a'')');
CALL try('DO $d$ BEGIN INSERT INTO @ VALUES (3, ''a''); TRUNCATE @; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''b'')');
CALL try('TRUNCATE @', 'DO $d$ BEGIN INSERT INTO @ VALUES (3, ''a''); EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''a'')');
CALL try('DO $d$ BEGIN TRUNCATE @; INSERT INTO @ VALUES (3, ''a''); EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''a''), (5, ''b'')');
CALL try('INSERT INTO @ VALUES (3, ''a'')', 'DO $d$ BEGIN DELETE FROM @ WHERE p = ''a''; INSERT INTO @ VALUES (4, ''a''); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $d$');
CALL try('DELETE FROM @ WHERE p = ''a''', 'DO $d$ BEGIN INSERT INTO @ VALUES (3, ''a''); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''a'')');
\set VERBOSITY default

-- overwrite replaces the partitions that got rows, and only those
SET mc_fdw.write_mode = 'overwrite';
INSERT INTO x_part VALUES (100, 'a'), (101, 'a');
INSERT INTO x_part SELECT 1, 'b' WHERE false;
RESET mc_fdw.write_mode;
SELECT * FROM x_part ORDER BY id;
-- two statements of one transaction make one new content
BEGIN;
SET LOCAL mc_fdw.write_mode = 'overwrite';
INSERT INTO x_part VALUES (110, 'a');
INSERT INTO x_part VALUES (111, 'a');
COMMIT;
SELECT * FROM x_part WHERE p = 'a' ORDER BY id;
-- but not two subtransactions
BEGIN;
SET LOCAL mc_fdw.write_mode = 'overwrite';
INSERT INTO x_part VALUES (120, 'a');
SAVEPOINT s;
INSERT INTO x_part VALUES (121, 'a');
ROLLBACK;
-- nor through another foreign table of the same remote one
CREATE FOREIGN TABLE x_alias (id bigint) SERVER odps OPTIONS (table 'x_part', partition 'p=a', write_mode 'overwrite');
BEGIN;
INSERT INTO x_alias VALUES (130);
SAVEPOINT s;
SET LOCAL mc_fdw.write_mode = 'overwrite';
INSERT INTO x_part VALUES (131, 'a');
ROLLBACK;

-- whose name may be spelled in another way
CREATE FOREIGN TABLE x_upper (id bigint) SERVER odps OPTIONS (table 'X_PLAIN', write_mode 'overwrite');
BEGIN;
INSERT INTO x_upper VALUES (1);
SET LOCAL mc_fdw.write_mode = 'overwrite';
INSERT INTO x_plain VALUES (2);
ROLLBACK;

-- nor the endpoint and the project
SELECT 'HTTP://127.0.0.1:' || :'maxcompute_port' || '/api/' AS other_endpoint \gset
CREATE SERVER x_server FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'other_endpoint', project 'DEMO');
CREATE USER MAPPING FOR CURRENT_USER SERVER x_server OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE FOREIGN TABLE x_other (id bigint) SERVER x_server OPTIONS (table 'x_plain', write_mode 'overwrite');
BEGIN;
INSERT INTO x_other VALUES (1);
SET LOCAL mc_fdw.write_mode = 'overwrite';
INSERT INTO x_plain VALUES (2);
ROLLBACK;
BEGIN;
INSERT INTO x_plain VALUES (3);
SELECT * FROM x_other;
ROLLBACK;

-- TRUNCATE: scope and guard
ALTER FOREIGN TABLE x_part OPTIONS (DROP truncatable);
TRUNCATE x_part;
TRUNCATE x_alias;
SELECT * FROM x_part ORDER BY id;
INSERT INTO x_alias VALUES (140);
ALTER FOREIGN TABLE x_plain OPTIONS (ADD truncatable 'false');
TRUNCATE x_plain;
ALTER FOREIGN TABLE x_plain OPTIONS (DROP truncatable);
BEGIN;
TRUNCATE x_plain;
INSERT INTO x_plain VALUES (1), (2);
COMMIT;
SELECT array_agg(id ORDER BY id) FROM x_plain;
TRUNCATE x_plain;
SELECT count(*) FROM x_plain;

-- DELETE: whole partitions only
INSERT INTO x_part SELECT g, '2024010' || g FROM generate_series(1, 5) g;
EXPLAIN (COSTS OFF) DELETE FROM x_part WHERE p LIKE '2024%' AND p < '20240103';
DELETE FROM x_part WHERE p LIKE '2024%' AND p < '20240103';
PREPARE del(text) AS DELETE FROM x_part WHERE p = $1;
EXECUTE del('20240104');
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) DELETE FROM x_part WHERE p = 'nowhere';
SELECT * FROM x_part ORDER BY id;
BEGIN;
DELETE FROM x_part WHERE p >= '2024';
ROLLBACK;
SELECT count(*) FROM x_part;
DELETE FROM x_part;
DELETE FROM x_part WHERE id = 1;
DELETE FROM x_part WHERE p = '20240103' AND id > 0;
DELETE FROM x_part WHERE p = '20240103' RETURNING p;
DELETE FROM x_part USING x_local WHERE x_part.p = x_local.p;
DELETE FROM x_part WHERE p = (SELECT max(p) || random() FROM x_local);
DELETE FROM x_part WHERE p = random()::text;
DELETE FROM x_part WHERE false;
DELETE FROM x_plain WHERE id = 1;
WITH d AS (DELETE FROM x_part WHERE p = '20240103') INSERT INTO x_part VALUES (1, '20240103');

-- a partition that others made is dropped by its whole value
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table x_foreign (id bigint) partitioned by (p string, q string)"}' >/dev/null
\! emu "{\"service\":\"maxcompute\",\"op\":\"sql\",\"project\":\"demo\",\"sql\":\"alter table x_foreign add partition (p='a,q=b', q='c,d') partition (p='a', q='b') partition (p='x', q='y')\"}" >/dev/null
CREATE FOREIGN TABLE x_foreign (id bigint, p text, q text) SERVER odps OPTIONS (truncatable 'true');
INSERT INTO x_foreign VALUES (1, 'a', 'b');
DELETE FROM x_foreign WHERE q = 'c,d';
SELECT * FROM x_foreign;
\! emu '{"service":"maxcompute","op":"checksum","project":"demo","table":"x_foreign"}' | grep -o '"spec":"[^"]*"'
TRUNCATE x_foreign;
\! emu '{"service":"maxcompute","op":"checksum","project":"demo","table":"x_foreign"}' | grep -o '"spec":"[^"]*"'

-- what cannot be transactional is refused
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO x_plain VALUES (1);
ROLLBACK;
BEGIN;
INSERT INTO x_plain VALUES (1);
PREPARE TRANSACTION 'never';
BEGIN READ ONLY;
INSERT INTO x_plain VALUES (1);
ROLLBACK;

-- a check fails while others are under way: an ordinary error, the session goes on
\! emu faults '[{"api":"GetUpload","action":"status","http":404,"code":"NoSuchUpload","nth":3}]' >/dev/null
\set VERBOSITY sqlstate
INSERT INTO x_foreign SELECT g, 'p' || g, 'q' FROM generate_series(1, 20) g;
\set VERBOSITY default
\! emu faults '[]' >/dev/null
SELECT count(*) FROM x_foreign;

-- a garbled tunnel address is not remembered
\c
\! emu faults '[{"api":"GetTunnel","action":"corrupt_body"}]' >/dev/null
\set VERBOSITY sqlstate
INSERT INTO x_plain VALUES (1);
\set VERBOSITY default
\! emu faults '[]' >/dev/null
BEGIN;
INSERT INTO x_plain VALUES (1);
ROLLBACK;
SET TimeZone = 'Asia/Shanghai';

-- publishing: the state is read before a commit is repeated
CREATE TABLE x_note (t text);
\! emu faults '[{"api":"CommitUpload","action":"status","http":503,"nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (200);
\! emu faults '[{"api":"CommitUpload","action":"status_after","http":503,"nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (201);
\! emu faults '[{"api":"CommitUpload","action":"reset_after","nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (202);
\! emu faults '[{"api":"CommitUpload","action":"reset_before","nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (203);
\! emu faults '[{"api":"WriteBlock","action":"status_after","http":500,"nth":1},{"api":"CreateUpload","action":"reset_after","nth":1},{"api":"GetUpload","action":"status","http":502,"nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (204);
\! emu faults '[]' >/dev/null
SELECT array_agg(id ORDER BY id) FROM x_plain;
-- refused with nothing published: an ordinary error, both sides as before
\! emu faults '[{"api":"CommitUpload","action":"status","http":403,"code":"NoPermission"}]' >/dev/null
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO x_note VALUES ('never');
INSERT INTO x_plain VALUES (205);
COMMIT;
-- the second of two is refused: 40003
\! emu faults '[{"api":"CommitUpload","action":"status","http":403,"code":"NoPermission","after":1}]' >/dev/null
BEGIN;
INSERT INTO x_note VALUES ('never');
INSERT INTO x_part VALUES (206, 'first'), (207, 'second');
COMMIT;
-- no answer at all: the state says that it was published
\! emu faults '[{"api":"CommitUpload","action":"stall_after"}]' >/dev/null
SET mc_fdw.publish_timeout = '1s';
SET mc_fdw.stall_timeout = '500ms';
INSERT INTO x_plain VALUES (208);
RESET mc_fdw.stall_timeout;
-- nor about the state: unknown
\! emu faults '[{"api":"CommitUpload","action":"status_after","http":503},{"api":"GetUpload","action":"status","http":503,"after":1}]' >/dev/null
BEGIN;
INSERT INTO x_note VALUES ('never');
INSERT INTO x_plain VALUES (210);
COMMIT;
RESET mc_fdw.publish_timeout;
-- the service takes its time; it cancels an append, an overwrite
\! emu faults '[{"api":"CommitUpload","action":"stuck_closing","ms":300,"nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (211);
\! emu faults '[{"api":"CommitUpload","action":"critical","nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (212);
\! emu faults '[{"api":"CommitUpload","action":"critical","nth":1}]' >/dev/null
SET mc_fdw.write_mode = 'overwrite';
INSERT INTO x_plain VALUES (213);
RESET mc_fdw.write_mode;
-- the session is gone before anything was sent; the drop fails after the upload
\! emu faults '[{"api":"GetUpload","action":"status","http":404,"code":"NoSuchUpload","nth":1}]' >/dev/null
INSERT INTO x_plain VALUES (214);
\! emu faults '[{"api":"CreateInstance","action":"status","http":403,"code":"NoPermission"}]' >/dev/null
BEGIN;
DELETE FROM x_part WHERE p = '20240105';
INSERT INTO x_part VALUES (215, 'third');
COMMIT;
-- nothing but the drop: refused, an ordinary error; executed and not answered, unknown
DELETE FROM x_part WHERE p = '20240105';
\! emu faults '[{"api":"CreateInstance","action":"status_after","http":500}]' >/dev/null
SET mc_fdw.max_retries = '1';
DELETE FROM x_part WHERE p = '20240103';
RESET mc_fdw.max_retries;
\! emu faults '[]' >/dev/null
\set VERBOSITY default
SELECT count(*) FROM x_note;
SELECT id FROM x_plain WHERE id >= 205 ORDER BY id;
SELECT * FROM x_part WHERE p IN ('first', 'second', 'third', '20240105');
-- the session goes on, and can be cancelled
SET statement_timeout = '200ms';
SELECT pg_sleep(5);
RESET statement_timeout;
INSERT INTO x_plain VALUES (209);
SELECT max(id) FROM x_plain;
