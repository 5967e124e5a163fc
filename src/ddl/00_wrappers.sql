
-- Its owner could put functions beside ours that fit a call better, and superusers would run them
DO $$
DECLARE
	who pg_catalog.name := (SELECT r.rolname FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
		WHERE n.nspname OPERATOR(pg_catalog.=) 'mc' AND NOT r.rolsuper);
BEGIN
	IF who IS NOT NULL THEN
		RAISE insufficient_privilege USING MESSAGE = pg_catalog.format('schema "mc" belongs to role "%s", which is no superuser', who),
			HINT = 'Look at what is in it, drop it, and create the extension again.';
	END IF;
END
$$;

COMMENT ON SCHEMA mc IS 'mc_fdw: functions around the foreign-data wrappers of Alibaba Cloud services';
GRANT USAGE ON SCHEMA mc TO PUBLIC;

CREATE FUNCTION mc.loghub_handler() RETURNS fdw_handler
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_loghub_handler';
COMMENT ON FUNCTION mc.loghub_handler() IS 'handler of loghub_fdw';

CREATE FUNCTION mc.loghub_validator(options text[], catalog oid) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_loghub_validator';
COMMENT ON FUNCTION mc.loghub_validator(text[], oid) IS 'option validator of loghub_fdw';

CREATE FOREIGN DATA WRAPPER loghub_fdw HANDLER mc.loghub_handler VALIDATOR mc.loghub_validator;
COMMENT ON FOREIGN DATA WRAPPER loghub_fdw IS 'Alibaba Cloud Log Service (LogHub) logstores';

CREATE FUNCTION mc.maxcompute_handler() RETURNS fdw_handler
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_maxcompute_handler';
COMMENT ON FUNCTION mc.maxcompute_handler() IS 'handler of maxcompute_fdw';

CREATE FUNCTION mc.maxcompute_validator(options text[], catalog oid) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_maxcompute_validator';
COMMENT ON FUNCTION mc.maxcompute_validator(text[], oid) IS 'option validator of maxcompute_fdw';

CREATE FOREIGN DATA WRAPPER maxcompute_fdw HANDLER mc.maxcompute_handler VALIDATOR mc.maxcompute_validator;
COMMENT ON FOREIGN DATA WRAPPER maxcompute_fdw IS 'Alibaba Cloud MaxCompute (ODPS) tables';

CREATE FUNCTION mc.tablestore_handler() RETURNS fdw_handler
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_tablestore_handler';
COMMENT ON FUNCTION mc.tablestore_handler() IS 'handler of tablestore_fdw';

CREATE FUNCTION mc.tablestore_validator(options text[], catalog oid) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_tablestore_validator';
COMMENT ON FUNCTION mc.tablestore_validator(text[], oid) IS 'option validator of tablestore_fdw';

CREATE FOREIGN DATA WRAPPER tablestore_fdw HANDLER mc.tablestore_handler VALIDATOR mc.tablestore_validator;
COMMENT ON FOREIGN DATA WRAPPER tablestore_fdw IS 'Alibaba Cloud Tablestore (OTS) tables and change streams';

CREATE FUNCTION mc.oss_handler() RETURNS fdw_handler
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_oss_handler';
COMMENT ON FUNCTION mc.oss_handler() IS 'handler of oss_fdw';

CREATE FUNCTION mc.oss_validator(options text[], catalog oid) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mc_oss_validator';
COMMENT ON FUNCTION mc.oss_validator(text[], oid) IS 'option validator of oss_fdw';

CREATE FOREIGN DATA WRAPPER oss_fdw HANDLER mc.oss_handler VALIDATOR mc.oss_validator;
COMMENT ON FOREIGN DATA WRAPPER oss_fdw IS 'Alibaba Cloud OSS objects and files of web servers';

REVOKE EXECUTE ON FUNCTION mc.loghub_handler(), mc.loghub_validator(text[], oid),
	mc.maxcompute_handler(), mc.maxcompute_validator(text[], oid),
	mc.tablestore_handler(), mc.tablestore_validator(text[], oid),
	mc.oss_handler(), mc.oss_validator(text[], oid) FROM PUBLIC;

CREATE FUNCTION mc.last_rejects(
	OUT at timestamptz, OUT relation regclass, OUT part text, OUT position_in_source text,
	OUT column_name text, OUT sqlstate text, OUT reason text, OUT value text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_last_rejects';
COMMENT ON FUNCTION mc.last_rejects() IS
'values and rows that on_error dropped or set to NULL in the last statement of this session; also after it failed';

CREATE FUNCTION mc.uploads(
	OUT relation regclass, OUT part text, OUT write_mode text, OUT upload_id text,
	OUT blocks int, OUT rows bigint, OUT state text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_uploads';
COMMENT ON FUNCTION mc.uploads() IS
'MaxCompute upload sessions and new OSS objects of the running transaction, in the order in which COMMIT will publish them; part is the partition or the key, blocks counts parts of an object';

CREATE FUNCTION mc.orphaned_uploads(
	server name, older_than interval DEFAULT '1 day', everybody boolean DEFAULT false,
	OUT key text, OUT upload_id text, OUT initiated timestamptz, OUT ours boolean)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_orphaned_uploads';
COMMENT ON FUNCTION mc.orphaned_uploads(name, interval, boolean) IS
'multipart uploads in the bucket of an OSS server that were begun by an INSERT and neither completed nor aborted; everybody: also those of others';

CREATE FUNCTION mc.cleanup_uploads(server name, older_than interval DEFAULT '1 day') RETURNS bigint
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_cleanup_uploads';
COMMENT ON FUNCTION mc.cleanup_uploads(name, interval) IS
'aborts the multipart uploads that mc.orphaned_uploads() lists and returns their number; never those of others';

CREATE FUNCTION mc.splits(
	relation regclass, OUT split int, OUT from_key text, OUT to_key text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_splits';
COMMENT ON FUNCTION mc.splits(regclass) IS
'parts of about split_size bytes of a Tablestore table: from_key inclusive, to_key exclusive';

CREATE FUNCTION mc.safe_until(relation regclass) RETURNS timestamptz
LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_safe_until';
COMMENT ON FUNCTION mc.safe_until(regclass) IS
'the newest complete instant of a Tablestore change stream or of a logstore, by the service''s clock: windows that end at it miss nothing';

CREATE FUNCTION mc.stream_shards(
	relation regclass, OUT shard text, OUT parents text[], OUT closed boolean)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_stream_shards';
COMMENT ON FUNCTION mc.stream_shards(regclass) IS
'shards of the change stream of a Tablestore table; a parent that is not listed itself has expired, a closed shard has children';

CREATE FUNCTION mc.objects(
	relation regclass, OUT key text, OUT size bigint, OUT etag text, OUT last_modified timestamptz)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mc_objects';
COMMENT ON FUNCTION mc.objects(regclass) IS
'the objects that a scan of an OSS foreign table would read now, in the order of their keys';
