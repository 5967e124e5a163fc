-- Jobs that write to MaxCompute: entries of the outbox, what refuses to be sealed, what waits.
\i sql/setup.psql
\set VERBOSITY terse
SET TimeZone = 'UTC';
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.jm_a (i BIGINT) PARTITIONED BY (w STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.jm_o (i BIGINT)"}' >/dev/null
CREATE FOREIGN TABLE jm_a (i bigint, w text) SERVER odps;
CREATE FOREIGN TABLE jm_o (i bigint) SERVER odps OPTIONS (write_mode 'overwrite');
CREATE TABLE jm_source (at timestamptz, i int);
INSERT INTO jm_source SELECT '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 second', i FROM generate_series(0, 299) i;

SELECT mc.create_job('jm_a', $$INSERT INTO jm_a SELECT i, 'h' || to_char($1, 'HH24MI') FROM jm_source WHERE at >= $1 AND at < $2$$,
	every => '1 minute', start => '2026-01-01 00:00:00+00') > 0 AS created;
CALL mc.run_job('jm_a', 2);
SELECT seq, attempt, state, rows_out, bytes_out > 0 AS bytes, requests > 0 AS requests, direct_effects
FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'jm_a' ORDER BY run_id;
SELECT p.kind, p.mode, p.rows, p.state, p.sent, p.evidence, p.label, regexp_replace(p.target, ':\d+/', '/') AS target,
	p.expires_at - p.created_at AS life, p.document -> 'blocks' AS blocks, p.document ? 'mtime' AS mtime
FROM mc.publish p JOIN mc.run USING (run_id) JOIN mc.job USING (job_id) WHERE name = 'jm_a' ORDER BY entry_id;
SELECT w, count(*), min(i), max(i) FROM jm_a WHERE w LIKE 'h%' GROUP BY w ORDER BY w;

-- a failing statement leaves nothing; the window is done again
SELECT mc.alter_job('jm_a', statement => $$INSERT INTO jm_a SELECT i / (120 - i), 'x' FROM jm_source WHERE at >= $1 AND at < $2$$);
CALL mc.run_job('jm_a', 1);
SELECT mc.alter_job('jm_a', statement => $$INSERT INTO jm_a SELECT i, 'h' || to_char($1, 'HH24MI') FROM jm_source WHERE at >= $1 AND at < $2$$);
CALL mc.run_job('jm_a', 1, true);
SELECT seq, attempt, state, rows_out, error_code FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'jm_a' AND seq = 3 ORDER BY run_id;

-- a session that lives too short
UPDATE mc.job SET prepare_margin = '2 days' WHERE name = 'jm_a';
\set VERBOSITY sqlstate
CALL mc.run_job('jm_a', 1);
\set VERBOSITY terse
SELECT regexp_replace(error_message, 'session \S+|in \d+', '...', 'g') FROM mc.run WHERE run_id = (SELECT max(run_id) FROM mc.run);
UPDATE mc.job SET prepare_margin = '6 hours' WHERE name = 'jm_a';

-- a failure after it was sealed: an ad hoc statement does not overtake it
SET mc_fdw.fail_at = 'committed';
CALL mc.run_job('jm_a', 1, true);
RESET mc_fdw.fail_at;
SELECT count(*) FROM jm_a WHERE w = 'h0003';
INSERT INTO jm_a VALUES (1, 'h0003');
INSERT INTO jm_a VALUES (1, 'other');
CALL mc.resolve_all();
INSERT INTO jm_a VALUES (1, 'h0003');
SELECT count(*) FROM jm_a WHERE w = 'h0003';
SELECT count(*) FROM jm_a WHERE w = 'other';

-- whose target it is
SELECT mc.create_job('jm_o', $$INSERT INTO jm_o SELECT i FROM jm_source WHERE at >= $1 AND at < $2$$,
	every => '1 minute', start => '2026-01-01 00:00:00+00') > 0 AS created;
CALL mc.run_job('jm_o', 1);
CALL mc.run_job('jm_o', 1);
SELECT count(*), min(i) FROM jm_o;
SELECT mc.alter_job('jm_o', overwrite_scope => 'snapshot');
CALL mc.run_job('jm_o', 1, true);
SELECT count(*), min(i) FROM jm_o;
SELECT o.seq, regexp_replace(o.target, ':\d+/', '/') AS target FROM mc.target_owner o JOIN mc.job USING (job_id) WHERE name = 'jm_o';
CALL mc.backfill('jm_o', '2026-01-01 00:00:00+00', '2026-01-01 00:01:00+00');
SELECT count(*), min(i) FROM jm_o;

-- a new session whose first job writes to a local table only, and then writes to MaxCompute itself
\c -
\set VERBOSITY terse
CREATE TABLE jm_local (i int);
SELECT mc.create_job('jm_l', $$INSERT INTO jm_local SELECT i FROM jm_source WHERE at >= $1 AND at < $2$$,
	every => '1 minute', start => '2026-01-01 00:00:00+00', lint => false) > 0 AS created;
CALL mc.run_job('jm_l', 1);
INSERT INTO jm_a VALUES (1, 'after');
SELECT count(*) FROM jm_a WHERE w = 'after';
SELECT mc.drop_job('jm_l');
DROP TABLE jm_local;

SELECT mc.drop_job('jm_a'), mc.drop_job('jm_o');
DROP FOREIGN TABLE jm_a, jm_o;
DROP TABLE jm_source;
