"""pyodps, pointed at the emulator."""
import os

os.environ["no_proxy"] = "127.0.0.1"

from odps import ODPS, options  # noqa: E402
from odps.accounts import StsAccount  # noqa: E402
from odps.tunnel import CompressOption, TableTunnel  # noqa: E402

ENDPOINT = "http://127.0.0.1:%s/api" % os.environ["MC_MAXCOMPUTE_PORT"]
options.local_timezone = False      # DATETIME as naive UTC
options.sql.use_odps2_extension = True
options.tunnel.string_as_binary = False
options.allow_antique_date = True
options.retry_times = 1

CODINGS = {"none": None, "deflate": "zlib", "zstd": "zstd", "lz4": "lz4", "snappy": "snappy"}


def odps(project, key=None, secret=None, token=None, **more):
    key, secret = key or os.environ["MC_KEY_ID"], secret or os.environ["MC_KEY_SECRET"]
    account = {"account": StsAccount(key, secret, token)} if token else {"access_id": key, "secret_access_key": secret}
    return ODPS(project=project, endpoint=ENDPOINT, **dict(account, **more))


def how(coding):
    """arguments of session constructors for a coding"""
    return {"compress_option": CompressOption(CompressOption.CompressAlgorithm["ODPS_" + (CODINGS[coding] or "raw").upper()])}


def tunnel(o):
    return TableTunnel(o)
