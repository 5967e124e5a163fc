"""The extension's side of Tablestore: rows and changes in canonical form (../README.md), read and written by SQL."""
import json
import os
import struct
import tempfile

from extension import quote, run_sql
from tablestore_values import KEYS, double

KEY_TYPE = {"STRING": 'text COLLATE "C"', "INTEGER": "bigint", "BINARY": "bytea"}
SQL_TYPE = {"INTEGER": "bigint", "DOUBLE": "float8", "BOOLEAN": "bool", "STRING": "text", "BINARY": "bytea"}
# a column of PostgreSQL as canonical text
SHOWN = {"INTEGER": "%s::text", "DOUBLE": "encode(float8send(%s), 'hex')", "BOOLEAN": "%s::text", "STRING": "%s", "BINARY": "encode(%s, 'hex')"}


def foreign(s, name, remote, columns, options="", keys=KEYS, server="ots"):
    """columns: SQL of all but the key"""
    declared = ["%s %s OPTIONS (key '%d') NOT NULL" % (n, KEY_TYPE[t].replace(" COLLATE", "").replace(' "C"', ""), i + 1) if t != "STRING"
                else "%s text OPTIONS (key '%d') COLLATE \"C\" NOT NULL" % (n, i + 1) for i, (n, t) in enumerate(keys)]
    s.sql("SET client_min_messages = warning; DROP FOREIGN TABLE IF EXISTS %s; CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (table '%s'%s)" % (
        name, name, ", ".join(declared + columns), server, remote, options))


def key_sql(keys=KEYS):
    return ", ".join(SHOWN[t] % n for n, t in keys)


def objects(s, query):
    """What json_build_array gave; messages are left out"""
    return [json.loads(x) for x in run_sql(s, "SET client_min_messages = warning; " + query) if x.startswith("[")]


def from_text(kind, text):
    """Canonical value from __type__ and __value__"""
    if kind == "DOUBLE":
        return double(float(text))
    return [kind, text[2:] if kind == "BINARY" else text]


def read_cells(s, remote, versions, how="", keys=KEYS, order=True):
    """Shape 'cell': rows with their cells as they come; rows without cells are not seen, nor cells that hold a NUL character"""
    foreign(s, "cells", remote, ["__column__ text", "__version__ bigint", "__type__ text", "__value__ text"],
            ", shape 'cell', max_versions '%d', on_error 'reject'%s" % (versions, how), keys)
    out = []
    for line in objects(s, "SELECT json_build_array(%s, __column__, __version__::text, __type__, __value__) FROM cells%s" % (
            key_sql(keys), " ORDER BY " + ", ".join(n for n, _ in keys) if order else "")):
        key = [[n, [t, v]] for (n, t), v in zip(keys, line)]
        column, version, kind, text = line[len(keys):]
        if not out or out[-1]["key"] != key:
            out.append({"key": key, "cells": []})
        out[-1]["cells"].append([column, from_text(kind, text), version, "put"])
    return out


def has_nul(value):
    return value[0] == "STRING" and "\0" in value[1]


def only_cells(rows):
    """of canonical rows what shape 'cell' can show"""
    rows = [dict(r, cells=[c for c in r["cells"] if not has_nul(c[1])]) for r in rows if not any(has_nul(v) for _, v in r["key"])]
    return [r for r in rows if r["cells"]]


def newest(cells):
    """the first of each name"""
    out = {}
    for c in cells:
        out.setdefault(c[0], c)
    return out


def read_typed(s, remote, rows, how=""):
    """Shape 'row' with every column of its own type: [key, {column: value}, newest version].
    A row is looked for among those whose columns have the same types; a STRING with a NUL character becomes NULL."""
    out = []
    declared = {}
    for r in rows:
        types = tuple((c[0], c[1][0]) for c in newest(r["cells"]).values())
        declared.setdefault(types, []).append(r["key"])
    for types, wanted in declared.items():
        foreign(s, "typed", remote, ['"%s" %s' % (n, SQL_TYPE[t]) for n, t in types] + ["__version__ bigint"], ", on_error 'set_null'" + how)
        # more values than a function takes arguments: arrays of a hundred
        values = ['%s' % (SHOWN[t] % '"%s"' % n) for n, t in types]
        parts = ["json_build_array(%s)" % ", ".join(values[i:i + 90]) for i in range(0, len(values), 90)]
        for line in objects(s, "SELECT json_build_array(%s, __version__::text%s) FROM typed ORDER BY pk_s, pk_i, pk_b" % (key_sql(), "".join(", " + p for p in parts))):
            key = [[n, [t, v]] for (n, t), v in zip(KEYS, line)]
            if key in wanted:
                flat = [v for part in line[len(KEYS) + 1:] for v in part]
                out.append([key, {n: [t, v] for (n, t), v in zip(types, flat) if v is not None}, line[len(KEYS)]])
    return out


def typed(rows):
    """of canonical rows what read_typed gives, in its order of tables"""
    declared = {}
    for r in rows:
        declared.setdefault(tuple((c[0], c[1][0]) for c in newest(r["cells"]).values()), []).append(r)
    return [[r["key"], {n: c[1] for n, c in newest(r["cells"]).items() if not has_nul(c[1])},
             str(max(int(c[2]) for c in r["cells"])) if r["cells"] else None]
            for group in declared.values() for r in group if not any(has_nul(v) for _, v in r["key"])]


def read_rest(s, remote):
    """The '*' column of each row: [key, {column: canonical value}], its numbers by the form they have"""
    foreign(s, "whole", remote, ["rest jsonb OPTIONS (field '*')"], ", on_error 'set_null'")
    out = []
    for line in run_sql(s, "SELECT json_build_array(%s)::text || rest::text FROM whole ORDER BY pk_s, pk_i, pk_b" % key_sql()):
        if line.startswith("["):
            head, end = json.JSONDecoder().raw_decode(line)
            members = json.loads(line[end:], parse_int=lambda t: ["INTEGER", t], parse_float=lambda t: double(float(t)))
            out.append([[[n, [t, v]] for (n, t), v in zip(KEYS, head)], members])
    return out


def as_rest(rows):
    """of canonical rows what the '*' column shows: BINARY as \\x text, no sign of zero, and nothing of a row with a NUL character"""
    def member(v):
        if v[0] == "BOOLEAN":
            return v[1] == "true"
        if v[0] == "DOUBLE":
            return double(number(v) + 0.0)
        return v if v[0] == "INTEGER" else v[1] if v[0] == "STRING" else "\\x" + v[1]
    return [[r["key"], {n: member(c[1]) for n, c in newest(r["cells"]).items()}] for r in rows
            if not any(has_nul(v) for _, v in r["key"]) and not any(has_nul(c[1]) for c in newest(r["cells"]).values())]


def number(value):
    """The DOUBLE of a canonical value, 0 if it is none"""
    return struct.unpack(">d", bytes.fromhex(value[1]))[0] if value[0] == "DOUBLE" else 0


def literal(value):
    """A canonical value as an SQL expression"""
    if value is None:
        return "NULL"
    kind, text = value
    if kind == "DOUBLE":
        return "'%r'::float8" % number(value)
    if kind == "BINARY":
        return "decode('%s', 'hex')" % text
    if kind == "STRING":
        return "E" + quote(text)
    return "'%s'::%s" % (text, SQL_TYPE[kind])


def where(row):
    return " AND ".join("%s = %s" % (n, literal(v)) for n, v in row["key"])


def change(s, remote, row, how=""):
    """One change of a row; all its cells have one version.  What SQL has no words for, deleting a single version, is not done."""
    puts = [c for c in row["cells"] if c[3] == "put"]
    gone = [c[0] for c in row["cells"] if c[3] == "delete_all"]
    if any(c[3] not in ("put", "delete_all") for c in row["cells"]):
        raise ValueError(row)
    mode = "update" if row["action"] == "update" else "put"
    foreign(s, "changed", remote, ['"%s" %s' % (c[0], SQL_TYPE[c[1][0]]) for c in puts] + ['"%s" text' % n for n in gone] + ["__version__ bigint"],
            ", write_mode '%s'%s" % (mode, how))
    if row["action"] == "delete":
        run_sql(s, "DELETE FROM changed WHERE " + where(row))
    elif gone and not puts:
        run_sql(s, "UPDATE changed SET %s WHERE %s" % (", ".join('"%s" = NULL' % n for n in gone), where(row)))
    else:
        versions = {c[2] for c in puts}
        names = [n for n, _ in row["key"]] + ['"%s"' % c[0] for c in puts] + ['"%s"' % n for n in gone] + ["__version__"]
        values = [literal(v) for _, v in row["key"]] + [literal(c[1]) for c in puts] + ["NULL"] * len(gone) + [versions.pop() if versions else "NULL"]
        run_sql(s, "INSERT INTO changed (%s) VALUES (%s)" % (", ".join(names), ", ".join(values)))


class File:
    """A name that the server can write to and read from"""

    def __enter__(self):
        self.path = os.path.join(tempfile.mkdtemp(dir=os.environ["MC_DIR"]), "copied")
        os.chmod(os.path.dirname(self.path), 0o777)
        return self.path

    def __exit__(self, *_):
        pass
