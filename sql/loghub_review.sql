-- What a review found wrong: each part failed before it was corrected.
\i sql/setup.psql
SET client_min_messages = warning;
\! emu clock '{"now":1700002000}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"review","shards":2,"ttl":3650}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"review","shard":0,"receive_time":1700000100,"group":{"__topic__":"größe","__tags__":{"größe":"tagü"},"__logs__":[{"__time__":1700000090,"__time_ns_part__":623456789,"id":"1","größe":"gelb ü"},{"__time__":1700000091,"id":"2","größe":"日本"}]}}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"review","shard":1,"receive_time":1700000110,"pb_base64":"ChQI2uLPqgYSBwoCaWQSATklAF7Qsg=="}' >/dev/null
CREATE FOREIGN TABLE review (rt timestamptz OPTIONS (field '__receive_time__'), tm timestamptz(0) OPTIONS (field '__time__'), ns int OPTIONS (field '__time_ns_part__'), sh int OPTIONS (field '__shard__'), id int) SERVER sls OPTIONS (logstore 'review');

-- windows that lie before every receive time, or in the future
SELECT id FROM review WHERE rt < '4713-01-01 BC';
SELECT id FROM review WHERE rt >= '1900-01-01' AND rt < '1960-01-01';
SELECT id FROM review WHERE rt >= '1900-01-01' ORDER BY id;
SELECT id FROM review WHERE rt >= '2023-11-15 08:00:00+08';
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"later","shards":1,"ttl":3650}' >/dev/null
CREATE FOREIGN TABLE later (rt timestamptz OPTIONS (field '__receive_time__'), id int) SERVER sls OPTIONS (logstore 'later');
-- a group arrives between the two questions for a cursor
\! emu faults '[{"service":"loghub","api":"GetCursor","nth":2,"action":"command","command":{"service":"loghub","op":"append_group","project":"web","logstore":"later","shard":0,"receive_time":1700002000,"group":{"__logs__":[{"__time__":1700002000,"id":"1"}]}}}]' >/dev/null
SELECT id FROM later WHERE rt >= '2023-11-15 08:00:00+08';
\! emu faults '[]' >/dev/null

-- the declared precision of a time; nanoseconds that do not fit are not wrapped
SELECT tm, id FROM review WHERE sh = 0 ORDER BY id;
\set SHOW_CONTEXT never
SELECT ns FROM review WHERE sh = 1;
\set SHOW_CONTEXT errors
SET mc_fdw.on_error = 'set_null';
SELECT ns, tm, id FROM review WHERE sh = 1;
RESET mc_fdw.on_error;

-- names that are not ASCII in a database that is not UTF-8
CREATE DATABASE mc_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c mc_latin1
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION mc_fdw;
CREATE SERVER sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint :'loghub_endpoint', project 'web');
CREATE USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE FOREIGN TABLE review (id int, "größe" text, tag text OPTIONS (field '__tag__:größe'), topic text OPTIONS (field '__topic__'), rest jsonb OPTIONS (field '*')) SERVER sls OPTIONS (logstore 'review', on_error 'set_null');
SELECT * FROM review ORDER BY id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM review;
SET mc_fdw.on_error = 'stop';
\set SHOW_CONTEXT never
SELECT "größe" FROM review WHERE id = 1;
\set SHOW_CONTEXT errors
\c mc_regress
DROP DATABASE mc_latin1;
\i sql/setup.psql
SET client_min_messages = warning;

-- an answer that was damaged on its way is asked for again, whatever it is
SELECT count(*) FROM review;
\! emu faults '[{"service":"loghub","api":"ListShards","nth":1,"action":"corrupt_body"},{"service":"loghub","api":"GetCursor","nth":2,"action":"corrupt_body"},{"service":"loghub","api":"GetLogStore","nth":1,"action":"corrupt_body"}]' >/dev/null
SELECT id FROM review WHERE rt >= '2023-11-14' ORDER BY id;
-- and no import without a place in its errors
\! emu faults '[{"service":"loghub","api":"ListLogStores","action":"status","http":200,"code":"What","message":"this"}]' >/dev/null
IMPORT FOREIGN SCHEMA web FROM SERVER sls INTO public;
\! emu faults '[]' >/dev/null

-- values that could never work are refused where they are given, and not shown if secret
CREATE SERVER wrong FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'user:hidden@host', project 'web');
CREATE SERVER wrong FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://host', project 'other.example/');
CREATE SERVER wrong FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://host', project 'web', region 'cn hangzhou');
CREATE SERVER wrong FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://host', project 'web');
CREATE USER MAPPING FOR CURRENT_USER SERVER wrong OPTIONS (access_key_id 'id', access_key_secret E'hidden\n');
CREATE USER MAPPING FOR CURRENT_USER SERVER wrong OPTIONS (access_key_id ' id', access_key_secret 'hidden');
CREATE USER MAPPING FOR CURRENT_USER SERVER wrong OPTIONS (access_key_id 'id', access_key_secret 'a/b+c=');
CREATE FOREIGN TABLE badname (id int) SERVER wrong OPTIONS (logstore E'a\r\nb');
SELECT format('CREATE FOREIGN TABLE badname (id int) SERVER sls OPTIONS (logstore %L)', repeat('x', 200)) \gexec
SELECT * FROM badname;

-- a connection that a trusted server opened is not for others
SELECT count(*) FROM review WHERE sh = 0;
CREATE ROLE mc_ordinary;
GRANT USAGE ON FOREIGN DATA WRAPPER loghub_fdw TO mc_ordinary;
GRANT CREATE ON SCHEMA public TO mc_ordinary;
SET mc_fdw.allowed_endpoints = 'localhost';
SET ROLE mc_ordinary;
CREATE SERVER ordinary FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint :'loghub_endpoint', project 'web');
CREATE USER MAPPING FOR CURRENT_USER SERVER ordinary OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE FOREIGN TABLE private (id int) SERVER ordinary OPTIONS (logstore 'review');
DO $$
BEGIN
	PERFORM * FROM private;
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '%: %', SQLSTATE, regexp_replace(SQLERRM, ':\d+', ':<port>');
END $$;
RESET ROLE;
RESET mc_fdw.allowed_endpoints;

\! emu clock '{"system":true}' >/dev/null
DROP OWNED BY mc_ordinary;
DROP ROLE mc_ordinary;
DROP SERVER wrong CASCADE;
DROP FOREIGN TABLE review, later, badname;
