"""What the Python tests share: the emulator's control calls and a psql session.

The environment comes from test/lib.sh (PGHOST, MC_LOGHUB_PORT, ...).
"""
import base64
import json
import os
import queue
import re
import socket
import subprocess
import threading
import time
import urllib.request

LOGHUB = "http://localhost:" + os.environ["MC_LOGHUB_PORT"]
MAXCOMPUTE = "http://127.0.0.1:%s/api" % os.environ["MC_MAXCOMPUTE_PORT"]
TABLESTORE = "http://127.0.0.1:%s" % os.environ["MC_TABLESTORE_PORT"]
OSS = "http://127.0.0.1:%s" % os.environ["MC_OSS_PORT"]             # path style
OSS_VIRTUAL = "http://localhost:%s" % os.environ["MC_OSS_PORT"]     # bucket in front of the host
KEY = os.environ["MC_KEY_ID"], os.environ["MC_KEY_SECRET"]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
WINDOW = ("__receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08'")
SERVERS = """
CREATE SERVER sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint '%s', project 'web');
CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint '%s', project 'demo');
CREATE SERVER ots FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint '%s', instance 'demo');
CREATE USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (access_key_id '%s', access_key_secret '%s')
""" % ((LOGHUB, MAXCOMPUTE, TABLESTORE) + KEY + KEY + KEY)


def call(what, payload=None):
    """GET or POST a control path of the emulator"""
    data = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request("http://127.0.0.1:%s/__mc/%s" % (os.environ["MC_LOGHUB_PORT"], what),
                                     data=data, method="GET" if data is None else "POST")
    with OPENER.open(request) as f:
        answer = f.read().decode()
    return json.loads(answer) if answer.strip() else {}


def command(service, op, **arguments):
    return call("command", dict(arguments, service=service, op=op))


def odps_sql(sql):
    return command("maxcompute", "sql", project="demo", sql=sql)


def odps_content(table):
    """partition -> (rows, order-independent checksum); empty partitions are left out"""
    answer = command("maxcompute", "checksum", project="demo", table=table)
    return {p["spec"]: (p["count"], p["sum"]) for p in answer["partitions"] if p["count"]}


def ots_create(table, keys, **more):
    """a table of instance demo, made anew; keys: [("k", "INTEGER"), ...]"""
    return command("tablestore", "create_table", table=table, replace=True,
                   keys=[{"name": n, "type": t} for n, t in keys], **more)


def ots_put(table, *rows):
    """rows: (key values, {column: value}); see docs/emulator.md for values"""
    return command("tablestore", "put", table=table, rows=[{"key": list(k), "columns": c} for k, c in rows])


def ots_rows(table, **more):
    """[{"key": [...], "columns": {...}}] in key order"""
    return command("tablestore", "dump", table=table, **more)["rows"]


def ots_content(table):
    """(rows, order-independent checksum) without timestamps"""
    answer = command("tablestore", "checksum", table=table)
    return answer["count"], answer["sum"]


def oss_bucket(bucket="demo", **more):
    """a bucket made anew"""
    command("oss", "create_bucket", bucket=bucket, replace=True, **more)


def oss_put(key, data, bucket="demo", **more):
    """an object; data is text or bytes"""
    content = {"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()}
    command("oss", "put_object", bucket=bucket, key=key, **dict(content, **more))


def oss_get(key, bucket="demo"):
    """the bytes of an object"""
    return base64.b64decode(command("oss", "get", bucket=bucket, key=key, base64=True)["base64"])


def oss_keys(prefix="", bucket="demo"):
    return command("oss", "keys", bucket=bucket, prefix=prefix, limit=10000000)["keys"]


def oss_uploads(bucket="demo"):
    """what is begun and neither completed nor aborted"""
    return command("oss", "uploads", bucket=bucket)["uploads"]


def localize(sql):
    """the cloud's addresses and keys of an example become the emulator's"""
    sql = re.sub(r"https://[a-z0-9-]+\.log\.aliyuncs\.com", LOGHUB, sql)
    sql = re.sub(r"https://service\.[a-z0-9.-]*maxcompute\.aliyun\.com/api", MAXCOMPUTE, sql)
    sql = re.sub(r"https://[a-z0-9.-]+\.ots\.aliyuncs\.com", TABLESTORE, sql)
    # the bucket goes in front of the host; the region is that of the endpoint's name
    sql = re.sub(r"endpoint 'https://oss-([a-z]+-[a-z0-9-]+?)(-internal)?\.aliyuncs\.com'(?![^;]*\bregion ')",
                 r"endpoint '%s', region '\1'" % OSS_VIRTUAL, sql)
    sql = re.sub(r"https://oss-[a-z0-9-]+\.aliyuncs\.com", OSS_VIRTUAL, sql)
    # a web server: bucket "logs", open to everybody
    sql = sql.replace("https://logs.example.com", OSS + "/logs")
    sql = sql.replace("access_key_id '...'", "access_key_id '%s'" % KEY[0])
    return sql.replace("access_key_secret '...'", "access_key_secret '%s'" % KEY[1])


def requests():
    """how many requests the services have seen so far"""
    return call("counters")["requests"]


def generate(logstore, rows, shards=2, profile="text10", seed=1, **more):
    """a logstore whose rows were received between 01:30 and 01:35 on 2018-01-11 in Shanghai"""
    command("loghub", "create_logstore", project="web", logstore=logstore, shards=shards, ttl=3650)
    command("loghub", "generate", project="web", logstore=logstore, profile=profile, rows=rows, seed=seed,
            **dict({"from": "2018-01-11T01:30:00+08:00", "to": "2018-01-11T01:35:00+08:00"}, **more))


def shown_wait(ask, pid):
    """the wait_event_type of a backend that waits; between two waits none is shown, so it is looked at again"""
    end = time.monotonic() + 1
    while True:
        wait = ask("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % pid)
        if wait or time.monotonic() > end:
            return wait
        time.sleep(0.01)


class Session:
    """One psql, so one backend.  Its output is read by a thread, so that a statement may hang."""

    def __init__(self, settings="", database=None):
        self.proc = subprocess.Popen(["psql", "-XqAt", "-v", "VERBOSITY=verbose"] + (["-d", database] if database else []),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     encoding="utf-8", errors="backslashreplace", bufsize=1)
        self.lines = queue.Queue()
        threading.Thread(target=self._pump, args=(self.proc, self.lines), daemon=True).start()
        self.pid = int(self.sql("SELECT pg_backend_pid()")[0])
        if settings:
            self.sql(settings)

    @staticmethod
    def _pump(proc, lines):
        for line in proc.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def send(self, text):
        self.proc.stdin.write(text.rstrip().rstrip(";") + ";\n\\echo =done= :SQLSTATE\n")
        self.proc.stdin.flush()

    def finish(self, seconds=600):
        """(output lines, SQLSTATE of the last statement or 'lost'); queue.Empty when it takes longer"""
        out = []
        end = time.monotonic() + seconds
        while True:
            line = self.lines.get(timeout=max(0.001, end - time.monotonic()))
            if line is None:
                return out, "lost"
            if line.startswith("=done="):
                return out, line[len("=done="):].strip() or "lost"     # psql lost the server and found it again
            out.append(line)

    def try_sql(self, text, seconds=600):
        self.send(text)
        return self.finish(seconds)

    def sql(self, text, seconds=600):
        """output lines; any error raises"""
        out, state = self.try_sql(text, seconds)
        if state != "00000" or any(re.match(r"(psql:.*)?(ERROR|FATAL|PANIC): ", x) for x in out):
            raise RuntimeError("%s\n%s" % (text, "\n".join(out)))
        return out

    def close(self):
        self.proc.stdin.close()
        self.proc.wait()

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        """anonymous memory: touched shared buffers do not count"""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1)) / 1024

    def peak_growth_mb(self, text, seconds=600):
        """run a statement and say how much the backend's memory grew at most"""
        base, peak, stop = self.memory_mb(), 0.0, threading.Event()

        def sample():
            nonlocal peak
            while not stop.is_set():
                peak = max(peak, self.memory_mb() - base)
                stop.wait(0.02)
        thread = threading.Thread(target=sample)
        thread.start()
        try:
            self.sql(text, seconds)
        finally:
            stop.set()
            thread.join()
        return peak


def recovered(gone, connect):
    """a session of connect(), when the server has recovered, and not before it has noticed that the backend is gone"""
    end = time.monotonic() + 60
    while True:
        try:
            new = connect()
            if new.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d" % gone) == ["0"]:
                return new
        except Exception:  # noqa: BLE001  it is recovering
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


class Listener:
    """answers every request with the same bytes, or with what a function makes of the request"""
    NONSENSE = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>secret?</html>",
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?x=1\r\nContent-Length: 0\r\n\r\n",
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                b"SSH-2.0-OpenSSH_9.0\r\n", b"\x00" * 64, b"")

    def __init__(self, answer):
        self.answer = answer
        self.seen = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.server.accept()
            except OSError:
                return
            with c:
                c.settimeout(1)
                try:
                    data = c.recv(65536)
                    self.seen += data
                    c.sendall(self.answer(data) if callable(self.answer) else self.answer)
                except OSError:
                    pass

    @staticmethod
    def echo(data):
        """a refusal that says back what was sent"""
        body = data.replace(b"\r\n", b" | ")
        return b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def up():
    """a session after the server has recovered from a crash"""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            s = Session()
            time.sleep(0.2)             # the postmaster may not have noticed yet
            if s.try_sql("SELECT 1")[1] == "00000":
                return s
        except (RuntimeError, OSError):
            pass
        time.sleep(0.1)
    raise RuntimeError("the server does not come back")


class Tap:
    """Counts and prints results as TAP."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, condition, name, why=""):
        self.count += 1
        self.failed += not condition
        print("%sok %d - %s" % ("" if condition else "not ", self.count, name), flush=True)
        if not condition and why:
            print("\n".join("# " + x for x in str(why).split("\n")), flush=True)

    def hidden(self, secrets, seen):
        """neither what the sessions have seen nor the server's log shows one of them"""
        with open(os.path.join(os.environ["MC_DIR"], "server.log"), errors="replace") as f:
            log = f.read().split("\n")
        for secret in secrets:
            name = secret.replace(KEY[1], "the secret")
            hits = [x for x in seen if secret in x]
            self.ok(not hits, "no message shows %s" % name, hits[:3])
            hits = [x for x in log if secret in x]
            self.ok(not hits, "the server's log does not have %s" % name, "\n".join(hits)[:600])

    def done(self):
        print("1..%d" % self.count)
        raise SystemExit(1 if self.failed else 0)
