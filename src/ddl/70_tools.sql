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
