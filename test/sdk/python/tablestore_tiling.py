"""Nothing twice and nothing lost while others write: scans in splits beside an SDK that writes into the same table, and windows of the
change stream over the random history that two SDKs made together, with shards split and merged meanwhile."""
import collections
import json
import random
import re
import threading
import time

import tablestore_extension as ext
from checks import equal, ok
from extension import run_sql
from mctest import call, command
from tablestore_values import KEYS, binary, boolean, double, integer, key, string


class Writer:
    """An SDK's program of writing, fed by a thread"""

    def __init__(self, start, language, table):
        self.proc = start(language, "tablestore", "write", "demo", table)

    def send(self, lines):
        def feed():
            try:
                for line in lines:
                    self.proc.stdin.write(json.dumps(line) + "\n")
                self.proc.stdin.flush()
            except OSError:
                pass        # it ended; why is in its errors
        self.thread = threading.Thread(target=feed)
        self.thread.start()

    def finish(self):
        self.thread.join()
        self.errors = self.proc.communicate(timeout=120)[1]
        return self.proc.returncode


# ---- scans ----

BUSY = [("k", "STRING"), ("n", "INTEGER")]
FIXED = 6000


def at_request(api, n, what):
    return {"service": "tablestore", "api": api, "nth": n, "action": "command", "command": dict(what, service="tablestore")}


def noise(stop, rng, batches):
    """Batches of rows between the others, half of which are deleted again; they have no column v"""
    n, alive = 10**9, []
    while not stop.is_set():
        rows = []
        for _ in range(20):
            n += 1
            k = [["k", string("%014d" % rng.randrange(10**14))], ["n", integer(n)]]
            rows.append({"action": "put", "key": k, "cells": [["moving", string("x" * rng.randrange(300)), None, "put"]]})
            alive.append(k)
            if rng.random() < 0.5:
                rows.append({"action": "delete", "key": alive.pop(rng.randrange(len(alive))), "cells": []})
        batches.append(1)
        yield {"action": "batch", "rows": rows}


def fixed(rows):
    return [[r["key"][0][1][1], r["key"][1][1][1], dict((c[0], c[1][1]) for c in r["cells"]).get("v")] for r in rows]


def scans(s, run, languages, start):
    """The rows that nobody touches: exactly those that an SDK's iteration finds; in order where order is asked for"""
    command("tablestore", "create_table", table="busy", replace=True, keys=[{"name": n, "type": t} for n, t in BUSY])
    command("tablestore", "generate", table="busy", rows=FIXED, fan=3, key="hash", seed=11, columns=[{"name": "v", "kind": "int"}, {"name": "w", "kind": "text", "size": 60}])
    writer, reader = languages[-1], "go" if "go" in languages else languages[0]
    before = run(reader, "tablestore", "read", "demo", "busy")
    equal("%s iterates over the table at rest" % reader, len(before), FIXED)
    want = fixed(before)
    command("tablestore", "set", page_rows=100, split_mib=30000)
    ext.foreign(s, "busy", "busy", ["v bigint", "w text", "moving text"], ", split_size '1MB', concurrency '6'", BUSY)
    stop, batches = threading.Event(), []
    noisy = Writer(start, writer, "busy")
    noisy.send(noise(stop, random.Random(5), batches))
    end = time.monotonic() + 60
    while len(batches) < 20 and time.monotonic() < end:
        time.sleep(0.05)
    written = [len(batches)]
    explained = s.sql("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM busy")
    splits = int(next((re.search(r"Splits: (\d+)", x).group(1) for x in explained if "Splits: " in x), 0))
    ok("the table is read in many splits", splits >= 10, explained)
    middle = want[len(want) // 2][0]
    whole = lambda r: True
    within = lambda r: "2" <= r[0] < "8"
    for n, (name, order, condition, these) in enumerate([
            ("in splits", "", "", whole), ("forward", " ORDER BY k, n", "", whole), ("backward", " ORDER BY k DESC, n DESC", "", whole),
            ("a range in splits", "", " WHERE k >= '2' AND k < '8'", within), ("a range backward", " ORDER BY k DESC, n DESC", " WHERE k >= '2' AND k < '8'", within),
            ("filtered by the service", " ORDER BY k, n", " WHERE v IS NOT NULL", whole)]):
        # a partition comes, another goes, while it is read
        call("faults", [at_request("GetRange", 3, {"op": "split_partition", "table": "busy", "at": "%d5" % (n + 2)}),
                        at_request("GetRange", 9, {"op": "split_partition", "table": "busy", "at": middle[:3] + "%d" % n})] +
             ([at_request("GetRange", 15, {"op": "merge_partitions", "table": "busy", "index": 0})]))
        rows = ext.objects(s, "SELECT json_build_array(k, n::text, v::text) FROM busy" + condition + order)
        fired = [x["fired"] for x in call("counters")["faults"]]
        call("faults", [])
        written.append(len(batches))
        ok("%s: partitions were split meanwhile" % name, sum(fired) >= 2, fired)
        keys = [(r[0].encode(), int(r[1])) for r in rows]
        ok("%s: no row twice" % name, len(set(keys)) == len(keys), [k for k, c in collections.Counter(keys).items() if c > 1][:3])
        if order:
            ok("%s: in order" % name, keys == sorted(keys, reverse="DESC" in order), "")
        got = [r for r in rows if r[2] is not None]
        expected = [r for r in want if these(r)]
        if "DESC" in order:
            expected.reverse()
        if not order:
            got.sort()
            expected.sort()
        ok("%s: the same rows as %s finds" % (name, reader), got == expected, "%d rows, want %d; first that differs: %s" % (
            len(got), len(expected), next(((g, w) for g, w in zip(got, expected) if g != w), None)))
    during = [r for r in fixed(run(reader, "tablestore", "read", "demo", "busy")) if r[2] is not None]
    stop.set()
    equal("%s ends well" % writer, (noisy.finish(), noisy.errors[:500] if noisy.proc.returncode else ""), (0, ""))
    ok("%s finds the same beside the writer" % reader, during == want, len(during))
    ok("rows were written all the while", written == sorted(set(written)), written)
    command("tablestore", "set", page_rows=5000, split_mib=1048576)


# ---- changes ----

COLUMNS = [("a", "text"), ("b", "bigint"), ("c", "float8"), ("d", "bool"), ("e", "bytea")]
KEYS_OF_ROWS = 20


def history(rng, who, count, base):
    """Changes of few keys; each cell has a version that nobody else gives.  Text, integers, ... tell who wrote it as what number."""
    serial = 0

    def cell(name):
        nonlocal serial
        serial += 1
        value = {"a": string("%s-%d é" % (who, serial)), "b": integer(serial * 2 + who), "c": double(serial + who / 2), "d": boolean(serial % 2 == who),
                 "e": binary(b"%d-%d" % (who, serial))}[name]
        return [name, value, str(base + serial * 2 + who), "put"]

    def one():
        k, names = key("k%02d" % rng.randrange(KEYS_OF_ROWS), 0, b""), rng.sample("abcde", rng.randrange(1, 4))
        dice = rng.random()
        if dice < 0.4:
            return {"action": "put", "key": k, "cells": [cell(n) for n in names] if dice > 0.02 else []}
        if dice < 0.8:
            cells = [cell(n) for n in names]
            others = [n for n in "abcde" if n not in names]
            if dice < 0.6:
                cells.append([others[0], None, None, "delete_all"])
            if dice > 0.7:
                cells.append([others[1], None, str(base + rng.randrange(2, 2 * serial)), "delete_one"])
            return {"action": "update", "key": k, "cells": cells}
        return {"action": "delete", "key": k, "cells": []}

    for _ in range(count):
        if rng.random() < 0.25:
            yield {"action": "batch", "rows": [one() for _ in range(rng.randrange(2, 8))]}
        else:
            yield one()


def flat(changes):
    """The journal of a writer: key -> what it did, in its order"""
    out = collections.defaultdict(list)
    for c in changes:
        for x in c["rows"] if c["action"] == "batch" else [c]:
            out[x["key"][0][1][1]].append((x["action"], tuple(sorted(json.dumps(cell) for cell in x["cells"]))))
    return out


def differs(whole, first, second):
    """None if a sequence is two others shuffled together, else the first place where it is not"""
    ends, wanted = {0}, len(first) + len(second)      # ends: how many of the first are used
    for n, x in enumerate(whole):
        more = {i + 1 for i in ends if i < len(first) and first[i] == x} | {i for i in ends if n - i < len(second) and second[n - i] == x}
        if not more:
            here = "%.200s" % (x,) + (", also record %d" % whole.index(x) if x in whole[:n] else "")
            break
        ends = more
    else:
        if len(whole) == wanted:
            return None
        n, here = len(whole), "missing"
    possible = {"%.200s" % (x,) for i in ends for x in first[i:i + 1] + second[n - i:n - i + 1]}
    return "%d records of %d; record %d is %s, want %s" % (len(whole), wanted, n, here, " or ".join(sorted(possible)) or "no more")


def writes():
    """How many requests that write have been served"""
    return sum(c["requests"] for c in call("counters")["counters"] if c["service"] == "tablestore" and c["status"] == 200 and
               c["api"] in ("PutRow", "UpdateRow", "DeleteRow", "BatchWriteRow"))


def instant(us):
    return "timestamptz 'epoch' + interval '%d.%06d s'" % divmod(us, 10**6)


def window(bounds):
    return " WHERE at >= %s AND at < %s" % tuple(map(instant, bounds))


def as_row(r):
    """A record of an SDK as shape 'row' shows it"""
    puts = [c for c in r["cells"] if c[3] == "put"]
    newest = {}
    for c in sorted(puts, key=lambda c: -int(c[2])):
        newest.setdefault(c[0], c[1][1])
    deleted = sorted(c[0] for c in r["cells"] if c[3] == "delete_all")
    return [r["action"]] + [newest.get(n) for n, _ in COLUMNS] + [deleted or None, str(max(int(c[2]) for c in puts)) if puts else None]


def as_cells(r):
    """A record of an SDK as the lines of shape 'cell'"""
    code = {"put": "U", "delete_one": "DO", "delete_all": "DA"}
    head = [["DR", None, None, None, None]] if r["action"] != "update" else []
    return head + sorted(([code[c[3]], c[0], c[2]] + (c[1] or [None, None]) for c in r["cells"]), key=lambda x: x[:2])


def sequence(text):
    epoch, at, index, shard = text.split("_", 3)
    return int(epoch), int(at), int(index), shard.split(":")[0]


def streams(s, run, languages, start):
    """Two SDKs write, the windows of the extension tile what they did"""
    rng = random.Random(77)
    table = "history"
    command("tablestore", "create_table", table=table, replace=True, keys=[{"name": k, "type": t} for k, t in KEYS], max_versions=100000, stream_hours=24)
    writers = [x for x in ("java", "go", "python", "node") if x in languages][:2]
    base = int(time.time() * 1000) - 3600000
    journals = [list(history(random.Random(100 + i), i, 350, base)) for i in range(len(writers))]
    programs = [Writer(start, w, table) for w in writers]
    for i, p in enumerate(programs):
        p.send([{"action": "put", "key": key("ready", i, b""), "cells": []}])
    end = time.monotonic() + 60
    while len(command("tablestore", "dump", table=table)["rows"]) < len(writers) and time.monotonic() < end:
        time.sleep(0.02)
    split, merge = {"op": "split_partition", "table": table}, {"op": "merge_partitions", "table": table}
    call("faults", [at_request("PutRow", 30, dict(split, at="k10")), at_request("PutRow", 60, dict(split, at="k05")),
                    at_request("PutRow", 90, dict(merge, index=1)), at_request("PutRow", 110, dict(split, at="k15"))])
    served = writes()
    for p, journal in zip(programs, journals):
        p.send(journal)
    for w, p in zip(writers, programs):
        equal("%s wrote its history" % w, (p.finish(), p.errors[:700] if p.proc.returncode else ""), (0, ""))
    equal("no SDK sent a write twice", writes() - served, sum(map(len, journals)))
    equal("splits and a merge in the middle of it", [x["fired"] for x in call("counters")["faults"]], [1, 1, 1, 1])
    call("faults", [])
    readers = [x for x in ("java", "go") if x in languages]
    streams = {reader: run(reader, "tablestore", "stream", "demo", table) for reader in readers}
    if len(readers) == 2:
        ok("Java and Go read the same stream", streams["java"] == streams["go"])
    if not readers:
        return
    records = streams[readers[0]]
    per_key = collections.defaultdict(list)
    for r in records:
        per_key[r["key"][0][1][1]].append(r)
    expected = [flat(j) for j in journals] + [{}]
    for k in sorted(set(expected[0]) | set(expected[1])):
        seen = [(r["action"], tuple(sorted(json.dumps(c) for c in r["cells"]))) for r in per_key[k]]
        why = differs(seen, expected[0].get(k, []), expected[1].get(k, []))
        ok("stream of %s is what %s did" % (k, " and ".join(writers)), why is None, why)
    overlap = sum(1 for k in per_key if len({c[1][1].split("-")[0] for r in per_key[k] for c in r["cells"] if c[0] == "a" and c[1]}) == 2)
    ok("both wrote the same keys", overlap >= KEYS_OF_ROWS // 2 or len(writers) < 2, overlap)

    # windows: bounds at records, behind them, between them, of all lengths; the newest changes settle in the future
    call("clock", {"advance_s": 400})
    times = sorted({r["sequence"][1] for r in records})
    inner = sorted(set(rng.sample(times, 5) + [t + 1 for t in rng.sample(times, 3)] + [rng.randrange(times[0], times[-1]) for _ in range(3)] + [times[len(times) // 2] + 1, times[len(times) // 2]]))
    bounds = [times[0]] + inner + [times[-1] + 1]
    command("tablestore", "stream_set", page_records=37, iterator_steps=2, seek_early=3, shard_limit=2)
    keys = ["%s %s OPTIONS (key '%d')" % (n, {"STRING": "text", "INTEGER": "bigint", "BINARY": "bytea"}[t], i + 1) for i, (n, t) in enumerate(KEYS)]
    common = keys + ["op text OPTIONS (field '__op__')", "at timestamptz OPTIONS (field '__commit_time__')", "seq text OPTIONS (field '__sequence__')"]
    s.sql("DROP FOREIGN TABLE IF EXISTS h_rows, h_cells; CREATE FOREIGN TABLE h_rows (%s) SERVER ots OPTIONS (table '%s', mode 'stream'); "
          "CREATE FOREIGN TABLE h_cells (%s) SERVER ots OPTIONS (table '%s', mode 'stream', shape 'cell')" % (
              ", ".join(common + ["%s %s" % c for c in COLUMNS] + ["deleted text[] OPTIONS (field '__deleted__')", "__version__ bigint"]), table,
              ", ".join(common + ["__column__ text", "__version__ bigint", "__type__ text", "__value__ text"]), table))
    shown = "pk_s, seq, (extract(epoch FROM at) * 1000000)::int8, op"
    rows, cells = [], []
    for pair in zip(bounds, bounds[1:]):
        got = ext.objects(s, "SELECT json_build_array(%s, a, b::text, encode(float8send(c), 'hex'), d::text, encode(e, 'hex'), "
                             "(SELECT array_agg(x ORDER BY x) FROM unnest(deleted) x), __version__::text) FROM h_rows%s" % (shown, window(pair)))
        ok("commit times are in the window [%d, %d)" % (pair[0] - times[0], pair[1] - times[0]), all(pair[0] <= r[2] < pair[1] and sequence(r[1])[1] == r[2] for r in got))
        rows += got
        cells += ext.objects(s, "SELECT json_build_array(%s, __column__, __version__::text, __type__, __value__) FROM h_cells%s" % (shown, window(pair)))
    command("tablestore", "stream_set", page_records=5000, iterator_steps=0, seek_early=0, shard_limit=100)
    call("clock", {"system": True})

    equal("every record in exactly one window", len(rows), len(records))
    ok("no sequence twice", len({r[1] for r in rows}) == len(rows))
    theirs, ours, lines = collections.defaultdict(list), collections.defaultdict(list), collections.defaultdict(list)
    for r in records:
        theirs[r["key"][0][1][1]].append((tuple(r["sequence"]), as_row(r), as_cells(r)))
    for r in rows:
        ours[r[0]].append((sequence(r[1])[:3], r[3:]))
    for r in cells:
        lines[r[0]].append((r[1], [r[3]] + r[4:6] + (ext.from_text(r[6], r[7]) if r[6] else [None, None])))
    for k in sorted(theirs):
        ok("%s: shape 'row', in order" % k, ours[k] == [x[:2] for x in theirs[k]],
           next(((g, w[:2]) for g, w in zip(ours[k], theirs[k]) if g != w[:2]), (len(ours[k]), len(theirs[k]))))
        grouped = []
        for seq, line in lines[k]:
            if not grouped or grouped[-1][0] != sequence(seq)[:3]:
                grouped.append((sequence(seq)[:3], []))
            grouped[-1][1].append(line)
        got = [(q, [x for x in group if x[0] == "DR"] + sorted((x for x in group if x[0] != "DR"), key=lambda x: x[:2])) for q, group in grouped]
        want = [(q, group) for q, _, group in theirs[k] if group]
        ok("%s: shape 'cell', in order" % k, got == want, next(((g, w) for g, w in zip(got, want) if g != w), (len(got), len(want))))
        ok("%s: a put's first line deletes the row" % k, all(group[0][0] == "DR" for _, group in grouped if any(x[0] == "DR" for x in group)))

    # the changes, applied, are the table
    state = {}
    for r in cells:
        op, column, version = r[3], r[4], r[5]
        row = state.setdefault(r[0], {})
        if op == "DR":
            row.clear()
        elif op == "DA":
            row.pop(column, None)
        elif op == "DO":
            row.get(column, {}).pop(version, None)
        else:
            row.setdefault(column, {})[version] = ext.from_text(r[6], r[7])
    replayed = {(k, c, v): x for k, row in state.items() for c, versions in row.items() for v, x in versions.items()}
    table_now = {(r["key"][0][1][1], c[0], c[2]): c[1] for r in run(readers[0], "tablestore", "read", "demo", table, "100000") for c in r["cells"]}
    ok("the changes applied in order are the table", replayed == table_now, "%d cells, want %d" % (len(replayed), len(table_now)))


CHECKS = [scans, streams]
