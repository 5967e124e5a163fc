"""Jobs that read objects of OSS: every version of an object is taken once, whatever its time says
and wherever the session dies; what was replaced is an error unless the job says otherwise."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, SERVERS, Session, Tap, call, command, oss_bucket, oss_put, ots_create, ots_rows, recovered  # noqa: E402

EVERY = 300
LABELS = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed")
tap = Tap()
# windows end by the local clock: sources without positions have no other
now = int(time.time()) // EVERY * EVERY
oss_bucket("demo")


def session():
    return Session("SET client_min_messages = warning")


def reconnect():
    return recovered(s.pid, session)


s = session()
s.sql("CREATE EXTENSION IF NOT EXISTS mc_fdw;" + SERVERS + (";"
      "CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou');"
      "CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY)))


class Source:
    """objects below a prefix, a job that loads them; each object has 3 rows"""

    def __init__(self, name, start, windows, select=None, options="", **more):
        self.name, self.start, self.windows, self.put_keys, self.ran = name, start, windows, {}, 0
        s.sql("CREATE FOREIGN TABLE %(t)s (object text OPTIONS (field '__object__'), modified timestamptz OPTIONS (field '__last_modified__'),"
              " line bigint OPTIONS (field '__line__'), v text) SERVER oss OPTIONS (prefix '%(t)s/', format 'csv', missing_ok 'true'%(o)s);"
              "CREATE TABLE %(t)s_got (object text, v text)" % {"t": name, "o": options})
        text = (select or "INSERT INTO %(t)s_got SELECT object, v FROM %(t)s WHERE modified >= $1 AND modified < $2") % {"t": name}
        s.sql("SELECT mc.create_job('%s', $q$%s$q$, '%d seconds', start => to_timestamp(%d), lag => '0'%s)"
              % (name, text, EVERY, start, "".join(", %s => %s" % x for x in more.items())))

    def put(self, key, at, text=None, **more):
        full = "%s/%s" % (self.name, key)
        text = text or "".join("%s-%d\n" % (key, i) for i in range(3))
        oss_put(full, text, last_modified=at, **more)
        self.put_keys.setdefault(full, []).extend(text.split())

    def run(self, retry=True, count=1):
        return s.try_sql("CALL mc.run_job('%s', max_windows => %d, retry => %s)" % (self.name, count, retry))

    def difference(self, want=None):
        want = sorted((k, v) for k, vs in (want or self.put_keys).items() for v in vs)
        got = sorted(tuple(x.split("|")) for x in s.sql("SELECT object, v FROM %s_got" % self.name))
        return "" if want == got else "lost %s, too many %s" % (
            sorted(set(want) - set(got))[:4], sorted(x for x in set(got) if got.count(x) > want.count(x))[:4])

    def taken(self):
        return s.sql("SELECT key, count(*) FROM mc.source_object WHERE job_id = (SELECT job_id FROM mc.job WHERE name = '%s')"
                     " GROUP BY 1 ORDER BY 1" % self.name)


W = 12
start = now - W * EVERY


def inside(w, s_=100):
    return start + w * EVERY + s_


# ---- each object once, late ones too ----

a = Source("a", start, W)
a.put("before", start - 1000)
del a.put_keys["a/before"]
a.put("w0-begin", inside(0, 0))
a.put("w0", inside(0))
a.put("w1-begin", inside(1, 0))
out, state = a.run()
w0 = {k: v for k, v in a.put_keys.items() if "w0" in k}
tap.ok(state == "00000" and not a.difference(w0), "a window takes what is older than its end and not older than the job", (state, out, a.difference(w0)))
a.put("multipart", inside(0, 50))           # begun in the first window, complete only now
out, state = a.run()
tap.ok(state == "00000" and not a.difference(), "an object whose time lies in an earlier window is taken by the next one", (state, out, a.difference()))
shown = s.sql("SELECT count(*) FROM a_got WHERE object = 'a/multipart'")
tap.ok(shown == ["3"], "the condition on its time does not drop its rows", shown)
out, state = a.run()
tap.ok(state == "00000" and not a.difference() and all(x.endswith("|1") for x in a.taken()), "nothing is taken twice", (out, a.taken()))

# ---- a session dies at every step; other objects appear meanwhile ----

bad = []
for n, label in enumerate(LABELS):
    w = 3 + n
    a.put("k%d" % n, inside(w))
    a.put("late%d" % n, inside(0, 60 + n))
    out, state = s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('a', max_windows => 1)" % label)
    if state != "lost":
        bad.append("%s: %s %s" % (label, state, out))
    s = reconnect()
    a.put("more%d" % n, inside(w, 200))
    for _ in range(2 if label == "committed" else 1):
        out, state = a.run()
    if state != "00000" or label != "committed" and a.difference():
        bad.append("%s: %s %s %s" % (label, state, out, a.difference()))
    if label != "committed" and not all(x.endswith("|1") for x in a.taken()):
        bad.append("%s: %s" % (label, a.taken()))
tap.ok(not bad and not a.difference(), "killed at each step: each object once", bad or a.difference())
counts = s.sql("SELECT sum(rows_in), (SELECT count(*) FROM a_got) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'a' AND state = 'done'")
tap.ok(len(set(counts[0].split("|"))) == 1, "rows are counted in mc.run", counts)

# ---- windows that are done again read what was recorded ----

want = s.sql("SELECT object, v FROM a_got ORDER BY 1, 2")
s.sql("TRUNCATE a_got")
a.put("unseen", inside(0, 90))              # of a later window
del a.put_keys["a/unseen"]
again = "CALL mc.backfill('a', '%s', '%s', duplicate_ok => true)" % tuple(s.sql(
    "SELECT min(window_begin), max(window_end) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'a'")[0].split("|"))
s.sql(again)
got = s.sql("SELECT object, v FROM a_got ORDER BY 1, 2")
tap.ok(got == want, "backfill reads the recorded objects", (want[:3], got[:3], len(want), len(got)))
oss_put("a/w0", "other\n", last_modified=inside(0))
out, state = s.try_sql(again)
tap.ok(state not in ("00000", "lost") and any("a/w0" in x for x in out), "one of them was replaced", (state, out))
command("oss", "delete", bucket="demo", key="a/w0")
out, state = s.try_sql(again)
tap.ok(state not in ("00000", "lost") and any("a/w0" in x for x in out), "one of them is gone", (state, out))

# ---- replaced objects ----

for how, rows in (("error", None), ("reread", 6), ("ignore", 3)):
    x = Source("x_" + how, start, W, on_object_change="'%s'" % how)
    x.put("one", inside(0))
    x.run()
    oss_put("x_%s/one" % how, "new-0\nnew-1\nnew-2\n", last_modified=inside(1))
    out, state = x.run()
    got = s.sql("SELECT count(*), count(*) FILTER (WHERE v LIKE 'new%%') FROM x_%s_got" % how)
    if how == "error":
        tap.ok(state == "55000" and any("was replaced after job" in m for m in out) and got == ["3|0"], "a replaced object: error", (state, out, got))
        s.sql("SELECT mc.alter_job('x_error', on_object_change => 'ignore')")
        out, state = x.run()
        got = s.sql("SELECT count(*) FROM x_error_got")
        tap.ok(state == "00000" and got == ["3"], "until the job says what to do", (state, out, got))
        continue
    out2, state2 = x.run()
    again = s.sql("SELECT count(*), count(*) FILTER (WHERE v LIKE 'new%%') FROM x_%s_got" % how)
    tap.ok(state == state2 == "00000" and got == again == ["%d|%d" % (rows, rows - 3)], "a replaced object: " + how, (state, out, got, again))

y = Source("y", start, W, lookback="'10 minutes'", on_object_change="'ignore'")
y.put("one", inside(0))
y.run(count=5)
oss_put("y/one", "new-0\n", last_modified=inside(5))
out, state = y.run(count=3)
tap.ok(state == "00000" and not y.difference(), "one that was taken before the lookback is known all the same", (out, y.difference()))
y.put("too-late", inside(1))
y.run(count=2)
tap.ok(s.sql("SELECT count(*) FROM y_got WHERE object = 'y/too-late'") == ["0"], "what is older than the lookback is not noticed")

for name, lookback in (("y_short", "1 minute"), ("y_none", "0")):
    short = Source(name, start, W, lookback="'%s'" % lookback)
    short.put("first", inside(0, 0))
    short.put("middle", inside(0))
    short.put("next", inside(1, EVERY - 1))
    out, state = short.run(count=3)
    tap.ok(state == "00000" and not short.difference(), "a lookback of %s leaves out no object of the window" % lookback, (out, short.difference()))

# ---- changed while it is read ----

z = Source("z", start, W)
for i in range(3):
    z.put("k%d" % i, inside(0, 10 + i))
for action in ("object_replaced", "object_deleted"):
    call("faults", [{"action": action, "api": "GetObject", "count": 1}])
    out, state = z.run()
    call("faults", [])
    tap.ok(state not in ("00000", "lost") and s.sql("SELECT count(*) FROM z_got") == ["0"] and not z.taken(), "%s while it is read" % action, (state, out))
    for i in range(3):
        oss_put("z/k%d" % i, "".join("k%d-%d\n" % (i, j) for j in range(3)), last_modified=inside(0, 10 + i))
out, state = z.run()
tap.ok(state == "00000" and not z.difference(), "then the window is done again", (state, out, z.difference()))

# ---- what cannot be tracked ----

p = Source("p", start, W)
oss_put("p/log", "a\n", last_modified=inside(0), appendable=True)
out, state = p.run()
tap.ok(state == "0A000" and any("appendable" in m for m in out), "an appendable object", (state, out))
q = Source("q", start, W)
command("oss", "put_object", bucket="demo", key="q/link", symlink="a/w0", last_modified=inside(0))
out, state = q.run()
tap.ok(state == "0A000" and any("symbolic link" in m for m in out), "a symbolic link", (state, out))

# ---- other conditions, other forms ----

r = Source("r", start, W, select="INSERT INTO %(t)s_got SELECT object, v FROM %(t)s")
r.put("dim", start - 5000)
r.run()
r.run()
tap.ok(s.sql("SELECT count(*) FROM r_got") == ["6"] and not r.taken(), "without a condition on the time every window reads everything")
t = Source("t", start, W, select="INSERT INTO %(t)s_got SELECT object, v FROM %(t)s", options=", track 'objects'")
t.put("one", inside(0))
t.run()
t.put("two", inside(0, 3))
t.run()
tap.ok(not t.difference(), "with option track only what is new", t.difference())
n = Source("n", start, W, options=", track 'none'")
n.put("one", inside(0))
n.run()
n.put("late", inside(0, 3))
n.run()
tap.ok(s.sql("SELECT count(*) FROM n_got") == ["3"] and not n.taken(), "track 'none': the times decide")
o = Source("o", start, W, options=", track 'objects'", select="INSERT INTO %(t)s_got SELECT object, v FROM %(t)s WHERE modified > $1 AND modified <= $2")
out, state = o.run()
tap.ok(state == "0A000", "another condition cannot be tracked", (state, out))
f = Source("f", start, W, select="INSERT INTO %(t)s_got SELECT object, v FROM %(t)s WHERE modified >= $1 AND modified < $2"
           " AND (object, line) IN (SELECT object, line FROM %(t)s WHERE modified >= $1 AND modified < $2) AND object <> 'f/no'")
f.put("yes", inside(0))
f.put("no", inside(0))
del f.put_keys["f/no"]
out, state = f.run()
tap.ok(state == "00000" and not f.difference(), "two scans and a condition on the key", (state, out, f.difference()))
taken = s.sql("SELECT count(*) FROM mc.source_object WHERE key = 'f/yes'")
tap.ok(taken == ["1"], "taken once", taken)

# ---- Tablestore as the target ----

ots_create("lines", [("object", "STRING"), ("line", "INTEGER")], max_versions=5)
s.sql("CREATE FOREIGN TABLE lines (object text OPTIONS (key '1'), line bigint OPTIONS (key '2'), v text) SERVER ots OPTIONS (table 'lines')")
g = Source("g", start, W, select="INSERT INTO lines SELECT object, line, v FROM %(t)s WHERE modified >= $1 AND modified < $2")
bad = []
for i, label in enumerate(LABELS):
    g.put("k%d" % i, inside(i))
    s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('g', max_windows => 1)" % label)
    s = reconnect()
    g.run()
g.run(count=W)
rows = ots_rows("lines", timestamps=True)
want = sorted((k, i + 1, v) for k, vs in g.put_keys.items() for i, v in enumerate(vs))
got = sorted((r["key"][0], r["key"][1], r["columns"]["v"][0]["value"]) for r in rows)
tap.ok(got == want, "objects into Tablestore, killed at each step: every line", (got[:5], want[:5]))
versions = {len(r["columns"]["v"]) for r in rows}
stamps = {v["ts"] for r in rows for v in r["columns"]["v"]}
of_runs = {int(x) for x in s.sql("SELECT write_ts FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'g'")}
tap.ok(versions == {1} and stamps <= of_runs, "each cell with one version, that of its window", (versions, stamps - of_runs))
tap.done()
