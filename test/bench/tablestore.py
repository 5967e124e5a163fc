"""Tablestore: range scan and bulk write against file_fdw, COPY and the official SDKs."""
import os
import statistics

from common import measure, median, peer_seconds, with_latency
from mctest import Session, command, odps_sql, ots_create

KEYS = [("k", "STRING", "text"), ("n", "INTEGER", "int8")]
CELLS = [("i1", "int8"), ("i2", "int8"), ("d1", "float8"), ("b1", "bool"),
         ("s1", "text"), ("s2", "text"), ("s3", "text"), ("s4", "text")]
# the rows that the peers write
ROW = """'user-' || lpad((i * 7919 % 100000000)::text, 8, '0') AS k, i AS n, i * 31 AS i1, i % 1000 AS i2,
 i / 8.0::float8 AS d1, i % 2 = 0 AS b1, 'value-' || lpad(i::text, 14, '0') AS s1,
 'city-' || lpad((i % 977)::text, 4, '0') AS s2, 'some words of text ' || i % 9973 AS s3, lpad((i * 13)::text, 20, '0') AS s4"""
HOUR = 3600
ROW_BYTES = 370             # of such a row in PlainBuffer
TABLES = ("wide", "wide_write", "wide_peer", "wide_latency", "wide_big")
ODPS = {"text": "STRING", "int8": "BIGINT", "float8": "DOUBLE", "bool": "BOOLEAN"}
DECLARED = ", ".join('%s %s%s' % (n, t, ' COLLATE "C"' if t == "text" else "") for n, _, t in KEYS) + ", " + \
    ", ".join("%s %s" % c for c in CELLS)
FOREIGN = ", ".join("%s %s OPTIONS (key '%d')%s" % (n, t, i + 1, ' COLLATE "C"' if t == "text" else "")
                    for i, (n, _, t) in enumerate(KEYS)) + ", " + ", ".join("%s %s" % c for c in CELLS)
NAMES = [n for n, _, _ in KEYS] + [n for n, _ in CELLS]


def remote_table(name):
    ots_create(name, [(n, t) for n, t, _ in KEYS])


def drop_tables():
    for name in TABLES:
        remote_table(name)
        command("tablestore", "drop_table", table=name)


def setup(s, rows):
    for name in ("wide", "wide_write", "wide_peer"):
        remote_table(name)
    odps_sql("CREATE TABLE demo.wide (%s)" % ", ".join(
        "`%s` %s" % (n, ODPS[t]) for n, t in [(n, t) for n, _, t in KEYS] + CELLS))
    csv = "%s/wide.csv" % os.environ["MC_DIR"]
    s.sql("""
CREATE FOREIGN TABLE ots_wide ({f}) SERVER ots OPTIONS (table 'wide');
CREATE FOREIGN TABLE ots_write ({f}) SERVER ots OPTIONS (table 'wide_write');
CREATE FOREIGN TABLE odps_wide ({d}) SERVER odps OPTIONS (table 'wide', write_mode 'overwrite');
CREATE UNLOGGED TABLE local_wide ({d});
CREATE UNLOGGED TABLE load_wide ({d});
INSERT INTO local_wide SELECT {r} FROM generate_series(0::int8, {n} - 1) i;
COPY local_wide TO '{c}' (FORMAT csv);
CREATE FOREIGN TABLE file_wide ({d}) SERVER files OPTIONS (filename '{c}', format 'csv');
INSERT INTO ots_wide SELECT * FROM local_wide;
VACUUM ANALYZE local_wide""".format(f=FOREIGN, d=DECLARED, r=ROW, n=rows, c=csv))
    return csv


def run(s, results, rows, rounds, wanted):
    peers = [(op, sdk) for op in ("scan", "write") for sdk in ("python", "python_native", "java", "go")
             if wanted("tablestore_%s_rate_vs_%s_sdk" % (op, sdk))]
    local = [x for x in ("tablestore_scan_cpu_vs_file_fdw", "tablestore_scan_rate_vs_file_fdw",
                         "tablestore_to_maxcompute_cpu_vs_copy", "tablestore_to_maxcompute_rate_vs_copy",
                         "tablestore_to_local_rate_vs_copy", "tablestore_write_cpu_vs_copy") if wanted(x)]
    if not peers and not local:
        return
    csv = setup(s, rows)
    counts = ", ".join("count(%s)" % n for n in NAMES)
    cases = {
        "copy": "COPY load_wide FROM '%s' (FORMAT csv)" % csv,
        "file_scan": "SELECT %s FROM file_wide" % counts,
        "scan": "SELECT %s FROM ots_wide" % counts,
        "to_maxcompute": "INSERT INTO odps_wide SELECT * FROM ots_wide",
        "to_local": "INSERT INTO load_wide SELECT * FROM ots_wide",
        "write": "INSERT INTO ots_write SELECT * FROM local_wide",
    }
    samples = {}
    for _ in range(rounds):
        for case, text in cases.items():
            s.sql("TRUNCATE load_wide")
            samples.setdefault(case, []).append(measure(s, text))
    cpu = {c: median(v, "cpu") / rows * 1e9 for c, v in samples.items()}
    rate = {c: rows / median(v, "wall") for c, v in samples.items()}
    results.add("tablestore_scan_cpu_vs_file_fdw", "backend CPU", cpu["scan"], "ns/row", "file_fdw", cpu["file_scan"])
    results.add("tablestore_scan_rate_vs_file_fdw", "rate", rate["scan"], "rows/s", "file_fdw", rate["file_scan"])
    results.add("tablestore_to_maxcompute_cpu_vs_copy", "backend CPU", cpu["to_maxcompute"], "ns/row", "copy csv", cpu["copy"])
    results.add("tablestore_to_maxcompute_rate_vs_copy", "rate", rate["to_maxcompute"], "rows/s", "copy csv", rate["copy"])
    results.add("tablestore_to_local_rate_vs_copy", "rate", rate["to_local"], "rows/s", "copy csv", rate["copy"])
    results.add("tablestore_write_cpu_vs_copy", "backend CPU", cpu["write"], "ns/row", "copy csv", cpu["copy"])
    for op, sdk in peers:
        # newer Python SDKs bring a compiled row codec, for some platforms: measured with and without
        env = {"BENCH_NATIVE": "1" if sdk == "python_native" else "", "BENCH_OP": op, "BENCH_OTS_TABLE": "wide" if op == "scan" else "wide_peer", "BENCH_ROWS": str(rows)}
        seconds = statistics.median(peer_seconds(["tablestore", sdk.split("_")[0]], rows, env)
                                    for _ in range(1 if sdk.startswith("python") else rounds))
        results.add("tablestore_%s_rate_vs_%s_sdk" % (op, sdk), "rate", rate[op], "rows/s", "%s SDK" % sdk.replace("_", " "), rows / seconds)


def latency(results, rows, rounds, wanted):
    names = ["tablestore_%s_rate_20ms_vs_0ms" % x for x in ("write", "scan")]
    if not any(wanted(x) for x in names):
        return
    drop_tables()
    remote_table("wide_latency")
    s = Session()
    s.sql("CREATE UNLOGGED TABLE local_latency ({d}); INSERT INTO local_latency SELECT {r} FROM generate_series(0::int8, {n} - 1) i;"
          "CREATE FOREIGN TABLE ots_latency ({f}) SERVER ots OPTIONS (table 'wide_latency'); VACUUM ANALYZE local_latency"
          .format(d=DECLARED, r=ROW, n=rows, f=FOREIGN))
    # every page ready, so that the network decides and not the emulator
    command("tablestore", "set", cache_mb=4096)
    write = "INSERT INTO ots_latency SELECT * FROM local_latency"
    scan = "SELECT %s FROM ots_latency" % ", ".join("count(%s)" % n for n in NAMES)
    s.sql(write)
    if wanted(names[0]):
        with_latency(results, s, names[0], write, rows, rounds)
    s.sql(scan)
    if wanted(names[1]):
        with_latency(results, s, names[1], scan, rows, rounds)
    command("tablestore", "set", cache_mb=512)
    s.close()


def memory(results, megabytes, wanted):
    """peak growth of the backend over a scan and over a write of a table of that size"""
    if not wanted("tablestore_scan_rss_growth_mb") and not wanted("tablestore_write_rss_growth_mb"):
        return
    rows = int(megabytes * 1e6 / ROW_BYTES)
    drop_tables()
    remote_table("wide_big")
    s = Session()
    s.sql("CREATE FOREIGN TABLE ots_big (%s) SERVER ots OPTIONS (table 'wide_big')" % FOREIGN)
    s.sql("INSERT INTO ots_big SELECT %s FROM generate_series(0::int8, 0) i" % ROW)
    size = "%.1f GB" % (megabytes / 1000)
    results.add("tablestore_write_rss_growth_mb", "peak RSS growth", s.peak_growth_mb(
        "INSERT INTO ots_big SELECT %s FROM generate_series(0::int8, %d) i" % (ROW, rows - 1), HOUR), "MB", size, None)
    s.close()
    s = Session()
    s.sql("SELECT count(*) FROM ots_big WHERE k < 'user-0000001'")
    results.add("tablestore_scan_rss_growth_mb", "peak RSS growth", s.peak_growth_mb(
        "SELECT %s FROM ots_big" % ", ".join("count(%s)" % n for n in NAMES), HOUR), "MB", size, None)
    s.close()
