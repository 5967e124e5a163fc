"""Cancel, terminate and statement_timeout act in every phase of a statement on OSS: listing,
ranges, half a body, HEAD, a web server's stream, uploads, the checks in COMMIT, the functions of
uploads.  Publishing alone is held until it is done, for publish_timeout at most.  Afterwards the session goes on
with no request, descriptor or memory context left over, and the bucket has no upload."""
import os
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command, oss_bucket, oss_keys, oss_put, oss_uploads  # noqa: E402

# far above what it takes, far below stall_timeout: "acts" versus "hangs"
SOON = 3
SERVER = "CREATE SERVER %s FOREIGN DATA WRAPPER oss_fdw OPTIONS (%s)"
SETUP = """
CREATE EXTENSION mc_fdw;
CREATE SERVER o FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou',
  part_size '100kB', concurrency '4', block_size '64kB');
CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE SERVER web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url '%s/lake', block_size '64kB', concurrency '2');
CREATE FOREIGN TABLE big (n int, s text) SERVER o OPTIONS (object 'big.csv');
CREATE FOREIGN TABLE zipped (n int, s text) SERVER o OPTIONS (object 'big.csv', compression 'none', format 'line');
ALTER FOREIGN TABLE zipped DROP COLUMN n;
CREATE FOREIGN TABLE many (n int, s text, __object__ text COLLATE "C") SERVER o OPTIONS (prefix 'many/');
CREATE FOREIGN TABLE days (n int, dt date) SERVER o OPTIONS (prefix 'days/dt={dt}/');
CREATE FOREIGN TABLE linked (n int) SERVER o OPTIONS (prefix 'linked/');
CREATE FOREIGN TABLE page (n int, s text) SERVER web OPTIONS (object 'big.csv');
CREATE TABLE parted (n int, s text) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE p1 (n int, s text) SERVER o OPTIONS (object 'big.csv');
CREATE FOREIGN TABLE p2 (n int, s text) SERVER o OPTIONS (object 'big.csv');
ALTER TABLE parted ATTACH PARTITION p1 FOR VALUES FROM (0) TO (1000);
ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES FROM (1000) TO (9999);
CREATE TABLE few AS SELECT date '2024-01-01' + g AS d FROM generate_series(0, 2) g;
CREATE FOREIGN TABLE w (n int, s text) SERVER o OPTIONS (prefix 'w/');
CREATE FOREIGN TABLE w_one (n int, s text) SERVER o OPTIONS (object 'one.csv', compression 'gzip');
CREATE FOREIGN TABLE w_full (n int, s text) SERVER o OPTIONS (prefix 'full/', write_buffer '1MB', concurrency '2');
CREATE FOREIGN TABLE w_days (n int, s text, dt date) SERVER o OPTIONS (prefix 'wd/dt={dt}/', max_open_partitions '2');
CREATE FOREIGN TABLE w_new (n int, s text) SERVER o OPTIONS (prefix 'new/', write_mode 'error_if_exists');
CREATE FOREIGN TABLE w_over (n int, s text) SERVER o OPTIONS (prefix 'over/', write_mode 'overwrite');
CREATE FOREIGN TABLE w_small (n int, s text) SERVER o OPTIONS (prefix 'over/', write_mode 'overwrite')
"""
ROWS = "SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 600) g"
READS = {
    "listing and small objects": "SELECT count(s) FROM many",
    "ranges": "SELECT count(s) FROM big",
    "lines": "SELECT count(s) FROM zipped",
    "directories": "SELECT count(*) FROM days WHERE dt >= '2024-01-02'",
    "symbolic links": "SELECT count(n) FROM linked",
    "a web server's ranges": "SELECT count(s) FROM page",
    "a nested loop": "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;"
                     " SELECT count(n) FROM few JOIN days ON dt = d",
    "async append": "SELECT count(s) FROM parted",
    "mc.objects": "SELECT count(*) FROM mc.objects('many')",
    "mc.orphaned_uploads": "SELECT count(*) FROM mc.orphaned_uploads('o', '-1 hour')",
}
WRITES = {
    "INSERT": "INSERT INTO w " + ROWS,
    "INSERT of one object": "INSERT INTO w_one SELECT g, md5(g::text) FROM generate_series(1, 20000) g",
    "INSERT, buffer full": "INSERT INTO w_full SELECT g, repeat('x', 10000) FROM generate_series(1, 300) g",
    "INSERT into directories": "INSERT INTO w_days SELECT g, repeat(md5(g::text), 40), date '2024-01-01' + g / 200 FROM generate_series(1, 600) g",
    "INSERT error_if_exists": "INSERT INTO w_new " + ROWS,
    "COPY": "COPY w FROM PROGRAM 'for i in 1 2 3 4 5 6 7 8; do head -c 60000 /dev/zero | tr ''\\0'' x | sed s/^/$i,/; echo; done' (FORMAT csv)",
    "EXPLAIN ANALYZE INSERT": "EXPLAIN (ANALYZE) INSERT INTO w " + ROWS,
}
BUSY = {"action": "status", "http": 503, "code": "ServiceUnavailable", "message": "injected"}
THROTTLED = {"action": "throttle", "retry_after": 30}
FDS = 10
CONTEXTS = """SELECT name, count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'mc_fdw%' OR name LIKE 'oss%' GROUP BY 1 ORDER BY 1"""
tap = Tap()
took = []


boss = Session()


def admin(sql):
    return "\n".join(boss.sql(sql))


def descriptors(s):
    return len(os.listdir("/proc/%d/fd" % s.pid))


def asked():
    """requests so far, by API"""
    return {x["api"]: sum(y["requests"] for y in call("counters")["counters"] if y["api"] == x["api"])
            for x in call("counters")["counters"] if x["service"] == "oss"}


def during(f):
    before = asked()
    f()
    return {k: v - before.get(k, 0) for k, v in asked().items() if v > before.get(k, 0)}


def no_upload(seconds=3):
    end = time.monotonic() + seconds
    while oss_uploads("lake") and time.monotonic() < end:
        time.sleep(0.02)
    return not oss_uploads("lake")


def meets():
    """wait until a request has met the fault"""
    end = time.monotonic() + 20
    while not any(x["fired"] for x in call("faults")) and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(0.01)


def new_session():
    return Session("SET mc_fdw.max_retries = '1000'; SET mc_fdw.retry_max_elapsed = '1h'; SET mc_fdw.stall_timeout = '60s'")


def one(s, sql, fault, how):
    """(what went wrong, the session to go on with)"""
    name = "%s %s, %s" % (fault.get("api"), fault["action"], how)
    if how == "statement_timeout":
        s.sql("SET statement_timeout = '100ms'")
    call("faults", [dict(fault, service="oss")])
    start = time.monotonic()
    s.send("BEGIN; %s" % sql)
    wait = ""
    if how != "statement_timeout":
        meets()
        # of several scans below an Append the executor waits itself; a write may have rows to take yet
        end = time.monotonic() + 2
        while wait not in ("Extension", "IPC") and time.monotonic() < end:
            wait = admin("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % s.pid)
        start = time.monotonic()
        admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
    try:
        out, state = s.finish(SOON)
        took.append(time.monotonic() - start - (0.1 if how == "statement_timeout" else 0))
    except Exception:
        call("faults", [])
        s.finish()
        return "%s: still waiting after %d s\n" % (name, SOON), s
    call("faults", [])
    if how == "terminate":
        return "" if state in ("lost", "57P01") else "%s: %s %s\n" % (name, state, out), new_session()
    bad = "" if state == "57014" else "%s: %s %s\n" % (name, state, out)
    if how == "cancel" and wait not in ("Extension", "IPC"):
        bad += "%s: the wait is shown as '%s'\n" % (name, wait)
    s.try_sql("ROLLBACK")
    s.sql("RESET statement_timeout")
    if not no_upload(1):
        # an upload of option "object" whose id was lost with the answer is nobody's that can be told
        if [x["key"] for x in oss_uploads("lake")] != ["one.csv"] or fault["action"] != "stall_after":
            bad += "%s: %s\n" % (name, oss_uploads("lake"))
        command("oss", "expire_uploads", bucket="lake", prefix="")
    return bad, s


def every_wait():
    for name, sql in list(READS.items()) + list(WRITES.items()):
        s = new_session()
        out, state = s.try_sql("BEGIN; %s" % sql)
        s.try_sql("ROLLBACK")
        contexts, fds = s.sql(CONTEXTS), descriptors(s)
        used = during(lambda: s.try_sql("BEGIN; %s" % sql))
        s.try_sql("ROLLBACK")
        used.pop("AbortMultipartUpload", None)
        tap.ok(state == "00000" and used, "%s: makes requests: %s" % (name, ", ".join(sorted(used))), out)
        bad = ""
        for api, n in used.items():
            ways = [(1, "cancel"), (n, "cancel"), (n // 2 + 1, "statement_timeout")]
            # a rollback waits for the id of what it has to take back; one statement shows all of it
            for k, how in ways[:len(ways) if name == "INSERT" or not api.startswith("Init") else 1]:
                why, s = one(s, sql, {"api": api, "after": k - 1, "action": "stall_before"}, how)
                bad += why
            if api.startswith("Init") and not name.startswith("INSERT"):
                continue
            what = "stall_mid_body" if api.startswith(("Get", "List")) else "stall_after"
            why, s = one(s, sql, {"api": api, "after": n - 1, "action": what}, "cancel")
            bad += why
        last = sorted(used)[-1]
        for fault in (BUSY, THROTTLED):
            why, s = one(s, sql, dict(fault, api=last), "cancel")
            bad += why
        for _ in range(FDS // 2):
            why, s = one(s, sql, {"api": last, "action": "stall_before"}, "cancel")
            bad += why
        tap.ok(not bad, "%s: cancel and statement_timeout act in every wait" % name, bad)
        tap.ok(s.sql(CONTEXTS) == contexts, "%s: no memory context is left" % name, "%s\n%s" % (contexts, s.sql(CONTEXTS)))
        again = during(lambda: s.sql("BEGIN; %s; ROLLBACK" % sql))
        again.pop("AbortMultipartUpload", None)
        # a part more or less: gaps between requests depend on time
        tap.ok(again.keys() == used.keys(), "%s: the session goes on" % name, "%s instead of %s" % (again, used))
        # a pooled connection for each request that may be in flight
        tap.ok(descriptors(s) <= fds + FDS, "%s: no descriptor is left" % name, "%d, before %d" % (descriptors(s), fds))
        why, s = one(s, sql, {"api": last, "after": used[last] - 1, "action": "stall_before"}, "terminate")
        tap.ok(not why and no_upload(), "%s: terminate acts" % name, "%s %s" % (why, oss_uploads("lake")))
        s.close()
    tap.ok(statistics.median(took) < 0.5 and max(took) < SOON, "it takes %.3f s, at most %.1f s, of %d" % (
        statistics.median(took), max(took), len(took)))


class Web:
    """a web server without ranges; what it sends is a list of pieces and pauses"""

    def __init__(self, *script):
        self.script = script
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.reached = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(c,), daemon=True).start()

    def answer(self, c):
        try:
            c.recv(65536)
            for x in self.script:
                if isinstance(x, bytes):
                    c.sendall(x)
                else:
                    self.reached.set()
                    time.sleep(x)
        except OSError:
            pass
        c.close()


def streams():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\nContent-Type: text/plain\r\n\r\n"
    for name, script in (("silence", (30,)), ("half a head", (head[:20], 30)), ("a head", (head, 30)), ("a few lines", (head, b"1,a\n" * 10000, 30)),
                         ("a drop at a time", (head, 0) + (b"1,a\n", 0.05) * 600)):
        web = Web(*script)
        for how in ("cancel", "statement_timeout", "terminate"):
            s = new_session()
            s.sql("DROP SERVER IF EXISTS plain CASCADE; " + SERVER % ("plain", "base_url 'http://127.0.0.1:%d'" % web.port))
            s.sql("CREATE FOREIGN TABLE stream (n int, s text) SERVER plain OPTIONS (object 'x.csv')")
            before = descriptors(s)
            if how == "statement_timeout":
                s.sql("SET statement_timeout = '100ms'")
            web.reached.clear()
            s.send("SELECT count(s) FROM stream")
            web.reached.wait(10)
            if how != "statement_timeout":
                time.sleep(0.05)
                admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            start = time.monotonic()
            try:
                out, state = s.finish(SOON)
            except Exception:
                out, state = [], "hangs"
            tap.ok(state in (("lost", "57P01") if how == "terminate" else ("57014",)), "a stream, %s, %s" % (name, how), "%s %s" % (state, out))
            if how != "terminate" and state != "hangs":
                tap.ok(s.sql("RESET statement_timeout; SELECT 1") == ["1"], "the session goes on")
                # those of the event loop itself are made once
                tap.ok(descriptors(s) <= before + 5, "no descriptor is left", "%d, before %d" % (descriptors(s), before))
            s.close()
        web.server.close()


def in_commit():
    """before anything is published a cancel acts; then it waits"""
    large = "INSERT INTO w_over " + ROWS
    small = "INSERT INTO w_small VALUES (1, 'x')"
    s = new_session()
    s.sql("CREATE TABLE note (a int)")

    def fresh():
        command("oss", "delete", bucket="lake", prefix="over/")
        command("oss", "generate_many", bucket="lake", key="over/old{n}.csv", count=3, text="{n},old\n")

    for api in ("ListObjectsV2", "ListParts"):
        fresh()
        for how in ("cancel", "terminate"):
            s.sql("BEGIN; INSERT INTO note VALUES (1); %s" % large)
            call("faults", [{"service": "oss", "api": api, "action": "stall_before"}])
            s.send("COMMIT")
            meets()
            start = time.monotonic()
            admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            out, state = s.finish(20)
            seconds = time.monotonic() - start
            call("faults", [])
            tap.ok(state in (("57014",) if how == "cancel" else ("lost", "57P01")) and seconds < SOON,
                   "COMMIT, %s: %s acts" % (api, how), "%s after %.1f s: %s" % (state, seconds, out))
            tap.ok(len(oss_keys("over/", "lake")) == 3 and no_upload() and admin("SELECT count(*) FROM note") == "0", "and nothing has happened",
                   "%s %s" % (oss_keys("over/", "lake"), oss_uploads("lake")))
            if how == "terminate":
                s.close()
                s = new_session()
    # held, but the service comes back within a second: COMMIT succeeds
    for api, sql in (("CompleteMultipartUpload", large), ("PutObject", small), ("DeleteMultipleObjects", large), ("DeleteObject", large)):
        fresh()
        s.sql("TRUNCATE note; BEGIN; INSERT INTO note VALUES (1); SET LOCAL mc_fdw.stall_timeout = '60s'; %s" % sql)
        call("faults", [{"service": "oss", "api": api, "action": "delay", "ms": 800, "count": 1}])
        s.send("COMMIT")
        end = time.monotonic() + 3
        while not any(x["fired"] for x in call("faults")) and time.monotonic() < end and s.lines.empty():
            time.sleep(0.005)
        met = any(x["fired"] for x in call("faults"))
        admin("SELECT pg_cancel_backend(%d)" % s.pid)
        out, state = s.finish(20)
        call("faults", [])
        if not met and api.startswith("Delete"):
            continue        # objects are deleted by the other one
        tap.ok(met and state == "00000" and admin("SELECT count(*) FROM note") == "1" and len(oss_keys("over/", "lake")) == 1,
               "%s: a cancel waits until it is done" % api, "%s %s %s %s" % (met, state, out, oss_keys("over/", "lake")))
        tap.ok(s.try_sql("SELECT 1")[1] in ("00000", "57014") and s.sql("SELECT 1") == ["1"], "and the session goes on")
    # held, and the service stays silent: publish_timeout ends it
    for api, sql, left in (("CompleteMultipartUpload", large, 3), ("PutObject", small, 3), ("Delete", large, 4)):
        for how in ("cancel", "terminate") if api == "PutObject" else ("cancel", "nobody"):
            fresh()
            s.sql("SET mc_fdw.publish_timeout = '1s'; TRUNCATE note; BEGIN; INSERT INTO note VALUES (1); %s" % sql)
            call("faults", [{"service": "oss", "api": x, "action": "stall_before"} for x in (
                ("DeleteObject", "DeleteMultipleObjects") if api == "Delete" else (api, "HeadObject"))])
            start = time.monotonic()
            s.send("COMMIT")
            meets()
            if how != "nobody":
                admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            out, state = s.finish(20)
            seconds = time.monotonic() - start
            call("faults", [])
            tap.ok(state in (("40003",) if how != "terminate" else ("40003", "57P01", "lost")) and 0.9 < seconds < 1 + SOON,
                   "%s without an answer, %s: publish_timeout ends it" % (api, how), "%s after %.1f s: %s" % (state, seconds, out))
            wanted = "deletion of 3 objects" if api == "Delete" else "over/mc-"
            tap.ok(any("Unknown: " in x and wanted in x for x in out), "it is told as unknown", out)
            tap.ok(len(oss_keys("over/", "lake")) == left and admin("SELECT count(*) FROM note") == "0", "nothing old is gone",
                   oss_keys("over/", "lake"))
            if how == "terminate":
                s.close()
                s = new_session()
            tap.ok(s.try_sql("SELECT 1")[1] in ("00000", "57014") and s.sql("SELECT count(*) FROM big") == ["2000"], "the session goes on")
            s.try_sql("ROLLBACK")
    s.sql("RESET mc_fdw.publish_timeout")
    s.close()


def cleanup():
    """mc.cleanup_uploads(): what it aborted stays aborted, and the rest can be done again"""
    keeper = new_session()
    uploads = 12
    keeper.sql("BEGIN")
    for _ in range(uploads):
        keeper.sql("INSERT INTO w " + ROWS)
    tap.ok(len(oss_uploads("lake")) == uploads, "uploads are there", oss_uploads("lake"))
    for api, after, left in (("ListMultipartUploads", 0, {uploads}), ("AbortMultipartUpload", 0, {uploads}), ("AbortMultipartUpload", 2, set(range(uploads)))):
        for how in ("cancel", "statement_timeout", "terminate"):
            s = new_session()
            call("faults", [{"service": "oss", "api": api, "action": "stall_before", "after": after}])
            if how == "statement_timeout":
                s.sql("SET statement_timeout = '100ms'")
            s.send("SELECT mc.cleanup_uploads('o', '-1 hour')")
            if how != "statement_timeout":
                meets()
                admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            start = time.monotonic()
            out, state = s.finish(20)
            seconds = time.monotonic() - start
            call("faults", [])
            tap.ok(state in ("57014", "57P01", "lost") and seconds < SOON, "mc.cleanup_uploads, %s after %d, %s" % (api, after, how),
                   "%s after %.1f s: %s" % (state, seconds, out))
            tap.ok(len(oss_uploads("lake")) in left, "no more is gone than was asked for",
                   oss_uploads("lake"))
            s.close()
    s = new_session()
    left = len(oss_uploads("lake"))
    tap.ok(s.sql("SELECT mc.cleanup_uploads('o', '-1 hour')") == [str(left)] and not oss_uploads("lake"), "then it can be done again")
    out, state = keeper.try_sql("COMMIT")
    tap.ok(state not in ("00000", "XX000") and not oss_keys("w/", "lake"), "whose uploads were taken away cannot commit", "%s %s" % (state, out))
    tap.ok(keeper.sql("SELECT 1") == ["1"] and no_upload(), "and goes on")
    s.close()
    keeper.close()


def main():
    oss_bucket("lake", acl="public-read")
    oss_put("big.csv", "".join("%d,%s\n" % (i, "x" * 200) for i in range(2000)), "lake")
    command("oss", "generate_many", bucket="lake", key="many/{n:3}.csv", count=60, text="{n},text\n")
    command("oss", "generate_many", bucket="lake", key="days/dt=2024-01-0{n%5}/{n:3}.csv", count=20, first=1, text="{n}\n")
    command("oss", "delete", bucket="lake", prefix="days/dt=2024-01-00/")
    oss_put("target.csv", "1\n2\n", "lake")
    command("oss", "put_object", bucket="lake", key="linked/a.csv", symlink="target.csv")
    command("oss", "set", page_keys=20)
    s = Session(SETUP % ((OSS,) + KEY + (OSS,)))
    s.close()
    for part in (every_wait, streams, in_commit, cleanup):
        start = time.monotonic()
        part()
        print("# %s: %.1f s" % (part.__name__, time.monotonic() - start), flush=True)
    tap.done()


main()
