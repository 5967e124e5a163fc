"""The jobs of docs/cookbook.md, as they stand there, end to end: what arrives is exactly
what was there, a rerun changes nothing, a failed run is made up for, and the windows of a
change stream tile on a five-minute schedule while two sessions write and shards split."""
import json
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import DOUBLES, INTEGERS, TEXTS, Clock, Instance, bits, difference, faults, plain, recipes, replay, wait_for  # noqa: E402
from mctest import Session, Tap, call, command, generate, odps_content, odps_sql  # noqa: E402

tap = Tap()
TABLES = {
    "orders": [("customer", "STRING"), ("order_id", "INTEGER")],
    "order_scores": [("customer", "STRING"), ("order_id", "INTEGER")],
    "positions": [("car", "STRING"), ("at", "INTEGER"), ("zone", "STRING"), ("seq", "INTEGER")],
    "visits": [("user_id", "STRING"), ("at", "INTEGER"), ("request_id", "STRING")],
    "all_types": [("b", "BINARY"), ("n", "INTEGER"), ("s", "STRING")],
}


def order_rows(count):
    """rows of "orders": every edge as key and as value, then sparse ones"""
    rng = random.Random(11)
    rows = {}
    for text in TEXTS:
        for number in INTEGERS:
            rows[text, number] = {"amount": rng.choice(DOUBLES), "paid": rng.choice([True, False]), "note": rng.choice(TEXTS)}
    for i, (amount, text) in enumerate((a, t) for a in DOUBLES for t in TEXTS):
        rows["edge", i] = {"amount": amount, "note": text}
    rows["edge", -1] = {"note": "n" * 200000, "paid": False}
    for i in range(count):
        all_columns = {"amount": rng.random() * 1e6, "paid": i % 2 == 0, "note": "note %d" % i}
        rows["c%d" % rng.randrange(100), i] = {c: v for c, v in all_columns.items() if rng.random() < 0.7} or {"paid": True}
    return rows


def expected(rows):
    return sorted([k[0], k[1], bits(c.get("amount")), c.get("paid"), c.get("note")] for k, c in rows.items())


def selected(session, source):
    """rows of a table with the columns of "orders", as expected() has them; in hex, since psql does not print U+10FFFF"""
    lines = session.sql("SELECT encode(convert_to(json_build_array(customer, order_id, amount::text, paid, note)::text, 'UTF8'), 'hex') FROM "
                        + source)
    return sorted([r[0], r[1], bits(r[2]), r[3], r[4]] for r in (json.loads(bytes.fromhex(x)) for x in lines))


def full_export(session, rows):
    export = RECIPES["A whole table to MaxCompute"][0]
    session.sql("INSERT INTO ods_orders VALUES ('kept', 1, 1, true, '', '20260102')")
    session.sql("INSERT INTO ods_orders VALUES ('replaced', 1, 1, true, '', '20260101')")
    session.sql(export)
    stored = command("maxcompute", "dump", project="demo", table="ods_orders", limit=1000000)["rows"]
    arrived = sorted([r[0], int(r[1]), bits(r[2]), r[3], r[4]] for r in stored if r[5] == "20260101")
    tap.ok(arrived == expected(rows), "every row of the table is in the partition, bit for bit",
           "%d of %d rows" % (len(arrived), len(rows)))
    tap.ok([r[0] for r in stored if r[5] != "20260101"] == ["kept"], "other partitions are left alone")
    before = odps_content("ods_orders")
    session.sql(export)
    tap.ok(odps_content("ods_orders") == before, "a second run changes nothing")

    shop.put("orders", {("new", 1): {"amount": 1.5}})
    for rule in ({"service": "tablestore", "api": "GetRange", "after": 3, "action": "status", "http": 500, "code": "OTSInternalServerError"},
                 {"service": "maxcompute", "api": "CommitUpload", "nth": 1, "action": "status", "http": 400, "code": "Refused"}):
        faults(rule)
        out, state = session.try_sql("SET mc_fdw.max_retries = 0;\n" + export)
        session.try_sql("ROLLBACK; RESET mc_fdw.max_retries")
        fired = call("faults")
        faults()
        tap.ok(any("ERROR" in line for line in out) and odps_content("ods_orders") == before,
               "%s fails: the partition is as it was" % rule["api"], "%s %s %s" % (state, fired, "\n".join(out)))
    session.sql(export)
    tap.ok(odps_content("ods_orders")["dt=20260101"][0] == len(rows) + 1, "the run after that has the new row")
    shop("put", "orders", rows=[{"key": ["new", 1], "do": "delete"}])
    session.sql(export)

    session.sql(RECIPES["A whole table to a local table"][0])
    local, wanted = selected(session, "orders_local"), expected(rows)
    tap.ok(local == wanted, "a local table has the same rows", difference(local, wanted))
    parts = session.sql("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM orders")
    tap.ok(any(re.search(r"Splits: ([2-9]|\d\d)", line) for line in parts), "they were read in several parts", "\n".join(parts))


def key_ranges(session):
    rows = {("car-%d" % car, 100 + i, "abmz"[i % 4], i): {"lat": 30.5 + i, "lon": 120.25} for car in range(9) for i in range(8)}
    shop.put("positions", rows)
    session.sql(RECIPES["A range of keys"][0])
    wanted = sorted(list(k) for k in rows if k >= ("car-3", 103, "a", 0) and k[:2] < ("car-6", 100))
    tap.ok(sorted(map(json.loads, session.sql("SELECT json_build_array(car, at, zone, seq) FROM some_positions"))) == wanted,
           "the range between two keys", str(len(wanted)))
    cases = [
        ("true", lambda k: True),
        ("car >= 'car-3'", lambda k: k[0] >= "car-3"),
        ("car > 'car-3'", lambda k: k[0] > "car-3"),
        ("(car, at, zone, seq) >= ('car-3', 103, 'a', 0)", lambda k: k >= ("car-3", 103, "a", 0)),
        ("(car, at, zone, seq) > ('car-3', 103, 'z', 3)", lambda k: k > ("car-3", 103, "z", 3)),
        ("car < 'car-6'", lambda k: k[0] < "car-6"),
        ("car <= 'car-6'", lambda k: k[0] <= "car-6"),
        ("(car, at) < ('car-6', 100)", lambda k: k[:2] < ("car-6", 100)),
        ("(car, at, zone) <= ('car-6', 103, 'm')", lambda k: k[:3] <= ("car-6", 103, "m")),
        ("car >= 'car-3' AND car < 'car-6'", lambda k: "car-3" <= k[0] < "car-6"),
        ("(car, at) >= ('car-6', 100) AND (car, at) < ('car-3', 100)", lambda k: False),
    ]
    for condition, keeps in cases:
        query = "SELECT json_build_array(car, at, zone, seq) FROM positions WHERE " + condition
        got = sorted(map(json.loads, session.sql(query)))
        plan = "\n".join(session.sql("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " + query))
        read = re.search(r"Remote Rows: (\d+)", plan)
        wanted = sorted(list(k) for k in rows if keeps(k))
        tap.ok(got == wanted and "Filter" not in plan and int(read.group(1) if read else 0) == len(wanted),
               "%s: %d rows, nothing else is read" % (condition, len(wanted)), plan)


class Writer(threading.Thread):
    """one session that puts, updates and deletes rows of a few keys until it is told to stop"""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.notes, self.ops, self.error, self.stopped = number, [], 0, None, False
        # versions in the order of the writes, as most clients leave it to the service
        self.session = Session("SET mc_fdw.cell_timestamp = 'server'", database="jobs")

    def run(self):
        rng = random.Random(self.number)
        try:
            while not self.stopped:
                self.step(rng)
                self.ops += 1
        except Exception as e:      # shown by the test
            self.error = e

    def step(self, rng):
        key = "'w%02d', %d" % (rng.randrange(20), rng.randrange(3))
        if rng.random() < 0.2:      # a change that no later one hides
            key = "'w99', %d%06d" % (self.number, self.ops)
        where = "(customer, order_id) = (%s)" % key
        note = "%d-%06d" % (self.number, self.ops)
        amount = rng.choice(["NULL", "%d.25" % self.ops, "'-0'"])
        dice = rng.random()
        if dice < 0.4:
            self.session.sql("INSERT INTO orders VALUES (%s, %s, %s, '%s')" % (key, amount, rng.choice(["NULL", "true"]), note))
            self.notes.append(note)
        elif dice < 0.7:
            self.session.sql("BEGIN; SET LOCAL mc_fdw.write_mode = 'update';"
                             "INSERT INTO orders (customer, order_id, amount, note) VALUES (%s, %s, '%s'); COMMIT" % (key, amount, note))
            self.notes.append(note)
        elif dice < 0.85:
            self.session.sql("UPDATE orders SET amount = %s, paid = %s WHERE %s" % (amount, rng.choice(["NULL", "false"]), where))
        else:
            self.session.sql("DELETE FROM orders WHERE " + where)

    def stop(self):
        self.stopped = True
        self.join()
        self.session.close()


def schedule(session):
    """fourteen ticks of five minutes"""
    command("emulator", "set", check_clock=False)       # it runs more than an hour ahead
    clock = Clock()
    clock.advance(660)
    changes_sql, follow_sql = RECIPES["Changes to MaxCompute, every five minutes"], RECIPES["A local copy that follows the table"]
    for block in changes_sql + follow_sql:
        session.sql(block)
    other = Session(database="jobs")
    writers = [Writer(1), Writer(2)]
    for w in writers:
        w.start()
    for tick in range(14):
        clock.before_window()
        start = time.time()
        while time.time() < start + 0.4:
            wait_for(writers, 6)
        if tick in (3, 8):
            shop("split_partition", "orders", at="w%02d" % (7 + tick % 7))
        if tick == 10:
            shop("merge_partitions", "orders", index=0)
        if tick in (4, 5):
            continue                # the scheduler slept
        if tick == 6:
            before = session.sql("SELECT until FROM sync_state ORDER BY job")
            faults({"service": "maxcompute", "api": "CommitUpload", "nth": 1, "action": "status", "http": 400, "code": "Refused"})
            out, state = session.try_sql("CALL sync_order_changes()")
            faults()
            tap.ok(state != "00000" and session.sql("SELECT until FROM sync_state ORDER BY job") == before,
                   "a run that fails leaves the position where it was", "%s %s" % (state, "\n".join(out)))
        if tick == 9:               # the server crashed between publishing and its own COMMIT
            published = odps_content("ods_order_changes")
            session.sql("UPDATE sync_state SET until = until - interval '15 min' WHERE job = 'order_changes'")
            session.sql("CALL sync_order_changes()")
            now = odps_content("ods_order_changes")
            tap.ok(len(published) > 2 and {k: now.get(k) for k in published} == published, "windows that run again give the same partitions",
                   "%s\n%s" % (published, now))
        other.send("CALL sync_order_changes(); CALL sync_orders_copy()")
        session.sql("CALL sync_orders_copy(); CALL sync_order_changes()")
        out, state = other.finish()
        if state != "00000":
            tap.ok(False, "two runs at the same time, tick %d" % tick, "\n".join(out))
    for w in writers:
        w.stop()
    tap.ok(not any(w.error for w in writers) and min(w.ops for w in writers) > 100, "two sessions wrote all the time",
           "%s %s" % ([w.ops for w in writers], [w.error for w in writers]))
    clock.advance(900)
    session.sql("CALL sync_order_changes(); CALL sync_orders_copy()")
    other.close()
    check_changes(session, writers)


def check_changes(session, writers):
    changes = [json.loads(line, parse_int=lambda n: -0.0 if n == "-0" else int(n)) for line in session.sql("SELECT to_json(c) FROM ods_order_changes c")]
    notes = sorted(c["note"] for c in changes if c["note"] is not None)
    tap.ok(notes == sorted(n for w in writers for n in w.notes), "every change is in exactly one window",
           "%d changes, %d notes arrived, %s sent" % (len(changes), len(notes), [len(w.notes) for w in writers]))
    tap.ok(len({(c["at"], c["seq"]) for c in changes}) == len(changes), "(at, seq) is different for every change")
    tap.ok({c["op"] for c in changes} == {"put", "update", "delete"}, "puts, updates and deletes")
    outside = session.sql("""SELECT count(*) FROM ods_order_changes WHERE dt || hm <>
        to_char(date_bin('5 min', at, '2000-01-01 00:00+00') AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDDHH24MI')""")
    tap.ok(outside == ["0"], "each partition holds the changes of its five minutes", str(outside))
    final = {(k, int(n)): c for (k, n), c in shop.dump("orders").items() if re.match(r'w\d\d$', k)}
    replayed = {k: {c: plain({"double": v} if c == "amount" else v) for c, v in row.items()}
                for k, row in replay(changes, ("at", "seq"), ("customer", "order_id"), ("amount", "paid", "note")).items()}
    # a row that lost its last column is still there; so is the key of an update that only deletes
    tap.ok(replayed == final and len(final) > 10, "the changes in their order give the table",
           difference(list(replayed.items()), list(final.items())))
    copy, table = selected(session, "orders_copy"), selected(session, "orders")
    tap.ok(copy == table, "the local copy is the table", difference(copy, table))
    order = {}
    for c in sorted(changes, key=lambda c: (c["at"], c["seq"])):
        if c["note"]:
            order.setdefault((c["customer"], c["order_id"], c["note"][0]), []).append(c["note"])
    tap.ok(all(v == sorted(v) for v in order.values()), "the changes of a writer to a key are in their order")
    shards = session.sql("SELECT count(*) FROM mc.stream_shards('orders_changes')")
    tap.ok(int(shards[0]) > 3, "over splits and a merge of shards", str(shards))


def import_from_maxcompute(session, rows):
    create, load = RECIPES["MaxCompute to Tablestore"][0].split(";\n\n")
    session.sql(create)
    faults({"service": "tablestore", "api": "BatchWriteRow", "after": 3, "action": "status_after", "http": 503, "code": "OTSTimeout"})
    out, state = session.try_sql("BEGIN; SET LOCAL mc_fdw.max_retries = 0; SET LOCAL mc_fdw.concurrency = 1;\n" + load)
    session.try_sql("ROLLBACK")
    faults()
    wanted = {(k[0], str(k[1])): {c: plain({"double": v} if c == "amount" else v) for c, v in r.items() if c != "paid"} for k, r in rows.items()}
    half = shop.dump("order_scores")
    tap.ok(any("ERROR" in x for x in out) and 0 < len(half) < len(wanted) and all(half[k] == wanted[k] for k in half),
           "a run that fails leaves the rows it had sent", "%s rows\n%s" % (len(half), "\n".join(out)[-400:]))
    session.sql(load)
    tap.ok(shop.dump("order_scores") == wanted, "the next one completes them, bit for bit")
    before = shop.content("order_scores")
    session.sql(load)
    tap.ok(shop.content("order_scores") == before, "a second run changes nothing")

    session.sql("BEGIN; SET LOCAL mc_fdw.write_mode = 'update';"
                "INSERT INTO order_scores (customer, order_id, note) SELECT customer, order_id, NULL FROM ods_orders WHERE dt = '20260101'; COMMIT")
    for columns in wanted.values():
        columns.pop("note", None)
    tap.ok(shop.dump("order_scores") == wanted, "'update' deletes the column that is NULL and leaves the others alone")


def from_loghub(session):
    block = RECIPES["Log Service to Tablestore"][0]
    session.sql(block)
    session.sql("""CREATE FOREIGN TABLE raw_log (__receive_time__ timestamptz, t text OPTIONS (field '__time__'), user_id text,
        request_id text, method text, status text, request_time text, body_bytes text) SERVER sls OPTIONS (logstore 'access-log')""")
    wanted = {}
    for line in session.sql("SELECT json_build_array(user_id, t, request_id, method, status, request_time, body_bytes) FROM raw_log "
                            "WHERE __receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08'"):
        user, at, request, method, status, cost, body = json.loads(line)
        seconds, fraction = (at.split(".") + ["0"])[:2]
        wanted[user, str(int(seconds) * 1000 + int(fraction[:3].ljust(3, "0"))), request] = {
            "method": plain(method), "status": status, "cost": plain({"double": cost}), "body_bytes": body,
            "failed": plain(int(status) >= 500), "bucket": str(int(request[:2], 16))}
    got = shop.dump("visits")
    tap.ok(got == wanted and len(got) > 9000, "every log is a row, converted", "%d of %d" % (len(got), len(wanted)))
    before = shop.content("visits")
    load = block[block.index("INSERT INTO visits"):]
    session.sql(load)
    tap.ok(shop.content("visits") == before, "the window run again changes nothing")
    session.sql("DELETE FROM visits")
    first = load.replace("< '2018-01-11 01:35:00+08'", "< '2018-01-11 01:32:17+08'")
    second = load.replace(">= '2018-01-11 01:30:00+08'", ">= '2018-01-11 01:32:17+08'")
    session.sql(first)
    part = shop.content("visits")[0]
    session.sql(second)
    tap.ok(0 < part < len(wanted) and shop.content("visits") == before, "two windows that tile give the same", str(part))


def lookups(session):
    setup, query = RECIPES["Look rows up by key"][0].rsplit("SELECT w.*", 1)
    session.sql(setup)
    session.sql("INSERT INTO wanted SELECT customer, order_id, 'all' FROM orders_local WHERE order_id BETWEEN 0 AND 30; ANALYZE wanted")
    query = "SELECT w.*" + query
    sort = " ORDER BY 1, 2, 3"
    local = session.sql(query.replace("orders o", "orders_local o").rstrip().rstrip(";") + sort)
    remote = session.sql(query.rstrip().rstrip(";") + sort)
    tap.ok(remote == local and len(local) > 30 and any("typo" in x and x.endswith("||") for x in local), "a join that looks rows up by key",
           "%d %d" % (len(remote), len(local)))
    plan = "\n".join(session.sql("EXPLAIN (COSTS OFF) " + query))
    tap.ok("Nested Loop" in plan and "Key Cond" in plan, "one row at a time while they are few", plan)
    arrays = RECIPES["Look rows up by key"][1].rstrip().rstrip(";")
    tap.ok(session.sql(arrays + " AND true ORDER BY order_id") == session.sql(arrays.replace("FROM orders\n", "FROM orders_local\n") + " ORDER BY order_id"),
           "keys as an array")


def backup(session):
    shop.put("orders", {("extra", 1): {"coupon": 2 ** 60, "score": 0.5, "vip": True, "memo": "é\n", "amount": 1.0}})
    before = shop.dump("orders")
    create, restore = RECIPES["Backup and restore"][0].split("-- restore")
    session.sql(create)
    session.sql("INSERT INTO orders VALUES ('later', 1, 1, true, 'not in the backup'); DELETE FROM orders WHERE order_id < 0;"
                "UPDATE orders SET note = 'changed' WHERE order_id = 5")
    changed = shop.dump("orders")
    session.sql("-- restore" + restore)
    tap.ok(before != changed and shop.dump("orders") == before, "the table is restored, undeclared columns too", "%d %d" % (len(before), len(changed)))

    rng = random.Random(5)
    data = [b"", b"\x00", b"\xff\x00\x80", bytes(range(256)), "é".encode()]
    rows = {(b, n, s): {c: v for c, v in (("bin", rng.choice(data)), ("i", rng.choice(INTEGERS)), ("d", rng.choice(DOUBLES)), ("t", rng.choice(TEXTS)),
                                          ("f", rng.random() < 0.5), ("undeclared", rng.choice(INTEGERS))) if rng.random() < 0.8} or {"i": 1}
            for b in data for n in INTEGERS + [-2 ** 63] for s in TEXTS}
    shop.put("all_types", rows)
    before, stamped = shop.dump("all_types"), shop.dump("all_types", timestamps=True)
    session.sql("""CREATE FOREIGN TABLE all_types (b bytea OPTIONS (key '1') NOT NULL, n bigint OPTIONS (key '2') NOT NULL,
        s text OPTIONS (key '3') COLLATE "C" NOT NULL, bin bytea, i bigint, d double precision, t text, f boolean,
        rest jsonb OPTIONS (field '*'), __version__ bigint) SERVER ots;
        CREATE TABLE all_types_backup AS SELECT * FROM all_types;
        DELETE FROM all_types; INSERT INTO all_types SELECT * FROM all_types_backup""")
    after = shop.dump("all_types")
    tap.ok(after == before and len(after) == len(rows), "every type of key and value comes back", "%d %d" % (len(after), len(before)))
    newest = {k: max(ts for cell in c.values() for _, ts in cell) for k, c in stamped.items()}
    restored = shop.dump("all_types", timestamps=True)
    tap.ok(all(ts == newest[k] for k, c in restored.items() for cell in c.values() for _, ts in cell), "with the versions of the backup")


def main():
    command("loghub", "create_project", project="web")
    generate("access-log", 10000, shards=4, profile="access_log")
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.ods_orders (customer STRING, order_id BIGINT, amount DOUBLE, paid BOOLEAN, note STRING) PARTITIONED BY (dt STRING)")
    odps_sql("CREATE TABLE demo.ods_order_changes (op STRING, at TIMESTAMP, seq STRING, customer STRING, order_id BIGINT, amount DOUBLE,"
             " paid BOOLEAN, note STRING, deleted ARRAY<STRING>) PARTITIONED BY (dt STRING, hm STRING)")
    command("tablestore", "set", page_rows=300, split_mib=65536)
    for table, keys in TABLES.items():
        shop("create_table", table, stream_hours=24, keys=[{"name": n, "type": t} for n, t in keys])
    rows = order_rows(3000)
    shop.put("orders", rows)
    Session().sql("CREATE DATABASE jobs")
    session = Session(database="jobs")
    session.sql("CREATE EXTENSION mc_fdw")
    session.sql("SET client_min_messages = error; SET mc_fdw.split_size = '1MB'")
    for block in RECIPES["Cookbook: Tablestore jobs"]:
        session.sql(block)
    full_export(session, rows)
    key_ranges(session)
    import_from_maxcompute(session, rows)
    lookups(session)
    schedule(session)
    from_loghub(session)
    backup(session)
    tap.done()


RECIPES = recipes("cookbook.md")
shop = Instance("shop")
if __name__ == "__main__":
    main()
