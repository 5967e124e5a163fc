"""Jobs that write to MaxCompute: crashes at every step of a run, commits that go wrong in every
way, sessions that are gone, targets that others have changed.  What arrives is exactly what one
undisturbed run of each window brings, or the job stops and says why."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, generate, odps_content, odps_sql, up  # noqa: E402

tap = Tap()
ROWS = 400
STEPS = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done")
SELECT = ("SELECT c1, c2, 'p' || ascii(right(c1, 1)) %% 3, to_char(%s AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI') FROM hits"
          " WHERE __receive_time__ >= %s AND __receive_time__ < %s")
START = "2018-01-11 01:30:00+08"


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.strip()


def table(s, name, options="", keys="k STRING, w STRING"):
    odps_sql("CREATE TABLE demo.%s (c1 STRING, c2 STRING)%s" % (name, " PARTITIONED BY (%s)" % keys if keys else ""))
    s.sql("CREATE FOREIGN TABLE %s (c1 text, c2 text%s) SERVER odps%s" %
          (name, ", k text, w text" if keys else "", " OPTIONS (%s)" % options if options else ""))


def create_job(s, name, statement, **more):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0'%s)" %
          (name, statement, START, "".join(", %s => %s" % x for x in more.items())))


def insert_into(target):
    return "INSERT INTO %s " % target + SELECT % ("$1", "$1", "$2")


def states(job):
    return admin("SELECT string_agg(r.state, ' ' ORDER BY run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)


def entries(job):
    return admin("SELECT string_agg(DISTINCT p.state, ' ') FROM mc.publish p JOIN mc.run r USING (run_id) JOIN mc.job USING (job_id)"
                 " WHERE name = '%s' AND attempt = (SELECT max(attempt) FROM mc.run x WHERE x.job_id = r.job_id AND x.seq = r.seq)" % job)


def done(job):
    return int(admin("SELECT count(*) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s' AND r.state = 'done'" % job))


def finish(s, job, windows):
    """settle what is open, then run the job until so many windows are done"""
    s.sql("CALL mc.resolve_all()")
    for _ in range(2 * windows):
        n = done(job)
        if n >= windows:
            return
        s.sql("CALL mc.run_job('%s', %d, true)" % (job, windows - n))
    raise RuntimeError("job %s does not finish: %s" % (job, states(job)))


def faults(*rules):
    call("faults", [dict({"service": "maxcompute"}, **r) for r in rules])


def reference(windows):
    """what so many windows bring, by ad hoc statements"""
    return {spec: v for spec, v in REFERENCE.items() if spec.rsplit("w=", 1)[1] in WINDOWS[:windows]}


def exact(target, windows, name, why=""):
    now = odps_content(target)
    tap.ok(now == reference(windows), name, "%s\nis %s\nnot %s" % (why, now, reference(windows)))


def undisturbed(s):
    for name, options in (("plain_a", ""), ("plain_o", "write_mode 'overwrite'")):
        table(s, name, options)
        create_job(s, name, insert_into(name))
        s.sql("CALL mc.run_job('%s', 3)" % name)
        exact(name, 3, "%s: three windows" % name, states(name))
    seen = admin("SELECT count(*), count(DISTINCT p.expires_at - p.created_at), bool_and(p.state = 'published' AND sent = 1 AND request_id IS NOT NULL)"
                 " FROM mc.publish p JOIN mc.run USING (run_id) JOIN mc.job USING (job_id) WHERE name = 'plain_a'")
    tap.ok(seen == "9|1|t", "an entry for each partition, with its evidence", seen)
    seen = admin("SELECT p.target, p.expires_at - p.created_at FROM mc.publish p ORDER BY entry_id LIMIT 1")
    tap.ok(seen.startswith("maxcompute:127.0.0.1") and "/demo/default/plain_a/k=p" in seen and seen.endswith("|1 day"),
           "the target has a canonical name, the session a day", seen)
    counts = admin("SELECT count(*) FILTER (WHERE rows_out = (SELECT sum(p.rows) FROM mc.publish p WHERE p.run_id = r.run_id) AND bytes_out > 0"
                   " AND requests > 0) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = 'plain_a'")
    tap.ok(counts == "3", "rows, bytes and requests of a run are counted", counts)
    commits = [c["session"] for c in command("maxcompute", "commits")]
    handles = admin("SELECT handle FROM mc.publish ORDER BY entry_id").split()
    tap.ok([c for c in commits if c in handles] == handles, "sessions are committed in the order of their entries")
    # the same window again
    s.sql("CALL mc.backfill('plain_o', '%s', '2018-01-11 01:31:00+08')" % START)
    exact("plain_o", 3, "a backfilled window overwrites what it wrote")


def crashes(s):
    """append and overwrite in one run; the server crashes at each step and recovers"""
    for step in STEPS:
        a, o = "crash_a_" + step.lower(), "crash_o_" + step.lower()
        table(s, a)
        table(s, o, "write_mode 'overwrite'")
        create_job(s, a, insert_into(a) + "; " + insert_into(o))
        out, state = s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('%s', 1)" % (step, a))
        tap.ok(state == "lost", "crash at %s" % step, out)
        s.close()
        s = up()
        finish(s, a, 2)
        exact(a, 2, "crash at %s: append" % step, states(a))
        exact(o, 2, "crash at %s: overwrite" % step, states(a))
    return s


def stop_at(step, job):
    """a session of its own ends at that step"""
    s = Session()
    out, state = s.try_sql("SET mc_fdw.fail_at = '%s:exit'; CALL mc.run_job('%s', 1)" % (step, job))
    s.close()
    if state != "lost":
        raise RuntimeError("%s %s" % (state, out))


def both(s, name):
    """a job that appends and one that overwrites"""
    table(s, name + "_a")
    table(s, name + "_o", "write_mode 'overwrite'")
    for mode in "ao":
        create_job(s, "%s_%s" % (name, mode), insert_into("%s_%s" % (name, mode)))
        yield "%s_%s" % (name, mode), mode == "o"


def commits_that_fail(s):
    cases = [("apply_later", {"action": "apply_later", "ms": 300}, True, True),
             ("stuck_closing", {"action": "stuck_closing", "ms": 500}, True, True),
             ("stuck_committing", {"action": "stuck_committing", "ms": 500}, True, True),
             ("status_after", {"action": "status_after", "http": 500}, True, True),
             ("refused", {"action": "status", "http": 503}, True, True),
             ("reset_before", {"action": "reset_before"}, True, True),
             ("reset_after", {"action": "reset_after"}, True, True),
             ("critical", {"action": "critical"}, False, True),
             ("append_residue", {"action": "append_residue"}, False, True)]
    for name, rule, append_done, overwrite_done in cases:
        for job, overwrite in both(s, "f_" + name):
            faults(dict(rule, api="CommitUpload", nth=2))
            out, state = s.try_sql("CALL mc.run_job('%s', 1)" % job)
            faults()
            if append_done or overwrite:
                finish(s, job, 1)
                exact(job, 1, "%s: exact" % job, "%s %s %s" % (states(job), entries(job), out))
            else:
                tap.ok(states(job) == "conflict" and admin("SELECT residue_possible FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job) == "t",
                       "%s: the run is in conflict, rows may remain" % job, "%s %s" % (states(job), out))
                again, state = s.try_sql("CALL mc.run_job('%s', 1)" % job)
                tap.ok(state == "55000", "%s: the job stops" % job, again)
            if name == "critical" and overwrite:
                tap.ok(states(job) == "lost done", "%s: the window was done again" % job, states(job))
            if name == "critical" and not overwrite:
                run = admin("SELECT max(run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)
                s.sql("SELECT mc.resolve_run(%s, 'redo')" % run)
                finish(s, job, 1)
                exact(job, 1, "%s: done again by hand; what was published is not appended twice" % job, states(job))
    for job, overwrite in both(s, "forever"):
        faults({"api": "CommitUpload", "action": "stuck_closing", "ms": 6000, "nth": 1})
        out, state = s.try_sql("SET mc_fdw.publish_timeout = '1s'; CALL mc.run_job('%s', 1)" % job)
        faults()
        s.try_sql("RESET mc_fdw.publish_timeout")
        tap.ok(states(job) == "publishing" and "publishing" in entries(job), "%s: closing longer than the limit stays open" % job, out)
        again, state = Session().try_sql("SET mc_fdw.publish_timeout = '1s'; CALL mc.run_job('%s', 1)" % job)
        tap.ok(state == "55000", "%s: no new window before the old one" % job, again)
        finish(s, job, 1)
        exact(job, 1, "%s: published later" % job)


def forgotten_sessions(s):
    """the commit is applied, nobody hears of it, and the session is unknown afterwards"""
    for job, overwrite in both(s, "forgot"):
        # answered, but the session ends before it can note that
        faults({"api": "CommitUpload", "action": "forget_after_close"})
        stop_at("sent", job)
        faults()
        s.sql("CALL mc.resolve_all()")
        if overwrite:
            tap.ok(states(job) == "lost", "%s: lost, since it can be done again" % job, states(job))
            finish(s, job, 1)
            exact(job, 1, "%s: exact after the redo" % job)
        else:
            tap.ok(states(job) == "conflict", "%s: nobody knows" % job, states(job))
            out, state = s.try_sql("CALL mc.run_job('%s', 1)" % job)
            tap.ok(state == "55000", "%s: the job stops" % job, out)


def dead_sessions(s):
    """an outage longer than a session lives"""
    for when in ("committed", "publish"):
        jobs = list(both(s, "dead_" + when))
        for job, overwrite in jobs:
            stop_at(when, job)
            tap.ok(states(job) == ("prepared" if when == "committed" else "publishing"), "%s: prepared" % job, states(job))
        call("clock", {"advance_s": 25 * 3600})
        s = Session()
        s.sql("CALL mc.resolve_all()")
        for job, overwrite in jobs:
            if when == "committed" or overwrite:
                tap.ok(states(job) == "lost", "%s: lost for certain" % job, states(job))
            else:
                tap.ok(states(job) == "conflict", "%s: a commit may have left" % job, states(job))
                run = admin("SELECT max(run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)
                s.sql("SELECT mc.resolve_run(%s, 'redo')" % run)
            finish(s, job, 2)
            exact(job, 2, "%s: done again, exactly" % job, states(job))
        call("clock", {"system": True})
    return s


def changed_by_others(s):
    for job, overwrite in both(s, "stale"):
        stop_at("committed", job)
        out, state = s.try_sql("INSERT INTO %s VALUES ('a', 'b', 'p0', '%s'), ('a', 'b', 'p1', '%s'), ('a', 'b', 'p2', '%s')" %
                               ((job,) + (WINDOWS[0],) * 3))
        tap.ok(state == "55006" and "mc.resolve_all" in "\n".join(out), "%s: an ad hoc write waits for what is open" % job, out)
        if overwrite:
            spec = admin("SELECT document ->> 'quoted' FROM mc.publish ORDER BY entry_id DESC LIMIT 1")
            call("clock", {"advance_s": 100})
            odps_sql("TRUNCATE TABLE demo.%s PARTITION (%s)" % (job, spec))
            s = Session()
            s.sql("CALL mc.resolve_all()")
            tap.ok(states(job) == "conflict" and "somebody else" in admin("SELECT outcome FROM mc.publish WHERE state = 'conflict'"
                   " AND run_id = (SELECT max(run_id) FROM mc.run)"), "%s: changed in between: conflict" % job, states(job))
            call("clock", {"system": True})
        else:
            s.sql("CALL mc.resolve_all(); INSERT INTO %s VALUES ('a', 'b', 'x', 'x')" % job)
            exact_but = odps_content(job)
            tap.ok(exact_but.pop("k=x/w=x", (0,))[0] == 1 and exact_but == reference(1), "%s: then both are there" % job, exact_but)
    return s


def erasures(s):
    """DELETE of partitions and TRUNCATE are entries, too, and come last"""
    for step in ("committed", "publish", "sent", "published"):
        name = "erase_" + step
        table(s, name)
        table(s, name + "_t", keys="")
        s.sql("INSERT INTO %s VALUES ('a', 'b', 'old', '%s'), ('a', 'b', 'old', 'kept')" % (name, WINDOWS[0]))
        s.sql("INSERT INTO %s_t VALUES ('a', 'b')" % name)
        create_job(s, name, "DELETE FROM %s WHERE k = 'old' AND w = to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI');"
                   " TRUNCATE %s_t; %s" % (name, name, insert_into(name)))
        stop_at(step, name)
        if step == "committed":
            tap.ok(odps_content(name).get("k=old/w=" + WINDOWS[0], (0,))[0] == 1, "nothing is erased before it is published")
        finish(s, name, 1)
        now = odps_content(name)
        kept = now.pop("k=old/w=kept", (0,))[0]
        tap.ok(kept == 1 and now == reference(1) and not odps_content(name + "_t"), "%s: erased and written" % name,
               "%s %s %s" % (states(name), now, odps_content(name + "_t")))
        kinds = admin("SELECT string_agg(kind, ' ' ORDER BY ordinal) FROM mc.publish WHERE run_id = (SELECT max(run_id) FROM mc.run)")
        tap.ok(kinds.startswith("upload") and set(kinds.split()[-2:]) == {"drop", "truncate"}, "%s: what erases is last" % name, kinds)


def refusals(s):
    table(s, "margin")
    create_job(s, "margin", insert_into("margin"))
    s.sql("UPDATE mc.job SET prepare_margin = '25 hours' WHERE name = 'margin'")
    out, state = s.try_sql("CALL mc.run_job('margin', 1)")
    tap.ok(state == "55000" and "prepare_margin" in "\n".join(out) and not odps_content("margin") and entries("margin") == "",
           "a session that lives too short is not sealed", out)
    table(s, "rolled")
    create_job(s, "rolled", insert_into("rolled") + "; SELECT 1 / 0")
    out, state = s.try_sql("CALL mc.run_job('rolled', 1)")
    tap.ok(state == "22012" and not odps_content("rolled") and entries("rolled") == "", "a statement that fails leaves nothing", out)
    table(s, "late")
    s.sql("""CREATE TABLE trigger_of (a int);
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO late VALUES ('late', '', 'k', 'w'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON trigger_of DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()""")
    create_job(s, "late", "INSERT INTO trigger_of VALUES (1); " + insert_into("late"))
    s.sql("CALL mc.run_job('late', 1)")
    now = odps_content("late")
    tap.ok(now.pop("k=k/w=w", (0,))[0] == 1 and now == reference(1), "what a deferred trigger writes is sealed with the rest", now)

    table(s, "unmapped")
    create_job(s, "unmapped", insert_into("unmapped"))
    stop_at("committed", "unmapped")
    key = admin("SELECT array_to_string(umoptions, ',') FROM pg_user_mappings WHERE srvname = 'odps'")
    options = ", ".join("%s '%s'" % tuple(x.split("=", 1)) for x in key.split(","))
    s.sql("DROP USER MAPPING FOR CURRENT_USER SERVER odps; CALL mc.resolve_all()")
    tap.ok("publishing" in entries("unmapped") and "no user mapping" in
           admin("SELECT outcome FROM mc.publish WHERE outcome IS NOT NULL ORDER BY entry_id DESC LIMIT 1"),
           "without credentials an entry stays open and says why", entries("unmapped"))
    # server and table are others by now: the entry does not need them
    s.sql("CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (%s); ALTER SERVER odps OPTIONS (SET project 'other');"
          " DROP FOREIGN TABLE unmapped; CALL mc.resolve_all(); ALTER SERVER odps OPTIONS (SET project 'demo')" % options)
    exact("unmapped", 1, "published when they are back, without the foreign table", states("unmapped"))


def ownership(s):
    table(s, "daily", "write_mode 'overwrite'", keys="")
    text = "INSERT INTO daily SELECT c1, c2 FROM hits WHERE __receive_time__ >= $1 AND __receive_time__ < $2"
    create_job(s, "daily", text)
    out, state = s.try_sql("CALL mc.run_job('daily', 2)")
    tap.ok(state == "55006" and states("daily") == "done failed", "a window does not erase what another one wrote", out)
    first = odps_content("daily")
    s.sql("SELECT mc.alter_job('daily', overwrite_scope => 'snapshot'); CALL mc.run_job('daily', 1, true)")
    second = odps_content("daily")
    tap.ok(done("daily") == 2 and second != first, "but a snapshot does")
    s.sql("CALL mc.backfill('daily', '%s', '2018-01-11 01:31:00+08')" % START)
    tap.ok(odps_content("daily") == second and "superseded" in entries("daily"), "an older snapshot does not replace a newer one", entries("daily"))
    create_job(s, "rival", text)
    out, state = s.try_sql("CALL mc.run_job('rival', 1)")
    tap.ok(state == "55006", "another job's target is refused", out)


def redone(s):
    """the second attempt has other rows: what the first one has published and it has not is erased"""
    table(s, "redone", "write_mode 'overwrite'")
    s.sql("CREATE TABLE allowed (k text); INSERT INTO allowed VALUES ('p0'), ('p1'), ('p2')")
    create_job(s, "redone", insert_into("redone").replace(" FROM hits", " FROM hits JOIN allowed ON k = 'p' || ascii(right(c1, 1)) % 3"))
    faults({"api": "CommitUpload", "action": "critical", "nth": 3})
    s.sql("CALL mc.run_job('redone', 1)")
    faults()
    tap.ok(states("redone") == "lost" and len(odps_content("redone")) == 2, "two of three partitions are published", states("redone"))
    gone = sorted(odps_content("redone"))[0]
    s.sql("DELETE FROM allowed WHERE k = '%s'" % gone[2:4])
    finish(s, "redone", 1)
    now = odps_content("redone")
    tap.ok(now == {k: v for k, v in reference(1).items() if k != gone}, "the redo leaves what one run would", now)


def from_maxcompute(s):
    table(s, "copied", "write_mode 'overwrite'")
    create_job(s, "copied", "INSERT INTO copied SELECT c1, c2, k, w FROM plain_a WHERE w = to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')")
    stop_at("send", "copied")
    finish(s, "copied", 3)
    exact("copied", 3, "MaxCompute to MaxCompute")
    seen = admin("SELECT bool_and(rows_in = rows_out AND bytes_in > 0 AND rows_out > 0) FROM mc.run r JOIN mc.job USING (job_id)"
                 " WHERE name = 'copied' AND r.state = 'done' AND attempt = 1 AND seq > 1")
    tap.ok(seen == "t", "rows read are rows written", seen)


def main():
    global REFERENCE, WINDOWS
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE hits (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'hits')""")
    command("loghub", "create_project", project="web")
    generate("hits", ROWS)
    command("maxcompute", "create_project", project="demo")
    command("maxcompute", "set", rates=False)
    command("emulator", "set", check_clock=False)
    table(s, "reference")
    for i in range(3):
        bounds = tuple("(timestamptz '%s' + interval '%d minutes')" % (START, i + k) for k in (0, 0, 1))
        s.sql("INSERT INTO reference " + SELECT % bounds)
    REFERENCE = odps_content("reference")
    WINDOWS = sorted({spec.rsplit("w=", 1)[1] for spec in REFERENCE})
    tap.ok(len(WINDOWS) == 3 and len(REFERENCE) == 9, "windows and partitions of the data", REFERENCE)
    undisturbed(s)
    from_maxcompute(s)
    commits_that_fail(s)
    forgotten_sessions(s)
    erasures(s)
    refusals(s)
    ownership(s)
    redone(s)
    s = changed_by_others(s)
    s = dead_sessions(s)
    crashes(s)
    tap.done()


main()
