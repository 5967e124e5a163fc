-- Columns and conversion: the same value as the type's input function, absent is
-- NULL, empty is empty; system columns; field '*'; bad values under on_error.
\i sql/setup.psql
SET client_min_messages = warning;
SET TimeZone = 'UTC';
\! emu clock '{"now":1700002000}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"types","shards":1,"ttl":30,"appendMeta":true}' >/dev/null

-- every type: what the fast conversions take and what they leave to the input function
CREATE TABLE samples (n serial, type text, value text);
INSERT INTO samples (type, value) VALUES
('bool', 't'), ('bool', 'false'), ('bool', '1'), ('bool', 'on'), ('bool', ' YES '), ('bool', 'maybe'), ('bool', ''),
('int2', '32767'), ('int2', '-32768'), ('int2', '32768'), ('int2', ' 5 '), ('int2', '+7'), ('int2', '1e2'),
('int4', '0'), ('int4', '-0'), ('int4', '2147483647'), ('int4', '2147483648'), ('int4', '-2147483648'), ('int4', '000000000000000012'), ('int4', '0000000000000000000000012'), ('int4', '-'), ('int4', '1.0'), ('int4', 'abc'),
('int8', '9223372036854775807'), ('int8', '-9223372036854775808'), ('int8', '9223372036854775808'), ('int8', '999999999999999999'), ('int8', ''),
('float8', '0.1'), ('float8', '-0'), ('float8', '123456789012345'), ('float8', '0.000000000000001'), ('float8', '1234567890.12345'), ('float8', '12345678901234567890'), ('float8', '1e308'), ('float8', '1e309'), ('float8', 'NaN'), ('float8', '-Infinity'), ('float8', '.5'), ('float8', '5.'), ('float8', '0x10'), ('float8', '1.2.3'),
('float4', '0.1'), ('float4', '16777217'), ('float4', '9999999'), ('float4', '0.0000001'), ('float4', '3.4028235e38'), ('float4', '1e39'), ('float4', '7.038531e-26'),
('numeric', '12345678901234567890.123456789'), ('numeric', 'NaN'), ('numeric', '1,5'),
('timestamptz', '2023-11-15 06:13:20.123456+08'), ('timestamptz', '2023-11-15T06:13:20Z'), ('timestamptz', '2023-11-15 06:13:20'), ('timestamptz', '2023-11-15 06:13:20.1234567+08'), ('timestamptz', '2023-11-15 06:13:60+08'), ('timestamptz', '2023-11-15 24:00:00+08'), ('timestamptz', '2023-02-29 00:00:00Z'), ('timestamptz', '2024-02-29 00:00:00-0330'), ('timestamptz', '0001-01-01 00:00:00+14:00'), ('timestamptz', '9999-12-31 23:59:59.999999-12'), ('timestamptz', 'infinity'), ('timestamptz', '1700000000'), ('timestamptz', '2023-11-15 06:13:20 Asia/Shanghai'), ('timestamptz', '15/Nov/2023:06:13:20 +0800'),
('timestamp', '2023-11-15 06:13:20.5'), ('timestamp', '2023-11-15T06:13:20'), ('timestamp', '2023-11-15 06:13:20+08'), ('timestamp', '2023-13-15 06:13:20'),
('date', '2023-11-15'), ('date', '2023-11-31'), ('date', '20231115'), ('date', '2023-11-15 06:13:20'), ('date', '0000-01-01'), ('date', '4714-11-24 BC'),
('time', '06:13:20.5'), ('interval', '1 day 2 hours'), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('uuid', 'x'),
('inet', '10.0.0.1/8'), ('inet', '10.0.0.256'), ('jsonb', '{"a": [1, null]}'), ('jsonb', '{"a": '), ('json', '[1,  2]'),
('bytea', '\x00ff'), ('varchar(3)', 'abc'), ('varchar(3)', 'abcd'), ('char(5)', 'ab'), ('varchar', 'long enough'), ('text', ''), ('text', repeat('x', 126)), ('text', repeat('y', 127)), ('text', repeat('äö€', 41)), ('text', repeat('z', 70000)),
('int4[]', '{1,2,NULL}'), ('int4[]', '{1,x}'), ('text[]', '{"a b",c}');
\copy (SELECT json_build_object('service', 'loghub', 'op', 'append_group', 'project', 'web', 'logstore', 'types', 'shard', 0, 'receive_time', 1700000000 + n, 'group', json_build_object('__topic__', type, '__logs__', json_build_array(json_build_object('__time__', 1700000000, 'n', n::text, 'v', value)))) FROM samples ORDER BY n) TO PROGRAM 'emu @- | grep -v cursor | grep .; true' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

CREATE FUNCTION try_input(value text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT %L::%s::text', value, type) INTO r;
	-- a cast truncates where input refuses
	IF type LIKE 'varchar(%' AND length(value) > 3 THEN RETURN 'error 22001'; END IF;
	RETURN r;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error ' || SQLSTATE;
END $$;
CREATE FUNCTION try_remote(n int, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('CREATE FOREIGN TABLE typed (v %s, rt timestamptz OPTIONS (field %L)) SERVER sls OPTIONS (logstore %L)', type, '__receive_time__', 'types');
	BEGIN
		EXECUTE format('SELECT v::text FROM typed WHERE rt = to_timestamp(%s)', 1700000000 + n) INTO STRICT r;
	EXCEPTION WHEN data_exception THEN
		r := 'error ' || SQLSTATE;
	END;
	DROP FOREIGN TABLE typed;
	RETURN r;
END $$;
SELECT type, count(*), count(*) FILTER (WHERE try_input(value, type) LIKE 'error%') AS errors,
	string_agg(left(value, 40), ', ') FILTER (WHERE try_input(value, type) IS DISTINCT FROM try_remote(n, type)) AS differs
FROM samples GROUP BY type ORDER BY type;

-- option timezone: of values that name none, on the fast and on the slow road
CREATE FOREIGN TABLE zoned (v timestamptz, z timestamptz(3) OPTIONS (field 'v'), rt timestamptz OPTIONS (field '__receive_time__')) SERVER sls OPTIONS (logstore 'types');
SELECT value, v, z FROM samples JOIN zoned ON rt = to_timestamp(1700000000 + n) WHERE value IN ('2023-11-15 06:13:20', '2023-11-15T06:13:20Z') AND type = 'timestamptz' ORDER BY value;
SET mc_fdw.timezone = 'Asia/Shanghai';
SELECT value, v, z FROM samples JOIN zoned ON rt = to_timestamp(1700000000 + n) WHERE value IN ('2023-11-15 06:13:20', '2023-11-15T06:13:20Z') AND type = 'timestamptz' ORDER BY value;
RESET mc_fdw.timezone;
SHOW TimeZone;
DROP FOREIGN TABLE zoned;

-- absent, empty, repeated; nanoseconds; tags; rest
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"columns","shards":1,"ttl":30,"appendMeta":true}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"columns","shard":0,"receive_time":1700000100,"group":{"__topic__":"nginx","__source__":"10.0.0.1","__tags__":{"env":"prod","__path__":"/var/log/a"},"__logs__":[{"__time__":1700000090,"__time_ns_part__":123456789,"a":"1","b":"","c":"x"},{"__time__":1700000091,"a":"2","d":"ä\"\\"},{"__time__":1700000092}]}}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"columns","shard":0,"receive_time":"1700000101.9","group":{"__logs__":[{"__time__":0,"a":"3"},{"__time__":4294967295,"__time_ns_part__":999999999,"a":"4"}]}}' >/dev/null
CREATE FOREIGN TABLE cols (
	a int, b text, __time__ timestamptz, __time_ns_part__ int, __receive_time__ timestamptz, __topic__ text, __source__ inet,
	env text OPTIONS (field '__tag__:env'), path text OPTIONS (field '__tag__:__path__'), "__tag__:__client_ip__" inet,
	__shard__ int, __category__ text, __machine_uuid__ text, rest jsonb OPTIONS (field '*')
) SERVER sls OPTIONS (logstore 'columns');
\x on
SELECT * FROM cols;
\x off
CREATE FOREIGN TABLE times (
	t8 bigint OPTIONS (field '__time__'), tn numeric OPTIONS (field '__time__'), tt text OPTIONS (field '__time__'),
	ns bigint OPTIONS (field '__time_ns_part__'), rest text OPTIONS (field '*'), j json OPTIONS (field '*')
) SERVER sls OPTIONS (logstore 'columns');
SELECT * FROM times;
SELECT count(*) FROM times;
SELECT c.tableoid::regclass, a, c.b IS NULL AS absent, c FROM cols c WHERE a = 1;

-- a cursor is that of the group: two groups, the second follows the first
CREATE FOREIGN TABLE cursors (a int, __cursor__ text) SERVER sls OPTIONS (logstore 'columns');
SELECT a, convert_from(decode(__cursor__, 'base64'), 'UTF8')::numeric - min(convert_from(decode(__cursor__, 'base64'), 'UTF8')::numeric) OVER () AS step
FROM cursors ORDER BY a;

-- what does not fit
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"dirty","shards":1,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"dirty","shard":0,"receive_time":1700000100,"group":{"__topic__":"7","__logs__":[{"__time__":1700000090,"id":"1","n":"10"},{"__time__":1700000090,"id":"2","n":"ten"},{"__time__":1700000090,"id":"3","n":"30"},{"__time__":1700000090,"id":"4","n":"99999999999"}]}}' >/dev/null
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"dirty","shard":0,"receive_time":1700000101,"group":{"__topic__":"t","__logs__":[{"__time__":1700000090,"id":"5","n":"50"},{"__time__":1700000090,"id":"6"}]}}' >/dev/null
-- a group with a NUL in a value, one with bytes that are not UTF-8
\! emu '{"service":"loghub","op":"append_group","project":"web","logstore":"dirty","shard":0,"receive_time":1700000102,"pb_base64":"Ch4I2uLPqgYSBwoCaWQSATcSDQoBcxIIbnVsAGJ5dGUKIQja4s+qBhIHCgJpZBIBOBIQCgFzEgtiYWQg//4gaGVyZQ=="}' | grep -v cursor | grep .
CREATE FOREIGN TABLE dirty (id int, n int, topic int OPTIONS (field '__topic__'), s text) SERVER sls OPTIONS (logstore 'dirty');
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT always
SET mc_fdw.on_error = 'set_null';
SELECT id, n, topic, s FROM dirty ORDER BY id;
SELECT part, column_name, sqlstate, reason, value FROM mc.last_rejects();
SET mc_fdw.log_verbosity = 'verbose';
SELECT count(n) FROM dirty WHERE id < 7;
SELECT part, column_name, sqlstate, reason, value FROM mc.last_rejects();
RESET mc_fdw.log_verbosity;
SET mc_fdw.on_error = 'reject';
SELECT id, n FROM dirty ORDER BY id;
SELECT id FROM dirty ORDER BY id;
SET mc_fdw.reject_limit = '1';
\set VERBOSITY terse
SELECT id, n, s FROM dirty ORDER BY id;
SELECT id, n FROM dirty WHERE id < 3;
RESET mc_fdw.reject_limit;
RESET mc_fdw.on_error;
SELECT id, n FROM dirty ORDER BY id;
SELECT id, s FROM dirty ORDER BY id;
SELECT id FROM dirty WHERE id < 7 ORDER BY id;
-- an impure input function: a domain
CREATE DOMAIN small AS int CHECK (value < 40);
CREATE FOREIGN TABLE domained (id int, n small) SERVER sls OPTIONS (logstore 'dirty');
SET mc_fdw.on_error = 'set_null';
SELECT id, n FROM domained WHERE id < 7 ORDER BY id;
RESET mc_fdw.on_error;
SELECT id, n FROM domained WHERE id < 7 ORDER BY id;
\set VERBOSITY default

\! emu clock '{"system":true}' >/dev/null
DROP FOREIGN TABLE cols, times, cursors, dirty, domained;
DROP DOMAIN small;
DROP TABLE samples;
DROP FUNCTION try_input, try_remote;
