import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.ConsumerGroup;
import com.aliyun.openservices.log.common.ConsumerGroupShardCheckPoint;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.Histogram;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.Project;
import com.aliyun.openservices.log.common.QueriedLog;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.common.TagContent;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.request.GetHistogramsRequest;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.aliyun.openservices.log.request.UpdateProjectRequest;
import com.aliyun.openservices.log.response.GetHistogramsResponse;
import com.aliyun.openservices.log.response.GetLogsResponse;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** Every API of the emulator's Log Service, called by the unmodified Java SDK. */
public final class EmulatorLogHub {
    static final String P = "sdk-java";
    static final Client C = LogHub.client();

    static void refused(String name, String code, Checks.Call call) {
        try {
            call.run();
            Checks.ok(name, false, "was not refused");
        } catch (LogException e) {
            Checks.ok(name, Arrays.asList(code.split("\\|")).contains(e.GetErrorCode()), e.GetErrorCode() + " (" + e.GetErrorMessage() + "), want " + code);
        } catch (Exception e) {
            Checks.ok(name, false, e);
        }
    }

    static int now() {
        return (int) (System.currentTimeMillis() / 1000);
    }

    static void projects() throws Exception {
        C.CreateProject(P, "made by Java");
        Checks.equal("project", C.GetProject(P).GetProjectDescription() + "/" + C.GetProject(P).GetProjectStatus(), "made by Java/Normal");
        C.updateProject(new UpdateProjectRequest(P, "changed"));
        Checks.equal("project updated", C.GetProject(P).GetProjectDescription(), "changed");
        List<String> names = new ArrayList<>();
        for (Project p : C.ListProject(P, 0, 100).getProjects())
            names.add(p.getProjectName());
        Checks.equal("project listed", names, Collections.singletonList(P));
        refused("project twice", "ProjectAlreadyExist", () -> C.CreateProject(P, ""));
        refused("project missing", "ProjectNotExist", () -> C.GetProject("sdk-none"));
    }

    static void logstores() throws Exception {
        LogStore app = new LogStore("app", 7, 2);
        app.setAppendMeta(true);
        C.CreateLogStore(P, app);
        C.CreateLogStore(P, new LogStore("other", 30, 1));
        LogStore got = C.GetLogStore(P, "app").GetLogStore();
        Checks.equal("logstore", got.GetTtl() + "/" + got.GetShardCount() + "/" + got.isAppendMeta(), "7/2/true");
        C.UpdateLogStore(P, new LogStore("other", 60, 1));
        Checks.equal("logstore updated", C.GetLogStore(P, "other").GetLogStore().GetTtl(), 60);
        Checks.equal("logstores listed", C.ListLogStores(P, 0, 100).GetLogStores(), Arrays.asList("app", "other"));
        Checks.equal("logstores by pattern", C.ListLogStores(P, 0, 100, "oth").GetLogStores(), Collections.singletonList("other"));
        Checks.equal("logstores paged", C.ListLogStores(P, 1, 1).GetLogStores(), Collections.singletonList("other"));
        refused("logstore twice", "LogStoreAlreadyExist", () -> C.CreateLogStore(P, app));
        refused("logstore missing", "LogStoreNotExist", () -> C.GetLogStore(P, "none"));
        C.DeleteLogStore(P, "other");
        Checks.equal("logstore deleted", C.ListLogStores(P, 0, 100).GetLogStores(), Collections.singletonList("app"));
    }

    static void index() throws Exception {
        refused("index missing", "IndexConfigNotExist", () -> C.GetIndex(P, "app"));
        String json = "{\"ttl\":7,\"line\":{\"token\":[\" \",\",\"],\"caseSensitive\":false},\"keys\":{\"status\":{\"type\":\"long\",\"doc_value\":true,\"alias\":\"\"},"
            + "\"uri\":{\"type\":\"text\",\"token\":[\"/\"],\"caseSensitive\":false,\"doc_value\":true,\"alias\":\"\"}}}";
        C.CreateIndex(P, "app", json);
        Index got = C.GetIndex(P, "app").GetIndex();
        Checks.equal("index line", got.GetLine().GetToken(), Arrays.asList(" ", ","));
        Checks.equal("index keys", new TreeSet<>(got.GetKeys().GetKeys().keySet()).toString(), "[status, uri]");
        Checks.equal("index key type", got.GetKeys().GetKeys().get("status").GetType(), "long");
        refused("index twice", "IndexAlreadyExist", () -> C.CreateIndex(P, "app", json));
        C.UpdateIndex(P, "app", json.replace("\"uri\"", "\"path\""));
        Checks.equal("index updated", new TreeSet<>(C.GetIndex(P, "app").GetIndex().GetKeys().GetKeys().keySet()).toString(), "[path, status]");
    }

    static void put(Client c, String store, String tag, int n, Consts.CompressType how, String key, int time) throws LogException {
        List<LogItem> items = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            LogItem item = new LogItem(time);
            item.SetTimeNsPart(i);
            item.PushBack("from", tag);
            item.PushBack("n", Integer.toString(i));
            item.PushBack("status", Integer.toString(200 + i));
            item.PushBack("text", "中文 é 🎉");
            items.add(item);
        }
        PutLogsRequest request = new PutLogsRequest(P, store, "topic-" + tag, "10.1.1.1", items);
        request.SetTags(new ArrayList<>(Collections.singletonList(new TagContent("env", tag))));
        if (how != null)
            request.SetCompressType(how);
        if (key != null)
            request.setHashKey(key);
        c.PutLogs(request);
    }

    static void put(String store, String tag, int n, Consts.CompressType how, String key) throws LogException {
        put(C, store, tag, n, how, key, now());
    }

    static Map<String, Integer> sizes(List<FastLogGroup> groups) {
        Map<String, Integer> sizes = new TreeMap<>();
        for (FastLogGroup g : groups)
            sizes.put(g.getTags().get(0).getValue(), g.getLogsCount());
        return sizes;
    }

    static void putAndPull() throws Exception {
        C.CreateLogStore(P, new LogStore("data", 7, 2));
        put("data", "lz4", 3, Consts.CompressType.LZ4, null);
        put("data", "zstd", 4, Consts.CompressType.ZSTD, null);
        put("data", "deflate", 5, Consts.CompressType.GZIP, null);
        put("data", "plain", 6, Consts.CompressType.NONE, null);
        put("data", "key", 7, null, "f0000000000000000000000000000000");
        String all = "{deflate=5, key=7, lz4=3, plain=6, zstd=4}";
        Checks.equal("put lz4, zstd, deflate, plain, by key", sizes(LogHub.everything(C, P, "data", 1000, null)).toString(), all);
        for (Consts.CompressType how : new Consts.CompressType[] {Consts.CompressType.LZ4, Consts.CompressType.ZSTD})
            for (int count : new int[] {1, 2, 1000})
                Checks.equal("pull " + how + ", count " + count, sizes(LogHub.everything(C, P, "data", count, how)).toString(), all);
        FastLogGroup g = LogHub.read(C, P, "data", 1, 1000, null).stream().filter(x -> x.getTags().get(0).getValue().equals("key")).findFirst().get();
        Checks.equal("topic and source", g.getTopic() + "/" + g.getSource(), "topic-key/10.1.1.1");
        Checks.equal("nanoseconds", g.getLogs(6).getTimeNsPart(), 6);
        Checks.equal("contents", g.getLogs(2).getContents(3).getValue(), "中文 é 🎉");
        refused("put to a missing logstore", "LogStoreNotExist", () -> put("none", "x", 1, null, null));
        refused("time out of range", "PostBodyInvalid|InvalidTimestamp", () -> put(C, "data", "old", 1, null, null, now() - 30 * 86400));
        Checks.equal("nothing of refused requests is stored", LogHub.everything(C, P, "data", 1000, null).size(), 5);
    }

    static void cursors() throws Exception {
        String begin = C.GetCursor(P, "data", 1, Consts.CursorMode.BEGIN).GetCursor();
        String end = C.GetCursor(P, "data", 1, Consts.CursorMode.END).GetCursor();
        Checks.ok("begin differs from end", !begin.equals(end));
        Checks.equal("cursor of the past is begin", C.GetCursor(P, "data", 1, now() - 3600L).GetCursor(), begin);
        Checks.equal("cursor of the future is end", C.GetCursor(P, "data", 1, now() + 3600L).GetCursor(), end);
        Checks.ok("cursor time", Math.abs(C.GetCursorTime(P, "data", 1, begin).GetCursorTime() - now()) <= 60);
        Checks.ok("previous cursor time", Math.abs(C.GetPrevCursorTime(P, "data", 1, end).GetCursorTime() - now()) <= 60);
        PullLogsResponse page = C.pullLogs(new PullLogsRequest(P, "data", 1, 1000, end));
        Checks.equal("pull at the end", page.getCount() + page.getNextCursor(), "0" + end);
        page = C.pullLogs(new PullLogsRequest(P, "data", 1, 1000, begin, begin));
        Checks.equal("pull of an empty range", page.getCount() + page.getNextCursor(), "0" + begin);
        refused("bad cursor", "InvalidCursor|ParameterInvalid", () -> C.pullLogs(new PullLogsRequest(P, "data", 1, 1000, "not a cursor")));
        refused("missing shard", "ShardNotExist", () -> C.GetCursor(P, "data", 99, Consts.CursorMode.BEGIN));
    }

    static String states(String store) throws LogException {
        Map<Integer, String> states = new TreeMap<>();
        for (Shard s : C.ListShard(P, store).GetShards())
            states.put(s.getShardId(), s.getStatus());
        return states.toString();
    }

    static void splitAndMerge() throws Exception {
        C.CreateLogStore(P, new LogStore("splits", 7, 2));
        Shard first = C.ListShard(P, "splits").GetShards().get(0);
        Checks.equal("shard keys", first.getInclusiveBeginKey() + "-" + first.getExclusiveEndKey(), "00000000000000000000000000000000-80000000000000000000000000000000");
        Checks.ok("shard creation time", Math.abs(first.getCreateTime() - now()) < 120);
        C.SplitShard(P, "splits", 0, "40000000000000000000000000000000");
        Checks.equal("after the split", states("splits"), "{0=readonly, 1=readwrite, 2=readwrite, 3=readwrite}");
        put("splits", "child", 3, null, "10000000000000000000000000000000");
        Checks.equal("new data goes to the child", sizes(LogHub.read(C, P, "splits", 2, 1000, null)).toString(), "{child=3}");
        C.MergeShards(P, "splits", 2);
        Checks.equal("after the merge", states("splits"), "{0=readonly, 1=readwrite, 2=readonly, 3=readonly, 4=readwrite}");
        refused("split of a read-only shard", "ParameterInvalid", () -> C.SplitShard(P, "splits", 0, "20000000000000000000000000000000"));
        refused("merge of the last shard", "ParameterInvalid", () -> C.MergeShards(P, "splits", 1));
    }

    static void queries() throws Exception {
        put("app", "search", 7, null, null);
        GetLogsResponse answer = C.GetLogs(P, "app", now() - 600, now() + 600, "", "from: search", 5, 0, false);
        Checks.equal("query", answer.IsCompleted() + "/" + answer.GetCount(), "true/5");
        Checks.equal("query, second page", C.GetLogs(P, "app", now() - 600, now() + 600, "", "from: search", 5, 5, false).GetCount(), 2);
        List<QueriedLog> one = C.GetLogs(P, "app", now() - 600, now() + 600, "topic-search", "status: 203", 100, 0, false).GetLogs();
        Checks.equal("query by field", one.size() + "/" + one.get(0).GetSource(), "1/10.1.1.1");
        GetHistogramsResponse h = C.GetHistograms(new GetHistogramsRequest(P, "app", "", "from: search", now() - 600, now() + 600));
        long sum = 0;
        for (Histogram x : h.GetHistograms())
            sum += x.mCount;
        Checks.equal("histogram", h.IsCompleted() + "/" + h.GetTotalCount() + "/" + sum, "true/7/7");
        refused("query without index", "IndexConfigNotExist", () -> C.GetLogs(P, "data", now() - 600, now(), "", "*"));
    }

    static void consumers() throws Exception {
        String g = "readers";
        C.CreateConsumerGroup(P, "data", new ConsumerGroup(g, 30, true));
        refused("consumer group twice", "ConsumerGroupAlreadyExist", () -> C.CreateConsumerGroup(P, "data", new ConsumerGroup(g, 30, true)));
        ConsumerGroup got = C.ListConsumerGroup(P, "data").GetConsumerGroups().get(0);
        Checks.equal("consumer groups listed", got.getConsumerGroupName() + "/" + got.getTimeout() + "/" + got.isInOrder(), "readers/30/true");
        C.UpdateConsumerGroup(P, "data", g, false, 60);
        got = C.ListConsumerGroup(P, "data").GetConsumerGroups().get(0);
        Checks.equal("consumer group updated", got.getTimeout() + "/" + got.isInOrder(), "60/false");
        List<Integer> held = new ArrayList<>(C.HeartBeat(P, "data", g, "one", new ArrayList<>()).getShards());
        Collections.sort(held);
        Checks.equal("first heartbeat gets every shard", held, Arrays.asList(0, 1));
        String cursor = C.GetCursor(P, "data", 0, Consts.CursorMode.END).GetCursor();
        C.UpdateCheckPoint(P, "data", g, "one", 0, cursor);
        C.UpdateCheckPoint(P, "data", g, 1, cursor);
        Map<Integer, String> points = new TreeMap<>();
        for (ConsumerGroupShardCheckPoint p : C.GetCheckPoint(P, "data", g).getCheckPoints()) {
            points.put(p.getShard(), p.getCheckPoint());
            Checks.ok("checkpoint time in microseconds", Math.abs(p.getUpdateTime() / 1000000 - now()) < 60, p.getUpdateTime());
        }
        Checks.equal("checkpoints", points.toString(), "{0=" + cursor + ", 1=" + cursor + "}");
        Checks.equal("checkpoint of one shard", C.GetCheckPoint(P, "data", g, 0).getCheckPoints().size(), 1);
        refused("checkpoint of a missing group", "ConsumerGroupNotExist", () -> C.GetCheckPoint(P, "data", "none"));
        C.DeleteConsumerGroup(P, "data", g);
        Checks.equal("consumer group deleted", C.ListConsumerGroup(P, "data").GetConsumerGroups().size(), 0);
    }

    static void signatures() throws Exception {
        String id = System.getenv("MC_KEY_ID");
        String secret = System.getenv("MC_KEY_SECRET");
        for (String region : new String[] {null, "cn-hangzhou"}) {
            String v = region == null ? "V1" : "V4";
            refused(v + ", wrong secret", "SignatureNotMatch", () -> LogHub.client(id, "wrong", null, region).GetProject(P));
            refused(v + ", unknown key", "Unauthorized", () -> LogHub.client("nobody", secret, null, region).GetProject(P));
            refused(v + ", STS without token", "Unauthorized", () -> LogHub.client("sts-id", "sts-secret", null, region).GetProject(P));
            Checks.equal(v + " with STS", LogHub.client("sts-id", "sts-secret", "sts-token", region).GetProject(P).GetProjectDescription(), "changed");
            Client c = LogHub.client(id, secret, null, region);
            put(c, "app", v, 2, null, null, now());
            Checks.ok(v + " puts and pulls", sizes(LogHub.everything(c, P, "app", 1000, null)).containsKey(v));
            Checks.equal(v + " with every kind of character", c.ListLogStores(P, 0, 10, "a b&c=+/é%41").GetCount(), 0);
        }
    }

    static void cleanup() throws Exception {
        C.DeleteIndex(P, "app");
        refused("index deleted", "IndexConfigNotExist", () -> C.GetIndex(P, "app"));
        for (String store : C.ListLogStores(P, 0, 100).GetLogStores())
            C.DeleteLogStore(P, store);
        C.DeleteProject(P);
        refused("project deleted", "ProjectNotExist", () -> C.GetProject(P));
    }

    public static void main(String[] args) {
        Checks.section("projects", EmulatorLogHub::projects);
        Checks.section("logstores", EmulatorLogHub::logstores);
        Checks.section("index", EmulatorLogHub::index);
        Checks.section("putAndPull", EmulatorLogHub::putAndPull);
        Checks.section("cursors", EmulatorLogHub::cursors);
        Checks.section("splitAndMerge", EmulatorLogHub::splitAndMerge);
        Checks.section("queries", EmulatorLogHub::queries);
        Checks.section("consumers", EmulatorLogHub::consumers);
        Checks.section("signatures", EmulatorLogHub::signatures);
        Checks.section("cleanup", EmulatorLogHub::cleanup);
        System.exit(0);
    }
}
