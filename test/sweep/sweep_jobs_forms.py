"""The jobs that sweep_jobs.py disturbs: one form for each way of design J1 to J7, three windows
each.  content() is what the target holds, read by statements outside of jobs.
"""
import json

import mctest
from mctest import KEY, OSS, SERVERS, command, odps_sql

WINDOWS = 3
ROWS = 240
START = "2018-01-11 01:30:00+08"
DAY = "to_char($1 AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDDHH24MISS')"


class Form:
    name = None
    statement = None
    start = START
    every = "100 s"
    options = ""            # further arguments of mc.create_job
    labels = ()             # steps of the protocol that other forms do not have
    read = None             # SELECT of the target, one line a row
    converges = False       # class K: a window may have been applied more than once, the result is the same
    local = False           # nothing is published: rows and books are one transaction
    replaces = False        # the target holds the rows of the last window, not of all
    swept = None            # only requests of this service; other forms have the others
    short_places = None     # requests of the short form, in place of one of each API and all steps
    requests = ("ListShards", "GetCursor", "PullLogs", "CreateUpload", "WriteBlock", "GetUpload", "CommitUpload",
                "InitiateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload", "PutObject", "HeadObject", "GetObject",
                "ListObjectsV2", "BatchWriteRow", "GetRange", "GetStreamRecord", "GetShardIterator", "DescribeStream",
                "CreateDownload", "ReadData", "Execute", "DeleteMultipleObjects")

    def prepare(self, session):
        self.session = session
        command("loghub", "create_project", project="web")
        command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        mctest.oss_bucket("demo")
        session.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')""" % ((OSS,) + KEY))
        self.source()
        self.target()

    def source(self):
        mctest.generate("text10", ROWS, seed=7, logs_per_group=5)
        self.session.sql("CREATE FOREIGN TABLE source (__receive_time__ timestamptz, __shard__ int, __cursor__ text, c1 text, c2 text) "
                         "SERVER sls OPTIONS (logstore 'text10', fetch_size '2')")

    def target(self):
        raise NotImplementedError

    def reset(self):
        """the target is empty"""

    def content(self):
        return sorted(self.session.sql(self.read))

    def learn(self):
        """after an undisturbed run"""

    def wrong(self):
        """at rest: what rows and books do not show"""


WINDOW = "__receive_time__ >= $1 AND __receive_time__ < $2"


class OdpsAppend(Form):
    name = "job_loghub_append"
    statement = "INSERT INTO target SELECT c1, c2, 'p' || (hashtext(c1) & 1) FROM source WHERE " + WINDOW
    read = "SELECT c1, c2, pt FROM target"
    mode = "append"

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (c1 text, c2 text, pt text) SERVER odps "
                         "OPTIONS (table 'target', block_size '64kB', write_mode '%s')" % self.mode)

    def reset(self):
        odps_sql("DROP TABLE IF EXISTS demo.target")
        odps_sql("CREATE TABLE demo.target (c1 STRING, c2 STRING) PARTITIONED BY (pt STRING)")


class OdpsCounted(OdpsAppend):
    """rows name their run: what a commit has done is counted"""
    name = "job_loghub_counted"

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (c1 text, c2 text, pt text) SERVER odps "
                         "OPTIONS (table 'target', run_column 'mc_run')")

    def reset(self):
        odps_sql("DROP TABLE IF EXISTS demo.target")
        odps_sql("CREATE TABLE demo.target (c1 STRING, mc_run STRING, c2 STRING) PARTITIONED BY (pt STRING)")


class OtsFence(OdpsAppend):
    """every window swaps the number of a fence"""
    name = "job_fence_ots"
    options = ", fence => 'ots_fence'"
    labels = ("fence", "fenced")
    requests = ("BatchWriteRow", "GetRow", "CommitUpload")

    def target(self):
        OdpsAppend.target(self)
        mctest.ots_create("fence", [("job", "STRING")])
        self.session.sql("CREATE FOREIGN TABLE ots_fence (job text OPTIONS (key '1'), number text) SERVER ots OPTIONS (table 'fence')")


class OssFence(OtsFence):
    name = "job_fence_oss"
    options = ", fence => 'oss_fence'"
    requests = ("GetBucketVersioning", "PutObject", "HeadObject", "ListObjectsV2", "DeleteObject")

    def target(self):
        OdpsAppend.target(self)
        self.session.sql("CREATE FOREIGN TABLE oss_fence (number text) SERVER oss OPTIONS (prefix 'ops/', format 'csv')")


class OdpsOverwrite(OdpsAppend):
    name = "job_loghub_overwrite"
    mode = "overwrite"
    statement = "INSERT INTO target SELECT c1, c2, %s || (hashtext(c1) & 1) FROM source WHERE %s" % (DAY, WINDOW)


class OssAppend(Form):
    name = "job_loghub_oss"
    statement = "INSERT INTO target SELECT c1, c2, %s FROM source WHERE %s" % (DAY, WINDOW)
    read = "SELECT c1, c2, dt FROM target"

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (c1 text, c2 text, dt text) SERVER oss "
                         "OPTIONS (prefix 'ods/dt={dt}/', format 'csv', missing_ok 'true', part_size '100kB')")

    def reset(self):
        mctest.oss_bucket("demo")


class OssBig(OssAppend):
    """objects of several parts, uploaded while the statement runs"""
    name = "job_loghub_oss_parts"
    statement = "INSERT INTO target SELECT c1, repeat(c2, 2000), %s FROM source WHERE %s" % (DAY, WINDOW)
    read = "SELECT c1, md5(c2), dt FROM target"


class OssTold(OssAppend):
    """each window replaces a directory: a small object and one of several parts, with what tells readers of it"""
    name = "job_oss_manifest"
    replaces = True
    options = ", overwrite_scope => 'snapshot'"
    statement = "INSERT INTO target SELECT c1, repeat(c2, 1 + 300 * p), p FROM (SELECT *, hashtext(c1) & 1 AS p FROM source) s WHERE %s ORDER BY p, c1, c2" % WINDOW
    read = "SELECT c1, md5(c2), p FROM target"
    swept = "oss"
    root = "ods/"
    success = root + "_SUCCESS"
    # the second window is the first one that has something to withdraw and to delete
    short_places = [dict(service="oss", api=api, path=path, nth=nth) for api, path, nth in (
        ("HeadObject", "_SUCCESS", 3), ("DeleteObject", "_SUCCESS", 1), ("PutObject", "p%3D0", 2), ("CompleteMultipartUpload", "", 2),
        ("PutObject", "_mc_manifest", 2), ("DeleteMultipleObjects", "", 1), ("PutObject", "_SUCCESS", 2))]

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (c1 text, c2 text, p int) SERVER oss OPTIONS (prefix '%sp={p}/', format 'csv', "
                         "missing_ok 'true', part_size '100kB', write_mode 'overwrite', manifest 'true', success_file 'true')" % self.root)

    @staticmethod
    def number(key):
        """of the window, if that is a manifest"""
        return int(key.split("/")[-1].split(".")[0]) if "_mc_manifest/" in key else None

    def states(self):
        """what was there after each change: (objects as {key: (size, CRC)}, whether _SUCCESS was, the newest manifest's number)"""
        there, success, newest = {}, False, 0
        for c in command("oss", "history", bucket="demo")["changes"]:
            if c["key"] == self.success:
                success = not c["gone"]
            elif self.number(c["key"]):
                newest = max(newest, self.number(c["key"]))
            elif c["gone"]:
                there.pop(c["key"], None)
            else:
                there[c["key"]] = c["size"], c["crc64"]
            yield dict(there), success, newest

    def learn(self):
        self.whole = {newest: there for there, success, newest in self.states() if success}
        assert sorted(self.whole) == [1, 2, 3] and all(len(w) == 2 for w in self.whole.values()), self.whole

    def wrong(self):
        newest = 0
        for there, success, newest in self.states():
            if success and there != self.whole.get(newest):
                return "_SUCCESS beside %s and manifest %d" % (sorted(there), newest)
            if any(there.get(k) != what for k, what in self.whole.get(newest, {}).items()):
                return "manifest %d tells of what is not there: %s" % (newest, sorted(there))
        if newest != WINDOWS or not success:
            return "at rest manifest %d, success file %s" % (newest, success)
        return self.wrong_manifest()

    def wrong_manifest(self):
        """the newest one against the objects themselves"""
        told = json.loads(mctest.oss_get("%s_mc_manifest/%d.json" % (self.root, WINDOWS)))
        objects = {o["key"]: (o["etag"], o["size"], o["crc64"], o["rows"]) for o in told["objects"]}
        there = {o["key"]: (o["etag"].strip('"'), int(o["size"]), str(o["crc64"]), mctest.oss_get(o["key"]).count(b"\n"))
                 for o in command("oss", "list", bucket="demo", prefix=self.root + "p=")["objects"]}
        if objects != there or told["rows"] != sum(o[3] for o in there.values()) or (told["seq"], told["replaces"]) != (WINDOWS, "directories"):
            return "the manifest tells %s, there is %s" % (told, there)
        return None


class Local(Form):
    name = "job_loghub_local"
    local = True
    statement = "INSERT INTO target SELECT c1, c2 FROM source WHERE " + WINDOW
    read = "SELECT c1, c2 FROM target"

    def target(self):
        self.session.sql("CREATE TABLE target (c1 text, c2 text)")

    def reset(self):
        self.session.sql("TRUNCATE target")


class Ots(Form):
    name = "job_loghub_ots"
    converges = True
    statement = "INSERT INTO target SELECT __shard__ || '.' || c1, c2 FROM source WHERE " + WINDOW
    read = "SELECT k, v FROM target"

    def target(self):
        mctest.ots_create("target", [("k", "STRING")])
        self.session.sql("CREATE FOREIGN TABLE target (k text OPTIONS (key '1') COLLATE \"C\", v text) SERVER ots "
                         "OPTIONS (table 'target', write_mode 'update', batch_size '20')")

    def reset(self):
        mctest.ots_create("target", [("k", "STRING")])


class FromOts(Form):
    """a full export for every day"""
    name = "job_ots_odps"
    every = "1 day"
    statement = "INSERT INTO target SELECT k, v, to_char($1, 'YYYYMMDD') FROM source"
    read = "SELECT k, v, pt FROM target"

    def source(self):
        mctest.ots_create("source", [("k", "INTEGER")])
        mctest.ots_put("source", *[([i], {"v": "v%d" % i}) for i in range(60)])
        self.session.sql("CREATE FOREIGN TABLE source (k bigint OPTIONS (key '1'), v text) SERVER ots OPTIONS (table 'source')")

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (k bigint, v text, pt text) SERVER odps "
                         "OPTIONS (table 'target', write_mode 'overwrite')")

    def reset(self):
        odps_sql("DROP TABLE IF EXISTS demo.target")
        odps_sql("CREATE TABLE demo.target (k BIGINT, v STRING) PARTITIONED BY (pt STRING)")


class Stream(Form):
    """changes of the last hours, five windows of which have some"""
    name = "job_stream_odps"
    every = "10 min"
    statement = "INSERT INTO target SELECT k, v, __op__ FROM source WHERE __commit_time__ >= $1 AND __commit_time__ < $2"
    read = "SELECT k, v, op FROM target"

    def source(self):
        # a stream that was enabled an hour ago
        mctest.call("clock", {"advance_s": -3600})
        mctest.ots_create("source", [("k", "INTEGER")], stream_hours=24)
        mctest.call("clock", {"system": True})
        self.start = self.session.sql("SELECT date_trunc('minute', now()) - interval '50 min'")[0]
        end = self.session.sql("SELECT extract(epoch FROM '%s'::timestamptz + interval '30 min')" % self.start)[0]
        begin = self.session.sql("SELECT extract(epoch FROM '%s'::timestamptz)" % self.start)[0]
        command("tablestore", "stream_generate", table="source", records=ROWS, columns=1, **{"from": str(int(float(begin))), "to": str(int(float(end)))})
        self.session.sql("CREATE FOREIGN TABLE source (__op__ text, __commit_time__ timestamptz, k bigint OPTIONS (key '1'), v bigint OPTIONS (field 'c0')) "
                         "SERVER ots OPTIONS (table 'source', mode 'stream')")

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (k bigint, v bigint, op text) SERVER odps OPTIONS (table 'target')")

    def reset(self):
        odps_sql("DROP TABLE IF EXISTS demo.target")
        odps_sql("CREATE TABLE demo.target (k BIGINT, v BIGINT, op STRING)")


class StreamOss(Stream):
    name = "job_stream_oss"

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (k bigint, v bigint, op text) SERVER oss "
                         "OPTIONS (prefix 'changes/', format 'csv', missing_ok 'true')")

    def reset(self):
        mctest.oss_bucket("demo")


class FromOss(Form):
    """objects taken once each, by the ledger; they are put again before each trial"""
    name = "job_oss_ots"
    converges = True
    every = "10 min"
    statement = "INSERT INTO target SELECT k, v FROM source WHERE __last_modified__ >= $1 AND __last_modified__ < $2"
    read = "SELECT k, v FROM target"

    def source(self):
        now = int(float(self.session.sql("SELECT extract(epoch FROM date_trunc('minute', now()))")[0]))
        self.start = self.session.sql("SELECT to_timestamp(%d)" % (now - 3600))[0]
        for i in range(9):
            mctest.oss_put("in/%d.csv" % i, "".join("%d-%d,value %d\n" % (i, n, n) for n in range(20)),
                           last_modified=now - 3600 + 200 * i)
        self.session.sql("CREATE FOREIGN TABLE source (__last_modified__ timestamptz, k text, v text) SERVER oss "
                         "OPTIONS (prefix 'in/', format 'csv')")

    target = Ots.target
    reset = Ots.reset


class FromOssLocal(FromOss):
    name = "job_oss_local"
    converges = False
    local = True

    def target(self):
        self.session.sql("CREATE TABLE target (k text, v text)")

    reset = Local.reset


class File(Form):
    """a file of a web server, every day into a partition of its own"""
    name = "job_http_odps"
    every = "1 day"
    statement = "INSERT INTO target SELECT line, to_char($1, 'YYYYMMDD') FROM source"
    read = "SELECT line, dt FROM target"

    def source(self):
        command("oss", "create_bucket", bucket="logs", acl="public-read", replace=True)
        mctest.oss_put("raw/access.log", "".join("line %d|x\n" % i for i in range(50)), bucket="logs")
        self.session.sql("CREATE SERVER web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url '%s/logs');"
                         "CREATE FOREIGN TABLE source (line text) SERVER web OPTIONS (object 'raw/access.log', format 'line')" % OSS)

    def target(self):
        self.session.sql("CREATE FOREIGN TABLE target (line text, dt text) SERVER odps "
                         "OPTIONS (table 'target', write_mode 'overwrite')")

    def reset(self):
        odps_sql("DROP TABLE IF EXISTS demo.target")
        odps_sql("CREATE TABLE demo.target (line STRING) PARTITIONED BY (dt STRING)")


class OdpsSource(Form):
    every = "1 day"

    def source(self):
        odps_sql("CREATE TABLE demo.source (c1 STRING, c2 STRING) PARTITIONED BY (dt STRING)")
        for day in ("20180111", "20180112", "20180113"):
            odps_sql("ALTER TABLE demo.source ADD PARTITION (dt='%s')" % day)
            command("maxcompute", "generate", project="demo", table="source", partition="dt=" + day, profile="text10", rows=30, seed=int(day))
        self.session.sql("CREATE FOREIGN TABLE source (c1 text, c2 text, dt text) SERVER odps OPTIONS (table 'source')")


FROM_DAY = "FROM source WHERE dt = to_char($1, 'YYYYMMDD')"


class OdpsOss(OdpsSource, OssAppend):
    name = "job_odps_oss"
    start = "2018-01-11"
    statement = "INSERT INTO target SELECT c1, c2, dt " + FROM_DAY
    source = OdpsSource.source


class OdpsLocal(OdpsSource, Local):
    name = "job_odps_local"
    start = "2018-01-11"
    statement = "INSERT INTO target SELECT c1, c2 " + FROM_DAY
    source = OdpsSource.source


class OdpsOdps(OdpsSource):
    name = "job_odps_odps"
    start = "2018-01-11"
    statement = "INSERT INTO target SELECT c1, c2, dt " + FROM_DAY
    read = "SELECT c1, c2, pt FROM target"
    target = OdpsAppend.target
    reset = OdpsAppend.reset
    mode = "overwrite"


FORMS = {f.name: f for f in (OdpsAppend, OdpsCounted, OdpsOverwrite, OtsFence, OssFence, OssAppend, OssBig, OssTold, Local, Ots, FromOts, Stream,
                             StreamOss, FromOss, FromOssLocal, File, OdpsOss, OdpsLocal, OdpsOdps)}
