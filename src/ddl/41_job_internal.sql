-- What the procedures of jobs are made of.  Names that begin with an underscore are not
-- for users.

CREATE FUNCTION mc._lock_job(job_id bigint, sweep boolean DEFAULT false) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_lock_job';
COMMENT ON FUNCTION mc._lock_job(bigint, boolean) IS 'takes the lock of a job for this session, until mc._unlock_job() or an error that ends the command; false if another session runs it. Who does not sweep waits for a sweeper';

CREATE FUNCTION mc._unlock_job() RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_unlock_job';
COMMENT ON FUNCTION mc._unlock_job() IS 'releases the lock of the job that this session runs';

CREATE FUNCTION mc._execute(run_id bigint) RETURNS bigint
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_execute_run';
COMMENT ON FUNCTION mc._execute(bigint) IS 'executes the statement of a run as the owner of its job; returns the rows it has written';

CREATE FUNCTION mc._seal(run_id bigint) RETURNS int
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_seal_run';
COMMENT ON FUNCTION mc._seal(bigint) IS 'turns everything the run has uploaded into entries of mc.publish and records its positions; returns the number of entries';

CREATE FUNCTION mc._save_counters(run_id bigint) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_save_counters';
COMMENT ON FUNCTION mc._save_counters(bigint) IS 'records what the run that this transaction executed has moved';

CREATE FUNCTION mc._publish(run_id bigint, recovery boolean, distrust boolean) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_publish_run';
COMMENT ON FUNCTION mc._publish(bigint, boolean, boolean) IS 'publishes the open entries of a run and records how each ended';

CREATE FUNCTION mc._step(label text) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_step';
COMMENT ON FUNCTION mc._step(text) IS 'a named point of the protocol, where mc_fdw.fail_at lets tests fail';

CREATE FUNCTION mc._raise(code text, message text, detail text, hint text, context text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mc_raise';
COMMENT ON FUNCTION mc._raise(text, text, text, text, text) IS 'raises an error; NULL and empty fields are left out';

CREATE FUNCTION mc._begin(sweep boolean DEFAULT false) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$
	SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
		pg_catalog.set_config('synchronous_commit',
			CASE WHEN pg_catalog.current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
				ELSE pg_catalog.current_setting('synchronous_commit') END, true),
		pg_catalog.set_config('default_transaction_read_only', 'off', true),
		pg_catalog.set_config('lock_timeout', CASE WHEN sweep THEN '5s' ELSE pg_catalog.current_setting('lock_timeout') END, true);
$$;
COMMENT ON FUNCTION mc._begin(boolean) IS 'settings of a transaction that keeps books about jobs; a sweeper waits for no row that somebody keeps locked';

CREATE FUNCTION mc._job(job text) RETURNS mc.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job;
BEGIN
	SELECT * INTO j FROM mc.job a WHERE a.name = _job.job;
	IF NOT FOUND THEN
		PERFORM mc._raise('42704', pg_catalog.format('job "%s" does not exist', job), NULL,
			'SELECT name FROM mc.job shows those that you may use; create one with mc.create_job().');
	END IF;
	RETURN j;
END
$$;
COMMENT ON FUNCTION mc._job(text) IS 'the job of that name, or an error';

CREATE FUNCTION mc._safe_until(relation regclass, owner regrole) RETURNS timestamptz
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_safe_until_as';
COMMENT ON FUNCTION mc._safe_until(regclass, regrole) IS 'mc.safe_until() with the rights of a role';

CREATE FUNCTION mc._service_now(j mc.job) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel pg_catalog.regclass;
	fdw name;
	t timestamptz;
	result timestamptz;
BEGIN
	FOR rel, fdw IN
		SELECT c.oid::pg_catalog.regclass, w.fdwname
		FROM pg_catalog.unnest(j.sources) AS s
			JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = pg_catalog.to_regclass(s)
			JOIN pg_catalog.pg_class c ON c.oid = f.ftrelid
			JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver
			JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = v.srvfdw
		WHERE w.fdwname = 'loghub_fdw'
			OR w.fdwname = 'tablestore_fdw' AND 'mode=stream' = ANY (f.ftoptions)
	LOOP
		t := mc._safe_until(rel, j.owner) + CASE WHEN fdw = 'loghub_fdw' THEN '1 minute' ELSE '5 minutes' END::interval;
		result := LEAST(result, t);
	END LOOP;
	RETURN COALESCE(result, pg_catalog.clock_timestamp());
END
$$;
COMMENT ON FUNCTION mc._service_now(mc.job) IS 'the earliest clock of the services whose positions the job follows; the local clock if there are none';

CREATE FUNCTION mc._add(at timestamptz, step interval, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN date_trunc('day', step) = '0' THEN at + step ELSE ((at AT TIME ZONE zone) + step) AT TIME ZONE zone END;
COMMENT ON FUNCTION mc._add(timestamptz, interval, text) IS 'the end of a window: hours and below are absolute, days and above go by the calendar of the time zone';

CREATE FUNCTION mc._find_relation(name text, path text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel pg_catalog.regclass;
BEGIN
	PERFORM pg_catalog.set_config('search_path', path, true);
	rel := pg_catalog.to_regclass(NULLIF(name, ''));
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	RETURN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = rel);
END
$$;
COMMENT ON FUNCTION mc._find_relation(text, text) IS 'qualified name of the relation that a search_path finds; NULL if there is none';
