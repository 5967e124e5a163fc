-- Values as cells: the same whatever the settings of the session, exact or refused.
\i sql/setup.psql
CREATE SCHEMA ts_out;
SET search_path = ts_out, public;
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"out","keys":[{"name":"k","type":"STRING"}]}' >/dev/null
CREATE FOREIGN TABLE w (k text OPTIONS (key '1') COLLATE "C" NOT NULL, i2 smallint, i8 bigint, f4 real, f8 double precision, b boolean, x bytea,
  n numeric, ni numeric OPTIONS (type 'integer'), nd numeric OPTIONS (type 'double'), ti text OPTIONS (type 'integer'), td text OPTIONS (type 'double'),
  tb text OPTIONS (type 'boolean'), si bigint OPTIONS (type 'string'), sf double precision OPTIONS (type 'string'), d date, ts timestamp, tz timestamptz,
  iv interval, j jsonb, a float8[], az timestamptz[], u uuid, c char(4), t text OPTIONS (type 'any'), fi double precision OPTIONS (type 'integer'))
  SERVER ots OPTIONS (table 'out');
SET DateStyle = 'SQL, DMY';
SET TimeZone = 'America/New_York';
SET extra_float_digits = -5;
SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape';
INSERT INTO w VALUES ('a', 1, 9223372036854775807, 0.1, 0.1, true, '\x00ff', 1.50, 12.00, 0.1, '12', '1.5e3', 'yes', -5, 0.1, '2024-02-01', '2024-02-01 01:02:03.5',
  '2024-02-01 01:02:03.5+08', '-1 day 2:03:04.5', '{"a": 1.50}', '{0.1,NaN}', '{2024-02-01 01:02:03+08}', 'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', 'x', 5),
  ('special', -32768, -9223372036854775808, -0.0, 1.7976931348623157e308, false, '', 'NaN', -9223372036854775808, -0.5, '-0', '-1e-300', 'off', 0, 'NaN', 'infinity', '-infinity',
  '0044-03-15 12:00:00+00 BC', '1 year -2 mons', 'null', '{}', NULL, NULL, '', '', -9007199254740992);
RESET extra_float_digits;
RESET IntervalStyle;
RESET bytea_output;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\! emu '{"service":"tablestore","op":"dump","table":"out"}'
\x on
SELECT * FROM w;
\x off
-- refused; nothing of these rows is written
CREATE FUNCTION attempt_insert(columns text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO w (k, %s) VALUES (''bad'', %s)', columns, value);
  RETURN 'written';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
SELECT n, v, attempt_insert(n, v) FROM (VALUES ('f8', '''NaN'''), ('f8', '''-Infinity'''), ('f4', '''Infinity'''), ('ni', '1.5'), ('ni', '9223372036854775808'), ('ni', '''NaN'''),
  ('nd', '0.12345678901234567890123'), ('nd', '''NaN'''), ('nd', '1e400'), ('nd', '1e-400'), ('ti', '''1.5'''), ('ti', ''' 1'''), ('ti', '''0x10'''), ('ti', ''''''), ('td', '''inf'''), ('td', '''1e'''),
  ('tb', '''maybe'''), ('fi', '0.5'), ('fi', '1e19'), ('fi', '''NaN'''), ('t', 'repeat(''x'', 2097153)'), ('x', 'decode(repeat(''00'', 2097153), ''hex'')')) v(n, v);
INSERT INTO w (k) VALUES (repeat('x', 1025));
INSERT INTO w (k) VALUES (repeat('é', 513));
INSERT INTO w (k) VALUES (repeat('x', 1024)), (repeat('é', 512));
SELECT length(k), octet_length(k), count(*) FROM w GROUP BY k ORDER BY 1;
