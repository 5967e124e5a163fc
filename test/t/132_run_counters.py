"""Numbers of mc.run for jobs from each service to each: rows as the command counted them and as the
target has them, requests as the service counted them, a repetition as one, capacity units, bytes."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import (KEY, OSS, SERVERS, Session, Tap, call, command, generate, odps_content, odps_sql, oss_bucket,  # noqa: E402
                    oss_get, oss_keys, oss_put, ots_create, ots_put, ots_rows)

tap = Tap()
ROWS = 300
START = 1515605400      # 2018-01-11 01:30+08
SOURCES = {
    "loghub": "src_log WHERE __receive_time__ >= $1 AND __receive_time__ < $2",
    "maxcompute": "src_odps",
    "tablestore": "src_ots",
    "oss": "src_oss WHERE modified >= $1 AND modified < $2",
    "stream": "src_stream WHERE at >= $1 AND at < $2",
}
TARGETS = ("local", "loghub", "maxcompute", "tablestore", "oss")
PUBLISHING = {"CommitUpload", "GetUpload", "PutObject"}
COLUMNS = ("state", "rows_in", "rows_out", "bytes_in", "bytes_out", "requests", "retries", "read_cu", "write_cu", "rejected", "waits")


def prepare():
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")
    command("tablestore", "create_instance", instance="demo")
    command("emulator", "set", check_clock=False)
    oss_bucket("demo")
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + (";"
          "CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou');"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY)))
    generate("src_log", ROWS, shards=2)
    odps_sql("CREATE TABLE demo.src_odps (c1 STRING)")
    ots_create("src_ots", [("k", "INTEGER")], stream_hours=48)
    oss_put("src/a.csv", "".join("value %d\n" % i for i in range(ROWS)), last_modified=START + 60)
    s.sql("CREATE FOREIGN TABLE src_log (c1 text, __receive_time__ timestamptz) SERVER sls OPTIONS (logstore 'src_log');"
          "CREATE FOREIGN TABLE src_odps (c1 text) SERVER odps;"
          "CREATE FOREIGN TABLE src_ots (k bigint OPTIONS (key '1'), c1 text) SERVER ots;"
          "CREATE FOREIGN TABLE src_stream (k bigint OPTIONS (key '1'), c1 text, at timestamptz OPTIONS (field '__commit_time__')) SERVER ots"
          " OPTIONS (table 'src_ots', mode 'stream');"
          "CREATE FOREIGN TABLE src_oss (c1 text, modified timestamptz OPTIONS (field '__last_modified__')) SERVER oss OPTIONS (prefix 'src/', format 'csv')")
    s.sql("INSERT INTO src_odps SELECT 'value ' || g FROM generate_series(1, %d) g" % ROWS)
    ots_put("src_ots", *[((k,), {"c1": "value %d" % k}) for k in range(ROWS)])


def make_target(kind, name):
    columns = "(k bigint, v text)"
    if kind == "local":
        s.sql("CREATE TABLE %s %s" % (name, columns))
    elif kind == "loghub":
        generate(name, 0, shards=1)
        s.sql("CREATE FOREIGN TABLE %s (k text, v text) SERVER sls OPTIONS (logstore '%s')" % (name, name))
    elif kind == "maxcompute":
        odps_sql("CREATE TABLE demo.%s (k BIGINT, v STRING)" % name)
        s.sql("CREATE FOREIGN TABLE %s %s SERVER odps" % (name, columns))
    elif kind == "tablestore":
        ots_create(name, [("k", "INTEGER")])
        s.sql("CREATE FOREIGN TABLE %s (k bigint OPTIONS (key '1'), v text) SERVER ots" % name)
    else:
        s.sql("CREATE FOREIGN TABLE %s %s SERVER oss OPTIONS (prefix '%s/', format 'csv')" % (name, columns, name))


def arrived(kind, name):
    if kind == "maxcompute":
        return sum(n for n, _ in odps_content(name).values())
    if kind == "tablestore":
        return len(ots_rows(name, limit=10000))
    if kind == "oss":
        return sum(len(oss_get(k).splitlines()) for k in oss_keys(name + "/"))
    return int(s.sql("SELECT count(*) FROM " + name)[0])


def numbers(job):
    line = s.sql("SELECT r.state, rows_in, rows_out, bytes_in, bytes_out, requests, retries, read_cu, write_cu, rejected,"
                 " wait_source IS NOT NULL AND wait_target IS NOT NULL AND throttled IS NOT NULL FROM mc.run r JOIN mc.job USING (job_id)"
                 " WHERE name = '%s' ORDER BY run_id DESC LIMIT 1" % job)[0].split("|")
    return dict(zip(COLUMNS, [int(x) if x.isdigit() else x for x in line]))


def pair(source, target):
    name = "%s_%s" % (source, target)
    make_target(target, name)
    stream = source == "stream"
    start = stream_start if stream else START
    s.sql("SELECT mc.create_job('%s', $j$INSERT INTO %s SELECT row_number() OVER (ORDER BY c1), c1 FROM %s$j$, '%s', start => to_timestamp(%d),"
          " max_windows => 1, at_least_once => true)" % (name, name, SOURCES[source], "1 hour" if stream else "5 min", start))
    first = call("log?n=1")[-1]["serial"]
    s.sql("CALL mc.run_job('%s')" % name)
    seen = [x for x in call("log?n=2000") if x["serial"] > first]
    n = numbers(name)
    tap.ok(n["state"] == "done" and (n["rows_in"], n["rows_out"], n["rejected"]) == (ROWS, ROWS, 0) and arrived(target, name) == ROWS,
           name + ": rows", "%s %s" % (n, arrived(target, name)))
    tap.ok(n["bytes_in"] > 0 and (n["bytes_out"] > 0) == (target != "local") and n["waits"] == "t", name + ": bytes and waits", n)
    # not counted besides: what asks a source for its clock, and what a target's columns are
    wanted = sum(x["api"] not in PUBLISHING for x in seen) - {"loghub": 1, "stream": 2}.get(source, 0) - (target in ("maxcompute", "tablestore"))
    tap.ok(n["requests"] == wanted > 0 and n["retries"] == 0, "%s: %d requests" % (name, wanted), "%s %s" % (n, [x["api"] for x in seen]))
    tap.ok((n["read_cu"] > 0) == (source == "tablestore") and (n["write_cu"] >= ROWS) == (target == "tablestore"), name + ": capacity units", n)
    if target in ("maxcompute", "oss"):
        rows = s.sql("SELECT sum(p.rows) FROM mc.publish p JOIN mc.run USING (run_id) JOIN mc.job USING (job_id) WHERE name = '%s'" % name)
        tap.ok(rows == [str(ROWS)], name + ": rows of its entries", rows)


def repetitions():
    """one refusal each of source and target"""
    cases = (("loghub_local", "loghub", "PullLogs"), ("maxcompute_local", "maxcompute", "ReadData"), ("tablestore_local", "tablestore", "GetRange"),
             ("oss_local", "oss", "GetObject"), ("oss_loghub", "loghub", "PutLogs"), ("oss_maxcompute", "maxcompute", "WriteBlock"),
             ("loghub_tablestore", "tablestore", "BatchWriteRow"))
    for job, service, api in cases:
        call("faults", [{"service": service, "api": api, "nth": 1, "action": "status", "http": 503}])
        s.sql("CALL mc.backfill('%s', to_timestamp(%d), to_timestamp(%d), duplicate_ok => true)" % (job, START, START + 300))
        call("faults", [])
        n = numbers(job)
        tap.ok(n["state"] == "done" and n["retries"] == 1 and n["rows_in"] == n["rows_out"] == ROWS, "%s: %s repeated" % (job, api), n)
        throttled = s.sql("SELECT throttled > '0' FROM mc.run ORDER BY run_id DESC LIMIT 1")
        tap.ok(throttled == ["t"], job + ": the pause is counted", throttled)


def rejects():
    """counted once, by whichever side rejects"""
    oss_put("bad/a.csv", "".join("%s\n" % ("x" if i % 10 == 0 else i) for i in range(ROWS)), last_modified=START + 60)
    s.sql("CREATE FOREIGN TABLE src_bad (n int, modified timestamptz OPTIONS (field '__last_modified__')) SERVER oss OPTIONS (prefix 'bad/', format 'csv');"
          "CREATE TABLE good (n int); CREATE FOREIGN TABLE good_ots (k bigint OPTIONS (key '1') NOT NULL, v text) SERVER ots OPTIONS (table 'good_ots')")
    ots_create("good_ots", [("k", "INTEGER")])
    window = " WHERE modified >= $1 AND modified < $2"
    settings = "{\"mc_fdw.on_error\": \"reject\"}"
    for job, text, read in (("by_source", "INSERT INTO good SELECT n FROM src_bad", ROWS),
                            ("by_target", "INSERT INTO good_ots SELECT CASE WHEN c1 NOT LIKE '%0' THEN row_number() OVER (ORDER BY c1) END, c1 FROM src_oss", ROWS)):
        s.sql("SELECT mc.create_job('%s', $j$%s%s$j$, '5 min', start => to_timestamp(%d), max_windows => 1, at_least_once => true, settings => '%s')"
              % (job, text, window, START, settings))
        s.sql("CALL mc.run_job('%s')" % job)
        n = numbers(job)
        tap.ok((n["rows_in"], n["rows_out"], n["rejected"]) == (read, ROWS - ROWS // 10, ROWS // 10), "%s: rejected rows" % job, n)


def written():
    """rows_out is what was written, whatever wrote it"""
    s.sql("CREATE TABLE w1 (n int PRIMARY KEY, v int); CREATE TABLE w2 (n int); CREATE TABLE w3 (n int REFERENCES w1 ON DELETE CASCADE);"
          "CREATE TABLE parts (n int, v int) PARTITION BY LIST (v); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);"
          "CREATE VIEW seen AS SELECT n FROM w2;"
          "CREATE FUNCTION store() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO w2 VALUES (NEW.n); RETURN NEW; END $$;"
          "CREATE TRIGGER store INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION store();"
          "CREATE TABLE noted (n int); CREATE TRIGGER note AFTER INSERT ON noted FOR EACH ROW EXECUTE FUNCTION store();"
          "CREATE FUNCTION fill(upto int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO w2 SELECT generate_series(1, upto);"
          " BEGIN INSERT INTO w2 SELECT generate_series(1, 100); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;"
          " BEGIN INSERT INTO w2 VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; END;"
          " EXECUTE 'DELETE FROM w2 WHERE n = 1'; RETURN 0; END $$;"
          "CREATE FUNCTION fill_sql(upto int) RETURNS bigint LANGUAGE sql AS 'INSERT INTO w2 SELECT generate_series(1, upto); SELECT count(*) FROM w2';"
          "COPY (SELECT generate_series(1, 6)) TO '/dev/null'")
    odps_sql("CREATE TABLE demo.w_odps (c1 STRING)")
    odps_sql("CREATE TABLE demo.w_parts (c1 STRING) PARTITIONED BY (dt STRING)")
    ots_create("w_ots", [("k", "INTEGER")])
    s.sql("CREATE FOREIGN TABLE w_odps (c1 text) SERVER odps; CREATE FOREIGN TABLE w_parts (c1 text, dt text) SERVER odps;"
          "CREATE FOREIGN TABLE w_ots (k bigint OPTIONS (key '1') NOT NULL, v text) SERVER ots;"
          "INSERT INTO w_parts VALUES ('a', 'x'), ('b', 'x'), ('c', 'x'), ('d', 'y'); INSERT INTO w_ots SELECT g, 'old' FROM generate_series(1, 4) g")
    base = "INSERT INTO w1 SELECT g, g FROM generate_series(1, 10) g"
    cases = (
        ("last statement reads", base + "; SELECT count(*) FROM w1", 10),
        ("last statement writes nothing", base + "; DELETE FROM w2 WHERE n = -1", 10),
        ("two statements", base + "; INSERT INTO w2 SELECT generate_series(1, 5)", 15),
        ("a statement that only reads", "SELECT generate_series(1, 5)", 0),
        ("two targets, one in a CTE", "WITH a AS (INSERT INTO w2 SELECT generate_series(1, 7) RETURNING n) INSERT INTO w1 SELECT n, n FROM a WHERE n < 4", 10),
        ("CTEs that nobody reads", "WITH a AS (INSERT INTO w2 SELECT generate_series(1, 7)), b AS (INSERT INTO w2 SELECT 1) SELECT 1", 8),
        ("a CTE that moves", base + "; WITH a AS (DELETE FROM w1 WHERE n > 6 RETURNING n), b AS (INSERT INTO w2 SELECT n FROM a RETURNING n) SELECT count(*) FROM b", 18),
        ("MERGE", base + "; MERGE INTO w1 USING generate_series(6, 15) g ON w1.n = g WHEN MATCHED AND g = 6 THEN DELETE WHEN MATCHED AND g < 9 THEN UPDATE SET v = 0"
         " WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (g, g)", 10 + 8),
        ("ON CONFLICT", base + "; INSERT INTO w1 SELECT g, 0 FROM generate_series(8, 12) g ON CONFLICT (n) DO UPDATE SET v = 0 WHERE w1.v < 10;"
         " INSERT INTO w1 SELECT g, 0 FROM generate_series(1, 20) g ON CONFLICT DO NOTHING", 10 + 4 + 8),
        ("foreign keys", base + "; INSERT INTO w3 SELECT n FROM w1 WHERE n < 4; DELETE FROM w1 WHERE n < 3", 10 + 3 + 2 + 2),
        ("a row that moves to another partition", "INSERT INTO parts SELECT g, 1 FROM generate_series(1, 4) g; UPDATE parts SET v = 2 WHERE n = 1", 5),
        ("triggers", "INSERT INTO noted SELECT generate_series(1, 3)", 6),
        ("a view", "INSERT INTO seen SELECT generate_series(1, 3)", 3),
        ("functions, and what they took back", "SELECT fill(4)", 4 + 1 + 2),
        ("SQL functions", "SELECT fill_sql(4)", 4),
        ("DO, with dynamic SQL", "DO $x$ BEGIN FOR i IN 1 .. 3 LOOP EXECUTE 'INSERT INTO w2 VALUES ($1)' USING i; END LOOP; END $x$", 3),
        ("PREPARE", "PREPARE w AS INSERT INTO w2 SELECT generate_series(1, 5); EXECUTE w; DEALLOCATE w", 5),
        ("temporary tables", "DO $x$ BEGIN CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT generate_series(1, 5) n; INSERT INTO staged VALUES (6);"
         " INSERT INTO w2 SELECT n FROM staged; WITH a AS (DELETE FROM staged RETURNING n) INSERT INTO w2 SELECT n FROM a; END $x$", 12),
        ("CREATE TABLE AS", "CREATE TABLE w4 AS SELECT generate_series(1, 5) n; DROP TABLE w4", 5),
        ("COPY", "COPY w2 FROM PROGRAM 'seq 6'", 6),
        ("MaxCompute beside a local table", "WITH a AS (INSERT INTO w_odps SELECT 'x' FROM generate_series(1, 3)) INSERT INTO w2 SELECT generate_series(1, 2)", 5),
        ("partitions dropped", "WITH a AS (DELETE FROM w_parts WHERE dt = 'x') INSERT INTO w2 VALUES (1)", 4),
        ("rows of Tablestore", "UPDATE w_ots SET v = 'new' WHERE k < 4; INSERT INTO w_ots VALUES (4, 'x'), (5, 'y') ON CONFLICT DO NOTHING; DELETE FROM w_ots WHERE k = 1", 3 + 1 + 1),
    )
    for i, (what, text, rows) in enumerate(cases):
        s.sql("TRUNCATE w1, w2, w3, parts, noted")
        s.sql("SELECT mc.create_job('written_%d', $j$%s$j$, '5 min', start => to_timestamp(%d), max_windows => 1, at_least_once => true, lint => false)" % (i, text, START))
        out = s.try_sql("CALL mc.run_job('written_%d')" % i)
        n = numbers("written_%d" % i)
        tap.ok((n["state"], n["rows_out"]) == ("done", rows), "rows_out of %s: %d" % (what, rows), "%s %s" % (n, out))
    rest = s.sql("SET plan_cache_mode = auto; TRUNCATE w2; WITH a AS (INSERT INTO w2 VALUES (1), (2)) SELECT 1; DO $$ DECLARE n int; BEGIN"
                 " WITH a AS (INSERT INTO w2 VALUES (1), (2)) INSERT INTO w2 VALUES (3); GET DIAGNOSTICS n = ROW_COUNT; RAISE EXCEPTION 'counted %', n USING ERRCODE = 'P0001'; "
                 "EXCEPTION WHEN SQLSTATE 'P0001' THEN IF SQLERRM <> 'counted 1' THEN RAISE; END IF; END $$")
    tap.ok(rest == ["1"], "command tags outside of jobs stay as they were", rest)
    s.sql("SELECT mc.create_job('written_tag', $j$DO $x$ DECLARE n int; BEGIN WITH a AS (INSERT INTO w2 VALUES (1), (2)) INSERT INTO w2 VALUES (3); GET DIAGNOSTICS n = ROW_COUNT;"
          " INSERT INTO w1 VALUES (n, n); END $x$$j$, '5 min', start => to_timestamp(%d), max_windows => 1, lint => false)" % START)
    s.sql("TRUNCATE w1, w3; CALL mc.run_job('written_tag')")
    tap.ok(s.sql("SELECT n FROM w1") == ["1"] and numbers("written_tag")["rows_out"] == 4, "... and those that a job's text sees", s.sql("SELECT n FROM w1"))


s = Session("SET client_min_messages = error")
prepare()
for source in SOURCES:
    if source == "stream":
        call("clock", {"advance_s": 60})
        stream_start = int(time.time()) + 59
        ots_put("src_ots", *[((k,), {"c1": "changed %d" % k}) for k in range(ROWS)])
        call("clock", {"advance_s": 7200})
    for target in TARGETS:
        pair(source, target)
repetitions()
rejects()
written()
tap.done()
