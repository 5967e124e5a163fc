-- mc.required_policy: what a key must be allowed to do.
\i sql/setup.psql
SET client_min_messages = warning;
CREATE SCHEMA tp;
SET search_path = tp, public;
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
CREATE FOREIGN TABLE logs (a text) SERVER sls OPTIONS (logstore 'one');
CREATE FOREIGN TABLE ods (a bigint) SERVER odps OPTIONS (table 'one');
CREATE FOREIGN TABLE ods_schema (a bigint) SERVER odps OPTIONS (table 'one', schema 's');
CREATE FOREIGN TABLE rows (id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER ots OPTIONS (table 'one');
CREATE FOREIGN TABLE changes (__commit_time__ timestamptz, id text OPTIONS (key '1') COLLATE "C" NOT NULL) SERVER ots OPTIONS (table 'one', mode 'stream');
CREATE FOREIGN TABLE files (a text, dt date) SERVER oss OPTIONS (prefix 'logs/dt={dt}/', format 'csv');
SELECT jsonb_pretty(mc.required_policy('logs', 'read'));
SELECT mc.required_policy('logs', 'write');
SELECT mc.required_policy('logs', 'create');
SELECT jsonb_pretty(mc.required_policy('ods', 'read'));
SELECT mc.required_policy('ods', 'write');
SELECT mc.required_policy('ods', 'create');
SELECT mc.required_policy('ods_schema', 'read');
SELECT mc.required_policy('rows', 'read');
SELECT mc.required_policy('rows', 'write');
SELECT mc.required_policy('changes', 'read');
SELECT mc.required_policy('files', 'read');
SELECT mc.required_policy('files', 'write');
-- a job: the union over its tables
CREATE TABLE here (a text);
ALTER FOREIGN TABLE logs ADD COLUMN __receive_time__ timestamptz;
SELECT mc.create_job('tools_policy', 'INSERT INTO tp.rows SELECT a FROM tp.logs JOIN tp.here USING (a) WHERE __receive_time__ >= $1 AND __receive_time__ < $2', every => '5 min', start => '2024-01-01') > 0;
SELECT jsonb_pretty(mc.required_policy('tools_policy'));
SELECT mc.drop_job('tools_policy');
-- wrong inputs
SELECT mc.required_policy('no_job');
SELECT mc.required_policy('logs', 'admin');
SELECT mc.required_policy('here', 'read');
SELECT mc.required_policy('changes', 'write');
SELECT mc.required_policy('files', 'create');
SELECT mc.required_policy('nothing', 'read');
CREATE ROLE tp_role;
GRANT USAGE ON SCHEMA tp TO tp_role;
SET ROLE tp_role;
SELECT mc.required_policy('logs', 'read');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA tp CASCADE;
DROP ROLE tp_role;
