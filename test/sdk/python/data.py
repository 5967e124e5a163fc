#!/usr/bin/env python3
"""JSON lines to and from the services with the unmodified Python SDKs; ../README.md has the formats."""
import json
import sys


def put(project, store):
    from aliyun.log import LogItem, PutLogsRequest
    from loghub_client import client
    c = client()
    for line in sys.stdin:
        g = json.loads(line)
        items = []
        for log in g["logs"]:
            item = LogItem(contents=[tuple(x) for x in log["contents"]])
            item.set_time(log["time"])
            item.set_time_nano_part(log["ns"])
            items.append(item)
        c.put_logs(PutLogsRequest(project, store, g["topic"], g["source"], items, logtags=[tuple(x) for x in g["tags"]],
                                  compress=g["compress"] != "plain", compress_type=g["compress"]))


def pull(project, store):
    from loghub_client import client, read_shard, shards
    c = client()
    for shard in shards(c, project, store):
        for g in read_shard(c, project, store, shard):
            for log in g.Logs:
                print(json.dumps({"time": log.Time, "ns": log.Time_ns, "topic": g.Topic, "source": g.Source,
                                  "tags": [[t.Key, t.Value] for t in g.LogTags],
                                  "contents": [[x.Key, x.Value] for x in log.Contents]}))


def write(project, table, coding):
    from canonical import parse_type, to_python
    from odps_client import how, odps, tunnel
    s = tunnel(odps(project)).create_upload_session(table, **how(coding))
    types = [parse_type(str(c.type)) for c in s.schema.simple_columns]
    with s.open_record_writer(0) as w:
        for line in sys.stdin:
            w.write(s.new_record([to_python(v, t) for v, t in zip(json.loads(line), types)]))
    s.commit([0])


def read(project, table, coding):
    from canonical import from_python, parse_type
    from odps_client import how, odps, options, tunnel
    options.map_as_ordered_dict = True
    d = tunnel(odps(project)).create_download_session(table, **how(coding))
    types = [parse_type(str(c.type)) for c in d.schema.simple_columns]
    if d.count:
        with d.open_record_reader(0, d.count) as r:
            for row in r:
                print(json.dumps([from_python(v, t) for v, t in zip(row.values, types)]))


def write_rows(instance, table, report=None):
    from tablestore import BatchWriteRowRequest, TableInBatchWriteRowItem
    from tablestore_client import client, code, item
    c = client(instance)
    for line in sys.stdin:
        change = json.loads(line)
        failed = None
        try:
            if change["action"] == "batch":
                request = BatchWriteRowRequest()
                request.add(TableInBatchWriteRowItem(table, [item(x) for x in change["rows"]]))
                answer = c.batch_write_row(request)
                failed = next((x.error_code for x in answer.get_failed_of_put() + answer.get_failed_of_update() + answer.get_failed_of_delete()), None)
            else:
                one = item(change)
                getattr(c, change["action"] + "_row")(table, one.row, one.condition)
        except Exception as e:
            failed = code(e)
            if not report:
                raise
        if report:
            print(json.dumps(failed), flush=True)
        elif failed:
            raise RuntimeError(failed)


def read_rows(instance, table, versions="1"):
    from tablestore_client import canonical, client, scan
    c = client(instance)
    keys = [k[0] for k in c.describe_table(table).table_meta.schema_of_primary_key]
    for row in scan(c, table, keys, max_version=int(versions)):
        print(json.dumps(canonical(row)))


def get_rows(instance, table, versions="1"):
    from tablestore_client import canonical, client, key
    c = client(instance)
    for line in sys.stdin:
        row = c.get_row(table, key(json.loads(line)), max_version=int(versions))[1]
        print(json.dumps(row and canonical(row)))


def batch_rows(instance, table, versions="1"):
    from tablestore import BatchGetRowRequest, TableInBatchGetRowItem
    from tablestore_client import canonical, client, key
    keys = [key(json.loads(line)) for line in sys.stdin]
    request = BatchGetRowRequest()
    request.add(TableInBatchGetRowItem(table, keys, max_version=int(versions)))
    for x in client(instance).batch_get_row(request).get_result_by_table(table):
        print(json.dumps(x.row and canonical(x.row)))


if __name__ == "__main__":
    {"loghub put": put, "loghub pull": pull, "odps write": write, "odps read": read, "tablestore write": write_rows,
     "tablestore read": read_rows, "tablestore get": get_rows, "tablestore batch": batch_rows}[" ".join(sys.argv[1:3])](*sys.argv[3:])
