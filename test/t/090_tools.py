"""mc.check sees the clocks differ; mc.required_policy lists every action that real runs
need: the emulator's log of a run is compared with the policy of its tables."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, OSS, KEY, Session, Tap, call, command, generate, odps_sql, oss_bucket, ots_create  # noqa: E402

tap = Tap()
# which action permits a request
ACTIONS = {
    "GetLogStore": "log:GetLogStore", "ListShards": "log:ListShards", "GetCursor": "log:GetCursorOrData",
    "GetCursorTime": "log:GetCursorOrData", "PullLogs": "log:GetCursorOrData", "PutLogs": "log:PostLogStoreLogs",
    "PostLogStoreLogs": "log:PostLogStoreLogs", "CreateLogStore": "log:CreateLogStore", "CreateLogstore": "log:CreateLogStore",
    "ListObjectsV2": "oss:ListObjects", "GetObject": "oss:GetObject", "HeadObject": "oss:GetObject",
    "PutObject": "oss:PutObject", "InitiateMultipartUpload": "oss:PutObject", "UploadPart": "oss:PutObject",
    "CompleteMultipartUpload": "oss:PutObject", "AbortMultipartUpload": "oss:AbortMultipartUpload",
    "ListParts": "oss:ListParts", "DeleteObject": "oss:DeleteObject", "DeleteMultipleObjects": "oss:DeleteObject",
    "GetTable": "odps:Describe", "ListPartitions": "odps:Describe", "GetTunnel": "odps:Read",
    "CreateDownload": "odps:Download", "GetDownload": "odps:Download", "ReadDownload": "odps:Download",
    "CreateUpload": "odps:Update", "GetUpload": "odps:Update", "WriteBlock": "odps:Update", "CommitUpload": "odps:Update",
    "CreateInstance": "odps:CreateInstance", "GetInstance": "odps:Read", "GetResult": "odps:Read",
}
WINDOW = "__receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08'"


def actions(s, *wanted):
    """of the policies of (relation, action) pairs"""
    found = set()
    for relation, action in wanted:
        for statement in json.loads(s.sql("SELECT mc.required_policy('%s', '%s')" % (relation, action))[0])["Statement"]:
            found.update(statement["Action"])
    return found


def seen(since):
    return {(r["service"], r["api"]) for r in call("log?n=16384") if r["serial"] > since}


def last():
    return max([r["serial"] for r in call("log?n=16384")], default=0)


def permitted(s, name, sql, *wanted):
    since = last()
    s.sql(sql)
    allowed = actions(s, *wanted)
    apis = seen(since)
    missing = sorted("%s %s" % (service, api) for service, api in apis
                     if ("ots:" + api if service == "tablestore" else ACTIONS.get(api, "no action for " + api)) not in allowed)
    tap.ok(apis and not missing, "policy covers " + name, "%s; allowed: %s" % (missing, sorted(allowed)))


def clocks(s):
    for seconds, state in ((0, "ok"), (100, "warning"), (-100, "warning"), (2000, "error")):
        call("clock", {"system": True})
        if seconds:
            call("clock", {"advance_s": seconds})
        for server in "sls", "odps", "ots", "oss":
            got = s.sql("SELECT state FROM mc.check('%s') WHERE step = 'clock'" % server)
            tap.ok(got == [state], "%d s of skew on %s: %s" % (seconds, server, state), got)
    call("clock", {"system": True})


def main():
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")
    oss_bucket()
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw")
    s.sql(SERVERS)
    s.sql("CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou');"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY))
    clocks(s)

    generate("tools", 2000)
    odps_sql("CREATE TABLE policy (f1 STRING, pt STRING) ")
    odps_sql("CREATE TABLE policy_parts (f1 STRING) PARTITIONED BY (pt STRING)")
    ots_create("policy", [("id", "STRING")], stream_hours=24)
    s.sql("""
        CREATE FOREIGN TABLE logs (__receive_time__ timestamptz, f1 text) SERVER sls OPTIONS (logstore 'tools');
        CREATE FOREIGN TABLE parts (f1 text, pt text) SERVER odps OPTIONS (table 'policy_parts');
        CREATE FOREIGN TABLE rows (id text OPTIONS (key '1') COLLATE "C" NOT NULL, v text) SERVER ots OPTIONS (table 'policy');
        CREATE FOREIGN TABLE changes (__commit_time__ timestamptz, id text OPTIONS (key '1') COLLATE "C" NOT NULL)
            SERVER ots OPTIONS (table 'policy', mode 'stream');
        CREATE FOREIGN TABLE files (v text, dt text) SERVER oss OPTIONS (prefix 'policy/dt={dt}/', format 'csv');
        CREATE FOREIGN TABLE made (a text) SERVER sls OPTIONS (logstore 'tools-made')""")
    permitted(s, "reading a logstore", "SELECT count(*) FROM logs WHERE " + WINDOW, ("logs", "read"))
    permitted(s, "a logstore to MaxCompute", "INSERT INTO parts SELECT f1, 'a' FROM logs WHERE " + WINDOW, ("logs", "read"), ("parts", "write"))
    permitted(s, "reading MaxCompute", "SELECT count(*) FROM parts WHERE pt = 'a'", ("parts", "read"))
    permitted(s, "overwriting MaxCompute", "BEGIN; SET LOCAL mc_fdw.write_mode = 'overwrite'; INSERT INTO parts VALUES ('x', 'a'); COMMIT",
              ("parts", "write"))
    permitted(s, "dropping partitions", "DELETE FROM parts WHERE pt = 'a'", ("parts", "write"), ("parts", "read"))
    permitted(s, "writing Tablestore", "INSERT INTO rows SELECT 'k' || i, 'v' FROM generate_series(1, 500) i", ("rows", "write"))
    permitted(s, "changing rows of Tablestore", "UPDATE rows SET v = 'w' WHERE id < 'k2'; DELETE FROM rows WHERE id = 'k300'", ("rows", "write"))
    permitted(s, "reading Tablestore", "SELECT count(*) FROM rows; SELECT * FROM rows WHERE id = 'k1'; "
              "SELECT * FROM rows WHERE id IN ('k1', 'k2')", ("rows", "read"))
    permitted(s, "reading a change stream", "SELECT count(*) FROM changes WHERE __commit_time__ < now() - interval '10 min'", ("changes", "read"))
    permitted(s, "writing files", "INSERT INTO files SELECT id, 'a' FROM rows", ("files", "write"), ("rows", "read"))
    permitted(s, "reading files", "SELECT count(*) FROM files WHERE dt = 'a'", ("files", "read"))
    permitted(s, "overwriting files", "BEGIN; SET LOCAL mc_fdw.write_mode = 'overwrite'; INSERT INTO files VALUES ('x', 'a'); COMMIT", ("files", "write"))
    permitted(s, "creating a logstore", "SELECT mc.create_remote('made', true)", ("made", "create"))
    permitted(s, "writing a logstore", "INSERT INTO made VALUES ('x')", ("made", "write"))
    s.close()


main()
tap.done()
