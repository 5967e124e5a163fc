"""Runs the SQL examples of Markdown pages; see run."""
import gzip
import os
import re
import subprocess
import sys
import urllib.error

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import call, command, generate, localize, odps_sql, oss_bucket, oss_put  # noqa: E402

BLOCK = re.compile(r"(?:<!-- (not run|fails): ([^>]*?) -->\n+)?```sql\n(.*?)```", re.S)


TABLES = {
    "orders": {"customer": "STRING", "order_id": "INTEGER"},
    "order_scores": {"customer": "STRING", "order_id": "INTEGER"},
    "positions": {"car": "STRING", "at": "INTEGER", "zone": "STRING", "seq": "INTEGER"},
    "visits": {"user_id": "STRING", "at": "INTEGER", "request_id": "STRING"},
}


def psql(database, sql):
    return subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", database],
                          input=sql, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fresh_services():
    """what the examples assume to exist in the cloud"""
    try:
        command("loghub", "drop_project", project="web")
    except urllib.error.HTTPError:
        pass                    # the first page
    command("loghub", "create_project", project="web")
    generate("access-log", 10000, shards=4, profile="access_log")
    command("maxcompute", "create_project", project="demo")
    for table in ("ods_access_log (at DATETIME, ip STRING, method STRING, status BIGINT, cost DOUBLE) PARTITIONED BY (pt STRING)",
                  "events (id BIGINT, at TIMESTAMP, name STRING) PARTITIONED BY (dt STRING)",
                  "ods_orders (customer STRING, order_id BIGINT, amount DOUBLE, paid BOOLEAN, note STRING) PARTITIONED BY (dt STRING)",
                  "ods_order_changes (op STRING, at TIMESTAMP, seq STRING, customer STRING, order_id BIGINT, amount DOUBLE,"
                  " paid BOOLEAN, note STRING, deleted ARRAY<STRING>) PARTITIONED BY (dt STRING, hm STRING)",
                  "sales (id BIGINT, at TIMESTAMP, price DECIMAL(18,4), name STRING) PARTITIONED BY (dt STRING)",
                  "sales_restored (id BIGINT, at TIMESTAMP, price DECIMAL(18,4), name STRING) PARTITIONED BY (dt STRING)",
                  "ods_raw_log_d (col STRING) PARTITIONED BY (dt STRING)",
                  "ods_user_info_d (uid STRING, gender STRING, age_range STRING, zodiac STRING) PARTITIONED BY (dt STRING)"):
        odps_sql("DROP TABLE IF EXISTS demo." + table.split()[0])
        odps_sql("CREATE TABLE demo." + table)
    call("clock", {"system": True})
    command("tablestore", "create_instance", instance="shop")
    for table, keys in TABLES.items():
        command("tablestore", "create_table", instance="shop", table=table, replace=True, stream_hours=24,
                keys=[{"name": n, "type": t} for n, t in keys.items()])
    command("tablestore", "put", instance="shop", table="orders", rows=[
        {"key": ["c%d" % (i % 20), i], "columns": {"amount": {"double": i / 4}, "paid": i % 2 == 0, "note": "n%d" % i, "coupon": i}}
        for i in range(200)])
    command("tablestore", "put", instance="shop", table="positions", rows=[
        {"key": ["car-%d" % car, 100 + i, "abmz"[i % 4], i], "columns": {"lat": 30.5 + i, "lon": 120.25}}
        for car in range(9) for i in range(8)])
    fleet_services()
    # the changes above are complete
    call("clock", {"advance_s": 800})


def fleet_services():
    """and those of docs/cookbook-oss.md; bucket lake is of docs/oss.md"""
    command("tablestore", "create_instance", instance="fleet")
    for table, key in (("cars", "no"), ("positions", "at")):
        command("tablestore", "create_table", instance="fleet", table=table, replace=True, stream_hours=24,
                keys=[{"name": "car", "type": "STRING"}, {"name": key, "type": "INTEGER"}])
    command("tablestore", "put", instance="fleet", table="cars", rows=[
        {"key": ["c%d" % (i % 5), i], "columns": {"weight": {"double": i / 4}, "doors": i % 6, "active": i % 2 == 0, "colour": "red"}}
        for i in range(100)])
    command("tablestore", "put", instance="fleet", table="positions", rows=[
        {"key": ["c%d" % (i % 5), i], "columns": {"lat": {"double": i / 4}, "lon": {"double": -i}}} for i in range(100)])
    for bucket, acl in (("fleet", "private"), ("logs", "public-read"), ("lake", "private")):
        oss_bucket(bucket, acl=acl)
    oss_put("import/cars/part-0.csv.gz", gzip.compress(b"c1,1,1.5,true\nc2,7,null,false\n"), bucket="fleet")
    oss_put("raw/access.log", "10.0.0.1 - - GET /\n", bucket="logs")
    for day in (1, 2):
        oss_put("ods/events/dt=2026-01-0%d/part-0.csv" % day, "id,at,name\n%d,2026-01-01 12:00:00+08,login\n" % day, bucket="lake")
    command("maxcompute", "generate", project="demo", table="sales", partition="dt='20260101'", rows=100)


def main():
    passed = failed = 0
    for number, path in enumerate(sys.argv[1:]):
        with open(path) as f:
            text = f.read()
        blocks = list(BLOCK.finditer(text))
        if not blocks:
            continue
        fresh_services()
        database = "doc%d" % number
        psql("postgres", "CREATE DATABASE %s" % database)
        if "CREATE EXTENSION mc_fdw" not in text:
            psql(database, "CREATE EXTENSION mc_fdw")
        session = "SET TimeZone = 'Asia/Shanghai';\n"
        for m in blocks:
            kind, argument, sql = m.groups()
            where = "%s:%d" % (os.path.relpath(path), text[:m.start(3)].count("\n") + 1)
            if kind == "not run":
                continue
            done = psql(database, session + localize(sql))
            if kind == "fails":
                ok = done.returncode != 0 and argument.strip() in done.stdout
            else:
                ok = done.returncode == 0
            passed, failed = passed + ok, failed + (not ok)
            if not ok:
                print("%s: %s\n%s" % (where, "should fail with " + argument if kind else "failed", done.stdout))
    print("docs: %d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


main()
