-- Writing objects: formats, names, directories, modes, what is refused.
\i sql/setup.psql
\getenv oss_port MC_OSS_PORT
\getenv key_id MC_KEY_ID
\getenv key_secret MC_KEY_SECRET
\set ECHO none
SELECT 'http://127.0.0.1:' || :'oss_port' AS oss_endpoint \gset
\! emu '{"service":"oss","op":"create_bucket","bucket":"write-lake"}' >/dev/null
CREATE SERVER oss_write FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'write-lake', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss_write OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\set ECHO all
-- keys have a time and a random part
CREATE FUNCTION oss_keys(text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace($1, 'mc-\d{8}T\d{6}Z-[0-9a-f]{16}-', 'mc-', 'g') $$;

CREATE FOREIGN TABLE ow_csv (id int NOT NULL, s text, at timestamptz) SERVER oss_write OPTIONS (prefix 'csv/');
INSERT INTO ow_csv VALUES (1, 'a,b', '2026-01-02 03:04:05+08'), (2, NULL, NULL), (3, 'q"uo' || E'\nte', 'infinity');
INSERT INTO ow_csv SELECT 4, '';
SELECT * FROM ow_csv ORDER BY id;
EXPLAIN (COSTS OFF) INSERT INTO ow_csv SELECT 1;
EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) INSERT INTO ow_csv SELECT g FROM generate_series(10, 12) g;

-- RETURNING, COPY, CTE, defaults, generated columns, rules of the row
INSERT INTO ow_csv VALUES (20, 'r') RETURNING id, upper(s);
COPY ow_csv FROM stdin WITH (FORMAT csv);
21,copied,
22,,2026-02-03
\.
WITH w AS (INSERT INTO ow_csv VALUES (23, 'w') RETURNING id) SELECT * FROM w;
SELECT id, s FROM ow_csv WHERE id >= 20 ORDER BY id;
INSERT INTO ow_csv VALUES (NULL, 'no');
SET mc_fdw.on_error = 'reject';
INSERT INTO ow_csv VALUES (NULL, 'no'), (24, 'yes');
RESET mc_fdw.on_error;
INSERT INTO ow_csv VALUES (1) ON CONFLICT DO NOTHING;
UPDATE ow_csv SET s = 'x';
DELETE FROM ow_csv;
CREATE FOREIGN TABLE ow_gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int DEFAULT 7) SERVER oss_write OPTIONS (prefix 'gen/');
INSERT INTO ow_gen (a) VALUES (1), (2);
SELECT * FROM ow_gen ORDER BY a;
CREATE FUNCTION oss_shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.s = upper(NEW.s); RETURN NEW; END $$;
CREATE FOREIGN TABLE ow_trigger (id int, s text) SERVER oss_write OPTIONS (prefix 'trigger/');
CREATE TRIGGER t BEFORE INSERT ON ow_trigger FOR EACH ROW EXECUTE FUNCTION oss_shout();
INSERT INTO ow_trigger SELECT g, 'v' || g FROM generate_series(1, 3) g;
SELECT * FROM ow_trigger ORDER BY id;
-- columns that show properties of the object
CREATE FOREIGN TABLE ow_object (id int, __object__ text) SERVER oss_write OPTIONS (prefix 'seen/');
INSERT INTO ow_object VALUES (1, 'name');
INSERT INTO ow_object (id) VALUES (1);
SELECT id, oss_keys(__object__) FROM ow_object;

-- path columns: directories by value
CREATE FOREIGN TABLE ow_path (id int, day date, n text, __object__ text) SERVER oss_write OPTIONS (prefix 'path/day={day}/n={n}/');
SET DateStyle = 'German';
INSERT INTO ow_path SELECT g, date '2026-01-01' + g % 2, CASE g % 3 WHEN 0 THEN 'a/b=%' WHEN 1 THEN '' END FROM generate_series(1, 6) g;
SET DateStyle = 'ISO, MDY';
SELECT id, day, n IS NULL AS null, n, oss_keys(__object__) FROM ow_path ORDER BY id;
INSERT INTO ow_path VALUES (7, '2026-01-01', repeat('x', 1100));
CREATE FOREIGN TABLE ow_hive (id int, dt text OPTIONS (partition 'dt') NOT NULL, at timestamptz OPTIONS (partition 'at'), __object__ text)
	SERVER oss_write OPTIONS (prefix 'hive/', timezone 'UTC');
INSERT INTO ow_hive VALUES (1, 'x', '2026-01-02 03:04:05+08');
INSERT INTO ow_hive VALUES (2, NULL, now());
SELECT id, dt, at, oss_keys(__object__) FROM ow_hive;
-- one directory open at a time: each change ends an object
SET mc_fdw.max_open_partitions = '1';
INSERT INTO ow_path SELECT g, '2026-05-01', (g % 2)::text FROM generate_series(1, 6) g;
RESET mc_fdw.max_open_partitions;
SELECT id, oss_keys(__object__) FROM ow_path WHERE day = '2026-05-01' ORDER BY id;
-- rows in a bad order are told
SET mc_fdw.max_open_partitions = '1';
INSERT INTO ow_path SELECT g, '2026-06-01', (g % 2)::text FROM generate_series(1, 200) g;
RESET mc_fdw.max_open_partitions;
-- tuple routing
CREATE TABLE ow_parent (s text, id int) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE ow_part1 PARTITION OF ow_parent FOR VALUES FROM (0) TO (10) SERVER oss_write OPTIONS (prefix 'part1/');
CREATE FOREIGN TABLE ow_part2 (id int, s text) SERVER oss_write OPTIONS (prefix 'part2/');
ALTER TABLE ow_parent ATTACH PARTITION ow_part2 FOR VALUES FROM (10) TO (20);
INSERT INTO ow_parent SELECT 'r' || g, g FROM generate_series(8, 11) g;
SELECT tableoid::regclass, * FROM ow_parent ORDER BY id;

-- objects are split; sizes, parts, compression, suffix
CREATE FOREIGN TABLE ow_split (id int, s text, __object__ text, __size__ bigint) SERVER oss_write
	OPTIONS (prefix 'split/', max_object_size '300kB', part_size '100kB', write_buffer '1MB', concurrency '3', header 'true', suffix '.txt');
INSERT INTO ow_split SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 10000) g;
SELECT count(*), sum(id), count(DISTINCT s) FROM ow_split;
SELECT DISTINCT right(oss_keys(__object__), 12) AS key, __size__ BETWEEN 300000 AND 320000 AS full FROM ow_split ORDER BY 1;
CREATE FOREIGN TABLE ow_one (id int, s text) SERVER oss_write OPTIONS (object 'one/all.csv', part_size '100kB', write_buffer '1MB');
INSERT INTO ow_one SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 10000) g;
SELECT count(*), sum(id), count(DISTINCT s) FROM ow_one;
CREATE FOREIGN TABLE ow_gzip (id int, s text, __object__ text) SERVER oss_write OPTIONS (prefix 'gzip/', compression 'gzip', part_size '100kB');
INSERT INTO ow_gzip SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
SELECT count(*), sum(id), count(DISTINCT s), min(oss_keys(__object__)) FROM ow_gzip;
CREATE FOREIGN TABLE ow_suffix (id int, __object__ text) SERVER oss_write OPTIONS (prefix 'suffix/', suffix '.csv.zst', compression_level '3');
INSERT INTO ow_suffix SELECT g FROM generate_series(1, 1000) g;
SELECT sum(id), min(oss_keys(__object__)) FROM ow_suffix;
ALTER FOREIGN TABLE ow_suffix OPTIONS (SET suffix '.gz', SET compression_level '22');
INSERT INTO ow_suffix VALUES (1);
-- many directories under a small budget
CREATE FOREIGN TABLE ow_many (id int, s text, p text OPTIONS (partition 'p')) SERVER oss_write OPTIONS (prefix 'many/', write_buffer '1MB');
SET client_min_messages = warning;
INSERT INTO ow_many SELECT g, repeat('z', 500), g % 20 FROM generate_series(1, 20000) g;
RESET client_min_messages;
SELECT count(*), sum(id), count(DISTINCT p) FROM ow_many;

-- formats
CREATE FOREIGN TABLE ow_jsonl (id int, s text, j jsonb) SERVER oss_write OPTIONS (prefix 'jsonl/', format 'jsonl');
INSERT INTO ow_jsonl VALUES (1, E'a\n"b"', '{"k": [1, 2]}'), (2, NULL, NULL);
SELECT * FROM ow_jsonl ORDER BY id;
CREATE FOREIGN TABLE ow_text (id int, s text) SERVER oss_write OPTIONS (prefix 'text/', format 'text', encoding 'GBK');
INSERT INTO ow_text VALUES (1, E'\t中文\\'), (2, NULL);
SELECT * FROM ow_text ORDER BY id;
INSERT INTO ow_text VALUES (3, '🙂');
SET mc_fdw.on_error = 'set_null';
INSERT INTO ow_text VALUES (4, '🙂');
RESET mc_fdw.on_error;
SELECT * FROM ow_text WHERE id > 2;

-- no rows
INSERT INTO ow_csv SELECT 1 WHERE false;
CREATE FOREIGN TABLE ow_empty (id int, s text) SERVER oss_write OPTIONS (prefix 'empty/', header 'true', empty_object 'true');
INSERT INTO ow_empty SELECT 1 WHERE false;
\! emu '{"service":"oss","op":"keys","bucket":"write-lake","prefix":"empty/"}' | sed -E 's/mc-[0-9TZ]+-[0-9a-f]+/mc/'
SELECT * FROM ow_empty;

-- what may not be written
CREATE FOREIGN TABLE ow_bad (id int) SERVER oss_write OPTIONS (pattern 'csv/*');
INSERT INTO ow_bad VALUES (1);
TRUNCATE ow_bad;
CREATE FOREIGN TABLE ow_bad2 (id int) SERVER oss_write OPTIONS (prefix 'cs');
INSERT INTO ow_bad2 VALUES (1);
ALTER FOREIGN TABLE ow_gen OPTIONS (ADD updatable 'false', ADD truncatable 'false');
INSERT INTO ow_gen (a) VALUES (1);
ALTER FOREIGN TABLE ow_gen OPTIONS (DROP updatable);
TRUNCATE ow_gen;
CREATE SERVER oss_web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url :'oss_endpoint');
CREATE FOREIGN TABLE ow_web (id int) SERVER oss_web OPTIONS (object 'x.csv');
INSERT INTO ow_web VALUES (1);

-- write modes
CREATE FOREIGN TABLE ow_mode (id int, p text OPTIONS (partition 'p')) SERVER oss_write OPTIONS (prefix 'mode/');
INSERT INTO ow_mode VALUES (1, 'a'), (2, 'b');
INSERT INTO ow_mode VALUES (3, 'a');
\! emu '{"service":"oss","op":"put_object","bucket":"write-lake","key":"mode/p=ab/other","text":"100\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"write-lake","key":"model/p=a/other","text":"101\n"}' >/dev/null
SET mc_fdw.write_mode = 'overwrite';
INSERT INTO ow_mode VALUES (4, 'a');
INSERT INTO ow_mode SELECT 9, 'b' WHERE false;
SELECT * FROM ow_mode ORDER BY id;
INSERT INTO ow_mode SELECT id + 10, p FROM ow_mode WHERE p = 'a';
SELECT * FROM ow_mode ORDER BY id;
INSERT INTO ow_one VALUES (1, 'replaced');
SELECT * FROM ow_one;
SET mc_fdw.write_mode = 'error_if_exists';
\set VERBOSITY terse
INSERT INTO ow_mode VALUES (5, 'a');
INSERT INTO ow_mode VALUES (5, 'c');
BEGIN;
INSERT INTO ow_mode VALUES (6, 'd');
INSERT INTO ow_mode VALUES (7, 'd');
COMMIT;
\set VERBOSITY default
INSERT INTO ow_one VALUES (2, 'no');
RESET mc_fdw.write_mode;
INSERT INTO ow_one VALUES (2, 'no');
SELECT * FROM ow_mode ORDER BY id;
\! emu '{"service":"oss","op":"get","bucket":"write-lake","key":"model/p=a/other"}' | grep -o '"text":"[^"]*"' 

-- uploads that nobody completes: listed by age, others' only on request
\! emu '{"service":"oss","op":"uploads","bucket":"write-lake"}'
SELECT * FROM mc.orphaned_uploads('oss_write', '0');
SELECT mc.cleanup_uploads('oss_write');
SELECT mc.cleanup_uploads('odps');
BEGIN READ ONLY;
SELECT mc.cleanup_uploads('oss_write');
COMMIT;
CREATE ROLE ow_nobody;
SET ROLE ow_nobody;
SELECT * FROM mc.orphaned_uploads('oss_write');
RESET ROLE;
DROP ROLE ow_nobody;
