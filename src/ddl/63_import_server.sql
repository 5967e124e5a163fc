-- Import of job documents: servers, user mappings, and what readers and writers share.
-- A row of the result is {"kind", "statement", "remark"}.

CREATE FUNCTION mc._import_row(kind text, statement text, remark text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT jsonb_build_object('kind', kind, 'statement', statement, 'remark', remark)
$$;
COMMENT ON FUNCTION mc._import_row(text, text, text) IS 'a row of mc.import_datax_job()';

CREATE FUNCTION mc._import_first(VARIADIC values_ jsonb[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT x.v #>> '{}' FROM unnest(values_) WITH ORDINALITY AS x (v, n) WHERE COALESCE(x.v #>> '{}', '') <> '' ORDER BY n LIMIT 1
$$;
COMMENT ON FUNCTION mc._import_first(jsonb[]) IS 'the first value that is there and not empty';

CREATE FUNCTION mc._import_options(options jsonb, adding boolean DEFAULT false) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE('OPTIONS (' || string_agg(format('%s%I %L', CASE WHEN adding THEN 'ADD ' ELSE '' END, k, v), ', ' ORDER BY n) || ')', '')
FROM jsonb_each_text(options) WITH ORDINALITY AS o (k, v, n) WHERE v IS NOT NULL
$$;
COMMENT ON FUNCTION mc._import_options(jsonb, boolean) IS 'OPTIONS (...) of the members that are not null';

CREATE FUNCTION mc._import_dollar(statement text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT tag || statement || tag FROM (
	SELECT '$' || t || '$' FROM unnest(ARRAY['job', 'job1', 'job2', 'job3']) WITH ORDINALITY AS x (t, n)
	WHERE strpos(statement, '$' || t) = 0 ORDER BY n LIMIT 1) AS q (tag)
UNION ALL SELECT quote_literal(statement) WHERE strpos(statement, '$job') > 0 AND strpos(statement, '$job1') > 0
	AND strpos(statement, '$job2') > 0 AND strpos(statement, '$job3') > 0
LIMIT 1
$$;
COMMENT ON FUNCTION mc._import_dollar(text) IS 'a statement as a literal that can be read';

-- a name that is made from one of the document's
CREATE FUNCTION mc._import_name(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT left(COALESCE(NULLIF(btrim(regexp_replace(lower(array_to_string(parts, '_')), '[^a-z0-9_]+', '_', 'g'), '_'), ''), 'import'), 60)
$$;
COMMENT ON FUNCTION mc._import_name(text[]) IS 'a plain identifier made of names';

CREATE FUNCTION mc._import_boolean(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE(lower(value #>> '{}') IN ('true', '1', 'yes', 'on'), false)
$$;
COMMENT ON FUNCTION mc._import_boolean(jsonb) IS 'true, also as a string';

CREATE FUNCTION mc._import_integer(value jsonb, what text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF COALESCE(value #>> '{}', '') = '' THEN
		RETURN NULL;
	ELSIF value #>> '{}' !~ '^\s*-?\d{1,18}\s*$' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s must be a whole number', what);
	END IF;
	RETURN value #>> '{}';
END
$$;
COMMENT ON FUNCTION mc._import_integer(jsonb, text) IS 'a number, also as a string; NULL if it is not there';

CREATE FUNCTION mc._import_required(value text, what text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF COALESCE(value, '') = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s is missing', what);
	END IF;
	RETURN value;
END
$$;
COMMENT ON FUNCTION mc._import_required(text, text) IS 'raises if a value is missing';

CREATE FUNCTION mc._import_wrapper(plugin text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT CASE plugin WHEN 'loghub' THEN 'loghub_fdw' WHEN 'ots' THEN 'tablestore_fdw' WHEN 'otsstream' THEN 'tablestore_fdw'
	WHEN 'oss' THEN 'oss_fdw' WHEN 'httpfile' THEN 'oss_fdw' WHEN 'odps' THEN 'maxcompute_fdw' WHEN 'mysql' THEN 'mysql_fdw' END
$$;
COMMENT ON FUNCTION mc._import_wrapper(text) IS 'the foreign-data wrapper for a plugin';

-- Address and database of MySQL, of a data source or of a plugin's "connection"
CREATE FUNCTION mc._import_jdbc(d jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	url text := mc._import_first(d -> 'jdbcUrl' -> 0, d -> 'connection' -> 0 -> 'jdbcUrl' -> 0, d -> 'connection' -> 0 -> 'jdbcUrl', d -> 'jdbcUrl');
	m text[];
BEGIN
	IF url IS NOT NULL THEN
		m := regexp_match(url, '^jdbc:(?:mysql|mariadb)://([^:/?,]+)(?::(\d+))?/([^?]*)');
		IF m IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'jdbcUrl is not understood', HINT = 'It looks like jdbc:mysql://host:3306/database.';
		END IF;
	END IF;
	RETURN jsonb_build_object('host', COALESCE(m[1], d ->> 'host'), 'port', COALESCE(m[2], d ->> 'port', '3306'),
		'database', COALESCE(NULLIF(m[3], ''), d ->> 'database'));
END
$$;
COMMENT ON FUNCTION mc._import_jdbc(jsonb) IS 'host, port and database of a MySQL data source';

-- {"server", "database", "rows"} of one side of a job.  A data source is the server of its
-- name: made if "datasources" describes it, used if it exists, else a template for the user.
CREATE FUNCTION mc._import_server(plugin text, parameter jsonb, datasources jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	source text := NULLIF(parameter ->> 'datasource', '');
	d jsonb := CASE WHEN source IS NULL THEN parameter ELSE datasources -> source END;
	wrapper text := mc._import_wrapper(plugin);
	options jsonb;
	mapping jsonb;
	jdbc jsonb := '{}';
	name text := source;
	made boolean := d IS NOT NULL;
	n int := 1;
	rows_ jsonb := '[]';
	s record;
	missing text;
BEGIN
	options := CASE plugin
		WHEN 'loghub' THEN jsonb_build_object('endpoint', d ->> 'endpoint', 'project', d ->> 'project')
		WHEN 'odps' THEN jsonb_build_object('endpoint', mc._import_first(d -> 'odpsServer', d -> 'endpoint', d -> 'odpsEndpoint'),
			'project', d ->> 'project', 'tunnel_endpoint', mc._import_first(d -> 'tunnelServer', d -> 'tunnelEndpoint', d -> 'tunnel_endpoint'))
		WHEN 'oss' THEN jsonb_build_object('endpoint', d ->> 'endpoint', 'bucket', d ->> 'bucket',
			'url_style', CASE WHEN mc._import_boolean(d -> 'cname') THEN 'cname' END)
		WHEN 'httpfile' THEN jsonb_build_object('base_url', rtrim(mc._import_first(d -> 'url', d -> 'base_url', d -> 'baseUrl', d -> 'domain', d -> 'endpoint'), '/'))
		WHEN 'mysql' THEN '{}'
		ELSE jsonb_build_object('endpoint', d ->> 'endpoint', 'instance', mc._import_first(d -> 'instanceName', d -> 'instance')) END;
	IF plugin = 'mysql' THEN
		jdbc := mc._import_jdbc(COALESCE(d, '{}'));
		options := jsonb_build_object('host', jdbc ->> 'host', 'port', jdbc ->> 'port', 'character_set', 'utf8mb4');
		mapping := jsonb_build_object('username', d ->> 'username', 'password', d ->> 'password');
	ELSE
		mapping := jsonb_build_object('access_key_id', mc._import_first(d -> 'accessId', d -> 'accessKeyId', d -> 'access_key_id'),
			'access_key_secret', mc._import_first(d -> 'accessKey', d -> 'accessKeySecret', d -> 'access_key_secret'),
			'security_token', mc._import_first(d -> 'securityToken', d -> 'security_token'));
	END IF;
	SELECT k INTO missing FROM jsonb_each_text(options) AS o (k, v)
		WHERE v IS NULL AND k NOT IN ('tunnel_endpoint', 'url_style') ORDER BY k LIMIT 1;
	-- a data source may be described by the name of its database alone, and its server be there
	IF source IS NOT NULL AND missing IS NOT NULL THEN
		made := false;
	END IF;
	options := jsonb_strip_nulls(options) || COALESCE(d -> 'options', '{}');
	mapping := jsonb_strip_nulls(mapping);
	IF source IS NULL THEN
		IF missing IS NOT NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = format('%s has neither "datasource" nor %s', plugin, missing);
		END IF;
		name := mc._import_name(split_part(wrapper, '_', 1), COALESCE(options ->> 'project', options ->> 'instance', options ->> 'bucket', options ->> 'host', 'web'));
		WHILE EXISTS (SELECT FROM pg_foreign_server f JOIN pg_foreign_data_wrapper w ON w.oid = f.srvfdw WHERE f.srvname = name || CASE n WHEN 1 THEN '' ELSE '_' || n END
				AND (w.fdwname <> wrapper OR NOT f.srvoptions @> ARRAY(SELECT k || '=' || v FROM jsonb_each_text(options) AS o (k, v)))) LOOP
			n := n + 1;
		END LOOP;
		name := name || CASE n WHEN 1 THEN '' ELSE '_' || n END;
	END IF;
	SELECT f.oid, w.fdwname INTO s FROM pg_foreign_server f JOIN pg_foreign_data_wrapper w ON w.oid = f.srvfdw WHERE f.srvname = name;
	IF s.fdwname <> wrapper THEN
		RAISE wrong_object_type USING MESSAGE = format('server "%s" is of wrapper %s, and %s needs %s', name, s.fdwname, plugin, wrapper);
	END IF;
	IF plugin = 'mysql' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'mysql_fdw') THEN
		rows_ := rows_ || mc._import_row('extension', 'CREATE EXTENSION IF NOT EXISTS mysql_fdw');
	END IF;
	IF s.oid IS NOT NULL THEN
		rows_ := rows_ || mc._import_row('server', NULL, format('server %I is there', name));
	ELSIF made THEN
		rows_ := rows_ || mc._import_row('server', format('CREATE SERVER %I FOREIGN DATA WRAPPER %I %s', name, wrapper, mc._import_options(options)));
	ELSE
		rows_ := rows_ || mc._import_row('server', NULL, format('make it before the rest, or describe it in "datasources": CREATE SERVER %I FOREIGN DATA WRAPPER %I OPTIONS (%s)',
			name, wrapper, CASE plugin WHEN 'loghub' THEN 'endpoint ''...'', project ''...''' WHEN 'odps' THEN 'endpoint ''...'', project ''...'''
			WHEN 'oss' THEN 'endpoint ''...'', bucket ''...''' WHEN 'httpfile' THEN 'base_url ''...''' WHEN 'mysql' THEN 'host ''...'', port ''3306'', character_set ''utf8mb4'''
			ELSE 'endpoint ''...'', instance ''...''' END));
	END IF;
	IF plugin = 'httpfile' THEN
		NULL;
	ELSIF s.oid IS NOT NULL AND EXISTS (SELECT FROM pg_user_mappings m WHERE m.srvid = s.oid AND (m.umuser = 0 OR m.usename = current_user)) THEN
		rows_ := rows_ || mc._import_row('user mapping', NULL, format('there is a user mapping for server %I', name));
	ELSIF mapping <> '{}' THEN
		rows_ := rows_ || mc._import_row('user mapping', format('CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER %I %s', name, mc._import_options(mapping)));
	ELSIF plugin <> 'oss' OR NOT made THEN
		rows_ := rows_ || mc._import_row('user mapping', NULL, format('make it before the rest: CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', name,
			CASE plugin WHEN 'mysql' THEN 'username ''...'', password ''...''' ELSE 'access_key_id ''...'', access_key_secret ''...''' END));
	END IF;
	RETURN jsonb_build_object('server', name, 'database', jdbc ->> 'database', 'rows', rows_);
END
$$;
COMMENT ON FUNCTION mc._import_server(text, jsonb, jsonb) IS 'server and user mapping of one side of a job';

-- Columns of a document: "name", "'constant'", {"name", "type"}, {"index", "type", "format"}, {"type", "value"}
CREATE FUNCTION mc._import_columns(columns jsonb) RETURNS TABLE (n int, name text, type text, value text, index int, format text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c jsonb;
BEGIN
	n := 0;
	IF COALESCE(jsonb_typeof(columns), 'null') NOT IN ('array', 'null') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a list of columns is not a list';
	END IF;
	FOR c IN SELECT x FROM jsonb_array_elements(CASE WHEN jsonb_typeof(columns) = 'array' THEN columns ELSE '[]' END) AS e (x) LOOP
		n := n + 1;
		name := NULL;
		type := NULL;
		value := NULL;
		index := NULL;
		format := NULL;
		IF jsonb_typeof(c) = 'string' THEN
			name := c #>> '{}';
			IF name ~ '^''.*''$' THEN
				value := replace(substr(name, 2, length(name) - 2), '''''', '''');
				name := NULL;
			END IF;
		ELSIF jsonb_typeof(c) = 'object' THEN
			name := c ->> 'name';
			type := lower(btrim(c ->> 'type'));
			value := c ->> 'value';
			index := mc._import_integer(c -> 'index', 'the index of a column');
			format := c ->> 'format';
		END IF;
		IF name IS NULL AND value IS NULL AND index IS NULL OR name = '' THEN
			RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('column %s has no name, index or value', n);
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION mc._import_columns(jsonb) IS 'the list of columns of a reader or writer';

-- a local name for a remote column, and the option that binds it if it is another
CREATE FUNCTION mc._import_local(remote text, taken text[], n int) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT CASE WHEN octet_length(remote) > 63 OR remote = ANY (taken || '{tableoid,xmin,cmin,xmax,cmax,ctid}'::text[]) THEN 'c' || n ELSE remote END
$$;
COMMENT ON FUNCTION mc._import_local(text, text[], int) IS 'local name of a remote column';

CREATE FUNCTION mc._import_all(columns jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT COALESCE(columns IN ('[]', '["*"]', '[{"name": "*"}]', 'null', '"*"', '""'), true)
$$;
COMMENT ON FUNCTION mc._import_all(jsonb) IS 'whether a list of columns means all columns';

CREATE FUNCTION mc._import_encoding(name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	code int;
BEGIN
	IF COALESCE(name, '') = '' THEN
		RETURN NULL;
	END IF;
	code := pg_char_to_encoding(CASE WHEN upper(name) ~ '^GB_?2312$' THEN 'GBK' WHEN upper(name) ~ '^ISO.?8859.?1$' THEN 'LATIN1' ELSE name END);
	IF code < 0 THEN
		RAISE feature_not_supported USING MESSAGE = format('encoding %s is not known', name);
	END IF;
	RETURN pg_encoding_to_char(code);
END
$$;
COMMENT ON FUNCTION mc._import_encoding(text) IS 'an encoding by its PostgreSQL name';

-- format, delimiter, encoding, null ... of files, both ways
CREATE FUNCTION mc._import_format(p jsonb, reading boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	form text := COALESCE(lower(NULLIF(p ->> 'fileFormat', '')), 'csv');
	delimiter text := COALESCE(NULLIF(p ->> 'fieldDelimiter', ''), ',');
	compress text := lower(COALESCE(p ->> 'compress', ''));
	special jsonb := '{"\\t": "\t", "\\u0001": "\u0001", "\\x01": "\u0001", "\\001": "\u0001", "\\u0002": "\u0002", "\\|": "|"}';
BEGIN
	IF form NOT IN ('csv', 'text', 'txt') THEN
		RAISE feature_not_supported USING MESSAGE = format('files of format %s cannot be imported', form), HINT = 'csv and text can.';
	END IF;
	delimiter := COALESCE(special ->> delimiter, delimiter);
	IF octet_length(delimiter) <> 1 THEN
		RAISE feature_not_supported USING MESSAGE = format('fieldDelimiter "%s" is not one ASCII character', delimiter),
			HINT = 'Read whole lines with format ''line'' and cut them with string_to_array().';
	END IF;
	IF compress NOT IN ('', 'none', 'gzip', 'bzip2', 'framing-snappy', 'lz4', 'zstd') THEN
		RAISE feature_not_supported USING MESSAGE = format('compression %s is not supported', compress), HINT = 'gzip, bzip2, framing-snappy, lz4 and zstd are.';
	END IF;
	-- plain text has no quotes: in reading, a character that no text has takes their place;
	-- what is written must be read back, so delimiters in values are escaped
	RETURN jsonb_strip_nulls(jsonb_build_object('format', CASE WHEN reading OR form = 'csv' THEN 'csv' ELSE 'text' END, 'delimiter', delimiter,
		'quote', CASE WHEN form <> 'csv' THEN CASE WHEN reading THEN chr(1) END ELSE NULLIF(COALESCE(p ->> 'quoteChar', p ->> 'quoteCharacter'), '') END,
		'null', COALESCE(p ->> 'nullFormat', CASE WHEN reading THEN '\N' ELSE '' END),
		'encoding', mc._import_encoding(p ->> 'encoding'),
		'compression', CASE compress WHEN '' THEN NULL WHEN 'framing-snappy' THEN 'snappy' ELSE compress END));
END
$$;
COMMENT ON FUNCTION mc._import_format(jsonb, boolean) IS 'options of an OSS foreign table for a document''s file format';
