"""The Log Service SDK for Python, pointed at the emulator the documented way: as an HTTP proxy."""
import os

PROXY = "http://127.0.0.1:" + os.environ["MC_LOGHUB_PORT"]
ENDPOINT = "http://cn-test.example.com"
os.environ["http_proxy"] = PROXY
os.environ["no_proxy"] = "127.0.0.1"

from aliyun.log import LogClient  # noqa: E402


def client(key=None, secret=None, **more):
    c = LogClient(ENDPOINT, key or os.environ["MC_KEY_ID"], secret or os.environ["MC_KEY_SECRET"], source="10.0.0.1", **more)
    c.timeout = 60
    return c


def read_shard(c, project, logstore, shard, begin="begin", end="end", **how):
    """Log groups of a shard in [begin, end), by cursors, as the documentation shows."""
    cursor = c.get_cursor(project, logstore, shard, begin).get_cursor()
    stop = c.get_cursor(project, logstore, shard, end).get_cursor()
    while cursor != stop:
        page = c.pull_logs(project, logstore, shard, cursor, end_cursor=stop, **how)
        yield from page.get_loggroup_list().LogGroups
        if page.get_next_cursor() == cursor:
            break
        cursor = page.get_next_cursor()


def shards(c, project, logstore):
    return [s["shardID"] for s in c.list_shards(project, logstore).get_shards_info()]
