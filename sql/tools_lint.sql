-- mc.lint: what is wrong with the text of a job.
\i sql/setup.psql
SET client_min_messages = warning;
CREATE SCHEMA tl;
SET search_path = tl, public;
SET client_min_messages = notice;

CREATE FOREIGN TABLE logs (
	__receive_time__ timestamptz, __time__ timestamptz, ip text, status text, cost float8
) SERVER sls OPTIONS (logstore 'tools-no-such-logstore');
CREATE FOREIGN TABLE ods (
	at timestamptz(3), ip text, status bigint, pt text
) SERVER odps OPTIONS (table 'tools_no_such_table');
CREATE FOREIGN TABLE ods_over (
	ip text, pt text
) SERVER odps OPTIONS (table 'tools_no_such_table', write_mode 'overwrite');
CREATE FOREIGN TABLE orders (
	id text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, amount float8
) SERVER ots OPTIONS (table 'tools_no_such_table');
CREATE FOREIGN TABLE orders_any (
	id text OPTIONS (key '1') COLLATE "en-x-icu" NOT NULL, amount float8
) SERVER ots OPTIONS (table 'tools_no_such_table');
CREATE FOREIGN TABLE changes (
	__commit_time__ timestamptz, id text OPTIONS (key '1') COLLATE "C" NOT NULL, amount float8
) SERVER ots OPTIONS (table 'tools_no_such_table', mode 'stream');
CREATE FOREIGN TABLE files (
	ip text, status text, dt date, __last_modified__ timestamptz
) SERVER oss OPTIONS (prefix 'tools/dt={dt}/', format 'csv');
CREATE TABLE t (ip text, status int, at timestamptz);
CREATE FOREIGN TABLE log_out (ip text) SERVER sls OPTIONS (logstore 'tools-no-such-logstore');
CREATE UNLOGGED TABLE u (ip text);
CREATE TABLE events (at timestamptz, ip text);
CREATE VIEW recent AS SELECT * FROM logs WHERE __time__ > now() - interval '1 hour';
CREATE VIEW plain AS SELECT * FROM logs;

-- nothing to complain about
SELECT * FROM mc.lint('INSERT INTO t (ip, at) SELECT ip, __time__ FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint('INSERT INTO t (ip, at) SELECT ip, __time__ FROM plain WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT id FROM changes WHERE __commit_time__ >= $1 AND __commit_time__ < $2');
SELECT * FROM mc.lint(NULL);

-- the text itself
\x on
SELECT * FROM mc.lint('INSERT INTO no_such SELECT 1');
SELECT * FROM mc.lint('INSERT INTO t (ip) VALUES ($3)');
SELECT * FROM mc.lint('INSERT INTO t (ip) VALUES (1); DELETE FROM t');
SELECT * FROM mc.lint('');
SELECT * FROM mc.lint('DROP TABLE t');
SELECT * FROM mc.lint('SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');

-- clocks, dice
SELECT * FROM mc.lint($$INSERT INTO t (ip, at) SELECT ip, now() FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
SELECT * FROM mc.lint($$INSERT INTO t (ip) SELECT current_date::text || random() || localtimestamp FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
SELECT * FROM mc.lint($$INSERT INTO t (at) SELECT 'today'::timestamptz FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
SELECT rule, message FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM recent WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
SELECT rule, message FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < mc.safe_until('logs')$$);
SELECT rule, message FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2 LIMIT 10$$);
SELECT rule, message FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM events TABLESAMPLE system (10) WHERE at >= $1 AND at < $2$$);

CREATE SEQUENCE s;
CREATE FUNCTION vol(text) RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1; END';
SELECT rule, severity, message FROM mc.lint($$INSERT INTO t (ip, status) SELECT vol(ip), nextval('s')::int FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);

-- sources
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM logs');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM logs WHERE __receive_time__ BETWEEN $1 AND $2');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM logs WHERE __receive_time__ > $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM logs WHERE __receive_time__ >= $1 - interval '1 min' AND __receive_time__ < $2$$);
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM logs WHERE __time__ >= $1 AND __time__ < $2');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT id FROM changes');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM events WHERE at >= $1 AND at < $2');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM ods');
SELECT * FROM mc.lint($$INSERT INTO t (ip) SELECT ip FROM ods WHERE pt = to_char($1, 'YYYYMMDD')$$);
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM files');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM files WHERE __last_modified__ >= $1 AND __last_modified__ < $2');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM files WHERE dt = $1::date');
SELECT * FROM mc.lint('INSERT INTO t (ip) SELECT id FROM orders');
SELECT * FROM mc.lint($$INSERT INTO t (ip) SELECT id FROM orders_any WHERE id > 'a'$$);
SELECT rule, message FROM mc.lint('INSERT INTO t (ip) SELECT l::text FROM logs l WHERE __receive_time__ >= $1 AND __receive_time__ < $2');

-- no window at all: each appends the same rows
SELECT severity, rule, message, hint FROM mc.lint('INSERT INTO t (ip) SELECT ip FROM events') WHERE rule = 'same_rows';
SELECT severity, rule, message FROM mc.lint($$INSERT INTO ods (ip) SELECT ip FROM logs WHERE __receive_time__ >= '2018-01-11' AND __receive_time__ < '2018-01-12'$$);
SELECT severity, message FROM mc.lint($$WITH e AS (SELECT ip FROM events) INSERT INTO log_out SELECT ip FROM e$$) WHERE rule = 'same_rows';
-- it may leave out what is there
SELECT severity, message FROM mc.lint('INSERT INTO events SELECT at, ip FROM t WHERE at > (SELECT max(at) FROM events)') WHERE rule = 'same_rows';
SELECT severity, message FROM mc.lint('WITH d AS (DELETE FROM events RETURNING ip) INSERT INTO t (ip) SELECT d.ip FROM d JOIN u USING (ip)') WHERE rule = 'same_rows';
SELECT severity, message FROM mc.lint('INSERT INTO t (ip) SELECT vol(ip) FROM events') WHERE rule = 'same_rows';
SELECT severity, message FROM mc.lint('INSERT INTO t (ip) SELECT rolname FROM pg_authid') WHERE rule = 'same_rows';
CREATE FUNCTION known() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE t_known (ip text);
CREATE TRIGGER known BEFORE INSERT ON t_known FOR EACH ROW EXECUTE FUNCTION known();
SELECT severity, message FROM mc.lint('INSERT INTO t_known SELECT ip FROM events') WHERE rule = 'same_rows';
-- it converges, takes each once, takes them away, or knows its window
CREATE TABLE t_key (ip text PRIMARY KEY);
SELECT count(*) FROM unnest(ARRAY['INSERT INTO t_key SELECT ip FROM events ON CONFLICT DO NOTHING',
	'INSERT INTO orders SELECT ip, 1 FROM events', 'INSERT INTO ods_over SELECT ip, ip FROM events',
	'INSERT INTO t (ip) SELECT f.ip FROM files f JOIN events USING (ip)',
	'WITH d AS (DELETE FROM events RETURNING ip) INSERT INTO t (ip) SELECT ip FROM d',
	'INSERT INTO t (ip, at) SELECT ip, $1 FROM events', 'INSERT INTO t (ip) VALUES (1)',
	'UPDATE t SET ip = e.ip FROM events e']) text, mc.lint(text) WHERE rule IN ('same_rows', 'invalid');

-- targets
SELECT * FROM mc.lint('INSERT INTO u SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
CREATE TEMP TABLE tmp (ip text);
SELECT * FROM mc.lint('INSERT INTO tmp SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint('INSERT INTO changes (id) SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint('INSERT INTO orders (id, amount) SELECT ip, cost FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
SELECT * FROM mc.lint('INSERT INTO orders (id, n) SELECT ip, 1 FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
CREATE EXTENSION postgres_fdw;
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE elsewhere (ip text) SERVER other;
SELECT * FROM mc.lint('INSERT INTO elsewhere SELECT ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');

-- overwriting: the partition must be the window's own
SELECT * FROM mc.lint($$INSERT INTO ods_over SELECT ip, to_char($1, 'YYYYMMDD') FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$, '5 min');
SELECT * FROM mc.lint($$INSERT INTO ods_over SELECT ip, to_char(__receive_time__, 'YYYYMMDDHH24MI') FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$, '5 min');
SELECT * FROM mc.lint($$INSERT INTO ods_over SELECT ip, to_char($1, 'YYYYMMDD') FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$, '1 day');
SELECT * FROM mc.lint($$INSERT INTO ods_over SELECT ip, to_char($1, 'YYYYMM') FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$, '1 day');
SELECT * FROM mc.lint($$INSERT INTO ods_over SELECT ip, 'all' FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
SET mc_fdw.write_mode = 'overwrite';
SELECT rule FROM mc.lint($$INSERT INTO ods (ip, pt) SELECT ip, 'x' FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$);
RESET mc_fdw.write_mode;

-- columns
SELECT * FROM mc.lint('INSERT INTO ods_over SELECT * FROM (SELECT ip AS address, status FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2) l');
SELECT * FROM mc.lint('INSERT INTO ods_over SELECT * FROM (SELECT ip AS pt, status AS ip FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2) l');
SELECT * FROM mc.lint('INSERT INTO t SELECT * FROM (SELECT ip, status::int AS status, __time__ AS at FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2) l');
SELECT * FROM mc.lint('INSERT INTO t (status) SELECT cost FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2');
\x off

-- nothing was executed, nothing is locked
SELECT count(*) FROM t;
BEGIN;
SELECT count(*) FROM mc.lint('DELETE FROM t WHERE at >= $1 AND at < $2');
SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid();
COMMIT;
SET client_min_messages = warning;

-- a job is not made of it
SELECT mc.create_job('tl_same', 'INSERT INTO t (ip) SELECT ip FROM events', every => '1 min');
BEGIN;
SELECT mc.create_job('tl_same', 'INSERT INTO t (ip) SELECT ip FROM events', every => '1 min', lint => false) > 0;
ROLLBACK;
DROP SCHEMA tl CASCADE;

