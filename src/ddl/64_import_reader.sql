-- Import of job documents: readers.  Each makes the foreign table of the source and says
-- what is selected from it:
--   "rows"     statements that make the table
--   "table"    its name
--   "select"   expressions; '*' = all columns but "except", '#keys' = the key columns
--   "columns"  for each expression the column that it is, or null
--   "where"    conditions; #k1, #k2 stand for key columns
--   "compose"  the tables must be there before the statement can be written
-- ctx: "schema", "server", "database", "schedule", "timezone", "options" (those of the setting),
-- "width" (columns of the writer, or null).

CREATE FUNCTION mc._import_reader_loghub(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	logstore text := mc._import_required(p ->> 'logstore', 'logstore');
	relname text := mc._import_local(logstore, '{}', 1);
	options jsonb;
	size bigint := mc._import_integer(p -> 'batchSize', 'batchSize');
	defs text[] := ARRAY['__receive_time__ timestamptz'];
	taken text[] := ARRAY['__receive_time__'];
	selected text[] := '{}';
	columns_ text[] := '{}';
	c record;
	field text;
	local_ text;
	type text;
BEGIN
	options := jsonb_strip_nulls(jsonb_build_object('logstore', logstore, 'timezone', ctx ->> 'timezone',
		'fetch_size', CASE WHEN size IS NOT NULL THEN LEAST(GREATEST(size, 1), 1000) END)) || (ctx -> 'options');
	IF mc._import_all(p -> 'column') THEN
		RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'compose', true, 'select', ARRAY['*'],
			'columns', ARRAY['*'], 'rows', jsonb_build_array(
			mc._import_row('foreign table', format('IMPORT FOREIGN SCHEMA "default" LIMIT TO (%I) FROM SERVER %I INTO %I', logstore, ctx ->> 'server', ctx ->> 'schema'),
				'columns are those of the logstore''s index'),
			mc._import_row('foreign table', format('ALTER FOREIGN TABLE %I.%I %s', ctx ->> 'schema', relname, mc._import_options(options - 'logstore', true)))));
	END IF;
	FOR c IN SELECT * FROM mc._import_columns(p -> 'column') LOOP
		IF c.value IS NOT NULL THEN
			selected := selected || mc._import_text_sql(c.value, NULLIF(ctx -> 'schedule', 'null'));
			columns_ := columns_ || NULL::text;
			CONTINUE;
		ELSIF c.name IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'columns of a logstore have names';
		END IF;
		type := CASE WHEN c.name IN ('C_LogTime', '__logtime__', '__time__') THEN 'bigint' WHEN c.name = 'C__extract_others__' THEN 'jsonb' ELSE 'text' END;
		IF c.name = 'C__extract_all_meta__' THEN
			RAISE feature_not_supported USING MESSAGE = 'C__extract_all_meta__ cannot be imported', HINT = 'Name the fields: C_Source, C_Topic, C_LogTime, C_HostName, C_Path, ...';
		END IF;
		field := CASE c.name WHEN 'C_Source' THEN '__source__' WHEN 'C_Topic' THEN '__topic__' WHEN 'C_Category' THEN '__category__'
			WHEN 'C_MachineUUID' THEN '__machine_uuid__' WHEN '__machineUUID__' THEN '__machine_uuid__'
			WHEN 'C_HostName' THEN '__tag__:__hostname__' WHEN 'C_Path' THEN '__tag__:__path__'
			WHEN 'C_LogTime' THEN '__time__' WHEN '__logtime__' THEN '__time__'
			WHEN 'C__extract_others__' THEN '*'
			ELSE CASE WHEN c.name ~ '^__.*__$' AND c.name NOT IN ('__source__', '__topic__', '__category__', '__time__')
				THEN '__tag__:' || c.name ELSE c.name END END;
		local_ := CASE WHEN field = '*' THEN 'others' WHEN field LIKE '\_\_tag\_\_:%' THEN substr(field, 9) WHEN field = '__time__' THEN 'log_time' ELSE field END;
		-- the same field twice is one column
		IF c.name = ANY (ARRAY(SELECT x.name FROM mc._import_columns(p -> 'column') x WHERE x.n < c.n)) THEN
			local_ := columns_[(SELECT min(x.n) FROM mc._import_columns(p -> 'column') x WHERE x.name = c.name)];
		ELSE
			local_ := mc._import_local(local_, taken, c.n);
			taken := taken || local_;
			defs := defs || (format('%I %s', local_, type) || CASE WHEN local_ <> field THEN format(' OPTIONS (field %L)', field) ELSE '' END);
		END IF;
		selected := selected || format('%I', local_);
		columns_ := columns_ || local_;
	END LOOP;
	RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'select', selected, 'columns', columns_,
		'rows', jsonb_build_array(mc._import_row('foreign table', format(E'CREATE FOREIGN TABLE %I.%I (\n  %s\n) SERVER %I %s',
			ctx ->> 'schema', relname, array_to_string(defs, E',\n  '), ctx ->> 'server', mc._import_options(options)))));
END
$$;
COMMENT ON FUNCTION mc._import_reader_loghub(jsonb, jsonb) IS 'reader loghub of a job document';

CREATE FUNCTION mc._import_timeouts(p jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT jsonb_strip_nulls(jsonb_build_object(
	'max_retries', (SELECT CASE WHEN n IS NOT NULL THEN LEAST(n, 1000)::text END
		FROM mc._import_integer(COALESCE(p -> 'maxRetryTime', p -> 'maxRetries', p -> 'retryTime'), 'the number of retries') AS i (n)),
	'stall_timeout', COALESCE(mc._import_integer(COALESCE(p -> 'socketTimeoutInMillisecond', p -> 'writeTimeoutInMs'), 'a timeout') || 'ms',
		mc._import_integer(p -> 'socketTimeoutSeconds', 'a timeout') || 's'),
	'connect_timeout', COALESCE(mc._import_integer(p -> 'connectTimeoutInMillisecond', 'a timeout') || 'ms',
		mc._import_integer(p -> 'connectTimeoutSeconds', 'a timeout') || 's')))
$$;
COMMENT ON FUNCTION mc._import_timeouts(jsonb) IS 'retries and timeouts as options';

-- begin and end of a range of keys; what stands behind INF_MIN or INF_MAX has no effect
CREATE FUNCTION mc._import_range(bound jsonb, is_end boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	b jsonb;
	type text;
	values_ text[] := '{}';
	names text;
	operator_ text := CASE WHEN is_end THEN '<' ELSE '>=' END;
BEGIN
	IF COALESCE(jsonb_typeof(bound), 'null') NOT IN ('array', 'null') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'begin and end of a range are lists';
	END IF;
	FOR b IN SELECT x FROM jsonb_array_elements(CASE WHEN jsonb_typeof(bound) = 'array' THEN bound ELSE '[]' END) AS e (x) LOOP
		type := upper(btrim(b ->> 'type'));
		IF type IN ('INF_MIN', 'INF_MAX') THEN
			operator_ := CASE WHEN (type = 'INF_MAX') = is_end THEN CASE WHEN is_end THEN '<=' ELSE '>=' END ELSE CASE WHEN is_end THEN '<' ELSE '>' END END;
			EXIT;
		ELSIF type IN ('INT', 'INTEGER') THEN
			values_ := values_ || mc._import_integer(b -> 'value', 'an INT of a range')::text;
		ELSIF type = 'STRING' THEN
			values_ := values_ || quote_literal(b ->> 'value');
		ELSIF type = 'BINARY' THEN
			values_ := values_ || format('%L::bytea', decode(b ->> 'value', 'base64')::text);
		ELSE
			RAISE invalid_parameter_value USING MESSAGE = format('type %s of a range is not known', COALESCE(type, 'null')),
				HINT = 'It is INF_MIN, INF_MAX, STRING, INT or BINARY.';
		END IF;
	END LOOP;
	IF values_ = '{}' THEN
		RETURN NULL;
	END IF;
	SELECT string_agg('#k' || i, ', ' ORDER BY i) INTO names FROM generate_subscripts(values_, 1) i;
	RETURN CASE WHEN array_length(values_, 1) = 1 THEN format('%s %s %s', names, operator_, values_[1])
		ELSE format('(%s) %s (%s)', names, operator_, array_to_string(values_, ', ')) END;
END
$$;
COMMENT ON FUNCTION mc._import_range(jsonb, boolean) IS 'one end of a key range as a condition on #k1, #k2, ...';

CREATE FUNCTION mc._import_reader_ots(p jsonb, ctx jsonb, plugin text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stream constant boolean := plugin = 'otsstream';
	remote text := mc._import_required(COALESCE(p ->> 'dataTable', p ->> 'table'), CASE WHEN plugin = 'otsstream' THEN 'dataTable' ELSE 'table' END);
	imported text := remote || CASE WHEN stream THEN '_stream' ELSE '' END;
	relname text := imported || CASE WHEN imported = ctx ->> 'other' THEN '_source' ELSE '' END;
	cells boolean := stream AND COALESCE(NULLIF(p ->> 'mode', ''), 'multi_version') <> 'single_version_and_update_only';
	sequence_ boolean := stream AND mc._import_boolean(p -> 'isExportSequenceInfo');
	everything boolean := mc._import_all(p -> 'column');
	name text := format('%I.%I', ctx ->> 'schema', relname);
	range_ jsonb := COALESCE(NULLIF(p -> 'range', 'null'), '{}');
	rows_ jsonb := '[]';
	options jsonb := mc._import_timeouts(p) || (ctx -> 'options');
	selected text[] := '{}';
	columns_ text[] := '{}';
	adds text[] := '{}';
	wheres text[] := '{}';
	c record;
	unknown text;
BEGIN
	IF stream AND COALESCE(p ->> 'mode', '') NOT IN ('', 'multi_version', 'single_version_and_update_only') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('mode %s of otsstream is not known', p ->> 'mode');
	END IF;
	IF octet_length(relname) > 63 THEN
		RAISE name_too_long USING MESSAGE = format('the name of table %s is too long for a foreign table', remote);
	END IF;
	rows_ := rows_ || mc._import_row('foreign table', format('IMPORT FOREIGN SCHEMA "default" LIMIT TO (%I) FROM SERVER %I INTO %I OPTIONS (%srest ''false'', sample_rows %L)',
		imported, ctx ->> 'server', ctx ->> 'schema', CASE WHEN stream THEN 'stream ''true'', ' ELSE '' END,
		CASE WHEN cells OR NOT everything THEN '0' ELSE '1000' END),
		CASE WHEN stream THEN 'the change stream of the table must be enabled' ELSE 'the key is asked from the service' END);
	IF relname <> imported THEN
		rows_ := rows_ || mc._import_row('foreign table', format('ALTER FOREIGN TABLE %I.%I RENAME TO %I', ctx ->> 'schema', imported, relname));
	END IF;
	IF cells THEN
		rows_ := rows_ || mc._import_row('foreign table', format('SELECT mc._import_cells(%L)', name), 'one row for each cell: U, DO, DA and DR in __op__');
		selected := ARRAY['__column__', '__version__', '__value__', '__op__'] || CASE WHEN sequence_ THEN ARRAY['__sequence__'] ELSE '{}' END;
		columns_ := selected;
		-- a writer that has no columns for the key gets none
		IF (ctx ->> 'width')::int IS DISTINCT FROM array_length(selected, 1) THEN
			selected := ARRAY['#keys'] || selected;
			columns_ := ARRAY['#keys'] || columns_;
		END IF;
	ELSIF everything THEN
		selected := ARRAY['*'];
		columns_ := ARRAY['*'];
		IF NOT stream THEN
			options := options || '{"unknown_columns": "error"}';
		END IF;
	ELSE
		FOR c IN SELECT * FROM mc._import_columns(p -> 'column') LOOP
			IF c.value IS NOT NULL THEN
				selected := selected || CASE
					WHEN c.type IN ('int', 'integer') THEN mc._import_integer(to_jsonb(c.value), 'an INT constant')::text
					WHEN c.type IN ('bool', 'boolean') THEN CASE WHEN mc._import_boolean(to_jsonb(c.value)) THEN 'true' ELSE 'false' END
					WHEN c.type = 'double' THEN format('float8 %L', c.value::float8)
					WHEN c.type = 'binary' THEN format('%L::bytea', decode(c.value, 'base64')::text)
					ELSE mc._import_text_sql(c.value, NULLIF(ctx -> 'schedule', 'null')) END;
				columns_ := columns_ || NULL::text;
			ELSIF c.name IS NULL OR octet_length(c.name) > 63 THEN
				RAISE invalid_parameter_value USING MESSAGE = format('column %s of Tablestore has no name that a foreign table can have', c.n);
			ELSE
				adds := adds || format('ADD COLUMN IF NOT EXISTS %I text OPTIONS (type ''any'')', c.name);
				selected := selected || format('%I', c.name);
				columns_ := columns_ || c.name;
			END IF;
		END LOOP;
		IF adds <> '{}' THEN
			rows_ := rows_ || mc._import_row('foreign table', format(E'ALTER FOREIGN TABLE %s\n  %s', name, array_to_string(adds, E',\n  ')),
				'attribute columns; those of the key are there');
		END IF;
		IF sequence_ THEN
			selected := selected || '__sequence__'::text;
			columns_ := columns_ || '__sequence__'::text;
		END IF;
	END IF;
	IF options <> '{}' THEN
		rows_ := rows_ || mc._import_row('foreign table', format('ALTER FOREIGN TABLE %s %s', name, mc._import_options(options, true)));
	END IF;
	IF stream THEN
		IF NOT cells THEN
			wheres := wheres || '__op__ <> ''delete'''::text;
		END IF;
	ELSE
		SELECT string_agg(k, ', ') INTO unknown FROM jsonb_object_keys(range_) AS o (k) WHERE k NOT IN ('begin', 'end', 'split');
		IF unknown IS NOT NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = format('range has unknown members: %s', unknown);
		END IF;
		-- from INF_MAX down to INF_MIN is the same rows; the order of rows is the query's business
		IF upper(range_ #>> '{begin,0,type}') = 'INF_MAX' OR upper(range_ #>> '{end,0,type}') = 'INF_MIN' THEN
			IF range_ #>> '{begin,0,value}' IS NOT NULL OR range_ #>> '{end,0,value}' IS NOT NULL THEN
				RAISE feature_not_supported USING MESSAGE = 'a reverse range with a value cannot be imported', HINT = 'Write it from the smaller to the greater key.';
			END IF;
			range_ := '{}';
		END IF;
		wheres := array_remove(ARRAY[mc._import_range(range_ -> 'begin', false), mc._import_range(range_ -> 'end', true)], NULL);
	END IF;
	RETURN jsonb_build_object('table', name, 'relname', relname, 'select', selected, 'columns', columns_, 'where', wheres, 'rows', rows_,
		'compose', '#keys' = ANY (selected) OR '*' = ANY (selected) OR NOT stream AND wheres <> '{}');
END
$$;
COMMENT ON FUNCTION mc._import_reader_ots(jsonb, jsonb, text) IS 'readers ots and otsstream of a job document';

-- objects of a reader: a key, a directory, or a glob in which * also matches /
CREATE FUNCTION mc._import_objects(objects jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text[] := ARRAY(SELECT ltrim(x, '/') FROM jsonb_array_elements_text(CASE jsonb_typeof(objects) WHEN 'array' THEN objects ELSE jsonb_build_array(objects) END) AS e (x));
	globs text[];
BEGIN
	IF objects IS NULL OR names = '{}' OR '' = ANY (names) OR array_position(names, NULL) IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'object is missing';
	ELSIF array_length(names, 1) = 1 AND names[1] !~ '[*?]' THEN
		RETURN jsonb_build_object('object', names[1]);
	ELSIF array_length(names, 1) = 1 AND names[1] ~ '^[^*?]+\*$' THEN
		RETURN jsonb_build_object('prefix', rtrim(names[1], '*'));
	END IF;
	globs := ARRAY(SELECT regexp_replace(regexp_replace(x, '([]\\[{},])', '\\\1', 'g'), '\*+', '**', 'g') FROM unnest(names) AS n (x));
	RETURN jsonb_build_object('pattern', CASE WHEN array_length(globs, 1) = 1 THEN globs[1] ELSE '{' || array_to_string(globs, ',') || '}' END);
END
$$;
COMMENT ON FUNCTION mc._import_objects(jsonb) IS 'option object, prefix or pattern for the objects of a reader';

CREATE FUNCTION mc._import_reader_oss(p jsonb, ctx jsonb, plugin text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	options jsonb := mc._import_format(p, true) || mc._import_timeouts(p) || (ctx -> 'options') || jsonb_build_object('timezone', ctx ->> 'timezone');
	relname text := mc._import_local('files', ARRAY[ctx ->> 'other'], 1);
	defs text[] := '{}';
	types text[] := '{}';
	selected text[] := '{}';
	columns_ text[] := '{}';
	listed jsonb := p -> 'column';
	c record;
	local_ text;
	last_ int;
	names text[] := mc._import_strings(p -> 'object');
	wheres text[] := '{}';
BEGIN
	IF plugin = 'httpfile' THEN
		IF mc._import_has_token(p ->> 'fileName') THEN
			RAISE feature_not_supported USING MESSAGE = 'a scheduling expression in fileName cannot be imported',
				DETAIL = 'A foreign table of a web server is one file.', HINT = 'Give the parameter a value, and make a foreign table for each file.';
		END IF;
		options := options || jsonb_build_object('object', ltrim(mc._import_required(p ->> 'fileName', 'fileName'), '/'));
		IF mc._import_integer(p -> 'bufferByteSizeInKB', 'bufferByteSizeInKB') IS NOT NULL THEN
			options := options || jsonb_build_object('block_size', LEAST(GREATEST((p ->> 'bufferByteSizeInKB')::bigint, 64), 524288) || 'kB');
		END IF;
	ELSE
		IF mc._import_has_token(array_to_string(names, '')) THEN
			IF array_length(names, 1) > 1 THEN
				RAISE feature_not_supported USING MESSAGE = 'several objects with scheduling expressions cannot be imported';
			END IF;
			-- keys below what stands in front of the first expression, chosen by a condition
			options := options || jsonb_build_object('prefix', (SELECT regexp_replace(string_agg(t.part, '' ORDER BY t.n), '[*?].*$', '')
				FROM mc._import_tokens(ltrim(names[1], '/')) t WHERE t.n < (SELECT min(x.n) FROM mc._import_tokens(ltrim(names[1], '/')) x WHERE x.is_token)));
			wheres := ARRAY['__object__ LIKE ' || mc._import_text_sql(replace(replace(regexp_replace(ltrim(names[1], '/'), '([%_\\])', '\\\1', 'g'), '*', '%'), '?', '_'),
				NULLIF(ctx -> 'schedule', 'null'))];
			defs := ARRAY['__object__ text COLLATE "C"'];
		ELSE
			options := options || mc._import_objects(p -> 'object');
		END IF;
		IF mc._import_boolean(p -> 'successOnNoObject') THEN
			options := options || '{"missing_ok": "true"}';
		END IF;
	END IF;
	IF mc._import_boolean(p -> 'skipHeader') THEN
		options := options || '{"header": "true"}';
	END IF;
	IF mc._import_all(listed) THEN
		IF ctx ->> 'width' IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'neither reader nor writer say how many columns the files have', HINT = 'Give "column" of the reader: [{"index": 0, "type": "string"}, ...].';
		END IF;
		SELECT jsonb_agg(jsonb_build_object('index', i, 'type', 'string')) INTO listed FROM generate_series(0, (ctx ->> 'width')::int - 1) i;
	END IF;
	FOR c IN SELECT * FROM mc._import_columns(listed) LOOP
		IF c.value IS NOT NULL THEN
			selected := selected || mc._import_text_sql(c.value, NULLIF(ctx -> 'schedule', 'null'));
			columns_ := columns_ || NULL::text;
		ELSIF c.index IS NULL OR c.index NOT BETWEEN 0 AND 1500 THEN
			RAISE invalid_parameter_value USING MESSAGE = format('column %s of a file has no index', c.n);
		ELSE
			types[c.index + 1] := CASE WHEN c.type IN ('long', 'int', 'integer', 'bigint') THEN 'bigint' WHEN c.type IN ('double', 'float') THEN 'double precision'
				WHEN c.type IN ('boolean', 'bool') THEN 'boolean' WHEN c.type IN ('date', 'datetime', 'timestamp') AND COALESCE(c.format, '') = '' THEN 'timestamptz' ELSE 'text' END;
			local_ := 'c' || c.index;
			IF c.type IN ('date', 'datetime', 'timestamp') AND COALESCE(c.format, '') <> '' THEN
				selected := selected || format('to_timestamp(%s, %L)', local_, mc._import_date_format(c.format));
				columns_ := columns_ || NULL::text;
			ELSE
				selected := selected || local_;
				columns_ := columns_ || local_;
			END IF;
		END IF;
	END LOOP;
	last_ := COALESCE(array_length(types, 1), 1);
	-- array_length counts from the lower bound, which is the first index that was set
	IF types <> '{}' THEN
		last_ := array_upper(types, 1);
	END IF;
	FOR i IN 1..last_ LOOP
		defs := defs || format('c%s %s%s', i - 1, COALESCE(types[i], 'text'), CASE WHEN options ->> 'quote' IS NULL THEN ' OPTIONS (force_null ''true'')' ELSE '' END);
	END LOOP;
	options := options || '{"unknown_columns": "ignore"}';
	RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'select', selected, 'columns', columns_, 'where', wheres,
		'rows', jsonb_build_array(mc._import_row('foreign table', format(E'CREATE FOREIGN TABLE %I.%I (\n  %s\n) SERVER %I %s',
			ctx ->> 'schema', relname, array_to_string(defs, E',\n  '), ctx ->> 'server', mc._import_options(options)))));
END
$$;
COMMENT ON FUNCTION mc._import_reader_oss(jsonb, jsonb, text) IS 'readers oss and httpfile of a job document';

CREATE FUNCTION mc._import_date_format(java text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text[];
	result text := '';
BEGIN
	FOR m IN SELECT x FROM regexp_matches(java, '(y+|M+|d+|H+|m+|s+|S+|''[^'']*''|[a-zA-Z]|[^a-zA-Z'']+|'')', 'g') AS t (x) LOOP
		result := result || CASE WHEN m[1] = 'yyyy' THEN 'YYYY' WHEN m[1] = 'yy' THEN 'YY' WHEN m[1] = 'MM' THEN 'MM' WHEN m[1] = 'dd' THEN 'DD'
			WHEN m[1] = 'HH' THEN 'HH24' WHEN m[1] = 'mm' THEN 'MI' WHEN m[1] = 'ss' THEN 'SS' WHEN m[1] = 'SSS' THEN 'MS'
			WHEN m[1] ~ '^''' THEN '"' || btrim(m[1], '''') || '"' WHEN m[1] !~ '[a-zA-Z]' THEN m[1] END;
		IF result IS NULL THEN
			RAISE feature_not_supported USING MESSAGE = format('date format "%s" cannot be imported', java), HINT = 'yyyy, MM, dd, HH, mm, ss and SSS can.';
		END IF;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION mc._import_date_format(text) IS 'a date format of Java as one of to_char()';
