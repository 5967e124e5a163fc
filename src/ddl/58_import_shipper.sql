-- mc.import_shipper_config(): the environment of a LogHub Shipper container as a job.
-- An expression of "transform" is a log field, an unsigned integer, a string in double
-- quotes, or (function argument ...).  See docs/shipper.md.

CREATE FUNCTION mc._shipper_tokens(expression text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rest text := expression;
	m text[];
	tokens text[] := '{}';
BEGIN
	LOOP
		rest := regexp_replace(rest, '^\s+', '');
		EXIT WHEN rest = '';
		m := regexp_match(rest, '^([()]|"(?:[^"\\]|\\["\\])*"(?=[\s()]|$)|[^\s()"]+(?=[\s()]|$))');
		IF m IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'an expression of "transform" is not understood',
				DETAIL = format('It fails at character %s.', length(expression) - length(rest) + 1),
				HINT = 'A string ends with a quote, and has \\ and \" for a backslash and a quote.';
		END IF;
		tokens := tokens || m[1];
		rest := substr(rest, length(m[1]) + 1);
	END LOOP;
	RETURN tokens;
END
$$;
COMMENT ON FUNCTION mc._shipper_tokens(text) IS 'parentheses, strings and words of an expression of LogHub Shipper';

-- The expression at tokens[at] as {"field"}, {"int"}, {"string"} or {"call", "args"}
CREATE FUNCTION mc._shipper_parse(tokens text[], INOUT at int, OUT node jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	token text := tokens[at];
	name text;
	args jsonb := '[]';
	arg jsonb;
BEGIN
	at := at + 1;
	IF token IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an expression of "transform" ends too early', HINT = 'Count its parentheses.';
	ELSIF token = ')' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an expression of "transform" has a closing parenthesis too many';
	ELSIF token = '(' THEN
		name := tokens[at];
		at := at + 1;
		-- older pages of the product have a blank there
		IF name = '->' AND tokens[at] IN ('int', 'bool') THEN
			name := '->' || tokens[at];
			at := at + 1;
		END IF;
		IF name IS NULL OR name NOT IN ('->int', '->bool', 'crc32') THEN
			RAISE feature_not_supported USING MESSAGE = format('function %s of "transform" is not known', COALESCE(left(name, 40), '')),
				HINT = 'These are: ->int, ->bool, crc32.';
		END IF;
		WHILE tokens[at] IS DISTINCT FROM ')' LOOP
			SELECT p.at, p.node INTO at, arg FROM mc._shipper_parse(tokens, at) p;
			args := args || jsonb_build_array(arg);
		END LOOP;
		at := at + 1;
		IF jsonb_array_length(args) <> (CASE name WHEN '->int' THEN 2 ELSE 1 END) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('function %s of "transform" has %s arguments', name, jsonb_array_length(args)),
				HINT = 'It is (->int base text), (->bool text), (crc32 text).';
		END IF;
		node := jsonb_build_object('call', name, 'args', args);
	ELSIF left(token, 1) = '"' THEN
		node := jsonb_build_object('string', regexp_replace(substr(token, 2, length(token) - 2), '\\(.)', '\1', 'g'));
	ELSIF token ~ '^[0-9]+$' THEN
		IF token::numeric > 9223372036854775807 THEN
			RAISE numeric_value_out_of_range USING MESSAGE = 'a number of "transform" is larger than an INTEGER of Tablestore';
		END IF;
		node := jsonb_build_object('int', token::bigint);
	ELSE
		node := jsonb_build_object('field', token);
	END IF;
END
$$;
COMMENT ON FUNCTION mc._shipper_parse(text[], int) IS 'an expression of LogHub Shipper as a tree';

CREATE FUNCTION mc._shipper_expression(expression text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tokens text[] := mc._shipper_tokens(expression);
	p record;
BEGIN
	SELECT * INTO p FROM mc._shipper_parse(tokens, 1);
	IF p.at <= COALESCE(array_length(tokens, 1), 0) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an expression of "transform" has something behind its end', HINT = 'Count its parentheses.';
	END IF;
	RETURN p.node;
END
$$;
COMMENT ON FUNCTION mc._shipper_expression(text) IS 'a whole expression of LogHub Shipper as a tree';

-- What a field is in the foreign table of the logstore: {"sql", "type"}.  "fields" has the local names.
CREATE FUNCTION mc._shipper_field(name text, fields jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT CASE WHEN fields ? name THEN jsonb_build_object('sql', quote_ident(fields ->> name), 'type', CASE name WHEN '__time__' THEN 'bigint' ELSE 'text' END)
	ELSE jsonb_build_object('sql', format('%I ->> %L', fields ->> '*', name), 'type', 'text') END
$$;
COMMENT ON FUNCTION mc._shipper_field(text, jsonb) IS 'a log field as SQL';

CREATE FUNCTION mc._shipper_sql(node jsonb, fields jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a jsonb;
	b jsonb;
BEGIN
	IF node ? 'field' THEN
		RETURN mc._shipper_field(node ->> 'field', fields);
	ELSIF node ? 'int' THEN
		RETURN jsonb_build_object('sql', node ->> 'int', 'type', 'bigint');
	ELSIF node ? 'string' THEN
		RETURN jsonb_build_object('sql', quote_literal(node ->> 'string'), 'type', 'text');
	END IF;
	a := mc._shipper_sql(node #> '{args,0}', fields);
	b := mc._shipper_sql(node #> '{args,-1}', fields);
	-- the seconds of a log are a number, and a text where one is wanted
	IF node #>> '{args,-1,field}' = '__time__' THEN
		b := jsonb_build_object('sql', format('%s::text', b ->> 'sql'), 'type', 'text');
	END IF;
	IF b ->> 'type' <> 'text' OR node ->> 'call' = '->int' AND a ->> 'type' <> 'bigint' THEN
		RAISE datatype_mismatch USING MESSAGE = format('an argument of function %s of "transform" has the wrong type', node ->> 'call'),
			HINT = 'It is (->int base text), (->bool text), (crc32 text); a base is a number.';
	END IF;
	CASE node ->> 'call'
		WHEN '->bool' THEN
			RETURN jsonb_build_object('sql', format('mc.to_bool(%s)', b ->> 'sql'), 'type', 'boolean');
		WHEN 'crc32' THEN
			RETURN jsonb_build_object('sql', format('mc.crc32(%s)', b ->> 'sql'), 'type', 'bigint');
		ELSE
			IF node #> '{args,0}' ? 'int' THEN
				IF (node #>> '{args,0,int}')::bigint NOT BETWEEN 2 AND 36 THEN
					RAISE invalid_parameter_value USING MESSAGE = 'a base of "transform" is not between 2 and 36';
				END IF;
				RETURN jsonb_build_object('sql', format('mc.to_int(%s, %s)', a ->> 'sql', b ->> 'sql'), 'type', 'bigint');
			END IF;
			RETURN jsonb_build_object('sql', format('CASE WHEN %s BETWEEN 2 AND 36 THEN mc.to_int(%1$s::int, %2$s) END', a ->> 'sql', b ->> 'sql'), 'type', 'bigint');
	END CASE;
END
$$;
COMMENT ON FUNCTION mc._shipper_sql(jsonb, jsonb) IS 'an expression of LogHub Shipper as SQL and its type';

CREATE FUNCTION mc._shipper_names(node jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT x #>> '{}' FROM jsonb_path_query(node, 'strict $.**.field') AS q (x) WHERE jsonb_typeof(x) = 'string'
$$;
COMMENT ON FUNCTION mc._shipper_names(jsonb) IS 'log fields that an expression names';

-- An imported table keeps its key, and field '*' if wanted; other columns are those given.
CREATE FUNCTION mc._shipper_table(relation regclass, columns_ jsonb, rest boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	c record;
	key_type text;
	actions text[] := '{}';
BEGIN
	FOR c IN SELECT a.attname, (SELECT option_value FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'key') AS key,
			COALESCE((SELECT option_value FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'field'), a.attname) AS field
			FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped LOOP
		IF c.key IS NULL AND NOT (rest AND c.field = '*') THEN
			actions := actions || format('DROP COLUMN %I', c.attname);
		END IF;
	END LOOP;
	FOR c IN SELECT k AS field, v #>> '{0}' AS name, v #>> '{1}' AS type FROM jsonb_each(columns_) AS e (k, v) ORDER BY k LOOP
		SELECT format_type(a.atttypid, a.atttypmod) INTO key_type FROM pg_attribute a
			WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
				AND COALESCE((SELECT option_value FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'field'), a.attname) = c.field
				AND EXISTS (SELECT FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'key');
		IF NOT FOUND THEN
			actions := actions || (format('ADD COLUMN %I %s', c.name, c.type) || CASE WHEN c.name <> c.field THEN format(' OPTIONS (field %L)', c.field) ELSE '' END);
		END IF;
	END LOOP;
	IF actions <> '{}' THEN
		EXECUTE format('ALTER FOREIGN TABLE %s %s', relation, array_to_string(actions, ', '));
	END IF;
END
$$;
COMMENT ON FUNCTION mc._shipper_table(regclass, jsonb, boolean) IS 'gives an imported table the columns that a shipper writes';

-- fields: log field -> column of the source; outputs: column of the target -> {"sql", "type"}
CREATE FUNCTION mc._shipper_insert(target regclass, source regclass, fields jsonb, outputs jsonb, excluded text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	c record;
	e jsonb;
	names text[] := '{}';
	expressions text[] := '{}';
	written text[] := excluded || ARRAY(SELECT jsonb_object_keys(outputs));
	copied text;
	rest text;
BEGIN
	FOR c IN SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type,
			(SELECT option_value FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'key')::int AS key,
			COALESCE((SELECT option_value FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'field'), a.attname) AS field
			FROM pg_attribute a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped ORDER BY key NULLS LAST, a.attnum LOOP
		IF c.field = '*' THEN
			rest := c.attname;
			CONTINUE;
		END IF;
		e := COALESCE(outputs -> c.field, mc._shipper_field(c.field, fields));
		IF c.key IS NOT NULL THEN
			written := written || c.field;
			IF e ->> 'type' <> c.type THEN
				RAISE datatype_mismatch USING MESSAGE = format('key column "%s" of %s is of type %s, and the shipper gives it %s', c.field, target, c.type, e ->> 'type'),
					HINT = CASE c.type WHEN 'bigint' THEN format('In "transform": "%s": "(->int 10 ...)".', c.field) ELSE 'Change "transform".' END;
			END IF;
		END IF;
		names := names || quote_ident(c.attname);
		expressions := expressions || (e ->> 'sql');
	END LOOP;
	IF rest IS NOT NULL THEN
		SELECT string_agg(format('%L, %I', k, v), ', ' ORDER BY k) INTO copied FROM jsonb_each_text(fields - '*' - written) AS f (k, v);
		names := names || quote_ident(rest);
		expressions := expressions || (COALESCE(format(E'jsonb_strip_nulls(jsonb_build_object(%s))\n    || ', copied), '')
			|| format('(COALESCE(%I, ''{}'')%s)', fields ->> '*',
				(SELECT format(' - %L::text[]', array_agg(DISTINCT w ORDER BY w)) FROM unnest(written) AS u (w) HAVING count(*) > 0)));
	END IF;
	RETURN format(E'INSERT INTO %s (%s)\nSELECT %s\n  FROM %s\n WHERE __receive_time__ >= $1\n   AND __receive_time__ < $2',
		target, array_to_string(names, ', '), array_to_string(expressions, E',\n    '), source);
END
$$;
COMMENT ON FUNCTION mc._shipper_insert(regclass, regclass, jsonb, jsonb, text[]) IS 'the statement of an imported shipper, from its foreign tables';

-- A member that is JSON, or, as in an environment variable, a string that holds JSON
CREATE FUNCTION mc._shipper_member(doc jsonb, name text, type text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v jsonb := doc -> name;
BEGIN
	IF jsonb_typeof(v) = 'string' AND btrim(v #>> '{}') <> '' THEN
		-- mc._import_json() takes objects
		BEGIN
			v := mc._import_json(format('{"v": %s}', v #>> '{}')) -> 'v';
		EXCEPTION WHEN invalid_text_representation THEN
			RAISE invalid_text_representation USING MESSAGE = format('%s is not JSON', name);
		END;
	END IF;
	IF v IS NULL OR jsonb_typeof(v) = 'null' OR v = '""' THEN
		RETURN CASE type WHEN 'array' THEN '[]' ELSE '{}' END;
	ELSIF jsonb_typeof(v) <> type THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s is not a JSON %s', name, type);
	END IF;
	RETURN v;
END
$$;
COMMENT ON FUNCTION mc._shipper_member(jsonb, text, text) IS 'a part of a shipper''s configuration';

-- what became of each member, unknown ones included
CREATE FUNCTION mc._shipper_account(doc jsonb, loghub jsonb, tablestore jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE(jsonb_agg(mc._import_row(CASE WHEN k.remark IS NULL THEN 'unknown' ELSE 'parameter' END, NULL,
	format('%s: %s', m.path, COALESCE(k.remark, 'a shipper has no such parameter'))) ORDER BY m.part, m.n), '[]')
FROM (SELECT 1 AS part, path, row_number() OVER () AS n FROM mc._import_members(doc - 'loghub' - 'tablestore', '')
		UNION ALL SELECT 2, path, row_number() OVER () FROM mc._import_members(loghub, 'loghub')
		UNION ALL SELECT 3, path, row_number() OVER () FROM mc._import_members(tablestore, 'tablestore')) AS m
	LEFT JOIN (VALUES
		('access_key_id', 'user mappings, access_key_id'),
		('access_key_secret', 'user mappings, access_key_secret'),
		('exclusive_columns', 'left out of the INSERT'),
		('transform', 'columns of the target and expressions of the INSERT'),
		('loghub.endpoint', 'server, endpoint and project'),
		('loghub.logstore', 'foreign table, logstore'),
		('loghub.consumer_group', 'foreign table, consumer_group: positions are reported there, the truth is in mc.checkpoint'),
		('tablestore.endpoint', 'server, endpoint'),
		('tablestore.instance', 'server, instance'),
		('tablestore.target_table', 'foreign table, table; its key is asked from the service'),
		('tablestore.status_table', 'foreign table, table; status_table of the job')) AS k (path, remark) USING (path)
$$;
COMMENT ON FUNCTION mc._shipper_account(jsonb, jsonb, jsonb) IS 'what becomes of each parameter of a shipper';

CREATE FUNCTION mc.import_shipper_config(config text, name text DEFAULT NULL, schema text DEFAULT NULL, timezone text DEFAULT NULL,
	every interval DEFAULT '5 minutes', lag interval DEFAULT '5 minutes', start timestamptz DEFAULT NULL)
RETURNS TABLE (ordinal int, kind text, statement text, remark text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' SET datestyle = 'ISO' SET standard_conforming_strings = on AS $$
DECLARE
	doc jsonb := mc._import_json(config);
	loghub jsonb := mc._shipper_member(doc, 'loghub', 'object');
	tablestore jsonb := mc._shipper_member(doc, 'tablestore', 'object');
	transform jsonb := mc._shipper_member(doc, 'transform', 'object');
	excluded text[] := ARRAY(SELECT jsonb_array_elements_text(mc._shipper_member(doc, 'exclusive_columns', 'array')));
	keys jsonb := jsonb_build_object('accessId', doc -> 'access_key_id', 'accessKey', doc -> 'access_key_secret');
	logstore text := mc._import_required(loghub ->> 'logstore', 'loghub.logstore');
	target text := mc._import_required(tablestore ->> 'target_table', 'tablestore.target_table');
	status text := NULLIF(tablestore ->> 'status_table', '');
	host text[] := regexp_match(mc._import_required(loghub ->> 'endpoint', 'loghub.endpoint'), '^(?:(https?)://)?([a-z0-9-]+)\.([^/]+?)/*$', 'i');
	job text := COALESCE(name, mc._import_name(logstore, 'to', target));
	home text := COALESCE(schema, job);
	source text := logstore || CASE WHEN logstore IN (target, status) THEN '_source' ELSE '' END;
	fields jsonb := '{}';
	outputs jsonb := '{}';
	columns_ jsonb;
	taken text[] := '{__receive_time__}';
	defs text[] := '{"__receive_time__ timestamptz"}';
	ls jsonb;
	ts jsonb;
	rows_ jsonb;
	f record;
	local_ text;
BEGIN
	IF job !~ '^[A-Za-z0-9_][A-Za-z0-9_-]*$' OR length(job) > 63 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('"%s" cannot be the name of a job', job), HINT = 'Letters, digits, _ and - can, up to 63.';
	ELSIF host IS NULL OR host[2] ~ '^[0-9]+$' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'loghub.endpoint does not begin with the project', HINT = 'It looks like https://project.cn-hangzhou.log.aliyuncs.com.';
	ELSIF octet_length(source) > 63 OR octet_length(target) > 63 OR octet_length(status) > 63 THEN
		RAISE name_too_long USING MESSAGE = 'the name of a table or logstore is too long for a foreign table';
	ELSIF status = target THEN
		RAISE invalid_parameter_value USING MESSAGE = 'target_table and status_table are the same table';
	END IF;
	-- fields that the transform names are columns, and what the service adds
	FOR f IN SELECT x AS field, row_number() OVER () AS n FROM (
			SELECT x, min(o) AS o FROM (
				SELECT mc._shipper_names(mc._shipper_expression(v)), 1 FROM jsonb_each_text(transform) AS t (k, v)
				UNION ALL SELECT u, 2 FROM unnest('{__time__,__topic__,__source__}'::text[]) AS s (u)) AS a (x, o) GROUP BY x) AS d ORDER BY o, x LOOP
		CONTINUE WHEN f.field = '*' OR f.field ~ '^__.*__$' AND f.field NOT LIKE '\_\_tag\_\_:%' AND f.field NOT IN ('__time__', '__topic__', '__source__');
		local_ := mc._import_local(f.field, taken, f.n::int);
		taken := taken || local_;
		fields := fields || jsonb_build_object(f.field, local_);
		defs := defs || (format('%I %s', local_, CASE f.field WHEN '__time__' THEN 'bigint' ELSE 'text' END)
			|| CASE WHEN local_ <> f.field THEN format(' OPTIONS (field %L)', f.field) ELSE '' END);
	END LOOP;
	local_ := CASE WHEN 'rest' = ANY (taken) THEN 'c0' ELSE 'rest' END;
	fields := fields || jsonb_build_object('*', local_);
	defs := defs || format('%I jsonb OPTIONS (field ''*'')', local_);
	FOR f IN SELECT k, v, row_number() OVER (ORDER BY k)::int AS n, jsonb_typeof(transform -> k) AS type FROM jsonb_each_text(transform) AS t (k, v) LOOP
		IF f.type <> 'string' THEN
			RAISE invalid_parameter_value USING MESSAGE = format('the expression of column "%s" of "transform" is not a string', f.k);
		ELSIF f.k IN ('', '*', '__version__', '__column__', '__type__', '__value__') OR octet_length(f.k) > 255 THEN
			RAISE feature_not_supported USING MESSAGE = format('"%s" cannot be a column of the foreign table', left(f.k, 60));
		END IF;
		outputs := outputs || jsonb_build_object(f.k, mc._shipper_sql(mc._shipper_expression(f.v), fields)
			|| jsonb_build_object('name', CASE WHEN octet_length(f.k) > 63 OR f.k IN ('rest', 'tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid') THEN 'c' || f.n ELSE f.k END));
	END LOOP;
	SELECT COALESCE(jsonb_object_agg(k, jsonb_build_array(v -> 'name', v -> 'type')), '{}') INTO columns_
		FROM jsonb_each(outputs) AS o (k, v) WHERE k <> ALL (excluded);

	ls := mc._import_server('loghub', keys || jsonb_build_object('endpoint', COALESCE(host[1], 'https') || '://' || host[3], 'project', host[2]), '{}');
	ts := mc._import_server('ots', keys || jsonb_build_object('endpoint', tablestore -> 'endpoint', 'instanceName', tablestore -> 'instance'), '{}');
	rows_ := (ls -> 'rows') || (ts -> 'rows') || mc._import_row('schema', format('CREATE SCHEMA IF NOT EXISTS %I', home), 'the foreign tables of this job')
		|| mc._import_row('foreign table', format(E'CREATE FOREIGN TABLE %I.%I (\n  %s\n) SERVER %I %s', home, source, array_to_string(defs, E',\n  '), ls ->> 'server',
			mc._import_options(jsonb_strip_nulls(jsonb_build_object('logstore', logstore, 'consumer_group', NULLIF(loghub ->> 'consumer_group', ''), 'on_error', 'set_null')))))
		|| mc._import_row('foreign table', format('IMPORT FOREIGN SCHEMA %I LIMIT TO (%I) FROM SERVER %I INTO %I', tablestore ->> 'instance', target, ts ->> 'server', home),
			'the key is asked from the service')
		|| mc._import_row('foreign table', format('SELECT mc._shipper_table(%L, %L, true)', format('%I.%I', home, target), columns_), 'columns of "transform" beside the key')
		|| mc._import_row('foreign table', format('ALTER FOREIGN TABLE %I.%I OPTIONS (ADD write_mode ''update'', ADD update_null ''keep'', ADD on_error ''reject'')', home, target),
			'a column without a value stays as it is; a row without a key is rejected');
	IF status IS NOT NULL THEN
		rows_ := rows_ || mc._import_row('foreign table', format('IMPORT FOREIGN SCHEMA %I LIMIT TO (%I) FROM SERVER %I INTO %I', tablestore ->> 'instance', status, ts ->> 'server', home))
			|| mc._import_row('foreign table', format('SELECT mc._shipper_table(%L, %L, false)', format('%I.%I', home, status),
				(SELECT jsonb_object_agg(k, jsonb_build_array(k, t)) FROM (VALUES ('shipper_id', 'text'), ('error_code', 'text'), ('error_message', 'text'), ('failed_sample', 'text'),
					('__time__', 'bigint'), ('row_count', 'bigint'), ('cu_count', 'bigint'), ('skip_count', 'bigint'), ('skip_sample', 'text')) AS v (k, t))),
				'columns of a status row');
	END IF;
	rows_ := rows_ || mc._import_row('job', format('SELECT mc.create_job(%L, mc._shipper_insert(%L, %L, %L, %L, %L), every => %L, lag => %L%s%s%s)', job,
			format('%I.%I', home, target), format('%I.%I', home, source), fields, outputs, excluded, every, lag,
			CASE WHEN timezone IS NULL THEN '' ELSE format(', timezone => %L', timezone) END,
			CASE WHEN start IS NULL THEN '' ELSE format(', start => %L', start) END,
			CASE WHEN status IS NULL THEN '' ELSE format(', status_table => %L', format('%I.%I', home, status)) END),
			format('run it with CALL mc.run_job(%L), schedule it with SELECT mc.schedule_job(%L)', job, job))
		|| mc._shipper_account(doc, loghub, tablestore);
	RETURN QUERY SELECT (row_number() OVER (ORDER BY x.n))::int, x.v ->> 'kind', x.v ->> 'statement', x.v ->> 'remark'
		FROM jsonb_array_elements(rows_) WITH ORDINALITY AS x (v, n);
END
$$;
COMMENT ON FUNCTION mc.import_shipper_config(text, text, text, text, interval, interval, timestamptz) IS
'the configuration of a LogHub Shipper container as SQL: statements in the order in which to run them, and what became of every parameter';

CREATE FUNCTION mc.import_shipper_config(config jsonb, name text DEFAULT NULL, schema text DEFAULT NULL, timezone text DEFAULT NULL,
	every interval DEFAULT '5 minutes', lag interval DEFAULT '5 minutes', start timestamptz DEFAULT NULL)
RETURNS TABLE (ordinal int, kind text, statement text, remark text)
LANGUAGE sql STABLE AS $$
SELECT * FROM mc.import_shipper_config($1::text, $2, $3, $4, $5, $6, $7)
$$;
COMMENT ON FUNCTION mc.import_shipper_config(jsonb, text, text, text, interval, interval, timestamptz) IS
'the configuration of a LogHub Shipper container as SQL';
