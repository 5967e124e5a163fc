-- Import of job documents: readers of tables that are imported as they are, odps and mysql.

-- dt='...' with expressions inside of its literals, and `names`; the rest is SQL as it stands
CREATE FUNCTION mc._import_condition(condition text, schedule jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m text[];
	result text := '';
BEGIN
	FOR m IN SELECT x FROM regexp_matches(condition, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"|`[^`]*`|[^''"`]+|[''"`])', 'g') AS t (x) LOOP
		IF m[1] ~ '^''.*''$' THEN
			result := result || CASE WHEN mc._import_has_token(m[1])
				THEN '(' || mc._import_text_sql(replace(substr(m[1], 2, length(m[1]) - 2), '''''', ''''), schedule) || ')' ELSE m[1] END;
		ELSIF m[1] ~ '^`' THEN
			result := result || quote_ident(btrim(m[1], '`'));
		ELSIF m[1] IN ('''', '"', '`') THEN
			RAISE invalid_parameter_value USING MESSAGE = 'a condition has a quote that is not closed';
		ELSE
			SELECT result || string_agg(CASE WHEN is_token THEN format('(%s)::bigint', mc._import_token_sql(part, schedule)) ELSE part END, '' ORDER BY n)
				INTO result FROM mc._import_tokens(m[1]);
		END IF;
	END LOOP;
	IF result ~ ';' AND regexp_replace(result, '''(?:[^'']|'''')*''', '', 'g') ~ ';' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a condition has a semicolon';
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION mc._import_condition(text, jsonb) IS 'a condition of a document as SQL';

-- partition "dt=20260101,hh=*" of a reader; NULL = every partition
CREATE FUNCTION mc._import_partition_condition(spec text, schedule jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part text[];
	wheres text[] := '{}';
	value text;
BEGIN
	IF btrim(spec) ~ '^/\*\s*query\s*\*/' THEN
		RETURN '(' || mc._import_condition(regexp_replace(btrim(spec), '^/\*\s*query\s*\*/\s*', ''), schedule) || ')';
	END IF;
	FOR part IN SELECT * FROM mc._import_partition(spec) LOOP
		value := part[2];
		IF value ~ '^\*+$' THEN
			CONTINUE;
		ELSIF value ~ '[*?]' THEN
			value := regexp_replace(replace(replace(regexp_replace(value, '([%_\\])', '\\\1', 'g'), '*', '%'), '?', '_'), '%+$', '%');
			wheres := wheres || format('%I::text LIKE %s', part[1], mc._import_text_sql(value, schedule));
		ELSE
			wheres := wheres || format('%I = %s', part[1], mc._import_text_sql(value, schedule));
		END IF;
	END LOOP;
	RETURN NULLIF(array_to_string(wheres, ' AND '), '');
END
$$;
COMMENT ON FUNCTION mc._import_partition_condition(text, jsonb) IS 'a partition of a reader, with * and ?, as a condition';

CREATE FUNCTION mc._import_partition(spec text) RETURNS SETOF text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	piece text;
	m text[];
BEGIN
	-- commas and slashes of expressions do not count
	FOR piece IN SELECT btrim(x[1]) FROM regexp_matches(spec, '((?:\$\[[^]]*\]|\$\{[^}]*\}|[^,/$]|\$)+)', 'g') AS t (x) LOOP
		CONTINUE WHEN piece = '';
		m := regexp_match(piece, '^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$');
		IF m IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = format('partition "%s" is not understood', spec), HINT = 'It looks like dt=20260101,hour=10.';
		END IF;
		RETURN NEXT ARRAY[lower(m[1]), btrim(m[2], '''"')];
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._import_partition(text) IS 'keys and values of a partition';

CREATE FUNCTION mc._import_strings(value jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT CASE COALESCE(jsonb_typeof(value), 'null') WHEN 'array' THEN ARRAY(SELECT x FROM jsonb_array_elements_text(value) AS e (x) WHERE x <> '')
	WHEN 'string' THEN CASE WHEN value #>> '{}' = '' THEN '{}' ELSE ARRAY[value #>> '{}'] END ELSE '{}' END
$$;
COMMENT ON FUNCTION mc._import_strings(jsonb) IS 'a string or a list of strings';

-- IMPORT FOREIGN SCHEMA of one table, renamed where the other side has the name
CREATE FUNCTION mc._import_table(remote text, relname text, schema_ text, ctx jsonb, options jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rows_ jsonb := jsonb_build_array(mc._import_row('foreign table', format('IMPORT FOREIGN SCHEMA %I LIMIT TO (%I) FROM SERVER %I INTO %I',
		schema_, remote, ctx ->> 'server', ctx ->> 'schema'), 'columns and types are asked from the service'));
BEGIN
	IF octet_length(relname) > 63 THEN
		RAISE name_too_long USING MESSAGE = format('the name of table %s is too long for a foreign table', remote);
	END IF;
	IF relname <> remote THEN
		rows_ := rows_ || mc._import_row('foreign table', format('ALTER FOREIGN TABLE %I.%I RENAME TO %I', ctx ->> 'schema', remote, relname));
	END IF;
	IF options <> '{}' THEN
		rows_ := rows_ || mc._import_row('foreign table', format('ALTER FOREIGN TABLE %I.%I %s', ctx ->> 'schema', relname, mc._import_options(options, true)));
	END IF;
	RETURN rows_;
END
$$;
COMMENT ON FUNCTION mc._import_table(text, text, text, jsonb, jsonb) IS 'statements that make a foreign table of a remote table';

CREATE FUNCTION mc._import_table_select(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	selected text[] := '{}';
	columns_ text[] := '{}';
	c record;
	name text;
BEGIN
	IF mc._import_all(p -> 'column') THEN
		RETURN jsonb_build_object('select', ARRAY['*'], 'columns', ARRAY['*']);
	END IF;
	FOR c IN SELECT * FROM mc._import_columns(p -> 'column') LOOP
		name := regexp_replace(btrim(c.name), '^`([^`]*)`$', '\1');
		IF c.value IS NOT NULL THEN
			selected := selected || mc._import_text_sql(c.value, NULLIF(ctx -> 'schedule', 'null'));
			columns_ := columns_ || NULL::text;
		ELSIF name ~ '^[[:alpha:]_][[:alnum:]_$]*$' AND lower(name) NOT IN ('null', 'true', 'false', 'current_date', 'current_timestamp') THEN
			selected := selected || format('%I', name);
			columns_ := columns_ || name;
		ELSE
			selected := selected || mc._import_condition(c.name, NULLIF(ctx -> 'schedule', 'null'));
			columns_ := columns_ || NULL::text;
		END IF;
	END LOOP;
	RETURN jsonb_build_object('select', selected, 'columns', columns_);
END
$$;
COMMENT ON FUNCTION mc._import_table_select(jsonb, jsonb) IS 'columns, constants and expressions of a reader of a table';

CREATE FUNCTION mc._import_reader_odps(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remote text := lower(mc._import_required(p ->> 'table', 'table'));
	relname text := remote || CASE WHEN remote = ctx ->> 'other' THEN '_source' ELSE '' END;
	specs text[] := mc._import_strings(p -> 'partition');
	wheres text[] := '{}';
	alternatives text[];
	result jsonb;
BEGIN
	alternatives := ARRAY(SELECT mc._import_partition_condition(x, NULLIF(ctx -> 'schedule', 'null')) FROM unnest(specs) WITH ORDINALITY AS s (x, n) ORDER BY n);
	IF alternatives <> '{}' AND array_position(alternatives, NULL) IS NULL THEN
		wheres := ARRAY[CASE WHEN array_length(alternatives, 1) = 1 THEN alternatives[1]
			ELSE (SELECT '(' || string_agg(CASE WHEN x LIKE '% AND %' THEN '(' || x || ')' ELSE x END, ' OR ' ORDER BY n) || ')' FROM unnest(alternatives) WITH ORDINALITY AS a (x, n)) END];
	END IF;
	IF COALESCE(p ->> 'where', '') <> '' AND (p -> 'enableWhere' IS NULL OR mc._import_boolean(p -> 'enableWhere')) THEN
		wheres := wheres || format('(%s)', mc._import_condition(p ->> 'where', NULLIF(ctx -> 'schedule', 'null')));
	END IF;
	-- MaxCompute does not tell upper and lower case apart
	p := p || CASE WHEN jsonb_typeof(p -> 'column') = 'array' THEN jsonb_build_object('column',
		(SELECT COALESCE(jsonb_agg(CASE WHEN jsonb_typeof(x) = 'string' AND x #>> '{}' ~ '^\w+$' THEN to_jsonb(lower(x #>> '{}')) ELSE x END ORDER BY n), '[]')
			FROM jsonb_array_elements(p -> 'column') WITH ORDINALITY AS e (x, n))) ELSE '{}' END;
	result := mc._import_table_select(p, ctx);
	RETURN result || jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'where', wheres, 'compose', true,
		'except', (SELECT COALESCE(jsonb_agg(DISTINCT k[1]), '[]') FROM unnest(specs) AS s (x), mc._import_partition(s.x) AS k WHERE s.x !~ '/\*\s*query'),
		'rows', mc._import_table(remote, relname, COALESCE(NULLIF(p ->> 'schema', ''), 'default'), ctx,
			mc._import_timeouts(p) || (ctx -> 'options') || jsonb_build_object('timezone', ctx ->> 'timezone')));
END
$$;
COMMENT ON FUNCTION mc._import_reader_odps(jsonb, jsonb) IS 'reader odps of a job document';

-- the one table of a MySQL reader or writer
CREATE FUNCTION mc._import_mysql_table(p jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text[] := mc._import_strings(p -> 'table') || mc._import_strings(p -> 'connection' -> 0 -> 'table');
BEGIN
	IF jsonb_typeof(p -> 'connection') = 'array' AND jsonb_array_length(p -> 'connection') > 1 OR array_length(names, 1) > 1 THEN
		RAISE feature_not_supported USING MESSAGE = 'a job with several MySQL tables cannot be imported', HINT = 'Import it for one of them, and join the others with UNION ALL.';
	END IF;
	IF mc._import_strings(p -> 'connection' -> 0 -> 'querySql') <> '{}' THEN
		RAISE feature_not_supported USING MESSAGE = 'parameter querySql cannot be imported', DETAIL = 'mysql_fdw reads tables and views.', HINT = 'Make a view in MySQL and read that.';
	END IF;
	-- database.table
	RETURN regexp_replace(replace(mc._import_required(names[1], 'table'), '`', ''), '^.*\.', '');
END
$$;
COMMENT ON FUNCTION mc._import_mysql_table(jsonb) IS 'table of a MySQL reader or writer';

CREATE FUNCTION mc._import_reader_mysql(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remote text := mc._import_mysql_table(p);
	relname text := remote || CASE WHEN remote = ctx ->> 'other' THEN '_source' ELSE '' END;
	wheres text[] := '{}';
	size bigint := mc._import_integer(p -> 'fetchSize', 'fetchSize');
BEGIN
	IF ctx ->> 'database' IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the database of data source %s is not known', p ->> 'datasource'),
			HINT = format('Give it: datasources => ''{"%s": {"database": "..."}}''.', p ->> 'datasource');
	END IF;
	IF COALESCE(p ->> 'where', '') <> '' THEN
		wheres := ARRAY[format('(%s)', mc._import_condition(p ->> 'where', NULLIF(ctx -> 'schedule', 'null')))];
	END IF;
	RETURN mc._import_table_select(p, ctx) || jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname,
		'where', wheres, 'compose', true,
		'rows', mc._import_table(remote, relname, ctx ->> 'database', ctx, CASE WHEN size > 0 THEN jsonb_build_object('fetch_size', size::text) ELSE '{}' END));
END
$$;
COMMENT ON FUNCTION mc._import_reader_mysql(jsonb, jsonb) IS 'reader mysql of a job document';
