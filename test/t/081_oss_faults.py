"""Each request of a replacing transaction fails once, in several ways: nothing of it is
seen, the rows are right, and no upload is left."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command  # noqa: E402

tap = Tap()
APIS = ("InitiateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload", "PutObject", "HeadObject",
        "ListObjectsV2", "DeleteObject", "DeleteMultipleObjects", "AbortMultipartUpload")
FAULTS = ({"action": "status", "http": 503, "code": "ServiceUnavailable"}, {"action": "reset_after"},
          {"action": "stall_after"}, {"action": "status_after", "http": 500})
# savepoint: an upload to take back; two objects that go, two that come
SQL = """BEGIN; TRUNCATE t, small; SAVEPOINT a;
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 6000) g; ROLLBACK TO a;
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 10000) g; INSERT INTO small VALUES (1), (2); COMMIT"""


def main():
    s = Session()
    command("oss", "create_bucket", bucket="lake")
    s.sql("""CREATE EXTENSION mc_fdw;
CREATE SERVER o FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou',
	part_size '100kB', concurrency '4', missing_ok 'true', stall_timeout '500ms');
CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE t (id int, s text) SERVER o OPTIONS (prefix 't/');
CREATE FOREIGN TABLE small (id int) SERVER o OPTIONS (prefix 'small/')""" % ((OSS,) + KEY))
    s.sql(SQL)
    for api in APIS:
        for fault in FAULTS:
            call("faults", [dict(fault, service="oss", api=api, nth=1)])
            out, state = s.try_sql(SQL)
            call("faults", [])
            got = s.sql("SELECT count(*), sum(id), (SELECT count(*) FROM small) FROM t")
            left = command("oss", "uploads", bucket="lake")["uploads"]
            tap.ok(state == "00000" and got == ["10000|50005000|2"] and not left, "%s %s" % (api, fault), (state, out, got, left))
    tap.done()


main()
