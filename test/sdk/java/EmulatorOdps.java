import com.aliyun.odps.Column;
import com.aliyun.odps.Instance;
import com.aliyun.odps.Odps;
import com.aliyun.odps.OdpsException;
import com.aliyun.odps.PartitionSpec;
import com.aliyun.odps.Project;
import com.aliyun.odps.Schema;
import com.aliyun.odps.Table;
import com.aliyun.odps.TableFilter;
import com.aliyun.odps.TableSchema;
import com.aliyun.odps.data.ArrowRecordReader;
import com.aliyun.odps.data.ArrowRecordWriter;
import com.aliyun.odps.data.Record;
import com.aliyun.odps.data.RecordReader;
import com.aliyun.odps.data.RecordWriter;
import com.aliyun.odps.task.SQLTask;
import com.aliyun.odps.tunnel.InstanceTunnel;
import com.aliyun.odps.tunnel.TableTunnel;
import com.aliyun.odps.tunnel.io.CompressOption;
import com.aliyun.odps.tunnel.streams.UpsertStream;
import com.aliyun.odps.type.TypeInfoFactory;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.TreeSet;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;

/** Every API of the emulator's MaxCompute part, called by the unmodified Java SDK. */
public final class EmulatorOdps {
    static final String P = "sdk_java";
    static final Odps O = OdpsClient.odps(P);
    static final TableTunnel T = new TableTunnel(O);
    static final String[] CODINGS = {"none", "deflate", "lz4", "snappy"};

    /** A control command of the emulator */
    static void command(String json) throws Exception {
        HttpURLConnection c = (HttpURLConnection) URI.create("http://127.0.0.1:" + System.getenv("MC_LOGHUB_PORT") + "/__mc/command").toURL().openConnection();
        c.setDoOutput(true);
        try (OutputStream out = c.getOutputStream()) {
            out.write(json.getBytes(StandardCharsets.UTF_8));
        }
        if (c.getResponseCode() != 200)
            throw new IllegalStateException(json + ": " + c.getResponseCode());
    }

    static void refused(String name, String code, Checks.Call call) {
        try {
            call.run();
            Checks.ok(name, false, "was not refused");
        } catch (Exception e) {
            Throwable cause = e;
            while (!(cause instanceof OdpsException) && cause.getCause() != null)
                cause = cause.getCause();
            String seen = cause instanceof OdpsException ? String.valueOf(((OdpsException) cause).getErrorCode()) : cause.getClass().getSimpleName();
            boolean matches = false;
            for (String c : code.split("\\|"))
                matches |= seen.equals(c) || String.valueOf(cause.getMessage()).contains(c);
            Checks.ok(name, matches, seen + " (" + cause.getMessage() + "), want " + code);
        }
    }

    static void sql(String text) throws Exception {
        SQLTask.run(O, text).waitForSuccess();
    }

    static <X> List<X> list(Iterator<X> it) {
        List<X> all = new ArrayList<>();
        it.forEachRemaining(all::add);
        return all;
    }

    static void project() throws Exception {
        Project p = O.projects().get(P);
        p.reload();
        Checks.ok("project", p.getName().equals(P) && p.getOwner() != null && p.getCreatedTime() != null);
        Checks.ok("project exists", O.projects().exists(P) && !O.projects().exists("none"));
        Checks.ok("tunnel endpoint", p.getTunnelEndpoint().endsWith(":" + System.getenv("MC_MAXCOMPUTE_PORT")), p.getTunnelEndpoint());
    }

    static void tables() throws Exception {
        TableSchema schema = TableSchema.builder().withBigintColumn("a").withStringColumn("b").withDoubleColumn("c").build();
        O.tables().createTableWithLifeCycle(P, "plain", schema, "it is a comment", false, 7L);
        sql("CREATE TABLE parted (a BIGINT, b STRING) PARTITIONED BY (pt STRING, hr INT);");
        Table t = O.tables().get("plain");
        t.reload();
        Checks.equal("table", t.getComment() + "/" + t.getLife() + "/" + t.getSchema().getColumns().size(), "it is a comment/7/3");
        Checks.ok("table times", t.getCreatedTime() != null && t.getLastMetaModifiedTime() != null && t.getOwner() != null);
        t.reloadExtendInfo();
        Checks.ok("extended: not archived", !t.isArchived());
        TreeSet<String> names = new TreeSet<>();
        for (Table x : list(O.tables().iterator()))
            names.add(x.getName());
        Checks.equal("tables listed", names.toString(), "[parted, plain]");
        TableFilter filter = new TableFilter();
        filter.setName("pl");
        Checks.equal("tables by prefix", list(O.tables().iterator(filter)).size(), 1);
        Checks.equal("tables loaded at once", O.tables().loadTables(Arrays.asList("plain", "parted")).size(), 2);
        Checks.ok("table exists", O.tables().exists("plain") && !O.tables().exists("none"));
        refused("table missing", "NoSuchObject|NoSuchTable|ODPS-0130131", () -> O.tables().get("none").reload());
        O.tables().create("transient", schema, true);
        O.tables().delete("transient");
        Checks.ok("table dropped", !O.tables().exists("transient"));
        O.tables().delete("transient", true);
        String every = "tinyint;smallint;int;bigint;float;double;decimal(38,18);varchar(20);char(5);string;binary;boolean;date;datetime;timestamp;"
            + "timestamp_ntz;json;interval_year_month;interval_day_time;array<array<string>>;map<bigint,array<double>>;struct<x:int,y:map<string,timestamp>>";
        StringBuilder columns = new StringBuilder();
        List<String> types = Arrays.asList(every.split(";"));
        for (int i = 0; i < types.size(); i++)
            columns.append(i == 0 ? "" : ", ").append("c").append(i).append(' ').append(types.get(i));
        sql("CREATE TABLE typed (" + columns + ");");
        List<String> got = new ArrayList<>();
        for (Column c : O.tables().get("typed").getSchema().getColumns())
            got.add(c.getTypeInfo().getTypeName().toLowerCase().replace("`", ""));
        Checks.equal("every type", String.join(";", got), every);
    }

    static void partitions() throws Exception {
        Table t = O.tables().get("parted");
        for (int hr = 1; hr <= 3; hr++)
            t.createPartition(new PartitionSpec("pt='a b',hr='" + hr + "'"));
        t.createPartition(new PartitionSpec("pt='x',hr='1'"), true);
        t.createPartition(new PartitionSpec("pt='x',hr='1'"), true);
        Checks.equal("partitions", t.getPartitions().size(), 4);
        Checks.equal("partitions by leading key", list(t.getPartitionIterator(new PartitionSpec("pt='a b'"))).size(), 3);
        Checks.equal("partition specs", t.getPartitionSpecs().size(), 4);
        Checks.ok("partition details", t.getPartition(new PartitionSpec("pt='x',hr='1'")).getCreatedTime() != null);
        Checks.ok("partition exists", t.hasPartition(new PartitionSpec("pt='x',hr='1'")) && !t.hasPartition(new PartitionSpec("pt='x',hr='9'")));
        t.deletePartition(new PartitionSpec("pt='x',hr='1'"));
        Checks.ok("partition dropped", !t.hasPartition(new PartitionSpec("pt='x',hr='1'")));
        t.deletePartition(new PartitionSpec("pt='x',hr='1'"), true);
    }

    static void schemas() throws Exception {
        Odps o = OdpsClient.odps(P + "_3");
        o.schemas().create("s1");
        Checks.ok("schema exists", o.schemas().exists("s1") && !o.schemas().exists("s2"));
        TreeSet<String> names = new TreeSet<>();
        for (Schema s : list(o.schemas().iterator()))
            names.add(s.getName());
        Checks.equal("schemas listed", names.toString(), "[default, s1]");
        o.setCurrentSchema("s1");
        o.tables().newTableCreator(P + "_3", "t", TableSchema.builder().withBigintColumn("a").build()).withSchemaName("s1").create();
        Checks.ok("table of a schema", o.tables().exists(P + "_3", "s1", "t") && !o.tables().exists(P + "_3", "default", "t"));
        TableTunnel.UploadSession up = new TableTunnel(o).createUploadSession(P + "_3", "s1", "t", false);
        try (RecordWriter w = up.openRecordWriter(0)) {
            Record r = up.newRecord();
            r.setBigint(0, 5L);
            w.write(r);
        }
        up.commit(new Long[] {0L});
        Checks.equal("rows of a schema's table", new TableTunnel(o).createDownloadSession(P + "_3", "s1", "t", false).getRecordCount(), 1L);
        o.tables().delete(P + "_3", "s1", "t", false);
        o.schemas().delete("s1");
        Checks.ok("schema dropped", !o.schemas().exists("s1"));
    }

    static void writeBlock(TableTunnel.UploadSession s, long block, int from, int to, CompressOption coding) throws Exception {
        try (RecordWriter w = s.openRecordWriter(block, coding)) {
            for (int i = from; i < to; i++) {
                Record r = s.newRecord();
                if (i % 10 != 9) {
                    r.set(0, (long) i);
                    r.set(1, "row 中文 " + i);
                    r.set(2, i / 4.0);
                }
                w.write(r);
            }
        }
    }

    static String read(RecordReader reader) throws Exception {
        StringBuilder s = new StringBuilder();
        for (Record r; (r = reader.read()) != null; ) {
            for (int i = 0; i < r.getColumnCount(); i++)
                s.append(i == 0 ? "" : ",").append(r.get(i) instanceof byte[] ? r.getString(i) : r.get(i));
            s.append(';');
        }
        reader.close();
        return s.toString();
    }

    static String rows(int from, int to) {
        StringBuilder s = new StringBuilder();
        for (int i = from; i < to; i++)
            s.append(i % 10 == 9 ? "null,null,null;" : i + ",row 中文 " + i + "," + i / 4.0 + ";");
        return s.toString();
    }

    static void uploadAndDownload() throws Exception {
        for (String name : CODINGS) {
            CompressOption coding = OdpsClient.coding(name);
            TableTunnel.UploadSession s = T.createUploadSession(P, "plain", true);
            writeBlock(s, 0, 0, 50, coding);
            writeBlock(s, 7, 0, 3, coding);
            writeBlock(s, 7, 50, 100, coding);
            Checks.equal(name + ": block list", new TreeSet<>(Arrays.asList(s.getBlockList())).toString(), "[0, 7]");
            s.commit(new Long[] {0L, 7L});
            Checks.equal(name + ": status after commit", s.getStatus().toString(), "CLOSED");
            TableTunnel.DownloadSession d = T.createDownloadSession(P, "plain");
            Checks.equal(name + ": count", d.getRecordCount(), 100L);
            Checks.equal(name + ": all rows", read(d.openRecordReader(0, 100, coding)), rows(0, 100));
            Checks.equal(name + ": a range over a block's end", read(d.openRecordReader(40, 20, coding)), rows(40, 60));
            List<Column> columns = Arrays.asList(new Column("a", TypeInfoFactory.BIGINT), new Column("c", TypeInfoFactory.DOUBLE));
            Checks.equal(name + ": two columns", read(d.openRecordReader(10, 2, coding, columns)), "10,2.5;11,2.75;");
        }
    }

    static void tunnelDetails() throws Exception {
        CompressOption plain = OdpsClient.coding("none");
        TableTunnel.UploadSession s = T.createUploadSession(P, "plain");
        writeBlock(s, 1, 0, 1, plain);
        refused("commit of a block that is not there", "Block num not match|mismatch|not match", () -> s.commit(new Long[] {0L, 1L}));
        Checks.equal("abandoned sessions leave nothing", T.createDownloadSession(P, "plain").getRecordCount(), 100L);
        Checks.equal("session by id", T.getUploadSession(P, "plain", s.getId()).getId(), s.getId());
        refused("upload to a missing table", "NoSuchTable|NoSuchObject", () -> T.createUploadSession(P, "none"));
        refused("unknown upload session", "NoSuchUpload", () -> T.getUploadSession(P, "plain", "none").getStatus());
        refused("a missing partition", "NoSuchPartition", () -> T.createUploadSession(P, "parted", new PartitionSpec("pt='new',hr='1'")));
        refused("no partition given", "MissingPartitionSpec|InvalidPartitionSpec", () -> T.createUploadSession(P, "parted"));
        TableTunnel.UploadSession p = T.createUploadSession(P, "parted", new PartitionSpec("pt='a b',hr='1'"));
        try (RecordWriter w = p.openRecordWriter(0)) {
            Record r = p.newRecord();
            r.set(0, 1L);
            w.write(r);
        }
        p.commit(new Long[] {0L});
        Checks.equal("rows of a partition", read(T.createDownloadSession(P, "parted", new PartitionSpec("pt='a b',hr='1'")).openRecordReader(0, 1)), "1,null;");
        TableTunnel.DownloadSession d = T.createDownloadSession(P, "plain");
        refused("range beyond the end", "InvalidRowRange", () -> read(d.openRecordReader(99, 5)));
        TableTunnel.UploadSession change = T.createUploadSession(P, "plain");
        writeBlock(change, 0, 0, 1, plain);
        change.commit(new Long[] {0L});
        refused("table changed under a download", "TableModified|ObjectModified", () -> read(d.openRecordReader(0, 100)));
        refused("unknown download session", "NoSuchDownload", () -> T.getDownloadSession(P, "plain", "none").getRecordCount());
        RecordWriter buffered = T.createUploadSession(P, "plain", true).openBufferedWriter();
        buffered.close();
    }

    static void arrow() throws Exception {
        sql("CREATE TABLE arrowed (a BIGINT, b STRING);");
        TableTunnel.UploadSession s = T.createUploadSession(P, "arrowed");
        try (RootAllocator memory = new RootAllocator(); VectorSchemaRoot root = VectorSchemaRoot.create(s.getArrowSchema(), memory)) {
            BigIntVector a = (BigIntVector) root.getVector("a");
            VarCharVector b = (VarCharVector) root.getVector("b");
            a.setSafe(0, 1);
            a.setNull(1);
            b.setSafe(0, "é".getBytes(StandardCharsets.UTF_8));
            b.setSafe(1, new byte[0]);
            root.setRowCount(2);
            ArrowRecordWriter w = s.openArrowRecordWriter(0);
            w.write(root);
            w.close();
            s.commit(new Long[] {0L});
        }
        TableTunnel.DownloadSession d = T.createDownloadSession(P, "arrowed");
        Checks.equal("Arrow upload", read(d.openRecordReader(0, 2)), "1,é;null,;");
        try (ArrowRecordReader r = d.openArrowRecordReader(0, 2)) {
            VectorSchemaRoot batch = r.read();
            Checks.equal("Arrow download", batch.getRowCount() + "/" + batch.getVector("a").getObject(0) + "/" + batch.getVector("b").getObject(0) + "/" + batch.getVector("a").isNull(1), "2/1/é/true");
        }
        O.tables().delete("arrowed");
    }

    static void stream() throws Exception {
        sql("CREATE TABLE flow (a BIGINT, b STRING) PARTITIONED BY (pt STRING);");
        for (String name : CODINGS) {
            PartitionSpec spec = new PartitionSpec("pt='" + name + "'");
            TableTunnel.StreamUploadSession s = T.buildStreamUploadSession(P, "flow").setPartitionSpec(spec).setCreatePartition(true).build();
            TableTunnel.StreamRecordPack pack = s.newRecordPack(OdpsClient.coding(name));
            for (long i = 0; i < 3; i++) {
                Record r = s.newRecord();
                r.set(0, i);
                r.set(1, "é");
                pack.append(r);
            }
            pack.flush();
            TableTunnel.DownloadSession d = T.createDownloadSession(P, "flow", spec);
            Checks.equal("stream, " + name, read(d.openRecordReader(0, d.getRecordCount())), "0,é;1,é;2,é;");
        }
        O.tables().delete("flow");
    }

    static void upsert() throws Exception {
        sql("CREATE TABLE keyed (id BIGINT NOT NULL, v STRING, PRIMARY KEY (id)) TBLPROPERTIES (\"transactional\"=\"true\");");
        for (int round = 0; round < 2; round++) {
            TableTunnel.UpsertSession s = T.buildUpsertSession(P, "keyed").build();
            UpsertStream stream = s.buildUpsertStream().build();
            for (long id = round * 2; id < round * 2 + 3; id++) {
                Record r = s.newRecord();
                r.set("id", id);
                r.set("v", "round " + round);
                stream.upsert(r);
            }
            if (round == 1) {
                Record r = s.newRecord();
                r.set("id", 0L);
                stream.delete(r);
            }
            stream.close();
            s.commit(false);
            s.close();
        }
        TableTunnel.DownloadSession d = T.createDownloadSession(P, "keyed");
        TreeSet<String> got = new TreeSet<>(Arrays.asList(read(d.openRecordReader(0, d.getRecordCount())).split(";")));
        Checks.equal("upserted rows", got.toString(), "[1,round 0, 2,round 1, 3,round 1, 4,round 1]");
        O.tables().delete("keyed");
    }

    static void queries() throws Exception {
        TableTunnel.UploadSession s = T.createUploadSession(P, "plain", true);
        writeBlock(s, 0, 0, 20, OdpsClient.coding("deflate"));
        s.commit(new Long[] {0L});
        Instance i = SQLTask.run(O, "SELECT * FROM plain LIMIT 3;");
        i.waitForSuccess();
        Checks.ok("instance", i.isSuccessful() && i.isTerminated() && i.getStartTime() != null && i.getEndTime() != null);
        List<Record> text = SQLTask.getResult(i);
        Checks.equal("result as text", text.size() + "/" + text.get(1).getString(1), "3/row 中文 1");
        InstanceTunnel.DownloadSession d = new InstanceTunnel(O).createDownloadSession(P, i.getId());
        Checks.equal("instance tunnel", read(d.openRecordReader(0, d.getRecordCount())), rows(0, 3));
        Checks.equal("result through the tunnel", SQLTask.getResultByInstanceTunnel(i).size(), 3);
        Instance count = SQLTask.run(O, "SELECT COUNT(*) FROM plain;");
        count.waitForSuccess();
        Checks.equal("count", SQLTask.getResult(count).get(0).get(0), "20");
        refused("syntax error", "ODPS-0130161", () -> sql("SELEKT 1;"));
        refused("SQL on a missing table", "ODPS-0130131", () -> sql("SELECT * FROM none;"));
    }

    static void instances() throws Exception {
        command("{\"service\":\"maxcompute\",\"op\":\"set\",\"instance_ms\":60000}");
        Instance i = SQLTask.run(O, "DROP TABLE plain;");
        command("{\"service\":\"maxcompute\",\"op\":\"set\",\"instance_ms\":0}");
        Checks.equal("running", i.getStatus(true), Instance.Status.RUNNING);
        String task = i.getTaskNames().iterator().next();
        Checks.ok("progress", i.getTaskProgress(task) != null);
        i.stop();
        Checks.equal("cancelled", i.getTaskStatus().get(task).getStatus().toString(), "CANCELLED");
        Checks.ok("a cancelled statement does nothing", O.tables().exists("plain"));
        Checks.ok("source", i.getTasks().size() == 1 && ((SQLTask) i.getTasks().get(0)).getQuery().startsWith("DROP TABLE plain"));
        Checks.ok("instance exists", O.instances().exists(i.getId()) && !O.instances().exists("none"));
        boolean listed = false;
        for (Iterator<Instance> it = O.instances().iterator(); it.hasNext(); )
            listed |= it.next().getId().equals(i.getId());
        Checks.ok("instances listed", listed);
    }

    static void signatures() throws Exception {
        String id = System.getenv("MC_KEY_ID");
        String secret = System.getenv("MC_KEY_SECRET");
        for (String region : new String[] {null, "cn-hangzhou"}) {
            String v = region == null ? "V2" : "V4";
            refused(v + ", wrong secret", "SignatureNotMatch|Unauthorized|ODPS-0410042", () -> OdpsClient.odps(P, id, "wrong", null, region).projects().get(P).reload());
            refused(v + ", unknown key", "Unauthorized|ODPS-0410051", () -> OdpsClient.odps(P, "nobody", secret, null, region).projects().get(P).reload());
            refused(v + ", another token", "Unauthorized|InvalidSecurityToken|ODPS-0410051", () -> OdpsClient.odps(P, "sts-id", "sts-secret", "other", region).projects().get(P).reload());
            Checks.ok(v + " with STS", OdpsClient.odps(P, "sts-id", "sts-secret", "sts-token", region).tables().exists("plain"));
            Odps o = OdpsClient.odps(P, id, secret, null, region);
            TableTunnel.DownloadSession d = new TableTunnel(o).createDownloadSession(P, "plain");
            Checks.equal(v + " through the tunnel", read(d.openRecordReader(0, 20)), rows(0, 20));
            TableFilter odd = new TableFilter();
            odd.setName("a+b c&d=é%25'");
            Checks.equal(v + " with every kind of character", list(o.tables().iterator(odd)).size(), 0);
        }
    }

    static void cleanup() throws Exception {
        for (String t : new String[] {"plain", "parted", "typed"})
            O.tables().delete(t);
        Checks.equal("all tables dropped", list(O.tables().iterator()), Collections.emptyList());
    }

    public static void main(String[] args) throws Exception {
        command("{\"service\":\"maxcompute\",\"op\":\"create_project\",\"project\":\"" + P + "\"}");
        command("{\"service\":\"maxcompute\",\"op\":\"create_project\",\"project\":\"" + P + "_3\",\"three_tier\":true}");
        Checks.section("project", EmulatorOdps::project);
        Checks.section("tables", EmulatorOdps::tables);
        Checks.section("partitions", EmulatorOdps::partitions);
        Checks.section("schemas", EmulatorOdps::schemas);
        Checks.section("uploadAndDownload", EmulatorOdps::uploadAndDownload);
        Checks.section("tunnelDetails", EmulatorOdps::tunnelDetails);
        Checks.section("arrow", EmulatorOdps::arrow);
        Checks.section("stream", EmulatorOdps::stream);
        Checks.section("upsert", EmulatorOdps::upsert);
        Checks.section("queries", EmulatorOdps::queries);
        Checks.section("instances", EmulatorOdps::instances);
        Checks.section("signatures", EmulatorOdps::signatures);
        Checks.section("cleanup", EmulatorOdps::cleanup);
        System.exit(0);
    }
}
