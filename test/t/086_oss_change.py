"""Objects that are replaced, deleted, cut or made longer between the list and the read and in the
middle of a read, plain and compressed; sessions that overwrite and read one directory at the same time;
symbolic links; a service that is started again; a clock that is wrong; a token that expires.  A
reader gets the rows of whole objects of one generation or a clear error, never a part or a mixture."""
import base64
import bz2
import gzip
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command, oss_bucket, oss_get, oss_keys, oss_put, oss_uploads  # noqa: E402
from service import Service  # noqa: E402

ROWS = 8000
GENERATIONS = 40
SERVER = """CREATE SERVER %%s FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%%s', bucket 'demo', url_style 'path', part_size '100kB',
  block_size '64kB', concurrency '3', %%s);
CREATE USER MAPPING FOR CURRENT_USER SERVER %%s OPTIONS (access_key_id '%s', access_key_secret '%s')""" % KEY
tap = Tap()


def server(s, name, endpoint=OSS, more="region 'cn-hangzhou'"):
    s.sql(SERVER % (name, endpoint, more, name))


def body(generation, first=0, rows=ROWS):
    return "".join("%d,%d,text of a row\n" % (generation, i) for i in range(first, first + rows))


def rows_of(generation, rows=ROWS):
    return "%d|%d|%d" % (generation, rows, rows * (rows - 1) // 2)


EACH = "SELECT g, count(*), sum(i) FROM %s GROUP BY g ORDER BY g"


def later(what, nth, api="GetObject"):
    """the nth request finds the service changed by the command"""
    call("faults", [{"service": "oss", "api": api, "nth": nth, "action": "command", "command": dict(what, service="oss", bucket="demo")}])


def put(key, data):
    return {"op": "put_object", "key": key, "base64": base64.b64encode(data).decode()}


def objects_that_change(s):
    """in the middle: whichever range comes first, an error that names the object"""
    packed = {"": lambda x: x, ".gz": gzip.compress, ".bz2": bz2.compress}
    noise = random.Random(1)
    lines = "".join("1,%d,%032x\n" % (i, noise.getrandbits(128)) for i in range(ROWS)).encode()
    more = "".join("2,%d,%032x\n" % (i, noise.getrandbits(128)) for i in range(ROWS * 2)).encode()
    for suffix, pack in packed.items():
        for kind in ("object 'c/b.csv%s'" % suffix, "prefix 'c/'"):
            s.sql("DROP FOREIGN TABLE IF EXISTS c; CREATE FOREIGN TABLE c (g int, i int, s text, __object__ text) SERVER o OPTIONS (%s)" % kind)
            key = "c/b.csv" + suffix
            first = 1
            if kind.startswith("prefix"):
                first = 2       # what stands before it is one request
            for name, change, states in (
                    ("replaced", put(key, pack(more[:len(lines)])), ("40001",)),
                    ("replaced by the same bytes with another end", put(key, pack(lines[:-1] + b"x")), ("40001",)),
                    ("made longer", put(key, pack(lines + more)), ("40001",)),
                    ("made longer by a member", put(key, pack(lines) + pack(more)), ("40001",)),
                    ("cut", put(key, pack(lines)[:100000]), ("40001",)),
                    ("emptied", put(key, b""), ("40001",)),
                    ("deleted", {"op": "delete", "key": key}, ("58P01",))):
                bad = []
                for nth in (first, first + 2):
                    command("oss", "delete", bucket="demo", prefix="c/")
                    if first == 2:
                        oss_put("c/a.csv", "0,1,x\n")
                        oss_put("c/z.csv", "9,1,x\n")
                    oss_put(key, pack(lines))
                    later(change, nth)
                    out, state = s.try_sql(EACH % "c")
                    call("faults", [])
                    if state not in states or not any(key in x for x in out):
                        bad.append("request %d: %s %s" % (nth, state, out))
                tap.ok(not bad, "%s, %s: %s" % (suffix or "plain", kind.split()[0], name), "\n".join(bad))
            # rows that a cursor has given before are those of the old object
            command("oss", "delete", bucket="demo", prefix="c/")
            oss_put(key, pack(lines))
            s.sql("BEGIN; DECLARE k CURSOR FOR SELECT g, i FROM c")
            got = s.sql("FETCH 100 FROM k")
            oss_put(key, pack(more))
            out, state = s.try_sql("FETCH ALL FROM k")
            s.try_sql("ROLLBACK")
            # (bzip2: a block of its own is all there is)
            tap.ok(got == ["1|%d" % i for i in range(100)] and (state == "40001" or suffix == ".bz2" and out == ["1|%d" % i for i in range(100, ROWS)]),
                   "%s: a cursor over an object that is replaced" % suffix, (state, out[-3:]))
            # before it is looked at, it is another object, and right
            later(put(key, pack(more)), 1, "HeadObject" if kind.startswith("object") else "ListObjectsV2")
            out, state = s.try_sql(EACH % "c")
            call("faults", [])
            tap.ok(state == "00000" and out == ["2|%d|%d" % (2 * ROWS, ROWS * (2 * ROWS - 1))], "%s: replaced before it was listed" % suffix, (state, out))
    s.sql("DROP FOREIGN TABLE c; CREATE FOREIGN TABLE c (g int, i int, s text) SERVER o OPTIONS (prefix 'c/', missing_ok 'true')")
    # appended to by its writer, as appendable objects are
    command("oss", "delete", bucket="demo", prefix="c/")
    command("oss", "put_object", bucket="demo", key="c/log.csv", text=body(1), appendable=True)
    later({"op": "put_object", "key": "c/log.csv", "text": body(1) + body(2), "appendable": True}, 2)
    out, state = s.try_sql(EACH % "c")
    call("faults", [])
    tap.ok(state == "40001", "an appendable object grows", (state, out))
    tap.ok(s.sql(EACH % "c") == [rows_of(1), rows_of(2)], "the next statement reads all of it")
    # gone between the list and the read: missing_ok is about a table without any object
    later({"op": "delete", "key": "c/log.csv"}, 1)
    tap.ok(s.try_sql(EACH % "c")[1] == "58P01", "missing_ok does not hide an object that vanished")
    call("faults", [])
    tap.ok(s.sql(EACH % "c") == [], "missing_ok")
    # on_error is about records
    oss_put("c/log.csv", body(1))
    s.sql("SET mc_fdw.on_error = 'reject'")
    later(put("c/log.csv", body(2).encode()), 2)
    out, state = s.try_sql(EACH % "c")
    call("faults", [])
    s.sql("RESET mc_fdw.on_error")
    tap.ok(state == "40001", "on_error does not drop the rest of an object", (state, out))
    # new ones behind the place where the list stands
    command("oss", "delete", bucket="demo", prefix="c/")
    oss_put("c/m.csv", body(1))
    for key, want in (("c/a.csv", [rows_of(1)]), ("c/z.csv", [rows_of(1)])):
        later(put(key, body(2).encode()), 1)
        out = s.sql(EACH % "c")
        call("faults", [])
        tap.ok(out in (want, [rows_of(1), rows_of(2)]), "an object appears: all of it or nothing", out)
        command("oss", "delete", bucket="demo", key=key)


def links(s):
    command("oss", "delete", bucket="demo", prefix="l/")
    s.sql("CREATE FOREIGN TABLE l (g int, i int, s text) SERVER o OPTIONS (prefix 'l/')")
    oss_put("t1.csv", body(1))
    oss_put("t2.csv", body(2))

    def link(target, nth=0):
        what = {"op": "put_object", "key": "l/link.csv", "symlink": target}
        if nth:
            return later(what, nth)
        return command("oss", **dict(what, bucket="demo"))
    link("t1.csv")
    tap.ok(s.sql(EACH % "l") == [rows_of(1)], "a symbolic link")
    for name, change, allowed in (("points elsewhere", lambda n: link("t2.csv", n), {"40001"}),
                                  ("whose target is replaced", lambda n: later(put("t1.csv", body(2).encode()), n), {"40001"}),
                                  ("whose target is deleted", lambda n: later({"op": "delete", "key": "t1.csv"}, n), {"58P01"})):
        for nth in (1, 2, 3):
            link("t1.csv")
            oss_put("t1.csv", body(1))
            change(nth)
            out, state = s.try_sql(EACH % "l")
            call("faults", [])
            # a link is one stream, so its first request may see what it becomes
            whole = [[rows_of(1)], [rows_of(2)]]
            tap.ok(state in allowed or state == "00000" and out in whole, "a link %s at request %d" % (name, nth), (state, out))
    link("nowhere.csv")
    tap.ok(s.try_sql(EACH % "l")[1] == "58P01", "a link to nothing", s.try_sql(EACH % "l"))
    # overwriting replaces the link, never what it points to
    oss_put("t1.csv", body(1))
    link("t1.csv")
    s.sql("CREATE FOREIGN TABLE lw (g int, i int, s text) SERVER o OPTIONS (prefix 'l/', write_mode 'overwrite')")
    s.sql("INSERT INTO lw VALUES (7, 0, 'x')")
    tap.ok(oss_get("t1.csv") == body(1).encode() and "l/link.csv" not in oss_keys("l/") and s.sql(EACH % "l") == ["7|1|0"],
           "overwrite takes a link away and leaves its target", oss_keys("l/"))


def generations(out):
    """{generation: (rows, sum of i)}"""
    return {int(g): (int(n), int(x)) for g, n, x in (line.split("|") for line in out)}


WHOLE = (ROWS, ROWS * (ROWS - 1) // 2)
INSERT = "INSERT INTO w SELECT %d, g, 'text of a row' FROM generate_series(0, %d) g"


def two_writers(s):
    """the same directory, at the same time"""
    two = Session()
    command("oss", "delete", bucket="demo", prefix="w/")
    s.sql("CREATE FOREIGN TABLE w (g int, i int, s text) SERVER o OPTIONS (prefix 'w/', write_mode 'overwrite')")
    s.sql(INSERT % (0, ROWS - 1))
    # one after the other, although both began before
    s.sql("BEGIN; " + INSERT % (1, ROWS - 1))
    two.sql("BEGIN; " + INSERT % (2, ROWS - 1))
    two.sql("COMMIT")
    tap.ok(generations(s.sql("ROLLBACK; " + EACH % "w")) == {2: WHOLE}, "the first to commit, and the other is rolled back")
    s.sql("BEGIN; " + INSERT % (3, ROWS - 1))
    two.sql("BEGIN; " + INSERT % (4, ROWS - 1))
    two.sql("COMMIT")
    s.sql("COMMIT")
    tap.ok(generations(s.sql(EACH % "w")) == {3: WHOLE}, "the last commit wins")
    for n in range(5, 17, 2):
        # both list before either publishes, in some of the rounds
        call("faults", [{"service": "oss", "api": ("CompleteMultipartUpload", "ListObjectsV2", "HeadObject")[n % 3], "action": "delay", "ms": 60}])
        s.send("BEGIN; %s; COMMIT" % (INSERT % (n, ROWS - 1)))
        two.send("BEGIN; %s; COMMIT" % (INSERT % (n + 1, ROWS - 1)))
        states = [s.finish(), two.finish()]
        call("faults", [])
        left = generations(s.sql(EACH % "w"))
        ok = all(x[1] in ("00000", "40003") for x in states) and left and set(left) <= {n, n + 1} and all(x == WHOLE for x in left.values())
        tap.ok(ok, "two at the same time: one's rows or both's, whole, and nothing old", "%s %s" % (states, left))
    # one object, and the two keep replacing it
    s.sql("CREATE FOREIGN TABLE one (g int, i int, s text) SERVER o OPTIONS (object 'one.csv', write_mode 'overwrite')")
    for n in range(0, 6, 2):
        s.send(INSERT.replace("w", "one", 1) % (n, ROWS - 1))
        two.send(INSERT.replace("w", "one", 1) % (n + 1, ROWS - 1))
        states = [s.finish(), two.finish()]
        left = generations(s.sql(EACH % "one"))
        tap.ok([x[1] for x in states] == ["00000"] * 2 and len(left) == 1 and set(left) <= {n, n + 1} and list(left.values()) == [WHOLE],
               "one object: one of the two, whole", "%s %s" % (states, left))
    # append to one key: the second is told
    command("oss", "delete", bucket="demo", key="one.csv")
    s.sql("ALTER FOREIGN TABLE one OPTIONS (SET write_mode 'append')")
    s.sql("BEGIN; " + INSERT.replace("w", "one", 1) % (1, ROWS - 1))
    two.sql(INSERT.replace("w", "one", 1) % (2, ROWS - 1))
    out, state = s.try_sql("COMMIT")
    tap.ok(state == "58P02" and generations(s.sql(EACH % "one")) == {2: WHOLE}, "an object that has appeared since is not replaced", (state, out))
    tap.ok(not oss_uploads(), "and no upload is left", oss_uploads())
    two.close()


def readers(s):
    """while another session replaces the directory again and again"""
    writer = Session()
    for how in ("overwrite", "TRUNCATE"):
        command("oss", "delete", bucket="demo", prefix="w/")
        s.sql("ALTER FOREIGN TABLE w OPTIONS (SET write_mode '%s')" % ("overwrite" if how == "overwrite" else "append"))
        s.sql(INSERT % (0, ROWS - 1))
        done = threading.Event()

        def write():
            for n in range(1, GENERATIONS + 1):
                writer.sql("BEGIN; %s%s; COMMIT" % ("TRUNCATE w; " if how == "TRUNCATE" else "", INSERT % (n, ROWS - 1)))
            done.set()
        thread = threading.Thread(target=write)
        thread.start()
        seen, states, bad, last = 0, set(), [], -1
        while not done.is_set():
            out, state = s.try_sql(EACH % "w")
            states.add(state)
            if state != "00000":
                continue
            got = generations(out)
            seen += 1
            if not got or any(x != WHOLE for x in got.values()) or max(got) < last:
                bad.append((last, got))
            last = max(got, default=last)
        thread.join()
        tap.ok(seen > 0 and not bad and states <= {"00000", "58P01", "40001"}, "%s: a reader sees whole generations or an error" % how,
               "%d %s %s" % (seen, states, bad[:3]))
        tap.ok(generations(s.sql(EACH % "w")) == {GENERATIONS: WHOLE}, "and the last one at the end")
    writer.close()


def restarts():
    service = Service("oss")
    s = Session("SET mc_fdw.max_retries = '1000'; SET mc_fdw.retry_max_elapsed = '60s'; SET mc_fdw.stall_timeout = '5s'")
    server(s, "again", "http://127.0.0.1:%d" % service.port)
    service.op("create_bucket", bucket="demo")
    service.op("put_object", bucket="demo", key="r/a.csv", text=body(1))
    service.op("put_object", bucket="demo", key="r/b.csv", text=body(2))
    service.op("put_object", bucket="demo", key="r/c.csv", text=body(3))
    s.sql("""CREATE FOREIGN TABLE r (g int, i int, s text) SERVER again OPTIONS (prefix 'r/');
CREATE FOREIGN TABLE rw (g int, i int, s text) SERVER again OPTIONS (prefix 'rw/', write_mode 'overwrite');
CREATE FOREIGN TABLE rr (g int, i int, s text) SERVER again OPTIONS (prefix 'rw/')""")

    def again(sql, api, nth, change=None):
        before = sum(x["requests"] for x in service.get("counters")["counters"] if x["api"] == api)
        service.post("faults", [{"action": "delay", "ms": 40}])
        s.send(sql)
        end = time.monotonic() + 5
        while sum(x["requests"] for x in service.get("counters")["counters"] if x["api"] == api) < before + nth and time.monotonic() < end:
            time.sleep(0.005)
        reached = time.monotonic() < end
        service.stop()
        time.sleep(0.2)
        service.start()
        if change:
            service.op(**dict(change, bucket="demo"))
        out, state = s.finish(60)
        return out, state if reached else "no request"
    want = [rows_of(1), rows_of(2), rows_of(3)]
    for api, nth in (("ListObjectsV2", 1), ("GetObject", 2), ("GetObject", 7)):
        out, state = again(EACH % "r", api, nth)
        tap.ok((state, out) == ("00000", want), "a scan goes on: %s %d" % (api, nth), (state, out))
    for api in ("InitiateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload"):
        out, state = again("BEGIN; INSERT INTO rw SELECT * FROM r; COMMIT", api, 1)
        tap.ok(state == "00000" and s.sql(EACH % "rr") == want, "a write goes on: %s" % api, (state, out))
        tap.ok(len(service.op("keys", bucket="demo", prefix="rw/")["keys"]) == 1 and not service.op("uploads", bucket="demo")["uploads"],
               "and nothing is there twice")
    # the service comes back with something else
    out, state = again(EACH % "r", "GetObject", 4, {"op": "delete", "key": "r/c.csv"})
    tap.ok(state == "58P01" and any("r/c.csv" in x for x in out), "an object is gone when the service is back", (state, out))
    service.op("put_object", bucket="demo", key="r/c.csv", text=body(3))
    out, state = again("BEGIN; INSERT INTO rw SELECT * FROM r; COMMIT", "UploadPart", 2, {"op": "expire_uploads", "prefix": ""})
    tap.ok(any("ERROR:  55000" in x for x in out) and s.sql(EACH % "rr") == want, "the upload is gone when the service is back", (state, out))
    service.stop()
    s.sql("SET mc_fdw.max_retries = '1'; SET mc_fdw.retry_max_elapsed = '1s'")
    for sql in (EACH % "r", "INSERT INTO rw VALUES (1)"):
        out, state = s.try_sql(sql)
        tap.ok(state.startswith("08") or state == "HV00N", "a service that stays away is an error: %s" % sql, (state, out))
    service.start()
    tap.ok(s.sql(EACH % "r") == want, "and is used again when it is there")
    service.stop()
    s.close()


def wrong_clock(s):
    """the service's clock decides, in both signatures, from the first request on and in the middle"""
    oss_bucket()
    for version in ("v4", "v1"):
        server(s, "clock_" + version, OSS, "region 'cn-hangzhou', signature_version '%s'" % version)
        oss_put("k/a.csv", body(1))
        s.sql("""CREATE FOREIGN TABLE k (g int, i int, s text) SERVER clock_%s OPTIONS (prefix 'k/');
CREATE FOREIGN TABLE kw (g int, i int, s text) SERVER clock_%s OPTIONS (prefix 'kw/', write_mode 'overwrite')""" % (version, version))
        for hours in (1, -1, 0, 30):
            new = Session()
            call("clock", {"system": True})
            if hours:
                call("clock", {"advance_s": 3600 * hours})
            for who, name in ((new, "a new session"), (s, "a session that knew another time")):
                out, state = who.try_sql(EACH % "k")
                tap.ok((state, out) == ("00000", [rows_of(1)]), "%s, %d hours, %s: read" % (version, hours, name), (state, out))
                out, state = who.try_sql("BEGIN; INSERT INTO kw SELECT * FROM k; COMMIT")
                tap.ok(state == "00000" and len(oss_keys("kw/")) == 1 and not oss_uploads(), "%s, %d hours, %s: write" % (version, hours, name),
                       (state, out, oss_keys("kw/")))
            new.close()
        for api, sql in (("GetObject", EACH % "k"), ("UploadPart", "INSERT INTO kw SELECT * FROM k"), ("CompleteMultipartUpload", "INSERT INTO kw SELECT * FROM k"),
                         ("HeadObject", "INSERT INTO kw SELECT * FROM k"), ("DeleteMultipleObjects", "INSERT INTO kw SELECT * FROM k")):
            call("clock", {"system": True})
            s.sql("SELECT 1 FROM k LIMIT 1")
            call("faults", [{"service": "oss", "api": api, "nth": 1, "action": "command", "command": {"service": "emulator", "op": "clock", "advance_s": 7200}}])
            out, state = s.try_sql(sql)
            call("faults", [])
            tap.ok(state == "00000" and len(oss_keys("kw/")) == 1 and s.sql(EACH % "k") == [rows_of(1)], "%s: the clock jumps at %s" % (version, api), (state, out))
        call("clock", {"system": True})
        s.sql("DROP FOREIGN TABLE k, kw")


def expired_token():
    """403 in the middle: an error that says so, and nothing is visible"""
    s = Session("SET mc_fdw.max_retries = '2'")
    server(s, "sts")
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER sts OPTIONS (SET access_key_id 'sts-id', SET access_key_secret 'sts-secret', ADD security_token 'sts-token')")
    s.sql("""CREATE FOREIGN TABLE t (g int, i int, s text) SERVER sts OPTIONS (prefix 'k/');
CREATE FOREIGN TABLE tw (g int, i int, s text) SERVER sts OPTIONS (prefix 'tw/', write_mode 'overwrite')""")
    tap.ok(s.sql(EACH % "t") == [rows_of(1)], "a temporary key reads")
    s.sql("INSERT INTO tw SELECT * FROM t; CREATE TABLE note (a int)")

    def expire(yes):
        return {"service": "emulator", "op": "access_key", "id": "sts-id", "secret": "sts-secret", "token": "sts-token", "expired": yes}
    for api, nth, sql, states in (
            ("ListObjectsV2", 1, EACH % "t", ("28000", "28P01")), ("GetObject", 3, EACH % "t", ("28000", "28P01")),
            ("UploadPart", 2, "INSERT INTO tw SELECT * FROM k", ("28000", "28P01")), ("ListParts", 1, "INSERT INTO tw SELECT * FROM k", ("28000", "28P01")),
            ("CompleteMultipartUpload", 1, "INSERT INTO tw SELECT * FROM k", ("28000", "28P01")), ("HeadObject", 1, "INSERT INTO tw SELECT * FROM k", ("40003",))):
        if "FROM k" in sql:
            sql = sql.replace("FROM k", "FROM generate_series(0, %d) g" % (ROWS - 1)).replace("SELECT *", "SELECT 1, g, 'text of a row'")
        before = oss_keys("tw/")
        call("faults", [{"service": "oss", "api": api, "nth": nth, "action": "command", "command": expire(True)}])
        out, state = s.try_sql("BEGIN; INSERT INTO note VALUES (1); %s; COMMIT" % sql)
        s.try_sql("ROLLBACK")
        call("faults", [])
        tap.ok(state in states or any("ERROR:  %s" % x in y for x in states for y in out), "expired at %s" % api, (state, out))
        tap.ok(any("xpired" in x for x in out), "and said so", out)
        tap.ok(s.sql("SELECT count(*) FROM note") == ["0"] and (api == "HeadObject" or oss_keys("tw/") == before), "nothing has happened", oss_keys("tw/"))
        # a new token reads again
        command("emulator", "access_key", **{k: v for k, v in expire(False).items() if k not in ("service", "op")})
        tap.ok(s.sql(EACH % "t") == [rows_of(1)], "with a new token all is well")
        end = time.monotonic() + 3
        while oss_uploads() and time.monotonic() < end:
            s.sql("BEGIN; INSERT INTO tw VALUES (1); ROLLBACK")
            time.sleep(0.1)
        left = oss_uploads()
        if left:
            n = s.sql("SELECT mc.cleanup_uploads('sts', '-1 hour')")
            tap.ok(n == [str(len(left))] and not oss_uploads(), "uploads that could not be taken back can be cleaned", (n, left))
    s.close()


def main():
    oss_bucket()
    s = Session("CREATE EXTENSION mc_fdw")
    server(s, "o")
    for name, part in (("change", lambda: objects_that_change(s)), ("links", lambda: links(s)), ("writers", lambda: two_writers(s)),
                       ("readers", lambda: readers(s)), ("restarts", restarts), ("clock", lambda: wrong_clock(s)), ("token", expired_token)):
        start = time.monotonic()
        part()
        print("# %s: %.1f s" % (name, time.monotonic() - start), flush=True)
    tap.done()


main()
