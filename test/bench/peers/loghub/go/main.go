// LogHub window to MaxCompute with the Go SDKs: a goroutine per shard.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

var project, store = os.Getenv("BENCH_PROJECT"), os.Getenv("BENCH_LOGSTORE")

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get[X any](x X, err error) X {
	must(err)
	return x
}

func copyShard(client sls.ClientInterface, session *tunnel.UploadSession, shard, block int, columns map[string]int) int {
	cursor := get(client.GetCursor(project, store, shard, os.Getenv("BENCH_FROM")))
	end := get(client.GetCursor(project, store, shard, os.Getenv("BENCH_TO")))
	writer := get(session.OpenRecordWriter(block))
	rows := 0
	for cursor != end {
		page, next, err := client.PullLogs(project, store, shard, cursor, end, 1000)
		must(err)
		for _, group := range page.LogGroups {
			for _, log := range group.Logs {
				record := data.NewRecord(len(columns))
				for _, content := range log.Contents {
					if i, ok := columns[content.GetKey()]; ok {
						record[i] = data.String(content.GetValue())
					}
				}
				must(writer.Write(record))
				rows++
			}
		}
		if next == cursor {
			break
		}
		cursor = next
	}
	must(writer.Close())
	return rows
}

func main() {
	start := time.Now()
	id, secret := os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET")
	client := sls.CreateNormalInterface("cn-test.example.com", id, secret, "")
	ins := odps.NewOdps(account.NewAliyunAccount(id, secret), "http://127.0.0.1:"+os.Getenv("MC_MAXCOMPUTE_PORT")+"/api")
	ins.SetDefaultProjectName(os.Getenv("BENCH_ODPS_PROJECT"))
	session := get(tunnel.NewTunnel(ins).CreateUploadSession(os.Getenv("BENCH_ODPS_PROJECT"), os.Getenv("BENCH_ODPS_TABLE"),
		tunnel.SessionCfg.WithSnappyFramedCompressor(), tunnel.SessionCfg.Overwrite()))
	columns := map[string]int{}
	for i, name := range strings.Split(os.Getenv("BENCH_COLUMNS"), ",") {
		columns[name] = i
		if session.Schema().Columns[i].Name != name {
			must(fmt.Errorf("columns differ"))
		}
	}
	shards := get(client.ListShards(project, store))
	counts := make(chan int)
	blocks := make([]int, len(shards))
	for i, s := range shards {
		blocks[i] = i
		go func(shard, block int) { counts <- copyShard(client, session, shard, block, columns) }(s.ShardID, i)
	}
	rows := 0
	for range shards {
		rows += <-counts
	}
	must(session.Commit(blocks))
	fmt.Printf("{\"rows\":%d,\"seconds\":%.3f}\n", rows, time.Since(start).Seconds())
}
