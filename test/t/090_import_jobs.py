"""Job documents of DataX and Data Integration, imported and run: each as it stands in test/data/jobs, with the emulator's
addresses; what the target has is compared exactly.  MySQL is a real MariaDB, the web server one of Python.

MC_ONLY=web,mysql runs these parts alone; with MC_PLAIN=1 the statements of jobs are executed for each window
without the machinery of jobs."""
import csv
import datetime
import gzip
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import difference  # noqa: E402
from mctest import KEY, LOGHUB, MAXCOMPUTE, OSS, TABLESTORE, Session, Tap, call, command, odps_sql, oss_bucket, oss_get, oss_keys, oss_put  # noqa: E402
from servers import MariaDB, Web  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
tap = Tap()
PASSWORD = "pa's\"s"
UTC = datetime.timezone.utc
KEYS = {"accessId": KEY[0], "accessKey": KEY[1]}
DATASOURCES = {
    "sls_shop": dict(KEYS, endpoint=LOGHUB, project="shop"),
    "mc_shop": dict(KEYS, endpoint=MAXCOMPUTE, project="shop_dw"),
    "mc_fleet": dict(KEYS, endpoint=MAXCOMPUTE, project="fleet_dw"),
    "odps_first": dict(KEYS, endpoint=MAXCOMPUTE, project="first"),
    "ots_fleet": dict(KEYS, endpoint=TABLESTORE, instance="fleet"),
    "oss_fleet": dict(KEYS, endpoint=OSS, bucket="fleet", options={"url_style": "path", "region": "cn-hangzhou"}),
}
PLACES = {"http://cn-hangzhou.log.aliyuncs.com": LOGHUB, "http://service.cn.maxcompute.aliyun.com/api": MAXCOMPUTE,
          "https://fleet.cn-hangzhou.ots.aliyuncs.com": TABLESTORE}
WINDOW = {"startTime": "$[yyyymmddhh24miss-10/24/60]", "endTime": "$[yyyymmddhh24miss-5/24/60]",
          "start_time": "$[yyyymmddhh24miss-10/24/60]", "end_time": "$[yyyymmddhh24miss-5/24/60]"}
SECRETS = {"ak": KEY[0], "sk": KEY[1]}


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def document(name):
    with open(os.path.join(HERE, "../data/jobs", name + ".json"), encoding="utf-8") as f:
        text = f.read()
    for there, here in PLACES.items():
        text = text.replace(there, here)
    # the emulator has one port for both
    return text.replace('"tunnelServer": "http://dt.cn.maxcompute.aliyun.com", ', "")


def imported(session, file, text=None, **more):
    """the rows of mc.import_datax_job()"""
    arguments = {"parameters": {k: v for k, v in more.pop("parameters", {}).items()}, "datasources": DATASOURCES}
    given = [quote(text or document(file))] + ["%s => %s" % (k, quote(json.dumps(v))) for k, v in arguments.items()]
    given += ["%s => %s" % (k, quote(str(v))) for k, v in more.items()]
    out = session.sql("SELECT json_agg(r ORDER BY ordinal) FROM mc.import_datax_job(%s) r" % ", ".join(given))
    return json.loads("".join(out))


def windows(start, every, lag):
    """the windows that are due"""
    found = []
    while start + every <= time.time() - lag:
        found.append((start, start + every))
        start += every
    return found


def run_plainly(session, job):
    """the statement of a job for every window that is due, without the machinery of jobs"""
    start, every, lag = map(float, session.sql("SELECT extract(epoch FROM start), extract(epoch FROM every), extract(epoch FROM lag) FROM mc.job WHERE name = '%s'" % job)[0].split("|"))
    for a, b in windows(int(start), int(every), int(lag)):
        session.sql("""SET TimeZone = 'Asia/Shanghai'; DO $do$ BEGIN EXECUTE (SELECT statement FROM mc.job_version JOIN mc.job USING (job_id, version) WHERE name = '%s')
            USING timestamptz '%s', timestamptz '%s'; END $do$; SET TimeZone = 'UTC'""" % (job, iso(a), iso(b)))


def run(session, rows):
    """all statements in their order; of a job every window that is due"""
    for r in rows:
        if r["statement"] is not None:
            session.sql(r["statement"])
        if r["kind"] == "job":
            job = r["statement"].split("'")[1]
            if os.environ.get("MC_PLAIN"):
                run_plainly(session, job)
                continue
            session.sql("CALL mc.run_job('%s')" % job)
            bad = session.sql("SELECT seq, state, error_message FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' AND state <> 'done'" % job)
            if bad:
                raise RuntimeError("%s: %s" % (job, bad))


def kinds(rows, *which):
    return [r["remark"] for r in rows if r["kind"] in which]


def odps_rows(project, table, **more):
    answer = command("maxcompute", "dump", project=project, table=table, limit=1000000, **more)
    return answer["rows"]


def as_dumped(rows, *doubles):
    """MaxCompute's dump shows numbers as text; doubles have as many digits as they like"""
    return [[float(x) if k in doubles and x is not None else str(x) if isinstance(x, int) else x for k, x in enumerate(r)] for r in rows]


def same(got, wanted, name):
    got, wanted = sorted(got, key=repr), sorted(wanted, key=repr)
    tap.ok(got == wanted and wanted, name, difference(got, wanted) + "\n%s\n%s" % (got[:3], wanted[:3]))


def away_from_borders():
    """no window shall become due between a run and what it is compared with"""
    left = 300 - time.time() % 300
    if left < 15:
        time.sleep(left + 1)


def five_minutes_ago(windows):
    """the begin of a window of five minutes, some windows before the last that has ended five minutes ago"""
    now = int(time.time()) - 600
    return now - now % 300 - 300 * (windows - 1)


def iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, UTC).isoformat()


def logs(first, count, step, topic="shop"):
    """(receive time, log) in the groups that are appended to logstore clicks"""
    made = []
    for i in range(count):
        log = {"__time__": first + i * step - 3, "user_id": "u%d" % i, "url": "/%d?q=é" % i}
        if i % 5 == 0:
            del log["url"]
        command("loghub", "append_group", project="shop", logstore="clicks", shard=i % 2, late=True, receive_time=iso(first + i * step),
                group={"__topic__": topic, "__source__": "10.0.0.%d" % i, "__tags__": {"__hostname__": "web"}, "__logs__": [log]})
        made.append((first + i * step, log, i))
    return made


def loghub(session):
    # nothing is older than its shard
    call("clock", {"now": "2026-01-10T00:00:00Z"})
    command("loghub", "create_project", project="shop", if_not_exists=True)
    command("loghub", "create_logstore", project="shop", logstore="clicks", shards=2, ttl=3650)
    call("clock", {"system": True})
    # a window that is given, in the literal form
    begin = int(datetime.datetime(2026, 1, 11, 1, 30, tzinfo=UTC).timestamp())
    made = logs(begin - 3, 20, 1)
    odps_sql_in("shop_dw", "CREATE TABLE shop_dw.ods_clicks (user_id STRING, url STRING, at BIGINT, source STRING, kind STRING) PARTITIONED BY (pt STRING)")
    rows = imported(session, "datax-loghub-to-odps", parameters=SECRETS, timezone="UTC", name="literal")
    tap.ok(not any(KEY[1] in json.dumps(r) for r in rows if r["kind"] != "user mapping"), "the secret is in the user mapping and nowhere else")
    run(session, rows)
    wanted = [[x["user_id"], x.get("url"), x["__time__"], "10.0.0.%d" % i, "const", "20260111"] for t, x, i in made if begin <= t < begin + 10]
    same(odps_rows("shop_dw", "ods_clicks"), as_dumped(wanted), "DataX, loghub to odps: the window, constants, system fields, numbers")
    # every five minutes, in the scheduled form
    away_from_borders()
    start = five_minutes_ago(3)
    made = logs(start - 30, 60, 20)
    odps_sql_in("shop_dw", "CREATE TABLE shop_dw.scheduled (user_id STRING, url STRING, channel STRING, topic STRING) PARTITIONED BY (pt STRING)")
    rows = imported(session, "loghub-to-odps", text=document("loghub-to-odps").replace('"ods_clicks"', '"scheduled"'),
                    parameters=WINDOW, timezone="Asia/Shanghai", name="scheduled", start=iso(start))
    tap.ok(any("appended" in x for x in kinds(rows, "warning")), "a partition of a day that every five minutes would replace: a warning")
    run(session, rows)
    zone = datetime.timezone(datetime.timedelta(hours=8))
    ends = windows(start, 300, 300)
    wanted = []
    for a, b in ends:
        day = (datetime.datetime.fromtimestamp(b + 300, zone) - datetime.timedelta(days=1)).strftime("%Y%m%d")
        wanted += [[x["user_id"], x.get("url"), "web", "shop", day] for t, x, i in made if a <= t < b]
    same(odps_rows("shop_dw", "scheduled"), wanted, "Data Integration, loghub to odps: the windows of a job")


def odps_sql_in(project, sql):
    command("maxcompute", "create_project", project=project)
    command("maxcompute", "sql", project=project, sql=sql)


def fleet(op, table, **more):
    return command("tablestore", op, instance="fleet", table=table, **more)


def ots(session):
    keys = [{"name": n, "type": t} for n, t in (("car", "STRING"), ("at", "INTEGER"), ("zone", "STRING"), ("seq", "INTEGER"))]
    fleet("create_table", "positions", keys=keys, stream_hours=24)
    rows, wanted = [], []
    for i in range(200):
        key = ["car-%d" % (i % 9), 1000 + i, "a" if i % 2 else "m", i]
        columns = {"lat": {"double": 30.5 + i / 7}, "lon": {"double": 120.25 - i}, "other": "x"}
        if i % 10 == 0:
            del columns["lon"]
        rows.append({"key": key, "columns": columns})
        wanted.append(key + [30.5 + i / 7, None if i % 10 == 0 else 120.25 - i, "fleet-1", "20260101"])
    fleet("put", "positions", rows=rows)
    odps_sql_in("fleet_dw", "CREATE TABLE fleet_dw.ods_positions (car STRING, at BIGINT, zone STRING, seq BIGINT, lat DOUBLE, lon DOUBLE, source STRING) PARTITIONED BY (dt STRING)")
    run(session, imported(session, "ots-to-odps", name="ots_odps"))
    same(as_dumped(odps_rows("fleet_dw", "ods_positions"), 4, 5), as_dumped(wanted), "ots to odps: keys, doubles, a missing column, a constant")
    # a range of keys in the place of everything
    text = document("ots-to-odps").replace('"ods_positions"', '"ranged"').replace('{"type": "INF_MIN"}, {"type": "INF_MIN"}, {"type": "STRING", "value": "a"}', '{"type": "STRING", "value": "car-3"}, {"type": "INT", "value": "1010"}, {"type": "STRING", "value": "a"}') \
        .replace('"end":   [ {"type": "INF_MAX"}, {"type": "INF_MAX"}', '"end":   [ {"type": "STRING", "value": "car-6"}, {"type": "INF_MIN"}')
    odps_sql_in("fleet_dw", "CREATE TABLE fleet_dw.ranged (car STRING, at BIGINT, zone STRING, seq BIGINT, lat DOUBLE, lon DOUBLE, source STRING) PARTITIONED BY (dt STRING)")
    run(session, imported(session, "", text=text, name="ots_range"))
    same(as_dumped(odps_rows("fleet_dw", "ranged"), 4, 5), as_dumped(w for w in wanted if ("car-3", 1010, "a", 0) <= tuple(w[:4]) and w[0] < "car-6"), "ots to odps: a range of keys")


def cars(session):
    fleet("create_table", "cars", keys=[{"name": "car", "type": "STRING"}, {"name": "no", "type": "INTEGER"}])
    fleet("put", "cars", rows=[{"key": ["c%d" % i, i], "columns": {"weight": {"double": i + 0.5}, "active": i % 2 == 0, "note": "a,\"b\" %d" % i if i else "null"}} for i in range(30)])
    run(session, imported(session, "ots-to-oss", parameters={"date": "20260101"}, name="ots_oss"))
    found = oss_keys("backup/cars/20260101/", bucket="fleet")
    lines = oss_get(found[0]["key"] if isinstance(found[0], dict) else found[0], bucket="fleet").decode().splitlines()
    header = session.sql("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'ots_oss.cars'::regclass AND attnum > 0")[0].split(",")
    got = [dict(zip(header, x)) for x in csv.reader(lines)]
    wanted = [{"car": "c%d" % i, "no": str(i), "weight": "%s" % (i + 0.5), "active": "true" if i % 2 == 0 else "false", "note": "a,\"b\" %d" % i if i else "null"} for i in range(30)]
    same(got, wanted, "ots to oss: all columns, booleans as words, doubles")
    tap.ok(any(x.endswith('"null"') or '"null"' in x for x in lines), "a text that looks like NULL is quoted", lines[:3])
    # back: rows that are there keep their other columns, ten bad lines may be left out
    fleet("put", "cars", rows=[{"key": ["r0", 0], "columns": {"kept": "yes", "note": "old"}}])
    good = ["r%d,%d,%s,%s" % (i, i, i + 0.25, "true" if i % 3 else "null") for i in range(20)]
    oss_put("backup/cars/x/one.gz", gzip.compress(("\n".join(good[:10]) + "\nbad,no number,1,true\n").encode()), bucket="fleet")
    for x in oss_keys("backup/cars/20260101/", bucket="fleet"):
        command("oss", "delete", bucket="fleet", key=x["key"] if isinstance(x, dict) else x)
    oss_put("backup/cars/two.csv", gzip.compress(("\n".join(good[10:]) + "\n").encode()), bucket="fleet")
    run(session, imported(session, "oss-to-ots", name="oss_ots"))
    got = [[r["key"], r["columns"]] for r in fleet("dump", "cars")["rows"] if r["key"][0].startswith("r")]
    wanted = [[["r%d" % i, i], dict({"weight": {"double": i + 0.25}, "note": "restored"}, **({"active": True} if i % 3 else {}), **({"kept": "yes"} if i == 0 else {}))] for i in range(20)]
    same([[k, {n: plain(v) for n, v in c.items()}] for k, c in got], [[k, {n: plain(v) for n, v in c.items()}] for k, c in wanted], "oss to ots: gzip in two directories, types, NULL, a constant, UpdateRow, a bad line")
    tap.ok(session.sql("SELECT count(*) FROM mc.last_rejects()") != ["0"], "the bad line is among the rejects")


def stream(session):
    """change streams: rows every five minutes to files, cells of a day to a partition"""
    away_from_borders()
    keys = [{"name": n, "type": t} for n, t in (("car", "STRING"), ("at", "INTEGER"))]
    start = five_minutes_ago(2)
    call("clock", {"now": iso(start - 900)})
    fleet("create_table", "moves", keys=keys, stream_hours=24)
    changes = []
    for i in range(40):
        t = start - 100 + i * 15
        call("clock", {"now": iso(t)})
        key = ["car-%d" % (i % 5), i // 5]
        if i % 8 == 7:
            fleet("put", "moves", rows=[{"key": key, "do": "delete"}])
            changes.append((t, key, None))
        else:
            columns = {"lat": {"double": i + 0.5}} if i % 3 else {"lat": {"double": i + 0.5}, "lon": "x,%d" % i}
            fleet("put", "moves", rows=[{"key": key, "columns": columns}])
            changes.append((t, key, columns))
    call("clock", {"system": True})
    text = document("otsstream-to-oss").replace('"positions"', '"moves"')
    rows = imported(session, "", text=text, parameters=dict(WINDOW, date="$[yyyymmddhh24mi]"), timezone="Asia/Shanghai", name="stream_files", start=iso(start))
    tap.ok(any("mc.checkpoint" in x for x in kinds(rows, "ignored")), "the status table is told to be replaced")
    run(session, rows)
    zone = datetime.timezone(datetime.timedelta(hours=8))
    got, wanted = [], []
    for x in oss_keys("fleet/positions/", bucket="fleet"):
        key = x["key"] if isinstance(x, dict) else x
        got += [[key.split("/")[2]] + r for r in csv.reader(oss_get(key, bucket="fleet").decode().splitlines())]
    for a, b in windows(start, 300, 300):
        planned = datetime.datetime.fromtimestamp(b + 300, zone).strftime("%Y%m%d%H%M")
        wanted += [[planned] + [key[0], str(key[1]), "%s" % c["lat"]["double"], c.get("lon", "")] for t, key, c in changes if c and a <= t < b]
    same(got, wanted, "otsstream to oss: puts of each window in a directory of its planned time, no deletes")


def cells(session):
    keys = [{"name": n, "type": t} for n, t in (("car", "STRING"), ("at", "INTEGER"))]
    now = int(time.time())
    day = now - now % 86400 - 86400
    call("clock", {"now": iso(day - 3600)})
    fleet("create_table", "positions_day", keys=keys, stream_hours=168)
    wanted = []
    for i in range(12):
        call("clock", {"now": iso(day - 600 + i * 1200)})
        if i % 4 == 3:
            fleet("put", "positions_day", rows=[{"key": ["c", i - 1], "do": "delete"}])
            cell = [[None, None, None, "DR"]]
        else:
            fleet("put", "positions_day", rows=[{"key": ["c", i], "columns": {"lat": {"double": i + 0.5}}}])
            cell = [[None, None, None, "DR"], ["lat", "time", "%s" % (i + 0.5), "U"]]
        if i > 0:
            wanted += cell
    call("clock", {"system": True})
    odps_sql_in("fleet_dw", "CREATE TABLE fleet_dw.ods_position_changes (colname STRING, version BIGINT, colvalue STRING, optype STRING, sequenceinfo STRING) PARTITIONED BY (dt STRING)")
    odps_sql_in("fleet_dw", "CREATE TABLE fleet_dw.with_keys (car STRING, at BIGINT, colname STRING, version STRING, colvalue STRING, optype STRING, sequenceinfo STRING) PARTITIONED BY (dt STRING)")
    text = document("otsstream-to-odps").replace('"positions"', '"positions_day"')
    text_with = text.replace('"ods_position_changes"', '"with_keys"').replace('["colName"', '["car","at","colName"')
    name = datetime.datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")
    run(session, imported(session, "", text=text, parameters=SECRETS, timezone="UTC", name="cells", start=iso(day)))
    run(session, imported(session, "", text=text_with, parameters=dict(SECRETS, bizdate=name), timezone="UTC", name="cells_with_keys"))
    got = odps_rows("fleet_dw", "ods_position_changes")
    shown = [[r[0], "time" if r[1] else None, r[2], r[3]] for r in got]
    same(shown, wanted, "otsstream to odps: the cells of a day")
    tap.ok({r[-1] for r in got} == {name} and all(r[4].count("_") == 3 and ":" in r[4] for r in got), "the partition is the business day, each cell has its sequence", got[:3])
    with_keys = odps_rows("fleet_dw", "with_keys")
    same([r[2:] for r in with_keys], [[str(x) if k == 1 and x is not None else x for k, x in enumerate(r)] for r in got], "a writer with columns for the key, and a given day: the same cells")
    tap.ok({r[0] for r in with_keys} == {"c"} and {r[1] for r in with_keys} <= {str(i) for i in range(12)}, "with their keys", with_keys[:3])


def yesterday():
    return (datetime.datetime.now(UTC) - datetime.timedelta(days=1)).strftime("%Y%m%d")


def midnight(days_ago):
    now = int(time.time())
    return now - now % 86400 - 86400 * days_ago


def web(session):
    """a log file of a web server, every day"""
    server = Web()
    server.files["/raw/access.log"] = "\n".join(["10.0.0.%d##@@GET /é,%d \"x\"##@@\\N" % (i, i) for i in range(500)] + ["first|second", "", "\\N"]).encode()
    server.behave = {"ranges"}
    DATASOURCES["http_logs"] = {"url": server.url}
    odps_sql_in("first", "CREATE TABLE first.ods_raw_log_d (col STRING) PARTITIONED BY (dt STRING)")
    rows = imported(session, "httpfile-to-odps", timezone="UTC", name="raw_log", start=iso(midnight(2)))
    run(session, rows)
    lines = ["10.0.0.%d##@@GET /é,%d \"x\"##@@\\N" % (i, i) for i in range(500)] + ["first", "", None]
    days = [datetime.datetime.fromtimestamp(a, UTC).strftime("%Y%m%d") for a, b in windows(midnight(2), 86400, 300)]
    same(odps_rows("first", "ods_raw_log_d"), [[x, d] for x in lines for d in days], "httpfile to odps: each line in the partition of each day; what stands behind a delimiter is another column")
    run_again = imported(session, "httpfile-to-odps", parameters={"bizdate": days[0]}, timezone="UTC", name="raw_log_once")
    run(session, run_again)
    same(odps_rows("first", "ods_raw_log_d"), [[x, d] for x in lines for d in days], "the same day again, as a statement: truncate replaces it")


def mysql(session):
    users = [("u%d" % i, "fm"[i % 2], "%d-%d" % (i, i + 9), None if i % 7 == 0 else "狮子'座 %d" % i) for i in range(300)]
    script = ["CREATE DATABASE workshop", "CREATE USER reader@localhost IDENTIFIED BY '%s'" % PASSWORD.replace("'", "''"), "GRANT ALL ON workshop.* TO reader@localhost",
              "CREATE TABLE workshop.ods_user_info_d (uid VARCHAR(64) PRIMARY KEY, gender VARCHAR(20), age_range VARCHAR(20), zodiac TEXT) CHARACTER SET utf8mb4",
              "CREATE TABLE workshop.user_profile (uid VARCHAR(64) PRIMARY KEY, visits BIGINT, score DOUBLE, born DATETIME) CHARACTER SET utf8mb4",
              "INSERT INTO workshop.user_profile VALUES ('old', 1, 1, NULL), ('u3', 1, 1, NULL)",
              "INSERT INTO workshop.ods_user_info_d VALUES " + ",".join("(%s)" % ",".join("NULL" if x is None else "'%s'" % x.replace("'", "''") for x in u) for u in users)]
    server = MariaDB(";\n".join(script) + ";\n", PASSWORD)
    DATASOURCES["mysql_users"] = {"jdbcUrl": "jdbc:mysql://127.0.0.1:%d/workshop?useUnicode=true" % server.port, "username": "reader", "password": PASSWORD}
    odps_sql_in("first", "CREATE TABLE first.ods_user_info_d (uid STRING, gender STRING, age_range STRING, zodiac STRING) PARTITIONED BY (dt STRING)")
    run(session, imported(session, "mysql-to-odps", timezone="UTC", name="users", start=iso(midnight(1))))
    same(odps_rows("first", "ods_user_info_d"), [list(u) + [yesterday()] for u in users], "mysql to odps: the business day's partition, NULL, quotes, characters")
    # a condition, an expression and a constant of the reader
    text = document("mysql-to-odps").replace('"where": ""', '"where": "`uid` < \'u2\' AND gender = \'f\'"').replace('"zodiac"]', '"upper(zodiac)"]').replace('"gender","age', '"\'const\'","age')
    odps_sql_in("first", "CREATE TABLE first.some (uid STRING, gender STRING, age_range STRING, zodiac STRING) PARTITIONED BY (dt STRING)")
    text = text.replace('"column": ["*"], "table": "ods_user_info_d"', '"column": ["*"], "table": "some"')
    run(session, imported(session, "", text=text, parameters={"bizdate": "20260101"}, timezone="UTC", name="some_users"))
    same(odps_rows("first", "some"), [[u[0], "const", u[2], u[3], "20260101"] for u in users if u[0] < "u2" and u[1] == "f"], "mysql to odps: where, an expression, a constant")
    # the other way round
    odps_sql_in("first", "CREATE TABLE first.ads_user_profile (uid STRING, visits BIGINT, score STRING, born STRING) PARTITIONED BY (dt STRING)")
    session.sql("CREATE SCHEMA seed; IMPORT FOREIGN SCHEMA \"default\" LIMIT TO (ads_user_profile) FROM SERVER odps_first INTO seed")
    session.sql("INSERT INTO seed.ads_user_profile SELECT 'u' || g, g, (g + 0.25)::text, '2026-01-01 00:00:' || lpad((g %% 60)::text, 2, '0'), d FROM generate_series(1, 40) g, (VALUES ('20260115'), ('20260201'), ('20260202'), ('20251231')) d (d)"
                " WHERE (g %% 4) = CASE d WHEN '20260115' THEN 0 WHEN '20260201' THEN 1 WHEN '20260202' THEN 2 ELSE 3 END".replace("%%", "%"))
    wanted = ["u%d\t%d\t%s\t2026-01-01 00:00:%02d" % (g, g, g + 0.25, g % 60) for g in range(1, 41) if g % 4 in (0, 1)]
    run(session, imported(session, "odps-to-mysql", timezone="UTC", name="profile"))
    same(server.sql("SELECT * FROM user_profile"), wanted, "odps to mysql: partitions by wildcard, the table emptied before, text into numbers and times")
    # without preSql rows of one key are replaced, others stay
    server.sql("DELETE FROM user_profile WHERE uid > 'u2'; INSERT INTO user_profile VALUES ('stays', 7, 7, NULL); UPDATE user_profile SET visits = -1")
    text = document("odps-to-mysql").replace('"preSql": ["truncate table user_profile"], ', "").replace('"dt=202601*", ', "")
    before = server.sql("SELECT * FROM user_profile")
    run(session, imported(session, "", text=text, timezone="UTC", name="profile_replace"))
    new = ["u%d\t%d\t%s\t2026-01-01 00:00:%02d" % (g, g, g + 0.25, g % 60) for g in range(1, 41) if g % 4 == 1]
    keys = {x.split("\t")[0] for x in new}
    same(server.sql("SELECT * FROM user_profile"), new + [x for x in before if x.split("\t")[0] not in keys], "odps to mysql: writeMode replace")


def scheduled(session):
    """the same documents with expressions where they have values: jobs"""
    days = [datetime.datetime.fromtimestamp(a, UTC).strftime("%Y%m%d") for a, b in windows(midnight(2), 86400, 300)]
    fleet("create_table", "daily", keys=[{"name": "car", "type": "STRING"}, {"name": "no", "type": "INTEGER"}])
    fleet("put", "daily", rows=[{"key": ["c%d" % i, i], "columns": {"weight": {"double": i + 0.5}, "active": i % 2 == 0}} for i in range(20)])
    run(session, imported(session, "", text=document("ots-to-oss").replace('"cars"', '"daily"').replace("backup/cars/", "daily/x/dt="), parameters={"date": "$bizdate"}, timezone="UTC", name="daily_out", start=iso(midnight(2))))
    keys = [x["key"] if isinstance(x, dict) else x for x in oss_keys("daily/x/", bucket="fleet")]
    tap.ok(sorted(x.split("/")[2] for x in keys) == ["dt=" + d for d in days], "ots to oss, every day: one directory for each", keys)
    same([sorted(r) for k in keys for r in csv.reader(oss_get(k, bucket="fleet").decode().splitlines())],
         [sorted(["c%d" % i, str(i), "%s" % (i + 0.5), "true" if i % 2 == 0 else "false"]) for i in range(20)] * len(days), "with every row")
    # back: objects of a day by an expression in their key
    fleet("create_table", "back", keys=[{"name": "car", "type": "STRING"}, {"name": "no", "type": "INTEGER"}])
    for i, d in enumerate(days + ["20200101"]):
        oss_put("in/%s/part-%d.csv.gz" % (d, i), gzip.compress(("d%s,%d,null,true\n" % (d, i)).encode()), bucket="fleet")
    text = document("oss-to-ots").replace("backup/cars/*", "in/${day}/*").replace('"cars"', '"back"')
    run(session, imported(session, "", text=text, parameters={"day": "$[yyyymmdd-1]"}, timezone="UTC", name="daily_in", start=iso(midnight(2))))
    same([[r["key"], r["columns"]] for r in fleet("dump", "back")["rows"]], [[["d" + d, i], {"active": True, "note": "restored"}] for i, d in enumerate(days)], "oss to ots, every day: the objects of that day")
    # MaxCompute to MySQL, partition by partition
    server = MariaDB(";\n".join(["CREATE DATABASE workshop", "CREATE USER reader@localhost IDENTIFIED BY '%s'" % PASSWORD.replace("'", "''"), "GRANT ALL ON workshop.* TO reader@localhost",
                                 "CREATE TABLE workshop.user_profile (uid VARCHAR(64) PRIMARY KEY, day VARCHAR(8)) CHARACTER SET utf8mb4", "INSERT INTO workshop.user_profile VALUES ('u1', 'old'), ('kept', 'old')"]) + ";\n", PASSWORD)
    DATASOURCES["mysql_daily"] = {"jdbcUrl": "jdbc:mysql://127.0.0.1:%d/workshop" % server.port, "username": "reader", "password": PASSWORD}
    odps_sql_in("first", "CREATE TABLE first.per_day (uid STRING, day STRING) PARTITIONED BY (dt STRING)")
    text = document("odps-to-mysql").replace("ads_user_profile", "per_day").replace("mysql_users", "mysql_daily").replace('"dt=202601*", "dt=20260201"', '"dt=${bizdate}"').replace('"preSql": ["truncate table user_profile"], ', "")
    rows = imported(session, "", text=text, timezone="UTC", name="per_day", start=iso(midnight(2)))
    for r in rows:
        if r["kind"] in ("extension", "server", "user mapping", "schema") and r["statement"] or "per_day" in (r["statement"] or "") and "IMPORT" in r["statement"]:
            session.sql(r["statement"])
            r["statement"] = None
    session.sql("INSERT INTO per_day.per_day SELECT u, d, d FROM unnest('{u1,u2}'::text[]) u, unnest('{%s}'::text[]) d; INSERT INTO per_day.per_day VALUES ('other', 'x', '20200101')" % ",".join(days))
    run(session, rows)
    same(server.sql("SELECT * FROM user_profile"), ["u1\t" + days[-1], "u2\t" + days[-1], "kept\told"], "odps to mysql, every day: rows of one key replaced by those of the last day")


def plain(v):
    return float(v["double"]) if isinstance(v, dict) and "double" in v else v


def main():
    session = Session()
    session.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw; SET TimeZone = 'UTC'")
    command("tablestore", "create_instance", instance="fleet")
    oss_bucket("fleet")
    only = os.environ.get("MC_ONLY", "loghub,ots,cars,stream,cells,web,mysql,scheduled").split(",")
    for part in only:
        globals()[part](session)
    tap.done()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # MariaDB ends with us
    main()
