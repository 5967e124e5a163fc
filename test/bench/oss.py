"""OSS: reading and writing objects against file_fdw, COPY TO, DuckDB and the official SDK."""
import json
import os
import shutil
import statistics
import sys
import time

from common import measure, median, peer_seconds, with_latency
from mctest import KEY, OPENER, OSS, Session, command, odps_sql, oss_keys
from ossbig import Big

COLUMNS = [("id", "int8"), ("qty", "int4"), ("price", "float8"), ("amount", "numeric(12,2)"), ("paid", "bool"),
           ("day", "date"), ("at", "timestamptz"), ("name", "text"), ("city", "text"), ("note", "text")]
# one note in 16 has a delimiter and quotes, one in 16 is NULL
ROW = """i AS id, (i * 37 % 1000)::int4 AS qty, i % 100000 / 8.0::float8 AS price, (i * 7919 % 10000000 / 100.0)::numeric(12,2) AS amount,
 i % 3 = 0 AS paid, date '2018-01-01' + (i % 365)::int4 AS day, timestamptz '2018-01-11 01:30:00+08' + i * interval '0.25 s' AS at,
 'customer-' || lpad((i * 7919 % 1000000)::text, 6, '0') AS name, (ARRAY['Hangzhou', 'Beijing', '上海', 'Shenzhen', 'Chengdu'])[1 + i % 5] AS city,
 CASE WHEN i % 16 = 3 THEN 'he said "yes", twice' WHEN i % 16 = 5 THEN NULL ELSE 'some words of text ' || i % 9973 END AS note"""
NAMES = [n for n, _ in COLUMNS]
DECLARED = ", ".join("%s %s" % c for c in COLUMNS)
COUNTS = ", ".join("count(%s)" % n for n in NAMES)
# what all readers must agree on
SUM = "count(*), sum(id), sum(qty), sum(price), sum(amount), count(*) FILTER (WHERE paid), min(day), max(at), sum(length(name) + length(city)), count(note), sum(length(note))"
JSON_COUNTS = ", ".join("count((j ->> '%s')::%s)" % c for c in COLUMNS)
ODPS = {"int8": "BIGINT", "int4": "INT", "float8": "DOUBLE", "numeric(12,2)": "DECIMAL(12,2)", "bool": "BOOLEAN", "date": "DATE",
        "timestamptz": "TIMESTAMP", "text": "STRING"}
SMALL_OBJECTS = 100000
DIRECTORIES = 1000

LOCAL = {"oss_csv_scan_cpu_vs_file_fdw": ("cpu", "csv_scan", "file_csv", "file_fdw"),
         "oss_csv_scan_rate_vs_file_fdw": ("rate", "csv_scan", "file_csv", "file_fdw"),
         "oss_csv_count_cpu_vs_file_fdw": ("cpu", "csv_count", "file_count", "file_fdw"),
         "oss_text_scan_cpu_vs_file_fdw": ("cpu", "text_scan", "file_text", "file_fdw"),
         "oss_jsonl_scan_cpu_vs_file_fdw": ("cpu", "jsonl_scan", "file_csv", "file_fdw csv"),
         "oss_jsonl_scan_cpu_vs_file_fdw_json": ("cpu", "jsonl_scan", "file_jsonl", "line::jsonb ->>"),
         "oss_gzip_scan_rate_vs_file_fdw": ("rate", "gzip_scan", "file_gzip", "gzip -dc program"),
         "oss_csv_write_cpu_vs_copy_to": ("cpu", "csv_write", "copy_to", "COPY TO file"),
         "oss_csv_write_rate_vs_copy_to": ("rate", "csv_write", "copy_to", "COPY TO file"),
         "oss_text_write_cpu_vs_copy_to": ("cpu", "text_write", "copy_to_text", "COPY TO file"),
         "oss_jsonl_write_cpu_vs_copy_to": ("cpu", "jsonl_write", "copy_to_json", "row_to_json"),
         "oss_csv_to_maxcompute_cpu_vs_copy": ("cpu", "to_maxcompute", "copy", "copy csv"),
         "oss_csv_to_maxcompute_rate_vs_copy": ("rate", "to_maxcompute", "copy", "copy csv"),
         "oss_csv_to_local_rate_vs_copy": ("rate", "to_local", "copy", "copy csv")}
PEERS = {"oss_csv_scan_rate_vs_python_sdk": "sdk", "oss_csv_scan_vs_duckdb": "duckdb",
         "oss_csv_scan_vs_duckdb_1_thread": "duckdb_1",
         # the same bytes as files of this machine, without http
         "oss_csv_scan_vs_duckdb_files": "duckdb_files", "oss_csv_scan_vs_duckdb_files_1_thread": "duckdb_files_1"}


def server(s, name="oss"):
    """a server; the extension is there"""
    s.sql("""CREATE SERVER %s FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'bench', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (access_key_id '%s', access_key_secret '%s')"""
          % ((name, OSS, name) + KEY))


def download(prefix, directory):
    """the objects as files"""
    os.makedirs(directory, exist_ok=True)
    for key in oss_keys(prefix, "bench"):
        with OPENER.open(OSS + "/bench/" + key) as f, open(os.path.join(directory, os.path.basename(key)), "wb") as to:
            shutil.copyfileobj(f, to)


def same(s, *tables):
    got = [s.sql("SELECT %s FROM %s" % (SUM, t)) for t in tables]
    if any(x != got[0] for x in got):
        sys.exit("tables differ: %s" % dict(zip(tables, got)))


def setup(s, rows):
    # anyone may read, so that DuckDB and the files need no signature
    command("oss", "create_bucket", bucket="bench", acl="public-read", replace=True)
    server(s)
    odps_sql("CREATE TABLE demo.oss_rows (%s)" % ", ".join("`%s` %s" % (n, ODPS[t]) for n, t in COLUMNS))
    base = os.path.join(os.environ["MC_DIR"], "oss")
    os.makedirs(base)
    os.chmod(base, 0o777)
    s.sql("SET TimeZone = 'Asia/Shanghai'")
    s.sql("CREATE UNLOGGED TABLE oss_local ({d}); CREATE UNLOGGED TABLE oss_load ({d});"
          "INSERT INTO oss_local SELECT {r} FROM generate_series(0::int8, {n} - 1) i; VACUUM ANALYZE oss_local;"
          "COPY oss_local TO '{b}/rows.csv' (FORMAT csv); COPY oss_local TO '{b}/rows.text'"
          .format(d=DECLARED, r=ROW, n=rows, b=base))
    for fmt, options in (("csv", ""), ("text", ""), ("jsonl", ""), ("gzip", ", compression 'gzip', format 'csv'")):
        for use in ("rows", "write"):
            s.sql("CREATE FOREIGN TABLE oss_%s_%s (%s) SERVER oss OPTIONS (prefix '%s/%s/', max_object_size '16MB'%s)"
                  % (use, fmt, DECLARED, use, fmt, options or ", format '%s'" % fmt))
        s.sql("INSERT INTO oss_rows_%s SELECT * FROM oss_local" % fmt)
    download("rows/gzip/", base + "/gzip")
    download("rows/csv/", base + "/csv")
    download("rows/jsonl/", base + "/jsonl")
    s.sql(r"""CREATE FOREIGN TABLE oss_file_csv ({d}) SERVER files OPTIONS (filename '{b}/rows.csv', format 'csv');
CREATE FOREIGN TABLE oss_file_text ({d}) SERVER files OPTIONS (filename '{b}/rows.text', format 'text');
CREATE FOREIGN TABLE oss_file_gzip ({d}) SERVER files OPTIONS (program 'gzip -dc {b}/gzip/*', format 'csv');
CREATE FOREIGN TABLE oss_file_jsonl (line text) SERVER files OPTIONS (program 'cat {b}/jsonl/*', format 'csv', delimiter E'\x01', quote E'\x02');
CREATE FOREIGN TABLE oss_odps ({d}) SERVER odps OPTIONS (table 'oss_rows', write_mode 'overwrite')""".format(d=DECLARED, b=base))
    same(s, "oss_local", "oss_rows_csv", "oss_rows_text", "oss_rows_jsonl", "oss_rows_gzip", "oss_file_csv", "oss_file_gzip")
    return base


def statements(base):
    scan = "SELECT " + COUNTS + " FROM "
    out = base + "/out"
    return {
        "csv_scan": scan + "oss_rows_csv", "text_scan": scan + "oss_rows_text", "jsonl_scan": scan + "oss_rows_jsonl",
        "gzip_scan": scan + "oss_rows_gzip", "csv_count": "SELECT count(*) FROM oss_rows_csv",
        "file_csv": scan + "oss_file_csv", "file_text": scan + "oss_file_text", "file_gzip": scan + "oss_file_gzip",
        "file_jsonl": "SELECT " + JSON_COUNTS + " FROM (SELECT line::jsonb AS j FROM oss_file_jsonl OFFSET 0) l", "file_count": "SELECT count(*) FROM oss_file_csv",
        "csv_write": "INSERT INTO oss_write_csv SELECT * FROM oss_local",
        "text_write": "INSERT INTO oss_write_text SELECT * FROM oss_local",
        "jsonl_write": "INSERT INTO oss_write_jsonl SELECT * FROM oss_local",
        "copy_to": "COPY (SELECT * FROM oss_local) TO '%s.csv' (FORMAT csv)" % out,
        "copy_to_text": "COPY (SELECT * FROM oss_local) TO '%s.text'" % out,
        "copy_to_json": "COPY (SELECT row_to_json(l) FROM oss_local l) TO '%s.json'" % out,
        "copy": "COPY oss_load FROM '%s/rows.csv' (FORMAT csv)" % base,
        "to_maxcompute": "INSERT INTO oss_odps SELECT * FROM oss_rows_csv",
        "to_local": "INSERT INTO oss_load SELECT * FROM oss_rows_csv",
    }


def run(s, results, rows, rounds, wanted):
    local = {n: d for n, d in LOCAL.items() if wanted(n)}
    peers = {n: p for n, p in PEERS.items() if wanted(n)}
    if not local and not peers:
        return
    base = setup(s, rows)
    cases = {c for d in local.values() for c in d[1:3]} | ({"csv_scan"} if peers else set())
    samples, others = {}, {}
    for i in range(rounds):
        for case, text in statements(base).items():
            if case not in cases:
                continue
            if case.endswith("_write"):
                command("oss", "delete", bucket="bench", prefix="write/%s/" % case.split("_")[0])
            s.sql("TRUNCATE oss_load")
            samples.setdefault(case, []).append(measure(s, text))
        for name, peer in peers.items():
            if i == 0 or peer != "sdk":
                others.setdefault(name, []).append(peer_seconds(["oss", peer], rows, {
                    "BENCH_PREFIX": "rows/csv/", "BENCH_FILES": base + "/csv", "BENCH_COLUMNS": json.dumps(COLUMNS)}))
    same(s, "oss_local", *["oss_write_" + c.split("_")[0] for c in cases if c.endswith("_write")])
    for name, (metric, ours, peer, what) in local.items():
        if metric == "cpu":
            results.add(name, "backend CPU", median(samples[ours], "cpu") / rows * 1e9, "ns/row", what,
                        median(samples[peer], "cpu") / rows * 1e9)
        else:
            results.add(name, "rate", rows / median(samples[ours], "wall"), "rows/s", what, rows / median(samples[peer], "wall"))
    for name, peer in peers.items():
        results.add(name, "rate", rows / median(samples["csv_scan"], "wall"), "rows/s", peer,
                    rows / statistics.median(others[name]))


def latency(results, rows, rounds, wanted):
    """20 ms more for every request: reading, writing, and one object in each of many directories"""
    names = ["oss_csv_scan_rate_20ms_vs_0ms", "oss_csv_write_rate_20ms_vs_0ms", "oss_directories_rate_20ms_vs_0ms"]
    if not any(wanted(x) for x in names):
        return
    command("oss", "create_bucket", bucket="bench", replace=True)
    s = Session()
    server(s, "oss_latency")
    s.sql("CREATE UNLOGGED TABLE oss_latency_rows ({d}); INSERT INTO oss_latency_rows SELECT {r} FROM generate_series(0::int8, {n} - 1) i;"
          "CREATE FOREIGN TABLE oss_latency ({d}) SERVER oss_latency OPTIONS (prefix 'latency/');"
          "CREATE FOREIGN TABLE oss_directories (dt text, {d}) SERVER oss_latency OPTIONS (prefix 'dt/{{dt}}/')"
          .format(d=DECLARED, r=ROW, n=rows))
    cases = {names[0]: "SELECT %s FROM oss_latency" % COUNTS, names[1]: "INSERT INTO oss_latency SELECT * FROM oss_latency_rows",
             names[2]: "INSERT INTO oss_directories SELECT g, r.* FROM generate_series(1, %d) g, LATERAL (SELECT * FROM oss_latency_rows LIMIT 1) r"
             % DIRECTORIES}
    if wanted(names[0]):
        s.sql(cases[names[1]])
    for name, text in cases.items():
        if wanted(name):
            with_latency(results, s, name, text, DIRECTORIES if name == names[2] else rows, rounds)
    s.close()


def memory(results, megabytes, wanted):
    """peak growth of the backend over objects of that size that nobody keeps"""
    names = ["oss_csv_scan_rss_growth_mb", "oss_gzip_scan_rss_growth_mb", "oss_csv_write_rss_growth_mb"]
    if not any(wanted(x) for x in names):
        return
    big = Big()
    size = "%.1f GB" % (megabytes / 1000)
    if wanted(names[0]):
        results.add(names[0], "peak RSS growth", big.read(megabytes), "MB", size, None)
    if wanted(names[1]):
        results.add(names[1], "peak RSS growth", big.read_gzip(megabytes), "MB", size + " unpacked", None)
    if wanted(names[2]):
        results.add(names[2], "peak RSS growth", big.write(megabytes), "MB", size, None)


def many(results, wanted):
    """very many small objects below one prefix"""
    names = ["oss_%d_objects_%s" % (SMALL_OBJECTS, x) for x in ("plan_ms", "count_rate", "count_cpu", "count_rss_growth_mb", "list_rate")]
    if not any(wanted(x) for x in names):
        return
    command("oss", "create_bucket", bucket="bench", replace=True)
    command("oss", "generate_many", bucket="bench", key="many/{n%100:2}/{n:6}.csv", count=SMALL_OBJECTS, text="{n},text of {n}\n")
    s = Session()
    server(s, "oss_many")
    s.sql("CREATE FOREIGN TABLE oss_many (id int8, s text) SERVER oss_many OPTIONS (prefix 'many/')")
    plan = measure(s, "EXPLAIN SELECT count(*) FROM oss_many")
    results.add(names[0], "backend CPU", plan["cpu"] * 1000, "ms", None, None)
    count = "DO $$ BEGIN IF (SELECT count(*) FROM oss_many) <> %d THEN RAISE 'rows are missing'; END IF; END $$" % SMALL_OBJECTS
    cpu, start = s.cpu_seconds(), time.monotonic()
    grown = s.peak_growth_mb(count)
    wall, cpu = time.monotonic() - start, s.cpu_seconds() - cpu
    results.add(names[1], "rate", SMALL_OBJECTS / wall, "objects/s", None, None)
    results.add(names[2], "backend CPU", cpu / SMALL_OBJECTS * 1e6, "us/object", None, None)
    results.add(names[3], "peak RSS growth", grown, "MB", None, None)
    start = time.monotonic()
    n = int(s.sql("SELECT count(*) FROM mc.objects('oss_many')")[0])
    if n != SMALL_OBJECTS:
        sys.exit("mc.objects has %d objects" % n)
    results.add(names[4], "rate", n / (time.monotonic() - start), "objects/s", None, None)
    s.close()
