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
CREATE FUNCTION keys(text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace($1, 'mc-\d{8}T\d{6}Z-[0-9a-f]{16}-', 'mc-', 'g') $$;

CREATE FOREIGN TABLE w_csv (id int NOT NULL, s text, at timestamptz) SERVER oss_write OPTIONS (prefix 'csv/');
INSERT INTO w_csv VALUES (1, 'a,b', '2026-01-02 03:04:05+08'), (2, NULL, NULL), (3, 'q"uo' || E'\nte', 'infinity');
INSERT INTO w_csv SELECT 4, '';
SELECT * FROM w_csv ORDER BY id;
EXPLAIN (COSTS OFF) INSERT INTO w_csv SELECT 1;
EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) INSERT INTO w_csv SELECT g FROM generate_series(10, 12) g;

-- RETURNING, COPY, CTE, defaults, generated columns, rules of the row
INSERT INTO w_csv VALUES (20, 'r') RETURNING id, upper(s);
COPY w_csv FROM stdin WITH (FORMAT csv);
21,copied,
22,,2026-02-03
\.
WITH w AS (INSERT INTO w_csv VALUES (23, 'w') RETURNING id) SELECT * FROM w;
SELECT id, s FROM w_csv WHERE id >= 20 ORDER BY id;
INSERT INTO w_csv VALUES (NULL, 'no');
SET mc_fdw.on_error = 'reject';
INSERT INTO w_csv VALUES (NULL, 'no'), (24, 'yes');
RESET mc_fdw.on_error;
INSERT INTO w_csv VALUES (1) ON CONFLICT DO NOTHING;
UPDATE w_csv SET s = 'x';
DELETE FROM w_csv;
CREATE FOREIGN TABLE w_gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int DEFAULT 7) SERVER oss_write OPTIONS (prefix 'gen/');
INSERT INTO w_gen (a) VALUES (1), (2);
SELECT * FROM w_gen ORDER BY a;
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.s = upper(NEW.s); RETURN NEW; END $$;
CREATE FOREIGN TABLE w_trigger (id int, s text) SERVER oss_write OPTIONS (prefix 'trigger/');
CREATE TRIGGER t BEFORE INSERT ON w_trigger FOR EACH ROW EXECUTE FUNCTION shout();
INSERT INTO w_trigger SELECT g, 'v' || g FROM generate_series(1, 3) g;
SELECT * FROM w_trigger ORDER BY id;
-- columns that show properties of the object
CREATE FOREIGN TABLE w_object (id int, __object__ text) SERVER oss_write OPTIONS (prefix 'seen/');
INSERT INTO w_object VALUES (1, 'name');
INSERT INTO w_object (id) VALUES (1);
SELECT id, keys(__object__) FROM w_object;

-- path columns: directories by value
CREATE FOREIGN TABLE w_path (id int, day date, n text, __object__ text) SERVER oss_write OPTIONS (prefix 'path/day={day}/n={n}/');
SET DateStyle = 'German';
INSERT INTO w_path SELECT g, date '2026-01-01' + g % 2, CASE g % 3 WHEN 0 THEN 'a/b=%' WHEN 1 THEN '' END FROM generate_series(1, 6) g;
SET DateStyle = 'ISO, MDY';
SELECT id, day, n IS NULL AS null, n, keys(__object__) FROM w_path ORDER BY id;
INSERT INTO w_path VALUES (7, '2026-01-01', repeat('x', 1100));
CREATE FOREIGN TABLE w_hive (id int, dt text OPTIONS (partition 'dt') NOT NULL, at timestamptz OPTIONS (partition 'at'), __object__ text)
	SERVER oss_write OPTIONS (prefix 'hive/', timezone 'UTC');
INSERT INTO w_hive VALUES (1, 'x', '2026-01-02 03:04:05+08');
INSERT INTO w_hive VALUES (2, NULL, now());
SELECT id, dt, at, keys(__object__) FROM w_hive;
-- one directory open at a time: each change ends an object
SET mc_fdw.max_open_partitions = '1';
INSERT INTO w_path SELECT g, '2026-05-01', (g % 2)::text FROM generate_series(1, 6) g;
RESET mc_fdw.max_open_partitions;
SELECT id, keys(__object__) FROM w_path WHERE day = '2026-05-01' ORDER BY id;
-- tuple routing
CREATE TABLE w_parent (s text, id int) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE w_part1 PARTITION OF w_parent FOR VALUES FROM (0) TO (10) SERVER oss_write OPTIONS (prefix 'part1/');
CREATE FOREIGN TABLE w_part2 (id int, s text) SERVER oss_write OPTIONS (prefix 'part2/');
ALTER TABLE w_parent ATTACH PARTITION w_part2 FOR VALUES FROM (10) TO (20);
INSERT INTO w_parent SELECT 'r' || g, g FROM generate_series(8, 11) g;
SELECT tableoid::regclass, * FROM w_parent ORDER BY id;

-- objects are split; sizes, parts, compression, suffix
CREATE FOREIGN TABLE w_split (id int, s text, __object__ text, __size__ bigint) SERVER oss_write
	OPTIONS (prefix 'split/', max_object_size '300kB', part_size '100kB', write_buffer '1MB', concurrency '3', header 'true', suffix '.txt');
INSERT INTO w_split SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 10000) g;
SELECT count(*), sum(id), count(DISTINCT s) FROM w_split;
SELECT DISTINCT right(keys(__object__), 12) AS key, __size__ BETWEEN 300000 AND 320000 AS full FROM w_split ORDER BY 1;
CREATE FOREIGN TABLE w_one (id int, s text) SERVER oss_write OPTIONS (object 'one/all.csv', part_size '100kB', write_buffer '1MB');
INSERT INTO w_one SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 10000) g;
SELECT count(*), sum(id), count(DISTINCT s) FROM w_one;
CREATE FOREIGN TABLE w_gzip (id int, s text, __object__ text) SERVER oss_write OPTIONS (prefix 'gzip/', compression 'gzip', part_size '100kB');
INSERT INTO w_gzip SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
SELECT count(*), sum(id), count(DISTINCT s), min(keys(__object__)) FROM w_gzip;
CREATE FOREIGN TABLE w_suffix (id int, __object__ text) SERVER oss_write OPTIONS (prefix 'suffix/', suffix '.csv.zst', compression_level '3');
INSERT INTO w_suffix SELECT g FROM generate_series(1, 1000) g;
SELECT sum(id), min(keys(__object__)) FROM w_suffix;
ALTER FOREIGN TABLE w_suffix OPTIONS (SET suffix '.gz', SET compression_level '22');
INSERT INTO w_suffix VALUES (1);
-- many directories under a small budget
CREATE FOREIGN TABLE w_many (id int, s text, p text OPTIONS (partition 'p')) SERVER oss_write OPTIONS (prefix 'many/', write_buffer '1MB');
INSERT INTO w_many SELECT g, repeat('z', 500), g % 50 FROM generate_series(1, 20000) g;
SELECT count(*), sum(id), count(DISTINCT p) FROM w_many;

-- formats
CREATE FOREIGN TABLE w_jsonl (id int, s text, j jsonb) SERVER oss_write OPTIONS (prefix 'jsonl/', format 'jsonl');
INSERT INTO w_jsonl VALUES (1, E'a\n"b"', '{"k": [1, 2]}'), (2, NULL, NULL);
SELECT * FROM w_jsonl ORDER BY id;
CREATE FOREIGN TABLE w_text (id int, s text) SERVER oss_write OPTIONS (prefix 'text/', format 'text', encoding 'GBK');
INSERT INTO w_text VALUES (1, E'\t中文\\'), (2, NULL);
SELECT * FROM w_text ORDER BY id;
INSERT INTO w_text VALUES (3, '🙂');
SET mc_fdw.on_error = 'set_null';
INSERT INTO w_text VALUES (4, '🙂');
RESET mc_fdw.on_error;
SELECT * FROM w_text WHERE id > 2;

-- no rows
INSERT INTO w_csv SELECT 1 WHERE false;
CREATE FOREIGN TABLE w_empty (id int, s text) SERVER oss_write OPTIONS (prefix 'empty/', header 'true', empty_object 'true');
INSERT INTO w_empty SELECT 1 WHERE false;
\! emu '{"service":"oss","op":"keys","bucket":"write-lake","prefix":"empty/"}' | sed -E 's/mc-[0-9TZ]+-[0-9a-f]+/mc/'
SELECT * FROM w_empty;

-- what may not be written
CREATE FOREIGN TABLE w_bad (id int) SERVER oss_write OPTIONS (pattern 'csv/*');
INSERT INTO w_bad VALUES (1);
TRUNCATE w_bad;
CREATE FOREIGN TABLE w_bad2 (id int) SERVER oss_write OPTIONS (prefix 'cs');
INSERT INTO w_bad2 VALUES (1);
ALTER FOREIGN TABLE w_gen OPTIONS (ADD updatable 'false', ADD truncatable 'false');
INSERT INTO w_gen (a) VALUES (1);
ALTER FOREIGN TABLE w_gen OPTIONS (DROP updatable);
TRUNCATE w_gen;
CREATE SERVER oss_web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url :'oss_endpoint');
CREATE FOREIGN TABLE w_web (id int) SERVER oss_web OPTIONS (object 'x.csv');
INSERT INTO w_web VALUES (1);

-- write modes
CREATE FOREIGN TABLE w_mode (id int, p text OPTIONS (partition 'p')) SERVER oss_write OPTIONS (prefix 'mode/');
INSERT INTO w_mode VALUES (1, 'a'), (2, 'b');
INSERT INTO w_mode VALUES (3, 'a');
\! emu '{"service":"oss","op":"put_object","bucket":"write-lake","key":"mode/p=ab/other","text":"100\n"}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"write-lake","key":"model/p=a/other","text":"101\n"}' >/dev/null
SET mc_fdw.write_mode = 'overwrite';
INSERT INTO w_mode VALUES (4, 'a');
INSERT INTO w_mode SELECT 9, 'b' WHERE false;
SELECT * FROM w_mode ORDER BY id;
INSERT INTO w_mode SELECT id + 10, p FROM w_mode WHERE p = 'a';
SELECT * FROM w_mode ORDER BY id;
INSERT INTO w_one VALUES (1, 'replaced');
SELECT * FROM w_one;
SET mc_fdw.write_mode = 'error_if_exists';
\set VERBOSITY terse
INSERT INTO w_mode VALUES (5, 'a');
INSERT INTO w_mode VALUES (5, 'c');
BEGIN;
INSERT INTO w_mode VALUES (6, 'd');
INSERT INTO w_mode VALUES (7, 'd');
COMMIT;
\set VERBOSITY default
INSERT INTO w_one VALUES (2, 'no');
RESET mc_fdw.write_mode;
INSERT INTO w_one VALUES (2, 'no');
SELECT * FROM w_mode ORDER BY id;
\! emu '{"service":"oss","op":"get","bucket":"write-lake","key":"model/p=a/other"}' | grep -o '"text":"[^"]*"' 

-- uploads that nobody completes: listed by age, others' only on request
\! emu '{"service":"oss","op":"uploads","bucket":"write-lake"}'
SELECT * FROM mc.orphaned_uploads('oss_write', '0');
SELECT mc.cleanup_uploads('oss_write');
SELECT mc.cleanup_uploads('odps');
BEGIN READ ONLY;
SELECT mc.cleanup_uploads('oss_write');
COMMIT;
CREATE ROLE w_nobody;
SET ROLE w_nobody;
SELECT * FROM mc.orphaned_uploads('oss_write');
RESET ROLE;
DROP ROLE w_nobody;
