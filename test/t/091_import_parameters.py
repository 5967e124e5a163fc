"""Every parameter of the plugins whose jobs are imported: each one is known, and one that is said to become SQL changes the SQL; no service is asked.

NAMES is a list of its own, taken from the tools' sources and manuals, not from the extension."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import Session, Tap  # noqa: E402

tap = Tap()
ANY = "datasource envType guid endpoint accessId accessKey column"
NAMES = {
    ("reader", "loghub"): ANY + " project logstore topic batchSize beginTimestampMillis endTimestampMillis beginDateTime endDateTime timeformat source shard splitPk securityToken",
    ("reader", "ots"): ANY + " instanceName table range metaMode mode newVersion timeRange maxVersion isTimeseriesTable measurementName timeRangeStart timeRangeEnd maxRetryTime retrySleepInMillisecond"
                       " retrySleepInMillionSecond ioThreadCount maxConnectCount maxConnectionCount socketTimeoutInMillisecond connectTimeoutInMillisecond",
    ("reader", "otsstream"): ANY + " instanceName dataTable statusTable startTimestampMillis endTimestampMillis startTimeString endTimeString isExportSequenceInfo date maxRetries mode threadNum"
                             " enableTableGroupSupport enableSeekIterator isTimeseriesTable confSimplifyEnable",
    ("reader", "oss"): ANY + " encoding bucket object cname successOnNoObject proxyHost proxyPort proxyUsername proxyPassword proxyDomain proxyWorkstation hadoopConfig balanceThreshold fieldDelimiter"
                       " skipHeader compress nullFormat bufferSize csvReaderConfig markDoneFileName markDoingFileName retryTime maxRetryTime retryInterval skipEmptyRecords fileFormat fileAsColumn enableInnerSplit"
                       " hivePartitionColumn lineDelimiter parquetSchema",
    ("reader", "httpfile"): ANY + " fileName requestMethod requestParam requestHeaders connectTimeoutSeconds socketTimeoutSeconds bufferByteSizeInKB fileFormat fieldDelimiter encoding skipHeader compress nullFormat url",
    ("reader", "odps"): ANY + " securityToken project table partition odpsServer tunnelServer splitMode packageAuthorizedProject isCompress maxRetryTime successOnNoPartition preSql postSql where enableWhere accountType",
    ("reader", "mysql"): "datasource envType guid column jdbcUrl username password table mandatoryEncoding where hint splitPk splitMode samplePercentage querySql splitPkSql preSql postSql checkSlave session splitFactor"
                         " dryRun partition connection fetchSize useSpecialSecret",
    ("writer", "odps"): ANY + " odpsServer tunnelServer securityToken project table partition truncate maxRetryTime blockSizeInMB emptyAsNull isCompress preSql postSql consistencyCommit uploadId taskCount supportDynamicPartition"
                        " partitionColumnMapping writeTimeoutInMs overLengthRule maxFieldLength maxOdpsFieldLength enableOverLengthOutput maxOverLengthOutputCount dynamicPartitionMemUsageFlushIntervalInMinute accountType",
    ("writer", "ots"): ANY + " instanceName enableAutoIncrement isTimeseriesTable timeunit table primaryKey writeMode mode newVersion defaultTimestampInMillisecond columnNamePrefixFilter maxRetryTime retrySleepInMillisecond"
                       " batchWriteCount concurrencyWrite ioThreadCount maxConnectCount socketTimeoutInMillisecond connectTimeoutInMillisecond requestTotalSizeLimitation attributeColumnSizeLimitation"
                       " primaryKeyColumnSizeLimitation attributeColumnMaxCount",
    ("writer", "oss"): ANY + " bucket object cname partition encrypt blockSizeInMB proxyHost proxyPort proxyUsername proxyPassword proxyDomain proxyWorkstation hadoopConfig writeSingleObject uploadId path fileName generateEmptyFile"
                       " writeMode fieldDelimiter quoteChar quoteCharacter lineDelimiter csvWriterConfig encoding compress nullFormat format dateFormat fileFormat header maxFileSize commitSize suffix markDoneFileName"
                       " markDoingFileName retryTime maxRetryTime syncMode byteEncoding",
    ("writer", "mysql"): "datasource envType guid column jdbcUrl username password table onConflictColumn writeMode preSql postSql appName batchSize batchByteSize emptyAsNull dbNamePattern dbRule tableNamePattern tableRule dryRun"
                         " connection session updateColumn",
    ("setting", "any"): "errorLimit.record errorLimit.percentage speed.channel speed.concurrent speed.mbps speed.byte speed.throttle speed.record speed.dmu jvmOption executeMode",
}
KEYS = {"accessId": "i", "accessKey": "k"}
READERS = {
    "loghub": dict(KEYS, endpoint="http://h.aliyuncs.com", project="p", logstore="l", column=["a", "b"]),
    "ots": dict(KEYS, endpoint="http://h.aliyuncs.com", instanceName="i", table="t", column=["a", "b"]),
    "otsstream": dict(KEYS, endpoint="http://h.aliyuncs.com", instanceName="i", dataTable="t", column=["a", "b"], mode="single_version_and_update_only"),
    "oss": dict(KEYS, endpoint="http://h.aliyuncs.com", bucket="bucket", object="o", column=[{"index": 0}, {"index": 1}]),
    "httpfile": dict(url="http://h", fileName="o", column=[{"index": 0}, {"index": 1}]),
    "odps": dict(KEYS, odpsServer="http://h.aliyuncs.com", project="p", table="t", column=["a", "b"]),
    "mysql": dict(username="u", password="p", jdbcUrl="jdbc:mysql://h/d", table="t", column=["a", "b"]),
}
WRITERS = {
    "odps": dict(KEYS, odpsServer="http://w.aliyuncs.com", project="p", table="w", column=["a", "b"]),
    "ots": dict(KEYS, endpoint="http://w.aliyuncs.com", instanceName="i", table="w", primaryKey=[{"name": "a"}], column=[{"name": "b"}]),
    "oss": dict(KEYS, endpoint="http://w.aliyuncs.com", bucket="bucket", object="w"),
    "mysql": dict(username="u", password="p", jdbcUrl="jdbc:mysql://w/d", table="w", column=["a", "b"]),
}
# (what is beside the parameter, its value); by default a value of its kind is made up
VALUES = {
    "datasource": "elsewhere", "column": [{"index": 0}, {"index": 2}], "batchSize": 77, "beginDateTime": "20260101000000", "endDateTime": "20260102", "beginTimestampMillis": 1768066200000,
    "endTimestampMillis": 1768066200000, "startTimestampMillis": 1768066200000, "startTimeString": "202601010000", "endTimeString": "202601010000", "date": "20260101", "isExportSequenceInfo": True,
    "mode": "", "maxRetries": 3, "maxRetryTime": 3, "retryTime": 3, "range": {"begin": [{"type": "INT", "value": "5"}]}, "socketTimeoutInMillisecond": 5000, "connectTimeoutInMillisecond": 5000,
    "writeTimeoutInMs": 5000, "connectTimeoutSeconds": 5, "socketTimeoutSeconds": 5, "bufferByteSizeInKB": 2048, "cname": True, "object": "x/*", "fileFormat": "text", "fieldDelimiter": ";", "encoding": "GBK",
    "compress": "gzip", "skipHeader": "true", "nullFormat": "nil", "successOnNoObject": True, "partition": "dt=20260101", "where": "a > 'x'", "fetchSize": 1000, "connection": [{"jdbcUrl": ["jdbc:mysql://other/d"], "table": ["other"]}],
    "jdbcUrl": "jdbc:mysql://other/d", "truncate": True, "emptyAsNull": True, "blockSizeInMB": 5, "primaryKey": [{"name": "a", "type": "int"}], "defaultTimestampInMillisecond": 5, "enableAutoIncrement": True,
    "batchWriteCount": 5, "concurrencyWrite": 5, "writeSingleObject": True, "quoteChar": "'", "quoteCharacter": "'", "dateFormat": "yyyyMMdd", "format": "yyyyMMdd", "header": ["x", "y"], "maxFileSize": 5, "suffix": ".x",
    "generateEmptyFile": True, "preSql": ["delete from w"], "errorLimit.record": 5, "speed.channel": 3, "speed.concurrent": 3, "speed.mbps": 5, "speed.byte": 5000, "schema": "other",
}
SPECIAL = {("reader", "otsstream", "endTimestampMillis"): ({"startTimestampMillis": 1768066100000}, 1768066200000), ("reader", "loghub", "column"): ({}, ["a", "c"]),
           ("reader", "ots", "column"): ({}, ["a", "c"]), ("reader", "otsstream", "column"): ({}, ["a", "c"]), ("reader", "odps", "column"): ({}, ["a", "c"]), ("reader", "mysql", "column"): ({}, ["a", "c"]),
           ("writer", "odps", "column"): ({}, ["a", "c"]), ("writer", "ots", "column"): ({}, [{"name": "c"}]), ("writer", "mysql", "column"): ({}, ["a", "c"]), ("writer", "oss", "writeMode"): ({}, "truncate"),
           ("writer", "ots", "writeMode"): ({}, "UpdateRow"), ("writer", "mysql", "writeMode"): ({}, "replace"), ("reader", "odps", "enableWhere"): ({"where": "a = 'x'"}, False),
           ("setting", "any", "speed.throttle"): ({"speed.mbps": 5}, False), ("reader", "otsstream", "dataTable"): ({}, "other"), ("reader", "otsstream", "table"): ({"dataTable": None}, "other"),
           ("reader", "ots", "mode"): ({}, "multiVersion"), ("writer", "ots", "mode"): ({}, "multiVersion"), ("reader", "otsstream", "isExportSequenceInfo"): ({"column": ["a"]}, "true"),
           ("reader", "httpfile", "endpoint"): ({"url": None}, "http://other"), ("reader", "odps", "endpoint"): ({"odpsServer": None}, "http://other.aliyuncs.com"),
           ("writer", "odps", "endpoint"): ({"odpsServer": None}, "http://other.aliyuncs.com"), ("writer", "oss", "column"): ({}, ["x", "y"])}


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def rows(session, side, plugin, change):
    reader = plugin if side == "reader" else "odps" if plugin in ("oss", "mysql") else "loghub"
    writer = plugin if side == "writer" else "odps" if reader != "odps" else "mysql"
    parameters = {"reader": dict(READERS[reader]), "writer": dict(WRITERS[writer])}
    setting = {}
    for name, value in change.items():
        if side == "setting":
            part = setting
            *outer, name = name.split(".")
            for o in outer:
                part = part.setdefault(o, {})
            part[name] = value
        elif value is None:
            parameters[side].pop(name, None)
        else:
            parameters[side][name] = value
    doc = {"configuration": {"reader": {"plugin": reader, "parameter": parameters["reader"]}, "writer": {"plugin": writer, "parameter": parameters["writer"]}, "setting": setting}}
    out, state = session.try_sql("SELECT json_agg(r) FROM mc.import_datax_job(%s, 'job') r" % quote(json.dumps(doc)))
    if state != "00000":
        return state, [x for x in out if "ERROR" in x]
    return state, json.loads("".join(out))


def statements(found):
    """what the servers are called when they are there no more is a template in the remarks"""
    return [(r["kind"], r["statement"], r["remark"] if r["kind"] in ("server", "user mapping") else None) for r in found if r["kind"] not in ("parameter", "ignored", "unknown")]


def parameter(session, side, plugin, name, kind):
    beside, value = SPECIAL.get((side, plugin, name), ({}, VALUES.get(name, "other")))
    if side == "reader" and plugin == "mysql" and name in ("connection", "jdbcUrl"):
        beside = {"jdbcUrl": None}
    state, without = rows(session, side, plugin, beside if name != "jdbcUrl" else {})
    if state != "00000":
        without = []
    if name == "connection":
        beside = dict(beside, jdbcUrl=None, table=None)
    if name == "datasource":
        beside = dict(beside, **{k: None for k in ("endpoint", "odpsServer", "jdbcUrl", "url")})
    if name == "datasource" and plugin == "mysql":
        state, found = rows(session, side, plugin, dict(beside, datasource=value))
        return state == "22023" and "database" in found[0], (state, found)     # its database is asked for
    state, found = rows(session, side, plugin, dict(beside, **{name: value}))
    if kind == "refused":
        return state == "0A000" and name.split(".")[-1] in found[0], (state, found)
    if state != "00000":
        return False, (state, found)
    there = [r for r in found if r["kind"] == kind and ".%s: " % name in r["remark"]]
    changed = statements(found) != statements(without)
    return bool(there) and changed == (kind == "parameter"), (kind, there, statements(found))


def main():
    session = Session("SET client_min_messages = error; CREATE EXTENSION mc_fdw; SET TimeZone = 'UTC'")
    out = session.sql("SELECT json_agg(c) FROM mc._import_catalog() c")
    catalog = {(c["side"], c["plugin"], c["parameter"]): c["kind"] for c in json.loads("".join(out))}
    for (side, plugin), names in NAMES.items():
        unknown, wrong = [], []
        names = set(names.split()) | {n for s, p, n in catalog if (s, p) == (side, plugin)}
        for name in sorted(names):
            kind = catalog.get((side, plugin, name)) or (catalog.get(("any", "any", name)) if side != "setting" else None)
            if kind is None:
                unknown.append(name)
                continue
            ok, why = parameter(session, side, plugin, name, kind)
            if not ok:
                wrong.append((name, why))
        tap.ok(not unknown, "%s %s: %d parameters, all known" % (plugin, side, len(names)), unknown)
        tap.ok(not wrong, "%s %s: what becomes SQL changes it, what is ignored does not, what is refused says so" % (plugin, side), "\n".join(map(str, wrong)))
    tap.done()


main()
