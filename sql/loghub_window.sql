-- Windows: random bounds of all operators and types, in every kind of plan, return
-- exactly what a local copy of the same rows returns.
\i sql/setup.psql
SET client_min_messages = warning;
\! emu clock '{"now":1700002000}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"win","shards":3,"ttl":30}' >/dev/null
CREATE TABLE win_local AS
SELECT g AS grp, g % 3 AS shard, l AS id, to_timestamp(1700000000 + (g * 7) % 400 / 4 * 4 + g % 4) AS rt
FROM generate_series(0, 299) g, LATERAL generate_series(g * 10, g * 10 + g % 3) l;
-- groups enter a shard in the order of their receive time, some with a fraction of a second
\copy (SELECT json_build_object('service', 'loghub', 'op', 'append_group', 'project', 'web', 'logstore', 'win', 'shard', shard, 'receive_time', extract(epoch FROM rt)::bigint || CASE WHEN grp % 5 = 0 THEN '.75' ELSE '.0' END, 'group', json_build_object('__topic__', 't' || grp % 4, '__source__', 's', '__logs__', json_agg(json_build_object('__time__', extract(epoch FROM rt)::bigint - 5, 'id', id::text) ORDER BY id))) FROM win_local GROUP BY grp, shard, rt ORDER BY rt, grp % 5 = 0, grp) TO PROGRAM 'emu @- | grep -v cursor | grep .; true' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE FOREIGN TABLE win (
	id int, rt timestamptz OPTIONS (field '__receive_time__'), shard int OPTIONS (field '__shard__'),
	t timestamptz OPTIONS (field '__time__'), topic text OPTIONS (field '__topic__')
) SERVER sls OPTIONS (logstore 'win', fetch_size '7');

SELECT count(*), count(DISTINCT id), min(id), max(id) FROM win;
SELECT count(*) FROM win_local;

-- constants, custom plans and generic plans
CREATE FUNCTION window_property(rounds int) RETURNS TABLE (kind text, ok bigint, wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	ops text[] := ARRAY['>=', '>', '<', '<=', '='];
	kinds text[] := ARRAY['timestamptz', 'timestamp', 'date', 'stable', 'swapped', 'any', 'null', 'infinity'];
	k text;
	cond text;
	mode text;
	n int;
	x text;
	want int[];
	got int[];
	good bigint;
	bad bigint;
	base timestamptz := to_timestamp(1700000000);
BEGIN
	PERFORM setseed(0.42);
	FOREACH k IN ARRAY kinds LOOP
		good := 0;
		bad := 0;
		FOR i IN 1..rounds LOOP
			cond := 'true';
			n := 1 + (random() * 2)::int;
			FOR j IN 1..n LOOP
				x := quote_literal(base + make_interval(secs => (ARRAY[0, 0.5, 0.000001, 0.999999])[1 + floor(random() * 4)::int]
					+ floor(random() * 120)::int - 10));
				x := CASE k
					WHEN 'timestamptz' THEN x || '::timestamptz'
					WHEN 'timestamp' THEN x || '::timestamptz::timestamp'
					WHEN 'date' THEN quote_literal((base + make_interval(days => floor(random() * 3)::int - 1))::date) || '::date'
					WHEN 'null' THEN 'NULLIF(' || x || '::timestamptz, ' || x || ')'
					WHEN 'infinity' THEN (ARRAY['''infinity''', '''-infinity'''])[1 + floor(random() * 2)::int] || '::timestamptz'
					ELSE x || '::text::timestamptz' END;
				cond := cond || CASE
					WHEN k = 'any' AND random() < 0.5 THEN format(' AND rt = ANY (ARRAY[%s, date_trunc(''second'', %s), NULL, %L])', x, x, base + make_interval(secs => floor(random() * 100)))
					WHEN k = 'swapped' THEN format(' AND %s %s rt', x, ops[1 + floor(random() * 5)::int])
					ELSE format(' AND rt %s %s', ops[1 + floor(random() * 5)::int], x) END;
			END LOOP;
			EXECUTE 'SELECT array_agg(id ORDER BY id) FROM win_local WHERE ' || cond INTO want;
			EXECUTE 'SELECT array_agg(id ORDER BY id) FROM win WHERE ' || cond INTO got;
			IF got IS NOT DISTINCT FROM want THEN
				good := good + 1;
			ELSE
				bad := bad + 1;
				RAISE WARNING '%: want %, got %', cond, cardinality(want), cardinality(got);
			END IF;
		END LOOP;
		kind := k;
		ok := good;
		wrong := bad;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM window_property(25);

CREATE FUNCTION plan_property(rounds int) RETURNS TABLE (plan text, ok bigint, wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	lo timestamptz;
	hi timestamptz;
	want int[];
	got int[];
BEGIN
	PERFORM setseed(0.7);
	FOREACH plan IN ARRAY ARRAY['force_custom_plan', 'force_generic_plan'] LOOP
		PERFORM set_config('plan_cache_mode', plan, true);
		ok := 0;
		wrong := 0;
		FOR i IN 1..rounds LOOP
			lo := to_timestamp(1700000000 + random() * 110 - 5);
			hi := CASE WHEN random() < 0.1 THEN NULL ELSE lo + make_interval(secs => random() * 40 - 3) END;
			SELECT array_agg(id ORDER BY id) INTO want FROM win_local WHERE rt >= lo AND rt < hi;
			SELECT array_agg(id ORDER BY id) INTO got FROM win WHERE rt >= lo AND rt < hi;
			IF got IS NOT DISTINCT FROM want THEN ok := ok + 1; ELSE wrong := wrong + 1; END IF;
		END LOOP;
		RETURN NEXT;
	END LOOP;
	plan := 'lateral';
	ok := 0;
	wrong := 0;
	FOR i IN 1..rounds LOOP
		CREATE TEMP TABLE bounds AS
			SELECT b, to_timestamp(1700000000 + random() * 110 - 5) AS since, make_interval(secs => random() * 30 - 2) AS len
			FROM generate_series(1, 4) b;
		SELECT array_agg(b * 100000 + id ORDER BY b, id) INTO want
		FROM bounds, LATERAL (SELECT id FROM win_local WHERE rt >= since AND rt <= since + len) s;
		SELECT array_agg(b * 100000 + id ORDER BY b, id) INTO got
		FROM bounds, LATERAL (SELECT id FROM win WHERE rt >= since AND rt <= since + len OFFSET 0) s;
		IF got IS NOT DISTINCT FROM want THEN ok := ok + 1; ELSE wrong := wrong + 1; END IF;
		SELECT array_agg(b * 100000 + id ORDER BY b, id) INTO got
		FROM bounds JOIN win ON rt >= since AND since + len >= rt;
		IF got IS NOT DISTINCT FROM want THEN ok := ok + 1; ELSE wrong := wrong + 1; END IF;
		DROP TABLE bounds;
	END LOOP;
	RETURN NEXT;
END $$;
SELECT * FROM plan_property(20);

-- adjacent windows with fractional bounds tile
SELECT count(*) AS windows, sum(n) AS rows, sum(n) = (SELECT count(*) FROM win_local) AS complete
FROM generate_series(0, 36) w,
	LATERAL (SELECT count(*) AS n FROM win
		WHERE rt >= to_timestamp(1699999990.37 + w * 11.3) AND rt < to_timestamp(1699999990.37 + (w + 1) * 11.3)) s;

-- and so they do when every twentieth request fails
\! emu faults '[{"service":"loghub","probability":0.05,"seed":7,"action":"status","http":500,"code":"InternalServerError","message":"x"},{"service":"loghub","api":"PullLogs","probability":0.03,"seed":8,"action":"reset_mid_body"}]' >/dev/null
SELECT count(*) AS windows, sum(n) AS rows, sum(n) = (SELECT count(*) FROM win_local) AS complete
FROM generate_series(0, 12) w,
	LATERAL (SELECT count(*) AS n FROM win
		WHERE rt >= to_timestamp(1699999990.37 + w * 33.1) AND rt < to_timestamp(1699999990.37 + (w + 1) * 33.1)) s;
\! emu faults '[]' >/dev/null

-- one shard in many slices: each row once
ALTER FOREIGN TABLE win OPTIONS (ADD concurrency '16', SET fetch_size '3');
CREATE FUNCTION slices(q text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE line text; found int;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || q LOOP
		IF line ~ ' Slices: ' THEN found := substring(line from '[0-9]+'); END IF;
	END LOOP;
	RETURN found;
END $$;
SELECT slices('SELECT id FROM win WHERE shard = 1 AND rt >= ''2023-11-14 22:13:20+00'' AND rt < ''2023-11-14 22:21:00+00''') > 8 AS sliced;
SELECT count(*), count(DISTINCT id), array_agg(id ORDER BY id) = (SELECT array_agg(id ORDER BY id) FROM win_local WHERE shard = 1) AS same
FROM win WHERE shard = 1 AND rt >= '2023-11-14 22:13:20+00' AND rt < '2023-11-14 22:21:00+00';
SELECT count(*), count(DISTINCT id), array_agg(id ORDER BY id) = (SELECT array_agg(id ORDER BY id) FROM win_local) AS same FROM win;
ALTER FOREIGN TABLE win OPTIONS (DROP concurrency, SET fetch_size '7');
DROP FUNCTION slices;

-- joins: the bound and the shard come from the other side
SET enable_hashjoin = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (VALUES (1), (2)) v(s) JOIN win ON win.shard = v.s;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (VALUES (now()), (now())) v(s) JOIN win ON win.rt >= v.s;
SELECT v.s, count(*) FROM (VALUES (1), (2), (7)) v(s) JOIN win ON win.shard = v.s GROUP BY 1 ORDER BY 1;
SELECT shard, count(*) FROM win_local WHERE shard IN (1, 2) GROUP BY 1 ORDER BY 1;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- shards
SELECT shard, count(*) FROM win WHERE shard IN (0, 2, 99, -1) GROUP BY 1 ORDER BY 1;
SELECT shard, count(*) FROM win WHERE shard = 1::bigint GROUP BY 1;
SELECT count(*) FROM win WHERE shard = NULL;
SELECT count(*) FROM win WHERE shard = 1 AND shard = 2;
SELECT count(*) FROM win WHERE shard = ANY ('{}'::int[]);
SELECT shard, count(*) FROM win WHERE shard > 0 GROUP BY 1 ORDER BY 1;

-- the order of conditions and other uses of the column do not matter
SELECT count(*) = (SELECT count(*) FROM win_local WHERE rt >= '2023-11-14 22:14:00+00' AND id % 2 = 0)
FROM win WHERE id % 2 = 0 AND '2023-11-14 22:14:00+00' <= rt;
SELECT count(*) FROM win WHERE rt IS NULL;

-- what is shown satisfies the condition, also without recorded receive times
SELECT bool_and(rt >= '2023-11-14 22:13:33.4+00' AND rt < '2023-11-14 22:13:41.2+00') AS inside, count(*)
FROM win WHERE rt >= '2023-11-14 22:13:33.4+00' AND rt < '2023-11-14 22:13:41.2+00';
SELECT count(*) FROM win_local WHERE rt >= '2023-11-14 22:13:33.4+00' AND rt < '2023-11-14 22:13:41.2+00';

-- what shortens a window or makes it inexact is said
RESET client_min_messages;
SELECT count(*) FROM win;
SELECT count(*) FROM win WHERE rt >= '2023-11-14 22:14:00+00';
SELECT count(*) FROM win WHERE rt >= '2023-11-14 22:14:00+00' AND rt < 'infinity';
SELECT count(*) FROM win WHERE rt >= '2023-11-14 22:14:00+00' AND rt < '2024-01-01 00:00+00';
SELECT count(*) FROM win WHERE rt >= '2023-11-14 22:14:00+00' AND rt < '2023-11-14 22:46:00+00';
SELECT count(*) FROM win WHERE rt >= '2023-10-01 00:00+00' AND rt < '2023-11-14 22:14:00+00';
SET mc_fdw.expired_window = 'clamp';
SELECT count(*) FROM win WHERE rt >= '2023-10-01 00:00+00' AND rt < '2023-11-14 22:14:00+00';
RESET mc_fdw.expired_window;
SELECT count(*) FROM win WHERE rt >= '2024-10-01 00:00+00' AND rt < '2025-01-01 00:00+00';

-- a condition on the log's own time narrows the window if the table says by how much
ALTER FOREIGN TABLE win OPTIONS (ADD max_delay '10s', ADD max_clock_skew '2s');
EXPLAIN (COSTS OFF) SELECT * FROM win WHERE t >= '2023-11-14 22:14:00+00' AND t < '2023-11-14 22:14:10+00';
SELECT count(*) FROM win WHERE t >= '2023-11-14 22:14:00+00' AND t < '2023-11-14 22:14:10+00';
SELECT count(*) FROM win_local WHERE rt - interval '5 s' >= '2023-11-14 22:14:00+00' AND rt - interval '5 s' < '2023-11-14 22:14:10+00';
ALTER FOREIGN TABLE win OPTIONS (DROP max_delay, DROP max_clock_skew);

-- a split in the middle of an open scan: parents and children, nothing twice, nothing lost
\! emu faults '[{"service":"loghub","api":"PullLogs","nth":4,"action":"command","command":{"service":"loghub","op":"split","project":"web","logstore":"win","shard":1}},{"service":"loghub","api":"PullLogs","nth":6,"action":"command","command":{"service":"loghub","op":"append_group","project":"web","logstore":"win","shard":4,"group":{"__logs__":[{"__time__":1700001999,"id":"-1"}]}}}]' >/dev/null
SET client_min_messages = warning;
SELECT count(*), count(DISTINCT id), min(id), max(id), count(DISTINCT shard) FROM win;
\! emu faults '[]' >/dev/null
SELECT count(*), count(DISTINCT id), min(id), max(id), count(DISTINCT shard) FROM win;
RESET client_min_messages;

\! emu clock '{"system":true}' >/dev/null
DROP FOREIGN TABLE win;
DROP TABLE win_local;
DROP FUNCTION window_property, plan_property;
