-- Rules that a run follows: failures and retries, dependencies, ownership of targets,
-- identity of the database.

-- A gap may take several windows to close
CREATE FUNCTION mc._close_gaps(r mc.run) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	UPDATE mc.gap g SET closed_at = pg_catalog.clock_timestamp()
		WHERE g.job_id = r.job_id AND g.closed_at IS NULL AND g.window_begin < r.window_end AND g.window_end > r.window_begin
			AND pg_catalog.tstzmultirange(pg_catalog.tstzrange(g.window_begin, g.window_end)) <@
				((SELECT COALESCE(pg_catalog.range_agg(pg_catalog.tstzrange(d.window_begin, d.window_end)), '{}')
				  FROM mc.run d WHERE d.job_id = g.job_id AND d.state = 'done' AND d.started_at > g.created_at)
				 + pg_catalog.tstzmultirange(pg_catalog.tstzrange(r.window_begin, r.window_end)));
$$;
COMMENT ON FUNCTION mc._close_gaps(mc.run) IS 'closes the gaps that windows done since, this one included, cover';

CREATE FUNCTION mc._settle_local(run_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
BEGIN
	SELECT * INTO STRICT r FROM mc.run WHERE run.run_id = _settle_local.run_id;
	PERFORM mc._close_gaps(r);
	PERFORM mc._notify(r.job_id, 'done', r.window_begin, r.window_end, NULL);
	RETURN 'done';
END
$$;
COMMENT ON FUNCTION mc._settle_local(bigint) IS 'what is to be done when a run without entries is committed';

CREATE FUNCTION mc._failed(run_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
	j mc.job;
	attempts int;
	result text := 'failed';
BEGIN
	SELECT * INTO STRICT r FROM mc.run WHERE run.run_id = _failed.run_id;
	SELECT * INTO STRICT j FROM mc.job WHERE job_id = r.job_id;
	SELECT count(*) INTO attempts FROM mc.run
		WHERE job_id = r.job_id AND family = r.family AND seq = r.seq AND state = 'failed' AND counts_as_attempt;
	IF r.family = 0 AND attempts > j.retry_limit THEN
		-- a window of a chained source can be passed over only if it is known where it ends
		result := CASE WHEN j.on_failure = 'skip' AND mc._save_positions(run_id) THEN 'skipped' ELSE 'blocked' END;
		UPDATE mc.run SET state = result WHERE run.run_id = _failed.run_id;
		IF result = 'skipped' THEN
			INSERT INTO mc.gap (job_id, window_begin, window_end, run_id, reason, owner)
				VALUES (r.job_id, r.window_begin, r.window_end, r.run_id, r.error_message, r.owner)
				ON CONFLICT DO NOTHING;
		END IF;
	END IF;
	PERFORM mc._notify(r.job_id, result, r.window_begin, r.window_end, r.error_message);
	RETURN result;
END
$$;
COMMENT ON FUNCTION mc._failed(bigint) IS 'what follows from a failed attempt: another one, a blocked job or a gap';

-- Rows of the books do not keep a role from being dropped.  Without its rights the text would be run
-- with those that everybody has, and nothing could be published.
CREATE FUNCTION mc._check_owner(j mc.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = j.owner) THEN
		PERFORM mc._raise('42704', format('the owner of job "%s" does not exist any more', j.name),
			format('It was the role with OID %s. Nothing of the job is run or published.', j.owner::oid),
			format('A superuser gives the job to a role that can do what it needs: UPDATE mc.job SET owner = ''...'' WHERE name = %L; or drops it with mc.drop_job().',
				j.name));
	END IF;
END
$$;
COMMENT ON FUNCTION mc._check_owner(mc.job) IS 'raises if the role that a job belongs to was dropped';

CREATE FUNCTION mc._may_retry(j mc.job, last mc.run, retry boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	losses bigint;
BEGIN
	IF last.state = 'blocked' THEN
		IF retry THEN
			RETURN true;
		END IF;
		PERFORM mc._raise('55000', pg_catalog.format('job "%s" is blocked: its window [%s, %s) failed %s times', j.name,
			last.window_begin, last.window_end, last.attempt), last.error_message,
			pg_catalog.format('When the cause is removed: CALL mc.run_job(%L, retry => true). To leave the window out, as a gap: SELECT mc.resolve_run(%s, ''discard'').',
				j.name, last.run_id));
	END IF;
	IF NOT retry AND last.state = 'failed' AND last.counts_as_attempt
			AND pg_catalog.clock_timestamp() < last.finished_at + j.retry_delay THEN
		RAISE NOTICE 'job "%" will try its window again after %', j.name, last.finished_at + j.retry_delay;
		RETURN false;
	END IF;
	IF last.state = 'lost' AND NOT retry THEN
		-- the first loss is made good at once; what loses everything again and again is waited for
		SELECT count(*) INTO losses FROM mc.run
			WHERE job_id = j.job_id AND family = last.family AND seq = last.seq AND run.state = 'lost';
		IF losses > j.retry_limit + 1 THEN
			PERFORM mc._raise('55000', pg_catalog.format('window [%s, %s) of job "%s" has lost what it prepared %s times', last.window_begin,
				last.window_end, j.name, losses), last.note, pg_catalog.format('When the cause is removed: CALL mc.run_job(%L, retry => true).', j.name));
		ELSIF losses > 1 AND pg_catalog.clock_timestamp() < last.sealed_at + j.retry_delay THEN
			RAISE NOTICE 'job "%" will try its window again after %', j.name, last.sealed_at + j.retry_delay;
			RETURN false;
		END IF;
	END IF;
	IF last.state = 'lost' AND last.direct_effects THEN
		PERFORM mc._raise('55000', pg_catalog.format('window [%s, %s) of job "%s" lost what it had prepared and cannot be done again by itself',
				last.window_begin, last.window_end, j.name), 'It has also written what is visible at once; that would be repeated.', pg_catalog.format('Look at mc.publish for run %s, then SELECT mc.resolve_run(%s, ''redo'' or ''discard'').', last.run_id, last.run_id));
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION mc._may_retry(mc.job, mc.run, boolean) IS 'may the window of this failed or lost run be done again now?';

CREATE FUNCTION mc._raise_open(j mc.job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
BEGIN
	SELECT * INTO r FROM mc.run WHERE job_id = j.job_id AND run.state IN ('prepared', 'publishing', 'conflict')
		ORDER BY run_id LIMIT 1;
	IF r.state <> 'conflict' THEN
		PERFORM mc._fence_check(j);
	END IF;
	PERFORM mc._raise('55000',
		pg_catalog.format(CASE r.state WHEN 'conflict' THEN 'window [%s, %s) of job "%s" is in conflict'
			ELSE 'window [%s, %s) of job "%s" is not published yet' END, r.window_begin, r.window_end, j.name),
		r.note,
		CASE r.state WHEN 'conflict' THEN
				pg_catalog.format('Find out what the target holds, then SELECT mc.resolve_run(%s, ''published'', ''redo'' or ''discard'').', r.run_id)
			ELSE 'It is tried again by the next call and by mc.resolve_all().' END);
END
$$;
COMMENT ON FUNCTION mc._raise_open(mc.job) IS 'the error of a job whose last run is not settled';

CREATE FUNCTION mc._depends_met(j mc.job, hi timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	other text;
	until timestamptz;
BEGIN
	FOREACH other IN ARRAY j.depends_on LOOP
		SELECT mc._published_until(d) INTO until FROM mc.job d WHERE d.name = other;
		IF until IS NULL THEN
			RAISE NOTICE 'job "%" waits for job "%", which is not there', j.name, other;
			RETURN false;
		ELSIF until < hi THEN
			RAISE NOTICE 'job "%" waits for job "%", which is published until %', j.name, other, until;
			RETURN false;
		END IF;
	END LOOP;
	RETURN true;
END
$$;
COMMENT ON FUNCTION mc._depends_met(mc.job, timestamptz) IS 'have all jobs that this one depends on published until then?';

-- The last window is the only one that can be open
CREATE FUNCTION mc._published_until(j mc.job) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN COALESCE((SELECT CASE WHEN r.state IN ('done', 'skipped', 'discarded') THEN r.window_end ELSE r.window_begin END FROM mc.run r
	WHERE r.job_id = j.job_id AND r.family = 0 ORDER BY r.seq DESC, r.attempt DESC LIMIT 1), j.start);
COMMENT ON FUNCTION mc._published_until(mc.job) IS 'up to where every window of the job is published';

CREATE FUNCTION mc._check_targets(run_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
	j mc.job;
	clash record;
BEGIN
	SELECT * INTO STRICT r FROM mc.run WHERE run.run_id = _check_targets.run_id;
	SELECT * INTO STRICT j FROM mc.job WHERE job_id = r.job_id;
	SELECT p.label, o.*, b.name AS other INTO clash
		FROM mc.publish p JOIN mc.target_owner o USING (target) LEFT JOIN mc.job b ON b.job_id = o.job_id
		WHERE p.run_id = _check_targets.run_id AND p.mode = 'overwrite'
			AND (o.job_id <> j.job_id AND NOT j.adopt_target
				OR o.job_id = j.job_id AND j.overwrite_scope = 'window'
					AND (o.window_begin, o.window_end) <> (r.window_begin, r.window_end))
		LIMIT 1;
	IF FOUND AND clash.job_id <> j.job_id THEN
		PERFORM mc._raise('55006', pg_catalog.format('%s belongs to job "%s"', clash.label, clash.other), NULL, 'Set adopt_target if this job shall overwrite it.');
	ELSIF FOUND THEN
		PERFORM mc._raise('55006', pg_catalog.format('%s was overwritten by another window of job "%s"', clash.label, j.name), pg_catalog.format('Window [%s, %s) wrote it; this window would erase those rows.', clash.window_begin, clash.window_end), 'Choose partitions that belong to one window each, write_mode ''append'', or overwrite_scope => ''snapshot'' if each window holds everything.');
	END IF;
	-- a snapshot only goes forward: an older window that is done again leaves the newer one's rows
	UPDATE mc.publish p SET state = 'superseded', outcome = 'a newer window has written it', changed_at = pg_catalog.clock_timestamp()
		FROM mc.target_owner o
		WHERE p.run_id = _check_targets.run_id AND p.service = 'maxcompute' AND p.mode IN ('overwrite', 'erase')
			AND j.overwrite_scope = 'snapshot' AND o.target = p.target AND o.job_id = j.job_id AND o.window_begin > r.window_begin;
	-- a redo makes what an earlier attempt had still to erase
	UPDATE mc.publish p SET state = 'superseded', outcome = 'a later attempt makes it again', changed_at = pg_catalog.clock_timestamp()
		FROM mc.run x WHERE x.run_id = p.run_id AND x.job_id = r.job_id AND x.family = r.family AND x.seq = r.seq
			AND x.attempt < r.attempt AND p.state IN ('prepared', 'publishing');
	-- what an earlier attempt has appended is not appended again
	SELECT e.label INTO clash FROM mc.publish e JOIN mc.run x USING (run_id)
		WHERE x.job_id = r.job_id AND x.family = r.family AND x.seq = r.seq AND x.attempt < r.attempt
			AND e.service = 'maxcompute' AND e.mode = 'append'
		GROUP BY e.run_id, e.target, e.label
		HAVING bool_or(e.state = 'published') AND NOT bool_and(e.state = 'published')
		LIMIT 1;
	IF FOUND THEN
		PERFORM mc._raise('55000', pg_catalog.format('%s holds a part of what an earlier attempt has appended', clash.label),
			'Which of the rows it holds is not known, so the window cannot be done again by itself.',
			'Remove the rows of the window and use mc.resolve_run(), or write with write_mode ''overwrite''.');
	END IF;
	UPDATE mc.publish p SET state = 'superseded', outcome = 'an earlier attempt has published it'
		WHERE p.run_id = _check_targets.run_id AND p.service = 'maxcompute' AND p.mode = 'append'
			AND EXISTS (SELECT FROM mc.publish e JOIN mc.run x USING (run_id)
				WHERE x.job_id = r.job_id AND x.family = r.family AND x.seq = r.seq AND x.attempt < r.attempt
					AND e.target = p.target AND e.state = 'published');
END
$$;
COMMENT ON FUNCTION mc._check_targets(bigint) IS 'refuses to overwrite what another window or job owns';

CREATE FUNCTION mc.release_target(job text, target text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(release_target.job);
	n bigint;
BEGIN
	DELETE FROM mc.target_owner o WHERE o.job_id = j.job_id AND (release_target.target IS NULL OR o.target = release_target.target);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION mc.release_target(text, text) IS
'a job gives up a target that it has overwritten (a row of mc.target_owner), or all of them: a job of another role may overwrite it then; returns their number';

CREATE FUNCTION mc._wait_standby() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_wait_standby';
COMMENT ON FUNCTION mc._wait_standby() IS 'raises unless the last commit of this session has reached the synchronous standbys, if there are any';

CREATE FUNCTION mc._save_positions(run_id bigint) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_save_positions';
COMMENT ON FUNCTION mc._save_positions(bigint) IS 'records the window of a run that failed as read, so that it can be skipped; false if its ends are not known';

CREATE FUNCTION mc._save_rejects(run_id bigint) RETURNS int
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_save_rejects';
COMMENT ON FUNCTION mc._save_rejects(bigint) IS 'stores what the run that this session executed has rejected, as much as was kept; returns the number';
