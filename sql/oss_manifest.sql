-- Options manifest and success_file: where they mean something, what the table does not show.
\i sql/setup.psql
CREATE SCHEMA oss_manifest;
SET search_path = oss_manifest, public;
-- only of a table
ALTER SERVER oss OPTIONS (ADD manifest 'true');
SET mc_fdw.manifest = 'true';
CREATE FOREIGN TABLE t (id int) SERVER oss OPTIONS (prefix 'mark/t/', manifest 'perhaps');
-- that is a directory, and written
CREATE FOREIGN TABLE one (id int) SERVER oss OPTIONS (object 'mark/one.csv', manifest 'true');
SELECT * FROM one;
ALTER FOREIGN TABLE one OPTIONS (DROP manifest, ADD success_file 'false');
SELECT * FROM one;
CREATE FOREIGN TABLE globbed (id int) SERVER oss OPTIONS (prefix 'mark/t/', pattern '*.csv', success_file 'true');
SELECT * FROM globbed;
CREATE FOREIGN TABLE shared (id int) SERVER oss OPTIONS (prefix 'mark/t', manifest 'true');
INSERT INTO shared VALUES (1);
CREATE FOREIGN TABLE t (id int) SERVER oss OPTIONS (prefix 'mark/t/', updatable 'false', manifest 'on');
SELECT * FROM t;
ALTER FOREIGN TABLE t OPTIONS (SET manifest 'off');
SELECT * FROM t;
ALTER FOREIGN TABLE t OPTIONS (DROP updatable, SET manifest 'true', ADD success_file 'true');
-- once in the directory around the path columns
CREATE FOREIGN TABLE days (id int, dt text) SERVER oss OPTIONS (prefix 'mark/days/dt={dt}/', manifest 'true', success_file 'true');
INSERT INTO days VALUES (1, '1'), (2, '2'), (3, '1');
INSERT INTO t VALUES (1), (2);
\! emu '{"service":"oss","op":"keys","bucket":"demo","prefix":"mark/"}' | tr , '\n' | sed -E 's/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}/ID/'
SELECT * FROM days ORDER BY id;
SELECT * FROM t;
SELECT count(*) FROM mc.objects('days');
-- what they say, read as JSON lines
CREATE FOREIGN TABLE told (version int, job text, seq bigint, "window" jsonb, statement text, prefix text, replaces text, rows bigint, objects jsonb)
  SERVER oss OPTIONS (prefix 'mark/days/_mc_manifest/', format 'jsonl', unknown_columns 'ignore');
SELECT version, job, seq, "window", statement ~ '^mc-\d{8}T\d{6}Z-[0-9a-f]{16}$' AS named, prefix, replaces, rows, jsonb_array_length(objects) FROM told;
SELECT bool_and(o ->> 'etag' = upper(__etag__) AND (o ->> 'size')::bigint = size) FROM told, jsonb_array_elements(objects) o
  JOIN (SELECT key, size, upper(etag) AS __etag__ FROM mc.objects('days')) x ON x.key = o ->> 'key';
-- a directory that has nothing else is a table without rows
TRUNCATE t;
SELECT * FROM t;
DROP FOREIGN TABLE t, days, told, one, globbed, shared;
