"""What a job adds to its statement: a window of one row, run by mc.run_job(), against the bare INSERT
with the same bounds.  Medians over windows; the requests that look up the service's clock, and those
that recover nothing, are part of it."""
import statistics

from common import measure
from mctest import call, command, odps_sql

START, STEP = 1515605400, 60
TARGETS = {"maxcompute": "job_odps", "local": "job_local"}


def run(s, results, rounds, wanted):
    if not any(wanted("job_overhead_" + t) for t in TARGETS):
        return
    windows = 20 * rounds
    call("clock", {"now": START + STEP * (windows + 10)})
    command("emulator", "set", check_clock=False)
    command("maxcompute", "set", rates=False)
    command("loghub", "create_logstore", project="web", logstore="job", shards=1, ttl=3650)
    command("loghub", "generate", project="web", logstore="job", profile="text10", rows=windows, logs_per_group=1,
            **{"from": str(START), "to": str(START + STEP * windows)})
    odps_sql("CREATE TABLE demo.job_odps (c1 STRING, c2 STRING) PARTITIONED BY (dt STRING)")
    s.sql("""SET client_min_messages = warning; SET synchronous_commit = on;
CREATE FOREIGN TABLE sls_job (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'job');
CREATE FOREIGN TABLE job_odps (c1 text, c2 text, dt text) SERVER odps OPTIONS (table 'job_odps');
CREATE TABLE job_local (c1 text, c2 text, dt text)""")
    for name, target in TARGETS.items():
        text = "INSERT INTO %s SELECT c1, c2, 'd' FROM sls_job WHERE __receive_time__ >= $1 AND __receive_time__ < $2" % target
        s.sql("SELECT mc.create_job('bench_%s', $job$%s$job$, '%d s', lag => '1 min', start => to_timestamp(%d))" % (name, text, STEP, START))
        walls = {"call": [], "bare": []}
        for k in range(windows // 2):
            # turns, so that what slows the machine slows both
            bounds = [START + STEP * k, START + STEP * (k + 1)]
            walls["bare"].append(measure(s, text.replace("$1", "to_timestamp(%d)" % bounds[0]).replace("$2", "to_timestamp(%d)" % bounds[1]))["wall"])
            walls["call"].append(measure(s, "CALL mc.run_job('bench_%s', 1)" % name)["wall"])
        done = int(s.sql("SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'bench_%s' AND state = 'done'" % name)[0])
        if done != windows // 2:
            raise SystemExit("job_overhead: %d of %d windows are done" % (done, windows // 2))
        rest = windows - done
        each = measure(s, "CALL mc.run_job('bench_%s', %d)" % (name, rest))["wall"] / rest
        bare = statistics.median(walls["bare"])
        results.add("job_overhead_" + name, "window of one call", (statistics.median(walls["call"]) - bare) * 1e3, "ms more", "bare INSERT, ms", bare * 1e3, digits=1)
        results.add("job_overhead_%s_catch_up" % name, "window of a call of many", (each - bare) * 1e3, "ms more", "bare INSERT, ms", bare * 1e3, digits=1)
    call("clock", {"system": True})
    command("emulator", "set", check_clock=True)
