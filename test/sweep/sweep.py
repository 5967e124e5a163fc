"""Fault sweep of LogHub to MaxCompute.

For every fault mode and every index k of the requests a clean run makes:

  once     request k fails once: the statement succeeds, the target is exactly right
  forever  request k and all later ones fail: the statement fails, the target is
           exactly as before; without faults the same statement succeeds and the
           target is exactly right
  cancel, kill  the statement hangs at request k and is cancelled, or its backend is
           killed with SIGKILL; then as above

Exceptions exist from the first publishing request on, because several partitions are
several commits (docs/guarantees.md): a failure there is SQLSTATE 40003, and DETAIL
must name every partition that is not as before; after SIGKILL nobody is left to tell.
In both cases the target must hold each partition either whole or not at all.
"""
import argparse
import os
import queue
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, WINDOW, Session, call, command, generate, odps_content, odps_sql, requests  # noqa: E402

ROWS = 400
BEFORE = 50
STATEMENT = "INSERT INTO target SELECT c1, c2, 'p' || (hashtext(c1) & 1) FROM source WHERE " + WINDOW
QUICK = ("SET mc_fdw.max_retries = '3'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET mc_fdw.publish_timeout = '3s'; SET client_min_messages = warning")
MODES = {
    "http_500": {"action": "status", "http": 500, "code": "InternalServerError", "message": "injected"},
    "http_503": {"action": "status", "http": 503, "code": "ServiceUnavailable", "message": "injected"},
    "throttle": {"action": "status", "http": 429, "code": "FlowExceeded", "message": "injected"},
    "reset_before": {"action": "reset_before"},
    "reset_after": {"action": "reset_after"},
    "reset_mid_body": {"action": "reset_mid_body"},
    "truncate_body": {"action": "truncate_body"},
    "corrupt_body": {"action": "corrupt_body"},
    "stall_before": {"action": "stall_before"},
    "stall_mid_body": {"action": "stall_mid_body"},
}


class Sweep:
    def __init__(self, short):
        self.short = short
        self.passed = self.failed = 0
        self.s = Session(QUICK)
        self.setup()

    def setup(self):
        self.s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE source (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls
  OPTIONS (logstore 'text10', fetch_size '2');
CREATE FOREIGN TABLE target (c1 text, c2 text, pt text) SERVER odps OPTIONS (table 'target', block_size '64kB')""")
        command("loghub", "create_project", project="web")
        generate("text10", ROWS, seed=7, logs_per_group=50)
        command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        self.reset_target()
        self.before = odps_content("target")
        self.s.sql(STATEMENT)
        self.after = odps_content("target")
        assert sum(v[0] for v in self.after.values()) == ROWS + BEFORE, self.after
        self.reset_target()
        before = requests()
        self.s.sql(STATEMENT)
        self.clean = requests() - before
        apis = [x["api"] for x in call("log")[-self.clean:]]
        self.publishing = apis.index("CommitUpload") + 1
        print("a clean run makes %d requests, it publishes with number %d and later" % (self.clean, self.publishing))

    def reset_target(self):
        for sql in ("DROP TABLE IF EXISTS demo.target",
                    "CREATE TABLE demo.target (c1 STRING, c2 STRING) PARTITIONED BY (pt STRING)",
                    "ALTER TABLE demo.target ADD PARTITION (pt='p0')"):
            odps_sql(sql)
        command("maxcompute", "generate", project="demo", table="target", partition="pt=p0",
                profile="text10", rows=BEFORE, seed=99)

    def check(self, name, ok, why):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print("sweep: %s: %s" % (name, why), flush=True)

    def settle(self, name, state, out, k):
        """after a failure: as before, or unknown and named; then the statement succeeds"""
        call("faults", [])
        now = odps_content("target")
        changed = [p for p in set(now) | set(self.before) if now.get(p) != self.before.get(p)]
        whole = all(now.get(p) == self.after[p] for p in changed)
        if k >= self.publishing and state == "40003":
            self.check(name, whole and all(p in "\n".join(out) for p in changed),
                       "40003, but %s is not explained by: %s" % (changed, out))
        elif k >= self.publishing and state == "lost":
            self.check(name, whole, "a partition is neither as before nor complete: %s -> %s" % (self.before, now))
        else:
            self.check(name, now == self.before, "%s: the target changed: %s -> %s" % (state, self.before, now))
        self.reset_target()
        out, state = self.s.try_sql(STATEMENT)
        self.check(name + " repeated", state == "00000" and odps_content("target") == self.after,
                   "%s %s" % (state, out))

    def once(self, mode, k):
        self.reset_target()
        call("faults", [dict(MODES[mode], nth=k, count=1)])
        out, state = self.s.try_sql(STATEMENT)
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
        out, state = self.s.try_sql(STATEMENT)
        name = "%s from %d" % (mode, k)
        if state == "00000":    # the last answers may be dispensable
            call("faults", [])
            self.check(name, odps_content("target") == self.after, "succeeded, but the target is wrong")
            return
        self.settle(name, state, out, k)

    def hang(self, how, k):
        self.reset_target()
        self.s.sql("SET mc_fdw.stall_timeout = '5s'; SET mc_fdw.publish_timeout = '60s'")
        seen = requests()
        call("faults", [{"action": "stall_before", "after": k - 1}])
        self.s.send(STATEMENT)
        deadline = time.monotonic() + 20
        while requests() < seen + k and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        if how == "kill":
            os.kill(self.s.pid, signal.SIGKILL)
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
            self.check(name, state == "00000" and odps_content("target") == self.after, "%s %s" % (state, out))
            self.s.sql(QUICK)
            return
        if how == "kill":
            self.reconnect()
        else:
            self.s.sql(QUICK)
        self.settle("%s at %d" % (how, k), state, out, k)

    def reconnect(self):
        for _ in range(200):
            try:
                self.s = Session(QUICK)
                return
            except (IndexError, ValueError, BrokenPipeError, RuntimeError):
                time.sleep(0.1)
        sys.exit("sweep: the server did not come back")

    def run(self):
        every = range(1, self.clean + 1)
        if self.short:
            modes = ["http_500", "reset_before", "reset_after", "truncate_body"]
            some = sorted(set(list(every)[::max(1, self.clean // 8)] + [self.clean]))
            plan = [(self.once, m, k) for m in modes for k in every]
            plan += [(self.forever, m, k) for m in ("reset_after", "http_500") for k in some]
            plan += [(self.hang, h, k) for h in ("cancel", "kill") for k in some]
        else:
            plan = [(f, m, k) for m in MODES for f in (self.once, self.forever) for k in every]
            plan += [(self.hang, h, k) for h in ("cancel", "kill") for k in every]
        for f, m, k in plan:
            f(m, k)
        print("sweep: %d passed, %d failed" % (self.passed, self.failed))
        return self.failed == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    sys.exit(0 if Sweep(parser.parse_args().short).run() else 1)


main()
