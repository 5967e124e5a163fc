"""What may happen to a session between its first upload and the end of its COMMIT:
before the first commit request everything is undone, after it nothing is interrupted."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, odps_content, odps_sql  # noqa: E402

tap = Tap()


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def rows():
    return sum(v[0] for v in odps_content("t").values())


def seen(api):
    return [x["api"] for x in call("log")].count(api)


def hang(s, api, sql, action="stall_before"):
    """send the statement and return once its first request to this API is stalled"""
    before = seen(api)
    call("faults", [{"api": api, "action": action, "nth": 1}])
    s.send(sql)
    end = time.monotonic() + 20
    while seen(api) == before and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)


def before_the_first_request():
    for api in ("CreateUpload", "WriteBlock", "GetUpload"):
        for how in ("cancel", "terminate"):
            s = Session()
            hang(s, api, "INSERT INTO note VALUES (1); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
            admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
            out, state = s.finish(10)
            call("faults", [])
            tap.ok(rows() == 0, "%s at %s: nothing is published" % (how, api), "%s %s" % (state, out))
            if how == "cancel":
                tap.ok(state == "57014" and s.try_sql("BEGIN; INSERT INTO t VALUES (1, 'a'); ROLLBACK")[1] == "00000",
                       "cancel at %s: the session goes on" % api, out)
    s = Session("SET idle_in_transaction_session_timeout = '200ms'")
    s.sql("BEGIN; INSERT INTO t VALUES (1, 'a')")
    time.sleep(0.6)
    tap.ok(s.try_sql("COMMIT")[1] == "lost" and rows() == 0, "idle in transaction: nothing is published")


def after_the_first_request():
    """the answer to the first commit request never comes; the state is asked for"""
    for how in ("cancel", "terminate"):
        before, notes = rows(), int(admin("SELECT count(*) FROM note"))
        s = Session("SET mc_fdw.stall_timeout = '2s'")
        hang(s, "CommitUpload", "BEGIN; INSERT INTO note VALUES (2); INSERT INTO t VALUES (1, 'a'), (2, 'b'); COMMIT")
        admin("SELECT pg_%s_backend(%d)" % (how, s.pid))
        out, state = s.finish(30)
        call("faults", [])
        for _ in range(100):
            if admin("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active'" % s.pid) == "0":
                break
            time.sleep(0.1)
        tap.ok(rows() == before + 2 and int(admin("SELECT count(*) FROM note")) == notes + 1,
               "%s while publishing: published, and committed here" % how, "%s %s" % (state, out))
    before = rows()
    s = Session("SET statement_timeout = '300ms'; SET mc_fdw.stall_timeout = '1s'")
    s.sql("BEGIN; INSERT INTO t VALUES (3, 'a')")
    hang(s, "CommitUpload", "COMMIT")
    out, state = s.finish(30)
    tap.ok(state == "00000" and rows() == before + 1, "statement_timeout does not act in COMMIT", out)


def another_extension():
    """postgres_fdw has registered first, so its commit comes after ours, and fails"""
    admin("CREATE EXTENSION postgres_fdw; CREATE TABLE other (a int);"
          "CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', dbname 'postgres');"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER loopback OPTIONS (user 'postgres');"
          "CREATE FOREIGN TABLE far (a int) SERVER loopback OPTIONS (table_name 'other')" % os.environ["PGHOST"])
    before = rows()
    s = Session()
    s.sql("BEGIN; INSERT INTO far VALUES (1); INSERT INTO t VALUES (4, 'a')")
    admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postgres_fdw'")
    time.sleep(0.3)
    out, state = s.try_sql("COMMIT")
    tap.ok(state != "00000" and any("WARNING:  40003" in x for x in out), "a failure after publication is told", out)
    tap.ok(rows() == before + 1, "and was not undone")
    out, state = s.try_sql("SET statement_timeout = '200ms'; SELECT pg_sleep(5)")
    tap.ok(state == "57014", "the session can be cancelled again", out)


def many_blocks():
    """an append goes on in a second session when the first has its 20,000 blocks"""
    before = rows()
    command("maxcompute", "set", rates=False)
    s = Session()
    s.sql("BEGIN; DO $$ BEGIN FOR i IN 1 .. 20002 LOOP INSERT INTO t VALUES (i, 'b'); END LOOP; END $$")
    tap.ok(s.sql("SELECT blocks FROM mc.uploads()") == ["20000", "2"], "20,000 blocks in a session, the others in the next")
    out, state = s.try_sql("COMMIT")
    tap.ok(state == "00000" and rows() == before + 20002, "both are published", out)


def server_log():
    with open(os.path.join(os.environ["MC_DIR"], "server.log"), errors="replace") as f:
        lines = [x for x in f if "publishes to MaxCompute" in x]
    tap.ok(any("transaction without local changes publishes" in x for x in lines) and
           any("rows in session" in x and "(p=a)" in x for x in lines), "the server log names what is published", lines[:3])


def main():
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE TABLE note (a int);
CREATE FOREIGN TABLE t (id bigint, p text) SERVER odps""")
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.t (id BIGINT) PARTITIONED BY (p STRING)")
    before_the_first_request()
    after_the_first_request()
    another_extension()
    many_blocks()
    server_log()
    tap.done()


main()
