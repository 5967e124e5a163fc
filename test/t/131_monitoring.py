"""monitoring/: the exporters' real programs and every query of the dashboard, as the role that
monitoring/monitor-role.sql makes, show what the books of jobs say, and nothing of rows."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from mctest import KEY, SERVERS, Session, Tap, command, generate, odps_sql  # noqa: E402

tap = Tap()
FILES = os.path.join(HERE, "../../monitoring")
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
RECEIVED = " WHERE __receive_time__ >= $1 AND __receive_time__ < $2"


def read(name):
    with open(os.path.join(FILES, name)) as f:
        return f.read()


def prepare():
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")
    generate("hits", 600, shards=1)
    odps_sql("CREATE TABLE demo.arrived (c1 STRING)")
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + ";CREATE FOREIGN TABLE hits (c1 text, c2 text, __receive_time__ timestamptz) SERVER sls OPTIONS (logstore 'hits');"
          "CREATE FOREIGN TABLE arrived (c1 text) SERVER odps; CREATE TABLE got (a text); CREATE ROLE owner; GRANT ALL ON got TO owner;"
          "GRANT USAGE ON FOREIGN SERVER sls TO owner; CREATE USER MAPPING FOR owner SERVER sls OPTIONS (access_key_id '%s', access_key_secret '%s');"
          "GRANT SELECT ON hits TO owner; GRANT USAGE ON SCHEMA mc TO owner" % KEY)
    s.sql("SET SESSION AUTHORIZATION owner")
    for name, text in (("load", "INSERT INTO got SELECT c1 FROM hits" + RECEIVED), ("broken", "INSERT INTO got SELECT (1 / (length(c1) - length(c1)))::text FROM hits" + RECEIVED)):
        s.sql("SELECT mc.create_job('%s', $j$%s$j$, '1 minute', start => '2018-01-11 01:30+08', retry_limit => 0, max_windows => 2)" % (name, text))
    s.sql("CALL mc.run_job('load')")
    s.try_sql("CALL mc.run_job('broken')")
    s.sql("RESET SESSION AUTHORIZATION")
    s.sql("SELECT mc.create_job('export', $j$INSERT INTO arrived SELECT c1 FROM hits%s$j$, '1 minute', start => '2018-01-11 01:30+08')" % RECEIVED)
    s.try_sql("SET mc_fdw.fail_at = 'P1'; CALL mc.run_job('export')")
    s.sql("RESET mc_fdw.fail_at")
    s.sql(read("monitor-role.sql"))
    s.sql(read("monitor-role.sql"))


def privileges():
    m = "SET SESSION AUTHORIZATION mc_monitor; "
    seen = s.sql(m + "SELECT job, owner, state, open_entries, earliest_expiry - now() BETWEEN '20 h' AND '1 day', error_message IS NULL FROM mc.status ORDER BY 1")
    tap.ok(seen == ["broken|owner|blocked|0||t", "export|postgres|prepared|1|t|t", "load|owner|done|0||t"], "the role sees how all jobs fare, and no messages", seen)
    seen = s.sql("SELECT (SELECT count(*) FROM mc.job), (SELECT count(*) FROM mc.job_version), (SELECT count(*) FROM mc.run), (SELECT count(*) FROM mc.publish),"
                 " (SELECT count(*) FROM mc.reject)")
    tap.ok(seen == ["0|0|0|0|0"], "and nothing of the tables themselves", seen)
    out, state = s.try_sql("CALL mc.run_job('load')")
    tap.ok(state != "00000", "it cannot run a job", out)
    out, state = s.try_sql("SELECT * FROM hits")
    tap.ok(state == "42501", "or read a table", out)
    s.sql("RESET SESSION AUTHORIZATION; CREATE ROLE other; SET SESSION AUTHORIZATION other")
    seen = s.sql("SELECT (SELECT count(*) FROM mc.status), (SELECT count(*) FROM mc.run_stats), (SELECT count(*) FROM mc.open_entry)")
    tap.ok(seen == ["0|0|0"], "another role sees nothing", seen)
    s.sql("RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION owner")
    seen = s.sql("SELECT job, error_message LIKE '%division by zero%' FROM mc.status ORDER BY 1")
    tap.ok(seen == ["broken|t", "load|"], "the owner sees its own, with messages", seen)
    s.sql("RESET SESSION AUTHORIZATION")


def free_port():
    with socket.socket() as x:
        x.bind(("127.0.0.1", 0))
        return x.getsockname()[1]


def scrape(arguments, environment, port, wanted):
    """the metrics of an exporter, once one called 'wanted' is there: (name, labels) -> value"""
    log = open(os.path.join(os.environ["MC_DIR"], "exporter.log"), "w+")
    exporter = subprocess.Popen(arguments, env=dict(os.environ, **environment), stdout=log, stderr=subprocess.STDOUT)
    text, end = "", time.monotonic() + 60
    try:
        while "\n%s{" % wanted not in text and time.monotonic() < end:
            time.sleep(0.2)
            try:
                with OPENER.open("http://127.0.0.1:%d/metrics" % port) as f:
                    text = f.read().decode()
            except OSError:
                pass
    finally:
        exporter.terminate()
        exporter.wait()
    metrics = {}
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.M):
        metrics.setdefault(name, []).append((dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)))
    log.seek(0)
    return metrics, log.read()[-3000:]


def check(tool, value, log):
    """value(query, column, job): the metric"""
    load = s.sql("SELECT sum(rows_out), sum(rows_in), sum(requests) FROM mc.run_stats WHERE job = 'load'")[0].split("|")
    tap.ok(float(load[0]) > 0 and [value("mc_fdw_run", c, "load") for c in ("rows_out", "rows_in", "requests")] == list(map(float, load)),
           tool + ": rows and requests of the last hour", "%s %s" % (load, log))
    tap.ok([value("mc_fdw_run", c, "load") for c in ("done", "failed", "rejected")] == [2, 0, 0], tool + ": runs")
    tap.ok([value("mc_fdw_job", "blocked", j) for j in ("broken", "export", "load")] == [1, 0, 0] and value("mc_fdw_run", "failed", "broken") == 1,
           tool + ": blocked and failed")
    tap.ok([value("mc_fdw_job", "open_entries", j) for j in ("broken", "export")] == [0, 1], tool + ": open entries")
    expiry = value("mc_fdw_job", "entry_expiry_seconds", "export")
    tap.ok(expiry is not None and 20 * 3600 < expiry <= 24 * 3600, tool + ": their expiry", expiry)
    behind = float(s.sql("SELECT extract(epoch FROM behind) FROM mc.status WHERE job = 'load'")[0])
    seen = value("mc_fdw_job", "behind_seconds", "load"), value("mc_fdw_job", "behind_windows", "load")
    tap.ok(seen[0] is not None and abs(seen[0] - behind) < 60 and abs(seen[1] - behind / 60) < 2, tool + ": how far behind", seen)


def exporters():
    if shutil.which("prometheus-postgres-exporter"):
        port = free_port()
        metrics, log = scrape(["prometheus-postgres-exporter", "--web.listen-address=127.0.0.1:%d" % port, "--disable-default-metrics",
                               "--disable-settings-metrics", "--extend.query-path=" + os.path.join(FILES, "postgres_exporter-queries.yaml")],
                              {"DATA_SOURCE_NAME": "host=%s port=5432 user=mc_monitor dbname=postgres sslmode=disable" % os.environ["PGHOST"]},
                              port, "mc_fdw_job_behind_seconds")
        check("postgres_exporter", lambda q, c, j: next((v for l, v in metrics.get(q + "_" + c, []) if l["job"] == j), None), log)
    else:
        print("# prometheus-postgres-exporter is not installed: test/deps sdk")
    if shutil.which("prometheus-sql-exporter"):
        port, config = free_port(), os.path.join(os.environ["MC_DIR"], "sql_exporter.yml")
        with open(config, "w") as f:
            f.write(read("sql_exporter.yml").replace("/var/run/postgresql", os.environ["PGHOST"]))
        metrics, log = scrape(["prometheus-sql-exporter", "-config.file", config, "-web.listen-address", "127.0.0.1:%d" % port], {}, port, "sql_mc_fdw_run")
        check("sql_exporter", lambda q, c, j: next((v for l, v in metrics.get("sql_" + q, []) if l["job"] == j and l["col"] == c), None), log)
    else:
        print("# prometheus-sql-exporter is not installed: test/deps sdk")
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "rules", os.path.join(FILES, "prometheus-rules.yml")], capture_output=True, text=True)
        tap.ok(done.returncode == 0, "promtool accepts the rules", done.stdout + done.stderr)
        done = subprocess.run(["promtool", "test", "rules", os.path.join(HERE, "../data/monitoring-rules-test.yml")], capture_output=True, text=True)
        tap.ok(done.returncode == 0, "and they fire when they should", done.stdout + done.stderr)
    used = set(re.findall(r"mc_fdw_\w+", " ".join(re.findall(r"expr: (.*)", read("prometheus-rules.yml")))))
    made, query = set(), ""
    for line in read("postgres_exporter-queries.yaml").split("\n"):
        query = line[:-1] if re.match(r"\w+:$", line) else query
        column = re.match(r"    - (\w+):$", line)
        if column:
            made.add(query + "_" + column.group(1))
    tap.ok(used and used <= made, "alerts use metrics that exist", used - made)


def dashboard():
    d = json.loads(read("grafana-dashboard.json"))
    tap.ok(len({p["id"] for p in d["panels"]}) == len(d["panels"]) >= 12 and len({p["title"] for p in d["panels"]}) >= 12, "panels")
    places = [{(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])} for g in (p["gridPos"] for p in d["panels"])]
    tap.ok(sum(map(len, places)) == len(set().union(*places)) and all(x < 24 for p in places for x, _ in p), "none covers another")
    viewer = Session("SET SESSION AUTHORIZATION mc_monitor")
    sql = d["templating"]["list"][1]["query"]
    jobs = viewer.sql(sql)
    tap.ok(jobs == ["broken", "export", "load"], "the list of jobs", jobs)
    filled = 0
    for panel in d["panels"]:
        for target in panel["targets"]:
            sql = target["rawSql"].replace("${job:sqlstring}", ",".join("'%s'" % j for j in jobs))
            # what Grafana puts for its macros
            sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'", sql)
            sql = re.sub(r"\$__timeGroup\((\w+), \$__interval\)", r"floor(extract(epoch from \1)/300)*300", sql)
            if target["format"] == "time_series":
                sql = 'SELECT "time", metric::text, value::float8 FROM (%s) x' % sql
            rows, state = viewer.try_sql(sql)
            tap.ok(state == "00000" and "$" not in sql, "%s: %d rows" % (panel["title"], len(rows)), "%s\n%s" % (sql, rows))
            filled += bool(rows)
    tap.ok(filled >= len(d["panels"]) - 2, "they show something", filled)
    viewer.close()


s = Session("SET client_min_messages = warning")
prepare()
privileges()
exporters()
dashboard()
tap.done()
