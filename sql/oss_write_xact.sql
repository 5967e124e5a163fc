-- Objects belong to the SQL transaction: commit, rollback, savepoints, overwrite,
-- TRUNCATE, several tables and services, failures while publishing.
\i sql/setup.psql
\getenv oss_port MC_OSS_PORT
\getenv key_id MC_KEY_ID
\getenv key_secret MC_KEY_SECRET
\set ECHO none
SELECT 'http://127.0.0.1:' || :'oss_port' AS oss_endpoint \gset
\! emu '{"service":"oss","op":"create_bucket","bucket":"xact-lake"}' >/dev/null
CREATE SERVER oss_xact FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'xact-lake', url_style 'path', region 'cn-hangzhou', missing_ok 'true', part_size '100kB');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss_xact OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\! emu '{"service":"maxcompute","op":"set","rates":false}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table o_odps (id bigint)"}' >/dev/null
\set ECHO all
CREATE FOREIGN TABLE ox_all (id int, p text OPTIONS (partition 'p')) SERVER oss_xact OPTIONS (prefix 'all/');
CREATE FOREIGN TABLE ox_flat (id int) SERVER oss_xact OPTIONS (prefix 'flat/');
CREATE FOREIGN TABLE ox_one (id int) SERVER oss_xact OPTIONS (object 'one.csv');
CREATE FOREIGN TABLE ox_big (id int, s text) SERVER oss_xact OPTIONS (prefix 'big/');
CREATE FOREIGN TABLE ox_odps (id bigint) SERVER odps OPTIONS (table 'o_odps');
CREATE FUNCTION oss_uploads() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM mc.orphaned_uploads('oss_xact', '-1 hour', true) $$;

-- commit publishes, rollback does not, errors do not; nothing is left in the service
BEGIN;
INSERT INTO ox_flat VALUES (1);
INSERT INTO ox_flat VALUES (2);
COMMIT;
BEGIN;
INSERT INTO ox_flat VALUES (3);
INSERT INTO ox_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
SELECT oss_uploads() > 0 AS uploading;
ROLLBACK;
SELECT oss_uploads();
INSERT INTO ox_big SELECT 10 / (20000 - g), md5(g::text) FROM generate_series(1, 30000) g;
SELECT oss_uploads();
SELECT array_agg(id ORDER BY id), (SELECT count(*) FROM ox_big) FROM ox_flat;

-- not readable after a change, except by the statement itself
BEGIN;
INSERT INTO ox_flat SELECT id + 10 FROM ox_flat;
SELECT * FROM ox_flat;
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO ox_flat VALUES (5);
ROLLBACK TO s;
SELECT array_agg(id ORDER BY id) FROM ox_flat;
COMMIT;
BEGIN;
TRUNCATE ox_flat;
SELECT * FROM ox_flat;
ROLLBACK;

-- savepoints: what was rolled back is not published, and aborted in the service
BEGIN;
INSERT INTO ox_flat VALUES (20);
SAVEPOINT a;
INSERT INTO ox_flat VALUES (21);
SAVEPOINT b;
INSERT INTO ox_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
RELEASE b;
ROLLBACK TO a;
INSERT INTO ox_flat VALUES (24);
SELECT relation, upload_id IS NOT NULL AS has_id, blocks, rows, state FROM mc.uploads();
COMMIT;
SELECT array_agg(id ORDER BY id), (SELECT count(*) FROM ox_big), oss_uploads() FROM ox_flat;
DO $$
BEGIN
	FOR i IN 30 .. 34 LOOP
		BEGIN
			INSERT INTO ox_flat VALUES (i);
			IF i % 2 = 1 THEN
				RAISE EXCEPTION 'odd';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
END $$;
DO $$
BEGIN
	BEGIN
		INSERT INTO ox_big SELECT g / (20000 - g), md5(g::text) FROM generate_series(1, 30000) g;
	EXCEPTION WHEN division_by_zero THEN
		INSERT INTO ox_flat VALUES (40);
	END;
END $$;
SELECT array_agg(id ORDER BY id), (SELECT count(*) FROM ox_big), oss_uploads() FROM ox_flat;

-- every combination against a local table
CREATE TABLE ox_local (id int, p text);
CREATE PROCEDURE try_oss(VARIADIC steps text[]) LANGUAGE plpgsql AS $$
DECLARE
	difference bigint;
BEGIN
	TRUNCATE ox_all;
	INSERT INTO ox_all VALUES (1, 'a'), (2, 'b');
	COMMIT;
	TRUNCATE ox_local;
	INSERT INTO ox_local VALUES (1, 'a'), (2, 'b');
	COMMIT;
	FOR i IN 1 .. array_length(steps, 1) LOOP
		EXECUTE replace(steps[i], '@', 'ox_all');
	END LOOP;
	COMMIT;
	FOR i IN 1 .. array_length(steps, 1) LOOP
		EXECUTE replace(steps[i], '@', 'ox_local');
	END LOOP;
	COMMIT;
	SELECT count(*) INTO difference FROM (SELECT * FROM ox_all) r FULL JOIN ox_local l USING (id, p) WHERE r IS NULL OR l IS NULL;
	RAISE NOTICE '%: %', CASE WHEN difference = 0 THEN 'equal' ELSE 'DIFFERENT' END, steps;
END $$;
\set VERBOSITY terse
CALL try_oss('INSERT INTO @ VALUES (3, ''a'')');
CALL try_oss('TRUNCATE @');
CALL try_oss('TRUNCATE @', 'INSERT INTO @ VALUES (3, ''a'')');
CALL try_oss('INSERT INTO @ VALUES (3, ''a'')', 'TRUNCATE @');
CALL try_oss('INSERT INTO @ VALUES (3, ''a'')', 'TRUNCATE @', 'INSERT INTO @ VALUES (4, ''b'')', 'INSERT INTO @ VALUES (5, ''b'')');
CALL try_oss('DO $d$ BEGIN INSERT INTO @ VALUES (3, ''a''); TRUNCATE @; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''b'')');
CALL try_oss('TRUNCATE @', 'DO $d$ BEGIN INSERT INTO @ VALUES (3, ''a''); EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''a'')');
CALL try_oss('DO $d$ BEGIN TRUNCATE @; INSERT INTO @ VALUES (3, ''a''); EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'INSERT INTO @ VALUES (4, ''a''), (5, ''b'')');
\set VERBOSITY default
-- overwrite: each statement replaces the directories it wrote, also what the transaction wrote before
SET mc_fdw.write_mode = 'overwrite';
BEGIN;
INSERT INTO ox_all VALUES (50, 'a'), (51, 'c');
INSERT INTO ox_all VALUES (52, 'c'), (53, 'c');
SAVEPOINT s;
INSERT INTO ox_all VALUES (54, 'c');
ROLLBACK TO s;
SELECT part ~ 'p=c' AS c, rows, state FROM mc.uploads();
COMMIT;
SELECT * FROM ox_all ORDER BY id;
INSERT INTO ox_flat VALUES (60);
SELECT * FROM ox_flat;
RESET mc_fdw.write_mode;
-- option object
INSERT INTO ox_one VALUES (1);
BEGIN;
TRUNCATE ox_one;
INSERT INTO ox_one VALUES (2);
COMMIT;
SELECT * FROM ox_one;
BEGIN;
TRUNCATE ox_one;
INSERT INTO ox_one VALUES (3);
ROLLBACK;
TRUNCATE ox_one, ox_flat;
SELECT (SELECT count(*) FROM ox_one), (SELECT count(*) FROM ox_flat);
BEGIN;
INSERT INTO ox_one VALUES (4);
INSERT INTO ox_one VALUES (5);
ROLLBACK;

-- the table changes in between
BEGIN;
INSERT INTO ox_flat VALUES (65);
ALTER FOREIGN TABLE ox_flat ADD COLUMN more text;
INSERT INTO ox_flat VALUES (66, 'more');
ALTER FOREIGN TABLE ox_flat OPTIONS (SET prefix 'moved/');
INSERT INTO ox_flat VALUES (67, 'moved');
COMMIT;
ALTER FOREIGN TABLE ox_flat OPTIONS (ADD missing_columns 'null', SET prefix 'flat/');
SELECT * FROM ox_flat ORDER BY id;
TRUNCATE ox_flat;
ALTER FOREIGN TABLE ox_flat OPTIONS (SET prefix 'moved/');
SELECT * FROM ox_flat;
ALTER FOREIGN TABLE ox_flat OPTIONS (SET prefix 'flat/'), DROP COLUMN more;

-- what a transaction may not be
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO ox_flat VALUES (1);
ROLLBACK;
BEGIN;
INSERT INTO ox_flat VALUES (1);
PREPARE TRANSACTION 'x';

-- MaxCompute and OSS together
CREATE TABLE ox_note (t text);
BEGIN;
INSERT INTO ox_flat VALUES (70);
INSERT INTO ox_odps VALUES (70);
COMMIT;
SELECT (SELECT array_agg(id) FROM ox_flat), (SELECT array_agg(id) FROM ox_odps);
BEGIN;
INSERT INTO ox_odps VALUES (71);
INSERT INTO ox_flat VALUES (71);
ROLLBACK;

-- refused with nothing published: an ordinary error
\! emu faults '[{"service":"oss","api":"PutObject","every":1,"action":"status","http":403,"code":"AccessDenied"}]' >/dev/null
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO ox_note VALUES ('never');
INSERT INTO ox_flat VALUES (80);
COMMIT;
-- MaxCompute is published, OSS refuses: 40003
BEGIN;
INSERT INTO ox_note VALUES ('never');
INSERT INTO ox_flat VALUES (81);
INSERT INTO ox_odps VALUES (81);
COMMIT;
-- the second of two
\! emu faults '[{"service":"oss","api":"PutObject","every":1,"action":"status","http":403,"code":"AccessDenied","after":1}]' >/dev/null
BEGIN;
INSERT INTO ox_note VALUES ('never');
INSERT INTO ox_all VALUES (82, 'first'), (83, 'second');
COMMIT;
-- a part, Complete of a large one; nothing is left
\! emu faults '[{"service":"oss","api":"UploadPart","every":1,"action":"status","http":403,"code":"AccessDenied","after":1}]' >/dev/null
INSERT INTO ox_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
\! emu faults '[{"service":"oss","api":"CompleteMultipartUpload","every":1,"action":"status","http":403,"code":"AccessDenied"}]' >/dev/null
INSERT INTO ox_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
\! emu faults '[]' >/dev/null
SELECT oss_uploads();
-- the answer to Complete is lost: the object says that it is there
\! emu faults '[{"service":"oss","api":"CompleteMultipartUpload","nth":1,"action":"reset_after"}]' >/dev/null
INSERT INTO ox_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
-- deletes fail after the new objects are there
\! emu faults '[{"service":"oss","api":"DeleteObject","every":1,"action":"status","http":403,"code":"AccessDenied"},{"service":"oss","api":"DeleteMultipleObjects","every":1,"action":"status","http":403,"code":"AccessDenied"}]' >/dev/null
BEGIN;
TRUNCATE ox_flat;
INSERT INTO ox_flat VALUES (90);
COMMIT;
\! emu faults '[]' >/dev/null
\set VERBOSITY default
SELECT array_agg(id ORDER BY id) AS flat, (SELECT array_agg(id ORDER BY id) FROM ox_all WHERE id > 80) AS all, (SELECT count(*) FROM ox_big) AS big,
	(SELECT array_agg(id ORDER BY id) FROM ox_odps) AS odps, (SELECT count(*) FROM ox_note) AS notes, oss_uploads() FROM ox_flat;
-- the three lists
\! emu faults '[{"service":"oss","api":"PutObject","every":1,"action":"status","http":403,"code":"AccessDenied","after":1}]' >/dev/null
\! psql -X -q -c "INSERT INTO ox_odps VALUES (100); INSERT INTO ox_one VALUES (100); INSERT INTO ox_flat VALUES (100)" mc_regress 2>&1 | sed -E 's/(session|request id|answered HTTP) [0-9A-Za-z]+/\1 .../g; s/[0-9.]+:[0-9]+/host/; s/mc-[0-9TZ]+-[0-9a-f]+/mc/g'
\! emu faults '[{"service":"oss","api":"DeleteObject","every":1,"action":"status","http":403,"code":"AccessDenied"},{"service":"oss","api":"DeleteMultipleObjects","every":1,"action":"status","http":403,"code":"AccessDenied"}]' >/dev/null
\! psql -X -q -c "TRUNCATE ox_flat; INSERT INTO ox_odps VALUES (101); INSERT INTO ox_flat VALUES (101)" mc_regress 2>&1 | sed -E 's/(session|request id|answered HTTP) [0-9A-Za-z]+/\1 .../g; s/[0-9.]+:[0-9]+/host/; s/mc-[0-9TZ]+-[0-9a-f]+/mc/g'
-- nothing but refused deletes: an ordinary error
\set VERBOSITY sqlstate
TRUNCATE ox_flat;
\set VERBOSITY default
\! emu faults '[]' >/dev/null
SELECT array_agg(id ORDER BY id) AS flat, (SELECT array_agg(id) FROM ox_one) AS one, (SELECT array_agg(id ORDER BY id) FROM ox_odps) AS odps, oss_uploads() FROM ox_flat;

-- a wrapper may have any name
CREATE FOREIGN DATA WRAPPER lake HANDLER mc.oss_handler VALIDATOR mc.oss_validator;
CREATE SERVER lake_xact FOREIGN DATA WRAPPER lake OPTIONS (endpoint :'oss_endpoint', bucket 'xact-lake', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER lake_xact OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
SELECT count(*) FROM mc.orphaned_uploads('lake_xact', '0');
SELECT count(*) FROM mc.orphaned_uploads('odps', '0');
