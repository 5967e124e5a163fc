import com.alicloud.openservices.tablestore.SyncClient;
import com.alicloud.openservices.tablestore.TableStoreException;
import com.alicloud.openservices.tablestore.TunnelClient;
import com.alicloud.openservices.tablestore.model.*;
import com.alicloud.openservices.tablestore.model.condition.CompositeColumnValueCondition;
import com.alicloud.openservices.tablestore.model.condition.SingleColumnValueCondition;
import com.alicloud.openservices.tablestore.model.filter.ColumnPaginationFilter;
import com.alicloud.openservices.tablestore.model.filter.CompositeColumnValueFilter;
import com.alicloud.openservices.tablestore.model.filter.Filter;
import com.alicloud.openservices.tablestore.model.filter.SingleColumnValueFilter;
import com.alicloud.openservices.tablestore.model.filter.SingleColumnValueFilter.CompareOperator;
import com.alicloud.openservices.tablestore.model.tunnel.CreateTunnelRequest;
import com.alicloud.openservices.tablestore.model.tunnel.DeleteTunnelRequest;
import com.alicloud.openservices.tablestore.model.tunnel.DescribeTunnelRequest;
import com.alicloud.openservices.tablestore.model.tunnel.DescribeTunnelResponse;
import com.alicloud.openservices.tablestore.model.tunnel.ListTunnelRequest;
import com.alicloud.openservices.tablestore.model.tunnel.TunnelInfo;
import com.alicloud.openservices.tablestore.model.tunnel.TunnelStage;
import com.alicloud.openservices.tablestore.model.tunnel.TunnelType;
import com.alicloud.openservices.tablestore.tunnel.worker.IChannelProcessor;
import com.alicloud.openservices.tablestore.tunnel.worker.ProcessRecordsInput;
import com.alicloud.openservices.tablestore.tunnel.worker.TunnelWorker;
import com.alicloud.openservices.tablestore.tunnel.worker.TunnelWorkerConfig;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/** Every API of the emulator's Tablestore that the unmodified Java SDK has. */
public final class EmulatorTablestore {
    static final String T = "sdk_java";
    static final SyncClient C = Tablestore.client("demo");

    static void command(String json) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(Tablestore.ENDPOINT + "/__mc/command").openConnection();
        c.setRequestMethod("POST");
        c.setDoOutput(true);
        c.getOutputStream().write(("{\"service\":\"tablestore\"," + json + "}").getBytes(StandardCharsets.UTF_8));
        if (c.getResponseCode() != 200)
            throw new IllegalStateException(json + ": " + c.getResponseCode());
    }

    static void refused(String name, String code, Checks.Call call) {
        try {
            call.run();
        } catch (TableStoreException e) {
            Checks.ok(name, code.equals(e.getErrorCode()) && e.getRequestId() != null, e.getErrorCode() + " " + e.getMessage() + ", want " + code);
            return;
        } catch (Exception e) {
            Checks.ok(name, false, e);
            return;
        }
        Checks.ok(name, false, "was not refused");
    }

    static PrimaryKey key(String k, long n) {
        return PrimaryKeyBuilder.createPrimaryKeyBuilder().addPrimaryKeyColumn("k", PrimaryKeyValue.fromString(k))
                .addPrimaryKeyColumn("n", PrimaryKeyValue.fromLong(n)).build();
    }

    static CreateTableRequest table(String name, int versions) {
        TableMeta meta = new TableMeta(name);
        meta.addPrimaryKeyColumn("k", PrimaryKeyType.STRING);
        meta.addPrimaryKeyColumn("n", PrimaryKeyType.INTEGER);
        return new CreateTableRequest(meta, new TableOptions(-1, versions), new ReservedThroughput(0, 0));
    }

    static RowPutChange put(String table, String k, long n, RowExistenceExpectation expect, Object... columns) {
        RowPutChange change = new RowPutChange(table, key(k, n));
        change.setCondition(new Condition(expect));
        for (int i = 0; i < columns.length; i += 2)
            change.addColumn((String) columns[i], value(columns[i + 1]));
        return change;
    }

    static void write(String table, String k, long n, Object... columns) {
        C.putRow(new PutRowRequest(put(table, k, n, RowExistenceExpectation.IGNORE, columns)));
    }

    static ColumnValue value(Object v) {
        return v instanceof Long ? ColumnValue.fromLong((Long) v) : v instanceof Double ? ColumnValue.fromDouble((Double) v)
                : v instanceof Boolean ? ColumnValue.fromBoolean((Boolean) v) : v instanceof byte[] ? ColumnValue.fromBinary((byte[]) v)
                : ColumnValue.fromString((String) v);
    }

    static SingleRowQueryCriteria query(String table, String k, long n, int versions) {
        SingleRowQueryCriteria q = new SingleRowQueryCriteria(table, key(k, n));
        if (versions > 0)
            q.setMaxVersions(versions);
        return q;
    }

    static String get(SingleRowQueryCriteria q) {
        return text(C.getRow(new GetRowRequest(q)).getRow());
    }

    static String text(Row row) {
        if (row == null)
            return null;
        StringBuilder out = new StringBuilder();
        for (Column c : row.getColumns())
            out.append(out.length() > 0 ? " " : "").append(c.getName()).append('=')
                    .append(c.getValue().getType() == ColumnType.BINARY ? Arrays.toString(c.getValue().asBinary()) : c.getValue().toString());
        return out.toString();
    }

    static void tables() {
        CreateTableRequest request = table(T, 3);
        request.getTableMeta().addDefinedColumn("d", DefinedColumnType.DOUBLE);
        C.createTable(request);
        DescribeTableResponse d = C.describeTable(new DescribeTableRequest(T));
        Checks.equal("key", d.getTableMeta().getPrimaryKeyMap().toString(), request.getTableMeta().getPrimaryKeyMap().toString());
        Checks.equal("defined columns", d.getTableMeta().getDefinedColumnsList().toString(), request.getTableMeta().getDefinedColumnsList().toString());
        Checks.equal("versions", d.getTableOptions().getMaxVersions(), 3);
        Checks.equal("deviation", d.getTableOptions().getMaxTimeDeviation(), 86400L);
        Checks.ok("made just now", Math.abs(d.getCreationTime() / 1000 - System.currentTimeMillis()) < 3600000L, d.getCreationTime());
        Checks.ok("listed", C.listTable().getTableNames().contains(T));
        UpdateTableRequest update = new UpdateTableRequest(T);
        update.setTableOptionsForUpdate(new TableOptions(-1, 5));
        Checks.equal("updated", C.updateTable(update).getTableOptions().getMaxVersions(), 5);
        AddDefinedColumnRequest add = new AddDefinedColumnRequest();
        add.setTableName(T);
        add.addDefinedColumn("e", DefinedColumnType.STRING);
        C.addDefinedColumn(add);
        DeleteDefinedColumnRequest drop = new DeleteDefinedColumnRequest();
        drop.setTableName(T);
        drop.addDefinedColumn("d");
        C.deleteDefinedColumn(drop);
        Checks.equal("defined columns changed", C.describeTable(new DescribeTableRequest(T)).getTableMeta().getDefinedColumnsList().get(0).getName(), "e");
        refused("twice", "OTSObjectAlreadyExist", () -> C.createTable(table(T, 1)));
        refused("missing", "OTSObjectNotExist", () -> C.describeTable(new DescribeTableRequest("sdk_none")));
        C.createTable(table("sdk_java_gone", 1));
        C.deleteTable(new DeleteTableRequest("sdk_java_gone"));
        refused("deleted", "OTSObjectNotExist", () -> C.deleteTable(new DeleteTableRequest("sdk_java_gone")));
    }

    static void rows() {
        C.putRow(new PutRowRequest(put(T, "values", Long.MIN_VALUE, RowExistenceExpectation.EXPECT_NOT_EXIST, "b", new byte[] {0, -1}, "d", -1.5e-300,
                "i", Long.MAX_VALUE, "s", "中文 é 🎉\0", "t", true)));
        Checks.equal("every type", get(query(T, "values", Long.MIN_VALUE, 1)), "b=[0, -1] d=-1.5E-300 i=9223372036854775807 s=中文 é 🎉\0 t=true");
        SingleRowQueryCriteria q = query(T, "values", Long.MIN_VALUE, 1);
        q.addColumnsToGet(new String[] {"d", "none"});
        Checks.equal("some columns", get(q), "d=-1.5E-300");
        q = query(T, "values", Long.MIN_VALUE, 1);
        q.setStartColumn("d");
        q.setEndColumn("s");
        Checks.equal("slice", get(q), "d=-1.5E-300 i=9223372036854775807");
        q = query(T, "values", Long.MIN_VALUE, 1);
        q.setFilter(new ColumnPaginationFilter(2, 1));
        Checks.equal("pagination", get(q), "d=-1.5E-300 i=9223372036854775807");
        Checks.equal("missing row", get(query(T, "values", 1, 1)), null);
        write(T, "é", 1, "größe", 1L);
        Checks.equal("names of any letters", get(query(T, "é", 1, 1)), "größe=1");
        C.deleteRow(new DeleteRowRequest(new RowDeleteChange(T, key("é", 1))));
        Checks.equal("deleted", get(query(T, "é", 1, 1)), null);
        refused("wrong key", "OTSInvalidPK", () -> C.deleteRow(new DeleteRowRequest(new RowDeleteChange(T,
                PrimaryKeyBuilder.createPrimaryKeyBuilder().addPrimaryKeyColumn("k", PrimaryKeyValue.fromString("a")).build()))));
        refused("too long a value", "OTSParameterInvalid", () -> write(T, "big", 1, "x", new String(new char[2097153]).replace('\0', 'x')));
    }

    static void versions() {
        long now = System.currentTimeMillis();
        RowPutChange change = new RowPutChange(T, key("versions", 1));
        for (long i = 0; i < 4; i++)
            change.addColumn("a", ColumnValue.fromLong(i), now - 1000 * i);
        C.putRow(new PutRowRequest(change));
        Checks.equal("all", get(query(T, "versions", 1, 9)), "a=0 a=1 a=2 a=3");
        SingleRowQueryCriteria q = query(T, "versions", 1, 9);
        q.setTimeRange(new TimeRange(now - 2000, now));
        Checks.equal("time range", get(q), "a=1 a=2");
        q = query(T, "versions", 1, 0);
        q.setTimestamp(now - 3000);
        Checks.equal("one instant", get(q), "a=3");
        RowUpdateChange update = new RowUpdateChange(T, key("versions", 1));
        update.deleteColumn("a", now - 1000).put("b", ColumnValue.fromString("new"));
        C.updateRow(new UpdateRowRequest(update));
        Checks.equal("one deleted", get(query(T, "versions", 1, 9)), "a=0 a=2 a=3 b=new");
        C.updateRow(new UpdateRowRequest(new RowUpdateChange(T, key("versions", 1)).deleteColumns("a")));
        Checks.equal("all deleted", get(query(T, "versions", 1, 9)), "b=new");
        refused("no condition on versions", "OTSParameterInvalid", () -> C.updateRow(new UpdateRowRequest(
                new RowUpdateChange(T, key("versions", 1)).put("a", ColumnValue.fromLong(1), now + 90000000000L))));
    }

    static SingleColumnValueFilter one(String name, CompareOperator op, Object v) {
        return new SingleColumnValueFilter(name, op, value(v));
    }

    static void conditions() {
        refused("expects a row", "OTSConditionCheckFail", () -> C.putRow(new PutRowRequest(put(T, "cond", 1, RowExistenceExpectation.EXPECT_EXIST))));
        C.putRow(new PutRowRequest(put(T, "cond", 1, RowExistenceExpectation.EXPECT_NOT_EXIST, "a", 5L, "s", "text")));
        refused("expects none", "OTSConditionCheckFail", () -> C.putRow(new PutRowRequest(put(T, "cond", 1, RowExistenceExpectation.EXPECT_NOT_EXIST))));
        Map<Filter, Boolean> table = new java.util.LinkedHashMap<>();
        table.put(one("a", CompareOperator.EQUAL, 5L), true);
        table.put(one("a", CompareOperator.NOT_EQUAL, 5L), false);
        table.put(one("a", CompareOperator.GREATER_THAN, 4L), true);
        table.put(one("a", CompareOperator.GREATER_EQUAL, 6L), false);
        table.put(one("a", CompareOperator.LESS_THAN, 6L), true);
        table.put(one("a", CompareOperator.LESS_EQUAL, 4L), false);
        table.put(one("a", CompareOperator.EQUAL, "5"), false);
        table.put(one("none", CompareOperator.EQUAL, 1L), true);
        table.put(one("none", CompareOperator.EQUAL, 1L).setPassIfMissing(false), false);
        table.put(new CompositeColumnValueFilter(CompositeColumnValueFilter.LogicOperator.AND).addFilter(one("a", CompareOperator.EQUAL, 5L))
                .addFilter(one("s", CompareOperator.EQUAL, "text")), true);
        table.put(new CompositeColumnValueFilter(CompositeColumnValueFilter.LogicOperator.OR).addFilter(one("a", CompareOperator.EQUAL, 6L))
                .addFilter(one("s", CompareOperator.EQUAL, "no")), false);
        table.put(new CompositeColumnValueFilter(CompositeColumnValueFilter.LogicOperator.NOT).addFilter(one("a", CompareOperator.EQUAL, 6L)), true);
        int i = 0;
        for (Map.Entry<Filter, Boolean> e : table.entrySet()) {
            SingleRowQueryCriteria q = query(T, "cond", 1, 1);
            q.setFilter(e.getKey());
            Checks.equal("filter " + i++, get(q) != null, e.getValue());
        }
        RowUpdateChange update = new RowUpdateChange(T, key("cond", 1)).put("hit", ColumnValue.fromLong(1));
        Condition condition = new Condition(RowExistenceExpectation.EXPECT_EXIST);
        condition.setColumnCondition(new SingleColumnValueCondition("a", SingleColumnValueCondition.CompareOperator.EQUAL, ColumnValue.fromLong(6)));
        update.setCondition(condition);
        refused("column condition", "OTSConditionCheckFail", () -> C.updateRow(new UpdateRowRequest(update)));
        condition.setColumnCondition(new CompositeColumnValueCondition(CompositeColumnValueCondition.LogicOperator.NOT).addCondition(condition.getColumnCondition()));
        C.updateRow(new UpdateRowRequest(update));
        Checks.equal("its opposite", get(query(T, "cond", 1, 1)), "a=5 hit=1 s=text");
    }

    static void counters() {
        RowUpdateChange update = new RowUpdateChange(T, key("counter", 1)).increment(new Column("c", ColumnValue.fromLong(7)));
        update.setReturnType(ReturnType.RT_AFTER_MODIFY);
        update.addReturnColumn("c");
        C.updateRow(new UpdateRowRequest(update));
        Checks.equal("new value", text(C.updateRow(new UpdateRowRequest(update)).getRow()), "c=14");
        TableMeta meta = new TableMeta("sdk_java_auto");
        meta.addPrimaryKeyColumn("k", PrimaryKeyType.STRING);
        meta.addPrimaryKeyColumn("id", PrimaryKeyType.INTEGER, PrimaryKeyOption.AUTO_INCREMENT);
        C.createTable(new CreateTableRequest(meta, new TableOptions(-1, 1), new ReservedThroughput(0, 0)));
        long last = -1;
        for (int i = 0; i < 3; i++) {
            RowPutChange change = new RowPutChange("sdk_java_auto", PrimaryKeyBuilder.createPrimaryKeyBuilder()
                    .addPrimaryKeyColumn("k", PrimaryKeyValue.fromString("a")).addPrimaryKeyColumn("id", PrimaryKeyValue.AUTO_INCREMENT).build());
            change.setReturnType(ReturnType.RT_PK);
            long id = C.putRow(new PutRowRequest(change)).getRow().getPrimaryKey().getPrimaryKeyColumn("id").getValue().asLong();
            Checks.ok("auto-increment rises", id > last, id);
            last = id;
        }
    }

    static void batches() {
        BatchWriteRowRequest request = new BatchWriteRowRequest();
        for (long i = 0; i < 100; i++)
            request.addRowChange(put(T, "batch", i, i == 50 ? RowExistenceExpectation.EXPECT_EXIST : RowExistenceExpectation.IGNORE, "v", i));
        BatchWriteRowResponse response = C.batchWriteRow(request);
        Checks.equal("one of them fails", response.getFailedRows().size() + " " + response.getFailedRows().get(0).getIndex() + " "
                + response.getFailedRows().get(0).getError().getCode(), "1 50 OTSConditionCheckFail");
        MultiRowQueryCriteria q = new MultiRowQueryCriteria(T);
        q.setMaxVersions(1);
        for (long n : new long[] {3, 50, 1})
            q.addRow(key("batch", n));
        BatchGetRowRequest batch = new BatchGetRowRequest();
        batch.addMultiRowQueryCriteria(q);
        List<String> got = new ArrayList<>();
        for (BatchGetRowResponse.RowResult r : C.batchGetRow(batch).getBatchGetRowResult(T))
            got.add(text(r.getRow()));
        Checks.equal("in order, one is missing", got, Arrays.asList("v=3", null, "v=1"));
        BulkImportRequest bulk = new BulkImportRequest(T);
        bulk.addRowChange(put(T, "bulk", 1, RowExistenceExpectation.IGNORE, "v", 1L));
        try {
            Checks.ok("bulk import", C.bulkImport(bulk).isAllSucceed());
        } catch (TableStoreException e) {
            Checks.equal("bulk import is not offered", e.getErrorCode(), "OTSParameterInvalid");
        }
    }

    static void ranges() throws Exception {
        String range = "sdk_java_range";
        C.createTable(table(range, 1));
        String filler = new String(new char[200]).replace('\0', 'x');
        for (long start = 0; start < 6000; start += 200) {
            BatchWriteRowRequest request = new BatchWriteRowRequest();
            for (long i = start; i < start + 200; i++)
                request.addRowChange(put(range, String.format("k%04d", i / 10), i, RowExistenceExpectation.IGNORE, "v", filler));
            C.batchWriteRow(request);
        }
        List<Long> seen = new ArrayList<>();
        Tablestore.scan(C, range, 1, Direction.FORWARD, r -> seen.add(r.getPrimaryKey().getPrimaryKeyColumn("n").getValue().asLong()));
        List<Long> back = new ArrayList<>();
        Tablestore.scan(C, range, 1, Direction.BACKWARD, r -> back.add(0, r.getPrimaryKey().getPrimaryKeyColumn("n").getValue().asLong()));
        Checks.ok("both directions", seen.size() == 6000 && seen.equals(back) && seen.get(5999) == 5999, seen.size() + " " + back.size());
        RangeIteratorParameter parameter = new RangeIteratorParameter(range);
        parameter.setInclusiveStartPrimaryKey(key("k0001", 12));
        parameter.setExclusiveEndPrimaryKey(key("k0003", 0));
        parameter.setMaxVersions(1);
        parameter.setBufferSize(3);
        int n = 0;
        for (java.util.Iterator<Row> it = C.createRangeIterator(parameter); it.hasNext(); it.next())
            n++;
        Checks.equal("the SDK's iterator", n, 18);
        for (boolean prefix : new boolean[] {false, true}) {
            command("\"op\":\"set\",\"split_mib\":100000,\"split_prefix\":" + prefix);
            List<Split> splits = C.computeSplitsBySize(new ComputeSplitsBySizeRequest(range, 1, 1048576)).getSplits();
            int rows = 0;
            for (Split s : splits) {
                RangeRowQueryCriteria q = new RangeRowQueryCriteria(range);
                q.setMaxVersions(1);
                q.setExclusiveEndPrimaryKey(s.getUpperBound());
                for (PrimaryKey next = s.getLowerBound(); next != null;) {
                    q.setInclusiveStartPrimaryKey(next);
                    GetRangeResponse page = C.getRange(new GetRangeRequest(q));
                    rows += page.getRows().size();
                    next = page.getNextStartPrimaryKey();
                }
            }
            Checks.ok("splits tile the table", rows == 6000 && splits.size() > 1 && splits.get(0).getLocation().length() == 32, rows + " " + splits.size());
        }
        command("\"op\":\"set\",\"split_mib\":1048576,\"split_prefix\":true");
    }

    static void transactions() throws Exception {
        CreateTableRequest request = table("sdk_java_txn", 1);
        request.setLocalTxnEnabled(true);
        C.createTable(request);
        PrimaryKey partition = PrimaryKeyBuilder.createPrimaryKeyBuilder().addPrimaryKeyColumn("k", PrimaryKeyValue.fromString("a")).build();
        String id = C.startLocalTransaction(new StartLocalTransactionRequest("sdk_java_txn", partition)).getTransactionID();
        PutRowRequest inside = new PutRowRequest(put("sdk_java_txn", "a", 1, RowExistenceExpectation.IGNORE, "v", 1L));
        inside.setTransactionId(id);
        C.putRow(inside);
        GetRowRequest read = new GetRowRequest(query("sdk_java_txn", "a", 1, 1));
        read.setTransactionId(id);
        Checks.equal("seen inside", text(C.getRow(read).getRow()), "v=1");
        Checks.equal("not outside", get(query("sdk_java_txn", "a", 1, 1)), null);
        C.abortTransaction(new AbortTransactionRequest(id));
        Checks.equal("aborted", get(query("sdk_java_txn", "a", 1, 1)), null);
        id = C.startLocalTransaction(new StartLocalTransactionRequest("sdk_java_txn", partition)).getTransactionID();
        inside.setTransactionId(id);
        C.putRow(inside);
        C.commitTransaction(new CommitTransactionRequest(id));
        Checks.equal("committed", get(query("sdk_java_txn", "a", 1, 1)), "v=1");
        refused("no transactions here", "OTSParameterInvalid", () -> C.startLocalTransaction(new StartLocalTransactionRequest(T, partition)));
    }

    static String cells(List<RecordColumn> columns) {
        Map<String, String> out = new TreeMap<>();
        for (RecordColumn c : columns)
            out.put(c.getColumn().getName(), c.getColumnType() == RecordColumn.ColumnType.PUT ? "=" + c.getColumn().getValue()
                    : c.getColumnType() == RecordColumn.ColumnType.DELETE_ONE_VERSION ? "-" : "--");
        return out.toString();
    }

    static void streams() throws Exception {
        String table = "sdk_java_stream";
        CreateTableRequest request = table(table, 2);
        StreamSpecification spec = new StreamSpecification(true, 24);
        spec.addOriginColumnsToGet(new String[] {"i", "s"});
        request.setStreamSpecification(spec);
        C.createTable(request);
        StreamDetails details = C.describeTable(new DescribeTableRequest(table)).getStreamDetails();
        Checks.ok("details", details.isEnableStream() && details.getExpirationTime() == 24, details);
        String stream = C.listStream(new ListStreamRequest(table)).getStreams().get(0).getStreamId();
        Checks.equal("listed", stream, details.getStreamId());
        long now = System.currentTimeMillis();
        write(table, "a", 1, "i", 1L, "s", "x", "d", 0.5, "t", true);
        RowUpdateChange update = new RowUpdateChange(table, key("a", 1)).put("i", ColumnValue.fromLong(2)).deleteColumns("s").deleteColumn("d", now - 5);
        C.updateRow(new UpdateRowRequest(update));
        C.deleteRow(new DeleteRowRequest(new RowDeleteChange(table, key("a", 1))));
        List<StreamShard> shards = Tablestore.shards(C, stream, 0);
        List<StreamRecord> records = new ArrayList<>();
        Checks.ok("open", !Tablestore.read(C, stream, shards.get(0).getShardId(), 0, records));
        StringBuilder text = new StringBuilder();
        for (StreamRecord r : records)
            text.append(r.getRecordType()).append(cells(r.getColumns())).append(r.getOriginColumns() == null ? "[]" : cells(r.getOriginColumns())).append(' ');
        Checks.equal("records with pre-images", text.toString().replace("[]", "{}"),
                "PUT{d==0.5, i==1, s==x, t==true}{} UPDATE{d=-, i==2, s=--}{i==1, s==x} DELETE{}{i==2} ");
        List<StreamRecord> later = new ArrayList<>();
        Tablestore.read(C, stream, shards.get(0).getShardId(), records.get(2).getSequenceInfo().getTimestamp(), later);
        Checks.ok("from a time", !later.isEmpty() && later.get(later.size() - 1).getRecordType() == StreamRecord.RecordType.DELETE, later.size());
        command("\"op\":\"split_partition\",\"table\":\"" + table + "\",\"at\":\"m\"");
        write(table, "z", 1);
        command("\"op\":\"merge_partitions\",\"table\":\"" + table + "\",\"index\":0");
        write(table, "z", 2);
        shards = Tablestore.shards(C, stream, 1);
        StringBuilder family = new StringBuilder();
        for (StreamShard s : shards) {
            records.clear();
            boolean closed = Tablestore.read(C, stream, s.getShardId(), 0, records);
            for (String parent : new String[] {s.getParentId(), s.getParentSiblingId()})
                for (int i = 0; i < shards.size(); i++)
                    if (shards.get(i).getShardId().equals(parent))
                        family.append(i).append('>');
            family.append(records.size()).append(closed ? " " : "*");
        }
        Checks.equal("split and merge", family.toString(), "3 0>0 0>1 1>2>1*");
        command("\"op\":\"stream_set\",\"iterator_steps\":2");
        GetShardIteratorRequest seek = new GetShardIteratorRequest(stream, shards.get(3).getShardId());
        seek.setTimestamp(now * 1000);
        GetShardIteratorResponse answer = C.getShardIterator(seek);
        int steps = 0;
        for (; answer.getNextToken() != null; answer = C.getShardIterator(seek), steps++)
            seek.setToken(answer.getNextToken());
        command("\"op\":\"stream_set\",\"iterator_steps\":0");
        Checks.equal("a seek in steps", steps + " " + C.getStreamRecord(new GetStreamRecordRequest(answer.getShardIterator())).getRecords().size(), "2 1");
        GetStreamRecordRequest group = new GetStreamRecordRequest(answer.getShardIterator());
        group.setTableName(table);
        Checks.equal("more flag", C.getStreamRecord(group).getMayMoreRecord(), false);
        UpdateTableRequest off = new UpdateTableRequest(table);
        off.setStreamSpecification(new StreamSpecification(false));
        C.updateTable(off);
        refused("disabled", "OTSTrimmedDataAccess", () -> C.getStreamRecord(group));
    }

    static void wait(BooleanSupplier done) throws Exception {
        for (long end = System.currentTimeMillis() + 40000; !done.getAsBoolean() && System.currentTimeMillis() < end;)
            Thread.sleep(50);
    }

    static void tunnels() throws Exception {
        String table = "sdk_java_tunnel";
        C.createTable(table(table, 1));
        for (long i = 0; i < 30; i++)
            write(table, "k" + i % 10, i, "v", i);
        command("\"op\":\"split_partition\",\"table\":\"" + table + "\",\"at\":\"k5\"");
        TunnelClient t = new TunnelClient(Tablestore.ENDPOINT, Tablestore.ID, Tablestore.SECRET, "demo");
        t.setExtraHeaders(Tablestore.SINGLE);
        String id = t.createTunnel(new CreateTunnelRequest(table, "both", TunnelType.BaseAndStream)).getTunnelId();
        refused("twice", "OTSTunnelExist", () -> t.createTunnel(new CreateTunnelRequest(table, "both", TunnelType.Stream)));
        TunnelInfo info = t.listTunnel(new ListTunnelRequest(table)).getTunnelInfos().get(0);
        Checks.equal("listed", info.getTunnelId() + info.getTunnelType() + info.getStage(), id + "BaseAndStreamProcessBaseData");
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        TunnelWorkerConfig config = new TunnelWorkerConfig(new IChannelProcessor() {
            @Override
            public void process(ProcessRecordsInput input) {
                for (StreamRecord r : input.getRecords())
                    seen.merge(r.getRecordType() + " " + r.getPrimaryKey().getPrimaryKeyColumn("n").getValue().asLong(), 1, Integer::sum);
            }

            @Override
            public void shutdown() {
            }
        });
        config.setHeartbeatIntervalInSec(5);
        config.setCheckpointIntervalInMillis(1000);
        TunnelWorker worker = new TunnelWorker(id, t, config);
        worker.connectAndWorking();
        wait(() -> seen.size() >= 30);
        Checks.equal("base data", seen.size(), 30);
        DescribeTunnelRequest describe = new DescribeTunnelRequest(table, "both");
        wait(() -> t.describeTunnel(describe).getTunnelInfo().getStage() == TunnelStage.ProcessStream);
        write(table, "k1", 100);
        command("\"op\":\"split_partition\",\"table\":\"" + table + "\",\"at\":\"k2\"");
        C.deleteRow(new DeleteRowRequest(new RowDeleteChange(table, key("k3", 100))));
        command("\"op\":\"merge_partitions\",\"table\":\"" + table + "\",\"index\":1");
        write(table, "k3", 101);
        wait(() -> seen.size() >= 33);
        Checks.equal("changes over a split and a merge", seen.size() + " " + seen.get("DELETE 100") + " " + seen.get("PUT 101"), "33 1 1");
        DescribeTunnelResponse d = t.describeTunnel(describe);
        Checks.ok("channels", d.getChannelInfos().size() >= 6, d.getChannelInfos().size());
        worker.shutdown();
        t.deleteTunnel(new DeleteTunnelRequest(table, "both"));
        Checks.equal("deleted", t.listTunnel(new ListTunnelRequest(table)).getTunnelInfos().size(), 0);
        config.shutdown();
        t.shutdown();
    }

    static void signatures() {
        SyncClient v4 = Tablestore.clientV4("demo", "cn-hangzhou");
        Checks.ok("V4", v4.listTable().getTableNames().contains(T));
        v4.putRow(new PutRowRequest(put(T, "v4", 1, RowExistenceExpectation.IGNORE, "v", 4L)));
        Checks.equal("V4 write", get(query(T, "v4", 1, 1)), "v=4");
        v4.shutdown();
        SyncClient wrong = Tablestore.single(new SyncClient(Tablestore.ENDPOINT, Tablestore.ID, "wrong", "demo"));
        refused("wrong secret", "OTSAuthFailed", wrong::listTable);
        wrong.shutdown();
        SyncClient nowhere = Tablestore.client("nowhere");
        refused("unknown instance", "OTSAuthFailed", nowhere::listTable);
        nowhere.shutdown();
    }

    static void compression() {
        com.alicloud.openservices.tablestore.ClientConfiguration configuration = new com.alicloud.openservices.tablestore.ClientConfiguration();
        configuration.setEnableRequestCompression(true);
        configuration.setEnableResponseCompression(true);
        SyncClient c = Tablestore.single(new SyncClient(Tablestore.ENDPOINT, Tablestore.ID, Tablestore.SECRET, "demo", configuration));
        String text = new String(new char[100000]).replace('\0', 'x');
        c.putRow(new PutRowRequest(put(T, "deflate", 1, RowExistenceExpectation.IGNORE, "v", text)));
        Checks.ok("compressed both ways", c.getRow(new GetRowRequest(query(T, "deflate", 1, 1))).getRow().getColumns()[0].getValue().asString().equals(text));
        c.shutdown();
    }

    public static void main(String[] args) {
        Checks.section("tables", EmulatorTablestore::tables);
        Checks.section("rows", EmulatorTablestore::rows);
        Checks.section("versions", EmulatorTablestore::versions);
        Checks.section("conditions", EmulatorTablestore::conditions);
        Checks.section("counters", EmulatorTablestore::counters);
        Checks.section("batches", EmulatorTablestore::batches);
        Checks.section("ranges", EmulatorTablestore::ranges);
        Checks.section("transactions", EmulatorTablestore::transactions);
        Checks.section("streams", EmulatorTablestore::streams);
        Checks.section("tunnels", EmulatorTablestore::tunnels);
        Checks.section("signatures", EmulatorTablestore::signatures);
        Checks.section("compression", EmulatorTablestore::compression);
        C.shutdown();
        System.exit(0);
    }
}
