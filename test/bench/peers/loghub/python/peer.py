"""LogHub window to MaxCompute with aliyun-log-python-sdk and pyodps: a process per shard."""
import json
import multiprocessing
import os
import time

from aliyun.log import LogClient
from odps import ODPS
from odps.tunnel import CompressOption, TableTunnel

E = os.environ
COLUMNS = E["BENCH_COLUMNS"].split(",")


def log_client():
    return LogClient("http://cn-test.example.com", E["MC_KEY_ID"], E["MC_KEY_SECRET"], source="127.0.0.1")


def table_tunnel():
    return TableTunnel(ODPS(E["MC_KEY_ID"], E["MC_KEY_SECRET"], E["BENCH_ODPS_PROJECT"],
                            endpoint="http://127.0.0.1:%s/api" % E["MC_MAXCOMPUTE_PORT"]))


def copy_shard(shard, block, upload_id):
    client = log_client()
    session = table_tunnel().create_upload_session(E["BENCH_ODPS_TABLE"], upload_id=upload_id,
                                                   compress_option=CompressOption(CompressOption.CompressAlgorithm.ODPS_ZSTD))
    names = [c.name for c in session.schema.columns]
    rows = 0
    with session.open_record_writer(block) as writer:
        for page in client.pull_log(E["BENCH_PROJECT"], E["BENCH_LOGSTORE"], shard, int(E["BENCH_FROM"]), int(E["BENCH_TO"]),
                                    batch_size=1000):
            for log in page.get_flatten_logs_json():
                writer.write(session.new_record([log.get(n) for n in names]))
                rows += 1
    return rows


def main():
    start = time.monotonic()
    shards = [s["shardID"] for s in log_client().list_shards(E["BENCH_PROJECT"], E["BENCH_LOGSTORE"]).get_shards_info()]
    # the processes begin before pyodps has connections, which they would share
    with multiprocessing.Pool(len(shards)) as pool:
        session = table_tunnel().create_upload_session(E["BENCH_ODPS_TABLE"], overwrite=True)
        if [c.name for c in session.schema.columns] != COLUMNS:
            raise SystemExit("columns differ")
        rows = sum(pool.starmap(copy_shard, [(shard, block, session.id) for block, shard in enumerate(shards)]))
    session.commit(list(range(len(shards))))
    print(json.dumps({"rows": rows, "seconds": round(time.monotonic() - start, 3)}))


if __name__ == "__main__":
    main()
