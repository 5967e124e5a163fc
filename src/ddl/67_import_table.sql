-- What imported statements call where the columns of a table are known only when its
-- foreign table is there.  All of them run with the caller's rights.

-- names of "*" (all columns but "except_", system columns and the rest column), "#keys", or themselves
CREATE FUNCTION mc._import_resolve(relation regclass, items text[], except_ text[])
RETURNS TABLE (n bigint, item text, is_column boolean, type oid, declared text, key int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
WITH a AS (
	SELECT t.attnum, t.attname::text AS name, t.atttypid, format_type(t.atttypid, t.atttypmod) AS declared,
		COALESCE((SELECT option_value FROM pg_options_to_table(t.attfdwoptions) WHERE option_name = 'field'), t.attname) AS field,
		(SELECT option_value::int FROM pg_options_to_table(t.attfdwoptions) WHERE option_name = 'key') AS key
	FROM pg_attribute t WHERE t.attrelid = relation AND t.attnum > 0 AND NOT t.attisdropped
)
SELECT row_number() OVER (ORDER BY i.o, CASE WHEN i.x = '#keys' THEN a.key ELSE a.attnum END), COALESCE(a.name, i.x), a.name IS NOT NULL, a.atttypid, a.declared, a.key
FROM unnest(items) WITH ORDINALITY AS i (x, o)
	LEFT JOIN a ON CASE i.x WHEN '*' THEN a.name <> ALL (except_) AND a.name <> ALL (array_remove(items, NULL)) AND a.field <> '*' AND a.field !~ '^__(op|commit_time|sequence|deleted|version|shard|time|time_ns_part|receive_time|topic|source|category|machine_uuid|cursor|object|line|size|etag|last_modified)__$' AND a.field NOT LIKE '\_\_tag\_\_:%'
		WHEN '#keys' THEN a.key IS NOT NULL ELSE a.name = i.x END
$$;
COMMENT ON FUNCTION mc._import_resolve(regclass, text[], text[]) IS 'columns of a table that an imported statement names';

CREATE FUNCTION mc._import_pairs(target regclass, into_ text[], extra jsonb, source regclass, select_ text[], columns_ text[], except_ text[])
RETURNS TABLE (n bigint, target_column text, target_type oid, target_declared text, expression text, source_column text, source_type oid, source_key int)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	given text[] := ARRAY(SELECT x ->> 0 FROM jsonb_array_elements(extra) AS e (x));
	width bigint;
	expected bigint;
	wrong text;
BEGIN
	SELECT count(*), min(r.item) FILTER (WHERE NOT r.is_column) INTO expected, wrong FROM mc._import_resolve(target, into_, given) r;
	SELECT count(*) INTO width FROM mc._import_resolve(source, columns_, except_);
	IF wrong IS NOT NULL OR EXISTS (SELECT FROM unnest(given) AS g (x) WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = g.x AND NOT a.attisdropped)) THEN
		SELECT COALESCE(wrong, x) INTO wrong FROM unnest(given) AS g (x)
			WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = g.x AND NOT a.attisdropped) LIMIT 1;
		RAISE undefined_column USING MESSAGE = format('%s has no column "%s"', target, wrong), HINT = 'Compare the column list of the writer with the table.';
	ELSIF width <> expected THEN
		RAISE syntax_error USING MESSAGE = format('the reader has %s columns, the writer %s', width, expected),
			DETAIL = format('Columns of the source %s and of the target %s are paired by their order.', source, target);
	END IF;
	RETURN QUERY SELECT r.n, r.item, r.type, r.declared, COALESCE(CASE WHEN s.is_column THEN quote_ident(s.item) END, s.item), CASE WHEN s.is_column THEN s.item END, s.type, s.key
		FROM mc._import_resolve(target, into_, given) r
		JOIN (
			-- a column that is null in columns_ is the expression at its place
			SELECT row_number() OVER (ORDER BY o, x.n) AS n, x.item, x.is_column, x.type, x.key
			FROM unnest(select_, columns_) WITH ORDINALITY AS u (e, c, o),
				LATERAL (SELECT y.n, y.item, y.is_column, y.type, y.key FROM mc._import_resolve(source, ARRAY[u.c], except_ || CASE WHEN u.c = '*' THEN array_remove(columns_, '*') ELSE '{}' END) y WHERE u.c IS NOT NULL
					UNION ALL SELECT 1, u.e, false, NULL, NULL WHERE u.c IS NULL) x
		) s ON s.n = r.n ORDER BY r.n;
	SELECT c INTO wrong FROM unnest(columns_) AS u (c) WHERE c NOT IN ('*', '#keys')
		AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = source AND a.attname = c AND NOT a.attisdropped) LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE undefined_column USING MESSAGE = format('%s has no column "%s"', source, wrong), HINT = 'Compare the column list of the reader with the table.';
	END IF;
END
$$;
COMMENT ON FUNCTION mc._import_pairs(regclass, text[], jsonb, regclass, text[], text[], text[]) IS 'columns of the target and what goes into them, by their order';

-- A column whose values do not fit the target's type by an assignment is declared as the
-- target's: then the conversion is the source's, and on_error holds for it.
CREATE FUNCTION mc._import_types(target regclass, into_ text[], extra jsonb, source regclass, select_ text[], columns_ text[], except_ text[]) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	p record;
	tablestore boolean := (SELECT w.fdwname = 'tablestore_fdw' FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
		JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE f.ftrelid = source);
	changed int := 0;
	typed boolean;
BEGIN
	FOR p IN SELECT DISTINCT ON (source_column) * FROM mc._import_pairs(target, into_, extra, source, select_, columns_, except_)
			WHERE source_column IS NOT NULL AND source_type <> target_type ORDER BY source_column, n LOOP
		CONTINUE WHEN (SELECT typcategory = 'S' FROM pg_type WHERE oid = p.target_type)
			OR EXISTS (SELECT FROM pg_cast WHERE castsource = p.source_type AND casttarget = p.target_type AND castcontext IN ('a', 'i'))
				-- these would round
				AND NOT (p.source_type IN ('float4'::regtype, 'float8'::regtype, 'numeric'::regtype) AND p.target_type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
					OR p.source_type IN ('timestamptz'::regtype, 'timestamp'::regtype) AND p.target_type = 'date'::regtype)
			OR p.source_key IS NOT NULL;
		EXECUTE format('ALTER FOREIGN TABLE %s ALTER COLUMN %I TYPE %s', source, p.source_column, p.target_declared);
		IF tablestore AND p.source_column !~ '^__.*__$' THEN
			SELECT EXISTS (SELECT FROM pg_attribute a, pg_options_to_table(a.attfdwoptions) o WHERE a.attrelid = source AND a.attname = p.source_column AND o.option_name = 'type') INTO typed;
			EXECUTE format('ALTER FOREIGN TABLE %s ALTER COLUMN %I OPTIONS (%s type ''any'')', source, p.source_column, CASE WHEN typed THEN 'SET' ELSE 'ADD' END);
		END IF;
		changed := changed + 1;
	END LOOP;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION mc._import_types(regclass, text[], jsonb, regclass, text[], text[], text[]) IS 'declares the columns of an imported source with the types of the columns they are written to; returns how many it changed';

CREATE FUNCTION mc._import_insert(target regclass, into_ text[], extra jsonb, source regclass, select_ text[], columns_ text[], except_ text[],
	wheres text[], options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	p record;
	k record;
	names text[] := '{}';
	expressions text[] := '{}';
	e text;
	condition text := array_to_string(wheres, E'\n   AND ');
	tail text;
	before_ text := COALESCE(options ->> 'before', '');
	first_ text := (SELECT attname FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT 1);
	dummy jsonb;
BEGIN
	FOR k IN SELECT item, key FROM mc._import_resolve(source, '{#keys}', '{}') WHERE is_column LOOP
		-- outside of literals
		SELECT string_agg(CASE WHEN m[1] LIKE '''%' THEN m[1] ELSE replace(m[1], '#k' || k.key, quote_ident(k.item)) END, '' ORDER BY o)
			INTO condition FROM regexp_matches(condition, '(''(?:[^'']|'''')*''|[^'']+)', 'g') WITH ORDINALITY AS t (m, o);
	END LOOP;
	condition := COALESCE(condition, '');
	IF regexp_replace(condition, '''(?:[^'']|'''')*''', '', 'g') ~ '#k\d' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the range has more values than %s has key columns', source);
	END IF;
	tail := format(E'  FROM %s', source) || CASE WHEN condition = '' THEN '' ELSE E'\n WHERE ' || condition END;
	FOR p IN SELECT * FROM mc._import_pairs(target, into_, extra, source, select_, columns_, except_) ORDER BY n LOOP
		e := p.expression;
		IF p.source_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AND (options ->> 'empty_as_null')::boolean THEN
			e := format('NULLIF(%s, '''')', e) || CASE WHEN (SELECT typcategory = 'S' FROM pg_type WHERE oid = p.target_type) THEN '' ELSE '::' || p.target_declared END;
		ELSIF p.source_type IN ('timestamptz'::regtype, 'timestamp'::regtype) AND options ? 'date_format' THEN
			e := format('to_char(%s, %L)', e, options ->> 'date_format');
		ELSIF p.source_type = 'date'::regtype AND options ? 'day_format' THEN
			e := format('to_char(%s, %L)', e, options ->> 'day_format');
		END IF;
		names := names || quote_ident(p.target_column);
		expressions := expressions || e;
		IF p.target_column = first_ AND (options ->> 'replace')::boolean THEN
			before_ := before_ || format(E'DELETE FROM %s WHERE %I IN (SELECT %s\n%s);\n', target, first_, e, tail);
		END IF;
	END LOOP;
	IF (options ->> 'replace')::boolean AND first_ <> ALL (ARRAY(SELECT x FROM mc._import_resolve(target, into_, '{}') AS r (n, x, c, t, d, key))) THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the first column of %s, by which its rows are replaced, is not written', target);
	END IF;
	IF (options ->> 'whole')::boolean AND array_length(names, 1) < (SELECT count(*) FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped) THEN
		RAISE feature_not_supported USING MESSAGE = format('writeMode update of some columns of %s cannot be imported', target), DETAIL = 'Rows are replaced as a whole.',
			HINT = 'Name all columns, or write the job as UPDATE ... FROM and INSERT.';
	END IF;
	FOR dummy IN SELECT x FROM jsonb_array_elements(extra) AS t (x) LOOP
		names := names || quote_ident(dummy ->> 0);
		expressions := expressions || (dummy ->> 1);
	END LOOP;
	RETURN before_ || format(E'INSERT INTO %s (%s)\nSELECT %s\n%s', target, array_to_string(names, ', '), array_to_string(expressions, ', '), tail);
END
$$;
COMMENT ON FUNCTION mc._import_insert(regclass, text[], jsonb, regclass, text[], text[], text[], text[], jsonb) IS 'the statement of an imported job, from its foreign tables';

CREATE FUNCTION mc._import_cells(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	changes text;
BEGIN
	SELECT string_agg(format('DROP COLUMN %I, ', a.attname), '') INTO changes FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('__op__', '__commit_time__', '__sequence__')
			AND NOT EXISTS (SELECT FROM pg_options_to_table(a.attfdwoptions) WHERE option_name = 'key');
	EXECUTE format('ALTER FOREIGN TABLE %s %sADD COLUMN __column__ text, ADD COLUMN __version__ bigint, ADD COLUMN __type__ text, ADD COLUMN __value__ text, OPTIONS (ADD shape ''cell'')',
		relation, COALESCE(changes, ''));
END
$$;
COMMENT ON FUNCTION mc._import_cells(regclass) IS 'makes an imported change stream one of shape cell';

CREATE FUNCTION mc._import_file_table(name text, source regclass, columns_ text[], except_ text[], header text[], paths text[], server text, options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
	names text[];
BEGIN
	SELECT array_agg(CASE WHEN NOT r.is_column THEN 'c' || r.n WHEN r.item ~ '^__.*__$' THEN btrim(r.item, '_') ELSE r.item END ORDER BY r.n)
		INTO names FROM mc._import_resolve(source, columns_, except_) r;
	IF header <> '{}' THEN
		IF array_length(header, 1) IS DISTINCT FROM array_length(names, 1) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('the header has %s names, the reader %s columns', array_length(header, 1), array_length(names, 1));
		END IF;
		names := header;
	END IF;
	EXECUTE format('CREATE FOREIGN TABLE %s (%s) SERVER %I %s', name,
		(SELECT string_agg(format('%I text', x), ', ' ORDER BY o) FROM unnest(names || paths) WITH ORDINALITY AS u (x, o)), server, mc._import_options(options));
END
$$;
COMMENT ON FUNCTION mc._import_file_table(text, regclass, text[], text[], text[], text[], text, jsonb) IS 'makes the foreign table of files that take the columns of another table';
