-- What is going on, and what has been.  The views stand over functions, so that row-level
-- security applies to who asks, not to the views' owner.

CREATE FUNCTION mc._progress() RETURNS TABLE (pid int, database name, role name, relation regclass, job text,
	window_begin timestamptz, window_end timestamptz, rows_in bigint, bytes_in bigint, rows_out bigint, bytes_out bigint,
	parts_done bigint, parts_total bigint, requests bigint, retries bigint, rejected bigint, "position" timestamptz,
	started_at timestamptz, seconds numeric, rows_per_second bigint, eta interval, wait_event_type text, wait_event text, query text)
LANGUAGE sql STABLE AS $$
	SELECT p.pid, d.datname AS database, a.usename AS role, p.relid::regclass AS relation,
		COALESCE(j.name, CASE WHEN a.query ILIKE 'CALL mc.%' THEN a.query END) AS job, r.window_begin, r.window_end,
		p.param9 AS rows_in, p.param10 AS bytes_in, p.param3 AS rows_out, p.param1 AS bytes_out,
		p.param11 AS parts_done, p.param12 AS parts_total, p.param13 AS requests, p.param14 AS retries, p.param15 AS rejected,
		t.position, t.started_at, s.seconds,
		round(GREATEST(p.param3, p.param9) / NULLIF(s.seconds, 0))::bigint AS rows_per_second,
		CASE WHEN f.fraction > 0 AND f.fraction < 1 THEN make_interval(secs => (s.seconds / f.fraction - s.seconds)::double precision) END AS eta,
		a.wait_event_type, a.wait_event, a.query
	FROM pg_stat_get_progress_info('COPY') p
		JOIN pg_stat_activity a USING (pid)
		LEFT JOIN pg_database d ON d.oid = p.datid
		LEFT JOIN mc.run r ON r.pid = p.pid AND r.backend_start = a.backend_start AND r.state = 'running'
		LEFT JOIN mc.job j ON j.job_id = r.job_id
		CROSS JOIN LATERAL (SELECT
			CASE WHEN p.param16 <> 0 THEN '2000-01-01 00:00Z'::timestamptz + p.param16 * interval '1 microsecond' END AS position,
			'2000-01-01 00:00Z'::timestamptz + p.param19 * interval '1 microsecond' AS started_at) t
		CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp() - t.started_at) AS seconds) s
		CROSS JOIN LATERAL (SELECT CASE
			WHEN p.param18 > p.param17 AND p.param16 > p.param17 THEN LEAST((p.param16 - p.param17)::numeric / (p.param18 - p.param17), 1)
			WHEN p.param12 > 0 THEN p.param11::numeric / p.param12 END AS fraction) f
	WHERE p.param20 = x'6d635f666477'::bigint;
$$;
COMMENT ON FUNCTION mc._progress() IS 'what mc.progress shows';

CREATE VIEW mc.progress AS SELECT * FROM mc._progress();
COMMENT ON VIEW mc.progress IS
'statements that are reading or writing foreign tables now, in any session of the roles one has the privileges of: rows, bytes, parts of the source done, position in the window, rate and estimated time';
GRANT SELECT ON mc.progress TO PUBLIC;

CREATE FUNCTION mc._status() RETURNS TABLE (job text, owner regrole, paused boolean, published_until timestamptz, behind interval,
	state text, window_begin timestamptz, window_end timestamptz, attempt int, finished_at timestamptz, error_message text,
	open_entries bigint, earliest_expiry timestamptz, gaps bigint)
LANGUAGE sql STABLE AS $$
	SELECT j.name AS job, j.owner, j.paused, mc._published_until(j) AS published_until,
		clock_timestamp() - mc._published_until(j) AS behind,
		last.state, last.window_begin, last.window_end, last.attempt, last.finished_at, last.error_message,
		open.n AS open_entries, open.expires_at AS earliest_expiry, gap.n AS gaps
	FROM mc.job j
		LEFT JOIN LATERAL (SELECT * FROM mc.run r WHERE r.job_id = j.job_id AND r.family = 0
			ORDER BY r.seq DESC, r.attempt DESC LIMIT 1) last ON true
		CROSS JOIN LATERAL (SELECT count(*) AS n, min(p.expires_at) AS expires_at FROM mc.publish p JOIN mc.run r USING (run_id)
			WHERE r.job_id = j.job_id AND p.state IN ('prepared', 'publishing', 'conflict')) open
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM mc.gap g WHERE g.job_id = j.job_id AND g.closed_at IS NULL) gap;
$$;
COMMENT ON FUNCTION mc._status() IS 'what mc.status shows';

CREATE VIEW mc.status AS SELECT * FROM mc._status();
COMMENT ON VIEW mc.status IS 'one line for each job: until when everything is published, its last window, what is open';
GRANT SELECT ON mc.status TO PUBLIC;
