"""The fence of a job: of two live copies of a database, which have the same identity, only one goes on; and
what becomes of the number when requests fail, come late or hang, when a session dies, when it is deleted."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import (KEY, OSS, SERVERS, Session, Tap, call, command, odps_content, odps_sql, oss_bucket, oss_keys, ots_create,  # noqa: E402
                    ots_rows, recovered)

tap = Tap()
START = "2018-01-11 01:30:00+08"
DIR = os.environ["MC_DIR"]
BIN = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
FENCES = {"ots": "ops.ots_fence", "oss": "ops.oss_fence"}


def one(s, sql):
    return "\n".join(s.sql(sql))


def run(s, name, windows=1):
    return s.try_sql("CALL mc.run_job('%s', %d, true)" % (name, windows) if windows else "CALL mc.resolve_all()")


def states(s, name):
    return one(s, "SELECT string_agg(r.state, ' ' ORDER BY seq, attempt) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % name)


def rows(name):
    """rows of each window; each has one"""
    return [n for _, (n, _) in sorted(odps_content(name).items())]


def numbers(s, name):
    """(what the service has, what the books have, what is asked for)"""
    return one(s, "SELECT mc._fence_read(job_id), fence_last, COALESCE(fence_next, '-') FROM mc.job WHERE name = '%s'" % name).split("|")


def job(s, name, fence=None, mode="append"):
    odps_sql("CREATE TABLE demo.%s (c1 STRING) PARTITIONED BY (w STRING)" % name)
    s.sql("CREATE FOREIGN TABLE %s (c1 text, w text) SERVER odps OPTIONS (write_mode '%s')" % (name, mode))
    s.sql("SELECT mc.create_job('%s', $job$INSERT INTO %s SELECT 'x', to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')$job$,"
          " every => '1 minute', start => '%s', retry_limit => 0%s)" % (name, name, START, ", fence => '%s'" % fence if fence else ""))


def as_owner(*argv):
    argv = (["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + list(argv)
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        raise RuntimeError("%s: %s" % (argv, r.stdout))


def set_up():
    s = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = notice;" + SERVERS)
    command("maxcompute", "create_project", project="demo")
    command("maxcompute", "set", rates=False)
    oss_bucket("demo")
    ots_create("mc_fence", [("job", "STRING")])
    s.sql("""CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE SCHEMA ops;
CREATE FOREIGN TABLE ops.ots_fence (job text OPTIONS (key '1') COLLATE "C" NOT NULL, number text) SERVER ots OPTIONS (table 'mc_fence');
CREATE FOREIGN TABLE ops.oss_fence (number text) SERVER oss OPTIONS (prefix 'ops/', format 'csv')""" % ((OSS,) + KEY))
    return s


def loses(s, name, why, before):
    out, state = run(s, name)
    text = "".join(out)
    tap.ok(state == "55000" and "belongs to another database" in text and "mc.adopt_job('%s')" % name in text and rows(name) == before,
           why, "%s %s" % (rows(name), out))


# ---- two live copies

def start_copy(copy, port):
    as_owner(BIN + "/pg_basebackup", "-D", copy, "-X", "stream", "-c", "fast", "-h", DIR, "-p", os.environ["PGPORT"], "-U", "postgres")
    as_owner(BIN + "/pg_ctl", "-D", copy, "-o", "-p " + port, "-l", copy + ".log", "-w", "start")
    os.environ["PGPORT"], original = port, os.environ["PGPORT"]
    other = Session("SET client_min_messages = notice")
    os.environ["PGPORT"] = original
    return other


def copies(s):
    for name in ("bare", "late", "ots", "oss"):
        job(s, name, FENCES.get("ots" if name == "late" else name))
        out = run(s, name)
        tap.ok(out[1] == "00000" and rows(name) == [1], "a window of " + name, out)
    # one job is copied with an entry that is not published
    s.sql("SET mc_fdw.fail_at = 'P1'")
    run(s, "late")
    s.sql("RESET mc_fdw.fail_at")
    tap.ok(states(s, "late") == "done prepared", "an entry is prepared", states(s, "late"))
    copy = DIR + "/copy"
    other = start_copy(copy, "5433")
    try:
        same = "SELECT system_identifier, mc._timeline() FROM pg_control_system()"
        tap.ok(one(s, same) == one(other, same), "the copy has the same identity and timeline", one(other, same))
        for x in (s, other):
            out = run(x, "bare")
            tap.ok(out[1] == "00000", "without a fence each of them runs the window", out)
        tap.ok(rows("bare") == [1, 2], "... and appends it: its rows are there twice", rows("bare"))
        # the original goes first
        out = run(s, "ots")
        tap.ok(out[1] == "00000" and rows("ots") == [1, 1], "with a fence the first one goes on", out)
        for _ in range(2):
            loses(other, "ots", "the other stops", [1, 1])
        got = one(other, "SELECT string_agg(r.state || r.counts_as_attempt || COALESCE(r.rows_out, -1), ' ') FROM mc.run r JOIN mc.job USING (job_id)"
                  " WHERE name = 'ots' AND seq = 2")
        tap.ok(got == "failedfalse-1 failedfalse-1", "... has executed nothing and used up no attempt", got)
        out = run(s, "ots")
        tap.ok(out[1] == "00000" and rows("ots") == [1, 1, 1], "... for good", out)
        # the copy goes first
        out = run(other, "oss")
        tap.ok(out[1] == "00000" and rows("oss") == [1, 1], "the first one goes on: an object of OSS", out)
        loses(s, "oss", "the other stops: an object of OSS", [1, 1])
        for _ in range(5):
            out = run(other, "oss")
        tap.ok(rows("oss") == [1] * 7, "... however far behind it is", "%s %s" % (rows("oss"), out))
        loses(s, "oss", "... it stops again", [1] * 7)
        keys = [k["key"] if isinstance(k, dict) else k for k in oss_keys("ops/_mc_fence/")]
        tap.ok(len(keys) == 2 and keys[-1].endswith("/000000000007"), "two objects are kept", keys)
        # the entry that both have
        out = other.try_sql("CALL mc.resolve_all()")
        tap.ok(out[1] == "00000" and rows("late") == [1, 1] and states(other, "late") == "done done", "a sweeper takes the fence before it publishes", out)
        out = s.try_sql("CALL mc.resolve_all()")
        tap.ok(out[1] == "00000" and "could not be settled: the fence" in "".join(out[0]) and states(s, "late") == "done prepared", "the other's leaves its entries alone", out)
        loses(s, "late", "... and no window begins", [1, 1])
        got = one(s, "SELECT count(*), max(sent) FROM mc.publish p JOIN mc.run USING (run_id) JOIN mc.job USING (job_id) WHERE name = 'late' AND p.state = 'prepared'")
        tap.ok(got == "1|0", "... nothing was sent", got)
        # somebody decides: the copy, which knows what the original has done, takes over
        out = other.try_sql("SELECT mc.adopt_job('ots', '2018-01-11 01:33+08')")
        tap.ok(out[1] == "00000", "mc.adopt_job() takes the fence over", out)
        out = run(other, "ots")
        tap.ok(out[1] == "00000" and rows("ots") == [1, 1, 1, 1], "... and the job goes on", out)
        loses(s, "ots", "... and the one that had it stops", [1, 1, 1, 1])
        # it ends while a run executes: the fence is looked at before anything is published
        out = s.try_sql("SELECT mc.adopt_job('ots', '2018-01-11 01:34+08')")
        tap.ok(out[1] == "00000", "the original takes it back", out)
        s.sql("SET mc_fdw.fail_at = 'P1'")
        run(s, "ots")
        s.sql("RESET mc_fdw.fail_at")
        other.sql("SELECT mc.adopt_job('ots')")
        other.close()
    finally:
        as_owner(BIN + "/pg_ctl", "-D", copy, "-m", "immediate", "stop")
    out = s.try_sql("CALL mc.resolve_all()")
    tap.ok(out[1] == "00000" and states(s, "ots").endswith("done") and rows("ots") == [1] * 5, "who has only looked has not taken it", out)


def half_dead(s, form):
    """the fence goes while a run of this database is between P1 and its first request"""
    name = "half_" + form
    job(s, name, FENCES[form])
    run(s, name)
    a = Session()
    a.sql("SET mc_fdw.publish_timeout = '60s'")
    # the look before the first request hangs: meanwhile somebody else swaps
    api = "GetRow" if form == "ots" else "ListObjectsV2"
    nth = 1 if form == "ots" else 2
    call("faults", [{"api": api, "nth": nth, "action": "stall_before", "ms": 1500, "count": 1}])
    a.send("CALL mc.run_job('%s', 1, true)" % name)
    end = time.monotonic() + 30
    while not call("faults")[0]["fired"] and time.monotonic() < end:
        time.sleep(0.01)
    uuid = one(s, "SELECT uuid FROM mc.job WHERE name = '%s'" % name)
    if form == "ots":
        s.sql("UPDATE ops.ots_fence SET number = '9/somebody-else' WHERE job = '%s'" % uuid)
    else:
        command("oss", "put_object", bucket="demo", key="ops/_mc_fence/%s/%012d" % (uuid, 3), text="3/else", meta={"mc-token": "3/else"})
    out, state = a.finish(60)
    call("faults", [])
    tap.ok(state == "55000" and "another database" in "".join(out) and rows(name) == [1] and states(s, name) == "done publishing",
           "a half-dead database publishes nothing: " + form, "%s %s %s" % (out, rows(name), states(s, name)))
    a.close()
    out = s.try_sql("SELECT mc.adopt_job('%s'); CALL mc.resolve_all()" % name)
    tap.ok(rows(name) == [1, 1] and states(s, name) == "done done", "... and all of it when the fence is its own again", "%s %s" % (out, states(s, name)))


# ---- steps and requests

def steps(s, form):
    name = "steps_" + form
    job(s, name, FENCES[form])
    n = 0
    for label in ("T0", "fence", "fenced"):
        for how in ("", ":exit", ":kill"):
            victim = Session("SET mc_fdw.fail_at = '%s%s'" % (label, how))
            out = run(victim, name)
            tap.ok(out[1] != "00000", "%s: fails at %s%s" % (form, label, how), out)
            if how == ":kill":
                s = recovered(victim.pid, lambda: Session("SET client_min_messages = notice"))
            before = numbers(s, name)
            if label == "fence" and how:
                tap.ok(before[2] != "-" and before[0] != before[2], "... the number is recorded, and not there", before)
            elif label == "fenced":
                tap.ok(before[0] == before[2], "... the number is there, and asked for as far as is known here", before)
            out = s.try_sql("SELECT mc.alter_job('%s', retry_limit => 50)" % name)
            out = run(s, name)
            n += 1
            after = numbers(s, name)
            tap.ok(out[1] == "00000" and rows(name) == [1] * n and after[1] == "{%s}" % after[0] and after[2] == "-" and after[0] != before[0],
                   "... and the next call takes a new one and goes on", "%s %s %s %s" % (out, rows(name), before, after))
    return s


def requests(s, form):
    """each request of the fence fails in each way"""
    name = "req_" + form
    job(s, name, FENCES[form])
    s.sql("SET mc_fdw.max_retries = '0'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '1s'; SET mc_fdw.publish_timeout = '1s'")
    run(s, name)
    service = "tablestore" if form == "ots" else "oss"
    writes = "BatchWriteRow" if form == "ots" else "PutObject"
    before = call("counters")["requests"]
    run(s, name)
    log = [x["api"] for x in call("log?n=%d" % (call("counters")["requests"] - before)) if x["service"] == service]
    n = 2
    faults = [{"action": "status", "http": 500, "code": "InternalServerError", "message": "injected"},
              {"action": "status_after", "http": 500, "code": "InternalServerError", "message": "injected"},
              {"action": "reset_before"}, {"action": "reset_after"}, {"action": "stall_after"},
              {"action": "status", "http": 403, "code": "AccessDenied" if form == "oss" else "OTSNoPermissionAccess", "message": "injected"}]
    bad = []
    for api in dict.fromkeys(log):
        for nth in range(1, log.count(api) + 1):
            for fault in faults + ([{"action": "apply_later", "ms": 300}] if api == writes else []):
                for forever in (False, True):
                    call("faults", [dict(fault, service=service, api=api, **({"after": nth - 1} if forever else {"nth": nth, "count": 1}))])
                    first = run(s, name)
                    call("faults", [])
                    if fault["action"] == "apply_later":
                        time.sleep(0.35)
                    out = first
                    for _ in range(3):
                        if rows(name) == [1] * (n + 1) and states(s, name).split().count("done") == n + 1:
                            break
                        out = run(s, name, 1 if len(rows(name)) == n and "publishing" not in states(s, name) else 0)
                    n += 1
                    attempts = one(s, "SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' AND state <> 'done' AND counts_as_attempt" % name)
                    if rows(name) != [1] * n or attempts != "0" or numbers(s, name)[2] != "-":
                        bad.append((api, nth, fault, forever, first, out, rows(name), states(s, name), numbers(s, name)))
                        n = len(rows(name))
    tap.ok(len(log) >= 2 and not bad, "%s: %d windows, each once, after %d requests that failed in every way" % (form, n, len(log)), bad[:2])
    s.sql("RESET ALL; SET client_min_messages = notice")


def late(s):
    """a swap that is answered as failed, read as not done, and done after that"""
    job(s, "belated", FENCES["ots"])
    run(s, "belated")
    before = numbers(s, "belated")
    s.sql("SET mc_fdw.max_retries = '0'")
    call("faults", [{"api": "BatchWriteRow", "action": "apply_later", "ms": 1000, "count": 1}, {"api": "BatchWriteRow", "action": "throttle", "after": 1}])
    out = run(s, "belated")
    call("faults", [])
    now = numbers(s, "belated")
    tap.ok(out[1] != "00000" and now[0] == before[0] and now[2] != "-", "a swap has no answer and no effect yet", "%s %s" % (out, now))
    time.sleep(1.2)
    later = numbers(s, "belated")
    tap.ok(later[0] == now[2], "... it has later", later)
    out = run(s, "belated")
    tap.ok(out[1] == "00000" and rows("belated") == [1, 1], "... and is known as ours", out)
    s.sql("RESET mc_fdw.max_retries")


def cancelled(s):
    job(s, "cancelled", FENCES["ots"])
    for action in ("stall_before", "stall_after"):
        call("faults", [{"api": "BatchWriteRow", "action": action, "count": 1}])
        s.send("CALL mc.run_job('cancelled', 1, true)")
        end = time.monotonic() + 30
        while not call("faults")[0]["fired"] and time.monotonic() < end:
            time.sleep(0.01)
        Session().sql("SELECT pg_cancel_backend(%d)" % s.pid)
        out, state = s.finish(30)
        call("faults", [])
        tap.ok(state == "57014" and "-" not in numbers(s, "cancelled"), "cancelled in %s of the swap: the number stays asked for" % action, out)
        out = run(s, "cancelled")
        tap.ok(out[1] == "00000", "... and the next call goes on", out)
    tap.ok(rows("cancelled") == [1, 1], "... each window is there once", rows("cancelled"))


def down(s):
    job(s, "down", FENCES["ots"])
    s.sql("SET mc_fdw.max_retries = '0'; SET mc_fdw.retry_max_elapsed = '1s'")
    for fault, why in (({"action": "reset_before"}, "the service is away"), ({"action": "throttle"}, "the service is overloaded")):
        call("faults", [dict(fault, service="tablestore")])
        for _ in range(3):
            out = run(s, "down")
            tap.ok(out[1][:2] in ("08", "53", "HV") and rows("down") == [], why + ": nothing is executed", out)
        call("faults", [])
    got = one(s, "SELECT count(*) FILTER (WHERE counts_as_attempt), count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'down'")
    tap.ok(got == "0|6", "... and no attempt is used up", got)
    known = int(one(s, "SELECT cardinality(fence_last) FROM mc.job WHERE name = 'down'"))
    tap.ok(known <= 2, "... nor a number for each attempt", known)
    s.sql("RESET mc_fdw.max_retries; RESET mc_fdw.retry_max_elapsed")
    out = run(s, "down")
    tap.ok(out[1] == "00000" and rows("down") == [1], "... and the job goes on", out)


# ---- what people do

def deleted(s):
    for form in FENCES:
        name = "gone_" + form
        job(s, name, FENCES[form])
        run(s, name)
        uuid = one(s, "SELECT uuid FROM mc.job WHERE name = '%s'" % name)
        if form == "ots":
            s.sql("DELETE FROM ops.ots_fence WHERE job = '%s'" % uuid)
        else:
            command("oss", "delete", bucket="demo", prefix="ops/_mc_fence/%s/" % uuid)
        for _ in range(2):
            out = run(s, name)
            tap.ok(out[1] == "55000" and rows(name) == [1], form + ": a number that was deleted is not taken again in silence", out)
        s.sql("SELECT mc.adopt_job('%s')" % name)
        out = run(s, name)
        tap.ok(out[1] == "00000" and rows(name) == [1, 1], "... but by mc.adopt_job()", out)


def on_and_off(s):
    job(s, "switched")
    run(s, "switched")
    s.sql("SELECT mc.alter_job('switched', fence => 'ops.ots_fence')")
    out = run(s, "switched")
    now = numbers(s, "switched")
    tap.ok(out[1] == "00000" and now[0][:2] == "1/", "a job that has run gets a fence", "%s %s" % (out, now))
    s.sql("SELECT mc.alter_job('switched', fence => '')")
    out = run(s, "switched")
    left = [r["columns"] for r in ots_rows("mc_fence") if r["key"] == [one(s, "SELECT uuid FROM mc.job WHERE name = 'switched'")]]
    tap.ok(out[1] == "00000" and now[0] in str(left), "... without it the number stays as it is", "%s %s" % (out, left))
    s.sql("SELECT mc.alter_job('switched', fence => 'ops.ots_fence')")
    out = run(s, "switched")
    tap.ok(out[1] == "55000" and "has never had it" in "".join(out[0]), "... with it again the number is somebody's", out)
    s.sql("SELECT mc.adopt_job('switched')")
    out = run(s, "switched")
    tap.ok(out[1] == "00000" and rows("switched") == [1] * 4, "... until it is adopted", out)
    s.sql("SELECT mc.alter_job('switched', fence => 'ops.oss_fence')")
    out = run(s, "switched")
    tap.ok(out[1] == "00000" and numbers(s, "switched")[0][:2] == "1/", "another fence begins anew", out)
    out = s.try_sql("SELECT mc.alter_job('switched', lag => '10 min')")
    tap.ok(out[1] == "00000" and numbers(s, "switched")[0][:2] == "1/", "other changes leave it alone", out)
    s.sql("DROP FOREIGN TABLE ops.oss_fence")
    out = run(s, "switched")
    tap.ok(out[1] == "42P01", "a foreign table that is gone is an error", out)
    s.sql("CREATE FOREIGN TABLE ops.oss_fence (number text) SERVER oss OPTIONS (prefix 'ops/', format 'csv')")


def refused(s):
    s.sql("""CREATE TABLE ops.plain (job text, number text);
CREATE FOREIGN TABLE ops.two (a text OPTIONS (key '1'), b text OPTIONS (key '2'), n text) SERVER ots OPTIONS (table 'mc_fence');
CREATE FOREIGN TABLE ops.numbers (a text OPTIONS (key '1'), n bigint) SERVER ots OPTIONS (table 'mc_fence');
CREATE FOREIGN TABLE ops.bare (a text OPTIONS (key '1')) SERVER ots OPTIONS (table 'mc_fence');
CREATE FOREIGN TABLE ops.object (a text) SERVER oss OPTIONS (object 'a.csv', format 'csv');
CREATE FOREIGN TABLE ops.parts (a text, d text) SERVER oss OPTIONS (prefix 'x/d={d}/', format 'csv');
CREATE TABLE ops.target (t timestamptz)""")
    for table, state in (("plain", "42809"), ("two", "42809"), ("numbers", "42809"), ("bare", "42809"), ("object", "42809"), ("parts", "42809"),
                         ("nowhere", "42P01")):
        out = s.try_sql("SELECT mc.create_job('refused', 'INSERT INTO ops.target SELECT $1 WHERE $2 > $1', '1 min', fence => 'ops.%s')" % table)
        tap.ok(out[1] == state, "cannot hold fences: " + table, out)
    job(s, "versions", FENCES["oss"])
    for versioning in ("Enabled", "Suspended"):
        command("oss", "set_bucket", bucket="demo", versioning=versioning)
        out = run(s, "versions")
        tap.ok(out[1] == "0A000" and rows("versions") == [], "a bucket with versions is refused: " + versioning, out)
    command("oss", "set_bucket", bucket="demo", versioning="")
    out = run(s, "versions")
    tap.ok(out[1] == "00000", "... and one without is not", out)
    # another role's job
    s.sql("CREATE ROLE fred; GRANT USAGE ON SCHEMA ops TO fred; GRANT SELECT ON ops.ots_fence TO fred; CREATE USER MAPPING FOR fred SERVER ots OPTIONS"
          " (access_key_id '%s', access_key_secret '%s'); GRANT INSERT ON ops.target TO fred; SET ROLE fred" % KEY)
    s.sql("SELECT mc.create_job('freds', 'INSERT INTO ops.target SELECT $1 WHERE $2 > $1', '1 min', start => '%s', fence => 'ops.ots_fence')" % START)
    s.sql("RESET ROLE")
    out = run(s, "freds")
    tap.ok(out[1] == "42501", "the owner needs rights on the foreign table", out)
    s.sql("GRANT INSERT ON ops.ots_fence TO fred")
    out = run(s, "freds")
    tap.ok(out[1] == "00000", "... with them a superuser runs his job", out)
    policy = one(s, "SELECT mc.required_policy('versions'), mc.required_policy('freds')")
    tap.ok(all(x in policy for x in ("oss:GetBucketVersioning", "ots:BatchWriteRow", "ots:GetRow", "ops/_mc_fence/*")), "mc.required_policy() knows of fences", policy)


def restored(s):
    """a dump takes the fence's number along; the first one to swap keeps it"""
    job(s, "dumped", FENCES["ots"], "overwrite")
    run(s, "dumped")
    subprocess.run(["psql", "-XqAt", "-c", "CREATE DATABASE restored"], check=True)
    text = subprocess.run(["pg_dump"], stdout=subprocess.PIPE, check=True).stdout
    r = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "restored"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.ok(r.returncode == 0, "a dump with fences is restored", r.stdout.decode()[-2000:])
    other = Session("SET client_min_messages = notice", database="restored")
    run(s, "dumped")
    before = rows("dumped")
    loses(other, "dumped", "what converges goes on in a restored copy, but not against the fence", before)
    other.close()


def part(f, *arguments):
    global s
    try:
        s = f(s, *arguments) or s
    except Exception as e:      # the other parts still count
        call("faults", [])
        tap.ok(False, "%s %s ends" % (f.__name__, arguments), repr(e))


s = set_up()
part(copies)
for form in FENCES:
    part(half_dead, form)
    part(steps, form)
    part(requests, form)
for f in (late, cancelled, down, deleted, on_and_off, refused, restored):
    part(f)
tap.done()
