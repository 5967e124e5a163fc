-- Cells of every type as columns of every type: exact or refused.
\i sql/setup.psql
CREATE SCHEMA ts_types;
SET search_path = ts_types, public;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"types","keys":[{"name":"id","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"types","rows":[{"key":[1],"columns":{"i":42,"d":1.5,"b":true,"s":"häuser 漢字 😀","x":{"bytes":"00ff10"}}},{"key":[2],"columns":{"i":-9223372036854775808,"d":{"double":-0.0},"b":false,"s":"","x":{"bytes":""}}},{"key":[3],"columns":{"i":9223372036854775807,"d":1.7976931348623157e308}},{"key":[4],"columns":{"d":5e-324}},{"key":[5],"columns":{}}]}' >/dev/null

-- the types that cells have by themselves
CREATE FOREIGN TABLE t_native (id bigint OPTIONS (key '1') NOT NULL, i bigint, d double precision, b boolean, s text, x bytea)
  SERVER ots OPTIONS (table 'types');
SELECT * FROM t_native ORDER BY id;
-- long values are not changed in place
\! emu "{\"service\":\"tablestore\",\"op\":\"create_table\",\"replace\":true,\"table\":\"long\",\"keys\":[{\"name\":\"k\",\"type\":\"STRING\"},{\"name\":\"b\",\"type\":\"BINARY\"}]}" >/dev/null
\! for n in 0 1 15 16 125 126 127 128 1000 65536; do a=$(head -c $n /dev/zero | tr '\0' a); printf '{"service":"tablestore","op":"put","table":"long","rows":[{"key":["%04d",{"bytes":"ab"}],"columns":{"a":"%s","u":"%s","x":{"bytes":"%s"}}}]}' $((n % 10000)) "$a" "$(echo -n $a | sed 's/a/é/g')" "$(echo -n $a | sed 's/a/7f/g')" | emu @- | grep . ; done
CREATE FOREIGN TABLE t_long (k text OPTIONS (key '1') COLLATE "C" NOT NULL, b bytea OPTIONS (key '2') NOT NULL, a text, u varchar, x bytea)
  SERVER ots OPTIONS (table 'long');
SELECT k, b, length(a), a = repeat('a', length(a)) AS same_a, length(u), u = repeat('é', length(u)) AS same_u,
  length(x), x = decode(repeat('7f', length(x)), 'hex') AS same_x FROM t_long ORDER BY 3;
-- sorted, hashed, stored: the values are ordinary ones
CREATE TEMP TABLE copy AS SELECT * FROM t_long;
SELECT count(*) FROM copy c JOIN t_long t ON c.a = t.a AND c.x = t.x;

-- narrower and wider types, through option type where the default is another
CREATE FOREIGN TABLE t_wide (id integer OPTIONS (key '1') NOT NULL, i numeric OPTIONS (type 'integer'), i_f double precision OPTIONS (field 'd2', type 'integer'),
  d numeric OPTIONS (type 'double'), b text OPTIONS (type 'boolean'), s varchar(20), x bytea) SERVER ots OPTIONS (table 'types');
SELECT id, i, d, b, s, x FROM t_wide WHERE id < 3 ORDER BY id;
CREATE FOREIGN TABLE t_text (id text OPTIONS (key '1', type 'integer') NOT NULL, i text OPTIONS (type 'integer'), d text OPTIONS (type 'double'),
  b text OPTIONS (type 'boolean'), s bpchar, x bytea) SERVER ots OPTIONS (table 'types');
SELECT * FROM t_text;
CREATE FOREIGN TABLE t_any (id bigint OPTIONS (key '1') NOT NULL, i text OPTIONS (type 'any'), d text OPTIONS (type 'any'),
  b text OPTIONS (type 'any'), s text OPTIONS (type 'any'), x text OPTIONS (type 'any')) SERVER ots OPTIONS (table 'types');
SELECT * FROM t_any ORDER BY id;
CREATE FOREIGN TABLE t_json (id bigint OPTIONS (key '1') NOT NULL, i jsonb OPTIONS (type 'any'), d jsonb OPTIONS (type 'any'), b json OPTIONS (type 'any'))
  SERVER ots OPTIONS (table 'types');
SELECT * FROM t_json WHERE id < 3 ORDER BY id;
CREATE FOREIGN TABLE t_rest (id bigint OPTIONS (key '1') NOT NULL, d double precision, rest jsonb OPTIONS (field '*'))
  SERVER ots OPTIONS (table 'types');
SELECT * FROM t_rest ORDER BY id;

-- exact or refused
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  EXECUTE query INTO r;
  RETURN r;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"edges","keys":[{"name":"k","type":"STRING"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"edges","rows":[{"key":["i16"],"columns":{"v":32767}},{"key":["i16+"],"columns":{"v":32768}},{"key":["i32"],"columns":{"v":-2147483648}},{"key":["i32-"],"columns":{"v":-2147483649}},{"key":["2^53"],"columns":{"v":9007199254740992}},{"key":["2^53+1"],"columns":{"v":9007199254740993}},{"key":["max"],"columns":{"v":9223372036854775807}},{"key":["d1"],"columns":{"v":{"double":1}}},{"key":["d0.1"],"columns":{"v":0.1}},{"key":["d0.5"],"columns":{"v":0.5}},{"key":["d1e300"],"columns":{"v":1e300}},{"key":["d2^63"],"columns":{"v":9223372036854775808.0}},{"key":["d-2^63"],"columns":{"v":-9223372036854775808.0}},{"key":["s12"],"columns":{"v":"12"}},{"key":["s1.5"],"columns":{"v":"1.5"}},{"key":["sx"],"columns":{"v":"x"}},{"key":["s1.555"],"columns":{"v":"1.555"}},{"key":["strue"],"columns":{"v":"true"}},{"key":["snul"],"columns":{"v":"a\u0000b"}},{"key":["bt"],"columns":{"v":true}},{"key":["x"],"columns":{"v":{"bytes":"31"}}},{"key":["spad"],"columns":{"v":"abc   "}},{"key":["sts"],"columns":{"v":"2024-02-29 12:34:56.789"}}]}' >/dev/null
CREATE TABLE kinds (n serial, type text, remote text);
INSERT INTO kinds (type, remote) VALUES ('smallint', 'any'), ('integer', 'any'), ('bigint', 'any'), ('real', 'any'),
  ('double precision', 'any'), ('numeric', 'any'), ('numeric(3,1)', 'any'), ('text', 'any'), ('varchar(4)', 'any'), ('bpchar(4)', 'any'),
  ('boolean', 'any'), ('bytea', 'any'), ('jsonb', 'any'), ('timestamp', 'any'), ('timestamp(0)', 'any'), ('date', 'any'),
  ('bigint', 'integer'), ('real', 'double'), ('double precision', 'double'), ('numeric', 'integer'), ('text', 'string'),
  ('text', 'boolean'), ('bytea', 'binary'), ('uuid', 'string');
CREATE DOMAIN small_int AS integer CHECK (VALUE < 1000);
CREATE DOMAIN bytes AS bytea CHECK (length(VALUE) < 5);
INSERT INTO kinds (type, remote) VALUES ('small_int', 'any'), ('bytes', 'any');
DO $$ DECLARE k record; BEGIN
  FOR k IN SELECT * FROM kinds LOOP
    EXECUTE format('CREATE FOREIGN TABLE e%s (k text OPTIONS (key ''1'') COLLATE "C" NOT NULL, v %s OPTIONS (type %L)) SERVER ots OPTIONS (table ''edges'')',
      k.n, k.type, k.remote);
  END LOOP; END $$;
SELECT k.n, k.type, k.remote, string_agg(format('%s=%s', t.k, attempt(format('SELECT v FROM e%s WHERE k = %L', k.n, t.k))), ' ' ORDER BY t.k COLLATE "C") AS result
FROM kinds k CROSS JOIN (SELECT k FROM e8) t GROUP BY k.n, k.type, k.remote ORDER BY k.n;
SELECT v FROM e1 WHERE k = 'i16+';
SELECT v FROM e1 WHERE k = 'bt';
SELECT v FROM e1 WHERE k = 'sx';
SELECT v FROM e7 WHERE k = 's1.555';
SELECT v FROM e8 WHERE k = 'snul';
SELECT v FROM e17 WHERE k = 'd1';
SELECT v FROM e25 WHERE k = 'i16';

-- independent of settings: the text form of numbers
SET extra_float_digits = -10;
SET bytea_output = 'escape';
SELECT * FROM t_any WHERE id = 1;
RESET extra_float_digits;
RESET bytea_output;

-- set_null and reject
ALTER FOREIGN TABLE e3 OPTIONS (ADD on_error 'set_null');
SELECT count(*), count(v) FROM e3;
ALTER FOREIGN TABLE e3 OPTIONS (SET on_error 'reject');
SELECT count(*), count(v) FROM e3;
SELECT part, position_in_source, column_name, sqlstate, reason, value FROM mc.last_rejects() ORDER BY position_in_source;
ALTER FOREIGN TABLE e3 OPTIONS (ADD reject_limit '2', ADD log_verbosity 'verbose');
SELECT count(v) FROM e3;
SELECT position_in_source, value FROM mc.last_rejects() ORDER BY position_in_source;
-- what is not used is not converted
SELECT count(*), count(k) FROM e1;
