"""A day of 288 five-minute windows, driven by the emulator's clock: LogHub into a partition of MaxCompute
that all windows append to, into partitions of their own that are overwritten, into OSS and into a local
table.  Two requests in a hundred fail, calls overlap and are repeated, a sweeper goes about, sessions are
terminated and killed, shards split and merge, groups come late, and for two hours no request is answered.
At the end every row is in every target once, and mc.run tells what happened.

MC_DAY_SEED chooses what is left to chance, MC_DAY_WINDOWS makes the day shorter.
"""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, SERVERS, Session, Tap, call, command, odps_sql, oss_bucket, requests  # noqa: E402

tap = Tap()
SEED = int(os.environ.get("MC_DAY_SEED", "1"))
WINDOWS = int(os.environ.get("MC_DAY_WINDOWS", "288"))
START = 1795017600          # 2026-11-19 00:00 in Shanghai
STEP = 300
OUTAGE = range(WINDOWS // 2, WINDOWS // 2 + 24)
SPLIT, MERGE = WINDOWS // 5, WINDOWS * 4 // 5
WINDOW = "FROM hits WHERE __receive_time__ >= $1 AND __receive_time__ < $2"
LOCAL = "AT TIME ZONE 'Asia/Shanghai'"
JOBS = {
    "day_append": "INSERT INTO day_append SELECT id, v, to_char($1 %s, 'YYYYMMDD') %s" % (LOCAL, WINDOW),
    "day_overwrite": "INSERT INTO day_overwrite SELECT id, v, to_char($1 %s, 'YYYYMMDDHH24MI') %s" % (LOCAL, WINDOW),
    "day_oss": "INSERT INTO day_oss SELECT id, v, to_char($1 %s, 'YYYYMMDD') %s" % (LOCAL, WINDOW),
    "day_local": "INSERT INTO day_local SELECT id, v %s" % WINDOW,
}
# two in a hundred; flipped bits are not among them: against those there is TLS
KINDS = [("status", {"http": 500, "code": "InternalServerError", "message": "injected"}), ("status", {"http": 503, "code": "ServerBusy"}),
         ("status_after", {"http": 500, "code": "InternalServerError", "message": "injected"}), ("reset_before", {}), ("reset_after", {}),
         ("drop", {}), ("close_after", {}), ("reset_mid_body", {}), ("truncate_body", {}), ("stall_before", {"ms": 400}),
         ("stall_after", {"ms": 400}), ("stall_mid_body", {"ms": 400})]
FAULTS = [dict(more, action=kind, probability=0.02 / len(KINDS), seed=SEED * 100 + i) for i, (kind, more) in enumerate(KINDS)]
QUICK = ("SET client_min_messages = warning; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '2s';"
         "SET mc_fdw.publish_timeout = '2s'; SET mc_fdw.max_retries = '%d'")


def admin(sql, database="postgres"):
    """asked until the server answers: it may be recovering"""
    end = time.monotonic() + 60
    while True:
        done = subprocess.run(["psql", "-XqAt", "-d", database, "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
        if time.monotonic() > end or done.returncode != 2:
            raise RuntimeError(sql + "\n" + done.stderr)
        time.sleep(0.05)


class Caller:
    """a session that calls; another one takes its place when it is gone"""

    def __init__(self, retries):
        self.retries = retries
        self.s = None
        self.busy = False
        self.sent = None

    def send(self, sql):
        for _ in range(200):
            try:
                if self.s is None:
                    self.s = Session(QUICK % self.retries)
                self.s.send(sql)
                self.busy, self.sent = True, sql
                return
            except (RuntimeError, OSError, IndexError, ValueError):
                self.s = None
                time.sleep(0.05)
        raise RuntimeError("no session")

    def finish(self):
        """SQLSTATE"""
        self.busy = False
        try:
            out, state = self.s.finish(120)
        except OSError:
            out, state = [], "lost"
        if state in ("lost", "57P01", "57P02", "57P03") or any("server closed the connection" in x or "terminating connection" in x for x in out):
            self.s.proc.kill()
            self.s = None
            return "lost", out
        return state, out


class Day:
    def __init__(self):
        self.random = random.Random(SEED)
        self.rows = []
        self.states = {}            # SQLSTATE -> how often a call ended with it
        self.strange = []
        self.gone = self.killed = self.overlaps = 0
        self.callers = [Caller(n) for n in (3, 0, 2, 3, 1, 3, 2, 3, 3)]
        self.sweeper = Caller(2)
        self.open = [0, 1]
        self.latest = {0: START, 1: START}
        self.hit = []

    def prepare(self):
        call("clock", {"now": START - 3600})
        command("emulator", "set", check_clock=False)       # that of the database does not move with it
        command("loghub", "create_project", project="web")
        command("loghub", "create_logstore", project="web", logstore="hits", shards=2, ttl=3650)
        command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        oss_bucket("demo")
        odps_sql("CREATE TABLE demo.day_append (id BIGINT, v STRING) PARTITIONED BY (dt STRING)")
        odps_sql("CREATE TABLE demo.day_overwrite (id BIGINT, v STRING) PARTITIONED BY (w STRING)")
        admin("ALTER SYSTEM SET log_min_messages = warning")
        admin("ALTER SYSTEM SET autovacuum = off")          # its commits are not the jobs'
        admin("SELECT pg_reload_conf()")
        s = Session()
        s.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE hits (__receive_time__ timestamptz, id bigint, v text) SERVER sls OPTIONS (logstore 'hits');
CREATE FOREIGN TABLE day_append (id bigint, v text, dt text) SERVER odps OPTIONS (table 'day_append');
CREATE FOREIGN TABLE day_overwrite (id bigint, v text, w text) SERVER odps OPTIONS (table 'day_overwrite', write_mode 'overwrite');
CREATE FOREIGN TABLE day_oss (id bigint, v text, dt text) SERVER oss OPTIONS (prefix 'hits/dt={dt}/', format 'csv', missing_ok 'true');
CREATE TABLE day_local (id bigint, v text)""" % ((OSS,) + KEY))
        for name, statement in JOBS.items():
            self.create(s, name, statement, START)
        return s

    @staticmethod
    def create(s, name, statement, start):
        s.sql("SELECT mc.create_job('%s', $job$%s$job$, '5 min', lag => '1 min', start => to_timestamp(%d), "
              "timezone => 'Asia/Shanghai', retry_delay => '0')" % (name, statement, start))

    def append(self, k):
        """what arrives in window k; some of it is older than what is there, also than the window"""
        commands = []
        for shard in self.open:
            times = sorted(START + STEP * k + self.random.randrange(STEP) for _ in range(self.random.randrange(4)))
            for at in times:
                late = self.random.random() < 0.1
                logs = []
                for _ in range(self.random.randrange(1, 4)):
                    n = len(self.rows) + 1
                    self.rows.append("%d|v%d" % (n, n * 7919 % 100003))
                    logs.append({"__time__": at, "id": str(n), "v": "v%d" % (n * 7919 % 100003)})
                commands.append({"service": "loghub", "op": "append_group", "project": "web", "logstore": "hits", "shard": shard,
                                 "receive_time": max(START, at - self.random.randrange(1, 400)) if late else max(at, self.latest[shard]),
                                 "late": late, "group": {"__logs__": logs}})
                if not late:
                    self.latest[shard] = max(at, self.latest[shard])
        if commands:
            call("command", commands)

    def reshard(self, k):
        if k == SPLIT:
            made = command("loghub", "split", project="web", logstore="hits", shard=0)["shards"]
            self.open = [1] + made
        elif k == MERGE:
            made = command("loghub", "merge", project="web", logstore="hits", shard=self.open[1])["shard"]
            self.open = [1, made]
        else:
            return
        for shard in self.open:
            self.latest.setdefault(shard, START + STEP * k)

    def end(self, caller):
        state, out = caller.finish()
        self.states[state] = self.states.get(state, 0) + 1
        if state[:2] not in ("00", "08", "53", "HV", "lo") and state != "55000":
            self.strange.append((caller.sent, state, out))

    def step(self, k):
        """one turn of the clock: every job is called, some twice or three times at once"""
        calls = [job for job in JOBS for _ in range(self.random.choice((1, 1, 2, 3) if k % 5 == 0 else (1,)))]
        self.overlaps += len(calls) - len(JOBS)
        self.random.shuffle(calls)
        free = list(self.callers)
        self.random.shuffle(free)
        used = []
        for job in calls[:len(free)]:
            used.append(free.pop())
            used[-1].send("CALL mc.run_job('%s')" % job)
        if k % 3 == 0:
            self.sweeper.send("CALL mc.resolve_all()")
            used.append(self.sweeper)
        if self.random.random() < 0.12:
            self.hurt(used)
        for caller in used:
            self.end(caller)
        if k % 7 == 0:                              # a call that comes again finds nothing to do, or what failed
            used[0].send("CALL mc.run_job('%s')" % calls[0])
            self.end(used[0])

    def hurt(self, used):
        time.sleep(self.random.random() * 0.05)
        victim = self.random.choice(used)
        if self.killed < 4 and self.random.random() < 0.15:
            self.killed += 1
            try:
                os.kill(victim.s.pid, signal.SIGKILL)   # the whole server recovers
            except ProcessLookupError:                  # it went with an earlier one
                pass
        else:
            self.gone += 1
            admin("SELECT pg_terminate_backend(%d)" % victim.s.pid)

    def outage(self, k):
        """the services answer nothing; a window of each job is begun before"""
        refuse = {"action": "reset_before"}
        if k == OUTAGE[0]:
            for job in JOBS:
                call("faults", [dict(refuse, service=x) for x in ("maxcompute", "oss")] + [dict(refuse, service="loghub", api="PullLogs")])
                self.callers[1].send("CALL mc.run_job('%s')" % job)
                self.end(self.callers[1])
            call("faults", [refuse])
        else:
            for job in JOBS:
                self.callers[1].send("CALL mc.run_job('%s')" % job)
                self.end(self.callers[1])

    def run(self):
        call("faults", FAULTS)
        for k in range(WINDOWS):
            call("clock", {"now": START + STEP * (k + 1) + 61})
            self.append(k)
            self.reshard(k)
            if k == OUTAGE[0]:
                self.hit = call("faults")
            if k in OUTAGE:
                self.outage(k)
                if k == OUTAGE[-1]:
                    call("faults", FAULTS)
            else:
                self.step(k)
        # what failed last is done by the next calls, as on any other day
        self.late = call("faults")
        for _ in range(10):
            for job in JOBS:
                self.callers[0].send("CALL mc.run_job('%s')" % job)
                self.end(self.callers[0])
            if admin("SELECT count(*) FROM mc.run WHERE state = 'done'") == str(len(JOBS) * WINDOWS):
                break
        call("faults", [])

    def check(self):
        tap.ok(not self.strange, "every call ends well, or by what was done to it: %s" % self.states, self.strange[:3])
        fired = {a["action"]: a["fired"] + b["fired"] for a, b in zip(self.hit, self.late)}
        tap.ok(len(self.hit) == len(KINDS) and sum(fired.values()) >= WINDOWS / 4, "requests failed: %s" % fired)
        print("# %d rows, %d requests, %d sessions terminated, %d killed, %d calls more than one at once" %
              (len(self.rows), requests(), self.gone, self.killed, self.overlaps), flush=True)
        s = Session()
        end = START + STEP * WINDOWS
        for job in JOBS:
            got = s.sql("SELECT id, v FROM %s ORDER BY 1" % job)
            tap.ok(got == self.rows, "%s: every row once" % job, "lost %s, twice %s, foreign %s" % (
                sorted(set(self.rows) - set(got))[:3], len(got) - len(set(got)), sorted(set(got) - set(self.rows))[:3]))
            where = "r.job_id = (SELECT job_id FROM mc.job WHERE name = '%s')" % job
            story = s.sql("SELECT state, count(*) FROM mc.run r WHERE %s GROUP BY 1 ORDER BY 1" % where)
            count = dict(x.split("|") for x in story)
            tap.ok(count.get("done") == str(WINDOWS) and not set(count) - {"done", "failed", "lost"}, "%s: every window is done" % job, story)
            tap.ok(s.sql("SELECT count(*), count(DISTINCT seq), count(DISTINCT window_begin), min(window_begin) = to_timestamp(%d), "
                         "max(window_end) = to_timestamp(%d), sum(rows_out) FROM mc.run r WHERE %s AND state = 'done'" % (START, end, where)) ==
                   ["%d|%d|%d|t|t|%d" % (WINDOWS, WINDOWS, WINDOWS, len(self.rows))], "%s: none is done twice, and they count the rows" % job)
            tap.ok(s.sql("SELECT count(*) FROM (SELECT window_begin, lag(window_end) OVER (ORDER BY seq) AS before FROM mc.run r "
                         "WHERE %s AND state = 'done') c WHERE before <> window_begin" % where) == ["0"], "%s: windows follow each other" % job)
            tap.ok(s.sql("SELECT count(*) FROM (SELECT position_begin, lag(position_end) OVER w AS before FROM mc.run_shard r WHERE %s "
                         "WINDOW w AS (PARTITION BY source, shard ORDER BY window_begin)) c WHERE before <> position_begin" % where) == ["0"],
                   "%s: each shard is a chain" % job)
            tap.ok(s.sql("SELECT count(*) FROM mc.run r WHERE %s AND state = 'failed' AND (error_code IS NULL OR error_message IS NULL)" % where) ==
                   ["0"], "%s: what failed says why" % job)
            tap.ok(s.sql("SELECT max(n) > 5 FROM (SELECT count(*) AS n FROM mc.run r WHERE %s AND state = 'failed' GROUP BY seq) c" % where) == ["t"],
                   "%s: an outage does not use up the attempts" % job,
                   s.sql("SELECT seq, count(*) FROM mc.run r WHERE %s GROUP BY 1 HAVING count(*) > 3" % where))
            tap.ok(s.sql("SELECT published_until = to_timestamp(%d), state, open_entries, gaps FROM mc.status WHERE job = '%s'" % (end, job)) ==
                   ["t|done|0|0"], "%s: mc.status says that the day is published" % job)
            print("# %s: %s; failed: %s" % (job, " ".join(story), " ".join(s.sql(
                "SELECT error_code, count(*) FROM mc.run r WHERE %s AND state = 'failed' GROUP BY 1 ORDER BY 1" % where))), flush=True)
        tap.ok(int(s.sql("SELECT count(*) FROM mc.run WHERE state = 'failed' AND error_code LIKE '08%'")[0]) >= 24,
               "mc.run knows of the outage")
        tap.ok(int(s.sql("SELECT sum(late) FROM mc.run_shard")[0]) > 0 and s.sql("SELECT count(DISTINCT shard) FROM mc.run_shard") == ["5"],
               "late groups were counted, and new shards read")
        tap.ok(s.sql("SELECT count(*) FROM mc.publish WHERE state NOT IN ('published', 'superseded', 'lost', 'discarded')") == ["0"],
               "no entry of the outbox is open")
        s.close()


def commits(sql):
    """how many transactions one call of sql commits; what a session did is counted when it has ended"""
    asked = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"
    counts = []
    for text in ("SELECT 1", "SELECT 1; %s" % sql):
        s = Session()
        before = int(admin(asked, "template1"))
        s.sql(text)
        s.close()
        admin("SELECT pg_sleep(0.1)", "template1")
        counts.append(int(admin(asked, "template1")) - before)
    return counts[1] - counts[0]


def overhead(day, s):
    """local commits of a job over those of its statement: few, however many windows a call runs"""
    n = 10
    call("clock", {"now": START + STEP * (WINDOWS + 2 * n)})
    for k in range(n):
        day.append(WINDOWS + k)
    for job in JOBS:
        bare = "; ".join(JOBS[job].replace("$1", "to_timestamp(%d)" % (START + STEP * (WINDOWS + k))).replace(
            "$2", "to_timestamp(%d)" % (START + STEP * (WINDOWS + k + 1))) for k in range(n)) if job == "day_local" else None
        one = commits("CALL mc.run_job('%s', 1)" % job)
        many = commits("CALL mc.run_job('%s', %d)" % (job, n - 1))
        each = (many - one) / (n - 2)
        tap.ok(1 <= each <= 12 and one <= 12, "%s: %g local commits for a window, %d with the call" % (job, each, one))
        if bare:
            tap.ok(commits(bare) == n, "the bare statements are a commit each")


def main():
    day = Day()
    s = day.prepare()
    s.close()
    begun = time.monotonic()
    day.run()
    print("# the day took %.0f s" % (time.monotonic() - begun), flush=True)
    day.check()
    overhead(day, s)
    tap.done()


main()
