-- columns that PostgreSQL 18 computes when they are read: no service has or gets them
SELECT current_setting('server_version_num')::int < 180000 AS none \gset
\if :none
\quit
\endif
\i sql/setup.psql
CREATE SCHEMA gv;
SET search_path = gv, public;
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.gv (id BIGINT, name STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.gv_has (id BIGINT, twice BIGINT)"}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"gv","keys":[{"name":"id","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"gv-log","shards":1,"ttl":3650}' >/dev/null
CREATE FOREIGN TABLE mc (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL, name text) SERVER odps OPTIONS (table 'gv');
CREATE FOREIGN TABLE mc_has (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL) SERVER odps OPTIONS (table 'gv_has');
CREATE FOREIGN TABLE mc_has_plain (id bigint, twice bigint) SERVER odps OPTIONS (table 'gv_has');
CREATE FOREIGN TABLE ts (id bigint OPTIONS (key '1') NOT NULL, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL, name text) SERVER ots OPTIONS (table 'gv');
CREATE FOREIGN TABLE obj (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL, name text) SERVER oss OPTIONS (object 'gv.csv');
CREATE FOREIGN TABLE log (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL, name text) SERVER sls OPTIONS (logstore 'gv-log');
INSERT INTO mc (id, name) VALUES (1, 'a'), (2, 'b');
SELECT * FROM mc WHERE twice > 2;
SELECT count(*), (SELECT array_agg(mc) FROM mc) AS rows FROM mc;
-- nor where a column has that name
INSERT INTO mc_has (id) VALUES (1);
INSERT INTO mc_has_plain VALUES (2, 5);
SELECT * FROM mc_has ORDER BY id;
SELECT * FROM mc_has_plain ORDER BY id;
INSERT INTO ts (id, name) VALUES (1, 'a'), (2, 'b');
UPDATE ts SET name = 'c' WHERE twice = 4 RETURNING *, old.name AS before;
SELECT * FROM ts ORDER BY id;
\! emu '{"service":"tablestore","op":"dump","table":"gv"}' | sed 's/,"ts":[0-9]*//g'
INSERT INTO obj (id, name) VALUES (1, 'a'), (2, 'b');
SELECT * FROM obj;
\! oss get demo/gv.csv
SET client_min_messages = warning;
INSERT INTO log (id, name) VALUES (1, 'a');
SELECT * FROM log;
SELECT rule, message FROM mc.lint('INSERT INTO mc (id, name) SELECT id, name FROM ts WHERE $1 < $2');
DROP SCHEMA gv CASCADE;
