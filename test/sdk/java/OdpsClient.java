import com.aliyun.odps.Odps;
import com.aliyun.odps.account.AliyunAccount;
import com.aliyun.odps.account.StsAccount;
import com.aliyun.odps.tunnel.io.CompressOption;
import com.aliyun.odps.tunnel.io.CompressOption.CompressAlgorithm;

/** The MaxCompute SDK for Java, pointed at the emulator. */
final class OdpsClient {
    private OdpsClient() {
    }

    static Odps odps(String project, String id, String secret, String token, String region) {
        AliyunAccount account = token == null ? new AliyunAccount(id, secret, region) : new StsAccount(id, secret, token, region);
        Odps odps = new Odps(token == null && region == null ? new AliyunAccount(id, secret) : token != null && region == null ? new StsAccount(id, secret, token) : account);
        odps.setEndpoint("http://127.0.0.1:" + System.getenv("MC_MAXCOMPUTE_PORT") + "/api");
        odps.setDefaultProject(project);
        odps.getRestClient().setRetryTimes(0);
        return odps;
    }

    static Odps odps(String project) {
        return odps(project, System.getenv("MC_KEY_ID"), System.getenv("MC_KEY_SECRET"), null, null);
    }

    static CompressOption coding(String name) {
        CompressAlgorithm a = name.equals("none") ? CompressAlgorithm.ODPS_RAW : name.equals("deflate") ? CompressAlgorithm.ODPS_ZLIB
            : name.equals("lz4") ? CompressAlgorithm.ODPS_LZ4_FRAME : CompressAlgorithm.ODPS_SNAPPY;
        return new CompressOption(a, 1, 0);
    }
}
