package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	ots "github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tunnel"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tunnel/protocol"
	"go.uber.org/zap/zapcore"
)

const otsTable = "sdk_go"

// Every API of the emulator's Tablestore that the unmodified Go SDK has.
func emulatorTablestore() {
	c := otsClient("demo")
	section("tables", func() { goOtsTables(c) })
	section("rows", func() { goOtsRows(c) })
	section("versions", func() { goOtsVersions(c) })
	section("conditions", func() { goOtsConditions(c) })
	section("counters", func() { goOtsCounters(c) })
	section("batches", func() { goOtsBatches(c) })
	section("ranges", func() { goOtsRanges(c) })
	section("transactions", func() { goOtsTransactions(c) })
	section("streams", func() { goOtsStreams(c) })
	section("tunnels", func() { goOtsTunnels(c) })
	section("errors", goOtsErrors)
}

func goOtsMake(c *ots.TableStoreClient, table string, versions int, hours int32) error {
	meta := &ots.TableMeta{TableName: table}
	meta.AddPrimaryKeyColumn("k", ots.PrimaryKeyType_STRING)
	meta.AddPrimaryKeyColumn("n", ots.PrimaryKeyType_INTEGER)
	request := &ots.CreateTableRequest{TableMeta: meta, TableOption: ots.NewTableOption(-1, versions), ReservedThroughput: &ots.ReservedThroughput{}}
	if hours > 0 {
		request.StreamSpec = &ots.StreamSpecification{EnableStream: true, ExpirationTime: hours}
	}
	_, err := c.CreateTable(request)
	return err
}

func goOtsKey(k string, n int64) *ots.PrimaryKey {
	pk := new(ots.PrimaryKey)
	pk.AddPrimaryKeyColumn("k", k)
	pk.AddPrimaryKeyColumn("n", n)
	return pk
}

func goOtsPut(c *ots.TableStoreClient, table, k string, n int64, expect ots.RowExistenceExpectation, columns ...ots.AttributeColumn) error {
	_, err := c.PutRow(&ots.PutRowRequest{PutRowChange: &ots.PutRowChange{TableName: table, PrimaryKey: goOtsKey(k, n), Columns: columns,
		Condition: &ots.RowCondition{RowExistenceExpectation: expect}}})
	return err
}

func goOtsGet(c *ots.TableStoreClient, k string, n int64, versions int32, more func(*ots.SingleRowQueryCriteria)) *ots.GetRowResponse {
	criteria := &ots.SingleRowQueryCriteria{TableName: otsTable, PrimaryKey: goOtsKey(k, n), MaxVersion: versions}
	if more != nil {
		more(criteria)
	}
	return get(c.GetRow(&ots.GetRowRequest{SingleRowQueryCriteria: criteria}))
}

func goOtsColumns(columns []*ots.AttributeColumn) string {
	out := []string{}
	for _, x := range columns {
		out = append(out, fmt.Sprint(x.ColumnName, "=", x.Value))
	}
	return strings.Join(out, " ")
}

func column(name string, value interface{}) ots.AttributeColumn {
	return ots.AttributeColumn{ColumnName: name, Value: value}
}

func goOtsTables(c *ots.TableStoreClient) {
	must(goOtsMake(c, otsTable, 3, 0))
	d := get(c.DescribeTable(&ots.DescribeTableRequest{TableName: otsTable}))
	equal("key", words(*d.TableMeta.SchemaEntry[0].Name, *d.TableMeta.SchemaEntry[0].Type, *d.TableMeta.SchemaEntry[1].Name), "k 2 n")
	equal("options", words(d.TableOption.TimeToAlive, d.TableOption.MaxVersion, d.StreamDetails.EnableStream), "-1 3 false")
	ok("listed", strings.Contains(strings.Join(get(c.ListTable()).TableNames, " "), otsTable))
	u := get(c.UpdateTable(&ots.UpdateTableRequest{TableName: otsTable, TableOption: ots.NewTableOption(-1, 5)}))
	equal("updated", u.TableOption.MaxVersion, 5)
	refused("twice", "OTSObjectAlreadyExist", goOtsMake(c, otsTable, 1, 0))
	refused("missing", "OTSObjectNotExist", second(c.DescribeTable(&ots.DescribeTableRequest{TableName: "sdk_none"})))
	must(goOtsMake(c, "sdk_go_gone", 1, 0))
	get(c.DeleteTable(&ots.DeleteTableRequest{TableName: "sdk_go_gone"}))
	refused("deleted", "OTSObjectNotExist", second(c.DeleteTable(&ots.DeleteTableRequest{TableName: "sdk_go_gone"})))
}

func goOtsRows(c *ots.TableStoreClient) {
	must(goOtsPut(c, otsTable, "values", -1<<63, ots.RowExistenceExpectation_EXPECT_NOT_EXIST, column("b", []byte{0, 255}), column("d", -1.5e-300),
		column("i", int64(1<<63-1)), column("s", "中文 é 🎉\x00"), column("t", true)))
	row := goOtsGet(c, "values", -1<<63, 1, nil)
	equal("every type", goOtsColumns(row.Columns), "b=[0 255] d=-1.5e-300 i=9223372036854775807 s=中文 é 🎉\x00 t=true")
	equal("key", words(row.PrimaryKey.PrimaryKeys[0].Value, row.PrimaryKey.PrimaryKeys[1].Value), "values -9223372036854775808")
	row = goOtsGet(c, "values", -1<<63, 1, func(q *ots.SingleRowQueryCriteria) { q.ColumnsToGet = []string{"d", "none"} })
	equal("some columns", goOtsColumns(row.Columns), "d=-1.5e-300")
	row = goOtsGet(c, "values", -1<<63, 1, func(q *ots.SingleRowQueryCriteria) { q.SetStartColumn("d"); q.SetEndtColumn("s") })
	equal("slice", goOtsColumns(row.Columns), "d=-1.5e-300 i=9223372036854775807")
	row = goOtsGet(c, "values", -1<<63, 1, func(q *ots.SingleRowQueryCriteria) { q.Filter = &ots.PaginationFilter{Offset: 1, Limit: 2} })
	equal("pagination", goOtsColumns(row.Columns), "d=-1.5e-300 i=9223372036854775807")
	equal("missing row", len(goOtsGet(c, "values", 7, 1, nil).PrimaryKey.PrimaryKeys), 0)
	must(goOtsPut(c, otsTable, "é", 1, ots.RowExistenceExpectation_IGNORE, column("größe", int64(1))))
	equal("names of any letters", goOtsColumns(goOtsGet(c, "é", 1, 1, nil).Columns), "größe=1")
	short := new(ots.PrimaryKey)
	short.AddPrimaryKeyColumn("k", "a")
	refused("short key", "OTSInvalidPK", otsApply(c, &ots.DeleteRowChange{TableName: otsTable, PrimaryKey: short, Condition: otsAnyway()}))
	refused("too long a value", "OTSParameterInvalid", goOtsPut(c, otsTable, "big", 1, 0, column("x", strings.Repeat("x", 2097153))))
	must(otsApply(c, &ots.DeleteRowChange{TableName: otsTable, PrimaryKey: goOtsKey("é", 1), Condition: otsAnyway()}))
	equal("deleted", len(goOtsGet(c, "é", 1, 1, nil).PrimaryKey.PrimaryKeys), 0)
}

func goOtsVersions(c *ots.TableStoreClient) {
	now := time.Now().UnixMilli()
	put := &ots.PutRowChange{TableName: otsTable, PrimaryKey: goOtsKey("versions", 1), Condition: otsAnyway()}
	for i := int64(0); i < 4; i++ {
		put.AddColumnWithTimestamp("a", i, now-1000*i)
	}
	must(otsApply(c, put))
	equal("all", goOtsColumns(goOtsGet(c, "versions", 1, 9, nil).Columns), "a=0 a=1 a=2 a=3")
	in := func(q *ots.SingleRowQueryCriteria) { q.TimeRange = &ots.TimeRange{Start: now - 2000, End: now} }
	equal("time range", goOtsColumns(goOtsGet(c, "versions", 1, 9, in).Columns), "a=1 a=2")
	one := func(q *ots.SingleRowQueryCriteria) { q.TimeRange = &ots.TimeRange{Specific: now - 3000} }
	equal("one instant", goOtsColumns(goOtsGet(c, "versions", 1, 0, one).Columns), "a=3")
	update := &ots.UpdateRowChange{TableName: otsTable, PrimaryKey: goOtsKey("versions", 1), Condition: otsAnyway()}
	update.DeleteColumnWithTimestamp("a", now-1000)
	update.PutColumn("b", "new")
	must(otsApply(c, update))
	equal("one deleted", goOtsColumns(goOtsGet(c, "versions", 1, 9, nil).Columns), "a=0 a=2 a=3 b=new")
	update = &ots.UpdateRowChange{TableName: otsTable, PrimaryKey: goOtsKey("versions", 1), Condition: otsAnyway()}
	update.DeleteColumn("a")
	must(otsApply(c, update))
	equal("all deleted", goOtsColumns(goOtsGet(c, "versions", 1, 9, nil).Columns), "b=new")
}

func goOtsConditions(c *ots.TableStoreClient) {
	refused("expects a row", "OTSConditionCheckFail", goOtsPut(c, otsTable, "cond", 1, ots.RowExistenceExpectation_EXPECT_EXIST))
	must(goOtsPut(c, otsTable, "cond", 1, ots.RowExistenceExpectation_EXPECT_NOT_EXIST, column("a", int64(5)), column("s", "7x")))
	refused("expects none", "OTSConditionCheckFail", goOtsPut(c, otsTable, "cond", 1, ots.RowExistenceExpectation_EXPECT_NOT_EXIST))
	single := func(name string, op ots.ComparatorType, v interface{}) ots.ColumnFilter {
		return ots.NewSingleColumnCondition(name, op, v)
	}
	composite := func(op ots.LogicalOperator, filters ...ots.ColumnFilter) ots.ColumnFilter {
		f := ots.NewCompositeColumnCondition(op)
		for _, x := range filters {
			f.AddFilter(x)
		}
		return f
	}
	missing := ots.NewSingleColumnCondition("none", ots.CT_EQUAL, int64(1))
	missing.FilterIfMissing = true
	for i, x := range []struct {
		filter ots.ColumnFilter
		passes bool
	}{
		{single("a", ots.CT_EQUAL, int64(5)), true}, {single("a", ots.CT_NOT_EQUAL, int64(5)), false},
		{single("a", ots.CT_GREATER_THAN, int64(4)), true}, {single("a", ots.CT_LESS_EQUAL, int64(4)), false},
		{single("a", ots.CT_EQUAL, "5"), false}, {single("none", ots.CT_EQUAL, int64(1)), true}, {missing, false},
		{composite(ots.LO_NOT, single("a", ots.CT_EQUAL, int64(5))), false},
		{composite(ots.LO_AND, single("a", ots.CT_EQUAL, int64(5)), single("s", ots.CT_EQUAL, "7x")), true},
		{composite(ots.LO_OR, missing, single("s", ots.CT_LESS_THAN, "8")), true},
		{ots.NewSingleColumnValueRegexFilter("s", ots.CT_EQUAL, &ots.ValueTransferRule{Regex: "([0-9]+)x", Cast_type: ots.Variant_INTEGER}, int64(7)), true},
	} {
		row := goOtsGet(c, "cond", 1, 1, func(q *ots.SingleRowQueryCriteria) { q.SetFilter(x.filter) })
		equal(fmt.Sprint("filter ", i), len(row.PrimaryKey.PrimaryKeys) > 0, x.passes)
		update := &ots.UpdateRowChange{TableName: otsTable, PrimaryKey: goOtsKey("cond", 1)}
		update.SetCondition(ots.RowExistenceExpectation_EXPECT_EXIST)
		update.SetColumnCondition(x.filter)
		update.PutColumn("hit", int64(i))
		if err := otsApply(c, update); x.passes {
			must(err)
		} else {
			refused(fmt.Sprint("condition ", i), "OTSConditionCheckFail", err)
		}
	}
}

func goOtsCounters(c *ots.TableStoreClient) {
	for i := int64(1); i < 4; i++ {
		update := &ots.UpdateRowChange{TableName: otsTable, PrimaryKey: goOtsKey("counter", 1), Condition: otsAnyway()}
		update.IncrementColumn("c", 10*i)
		update.SetReturnIncrementValue()
		update.AppendIncrementColumnToReturn("c")
		answer := get(c.UpdateRow(&ots.UpdateRowRequest{UpdateRowChange: update}))
		equal("new value", goOtsColumns(answer.Columns), fmt.Sprint("c=", 5*i*(i+1)))
	}
	meta := &ots.TableMeta{TableName: "sdk_go_auto"}
	meta.AddPrimaryKeyColumn("k", ots.PrimaryKeyType_STRING)
	meta.AddPrimaryKeyColumnOption("id", ots.PrimaryKeyType_INTEGER, ots.AUTO_INCREMENT)
	get(c.CreateTable(&ots.CreateTableRequest{TableMeta: meta, TableOption: ots.NewTableOption(-1, 1), ReservedThroughput: &ots.ReservedThroughput{}}))
	last := int64(-1)
	for i := 0; i < 3; i++ {
		pk := new(ots.PrimaryKey)
		pk.AddPrimaryKeyColumn("k", "a")
		pk.AddPrimaryKeyColumnWithAutoIncrement("id")
		put := &ots.PutRowChange{TableName: "sdk_go_auto", PrimaryKey: pk, Condition: otsAnyway()}
		put.SetReturnPk()
		id := get(c.PutRow(&ots.PutRowRequest{PutRowChange: put})).PrimaryKey.PrimaryKeys[1].Value.(int64)
		ok("auto-increment rises", id > last, id, last)
		last = id
	}
	d := get(c.DescribeTable(&ots.DescribeTableRequest{TableName: "sdk_go_auto"}))
	ok("described as such", *d.TableMeta.SchemaEntry[1].Option == ots.AUTO_INCREMENT)
}

func goOtsBatches(c *ots.TableStoreClient) {
	request := &ots.BatchWriteRowRequest{}
	for i := int64(0); i < 100; i++ {
		put := &ots.PutRowChange{TableName: otsTable, PrimaryKey: goOtsKey("batch", i), Condition: otsAnyway()}
		put.AddColumn("v", i)
		if i == 50 {
			put.SetCondition(ots.RowExistenceExpectation_EXPECT_EXIST)
		}
		request.AddRowChange(put)
	}
	failed := []string{}
	for _, r := range get(c.BatchWriteRow(request)).TableToRowsResult[otsTable] {
		if !r.IsSucceed {
			failed = append(failed, fmt.Sprint(r.Index, " ", r.Error.Code))
		}
	}
	equal("one of them fails", failed, "[50 OTSConditionCheckFail]")
	query := &ots.MultiRowQueryCriteria{TableName: otsTable, MaxVersion: 1}
	for _, n := range []int64{3, 50, 1} {
		query.AddRow(goOtsKey("batch", n))
	}
	got := []string{}
	for _, r := range get(c.BatchGetRow(&ots.BatchGetRowRequest{MultiRowQueryCriteria: []*ots.MultiRowQueryCriteria{query}})).TableToRowsResult[otsTable] {
		got = append(got, goOtsColumns(r.Columns))
	}
	equal("in order, one is missing", fmt.Sprintf("%q", got), `["v=3" "" "v=1"]`)
}

func goOtsRanges(c *ots.TableStoreClient) {
	command(`{"service":"tablestore","op":"create_table","table":"sdk_go_range","replace":true,"keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}]}`)
	for start := int64(0); start < 6000; start += 200 {
		request := &ots.BatchWriteRowRequest{}
		for i := start; i < start+200; i++ {
			put := &ots.PutRowChange{TableName: "sdk_go_range", PrimaryKey: goOtsKey(fmt.Sprintf("k%04d", i/10), i), Condition: otsAnyway()}
			put.AddColumn("v", strings.Repeat("x", 200))
			request.AddRowChange(put)
		}
		get(c.BatchWriteRow(request))
	}
	n := int64(0)
	otsScan(c, "sdk_go_range", 1, func(r *ots.Row) {
		if r.PrimaryKey.PrimaryKeys[1].Value.(int64) == n {
			n++
		}
	})
	equal("all in order", n, 6000)
	query := &ots.RangeRowQueryCriteria{TableName: "sdk_go_range", StartPrimaryKey: goOtsKey("k0002", 22), EndPrimaryKey: goOtsKey("k0001", 15), MaxVersion: 1,
		Direction: ots.BACKWARD, Limit: 5}
	page := get(c.GetRange(&ots.GetRangeRequest{RangeRowQueryCriteria: query}))
	equal("backward page", words(len(page.Rows), page.Rows[0].PrimaryKey.PrimaryKeys[1].Value, page.NextStartPrimaryKey.PrimaryKeys[1].Value), "5 22 17")
	query.Direction = ots.FORWARD
	refused("begin behind end", "OTSParameterInvalid", second(c.GetRange(&ots.GetRangeRequest{RangeRowQueryCriteria: query})))
	// the SDK takes a split point for the first key column alone
	command(`{"service":"tablestore","op":"set","split_unit":100000}`)
	splits := get(c.ComputeSplitPointsBySize(&ots.ComputeSplitPointsBySizeRequest{TableName: "sdk_go_range", SplitSize: 1})).Splits
	command(`{"service":"tablestore","op":"set","split_unit":104857600}`)
	ok("splits", len(splits) > 1, len(splits))
	seen := 0
	for _, s := range splits {
		for low := s.LowerBound; low != nil; {
			page := get(c.GetRange(&ots.GetRangeRequest{RangeRowQueryCriteria: &ots.RangeRowQueryCriteria{TableName: "sdk_go_range", StartPrimaryKey: low,
				EndPrimaryKey: s.UpperBound, MaxVersion: 1, Direction: ots.FORWARD}}))
			seen += len(page.Rows)
			low = page.NextStartPrimaryKey
		}
	}
	equal("splits tile the table", seen, 6000)
}

func goOtsTransactions(c *ots.TableStoreClient) {
	command(`{"service":"tablestore","op":"create_table","table":"sdk_go_txn","replace":true,"local_txn":true,"keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}]}`)
	pk := new(ots.PrimaryKey)
	pk.AddPrimaryKeyColumn("k", "a")
	start := func() *string {
		return get(c.StartLocalTransaction(&ots.StartLocalTransactionRequest{TableName: "sdk_go_txn", PrimaryKey: pk})).TransactionId
	}
	read := func(id *string) int {
		q := &ots.SingleRowQueryCriteria{TableName: "sdk_go_txn", PrimaryKey: goOtsKey("a", 1), MaxVersion: 1, TransactionId: id}
		return len(get(c.GetRow(&ots.GetRowRequest{SingleRowQueryCriteria: q})).PrimaryKey.PrimaryKeys)
	}
	put := &ots.PutRowChange{TableName: "sdk_go_txn", PrimaryKey: goOtsKey("a", 1), Condition: otsAnyway(), TransactionId: start()}
	put.AddColumn("v", int64(1))
	must(otsApply(c, put))
	equal("seen inside only", words(read(put.TransactionId), read(nil)), "2 0")
	refused("locked", "OTSRowOperationConflict", goOtsPut(c, "sdk_go_txn", "a", 2, 0))
	get(c.AbortTransaction(&ots.AbortTransactionRequest{TransactionId: put.TransactionId}))
	equal("aborted", read(nil), 0)
	put.TransactionId = start()
	must(otsApply(c, put))
	get(c.CommitTransaction(&ots.CommitTransactionRequest{TransactionId: put.TransactionId}))
	equal("committed", read(nil), 2)
}

func goOtsStreams(c *ots.TableStoreClient) {
	table := "sdk_go_stream"
	must(goOtsMake(c, table, 2, 24))
	details := get(c.DescribeTable(&ots.DescribeTableRequest{TableName: table})).StreamDetails
	equal("details", words(details.EnableStream, details.ExpirationTime), "true 24")
	streams := get(c.ListStream(&ots.ListStreamRequest{TableName: &table})).Streams
	equal("listed", words(len(streams), *streams[0].TableName, *streams[0].Id == *details.StreamId), "1 sdk_go_stream true")
	now := time.Now().UnixMilli()
	must(goOtsPut(c, table, "a", 1, 0, column("i", int64(1)), column("s", "x"), column("d", 0.5), column("t", false), column("b", []byte("y"))))
	update := &ots.UpdateRowChange{TableName: table, PrimaryKey: goOtsKey("a", 1), Condition: otsAnyway()}
	update.PutColumn("i", int64(2))
	update.DeleteColumn("s")
	update.DeleteColumnWithTimestamp("d", now-5)
	must(otsApply(c, update))
	must(otsApply(c, &ots.DeleteRowChange{TableName: table, PrimaryKey: goOtsKey("a", 1), Condition: otsAnyway()}))
	shards := otsShards(c, details.StreamId, nil)
	records, closed := otsShard(c, details.StreamId, shards[0].SelfShard, nil)
	text := []string{}
	for _, r := range records {
		cells := []string{}
		for _, x := range r.Columns {
			cells = append(cells, fmt.Sprint(*x.Name, []string{"=", "-", "--"}[x.Type], x.Value))
		}
		sort.Strings(cells)
		text = append(text, fmt.Sprint(r.Type, " ", strings.Join(cells, ",")))
	}
	equal("records", strings.Join(text, "; "), `"PutRow" b=[121],d=0.5,i=1,s=x,t=false; "UpdateRow" d-<nil>,i=2,s--<nil>; "DeleteRow" `)
	ok("open", !closed)
	from := records[1].Info.Timestamp
	later, _ := otsShard(c, details.StreamId, shards[0].SelfShard, &from)
	ok("from a time", len(later) < 3 && later[len(later)-1].Info.Timestamp == records[2].Info.Timestamp, len(later))
	command(`{"service":"tablestore","op":"split_partition","table":"sdk_go_stream","at":"m"}`)
	must(goOtsPut(c, table, "z", 1, 0))
	command(`{"service":"tablestore","op":"merge_partitions","table":"sdk_go_stream","index":0}`)
	must(goOtsPut(c, table, "z", 2, 0))
	limit := int32(1)
	shards = otsShards(c, details.StreamId, &limit)
	equal("shards", len(shards), 4)
	parents := []bool{*shards[1].FatherShard == *shards[0].SelfShard, *shards[2].FatherShard == *shards[0].SelfShard, shards[2].MotherShard == nil,
		*shards[3].FatherShard == *shards[1].SelfShard, *shards[3].MotherShard == *shards[2].SelfShard}
	equal("family", parents, "[true true true true true]")
	sizes := ""
	for _, s := range shards {
		records, closed := otsShard(c, details.StreamId, s.SelfShard, nil)
		sizes += fmt.Sprint(len(records), " ", closed, ";")
	}
	equal("closed shards end", sizes, "3 true;0 true;1 true;1 false;")
	get(c.UpdateTable(&ots.UpdateTableRequest{TableName: table, StreamSpec: &ots.StreamSpecification{EnableStream: false}}))
	refused("disabled", "OTSObjectNotExist", second(c.DescribeStream(&ots.DescribeStreamRequest{StreamId: details.StreamId})))
}

type goOtsSeen struct {
	sync.Mutex
	rows map[string]int
}

func (s *goOtsSeen) take(_ *tunnel.ChannelContext, records []*tunnel.Record) error {
	s.Lock()
	defer s.Unlock()
	for _, r := range records {
		s.rows[fmt.Sprint(r.Type, " ", r.PrimaryKey.PrimaryKeys[1].Value)]++
	}
	return nil
}

// Each once: SimpleProcessFactory may end a channel without its last checkpoint, and is then given it again.
type goOtsOnce struct {
	*goOtsSeen
	tunnel.Checkpointer
}

func (o goOtsOnce) NewProcessor(_, _, _ string, c tunnel.Checkpointer) tunnel.ChannelProcessor {
	return goOtsOnce{o.goOtsSeen, c}
}

func (o goOtsOnce) Process(records []*tunnel.Record, next, _ string) error {
	_ = o.take(nil, records)
	return o.Checkpoint(next)
}

func (o goOtsOnce) Shutdown() {
}

func (s *goOtsSeen) wait(n int) int {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		s.Lock()
		have := len(s.rows)
		s.Unlock()
		if have >= n {
			return have
		}
	}
	return -1
}

func goOtsTunnels(c *ots.TableStoreClient) {
	table := "sdk_go_tunnel"
	must(goOtsMake(c, table, 1, 24))
	for i := int64(0); i < 30; i++ {
		must(goOtsPut(c, table, fmt.Sprint("k", i%10), i, 0, column("v", i)))
	}
	command(`{"service":"tablestore","op":"split_partition","table":"sdk_go_tunnel","at":"k5"}`)
	t := tunnel.NewTunnelClient(otsEndpoint(), "demo", os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"))
	id := get(t.CreateTunnel(&tunnel.CreateTunnelRequest{TableName: table, TunnelName: "both", Type: tunnel.TunnelTypeBaseStream})).TunnelId
	refused("twice", "OTSTunnelExist", second(t.CreateTunnel(&tunnel.CreateTunnelRequest{TableName: table, TunnelName: "both", Type: tunnel.TunnelTypeStream})))
	list := get(t.ListTunnel(&tunnel.ListTunnelRequest{TableName: table})).Tunnels
	equal("listed", words(len(list), list[0].TunnelId == id, list[0].TunnelType, list[0].Expired), "1 true BaseAndStream false")
	ok("made just now", time.Since(list[0].CreateTime) < time.Hour, list[0].CreateTime)
	seen := &goOtsSeen{rows: map[string]int{}}
	config := &tunnel.TunnelWorkerConfig{HeartbeatInterval: 100 * time.Millisecond, HeartbeatTimeout: 30 * time.Second,
		ProcessorFactory: goOtsOnce{goOtsSeen: seen}, LogWriteSyncer: zapcore.AddSync(io.Discard)}
	daemon := tunnel.NewTunnelDaemon(t, id, config)
	go daemon.Run()
	equal("base data", seen.wait(30), 30)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if get(t.DescribeTunnel(&tunnel.DescribeTunnelRequest{TableName: table, TunnelName: "both"})).Tunnel.Stage == "ProcessStream" {
			break
		}
	}
	must(goOtsPut(c, table, "k1", 100, 0))
	command(`{"service":"tablestore","op":"split_partition","table":"sdk_go_tunnel","at":"k2"}`)
	must(otsApply(c, &ots.DeleteRowChange{TableName: table, PrimaryKey: goOtsKey("k3", 100), Condition: otsAnyway()}))
	command(`{"service":"tablestore","op":"merge_partitions","table":"sdk_go_tunnel","index":1}`)
	must(goOtsPut(c, table, "k3", 101, 0))
	equal("changes over a split and a merge", seen.wait(33), 33)
	seen.Lock()
	equal("each once", words(len(seen.rows), seen.rows["DeleteRow 100"], seen.rows["PutRow 101"]), "33 1 1")
	seen.Unlock()
	rpo := get(t.GetRpo(&tunnel.GetRpoRequest{TunnelId: id}))
	equal("rpo", words(rpo.TunnelRpoInfos["BaseData"].TotalCount, len(rpo.RpoInfos) >= 4), "30 true")
	daemon.Close()
	channels := get(t.DescribeTunnel(&tunnel.DescribeTunnelRequest{TableName: table, TunnelName: "both"})).Channels
	get(t.Schedule(&tunnel.ScheduleRequest{TunnelId: id, Channels: []*tunnel.ScheduleChannel{tunnel.SuspendChannel(channels[len(channels)-1].ChannelId)}}))
	get(t.DeleteTunnel(&tunnel.DeleteTunnelRequest{TableName: table, TunnelName: "both"}))
	equal("deleted", len(get(t.ListTunnel(&tunnel.ListTunnelRequest{TableName: table})).Tunnels), 0)
	early := &goOtsSeen{rows: map[string]int{}}
	id = get(t.CreateTunnel(&tunnel.CreateTunnelRequest{TableName: table, TunnelName: "early", Type: tunnel.TunnelTypeStream,
		StreamTunnelConfig: &tunnel.StreamTunnelConfig{Flag: protocol.StartOffsetFlag_EARLIEST}})).TunnelId
	config.ProcessorFactory = &tunnel.SimpleProcessFactory{ProcessFunc: early.take, CpInterval: 100 * time.Millisecond}
	daemon = tunnel.NewTunnelDaemon(t, id, config)
	go daemon.Run()
	equal("the stream from its begin", early.wait(33), 33)
	daemon.Close()
	missing := tunnel.NewTunnelDaemon(t, "nothing", config)
	refused("unknown tunnel", "OTSParameterInvalid", missing.Run())
}

func goOtsErrors() {
	wrong := ots.NewClient(otsEndpoint(), "demo", os.Getenv("MC_KEY_ID"), "wrong")
	refused("signature", "OTSAuthFailed Signature mismatch", second(wrong.ListTable()))
	refused("instance", "OTSAuthFailed", second(otsClient("nowhere").ListTable()))
	_, err := otsClient("demo").DescribeTable(&ots.DescribeTableRequest{TableName: "sdk_none"})
	e, typed := err.(*ots.OtsError)
	ok("typed", typed && e.Code == "OTSObjectNotExist" && e.HttpStatusCode == 404 && len(e.RequestId) > 8, err)
}
