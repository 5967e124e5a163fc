import com.aliyun.oss.ClientException;
import com.aliyun.oss.HttpMethod;
import com.aliyun.oss.OSS;
import com.aliyun.oss.OSSException;
import com.aliyun.oss.model.*;
import java.io.File;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Every call of the emulator's OSS that the unmodified Java SDK has. */
public final class EmulatorOss {
    /** In the order of their bytes */
    static final List<String> STRANGE = new ArrayList<>();
    static final Map<String, byte[]> CONTENTS = new LinkedHashMap<>();

    static {
        // what carries this SDK's requests takes dots out of paths and puts two slashes together
        for (String k : Arrays.asList(" blank ", "#hash", "$dollar^`{|}", "100%", "<tag>\"'", "?q=1&r=2", "[glob]*", "a b", "a%2Fb", "a+b", "back\\slash", "comma,=equals", "end/",
                "long" + "x".repeat(1000), "new\nline", "plain", "semi;colon:at@", "tab\there", "tilde~!'()*", "two//slashes", "x&y", "中文 é 🎉"))
            STRANGE.add("strange/" + k);
        CONTENTS.put("empty", new byte[0]);
        CONTENTS.put("one", bytes("x"));
        CONTENTS.put("text", bytes("Zeile\n中文\r\n"));
        CONTENTS.put("large", new byte[700000]);
        for (int i = 0; i < 700000; i++)
            CONTENTS.get("large")[i] = (byte) (i * i + (i >> 7));
    }

    final OSS c;
    final String how;
    final String b;

    EmulatorOss(String how) {
        this.how = how;
        c = OssClient.open(how, OssClient.ID, OssClient.SECRET, null);
        b = "java-" + how.toLowerCase().replace(' ', '-');
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    /** ec: "" = any, null = the SDK does not tell it */
    static void refused(String name, int status, String code, String ec, Checks.Call call) {
        try {
            call.run();
        } catch (OSSException e) {
            boolean told = ec == null || (ec.isEmpty() ? e.getEC() != null : ec.equals(e.getEC()));
            Checks.ok(name, code.equals(e.getErrorCode()) && told && e.getRequestId() != null && e.getRequestId().length() == 24, e + ", want " + code + " " + ec);
            return;
        } catch (Exception e) {
            Checks.ok(name, false, e);
            return;
        }
        Checks.ok(name, false, "was not refused");
    }

    static void control(String what, String json) throws Exception {
        HttpURLConnection u = (HttpURLConnection) new URL("http://127.0.0.1:" + System.getenv("MC_LOGHUB_PORT") + "/__mc/" + what).openConnection();
        u.setRequestMethod("POST");
        u.setDoOutput(true);
        u.getOutputStream().write(bytes(json));
        if (u.getResponseCode() != 200)
            throw new IllegalStateException(json + ": " + u.getResponseCode());
    }

    static void faults(String... rules) throws Exception {
        control("faults", "[" + String.join(",", rules) + "]");
    }

    static String fault(String api, String action, String more) {
        return "{\"service\":\"oss\",\"api\":\"" + api + "\",\"action\":\"" + action + "\"" + more + "}";
    }

    PutObjectResult put(String key, byte[] data) {
        return c.putObject(b, key, OssClient.bytes(data));
    }

    byte[] get(String key) throws Exception {
        return OssClient.read(c.getObject(b, key));
    }

    void same(String name, String key, byte[] want) throws Exception {
        byte[] got = get(key);
        Checks.ok(name, Arrays.equals(got, want), got.length + " bytes, want " + want.length);
    }

    void buckets() {
        CreateBucketRequest create = new CreateBucketRequest(b);
        create.setStorageClass(StorageClass.IA);
        create.setCannedACL(CannedAccessControlList.Private);
        c.createBucket(create);
        List<String> found = new ArrayList<>();
        ListBucketsRequest list = new ListBucketsRequest("java-", null, 1);
        for (;;) {
            BucketList page = c.listBuckets(list);
            page.getBucketList().forEach(x -> found.add(x.getName()));
            if (!page.isTruncated())
                break;
            list.setMarker(page.getNextMarker());
        }
        Checks.ok("listed", found.contains(b), found);
        Checks.equal("location", c.getBucketLocation(b), "oss-" + OssClient.REGION);
        Bucket info = c.getBucketInfo(b).getBucket();
        Checks.equal("info", info.getName() + " " + info.getStorageClass() + " " + info.getLocation(), b + " IA oss-" + OssClient.REGION);
        c.setBucketAcl(b, CannedAccessControlList.PublicRead);
        Checks.equal("acl", c.getBucketAcl(b).getCannedACL(), CannedAccessControlList.PublicRead);
        put("x", bytes("12345"));
        BucketStat stat = c.getBucketStat(b);
        Checks.equal("stat", stat.getStorageSize() + " " + stat.getObjectCount() + " " + stat.getMultipartUploadCount(), "5 1 0");
        refused("not empty", 409, "BucketNotEmpty", "", () -> c.deleteBucket(b));
        c.deleteObject(b, "x");
        c.deleteBucket(b);
        refused("gone", 404, "NoSuchBucket", "0015-00000101", () -> c.getBucketInfo(b));
        Checks.equal("exists", c.doesBucketExist(b), false);
        c.createBucket(b);
        Checks.equal("exists now", c.doesBucketExist(b), true);
    }

    void objects() throws Exception {
        for (Map.Entry<String, byte[]> e : CONTENTS.entrySet()) {
            ObjectMetadata m = new ObjectMetadata();
            m.setContentType("text/x-test");
            m.addUserMetadata("name", e.getKey());
            m.addUserMetadata("two-words", "a b");
            m.setCacheControl("no-cache");
            m.setContentDisposition("attachment");
            m.setContentEncoding("identity");
            m.setExpirationTime(new Date(1741064767000L));
            PutObjectResult put = c.putObject(b, e.getKey(), OssClient.bytes(e.getValue()), m);
            same("content of " + e.getKey(), e.getKey(), e.getValue());
            ObjectMetadata h = c.getObjectMetadata(b, e.getKey());
            Checks.equal("head of " + e.getKey(), h.getContentLength() + " " + h.getContentType() + " " + h.getETag() + " " + h.getObjectType() + " " + h.getServerCRC() + " " + new TreeMap<>(h.getUserMetadata()),
                    e.getValue().length + " text/x-test " + put.getETag() + " Normal " + put.getClientCRC() + " {name=" + e.getKey() + ", two-words=a b}");
            Checks.equal("headers of " + e.getKey(), h.getCacheControl() + " " + h.getContentDisposition() + " " + h.getContentEncoding() + " " + h.getRawExpiresValue(),
                    "no-cache attachment identity Tue, 04 Mar 2025 05:06:07 GMT");
            Checks.equal("meta of " + e.getKey(), c.getSimplifiedObjectMeta(b, e.getKey()).getSize(), (long) e.getValue().length);
        }
        Checks.equal("exists", c.doesObjectExist(b, "large") + " " + c.doesObjectExist(b, "none"), "true false");
        // a stream whose length is not said is sent in chunks
        c.putObject(b, "chunked", new java.io.SequenceInputStream(OssClient.bytes(bytes("abc")), OssClient.bytes(CONTENTS.get("large"))));
        byte[] both = new byte[700003];
        System.arraycopy(bytes("abc"), 0, both, 0, 3);
        System.arraycopy(CONTENTS.get("large"), 0, both, 3, 700000);
        same("chunked", "chunked", both);
        File f = File.createTempFile("sdk", ".csv");
        c.getObject(new GetObjectRequest(b, "large"), f);
        Checks.ok("to a file", Arrays.equals(Files.readAllBytes(f.toPath()), CONTENTS.get("large")));
        c.putObject(b, "from file.csv", f);
        Checks.equal("from a file", c.getObjectMetadata(b, "from file.csv").getContentType(), "text/csv");
        f.delete();
        GetObjectRequest r = new GetObjectRequest(b, "large");
        ResponseHeaderOverrides o = new ResponseHeaderOverrides();
        o.setContentType("c/d");
        o.setContentDisposition("inline; filename=\"e f\"");
        r.setResponseHeaders(o);
        try (OSSObject got = c.getObject(r)) {
            Checks.equal("response-", got.getObjectMetadata().getContentType() + " " + got.getObjectMetadata().getContentDisposition(), "c/d inline; filename=\"e f\"");
        }
        put("large", bytes("new"));
        same("replaced", "large", bytes("new"));
        ObjectMetadata wrong = new ObjectMetadata();
        wrong.setContentMD5("1B2M2Y8AsgTpgAmY7PhCfg==");
        refused("wrong MD5", 400, "InvalidDigest", "", () -> c.putObject(b, "md5", OssClient.bytes(bytes("x")), wrong));
        refused("missing object", 404, "NoSuchKey", "0026-00000001", () -> get("none"));
        refused("head of a missing object", 404, "NoSuchKey", null, () -> c.getObjectMetadata(b, "none"));
        Checks.equal("deleted", c.deleteObject(b, "none").getResponse().getStatusCode(), 204);
    }

    /** What the answer to a GET is: status and content */
    String ask(GetObjectRequest r) throws Exception {
        try (OSSObject o = c.getObject(r)) {
            byte[] data = o.getObjectContent().readAllBytes();
            return o.getResponse().getStatusCode() + " " + new String(data, StandardCharsets.UTF_8);
        } catch (OSSException e) {
            return e.getErrorCode();
        }
    }

    void conditions() throws Exception {
        String whole = "0123456789";
        String etag = put("c", bytes(whole)).getETag();
        Date before = new Date(System.currentTimeMillis() - 86400000), after = new Date(System.currentTimeMillis() + 60000);
        GetObjectRequest r = new GetObjectRequest(b, "c");
        r.setMatchingETagConstraints(Collections.singletonList(etag));
        Checks.equal("If-Match", ask(r), "200 " + whole);
        r.setMatchingETagConstraints(Collections.singletonList("x"));
        Checks.equal("If-Match of another", ask(r), "PreconditionFailed");
        r = new GetObjectRequest(b, "c");
        r.setNonmatchingETagConstraints(Collections.singletonList(etag));
        Checks.equal("If-None-Match", ask(r), "NotModified");
        r.setNonmatchingETagConstraints(Collections.singletonList("x"));
        Checks.equal("If-None-Match of another", ask(r), "200 " + whole);
        for (Date at : Arrays.asList(before, after)) {
            r = new GetObjectRequest(b, "c");
            r.setModifiedSinceConstraint(at);
            Checks.equal("If-Modified-Since", ask(r), at == before ? "200 " + whole : "NotModified");
            r = new GetObjectRequest(b, "c");
            r.setUnmodifiedSinceConstraint(at);
            Checks.equal("If-Unmodified-Since", ask(r), at == after ? "200 " + whole : "PreconditionFailed");
        }
        long[][] ranges = {{0, 9}, {2, 4}, {5, -1}, {-1, 3}, {5, 20}, {20, 30}, {-1, 20}};
        String[] plain = {"206 0123456789", "206 234", "206 56789", "206 789", "200 0123456789", "200 0123456789", "200 0123456789"};
        String[] standard = {"206 0123456789", "206 234", "206 56789", "206 789", "206 56789", "InvalidRange", "206 0123456789"};
        for (int i = 0; i < ranges.length; i++) {
            r = new GetObjectRequest(b, "c");
            r.setRange(ranges[i][0], ranges[i][1]);
            Checks.equal("range " + Arrays.toString(ranges[i]), ask(r), plain[i]);
            r.addHeader("x-oss-range-behavior", "standard");
            Checks.equal("range " + Arrays.toString(ranges[i]) + " standard", ask(r), standard[i]);
        }
        ObjectMetadata forbid = new ObjectMetadata();
        forbid.setHeader("x-oss-forbid-overwrite", "true");
        refused("forbid-overwrite", 409, "FileAlreadyExists", "", () -> c.putObject(b, "c", OssClient.bytes(bytes("x")), forbid));
        c.putObject(b, "new", OssClient.bytes(bytes("x")), forbid);
    }

    void appends() throws Exception {
        OssData.append(c, b, "log", CONTENTS.get("large"), 300000);
        same("appended", "log", CONTENTS.get("large"));
        ObjectMetadata h = c.getObjectMetadata(b, "log");
        Checks.equal("appendable", h.getObjectType() + " " + h.getRawMetadata().get("x-oss-next-append-position"), "Appendable 700000");
        AppendObjectRequest r = new AppendObjectRequest(b, "log", OssClient.bytes(bytes("x")));
        r.setPosition(3L);
        refused("wrong position", 409, "PositionNotEqualToLength", "0026-00000016", () -> c.appendObject(r));
        put("normal", bytes("x"));
        AppendObjectRequest n = new AppendObjectRequest(b, "normal", OssClient.bytes(bytes("x")));
        n.setPosition(1L);
        refused("not appendable", 409, "ObjectNotAppendable", "", () -> c.appendObject(n));
    }

    void multipart() throws Exception {
        byte[] data = Arrays.copyOf(CONTENTS.get("large"), 450 * 1024);
        String key = "multi part/中文+1";
        ObjectMetadata m = new ObjectMetadata();
        m.setContentType("text/m");
        m.addUserMetadata("m", "1");
        String upload = c.initiateMultipartUpload(new InitiateMultipartUploadRequest(b, key, m)).getUploadId();
        List<PartETag> parts = OssData.parts(c, b, key, upload, data, 102400);
        StringBuilder seen = new StringBuilder();
        ListPartsRequest list = new ListPartsRequest(b, key, upload);
        list.setMaxParts(2);
        for (;;) {
            PartListing page = c.listParts(list);
            for (PartSummary p : page.getParts())
                seen.append(p.getPartNumber()).append(':').append(p.getSize()).append(p.getETag().equals(parts.get(p.getPartNumber() - 1).getETag()) ? " " : "! ");
            if (!page.isTruncated())
                break;
            list.setPartNumberMarker(page.getNextPartNumberMarker());
        }
        Checks.equal("parts", seen.toString(), "1:102400 2:102400 3:102400 4:102400 5:51200 ");
        Checks.equal("not there before", c.doesObjectExist(b, key), false);
        CompleteMultipartUploadResult done = c.completeMultipartUpload(new CompleteMultipartUploadRequest(b, key, upload, parts));
        Checks.ok("ETag of parts", done.getETag().endsWith("-5"), done.getETag());
        same("content", key, data);
        ObjectMetadata h = c.getObjectMetadata(b, key);
        Checks.equal("head", h.getObjectType() + " " + h.getContentType() + " " + h.getUserMetadata() + " " + h.getServerCRC(), "Multipart text/m {m=1} " + done.getServerCRC());
        List<String> names = Arrays.asList(STRANGE.get(3), "u/a", "u/a", "u/b", "v/c"), open = new ArrayList<>();
        for (String n : names)
            c.initiateMultipartUpload(new InitiateMultipartUploadRequest(b, n));
        ListMultipartUploadsRequest pages = new ListMultipartUploadsRequest(b);
        pages.setMaxUploads(1);
        for (MultipartUpload u : OssData.uploads(c, pages)) {
            open.add(u.getKey());
            c.abortMultipartUpload(new AbortMultipartUploadRequest(b, u.getKey(), u.getUploadId()));
        }
        Checks.equal("pages", open, names);
        Checks.equal("aborted", OssData.uploads(c, new ListMultipartUploadsRequest(b)).size(), 0);
        refused("gone", 404, "NoSuchUpload", "", () -> OssData.parts(c, b, key, upload, bytes("x"), 1));
        String bad = c.initiateMultipartUpload(new InitiateMultipartUploadRequest(b, "bad")).getUploadId();
        List<PartETag> two = OssData.parts(c, b, "bad", bad, bytes("smallsmall"), 5);
        refused("small part", 400, "EntityTooSmall", "", () -> c.completeMultipartUpload(new CompleteMultipartUploadRequest(b, "bad", bad, two)));
        refused("wrong ETag", 400, "InvalidPart", "", () -> c.completeMultipartUpload(new CompleteMultipartUploadRequest(b, "bad", bad, Arrays.asList(new PartETag(1, "0".repeat(32))))));
        c.completeMultipartUpload(new CompleteMultipartUploadRequest(b, "bad", bad, two.subList(1, 2)));
        same("some of the parts", "bad", bytes("small"));
        String copy = c.initiateMultipartUpload(new InitiateMultipartUploadRequest(b, "copied")).getUploadId();
        List<PartETag> copied = new ArrayList<>();
        for (int i = 0; i < 3; i++)
            copied.add(c.uploadPartCopy(new UploadPartCopyRequest(b, key, b, "copied", copy, i + 1, i * 200000L, Math.min(200000L, data.length - i * 200000L))).getPartETag());
        c.completeMultipartUpload(new CompleteMultipartUploadRequest(b, "copied", copy, copied));
        same("copied in parts", "copied", data);
    }

    void helpers() throws Throwable {
        File f = File.createTempFile("sdk", ".dat"), g = File.createTempFile("sdk", ".out");
        byte[] data = Arrays.copyOf(CONTENTS.get("large"), 1050000);
        Files.write(f.toPath(), data);
        UploadFileRequest up = new UploadFileRequest(b, "up", f.getPath(), 102400, 4);
        c.uploadFile(up);
        same("uploadFile", "up", data);
        faults(fault("UploadPart", "status", ",\"nth\":3,\"http\":403,\"code\":\"AccessDenied\""));
        UploadFileRequest resumed = new UploadFileRequest(b, "resumed", f.getPath(), 204800, 1, true, f.getPath() + ".cp");
        try {
            c.uploadFile(resumed);
            Checks.ok("interrupted", false, "was not");
        } catch (OSSException e) {
            Checks.equal("interrupted", e.getErrorCode(), "AccessDenied");
        }
        faults();
        int open = OssData.uploads(c, new ListMultipartUploadsRequest(b)).size();
        c.uploadFile(resumed);
        same("resumed", "resumed", data);
        Checks.equal("uploads before and after", open + " " + OssData.uploads(c, new ListMultipartUploadsRequest(b)).size(), "1 0");
        c.downloadFile(new DownloadFileRequest(b, "up", g.getPath(), 102400, 4, true));
        Checks.ok("downloadFile", Arrays.equals(Files.readAllBytes(g.toPath()), data));
        f.delete();
        g.delete();
    }

    void copies() throws Exception {
        for (String key : STRANGE) {
            ObjectMetadata m = new ObjectMetadata();
            m.addUserMetadata("k", "v");
            String etag = c.putObject(b, key, OssClient.bytes(bytes(key)), m).getETag();
            CopyObjectResult done = c.copyObject(b, key, b, "copy of " + key);
            String name = key.length() > 50 ? key.substring(0, 50) : key;
            same("copy of " + name, "copy of " + key, bytes(key));
            Checks.equal("ETag and metadata of " + name, done.getETag() + c.getObjectMetadata(b, "copy of " + key).getUserMetadata(), etag + "{k=v}");
            c.deleteObject(b, "copy of " + key);
        }
        CopyObjectRequest r = new CopyObjectRequest(b, STRANGE.get(0), b, "d");
        ObjectMetadata m = new ObjectMetadata();
        m.addUserMetadata("z", "1");
        r.setNewObjectMetadata(m);
        c.copyObject(r);
        Checks.equal("metadata is replaced", c.getObjectMetadata(b, "d").getUserMetadata().toString(), "{z=1}");
        CopyObjectRequest other = new CopyObjectRequest(b, STRANGE.get(0), b, "d");
        other.setMatchingETagConstraints(Collections.singletonList("x"));
        refused("copy If-Match", 412, "PreconditionFailed", "", () -> c.copyObject(other));
        refused("missing source", 404, "NoSuchKey", "0026-00000001", () -> c.copyObject(b, "none", b, "d"));
    }

    ListObjectsV2Request list(String prefix, int step) {
        ListObjectsV2Request r = new ListObjectsV2Request(b, prefix);
        r.setMaxKeys(step);
        return r;
    }

    void listings() {
        for (String key : STRANGE)
            put(key, bytes(key));
        for (String key : Arrays.asList("t/", "t/a", "t/a/1", "t/a/2", "t/a-b", "t/b/", "t/b/1", "t/b/c/2", "t/z"))
            put(key, new byte[0]);
        for (int step : new int[] {1000, 3, 1}) {
            Checks.equal("V2 by " + step, OssData.keys(c, list("strange/", step), null), STRANGE);
            ListObjectsV2Request r = list("t/", step);
            r.setDelimiter("/");
            List<String> directories = new ArrayList<>();
            List<String> keys = OssData.keys(c, r, directories);
            Checks.equal("directories by " + step, keys + " " + directories, "[t/, t/a, t/a-b, t/z] [t/a/, t/b/]");
        }
        List<String> found = new ArrayList<>();
        ListObjectsRequest one = new ListObjectsRequest(b, "strange/", null, null, 3);
        for (;;) {
            ObjectListing page = c.listObjects(one);
            page.getObjectSummaries().forEach(o -> found.add(o.getKey()));
            if (!page.isTruncated())
                break;
            one.setMarker(page.getNextMarker());
        }
        Checks.equal("V1 by 3", found, STRANGE);
        ListObjectsV2Request after = list("t/", 100);
        after.setStartAfter("t/b/");
        Checks.equal("after", OssData.keys(c, after, null).toString(), "[t/b/1, t/b/c/2, t/z]");
        ListObjectsV2Request owner = list("strange/plain", 10);
        owner.setFetchOwner(true);
        ListObjectsV2Result page = c.listObjectsV2(owner);
        OSSObjectSummary o = page.getObjectSummaries().get(0);
        Checks.equal("entry", o.getSize() + " " + o.getETag() + " " + o.getType() + " " + o.getStorageClass() + " " + (o.getOwner() != null) + " " + page.getKeyCount(),
                "13 " + c.getObjectMetadata(b, o.getKey()).getETag() + " Normal Standard true 1");
        Checks.ok("time", Math.abs(System.currentTimeMillis() - o.getLastModified().getTime()) < 60000, o.getLastModified());
    }

    void deletes() {
        for (boolean quiet : new boolean[] {false, true}) {
            for (String key : STRANGE)
                put(key, bytes("x"));
            List<String> all = new ArrayList<>(STRANGE);
            all.add("none");
            DeleteObjectsRequest r = new DeleteObjectsRequest(b);
            r.setKeys(all);
            r.setQuiet(quiet);
            r.setEncodingType("url");
            Checks.equal("deleted, quiet " + quiet, c.deleteObjects(r).getDeletedObjects(), quiet ? Collections.emptyList() : all);
            Checks.equal("nothing left", OssData.keys(c, list("strange/", 1000), null).size(), 0);
        }
    }

    void attributes() throws Exception {
        ObjectMetadata m = new ObjectMetadata();
        m.setHeader("x-oss-tagging", "a=1&b%20c=%2B");
        c.putObject(b, "t", OssClient.bytes(bytes("x")), m);
        Checks.equal("tags", new TreeMap<>(c.getObjectTagging(b, "t").getAllTags()).toString(), "{a=1, b c=+}");
        c.setObjectTagging(b, "t", Collections.singletonMap("key", "é +/"));
        Checks.equal("new tags", c.getObjectTagging(b, "t").getAllTags().toString(), "{key=é +/}");
        c.deleteObjectTagging(b, "t");
        Checks.equal("no tags", c.getObjectTagging(b, "t").getAllTags().size(), 0);
        for (CannedAccessControlList acl : Arrays.asList(CannedAccessControlList.Private, CannedAccessControlList.PublicRead, CannedAccessControlList.PublicReadWrite, CannedAccessControlList.Default)) {
            c.setObjectAcl(b, "t", acl);
            Checks.equal("acl " + acl, c.getObjectAcl(b, "t").getPermission().toString(), acl.toString());
        }
        c.createSymlink(b, "link+1", "t");
        same("symlink", "link+1", bytes("x"));
        Checks.equal("its target", c.getSymlink(b, "link+1").getTarget() + " " + c.getObjectMetadata(b, "link+1").getObjectType(), "t Symlink");
    }

    void urls() throws Exception {
        Proxy proxy = how.endsWith(" host") ? new Proxy(Proxy.Type.HTTP, new InetSocketAddress("127.0.0.1", OssClient.PORT)) : Proxy.NO_PROXY;
        for (int i = 0; i < STRANGE.size(); i += 4) {
            String key = "url/" + STRANGE.get(i), name = key.length() > 50 ? key.substring(0, 50) : key;
            GeneratePresignedUrlRequest r = new GeneratePresignedUrlRequest(b, key, HttpMethod.PUT);
            r.setExpiration(new Date(System.currentTimeMillis() + 60000));
            r.setContentType("text/u");
            r.addUserMetadata("u", "1");
            HttpURLConnection u = (HttpURLConnection) c.generatePresignedUrl(r).openConnection(proxy);
            u.setRequestMethod("PUT");
            u.setDoOutput(true);
            u.setRequestProperty("Content-Type", "text/u");
            u.setRequestProperty("x-oss-meta-u", "1");
            try (OutputStream out = u.getOutputStream()) {
                out.write(bytes("through a URL"));
            }
            Checks.equal("put " + name, u.getResponseCode(), 200);
            URL url = c.generatePresignedUrl(b, key, new Date(System.currentTimeMillis() + 60000));
            try (OSSObject got = c.getObject(url, new LinkedHashMap<>())) {
                Checks.equal("get " + name, new String(got.getObjectContent().readAllBytes(), StandardCharsets.UTF_8) + got.getObjectMetadata().getUserMetadata(), "through a URL{u=1}");
            }
        }
        URL url = c.generatePresignedUrl(b, "url/x", new Date(System.currentTimeMillis() + 60000));
        refused("spoiled", 403, "SignatureDoesNotMatch", "", () -> c.getObject(new URL(url.toString().replace("url", "URL")), new LinkedHashMap<>()));
    }

    void access() throws Exception {
        put("a", bytes("x"));
        refused("wrong secret", 403, "SignatureDoesNotMatch", "", () -> OssClient.open(how, OssClient.ID, "wrong", null).getObject(b, "a"));
        refused("unknown key", 403, "InvalidAccessKeyId", "0002-00000902", () -> OssClient.open(how, "nobody", "x", null).getObject(b, "a"));
        refused("missing bucket", 404, "NoSuchBucket", "0015-00000101", () -> c.getObject("java-none", "a"));
        Checks.equal("STS", new String(OssClient.read(OssClient.open(how, "sts-id", "sts-secret", "sts-token").getObject(b, "a"))), "x");
        refused("wrong token", 403, "InvalidSecurityToken", "", () -> OssClient.open(how, "sts-id", "sts-secret", "wrong").getObject(b, "a"));
        String[][] codes = {{"token_expired", "SecurityTokenExpired"}, {"time_skewed", "RequestTimeTooSkewed"}, {"throttle", "QpsLimitExceeded"}};
        for (String[] x : codes) {
            faults(fault("GetObject", x[0], ""));
            refused(x[1], 0, x[1], "", () -> get("a"));
        }
        faults(fault("GetObject", "corrupt_body", ""));
        try {
            get("a");
            Checks.ok("a changed byte is noticed", false, "was not");
        } catch (ClientException | com.aliyun.oss.InconsistentException e) {
            Checks.ok("a changed byte is noticed", String.valueOf(e).contains("nconsistent"), e);
        }
        faults();
        if (how.endsWith(" host")) {
            control("command", "{\"service\":\"oss\",\"op\":\"cname\",\"host\":\"data-java.example.com\",\"bucket\":\"" + b + "\"}");
            OSS own = OssClient.open(how.replace(" host", " cname"), OssClient.ID, OssClient.SECRET, null);
            own.putObject(b, "its own name", OssClient.bytes(bytes("c")));
            Checks.equal("a host of the bucket's own", new String(OssClient.read(own.getObject(b, "its own name"))) + OssData.keys(own, list("its", 10), null), "c[its own name]");
        }
        // the SDK always signs, but not what is a URL already
        String signed = c.generatePresignedUrl(b, "a", new Date(System.currentTimeMillis() + 60000)).toString();
        URL plain = new URL(signed.substring(0, signed.indexOf('?')));
        refused("anonymous", 403, "AccessDenied", "0003-00000001", () -> c.getObject(plain, new LinkedHashMap<>()));
        c.setObjectAcl(b, "a", CannedAccessControlList.PublicRead);
        Checks.equal("anonymous read", new String(OssClient.read(c.getObject(plain, new LinkedHashMap<>()))), "x");
        refused("anonymous write", 403, "AccessDenied", "0003-00000001", () -> c.putObject(plain, OssClient.bytes(bytes("y")), 1, new LinkedHashMap<>()));
    }

    public static void main(String[] a) {
        for (String how : Arrays.asList("V4", "V1", "V4 host", "V1 host", "V4 localhost")) {
            EmulatorOss e = new EmulatorOss(how);
            Checks.section("buckets", e::buckets);
            Checks.section("objects", e::objects);
            Checks.section("listings", e::listings);
            Checks.section("urls", e::urls);
            Checks.section("access", e::access);
            if (how.contains(" "))
                continue;       // the rest does not depend on how the bucket is named
            Checks.section("conditions", e::conditions);
            Checks.section("appends", e::appends);
            Checks.section("multipart", e::multipart);
            Checks.section("helpers", () -> {
                try {
                    e.helpers();
                } catch (Exception x) {
                    throw x;
                } catch (Throwable x) {
                    throw new IllegalStateException(x);
                }
            });
            Checks.section("copies", e::copies);
            Checks.section("deletes", e::deletes);
            Checks.section("attributes", e::attributes);
        }
        System.exit(0);
    }
}
