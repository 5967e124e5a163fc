-- LogHub sources of jobs: what is told to consumer groups.

ALTER TABLE mc.checkpoint ADD COLUMN reported text;
COMMENT ON COLUMN mc.checkpoint.reported IS 'position that the consumer group of the foreign table was told last';

CREATE FUNCTION mc._marks(run_id bigint) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_marks';
COMMENT ON FUNCTION mc._marks(bigint) IS 'reports positions where others look for them, before anything is published';

CREATE FUNCTION mc._mark_ahead(job_id bigint) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_mark_ahead';
COMMENT ON FUNCTION mc._mark_ahead(bigint) IS 'has a consumer group of the job''s sources a position that this database did not report? NULL = no group has any';

-- Shards that databases share by a consumer group: ranges are claimed before they are read.

CREATE TABLE mc.claim (
	job_id bigint NOT NULL,
	source text NOT NULL,
	window_begin timestamptz NOT NULL,
	window_end timestamptz NOT NULL,
	shard text NOT NULL,
	position_begin text,
	position_end text,
	finished boolean NOT NULL DEFAULT false,
	unseen boolean NOT NULL DEFAULT false,
	state text NOT NULL CHECK (state IN ('intended', 'claimed')),
	consumer text NOT NULL,
	owner regrole NOT NULL DEFAULT quote_ident(current_user)::regrole,
	PRIMARY KEY (job_id, source, window_begin, window_end, shard),
	FOREIGN KEY (job_id, owner) REFERENCES mc.job (job_id, owner) ON DELETE CASCADE ON UPDATE CASCADE);
COMMENT ON TABLE mc.claim IS 'what a window has claimed of the shards that it shares with other databases (option consumer_share)';
COMMENT ON COLUMN mc.claim.shard IS 'empty: the claims of the window were decided';
COMMENT ON COLUMN mc.claim.unseen IS 'the consumer group had no position of the shard';
COMMENT ON COLUMN mc.claim.state IS 'intended: the service was or will be asked; claimed: nobody else reads it';
SELECT pg_catalog.pg_extension_config_dump('mc.claim', '');
ALTER TABLE mc.claim ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON mc.claim USING (pg_catalog.pg_has_role(owner, 'USAGE')) WITH CHECK (pg_catalog.pg_has_role(owner, 'USAGE'));
GRANT SELECT, INSERT, UPDATE, DELETE ON mc.claim TO PUBLIC;

CREATE FUNCTION mc._claim_plan(run_id bigint) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_claim_plan';
COMMENT ON FUNCTION mc._claim_plan(bigint) IS 'records what a window wants of shared shards; false if the job shares none';

CREATE FUNCTION mc._claim(run_id bigint) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_claim';
COMMENT ON FUNCTION mc._claim(bigint) IS 'claims what was recorded, or finds out whether it was';

CREATE FUNCTION mc._claim_taken(job_id bigint, source text, window_begin timestamptz, window_end timestamptz, shard text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO mc.checkpoint AS k (job_id, source, shard, position, finished, window_end, reported, owner)
		SELECT c.job_id, c.source, c.shard, c.position_end, c.finished, c.window_end, c.position_end, c.owner FROM mc.claim c
			WHERE c.job_id = $1 AND c.source = $2 AND c.window_begin = $3 AND c.window_end = $4 AND c.shard = $5 AND c.state = 'intended'
		ON CONFLICT ON CONSTRAINT checkpoint_pkey DO UPDATE SET position = excluded.position, finished = excluded.finished,
			window_end = excluded.window_end, reported = excluded.reported;
	UPDATE mc.claim c SET state = 'claimed'
		WHERE c.job_id = $1 AND c.source = $2 AND c.window_begin = $3 AND c.window_end = $4 AND c.shard = $5 AND c.state = 'intended';
$$;
COMMENT ON FUNCTION mc._claim_taken(bigint, text, timestamptz, timestamptz, text) IS 'a range of a shared shard belongs to this database';

CREATE FUNCTION mc.settle_claim(job text, shard text, taken boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job := mc._job(settle_claim.job);
	c mc.claim;
BEGIN
	IF NOT mc._lock_job_now(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL, NULL);
	END IF;
	SELECT * INTO c FROM mc.claim t WHERE t.job_id = j.job_id AND t.shard = settle_claim.shard AND t.state = 'intended';
	IF NOT FOUND THEN
		PERFORM mc._raise('55000', pg_catalog.format('job "%s" has no open claim of shard %s', j.name, shard), NULL, NULL);
	END IF;
	IF taken THEN
		PERFORM mc._claim_taken(c.job_id, c.source, c.window_begin, c.window_end, c.shard);
	ELSE
		DELETE FROM mc.claim t WHERE t.job_id = c.job_id AND t.source = c.source AND t.window_begin = c.window_begin
			AND t.window_end = c.window_end AND t.shard = c.shard;
	END IF;
END
$$;
COMMENT ON FUNCTION mc.settle_claim(text, text, boolean) IS
'says what a job could not find out: did it claim the shard before its session ended? Look at the windows of the other databases first';
