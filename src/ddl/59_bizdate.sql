-- the day of a window in the form of the schedulers

CREATE FUNCTION mc.bizdate(at timestamptz, tz text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN tz IS NULL THEN pg_catalog.to_char(at, 'YYYYMMDD')
	ELSE pg_catalog.to_char(at AT TIME ZONE tz, 'YYYYMMDD') END
$$;
COMMENT ON FUNCTION mc.bizdate(timestamptz, text) IS
'the day of "at" as yyyymmdd, in the time zone "tz" or else that of the session, which in a job is the job''s; mc.bizdate($1) in a daily job is what schedulers call bizdate';
