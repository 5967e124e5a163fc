import com.aliyun.oss.OSS;
import com.aliyun.oss.model.AppendObjectRequest;
import com.aliyun.oss.model.CompleteMultipartUploadRequest;
import com.aliyun.oss.model.InitiateMultipartUploadRequest;
import com.aliyun.oss.model.ListMultipartUploadsRequest;
import com.aliyun.oss.model.ListObjectsV2Request;
import com.aliyun.oss.model.ListObjectsV2Result;
import com.aliyun.oss.model.MultipartUpload;
import com.aliyun.oss.model.MultipartUploadListing;
import com.aliyun.oss.model.OSSObject;
import com.aliyun.oss.model.OSSObjectSummary;
import com.aliyun.oss.model.PartETag;
import com.aliyun.oss.model.UploadPartRequest;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/** JSON lines to and from OSS with the unmodified Java SDK; ../README.md has the formats. */
public final class OssData {
    static final Gson GSON = new Gson();

    static void append(OSS c, String bucket, String key, byte[] data, int cut) {
        long position = 0, crc = 0;
        for (int at = 0; at == 0 || at < data.length; at += cut) {
            AppendObjectRequest r = new AppendObjectRequest(bucket, key, OssClient.bytes(Arrays.copyOfRange(data, at, Math.min(at + cut, data.length))));
            r.setPosition(position);
            r.setInitCRC(crc);
            com.aliyun.oss.model.AppendObjectResult done = c.appendObject(r);
            position = done.getNextPosition();
            crc = done.getClientCRC();
        }
    }

    static List<PartETag> parts(OSS c, String bucket, String key, String upload, byte[] data, int cut) {
        List<PartETag> list = new ArrayList<>();
        for (int at = 0; at == 0 || at < data.length; at += cut) {
            byte[] part = Arrays.copyOfRange(data, at, Math.min(at + cut, data.length));
            list.add(c.uploadPart(new UploadPartRequest(bucket, key, upload, list.size() + 1, OssClient.bytes(part), part.length)).getPartETag());
        }
        return list;
    }

    static List<String> keys(OSS c, ListObjectsV2Request r, List<String> directories) {
        List<String> found = new ArrayList<>();
        for (;;) {
            ListObjectsV2Result page = c.listObjectsV2(r);
            for (OSSObjectSummary o : page.getObjectSummaries())
                found.add(o.getKey());
            if (directories != null)
                directories.addAll(page.getCommonPrefixes());
            if (!page.isTruncated())
                return found;
            r.setContinuationToken(page.getNextContinuationToken());
        }
    }

    static List<MultipartUpload> uploads(OSS c, ListMultipartUploadsRequest r) {
        List<MultipartUpload> found = new ArrayList<>();
        for (;;) {
            MultipartUploadListing page = c.listMultipartUploads(r);
            found.addAll(page.getMultipartUploads());
            if (!page.isTruncated())
                return found;
            r.setKeyMarker(page.getNextKeyMarker());
            r.setUploadIdMarker(page.getNextUploadIdMarker());
        }
    }

    static void write(OSS c, String bucket) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            JsonObject x = GSON.fromJson(line, JsonObject.class);
            String key = x.get("key").getAsString();
            byte[] data = Base64.getDecoder().decode(x.get("data").getAsString());
            int cut = x.has("cut") ? x.get("cut").getAsInt() : 0;
            switch (x.get("how").getAsString()) {
                case "put":
                    c.putObject(bucket, key, OssClient.bytes(data));
                    break;
                case "append":
                    append(c, bucket, key, data, cut);
                    break;
                case "multipart":
                    String upload = c.initiateMultipartUpload(new InitiateMultipartUploadRequest(bucket, key)).getUploadId();
                    c.completeMultipartUpload(new CompleteMultipartUploadRequest(bucket, key, upload, parts(c, bucket, key, upload, data, cut)));
                    break;
                default:
                    throw new IllegalArgumentException(line);
            }
        }
    }

    static void read(OSS c, String bucket, String prefix, PrintStream out) throws Exception {
        ListObjectsV2Request r = new ListObjectsV2Request(bucket, prefix);
        r.setMaxKeys(1000);
        for (String key : keys(c, r, null)) {
            OSSObject o = c.getObject(bucket, key);
            byte[] data = OssClient.read(o);
            JsonObject x = new JsonObject();
            x.addProperty("key", key);
            x.addProperty("data", Base64.getEncoder().encodeToString(data));
            x.addProperty("etag", o.getObjectMetadata().getETag());
            x.addProperty("type", o.getObjectMetadata().getObjectType());
            x.addProperty("content_type", o.getObjectMetadata().getContentType());
            x.add("meta", GSON.toJsonTree(o.getObjectMetadata().getUserMetadata()));
            out.println(GSON.toJson(x));
        }
    }

    public static void main(String[] a) throws Exception {
        OSS c = OssClient.open("V4", OssClient.ID, OssClient.SECRET, null);
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        if (a[0].equals("write"))
            write(c, a[1]);
        else if (a[0].equals("read"))
            read(c, a[1], a[2], out);
        else
            for (MultipartUpload u : uploads(c, new ListMultipartUploadsRequest(a[1]))) {
                JsonObject x = new JsonObject();
                x.addProperty("key", u.getKey());
                out.println(GSON.toJson(x));
            }
        out.flush();
        c.shutdown();
        System.exit(0);
    }
}
