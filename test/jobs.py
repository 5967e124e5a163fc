"""What the tests of the cookbooks share: recipes as they stand on the page, values at the edges,
rows of Tablestore told apart bit for bit, the emulator's clock, changes applied in their order."""
import json
import os
import re
import struct
import time

from mctest import call, command, localize

TEXTS = ["", " ", "é", "e\u0301", "\U0001f600", "\U0010ffff", "\ue000", "a\nb\t\r", "\\N", "'\"\\", "中文", "x" * 1024, "\x01\x7f"]
DOUBLES = [0.0, -0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1e16, 123456789.125, 2.2250738585072014e-308]
INTEGERS = [0, 1, -1, 2 ** 63 - 1, -2 ** 63 + 1, 2 ** 53 + 1, 10 ** 18]     # MaxCompute has no -2 ** 63
BYTES = [b"", b"\x00", b"\xff\x00\x80", bytes(range(256)), "é".encode()]


def recipes(page, unrun=False):
    """heading -> the SQL below it, without what check-docs does not run either"""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs", page)) as f:
        parts = re.split(r"^#+ (.*)$", f.read(), flags=re.M)
    blocks = re.compile(r"(<!-- not run: [^>]*-->\n+)?```sql\n(.*?)```", re.S)
    return {head: [localize(sql) for skip, sql in blocks.findall(text) if unrun or not skip]
            for head, text in zip(parts[1::2], parts[2::2])}


def faults(*rules):
    call("faults", list(rules))


def bits(text):
    return None if text is None else struct.pack(">d", float(text)).hex()


def plain(value):
    """a value of the emulator's dump as text that tells types and bits apart"""
    if isinstance(value, list):
        return [(plain(v["value"]), v["ts"]) for v in value]
    if isinstance(value, dict) and "double" in value:
        return "double " + bits(value["double"])
    return json.dumps(value)


def difference(a, b):
    """the first of what only one of two lists has"""
    only = [sorted(set(map(repr, x)) - set(map(repr, y)))[:3] for x, y in ((a, b), (b, a))]
    return "%d %d: %s - %s" % (len(a), len(b), str(only[0])[:1000], str(only[1])[:1000])


class Instance:
    """a Tablestore instance of the emulator"""

    def __init__(self, name):
        self.name = name
        command("tablestore", "create_instance", instance=name)

    def __call__(self, op, table, **more):
        return command("tablestore", op, instance=self.name, table=table, **more)

    def dump(self, table, **more):
        """key -> columns"""
        rows = self("dump", table, limit=1000000, **more)["rows"]
        return {tuple(map(str, r["key"])): {c: plain(v) for c, v in r["columns"].items()} for r in rows}

    def content(self, table):
        answer = self("checksum", table)
        return answer["count"], answer["sum"]

    def put(self, table, rows):
        """rows: key -> columns, values of Python"""
        def value(v):
            return {"double": repr(v)} if isinstance(v, float) else {"bytes": v.hex()} if isinstance(v, bytes) else v
        items = [{"key": [value(k) for k in key], "columns": {c: value(v) for c, v in columns.items()}} for key, columns in rows.items()]
        for i in range(0, len(items), 500):
            self("put", table, rows=items[i:i + 500])


class Clock:
    """the emulator's clock, which runs ahead of ours"""

    def __init__(self):
        self.ahead = 0

    def advance(self, seconds):
        self.ahead += seconds
        call("clock", {"advance_s": seconds})

    def before_window(self):
        """to a little before the next five minutes begin, so that writes lie on both sides"""
        now = time.time() + self.ahead
        self.advance(300 - (now + 0.2) % 300)


def wait_for(writers, more):
    """until each has done that many more operations"""
    goals = [w.ops + more for w in writers]
    end = time.monotonic() + 60
    while any(w.ops < g and not w.error for w, g in zip(writers, goals)) and time.monotonic() < end:
        time.sleep(0.005)


def replay(changes, order, key, columns):
    """the table after the changes of each key in their order"""
    state = {}
    for change in sorted(changes, key=lambda c: [c[x] for x in order]):
        at = tuple(change[k] for k in key)
        new = {c: change[c] for c in columns if change[c] is not None}
        if change["op"] == "delete":
            state.pop(at, None)
        elif change["op"] == "put":
            state[at] = new
        else:
            row = state.setdefault(at, {})
            row.update(new)
            for column in change["deleted"] or []:
                row.pop(column, None)
    return state
