import com.alicloud.openservices.tablestore.DefaultTableStoreWriter;
import com.alicloud.openservices.tablestore.SyncClient;
import com.alicloud.openservices.tablestore.TableStoreCallback;
import com.alicloud.openservices.tablestore.core.auth.DefaultCredentials;
import com.alicloud.openservices.tablestore.model.ColumnValue;
import com.alicloud.openservices.tablestore.model.ComputeSplitsBySizeRequest;
import com.alicloud.openservices.tablestore.model.GetRangeRequest;
import com.alicloud.openservices.tablestore.model.GetRangeResponse;
import com.alicloud.openservices.tablestore.model.PrimaryKey;
import com.alicloud.openservices.tablestore.model.PrimaryKeyBuilder;
import com.alicloud.openservices.tablestore.model.PrimaryKeyValue;
import com.alicloud.openservices.tablestore.model.RangeRowQueryCriteria;
import com.alicloud.openservices.tablestore.model.Row;
import com.alicloud.openservices.tablestore.model.RowChange;
import com.alicloud.openservices.tablestore.model.RowPutChange;
import com.alicloud.openservices.tablestore.model.Split;
import com.alicloud.openservices.tablestore.writer.RowWriteResult;
import com.alicloud.openservices.tablestore.writer.WriterConfig;
import com.alicloud.openservices.tablestore.writer.enums.BatchRequestType;
import com.alicloud.openservices.tablestore.writer.enums.WriteMode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/** Scan a Tablestore table split by split, or fill it through TableStoreWriter. */
public final class OtsPeer {
    static final String TABLE = System.getenv("BENCH_OTS_TABLE");
    static final String ENDPOINT = "http://127.0.0.1:" + System.getenv("MC_TABLESTORE_PORT");
    static final String ID = System.getenv("MC_KEY_ID"), SECRET = System.getenv("MC_KEY_SECRET");
    static final int THREADS = 8;

    static long readSplit(SyncClient client, PrimaryKey from, PrimaryKey to) {
        RangeRowQueryCriteria criteria = new RangeRowQueryCriteria(TABLE);
        criteria.setMaxVersions(1);
        criteria.setExclusiveEndPrimaryKey(to);
        long rows = 0;
        long cells = 0;
        for (PrimaryKey next = from; next != null;) {
            criteria.setInclusiveStartPrimaryKey(next);
            GetRangeResponse page = client.getRange(new GetRangeRequest(criteria));
            for (Row row : page.getRows())
                cells += row.getColumns().length;
            rows += page.getRows().size();
            next = page.getNextStartPrimaryKey();
        }
        if (cells != rows * 8)
            throw new IllegalStateException("cells are missing");
        return rows;
    }

    static long scan() throws Exception {
        SyncClient client = new SyncClient(ENDPOINT, ID, SECRET, "demo");
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<Long>> parts = new ArrayList<>();
        for (Split split : client.computeSplitsBySize(new ComputeSplitsBySizeRequest(TABLE, 1)).getSplits())
            parts.add(threads.submit(() -> readSplit(client, split.getLowerBound(), split.getUpperBound())));
        long rows = 0;
        for (Future<Long> part : parts)
            rows += part.get();
        threads.shutdown();
        client.shutdown();
        return rows;
    }

    static RowPutChange row(long i) {
        PrimaryKey key = PrimaryKeyBuilder.createPrimaryKeyBuilder()
                .addPrimaryKeyColumn("k", PrimaryKeyValue.fromString(String.format("user-%08d", i * 7919 % 100000000)))
                .addPrimaryKeyColumn("n", PrimaryKeyValue.fromLong(i)).build();
        RowPutChange row = new RowPutChange(TABLE, key);
        row.addColumn("i1", ColumnValue.fromLong(i * 31));
        row.addColumn("i2", ColumnValue.fromLong(i % 1000));
        row.addColumn("d1", ColumnValue.fromDouble(i / 8.0));
        row.addColumn("b1", ColumnValue.fromBoolean(i % 2 == 0));
        row.addColumn("s1", ColumnValue.fromString(String.format("value-%014d", i)));
        row.addColumn("s2", ColumnValue.fromString(String.format("city-%04d", i % 977)));
        row.addColumn("s3", ColumnValue.fromString("some words of text " + i % 9973));
        row.addColumn("s4", ColumnValue.fromString(String.format("%020d", i * 13)));
        return row;
    }

    static long write(long rows) {
        AtomicLong done = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        WriterConfig config = new WriterConfig();
        config.setBatchRequestType(BatchRequestType.BATCH_WRITE_ROW);
        config.setWriteMode(WriteMode.PARALLEL);
        config.setConcurrency(THREADS);
        config.setClientMaxConnections(THREADS);
        DefaultTableStoreWriter writer = new DefaultTableStoreWriter(ENDPOINT, new DefaultCredentials(ID, SECRET), "demo",
                TABLE, config, new TableStoreCallback<RowChange, RowWriteResult>() {
                    @Override
                    public void onCompleted(RowChange change, RowWriteResult result) {
                        done.incrementAndGet();
                    }

                    @Override
                    public void onFailed(RowChange change, Exception e) {
                        failed.incrementAndGet();
                    }
                });
        for (long i = 0; i < rows; i++)
            writer.addRowChange(row(i));
        writer.flush();
        writer.close();
        if (failed.get() != 0)
            throw new IllegalStateException(failed + " rows failed");
        return done.get();
    }

    public static void main(String[] args) throws Exception {
        long start = System.nanoTime();
        long rows = "scan".equals(System.getenv("BENCH_OP")) ? scan() : write(Long.parseLong(System.getenv("BENCH_ROWS")));
        System.out.printf("{\"rows\":%d,\"seconds\":%.3f}%n", rows, (System.nanoTime() - start) / 1e9);
        System.exit(0);
    }
}
