"""A backend that waits for a silent service does not hold up others: DROP DATABASE and
pg_log_backend_memory_contexts need an answer of every backend."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, call, command, generate, requests  # noqa: E402

# below stall_timeout: "acts" versus "waits for the service"
SOON = 10
tap = Tap()


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True, timeout=SOON).stdout.strip()


def main():
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + ";CREATE FOREIGN TABLE source (c1 text) SERVER sls OPTIONS (logstore 'text10')")
    command("loghub", "create_project", project="web")
    generate("text10", 1000)
    admin("CREATE DATABASE other")
    seen = requests()
    call("faults", [{"action": "stall_before", "after": 2}])
    s.send("SELECT count(*) FROM source")
    end = time.monotonic() + SOON
    while requests() < seen + 3 and time.monotonic() < end:
        time.sleep(0.01)
    try:
        admin("DROP DATABASE other")
        tap.ok(True, "DROP DATABASE while a backend waits for the service")
    except subprocess.TimeoutExpired:
        tap.ok(False, "DROP DATABASE while a backend waits for the service", "still waiting after %d s" % SOON)
    admin("SELECT pg_log_backend_memory_contexts(%d)" % s.pid)
    line = "logging memory contexts of PID %d" % s.pid
    found = False
    while not found and time.monotonic() < end + SOON:
        with open(os.environ["MC_DIR"] + "/server.log") as f:
            found = line in f.read()
        time.sleep(0.05)
    tap.ok(found, "pg_log_backend_memory_contexts of it")
    admin("SELECT pg_cancel_backend(%d)" % s.pid)
    call("faults", [])
    out, state = s.finish(SOON)
    tap.ok(state == "57014", "and it can be cancelled", out)
    tap.done()


main()
