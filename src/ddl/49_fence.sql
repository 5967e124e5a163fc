-- The fence of a job: a number in Tablestore or OSS that every run swaps for a new one
-- before it does anything.  Of copies of a database that run the job, which cannot know of
-- each other, the first one to swap keeps it.
--
-- fence_last[1] is the number that was there when this database looked last ('' = none), the
-- others are those it has asked to put in its place without learning what became of that:
-- they may still come.  fence_next is the one it asks for now.  All of them count as ours.  A
-- number is made anew for each swap, so that copies never ask for the same one.

CREATE FUNCTION mc._fence_form(relation regclass) RETURNS void
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_fence_form';
COMMENT ON FUNCTION mc._fence_form(regclass) IS 'raises unless a foreign table can hold fences of jobs';

CREATE FUNCTION mc._fence_read(job_id bigint) RETURNS text
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_fence_read';
COMMENT ON FUNCTION mc._fence_read(bigint) IS 'the number in the fence of a job, asked from the service; empty = there is none';

CREATE FUNCTION mc._fence_swap(job_id bigint, next text) RETURNS text
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_fence_swap';
COMMENT ON FUNCTION mc._fence_swap(bigint, text) IS 'puts a number in the place of mc.job.fence_last[1], if that is there; returns the number that is there afterwards';

CREATE FUNCTION mc._fence_table(name text, path text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel text;
BEGIN
	IF name IS NULL OR name = '' THEN
		RETURN NULL;
	END IF;
	rel := mc._find_relation(name, path);
	IF rel IS NULL THEN
		PERFORM mc._raise('42P01', pg_catalog.format('foreign table "%s" for the fence of a job does not exist', name), NULL, NULL);
	END IF;
	PERFORM mc._fence_form(rel::pg_catalog.regclass);
	RETURN rel;
END
$$;
COMMENT ON FUNCTION mc._fence_table(text, text) IS 'qualified name of a foreign table that can hold fences, found by a search_path';

CREATE FUNCTION mc._fence_set(j mc.job, name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rel text := mc._fence_table(name, j.settings ->> 'search_path');
BEGIN
	IF rel IS NOT DISTINCT FROM j.fence THEN
		RETURN;
	END IF;
	IF NOT mc._lock_job_now(j.job_id) THEN
		PERFORM mc._raise('55006', pg_catalog.format('job "%s" is being run by another session', j.name), NULL, NULL);
	END IF;
	UPDATE mc.job t SET fence = rel, fence_last = '{""}', fence_next = NULL WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc._fence_set(mc.job, text) IS 'gives a job another fence, which this database has not taken yet; empty = none';

CREATE FUNCTION mc._raise_fence(j mc.job, value text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF value = '' THEN
		PERFORM mc._raise('55000', pg_catalog.format('the fence of job "%s" is gone', j.name),
			pg_catalog.format('%s has nothing for %s any more; this database has put %s there.', j.fence, j.uuid, j.fence_last[1]),
			pg_catalog.format('Somebody has deleted it. When no other database runs the job, SELECT mc.adopt_job(%L): the next run makes a new one.', j.name));
	END IF;
	PERFORM mc._raise('55000', pg_catalog.format('the fence of job "%s" belongs to another database', j.name),
		CASE j.fence_last[1] WHEN '' THEN pg_catalog.format('%s holds %s, and this database has never had it.', j.fence, value)
			ELSE pg_catalog.format('%s holds %s; this database knows %s. A copy of it has run the job since.', j.fence, value, j.fence_last[1]) END,
		pg_catalog.format('Only one database may run the job. If it shall be this one: stop the other, find out what the target holds, then SELECT mc.adopt_job(%L).', j.name));
END
$$;
COMMENT ON FUNCTION mc._raise_fence(mc.job, text) IS 'the error of a job whose fence has a number that is not ours';

CREATE FUNCTION mc._fence_check(j mc.job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	value text;
BEGIN
	IF j.fence IS NULL THEN
		RETURN;
	END IF;
	value := mc._fence_read(j.job_id);
	IF value = j.fence_next OR value = ANY (j.fence_last) THEN
		RETURN;
	END IF;
	PERFORM mc._raise_fence(j, value);
END
$$;
COMMENT ON FUNCTION mc._fence_check(mc.job) IS 'raises unless the fence of a job, if it has one, is this database''s';

CREATE FUNCTION mc._fence_lost(job_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM mc._fence_check(j) FROM mc.job j WHERE j.job_id = _fence_lost.job_id;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION mc._fence_lost(bigint) IS 'why the job may not publish; NULL = it may';

-- The number for the next swap.  One that an earlier attempt asked for is settled first, for
-- which the service must answer: so an outage makes no numbers.
CREATE FUNCTION mc._fence_plan(job_id bigint, settle boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job;
	value text;
	known text[];
BEGIN
	SELECT * INTO STRICT j FROM mc.job t WHERE t.job_id = _fence_plan.job_id;
	IF j.fence IS NULL THEN
		RETURN NULL;
	END IF;
	known := j.fence_last;
	IF j.fence_next IS NOT NULL THEN
		IF NOT settle THEN
			RETURN false;
		END IF;
		value := mc._fence_read(j.job_id);
		IF value = known[1] THEN
			known := known[1:1] || known[GREATEST(2, cardinality(known) - 97):] || j.fence_next;
		ELSIF value = j.fence_next OR value = ANY (known) THEN
			-- what was asked for in the place of another one can never come
			known := ARRAY[value];
		ELSE
			PERFORM mc._raise_fence(j, value);
		END IF;
	END IF;
	UPDATE mc.job t SET fence_last = known,
			fence_next = COALESCE(NULLIF(split_part(known[1], '/', 1), '')::bigint, 0) + 1 || '/' || gen_random_uuid()
		WHERE t.job_id = j.job_id;
	RETURN true;
END
$$;
COMMENT ON FUNCTION mc._fence_plan(bigint, boolean) IS 'records the number that a run will put into the fence of its job; false if one of an earlier attempt must be settled before; NULL if it has no fence';

CREATE FUNCTION mc._fence_pass(job_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j mc.job;
	value text;
BEGIN
	SELECT * INTO STRICT j FROM mc.job t WHERE t.job_id = _fence_pass.job_id;
	IF j.fence IS NULL THEN
		RETURN;
	END IF;
	PERFORM mc._step('fence');
	value := mc._fence_swap(j.job_id, j.fence_next);
	PERFORM mc._step('fenced');
	IF value = ANY (j.fence_last) THEN
		PERFORM mc._raise('40001', format('the fence of job "%s" could not be taken: a late request of an earlier attempt has changed it', j.name),
			NULL, 'The next call goes on from there.');
	ELSIF value <> j.fence_next THEN
		PERFORM mc._raise_fence(j, value);
	END IF;
	UPDATE mc.job t SET fence_last = ARRAY[t.fence_next], fence_next = NULL WHERE t.job_id = j.job_id;
END
$$;
COMMENT ON FUNCTION mc._fence_pass(bigint) IS 'swaps the number in the fence of a job for the one that is recorded, or raises';

-- Swaps the number; each step is committed.  failure: NULL = the fence is ours, or there is none
CREATE PROCEDURE mc._take_fence(job_id bigint, planned boolean, INOUT failure jsonb, sweep boolean DEFAULT false)
LANGUAGE plpgsql AS $$
DECLARE
	code text; message text; detail text; hint text; context text;
BEGIN
	PERFORM mc._begin(sweep);
	BEGIN
		IF NOT planned THEN
			PERFORM mc._fence_plan(job_id, true);
		END IF;
	EXCEPTION WHEN query_canceled OR OTHERS THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
			hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	END;
	IF code IS NULL THEN
		-- what is asked for is known here before, and after
		COMMIT;
		PERFORM mc._begin(sweep);
		BEGIN
			PERFORM mc._fence_pass(job_id);
		EXCEPTION WHEN query_canceled OR OTHERS THEN
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
				hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
		END;
	END IF;
	failure := CASE WHEN code IS NOT NULL THEN pg_catalog.jsonb_build_object('code', code, 'message', message, 'detail', detail,
		'hint', hint, 'context', context) END;
	COMMIT;
END
$$;
COMMENT ON PROCEDURE mc._take_fence(bigint, boolean, jsonb, boolean) IS 'swaps the number in the fence of a job; failure says why this database may not run it';

CREATE FUNCTION mc._fence_failed(job_id bigint, failure jsonb, sweep boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF failure ->> 'code' IN ('57014', '57P01') THEN
		PERFORM mc._raise(failure ->> 'code', failure ->> 'message', NULL, NULL);
	END IF;
	PERFORM mc._begin(sweep);
	IF sweep THEN
		PERFORM mc._sweep_failed(job_id, failure ->> 'code', failure ->> 'message');
	END IF;
	UPDATE mc.run r SET note = failure ->> 'message' WHERE r.job_id = _fence_failed.job_id AND r.state IN ('prepared', 'publishing');
EXCEPTION WHEN OTHERS THEN
	IF NOT sweep THEN
		RAISE;
	END IF;
END
$$;
COMMENT ON FUNCTION mc._fence_failed(bigint, jsonb, boolean) IS 'records why the runs of a job that are sealed cannot be published by this database';
