"""A session that runs jobs over thousands of windows does not grow: neither its contexts nor the process."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, command, odps_content, odps_sql  # noqa: E402

tap = Tap()
CONTEXTS = "SELECT sum(total_bytes) / 1048576.0, count(*) FROM pg_backend_memory_contexts"


def size(s):
    """MB of all memory contexts, how many there are, MB of the process"""
    mb, n = s.sql(CONTEXTS)[0].split("|")
    return float(mb), int(n), s.memory_mb()


def run(s, name, windows, seconds=600):
    out, state = s.try_sql("CALL mc.run_job('%s', %d)" % (name, windows), seconds)
    if state != "00000":
        raise RuntimeError("%s: %s" % (name, out))


def measure(s, name, warm, calls, windows):
    """`warm` windows fill the caches; then `calls` calls of so many windows each"""
    run(s, name, warm)
    before = size(s)
    for _ in range(calls):
        run(s, name, windows)
    after = size(s)
    done = s.sql("SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' AND state = 'done'" % name)[0]
    tap.ok(done == str(warm + calls * windows), "%s: every window is done" % name, done)
    mb, n, process = (b - a for a, b in zip(before, after))
    grown = "%d windows: %.2f MB of contexts, %d contexts, %.1f MB of the process" % (calls * windows, mb, n, process)
    tap.ok(mb < LIMIT_MB and n < LIMIT_CONTEXTS and process < LIMIT_PROCESS, "%s does not grow" % name, grown)


# 700 bytes a window of 1500, 2.6 kB of 400; caches of the server's own may still take a block
LIMIT_MB = 1
LIMIT_CONTEXTS = 20
LIMIT_PROCESS = 8


def main():
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS)
    s.sql("CREATE TABLE local (at timestamptz, v text)")
    s.sql("SELECT mc.create_job('local', $job$INSERT INTO local SELECT $1, repeat('x', 100) WHERE $1 < $2$job$,"
          " every => '1 minute', start => date_trunc('day', now()) - interval '20 days')")
    measure(s, "local", 200, 2, 750)
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.remote (at DATETIME, v STRING) PARTITIONED BY (w STRING)")
    s.sql("CREATE FOREIGN TABLE remote (at timestamptz(3), v text, w text) SERVER odps")
    s.sql("SELECT mc.create_job('remote', $job$INSERT INTO remote SELECT $1, repeat('x', 100), to_char($1, 'YYYYMMDD')$job$,"
          " every => '1 minute', start => date_trunc('day', now()) - interval '2 days')")
    measure(s, "remote", 50, 4, 100)
    tap.ok(sum(n for n, _ in odps_content("remote").values()) == 450, "one row of each window arrived")
    # failures, too
    s.sql("SELECT mc.create_job('fails', 'SELECT 1/0 WHERE $1 < $2', every => '1 minute', start => date_trunc('day', now()) - interval '2 days',"
          " retry_limit => 100000, retry_delay => '0')")

    def fail(n):
        for _ in range(n):
            out, state = s.try_sql("CALL mc.run_job('fails', 1)")
            if state != "22012":
                raise RuntimeError(out)
    fail(20)
    before = size(s)
    fail(300)
    mb, n, process = (b - a for a, b in zip(before, size(s)))
    tap.ok(mb < LIMIT_MB and n < LIMIT_CONTEXTS and process < LIMIT_PROCESS, "a job that fails does not grow",
           "%.2f MB of contexts, %d contexts, %.1f MB of the process" % (mb, n, process))
    tap.done()


main()
