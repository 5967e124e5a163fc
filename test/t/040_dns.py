"""A name server that never answers: cancel, terminate, statement_timeout and
connect_timeout act all the same.  The cluster is started again in a network and mount
namespace of its own, where this program is the name server; without the right to make
one there is nothing to test."""
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import Session, Tap  # noqa: E402

# far above a second, far below what the resolver would wait
SOON = 5
DATA = os.path.join(os.environ["MC_DIR"], "data")
BIN = subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], stdout=subprocess.PIPE, text=True).stdout.strip()
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
tap = Tap()


def as_owner(*words):
    return (["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []) + list(words)


def pg_ctl(*words):
    subprocess.run(as_owner(BIN + "/pg_ctl", "-D", DATA, "-w", *words), stdout=subprocess.DEVNULL, check=True)


def inside():
    """in the new namespaces: a deaf name server and the cluster"""
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    request = bytearray(struct.pack("16sh22x", b"lo", 0))
    fcntl.ioctl(control, SIOCGIFFLAGS, request)
    flags = struct.unpack_from("h", request, 16)[0]
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))
    with tempfile.NamedTemporaryFile("w") as conf:
        conf.write("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
        conf.flush()
        os.chmod(conf.name, 0o644)
        subprocess.run(["mount", "--bind", conf.name, "/etc/resolv.conf"], check=True)
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        deaf.bind(("127.0.0.1", 53))
        pg_ctl("-l", os.environ["MC_DIR"] + "/server.log", "start")
        print("ready", flush=True)
        sys.stdin.read()
    deaf.close()


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def ends(s, name, want):
    start = time.monotonic()
    try:
        out, state = s.finish(SOON)
    except Exception:
        tap.ok(False, name, "still waiting after %d s" % SOON)
        s.proc.kill()
        return
    tap.ok(state in want, name, "%s after %.1f s: %s" % (state, time.monotonic() - start, out))


def main():
    if os.getuid() != 0 or subprocess.run(["unshare", "-n", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("1..0 # SKIP no right to make a network namespace")
        return
    pg_ctl("-m", "fast", "stop")
    server = subprocess.Popen(["unshare", "-n", "-m", sys.executable, os.path.abspath(__file__), "inside"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        tap.ok(server.stdout.readline().strip() == "ready", "a cluster whose name server is deaf")
        s = Session()
        s.sql("""CREATE EXTENSION mc_fdw;
CREATE SERVER sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://log.example.com', project 'web');
CREATE USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (access_key_id 'a', access_key_secret 'b');
CREATE FOREIGN TABLE source (c1 text) SERVER sls OPTIONS (logstore 'text10')""")
        s.sql("SET mc_fdw.connect_timeout = '60s'")
        s.send("SELECT * FROM source")
        time.sleep(1)
        wait = admin("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % s.pid)
        tap.ok(wait == "Extension", "the wait is visible", wait)
        admin("SELECT pg_cancel_backend(%d)" % s.pid)
        ends(s, "cancel", ["57014"])
        tap.ok(s.sql("SELECT 1") == ["1"], "the session goes on")
        s.send("SET statement_timeout = '300ms'; SELECT * FROM source")
        ends(s, "statement_timeout", ["57014"])
        s.send("RESET statement_timeout; SET mc_fdw.connect_timeout = '300ms'; SET mc_fdw.max_retries = 0; SELECT * FROM source")
        ends(s, "connect_timeout", ["08006"])
        s.send("SET mc_fdw.connect_timeout = '60s'; SELECT * FROM source")
        time.sleep(1)
        admin("SELECT pg_terminate_backend(%d)" % s.pid)
        ends(s, "terminate", ["lost", "57P01"])
        left = admin("SELECT count(*) FROM pg_stat_activity WHERE pid = %d" % s.pid)
        tap.ok(left == "0", "and the backend is gone", left)
    finally:
        pg_ctl("-m", "immediate", "stop")
        server.stdin.close()
        server.wait()
    tap.done()


if sys.argv[1:] == ["inside"]:
    inside()
else:
    main()
