"""Jobs that read a change stream: every record in exactly one window and in order, by position,
whatever happens to shards, clocks and sessions; a copy in another Tablestore table converges."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, ots_create, ots_put, ots_rows, recovered  # noqa: E402

EVERY = 300
LABELS = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed")
tap = Tap()
start = int(time.time()) // EVERY * EVERY - 12 * 3600


class Clock:
    """the services' clock; all is written at times it shows"""
    now = start

    def to(self, at):
        Clock.now = at
        call("clock", {"now": at})


clock = Clock()
clock.to(start - 600)


def stream(op, **more):
    return command("tablestore", op, **more)


def session(settings=""):
    return Session("SET client_min_messages = warning; SET mc_fdw.max_retries = '3'; SET mc_fdw.retry_max_elapsed = '5s';" + settings)


def reconnect():
    return recovered(s.pid, session)


s = session()
s.sql("CREATE EXTENSION IF NOT EXISTS mc_fdw;" + SERVERS)


class Source:
    """a table with a stream, the changes made to it in their order, a job that collects them"""

    def __init__(self, name, statement="", **stream_options):
        self.name, self.made, self.n = name, [], 0
        ots_create(name, [("k", "STRING")], stream_hours=48, max_versions=1)
        if stream_options:
            stream("stream_set", table=name, **stream_options)
        s.sql("CREATE FOREIGN TABLE %(t)s (k text OPTIONS (key '1'), n int, at timestamptz OPTIONS (field '__commit_time__'),"
              " seq text OPTIONS (field '__sequence__')) SERVER ots OPTIONS (table '%(t)s', mode 'stream');"
              "CREATE TABLE %(t)s_got (arrival bigint GENERATED ALWAYS AS IDENTITY, k text, n int, at timestamptz, seq text)" % {"t": name})
        self.insert = statement or ("INSERT INTO %(t)s_got (k, n, at, seq) SELECT k, n, at, seq FROM %(t)s WHERE at >= $1 AND at < $2" % {"t": name})

    def job(self, name=None, at=start, **more):
        more = "".join(", %s => %s" % x for x in more.items())
        s.sql("SELECT mc.create_job('%s', $q$%s$q$, '%d seconds', start => to_timestamp(%d)%s)"
              % (name or self.name, self.insert, EVERY, at, more))

    def put(self, count, keys=10):
        for _ in range(count):
            key = "k%02d" % (self.n % keys)
            ots_put(self.name, ([key], {"n": self.n}))
            if Clock.now >= start:
                self.made.append((key, self.n))
            self.n += 1

    def got(self):
        return [(k, int(n)) for k, n in (x.split("|") for x in s.sql("SELECT k, n FROM %s_got ORDER BY arrival" % self.name))]

    def difference(self, made=None):
        """'' if everything arrived once and in the order of its key"""
        made, got = self.made if made is None else made, self.got()
        if sorted(made) != sorted(got):
            once = set(got)
            return "%d made, %d arrived; lost %s, twice %s" % (
                len(made), len(got), sorted(set(made) - once)[:5], sorted(x for x in once if got.count(x) > 1)[:5])
        for key in {k for k, _ in made}:
            if [x for x in got if x[0] == key] != [x for x in made if x[0] == key]:
                return "order of %s" % key
        return ""

    def chain(self):
        """rows where a window does not begin where the one before ended"""
        return s.sql("""SELECT shard, window_begin, position_begin, before FROM (SELECT shard, window_begin, position_begin,
            lag(position_end) OVER w AS before, lag(window_end) OVER w AS until FROM mc.run_shard
            WHERE source LIKE '%%/%s' AND job_id = (SELECT job_id FROM mc.job WHERE name = '%s')
            WINDOW w AS (PARTITION BY job_id, source, shard ORDER BY window_begin)) x
            WHERE before IS NOT NULL AND (before, until) <> (position_begin, window_begin)""" % (self.name, self.name))


def run(name, retry=True):
    return s.try_sql("CALL mc.run_job('%s', retry => %s)" % (name, retry))


def play(source, windows, events=None, each=None):
    """windows of changes: events[window] happens in its middle"""
    begun = (Clock.now - start) // EVERY + 1 if Clock.now >= start else 0
    for w in range(begun, begun + windows):
        for part in range(5):
            clock.to(start + w * EVERY + 10 + part * 60)
            source.put(7)
            if part == 2 and events and w - begun in events:
                events[w - begun]()
        clock.to(start + (w + 1) * EVERY + 301)
        if each:
            each(w - begun)


# ---- shards come and go, clocks step back, pages are small ----

a = Source("a", page_records=4, seek_early=3, iterator_steps=1, shard_limit=2)
a.put(9)                                            # older than the first window
a.job()
failures = []


def run_a(w):
    out, state = run("a")
    if state != "00000" or a.difference():
        failures.append("window %d: %s %s %s" % (w, state, out, a.difference()))


# a window ends 301 seconds before the clock: what is put later is of the next ones
made_all = a.made
events = {
    1: lambda: stream("split_partition", table="a", at="k05"),
    3: lambda: stream("stream_epoch", table="a", skew_ms=-45000),
    4: lambda: (stream("stream_epoch", table="a", skew_ms=-400000), stream("split_partition", table="a", at="k03")),
    5: lambda: stream("stream_epoch", table="a", skew_ms=0),
    6: lambda: (stream("merge_partitions", table="a", index=0), stream("split_partition", table="a", at="k07")),
    8: lambda: stream("stream_set", table="a", page_records=3),
}
play(a, 11, events, lambda w: None if w % 3 == 1 else run("a"))
out, state = run("a")
clock.to(Clock.now + 2 * EVERY)
out, state = run("a")
tap.ok(state == "00000" and not a.difference(), "splits, merges, steps of the clock back by minutes: each record once and in order",
       "%s %s %s" % (state, out, a.difference()))
tap.ok(a.chain() == [], "each window begins where the one before ended", a.chain())
late = s.sql("SELECT sum(late) FROM mc.run_shard WHERE source LIKE '%/a'")
tap.ok(int(late[0]) > 0, "records dated back are counted as late", late)
tap.ok(s.sql("SELECT count(*) FROM mc.run WHERE state <> 'done'") == ["0"], "no attempt failed")
tap.ok(s.sql("SELECT sum(rows_in) = count(*) FILTER (WHERE false) + (SELECT count(*) FROM a_got) FROM mc.run JOIN mc.job USING (job_id)"
             " WHERE name = 'a'") == ["t"], "rows are counted in mc.run")
play(a, 2)
clock.to(Clock.now + EVERY)
run("a")
tap.ok(not a.difference(), "and so it goes on", a.difference())

# ---- windows that are done again read what was recorded, not what their times say ----

want = s.sql("SELECT k, n, at, seq FROM a_got ORDER BY k, arrival")
s.sql("TRUNCATE a_got")
checkpoint = s.sql("SELECT * FROM mc.checkpoint ORDER BY 1, 2, 3")
again = "CALL mc.backfill('a', '%s', '%s', duplicate_ok => true)" % tuple(s.sql("SELECT min(window_begin), max(window_end) FROM mc.run")[0].split("|"))
s.sql(again)
tap.ok(s.sql("SELECT k, n, at, seq FROM a_got ORDER BY k, arrival") == want, "backfill reads the same records in the same order")
tap.ok(s.sql("SELECT * FROM mc.checkpoint ORDER BY 1, 2, 3") == checkpoint, "and does not move the job's position")
s.sql("UPDATE mc.run_shard SET position_end = regexp_replace(position_end, '_[0-9]+ ', '_0000000077 ') WHERE shard = (SELECT max(shard) FROM mc.run_shard)")
out, state = s.try_sql(again)
tap.ok(state == "55000" and any("cannot be continued" in x for x in out), "a record that is not there any more", (state, out))

# ---- a session dies at every step ----

b = Source("b", page_records=5)
start = Clock.now // EVERY * EVERY + EVERY
b.job(at=start)
bad = []
for label in LABELS:
    play(b, 1, {0: lambda: stream("split_partition", table="b", at="k0%d" % (1 + LABELS.index(label)))})
    clock.to(Clock.now + EVERY)
    out, state = s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('b')" % label)
    if state != "lost":
        bad.append("%s: %s %s" % (label, state, out))
    s = reconnect()
    out, state = run("b")
    if state != "00000" or b.difference():
        bad.append("%s: %s %s %s" % (label, state, out, b.difference()))
tap.ok(not bad, "killed at each step: each record once and in order", bad)
tap.ok(b.chain() == [], "and the chain has no gap", b.chain())

# ---- what ends the chain is an error ----

c = Source("c")
start = Clock.now // EVERY * EVERY + EVERY
c.job(at=start)
play(c, 1)
run("c")
made = s.sql("SELECT count(*) FROM c_got")
saved = s.sql("SELECT position FROM mc.checkpoint WHERE source LIKE '%/c'")
play(c, 1)
for damage, message in (("regexp_replace(position, '_[0-9]+_', '_00009999999999999999_')", "cannot be continued"),
                        ("'what'", "is damaged"), ("replace(position, 'record ', 'record 99')", "cannot be continued")):
    s.sql("UPDATE mc.checkpoint SET position = %s WHERE source LIKE '%%/c'" % damage)
    out, state = run("c")
    tap.ok(any(message in x for x in out) and s.sql("SELECT count(*) FROM c_got") == made, "a position that does not fit: %s" % message,
           (state, out, s.sql("SELECT * FROM mc.run WHERE job_id = (SELECT job_id FROM mc.job WHERE name = $$c$$)"), s.sql("TABLE mc.checkpoint")))
    s.sql("UPDATE mc.checkpoint SET position = $p$%s$p$ WHERE source LIKE '%%/c'" % saved[0])
out, state = run("c")
tap.ok(state == "00000" and not c.difference(c.made[:len(c.got())]), "with the right one it goes on", out)
play(c, 1)
command("tablestore", "drop_table", table="c")
ots_create("c", [("k", "STRING")], stream_hours=48)
play(c, 1)
out, state = run("c")
tap.ok(any("another one than the job has read" in x for x in out), "another stream", out)

d = Source("d")
start = Clock.now // EVERY * EVERY + EVERY
d.job(at=start, lag="'0'")
clock.to(start + EVERY + 5)
out, state = run("d")
tap.ok(state == "22008" and any("lag of the job" in x for x in out), "a window that is not settled", (state, out))
clock.to(start + 50 * 3600)
out, state = run("d")
tap.ok(state == "22008", "a window that has expired", (state, out))

# ---- forms of statements ----

start = Clock.now // EVERY * EVERY + EVERY
e = Source("e", page_records=3)
e.insert = ("WITH x AS (SELECT k, n, at, seq FROM e WHERE at >= $1 AND at < $2 LIMIT 1), y AS (SELECT p.k, p.n, p.at, p.seq FROM e p"
            " JOIN e q USING (seq) WHERE p.at >= $1 AND p.at < $2 AND q.at >= $1 AND q.at < $2)"
            " INSERT INTO e_got (k, n, at, seq) SELECT * FROM y WHERE EXISTS (SELECT FROM x)")
e.job(at=start)
play(e, 3, {1: lambda: stream("split_partition", table="e", at="k05")}, lambda w: run("e"))
clock.to(Clock.now + EVERY)
run("e")
out = s.sql("SELECT count(*), count(DISTINCT n) FROM e_got")
tap.ok(out == ["%d|%d" % (len(e.made), len(e.made))], "two scans of one run read the same, a LIMIT does not move records", (out, len(e.made)))
tap.ok(e.chain() == [], "in one chain", e.chain())

f = Source("f")
f.insert = "INSERT INTO f_got (k, n, at, seq) SELECT k, n, at, seq FROM f WHERE at >= $1 AND at < $2 LIMIT 5"
start = Clock.now // EVERY * EVERY + EVERY
f.job(at=start)
play(f, 3, None, lambda w: run("f"))
clock.to(Clock.now + EVERY)
run("f")
out = s.sql("SELECT count(*) || ' ' || string_agg(n::text, ' ' ORDER BY n) FROM f_got")
tap.ok(out == ["15 " + " ".join(str(35 * w + i) for w in range(3) for i in range(5))], "what a LIMIT leaves out is of its window", out)
tap.ok(f.chain() == [], "in one chain", f.chain())

# ---- a window that fails in its middle cannot be passed over: where it ends is not known ----

g = Source("g")
g.insert = ("INSERT INTO g_got (k, n, at, seq) SELECT k, n / CASE WHEN n = 40 AND (SELECT fails FROM g_fails) THEN 0 ELSE 1 END,"
            " at, seq FROM g WHERE at >= $1 AND at < $2")
s.sql("CREATE TABLE g_fails AS SELECT true AS fails")
start = Clock.now // EVERY * EVERY + EVERY
g.job(at=start, on_failure="'skip'", retry_limit=0)
play(g, 3, None, lambda w: run("g"))
clock.to(Clock.now + EVERY)
out, state = run("g")
tap.ok(state == "22012" and not g.difference([x for x in g.made if x[1] < 35]) and
       s.sql("SELECT DISTINCT state FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'g' ORDER BY 1") == ["blocked", "done"],
       "a window that fails blocks the job", (g.difference(), state, out))
s.sql("UPDATE g_fails SET fails = false")
out, state = run("g")
tap.ok(state == "00000" and not g.difference(), "and is done when the cause is removed", (g.difference(), state, out))

# ---- a window whose source was not read at all: the next one begins at its time ----

i = Source("i")
s.sql("CREATE TABLE i_on (x int)")
i.insert = "INSERT INTO i_got (k, n, at, seq) SELECT k, n, at, seq FROM i, i_on WHERE at >= $1 AND at < $2 AND EXISTS (SELECT FROM i_on)"
start = Clock.now // EVERY * EVERY + EVERY
i.job(at=start)
play(i, 3, None, lambda w: (s.sql("TRUNCATE i_on"), w != 1 and s.sql("INSERT INTO i_on VALUES (1)"), run("i")))
clock.to(Clock.now + EVERY)
tap.ok(not i.difference([x for x in i.made if x[1] < 35 or x[1] >= 70]), "what a window did not want is not in the next one", i.difference())

# ---- Tablestore as the target ----

h = Source("h", page_records=6)
ots_create("copy", [("k", "STRING")], max_versions=5)
s.sql("CREATE FOREIGN TABLE copy (k text OPTIONS (key '1'), n int) SERVER ots OPTIONS (table 'copy')")
h.insert = "INSERT INTO copy (k, n) SELECT k, n FROM h WHERE at >= $1 AND at < $2"
start = Clock.now // EVERY * EVERY + EVERY
h.job(at=start)


def copy_difference(source):
    want = {r["key"][0]: r["columns"]["n"] for r in ots_rows(source.name)}
    got = {r["key"][0]: r["columns"]["n"] for r in ots_rows("copy")}
    return "" if want == got else "%s %s" % (want, got)


bad = []
for label in LABELS:
    play(h, 1, {0: lambda: stream("split_partition", table="h", at="k0%d" % (1 + LABELS.index(label)))})
    clock.to(Clock.now + EVERY)
    s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('h')" % label)
    s = reconnect()
    before = {(r["key"][0], v["ts"]) for r in ots_rows("copy", timestamps=True) for v in r["columns"]["n"]}
    out, state = run("h")
    if state != "00000" or copy_difference(h):
        bad.append("%s: %s %s %s" % (label, state, out, copy_difference(h)))
    after = {(r["key"][0], v["ts"]) for r in ots_rows("copy", timestamps=True) for v in r["columns"]["n"]}
    versions = {int(x) for x in s.sql("SELECT write_ts FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'h'")}
    if {t for _, t in after} - versions:
        bad.append("%s: versions %s, of the runs %s" % (label, sorted(after), sorted(versions)))
tap.ok(not bad, "the copy in Tablestore converges, its cells carry the versions of the runs", bad)
tap.ok(s.sql("SELECT bool_and(n = 1) FROM (SELECT count(DISTINCT write_ts) AS n FROM mc.run GROUP BY job_id, seq) x") == ["t"],
       "all attempts of a window write one version")

call("clock", {"system": True})
command("tablestore", "create_table", table="numbered", replace=True,
        keys=[{"name": "k", "type": "STRING"}, {"name": "i", "type": "INTEGER", "auto_increment": True}])
s.sql("CREATE FOREIGN TABLE numbered (k text OPTIONS (key '1'), i bigint OPTIONS (key '2'), n int) SERVER ots"
      " OPTIONS (table 'numbered')")
h.insert = "INSERT INTO numbered (k, n) SELECT 'x', 1"
h.job("numbered", at=int(time.time()) // EVERY * EVERY - 600)
out, state = run("numbered")
tap.ok(state == "0A000" and not ots_rows("numbered"), "keys that the service chooses are refused", (state, out))
h.job("numbered_twice", at=int(time.time()) // EVERY * EVERY - 600, at_least_once="true", max_windows=1)
out, state = run("numbered_twice")
tap.ok(state == "00000" and len(ots_rows("numbered")) == 1, "unless the job accepts repetitions", (state, out))
tap.done()
