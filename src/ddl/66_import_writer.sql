-- Import of job documents: writers.  Each makes the foreign table of the target:
--   "rows"      statements that make the table
--   "table"     its name
--   "into"      columns, in the order of the reader's; '*' = all but those that are named
--   "extra"     [[column, expression]]: what the writer itself adds
--   "compose"   the tables must be there before the statement can be written
--   "insert"    options of mc._import_insert()
-- ctx: as for readers, and "reader": what the reader returned.

CREATE FUNCTION mc._import_writer_odps(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remote text := lower(mc._import_required(p ->> 'table', 'table'));
	specs text[] := mc._import_strings(p -> 'partition');
	extra jsonb := '[]';
	part text[];
	size bigint := mc._import_integer(p -> 'blockSizeInMB', 'blockSizeInMB');
	options jsonb := mc._import_timeouts(p) || (ctx -> 'options') || jsonb_build_object('timezone', ctx ->> 'timezone');
BEGIN
	IF array_length(specs, 1) > 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a writer has one partition';
	END IF;
	FOR part IN SELECT * FROM mc._import_partition(COALESCE(specs[1], '')) LOOP
		extra := extra || jsonb_build_array(jsonb_build_array(part[1], mc._import_text_sql(part[2], NULLIF(ctx -> 'schedule', 'null'))));
	END LOOP;
	IF size IS NOT NULL THEN
		options := options || jsonb_build_object('block_size', LEAST(GREATEST(size, 1), 512) || 'MB');
		IF size > 48 THEN
			options := options || jsonb_build_object('write_buffer', LEAST(size, 512) * 3 || 'MB');
		END IF;
	END IF;
	IF ctx ->> 'replace' = 'true' THEN
		options := options || '{"write_mode": "overwrite"}';
	END IF;
	RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', remote), 'relname', remote, 'extra', extra,
		'into', CASE WHEN mc._import_all(p -> 'column') THEN ARRAY['*'] ELSE ARRAY(SELECT lower(c.name) FROM mc._import_columns(p -> 'column') c ORDER BY c.n) END,
		'compose', mc._import_all(p -> 'column') OR mc._import_boolean(p -> 'emptyAsNull'),
		'insert', CASE WHEN mc._import_boolean(p -> 'emptyAsNull') THEN '{"empty_as_null": true}' ELSE '{}' END::jsonb,
		'rows', mc._import_table(remote, remote, COALESCE(NULLIF(p ->> 'schema', ''), 'default'), ctx, options));
END
$$;
COMMENT ON FUNCTION mc._import_writer_odps(jsonb, jsonb) IS 'writer odps of a job document';

CREATE FUNCTION mc._import_ots_type(type text, key int) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text := CASE lower(COALESCE(type, 'string')) WHEN 'string' THEN 'text' WHEN 'int' THEN 'bigint' WHEN 'integer' THEN 'bigint' WHEN 'long' THEN 'bigint'
		WHEN 'double' THEN 'double precision' WHEN 'bool' THEN 'boolean' WHEN 'boolean' THEN 'boolean' WHEN 'binary' THEN 'bytea' END;
BEGIN
	IF result IS NULL OR key IS NOT NULL AND result IN ('double precision', 'boolean') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a %s of Tablestore cannot have type %s', CASE WHEN key IS NULL THEN 'column' ELSE 'key column' END, type);
	END IF;
	RETURN result || CASE WHEN key IS NULL THEN '' ELSE format(' OPTIONS (key ''%s'')', key) || CASE WHEN result = 'text' THEN ' COLLATE "C"' ELSE '' END || ' NOT NULL' END;
END
$$;
COMMENT ON FUNCTION mc._import_ots_type(text, int) IS 'declaration of a column of a Tablestore writer';

CREATE FUNCTION mc._import_writer_ots(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remote text := mc._import_required(p ->> 'table', 'table');
	mode text := lower(COALESCE(NULLIF(p ->> 'writeMode', ''), 'PutRow'));
	auto boolean := mc._import_boolean(p -> 'enableAutoIncrement');
	version bigint := mc._import_integer(p -> 'defaultTimestampInMillisecond', 'defaultTimestampInMillisecond');
	options jsonb := jsonb_build_object('table', remote) || mc._import_timeouts(p) || (ctx -> 'options');
	defs text[] := '{}';
	names text[] := '{}';
	c record;
BEGIN
	IF mode NOT IN ('putrow', 'updaterow') THEN
		RAISE feature_not_supported USING MESSAGE = format('writeMode %s cannot be imported', p ->> 'writeMode'), HINT = 'PutRow and UpdateRow can; rows are deleted with DELETE.';
	END IF;
	IF octet_length(remote) > 63 THEN
		RAISE name_too_long USING MESSAGE = format('the name of table %s is too long for a foreign table', remote);
	END IF;
	FOR c IN SELECT k.n, k.name, k.type, true AS key FROM mc._import_columns(p -> 'primaryKey') k
			UNION ALL SELECT k.n, k.name, k.type, false FROM mc._import_columns(p -> 'column') k ORDER BY key DESC, n LOOP
		IF c.name IS NULL OR octet_length(c.name) > 63 OR c.name = ANY (names) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('column %s of Tablestore has no name that a foreign table can have', c.n);
		END IF;
		names := names || c.name;
		defs := defs || (format('%I ', c.name) || CASE WHEN c.key AND auto THEN replace(mc._import_ots_type(c.type, c.n), ' NOT NULL', '')
			ELSE mc._import_ots_type(c.type, CASE WHEN c.key THEN c.n END) END);
	END LOOP;
	IF jsonb_typeof(p -> 'primaryKey') IS DISTINCT FROM 'array' OR p -> 'primaryKey' = '[]' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'primaryKey is missing';
	END IF;
	IF version IS NOT NULL AND version >= 0 THEN
		defs := defs || '__version__ bigint'::text;
	END IF;
	IF mode = 'updaterow' THEN
		options := options || '{"write_mode": "update"}';
	END IF;
	IF mc._import_integer(p -> 'batchWriteCount', 'batchWriteCount') IS NOT NULL THEN
		options := options || jsonb_build_object('batch_size', LEAST(GREATEST((p ->> 'batchWriteCount')::bigint, 1), 200)::text);
	END IF;
	IF mc._import_integer(p -> 'concurrencyWrite', 'concurrencyWrite') IS NOT NULL THEN
		options := options || jsonb_build_object('concurrency', LEAST(GREATEST((p ->> 'concurrencyWrite')::bigint, 1), 64)::text);
	END IF;
	RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', remote), 'relname', remote, 'into', names,
		'extra', CASE WHEN version >= 0 THEN jsonb_build_array(jsonb_build_array('__version__', version::text)) ELSE '[]' END,
		'at_least_once', auto,
		'rows', jsonb_build_array(mc._import_row('foreign table', format(E'CREATE FOREIGN TABLE %I.%I (\n  %s\n) SERVER %I %s',
			ctx ->> 'schema', remote, array_to_string(defs, E',\n  '), ctx ->> 'server', mc._import_options(options)))));
END
$$;
COMMENT ON FUNCTION mc._import_writer_ots(jsonb, jsonb) IS 'writer ots of a job document';

CREATE FUNCTION mc._import_writer_oss(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	object text := ltrim(mc._import_required(p ->> 'object', 'object'), '/');
	single boolean := mc._import_boolean(p -> 'writeSingleObject');
	mode text := lower(COALESCE(NULLIF(p ->> 'writeMode', ''), 'append'));
	reader jsonb := ctx -> 'reader';
	selected text[] := ARRAY(SELECT x FROM jsonb_array_elements_text(reader -> 'columns') WITH ORDINALITY AS e (x, n) ORDER BY n);
	options jsonb := mc._import_format(p, false) || mc._import_timeouts(p) || (ctx -> 'options') || jsonb_build_object('timezone', ctx ->> 'timezone');
	header text[] := mc._import_strings(p -> 'header');
	names text[] := '{}';
	paths text[] := '{}';
	extra jsonb := '[]';
	template text := '';
	segment text;
	relname text := CASE WHEN octet_length(reader ->> 'relname') > 57 THEN 'target' ELSE (reader ->> 'relname') || '_files' END;
	formats jsonb;
	tail text[];
	last_ boolean;
	n int := 0;
	open_ boolean := '*' = ANY (selected) OR '#keys' = ANY (selected);
	day_format text := COALESCE(NULLIF(p ->> 'dateFormat', ''), NULLIF(p ->> 'format', ''));
	segments text[] := ARRAY(SELECT x[1] FROM regexp_matches(object, '((?:\$\[[^]]*\]|\$\{[^}]*\}|[^/$]|\$)+)', 'g') WITH ORDINALITY AS t (x, o) ORDER BY o);
BEGIN
	IF mode NOT IN ('truncate', 'append', 'nonconflict') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('writeMode %s is not known', p ->> 'writeMode'), HINT = 'It is truncate, append or nonConflict.';
	END IF;
	-- each part of the key that has an expression is a column of the foreign table
	IF single AND NOT mc._import_has_token(object) THEN
		options := options || jsonb_build_object('object', object);
	ELSIF single THEN
		RAISE feature_not_supported USING MESSAGE = 'writeSingleObject with a scheduling expression in "object" cannot be imported',
			HINT = 'Leave it out: the objects of a cycle are in a directory of its own.';
	ELSE
		FOR i IN 1..array_length(segments, 1) LOOP
			segment := segments[i];
			IF mc._import_has_token(segment) THEN
				n := n + 1;
				tail := ARRAY(SELECT t.part FROM mc._import_tokens(segment) t ORDER BY t.n);
				-- dt=... is column dt
				paths := paths || COALESCE((regexp_match(tail[1], '^([a-z_][a-z0-9_]*)=$'))[1], CASE WHEN n = 1 THEN 'path' ELSE 'path' || n END);
				-- text in front of the first expression stays in the template
				IF NOT (SELECT t.is_token FROM mc._import_tokens(segment) t ORDER BY t.n LIMIT 1) AND tail[1] ~ '=$' THEN
					template := template || tail[1];
					segment := substr(segment, length(tail[1]) + 1);
				END IF;
				template := template || '{' || paths[n] || '}/';
				extra := extra || jsonb_build_array(jsonb_build_array(paths[n], mc._import_text_sql(segment, NULLIF(ctx -> 'schedule', 'null'))));
			ELSE
				template := template || segment || '/';
			END IF;
		END LOOP;
		options := options || jsonb_build_object('prefix', template);
	END IF;
	IF ctx ->> 'replace' = 'true' THEN
		options := options || '{"write_mode": "overwrite"}';
	ELSIF mode = 'nonconflict' THEN
		options := options || '{"write_mode": "error_if_exists"}';
	END IF;
	IF mc._import_boolean(p -> 'generateEmptyFile') AND paths = '{}' THEN
		options := options || '{"empty_object": "true"}';
	END IF;
	IF COALESCE(p ->> 'suffix', '') <> '' AND NOT single THEN
		options := options || jsonb_build_object('suffix', p ->> 'suffix');
	END IF;
	IF mc._import_integer(p -> 'maxFileSize', 'maxFileSize') IS NOT NULL AND NOT single THEN
		options := options || jsonb_build_object('max_object_size', (p ->> 'maxFileSize')::bigint || 'MB');
	END IF;
	IF mc._import_integer(p -> 'blockSizeInMB', 'blockSizeInMB') IS NOT NULL THEN
		options := options || jsonb_build_object('part_size', LEAST(GREATEST((p ->> 'blockSizeInMB')::bigint, 1), 1024) || 'MB');
	END IF;
	IF header <> '{}' THEN
		options := options || '{"header": "true"}';
	END IF;
	formats := jsonb_build_object('date_format', mc._import_date_format(COALESCE(day_format, 'yyyy-MM-dd HH:mm:ss')),
		'day_format', CASE WHEN day_format IS NULL THEN 'YYYY-MM-DD' ELSE mc._import_date_format(day_format) END);
	IF open_ THEN
		RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'into', ARRAY['*'], 'extra', extra, 'compose', true, 'insert', formats,
			'rows', jsonb_build_array(mc._import_row('foreign table', format('SELECT mc._import_file_table(%L, %L, %L, %L, %L, %L, %L, %L)',
				format('%I.%I', ctx ->> 'schema', relname), reader ->> 'table', selected, ARRAY(SELECT jsonb_array_elements_text(reader -> 'except')), header, paths, ctx ->> 'server', options),
				'columns are those of the source')));
	END IF;
	IF header <> '{}' AND array_length(header, 1) <> array_length(selected, 1) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the header has %s names, the reader %s columns', array_length(header, 1), array_length(selected, 1));
	END IF;
	FOR i IN 1..array_length(selected, 1) LOOP
		names := names || mc._import_local(COALESCE(header[i], CASE WHEN selected[i] ~ '^__.*__$' THEN btrim(selected[i], '_') ELSE selected[i] END, 'c' || i), names || paths, i);
	END LOOP;
	RETURN jsonb_build_object('table', format('%I.%I', ctx ->> 'schema', relname), 'relname', relname, 'into', names, 'extra', extra,
		'insert', formats,
		'rows', jsonb_build_array(mc._import_row('foreign table', format(E'CREATE FOREIGN TABLE %I.%I (\n  %s\n) SERVER %I %s', ctx ->> 'schema', relname,
			(SELECT string_agg(format('%I text', x), E',\n  ' ORDER BY o) FROM unnest(names || paths) WITH ORDINALITY AS u (x, o)), ctx ->> 'server', mc._import_options(options)))));
END
$$;
COMMENT ON FUNCTION mc._import_writer_oss(jsonb, jsonb) IS 'writer oss of a job document';

CREATE FUNCTION mc._import_writer_mysql(p jsonb, ctx jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	remote text := mc._import_mysql_table(p);
	mode text := lower(COALESCE(NULLIF(btrim(p ->> 'writeMode'), ''), 'insert'));
	name text := format('%I.%I', ctx ->> 'schema', remote);
	statement text;
	m text[];
	before_ text := '';
	emptied boolean := false;
BEGIN
	IF ctx ->> 'database' IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the database of data source %s is not known', p ->> 'datasource'),
			HINT = format('Give it: datasources => ''{"%s": {"database": "..."}}''.', p ->> 'datasource');
	END IF;
	IF mode NOT IN ('insert', 'replace', 'update') THEN
		RAISE feature_not_supported USING MESSAGE = format('writeMode %s of mysql cannot be imported', p ->> 'writeMode'), HINT = 'insert, replace and update can.';
	END IF;
	FOREACH statement IN ARRAY mc._import_strings(p -> 'preSql') LOOP
		statement := replace(rtrim(btrim(statement), '; '), '@table', remote);
		m := regexp_match(statement, '^(truncate(?:\s+table)?|delete\s+from)\s+(?:`?[\w$]+`?\.)?`?([\w$]+)`?(?:\s+where\s+(.*))?$', 'i');
		IF m IS NULL OR lower(m[2]) <> lower(remote) OR m[3] IS NOT NULL AND m[1] ~* '^truncate' THEN
			RAISE feature_not_supported USING MESSAGE = 'a statement of preSql cannot be imported',
				DETAIL = 'mysql_fdw runs what PostgreSQL can say: TRUNCATE TABLE and DELETE FROM of the target.', HINT = 'Run it in MySQL.';
		END IF;
		emptied := emptied OR m[3] IS NULL;
		before_ := before_ || format(E'DELETE FROM %s%s;\n', name, CASE WHEN m[3] IS NULL THEN '' ELSE ' WHERE ' || mc._import_condition(m[3], NULLIF(ctx -> 'schedule', 'null')) END);
	END LOOP;
	RETURN jsonb_build_object('table', name, 'relname', remote, 'compose', true, 'at_least_once', true,
		'into', CASE WHEN mc._import_all(p -> 'column') THEN ARRAY['*'] ELSE ARRAY(SELECT replace(c.name, '`', '') FROM mc._import_columns(p -> 'column') c ORDER BY c.n) END,
		'insert', jsonb_build_object('before', before_, 'replace', mode IN ('replace', 'update') AND NOT emptied, 'whole', mode = 'update', 'empty_as_null', mc._import_boolean(p -> 'emptyAsNull')),
		'rows', mc._import_table(remote, remote, ctx ->> 'database', ctx, '{}'),
		'warning', CASE WHEN mode <> 'insert' AND NOT emptied THEN 'mysql_fdw has no REPLACE: rows whose first column is among the new ones are deleted before, in the same transaction'
			WHEN before_ <> '' THEN 'TRUNCATE ends a transaction in MySQL: rows are deleted in that of the INSERT instead' END);
END
$$;
COMMENT ON FUNCTION mc._import_writer_mysql(jsonb, jsonb) IS 'writer mysql of a job document';
