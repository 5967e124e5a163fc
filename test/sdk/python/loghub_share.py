"""A consumer group whose shards are read by two consumers of the SDK's consumer library and by a job, side by side."""
import os
import random
import subprocess
import sys
import threading
import time

from checks import equal, ok
from mctest import command

HERE = os.path.dirname(os.path.abspath(__file__))
AGE = 65            # s: the logs' receive time, so that the job need not wait for its windows
SHARDS = 6


class Consumer:
    def __init__(self, name):
        self.ids = []
        self.process = subprocess.Popen([sys.executable, HERE + "/loghub_consumer.py", "web", "group_shared", "mixed", name],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.ids.append(int(line))

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.thread.join()


def write(rng, n):
    command("loghub", "append_group", project="web", logstore="group_shared", shard=rng.randrange(SHARDS), late=True,
            receive_time=int(time.time()) - AGE, group={"__logs__": [{"__time__": int(time.time()), "id": str(n)}]})


def check(s):
    command("loghub", "create_logstore", project="web", logstore="group_shared", shards=SHARDS, ttl=30, appendMeta=True)
    s.sql("SET client_min_messages = warning")
    s.sql("CREATE FOREIGN TABLE group_shared_in (id int, __receive_time__ timestamptz) SERVER sls"
          " OPTIONS (logstore 'group_shared', consumer_group 'mixed', consumer_share 'true')")
    s.sql("CREATE TABLE group_shared (id int)")
    s.sql("SELECT mc.create_job('group_shared', 'INSERT INTO public.group_shared SELECT id FROM public.group_shared_in"
          " WHERE __receive_time__ >= $1 AND __receive_time__ < $2', every => '1 s', lag => '61 s',"
          " start => to_timestamp(%d), retry_limit => 1000, retry_delay => '0')" % (int(time.time()) - AGE - 5))
    rng = random.Random(1)
    consumers = [Consumer("one"), Consumer("two")]
    errors, n = [], 0
    end = time.monotonic() + 30
    stopped = False
    while time.monotonic() < end:
        for _ in range(5):
            n += 1
            write(rng, n)
        out, state = s.try_sql("CALL mc.run_job('group_shared', retry => true)")
        if state != "00000":
            errors.append("\n".join(out))
        if not stopped and time.monotonic() > end - 15:
            consumers[1].stop()         # its shards go to the others
            stopped = True
        time.sleep(0.2)
    everything = list(range(1, n + 1))
    end = time.monotonic() + 60
    while time.monotonic() < end:
        s.try_sql("CALL mc.run_job('group_shared', retry => true)")
        ours = [int(x) for x in s.sql("SELECT id FROM group_shared ORDER BY id")]
        if sorted(ours + consumers[0].ids + consumers[1].ids) == everything:
            break
        time.sleep(0.5)
    consumers[0].stop()
    ids = sorted(ours + consumers[0].ids + consumers[1].ids)
    ok("a job in a group with consumers of the SDK: no window fails", not errors, "\n".join(errors[:2]))
    equal("a job in a group with consumers of the SDK: every log once", (sorted(set(everything) - set(ids)), sorted({x for x in ids if ids.count(x) > 1})), ([], []))
    ok("each of them reads a part", all(len(x) > n // 20 for x in (ours, consumers[0].ids, consumers[1].ids)),
       "%d %d %d of %d" % (len(ours), len(consumers[0].ids), len(consumers[1].ids), n))
