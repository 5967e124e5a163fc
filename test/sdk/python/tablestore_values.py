"""Canonical rows (../README.md) that every SDK writes and every SDK must read back."""
import struct


def integer(i):
    return ["INTEGER", str(i)]


def double(d):
    return ["DOUBLE", struct.pack(">d", d).hex()]


def string(s):
    return ["STRING", s]


def boolean(b):
    return ["BOOLEAN", "true" if b else "false"]


def binary(b):
    return ["BINARY", b.hex()]


KEYS = [("pk_s", "STRING"), ("pk_i", "INTEGER"), ("pk_b", "BINARY")]
EDGES = [integer(x) for x in (0, 1, -1, 2**63 - 1, -2**63, 2**53 + 1, -2**53 - 1, 255, 256)] + \
    [double(x) for x in (0.0, -0.0, 1.5, -1e308, 1.7976931348623157e308, 5e-324, 0.1, 2**53 + 2.0)] + \
    [string(x) for x in ("", "a", "a\0b", "'\"\\\n\t", "中文", "é", "🎉", "e\u0301", "x" * 5000)] + \
    [boolean(True), boolean(False)] + [binary(x) for x in (b"", b"\0", bytes(range(256)), b"\xff" * 5000)]
KEY_EDGES = [("", 0, b""), ("a", -2**63, b"\0"), ("a\0", 2**63 - 1, b"\xff"), ("中文", -1, b"\0\0"), ("🎉", 1, bytes(range(100))), ("x" * 1024, 7, b"\x80" * 1024)]


def key(s, i, b):
    return [["pk_s", string(s)], ["pk_i", integer(i)], ["pk_b", binary(b)]]


def put(k, *cells):
    return {"action": "put", "key": k, "cells": [list(c) for c in cells]}


def rows(now_ms, nul=True):
    """What is written, and what a reader of two versions must see: key order, cells by name, newest first.
    Without nul no text holds a NUL character."""
    version = str(now_ms - 10000)
    older = str(now_ms - 20000)
    written, seen = [], []
    for n, edge in enumerate(KEY_EDGES):
        if "\0" in edge[0] and not nul:
            continue
        values = [(i, v) for i, v in enumerate(EDGES) if nul or v[0] != "STRING" or "\0" not in v[1]]
        cells = [["c%02d" % i, v, version, "put"] for i, v in values] if n == 0 else [["c", EDGES[n], version, "put"]]
        written.append(put(key(*edge), *cells))
        seen.append({"key": key(*edge), "cells": cells})
    for n, cells in enumerate(([["s", string("é" * 2**20), version, "put"]], [["b", binary(b"\0\xff" * 2**20), version, "put"]],
                               [["w%04d" % i, integer(i), version, "put"] for i in range(1024)])):
        k = key("greatest", n, b"")
        written.append(put(k, *cells))
        seen.append({"key": k, "cells": cells})
    k = key("versions", 1, b"v")
    written += [put(k, ["a", integer(1), older, "put"], ["gone", string("x"), older, "put"], ["one", string("x"), older, "put"]),
                {"action": "update", "key": k, "cells": [["a", double(2.5), version, "put"], ["one", string("y"), version, "put"]]},
                {"action": "update", "key": k, "cells": [["gone", None, None, "delete_all"]]},
                {"action": "update", "key": k, "cells": [["one", None, older, "delete_one"]]}]
    seen.append({"key": k, "cells": [["a", double(2.5), version, "put"], ["a", integer(1), older, "put"], ["one", string("y"), version, "put"]]})
    k = key("replaced", 1, b"")
    written += [put(k, ["a", integer(1), version, "put"], ["b", integer(1), version, "put"]), put(k, ["b", boolean(True), version, "put"])]
    seen.append({"key": k, "cells": [["b", boolean(True), version, "put"]]})
    k = key("deleted", 1, b"")
    written += [put(k, ["a", integer(1), version, "put"]), {"action": "delete", "key": k, "cells": []}]
    k = key("empty", 1, b"")
    written.append(put(k))
    seen.append({"key": k, "cells": []})

    def order(row):
        (_, (_, s)), (_, (_, i)), (_, (_, b)) = row["key"]
        return s.encode(), int(i), bytes.fromhex(b)
    return written, sorted(seen, key=order)
