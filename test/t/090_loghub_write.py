"""Writing to LogHub: lost answers, throttling, cancel, what a rollback tells, memory; runs of a
job, immediate and through the outbox, that fail and are killed at each step."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, recovered  # noqa: E402

tap = Tap()
COLUMNS = "__time__ timestamptz, __topic__ text, id int, msg text, eid text, run text OPTIONS (field '__tag__:__mc_run__'), batch text OPTIONS (field '__tag__:__mc_batch__')"
STEPS = ("T0", "executed", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done")


def logstore(name, shards=2):
    command("loghub", "create_logstore", project="web", logstore=name, shards=shards, ttl=30)


def table(s, name, store, options=""):
    s.sql("CREATE FOREIGN TABLE %s (%s) SERVER sls OPTIONS (logstore '%s', dedup_id 'eid'%s)" % (name, COLUMNS, store, options))


def fault(**rule):
    call("faults", [dict(rule, api="PutLogs")] if rule else [])


def ids(s, source):
    """(every id, copies that have the same row id as another one)"""
    rows = [tuple(x.split("|")) for x in s.sql("SELECT id, eid FROM %s" % source)]
    return sorted({int(x[0]) for x in rows}), len(rows) - len(set(rows))


def text(out):
    return "\n".join(out)


def failures(s):
    logstore("faults")
    table(s, "w", "faults", ", batch_size '10'")
    rows = "INSERT INTO w (__topic__, id, msg) SELECT 'tp', g, 'm' FROM generate_series(%d, %d) g"
    fault(action="reset_after", nth=3, count=1)
    out = s.sql(rows % (1, 50))
    tap.ok("WARNING:  01000: 10 rows may have been written to \"w\" more than once" in text(out), "a lost answer is told", out)
    tap.ok(ids(s, "w") == (list(range(1, 51)), 10), "and its rows are there twice, with the same ids", ids(s, "w"))
    fault(action="status", http=403, code="ShardWriteQuotaExceed", message="shard write quota exceed, shard: 0", nth=1, count=3)
    out = s.sql("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " + rows % (101, 150))
    tap.ok(re.search(r"Throttled: [1-9]", text(out)) and "Rows Possibly Repeated: 0" in text(out) and "WARNING" not in text(out), "throttling is waited for", out)
    fault()
    tap.ok(ids(s, "w WHERE id > 100") == (list(range(101, 151)), 0), "and repeats nothing")
    fault(action="status", http=500, code="InternalServerError", message="injected", after=2)
    s.sql("SET mc_fdw.max_retries = 1")
    out, state = s.try_sql(rows % (201, 300))
    fault()
    told = text(out)
    tap.ok(state == "HV000" and re.search(r"request id [0-9A-F]{24}", told) and re.search(r'batch \d+, rows \d+ to \d+, topic "tp"', told),
           "an error names request id, batch, rows and topic", told)
    found = len(ids(s, "w WHERE id > 200")[0])
    m = re.search(r"acknowledged by the service: (\d+), sent without an answer: (\d+)", told)
    tap.ok(m and int(m.group(1)) <= found <= int(m.group(1)) + int(m.group(2)), "and the rollback tells what stays: %d rows" % found, told)
    s.sql("RESET mc_fdw.max_retries")
    fault(action="stall_before", after=1)
    s.send(rows % (401, 500))
    end = time.monotonic() + 20
    while not call("faults")[0]["fired"] and time.monotonic() < end:
        time.sleep(0.01)
    subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_cancel_backend(%d)" % s.pid], stdout=subprocess.DEVNULL, check=True)
    out, state = s.finish(10)
    tap.ok(state == "57014", "cancel acts while requests hang", out)
    fault()


def memory(s):
    logstore("big", 4)
    table(s, "big", "big")
    own = Session("SET client_min_messages = warning")
    own.sql("INSERT INTO big (id) VALUES (0)")
    grown = own.peak_growth_mb("INSERT INTO big (id, __topic__, msg) SELECT g, 't' || g % 700, repeat('x', 300) || g FROM generate_series(1, 400000) g")
    tap.ok(grown < 90, "memory of 400000 rows in 700 groups grows by %.0f MB" % grown)
    grown = own.peak_growth_mb("INSERT INTO big (id, msg) SELECT g, repeat(md5(g::text), 30000) FROM generate_series(1000001, 1000150) g")
    tap.ok(grown < 160, "of rows of 1 MB by %.0f MB" % grown)
    own.close()
    tap.ok(s.sql("SELECT count(*), count(DISTINCT id) FROM big WHERE id > 0") == ["400150|400150"], "all are there once")


def job(s, name, target, start="now() - interval '20 min'"):
    s.sql("""SELECT mc.create_job('%s', $$INSERT INTO %s (__topic__, id, msg)
        SELECT 'j', extract(epoch FROM $1 - '2000-01-01'::timestamptz)::int / 300 * 100 + g, 'm' FROM generate_series(1, 30) g WHERE $2 > $1$$,
        every => '5 min', lag => '0', start => date_bin('5 min', %s, '2000-01-01'), retry_delay => '0')""" % (name, target, start))


def run(s, name, settings="", more=""):
    return s.try_sql("%s; CALL mc.run_job('%s'%s)" % (settings or "SELECT", name, more))


def immediate(s):
    logstore("immediate")
    table(s, "now_target", "immediate", ", batch_size '10'")
    job(s, "now_job", "now_target")
    out, state = run(s, "now_job", more=", max_windows => 2")
    tap.ok(state == "00000", "a job writes at once", out)
    tap.ok(s.sql("SELECT run, string_agg(DISTINCT batch, ' ' ORDER BY batch), count(*), count(DISTINCT eid) FROM now_target GROUP BY 1 ORDER BY 1")
           == ["now_job/1/1|1 2 3|30|30", "now_job/2/1|1 2 3|30|30"], "its groups say run and batch",
           s.sql("SELECT run, batch, count(*) FROM now_target GROUP BY 1, 2 ORDER BY 1, 2"))
    tap.ok(s.sql("SELECT bool_and(eid ~ ('^' || run || '/' || batch || '/[0-9]+$')) FROM now_target") == ["t"], "its rows have ids made of them")
    fault(action="status", http=403, code="NoPermission", message="injected", nth=2, count=1)
    out, state = run(s, "now_job", more=", max_windows => 1")
    fault()
    out, state = run(s, "now_job", more=", max_windows => 1, retry => true")
    attempts = s.sql("SELECT run, count(*) FROM now_target WHERE run LIKE 'now_job/3/%' GROUP BY 1 ORDER BY 1")
    tap.ok(state == "00000" and attempts and attempts[-1] == "now_job/3/2|30", "an attempt that failed is told from the one that did not", (out, attempts))


def outbox(s):
    logstore("outbox")
    table(s, "box", "outbox", ", batch_size '10', publish 'outbox', compression 'zstd'")
    s.sql("""CREATE FUNCTION swallow(g int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN INSERT INTO box (id, msg) VALUES (-g, 'rolled back'); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN RETURN 'm'; END $$""")
    job(s, "box_job", "box", "now() - interval '4 hours'")
    out, state = run(s, "box_job", more=", max_windows => 1")
    tap.ok(state == "00000", "a job publishes its outbox", out)
    tap.ok(s.sql("SELECT run, count(*), count(DISTINCT eid) FROM box GROUP BY 1") == ["box_job/1/1|30|30"], "every row once")
    tap.ok(s.sql("SELECT count(*), bool_and(state = 'published' AND service = 'loghub') FROM mc.publish") == ["3|t"], "three entries",
           s.sql("SELECT * FROM mc.publish"))
    n = 1
    for step in STEPS:
        for how in (":kill", "") if step in ("T1", "P1", "send", "sent") else (":kill",):
            n += 1
            crashing = Session("SET client_min_messages = warning")
            before = len(ids(s, "box")[0])
            crashing.try_sql("SET mc_fdw.fail_at = '%s%s'; CALL mc.run_job('box_job', max_windows => 1)" % (step, how))
            crashing.proc.kill()
            if how == ":kill":      # the server starts again
                s = recovered(crashing.pid, lambda: Session("SET client_min_messages = warning"))
            early = step in ("T0", "executed", "sealed", "T1", "committed", "P1", "publish", "send")
            if early:
                tap.ok(len(ids(s, "box")[0]) == before, "nothing is sent before it is published (%s%s)" % (step, how))
            out, state = run(s, "box_job", more=", max_windows => 0, retry => true")
            done = int(s.sql("SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'box_job' AND run.state = 'done'")[0])
            if done < n:
                out, state = run(s, "box_job", more=", max_windows => 1, retry => true")
            counts = s.sql("SELECT count(DISTINCT id), count(DISTINCT id) * 1.0 / count(DISTINCT eid), count(DISTINCT run) FROM box")[0].split("|")
            tap.ok(state == "00000" and int(counts[0]) == 30 * n and float(counts[1]) == 1 and int(counts[2]) == n,
                   "step %s%s: each window is there, with one id for each row" % (step, how), (out, counts, n))
    # an answer that is lost while publishing: in doubt, and repeated as it was
    before = ids(s, "box")[1]
    fault(action="reset_after", nth=2, count=1)
    out, state = run(s, "box_job", "SET mc_fdw.max_retries = 0", ", max_windows => 1")
    fault()
    out, state = run(s, "box_job", "RESET mc_fdw.max_retries", ", max_windows => 1")
    got, twice = ids(s, "box")
    tap.ok(state == "00000" and twice - before == 10 and s.sql("SELECT count(DISTINCT eid) = count(DISTINCT id) FROM box") == ["t"],
           "only the batch in doubt is repeated, with the same ids", (out, twice))
    # rows of a rolled-back subtransaction
    s.sql("SELECT mc.create_job('sub_job', $$INSERT INTO box (id, msg) SELECT 900000000 + g, swallow(g) FROM generate_series(1, 5) g WHERE $2 > $1$$, every => '5 min',"
          " lag => '0', start => date_bin('5 min', now() - interval '10 min', '2000-01-01'))")
    out, state = run(s, "sub_job", more=", max_windows => 1")
    tap.ok(state == "00000" and s.sql("SELECT count(*) FROM box WHERE id >= 900000000") == ["5"] and s.sql("SELECT count(*) FROM box WHERE id < 0") == ["0"],
           "what a subtransaction rolls back is not sent", out)
    out, state = s.try_sql("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO box (id) VALUES (1); COMMIT")
    tap.ok(any("possible only in the run of a job" in x for x in out), "outside of a job the outbox is refused", out)
    s.try_sql("ROLLBACK")
    s.sql("ALTER FOREIGN TABLE box OPTIONS (ADD outbox_limit '1MB')")
    s.sql("SELECT mc.create_job('large_job', $$INSERT INTO box (id, msg) SELECT g, md5(g::text) || md5((-g)::text) FROM generate_series(1, 100000) g WHERE $2 > $1$$,"
          " every => '5 min', lag => '0', start => date_bin('5 min', now() - interval '10 min', '2000-01-01'))")
    out, state = run(s, "large_job", more=", max_windows => 1")
    tap.ok("outbox_limit" in text(out), "a run that is too large is an error", out)
    s.sql("ALTER FOREIGN TABLE box OPTIONS (DROP outbox_limit); SELECT mc.drop_job('large_job')")
    return s


def refused(s):
    """logs that are too old when they are published: the job stops, nothing is dropped"""
    logstore("late")
    table(s, "late", "late", ", publish 'outbox'")
    job(s, "late_job", "late")
    s.try_sql("SET mc_fdw.fail_at = 'P1'; CALL mc.run_job('late_job', max_windows => 1)")
    s.sql("RESET mc_fdw.fail_at")
    call("clock", {"advance_s": 8 * 86400})
    out, state = run(s, "late_job", more=", max_windows => 1")
    call("clock", {"system": True})
    tap.ok(s.sql("SELECT DISTINCT p.state, r.state FROM mc.publish p JOIN mc.run r USING (run_id) JOIN mc.job j ON j.job_id = r.job_id WHERE j.name = 'late_job'")
           == ["conflict|conflict"] and s.sql("SELECT count(*) FROM late") == ["0"],
           "a refused replay stops the job", (out, s.sql("SELECT state, outcome FROM mc.publish ORDER BY entry_id DESC LIMIT 1")))


def main():
    s = Session("SET client_min_messages = warning; CREATE EXTENSION mc_fdw;" + SERVERS)
    command("loghub", "create_project", project="web")
    failures(s)
    memory(s)
    immediate(s)
    s = outbox(s)
    refused(s)
    tap.done()


main()
