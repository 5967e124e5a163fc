"""Jobs that are cancelled, or run into statement_timeout, at each step of a run: the next call makes the
target exact, and no lock stays.  And what a job's text may be besides an INSERT."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, SERVERS, Session, Tap, command, odps_sql, oss_bucket, oss_get, oss_keys, oss_uploads, ots_create, ots_rows  # noqa: E402

tap = Tap()
START = "2018-01-11 01:30:00+08"
DIRECT = ("T0", "execute", "executed", "seal", "sealed", "T1", "committed")
OUTBOX = DIRECT + ("P1", "publish", "send", "sent", "published", "T2", "done")


def one(s, sql):
    return "\n".join(s.sql(sql))


def runs(s, name):
    return one(s, "SELECT string_agg(r.state, ' ' ORDER BY run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % name)


def job(s, name, text, **more):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0', lint => false%s)" %
          (name, text, START, "".join(", %s => %s" % x for x in more.items())))


def waiting(s, pid):
    """does it wait at its step?"""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if one(s, "SELECT wait_event = 'PgSleep' AND state = 'active' FROM pg_stat_activity WHERE pid = %d" % pid) == "t":
            return True
        time.sleep(0.01)
    return False


def content(kind):
    """rows of the target, each the begin of a window"""
    if kind == "maxcompute":
        return one(admin, "SELECT string_agg(a, ' ' ORDER BY a) FROM t_maxcompute").split()
    if kind == "oss":
        return sorted(r for k in oss_keys("t/") for r in oss_get(k).decode().split())
    if kind == "tablestore":
        return [r["key"][0] for r in ots_rows("t_ots")]
    return one(admin, "SELECT string_agg(a, ' ' ORDER BY a) FROM t_%s" % kind).split()


def disturb(kind, labels, wanted):
    for label in labels:
        for how in ("cancel", "statement_timeout"):
            s = Session()
            s.sql("SET mc_fdw.fail_at = '%s:wait'" % label)
            if how == "statement_timeout":
                s.sql("SET statement_timeout = '1500ms'")
            s.send("CALL mc.run_job('%s', 1, true)" % kind)
            came = True
            if how == "cancel":
                came = waiting(admin, s.pid)
                admin.sql("SELECT pg_cancel_backend(%d)" % s.pid)
            out, state = s.finish(60)
            held = one(admin, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            s.sql("RESET mc_fdw.fail_at; RESET statement_timeout")
            # the same session goes on
            again = s.try_sql("CALL mc.run_job('%s', 1, true)" % kind)
            done = int(one(admin, "SELECT count(DISTINCT window_begin) FROM mc.run JOIN mc.job USING (job_id) WHERE name = '%s' AND state = 'done'" % kind))
            got = content(kind)
            rest = one(admin, "SELECT count(*) FROM mc.publish WHERE state NOT IN ('published', 'superseded', 'discarded')")
            tap.ok(came and state == "57014" and held == "0" and again[1] == "00000" and rest == "0" and got == wanted(done),
                   "%s: %s at %s, then exact" % (kind, how, label),
                   "waited %s, %s, %s locks, again %s, %s open, %s windows, target %s" % (came, state, held, again, rest, done, got))
            s.close()


def windows(n):
    return ["%02d:%02d" % divmod(90 + i, 60) for i in range(n)]


def cancels():
    command("maxcompute", "create_project", project="demo")
    command("loghub", "create_project", project="web")
    command("tablestore", "create_instance", instance="demo")
    odps_sql("CREATE TABLE demo.t_maxcompute (a STRING)")
    ots_create("t_ots", [("a", "STRING")])
    admin.sql("CREATE TABLE t_local (a text); CREATE FOREIGN TABLE t_maxcompute (a text) SERVER odps;"
              "CREATE FOREIGN TABLE t_tablestore (a text OPTIONS (key '1') COLLATE \"C\" NOT NULL, v text) SERVER ots OPTIONS (table 't_ots', write_mode 'update');"
              "CREATE FOREIGN TABLE t_oss (a text) SERVER oss OPTIONS (prefix 't/', format 'csv')")
    for kind, labels in (("local", DIRECT), ("tablestore", DIRECT), ("maxcompute", OUTBOX), ("oss", OUTBOX)):
        job(admin, kind, "INSERT INTO t_%s (a) VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI'))" % kind)
        disturb(kind, labels, windows)
    tap.ok(oss_uploads() == [], "no upload is left", oss_uploads())


def texts():
    """each window is one row, whichever way the text writes it"""
    admin.sql("CREATE TABLE t_text (a text); CREATE FUNCTION put_text(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
              " EXECUTE format('INSERT INTO t_text VALUES (%L)', to_char(at AT TIME ZONE 'Asia/Shanghai', 'HH24:MI')); END $$")
    row = "to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI')"
    cases = (
        ("dynamic", "SELECT put_text($1)", "00000"),
        ("prepared", "PREPARE untried (text) AS INSERT INTO t_text VALUES ($1); EXECUTE untried('01:30'); DEALLOCATE untried", "00000"),
        ("do_block", "DO $x$ BEGIN INSERT INTO t_text VALUES ('01:30'); END $x$", "00000"),
        ("set_local", "SET LOCAL work_mem = '1MB'; SET LOCAL search_path = nowhere; INSERT INTO public.t_text SELECT " + row, "00000"),
        ("notify", "NOTIFY untried, 'x'; INSERT INTO t_text SELECT " + row, "00000"),
        ("staged", "DO $x$ BEGIN CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT '01:30' a; INSERT INTO t_text SELECT a FROM staged; END $x$", "00000"),
        ("rolled_back", "DO $x$ BEGIN BEGIN INSERT INTO t_text VALUES ('no'); PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN INSERT INTO t_text VALUES ('01:30'); END; END $x$", "00000"),
        ("commits", "INSERT INTO t_text VALUES ('no'); COMMIT", "0A000"),
        ("savepoint", "INSERT INTO t_text VALUES ('no'); SAVEPOINT a", "0A000"),
        ("do_commits", "DO $x$ BEGIN INSERT INTO t_text VALUES ('no'); COMMIT; END $x$", "2D000"),
    )
    for name, text, wanted in cases:
        admin.sql("TRUNCATE t_text")
        s = Session()
        path = one(s, "SHOW search_path")
        job(s, name, text)
        out, state = s.try_sql("CALL mc.run_job('%s', 1)" % name)
        after = one(s, "SELECT current_setting('search_path') || ' ' || (current_setting('work_mem') <> '1MB') || ' ' ||"
                       " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') || ' ' || (to_regclass('staged') IS NULL)")
        got = content("text")
        tap.ok(state == wanted and got == (["01:30"] if wanted == "00000" else []) and runs(s, name) == ("done" if wanted == "00000" else "failed") and
               after == path + " true 0 true", "text of a job: " + name, "%s %s %s %s %s" % (state, out, got, runs(s, name), after))
        s.close()


admin = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = warning;" + SERVERS + (";"
                "CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou');"
                "CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY)))
oss_bucket("demo")
for part in (cancels, texts):
    try:
        part()
    except Exception as e:      # the other parts still count
        tap.ok(False, part.__name__ + " ends", e)
tap.done()
