-- Making and keeping jobs.

CREATE FUNCTION mc._check_every(every interval, first timestamptz, zone text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF every IS NULL OR every <= '0' THEN
		PERFORM mc._raise('22023', 'the length of a window must be positive', NULL, NULL);
	END IF;
	IF date_trunc('day', every) <> '0' AND date_trunc('day', every) <> every THEN
		PERFORM mc._raise('22023', pg_catalog.format('windows of %s mix calendar days with hours', every), NULL, 'Use hours and below, or days and above.');
	END IF;
	IF extract(microseconds FROM every)::bigint % 1000000 <> 0 THEN
		PERFORM mc._raise('22023', 'windows are whole seconds long', NULL, NULL);
	END IF;
	IF date_trunc('month', every) <> '0' AND isfinite(first) AND extract(day FROM first AT TIME ZONE zone) > 28 THEN
		PERFORM mc._raise('22023', 'windows of months begin on a day from 1 to 28', pg_catalog.format('The next one begins at %s.', first),
			'Not every month has a later day.');
	END IF;
END
$$;
COMMENT ON FUNCTION mc._check_every(interval, timestamptz, text) IS 'raises unless an interval can be the length of windows of which the next begins at first';

CREATE FUNCTION mc._check_rules(given jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text;
	word text;
	allowed text[];
BEGIN
	FOR key, word IN SELECT * FROM jsonb_each_text(given) LOOP
		allowed := CASE key WHEN 'on_failure' THEN '{block,skip}' WHEN 'overwrite_scope' THEN '{window,snapshot}'
			WHEN 'on_object_change' THEN '{error,reread,ignore}' END;
		IF word IS NULL THEN
			IF key NOT IN ('max_windows', 'max_runtime', 'notify') THEN
				PERFORM mc._raise('22004', format('%s of a job must not be NULL', key), NULL,
					CASE key WHEN 'statement' THEN NULL ELSE 'Leave it out for its default.' END);
			END IF;
		ELSIF allowed IS NOT NULL THEN
			IF word <> ALL (allowed) THEN
				PERFORM mc._raise('22023', format('%s cannot be "%s"', key, word), NULL, format('It is one of: %s.', array_to_string(allowed, ', ')));
			END IF;
		ELSIF key IN ('max_windows', 'max_runtime') THEN
			IF word::numeric <= 0 THEN
				PERFORM mc._raise('22023', format('%s must be positive', key), NULL, 'Without it there is no limit.');
			END IF;
		ELSIF key IN ('lag', 'retry_limit', 'retry_delay', 'lookback', 'retention') THEN
			IF word::numeric < 0 THEN
				PERFORM mc._raise('22023', format('the %s must not be negative', key), NULL, NULL);
			END IF;
		ELSIF key = 'notify' AND octet_length(word) NOT BETWEEN 1 AND 63 THEN
			PERFORM mc._raise('22023', format('"%s" cannot be a channel', word), NULL, 'The names of channels have 1 to 63 bytes.');
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._check_rules(jsonb) IS 'raises unless these can be parameters of mc.create_job(); intervals are given in seconds';

CREATE FUNCTION mc._check_settings(settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text;
	value jsonb;
BEGIN
	IF jsonb_typeof(settings) <> 'object' THEN
		PERFORM mc._raise('22023', 'settings of a job must be a JSON object', NULL, 'For example ''{"mc_fdw.on_error": "reject"}''.');
	END IF;
	FOR key, value IN SELECT * FROM jsonb_each(settings) LOOP
		IF jsonb_typeof(value) IN ('object', 'array') THEN
			PERFORM mc._raise('22023', format('"%s" in the settings of a job must be a text, a number or a boolean', key), NULL, NULL);
		END IF;
		IF lower(key) IN ('role', 'session_authorization') THEN
			PERFORM mc._raise('22023', format('"%s" cannot be in the settings of a job', key), 'A job runs as its owner.', NULL);
		END IF;
		BEGIN
			PERFORM set_config(key, settings ->> key, true);
			RAISE assert_failure;	-- the setting is not to stay
		EXCEPTION
			WHEN assert_failure THEN
				NULL;
			WHEN others THEN
				PERFORM mc._raise(SQLSTATE, format('a job cannot have the setting "%s": %s', key, SQLERRM), NULL, NULL);
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._check_settings(jsonb) IS 'raises unless the current role can set these';

CREATE FUNCTION mc._check_depends(job text, others text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	other text;
BEGIN
	IF array_position(others, NULL) IS NOT NULL THEN
		PERFORM mc._raise('22004', 'names in depends_on must not be NULL', NULL, NULL);
	END IF;
	IF EXISTS (
			WITH RECURSIVE before (name) AS (
				SELECT unnest(others)
				UNION
				SELECT unnest(j.depends_on) FROM before JOIN mc.job j USING (name))
			SELECT FROM before WHERE name = job) THEN
		PERFORM mc._raise('22023', format('job "%s" would wait for itself', job), format('depends_on is {%s}.', array_to_string(others, ',')), NULL);
	END IF;
	FOR other IN SELECT o FROM unnest(others) AS u (o) WHERE NOT EXISTS (SELECT FROM mc.job j WHERE j.name = o) LOOP
		RAISE WARNING 'job "%" depends on job "%", which is not there', job, other
			USING HINT = 'No window begins before that job is there, may be seen by the owner of this one, and has published the same time.';
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._check_depends(text, text[]) IS 'raises if a job would wait for ever, warns if it waits for a job that is not there';

CREATE FUNCTION mc.create_job(name text, statement text, every interval, lag interval DEFAULT '5 minutes',
	start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, depends_on text[] DEFAULT '{}',
	retry_limit int DEFAULT 5, retry_delay interval DEFAULT '1 minute', on_failure text DEFAULT 'block',
	max_windows int DEFAULT NULL, max_runtime interval DEFAULT NULL, overwrite_scope text DEFAULT 'window',
	adopt_target boolean DEFAULT false, at_least_once boolean DEFAULT false, on_object_change text DEFAULT 'error',
	lookback interval DEFAULT '7 days', keep_rejects boolean DEFAULT true, retention interval DEFAULT '90 days',
	notify text DEFAULT NULL, settings jsonb DEFAULT '{}', comment text DEFAULT NULL, lint boolean DEFAULT true,
	status_table text DEFAULT NULL, fence text DEFAULT NULL, search_path text DEFAULT pg_catalog.current_setting('search_path')) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	id bigint;
	zone text := COALESCE(timezone, pg_catalog.current_setting('TimeZone'));
	first timestamptz;
BEGIN
	IF name !~ '^[A-Za-z0-9_][A-Za-z0-9_-]*$' OR length(name) > 63 OR name IS NULL THEN
		PERFORM mc._raise('42602', pg_catalog.format('"%s" cannot be the name of a job', name), 'It becomes part of names of objects.',
			'Use at most 63 letters, digits, "_" and "-".');
	END IF;
	PERFORM mc._check_rules(pg_catalog.jsonb_build_object('statement', statement, 'lag', extract(epoch FROM lag), 'depends_on', depends_on,
		'retry_limit', retry_limit, 'retry_delay', extract(epoch FROM retry_delay), 'on_failure', on_failure, 'max_windows', max_windows,
		'max_runtime', extract(epoch FROM max_runtime), 'overwrite_scope', overwrite_scope, 'adopt_target', adopt_target,
		'at_least_once', at_least_once, 'on_object_change', on_object_change, 'lookback', extract(epoch FROM lookback),
		'keep_rejects', keep_rejects, 'retention', extract(epoch FROM retention), 'notify', notify, 'settings', settings));
	PERFORM mc._check_settings(pg_catalog.jsonb_build_object('TimeZone', zone) || settings);
	PERFORM mc._check_depends(name, depends_on);
	first := COALESCE(start, CASE WHEN pg_catalog.date_trunc('day', every) = '0'
		THEN pg_catalog.date_bin(NULLIF(every, '0'), pg_catalog.clock_timestamp(), '2000-01-01 00:00:00+00')
		ELSE pg_catalog.date_trunc(CASE WHEN pg_catalog.date_trunc('month', every) = '0' THEN 'day' ELSE 'month' END, pg_catalog.clock_timestamp(), zone) END);
	PERFORM mc._check_every(every, first, zone);
	IF NOT pg_catalog.isfinite(first) OR pg_catalog.date_trunc('second', first) <> first THEN
		PERFORM mc._raise('22023', 'windows begin at whole seconds', pg_catalog.format('start is %s.', first),
			'date_trunc(''minute'', now()) is a whole minute.');
	END IF;
	INSERT INTO mc.job (name, every, lag, start, timezone, settings, depends_on, retry_limit, retry_delay, on_failure, max_windows,
			max_runtime, overwrite_scope, adopt_target, at_least_once, on_object_change, lookback, keep_rejects, retention,
			notify, comment, status_table, fence, system_identifier, timeline, database)
		SELECT create_job.name, create_job.every, create_job.lag, first, zone,
			pg_catalog.jsonb_build_object('search_path', COALESCE(create_job.search_path, 'pg_catalog'), 'TimeZone', zone,
				'DateStyle', pg_catalog.current_setting('DateStyle'), 'IntervalStyle', pg_catalog.current_setting('IntervalStyle'))
				|| create_job.settings,
			create_job.depends_on, create_job.retry_limit, create_job.retry_delay, create_job.on_failure, create_job.max_windows,
			create_job.max_runtime, create_job.overwrite_scope, create_job.adopt_target, create_job.at_least_once,
			create_job.on_object_change, create_job.lookback, create_job.keep_rejects, create_job.retention,
			create_job.notify, create_job.comment, mc._status_table(create_job.status_table, create_job.search_path),
			mc._fence_table(create_job.fence, create_job.search_path), s.system_identifier, mc._timeline(),
			(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
		FROM pg_catalog.pg_control_system() s
		ON CONFLICT ON CONSTRAINT job_name_key DO NOTHING
		RETURNING job_id INTO id;
	IF id IS NULL THEN
		PERFORM mc._raise('42710', pg_catalog.format('job "%s" already exists', name), NULL, 'mc.alter_job() changes it, mc.drop_job() removes it.');
	END IF;
	INSERT INTO mc.job_version (job_id, version, statement) VALUES (id, 1, statement);
	PERFORM mc._describe(id);
	IF lint IS NOT FALSE THEN
		PERFORM mc._lint_job(id);
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION mc.create_job IS
'creates a job: a statement that is run for every window [$1, $2) of length "every" since "start", each exactly once where the target allows it; a window is due when "lag" has passed after its end. Returns its id';

CREATE FUNCTION mc._describe(job_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	path text;
	statement text;
	reads text[];
	writes text[];
BEGIN
	SELECT j.settings ->> 'search_path', v.statement INTO STRICT path, statement
		FROM mc.job j JOIN mc.job_version v ON v.job_id = j.job_id AND v.version = j.version WHERE j.job_id = _describe.job_id;
	SELECT array_agg(relation ORDER BY 1) FILTER (WHERE NOT written), array_agg(relation ORDER BY 1) FILTER (WHERE written)
		INTO reads, writes FROM mc._relations(statement, path);
	UPDATE mc.job j SET sources = COALESCE(reads, '{}'), targets = COALESCE(writes, '{}') WHERE j.job_id = _describe.job_id;
END
$$;
COMMENT ON FUNCTION mc._describe(bigint) IS 'records which relations the statement of a job reads and writes';

CREATE FUNCTION mc._relations(statement text, path text, OUT relation text, OUT written boolean, OUT wrapper text) RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_relations';
COMMENT ON FUNCTION mc._relations(text, text) IS 'relations that a statement with parameters $1 and $2 reads and writes under a search_path; wrapper is NULL for local ones';

CREATE FUNCTION mc._lint(sql text, every interval, owner regrole, path text,
	OUT severity text, OUT rule text, OUT message text, OUT hint text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_lint_job';
COMMENT ON FUNCTION mc._lint(text, interval, regrole, text) IS 'mc.lint() with the rights of a role and under a search_path: planning evaluates functions';

CREATE FUNCTION mc._lint_job(job_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j record;
	found record;
BEGIN
	SELECT t.settings ->> 'search_path' AS path, t.every, t.name, t.owner, v.statement INTO STRICT j
		FROM mc.job t JOIN mc.job_version v ON v.job_id = t.job_id AND v.version = t.version WHERE t.job_id = _lint_job.job_id;
	FOR found IN SELECT * FROM mc._lint(j.statement, j.every, j.owner, j.path)
			WHERE rule NOT IN ('one_statement', 'statement_kind', 'invalid') LOOP
		IF found.severity = 'error' THEN
			PERFORM mc._raise('22023', pg_catalog.format('the statement of job "%s" is not fit for a job: %s', j.name, found.message),
				pg_catalog.format('Rule %s of mc.lint().', found.rule),
				COALESCE(found.hint || ' ', '') || 'lint => false creates the job all the same.');
		ELSIF found.severity = 'warning' THEN
			RAISE WARNING '%', found.message USING DETAIL = pg_catalog.format('Rule %s of mc.lint().', found.rule),
				HINT = COALESCE(found.hint, 'SELECT * FROM mc.lint() shows everything.');
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._lint_job(bigint) IS 'raises what mc.lint() calls an error in the text of a job, and warns';
