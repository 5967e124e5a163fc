"""What the SDKs write to OSS and the extension reads: every format, compression and way of upload, strange keys, many objects."""
import base64
import json

import oss2

from checks import equal, ok
from extension import quote, run_sql
from mctest import KEY, OSS, command
from oss_files import CODECS, COLUMNS, NAMES, csv_file, jsonl_file, make, text_file, values_sql
from oss_values import STRANGE

BUCKET = "judged"
ZONES = ("Asia/Shanghai", "America/St_Johns")
SERVERS = {"oss_v4": (OSS, "path", ", region 'cn-hangzhou'"), "oss_v1": (OSS, "path", ""), "oss_host": (OSS.replace("127.0.0.1", "localhost"), "virtual", ", region 'cn-hangzhou'")}
# what carries the requests of these SDKs takes dots out of paths
NO_DOTS = ("python-v2", "java", "node")


def servers(s):
    if not s.sql("SELECT 1 FROM pg_foreign_server WHERE srvname = 'oss_v4'"):
        command("oss", "create_bucket", bucket=BUCKET, replace=True)
        for name, (endpoint, style, more) in SERVERS.items():
            s.sql("CREATE SERVER %s FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket '%s', url_style '%s'%s);"
                  "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((name, endpoint, BUCKET, style, more, name) + KEY))
    s.sql("SET client_min_messages = warning; SET TimeZone = 'UTC'")


def foreign(s, name, columns, options, server="oss_v4"):
    """columns: SQL, or the list of COLUMNS"""
    if not isinstance(columns, str):
        columns = ", ".join("%s %s" % c[:2] for c in columns)
    s.sql("SET client_min_messages = warning; DROP FOREIGN TABLE IF EXISTS %s; CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (%s)" % (name, name, columns, server, options))


def column_text(s, what):
    """The rows of a query with one text column"""
    return [json.loads(x) for x in run_sql(s, "SELECT to_json(x) FROM (%s) AS q(x)" % what) if x.startswith('"') or x == "null" or x == ""]


def local(s, rows, columns=COLUMNS):
    """The same values as literals, in a table"""
    run_sql(s, "DROP TABLE IF EXISTS want; CREATE TABLE want AS SELECT * FROM (VALUES %s) AS v(%s)" % (values_sql(rows, columns), ", ".join(n for n, _, _ in columns)))


def same_rows(s, name, table, columns=COLUMNS):
    """Every value as text; tells the first that differ"""
    fields = "id::text || ' ' || to_json(ARRAY[%s])" % ", ".join("%s::text" % n for n, _, _ in columns)
    got, want = (column_text(s, "SELECT %s FROM %s ORDER BY id" % (fields, t)) for t in (table, "want"))
    if got == want:
        return ok(name, bool(got), "no rows")
    if len(got) != len(want):
        return ok(name, False, "%d rows, want %d" % (len(got), len(want)))
    i, g, w = next((i, g, w) for i, (g, w) in enumerate(zip(got, want)) if g != w)
    g, w = (json.loads(x.split(" ", 1)[1]) for x in (g, w))
    return ok(name, False, "row %d: " % i + "; ".join("%s %s: %.150r, want %.150r" % (c[:2] + (a, b)) for c, a, b in zip(columns, g, w) if a != b))


def same_list(name, got, want):
    """Tells what is too much, what is missing and the first place"""
    if got == want:
        return ok(name, True)
    place = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), min(len(got), len(want)))
    return ok(name, False, "%d, want %d; too much %.200r, missing %.200r; at %d: %.100r, want %.100r" % (
        len(got), len(want), sorted(set(got) - set(want)), sorted(set(want) - set(got)), place, got[place:place + 1], want[place:place + 1]))


def as_jsonl(rows):
    """null is NULL, also in json; line breaks between tokens are blanks"""
    at = NAMES.index("j")
    out = []
    for row in rows:
        row = list(row)
        row[at] = None if row[at] == "null" else row[at] and row[at].replace("\n", " ")
        out.append(row)
    return out


def variants(rows):
    """name: (suffix, content, options of the table, columns)"""
    plain = csv_file(rows)
    short = [c for c in COLUMNS if c[0] in ("id", "t", "i8")]
    picked = [[r[NAMES.index(n)] for n, _, _ in short] for r in rows]
    gbk = [[r[0], (r[NAMES.index("t")] or "").encode("gbk", "ignore").decode("gbk") or None] for r in rows]
    out = {"csv" + suffix: (".csv" + suffix, pack(plain), "", COLUMNS, rows) for suffix, (pack, _) in CODECS.items()}
    out["header, BOM, CRLF"] = (".csv", b"\xef\xbb\xbf" + csv_file(rows, header=NAMES, lineterminator="\r\n"), ", header 'match'", COLUMNS, rows)
    out["by name"] = (".csv", csv_file([r[::-1] for r in picked], header=[n for n, _, _ in short][::-1]), ", header 'true', match_by 'name'", short, picked)
    out["semicolons"] = (".csv", csv_file(picked, delimiter=";"), ", delimiter ';'", short, picked)
    out["no last line end"] = (".csv", csv_file(rows)[:-1], "", COLUMNS, rows)
    out["GBK"] = (".csv", csv_file(gbk).decode().encode("gbk"), ", encoding 'GBK'", [COLUMNS[0], ("t", "text", None)], gbk)
    out["text"] = (".txt", text_file(rows), ", format 'text'", COLUMNS, rows)
    out["text, CRLF"] = (".txt.gz", CODECS[".gz"][0](text_file(rows, "\r\n")), ", format 'text'", COLUMNS, rows)
    out["jsonl"] = (".jsonl", jsonl_file(rows, False, False), ", format 'jsonl'", COLUMNS, as_jsonl(rows))
    out["jsonl, sparse and escaped"] = (".jsonl.zst", CODECS[".zst"][0](jsonl_file(rows, True, True)), ", format 'jsonl'", COLUMNS, as_jsonl(rows))
    return out


def pack(how, key, data, cut=0):
    return {"how": how, "key": key, "data": base64.b64encode(data).decode(), "cut": cut}


def read_files(s, run, languages):
    """Files of each SDK, in each of its ways of writing"""
    servers(s)
    rows = make(240)
    files = variants(rows)
    for k, language in enumerate(languages):
        lines = []
        for i, (suffix, data, _, _, _) in enumerate(files.values()):
            how = ("put", "append", "multipart")[(i + k) % 3]
            # pieces of an append may end anywhere; parts must have 100 kB
            lines.append(pack(how, "%s/%d/file%s" % (language, i, suffix), data, 40961 if how == "append" else 102400))
        run(language, "oss", "write", BUCKET, lines=lines)
    wanted = None
    for i, (name, (suffix, _, options, columns, want)) in enumerate(files.items()):
        if want is not wanted:
            local(s, want, columns)
            wanted = want
        for k, language in enumerate(languages):
            foreign(s, "f", columns, "object '%s/%d/file%s', block_size '64kB'%s" % (language, i, suffix, options), list(SERVERS)[(i + k) % 3])
            same_rows(s, "extension reads %s of %s" % (name, language), "f", columns)
    # times without a zone are the session's
    for zone in ZONES:
        for i, name in enumerate(files):
            if name in ("csv", "jsonl"):
                s.sql("SET TimeZone = '%s'" % zone)
                local(s, files[name][4])
                foreign(s, "f", COLUMNS, "object '%s/%d/file%s'%s" % (languages[0], i, files[name][0], files[name][2]))
                same_rows(s, "extension reads %s in %s" % (name, zone), "f")
    s.sql("SET TimeZone = 'UTC'")


def read_lines(s, run, languages):
    """Format line, an empty object and one that many reads make"""
    servers(s)
    lines = ["plain", "", '"quoted, not csv"', "\\N and \\.", "tab\tand blank ", "中文 🎉", "x" * 150000, "last"]
    for language in languages:
        run(language, "oss", "write", BUCKET, lines=[pack("append", "lines/%s.log" % language, "\n".join(lines).encode(), 33333), pack("put", "lines/%s.empty" % language, b"")])
        foreign(s, "f", "line text, n bigint OPTIONS (field '__line__')", "prefix 'lines/%s.', format 'line', block_size '64kB'" % language)
        equal("extension reads lines of " + language, column_text(s, "SELECT line FROM f ORDER BY n"), lines)


def keys(s, run, languages):
    """Keys with characters that have a meaning elsewhere"""
    servers(s)
    for language in languages:
        names = [k for k in STRANGE if language not in NO_DOTS or "/./" not in k and "/../" not in k]
        run(language, "oss", "write", BUCKET, lines=[pack("put", language + "/" + k, csv_file([[k]])) for k in names])
        for server in SERVERS:
            foreign(s, "f", 'k text, o text OPTIONS (field \'__object__\')', "prefix '%s/strange/'" % language, server)
            same_list("%s reads the keys of %s" % (server, language), column_text(s, "SELECT o FROM f"), [language + "/" + k for k in names])
            same_list("%s reads their objects" % server, column_text(s, "SELECT k FROM f"), names)
    for server in SERVERS:
        for k in names:
            foreign(s, "f", "k text", "object E%s" % quote(language + "/" + k), server)
            same_list("%s reads the object %.40r" % (server, k), column_text(s, "SELECT k FROM f"), [k])
    foreign(s, "f", "k text", "pattern '%s/strange/\\[glob\\]\\*'" % language)
    same_list("pattern", column_text(s, "SELECT k FROM f"), ["strange/[glob]*"])
    # each SDK lists and reads the keys that the others wrote
    for reader in languages:
        for writer in languages[::2]:
            names = [k for k in STRANGE if all(x not in NO_DOTS for x in (reader, writer)) or "/./" not in k and "/../" not in k]
            if writer not in NO_DOTS and reader in NO_DOTS:
                continue
            got = run(reader, "oss", "read", BUCKET, writer + "/strange/")
            same_list("%s reads the keys of %s" % (reader, writer), [x["key"] for x in got], [writer + "/" + k for k in names])


def many(s, run, languages):
    """2500 objects: three pages"""
    servers(s)
    # any will do, Go is the quickest
    run("go" if "go" in languages else languages[0], "oss", "write", BUCKET, lines=[pack("put", "many/dt=2026-01-%02d/%04d.csv" % (i % 25 + 1, i), b"%d,%d\n" % (i, i * i)) for i in range(2500)])
    foreign(s, "f", "id int, square int, dt date OPTIONS (partition 'dt'), o text OPTIONS (field '__object__')", "prefix 'many/'")
    equal("extension reads them all", s.sql("SELECT count(*), count(DISTINCT o), sum(id), sum(square), min(dt), max(dt) FROM f"), ["2500|2500|%d|%d|2026-01-01|2026-01-25" % (
        sum(range(2500)), sum(i * i for i in range(2500)))])
    equal("some of them", s.sql("SELECT count(*), sum(id) FROM f WHERE dt IN ('2026-01-03', '2026-01-20')"), ["200|%d" % sum(i for i in range(2500) if i % 25 + 1 in (3, 20))])
    equal("mc.objects", s.sql("SELECT count(*), sum(size) FROM mc.objects('f')"), ["2500|%d" % sum(len("%d,%d\n" % (i, i * i)) for i in range(2500))])


def refuses(s, name, sql, state, *words):
    """An error that names the object"""
    out, got = s.try_sql(sql)
    ok(name, got == state and all(any(w in x for x in out) for w in words), "%s, want %s and %s: %s" % (got, state, words, out))


def bad_files(s, run, languages):
    """Files that are not what they should be: refused with their place, or the other rows when asked"""
    servers(s)
    good = b"1,one\n2,two\n"
    packed = CODECS[".gz"][0](good * 1000)
    lines = [("nul.csv", b"1,a\0b\n2,two\n"), ("utf8.csv", b"1,a\xffb\n2,two\n"), ("fields.csv", b"1,one,more\n2,two\n"), ("value.csv", b"x,one\n2,two\n"), ("quote.csv", b'1,"one\n2,two\n'),
             ("ends.csv", b"1,one\r\n2,two\n"), ("cut.csv.gz", packed[:-7]), ("flipped.csv.gz", packed[:40] + bytes([packed[40] ^ 1]) + packed[41:]), ("behind.csv.gz", packed + b"garbage"),
             ("plain.csv.gz", good), ("array.jsonl", b'["id", 1]\n{"id": 2, "v": "two"}\n'), ("half.jsonl", b'{"id": 1\n{"id": 2, "v": "two"}\n')]
    # SQLSTATE, and whether the second row is there with on_error reject
    want = {"nul.csv": ("22021", True), "utf8.csv": ("22021", True), "fields.csv": ("22P04", True), "value.csv": ("22P02", True), "quote.csv": ("22P04", False), "ends.csv": ("22P04", False),
            "cut.csv.gz": ("XX001", False), "flipped.csv.gz": ("XX001", False), "behind.csv.gz": ("XX001", False), "plain.csv.gz": ("XX001", False), "array.jsonl": ("22P04", True), "half.jsonl": ("22P04", True)}
    for language in languages:
        run(language, "oss", "write", BUCKET, lines=[pack("put", "bad/%s/%s" % (language, k), d) for k, d in lines])
    for k, (name, _) in enumerate(lines):
        language = languages[k % len(languages)]
        key = "bad/%s/%s" % (language, name)
        foreign(s, "f", "id int, v text", "object '%s'%s" % (key, ", format 'jsonl'" if name.endswith("jsonl") else ""))
        out, state = s.try_sql("SELECT * FROM f")
        ok("%s of %s is refused" % (name, language), state == want[name][0], (state, want[name][0], out))
        ok("%s: its place" % name, any('object "%s"' % key in x for x in out), out)
        s.sql("SET mc_fdw.on_error = 'reject'")
        out, state = s.try_sql("SELECT * FROM f")
        if want[name][1]:
            ok("%s: the other row" % name, state == "00000" and "2|two" in out, (state, out))
        else:
            ok("%s: is refused all the same" % name, state == want[name][0], (state, out))
        s.sql("RESET mc_fdw.on_error")


def changes(s, run, languages):
    """An object that an SDK replaces, appends to or deletes while it is read"""
    servers(s)
    data = b"".join(b"%d,%s\n" % (i, b"x" * 500) for i in range(5000))
    for k, (name, state) in enumerate((("replaced", "40001"), ("appended", "40001"), ("deleted", "58P01"))):
        language = languages[k * 2 % len(languages)]
        key = "changing/%s.csv" % name
        run(language, "oss", "write", BUCKET, lines=[pack("append", key, data, 1000000)])
        foreign(s, "f", "id int, v text", "object '%s', block_size '64kB', concurrency '2'" % key)
        s.sql("BEGIN; DECLARE c CURSOR FOR SELECT id FROM f")
        equal("%s: before" % name, s.sql("FETCH 2 FROM c"), ["0", "1"])
        if name == "replaced":
            run(language, "oss", "write", BUCKET, lines=[pack("put", key, data[::-1])])
        elif name == "appended":
            oss2.Bucket(oss2.AuthV4(*KEY), OSS, BUCKET, region="cn-hangzhou").append_object(key, len(data), b"5000,more\n")
        else:
            command("oss", "delete", bucket=BUCKET, key=key)
        refuses(s, "%s by %s while it is read" % (name, language), "FETCH ALL FROM c", state, key)
        s.sql("ROLLBACK")


CHECKS = [read_files, read_lines, keys, many, bad_files, changes]
