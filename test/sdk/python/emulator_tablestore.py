#!/usr/bin/env python3
"""Every API of the emulator's Tablestore that the unmodified Python SDK has, response validation on."""
import time

from tablestore import (INF_MAX, INF_MIN, PK_AUTO_INCR, BatchGetRowRequest, BatchWriteRowRequest, CapacityUnit, ColumnConditionType,
                        ComparatorType, CompositeColumnCondition, Condition, DeleteRowItem, Direction, LogicalOperator,
                        OTSServiceError, PutRowItem, ReservedThroughput, ReturnType, Row, RowExistenceExpectation,
                        SingleColumnCondition, TableInBatchGetRowItem, TableInBatchWriteRowItem, TableMeta, TableOptions,
                        UpdateRowItem)
from tablestore.metadata import CastType, RegexRule, SingleColumnRegexCondition

from checks import equal, ok, refused, section
from mctest import command
from tablestore_client import client, scan

C = client()
T = "sdk_python"
ANY = Condition(RowExistenceExpectation.IGNORE)
ABSENT = Condition(RowExistenceExpectation.EXPECT_NOT_EXIST)
THERE = Condition(RowExistenceExpectation.EXPECT_EXIST)


def make(name, keys=(("k", "STRING"), ("n", "INTEGER")), versions=1, ttl=-1, **more):
    C.create_table(TableMeta(name, list(keys), **more), TableOptions(ttl, versions), ReservedThroughput(CapacityUnit(0, 0)))


def key(k, n):
    return [("k", k), ("n", n)]


def attributes(row):
    return [] if row is None else [(n, v) for n, v, _ in row.attribute_columns]


def get(k, n, table=T, **how):
    return C.get_row(table, key(k, n), **how)[1]


def tables():
    make(T, versions=3, ttl=86400 * 3, defined_columns=[("d", "DOUBLE"), ("s", "STRING")])
    d = C.describe_table(T)
    equal("key", d.table_meta.schema_of_primary_key, [("k", "STRING"), ("n", "INTEGER")])
    equal("defined columns", [tuple(x) for x in d.table_meta.defined_columns], [("d", "DOUBLE"), ("s", "STRING")])
    equal("options", (d.table_options.time_to_live, d.table_options.max_version), (86400 * 3, 3))
    equal("deviation", d.table_options.max_time_deviation, 86400)
    equal("throughput", d.reserved_throughput_details.capacity_unit.read, 0)
    ok("listed", T in C.list_table())
    C.update_table(T, TableOptions(-1, 5, 86400 * 365))
    equal("updated", (C.describe_table(T).table_options.time_to_live, C.describe_table(T).table_options.max_version), (-1, 5))
    refused("twice", "OTSObjectAlreadyExist", lambda: make(T))
    refused("missing", "OTSObjectNotExist", lambda: C.describe_table("sdk_none"))
    refused("bad name", "OTSParameterInvalid", lambda: make("0bad"))
    refused("five keys", "OTSParameterInvalid", lambda: make("sdk_five", [("k%d" % i, "STRING") for i in range(5)]))
    refused("no versions", "OTSParameterInvalid", lambda: make("sdk_versions", versions=0))
    make("sdk_gone")
    C.delete_table("sdk_gone")
    ok("deleted", "sdk_gone" not in C.list_table())
    refused("deleted twice", "OTSObjectNotExist", lambda: C.delete_table("sdk_gone"))
    make("sdk_binary", [("b", "BINARY"), ("i", "INTEGER")])
    C.put_row("sdk_binary", Row([("b", bytearray(b"\0\xff")), ("i", -1)], [("x", 1)]), ANY)
    equal("binary key", C.get_row("sdk_binary", [("b", bytearray(b"\0\xff")), ("i", -1)])[1].primary_key, [("b", bytearray(b"\0\xff")), ("i", -1)])


def values():
    row = [("bin", bytearray(range(256))), ("double", -1.5e-300), ("empty", ""), ("false", False), ("max", 2**63 - 1), ("min", -2**63),
           ("nul", "a\0b"), ("nothing", bytearray()), ("text", "中文 é 🎉"), ("true", True), ("zero", 0.0)]
    consumed, _ = C.put_row(T, Row(key("values", 1), row), ABSENT)
    ok("write units", consumed.write >= 1)
    equal("every type", attributes(get("values", 1)), sorted(row))
    equal("key only", attributes(get("values", 1, columns_to_get=["k"])), [])
    equal("some columns", attributes(get("values", 1, columns_to_get=["min", "max", "none"])), [("max", 2**63 - 1), ("min", -2**63)])
    equal("no such column", get("values", 1, columns_to_get=["none"]), None)
    equal("slice", [n for n, _ in attributes(get("values", 1, start_column="false", end_column="nul"))], ["false", "max", "min", "nothing"])
    equal("missing row", get("values", 2), None)
    C.put_row(T, Row(key("", -2**63), []), ANY)
    row = get("", -2**63)
    equal("empty key, no columns", (row.primary_key, row.attribute_columns), (key("", -2**63), []))
    C.put_row(T, Row(key("big", 0), [("x", "x" * 2097152)]), ANY)
    equal("longest value", len(attributes(get("big", 0))[0][1]), 2097152)
    refused("too long a value", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("big", 1), [("x", "x" * 2097153)]), ANY))
    refused("too long a key", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("x" * 1025, 1), []), ANY))
    C.put_row(T, Row(key("x" * 1024, 1), []), ANY)
    refused("too many columns", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("many", 1), [("c%d" % i, i) for i in range(1025)]), ANY))
    C.put_row(T, Row(key("many", 1), [("c%d" % i, i) for i in range(1024)]), ANY)
    equal("most columns", len(attributes(get("many", 1))), 1024)
    refused("wrong key name", "OTSInvalidPK", lambda: C.put_row(T, Row([("x", "a"), ("n", 1)], []), ANY))
    refused("wrong key type", "OTSInvalidPK", lambda: C.put_row(T, Row([("k", "a"), ("n", "1")], []), ANY))
    refused("short key", "OTSInvalidPK", lambda: C.put_row(T, Row([("k", "a")], []), ANY))
    refused("NaN", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("nan", 1), [("x", float("nan"))]), ANY))
    refused("a name in characters", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("name", 1), [("é", 1)]), ANY))
    refused("column named as key", "OTSParameterInvalid", lambda: C.put_row(T, Row(key("name", 1), [("k", 1)]), ANY))
    for k in ("big", "many", "values", "x" * 1024, ""):
        C.delete_row(T, Row(key(k, {"big": 0, "": -2**63}.get(k, 1))), ANY)


def versions():
    now = int(time.time() * 1000)
    k = key("versions", 1)
    C.put_row(T, Row(k, [("a", 1, now - 3000), ("b", "x", now - 1)]), ANY)
    C.update_row(T, Row(k, {"put": [("a", 2, now - 2000), ("a", 3, now - 1000)]}), ANY)
    all_versions = [("a", 3, now - 1000), ("a", 2, now - 2000), ("a", 1, now - 3000), ("b", "x", now - 1)]
    equal("all versions", get("versions", 1, max_version=5).attribute_columns, all_versions)
    equal("newest", get("versions", 1).attribute_columns, [all_versions[0], all_versions[3]])
    equal("two", get("versions", 1, max_version=2, columns_to_get=["a"]).attribute_columns, all_versions[:2])
    equal("time range", get("versions", 1, max_version=5, time_range=(now - 2500, now - 500)).attribute_columns, all_versions[:2])
    equal("one instant", get("versions", 1, max_version=None, time_range=now - 2000).attribute_columns, [all_versions[1]])
    C.update_row(T, Row(k, {"delete": [("a", None, now - 2000)]}), ANY)
    equal("one deleted", [v for _, v, _ in get("versions", 1, max_version=5, columns_to_get=["a"]).attribute_columns], [3, 1])
    C.update_row(T, Row(k, {"delete_all": ["a"]}), ANY)
    equal("all deleted", attributes(get("versions", 1, max_version=5)), [("b", "x")])
    C.update_row(T, Row(k, {"delete_all": ["b"]}), ANY)
    row = get("versions", 1)
    equal("a row without columns", row and row.attribute_columns, [])
    C.put_row(T, Row(k, [("a", i, now - 10 + i) for i in range(7)]), ANY)
    equal("no more than the table keeps", [v for _, v in attributes(get("versions", 1, max_version=9))], [6, 5, 4, 3, 2])
    refused("no version condition", "OTSParameterInvalid", lambda: get("versions", 1, max_version=None))
    refused("versions 0", "OTSParameterInvalid", lambda: get("versions", 1, max_version=0))
    refused("version from nowhere", "OTSParameterInvalid", lambda: C.put_row(T, Row(k, [("a", 1, 2**63 - 1)]), ANY))
    C.put_row(T, Row(k, [("z", 1)]), ANY)
    equal("a put replaces the row", attributes(get("versions", 1, max_version=9)), [("z", 1)])


def conditions():
    k = key("conditions", 1)
    refused("update expects", "OTSConditionCheckFail", lambda: C.update_row(T, Row(k, {"put": [("a", 1)]}), THERE))
    refused("delete expects", "OTSConditionCheckFail", lambda: C.delete_row(T, Row(k), THERE))
    C.put_row(T, Row(k, [("a", 5), ("s", "text"), ("v", "7x")]), ABSENT)
    refused("put expects none", "OTSConditionCheckFail", lambda: C.put_row(T, Row(k, [("a", 6)]), ABSENT))
    equal("nothing was written", attributes(get("conditions", 1))[0], ("a", 5))
    one = lambda column, value, op, missing=True: SingleColumnCondition(column, value, op, pass_if_missing=missing)
    table = [("equal", one("a", 5, ComparatorType.EQUAL), True), ("not equal", one("a", 5, ComparatorType.NOT_EQUAL), False),
             ("greater", one("a", 4, ComparatorType.GREATER_THAN), True), ("greater or equal", one("a", 6, ComparatorType.GREATER_EQUAL), False),
             ("less", one("a", 5, ComparatorType.LESS_THAN), False), ("less or equal", one("a", 5, ComparatorType.LESS_EQUAL), True),
             ("other type", one("a", 5.0, ComparatorType.EQUAL), False), ("text", one("s", "text", ComparatorType.EQUAL), True),
             ("missing passes", one("none", 1, ComparatorType.EQUAL), True), ("missing fails", one("none", 1, ComparatorType.EQUAL, False), False)]
    both = CompositeColumnCondition(LogicalOperator.AND)
    both.add_sub_condition(one("a", 5, ComparatorType.EQUAL))
    both.add_sub_condition(one("s", "no", ComparatorType.EQUAL))
    either = CompositeColumnCondition(LogicalOperator.OR)
    either.add_sub_condition(both)
    either.add_sub_condition(one("s", "text", ComparatorType.EQUAL))
    inverse = CompositeColumnCondition(LogicalOperator.NOT)
    inverse.add_sub_condition(either)
    table += [("and", both, False), ("or", either, True), ("not", inverse, False)]
    table += [("regex", SingleColumnRegexCondition("v", ComparatorType.EQUAL, 7, RegexRule("([0-9]+)x", CastType.VT_INTEGER)), True)]
    for name, condition, passes in table:
        equal("filter " + name, get("conditions", 1, column_filter=condition) is not None, passes)
        call = lambda: C.update_row(T, Row(k, {"put": [("hit", name)]}), Condition(RowExistenceExpectation.EXPECT_EXIST, condition))
        if passes:
            call()
            equal("condition " + name, dict(attributes(get("conditions", 1)))["hit"], name)
        else:
            refused("condition " + name, "OTSConditionCheckFail", call)
    equal("a filter sees only what is fetched", get("conditions", 1, columns_to_get=["s"], column_filter=one("a", 6, ComparatorType.EQUAL)) is None, False)
    C.delete_row(T, Row(k), Condition(RowExistenceExpectation.EXPECT_EXIST, one("a", 5, ComparatorType.EQUAL)))
    equal("deleted", get("conditions", 1), None)
    C.delete_row(T, Row(k), ANY)
    wide = CompositeColumnCondition(LogicalOperator.OR)
    for i in range(32):
        wide.add_sub_condition(one("a", i, ComparatorType.EQUAL))
    refused("too many conditions", "OTSParameterInvalid", lambda: get("conditions", 1, column_filter=wide))


def counters():
    k = key("counters", 1)
    C.update_row(T, Row(k, {"increment": [("c", 5)]}), ANY)
    C.update_row(T, Row(k, {"increment": [("c", -7)], "put": [("x", "y")]}), ANY)
    equal("counter", attributes(get("counters", 1)), [("c", -2), ("x", "y")])
    C.update_row(T, Row(k, {"put": [("s", "text"), ("full", 2**63 - 1)]}), ANY)
    refused("of a text", "OTSParameterInvalid", lambda: C.update_row(T, Row(k, {"increment": [("s", 1)]}), ANY))
    refused("overflow", "OTSParameterInvalid", lambda: C.update_row(T, Row(k, {"increment": [("full", 1)]}), ANY))
    refused("nothing to do", ("OTSParameterInvalid", "OTSClientError"), lambda: C.update_row(T, Row(k, {}), ANY))
    meta = TableMeta("sdk_auto", [("k", "STRING"), ("id", "INTEGER", PK_AUTO_INCR)])
    C.create_table(meta, TableOptions(), ReservedThroughput(CapacityUnit(0, 0)))
    ids = []
    for i in range(3):
        _, row = C.put_row("sdk_auto", Row([("k", "a"), ("id", PK_AUTO_INCR)], [("i", i)]), ANY, ReturnType.RT_PK)
        ids.append(row.primary_key[1][1])
    ok("auto-increment rises", ids == sorted(set(ids)) and len(ids) == 3, ids)
    equal("and is found", [attributes(r)[0][1] for r in scan(C, "sdk_auto", ["k", "id"])], [0, 1, 2])
    equal("by its value", attributes(C.get_row("sdk_auto", [("k", "a"), ("id", ids[1])])[1]), [("i", 1)])
    refused("with an expectation", "OTSParameterInvalid", lambda: C.put_row("sdk_auto", Row([("k", "a"), ("id", PK_AUTO_INCR)], []), ABSENT))


def batches():
    request = BatchWriteRowRequest()
    request.add(TableInBatchWriteRowItem(T, [PutRowItem(Row(key("batch", i), [("v", i)]), ANY) for i in range(150)] +
                                         [PutRowItem(Row(key("batch", 0), [("v", -1)]), ANY)]))
    result = C.batch_write_row(request)
    ok("batch written", result.is_all_succeed())
    equal("the same row twice, in order", attributes(get("batch", 0)), [("v", -1)])
    request = BatchWriteRowRequest()
    request.add(TableInBatchWriteRowItem(T, [PutRowItem(Row(key("batch", 1000), [("v", 1)]), THERE), UpdateRowItem(Row(key("batch", 1), {"increment": [("v", 9)]}), THERE),
                                             DeleteRowItem(Row(key("batch", 2)), ANY), PutRowItem(Row([("k", "a")], []), ANY)]))
    request.add(TableInBatchWriteRowItem("sdk_none", [PutRowItem(Row(key("a", 1), []), ANY)]))
    result = C.batch_write_row(request)
    equal("each row's own fate", [x.error_code for x in result.get_put_by_table(T)], ["OTSConditionCheckFail", "OTSInvalidPK"])
    equal("of a missing table", [x.error_code for x in result.get_put_by_table("sdk_none")], ["OTSObjectNotExist"])
    equal("the others are done", (attributes(get("batch", 1)), get("batch", 2)), ([("v", 10)], None))
    get_request = BatchGetRowRequest()
    get_request.add(TableInBatchGetRowItem(T, [key("batch", i) for i in (5, 2, 3)] + [[("k", "a")]], ["v"], max_version=1))
    got = C.batch_get_row(get_request).get_result_by_table(T)
    equal("in order", [r.is_ok and (attributes(r.row) if r.row else None) for r in got], [[("v", 5)], None, [("v", 3)], False])
    equal("a bad key", got[3].error_code, "OTSInvalidPK")
    big = BatchWriteRowRequest()
    big.add(TableInBatchWriteRowItem(T, [PutRowItem(Row(key("batch", i), [("v", i)]), ANY) for i in range(201)]))
    refused("201 rows", "OTSParameterInvalid", lambda: C.batch_write_row(big))
    big = BatchGetRowRequest()
    big.add(TableInBatchGetRowItem(T, [key("batch", i) for i in range(101)], max_version=1))
    refused("101 keys", "OTSParameterInvalid", lambda: C.batch_get_row(big))
    same = BatchWriteRowRequest()
    same.add(TableInBatchWriteRowItem(T, [PutRowItem(Row(key("batch", 7), []), THERE), PutRowItem(Row(key("batch", 7), []), THERE)]))
    refused("a row twice with an expectation", "OTSParameterInvalid", lambda: C.batch_write_row(same))
    large = BatchWriteRowRequest()
    large.add(TableInBatchWriteRowItem(T, [PutRowItem(Row(key("batch", i), [("v", "x" * 1500000)]), ANY) for i in range(3)]))
    refused("more than 4 MiB", "OTSParameterInvalid", lambda: C.batch_write_row(large))


def ranges():
    make("sdk_range")
    for start in range(0, 12000, 200):
        request = BatchWriteRowRequest()
        request.add(TableInBatchWriteRowItem("sdk_range", [PutRowItem(Row(key("k%05d" % (i // 10), i), [("v", i)]), ANY) for i in range(start, start + 200)]))
        C.batch_write_row(request)
    low, high = key(INF_MIN, INF_MIN), key(INF_MAX, INF_MAX)
    _, nxt, rows, _ = C.get_range("sdk_range", Direction.FORWARD, low, high, max_version=1)
    equal("first page", (len(rows), nxt), (5000, key("k00500", 5000)))
    equal("all", [r.primary_key[1][1] for r in scan(C, "sdk_range", ["k", "n"])], list(range(12000)))
    equal("backwards", [r.primary_key[1][1] for r in scan(C, "sdk_range", ["k", "n"], Direction.BACKWARD)], list(range(11999, -1, -1)))
    only = SingleColumnCondition("v", 11999, ComparatorType.EQUAL)
    pages, nxt = [], low
    while nxt:
        _, nxt, rows, _ = C.get_range("sdk_range", Direction.FORWARD, nxt, high, max_version=1, column_filter=only)
        pages.append(len(rows))
    equal("empty pages go on", pages, [0, 0, 1])
    within = C.get_range("sdk_range", Direction.FORWARD, key("k00001", 12), key("k00002", 22), max_version=1)[2]
    equal("begin included, end not", [r.primary_key[1][1] for r in within], list(range(12, 22)))
    _, nxt, rows, _ = C.get_range("sdk_range", Direction.FORWARD, low, high, max_version=1, limit=7)
    equal("limit", (len(rows), nxt), (7, key("k00000", 7)))
    unit = CapacityUnit(0, 0)
    equal("the SDK's iterator", sum(1 for _ in C.xget_range("sdk_range", Direction.FORWARD, low, high, unit, max_version=1, count=6000)), 6000)
    refused("begin behind end", "OTSParameterInvalid", lambda: C.get_range("sdk_range", Direction.FORWARD, high, low, max_version=1))
    refused("limit 0", "OTSParameterInvalid", lambda: C.get_range("sdk_range", Direction.FORWARD, low, high, max_version=1, limit=0))
    refused("short bound", "OTSInvalidPK", lambda: C.get_range("sdk_range", Direction.FORWARD, [("k", "a")], [("k", "b")], max_version=1))


def transactions():
    command("tablestore", "create_table", table="sdk_txn", replace=True, keys=[{"name": "k", "type": "STRING"}, {"name": "n", "type": "INTEGER"}],
            local_txn=True)
    t = C.start_local_transaction("sdk_txn", [("k", "a")])
    C.put_row("sdk_txn", Row(key("a", 1), [("v", 1)]), ANY, transaction_id=t)
    equal("seen inside", attributes(C.get_row("sdk_txn", key("a", 1), transaction_id=t)[1]), [("v", 1)])
    equal("not outside", C.get_row("sdk_txn", key("a", 1))[1], None)
    C.update_row("sdk_txn", Row(key("a", 1), {"put": [("w", 2)]}), ANY, transaction_id=t)
    request = BatchWriteRowRequest()
    request.add(TableInBatchWriteRowItem("sdk_txn", [PutRowItem(Row(key("a", 2), [("v", 2)]), ANY)]))
    request.set_transaction_id(t)
    ok("a batch inside", C.batch_write_row(request).is_all_succeed())
    rows = C.get_range("sdk_txn", Direction.FORWARD, key("a", INF_MIN), key("a", INF_MAX), max_version=1, transaction_id=t)[2]
    equal("scanned inside", [attributes(r) for r in rows], [[("v", 1), ("w", 2)], [("v", 2)]])
    refused("outside the key", "OTSDataOutOfRange", lambda: C.put_row("sdk_txn", Row(key("b", 1), []), ANY, transaction_id=t))
    C.commit_transaction(t)
    equal("committed", [attributes(r) for r in scan(C, "sdk_txn", ["k", "n"])], [[("v", 1), ("w", 2)], [("v", 2)]])
    t = C.start_local_transaction("sdk_txn", [("k", "a")])
    C.delete_row("sdk_txn", Row(key("a", 1)), ANY, transaction_id=t)
    C.abort_transaction(t)
    ok("aborted", C.get_row("sdk_txn", key("a", 1))[1] is not None)
    refused("over", "OTSSessionNotExist", lambda: C.commit_transaction(t))


def errors():
    refused("unknown key", "OTSAuthFailed", lambda: client(key="nobody").list_table())
    refused("wrong secret", "OTSAuthFailed", lambda: client(secret="wrong").list_table())
    refused("unknown instance", "OTSAuthFailed", lambda: client("nowhere").list_table())
    try:
        C.describe_table("sdk_none")
    except OTSServiceError as e:
        equal("status", e.get_http_status(), 404)
        ok("request id", len(e.get_request_id()) > 8, e.get_request_id())
        equal("message", e.get_error_message(), "Requested table does not exist.")
    try:
        C.put_row(T, Row(key("a", 1), []), THERE)
    except OTSServiceError as e:
        equal("403 that is no failed authentication", (e.get_http_status(), e.get_error_code()), (403, "OTSConditionCheckFail"))


for f in (tables, values, versions, conditions, counters, batches, ranges, transactions, errors):
    section(f)
