import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogContent;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.FastLogTag;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.TagContent;
import com.aliyun.openservices.log.request.PutLogsRequest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** JSON lines to and from Log Service; the formats are in ../README.md. */
public final class LogHubData {
    static JSONArray pair(String key, String value) {
        JSONArray pair = new JSONArray();
        pair.add(key);
        pair.add(value);
        return pair;
    }

    static void put(Client client, String project, String store) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            JSONObject group = JSON.parseObject(line);
            List<LogItem> items = new ArrayList<>();
            for (Object o : group.getJSONArray("logs")) {
                JSONObject log = (JSONObject) o;
                LogItem item = new LogItem(log.getIntValue("ns") == 0 ? log.getLong("time").intValue() : 0);
                item.SetTime(log.getLong("time").intValue());
                item.SetTimeNsPart(log.getIntValue("ns"));
                for (Object c : log.getJSONArray("contents"))
                    item.PushBack(((JSONArray) c).getString(0), ((JSONArray) c).getString(1));
                items.add(item);
            }
            List<TagContent> tags = new ArrayList<>();
            for (Object t : group.getJSONArray("tags"))
                tags.add(new TagContent(((JSONArray) t).getString(0), ((JSONArray) t).getString(1)));
            PutLogsRequest request = new PutLogsRequest(project, store, group.getString("topic"), group.getString("source"), items);
            request.SetTags(tags);
            String coding = group.getString("compress");
            request.SetCompressType(coding.equals("plain") ? Consts.CompressType.NONE : Consts.CompressType.fromString(coding));
            client.PutLogs(request);
        }
    }

    static void pull(Client client, String project, String store) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (FastLogGroup g : LogHub.everything(client, project, store, 1000, null)) {
            JSONArray tags = new JSONArray();
            for (FastLogTag t : g.getTags())
                tags.add(pair(t.getKey(), t.getValue()));
            for (FastLog log : g.getLogs()) {
                JSONObject row = new JSONObject();
                JSONArray contents = new JSONArray();
                for (FastLogContent c : log.getContents())
                    contents.add(pair(c.getKey(), c.getValue()));
                row.put("time", Integer.toUnsignedLong(log.getTime()));
                row.put("ns", log.getTimeNsPart());
                row.put("topic", g.getTopic() == null ? "" : g.getTopic());
                row.put("source", g.getSource() == null ? "" : g.getSource());
                row.put("tags", tags);
                row.put("contents", contents);
                out.println(JSON.toJSONString(row, com.alibaba.fastjson.serializer.SerializerFeature.DisableCircularReferenceDetect));
            }
        }
        out.flush();
    }

    public static void main(String[] args) throws Exception {
        Client client = LogHub.client();
        if (args[0].equals("put"))
            put(client, args[1], args[2]);
        else
            pull(client, args[1], args[2]);
        client.shutdown();
    }
}
