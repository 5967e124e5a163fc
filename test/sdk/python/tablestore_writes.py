"""What the extension wrote, as every SDK reads it: by range, by key, in batches, in the stream; credentials of every kind; what one side
does as the other sees it at once."""
import time

import tablestore_extension as ext
from checks import equal, ok
from mctest import KEY, TABLESTORE, call, command
from tablestore_judge import extension_reads, make, records, same
from tablestore_values import EDGES, KEYS, integer, key, put, rows, string

ABSENT = key("no such row", 0, b"")
STS = {"MC_KEY_ID": "sts-id", "MC_KEY_SECRET": "sts-secret", "MC_KEY_TOKEN": "sts-token"}


def by_key(row):
    (_, (_, s)), (_, (_, i)), (_, (_, b)) = row["key"]
    return s.encode(), int(i), bytes.fromhex(b)


def every_reader(run, languages, who, table, seen, versions="2"):
    """GetRange, GetRow and BatchGetRow of every SDK, with a key that is not there"""
    keys = [{"key": r["key"]} for r in seen]
    for reader in languages:
        same("%s reads what %s wrote" % (reader, who), run(reader, "tablestore", "read", "demo", table, versions), seen)
        for how in ("get", "batch"):
            got = run(reader, "tablestore", how, "demo", table, versions, lines=[{"key": ABSENT}] + keys)
            same("%s: %s of what %s wrote" % (reader, how, who), got, [None] + seen)


def changes(s, run, languages):
    """The changes that SDKs exchange, made by the extension; the deletion of a single version, which SQL has no words for, by an SDK"""
    table = "written_by_extension"
    written, seen = rows(int(time.time() * 1000), nul=False)
    make(table)
    for row in written:
        if any(c[3] == "delete_one" for c in row["cells"]):
            run("python", "tablestore", "write", "demo", table, lines=[row])
        else:
            ext.change(s, table, row)
    every_reader(run, languages, "the extension", table, seen)
    extension_reads(s, "the extension", table, seen)
    for reader in (x for x in languages if x in ("java", "go")):
        got = run(reader, "tablestore", "stream", "demo", table)
        same("%s reads the changes of the extension" % reader,
             [{"action": r["action"], "key": r["key"], "cells": sorted(r["cells"], key=lambda c: c[0])} for r in got], records(written))


COLUMN = {"INTEGER": "i", "DOUBLE": "d", "BOOLEAN": "t", "STRING": "s", "BINARY": "x"}
STAGE = "pk_s text, pk_i int8, pk_b bytea, d float8, i int8, s text, t bool, x bytea"


def values(s, run, languages):
    """One value in each row, all other columns missing: INSERT, COPY in every format, members of a '*' column, both write modes"""
    table = "values_of_extension"
    command("tablestore", "create_table", table=table, replace=True, keys=[{"name": k, "type": t} for k, t in KEYS], max_versions=1)
    edges = [v for v in EDGES if not ext.has_nul(v)]
    ext.foreign(s, "v", table, ["d float8", "i bigint", "s text", "t bool", "x bytea"])
    s.sql("DROP TABLE IF EXISTS stage; CREATE TABLE stage (%s)" % STAGE)
    ext.run_sql(s, "INSERT INTO stage (pk_s, pk_i, pk_b) VALUES ('', 1000, '')")
    for n, v in enumerate(edges):
        ext.run_sql(s, "INSERT INTO stage (pk_s, pk_i, pk_b, %s) VALUES ('', %d, '', %s)" % (COLUMN[v[0]], n, ext.literal(v)))
    seen = []

    def expect(way, column=lambda v: [[COLUMN[v[0]], v]]):
        for n, v in list(enumerate(edges)) + [(1000, None)]:
            cells = column(v) if v else []
            # an update that only deletes makes no row
            if cells is not None and (v or way != "update"):
                seen.append({"key": key(way, n, b""), "cells": [c + [None, "put"] for c in cells]})

    before = int(time.time() * 1000)
    for mode in ("put", "update", "insert"):
        ext.run_sql(s, "ALTER FOREIGN TABLE v OPTIONS (ADD write_mode '%s'); INSERT INTO v SELECT '%s', pk_i, pk_b, d, i, s, t, x FROM stage; "
                       "ALTER FOREIGN TABLE v OPTIONS (DROP write_mode)" % (mode, mode))
        expect(mode)
    for form in ("text", "csv", "binary"):
        with ext.File() as path:
            ext.run_sql(s, "UPDATE stage SET pk_s = '%s'; COPY stage (pk_s, pk_i, pk_b, d, i, s, t, x) TO '%s' (FORMAT %s); "
                           "COPY v (pk_s, pk_i, pk_b, d, i, s, t, x) FROM '%s' (FORMAT %s)" % (form, path, form, path, form))
        expect(form)
    # a '*' column: jsonb has no bytes; what it shows as a number with a fraction is a DOUBLE, integral ones are INTEGER
    ext.foreign(s, "r", table, ["rest jsonb OPTIONS (field '*')"])
    ext.run_sql(s, "INSERT INTO r SELECT 'rest', pk_i, pk_b, jsonb_strip_nulls(jsonb_build_object('d', d, 'i', i, 's', s, 't', t)) FROM stage WHERE x IS NULL")

    def member(v):
        if v[0] == "BINARY":
            return None
        number = ext.number(v)
        return [["d", integer(int(number))]] if v[0] == "DOUBLE" and number == int(number) and abs(number) < 2**63 else [[COLUMN[v[0]], v]]
    expect("rest", member)
    after = int(time.time() * 1000)
    seen.sort(key=by_key)
    for reader in languages:
        got = run(reader, "tablestore", "read", "demo", table)
        versions = [int(c[2]) for r in got for c in r["cells"]]
        for r in got:
            for c in r["cells"]:
                c[2] = None
        same("%s reads the values of the extension" % reader, got, seen)
        ok("%s: cells have the time of their statement" % reader, before <= min(versions) and max(versions) <= after and len(set(versions)) <= 7, set(versions))


def auto_increment(s, run, languages):
    """Keys that the service chose: the extension knows them from RETURNING, and everybody reads the same rows"""
    keys = [("k", "STRING"), ("id", "INTEGER")]
    command("tablestore", "create_table", table="auto", replace=True, keys=[{"name": "k", "type": "STRING"}, {"name": "id", "type": "INTEGER", "auto_increment": True}])
    for writer in languages:
        run(writer, "tablestore", "write", "demo", "auto", lines=[{"action": "put", "key": [["k", string(writer)], ["id", ["AUTO_INCREMENT", None]]],
                                                                   "cells": [["n", integer(n), None, "put"]]} for n in range(3)])
    ext.foreign(s, "auto", "auto", ["n bigint"], keys=keys)
    s.sql("ALTER FOREIGN TABLE auto ALTER id DROP NOT NULL")
    chosen = [int(x) for x in s.sql("INSERT INTO auto (k, n) SELECT 'extension', g FROM generate_series(0, 2) g RETURNING id")]
    ok("RETURNING gives three rising keys", len(chosen) == 3 and chosen == sorted(set(chosen)), chosen)
    want = ext.read_cells(s, "auto", 1, keys=keys)
    equal("the extension reads its own", [(int(r["key"][1][1][1]), r["cells"][0][1][1]) for r in want if r["key"][0][1][1] == "extension"],
          list(zip(chosen, "012")))
    equal("rows of each writer, in its order", [(r["key"][0][1][1], r["cells"][0][1][1]) for r in want],
          [(w, str(n)) for w in sorted(languages + ["extension"]) for n in range(3)])
    for reader in languages:
        same("%s reads the keys the service chose" % reader, run(reader, "tablestore", "read", "demo", "auto"), want)


def servers(s):
    """The same instance by other credentials: V4, security token, both"""
    for name, region, token in (("v4", True, False), ("sts", False, True), ("sts_v4", True, True)):
        s.sql("CREATE SERVER ots_%s FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint '%s', instance 'demo'%s)" % (
            name, TABLESTORE, ", region 'cn-hangzhou'" if region else ""))
        user = ("sts-id", "sts-secret") if token else KEY
        s.sql("CREATE USER MAPPING FOR CURRENT_USER SERVER ots_%s OPTIONS (access_key_id '%s', access_key_secret '%s'%s)" % (
            (name,) + user + (", security_token 'sts-token'" if token else "",)))


def credentials(s, run, languages):
    """Signatures of both versions, with and without a security token, each side reading what the other wrote"""
    servers(s)
    make("credentials")
    v4 = {"MC_REGION": "cn-hangzhou"}
    ways = [("ots", x, {}) for x in languages] + [("ots_sts", x, STS) for x in languages]
    if "java" in languages:
        ways += [("ots_v4", "java", v4), ("ots_sts_v4", "java", dict(STS, **v4))]
    version = str(int(time.time() * 1000) - 5000)
    for n, (server, language, environment) in enumerate(ways):
        theirs, ours = put(key("sdk", n, b""), ["v", integer(n), version, "put"]), put(key("ext", n, b""), ["v", integer(-n), version, "put"])
        run(language, "tablestore", "write", "demo", "credentials", lines=[theirs], **environment)
        ext.foreign(s, "c", "credentials", ["v bigint", "__version__ bigint"], server=server)
        equal("%s of the extension, %s" % (server, language), s.sql("SELECT v FROM c WHERE pk_s = 'sdk' AND pk_i = %d AND pk_b = ''" % n), [str(n)])
        s.sql("INSERT INTO c VALUES ('ext', %d, '', %d, %s)" % (n, -n, version))
        got = run(language, "tablestore", "get", "demo", "credentials", lines=[ours], **environment)
        same("%s reads it, signed as %s" % (language, server), got, [{"key": ours["key"], "cells": ours["cells"]}])
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots_sts OPTIONS (DROP security_token)")
    ext.foreign(s, "c", "credentials", ["v bigint"], server="ots_sts")
    out, state = s.try_sql("SELECT count(*) FROM c")
    equal("extension without its token", (state, any("OTSAuthFailed" in x for x in out)), ("28000", True))
    for language in languages:
        try:
            run(language, "tablestore", "read", "demo", "credentials", **dict(STS, MC_KEY_TOKEN=""))
            ok("%s without its token" % language, False, "was not refused")
        except RuntimeError as e:
            ok("%s without its token" % language, "OTSAuthFailed" in str(e), e)


def outside(s, run, languages):
    """What a statement did is there for an SDK when the statement is over, and the other way round; existence is judged by the service"""
    from tablestore import Condition, Row, RowExistenceExpectation
    from tablestore_client import client
    c = client()
    make("outside")
    ext.foreign(s, "o", "outside", ["v bigint", "w text"], ", write_mode 'insert'")

    def get(n):
        row = c.get_row("outside", [("pk_s", "k"), ("pk_i", n), ("pk_b", bytearray())], max_version=1)[1]
        return row and {name: v for name, v, _ in row.attribute_columns}

    def put_row(n, *cells, expect=RowExistenceExpectation.IGNORE):
        c.put_row("outside", Row([("pk_s", "k"), ("pk_i", n), ("pk_b", bytearray())], list(cells)), Condition(expect))

    put_row(1, ("v", 1), ("w", "sdk"))
    out, state = s.try_sql("INSERT INTO o VALUES ('k', 1, '', 2)")
    equal("insert mode against the row of an SDK", (state, any("already exists" in x for x in out)), ("23505", True))
    equal("whose row is as it was", get(1), {"v": 1, "w": "sdk"})
    equal("ON CONFLICT DO NOTHING", s.sql("INSERT INTO o VALUES ('k', 1, '', 2), ('k', 2, '', 2) ON CONFLICT DO NOTHING RETURNING pk_i"), ["2"])
    equal("does nothing to it and writes the other", (get(1), get(2)), ({"v": 1, "w": "sdk"}, {"v": 2}))
    try:
        put_row(2, ("v", 3), expect=RowExistenceExpectation.EXPECT_NOT_EXIST)
        ok("an SDK's insert against the extension's row", False, "was not refused")
    except Exception as e:
        equal("an SDK's insert against the extension's row", e.get_error_code(), "OTSConditionCheckFail")
    s.sql("UPDATE o SET v = v + 10 WHERE pk_s = 'k' AND pk_i = 1")
    equal("UPDATE is visible, other columns stay", get(1), {"v": 11, "w": "sdk"})
    s.sql("UPDATE o SET w = NULL WHERE pk_s = 'k' AND pk_i = 1")
    equal("a column set to NULL is gone", get(1), {"v": 11})
    put_row(1, ("v", 100), ("extra", True))
    equal("an SDK's put is visible", s.sql("SELECT v, w IS NULL FROM o WHERE pk_s = 'k' AND pk_i = 1"), ["100|t"])
    s.sql("UPDATE o SET w = 'back' WHERE pk_s = 'k' AND pk_i = 1")
    equal("columns the foreign table does not know stay", get(1), {"v": 100, "w": "back", "extra": True})
    s.sql("BEGIN; DELETE FROM o WHERE pk_s = 'k' AND pk_i = 2")
    equal("DELETE is visible before COMMIT", get(2), None)
    out, _ = s.try_sql("ROLLBACK")
    equal("and stays after ROLLBACK", get(2), None)
    ok("which is said", any("WARNING" in x for x in out), out)
    # a row that disappears between the scan of an UPDATE and its write is not made again
    put_row(3, ("v", 3))
    delete = {"service": "tablestore", "op": "put", "table": "outside", "rows": [{"do": "delete", "key": ["k", 3, {"bytes": ""}]}]}
    call("faults", [{"service": "tablestore", "api": "BatchWriteRow", "nth": 1, "action": "command", "command": delete}])
    out, state = s.try_sql("UPDATE o SET v = 4 WHERE pk_s = 'k' AND pk_i = 3")
    call("faults", [])
    equal("UPDATE of a row deleted meanwhile", (state, get(3)), ("00000", None))
    ok("is said", any("WARNING" in x for x in out), out)


CHECKS = [changes, values, auto_increment, credentials, outside]
