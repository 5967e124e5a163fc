-- What a scan of OSS says when something is wrong.
\i sql/setup.psql
CREATE SCHEMA oss_errors;
SET search_path = oss_errors, public;
CREATE FOREIGN TABLE e (id int, name text) SERVER oss OPTIONS (object 'err/a.csv');
-- not there: messages name a port and a request
\set VERBOSITY sqlstate
SELECT * FROM e;
\set VERBOSITY default
ALTER FOREIGN TABLE e OPTIONS (ADD missing_ok 'true');
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (DROP missing_ok, DROP object, ADD prefix 'err/none/');
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (ADD missing_ok 'true');
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (DROP missing_ok, DROP prefix, ADD object 'err/a.csv');
CREATE SERVER oss_other FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'nobody', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss_other OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE FOREIGN TABLE o (id int, name text) SERVER oss_other OPTIONS (prefix 'err/');
\set VERBOSITY sqlstate
SELECT * FROM o;
\set VERBOSITY default
\! oss printf demo/err/a.csv '1,a\nx,b\n3,c\n4\n5,e,f\n6,"g""\n",\n7,h\n'
-- credentials
ALTER SERVER oss_other OPTIONS (SET bucket 'demo');
SELECT count(*) FROM o;
ALTER USER MAPPING FOR CURRENT_USER SERVER oss_other OPTIONS (SET access_key_secret 'wrong');
\set VERBOSITY sqlstate
SELECT * FROM o;
ALTER USER MAPPING FOR CURRENT_USER SERVER oss_other OPTIONS (SET access_key_id 'wrong');
SELECT * FROM o;
DROP USER MAPPING FOR CURRENT_USER SERVER oss_other;
SELECT * FROM o;
\set VERBOSITY default

-- values and records
SELECT * FROM e;
SELECT name FROM e;
SET mc_fdw.log_verbosity = 'verbose';
SELECT * FROM e;
SET mc_fdw.on_error = 'reject';
SELECT * FROM e;
SELECT part, position_in_source, column_name, sqlstate, reason, value FROM mc.last_rejects();
RESET mc_fdw.log_verbosity;
SET mc_fdw.reject_limit = '2';
SELECT * FROM e;
RESET mc_fdw.reject_limit;
SET mc_fdw.on_error = 'set_null';
SELECT * FROM e;
ALTER FOREIGN TABLE e ALTER id SET NOT NULL;
SELECT * FROM e;
ALTER FOREIGN TABLE e ALTER id DROP NOT NULL;
SET mc_fdw.on_error = 'reject';

-- what ends the object, whatever on_error says
\! oss printf demo/err/a.csv '1,a\n2,"b\n3,c\n'
SELECT * FROM e;
\! oss printf demo/err/a.csv '1,a\n2,b\r\n3,c\n'
SELECT * FROM e;
\! oss printf demo/err/a.csv '1,a\r\n2,b\n3,c\r\n'
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (ADD max_record_size '1kB');
\! (echo 1,a; head -c 3000 /dev/zero | tr '\0' x) | oss put demo/err/a.csv
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (DROP max_record_size, ADD format 'text');
\! oss printf demo/err/a.csv '1\ta\n2\tb\r\n'
SELECT * FROM e;
\! oss printf demo/err/a.csv '1\ta\n\\.\n3\tb\n'
SELECT * FROM e;
RESET mc_fdw.on_error;

-- a value of the key that does not fit
\! oss printf demo/err/p/dt=2024-01-01/a.csv '1,a\n'
\! oss printf demo/err/p/dt=yesterday2/a.csv '2,b\n3,c\n'
CREATE FOREIGN TABLE p (id int, name text, dt date) SERVER oss OPTIONS (prefix 'err/p/dt={dt}/');
SELECT * FROM p;
SELECT id FROM p;
SET mc_fdw.on_error = 'reject';
SELECT * FROM p;
SET mc_fdw.on_error = 'set_null';
SELECT * FROM p;
RESET mc_fdw.on_error;

-- an object that is replaced, deleted or cut while it is read: no mixture, no silence
CREATE FUNCTION reads(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint; place text;
BEGIN
	EXECUTE q INTO n;
	RETURN n;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS place = PG_EXCEPTION_CONTEXT;
	RETURN SQLSTATE || ' in ' || substring(place FROM 'object "[^"]*"(?:, line \d+)?');
END $$;
\! seq 30000 | oss put demo/err/big.csv
CREATE FOREIGN TABLE big (n int) SERVER oss OPTIONS (object 'err/big.csv', block_size '64kB', concurrency '1');
SELECT reads('SELECT count(*) FROM big');
\! emu faults '[{"service":"oss","api":"GetObject","nth":2,"action":"command","command":{"service":"oss","op":"generate","bucket":"demo","key":"err/big.csv","text":"1\\n","repeat":100000}}]' >/dev/null
SELECT reads('SELECT count(*) FROM big');
\! seq 30000 | oss put demo/err/big.csv
\! emu faults '[{"service":"oss","api":"GetObject","nth":2,"action":"command","command":{"service":"oss","op":"delete","bucket":"demo","key":"err/big.csv"}}]' >/dev/null
SELECT reads('SELECT count(*) FROM big');
\! seq 30000 | oss put demo/err/big.csv
-- what passes is not seen
\! emu faults '[{"service":"oss","api":"GetObject","nth":1,"action":"truncate_body"},{"service":"oss","api":"GetObject","nth":3,"action":"reset_mid_body"},{"service":"oss","api":"GetObject","nth":5,"action":"status"}]' >/dev/null
SELECT reads('SELECT sum(n) FROM big');
\! emu faults '[]' >/dev/null

-- options that make no sense
CREATE FOREIGN TABLE w (id int) SERVER oss;
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (ADD object 'a', ADD prefix 'b');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (DROP prefix, ADD delimiter 'ab');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (SET delimiter '"');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (DROP delimiter, ADD format 'jsonl', ADD quote 'x');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (DROP quote, DROP format, ADD match_by 'name');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (ADD formt 'csv');
ALTER FOREIGN TABLE w OPTIONS (ADD header 'maybe');
ALTER FOREIGN TABLE w OPTIONS (DROP match_by, ADD suffix '.txt');
SELECT * FROM w;
ALTER FOREIGN TABLE w OPTIONS (DROP suffix, DROP object, ADD prefix 'err/{id}/', ADD empty_object 'true');
SELECT * FROM w;
CREATE SERVER oss_page FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url :'oss_endpoint', region 'cn-hangzhou');
CREATE FOREIGN TABLE page (id int) SERVER oss_page OPTIONS (object 'demo/a.csv');
SELECT * FROM page;
