-- mc.import_datax_job(): the pieces put together.  See docs/import.md.

-- names in ${} that have no value
CREATE FUNCTION mc._import_missing(texts text, parameters jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT string_agg(DISTINCT n, ', ' ORDER BY n) FROM (
	SELECT btrim(m[1]) AS n FROM regexp_matches(texts, '\$\{([^}]*)\}', 'g') AS t (m)) AS x
WHERE NOT parameters ? n AND n !~ '^(yyyy|mm|dd|hh24|mi|ss|add_months)'
$$;
COMMENT ON FUNCTION mc._import_missing(text, jsonb) IS 'parameters without a value';

CREATE FUNCTION mc._import_plugin(name text, side text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	short text := regexp_replace(lower(btrim(name)), side || '$', '');
BEGIN
	IF short IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the document has no %s', side);
	END IF;
	short := CASE short WHEN 'maxcompute' THEN 'odps' WHEN 'tablestore' THEN 'ots' ELSE short END;
	IF NOT EXISTS (SELECT FROM mc._import_catalog() c WHERE c.side = _import_plugin.side AND c.plugin = short) OR short = 'any' THEN
		RAISE feature_not_supported USING MESSAGE = format('%s %s cannot be imported', side, name),
			HINT = format('These can: %s.', (SELECT string_agg(DISTINCT c.plugin, ', ') FROM mc._import_catalog() c WHERE c.side = _import_plugin.side));
	END IF;
	RETURN short;
END
$$;
COMMENT ON FUNCTION mc._import_plugin(text, text) IS 'a plugin by its short name';

-- whether the target is replaced by each cycle: {"replace", "snapshot", "warning"}
CREATE FUNCTION mc._import_replace(plugin text, p jsonb, schedule jsonb, windowed boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	target text := CASE plugin WHEN 'odps' THEN array_to_string(mc._import_strings(p -> 'partition'), ',') ELSE COALESCE(p ->> 'object', '') END;
	wanted boolean := CASE plugin WHEN 'odps' THEN mc._import_boolean(p -> 'truncate') WHEN 'oss' THEN lower(p ->> 'writeMode') = 'truncate' ELSE false END;
	finest interval;
BEGIN
	IF NOT COALESCE(wanted, false) OR schedule IS NULL THEN
		RETURN jsonb_build_object('replace', COALESCE(wanted, false));
	END IF;
	SELECT min(t.unit) INTO finest FROM mc._import_tokens(target) x, mc._import_token(x.part) t WHERE x.is_token;
	IF finest IS NULL AND NOT windowed THEN
		RETURN '{"replace": true, "snapshot": true}';
	ELSIF finest <= (schedule ->> 'every')::interval THEN
		RETURN '{"replace": true}';
	ELSIF NOT windowed THEN
		RETURN '{"replace": true, "snapshot": true}';
	END IF;
	RETURN jsonb_build_object('replace', false, 'warning', format('each cycle of %s would replace what those before it wrote to the same place, so rows are appended: a job writes each window once, without truncating',
		schedule ->> 'every'));
END
$$;
COMMENT ON FUNCTION mc._import_replace(text, jsonb, jsonb, boolean) IS 'whether a cycle replaces what is in its target';

CREATE FUNCTION mc.import_datax_job(document text, name text DEFAULT NULL, parameters jsonb DEFAULT '{}', datasources jsonb DEFAULT '{}',
	schema text DEFAULT NULL, timezone text DEFAULT NULL, every interval DEFAULT NULL, lag interval DEFAULT NULL, start timestamptz DEFAULT NULL)
RETURNS TABLE (ordinal int, kind text, statement text, remark text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET standard_conforming_strings = on AS $$
DECLARE
	zone text := COALESCE(timezone, current_setting('TimeZone'));
	filled jsonb := '{"bdp.system.bizdate": "$bizdate", "bdp.system.cyctime": "$cyctime", "bizdate": "$bizdate", "cyctime": "$cyctime"}'::jsonb
		|| CASE WHEN parameters ? 'bizdate' THEN jsonb_build_object('bdp.system.bizdate', parameters -> 'bizdate') ELSE '{}' END
		|| CASE WHEN parameters ? 'cyctime' THEN jsonb_build_object('bdp.system.cyctime', parameters -> 'cyctime') ELSE '{}' END || jsonb_strip_nulls(COALESCE(parameters, '{}'));
	shape jsonb := mc._import_shape(mc._import_json(document));
	from_ text := mc._import_plugin(shape #>> '{reader,plugin}', 'reader');
	to_ text := mc._import_plugin(shape #>> '{writer,plugin}', 'writer');
	given text := concat((shape -> 'reader')::text, (shape -> 'writer')::text, (shape -> 'setting')::text, shape ->> 'transformer', datasources::text);
	missing text := mc._import_missing(given, filled);
	rp jsonb;
	wp jsonb;
	window_ jsonb;
	schedule jsonb;
	setting jsonb;
	ctx jsonb;
	r jsonb;
	w jsonb;
	rs jsonb;
	ws jsonb;
	replacing jsonb;
	transformed jsonb;
	job text;
	notes jsonb;
	rows_ jsonb := '[]';
	wheres text[];
	selected text[];
	columns_ text[];
	into_ text[];
	extra jsonb;
	except_ text[];
	compose text;
	sql text;
	text_ text;
BEGIN
	IF missing IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('parameters without a value: %s', missing),
			HINT = format('Give them, for example: parameters => ''{"%s": "$[yyyymmddhh24miss-10/24/60]"}''.', split_part(missing, ', ', 1));
	END IF;
	PERFORM now() AT TIME ZONE zone;
	rp := mc._import_fill(shape #> '{reader,parameter}', filled);
	wp := mc._import_fill(shape #> '{writer,parameter}', filled);
	datasources := mc._import_fill(COALESCE(datasources, '{}'), filled);
	IF jsonb_typeof(rp) <> 'object' OR jsonb_typeof(wp) <> 'object' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the parameters of reader and writer are objects';
	END IF;
	-- every parameter is accounted for before anything else may fail because of it
	notes := mc._import_account('reader', from_, rp, shape #>> '{reader,at}') || mc._import_account('writer', to_, wp, shape #>> '{writer,at}')
		|| mc._import_account('setting', 'any', (SELECT COALESCE(jsonb_object_agg(k, v), '{}') FROM (
			SELECT a.k, a.v FROM jsonb_each(shape -> 'setting') AS a (k, v) WHERE a.k NOT IN ('speed', 'errorLimit') OR jsonb_typeof(a.v) <> 'object'
			UNION ALL SELECT a.k || '.' || b.k, b.v FROM jsonb_each(shape -> 'setting') AS a (k, v), jsonb_each(CASE jsonb_typeof(a.v) WHEN 'object' THEN a.v ELSE '{}' END) AS b (k, v)
				WHERE a.k IN ('speed', 'errorLimit')) AS s), shape ->> 'setting_at')
		|| (shape -> 'notes');
	setting := mc._import_setting(mc._import_fill(shape -> 'setting', filled));
	window_ := mc._import_window(from_, rp);
	schedule := mc._import_schedule(window_,
		ARRAY(SELECT x #>> '{}' FROM unnest(ARRAY[rp - '{accessId,accessKey,password,username,securityToken,beginDateTime,endDateTime,beginTimestampMillis,endTimestampMillis,startTimestampMillis,endTimestampMillis,startTimeString,endTimeString,date}'::text[],
			wp - '{accessId,accessKey,password,username,securityToken}'::text[]]) AS p (v), jsonb_path_query(v, 'strict $.** ? (@.type() == "string")') AS q (x)),
		every, lag);
	replacing := mc._import_replace(to_, wp, schedule, window_ <> '{}');
	job := COALESCE(name, mc._import_name(COALESCE(rp ->> 'logstore', rp ->> 'dataTable', mc._import_first(rp -> 'table' -> 0, rp -> 'table'), rp #>> '{connection,0,table,0}', from_), 'to',
		COALESCE(mc._import_first(wp -> 'table' -> 0, wp -> 'table'), wp #>> '{connection,0,table,0}', to_)));
	IF job !~ '^[A-Za-z0-9_][A-Za-z0-9_-]*$' OR length(job) > 63 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('"%s" cannot be the name of a job', job), HINT = 'Letters, digits, _ and - can, up to 63.';
	END IF;

	rs := mc._import_server(from_, rp, datasources);
	ws := mc._import_server(to_, wp, datasources);
	ctx := jsonb_build_object('schema', COALESCE(schema, job), 'schedule', schedule, 'timezone', zone);
	r := ctx || jsonb_build_object('server', rs ->> 'server', 'database', rs ->> 'database', 'options', (setting -> 'both') || (setting -> 'rate'),
		'other', CASE to_ WHEN 'odps' THEN lower(wp ->> 'table') WHEN 'mysql' THEN mc._import_mysql_table(wp) WHEN 'ots' THEN wp ->> 'table' END,
		'width', CASE to_ WHEN 'oss' THEN NULLIF(array_length(mc._import_strings(wp -> 'header'), 1), 0)
			WHEN 'ots' THEN jsonb_array_length(COALESCE(wp -> 'primaryKey', '[]')) + jsonb_array_length(COALESCE(wp -> 'column', '[]'))
			ELSE CASE WHEN NOT mc._import_all(wp -> 'column') THEN jsonb_array_length(wp -> 'column') END END);
	r := CASE from_ WHEN 'loghub' THEN mc._import_reader_loghub(rp, r) WHEN 'ots' THEN mc._import_reader_ots(rp, r, from_) WHEN 'otsstream' THEN mc._import_reader_ots(rp, r, from_)
		WHEN 'odps' THEN mc._import_reader_odps(rp, r) WHEN 'mysql' THEN mc._import_reader_mysql(rp, r) ELSE mc._import_reader_oss(rp, r, from_) END;
	w := ctx || jsonb_build_object('server', ws ->> 'server', 'database', ws ->> 'database', 'reader', r, 'replace', replacing -> 'replace',
		'options', (setting -> 'both') || CASE WHEN from_ = 'mysql' THEN setting -> 'rate' ELSE '{}' END);
	w := CASE to_ WHEN 'odps' THEN mc._import_writer_odps(wp, w) WHEN 'ots' THEN mc._import_writer_ots(wp, w) WHEN 'mysql' THEN mc._import_writer_mysql(wp, w)
		ELSE mc._import_writer_oss(wp, w) END;

	selected := ARRAY(SELECT x FROM jsonb_array_elements_text(r -> 'select') WITH ORDINALITY AS e (x, n) ORDER BY n);
	columns_ := ARRAY(SELECT x FROM jsonb_array_elements_text(r -> 'columns') WITH ORDINALITY AS e (x, n) ORDER BY n);
	into_ := ARRAY(SELECT x FROM jsonb_array_elements_text(w -> 'into') WITH ORDINALITY AS e (x, n) ORDER BY n);
	except_ := ARRAY(SELECT jsonb_array_elements_text(r -> 'except'));
	extra := COALESCE(w -> 'extra', '[]');
	transformed := mc._import_transform(shape -> 'transformer', selected);
	-- what a transformer changed is no column of the source any more
	columns_ := ARRAY(SELECT CASE WHEN transformed #>> ARRAY['select', (n - 1)::text] = selected[n] THEN x END FROM unnest(columns_) WITH ORDINALITY AS c (x, n) ORDER BY n);
	selected := ARRAY(SELECT x FROM jsonb_array_elements_text(transformed -> 'select') WITH ORDINALITY AS e (x, n) ORDER BY n);
	IF window_ <> '{}' THEN
		IF schedule IS NULL AND (window_ ->> 'day')::boolean THEN
			wheres := ARRAY[format('%s >= %s', window_ ->> 'column', mc._import_time_sql(mc._import_time(window_ ->> 'from', zone, 'date'), zone)),
				format('%s < %s', window_ ->> 'column', mc._import_time_sql(((mc._import_time(window_ ->> 'from', zone, 'date') AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone, zone))];
		ELSE
			wheres := array_remove(ARRAY[
				format('%s >= ', window_ ->> 'column') || CASE WHEN schedule IS NOT NULL THEN '$1' WHEN window_ ->> 'from' IS NOT NULL
					THEN mc._import_time_sql(mc._import_time(window_ ->> 'from', zone, 'the begin of the window'), zone) END,
				format('%s < ', window_ ->> 'column') || CASE WHEN schedule IS NOT NULL THEN '$2' WHEN window_ ->> 'to' IS NOT NULL
					THEN mc._import_time_sql(mc._import_time(window_ ->> 'to', zone, 'the end of the window'), zone) END], NULL);
		END IF;
	END IF;
	wheres := COALESCE(wheres, '{}') || ARRAY(SELECT jsonb_array_elements_text(r -> 'where')) || ARRAY(SELECT jsonb_array_elements_text(transformed -> 'where'));

	rows_ := (rs -> 'rows') || (ws -> 'rows') || mc._import_row('schema', format('CREATE SCHEMA IF NOT EXISTS %I', COALESCE(schema, job)), 'the foreign tables of this job')
		|| (r -> 'rows') || (w -> 'rows');
	IF to_ <> 'oss' AND NOT COALESCE((w #>> '{insert,empty_as_null}')::boolean, false) THEN
		rows_ := rows_ || mc._import_row('foreign table', format('SELECT mc._import_types(%L, %L, %L, %L, %L, %L, %L)', w ->> 'table', into_, extra, r ->> 'table', selected, columns_, except_),
			'columns of the source get the types of the target where a value would not fit otherwise');
	END IF;
	IF COALESCE((r ->> 'compose')::boolean, false) OR COALESCE((w ->> 'compose')::boolean, false) THEN
		compose := format('mc._import_insert(%L, %L, %L, %L, %L, %L, %L, %L, %L)', w ->> 'table', into_, extra, r ->> 'table', selected, columns_, except_, wheres, COALESCE(w -> 'insert', '{}'));
	ELSIF array_length(selected, 1) <> array_length(into_, 1) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the reader has %s columns, the writer %s', array_length(selected, 1), array_length(into_, 1));
	ELSE
		SELECT COALESCE(string_agg(x ->> 1, ', ' ORDER BY n), '') INTO text_ FROM jsonb_array_elements(extra) WITH ORDINALITY AS e (x, n);
		sql := format(E'INSERT INTO %s (%s)\nSELECT %s\n  FROM %s%s', w ->> 'table',
			(SELECT string_agg(format('%I', x), ', ' ORDER BY n) FROM unnest(into_ || ARRAY(SELECT y ->> 0 FROM jsonb_array_elements(extra) WITH ORDINALITY AS e (y, o) ORDER BY o)) WITH ORDINALITY AS i (x, n)),
			array_to_string(selected, ', ') || CASE WHEN text_ = '' THEN '' ELSE ', ' || text_ END, r ->> 'table',
			CASE WHEN wheres = '{}' THEN '' ELSE E'\n WHERE ' || array_to_string(wheres, E'\n   AND ') END);
	END IF;
	IF schedule IS NULL THEN
		rows_ := rows_ || mc._import_row('statement', CASE WHEN compose IS NULL THEN sql
			ELSE format('DO %s', mc._import_dollar(format(E'\nBEGIN\n  EXECUTE %s;\nEND\n', compose))) END, 'once: the document has no scheduling expressions');
	ELSE
		rows_ := rows_ || mc._import_row('job', format('SELECT mc.create_job(%L, %s, every => %L, lag => %L, timezone => %L%s%s%s)', job, COALESCE(compose, mc._import_dollar(sql)),
			schedule ->> 'every', schedule ->> 'lag', zone, CASE WHEN start IS NULL THEN '' ELSE format(', start => %L', start) END,
			CASE WHEN (replacing ->> 'snapshot')::boolean THEN ', overwrite_scope => ''snapshot''' ELSE '' END,
			CASE WHEN (w ->> 'at_least_once')::boolean THEN ', at_least_once => true' ELSE '' END), format('run it with CALL mc.run_job(%L), schedule it with SELECT mc.schedule_job(%L)', job, job));
	END IF;
	IF replacing ->> 'warning' IS NOT NULL THEN
		rows_ := rows_ || mc._import_row('warning', NULL, replacing ->> 'warning');
	END IF;
	IF w ->> 'warning' IS NOT NULL THEN
		rows_ := rows_ || mc._import_row('warning', NULL, w ->> 'warning');
	END IF;
	FOR text_ IN SELECT k FROM jsonb_object_keys(COALESCE(parameters, '{}')) AS p (k)
			WHERE strpos(given, '${' || k || '}') = 0 AND NOT (k IN ('bizdate', 'cyctime') AND strpos(given, '${bdp.system.' || k || '}') > 0) ORDER BY 1 LOOP
		rows_ := rows_ || mc._import_row('unknown', NULL, format('argument parameters.%s: the document does not use it', text_));
	END LOOP;
	RETURN QUERY SELECT (row_number() OVER (ORDER BY x.n))::int, x.v ->> 'kind', x.v ->> 'statement', x.v ->> 'remark'
		FROM jsonb_array_elements(rows_ || notes) WITH ORDINALITY AS x (v, n)
		-- reader and writer may share a server
		WHERE x.v ->> 'kind' NOT IN ('server', 'user mapping', 'extension')
			OR NOT EXISTS (SELECT FROM jsonb_array_elements(rows_) WITH ORDINALITY AS y (v, n) WHERE y.v = x.v AND y.n < x.n);
END
$$;
COMMENT ON FUNCTION mc.import_datax_job(text, text, jsonb, jsonb, text, text, interval, interval, timestamptz) IS
'a job document of Data Integration or DataX as SQL: statements in the order in which to run them (SELECT statement ... WHERE statement IS NOT NULL \gexec), and what became of every parameter';
