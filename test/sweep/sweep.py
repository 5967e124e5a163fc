"""Fault sweep of LogHub to MaxCompute, in three forms: an append, an overwrite, and
TRUNCATE with an INSERT.

For every fault mode and every index k of the requests a clean run makes:

  once     request k fails once: the statement succeeds, the target is exactly right
  forever  request k and all later ones fail: the statement fails, the target is
           exactly as before; without faults the same statement succeeds and the
           target is exactly right
  cancel, kill  the statement hangs at request k and is cancelled, or its backend is
           killed with SIGKILL; then as above
  service  a session meets what only the service can do to it: expired, critical, stuck

Exceptions exist from the first publishing request on, because several partitions are
several commits (docs/guarantees.md): a failure there is SQLSTATE 40003, and DETAIL
must say of every partition whether it is published, not published or unknown, and be
right; after SIGKILL nobody is left to tell.  In both cases the target must hold each
partition either whole or not at all; only an append that the service itself reported
as failed may leave a part, and then DETAIL says so.
"""
import argparse
import os
import queue
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, WINDOW, Session, call, command, generate, odps_content, odps_sql, requests  # noqa: E402

FIRST = None    # the form that prepares the services
ROWS = 400
BEFORE = 50
INSERT = "INSERT INTO target SELECT c1, c2, 'p' || (hashtext(c1) & 1) FROM source WHERE " + WINDOW
FORMS = {"append": INSERT, "overwrite": INSERT,
         "truncate": "DO $$ BEGIN TRUNCATE target; %s; END $$" % INSERT}
QUICK = ("SET mc_fdw.max_retries = '3'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET mc_fdw.publish_timeout = '3s'; SET client_min_messages = warning")
MODES = {
    "http_500": {"action": "status", "http": 500, "code": "InternalServerError", "message": "injected"},
    "http_503": {"action": "status", "http": 503, "code": "ServiceUnavailable", "message": "injected"},
    "throttle": {"action": "status", "http": 429, "code": "FlowExceeded", "message": "injected"},
    "status_after": {"action": "status_after", "http": 500, "code": "InternalServerError", "message": "injected"},
    "reset_before": {"action": "reset_before"},
    "reset_after": {"action": "reset_after"},
    "reset_mid_body": {"action": "reset_mid_body"},
    "truncate_body": {"action": "truncate_body"},
    "corrupt_body": {"action": "corrupt_body"},
    "stall_before": {"action": "stall_before"},
    "stall_mid_body": {"action": "stall_mid_body"},
}
# what only the service can do; the target is exactly right or the statement says what became of it
SERVICE = [{"api": "CommitUpload", "action": a, "nth": n} for n in (1, 2) for a in (
    "critical", "append_residue", "forget_after_close")]
SERVICE += [{"api": "CommitUpload", "action": a, "ms": 300, "nth": n} for n in (1, 2) for a in (
    "apply_later", "stuck_closing", "stuck_committing")]
SERVICE += [{"api": "CommitUpload", "action": "stuck_closing", "ms": -1, "nth": n} for n in (1, 2)]
SERVICE += [{"api": api, "action": "session_expired", "nth": n} for n in (1, 2) for api in (
    "WriteBlock", "GetUpload", "CommitUpload")]


class Sweep:
    def __init__(self, short, form):
        self.short = short
        self.form = form
        self.statement = FORMS[form]
        self.settings = QUICK + (";SET mc_fdw.write_mode = 'overwrite'" if form == "overwrite" else "")
        self.passed = self.failed = 0
        self.s = Session(self.settings)
        self.setup()

    def setup(self):
        self.s.sql("SET client_min_messages = error; DROP EXTENSION IF EXISTS mc_fdw CASCADE;"
                   "CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE source (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls
  OPTIONS (logstore 'text10', fetch_size '2');
CREATE FOREIGN TABLE target (c1 text, c2 text, pt text) SERVER odps
  OPTIONS (table 'target', block_size '64kB', truncatable 'true')""")
        if self.form == FIRST:
            command("loghub", "create_project", project="web")
            generate("text10", ROWS, seed=7, logs_per_group=50)
            command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        self.reset_target()
        self.before = odps_content("target")
        self.s.sql(self.statement)
        self.after = odps_content("target")
        assert sum(v[0] for v in self.after.values()) == ROWS + {
            "append": 2 * BEFORE, "overwrite": BEFORE, "truncate": 0}[self.form], self.after
        self.reset_target()
        before = requests()
        self.s.sql(self.statement)
        self.clean = requests() - before
        apis = [x["api"] for x in call("log")[-self.clean:]]
        self.publishing = apis.index("CommitUpload") + 1
        print("%s: a clean run makes %d requests, it publishes with number %d and later" %
              (self.form, self.clean, self.publishing))

    def reset_target(self):
        for sql in ("DROP TABLE IF EXISTS demo.target",
                    "CREATE TABLE demo.target (c1 STRING, c2 STRING) PARTITIONED BY (pt STRING)",
                    "ALTER TABLE demo.target ADD PARTITION (pt='p0') PARTITION (pt='p9')"):
            odps_sql(sql)
        for partition in ("pt=p0", "pt=p9"):
            command("maxcompute", "generate", project="demo", table="target", partition=partition,
                    profile="text10", rows=BEFORE, seed=99)

    def check(self, name, ok, why):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print("sweep: %s: %s: %s" % (self.form, name, why), flush=True)

    def untrue(self, out, now):
        """what DETAIL says wrongly about a partition"""
        said = {}
        for line in out:
            m = re.match(r"(?:DETAIL:  )?(Published|Not published|Unknown): (.*)\.$", line)
            if m:
                said.update({x.group(1): (m.group(1), "rows may remain" in x.group(2))
                             for x in re.finditer(r"\((pt=[^)]*)\)([^,]*(?:\(rows may[^)]*\))?)", m.group(2))})
        wrong = []
        for p in set(now) | set(self.before) | set(self.after):
            before, after = now.get(p) == self.before.get(p), now.get(p) == self.after.get(p)
            word, rest = said.get(p, (None, False))
            right = {"Published": after, "Not published": before or rest, "Unknown": before or after, None: before}[word]
            if not right:
                wrong.append("%s is %s, said is %s" % (p, now.get(p), word))
        return wrong

    def settle(self, name, state, out, k):
        """after a failure: as before, or told rightly; then the statement succeeds"""
        call("faults", [])
        now = odps_content("target")
        changed = [p for p in set(now) | set(self.before) if now.get(p) != self.before.get(p)]
        whole = all(now.get(p) == self.after.get(p) for p in changed)
        if k >= self.publishing and state == "40003":
            wrong = self.untrue(out, now)
            self.check(name, not wrong, "40003, but %s: %s" % (wrong, out))
        elif k >= self.publishing and state == "lost":
            self.check(name, whole, "a partition is neither as before nor complete: %s -> %s" % (self.before, now))
        else:
            self.check(name, now == self.before, "%s: the target changed: %s -> %s" % (state, self.before, now))
        self.reset_target()
        out, state = self.s.try_sql(self.statement)
        self.check(name + " repeated", state == "00000" and odps_content("target") == self.after,
                   "%s %s" % (state, out))

    def once(self, mode, k):
        self.reset_target()
        call("faults", [dict(MODES[mode], nth=k, count=1)])
        out, state = self.s.try_sql(self.statement)
        name = "%s once at %d" % (mode, k)
        if state == "00000":
            call("faults", [])
            now = odps_content("target")
            self.check(name, now == self.after, "succeeded, but the target is %s, not %s" % (now, self.after))
        elif mode in ("corrupt_body",):
            self.settle(name, state, out, k)   # a corrupted control answer may be an error
        else:
            self.check(name, False, "failed: %s %s" % (state, out))
            call("faults", [])

    def forever(self, mode, k):
        self.reset_target()
        call("faults", [dict(MODES[mode], **{"after": k - 1})])
        out, state = self.s.try_sql(self.statement)
        name = "%s from %d" % (mode, k)
        if state == "00000":    # the last answers may be dispensable
            call("faults", [])
            self.check(name, odps_content("target") == self.after, "succeeded, but the target is wrong")
            return
        self.settle(name, state, out, k)

    def service(self, fault):
        self.reset_target()
        call("faults", [fault])
        out, state = self.s.try_sql(self.statement)
        name = "%(api)s %(nth)d %(action)s" % fault
        if state == "00000":
            now = odps_content("target")
            self.check(name, now == self.after, "succeeded, but the target is %s, not %s" % (now, self.after))
            call("faults", [])
        else:
            self.settle(name, state, out, self.clean)

    def hang(self, how, k):
        self.reset_target()
        self.s.sql("SET mc_fdw.stall_timeout = '5s'; SET mc_fdw.publish_timeout = '60s'")
        seen = requests()
        call("faults", [{"action": "stall_before", "after": k - 1}])
        self.s.send(self.statement)
        deadline = time.monotonic() + 20
        while requests() < seen + k and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        if how == "kill":
            other = Session()
            other.send("SELECT pg_sleep(600)")
            os.kill(self.s.pid, signal.SIGKILL)
            other.finish(60)    # until the server has noticed, it would let us in and throw us out
        else:
            subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_cancel_backend(%d)" % self.s.pid],
                           stdout=subprocess.DEVNULL, check=True)
        try:
            out, state = self.s.finish(3 if how == "cancel" else 30)
        except queue.Empty:
            # a cancel is held while publishing: release the service
            call("faults", [])
            out, state = self.s.finish(60)
            name = "%s at %d" % (how, k)
            now = odps_content("target")
            self.check(name, now == self.after if state == "00000" else state == "40003" and not self.untrue(out, now),
                       "%s %s %s" % (state, out, now))
            self.s.sql(self.settings)
            return
        if how == "kill":
            self.reconnect()
        else:
            self.s.sql(self.settings)
        if state == "00000":    # it was over before request k, or published in spite of the cancel
            call("faults", [])
            self.check("%s at %d" % (how, k), odps_content("target") == self.after, "succeeded, but the target is wrong")
            return
        self.settle("%s at %d" % (how, k), state, out, k)

    def reconnect(self):
        for _ in range(200):
            try:
                self.s = Session(self.settings)
                return
            except (IndexError, ValueError, BrokenPipeError, RuntimeError):
                time.sleep(0.1)
        sys.exit("sweep: the server did not come back")

    def run(self):
        every = range(1, self.clean + 1)
        if self.short and self.form != FIRST:
            last = range(self.publishing - 2, self.clean + 1)
            plan = [(self.once, m, k) for m in ("status_after",) for k in last]
            plan += [(self.forever, m, k) for m in ("reset_after",) for k in last]
            plan += [(self.hang, h, k) for h in ("cancel", "kill") for k in (1, self.publishing - 1, self.clean)]
            plan += [(self.service, f) for f in SERVICE if f["nth"] == 2 and f.get("ms") != -1]
        elif self.short:
            modes = ["http_500", "reset_before", "reset_after", "truncate_body"]
            some = sorted(set(list(every)[::max(1, self.clean // 8)] + [self.clean]))
            plan = [(self.once, m, k) for m in modes for k in every]
            plan += [(self.forever, m, k) for m in ("reset_after", "http_500") for k in some]
            plan += [(self.hang, h, k) for h in ("cancel", "kill") for k in some]
        else:
            plan = [(f, m, k) for m in MODES for f in (self.once, self.forever) for k in every]
            plan += [(self.hang, h, k) for h in ("cancel", "kill") for k in every]
            plan += [(self.service, f) for f in SERVICE]
        for step in plan:
            step[0](*step[1:])
        self.s.close()
        return self.passed, self.failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--form", choices=list(FORMS), help="only this one; default all")
    args = parser.parse_args()
    global FIRST
    forms = [args.form] if args.form else list(FORMS)
    FIRST = forms[0]
    results = [Sweep(args.short, form).run() for form in forms]
    failed = sum(r[1] for r in results)
    print("sweep: %d passed, %d failed" % (sum(r[0] for r in results), failed))
    sys.exit(1 if failed else 0)


main()
