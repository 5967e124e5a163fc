"""The Tablestore SDK for Python, pointed at the emulator, and canonical rows (../README.md) to and from what it uses."""
import logging
import os
import struct

logging.disable()       # the SDK tells every refusal, and those are expected

from tablestore import (INF_MAX, INF_MIN, PK_AUTO_INCR, Condition, DeleteRowItem, Direction, OTSClient, PutRowItem, Row,
                        RowExistenceExpectation, UpdateRowItem)

ENDPOINT = "http://127.0.0.1:" + os.environ["MC_TABLESTORE_PORT"]
INFINITE = {"INF_MIN": INF_MIN, "INF_MAX": INF_MAX, "AUTO_INCREMENT": PK_AUTO_INCR}


def client(instance="demo", key=None, secret=None, **more):
    return OTSClient(ENDPOINT, key or os.environ["MC_KEY_ID"], secret or os.environ["MC_KEY_SECRET"], instance, logger_name="tablestore",
                     **dict({"sts_token": os.environ.get("MC_KEY_TOKEN")}, **more))


def to_python(value):
    kind, text = value
    if kind in INFINITE:
        return INFINITE[kind]
    if kind == "INTEGER":
        return int(text)
    if kind == "DOUBLE":
        return struct.unpack(">d", bytes.fromhex(text))[0]
    if kind == "BOOLEAN":
        return text == "true"
    return bytearray.fromhex(text) if kind == "BINARY" else text


def from_python(v):
    if isinstance(v, bool):
        return ["BOOLEAN", "true" if v else "false"]
    if isinstance(v, int):
        return ["INTEGER", str(v)]
    if isinstance(v, float):
        return ["DOUBLE", struct.pack(">d", v).hex()]
    return ["STRING", v] if isinstance(v, str) else ["BINARY", bytes(v).hex()]


def key(row):
    return [(name, to_python(value)) for name, value in row["key"]]


def cells(row):
    """of a put: (name, value) or (name, value, version)"""
    return [(name, to_python(value)) if version is None else (name, to_python(value), int(version)) for name, value, version, op in row["cells"]]


def changes(row):
    """of an update: the SDK's dictionary by kind"""
    out = {}
    for name, value, version, op in row["cells"]:
        if op == "delete_all":
            out.setdefault("delete_all", []).append(name)
        elif op == "delete_one":
            out.setdefault("delete", []).append((name, None, int(version)))
        else:
            one = (name, to_python(value)) if version is None else (name, to_python(value), int(version))
            out.setdefault("put" if op == "put" else "increment", []).append(one)
    return out


def item(row):
    """A change as a row of a batch"""
    expect = Condition({"exist": RowExistenceExpectation.EXPECT_EXIST, "not_exist": RowExistenceExpectation.EXPECT_NOT_EXIST}.get(
        row.get("expect"), RowExistenceExpectation.IGNORE))
    if row["action"] == "put":
        return PutRowItem(Row(key(row), cells(row)), expect)
    if row["action"] == "update":
        return UpdateRowItem(Row(key(row), changes(row)), expect)
    return DeleteRowItem(Row(key(row)), expect)


def code(error):
    return error.get_error_code() if hasattr(error, "get_error_code") else type(error).__name__


def canonical(row):
    return {"key": [[n, from_python(v)] for n, v in row.primary_key],
            "cells": [[n, from_python(v), str(version), "put"] for n, v, version in row.attribute_columns]}


def scan(c, table, keys, direction=Direction.FORWARD, **how):
    """All rows, page by page"""
    how.setdefault("max_version", 1)
    low, high = [(k, INF_MIN) for k in keys], [(k, INF_MAX) for k in keys]
    start, end = (low, high) if direction == Direction.FORWARD else (high, low)
    while start:
        _, start, rows, _ = c.get_range(table, direction, start, end, **how)
        yield from rows
