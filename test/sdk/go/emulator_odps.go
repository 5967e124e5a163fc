package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/aliyun/aliyun-odps-go-sdk/arrow/array"
	"github.com/aliyun/aliyun-odps-go-sdk/arrow/memory"
	"github.com/aliyun/aliyun-odps-go-sdk/odps"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/account"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/data"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/datatype"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tableschema"
	"github.com/aliyun/aliyun-odps-go-sdk/odps/tunnel"
)

const odpsProject = "sdk_go"

// Every API of the emulator's MaxCompute part, called by the unmodified Go SDK.
func emulatorOdps() {
	command(`{"service":"maxcompute","op":"create_project","project":"` + odpsProject + `"}`)
	command(`{"service":"maxcompute","op":"create_project","project":"` + odpsProject + `_3","three_tier":true}`)
	o := odpsDefault(odpsProject)
	section("project", func() { goProject(o) })
	section("tables", func() { goTables(o) })
	section("partitions", func() { goPartitions(o) })
	section("schemas", goSchemas)
	section("upload and download", func() { goUploadAndDownload(o) })
	section("tunnel details", func() { goTunnelDetails(o) })
	section("Arrow", func() { goArrow(o) })
	section("stream", func() { goStream(o) })
	section("SQL", func() { goSQL(o) })
	section("instances", func() { goInstances(o) })
	section("signatures", func() { goOdpsSignatures(o) })
	section("drop tables", func() { goDropTables(o) })
}

func run(o *odps.Odps, sql string) error {
	i, err := o.ExecSQl(sql)
	if err != nil {
		return err
	}
	return i.WaitForSuccess()
}

func goProject(o *odps.Odps) {
	p := o.DefaultProject()
	must(p.Load())
	ok("project", p.Name() == odpsProject && p.Owner() != "" && !p.CreationTime().IsZero())
	ok("project exists", p.Existed() && !o.Project("none").Existed())
	equal("tunnel endpoint", get(p.GetTunnelEndpoint()), "http://127.0.0.1:"+os.Getenv("MC_MAXCOMPUTE_PORT"))
}

func names(ts *odps.Tables, filters ...odps.TFilterFunc) string {
	var out []string
	ts.List(func(t *odps.Table, err error) {
		must(err)
		out = append(out, t.Name())
	}, filters...)
	sort.Strings(out)
	return strings.Join(out, " ")
}

func goTables(o *odps.Odps) {
	builder := tableschema.NewSchemaBuilder()
	builder.Name("plain").Comment("it is a comment").Columns(tableschema.Column{Name: "a", Type: datatype.BigIntType},
		tableschema.Column{Name: "b", Type: datatype.StringType}, tableschema.Column{Name: "c", Type: datatype.DoubleType}).Lifecycle(7)
	must(o.Tables().Create(builder.Build(), false, nil, nil))
	must(run(o, "create table parted (a bigint, b string) partitioned by (pt string, hr int);"))
	t := o.Table("plain")
	must(t.Load())
	schema := t.Schema()
	equal("table", words(t.Comment(), len(schema.Columns), schema.Columns[2].Type, schema.Lifecycle), "it is a comment 3 DOUBLE 7")
	ok("table times", !t.CreatedTime().IsZero() && !t.LastModifiedTime().IsZero() && t.Owner() != "")
	equal("partition columns", func() string {
		p := o.Table("parted")
		must(p.Load())
		return fmt.Sprint(p.PartitionColumns()[0].Name, p.PartitionColumns()[1].Type)
	}(), fmt.Sprint("pt", datatype.IntType))
	equal("tables listed", names(o.Tables()), "parted plain")
	equal("tables by prefix", names(o.Tables(), odps.TableFilter.NamePrefix("pl")), "plain")
	equal("tables loaded at once", len(get(o.Tables().BatchLoadTables([]string{"plain", "parted"}))), 2)
	ok("table exists", get(t.Exists()) && !get(o.Table("none").Exists()))
	refused("table missing", "NoSuchTable|NoSuchObject|ODPS-0130131", o.Table("none").Load())
	must(run(o, "create table transient (a bigint);"))
	must(o.Tables().Delete("transient", false))
	ok("table dropped", !get(o.Table("transient").Exists()))
	must(o.Tables().Delete("transient", true))
	types := "tinyint;smallint;int;bigint;float;double;decimal(38,18);varchar(20);char(5);string;binary;boolean;date;datetime;timestamp;" +
		"timestamp_ntz;json;interval_year_month;interval_day_time;array<array<string>>;map<bigint,array<double>>;struct<x:int,y:map<string,timestamp>>"
	var columns, got []string
	for i, t := range strings.Split(types, ";") {
		columns = append(columns, fmt.Sprintf("c%d %s", i, t))
	}
	must(run(o, "create table typed ("+strings.Join(columns, ", ")+");"))
	typed := o.Table("typed")
	must(typed.Load())
	for _, c := range typed.Schema().Columns {
		got = append(got, strings.ReplaceAll(strings.ToLower(c.Type.Name()), "`", ""))
	}
	equal("every type", strings.Join(got, ";"), types)
}

func goPartitions(o *odps.Odps) {
	t := o.Table("parted")
	must(t.Load())
	// with "false" this SDK sends ADDPARTITION in one word
	for hr := 1; hr <= 3; hr++ {
		must(t.AddPartition(true, fmt.Sprintf("pt=a b/hr=%d", hr)))
	}
	must(t.AddPartition(true, "pt=x/hr=1"))
	must(t.AddPartition(true, "pt=x/hr=1"))
	equal("partition values", get(t.GetPartitionValues()), "[pt=a b/hr=1 pt=a b/hr=2 pt=a b/hr=3 pt=x/hr=1]")
	equal("partitions", len(get(t.GetPartitions())), 4)
	p := get(t.GetPartition("pt=x/hr=1"))
	must(p.Load())
	must(p.LoadExtended())
	ok("partition details", !p.CreatedTime().IsZero())
	must(t.DeletePartition(false, "pt=x/hr=1"))
	equal("partition dropped", len(get(t.GetPartitions())), 3)
	must(t.DeletePartition(true, "pt=x/hr=1"))
}

func goSchemas() {
	o := odpsDefault(odpsProject + "_3")
	must(o.Schemas().Create("s1", false, ""))
	ok("schema exists", get(o.Schema("s1").Exists()) && !get(o.Schema("s2").Exists()))
	var all []string
	must(o.Schemas().List(func(s *odps.Schema, err error) {
		must(err)
		all = append(all, s.Name())
	}))
	sort.Strings(all)
	equal("schemas listed", all, "[default s1]")
	o.SetCurrentSchemaName("s1")
	builder := tableschema.NewSchemaBuilder()
	builder.Name("t").Column(tableschema.Column{Name: "a", Type: datatype.BigIntType})
	must(o.Tables().Create(builder.Build(), false, nil, nil))
	s := get(tunnel.NewTunnel(o).CreateUploadSession(odpsProject+"_3", "t", tunnel.SessionCfg.WithSchemaName("s1")))
	w := get(s.OpenRecordWriter(0))
	must(w.Write(data.Record{data.BigInt(5)}))
	must(w.Close())
	must(s.Commit([]int{0}))
	equal("rows of a schema's table", get(tunnel.NewTunnel(o).CreateDownloadSession(odpsProject+"_3", "t", tunnel.SessionCfg.WithSchemaName("s1"))).RecordCount(), 1)
	must(o.Tables().Delete("t", false))
	must(o.Schemas().Delete("s1"))
	ok("schema dropped", !get(o.Schema("s1").Exists()))
}

func row(i int) data.Record {
	if i%10 == 9 {
		return data.Record{nil, nil, nil}
	}
	return data.Record{data.BigInt(i), data.String(fmt.Sprintf("row 中文 %d", i)), data.Double(float64(i) / 4)}
}

func block(s *tunnel.UploadSession, id, from, to int) {
	w := get(s.OpenRecordWriter(id))
	for i := from; i < to; i++ {
		must(w.Write(row(i)))
	}
	must(w.Close())
}

func show(records []data.Record) string {
	var out []string
	for _, r := range records {
		var fields []string
		for _, v := range r {
			fields = append(fields, fmt.Sprint(v))
		}
		out = append(out, strings.Join(fields, ","))
	}
	return strings.Join(out, ";")
}

func rowsOf(from, to int) string {
	var out []data.Record
	for i := from; i < to; i++ {
		out = append(out, row(i))
	}
	return show(out)
}

func goUploadAndDownload(o *odps.Odps) {
	t := tunnel.NewTunnel(o)
	for _, how := range []string{"none", "deflate", "snappy"} {
		s := get(t.CreateUploadSession(odpsProject, "plain", append(coding(how), tunnel.SessionCfg.Overwrite())...))
		block(s, 0, 0, 50)
		block(s, 7, 0, 3)
		block(s, 7, 50, 100)
		must(s.Load())
		ids := s.BlockIds()
		sort.Ints(ids)
		equal(how+": block list", ids, "[0 7]")
		must(s.Commit([]int{0, 7}))
		must(s.Load())
		equal(how+": status after commit", s.Status(), "CLOSED")
		d := get(t.CreateDownloadSession(odpsProject, "plain", coding(how)...))
		equal(how+": count", d.RecordCount(), 100)
		equal(how+": all rows", show(readAll(get(d.OpenRecordReader(0, 100, nil)))), rowsOf(0, 100))
		equal(how+": a range over a block's end", show(readAll(get(d.OpenRecordReader(40, 20, nil)))), rowsOf(40, 60))
		equal(how+": two columns", show(readAll(get(d.OpenRecordReader(10, 2, []string{"a", "c"})))),
			show([]data.Record{{row(10)[0], row(10)[2]}, {row(11)[0], row(11)[2]}}))
	}
}

func goTunnelDetails(o *odps.Odps) {
	t := tunnel.NewTunnel(o, "http://127.0.0.1:"+os.Getenv("MC_MAXCOMPUTE_PORT"))
	s := get(t.CreateUploadSession(odpsProject, "plain"))
	block(s, 1, 0, 1)
	ok("commit of a block that is not there", s.Commit([]int{0, 1}) != nil)
	equal("abandoned sessions leave nothing", get(t.CreateDownloadSession(odpsProject, "plain")).RecordCount(), 100)
	equal("session by id", get(t.AttachToExistedUploadSession(odpsProject, "plain", s.Id)).Id, s.Id)
	refused("upload to a missing table", "NoSuchTable|NoSuchObject", second(t.CreateUploadSession(odpsProject, "none")))
	refused("unknown upload session", "NoSuchUpload", second(t.AttachToExistedUploadSession(odpsProject, "plain", "none")))
	refused("unknown download session", "NoSuchDownload", second(t.AttachToExistedDownloadSession(odpsProject, "plain", "none")))
	refused("a missing partition", "NoSuchPartition", second(t.CreateUploadSession(odpsProject, "parted", tunnel.SessionCfg.WithPartitionKey("pt=new/hr=1"))))
	refused("no partition given", "MissingPartitionSpec|InvalidPartitionSpec", second(t.CreateUploadSession(odpsProject, "parted")))
	must(o.Table("parted").AddPartition(true, "pt=new/hr=1"))
	p := get(t.CreateUploadSession(odpsProject, "parted", tunnel.SessionCfg.WithPartitionKey("pt=new/hr=1")))
	w := get(p.OpenRecordWriter(0))
	must(w.Write(data.Record{data.BigInt(1), nil}))
	must(w.Close())
	must(p.Commit([]int{0}))
	d := get(t.CreateDownloadSession(odpsProject, "parted", tunnel.SessionCfg.WithPartitionKey("pt=new/hr=1")))
	equal("rows of a partition", show(readAll(get(d.OpenRecordReader(0, d.RecordCount(), nil)))), "1,<nil>")
	d = get(t.CreateDownloadSession(odpsProject, "plain", tunnel.SessionCfg.Async()))
	refused("range beyond the end", "InvalidRowRange", second(d.OpenRecordReader(99, 5, nil)))
	change := get(t.CreateUploadSession(odpsProject, "plain"))
	block(change, 0, 0, 1)
	must(change.Commit([]int{0}))
	refused("table changed under a download", "TableModified|ObjectModified", second(d.OpenRecordReader(0, 100, nil)))
}

func goArrow(o *odps.Odps) {
	must(run(o, "create table arrowed (a bigint, b string);"))
	t := tunnel.NewTunnel(o)
	for _, how := range []string{"none", "deflate", "snappy"} {
		s := get(t.CreateUploadSession(odpsProject, "arrowed", append(coding(how), tunnel.SessionCfg.Overwrite())...))
		b := array.NewRecordBuilder(memory.NewGoAllocator(), s.ArrowSchema())
		b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 0}, []bool{true, false})
		b.Field(1).(*array.StringBuilder).AppendValues([]string{"é", ""}, nil)
		record := b.NewRecord()
		w := get(s.OpenRecordArrowWriter(0))
		must(w.WriteArrowRecord(record))
		must(w.Close())
		must(s.Commit([]int{0}))
		d := get(t.CreateDownloadSession(odpsProject, "arrowed", coding(how)...))
		equal("Arrow upload, "+how, show(readAll(get(d.OpenRecordReader(0, 2, nil)))), "1,é;<nil>,")
		var got []string
		r := get(d.OpenRecordArrowReader(0, 2, nil))
		r.Iterator(func(rec array.Record, err error) {
			must(err)
			got = append(got, fmt.Sprint(rec.NumRows(), rec.Column(0), rec.Column(1)))
		})
		must(r.Close())
		equal("Arrow download, "+how, got, `[2 [1 (null)] ["é" ""]]`)
	}
	must(o.Tables().Delete("arrowed", false))
}

func goStream(o *odps.Odps) {
	must(run(o, "create table flow (a bigint, b string) partitioned by (pt string);"))
	t := tunnel.NewTunnel(o)
	for _, how := range []string{"none", "deflate", "snappy"} {
		s := get(t.CreateStreamUploadSession(odpsProject, "flow", append(coding(how), tunnel.SessionCfg.WithPartitionKey("pt="+how),
			tunnel.SessionCfg.WithCreatePartition(), tunnel.SessionCfg.WithSlotNum(2))...))
		w := s.OpenRecordPackWriter()
		for i := 0; i < 3; i++ {
			must(w.Append(data.Record{data.BigInt(i), data.String("é")}))
		}
		_, _, _, err := w.Flush()
		must(err)
		d := get(t.CreateDownloadSession(odpsProject, "flow", tunnel.SessionCfg.WithPartitionKey("pt="+how)))
		equal("stream, "+how, show(readAll(get(d.OpenRecordReader(0, d.RecordCount(), nil)))), "0,é;1,é;2,é")
	}
	must(o.Tables().Delete("flow", false))
}

func goSQL(o *odps.Odps) {
	t := tunnel.NewTunnel(o)
	s := get(t.CreateUploadSession(odpsProject, "plain", tunnel.SessionCfg.Overwrite()))
	block(s, 0, 0, 20)
	must(s.Commit([]int{0}))
	i := get(o.ExecSQl("select * from plain limit 3;"))
	must(i.WaitForSuccess())
	task := odps.NewAnonymousSQLTask("", nil)
	csv := get(get(task.GetSelectResultAsCsv(i, false)).ReadAll())
	equal("result as text", words(len(csv), csv[1][1]), "3 row 中文 1")
	d := get(t.CreateInstanceResultDownloadSession(odpsProject, i.Id()))
	equal("instance tunnel", show(readAll(get(d.OpenRecordReader(0, d.RecordCount(), 0, nil)))), rowsOf(0, 3))
	count := get(o.ExecSQl("select count(*) from plain;"))
	must(count.WaitForSuccess())
	equal("count", get(get(task.GetSelectResultAsCsv(count, false)).Read()), "[20]")
	refused("syntax error", "ODPS-0130161", run(o, "selekt 1;"))
	refused("SQL on a missing table", "ODPS-0130131", run(o, "select * from none;"))
}

func goInstances(o *odps.Odps) {
	command(`{"service":"maxcompute","op":"set","instance_ms":60000}`)
	i := get(o.ExecSQl("drop table plain;"))
	command(`{"service":"maxcompute","op":"set","instance_ms":0}`)
	must(i.Load())
	equal("running", i.Status(), "Running")
	get(i.GetTaskProgress(i.TaskNameCommitted()))
	must(i.Terminate())
	equal("cancelled", get(i.GetTasks())[0].Status, "CANCELLED")
	ok("a cancelled statement does nothing", get(o.Table("plain").Exists()))
	listed := false
	must(o.Instances().List(func(x *odps.Instance) { listed = listed || x.Id() == i.Id() }))
	ok("instances listed", listed)
	ok("missing instance", o.Instance("none").Load() != nil)
}

func goOdpsSignatures(o *odps.Odps) {
	id, secret := os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET")
	refused("wrong secret", "SignatureNotMatch|Unauthorized|ODPS-0410042", newOdps(account.NewAliyunAccount(id, "wrong"), odpsProject).Table("plain").Load())
	refused("unknown key", "Unauthorized|ODPS-0410051", newOdps(account.NewAliyunAccount("nobody", secret), odpsProject).Table("plain").Load())
	refused("another token", "Unauthorized|ODPS-0410051|InvalidSecurityToken", newOdps(account.NewStsAccount("sts-id", "sts-secret", "other"), odpsProject).Table("plain").Load())
	sts := newOdps(account.NewStsAccount("sts-id", "sts-secret", "sts-token"), odpsProject)
	must(sts.Table("plain").Load())
	d := get(tunnel.NewTunnel(sts).CreateDownloadSession(odpsProject, "plain"))
	equal("STS through the tunnel", show(readAll(get(d.OpenRecordReader(0, 20, nil)))), rowsOf(0, 20))
	equal("every kind of character", names(o.Tables(), odps.TableFilter.NamePrefix("a+b c&d=é%25'")), "")
}

func goDropTables(o *odps.Odps) {
	for _, t := range []string{"plain", "parted", "typed"} {
		must(o.Tables().Delete(t, false))
	}
	equal("all tables dropped", names(o.Tables()), "")
}
