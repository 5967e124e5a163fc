"""Books of jobs in another database: dumped and restored, copied as files, gone back in time.  A job that
would write rows twice stops until somebody decides, or until the consumer groups of its sources say that
nothing is unknown; all others go on."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, generate, odps_content, odps_sql  # noqa: E402

tap = Tap()
START = "2018-01-11 01:30:00+08"
DIR = os.environ["MC_DIR"]
BIN = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
TEXT = ("INSERT INTO %s SELECT c1, c2, to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI') FROM %s"
        " WHERE __receive_time__ >= $1 AND __receive_time__ < $2")
JOBS = ("adds", "over", "local", "grouped")


def one(s, sql):
    return "\n".join(s.sql(sql))


def run(s, name, windows=1):
    return s.try_sql("CALL mc.run_job('%s', %d, true)" % (name, windows))


def done(s, name):
    return one(s, "SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' AND state = 'done'" % name)


def rows(table):
    """rows of a table of MaxCompute, by window"""
    return {spec: n for spec, (n, _) in odps_content(table).items()}


def as_owner(*argv):
    """programs of the server refuse to be root"""
    argv = (["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + list(argv)
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        raise RuntimeError("%s: %s" % (argv, r.stdout))
    return r.stdout


def dump(database):
    subprocess.run(["psql", "-XqAt", "-c", "CREATE DATABASE " + database], check=True)
    text = subprocess.run(["pg_dump"], stdout=subprocess.PIPE, check=True).stdout
    r = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.ok(r.returncode == 0, "a dump of a database with jobs is restored", r.stdout.decode()[-2000:])
    return Session(database=database)


def set_up(s):
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")
    # nothing is older than its shard
    call("clock", {"now": "2018-01-10T17:00:00Z"})
    generate("hits", 500)
    call("clock", {"system": True})
    for name, options in (("hits", ""), ("grouped_in", ", consumer_group 'warehouse'")):
        s.sql("CREATE FOREIGN TABLE %s (c1 text, c2 text, __receive_time__ timestamptz) SERVER sls OPTIONS (logstore 'hits'%s)" % (name, options))
    for name, options in (("adds", ""), ("over", " OPTIONS (write_mode 'overwrite')"), ("grouped", "")):
        odps_sql("CREATE TABLE demo.%s (c1 STRING, c2 STRING) PARTITIONED BY (w STRING)" % name)
        s.sql("CREATE FOREIGN TABLE %s (c1 text, c2 text, w text) SERVER odps%s" % (name, options))
    s.sql("CREATE TABLE local (c1 text, c2 text, w text)")
    for name in JOBS:
        s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0')" %
              (name, TEXT % (name, "grouped_in" if name == "grouped" else "hits"), START))
        out, state = run(s, name, 2)
        tap.ok(state == "00000" and done(s, name) == "2", "two windows of " + name, out)


def stops(s, name, why):
    before = rows(name)
    out, state = run(s, name)
    tap.ok(state == "55000" and "another database" in "".join(out) and rows(name) == before, why, out)
    return "".join(out)


def goes_on(s, name, windows, why):
    out, state = run(s, name)
    tap.ok(state == "00000" and done(s, name) == windows, why, "%s %s" % (done(s, name), out))
    return "".join(out)


def restored(s):
    other = dump("restored")
    tap.ok([done(other, n) for n in JOBS] == ["2"] * len(JOBS), "the books are in the copy")
    stops(other, "adds", "a restored copy does not append")
    out = other.try_sql("CALL mc.resolve_all()")
    tap.ok(out[1] == "00000", "its sweeper does nothing", out)
    local = goes_on(other, "local", "3", "local rows go back with their position: the job goes on")
    tap.ok("continued by this one" in local, "... with a NOTICE", local)
    goes_on(other, "over", "3", "what is overwritten converges: the job goes on")
    goes_on(other, "grouped", "3", "the consumer group knows of nothing newer: the job goes on")
    # the original has the same identity as ever, and the group now knows more than it
    out = run(s, "adds")
    tap.ok(out[1] == "00000" and done(s, "adds") == "3", "the original goes on", out)
    before = rows("grouped")
    third = dump("behind")
    out = stops(third, "grouped", "a group that knows more stops a copy")
    tap.ok("did not report" in out, "... which says so", out)
    tap.ok(rows("grouped") == before, "... and nothing is written")
    # somebody decides
    n = sum(rows("adds").values())
    got = other.try_sql("SELECT mc.adopt_job('adds', '2018-01-11 01:33+08')")
    tap.ok(got[1] == "00000", "mc.adopt_job() says what was published elsewhere", got)
    goes_on(other, "adds", "3", "... and the job goes on behind it")
    specs = [x for x in rows("adds")]
    tap.ok(len(specs) == 4 and sum(rows("adds").values()) > n, "... window by window", rows("adds"))
    tap.ok(set(rows("adds").values()) == {100}, "... none twice", rows("adds"))
    got = one(other, "SELECT string_agg(seq || ' ' || r.state, ', ' ORDER BY seq) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = 'adds'")
    tap.ok(got == "1 done, 2 done, 3 discarded, 4 done", "... as its books tell", got)
    # a window that failed in the copy and was published by the other
    fourth = dump("failed")
    fourth.sql("SELECT mc.adopt_job('adds'); SELECT mc.alter_job('adds', statement => 'INSERT INTO adds SELECT ''x'', 1/0, ''y''', lint => false)")
    run(fourth, "adds")
    fourth.sql("SELECT mc.adopt_job('adds', '2018-01-11 01:35+08')")
    got = one(fourth, "SELECT string_agg(seq || '.' || attempt || ' ' || r.state, ', ' ORDER BY seq, attempt) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = 'adds' AND seq > 3")
    tap.ok(got == "4.1 failed, 4.2 discarded, 5.1 discarded", "a failed window is settled by mc.adopt_job(), too", got)
    got = one(fourth, "SELECT published_until = '2018-01-11 01:35+08' FROM mc.status WHERE job = 'adds'")
    tap.ok(got == "t", "... and mc.status says so", got)
    for x in (other, third, fourth):
        x.close()


def copied(s):
    """pg_basebackup: promoted, another timeline; with an entry that the original publishes meanwhile"""
    s.sql("SET mc_fdw.fail_at = 'P1'")
    run(s, "adds")
    s.sql("RESET mc_fdw.fail_at")
    open_before = one(s, "SELECT count(*) FROM mc.publish WHERE state IN ('prepared', 'publishing')")
    copy, port = DIR + "/copy", "5433"
    as_owner(BIN + "/pg_basebackup", "-D", copy, "-R", "-X", "stream", "-c", "fast", "-h", DIR, "-p", os.environ["PGPORT"], "-U", "postgres")
    as_owner(BIN + "/pg_ctl", "-D", copy, "-o", "-p " + port, "-l", copy + ".log", "-w", "start")
    try:
        os.environ["PGPORT"], original = port, os.environ["PGPORT"]
        standby = Session()
        os.environ["PGPORT"] = original
        got = run(standby, "adds")
        tap.ok(got[1] == "25006", "a standby runs no job", got)
        got = standby.try_sql("SELECT count(*) FROM mc.status")
        tap.ok(got[1] == "00000", "... and shows their state", got)
        tap.ok(open_before == "1", "an entry is prepared and not published", open_before)
        standby.sql("SELECT pg_promote()")
        stops(standby, "adds", "a promoted standby does not publish what it found prepared")
        got = standby.try_sql("CALL mc.resolve_all()")
        tap.ok(got[1] == "00000" and "another database" in "".join(got[0]), "its sweeper says why", got)
        s.sql("CALL mc.resolve_all()")
        before = rows("adds")
        tap.ok(done(s, "adds") == "4", "the original publishes it", done(s, "adds"))
        standby.sql("SELECT mc.adopt_job('adds')")
        got = run(standby, "adds", 0)
        tap.ok(rows("adds") == before and done(standby, "adds") == "4", "adopted, the copy asks the service and publishes nothing twice",
               "%s %s %s" % (before, rows("adds"), got))
        standby.close()
    finally:
        os.environ["PGPORT"] = os.environ.get("PGPORT", "5432")
        as_owner(BIN + "/pg_ctl", "-D", copy, "-m", "immediate", "stop")


s = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = notice;" + SERVERS)
set_up(s)
for part in (restored, copied):
    try:
        part(s)
    except Exception as e:      # the other part still counts
        tap.ok(False, part.__name__ + " ends", e)
tap.done()
