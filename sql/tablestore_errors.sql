-- Declarations that do not fit the table, and what the service refuses.
\i sql/setup.psql
CREATE SCHEMA ts_errors;
SET search_path = ts_errors, public;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"keys","keys":[{"name":"s","type":"STRING"},{"name":"i","type":"INTEGER"},{"name":"b","type":"BINARY"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"keys","rows":[{"key":["a",1,{"bytes":"01"}],"columns":{"v":1}}]}' | grep .

-- a failure without what differs from run to run
CREATE FUNCTION failure(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; context text;
BEGIN
  EXECUTE query;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  RETURN regexp_replace(regexp_replace(concat_ws(E'\n', SQLSTATE || ': ' || message, nullif(detail, ''), nullif(hint, ''), split_part(context, E'\n', 1)),
    '(127.0.0.1|localhost):\d{2,}', 'SERVICE', 'g'), '(request id |<RequestId>)[^)<]*', '\1ID', 'g');
END $$;
-- the declared key against the live one: missing, too many, order, name, type
CREATE FOREIGN TABLE k (s text OPTIONS (key '1') COLLATE "C" NOT NULL, i bigint OPTIONS (key '2'), v bigint) SERVER ots OPTIONS (table 'keys');
SELECT * FROM k;
ALTER FOREIGN TABLE k ADD b bytea OPTIONS (key '3'), ADD x bigint OPTIONS (key '4');
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER x OPTIONS (DROP key);
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER s OPTIONS (SET key '2'), ALTER i OPTIONS (SET key '1');
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER s OPTIONS (SET key '1'), ALTER i OPTIONS (SET key '2', ADD field 'j');
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER i OPTIONS (DROP field), ALTER i TYPE text;
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER i TYPE numeric;
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER i OPTIONS (ADD type 'integer');
SELECT * FROM k;
ALTER FOREIGN TABLE k ALTER i OPTIONS (DROP type), ALTER i TYPE bigint;
-- EXPLAIN asks nobody
CREATE FOREIGN TABLE nowhere (k bigint OPTIONS (key '1')) SERVER ots OPTIONS (table 'no_such_table');
EXPLAIN (COSTS OFF) SELECT * FROM nowhere;
SELECT failure($$SELECT * FROM nowhere$$);
SELECT failure($$SELECT * FROM mc.splits('nowhere')$$);
SELECT * FROM mc.splits('pg_class');
-- remembered for some seconds; made anew with another key it is asked for again
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"anew","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
CREATE FOREIGN TABLE anew (k bigint OPTIONS (key '1'), v bigint) SERVER ots;
SELECT * FROM anew;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"anew","keys":[{"name":"k","type":"STRING"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"anew","rows":[{"key":["x"],"columns":{"v":1}}]}' | grep .
SELECT * FROM anew;
SELECT * FROM anew;
ALTER FOREIGN TABLE anew ALTER k TYPE text;
SELECT * FROM anew;
\! emu '{"service":"tablestore","op":"drop_table","table":"anew"}' >/dev/null
SELECT failure('SELECT * FROM anew');
SELECT failure('SELECT * FROM anew');

-- refused by the service
CREATE SERVER ts_wrong FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint :'tablestore_endpoint', instance 'nobody');
CREATE FOREIGN TABLE w (k bigint OPTIONS (key '1')) SERVER ts_wrong OPTIONS (table 'keys');
SELECT * FROM w;
CREATE USER MAPPING FOR CURRENT_USER SERVER ts_wrong OPTIONS (access_key_id 'x', access_key_secret 'y');
SELECT failure('SELECT * FROM w');
-- another service listens, and Tablestore listens for another service
SELECT format('ALTER SERVER ts_wrong OPTIONS (SET endpoint %L)', regexp_replace(:'maxcompute_endpoint', '/api$', '')) AS other \gset
:other;
SELECT failure('SELECT * FROM w');
SELECT format('ALTER SERVER ts_wrong OPTIONS (SET endpoint %L)', :'loghub_endpoint') AS other \gset
:other;
SELECT failure('SELECT * FROM w');
CREATE SERVER lh_wrong FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint :'tablestore_endpoint', project 'p');
CREATE USER MAPPING FOR CURRENT_USER SERVER lh_wrong OPTIONS (access_key_id 'x', access_key_secret 'y');
CREATE FOREIGN TABLE lw (a text, t timestamptz OPTIONS (field '__receive_time__')) SERVER lh_wrong OPTIONS (logstore 'x');
SELECT failure($$SELECT * FROM lw WHERE t >= now() - interval '5 min'$$);
CREATE SERVER mc_wrong FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint :'tablestore_endpoint', project 'p');
CREATE USER MAPPING FOR CURRENT_USER SERVER mc_wrong OPTIONS (access_key_id 'x', access_key_secret 'y');
CREATE FOREIGN TABLE mw (a text) SERVER mc_wrong;
SELECT failure('SELECT * FROM mw');
-- nobody listens
ALTER SERVER ts_wrong OPTIONS (SET endpoint 'http://127.0.0.1:1', ADD max_retries '0');
SELECT failure('SELECT * FROM w');

-- privileges
CREATE ROLE ts_reader;
GRANT USAGE ON FOREIGN SERVER ots TO ts_reader;
GRANT USAGE ON SCHEMA ts_errors TO ts_reader;
SET ROLE ts_reader;
SELECT * FROM mc.splits('k');
RESET ROLE;
GRANT SELECT ON k TO ts_reader;
SET ROLE ts_reader;
SELECT * FROM k;
RESET ROLE;
DROP OWNED BY ts_reader;
DROP ROLE ts_reader;

-- failures on the way: pages are asked for again
\! emu faults '[{"service":"tablestore","api":"GetRange","count":2,"action":"status","http":503,"code":"OTSServerBusy"},{"service":"tablestore","api":"GetRange","after":2,"count":1,"action":"reset_mid_body"},{"service":"tablestore","api":"GetRange","after":3,"count":1,"action":"truncate_body"}]' >/dev/null
SELECT count(*) FROM k;
\! emu faults '[{"service":"tablestore","api":"GetRange","action":"status","http":400,"code":"OTSParameterInvalid","message":"no"}]' >/dev/null
SELECT failure('SELECT count(*) FROM k');
\! emu faults '[]' >/dev/null
-- a stalled service does not hold a statement that is to end
\! emu faults '[{"service":"tablestore","api":"GetRange","action":"stall_before"}]' >/dev/null
SET statement_timeout = '300ms';
SELECT count(*) FROM k;
RESET statement_timeout;
\! emu faults '[]' >/dev/null
SELECT count(*) FROM k;
