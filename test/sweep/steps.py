"""What the sweeps of a service have in common: one form (a statement, and what is right
after it) against one fault at one request.  sweep_ots.py and sweep_oss.py say which
faults there are and which of them a form meets.

A form has name, statement(), reset(), learn_before(), learn_after(out, tag), tag(out),
wrong(out, tag), wrong_after_failure(out, state), wrong_repeated(out, tag), and the
attributes of Form in sweep_ots_forms.py.
"""
import os
import queue
import subprocess
import sys
import time

import mctest

QUICK = ("SET mc_fdw.max_retries = '4'; SET mc_fdw.stall_timeout = '250ms'; SET mc_fdw.retry_max_elapsed = '3s';"
         "SET mc_fdw.publish_timeout = '3s'; SET mc_fdw.concurrency = '3'; SET client_min_messages = warning")
LOST = {"08001", "08006"}            # the network
FAILED = {"HV000"}          # the service
BUSY = {"53400"}            # the service, with what to do about it
WRONG = {"08P01", "XX001"}  # an answer that is not the service's

# a fault that passes -> what a statement may say when it does not pass
TRANSPORT = {
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


class Sweep:
    service = ""            # whose requests are swept where a step says so
    held_timeout = 5        # seconds after which a cancelled statement is deaf
    tolerant = {}           # name of a final fault -> APIs whose refusal is not the statement's

    def __init__(self, form, short, seed=0):
        self.form = form
        self.short = short
        self.seed = seed
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
        self.sizes = {}     # (service, api, nth) -> bytes of the answer
        for x in log:
            which = x["service"], x["api"]
            self.sizes[which + (1 + sum(a[:2] == which for a in self.sizes),)] = x["bytes_out"]
        self.say("a clean run makes %d requests: %s" % (clean, ", ".join(
            "%d %s" % (sum(a == b for b in self.apis), a[1]) for a in dict.fromkeys(self.apis))))

    def say(self, text):
        print("%s: %s" % (self.form.name, text), flush=True)

    def check(self, name, why):
        if why:
            self.failed += 1
            print("sweep: %s: %s (seed %d): %s" % (self.form.name, name, self.seed, why), flush=True)
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

    def ended(self, name, state):
        """the statement is over, no fault is left, its target is not yet looked at"""

    def repeat(self, name):
        out, state, tag = self.execute()
        self.check(name + ", repeated", self.form.wrong_repeated(out, tag) if state == "00000" else "%s: %s" % (state, out))

    def settle(self, name, out, state, tag, strict=None, tolerant=()):
        """strict: None = must succeed, else the SQLSTATEs it must fail with if the fault has
        struck a request that is not of a tolerant API"""
        struck = self.struck()
        self.idle += not struck
        struck -= set(tolerant)
        mctest.call("faults", [])
        self.restore()
        self.ended(name, state)
        if state == "00000":
            must_fail = strict and struck and not self.form.forgives
            self.check(name, "succeeded in spite of it" if must_fail else self.form.wrong(out, tag))
            return
        if strict is None or (state not in strict and state not in self.form.also):
            self.check(name, "failed with %s: %s" % (state, out))
        else:
            self.check(name, self.form.wrong_after_failure(out, state))
        self.repeat(name)

    def restore(self):
        mctest.call("clock", {"system": True})
        mctest.command("emulator", "access_key", id=mctest.KEY[0], secret=mctest.KEY[1], expired=False)

    # ---- steps; 'at' is a part of a rule that says which request

    def damage(self, name, struck):
        """SQLSTATEs that a fault that passes may have all the same"""

    def once(self, name, fault, at):
        self.arm(dict(fault, **at, count=1))
        result = self.execute()
        states, apis = self.damage(name, self.struck()) or (None, ())
        self.settle("%s once at %s" % (name, at), *result, states, apis)

    def late(self, name, fault, at):
        self.arm(dict(fault, **at, count=1))
        result = self.execute()
        time.sleep(0.3)     # it has happened by now
        self.settle("%s at %s" % (name, at), *result)

    def clock(self, name, seconds, at):
        self.once(name, {"action": "command", "command": {"service": "emulator", "op": "clock", "advance_s": seconds}}, at)

    def forever(self, name, fault, states, at):
        at = dict(at)
        at["after"] = at.pop("nth") - 1
        self.arm(dict(fault, **at))
        out, state, tag = self.execute()
        name = "%s from %s" % (name, at)
        if state == "00000":    # the last requests may be dispensable
            mctest.call("faults", [])
            self.ended(name, state)
            self.check(name, self.form.wrong(out, tag))
        else:
            self.settle(name, out, state, tag, states or set())

    def final(self, name, fault, states, at):
        self.arm(dict(fault, **at, count=1))
        self.settle("%s at %s" % (name, at), *self.execute(), states, self.tolerant.get(name, ()))

    def expired(self, at):
        self.arm(dict(at, action="command", command={
            "service": "emulator", "op": "access_key", "id": mctest.KEY[0], "secret": mctest.KEY[1], "expired": True}))
        self.settle("key expires at %s" % at, *self.execute(), {"28000"}, self.tolerant.get("expired", ()))

    def damaged_states(self, at):
        """SQLSTATEs after a flipped bit"""
        return WRONG | {"40003"}

    def wrong_unnoticed(self, at, byte, out, tag):
        """a statement that has succeeded on a flipped bit"""
        return self.form.wrong(out, tag)

    def corrupt(self, at, byte, seed):
        """one bit of an answer; without another attempt, so that the answer must be refused or be harmless"""
        name = "bit flipped in byte %d of %s" % (byte, at)
        self.arm(dict(at, action="corrupt_body", at=byte, seed=seed, count=1))
        out, state, tag = self.execute("; SET mc_fdw.max_retries = '0'; SET mc_fdw.stall_timeout = '60s'")
        self.idle += not self.struck()
        mctest.call("faults", [])
        self.ended(name, state)
        if state == "00000":
            self.check(name, self.wrong_unnoticed(at, byte, out, tag))
        elif state not in self.damaged_states(at):
            self.check(name, "failed with %s: %s" % (state, out))
        else:
            self.check(name, self.form.wrong_after_failure(out, state))

    def storm(self, seed, rules):
        """one request in four or so fails; the seed of a rule decides which"""
        self.arm(*[dict(f, probability="0.012", seed=1000 * seed + i) for i, f in enumerate(rules)])
        settings = "; SET mc_fdw.max_retries = '20'; SET mc_fdw.retry_max_elapsed = '60s'; SET mc_fdw.publish_timeout = '60s'"
        self.settle("storm %d" % seed, *self.execute(settings))

    def hang(self, how, at):
        rule = dict(at, action="stall_before")
        rule["after"] = rule.pop("nth") - 1
        self.arm(rule)
        self.s.close()
        self.s = mctest.Session(QUICK + "; SET mc_fdw.stall_timeout = '60s'")
        self.s.send(self.form.statement())
        self.wait_for_fault()
        subprocess.run(["psql", "-XqAt", "-c", "SELECT pg_%s_backend(%d)" % (how, self.s.pid)],
                       stdout=subprocess.DEVNULL, check=True)
        name = "%s at %s" % (how, at)
        try:
            out, state = self.s.finish(self.held_timeout)
        except queue.Empty:     # held while publishing, or deaf
            mctest.call("faults", [])
            out, state = self.s.finish(60)
            self.check(name + " acts", None if self.form.holds_cancel else "it took longer than %d s" % self.held_timeout)
        self.settle(name, out, state, self.form.tag(out) if state == "00000" else None,
                    {"57014"} if how == "cancel" else {"57P01", "lost"})

    @staticmethod
    def wait_for_fault():
        deadline = time.monotonic() + 20
        while not mctest.call("faults")[0]["fired"] and time.monotonic() < deadline:
            time.sleep(0.01)

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
        n = self.apis.count((self.service, api))
        return [{"service": self.service, "api": api, "nth": k} for k in ([min(2, n)] if self.short and n else range(1, n + 1))]

    def flips(self, coarse, fine):
        """(at, byte, seed) of bits of answers, about so many of each"""
        for (service, api, nth), size in self.sizes.items():
            n = self.apis.count((service, api))
            if service == self.service and api in self.form.short_apis and nth in (1, n):
                step = max(1, size // (coarse if self.short else fine))
                for byte in range(nth % 2, size, step):
                    yield {"service": service, "api": api, "nth": nth}, byte, byte + self.seed

    def plan(self):
        raise NotImplementedError

    def run(self, only):
        begun = time.monotonic()
        spent = {}
        for step in self.plan():
            if not only or step[0].__name__ in only.split(","):
                start = time.monotonic()
                step[0](*step[1:])
                spent[step[0].__name__] = spent.get(step[0].__name__, 0) + time.monotonic() - start
                if os.environ.get("MC_SWEEP_TIMES") == "2":
                    self.say("%.2f s: %s %s" % (time.monotonic() - start, step[0].__name__, step[1:]))
        if os.environ.get("MC_SWEEP_TIMES"):
            self.say("seconds: %s" % {k: round(v, 1) for k, v in spent.items()})
        self.s.close()
        self.say("%d faults met no request; %s%d passed, %d failed in %.0f s" %
                 (self.idle, self.remarks(), self.passed, self.failed, time.monotonic() - begun))

    def remarks(self):
        return ""
