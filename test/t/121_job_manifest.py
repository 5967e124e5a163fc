"""What readers of a directory in OSS are told: manifests and success files of jobs and of single
transactions; their order, crashes, faults, windows that are done again, what a reader may see at any moment."""
import gzip
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, command, oss_bucket, oss_get, oss_keys, oss_put, oss_uploads, up  # noqa: E402

tap = Tap()
LABELS = ["T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done"]
SETUP = """
CREATE EXTENSION mc_fdw;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE TABLE ev (at timestamptz, id int, note text);
CREATE TABLE gone (id int);
INSERT INTO ev SELECT '2025-03-01 00:00+00'::timestamptz + g * interval '1 second', g, md5(g::text) FROM generate_series(0, 899) g;
-- one object kept until it is published, one of several parts
CREATE FOREIGN TABLE days (id int, note text, part int) SERVER oss
    OPTIONS (prefix 'days/p={part}/', format 'jsonl', compression 'none', part_size '100kB', manifest 'true', success_file 'true');
CREATE FOREIGN TABLE snap (id int, note text) SERVER oss
    OPTIONS (prefix 'snap/', format 'csv', compression 'gzip', write_mode 'overwrite', manifest 'true', success_file 'true');
CREATE FOREIGN TABLE other (id int, note text) SERVER oss OPTIONS (prefix 'days/', format 'csv', manifest 'true')
""" % ((OSS,) + KEY)
WHERE = "FROM ev WHERE at >= $1 AND at < $2 AND id NOT IN (SELECT id FROM gone)"
TEXTS = {
    "days": "INSERT INTO days SELECT id, CASE id %% 2 WHEN 0 THEN note ELSE repeat(note, 40) END, id %% 2 %s ORDER BY id" % WHERE,
    # each window holds everything until its end
    "snap": "INSERT INTO snap SELECT id, note FROM ev WHERE at < $2 AND at >= $1 - interval '1 day' ORDER BY id",
}


def admin(sql):
    done = subprocess.run(["psql", "-XqAt", "-c", sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def faults(*rules):
    call("faults", [dict({"service": "oss"}, **r) for r in rules])


def job(name, text=None, settings="", keep=False):
    if not keep:
        for key in ("days/", "snap/"):
            command("oss", "delete", bucket="lake", prefix=key)
        for u in oss_uploads("lake"):
            command("oss", "expire_uploads", bucket="lake", prefix=u["key"])
        admin("SELECT mc.drop_job(name, true) FROM mc.job; TRUNCATE gone")
    admin("SELECT mc.create_job('%s', $j$%s$j$, '5 min', start => '2025-03-01 00:00+00', max_windows => 3, retry_delay => '0'%s)"
          % (name, text or TEXTS[name], ", overwrite_scope => 'snapshot'" if name == "snap" else ""))


def run(name, settings="", **more):
    s = Session(settings)
    out, state = s.try_sql("CALL mc.run_job('%s'%s)" % (name, "".join(", %s => %s" % i for i in more.items())), 120)
    if state != "lost":
        s.close()
    return state, "\n".join(out)


def killed(name, label):
    state, out = run(name, "SET mc_fdw.fail_at = '%s:kill'" % label)
    up().close()
    return state == "lost"


def books():
    return admin("SELECT seq, attempt, state, error_message, note FROM mc.run ORDER BY 1, 2") + "\n" + \
        admin("SELECT run_id, ordinal, kind, mode, label, state, sent, outcome FROM mc.publish ORDER BY 1, 2")


def states():
    return admin("SELECT string_agg(seq || '.' || attempt || ' ' || state, ', ' ORDER BY seq, attempt) FROM mc.run WHERE seq <= 3")


def settled():
    return admin("SELECT count(*) FROM mc.publish WHERE state NOT IN ('published', 'lost', 'superseded', 'discarded')") == "0"


# ---- what readers see ----

def is_mark(key):
    return "_mc_manifest/" in key or key.endswith("_SUCCESS")


def data(key):
    content = oss_get(key, "lake")
    return (gzip.decompress(content) if key.endswith(".gz") else content).decode()


def listed(prefix):
    """what a reader who lists has: key -> text"""
    return {k: data(k) for k in oss_keys(prefix, "lake") if not is_mark(k)}


def manifests(prefix):
    """number of the window, or the statement -> document"""
    result = {}
    for key in oss_keys(prefix + "_mc_manifest/", "lake"):
        name = key[len(prefix + "_mc_manifest/"):-len(".json")]
        result[int(name) if name.isdigit() else name] = json.loads(oss_get(key, "lake"))
    return result


def read_manifest(m):
    """key -> text of the objects it names, which must be those; None: one of them is another or not there"""
    there = {o["key"]: o for o in command("oss", "list", bucket="lake", prefix=m["prefix"].split("{")[0])["objects"]}
    for o in m["objects"]:
        now = there.get(o["key"])
        if now is None or now["etag"].strip('"').upper() != o["etag"] or int(now["size"]) != o["size"] or str(now["crc64"]) != o["crc64"]:
            return None
        if len(data(o["key"]).splitlines()) != o["rows"]:
            return None
    return {o["key"]: data(o["key"]) for o in m["objects"]}


def succeeded(prefix):
    return prefix + "_SUCCESS" in oss_keys(prefix, "lake")


def log_since(serial):
    """of requests that change something: (api, target)"""
    return [(e["api"], e["target"].split("?")[0]) for e in call("log?n=2000") if e["serial"] > serial and e["service"] == "oss" and
            e["api"] in ("PutObject", "CompleteMultipartUpload", "DeleteObject", "DeleteMultipleObjects")]


def serial():
    return max([e["serial"] for e in call("log?n=10")], default=0)


# ---- jobs ----

def bare(wanted):
    for name in TEXTS:
        job(name)
        state, out = run(name)
        wanted[name] = listed(name + "/")
        tap.ok(state == "00000" and settled(), name + ": three windows are done", out + books())
        found = manifests(name + "/")
        tap.ok(sorted(found) == [1, 2, 3] and succeeded(name + "/"), name + ": each has a manifest, the table a success file", sorted(found))
        tap.ok(oss_get(name + "/_SUCCESS", "lake") == b"", name + ": the success file is empty")
    found = manifests("snap/")
    tap.ok(read_manifest(found[3]) == wanted["snap"] and found[3]["replaces"] == "table", "the newest snapshot is what is there", found)
    job("days")
    run("days")
    found = manifests("days/")
    both = {}
    for m in found.values():
        both.update(read_manifest(m) or {})
    tap.ok(both == wanted["days"] and all(m["replaces"] == "nothing" for m in found.values()), "appended windows add up", found)
    m = found[2]
    tap.ok((m["version"], m["job"], m["seq"], m["backfill"], m["window"], m["rows"], m["prefix"], m["bucket"]) ==
           (1, "days", 2, False, ["2025-03-01T00:05:00Z", "2025-03-01T00:10:00Z"], 300, "days/p={part}/", "lake"), "what the manifest says", m)
    tap.ok(sorted("-" in o["etag"] for o in m["objects"]) == [False, True], "ETags of a Put and of parts", m)
    tap.ok(oss_get("days/_mc_manifest/2.json", "lake").count(b"\n") == 1, "it is one line of JSON")
    admin("CREATE FOREIGN TABLE manifests (version int, job text, seq bigint, objects jsonb) SERVER oss OPTIONS (prefix 'days/_mc_manifest/', format 'jsonl')")
    tap.ok(admin("SELECT sum(jsonb_array_length(objects)) FROM manifests WHERE version = 1") == "6", "which a foreign table reads")
    tap.ok(admin("SELECT count(*), count(DISTINCT part) FROM days") == "900|2", "the table does not read them")


def order():
    job("snap")
    run("snap", max_windows=1)
    at = serial()
    run("snap", max_windows=1)
    log = log_since(at)
    tap.ok([(a, t.split("/lake/")[-1].lstrip("/").replace("lake/", "")) for a, t in log] == [
        ("DeleteObject", "snap/_SUCCESS"), ("PutObject", "snap/snap.20250301T000500Z.part-00000.csv.gz"), ("PutObject", "snap/_mc_manifest/2.json"),
        ("DeleteObject", "snap/snap.20250301T000000Z.part-00000.csv.gz"), ("PutObject", "snap/_SUCCESS")],
        "old success file, objects, manifest, deletes, new success file", log)


def frozen():
    """each request of a window is the first that does not come through: a reader sees one state or the other"""
    job("snap")
    run("snap", max_windows=1)
    old = listed("snap/")
    killed("snap", "committed")
    job_states = []
    for k in range(1, 40):
        if k > 1:
            job("snap")
            run("snap", max_windows=1)
        faults({"after": k - 1, "action": "status", "http": 403, "code": "AccessDenied"})
        state, out = run("snap", max_windows=1)
        sent = call("counters")["requests_since_faults"]
        faults()
        found = manifests("snap/")
        newest = found[max(found)]
        content = read_manifest(newest)
        now = listed("snap/")
        new = max(found) == 2
        rows = sum(o["rows"] for o in newest["objects"])
        tap.ok(content is not None and rows == (600 if new else 300), "request %d fails: the newest manifest is a whole state" % k, "%s %s" % (newest, sorted(now)))
        tap.ok(not succeeded("snap/") or now == old or (new and now == content), "request %d fails: no success file beside a mixture" % k, sorted(now))
        job_states.append((succeeded("snap/"), new, len(now)))
        for _ in range(3):
            again, out = run("snap", max_windows=1)
            if states().startswith("1.1 done, 2."):
                break
        if state == "00000" and sent < k:
            break
    tap.ok((False, False, 2) in job_states and (False, True, 2) in job_states and (False, True, 1) in job_states,
           "mixtures were there to be seen", job_states)


def crashes(wanted):
    for name in TEXTS:
        for label in LABELS:
            job(name)
            lost = killed(name, label)
            for _ in range(3):
                state, out = run(name, retry="true", max_windows=3)
            # later windows of the day are empty: a snapshot stays as it is, appended windows have no object
            now = listed(name + "/")
            same = sorted(now.values()) == sorted(wanted[name].values()) if name == "snap" else now == wanted[name]
            seqs = manifests(name + "/")
            good = all(read_manifest(m) is not None for s, m in seqs.items() if name == "days" or s == max(seqs))
            tap.ok(lost and state == "00000" and settled() and same and good and succeeded(name + "/") and {1, 2, 3} <= set(seqs),
                   "%s, killed at %s: as without" % (name, label), "%s %s\n%s %s\n%s" % (state, out, sorted(now), sorted(seqs), books()))


def faulty(wanted):
    for path in ("_mc_manifest", "_SUCCESS"):
        for api in ("PutObject", "HeadObject", "DeleteObject"):
            for action in ("apply_then_fail", "reset_after", "reset_before", "status", "throttle", "stall_after", "apply_later"):
                if action.startswith("apply") and api == "HeadObject" or api == "DeleteObject" and (path == "_mc_manifest" or action == "apply_later"):
                    continue
                job("days")
                run("days", max_windows=1)
                faults({"api": api, "path": path, "nth": 1, "action": action, "writes": 1, "ms": 300})
                state, out = run("days", "SET mc_fdw.stall_timeout = '1s'", max_windows=2)
                fired = call("faults")
                faults()
                for _ in range(3):
                    if state != "00000":
                        state, out = run("days", retry="true", max_windows=3)
                time.sleep(0.4 if action == "apply_later" else 0)
                seqs = manifests("days/")
                tap.ok(state == "00000" and settled() and succeeded("days/") and {1, 2, 3} <= set(seqs) and all(read_manifest(m) is not None for m in seqs.values()) and
                       listed("days/") == wanted["days"],
                       "%s of %s, %s: exact" % (api, path, action), "%s %s %s" % (out, books(), fired))


def redo():
    """a window that is done again has fewer objects, or none"""
    for rest, left in (("id % 2 = 0", 1), ("false", 0)):
        job("days")
        killed("days", "committed")
        command("oss", "expire_uploads", bucket="lake", prefix="days/p=1/")
        admin("INSERT INTO gone SELECT id FROM ev WHERE id < 300 AND NOT (%s)" % rest)
        state, out = run("days", max_windows=0)
        tap.ok(states() == "1.1 lost" and manifests("days/") == {} and not succeeded("days/"),
               "what is half published is not told", "%s %s %s" % (states(), out, books()))
        state, out = run("days", max_windows=1)
        m = manifests("days/")
        tap.ok(state == "00000" and list(m) == [1] and len(m[1]["objects"]) == left and m[1]["attempt"] == 2 and read_manifest(m[1]) == listed("days/") and
               succeeded("days/"), "the manifest is that of the last attempt: %s" % rest, "%s %s %s" % (m, out, books()))


def lost_and_pending():
    """one object is lost, another one comes through in a later call: the manifest does not"""
    job("days", TEXTS["days"].replace("ORDER BY", "ORDER BY id % 2 DESC,"))
    killed("days", "committed")
    command("oss", "expire_uploads", bucket="lake", prefix="days/p=1/")
    faults({"api": "PutObject", "path": "p%3D0", "action": "status", "http": 403, "code": "AccessDenied"},
           {"api": "PutObject", "path": "p=0", "action": "status", "http": 403, "code": "AccessDenied"})
    run("days", max_windows=0)
    before = admin("SELECT string_agg(DISTINCT state, ',' ORDER BY state) FROM mc.publish WHERE kind = 'object'")
    faults()
    run("days", max_windows=0)
    tap.ok(states() == "1.1 lost" and manifests("days/") == {}, "a lost object holds the manifest back in later calls, too", before + books())


def conflict():
    key = "days/p=0/days.20250301T000500Z.part-00000.jsonl"
    job("days")
    oss_put(key, "other", "lake")
    state, out = run("days", max_windows=3)
    tap.ok(state == "55000" and states() == "1.1 done, 2.1 conflict" and sorted(manifests("days/")) == [1] and not succeeded("days/"),
           "a conflict holds manifest and success file back", out + books())
    command("oss", "delete", bucket="lake", key=key)
    admin("SELECT mc.resolve_run(run_id, 'redo') FROM mc.run WHERE state = 'conflict'")
    state, out = run("days", max_windows=2, retry="true")
    tap.ok(state == "00000" and {1, 2, 3} == set(manifests("days/")) and succeeded("days/"), "when it is settled they come", out + books())
    job("days")
    oss_put("days/_mc_manifest/2.json", "{}", "lake")
    state, out = run("days", max_windows=3)
    tap.ok(state == "55006" and "has not made it" in out and len(listed("days/")) == 2, "a manifest of others is not replaced, and nothing is published", out + books())


def by_hand():
    """a person says that everything is there: nobody vouches for it"""
    job("days")
    oss_put("days/p=0/days.20250301T000000Z.part-00000.jsonl", "other", "lake")
    run("days", max_windows=1)
    kinds = admin("SELECT string_agg(kind || ' ' || substr(label, strpos(label, 'days/')) || ' ' || state, ', ' ORDER BY entry_id) FROM mc.open_entry WHERE kind <> 'object'")
    tap.ok(kinds == "manifest days/_mc_manifest/1.json publishing, success days/_SUCCESS publishing", "mc.open_entry shows what is held back", kinds + books())
    done = subprocess.run(["psql", "-XqAt", "-c", "SELECT mc.resolve_run(max(run_id), 'published') FROM mc.run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    states = admin("SELECT string_agg(kind || ' ' || state, ', ' ORDER BY ordinal) FROM mc.publish WHERE kind <> 'object'")
    tap.ok(done.stdout == "done\n" and "oss://lake/days/_mc_manifest/1.json, oss://lake/days/_SUCCESS not put" in done.stderr and manifests("days/") == {} and not succeeded("days/") and
           states == "withdraw published, manifest discarded, success discarded", "what is not put is told", done.stdout + done.stderr + states)
    state, out = run("days", max_windows=1)
    tap.ok(state == "00000" and list(manifests("days/")) == [2] and succeeded("days/"), "the next window puts its own", out + books())
    s = Session()
    s.sql("BEGIN; INSERT INTO days VALUES (1, 'a', 7)")
    parts = s.sql("SELECT part FROM mc.uploads()")
    s.sql("COMMIT")
    tap.ok(len(parts) == 1 and parts[0].startswith("days/p=7/") and len(manifests("days/")) == 2, "mc.uploads() shows objects", parts)
    s.close()


def others():
    """who else writes there"""
    job("days")
    run("days", max_windows=1)
    killed("days", "committed")
    s = Session()
    out, state = s.try_sql("INSERT INTO days VALUES (1, 'ad hoc', 7)")
    tap.ok(state == "55006", "between a run's begin and end nobody else puts a success file", "\n".join(out))
    run("days", max_windows=0)
    out, state = s.try_sql("INSERT INTO days VALUES (1, 'ad hoc', 7)")
    tap.ok(state == "00000" and len(manifests("days/")) == 3 and succeeded("days/"), "afterwards they do", "\n".join(out))
    out, state = s.try_sql("BEGIN; INSERT INTO days VALUES (2, 'b', 7); INSERT INTO other VALUES (1, 'a'); COMMIT")
    tap.ok(state == "0A000" and len(manifests("days/")) == 3, "two tables have no manifest together", "\n".join(out))
    s.try_sql("ROLLBACK")
    s.close()
    # an older run finds the mark of a newer one
    job("days")
    run("days", max_windows=2)
    token = [o for o in command("oss", "list", bucket="lake", prefix="days/_SUCCESS")["objects"]][0]["headers"]
    tap.ok("/2/1/" in str(token), "the success file carries the window's token", token)
    newer = json.loads(json.dumps(token).replace("/2/1/", "/9/1/"))
    oss_put("days/_SUCCESS", "", "lake", headers=newer)
    state, out = run("days", max_windows=1)
    kinds = admin("SELECT string_agg(kind || ' ' || p.state, ', ' ORDER BY ordinal) FROM mc.publish p JOIN mc.run USING (run_id) WHERE seq = 3 AND kind IN ('withdraw', 'success')")
    tap.ok(state == "00000" and kinds == "withdraw published, success superseded" and "/9/1/" in str(command("oss", "list", bucket="lake", prefix="days/_SUCCESS")["objects"]),
           "an older window does not replace the success file of a newer one", kinds + out)


def backfill():
    job("days")
    run("days")
    state = subprocess.run(["psql", "-XqAt", "-c", "CALL mc.backfill('days', '2025-03-01 00:05+00', '2025-03-01 00:10+00')"], stderr=subprocess.PIPE, text=True)
    extra = [n for n in manifests("days/") if isinstance(n, str)]
    m = manifests("days/")[extra[0]] if extra else {}
    tap.ok(state.returncode == 0 and len(extra) == 1 and m["backfill"] and m["window"][0] == "2025-03-01T00:05:00Z" and read_manifest(m),
           "a window that is filled again has a manifest of its own", state.stderr + str(m))


# ---- single transactions ----

def ad_hoc():
    job("snap")
    s = Session()
    s.sql("INSERT INTO snap VALUES (1, 'a')")
    first = manifests("snap/")
    name, m = list(first.items())[0]
    tap.ok(len(first) == 1 and m["job"] is None and m["statement"] == name and name in m["objects"][0]["key"] and read_manifest(m) and succeeded("snap/"),
           "the manifest has the statement's name", first)
    at = serial()
    s.sql("BEGIN; TRUNCATE snap; INSERT INTO snap VALUES (2, 'b'); INSERT INTO snap VALUES (3, 'c'); COMMIT")
    log = [(a, t[t.index("snap/"):].split("/")[1][:4]) for a, t in log_since(at)]
    tap.ok(log == [("DeleteObject", "_SUC"), ("PutObject", "mc-2"), ("PutObject", "_mc_"), ("DeleteObject", "mc-2"), ("PutObject", "_SUC")],
           "COMMIT has the same order", log)
    tap.ok(s.sql("SELECT id FROM snap") == ["3"], "the table shows the new row")
    before = sorted(oss_keys("snap/", "lake"))
    s.sql("BEGIN; INSERT INTO snap VALUES (4, 'd'); ROLLBACK")
    s.try_sql("BEGIN; SAVEPOINT a; INSERT INTO snap VALUES (4, 'd'); ROLLBACK TO a; COMMIT")
    s.sql("INSERT INTO snap SELECT 5, 'e' WHERE false")
    tap.ok(sorted(oss_keys("snap/", "lake")) == before, "what is rolled back, or has no row, leaves none", oss_keys("snap/", "lake"))
    s.sql("TRUNCATE snap")
    empty = [m for n, m in manifests("snap/").items() if not m["objects"]]
    tap.ok(len(empty) == 1 and empty[0]["replaces"] == "table" and succeeded("snap/") and s.sql("SELECT * FROM snap") == [], "TRUNCATE tells that nothing is left",
           sorted(oss_keys("snap/", "lake")))
    # every request of a replacement fails for good
    seen = set()
    for k in range(1, 30):
        command("oss", "delete", bucket="lake", prefix="snap/")
        s.sql("INSERT INTO snap VALUES (1, 'old')")
        old = list(manifests("snap/"))[0]
        faults({"after": k - 1, "action": "status", "http": 403, "code": "AccessDenied"})
        out, state = s.try_sql("INSERT INTO snap VALUES (2, 'new')")
        faults()
        now = sorted(listed("snap/").values())
        new = [m for n, m in manifests("snap/").items() if n != old]
        good = (not succeeded("snap/") or len(now) == 1) and (read_manifest(new[0]) is not None if new else read_manifest(manifests("snap/")[old]) is not None)
        text = "\n".join(out)
        done = {w: w in text.split("Published: ")[-1].split("Not published")[0] for w in ("_SUCCESS", "_mc_manifest")} if state == "40003" else {}
        told = state != "40003" or (done["_SUCCESS"] and done["_mc_manifest"] == bool(new))
        tap.ok(good and told and (state in ("00000", "40003") or (now == ["1,old\n"] and succeeded("snap/") and not new)), "request %d fails: %s" % (k, state), "%s %s" % (text, now))
        seen.add((state, bool(new), len(now)))
        if state == "00000":
            break
    tap.ok({("40003", False, 1), ("40003", False, 2), ("40003", True, 2), ("40003", True, 1), ("00000", True, 1)} <= seen, "every stage was stopped at", seen)
    s.close()


def readers():
    """names that are no data"""
    s = Session()
    s.sql("""CREATE FOREIGN TABLE r (a int, d text) SERVER oss OPTIONS (prefix 'rd/{d}/', format 'csv');
CREATE FOREIGN TABLE flat (a int) SERVER oss OPTIONS (prefix 'rd/', format 'csv');
CREATE FOREIGN TABLE dated (a int, d date) SERVER oss OPTIONS (prefix 'rd/{d}/', format 'csv')""")
    oss_put("rd/_SUCCESS", "", "lake")
    oss_put("rd/_mc_manifest/1.json", "{}\n", "lake")
    tap.ok(s.sql("SELECT * FROM flat") == [], "a directory of marks is a table without rows")
    oss_put("rd/2025-01-01/a.csv", "1\n", "lake")
    oss_put("rd/2025-01-01/_SUCCESS", "not a number\n", "lake")
    oss_put("rd/2025-01-01/_b.csv", "2\n", "lake")
    oss_put("rd/2025-01-01/.c.csv", "3\n", "lake")
    tap.ok(sorted(s.sql("SELECT * FROM r")) == ["1|2025-01-01", "2|2025-01-01", "3|2025-01-01"] and sorted(s.sql("SELECT a FROM flat")) == ["1", "2", "3"],
           "manifests and success files are no data, other names with _ and . are")
    tap.ok(s.sql("SELECT count(*) FROM dated WHERE d > '2024-01-01'") == ["3"] and s.sql("SELECT d FROM dated WHERE a = 2") == ["2025-01-01"],
           "the directory of manifests is no value of a path column")
    out, state = s.try_sql("INSERT INTO r VALUES (1, '_mc_manifest')")
    tap.ok(state == "23514", "nor can it become one", "\n".join(out))
    s.sql("TRUNCATE flat")
    tap.ok(sorted(oss_keys("rd/", "lake")) == ["rd/2025-01-01/_SUCCESS", "rd/_SUCCESS", "rd/_mc_manifest/1.json"], "TRUNCATE leaves what is no data of the table",
           oss_keys("rd/", "lake"))
    oss_put("rd/one/a.csv", "1\n", "lake")
    s.sql("CREATE TABLE taken (a int)")
    admin("SELECT mc.drop_job(name, true) FROM mc.job")
    admin("ALTER FOREIGN TABLE flat OPTIONS (ADD track 'objects')")
    admin("SELECT mc.create_job('src', $j$INSERT INTO taken SELECT a FROM flat WHERE $1 < $2$j$, '5 min', start => date_trunc('second', now()) - interval '11 min', max_windows => 1)")
    for o in command("oss", "list", bucket="lake", prefix="rd/")["objects"]:
        oss_put(o["key"], data(o["key"]), "lake", last_modified=int(time.time()) - 500)
    state, out = run("src")
    keys = admin("SELECT string_agg(key, ',' ORDER BY key) FROM mc.source_object")
    tap.ok(state == "00000" and keys == "rd/one/a.csv", "a job does not take them as objects", "%s %s" % (keys, out))
    s.close()


admin(SETUP)
oss_bucket("lake")
wanted = {}
bare(wanted)
order()
frozen()
crashes(wanted)
faulty(wanted)
redo()
lost_and_pending()
conflict()
by_hand()
others()
backfill()
ad_hoc()
readers()
tap.done()
