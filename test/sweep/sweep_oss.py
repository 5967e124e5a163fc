"""Fault sweep of OSS: reading objects, every way of writing them, rollbacks, and the jobs
that begin or end there.  sweep_oss_forms.py has the statements, steps.py what is not of
OSS, pool.py the options.

For every fault mode and every index k of the requests a clean run makes:

  once     request k fails once in a way that passes: the statement succeeds and the
           target is exactly right
  bare     the same with max_retries 0: it succeeds or fails, and says truly which
  forever  request k and all later ones fail
  final    the service refuses request k for good, or the key expires with it
  changed  the object is replaced, deleted or cut under the reader, or before it would
           be deleted
  vanish   the upload is gone before request k
  late     a write is answered as failed and done afterwards
  corrupt  one bit of an answer is another, for every byte: refused, or without effect
  storm    one request in four fails, in any way that passes
  cancel, terminate  the statement hangs at request k
  kill     the statement hangs at request k, before it or behind it, and its backend is
           killed with SIGKILL; immediate: the server is stopped at once

Objects: a statement that fails with anything but 40003 has left what was there before,
object by object; one with 40003 tells in its three lists the truth of every object and
deletion; after SIGKILL every object is whole or absent, and nothing old is gone before
all that is new is there.  Then the same statement runs without faults, and the bucket is
exactly right: a repetition of an append only where nothing was published.

Uploads: none is left behind one more statement of the session.  Where a session could
not know of one, or was killed, mc.orphaned_uploads() lists it and mc.cleanup_uploads()
takes it away; how often is shown.

What cannot be noticed, because nothing in an answer covers it: a flipped bit in a list
of objects that makes another key, token or size 0 of it; bits of an object whose answer
has no CRC-64, unless its compression has a checksum of its own.
"""
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import mctest  # noqa: E402
import pool  # noqa: E402
from steps import BUSY, FAILED, LOST, QUICK, TRANSPORT, WRONG, Sweep  # noqa: E402
from sweep_oss_forms import FORMS, OURS  # noqa: E402

INTERNAL = {"http": 500, "code": "InternalError", "message": "injected"}
UNAVAILABLE = {"http": 503, "code": "ServiceUnavailable", "message": "injected"}
# a fault that passes -> what a statement may say when it does not pass
ONCE = dict({
    "http_500": (dict(INTERNAL, action="status"), FAILED),
    "http_503": (dict(UNAVAILABLE, action="status"), FAILED),
    "status_after": (dict(INTERNAL, action="status_after"), FAILED),
}, **TRANSPORT)
# its first byte: no document is one then
ONCE["corrupt_body"] = ({"action": "corrupt_body", "at": 0}, WRONG)
# the same for what only OSS does
ONCE_OSS = {
    "throttle": ({"action": "throttle"}, BUSY),
    "throttle_later": ({"action": "throttle", "retry_after": 1}, BUSY),
    "non_xml": ({"action": "non_xml"}, FAILED),
    "time_skewed": ({"action": "time_skewed"}, {"28000"}),
    "apply_then_fail": ({"action": "apply_then_fail"}, FAILED),
    "no_crc": ({"action": "no_crc"}, None),
}
# a bad CRC-64 of an answer; of a part it is sent again, of an object in one range asked for again
CRC = ({"action": "wrong_crc"}, {"XX001", "40001"})
# a refusal that does not pass -> the SQLSTATE
FINAL = {
    "token_expired": ({"action": "token_expired"}, {"28000"}),
    "denied": ({"action": "status", "http": 403, "code": "AccessDenied", "message": "injected"}, {"42501"}),
    "no_bucket": ({"action": "status", "http": 404, "code": "NoSuchBucket", "message": "injected"}, {"HV00R"}),
}
CHANGED = {"object_replaced": {"40001"}, "object_deleted": {"58P01"}, "object_truncated": {"40001"}}
LATER = {
    "apply_later": {"action": "apply_later", "writes": 1},
    "apply_much_later": {"action": "apply_later", "ms": 150},
}
ABORTS = ("AbortMultipartUpload",)
UPLOAD_CALLS = ("UploadPart", "ListParts", "CompleteMultipartUpload")
LATE_CALLS = ("PutObject", "CompleteMultipartUpload", "DeleteObject")


class OssSweep(Sweep):
    service = "oss"
    tolerant = {name: ABORTS for name in list(FINAL) + ["expired"]}

    def __init__(self, form, short, seed):
        self.orphans = {}    # kind of a step -> uploads it left
        self.unnoticed = 0
        super().__init__(form, short, seed)

    # ---- uploads

    def ended(self, name, state):
        """no upload is left after one more statement; what nobody could know of is listed and cleaned"""
        if not mctest.oss_uploads("lake"):
            return
        struck = self.struck()
        if state != "lost":
            self.s.try_sql("SELECT 1")
        left = mctest.oss_uploads("lake")
        if not left:
            return
        # a key that others may write too: its upload cannot be told from theirs
        foreign = not any(OURS.search(x["key"]) for x in left)
        if state not in ("lost", "57P01") and not self.may_leave(name) and not (foreign and "InitiateMultipartUpload" in struck):
            self.check(name + ", uploads", "%s left %s" % (state, left))
        self.clean(name)

    def may_leave(self, name):
        """its id came damaged, or the session has ended"""
        return "bit flipped" in name or "terminate" in name

    def clean(self, name):
        left = mctest.oss_uploads("lake")
        ids = sorted(x["id"] for x in left)
        ours = [x for x in left if OURS.search(x["key"])]
        kind = name.split(" ")[0].rstrip(",")
        self.orphans[kind] = self.orphans.get(kind, 0) + len(left)
        listed = self.form.session.sql("SELECT upload_id FROM mc.orphaned_uploads('oss', '-1 hour', true)")
        self.check(name + ", orphans are listed", None if sorted(listed) == ids else "listed %s, there are %s" % (listed, left))
        listed = self.form.session.sql("SELECT upload_id FROM mc.orphaned_uploads('oss', '-1 hour')")
        self.check(name + ", ours among them", None if sorted(listed) == sorted(x["id"] for x in ours) else
                   "listed %s, ours are %s" % (listed, ours))
        n = self.form.session.sql("SELECT mc.cleanup_uploads('oss', '-1 hour')")
        left = [x for x in mctest.oss_uploads("lake") if OURS.search(x["key"])]
        self.check(name + ", orphans are cleaned", None if n == [str(len(ours))] and not left else "cleaned %s, left %s" % (n, left))

    def remarks(self):
        orphans = "".join(" (%s)" % ", ".join("%s %d" % x for x in self.orphans.items()) if self.orphans else "")
        return "%d uploads were left for mc.cleanup_uploads%s, %d flipped bits of lists went unnoticed; " % (
            sum(self.orphans.values()), orphans, self.unnoticed)

    # ---- steps

    def damage(self, name, struck):
        # an object of several ranges is compared at its end, when its first rows are gone
        if name in ("corrupt_body", "wrong_crc") and struck == {"GetObject"}:
            return self.damaged_states({"api": "GetObject"}) | CRC[1], {"GetObject"}

    @staticmethod
    def bad_values():
        return {"22P02", "22P04", "22021", "22003", "22007", "22008", "54000", "02000"}

    def damaged_states(self, at):
        states = WRONG | {"40003"}
        if at["api"] == "GetObject":
            return states | self.bad_values()
        if at["api"] == "ListObjectsV2":    # another key, ETag or size
            return states | self.bad_values() | {"58P01", "40001", "42501", "HV00R", "HV000"}
        if at["api"] == "InitiateMultipartUpload":  # another id
            return states | {"55000"}
        return states

    def wrong_unnoticed(self, at, byte, out, tag):
        why = self.form.wrong(out, tag)
        if why and at["api"] == "ListObjectsV2":
            element = self.flipped_element(byte)
            if element in ("Key", "Prefix", "NextContinuationToken", "Size"):
                self.unnoticed += 1
                return None
            if element == "ETag" and any("changed by others" in x for x in out):
                return None     # a WARNING tells that it was not deleted
            why = "in element %s: %s" % (element, why)
        return why

    def flipped_element(self, byte):
        """whose text is another one in the list that the fault has struck; None = a tag"""
        target = [x["target"] for x in mctest.call("log?n=300") if x["fault"] and x["serial"] > self.serial][0]
        self.form.reset()
        with mctest.OPENER.open(mctest.OSS + target) as f:
            body = f.read().decode()
        for m in re.finditer(r"<(\w+)>([^<]*)</", body):
            if m.start(2) <= byte % len(body) < m.end(2):
                return m.group(1)

    def bare(self, name, fault, states, at):
        """without another attempt: whatever is said is true"""
        self.arm(dict(fault, **at, count=1))
        result = self.execute("; SET mc_fdw.max_retries = '0'")
        out, state, tag = result
        name = "%s without retries at %s" % (name, at)
        if state == "00000":
            self.idle += not self.struck()
            mctest.call("faults", [])
            self.ended(name, state)
            self.check(name, self.form.wrong(out, tag))
        else:
            self.settle(name, out, state, tag, (states or set()) | self.damaged_states({"api": (self.struck() or {""}).copy().pop()}))

    def changed(self, name, states, at):
        self.form.spoiled = True
        self.arm(dict(at, action=name, count=1))
        self.form.spoiled = True    # the next reset makes the objects anew
        out, state, tag = self.execute()
        self.idle += not self.struck()
        mctest.call("faults", [])
        name = "%s at %s" % (name, at)
        self.check(name, None if state in states else "ended with %s: %s" % (state, out))
        why = self.form.wrong_after_failure(out, state) if state != "00000" else None
        self.check(name + ", nothing is left", why)
        self.form.reset()
        self.repeat(name)

    def changed_before_delete(self, name, at):
        """what others have changed is not deleted, and that is told"""
        self.arm(dict(at, action=name, count=1))
        out, state, tag = self.execute()
        self.idle += not self.struck()
        mctest.call("faults", [])
        name = "%s at %s" % (name, at)
        self.ended(name, state)
        now = self.form.content()
        more = {k: v for k, v in now.items() if k not in self.form.after}
        why = self.form.differences({k: v for k, v in now.items() if k in self.form.after}, self.form.after)
        if state != "00000":
            why = "%s: %s" % (state, out)
        elif not why and "object_deleted" in name and more:
            why = "%s are left" % more
        elif not why and "object_deleted" not in name and not (len(more) == 1 and any("changed by others" in x for x in out)):
            why = "%s are left, and told is %s" % (more, out)
        self.check(name, why)

    def vanish(self, at):
        """a lifecycle rule aborts it: nothing can be published any more"""
        self.final("upload_forgotten", {"action": "upload_forgotten"}, {"55000"}, at)

    def blind(self, at):
        """no CRC-64 in the answer and a bit flipped: the checksum of gzip and bzip2 sees it"""
        for byte in (7, 1000, 30000):
            self.arm(dict(at, action="no_crc"), dict(at, action="corrupt_body", at=byte, seed=byte))
            out, state, tag = self.execute()
            self.idle += len(self.struck()) < 1
            self.settle("bit flipped in byte %d of %s without CRC-64" % (byte, at), out, state, tag, WRONG | self.bad_values())

    # ---- crashes: nobody else may use the server meanwhile

    def reconnect(self):
        for _ in range(300):
            try:
                self.s = mctest.Session(QUICK)
                self.form.session = mctest.Session()
                return
            except (IndexError, ValueError, BrokenPipeError, RuntimeError):
                time.sleep(0.05)
        sys.exit("sweep: the server did not come back")

    def crash_at(self, action, at, crash):
        rule = dict(at, action=action)
        rule["after"] = rule.pop("nth") - 1
        self.arm(rule)
        self.s.close()
        self.s = mctest.Session(QUICK + "; SET mc_fdw.stall_timeout = '60s'; SET mc_fdw.publish_timeout = '60s'")
        other = mctest.Session()
        other.send("SELECT pg_sleep(600)")
        self.s.send(self.form.statement())
        self.wait_for_fault()
        self.idle += not mctest.call("faults")[0]["fired"]
        crash()
        other.finish(60)    # until the server has noticed, it would let us in and throw us out
        self.s.finish(60)
        mctest.call("faults", [])
        self.reconnect()
        name = "%s, %s at %s" % (crash.__name__, action, at)
        # a request that had arrived may still be done
        self.check(name, self.form.wrong_without_word(self.form.content()))
        if mctest.oss_uploads("lake"):
            self.clean(name)
        if self.form.appends and self.form.content() != self.form.before:
            self.form.reset()
        self.repeat(name)

    def kill(self, action, at):
        def sigkill():
            os.kill(self.s.pid, signal.SIGKILL)
        self.crash_at(action, at, sigkill)

    def immediate(self, action, at):
        def immediate_stop():
            data, env = os.environ["MC_DIR"] + "/data", {k: v for k, v in os.environ.items() if not k.startswith("MC_KEY")}
            run = (["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + ["pg_ctl", "-D", data, "-w"]
            subprocess.run(run + ["-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, env=env)
            subprocess.run(run + ["-l", os.environ["MC_DIR"] + "/server.log", "start"], check=True, stdout=subprocess.DEVNULL, env=env)
        self.crash_at(action, at, immediate_stop)

    # ---- which

    def crashes(self, step):
        if step == "immediate":
            n = self.apis.count(("oss", "CompleteMultipartUpload"))
            yield self.immediate, "stall_before", {"service": "oss", "api": "CompleteMultipartUpload", "nth": n}
            return
        for k in range(1, len(self.apis) + 1):
            for action in ("stall_before", "stall_after"):
                if not self.short or (k % 2 == 1) == (action == "stall_after"):
                    yield self.kill, action, {"nth": k}

    def plan(self):
        form = self.form
        passing = [(name, f, "oss" if name in ("corrupt_body", "http_500", "http_503", "status_after") else None) for name, f in ONCE.items()]
        passing += [(name, f, "oss") for name, f in ONCE_OSS.items()]
        for name, (fault, states), service in passing:
            for at in self.places(service):
                if not self.short or name != "throttle_later" or at["api"] in ("GetObject", "UploadPart"):
                    yield self.once, name, fault, at
        for api in ("GetObject", "UploadPart", "PutObject", "CompleteMultipartUpload"):
            for at in self.calls(api):
                yield self.once, "wrong_crc", CRC[0], at
                yield self.bare, "wrong_crc", CRC[0], CRC[1], at
        passing.append(("wrong_crc", CRC, "oss"))
        for name, (fault, states), service in passing:
            if states and (not self.short or name in ("reset_after", "truncate_body", "apply_then_fail", "time_skewed")):
                for at in self.places(service):
                    yield self.bare, name, fault, states, at
        for name, (fault, states), service in passing:
            if states and (not self.short or name in form.short_forever):
                for at in self.places(service):
                    yield self.forever, name, fault, states, at
        for name, (fault, states) in FINAL.items():
            if not self.short or name == "token_expired":
                for at in self.places("oss"):
                    yield self.final, name, fault, states, at
        for at in self.places("oss"):
            yield self.expired, at
        for at in self.calls("GetObject"):
            for name, states in CHANGED.items():
                yield self.changed, name, states, at
            if form.name == "oss_read_compressed":
                yield self.blind, at
        for at in self.calls("HeadObject") if getattr(form, "gone", ()) else ():
            for name in CHANGED:
                yield self.changed_before_delete, name, at
        for at in self.calls("ListObjectsV2"):
            yield self.once, "stale_listing", {"action": "stale_listing"}, at
        for api in UPLOAD_CALLS:
            for at in self.calls(api):
                yield self.vanish, at
        for api in LATE_CALLS:
            for at in self.calls(api):
                for name, fault in LATER.items():
                    yield self.late, name, fault, at
        for at, byte, seed in self.flips(6, 300):
            yield self.corrupt, at, byte, seed
        storms = [f for name, (f, _) in list(ONCE.items()) + list(ONCE_OSS.items()) if name != "corrupt_body"]
        for seed in range(2 if self.short else 40):
            yield self.storm, seed + self.seed, storms
        for how in ("cancel", "terminate"):
            for i, at in enumerate(self.places()):
                if not self.short or (i % 2 == 0) == (how == "cancel"):
                    yield self.hang, how, at


def work(name, short, only, seed):
    sweep = OssSweep(FORMS[name](), short, seed)
    if only in ("kill", "immediate"):
        sweep.plan = lambda: sweep.crashes(only)
    sweep.run(only)


if __name__ == "__main__":
    pool.main(__file__, list(FORMS), [("oss_write", "kill"), ("oss_overwrite", "kill"), ("oss_overwrite", "immediate")], work, 6)
