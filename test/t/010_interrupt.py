"""Cancel, terminate and statement_timeout act in every wait, also when the service
is silent; the wait is visible; the target is untouched and the session usable."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, WINDOW, Session, Tap, call, command, generate, odps_content, odps_sql, requests, shown_wait  # noqa: E402

# far above a second, far below stall_timeout: "acts" versus "hangs"
SOON = 5
INSERT = "INSERT INTO target SELECT c1, c2 FROM source WHERE " + WINDOW
tap = Tap()


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def hang(s, k):
    """send the statement and return once request k is stalled"""
    seen = requests()
    call("faults", [{"action": "stall_before", "after": k - 1}])
    s.send(INSERT)
    end = time.monotonic() + 20
    while requests() < seen + k and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)


def ends(s, name, want):
    start = time.monotonic()
    try:
        out, state = s.finish(SOON)
    except Exception:
        tap.ok(False, name, "still waiting after %d s" % SOON)
        call("faults", [])
        s.finish()
        return
    tap.ok(state in want, name, "%s after %.1f s: %s" % (state, time.monotonic() - start, out))
    call("faults", [])


def main():
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE source (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'text10');
CREATE FOREIGN TABLE target (c1 text, c2 text) SERVER odps OPTIONS (table 'target')""")
    command("loghub", "create_project", project="web")
    generate("text10", 1000)
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.target (c1 STRING, c2 STRING)")
    # caches make later statements of a session need fewer requests: each case has a session of its own
    cold = Session()
    before = requests()
    cold.sql("BEGIN; %s" % INSERT)
    unpublished = requests() - before
    cold.sql("ROLLBACK")
    cold.close()
    tap.ok(unpublished > 5, "a statement without its commit makes %d requests" % unpublished)

    for k in range(1, unpublished + 1):
        for how, states in (("cancel", ["57014"]), ("statement_timeout", ["57014"]), ("terminate", ["lost", "57P01"])):
            s = Session("SET statement_timeout = '300ms'" if how == "statement_timeout" else "")
            hang(s, k)
            if how == "cancel":
                wait = shown_wait(admin, s.pid)
                tap.ok(wait == "Extension", "request %d: the wait is visible" % k, wait)
                admin("SELECT pg_cancel_backend(%d)" % s.pid)
            elif how == "terminate":
                admin("SELECT pg_terminate_backend(%d)" % s.pid)
            ends(s, "request %d: %s" % (k, how), states)
            tap.ok(odps_content("target") == {}, "request %d: %s: nothing is published" % (k, how))
            if how == "cancel":
                out, state = s.try_sql("BEGIN; %s; ROLLBACK" % INSERT)
                tap.ok(state == "00000", "request %d: the session goes on" % k, out)
            if how != "terminate":
                s.close()

    s = Session()
    s.sql(INSERT)
    tap.ok(sum(v[0] for v in odps_content("target").values()) == 1000, "afterwards the statement succeeds")
    tap.done()


main()
