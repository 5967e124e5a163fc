package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/datatype"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

func newOdps(a account.Account, project string) *odps.Odps {
	o := odps.NewOdps(a, "http://127.0.0.1:"+os.Getenv("MC_MAXCOMPUTE_PORT")+"/api")
	o.SetDefaultProjectName(project)
	return o
}

func odpsDefault(project string) *odps.Odps {
	return newOdps(account.NewAliyunAccount(os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET")), project)
}

func coding(name string) []tunnel.Option {
	switch name {
	case "deflate":
		return []tunnel.Option{tunnel.SessionCfg.WithDefaultDeflateCompressor()}
	case "snappy":
		return []tunnel.Option{tunnel.SessionCfg.WithSnappyFramedCompressor()}
	}
	return nil
}

func integer(s string, bits int) int64 { return get(strconv.ParseInt(s, 10, bits)) }

func instant(s string) time.Time {
	parts := strings.Split(s, ":")
	return time.Unix(integer(parts[0], 64), integer(parts[1], 64)).UTC()
}

// A canonical value (../README.md) as the SDK's
func toGo(v interface{}, t datatype.DataType) data.Data {
	if v == nil {
		return nil
	}
	switch t := t.(type) {
	case datatype.ArrayType:
		a := data.NewArrayWithType(t)
		for _, x := range v.([]interface{}) {
			a.UnSafeAppend(toGo(x, t.ElementType))
		}
		return a
	case datatype.MapType:
		m := data.NewMapWithType(t)
		for _, x := range v.([]interface{}) {
			pair := x.([]interface{})
			must(m.Set(toGo(pair[0], t.KeyType), toGo(pair[1], t.ValueType)))
		}
		return m
	case datatype.StructType:
		s := data.NewStructWithTyp(t)
		for i, f := range t.Fields {
			must(s.SetField(f.Name, toGo(v.([]interface{})[i], f.Type)))
		}
		return s
	case datatype.CharType:
		return get(data.NewChar(t.Length, v.(string)))
	case datatype.VarcharType:
		return get(data.NewVarChar(t.Length, v.(string)))
	case datatype.DecimalType:
		return data.NewDecimal(int(t.Precision), int(t.Scale), v.(string))
	case datatype.JsonType:
		return &data.Json{Data: v.(string), Valid: true}
	}
	s := v.(string)
	switch t.ID() {
	case datatype.TINYINT:
		return data.TinyInt(integer(s, 8))
	case datatype.SMALLINT:
		return data.SmallInt(integer(s, 16))
	case datatype.INT:
		return data.Int(integer(s, 32))
	case datatype.BIGINT:
		return data.BigInt(integer(s, 64))
	case datatype.FLOAT:
		if s == "nan" {
			return data.Float(math.NaN())
		}
		return data.Float(math.Float32frombits(uint32(get(strconv.ParseUint(s, 16, 32)))))
	case datatype.DOUBLE:
		if s == "nan" {
			return data.Double(math.NaN())
		}
		return data.Double(math.Float64frombits(get(strconv.ParseUint(s, 16, 64))))
	case datatype.BOOLEAN:
		return data.Bool(s == "true")
	case datatype.BINARY:
		return data.Binary(get(hex.DecodeString(s)))
	case datatype.DATE:
		return data.Date(time.Unix(integer(s, 64)*86400, 0).UTC())
	case datatype.DATETIME:
		return data.DateTime(time.UnixMilli(integer(s, 64)))
	case datatype.TIMESTAMP:
		return data.Timestamp(instant(s))
	case datatype.TIMESTAMP_NTZ:
		return data.TimestampNtz(instant(s))
	case datatype.IntervalYearMonth:
		return data.IntervalYearMonth(integer(s, 32))
	case datatype.IntervalDayTime:
		at := instant(s)
		return data.NewIntervalDayTime(at.Unix(), int32(at.Nanosecond()))
	}
	return data.String(s)
}

func at(t time.Time) string { return fmt.Sprintf("%d:%09d", t.Unix(), t.Nanosecond()) }

func list[X any](n int, f func(i int) X) []X {
	out := make([]X, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

// A value of the SDK in canonical form
func fromGo(v data.Data, t datatype.DataType) interface{} {
	switch v := v.(type) {
	case nil:
		return nil
	case *data.Array:
		return list(v.Len(), func(i int) interface{} { return fromGo(v.Index(i), t.(datatype.ArrayType).ElementType) })
	case *data.Map:
		out := [][2]interface{}{}
		for k, x := range v.ToGoMap() {
			out = append(out, [2]interface{}{fromGo(k, t.(datatype.MapType).KeyType), fromGo(x, t.(datatype.MapType).ValueType)})
		}
		return out
	case *data.Struct:
		return list(len(v.Fields()), func(i int) interface{} { return fromGo(v.Fields()[i].Value, t.(datatype.StructType).Fields[i].Type) })
	case data.Float:
		if v != v {
			return "nan"
		}
		return fmt.Sprintf("%08x", math.Float32bits(float32(v)))
	case data.Double:
		if v != v {
			return "nan"
		}
		return fmt.Sprintf("%016x", math.Float64bits(float64(v)))
	case data.TinyInt, data.SmallInt, data.Int, data.BigInt:
		return fmt.Sprintf("%d", v)
	case data.IntervalYearMonth:
		return fmt.Sprintf("%d", int32(v))
	case data.Bool:
		return strconv.FormatBool(bool(v))
	case data.Binary:
		return hex.EncodeToString(v)
	case data.String:
		return string(v)
	case data.Char:
		return v.Data()
	case data.VarChar:
		return v.Data()
	case *data.Decimal:
		return v.Value()
	case *data.Json:
		return v.Data
	case data.Date:
		return fmt.Sprint(v.Time().Unix() / 86400)
	case data.DateTime:
		return fmt.Sprint(v.Time().UnixMilli())
	case data.Timestamp:
		return at(v.Time())
	case data.TimestampNtz:
		return at(v.Time())
	case data.IntervalDayTime:
		return at(time.Unix(v.Seconds(), int64(v.NanosFraction())))
	}
	panic(fmt.Sprintf("no canonical form of %T", v))
}

func write(project, table, how string) {
	session := get(tunnel.NewTunnel(odpsDefault(project)).CreateUploadSession(project, table, coding(how)...))
	schema := session.Schema()
	writer := get(session.OpenRecordWriter(0))
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var row []interface{}
		if err := in.Decode(&row); err == io.EOF {
			break
		} else {
			must(err)
		}
		must(writer.Write(data.Record(list(len(row), func(i int) data.Data { return toGo(row[i], schema.Columns[i].Type) }))))
	}
	must(writer.Close())
	must(session.Commit([]int{0}))
}

func readAll(r *tunnel.RecordProtocReader) []data.Record {
	var out []data.Record
	defer r.Close()
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(err)
		out = append(out, record)
	}
}

func read(project, table, how string) {
	session := get(tunnel.NewTunnel(odpsDefault(project)).CreateDownloadSession(project, table, coding(how)...))
	schema := session.Schema()
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	if session.RecordCount() > 0 {
		for _, record := range readAll(get(session.OpenRecordReader(0, session.RecordCount(), nil))) {
			must(enc.Encode(list(len(record), func(i int) interface{} { return fromGo(record[i], schema.Columns[i].Type) })))
		}
	}
	must(out.Flush())
}
