import com.aliyun.odps.Odps;
import com.aliyun.odps.account.AliyunAccount;
import com.aliyun.odps.data.Record;
import com.aliyun.odps.data.RecordWriter;
import com.aliyun.odps.tunnel.TableTunnel;
import com.aliyun.odps.tunnel.io.CompressOption;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogContent;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** LogHub window to MaxCompute with aliyun-log and odps-sdk-core: a thread per shard. */
public final class Peer {
    static final String PROJECT = System.getenv("BENCH_PROJECT");
    static final String STORE = System.getenv("BENCH_LOGSTORE");
    static final Map<String, Integer> COLUMNS = new HashMap<>();

    static long copyShard(Client client, TableTunnel.UploadSession session, int shard, long block) throws Exception {
        String cursor = client.GetCursor(PROJECT, STORE, shard, Long.parseLong(System.getenv("BENCH_FROM"))).GetCursor();
        String end = client.GetCursor(PROJECT, STORE, shard, Long.parseLong(System.getenv("BENCH_TO"))).GetCursor();
        long rows = 0;
        try (RecordWriter writer = session.openRecordWriter(block, new CompressOption(CompressOption.CompressAlgorithm.ODPS_SNAPPY, 1, 0))) {
            Record record = session.newRecord();
            while (!cursor.equals(end)) {
                PullLogsResponse page = client.pullLogs(new PullLogsRequest(PROJECT, STORE, shard, 1000, cursor, end));
                for (LogGroupData group : page.getLogGroups())
                    for (FastLog log : group.GetFastLogGroup().getLogs()) {
                        for (int i = 0; i < COLUMNS.size(); i++)
                            record.set(i, null);
                        for (FastLogContent content : log.getContents()) {
                            Integer column = COLUMNS.get(content.getKey());
                            if (column != null)
                                record.setString(column, content.getValue());
                        }
                        writer.write(record);
                        rows++;
                    }
                if (page.getNextCursor().equals(cursor))
                    break;
                cursor = page.getNextCursor();
            }
        }
        return rows;
    }

    public static void main(String[] args) throws Exception {
        long start = System.nanoTime();
        ClientConfiguration config = new ClientConfiguration();
        config.setProxyHost("127.0.0.1");
        config.setProxyPort(Integer.parseInt(System.getenv("MC_LOGHUB_PORT")));
        Client client = new Client("http://cn-test.example.com", System.getenv("MC_KEY_ID"), System.getenv("MC_KEY_SECRET"), "127.0.0.1", config);
        Odps odps = new Odps(new AliyunAccount(System.getenv("MC_KEY_ID"), System.getenv("MC_KEY_SECRET")));
        odps.setEndpoint("http://127.0.0.1:" + System.getenv("MC_MAXCOMPUTE_PORT") + "/api");
        odps.setDefaultProject(System.getenv("BENCH_ODPS_PROJECT"));
        TableTunnel.UploadSession session = new TableTunnel(odps).createUploadSession(System.getenv("BENCH_ODPS_PROJECT"), System.getenv("BENCH_ODPS_TABLE"), true);
        for (String name : System.getenv("BENCH_COLUMNS").split(","))
            COLUMNS.put(name, session.getSchema().getColumnIndex(name));
        List<Shard> shards = client.ListShard(PROJECT, STORE).GetShards();
        ExecutorService pool = Executors.newFixedThreadPool(shards.size());
        List<Future<Long>> jobs = new ArrayList<>();
        Long[] blocks = new Long[shards.size()];
        for (int i = 0; i < blocks.length; i++) {
            int shard = shards.get(i).getShardId();
            long block = i;
            blocks[i] = block;
            jobs.add(pool.submit(() -> copyShard(client, session, shard, block)));
        }
        long rows = 0;
        for (Future<Long> job : jobs)
            rows += job.get();
        session.commit(blocks);
        System.out.printf("{\"rows\":%d,\"seconds\":%.3f}%n", rows, (System.nanoTime() - start) / 1e9);
        System.exit(0);
    }
}
