"""Read csv objects with the Python SDK: list, stream each, parse with the csv module."""
import csv
import io
import json
import os
import sys
import time

import oss2

E = os.environ


class Stream(io.RawIOBase):
    """the SDK's answer as the csv module wants it: a file of text lines"""

    def __init__(self, result):
        self.result = result

    def readable(self):
        return True

    def readinto(self, b):
        data = self.result.read(len(b))
        b[:len(data)] = data
        return len(data)


def main():
    start = time.monotonic()
    columns = json.loads(E["BENCH_COLUMNS"])
    bucket = oss2.Bucket(oss2.AuthV4(E["MC_KEY_ID"], E["MC_KEY_SECRET"]), "http://127.0.0.1:" + E["MC_OSS_PORT"],
                         "bench", region="cn-hangzhou", is_path_style=True)
    rows = notes = 0
    for item in oss2.ObjectIteratorV2(bucket, prefix=E["BENCH_PREFIX"]):
        text = io.TextIOWrapper(io.BufferedReader(Stream(bucket.get_object(item.key)), 1 << 20), encoding="utf-8", newline="")
        for row in csv.reader(text):
            rows += 1
            notes += row[-1] != ""
            if len(row) != len(columns):
                sys.exit("a row has %d fields" % len(row))
    if not 0 < notes < rows:
        sys.exit("notes are missing")
    print(json.dumps({"rows": rows, "seconds": time.monotonic() - start}))


main()
