"""What the extension writes to OSS and the SDKs, Python's modules and DuckDB read; what transactions leave; refusals; access."""
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import tempfile
import time

import duckdb
import oss2

from checks import equal, ok
from extension import run_sql
from mctest import KEY, OSS, Session, call, command
from oss_files import CODECS, COLUMNS, NAMES, TEXT_ESCAPES, make
from oss_judge import BUCKET, column_text, foreign, local, same_list, servers

# of the extension's words for compression the end of the keys
COMPRESSIONS = {"none": "", "gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst", "lz4": ".lz4", "snappy": ".snappy"}
ENDS = {"csv": ".csv", "text": ".txt", "jsonl": ".jsonl"}
csv.field_size_limit(1 << 24)


def bucket():
    return oss2.Bucket(oss2.AuthV4(*KEY), OSS, BUCKET, region="cn-hangzhou")


def listing(prefix):
    """key -> ETag, as an SDK sees it"""
    return {o.key: o.etag for o in oss2.ObjectIteratorV2(bucket(), prefix=prefix)}


def from_text(line):
    """The fields of a line of format text"""
    back = {v[1]: k for k, v in TEXT_ESCAPES.items()}
    return [None if f == "\\N" else re.sub(r"\\(.)", lambda m: back[m.group(1)], f, flags=re.S) for f in line.split("\t")]


def same_fields(name, got, want):
    """Rows of texts; tells the first that differs"""
    if got == want:
        return ok(name, bool(got), "no rows")
    if len(got) != len(want):
        return ok(name, False, "%d rows, want %d" % (len(got), len(want)))
    i, g, w = next((i, g, w) for i, (g, w) in enumerate(zip(got, want)) if g != w)
    ok(name, False, "row %d: %s" % (i, "; ".join("%s: %.100r, want %.100r" % (n, a, b) for n, a, b in zip(NAMES, g, w) if a != b) or "%d fields, want %d" % (len(g), len(w))))


def by_duckdb(data, how):
    """Rows as DuckDB reads them from a file"""
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        with duckdb.connect() as c:
            return [list(r) for r in c.execute(how % f.name).fetchall()]


def write_files(s, run, languages):
    """Every format and compression: the same bytes by every SDK, the same values by readers that are not PostgreSQL"""
    servers(s)
    local(s, make(300))
    want = [json.loads(x) for x in column_text(s, "SELECT to_json(ARRAY[%s])::text FROM want ORDER BY id" % ", ".join("CASE WHEN %s IS NOT NULL THEN format('%%s', %s) END" % (n, n) for n in NAMES))]
    documents = column_text(s, "SELECT row_to_json(want)::text FROM want ORDER BY id")
    for fmt in ENDS:
        for compression in COMPRESSIONS:
            foreign(s, "o", COLUMNS, "prefix 'out/%s/%s/', format '%s', compression '%s', part_size '100kB'" % (fmt, compression, fmt, compression))
            run_sql(s, "INSERT INTO o SELECT * FROM want ORDER BY id")
    read = {language: run(language, "oss", "read", BUCKET, "out/") for language in languages}
    first = read[languages[0]]
    for language in languages[1:]:
        for a, b in zip(read[language], first):
            same_list("%s reads %s" % (language, b["key"]), [a[k] for k in ("key", "data", "type", "content_type")] + [a["etag"].upper(), sorted(a["meta"].items())],
                      [b[k] for k in ("key", "data", "type", "content_type")] + [b["etag"].upper(), sorted(b["meta"].items())])
    equal("one object each", [x["key"].split("/")[1:3] for x in first], [[f, c] for f in sorted(ENDS) for c in sorted(COMPRESSIONS)])
    for x in first:
        _, fmt, compression, name = x["key"].split("/")
        where = "%s, %s" % (fmt, compression)
        data = base64.b64decode(x["data"])
        ok("name of " + where, re.fullmatch(r"mc-\d{8}T\d{6}Z-[0-9a-f]{16}-00001" + re.escape(ENDS[fmt] + COMPRESSIONS[compression]), name), name)
        equal("type of " + where, x["content_type"], {"csv": "text/csv", "text": "text/plain", "jsonl": "application/x-ndjson"}[fmt] if compression == "none" else "application/octet-stream")
        ok("token of " + where, re.fullmatch("[0-9a-f]{32}", x["meta"].get("mc-token", "")), x["meta"])
        if len(data) < 102400:
            equal("ETag of " + where, (x["type"], x["etag"].upper()), ("Normal", hashlib.md5(data).hexdigest().upper()))
        else:
            ok("ETag of " + where, x["type"] == "Multipart" and re.fullmatch(r"[0-9A-F]{32}-\d+", x["etag"].upper()), x)
        data = CODECS[COMPRESSIONS[compression] if compression != "snappy" else ".sz"][1](data)
        text = data.decode()
        if fmt == "csv":
            same_fields("Python's csv: " + where, list(csv.reader(io.StringIO(text, newline=""), strict=True)), [[v or "" for v in row] for row in want])
            if compression in ("none", "gzip"):
                same_fields("DuckDB: " + where, by_duckdb(data, "FROM read_csv('%%s', auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
                            "allow_quoted_nulls = false, new_line = '\\n', columns = {%s})" % ", ".join("'%s': 'VARCHAR'" % n for n in NAMES)), want)
        elif fmt == "text":
            same_fields("decoded: " + where, [from_text(line) for line in text[:-1].split("\n")], want)
        else:
            numbers = {"parse_float": str, "parse_int": str, "parse_constant": str}
            same_fields("Python's json: " + where, [list(json.loads(line, **numbers).values()) for line in text[:-1].split("\n")],
                        [list(json.loads(line, **numbers).values()) for line in documents])
            if compression == "none":
                some = [NAMES.index(n) for n in ("id", "i8", "b", "t", "v", "u")]
                same_fields("DuckDB: " + where, by_duckdb(data, "SELECT id::text, i8::text, CASE b WHEN true THEN 't' WHEN false THEN 'f' END, t, v, u FROM read_json('%s', "
                            "format = 'newline_delimited', columns = {'id': 'INT', 'i8': 'BIGINT', 'b': 'BOOLEAN', 't': 'VARCHAR', 'v': 'VARCHAR', 'u': 'VARCHAR'})"),
                            [[row[i] for i in some] for row in want])


def options(s, run, languages):
    """Other forms of csv and text, and encodings, for Python's csv module"""
    servers(s)
    rows = [["1", "plain"], ["2", None], ["3", ""], ["4", 'semi;colon "q" \'s\''], ["5", "line\nfeed"], ["6", "é中文"], ["7", "NULL"]]
    values = ", ".join("(%s, %s)" % (i, "NULL" if v is None else "'" + v.replace("'", "''") + "'") for i, v in rows)
    forms = [("semicolons and apostrophes", "delimiter ';', quote ''''", {"delimiter": ";", "quotechar": "'"}, ""), ("a null text", "null 'nil'", {}, "nil"),
                                     ("a header", "header 'true'", {}, ""), ("escape", "escape E'\\\\'", {"escapechar": "\\", "doublequote": False}, ""),
                                     ("GB18030", "encoding 'GB18030'", {}, ""), ("bars", "format 'csv', delimiter '|', null '-'", {"delimiter": "|"}, "-")]
    for name, more, _, _ in forms:
        foreign(s, "o", "id int, v text", "object 'options/%s.csv', %s" % (name, more))
        run_sql(s, "INSERT INTO o VALUES " + values)
    for language in languages:
        files = {x["key"]: base64.b64decode(x["data"]) for x in run(language, "oss", "read", BUCKET, "options/")}
        for name, _, kind, marked in forms:
            data = files["options/%s.csv" % name].decode("gb18030" if name == "GB18030" else "utf-8")
            got = list(csv.reader(io.StringIO(data, newline=""), strict=True, **kind))
            equal("%s: %s" % (language, name), got, ([["id", "v"]] if name == "a header" else []) + [[i, marked if v is None else v] for i, v in rows])


def hive(text):
    """A value as Hive escapes it in the name of a directory"""
    return "__HIVE_DEFAULT_PARTITION__" if text is None else "".join("%%%02X" % ord(c) if c in "\"#%'*/:=?\\{[]^" or ord(c) < 32 or ord(c) == 127 else c for c in text)


def directories(s, run, languages):
    """Path columns: directories as SDKs and DuckDB see them"""
    servers(s)
    names = ["plain", "a b", "x/y", "q=1", "50%", "é中文", "+&;,", "*?[]{}^", "new\nline", None]
    days = ["2026-01-01", "2026-12-31", None]
    rows = [[str(i), d, n] for i, (d, n) in enumerate((d, n) for d in days for n in names)]
    foreign(s, "o", "id int, dt date, n text", "prefix 'hive/dt={dt}/n={n}/'")
    run_sql(s, "INSERT INTO o VALUES " + ", ".join("(%s, %s, %s)" % (i, d and "'%s'" % d or "NULL", "NULL" if n is None else "'%s'" % n) for i, d, n in rows))
    want = sorted((("hive/dt=%s/n=%s/" % (hive(d), hive(n))), i + "\n") for i, d, n in rows)
    for language in languages:
        got = [(x["key"].rpartition("/")[0] + "/", base64.b64decode(x["data"]).decode()) for x in run(language, "oss", "read", BUCKET, "hive/")]
        same_list(language + " reads directories", sorted(got), want)
    equal("walked with a delimiter", [o.key for o in oss2.ObjectIteratorV2(bucket(), prefix="hive/", delimiter="/") if o.is_prefix()],
          sorted("hive/dt=%s/" % hive(d) for d in days))
    with tempfile.TemporaryDirectory() as d:
        for key in listing("hive/"):
            os.makedirs(os.path.dirname(os.path.join(d, key)), exist_ok=True)
            bucket().get_object_to_file(key, os.path.join(d, key))
        with duckdb.connect() as c:
            got = c.execute("SELECT id::text, dt::text, n::text FROM read_csv('%s/hive/**/*.csv', hive_partitioning = true, hive_types = {'dt': VARCHAR, 'n': VARCHAR}, header = false, "
                            "auto_detect = false, columns = {'id': 'INT'}) ORDER BY id" % d).fetchall()
        # it takes the name for NULL as it is when the column is declared
        equal("DuckDB reads directories", [list(r) for r in got], [[v or "__HIVE_DEFAULT_PARTITION__" for v in row] for row in rows])
    # a file that DuckDB wrote in directories
    with tempfile.TemporaryDirectory() as d:
        with duckdb.connect() as c:
            c.execute("COPY (SELECT i AS id, 'v' || i AS v, 'p ' || i %% 3 AS p FROM range(1000) t(i)) TO '%s/by' (FORMAT csv, PARTITION_BY (p), HEADER false)" % d)
        for path, _, files in os.walk(d):
            for f in files:
                full = os.path.join(path, f)
                bucket().put_object_from_file(os.path.relpath(full, d), full)
    foreign(s, "o", "id int, v text, p text OPTIONS (partition 'p')", "prefix 'by/'")
    equal("extension reads directories of DuckDB", s.sql("SELECT p, count(*), sum(id), count(*) FILTER (WHERE v <> 'v' || id) FROM o GROUP BY p ORDER BY p"),
          ["p %d|%d|%d|0" % (p, len(range(p, 1000, 3)), sum(range(p, 1000, 3))) for p in range(3)])


def transactions(s, run, languages):
    """Commit, rollback, errors, overwrite and TRUNCATE, as the listings of the SDKs show them"""
    servers(s)
    b = bucket()
    uploads = lambda: [u.key for u in oss2.MultipartUploadIterator(b)]
    for key in ("modes/dt=1", "modes/dt=10/old.csv", "modes2/dt=1/x.csv", "modes/dt=1/old.csv", "modes/dt=1/deep/old.csv", "modes/dt=2/old.csv"):
        b.put_object(key, b"0,old\n")
    before = listing("modes")
    foreign(s, "o", "id int, v text, dt text", "prefix 'modes/dt={dt}/', part_size '100kB'")
    big = "INSERT INTO o SELECT g, repeat(md5(g::text), 20), g %% 2 + 1 FROM generate_series(1, %d) g"
    # until COMMIT there are only uploads
    s.sql("BEGIN; " + big % 2000)
    equal("nothing is visible before COMMIT", listing("modes"), before)
    for language in languages:
        same_list("%s lists the uploads" % language, [x["key"].rpartition("/")[0] for x in run(language, "oss", "uploads", BUCKET)], ["modes/dt=1", "modes/dt=2"])
    s.sql("ROLLBACK")
    equal("ROLLBACK leaves what was", (listing("modes"), uploads()), (before, []))
    out, state = s.try_sql("INSERT INTO o SELECT g, repeat(md5(g::text), 20), 1 / (3000 - g) FROM generate_series(1, 4000) g")
    equal("an error leaves what was", (state, listing("modes"), uploads()), ("22012", before, []))
    s.sql("BEGIN; SAVEPOINT a; " + big % 1000 + "; ROLLBACK TO a; INSERT INTO o VALUES (1, 'kept', '3'); COMMIT")
    after = listing("modes")
    equal("a savepoint", ({k: v for k, v in after.items() if "/dt=3/" not in k}, sum("/dt=3/" in k for k in after), uploads()), (before, 1, []))
    # overwrite: the directories that get a row
    s.sql("SET mc_fdw.write_mode = 'overwrite'; " + big % 500 + "; RESET mc_fdw.write_mode")
    new = listing("modes")
    equal("overwrite leaves siblings", {k for k in new if "mc-" not in k}, {"modes/dt=1", "modes/dt=10/old.csv", "modes2/dt=1/x.csv"})
    equal("overwrite: one new object in each", sorted(k.rpartition("/")[0] for k in new if "mc-" in k), ["modes/dt=1", "modes/dt=2", "modes/dt=3"])
    equal("other directories are as they were", all(new[k] == after[k] for k in new if k in after), True)
    equal("no uploads", uploads(), [])
    # as a whole
    s.sql("BEGIN; TRUNCATE o; INSERT INTO o VALUES (7, 'seven', '7')")
    equal("TRUNCATE waits for COMMIT", listing("modes"), new)
    s.sql("COMMIT")
    last = listing("modes")
    equal("TRUNCATE and INSERT", ([k.rpartition("/")[0] for k in last if "mc-" in k], {k for k in last if "mc-" not in k}), (["modes/dt=7"], {"modes/dt=1", "modes2/dt=1/x.csv"}))
    for language in languages:
        got = run(language, "oss", "read", BUCKET, "modes/dt=7/")
        equal("%s reads what is left" % language, [base64.b64decode(x["data"]) for x in got], [b"7,seven\n"])
    s.sql("BEGIN; TRUNCATE o; INSERT INTO o VALUES (8, 'eight', '8'); ROLLBACK")
    equal("TRUNCATE is rolled back", listing("modes"), last)
    # one object
    b.put_object("single.csv", b"1,old\n")
    foreign(s, "o", "id int, v text", "object 'single.csv', part_size '100kB'")
    out, state = s.try_sql("INSERT INTO o VALUES (2, 'new')")
    equal("an object is not added to", (state, b.get_object("single.csv").read()), ("42710", b"1,old\n"))
    s.sql("SET mc_fdw.write_mode = 'overwrite'; INSERT INTO o SELECT g, repeat('x', 1000) FROM generate_series(1, 300) g; RESET mc_fdw.write_mode")
    equal("it is replaced", (b.head_object("single.csv").object_type, b.get_object("single.csv").read()), ("Multipart", b"".join(b"%d,%s\n" % (g, b"x" * 1000) for g in range(1, 301))))
    # size of objects
    foreign(s, "o", "id int, v text", "prefix 'split/', max_object_size '250kB', part_size '100kB'")
    s.sql("INSERT INTO o SELECT g, repeat('y', 1000) FROM generate_series(1, 1000) g")
    for language in languages:
        got = run(language, "oss", "read", BUCKET, "split/")
        equal("%s reads objects of a limited size" % language, b"".join(base64.b64decode(x["data"]) for x in got), b"".join(b"%d,%s\n" % (g, b"y" * 1000) for g in range(1, 1001)))
        ok("they are several", 4 <= len(got) <= 8 and [x["key"][-10:] for x in got] == ["-%05d.csv" % (i + 1) for i in range(len(got))], [x["key"] for x in got])
    # a lost backend
    other = Session()
    other.sql("SET client_min_messages = warning; BEGIN; INSERT INTO o SELECT g, repeat('z', 1000) FROM generate_series(1, 1000) g")
    ok("uploads of a running transaction", uploads(), "none")
    s.sql("SELECT pg_terminate_backend(%d)" % other.pid)
    end = time.monotonic() + 10
    while uploads() and time.monotonic() < end:
        time.sleep(0.1)
    other.close()
    equal("a terminated backend leaves nothing", (uploads(), len(listing("split/"))), ([], len(got)))
    # what a crash leaves: an upload of the form of ours, beside one of somebody else
    left, theirs = "split/mc-20200101T000000Z-0123456789abcdef-00001.csv", "split/theirs.csv"
    for key in (left, theirs):
        b.upload_part(key, b.init_multipart_upload(key).upload_id, 1, b"x")
    for language in languages:
        same_list("%s lists uploads that were left" % language, [x["key"] for x in run(language, "oss", "uploads", BUCKET)], [left, theirs])
    equal("mc.orphaned_uploads", s.sql("SELECT key, ours FROM mc.orphaned_uploads('oss_v4', '0')"), [left + "|t"])
    equal("those of everybody", s.sql("SELECT key, ours FROM mc.orphaned_uploads('oss_v4', '0', true)"), [left + "|t", theirs + "|f"])
    equal("not yet a day old", s.sql("SELECT count(*) FROM mc.orphaned_uploads('oss_v4')"), ["0"])
    equal("mc.cleanup_uploads", (s.sql("SELECT mc.cleanup_uploads('oss_v4', '0')"), uploads()), (["1"], [theirs]))
    for u in oss2.MultipartUploadIterator(b):
        b.abort_multipart_upload(u.key, u.upload_id)


def access(s, run, languages):
    """Temporary keys, public buckets, links and copies that an SDK made"""
    servers(s)
    b = bucket()
    b.put_object("access/a.csv", b"1,one\n")
    b.put_symlink("access/a.csv", "access/link.csv")
    b.copy_object(BUCKET, "access/a.csv", "access/copied.csv")
    foreign(s, "f", "id int, v text, o text OPTIONS (field '__object__')", "prefix 'access/'")
    equal("link and copy", s.sql("SELECT o, id, v FROM f ORDER BY o"), ["access/%s.csv|1|one" % x for x in ("a", "copied", "link")])
    for how in ("oss_v4", "oss_v1"):
        user = lambda token: s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (SET access_key_id '%s', SET access_key_secret '%s'%s)" % (
            (how,) + (("sts-id", "sts-secret", ", ADD security_token '%s'" % token) if token else KEY + (", DROP security_token",))))
        foreign(s, "f", "id int, v text", "object 'access/%s.csv'" % how, how)
        user("sts-token")
        s.sql("INSERT INTO f VALUES (1, 'by a temporary key')")
        equal("%s: a temporary key" % how, (s.sql("SELECT * FROM f"), b.get_object("access/%s.csv" % how).read()), (["1|by a temporary key"], b"1,by a temporary key\n"))
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (SET security_token 'wrong')" % how)
        out, state = s.try_sql("SELECT * FROM f")
        ok("%s: a wrong token" % how, state == "28000" and any("InvalidSecurityToken" in x for x in out), out)
        user(None)
    # a host of the bucket's own
    command("oss", "cname", host="own.localhost", bucket=BUCKET)
    s.sql("DROP SERVER IF EXISTS oss_own CASCADE; CREATE SERVER oss_own FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket '%s', url_style 'cname', region 'cn-hangzhou');"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER oss_own OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS.replace("127.0.0.1", "own.localhost"), BUCKET) + KEY))
    foreign(s, "f", "id int, v text", "object 'access/own.csv'", "oss_own")
    s.sql("INSERT INTO f VALUES (1, 'own')")
    equal("a host of the bucket's own", (s.sql("SELECT * FROM f"), b.get_object("access/own.csv").read()), (["1|own"], b"1,own\n"))
    s.sql("DROP SERVER oss_own CASCADE")
    s.sql("DROP SERVER IF EXISTS oss_anyone CASCADE; CREATE SERVER oss_anyone FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'judged-public', url_style 'path')" % OSS)
    p = oss2.Bucket(oss2.AuthV4(*KEY), OSS, "judged-public", region="cn-hangzhou")
    p.create_bucket("private")
    p.put_object("p/a.csv", b"1,public\n")
    foreign(s, "f", "id int, v text", "prefix 'p/'", "oss_anyone")
    refused(s, "anonymous", "SELECT * FROM f", "42501", "AccessDenied", "0003-00000001")
    p.put_bucket_acl("public-read")
    equal("anyone reads", s.sql("SELECT * FROM f"), ["1|public"])
    refused(s, "anonymous write", "INSERT INTO f VALUES (2, 'x')", "42501", "AccessDenied", "0003-00000001")
    p.put_bucket_acl("public-read-write")
    s.sql("INSERT INTO f VALUES (2, 'by anyone')")
    equal("anyone writes", sorted(p.get_object(o.key).read() for o in oss2.ObjectIteratorV2(p, prefix="p/")), [b"1,public\n", b"2,by anyone\n"])
    s.sql("DROP SERVER oss_anyone CASCADE")


def refused(s, name, sql, state, code, ec=None):
    """DETAIL has what the SDKs tell of a refusal: its code, the id of the request and the EC"""
    out, got = s.try_sql(sql)
    equal("extension: " + name, got, state)
    ok("extension: a HINT for " + name, any(x.startswith("HINT: ") for x in out), out)
    detail = next((x for x in out if x.startswith("DETAIL: ")), "")
    ok("extension: DETAIL of " + name, code in detail and re.search(r"\b[0-9A-F]{24}\b", detail) and (ec is None or ec in detail), out)


def errors(s, run, languages):
    """The same refusal on both sides"""
    servers(s)
    bucket().put_object("errors/a.csv", b"1,one\n")
    fault = lambda action, **more: [dict(more, service="oss", action=action)]
    cases = [("a missing bucket", "judged-none", KEY, [], "NoSuchBucket", "0015-00000101", "HV00R"), ("a wrong secret", BUCKET, (KEY[0], "wrong"), [], "SignatureDoesNotMatch", "0002-00000040", "28P01"),
             ("an unknown key", BUCKET, ("nobody", "x"), [], "InvalidAccessKeyId", "0002-00000902", "28000"), ("an expired token", BUCKET, KEY, fault("token_expired"), "SecurityTokenExpired", None, "28000"),
             ("a right that is missing", BUCKET, KEY, fault("status", http=403, code="AccessDenied"), "AccessDenied", None, "42501"),
             ("path style", BUCKET, KEY, fault("status", http=403, code="SecondLevelDomainForbidden"), "SecondLevelDomainForbidden", None, "HV024")]
    for name, where, key, faults, code, ec, state in cases:
        b = oss2.Bucket(oss2.AuthV4(*key), OSS, where, region="cn-hangzhou")
        call("faults", faults)
        seen = []
        for ask in (lambda: b.get_object("errors/a.csv"), lambda: b.put_object("errors/b.csv", b"x"), b.list_objects_v2):
            try:
                ask()
                seen.append(None)
            except oss2.exceptions.ServerError as e:
                seen.append(e.code)
        equal("oss2: " + name, seen, [code] * 3)
        s.sql("DROP SERVER IF EXISTS oss_refused CASCADE; CREATE SERVER oss_refused FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket '%s', url_style 'path', region 'cn-hangzhou'); "
              "CREATE USER MAPPING FOR CURRENT_USER SERVER oss_refused OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS, where) + tuple(key)))
        for what, sql in (("object 'errors/a.csv'", "SELECT * FROM f"), ("prefix 'errors/'", "SELECT * FROM f"), ("prefix 'errors/'", "INSERT INTO f VALUES (1, 'x')")):
            foreign(s, "f", "id int, v text", what, "oss_refused")
            refused(s, "%s, %s of %s" % (name, sql[:6], what.split(" ")[0]), sql, state, code, ec)
        call("faults", [])
    s.sql("DROP SERVER oss_refused CASCADE")
    foreign(s, "f", "id int, v text", "object 'errors/none.csv'")
    refused(s, "a missing object", "SELECT * FROM f", "58P01", "NoSuchKey", "0026-00000001")
    # what passes is not seen
    for action in ("throttle", "time_skewed", "reset_before", "corrupt_body"):
        call("faults", [{"service": "oss", "action": action, "count": 1}])
        foreign(s, "f", "id int, v text", "object 'errors/a.csv'")
        equal("again after " + action, s.sql("SELECT * FROM f"), ["1|one"])
    call("faults", [])


def told(b, root):
    """Manifests as a reader finds them by the SDK, by name; none without a success file"""
    found = oss2.ObjectIteratorV2(b, prefix=root + "_mc_manifest/")
    return {o.key[len(root + "_mc_manifest/"):-len(".json")]: json.loads(b.get_object(o.key).read()) for o in found} if b.object_exists(root + "_SUCCESS") else {}


def rows_of(key, data):
    if key.endswith(".gz"):
        data = gzip.decompress(data)
    return len(data.decode().splitlines() if ".jsonl" in key else list(csv.reader(io.StringIO(data.decode(), newline=""))))


def judge_manifest(name, b, root, manifest, read):
    """Each object of it is what the SDKs read and what the service says; it names all there are, and no others"""
    there = {k: e for k, e in listing(root).items() if "/_mc_manifest/" not in k and not k.endswith("/_SUCCESS")}
    equal(name + ": keys and ETags", {o["key"]: o["etag"] for o in manifest["objects"]}, there)
    for o in manifest["objects"]:
        got = b.get_object(o["key"])
        data = got.read()
        crc = oss2.utils.Crc64()
        crc.update(data)
        equal("%s: %s" % (name, o["key"]), (o["size"], o["crc64"], o["crc64"], o["rows"]),
              (len(data), got.headers["x-oss-hash-crc64ecma"], str(crc.crc), rows_of(o["key"], data)))
        for language, objects in read.items():
            equal("%s: %s by %s" % (name, o["key"], language), (objects[o["key"]]["etag"].strip('"').upper(), base64.b64decode(objects[o["key"]]["data"])), (o["etag"], data))
    equal(name + ": rows", manifest["rows"], sum(o["rows"] for o in manifest["objects"]))
    equal(name + ": bucket", manifest["bucket"], b.bucket_name)


def manifests(s, run, languages):
    """Option manifest and success_file of transactions and of a job: the SDKs read what the manifest names"""
    servers(s)
    b = bucket()
    def read(root):
        return {language: {x["key"]: x for x in run(language, "oss", "read", BUCKET, root)} for language in languages}
    # objects of one Put and of several parts, keys that must be encoded, records of several lines
    foreign(s, "told", "id int, v text, p text", "prefix 'told/p={p}/', format 'csv', part_size '100kB', write_mode 'overwrite', manifest 'true', success_file 'true'")
    s.sql("INSERT INTO told SELECT g, CASE g % 3 WHEN 0 THEN repeat(md5(g::text), 20) ELSE E'\"q\"\\nsecond' END, "
          "(ARRAY['many parts', 'a+b %/\u4e2d', 'x'])[g % 3 + 1] FROM generate_series(1, 900) g")
    [(name, first)] = told(b, "told/").items()
    equal("told by a transaction", (first["job"], first["replaces"], first["rows"], sorted("-" in o["etag"] for o in first["objects"])), (None, "directories", 900, [False, False, True]))
    judge_manifest("transaction", b, "told/", first, read("told/"))
    equal("empty success file", (b.head_object("told/_SUCCESS").content_length, b.get_object("told/_SUCCESS").read()), (0, b""))
    s.sql("BEGIN; TRUNCATE told; INSERT INTO told VALUES (1, NULL, 'x'), (2, '', NULL); COMMIT")
    equal("the old manifest does not hold", [b.object_exists(o["key"]) for o in first["objects"]], [False] * 3)
    [second] = [m for statement, m in told(b, "told/").items() if statement != name]
    equal("two manifests", (first["statement"], second["replaces"]), (name, "table"))
    judge_manifest("TRUNCATE and INSERT", b, "told/", second, read("told/"))
    # windows of a job
    foreign(s, "told_job", "id int, v text", "prefix 'toldjob/', format 'jsonl', compression 'gzip', write_mode 'overwrite', manifest 'true', success_file 'true'")
    s.sql("CREATE TABLE told_source (at timestamptz, id int); INSERT INTO told_source SELECT '2025-03-01 00:00+00'::timestamptz + g * interval '1 second', g FROM generate_series(0, 599) g;"
          "SELECT mc.create_job('told', $j$INSERT INTO told_job SELECT id, md5(id::text) FROM told_source WHERE at >= '2025-03-01 00:00+00' AND at < $2 AND $1 < $2$j$, '5 min', "
          "start => '2025-03-01 00:00+00', overwrite_scope => 'snapshot')")
    for seq in (1, 2):
        s.sql("CALL mc.run_job('told', max_windows => 1)")
        manifest = told(b, "toldjob/")[str(seq)]
        equal("window %d" % seq, (manifest["job"], manifest["seq"], manifest["rows"], manifest["replaces"]), ("told", seq, 300 * seq, "table"))
        judge_manifest("window %d" % seq, b, "toldjob/", manifest, read("toldjob/"))
    s.sql("SELECT mc.drop_job('told')")


CHECKS = [write_files, options, directories, transactions, manifests, access, errors]
