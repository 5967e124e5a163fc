import com.aliyun.oss.ClientBuilderConfiguration;
import com.aliyun.oss.OSS;
import com.aliyun.oss.OSSClientBuilder;
import com.aliyun.oss.common.auth.DefaultCredentialProvider;
import com.aliyun.oss.common.comm.SignVersion;
import com.aliyun.oss.common.utils.IOUtils;
import com.aliyun.oss.internal.OSSUtils;
import com.aliyun.oss.model.OSSObject;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** The unmodified Java SDK of OSS, pointed at the emulator. */
final class OssClient {
    static final String REGION = "cn-hangzhou";
    static final int PORT = Integer.parseInt(System.getenv("MC_OSS_PORT"));
    static final String ID = System.getenv("MC_KEY_ID");
    static final String SECRET = System.getenv("MC_KEY_SECRET");

    private OssClient() {
    }

    /** how: V1 or V4, and behind a blank host (bucket in the host, through a proxy), cname or localhost */
    static OSS open(String how, String id, String secret, String token) {
        ClientBuilderConfiguration c = new ClientBuilderConfiguration();
        c.setSignatureVersion(how.startsWith("V4") ? SignVersion.V4 : SignVersion.V1);
        c.setMaxErrorRetry(0);
        String endpoint = "http://127.0.0.1:" + PORT;
        if (how.endsWith(" host")) {
            endpoint = "http://oss-" + REGION + ".aliyuncs.com";
            c.setProxyHost("127.0.0.1");
            c.setProxyPort(PORT);
        } else if (how.endsWith(" cname")) {
            endpoint = "http://data-java.example.com";
            c.setSupportCname(true);
            c.setProxyHost("127.0.0.1");
            c.setProxyPort(PORT);
        } else if (how.endsWith(" localhost")) {
            endpoint = "http://localhost:" + PORT;
            c.setSLDEnabled(true);
        }
        return OSSClientBuilder.create().endpoint(endpoint).region(REGION).clientConfiguration(c)
                .credentialsProvider(new DefaultCredentialProvider(id, secret, token)).build();
    }

    static InputStream bytes(byte[] data) {
        return new ByteArrayInputStream(data);
    }

    /** The content; its CRC is compared */
    static byte[] read(OSSObject o) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (InputStream in = o.getObjectContent()) {
            byte[] buffer = new byte[65536];
            for (int n; (n = in.read(buffer)) > 0;)
                out.write(buffer, 0, n);
        }
        OSSUtils.checkChecksum(IOUtils.getCRCValue(o.getObjectContent()), o.getServerCRC(), o.getRequestId());
        return out.toByteArray();
    }
}
