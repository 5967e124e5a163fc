"""Fault sweep of writing to LogHub: INSERT in small batches, with hash keys, with rows that
the service refuses.

The same modes as in sweep_ots.py.  A fault that passes must not be seen but for a WARNING:
every row is there, and rows that are there more than once are told.  A statement that fails
names what was wrong, and leaves only complete rows of its own; repeated without faults every row is
there, at least once.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import pool  # noqa: E402
from mctest import SERVERS, Session, command  # noqa: E402
from steps import BUSY, FAILED, TRANSPORT, Sweep  # noqa: E402

INTERNAL = {"http": 500, "code": "InternalServerError", "message": "injected"}
ONCE = dict({
    "http_500": (dict(INTERNAL, action="status"), FAILED),
    "http_503": ({"action": "status", "http": 503, "code": "ServerBusy", "message": "injected"}, FAILED),
    "status_after": (dict(INTERNAL, action="status_after"), FAILED),
    "quota": ({"action": "status", "http": 403, "code": "WriteQuotaExceed", "message": "Project write quota exceed: qps: 9"}, BUSY),
    "shard_quota": ({"action": "status", "http": 403, "code": "ShardWriteQuotaExceed", "message": "shard write quota exceed, shard: 0"}, BUSY),
    "quota_after": ({"action": "status_after", "http": 500, "code": "ServerBusy", "message": "injected"}, FAILED),
}, **TRANSPORT)
FINAL = {
    "no_permission": ({"action": "status", "http": 403, "code": "NoPermission", "message": "injected"}, {"42501"}),
    "no_logstore": ({"action": "status", "http": 404, "code": "LogStoreNotExist", "message": "injected"}, {"HV00R"}),
    "invalid": ({"action": "status", "http": 400, "code": "PostBodyInvalid", "message": "injected"}, {"HV024"}),
}


class Form:
    also = set()
    holds_cancel = False
    forgives = False
    rows = 60
    options = ""
    hash_key = "NULL"
    time = "NULL"
    short_apis = ("PutLogs",)

    def prepare(self, session):
        self.session = session
        command("loghub", "create_project", project="web")
        session.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FUNCTION run(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint; BEGIN EXECUTE query; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE FOREIGN TABLE target (__time__ timestamptz, __topic__ text, __hash_key__ text, id int, msg text) SERVER sls
  OPTIONS (logstore 'target', batch_size '7', dedup_id 'eid'""" + self.options + """);
CREATE FOREIGN TABLE found (id int, msg text, eid text) SERVER sls OPTIONS (logstore 'target')""")

    def statement(self):
        return ("SELECT run($run$INSERT INTO target SELECT %s, 't' || g %% 2, %s, g, 'm' || g FROM generate_series(1, %d) g$run$)"
                % (self.time, self.hash_key, self.rows))

    @staticmethod
    def tag(out):
        numbers = [x for x in out if re.fullmatch(r"\d+", x)]
        return int(numbers[-1]) if numbers else None

    def reset(self):
        try:
            command("loghub", "drop_logstore", project="web", logstore="target")
        except OSError:
            pass
        command("loghub", "create_logstore", project="web", logstore="target", shards=3, ttl=30)

    def content(self):
        """[(id, message, id of the row)]"""
        return [tuple(x.split("|")) for x in self.session.sql("SELECT id, msg, eid FROM found")]

    def learn_before(self):
        assert self.content() == []

    def wanted(self):
        return set(range(1, self.rows + 1))

    def learn_after(self, out, tag):
        why = self.wrong(out, tag)
        assert not why and len(self.content()) == len(self.wanted()), why

    def broken(self, rows):
        bad = [x for x in rows if x[1] != "m" + x[0] or not x[2] or int(x[0]) not in self.wanted()]
        return "rows that are not ours or not complete: %s" % bad[:3] if bad else None

    def wrong(self, out, tag):
        rows = self.content()
        lost = self.wanted() - {int(x[0]) for x in rows}
        if lost:
            return "lost: %s" % sorted(lost)[:10]
        if tag != self.rows:
            return "succeeded with count %s" % tag
        told = sum(int(m.group(1)) for x in out for m in [re.search(r"WARNING:.* (\d+) rows? .*more than once", x)] if m)
        twice = len(rows) - len({x[2] for x in rows})
        if twice > told:
            return "%d rows are there more than once, the warnings tell of %d" % (twice, told)
        if len({x[2] for x in rows}) != len(self.wanted()):
            return "copies of a row have several ids"
        return self.broken(rows)

    def wrong_after_failure(self, out, state):
        rows = self.content()
        self.left = len(rows)
        kept = sum(int(n) for x in out for n in re.findall(r"acknowledged by the service: (\d+)|without an answer: (\d+)", x) for n in n if n)
        ids = len({x[2] for x in rows})
        if state not in ("57P01", "lost") and ids > kept:
            return "%d rows stay, the warnings tell of %d" % (ids, kept)
        return self.broken(rows)

    def wrong_repeated(self, out, tag):
        rows = self.content()
        lost = self.wanted() - {int(x[0]) for x in rows}
        return "lost: %s" % sorted(lost)[:10] if lost else self.broken(rows)


class Plain(Form):
    name = "loghub_write"


class Hash(Form):
    """with keys, and a shard that splits meanwhile"""
    name = "loghub_write_hash"
    hash_key = "md5(g::text)"
    short_apis = ("ListShards", "PutLogs")
    split = True


class Refused(Form):
    """some rows are too old: requests are cut until these are found"""
    name = "loghub_write_refused"
    options = ", on_error 'reject'"
    time = "CASE WHEN g IN (3, 30, 31) THEN now() - interval '10 days' ELSE now() END"

    def wanted(self):
        return super().wanted() - {3, 30, 31}


FORMS = {f.name: f for f in (Plain, Hash, Refused)}


class LoghubSweep(Sweep):
    service = "loghub"

    def split(self, at):
        self.once("split", {"action": "command", "command": {
            "service": "loghub", "op": "split", "project": "web", "logstore": "target", "shard": 0, "count": 2}}, at)

    def plan(self):
        for name, (fault, states) in ONCE.items():
            for at in self.places():
                yield self.once, name, fault, at
        for at in self.places():
            yield self.clock, "clock_ahead", 3600, at
            if getattr(self.form, "split", False):
                yield self.split, at
        for name, (fault, states) in ONCE.items():
            if states and (not self.short or name in ("reset_after", "quota")):
                for at in self.places():
                    yield self.forever, name, fault, states, at
        for name, (fault, states) in FINAL.items():
            if name != "invalid" or "reject" not in self.form.options:
                for at in self.places():
                    yield self.final, name, fault, states, at
        for at in self.places():
            yield self.expired, at
        storms = [f for name, (f, _) in ONCE.items() if name != "corrupt_body"]
        for seed in range(2 if self.short else 40):
            yield self.storm, seed, storms
        for how in ("cancel", "terminate"):
            for at in self.places():
                yield self.hang, how, at


def work(name, short, only, seed):
    LoghubSweep(FORMS[name](), short, seed).run(only)


if __name__ == "__main__":
    pool.main(__file__, list(FORMS), [], work)
