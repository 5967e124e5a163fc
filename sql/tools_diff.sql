-- mc.diff and mc.create_remote.
\i sql/setup.psql
SET client_min_messages = warning;
CREATE SCHEMA td;
SET search_path = td, public;
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
\pset null NULL

-- MaxCompute
CREATE FOREIGN TABLE ods (id bigint NOT NULL, name varchar(20), at timestamptz(3), amount numeric(20,4), tags text[], doc jsonb,
	"Odd name" text OPTIONS (field 'odd'), pt text, hh int) SERVER odps OPTIONS (table 'tools_made');
SELECT mc.create_remote('ods', partition_by => '{pt,hh}', lifecycle => 30);
\set VERBOSITY sqlstate
SELECT * FROM mc.diff('ods');
\set VERBOSITY default
SELECT mc.create_remote('ods', true, '{pt,hh}', 30);
SELECT * FROM mc.diff('ods');
INSERT INTO ods VALUES (1, 'a', '2024-01-01 00:00+00', 1.5, '{x}', '{}', 'odd', '20240101', 3);
SELECT id, name, pt, hh FROM ods;
\set VERBOSITY terse
SELECT mc.create_remote('ods', true, '{pt,hh}', 30);
\set VERBOSITY default
CREATE FOREIGN TABLE ods_static (id bigint) SERVER odps OPTIONS (table 'tools_static', partition 'dt=''x'',region=hz');
SELECT mc.create_remote('ods_static');
CREATE FOREIGN TABLE ods_wrong (id date, nome text, pt text) SERVER odps OPTIONS (table 'tools_made');
SELECT * FROM mc.diff('ods_wrong');

-- Tablestore
CREATE FOREIGN TABLE rows (id text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, v float8) SERVER ots OPTIONS (table 'tools_made');
SELECT mc.create_remote('rows', stream_hours => 24, lifecycle => 7);
SELECT mc.create_remote('rows', true, stream_hours => 24);
\! emu '{"service":"tablestore","op":"table_ready","table":"tools_made"}' >/dev/null
SELECT * FROM mc.diff('rows');
INSERT INTO rows VALUES ('a', 1, 2.5);
SELECT * FROM rows;
\set VERBOSITY sqlstate
SELECT mc.create_remote('rows', true);
\set VERBOSITY default
CREATE FOREIGN TABLE rows_wrong (n text OPTIONS (key '1') COLLATE "C" NOT NULL, x text OPTIONS (key '2') NOT NULL) SERVER ots OPTIONS (table 'tools_made');
SELECT * FROM mc.diff('rows_wrong');
ALTER FOREIGN TABLE rows_wrong ALTER COLUMN x OPTIONS (DROP key), ALTER COLUMN n OPTIONS (SET key '2'), ALTER COLUMN n TYPE bigint;
ALTER FOREIGN TABLE td.rows_wrong ADD COLUMN id text OPTIONS (key '1') COLLATE "C" NOT NULL;
SELECT * FROM mc.diff('rows_wrong');
CREATE FOREIGN TABLE no_key (a text) SERVER ots OPTIONS (table 'tools_x');
SELECT mc.create_remote('no_key');

-- Log Service
CREATE FOREIGN TABLE logs (ip text, status bigint) SERVER sls OPTIONS (logstore 'tools-made');
SELECT mc.create_remote('logs', lifecycle => 7, shards => 3);
SELECT mc.create_remote('logs', true, lifecycle => 7, shards => 3);
SELECT count(*) FROM mc.shards('logs');
SELECT * FROM mc.diff('logs');
\! emu '{"service":"loghub","op":"create_index","project":"web","logstore":"tools-made","index":{"keys":{"ip":{"type":"text"},"status":{"type":"text"},"cost":{"type":"double"}}}}' >/dev/null
SELECT * FROM mc.diff('logs');
\set VERBOSITY sqlstate
SELECT mc.create_remote('logs', true);
\set VERBOSITY default

-- files
\! printf 'ip,status,extra\n1,2,3\n' | oss put demo/tools/a.csv
CREATE FOREIGN TABLE files (ip text, code text) SERVER oss OPTIONS (prefix 'tools/', format 'csv', header 'true');
SELECT * FROM mc.diff('files');
ALTER FOREIGN TABLE files OPTIONS (ADD match_by 'name');
SELECT * FROM mc.diff('files');
ALTER FOREIGN TABLE td.files DROP COLUMN code;
ALTER FOREIGN TABLE td.files ADD COLUMN status text, ADD COLUMN extra text;
SELECT * FROM mc.diff('files');
CREATE FOREIGN TABLE files_none (ip text) SERVER oss OPTIONS (prefix 'tools-none/', format 'csv', header 'true', missing_ok 'true');
SELECT * FROM mc.diff('files_none');
CREATE FOREIGN TABLE files_json (ip text) SERVER oss OPTIONS (prefix 'tools/', format 'jsonl');
SELECT * FROM mc.diff('files_json');

-- wrong inputs
CREATE TABLE t (a int);
SELECT * FROM mc.diff('t');
SELECT mc.create_remote('t');
SELECT mc.create_remote('files');
SELECT mc.create_remote('ods', partition_by => '{nothing}');
SELECT mc.create_remote('ods', shards => 2);
SELECT mc.create_remote('rows', partition_by => '{id}');
SELECT mc.create_remote('logs', lifecycle => 0);
CREATE FOREIGN TABLE ods_bad (p point) SERVER odps OPTIONS (table 'x');
SELECT mc.create_remote('ods_bad');
BEGIN READ ONLY;
SELECT mc.create_remote('logs', true);
ROLLBACK;
CREATE ROLE td_role;
GRANT USAGE ON SCHEMA td TO td_role;
SET ROLE td_role;
SELECT * FROM mc.diff('ods');
SELECT mc.create_remote('ods');
RESET ROLE;
GRANT SELECT ON ods TO td_role;
SET ROLE td_role;
SELECT mc.create_remote('ods');
SELECT * FROM mc.diff('ods');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA td CASCADE;
DROP ROLE td_role;
