package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

func logClient(id, secret, token, region string) sls.ClientInterface {
	c := sls.CreateNormalInterface("cn-test.example.com", id, secret, token)
	if region != "" {
		c.SetAuthVersion(sls.AuthV4)
		c.SetRegion(region)
	}
	return c
}

func logClientDefault() sls.ClientInterface {
	return logClient(os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"), "", "")
}

func text(s string) *string { return &s }

func number(n uint32) *uint32 { return &n }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Log groups of a shard from begin to end, by cursors
func readShard(c sls.ClientInterface, project, store string, shard, count, compress int) []*sls.LogGroup {
	var groups []*sls.LogGroup
	cursor := get(c.GetCursor(project, store, shard, "begin"))
	end := get(c.GetCursor(project, store, shard, "end"))
	for cursor != end {
		page, next, err := c.PullLogsV2(&sls.PullLogRequest{Project: project, Logstore: store, ShardID: shard, Cursor: cursor,
			EndCursor: end, LogGroupMaxCount: count, CompressType: compress})
		must(err)
		groups = append(groups, page.LogGroups...)
		if next == cursor {
			break
		}
		cursor = next
	}
	return groups
}

func everything(c sls.ClientInterface, project, store string, count, compress int) []*sls.LogGroup {
	var groups []*sls.LogGroup
	for _, s := range get(c.ListShards(project, store)) {
		groups = append(groups, readShard(c, project, store, s.ShardID, count, compress)...)
	}
	return groups
}

type logLine struct {
	Time     uint32      `json:"time"`
	Ns       uint32      `json:"ns"`
	Contents [][2]string `json:"contents"`
}

type groupLine struct {
	Topic    string      `json:"topic"`
	Source   string      `json:"source"`
	Tags     [][2]string `json:"tags"`
	Compress string      `json:"compress,omitempty"`
	Logs     []logLine   `json:"logs,omitempty"`
}

func put(project, store string) {
	c := logClientDefault()
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var line groupLine
		if err := in.Decode(&line); err == io.EOF {
			return
		} else {
			must(err)
		}
		group := &sls.LogGroup{Topic: text(line.Topic), Source: text(line.Source)}
		for _, t := range line.Tags {
			group.LogTags = append(group.LogTags, &sls.LogTag{Key: text(t[0]), Value: text(t[1])})
		}
		for _, l := range line.Logs {
			log := &sls.Log{Time: number(l.Time), TimeNs: number(l.Ns)}
			for _, kv := range l.Contents {
				log.Contents = append(log.Contents, &sls.LogContent{Key: text(kv[0]), Value: text(kv[1])})
			}
			group.Logs = append(group.Logs, log)
		}
		compress := map[string]int{"lz4": sls.Compress_LZ4, "zstd": sls.Compress_ZSTD, "plain": sls.Compress_None}[line.Compress]
		must(c.PutLogsWithCompressType(project, store, group, compress))
	}
}

func pull(project, store string) {
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	for _, g := range everything(logClientDefault(), project, store, 1000, sls.Compress_LZ4) {
		line := struct {
			groupLine
			logLine
		}{groupLine{Topic: deref(g.Topic), Source: deref(g.Source), Tags: [][2]string{}}, logLine{}}
		for _, t := range g.LogTags {
			line.Tags = append(line.Tags, [2]string{deref(t.Key), deref(t.Value)})
		}
		for _, l := range g.Logs {
			line.Time, line.Ns, line.Contents = l.GetTime(), l.GetTimeNs(), [][2]string{}
			for _, kv := range l.Contents {
				line.Contents = append(line.Contents, [2]string{deref(kv.Key), deref(kv.Value)})
			}
			must(enc.Encode(line))
		}
	}
	must(out.Flush())
}
