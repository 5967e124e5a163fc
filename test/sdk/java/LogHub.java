import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.util.ArrayList;
import java.util.List;

/** The Log Service SDK for Java, pointed at the emulator as its HTTP proxy, and reading as its documentation shows. */
final class LogHub {
    private LogHub() {
    }

    static Client client(String id, String secret, String token, String region) {
        ClientConfiguration c = new ClientConfiguration();
        c.setProxyHost("127.0.0.1");
        c.setProxyPort(Integer.parseInt(System.getenv("MC_LOGHUB_PORT")));
        if (region != null) {
            c.setSignatureVersion(SignVersion.V4);
            c.setRegion(region);
        }
        Client client = new Client("http://cn-test.example.com", id, secret, "10.0.0.1", c);
        if (token != null)
            client.setSecurityToken(token);
        return client;
    }

    static Client client() {
        return client(System.getenv("MC_KEY_ID"), System.getenv("MC_KEY_SECRET"), null, null);
    }

    static List<Integer> shards(Client c, String project, String store) throws LogException {
        List<Integer> ids = new ArrayList<>();
        for (Shard s : c.ListShard(project, store).GetShards())
            ids.add(s.getShardId());
        return ids;
    }

    static List<FastLogGroup> read(Client c, String project, String store, int shard, int count, Consts.CompressType how)
            throws LogException {
        List<FastLogGroup> groups = new ArrayList<>();
        String cursor = c.GetCursor(project, store, shard, Consts.CursorMode.BEGIN).GetCursor();
        String end = c.GetCursor(project, store, shard, Consts.CursorMode.END).GetCursor();
        while (!cursor.equals(end)) {
            PullLogsRequest request = new PullLogsRequest(project, store, shard, count, cursor, end);
            if (how != null)
                request.setCompressType(how);
            PullLogsResponse page = c.pullLogs(request);
            for (LogGroupData g : page.getLogGroups())
                groups.add(g.GetFastLogGroup());
            if (page.getNextCursor().equals(cursor))
                break;
            cursor = page.getNextCursor();
        }
        return groups;
    }

    static List<FastLogGroup> everything(Client c, String project, String store, int count, Consts.CompressType how)
            throws LogException {
        List<FastLogGroup> groups = new ArrayList<>();
        for (int shard : shards(c, project, store))
            groups.addAll(read(c, project, store, shard, count, how));
        return groups;
    }
}
