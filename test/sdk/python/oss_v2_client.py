"""The second Python SDK of OSS, alibabacloud-oss-v2, pointed at the emulator."""
import alibabacloud_oss_v2 as oss

from mctest import KEY, OSS

REGION = "cn-hangzhou"
# endpoint, and whether the emulator is a proxy in front of it
ADDRESS = {"": (OSS, False), "host": ("http://oss-%s.aliyuncs.com" % REGION, True), "localhost": (OSS.replace("127.0.0.1", "localhost"), False)}


def client(how="V4", key=KEY, token=None, anonymous=False, address=None, **more):
    """how: V1 or V4, and behind a blank the form of address; address: another endpoint of that form"""
    version, _, form = how.partition(" ")
    endpoint, proxy = ADDRESS[form]
    provider = oss.credentials.AnonymousCredentialsProvider() if anonymous else oss.credentials.StaticCredentialsProvider(*key, security_token=token)
    return oss.Client(oss.config.Config(region=REGION, endpoint=address or endpoint, signature_version=version.lower(), credentials_provider=provider,
                                        use_path_style=form == "localhost", proxy_host={"http": OSS} if proxy else None, **more))


def error(e):
    """(status, code, ec, request id) of a ServiceError, however deep it is"""
    while hasattr(e, "unwrap"):
        e = e.unwrap()
    return (e.status_code, e.code, e.ec, e.request_id) if isinstance(e, oss.exceptions.ServiceError) else (0, type(e).__name__ + " " + str(e), "", "")
