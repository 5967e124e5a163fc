-- Conditions with their values: parameters, NULLs, ends of types, versions of cells.
\i sql/setup.psql
CREATE SCHEMA ots_qual;
SET search_path = ots_qual, public;
\! emu '{"service":"tablestore","op":"create_table","table":"q_qual","keys":[{"name":"a","type":"INTEGER"},{"name":"b","type":"STRING"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"q_qual","rows":[{"key":[-9223372036854775808,""],"columns":{"n":1}},{"key":[-1,"a"],"columns":{"n":2}},{"key":[0,""],"columns":{"n":3}},{"key":[0,"a"],"columns":{"n":4}},{"key":[0,"ab"],"columns":{"n":5}},{"key":[0,"b"],"columns":{"n":6}},{"key":[1,"é"],"columns":{"n":7}},{"key":[9223372036854775807,"z"],"columns":{"n":8}},{"key":[9223372036854775807,"zz"],"columns":{"n":9}}]}' >/dev/null
CREATE FOREIGN TABLE qual (a bigint OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "C" NOT NULL, n int)
	SERVER ots OPTIONS (table 'q_qual');
CREATE FUNCTION rows(q text) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE r int[];
BEGIN
	EXECUTE 'SELECT array_agg(n ORDER BY n) FROM qual WHERE ' || q INTO r;
	RETURN r;
END $$;

SELECT rows('a > 9223372036854775807'), rows('a >= 9223372036854775807'), rows('a < -9223372036854775808'),
	rows('a <= (-9223372036854775808)'), rows('a > -9223372036854775808 AND a < 9223372036854775807');
SELECT rows('a = 0 AND b > ''a'''), rows('a = 0 AND b >= ''a'''), rows('a = 0 AND b < ''a'''), rows('a = 0 AND b <= ''a''');
SELECT rows('(a, b) > (0, ''a'')'), rows('(a, b) <= (0, ''a'')'), rows('(a, b) > (9223372036854775807, ''z'')'), rows('(a, b) < (0, NULL)'),
	rows('(a, b) >= (0, NULL)'), rows('(a, b) < (NULL, ''a'')');
SELECT rows('a = 0 AND b < repeat(''a'', 1025)'), rows('a = 0 AND b > repeat(''a'', 1025)'), rows('a = 0 AND b = repeat(''a'', 1025)'),
	rows('a = 0 AND b >= repeat(chr(1114111), 300)');
SELECT rows('a IN (0, 1) AND b IN (''a'', ''é'')'), rows('a = ANY (''{}'')'), rows('a = ANY (NULL::bigint[])'), rows('a = ANY (''{NULL,1}'')');
SELECT rows('a = 0 AND b LIKE ''a%'''), rows('a = 0 AND b LIKE ''a'''), rows('a = 1 AND b LIKE ''é%''');
SELECT rows('a = 0 OR (a = 1 AND b > ''a'')'), rows('(a = 0 AND b = ''a'') OR (a = 0 AND b >= ''ab'')'), rows('a < 0 OR a > 1 OR n = 4');
SELECT rows('a::int4 = 0 AND a = 0'), rows('a = 0::int2'), rows('a = 1.0');

-- parameters: one plan, many values
PREPARE p(bigint, text) AS SELECT array_agg(n ORDER BY n) FROM qual WHERE a = $1 AND b >= $2;
PREPARE l(bigint[], text[]) AS SELECT array_agg(n ORDER BY n) FROM qual WHERE a = ANY ($1) AND b = ANY ($2);
PREPARE r(bigint, text) AS SELECT array_agg(n ORDER BY n) FROM qual WHERE (a, b) >= ($1, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE p(0, 'ab');
EXECUTE p(9223372036854775807, '');
EXECUTE p(NULL, '');
EXECUTE p(0, NULL);
EXECUTE p(0, repeat('b', 5000));
EXECUTE l('{0,1,NULL,0}', '{a,b,é}');
EXECUTE l('{}', '{a}');
EXECUTE l(NULL, '{a}');
-- more pairs than are looked up one by one
SELECT array_agg(g) AS numbers FROM generate_series(-200, 200) g \gset
SELECT array_agg('x' || g) || '{a,b}' AS texts FROM generate_series(1, 200) g \gset
EXECUTE l(:'numbers', :'texts');
EXECUTE r(0, 'ab');
EXECUTE r(0, NULL);
EXECUTE r(9223372036854775807, 'zzz');
RESET plan_cache_mode;
DEALLOCATE ALL;
-- a stable function is asked by the planner and once by the scan
CREATE FUNCTION noisy() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'asked'; RETURN 0; END $$;
SELECT n FROM qual WHERE a = noisy() ORDER BY n;

-- conditions that nothing can meet make no request
CREATE FUNCTION requests(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM qual WHERE ' || q LOOP
		IF line ~ '^ *(Key Range|Requests)' THEN RETURN trim(line); END IF;
	END LOOP;
	RETURN 'nothing';
END $$;
CREATE FUNCTION nothing() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
SELECT requests('a > 5 AND a < 3'), requests('a = nothing()'), requests('a = 0 AND b = repeat(''x'', 2000)'), requests('a IN (1, 2) AND a = 3');

-- versions of cells: a range of time
\! emu '{"service":"tablestore","op":"create_table","table":"q_versions","max_versions":10,"deviation":1000000000000,"keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"q_versions","rows":[{"key":[1],"columns":{"a":[{"value":"v1","ts":1700000000000},{"value":"v2","ts":1700000000500},{"value":"v3","ts":1700000001000}]}},{"key":[2],"columns":{"a":[{"value":"w1","ts":1700000000999}]}}]}' >/dev/null
CREATE FOREIGN TABLE cells (k bigint OPTIONS (key '1') NOT NULL, __column__ text, __version__ bigint, __value__ text)
	SERVER ots OPTIONS (table 'q_versions', shape 'cell');
CREATE FOREIGN TABLE cells_at (k bigint OPTIONS (key '1') NOT NULL, __version__ timestamptz, __value__ text)
	SERVER ots OPTIONS (table 'q_versions', shape 'cell');
CREATE FOREIGN TABLE newest (k bigint OPTIONS (key '1') NOT NULL, __version__ bigint, __value__ text)
	SERVER ots OPTIONS (table 'q_versions', shape 'cell', max_versions '2');
EXPLAIN (COSTS OFF) SELECT __value__ FROM cells WHERE __version__ >= 1700000000500 AND __version__ < 1700000001000;
SELECT __value__ FROM cells WHERE __version__ >= 1700000000500 AND __version__ < 1700000001000 ORDER BY 1;
SELECT __value__ FROM cells WHERE __version__ > 1700000000500 ORDER BY 1;
SELECT __value__ FROM cells WHERE __version__ <= 1700000000500 AND k = 1 ORDER BY 1;
SELECT __value__ FROM cells WHERE __version__ = 1700000000999 ORDER BY 1;
SELECT count(*) FROM cells WHERE __version__ > 9223372036854775806;
SELECT count(*) FROM cells WHERE __version__ >= -5 AND __version__ <= 9223372036854775807;
SELECT count(*) FROM cells WHERE __version__ < 0;
SELECT count(*) FROM cells WHERE __version__ = NULL::bigint;
SET TimeZone = 'UTC';
EXPLAIN (COSTS OFF) SELECT __value__ FROM cells_at WHERE __version__ > '2023-11-14 22:13:20.4999' AND __version__ <= '2023-11-14 22:13:20.9999';
SELECT __value__ FROM cells_at WHERE __version__ > '2023-11-14 22:13:20.4999' AND __version__ <= '2023-11-14 22:13:20.9999' ORDER BY 1;
SELECT __value__ FROM cells_at WHERE __version__ = '2023-11-14 22:13:20.5';
SELECT __value__ FROM cells_at WHERE __version__ = '2023-11-14 22:13:20.50001';
SELECT count(*) FROM cells_at WHERE __version__ >= '2023-11-14'::date AND __version__ < '2023-11-15 00:00'::timestamp;
SELECT count(*) FROM cells_at WHERE __version__ < 'infinity';
SELECT count(*) FROM cells_at WHERE __version__ = 'infinity' OR __version__ = '-infinity';
-- the newest two of all, then the bound: an upper bound stays here
EXPLAIN (COSTS OFF) SELECT __value__ FROM newest WHERE __version__ >= 1700000000500 AND __version__ < 1700000001000;
SELECT __value__ FROM newest WHERE __version__ >= 1700000000500 AND __version__ < 1700000001000 ORDER BY 1;
SELECT __value__ FROM newest WHERE __version__ <= 1700000000500 ORDER BY 1;
SELECT __value__ FROM newest WHERE __version__ = 1700000000000 ORDER BY 1;
