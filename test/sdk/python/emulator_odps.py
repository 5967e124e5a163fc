#!/usr/bin/env python3
"""Every API of the emulator's MaxCompute part, called by the unmodified pyodps."""
import pyarrow as pa
from odps import options

from checks import equal, ok, refused, section
from mctest import command
from odps_client import CODINGS, how, odps, tunnel

P = "sdk_python"
command("maxcompute", "create_project", project=P)
command("maxcompute", "create_project", project=P + "_3", three_tier=True)
command("maxcompute", "set", rates=False)
O = odps(P)
T = tunnel(O)


def project():
    p = O.get_project(P)
    p.reload()
    ok("project", p.name == P and p.owner and p.creation_time)
    ok("project exists", O.exist_project(P) and not O.exist_project("none"))
    refused("project missing", ("NoSuchProject", "NoSuchObject"), lambda: O.get_project("none").reload())


def tables():
    t = O.create_table("plain", "a bigint, `b` string, c double", comment="it's; a \"comment\"", lifecycle=7)
    equal("created columns", [(c.name, c.type.name) for c in t.table_schema.columns], [("a", "bigint"), ("b", "string"), ("c", "double")])
    O.create_table("parted", ("a bigint, b string", "pt string, hr int"))
    t = O.get_table("plain")
    t.reload()
    equal("table comment", t.comment, "it's; a \"comment\"")
    equal("table lifecycle", t.lifecycle, 7)
    ok("table times", t.creation_time and t.last_data_modified_time and t.owner)
    t.reload_extend_info()
    equal("extended: not archived", t.is_archived, False)
    t = O.get_table("parted")
    equal("partition columns", [(c.name, c.type.name) for c in t.table_schema.partitions], [("pt", "string"), ("hr", "int")])
    equal("tables listed", sorted(x.name for x in O.list_tables()), ["parted", "plain"])
    equal("tables by prefix", [x.name for x in O.list_tables(prefix="pl")], ["plain"])
    ok("table exists", O.exist_table("plain") and not O.exist_table("none"))
    refused("table missing", ("NoSuchTable", "NoSuchObject"), lambda: O.get_table("none").reload())
    refused("create twice", ("ODPSError", "ODPS-0130131", "ODPS-0110061", "ODPS-0420095", "ParseError", "ODPS-0130161", "TableAlreadyExists", "ODPS-0420111"), lambda: O.create_table("plain", "a bigint"))
    O.create_table("plain", "a bigint", if_not_exists=True)
    every = "c1 tinyint, c2 smallint, c3 int, c4 bigint, c5 float, c6 double, c7 decimal(38,18), c8 varchar(20), c9 char(5), " \
        "c10 string, c11 binary, c12 boolean, c13 date, c14 datetime, c15 timestamp, c16 timestamp_ntz, c17 json, " \
        "c18 interval_year_month, c19 interval_day_time, c20 array<array<string>>, c21 map<bigint,array<double>>, " \
        "c22 struct<`x`:int,`y`:map<string,timestamp>>"
    t = O.create_table("typed", every)
    equal("every type", ", ".join("%s %s" % (c.name, str(c.type).replace("`", "").lower()) for c in t.table_schema.columns), every.replace("`", ""))
    O.create_table("transient", "a bigint")
    O.delete_table("transient")
    ok("table dropped", not O.exist_table("transient"))
    O.delete_table("transient", if_exists=True)
    refused("drop of a missing table", ("ODPS-0130131", "NoSuchTable"), lambda: O.delete_table("transient"))


def partitions():
    t = O.get_table("parted")
    for hr in (1, 2, 3):
        t.create_partition("pt='a b',hr=%d" % hr)
    t.create_partition("pt='x',hr=1")
    t.create_partition("pt='x',hr=1", if_not_exists=True)
    equal("partitions", sorted(p.name for p in t.partitions), ["pt='a b',hr='1'", "pt='a b',hr='2'", "pt='a b',hr='3'", "pt='x',hr='1'"])
    equal("partitions by leading key", len(list(t.iterate_partitions("pt='a b'"))), 3)
    p = t.get_partition("pt='x',hr=1")
    p.reload()
    ok("partition details", p.creation_time and p.last_data_modified_time)
    ok("partition exists", t.exist_partition("pt='x',hr=1") and not t.exist_partition("pt='x',hr=9"))
    ok("partition missing", not t.exist_partition("pt='none',hr=9"))
    t.delete_partition("pt='x',hr=1")
    ok("partition dropped", not t.exist_partition("pt='x',hr=1"))
    t.delete_partition("pt='x',hr=1", if_exists=True)
    refused("drop of a missing partition", ("NoSuchPartition", "ODPS-0130131", "ODPSError", "NoSuchTable", "ODPS-0420061"), lambda: t.delete_partition("pt='x',hr=1"))


def schemas():
    o = odps(P + "_3")
    options.enable_schema = True
    try:
        o.create_schema("s1")
        ok("schema exists", o.exist_schema("s1") and not o.exist_schema("s2"))
        equal("schemas listed", sorted(s.name for s in o.list_schemas()), ["default", "s1"])
        s = o.get_schema("s1")
        s.reload()
        ok("schema details", s.name == "s1" and s.owner)
        t = o.create_table("t", "a bigint", schema="s1")
        o.create_table("t", "b string", schema="default")
        equal("tables of a schema", [x.name for x in o.list_tables(schema="s1")], ["t"])
        with t.open_writer() as w:
            w.write([[1], [2]])
        equal("rows of a schema's table", [r[0] for r in o.get_table("t", schema="s1").open_reader()], [1, 2])
        equal("same name, other schema", [c.name for c in o.get_table("t", schema="default").table_schema.columns], ["b"])
        equal("SQL with three names", o.execute_sql("SELECT COUNT(*) FROM %s_3.s1.t" % P).open_reader(tunnel=False)[0][0], "2")
        o.delete_table("t", schema="s1")
        o.delete_schema("s1")
        ok("schema dropped", not o.exist_schema("s1"))
    finally:
        options.enable_schema = False


def write_rows(table, rows, partition=None, **more):
    with O.get_table(table).open_writer(partition=partition, **more) as w:
        w.write(rows)


def read_rows(table, partition=None, **more):
    with O.get_table(table).open_reader(partition=partition, **more) as r:
        return [list(x.values) for x in r]


ROWS = [[i, "row %d 中文" % i, i / 4] for i in range(100)] + [[None, None, None], [-1, "", float("inf")]]


def upload_and_download():
    for coding in CODINGS:
        O.execute_sql("TRUNCATE TABLE plain")
        s = T.create_upload_session("plain", **how(coding))
        for block, part in ((0, ROWS[:50]), (7, ROWS[50:])):
            with s.open_record_writer(block) as w:
                for row in part:
                    w.write(s.new_record(row))
        equal(coding + ": not visible before commit", T.create_download_session("plain").count, 0)
        equal(coding + ": block list", sorted(s.get_block_list()), [0, 7])
        s.commit([0, 7])
        d = T.create_download_session("plain", **how(coding))
        equal(coding + ": count", d.count, len(ROWS))
        with d.open_record_reader(0, d.count) as r:
            equal(coding + ": all rows", [list(x.values) for x in r], ROWS)
        with d.open_record_reader(40, 20) as r:
            equal(coding + ": a range over a block's end", [list(x.values) for x in r], ROWS[40:60])
        with d.open_record_reader(10, 5, columns=["a", "c"]) as r:
            equal(coding + ": two columns", [[x["a"], x["c"]] for x in r], [[x[0], x[2]] for x in ROWS[10:15]])


def upload_details():
    write_rows("plain", ROWS[:3], overwrite=True)
    equal("overwrite", read_rows("plain"), ROWS[:3])
    write_rows("plain", ROWS[3:5])
    equal("append", read_rows("plain"), ROWS[:5])
    s = T.create_upload_session("plain", overwrite=True)
    for rows in (ROWS[:9], ROWS[:2]):
        with s.open_record_writer(0) as w:
            for row in rows:
                w.write(s.new_record(row))
    s.commit([0])
    equal("a block sent again replaces the first", read_rows("plain"), ROWS[:2])
    s.reload()
    equal("session after commit", s.status.name.lower(), "closed")
    other = T.create_upload_session("plain", upload_id=s.id)
    equal("session by id", (other.id, other.status.name.lower()), (s.id, "closed"))
    s = T.create_upload_session("plain", overwrite=True)
    s.commit([])
    equal("overwrite with nothing", read_rows("plain"), [])
    s = T.create_upload_session("plain")
    with s.open_record_writer(1) as w:
        w.write(s.new_record(ROWS[0]))
    refused("commit of a block that is not there", ("TunnelError",), lambda: s.commit([0, 1]))
    equal("abandoned sessions leave nothing", read_rows("plain"), [])
    refused("block id out of range", ("InvalidBlockID",), lambda: write_block(s, 20000))
    refused("upload to a missing table", ("NoSuchTable", "NoSuchObject"), lambda: T.create_upload_session("none"))
    refused("unknown upload session", ("NoSuchUpload",), lambda: T.create_upload_session("plain", upload_id="none"))


def write_block(s, block):
    with s.open_record_writer(block) as w:
        w.write(s.new_record(ROWS[0]))


def partitioned_tunnel():
    rows = [[1, "x"], [2, None]]
    refused("a missing partition", ("NoSuchPartition",), lambda: T.create_upload_session("parted", partition_spec="pt='new',hr=1"))
    write_rows("parted", rows, "pt='new',hr=1", create_partition=True)
    equal("create_partition", [x[:2] for x in read_rows("parted", "pt='new',hr=1")], rows)
    write_rows("parted", rows[:1], "pt='new',hr=1", overwrite=True)
    equal("overwrite of a partition", [x[:2] for x in read_rows("parted", "pt='new',hr=1")], rows[:1])
    equal("other partitions are left alone", read_rows("parted", "pt='a b',hr=1"), [])
    refused("no partition given", ("MissingPartitionSpec", "InvalidPartitionSpec"), lambda: T.create_upload_session("parted"))
    refused("half a partition given", ("MissingPartitionSpec", "InvalidPartitionSpec"), lambda: T.create_download_session("parted", partition_spec="pt='new'"))
    refused("a partition of a plain table", ("InvalidPartitionSpec", "InvalidResourceSpec"), lambda: T.create_download_session("plain", partition_spec="pt='new'"))


def snapshot():
    write_rows("plain", ROWS[:10], overwrite=True)
    d = T.create_download_session("plain")
    again = T.create_download_session("plain", download_id=d.id)
    equal("download session by id", (again.id, again.count), (d.id, 10))
    write_rows("plain", ROWS[:1])
    refused("table changed under a download", ("TableModified", "ObjectModified"), lambda: list(d.open_record_reader(0, 10)))
    d = T.create_download_session("plain")
    refused("range beyond the end", ("InvalidRowRange",), lambda: list(d.open_record_reader(5, 100)))
    refused("unknown column", ("InvalidColumnSpec", "ValueError", "KeyError"), lambda: list(d.open_record_reader(0, 1, columns=["none"])))
    refused("unknown download session", ("NoSuchDownload",), lambda: T.create_download_session("plain", download_id="none"))
    d = T.create_download_session("plain", async_mode=True)
    equal("asynchronous session", d.count, 11)
    command("maxcompute", "set", async_sessions=True)
    equal("session that is initiating first", T.create_download_session("plain", async_mode=True).count, 11)
    command("maxcompute", "set", async_sessions=False)


def arrow():
    batch = pa.table({"a": [1, None, 3], "b": ["x", "", None], "c": [1.5, None, -0.25]})
    for coding in ("none", "deflate", "zstd", "lz4"):
        s = T.create_upload_session("plain", overwrite=True, **how(coding))
        with s.open_arrow_writer(0) as w:
            for b in batch.to_batches():
                w.write(b)
        s.commit([0])
        d = T.create_download_session("plain", **how(coding))
        with d.open_arrow_reader(0, d.count) as r:
            equal("Arrow, " + coding, r.read().to_pylist(), batch.to_pylist())
        with d.open_arrow_reader(1, 2, columns=["a", "c"]) as r:
            equal("Arrow, two columns, " + coding, r.read().to_pylist(), batch.select(["a", "c"]).to_pylist()[1:])


def stream():
    O.create_table("flow", ("a bigint, b string", "pt string"))
    for coding in ("none", "deflate", "zstd", "snappy"):      # the SDK's lz4 context breaks in a stream session
        s = T.create_stream_upload_session("flow", partition_spec="pt='%s'" % coding, create_partition=True, **how(coding))
        with s.open_record_writer(compress=coding != "none") as w:
            for i in range(30):
                w.write(s.new_record([i, "é%d" % i]))
        equal("stream, " + coding, [x[:2] for x in read_rows("flow", "pt='%s'" % coding)], [[i, "é%d" % i] for i in range(30)])
    s = T.create_stream_upload_session("flow", partition_spec="pt='none'")
    s.reload()
    s.abort()
    refused("stream session aborted", ("StreamSessionNotFound", "NoSuchUpload", "StatusConflict"), s.reload)
    O.delete_table("flow")


def upsert():
    O.create_table("keyed", "id bigint not null, v string", primary_key=["id"], transactional=True)
    for rows, gone in (([[1, "one"], [2, "two"], [3, "three"]], []), ([[2, "zwei"], [4, None]], [3])):
        s = T.create_upsert_session("keyed")
        stream = s.open_upsert_stream(compress=bool(gone))
        for row in rows:
            stream.upsert(s.new_record(row))
        for key in gone:
            stream.delete(s.new_record([key, None]))
        stream.flush()
        stream.close()
        s.commit()
        equal("upsert session", s.status.value.lower(), "committed")
    equal("upserted rows", sorted(read_rows("keyed"), key=lambda x: x[0]), [[1, "one"], [2, "zwei"], [4, None]])
    s = T.create_upsert_session("keyed")
    stream = s.open_upsert_stream()
    stream.upsert(s.new_record([9, "x"]))
    stream.flush()
    s.abort()
    equal("an aborted upsert does nothing", len(read_rows("keyed")), 3)
    O.delete_table("keyed")


def head():
    write_rows("plain", ROWS[:5], overwrite=True)
    equal("head of a table", [list(x.values) for x in O.get_table("plain").head(3, use_legacy=True)], ROWS[:3])


def sql():
    write_rows("plain", ROWS, overwrite=True)
    i = O.execute_sql("SELECT * FROM plain LIMIT 3")
    ok("instance", i.is_successful() and i.is_terminated())
    with i.open_reader(tunnel=False) as r:
        equal("result as text", [x["b"] for x in r], [x[1] for x in ROWS[:3]])
    with i.open_reader(tunnel=True) as r:
        equal("instance tunnel", [list(x.values) for x in r], ROWS[:3])
    with O.execute_sql("SELECT COUNT(*) FROM plain").open_reader(tunnel=True) as r:
        equal("count", [list(x.values) for x in r], [[len(ROWS)]])
    with O.execute_sql("SELECT * FROM parted WHERE pt='new' AND hr=1").open_reader(tunnel=True) as r:
        equal("result with partition columns", [list(x.values) for x in r], [[1, "x", "new", 1]])
    with O.execute_sql("SELECT 1").open_reader(tunnel=False) as r:
        equal("SELECT 1", [list(x.values) for x in r], [["1"]])
    for statement, word in (("DESC plain", "double"), ("SHOW PARTITIONS parted", "pt=new/hr=1"), ("SHOW TABLES", "plain")):
        ok(statement, word in O.execute_sql(statement).open_reader(tunnel=False).raw.lower())
    refused("syntax error", ("ParseError", "ODPS-0130161"), lambda: O.execute_sql("SELEKT 1"))
    refused("SQL on a missing table", ("NoSuchTable", "ODPS-0130131"), lambda: O.execute_sql("SELECT * FROM none"))


def instances():
    command("maxcompute", "set", instance_ms=60000)
    i = O.run_sql("DROP TABLE plain")
    equal("running", (i.is_terminated(), i.status.value), (False, "Running"))
    ok("progress", isinstance(i.get_task_progress(i.get_task_names()[0]).stages, list))
    ok("source", "DROP TABLE plain" in i.get_sql_query())
    ok("listed", i.id in [x.id for x in O.list_instances(status="Running")])
    i.stop()
    equal("cancelled", [t.status.value.lower() for t in i.get_task_statuses().values()], ["cancelled"])
    ok("a cancelled statement does nothing", O.exist_table("plain"))
    command("maxcompute", "set", instance_ms=300)
    i = O.run_sql("SELECT COUNT(*) FROM plain")
    i.wait_for_success(interval=0.1)
    ok("waited", i.is_successful())
    ok("times", i.start_time and i.end_time)
    ok("summary", isinstance(i.get_task_summary(i.get_task_names()[0]), dict))
    command("maxcompute", "set", instance_ms=0)
    ok("instance exists", O.exist_instance(i.id) and not O.exist_instance("none"))


def signatures():
    refused("wrong secret", ("SignatureNotMatch", "Unauthorized", "ODPS-0410042"), lambda: odps(P, secret="wrong").get_project().reload())
    refused("unknown key", ("Unauthorized", "ODPS-0410051", "NoPermission", "InvalidParameter"), lambda: odps(P, key="nobody").get_project().reload())
    equal("V2 with STS", odps(P, "sts-id", "sts-secret", "sts-token").get_table("plain").table_schema.names, ["a", "b", "c"])
    refused("another token", ("Unauthorized", "ODPS-0410051", "InvalidSecurityToken", "NoPermission"), lambda: odps(P, "sts-id", "sts-secret", "other").get_project().reload())
    v4 = odps(P, region_name="cn-hangzhou")
    equal("V4", v4.get_table("plain").table_schema.names, ["a", "b", "c"])
    d = tunnel(v4).create_download_session("plain")
    equal("V4 through the tunnel", len(list(d.open_record_reader(0, d.count))), d.count)
    for name, o in (("V2", O), ("V4", v4)):
        equal(name + " with every kind of character", list(o.list_tables(prefix="a+b c&d=é%25'")), [])


def cleanup():
    for t in ("plain", "parted", "typed"):
        O.get_table(t).drop()
    equal("all tables dropped", list(O.list_tables()), [])


for f in (project, tables, partitions, schemas, upload_and_download, upload_details, partitioned_tunnel, snapshot, arrow, stream, upsert, head, sql, instances,
          signatures, cleanup):
    section(f)
