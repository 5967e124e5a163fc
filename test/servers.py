"""Servers beside the emulator: a MariaDB and a plain web server, for tests of jobs that read or write them."""
import atexit
import http.server
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time


class MariaDB:
    """a server of its own in a directory of its own; as root it runs as the owner of the cluster"""

    def __init__(self, script, password, database="workshop", user="reader"):
        self.directory = tempfile.mkdtemp(prefix="mariadb.", dir=os.environ["MC_DIR"])
        owner = {}
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
            owner = {"user": "postgres", "group": "postgres"}
        data = self.directory + "/data"
        log = open(self.directory + "/log", "wb")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir=" + data],
                       stdout=log, stderr=log, check=True, **owner)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        daemon = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        self.process = subprocess.Popen(
            [daemon, "--no-defaults", "--datadir=" + data, "--socket=%s/s" % self.directory, "--port=%d" % self.port, "--bind-address=127.0.0.1",
             "--pid-file=%s/pid" % self.directory, "--skip-log-bin", "--innodb-buffer-pool-size=16M", "--character-set-server=utf8mb4"],
            stdout=log, stderr=log, **owner)
        atexit.register(self.stop)
        end = time.monotonic() + 60
        while "ready for connections" not in self.log():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("MariaDB does not start\n" + self.log())
            time.sleep(0.05)
        subprocess.run(["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--socket=%s/s" % self.directory, "-u", "root"],
                       input=script.encode(), check=True)
        self.client = ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "-h", "127.0.0.1", "-P", str(self.port), "-u", user,
                       "-p" + password, "-BN", database, "-e"]

    def log(self):
        with open(self.directory + "/log", errors="replace") as f:
            return f.read()

    def sql(self, text):
        return subprocess.run(self.client + [text], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Web(http.server.ThreadingHTTPServer):
    """files in memory; what it does wrong is in "behave"."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.behave, self.seen = {}, set(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, request, client_address):
        pass                        # clients that go away are part of the test


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        behave = self.server.behave
        self.server.seen.append((self.command, self.path, self.headers.get("Range"), self.headers.get("If-Match"), self.headers.get("Authorization")))
        data = self.server.files.get(self.path)
        if data is None:
            return self.answer(404, {}, b"<html>no such page</html>")
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if "changes" in behave and asked and int(asked.group(1)) > 0:
            data = self.server.files[self.path] = data[:-100] + b"X" * 100
        headers = {} if "no validators" in behave else {"ETag": '"%08x"' % (hash(data) & 0xffffffff)}
        if "ranges" not in behave:
            return self.answer(200, headers, data)
        wanted = self.headers.get("If-Match")
        if wanted not in (None, "*", headers.get("ETag")):
            return self.answer(412, headers, b"")
        headers["Accept-Ranges"] = "bytes"
        if not asked:
            return self.answer(200, headers, data)
        first, last = int(asked.group(1)), min(int(asked.group(2) or len(data)), len(data) - 1)
        if first >= len(data):
            return self.answer(416, {"Content-Range": "bytes */%d" % len(data)}, b"")
        headers["Content-Range"] = "bytes %d-%d/%d" % (first, last, len(data))
        self.answer(206, headers, data[first:last + 1])

    def answer(self, status, headers, body):
        behave, head = self.server.behave, self.command == "HEAD"
        length = len(body)
        if status in (200, 206):
            if "says more" in behave:
                length += 1000
            if "says less" in behave:
                length -= 1000
        if status in (200, 206) and not head:
            if "breaks once" in behave:
                behave.discard("breaks once")
                body, length = body[:len(body) // 2], length
                self.close_connection = True
        self.send_response(status)
        if "no length" not in behave:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        if "no length" in behave or len(body) != length:
            self.send_header("Connection", "close")
        self.end_headers()
        if not head:
            self.wfile.write(body)
        if "no length" in behave or len(body) != length:
            self.close_connection = True
