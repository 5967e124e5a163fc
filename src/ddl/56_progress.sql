-- What is going on, and what has been.  mc.progress stands over a function, so that the
-- rules of pg_stat_activity apply to who asks, not to the view's owner.

CREATE FUNCTION mc._progress() RETURNS TABLE (pid int, database name, role name, relation regclass, job text,
	window_begin timestamptz, window_end timestamptz, rows_in bigint, bytes_in bigint, rows_out bigint, bytes_out bigint,
	parts_done bigint, parts_total bigint, rows_expected bigint, requests bigint, retries bigint, rejected bigint, "position" timestamptz,
	started_at timestamptz, seconds numeric, rows_per_second bigint, eta interval, wait_event_type text, wait_event text, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.pid, d.datname AS database, a.usename AS role, p.relid::regclass AS relation,
		COALESCE(r.job, CASE WHEN a.query ILIKE 'CALL mc.%' THEN a.query END) AS job, r.window_begin, r.window_end,
		p.param9 AS rows_in, p.param10 AS bytes_in, p.param3 AS rows_out, p.param1 AS bytes_out,
		p.param11 AS parts_done, p.param12 AS parts_total, NULLIF(p.param8, 0) AS rows_expected, p.param13 AS requests, p.param14 AS retries, p.param15 AS rejected,
		t.position, t.started_at, s.seconds,
		round(GREATEST(p.param3, p.param9) / NULLIF(s.seconds, 0))::bigint AS rows_per_second,
		CASE WHEN f.fraction > 0 AND f.fraction < 1 THEN make_interval(secs => (s.seconds / f.fraction - s.seconds)::double precision) END AS eta,
		a.wait_event_type, a.wait_event, a.query
	FROM pg_stat_get_progress_info('COPY') p
		JOIN pg_stat_activity a USING (pid)
		LEFT JOIN pg_database d ON d.oid = p.datid
		LEFT JOIN mc.run_stats r ON r.pid = p.pid AND r.backend_start = a.backend_start AND r.state = 'running'
		CROSS JOIN LATERAL (SELECT
			CASE WHEN p.param16 <> 0 THEN '2000-01-01 00:00Z'::timestamptz + p.param16 * interval '1 microsecond' END AS position,
			'2000-01-01 00:00Z'::timestamptz + p.param19 * interval '1 microsecond' AS started_at) t
		CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp() - t.started_at) AS seconds) s
		-- parts of a window are read side by side, so that the position tells how far it is only if there are no parts
		CROSS JOIN LATERAL (SELECT CASE
			WHEN p.param8 > 0 THEN p.param9::numeric / p.param8
			WHEN p.param12 > 1 THEN p.param11::numeric / p.param12
			WHEN p.param18 > p.param17 AND p.param16 > p.param17 THEN (p.param16 - p.param17)::numeric / (p.param18 - p.param17)
			END AS fraction) f
	-- the second is in an entry of COPY, which has rows and bytes written
	WHERE p.param20 IN (x'6d635f666477'::bigint, x'6d635f666478'::bigint);
$$;
COMMENT ON FUNCTION mc._progress() IS 'what mc.progress shows';

CREATE VIEW mc.progress AS SELECT * FROM mc._progress();
COMMENT ON VIEW mc.progress IS
'statements that are reading or writing foreign tables now, in any session of the roles one has the privileges of: rows, bytes, parts of the source done, position in the window, rate and estimated time';
GRANT SELECT ON mc.progress TO PUBLIC;

CREATE VIEW mc.status WITH (security_barrier) AS
	SELECT j.name AS job, j.owner, j.paused, u.published_until, GREATEST(clock_timestamp() - u.published_until, '0') AS behind,
		last.state, last.window_begin, last.window_end, last.attempt, last.finished_at,
		CASE WHEN pg_has_role(j.owner, 'USAGE') THEN last.error_message END AS error_message,
		open.n AS open_entries, open.expires_at AS earliest_expiry, gap.n AS gaps, j.every
	FROM mc.job j
		LEFT JOIN LATERAL (SELECT * FROM mc.run r WHERE r.job_id = j.job_id AND r.family = 0
			ORDER BY r.seq DESC, r.attempt DESC LIMIT 1) last ON true
		-- as mc._published_until(), which reads with the rights of who asks
		CROSS JOIN LATERAL (SELECT COALESCE(CASE WHEN last.state IN ('done', 'skipped', 'discarded') THEN last.window_end
			ELSE last.window_begin END, j.start) AS published_until) u
		CROSS JOIN LATERAL (SELECT count(*) AS n, min(e.expires_at) AS expires_at FROM mc.open_entry e WHERE e.job_id = j.job_id) open
		CROSS JOIN LATERAL (SELECT count(*) AS n FROM mc.gap g WHERE g.job_id = j.job_id AND g.closed_at IS NULL) gap
	WHERE mc._may_watch(j.owner);
COMMENT ON VIEW mc.status IS
'one line for each job: until when everything is published, how far that is behind (0 if it is still to come), its last window, what is open; members of pg_read_all_stats see the jobs of all roles, without messages';
GRANT SELECT ON mc.status TO PUBLIC;
