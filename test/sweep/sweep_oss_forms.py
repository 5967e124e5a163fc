"""The statements of the OSS sweep, what they start from, and what is right after them.
See sweep_oss.py, which has the faults.

What a table has is seen by the emulator's own list, never by the extension: for each
object its key, size and CRC-64.  In keys that an INSERT gave time and random part are
left out, so that two runs of a statement can be compared.
"""
import bz2
import gzip
import hashlib
import json
import re
import time

from mctest import (KEY, OSS, SERVERS, call, command, odps_content, oss_bucket, oss_get, oss_put, oss_uploads)
from sweep_ots_forms import KEY as OTS_KEY
from sweep_ots_forms import Form, Local, ToOdps, Write, prepare_source

SERVER = """
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw
  OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou', part_size '100kB', block_size '64kB', missing_ok 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')
""" % ((OSS,) + KEY)
OURS = re.compile(r"mc-\d{8}T\d{6}Z-[0-9a-f]{16}-")


def fill_bucket(objects):
    """A bucket of objects two hours old: a list that is a minute behind shows them"""
    oss_bucket("lake", acl="public-read")     # the sweep looks at lists itself
    call("clock", {"now": int(time.time()) - 7200})
    for key, data in objects.items():
        oss_put(key, data, "lake")
    call("clock", {"system": True})


def objects():
    """{key: (size, CRC-64)}"""
    return {o["key"]: (o["size"], o["crc64"]) for o in command("oss", "list", bucket="lake", limit=10000)["objects"]}


def plain(key):
    return OURS.sub("mc-", key)


def text(n, width=100):
    """n bytes or so that do not compress well, the same ones every time"""
    return "".join(hashlib.sha256(b"%d" % i).hexdigest() for i in range(n // 64 + 1))[:max(n, width)]


def lines(first, count, width, form="%d,%s\n"):
    body = text(count * width)
    return "".join(form % (first + i, body[i * width:(i + 1) * width]) for i in range(count))


# ---- reading: into a local table, all or nothing

SOURCES = {
    # four ranges, two, one, none, and the mark of a directory
    "csv/a.csv": lines(1, 2000, 110),
    "csv/b.csv": lines(3000, 1000, 90) + "4500,\"quoted, \"\"and\"\"\nbroken\"\n4501,\n4502,\"\"",
    "csv/c.csv": lines(5000, 5, 10),
    "csv/d.csv": "",
    "csv/dir/": "",
    "jl/dt=2024-01-01/x.jsonl": "".join(json.dumps({"id": i, "s": "line %d \u00e4" % i}) + "\n" for i in range(20)),
    "jl/dt=2024-01-02/x.jsonl": "".join(json.dumps({"id": i, "s": text(200) + str(i)}) + "\n" for i in range(400)),
    "jl/dt=2024-01-03/x.jsonl": '{"id": 1}\n',
    "one.txt": lines(1, 700, 120, "%d\t%s\n"),
}
SOURCES.update({"many/%02d.csv" % i: "%d,v%d\n" % (i, i) for i in range(7)})
GZIP = {
    # several members; two ranges
    "gz/a.csv.gz": gzip.compress(lines(1, 1400, 100).encode(), mtime=0) + gzip.compress(lines(2000, 300, 100).encode(), mtime=0),
    "gz/b.csv.bz2": bz2.compress(lines(4000, 50, 100).encode()),
    "gz/c.jsonl.gz": b"",
}
GZIP["gz/c.csv.gz"] = gzip.compress(b"")
del GZIP["gz/c.jsonl.gz"]


class OssRead(Local):
    """ranges, several objects, pages, directories that are pruned, one object by its key"""
    name = "oss_read"
    own_clock = False
    objects = dict(SOURCES)
    tables = """
CREATE FOREIGN TABLE csv (id int, s text) SERVER oss OPTIONS (prefix 'csv/');
CREATE FOREIGN TABLE jl (id int, s text, dt date) SERVER oss OPTIONS (prefix 'jl/dt={dt}/', format 'jsonl');
CREATE FOREIGN TABLE many (id int, s text) SERVER oss OPTIONS (prefix 'many/');
CREATE FOREIGN TABLE one (id int, s text) SERVER oss OPTIONS (object 'one.txt', format 'text')"""
    sql = """INSERT INTO target (what, n, b)
SELECT 'csv', id, s FROM csv UNION ALL SELECT 'jl', id, s FROM jl WHERE dt <= '2024-01-02'
UNION ALL SELECT 'many', id, s FROM many UNION ALL SELECT 'one', id, s FROM one"""
    rows = 2000 + 1003 + 5 + 420 + 7 + 700
    short_apis = ("ListObjectsV2", "GetObject", "HeadObject")
    short_forever = ("reset_after", "wrong_crc")

    def prepare(self, session):
        super().prepare(session)
        session.sql(SERVER + ";" + self.tables)
        command("oss", "set", page_keys=3)
        self.spoiled = True

    def reset(self):
        """a fault that changes objects sets 'spoiled'"""
        if self.spoiled:
            fill_bucket(self.objects)
            self.spoiled = False
        super().reset()

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert tag == self.rows, tag


class OssReadCompressed(OssRead):
    """streams that are uncompressed: several members in two ranges, another codec, nothing"""
    name = "oss_read_compressed"
    objects = dict(GZIP)
    tables = "CREATE FOREIGN TABLE gz (id int, s text) SERVER oss OPTIONS (prefix 'gz/')"
    sql = "INSERT INTO target (what, n, b) SELECT 'gz', id, s FROM gz"
    rows = 1400 + 300 + 50
    short_forever = ("reset_mid_body",)


# ---- writing

class OssWrite(Form):
    """An INSERT in append mode: objects of several parts, of one part, and kept ones"""
    name = "oss_write"
    also = {"40003"}
    holds_cancel = True
    own_clock = False
    appends = True          # a repetition adds to what was published
    reads = False           # TRUNCATE or overwrite: lists, looks and deletes
    old = {"w/p=a/old.csv": "1,old\n", "w/p=z/old.csv": "2,old\n", "wx/p=a/other.csv": "3,other\n"}
    options = ""
    sql = "INSERT INTO w SELECT g, repeat(md5(g::text), 4), chr(97 + least(g / 2100, 2)) FROM generate_series(1, 4230) g"
    rows = 4230
    short_apis = ("InitiateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload", "PutObject",
                  "ListObjectsV2", "HeadObject", "DeleteMultipleObjects", "DeleteObject", "AbortMultipartUpload")
    short_forever = ("reset_after", "stall_after")

    def prepare(self, session):
        super().prepare(session)
        session.sql(SERVER + "; CREATE FOREIGN TABLE w (id int, s text, p text) SERVER oss OPTIONS (prefix 'w/p={p}/'%s)" % self.options)
        command("oss", "set", page_keys=3)
        self.others()

    def others(self):
        """what the statement needs besides"""

    def reset(self):
        fill_bucket(self.old)

    # what there is: 'state' is everything, by plain keys; 'seen' the objects by their keys

    def content(self):
        self.seen = objects()
        state = {}
        for key, what in sorted(self.seen.items()):
            state.setdefault(plain(key), []).append(what)
        return state

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert tag == self.rows, tag
        self.new = {k: v for k, v in self.after.items() if v != self.before.get(k)}
        self.gone = [k for k in self.before if k not in self.after]
        assert all(len(v) == 1 for v in self.after.values()), self.after

    @staticmethod
    def differences(now, want):
        """None or what is wrong"""
        keys = sorted(k for k in set(now) | set(want) if now.get(k) != want.get(k))
        return "%d keys are wrong, such as %s: %s, not %s" % (len(keys), keys[0], now.get(keys[0]), want.get(keys[0])) if keys else None

    def wrong(self, out, tag):
        why = self.differences(self.content(), self.after)
        return why or (None if tag == self.count else "succeeded with count %s, not %d" % (tag, self.count))

    # ---- after a failure

    LISTS = re.compile(r"(?:DETAIL:  )?(Published|Not published|Unknown): (.*)\.$")
    ITEMS = re.compile(r", (?=oss://|deletion of |\S+ \(pt=)")
    ITEM = re.compile(r"oss://lake/(\S+) \(\d+ rows?(?:, upload \w+)?\)|deletion of (\d+) objects? of \"\w+\"(?: in (?:\d+ directories|(\S+)))?"
                      r"|(\S+ \(pt=[^)]*\)) \d+ rows in session \w+")

    def told(self, out):
        """{list: {"objects": [key], "deletions": [directory], "odps": [name], "rest": [...]}}, or None"""
        found = {}
        for line in out:
            m = self.LISTS.match(line)
            if not m:
                continue
            lists = {"objects": [], "deletions": [], "odps": [], "rest": []}
            for what in self.ITEMS.split(m.group(2)) if m.group(2) != "nothing" else ():
                item = self.ITEM.fullmatch(what)
                if not item:
                    lists["rest"].append("not understood: " + what)
                elif item.group(1):
                    lists["objects"].append(item.group(1))
                elif item.group(2):
                    lists["deletions"].append(item.group(3) or "")
                else:
                    lists["odps"].append(item.group(4))
            found[m.group(1)] = lists
        return found if len(found) == 3 else None

    def untrue(self, out):
        """what the three lists of 40003 say wrongly, object by object"""
        told = self.told(out)
        now = self.content()
        if told is None:
            return ["40003 without its three lists: %s" % out]
        wrong = [x for lists in told.values() for x in lists["rest"]]
        named = [plain(k) for lists in told.values() for k in lists["objects"]]
        if sorted(named) != sorted(self.new):
            wrong.append("named are %s, written are %s" % (sorted(named), sorted(self.new)))
        for word, lists in told.items():
            for key in lists["objects"]:
                there, want = self.seen.get(key), self.new.get(plain(key), [None])[0]
                replaced = self.before.get(key, [None])[0]
                right = {"Published": there == want, "Not published": there == replaced, "Unknown": there in (want, replaced)}[word]
                if not right:
                    wrong.append("%s is %s, said is %s" % (key, there, word))
            for directory in lists["deletions"]:
                old = [k for k in self.gone if k.startswith(directory)]
                left = [k for k in old if k in now]
                if not old or (word == "Published" and left) or (word == "Not published" and left != old):
                    wrong.append("of %s in \"%s\" are left %s, said is %s" % (old, directory, left, word))
        known = {k for lists in told.values() for k in lists["objects"]}
        for key in self.seen:
            if key not in known and key not in self.before:
                wrong.append("%s is there, and nobody tells" % key)
        scopes = [d for lists in told.values() for d in lists["deletions"]]
        for key, what in self.before.items():
            if now.get(key) != what and not any(key.startswith(d) and key in self.gone for d in scopes) and key not in self.new:
                wrong.append("%s is %s" % (key, now.get(key)))
        return wrong + self.untrue_elsewhere(told)

    def untrue_elsewhere(self, told):
        return ["%s" % lists["odps"] for lists in told.values() if lists["odps"]]

    def wrong_without_word(self, now):
        """nobody is left to tell: every object is whole, and nothing old is gone before all new ones are there"""
        state = self.content() if now is None else now
        for key, what in state.items():
            if what not in (self.before.get(key), self.after.get(key)):
                return "%s is neither as before nor complete: %s" % (key, what)
        missing = [k for k in self.new if state.get(k) != self.after[k]]
        lost = [k for k in self.gone if k not in state]
        if missing and lost:
            return "%s is not there, and %s is gone already" % (missing[0], lost[0])
        kept = [k for k in self.before if k not in self.gone and k not in self.new and k not in state]
        return "%s is gone" % kept[0] if kept else None

    def wrong_after_failure(self, out, state):
        if state == "40003":
            wrong = self.untrue(out)
            why = "40003, but %s: %s" % (wrong, out) if wrong else None
        elif state in ("57P01", "lost"):
            why = self.wrong_without_word(None)
        else:
            why = self.differences(self.content(), self.before)
            why = "%s, but the target changed: %s: %s" % (state, why, out) if why else None
        if self.appends and self.content() != self.before:
            self.reset()
        return why


class OssWriteJson(OssWrite):
    """compressed JSON lines, an object split by its size, and a header of nothing"""
    name = "oss_write_gzip"
    options = ", format 'jsonl', compression 'gzip', max_object_size '150kB'"
    sql = "INSERT INTO w SELECT g, md5(g::text) || md5((-g)::text), CASE WHEN g < 3 THEN 'b' ELSE 'a' END FROM generate_series(1, 6000) g"
    rows = 6000
    short_apis = ("UploadPart", "CompleteMultipartUpload")
    short_forever = ("http_500",)


class Replaces(OssWrite):
    appends = False
    reads = True
    old = dict({"w/p=a/old%d.csv" % i: "%d,old\n" % i for i in range(5)},
               **{"w/p=b/old.csv": "1,old\n", "w/p=c/sub/old.csv": "2,old\n", "w/p=z/old.csv": "3,old\n",
                  "w/p=ab/near.csv": "4,near\n", "wx/p=a/other.csv": "5,other\n"})


class OssOverwrite(Replaces):
    """write_mode 'overwrite': the old objects of the directories that got a row go last"""
    name = "oss_overwrite"
    options = ", write_mode 'overwrite'"
    short_apis = ("ListObjectsV2", "HeadObject", "CompleteMultipartUpload", "DeleteMultipleObjects", "DeleteObject")
    short_forever = ("reset_after", "apply_then_fail")

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        kept = sorted(k for k in self.before if k in self.after)
        assert kept[-2:] == ["w/p=z/old.csv", "wx/p=a/other.csv"] and "w/p=ab/near.csv" in kept, kept
        assert len(self.gone) in (6, 7), self.gone


class OssTruncate(Replaces):
    """TRUNCATE and INSERT in one transaction"""
    name = "oss_truncate"
    rows = 4230
    short_apis = ("ListObjectsV2", "DeleteMultipleObjects")
    short_forever = ("http_500",)

    def statement(self):
        return "DO $do$ BEGIN TRUNCATE w; %s; END $do$" % self.sql

    def tag(self, out):
        return self.rows

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert "wx/p=a/other.csv" in self.after and not any("old" in k for k in self.after), sorted(self.after)


class OssObject(Replaces):
    """one object with a key of its own is replaced in place"""
    name = "oss_object"
    old = {"one.csv": "1,old,x\n", "one.csv2": "2,other\n"}
    sql = "INSERT INTO one SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 1700) g"
    rows = 1700
    short_apis = ("InitiateMultipartUpload", "CompleteMultipartUpload")
    short_forever = ("reset_after",)

    def others(self):
        self.session.sql("CREATE FOREIGN TABLE one (id int, s text) SERVER oss OPTIONS (object 'one.csv', write_mode 'overwrite')")


class OssSavepoint(OssWrite):
    """what a savepoint takes back is not published, what is around it is"""
    name = "oss_savepoint"
    rows = 1710
    short_apis = ("InitiateMultipartUpload", "AbortMultipartUpload", "PutObject")
    short_forever = ("stall_after",)

    def statement(self):
        return """DO $do$ BEGIN
  INSERT INTO w SELECT g, 'first', 'a' FROM generate_series(1, 10) g;
  BEGIN
    INSERT INTO w SELECT g, repeat(md5(g::text), 4), 'b' FROM generate_series(1, 2000) g;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL; END;
  INSERT INTO w SELECT g, repeat(md5(g::text), 4), 'c' FROM generate_series(1, 1700) g;
END $do$"""

    def tag(self, out):
        return self.rows

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert sorted(self.new) == ["w/p=a/mc-00001.csv", "w/p=c/mc-00001.csv"], sorted(self.new)


class OssRollback(OssWrite):
    """a statement that fails, and a transaction that is rolled back: nothing ever appears"""
    name = "oss_rollback"
    also = {"22012", "25P02"}
    holds_cancel = False
    forgives = True
    short_apis = ("InitiateMultipartUpload", "UploadPart", "AbortMultipartUpload")
    short_forever = ("reset_after", "http_500", "stall_after")

    def statement(self):
        return ("INSERT INTO w SELECT 1 / (1990 - g), repeat(md5(g::text), 4), 'a' FROM generate_series(1, 2000) g;"
                "BEGIN; INSERT INTO w SELECT g, repeat(md5(g::text), 4), 'b' FROM generate_series(1, 2000) g;"
                "SAVEPOINT s; INSERT INTO w SELECT g, repeat(md5(g::text), 4), 'c' FROM generate_series(1, 1000) g;"
                "ROLLBACK TO s; INSERT INTO w VALUES (1, 'kept', 'a'); ROLLBACK")

    def tag(self, out):
        return 0

    def learn_after(self, out, tag):
        self.after, self.count, self.new, self.gone = self.content(), 0, {}, []
        assert self.after == self.before and any("22012" in x for x in out), (self.after, out)


# ---- from one service to another

class McAndOss(OssWrite):
    """one transaction publishes to MaxCompute and to OSS"""
    name = "mc_and_oss"
    sql = "INSERT INTO w SELECT g, repeat(md5(g::text), 4), chr(97 + least(g / 1700, 1)) FROM generate_series(1, 1710) g"
    rows = 1710
    short_apis = ("GetUpload", "CommitUpload", "CompleteMultipartUpload", "PutObject")
    short_forever = ("reset_after",)

    def others(self):
        command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        self.session.sql("CREATE FOREIGN TABLE mc (id bigint, pt text) SERVER odps OPTIONS (table 'target', write_mode 'overwrite')")

    def statement(self):
        return "DO $do$ BEGIN %s; INSERT INTO mc SELECT g, 'now' FROM generate_series(1, 100) g; END $do$" % self.sql

    def tag(self, out):
        return self.rows

    def reset(self):
        super().reset()
        for sql in ("DROP TABLE IF EXISTS demo.target", "CREATE TABLE demo.target (id BIGINT) PARTITIONED BY (pt STRING)",
                    "ALTER TABLE demo.target ADD PARTITION (pt='now')"):
            command("maxcompute", "sql", project="demo", sql=sql)
        command("maxcompute", "generate", project="demo", table="target", partition="pt=now", rows=30, seed=5)

    def content(self):
        return dict(super().content(), **{"maxcompute": [sorted(odps_content("target").items())]})

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        del self.new["maxcompute"]

    def untrue_elsewhere(self, told):
        now = self.content()["maxcompute"]
        wrong = []
        for word, lists in told.items():
            for name in lists["odps"]:
                before, after = now == self.before["maxcompute"], now == self.after["maxcompute"]
                if not {"Published": after, "Not published": before, "Unknown": before or after}[word]:
                    wrong.append("%s is %s, said is %s" % (name, now, word))
        if sum(len(lists["odps"]) for lists in told.values()) != 1:
            wrong.append("MaxCompute is not named once")
        return wrong

    def untrue(self, out):
        # the partition has its place in 'before' and 'after', and is no object
        return [x for x in super().untrue(out) if not x.startswith("maxcompute is ")]


class OtsToOss(OssWrite):
    """full export of a Tablestore table, one directory replaced"""
    name = "ots_to_oss"
    appends = False
    reads = True
    options = ", write_mode 'overwrite'"
    sql = "INSERT INTO w SELECT n, repeat(coalesce(b, k), 60), k FROM src"
    rows = 420
    old = {"w/p=k0/old.csv": "1,old\n", "w/p=k3/old.csv": "2,old\n"}
    short_apis = ("GetRange", "UploadPart", "CompleteMultipartUpload", "DeleteObject")
    short_forever = ("reset_after",)

    def others(self):
        prepare_source(self.session)


class OssToOts(Write):
    """restore: rows of objects to a Tablestore table; converges"""
    name = "oss_to_ots"
    own_clock = False
    sql = "INSERT INTO target SELECT 'k', id, id * 7, s FROM csv"
    objects = {"csv/a.csv": lines(30, 100, 20), "csv/b.csv": lines(130, 60, 1200)}
    short_apis = ("ListObjectsV2", "GetObject", "BatchWriteRow")
    short_forever = ("reset_after",)

    def prepare(self, session):
        super().prepare(session)
        session.sql(SERVER + "; CREATE FOREIGN TABLE csv (id int, s text) SERVER oss OPTIONS (prefix 'csv/')")
        self.spoiled = True

    def reset(self):
        super().reset()
        if getattr(self, "spoiled", True):
            fill_bucket(self.objects)
            self.spoiled = False


class OssToOdps(ToOdps):
    """objects to a partition that is overwritten"""
    name = "oss_to_maxcompute"
    columns = "k text, n bigint, a bigint, b text"
    sql = "INSERT INTO target SELECT 'k', id, length(s), s, 'now' FROM csv"
    objects = {"csv/a.csv": lines(30, 100, 20), "csv/b.csv": lines(130, 60, 1200)}
    short_apis = ("ListObjectsV2", "GetObject", "WriteBlock", "CommitUpload")

    def prepare(self, session):
        super().prepare(session)
        session.sql(SERVER + "; CREATE FOREIGN TABLE csv (id int, s text) SERVER oss OPTIONS (prefix 'csv/')")
        self.spoiled = True

    def reset(self):
        super().reset()
        if self.spoiled:
            fill_bucket(self.objects)
            self.spoiled = False


FORMS = {c.name: c for c in (OssRead, OssReadCompressed, OssWrite, OssWriteJson, OssOverwrite, OssTruncate, OssObject,
                             OssSavepoint, OssRollback, McAndOss, OtsToOss, OssToOts, OssToOdps)}
