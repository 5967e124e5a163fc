"""A window of a change stream under faults: every request of the scan fails once in
every way, fails for good, or hangs and is cancelled; with what is left the window is
exactly right or the statement fails, and a local target holds all of it or nothing.
The shards split and merge inside the window.  Then memory while a long stream is read."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, ots_create, ots_put, requests  # noqa: E402

QUICK = ("SET mc_fdw.max_retries = '3'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET client_min_messages = warning")
ONCE = {
    "http 500": {"action": "status", "http": 500, "code": "OTSInternalServerError", "message": "injected"},
    "http 503": {"action": "status", "http": 503, "code": "OTSServerBusy", "message": "injected"},
    "reset before": {"action": "reset_before"},
    "reset after": {"action": "reset_after"},
    "reset inside": {"action": "reset_mid_body"},
    "truncated": {"action": "truncate_body"},
    "corrupted": {"action": "corrupt_body", "seed": 3},
    "stall": {"action": "stall_mid_body"},
}
tap = Tap()
start = int(time.time()) - 4000
call("clock", {"now": start})
ots_create("t", [("k", "STRING")], stream_hours=24)
command("tablestore", "stream_set", page_records=10, shard_limit=2, iterator_steps=1, seek_early=2)
for step in range(60):
    call("clock", {"now": start + 10 * step + 100})
    if step == 20:
        command("tablestore", "split_partition", table="t", at="k05")
    if step == 40:
        command("tablestore", "merge_partitions", table="t", index=0)
    ots_put("t", (["k%02d" % (step % 10)], {"n": step}))
call("clock", {"system": True})

s = Session(QUICK)
s.sql("CREATE EXTENSION IF NOT EXISTS mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE changes (k text OPTIONS (key '1'), n int, at timestamptz OPTIONS (field '__commit_time__'))
  SERVER ots OPTIONS (table 't', mode 'stream');
CREATE TABLE target (arrival int GENERATED ALWAYS AS IDENTITY, k text, n int)""")
INSERT = ("INSERT INTO target (k, n) SELECT k, n FROM changes WHERE at >= to_timestamp(%d) AND at < to_timestamp(%d)"
          % (start + 130, start + 650))
WANT = ["52|52|t"]
STATE = ("SELECT count(*), count(DISTINCT n), bool_and(right_order) FROM (SELECT n, n > lag(n, 1, -1) OVER "
         "(PARTITION BY k ORDER BY arrival) AS right_order FROM target) x")


def content():
    return s.sql(STATE)


s.sql(INSERT)
tap.ok(content() == WANT, "the window", content())
s.sql("TRUNCATE target")
before = requests()
s.sql(INSERT)
clean = requests() - before
print("# a clean run makes %d requests" % clean)

for name, fault in ONCE.items():
    bad = []
    for k in range(1, clean + 1):
        s.sql("TRUNCATE target")
        call("faults", [dict(fault, nth=k, count=1)])
        out, state = s.try_sql(INSERT)
        call("faults", [])
        if state != "00000" or content() != WANT:
            bad.append("at %d: %s %s %s" % (k, state, content(), out))
    tap.ok(not bad, "%s, once at each request" % name, bad)

for name in ("http 500", "reset after"):
    bad = []
    for k in range(1, clean + 1):
        s.sql("TRUNCATE target")
        call("faults", [dict(ONCE[name], after=k - 1)])
        out, state = s.try_sql(INSERT)
        call("faults", [])
        if state == "00000" and content() != WANT or state != "00000" and content() != ["0|0|"]:
            bad.append("from %d: %s %s %s" % (k, state, content(), out))
        s.sql("TRUNCATE target")
        s.sql(INSERT)
        if content() != WANT:
            bad.append("repeated after %d: %s" % (k, content()))
    tap.ok(not bad, "%s from each request on" % name, bad)

bad = []
s.sql("SET mc_fdw.stall_timeout = '30s'; SET mc_fdw.retry_max_elapsed = '60s'")
for k in range(1, clean + 1):
    s.sql("TRUNCATE target")
    seen = requests()
    call("faults", [{"action": "stall_before", "after": k - 1}])
    s.send(INSERT)
    deadline = time.monotonic() + 20
    while requests() < seen + k and time.monotonic() < deadline:
        time.sleep(0.01)
    subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_cancel_backend(%d)" % s.pid], stdout=subprocess.DEVNULL, check=True)
    out, state = s.finish(10)
    call("faults", [])
    if state != "57014" or content() != ["0|0|"]:
        bad.append("at %d: %s %s %s" % (k, state, content(), out))
tap.ok(not bad, "cancelled at each request", bad)
s.sql(INSERT)
tap.ok(content() == WANT, "and then it is read", content())

command("tablestore", "stream_set", page_records=5000, seek_early=0)
ots_create("long", [("k", "STRING")], stream_hours=24)
command("tablestore", "stream_generate", table="long", records=400000, columns=6,
        **{"from": str(int(time.time()) - 3600), "to": str(int(time.time()) - 600)})
s.sql("SET mc_fdw.stall_timeout = '60s'")
s.sql("CREATE FOREIGN TABLE long (k text OPTIONS (key '1'), c0 bigint, c1 text, c2 float8, c3 bigint, c4 text, c5 float8,"
      " at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (mode 'stream')")
begun = time.monotonic()
growth = s.peak_growth_mb("SELECT count(*), count(c0), count(c1), count(c5) FROM long")
print("# 400000 records in %.2f s, %d MB more" % (time.monotonic() - begun, growth))
tap.ok(growth < 100, "memory while a long stream is read", "%d MB" % growth)
tap.ok(s.sql("SELECT count(*) FROM long") == ["400000"], "all of it")
tap.done()
