import com.alicloud.openservices.tablestore.SyncClient;
import com.alicloud.openservices.tablestore.TableStoreException;
import com.alicloud.openservices.tablestore.model.BatchGetRowRequest;
import com.alicloud.openservices.tablestore.model.BatchGetRowResponse;
import com.alicloud.openservices.tablestore.model.BatchWriteRowRequest;
import com.alicloud.openservices.tablestore.model.BatchWriteRowResponse;
import com.alicloud.openservices.tablestore.model.Column;
import com.alicloud.openservices.tablestore.model.ColumnValue;
import com.alicloud.openservices.tablestore.model.Condition;
import com.alicloud.openservices.tablestore.model.DeleteRowRequest;
import com.alicloud.openservices.tablestore.model.Direction;
import com.alicloud.openservices.tablestore.model.GetRowRequest;
import com.alicloud.openservices.tablestore.model.ListStreamRequest;
import com.alicloud.openservices.tablestore.model.MultiRowQueryCriteria;
import com.alicloud.openservices.tablestore.model.PrimaryKey;
import com.alicloud.openservices.tablestore.model.PrimaryKeyBuilder;
import com.alicloud.openservices.tablestore.model.PrimaryKeyColumn;
import com.alicloud.openservices.tablestore.model.PrimaryKeyValue;
import com.alicloud.openservices.tablestore.model.PutRowRequest;
import com.alicloud.openservices.tablestore.model.RecordColumn;
import com.alicloud.openservices.tablestore.model.Row;
import com.alicloud.openservices.tablestore.model.RowDeleteChange;
import com.alicloud.openservices.tablestore.model.RowExistenceExpectation;
import com.alicloud.openservices.tablestore.model.RowPutChange;
import com.alicloud.openservices.tablestore.model.RowUpdateChange;
import com.alicloud.openservices.tablestore.model.SingleRowQueryCriteria;
import com.alicloud.openservices.tablestore.model.StreamRecord;
import com.alicloud.openservices.tablestore.model.StreamShard;
import com.alicloud.openservices.tablestore.model.UpdateRowRequest;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** JSON lines to and from Tablestore; the formats are in ../README.md. */
public final class TablestoreData {
    static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    static PrintStream OUT;

    static byte[] unhex(String text) {
        byte[] out = new byte[text.length() / 2];
        for (int i = 0; i < out.length; i++)
            out[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        return out;
    }

    static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder(2 * bytes.length);
        for (byte b : bytes)
            out.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        return out.toString();
    }

    static ColumnValue value(JsonElement element) {
        JsonArray pair = element.getAsJsonArray();
        String text = pair.get(1).getAsString();
        switch (pair.get(0).getAsString()) {
        case "INTEGER":
            return ColumnValue.fromLong(Long.parseLong(text));
        case "DOUBLE":
            return ColumnValue.fromDouble(Double.longBitsToDouble(Long.parseUnsignedLong(text, 16)));
        case "BOOLEAN":
            return ColumnValue.fromBoolean(text.equals("true"));
        case "BINARY":
            return ColumnValue.fromBinary(unhex(text));
        default:
            return ColumnValue.fromString(text);
        }
    }

    static PrimaryKeyValue keyValue(JsonElement element) {
        switch (element.getAsJsonArray().get(0).getAsString()) {
        case "AUTO_INCREMENT":
            return PrimaryKeyValue.AUTO_INCREMENT;
        case "INF_MIN":
            return PrimaryKeyValue.INF_MIN;
        case "INF_MAX":
            return PrimaryKeyValue.INF_MAX;
        default:
            return PrimaryKeyValue.fromColumn(value(element));
        }
    }

    static PrimaryKey key(JsonObject row) {
        PrimaryKeyBuilder key = PrimaryKeyBuilder.createPrimaryKeyBuilder();
        for (JsonElement k : row.getAsJsonArray("key"))
            key.addPrimaryKeyColumn(k.getAsJsonArray().get(0).getAsString(), keyValue(k.getAsJsonArray().get(1)));
        return key.build();
    }

    static JsonArray array(Object... members) {
        JsonArray out = new JsonArray();
        for (Object m : members)
            out.add(m == null ? JsonNull.INSTANCE : m instanceof JsonElement ? (JsonElement) m
                    : m instanceof Number ? new JsonPrimitive((Number) m) : new JsonPrimitive((String) m));
        return out;
    }

    static JsonArray canonical(ColumnValue v) {
        switch (v.getType()) {
        case INTEGER:
            return array("INTEGER", Long.toString(v.asLong()));
        case DOUBLE:
            return array("DOUBLE", String.format("%016x", Double.doubleToRawLongBits(v.asDouble())));
        case BOOLEAN:
            return array("BOOLEAN", Boolean.toString(v.asBoolean()));
        case BINARY:
            return array("BINARY", hex(v.asBinary()));
        default:
            return array("STRING", v.asString());
        }
    }

    static JsonObject row(PrimaryKey pk) {
        JsonObject out = new JsonObject();
        JsonArray key = new JsonArray();
        try {
            for (PrimaryKeyColumn k : pk.getPrimaryKeyColumns())
                key.add(array(k.getName(), canonical(k.getValue().toColumnValue())));
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
        out.add("key", key);
        return out;
    }

    static Condition condition(JsonObject row) {
        JsonElement expect = row.get("expect");
        return new Condition(expect == null || expect.isJsonNull() ? RowExistenceExpectation.IGNORE
                : expect.getAsString().equals("exist") ? RowExistenceExpectation.EXPECT_EXIST : RowExistenceExpectation.EXPECT_NOT_EXIST);
    }

    static RowPutChange put(String table, JsonObject row) {
        RowPutChange change = new RowPutChange(table, key(row));
        change.setCondition(condition(row));
        for (JsonElement e : row.getAsJsonArray("cells")) {
            JsonArray c = e.getAsJsonArray();
            if (c.get(2).isJsonNull())
                change.addColumn(c.get(0).getAsString(), value(c.get(1)));
            else
                change.addColumn(c.get(0).getAsString(), value(c.get(1)), c.get(2).getAsLong());
        }
        return change;
    }

    static RowUpdateChange update(String table, JsonObject row) {
        RowUpdateChange change = new RowUpdateChange(table, key(row));
        change.setCondition(condition(row));
        for (JsonElement e : row.getAsJsonArray("cells")) {
            JsonArray c = e.getAsJsonArray();
            String name = c.get(0).getAsString();
            switch (c.get(3).getAsString()) {
            case "delete_all":
                change.deleteColumns(name);
                break;
            case "delete_one":
                change.deleteColumn(name, c.get(2).getAsLong());
                break;
            case "increment":
                change.increment(new Column(name, value(c.get(1))));
                break;
            default:
                if (c.get(2).isJsonNull())
                    change.put(name, value(c.get(1)));
                else
                    change.put(name, value(c.get(1)), c.get(2).getAsLong());
            }
        }
        return change;
    }

    static RowDeleteChange delete(String table, JsonObject row) {
        RowDeleteChange change = new RowDeleteChange(table, key(row));
        change.setCondition(condition(row));
        return change;
    }

    static void apply(SyncClient client, String table, JsonObject row) {
        switch (row.get("action").getAsString()) {
        case "put":
            client.putRow(new PutRowRequest(put(table, row)));
            break;
        case "update":
            client.updateRow(new UpdateRowRequest(update(table, row)));
            break;
        case "delete":
            client.deleteRow(new DeleteRowRequest(delete(table, row)));
            break;
        default:
            BatchWriteRowRequest request = new BatchWriteRowRequest();
            for (JsonElement e : row.getAsJsonArray("rows")) {
                JsonObject one = e.getAsJsonObject();
                String action = one.get("action").getAsString();
                request.addRowChange(action.equals("put") ? put(table, one) : action.equals("update") ? update(table, one) : delete(table, one));
            }
            for (BatchWriteRowResponse.RowResult r : client.batchWriteRow(request).getFailedRows())
                throw new TableStoreException(r.getError().getMessage(), null, r.getError().getCode(), "", 200);
        }
    }

    interface Line {
        void accept(JsonObject row);
    }

    /** Lines of JSON from standard input */
    static void lines(Line each) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;)
            each.accept(GSON.fromJson(line, JsonObject.class));
    }

    static void write(SyncClient client, String table, boolean report) throws Exception {
        lines(row -> {
            String code = null;
            try {
                apply(client, table, row);
            } catch (RuntimeException e) {
                if (!report)
                    throw e;
                code = e instanceof TableStoreException ? ((TableStoreException) e).getErrorCode() : e.getClass().getSimpleName();
            }
            if (report)
                OUT.println(GSON.toJson(code));
        });
    }

    static void print(Row r) {
        if (r == null) {
            OUT.println("null");
            return;
        }
        JsonObject row = row(r.getPrimaryKey());
        JsonArray cells = new JsonArray();
        for (Column c : r.getColumns())
            cells.add(array(c.getName(), canonical(c.getValue()), Long.toString(c.getTimestamp()), "put"));
        row.add("cells", cells);
        OUT.println(GSON.toJson(row));
    }

    static void get(SyncClient client, String table, int versions) throws Exception {
        lines(row -> {
            SingleRowQueryCriteria query = new SingleRowQueryCriteria(table, key(row));
            query.setMaxVersions(versions);
            print(client.getRow(new GetRowRequest(query)).getRow());
        });
    }

    static void batch(SyncClient client, String table, int versions) throws Exception {
        MultiRowQueryCriteria query = new MultiRowQueryCriteria(table);
        query.setMaxVersions(versions);
        lines(row -> query.addRow(key(row)));
        BatchGetRowRequest request = new BatchGetRowRequest();
        request.addMultiRowQueryCriteria(query);
        for (BatchGetRowResponse.RowResult r : client.batchGetRow(request).getBatchGetRowResult(table)) {
            if (!r.isSucceed())
                throw new IllegalStateException(r.getError().toString());
            print(r.getRow());
        }
    }

    static JsonObject record(StreamRecord r) {
        JsonObject row = row(r.getPrimaryKey());
        JsonArray cells = new JsonArray();
        row.addProperty("action", r.getRecordType().name().toLowerCase());
        for (RecordColumn c : r.getColumns()) {
            String name = c.getColumn().getName();
            switch (c.getColumnType()) {
            case PUT:
                cells.add(array(name, canonical(c.getColumn().getValue()), Long.toString(c.getColumn().getTimestamp()), "put"));
                break;
            case DELETE_ONE_VERSION:
                cells.add(array(name, null, Long.toString(c.getColumn().getTimestamp()), "delete_one"));
                break;
            default:
                cells.add(array(name, null, null, "delete_all"));
            }
        }
        row.add("cells", cells);
        row.add("sequence", array(r.getSequenceInfo().getEpoch(), r.getSequenceInfo().getTimestamp(), r.getSequenceInfo().getRowIndex()));
        return row;
    }

    /** Every record of the stream, shard after shard, parents first */
    static void stream(SyncClient client, String table) throws Exception {
        String stream = client.listStream(new ListStreamRequest(table)).getStreams().get(0).getStreamId();
        for (StreamShard shard : Tablestore.shards(client, stream, 0)) {
            List<StreamRecord> records = new ArrayList<>();
            Tablestore.read(client, stream, shard.getShardId(), 0, records);
            for (StreamRecord r : records)
                OUT.println(GSON.toJson(record(r)));
        }
    }

    public static void main(String[] args) throws Exception {
        SyncClient client = Tablestore.client(args[1]);
        int versions = args.length > 3 && args[3].matches("[0-9]+") ? Integer.parseInt(args[3]) : 1;
        OUT = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, "UTF-8");
        try {
            switch (args[0]) {
            case "write":
                write(client, args[2], args.length > 3);
                break;
            case "read":
                Tablestore.scan(client, args[2], versions, Direction.FORWARD, TablestoreData::print);
                break;
            case "get":
                get(client, args[2], versions);
                break;
            case "batch":
                batch(client, args[2], versions);
                break;
            default:
                stream(client, args[2]);
            }
        } finally {
            OUT.flush();
            client.shutdown();      // else its threads go on
        }
    }
}
