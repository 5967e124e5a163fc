"""Adjacent windows tile: no log twice, none lost, whatever the bounds, also with shards split and merged and
requests failing while they are read.  The Python SDK's own reading by cursors is the measure."""
import collections
import math

from checks import equal, ok
from extension import create_remote, foreign_table, run_sql
from mctest import call, command, generate

START = 1515605400          # 2018-01-11 01:30:00 in Shanghai, the first second of mctest.generate
ROWS = 20000
COLUMNS = ["c%d" % i for i in range(1, 11)]
# [a, b) and [b, c), seconds after START
BOUNDS = [(10.3, 120.7, 280.25), (0, 150.000001, 300), (59.999999, 60, 61.5), (99.5, 99.9, 100.1), (-5.5, 0.5, 400.75)]
# not corrupt_body: no checksum guards an answer of Log Service, so nobody can see it
ACTIONS = ("status", "reset_before", "reset_after", "reset_mid_body", "truncate_body")
FAILING = [{"action": a, "probability": 0.05 / len(ACTIONS), "seed": i + 1, "service": "*"} for i, a in enumerate(ACTIONS)]


def at(seconds):
    return "to_timestamp(%d) + interval '%.6f s'" % (START, seconds)


def window(low, high):
    return "__receive_time__ >= %s AND __receive_time__ < %s" % (at(low), at(high))


def sdk_rows(store, low, high):
    """What the SDK reads of the whole seconds in [low, high)"""
    from loghub_client import client, read_shard, shards
    c = client()
    rows = collections.Counter()
    for shard in shards(c, "web", store):
        for g in read_shard(c, "web", store, shard, START + math.ceil(low), START + math.ceil(high)):
            for log in g.Logs:
                fields = {x.Key: x.Value for x in log.Contents}
                rows["|".join(fields[n] for n in COLUMNS)] += 1
    return rows


def prepare(s, store, fetch=7):
    generate(store, ROWS, shards=3, profile="text10", seed=5)
    s.sql("DROP FOREIGN TABLE IF EXISTS t; CREATE FOREIGN TABLE t (__receive_time__ timestamptz, %s) SERVER sls OPTIONS (logstore '%s', fetch_size '%d')" % (
        ", ".join(n + " text" for n in COLUMNS), store, fetch))


def read(s, low, high):
    return collections.Counter(run_sql(s, "SELECT concat_ws('|', %s) FROM t WHERE %s" % (", ".join(COLUMNS), window(low, high))))


def compare(name, first, second, whole):
    twice = first & second
    ok(name + ": no row in both windows", not twice, "%d rows, such as %s" % (len(twice), next(iter(twice), "")))
    equal(name + ": rows of both windows", sum((first + second).values()), sum(whole.values()))
    ok(name + ": the same rows as the SDK reads", first + second == whole,
       "lost %d, extra %d" % (sum((whole - first - second).values()), sum((first + second - whole).values())))


def quiet(s):
    prepare(s, "tiles")
    whole = sdk_rows("tiles", -10, 400)
    equal("generated rows are distinct", (len(whole), sum(whole.values())), (ROWS, ROWS))
    for a, b, c in BOUNDS:
        compare("[%s, %s, %s)" % (a, b, c), read(s, a, b), read(s, b, c), sdk_rows("tiles", a, c))


def extra_group(shard, second, n):
    logs = [{"__time__": START + second, **{c: "extra-%d-%d-%s" % (second, i, c) for c in COLUMNS}} for i in range(n)]
    return {"service": "loghub", "op": "append_group", "project": "web", "logstore": "resharded", "shard": shard,
            "receive_time": START + second, "group": {"__topic__": "", "__source__": "", "__logs__": logs}}


def resharded(s):
    """A split in the middle of the first window puts later rows into a child; a merge in the middle of the second."""
    prepare(s, "resharded")
    a, b, c = 10.3, 120.7, 280.25

    def at_request(n, what):
        return {"service": "loghub", "api": "PullLogs", "nth": n, "action": "command", "command": what}

    split = {"service": "loghub", "op": "split", "project": "web", "logstore": "resharded", "shard": 1}
    call("faults", [at_request(5, split), at_request(6, extra_group(3, 121, 40)), at_request(7, extra_group(4, 200, 60))])
    first = read(s, a, b)
    merge = dict(split, op="merge", shard=3)
    call("faults", [at_request(5, merge)])
    second = read(s, b, c)
    call("faults", [])
    whole = sdk_rows("resharded", a, c)
    from loghub_client import client
    state = {x["shardID"]: x["status"] for x in client().list_shards("web", "resharded").get_shards_info()}
    equal("split and merge happened", state, {0: "readwrite", 1: "readonly", 2: "readwrite", 3: "readonly", 4: "readonly", 5: "readwrite"})
    equal("the SDK sees the rows of the children", sum(n for row, n in whole.items() if row.startswith("extra-")), 100)
    compare("split and merge", first, second, whole)


def failing(s):
    prepare(s, "failing", 2)
    a, b, c = 10.3, 120.7, 280.25
    s.sql("SET mc_fdw.stall_timeout = '3s'")
    call("faults", FAILING)
    first, second = read(s, a, b), read(s, b, c)
    fired = sum(x["fired"] for x in call("counters")["faults"])
    call("faults", [])
    ok("requests did fail", fired >= 5, fired)
    compare("5 %% failing, %d did" % fired, first, second, sdk_rows("failing", a, c))


def through(s):
    """Both windows by INSERT into MaxCompute while 5 % of the requests to both services fail; pyodps reads the table."""
    from odps_client import odps, tunnel
    prepare(s, "through", 2)
    columns = [(n, "string") for n in COLUMNS]
    create_remote("through", columns)
    foreign_table(s, "through", columns, ["text"] * len(columns), ", block_size '1MB'")
    a, b, c = 10.3, 120.7, 280.25
    call("faults", FAILING)
    for low, high in ((a, b), (b, c)):
        run_sql(s, "INSERT INTO f SELECT %s FROM t WHERE %s" % (", ".join(COLUMNS), window(low, high)))
    fired = sum(x["fired"] for x in call("counters")["faults"])
    call("faults", [])
    d = tunnel(odps("demo")).create_download_session("through")
    with d.open_record_reader(0, d.count) as r:
        got = collections.Counter("|".join(row.values) for row in r)
    ok("inserted with 5 %% failing, %d did: the target is what the SDK reads" % fired, got == sdk_rows("through", a, c), "%d rows" % sum(got.values()))


CHECKS = [quiet, resharded, failing, through]
