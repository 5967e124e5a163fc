"""Benchmark of writing to LogHub: a local table of ten columns into a logstore, against COPY
to a local table and the Python SDK."""
import os
import statistics
import sys

from common import measure, median, peer_seconds, with_latency
from mctest import command

COLUMNS = ("ip text", "method text", "uri text", "status int", "cost float8", "bytes bigint", "referer text", "agent text", "user_id bigint", "request_id text")
NAMES = [c.split()[0] for c in COLUMNS]
CASES = ("loghub_write_cpu_vs_copy", "loghub_write_rate_vs_copy", "loghub_write_rate_vs_python_sdk", "loghub_write_rate_20ms_vs_0ms", "loghub_write_rss_growth_mb")


def fresh(store):
    for op in ("drop_logstore", "create_logstore"):
        try:
            command("loghub", op, project="web", logstore=store, **({"shards": 4, "ttl": 30} if op == "create_logstore" else {}))
        except OSError:     # not there yet
            pass


def setup(s, rows):
    csv = "%s/logs.csv" % os.environ["MC_DIR"]
    fresh("bench-write")
    s.sql("""SET client_min_messages = warning;
DROP TABLE IF EXISTS write_logs, load_logs; DROP FOREIGN TABLE IF EXISTS sls_write;
CREATE TABLE write_logs ({c}); CREATE TABLE load_logs ({c});
INSERT INTO write_logs SELECT '10.1.' || g % 256 || '.' || g * 7 % 256, 'GET', '/shop/item/' || g % 9973, 200 + g % 5, g / 8.0, g * 31, 'https://example.com/' || g % 101,
  'Mozilla/5.0 (X11; Linux x86_64) part ' || g % 977, g % 100000, md5(g::text) FROM generate_series(1, {n}) g;
COPY write_logs TO '{f}' (FORMAT csv);
CREATE FOREIGN TABLE sls_write ({c}) SERVER sls OPTIONS (logstore 'bench-write')""".format(c=", ".join(COLUMNS), n=rows, f=csv))
    return csv


def run(s, results, rows, rounds, wanted):
    if not any(wanted(x) for x in CASES):
        return
    csv = setup(s, rows)
    insert = "INSERT INTO sls_write SELECT * FROM write_logs"
    samples = {"copy": [], "write": []}
    for _ in range(rounds):
        s.sql("TRUNCATE load_logs")
        fresh("bench-write")
        samples["copy"].append(measure(s, "COPY load_logs FROM '%s' (FORMAT csv)" % csv))
        samples["write"].append(measure(s, insert))
    if s.sql("SELECT count(request_id) FROM sls_write") != [str(rows)]:
        sys.exit("rows are missing in the logstore")
    cpu = {c: median(v, "cpu") / rows * 1e9 for c, v in samples.items()}
    rate = {c: rows / median(v, "wall") for c, v in samples.items()}
    results.add("loghub_write_cpu_vs_copy", "backend CPU", cpu["write"], "ns/row", "copy csv", cpu["copy"])
    results.add("loghub_write_rate_vs_copy", "rate", rate["write"], "rows/s", "copy csv", rate["copy"])
    if wanted("loghub_write_rate_vs_python_sdk"):
        fresh("bench-write")
        env = {"BENCH_LOGSTORE": "bench-write", "BENCH_PROJECT": "web", "BENCH_CSV": csv, "BENCH_COLUMNS": ",".join(NAMES)}
        seconds = statistics.median(peer_seconds(["loghub_write", "python"], rows, env) for _ in range(1))
        if s.sql("SELECT count(request_id) FROM sls_write") != [str(rows)]:
            sys.exit("the SDK lost rows")
        results.add("loghub_write_rate_vs_python_sdk", "rate", rate["write"], "rows/s", "python SDK", rows / seconds)
    if wanted("loghub_write_rate_20ms_vs_0ms"):
        with_latency(results, s, "loghub_write_rate_20ms_vs_0ms", insert, rows, rounds)
    if wanted("loghub_write_rss_growth_mb"):
        results.add("loghub_write_rss_growth_mb", "peak RSS growth", s.peak_growth_mb(insert), "MB", "", None)
    fresh("bench-write")
