-- Controlling jobs: change, pause, schedule, settle by hand, repeat windows.

CREATE FUNCTION mc.alter_job(job text, statement text DEFAULT NULL, every interval DEFAULT NULL, lag interval DEFAULT NULL,
	depends_on text[] DEFAULT NULL, retry_limit int DEFAULT NULL, retry_delay interval DEFAULT NULL,
	on_failure text DEFAULT NULL, max_windows int DEFAULT NULL, max_runtime interval DEFAULT NULL,
	overwrite_scope text DEFAULT NULL, adopt_target boolean DEFAULT NULL, at_least_once boolean DEFAULT NULL,
	on_object_change text DEFAULT NULL, lookback interval DEFAULT NULL, keep_rejects boolean DEFAULT NULL,
	retention interval DEFAULT NULL, notify text DEFAULT NULL, settings jsonb DEFAULT NULL, comment text DEFAULT NULL,
	lint boolean DEFAULT true, status_table text DEFAULT NULL, fence text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(alter_job.job);
BEGIN
	IF every IS NOT NULL THEN
		PERFORM mc._check_every(every, mc._published_until(j), j.timezone);
	END IF;
	PERFORM mc._check_rules(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('lag', extract(epoch FROM lag),
		'retry_limit', retry_limit, 'retry_delay', extract(epoch FROM retry_delay), 'on_failure', on_failure, 'max_windows', max_windows,
		'max_runtime', extract(epoch FROM max_runtime), 'overwrite_scope', overwrite_scope, 'on_object_change', on_object_change,
		'lookback', extract(epoch FROM lookback), 'retention', extract(epoch FROM retention), 'notify', notify)));
	PERFORM mc._check_settings(settings);
	PERFORM mc._check_depends(j.name, depends_on);
	IF statement IS NOT NULL THEN
		j.version := j.version + 1;
		INSERT INTO mc.job_version (job_id, version, statement, owner) VALUES (j.job_id, j.version, statement, j.owner);
	END IF;
	UPDATE mc.job t SET
			version = j.version,
			every = COALESCE(alter_job.every, t.every),
			lag = COALESCE(alter_job.lag, t.lag),
			depends_on = COALESCE(alter_job.depends_on, t.depends_on),
			retry_limit = COALESCE(alter_job.retry_limit, t.retry_limit),
			retry_delay = COALESCE(alter_job.retry_delay, t.retry_delay),
			on_failure = COALESCE(alter_job.on_failure, t.on_failure),
			max_windows = COALESCE(alter_job.max_windows, t.max_windows),
			max_runtime = COALESCE(alter_job.max_runtime, t.max_runtime),
			overwrite_scope = COALESCE(alter_job.overwrite_scope, t.overwrite_scope),
			adopt_target = COALESCE(alter_job.adopt_target, t.adopt_target),
			at_least_once = COALESCE(alter_job.at_least_once, t.at_least_once),
			on_object_change = COALESCE(alter_job.on_object_change, t.on_object_change),
			lookback = COALESCE(alter_job.lookback, t.lookback),
			keep_rejects = COALESCE(alter_job.keep_rejects, t.keep_rejects),
			retention = COALESCE(alter_job.retention, t.retention),
			notify = COALESCE(alter_job.notify, t.notify),
			settings = t.settings || COALESCE(alter_job.settings, '{}'),
			comment = COALESCE(alter_job.comment, t.comment),
			status_table = COALESCE(mc._status_table(alter_job.status_table, t.settings ->> 'search_path'), t.status_table)
		WHERE t.job_id = j.job_id;
	IF fence IS NOT NULL THEN
		PERFORM mc._fence_set(j, fence);
	END IF;
	IF statement IS NOT NULL THEN
		PERFORM mc._describe(j.job_id);
		IF lint IS NOT FALSE THEN
			PERFORM mc._lint_job(j.job_id);
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION mc.alter_job IS
'changes what is given of a job; another statement is a new version, used from the next new window; fence => '''' means none. Columns of mc.job can also be set to NULL by UPDATE';

CREATE FUNCTION mc.drop_job(job text, force boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(drop_job.job);
	n bigint;
BEGIN
	IF NOT mc._lock_job_now(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL,
			'Wait for the end of its window, or end the session that mc.progress shows.');
	END IF;
	SELECT count(*) INTO n FROM mc.publish p JOIN mc.run r USING (run_id)
		WHERE r.job_id = j.job_id AND p.state IN ('prepared', 'publishing', 'conflict');
	IF n > 0 AND NOT force THEN
		PERFORM mc._raise('55000', pg_catalog.format('job "%s" has %s entries that are not published', j.name, n),
			'They would be lost, or remain unknown.', 'CALL mc.resolve_all() first, or use force => true.');
	END IF;
	PERFORM mc.unschedule_job(j.name);
	DELETE FROM mc.job t WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc.drop_job(text, boolean) IS 'removes a job with its history; what it has written stays';

CREATE FUNCTION mc.pause_job(job text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(pause_job.job);
BEGIN
	UPDATE mc.job t SET paused = true WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc.pause_job(text) IS 'no new window of the job begins; what is prepared is still published';

CREATE FUNCTION mc.resume_job(job text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(resume_job.job);
BEGIN
	UPDATE mc.job t SET paused = false WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc.resume_job(text) IS 'ends mc.pause_job()';

-- Anybody with CREATE in the database can make a schema of that name
CREATE FUNCTION mc._has_cron() RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron')
	AND pg_catalog.to_regprocedure('cron.schedule(text, text, text)') IS NOT NULL;
COMMENT ON FUNCTION mc._has_cron() IS 'is pg_cron installed in this database?';

CREATE FUNCTION mc._require_cron() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT mc._has_cron() THEN
		PERFORM mc._raise('55000', 'pg_cron is not installed in this database', NULL,
			'Set shared_preload_libraries = ''pg_cron'' and cron.database_name, then CREATE EXTENSION pg_cron; or CALL mc.run_job() from any other scheduler.');
	END IF;
END
$$;
COMMENT ON FUNCTION mc._require_cron() IS 'raises unless pg_cron can be used';

CREATE FUNCTION mc.schedule_job(job text, schedule text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(schedule_job.job);
	id bigint;
BEGIN
	PERFORM mc._require_cron();
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO id USING 'mc ' || j.name,
		COALESCE(schedule, CASE WHEN j.every < '5 minutes' THEN '* * * * *' WHEN j.every < '1 hour' THEN '*/5 * * * *'
			WHEN j.every < '1 day' THEN '*/10 * * * *' ELSE '*/30 * * * *' END),
		pg_catalog.format('CALL mc.run_job(%L)', j.name);
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING 'mc resolve_all', '* * * * *', 'CALL mc.resolve_all()';
	RETURN id;
END
$$;
COMMENT ON FUNCTION mc.schedule_job(text, text) IS
'lets pg_cron run a job, by default as often as its windows are due, and mc.resolve_all() every minute, both as the current user; returns the id of the job in pg_cron';

CREATE FUNCTION mc.unschedule_job(job text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM mc._job(unschedule_job.job);
	IF mc._has_cron() THEN
		EXECUTE 'SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = $1' USING 'mc ' || unschedule_job.job;
	END IF;
END
$$;
COMMENT ON FUNCTION mc.unschedule_job(text) IS 'ends mc.schedule_job()';

CREATE PROCEDURE mc.resolve_all()
LANGUAGE plpgsql AS $$
DECLARE
	j record;
	state text;
BEGIN
	PERFORM mc._begin();
	FOR j IN SELECT t.job_id, t.name, mc._same_database(t) AS same FROM mc.job t
			WHERE EXISTS (SELECT FROM mc.run r WHERE r.job_id = t.job_id AND r.state IN ('running', 'prepared', 'publishing'))
			ORDER BY t.job_id LOOP
		PERFORM mc._begin();
		IF NOT j.same THEN
			RAISE WARNING 'entries of job "%" are left alone: it was last run by another database', j.name
				USING HINT = 'CALL mc.run_job() or SELECT mc.adopt_job() decides who goes on.';
			CONTINUE;
		END IF;
		CONTINUE WHEN NOT mc._lock_job(j.job_id, sweep => true);
		COMMIT;
		CALL mc._resolve(j.job_id, state, true);
		PERFORM mc._unlock_job();
		COMMIT;
	END LOOP;
	CALL mc._prune_all();
END
$$;
COMMENT ON PROCEDURE mc.resolve_all() IS
'publishes what runs of jobs have prepared and not published, and forgets what is beyond its retention; begins no window. Schedule it every minute';

CREATE FUNCTION mc.resolve_run(run_id bigint, how text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
	untold text;
BEGIN
	SELECT * INTO r FROM mc.run t WHERE t.run_id = resolve_run.run_id FOR UPDATE;
	IF r.run_id IS NULL THEN
		PERFORM mc._raise('42704', pg_catalog.format('run %s does not exist', COALESCE(resolve_run.run_id::text, 'NULL')), NULL,
			'SELECT run_id, state, note FROM mc.run shows those of jobs that you may use.');
	END IF;
	IF NOT mc._lock_job_now(r.job_id) THEN
		PERFORM mc._raise('55006', 'the job is being run by another session', NULL, NULL);
	END IF;
	IF how NOT IN ('published', 'redo', 'discard') OR how IS NULL THEN
		PERFORM mc._raise('22023', pg_catalog.format('a run cannot be settled by "%s"', how), NULL,
			'''published'': everything is in the target; ''redo'': nothing of it is, do the window again; ''discard'': leave the window out.');
	END IF;
	IF EXISTS (SELECT FROM mc.run t WHERE t.job_id = r.job_id AND t.family = r.family AND t.seq = r.seq AND t.attempt > r.attempt) THEN
		PERFORM mc._raise('55000', pg_catalog.format('run %s is not the last attempt of its window', r.run_id), NULL,
			'A later run has taken its place.');
	END IF;
	IF r.state NOT IN ('conflict', 'lost', 'publishing', 'prepared', 'blocked') OR r.state = 'blocked' AND how <> 'discard' THEN
		PERFORM mc._raise('55000', pg_catalog.format('run %s is %s', r.run_id, r.state), NULL,
			'Only runs that are in conflict, lost, not published or blocked can be settled by hand.');
	END IF;
	IF how = 'published' THEN
		-- they vouch for objects by ETag and checksum, which nobody has compared
		WITH left_out AS (
			UPDATE mc.publish p SET state = 'discarded', outcome = p.label || ': not put, the run was settled by hand', changed_at = pg_catalog.clock_timestamp()
				WHERE p.run_id = r.run_id AND p.kind IN ('manifest', 'success') AND p.state IN ('prepared', 'publishing', 'conflict', 'lost')
				RETURNING p.ordinal, p.label)
		SELECT pg_catalog.string_agg(label, ', ' ORDER BY ordinal) INTO untold FROM left_out;
		IF untold IS NOT NULL THEN
			RAISE NOTICE 'readers are not told of this run: % not put', untold
				USING HINT = 'The next window puts its own success file. Readers of manifests learn of this window when it is done again, by redo in place of published, or by mc.backfill().';
		END IF;
		UPDATE mc.publish p SET state = 'published', outcome = 'settled by hand', changed_at = pg_catalog.clock_timestamp()
			WHERE p.run_id = r.run_id AND p.state IN ('prepared', 'publishing', 'conflict', 'lost');
		UPDATE mc.run t SET state = 'publishing' WHERE t.run_id = r.run_id;
		RETURN mc._settle(r.run_id);
	END IF;
	UPDATE mc.publish p SET state = 'discarded', outcome = 'settled by hand', changed_at = pg_catalog.clock_timestamp()
		WHERE p.run_id = r.run_id AND p.state IN ('prepared', 'publishing', 'conflict', 'lost');
	UPDATE mc.run t SET state = CASE how WHEN 'redo' THEN 'lost' ELSE 'discarded' END, direct_effects = false,
			finished_at = pg_catalog.clock_timestamp()
		WHERE t.run_id = r.run_id;
	IF how = 'discard' THEN
		INSERT INTO mc.gap (job_id, window_begin, window_end, run_id, reason, owner)
			VALUES (r.job_id, r.window_begin, r.window_end, r.run_id, COALESCE(r.note, r.error_message, 'discarded'), r.owner)
			ON CONFLICT DO NOTHING;
	END IF;
	RETURN CASE how WHEN 'redo' THEN 'lost' ELSE 'discarded' END;
END
$$;
COMMENT ON FUNCTION mc.resolve_run(bigint, text) IS
'settles a run that the job cannot settle by itself: how is published, redo or discard. Look at its target first';

CREATE FUNCTION mc.reset_job(job text, to_ timestamptz, duplicate_ok boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(reset_job.job);
	last mc.run;
BEGIN
	IF NOT mc._lock_job_now(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL, NULL);
	END IF;
	SELECT * INTO last FROM mc.run t WHERE t.job_id = j.job_id AND family = 0 ORDER BY seq DESC, attempt DESC LIMIT 1;
	IF last.state IN ('running', 'prepared', 'publishing', 'conflict', 'lost') THEN
		PERFORM mc._raise('55000', pg_catalog.format('the last window of job "%s" is %s', j.name, last.state), NULL,
			'CALL mc.run_job() or mc.resolve_all(), or SELECT mc.resolve_run().');
	END IF;
	IF to_ IS NULL OR NOT pg_catalog.isfinite(to_) OR pg_catalog.date_trunc('second', to_) <> to_ THEN
		PERFORM mc._raise('22023', 'windows begin at whole seconds', NULL, NULL);
	END IF;
	IF last.run_id IS NULL THEN
		UPDATE mc.job t SET start = to_ WHERE t.job_id = j.job_id;
		RETURN;
	END IF;
	IF to_ < last.window_end AND NOT duplicate_ok AND EXISTS (
			SELECT FROM mc.run t WHERE t.job_id = j.job_id AND t.window_end > to_ AND mc._repeats_harm(t)) THEN
		PERFORM mc._raise('55000', pg_catalog.format('windows of job "%s" since %s have added rows that a second run would add again', j.name, to_), NULL,
			'Remove those rows first and use duplicate_ok => true.');
	END IF;
	IF to_ > last.window_end THEN
		INSERT INTO mc.gap (job_id, window_begin, window_end, reason, owner) VALUES (j.job_id, last.window_end, to_, 'mc.reset_job', j.owner)
			ON CONFLICT DO NOTHING;
	END IF;
	-- recorded windows that begin there are read again by position; else positions begin anew
	IF NOT EXISTS (SELECT FROM mc.run t WHERE t.job_id = j.job_id AND t.window_begin = to_ AND t.state = 'done') THEN
		DELETE FROM mc.checkpoint t WHERE t.job_id = j.job_id;
		DELETE FROM mc.run_shard t WHERE t.job_id = j.job_id AND t.window_end > to_;
		DELETE FROM mc.source_object t WHERE t.job_id = j.job_id AND t.window_end > to_;
	END IF;
	INSERT INTO mc.run (job_id, family, seq, attempt, window_begin, window_end, state, version, write_ts, finished_at, note, owner)
		VALUES (j.job_id, 0, last.seq + 1, 1, LEAST(last.window_begin, to_ - interval '1 second'), to_, 'skipped', j.version, last.write_ts,
			pg_catalog.clock_timestamp(), 'mc.reset_job', j.owner);
END
$$;
COMMENT ON FUNCTION mc.reset_job(text, timestamptz, boolean) IS
'the next window of the job begins there; backwards repeats windows, forwards leaves a gap';

CREATE FUNCTION mc._repeats_harm(r mc.run) RETURNS boolean
LANGUAGE sql STABLE
RETURN r.state = 'done' AND (r.direct_effects OR EXISTS (SELECT FROM mc.publish p
	WHERE p.run_id = r.run_id AND p.state = 'published' AND p.service <> 'oss' AND p.mode = 'append'));
COMMENT ON FUNCTION mc._repeats_harm(mc.run) IS 'would another run of this window add its rows a second time?';

CREATE FUNCTION mc._lock_job_now(job_id bigint) RETURNS boolean
LANGUAGE plpgsql STRICT VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- a snapshot that is older than the lock does not show what the lock's last holder has done
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		PERFORM mc._raise('0A000', 'jobs cannot be changed by hand in a ' || current_setting('transaction_isolation') || ' transaction',
			'It may not see what their last run has done.', 'Use isolation level READ COMMITTED.');
	END IF;
	RETURN pg_try_advisory_xact_lock(x'6d63'::int, job_id::int);
END
$$;
COMMENT ON FUNCTION mc._lock_job_now(bigint) IS 'the lock of mc._lock_job() until the end of the transaction';

CREATE PROCEDURE mc.backfill(job text, from_ timestamptz, until timestamptz, duplicate_ok boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
	j mc.job;
	w record;
	fam int;
	n int := 0;
	id bigint := 0;
	state text;
BEGIN
	PERFORM mc._begin();
	j := mc._job(backfill.job);
	IF NOT mc._lock_job(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL, NULL);
	END IF;
	COMMIT;
	CALL mc._resolve(j.job_id, state);
	PERFORM mc._begin();
	IF state <> 'settled' THEN
		PERFORM mc._raise_open(j);
	END IF;
	-- what a backfill has recorded is what a later run of the window would read
	PERFORM mc._check_backfill(j, from_, until);
	SELECT COALESCE(pg_catalog.max(family), 0) + 1 INTO fam FROM mc.run t WHERE t.job_id = j.job_id;
	IF NOT duplicate_ok THEN
		SELECT t.window_begin, t.window_end INTO w FROM mc.run t
			WHERE t.job_id = j.job_id AND t.window_begin < until AND t.window_end > from_ AND mc._repeats_harm(t)
			ORDER BY t.window_begin LIMIT 1;
		IF FOUND THEN
			PERFORM mc._raise('55000', pg_catalog.format('window [%s, %s) of job "%s" is done and would add its rows a second time', w.window_begin, w.window_end, j.name),
				NULL, 'Remove its rows first and use duplicate_ok => true.');
		END IF;
	END IF;
	FOR w IN SELECT * FROM mc._backfill_windows(j, from_, until) LOOP
		n := n + 1;
		CALL mc._run_window(j.job_id, fam, n, 1, w.lo, w.hi, j.version,
			COALESCE(NULLIF(w.write_ts, 0), pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint), state);
		PERFORM mc._begin();
		IF state <> 'done' THEN
			SELECT run_id INTO id FROM mc.run t WHERE t.job_id = j.job_id AND family = fam AND seq = n;
			PERFORM mc._raise('55000', pg_catalog.format('window [%s, %s) of the backfill of job "%s" is %s', w.lo, w.hi, j.name, state),
				(SELECT note FROM mc.run t WHERE t.run_id = id), 'Settle it, then begin the backfill there again.');
		END IF;
	END LOOP;
	PERFORM mc._unlock_job();
	RAISE NOTICE 'job "%": % done again', j.name, CASE n WHEN 1 THEN '1 window' ELSE n || ' windows' END;
END
$$;
COMMENT ON PROCEDURE mc.backfill(text, timestamptz, timestamptz, boolean) IS
'runs the windows of a job between two times again, recorded ones by their recorded positions; the job''s own position does not move';

CREATE FUNCTION mc._check_backfill(j mc.job, from_ timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	position timestamptz := COALESCE((SELECT t.window_end FROM mc.run t WHERE t.job_id = j.job_id AND t.family = 0
		AND t.state IN ('done', 'skipped', 'discarded') ORDER BY t.seq DESC, t.attempt DESC LIMIT 1), j.start);
BEGIN
	IF (from_ < until AND isfinite(from_) AND isfinite(until) AND date_trunc('second', from_) = from_ AND date_trunc('second', until) = until)
			IS NOT TRUE THEN
		PERFORM mc._raise('22023', 'a backfill goes from one whole second to a later one', NULL, NULL);
	END IF;
	IF until > position THEN
		PERFORM mc._raise('22023', format('job "%s" has not come to %s yet', j.name, until),
			format('Its next window begins at %s.', position), 'mc.run_job() runs the windows that follow.');
	END IF;
END
$$;
COMMENT ON FUNCTION mc._check_backfill(mc.job, timestamptz, timestamptz) IS 'raises unless the job has come to the end of a backfill already';

CREATE FUNCTION mc._backfill_windows(j mc.job, from_ timestamptz, until timestamptz, OUT lo timestamptz, OUT hi timestamptz, OUT write_ts bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
	gap_end timestamptz;
BEGIN
	lo := from_;
	WHILE lo < until LOOP
		SELECT t.window_end, t.write_ts INTO r FROM mc.run t
			WHERE t.job_id = j.job_id AND t.window_begin = lo AND t.window_end <= until
				AND (t.state IN ('done', 'skipped', 'discarded') AND t.note IS DISTINCT FROM 'mc.reset_job')
			ORDER BY t.family, t.run_id DESC LIMIT 1;
		IF FOUND THEN
			hi := r.window_end;
			write_ts := r.write_ts;
		ELSE
			-- not recorded: up to the next recorded window
			SELECT pg_catalog.min(t.window_begin) INTO gap_end FROM mc.run t
				WHERE t.job_id = j.job_id AND t.window_begin > lo AND t.state = 'done';
			hi := LEAST(mc._add(lo, j.every, j.timezone), until, gap_end);
			write_ts := 0;
		END IF;
		RETURN NEXT;
		lo := hi;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._backfill_windows(mc.job, timestamptz, timestamptz) IS 'windows of a backfill: recorded ones where they exist';
