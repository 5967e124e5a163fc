-- Rejects of jobs: stored, kept after a failure or not, replayed; notifications; windows
-- that are passed over.
\i sql/setup.psql
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET TimeZone = 'UTC';
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"job-rejects","shards":1,"ttl":3650,"appendMeta":true}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"job-rejects","shard":0,"receive_time":1700000100,"group":{"__topic__":"t","__logs__":[{"__time__":1700000090,"id":"1","n":"10"},{"__time__":1700000091,"id":"2","n":"x20"},{"__time__":1700000092,"id":"3","n":"30"}]}}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"job-rejects","shard":0,"receive_time":1700000160,"group":{"__logs__":[{"__time__":1700000150,"id":"4","n":"x40"},{"__time__":1700000151,"id":"5","n":"x50"},{"__time__":1700000152,"id":"6","n":"60"}]}}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"job-rejects","shard":0,"receive_time":1700000220,"group":{"__logs__":[{"__time__":1700000210,"id":"7","n":"70"}]}}' >/dev/null
CREATE FOREIGN TABLE jr (__receive_time__ timestamptz, id int, n int) SERVER sls OPTIONS (logstore 'job-rejects');
CREATE TABLE jr_dst (id int, n int);
CREATE VIEW jr_runs AS SELECT r.* FROM mc.run r JOIN mc.job USING (job_id) WHERE name = 'jr';
SELECT mc.create_job('jr', 'INSERT INTO jr_dst SELECT id, n FROM jr WHERE __receive_time__ >= $1 AND __receive_time__ < $2', '1 min',
	start => '2023-11-14 22:15:00Z', max_windows => 1, retry_limit => 1, on_failure => 'skip', retry_delay => '1 day', notify => 'jr_channel',
	settings => '{"mc_fdw.on_error": "reject", "mc_fdw.reject_limit": "1"}') > 0 AS created;
-- psql shows notifications with the server process: out with it
LISTEN jr_channel;
\o | sed 's/PID [0-9]*/PID n/'
\set QUIET on
SET client_min_messages = warning;
CALL mc.run_job('jr');
RESET client_min_messages;
\o
SELECT seq, state, rows_in, rows_out, rejected FROM jr_runs ORDER BY run_id;
SELECT relation, part, position IS NOT NULL AS position, column_name, code, reason, value, raw FROM mc.reject
	JOIN jr_runs USING (run_id) ORDER BY n;
-- too many: the window fails, what was rejected is there all the same
\o | sed 's/PID [0-9]*/PID n/'
CALL mc.run_job('jr');
SELECT 1 AS notified;
\o
SELECT seq, attempt, state, rejected, error_code FROM jr_runs WHERE seq = 2 ORDER BY run_id;
SELECT attempt, raw ->> 'id' AS id, raw ->> 'n' AS n FROM mc.reject JOIN jr_runs USING (run_id) WHERE seq = 2 ORDER BY reject.n;
-- not any more, and it is passed over: its retries are used up
SELECT mc.alter_job('jr', keep_rejects => false);
\o | sed 's/PID [0-9]*/PID n/'
CALL mc.run_job('jr', retry => true);
SELECT 1 AS notified;
\o
UNLISTEN *;
SELECT seq, attempt, state, rejected > 0 AS rejected, error_code FROM jr_runs WHERE seq = 2 ORDER BY run_id;
SELECT count(*) FROM mc.reject JOIN jr_runs USING (run_id) WHERE seq = 2 AND attempt = 2;
SELECT window_begin, window_end, reason, closed_at FROM mc.gap JOIN mc.job USING (job_id) WHERE name = 'jr';
SELECT state, published_until, gaps FROM mc.status WHERE job = 'jr';
CALL mc.run_job('jr');
SELECT * FROM jr_dst ORDER BY id;
-- the gap is closed by a backfill that takes more bad rows
SELECT mc.alter_job('jr', settings => '{"mc_fdw.reject_limit": "2"}', keep_rejects => true);
CALL mc.backfill('jr', '2023-11-14 22:16:00Z', '2023-11-14 22:17:00Z');
SELECT closed_at IS NOT NULL AS closed FROM mc.gap JOIN mc.job USING (job_id) WHERE name = 'jr';
-- replay: repaired rows of runs that are done move to the target, in one transaction
BEGIN;
WITH bad AS (
	DELETE FROM mc.reject USING jr_runs r WHERE reject.run_id = r.run_id AND r.state = 'done' RETURNING raw)
INSERT INTO jr_dst SELECT (raw ->> 'id')::int, ltrim(raw ->> 'n', 'x')::int FROM bad;
COMMIT;
SELECT * FROM jr_dst ORDER BY id;
SELECT seq, attempt, count(*) FROM mc.reject JOIN jr_runs USING (run_id) GROUP BY 1, 2;
-- nobody else sees them
CREATE ROLE jr_other;
SET ROLE jr_other;
SELECT count(*) FROM mc.reject;
RESET ROLE;
DROP ROLE jr_other;
-- they go with their run
SELECT mc.drop_job('jr');
SELECT count(*) FROM mc.reject WHERE relation LIKE '%jr';
DROP VIEW jr_runs;
DROP FOREIGN TABLE jr;
DROP TABLE jr_dst;
