import com.alicloud.openservices.tablestore.ClientConfiguration;
import com.alicloud.openservices.tablestore.SyncClient;
import com.alicloud.openservices.tablestore.core.ResourceManager;
import com.alicloud.openservices.tablestore.core.auth.CredentialsProvider;
import com.alicloud.openservices.tablestore.core.auth.DefaultCredentialProvider;
import com.alicloud.openservices.tablestore.core.auth.DefaultCredentials;
import com.alicloud.openservices.tablestore.core.auth.V4Credentials;
import com.alicloud.openservices.tablestore.model.DescribeStreamRequest;
import com.alicloud.openservices.tablestore.model.DescribeStreamResponse;
import com.alicloud.openservices.tablestore.model.DescribeTableRequest;
import com.alicloud.openservices.tablestore.model.Direction;
import com.alicloud.openservices.tablestore.model.GetRangeRequest;
import com.alicloud.openservices.tablestore.model.GetRangeResponse;
import com.alicloud.openservices.tablestore.model.GetShardIteratorRequest;
import com.alicloud.openservices.tablestore.model.GetStreamRecordRequest;
import com.alicloud.openservices.tablestore.model.GetStreamRecordResponse;
import com.alicloud.openservices.tablestore.model.PrimaryKey;
import com.alicloud.openservices.tablestore.model.PrimaryKeyBuilder;
import com.alicloud.openservices.tablestore.model.PrimaryKeySchema;
import com.alicloud.openservices.tablestore.model.PrimaryKeyValue;
import com.alicloud.openservices.tablestore.model.RangeRowQueryCriteria;
import com.alicloud.openservices.tablestore.model.Row;
import com.alicloud.openservices.tablestore.model.StreamRecord;
import com.alicloud.openservices.tablestore.model.StreamShard;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The Tablestore SDK for Java, pointed at the emulator; response validation stays on. */
final class Tablestore {
    static final String ENDPOINT = "http://127.0.0.1:" + System.getenv("MC_TABLESTORE_PORT");
    static final String ID = System.getenv("MC_KEY_ID"), SECRET = System.getenv("MC_KEY_SECRET"), TOKEN = System.getenv("MC_KEY_TOKEN");
    static final Map<String, String> SINGLE = Collections.singletonMap("Connection", "close");

    private Tablestore() {
    }

    /**
     * Each request has a connection of its own.  The SDK's HTTP client (httpasyncclient 4.0.2) asks whether a connection
     * of its pool is open after it has put the request on it.  If the answer is there by then, the connection is back
     * in the pool, and the caller may be told "Connection closed" of a request that was served; repeated, it is served
     * twice.  A new connection is put to use by the thread that reads the answer, so it cannot overtake.
     */
    static SyncClient single(SyncClient client) {
        client.setExtraHeaders(SINGLE);
        return client;
    }

    /** signed with HMAC-SHA256 if there is a region */
    static SyncClient client(String instance) {
        String region = System.getenv("MC_REGION");
        return region == null ? single(new SyncClient(ENDPOINT, ID, SECRET, instance, TOKEN)) : clientV4(instance, region);
    }

    static SyncClient clientV4(String instance, String region) {
        CredentialsProvider provider = new DefaultCredentialProvider(
                V4Credentials.createByServiceCredentials(new DefaultCredentials(ID, SECRET, TOKEN), region));
        ClientConfiguration configuration = new ClientConfiguration();
        return single(new SyncClient(ENDPOINT, provider, instance, configuration, new ResourceManager(configuration, null)));
    }

    static void scan(SyncClient client, String table, int versions, Direction direction, Consumer<Row> each) {
        PrimaryKeyBuilder low = PrimaryKeyBuilder.createPrimaryKeyBuilder(), high = PrimaryKeyBuilder.createPrimaryKeyBuilder();
        for (PrimaryKeySchema k : client.describeTable(new DescribeTableRequest(table)).getTableMeta().getPrimaryKeyList()) {
            low.addPrimaryKeyColumn(k.getName(), PrimaryKeyValue.INF_MIN);
            high.addPrimaryKeyColumn(k.getName(), PrimaryKeyValue.INF_MAX);
        }
        boolean forward = direction == Direction.FORWARD;
        RangeRowQueryCriteria criteria = new RangeRowQueryCriteria(table);
        criteria.setMaxVersions(versions);
        criteria.setDirection(direction);
        criteria.setExclusiveEndPrimaryKey(forward ? high.build() : low.build());
        for (PrimaryKey next = forward ? low.build() : high.build(); next != null;) {
            criteria.setInclusiveStartPrimaryKey(next);
            GetRangeResponse page = client.getRange(new GetRangeRequest(criteria));
            page.getRows().forEach(each);
            next = page.getNextStartPrimaryKey();
        }
    }

    static List<StreamShard> shards(SyncClient client, String stream, int limit) {
        List<StreamShard> shards = new ArrayList<>();
        for (String start = "";;) {
            DescribeStreamRequest request = new DescribeStreamRequest(stream);
            if (!start.isEmpty())
                request.setInclusiveStartShardId(start);
            if (limit > 0)
                request.setShardLimit(limit);
            DescribeStreamResponse page = client.describeStream(request);
            shards.addAll(page.getShards());
            start = page.getNextShardId();
            if (start == null || start.isEmpty())
                return shards;
        }
    }

    /** Records up to now; true if the shard is closed. The time is in microseconds, 0 = from the oldest record. */
    static boolean read(SyncClient client, String stream, String shard, long from, List<StreamRecord> records) {
        GetShardIteratorRequest request = new GetShardIteratorRequest(stream, shard);
        if (from > 0)
            request.setTimestamp(from);
        for (String it = client.getShardIterator(request).getShardIterator(); it != null && !it.isEmpty();) {
            GetStreamRecordResponse page = client.getStreamRecord(new GetStreamRecordRequest(it));
            records.addAll(page.getRecords());
            it = page.getNextShardIterator();
            if (page.getRecords().isEmpty() && it != null && !it.isEmpty())
                return false;
        }
        return true;
    }
}
