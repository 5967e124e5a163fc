// Scan a Tablestore table split by split, or fill it with BatchWriteRow, eight at a time.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
)

const threads = 8

var table = os.Getenv("BENCH_OTS_TABLE")

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func readSplit(client *tablestore.TableStoreClient, from, to *tablestore.PrimaryKey) int64 {
	var rows, cells int64
	for from != nil {
		page, err := client.GetRange(&tablestore.GetRangeRequest{RangeRowQueryCriteria: &tablestore.RangeRowQueryCriteria{
			TableName: table, StartPrimaryKey: from, EndPrimaryKey: to, Direction: tablestore.FORWARD, MaxVersion: 1, Limit: 5000}})
		must(err)
		for _, row := range page.Rows {
			cells += int64(len(row.Columns))
		}
		rows += int64(len(page.Rows))
		from = page.NextStartPrimaryKey
	}
	if cells != rows*8 {
		must(fmt.Errorf("cells are missing"))
	}
	return rows
}

func scan(client *tablestore.TableStoreClient) int64 {
	splits, err := client.ComputeSplitPointsBySize(&tablestore.ComputeSplitPointsBySizeRequest{TableName: table, SplitSize: 1})
	must(err)
	var rows int64
	var wait sync.WaitGroup
	slots := make(chan struct{}, threads)
	for _, split := range splits.Splits {
		wait.Add(1)
		slots <- struct{}{}
		go func(split *tablestore.Split) {
			atomic.AddInt64(&rows, readSplit(client, split.LowerBound, split.UpperBound))
			<-slots
			wait.Done()
		}(split)
	}
	wait.Wait()
	return rows
}

func row(i int64) *tablestore.PutRowChange {
	key := new(tablestore.PrimaryKey)
	key.AddPrimaryKeyColumn("k", fmt.Sprintf("user-%08d", i*7919%100000000))
	key.AddPrimaryKeyColumn("n", i)
	change := &tablestore.PutRowChange{TableName: table, PrimaryKey: key}
	change.AddColumn("i1", i*31)
	change.AddColumn("i2", i%1000)
	change.AddColumn("d1", float64(i)/8)
	change.AddColumn("b1", i%2 == 0)
	change.AddColumn("s1", fmt.Sprintf("value-%014d", i))
	change.AddColumn("s2", fmt.Sprintf("city-%04d", i%977))
	change.AddColumn("s3", fmt.Sprintf("some words of text %d", i%9973))
	change.AddColumn("s4", fmt.Sprintf("%020d", i*13))
	change.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
	return change
}

func write(client *tablestore.TableStoreClient, rows int64) int64 {
	var next int64
	var wait sync.WaitGroup
	for t := 0; t < threads; t++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				from := atomic.AddInt64(&next, 200) - 200
				if from >= rows {
					return
				}
				request := new(tablestore.BatchWriteRowRequest)
				for i := from; i < from+200 && i < rows; i++ {
					request.AddRowChange(row(i))
				}
				answer, err := client.BatchWriteRow(request)
				must(err)
				for _, result := range answer.TableToRowsResult[table] {
					if !result.IsSucceed {
						must(fmt.Errorf("a row failed: %v", result.Error))
					}
				}
			}
		}()
	}
	wait.Wait()
	return rows
}

func main() {
	start := time.Now()
	client := tablestore.NewClient("http://127.0.0.1:"+os.Getenv("MC_TABLESTORE_PORT"), "demo",
		os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"))
	var rows int64
	if os.Getenv("BENCH_OP") == "scan" {
		rows = scan(client)
	} else {
		n, err := strconv.ParseInt(os.Getenv("BENCH_ROWS"), 10, 64)
		must(err)
		rows = write(client, n)
	}
	fmt.Printf("{\"rows\":%d,\"seconds\":%.3f}\n", rows, time.Since(start).Seconds())
}
