"""Cancel, terminate and statement_timeout act in every wait of a Tablestore statement:
a silent service, a back-off, throttling, a full buffer, the flush at the end and that
of EXPLAIN ANALYZE.  Afterwards the session goes on with no request, descriptor or
memory context left over."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, ots_create, requests, shown_wait  # noqa: E402

# far above a second, far below stall_timeout: "acts" versus "hangs"
SOON = 5
SETUP = """
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots OPTIONS (split_size '1kB');
CREATE FOREIGN TABLE t_rest (k bigint OPTIONS (key '1') NOT NULL, rest jsonb OPTIONS (field '*')) SERVER ots OPTIONS (table 't');
CREATE FOREIGN TABLE t_cells (k bigint OPTIONS (key '1') NOT NULL, __column__ text, __value__ text) SERVER ots
  OPTIONS (table 't', shape 'cell');
CREATE FOREIGN TABLE w (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots;
CREATE FOREIGN TABLE w_update (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots OPTIONS (table 'w', write_mode 'update');
CREATE FOREIGN TABLE w_insert (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots OPTIONS (table 'w', write_mode 'insert');
CREATE FOREIGN TABLE w_full (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots
  OPTIONS (table 'w', write_buffer '1MB', concurrency '2', batch_size '10');
CREATE FOREIGN TABLE auto (k text OPTIONS (key '1') COLLATE "C" NOT NULL, id bigint OPTIONS (key '2') NOT NULL, n bigint) SERVER ots;
CREATE FOREIGN TABLE changes (k bigint OPTIONS (key '1'), n bigint, __commit_time__ timestamptz) SERVER ots
  OPTIONS (table 'st', mode 'stream');
CREATE TABLE ids AS SELECT g AS k FROM generate_series(1, 1000, 7) g;
CREATE TABLE parted (k bigint, n bigint, s text) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE p1 (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots OPTIONS (table 't');
CREATE FOREIGN TABLE p2 (k bigint OPTIONS (key '1') NOT NULL, n bigint, s text) SERVER ots OPTIONS (table 't');
ALTER TABLE parted ATTACH PARTITION p1 FOR VALUES FROM (0) TO (1000);
ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES FROM (1000) TO (9999);
CREATE SCHEMA imported
"""
ROWS = "SELECT g, g, 'x' FROM generate_series(1, 300) g"
READS = {
    "scan": "SELECT count(s) FROM t",
    "ordered scan": "SELECT count(*) FROM (SELECT k, s FROM t ORDER BY k OFFSET 0) x WHERE s = 's'",
    "lookups": "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SELECT count(t.s) FROM ids JOIN t ON t.k = ids.k",
    "many lookups": "SELECT count(s) FROM t WHERE k = ANY (ARRAY(SELECT k FROM ids))",
    "cells": "SELECT count(__value__) FROM t_cells",
    "'*'": "SELECT count(rest) FROM t_rest",
    "async append": "SELECT count(s) FROM parted",
    "change stream": "SELECT count(n) FROM changes",
    "mc.safe_until": "SELECT mc.safe_until('changes')",
    "mc.stream_shards": "SELECT count(*) FROM mc.stream_shards('changes')",
    "mc.splits": "SELECT count(*) FROM mc.splits('t')",
    # the first rows are looked at: one page, and the next is asked for at the same time or not
    "IMPORT FOREIGN SCHEMA": "IMPORT FOREIGN SCHEMA demo LIMIT TO (st) FROM SERVER ots INTO imported",
}
WRITES = {
    "INSERT put": "INSERT INTO w " + ROWS,
    "INSERT update": "INSERT INTO w_update " + ROWS,
    "INSERT insert": "INSERT INTO w_insert SELECT g + nextval('run') * 1000, g, 'x' FROM generate_series(1, 300) g",
    "INSERT, buffer full": "INSERT INTO w_full SELECT g, g, repeat('x', 10000) FROM generate_series(1, 400) g",
    "ON CONFLICT DO NOTHING": "INSERT INTO w %s ON CONFLICT DO NOTHING" % ROWS,
    "INSERT RETURNING": "INSERT INTO auto (k, n) VALUES ('a', 1), ('b', 2) RETURNING n",
    "COPY": "COPY w FROM PROGRAM 'for i in 1 2 3; do echo $i,$i,x; done' (FORMAT csv)",
    "UPDATE": "UPDATE t SET n = n + 1 WHERE k < 400",
    "UPDATE RETURNING": "UPDATE t SET n = n + 1 WHERE k < 4 RETURNING k",
    "DELETE": "DELETE FROM w WHERE k < 400",
    "EXPLAIN ANALYZE INSERT": "EXPLAIN (ANALYZE) INSERT INTO w " + ROWS,
}
BUSY = {"action": "status", "http": 503, "code": "OTSServerBusy", "message": "injected"}
THROTTLED = {"action": "throttle", "code": "OTSQuotaExhausted", "service": "tablestore"}
ROW_BUSY = {"action": "row_error", "code": "OTSRowOperationConflict", "service": "tablestore", "api": "BatchWriteRow", "each": 1}
FDS = 10
tap = Tap()


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def descriptors(s):
    return len(os.listdir("/proc/%d/fd" % s.pid))


CONTEXTS = """SELECT name, count(*) FROM pg_backend_memory_contexts
WHERE (name LIKE 'mc_fdw%' OR name LIKE 'tablestore%') AND name NOT LIKE 'mc_fdw Tablestore table%' GROUP BY 1 ORDER BY 1"""


def asked():
    """requests but those that the session may remember the answer of, for half a minute"""
    return sum(x["requests"] for x in call("counters")["counters"] if x["api"] != "DescribeTable")


def begin(s, sql, fault, k):
    """send the statement and return when its request k has met the fault"""
    seen = requests()
    call("faults", [dict(fault, after=k - 1)])
    s.send("BEGIN; %s" % sql)
    end = time.monotonic() + 20
    while requests() < seen + k and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)


def ends(s, name, want):
    start = time.monotonic()
    try:
        out, state = s.finish(SOON)
    except Exception:
        call("faults", [])
        s.finish()
        return "%s: still waiting after %d s" % (name, SOON)
    call("faults", [])
    if state not in want:
        return "%s: %s after %.1f s: %s" % (name, state, time.monotonic() - start, out)
    return ""


def one(s, sql, what, fault, k, how):
    """(what went wrong, the session to go on with)"""
    if how == "statement_timeout":
        s.sql("SET statement_timeout = '400ms'")
    begin(s, sql, fault, k)
    name = "%s of request %d, %s" % (what, k, how)
    if how == "cancel":
        wait = shown_wait(admin, s.pid)
        admin("SELECT pg_cancel_backend(%d)" % s.pid)
        bad = ends(s, name, ["57014"])
        # of several scans below an Append the executor waits itself
        if wait not in ("Extension", "IPC"):
            bad += "%s: the wait is shown as '%s'" % (name, wait)
    elif how == "terminate":
        admin("SELECT pg_terminate_backend(%d)" % s.pid)
        return ends(s, name, ["lost", "57P01"]), new_session()
    else:
        bad = ends(s, name, ["57014"])
    s.try_sql("ROLLBACK")
    s.sql("RESET statement_timeout")
    return bad, s


def new_session():
    return Session("SET mc_fdw.max_retries = '1000'; SET mc_fdw.retry_max_elapsed = '1h'; SET mc_fdw.stall_timeout = '60s'")


def main():
    ots_create("t", [("k", "INTEGER")], splits=[200, 400, 1200])
    command("tablestore", "generate", table="t", rows=1500, columns=[
        {"name": "n", "kind": "int"}, {"name": "s", "kind": "text", "size": 40}])
    command("tablestore", "set", page_rows=100)
    ots_create("w", [("k", "INTEGER")])
    ots_create("auto", [("k", "STRING")] + [("id", "INTEGER")])
    command("tablestore", "create_table", table="auto", replace=True, keys=[
        {"name": "k", "type": "STRING"}, {"name": "id", "type": "INTEGER", "auto_increment": True}])
    ots_create("st", [("k", "INTEGER")], stream_hours=24)
    command("tablestore", "stream_set", page_records=50)
    command("tablestore", "stream_generate", table="st", records=500, columns=3,
            **{"from": str(int(time.time()) - 3000), "to": str(int(time.time()) - 2000)})
    s = Session("CREATE EXTENSION mc_fdw;" + SERVERS)
    s.sql(SETUP + "; CREATE SEQUENCE run")
    s.close()

    for name, sql in list(READS.items()) + list(WRITES.items()):
        s = new_session()
        before = requests()
        out, state = s.try_sql("BEGIN; %s" % sql)
        n = requests() - before
        s.try_sql("ROLLBACK")
        tap.ok(state == "00000" and n > 0, "%s: makes %d requests" % (name, n), out)
        contexts, fds = s.sql(CONTEXTS), descriptors(s)
        before = asked()
        s.try_sql("BEGIN; %s" % sql)
        warm = asked() - before
        s.try_sql("ROLLBACK")
        bad = []
        for k in sorted({1, min(2, warm), warm // 2 + 1 if warm > 1 else 1, warm}):
            for how in ("cancel", "statement_timeout"):
                why, s = one(s, sql, "silence", {"action": "stall_before"}, k, how)
                bad += [why] if why else []
        for what, fault in (("back-off", BUSY), ("throttling", THROTTLED)):
            why, s = one(s, sql, what, fault, 1, "cancel")
            bad += [why] if why else []
        why, s = one(s, sql, "half an answer", {"action": "stall_mid_body"}, warm, "cancel")
        bad += [why] if why else []
        if name in WRITES and name not in ("UPDATE", "UPDATE RETURNING", "DELETE"):
            why, s = one(s, sql, "rows to be sent again", ROW_BUSY, 1, "cancel")
            bad += [why] if why else []
        tap.ok(not bad, "%s: cancel and statement_timeout act in every wait" % name, "\n".join(bad))
        tap.ok(s.sql(CONTEXTS) == contexts, "%s: no memory context is left" % name, s.sql(CONTEXTS))
        before = asked()
        out, state = s.try_sql("BEGIN; %s" % sql)
        again = asked() - before
        s.try_sql("ROLLBACK")
        tap.ok(state == "00000", "%s: the session goes on" % name, out)
        tap.ok(again == warm, "%s: with as many requests as before" % name, "%d instead of %d" % (again, warm))
        for _ in range(FDS):
            why, s = one(s, sql, "silence", {"action": "stall_before"}, 1, "cancel")
        # a pooled connection for each request that may be in flight
        tap.ok(descriptors(s) <= fds + FDS, "%s: no descriptor is left" % name, "%d, before %d" % (descriptors(s), fds))
        why, s = one(s, sql, "silence", {"action": "stall_before"}, warm, "terminate")
        why2, s = one(s, sql, "back-off", BUSY, 1, "terminate")
        tap.ok(not why + why2, "%s: terminate acts" % name, why + why2)
        s.close()
    tap.done()


main()
