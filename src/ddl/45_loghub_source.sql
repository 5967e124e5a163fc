-- LogHub sources of jobs: what is told to consumer groups.

ALTER TABLE mc.checkpoint ADD COLUMN reported text;
COMMENT ON COLUMN mc.checkpoint.reported IS 'position that the consumer group of the foreign table was told last';

CREATE FUNCTION mc._marks(run_id bigint) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_marks';
COMMENT ON FUNCTION mc._marks(bigint) IS 'reports positions where others look for them, before anything is published';

CREATE FUNCTION mc._mark_ahead(job_id bigint) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_mark_ahead';
COMMENT ON FUNCTION mc._mark_ahead(bigint) IS 'has a consumer group of the job''s sources a position that this database did not report? NULL = no group has any';
