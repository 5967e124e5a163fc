"""The extension writes a logstore, the SDKs read it, value by value; what they read is compared
with texts written down here, not made by PostgreSQL."""
import hashlib
import time

from checks import equal, ok
from loghub_client import client, read_shard, shards
from mctest import command

NOW = int(time.time())
TEXTS = ["", "x", " both ends ", "中文 é 🎉 \t\n\r\"\\'", "null", "\\N", "x" * 127, "x" * 128, "é" * 8192, "z" * 1048576]
# (column, type, literal, what the service has); None = absent
TYPED = [
    ("i2", "int2", "-32768", "-32768"), ("i4", "int", "2147483647", "2147483647"), ("i8", "int8", "-9223372036854775808", "-9223372036854775808"),
    ("f4", "float4", "3.4028235e38", "3.4028235e+38"), ("f8", "float8", "0.1", "0.1"), ("f8n", "float8", "NaN", "NaN"), ("f8i", "float8", "-Infinity", "-Infinity"),
    ("f8s", "float8", "5e-324", "5e-324"), ("n", "numeric", "-12345678901234567890.10", "-12345678901234567890.10"),
    ("b", "bool", "yes", "true"), ("bf", "bool", "off", "false"), ("d", "date", "0044-03-15 BC", "0044-03-15 BC"), ("di", "date", "infinity", "infinity"),
    ("ts", "timestamp", "2024-02-29 23:59:59.999999", "2024-02-29 23:59:59.999999"),
    ("tz", "timestamptz", "2024-07-01 12:00:00.5+08", "2024-07-01 04:00:00.5+00"), ("tzi", "timestamptz", "-infinity", "-infinity"),
    ("t", "time", "23:59:59.000001", "23:59:59.000001"), ("iv", "interval", "1 year 2 days 03:04:05.6", "1 year 2 days 03:04:05.6"),
    ("u", "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ("ip", "inet", "2001:db8::1/64", "2001:db8::1/64"),
    ("raw", "bytea", "\\x00ff5c", "\\x00ff5c"), ("j", "json", '{"b":  1, "a": [2]}', '{"b":  1, "a": [2]}'),
    ("jb", "jsonb", '{"b":  1, "a": [2]}', '{"a": [2], "b": 1}'), ("a", "int[]", "{1,NULL,3}", "{1,NULL,3}"), ("ta", "text[]", '{"a,b",""}', '{"a,b",""}'),
    ("c", "char(4)", "ab", "ab  "), ("vc", "varchar(3)", "é中x", "é中x"), ("nothing", "text", None, None), ("empty", "text", "", ""),
]


def quoted(text):
    return "NULL" if text is None else "E'%s'" % text.replace("\\", "\\\\").replace("'", "\\'")


def check(s, run, log_rows, languages, same):
    """values of every type and edge, times, groups, tags"""
    store = "written-by-extension"
    command("loghub", "create_logstore", project="web", logstore=store, shards=2, ttl=3650)
    command("loghub", "set", check_time=False)
    wanted = []

    def row(number, time_, ns, topic, source, tags, contents):
        wanted.append({"id": str(number), "time": time_, "ns": ns, "topic": topic, "source": source, "tags": tags, "contents": dict(contents, id=str(number))})

    for coding in ("lz4", "zstd", "none"):
        s.sql("DROP FOREIGN TABLE IF EXISTS w; CREATE FOREIGN TABLE w (__time__ numeric, __topic__ text, __source__ text, env text OPTIONS (field '__tag__:env'), "
              "\"__tag__:中文\" text, id int, v text, \"with space\" text, rest jsonb OPTIONS (field '*')) SERVER sls OPTIONS (logstore '%s', compression '%s')" % (store, coding))
        base = {"lz4": 0, "zstd": 100, "none": 200}[coding]
        values = []
        for i, text in enumerate(TEXTS):
            values.append("(%d.%09d, %s, %s, %s, %s, %d, %s, NULL, NULL)" % (
                NOW, i, quoted("主题"), quoted("10.0.0.1"), quoted("prod" if i % 2 else None), quoted("é"), base + i, quoted(text)))
            row(base + i, NOW, i, "主题", "10.0.0.1", dict({"中文": "é"}, **({"env": "prod"} if i % 2 else {})), {"v": text})
        values.append("(%d, NULL, NULL, '', NULL, %d, NULL, 'sp', %s)" % (0, base + 50, quoted('{"k": "v", "n": 1.50, "t": true, "no": null, "o": {"a": [1]}, "e": ""}')))
        row(base + 50, 0, 0, "", "", {"env": ""}, {"with space": "sp", "k": "v", "n": "1.50", "t": "true", "o": '{"a": [1]}', "e": ""})
        values.append("(4294967295.999999999, %s, '', NULL, NULL, %d, NULL, NULL, '{}')" % (quoted("t" * 128), base + 51))
        row(base + 51, 4294967295, 999999999, "t" * 128, "", {}, {})
        s.sql("INSERT INTO w VALUES " + ", ".join(values))
    settings = "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = -5; SET bytea_output = 'escape'; "
    s.sql("DROP FOREIGN TABLE IF EXISTS w; CREATE FOREIGN TABLE w (__time__ timestamptz, id int, %s) SERVER sls OPTIONS (logstore '%s')" % (
        ", ".join("y_%s %s" % x[:2] for x in TYPED), store))
    s.sql(settings + "INSERT INTO w VALUES ('2024-02-29 12:00:00.123456+00', 1000, %s)" % ", ".join(quoted(x[2]) for x in TYPED))
    s.sql("RESET ALL")
    row(1000, 1709208000, 123456000, "", "", {}, {"y_" + c: text for c, _, _, text in TYPED if text is not None})
    wanted.sort(key=lambda x: int(x["id"]))
    for reader in languages:
        same("%s reads the logs of the extension" % reader, log_rows(run(reader, "loghub", "pull", "web", store)), wanted)
    # and the extension itself: canonical texts read back to what they were made of
    equal("the extension reads its own values", s.sql("SET client_min_messages = warning; SELECT (SELECT count(*) FROM w WHERE id = 1000 AND %s)" % " AND ".join(
        "y_%s::text IS NOT DISTINCT FROM %s::%s::text" % (c, quoted(literal), t) for c, t, literal, _ in TYPED)), ["1"])


def hash_keys(s):
    """rows are in the shard whose range holds their key, as the Python SDK sees ranges and shards"""
    store = "routed-by-extension"
    command("loghub", "create_logstore", project="web", logstore=store, shards=5, ttl=30)
    s.sql("DROP FOREIGN TABLE IF EXISTS w; CREATE FOREIGN TABLE w (__hash_key__ text, id int) SERVER sls OPTIONS (logstore '%s')" % store)
    s.sql("INSERT INTO w SELECT md5(g::text), g FROM generate_series(1, 2000) g")
    c = client()
    ranges = {x["shardID"]: (x["inclusiveBeginKey"], x["exclusiveEndKey"]) for x in c.list_shards("web", store).get_shards_info()}
    found = {}
    for shard in shards(c, "web", store):
        for group in read_shard(c, "web", store, shard):
            for log in group.Logs:
                found.setdefault(int(log.Contents[0].Value), []).append(shard)
    key = lambda n: hashlib.md5(str(n).encode()).hexdigest()
    equal("every row once", sorted(found), list(range(1, 2001)))
    ok("in one shard", all(len(x) == 1 for x in found.values()))
    equal("rows outside of their shard's range", [n for n, x in found.items() if not ranges[x[0]][0] <= key(n) < ranges[x[0]][1]], [])
