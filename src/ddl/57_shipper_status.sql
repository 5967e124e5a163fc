-- The status table of a job: a row for each shard and run, as LogHub Shipper writes them.

CREATE FUNCTION mc._status_shards(run_id bigint) RETURNS jsonb
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_status_shards';
COMMENT ON FUNCTION mc._status_shards(bigint) IS 'shards of logstores that the run which this transaction executed has read, with rows and largest log time';

CREATE FUNCTION mc._insert_status(job_id bigint, rows jsonb) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_insert_status';
COMMENT ON FUNCTION mc._insert_status(bigint, jsonb) IS 'writes rows into the status table of a job, as its owner';

CREATE FUNCTION mc._status_table(name text, path text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel text;
	missing text;
BEGIN
	IF name IS NULL THEN
		RETURN NULL;
	END IF;
	rel := mc._find_relation(name, path);
	IF rel IS NULL THEN
		PERFORM mc._raise('42P01', pg_catalog.format('status table "%s" does not exist', name), NULL, NULL);
	END IF;
	SELECT pg_catalog.string_agg(k, ', ') INTO missing
		FROM pg_catalog.unnest(ARRAY['project_logstore', 'shard', 'target_table', 'timestamp']) AS u (k)
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = rel::pg_catalog.regclass AND a.attname = k AND NOT a.attisdropped);
	IF missing IS NOT NULL THEN
		PERFORM mc._raise('42703', pg_catalog.format('%s cannot be a status table: it has no column %s', name, missing), NULL,
			'Its key is project_logstore, shard, target_table, timestamp.');
	END IF;
	RETURN rel;
END
$$;
COMMENT ON FUNCTION mc._status_table(text, text) IS 'qualified name of a table that can be a status table, found by a search_path';

-- {"source", "shard", "rows", "max_log_time"} of a run that this transaction has not executed
CREATE FUNCTION mc._recorded_shards(run_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('source', s.source, 'shard', s.shard, 'rows', s.rows,
			'max_log_time', extract(epoch FROM s.max_log_time)::bigint))
	FROM mc.run_shard s WHERE s.run_id = $1 AND pg_catalog.starts_with(s.source, 'loghub:')
$$;
COMMENT ON FUNCTION mc._recorded_shards(bigint) IS 'shards of logstores that a sealed run has read';

-- When a run failed before it knew its shards: those known before, else -1 for the logstore
CREATE FUNCTION mc._known_shards(j mc.job) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT pg_catalog.jsonb_agg(x.v) FROM (
		SELECT pg_catalog.jsonb_build_object('source', c.source, 'shard', c.shard) AS v
		FROM mc.checkpoint c WHERE c.job_id = j.job_id AND NOT c.finished AND pg_catalog.starts_with(c.source, 'loghub:')
		UNION ALL
		SELECT pg_catalog.jsonb_build_object('source', pg_catalog.format('loghub:/%s/%s',
				COALESCE(o.opt ->> 'project', s.opt ->> 'project'), COALESCE(o.opt ->> 'logstore', r.relname)), 'shard', '-1')
		FROM pg_catalog.unnest(j.sources) AS u (name)
			JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.to_regclass(u.name)
			JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = r.oid
			JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver
			JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = v.srvfdw AND w.fdwname = 'loghub_fdw',
			LATERAL (SELECT pg_catalog.jsonb_object_agg(option_name, option_value) FROM pg_catalog.pg_options_to_table(f.ftoptions)) AS o (opt),
			LATERAL (SELECT pg_catalog.jsonb_object_agg(option_name, option_value) FROM pg_catalog.pg_options_to_table(v.srvoptions)) AS s (opt)
		WHERE NOT EXISTS (SELECT FROM mc.checkpoint c WHERE c.job_id = j.job_id AND pg_catalog.starts_with(c.source, 'loghub:'))) AS x
$$;
COMMENT ON FUNCTION mc._known_shards(mc.job) IS 'shards of the logstores that a job reads, as of its last window';

CREATE FUNCTION mc._status_target(j mc.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT COALESCE((SELECT o.option_value FROM pg_catalog.pg_foreign_table f, pg_catalog.pg_options_to_table(f.ftoptions) o
		WHERE f.ftrelid = r.oid AND o.option_name = 'table'), r.relname)
	FROM pg_catalog.unnest(j.targets) WITH ORDINALITY AS u (name, n) JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.to_regclass(u.name)
	ORDER BY u.n LIMIT 1
$$;
COMMENT ON FUNCTION mc._status_target(mc.job) IS 'remote name of the table that a job writes';

-- What a run counts as a whole is in the row of its first shard, so that sums over shards are right.
-- A failed run is done again: its rows count then.
CREATE FUNCTION mc._status_rows(j mc.job, r mc.run, shards jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'project_logstore', pg_catalog.split_part(x.v ->> 'source', '/', 2) || '|' || pg_catalog.split_part(x.v ->> 'source', '/', 3),
		'shard', x.v ->> 'shard',
		'target_table', COALESCE(mc._status_target(j), ''),
		'timestamp', pg_catalog.floor(extract(epoch FROM COALESCE(r.finished_at, pg_catalog.clock_timestamp())) * 1000)::bigint,
		'shipper_id', pg_catalog.format('%s@%s/%s', j.name, j.system_identifier, r.pid),
		'error_code', COALESCE(r.error_code, CASE WHEN r.state <> 'done' THEN r.state END),
		'error_message', COALESCE(r.error_message, CASE WHEN r.state <> 'done' THEN r.note END),
		'failed_sample', CASE WHEN r.state <> 'done' AND x.n = 1 THEN COALESCE(sample.raw, NULLIF(pg_catalog.split_part(r.error_context, E'\n', 1), '')) END,
		'__time__', CASE WHEN r.state = 'done' THEN x.v -> 'max_log_time' END,
		'row_count', CASE WHEN r.state = 'done' THEN COALESCE((x.v ->> 'rows')::bigint, 0) ELSE 0 END,
		'cu_count', CASE WHEN x.n = 1 THEN COALESCE(r.write_cu, 0) ELSE 0 END,
		'skip_count', CASE WHEN r.state = 'done' AND x.n = 1 THEN COALESCE(r.rejected, 0) ELSE 0 END,
		'skip_sample', CASE WHEN r.state = 'done' AND x.n = 1 THEN sample.text END)))
	FROM (SELECT e.v, pg_catalog.row_number() OVER (ORDER BY e.v ->> 'source', (e.v ->> 'shard')::int) AS n
			FROM pg_catalog.jsonb_array_elements(shards) AS e (v)) AS x
		LEFT JOIN (SELECT q.raw::text AS raw, pg_catalog.left(pg_catalog.concat_ws(': ', q.reason, COALESCE(q.raw::text, q.value)), 65536) AS text
			FROM mc.reject q WHERE q.run_id = r.run_id ORDER BY q.n LIMIT 1) AS sample ON true
$$;
COMMENT ON FUNCTION mc._status_rows(mc.job, mc.run, jsonb) IS 'rows of the status table for a run';

CREATE FUNCTION mc._write_status(run_id bigint, shards jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r mc.run;
	j mc.job;
BEGIN
	SELECT * INTO STRICT r FROM mc.run t WHERE t.run_id = _write_status.run_id;
	SELECT * INTO STRICT j FROM mc.job t WHERE t.job_id = r.job_id;
	shards := COALESCE(NULLIF(shards, '[]'), mc._recorded_shards(r.run_id), mc._known_shards(j));
	IF j.status_table IS NULL OR shards IS NULL THEN
		RETURN;
	END IF;
	PERFORM mc._insert_status(j.job_id, mc._status_rows(j, r, shards));
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'the status of job "%" could not be written: %', j.name, SQLERRM
		USING ERRCODE = SQLSTATE, DETAIL = 'The run itself is not touched by this: see mc.run.';
END
$$;
COMMENT ON FUNCTION mc._write_status(bigint, jsonb) IS 'writes the rows of a run into the status table of its job; warns if that fails';
