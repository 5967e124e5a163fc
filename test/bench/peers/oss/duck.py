"""Count the values of csv objects with DuckDB: through its httpfs, or (argument "files") as files of this machine;
BENCH_THREADS, empty = its default."""
import json
import os
import sys
import time
import urllib.request

sys.path.append(os.environ["BENCH_HTTPFS"])
import duckdb  # noqa: E402
import duckdb_extension_httpfs  # noqa: E402

E = os.environ
TYPES = {"int8": "BIGINT", "int4": "INTEGER", "float8": "DOUBLE", "numeric(12,2)": "DECIMAL(12,2)", "bool": "BOOLEAN",
         "date": "DATE", "timestamptz": "TIMESTAMPTZ", "text": "VARCHAR"}


def keys():
    """it cannot list a web server"""
    body = json.dumps({"service": "oss", "op": "keys", "bucket": "bench", "prefix": E["BENCH_PREFIX"]}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request("http://127.0.0.1:%s/__mc/command" % E["MC_LOGHUB_PORT"], body)) as f:
        return json.loads(f.read())["keys"]


def main():
    local = sys.argv[1:] == ["files"]
    files = [os.path.join(E["BENCH_FILES"], f) for f in sorted(os.listdir(E["BENCH_FILES"]))] if local else \
        ["http://127.0.0.1:%s/bench/%s" % (E["MC_OSS_PORT"], k) for k in keys()]
    columns = json.loads(E["BENCH_COLUMNS"])
    path = os.path.join(os.path.dirname(duckdb_extension_httpfs.__file__), "extensions", "v" + duckdb.__version__, "httpfs.duckdb_extension")
    start = time.monotonic()
    c = duckdb.connect(config={"threads": int(E["BENCH_THREADS"])} if E.get("BENCH_THREADS") else {})
    if not local:
        c.execute("LOAD '%s'" % path)
    c.execute("SET TimeZone = 'Asia/Shanghai'")
    got = c.execute("SELECT count(*), %s FROM read_csv(?, header = false, columns = {%s})" % (
        ", ".join('count("%s")' % n for n, _ in columns), ", ".join("'%s': '%s'" % (n, TYPES[t]) for n, t in columns)), [files]).fetchone()
    seconds = time.monotonic() - start
    if any(x != got[0] for x in got[1:-1]) or not 0 < got[-1] < got[0]:
        sys.exit("values are missing: %s" % (got,))
    print(json.dumps({"rows": got[0], "seconds": seconds}))


main()
