"""LogHub Shipper: its configuration imported and run as printed; the target's values compared with another implementation of its
transform, skipped rows, several jobs that share a table, rows of the status table, errors."""
import json
import os
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, LOGHUB, MAXCOMPUTE, TABLESTORE, Session, Tap, call, command  # noqa: E402

EVERY = 300
tap = Tap()
start = int(time.time()) // EVERY * EVERY - 6 * 3600
s = None


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def ots(op, table, **more):
    return command("tablestore", op, instance="shop", table=table, **more)


def config(name, **changes):
    """test/data/jobs/<name>.json with the emulator's addresses; changes: of loghub and tablestore, or whole members"""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/jobs", name + ".json"), encoding="utf-8") as f:
        doc = json.load(f)
    doc.update(access_key_id=KEY[0], access_key_secret=KEY[1])
    for part, endpoint in (("loghub", LOGHUB.replace("://", "://shop.")), ("tablestore", TABLESTORE)):
        doc[part] = json.dumps(dict(json.loads(doc[part]), endpoint=endpoint, **changes.pop(part, {})))
    doc.update(changes)
    return json.dumps(doc)


# ---- the transform, another time ----

class Missing(Exception):
    pass


def parse(text):
    """(function, arguments ...) as tuples, strings as ("s", text), fields as ("f", name), integers"""
    at = 0

    def skip():
        nonlocal at
        while at < len(text) and text[at].isspace():
            at += 1

    def one():
        nonlocal at
        skip()
        if text[at] == "(":
            at += 1
            parts = []
            while True:
                skip()
                if text[at] == ")":
                    at += 1
                    return tuple([parts[0][1]] + parts[1:])
                parts.append(one())
        if text[at] == '"':
            out, at = "", at + 1
            while text[at] != '"':
                at += text[at] == "\\"
                out, at = out + text[at], at + 1
            at += 1
            return "s", out
        begin = at
        while at < len(text) and not text[at].isspace() and text[at] not in '()"':
            at += 1
        word = text[begin:at]
        return int(word) if word.isdigit() else ("f", word)
    return one()


def to_int(base, text):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:base]
    sign, body = (-1, text[1:]) if text[:1] == "-" else (1, text[1:]) if text[:1] == "+" else (1, text)
    n = 0
    if not body or not 2 <= base <= 36:
        raise Missing
    for c in body:
        if c.lower() not in digits or not c.isascii():
            raise Missing
        n = n * base + digits.index(c.lower())
    n *= sign
    if not -2 ** 63 <= n < 2 ** 63:
        raise Missing
    return n


def evaluate(tree, log):
    if isinstance(tree, int):
        return tree
    if tree[0] == "s":
        return tree[1]
    if tree[0] == "f":
        if tree[1] not in log:
            raise Missing
        return log[tree[1]]
    values = [evaluate(x, log) for x in tree[1:]]
    if tree[0] == "->int":
        return to_int(*values)
    if tree[0] == "->bool":
        if values[0] not in ("true", "false"):
            raise Missing
        return values[0] == "true"
    return zlib.crc32(values[0].encode())


def shipped(doc, log, keys):
    """(key, columns) of a log; None = skipped"""
    doc = json.loads(doc)
    row = dict(log)
    for column, expression in json.loads(doc["transform"]).items():
        row.pop(column, None)
        try:
            row[column] = evaluate(parse(expression), log)
        except Missing:
            pass
    key = tuple(row.pop(k, None) for k in keys)
    for name in json.loads(doc["exclusive_columns"]):
        row.pop(name, None)
    return None if None in key else (key, row)


# ---- logs ----

class Store:
    def __init__(self, name, shards=2):
        self.name, self.logs = name, []
        command("loghub", "create_logstore", project="shop", logstore=name, shards=shards, ttl=3650)

    def append(self, shard, at, logs, topic="t", source="10.0.0.1"):
        stamped = [dict(x, __time__=at - 7 + i) for i, x in enumerate(logs)]
        command("loghub", "append_group", project="shop", logstore=self.name, shard=shard, late=True, receive_time=iso(at),
                group={"__topic__": topic, "__source__": source, "__logs__": stamped})
        self.logs += [(at, shard, dict(x, __topic__=topic, __source__=source)) for x in stamped]

    def window(self, w):
        return [x for x in self.logs if start + w * EVERY <= x[0] < start + (w + 1) * EVERY]


def expected(content, doc, logs, keys=("order_no",)):
    """UpdateRow of all logs; returns how many were skipped of each shard"""
    skipped = 0
    for _, _, log in logs:
        found = shipped(doc, log, keys)
        if found is None:
            skipped += 1
        else:
            content.setdefault(found[0], {}).update(found[1])
    return skipped


def content(table):
    return {tuple(r["key"]): r["columns"] for r in ots("dump", table)["rows"]}


def same(got, wanted, name):
    text = lambda x: {json.dumps(k): json.dumps(v, sort_keys=True) for k, v in x.items()}  # noqa: E731  tells 1 from true
    got, wanted = text(got), text(wanted)
    diff = [(k, got.get(k), wanted.get(k)) for k in sorted(set(got) | set(wanted)) if got.get(k) != wanted.get(k)]
    tap.ok(wanted and not diff, name, "%d of %d: %s" % (len(diff), len(wanted), diff[:3]))


def imported(doc, **more):
    more = "".join(", %s => %s" % (k, quote(v)) for k, v in more.items())
    rows = json.loads("".join(s.sql("SELECT json_agg(r ORDER BY ordinal) FROM mc.import_shipper_config(%s%s) r" % (quote(doc), more))))
    return rows


def run_all(rows):
    for r in rows:
        if r["statement"] is not None:
            s.sql(r["statement"])


def run(job, retry=True):
    return s.try_sql("CALL mc.run_job('%s', retry => %s)" % (job, retry))


def runs(job):
    return s.sql("SELECT seq, attempt, state, rows_in, rejected, write_cu > 0 FROM mc.run JOIN mc.job USING (job_id)"
                 " WHERE name = '%s' ORDER BY run_id" % job)


def status(after=0):
    """rows of the status table, in the order of their time"""
    rows = [dict(zip(("project_logstore", "shard", "target_table", "timestamp"), r["key"]), **r["columns"]) for r in ots("dump", "ship_status")["rows"]]
    return [r for r in sorted(rows, key=lambda r: (r["timestamp"], r["shard"])) if r["timestamp"] > after]


call("clock", {"now": iso(start - 3600)})
command("loghub", "create_project", project="shop", if_not_exists=True)
command("tablestore", "create_instance", instance="shop")
ots("create_table", "orders", keys=[{"name": "order_no", "type": "STRING"}])
ots("create_table", "ship_status", keys=[{"name": "project_logstore", "type": "STRING"}, {"name": "shard", "type": "INTEGER"},
                                        {"name": "target_table", "type": "STRING"}, {"name": "timestamp", "type": "INTEGER"}])
orders = Store("orders")
now = start + EVERY + 301
call("clock", {"now": iso(now)})
s = Session("SET TimeZone = 'UTC'; SET mc_fdw.max_retries = '2'; SET mc_fdw.retry_max_elapsed = '3s'")
s.sql("CREATE EXTENSION mc_fdw")

# ---- J5: as the document stands ----

doc = config("shipper")
rows = imported(doc, name="ship_orders", start=iso(start))
tap.ok(not any(KEY[1] in json.dumps(r) for r in rows if r["kind"] != "user mapping"), "the secret is in user mappings and nowhere else")
tap.ok(not [r for r in rows if r["kind"] == "unknown"], "every parameter of the document is known", str(rows))
accounted = {r["remark"].split(":")[0] for r in rows if r["kind"] == "parameter"}
tap.ok(accounted == {"access_key_id", "access_key_secret", "exclusive_columns", "transform", "loghub.endpoint", "loghub.logstore", "loghub.consumer_group",
                     "tablestore.endpoint", "tablestore.instance", "tablestore.target_table", "tablestore.status_table"}, "and accounted for", str(accounted))
run_all(rows)

for i in range(60):
    log = {"raw_no": "n%03d" % (i % 40), "cents": str(i * 7 - 50), "paid": "true" if i % 2 else "false", "note": "é中文 \\ \" %d" % i, "n": str(i)}
    if i % 7 == 0:
        log["cents"] = ["", "1.5", "x", "9223372036854775808", "+5", "-0", "٣", "9223372036854775807", "-9223372036854775808"][i // 7]
    if i % 9 == 0:
        log["paid"] = ["TRUE", "t", "", "1", "false ", "true", "no"][i // 9]
    if i % 11 == 3:
        del log["cents"]
    if i % 13 == 5:
        del log["raw_no"]
    if i % 10 == 4:
        log.update(amount="raw text of a column that the transform writes", hex="ignored", bucket="ignored")
    orders.append(i % 2, start + i * 4, [log], topic="" if i % 3 else "web")
out, state = run("ship_orders")
tap.ok(state == "00000", "the first window runs", "\n".join(out))
wanted = {}
skipped = expected(wanted, doc, orders.window(0))
same(content("orders"), wanted, "values of the target are those of the transform")
tap.ok(skipped > 0 and runs("ship_orders") == ["1|1|done|60|%d|t" % skipped], "rows without a key are counted, exactly", str(runs("ship_orders")))
rejects = s.sql("SELECT DISTINCT reason, raw ? 'order_no', raw ? 'rest' FROM mc.reject JOIN mc.run USING (run_id) JOIN mc.job USING (job_id) WHERE name = 'ship_orders'")
tap.ok(rejects == ["missing primary key order_no|f|t"], "and stored with their reason and the row", str(rejects))

got = status()
tap.ok([(r["project_logstore"], r["shard"], r["target_table"]) for r in got] == [("shop|orders", 0, "orders"), ("shop|orders", 1, "orders")],
       "a status row for each shard", str(got))
for r in got:
    mine = [x for x in orders.window(0) if x[1] == r["shard"]]
    tap.ok(r["row_count"] == len(mine) and r["__time__"] == max(x[2]["__time__"] for x in mine) and "error_code" not in r and r["shipper_id"].startswith("ship_orders@"),
           "shard %d: rows and largest log time" % r["shard"], str(r))
tap.ok(sum(r["skip_count"] for r in got) == skipped and sum(r["cu_count"] for r in got) > 0
       and "missing primary key order_no" in got[0]["skip_sample"] and "skip_sample" not in got[1], "what was skipped, with a sample, and capacity units", str(got))
tap.ok(s.sql("SELECT count(*) FILTER (WHERE reported = position), bool_and(mc._mark_ahead(job_id) IS FALSE) FROM mc.checkpoint") == ["2|t"],
       "the consumer group of the document has the positions")
tap.ok(s.sql("SELECT count(*), bool_and(max_log_time IS NOT NULL) FROM mc.run_shard") == ["2|t"], "mc.run_shard has the largest log time")

# ---- a column that a later log does not have stays; another job writes other columns of the same rows ----

refunds = Store("refunds", shards=1)
more = {"transform": json.dumps({"order_no": "raw_no", "refund": "(->int 36 (crc32x))"}), "exclusive_columns": "[]"}
out, state = s.try_sql("SELECT * FROM mc.import_shipper_config(%s)" % quote(config("shipper", **more)))
tap.ok(state == "0A000", "an unknown function is refused", "\n".join(out))
doc2 = config("shipper", loghub={"logstore": "refunds", "consumer_group": "ship-refunds", "mode": "fast"}, surplus=1,
              transform=json.dumps({"order_no": "raw_no", "refund": "(->int 16 (->int 10 r))"}), exclusive_columns="[]")
out, state = s.try_sql("SELECT * FROM mc.import_shipper_config(%s)" % quote(doc2))
tap.ok(state == "42804", "an argument of the wrong type is refused", "\n".join(out))
doc2 = config("shipper", loghub={"logstore": "refunds", "consumer_group": "ship-refunds", "mode": "fast"}, surplus=1,
              transform=json.dumps({"order_no": "raw_no", "refund": "(->int (->int 10 \"16\") r)", "quoted": "\"a \\\\ \\\" 'b' )\"", "n": "__time__",
                                    "hash": "(crc32 (crc32 raw_no))"}), exclusive_columns="[]")
out, state = s.try_sql("SELECT * FROM mc.import_shipper_config(%s)" % quote(doc2))
tap.ok(state == "42804", "crc32 of a number is refused", "\n".join(out))
doc2 = config("shipper", loghub={"logstore": "refunds", "consumer_group": "ship-refunds", "mode": "fast"}, surplus=1,
              transform=json.dumps({"order_no": "raw_no", "refund": "(->int (->int 10 base) r)", "quoted": "\"a \\\\ \\\" 'b' )\"", "seconds": "__time__"}),
              exclusive_columns=json.dumps(["__source__", "__time__", "__topic__", "raw_no", "r", "base"]))
rows = imported(doc2, name="ship_refunds", start=iso(start + EVERY))
tap.ok(sorted(r["remark"].split(":")[0] for r in rows if r["kind"] == "unknown") == ["loghub.mode", "surplus"], "unknown parameters are listed", str(rows))
tap.ok(all(r["statement"] is None for r in rows if r["kind"] in ("server", "user mapping")), "servers that are there are used")
run_all(rows)
for i in range(30):
    orders.append(i % 2, start + EVERY + i, [{"raw_no": "n%03d" % i, "late": "x%d" % i}])
    refunds.append(0, start + EVERY + i, [{"raw_no": "n%03d" % i, "r": "1z" if i % 5 else "q!", "base": str(36 if i % 3 else 37)}])
now += EVERY
call("clock", {"now": iso(now)})
for job in ("ship_orders", "ship_refunds"):
    out, state = run(job)
    tap.ok(state == "00000", "%s runs" % job, "\n".join(out))
expected(wanted, doc, orders.window(1))
tap.ok(expected(wanted, doc2, refunds.window(1)) == 0, "nothing is skipped in the second job")
same(content("orders"), wanted, "two jobs share rows; columns that a log does not have stay")
before = max(r["timestamp"] for r in status())
tap.ok({r["project_logstore"] for r in status()} == {"shop|orders", "shop|refunds"}, "and the status table")

# ---- the product's example: three key columns, one of them an INTEGER, jsonb instead of strings ----

ots("create_table", "loghub_target", keys=[{"name": "rename", "type": "STRING"}, {"name": "trans-pkey", "type": "INTEGER"}, {"name": "keep", "type": "STRING"}])
example = Store("test-store", shards=1)
doc3 = {"access_key_id": KEY[0], "access_key_secret": KEY[1], "loghub": {"endpoint": LOGHUB.replace("://", "://shop."), "logstore": "test-store"},
        "tablestore": {"endpoint": TABLESTORE, "instance": "shop", "target_table": "loghub_target"},
        "exclusive_columns": ["__source__", "__time__"], "transform": {"rename": "original", "trans-pkey": "(->int 10 original)"}}
rows = json.loads("".join(s.sql("SELECT json_agg(r ORDER BY ordinal) FROM mc.import_shipper_config(%s::jsonb, 'ship_example', start => '%s') r"
                                % (quote(json.dumps(doc3)), iso(start + EVERY)))))
run_all(rows)
example.append(0, start + EVERY + 5, [{"original": "12345", "keep": "hoho"}, {"original": "x", "keep": "hoho"}], topic="smile")
out, state = run("ship_example")
same(content("loghub_target"), {("12345", 12345, "hoho"): {"__topic__": "smile", "original": "12345"}}, "the product's example")
tap.ok(runs("ship_example") == ["1|1|done|2|1|t"], "a key that cannot be converted is missing", str(runs("ship_example")) + "\n".join(out))
bad = dict(doc3, transform={"rename": "original", "trans-pkey": "original"})
rows = imported(json.dumps(bad), name="ship_bad")
errors = [s.try_sql(r["statement"]) for r in rows if r["statement"]]
tap.ok([x[1] for x in errors] == ["00000"] * (len(errors) - 1) + ["42804"], "a text for an INTEGER key is an error when the job is made", str(errors[-1]))

# ---- errors: at once in the status table, and never of the status table ----

orders.append(0, start + 2 * EVERY + 1, [{"raw_no": "late", "cents": "1"}])
now += EVERY
call("clock", {"now": iso(now)})
s.sql("ALTER FOREIGN TABLE ship_orders.orders OPTIONS (SET table 'gone')" if s.sql(
    "SELECT 1 FROM pg_foreign_table WHERE ftrelid = 'ship_orders.orders'::regclass AND EXISTS (SELECT FROM unnest(ftoptions) o WHERE o LIKE 'table=%')")
      else "ALTER FOREIGN TABLE ship_orders.orders OPTIONS (ADD table 'gone')")
out, state = run("ship_orders")
tap.ok(state not in ("00000", "lost"), "the run fails", "\n".join(out))
got = [r for r in status(before) if r["project_logstore"] == "shop|orders"]
tap.ok([r["shard"] for r in got] == [0, 1] and all(r["error_code"] == state and "OTSObjectNotExist" in r["error_message"] and r["target_table"] == "gone" and r["row_count"] == 0 and "__time__" not in r for r in got),
       "a row for each shard, with the error", str((state, got)))
s.sql("ALTER FOREIGN TABLE ship_orders.orders OPTIONS (SET table 'orders')")
s.sql("ALTER FOREIGN TABLE ship_orders.ship_status OPTIONS (%s table 'no_status')" % (
    "SET" if s.sql("SELECT 1 FROM pg_foreign_table WHERE ftrelid = 'ship_orders.ship_status'::regclass AND ftoptions::text LIKE '%table=%'") else "ADD"))
n = len(status())
out, state = run("ship_orders")
tap.ok(state == "00000" and any("status of job \"ship_orders\" could not be written" in x for x in out) and runs("ship_orders")[-1].split("|")[2] == "done"
       and len(status()) == n, "a status that cannot be written is a warning", "\n".join(out))
expected(wanted, doc, orders.window(2))
same(content("orders"), wanted, "the window is done all the same")

# ---- a limit on skipped rows ----

s.sql("ALTER FOREIGN TABLE ship_orders.ship_status OPTIONS (SET table 'ship_status'); ALTER FOREIGN TABLE ship_orders.orders OPTIONS (ADD reject_limit '0')")
orders.append(1, start + 3 * EVERY, [{"raw_no": "kept", "cents": "7"}, {"cents": "8", "note": "no number"}])
now += EVERY
call("clock", {"now": iso(now)})
before = max(r["timestamp"] for r in status())
out, state = run("ship_orders")
got = [r for r in status(before) if r["project_logstore"] == "shop|orders"]
tap.ok(state == "23502" and [r["error_code"] for r in got] == ["23502"] * 2 and "no number" in got[0]["failed_sample"] and [r["skip_count"] for r in got] == [0, 0],
       "above reject_limit the run fails, with the row as sample", str((state, got)))
s.sql("ALTER FOREIGN TABLE ship_orders.orders OPTIONS (DROP reject_limit)")
before = max(r["timestamp"] for r in status())
out, state = run("ship_orders")
skipped = expected(wanted, doc, orders.window(3))
got = [r for r in status(before) if r["project_logstore"] == "shop|orders"]
same(content("orders"), wanted, "without the limit it is done")
tap.ok(state == "00000" and skipped == 1 and [r["skip_count"] for r in got] == [1, 0] and [r["row_count"] for r in got] == [0, 2], "and counted once", str(got))

# ---- sessions that end at every step ----

w = 3
for step in ("T0", "execute", "executed", "seal", "sealed", "T1", "committed"):
    w += 1
    for i in range(20):
        orders.append(i % 2, start + w * EVERY + i, [{"raw_no": "n%03d" % (i * 3 % 50), "cents": str(w * 100 + i), "paid": "maybe"}, {"cents": "1"}])
    now += EVERY
    call("clock", {"now": iso(now)})
    victim = Session("SET mc_fdw.fail_at = '%s:exit'" % step)
    victim.try_sql("CALL mc.run_job('ship_orders', retry => true)")
    out, state = run("ship_orders")
    skipped = expected(wanted, doc, orders.window(w))
    last = s.sql("SELECT rejected, state FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'ship_orders' ORDER BY run_id DESC LIMIT 1")
    rows_of = s.sql("SELECT sum(s.rows) FROM mc.run_shard s JOIN mc.job USING (job_id) WHERE name = 'ship_orders' AND s.window_begin = to_timestamp(%d)" % (start + w * EVERY))
    if state != "00000" or last != ["%d|done" % skipped] or rows_of != ["40"]:
        tap.ok(False, "a session that ends at %s" % step, str((state, last, skipped, rows_of, out)))
same(content("orders"), wanted, "sessions that end at every step leave exactly the values of all windows")

# ---- a job that publishes: its rows are written when it is settled, also by another session ----

s.sql("""CREATE TABLE status_here (project_logstore text, shard bigint, target_table text, "timestamp" bigint, error_code text, row_count bigint, skip_count bigint,
    "__time__" bigint, written_by text)""")
s.sql("CREATE FUNCTION note_user() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.written_by := current_user; RETURN new; END';"
      "CREATE TRIGGER note BEFORE INSERT ON status_here FOR EACH ROW EXECUTE FUNCTION note_user()")
call("clock", {"system": True})
command("maxcompute", "create_project", project="demo")
command("maxcompute", "sql", project="demo", sql="CREATE TABLE demo.shipped (raw_no STRING, cents STRING)")
s.sql("CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint '%s', project 'demo');"
      "CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id '%s', access_key_secret '%s');"
      "CREATE FOREIGN TABLE shipped (raw_no text, cents text) SERVER odps" % ((MAXCOMPUTE,) + KEY))
SELECT = "SELECT raw_no, cents FROM ship_orders.orders_source WHERE __receive_time__ >= $1 AND __receive_time__ < $2"
s.sql("SELECT mc.create_job('ship_odps', 'INSERT INTO shipped %s', '5 min', start => '%s', max_windows => 1, status_table => 'status_here')" % (SELECT, iso(start)))
victim = Session("SET mc_fdw.fail_at = 'P1:exit'")
out = victim.try_sql("CALL mc.run_job('ship_odps')")
got = s.sql("SELECT (SELECT count(*) FROM status_here), state, error_message FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'ship_odps'")
tap.ok(got == ["0|prepared|"], "no row while it is not known how the run ends", str((got, out)))
out, state = s.try_sql("CALL mc.resolve_all()")
tap.ok(s.sql("SELECT shard, target_table, row_count, error_code, __time__ FROM status_here ORDER BY shard") == [
    "%d|shipped|30||%d" % (i, max(x[2]["__time__"] for x in orders.window(0) if x[1] == i)) for i in (0, 1)], "whoever settles it writes them", "\n".join(out))

# ---- as the job's owner ----

s.sql("""CREATE ROLE "ship owner" LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO "ship owner"; GRANT USAGE ON SCHEMA ship_orders TO "ship owner";
    GRANT USAGE ON FOREIGN SERVER loghub_shop TO "ship owner"; GRANT SELECT ON ship_orders.orders_source TO "ship owner";
    CREATE USER MAPPING FOR "ship owner" SERVER loghub_shop OPTIONS (access_key_id '%s', access_key_secret '%s'); TRUNCATE status_here""" % KEY)
s.sql("""SET SESSION AUTHORIZATION "ship owner"; CREATE TABLE mine (raw_no text, cents text)""")
s.sql("SELECT mc.create_job('ship_mine', 'INSERT INTO mine %s', '5 min', start => '%s', max_windows => 1, status_table => 'status_here')" % (SELECT, iso(start)))
s.sql("RESET SESSION AUTHORIZATION")
out, state = run("ship_mine")
tap.ok(state == "00000" and any("permission denied for table status_here" in x for x in out) and s.sql("SELECT count(*) FROM mine") == ["60"],
       "a superuser who runs it lends no rights", "\n".join(out))
s.sql("""GRANT INSERT ON status_here TO "ship owner" """)
out, state = run("ship_mine")
tap.ok(s.sql("SELECT DISTINCT written_by FROM status_here") == ["ship owner"], "rows are written by the job's owner", "\n".join(out))
s.sql("CREATE ROLE shipper_other; GRANT USAGE ON SCHEMA mc TO shipper_other")
out, state = s.try_sql("SET SESSION AUTHORIZATION shipper_other; SELECT mc._insert_status(1, '[]')")
s.sql("RESET SESSION AUTHORIZATION")
tap.ok(state == "42704", "another role cannot write it", "\n".join(out))
tap.done()
