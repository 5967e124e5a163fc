"""The extension's side: foreign tables over what the SDKs wrote, read and written in canonical form."""
import json
import re

from canonical import EPOCH, WIDTH, from_bits, bits, parse_type, split_time
from checks import ok
from mctest import odps_sql

import datetime

PG_TYPE = {"tinyint": "int2", "smallint": "int2", "int": "int4", "bigint": "int8", "float": "float4", "double": "float8",
           "string": "text", "binary": "bytea", "boolean": "bool", "date": "date", "datetime": "timestamptz",
           "timestamp": "timestamptz", "timestamp_ntz": "timestamp", "interval_year_month": "interval",
           "interval_day_time": "interval", "json": "jsonb"}
SPLIT = "floor(extract(epoch FROM {c}))::text || ':' || lpad(((extract(epoch FROM {c}) - floor(extract(epoch FROM {c}))) * 1000000000)::int8::text, 9, '0')"
# a column of PostgreSQL as a canonical value
AS_TEXT = {"float": "encode(float4send({c}), 'hex')", "double": "encode(float8send({c}), 'hex')", "binary": "encode({c}, 'hex')",
           "boolean": "CASE WHEN {c} THEN 'true' WHEN NOT {c} THEN 'false' END", "date": "({c} - DATE '1970-01-01')::text",
           "datetime": "(extract(epoch FROM {c}) * 1000)::int8::text", "timestamp": SPLIT, "timestamp_ntz": SPLIT,
           "interval_day_time": SPLIT, "interval_year_month": "(extract(year FROM {c}) * 12 + extract(month FROM {c}))::int8::text"}


def create_remote(table, columns):
    odps_sql("CREATE TABLE demo.%s (%s)" % (table, ", ".join("`%s` %s" % c for c in columns)))


def scalar(t):
    return not t[1]


def pg_type(name, text):
    """what a column is declared as in the foreign table"""
    t = parse_type(text)
    if name == "c_nanos":
        return "text"
    if t[0] == "array" and scalar(t[1][0]) and t[1][0][0] != "timestamp":
        return pg_type("", text[6:-1]) + "[]"
    if not scalar(t):
        return "jsonb"
    return PG_TYPE.get(t[0], text)      # decimal(p,s), varchar(n) and char(n) are spelled alike


def foreign_table(s, table, columns, types, options=""):
    s.sql("DROP FOREIGN TABLE IF EXISTS f; CREATE FOREIGN TABLE f (%s) SERVER odps OPTIONS (table '%s'%s)" % (
        ", ".join("%s %s" % (n, t) for (n, _), t in zip(columns, types)), table, options))


def json_value(v, t):
    """Canonical value from what the extension's JSON says"""
    kind, children, names = t
    if v is None:
        return None
    if kind in WIDTH:
        return bits(kind, float({"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}.get(v, v)))
    if kind == "boolean":
        return "true" if v else "false"
    if kind == "array":
        return [json_value(x, children[0]) for x in v]
    if kind == "map":
        return [[text_value(k, children[0]), json_value(x, children[1])] for k, x in v.items()]
    if kind == "struct":
        if set(v) != set(names):
            raise ValueError("fields %s, want %s" % (sorted(v), names))
        return [json_value(v[n], c) for n, c in zip(names, children)]
    return text_value(v, t)


def instant(text, zone):
    """ISO 8601 to seconds and nanoseconds since 1970; the zone must or must not be there"""
    m = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d+)(Z?)$", text)
    if not m or (m.group(3) == "Z") != zone:
        raise ValueError("not an instant: " + text)
    seconds = (datetime.datetime.fromisoformat(m.group(1)) - EPOCH) // datetime.timedelta(seconds=1)
    return seconds, int(m.group(2).ljust(9, "0"))


def text_value(v, t):
    """Canonical value from the extension's canonical text"""
    import base64
    kind = t[0]
    if v is None:
        return None
    if kind in WIDTH:
        return bits(kind, float({"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}.get(v, v)))
    if kind == "binary":
        return base64.b64decode(v, validate=True).hex()
    if kind == "date":
        return str((datetime.date.fromisoformat(v) - datetime.date(1970, 1, 1)).days)
    if kind == "datetime":
        seconds, nanos = instant(v, True)
        return str(seconds * 1000 + nanos // 1000000)
    if kind in ("timestamp", "timestamp_ntz"):
        return "%d:%09d" % instant(v, kind == "timestamp")
    if kind == "interval_year_month":
        return re.match(r"P(-?\d+)M$", v).group(1)
    if kind == "interval_day_time":
        sign, seconds, fraction = re.match(r"PT(-?)(\d+)(?:\.(\d+))?S$", v).groups()
        total = int(seconds) * 10**9 + int((fraction or "").ljust(9, "0"))
        return "%d:%09d" % divmod(-total if sign else total, 10**9)
    return str(v)


def loads(line):
    """JSON whose numbers keep every digit: they come back as their text"""
    return json.loads(line, parse_int=str, parse_float=str)


def nested_text(v, t):
    return json_value(loads(v), t)


def read_table(s, table, columns, zone, how, coding=None):
    """All rows through a foreign table with native types, or with every column declared text."""
    options = ", compression '%s'" % coding if coding else ""
    types = [pg_type(*c) if how == "native" else "text" for c in columns]
    foreign_table(s, table, columns, types, options)
    parsed = [parse_type(t) for _, t in columns]

    def expression(c, pg, t):
        if pg == "text" or how == "text":
            return c
        if not scalar(t):
            if pg.endswith("[]"):
                return "to_json(%s)" % c
            return c
        return "CASE WHEN {c} IS NOT NULL THEN {e} END".format(c=c, e=AS_TEXT.get(t[0], "{c}::text").format(c=c))

    s.sql("SET TimeZone = '%s'" % zone)
    out = run_sql(s, "SELECT json_build_array(%s) FROM f" % ", ".join(expression(c, pg, t) for (c, _), pg, t in zip(columns, types, parsed)))
    rows = []
    for line in out:
        row = []
        for v, pg, t in zip(loads(line), types, parsed):
            if v is None:
                row.append(None)
            elif not scalar(t):
                row.append(nested_text(v, t) if how == "text" else json_value(v, t))
            elif pg == "text" and t[0] not in ("string", "varchar", "char", "json"):
                row.append(text_value(v, t))
            else:
                row.append(v)
        rows.append(row)
    return rows


def iso(seconds, nanos, zone, digits=9):
    at = EPOCH + datetime.timedelta(seconds=seconds)
    return at.isoformat() + ".%09d"[:1] + ("%09d" % nanos)[:digits] + ("Z" if zone else "")


def to_json(v, t):
    """What jsonb shall hold to be written as this value"""
    import base64
    kind, children, names = t
    if v is None:
        return None
    if kind in ("tinyint", "smallint", "int", "bigint"):
        return int(v)
    if kind in WIDTH:
        x = from_bits(kind, v)
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(x), x)
    if kind == "boolean":
        return v == "true"
    if kind == "binary":
        return base64.b64encode(bytes.fromhex(v)).decode()
    if kind == "date":
        return (datetime.date(1970, 1, 1) + datetime.timedelta(int(v))).isoformat()
    if kind == "datetime":
        s, ms = divmod(int(v), 1000)
        return iso(s, ms * 1000000, True)
    if kind in ("timestamp", "timestamp_ntz"):
        return iso(*split_time(v), kind == "timestamp")
    if kind == "array":
        return [to_json(x, children[0]) for x in v]
    if kind == "map":
        return {to_json(k, children[0]): to_json(x, children[1]) for k, x in v}
    if kind == "struct":
        return {n: to_json(x, c) for n, x, c in zip(names, v, children)}
    return v


def literal(v, t, pg):
    """A value as an SQL expression"""
    kind = t[0]
    if v is None:
        return "NULL"
    if pg.endswith("[]"):
        if not v:
            return "'{}'::" + pg
        return "ARRAY[%s]::%s" % (", ".join(literal(x, t[1][0], pg[:-2]) for x in v), pg)
    if not scalar(t):
        return "E%s::jsonb" % quote(json.dumps(to_json(v, t), ensure_ascii=False))
    if kind in WIDTH:
        return "'%s'::%s" % ({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(from_bits(kind, v)), repr(from_bits(kind, v))), pg)
    if kind == "binary":
        return "decode('%s', 'hex')" % v
    if kind == "date":
        return "(DATE '1970-01-01' + (%s))" % v
    if kind == "datetime":
        s, ms = divmod(int(v), 1000)
        return "'%s'::timestamptz" % iso(s, ms * 1000000, True, 3)
    if kind in ("timestamp", "timestamp_ntz"):
        return "'%s'::%s" % (iso(*split_time(v), kind == "timestamp", 6), pg)
    if kind == "interval_year_month":
        return "make_interval(months => %s)" % v
    if kind == "interval_day_time":
        s, n = split_time(v)
        return "(interval '1 microsecond' * (%d))" % (s * 1000000 + n // 1000)
    return "E%s::%s" % (quote(v), pg)


def quote(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\r", "\\r")


def written(columns, rows):
    """What the extension writes of these rows: a timestamptz has microseconds"""
    return [[v[:-3] + "000" if v and name == "c_nanos" else v for v, (name, _) in zip(row, columns)] for row in rows]


def run_sql(s, text):
    """Output lines; an error without the statement, which may be long"""
    out, state = s.try_sql(text)
    errors = [x[:300] for x in out if re.match(r"(ERROR|FATAL|DETAIL|CONTEXT|HINT): ", x)] if state != "00000" else []
    if state != "00000":
        raise RuntimeError("%s... %s: %s" % (text[:80], state, " ".join(errors)))
    return out


def write_table(s, table, columns, rows, zone, coding=None, overwrite=False):
    options = (", compression '%s'" % coding if coding else "") + (", write_mode 'overwrite'" if overwrite else "")
    types = [pg_type("", t) for _, t in columns]
    foreign_table(s, table, columns, types, options)
    parsed = [parse_type(t) for _, t in columns]
    s.sql("SET TimeZone = '%s'" % zone)
    run_sql(s, "INSERT INTO f VALUES %s" % ",\n".join(
        "(%s)" % ", ".join(literal(v, t, pg) for v, t, pg in zip(row, parsed, types)) for row in rows))


LOG_COLUMNS = """id text, v text, w text, empty text, absent text, "键" text, k text OPTIONS (field 'with space'),
    long text OPTIONS (field '%s'), t8 int8 OPTIONS (field '__time__'), tz timestamptz OPTIONS (field '__time__'),
    exact numeric OPTIONS (field '__time__'), ns int OPTIONS (field '__time_ns_part__'), topic text OPTIONS (field '__topic__'),
    source text OPTIONS (field '__source__'), env text OPTIONS (field '__tag__:env'), tag text OPTIONS (field '__tag__:中文'),
    rest jsonb OPTIONS (field '*')""" % ("k" * 128)
DECLARED = ("id", "v", "w", "empty", "absent", "键", "with space", "k" * 128)


def read_logs(s, store, zone):
    s.sql("SET client_min_messages = error; DROP FOREIGN TABLE IF EXISTS l; CREATE FOREIGN TABLE l (%s) SERVER sls OPTIONS (logstore '%s'); SET TimeZone = '%s'" % (
        LOG_COLUMNS, store, zone))
    names = re.findall(r"(?:^|,)\s*(\"?\w+\"?) (?:text|int|int8|timestamptz|numeric|jsonb)\b", LOG_COLUMNS)
    shown = {"tz": "(extract(epoch FROM tz) * 1000000)::int8", "exact": "exact::text"}
    out = run_sql(s, "SELECT json_build_object(%s) FROM l" % ", ".join("'%s', %s" % (n.strip('"'), shown.get(n, n)) for n in names))
    rows = [json.loads(x) for x in out]
    for row in rows:
        # the Java SDK leaves nanoseconds out when they are 0; the extension shows what was sent
        if row["ns"] is None:
            row.update(ns=0, exact=row["exact"] + ".000000000")
    return sorted(rows, key=lambda x: int(x["id"]))


def expected_logs(logs):
    rows = []
    for log in logs:
        c = log["contents"]
        row = {n: c.get(f) for n, f in zip(("id", "v", "w", "empty", "absent", "键", "k", "long"), DECLARED)}
        row.update(t8=log["time"], tz=log["time"] * 1000000 + log["ns"] // 1000, exact="%d.%09d" % (log["time"], log["ns"]), ns=log["ns"],
                   topic=log["topic"], source=log["source"], env=log["tags"].get("env"), tag=log["tags"].get("中文"),
                   rest={k: v for k, v in c.items() if k not in DECLARED})
        rows.append(row)
    return rows
