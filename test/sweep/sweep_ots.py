"""Fault sweep of Tablestore: reading, every way of writing, change streams, and the jobs
that end in MaxCompute or begin in LogHub.  sweep_ots_forms.py has the statements.

For every fault mode and every index k of the requests a clean run makes:

  once     request k fails once in a way that passes: the statement succeeds and the
           target is exactly right
  forever  request k and all later ones fail
  final    the service refuses request k for good, or the key expires with it
  rows     single rows of a batch fail: passing, for good, or written all the same
  late     a write is answered as failed and done afterwards, perhaps after its repetition
  event    a partition splits or merges; the clock jumps
  corrupt  one bit of an answer is another, for every byte: refused, or without effect
  storm    one request in four fails, in any way that passes, rows of batches too
  cancel, terminate  the statement hangs at request k

A statement that fails must do so with a SQLSTATE that says what was wrong.  What it
leaves is as before (local tables, MaxCompute), or each row is as before or complete
(Tablestore, where nothing is taken back).  Then the same statement runs without
faults, and the target is exactly right.

Each form has a database, an emulator and a process of its own; most of a sweep is
waiting.  sweep_ots.py [--short] [--form FORM] [--step STEP]
"""
import argparse
import os
import queue
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

QUICK = ("SET mc_fdw.max_retries = '4'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET mc_fdw.publish_timeout = '3s'; SET mc_fdw.concurrency = '3'; SET client_min_messages = warning")
INTERNAL = {"http": 500, "code": "OTSInternalServerError", "message": "injected"}
LOST = {"08001", "08006"}            # the network
FAILED = {"HV000"}          # the service
BUSY = {"53400"}            # the service, with what to do about it
WRONG = {"08P01", "XX001"}  # an answer that is not the service's

# a fault that passes -> what a statement may say when it does not pass
ONCE = {
    "http_500": (dict(INTERNAL, action="status"), FAILED),
    "http_503": ({"action": "status", "http": 503, "code": "OTSServerUnavailable", "message": "injected"}, FAILED),
    "http_429": ({"action": "status", "http": 429, "code": "OTSFlowControl", "message": "injected"}, BUSY),
    "status_after": (dict(INTERNAL, action="status_after"), FAILED),
    "reset_before": ({"action": "reset_before"}, LOST),
    "reset_after": ({"action": "reset_after"}, LOST),
    "reset_mid_body": ({"action": "reset_mid_body"}, LOST),
    "drop": ({"action": "drop"}, LOST),
    "close_after": ({"action": "close_after"}, None),
    "truncate_body": ({"action": "truncate_body"}, LOST),
    "corrupt_body": ({"action": "corrupt_body"}, WRONG),
    "stall_before": ({"action": "stall_before"}, LOST),
    "stall_after": ({"action": "stall_after"}, LOST),
    "stall_mid_body": ({"action": "stall_mid_body"}, LOST),
}
# the same for what only Tablestore does
ONCE_TABLESTORE = {
    "busy": ({"action": "throttle", "code": "OTSServerBusy"}, BUSY),
    "no_capacity": ({"action": "throttle", "code": "OTSNotEnoughCapacityUnit"}, BUSY),
    "partition_unavailable": ({"action": "throttle", "code": "OTSPartitionUnavailable"}, FAILED),
    "timeout_applied": ({"action": "apply_then_fail", "code": "OTSTimeout"}, FAILED),
    "unavailable_applied": ({"action": "apply_then_fail", "code": "OTSServerUnavailable"}, FAILED),
    "bad_signature": ({"action": "bad_signature"}, WRONG),
    "no_signature": ({"action": "bad_signature", "missing": 1}, WRONG),
}
CLOCK = {"clock_ahead": 3600, "clock_behind": -3600}
# a refusal that does not pass -> the SQLSTATE
FINAL = {
    "no_permission": ({"action": "throttle", "code": "OTSNoPermissionAccess"}, {"42501"}),
    "invalid": ({"action": "throttle", "code": "OTSParameterInvalid"}, {"HV024"}),
}
TRIMMED = {"stream_trimmed": ({"action": "stream_trimmed"}, {"22008"})}
# not final for these: the batch is divided, the scan does without
TOLERANT = {"invalid": ("BatchWriteRow", "ComputeSplitPointsBySize"), "no_permission": ("ComputeSplitPointsBySize",)}
ROWS = {
    "rows_busy": {"code": "OTSServerBusy", "each": 3},
    "rows_conflict": {"code": "OTSRowOperationConflict"},
    "rows_timeout": {"code": "OTSTimeout", "each": 2},
    "rows_timeout_applied": {"code": "OTSTimeout", "each": 2, "applied": 1},
    "rows_all_applied": {"code": "OTSInternalServerError", "applied": 1},
}
ROWS_FINAL = {
    "row_refused": ({"code": "OTSOutOfRowSizeLimit", "row": 0}, {"54000"}),
    "row_forbidden": ({"code": "OTSNoPermissionAccess", "row": 0}, {"42501"}),
}
LATER = {
    "apply_later": {"action": "apply_later", "writes": 1},
    "apply_much_later": {"action": "apply_later", "ms": 150},
}


class Sweep:
    def __init__(self, form, short):
        self.form = form
        self.short = short
        self.passed = self.failed = self.idle = 0
        self.s = mctest.Session(QUICK)
        form.prepare(mctest.Session())
        form.reset()
        form.learn_before()
        out, state, tag = self.execute()
        if state != "00000":
            sys.exit("sweep: %s: a clean run fails: %s" % (form.name, out))
        form.learn_after(out, tag)
        form.reset()
        before = mctest.requests()
        self.execute()
        clean = mctest.requests() - before
        log = mctest.call("log?n=%d" % clean)
        self.apis = [(x["service"], x["api"]) for x in log]
        self.sizes = {}     # (api, nth) -> bytes of the answer
        for x in log:
            self.sizes[x["api"], 1 + sum(a == x["api"] for a, _ in self.sizes)] = x["bytes_out"]
        self.say("a clean run makes %d requests: %s" % (clean, ", ".join(
            "%d %s" % (sum(a == b for b in self.apis), a[1]) for a in dict.fromkeys(self.apis))))

    def say(self, text):
        print("%s: %s" % (self.form.name, text), flush=True)

    def check(self, name, why):
        if why:
            self.failed += 1
            print("sweep: %s: %s: %s" % (self.form.name, name, why), flush=True)
        else:
            self.passed += 1

    # ---- one statement

    def arm(self, *rules):
        self.form.reset()
        self.serial = max([x["serial"] for x in mctest.call("log?n=1")] or [0])
        mctest.call("faults", rules)

    def execute(self, settings=""):
        """In a session of its own, so that nothing is remembered: (output, SQLSTATE, row count)"""
        self.s.close()
        self.s = mctest.Session(QUICK + settings)
        out, state = self.s.try_sql(self.form.statement(), 120)
        return out, state, self.form.tag(out) if state == "00000" else None

    def struck(self):
        """the APIs that the fault has met"""
        return {x["api"] for x in mctest.call("log?n=300") if x["fault"] and x["serial"] > self.serial}

    def settle(self, name, out, state, tag, strict=None, tolerant=()):
        """strict: None = must succeed, else the SQLSTATEs it must fail with if the fault has
        struck a request that is not of a tolerant API"""
        struck = self.struck()
        self.idle += not struck
        struck -= set(tolerant)
        mctest.call("faults", [])
        self.restore()
        if state == "00000":
            self.check(name, "succeeded in spite of it" if strict and struck else self.form.wrong(out, tag))
            return
        if strict is None or (state not in strict and state not in self.form.also):
            self.check(name, "failed with %s: %s" % (state, out))
        else:
            self.check(name, self.form.wrong_after_failure(out, state))
        out, state, tag = self.execute()
        self.check(name + ", repeated", self.form.wrong_repeated(out, tag) if state == "00000" else "%s: %s" % (state, out))

    def restore(self):
        mctest.call("clock", {"system": True})
        mctest.command("emulator", "access_key", id=mctest.KEY[0], secret=mctest.KEY[1], expired=False)

    # ---- steps; 'at' is a part of a rule that says which request

    def once(self, name, fault, at):
        self.arm(dict(fault, **at, count=1))
        result = self.execute()
        # damage inside the rows of a page shows when they are read, too late to ask again
        damage = WRONG if name == "corrupt_body" and self.struck() == {"GetRange"} else None
        self.settle("%s once at %s" % (name, at), *result, damage, {"GetRange"})

    def late(self, name, fault, at):
        self.arm(dict(fault, **at, count=1))
        result = self.execute()
        time.sleep(0.3)     # it has happened by now
        self.settle("%s at %s" % (name, at), *result)

    def clock(self, name, seconds, at):
        self.once(name, {"action": "command", "command": {"service": "emulator", "op": "clock", "advance_s": seconds}}, at)

    def event(self, name, command, undo, at):
        self.once(name, {"action": "command", "command": dict(command, service="tablestore")}, at)
        if self.struck():
            mctest.command("tablestore", **undo)

    def forever(self, name, fault, states, at):
        at = dict(at)
        at["after"] = at.pop("nth") - 1
        self.arm(dict(fault, **at))
        out, state, tag = self.execute()
        if state == "00000":    # the last requests may be dispensable
            mctest.call("faults", [])
            self.check("%s from %s" % (name, at), self.form.wrong(out, tag))
        else:
            self.settle("%s from %s" % (name, at), out, state, tag, states or set())

    def final(self, name, fault, states, at):
        self.arm(dict(fault, **at, count=1))
        self.settle("%s at %s" % (name, at), *self.execute(), states, TOLERANT.get(name, ()))

    def expired(self, at):
        self.arm(dict(at, action="command", command={
            "service": "emulator", "op": "access_key", "id": mctest.KEY[0], "secret": mctest.KEY[1], "expired": True}))
        self.settle("key expires at %s" % at, *self.execute(), {"28000"})

    def corrupt(self, at, byte, seed):
        """one bit of an answer; without another attempt, so that the answer must be refused or be harmless"""
        name = "bit flipped in byte %d of %s" % (byte, at)
        self.arm(dict(at, action="corrupt_body", at=byte, seed=seed, count=1))
        out, state, tag = self.execute("; SET mc_fdw.max_retries = '0'; SET mc_fdw.stall_timeout = '60s'")
        mctest.call("faults", [])
        if state == "00000":
            self.check(name, self.form.wrong(out, tag))
        elif state not in WRONG | {"40003"}:
            self.check(name, "failed with %s: %s" % (state, out))
        else:
            self.check(name, self.form.wrong_after_failure(out, state))

    def storm(self, seed):
        passing = [f for name, (f, _) in list(ONCE.items()) + list(ONCE_TABLESTORE.items()) if name != "corrupt_body"]
        rows = [dict(f, action="row_error", service="tablestore") for f in ROWS.values()]
        self.arm(*[dict(f, probability="0.012", seed=1000 * seed + i) for i, f in enumerate(passing + rows)])
        settings = "; SET mc_fdw.max_retries = '20'; SET mc_fdw.retry_max_elapsed = '60s'; SET mc_fdw.publish_timeout = '60s'"
        self.settle("storm %d" % seed, *self.execute(settings))

    def hang(self, how, at):
        rule = dict(at, action="stall_before")
        rule["after"] = rule.pop("nth") - 1
        self.arm(rule)
        self.s.close()
        self.s = mctest.Session(QUICK + "; SET mc_fdw.stall_timeout = '60s'")
        self.s.send(self.form.statement())
        deadline = time.monotonic() + 20
        while not mctest.call("faults")[0]["fired"] and time.monotonic() < deadline:
            time.sleep(0.01)
        subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_%s_backend(%d)" % (how, self.s.pid)],
                       stdout=subprocess.DEVNULL, check=True)
        name = "%s at %s" % (how, at)
        try:
            out, state = self.s.finish(5)
        except queue.Empty:     # held while publishing, or deaf
            mctest.call("faults", [])
            out, state = self.s.finish(60)
            self.check(name + " acts", None if self.form.holds_cancel else "it took longer than 5 s")
        self.settle(name, out, state, self.form.tag(out) if state == "00000" else None,
                    {"57014"} if how == "cancel" else {"57P01", "lost"})

    # ---- which

    def places(self, service=None):
        """every index of a request, or in the short form one of each API"""
        if not self.short:
            n = sum(service in (None, s) for s, _ in self.apis)
            where = {"service": service} if service else {}
            return [dict(where, nth=k) for k in range(1, n + 1)]
        found = []
        for s, api in dict.fromkeys(self.apis):
            if service in (None, s) and api in self.form.short_apis:
                n = self.apis.count((s, api))
                found.append({"service": s, "api": api, "nth": min(2, n)})
        return found

    def calls(self, api):
        n = self.apis.count(("tablestore", api))
        return [{"service": "tablestore", "api": api, "nth": k} for k in ([min(2, n)] if self.short and n else range(1, n + 1))]

    def plan(self):
        passing = [(name, f, "tablestore" if name == "corrupt_body" else None) for name, f in ONCE.items()]
        passing += [(name, f, "tablestore") for name, f in ONCE_TABLESTORE.items()]
        for name, (fault, states), service in passing:
            for at in self.places(service):
                yield self.once, name, fault, at
        for name, seconds in CLOCK.items() if self.form.own_clock else ():
            for at in self.places("tablestore"):
                yield self.clock, name, seconds, at
        for name, (command, undo) in self.form.events.items():
            for at in self.places("tablestore"):
                yield self.event, name, command, undo, at
        for name, (fault, states), service in passing:
            if states and (not self.short or name in self.form.short_forever):
                for at in self.places(service):
                    yield self.forever, name, fault, states, at
        for name, (fault, states) in FINAL.items():
            for at in self.places("tablestore"):
                yield self.final, name, fault, states, at
        for at in self.places("tablestore"):
            yield self.expired, at
        for (api, nth), size in self.sizes.items():
            n = self.apis.count(("tablestore", api))
            if n > 0 and api in self.form.short_apis and nth in (1, n):
                step = max(1, size // (10 if self.short else 500))
                for byte in range(nth % 2, size, step):
                    yield self.corrupt, {"service": "tablestore", "api": api, "nth": nth}, byte, byte
        for seed in range(2 if self.short else 40):
            yield self.storm, seed
        for how in ("cancel", "terminate"):
            for at in self.places():
                yield self.hang, how, at
        for name, (fault, states) in TRIMMED.items():
            for at in self.calls("GetStreamRecord") + self.calls("GetShardIterator"):
                yield self.final, name, fault, states, at
        for api in ("BatchWriteRow", "BatchGetRow"):
            for at in self.calls(api):
                for name, fault in ROWS.items():
                    yield self.once, name, dict(fault, action="row_error"), at
                for name, (fault, states) in ROWS_FINAL.items():
                    yield self.final, name, dict(fault, action="row_error"), states, at
        for at in self.calls("BatchWriteRow"):
            for name, fault in LATER.items():
                yield self.late, name, fault, at

    def run(self, only):
        for step in self.plan():
            if not only or step[0].__name__ in only.split(","):
                step[0](*step[1:])
        self.s.close()


def work(name, short, only):
    """in a process of its own"""
    global mctest
    import mctest
    import sweep_ots_forms
    sweep = Sweep(sweep_ots_forms.FORMS[name](), short)
    begun = time.monotonic()
    sweep.run(only)
    sweep.say("%d faults met no request; %d passed, %d failed in %.0f s" %
              (sweep.idle, sweep.passed, sweep.failed, time.monotonic() - begun))


# ---- the pool

def start_emulator():
    emulator = subprocess.Popen(
        [os.path.join(HERE, "../emulator/mc-emulator"), "--loghub-port", "0", "--tablestore-port", "0",
         "--maxcompute-port", "0", "--access-key", "%s:%s" % (os.environ["MC_KEY_ID"], os.environ["MC_KEY_SECRET"])],
        stdout=subprocess.PIPE, text=True)
    ports = {}
    for line in emulator.stdout:
        if line.startswith("ready"):
            return emulator, ports
        service, address = line.split()
        ports["MC_%s_PORT" % service.upper()] = address.rsplit(":", 1)[1]
    sys.exit("sweep: the emulator does not start")


def run_form(name, args, results):
    emulator, env = start_emulator()
    worker = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--worker", name] + ["--short"] * args.short +
        (["--step", args.step] if args.step else []),
        env=dict(os.environ, PGDATABASE="sweep_" + name, **env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    last = ""
    for last in worker.stdout:
        print(last, end="", flush=True)
    m = re.search(r"(\d+) passed, (\d+) failed", last)
    results[name] = (int(m.group(1)), int(m.group(2))) if worker.wait() == 0 and m else (0, 1)
    emulator.kill()
    emulator.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--form", help="only this one; default all")
    parser.add_argument("--step", help="only these kinds: once,forever,corrupt,...; default all")
    parser.add_argument("--jobs", type=int, default=4, help="forms at the same time")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.short, args.step)
        return
    with open(os.path.join(HERE, "sweep_ots_forms.py")) as f:
        names = re.findall(r'^    name = "(\w+)"', f.read(), re.M)
    forms = [args.form] if args.form else names
    for name in forms:
        subprocess.run(["psql", "-Xq", "-d", "postgres", "-c", "CREATE DATABASE sweep_" + name], check=True)
    todo, results = queue.Queue(), {}
    for name in forms:
        todo.put(name)

    def pull():
        while True:
            try:
                name = todo.get_nowait()
            except queue.Empty:
                return
            results[name] = (0, 1)
            run_form(name, args, results)
    threads = [threading.Thread(target=pull) for _ in range(min(args.jobs, len(forms)))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    failed = sum(r[1] for r in results.values())
    print("sweep: %d passed, %d failed" % (sum(r[0] for r in results.values()), failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
