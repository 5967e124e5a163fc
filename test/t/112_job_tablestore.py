"""Jobs that write to Tablestore: all attempts of a window give one cell version; write_mode 'insert' takes
the rows of an earlier attempt for its own and nobody else's; a guard column keeps out what comes late."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, ots_create, ots_put, ots_rows, recovered  # noqa: E402

EVERY = 300
start = int(time.time()) // EVERY * EVERY - 12 * EVERY
LABELS = ("execute", "executed", "seal", "sealed", "T1")
tap = Tap()


def session():
    return Session("SET client_min_messages = notice; SET mc_fdw.max_retries = '5'; SET mc_fdw.retry_max_elapsed = '10s';")


def reconnect():
    return recovered(s.pid, session)


s = session()
s.sql("CREATE EXTENSION IF NOT EXISTS mc_fdw;" + SERVERS)


class Job:
    """a local table of rows per window, a target in Tablestore, a job between them"""

    def __init__(self, name, mode, columns="n int", insert="k, n", options="", **table):
        self.name = name
        ots_create(name, [("k", "STRING")], **dict({"max_versions": 5}, **table))
        s.sql("CREATE FOREIGN TABLE %(t)s (k text OPTIONS (key '1'), %(c)s) SERVER ots OPTIONS (table '%(t)s', write_mode '%(m)s'%(o)s);"
              "CREATE TABLE %(t)s_src (id bigint GENERATED ALWAYS AS IDENTITY, w int, k text, %(c)s, op text);"
              % {"t": name, "c": columns, "m": mode, "o": options})
        s.sql("SELECT mc.create_job('%(t)s', $q$INSERT INTO %(t)s (%(i)s) SELECT %(i)s FROM %(t)s_src WHERE to_timestamp(%(s)d + w * %(e)d) >= $1"
              " AND to_timestamp(%(s)d + w * %(e)d) < $2 ORDER BY id$q$, '%(e)d seconds', start => to_timestamp(%(s)d), retry_limit => 100)"
              % {"t": name, "i": insert, "s": start, "e": EVERY})

    def put(self, window, *rows, columns="k, n"):
        s.sql("INSERT INTO %s_src (w, %s) VALUES %s" % (self.name, columns, ", ".join("(%d, %s)" % (window, r) for r in rows)))

    def run(self, fail_at=""):
        return s.try_sql("SET mc_fdw.fail_at = '%s'; CALL mc.run_job('%s', max_windows => 1, retry => true)" % (fail_at, self.name))

    def versions(self):
        """{key: {column: [versions, newest first]}}"""
        return {r["key"][0]: {c: [v["ts"] for v in vs] for c, vs in r["columns"].items()} for r in ots_rows(self.name, timestamps=True)}

    def content(self):
        return {r["key"][0]: r["columns"] for r in ots_rows(self.name)}

    def write_ts(self):
        return [int(x) for x in s.sql("SELECT DISTINCT write_ts FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' ORDER BY 1" % self.name)]


# ---- versions ----

for mode in ("put", "update", "insert"):
    v = Job("v_" + mode, mode)
    v.put(0, "'a', 1", "'b', 2")
    out, state = v.run("executed")
    first = v.versions()
    [ts] = v.write_ts()
    tap.ok(state != "00000" and first == {"a": {"n": [ts]}, "b": {"n": [ts]}}, "%s: cells carry the version of the run" % mode, (state, out, first, ts))
    out, state = v.run()
    tap.ok(state == "00000" and v.versions() == first and v.write_ts() == [ts], "%s: a retry writes the same version" % mode, (state, out, v.versions()))
    v.put(1, "'%s', 3" % ("c" if mode == "insert" else "a"))
    out, state = v.run()
    stamps = v.write_ts()
    got = v.versions()["c" if mode == "insert" else "a"]["n"][0]
    tap.ok(state == "00000" and len(stamps) == 2 and got == stamps[1] > ts, "%s: a later window a newer one" % mode, (state, out, got, stamps))

# the retry comes when the service would not take the version any more, or when its clock was never there
for name, mode, more, move in (("late_put", "put", {"deviation": 7200}, 7300), ("late_update", "update", {"deviation": 7200}, 7300),
                               ("late_insert", "insert", {"deviation": 7200}, 7300), ("late_half", "put", {"deviation": 7200}, 3700),
                               ("late_ttl", "put", {"deviation": 10 * 86400, "ttl": 86400}, 86500),
                               ("early", "insert", {"deviation": 7200}, -7300)):
    if move < 0:
        call("clock", {"now": int(time.time()) + move})
    late = Job(name, mode, **more)
    late.put(0, "'a', 1", "'b', 2")
    if move < 0:
        call("clock", {"now": int(time.time()) + move + 3})
    out, state = late.run("executed")
    before = late.versions()
    if move > 0:
        call("clock", {"now": int(time.time()) + move})
    else:
        # another session reads a clock that is behind what the first one took for it
        call("clock", {"now": int(time.time()) + move + 2})
        s.close()
        s = session()
    late.put(0, "'c', 3")
    out2, state2 = late.run()
    after = late.versions()
    [ts] = late.write_ts()
    told = [x for x in out2 if "NOTICE" in x and ("newer cell version" in x or "time of the service" in x)]
    tap.ok(set(before) == {"a", "b"} and state2 == "00000" and {k: c["n"] for k, c in late.content().items()} == {"a": 1, "b": 2, "c": 3} and told
           and (after["c"]["n"][0] > ts) == (move > 0), "%s: another version is told, and the rows are there" % name,
           (state, out, before, state2, out2, after, ts))
    call("clock", {"system": True})

# ---- insert: what an earlier attempt wrote is the run's own ----

i = Job("i", "insert", columns="n int, t text", insert="k, n, t")
bad = []
for w, label in enumerate(LABELS):
    i.put(w, *["'w%d_%d', %d, %s" % (w, x, x, "NULL" if x % 3 == 0 else "'text %d'" % x) for x in range(450)], columns="k, n, t")
    s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('i', max_windows => 1)" % label)
    s = reconnect()
    for how in ("executed", ""):
        out, state = i.run(how)
        if label == "T1" and how:
            break
    out2, state2 = (out, state) if s.sql("SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'i' AND state = 'done'") == [str(w + 1)] else i.run()
    if len(i.content()) != 450 * (w + 1) or state2 != "00000":
        bad.append((label, state, out, state2, out2, len(i.content())))
tap.ok(not bad, "insert: killed at each step, the next attempt takes the rows for its own", bad)
seen = i.versions()
tap.ok({tuple(c) for r in seen.values() for c in r.values()} == {(x,) for x in i.write_ts()}, "insert: each cell has one version, that of its window")

for at, (what, there) in enumerate((("the same values, another version", {"n": 1, "t": "x"}), ("another value", {"n": 2, "t": "x"}),
                    ("the key alone", {}))):
    name = "dup%d" % at
    d = Job(name, "insert", columns="n int, t text", insert="k, n, t")
    ots_put(name, (["a"], there))
    d.put(0, "'a', 1, 'x'", "'b', 2, 'y'", columns="k, n, t")
    first, state = d.run()
    again, state2 = d.run()
    tap.ok(state == state2 == "23505" and d.content()["a"] == there, "insert: a real duplicate, %s" % what, (first, again, d.content()))
    command("tablestore", "put", table=name, rows=[{"key": ["a"], "do": "delete"}])
    out, state = d.run()
    tap.ok(state == "00000" and set(d.content()) == {"a", "b"}, "and when it is gone the window is done", (state, out, d.content()))

d = Job("twice", "insert")
d.put(0, "'a', 1", "'a', 2")
out, state = d.run()
tap.ok(state == "23505", "insert: a key that comes twice with other values", (state, out))
other = Job("other", "insert")
s.sql("ALTER FOREIGN TABLE other OPTIONS (SET table 'twice')")
s.sql("UPDATE twice_src SET k = 'only' WHERE n = 2")
d.run()
other.put(0, "'a', 1")
out, state = other.run()
tap.ok(state == "23505", "insert: the equal row of another job is a duplicate", (state, out))

# ---- guard: what arrives late from an older window ----


def late_copy(job):
    """the first write of the next run is answered with a timeout and done again behind two more writes"""
    call("faults", [{"service": "tablestore", "api": "BatchWriteRow", "action": "apply_later", "writes": 2, "count": 1}])


def played(name, options):
    g = Job(name, "update", columns="n int, m int", insert="k, n, m", options=options)
    g.put(0, "'a', NULL, 1", columns="k, n, m")
    g.put(1, "'a', 2, NULL", columns="k, n, m")
    late_copy(g)
    first = g.run()
    second = g.run()
    call("faults", [])
    return {c: v for c, v in g.content()["a"].items() if c != "g"}, first, second


got = played("g_none", "")
tap.ok(got[0] == {"m": 1}, "without a guard a late copy of an older window deletes a value and brings one back", got)
got = played("g_guard", ", guard_column 'g'")
tap.ok(got[0] == {"n": 2}, "with a guard it changes nothing", got)

g = Job("g", "update", columns="n int, m int, gone boolean", insert="k, n, m", options=", guard_column 'g', delete_column 'gone'", max_versions=1)
g.put(0, "'a', 1, 1", "'a', NULL, 2", "'b', 1, 1", "'a', 3, NULL", columns="k, n, m")
out, state = g.run("executed")
before = g.content()
out, state = g.run()
after = g.content()
tap.ok(state == "00000" and {k: {c: v for c, v in r.items() if c != "g"} for k, r in after.items()} == {"a": {"n": 3}, "b": {"n": 1, "m": 1}} and
       all(after[k]["g"] > before[k]["g"] for k in after), "guard: changes of one key in their order, a retry applies them again", (state, out, before, after))
ots_put("g", (["b"], {"g": "f" * 12, "n": 77}))
g.put(1, "'b', 5, 5", "'c', 5, 5", columns="k, n, m")
out, state = g.run()
tap.ok(state == "00000" and g.content()["b"]["n"] == 77 and g.content()["c"]["n"] == 5 and any("1 row of \"g\" was not changed" in x for x in out),
       "guard: a newer row stays, which is told and no error", (state, out, g.content()))
counted = s.sql("SELECT rows_out FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'g' ORDER BY run_id DESC LIMIT 1")
tap.ok(counted == ["1"], "and not counted as written", counted)
ots_put("g", (["b"], {"n": 77}))

s.sql("SELECT mc.create_job('g_del', $q$DELETE FROM g WHERE k IN ('a', 'b') AND $1 < $2$q$, '300 seconds', start => to_timestamp(%d))" % start)
out, state = s.try_sql("SET mc_fdw.fail_at = ''; CALL mc.run_job('g_del', max_windows => 1)")
rows = {k: {c: v for c, v in r.items() if c != "g"} for k, r in g.content().items()}
tap.ok(state == "00000" and rows["a"] == rows["b"] == {"gone": True} and rows["c"]["n"] == 5, "guard: DELETE marks rows", (state, out, rows))
g.put(2, "'a', 6, NULL", columns="k, n, m")
out, state = g.run()
rows = {k: {c: v for c, v in r.items() if c != "g"} for k, r in g.content().items()}
tap.ok(state == "00000" and rows["a"] == {"n": 6}, "guard: a row that comes again is not marked any more", (state, out, rows))
s.sql("SELECT mc.create_job('g_upd', $q$UPDATE g SET m = 9 WHERE k IN ('a', 'c') AND $1 < $2$q$, '300 seconds', start => to_timestamp(%d))" % start)
out, state = s.try_sql("CALL mc.run_job('g_upd', max_windows => 1)")
rows = {k: {c: v for c, v in r.items() if c != "g"} for k, r in g.content().items()}
tap.ok(state == "00000" and rows["a"] == {"n": 6, "m": 9} and rows["c"]["m"] == 9, "guard: UPDATE", (state, out, rows))

kept = g.content()
out, state = s.try_sql("CALL mc.backfill('g', to_timestamp(%d), to_timestamp(%d), duplicate_ok => true)" % (start, start + EVERY))
told = [x for x in out if "rows of \"g\" were not changed" in x]
tap.ok(state == "00000" and told and g.content() == kept, "guard: an older window that is done again changes nothing newer", (state, out, kept, g.content()))

out, state = s.try_sql("INSERT INTO g (k, n) VALUES ('x', 1)")
tap.ok(state == "0A000" and "x" not in g.content(), "guard: only jobs write", (state, out))
refused = []
for sql in ("INSERT INTO g (k, n) SELECT 'x', 1 WHERE $1 < $2 ON CONFLICT DO NOTHING", "DELETE FROM g2 WHERE $1 < $2",
            "INSERT INTO g3 (k, n) SELECT 'x', 1 WHERE $1 < $2", "INSERT INTO g4 (k, n) SELECT 'x', 1 WHERE $1 < $2",
            "INSERT INTO g5 (k, g) SELECT 'x', 'y' WHERE $1 < $2", "INSERT INTO g6 (k, n) SELECT 'x', 1 WHERE $1 < $2"):
    if not refused:
        s.sql("""CREATE FOREIGN TABLE g2 (k text OPTIONS (key '1'), n int) SERVER ots OPTIONS (table 'g', guard_column 'g', write_mode 'update');
            CREATE FOREIGN TABLE g3 (k text OPTIONS (key '1'), n int) SERVER ots OPTIONS (table 'g', guard_column 'g');
            CREATE FOREIGN TABLE g4 (k text OPTIONS (key '1'), n int) SERVER ots OPTIONS (table 'g', guard_column 'g', delete_column 'n', write_mode 'update');
            CREATE FOREIGN TABLE g5 (k text OPTIONS (key '1'), g text) SERVER ots OPTIONS (table 'g', guard_column 'g', write_mode 'update');
            CREATE FOREIGN TABLE g6 (k text OPTIONS (key '1'), n int) SERVER ots OPTIONS (table 'g', delete_column 'n', write_mode 'update')""")
    name = "refused%d" % len(refused)
    made = s.try_sql("SELECT mc.create_job('%s', $q$%s$q$, '300 seconds', start => to_timestamp(%d))" % (name, sql, start))
    out, state = s.try_sql("CALL mc.run_job('%s', max_windows => 1)" % name) if made[1] == "00000" else made
    refused.append((state, out))
tap.ok([x[0] for x in refused] == ["0A000"] * 3 + ["HV00D"] * 3 and "x" not in g.content(), "guard: what cannot be guarded is refused", refused)
tap.done()
