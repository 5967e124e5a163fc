"""mc.progress: what statements that are running have moved, seen from another session; for whom
it is; beside COPY and ANALYZE; nothing is left of it afterwards."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import (KEY, OSS, SERVERS, WINDOW, Session, Tap, call, command, generate, odps_sql, oss_bucket,  # noqa: E402
                    oss_put, ots_create, ots_put)

tap = Tap()
SHOWN = "rows_in, bytes_in, rows_out, bytes_out, parts_done, parts_total, requests"
NAMES = SHOWN.split(", ")


def slow(service, ms=60):
    call("faults", [{"service": service, "action": "delay", "ms": ms}])


def fast():
    call("faults", [])


def begin(statement):
    """starts a statement of the worker; from then on it is active until it has ended"""
    started = "SELECT query_start FROM pg_stat_activity WHERE pid = %d" % worker.pid
    before = watcher.sql(started)
    worker.send(statement)
    while watcher.sql(started) == before:
        time.sleep(0.005)


def samples(pid, until, columns=SHOWN, relation=True):
    """rows of mc.progress about a backend, until its statement has ended"""
    seen = []
    while True:
        now = watcher.sql("SELECT %s%s FROM mc.progress WHERE pid = %d" % (columns, ", relation" if relation else "", pid))
        if now and (not seen or seen[-1] != now[0]):
            seen.append(now[0])
        if watcher.sql("SELECT state FROM pg_stat_activity WHERE pid = %d" % pid) != ["active"] or (until and until(seen)):
            return seen
        time.sleep(0.01)


def watch(name, service, statement, relation, moving, total=None):
    """the numbers called 'moving' grow and never shrink; then nothing is shown any more"""
    slow(service)
    begin(statement)
    seen = samples(worker.pid, None)
    out, state = worker.finish()
    fast()
    rows = [dict(zip(NAMES, map(int, line.split("|")))) for line in (x.rsplit("|", 1)[0] for x in seen)]
    # a scan may begin before the target does
    tap.ok(state == "00000" and seen and seen[-1].rsplit("|", 1)[1] == relation, "%s is shown under %s" % (name, relation),
           "%s %s" % (seen[:3], out))
    for column in moving:
        values = [r[column] for r in rows]
        tap.ok(values == sorted(values) and len(set(values)) >= 3, "%s: %s grows" % (name, column), values)
    if total:
        tap.ok(rows and rows[-1]["parts_total"] == total and max(r["parts_done"] for r in rows) >= 2 and
               all(r["parts_done"] <= r["parts_total"] for r in rows), "%s: %d parts" % (name, total), rows[-3:])
    tap.ok(watcher.sql("SELECT count(*) FROM mc.progress") == ["0"], name + ": nothing is left")


def sources():
    generate("slow", 30000, shards=2)
    worker.sql("CREATE FOREIGN TABLE slow_log (c1 text, c2 text, __receive_time__ timestamptz) SERVER sls OPTIONS (logstore 'slow', concurrency '1', fetch_size '10');"
               "CREATE TABLE got (a text, b text)")
    watch("LogHub", "loghub", "INSERT INTO got SELECT c1, c2 FROM slow_log WHERE " + WINDOW, "slow_log",
          ("rows_in", "bytes_in", "requests"))
    slow("loghub")
    begin("SELECT count(c1) FROM slow_log WHERE " + WINDOW)
    seen = samples(worker.pid, None, "COALESCE(\"position\" >= '2018-01-11 01:30+08' AND \"position\" < '2018-01-11 01:35:01+08', false)"
                   ", eta > '0', rows_per_second > 0", False)
    worker.finish()
    fast()
    tap.ok("t|t|t" in seen, "position, estimate and rate", seen)

    odps_sql("CREATE TABLE demo.slow_odps (id BIGINT, t STRING) PARTITIONED BY (p STRING)")
    worker.sql("CREATE FOREIGN TABLE slow_odps (id bigint, t text, p text) SERVER odps OPTIONS (concurrency '1');"
               "INSERT INTO slow_odps SELECT g, 'row ' || g, 'p' || g % 6 FROM generate_series(1, 3000) g")
    watch("MaxCompute", "maxcompute", "SELECT count(t) FROM slow_odps", "slow_odps", ("rows_in", "bytes_in", "parts_done", "requests"), 6)

    ots_create("slow_ots", [("k", "INTEGER")], stream_hours=48)
    for i in range(0, 24000, 2000):
        ots_put("slow_ots", *[((k,), {"v": "value %d" % k}) for k in range(i, i + 2000)])
    worker.sql("CREATE FOREIGN TABLE slow_ots (k bigint OPTIONS (key '1'), v text) SERVER ots OPTIONS (concurrency '1', split_size '0');"
               "CREATE FOREIGN TABLE slow_stream (k bigint OPTIONS (key '1'), v text, at timestamptz OPTIONS (field '__commit_time__'))"
               " SERVER ots OPTIONS (table 'slow_ots', mode 'stream', concurrency '1')")
    watch("Tablestore", "tablestore", "SELECT count(v) FROM slow_ots", "slow_ots", ("rows_in", "bytes_in", "requests"))
    call("clock", {"advance_s": 600})
    watch("a change stream", "tablestore", "SELECT count(v) FROM slow_stream", "slow_stream", ("rows_in", "bytes_in", "requests"))
    call("clock", {"system": True})

    for i in range(12):
        oss_put("slow/%02d.csv" % i, "".join("%d,%s\n" % (k, "x" * 50) for k in range(1000)))
    worker.sql("CREATE FOREIGN TABLE slow_oss (id int, t text) SERVER oss OPTIONS (prefix 'slow/', format 'csv', concurrency '1')")
    watch("OSS", "oss", "SELECT count(t) FROM slow_oss", "slow_oss", ("rows_in", "bytes_in", "parts_done", "requests"), 12)
    watch("two scans", "*", "SELECT count(*) FROM (SELECT t FROM slow_odps UNION ALL SELECT t FROM slow_oss) x",
          "slow_oss", ("rows_in", "requests"), 18)


def targets():
    generate("slow_to", 0, shards=1)
    odps_sql("CREATE TABLE demo.slow_to (id BIGINT, t STRING)")
    ots_create("slow_to", [("k", "INTEGER")])
    worker.sql("CREATE FOREIGN TABLE to_log (id text, t text) SERVER sls OPTIONS (logstore 'slow_to', concurrency '1', request_size '20kB');"
               "CREATE FOREIGN TABLE to_odps (id bigint, t text) SERVER odps OPTIONS (table 'slow_to', concurrency '1', block_size '100kB');"
               "CREATE FOREIGN TABLE to_ots (k bigint OPTIONS (key '1'), v text) SERVER ots OPTIONS (table 'slow_to', concurrency '1', write_buffer '1MB');"
               "CREATE FOREIGN TABLE to_oss (id bigint, t text) SERVER oss OPTIONS (prefix 'to/', format 'csv', concurrency '1', part_size '100kB',"
               " write_buffer '1MB')")
    made = "SELECT g, md5(g::text) || md5((-g)::text) FROM generate_series(1, %d) g"
    for name, service, table, count in (("INSERT into LogHub", "loghub", "to_log", 10000), ("INSERT into MaxCompute", "maxcompute", "to_odps", 20000),
                                        ("INSERT into Tablestore", "tablestore", "to_ots", 8000), ("INSERT into OSS", "oss", "to_oss", 40000)):
        watch(name, service, "INSERT INTO %s %s" % (table, made % count), table, ("rows_out", "bytes_out", "requests"))
    watch("from one service to another", "*", "INSERT INTO to_odps SELECT id, t FROM slow_oss", "to_odps", ("rows_in", "requests"))


def privileges():
    watcher.sql("CREATE ROLE nobody; CREATE ROLE viewer IN ROLE pg_monitor; CREATE ROLE another; GRANT USAGE ON SCHEMA mc TO nobody")
    slow("oss", 150)
    begin("SELECT count(t) FROM slow_oss")
    samples(worker.pid, lambda seen: len(seen) > 1)
    as_nobody = watcher.sql("SET ROLE nobody; SELECT count(*), count(rows_in), count(query) FROM mc.progress; RESET ROLE")
    as_viewer = watcher.sql("SET ROLE viewer; SELECT count(*), count(rows_in), bool_and(query LIKE 'SELECT count%') FROM mc.progress; RESET ROLE")
    worker.finish()
    fast()
    tap.ok(as_nobody == ["0|0|0"], "another role sees nothing", as_nobody)
    tap.ok(as_viewer == ["1|1|t"], "a member of pg_monitor sees it", as_viewer)


def beside_others():
    big = "/dev/null"
    slow("oss", 100)
    begin("COPY (SELECT t FROM slow_oss) TO '%s'" % big)
    seen = samples(worker.pid, None, "rows_in, rows_out, parts_total, (SELECT command || ' ' || tuples_processed FROM pg_stat_progress_copy c"
                   " WHERE c.pid = progress.pid)", False)
    worker.finish()
    tap.ok(len({x.split("|")[0] for x in seen}) >= 3 and seen[-1].split("|")[2] == "12" and any("COPY TO" in x for x in seen),
           "COPY TO shows its own numbers and ours", seen[-3:])
    slow("maxcompute", 100)
    worker.sql("COPY (SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g) TO '/%s/copied'" % os.environ["MC_DIR"])
    begin("COPY to_odps FROM '/%s/copied'" % os.environ["MC_DIR"])
    seen = samples(worker.pid, None, "rows_out, requests, (SELECT command || (bytes_total > 0) FROM pg_stat_progress_copy c WHERE c.pid = progress.pid)", False)
    worker.finish()
    fast()
    tap.ok(len({x.split("|")[0] for x in seen}) >= 3 and all(x.endswith("COPY FROMtrue") for x in seen), "COPY FROM a file into a foreign table", seen[-3:])
    tap.ok(watcher.sql("SELECT count(*) FROM pg_stat_progress_copy") == ["0"], "both are gone afterwards")

    # in an exception block that fails, and on with another
    slow("oss", 60)
    begin("""DO $$ BEGIN
        FOR i IN 1..2 LOOP
            BEGIN
                PERFORM count(t) FROM slow_oss;
                PERFORM 1 / (i - 1);
            EXCEPTION WHEN division_by_zero THEN NULL; END;
        END LOOP; END $$""")
    seen = [int(x.split("|")[0]) for x in samples(worker.pid, None, relation=False)]
    out, state = worker.finish()
    tap.ok(state == "00000" and seen != sorted(seen), "a statement after an exception block counts from the begin", "%s %s" % (seen, out))
    # an open cursor goes on after a subtransaction has cleared the entry
    fast()
    worker.sql("BEGIN; DECLARE c CURSOR FOR SELECT t FROM slow_oss; FETCH 3 FROM c; SAVEPOINT s;")
    worker.try_sql("SELECT 1 / 0")
    worker.sql("ROLLBACK TO s; FETCH 4000 FROM c")
    rows = watcher.sql("SELECT rows_in FROM mc.progress")
    tap.ok(rows and int(rows[0]) > 3000, "a cursor is shown again after a subtransaction has failed", rows)
    worker.sql("CREATE TEMP TABLE own AS SELECT g FROM generate_series(1, 300000) g; ANALYZE own; FETCH 3000 FROM c")
    tap.ok(watcher.sql("SELECT count(*) FROM mc.progress") == ["1"], "and after ANALYZE in the same transaction")
    worker.sql("COMMIT")
    tap.ok(watcher.sql("SELECT count(*) FROM mc.progress") == ["0"], "and not after COMMIT")
    call("faults", [{"service": "oss", "path": "slow/05", "action": "status", "http": 403, "code": "AccessDenied"}])
    out, state = worker.try_sql("SELECT count(t) FROM slow_oss")
    fast()
    tap.ok(state != "00000" and watcher.sql("SELECT count(*) FROM mc.progress") == ["0"], "nothing is left after an error", out)

    # others show their own
    worker.sql("COPY (SELECT g FROM generate_series(1, 3000000) g) TO '/%s/numbers'; CREATE TABLE numbers (g int)" % os.environ["MC_DIR"])
    begin("COPY numbers FROM '/%s/numbers'" % os.environ["MC_DIR"])
    seen, ours = [], []
    while watcher.sql("SELECT state FROM pg_stat_activity WHERE pid = %d" % worker.pid) == ["active"]:
        seen += watcher.sql("SELECT type FROM pg_stat_progress_copy WHERE bytes_total > 0")
        ours += watcher.sql("SELECT pid FROM mc.progress")
    worker.finish()
    tap.ok("FILE" in seen and not ours, "another COPY of the session shows its own progress and none of ours", (seen[:3], ours[:3]))
    begin("ANALYZE numbers")
    seen = []
    while watcher.sql("SELECT state FROM pg_stat_activity WHERE pid = %d" % worker.pid) == ["active"]:
        seen += watcher.sql("SELECT count(*) FROM mc.progress")
    worker.finish()
    tap.ok("1" not in seen, "nor does ANALYZE")


def notices():
    slow("oss", 60)
    out = worker.sql("SET mc_fdw.progress_interval = '50ms'; SELECT count(t) FROM slow_oss; RESET mc_fdw.progress_interval")
    told = [x for x in out if 'from "slow_oss": ' in x]
    tap.ok(len(told) >= 3 and all(" of 12 parts" in x and "rows/s" in x for x in told), "NOTICEs on request", out)
    out = worker.sql("SELECT count(t) FROM slow_oss")
    fast()
    tap.ok(out == ["12000"], "and none without", out)


def in_jobs():
    worker.sql("SELECT mc.create_job('watched', $j$INSERT INTO got SELECT c1, c2 FROM slow_log WHERE __receive_time__ >= $1 AND"
               " __receive_time__ < $2$j$, '5 min', start => '2018-01-11 01:30+08', max_windows => 1)")
    slow("loghub", 100)
    begin("CALL mc.run_job('watched')")
    seen = samples(worker.pid, None, "job, window_begin = '2018-01-11 01:30+08', rows_in > 0", False)
    out, state = worker.finish()
    fast()
    tap.ok("watched|t|t" in seen, "the job and its window", "%s %s %s" % (seen, out, state))


command("loghub", "create_project", project="web")
command("maxcompute", "create_project", project="demo")
command("tablestore", "create_instance", instance="demo")
oss_bucket("demo")
watcher = Session("SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS mc_fdw;" + SERVERS + (";"
                  "CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou');"
                  "CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY)))
worker = Session()
sources()
targets()
privileges()
beside_others()
notices()
in_jobs()
tap.done()
