\i sql/setup.psql
-- What goes wrong between here and MaxCompute: SQLSTATE, message, DETAIL, HINT and CONTEXT of each.
\! emu '{"service":"maxcompute","op":"create_project","project":"faulty"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"faulty","sql":"CREATE TABLE t (a BIGINT) PARTITIONED BY (dt STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"faulty","sql":"ALTER TABLE t ADD PARTITION (dt=\"1\")"}' >/dev/null
\! emu '{"service":"maxcompute","op":"generate","project":"faulty","table":"t","rows":5,"partition":"dt=1"}' >/dev/null
CREATE SCHEMA mc_faulty;
SET search_path = mc_faulty, public;
CREATE FUNCTION failure(q text, OUT item text, OUT value text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	s text; m text; d text; h text; c text;
BEGIN
	EXECUTE q;
	item := 'no error';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
	FOR item, value IN VALUES ('SQLSTATE', s), ('message', m), ('DETAIL', d), ('HINT', h), ('CONTEXT', split_part(c, E'\n', 1)) LOOP
		value := regexp_replace(value, '(127\.0\.0\.1|localhost):\d+', 'HOST', 'g');
		value := regexp_replace(value, 'request id \w+', 'request id ID');
		value := regexp_replace(value, 'after (\d+) attempts? in [0-9.]+ s', 'after \1 attempts');
		IF value <> '' THEN RETURN NEXT; END IF;
	END LOOP;
END $$;
CREATE FUNCTION try(name text, options text, key text, secret text, tab text DEFAULT 't') RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (%s)', name, options);
	EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (access_key_id %L, access_key_secret %L)', name, key, secret);
	EXECUTE format('CREATE FOREIGN TABLE %I (a bigint, dt text) SERVER %I OPTIONS ("table" %L)', name, name, tab);
	RETURN QUERY SELECT * FROM failure(format('SELECT count(a) FROM %I', name));
END $$;
SELECT format('endpoint %L, project ''faulty'', max_retries ''0''', :'maxcompute_endpoint') AS good \gset
\x off
\pset format unaligned
\pset tuples_only on
-- right
SELECT * FROM try('e_right', :'good', :'key_id', :'key_secret') AS x(item text, value text);
-- unknown key, wrong secret, also with signature V4
SELECT * FROM try('e_key', :'good', 'nobody', 'x') AS x(item text, value text);
SELECT * FROM try('e_secret', :'good', :'key_id', 'wrong') AS x(item text, value text);
SELECT * FROM try('e_secret4', :'good' || ', region ''cn-hangzhou''', :'key_id', 'wrong') AS x(item text, value text);
SELECT * FROM try('e_right4', :'good' || ', region ''cn-hangzhou''', :'key_id', :'key_secret') AS x(item text, value text);
-- wrong project, table, endpoint; a tunnel that nobody listens on; a name with a slash
SELECT * FROM try('e_project', replace(:'good', 'faulty', 'absent'), :'key_id', :'key_secret') AS x(item text, value text);
SELECT * FROM try('e_table', :'good', :'key_id', :'key_secret', 'absent') AS x(item text, value text);
SELECT * FROM try('e_path', replace(:'good', '/api', '/other'), :'key_id', :'key_secret') AS x(item text, value text);
SELECT * FROM try('e_port', 'endpoint ''http://127.0.0.1:1'', project ''faulty'', max_retries ''0''', :'key_id', :'key_secret') AS x(item text, value text);
SELECT * FROM try('e_tunnel', :'good' || ', tunnel_endpoint ''http://127.0.0.1:1''', :'key_id', :'key_secret') AS x(item text, value text);
SELECT * FROM try('e_slash', :'good', :'key_id', :'key_secret', 'a/b') AS x(item text, value text);
-- a clock that is off
\! emu clock '{"advance_s":1200}' >/dev/null
SELECT * FROM failure('SELECT count(a) FROM e_right');
\! emu clock '{"system":true}' >/dev/null
-- a temporary key without its token
SELECT * FROM try('e_token', :'good', 'sts-id', 'sts-secret') AS x(item text, value text);
-- throttled for good, session lost, not allowed
\! emu faults '[{"api":"ReadData","action":"status","http":429,"code":"FlowExceeded"}]' >/dev/null
SELECT * FROM failure('SELECT count(a) FROM e_right');
\! emu faults '[{"api":"ReadData","action":"status","http":404,"code":"NoSuchDownload"}]' >/dev/null
SELECT * FROM failure('SELECT count(a) FROM e_right');
\! emu faults '[{"api":"CreateDownload","action":"status","http":403,"code":"NoPermission","message":"no privilege odps:Select"}]' >/dev/null
SELECT * FROM failure('SELECT count(a) FROM e_right');
\! emu faults '[]' >/dev/null
-- options
SELECT * FROM failure($$CREATE SERVER x FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (project 'p')$$);
SELECT * FROM failure($$CREATE SERVER x FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'ftp://x', project 'p')$$);
SELECT * FROM failure($$CREATE SERVER x FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'http://x', project 'p', access_key_secret 'hush')$$);
SELECT * FROM failure($$ALTER FOREIGN TABLE e_right OPTIONS (ADD compression 'brotli')$$);
SELECT * FROM failure($$ALTER FOREIGN TABLE e_right OPTIONS (ADD concurrency '0')$$);
SELECT * FROM failure($$ALTER FOREIGN TABLE e_right ALTER a OPTIONS (ADD "column" 'b')$$);
