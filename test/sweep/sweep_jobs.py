"""Crash sweep of jobs (docs/guarantees.md): three windows of every kind of job, disturbed at every
labelled step of the protocol and at every request, then run to rest.

  label    the session fails at a step: an error, or its end
  kill     it is killed at a step with SIGKILL, so that the whole server recovers
  once     request k fails once in a way that passes, also behind the effect
  forever  request k and all later ones fail until the job is called again
  hang     the session hangs at request k, before it or behind it, and is terminated
  late     what makes something visible is answered as failed and done afterwards

At rest the target holds what a run without a disturbance left, row by row: nothing is lost and
nothing is there twice.  Every window is done, every entry of the outbox is in a final state, the
windows of each shard are a chain without gap or overlap, and no upload is left behind.
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import mctest  # noqa: E402
import pool  # noqa: E402
from steps import TRANSPORT  # noqa: E402
from sweep_jobs_forms import FORMS, WINDOWS  # noqa: E402

QUICK = ("SET mc_fdw.max_retries = '3'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET mc_fdw.publish_timeout = '2s'; SET mc_fdw.concurrency = '3'; SET client_min_messages = warning")
LABELS = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done")
ONCE = {
    "http_500": {"action": "status", "http": 500, "code": "InternalServerError", "message": "injected"},
    "status_after": {"action": "status_after", "http": 500, "code": "InternalServerError", "message": "injected"},
    "reset_before": TRANSPORT["reset_before"][0],
    "reset_after": TRANSPORT["reset_after"][0],
    "truncate_body": TRANSPORT["truncate_body"][0],
    "stall_after": TRANSPORT["stall_after"][0],
}
LATE = [{"api": "CommitUpload", "action": "apply_later", "ms": 300},
        {"api": "CompleteMultipartUpload", "action": "apply_later", "ms": 300},
        {"api": "BatchWriteRow", "action": "apply_later", "ms": 300},
        {"api": "PutObject", "action": "apply_later", "ms": 300},
        {"api": "CommitUpload", "action": "stuck_closing", "ms": 300},
        {"api": "CommitUpload", "action": "forget_after_close"}]
CHAIN = """SELECT count(*) FROM (SELECT position_begin, lag(position_end) OVER w AS before
  FROM mc.run_shard WINDOW w AS (PARTITION BY source, shard ORDER BY window_begin)) c WHERE before <> position_begin"""


class JobSweep:
    def __init__(self, form, short, seed):
        self.form = form
        self.short = short
        self.seed = seed
        self.passed = self.failed = self.idle = 0
        self.s = None
        form.prepare(mctest.Session())
        self.reset()
        before = mctest.requests()
        out, state = self.call()
        if state != "00000":
            sys.exit("sweep: %s: a clean run fails: %s" % (form.name, out))
        clean = mctest.requests() - before
        self.apis = [(x["service"], x["api"]) for x in mctest.call("log?n=%d" % clean)]
        self.wanted = form.content()
        if not self.wanted or len(self.wanted) != len(set(self.wanted)) or self.states() != ["done"] * WINDOWS:
            sys.exit("sweep: %s: a clean run leaves %d rows and %s" % (form.name, len(self.wanted), self.states()))
        self.rows = self.counted()
        if self.rows != len(self.wanted) and not form.replaces:
            sys.exit("sweep: %s: mc.run counts %d rows, the target has %d" % (form.name, self.rows, len(self.wanted)))
        form.learn()
        self.say("%d rows, a clean run makes %d requests: %s" % (len(self.wanted), clean, ", ".join(
            "%d %s" % (sum(a == b for b in self.apis), a[1]) for a in dict.fromkeys(self.apis))))

    def say(self, text):
        print("%s: %s" % (self.form.name, text), flush=True)

    def reset(self):
        f = self.form
        f.reset()
        f.session.sql("DELETE FROM mc.job; SELECT mc.create_job('j', $job$%s$job$, '%s', start => '%s', lag => '0', "
                      "timezone => 'Asia/Shanghai', retry_limit => 50, lint => false%s)" % (f.statement, f.every, f.start, f.options))

    def states(self):
        return self.form.session.sql("SELECT state FROM mc.run ORDER BY seq, attempt")

    def call(self, settings="", wait=60, windows=WINDOWS):
        """the windows that are left, or so many, in a session of its own"""
        if self.s:
            self.s.close()
        self.s = mctest.Session(QUICK + settings)
        return self.s.try_sql(self.statement(windows), wait)

    def statement(self, windows=WINDOWS):
        # what is sealed is published before a window begins
        done = int(self.form.session.sql("SELECT count(*) FROM mc.run WHERE state IN ('done', 'prepared', 'publishing', 'conflict')")[0])
        return "CALL mc.run_job('j', max_windows => %d, retry => true)" % min(windows, WINDOWS - done) if done < WINDOWS else "CALL mc.resolve_all()"

    def check(self, name, why):
        if why:
            self.failed += 1
            print("sweep: %s: %s (seed %d): %s" % (self.form.name, name, self.seed, why), flush=True)
        else:
            self.passed += 1

    def rest(self, name):
        """until every window is done"""
        self.idle += any(not f["fired"] for f in mctest.call("faults"))
        mctest.call("faults", [])
        out = []
        for _ in range(8):
            done = self.form.session.sql("SELECT count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state IN "
                                         "('running', 'prepared', 'publishing', 'conflict')) FROM mc.run")[0]
            if done == "%d|0" % WINDOWS:
                break
            out, _ = self.call()
        self.check(name, self.wrong(out))

    def wrong(self, out):
        f = self.form
        if f.session.sql("SELECT count(*) FROM mc.run WHERE state = 'done'")[0] != str(WINDOWS):
            return "not at rest: %s %s %s" % (self.states(), out, f.session.sql("SELECT label, state, sent, outcome FROM mc.publish"))
        content = f.content()
        if content != self.wanted:
            lost = sorted(set(self.wanted) - set(content))
            more = len(content) - len(set(content))
            return "lost %d %s, twice %d, foreign %d; %s" % (len(lost), lost[:2], more, len(set(content) - set(self.wanted)), self.states())
        open_ = f.session.sql("SELECT label, state FROM mc.publish WHERE state NOT IN ('published', 'superseded', 'lost', 'discarded')")
        if open_:
            return "entries are open: %s" % open_
        if f.session.sql(CHAIN)[0] != "0":
            return "the windows of a shard are no chain: %s" % f.session.sql("SELECT shard, position_begin, position_end FROM mc.run_shard ORDER BY 1, window_begin")
        if self.counted() != self.rows:
            return "mc.run counts %d rows, not %d" % (self.counted(), self.rows)
        return f.wrong()

    def counted(self):
        return int(self.form.session.sql("SELECT sum(rows_out) FROM mc.run WHERE state = 'done'")[0])

    # ---- steps

    def label(self, label, how):
        self.reset()
        out, state = self.call("; SET mc_fdw.fail_at = '%s%s'" % (label, how))
        if state == "00000":
            self.idle += 1
        elif how == ":kill":
            self.form.session = self.again()
        self.rest("%s%s" % (label, how))

    def again(self):
        """after a crash: every session goes before the server takes new ones"""
        while self.form.session.try_sql("SELECT 1")[1] == "00000":
            time.sleep(0.01)
        for _ in range(400):
            if subprocess.run(["psql", "-XqAtc", "SELECT 1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.05)
        return mctest.Session()

    def once(self, name, fault, at):
        self.reset()
        mctest.call("faults", [dict(fault, **at, count=1)])
        self.call()
        self.rest("%s once at %s" % (name, at))

    def forever(self, at):
        self.reset()
        rule = dict(at, action="status", http=500, code="InternalServerError", message="injected")
        rule["after"] = rule.pop("nth") - 1
        mctest.call("faults", [rule])
        self.call("; SET mc_fdw.max_retries = '0'")
        self.rest("failing from %s" % at)

    def hang(self, action, at):
        self.reset()
        mctest.call("faults", [dict(at, action=action, count=1)])
        if self.s:
            self.s.close()
        self.s = mctest.Session(QUICK + "; SET mc_fdw.stall_timeout = '60s'; SET mc_fdw.publish_timeout = '60s'")
        self.s.send(self.statement())
        deadline = time.monotonic() + 10
        while not mctest.call("faults")[0]["fired"] and time.monotonic() < deadline:
            time.sleep(0.005)
        subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_terminate_backend(%d)" % self.s.pid], stdout=subprocess.DEVNULL, check=True)
        self.s.finish(30)
        self.rest("terminated in %s at %s" % (action, at))

    def late(self, fault):
        self.reset()
        mctest.call("faults", [dict(fault, count=1)])
        # a late Put of an object that a later window has deleted brings it back: docs/oss.md
        for _ in range(WINDOWS if self.form.replaces else 1):
            self.call(windows=1 if self.form.replaces else WINDOWS)
            time.sleep(0.35)
        self.rest("%s of %s %d" % (fault["action"], fault["api"], fault["nth"]))

    # ---- which

    def places(self):
        service = self.form.swept
        if not self.short:
            n = sum(service in (None, s) for s, _ in self.apis)
            return [dict({"service": service} if service else {}, nth=k) for k in range(1, n + 1)]
        if self.form.short_places:
            return self.form.short_places
        return [{"service": s, "api": a, "nth": min(2, self.apis.count((s, a)))} for s, a in dict.fromkeys(self.apis) if a in self.form.requests]

    def plan(self):
        brief = self.short and self.form.short_places
        for label in LABELS + self.form.labels:
            for how in ("", ":exit"):
                if (how or not self.short) and not brief:
                    yield self.label, label, how
        for name, fault in ONCE.items():
            if not self.short or name == "reset_after":
                for at in self.places():
                    yield self.once, name, fault, at
        for at in self.places():
            yield self.forever, at
        for action in ("stall_before", "stall_after"):
            if not self.short or action == "stall_after" and not brief:
                for at in self.places():
                    yield self.hang, action, at
        for fault in LATE:
            if brief:
                yield from ((self.late, dict(fault, **at)) for at in brief if at["api"] == fault["api"])
                continue
            n = sum(a == fault["api"] for _, a in self.apis)
            for k in range(1, n + 1) if not self.short else [2] * (n > 0):
                yield self.late, dict(fault, nth=k)

    def run(self, only):
        begun = time.monotonic()
        steps = [(self.label, x, ":kill") for x in LABELS + self.form.labels] if only == "kill" else self.plan()
        for step in steps:
            if not only or only == "kill" or step[0].__name__ in only.split(","):
                step[0](*step[1:])
        self.say("%d steps were not reached; %d passed, %d failed in %.0f s" %
                 (self.idle, self.passed, self.failed, time.monotonic() - begun))


def work(name, short, only, seed):
    JobSweep(FORMS[name](), short, seed).run(only)


# the whole server recovers
CRASHES = ("job_loghub_append", "job_loghub_oss_parts", "job_loghub_local", "job_fence_ots")

if __name__ == "__main__":
    pool.main(__file__, list(FORMS), [(name, "kill") for name in CRASHES], work)
