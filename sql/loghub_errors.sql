-- Every bad input gives a clear error: SQLSTATE, message, DETAIL, HINT, CONTEXT.
\i sql/setup.psql
SET client_min_messages = warning;
\! emu clock '{"now":1700002000}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"bad","shards":1,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"bad","shard":0,"receive_time":1700000100,"group":{"__logs__":[{"__time__":1700000090,"id":"1","n":"secret-value"}]}}' >/dev/null
CREATE FUNCTION show_error(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text; context text;
BEGIN
	EXECUTE command;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN NEXT state || ': ' || message;
	IF detail <> '' THEN RETURN NEXT 'DETAIL: ' || detail; END IF;
	IF hint <> '' THEN RETURN NEXT 'HINT: ' || hint; END IF;
	IF context LIKE 'server %' THEN RETURN NEXT 'CONTEXT: ' || split_part(context, E'\n', 1); END IF;
END $$;
CREATE FUNCTION failure(command text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(e,
		'[0-9A-F]{24}', '<id>', 'g'), ':[0-9]{4,5}\M', ':<port>', 'g'), 'cursor [A-Za-z0-9+/=]+', 'cursor <cursor>', 'g'),
		'Signature \S+ not', 'Signature <signature> not'), '(after [0-9]+ attempts?) in [0-9.]+ s', '\1')
	FROM show_error(command) e
$$;

-- what is not there
CREATE FOREIGN TABLE missing (id int) SERVER sls OPTIONS (logstore 'nosuch');
SELECT failure('SELECT * FROM missing');
SELECT failure('SELECT * FROM missing WHERE id = 1');
CREATE SERVER elsewhere FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint :'loghub_endpoint', project 'nowhere');
CREATE FOREIGN TABLE noproject (id int) SERVER elsewhere OPTIONS (logstore 'bad');
SELECT failure('SELECT * FROM noproject');
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
SELECT failure('SELECT * FROM noproject');

-- who is asking
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (SET access_key_id 'nobody');
ALTER SERVER elsewhere OPTIONS (SET project 'web');
SELECT failure('SELECT * FROM noproject');
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (SET access_key_id :'key_id', SET access_key_secret 'wrong');
SELECT failure('SELECT * FROM noproject');
ALTER SERVER elsewhere OPTIONS (ADD region 'cn-test');
SELECT failure('SELECT * FROM noproject');
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (SET access_key_secret :'key_secret');
SELECT failure('SELECT * FROM noproject WHERE id = 1');
ALTER SERVER elsewhere OPTIONS (DROP region);

-- temporary credentials
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (SET access_key_id 'sts-id', SET access_key_secret 'sts-secret', ADD security_token 'sts-token');
SELECT count(*) FROM noproject;
ALTER USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (SET security_token 'sts-token-old');
SELECT failure('SELECT * FROM noproject');

-- where it is
CREATE SERVER nowhere FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://no-such-host.invalid', project 'web', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere OPTIONS (access_key_id 'a', access_key_secret 'b');
CREATE FOREIGN TABLE unreachable (id int) SERVER nowhere OPTIONS (logstore 'bad');
SELECT failure('SELECT * FROM unreachable');
ALTER SERVER nowhere OPTIONS (SET endpoint 'http://localhost:1');
SELECT failure('SELECT * FROM unreachable');
SELECT 'http://localhost:' || :'maxcompute_port' AS wrong \gset
ALTER SERVER nowhere OPTIONS (SET endpoint :'wrong');
SELECT substr(failure, 1, 5) AS sqlstate FROM failure('SELECT * FROM unreachable') LIMIT 1;

-- the window
CREATE FOREIGN TABLE good (id int, n int, rt timestamptz OPTIONS (field '__receive_time__')) SERVER sls OPTIONS (logstore 'bad');
SELECT failure('SELECT * FROM good WHERE rt >= ''2023-01-01 00:00+00''');

-- types of columns
CREATE FOREIGN TABLE badtype (__time__ date) SERVER sls OPTIONS (logstore 'bad');
SELECT failure('SELECT * FROM badtype');
SELECT failure('EXPLAIN SELECT * FROM badtype');
ALTER FOREIGN TABLE badtype ALTER __time__ TYPE timestamptz, ADD __shard__ text;
SELECT failure('SELECT * FROM badtype');
ALTER FOREIGN TABLE badtype ALTER __shard__ TYPE int, ADD rest xml OPTIONS (field '*');
SELECT failure('SELECT * FROM badtype');

-- values
SELECT failure('SELECT * FROM good');
SET mc_fdw.log_verbosity = 'verbose';
SELECT failure('SELECT * FROM good');
RESET mc_fdw.log_verbosity;
SET mc_fdw.on_error = 'reject';
SET mc_fdw.reject_limit = 0;
SELECT failure('SELECT * FROM good');
RESET mc_fdw.on_error;
RESET mc_fdw.reject_limit;

-- settings that are no values of the option
SET mc_fdw.fetch_size = '0';
SELECT failure('SELECT * FROM good');
SET mc_fdw.fetch_size = 'many';
SELECT failure('SELECT * FROM good');
RESET mc_fdw.fetch_size;
SET mc_fdw.compression = 'rar';
SELECT failure('SELECT * FROM good');
RESET mc_fdw.compression;

-- logs cannot be changed
SELECT failure('DELETE FROM good');

-- what the service and the network can do wrong; retried where that helps
SET mc_fdw.max_retries = 3;
\! emu faults '[{"service":"loghub","api":"PullLogs","action":"status","http":403,"code":"ProjectForbidden","message":"no"}]' >/dev/null
SELECT failure('SELECT id FROM good');
\! emu faults '[{"service":"loghub","api":"PullLogs","action":"status","http":400,"code":"InvalidCursor","message":"gone"}]' >/dev/null
SELECT failure('SELECT id FROM good');
\! emu faults '[{"service":"loghub","api":"GetCursor","action":"status","http":500,"code":"InternalServerError","message":"oops"}]' >/dev/null
SET mc_fdw.max_retries = 1;
SELECT failure('SELECT id FROM good');
\! emu faults '[{"service":"loghub","api":"PullLogs","action":"status","http":403,"code":"ShardReadQuotaExceed","message":"slow down"}]' >/dev/null
SET mc_fdw.max_retries = 0;
SELECT failure('SELECT id FROM good');
RESET mc_fdw.max_retries;
\! emu faults '[{"service":"loghub","api":"PullLogs","nth":1,"action":"reset_mid_body"},{"service":"loghub","api":"ListShards","nth":1,"action":"status","http":503,"code":"ServerBusy","message":"busy"}]' >/dev/null
SELECT id FROM good;
\! emu faults '[{"service":"loghub","api":"PullLogs","nth":1,"action":"truncate_body"}]' >/dev/null
SELECT id FROM good;
\! emu faults '[{"service":"loghub","api":"PullLogs","nth":1,"action":"corrupt_body"}]' >/dev/null
SELECT id FROM good;
\! emu faults '[]' >/dev/null

-- our clock is wrong: corrected by the service's, reported; a service that insists is an error
\c -
\i sql/setup.psql
SET client_min_messages = warning;
CREATE FUNCTION corrections() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT id FROM good' LOOP
		IF line ~ 'Clock' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;
SELECT corrections();
SELECT corrections();
\! emu faults '[{"service":"loghub","action":"status","http":400,"code":"RequestTimeExpired","message":"request time has been expired while server time is later"}]' >/dev/null
SELECT failure('SELECT id FROM good');
\! emu faults '[]' >/dev/null

\! emu clock '{"system":true}' >/dev/null
DROP FOREIGN TABLE missing, noproject, unreachable, good, badtype;
DROP SERVER elsewhere CASCADE;
DROP SERVER nowhere CASCADE;
DROP FUNCTION failure, show_error, corrections;
