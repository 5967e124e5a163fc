"""Jobs that pg_cron runs, in its two modes at the same time: over connections (cluster A) and in background
workers (cluster B).  An ordinary role whose name has upper-case letters follows the three statements of
docs/jobs.md.  The service's clock is moved by many windows a minute; a run is slower than its interval; calls
overlap; sessions and workers are killed with SIGKILL; a server is restarted in the middle of a run.  pg_cron
itself goes by the minutes of the system's clock: the test takes three of them.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, odps_sql  # noqa: E402

tap = Tap()
DIR = os.environ["MC_DIR"]
START, STEP, PART, ROWS = 1795017600, 300, 8, 3200
JOBS = ("Hits_odps", "Hits_local")
SLOW = {"action": "delay", "ms": 400}       # sessions are met in the middle of a run
CONF = """
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.host = '%s'
cron.use_background_workers = %s
max_worker_processes = 20
log_min_messages = warning
"""
CALLS = "cron.job_run_details WHERE command LIKE 'CALL mc.run_job(''Hits%'"


def as_owner(*words):
    subprocess.run((["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + list(words), check=True, stdout=subprocess.DEVNULL,
                   env={k: v for k, v in os.environ.items() if not k.startswith("MC_KEY")})


class Cluster:
    def __init__(self, name, data, port, workers):
        self.name, self.data, self.address = name, data, "host=%s port=%d dbname=postgres" % (DIR, port)
        self.kind = "pg_cron" if workers else "client backend"
        with open(data + "/postgresql.conf", "a") as f:
            f.write("port = %d\n" % port + CONF % (DIR, "on" if workers else "off"))

    @staticmethod
    def second():
        """like the one that is there, beside it"""
        data = DIR + "/data2"
        as_owner("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        with open(DIR + "/data/postgresql.conf") as f, open(data + "/postgresql.conf", "w") as g:
            g.write(f.read())
        return data

    def ctl(self, what):
        as_owner("pg_ctl", "-D", self.data, "-l", "%s/%s.log" % (DIR, self.name), "-m", "fast", "-w", what)

    def session(self, settings=""):
        return Session(settings, database=self.address)

    def ask(self, sql):
        """also while the server recovers"""
        end = time.monotonic() + 60
        while True:
            done = subprocess.run(["psql", "-XqAt", "-d", self.address, "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
            if time.monotonic() > end:
                raise RuntimeError(done.stderr)
            time.sleep(0.1)

    def until(self, sql, seconds=120):
        """waits for an answer that is neither empty nor false"""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = self.ask(sql)
            if answer not in ("", "f"):
                return answer
            time.sleep(0.1)
        return ""

    def busy(self):
        """a process in which pg_cron runs a job, as soon as there is one: its id, the job, what kind it is"""
        found = self.until("SELECT pid, substring(query, 'Hits[a-z_]*'), backend_type FROM pg_stat_activity WHERE query LIKE 'CALL mc.run_job(''Hits%'"
                           " AND state = 'active' AND application_name <> 'psql' AND EXISTS (SELECT FROM mc.run JOIN mc.job USING (job_id)"
                           " WHERE state = 'running' AND name = substring(query, 'Hits[a-z_]*')) LIMIT 1")
        return found.split("|") if found else [0, "", ""]

    def kill(self):
        pid, job, kind = self.busy()
        if pid:
            os.kill(int(pid), signal.SIGKILL)
        tap.ok(pid and kind.startswith(self.kind), "%s: a process of pg_cron is killed in the middle of a run" % self.name, kind)

    def now(self):
        return self.ask("SELECT clock_timestamp()")

    def called(self, since):
        """waits until each job was called after that moment, and the call has ended"""
        return self.until("SELECT count(DISTINCT command) FILTER (WHERE end_time IS NOT NULL AND start_time > '%s') = %d FROM %s" % (since, len(JOBS), CALLS))

    def exact(self, n, why):
        got = self.ask("SELECT string_agg(name || ' ' || (SELECT count(*) FROM mc.run r WHERE r.job_id = j.job_id AND state = 'done'), ', ' ORDER BY name)"
                       " FROM mc.job j WHERE name ~ '^Hits'")
        tap.ok(got == "Hits_local %d, Hits_odps %d" % (n, n), "%s: %s" % (self.name, why),
               got + "\n" + self.ask("SELECT jobid, status, return_message, start_time, end_time FROM cron.job_run_details ORDER BY runid") +
               "\n" + self.ask("SELECT job_id, seq, attempt, state, error_code, started_at, finished_at FROM mc.run WHERE state <> 'done'"))

    def create(self):
        s = self.session("SET client_min_messages = warning")
        odps_sql("CREATE TABLE demo.hits_%s (c1 STRING, c2 STRING) PARTITIONED BY (dt STRING)" % self.name)
        s.sql("CREATE EXTENSION pg_cron; CREATE EXTENSION mc_fdw;" + SERVERS.replace("FOR CURRENT_USER", 'FOR "Etl"').replace(
            "CREATE SERVER sls", 'CREATE ROLE "Etl" LOGIN; CREATE SERVER sls', 1) +
              '; GRANT USAGE ON FOREIGN SERVER sls, odps TO "Etl"; GRANT USAGE ON SCHEMA cron TO "Etl"; GRANT CREATE ON SCHEMA public TO "Etl"')
        s.sql("""SET ROLE "Etl";
CREATE FOREIGN TABLE logs (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'hits');
CREATE FOREIGN TABLE hits (c1 text, c2 text, dt text) SERVER odps OPTIONS (table 'hits_%s');
CREATE TABLE kept (c1 text, c2 text); CREATE TABLE slow (t timestamptz)""" % self.name)
        for name, target, dt in (("Hits_odps", "hits", ", to_char($1, 'YYYYMMDD')"), ("Hits_local", "kept", "")):
            s.sql("SELECT mc.create_job('%s', $job$INSERT INTO %s SELECT c1, c2%s FROM logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2$job$,"
                  " '5 min', lag => '1 min', start => to_timestamp(%d), retry_delay => '0')" % (name, target, dt, START))
            s.sql("SELECT mc.schedule_job('%s', '* * * * *')" % name)
        tap.ok(s.sql("SELECT DISTINCT username FROM cron.job") == ["Etl"], "%s: the jobs are the role's, by its exact name" % self.name)
        s.close()

    def verify(self):
        s = self.session('SET client_min_messages = warning; SET ROLE "Etl"')
        wanted = s.sql("SELECT c1, c2 FROM logs ORDER BY 1, 2")
        for job, target in (("Hits_odps", "hits"), ("Hits_local", "kept")):
            got = s.sql("SELECT c1, c2 FROM %s ORDER BY 1, 2" % target)
            tap.ok(len(wanted) == ROWS and got == wanted, "%s: %s: every row once" % (self.name, job), "%d of %d rows" % (len(got), len(wanted)))
            got = s.sql("SELECT count(DISTINCT seq), count(*), max(window_end) = to_timestamp(%d) FROM mc.run JOIN mc.job USING (job_id) "
                        "WHERE state = 'done' AND name = '%s'" % (START + 3 * PART * STEP, job))
            tap.ok(got == ["%d|%d|t" % (3 * PART, 3 * PART)], "%s: %s: each window is done once" % (self.name, job), got)
        s.close()
        got = self.ask("SELECT a.job_id, a.run_id, b.run_id FROM mc.run a JOIN mc.run b ON a.job_id = b.job_id AND a.run_id < b.run_id"
                       " AND tstzrange(a.started_at, a.finished_at) && tstzrange(b.started_at, b.finished_at)")
        tap.ok(got == "", "%s: never two runs of a job at once" % self.name, got)
        got = self.ask("SELECT count(*) FILTER (WHERE command LIKE 'CALL mc.run_job%') > 0, count(*) FILTER (WHERE command = 'CALL mc.resolve_all()') > 0"
                       " FROM cron.job_run_details WHERE status = 'succeeded'")
        tap.ok(got == "t|t", "%s: cron.job_run_details has the runs and the sweeper's" % self.name, got)
        for sql in ("SELECT command, status, count(*) FROM cron.job_run_details GROUP BY 1, 2 ORDER BY 1, 2",
                    "SELECT state, error_code, count(*) FROM mc.run GROUP BY 1, 2 ORDER BY 1, 2"):
            print("# %s: %s" % (self.name, self.ask(sql).replace("\n", ", ")), flush=True)


def clock(windows):
    call("clock", {"now": START + windows * STEP + 61})


def services():
    clock(0)
    command("emulator", "set", check_clock=False)       # that of the database does not move with it
    command("loghub", "create_project", project="web")
    command("loghub", "create_logstore", project="web", logstore="hits", shards=2, ttl=3650)
    command("loghub", "generate", project="web", logstore="hits", profile="text10", rows=ROWS, seed=5, logs_per_group=5,
            **{"from": str(START), "to": str(START + STEP * 3 * PART)})
    command("maxcompute", "create_project", project="demo")


def begin_slow(c):
    """a job whose statement lasts until a lock is released"""
    gate = c.session("SELECT pg_advisory_lock(42)")
    s = c.session('SET ROLE "Etl"')
    s.sql("SELECT mc.create_job('Slow', 'SELECT pg_advisory_xact_lock_shared(42); INSERT INTO slow VALUES ($1)', '5 min',"
          " start => '2018-01-11 01:30+08', max_windows => 1, lint => false); SELECT mc.schedule_job('Slow', '* * * * *')")
    s.close()
    return gate


def end_slow(c, gate, since):
    """pg_cron's next minute has come: its call of the slow job waits in pg_cron"""
    c.until("SELECT count(*) > 0 FROM %s AND start_time > '%s'" % (CALLS, since))
    mine = "cron.job_run_details WHERE command LIKE '%Slow%'"
    got = c.ask("SELECT (SELECT string_agg(status, ' ') FROM %s), (SELECT string_agg(r.state, ' ') FROM mc.run r JOIN mc.job USING (job_id) WHERE name = 'Slow')" % mine)
    tap.ok(got == "running|running", "a run slower than its interval: one call, one run", got)
    out, state = gate.try_sql("CALL mc.run_job('Slow')", 60)
    tap.ok(state == "00000" and "is being run by another session" in "".join(out), "a call by hand is told", "%s %s" % (state, out))
    gate.sql("SELECT pg_advisory_unlock(42)")
    gate.close()
    c.until("SELECT count(*) FILTER (WHERE status = 'succeeded') >= 2 FROM " + mine, 30)
    got = c.ask("SELECT count(*) >= 2, bool_and(status = 'succeeded'), bool_and(start_time >= before), (SELECT count(*) >= 2 AND count(DISTINCT t) = count(*) FROM slow)"
                " FROM (SELECT *, lag(end_time) OVER (ORDER BY start_time) AS before FROM %s) x" % mine)
    tap.ok(got == "t|t|t|t", "the call that waited follows when the first ends, and does the next window", got)


def main():
    if subprocess.run(["sh", "-c", 'test -e "$(pg_config --pkglibdir)/pg_cron.so"']).returncode:
        tap.ok(True, "# SKIP postgresql-15-cron is not installed")
        tap.done()
    services()
    data = Cluster.second()
    a = Cluster("a", DIR + "/data", 5432, False)
    a.ctl("restart")
    b = Cluster("b", data, 5433, True)
    b.ctl("start")
    try:
        minutes(a, b)
    finally:
        b.ctl("stop")
    tap.done()


def minutes(a, b):
    for c in (a, b):
        c.create()
    gate = begin_slow(a)

    # first: windows that are late; B is restarted in the middle of a run
    call("faults", [SLOW])
    clock(PART)
    since = a.now()
    pid, job, kind = b.busy()
    tap.ok(pid and kind.startswith(b.kind), "b: a background worker runs a job", kind)
    s = b.session("SET client_min_messages = notice")
    out, state = s.try_sql("CALL mc.run_job('%s', 1)" % job)
    tap.ok(state == "00000" and "is being run by another session" in "".join(out), "b: a call by hand overlaps and is told", "%s %s" % (state, out))
    s.close()
    b.ctl("restart")
    call("faults", [])
    a.called(since)
    a.exact(PART, "pg_cron runs what is due")

    # second: the slow run meets its next minute; a session of A and a worker of B are killed
    since = a.now()
    call("faults", [SLOW])
    clock(2 * PART)
    b.kill()
    end_slow(a, gate, since)
    a.kill()
    call("faults", [])

    # third: what is left
    clock(3 * PART)
    since = {c: c.now() for c in (a, b)}
    for c in (a, b):
        c.called(since[c])
        c.exact(3 * PART, "the next calls do what is left")
        c.verify()


main()
