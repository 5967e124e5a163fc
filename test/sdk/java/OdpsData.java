import com.aliyun.odps.Column;
import com.aliyun.odps.Odps;
import com.aliyun.odps.TableSchema;
import com.aliyun.odps.data.ArrayRecord;
import com.aliyun.odps.data.Binary;
import com.aliyun.odps.data.Char;
import com.aliyun.odps.data.IntervalDayTime;
import com.aliyun.odps.data.IntervalYearMonth;
import com.aliyun.odps.data.Record;
import com.aliyun.odps.data.RecordWriter;
import com.aliyun.odps.data.SimpleJsonValue;
import com.aliyun.odps.data.SimpleStruct;
import com.aliyun.odps.data.Struct;
import com.aliyun.odps.data.Varchar;
import com.aliyun.odps.tunnel.TableTunnel;
import com.aliyun.odps.tunnel.io.TunnelRecordReader;
import com.aliyun.odps.type.ArrayTypeInfo;
import com.aliyun.odps.type.CharTypeInfo;
import com.aliyun.odps.type.MapTypeInfo;
import com.aliyun.odps.type.StructTypeInfo;
import com.aliyun.odps.type.TypeInfo;
import com.aliyun.odps.type.VarcharTypeInfo;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON lines to and from MaxCompute; the canonical values are in ../README.md. */
public final class OdpsData {
    static byte[] unhex(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++)
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return bytes;
    }

    static String hex(byte[] bytes) {
        StringBuilder s = new StringBuilder();
        for (byte b : bytes)
            s.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        return s.toString();
    }

    static Object toJava(JsonElement v, TypeInfo t) {
        if (v.isJsonNull())
            return null;
        switch (t.getOdpsType()) {
            case ARRAY: {
                List<Object> list = new ArrayList<>();
                for (JsonElement e : v.getAsJsonArray())
                    list.add(toJava(e, ((ArrayTypeInfo) t).getElementTypeInfo()));
                return list;
            }
            case MAP: {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (JsonElement e : v.getAsJsonArray())
                    map.put(toJava(e.getAsJsonArray().get(0), ((MapTypeInfo) t).getKeyTypeInfo()),
                        toJava(e.getAsJsonArray().get(1), ((MapTypeInfo) t).getValueTypeInfo()));
                return map;
            }
            case STRUCT: {
                StructTypeInfo s = (StructTypeInfo) t;
                List<Object> list = new ArrayList<>();
                for (int i = 0; i < s.getFieldCount(); i++)
                    list.add(toJava(v.getAsJsonArray().get(i), s.getFieldTypeInfos().get(i)));
                return new SimpleStruct(s, list);
            }
            default:
                return scalar(v.getAsString(), t);
        }
    }

    static Instant instant(String text) {
        String[] parts = text.split(":");
        return Instant.ofEpochSecond(Long.parseLong(parts[0]), Long.parseLong(parts[1]));
    }

    static Object scalar(String v, TypeInfo t) {
        switch (t.getOdpsType()) {
            case TINYINT: return Byte.valueOf(v);
            case SMALLINT: return Short.valueOf(v);
            case INT: return Integer.valueOf(v);
            case BIGINT: return Long.valueOf(v);
            case FLOAT: return v.equals("nan") ? Float.NaN : Float.intBitsToFloat(Integer.parseUnsignedInt(v, 16));
            case DOUBLE: return v.equals("nan") ? Double.NaN : Double.longBitsToDouble(Long.parseUnsignedLong(v, 16));
            case DECIMAL: return new BigDecimal(v);
            case BOOLEAN: return Boolean.valueOf(v);
            case BINARY: return new Binary(unhex(v));
            case CHAR: return new Char(v, ((CharTypeInfo) t).getLength());
            case VARCHAR: return new Varchar(v, ((VarcharTypeInfo) t).getLength());
            case DATE: return LocalDate.ofEpochDay(Long.parseLong(v));
            case DATETIME: return ZonedDateTime.ofInstant(Instant.ofEpochMilli(Long.parseLong(v)), ZoneOffset.UTC);
            case TIMESTAMP: return instant(v);
            case TIMESTAMP_NTZ: return LocalDateTime.ofInstant(instant(v), ZoneOffset.UTC);
            case INTERVAL_YEAR_MONTH: return new IntervalYearMonth(Integer.parseInt(v));
            case INTERVAL_DAY_TIME: {
                Instant i = instant(v);
                // seconds and nanoseconds of this class have one sign
                long seconds = i.getEpochSecond();
                int nanos = i.getNano();
                return seconds < 0 && nanos > 0 ? new IntervalDayTime(seconds + 1, nanos - 1000000000) : new IntervalDayTime(seconds, nanos);
            }
            case JSON: return new SimpleJsonValue(v);
            default: return v;
        }
    }

    static JsonElement text(Object v) {
        return new JsonPrimitive(String.valueOf(v));
    }

    static JsonElement time(long seconds, int nanos) {
        return text(Math.addExact(seconds, Math.floorDiv(nanos, 1000000000)) + ":" + String.format("%09d", Math.floorMod(nanos, 1000000000)));
    }

    static JsonElement fromJava(Object v, TypeInfo t) {
        if (v == null)
            return JsonNull.INSTANCE;
        JsonArray list = new JsonArray();
        switch (t.getOdpsType()) {
            case ARRAY:
                for (Object o : (List<?>) v)
                    list.add(fromJava(o, ((ArrayTypeInfo) t).getElementTypeInfo()));
                return list;
            case MAP:
                for (Map.Entry<?, ?> e : ((Map<?, ?>) v).entrySet()) {
                    JsonArray pair = new JsonArray();
                    pair.add(fromJava(e.getKey(), ((MapTypeInfo) t).getKeyTypeInfo()));
                    pair.add(fromJava(e.getValue(), ((MapTypeInfo) t).getValueTypeInfo()));
                    list.add(pair);
                }
                return list;
            case STRUCT:
                for (int i = 0; i < ((Struct) v).getFieldCount(); i++)
                    list.add(fromJava(((Struct) v).getFieldValue(i), ((StructTypeInfo) t).getFieldTypeInfos().get(i)));
                return list;
            case FLOAT: return text(((Float) v).isNaN() ? "nan" : String.format("%08x", Float.floatToRawIntBits((Float) v)));
            case DOUBLE: return text(((Double) v).isNaN() ? "nan" : String.format("%016x", Double.doubleToRawLongBits((Double) v)));
            case DECIMAL: return text(((BigDecimal) v).toPlainString());
            case BINARY: return text(hex(v instanceof byte[] ? (byte[]) v : ((Binary) v).data()));
            case STRING: return text(v instanceof byte[] ? new String((byte[]) v, StandardCharsets.UTF_8) : v);
            case CHAR: return text(v instanceof Char ? ((Char) v).getValue() : v);
            case VARCHAR: return text(v instanceof Varchar ? ((Varchar) v).getValue() : v);
            case DATE: return text(((LocalDate) v).toEpochDay());
            case DATETIME: return text(((ZonedDateTime) v).toInstant().toEpochMilli());
            case TIMESTAMP: return time(((Instant) v).getEpochSecond(), ((Instant) v).getNano());
            case TIMESTAMP_NTZ: return time(((LocalDateTime) v).toEpochSecond(ZoneOffset.UTC), ((LocalDateTime) v).getNano());
            case INTERVAL_YEAR_MONTH: return text(((IntervalYearMonth) v).getTotalMonths());
            case INTERVAL_DAY_TIME: return time(((IntervalDayTime) v).getTotalSeconds(), ((IntervalDayTime) v).getNanos());
            default: return text(v);
        }
    }

    static void write(Odps odps, String project, String table, String coding) throws Exception {
        TableTunnel.UploadSession session = new TableTunnel(odps).createUploadSession(project, table);
        TableSchema schema = session.getSchema();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (RecordWriter writer = session.openRecordWriter(0, OdpsClient.coding(coding))) {
            for (String line; (line = in.readLine()) != null; ) {
                JsonArray row = JsonParser.parseString(line).getAsJsonArray();
                Record record = session.newRecord();
                for (int i = 0; i < schema.getColumns().size(); i++)
                    record.set(i, toJava(row.get(i), schema.getColumn(i).getTypeInfo()));
                writer.write(record);
            }
        }
        session.commit(new Long[] {0L});
    }

    static void read(Odps odps, String project, String table, String coding) throws Exception {
        TableTunnel.DownloadSession session = new TableTunnel(odps).createDownloadSession(project, table);
        Gson gson = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        if (session.getRecordCount() > 0) {
            try (TunnelRecordReader reader = session.openRecordReader(0, session.getRecordCount(), OdpsClient.coding(coding))) {
                for (Record record; (record = reader.read()) != null; ) {
                    JsonArray row = new JsonArray();
                    for (int i = 0; i < record.getColumnCount(); i++) {
                        Column c = record.getColumns()[i];
                        row.add(fromJava(record.get(i), c.getTypeInfo()));
                    }
                    out.println(gson.toJson(row));
                }
            }
        }
        out.flush();
    }

    public static void main(String[] args) throws Exception {
        Odps odps = OdpsClient.odps(args[1]);
        if (args[0].equals("write"))
            write(odps, args[1], args[2], args[3]);
        else
            read(odps, args[1], args[2], args[3]);
        System.exit(0);
    }
}
