#!/usr/bin/env python3
"""Every API of the emulator's Log Service, called by the unmodified Python SDK."""
import time

from aliyun.log import GetHistogramsRequest, GetLogsRequest, IndexConfig, IndexKeyConfig, IndexLineConfig, LogItem
from aliyun.log import PutLogsRequest
from aliyun.log.auth import AUTH_VERSION_4

from checks import equal, ok, refused, section
from loghub_client import client, read_shard, shards

P = "sdk-python"
C = client()


def project():
    C.create_project(P, "made by Python")
    p = C.get_project(P)
    equal("project name", p.get_projectname(), P)
    equal("project description", p.get_description(), "made by Python")
    equal("project status", p.get_status(), "Normal")
    C.update_project(P, "changed")
    equal("project updated", C.get_project(P).get_description(), "changed")
    ok("project listed", P in [x["projectName"] for x in C.list_project().get_projects()])
    equal("project found by name", [x["projectName"] for x in C.list_project(project_name_pattern=P).get_projects()], [P])
    refused("project twice", "ProjectAlreadyExist", lambda: C.create_project(P, ""))
    refused("project missing", "ProjectNotExist", lambda: C.get_project("sdk-none"))


def logstores():
    C.create_logstore(P, "app", ttl=7, shard_count=2, append_meta=True)
    C.create_logstore(P, "other", ttl=30, shard_count=1, auto_split=True, max_split_shard=8)
    s = C.get_logstore(P, "app")
    equal("logstore", (s.get_ttl(), s.get_shard_count(), s.append_meta), (7, 2, True))
    s = C.get_logstore(P, "other")
    equal("logstore auto split", (s.auto_split, s.max_split_shard), (True, 8))
    C.update_logstore(P, "other", ttl=60)
    equal("logstore updated", C.get_logstore(P, "other").get_ttl(), 60)
    equal("logstores listed", C.list_logstore(P).get_logstores(), ["app", "other"])
    equal("logstores by pattern", C.list_logstore(P, "oth").get_logstores(), ["other"])
    page = C.list_logstore(P, offset=1, size=1)
    equal("logstores paged", (page.get_logstores(), page.get_count(), page.get_total()), (["other"], 1, 2))
    refused("logstore twice", "LogStoreAlreadyExist", lambda: C.create_logstore(P, "app", 1, 1))
    refused("logstore missing", "LogStoreNotExist", lambda: C.get_logstore(P, "none"))
    C.delete_logstore(P, "other")
    equal("logstore deleted", C.list_logstore(P).get_logstores(), ["app"])
    refused("logstore deleted twice", "LogStoreNotExist", lambda: C.delete_logstore(P, "other"))


def index():
    refused("index missing", "IndexConfigNotExist", lambda: C.get_index_config(P, "app"))
    line = IndexLineConfig([" ", ",", "'"])
    config = IndexConfig(7, line, {"status": IndexKeyConfig(index_type="long", doc_value=True),
                                   "uri": IndexKeyConfig(token_list=["/", " "], index_type="text", doc_value=True)})
    C.create_index(P, "app", config)
    got = C.get_index_config(P, "app").get_index_config()
    equal("index line", got.line_config.token_list, [" ", ",", "'"])
    equal("index keys", {k: v.index_type for k, v in got.key_config_list.items()}, {"status": "long", "uri": "text"})
    refused("index twice", "IndexAlreadyExist", lambda: C.create_index(P, "app", config))
    config.key_config_list["cost"] = IndexKeyConfig(index_type="double", doc_value=True)
    C.update_index(P, "app", config)
    equal("index updated", sorted(C.get_index_config(P, "app").get_index_config().key_config_list), ["cost", "status", "uri"])


def items(tag, n, at=None):
    at = at or int(time.time())
    out = []
    for i in range(n):
        item = LogItem(at, [("from", tag), ("n", str(i)), ("status", str(200 + i)), ("uri", "/a/%d" % i), ("text", "中文 é 🎉")])
        item.set_time_nano_part(i)
        out.append(item)
    return out


def put(store, tag, n, **more):
    C.put_logs(PutLogsRequest(P, store, "topic-" + tag, "10.1.1.1", items(tag, n), logtags=[("env", tag)], **more))


def everything(store, **how):
    return [g for s in shards(C, P, store) for g in read_shard(C, P, store, s, **how)]


def put_and_pull():
    C.create_logstore(P, "data", ttl=7, shard_count=2)
    put("data", "lz4", 3)
    put("data", "zstd", 4, compress_type="zstd")
    put("data", "plain", 5, compress=False)
    put("data", "key", 6, hashKey="f0000000000000000000000000000000")
    groups = {g.LogTags[0].Value: g for g in everything("data")}
    equal("put lz4, zstd, plain, by key", {k: len(g.Logs) for k, g in groups.items()}, {"lz4": 3, "zstd": 4, "plain": 5, "key": 6})
    g = groups["zstd"]
    equal("topic and source", (g.Topic, g.Source), ("topic-zstd", "10.1.1.1"))
    equal("nanoseconds", [x.Time_ns for x in g.Logs], [0, 1, 2, 3])
    equal("contents", [(c.Key, c.Value) for c in g.Logs[2].Contents], items("zstd", 4)[2].get_contents())
    equal("key decides the shard", [g.LogTags[0].Value for g in read_shard(C, P, "data", 1) if g.LogTags[0].Value == "key"], ["key"])
    for how in ({"compress": False}, {"accept_compress_type": "zstd"}, {"accept_compress_type": "lz4"}, {"count": 1}):
        equal("pull %s" % how, sorted(len(g.Logs) for g in everything("data", **how)), [3, 4, 5, 6])
    refused("put to a missing logstore", "LogStoreNotExist", lambda: put("none", "x", 1))
    refused("time out of range", ("PostBodyInvalid", "InvalidTimestamp"), lambda: C.put_logs(PutLogsRequest(
        P, "data", "", "", items("old", 1, int(time.time()) - 30 * 86400))))
    refused("key too long", "InvalidKey", lambda: C.put_logs(PutLogsRequest(P, "data", "", "", [LogItem(contents=[("k" * 129, "v")])])))
    equal("nothing of refused requests is stored", len(everything("data")), 4)


def cursors():
    begin = C.get_begin_cursor(P, "data", 1).get_cursor()
    end = C.get_end_cursor(P, "data", 1).get_cursor()
    ok("begin differs from end", begin != end)
    now = int(time.time())
    equal("cursor of the past is begin", C.get_cursor(P, "data", 1, now - 3600).get_cursor(), begin)
    equal("cursor of the future is end", C.get_cursor(P, "data", 1, now + 3600).get_cursor(), end)
    ok("cursor time", abs(C.get_cursor_time(P, "data", 1, begin).get_cursor_time() - now) <= 60)
    ok("previous cursor time", abs(C.get_previous_cursor_time(P, "data", 1, end).get_cursor_time() - now) <= 60)
    page = C.pull_logs(P, "data", 1, end)
    equal("pull at the end", (page.get_loggroup_count(), page.get_next_cursor()), (0, end))
    page = C.pull_logs(P, "data", 1, begin, end_cursor=begin)
    equal("pull of an empty range", (page.get_loggroup_count(), page.get_next_cursor()), (0, begin))
    equal("pull_log ends at its end cursor", sum(r.get_loggroup_count() for s in (0, 1) for r in C.pull_log(P, "data", s, now - 3600, now + 3600)), 4)
    refused("bad cursor", ("InvalidCursor", "ParameterInvalid"), lambda: C.pull_logs(P, "data", 1, "not a cursor"))
    refused("cursor of a missing shard", "ShardNotExist", lambda: C.get_begin_cursor(P, "data", 99))
    refused("count too large", "ParameterInvalid", lambda: C.pull_logs(P, "data", 1, begin, count=1001))


def split_and_merge():
    C.create_logstore(P, "splits", ttl=7, shard_count=2)
    first = C.list_shards(P, "splits").get_shards_info()
    equal("shards", [(s["shardID"], s["status"]) for s in first], [(0, "readwrite"), (1, "readwrite")])
    equal("key ranges meet", first[0]["exclusiveEndKey"], first[1]["inclusiveBeginKey"])
    put("splits", "before", 2, hashKey="10" + "0" * 30)
    C.split_shard(P, "splits", 0, "40" + "0" * 30)
    state = {s["shardID"]: s["status"] for s in C.list_shards(P, "splits").get_shards_info()}
    equal("after the split", state, {0: "readonly", 1: "readwrite", 2: "readwrite", 3: "readwrite"})
    put("splits", "after", 3, hashKey="10" + "0" * 30)
    equal("split moves no data", [g.LogTags[0].Value for g in read_shard(C, P, "splits", 0)], ["before"])
    equal("new data goes to the child", [g.LogTags[0].Value for g in read_shard(C, P, "splits", 2)], ["after"])
    C.merge_shard(P, "splits", 2)
    state = {s["shardID"]: s["status"] for s in C.list_shards(P, "splits").get_shards_info()}
    equal("after the merge", state, {0: "readonly", 1: "readwrite", 2: "readonly", 3: "readonly", 4: "readwrite"})
    refused("split of a read-only shard", "ParameterInvalid", lambda: C.split_shard(P, "splits", 0, "20" + "0" * 30))
    refused("merge of the last shard", "ParameterInvalid", lambda: C.merge_shard(P, "splits", 1))
    refused("split at a key outside", "ParameterInvalid", lambda: C.split_shard(P, "splits", 1, "10" + "0" * 30))
    C.delete_shard(P, "splits", 0)
    ok("read-only shard deleted", 0 not in shards(C, P, "splits"))


def queries():
    put("app", "search", 7)
    now = int(time.time())
    answer = C.get_log(P, "app", now - 600, now + 600, query="from: search", size=5)
    ok("query complete", answer.is_completed())
    equal("query limited to a page", answer.get_count(), 5)
    rest = C.get_log(P, "app", now - 600, now + 600, query="from: search", size=5, offset=5)
    equal("query, second page", rest.get_count(), 2)
    contents = sorted(x.get_contents()["n"] for x in answer.get_logs() + rest.get_logs())
    equal("query finds every log once", contents, [str(i) for i in range(7)])
    one = C.get_logs(GetLogsRequest(P, "app", now - 600, now + 600, "topic-search", "status: 203"))
    equal("query by field", [x.get_contents()["n"] for x in one.get_logs()], ["3"])
    equal("query source", one.get_logs()[0].get_source(), "10.1.1.1")
    everything_ = [x for r in C.get_log_all(P, "app", now - 600, now + 600) for x in r.get_logs()]
    equal("get_log_all", len(everything_), 7)
    h = C.get_histograms(GetHistogramsRequest(P, "app", now - 600, now + 600, "", "from: search"))
    equal("histogram total", (h.get_total_count(), h.is_completed()), (7, True))
    equal("histogram sum", sum(x.get_count() for x in h.get_histograms()), 7)
    equal("histogram covers the range", (h.get_histograms()[0].get_from(), h.get_histograms()[-1].get_to()), (now - 600, now + 600))
    refused("query without index", "IndexConfigNotExist", lambda: C.get_log(P, "data", now - 600, now))


def consumers():
    g = "readers"
    C.create_consumer_group(P, "data", g, 30, True)
    refused("consumer group twice", "ConsumerGroupAlreadyExist", lambda: C.create_consumer_group(P, "data", g, 30))
    equal("consumer groups listed", [(x.get_consumer_group_name(), x.get_timeout(), x.is_in_order())
                                     for x in C.list_consumer_group(P, "data").get_consumer_groups()], [(g, 30, True)])
    C.update_consumer_group(P, "data", g, timeout=60, in_order=False)
    equal("consumer group updated", [(x.get_timeout(), x.is_in_order()) for x in C.list_consumer_group(P, "data").get_consumer_groups()], [(60, False)])
    held = C.heart_beat(P, "data", g, "one", []).get_shards()
    equal("first heartbeat gets every shard", sorted(held), [0, 1])
    equal("heartbeat keeps them", sorted(C.heart_beat(P, "data", g, "one", held).get_shards()), [0, 1])
    C.heart_beat(P, "data", g, "two", [])
    left = C.heart_beat(P, "data", g, "one", held).get_shards()
    C.heart_beat(P, "data", g, "one", left)
    equal("two consumers share", sorted(left + C.heart_beat(P, "data", g, "two", []).get_shards()), [0, 1])
    cursor = C.get_end_cursor(P, "data", 0).get_cursor()
    C.update_check_point(P, "data", g, 0, cursor, "one", True)
    points = {p["shard"]: p for p in C.get_check_point(P, "data", g).get_consumer_group_check_points()}
    equal("checkpoint", (points[0]["checkpoint"], points[0]["consumer"]), (cursor, "one"))
    ok("checkpoint time in microseconds", abs(points[0]["updateTime"] / 1e6 - time.time()) < 60)
    equal("checkpoint of one shard", [p["shard"] for p in C.get_check_point(P, "data", g, 0).get_consumer_group_check_points()], [0])
    refused("checkpoint that is no cursor", "InvalidShardCheckPoint", lambda: C.update_check_point(P, "data", g, 0, "?!", "one"))
    refused("unforced checkpoint of a stranger", "ConsumerNotExist", lambda: C.update_check_point(P, "data", g, 0, cursor, "nobody", False))
    refused("checkpoint of a missing group", "ConsumerGroupNotExist", lambda: C.get_check_point(P, "data", "none"))
    C.delete_consumer_group(P, "data", g)
    equal("consumer group deleted", C.list_consumer_group(P, "data").get_consumer_groups(), [])


def signatures():
    refused("wrong secret", "SignatureNotMatch", lambda: client(secret="wrong").get_project(P))
    refused("unknown key", "Unauthorized", lambda: client("nobody").get_project(P))
    sts = {"key": "sts-id", "secret": "sts-secret"}
    refused("STS without token", "Unauthorized", lambda: client(**sts).get_project(P))
    refused("STS with another token", "Unauthorized", lambda: client(securityToken="other", **sts).get_project(P))
    for version in ({}, {"auth_version": AUTH_VERSION_4, "region": "cn-hangzhou"}):
        name = "V4" if version else "V1"
        equal(name + " with STS", client(securityToken="sts-token", **dict(sts, **version)).get_project(P).get_projectname(), P)
        c = client(**version)
        c.put_logs(PutLogsRequest(P, "app", "t", "s", items(name, 2)))
        equal(name + " pull", sum(len(g.Logs) for s in (0, 1) for g in read_shard(c, P, "app", s) if g.Logs[0].Contents[0].Value == name), 2)
        equal(name + " with every kind of character", c.list_logstore(P, "a p&p=+/é").get_logstores(), [])
    refused("V4, wrong secret", "SignatureNotMatch", lambda: client(secret="wrong", auth_version=AUTH_VERSION_4, region="cn-hangzhou").get_project(P))


def receive_meta():
    tags = {t.Key: t.Value for g in everything("app") for t in g.LogTags}
    ok("appendMeta adds the receive time", abs(int(tags["__receive_time__"]) - time.time()) < 120, tags)
    ok("appendMeta adds the client's address", "__client_ip__" in tags, tags)


def cleanup():
    C.delete_index(P, "app")
    refused("index deleted", "IndexConfigNotExist", lambda: C.get_index_config(P, "app"))
    for store in C.list_logstore(P).get_logstores():
        C.delete_logstore(P, store)
    C.delete_project(P)
    refused("project deleted", "ProjectNotExist", lambda: C.get_project(P))


for f in (project, logstores, index, put_and_pull, cursors, split_and_merge, queries, consumers, signatures, receive_meta, cleanup):
    section(f)
