"""What is written to OSS is byte for byte what COPY TO writes (csv, text) and row_to_json gives (jsonl):
types, options, settings of the session and encodings in many combinations; csv reads back as it was."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, oss_bucket, oss_get, oss_keys  # noqa: E402

tap = Tap()
CASES = int(os.environ.get("MC_COPY_CASES", "90"))
SEED = int(os.environ.get("MC_COPY_SEED", "1"))
SERVER = """CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path');
CREATE SERVER oss_tokyo FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', timezone 'Asia/Tokyo');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss_tokyo OPTIONS (access_key_id '%s', access_key_secret '%s')""" % ((OSS, OSS) + KEY + KEY)
TYPES = dict(i2="int2", i4="int4", i8="int8", b="bool", f4="float4", f8="float8", n="numeric", dn="price", tx="text",
             vc="varchar(50)", bp="char(7)", d="date", ts="timestamp", tz="timestamptz", u="uuid", by="bytea", j="json",
             jb="jsonb", na="name", m="mood", arr="int[]", tarr="timestamptz[]", p="pair", tm="time", iv="interval",
             x="xml", ip="inet", o="oid", r="tstzrange", ch='"char"')
TEXT = """CREATE FUNCTION pg_temp.words() RETURNS text LANGUAGE sql VOLATILE AS $f$
	SELECT CASE WHEN random() < 0.05 THEN '' WHEN random() < 0.03 THEN '\\.' WHEN random() < 0.03 THEN '\\N' WHEN random() < 0.03 THEN 'NULL'
	ELSE (SELECT string_agg(CASE WHEN random() < 0.15 THEN substr(E',;|\\t "\\'\\\\\\n\\r\\b\\x0b\\x0c\\x01\\x1f\\x7f.Nnt-+:a', 1 + (random() * 26)::int, 1)
		WHEN random() < 0.1 THEN chr(19968 + (random() * 20900)::int)
		ELSE substr('abcdefghijklmnopqrstuvwxyz0123456789 ABC', 1 + (random() * 39)::int, 1) END, '')
		FROM generate_series(1, (random() * random() * 60)::int)) END $f$"""
ROWS = """INSERT INTO t SELECT (random() * 65535 - 32768)::int, (random() * 4294967295 - 2147483648)::bigint,
	((random() - 0.5) * 1.8e19)::numeric::bigint, random() < 0.5,
	CASE g % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0' WHEN 4 THEN random() * 1e30 ELSE random() END,
	CASE g % 8 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN 1e300 * random() WHEN 4 THEN 1e-300 * random()
		WHEN 5 THEN (random() * 1000)::int ELSE random() * 1000 END,
	CASE g % 11 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN 0.000
		WHEN 4 THEN random()::numeric * 10::numeric ^ (g % 150) WHEN 5 THEN random()::numeric / 10::numeric ^ (g % 60)
		WHEN 6 THEN round((random() * 1000)::numeric, 2) WHEN 7 THEN -(random() * 1e15)::numeric::bigint WHEN 8 THEN 10::numeric ^ (g % 60)
		WHEN 9 THEN g ELSE -round(random()::numeric * 10::numeric ^ (g % 100), g % 40) END,
	round((random() * 1e10 - 5e9)::numeric, 4), pg_temp.words(), substr(pg_temp.words(), 1, 50), substr(pg_temp.words(), 1, 7),
	CASE g % 11 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 BC' WHEN 3 THEN '12345-06-07' WHEN 4 THEN '9999-12-31'
		WHEN 5 THEN '0001-01-01' ELSE date '2000-01-01' + (random() * 200000 - 100000)::int END,
	CASE g % 10 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 12:34:56.5 BC' WHEN 3 THEN '12345-06-07 00:00'
		WHEN 4 THEN '9999-12-31 23:59:59.999999' WHEN 5 THEN '0001-01-01' WHEN 6 THEN date_trunc('second', timestamp '2000-01-01' + g * interval '9 days')
		ELSE timestamp '2000-01-01' + (random() - 0.5) * interval '3000 years' END,
	CASE g % 10 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 12:34:56.5 BC' WHEN 3 THEN '12345-06-07 00:00Z'
		WHEN 4 THEN '9999-12-31 23:59:59.999999' WHEN 5 THEN '0001-01-01' WHEN 6 THEN date_trunc('hour', timestamptz '1960-01-01' + g * interval '50 days')
		ELSE timestamptz '2000-01-01' + (random() - 0.5) * interval '500 years' END,
	md5(g::text)::uuid, convert_to(pg_temp.words(), 'UTF8'),
	to_json(pg_temp.words()), CASE g % 9 WHEN 0 THEN '"x"' WHEN 1 THEN '[1,2,{"a":null}]'
		ELSE jsonb_build_object('k', pg_temp.words(), 'n', random()::numeric, 'list', array[1, 2]) END,
	substr(pg_temp.words(), 1, 20), (enum_range(NULL::mood))[1 + g % 3], array[g, NULL, 3], array[timestamptz '2020-01-01' + g * interval '9 days'],
	row(g, pg_temp.words())::pair, '12:34:56.78', (random() - 0.5) * interval '100 days', '<a>b</a>', '10.0.0.1/8', 4000000000,
	tstzrange(timestamptz '2020-01-01' + g * interval '1 day', NULL), 'x' FROM generate_series(1, 400) g"""
MORE = """INSERT INTO t (tx, by) VALUES (repeat('x"y,', 50000), convert_to(repeat('q', 5000), 'UTF8')), (repeat('abcdefg\\', 20000), NULL),
	(NULL, NULL), ('', ''), (repeat(chr(20013), 30000), NULL), (repeat(E'\\n\\x01', 20000), NULL);
INSERT INTO t (j) VALUES (E'{"a":\\n [1,\\r\\n2]}');
DO $$ DECLARE c text; BEGIN FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0
	LOOP EXECUTE format('UPDATE t SET %I = NULL WHERE random() < 0.05', c); END LOOP; END $$"""


def literal(text):
    return "E'%s'" % "".join(c if c.isalnum() else "\\x%02x" % ord(c) if ord(c) < 128 else c for c in text)


def copied(script):
    """what psql prints, in bytes"""
    return subprocess.run(["psql", "-XqAt"], input=script.encode(), stdout=subprocess.PIPE, check=True).stdout


def options_of(rng, form, columns):
    """(COPY's words, columns with forced quotes) that are possible together"""
    while True:
        words = {}
        if rng.random() < 0.5:
            words["delimiter"] = rng.choice(",;|\t -:\x01\b" + ("7e" if form == "csv" else "X"))
        if form == "csv" and rng.random() < 0.3:
            words["quote"] = rng.choice("'7t|")
        if form == "csv" and rng.random() < 0.3:
            words["escape"] = rng.choice("\\x")
        if rng.random() < 0.4:
            words["null"] = rng.choice(["", "\\N", "NULL", "t", "nothing"])
        if words.get("delimiter") == words.get("quote", '"') and form == "csv":
            continue
        if words.get("quote", '"') in words.get("null", "") or words.get("delimiter", ",") in words.get("null", ""):
            continue
        forced = rng.choice([[], [], columns, [rng.choice(columns)]]) if form == "csv" else []
        return words, forced


def compare(s, rng, number):
    columns = rng.choice([list(TYPES), list(TYPES), ["tx"], rng.sample(list(TYPES), rng.choice([1, 2, 5]))])
    form = rng.choice(["csv", "csv", "text", "jsonl"])
    settings = {"DateStyle": rng.choice(["ISO", "ISO", "ISO", "SQL,DMY", "German", "Postgres,MDY"]),
                "TimeZone": rng.choice(["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Antarctica/Troll", "Africa/Monrovia"]),
                "extra_float_digits": rng.choice(["1", "1", "0", "-5", "3"]),
                "bytea_output": rng.choice(["hex", "hex", "escape"]),
                "IntervalStyle": rng.choice(["postgres", "iso_8601"])}
    words, forced = options_of(rng, form, columns) if form != "jsonl" else ({}, [])
    header = form != "jsonl" and rng.random() < 0.5
    encoding = rng.choice(["UTF8", "UTF8", "GB18030"])
    server = rng.choice(["oss", "oss", "oss_tokyo"])
    setting = "".join("SET %s = '%s';" % x for x in settings.items())
    zone = "SET TimeZone = 'Asia/Tokyo';" if server == "oss_tokyo" else ""
    what = "%s %s" % (form, dict(words, columns=len(columns) if len(columns) > 5 else columns, forced=len(forced), header=header, encoding=encoding,
                                 server=server, **settings))

    options = ["object 'copy/%d'" % number, "format '%s'" % form, "encoding '%s'" % encoding, "header '%s'" % str(header).lower()]
    if form == "jsonl":
        options.pop()
    options += ["%s %s" % (k, literal(v)) for k, v in words.items()]
    s.sql("DROP FOREIGN TABLE IF EXISTS f")
    s.sql("CREATE FOREIGN TABLE f (%s) SERVER %s OPTIONS (%s)" % (
        ", ".join("%s %s%s" % (c, TYPES[c], " OPTIONS (force_quote 'true')" if c in forced else "") for c in columns), server, ", ".join(options)))
    try:
        s.sql(setting)
        s.sql("INSERT INTO f SELECT %s FROM t" % ", ".join(columns))
        got = oss_get("copy/%d" % number)
        if form == "jsonl":
            # line breaks between the tokens of a json value become blanks
            want = copied("SET client_encoding = 'UTF8';" + setting + zone + "COPY (SELECT translate(row_to_json(q)::text, E'\\n\\r', '  ') FROM "
                          "(SELECT %s FROM t) q) TO STDOUT (FORMAT csv, QUOTE E'\\x02', DELIMITER E'\\x03')" % ", ".join(columns))
            want = want.decode().encode("gb18030" if encoding != "UTF8" else "utf8")
        else:
            want = copied(setting + zone + "COPY (SELECT %s FROM t) TO STDOUT (%s)" % (", ".join(columns), ", ".join(
                ["FORMAT %s" % form, "HEADER %s" % header, "ENCODING '%s'" % encoding] + ["%s %s" % (k, literal(v)) for k, v in words.items()] +
                (["FORCE_QUOTE (%s)" % ", ".join(forced)] if forced else []))))
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        tap.ok(got == want, "equal: " + what, "%d and %d bytes, differ at %d\n%r\n%r" % (
            len(got), len(want), at, got[max(0, at - 60):at + 60], want[max(0, at - 60):at + 60]))
        if form != "text" and (form == "jsonl" or settings["DateStyle"] == "ISO") and settings["extra_float_digits"] in "13":
            # jsonl: arrays and rows are JSON there, which their types do not read; line breaks in json are gone
            same = [c for c in columns if form == "csv" or c not in ("arr", "tarr", "p", "j")]
            rows = "SELECT count(*), sum(hashtextextended(q::text, 0)) FROM (SELECT %s FROM %%s) q" % ", ".join(same)
            tap.ok(s.sql(rows % "f") == s.sql(rows % "t"), "read back: " + what)
    except RuntimeError as e:
        tap.ok(False, what, e)
    finally:
        s.sql("RESET ALL")


def untranslatable(s):
    """a row that the file's encoding has no characters for: refused with the column, and nothing is left"""
    s.sql("CREATE FOREIGN TABLE latin (a int, b text, c text) SERVER oss OPTIONS (object 'latin', encoding 'LATIN1')")
    out, state = s.try_sql("INSERT INTO latin VALUES (1, 'caf\u00e9', 'x'), (2, 'x', 'y\u4e2d')")
    tap.ok(state == "22P05" and any('0xe4 0xb8 0xad in encoding "UTF8" has no equivalent in encoding "LATIN1"' in x for x in out) and
           any("column c" in x or 'column "c"' in x for x in out), "an untranslatable character", "%s\n%s" % (state, "\n".join(out)))
    s.sql("INSERT INTO latin VALUES (1, 'caf\u00e9', 'x')")
    tap.ok(oss_get("latin") == b"1,caf\xe9,x\n", "LATIN1", oss_get("latin"))


def refused_rows(s):
    """what cannot be written leaves the rows around it as they are"""
    s.sql("""CREATE FOREIGN TABLE short (a int, b text, c text) SERVER oss
        OPTIONS (object 'short', encoding 'LATIN1', max_record_size '1kB', on_error 'reject')""")
    s.sql("""INSERT INTO short SELECT g, CASE WHEN g = 3 THEN repeat('x', 1100) ELSE 'y' END,
        CASE WHEN g = 5 THEN '中' ELSE E'é' END FROM generate_series(1, 6) g""")
    tap.ok(oss_get("short") == b"".join(b"%d,y,\xe9\n" % i for i in (1, 2, 4, 6)), "rejected rows are not there", oss_get("short"))
    out = s.sql("SELECT count(*), sum(a) FROM short")
    tap.ok(out == ["4|13"], "what was written is read", out)
    s.sql("CREATE FOREIGN TABLE nulled (a int, b text, c text) SERVER oss OPTIONS (object 'nulled', encoding 'LATIN1', on_error 'set_null')")
    s.sql("INSERT INTO nulled VALUES (1, 'x', 'y'), (2, '中', '文'), (3, 'z', '中')")
    tap.ok(oss_get("nulled") == b"1,x,y\n2,,\n3,z,\n", "values without characters in the encoding become NULL", oss_get("nulled"))


def zones(s):
    """the time zone is the session's when the statement runs"""
    s.sql("CREATE FOREIGN TABLE zoned (a timestamptz) SERVER oss OPTIONS (prefix 'zoned/')")
    s.sql("""BEGIN; SET LOCAL TimeZone = 'UTC'; INSERT INTO zoned VALUES ('2024-01-01 00:00+00');
        SET LOCAL TimeZone = 'Asia/Kolkata'; INSERT INTO zoned VALUES ('2024-01-01 00:00+00'); COMMIT""")
    got = sorted(oss_get(k["key"] if isinstance(k, dict) else k) for k in oss_keys("zoned/"))
    tap.ok(got == [b"2024-01-01 00:00:00+00\n", b"2024-01-01 05:30:00+05:30\n"], "two time zones in a transaction", got)


def members(s):
    """field '*': members that no column shows, both ways"""
    s.sql("CREATE FOREIGN TABLE doc (a int, b text, r jsonb OPTIONS (field '*')) SERVER oss OPTIONS (object 'doc', format 'jsonl')")
    s.sql("""INSERT INTO doc VALUES (1, 'x', '{"z": 1.50, "q": [1, {"x": null}], "s": "a\\"b", "t": true}'), (2, NULL, NULL), (3, 'y', '{}')""")
    want = b'{"a":1,"b":"x","q":[1, {"x": null}],"s":"a\\"b","t":true,"z":1.50}\n{"a":2,"b":null}\n{"a":3,"b":"y"}\n'
    tap.ok(oss_get("doc") == want, "field '*' is written as members", oss_get("doc"))
    out = s.sql("SELECT a, b, r = '{\"q\": [1, {\"x\": null}], \"s\": \"a\\\"b\", \"t\": true, \"z\": 1.50}' FROM doc WHERE a = 1")
    tap.ok(out == ["1|x|t"], "and read back", out)
    s.sql("ALTER FOREIGN TABLE doc OPTIONS (SET object 'doc2')")
    for value, state, why in (("[1]", "22023", "not a JSON object"), ('{"a": 1}', "22030", 'member "a" is that of column "a"')):
        out, got = s.try_sql("INSERT INTO doc VALUES (1, 'x', '%s')" % value)
        tap.ok(got == state and any(why in x for x in out), "refused: " + value, "%s\n%s" % (got, "\n".join(out)))


def main():
    s = Session()
    rng = random.Random(SEED)
    oss_bucket()
    s.sql("CREATE EXTENSION mc_fdw; " + SERVER)
    s.sql("CREATE TYPE mood AS ENUM ('sad', 'so so', 'a,b'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN price AS numeric(20,4)")
    s.sql("CREATE TABLE t (%s)" % ", ".join("%s %s" % x for x in TYPES.items()))
    for sql in (TEXT, "SELECT setseed(0.%03d)" % (SEED % 1000), ROWS, MORE):
        s.sql(sql)
    for number in range(CASES):
        compare(s, rng, number)
    untranslatable(s)
    refused_rows(s)
    zones(s)
    members(s)
    s.close()


main()
tap.done()
