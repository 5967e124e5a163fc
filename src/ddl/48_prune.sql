-- Retention: what the books of jobs forget.

-- Only what nothing can come back to: neither open runs and gaps nor the last window, which says where the
-- next one begins; the ledger is needed within the lookback.
CREATE FUNCTION mc._prune(j mc.job, older_than interval, limit_ bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	cutoff timestamptz := pg_catalog.clock_timestamp() - COALESCE(older_than, j.retention);
	last mc.run;
	n bigint;
BEGIN
	SELECT * INTO last FROM mc.run t WHERE t.job_id = j.job_id AND t.family = 0 ORDER BY t.seq DESC, t.attempt DESC LIMIT 1;
	DELETE FROM mc.run d WHERE d.run_id IN (
		SELECT r.run_id FROM mc.run r
		WHERE r.job_id = j.job_id AND r.started_at < cutoff AND COALESCE(r.finished_at, r.sealed_at, r.started_at) < cutoff
			AND (r.state IN ('done', 'failed', 'skipped', 'discarded')
				-- a later attempt has done what this one could not
				OR r.state IN ('lost', 'blocked') AND EXISTS (SELECT FROM mc.run l WHERE l.job_id = r.job_id AND l.family = r.family
					AND l.seq = r.seq AND l.attempt > r.attempt AND l.state IN ('done', 'skipped', 'discarded')))
			AND NOT EXISTS (SELECT FROM mc.publish p WHERE p.run_id = r.run_id AND p.state IN ('prepared', 'publishing', 'conflict'))
			AND NOT EXISTS (SELECT FROM mc.gap g WHERE g.run_id = r.run_id AND g.closed_at IS NULL)
			AND NOT (r.family = 0 AND r.seq = last.seq)
			AND NOT EXISTS (SELECT FROM mc.source_object o WHERE o.run_id = r.run_id
				AND o.last_modified >= last.window_end - j.lookback - interval '1 day')
		ORDER BY r.started_at LIMIT limit_
		FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION mc._prune(mc.job, interval, bigint) IS 'mc.prune() of one job, at most so many runs';

CREATE FUNCTION mc.prune(older_than interval DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF older_than < '0' THEN
		PERFORM mc._raise('22023', 'older_than must not be negative', NULL, NULL);
	END IF;
	RETURN (SELECT COALESCE(pg_catalog.sum(mc._prune(j, older_than, NULL)), 0)::bigint FROM mc.job j);
END
$$;
COMMENT ON FUNCTION mc.prune(interval) IS
'forgets runs that ended longer ago than the retention of their job, with their rejects and positions; returns their number. mc.resolve_all() does it by itself, little by little';

-- The sweeper's share: once an hour and job, until nothing is left, so many runs at a time that no run
-- of a job waits long for it.
CREATE PROCEDURE mc._prune_all()
LANGUAGE plpgsql AS $$
DECLARE
	j record;
	n bigint;
BEGIN
	PERFORM mc._begin();
	FOR j IN SELECT t.job_id, t.name FROM mc.job t
			WHERE (t.pruned_at > pg_catalog.clock_timestamp() - interval '1 hour' AND t.pruned_at <= pg_catalog.clock_timestamp()) IS NOT TRUE
				AND mc._same_database(t)
			ORDER BY t.job_id LOOP
		PERFORM mc._begin();
		CONTINUE WHEN NOT mc._lock_job(j.job_id, sweep => true);
		COMMIT;
		PERFORM mc._begin();
		PERFORM pg_catalog.set_config('lock_timeout', '100ms', true);
		BEGIN
			n := mc._prune(t, NULL, 100) FROM mc.job t WHERE t.job_id = j.job_id;
			IF n < 100 THEN
				UPDATE mc.job t SET pruned_at = pg_catalog.clock_timestamp() WHERE t.job_id = j.job_id;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			-- another sweep will do
			RAISE WARNING 'old runs of job "%" are not forgotten yet: %', j.name, SQLERRM;
		END;
		PERFORM mc._unlock_job();
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE mc._prune_all() IS 'what mc.resolve_all() forgets of jobs';
