-- mc.check: what a server answers, step by step.
\i sql/setup.psql
SET client_min_messages = warning;
CREATE SCHEMA tc;
SET search_path = tc, public;
\! emu '{"service":"loghub","op":"create_project","project":"tcheck"}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"tcheck","logstore":"one","ttl":7}' >/dev/null
\! emu '{"service":"maxcompute","op":"create_project","project":"tcheck"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"tcheck","sql":"CREATE TABLE one (a BIGINT) PARTITIONED BY (pt STRING)"}' >/dev/null
\! emu '{"service":"tablestore","op":"create_instance","instance":"tcheck"}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","instance":"tcheck","table":"one","keys":[{"name":"id","type":"STRING"}],"stream_hours":24}' >/dev/null
\! oss mk tcheck
\! echo a,b | oss put tcheck/some/object.csv
CREATE SERVER tc_sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint :'loghub_endpoint', project 'tcheck');
CREATE SERVER tc_odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'tcheck');
CREATE SERVER tc_ots FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint :'tablestore_endpoint', instance 'tcheck');
CREATE SERVER tc_oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'tcheck', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER tc_sls OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER tc_odps OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER tc_ots OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER tc_oss OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
CREATE FOREIGN TABLE logs (ip text) SERVER tc_sls OPTIONS (logstore 'one');
CREATE FOREIGN TABLE logs_gone (ip text) SERVER tc_sls OPTIONS (logstore 'two');
CREATE FOREIGN TABLE ods (a bigint, pt text) SERVER tc_odps OPTIONS (table 'one');
CREATE FOREIGN TABLE ods_gone (a bigint) SERVER tc_odps OPTIONS (table 'two');
CREATE FOREIGN TABLE rows (id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER tc_ots OPTIONS (table 'one');
CREATE FOREIGN TABLE rows_gone (id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER tc_ots OPTIONS (table 'two');
CREATE FOREIGN TABLE changes (__commit_time__ timestamptz, id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER tc_ots OPTIONS (table 'one', mode 'stream');
-- ports and request ids differ from run to run
CREATE FUNCTION look(server name) RETURNS TABLE (step text, state text, detail text, hint text) LANGUAGE sql AS $$
	SELECT step, state, regexp_replace(regexp_replace(regexp_replace(detail, ':[0-9]{4,5}', ':PORT', 'g'), 'request id [-0-9A-Za-z]+', 'request id ID', 'g'),
		'[0-9]+ ms', 'N ms', 'g'), hint FROM mc.check(server)
$$;
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on

SELECT * FROM look('tc_sls');
SELECT * FROM look('tc_odps');
SELECT * FROM look('tc_ots');
SELECT * FROM look('tc_oss');

-- settings of a bucket
\! emu '{"service":"oss","op":"set_bucket","bucket":"tcheck","abort_days":1,"versioning":"Enabled"}' >/dev/null
SELECT * FROM look('tc_oss') WHERE step IN ('lifecycle', 'versioning');
\! emu '{"service":"oss","op":"set_bucket","bucket":"tcheck","abort_days":3,"versioning":"Suspended"}' >/dev/null
SELECT * FROM look('tc_oss') WHERE step IN ('lifecycle', 'versioning');

-- wrong secret
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_sls OPTIONS (SET access_key_secret 'wrong');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_odps OPTIONS (SET access_key_secret 'wrong');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_ots OPTIONS (SET access_key_secret 'wrong');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_oss OPTIONS (SET access_key_secret 'wrong');
SELECT s, step, state, hint FROM unnest('{tc_sls,tc_odps,tc_ots,tc_oss}'::name[]) s, LATERAL look(s) WHERE state <> 'ok' AND step NOT IN ('durability', 'tls');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_sls OPTIONS (SET access_key_secret :'key_secret');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_odps OPTIONS (SET access_key_secret :'key_secret');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_ots OPTIONS (SET access_key_secret :'key_secret');
ALTER USER MAPPING FOR CURRENT_USER SERVER tc_oss OPTIONS (SET access_key_secret :'key_secret');

-- no such project, instance, bucket
ALTER SERVER tc_sls OPTIONS (SET project 'tnone');
ALTER SERVER tc_odps OPTIONS (SET project 'tnone');
ALTER SERVER tc_ots OPTIONS (SET instance 'tnone');
ALTER SERVER tc_oss OPTIONS (SET bucket 'tnone');
SELECT s, step, state, hint FROM unnest('{tc_sls,tc_odps,tc_ots,tc_oss}'::name[]) s, LATERAL look(s) WHERE state <> 'ok' AND step NOT IN ('durability', 'tls');

-- a dead host, and a name that does not resolve
ALTER SERVER tc_sls OPTIONS (SET endpoint 'http://localhost:1');
ALTER SERVER tc_odps OPTIONS (SET endpoint 'http://127.0.0.1:1/api');
ALTER SERVER tc_ots OPTIONS (SET endpoint 'https://no-such-host.invalid');
ALTER SERVER tc_oss OPTIONS (SET endpoint 'http://127.0.0.1:1');
SELECT s, step, state, hint FROM unnest('{tc_sls,tc_odps,tc_ots,tc_oss}'::name[]) s, LATERAL look(s) WHERE state <> 'ok' AND step NOT IN ('durability', 'tls');

-- no user mapping
DROP USER MAPPING FOR CURRENT_USER SERVER tc_sls;
DROP USER MAPPING FOR CURRENT_USER SERVER tc_oss;
ALTER SERVER tc_oss OPTIONS (SET endpoint :'oss_endpoint', SET bucket 'tcheck');
SELECT step, state, detail, hint FROM look('tc_sls') WHERE step <> 'durability';
SELECT step, state, hint FROM look('tc_oss') WHERE step <> 'durability';

-- options that do not go together, an endpoint that is not allowed
ALTER SERVER tc_oss OPTIONS (ADD base_url 'http://localhost/x');
SELECT step, state, detail, hint FROM look('tc_oss') WHERE step <> 'durability';
CREATE ROLE tc_role;
GRANT USAGE ON FOREIGN DATA WRAPPER loghub_fdw TO tc_role;
GRANT ALL ON SCHEMA tc TO tc_role;
GRANT USAGE ON SCHEMA tc TO tc_role;
SET ROLE tc_role;
CREATE SERVER tc_own FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://10.0.0.1', project 'x');
SELECT step, state, detail, hint FROM look('tc_own') WHERE step <> 'durability';
-- no USAGE
SELECT * FROM mc.check('tc_ots');
RESET ROLE;
SELECT * FROM mc.check('tc_none');
CREATE FOREIGN DATA WRAPPER tc_other;
CREATE SERVER tc_foreign FOREIGN DATA WRAPPER tc_other;
SELECT * FROM mc.check('tc_foreign');
SET client_min_messages = warning;
DROP SERVER tc_sls, tc_odps, tc_ots, tc_oss, tc_own, tc_foreign CASCADE;
DROP FOREIGN DATA WRAPPER tc_other;
DROP SCHEMA tc CASCADE;
DROP OWNED BY tc_role;
DROP ROLE tc_role;
