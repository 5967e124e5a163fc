#!/usr/bin/env python3
"""A consumer of the SDK's consumer library: loghub_consumer.py PROJECT LOGSTORE GROUP NAME prints the field `id` of
each log once its position is stored, and leaves the group when its input ends."""
import sys

from loghub_client import ENDPOINT

import os

from aliyun.log.consumer import ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig


class Printer(ConsumerProcessorBase):
    def process(self, log_groups, check_point_tracker):
        ids = [c.Value for g in log_groups.LogGroups for log in g.Logs for c in log.Contents if c.Key == "id"]
        self.save_checkpoint(check_point_tracker, force=True)
        # one write: two shards are read at the same time
        sys.stdout.write("".join(x + "\n" for x in ids))
        sys.stdout.flush()


project, logstore, group, name = sys.argv[1:]
worker = ConsumerWorker(Printer, LogHubConfig(
    ENDPOINT, os.environ["MC_KEY_ID"], os.environ["MC_KEY_SECRET"], project, logstore, group, name,
    cursor_position=CursorPosition.BEGIN_CURSOR, heartbeat_interval=3, data_fetch_interval=1))
worker.start()
sys.stdin.read()
worker.shutdown()
worker.join()
