"""Jobs that write to OSS: names of windows, the outbox, a crash at each step, what others
put under our keys, uploads that are gone, windows that are done again."""
import gzip
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command, oss_bucket, oss_get, oss_keys, oss_put, oss_uploads  # noqa: E402

tap = Tap()
LABELS = ["T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done"]
SETUP = """
CREATE EXTENSION mc_fdw;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE TABLE ev (at timestamptz, id int, note text);
INSERT INTO ev SELECT '2025-03-01 00:00+00'::timestamptz + g * interval '1 second', g, md5(g::text) FROM generate_series(0, 899) g;
CREATE FOREIGN TABLE small (id int, note text) SERVER oss OPTIONS (prefix 'small/', format 'csv', compression 'gzip');
CREATE FOREIGN TABLE days (id int, note text, part int) SERVER oss
    OPTIONS (prefix 'days/p={part}/', format 'jsonl', compression 'none', part_size '100kB');
CREATE FOREIGN TABLE over (id int, note text, win text) SERVER oss
    OPTIONS (prefix 'over/win={win}/', format 'csv', compression 'none', write_mode 'overwrite');
CREATE FOREIGN TABLE snap (id int, note text) SERVER oss
    OPTIONS (prefix 'snap/', format 'csv', compression 'none', write_mode 'overwrite', max_object_size '200kB', part_size '100kB')
""" % ((OSS,) + KEY)
WHERE = "FROM ev WHERE at >= $1 AND at < $2"
TEXTS = {
    "small": "INSERT INTO small SELECT id, note %s ORDER BY id" % WHERE,
    # several parts for each object, two directories
    "days": "INSERT INTO days SELECT id, repeat(note, 40), id %% 2 %s ORDER BY id" % WHERE,
    "over": "INSERT INTO over SELECT id, note, to_char($1 AT TIME ZONE 'UTC', 'HH24MI') %s ORDER BY id" % WHERE,
}


def admin(sql):
    return subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout.strip()


def faults(*rules):
    call("faults", [dict({"service": "oss"}, **r) for r in rules])


def restarted():
    for _ in range(300):
        time.sleep(0.1)
        if subprocess.run(["psql", "-XqAt", "-c", "SELECT 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode == 0:
            return
    raise RuntimeError("the server does not come back")


def content(prefix):
    """key -> text of every object"""
    result = {}
    for key in oss_keys(prefix, "lake"):
        data = oss_get(key, "lake")
        result[key] = (gzip.decompress(data) if key.endswith(".gz") else data).decode()
    return result


def job(name, text=None, **more):
    """made anew, with nothing of it in the bucket"""
    for key in ["small/", "days/", "over/", "snap/"]:
        command("oss", "delete", bucket="lake", prefix=key)
    for u in oss_uploads("lake"):
        command("oss", "expire_uploads", bucket="lake", prefix=u["key"])
    options = "".join(", %s => %s" % (k, v) for k, v in more.items())
    admin("SELECT mc.drop_job(name) FROM mc.job")
    admin("SELECT mc.create_job('%s', $j$%s$j$, '5 min', start => '2025-03-01 00:00+00', max_windows => 3%s)" % (name, text or TEXTS[name], options))


def run(name, settings="", **more):
    s = Session(settings)
    out, state = s.try_sql("CALL mc.run_job('%s'%s)" % (name, "".join(", %s => %s" % i for i in more.items())), 120)
    if state != "lost":
        s.close()
    return state, "\n".join(out)


def settled(name):
    """the later windows of the day are empty"""
    return admin("SELECT count(*) >= 3 AND max(seq) = count(*) FROM mc.run r WHERE state = 'done'") == "t" and \
        admin("SELECT count(*) FROM mc.publish WHERE state NOT IN ('published', 'lost', 'superseded', 'discarded')") == "0"


def bare_run():
    """names, contents, books"""
    wanted = {}
    for name in TEXTS:
        job(name)
        state, out = run(name)
        wanted[name] = content(name + "/")
        tap.ok(state == "00000" and settled(name), name + ": three windows are done", out + admin("SELECT * FROM mc.publish"))
        tap.ok(oss_uploads("lake") == [], name + ": no upload is left")
    tap.ok(sorted(wanted["small"]) == ["small/small.20250301T00%02d00Z.part-00000.csv.gz" % m for m in (0, 5, 10)],
           "names are those of the windows", sorted(wanted["small"]))
    tap.ok(all(len(t.splitlines()) == 300 for t in wanted["small"].values()), "each has the rows of its window")
    tap.ok(len(wanted["days"]) == 6 and sum(len(t.splitlines()) for t in wanted["days"].values()) == 900, "one object in each directory",
           sorted(wanted["days"]))
    job("days")
    run("days")
    entries = admin("SELECT string_agg(DISTINCT (handle <> '')::text || ' ' || (body IS NULL)::text || ' ' || jsonb_array_length(document -> 'parts'), ',')"
                    " FROM mc.publish")
    tap.ok(entries == "true true 2", "they were uploads of two parts", entries)
    counters = admin("SELECT rows_out, bytes_out > 100000, requests > 5, wait_target > '0' FROM mc.run ORDER BY seq LIMIT 1")
    tap.ok(counters == "300|t|t|t", "what a run has moved is counted", counters)
    token = command("oss", "list", bucket="lake", prefix="days/")["objects"][0]["headers"]
    uuid = admin("SELECT uuid FROM mc.job")
    tap.ok(uuid in str(token), "the token names the job", token)
    return wanted


def crashes(wanted):
    for name in TEXTS:
        for label in LABELS:
            job(name)
            foreign = name + "/foreign.csv" if name == "small" else "days/p=0/foreign.jsonl" if name == "days" else "over/win=9999/foreign.csv"
            oss_put(foreign, "kept", "lake")
            state, out = run(name, "SET mc_fdw.fail_at = '%s:kill'" % label)
            tap.ok(state == "lost", "%s, %s: the session is killed" % (name, label), "%s %s" % (state, out))
            restarted()
            for _ in range(3):
                state, out = run(name, retry="true", max_windows=3)
            now = content(name + "/")
            kept = now.pop(foreign, None)
            tap.ok(state == "00000" and settled(name) and now == wanted[name],
                   "%s, %s: what a run without crash would have left" % (name, label),
                   "%s %s\n%s\n%s" % (state, out, sorted(now), admin("SELECT seq, attempt, state, error_message, note FROM mc.run ORDER BY 1, 2")))
            tap.ok(kept == "kept", "%s, %s: the object of others is untouched" % (name, label))
            left = oss_uploads("lake")
            tap.ok(left == [] or label in ("executed", "seal", "sealed", "T1"), "%s, %s: uploads are left only by a run that was not sealed" % (name, label), left)


admin(SETUP)
oss_bucket("lake")
wanted = bare_run()
crashes(wanted)
tap.done()
