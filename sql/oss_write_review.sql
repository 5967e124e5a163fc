-- Writing objects, the corners: what overwrite and TRUNCATE take away and what they must
-- leave, values that cannot be told from a key, long lists of objects.
\i sql/setup.psql
\getenv oss_port MC_OSS_PORT
\getenv key_id MC_KEY_ID
\getenv key_secret MC_KEY_SECRET
\set ECHO none
SELECT 'http://127.0.0.1:' || :'oss_port' AS oss_endpoint \gset
\! emu '{"service":"oss","op":"create_bucket","bucket":"review-lake"}' >/dev/null
CREATE SERVER oss_rev FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'review-lake', url_style 'path', region 'cn-hangzhou', missing_ok 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss_rev OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\set ECHO all
CREATE FUNCTION rev_keys(text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace($1, 'mc-\d{8}T\d{6}Z-[0-9a-f]{16}-', 'mc-', 'g') $$;

-- a link is replaced, not what it points to
CREATE FOREIGN TABLE rev_link (id int, __object__ text) SERVER oss_rev OPTIONS (prefix 'link/', write_mode 'overwrite');
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"target.csv","text":"100\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"link/there","symlink":"target.csv"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"link/nowhere","symlink":"missing.csv"}' >/dev/null
INSERT INTO rev_link (id) VALUES (1);
SELECT id, rev_keys(__object__) FROM rev_link;
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"link/there","symlink":"target.csv"}' >/dev/null
TRUNCATE rev_link;
SELECT * FROM rev_link;
\! emu '{"service":"oss","op":"keys","bucket":"review-lake","prefix":""}'

-- overwrite replaces what SELECT shows with the directory's values, however other tools spell them
CREATE FOREIGN TABLE rev_spell (id int, p text, q text) SERVER oss_rev OPTIONS (prefix 'spell/{p}/q={q}/', write_mode 'overwrite');
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/a b+%41/q=1/x.csv","text":"100\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/a b+A/q=1/x.csv","text":"101\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/a%3ab/q=1/x.csv","text":"102\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/a%3ab/q=10/x.csv","text":"103\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/a%3ab/q=2","text":"not one of the table\n"}' >/dev/null
INSERT INTO rev_spell VALUES (1, 'a b+A', '1'), (2, 'a:b', '1');
SELECT * FROM rev_spell ORDER BY id;
SET mc_fdw.write_mode = 'error_if_exists';
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"spell/c%3ad/q=1/x.csv","text":"104\n"}' >/dev/null
INSERT INTO rev_spell VALUES (3, 'c:d', '1');
INSERT INTO rev_spell VALUES (3, 'c:d', '11');
RESET mc_fdw.write_mode;
CREATE FOREIGN TABLE rev_hive (id int, a text OPTIONS (partition 'a'), b text OPTIONS (partition 'b')) SERVER oss_rev OPTIONS (prefix 'hive/', write_mode 'overwrite');
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"hive/b=2/a=1/x.csv","text":"100\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"hive/z/a=1/y/b=2/x.csv","text":"101\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"hive/a=10/b=2/x.csv","text":"102\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"hive/a=1/b=20/x.csv","text":"103\n"}' >/dev/null
INSERT INTO rev_hive VALUES (1, '1', '2');
SELECT * FROM rev_hive ORDER BY id;

-- the new object of a table with option "object" may have the ETag of the old one
CREATE FOREIGN TABLE rev_dir (id int) SERVER oss_rev OPTIONS (prefix 'dir/');
CREATE FOREIGN TABLE rev_in_dir (id int) SERVER oss_rev OPTIONS (object 'dir/one.csv');
INSERT INTO rev_in_dir VALUES (1);
INSERT INTO rev_dir VALUES (2);
BEGIN;
TRUNCATE rev_dir;
INSERT INTO rev_in_dir VALUES (1);
COMMIT;
SELECT * FROM rev_dir;

-- values that need care in a key; a key that would show another value is refused
CREATE FOREIGN TABLE rev_value (id int, p text, __object__ text) SERVER oss_rev OPTIONS (prefix 'value/{p}/');
INSERT INTO rev_value VALUES (1, '.'), (2, '..'), (3, '__HIVE_DEFAULT_PARTITION__'), (4, NULL), (5, ''), (6, 'ü/%41'), (7, E'\x01 ~'), (8, '...');
SELECT id, p, rev_keys(__object__) FROM rev_value ORDER BY id;
SELECT id FROM rev_value WHERE p IN ('.', '__HIVE_DEFAULT_PARTITION__') ORDER BY id;
SELECT id FROM rev_value WHERE p = '..';
CREATE FOREIGN TABLE rev_root (id int, p text) SERVER oss_rev OPTIONS (prefix '{p}/');
INSERT INTO rev_root VALUES (1, '');
CREATE FOREIGN TABLE rev_twice (id int, dt text OPTIONS (partition 'dt')) SERVER oss_rev OPTIONS (prefix 'twice/dt=5/');
INSERT INTO rev_twice VALUES (1, '7');
CREATE FOREIGN TABLE rev_one (id int, dt text OPTIONS (partition 'dt')) SERVER oss_rev OPTIONS (object 'one/dt=5/x.csv');
INSERT INTO rev_one VALUES (1, '5'), (2, '7');
SET mc_fdw.on_error = 'reject';
INSERT INTO rev_one VALUES (1, '5'), (2, '7');
RESET mc_fdw.on_error;
SELECT * FROM rev_one;
-- no columns but those of the key
CREATE FOREIGN TABLE rev_bare (p text) SERVER oss_rev OPTIONS (prefix 'bare/{p}/');
INSERT INTO rev_bare VALUES ('a'), ('b'), ('a');
SELECT p, count(*) FROM rev_bare GROUP BY p ORDER BY p;

-- uploads of the transaction that asks are no orphans
CREATE FOREIGN TABLE rev_big (id int, s text) SERVER oss_rev OPTIONS (prefix 'big/', part_size '100kB');
BEGIN;
INSERT INTO rev_big SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
SELECT count(*) FROM mc.orphaned_uploads('oss_rev', '-1 hour');
SELECT mc.cleanup_uploads('oss_rev', '-1 hour');
COMMIT;
SELECT count(*) FROM rev_big;

-- lists of many objects are cut in messages
CREATE FOREIGN TABLE rev_many (id int, p int) SERVER oss_rev OPTIONS (prefix 'many/{p}/');
\! emu faults '[{"service":"oss","api":"PutObject","every":1,"action":"status","http":403,"code":"AccessDenied","after":150}]' >/dev/null
\! psql -X -q -c "INSERT INTO rev_many SELECT g, g FROM generate_series(1, 1000) g" mc_regress 2>&1 | sed -nE 's/oss:[^,]*, //g; s/.* and [0-9]+ more.*/and more/p; /^HINT/p'
\! emu faults '[]' >/dev/null

-- overwrite of many directories is one deletion; statements that replace each other
SET mc_fdw.write_mode = 'overwrite';
INSERT INTO rev_many SELECT g, g FROM generate_series(1, 300) g;
INSERT INTO rev_many SELECT -g, g FROM generate_series(1, 300) g;
SELECT count(*), count(*) FILTER (WHERE id > 0 AND p <= 300) FROM rev_many;
\! emu faults '[{"service":"oss","api":"DeleteMultipleObjects","every":1,"action":"status","http":403,"code":"AccessDenied"}]' >/dev/null
\! psql -X -q -c "SET mc_fdw.write_mode = 'overwrite'" -c "INSERT INTO rev_many VALUES (1, 1), (2, 2)" mc_regress 2>&1 | sed -nE 's/^(Not published: .*)/\1/p'
\! emu faults '[]' >/dev/null
RESET mc_fdw.write_mode;
-- the time for publishing is kept
SET mc_fdw.publish_timeout = '1s';
\! emu faults '[{"service":"oss","api":"PutObject","every":1,"action":"stall_before"}]' >/dev/null
\set VERBOSITY sqlstate
INSERT INTO rev_dir VALUES (9);
\! emu faults '[]' >/dev/null
RESET mc_fdw.publish_timeout;
-- an object that appears in between is left alone
CREATE FOREIGN TABLE rev_race (id int) SERVER oss_rev OPTIONS (object 'race.csv');
BEGIN;
INSERT INTO rev_race VALUES (1);
\! emu '{"service":"oss","op":"put_object","bucket":"review-lake","key":"race.csv","text":"9\n"}' >/dev/null
COMMIT;
\set VERBOSITY default
SELECT * FROM rev_race;
SELECT * FROM rev_dir;
-- views with checks, triggers, nested writes, privileges of a view's owner
CREATE FOREIGN TABLE rev_view (id int, s text DEFAULT 'd') SERVER oss_rev OPTIONS (prefix 'view/');
CREATE VIEW rev_v AS SELECT * FROM rev_view WHERE id > 10 WITH CHECK OPTION;
INSERT INTO rev_v SELECT 6, 'x';
CREATE FUNCTION rev_nest() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id < 100 THEN
		INSERT INTO rev_view VALUES (NEW.id + 100, 'nested');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER t AFTER INSERT ON rev_view FOR EACH ROW EXECUTE FUNCTION rev_nest();
CREATE ROLE rev_role;
GRANT INSERT ON rev_v TO rev_role;
SET ROLE rev_role;
INSERT INTO rev_v (id) SELECT g FROM generate_series(20, 21) g;
RESET ROLE;
SELECT * FROM rev_view ORDER BY id;
DROP OWNED BY rev_role;
DROP ROLE rev_role;
