\i sql/setup.psql
CREATE SERVER odps_reading FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'reading');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps_reading OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\! emu '{"service":"maxcompute","op":"create_project","project":"reading"}' >/dev/null
CREATE SCHEMA mc_reading;
SET search_path = mc_reading, public;
-- Scans of MaxCompute tables: pruning, projection, counting, damage on the wire, errors.
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"CREATE TABLE events (id BIGINT, s STRING) PARTITIONED BY (dt STRING, hh BIGINT)"}' >/dev/null
\! for d in 1 2 3 4; do for h in 0 9 10; do emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"ALTER TABLE events ADD PARTITION (dt='\'2024010$d\'',hh='\'$h\'')"}'; emu '{"service":"maxcompute","op":"generate","project":"reading","table":"events","rows":'$((d * 10 + h))',"first":'$((d * 1000 + h * 10))',"seed":1,"partition":"dt=2024010'$d',hh='$h'"}'; done; done >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"ALTER TABLE events ADD PARTITION (dt='\'empty\'',hh='\'0\'')"}' >/dev/null
\! emu '{"service":"maxcompute","op":"generate","project":"reading","table":"wide","rows":30000,"seed":7,"profile":"text10"}' >/dev/null
\! emu '{"service":"maxcompute","op":"set","rates":false}' >/dev/null
IMPORT FOREIGN SCHEMA reading LIMIT TO (events, wide) FROM SERVER odps_reading INTO mc_reading;
\d events
\set explain 'EXPLAIN (COSTS OFF)'
\set analyze 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)'

-- whole table, counts without reading, one partition
SELECT dt, hh, count(*), count(id), min(length(s)) > 0 AS s FROM events GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), count(DISTINCT c1), count(DISTINCT c10) FROM wide;
:analyze SELECT count(*) FROM events;
:analyze SELECT count(*) FROM events WHERE dt = '20240102' AND hh > 5;
:explain SELECT id FROM events WHERE dt = '20240102';
EXPLAIN (COSTS OFF, VERBOSE) SELECT hh, id FROM events WHERE dt LIKE '%3';
:explain SELECT id FROM events WHERE dt = '20240102' AND id = 2001 AND random() > 2;
:explain SELECT id FROM events WHERE hh = 9 OR id = 1;
:explain SELECT id FROM events WHERE (dt, hh) IN (('20240101', 9), ('20240104', 10));
EXPLAIN (COSTS OFF, FORMAT json) SELECT id FROM events WHERE dt < '20240103';

-- LIMIT reads one small range
:analyze SELECT * FROM wide LIMIT 10;
-- one whole row, no column, one column
:analyze SELECT wide FROM wide;
:analyze SELECT c2 FROM wide;
SELECT sum(length(w::text)) > 6000000 AS all_there FROM wide w;

-- quals and a copy of the rows agree, in every kind of plan
CREATE TABLE events_copy AS SELECT * FROM events;
SELECT count(*) FROM events_copy;
CREATE FUNCTION pruning(mode text) RETURNS TABLE (qual text, remote bigint, local bigint) LANGUAGE plpgsql AS $$
DECLARE
	q text;
BEGIN
	PERFORM set_config('plan_cache_mode', mode, true);
	FOREACH q IN ARRAY ARRAY[
		'dt = $1', '$1 = dt', 'dt <> $1', 'dt < $1', 'dt >= $1', 'dt BETWEEN ''20240102'' AND $1', 'dt > $1 COLLATE "C"',
		'dt = ANY (ARRAY[$1, ''20240104''])', 'dt <> ALL (ARRAY[$1, ''20240104''])', 'dt LIKE $1 || ''%''', 'dt ~ ''[13]$''', 'NOT dt = $1',
		'hh = 9', 'hh < 10', 'hh::text < ''2''', 'hh + 1 = 10', 'hh BETWEEN 5 AND $2', 'hh IN (0, $2)', 'hh = $2 AND dt = $1',
		'hh = $2 OR dt = $1', 'hh = $2 OR id < 2005', 'dt IS NULL', 'dt IS NOT NULL AND hh = 0', 'dt = NULL', 'hh > NULL::bigint',
		'left(dt, 6) = ''202401'' AND right(dt, 1)::int % 2 = 0 AND dt <> ''empty''', 'dt = $1 AND id % 2 = 0', 'dt = $1 AND s > ''8''', 'coalesce(dt, $1) = $1',
		'(dt || hh) = ($1 || $2)', 'dt < to_char(now(), ''YYYYMMDD'')', 'dt < to_char(date ''2024-01-02'', ''YYYYMMDD'')', 'CASE WHEN hh = 0 THEN dt = $1 ELSE false END',
		'length(dt) = hh - 1', 'dt = ''none''', 'dt IN (SELECT $1)', 'EXISTS (SELECT 1 WHERE dt = $1)', 'dt = (SELECT max(dt) FROM events_copy WHERE dt < ''e'')']
	LOOP
		EXECUTE format('PREPARE r(text, bigint) AS SELECT count(*), sum(id) FROM events WHERE %s', q);
		EXECUTE format('PREPARE l(text, bigint) AS SELECT count(*), sum(id) FROM events_copy WHERE %s', q);
		EXECUTE 'EXECUTE r(''20240103'', 9)' INTO remote;
		EXECUTE 'EXECUTE l(''20240103'', 9)' INTO local;
		DEALLOCATE r;
		DEALLOCATE l;
		qual := q;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM pruning('force_custom_plan');
SELECT * FROM pruning('force_generic_plan') WHERE remote IS DISTINCT FROM local;

-- values known at run time only: lateral, outer reference, prepared
:explain SELECT d, (SELECT count(*) FROM events WHERE dt = d) FROM (VALUES ('20240101'), ('x')) v(d);
:analyze SELECT d, (SELECT count(*) FROM events WHERE dt = d) FROM (VALUES ('20240101'), ('x'), ('20240101')) v(d);
SELECT d, (SELECT count(*) FROM events WHERE dt = d) FROM (VALUES ('20240101'), ('x'), ('20240102')) v(d);
SELECT d, n FROM (VALUES ('20240103'), ('20240104')) v(d), LATERAL (SELECT count(*) AS n, max(id) FROM events WHERE dt = d AND hh = 9) e;
PREPARE one(text) AS SELECT count(*) FROM events WHERE dt = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE one('20240102');
:explain EXECUTE one('20240102');
RESET plan_cache_mode;
-- rescans without new parameters
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM generate_series(1, 3) g LEFT JOIN events e ON e.id > g WHERE dt = '20240101' AND hh = 9;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;
-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM events WHERE dt = '20240101' AND hh = 9 ORDER BY id;
FETCH 2 FROM c;
SAVEPOINT a;
FETCH 2 FROM c;
ROLLBACK TO a;
FETCH 1 FROM c;
COMMIT;

-- keys as other types; option partition; a table without its keys
CREATE FOREIGN TABLE events_date (id int, day date OPTIONS (field 'dt'), hour smallint OPTIONS (field 'HH')) SERVER odps_reading OPTIONS ("table" 'events', partition 'hh=9');
SELECT day, count(*) FROM events_date WHERE day >= '2024-01-02' GROUP BY 1 ORDER BY 1;
:explain SELECT * FROM events_date WHERE day = '2024-01-02';
CREATE FOREIGN TABLE events_bad (id int, day date OPTIONS (field 'dt')) SERVER odps_reading OPTIONS ("table" 'events');
SELECT count(*) FROM events_bad WHERE day = '2024-01-01';
CREATE FOREIGN TABLE events_zone (dt timestamptz) SERVER odps_reading OPTIONS ("table" 'events', partition 'dt=20240101', timezone 'UTC');
SELECT DISTINCT dt FROM events_zone;
CREATE FOREIGN TABLE events_ids (id int) SERVER odps_reading OPTIONS ("table" 'events');
SELECT count(*), count(id) FROM events_ids;
CREATE FOREIGN TABLE events_nokey (id int) SERVER odps_reading OPTIONS ("table" 'events', partition 'month=1');
SELECT * FROM events_nokey;

-- codings
CREATE FUNCTION codings() RETURNS TABLE (coding text, n bigint, sum text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH coding IN ARRAY ARRAY['auto', 'none', 'deflate', 'zstd', 'lz4', 'snappy'] LOOP
		PERFORM set_config('mc_fdw.compression', coding, true);
		SELECT count(*), md5(string_agg(c1 || c10, ',' ORDER BY c1)) INTO n, sum FROM wide;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT coding, n, sum = first_value(sum) OVER () AS same FROM codings();
SET mc_fdw.compression = 'rar';
SELECT count(c1) FROM wide;
RESET mc_fdw.compression;

-- damage, loss, throttling: repeated until the rows are right
CREATE FUNCTION checked(OUT n bigint, OUT sum text) LANGUAGE sql AS
	$$ SELECT count(*), md5(string_agg(c1 || c10, ',' ORDER BY c1)) FROM wide $$;
CREATE TABLE right_rows AS SELECT * FROM checked();
SET mc_fdw.stall_timeout = '300ms';
\! emu faults '[{"api":"ReadData","action":"corrupt_body","every":2,"count":3}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"corrupt_body","every":3,"at":100000,"count":3}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"truncate_body","every":2,"count":3}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"reset_mid_body","every":2,"count":3}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"stall_mid_body","nth":2}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"status","http":500,"code":"InternalServerError","every":2,"count":3},{"api":"CreateDownload","action":"status","http":503,"nth":1},{"api":"GetTable","action":"reset_before","nth":1}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
\! emu faults '[{"api":"ReadData","action":"status","http":429,"code":"FlowExceeded","nth":2}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
SET mc_fdw.compression = 'zstd';
\! emu faults '[{"api":"ReadData","action":"corrupt_body","every":2,"count":3},{"api":"ReadData","action":"truncate_body","every":3,"count":3}]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
RESET mc_fdw.compression;
-- more sessions than the service allows at a time: waited for
SET mc_fdw.max_retries = 0;
\! emu faults '[{"api":"CreateDownload","action":"status","http":429,"code":"QPSExceeded","nth":3}]' >/dev/null
SELECT count(*) FROM events WHERE hh = 9;
RESET mc_fdw.max_retries;
-- sessions that are not ready at once
\! emu '{"service":"maxcompute","op":"set","async_sessions":true}' >/dev/null
\! emu faults '[]' >/dev/null
SELECT c = r AS same FROM checked() c, right_rows r;
SELECT count(*) FROM events;
\! emu '{"service":"maxcompute","op":"set","async_sessions":false}' >/dev/null

-- what does not pass is an error with its place
SET mc_fdw.max_retries = 1;
\! emu faults '[{"api":"ReadData","action":"corrupt_body","at":5000}]' >/dev/null
\set VERBOSITY sqlstate
SELECT count(c1) FROM wide;
\! emu faults '[{"api":"ReadData","action":"status","http":500,"code":"DataStoreError"}]' >/dev/null
SELECT count(id) FROM events WHERE dt = '20240101' AND hh = 9;
\! emu faults '[{"api":"ListPartitions","action":"status","http":500,"code":"InternalServerError"}]' >/dev/null
SELECT count(id) FROM events;
\! emu faults '[{"api":"ReadData","action":"session_expired"}]' >/dev/null
SELECT count(c1) FROM wide;
\set VERBOSITY default
\! emu faults '[]' >/dev/null
RESET mc_fdw.max_retries;
RESET mc_fdw.stall_timeout;
SELECT c = r AS same FROM checked() c, right_rows r;

-- the table changes while it is read
BEGIN;
DECLARE c CURSOR FOR SELECT c1 FROM wide;
FETCH 1 FROM c;
\! emu '{"service":"maxcompute","op":"generate","project":"reading","table":"wide","rows":1,"seed":8}' >/dev/null
\set VERBOSITY sqlstate
MOVE ALL FROM c;
ROLLBACK;
\set VERBOSITY default
SELECT count(*) FROM wide;

-- what is not there
\set SHOW_CONTEXT always
CREATE FOREIGN TABLE missing (a int) SERVER odps_reading OPTIONS ("table" 'no_such_table');
\set VERBOSITY sqlstate
SELECT * FROM missing;
\set VERBOSITY default
CREATE FOREIGN TABLE more_columns (id int, absent text, another text) SERVER odps_reading OPTIONS ("table" 'events');
SELECT id FROM more_columns;
ALTER FOREIGN TABLE more_columns ALTER absent OPTIONS (ADD field 's'), DROP COLUMN another;
SELECT count(absent) FROM more_columns WHERE id = 0;
SELECT ctid FROM events;
SELECT tableoid::regclass, count(*) FROM events WHERE dt = '20240101' GROUP BY 1;
-- a column added remotely and locally is there at once; one dropped remotely is missed
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"DROP TABLE IF EXISTS shape"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"CREATE TABLE shape (a BIGINT, b STRING)"}' >/dev/null
\! printf '%s\n' '[1,"x"]' | odps-load reading shape
CREATE FOREIGN TABLE shape (a int, b text) SERVER odps_reading;
SELECT * FROM shape;
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"DROP TABLE shape"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"reading","sql":"CREATE TABLE shape (a BIGINT, b BIGINT, c STRING)"}' >/dev/null
SELECT * FROM shape;
SELECT * FROM shape;
ALTER FOREIGN TABLE shape ALTER b TYPE bigint, ADD COLUMN c text;
SELECT * FROM shape;

-- EXPLAIN without mapping or service
CREATE ROLE nobody_in_particular;
GRANT USAGE ON SCHEMA mc_reading TO nobody_in_particular;
GRANT SELECT ON events TO nobody_in_particular;
SET ROLE nobody_in_particular;
:explain SELECT id FROM events WHERE dt = '20240101';
SELECT count(*) FROM events;
RESET ROLE;
CREATE SERVER odps_away FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'http://127.0.0.1:1/api', project 'reading', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps_away OPTIONS (access_key_id 'a', access_key_secret 'b');
CREATE FOREIGN TABLE away (a int) SERVER odps_away;
CREATE FUNCTION explained(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || q; END $$;
SELECT regexp_replace(e, '\(.*\)', '(...)') FROM explained('SELECT * FROM away') e;
\set VERBOSITY sqlstate
SELECT * FROM away;
\set VERBOSITY default

-- the policy of a partitioned parent is not overtaken by a leaky function on a key
CREATE TABLE parent (id bigint, s text, dt text, hh bigint) PARTITION BY LIST (dt);
ALTER TABLE parent ATTACH PARTITION events FOR VALUES IN ('20240101', '20240102', '20240103', '20240104', 'empty');
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON parent USING (hh = 9 AND id > 0);
GRANT SELECT ON parent TO nobody_in_particular;
CREATE FUNCTION leak(text) RETURNS bool LANGUAGE plpgsql STABLE COST 0.0001 AS
	$$ BEGIN IF $1 = 'empty' THEN RAISE EXCEPTION 'a hidden partition was shown'; END IF; RETURN true; END $$;
CREATE USER MAPPING FOR nobody_in_particular SERVER odps_reading OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
SELECT count(*) FROM events WHERE leak(dt);
SET ROLE nobody_in_particular;
SELECT hh, count(*) FROM parent WHERE leak(dt) GROUP BY 1;
:explain SELECT count(*) FROM parent WHERE leak(dt);
RESET ROLE;
ALTER TABLE parent DETACH PARTITION events;
DROP OWNED BY nobody_in_particular;
DROP ROLE nobody_in_particular;

-- IMPORT
CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA reading EXCEPT (wide) FROM SERVER odps_reading INTO imported;
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'imported' ORDER BY 1;
IMPORT FOREIGN SCHEMA reading FROM SERVER odps_reading INTO imported OPTIONS (all 'yes');
\! emu '{"service":"maxcompute","op":"create_project","project":"tier3","three_tier":true}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"tier3","sql":"CREATE SCHEMA app"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"tier3","schema":"app","sql":"CREATE TABLE t (a BIGINT NOT NULL, `select` STRING)"}' >/dev/null
CREATE SERVER tier3 FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'maxcompute_endpoint', project 'tier3', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER tier3 OPTIONS (access_key_id 'sts-id', access_key_secret 'sts-secret', security_token 'sts-token');
IMPORT FOREIGN SCHEMA app FROM SERVER tier3 INTO imported;
\d imported.t
SELECT * FROM imported.t;
