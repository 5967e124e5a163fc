\i sql/setup.psql
CREATE SERVER odps_types FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'types');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps_types OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\! emu '{"service":"maxcompute","op":"create_project","project":"types"}' >/dev/null
CREATE SCHEMA mc_types;
SET search_path = mc_types, public;
-- Every MaxCompute type, read as IMPORT declares it, as text and as other local types.
-- The rows are put there by an encoder that shares nothing with the extension.
\! emu '{"service":"maxcompute","op":"sql","project":"types","sql":"CREATE TABLE types (id BIGINT, ti TINYINT, si SMALLINT, i INT, f FLOAT, d DOUBLE, b BOOLEAN, s STRING, v VARCHAR(10), c CHAR(5), bin BINARY, de DECIMAL(20,4), j JSON, da DATE, dt DATETIME, ts TIMESTAMP, tn TIMESTAMP_NTZ, iy INTERVAL_YEAR_MONTH, idt INTERVAL_DAY_TIME, a ARRAY<BIGINT>, m MAP<STRING,DOUBLE>, st STRUCT<x:INT,y:ARRAY<STRING>,z:DATETIME>)"}' >/dev/null
\! odps-load types types <sql/data/types.jsonl
IMPORT FOREIGN SCHEMA types LIMIT TO (types) FROM SERVER odps_types INTO mc_types;
\d types
\x on
SET TimeZone = 'UTC';
SELECT * FROM types ORDER BY id;
\x off

-- instants do not depend on the session's zone, wall clocks and dates do not move
SELECT id, extract(epoch FROM dt) AS dt, extract(epoch FROM ts) AS ts, tn, da FROM types WHERE id IN (1, 2, 4, 5);
SET TimeZone = 'Asia/Shanghai';
SELECT id, dt, ts, tn, da FROM types WHERE id IN (1, 2, 4, 5);
SELECT id, extract(epoch FROM dt) AS dt, extract(epoch FROM ts) AS ts FROM types WHERE id IN (1, 2, 4, 5);
SET TimeZone = 'America/New_York';
SELECT id, dt, ts, tn, da FROM types WHERE id IN (1, 2, 4, 5);
SELECT id, extract(epoch FROM dt) AS dt, extract(epoch FROM ts) AS ts FROM types WHERE id IN (1, 2, 4, 5);
SET TimeZone = 'Asia/Shanghai';

-- text shows every type
CREATE FOREIGN TABLE types_text (id text, ti text, si text, i text, f text, d text, b text, s text, v text, c text,
	bin text, de text, j text, da text, dt text, ts text, tn text, iy text, idt text, a text, m text, st text)
	SERVER odps_types OPTIONS ("table" 'types');
\x on
SELECT * FROM types_text ORDER BY id;
\x off
-- and what is text reads back as the same value
SELECT t.id FROM types t JOIN types_text x ON x.id = t.id::text
WHERE (t.f, t.d, t.b, t.da, t.dt, t.ts, t.tn, t.iy, t.idt, t.m, t.st)
	IS DISTINCT FROM (x.f::real, x.d::float8, x.b::boolean, x.da::date, x.dt::timestamptz, x.ts::timestamptz, x.tn::timestamp, x.iy::interval, x.idt::interval, x.m::jsonb, x.st::jsonb);

-- wider and other local types
CREATE TYPE st AS (z timestamptz, x int, y text[]);
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE FOREIGN TABLE types_other (id numeric, ti int, si bigint, i numeric(12,2), f float8, s bytea, c varchar, bin bytea,
	de numeric, j json, a jsonb, m json, st st)
	SERVER odps_types OPTIONS ("table" 'types');
SELECT * FROM types_other WHERE id < 3 ORDER BY id;
SELECT (st).x, (st).y[1], (st).z FROM types_other WHERE id IN (1, 4) ORDER BY id;
CREATE FOREIGN TABLE narrow (id small, i smallint) SERVER odps_types OPTIONS ("table" 'types');
SELECT id FROM narrow ORDER BY 1;
SELECT * FROM narrow;

-- strings that hold what other types understand
\! emu '{"service":"maxcompute","op":"sql","project":"types","sql":"CREATE TABLE strings (n BIGINT, s STRING)"}' >/dev/null
\! printf '%s\n' '[1,"10.0.0.1"]' '[2,"::1/64"]' '[3,null]' | odps-load types strings
CREATE FOREIGN TABLE strings (n int, s inet) SERVER odps_types;
SELECT n, s, family(s) FROM strings ORDER BY n;
\! printf '%s\n' '[4,"no address"]' '[5,{"hex":"610062"}]' '[6,{"hex":"ff"}]' '[7,"10.0.0.7"]' | odps-load types strings
SELECT * FROM strings;
SET mc_fdw.on_error = 'set_null';
SELECT n, s FROM strings ORDER BY n;
SET mc_fdw.on_error = 'reject';
SELECT n, s FROM strings ORDER BY n;
SELECT part, position_in_source, column_name, sqlstate, reason, value FROM mc.last_rejects();
SET mc_fdw.log_verbosity = 'verbose';
SELECT count(s) FROM strings;
SELECT position_in_source, value FROM mc.last_rejects();
SET mc_fdw.reject_limit = 2;
SELECT count(s) FROM strings;
RESET mc_fdw.reject_limit;
RESET mc_fdw.log_verbosity;
RESET mc_fdw.on_error;

-- text: NUL and invalid UTF-8 are errors, bytea takes them
ALTER FOREIGN TABLE strings ALTER s TYPE text;
SELECT * FROM strings WHERE n <= 5;
SET mc_fdw.on_error = 'reject';
SELECT count(*), count(s) FROM strings;
RESET mc_fdw.on_error;
ALTER FOREIGN TABLE strings ALTER s TYPE bytea;
SELECT n, s FROM strings WHERE n > 3 ORDER BY n;
-- length and padding
ALTER FOREIGN TABLE strings ALTER s TYPE varchar(8);
SELECT s FROM strings WHERE n = 1;
ALTER FOREIGN TABLE strings ALTER s TYPE char(10), ALTER n SET NOT NULL;
SELECT count(s) FROM strings;
ALTER FOREIGN TABLE strings ALTER s SET NOT NULL;
SELECT s FROM strings;

-- fractions of a second
\! emu '{"service":"maxcompute","op":"sql","project":"types","sql":"CREATE TABLE nanos (n BIGINT, ts TIMESTAMP, tn TIMESTAMP_NTZ, dt DATETIME, iv INTERVAL_DAY_TIME)"}' >/dev/null
\! printf '%s\n' '[1,[1,123456789],[1,123456789],1999,[1,5]]' '[2,[-1,999999999],[-1,1],-1,[-1,-999999999]]' | odps-load types nanos
CREATE FOREIGN TABLE nanos (n int, ts timestamptz, tn timestamp, dt timestamptz(0), iv interval) SERVER odps_types;
SELECT ts FROM nanos;
SELECT tn FROM nanos;
SELECT dt FROM nanos;
SELECT iv FROM nanos;
SET mc_fdw.on_precision_loss = 'truncate';
SELECT n, ts, tn, dt, iv FROM nanos ORDER BY n;
RESET mc_fdw.on_precision_loss;
CREATE FOREIGN TABLE nanos_text (n int, ts text, tn text, dt text, iv text) SERVER odps_types OPTIONS ("table" 'nanos');
SELECT * FROM nanos_text ORDER BY n;

-- numbers that do not fit
CREATE FOREIGN TABLE decimals (de numeric(6,2)) SERVER odps_types OPTIONS ("table" 'types');
SELECT de FROM decimals;
SET mc_fdw.on_error = 'set_null';
SELECT de FROM decimals;
RESET mc_fdw.on_error;

-- types that have nothing to do with each other
CREATE FOREIGN TABLE mismatch (id boolean) SERVER odps_types OPTIONS ("table" 'types');
SELECT * FROM mismatch;
ALTER FOREIGN TABLE mismatch ALTER id TYPE timestamptz;
SELECT * FROM mismatch;
CREATE FOREIGN TABLE mismatch2 (a int[], d numeric, dt timestamp, st int) SERVER odps_types OPTIONS ("table" 'types');
SELECT d FROM mismatch2;
SELECT dt FROM mismatch2;
SELECT st FROM mismatch2;
SELECT a FROM mismatch2 WHERE a[1] = 0;
CREATE TYPE st_short AS (x int, y text[]);
CREATE FOREIGN TABLE mismatch3 (st st_short) SERVER odps_types OPTIONS ("table" 'types');
SELECT * FROM mismatch3;

-- deep nesting
\! emu '{"service":"maxcompute","op":"sql","project":"types","sql":"CREATE TABLE deep (n BIGINT, aa ARRAY<ARRAY<INT>>, am ARRAY<MAP<BIGINT,STRING>>, ms MAP<STRING,STRUCT<p:DECIMAL(10,2),q:BINARY>>, af ARRAY<DOUBLE>)"}' >/dev/null
\! printf '%s\n' '[1,[[1,2],[],null,[3]],[[[5,"five"],[-6,null]],[]],[["k",["1.50",{"hex":"0001"}]],["l",null]],[1.5,"NaN",null,"-Infinity"]]' '[2,null,null,null,null]' | odps-load types deep
IMPORT FOREIGN SCHEMA types LIMIT TO (deep) FROM SERVER odps_types INTO mc_types;
\d deep
SELECT * FROM deep ORDER BY n;
