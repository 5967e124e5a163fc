"""The jobs of docs/cookbook-oss.md, as they stand there, end to end: what is in the objects is exactly what
was in the source, a rerun changes nothing, a run that fails or is killed shows nothing and is made up for."""
import csv
import ctypes
import ctypes.util
import gzip
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import BYTES, DOUBLES, INTEGERS, TEXTS, Clock, Instance, bits, difference, faults, plain, recipes, replay, wait_for  # noqa: E402
from mctest import (Session, Tap, call, command, odps_content, odps_sql, oss_bucket, oss_get, oss_keys, oss_put,  # noqa: E402
                    oss_uploads)

tap = Tap()
csv.field_size_limit(10000000)
COLUMNS = ("weight", "doors", "active", "note", "photo")
CSV_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^,"\n]*))([,\n])')
TEXT_FIELD = re.compile("(?:^|\x01)((?:\\\\.|[^\x01\\\\])*)", re.S)
META = ("__tag__:__receive_time__", "__tag__:__client_ip__")
STOPPED = "SET mc_fdw.max_retries = 0;\n"


def files(prefix):
    """key -> bytes, unpacked"""
    got = {key: oss_get(key, "fleet") for key in oss_keys(prefix, "fleet")}
    return {key: gzip.decompress(data) if key.endswith(".gz") else zstd(data) if key.endswith(".zst") else data for key, data in got.items()}


def zstd(data, call="ZSTD_decompress", level=(), room=1 << 24):
    out, library = ctypes.create_string_buffer(room), ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    function = getattr(library, call)
    function.restype = ctypes.c_size_t
    n = function(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), *level)
    assert n <= room, "%s fails" % call
    return out.raw[:n]


def listed(prefix=""):
    """what the bucket shows, to compare"""
    return {o["key"]: o["etag"] for o in command("oss", "list", bucket="fleet", prefix=prefix, limit=100000)["objects"]}


def parse_csv(data, null=""):
    """records of csv; NULL is the null text without quotes, which Python's own reader does not tell"""
    records, record, at = [], [], 0
    text = data.decode()
    while at < len(text):
        m = CSV_FIELD.match(text, at)
        at = m.end()
        quoted, bare, end = m.groups()
        record.append(quoted.replace('""', '"') if quoted is not None else None if bare == null else bare)
        if end == "\n":
            records.append(record)
            record = []
    assert not record
    return records


def restarted():
    """after a crash the server is back in a moment"""
    for _ in range(300):
        time.sleep(0.1)
        if subprocess.run(["psql", "-XqAt", "-d", "jobs", "-c", "SELECT 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode == 0:
            return
    raise RuntimeError("the server does not come back")


def car_rows():
    """every edge as key and as value, rows without any column, some large ones"""
    rng = random.Random(7)
    rows = {}
    for text in TEXTS:
        for number in INTEGERS + [-2 ** 63]:
            rows[text, number] = {"weight": rng.choice(DOUBLES), "doors": rng.choice(INTEGERS + [-2 ** 63]), "active": rng.random() < 0.5,
                                  "note": rng.choice(TEXTS), "photo": rng.choice(BYTES)}
    for i, (weight, text) in enumerate((w, t) for w in DOUBLES for t in TEXTS):
        rows["edge", i] = {"weight": weight, "note": text, "photo": BYTES[i % len(BYTES)]}
    for i in range(6):
        rows["large", i] = {"note": "".join(rng.choice("0123456789abcdef,\"\n") for _ in range(150000)), "active": False}
    for i in range(2000):
        columns = {"weight": rng.random() * 1e4, "doors": i, "active": i % 3 == 0, "note": "note %d" % i, "photo": rng.randbytes(9)}
        rows["c%d" % rng.randrange(50), i] = {c: v for c, v in columns.items() if rng.random() < 0.6} or {"doors": 0}
    return rows


def expected(rows):
    return sorted(([k[0], k[1], bits(c.get("weight")), c.get("doors"), c.get("active"), c.get("note"), c["photo"].hex() if "photo" in c else None]
                   for k, c in rows.items()), key=repr)


def exported():
    """rows of the day's csv, decoded"""
    rows = []
    for data in files("backup/cars/dt=20260101/").values():
        records = parse_csv(data)
        assert records[0] == ["car", "no"] + list(COLUMNS), records[0]
        for car, no, weight, doors, active, note, photo in records[1:]:
            rows.append([car, int(no), bits(weight), None if doors is None else int(doors), {None: None, "t": True, "f": False}[active], note,
                         None if photo is None else bytes.fromhex(re.fullmatch(r"\\x(([0-9a-f]{2})*)", photo).group(1)).hex()])
    return sorted(rows, key=repr)


def full_export(session, rows):
    create, export = RECIPES["A Tablestore table to csv"][0].split(";\n\n")
    session.sql(create)
    oss_put("backup/cars/dt=20260101/other-tool.csv", "car,no\nold,1\n", "fleet")
    others = ["backup/cars/dt=20260102/x.csv", "backup/cars/dt=202601010/x.csv", "backup/cars/dt=20260101", "backup/cars", "backup/carsx/dt=20260101/x"]
    for key in others:
        oss_put(key, "kept", "fleet")
    kept = {k: v for k, v in listed().items() if k in others}
    session.sql(export)
    tap.ok(exported() == expected(rows), "every row of the table is in the day's directory, bit for bit", difference(exported(), expected(rows)))
    tap.ok({k: v for k, v in listed().items() if not k.startswith("backup/cars/dt=20260101/")} == kept and "backup/cars/dt=20260101/other-tool.csv" not in listed(),
           "the directory is replaced, nothing else", listed())
    before = listed("backup/cars/dt=20260101/")
    session.sql(export)
    tap.ok(exported() == expected(rows) and len(listed("backup/cars/dt=20260101/")) == len(before) and not set(before) & set(listed()),
           "a second run replaces it by the same rows")
    session.sql("INSERT INTO cars_csv SELECT car, no, weight, doors, active, note, photo, '20260101' FROM cars WHERE car = 'nobody'")
    tap.ok(exported() == expected(rows), "an empty result erases nothing")
    interrupted_export(session, export, rows)


def interrupted_export(session, export, rows):
    fleet.put("cars", {("new", 1): {"weight": 1.5}})
    wanted = expected({**rows, ("new", 1): {"weight": 1.5}})
    before = listed()
    large = "SET mc_fdw.part_size = '100kB';\n"
    for name, rule, prepare in (
            ("the source fails", {"service": "tablestore", "api": "GetRange", "after": 3, "action": "status", "http": 500, "code": "OTSInternalServerError"}, ""),
            ("a small object is refused", {"api": "PutObject", "nth": 1, "action": "status", "http": 403, "code": "AccessDenied"}, ""),
            ("an upload is refused", {"api": "InitiateMultipartUpload", "nth": 1, "action": "status", "http": 403, "code": "AccessDenied"}, large),
            ("a part fails", {"api": "UploadPart", "nth": 3, "action": "status", "http": 500, "code": "InternalError"}, large),
            ("an upload is gone", {"api": "UploadPart", "nth": 4, "action": "upload_forgotten"}, large),
            ("publishing is refused", {"api": "CompleteMultipartUpload", "nth": 1, "action": "status", "http": 403, "code": "AccessDenied"}, large)):
        faults(dict({"service": "oss"}, **rule))
        out, state = session.try_sql(STOPPED + prepare + export)
        fired = call("faults")
        faults()
        tap.ok(state not in ("00000", "40003") and listed() == before and oss_uploads("fleet") == [], name + ": the bucket shows what it did before",
               "%s %s\n%s\n%s" % (state, fired, "\n".join(out)[-600:], oss_uploads("fleet")))
        session.sql("RESET mc_fdw.max_retries; RESET mc_fdw.part_size")
    faults({"service": "oss", "api": "CompleteMultipartUpload", "nth": 1, "action": "apply_then_fail"},
           {"service": "oss", "api": "UploadPart", "nth": 2, "action": "reset_during"},
           {"service": "oss", "api": "UploadPart", "nth": 4, "action": "apply_then_fail"})
    session.sql(large + export + "; RESET mc_fdw.part_size")
    faults()
    tap.ok(exported() == wanted, "faults that pass are not seen", difference(exported(), wanted))

    before = listed("backup/cars/dt=20260101/")
    faults({"service": "oss", "api": "DeleteObject", "every": 1, "action": "status", "http": 403, "code": "AccessDenied"},
           {"service": "oss", "api": "DeleteMultipleObjects", "every": 1, "action": "status", "http": 403, "code": "AccessDenied"})
    out, state = session.try_sql(export)
    faults()
    now = listed("backup/cars/dt=20260101/")
    tap.ok(state == "40003" and set(before) < set(now), "old objects that cannot be deleted are told, 40003", "%s %s" % (state, "\n".join(out)[-600:]))
    session.sql(export)
    tap.ok(exported() == wanted and not set(now) & set(listed()), "and go with the next run")
    killed_export(export, wanted)


def kill(statement, *apis):
    """kill -9 the session that runs the statement, at its first request to one of these (third part); the server restarts"""
    victim = Session("SET client_min_messages = error; SET mc_fdw.part_size = '100kB'", database="jobs")
    faults(*({"service": "oss", "api": api, "nth": 3 if api == "UploadPart" else 1, "action": "stall_before"} for api in apis))
    victim.send(statement)
    end = time.monotonic() + 20
    while time.monotonic() < end and not any(rule["fired"] for rule in call("faults")):
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    restarted()
    fired = [rule["fired"] for rule in call("faults")]
    faults()
    return sum(fired)


def killed_export(export, wanted):
    before = listed()
    tap.ok(kill(export, "UploadPart") > 0, "killed while a part is on its way")
    left = oss_uploads("fleet")
    tap.ok(listed() == before and len(left) == 1, "nothing of it is visible", left)
    admin = Session(database="jobs")
    orphans = RECIPES["Uploads that nobody completes"][0].split(";\n\n")
    tap.ok(admin.sql(orphans[0]) == [] and admin.sql(orphans[1]) == ["0"] and oss_uploads("fleet") == left, "young uploads may be at work: they are left alone")
    aged = [sql.replace("'oss'", "'oss', '-1 hour'") for sql in orphans]
    tap.ok([x.split("|")[:2] for x in admin.sql(aged[0])] == [[u["key"], u["id"]] for u in left], "the orphan is listed by its age",
           admin.sql(aged[0]))
    tap.ok(admin.sql(aged[1]) == ["1"] and oss_uploads("fleet") == [] and listed() == before, "and cleaned up")
    admin.sql(export)
    tap.ok(exported() == wanted, "the next run has every row")
    admin.close()

    before = listed()
    tap.ok(kill(export, "CompleteMultipartUpload") > 0 and listed() == before and len(oss_uploads("fleet")) == 1, "killed before the publication: nothing is visible")
    tap.ok(kill(export, "DeleteObject", "DeleteMultipleObjects") > 0 and set(before) < set(listed()),
           "killed between publication and deletion: new and old objects, all complete", set(listed()) - set(before))
    admin = Session("SET client_min_messages = error", database="jobs")
    admin.sql(export)
    tap.ok(exported() == wanted and not set(before) & set(listed("backup/cars/dt=20260101/")), "the next run replaces both")
    admin.sql(aged[1])
    tap.ok(oss_uploads("fleet") == [], "no upload is left")
    admin.close()


def json_lines(session):
    """columns that nobody declared, of every type that has one"""
    rng = random.Random(3)
    extra = {}
    for i, key in enumerate(list(fleet.dump("cars"))[::3]):
        extra[key[0], int(key[1])] = {"weight": rng.choice(DOUBLES), "doors": i, "x": rng.choice(INTEGERS + [-2 ** 63]), "y": rng.choice([0.0, 1.0, 0.1, 1e16, 5e-324, -2.5e300]),
                                      "z": rng.random() < 0.5, "über \"x\"": rng.choice(TEXTS), "photo": rng.choice(BYTES), "dt": "a column of the name"}
    fleet.put("cars", extra)
    tables, table_files, export = RECIPES["Every column, as JSON lines"][0].split(";\n\n")
    session.sql(tables + ";" + table_files + ";" + export)
    lines = [json.loads(line, parse_int=lambda n: -0.0 if n == "-0" else int(n)) for data in files("backup/cars-jsonl/dt=20260101/").values() for line in data.decode().split("\n")[:-1]]
    got = {}
    for line in lines:
        key = line.pop("car"), str(line.pop("no"))
        columns = {c: plain({"double": v} if isinstance(v, float) else {"bytes": v[2:]} if c == "photo" else v) for c, v in line.items() if v is not None}
        if line["weight"] is not None:
            columns["weight"] = plain({"double": line["weight"]})
        got[key] = columns
    wanted = fleet.dump("cars")
    tap.ok(got == wanted and len(lines) == len(got), "every column is a member, of its type", difference(list(got.items()), list(wanted.items())))
    session.sql(export)
    tap.ok(len(listed("backup/cars-jsonl/")) == 1, "a second run replaces it")


def restore(session):
    from_csv, from_jsonl = RECIPES["Restore into Tablestore"][0].split(";\n\n")
    csv_rows = expected_rows(session)
    before = fleet.dump("cars")
    session.sql("DELETE FROM cars")
    tap.ok(fleet.dump("cars") == {}, "the table is empty")
    faults({"service": "tablestore", "api": "BatchWriteRow", "after": 2, "action": "status", "http": 503, "code": "OTSServerUnavailable"})
    out, state = session.try_sql(STOPPED + "SET mc_fdw.concurrency = 1;\n" + from_jsonl)
    faults()
    session.sql("RESET mc_fdw.max_retries; RESET mc_fdw.concurrency")
    half = fleet.dump("cars")
    tap.ok(state != "00000" and 0 < len(half) < len(before) and all(half[k] == before[k] for k in half), "a run that fails leaves the rows it had sent",
           "%s %d\n%s" % (state, len(half), "\n".join(out)[-400:]))
    session.sql(from_jsonl)
    after = fleet.dump("cars")
    tap.ok(after == before, "JSON lines: every row, column, type and bit is back", difference(list(after.items()), list(before.items())))
    session.sql(from_jsonl)
    tap.ok(fleet.dump("cars") == before, "a second restore changes nothing")

    session.sql("DELETE FROM cars")
    session.sql(from_csv)
    after = fleet.dump("cars")
    tap.ok(after == csv_rows, "csv: the rows of the export are back", difference(list(after.items()), list(csv_rows.items())))
    session.sql(from_csv)
    tap.ok(fleet.dump("cars") == csv_rows, "a second restore changes nothing")
    plan = "\n".join(session.sql("EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF) SELECT * FROM cars_csv WHERE dt = '20260101'"))
    tap.ok("Objects Listed: 1\n" in plan and "Objects Read: 1\n" in plan, "the day's directory is read and nothing else", plan)
    tap.ok(session.sql("SELECT count(*) FROM cars_csv WHERE dt = '19990101'") == ["0"], "a day that is not there has no rows")


def expected_rows(session):
    """the rows of the csv as the restore will make them"""
    rows = {}
    for car, no, weight, doors, active, note, photo in exported():
        columns = {"weight": None if weight is None else "double " + weight, "doors": doors, "active": active, "note": note,
                   "photo": None if photo is None else {"bytes": photo}}
        rows[car, str(no)] = {c: v if c == "weight" else plain(v) for c, v in columns.items() if v is not None}
    return rows


def import_files(session):
    """files of another tool: several compressions, bad lines, UpdateRow, a constant column"""
    create, load = RECIPES["Restore into Tablestore"][1].split(";\n\n", 1)
    session.sql(create)
    before = fleet.dump("cars")
    assert ("edge", "3") in before
    oss_put("import/cars/part-0.csv.gz", gzip.compress(b'edge,3,-0,true\n"a,""b""",1,1.5,null\n') + gzip.compress(b'null,7,1,t\nc2,x,1,t\nc3,1,"null",f\n'), "fleet")
    oss_put("import/cars/part-1.csv", b"\xef\xbb\xbf\xe4\xb8\xad,-9223372036854775808,null,f\r\nshort,1\r\n\"\",9223372036854775807,5e-324,t\r\n", "fleet")
    oss_put("import/cars/2026/part-2.csv.zst", zstd(b"z,1,1,1", "ZSTD_compress", (3,)), "fleet")
    session.sql(load.replace("COMMIT", "SELECT part, position_in_source, column_name FROM mc.last_rejects(); COMMIT"))
    wanted = dict(before)
    for key, columns in ((("edge", "3"), {"weight": -0.0, "active": True}), (('a,"b"', "1"), {"weight": 1.5}), (("中", str(-2 ** 63)), {"active": False}),
                         (("", str(2 ** 63 - 1)), {"weight": 5e-324, "active": True}), (("z", "1"), {"weight": 1.0, "active": True})):
        new = {c: plain({"double": v} if isinstance(v, float) else v) for c, v in dict(columns, note="restored").items()}
        old = {c: v for c, v in before.get(key, {}).items() if c not in ("weight", "active", "note")}
        wanted[key] = dict(old, **new)
    after = fleet.dump("cars")
    tap.ok(after == wanted, "columns are set, others stay, NULL deletes, bad lines are left out", difference(list(after.items()), list(wanted.items())))
    rejects = session.sql("BEGIN; SET LOCAL mc_fdw.on_error = 'reject'; SET LOCAL mc_fdw.reject_limit = '10'; SELECT count(*) FROM cars_files; COMMIT; "
                          "SELECT part || ' ' || position_in_source || ' ' || coalesce(column_name, '-') FROM mc.last_rejects()")
    session.sql(load)
    tap.ok(fleet.dump("cars") == wanted, "a second run changes nothing", rejects)
    out, state = session.try_sql(load.replace("'10'", "'1'"))
    session.try_sql("ROLLBACK")
    tap.ok(any("reject_limit" in x or "rejected" in x for x in out) and any("ERROR" in x for x in out), "more bad lines than allowed stop it", "\n".join(out))


class Writer(threading.Thread):
    """one session that puts, updates and deletes positions of a few cars until it is told to stop"""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.ops, self.error, self.stopped, self.written = number, 0, None, False, []
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
        key = "'w%d,\"', %d" % (rng.randrange(10), rng.randrange(4))
        if rng.random() < 0.2:      # a change that no later one hides
            key = "'x', %d%06d" % (self.number, self.ops)
        lat = self.number * 1000000 + self.ops + 0.25
        dice = rng.random()
        if dice < 0.8:
            mode = "put" if dice < 0.45 else "update"
            self.session.sql("BEGIN; SET LOCAL mc_fdw.write_mode = '%s'; INSERT INTO positions (car, at, lat, lon) VALUES (%s, %r, %s); COMMIT"
                             % (mode, key, lat, rng.choice(["NULL", "'-0'", "5e-324", "1.5"])))
            self.written.append(lat)
        else:
            self.session.sql("DELETE FROM positions WHERE (car, at) = (%s)" % key)

    def stop(self):
        self.stopped = True
        self.join()
        self.session.close()


def changes_in(prefix):
    """directory -> changes"""
    got = {}
    for key, data in files(prefix).items():
        for op, committed, seq, car, at, lat, lon, deleted in parse_csv(data):
            got.setdefault(key.rsplit("/", 1)[0][len(prefix):], []).append({
                "op": op, "committed": committed, "seq": seq, "car": car, "at": int(at), "lat": lat, "lon": lon,
                "deleted": None if deleted is None else [x for x in deleted[1:-1].split(",") if x]})
    return got


def windows(session):
    """ten ticks of five minutes"""
    command("emulator", "set", check_clock=False)       # it runs more than an hour ahead
    clock = Clock()
    clock.advance(660)
    session.sql("""CREATE FOREIGN TABLE positions (car text OPTIONS (key '1') COLLATE "C" NOT NULL, at bigint OPTIONS (key '2') NOT NULL,
        lat double precision, lon double precision) SERVER ots""")
    session.sql("SET TimeZone = 'UTC'")                 # so that text order is time order
    session.sql(RECIPES["Changes to csv, every five minutes"][0])
    other = Session("SET client_min_messages = error; SET TimeZone = 'UTC'", database="jobs")
    writers = [Writer(1), Writer(2)]
    for w in writers:
        w.start()
    for tick in range(10):
        clock.before_window()
        start = time.time()
        while time.time() < start + 0.4:
            wait_for(writers, 6)
        if tick == 2:
            fleet("split_partition", "positions", at="w5")
        if tick in (3, 4):
            continue                # the scheduler slept
        if tick == 5:
            before, state_before = listed("fleet/positions/"), session.sql("SELECT until FROM sync_state")
            faults({"service": "oss", "api": "PutObject", "nth": 1, "action": "status", "http": 403, "code": "AccessDenied"})
            out, state = session.try_sql("CALL sync_positions()")
            faults()
            tap.ok(state not in ("00000", "40003") and session.sql("SELECT until FROM sync_state") == state_before and listed("fleet/positions/") == before,
                   "a run that fails leaves position and bucket as they were", "%s %s" % (state, "\n".join(out)))
        if tick == 7:               # the server crashed between publishing and its own COMMIT
            published = changes_in("fleet/positions/")
            session.sql("UPDATE sync_state SET until = until - interval '15 min'")
            session.sql("CALL sync_positions()")
            now = changes_in("fleet/positions/")
            tap.ok(len(published) > 2 and {k: ordered(now.get(k)) for k in published} == {k: ordered(v) for k, v in published.items()},
                   "windows that run again give the same directories", "%s %s" % (sorted(published), sorted(now)))
        other.send("CALL sync_positions()")
        session.sql("CALL sync_positions()")
        out, state = other.finish()
        if state != "00000":
            tap.ok(False, "two runs at the same time, tick %d" % tick, "\n".join(out))
    for w in writers:
        w.stop()
    tap.ok(not any(w.error for w in writers) and min(w.ops for w in writers) > 60, "two sessions wrote all the time",
           "%s %s" % ([w.ops for w in writers], [w.error for w in writers]))
    clock.advance(900)
    session.sql("CALL sync_positions()")
    other.close()
    check_changes(session, writers)
    session.sql("RESET TimeZone")


def ordered(changes):
    return sorted(changes or [], key=lambda c: (c["committed"], c["seq"]))


def check_changes(session, writers):
    directories = changes_in("fleet/positions/")
    changes = [c for d in directories.values() for c in d]
    arrived = sorted(float(c["lat"]) for c in changes if c["lat"] is not None)
    tap.ok(arrived == sorted(x for w in writers for x in w.written), "every change is in exactly one directory",
           "%d changes, %d arrived, %s written" % (len(changes), len(arrived), [len(w.written) for w in writers]))
    tap.ok(len({(c["committed"], c["seq"]) for c in changes}) == len(changes), "(committed, seq) is different for every change")
    tap.ok({c["op"] for c in changes} == {"put", "update", "delete"}, "puts, updates and deletes")
    tap.ok(len(listed("fleet/positions/")) == len(directories) > 4, "one object for each window")
    stamps = json.dumps({d: [c["committed"] for c in x] for d, x in directories.items()})
    outside = session.sql("""SELECT count(*) FROM jsonb_each('%s') d, jsonb_array_elements_text(d.value) c WHERE d.key <>
        to_char(date_bin('5 min', c::timestamptz, '2000-01-01 00:00+00') AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD/HH24MI')""" % stamps)
    tap.ok(outside == ["0"], "each directory holds the changes of its five minutes", outside)
    # text order of "2026-01-01 00:00:00.5+00" and "...00:00:00+00" is not time order
    for c in changes:
        c["committed"] = re.sub(r"(\.\d+)?\+00$", lambda m: (m.group(1) or ".").ljust(7, "0"), c["committed"])
    final = {(k, int(n)): c for (k, n), c in fleet.dump("positions").items()}
    replayed = {k: {c: plain({"double": v}) for c, v in row.items()} for k, row in
                replay(changes, ("committed", "seq"), ("car", "at"), ("lat", "lon")).items()}
    tap.ok(replayed == final and len(final) > 10, "the changes in their order give the table", difference(list(replayed.items()), list(final.items())))
    count = session.sql("SELECT count(*), count(DISTINCT (committed, seq)) FROM positions_files")
    tap.ok(count == ["%d|%d" % (len(changes), len(changes))], "read back as a table", count)


TYPES = {
    "ti": ("TINYINT", "smallint", ["-128", "127", "0"]),
    "si": ("SMALLINT", "smallint", ["-32768", "32767"]),
    "i": ("INT", "integer", ["-2147483648", "2147483647"]),
    "bi": ("BIGINT", "bigint", ["-9223372036854775807", "9223372036854775807", "0"]),
    "f": ("FLOAT", "real", ["-0", "1e-45", "3.4028235e38", "NaN", "-Infinity", "0.1"]),
    "d": ("DOUBLE", "double precision", ["-0", "5e-324", "1.7976931348623157e308", "NaN", "Infinity", "0.1"]),
    "de": ("DECIMAL(38,18)", "numeric(38,18)", ["99999999999999999999.999999999999999999", "-0.000000000000000001", "0"]),
    "b": ("BOOLEAN", "boolean", ["true", "false"]),
    "s": ("STRING", "text", TEXTS),
    "vc": ("VARCHAR(10)", "varchar(10)", ["", "é,\"\n", "0123456789"]),
    "ch": ("CHAR(5)", "char(5)", ["", "a,b", "12345"]),
    "bn": ("BINARY", "bytea", ["\\x", "\\x00ff0a2c22", "\\x5c"]),
    "da": ("DATE", "date", ["0001-01-01", "9999-12-31", "2024-02-29"]),
    "dt": ("DATETIME", "timestamptz(3)", ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999+00", "2024-02-29 12:00:00.001+00"]),
    "ts": ("TIMESTAMP", "timestamptz", ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "1969-12-31 23:59:59.999999+00"]),
    "tn": ("TIMESTAMP_NTZ", "timestamp", ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-02-29 12:00:00.000001"]),
    "js": ("JSON", "jsonb", ['{"a": [1, 2.50, null, "x\\ny"]}', '""', "[]"]),
    "ar": ("ARRAY<STRING>", "text[]", ["{}", '{a,NULL,"","x,\\"y"}']),
}


def maxcompute(session):
    tables, export = RECIPES["MaxCompute to OSS and back"][0].rsplit(";\n\n", 1)
    back_table, back = RECIPES["MaxCompute to OSS and back"][1].split(";\n\n")
    session.sql(tables + ";" + back_table)
    session.sql("""INSERT INTO sales SELECT g, timestamptz '2026-01-01' + g * interval '17.000001 s', g * 1.0001, CASE WHEN g % 7 > 0 THEN 'n"' || g || E',\\n' END,
        to_char(date '2025-12-31' + g % 4, 'YYYYMMDD') FROM generate_series(1, 20000) g""")
    oss_put("warehouse/sales/dt=20260101/old.csv", "1,2,3,4\n", "fleet")
    oss_put("warehouse/sales/dt=20260301/march.csv", '5,2026-03-01 00:00:00+08,1.5,march\n', "fleet")
    session.sql(export)
    got = {}
    for key, data in files("warehouse/sales/").items():
        got[key.split("/")[2]] = sum(int(r[0]) for r in parse_csv(data))
    tap.ok(got == {"dt=20260101": sum(range(1, 20001, 4)), "dt=20260102": sum(range(2, 20001, 4)), "dt=20260103": sum(range(3, 20001, 4)), "dt=20260301": 5},
           "partitions of January are directories, others stay", got)
    session.sql(back)
    source = {k: v for k, v in odps_content("sales").items() if k in ("dt=20260101", "dt=20260102")}
    tap.ok(odps_content("sales_restored") == source and len(source) == 2, "and back: the same records in each partition",
           "%s %s" % (odps_content("sales_restored"), source))
    session.sql(export + ";" + back)
    tap.ok(odps_content("sales_restored") == source and len(listed("warehouse/sales/")) == 4, "both ways again change nothing")

    before, stored = listed("warehouse/"), odps_content("sales_restored")
    faults({"service": "maxcompute", "api": "CommitUpload", "nth": 1, "action": "status", "http": 400, "code": "Refused"})
    out, state = session.try_sql("BEGIN; INSERT INTO sales_restored SELECT * FROM sales; %s; COMMIT" % export.rstrip().rstrip(";"))
    session.try_sql("ROLLBACK")
    faults()
    tap.ok("ERROR" in "\n".join(out) and listed("warehouse/") == before and odps_content("sales_restored") == stored and oss_uploads("fleet") == [],
           "two services in one transaction: if the first cannot be published, neither is", "%s\n%s" % (state, "\n".join(out)))
    half_published(session, export)
    changed_meanwhile(session, export, back)
    every_type(session)


def half_published(session, export):
    before, stored = listed("warehouse/"), odps_content("sales_restored")
    faults({"service": "oss", "api": "PutObject", "nth": 2, "action": "status", "http": 403, "code": "AccessDenied"})
    out, state = session.try_sql("BEGIN; INSERT INTO sales_restored VALUES (1, now(), 1, '', '20260201'); %s; COMMIT" % export.rstrip().rstrip(";"))
    faults()
    text, published = "\n".join(out), set(listed("warehouse/")) - set(before)
    now = odps_content("sales_restored")
    tap.ok(state == "40003" and set(before) <= set(listed("warehouse/")) and 1 <= len(published) < 3 and "dt=20260201" in now and
           {k: now[k] for k in stored} == stored and all(k in text.split("Not published")[0] for k in published | {"sales_restored"}),
           "if it fails in between, 40003 says what is published", "%s %s\n%s" % (state, published, text))
    session.sql(export)
    tap.ok(not published & set(listed()) and len(listed("warehouse/")) == 4, "the next run replaces it")
    odps_sql("ALTER TABLE demo.sales_restored DROP PARTITION (dt='20260201')")


def changed_meanwhile(session, export, back):
    stored = odps_content("sales_restored")
    for action, wanted in (("object_replaced", "40001"), ("object_truncated", "40001"), ("object_deleted", "58P01")):
        faults({"service": "oss", "api": "GetObject", "nth": 2, "action": action})
        out, state = session.try_sql("SET mc_fdw.block_size = '64kB';" + back)
        faults()
        tap.ok(state == wanted and odps_content("sales_restored") == stored, action + " while it is read: the partitions are as they were",
               "%s\n%s" % (state, "\n".join(out)))
        session.sql("RESET mc_fdw.block_size;" + export + ";" + back)
    tap.ok(odps_content("sales_restored") == stored, "and again they are the same")


def every_type(session):
    """all values of all types, NULLs, in csv, text and JSON lines"""
    remote = ", ".join("%s %s" % (c, t[0]) for c, t in TYPES.items())
    local = ", ".join("%s %s" % (c, t[1]) for c, t in TYPES.items())
    names = ", ".join(TYPES)
    for table in ("types", "types_back"):
        odps_sql("CREATE TABLE demo.%s (%s) PARTITIONED BY (pt STRING)" % (table, remote))
        session.sql("CREATE FOREIGN TABLE %s (%s, pt text) SERVER odps OPTIONS (write_mode 'overwrite')" % (table, local))
    rows = []
    for i in range(max(len(t[2]) for t in TYPES.values())):
        rows.append("(" + ", ".join("'%s'" % t[2][i % len(t[2])].replace("'", "''") for t in TYPES.values()) + ")")
        rows.append("(" + ", ".join("NULL" if (i + n) % 3 else "'%s'" % t[2][i % len(t[2])].replace("'", "''") for n, t in enumerate(TYPES.values())) + ")")
    rows.append("(" + ", ".join("NULL" for _ in TYPES) + ")")
    casts = ", ".join("%s::%s" % (c, t[1]) for c, t in TYPES.items())
    session.sql("INSERT INTO types SELECT %s, 'all' FROM (VALUES %s) v (%s)" % (casts, ", ".join(rows), names))
    for form in ("csv", "text", "jsonl"):
        columns, write, read = local, names, names
        if form == "jsonl":         # an array is a JSON array there
            columns = local.replace("ar text[]", "ar jsonb")
            write = re.sub(r"\bar\b", "to_jsonb(ar)", names)
            read = re.sub(r"\bar\b", "CASE WHEN ar IS NOT NULL THEN (SELECT coalesce(array_agg(e), '{}') FROM jsonb_array_elements_text(ar) e) END", names)
        session.sql("CREATE FOREIGN TABLE types_%s (%s, pt text) SERVER oss OPTIONS (prefix 'types/%s/pt={pt}/', format '%s', write_mode 'overwrite')"
                    % (form, columns, form, form))
        for zone in ("Asia/Shanghai", "America/St_Johns"):
            session.sql("SET TimeZone = '%s'; INSERT INTO types_%s SELECT %s, pt FROM types; SET TimeZone = 'UTC'; INSERT INTO types_back SELECT %s, pt FROM types_%s"
                        % (zone, form, write, read, form))
            tap.ok(odps_content("types_back") == odps_content("types"), "every type through %s, %s: records equal, bit for bit" % (form, zone),
                   difference(command("maxcompute", "dump", project="demo", table="types_back")["rows"],
                              command("maxcompute", "dump", project="demo", table="types")["rows"]))


def from_loghub(session):
    source, target, prepare, execute = RECIPES["Log Service to directories by day and hour"][0].split(";\n\n")
    session.sql(source + ";" + target + ";" + prepare)
    session.sql("""CREATE FOREIGN TABLE raw_log (__receive_time__ timestamptz, __time__ timestamptz, __source__ text, rest jsonb OPTIONS (field '*'))
        SERVER sls OPTIONS (logstore 'access-log')""")
    hours, wanted = ["2018-01-%s:00:00+08" % x for x in ("10 23", "11 00", "11 01", "11 02")], {}
    for hour in hours:
        wanted["logs/access/2018%s%s/%s" % (hour[5:7], hour[8:10], hour[11:13])] = sorted(json.dumps(sorted_members(json.loads(line))) for line in session.sql(
            "SELECT jsonb_build_object('__time__', __time__, '__source__', __source__) || rest FROM raw_log "
            "WHERE __receive_time__ >= '%s' AND __receive_time__ < timestamptz '%s' + interval '1 hour'" % (hour, hour)))

    def stored():
        got = {}
        for key, data in files("logs/access/").items():
            assert key.endswith(".jsonl.gz")
            got.setdefault(key.rsplit("/", 1)[0], []).extend(json.loads(line) for line in data.decode().splitlines())
        return {k: sorted(json.dumps(sorted_members(x)) for x in v) for k, v in got.items()}
    tap.ok(sum(map(len, wanted.values())) == 12000 and all(wanted.values()), "the logs are of several hours of two days", {k: len(v) for k, v in wanted.items()})
    session.sql(execute)
    tap.ok(stored() == {"logs/access/20180111/01": wanted["logs/access/20180111/01"]}, "the logs of one hour, every field",
           difference(stored().get("logs/access/20180111/01", []), wanted["logs/access/20180111/01"]))
    for hour in hours + hours:
        session.sql("EXECUTE hour_to_oss ('%s')" % hour)
    tap.ok(stored() == wanted and len(listed("logs/access/")) == len(wanted), "one directory for each hour, also when windows run again",
           {k: len(v) for k, v in stored().items()})
    read = session.sql("SELECT count(*), count(DISTINCT day || hour), count(rest) FROM access_files WHERE day = '20180111'")
    tap.ok(read == ["%d|3|%d" % ((sum(len(v) for k, v in wanted.items() if "20180111" in k),) * 2)], "and are read by day", read)
    # where each log has its receive time
    session.sql("ALTER FOREIGN TABLE access_log OPTIONS (SET logstore 'stamped-log')")
    everything = prepare.split("AS\n", 1)[1].replace("$1 AT", "__receive_time__ AT").replace(">= $1", ">= '%s'" % hours[0])
    session.sql(everything.replace("< $1 + interval '1 hour'", "< '2018-01-11 03:00:00+08'"))
    got = {k: sorted(json.dumps({m: v for m, v in json.loads(x).items() if m not in META}) for x in lines) for k, lines in stored().items()}
    tap.ok(got == wanted, "all hours in one statement", difference(got.get("logs/access/20180111/01", []), wanted["logs/access/20180111/01"]))


def sorted_members(members):
    return {k: members[k] for k in sorted(members) if members[k] is not None}


def other_tools(session):
    report, hive = RECIPES["Files for other tools"]
    fleet.put("cars", {("=cmd", 1): {"note": "=1+1"}, ("t", 2): {"note": "\ttab"}, ("n", 3): {"note": "-1"}, ("gb", 4): {"note": "中文𠀀😀"}})
    session.sql(report)
    rows = list(csv.reader(io.StringIO(oss_get("reports/cars.csv", "fleet").decode("gb18030"), newline="")))
    wanted = []
    for (car, no), columns in fleet.dump("cars").items():
        note = json.loads(columns.get("note", '""'))
        wanted.append((car, no, columns.get("weight"), "'" + note if note[:1] and note[0] in "-=+@\t\r" else note))
    got = [(r[0], r[1], "double " + bits(r[2]) if r[2] else None, r[3]) for r in rows[1:]]
    tap.ok(rows[0] == ["car", "no", "weight", "note"] and sorted(got, key=repr) == sorted(wanted, key=repr), "a spreadsheet's csv, read by another program",
           difference(got, wanted))
    tap.ok(got == sorted(got, key=lambda r: (r[0].encode(), int(r[1]))), "in the order that was asked for")
    before = listed("reports/")
    session.sql(report.split(";\n\n")[1])
    tap.ok(listed("reports/") == before, "a second run writes the same object")
    out, state = session.try_sql("SET mc_fdw.write_mode = 'append'; INSERT INTO cars_report VALUES ('x', 1)")
    session.sql("RESET mc_fdw.write_mode")
    tap.ok(state != "00000" and listed("reports/") == before, "and is never appended to", "\n".join(out))

    create, load = hive.split(";\n\n")
    session.sql(create)
    session.sql("ALTER FOREIGN TABLE cars_hive OPTIONS (SET max_object_size '100kB', ADD part_size '100kB')")
    session.sql(load)
    stored = files("hive/cars/dt=20260101/")
    got = []
    for data in stored.values():
        assert data.endswith(b"\n")
        for line in data.decode().split("\n")[:-1]:
            car, no, weight, note = (None if f == "\\N" else unescape(f) for f in TEXT_FIELD.findall(line))
            got.append((car, no, None if weight is None else "double " + bits(weight), note))
    wanted = [(car, no, c.get("weight"), json.loads(c["note"]) if "note" in c else None) for (car, no), c in fleet.dump("cars").items()]
    tap.ok(sorted(got, key=repr) == sorted(wanted, key=repr), "text for Hive, decoded", difference(got, wanted))
    tap.ok(len(stored) > 4 and all(len(d) < 350000 and key.endswith(".txt") for key, d in stored.items()), "in objects of about max_object_size",
           {k: len(d) for k, d in stored.items()})
    # without ORDER BY the ranges of a table come as they arrive
    rows = sorted(b"".join(stored.values()).split(b"\n"))
    session.sql(load)
    again = files("hive/cars/").values()
    tap.ok(len(again) > 4 and sorted(b"".join(again).split(b"\n")) == rows, "a second run replaces the files by the same rows")
    session.sql("ALTER FOREIGN TABLE cars_hive OPTIONS (ADD header 'true');" + load)
    head = b"car\x01no\x01weight\x01note\n"
    again = files("hive/cars/").values()
    tap.ok(len(again) > 4 and all(d.startswith(head) for d in again) and
           sorted(b"".join(d.removeprefix(head) for d in again).split(b"\n")) == rows, "with a header in each object")
    small_print(session)


def small_print(session):
    """what the page says in passing"""
    session.sql("""CREATE FOREIGN TABLE words (a text, b int, at timestamptz) SERVER oss OPTIONS (prefix 'words/', null 'null');
        INSERT INTO words VALUES ('null', 1, '2026-01-01 00:00+00'), (NULL, NULL, NULL), ('', 2, NULL)""")
    tap.ok(list(files("words/").values()) == [b'"null",1,2026-01-01 00:00:00+00\nnull,null,null\n,2,null\n'], "null 'null'", files("words/"))
    tap.ok(session.sql("SELECT a IS NULL, a, b FROM words") == ["f|null|1", "t||", "f||2"], "and read back")
    session.sql("CREATE FOREIGN TABLE two (a text, b int) SERVER oss OPTIONS (prefix 'words/', null 'null')")
    out, state = session.try_sql("SELECT * FROM two")
    session.sql("ALTER FOREIGN TABLE two OPTIONS (ADD unknown_columns 'ignore')")
    tap.ok(state == "22P04" and session.sql("SELECT b FROM two") == ["1", "", "2"], "columns at the end may be left out", "%s %s" % (state, out))
    out, state = session.try_sql("CREATE FOREIGN TABLE nothing (a int, dt text) SERVER oss OPTIONS (prefix 'nothing/dt={dt}/'); SELECT * FROM nothing")
    tap.ok(state != "00000" and session.sql("SELECT * FROM nothing WHERE dt = 'x'") == [], "no object at all is an error, none for a condition is not",
           "%s %s" % (state, out))


def unescape(field):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}.get(m.group(1), m.group(1)), field, flags=re.S)


def services():
    for table, key in (("cars", "no"), ("positions", "at")):
        fleet("create_table", table, stream_hours=24, keys=[{"name": "car", "type": "STRING"}, {"name": key, "type": "INTEGER"}])
    command("tablestore", "set", page_rows=300, split_mib=65536)
    oss_bucket("fleet")
    command("loghub", "create_project", project="web")
    command("loghub", "create_logstore", project="web", logstore="stamped-log", shards=4, ttl=3650, appendMeta=True)
    for logstore in ("access-log", "stamped-log"):
        command("loghub", "create_logstore", project="web", logstore=logstore, shards=4, ttl=3650, if_not_exists=True)
        command("loghub", "generate", project="web", logstore=logstore, profile="access_log", rows=12000,
                **{"from": "2018-01-10T23:20:00+08:00", "to": "2018-01-11T02:40:00+08:00"})
    command("maxcompute", "create_project", project="demo")
    for table in ("sales", "sales_restored"):
        odps_sql("CREATE TABLE demo.%s (id BIGINT, at TIMESTAMP, price DECIMAL(18,4), name STRING) PARTITIONED BY (dt STRING)" % table)


def main():
    services()
    rows = car_rows()
    fleet.put("cars", rows)
    Session().sql("CREATE DATABASE jobs")
    session = Session(database="jobs")
    session.sql("CREATE EXTENSION mc_fdw")
    session.sql("SET client_min_messages = error; SET mc_fdw.split_size = '1MB'")
    for block in RECIPES["Cookbook: files in OSS"]:
        session.sql(block)
    full_export(session, rows)
    session = Session("SET client_min_messages = error", database="jobs")      # the server went down
    json_lines(session)
    restore(session)
    import_files(session)
    other_tools(session)
    maxcompute(session)
    from_loghub(session)
    windows(session)
    tap.done()


RECIPES = recipes("cookbook-oss.md")
fleet = Instance("fleet")
if __name__ == "__main__":
    main()
