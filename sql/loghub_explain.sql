-- EXPLAIN, IMPORT FOREIGN SCHEMA, async Append.
\i sql/setup.psql
SET client_min_messages = warning;
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"plan","shards":2,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"generate","project":"web","logstore":"plan","profile":"mixed","rows":1000,"logs_per_group":50,"seed":3}' >/dev/null
CREATE FOREIGN TABLE plan (
	n1 bigint, s1 text, t1 timestamptz, rest jsonb OPTIONS (field '*'), host text OPTIONS (field '__tag__:__hostname__'),
	rt timestamptz OPTIONS (field '__receive_time__'), __time__ timestamptz, shard int OPTIONS (field '__shard__')
) SERVER sls OPTIONS (logstore 'plan');

-- nothing is asked of the service, nor of the user mapping
CREATE SERVER nobody FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://no-such-host.invalid', project 'web');
CREATE FOREIGN TABLE unreachable (a text, rt timestamptz OPTIONS (field '__receive_time__')) SERVER nobody OPTIONS (logstore 'x');
EXPLAIN (COSTS OFF) SELECT a FROM unreachable WHERE rt >= now() - interval '1 hour';

-- only what is needed is converted
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM plan;
EXPLAIN (VERBOSE, COSTS OFF) SELECT s1 FROM plan WHERE n1 > 5 AND rt > '2024-01-01 00:00+00' ORDER BY t1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT plan FROM plan;

-- conditions that choose the window and the shards leave the filter, others stay
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt >= '2024-01-01' AND rt < '2024-01-02'::date AND rt <> '2024-01-01 12:00' AND shard = 1;
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt BETWEEN '2024-01-01' AND '2024-01-02'::timestamp AND shard IN (1, 2);
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt = ANY (ARRAY['2024-01-01'::timestamptz, now()]);
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt >= now() OR n1 = 1;
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt >= clock_timestamp();
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE date_trunc('hour', rt) = '2024-01-01';
EXPLAIN (COSTS OFF) SELECT s1 FROM plan WHERE rt >= (SELECT max(now()));
PREPARE p(timestamptz, int) AS SELECT s1 FROM plan WHERE rt >= $1 AND shard = $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE p('2024-01-01', 1);
RESET plan_cache_mode;
DEALLOCATE p;
-- a leaky condition of a policy above is not jumped
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM plan WHERE n1 > 0;
EXPLAIN (COSTS OFF) SELECT s1 FROM guarded WHERE rt >= '2024-01-01' AND rt < '2024-02-01'::date;

-- ANALYZE: figures that do not depend on time
CREATE FUNCTION figures(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		line := regexp_replace(regexp_replace(line, '(Bytes|Waits|Requests): [0-9]+', '\1: <n>'),
			'[0-9]{4}-[0-9-]+ [0-9:]+[+][0-9]+', '<time>', 'g');
		RETURN NEXT line;
	END LOOP;
END $$;
SELECT figures('SELECT s1 FROM plan');
SELECT figures('SELECT s1 FROM plan WHERE rt >= now() - interval ''1 day'' AND shard = 1');
SELECT figures('SELECT s1 FROM plan WHERE rt >= NULL');
SELECT figures('SELECT s1 FROM plan WHERE rt >= now() AND rt < now()');

-- retries are counted
\! emu faults '[{"service":"loghub","api":"PullLogs","nth":1,"action":"reset_before"},{"service":"loghub","api":"GetCursor","nth":2,"action":"status","http":500,"code":"InternalServerError","message":"x"}]' >/dev/null
SELECT f FROM figures('SELECT s1 FROM plan') f WHERE f ~ 'Retries|Groups';
\! emu faults '[]' >/dev/null

-- rescans read again
SET enable_material = off;
SELECT count(*) FROM generate_series(1, 3) g, LATERAL (SELECT s1 FROM plan WHERE shard = g - 1 OFFSET 0) s;
RESET enable_material;

-- cursors, LIMIT, errors in the middle leave the session usable
BEGIN;
DECLARE c CURSOR FOR SELECT n1 FROM plan;
MOVE 10 FROM c;
SAVEPOINT s;
MOVE 10 FROM c;
SELECT 1 / 0;
ROLLBACK TO s;
MOVE ALL FROM c;
COMMIT;
SELECT count(*) FROM (SELECT 1 FROM plan LIMIT 7) s;
SELECT 1 / (n1 - n1) FROM plan;
SELECT count(*) FROM plan;
ANALYZE plan;

-- async Append
CREATE TABLE parent (n1 bigint, s1 text, shard int, k int) PARTITION BY LIST (k);
CREATE FOREIGN TABLE part1 (n1 bigint, s1 text, shard int OPTIONS (field '__shard__'), k int) SERVER sls OPTIONS (logstore 'plan');
CREATE FOREIGN TABLE part2 (n1 bigint, s1 text, shard int OPTIONS (field '__shard__'), k int) SERVER sls OPTIONS (logstore 'plan', fetch_size '3');
ALTER TABLE parent ATTACH PARTITION part1 FOR VALUES IN (1);
ALTER TABLE parent ATTACH PARTITION part2 FOR VALUES IN (2);
EXPLAIN (COSTS OFF) SELECT count(*) FROM parent;
SELECT tableoid::regclass, count(*), sum(n1) = (SELECT sum(n1) FROM plan) AS same FROM parent GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM (SELECT * FROM parent LIMIT 5) s;
SELECT f FROM figures('SELECT s1 FROM parent') f WHERE f ~ 'rows=';
BEGIN;
DECLARE c CURSOR FOR SELECT n1 FROM parent;
MOVE 3 FROM c;
SAVEPOINT s;
MOVE 10 FROM c;
ROLLBACK TO s;
MOVE ALL FROM c;
COMMIT;

-- IMPORT FOREIGN SCHEMA
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"typed-index","shards":1,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"create_index","project":"web","logstore":"typed-index","index":{"keys":{"status":{"type":"long"},"latency":{"type":"double"},"uri":{"type":"text","token":[","]},"body":{"type":"json","token":[]},"Mixed Case":{"type":"text","token":[]},"rest":{"type":"text","token":[]},"__tag__:env":{"type":"text","token":[]},"__topic__":{"type":"text","token":[]},"a_very_long_name_of_a_field_that_does_not_fit_into_sixty_three_bytes_1":{"type":"long"},"a_very_long_name_of_a_field_that_does_not_fit_into_sixty_three_bytes_2":{"type":"long"}}}}' >/dev/null
CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA nosuch FROM SERVER sls INTO imported;
IMPORT FOREIGN SCHEMA web FROM SERVER sls INTO imported OPTIONS (a 'b');
IMPORT FOREIGN SCHEMA web LIMIT TO ("typed-index", plan) FROM SERVER sls INTO imported;
\d imported.*
SELECT count(*) FROM imported.plan;
SELECT count(*) FROM imported."typed-index";
DROP SCHEMA imported CASCADE;

DROP TABLE parent;
DROP VIEW guarded;
DROP FOREIGN TABLE plan, unreachable;
DROP SERVER nobody;
DROP FUNCTION figures;
