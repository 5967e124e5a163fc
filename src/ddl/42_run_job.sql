-- The protocol of a run.  Each step is a transaction; the names T0, T1, P1, T2 are those
-- of docs/guarantees.md.  Nothing here may have a SET clause or an exception block around a
-- COMMIT: both forbid it.

-- What follows for a run from the states of its entries
CREATE FUNCTION mc._settle(run_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
	n record;
	next_state text;
BEGIN
	SELECT * INTO STRICT r FROM mc.run WHERE run.run_id = _settle.run_id;
	SELECT count(*) FILTER (WHERE state IN ('prepared', 'publishing')) AS open,
			count(*) FILTER (WHERE state IN ('prepared', 'publishing') AND kind NOT IN ('manifest', 'delete', 'drop', 'truncate', 'success')) AS unknown,
			count(*) FILTER (WHERE state = 'conflict') AS conflict,
			count(*) FILTER (WHERE state = 'lost') AS lost,
			bool_or(residue_possible) AS residue,
			string_agg(outcome, E'\n' ORDER BY ordinal) FILTER (WHERE state <> 'published') AS outcome
		INTO n FROM mc.publish WHERE publish.run_id = _settle.run_id;
	-- a lost entry holds back what erases; all others must be known before the window is done again
	next_state := CASE WHEN n.conflict > 0 THEN 'conflict' WHEN n.unknown > 0 THEN 'publishing' WHEN n.lost > 0 THEN 'lost'
		WHEN n.open > 0 THEN 'publishing' ELSE 'done' END;
	UPDATE mc.run SET state = next_state, residue_possible = run.residue_possible OR COALESCE(n.residue, false), note = n.outcome,
			finished_at = CASE WHEN next_state = 'done' THEN pg_catalog.clock_timestamp() END
		WHERE run.run_id = _settle.run_id AND state IN ('running', 'prepared', 'publishing', 'conflict');
	IF NOT FOUND THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = pg_catalog.format('run %s is %s already', run_id, r.state);
	END IF;
	IF next_state <> 'done' THEN
		RETURN next_state;
	END IF;
	-- adopted from another job
	DELETE FROM mc.target_owner o USING mc.publish p
		WHERE p.run_id = _settle.run_id AND p.state = 'published' AND p.mode = 'overwrite'
			AND o.target = p.target AND o.job_id <> r.job_id;
	INSERT INTO mc.target_owner AS o (target, job_id, family, seq, window_begin, window_end, remote_mtime, owner)
		-- several objects may make up one target
		SELECT DISTINCT ON (target) target, r.job_id, r.family, r.seq, r.window_begin, r.window_end,
			(document ->> 'published_mtime')::timestamptz, r.owner
		FROM mc.publish WHERE publish.run_id = _settle.run_id AND state = 'published' AND mode = 'overwrite'
			AND kind NOT IN ('delete', 'drop', 'truncate', 'manifest', 'success')
		ON CONFLICT (target, owner) DO UPDATE SET job_id = excluded.job_id, family = excluded.family, seq = excluded.seq,
			window_begin = excluded.window_begin, window_end = excluded.window_end,
			remote_mtime = excluded.remote_mtime, published_at = pg_catalog.clock_timestamp();
	PERFORM mc._close_gaps(r);
	PERFORM mc._notify(r.job_id, 'done', r.window_begin, r.window_end, NULL);
	RETURN next_state;
END
$$;
COMMENT ON FUNCTION mc._settle(bigint) IS 'moves a run to the state that follows from its entries';

-- A payload has less than 8000 bytes, and JSON takes up to six for a character
CREATE FUNCTION mc._notify(job_id bigint, event text, window_begin timestamptz, window_end timestamptz, message text) RETURNS void
LANGUAGE sql VOLATILE
RETURN (SELECT pg_catalog.pg_notify(j.notify, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'job', j.name, 'event', event, 'window_begin', window_begin, 'window_end', window_end,
		'message', pg_catalog.left(message, 1000)))::text)
	FROM mc.job j WHERE j.job_id = $1 AND j.notify IS NOT NULL);
COMMENT ON FUNCTION mc._notify(bigint, text, timestamptz, timestamptz, text) IS 'notifies the channel of a job, if it has one';

-- A sweeper goes on with the other jobs, whose owners are others: what is wrong in the books of
-- one, or locked in them, stops only that one.
CREATE FUNCTION mc._sweep_failed(job_id bigint, code text, message text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE WARNING 'the runs of job "%" could not be settled: %', (SELECT name FROM mc.job j WHERE j.job_id = _sweep_failed.job_id), message
		USING ERRCODE = code, DETAIL = 'The other jobs are not touched by this.';
END
$$;
COMMENT ON FUNCTION mc._sweep_failed(bigint, text, text) IS 'tells that a sweeper passes over a job';

-- P1 and T2.  The caller has the job's lock.
CREATE PROCEDURE mc._publish_run(run_id bigint, recovery boolean, INOUT state text, sweep boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
	distrust boolean;
	job bigint;
	failure text;
	detail text;
	hint text;
BEGIN
	PERFORM mc._begin(sweep);
	BEGIN
		SELECT EXISTS (SELECT FROM mc.publish p WHERE p.run_id = r.run_id AND p.token <> ''
				AND NOT pg_catalog.starts_with(p.token, j.uuid || '/' || j.incarnation || '/')), j.job_id
			INTO distrust, job FROM mc.run r JOIN mc.job j USING (job_id) WHERE r.run_id = _publish_run.run_id;
		UPDATE mc.run SET state = 'publishing' WHERE run.run_id = _publish_run.run_id AND run.state IN ('prepared', 'publishing');
		IF NOT FOUND THEN
			RAISE object_not_in_prerequisite_state USING MESSAGE = pg_catalog.format('run %s is settled already', run_id);
		END IF;
		UPDATE mc.publish SET state = 'publishing', sent = sent + 1
			WHERE publish.run_id = _publish_run.run_id AND publish.state IN ('prepared', 'publishing');
		PERFORM mc._step('P1');
	EXCEPTION WHEN OTHERS THEN
		IF NOT sweep THEN
			RAISE;
		END IF;
		PERFORM mc._sweep_failed((SELECT r.job_id FROM mc.run r WHERE r.run_id = _publish_run.run_id), SQLSTATE, SQLERRM);
		state := 'publishing';
		RETURN;
	END;
	COMMIT;
	PERFORM mc._begin(sweep);
	BEGIN
		PERFORM mc._wait_standby();
		failure := mc._fence_lost(job);
		IF failure IS NULL THEN
			PERFORM mc._marks(run_id);
			PERFORM mc._step('publish');
			BEGIN
				PERFORM mc._publish(run_id, recovery, distrust);
			EXCEPTION WHEN OTHERS THEN
				-- whatever was published shows when it is tried again
				GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
				failure := pg_catalog.concat_ws(E'\n', failure, NULLIF(detail, ''), NULLIF(hint, ''));
			END;
		END IF;
		PERFORM mc._step('published');
		state := mc._settle(run_id);
		IF failure IS NOT NULL THEN
			UPDATE mc.run SET note = failure WHERE run.run_id = _publish_run.run_id;
		END IF;
		PERFORM mc._step('T2');
	EXCEPTION WHEN OTHERS THEN
		IF NOT sweep THEN
			RAISE;
		END IF;
		PERFORM mc._sweep_failed((SELECT r.job_id FROM mc.run r WHERE r.run_id = _publish_run.run_id), SQLSTATE, SQLERRM);
		state := 'publishing';
		RETURN;
	END;
	COMMIT;
	PERFORM mc._step('done');
END
$$;
COMMENT ON PROCEDURE mc._publish_run(bigint, boolean, text, boolean) IS 'publishes the entries of a sealed run';

-- Everything of the job that is neither done nor failed, oldest first.  The caller has the lock.
CREATE PROCEDURE mc._resolve(job_id bigint, INOUT state text, sweep boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
	r record;
	failure jsonb;
BEGIN
	PERFORM mc._begin(sweep);
	BEGIN
		PERFORM mc._check_owner(j), mc._check_identity(j) FROM mc.job j WHERE j.job_id = _resolve.job_id;
		-- whoever ran them is gone: he had the lock that we have now
		FOR r IN UPDATE mc.run SET state = 'failed', finished_at = pg_catalog.clock_timestamp(), error_code = '57P01',
				error_message = 'the session ended before the run was sealed'
				WHERE run.job_id = _resolve.job_id AND run.state = 'running' RETURNING run.run_id LOOP
			PERFORM mc._failed(r.run_id);
		END LOOP;
		SELECT run.state INTO state FROM mc.run JOIN mc.job j ON j.job_id = run.job_id
			WHERE run.job_id = _resolve.job_id AND run.state IN ('prepared', 'publishing') AND j.fence IS NOT NULL
			ORDER BY run.run_id LIMIT 1;
	EXCEPTION WHEN OTHERS THEN
		IF NOT sweep THEN
			RAISE;
		END IF;
		PERFORM mc._sweep_failed(job_id, SQLSTATE, SQLERRM);
		state := 'open';
		RETURN;
	END;
	COMMIT;
	IF state IS NOT NULL THEN
		-- a copy of this database has the same entries
		CALL mc._take_fence(job_id, false, failure, sweep);
		IF failure IS NOT NULL THEN
			PERFORM mc._fence_failed(job_id, failure, sweep);
			COMMIT;
			RETURN;
		END IF;
	END IF;
	state := 'settled';
	FOR r IN SELECT run.run_id, run.state, run.window_begin, run.window_end FROM mc.run
			WHERE run.job_id = _resolve.job_id AND run.state IN ('prepared', 'publishing', 'conflict')
			ORDER BY run.run_id LOOP
		state := r.state;
		IF state <> 'conflict' THEN
			CALL mc._publish_run(r.run_id, true, state, sweep);
			-- a status table may have triggers: only its owner's sweeper runs them
			IF state <> 'publishing' AND EXISTS (SELECT FROM mc.job j WHERE j.job_id = _resolve.job_id AND j.status_table IS NOT NULL
					AND (NOT sweep OR j.owner = pg_catalog.quote_ident(current_user)::pg_catalog.regrole)) THEN
				PERFORM mc._begin();
				PERFORM mc._write_status(r.run_id, NULL);
				COMMIT;
			END IF;
		END IF;
		IF state NOT IN ('done', 'lost') THEN
			RETURN;
		END IF;
		state := 'settled';
	END LOOP;
END
$$;
COMMENT ON PROCEDURE mc._resolve(bigint, text, boolean) IS 'settles the runs of a job that were sealed and not published';

-- T0 to T2 of one window.  The caller has the lock and has settled what was before.
CREATE PROCEDURE mc._run_window(job_id bigint, family int, seq bigint, attempt int, lo timestamptz, hi timestamptz,
	version int, write_ts bigint, INOUT state text)
LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	n bigint;
	entries int;
	ok boolean := true;
	planned boolean;
	failure jsonb;
	shares boolean;
	stored int;
	rejected_rows bigint;
	shards jsonb;
	code text; message text; detail text; hint text; context text;
BEGIN
	PERFORM mc._begin();
	INSERT INTO mc.run (job_id, family, seq, attempt, window_begin, window_end, version, write_ts, owner, pid, backend_start)
		SELECT j.job_id, _run_window.family, _run_window.seq, _run_window.attempt, lo, hi, _run_window.version, _run_window.write_ts,
			j.owner, pg_catalog.pg_backend_pid(),
			(SELECT a.backend_start FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a)
		FROM mc.job j WHERE j.job_id = _run_window.job_id
		RETURNING run_id INTO STRICT id;
	planned := mc._fence_plan(job_id, false);
	PERFORM mc._step('T0');
	COMMIT;
	IF planned IS NOT NULL THEN
		CALL mc._take_fence(job_id, planned, failure);
	END IF;
	PERFORM mc._begin();
	IF failure IS NOT NULL THEN
		ok := false;
		code := failure ->> 'code';
		message := failure ->> 'message';
		detail := failure ->> 'detail';
		hint := failure ->> 'hint';
		context := failure ->> 'context';
	END IF;
	BEGIN
		shares := ok AND mc._claim_plan(id);
	EXCEPTION WHEN query_canceled OR OTHERS THEN
		ok := false;
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
			hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	END;
	IF ok AND shares THEN
		-- what is claimed at the service is known here before, and after
		COMMIT;
		PERFORM mc._step('claim');
		PERFORM mc._begin();
		BEGIN
			PERFORM mc._claim(id);
			PERFORM mc._step('claimed');
		EXCEPTION WHEN query_canceled OR OTHERS THEN
			ok := false;
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
				hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
		END;
		COMMIT;
		PERFORM mc._begin();
	END IF;
	BEGIN
		IF ok THEN
			n := mc._execute(id);
			PERFORM mc._step('seal');
			entries := mc._seal(id);
			PERFORM mc._check_targets(id);
			PERFORM mc._step('sealed');
		END IF;
	EXCEPTION WHEN query_canceled OR OTHERS THEN
		ok := false;
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
			hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	END;
	-- settings that the statement made are gone, or must be
	PERFORM mc._begin();
	PERFORM mc._save_counters(id);
	shards := mc._status_shards(id) FROM mc.job j WHERE j.job_id = _run_window.job_id AND j.status_table IS NOT NULL;
	IF ok OR (SELECT keep_rejects FROM mc.job WHERE job.job_id = _run_window.job_id) THEN
		stored := mc._save_rejects(id);
		SELECT rejected INTO STRICT rejected_rows FROM mc.run WHERE run_id = id;
		IF rejected_rows > 0 THEN
			RAISE NOTICE 'window [%, %): % rejected', lo, hi, CASE rejected_rows WHEN 1 THEN '1 row' ELSE rejected_rows || ' rows' END
				USING HINT = pg_catalog.format('SELECT * FROM mc.reject WHERE run_id = %s;%s', id,
					CASE WHEN stored < rejected_rows THEN ' only the first ' || stored || ' are stored' ELSE '' END);
		END IF;
	END IF;
	IF ok THEN
		UPDATE mc.run SET state = CASE WHEN entries = 0 THEN 'done' ELSE 'prepared' END, rows_out = n,
				sealed_at = pg_catalog.clock_timestamp(),
				finished_at = CASE WHEN entries = 0 THEN pg_catalog.clock_timestamp() END
			WHERE run_id = id AND run.state = 'running';
		IF NOT FOUND THEN
			RAISE object_not_in_prerequisite_state USING MESSAGE = pg_catalog.format('run %s is not running any more', id);
		END IF;
		PERFORM mc._step('T1');
		state := CASE WHEN entries = 0 THEN mc._settle_local(id) ELSE 'prepared' END;
	ELSE
		UPDATE mc.run SET state = 'failed', finished_at = pg_catalog.clock_timestamp(), error_code = code, error_message = message,
				error_detail = NULLIF(detail, ''), error_hint = NULLIF(hint, ''), error_context = NULLIF(context, ''),
				counts_as_attempt = pg_catalog.left(code, 2) NOT IN ('08', '28', '42', '53', '0A', 'HV') AND code NOT IN ('57014', '57P01')
					AND failure IS NULL
			WHERE run_id = id;
		state := mc._failed(id);
	END IF;
	COMMIT;
	PERFORM mc._begin();
	PERFORM mc._step('committed');
	IF state = 'prepared' THEN
		CALL mc._publish_run(id, false, state);
	ELSIF ok THEN
		PERFORM mc._marks(id);
		COMMIT;
	END IF;
	IF shards IS NOT NULL AND state NOT IN ('prepared', 'publishing') THEN
		PERFORM mc._begin();
		PERFORM mc._write_status(id, shards);
		COMMIT;
	END IF;
	IF NOT ok THEN
		PERFORM mc._raise(code, pg_catalog.format('window [%s, %s) of job "%s" failed: %s', lo, hi,
			(SELECT name FROM mc.job WHERE job.job_id = _run_window.job_id), message), detail, hint, context);
	END IF;
END
$$;
COMMENT ON PROCEDURE mc._run_window(bigint, int, bigint, int, timestamptz, timestamptz, int, bigint, text) IS
'runs one window of a job: from its row in mc.run to published';

CREATE PROCEDURE mc.run_job(job text, max_windows int DEFAULT NULL, retry boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
	j mc.job;
	last mc.run;
	state text;
	service_now timestamptz;
	began timestamptz := pg_catalog.clock_timestamp();
	n int := 0;
	next_seq bigint; next_attempt int; next_version int; next_ts bigint;
	lo timestamptz; hi timestamptz; next_due timestamptz;
BEGIN
	PERFORM mc._begin();
	IF run_job.max_windows < 0 THEN
		PERFORM mc._raise('22023', 'max_windows must not be negative', NULL, 'With 0 only what an earlier call left open is settled, without it all windows that are due are run.');
	END IF;
	j := mc._job(job);
	IF NOT mc._lock_job(j.job_id) THEN
		RAISE NOTICE 'job "%" is being run by another session', job;
		RETURN;
	END IF;
	COMMIT;
	CALL mc._resolve(j.job_id, state);
	LOOP
		PERFORM mc._begin();
		j := mc._job(job);
		IF state <> 'settled' AND state <> 'done' AND state <> 'lost' THEN
			PERFORM mc._raise_open(j);
		END IF;
		IF j.paused THEN
			RAISE NOTICE 'job "%" is paused', job;
			EXIT;
		END IF;
		EXIT WHEN n >= COALESCE(run_job.max_windows, j.max_windows, 2147483647);
		EXIT WHEN n > 0 AND pg_catalog.clock_timestamp() - began >= j.max_runtime;
		SELECT * INTO last FROM mc.run WHERE run.job_id = j.job_id AND family = 0 ORDER BY seq DESC, attempt DESC LIMIT 1;
		IF last.run_id IS NULL OR last.state IN ('done', 'skipped', 'discarded') THEN
			next_seq := COALESCE(last.seq, 0) + 1;
			next_attempt := 1;
			next_version := j.version;
			lo := COALESCE(last.window_end, j.start);
			hi := mc._add(lo, j.every, j.timezone);
			service_now := CASE WHEN service_now IS NULL OR hi + j.lag > service_now THEN mc._service_now(j) ELSE service_now END;
			IF hi + j.lag > service_now THEN
				next_due := hi + j.lag;
				EXIT;
			END IF;
			EXIT WHEN NOT mc._depends_met(j, hi);
			next_ts := GREATEST(COALESCE(last.write_ts, 0) + 1,
				pg_catalog.floor(extract(epoch FROM GREATEST(service_now, pg_catalog.clock_timestamp())) * 1000)::bigint);
		ELSE
			-- failed or lost: the same window again
			IF NOT mc._may_retry(j, last, retry) THEN
				EXIT;
			END IF;
			next_seq := last.seq;
			next_attempt := last.attempt + 1;
			-- what is done again because it was lost is the same statement
			SELECT COALESCE(pg_catalog.max(l.version), j.version) INTO next_version FROM mc.run l
				WHERE l.job_id = j.job_id AND l.family = 0 AND l.seq = last.seq AND l.state = 'lost';
			lo := last.window_begin;
			hi := last.window_end;
			next_ts := last.write_ts;
		END IF;
		COMMIT;
		CALL mc._run_window(j.job_id, 0, next_seq, next_attempt, lo, hi, next_version, next_ts, state);
		n := n + 1;
	END LOOP;
	PERFORM mc._unlock_job();
	RAISE NOTICE 'job "%": % done%', job, CASE n WHEN 1 THEN '1 window' ELSE n || ' windows' END,
		COALESCE(', the next one is due at ' || next_due, '');
END
$$;
COMMENT ON PROCEDURE mc.run_job(text, int, boolean) IS
'runs every window of a job that is due, one transaction each; settles first what an earlier call left open, and only that with max_windows => 0. retry: do not wait for retry_delay after a failure';
