#!/usr/bin/env python3
"""Side by side measurements: the extension, COPY and file_fdw, the official SDKs.

Runs inside test/bench/run, which starts cluster and emulator.  Every figure is a
median over rounds in which all cases take turns; only ratios of one run mean
anything.  Prints a table and writes test/bench/result.json.
"""
import argparse
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import job  # noqa: E402
import loghub_write  # noqa: E402
import oss  # noqa: E402
import tablestore  # noqa: E402
from common import Results, measure, median, peer_seconds  # noqa: E402
from mctest import SERVERS, WINDOW, Session, call, command, generate, odps_sql  # noqa: E402

WHERE = "WHERE " + WINDOW
LATENCY_ROWS = 3000000
PROFILES = {
    "text10": [("c%d" % i, "text") for i in range(1, 11)],
    "mixed": [("n%d" % i, "int8") for i in range(1, 4)]
    + [("t%d" % i, "timestamptz") for i in range(1, 3)]
    + [("s%d" % i, "text") for i in range(1, 6)],
}
ODPS_TYPE = {"text": "STRING", "int8": "BIGINT", "timestamptz": "TIMESTAMP"}


def odps_ddl(name, columns):
    return "CREATE TABLE demo.%s (%s)" % (
        name, ", ".join("`%s` %s" % (c, ODPS_TYPE[t]) for c, t in columns))


def servers(s):
    s.sql("CREATE EXTENSION mc_fdw; CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;" + SERVERS)
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")


def setup(s, rows):
    for profile, columns in PROFILES.items():
        n = rows[profile]
        generate(profile, n, shards=4, profile=profile)
        csv = "%s/%s.csv" % (os.environ["MC_DIR"], profile)
        declared = ", ".join("%s %s" % c for c in columns)
        for table in (profile, profile + "_peer"):
            odps_sql(odps_ddl(table, columns))
        s.sql("""
CREATE FOREIGN TABLE sls_{p} (__receive_time__ timestamptz, {d}) SERVER sls OPTIONS (logstore '{p}');
CREATE FOREIGN TABLE odps_{p} ({d}) SERVER odps OPTIONS (table '{p}', write_mode 'overwrite');
CREATE UNLOGGED TABLE local_{p} ({d});
CREATE UNLOGGED TABLE load_{p} ({d});
INSERT INTO local_{p} SELECT {c} FROM sls_{p} {w};
COPY local_{p} TO '{f}' (FORMAT csv);
CREATE FOREIGN TABLE file_{p} ({d}) SERVER files OPTIONS (filename '{f}', format 'csv');
INSERT INTO odps_{p} SELECT * FROM local_{p};
VACUUM ANALYZE local_{p}""".format(p=profile, d=declared, f=csv, w=WHERE,
                                   c=", ".join(c for c, _ in columns)))
        got = int(s.sql("SELECT count(*) FROM local_%s" % profile)[-1])
        if got != n:
            sys.exit("%s: %d rows generated, %d read" % (profile, n, got))


def statements(profile):
    columns = ", ".join(c for c, _ in PROFILES[profile])
    counts = ", ".join("count(%s)" % c for c, _ in PROFILES[profile])
    csv = "%s/%s.csv" % (os.environ["MC_DIR"], profile)
    p = {"p": profile, "c": columns, "w": WHERE, "n": counts, "f": csv}
    return {
        "copy": "COPY load_{p} FROM '{f}' (FORMAT csv)".format(**p),
        "file_scan": "SELECT {n} FROM file_{p}".format(**p),
        "file_to_local": "INSERT INTO load_{p} SELECT * FROM file_{p}".format(**p),
        "loghub_scan": "SELECT {n} FROM sls_{p} {w}".format(**p),
        "loghub_to_local": "INSERT INTO load_{p} SELECT {c} FROM sls_{p} {w}".format(**p),
        "loghub_to_maxcompute": "INSERT INTO odps_{p} SELECT {c} FROM sls_{p} {w}".format(**p),
        "maxcompute_to_local": "INSERT INTO load_{p} SELECT * FROM odps_{p}".format(**p),
        "local_to_maxcompute": "INSERT INTO odps_{p} SELECT * FROM local_{p}".format(**p),
    }


def measure_all(s, rounds, rows, wanted):
    samples = {}
    for profile in PROFILES:
        for _ in range(rounds):
            for case, text in statements(profile).items():
                if case.startswith(("loghub", "maxcompute", "local")) and not wanted(case):
                    continue
                s.sql("TRUNCATE load_%s" % profile)
                samples.setdefault((case, profile), []).append(measure(s, text))
    return {k: {"rate": rows[k[1]] / median(v, "wall"), "ns": median(v, "cpu") / rows[k[1]] * 1e9}
            for k, v in samples.items()}


def report(results, m, rows):
    for (case, profile), v in m.items():
        if case in ("copy", "file_scan", "file_to_local"):
            continue
        suffix = "" if profile == "text10" else "_" + profile
        peer_case = "file_scan" if case == "loghub_scan" else "copy"
        peer_name = "file_fdw" if case == "loghub_scan" else "copy csv"
        short = "file_fdw" if case == "loghub_scan" else "copy"
        peer = m[(peer_case, profile)]
        size = os.path.getsize("%s/%s.csv" % (os.environ["MC_DIR"], profile)) / rows[profile]
        results.add("%s_cpu_vs_%s%s" % (case, short, suffix), "backend CPU", v["ns"], "ns/row", peer_name, peer["ns"])
        results.add("%s_rate_vs_%s%s" % (case, short, suffix), "rate", v["rate"], "rows/s", peer_name, peer["rate"])
        results.add("%s_mb_per_s%s" % (case, suffix), "throughput as csv", v["rate"] * size / 1e6, "MB/s", None, None)
        if case.endswith("to_local"):
            f = m[("file_to_local", profile)]
            results.add("%s_rate_vs_file_fdw%s" % (case, suffix), "rate", v["rate"], "rows/s", "file_fdw", f["rate"])


def big_source(s, rows):
    """a logstore of its own for the cases that need a long window"""
    generate("big", rows, shards=4, seed=2)
    s.sql("CREATE FOREIGN TABLE sls_big (__receive_time__ timestamptz, %s) SERVER sls OPTIONS (logstore 'big')"
          % ", ".join("%s %s" % c for c in PROFILES["text10"]))
    return "INSERT INTO odps_text10 SELECT %s FROM sls_big WHERE " % ", ".join(c for c, _ in PROFILES["text10"])


def latency_case(results, s, insert, rows, rounds):
    """long enough that the dozen requests before the first page and after the last do not decide"""
    share = min(1.0, LATENCY_ROWS / rows)
    text = insert + ("__receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < "
                     "timestamptz '2018-01-11 01:30:00+08' + interval '%d s'" % max(1, round(300 * share)))
    n = int(s.sql("SELECT count(*) FROM sls_big WHERE " + text.split(" WHERE ")[1])[0])
    # every page ready, so that the network decides and not the emulator
    command("loghub", "set", cache_bytes=4 << 30)
    s.sql(text)
    plain, slow = [], []
    for _ in range(rounds):
        call("faults", [])
        plain.append(measure(s, text))
        call("faults", [{"action": "delay", "ms": 20}])
        slow.append(measure(s, text))
    call("faults", [])
    results.add("loghub_to_maxcompute_rate_20ms_vs_0ms", "rate", n / median(slow, "wall"), "rows/s",
                "0 ms", n / median(plain, "wall"))


def sdk_cases(results, s, rows, rounds, wanted):
    ours = None
    for sdk in ("python", "java", "go"):
        name = "loghub_to_maxcompute_rate_vs_%s_sdk" % sdk
        if not wanted(name):
            continue
        if ours is None:
            ours = statistics.median(measure(s, statements("text10")["loghub_to_maxcompute"])["wall"] for _ in range(rounds))
        env = dict(BENCH_FROM="1515605400", BENCH_TO="1515605700", BENCH_PROJECT="web", BENCH_LOGSTORE="text10",
                   BENCH_ODPS_PROJECT="demo", BENCH_ODPS_TABLE="text10_peer", BENCH_COLUMNS=",".join(c for c, _ in PROFILES["text10"]))
        walls = [peer_seconds(["loghub", sdk], rows["text10"], env) for _ in range(1 if sdk == "python" else rounds)]
        results.add(name, "rate", rows["text10"] / ours, "rows/s", "%s SDK" % sdk, rows["text10"] / statistics.median(walls))


def memory_case(results, s, insert, megabytes):
    s.sql("SELECT count(c1) FROM sls_big %s" % WHERE.replace("01:35:00", "01:30:01"))
    results.add("loghub_to_maxcompute_rss_growth_mb", "peak RSS growth", s.peak_growth_mb(insert + WINDOW), "MB",
                "%.1f GB window" % (megabytes / 1000), None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=os.environ.get("ONLY", ""))
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "1000000")))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "3")))
    parser.add_argument("--memory-mb", type=int, default=int(os.environ.get("MEMORY_MB", "5000")))
    parser.add_argument("--oss-memory-mb", type=int, default=int(os.environ.get("OSS_MEMORY_MB", "20000")))
    args = parser.parse_args()
    rows = {"text10": args.rows, "mixed": args.rows // 2}
    names = ["loghub_scan", "loghub_to_local", "loghub_to_maxcompute", "maxcompute_to_local", "local_to_maxcompute"]

    def wanted(case):
        if not args.only:
            return True
        pattern = re.compile(args.only)
        if case in names:       # any result name that begins with this case may match
            return any(pattern.search(case + x + y) for y in ("", "_mixed")
                       for x in ("_cpu_vs_copy", "_rate_vs_copy", "_mb_per_s", "_cpu_vs_file_fdw", "_rate_vs_file_fdw"))
        return bool(pattern.search(case))

    s = Session()
    servers(s)
    print("%-44s %12s %-8s %-16s %12s %8s" % ("name", "value", "unit", "peer", "peer value", "ratio"))
    results = Results(args.only)
    memory, latency = (wanted("loghub_to_maxcompute_" + x) for x in ("rss_growth_mb", "rate_20ms_vs_0ms"))
    sdks = any(wanted("loghub_to_maxcompute_rate_vs_%s_sdk" % x) for x in ("python", "java", "go"))
    if sdks or memory or latency or any(wanted(x) for x in names):
        setup(s, rows)
    if any(wanted(x) for x in names):
        report(results, measure_all(s, args.rounds, rows, wanted), rows)
    sdk_cases(results, s, rows, args.rounds, wanted)
    job.run(s, results, args.rounds, wanted)
    loghub_write.run(s, results, args.rows, args.rounds, wanted)
    tablestore.run(s, results, args.rows, args.rounds, wanted)
    oss.run(s, results, args.rows, args.rounds, wanted)
    s.close()
    if memory or latency:
        s = Session()
        # a row of this profile is about 350 bytes in the LogGroup
        n = int(args.memory_mb * 1e6 / 350) if memory else LATENCY_ROWS
        insert = big_source(s, n)
        if memory:
            memory_case(results, s, insert, args.memory_mb)
        if latency:
            latency_case(results, s, insert, n, args.rounds)
        s.close()
    tablestore.latency(results, args.rows, args.rounds, wanted)
    tablestore.memory(results, args.memory_mb, wanted)
    oss.latency(results, args.rows, args.rounds, wanted)
    oss.many(results, wanted)
    oss.memory(results, args.oss_memory_mb, wanted)
    with open(os.path.join(HERE, "result.json"), "w") as f:
        json.dump(results.rows, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
