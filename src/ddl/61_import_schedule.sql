-- Import of job documents: scheduling expressions.  A schedule is a jsonb
--   {"every", "lag": intervals, "planned": SQL of the planned time of the cycle, "day": the cycle is a day}
-- or NULL when the document has no expressions; then everything is a literal.

-- $[yyyymmddhh24miss-10/24/60], $[add_months(yyyymmdd,-1)], ${yyyymmdd-1}, $bizdate, $cyctime, $gmtdate
CREATE FUNCTION mc._import_token(token text, OUT format text, OUT months int, OUT seconds bigint, OUT unit interval) RETURNS record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	form constant text := '((?:yyyy|mm|dd|hh24|mi|ss)(?:[-:/. ]?(?:yyyy|mm|dd|hh24|mi|ss))*)';
	inner_ text := CASE lower(token) WHEN '$bizdate' THEN 'yyyymmdd-1' WHEN '$cyctime' THEN 'yyyymmddhh24miss'
		WHEN '$gmtdate' THEN 'yyyymmdd' ELSE btrim(lower(substr(token, 3, length(token) - 3))) END;
	m text[];
	amount numeric;
BEGIN
	months := 0;
	seconds := 0;
	m := regexp_match(inner_, '^add_months\(\s*' || form || '\s*,\s*([-+]?)\s*([0-9*/. ]+)\)$');
	IF m IS NOT NULL THEN
		months := mc._import_amount(m[3]) * CASE m[2] WHEN '-' THEN -1 ELSE 1 END;
	ELSE
		m := regexp_match(inner_, '^' || form || '\s*(?:([-+])\s*([0-9*/. ]+))?$');
		IF m IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = format('scheduling expression %s is not understood', token),
				HINT = 'Give the parameter another value, for example $[yyyymmddhh24miss-10/24/60].';
		END IF;
		amount := CASE WHEN m[3] IS NULL THEN 0 ELSE mc._import_amount(m[3]) END * CASE m[2] WHEN '-' THEN -1 ELSE 1 END;
		-- ${...} counts in the unit of its format, $[...] in days
		IF token LIKE '${%' AND m[1] !~ 'dd|hh24|mi|ss' THEN
			months := amount * CASE WHEN m[1] ~ 'mm' THEN 1 ELSE 12 END;
		ELSE
			seconds := round(amount * 86400);
		END IF;
		IF token LIKE '${%' THEN
			seconds := seconds - 86400;
		END IF;
	END IF;
	format := upper(m[1]);
	unit := CASE WHEN m[1] ~ 'ss' THEN '1 second' WHEN m[1] ~ 'mi' THEN '1 minute' WHEN m[1] ~ 'hh24' THEN '1 hour'
		WHEN m[1] ~ 'dd' THEN '1 day' WHEN m[1] ~ 'mm' THEN '1 month' ELSE '1 year' END;
END
$$;
COMMENT ON FUNCTION mc._import_token(text) IS 'a scheduling expression: format of to_char(), what is added to the planned time, and the smallest unit shown';

CREATE FUNCTION mc._import_amount(product text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result numeric;
	m text[];
BEGIN
	FOR m IN SELECT x FROM regexp_matches(replace(product, ' ', ''), '([*/]?)([0-9.]+)', 'g') AS t (x) LOOP
		result := CASE m[1] WHEN '/' THEN result / m[2]::numeric WHEN '*' THEN result * m[2]::numeric ELSE m[2]::numeric END;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION mc._import_amount(text) IS 'value of 10/24/60';

CREATE FUNCTION mc._import_tokens(value text) RETURNS TABLE (n bigint, part text, is_token boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT o, m[1], m[1] ~ '^\$(\[|\{(yyyy|mm|dd|hh24|mi|ss|add_months)|bizdate|cyctime|gmtdate)'
FROM regexp_matches(value, '(\$\[[^]]*\]|\$\{(?:yyyy|mm|dd|hh24|mi|ss|add_months)[^}]*\}|\$bizdate|\$cyctime|\$gmtdate|[^$]+|\$)', 'g')
	WITH ORDINALITY AS t (m, o)
$$;
COMMENT ON FUNCTION mc._import_tokens(text) IS 'a text cut into scheduling expressions and what is between them';

CREATE FUNCTION mc._import_has_token(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE(bool_or(is_token), false) FROM mc._import_tokens(value)
$$;
COMMENT ON FUNCTION mc._import_has_token(text) IS 'whether a text has a scheduling expression';

CREATE FUNCTION mc._import_shift(base text, months int, seconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT base
	|| CASE WHEN months <> 0 THEN format(' %s interval ''%s months''', CASE WHEN months < 0 THEN '-' ELSE '+' END, abs(months)) ELSE '' END
	|| CASE WHEN seconds = 0 THEN ''
		WHEN seconds % 86400 = 0 THEN format(' %s interval ''%s days''', CASE WHEN seconds < 0 THEN '-' ELSE '+' END, abs(seconds) / 86400)
		ELSE format(' %s interval ''%s''', CASE WHEN seconds < 0 THEN '-' ELSE '+' END, make_interval(secs => abs(seconds))) END
$$;
COMMENT ON FUNCTION mc._import_shift(text, int, bigint) IS 'SQL of a time with something added';

CREATE FUNCTION mc._import_token_sql(token text, schedule jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	planned text := schedule ->> 'planned';
BEGIN
	SELECT * INTO t FROM mc._import_token(token);
	IF (schedule ->> 'day')::boolean AND t.unit >= '1 day' THEN
		-- the planned day is that of $2, and $1 is the day before
		IF t.months = 0 AND t.seconds = -86400 AND t.format = 'YYYYMMDD' THEN
			RETURN 'mc.bizdate($1)';
		ELSIF t.months = 0 AND t.seconds = 0 AND t.format = 'YYYYMMDD' THEN
			RETURN 'mc.bizdate($2)';
		END IF;
		planned := '$2';
	END IF;
	IF t.format = 'YYYYMMDD' THEN
		RETURN format('mc.bizdate(%s)', mc._import_shift(planned, t.months, t.seconds));
	END IF;
	RETURN format('to_char(%s, %L)', mc._import_shift(planned, t.months, t.seconds), t.format);
END
$$;
COMMENT ON FUNCTION mc._import_token_sql(text, jsonb) IS 'a scheduling expression as SQL of $1 and $2';

CREATE FUNCTION mc._import_text_sql(value text, schedule jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE(string_agg(CASE WHEN is_token THEN mc._import_token_sql(part, schedule) ELSE quote_literal(part) END, ' || ' ORDER BY n), '''''')
FROM (
	-- neighbours that are plain text are one literal
	SELECT min(n) AS n, string_agg(part, '' ORDER BY n) AS part, is_token
	FROM (SELECT *, n - row_number() OVER (PARTITION BY is_token ORDER BY n) AS run FROM mc._import_tokens(value)) t
	GROUP BY is_token, run, CASE WHEN is_token THEN n END
) t
$$;
COMMENT ON FUNCTION mc._import_text_sql(text, jsonb) IS 'a text with scheduling expressions as SQL';

-- A time of a document: yyyymmddhh24miss and its beginnings, ISO forms, or milliseconds of Unix time
CREATE FUNCTION mc._import_time(value text, zone text, what text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v text := btrim(value);
BEGIN
	IF v ~ '^\d{13}$' THEN
		RETURN to_timestamp(v::numeric / 1000);
	ELSIF v ~ '^\d{10}$' AND v !~ '^(19|20)\d\d(0[1-9]|1[012])' THEN
		RETURN to_timestamp(v::numeric);
	ELSIF v ~ '^(\d{8}|\d{10}|\d{12}|\d{14})$' THEN
		v := rpad(v, 14, '0');
		RETURN make_timestamptz(substr(v, 1, 4)::int, substr(v, 5, 2)::int, substr(v, 7, 2)::int,
			substr(v, 9, 2)::int, substr(v, 11, 2)::int, substr(v, 13, 2)::float8, zone);
	ELSIF v ~ '^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?$' THEN
		RETURN v::timestamp AT TIME ZONE zone;
	END IF;
	RAISE datetime_field_overflow;
EXCEPTION WHEN data_exception THEN
	RAISE invalid_parameter_value USING MESSAGE = format('%s "%s" is not a time', what, v),
		HINT = 'Times are yyyymmddhh24miss, milliseconds since 1970, or scheduling expressions such as $[yyyymmddhh24miss-10/24/60].';
END
$$;
COMMENT ON FUNCTION mc._import_time(text, text, text) IS 'a time of a job document';

CREATE FUNCTION mc._import_time_sql(at timestamptz, zone text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
SELECT format('timestamptz %L', to_char(at AT TIME ZONE zone, 'YYYY-MM-DD HH24:MI:SS')
	|| CASE WHEN extract(milliseconds FROM at)::int % 1000 = 0 THEN '' ELSE to_char(at, '.MS') END
	|| (SELECT CASE WHEN o < '0' THEN '-' ELSE '+' END || to_char(CASE WHEN o < '0' THEN -o ELSE o END, 'HH24:MI')
		FROM (SELECT (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC')) AS z (o)))
$$;
COMMENT ON FUNCTION mc._import_time_sql(timestamptz, text) IS 'an instant as a literal, with the offset of its zone';

-- The schedule of a document: from the bounds of its window if these are expressions, else
-- from the expressions it has anywhere ("texts"), which make it daily or hourly.
CREATE FUNCTION mc._import_schedule(window_ jsonb, texts text[], given_every interval, given_lag interval) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	lower_ text := window_ ->> 'from';
	upper_ text := window_ ->> 'to';
	a record;
	b record;
	every interval;
	lag interval;
	finest interval;
BEGIN
	IF lower_ IS NULL AND upper_ IS NULL OR NOT (mc._import_has_token(lower_) OR mc._import_has_token(upper_)) THEN
		SELECT min(t.unit) INTO finest FROM unnest(texts) AS x (v), mc._import_tokens(x.v) p, mc._import_token(p.part) t WHERE p.is_token;
		IF finest IS NULL THEN
			RETURN NULL;
		ELSIF lower_ IS NOT NULL OR upper_ IS NOT NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'the window is fixed, but other parameters are scheduling expressions',
				HINT = 'Give all of them values, or make the begin and end of the window scheduling expressions.';
		END IF;
		every := COALESCE(given_every, CASE WHEN finest >= '1 day' THEN '1 day' WHEN finest = '1 hour' THEN '1 hour' END::interval);
		IF every IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'the document does not say how often it runs', HINT = 'Give argument "every".';
		END IF;
		lag := COALESCE(given_lag, '5 minutes');
		RETURN jsonb_build_object('every', every, 'lag', lag, 'day', every >= '1 day', 'planned', mc._import_shift('$2', 0, extract(epoch FROM lag)::bigint));
	END IF;
	IF lower_ IS NULL OR upper_ IS NULL OR NOT (mc._import_has_token(lower_) AND mc._import_has_token(upper_)) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'only one end of the window is a scheduling expression',
			DETAIL = format('The window is from %s to %s.', COALESCE(lower_, 'nothing'), COALESCE(upper_, 'nothing'));
	END IF;
	SELECT * INTO a FROM mc._import_bound(lower_);
	SELECT * INTO b FROM mc._import_bound(upper_);
	IF a.months <> 0 OR b.months <> 0 THEN
		RAISE feature_not_supported USING MESSAGE = 'windows of months cannot be imported', HINT = 'Make the job with mc.create_job(every => ''1 month'').';
	END IF;
	IF (a.unit >= '1 day') <> (b.unit >= '1 day') OR b.seconds <= a.seconds THEN
		RAISE invalid_parameter_value USING MESSAGE = 'begin and end of the window do not belong together',
			DETAIL = format('The window is from %s to %s.', lower_, upper_);
	END IF;
	every := CASE WHEN a.unit >= '1 day' THEN make_interval(days => ((b.seconds - a.seconds) / 86400)::int) ELSE make_interval(secs => b.seconds - a.seconds) END;
	IF given_every IS NOT NULL AND given_every <> every THEN
		RAISE invalid_parameter_value USING MESSAGE = format('windows of the document are %s long, not %s', every, given_every);
	END IF;
	IF a.unit >= '1 day' THEN
		lag := COALESCE(given_lag, CASE WHEN b.seconds < 0 THEN make_interval(days => (-b.seconds / 86400)::int) ELSE '5 minutes' END);
		RETURN jsonb_build_object('every', every, 'lag', lag, 'day', b.seconds = 0,
			'planned', CASE WHEN b.seconds = 0 THEN mc._import_shift('$2', 0, extract(epoch FROM lag)::bigint) ELSE mc._import_shift('$2', 0, -b.seconds) END);
	END IF;
	IF b.seconds > 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the window ends after the planned time of its cycle', DETAIL = format('The end is %s.', upper_);
	END IF;
	lag := COALESCE(given_lag, make_interval(secs => -b.seconds));
	RETURN jsonb_build_object('every', every, 'lag', lag, 'day', false, 'planned', mc._import_shift('$2', 0, -b.seconds));
END
$$;
COMMENT ON FUNCTION mc._import_schedule(jsonb, text[], interval, interval) IS 'length, lag and planned time of the windows of a document; NULL = it has no scheduling expressions';

-- A bound of a window: an expression down to seconds or minutes, or a day, perhaps with
-- 000000 (its begin) or 235959 (its last second, so the end of the window is a second later)
CREATE FUNCTION mc._import_bound(value text, OUT months int, OUT seconds bigint, OUT unit interval) RETURNS record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts text[] := ARRAY(SELECT part FROM mc._import_tokens(value) ORDER BY n);
	t record;
	rest text := array_to_string(parts[2:], '');
BEGIN
	IF NOT (SELECT is_token FROM mc._import_tokens(value) ORDER BY n LIMIT 1) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('"%s" cannot be the bound of a window', value),
			HINT = 'It is one expression such as $[yyyymmddhh24miss-10/24/60] or $[yyyymmdd-1].';
	END IF;
	SELECT * INTO t FROM mc._import_token(parts[1]);
	months := t.months;
	seconds := t.seconds;
	unit := t.unit;
	IF rest = '' AND unit <= '1 day' THEN
		RETURN;
	ELSIF unit = '1 day' AND rest ~ '^( ?00:?00(:?00)?)$' THEN
		RETURN;
	ELSIF unit = '1 day' AND rest ~ '^( ?23:?59:?59)$' THEN
		seconds := seconds + 86400;
		RETURN;
	ELSIF unit = '1 minute' AND rest ~ '^:?00$' THEN
		RETURN;
	END IF;
	RAISE invalid_parameter_value USING MESSAGE = format('"%s" cannot be the bound of a window', value),
		HINT = 'It is one expression such as $[yyyymmddhh24miss-10/24/60] or $[yyyymmdd-1].';
END
$$;
COMMENT ON FUNCTION mc._import_bound(text) IS 'what a bound of a window adds to the planned time';
