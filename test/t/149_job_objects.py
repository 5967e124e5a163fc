"""Roles, servers, mappings, tables and the extension go away, or become others, under jobs with open
entries: what is prepared is published once all the same, or it is told what is missing."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, LOGHUB, MAXCOMPUTE, OSS, SERVERS, Session, Tap, command, odps_sql, oss_bucket, oss_get, oss_keys  # noqa: E402

tap = Tap()
START = "2018-01-11 01:30:00+08"
KINDS = ("odps", "oss", "sls")
TEXTS = {"odps": "INSERT INTO target VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI'), 'x')",
         "oss": "INSERT INTO files VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI'))",
         "sls": "INSERT INTO logs VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI'), $1::text)"}
TABLES = """CREATE FOREIGN TABLE target (a text, p text) SERVER odps;
CREATE FOREIGN TABLE files (a text) SERVER oss OPTIONS (prefix 'f/', format 'csv');
CREATE FOREIGN TABLE logs (a text, id text, __receive_time__ timestamptz) SERVER sls OPTIONS (logstore 'outlog', publish 'outbox', dedup_id 'id')"""
TEXTS["sls"] = TEXTS["sls"].replace("logs VALUES", "logs (a, id) VALUES")
OSS_SERVER = "CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo')" % OSS


def one(s, sql):
    return "\n".join(s.sql(sql))


def mappings(role, servers=KINDS):
    return ";".join("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((role, x) + KEY) for x in servers)


def make_servers(s):
    """those of KINDS, as they are at the beginning"""
    for line in SERVERS.strip().split("\n"):
        if " ots " not in line:
            s.sql(line)
    s.sql(OSS_SERVER + ";" + mappings("CURRENT_USER", ("oss",)))


def job(s, name, text):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0', lint => false)" % (name, text, START))


def leave_open(names):
    """a window of each is sealed, then its session ends"""
    for name in names:
        s = Session()
        s.try_sql("SET mc_fdw.fail_at = 'P1:exit'; CALL mc.run_job('%s', 1)" % name)
        s.close()


def states(s, names):
    return [one(s, "SELECT r.state FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s' ORDER BY run_id DESC LIMIT 1" % n) for n in names]


def notes(s, names):
    return [one(s, "SELECT r.note FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s' ORDER BY run_id DESC LIMIT 1" % n) for n in names]


def content(s, n=0):
    """rows of the targets, each the begin of a window; waits until the service shows so many logs"""
    end = time.monotonic() + 60
    while True:
        got = read(s)
        if len(got["sls"]) >= n or time.monotonic() > end:
            return got
        time.sleep(0.1)


def read(s):
    return {"odps": one(s, "SELECT string_agg(a, ' ' ORDER BY a) FROM target").split(),
            "oss": sorted(r for k in oss_keys("f/") for r in oss_get(k).decode().split()),
            "sls": one(s, "SELECT string_agg(a, ' ' ORDER BY a) FROM logs WHERE __receive_time__ >= now() - interval '1 day' AND __receive_time__ < now() + interval '1 day'").split()}


def windows(n):
    return ["%02d:%02d" % divmod(90 + i, 60) for i in range(n)]


def exact(s, n, what):
    """the sweeper settles all; each target has each window once"""
    out, state = s.try_sql("CALL mc.resolve_all()")
    now, got = states(s, KINDS), content(s, n)
    tap.ok(state == "00000" and now == ["done"] * 3 and all(got[k] == windows(n) for k in KINDS),
           what, "%s %s %s %s %s" % (state, out, now, notes(s, KINDS), got))


def pending(s, words, what, names=KINDS):
    """the sweeper passes over them and says why, also in the error of a call"""
    out, state = s.try_sql("CALL mc.resolve_all()")
    now, why = states(s, names), notes(s, names)
    tap.ok(state == "00000" and now == ["publishing"] * len(names) and all(all(w in x for w in words) for x in why), what, "%s %s %s %s" % (state, out, now, why))
    out, state = s.try_sql("CALL mc.run_job('%s')" % names[0])
    tap.ok(state == "55000" and words[0] in "\n".join(out), "... so does a call", "%s %s" % (state, out))


def tables(s):
    leave_open(KINDS)
    s.sql("DROP FOREIGN TABLE target, files, logs")
    s.sql("CALL mc.resolve_all()")
    tap.ok(states(s, KINDS) == ["done"] * 3, "what is prepared is published without the foreign table", notes(s, KINDS))
    before = one(s, "SELECT count(*) FROM mc.run")
    out, state = s.try_sql("CALL mc.run_job('odps', 1)")
    tap.ok(state == "42P01" and one(s, "SELECT count(*) FROM mc.run") == str(int(before) + 1)
           and one(s, "SELECT counts_as_attempt FROM mc.run ORDER BY run_id DESC LIMIT 1") == "f", "the next window misses it, and uses up no attempt", "%s %s" % (state, out))
    s.sql(TABLES)
    tap.ok(all(content(s, 1)[k] == windows(1) for k in KINDS), "each target has the window once", content(s))
    leave_open(KINDS)
    exact(s, 2, "jobs go on with the table that was made again")


def options(s):
    leave_open(KINDS)
    command("maxcompute", "sql", project="demo2", sql="CREATE TABLE demo2.target (a STRING) PARTITIONED BY (p STRING)")
    s.sql("ALTER SERVER odps OPTIONS (SET project 'demo2'); ALTER SERVER oss OPTIONS (SET bucket 'other'); ALTER SERVER sls OPTIONS (SET project 'web2')")
    s.sql("CALL mc.resolve_all()")
    tap.ok(states(s, KINDS) == ["done"] * 3 and oss_keys("", "other") == [] and one(s, "SELECT count(*) FROM target") == "0",
           "entries are published where they were prepared, not where the server is now", "%s %s" % (notes(s, KINDS), oss_keys("", "other")))
    s.sql("ALTER SERVER odps OPTIONS (SET project 'demo'); ALTER SERVER oss OPTIONS (SET bucket 'demo'); ALTER SERVER sls OPTIONS (SET project 'web')")
    exact(s, 3, "each target has each window once")
    # another endpoint: keys are sent to none that nobody allows
    leave_open(KINDS)
    for kind in KINDS:
        s.sql("ALTER SERVER %s OPTIONS (SET endpoint 'http://127.0.0.1:1')" % kind)
    pending(s, ("endpoint of an entry for server", "was made for", "Set the server's endpoint back"), "entries for another endpoint wait, and say what to do")
    for kind, endpoint in (("odps", MAXCOMPUTE), ("oss", OSS), ("sls", LOGHUB)):
        s.sql("ALTER SERVER %s OPTIONS (SET endpoint '%s')" % (kind, endpoint))
    exact(s, 4, "... until it is set back")


def servers(s):
    leave_open(KINDS)
    for kind in KINDS:
        s.sql("DROP USER MAPPING FOR CURRENT_USER SERVER " + kind)
    pending(s, ("no user mapping",), "entries without a user mapping wait")
    s.sql(mappings("CURRENT_USER"))
    exact(s, 5, "... until it is made again")
    leave_open(KINDS)
    s.sql("ALTER SERVER odps RENAME TO odps_old; ALTER SERVER oss RENAME TO oss_old; ALTER SERVER sls RENAME TO sls_old")
    pending(s, ("does not exist", "The entry is", "give it its name back"), "entries of a server that was renamed wait")
    s.sql("ALTER SERVER odps_old RENAME TO odps; ALTER SERVER oss_old RENAME TO oss; ALTER SERVER sls_old RENAME TO sls")
    exact(s, 6, "... until it has its name again")
    leave_open(KINDS)
    s.sql("DROP SERVER odps, oss, sls CASCADE")
    pending(s, ("does not exist", "Create the server again"), "entries of a server that was dropped wait")
    # names that others take, with mappings for somebody else
    s.sql("CREATE SERVER odps FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint '%s', project 'web'); CREATE SERVER oss FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint '%s', project 'demo');"
          "CREATE SERVER sls FOREIGN DATA WRAPPER other" % (LOGHUB, MAXCOMPUTE))
    s.sql(mappings("CURRENT_USER", ("odps", "oss")))
    pending(s, ("is of another foreign-data wrapper now", "create the server of the entry again"), "... and are not given to another service's server of that name")
    s.sql("DROP SERVER odps, oss, sls CASCADE")
    make_servers(s)
    s.sql(TABLES)
    exact(s, 7, "... until it is made again")


def roles(s):
    """of alice, who is dropped"""
    s.sql("CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE watcher; GRANT pg_read_all_stats TO watcher; CREATE ROLE carol;"
          "GRANT USAGE ON FOREIGN SERVER odps, oss, sls TO alice, carol; GRANT ALL ON target, files, logs TO alice, carol; CREATE TABLE seen (who text); GRANT ALL ON seen TO PUBLIC")
    names = ["alice_" + k for k in KINDS]
    s.sql(mappings("alice"))
    s.sql("SET SESSION AUTHORIZATION alice")
    for kind in KINDS:
        job(s, "alice_" + kind, TEXTS[kind].replace("'HH24:MI'", "'\"a\"HH24:MI'"))
    job(s, "alice_seen", "INSERT INTO seen VALUES (current_user)")
    s.sql("RESET SESSION AUTHORIZATION")
    leave_open(names)
    s.sql("CALL mc.run_job('alice_seen', 1)")
    s.sql("REASSIGN OWNED BY alice TO carol; DROP OWNED BY alice")
    pending(s, ("no user mapping",), "entries of a role that has nothing any more wait", names)
    s.sql("GRANT USAGE ON FOREIGN SERVER odps, oss, sls TO alice; GRANT ALL ON target, files, logs TO alice;" + mappings("alice"))
    s.sql("CALL mc.resolve_all()")
    tap.ok(states(s, names) == ["done"] * 3, "... until it has its user mappings again", notes(s, names))
    leave_open(names)
    oid = one(s, "SELECT 'alice'::regrole::oid")
    s.sql("DROP OWNED BY alice; DROP ROLE alice")
    gone = "the owner of job \"%s\" does not exist any more"
    for caller in ("superuser", "bob"):
        s.sql("SET ROLE bob" if caller == "bob" else "RESET ROLE")
        out, state = s.try_sql("SET client_min_messages = warning; CALL mc.resolve_all()")
        said = [(gone % x) in "\n".join(out) for x in names]
        tap.ok(state == "00000" and (all(said) if caller == "superuser" else out == []), "a sweeper of %s %s" % (caller, "tells whose owner is gone" if caller != "bob" else "knows nothing of it"), out)
    s.sql("RESET ROLE")
    for name in names + ["alice_seen"]:
        out, state = s.try_sql("CALL mc.run_job('%s', 1)" % name)
        tap.ok(state == "42704" and (gone % name) in out[0] and "UPDATE mc.job SET owner" in "\n".join(out), "a call of %s says so, and what to do" % name, "%s %s" % (state, out))
    out, state = s.try_sql("CALL mc.backfill('alice_seen', '%s', '%s'::timestamptz + interval '1 min', true)" % (START, START))
    tap.ok(state == "42704" and one(s, "SELECT string_agg(who, ' ') FROM seen") == "alice", "nothing is executed with the rights of everybody", "%s %s" % (out, one(s, "SELECT * FROM seen")))
    for role, open_, seen in (("RESET ROLE", "3", "4"), ("SET ROLE watcher", "3", "4"), ("SET ROLE bob", "", "0")):
        s.sql(role)
        got = one(s, "SELECT count(*), sum(open_entries), count(*) FILTER (WHERE owner::oid = %s) FROM mc.status WHERE job LIKE 'alice%%'" % oid)
        tap.ok(got == "%s|%s|%s" % (seen, open_, seen), "mc.status shows it (%s)" % role, got)
    s.sql("RESET ROLE")
    # whoever takes it over, with runs and entries
    s.sql("SET ROLE bob")
    out = s.sql("UPDATE mc.job SET owner = 'bob' RETURNING name")
    s.sql("RESET ROLE")
    tap.ok(out == [], "others cannot take it", out)
    s.sql("UPDATE mc.job SET owner = 'carol' WHERE owner::oid = %s;" % oid + mappings("carol"))
    left = one(s, " UNION ALL ".join("SELECT count(*) FROM mc.%s WHERE owner::oid = %s" % (t, oid) for t in (
        "job", "job_version", "run", "run_shard", "checkpoint", "source_object", "publish", "target_owner", "gap", "reject", "claim")))
    tap.ok(set(left.split()) == {"0"}, "all of its books are of the role that has taken it", left)
    s.sql("CALL mc.resolve_all()")
    tap.ok(states(s, names) == ["done"] * 3, "its entries are published with that role's keys", notes(s, names))
    for name in names + ["alice_seen"]:
        s.sql("CALL mc.run_job('%s', 1)" % name)
    got = {k: [x for x in v if x[0] == "a"] for k, v in content(s, 10).items()}
    tap.ok(all(got[k] == ["a" + x for x in windows(3)] for k in KINDS) and one(s, "SELECT string_agg(who, ' ') FROM seen") == "alice carol", "... and it goes on: each window once", got)
    # a member of both roles gives them
    s.sql("CREATE ROLE member; GRANT bob, carol TO member; SET ROLE member; UPDATE mc.job SET owner = 'bob' WHERE name = 'alice_seen'; CALL mc.run_job('alice_seen', 1); RESET ROLE")
    tap.ok(one(s, "SELECT string_agg(who, ' ') FROM seen") == "alice carol bob", "a member of both roles gives it, too", one(s, "SELECT * FROM seen"))
    for name in names + ["alice_seen"]:
        s.sql("SELECT mc.drop_job('%s')" % name)


def ahead(s):
    s.sql("SELECT mc.create_job('ahead', 'SELECT 1', every => '1 min', start => '2200-01-01Z', lint => false)")
    got = one(s, "SELECT behind, published_until AT TIME ZONE 'UTC' FROM mc.status WHERE job = 'ahead'")
    tap.ok(got == "00:00:00|2200-01-01 00:00:00", "a job that begins later is not behind", got)
    got = one(s, "SELECT behind > '1 year' FROM mc.status WHERE job = 'odps'")
    tap.ok(got == "t", "... others are", got)


def extension(s):
    """in a session that has used it"""
    leave_open(KINDS)
    out, state = s.try_sql("DROP EXTENSION mc_fdw")
    tap.ok(state == "2BP01" and one(s, "SELECT count(*) FROM mc.open_entry") == "3", "the extension is not dropped under its servers", out)
    before = content(s)["odps"]
    s.sql("DROP EXTENSION mc_fdw CASCADE; CREATE EXTENSION mc_fdw")
    make_servers(s)
    s.sql(TABLES)
    tap.ok(one(s, "SELECT count(*) FROM mc.status") == "0", "dropped with all, it leaves no books")
    job(s, "odps", TEXTS["odps"])
    out, state = s.try_sql("CALL mc.run_job('odps', 2)")
    tap.ok(state == "00000" and content(s)["odps"] == sorted(before + windows(2)), "the same session makes jobs with the new one; what was prepared for the old is not published", "%s %s" % (out, content(s)["odps"]))


s = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = error; CREATE FOREIGN DATA WRAPPER other")
make_servers(s)
for project in ("demo", "demo2"):
    command("maxcompute", "create_project", project=project)
odps_sql("CREATE TABLE demo.target (a STRING) PARTITIONED BY (p STRING)")
oss_bucket()
oss_bucket("other")
for project in ("web", "web2"):
    command("loghub", "create_project", project=project)
    command("loghub", "create_logstore", project=project, logstore="outlog", shards=2, ttl=3650)
s.sql(TABLES)
for kind in KINDS:
    job(s, kind, TEXTS[kind])
for part in (tables, options, servers, ahead, roles, extension):
    try:
        part(s)
    except Exception as e:      # the other parts still count
        tap.ok(False, part.__name__ + " ends", e)
        s = Session("SET client_min_messages = error")
tap.done()
