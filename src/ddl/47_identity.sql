-- Which database runs a job: a restored, promoted or copied one may know less than has been
-- published.

-- The timeline that is being written: pg_control_checkpoint() shows the new one only after the
-- first checkpoint that follows a promotion
CREATE FUNCTION mc._timeline() RETURNS int
LANGUAGE sql VOLATILE
RETURN CASE WHEN pg_catalog.pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
	ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int END;
COMMENT ON FUNCTION mc._timeline() IS 'timeline of the cluster';

CREATE FUNCTION mc._same_database(j mc.job) RETURNS boolean
LANGUAGE sql STABLE
RETURN j.system_identifier IS NOT DISTINCT FROM (SELECT system_identifier FROM pg_catalog.pg_control_system())
	AND j.timeline IS NOT DISTINCT FROM mc._timeline()
	AND j.database IS NOT DISTINCT FROM (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database());
COMMENT ON FUNCTION mc._same_database(mc.job) IS 'is this the cluster, timeline and database that ran the job last?';

CREATE FUNCTION mc._take_identity(job_id bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE mc.job SET incarnation = pg_catalog.gen_random_uuid(),
			system_identifier = (SELECT system_identifier FROM pg_catalog.pg_control_system()),
			timeline = mc._timeline(),
			database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
		WHERE job.job_id = $1;
$$;
COMMENT ON FUNCTION mc._take_identity(bigint) IS 'from now on the job is run by this database';

-- Another run of windows that a lost timeline has published: harmless for local tables, for
-- overwritten partitions and for keyed targets.
CREATE FUNCTION mc._repeatable(j mc.job, OUT repeatable boolean, OUT why text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
BEGIN
	repeatable := true;
	FOR t IN SELECT s.name, w.fdwname, COALESCE(
				(SELECT option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE option_name = 'write_mode'),
				(SELECT option_value FROM pg_catalog.pg_options_to_table(v.srvoptions) WHERE option_name = 'write_mode'), 'append') AS mode
			FROM pg_catalog.unnest(j.targets) AS s(name)
				JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = pg_catalog.to_regclass(s.name)
				JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver
				JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = v.srvfdw LOOP
		IF t.fdwname IN ('oss_fdw', 'tablestore_fdw') OR t.fdwname = 'maxcompute_fdw' AND t.mode = 'overwrite'
				AND COALESCE(j.settings ->> 'mc_fdw.write_mode', 'overwrite') = 'overwrite' THEN
			CONTINUE;
		END IF;
		repeatable := false;
		why := pg_catalog.format('Rows that are written to %s a second time would be there twice.', t.name);
		RETURN;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._repeatable(mc.job) IS 'do all targets of the job converge when a window is run again?';

-- Each run reports its positions before it publishes, so a group that has what is recorded
-- here knows of no other run; a source without a group tells nothing.
CREATE FUNCTION mc._all_marked(j mc.job) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT cardinality(j.sources) > 0 AND NOT EXISTS (SELECT FROM unnest(j.sources) s
		WHERE NOT EXISTS (SELECT FROM pg_foreign_table f
			JOIN pg_foreign_server v ON v.oid = f.ftserver
			JOIN pg_foreign_data_wrapper w ON w.oid = v.srvfdw AND w.fdwname = 'loghub_fdw',
			pg_options_to_table(f.ftoptions) o
			WHERE f.ftrelid = to_regclass(s) AND o.option_name = 'consumer_group'));
$$;
COMMENT ON FUNCTION mc._all_marked(mc.job) IS 'do consumer groups know the positions of all sources of the job?';

CREATE FUNCTION mc._check_identity(j mc.job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
	ahead boolean;
BEGIN
	IF mc._same_database(j) THEN
		RETURN;
	END IF;
	SELECT * INTO r FROM mc._repeatable(j);
	IF NOT r.repeatable AND mc._all_marked(j) THEN
		ahead := mc._mark_ahead(j.job_id);
		IF ahead THEN
			r.why := 'A consumer group of its sources has positions that this database did not report: windows from '
				|| mc._published_until(j) || ' on have been published by another one. ' || r.why;
		END IF;
	END IF;
	IF NOT r.repeatable AND ahead IS NOT FALSE THEN
		PERFORM mc._raise('55000', pg_catalog.format('job "%s" was last run by another database', j.name),
			'The cluster was restored, promoted or copied: windows may have been published that are not recorded here. ' || r.why,
			pg_catalog.format('When nothing else runs the job any more, find out what the target holds and SELECT mc.adopt_job(%L).', j.name));
	END IF;
	RAISE NOTICE 'job "%" was last run by another database and is continued by this one', j.name
		USING DETAIL = CASE WHEN r.repeatable THEN 'Windows that are not recorded here are run again; all targets of the job converge.'
			ELSE 'The consumer groups of its sources have the positions that are recorded here.' END;
	PERFORM mc._take_identity(j.job_id);
END
$$;
COMMENT ON FUNCTION mc._check_identity(mc.job) IS 'stops a job whose books may have gone back, unless all its targets converge or its consumer groups know of nothing newer';

CREATE FUNCTION mc.adopt_job(job text, from_ timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(adopt_job.job);
	last mc.run;
	lo timestamptz;
	hi timestamptz;
	next_seq bigint;
	attempt int;
BEGIN
	IF NOT mc._lock_job_now(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL, NULL);
	END IF;
	PERFORM mc._take_identity(j.job_id);
	IF j.fence IS NOT NULL THEN
		UPDATE mc.job t SET fence_last = ARRAY[mc._fence_read(t.job_id)], fence_next = NULL WHERE t.job_id = j.job_id;
	END IF;
	IF from_ IS NULL THEN
		RETURN;
	END IF;
	SELECT * INTO last FROM mc.run t WHERE t.job_id = j.job_id AND family = 0 ORDER BY seq DESC, attempt DESC LIMIT 1;
	IF NOT isfinite(from_) OR from_ > clock_timestamp() THEN
		PERFORM mc._raise('22023', 'windows that are still to come cannot have been published', NULL, NULL);
	END IF;
	IF last.state IN ('running', 'prepared', 'publishing', 'conflict') THEN
		PERFORM mc._raise('55000', format('the last window of job "%s" is %s', j.name, last.state), NULL,
			'Settle it with mc.resolve_run() first.');
	END IF;
	-- a window that failed here was published by the other database, too
	attempt := CASE WHEN last.state IN ('failed', 'blocked', 'lost') THEN last.attempt + 1 ELSE 1 END;
	lo := COALESCE(CASE WHEN attempt > 1 THEN last.window_begin ELSE last.window_end END, j.start);
	next_seq := COALESCE(last.seq, 0) + CASE WHEN attempt > 1 THEN 0 ELSE 1 END;
	WHILE lo < from_ LOOP
		hi := CASE WHEN attempt > 1 THEN last.window_end ELSE mc._add(lo, j.every, j.timezone) END;
		IF hi > from_ THEN
			PERFORM mc._raise('22023', pg_catalog.format('no window of job "%s" begins at %s', j.name, from_),
				pg_catalog.format('Its windows are [%s, %s) and so on.', lo, hi), NULL);
		END IF;
		INSERT INTO mc.run (job_id, family, seq, attempt, window_begin, window_end, state, version, write_ts, finished_at, note, owner)
			VALUES (j.job_id, 0, next_seq, attempt, lo, hi, 'discarded', j.version,
				pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint,
				pg_catalog.clock_timestamp(), 'published by another database', j.owner);
		next_seq := next_seq + 1;
		attempt := 1;
		lo := hi;
	END LOOP;
	IF lo > from_ THEN
		PERFORM mc._raise('22023', pg_catalog.format('job "%s" has recorded windows until %s', j.name, lo), NULL,
			'mc.reset_job() goes back.');
	END IF;
	-- the recorded positions are those of an earlier time
	DELETE FROM mc.checkpoint t WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc.adopt_job(text, timestamptz) IS
'from now on this database runs the job, and its fence is this database''s; from_: windows before it were published by the other one and are not run here';
