"""Scan or fill a Tablestore table with the Python SDK, as its documentation shows."""
import json
import os
import sys
import time

from tablestore import (INF_MAX, INF_MIN, BatchWriteRowRequest, Condition, OTSClient, PutRowItem, Row,
                        RowExistenceExpectation, TableInBatchWriteRowItem)

E = os.environ
TABLE, ROWS = E["BENCH_OTS_TABLE"], int(E["BENCH_ROWS"])
KEYS = ("k", "n")


def scan(client):
    """get_range from page to page; the SDK has no call for split points"""
    start = [(k, INF_MIN) for k in KEYS]
    end = [(k, INF_MAX) for k in KEYS]
    rows = cells = 0
    while start is not None:
        _, start, page, _ = client.get_range(TABLE, "FORWARD", start, end, max_version=1)
        rows += len(page)
        for row in page:
            cells += len(row.attribute_columns)
    if cells != rows * 8:
        sys.exit("cells are missing")
    return rows


def row(i):
    return Row([("k", "user-%08d" % (i * 7919 % 100000000)), ("n", i)],
               [("i1", i * 31), ("i2", i % 1000), ("d1", i / 8), ("b1", i % 2 == 0),
                ("s1", "value-%014d" % i), ("s2", "city-%04d" % (i % 977)), ("s3", "some words of text %d" % (i % 9973)),
                ("s4", "%020d" % (i * 13))])


def write(client):
    done = 0
    while done < ROWS:
        items = [PutRowItem(row(i), Condition(RowExistenceExpectation.IGNORE)) for i in range(done, min(done + 200, ROWS))]
        request = BatchWriteRowRequest()
        request.add(TableInBatchWriteRowItem(TABLE, items))
        if not client.batch_write_row(request).is_all_succeed():
            sys.exit("a row failed")
        done += len(items)
    return done


def main():
    start = time.monotonic()
    client = OTSClient("http://127.0.0.1:" + E["MC_TABLESTORE_PORT"], E["MC_KEY_ID"], E["MC_KEY_SECRET"], "demo",
                       enable_native=bool(E["BENCH_NATIVE"]))
    rows = (scan if E["BENCH_OP"] == "scan" else write)(client)
    print(json.dumps({"rows": rows, "seconds": time.monotonic() - start}))


main()
