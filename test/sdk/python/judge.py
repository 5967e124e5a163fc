#!/usr/bin/env python3
"""Runs the judges and compares what they say.  Parts: emulator, loghub, odps, tablestore, tiling, oss; all without arguments.
ONLY=name,... runs those functions of the parts alone, LANGUAGES=name,... asks these SDKs alone, VERBOSE=1 shows what passes.

Ends with "sdk: N passed, N failed".
"""
import functools
import json
import os
import subprocess
import sys
import threading
import time

import extension
import loghub_share
import oss_judge
import oss_writes
import tablestore_errors
import tablestore_judge
import tablestore_tiling
import tablestore_writes
import tiling
from canonical import normal, parse_type
from checks import equal, ok, section
from mctest import SERVERS, Session, command
from values import LOG_GROUPS, NESTED, NESTED_ROWS, SCALAR_ROWS, SCALARS, SHORT, SHORT_ROWS, WIDE, WIDE_ROWS

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "../../../build/sdk")
ZONES = ("Asia/Shanghai", "UTC", "America/St_Johns")
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx1g", "-cp"]
LIB = {what: "%s/bin/java:%s/lib/%s/*" % (BUILD, BUILD, what) for what in ("log", "odps", "ots", "oss")}
DATA = {
    "python": {x: [sys.executable, HERE + "/data.py", x] for x in ("loghub", "odps", "tablestore")},
    "java": {"loghub": JAVA + [LIB["log"], "LogHubData"], "odps": JAVA + [LIB["odps"], "OdpsData"], "tablestore": JAVA + [LIB["ots"], "TablestoreData"]},
    "go": {x: [BUILD + "/bin/go-judge", x] for x in ("loghub", "odps", "tablestore")},
}
# Node.js has SDKs for Tablestore and OSS only
DATA_TABLESTORE = dict(DATA, node={"tablestore": ["node", HERE + "/../node/data.js", "tablestore"]})
# of Python and Go there are two SDKs of OSS
DATA_OSS = {
    "python": {"oss": [sys.executable, HERE + "/oss_data.py", "oss2"]}, "python-v2": {"oss": [sys.executable, HERE + "/oss_data.py", "v2"]},
    "java": {"oss": JAVA + [LIB["oss"], "OssData"]}, "go": {"oss": [BUILD + "/bin/go-judge", "oss"]}, "go-v2": {"oss": [BUILD + "/bin/go-judge", "oss-v2"]},
    "node": {"oss": ["node", HERE + "/../node/oss_data.js"]},
}
EMULATOR = {
    "python": [[sys.executable, HERE + "/emulator_%s.py" % x] for x in ("loghub", "odps", "tablestore", "oss", "oss_v2")],
    "java": [JAVA + [LIB["log"], "EmulatorLogHub"], JAVA + [LIB["odps"], "EmulatorOdps"], JAVA + [LIB["ots"], "EmulatorTablestore"],
             JAVA + [LIB["oss"], "EmulatorOss"]],
    "go": [[BUILD + "/bin/go-judge", "emulator-" + x] for x in ("loghub", "odps", "tablestore", "oss", "oss-v2")],
    "node": [None, None, ["node", HERE + "/../node/emulator_tablestore.js"], ["node", HERE + "/../node/emulator_oss.js"]],
}
os.environ["NODE_PATH"] = BUILD + "/node/node_modules"
CODINGS = {"python": "deflate none zstd lz4 snappy".split(), "java": "deflate none lz4 snappy".split(), "go": "deflate none snappy".split()}


class Counter:
    """Stands for sys.stdout: passes lines on and counts the checks; passed ones are not shown."""

    def __init__(self, out):
        self.out, self.passed, self.failed, self.lock, self.rest = out, 0, 0, threading.Lock(), ""

    def line(self, text, who=""):
        with self.lock:
            if text.startswith("ok "):
                self.passed += 1
            elif text.startswith("not ok "):
                self.failed += 1
            if not text.startswith("ok ") or os.environ.get("VERBOSE"):
                self.out.write(who + text + "\n")
                self.out.flush()

    def write(self, text):
        lines = (self.rest + text).split("\n")
        self.rest = lines.pop()
        for x in lines:
            self.line(x)

    def flush(self):
        self.out.flush()


def program(language, what):
    """One program of checks; breaking off is a failed check."""
    name = "%s %s: " % (language, what[-1].split("/")[-1])
    # the tunnel client of Go leaves its log where it runs
    proc = subprocess.Popen(what, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=BUILD)
    errors = []
    reader = threading.Thread(target=lambda: errors.extend(proc.stderr))
    reader.start()
    n = 0
    for line in proc.stdout:
        sys.stdout.line(line.rstrip("\n"), name)
        n += line.startswith(("ok ", "not ok "))
    reader.join()
    if proc.wait() != 0 or n == 0:
        sys.stdout.line("not ok ends well: status %d after %d checks\n%s" % (proc.returncode, n, "".join(errors[-30:])), name)


def emulator():
    # one program of a service at a time: some switches of the emulator are for all its clients; OSS has up to two of a language
    threads = [threading.Thread(target=lambda which=which: [program(l, p) for l in EMULATOR for p in EMULATOR[l][which] if p])
               for which in (slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 5))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def temporary_keys():
    """after the others: the keys that it lets expire are everybody's"""
    program("python", [sys.executable, HERE + "/emulator_sts.py"])


def run(language, service, *arguments, lines=(), **environment):
    """JSON lines in, JSON lines out"""
    p = subprocess.run((DATA_OSS if service == "oss" else DATA_TABLESTORE)[language][service] + list(arguments), input="".join(json.dumps(x) + "\n" for x in lines),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, **environment), timeout=300)
    if p.returncode:
        raise RuntimeError("%s %s %s: %s" % (language, service, " ".join(arguments), p.stderr[:700] + " ... " + p.stderr[-800:]))
    return [json.loads(x) for x in p.stdout.split("\n") if x]


def same(name, got, want):
    """Compare two lists of rows; report the first value that differs."""
    if got == want:
        return ok(name, True)
    if len(got) != len(want):
        return ok(name, False, "%d rows, want %d" % (len(got), len(want)))
    for g, w in zip(got, want):
        if g != w:
            keys = range(len(w)) if isinstance(w, list) else sorted(set(w) | set(g))
            one = lambda row, k: row.get(k, "(absent)") if isinstance(row, dict) else row[k]
            return ok(name, False, "; ".join("row %s, %s: %.200r, want %.200r" % (one(w, 0 if isinstance(w, list) else "id"), k, one(g, k), one(w, k))
                                             for k in keys if one(g, k) != one(w, k)))


def write_in(language, project, table, coding, rows):
    run(language, "odps", "write", project, table, coding, lines=rows)


def log_rows(logs):
    """logs of a pull, keyed for comparison; of a repeated key the last counts, as in the SDKs' own maps"""
    out = []
    for log in logs:
        contents = dict(map(tuple, log["contents"]))
        out.append({"id": contents["id"], "time": log["time"], "ns": log["ns"], "topic": log["topic"], "source": log["source"],
                    "tags": dict(map(tuple, log["tags"])), "contents": contents})
    return sorted(out, key=lambda x: int(x["id"]))


def loghub(s):
    """Each SDK writes; each SDK and the extension read."""
    command("loghub", "set", check_time=False)
    wanted = log_rows([dict(g, **log) for g in LOG_GROUPS for log in g["logs"]])
    for language in DATA:
        store = "written-by-" + language
        command("loghub", "create_logstore", project="web", logstore=store, shards=2, ttl=3650)
        run(language, "loghub", "put", "web", store, lines=LOG_GROUPS)
        for reader in DATA:
            same("%s reads the logs of %s" % (reader, language), log_rows(run(reader, "loghub", "pull", "web", store)), wanted)
        for zone in ZONES:
            same("extension in %s reads the logs of %s" % (zone, language), extension.read_logs(s, store, zone), extension.expected_logs(wanted))


def loghub_written(s):
    # not before: it makes names of Log Service lead to the emulator, for the programs that are started here, too
    import loghub_writes
    loghub_writes.check(s, run, log_rows, DATA, same)


def loghub_routed(s):
    import loghub_writes
    loghub_writes.hash_keys(s)


def loghub_shared(s):
    loghub_share.check(s)


def nul_bytes(s):
    """A NUL byte, which PostgreSQL's text cannot hold: refused with its place, or NULL when asked; neighbours are unharmed."""
    command("loghub", "create_logstore", project="web", logstore="nul", shards=1, ttl=3650)
    for i, language in enumerate(DATA):
        run(language, "loghub", "put", "web", "nul", lines=[{"topic": "", "source": "s", "tags": [], "compress": "lz4", "logs": [
            {"time": 1700000000, "ns": 0, "contents": [["id", str(2 * i)], ["v", "a\0b"]]},
            {"time": 1700000000, "ns": 0, "contents": [["id", str(2 * i + 1)], ["v", "ab"]]}]}])
    want = ["a\0b", "ab"] * len(DATA)
    for reader in DATA:
        got = log_rows(run(reader, "loghub", "pull", "web", "nul"))
        equal("%s reads NUL bytes of every SDK" % reader, [x["contents"]["v"] for x in got], want)
    s.sql("CREATE FOREIGN TABLE nul (id int, v text) SERVER sls OPTIONS (logstore 'nul')")
    out, state = s.try_sql("SELECT * FROM nul")
    equal("extension refuses a NUL byte in text", state, "22P05")
    ok("the message says where", any("logstore \"nul\", shard 0" in x for x in out), out)
    s.sql("SET mc_fdw.on_error = 'set_null'")
    equal("extension reads a NUL byte as NULL when asked", s.sql("SELECT coalesce(v, '-') FROM nul ORDER BY id"), ["-", "ab"] * len(DATA))
    s.sql("RESET mc_fdw.on_error")


def form(columns, rows):
    """rows by their id, each value in its one form"""
    types = [parse_type(t) for _, t in columns]
    return sorted(([normal(v, t) for v, t in zip(row, types)] for row in rows), key=lambda x: int(x[0]))


def compare(name, columns, got, want, *languages):
    """As same(), but for what an SDK that takes part is known to lose: Go drops the nanoseconds of an INTERVAL_DAY_TIME."""
    got, want = form(columns, got), form(columns, want)
    fraction = columns.index(("c_seconds", "interval_day_time")) if "go" in languages and columns is SCALARS else None
    if fraction is not None and len(got) == len(want):
        for g, w in zip(got, want):
            if w[fraction] and not w[fraction].endswith(":000000000"):
                g[fraction] = w[fraction] = None
    same(name, got, want)


def tables(s, columns, rows, name, writers, readers):
    for language in writers:
        table = "%s_%s" % (name, language)
        extension.create_remote(table, columns)
        write_in(language, "demo", table, CODINGS[language][0], rows)
        for reader in readers:
            got = run(reader, "odps", "read", "demo", table, CODINGS[reader][0])
            compare("%s reads %s" % (reader, table), columns, got, rows, reader, language)
        for zone in ZONES:
            for how in ("native", "text"):
                got = extension.read_table(s, table, columns, zone, how)
                compare("extension in %s reads %s as %s" % (zone, table, how), columns, got, rows, language)
    for zone in ZONES:
        table = "%s_ext_%s" % (name, zone.split("/")[-1].lower())
        extension.create_remote(table, columns)
        extension.write_table(s, table, columns, rows, zone)
        for reader in readers:
            got = run(reader, "odps", "read", "demo", table, CODINGS[reader][0])
            compare("%s reads %s" % (reader, table), columns, got, extension.written(columns, rows), reader)


def scalars(s):
    tables(s, SCALARS, SCALAR_ROWS, "scalars", list(DATA), list(DATA))


def nested(s):
    tables(s, NESTED, NESTED_ROWS, "nested", list(DATA), list(DATA))


def wide(s):
    others = [x for x in DATA if x != "python"]
    tables(s, WIDE, WIDE_ROWS, "wide", others, others)


def short(s):
    others = [x for x in DATA if x != "go"]
    tables(s, SHORT, SHORT_ROWS, "short", others, others)


def codings(s):
    """Every coding of every SDK, both ways"""
    written = extension.written(SCALARS, SCALAR_ROWS)
    for language in DATA:
        for coding in CODINGS[language][1:]:
            table = "coding_%s_%s" % (language, coding)
            extension.create_remote(table, SCALARS)
            write_in(language, "demo", table, coding, SCALAR_ROWS)
            got = extension.read_table(s, table, SCALARS, "UTC", "native", coding)
            compare("extension reads %s" % table, SCALARS, got, SCALAR_ROWS, language)
            extension.write_table(s, table, SCALARS, SCALAR_ROWS, "UTC", coding, overwrite=True)
            compare("%s reads %s of the extension" % (language, coding), SCALARS, run(language, "odps", "read", "demo", table, coding), written, language)


def start(language, service, *arguments):
    """A program whose input the caller feeds"""
    return subprocess.Popen(DATA_TABLESTORE[language][service] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def tablestore_parts():
    """Checks that take the session; of Tablestore they also need the programs"""
    def bind(f, *programs):
        @functools.wraps(f)
        def check(s):
            f(s, run, list(DATA_TABLESTORE), *programs)
        return check
    return [bind(f) for f in tablestore_judge.CHECKS + tablestore_writes.CHECKS + tablestore_errors.CHECKS] + [bind(f, start) for f in tablestore_tiling.CHECKS]


def oss_parts():
    def bind(f):
        @functools.wraps(f)
        def check(s):
            f(s, run, list(DATA_OSS))
        return check
    return [bind(f) for f in oss_judge.CHECKS + oss_writes.CHECKS]


def main():
    sys.stdout = counter = Counter(sys.__stdout__)
    wanted = sys.argv[1:] or ["emulator", "loghub", "odps", "tablestore", "tiling", "oss"]
    only = os.environ.get("LANGUAGES")
    if only:
        for x in (DATA, DATA_TABLESTORE, DATA_OSS, EMULATOR):
            for language in set(x) - set(only.split(",")):
                del x[language]
    command("maxcompute", "set", rates=False)
    command("maxcompute", "create_project", project="demo")
    command("loghub", "create_project", project="web")
    s = Session()
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS)
    parts = {"emulator": [emulator, temporary_keys], "loghub": [loghub, nul_bytes, loghub_written, loghub_routed, loghub_shared], "odps": [scalars, nested, wide, short, codings],
             "tablestore": tablestore_parts(), "tiling": tiling.CHECKS, "oss": oss_parts()}
    for part in wanted:
        start = time.monotonic()
        before = counter.passed, counter.failed
        for f in parts[part]:
            if not os.environ.get("ONLY") or f.__name__ in os.environ["ONLY"].split(","):
                section(f, *([] if f in (emulator, temporary_keys) else [s]))
        counter.out.write("%-10s %5d passed %4d failed %5.0f s\n" % (part, counter.passed - before[0], counter.failed - before[1], time.monotonic() - start))
    s.close()
    counter.out.write("sdk: %d passed, %d failed\n" % (counter.passed, counter.failed))
    counter.flush()
    return 1 if counter.failed or not counter.passed else 0


if __name__ == "__main__":
    sys.exit(main())
