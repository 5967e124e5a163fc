"""Canonical values (../README.md) to and from what pyodps uses, and their comparison."""
import datetime
import decimal
import json
import re
import struct

EPOCH = datetime.datetime(1970, 1, 1)
WIDTH = {"float": ("f", "I", 8), "double": ("d", "Q", 16)}


def parse_type(text):
    """'map<string,array<int>>' -> ('map', [('string', []), ('array', [('int', [])])], [])"""
    text = text.strip()
    m = re.match(r"(\w+)\s*<(.*)>$", text, re.S)
    if not m:
        return re.match(r"\w+", text).group(0).lower(), [], []
    parts, depth, start = [], 0, 0
    body = m.group(2)
    for i, ch in enumerate(body):
        depth += (ch in "<(") - (ch in ">)")
        if ch == "," and depth == 0:
            parts.append(body[start:i])
            start = i + 1
    parts.append(body[start:])
    names = []
    if m.group(1).lower() == "struct":
        names = [p.split(":", 1)[0].strip().strip("`") for p in parts]
        parts = [p.split(":", 1)[1] for p in parts]
    return m.group(1).lower(), [parse_type(p) for p in parts], names


def bits(kind, v):
    if v != v:
        return "nan"
    f, i, digits = WIDTH[kind]
    return "%0*x" % (digits, struct.unpack("<" + i, struct.pack("<" + f, v))[0])


def from_bits(kind, text):
    f, i, _ = WIDTH[kind]
    return float("nan") if text == "nan" else struct.unpack("<" + f, struct.pack("<" + i, int(text, 16)))[0]


def split_time(text):
    seconds, nanos = text.split(":")
    return int(seconds), int(nanos)


def to_python(v, t):
    import pandas as pd
    kind, children, names = t
    if v is None:
        return None
    if kind in ("tinyint", "smallint", "int", "bigint"):
        return int(v)
    if kind in WIDTH:
        return from_bits(kind, v)
    if kind == "decimal":
        return decimal.Decimal(v)
    if kind == "boolean":
        return v == "true"
    if kind == "binary":
        return bytes.fromhex(v)
    if kind == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(int(v))
    if kind == "datetime":
        return EPOCH + datetime.timedelta(milliseconds=int(v))
    if kind in ("timestamp", "timestamp_ntz"):
        s, n = split_time(v)
        return pd.Timestamp(s * 10**9 + n, unit="ns")
    if kind == "interval_day_time":
        s, n = split_time(v)
        return pd.Timedelta(s * 10**9 + n, unit="ns")
    if kind == "interval_year_month":
        from odps import Monthdelta
        return Monthdelta(int(v))
    if kind == "json":
        return json.loads(v)
    if kind == "array":
        return [to_python(x, children[0]) for x in v]
    if kind == "map":
        return {to_python(k, children[0]): to_python(x, children[1]) for k, x in v}
    if kind == "struct":
        return tuple(to_python(x, c) for x, c in zip(v, children))
    return v


def from_python(v, t):
    kind, children, names = t
    if v is None:
        return None
    if kind in ("tinyint", "smallint", "int", "bigint"):
        return str(int(v))
    if kind in WIDTH:
        return bits(kind, v)
    if kind == "decimal":
        return format(v, "f")
    if kind == "boolean":
        return "true" if v else "false"
    if kind == "binary":
        return (v if isinstance(v, bytes) else v.encode()).hex()
    if kind == "date":
        return str((v - datetime.date(1970, 1, 1)).days)
    if kind == "datetime":
        return str((v.replace(tzinfo=None) - EPOCH) // datetime.timedelta(milliseconds=1))
    if kind in ("timestamp", "timestamp_ntz"):
        v = v.tz_localize(None) if v.tzinfo else v
        return "%d:%09d" % divmod(v.as_unit("ns").value, 10**9)
    if kind == "interval_day_time":
        return "%d:%09d" % divmod(v.as_unit("ns").value, 10**9)
    if kind == "interval_year_month":
        return str(v.total_months())
    if kind == "json":
        return json.dumps(v)
    if kind == "array":
        return [from_python(x, children[0]) for x in v]
    if kind == "map":
        return [[from_python(k, children[0]), from_python(x, children[1])] for k, x in v.items()]
    if kind == "struct":
        return [from_python(x, c) for x, c in zip(v, children)]
    return v


def normal(v, t):
    """One form for values that are equal"""
    kind, children, _ = t
    if v is None:
        return None
    if kind == "decimal":
        v = format(decimal.Decimal(v), "f")
        return v.rstrip("0").rstrip(".") if "." in v else v
    if kind == "char":
        return v.rstrip(" ")
    if kind in WIDTH:
        return bits(kind, from_bits(kind, v))
    if kind == "json":
        return json.dumps(json.loads(v), sort_keys=True)
    if kind in ("timestamp", "timestamp_ntz", "interval_day_time"):
        return "%d:%09d" % split_time(v)
    if kind == "array":
        return [normal(x, children[0]) for x in v]
    if kind == "map":
        return sorted(([normal(k, children[0]), normal(x, children[1])] for k, x in v), key=json.dumps)
    if kind == "struct":
        return [normal(x, c) for x, c in zip(v, children)]
    return v
