"""Jobs that append to MaxCompute with a column that names the run: whatever becomes of a commit,
the rows themselves tell whether it happened.  A part of them is a conflict that says how many."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, generate, odps_content, odps_sql, up  # noqa: E402

tap = Tap()
ROWS = 400
START = "2018-01-11 01:30:00+08"
SELECT = ("SELECT c1, c2, 'p' || ascii(right(c1, 1)) %% 3, to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI') FROM hits"
          " WHERE __receive_time__ >= $1 AND __receive_time__ < $2%s")
HALVES = (" AND ascii(right(c2, 1)) % 2 = 0", " AND ascii(right(c2, 1)) % 2 = 1")
LAST = " AND r.run_id = (SELECT max(x.run_id) FROM mc.run x WHERE x.job_id = r.job_id)"


def admin(sql):
    done = subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()


def table(s, name, keys=True, options="", declared=True):
    """the foreign table, and NAME_all, which reads and overwrites every column"""
    odps_sql("CREATE TABLE demo.%s (c1 STRING, mc_run STRING, c2 STRING)%s" % (name, " PARTITIONED BY (k STRING, w STRING)" if keys else ""))
    for relation, columns, more in ((name, "c1 text, c2 text, k text, w text" + (", mc_run text" if declared else ""), "run_column 'mc_run'" + options),
                                    (name + "_all", "c1 text, c2 text, k text, w text, mc_run text", "write_mode 'overwrite'")):
        s.sql("CREATE FOREIGN TABLE %s (%s) SERVER odps OPTIONS (table '%s', %s)" %
              (relation, columns if keys else columns.replace(", k text, w text", ""), name, more))


def create_job(s, name, statement):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0')" % (name, statement, START))


def insert_into(target, more=""):
    return "INSERT INTO %s (c1, c2, k, w) %s" % (target, SELECT % more)


def twice(target, other=None):
    """each partition gets two blocks, or two sessions"""
    return insert_into(target, HALVES[0]) + "; " + insert_into(other or target, HALVES[1])


def states(job):
    return admin("SELECT string_agg(r.state, ' ' ORDER BY run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)


def of_last(job, what, where="true"):
    return admin("SELECT %s FROM mc.publish p JOIN mc.run r USING (run_id) JOIN mc.job j USING (job_id) WHERE j.name = '%s' AND %s%s" %
                 (what, job, where, LAST))


def last_run(job):
    return admin("SELECT max(run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)


def content(s, name):
    """partition -> rows and what they say, but for the run"""
    return set(s.sql("SELECT k, w, count(*), sum(hashtext(c1 || '/' || c2)::bigint) FROM %s_all WHERE c1 <> 'other' GROUP BY k, w" % name))


def reference(windows):
    return {line for line in REFERENCE if line.split("|")[1] in WINDOWS[:windows]}


def exact(s, name, windows, what, why=""):
    now = content(s, name)
    tap.ok(now == reference(windows), what, "%s\nis %s\nnot %s" % (why, sorted(now), sorted(reference(windows))))


def counted(s, name, what):
    """each entry that is published has its rows in the table, and no other row is there"""
    seen = s.sql("SELECT bool_and(p.rows = (SELECT count(*) FROM %s_all t WHERE t.mc_run = p.token)), sum(p.rows) = (SELECT count(*) FROM %s_all)"
                 " FROM mc.publish p JOIN mc.run USING (run_id) JOIN mc.job j USING (job_id) WHERE j.name = '%s' AND p.state = 'published'" %
                 (name, name, name))
    tap.ok(seen == ["t|t"], what, seen)


def finish(s, job, windows):
    s.sql("CALL mc.resolve_all()")
    for _ in range(3):
        n = int(admin("SELECT count(*) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s' AND r.state = 'done'" % job))
        if n >= windows:
            return
        s.sql("CALL mc.run_job('%s', %d, true)" % (job, windows - n))


def faults(*rules):
    call("faults", [dict({"service": "maxcompute"}, **r) for r in rules])


def stop_at(step, job):
    """a session of its own ends at that step"""
    s = Session()
    out, state = s.try_sql("SET mc_fdw.fail_at = '%s:exit'; CALL mc.run_job('%s', 1)" % (step, job))
    s.close()
    if state != "lost":
        raise RuntimeError("%s %s" % (state, out))


def undisturbed(s):
    global REFERENCE, WINDOWS
    table(s, "plain", declared=False)
    create_job(s, "plain", twice("plain"))
    s.sql("CALL mc.run_job('plain', 3)")
    counted(s, "plain", "every row names its upload")
    REFERENCE = content(s, "plain")
    WINDOWS = sorted({line.split("|")[1] for line in REFERENCE})
    tap.ok(len(WINDOWS) == 3 and len(REFERENCE) == 9, "windows and partitions of the data", REFERENCE)
    seen = s.sql("SELECT count(DISTINCT mc_run), array_agg(DISTINCT w ORDER BY w) = (SELECT array_agg(w ORDER BY m) FROM"
                 " (SELECT w, max(mc_run) AS m FROM plain_all GROUP BY w) q), bool_and(mc_run LIKE j.uuid || '/' || j.incarnation || '/0000.0000000_/0001/000_/%')"
                 " FROM plain_all, mc.job j WHERE j.name = 'plain' GROUP BY j.job_id")
    tap.ok(seen == ["9|t|t"], "its text sorts by window", seen)
    # an overwrite names it, too
    table(s, "over", options=", write_mode 'overwrite'")
    create_job(s, "over", insert_into("over"))
    s.sql("CALL mc.run_job('over', 3)")
    counted(s, "over", "rows of an overwrite name it, too")
    exact(s, "over", 3, "and are those of an append")


def commits_that_fail(s):
    """one block for each partition: half of the blocks is all of them"""
    for name, rule in (("apply_later", {"action": "apply_later", "ms": 300}), ("stuck", {"action": "stuck_closing", "ms": 500}),
                       ("after", {"action": "status_after", "http": 500}), ("refused", {"action": "status", "http": 503}),
                       ("throttled", {"action": "status", "http": 429}), ("reset_before", {"action": "reset_before"}),
                       ("reset_after", {"action": "reset_after"}), ("critical", {"action": "critical"}),
                       ("residue", {"action": "append_residue"}), ("normal", {"action": "append_residue", "normal": 1}),
                       ("forgotten", {"action": "forget_after_close"})):
        job = "f_" + name
        table(s, job)
        create_job(s, job, insert_into(job))
        faults(dict(rule, api="CommitUpload", nth=2))
        out, state = s.try_sql("CALL mc.run_job('%s', 1)" % job)
        faults()
        if name == "critical":
            tap.ok(states(job) == "lost" and of_last(job, "outcome", "p.state = 'lost'").find("no row of it is in the table") > 0,
                   "a commit that failed and left no row is lost for certain", "%s %s" % (states(job), of_last(job, "outcome")))
        finish(s, job, 1)
        exact(s, job, 1, "%s: exact" % name, "%s %s" % (states(job), out))
        counted(s, job, "%s: counted" % name)
        seen = admin("SELECT bool_or(residue_possible) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % job)
        tap.ok(seen == "f", "%s: nothing is left in doubt" % name, seen)
        if name in ("residue", "normal"):
            seen = of_last(job, "count(*)", "p.evidence LIKE '%% rows have mc_run = %%' AND p.state = 'published'")
            tap.ok(seen == "1" and states(job) == "done", "%s: published, because all its rows are there" % name, seen)


def part_of_the_rows(s):
    """two blocks for each partition, of which one arrives"""
    for name, normal in (("part", 0), ("part_normal", 1)):
        table(s, name)
        create_job(s, name, twice(name))
        s.sql("".join("INSERT INTO %s (c1, c2, k, w) VALUES ('other', '', 'p%d', '%s');" % (name, k, WINDOWS[0]) for k in range(3)))
        faults({"api": "CommitUpload", "action": "append_residue", "normal": normal, "nth": 2})
        out, state = s.try_sql("CALL mc.run_job('%s', 1)" % name)
        faults()
        token, rows, outcome = of_last(name, "token, rows, outcome", "p.state = 'conflict'").split("|", 2)
        there = s.sql("SELECT count(*) FROM %s_all WHERE mc_run = '%s'" % (name, token))[0]
        tap.ok(states(name) == "conflict" and 0 < int(there) < int(rows) and "%s of its %s rows" % (there, rows) in outcome and token in outcome,
               "%s: a conflict with the numbers in it" % name, "%s %s %s" % (there, rows, outcome))
        again, state = s.try_sql("CALL mc.run_job('%s', 1)" % name)
        tap.ok(state == "55000" and "%s of its %s rows" % (there, rows) in "\n".join(again), "%s: the job stops and says so" % name, again)
        seen = of_last(name, "string_agg(p.state, ' ' ORDER BY ordinal)")
        tap.ok(seen == "published conflict published", "%s: the other partitions are published" % name, seen)
        # the recipe: the partition again, without what is left of the upload
        s.sql("SELECT mc.resolve_run(%s, 'redo')" % last_run(name))
        k, w = s.sql("SELECT DISTINCT k, w FROM %s_all WHERE mc_run = '%s'" % (name, token))[0].split("|")
        s.sql("INSERT INTO %s_all SELECT * FROM %s_all WHERE k = '%s' AND w = '%s' AND mc_run IS DISTINCT FROM '%s'" % (name, name, k, w, token))
        seen = s.sql("SELECT count(*), count(mc_run) FROM %s_all WHERE k = '%s' AND w = '%s'" % (name, k, w))
        tap.ok(seen == ["1|0"], "%s: rows of others stay" % name, seen)
        finish(s, name, 1)
        exact(s, name, 1, "%s: exact after the repair" % name, states(name))


def sessions_that_are_gone(s):
    """an outage of 25 hours after the commit may have been sent"""
    jobs = {"gone_sent": "sent", "gone_all": "published", "gone_unsent": "publish", "gone_prepared": "committed"}
    for job, step in jobs.items():
        table(s, job)
        create_job(s, job, twice(job))
        if step in ("sent", "published"):
            # applied, and nobody hears of it
            faults({"api": "CommitUpload", "action": "forget_after_close"})
        stop_at(step, job)
        faults()
    call("clock", {"advance_s": 25 * 3600})
    s = Session()
    s.sql("CALL mc.resolve_all()")
    for job, step in jobs.items():
        seen = of_last(job, "string_agg(DISTINCT p.state, ' ')")
        want = {"sent": "lost published", "published": "published"}.get(step, "lost")
        tap.ok(seen == want, "%s: %s" % (job, seen), of_last(job, "outcome, evidence"))
        evidence = of_last(job, "count(*)", "p.evidence LIKE '%% rows have mc_run = %%'")
        tap.ok(evidence == ("0" if step == "committed" else "3"), "%s: by count, where a commit may have left" % job, evidence)
        tap.ok(states(job) == ("done" if step == "published" else "lost"), "%s: the run is %s" % (job, states(job)))
        finish(s, job, 2)
        exact(s, job, 2, "%s: exact" % job, states(job))
        counted(s, job, "%s: counted" % job)
    call("clock", {"system": True})


def unanswered(s):
    """the answer is lost, the session is normal again, and its rows are there"""
    for name, text in (("silent", insert_into("silent")), ("silent_part", twice("silent_part"))):
        table(s, name)
        create_job(s, name, text)
        # three questions are asked before it is sealed
        faults({"api": "CommitUpload", "action": "append_residue", "normal": 1, "nth": 1}, {"api": "GetUpload", "action": "status", "http": 503, "after": 3})
        s.try_sql("SET mc_fdw.publish_timeout = '1s'; CALL mc.run_job('%s', 1)" % name)
        s.sql("RESET mc_fdw.publish_timeout")
        faults()
        tap.ok(states(name) == "publishing", "%s: not known" % name, states(name))
        s.sql("CALL mc.resolve_all()")
        if name == "silent":
            tap.ok(states(name) == "done", "%s: it is not committed again before its rows are counted" % name, of_last(name, "p.state, outcome"))
            exact(s, name, 1, "%s: exact" % name)
        else:
            tap.ok(states(name) == "conflict" and of_last(name, "p.residue_possible", "p.state = 'conflict'") == "t",
                   "%s: a part of its rows is a conflict" % name, of_last(name, "p.state, outcome"))


def refusals(s):
    table(s, "plain_w")
    for text in ("INSERT INTO plain_w (c1, c2, k, w, mc_run) VALUES ('a', 'b', 'k', 'w', 'mine')",
                 "INSERT INTO plain_w VALUES ('a', 'b', 'k', 'w', 'mine')",
                 "COPY plain_w FROM PROGRAM 'printf \"a\\\\tb\\\\tk\\\\tw\\\\tmine\\\\n\"'"):
        out, state = s.try_sql(text)
        tap.ok(state == "428C9" and not odps_content("plain_w"), "nobody else writes the column", out)
    create_job(s, "plain_w", "INSERT INTO plain_w SELECT c1, c2, 'k', 'w', 'mine' FROM hits WHERE __receive_time__ >= $1 AND __receive_time__ < $2")
    out, state = s.try_sql("CALL mc.run_job('plain_w', 1)")
    tap.ok(state == "428C9" and not odps_content("plain_w"), "nor does the statement of a job", out)
    s.sql("INSERT INTO plain_w VALUES ('a', 'b', 'k', 'w')")
    tap.ok(s.sql("SELECT mc_run IS NULL FROM plain_w") == ["t"], "outside of jobs it is NULL")


def counts_that_fail(s):
    """every request of the count fails for good, then the service is well again"""
    for api in ("GetTable", "CreateDownload", "ReadData"):
        for action in ({"action": "status", "http": 503}, {"action": "status", "http": 403, "code": "NoPermission"}, {"action": "reset_before"},
                       {"action": "reset_after"}):
            job = "c_%s_%s" % (api.lower(), str(action.get("http", action["action"])))
            table(s, job)
            create_job(s, job, insert_into(job))
            faults({"api": "CommitUpload", "action": "forget_after_close", "nth": 1})
            stop_at("sent", job)
            faults(dict(action, api=api))
            s.sql("SET mc_fdw.publish_timeout = '1s'; CALL mc.resolve_all(); RESET mc_fdw.publish_timeout")
            faults()
            tap.ok(states(job) == "publishing" and of_last(job, "outcome", "p.state = 'publishing' AND outcome IS NOT NULL"),
                   "%s: not known, so it stays open" % job, "%s %s" % (states(job), of_last(job, "p.state, outcome")))
            finish(s, job, 1)
            exact(s, job, 1, "%s: exact" % job, states(job))
    for name, rules in (("once", [{"api": api, "action": "status", "http": 503, "nth": 1} for api in ("GetTable", "CreateDownload", "ReadData")]),
                        ("pending", []), ("modified", [{"api": "ReadData", "action": "status", "http": 409, "code": "TableModified", "nth": 1}]),
                        ("damaged", [{"api": "ReadData", "action": "corrupt_body", "nth": 1}]), ("cut", [{"api": "ReadData", "action": "close_after", "nth": 1}])):
        job = "c_" + name
        table(s, job)
        create_job(s, job, insert_into(job))
        faults({"api": "CommitUpload", "action": "forget_after_close"})
        stop_at("sent", job)
        command("maxcompute", "set", async_sessions=name == "pending")
        faults(*rules)
        s.sql("CALL mc.resolve_all()")
        faults()
        command("maxcompute", "set", async_sessions=False)
        tap.ok(states(job) == "done", "%s: counted all the same" % job, "%s %s" % (states(job), of_last(job, "p.state, outcome")))
        exact(s, job, 1, "%s: exact" % job)
    # a count that takes long can be cancelled
    table(s, "c_cancel")
    create_job(s, "c_cancel", insert_into("c_cancel"))
    faults({"api": "CommitUpload", "action": "forget_after_close"})
    stop_at("sent", "c_cancel")
    faults({"api": "ReadData", "action": "delay", "ms": 600000})
    out, state = s.try_sql("SET statement_timeout = '1s'; CALL mc.resolve_all(); RESET statement_timeout")
    faults()
    s.try_sql("RESET statement_timeout")
    tap.ok(states("c_cancel") == "publishing", "a cancelled count decides nothing", "%s %s" % (state, out))
    finish(s, "c_cancel", 1)
    exact(s, "c_cancel", 1, "and is made again")


def two_sessions(s):
    """two uploads of one run into each partition: each is counted by itself"""
    table(s, "pair")
    s.sql("CREATE FOREIGN TABLE pair_b (c1 text, c2 text, k text, w text) SERVER odps OPTIONS (table 'pair', run_column 'mc_run')")
    create_job(s, "pair", twice("pair", "pair_b"))
    faults({"api": "CommitUpload", "action": "forget_after_close"})
    stop_at("sent", "pair")
    faults()
    s.sql("CALL mc.resolve_all()")
    seen = of_last("pair", "count(*), count(DISTINCT token), count(DISTINCT target), count(*) FILTER (WHERE p.state = 'published')")
    tap.ok(states("pair") == "done" and seen == "6|6|3|6", "two sessions in a partition have texts of their own", "%s %s" % (states("pair"), seen))
    exact(s, "pair", 1, "and all rows are there")
    counted(s, "pair", "each with its own rows")


def targets_that_change(s):
    for name, sql, why in (("dropped", "ALTER TABLE demo.dropped DROP PARTITION (k='p0', w='%s')", "partition"),
                           ("narrowed", "DROP TABLE demo.narrowed", "")):
        table(s, name)
        create_job(s, name, insert_into(name))
        faults({"api": "CommitUpload", "action": "forget_after_close"})
        stop_at("sent", name)
        faults()
        odps_sql(sql % WINDOWS[0] if "%" in sql else sql)
        if name == "narrowed":
            odps_sql("CREATE TABLE demo.narrowed (c1 STRING, c2 STRING) PARTITIONED BY (k STRING, w STRING)")
        s.sql("CALL mc.resolve_all()")
        tap.ok(states(name) == "conflict", "%s: what cannot be counted any more is a conflict" % name, "%s %s" %
               (states(name), of_last(name, "p.state, outcome")))


def crashes(s):
    """the server crashes, and the service forgets what it has committed"""
    for step in ("execute", "seal", "committed", "publish", "send", "sent", "published", "T2"):
        job = "crash_" + step.lower()
        table(s, job)
        create_job(s, job, twice(job))
        faults({"api": "CommitUpload", "action": "forget_after_close"})
        out, state = s.try_sql("SET mc_fdw.fail_at = '%s:kill'; CALL mc.run_job('%s', 1)" % (step, job))
        faults()
        tap.ok(state == "lost", "crash at %s" % step, out)
        s.close()
        s = up()
        finish(s, job, 2)
        exact(s, job, 2, "crash at %s: exact" % step, states(job))
        counted(s, job, "crash at %s: counted" % step)


def main():
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE hits (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'hits')""")
    command("loghub", "create_project", project="web")
    generate("hits", ROWS)
    command("maxcompute", "create_project", project="demo")
    command("maxcompute", "set", rates=False)
    command("emulator", "set", check_clock=False)
    undisturbed(s)
    commits_that_fail(s)
    part_of_the_rows(s)
    sessions_that_are_gone(s)
    unanswered(s)
    refusals(s)
    counts_that_fail(s)
    two_sessions(s)
    targets_that_change(s)
    crashes(s)
    tap.done()


main()
