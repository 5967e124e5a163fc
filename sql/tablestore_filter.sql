-- Conditions on attribute columns: what the service checks, what is checked again here.
\i sql/setup.psql
CREATE SCHEMA ots_filter;
SET search_path = ots_filter, public;
\! emu '{"service":"tablestore","op":"create_table","table":"q_filter","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"q_filter","rows":[{"key":[1],"columns":{"i":1,"f":{"double":1},"t":"a","b":true,"y":{"bytes":"01"}}},{"key":[2],"columns":{"i":2,"f":{"double":-0.0},"t":"B","b":false,"y":{"bytes":""}}},{"key":[3],"columns":{"i":30000,"f":{"double":0},"t":"ä"}},{"key":[4],"columns":{"b":true}},{"key":[5],"columns":{"i":-5,"f":{"double":1.5},"t":"","y":{"bytes":"ff00"}}}]}' >/dev/null
CREATE FOREIGN TABLE filter (k bigint OPTIONS (key '1') NOT NULL, i smallint, f double precision, t text COLLATE "C", b boolean, y bytea)
	SERVER ots OPTIONS (table 'q_filter');
CREATE FOREIGN TABLE other (k bigint OPTIONS (key '1') NOT NULL, r real OPTIONS (field 'f'), u text OPTIONS (field 't') COLLATE "en-x-icu",
	n numeric OPTIONS (field 'i', type 'integer'), a bytea OPTIONS (field 'y', type 'any')) SERVER ots OPTIONS (table 'q_filter');
CREATE FUNCTION pushed(q text, source text DEFAULT 'filter') RETURNS TABLE (sent text, keys bigint[]) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	sent := '-';
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT k FROM ' || source || ' WHERE ' || q LOOP
		IF line ~ 'Remote Filter' THEN sent := substring(line, 'Remote Filter: (.*)'); END IF;
	END LOOP;
	EXECUTE 'SELECT array_agg(k ORDER BY k) FROM ' || source || ' WHERE ' || q INTO keys;
	RETURN NEXT;
END $$;

SELECT * FROM pushed('i = 1');
SELECT * FROM pushed('i <> 1');
SELECT * FROM pushed('1::bigint < i');
SELECT * FROM pushed('i BETWEEN 0 AND 5');
SELECT * FROM pushed('i IN (1, 2, NULL)');
SELECT * FROM pushed('i NOT IN (1, 2)');
SELECT * FROM pushed('i NOT IN (1, 2, NULL)');
SELECT * FROM pushed('i > ALL (ARRAY[1, 2])');
SELECT * FROM pushed('i < ANY (ARRAY[1, 2])');
SELECT * FROM pushed('i IS NOT NULL');
SELECT * FROM pushed('i IS NULL');
SELECT * FROM pushed('i = NULL');
-- what a smallint cannot be
SELECT * FROM pushed('i = 40000');
SELECT * FROM pushed('i < 40000');
SELECT * FROM pushed('i >= -32769');
SELECT * FROM pushed('i > 9223372036854775807');
-- numbers that are not numbers, both zeros
SELECT * FROM pushed('f = 0');
SELECT * FROM pushed('f <= -0.0::float8');
SELECT * FROM pushed('f < 0');
SELECT * FROM pushed('f <> 0');
SELECT * FROM pushed('f < ''NaN''');
SELECT * FROM pushed('f >= ''NaN''');
SELECT * FROM pushed('f > ''-Infinity''');
SELECT * FROM pushed('f = ''Infinity''');
SELECT * FROM pushed('f IN (1, ''NaN'')');
SELECT * FROM pushed('f > 1::real');
-- text
SELECT * FROM pushed('t = ''B''');
SELECT * FROM pushed('t > ''B''');
SELECT * FROM pushed('t >= ''''');
SELECT * FROM pushed('u = ''a''', 'other');
SELECT * FROM pushed('u < ''B''', 'other');
SELECT * FROM pushed('t LIKE ''a%''');
-- bytes, booleans
SELECT * FROM pushed('y > ''\x01''');
SELECT * FROM pushed('b');
SELECT * FROM pushed('NOT b');
SELECT * FROM pushed('b IS TRUE');
SELECT * FROM pushed('b IS NOT TRUE');
SELECT * FROM pushed('b IS FALSE');
-- not as the service compares
SELECT * FROM pushed('r = 1', 'other');
SELECT * FROM pushed('a = ''\x01''', 'other');
SELECT * FROM pushed('n = 1', 'other');
SELECT * FROM pushed('i + 1 = 2');
SELECT * FROM pushed('i = f');
SELECT * FROM pushed('k + 0 = 1');
-- trees
SELECT * FROM pushed('i = 1 OR t = ''B'' OR b');
SELECT * FROM pushed('k = 1 OR u = ''a''', 'other');
SELECT * FROM pushed('i = 1 OR i IS NULL');
SELECT * FROM pushed('(i = 1 AND k > 0) OR (t = ''B'' AND NOT b)');
SELECT * FROM pushed('NOT (i = 1 OR t = ''B'')');
SELECT * FROM pushed('k > 1 AND i > 0 AND t = ''B''');
-- more than the service takes: the list by its ends, conjuncts as many as fit
SELECT sent <> '-' AS sent, keys FROM pushed('i = ANY (ARRAY[' || (SELECT string_agg(g::text, ',') FROM generate_series(2, 60) g) || '])');
SELECT sent <> '-' AS sent, keys FROM pushed('i <> ALL (ARRAY[' || (SELECT string_agg(g::text, ',') FROM generate_series(1, 60) g) || '])');
SELECT sent <> '-' AS sent, keys FROM pushed((SELECT string_agg(format('(i <> %s OR t <> ''%s'')', g, g), ' AND ') FROM generate_series(1, 40) g));
SELECT sent <> '-' AS sent, keys FROM pushed((SELECT string_agg(format('(i = %s AND t <> ''%s'')', g, g), ' OR ') FROM generate_series(1, 40) g));
-- parameters
PREPARE q(bigint, text, smallint[]) AS SELECT k FROM filter WHERE i > $1 OR t = $2 OR i = ANY ($3) ORDER BY k;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE q(1, 'a', '{}');
EXECUTE q(1, 'a', '{}');
EXECUTE q(NULL, NULL, NULL);
EXECUTE q(100000, 'x', '{-5,NULL}');
RESET plan_cache_mode;
DEALLOCATE q;

-- the service passes only what may qualify
CREATE FUNCTION received(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line ~ 'Remote|Rows Removed|Requests: 0' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;
SELECT received('SELECT * FROM filter WHERE i = 1');
SELECT received('SELECT * FROM filter WHERE i = 40000');
SELECT received('SELECT * FROM filter WHERE k IN (1, 2, 3) AND t < ''b''');
-- rejected rows are counted, so they come
ALTER FOREIGN TABLE filter OPTIONS (ADD on_error 'reject');
SELECT * FROM pushed('i = 1');
ALTER FOREIGN TABLE filter OPTIONS (SET on_error 'set_null');
SELECT * FROM pushed('i = 1');
SET mc_fdw.on_error = 'reject';
SELECT received('SELECT * FROM filter WHERE t = ''a''');
RESET mc_fdw.on_error;
