-- Tools around servers, foreign tables and the texts of jobs.

CREATE FUNCTION mc.lint(
	sql text, every interval DEFAULT NULL,
	OUT severity text, OUT rule text, OUT message text, OUT hint text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_lint';
COMMENT ON FUNCTION mc.lint(text, interval) IS
'what is wrong with the text of a job ($1, $2 are the window, every its length): errors, warnings and notices, without running it and without a request';

CREATE FUNCTION mc.check(
	server name, OUT step text, OUT state text, OUT detail text, OUT hint text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_check';
COMMENT ON FUNCTION mc.check(name) IS
'connection, TLS, clock, credentials, permissions of a server, step by step; state is ok, warning, error or skipped, and nothing is written';

CREATE FUNCTION mc.shards(
	relation regclass, OUT shard text, OUT status text, OUT parents text[], OUT begin_key text, OUT end_key text,
	OUT created timestamptz, OUT oldest timestamptz, OUT newest timestamptz)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_shards';
COMMENT ON FUNCTION mc.shards(regclass) IS
'shards of a logstore (readwrite or readonly, range of hash keys, receive times of the oldest and the newest logs) or of a change stream (open or closed, parents)';

CREATE FUNCTION mc.partitions(
	relation regclass, OUT partition text, OUT rows bigint, OUT size bigint, OUT modified timestamptz)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_partitions';
COMMENT ON FUNCTION mc.partitions(regclass) IS
'partitions of a MaxCompute table as its catalog lists them now; rows and size are NULL where the service does not tell';

CREATE FUNCTION mc.verify(
	source text, target text, key text[] DEFAULT '{}', examples int DEFAULT 10,
	OUT what text, OUT key_value jsonb, OUT source_rows bigint, OUT target_rows bigint,
	OUT source_checksum text, OUT target_checksum text, OUT equal boolean, OUT source_row text, OUT target_row text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_verify';
COMMENT ON FUNCTION mc.verify(text, text, text[], int) IS
'compares the rows of two queries or relations by count and a checksum that does not depend on their order, then shows examples of what differs, by key if one is given; the source''s values are compared as the target''s types keep them';

CREATE FUNCTION mc.create_remote(
	relation regclass, execute boolean DEFAULT false, partition_by text[] DEFAULT NULL, lifecycle int DEFAULT NULL,
	shards int DEFAULT NULL, stream_hours int DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_create_remote';
COMMENT ON FUNCTION mc.create_remote(regclass, boolean, text[], int, int, int) IS
'the statement or request that creates the MaxCompute table, Tablestore table or logstore of a foreign table, and does so if execute is true; lifecycle in days';

CREATE FUNCTION mc.diff(
	relation regclass, OUT column_name text, OUT problem text, OUT declared text, OUT remote text, OUT statement text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_diff';
COMMENT ON FUNCTION mc.diff(regclass) IS
'how a foreign table''s declaration differs from the remote table, the index of the logstore or the header of the first file, with the statement that mends it';

CREATE FUNCTION mc._policy(relation regclass, purpose text, OUT action text, OUT resource text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_policy';
COMMENT ON FUNCTION mc._policy(regclass, text) IS 'internal: actions and resources of mc.required_policy()';

CREATE FUNCTION mc._policy_document(actions text[], resources text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
	SELECT jsonb_build_object('Version', '1', 'Statement', COALESCE(jsonb_agg(
		jsonb_build_object('Effect', 'Allow', 'Action', list, 'Resource', jsonb_build_array(resource)) ORDER BY resource), '[]'))
	FROM (SELECT resource, jsonb_agg(DISTINCT action ORDER BY action) AS list
		FROM unnest(actions, resources) AS p(action, resource) GROUP BY resource) AS by_resource
$$;
COMMENT ON FUNCTION mc._policy_document(text[], text[]) IS 'internal: a policy of pairs of action and resource';

CREATE FUNCTION mc.required_policy(relation regclass, action text) RETURNS jsonb
LANGUAGE sql VOLATILE STRICT AS $$
	SELECT mc._policy_document(pg_catalog.array_agg(p.action), pg_catalog.array_agg(p.resource))
	FROM mc._policy(required_policy.relation, required_policy.action) AS p
$$;
COMMENT ON FUNCTION mc.required_policy(regclass, text) IS
'the policy that lets a key read, write or create what is behind a foreign table, or (fence) keep the fences of jobs there, and nothing else; statements with odps: actions are for a role of the MaxCompute project, the others for RAM';

CREATE FUNCTION mc.required_policy(job text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE STRICT AS $$
DECLARE
	actions text[] := '{}';
	resources text[] := '{}';
	r record;
BEGIN
	SELECT j.sources, j.targets, j.fence INTO r FROM mc.job AS j WHERE j.name = required_policy.job;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = pg_catalog.format('there is no job "%s"', required_policy.job),
			HINT = 'For a foreign table, name the action too: ''read'', ''write'', ''create'' or ''fence''.';
	END IF;
	SELECT pg_catalog.array_agg(p.action), pg_catalog.array_agg(p.resource) INTO actions, resources
	FROM (SELECT t::pg_catalog.regclass AS relation, 'read' AS purpose FROM pg_catalog.unnest(r.sources) AS t
		UNION ALL SELECT t::pg_catalog.regclass, 'write' FROM pg_catalog.unnest(r.targets) AS t
		UNION ALL SELECT r.fence::pg_catalog.regclass, 'fence' WHERE r.fence IS NOT NULL) AS tables
		JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = tables.relation
		JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
		JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw AND w.fdwhandler IN
			('mc.loghub_handler()'::pg_catalog.regprocedure, 'mc.maxcompute_handler()'::pg_catalog.regprocedure,
			'mc.tablestore_handler()'::pg_catalog.regprocedure, 'mc.oss_handler()'::pg_catalog.regprocedure),
		LATERAL mc._policy(tables.relation, tables.purpose) AS p;
	RETURN mc._policy_document(COALESCE(actions, '{}'), COALESCE(resources, '{}'));
END
$$;
COMMENT ON FUNCTION mc.required_policy(text) IS
'the policy that a job needs: reading its sources, writing its targets and swapping the number of its fence';
