\i sql/setup.psql
-- Databases of other encodings: what can be converted is, the rest is refused like any bad value; messages stay readable.
\! emu '{"service":"maxcompute","op":"create_project","project":"encoding"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"encoding","sql":"CREATE TABLE t (n BIGINT, s STRING, st STRUCT<a:STRING>, m MAP<STRING,STRING>) PARTITIONED BY (dt STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"encoding","sql":"ALTER TABLE t ADD PARTITION (dt='\''é'\'')"}' >/dev/null
\! printf '%s\n' '[1,"é",["é"],[["é","ü"]]]' '[2,"中",["中"],[]]' '[3,{"hex":"ff"},null,null]' '[4,"plain",["x"],[]]' | odps-load encoding t dt=é
SET client_min_messages = warning;
CREATE DATABASE mc_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C';
CREATE DATABASE mc_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C';
RESET client_min_messages;
\set old :DBNAME
\c mc_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION mc_fdw;
CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'encoding');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
IMPORT FOREIGN SCHEMA encoding FROM SERVER odps INTO public;
SELECT s FROM t;
SET mc_fdw.on_error = 'set_null';
SELECT n, s, st, m, dt, octet_length(s) FROM t ORDER BY n;
CREATE TYPE word AS ENUM ('é', 'plain');
CREATE FOREIGN TABLE words (n int, s word, dt text) SERVER odps OPTIONS ("table" 't');
SELECT n, s FROM words WHERE dt = 'é' ORDER BY n;
SET client_min_messages = warning;
SELECT DISTINCT part, column_name, reason FROM mc.last_rejects() ORDER BY reason;
RESET client_min_messages;
CREATE FOREIGN TABLE days (n int, dt date) SERVER odps OPTIONS ("table" 't');
SELECT n FROM days WHERE dt > '2024-01-01';
\c mc_ascii
CREATE EXTENSION mc_fdw;
CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'encoding');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
IMPORT FOREIGN SCHEMA encoding FROM SERVER odps INTO public;
SELECT n, s::bytea, octet_length(s) FROM t WHERE dt = 'é' ORDER BY n;
-- written: what is not UTF-8 is refused, as value and as partition
SET mc_fdw.on_error = 'reject';
INSERT INTO t (n, s, dt) VALUES (11, E'\xff', 'w'), (12, 'b', E'\xff'), (13, 'fine', 'w');
RESET mc_fdw.on_error;
SELECT n, s FROM t WHERE dt = 'w';
\c :old
DROP DATABASE mc_latin1;
DROP DATABASE mc_ascii;
