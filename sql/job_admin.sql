-- jobs over local tables: windows, roles, failures, control
\set SHOW_CONTEXT never
\set VERBOSITY default
SET timezone = 'UTC';
CREATE ROLE "ja Owner";
CREATE ROLE ja_other;
CREATE SCHEMA ja AUTHORIZATION "ja Owner";
CREATE TABLE ja.src (t timestamptz, v int);
CREATE TABLE ja.dst (t timestamptz, v int);
ALTER TABLE ja.src OWNER TO "ja Owner";
ALTER TABLE ja.dst OWNER TO "ja Owner";
INSERT INTO ja.src SELECT '2026-01-10 00:00Z'::timestamptz + i * interval '1 minute', i FROM generate_series(0, 59) i;
SET SESSION AUTHORIZATION "ja Owner";
SET search_path = ja;
SELECT mc.create_job('ja', 'INSERT INTO dst SELECT t, v FROM src WHERE t >= $1 AND t < $2', '5 min',
	start => '2026-01-10 00:00Z', max_windows => 3) > 0 AS created;
RESET search_path;
CALL mc.run_job('ja');
SELECT name, owner, sources, targets FROM mc.job WHERE name = 'ja';
SELECT seq, attempt, state, window_begin, window_end, rows_out, direct_effects FROM mc.run ORDER BY run_id;
-- nobody else sees it, runs it, or adds to it
SET SESSION AUTHORIZATION ja_other;
SELECT count(*) FROM mc.job WHERE name = 'ja';
SELECT count(*) FROM mc.run;
CALL mc.run_job('ja');
SELECT mc.create_job('ja', 'SELECT 1', '5 min');
RESET SESSION AUTHORIZATION;
SELECT job_id AS ja_id FROM mc.job WHERE name = 'ja' \gset
SET SESSION AUTHORIZATION ja_other;
\set VERBOSITY terse
INSERT INTO mc.run (job_id, seq, attempt, window_begin, window_end, version, write_ts)
	VALUES (:ja_id, 99, 1, now(), now() + interval '1 s', 1, 1);
INSERT INTO mc.run (job_id, seq, attempt, window_begin, window_end, version, write_ts, owner)
	VALUES (:ja_id, 99, 1, now(), now() + interval '1 s', 1, 1, '"ja Owner"');
\set VERBOSITY default
-- a superuser runs it with the rights of its owner
RESET SESSION AUTHORIZATION;
CALL mc.run_job('ja');
SELECT count(*), count(DISTINCT v) FROM ja.dst;
SELECT mc.alter_job('ja', statement => 'RESET ROLE; INSERT INTO dst SELECT t, v FROM src WHERE t >= $1 AND t < $2');
CALL mc.run_job('ja');
SELECT mc.alter_job('ja', statement => 'SET search_path = nowhere; INSERT INTO ja.dst SELECT t, v FROM ja.src WHERE t >= $1 AND t < $2');
CALL mc.run_job('ja', max_windows => 1, retry => true);
SHOW search_path;
SELECT mc.alter_job('ja', statement => 'CREATE TABLE pg_temp.ja_shadow (a int)');
CALL mc.run_job('ja');
SELECT mc.alter_job('ja', statement => 'COMMIT');
CALL mc.run_job('ja', retry => true);
BEGIN;
CALL mc.run_job('ja');
ROLLBACK;
CREATE FUNCTION ja.call() RETURNS void LANGUAGE plpgsql AS $$BEGIN CALL mc.run_job('ja'); END$$;
SELECT ja.call();
CREATE PROCEDURE ja.may() LANGUAGE plpgsql AS $$BEGIN CALL mc.run_job('nope'); END$$;
CALL ja.may();
CALL mc.run_job('ja', max_windows => -1);
-- a failure, again, and blocked
SELECT mc.alter_job('ja', statement => 'INSERT INTO dst SELECT t, 1/0 FROM src WHERE t >= $1 AND t < $2',
	retry_limit => 1, retry_delay => '1 day', every => '15 min');
CALL mc.run_job('ja', retry => true);
CALL mc.run_job('ja', retry => true);
\set VERBOSITY terse
CALL mc.run_job('ja');
\set VERBOSITY default
SELECT seq, attempt, state, error_code, error_message, counts_as_attempt FROM mc.run r JOIN mc.job j USING (job_id)
	WHERE j.name = 'ja' AND seq = 8 ORDER BY run_id;
SELECT mc.alter_job('ja', statement => 'INSERT INTO dst SELECT t, v FROM src WHERE t >= $1 AND t < $2');
CALL mc.run_job('ja', retry => true);
SELECT seq, attempt, state, r.version, window_begin, window_end, rows_out FROM mc.run r JOIN mc.job j USING (job_id)
	WHERE j.name = 'ja' AND seq >= 8 AND state = 'done' ORDER BY run_id;
SELECT count(*), count(DISTINCT v) FROM ja.dst;
-- backfill, reset
CALL mc.backfill('ja', '2026-01-10 00:00Z', '2026-01-10 00:10Z');
DELETE FROM ja.dst WHERE t < '2026-01-10 00:10Z';
CALL mc.backfill('ja', '2026-01-10 00:00Z', '2026-01-10 00:10Z', duplicate_ok => true);
SELECT count(*), count(DISTINCT v) FROM ja.dst;
SELECT mc.reset_job('ja', '2026-01-10 00:30Z');
SELECT mc.reset_job('ja', '2026-01-10 00:30:00.5Z', true);
DELETE FROM ja.dst WHERE t >= '2026-01-10 00:30Z';
SELECT mc.reset_job('ja', '2026-01-10 00:30Z', true);
CALL mc.run_job('ja', max_windows => 2);
SELECT count(*), count(DISTINCT v) FROM ja.dst;
SELECT mc.reset_job('ja', '2026-01-10 03:00Z');
SELECT window_begin, window_end, reason FROM mc.gap;
CALL mc.backfill('ja', '2026-01-10 01:00Z', '2026-01-10 03:00Z');
CALL mc.backfill('ja', '2026-01-10 01:00Z', '2026-01-10 03:00Z', duplicate_ok => true);
SELECT window_begin, window_end, closed_at IS NOT NULL AS closed FROM mc.gap;
-- paused, scheduled, misused
SELECT mc.pause_job('ja');
CALL mc.run_job('ja');
SELECT mc.resume_job('ja');
SELECT mc.schedule_job('ja');
SELECT mc.unschedule_job('ja');
SELECT mc.create_job('bad name', 'SELECT 1', '5 min');
SELECT mc.create_job('ja', 'SELECT 1', '5 min');
SELECT mc.create_job('bad', 'SELECT 1', '1 day 5 min');
SELECT mc.create_job('bad', 'SELECT 1', '0.5 s');
SELECT mc.create_job('bad', 'SELECT 1', NULL);
SELECT mc.create_job('bad', 'SELECT 1', '5 min', lag => '-1 s');
SELECT mc.create_job('bad', 'SELECT 1', '5 min', start => '2026-01-01 00:00:00.5Z');
SELECT mc.create_job('bad', 'SELECT * FROM ja.nothing', '1 day');
CALL mc.run_job('nope');
SELECT mc.resolve_run(-1, 'redo');
-- calendar days of the job's own time zone: 23 hours on the day of the change
SELECT mc.create_job('ja_days', 'INSERT INTO ja.dst SELECT $1, 1000', '1 day', start => '2026-03-28 00:00+01', timezone => 'Europe/Berlin', max_windows => 3) > 0 AS created;
SET timezone = 'Asia/Shanghai';
CALL mc.run_job('ja_days');
SET timezone = 'UTC';
SELECT r.window_begin, r.window_end FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name = 'ja_days' ORDER BY seq;
-- one waits for the other
SELECT mc.create_job('ja_after', 'INSERT INTO ja.dst SELECT $1, 2000', '1 day', start => '2026-03-30 00:00+02', timezone => 'Europe/Berlin', depends_on => '{ja_days}', max_windows => 3) > 0 AS created;
CALL mc.run_job('ja_after');
CALL mc.run_job('ja_days', max_windows => 1);
CALL mc.run_job('ja_after');
-- another database has run it: local rows go back together with the books
UPDATE mc.job SET timeline = timeline + 7 WHERE name = 'ja_days';
CALL mc.run_job('ja_days', max_windows => 1);
SELECT mc.adopt_job('ja_days', '2026-04-02 12:00+02');
SELECT mc.adopt_job('ja_days', '2026-04-03 00:00+02');
CALL mc.run_job('ja_days', max_windows => 1);
SELECT seq, state, window_begin, note FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name = 'ja_days' AND seq > 5 ORDER BY seq;
-- parameters that cannot be
\set t '''INSERT INTO ja.dst SELECT t, v FROM ja.src WHERE t >= $1 AND t < $2'''
SELECT mc.create_job('ja_bad', NULL, '5 min');
SELECT mc.create_job('ja_bad', '-- nothing', '5 min');
SELECT mc.create_job('ja_bad', :t, '5 min', lag => NULL);
SELECT mc.create_job('ja_bad', :t, '5 min', retry_limit => -1);
SELECT mc.create_job('ja_bad', :t, '5 min', retention => '-1 day');
SELECT mc.create_job('ja_bad', :t, '5 min', on_failure => 'ignore');
SELECT mc.create_job('ja_bad', :t, '5 min', max_runtime => '0');
SELECT mc.create_job('ja_bad', :t, '5 min', notify => repeat('n', 64));
SELECT mc.create_job('ja_bad', :t, '5 min', timezone => 'Mars/Phobos');
SELECT mc.create_job('ja_bad', :t, '5 min', status_table => '');
SELECT mc.create_job('ja_bad', :t, '5 min', depends_on => '{ja_days,NULL}');
SELECT mc.create_job('ja_bad', :t, '5 min', depends_on => '{ja_bad}');
SELECT mc.create_job('ja_bad', :t, '5 min', settings => '[]');
SELECT mc.create_job('ja_bad', :t, '5 min', settings => '{"work_mem": {"MB": 64}}');
SELECT mc.create_job('ja_bad', :t, '5 min', settings => '{"Role": "ja_other"}');
SELECT mc.create_job('ja_bad', :t, '5 min', settings => '{"mc_fdw.nope": "1"}');
SELECT mc.create_job('ja_bad', :t, '5 min', settings => '{"fsync": "off"}');
SELECT mc.create_job('ja_bad', :t, '1 month', start => '2026-08-31');
SELECT mc.create_job('ja_month', :t, '1 month', depends_on => '{ja_never}', settings => '{"work_mem": "1MB"}', lint => false) > 0 AS created;
SHOW work_mem;
SELECT start = date_trunc('month', now()) AS first_of_month FROM mc.job WHERE name = 'ja_month';
UPDATE mc.job SET start = '2026-01-01' WHERE name = 'ja_month';
CALL mc.run_job('ja_month', max_windows => 1);
SELECT mc.alter_job('ja_days', depends_on => '{ja_after}');
SELECT mc.alter_job('ja_days', overwrite_scope => 'all');
SELECT mc.alter_job('ja_days', settings => '{"nope": "1"}');
-- a session that died counts, the window that it died of blocks the job
SELECT mc.create_job('ja_crash', :t, '1 day', start => '2026-01-10 00:00Z', retry_limit => 1, retry_delay => '1 day', max_windows => 1) > 0 AS created;
INSERT INTO mc.run (job_id, seq, attempt, state, finished_at, window_begin, window_end, version, write_ts)
	SELECT job_id, 1, a.attempt, a.state, now(), '2026-01-10 00:00Z', '2026-01-11 00:00Z', 1, 1
	FROM mc.job, (VALUES (1, 'failed'), (2, 'running')) a (attempt, state) WHERE name = 'ja_crash';
CALL mc.resolve_all();
SELECT seq, attempt, state, error_message FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name = 'ja_crash' ORDER BY run_id;
\set VERBOSITY terse
CALL mc.run_job('ja_crash');
\set VERBOSITY default
-- what loses everything is tried again at once, then after a while, and not for ever
UPDATE mc.run SET state = 'lost', sealed_at = now() WHERE job_id = (SELECT job_id FROM mc.job WHERE name = 'ja_crash');
SET client_min_messages = warning;
CALL mc.run_job('ja_crash');
RESET client_min_messages;
SELECT count(*) FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name = 'ja_crash';
SELECT mc.alter_job('ja_crash', retry_limit => 0);
CALL mc.run_job('ja_crash');
CALL mc.run_job('ja_crash', retry => true);
SELECT seq, attempt, state FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name = 'ja_crash' ORDER BY run_id;
-- forgets
SELECT mc.prune('-1 day');
SELECT mc.prune('0 s') > 0 AS pruned;
SELECT j.name, count(*) FROM mc.run r JOIN mc.job j USING (job_id) WHERE j.name LIKE 'ja%' GROUP BY 1 ORDER BY 1;
SELECT mc.drop_job(name) FROM mc.job WHERE name LIKE 'ja%' ORDER BY name;
SELECT count(*) FROM mc.job WHERE name LIKE 'ja%';
CALL mc.resolve_all();
DROP SCHEMA ja CASCADE;
DROP ROLE "ja Owner", ja_other;
