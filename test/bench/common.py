"""What the parts of the benchmark share: one measurement, the table of results, a peer."""
import json
import os
import re
import statistics
import subprocess
import sys
import time

from mctest import call

HERE = os.path.dirname(os.path.abspath(__file__))


def measure(session, text):
    cpu, start = session.cpu_seconds(), time.monotonic()
    session.sql(text)
    return {"wall": time.monotonic() - start, "cpu": session.cpu_seconds() - cpu}


def median(samples, key):
    return statistics.median(x[key] for x in samples)


class Results:
    def __init__(self, only):
        self.rows, self.only = [], re.compile(only) if only else None

    def add(self, name, metric, value, unit, peer, peer_value, digits=0):
        if self.only and not self.only.search(name):
            return
        ratio = value / peer_value if peer_value else None
        self.rows.append({"name": name, "metric": metric, "value": round(value, digits or None), "unit": unit,
                          "peer": peer, "peer_value": None if peer_value is None else round(peer_value, digits or None),
                          "ratio": None if ratio is None else round(ratio, 3)})
        print("%-44s %12.0f %-8s %-16s %12s %8s" % (
            name, value, unit, peer or "", "" if peer_value is None else "%.0f" % peer_value,
            "" if ratio is None else "%.2f" % ratio), flush=True)


def with_latency(results, s, name, text, rows, rounds):
    """the same without and with 20 ms added to every request"""
    walls = {0: [], 20: []}
    for _ in range(rounds):
        for ms in walls:
            call("faults", [{"action": "delay", "ms": ms}] if ms else [])
            walls[ms].append(measure(s, text)["wall"])
    call("faults", [])
    results.add(name, "rate", rows / statistics.median(walls[20]), "rows/s", "0 ms", rows / statistics.median(walls[0]))


def peer_seconds(peer, rows, env):
    """run an official SDK's program, which must have handled all rows"""
    out = subprocess.run([os.path.join(HERE, "peers", "run")] + peer, env=dict(os.environ, **env), check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    answer = json.loads(out.strip().splitlines()[-1])
    if answer["rows"] != rows:
        sys.exit("%s: %d of %d rows" % (" ".join(peer), answer["rows"], rows))
    return answer["seconds"]
