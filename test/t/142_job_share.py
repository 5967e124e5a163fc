"""Two PostgreSQL clusters share the shards of a logstore by a consumer group: every log is read once over
both, whatever is killed between the windows, inside of them and for how long; shards are split meanwhile."""
import base64
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import faults  # noqa: E402
from mctest import SERVERS, Session, Tap, call, command, odps_sql  # noqa: E402

tap = Tap()
DIR = os.environ["MC_DIR"]
JOBS = ("local", "remote")
# a session that dies there has claimed its ranges for certain, or nothing
CERTAIN = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "published", "T2")
STEPS = CERTAIN + ("claim", "claimed")
ahead = 0


def advance(seconds):
    global ahead
    ahead += seconds
    call("clock", {"advance_s": seconds})


def now():
    return time.time() + ahead


def as_owner(*words):
    return subprocess.run((["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + list(words),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Cluster:
    def __init__(self, name, data, port):
        self.name, self.data, self.port, self.up, self.session = name, data, port, True, None

    @staticmethod
    def second():
        """like the one that is there, beside it"""
        data = DIR + "/data2"
        made = as_owner("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        assert made.returncode == 0, made.stdout
        with open(DIR + "/data/postgresql.conf") as f:
            conf = f.read()
        with open(data + "/postgresql.conf", "w") as f:
            f.write(conf + "\nport = 5433\n")
        cluster = Cluster("B", data, 5433)
        cluster.start()
        return cluster

    def start(self):
        for _ in range(50):
            log = DIR + "/%s.log" % self.name
            if as_owner("env", "-u", "MC_KEY_ID", "-u", "MC_KEY_SECRET", "pg_ctl", "-D", self.data, "-l", log, "-w", "start").returncode == 0:
                self.up = True
                return
            time.sleep(0.2)
        raise RuntimeError("cluster %s does not start" % self.name)

    def connect(self):
        """also after a crash"""
        for _ in range(200):
            try:
                session = Session("SET client_min_messages = warning", database="host=%s port=%d dbname=postgres" % (DIR, self.port))
                session.sql("SELECT 1")
                self.session = session
                return session
            except (ValueError, IndexError, RuntimeError, BrokenPipeError, OSError):
                time.sleep(0.2)
        raise RuntimeError("cluster %s does not come back" % self.name)

    def kill(self):
        """the machine is gone"""
        with open(self.data + "/postmaster.pid") as f:
            master = int(f.readline())
        children = [int(p) for p in subprocess.run(["pgrep", "-P", str(master)], stdout=subprocess.PIPE, text=True).stdout.split()]
        for pid in [master] + children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.up = False

    def sql(self, text):
        return self.session.sql(text)

    def send(self, job, before=""):
        self.session.send("%sCALL mc.run_job('%s', retry => true)" % (before, job))

    def run(self, job):
        return self.session.try_sql("CALL mc.run_job('%s', retry => true)" % job)

    def die(self, job, step):
        """the session dies at a step, if the run comes there, and the cluster restarts"""
        self.send(job, "SET mc_fdw.fail_at = '%s:kill'; " % step)
        _, state = self.session.finish(120)
        if state == "lost":
            time.sleep(0.3)             # the postmaster may not have noticed yet
            self.connect()
        else:
            self.sql("RESET mc_fdw.fail_at")
        return state == "lost"


class Store:
    def __init__(self, name, seed):
        self.name, self.rng, self.n = name, random.Random(seed), 0
        command("loghub", "create_logstore", project="web", logstore=name, shards=8, ttl=30, appendMeta=True)
        self.open = list(range(8))
        self.used = set()

    def write(self, n):
        for _ in range(n):
            shard = self.rng.choice(self.open)
            self.used.add(shard)
            self.n += 1
            late = self.rng.choice([0, 0, 0, 0, 100, 500])
            more = {"receive_time": int(now()) - late, "late": True} if late else {}
            command("loghub", "append_group", project="web", logstore=self.name, shard=shard,
                    group={"__logs__": [{"__time__": int(now()), "id": str(self.n)}]}, **more)

    def split(self):
        shard = self.rng.choice(self.open)
        self.open.remove(shard)
        self.open += command("loghub", "split", project="web", logstore=self.name, shard=shard)["shards"]

    def shards(self):
        return call("state")["loghub"]["projects"]["web"][self.name]["shards"]


def prepare(clusters, store):
    start = int(now()) // 300 * 300
    odps_sql("CREATE TABLE demo.%s (id BIGINT)" % store.name)
    for c in clusters:
        for job in JOBS:
            c.sql("CREATE FOREIGN TABLE %s_%s_in (id bigint, __receive_time__ timestamptz) SERVER sls"
                  " OPTIONS (logstore '%s', consumer_group '%s', consumer_share 'true', fetch_size '3')" % (store.name, job, store.name, job))
        c.sql("CREATE TABLE %s_local (id bigint)" % store.name)
        c.sql("CREATE FOREIGN TABLE %s_remote (id bigint) SERVER odps OPTIONS (\"table\" '%s')" % (store.name, store.name))
        for job in JOBS:
            c.sql("SELECT mc.create_job('%s_%s', 'INSERT INTO public.%s_%s SELECT id FROM public.%s_%s_in WHERE __receive_time__ >= $1 AND __receive_time__ < $2',"
                  " every => '5 min', lag => '90 s', start => to_timestamp(%d), retry_limit => 1000, retry_delay => '0')"
                  % (store.name, job, store.name, job, store.name, job, start))


def ranges(cluster, job):
    """(window, shard, begin, end, encoded begin) of what is done, without what is empty"""
    rows = [r.split("|") for r in cluster.sql("SELECT extract(epoch FROM window_begin)::bigint, shard, position_begin, position_end FROM mc.run_shard"
                                              " JOIN mc.job USING (job_id) WHERE name = '%s' AND position_begin <> position_end" % job)]
    return [(int(w), int(s), int(base64.b64decode(b)), int(base64.b64decode(e)), b, e) for w, s, b, e in rows]


def drain(clusters, store):
    for _ in range(4):
        advance(400)
        for c in clusters:
            for job in JOBS:
                out, state = c.run("%s_%s" % (store.name, job))
                tap.ok(state == "00000", "%s, %s: the rest of %s is read" % (store.name, c.name, job), "\n".join(out)) if state != "00000" else None


def check(clusters, store, what):
    a, b = clusters
    local = sorted(int(x) for c in clusters for x in c.sql("SELECT id FROM %s_local" % store.name))
    remote = sorted(int(x) for x in a.sql("SELECT id FROM %s_remote" % store.name))
    everything = list(range(1, store.n + 1))
    for name, ids in (("local tables", local), ("MaxCompute", remote)):
        tap.ok(ids == everything, "%s: %s: every log once over both clusters" % (what, name), "%d of %d, lost %s, twice %s" % (
            len(ids), store.n, sorted(set(everything) - set(ids))[:9], sorted({i for i in ids if ids.count(i) > 1})[:9] if ids != everything else ""))
    for job in JOBS:
        both = [r for c in clusters for r in ranges(c, "%s_%s" % (store.name, job))]
        broken = []
        for s in store.shards():
            mine = sorted((r[2], r[3]) for r in both if r[1] == s["id"])
            if s["id"] in store.used and not mine:
                broken.append((s["id"], "none"))
            if mine and (mine[-1][1] != int(s["next_cursor"]) or any(x[1] != y[0] for x, y in zip(mine, mine[1:]))):
                broken.append((s["id"], mine))
        tap.ok(not broken, "%s: %s: the ranges of both make one chain in each shard" % (what, job), str(broken)[:2000])


def calm(clusters):
    """nobody dies: the shards are shared evenly, and disjoint in every window"""
    store = Store("calm", 1)
    store.write(10)
    prepare(clusters, store)
    for n in range(8):
        store.write(40)
        advance(300)
        for c in clusters:                 # at the same time
            c.send("calm_local")
        for c in clusters:
            out, state = c.session.finish(120)
            tap.ok(state == "00000", "calm: window %d of %s" % (n, c.name), "\n".join(out))
            out, state = c.run("calm_remote")
            tap.ok(state == "00000", "calm: remote window %d of %s" % (n, c.name), "\n".join(out))
    drain(clusters, store)
    check(clusters, store, "calm")
    for job in JOBS:
        shards = [{}, {}]
        for mine, c in zip(shards, clusters):
            for window, shard, *_ in ranges(c, "calm_" + job):
                mine.setdefault(window, set()).add(shard)
        windows = sorted(set(shards[0]) | set(shards[1]))
        # two of the first may be run while the group still gives a shard away
        tap.ok(not [w for w in windows[3:] if shards[0].get(w, set()) & shards[1].get(w, set())], "%s: disjoint shards in every window" % job, str(shards))
        even = [w for w in windows[3:] if len(shards[0].get(w, set())) <= 4 and len(shards[1].get(w, set())) <= 4 and w in shards[0] and w in shards[1]]
        tap.ok(len(even) >= 3, "%s: both read, neither more than half of them" % job, str(shards))


def storm(clusters, seed):
    """sessions die at every step, answers are lost, shards are split, a cluster is away for long"""
    store = Store("storm%d" % seed, seed)
    rng = random.Random(seed)
    prepare(clusters, store)
    steps = list(STEPS) * 2
    rng.shuffle(steps)
    died = {}
    for n in range(len(steps)):
        store.write(rng.randrange(5, 25))
        if n % 6 == 3:
            store.split()
        advance(rng.randrange(280, 330))
        victim = rng.choice([c for c in clusters if c.up])
        for c in rng.sample(clusters, 2):
            if not c.up:
                continue
            for job in JOBS:
                name = "%s_%s" % (store.name, job)
                if c is victim and n % 2 == 0 and c.die(name, steps[n]):
                    died[steps[n]] = died.get(steps[n], 0) + 1
                elif c is victim and n % 5 == 1:
                    faults({"service": "loghub", "api": rng.choice(["UpdateCheckPoint", "HeartBeat", "GetCheckPoint"]), "nth": rng.randrange(1, 4),
                            "action": rng.choice(["reset_after", "status"]), "http": 400, "code": "Refused"})
                    c.session.try_sql("SET mc_fdw.max_retries = 0; CALL mc.run_job('%s', retry => true)" % name)
                    c.sql("RESET mc_fdw.max_retries")
                    faults()
                else:
                    c.run(name)
        if all(c.up for c in clusters) and n % 7 == 5:
            # between windows, or inside of one
            if rng.random() < 0.5:
                advance(300)
                died["away"] = died.get("away", 0) + victim.die("%s_%s" % (store.name, rng.choice(JOBS)), rng.choice(CERTAIN))
            victim.kill()
            died["kill -9"] = died.get("kill -9", 0) + 1
        elif n % 7 == 4:
            for c in clusters:
                if not c.up:
                    c.start()
                    c.connect()
    for c in clusters:
        if not c.up:
            c.start()
            c.connect()
    for c in clusters:
        settled(c, clusters, store)
    drain(clusters, store)
    check(clusters, store, "storm %d" % seed)
    tap.ok(len(died) >= 8 and died.get("kill -9", 0) >= 2, "storm %d: sessions died at many steps, clusters were away" % seed, str(died))
    windows = [{}, {}]
    for mine, c in zip(windows, clusters):
        for window, shard, *_ in ranges(c, store.name + "_local"):
            mine.setdefault(window, set()).add(shard)
    tap.ok(any(len(s) > len(store.open) // 2 + 2 for mine in windows for s in mine.values()),
           "storm %d: the shards of the one that is away are read by the other" % seed, str(windows))


def settled(cluster, clusters, store):
    """what a job could not find out by itself is in the books of the other"""
    other = next(c for c in clusters if c is not cluster)
    n = 0
    for job in JOBS:
        name = "%s_%s" % (store.name, job)
        _, state = cluster.run(name)
        if state != "55000":
            continue
        for shard, begin, end in [r.split("|") for r in cluster.sql(
                "SELECT shard, position_begin, position_end FROM mc.claim JOIN mc.job USING (job_id) WHERE name = '%s' AND claim.state = 'intended'" % name)]:
            theirs = [r for r in ranges(other, name) if r[1] == int(shard)]
            taken = any(r[4] == end for r in theirs)
            not_taken = any(r[4] == begin for r in theirs)
            if taken != not_taken:
                n += 1
                cluster.sql("SELECT mc.settle_claim('%s', '%s', %s)" % (name, shard, str(taken).lower()))
    return n


def unknown(clusters, step):
    """the session dies while it claims and stays away until the other has gone on: the job asks"""
    store = Store("unknown_" + step, 7)
    prepare(clusters, store)
    a, b = clusters
    for _ in range(3):
        store.write(30)
        advance(300)
        for c in clusters:
            for job in JOBS:
                c.run("%s_%s" % (store.name, job))
    store.write(40)
    advance(300)
    tap.ok(a.die(store.name + "_local", step), "%s: the session died" % step)
    for _ in range(5):
        store.write(40)
        advance(300)
        for job in JOBS:
            b.run("%s_%s" % (store.name, job))
    out, state = a.run(store.name + "_local")
    tap.ok(state == "55000" and "it is not known whether shard" in "\n".join(out), "%s: the job says that it does not know" % step, "\n".join(out))
    out, state = a.run(store.name + "_local")
    tap.ok(state == "55000", "%s: and goes on to say it" % step, "\n".join(out))
    tap.ok(settled(a, clusters, store) > 0, "%s: the other's books know" % step)
    drain(clusters, store)
    check(clusters, store, step)


def taken_away(clusters):
    """the cluster hangs between what it read of the group and its claim, until the other has its shards"""
    store = Store("away", 9)
    prepare(clusters, store)
    a, b = clusters
    for _ in range(3):
        store.write(30)
        advance(300)
        for c in clusters:
            c.run("away_local")
    store.write(60)
    advance(300)
    faults({"service": "loghub", "api": "UpdateCheckPoint", "nth": 1, "action": "stall_before"})
    a.send("away_local", "SET mc_fdw.stall_timeout = '4s'; ")
    end = time.monotonic() + 30
    while not call("counters")["faults"][0]["fired"] and time.monotonic() < end:
        time.sleep(0.05)
    advance(1000)
    for _ in range(2):
        out, state = b.run("away_local")
    tap.ok(state == "00000", "the other goes on with the shards of the one that hangs", "\n".join(out))
    out, state = a.session.finish(120)
    tap.ok(state == "00000" and call("counters")["faults"][0]["fired"] == 1, "which claims nothing when it wakes up", "\n".join(out))
    faults()
    a.sql("RESET mc_fdw.stall_timeout")
    tap.ok(a.sql("SELECT count(*) FROM mc.claim JOIN mc.job USING (job_id) WHERE name = 'away_local' AND claim.state = 'intended'") == ["0"],
           "and forgets what it wanted")
    for c in clusters:
        c.run("away_remote")
    drain(clusters, store)
    check(clusters, store, "taken away")


def refusals(clusters):
    a = clusters[0]
    store = Store("refused", 3)
    store.write(20)
    out, state = a.session.try_sql("CREATE FOREIGN TABLE r (id bigint) SERVER sls OPTIONS (logstore 'refused', consumer_share 'true')")
    tap.ok("needs \"consumer_group\"" in "\n".join(out), "consumer_share needs consumer_group", "\n".join(out))
    prepare([a], store)
    advance(800)
    a.sql("ALTER TABLE refused_local ADD PRIMARY KEY (id)")

    def attempt(text, wanted, what):
        if text:
            a.sql("SELECT mc.alter_job('refused_local', statement => $$%s$$)" % text)
        out, state = a.run("refused_local")
        tap.ok(state != "00000" and wanted in "\n".join(out), what, "\n".join(out))
    window = "__receive_time__ >= $1 AND __receive_time__ < $2"
    attempt("INSERT INTO public.refused_local SELECT id FROM public.refused_local_in WHERE %s ON CONFLICT (id) DO UPDATE SET id = excluded.id" % window,
            "cannot be read in order", "a target that keeps the newest row is refused")
    attempt("INSERT INTO public.refused_local SELECT id FROM public.refused_local_in WHERE __receive_time__ >= $1 - interval '1 s' AND __receive_time__ < $2",
            "cannot share shards", "a scan by time is refused")
    a.sql("SELECT mc.alter_job('refused_local', statement => $$INSERT INTO public.refused_local SELECT id FROM public.refused_local_in WHERE %s$$)" % window)
    out, state = a.run("refused_local")
    tap.ok(state == "00000" and len(a.sql("SELECT id FROM refused_local")) > 0, "what was claimed is read when the statement is right", "\n".join(out))
    # positions in our name that we do not know
    store.write(40)
    advance(400)
    a.run("refused_local")
    a.sql("UPDATE mc.checkpoint c SET position = encode('1', 'base64') FROM mc.job j WHERE j.job_id = c.job_id AND name = 'refused_local'")
    store.write(40)
    advance(400)
    out, state = a.run("refused_local")
    tap.ok(state == "55000" and "does not know" in "\n".join(out), "a database that went back is told", "\n".join(out))


command("loghub", "create_project", project="web")
command("maxcompute", "create_project", project="demo")
command("maxcompute", "set", rates=False)
command("emulator", "set", check_clock=False)
second = None
try:
    second = Cluster.second()
    both = [Cluster("A", DIR + "/data", int(os.environ["PGPORT"])), second]
    for c in both:
        c.connect()
        c.sql("SET client_min_messages = warning; CREATE EXTENSION mc_fdw;" + SERVERS)
    only = sys.argv[1:] or ["calm", "storm", "unknown", "away", "refusals"]
    if "calm" in only:
        calm(both)
    if "storm" in only:
        for seed in (1, 2):
            storm(both, seed)
    if "unknown" in only:
        for step in ("claim", "claimed"):
            unknown(both, step)
    if "away" in only:
        taken_away(both)
    if "refusals" in only:
        refusals(both)
finally:
    if second and second.up:
        as_owner("pg_ctl", "-D", second.data, "-m", "immediate", "-w", "stop")
tap.done()
