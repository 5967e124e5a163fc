package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

const logProject = "sdk-go"

// Every API of the emulator's Log Service, called by the unmodified Go SDK.
func emulatorLogHub() {
	c := logClientDefault()
	section("projects", func() { goProjects(c) })
	section("logstores", func() { goLogstores(c) })
	section("index", func() { goIndex(c) })
	section("put and pull", func() { goPutAndPull(c) })
	section("cursors", func() { goCursors(c) })
	section("split and merge", func() { goSplitAndMerge(c) })
	section("queries", func() { goQueries(c) })
	section("consumers", func() { goConsumers(c) })
	section("signatures", goSignatures)
	section("cleanup", func() { goCleanup(c) })
}

func second[A, B any](_ A, b B) B { return b }

func goProjects(c sls.ClientInterface) {
	get(c.CreateProject(logProject, "made by Go"))
	p := get(c.GetProject(logProject))
	equal("project", p.Name+"/"+p.Description+"/"+p.Status, logProject+"/made by Go/Normal")
	get(c.UpdateProject(logProject, "changed"))
	equal("project updated", get(c.GetProject(logProject)).Description, "changed")
	ok("project exists", get(c.CheckProjectExist(logProject)) && !get(c.CheckProjectExist("sdk-none")))
	ok("project listed", strings.Contains(fmt.Sprint(get(c.ListProject())), logProject))
	refused("project twice", "ProjectAlreadyExist", second(c.CreateProject(logProject, "")))
	refused("project missing", "ProjectNotExist", second(c.GetProject("sdk-none")))
}

func goLogstores(c sls.ClientInterface) {
	must(c.CreateLogStoreV2(logProject, &sls.LogStore{Name: "app", TTL: 7, ShardCount: 2, AppendMeta: true}))
	must(c.CreateLogStore(logProject, "other", 30, 1, true, 8))
	s := get(c.GetLogStore(logProject, "app"))
	equal("logstore", fmt.Sprint(s.TTL, s.ShardCount, s.AppendMeta), "7 2 true")
	s = get(c.GetLogStore(logProject, "other"))
	equal("logstore auto split", fmt.Sprint(s.AutoSplit, s.MaxSplitShard), "true 8")
	must(c.UpdateLogStore(logProject, "other", 60, 1))
	equal("logstore updated", get(c.GetLogStore(logProject, "other")).TTL, 60)
	equal("logstores listed", get(c.ListLogStore(logProject)), "[app other]")
	equal("logstores paged", get(c.ListLogStoreV2(logProject, 1, 1, "")), "[other]")
	ok("logstore exists", get(c.CheckLogstoreExist(logProject, "app")) && !get(c.CheckLogstoreExist(logProject, "none")))
	refused("logstore twice", "LogStoreAlreadyExist", c.CreateLogStore(logProject, "app", 1, 1, false, 1))
	refused("logstore missing", "LogStoreNotExist", second(c.GetLogStore(logProject, "none")))
	must(c.DeleteLogStore(logProject, "other"))
	equal("logstore deleted", get(c.ListLogStore(logProject)), "[app]")
}

func goIndex(c sls.ClientInterface) {
	refused("index missing", "IndexConfigNotExist", second(c.GetIndex(logProject, "app")))
	index := sls.Index{Line: &sls.IndexLine{Token: []string{" ", ","}}, Keys: map[string]sls.IndexKey{
		"status": {Type: "long", DocValue: true}, "uri": {Type: "text", Token: []string{"/"}, DocValue: true}}}
	must(c.CreateIndex(logProject, "app", index))
	got := get(c.GetIndex(logProject, "app"))
	equal("index", words(got.Line.Token, len(got.Keys), got.Keys["status"].Type, got.Keys["uri"].Token), "[  ,] 2 long [/]")
	refused("index twice", "IndexAlreadyExist", c.CreateIndex(logProject, "app", index))
	delete(index.Keys, "uri")
	must(c.UpdateIndex(logProject, "app", index))
	equal("index updated", len(get(c.GetIndex(logProject, "app")).Keys), 1)
}

func testGroup(tag string, n int, at int64) *sls.LogGroup {
	g := &sls.LogGroup{Topic: text("topic-" + tag), Source: text("10.1.1.1"), LogTags: []*sls.LogTag{{Key: text("env"), Value: text(tag)}}}
	for i := 0; i < n; i++ {
		log := &sls.Log{Time: number(uint32(at)), TimeNs: number(uint32(i))}
		for _, kv := range [][2]string{{"from", tag}, {"n", fmt.Sprint(i)}, {"status", fmt.Sprint(200 + i)}, {"text", "中文 é 🎉"}} {
			log.Contents = append(log.Contents, &sls.LogContent{Key: text(kv[0]), Value: text(kv[1])})
		}
		g.Logs = append(g.Logs, log)
	}
	return g
}

func sizes(groups []*sls.LogGroup) string {
	var s []string
	for _, g := range groups {
		s = append(s, fmt.Sprintf("%s=%d", deref(g.LogTags[0].Value), len(g.Logs)))
	}
	sort.Strings(s)
	return strings.Join(s, " ")
}

func goPutAndPull(c sls.ClientInterface) {
	now := time.Now().Unix()
	must(c.CreateLogStore(logProject, "data", 7, 2, false, 2))
	must(c.PutLogs(logProject, "data", testGroup("default", 2, now)))
	must(c.PutLogsWithCompressType(logProject, "data", testGroup("lz4", 3, now), sls.Compress_LZ4))
	must(c.PutLogsWithCompressType(logProject, "data", testGroup("zstd", 4, now), sls.Compress_ZSTD))
	must(c.PutLogsWithCompressType(logProject, "data", testGroup("plain", 5, now), sls.Compress_None))
	must(c.PostLogStoreLogs(logProject, "data", testGroup("key", 6, now), text("f0000000000000000000000000000000")))
	must(c.PostLogStoreLogsV2(logProject, "data", &sls.PostLogStoreLogsRequest{LogGroup: testGroup("v2", 7, now), CompressType: sls.Compress_ZSTD}))
	all := "default=2 key=6 lz4=3 plain=5 v2=7 zstd=4"
	for _, compress := range []int{sls.Compress_LZ4, sls.Compress_ZSTD} {
		for _, count := range []int{1, 2, 1000} {
			equal(fmt.Sprintf("pull, compression %d, count %d", compress, count), sizes(everything(c, logProject, "data", count, compress)), all)
		}
	}
	for _, g := range readShard(c, logProject, "data", 1, 1000, 0) {
		if deref(g.LogTags[0].Value) == "key" {
			equal("topic, source, nanoseconds, contents", fmt.Sprint(deref(g.Topic), deref(g.Source), g.Logs[5].GetTimeNs(), deref(g.Logs[2].Contents[3].Value)),
				fmt.Sprint("topic-key", "10.1.1.1", uint32(5), "中文 é 🎉"))
		}
	}
	refused("put to a missing logstore", "LogStoreNotExist", c.PutLogs(logProject, "none", testGroup("x", 1, now)))
	refused("time out of range", "PostBodyInvalid|InvalidTimestamp", c.PutLogs(logProject, "data", testGroup("old", 1, now-30*86400)))
	equal("nothing of refused requests is stored", len(everything(c, logProject, "data", 1000, 0)), 6)
}

func goCursors(c sls.ClientInterface) {
	now := time.Now().Unix()
	begin, end := get(c.GetCursor(logProject, "data", 1, "begin")), get(c.GetCursor(logProject, "data", 1, "end"))
	ok("begin differs from end", begin != end)
	equal("cursor of the past is begin", get(c.GetCursor(logProject, "data", 1, fmt.Sprint(now-3600))), begin)
	equal("cursor of the future is end", get(c.GetCursor(logProject, "data", 1, fmt.Sprint(now+3600))), end)
	at := get(c.GetCursorTime(logProject, "data", 1, begin)).Unix()
	ok("cursor time", at > now-120 && at <= now+1, at)
	list, next, err := c.PullLogs(logProject, "data", 1, end, "", 1000)
	must(err)
	equal("pull at the end", fmt.Sprint(len(list.LogGroups), next), fmt.Sprint(0, end))
	list, next, err = c.PullLogs(logProject, "data", 1, begin, begin, 1000)
	must(err)
	equal("pull of an empty range", fmt.Sprint(len(list.LogGroups), next), fmt.Sprint(0, begin))
	_, _, err = c.PullLogs(logProject, "data", 1, "not a cursor", "", 1000)
	refused("bad cursor", "InvalidCursor|ParameterInvalid", err)
	refused("missing shard", "ShardNotExist", second(c.GetCursor(logProject, "data", 99, "begin")))
	_, meta, err := c.PullLogsWithQuery(&sls.PullLogRequest{Project: logProject, Logstore: "data", ShardID: 1, Cursor: begin, LogGroupMaxCount: 1})
	must(err)
	ok("meta of a page", meta.NextCursor != begin && meta.Count == 1, meta)
}

func states(shards []*sls.Shard) string {
	var s []string
	for _, x := range shards {
		s = append(s, fmt.Sprintf("%d=%s", x.ShardID, x.Status))
	}
	return strings.Join(s, " ")
}

func goSplitAndMerge(c sls.ClientInterface) {
	must(c.CreateLogStore(logProject, "splits", 7, 2, false, 2))
	first := get(c.ListShards(logProject, "splits"))[0]
	equal("shard keys", first.InclusiveBeginKey+"-"+first.ExclusiveBeginKey, "00000000000000000000000000000000-80000000000000000000000000000000")
	get(c.SplitShard(logProject, "splits", 0, "40000000000000000000000000000000"))
	equal("after the split", states(get(c.ListShards(logProject, "splits"))), "0=readonly 1=readwrite 2=readwrite 3=readwrite")
	must(c.PostLogStoreLogs(logProject, "splits", testGroup("child", 3, time.Now().Unix()), text("10000000000000000000000000000000")))
	equal("new data goes to the child", sizes(readShard(c, logProject, "splits", 2, 1000, 0)), "child=3")
	get(c.MergeShards(logProject, "splits", 2))
	equal("after the merge", states(get(c.ListShards(logProject, "splits"))), "0=readonly 1=readwrite 2=readonly 3=readonly 4=readwrite")
	get(c.SplitNumShard(logProject, "splits", 1, 3))
	equal("after a split in three", len(get(c.ListShards(logProject, "splits"))), 8)
	refused("split of a read-only shard", "ParameterInvalid", second(c.SplitShard(logProject, "splits", 0, "20000000000000000000000000000000")))
}

func goQueries(c sls.ClientInterface) {
	now := time.Now().Unix()
	must(c.PutLogs(logProject, "app", testGroup("search", 7, now)))
	r := get(c.GetLogs(logProject, "app", "", now-600, now+600, "from: search", 5, 0, false))
	equal("query", fmt.Sprint(r.IsComplete(), r.Count, len(r.Logs)), "true 5 5")
	equal("query, second page", get(c.GetLogs(logProject, "app", "", now-600, now+600, "from: search", 5, 5, false)).Count, 2)
	v3 := get(c.GetLogsV3(logProject, "app", &sls.GetLogRequest{From: now - 600, To: now + 600, Query: "status: 203", Lines: 100}))
	equal("query by field, V3", words(v3.IsComplete(), len(v3.Logs), v3.Logs[0]["n"], v3.Logs[0]["__source__"]), "true 1 3 10.1.1.1")
	h := get(c.GetHistograms(logProject, "app", "", now-600, now+600, "from: search"))
	sum := int64(0)
	for _, x := range h.Histograms {
		sum += x.Count
	}
	equal("histogram", fmt.Sprint(h.IsComplete(), h.Count, sum), "true 7 7")
	refused("query without index", "IndexConfigNotExist", second(c.GetLogs(logProject, "data", "", now-600, now, "*", 5, 0, false)))
}

func goConsumers(c sls.ClientInterface) {
	group := sls.ConsumerGroup{ConsumerGroupName: "readers", Timeout: 30, InOrder: true}
	must(c.CreateConsumerGroup(logProject, "data", group))
	refused("consumer group twice", "ConsumerGroupAlreadyExist", c.CreateConsumerGroup(logProject, "data", group))
	equal("consumer groups listed", *get(c.ListConsumerGroup(logProject, "data"))[0], group)
	group.Timeout, group.InOrder = 60, false
	must(c.UpdateConsumerGroup(logProject, "data", group))
	equal("consumer group updated", *get(c.ListConsumerGroup(logProject, "data"))[0], group)
	held := get(c.HeartBeat(logProject, "data", "readers", "one", []int{}))
	sort.Ints(held)
	equal("first heartbeat gets every shard", held, "[0 1]")
	cursor := get(c.GetCursor(logProject, "data", 0, "end"))
	must(c.UpdateCheckpoint(logProject, "data", "readers", "one", 0, cursor, false))
	for _, p := range get(c.GetCheckpoint(logProject, "data", "readers")) {
		if p.ShardID == 0 {
			equal("checkpoint", p.CheckPoint+"/"+p.Consumer, cursor+"/one")
			ok("checkpoint time in microseconds", p.UpdateTime/1000000 > time.Now().Unix()-60, p.UpdateTime)
		}
	}
	refused("unforced checkpoint of a stranger", "ConsumerNotExist", c.UpdateCheckpoint(logProject, "data", "readers", "nobody", 0, cursor, false))
	refused("checkpoint of a missing group", "ConsumerGroupNotExist", second(c.GetCheckpoint(logProject, "data", "none")))
	must(c.DeleteConsumerGroup(logProject, "data", "readers"))
	equal("consumer group deleted", len(get(c.ListConsumerGroup(logProject, "data"))), 0)
}

func goSignatures() {
	d := logClientDefault().(*sls.Client)
	for _, region := range []string{"", "cn-hangzhou"} {
		v := map[string]string{"": "V1", "cn-hangzhou": "V4"}[region]
		refused(v+", wrong secret", "SignatureNotMatch", second(logClient(d.AccessKeyID, "wrong", "", region).GetProject(logProject)))
		refused(v+", unknown key", "Unauthorized", second(logClient("nobody", d.AccessKeySecret, "", region).GetProject(logProject)))
		refused(v+", STS without token", "Unauthorized", second(logClient("sts-id", "sts-secret", "", region).GetProject(logProject)))
		equal(v+" with STS", get(logClient("sts-id", "sts-secret", "sts-token", region).GetProject(logProject)).Description, "changed")
		c := logClient(d.AccessKeyID, d.AccessKeySecret, "", region)
		must(c.PutLogs(logProject, "app", testGroup(v, 2, time.Now().Unix())))
		ok(v+" puts and pulls", strings.Contains(sizes(everything(c, logProject, "app", 1000, 0)), v+"=2"))
		now := time.Now().Unix()
		equal(v+" with every kind of character", get(c.GetLogs(logProject, "app", "a b&c=+/é%41", now-60, now+60, "*", 5, 0, false)).Count, 0)
	}
}

func goCleanup(c sls.ClientInterface) {
	must(c.DeleteIndex(logProject, "app"))
	refused("index deleted", "IndexConfigNotExist", second(c.GetIndex(logProject, "app")))
	for _, s := range get(c.ListLogStore(logProject)) {
		must(c.DeleteLogStore(logProject, s))
	}
	must(c.DeleteProject(logProject))
	refused("project deleted", "ProjectNotExist", second(c.GetProject(logProject)))
}
