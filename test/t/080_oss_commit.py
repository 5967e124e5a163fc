"""Multipart uploads of a session that fails, is cancelled, ends or crashes: nothing is
visible before COMMIT, and nothing remains in the service that nobody can name."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command  # noqa: E402

tap = Tap()
BIG = "SELECT g, md5(g::text) FROM generate_series(1, 20000) g"


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def objects():
    return len(command("oss", "keys", bucket="lake")["keys"])


def uploads():
    return len(command("oss", "uploads", bucket="lake")["uploads"])


def none_left(seconds=5):
    end = time.monotonic() + seconds
    while uploads() and time.monotonic() < end:
        time.sleep(0.05)
    return uploads() == 0


def seen(api):
    return [x["api"] for x in call("log")].count(api)


def hang(s, api, sql, action="stall_before"):
    """send the statement and return once its first request to this API is stalled"""
    before = seen(api)
    call("faults", [{"service": "oss", "api": api, "action": action, "nth": 1}])
    s.send(sql)
    end = time.monotonic() + 20
    while seen(api) == before and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)


def before_the_first_request():
    for api, action in (("InitiateMultipartUpload", "stall_before"), ("InitiateMultipartUpload", "stall_after"),
                        ("UploadPart", "stall_before"), ("UploadPart", "stall_after"), ("ListParts", "stall_before")):
        for how in ("cancel", "terminate"):
            name = "%s %s, %s" % (api, action, how)
            s = Session()
            hang(s, api, "INSERT INTO t " + BIG, action)
            start = time.monotonic()
            admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            out, state = s.finish(10)
            call("faults", [])
            tap.ok(objects() == 0, name + ": nothing is visible", "%s %s" % (state, out))
            tap.ok(time.monotonic() - start < 5, name + ": the rollback is short")
            tap.ok(none_left(), name + ": no upload is left", command("oss", "uploads", bucket="lake"))
            if how == "cancel":
                tap.ok(state == "57014" and s.try_sql("SELECT 1")[1] == "00000", name + ": the session goes on", out)


def after_the_first_request():
    """the answer to the first commit request never comes; the object says that it is there"""
    for how in ("cancel", "terminate"):
        before = objects()
        s = Session("SET mc_fdw.stall_timeout = '2s'")
        hang(s, "CompleteMultipartUpload", "BEGIN; INSERT INTO note VALUES (2); INSERT INTO t %s; COMMIT" % BIG, "stall_after")
        notes = int(admin("SELECT count(*) FROM note"))
        admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
        out, state = s.finish(30)
        call("faults", [])
        for _ in range(100):
            if admin("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active'" % s.pid) == "0":
                break
            time.sleep(0.1)
        tap.ok(objects() == before + 1 and int(admin("SELECT count(*) FROM note")) == notes + 1,
               "%s while publishing: published, and committed here" % how, "%s %s" % (state, out))
    tap.ok(none_left(), "no upload is left of them")


def unreachable_at_rollback():
    before = objects()
    for ending in ("the next statement", "the end of the session"):
        s = Session()
        s.sql("BEGIN; INSERT INTO t " + BIG)
        call("faults", [{"service": "oss", "api": "AbortMultipartUpload", "every": 1, "action": "stall_before"}])
        start = time.monotonic()
        state = s.try_sql("ROLLBACK")[1]
        took = time.monotonic() - start
        tap.ok(state == "00000" and took < 4 and uploads() > 0, "a rollback does not wait for a service that is silent", took)
        call("faults", [])
        if ending == "the next statement":
            s.sql("SELECT 1")
        else:
            s.close()
        tap.ok(none_left(), "what it left is taken back at %s" % ending)
    tap.ok(objects() == before, "and nothing became visible")


def crash():
    """kill -9: nobody is there to take anything back, but it can be found"""
    before = objects()
    s = Session()
    s.sql("BEGIN; INSERT INTO t %s; INSERT INTO one %s" % (BIG, BIG))
    left = uploads()
    os.kill(s.pid, signal.SIGKILL)
    for _ in range(200):
        time.sleep(0.1)
        if subprocess.run(["psql", "-XqAt", "-c", "SELECT 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode == 0:
            break
    tap.ok(left == 2 and uploads() == 2 and objects() == before, "a crash leaves its uploads, and nothing visible", left)
    tap.ok(admin("SELECT count(*) FROM mc.orphaned_uploads('o')") == "0", "young ones are not listed")
    tap.ok(admin("SELECT count(*), bool_and(ours) FROM mc.orphaned_uploads('o', '-1 hour')") == "1|t", "keys of an INSERT are listed")
    tap.ok(admin("SELECT count(*) FROM mc.orphaned_uploads('o', '-1 hour', true)") == "2", "others on request")
    tap.ok(admin("SELECT mc.cleanup_uploads('o')") == "0" and uploads() == 2, "young ones are left alone")
    tap.ok(admin("SELECT mc.cleanup_uploads('o', '-1 hour')") == "1", "ours are aborted")
    tap.ok([x["key"] for x in command("oss", "uploads", bucket="lake")["uploads"]] == ["one.csv"], "others' are not",
           command("oss", "uploads", bucket="lake"))


def main():
    s = Session()
    command("oss", "create_bucket", bucket="lake")
    s.sql("""CREATE EXTENSION mc_fdw; CREATE TABLE note (a int);
CREATE SERVER o FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou', part_size '100kB', concurrency '4');
CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE t (id int, s text) SERVER o OPTIONS (prefix 't/');
CREATE FOREIGN TABLE one (id int, s text) SERVER o OPTIONS (object 'one.csv')""" % ((OSS,) + KEY))
    before_the_first_request()
    after_the_first_request()
    unreachable_at_rollback()
    crash()
    tap.done()


main()
