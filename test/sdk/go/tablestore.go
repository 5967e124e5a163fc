package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"

	ots "github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
)

// A canonical row (../README.md) as JSON
type otsRow struct {
	Action   string           `json:"action,omitempty"`
	Expect   string           `json:"expect,omitempty"`
	Rows     []otsRow         `json:"rows,omitempty"`
	Key      [][2]interface{} `json:"key"`
	Cells    [][4]interface{} `json:"cells"`
	Sequence []int64          `json:"sequence,omitempty"`
}

func otsEndpoint() string { return "http://127.0.0.1:" + os.Getenv("MC_TABLESTORE_PORT") }

func otsClient(instance string) *ots.TableStoreClient {
	return ots.NewClientWithConfig(otsEndpoint(), instance, os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"), os.Getenv("MC_KEY_TOKEN"), nil)
}

func otsValue(v interface{}) interface{} {
	pair := v.([]interface{})
	text, _ := pair[1].(string)
	switch pair[0].(string) {
	case "INTEGER":
		return get(strconv.ParseInt(text, 10, 64))
	case "DOUBLE":
		return math.Float64frombits(get(strconv.ParseUint(text, 16, 64)))
	case "BOOLEAN":
		return text == "true"
	case "BINARY":
		return get(hex.DecodeString(text))
	}
	return text
}

func otsCanonical(v interface{}) [2]string {
	switch x := v.(type) {
	case int64:
		return [2]string{"INTEGER", strconv.FormatInt(x, 10)}
	case float64:
		var bits [8]byte
		binary.BigEndian.PutUint64(bits[:], math.Float64bits(x))
		return [2]string{"DOUBLE", hex.EncodeToString(bits[:])}
	case bool:
		return [2]string{"BOOLEAN", strconv.FormatBool(x)}
	case []byte:
		return [2]string{"BINARY", hex.EncodeToString(x)}
	}
	return [2]string{"STRING", v.(string)}
}

func otsKey(key [][2]interface{}) *ots.PrimaryKey {
	pk := new(ots.PrimaryKey)
	for _, k := range key {
		switch k[1].([]interface{})[0].(string) {
		case "AUTO_INCREMENT":
			pk.AddPrimaryKeyColumnWithAutoIncrement(k[0].(string))
		case "INF_MIN":
			pk.AddPrimaryKeyColumnWithMinValue(k[0].(string))
		case "INF_MAX":
			pk.AddPrimaryKeyColumnWithMaxValue(k[0].(string))
		default:
			pk.AddPrimaryKeyColumn(k[0].(string), otsValue(k[1]))
		}
	}
	return pk
}

func otsVersion(v interface{}) (int64, bool) {
	text, given := v.(string)
	if !given {
		return 0, false
	}
	return get(strconv.ParseInt(text, 10, 64)), true
}

func otsCondition(expect string) *ots.RowCondition {
	switch expect {
	case "exist":
		return &ots.RowCondition{RowExistenceExpectation: ots.RowExistenceExpectation_EXPECT_EXIST}
	case "not_exist":
		return &ots.RowCondition{RowExistenceExpectation: ots.RowExistenceExpectation_EXPECT_NOT_EXIST}
	}
	return &ots.RowCondition{RowExistenceExpectation: ots.RowExistenceExpectation_IGNORE}
}

func otsAnyway() *ots.RowCondition { return otsCondition("") }

// The change a canonical row describes
func otsChange(table string, row *otsRow) ots.RowChange {
	switch row.Action {
	case "put":
		c := &ots.PutRowChange{TableName: table, PrimaryKey: otsKey(row.Key), Condition: otsCondition(row.Expect)}
		for _, cell := range row.Cells {
			if version, given := otsVersion(cell[2]); given {
				c.AddColumnWithTimestamp(cell[0].(string), otsValue(cell[1]), version)
			} else {
				c.AddColumn(cell[0].(string), otsValue(cell[1]))
			}
		}
		return c
	case "update":
		c := &ots.UpdateRowChange{TableName: table, PrimaryKey: otsKey(row.Key), Condition: otsCondition(row.Expect)}
		for _, cell := range row.Cells {
			version, given := otsVersion(cell[2])
			switch op := cell[3].(string); {
			case op == "delete_all":
				c.DeleteColumn(cell[0].(string))
			case op == "delete_one":
				c.DeleteColumnWithTimestamp(cell[0].(string), version)
			case op == "increment":
				c.IncrementColumn(cell[0].(string), otsValue(cell[1]).(int64))
			case given:
				c.Columns = append(c.Columns, ots.ColumnToUpdate{ColumnName: cell[0].(string), Value: otsValue(cell[1]), Timestamp: version, HasTimestamp: true})
			default:
				c.PutColumn(cell[0].(string), otsValue(cell[1]))
			}
		}
		return c
	}
	return &ots.DeleteRowChange{TableName: table, PrimaryKey: otsKey(row.Key), Condition: otsCondition(row.Expect)}
}

func otsApply(c *ots.TableStoreClient, change ots.RowChange) error {
	var err error
	switch x := change.(type) {
	case *ots.PutRowChange:
		_, err = c.PutRow(&ots.PutRowRequest{PutRowChange: x})
	case *ots.UpdateRowChange:
		_, err = c.UpdateRow(&ots.UpdateRowRequest{UpdateRowChange: x})
	case *ots.DeleteRowChange:
		_, err = c.DeleteRow(&ots.DeleteRowRequest{DeleteRowChange: x})
	}
	return err
}

func otsBatch(c *ots.TableStoreClient, table string, rows []otsRow) error {
	request := &ots.BatchWriteRowRequest{}
	for i := range rows {
		request.AddRowChange(otsChange(table, &rows[i]))
	}
	response, err := c.BatchWriteRow(request)
	if err != nil {
		return err
	}
	for _, r := range response.TableToRowsResult[table] {
		if !r.IsSucceed {
			return &ots.OtsError{Code: r.Error.Code, Message: r.Error.Message}
		}
	}
	return nil
}

// Lines of JSON from standard input
func otsLines(each func(row *otsRow)) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var row otsRow
		must(json.Unmarshal(in.Bytes(), &row))
		each(&row)
	}
	must(in.Err())
}

func otsCode(err error) interface{} {
	if e, service := err.(*ots.OtsError); service {
		return e.Code
	} else if err != nil {
		return err.Error()
	}
	return nil
}

func otsWrite(instance, table string, report bool) {
	c := otsClient(instance)
	otsLines(func(row *otsRow) {
		var err error
		if row.Action == "batch" {
			err = otsBatch(c, table, row.Rows)
		} else {
			err = otsApply(c, otsChange(table, row))
		}
		if report {
			fmt.Println(string(get(json.Marshal(otsCode(err)))))
		} else {
			must(err)
		}
	})
}

func otsKeyOut(pk *ots.PrimaryKey) [][2]interface{} {
	out := [][2]interface{}{}
	for _, k := range pk.PrimaryKeys {
		out = append(out, [2]interface{}{k.ColumnName, otsCanonical(k.Value)})
	}
	return out
}

// All rows of a table, page by page
func otsScan(c *ots.TableStoreClient, table string, versions int32, each func(*ots.Row)) {
	meta := get(c.DescribeTable(&ots.DescribeTableRequest{TableName: table})).TableMeta
	low, high := new(ots.PrimaryKey), new(ots.PrimaryKey)
	for _, k := range meta.SchemaEntry {
		low.AddPrimaryKeyColumnWithMinValue(*k.Name)
		high.AddPrimaryKeyColumnWithMaxValue(*k.Name)
	}
	for low != nil {
		page := get(c.GetRange(&ots.GetRangeRequest{RangeRowQueryCriteria: &ots.RangeRowQueryCriteria{TableName: table, StartPrimaryKey: low,
			EndPrimaryKey: high, MaxVersion: versions, Direction: ots.FORWARD}}))
		for _, row := range page.Rows {
			each(row)
		}
		low = page.NextStartPrimaryKey
	}
}

func otsPrint(row otsRow) {
	fmt.Println(string(get(json.Marshal(row))))
}

// A row, or null for none
func otsPrintRow(pk *ots.PrimaryKey, columns []*ots.AttributeColumn) {
	if len(pk.PrimaryKeys) == 0 {
		fmt.Println("null")
		return
	}
	row := otsRow{Key: otsKeyOut(pk), Cells: [][4]interface{}{}}
	for _, c := range columns {
		row.Cells = append(row.Cells, [4]interface{}{c.ColumnName, otsCanonical(c.Value), strconv.FormatInt(c.Timestamp, 10), "put"})
	}
	otsPrint(row)
}

// The last argument of reading programs
func otsVersions() int {
	if len(os.Args) > 5 {
		return get(strconv.Atoi(os.Args[5]))
	}
	return 1
}

func otsRead(instance, table string, versions int) {
	otsScan(otsClient(instance), table, int32(versions), func(r *ots.Row) { otsPrintRow(r.PrimaryKey, r.Columns) })
}

func otsGet(instance, table string, versions int) {
	c := otsClient(instance)
	otsLines(func(row *otsRow) {
		r := get(c.GetRow(&ots.GetRowRequest{SingleRowQueryCriteria: &ots.SingleRowQueryCriteria{TableName: table, PrimaryKey: otsKey(row.Key), MaxVersion: int32(versions)}}))
		otsPrintRow(&r.PrimaryKey, r.Columns)
	})
}

func otsGetBatch(instance, table string, versions int) {
	query := &ots.MultiRowQueryCriteria{TableName: table, MaxVersion: versions}
	otsLines(func(row *otsRow) { query.AddRow(otsKey(row.Key)) })
	for _, r := range get(otsClient(instance).BatchGetRow(&ots.BatchGetRowRequest{MultiRowQueryCriteria: []*ots.MultiRowQueryCriteria{query}})).TableToRowsResult[table] {
		if !r.IsSucceed {
			panic(r.Error)
		}
		otsPrintRow(&r.PrimaryKey, r.Columns)
	}
}

func otsRecordOut(r *ots.StreamRecord) otsRow {
	row := otsRow{Action: []string{"put", "update", "delete"}[r.Type], Key: otsKeyOut(r.PrimaryKey), Cells: [][4]interface{}{},
		Sequence: []int64{int64(r.Info.Epoch), r.Info.Timestamp, int64(r.Info.RowIndex)}}
	for _, c := range r.Columns {
		cell := [4]interface{}{*c.Name, nil, nil, []string{"put", "delete_one", "delete_all"}[c.Type]}
		if c.Type == ots.RCT_Put {
			cell[1] = otsCanonical(c.Value)
		}
		if c.Type != ots.RCT_DeleteAllVersions {
			cell[2] = strconv.FormatInt(*c.Timestamp, 10)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// Records of a shard up to now, and whether it is closed
func otsShard(c *ots.TableStoreClient, stream *ots.StreamId, shard *ots.ShardId, from *int64) (records []*ots.StreamRecord, closed bool) {
	it := get(c.GetShardIterator(&ots.GetShardIteratorRequest{StreamId: stream, ShardId: shard, Timestamp: from})).ShardIterator
	for it != nil {
		page := get(c.GetStreamRecord(&ots.GetStreamRecordRequest{ShardIterator: it}))
		records = append(records, page.Records...)
		if it = page.NextShardIterator; len(page.Records) == 0 && it != nil {
			return records, false
		}
	}
	return records, true
}

func otsShards(c *ots.TableStoreClient, stream *ots.StreamId, limit *int32) (shards []*ots.StreamShard) {
	var start *ots.ShardId
	for {
		page := get(c.DescribeStream(&ots.DescribeStreamRequest{StreamId: stream, InclusiveStartShardId: start, ShardLimit: limit}))
		shards = append(shards, page.Shards...)
		if start = page.NextShardId; start == nil {
			return shards
		}
	}
}

// Every record of the stream, shard after shard, parents first
func otsStream(instance, table string) {
	c := otsClient(instance)
	stream := get(c.ListStream(&ots.ListStreamRequest{TableName: &table})).Streams[0].Id
	for _, shard := range otsShards(c, stream, nil) {
		records, _ := otsShard(c, stream, shard.SelfShard, nil)
		for _, r := range records {
			otsPrint(otsRecordOut(r))
		}
	}
}
