"""Runs the SQL examples of Markdown pages; see run."""
import json
import os
import re
import subprocess
import sys
import urllib.request

BLOCK = re.compile(r"(?:<!-- (not run|fails): ([^>]*?) -->\n+)?```sql\n(.*?)```", re.S)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LOGHUB = "http://localhost:" + os.environ["MC_LOGHUB_PORT"]
MAXCOMPUTE = "http://127.0.0.1:%s/api" % os.environ["MC_MAXCOMPUTE_PORT"]


def command(**cmd):
    request = urllib.request.Request("http://127.0.0.1:%s/__mc/command" % os.environ["MC_LOGHUB_PORT"],
                                     data=json.dumps(cmd).encode(), method="POST")
    with OPENER.open(request) as f:
        return f.read()


def localize(sql):
    """the cloud's addresses and keys become the emulator's"""
    sql = re.sub(r"https://[a-z0-9-]+\.log\.aliyuncs\.com", LOGHUB, sql)
    sql = re.sub(r"https://service\.[a-z0-9.-]*maxcompute\.aliyun\.com/api", MAXCOMPUTE, sql)
    sql = sql.replace("access_key_id '...'", "access_key_id '%s'" % os.environ["MC_KEY_ID"])
    return sql.replace("access_key_secret '...'", "access_key_secret '%s'" % os.environ["MC_KEY_SECRET"])


def psql(database, sql):
    return subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", database],
                          input=sql, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def fresh_services():
    """what the examples assume to exist in the cloud"""
    for cmd in ({"service": "loghub", "op": "reset"}, {"service": "maxcompute", "op": "reset"},
                {"service": "loghub", "op": "create_project", "project": "web"},
                {"service": "loghub", "op": "create_logstore", "project": "web", "logstore": "access-log",
                 "shards": 4, "ttl": 3650},
                {"service": "loghub", "op": "generate", "project": "web", "logstore": "access-log",
                 "profile": "access_log", "rows": 10000, "seed": 1,
                 "from": "2018-01-11T01:30:00+08:00", "to": "2018-01-11T01:40:00+08:00"},
                {"service": "maxcompute", "op": "create_project", "project": "demo"},
                {"service": "maxcompute", "op": "sql", "project": "demo", "sql":
                 "CREATE TABLE ods_access_log (at DATETIME, ip STRING, method STRING, status BIGINT, cost DOUBLE) "
                 "PARTITIONED BY (pt STRING)"}):
        command(**cmd)


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
        if "CREATE EXTENSION" not in text:
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
