"""Jobs that write to OSS: names of windows, the outbox, a crash at each step, what others
put under our keys, uploads that are gone, windows that are done again."""
import gzip
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import (KEY, OSS, SERVERS, WINDOW, Session, Tap, call, command, generate, odps_sql, oss_bucket, oss_get, oss_keys,  # noqa: E402
                    oss_put, oss_uploads, up)

tap = Tap()
LABELS = ["T0", "execute", "executed", "seal", "sealed", "T1", "committed", "P1", "publish", "send", "sent", "published", "T2", "done"]
SETUP = """
CREATE EXTENSION mc_fdw;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lake', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE TABLE ev (at timestamptz, id int, note text);
CREATE TABLE gone (id int);
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
    admin("SELECT mc.drop_job(name, true) FROM mc.job")
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
            up().close()
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


def books():
    return admin("SELECT seq, attempt, state, error_code, error_message, note FROM mc.run ORDER BY 1, 2") + "\n" + \
        admin("SELECT run_id, ordinal, kind, mode, target, state, sent, outcome, evidence FROM mc.publish ORDER BY 1, 2")


def killed(name, label, settings=""):
    state, out = run(name, "SET mc_fdw.fail_at = '%s:kill'; %s" % (label, settings))
    tap.ok(state == "lost", "killed at " + label, out)
    up().close()


def states():
    return admin("SELECT string_agg(seq || '.' || attempt || ' ' || state, ', ' ORDER BY seq, attempt) FROM mc.run WHERE seq <= 3")


def lost_uploads(wanted):
    """a lifecycle rule aborts what a run has prepared"""
    job("days")
    killed("days", "committed")
    tap.ok(len(oss_uploads("lake")) == 2, "the uploads wait")
    command("oss", "expire_uploads", bucket="lake")
    state, out = run("days", max_windows=3)
    tap.ok(state == "00000" and content("days/") == wanted["days"] and states() == "1.1 lost, 1.2 done, 2.1 done, 3.1 done",
           "prepared, never sent, gone: certain, the window is done again at once", out + books())
    job("days")
    killed("days", "send")
    command("oss", "expire_uploads", bucket="lake")
    state, out = run("days", max_windows=3)
    tap.ok(state == "55000" and "once more in a minute" in out and states() == "1.1 publishing", "perhaps sent, gone: nobody knows yet", out + books())
    state, out = run("days", max_windows=3)
    tap.ok(state == "55000" and content("days/") == {}, "and a moment later neither", out)
    # as if a minute had passed
    admin("UPDATE mc.publish SET evidence = 'upload and object absent since ' || now() - interval '61 s' WHERE evidence LIKE '%absent since%'")
    for _ in range(2):
        state, out = run("days", max_windows=3)
        admin("UPDATE mc.publish SET evidence = 'upload and object absent since ' || now() - interval '61 s' WHERE evidence LIKE '%absent since%'")
    state, out = run("days", max_windows=3)
    tap.ok(state == "00000" and content("days/") == wanted["days"] and settled("days"), "a minute later it is lost, and done again", out + books())
    tap.ok(oss_uploads("lake") == [], "no upload is left")


def half_published(wanted):
    """one object of two is published, the other upload is gone: the redo replaces the one and makes the other"""
    job("days")
    killed("days", "committed")
    command("oss", "expire_uploads", bucket="lake", prefix="days/p=1/")
    admin("UPDATE ev SET note = upper(note) WHERE id < 300")
    state, out = run("days", max_windows=3)
    now = content("days/")
    admin("UPDATE ev SET note = lower(note) WHERE id < 300")
    first = sorted(now)[0]
    tap.ok(state == "00000" and sorted(now) == sorted(wanted["days"]) and "A" in now[first].split('"note"')[1],
           "the redo replaced what the lost attempt had published", out + books())
    tap.ok(states().startswith("1.1 lost, 1.2 done"), "by another attempt", states())


def fewer(wanted):
    """the redo has fewer objects, or none"""
    for rest, objects in (("id % 2 = 0", ["days/p=0/"]), ("false", [])):
        job("days", TEXTS["days"].replace("ORDER", "AND id NOT IN (SELECT id FROM gone) ORDER"))
        oss_put("days/p=1/days.20250301T000000Z.foreign", "kept", "lake")
        killed("days", "committed")
        command("oss", "expire_uploads", bucket="lake", prefix="days/p=0/")
        admin("INSERT INTO gone SELECT id FROM ev WHERE id < 300 AND NOT (%s)" % rest)
        state, out = run("days", max_windows=1)
        now = sorted(k for k in content("days/") if "foreign" not in k)
        tap.ok(state == "00000" and [k[:9] for k in now] == objects, "what the redo does not make again is deleted: %s" % rest, "%s %s %s" % (now, out, books()))
        tap.ok("days/p=1/days.20250301T000000Z.foreign" in content("days/"), "what others have put under the stem is not")
        admin("TRUNCATE gone")


def foreign(wanted):
    key = "small/small.20250301T000500Z.part-00000.csv.gz"
    data = gzip.compress(b"other")
    job("small")
    oss_put(key, data, "lake")
    state, out = run("small", max_windows=3)
    tap.ok(state == "55000" and "not made" in out and states() == "1.1 done, 2.1 conflict" and oss_get(key, "lake") == data,
           "an object of others under our name is a conflict, and stays", out + books())
    state, out = run("small", max_windows=3)
    tap.ok(state == "55000" and states() == "1.1 done, 2.1 conflict", "as long as nobody decides", out)
    command("oss", "delete", bucket="lake", key=key)
    admin("SELECT mc.resolve_run(run_id, 'redo') FROM mc.run WHERE state = 'conflict'")
    state, out = run("small", max_windows=3, retry="true")
    tap.ok(state == "00000" and content("small/") == wanted["small"], "a person has it done again", out + books())


def faulty(wanted):
    """requests that are done and answered as failed, done later, or refused"""
    for name, api in (("days", "CompleteMultipartUpload"), ("small", "PutObject"), ("over", "PutObject")):
        for action in ("apply_then_fail", "apply_later", "reset_after", "reset_before", "status", "throttle", "stall_after"):
            job(name)
            faults({"api": api, "nth": 1, "action": action, "writes": 3, "ms": 300})
            state, out = run(name, "SET mc_fdw.stall_timeout = '1s'", max_windows=3)
            faults()
            for _ in range(3):
                if state != "00000":
                    state, out = run(name, max_windows=3, retry="true")
            time.sleep(0.4 if action == "apply_later" else 0)
            tap.ok(state == "00000" and content(name + "/") == wanted[name] and settled(name) and oss_uploads("lake") == [],
                   "%s, %s %s: exact" % (name, api, action), out + books())


def credentials(wanted):
    job("small")
    killed("small", "committed")
    admin("DROP USER MAPPING FOR CURRENT_USER SERVER oss")
    state, out = run("small")
    tap.ok(state == "55000" and "no user mapping" in out and states() == "1.1 publishing", "without credentials it stays open", out + books())
    admin("CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret 'wrong')" % KEY[0])
    state, out = run("small")
    tap.ok(state == "55000" and "SignatureDoesNotMatch" in out, "nor with wrong ones", out)
    admin("ALTER USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (SET access_key_secret '%s')" % KEY[1])
    admin("ALTER SERVER oss OPTIONS (SET bucket 'elsewhere')")
    state, out = run("small", max_windows=0)
    state, out = run("small", max_windows=1) if state != "00000" else (state, out)
    admin("ALTER SERVER oss OPTIONS (SET bucket 'lake')")
    state, out = run("small", max_windows=2)
    tap.ok(state == "00000" and content("small/") == wanted["small"], "the entry knows its bucket", out + books())


def rolled_back():
    job("days", TEXTS["days"].replace("id % 2", "id % 2 / (id - 250)"))
    state, out = run("days")
    tap.ok(state == "22012" and oss_uploads("lake") == [] and content("days/") == {}, "a statement that fails leaves nothing", out + str(oss_uploads("lake")))
    job("days")
    state, out = run("days", "SET mc_fdw.fail_at = 'sealed'")
    tap.ok(state == "09000" and oss_uploads("lake") == [] and admin("SELECT count(*) FROM mc.publish") == "0", "nor one that was sealed and is rolled back",
           "%s %s %s" % (state, out, oss_uploads("lake")))


def orphans(wanted):
    """what attempts that died have left is aborted when it is a day old"""
    job("days")
    call("clock", {"now": "2025-03-02T00:00:00Z"})
    killed("days", "executed")
    # of another job, of another database's job of another name, by hand
    call("clock", {"system": True})
    before = oss_uploads("lake")
    run("days", max_windows=3, retry="true")
    tap.ok(len(before) == 2 and oss_uploads("lake") == [] and content("days/") == wanted["days"], "orphans of yesterday go with the next attempt",
           "%s %s" % (before, oss_uploads("lake")))
    job("days")
    killed("days", "executed")
    before = oss_uploads("lake")
    run("days", max_windows=3, retry="true")
    tap.ok(len(before) == 2 and oss_uploads("lake") == before, "younger ones are left alone", oss_uploads("lake"))


def overwrite():
    job("snap", "INSERT INTO snap SELECT id, repeat(note, 30) %s ORDER BY id" % WHERE)
    state, out = run("snap", max_windows=2)
    tap.ok(state == "55006" and "another window" in out, "a window does not erase another one's rows", out)
    text = "INSERT INTO snap SELECT id, repeat(note, 30) FROM ev WHERE at < $2 AND at >= $1 - (3 - extract(minute from $1) / 5) * interval '1 minute' ORDER BY id"
    job("snap", text, overwrite_scope="'snapshot'")
    oss_put("snap/old.csv", "1,a\n", "lake")
    state, out = run("snap", max_windows=3)
    wanted = content("snap/")
    tap.ok(state == "00000" and len(wanted) >= 2 and all("001000Z" in k for k in wanted), "the last snapshot is what is there", "%s %s" % (sorted(wanted), out))
    for label in LABELS:
        job("snap", text, overwrite_scope="'snapshot'")
        oss_put("snap/old.csv", "1,a\n", "lake")
        run("snap", max_windows=1)
        killed("snap", label)
        for _ in range(3):
            state, out = run("snap", retry="true", max_windows=1)
        now = content("snap/")
        if not now == wanted:
            run("snap", max_windows=1)
        tap.ok(content("snap/") == wanted, "snapshot, %s: the final set" % label, "%s %s %s" % (sorted(content("snap/")), out, books()))
    # a newcomer in the prefix after the seal is not deleted
    job("snap", text, overwrite_scope="'snapshot'")
    oss_put("snap/old.csv", "1,a\n", "lake")
    oss_put("snap/changed.csv", "1,a\n", "lake")
    killed("snap", "committed")
    oss_put("snap/newcomer.csv", "2,b\n", "lake")
    oss_put("snap/changed.csv", "3,c\n", "lake")
    state, out = run("snap", max_windows=0)
    now = content("snap/")
    tap.ok("snap/newcomer.csv" in now and now.get("snap/changed.csv") == "3,c\n" and "snap/old.csv" not in now,
           "the list of what is deleted is that of the seal", "%s %s" % (sorted(now), out + books()))
    job("snap", "TRUNCATE snap; INSERT INTO snap SELECT id, note %s ORDER BY id" % WHERE)
    oss_put("snap/old.csv", "1,a\n", "lake")
    killed("snap", "send")
    state, out = run("snap", max_windows=0)
    now = content("snap/")
    tap.ok(state == "00000" and len(now) == 1 and len(list(now.values())[0].splitlines()) == 300, "TRUNCATE and INSERT", "%s %s" % (sorted(now), out + books()))
    state, out = run("snap", max_windows=1)
    tap.ok(state == "55006", "and it owns the table", out)


def other_sources():
    """log groups by receive time, a partition of MaxCompute, objects"""
    command("loghub", "create_project", project="web", if_not_exists=True)
    command("maxcompute", "create_project", project="demo", if_not_exists=True)
    generate("clicks", 6000)
    odps_sql("CREATE TABLE demo.facts (id BIGINT, note STRING) PARTITIONED BY (pt STRING)")
    s = Session(SERVERS)
    s.sql("""CREATE FOREIGN TABLE clicks (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'clicks');
CREATE FOREIGN TABLE facts (id bigint, note text, pt text) SERVER odps OPTIONS (table 'facts');
CREATE FOREIGN TABLE clicks_out (c1 text, c2 text) SERVER oss OPTIONS (prefix 'small/', format 'csv', compression 'gzip');
CREATE FOREIGN TABLE facts_out (id bigint, note text) SERVER oss OPTIONS (prefix 'days/', format 'jsonl', compression 'none', part_size '100kB');
INSERT INTO facts SELECT g, repeat(md5(g::text), 20), pt FROM generate_series(1, 1000) g, unnest(ARRAY['0130', '0135']) pt""")
    rows = sorted(s.sql("SELECT c1 || ',' || c2 FROM clicks WHERE %s" % WINDOW))
    texts = {"clicks": "INSERT INTO clicks_out SELECT c1, c2 FROM clicks WHERE __receive_time__ >= $1 AND __receive_time__ < $2",
             "facts": "INSERT INTO facts_out SELECT id, note FROM facts WHERE pt = to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24MI') ORDER BY id"}
    for name, text in texts.items():
        for label in ("", "executed", "committed", "send", "sent", "T2"):
            job("small", text)
            admin("SELECT mc.drop_job('small')")
            admin("SELECT mc.create_job('%s', $j$%s$j$, '5 min', start => '2018-01-11 01:30+08', max_windows => 1)" % (name, text))
            if label:
                killed(name, label)
            for _ in range(2 if label else 1):
                state, out = run(name, retry="true")
            now = content("small/" if name == "clicks" else "days/")
            first = [v for k, v in sorted(now.items()) if "T173000Z" in k]
            if name == "clicks":
                good = len(rows) == 6000 and sorted(line.replace('"', "") for v in first for line in v.splitlines()) == sorted(r.replace('"', "") for r in rows)
            else:
                good = len(first) == 1 and first[0].count('"note"') == 1000
            tap.ok(state == "00000" and good, "%s to OSS, %s: exact" % (name, label or "bare"), "%s %s %s" % (sorted(now), out, books()))
    s.close()
    admin("CREATE FOREIGN TABLE back (id bigint, note text) SERVER oss OPTIONS (prefix 'days/', format 'jsonl'); CREATE TABLE copy (id bigint, lo timestamptz)")
    admin("SELECT mc.create_job('back', $j$INSERT INTO copy SELECT id, $1 FROM back$j$, '5 min', start => '2018-01-11 01:30+08', max_windows => 1)")
    state, out = run("back")
    counted = admin("SELECT rows_in >= 1000, bytes_in > 600000, requests > 1 FROM mc.run r JOIN mc.job j USING (job_id) WHERE name = 'back' ORDER BY seq LIMIT 1")
    tap.ok(state == "00000" and counted == "t|t|t", "what a run has read from OSS is counted", counted + out)


def ad_hoc(wanted):
    """another transaction writes what a run has prepared to overwrite"""
    job("over")
    killed("over", "committed")
    s = Session()
    out, state = s.try_sql("INSERT INTO over VALUES (1, 'ad hoc', '0000')")
    tap.ok(state == "55006" and 'job "over"' in "\n".join(out), "a directory of an open entry is not overwritten", out)
    tap.ok(s.try_sql("INSERT INTO over VALUES (1, 'ad hoc', 'other')")[1] == "00000", "others are")
    run("over", max_windows=3)
    tap.ok(s.try_sql("INSERT INTO over VALUES (1, 'ad hoc', '0000')")[1] == "00000", "when it is published it may be")
    now = content("over/")
    tap.ok(sorted(v for k, v in now.items() if "win=0000" in k) == ["1,ad hoc\n"], "and holds the new rows only", now.keys())
    s.close()


admin(SETUP)
oss_bucket("lake")
wanted = bare_run()
crashes(wanted)
faulty(wanted)
lost_uploads(wanted)
half_published(wanted)
fewer(wanted)
foreign(wanted)
credentials(wanted)
rolled_back()
orphans(wanted)
overwrite()
ad_hoc(wanted)
other_sources()
tap.done()
