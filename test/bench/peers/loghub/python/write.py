"""A csv file to a logstore with aliyun-log-python-sdk, as its documentation shows: batches of 4096
logs, eight threads that send."""
import concurrent.futures
import csv
import json
import os
import threading
import time

from aliyun.log import LogClient, LogItem, PutLogsRequest

E = os.environ
COLUMNS = E["BENCH_COLUMNS"].split(",")
local = threading.local()


def put(rows):
    if not hasattr(local, "client"):
        local.client = LogClient("http://cn-test.example.com", E["MC_KEY_ID"], E["MC_KEY_SECRET"], source="127.0.0.1")
    now = int(time.time())
    items = [LogItem(now, contents=list(zip(COLUMNS, row))) for row in rows]
    local.client.put_logs(PutLogsRequest(E["BENCH_PROJECT"], E["BENCH_LOGSTORE"], "", "", items))
    return len(items)


def batches():
    with open(E["BENCH_CSV"], newline="") as f:
        batch = []
        for row in csv.reader(f):
            batch.append(row)
            if len(batch) == 4096:
                yield batch
                batch = []
        if batch:
            yield batch


def main():
    start = time.monotonic()
    done = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        waiting = set()
        for batch in batches():
            waiting.add(pool.submit(put, batch))
            if len(waiting) >= 8:
                ready, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                done += sum(x.result() for x in ready)
        done += sum(x.result() for x in waiting)
    print(json.dumps({"rows": done, "seconds": time.monotonic() - start}))


main()
