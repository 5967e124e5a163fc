"""The same refusal on both sides: the error code that every SDK sees, and the SQLSTATE and the message of the extension."""
import re
import time

import tablestore_extension as ext
from checks import equal, ok
from mctest import KEY, TABLESTORE, call, command
from tablestore_values import KEYS, integer, key, string


def cells(*columns):
    return [[n, v, None, "put"] for n, v in columns]


def change(action, k, columns=(), expect=None):
    return {"action": action, "key": k, "cells": [list(c) for c in columns], "expect": expect}


def refused(s, name, sql, state, code):
    """The extension's side.  code None: found before anything is sent, else DETAIL has it and the id of the request"""
    out, got = s.try_sql(sql)
    equal("extension: " + name, got, state)
    ok("extension: a HINT for " + name, any(x.startswith("HINT: ") for x in out), out)
    if code:
        detail = next((x for x in out if x.startswith("DETAIL: ")), "")
        ok("extension: DETAIL of %s" % name, code in detail and re.search(r"request id [\w-]{8,}", detail), out)


def rows(s, run, languages):
    """Rows that the service refuses"""
    command("tablestore", "create_table", table="refused", replace=True, keys=[{"name": k, "type": t} for k, t in KEYS])
    long, old = "x" * 1025, str(int(time.time() * 1000) - 3 * 86400000)
    k = key("k", 1, b"")
    cases = [
        ("an existing row", change("put", k, expect="not_exist"), "OTSConditionCheckFail", "INSERT INTO once VALUES ('k', 1, '')", "23505", None),
        ("a version out of range", change("put", k, [["v", integer(1), old, "put"]]), "OTSParameterInvalid",
         "INSERT INTO e (pk_s, pk_i, pk_b, v, __version__) VALUES ('k', 1, '', 1, %s)" % old, "22008", "OTSParameterInvalid"),
        ("a long key", change("put", key(long, 1, b"")), "OTSParameterInvalid", "INSERT INTO e (pk_s, pk_i, pk_b) VALUES (repeat('x', 1025), 1, '')", "54000", None),
        ("a long value", change("put", k, cells(("w", string("x" * 2097153)))), "OTSParameterInvalid",
         "INSERT INTO e (pk_s, pk_i, pk_b, w) VALUES ('k', 1, '', repeat('x', 2097153))", "54000", None),
        ("too many columns", change("put", k, cells(*[("c%d" % i, integer(i)) for i in range(1025)])), "OTSParameterInvalid",
         "INSERT INTO e (pk_s, pk_i, pk_b, rest) SELECT 'k', 1, '', jsonb_object_agg('c' || g, g) FROM generate_series(0, 1024) g", "54000", None),
        ("a key of another type", change("put", [k[0], ["pk_i", string("1")], k[2]]), "OTSInvalidPK", "SELECT * FROM other_type", "HV004", None),
        ("a key column less", change("put", k[:2]), "OTSInvalidPK", "SELECT * FROM short_key", "HV005", None),
    ]
    for language in languages:
        run(language, "tablestore", "write", "demo", "refused", lines=[change("put", k)])
        seen = run(language, "tablestore", "write", "demo", "refused", "report", lines=[c[1] for c in cases] + [change("put", k)])
        for case, code in zip(cases, seen):
            equal("%s: %s" % (language, case[0]), code, case[2])
        equal("%s goes on" % language, seen[len(cases):], [None])
    ext.foreign(s, "e", "refused", ["v bigint", "w text", "__version__ bigint", "rest jsonb OPTIONS (field '*')"])
    ext.foreign(s, "once", "refused", [], ", write_mode 'insert'")
    ext.foreign(s, "other_type", "refused", [], keys=[("pk_s", "STRING"), ("pk_i", "STRING"), ("pk_b", "BINARY")])
    ext.foreign(s, "short_key", "refused", [], keys=KEYS[:2])
    for name, _, _, sql, state, code in cases:
        refused(s, name, sql, state, code)
    equal("nothing of it was written", run(languages[0], "tablestore", "read", "demo", "refused"), [{"key": k, "cells": []}])


def requests(s, run, languages):
    """Requests that are refused as a whole"""
    command("tablestore", "create_table", table="refused", replace=True, keys=[{"name": k, "type": t} for k, t in KEYS])
    k, secret = key("k", 1, b""), "access_key_id '%s', access_key_secret '%s'"
    fault = lambda code, http: [{"service": "tablestore", "action": "status", "http": http, "code": code}]
    # name, instance, table, environment of the SDKs, user of the extension, faults, code, SQLSTATE
    cases = [("a missing table", "demo", "nowhere", {}, secret % KEY, [], "OTSObjectNotExist", "HV00R"),
             ("an unknown instance", "nowhere", "refused", {}, secret % KEY, [], "OTSAuthFailed", "HV00Q"),
             ("a wrong secret", "demo", "refused", {"MC_KEY_SECRET": "wrong"}, secret % (KEY[0], "wrong"), [], "OTSAuthFailed", "28P01"),
             ("an unknown key", "demo", "refused", {"MC_KEY_ID": "nobody"}, secret % ("nobody", KEY[1]), [], "OTSAuthFailed", "28000"),
             ("a missing right", "demo", "refused", {}, secret % KEY, fault("OTSNoPermissionAccess", 403), "OTSNoPermissionAccess", "42501"),
             ("too large a request", "demo", "refused", {}, secret % KEY, fault("OTSRequestBodyTooLarge", 413), "OTSRequestBodyTooLarge", "54000"),
             ("a used up quota", "demo", "refused", {}, secret % KEY, fault("OTSCapacityUnitExhausted", 403), "OTSCapacityUnitExhausted", "53400")]
    for name, instance, table, environment, user, faults, code, state in cases:
        call("faults", faults)
        for language in languages:
            equal("%s: %s" % (language, name), run(language, "tablestore", "write", instance, table, "report", lines=[change("put", k)], **environment), [code])
        s.sql("DROP SERVER IF EXISTS ots_refused CASCADE; CREATE SERVER ots_refused FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint '%s', instance '%s'); "
              "CREATE USER MAPPING FOR CURRENT_USER SERVER ots_refused OPTIONS (%s)" % (TABLESTORE, instance, user))
        ext.foreign(s, "e", table, [], server="ots_refused")
        for what in ("SELECT * FROM e", "INSERT INTO e VALUES ('k', 1, '')"):
            refused(s, "%s, %s" % (name, what.split(" ")[0]), what, state, code)
        call("faults", [])
    s.sql("DROP SERVER ots_refused CASCADE")


CHECKS = [rows, requests]
