"""Jobs that read LogHub: every log group is in exactly one window and the positions of a shard are one
chain from its first group to its last, whatever happens between two requests: late groups, cursor gaps,
splits, merges, failing requests, crashes at every step of a run, a service that is restarted."""
import base64
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import faults  # noqa: E402
from mctest import KEY, Session, Tap, call, command  # noqa: E402

tap = Tap()
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
STEPS = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed")


class Service:
    """an emulator of our own, which can be restarted with what it holds"""

    def __init__(self):
        self.dir = tempfile.mkdtemp()
        self.ahead = 0
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [ROOT + "/test/emulator/mc-emulator", "--loghub-port", str(self.port), "--maxcompute-port", "0", "--tablestore-port", "0", "--oss-port", "0",
             "--access-key", ":".join(KEY), "--data", self.dir], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("loghub "):
                self.port = int(line.split()[1].rsplit(":", 1)[1])
            if line.startswith("ready"):
                break
        os.environ["MC_LOGHUB_PORT"] = str(self.port)
        if self.ahead:
            call("clock", {"advance_s": self.ahead})

    def restart(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.start()

    def advance(self, seconds):
        self.ahead += seconds
        call("clock", {"advance_s": seconds})

    def now(self):
        return time.time() + self.ahead

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)


class Logstore:
    """a logstore with everything that was ever written to it"""

    def __init__(self, name, seed, meta=True):
        self.name, self.rng, self.n, self.meta = name, random.Random(seed), 0, meta
        command("loghub", "create_logstore", project="web", logstore=name, shards=2, ttl=30, appendMeta=meta)
        self.open = {0: (0, 8), 1: (8, 16)}     # hash keys in sixteenths
        self.groups = {}                        # id of the log -> shard, cursor
        self.versions = {}

    def shard_of(self, key):
        return next(s for s, (low, high) in self.open.items() if low <= key < high)

    def write(self, late=0, gap=0):
        key = self.rng.randrange(16)
        shard = self.shard_of(key)
        self.n += 1
        self.versions[key] = self.n
        more = {}
        if late:
            more = {"receive_time": int(service.now()) - late, "late": True}
        # the first group of a shard is where its cursors begin: what was told before may be refused
        if gap and any(s == shard for s, _ in self.groups.values()):
            more["cursor_gap"] = gap
        log = {"__time__": int(service.now()), "id": str(self.n), "key": str(key)}
        answer = command("loghub", "append_group", project="web", logstore=self.name, shard=shard, group={"__logs__": [log]}, **more)
        self.groups[self.n] = (shard, int(answer["cursor"]))

    def split(self):
        wide = [s for s, (low, high) in self.open.items() if high - low > 1]
        if not wide or len(self.open) > 6:
            return
        shard = self.rng.choice(wide)
        low, high = self.open.pop(shard)
        a, b = command("loghub", "split", project="web", logstore=self.name, shard=shard)["shards"]
        self.open[a], self.open[b] = (low, (low + high) // 2), ((low + high) // 2, high)

    def merge(self):
        pairs = [(s, t) for s in self.open for t in self.open if self.open[s][1] == self.open[t][0]
                 and (self.open[t][1] - self.open[s][0]) in (2, 4, 8, 16)]
        if not pairs or len(self.open) < 3:
            return
        left, right = self.rng.choice(pairs)
        new = command("loghub", "merge", project="web", logstore=self.name, shard=left)["shard"]
        self.open[new] = (self.open.pop(left)[0], self.open.pop(right)[1])

    def act(self):
        """something that happens in the life of a logstore"""
        dice = self.rng.random()
        if dice < 0.06:
            self.split()
        elif dice < 0.11:
            self.merge()
        else:
            self.write(late=self.rng.choice([0, 0, 0, 0, 5, 70, 400]), gap=self.rng.choice([0] * 9 + [1000]))

    def cursors(self, shard):
        return next(s for s in shards_of(self.name) if s["id"] == shard)


def cursor(text):
    return int(base64.b64decode(text))


def check(session, store, job, table, what):
    rows = [json.loads(x) for x in session.sql("SELECT json_build_array(id, shard, cur, at < win OR at >= win + interval '5 min') FROM " + table)]
    ids = sorted(r[0] for r in rows)
    twice = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
    lost = sorted(set(store.groups) - set(ids))
    tap.ok(not twice and not lost and len(ids) == store.n, "%s: every log is there once" % what,
           "%d of %d, lost %s, twice %s" % (len(ids), store.n, lost[:10], twice[:10]))
    tap.ok(all(store.groups[i][0] == s for i, s, _, _ in rows), "%s: with its own shard" % what)
    tap.ok(not any(r[3] for r in rows), "%s: receive times lie in their windows" % what)
    chain = [json.loads(x) for x in session.sql(
        "SELECT json_build_array(shard::int, position_begin, position_end, finished) FROM mc.run_shard JOIN mc.job USING (job_id)"
        " WHERE name = '%s' ORDER BY shard::int, window_begin" % job)]
    broken, last = [], {}
    for shard, begin, end, finished in chain:
        if shard in last and (last[shard][0] != begin or last[shard][1]):
            broken.append((shard, last[shard], begin))
        if shard not in last and cursor(begin) != int(store.cursors(shard)["begin_cursor"]):
            broken.append((shard, "first", begin))
        last[shard] = end, finished
    for shard, (end, finished) in last.items():
        if cursor(end) != int(store.cursors(shard)["next_cursor"]):
            broken.append((shard, "last", end))
        if finished == (shard in store.open):
            broken.append((shard, "finished", finished))
    tap.ok(not broken and set(last) >= set(store.open), "%s: the windows of each shard are one chain, from its first group to its end" % what,
           str(broken[:5]))


def new_session():
    return Session("SET client_min_messages = warning", database="postgres")


def reconnect():
    """when the server has restarted after a crash"""
    for _ in range(100):
        time.sleep(0.3)
        try:
            session = new_session()
            session.sql("SELECT 1")
            return session
        except (ValueError, IndexError, RuntimeError, BrokenPipeError):
            pass
    raise RuntimeError("the server does not come back")


def create(session, store, job, table, statement=None, **more):
    start = int(service.now()) // 300 * 300
    session.sql("CREATE FOREIGN TABLE %s_in (id int, key int, __shard__ int, __cursor__ text, __receive_time__ timestamptz)"
                " SERVER job_sls OPTIONS (logstore '%s', fetch_size '3')" % (table, store.name))
    session.sql("CREATE TABLE %s (id int, shard int, cur text, at timestamptz, win timestamptz)" % table)
    session.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '5 min', lag => '90 s', start => to_timestamp(%d), retry_limit => 1000)" % (
        job, statement or "INSERT INTO %s SELECT id, __shard__, __cursor__, __receive_time__, $1 FROM %s_in"
        " WHERE __receive_time__ >= $1 AND __receive_time__ < $2" % (table, table), start))


def run(session, job):
    return session.try_sql("CALL mc.run_job('%s', retry => true)" % job)


def drain(session, job):
    """until every window is done that has an end; then one more, so that what came late is read as well"""
    service.advance(600)
    for _ in range(30):
        out, state = run(session, job)
        if state == "00000":
            return
    tap.ok(False, "%s comes to an end" % job, "\n".join(out))


def life(session, seed):
    """windows with anything between them"""
    store = Logstore("life%d" % seed, seed)
    rng, job, table = random.Random(seed), "life%d" % seed, "life_%d" % seed
    for _ in range(20):
        store.act()
    create(session, store, job, table)
    # what was there before the job began is not its own
    session.sql("UPDATE mc.job SET start = start - interval '10 min' WHERE name = '%s'" % job)
    for _ in range(25):
        for _ in range(rng.randrange(12)):
            store.act()
            if rng.random() < 0.3:
                service.advance(rng.randrange(100))
        service.advance(rng.randrange(400))
        if rng.random() < 0.1:
            service.restart()
        run(session, job)
    drain(session, job)
    check(session, store, job, table, "life %d" % seed)
    late = int(session.sql("SELECT sum(late) FROM mc.run_shard JOIN mc.job USING (job_id) WHERE name = '%s'" % job)[0])
    tap.ok(late > 0, "life %d: late groups are counted" % seed, str(late))
    tap.ok(session.sql("SELECT sum(s.rows) = %d AND (SELECT sum(rows_in) FROM mc.run WHERE run.job_id = s.job_id AND state = 'done') = %d"
                       " FROM mc.run_shard s JOIN mc.job USING (job_id) WHERE name = '%s' GROUP BY s.job_id" % (store.n, store.n, job)) == ["t"],
           "life %d: rows are counted" % seed)


def in_between(session):
    """a split, a merge, a late group before each single request of a window"""
    store = Logstore("between", 77)
    create(session, store, "between", "between_t")
    count = 0
    for n in range(1, 40):
        for _ in range(4):
            store.write()
        service.advance(300)
        what = n % 3
        shard = max(store.open)
        low, high = store.open[shard]
        if what == 0 and high - low > 1:
            done = {"op": "split", "shard": shard}
        elif what == 1:
            store.n += 1
            done = {"op": "append_group", "shard": shard, "late": True, "receive_time": int(service.now()) - 400,
                    "group": {"__logs__": [{"__time__": int(service.now()), "id": str(store.n), "key": "1"}]}}
        else:
            done = {"op": "append_group", "shard": shard, "cursor_gap": 100,
                    "group": {"__logs__": [{"__time__": int(service.now()), "id": str(store.n + 1), "key": "1"}]}}
            store.n += 1
        faults({"service": "loghub", "nth": n % 13 + 1, "action": "command",
                "command": dict(done, service="loghub", project="web", logstore="between")})
        run(session, "between")
        struck = call("counters")["faults"][0]["fired"]
        count += struck
        if not struck:
            faults()
            if done["op"] == "append_group":
                command("loghub", "append_group", project="web", logstore="between", **{k: v for k, v in done.items() if k != "op"})
            else:
                continue
        faults()
        if done["op"] == "split":
            del store.open[shard]
            first = max(s["id"] for s in shards_of("between")) - 1
            store.open[first], store.open[first + 1] = (low, (low + high) // 2), ((low + high) // 2, high)
    drain(session, "between")
    ids = sorted(map(int, session.sql("SELECT id FROM between_t")))
    tap.ok(ids == list(range(1, store.n + 1)) and count > 30, "what happens between two requests of a window: every log is there once",
           "%d of %d, %d faults" % (len(ids), store.n, count))


def shards_of(logstore):
    return call("state")["loghub"]["projects"]["web"][logstore]["shards"]


def crashes(session):
    """the session dies at each step, and at each request; the windows go on"""
    store = Logstore("crash", 5)
    create(session, store, "crash", "crash_t")
    died = 0
    for step in STEPS:
        for _ in range(12):
            store.act()
        service.advance(400)
        victim = new_session()
        victim.send("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('crash', retry => true)" % step)
        _, state = victim.finish(120)
        died += state == "lost"
        session = reconnect()
        for _ in range(3):
            store.write(late=300)
        run(session, "crash")
    tap.ok(died == len(STEPS), "the session died at each step", "%d of %d" % (died, len(STEPS)))
    for n in range(1, 25):
        for _ in range(3):
            store.act()
        service.advance(310)
        faults({"service": "loghub", "nth": n % 12 + 1, "action": ["status", "reset_after", "truncate_body"][n % 3], "http": 400, "code": "Refused"})
        session.try_sql("SET mc_fdw.max_retries = 0; CALL mc.run_job('crash', retry => true)")
        faults()
        store.write(late=200)
    session.sql("RESET mc_fdw.max_retries")
    drain(session, "crash")
    check(session, store, "crash", "crash_t", "crashes")
    return session


def shared(session):
    """two scans of one statement, and of two statements, read the same although groups arrive between them"""
    store = Logstore("shared", 9)
    create(session, store, "shared", "shared_t",
           "INSERT INTO shared_t SELECT a.id, a.__shard__, b.__cursor__, a.__receive_time__, $1 FROM shared_t_in a JOIN shared_t_in b USING (id)"
           " WHERE a.__receive_time__ >= $1 AND a.__receive_time__ < $2 AND b.__receive_time__ >= $1 AND b.__receive_time__ < $2")
    for _ in range(6):
        for _ in range(8):
            store.act()
        service.advance(400)
        store.n += 1
        faults({"service": "loghub", "api": "PullLogs", "nth": 2, "action": "command",
                "command": {"service": "loghub", "op": "append_group", "project": "web", "logstore": "shared", "shard": max(store.open), "late": True,
                            "receive_time": int(service.now()) - 500, "group": {"__logs__": [{"__time__": int(service.now()), "id": str(store.n), "key": "1"}]}}})
        run(session, "shared")
        faults()
    drain(session, "shared")
    ids = sorted(map(int, session.sql("SELECT id FROM shared_t")))
    tap.ok(ids == sorted(set(ids)) and set(store.groups) <= set(ids), "both scans of a join read the same positions", "%d of %d" % (len(ids), store.n))


def order(session):
    """a target that keeps the newest row of a key: each shard in order, parents before children"""
    store = Logstore("ordered", 21)
    session.sql("CREATE TABLE ordered_log (key int, id int, wrong boolean)")
    session.sql("CREATE FUNCTION ordered_check() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " NEW.wrong := EXISTS (SELECT FROM ordered_log l WHERE l.key = NEW.key AND l.id > NEW.id); RETURN NEW; END $$")
    session.sql("CREATE TRIGGER t BEFORE INSERT ON ordered_log FOR EACH ROW EXECUTE FUNCTION ordered_check()")
    create(session, store, "ordered", "ordered_t", "INSERT INTO ordered_log (key, id) SELECT key, id FROM ordered_t_in"
           " WHERE __receive_time__ >= $1 AND __receive_time__ < $2")
    for _ in range(12):
        for i in range(40):
            if i % 10 == 9:
                store.rng.choice([store.split, store.merge])()
            store.write(late=store.rng.choice([0, 0, 0, 400]))
        service.advance(400)
        run(session, "ordered")
    drain(session, "ordered")
    tap.ok(session.sql("SELECT count(*) = %d AND count(DISTINCT id) = %d AND bool_or(wrong) IS FALSE FROM ordered_log" % (store.n, store.n)) == ["t"],
           "rows of a key come in the order in which they were written",
           str(session.sql("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE wrong) FROM ordered_log")) + " of %d" % store.n)


def gaps(session):
    """a window that was skipped is closed by a backfill: nothing lost, nothing twice, late groups included"""
    store = Logstore("gap", 33)
    session.sql("CREATE TABLE gap_fails (n int)")
    session.sql("CREATE FUNCTION gap_check() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                " RETURN 1 / (1 - (SELECT count(*) FROM public.gap_fails)) = 1; END $$")
    create(session, store, "gap", "gap_t", "INSERT INTO gap_t SELECT id, __shard__, __cursor__, __receive_time__, $1 FROM gap_t_in"
           " WHERE __receive_time__ >= $1 AND __receive_time__ < $2 AND gap_check()")
    session.sql("UPDATE mc.job SET retry_limit = 0, on_failure = 'skip' WHERE name = 'gap'")
    for n in range(10):
        for _ in range(8):
            store.act()
            service.advance(20)
        service.advance(200)
        if n % 4 == 2:
            session.sql("INSERT INTO gap_fails VALUES (1)")
        run(session, "gap")
        session.sql("TRUNCATE gap_fails")
    drain(session, "gap")
    skipped = session.sql("SELECT window_begin, window_end FROM mc.gap JOIN mc.job USING (job_id) WHERE name = 'gap' AND closed_at IS NULL ORDER BY 1")
    for window in skipped:
        session.sql("CALL mc.backfill('gap', '%s', '%s')" % tuple(window.split("|")))
    tap.ok(len(skipped) > 0, "windows were skipped", str(skipped))
    ids = sorted(map(int, session.sql("SELECT id FROM gap_t")))
    tap.ok(ids == list(range(1, store.n + 1)), "backfills close the gaps exactly", "%d of %d, lost %s" % (
        len(ids), store.n, sorted(set(range(1, store.n + 1)) - set(ids))[:10]))


def refusals(session):
    store = Logstore("refuse", 41)
    create(session, store, "refuse", "refuse_t")
    store.write()
    service.advance(700)
    session.sql("CALL mc.run_job('refuse')")
    store.write()
    service.advance(400)
    shard = store.groups[2][0]
    session.sql("INSERT INTO mc.checkpoint SELECT job_id, source, '99', position, false, window_end, NULL, owner FROM mc.checkpoint JOIN mc.job j USING (job_id, owner)"
                " WHERE name = 'refuse' LIMIT 1")
    out, state = run(session, "refuse")
    tap.ok(state == "55000" and "shard 99" in "\n".join(out) and "is gone" in "\n".join(out), "a shard that vanished before it was read is an error", "\n".join(out))
    session.sql("DELETE FROM mc.checkpoint WHERE shard = '99'")
    session.sql("UPDATE mc.checkpoint c SET position = encode('1', 'base64') FROM mc.job j WHERE j.job_id = c.job_id AND name = 'refuse' AND shard = '%d'" % shard)
    out, state = run(session, "refuse")
    tap.ok(state != "00000" and "InvalidCursor" in "\n".join(out), "a position that the service does not know is an error, never a jump", "\n".join(out))
    out, state = session.try_sql("SELECT mc.create_job('early', $$SELECT count(*) FROM refuse_t_in WHERE __receive_time__ >= $1 AND __receive_time__ < $2$$,"
                                 " every => '5 min', lag => '0', start => to_timestamp(%d)); UPDATE mc.job SET sources = '{}' WHERE name = 'early';"
                                 " CALL mc.run_job('early', retry => true)" % (int(time.time()) // 300 * 300 - 300))
    service.advance(40 * 86400)
    out, state = run(session, "refuse")
    tap.ok(state == "22008" and "retention" in "\n".join(out), "a window older than the retention is an error", "\n".join(out))


def marks(session):
    """positions in a consumer group, and a database that went back"""
    store = Logstore("marked", 61)
    create(session, store, "marked", "marked_t")
    ahead = "SELECT mc._mark_ahead(job_id) FROM mc.job WHERE name = 'marked'"
    tap.ok(session.sql(ahead) == [""], "a job without a consumer group has no mark")
    session.sql("ALTER FOREIGN TABLE marked_t_in OPTIONS (ADD consumer_group 'warehouse')")
    tap.ok(session.sql(ahead) == [""], "nor has one that has not run")
    saved = None
    for n in range(6):
        for _ in range(10):
            store.act()
        service.advance(400)
        if n == 3:
            faults({"service": "loghub", "api": "UpdateCheckPoint", "nth": 1, "action": "status", "http": 400, "code": "Refused"})
        out, state = run(session, "marked")
        warned = any("WARNING" in x and "consumer group" in x for x in out)
        tap.ok(state == "00000" and warned == (n == 3), "window %d: %s" % (n, "a failing mark is a warning" if n == 3 else "positions are reported"),
               "\n".join(out))
        if n == 3:
            tap.ok(call("counters")["faults"][0]["fired"] == 1, "the fault struck")
            faults()
        tap.ok(session.sql(ahead) == ["f"], "window %d: the group knows nothing that is not recorded" % n)
        if n == 4:
            saved = session.sql("SELECT shard, position, reported FROM mc.checkpoint JOIN mc.job USING (job_id) WHERE name = 'marked'")
    tap.ok(session.sql("SELECT count(*) FILTER (WHERE reported IS DISTINCT FROM position) FROM mc.checkpoint JOIN mc.job USING (job_id)"
                       " WHERE name = 'marked'") == ["0"], "every position is reported in the end")
    for row in saved:
        session.sql("UPDATE mc.checkpoint c SET position = '%s', reported = '%s' FROM mc.job j WHERE j.job_id = c.job_id AND name = 'marked'"
                    " AND shard = '%s'" % tuple([row.split("|")[1], row.split("|")[2], row.split("|")[0]]))
    tap.ok(session.sql(ahead) == ["t"], "a database that went back is told")


def explain(session):
    store = Logstore("explained", 51)
    store.write()
    session.sql("CREATE TABLE explained_plan (line text)")
    create(session, store, "explained", "explained_t",
           "DO $d$ BEGIN NULL; END $d$")
    # it names no source, so the local clock says what is due
    session.sql("UPDATE mc.job SET start = date_bin('5 min', now() - interval '1 day', '2000-01-01') WHERE name = 'explained'")
    lines = "\n".join(session.sql("EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM explained_t_in WHERE __receive_time__ < now()"))
    tap.ok("Chained: no, only in the run of a job" in lines, "EXPLAIN outside of a run: not chained", lines)
    for condition, wanted in (("__receive_time__ >= $1 AND __receive_time__ < $2", "Chained: yes, in order"),
                              ("__receive_time__ >= $1 - interval '1 s' AND __receive_time__ < $2", "Chained: no, the bounds"),
                              ("__shard__ = 0 AND __receive_time__ >= $1 AND __receive_time__ < $2", "Chained: no, it has a condition on the shard")):
        session.sql("CREATE OR REPLACE FUNCTION explained_run(timestamptz, timestamptz) RETURNS void LANGUAGE plpgsql AS $f$ DECLARE r text; BEGIN"
                    " TRUNCATE explained_plan; FOR r IN EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT id FROM explained_t_in WHERE %s LOOP"
                    " INSERT INTO explained_plan VALUES (r); END LOOP; END $f$" % condition)
        session.sql("SELECT mc.alter_job('explained', statement => 'SELECT public.explained_run($1, $2)')")
        out, state = session.try_sql("CALL mc.run_job('explained', max_windows => 1)")
        lines = "\n".join(session.sql("SELECT line FROM explained_plan"))
        tap.ok(state == "00000" and wanted in lines, wanted, "\n".join(out) + lines)


service = Service()
try:
    s = Session(database="postgres")
    s.sql("SET client_min_messages = warning; CREATE EXTENSION mc_fdw")
    command("loghub", "create_project", project="web")
    s.sql("CREATE SERVER job_sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://localhost:%d', project 'web')" % service.port)
    s.sql("CREATE USER MAPPING FOR CURRENT_USER SERVER job_sls OPTIONS (access_key_id '%s', access_key_secret '%s')" % KEY)
    only = sys.argv[1:] or ["life", "between", "crash", "shared", "order", "gaps", "marks", "explain", "refuse"]
    if "life" in only:
        for seed in (1, 2, 3):
            life(s, seed)
    if "between" in only:
        in_between(s)
    if "crash" in only:
        s = crashes(s)
    if "shared" in only:
        shared(s)
    if "order" in only:
        order(s)
    if "gaps" in only:
        gaps(s)
    if "marks" in only:
        marks(s)
    if "explain" in only:
        explain(s)
    if "refuse" in only:
        refusals(s)
finally:
    service.close()
tap.done()
