-- Import of job documents: DataWorks Data Integration (script mode 1.0, steps 2.0) and DataX.

-- Form, reader, writer and setting of a document, with the paths of their parameters
CREATE FUNCTION mc._import_shape(doc jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	root jsonb := doc;
	at text := '';
	sides jsonb := '{}';
	notes jsonb := '[]';
	step record;
	side text;
	m record;
	plugin text;
BEGIN
	IF jsonb_typeof(doc -> 'job') = 'object' AND doc #> '{job,content}' IS NOT NULL THEN
		IF jsonb_typeof(doc #> '{job,content}') <> 'array' OR jsonb_array_length(doc #> '{job,content}') <> 1 THEN
			RAISE feature_not_supported USING MESSAGE = 'job.content must have one reader and one writer', HINT = 'Import the others as documents of their own.';
		END IF;
		FOREACH side IN ARRAY '{reader,writer}'::text[] LOOP
			sides := sides || jsonb_build_object(side, jsonb_build_object('plugin', doc #> ARRAY['job', 'content', '0', side, 'name'],
				'parameter', COALESCE(doc #> ARRAY['job', 'content', '0', side, 'parameter'], '{}'), 'at', format('job.content[0].%s.parameter', side)));
			FOR m IN SELECT * FROM mc._import_members(COALESCE(doc #> ARRAY['job', 'content', '0', side], '{}'), format('job.content[0].%s', side)) WHERE member NOT IN ('name', 'parameter') LOOP
				notes := notes || mc._import_row('unknown', NULL, m.path || ': not known');
			END LOOP;
		END LOOP;
		sides := sides || jsonb_build_object('setting', COALESCE(doc #> '{job,setting}', '{}'), 'setting_at', 'job.setting', 'transformer', COALESCE(doc #> '{job,content,0,transformer}', '[]'));
		FOR m IN SELECT * FROM mc._import_members(doc - 'job', '') UNION ALL SELECT * FROM mc._import_members((doc -> 'job') - 'content' - 'setting', 'job')
				UNION ALL SELECT * FROM mc._import_members((doc #> '{job,content,0}') - 'reader' - 'writer' - 'transformer', 'job.content[0]') LOOP
			notes := notes || CASE WHEN m.path IN ('core', 'entry', 'common', 'job.preHandler', 'job.postHandler')
				THEN mc._import_row('ignored', NULL, m.path || ': settings of the original''s process') ELSE mc._import_row('unknown', NULL, m.path || ': not known') END;
		END LOOP;
		RETURN sides || jsonb_build_object('notes', notes);
	END IF;
	IF jsonb_typeof(doc -> 'configuration') = 'object' THEN
		root := doc -> 'configuration';
		at := 'configuration.';
		FOREACH side IN ARRAY '{reader,writer}'::text[] LOOP
			sides := sides || jsonb_build_object(side, jsonb_build_object('plugin', root #> ARRAY[side, 'plugin'], 'parameter', COALESCE(root #> ARRAY[side, 'parameter'], '{}'),
				'at', format('configuration.%s.parameter', side)));
			FOR m IN SELECT * FROM mc._import_members(COALESCE(root -> side, '{}'), 'configuration.' || side) WHERE member NOT IN ('plugin', 'parameter') LOOP
				notes := notes || mc._import_row('unknown', NULL, m.path || ': not known');
			END LOOP;
		END LOOP;
		FOR m IN SELECT * FROM mc._import_members(root - 'reader' - 'writer' - 'setting', 'configuration') LOOP
			notes := notes || mc._import_row('unknown', NULL, m.path || ': not known');
		END LOOP;
	ELSIF jsonb_typeof(doc -> 'steps') = 'array' THEN
		FOR step IN SELECT x AS value, n - 1 AS i FROM jsonb_array_elements(doc -> 'steps') WITH ORDINALITY AS e (x, n) LOOP
			side := lower(step.value ->> 'category');
			IF side IS NULL OR side NOT IN ('reader', 'writer') THEN
				RAISE feature_not_supported USING MESSAGE = format('steps[%s] is neither reader nor writer', step.i), HINT = 'What it does can be said in the SELECT list.';
			ELSIF sides ? side THEN
				RAISE feature_not_supported USING MESSAGE = format('the document has two steps of category %s', side), HINT = 'Import them as documents of their own.';
			END IF;
			sides := sides || jsonb_build_object(side, jsonb_build_object('plugin', step.value -> 'stepType', 'parameter', COALESCE(step.value -> 'parameter', '{}'),
				'at', format('steps[%s].parameter', step.i)));
			FOR m IN SELECT * FROM mc._import_members(step.value, format('steps[%s]', step.i)) WHERE member NOT IN ('stepType', 'parameter') LOOP
				notes := notes || CASE WHEN m.member IN ('category', 'name', 'displayName', 'copies', 'gui')
					THEN mc._import_row('ignored', NULL, m.path || ': of the document''s form') ELSE mc._import_row('unknown', NULL, m.path || ': not known') END;
			END LOOP;
		END LOOP;
	ELSE
		RAISE invalid_parameter_value USING MESSAGE = 'the document is no job',
			HINT = CASE WHEN doc ? 'loghub' AND doc ? 'tablestore' THEN 'It is the configuration of a LogHub Shipper: see mc.import_shipper_config().'
				ELSE 'A job has "configuration" with reader and writer, "steps", or "job" with "content".' END;
	END IF;
	FOR m IN SELECT * FROM mc._import_members(doc - 'configuration' - 'steps' - CASE WHEN at = '' THEN 'setting' ELSE 'configuration' END, '') LOOP
		notes := notes || CASE WHEN m.member IN ('type', 'version', 'order', 'extend') THEN mc._import_row('ignored', NULL, m.path || ': of the document''s form')
			ELSE mc._import_row('unknown', NULL, m.path || ': not known') END;
	END LOOP;
	RETURN sides || jsonb_build_object('setting', COALESCE(root -> 'setting', '{}'), 'setting_at', at || 'setting', 'transformer', '[]'::jsonb, 'notes', notes);
END
$$;
COMMENT ON FUNCTION mc._import_shape(jsonb) IS 'reader, writer and setting of a document in any of its forms';

-- What becomes of each parameter: rows for those of one side, an error for one that is refused
CREATE FUNCTION mc._import_account(side text, plugin text, parameter jsonb, at text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m record;
	k record;
	rows_ jsonb := '[]';
	value text;
	sub record;
BEGIN
	FOR m IN SELECT * FROM mc._import_members(parameter, at) LOOP
		SELECT * INTO k FROM mc._import_catalog() c WHERE c.parameter = m.member AND (c.side = _import_account.side AND c.plugin = _import_account.plugin OR c.side = 'any' AND _import_account.side <> 'setting')
			ORDER BY c.side = 'any' LIMIT 1;
		IF k.kind IS NULL THEN
			rows_ := rows_ || mc._import_row('unknown', NULL, format('%s: %s has no such parameter', m.path, CASE side WHEN 'setting' THEN 'the setting' ELSE plugin || ' ' || side END));
			CONTINUE;
		END IF;
		IF k.kind = 'refused' THEN
			value := m.content #>> '{}';
			IF COALESCE(value, '') <> '' AND value <> ALL (k.harmless) THEN
				RAISE feature_not_supported USING MESSAGE = format('parameter %s cannot be imported', m.path), DETAIL = format('Instead: %s.', k.remark);
			END IF;
			rows_ := rows_ || mc._import_row('ignored', NULL, m.path || ': has no effect');
		ELSE
			rows_ := rows_ || mc._import_row(k.kind, NULL, format('%s: %s', m.path, k.remark));
		END IF;
		-- members of columns and connections
		IF m.member IN ('column', 'primaryKey') AND jsonb_typeof(m.content) = 'array' THEN
			FOR sub IN SELECT DISTINCT s.k FROM jsonb_array_elements(m.content) AS e (x), jsonb_object_keys(CASE jsonb_typeof(x) WHEN 'object' THEN x ELSE '{}' END) AS s (k)
					WHERE s.k NOT IN ('name', 'type', 'value', 'index', 'format') ORDER BY 1 LOOP
				rows_ := rows_ || mc._import_row('unknown', NULL, format('%s[].%s: columns have no such member', m.path, sub.k));
			END LOOP;
		ELSIF m.member = 'connection' AND jsonb_typeof(m.content) = 'array' THEN
			FOR sub IN SELECT DISTINCT s.k FROM jsonb_array_elements(m.content) AS e (x), jsonb_object_keys(CASE jsonb_typeof(x) WHEN 'object' THEN x ELSE '{}' END) AS s (k)
					WHERE s.k NOT IN ('jdbcUrl', 'table', 'querySql', 'datasource', 'selectedDatabase') ORDER BY 1 LOOP
				rows_ := rows_ || mc._import_row('unknown', NULL, format('%s[].%s: connections have no such member', m.path, sub.k));
			END LOOP;
		END IF;
	END LOOP;
	RETURN rows_;
END
$$;
COMMENT ON FUNCTION mc._import_account(text, text, jsonb, text) IS 'what becomes of each parameter of a reader, a writer or the setting';

-- dx_substr, dx_pad, dx_replace, dx_filter: {"select", "where"}
CREATE FUNCTION mc._import_transform(transformers jsonb, selected text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t jsonb;
	i int;
	p text[];
	e text;
	wheres text[] := '{}';
BEGIN
	FOR t IN SELECT x FROM jsonb_array_elements(transformers) AS a (x) LOOP
		i := mc._import_integer(t #> '{parameter,columnIndex}', 'columnIndex') + 1;
		p := mc._import_strings(t #> '{parameter,paras}');
		IF t ->> 'name' NOT IN ('dx_substr', 'dx_pad', 'dx_replace', 'dx_filter') THEN
			RAISE feature_not_supported USING MESSAGE = format('transformer %s cannot be imported', t ->> 'name'), HINT = 'Write it in the SELECT list.';
		ELSIF i IS NULL OR i NOT BETWEEN 1 AND COALESCE(array_length(selected, 1), 0) OR '*' = ANY (selected) OR '#keys' = ANY (selected) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('transformer %s names no column of the reader', t ->> 'name');
		END IF;
		e := selected[i];
		CASE t ->> 'name'
			WHEN 'dx_substr' THEN
				selected[i] := format('substr(%s::text, %s, %s)', e, p[1]::int + 1, p[2]::int);
			WHEN 'dx_pad' THEN
				selected[i] := format('%s(COALESCE(%s::text, ''''), %s, %L)', CASE lower(p[1]) WHEN 'r' THEN 'rpad' ELSE 'lpad' END, e, p[2]::int, p[3]);
			WHEN 'dx_replace' THEN
				selected[i] := format('overlay(%s::text PLACING %L FROM %s FOR %s)', e, COALESCE(p[3], ''), p[1]::int + 1, p[2]::int);
			ELSE
				IF lower(p[1]) NOT IN ('like', 'not like', '=', '!=') THEN
					RAISE feature_not_supported USING MESSAGE = format('dx_filter with %s cannot be imported', p[1]), HINT = 'like, not like, = and != can.';
				END IF;
				wheres := wheres || CASE lower(p[1]) WHEN 'like' THEN format('(%s::text ~ %L) IS NOT TRUE', e, '^(?:' || p[2] || ')$')
					WHEN 'not like' THEN format('(%s::text !~ %L) IS NOT TRUE', e, '^(?:' || p[2] || ')$')
					WHEN '=' THEN format('%s::text IS DISTINCT FROM %L', e, p[2]) ELSE format('%s::text IS NOT DISTINCT FROM %L', e, p[2]) END;
		END CASE;
	END LOOP;
	RETURN jsonb_build_object('select', selected, 'where', wheres);
END
$$;
COMMENT ON FUNCTION mc._import_transform(jsonb, text[]) IS 'transformers of DataX as expressions and conditions';

-- on_error, reject_limit, concurrency and rate_limit: {"both", "rate"}
CREATE FUNCTION mc._import_setting(setting jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	records bigint := mc._import_integer(setting #> '{errorLimit,record}', 'errorLimit.record');
	parallel bigint := COALESCE(mc._import_integer(setting #> '{speed,concurrent}', 'speed.concurrent'), mc._import_integer(setting #> '{speed,channel}', 'speed.channel'));
	mbps text := NULLIF(setting #>> '{speed,mbps}', '');
	bytes bigint := mc._import_integer(setting #> '{speed,byte}', 'speed.byte');
	throttle boolean := setting #> '{speed,throttle}' IS NULL OR mc._import_boolean(setting #> '{speed,throttle}');
	rate jsonb := '{}';
BEGIN
	IF mbps IS NOT NULL AND mbps !~ '^\d+(\.\d+)?$' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'speed.mbps must be a number';
	END IF;
	IF throttle AND mbps::numeric > 0 THEN
		rate := jsonb_build_object('rate_limit', CASE WHEN mbps ~ '\.' THEN round(mbps::numeric * 1024) || 'kB' ELSE mbps || 'MB' END);
	ELSIF throttle AND bytes > 0 THEN
		rate := jsonb_build_object('rate_limit', bytes::text);
	END IF;
	RETURN jsonb_build_object('both', jsonb_strip_nulls(jsonb_build_object('on_error', CASE WHEN records > 0 THEN 'reject' END,
		'reject_limit', CASE WHEN records > 0 THEN records::text END,
		'concurrency', CASE WHEN parallel > 0 THEN LEAST(parallel, 64)::text END)), 'rate', rate);
END
$$;
COMMENT ON FUNCTION mc._import_setting(jsonb) IS 'options for the setting of a document';

-- begin and end of what a reader reads, as they stand in the document
CREATE FUNCTION mc._import_window(plugin text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a text;
	b text;
	day text := NULLIF(p ->> 'date', '');
BEGIN
	IF plugin = 'loghub' THEN
		a := mc._import_first(p -> 'beginDateTime', p -> 'beginTimestampMillis');
		b := mc._import_first(p -> 'endDateTime', p -> 'endTimestampMillis');
	ELSIF plugin = 'otsstream' THEN
		a := mc._import_first(p -> 'startTimestampMillis', p -> 'startTimeString');
		b := mc._import_first(p -> 'endTimestampMillis', p -> 'endTimeString');
		IF day IS NOT NULL AND (a IS NOT NULL OR b IS NOT NULL) THEN
			RAISE invalid_parameter_value USING MESSAGE = 'otsstream has "date" and a range of times', HINT = 'One of them is enough.';
		ELSIF day IS NOT NULL THEN
			RETURN jsonb_build_object('column', '__commit_time__', 'from', day, 'to', day || '235959', 'day', true);
		END IF;
	END IF;
	IF a IS NULL AND b IS NULL THEN
		RETURN '{}';
	END IF;
	RETURN jsonb_build_object('column', CASE plugin WHEN 'loghub' THEN '__receive_time__' ELSE '__commit_time__' END, 'from', a, 'to', b);
END
$$;
COMMENT ON FUNCTION mc._import_window(text, jsonb) IS 'the window of a reader';
