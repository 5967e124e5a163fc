-- What monitoring may see: of all jobs how they fare, of none what they move.
--
-- These views have the rights of their owner, so that they pass the row-level security
-- of the tables; their condition stands in for it.  Texts of jobs, positions, entries
-- with their bodies, rejects and messages, which may quote values, stay their owner's.
-- A policy for monitoring on the tables would not do: everything that walks over the
-- jobs one sees (mc.resolve_all) would try to run those one only watches.

CREATE FUNCTION mc._may_watch(owner regrole) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.pg_has_role(owner, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');
COMMENT ON FUNCTION mc._may_watch(regrole) IS
'may one see how jobs of that role fare? Yes with its privileges, and as a member of pg_read_all_stats, for example by pg_monitor';

CREATE VIEW mc.run_stats WITH (security_barrier) AS
	SELECT r.run_id, r.job_id, j.name AS job, r.owner, r.family, r.seq, r.attempt, r.window_begin, r.window_end, r.state,
		r.started_at, r.sealed_at, r.finished_at, r.pid, r.backend_start, r.rows_in, r.rows_out, r.bytes_in, r.bytes_out, r.rejected,
		r.requests, r.retries, r.read_cu, r.write_cu, r.wait_source, r.wait_target, r.throttled, r.error_code,
		CASE WHEN pg_catalog.pg_has_role(r.owner, 'USAGE') THEN r.error_message END AS error_message
	FROM mc.run r JOIN mc.job j USING (job_id)
	WHERE mc._may_watch(r.owner);
COMMENT ON VIEW mc.run_stats IS
'runs with their job''s name and what they moved; members of pg_read_all_stats see those of all roles, without messages';
GRANT SELECT ON mc.run_stats TO PUBLIC;

CREATE VIEW mc.open_entry WITH (security_barrier) AS
	SELECT p.entry_id, p.run_id, j.job_id, j.name AS job, p.owner, p.service, p.kind, p.label, p.mode, p.rows, p.bytes, p.state, p.sent,
		p.created_at, p.expires_at
	FROM mc.publish p JOIN mc.run r USING (run_id) JOIN mc.job j USING (job_id)
	WHERE p.state IN ('prepared', 'publishing', 'conflict') AND mc._may_watch(p.owner);
COMMENT ON VIEW mc.open_entry IS
'entries of mc.publish that are not published yet, without their content; members of pg_read_all_stats see those of all roles';
GRANT SELECT ON mc.open_entry TO PUBLIC;
