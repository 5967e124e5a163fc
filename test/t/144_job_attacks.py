"""Roles, jobs and books against those who attack them: what a job's owner or any other role tries
in order to get somebody else's rights, rows or keys, and what a statement does to the job around it."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, SERVERS, Session, Tap, call, command, odps_content, odps_sql, oss_bucket, oss_keys  # noqa: E402

tap = Tap()
START = "2018-01-11 01:30:00+08"


def job(s, name, text, **more):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0', lint => false%s)" %
          (name, text, START, "".join(", %s => %s" % x for x in more.items())))


def as_role(s, role):
    s.sql("SET SESSION AUTHORIZATION %s" % role if role else "RESET SESSION AUTHORIZATION")


def one(s, sql):
    return "\n".join(s.sql(sql))


def runs(s, name):
    return one(s, "SELECT string_agg(r.state, ' ' ORDER BY run_id) FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % name)


def deferred(s):
    """a trigger that fires when constraints are checked has another one fire at COMMIT, as the caller"""
    s.sql("""SET SESSION AUTHORIZATION mallory;
CREATE TABLE m.seen (who text);
CREATE TABLE m.t1 (a int); CREATE TABLE m.t2 (a int);
CREATE FUNCTION m.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('role', 'none', true); INSERT INTO m.seen VALUES (current_user); RETURN NULL; END $$;
CREATE FUNCTION m.early() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO m.t2 VALUES (1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON m.t2 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION m.late();
CREATE CONSTRAINT TRIGGER early AFTER INSERT ON m.t1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION m.early()""")
    job(s, "deferred", "INSERT INTO m.t1 VALUES (1)")
    job(s, "immediate", "INSERT INTO m.t2 VALUES (1)")
    as_role(s, None)
    s.sql("SET ROLE mallory")
    out, state = s.try_sql("CALL mc.run_job('deferred', 1)")
    s.sql("RESET ROLE")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen")
    tap.ok("postgres" not in seen and state == "0A000", "a trigger cannot defer another one beyond the run", "%s %s %s" % (seen, state, out))
    out, state = s.try_sql("CALL mc.run_job('immediate', 1)")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen")
    tap.ok(state == "42501" and seen == "", "deferred triggers cannot take the caller's role", "%s %s" % (seen, out))
    s.sql("CREATE OR REPLACE FUNCTION m.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES (current_user); RETURN NULL; END $$")
    s.sql("CALL mc.run_job('immediate', 1, true)")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen")
    tap.ok(seen == "mallory", "deferred triggers run as the owner, whoever calls", seen)


def operators(s):
    """operators and functions of others in the caller's path"""
    s.sql("""SET SESSION AUTHORIZATION mallory;
CREATE FUNCTION m.evil(bigint, int) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES ('op ' || current_user); RETURN 0; END $$;
CREATE OPERATOR m.%% (LEFTARG = bigint, RIGHTARG = int, FUNCTION = m.evil);
CREATE FUNCTION m.same(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
	IF current_user = 'postgres' THEN RAISE EXCEPTION 'same() as a superuser'; END IF; RETURN pg_catalog.texteq($1, $2); END $$;
CREATE OPERATOR m.= (LEFTARG = text, RIGHTARG = text, FUNCTION = m.same);
RESET SESSION AUTHORIZATION;
SET search_path = m, public""".replace("%%", "%"))
    job(s, "path", "SELECT 1")
    s.sql("RESET search_path")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen WHERE who ~ '^op'")
    tap.ok(seen == "", "mc.create_job() uses no operators of the caller's search_path", seen)
    path = one(s, "SELECT settings ->> 'search_path' FROM mc.job WHERE name = 'path'")
    tap.ok(path == "m, public", "... and remembers it", path)
    # planning evaluates immutable functions: those that the owner's path chooses, with his rights
    s.sql("SET SESSION AUTHORIZATION mallory; SET search_path = m, pg_catalog")
    job(s, "linted", "INSERT INTO m.t1 SELECT 1 WHERE 'a'::text = 'b'::text")
    s.sql("RESET search_path; RESET SESSION AUTHORIZATION")
    out, state = s.try_sql("SELECT mc.alter_job('linted', statement => 'INSERT INTO m.t1 SELECT 2 WHERE ''a''::text = ''b''::text')")
    tap.ok(state == "00000" and "superuser" not in "".join(out), "what the owner's path chooses is linted with his rights", out)


def owners(s):
    as_role(s, "mallory")
    for sql, state in (("UPDATE mc.job SET owner = 'postgres' WHERE name = 'deferred'", "42501"),
                       ("UPDATE mc.job SET owner = 'alice' WHERE name = 'deferred'", "42501"),
                       ("INSERT INTO mc.job_version (job_id, version, statement, owner) SELECT job_id, 7, 'x', 'alice' FROM mc.job WHERE name = 'deferred'", "42501"),
                       ("INSERT INTO mc.job (name, every, lag, start, timezone, owner) VALUES ('forged', '1 min', '0', now(), 'UTC', 'alice')", "42501")):
        got = s.try_sql(sql)[1]
        tap.ok(got == state, "refused: " + sql[:60], got)
    as_role(s, "alice")
    n = one(s, "SELECT (SELECT count(*) FROM mc.job) + (SELECT count(*) FROM mc.run) + (SELECT count(*) FROM mc.job_version) + (SELECT count(*) FROM mc.status)")
    tap.ok(n == "0", "another role sees nothing", n)
    for name in ("deferred", "immediate"):
        for sql in ("CALL mc.run_job('%s')", "SELECT mc.drop_job('%s')", "SELECT mc.adopt_job('%s')", "SELECT mc.alter_job('%s', lag => '1 s')"):
            got = s.try_sql(sql % name)[1]
            tap.ok(got == "42704", "another role cannot " + sql % name, got)
    run = one(Session(), "SELECT run_id FROM mc.run WHERE state = 'done' LIMIT 1")
    for sql in ("SELECT mc._execute(%s)", "SELECT mc.resolve_run(%s, 'redo')"):
        got = s.try_sql(sql % run)[1]
        tap.ok(got != "00000", "another role cannot " + sql % run, got)
    as_role(s, None)
    got = s.try_sql("SELECT mc._execute(%s)" % run)[1]
    tap.ok(got == "42704", "a run that is done is not executed again", got)


def settings(s):
    as_role(s, "mallory")
    for text in ('{"role": "postgres"}', '{"session_authorization": "postgres"}', '{"mc_fdw.fail_at": "T1"}', '{"session_replication_role": "replica"}',
                 '{"mc_fdw.allowed_endpoints": "*"}'):
        s.sql("SELECT mc.drop_job(name) FROM mc.job WHERE name = 'setting'")
        job(s, "setting", "INSERT INTO m.seen VALUES ('setting ' || current_user)")
        s.sql("UPDATE mc.job SET settings = settings || '%s' WHERE name = 'setting'" % text)
        as_role(s, None)
        state = s.try_sql("CALL mc.run_job('setting', 1)")[1]
        tap.ok(state == "42501" or state == "42704", "as a setting of another's job refused: " + text, state)
        as_role(s, "mallory")
    state = s.try_sql("SELECT mc.create_job('bad', 'SELECT 1', '1 min', settings => '[]')")[1]
    tap.ok(state == "22023", "settings are an object", state)
    as_role(s, None)


def entries(s):
    """an entry is published with keys that may do more than their owner may do here"""
    oss_bucket("vault")
    s.sql("""CREATE SERVER vault FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'vault');
CREATE USER MAPPING FOR PUBLIC SERVER vault OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE USER MAPPING FOR alice SERVER vault OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE safe (a int) SERVER vault OPTIONS (prefix 'safe/', format 'csv');
GRANT INSERT, SELECT ON safe TO alice""" % ((OSS,) + KEY + KEY))
    as_role(s, "alice")
    job(s, "honest", "INSERT INTO safe VALUES (1)")
    as_role(s, None)
    out = s.try_sql("CALL mc.run_job('honest', 1)")
    keys = oss_keys(bucket="vault")
    tap.ok(runs(s, "honest") == "done" and len(keys) == 1, "an honest job of a role without rights on the server", "%s %s" % (keys, out))
    as_role(s, "mallory")
    run = one(s, "SELECT run_id FROM mc.run WHERE state = 'done' LIMIT 1")
    got = s.try_sql("INSERT INTO mc.publish (run_id, ordinal, service, kind, server, endpoint, target, label, handle, mode, token, rows, bytes, document)"
                    " VALUES (%s, 1, 'oss', 'delete', 'vault', '%s', 'x', 'x', '', 'overwrite', 'x', 0, 0, '{}')" % (run, OSS))
    tap.ok(got[1] == "42501", "no entry can be forged", got)
    as_role(s, "alice")
    for column in ("document = '{}'", "handle = 'x'", "endpoint = 'x'", "server = 'x'", "target = 'x'", "body = ''", "token = 'x'", "run_id = 1"):
        got = s.try_sql("UPDATE mc.publish SET " + column)[1]
        tap.ok(got == "42501", "what an entry does cannot be changed: " + column, got)
    as_role(s, None)


def targets(s):
    """two roles overwrite one partition: who was first has it until he gives it up"""
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.shared_t (a STRING) PARTITIONED BY (p STRING)")
    s.sql("""CREATE FOREIGN TABLE shared_t (a text, p text) SERVER odps OPTIONS (write_mode 'overwrite');
GRANT INSERT, SELECT ON shared_t TO alice, mallory;
CREATE USER MAPPING FOR alice SERVER odps OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE USER MAPPING FOR mallory SERVER odps OPTIONS (access_key_id '%s', access_key_secret '%s')""" % (KEY + KEY))
    rows = "SELECT string_agg(a, ' ' ORDER BY a) FROM shared_t"
    for role in ("mallory", "alice"):
        as_role(s, role)
        job(s, "shared_" + role, "INSERT INTO shared_t VALUES ('%s', 'x'), ('%s', $1::text)" % (role, role), adopt_target="true")
        out = s.try_sql("CALL mc.run_job('shared_%s', 1)" % role)
    said = "".join(out[0])
    tap.ok(out[1] == "55006" and runs(s, "shared_alice") == "failed" and "belongs to a job of another role" in said and "shared_mallory" not in said,
           "what another role's job has overwritten cannot be overwritten, not even adopted", out)
    tap.ok(one(s, rows) == "mallory mallory", "... and is as it was", one(s, rows))
    told = one(s, "SELECT count(*) FROM mc.run WHERE concat(error_message, error_detail, error_hint, error_context) ~ 'shared_mallory'")
    tap.ok(told == "0", "... nor does the run name that job", told)
    target = said.split("mc.release_target(job, '")[1].split("'")[0]
    got = s.try_sql("SELECT mc.release_target('shared_mallory', '%s')" % target)[1]
    tap.ok(got == "42704", "another role cannot give it up", got)
    # called by a superuser it is the same: the job's owner counts
    as_role(s, None)
    out = s.try_sql("CALL mc.run_job('shared_alice', 1, true)")
    tap.ok(out[1] == "55006" and one(s, "SELECT count(*) FROM mc.run WHERE error_message ~ 'shared_mallory'") == "0", "whoever calls", out)
    as_role(s, "mallory")
    n = one(s, "SELECT mc.release_target('shared_mallory', 'x'), mc.release_target('shared_mallory', '%s')" % target)
    as_role(s, "alice")
    out = s.try_sql("CALL mc.run_job('shared_alice', 1, true)")
    tap.ok(n == "0|1" and out[1] == "55006", "one target given up: the other one is not", "%s %s" % (n, out))
    as_role(s, "mallory")
    n = one(s, "SELECT mc.release_target('shared_mallory')")
    as_role(s, "alice")
    out = s.try_sql("CALL mc.run_job('shared_alice', 1, true)")
    tap.ok(n == "1" and out[1] == "00000" and one(s, rows) == "alice alice", "a job that gave up all lets the other one", "%s %s %s" % (n, out, one(s, rows)))
    as_role(s, "mallory")
    out = s.try_sql("CALL mc.backfill('shared_mallory', '%s', '2018-01-11 01:31:00+08', true)" % START)
    tap.ok(out[1] == "55006" and one(s, rows) == "alice alice", "... and may not come back", out)
    # who has the privileges of both roles adopts, and has it alone then
    as_role(s, None)
    job(s, "shared_super", "INSERT INTO shared_t VALUES ('super', 'x')")
    out = s.try_sql("CALL mc.run_job('shared_super', 1)")
    tap.ok(out[1] == "55006" and "shared_alice" in "".join(out[0]), "a superuser's job is told whose it is", out)
    s.sql("SELECT mc.alter_job('shared_super', adopt_target => true); CALL mc.run_job('shared_super', 1, true)")
    n = one(s, "SELECT string_agg(name, ' ') FROM mc.target_owner JOIN mc.job USING (job_id) WHERE target <> '%s'" % target)
    tap.ok(n == "shared_super" and "super" in one(s, rows), "... and adopts it", n)
    as_role(s, "alice")
    out = s.try_sql("CALL mc.backfill('shared_alice', '%s', '2018-01-11 01:31:00+08', true)" % START)
    tap.ok(out[1] == "55006" and "super" in one(s, rows), "... so that it has one owner", out)
    as_role(s, None)
    s.sql("SELECT mc.drop_job('shared_super')")
    as_role(s, "alice")
    out = s.try_sql("CALL mc.backfill('shared_alice', '%s', '2018-01-11 01:31:00+08', true)" % START)
    tap.ok(out[1] == "00000", "a job that is dropped owns nothing", out)
    as_role(s, None)


def locks(s):
    as_role(s, "alice")
    s.sql("CREATE TABLE a.dst (t timestamptz)")
    job(s, "caught", "INSERT INTO a.dst VALUES ($1)")
    s.try_sql("DO $$ BEGIN BEGIN CALL mc.run_job('caught', 1); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END; END $$")
    held = one(s, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    tap.ok(held == "0", "a CALL whose error is caught keeps no lock", held)
    got = s.try_sql("CALL mc.run_job('caught', 1)")
    tap.ok(got[1] == "00000" and runs(s, "caught") == "done", "... and the session can run jobs", got)
    job(s, "unlocks", "SELECT pg_advisory_unlock_all(); INSERT INTO a.dst VALUES ($1)")
    got = s.try_sql("CALL mc.run_job('unlocks', 1)")
    tap.ok(got[1] == "55000" and runs(s, "unlocks") == "failed", "a statement that releases the job's lock fails", got)
    job(s, "nested", "SELECT mc._execute(max(run_id)) FROM mc.run WHERE state = 'running'")
    got = s.try_sql("CALL mc.run_job('nested', 1)")
    tap.ok(got[1] == "55006", "a job is not executed inside of a job", got)
    job(s, "recursive", "CALL mc.run_job('caught', 1)")
    got = s.try_sql("CALL mc.run_job('recursive', 1)")
    tap.ok(got[1] != "00000" and runs(s, "recursive").startswith("failed"), "nor by CALL", got)
    job(s, "caught2", "DO $x$ BEGIN CALL mc.run_job('caught', 1); EXCEPTION WHEN OTHERS THEN NULL; END $x$; INSERT INTO a.dst VALUES ($1)")
    got = s.try_sql("CALL mc.run_job('caught2', 1)")
    tap.ok(got[1] == "00000" and runs(s, "caught2") == "done", "... also if the error is caught", got)
    # every way a run ends leaves the session as it was
    s.sql("CREATE TABLE a.bad (a int, CHECK (a > 0)); CREATE TABLE a.un (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    for name, text in (("check", "INSERT INTO a.bad VALUES (0)"), ("unique", "INSERT INTO a.un VALUES (1), (1)"),
                       ("syntax", "DO $x$ BEGIN EXECUTE 'nonsense'; END $x$"),
                       ("timeout", "SELECT pg_sleep(60)")):
        job(s, "end_" + name, text, settings="'{\"search_path\": \"a\"}'")
        as_role(s, None)
        s.sql("SET statement_timeout = '2s'")
        got = s.try_sql("CALL mc.run_job('end_%s', 1)" % name)
        s.sql("RESET statement_timeout")
        now = one(s, "SELECT current_user, current_setting('search_path') ~ 'public', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())")
        tap.ok(got[1] != "00000" and now == "postgres|t|0" and runs(s, "end_" + name) == "failed", "after a failure (%s) the session is as before" % name,
               "%s %s %s" % (got, now, runs(s, "end_" + name)))
        as_role(s, "alice")
    as_role(s, None)


def until(s, sql):
    """waits for an answer that is true"""
    for _ in range(300):
        if one(s, sql) == "t":
            return True
        time.sleep(0.1)
    return False


def commits():
    return [x["api"] for x in call("log")].count("CommitUpload")


def hang(session, sql):
    """send the statement and return once the service leaves its request to publish without an answer"""
    before = commits()
    call("faults", [{"service": "maxcompute", "api": "CommitUpload", "action": "stall_before", "nth": 1}])
    session.send(sql)
    end = time.monotonic() + 30
    while commits() == before and time.monotonic() < end:
        time.sleep(0.01)
    return commits() > before


def meetings(s):
    """a run waits for a sweeper that has its job, and does not wait for another run"""
    odps_sql("CREATE TABLE demo.swept (a STRING)")
    s.sql("CREATE FOREIGN TABLE swept (a text) SERVER odps")
    job(s, "swept", "INSERT INTO swept VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24:MI'))")
    dying = Session()
    out, state = dying.try_sql("SET mc_fdw.fail_at = 'P1:exit'; CALL mc.run_job('swept', 1)")
    dying.close()
    tap.ok(state == "lost" and runs(s, "swept") == "prepared", "a session leaves an entry for the sweeper", "%s %s" % (runs(s, "swept"), out))
    sweeper, runner = Session("SET mc_fdw.stall_timeout = '1min'"), Session("SET client_min_messages = notice")
    tap.ok(hang(sweeper, "CALL mc.resolve_all()"), "the sweeper hangs while it publishes")
    runner.send("CALL mc.run_job('swept', 1)")
    waits = until(s, "SELECT state = 'idle' OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND NOT granted)"
                     " FROM pg_stat_activity a WHERE pid = %d AND query ~ 'swept'" % runner.pid)
    waits = waits and one(s, "SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity WHERE pid = %d AND state = 'active'" % runner.pid)
    tap.ok(waits == "Lock advisory", "a run that meets it waits", waits)
    # the sweeper goes away without its answer: the run resolves the entry and goes on
    call("faults", [])
    s.sql("SELECT pg_cancel_backend(%d)" % sweeper.pid)
    swept, ran = sweeper.finish(120), runner.finish(120)
    tap.ok(ran[1] == "00000" and "another session" not in "".join(ran[0]) and runs(s, "swept") == "done done", "... and then runs its window",
           "%s %s %s" % (runs(s, "swept"), ran, swept))
    # cancelled while it waits
    dying = Session()
    dying.try_sql("SET mc_fdw.fail_at = 'P1:exit'; CALL mc.run_job('swept', 1)")
    dying.close()
    hang(sweeper, "CALL mc.resolve_all()")
    out, state = runner.try_sql("SET statement_timeout = '300ms'; CALL mc.run_job('swept', 1)", 60)
    held = one(s, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %d" % runner.pid)
    tap.ok(state == "57014" and held == "0", "the wait can be cancelled", "%s %s %s" % (state, held, out))
    call("faults", [])
    s.sql("SELECT pg_cancel_backend(%d)" % sweeper.pid)
    sweeper.finish(120)
    runner.sql("RESET statement_timeout")
    # another run: its caller is told
    tap.ok(hang(sweeper, "CALL mc.run_job('swept', 2)"), "a run hangs while it publishes")
    out, state = runner.try_sql("CALL mc.run_job('swept', 1)", 60)
    tap.ok(state == "00000" and "is being run by another session" in "".join(out), "a run that meets another run does not wait", "%s %s" % (state, out))
    out, state = s.try_sql("CALL mc.resolve_all()", 60)
    tap.ok(state == "00000" and runs(s, "swept").endswith("publishing"), "a sweeper leaves it alone", "%s %s %s" % (state, runs(s, "swept"), out))
    call("faults", [])
    s.sql("SELECT pg_cancel_backend(%d)" % sweeper.pid)
    sweeper.finish(120)
    runner.sql("CALL mc.run_job('swept', 1, true)")
    n = runs(s, "swept").split().count("done")
    tap.ok(sum(v[0] for v in odps_content("swept").values()) == n and n >= 4, "each window is published once", runs(s, "swept"))
    for x in (sweeper, runner):
        x.close()


def others(s):
    """what another extension writes is visible at once, and done again only if that is asked for"""
    s.sql("""CREATE EXTENSION postgres_fdw; CREATE SCHEMA far; CREATE TABLE far.heap (at timestamptz);
CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER loopback OPTIONS (user 'postgres');
CREATE FOREIGN TABLE far.t (at timestamptz) SERVER loopback OPTIONS (schema_name 'far', table_name 'heap');
CREATE TABLE far.parts (at timestamptz) PARTITION BY RANGE (at);
CREATE FOREIGN TABLE far.part PARTITION OF far.parts DEFAULT SERVER loopback OPTIONS (schema_name 'far', table_name 'heap');
CREATE FUNCTION far.put(timestamptz) RETURNS void LANGUAGE sql AS 'INSERT INTO far.t VALUES ($1)'""" % os.environ["PGHOST"])
    for name, text in (("plain", "INSERT INTO far.t VALUES ($1)"), ("routed", "INSERT INTO far.parts VALUES ($1)"),
                       ("within", "WITH w AS (INSERT INTO far.t VALUES ($1) RETURNING at) SELECT count(*) FROM w"),
                       ("called", "SELECT far.put($1)"), ("copied", "COPY far.t FROM PROGRAM 'echo 2018-01-11'")):
        job(s, "far_" + name, text)
        out = s.try_sql("CALL mc.run_job('far_%s', 1)" % name)
        got = s.try_sql("CALL mc.backfill('far_%s', '%s', '%s'::timestamptz + interval '1 minute')" % (name, START, START))
        back = s.try_sql("SELECT mc.reset_job('far_%s', '%s')" % (name, START))
        tap.ok(runs(s, "far_" + name) == "done" and got[1] == "55000" and back[1] == "55000", "a window that wrote by postgres_fdw (%s) is not repeated silently" % name,
               "%s %s %s" % (out, got, back))
    job(s, "far_read", "SELECT count(*) FROM far.parts")
    s.sql("CALL mc.run_job('far_read', 1)")
    got = s.try_sql("CALL mc.backfill('far_read', '%s', '%s'::timestamptz + interval '1 minute')" % (START, START))
    tap.ok(got[1] == "00000", "one that only read is", got)


def notices(s):
    """NOTIFY takes less than 8000 bytes and 64 of a channel's name"""
    s.sql("LISTEN attacks")
    for name, text in (("emoji", "repeat(chr(128512), 2500)"), ("control", "repeat(chr(1), 2500)"), ("quotes", "repeat('\"', 2500)")):
        job(s, "says_" + name, "DO $x$ BEGIN RAISE EXCEPTION USING MESSAGE = %s; END $x$" % text, notify="'attacks'")
        out = s.try_sql("CALL mc.run_job('says_%s', 1)" % name)
        n = one(s, "SELECT length(error_message) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'says_%s'" % name)
        tap.ok(out[1] == "P0001" and runs(s, "says_" + name) == "failed" and n == "2500", "a failure with a long message of %s is recorded and told" % name,
               "%s %s %s" % (out[1], n, str(out[0])[:300]))
    s.sql("UNLISTEN attacks")
    for channel in ("''", "repeat('x', 64)", "repeat(chr(28450), 22)"):
        got = s.try_sql("SELECT mc.create_job('quiet', 'SELECT 1', '1 min', notify => %s)" % channel)[1]
        tap.ok(got == "22023", "no channel: " + channel, got)
        got = s.try_sql("UPDATE mc.job SET notify = %s WHERE name = 'says_emoji'" % channel)[1]
        tap.ok(got == "23514", "... nor by UPDATE", got)


def clocks(s):
    """the service is asked for its time as the owner of the job, whoever runs it"""
    command("loghub", "create_project", project="web")
    command("loghub", "create_logstore", project="web", logstore="clocks", shards=2, ttl=3650)
    s.sql("CREATE ROLE boss SUPERUSER; CREATE ROLE deputy; GRANT alice TO deputy")
    s.sql("GRANT USAGE ON FOREIGN SERVER sls TO alice; CREATE USER MAPPING FOR alice SERVER sls OPTIONS (access_key_id '%s', access_key_secret '%s')" % KEY)
    as_role(s, "alice")
    s.sql("CREATE FOREIGN TABLE a.logs (__receive_time__ timestamptz, v text) SERVER sls OPTIONS (logstore 'clocks');"
          "CREATE TABLE a.copy (v text)")
    job(s, "clocks", "INSERT INTO a.copy SELECT v FROM a.logs WHERE __receive_time__ >= $1 AND __receive_time__ < $2")
    for role in ("boss", "deputy", "alice"):
        as_role(s, role)
        out, state = s.try_sql("CALL mc.run_job('clocks', 1)")
        tap.ok(state == "00000", "%s runs a job over a logstore that alice reads" % role, out)
    got = s.try_sql("SELECT mc._safe_until('a.logs', 'mallory')")[1]
    tap.ok(got == "42501", "nobody asks with the rights of others", got)
    as_role(s, None)


def writers(s):
    """what was uploaded with another role's keys could not be published with the owner's"""
    oss_bucket("lent")
    odps_sql("CREATE TABLE demo.lent (a STRING)")
    command("loghub", "create_logstore", project="web", logstore="lent", shards=1, ttl=3650)
    s.sql("""CREATE SERVER lent FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'lent');
CREATE USER MAPPING FOR CURRENT_USER SERVER lent OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE ROLE borrower; GRANT alice TO borrower;
CREATE FOREIGN TABLE lent_oss (a text) SERVER lent OPTIONS (prefix 't/', format 'csv');
CREATE FOREIGN TABLE lent (a text) SERVER odps;
CREATE FOREIGN TABLE lent_log (a text) SERVER sls OPTIONS (logstore 'lent', publish 'outbox');
CREATE VIEW lent_v_oss AS SELECT a FROM lent_oss; CREATE VIEW lent_v_odps AS SELECT a FROM lent; CREATE VIEW lent_v_log AS SELECT a FROM lent_log;
CREATE FUNCTION lent_put(text) RETURNS void SECURITY DEFINER LANGUAGE sql AS 'INSERT INTO lent_oss VALUES ($1)';
GRANT INSERT ON lent_v_oss, lent_v_odps, lent_v_log TO borrower""" % ((OSS,) + KEY))
    as_role(s, "borrower")
    texts = (("oss", "INSERT INTO lent_v_oss VALUES ('x')"), ("odps", "INSERT INTO lent_v_odps VALUES ('x')"),
             ("log", "INSERT INTO lent_v_log VALUES ('x')"), ("function", "SELECT lent_put('x')"))
    for name, text in texts:
        job(s, "lent_" + name, text)
        out, state = s.try_sql("CALL mc.run_job('lent_%s', 1)" % name)
        tap.ok(state == "42501" and runs(s, "lent_" + name) == "failed", "a run does not borrow another's keys (%s)" % name, "%s %s" % (runs(s, "lent_" + name), out))
    as_role(s, None)
    # with one mapping for everybody it is the same account
    for server in ("lent", "odps", "sls"):
        s.sql("DROP USER MAPPING FOR CURRENT_USER SERVER %s; CREATE USER MAPPING FOR PUBLIC SERVER %s OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((server, server) + KEY))
    for name, text in texts:
        as_role(s, "borrower")
        out, state = s.try_sql("CALL mc.run_job('lent_%s', 1)" % name)
        as_role(s, None)
        tap.ok(state == "00000" and runs(s, "lent_" + name) == "failed done", "... with the same keys it does (%s)" % name, "%s %s" % (runs(s, "lent_" + name), out))


def schema(s):
    """who owns the schema of an extension owns the calls of its functions"""
    s.sql("CREATE DATABASE squatted")
    s.sql("GRANT CREATE ON DATABASE squatted TO mallory")
    other = Session(database="squatted")
    other.sql("SET ROLE mallory; CREATE SCHEMA mc; RESET ROLE")
    got = other.try_sql("CREATE EXTENSION mc_fdw")
    tap.ok(got[1] == "42501" and "mallory" in "".join(got[0]), "the extension does not move in with another role", got)
    other.sql("ALTER SCHEMA mc OWNER TO CURRENT_USER")
    got = other.try_sql("CREATE EXTENSION mc_fdw")
    tap.ok(got[1] == "00000", "... but into a schema of a superuser", got)
    other.sql("SET ROLE mallory")
    got = other.try_sql("CREATE FUNCTION mc._raise(text, text, text, text) RETURNS void LANGUAGE sql AS 'SELECT'")[1]
    tap.ok(got == "42501", "others make nothing in it", got)


def snapshots(s):
    """what changes a job by hand sees what its runs have done, and does not meddle with one"""
    s.sql("CREATE TABLE once (at timestamptz); CREATE TABLE fails (yes bool); INSERT INTO fails VALUES (true)")
    job(s, "seen", "INSERT INTO once SELECT $1 FROM fails WHERE NOT yes OR 1 / (yes::int - 1) = 0")
    state = s.try_sql("CALL mc.run_job('seen', 1)")[1]
    old = Session()
    old.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM mc.run")
    s.sql("UPDATE fails SET yes = false")
    s.sql("CALL mc.run_job('seen', 3)")
    run = one(s, "SELECT min(run_id) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'seen'")
    for sql in ("SELECT mc.reset_job('seen', '%s')" % START, "SELECT mc.adopt_job('seen')", "SELECT mc.resolve_run(%s, 'discard')" % run, "SELECT mc.drop_job('seen')"):
        got = old.try_sql("SAVEPOINT a; %s" % sql)[1]
        old.sql("ROLLBACK TO a")
        tap.ok(got == "0A000", "with an old snapshot refused: " + sql.split("(")[0], got)
    old.sql("ROLLBACK")
    tap.ok(state == "22012" and runs(s, "seen") == "failed done done done", "the job is as it was", runs(s, "seen"))
    got = s.try_sql("SELECT mc.reset_job('seen', '%s')" % START)[1]
    tap.ok(got == "55000", "with a new one the rows that are there are seen", got)
    job(s, "busy", "INSERT INTO once SELECT $1 FROM (SELECT pg_advisory_xact_lock(4711)) x")
    s.sql("SELECT pg_advisory_lock(4711)")
    runner = Session()
    runner.send("CALL mc.run_job('busy', 1)")
    until(s, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted")
    got = s.try_sql("SELECT mc.drop_job('busy', true)")[1]
    s.sql("SELECT pg_advisory_unlock(4711)")
    ran = runner.finish(60)
    tap.ok(got == "55006" and ran[1] == "00000" and runs(s, "busy") == "done", "a job that runs is not dropped", "%s %s %s" % (got, ran, runs(s, "busy")))
    tap.ok(s.try_sql("SELECT mc.drop_job('busy')")[1] == "00000", "... but afterwards")


def sealed(s, role, name, text, **more):
    """a job whose session ended when its first run was sealed"""
    as_role(s, role)
    job(s, name, text, **more)
    as_role(s, None)
    s.sql("SET mc_fdw.fail_at = 'committed'")
    s.try_sql("CALL mc.run_job('%s', 1)" % name)
    s.sql("RESET mc_fdw.fail_at")
    return runs(s, name)


def sweepers(s):
    """what a role does with its books or its status table stops no other role's job, and runs nothing as the sweeper"""
    oss_bucket("swept")
    s.sql("""CREATE SERVER swept FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'swept');
CREATE USER MAPPING FOR PUBLIC SERVER swept OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE swept_t (a int) SERVER swept OPTIONS (prefix 't/', format 'csv');
GRANT INSERT ON swept_t TO alice, mallory""" % ((OSS,) + KEY))
    mallory = Session("SET SESSION AUTHORIZATION mallory")
    for n, (sql, sqlstate, undo) in enumerate((
            ("UPDATE mc.job SET sources = '{1.2.3.4.5}' WHERE name = 'poison%d'", "42601", "UPDATE mc.job SET sources = '{}' WHERE name = 'poison%d'"),
            ("UPDATE mc.job SET sources = '{x y}' WHERE name = 'poison%d'", "42602", "UPDATE mc.job SET sources = '{}' WHERE name = 'poison%d'"),
            ("BEGIN; SELECT FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'poison%d' FOR UPDATE OF run", "55P03", "ROLLBACK"),
            ("BEGIN; SELECT FROM mc.publish FOR UPDATE", None, "ROLLBACK"))):
        before = sealed(s, "mallory", "poison%d" % n, "INSERT INTO swept_t VALUES (%d)" % n), sealed(s, "alice", "victim%d" % n, "INSERT INTO swept_t VALUES (%d)" % n)
        mallory.try_sql(sql % n if "%" in sql else sql)
        out, state = s.try_sql("CALL mc.resolve_all()")
        got = runs(s, "poison%d" % n), runs(s, "victim%d" % n)
        # who may not UPDATE every column may not lock either
        tap.ok(before == ("prepared", "prepared") and state == "00000" and got[1] == "done" and
               (sqlstate is None or (got[0] in ("prepared", "publishing") and any(sqlstate in x and "poison%d" % n in x for x in out))),
               "a sweeper passes over a job (%s)" % sql[:60], "%s %s %s" % (before, got, out))
        mallory.try_sql(undo % n if "%" in undo else undo)
        out, state = s.try_sql("CALL mc.resolve_all()")
        tap.ok(state == "00000" and runs(s, "poison%d" % n) == "done", "... until it can be settled", "%s %s" % (runs(s, "poison%d" % n), out))
    mallory.sql("""CREATE TABLE m.status (project_logstore text, shard text, target_table text, timestamp bigint);
CREATE FUNCTION m.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES ('trap ' || session_user); RETURN NULL; END $$;
CREATE TRIGGER trap BEFORE INSERT ON m.status FOR EACH ROW EXECUTE FUNCTION m.trap()""")
    before = sealed(s, "mallory", "trapped", "INSERT INTO swept_t VALUES (9)", status_table="'m.status'")
    mallory.sql("INSERT INTO mc.checkpoint (job_id, source, shard, position, finished, window_end) SELECT job_id, 'loghub:h/p/l', '0', 'x', false, now() FROM mc.job WHERE name = 'trapped'")
    out, state = s.try_sql("CALL mc.resolve_all()")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen WHERE who ~ '^trap'")
    tap.ok(before == "prepared" and state == "00000" and runs(s, "trapped") == "done" and seen == "", "another's sweeper runs no trigger of a status table",
           "%s %s %s" % (runs(s, "trapped"), seen, out))


def times(s):
    as_role(s, "alice")
    for start in ("infinity", "-infinity"):
        got = s.try_sql("SELECT mc.create_job('t_inf', 'SELECT 1', '1 min', start => '%s')" % start)[1]
        tap.ok(got == "22023", "no job starts at " + start, got)
    job(s, "t", "INSERT INTO a.dst VALUES ($1)")
    got = s.try_sql("SELECT mc.alter_job('t', lag => '-1 hour')")[1]
    tap.ok(got == "22023", "no negative lag by mc.alter_job()", got)
    s.sql("CALL mc.run_job('t', 3)")
    for a, b in (("-infinity", "2018-01-11 01:31+08"), (START, "infinity"), ("2018-01-11 01:31+08", START), (START, "2018-01-11 01:34+08"),
                 ("2018-01-11 01:30:00.5+08", "2018-01-11 01:31+08")):
        s.sql("SET statement_timeout = '20s'")
        got = s.try_sql("CALL mc.backfill('t', '%s', '%s', true)" % (a, b))[1]
        tap.ok(got == "22023", "no backfill from %s to %s" % (a, b), got)
    s.sql("RESET statement_timeout")
    s.sql("CALL mc.backfill('t', '%s', '2018-01-11 01:33+08', true)" % START)
    got = one(s, "SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 't' AND state = 'done' AND family = 1")
    tap.ok(got == "3", "a backfill of what is done", got)
    for to in ("infinity", "-infinity"):
        tap.ok(s.try_sql("SELECT mc.reset_job('t', '%s', true)" % to)[1] == "22023", "no reset to " + to)
        tap.ok(s.try_sql("SELECT mc.adopt_job('t', '%s')" % to)[1] == "22023", "no adoption from " + to)
    as_role(s, None)
    # a later attempt has taken the place of a lost one
    run = one(s, "SELECT run_id FROM mc.run JOIN mc.job USING (job_id) WHERE name = 't' AND seq = 3 AND family = 0")
    s.sql("UPDATE mc.run SET state = 'lost', direct_effects = false WHERE run_id = %s" % run)
    s.sql("CALL mc.run_job('t', 1, true)")
    got = s.try_sql("SELECT mc.resolve_run(%s, 'discard')" % run)[1]
    tap.ok(got == "55000", "a run that was done again is settled", got)


def cron(s):
    """a schema named like that of pg_cron is not pg_cron"""
    s.sql("""CREATE SCHEMA cron AUTHORIZATION mallory; SET SESSION AUTHORIZATION mallory;
CREATE FUNCTION cron.steal() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES ('cron ' || current_user); RETURN 'mc t'; END $$;
CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint FROM cron.steal()';
CREATE FUNCTION cron.unschedule(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true FROM cron.steal()';
CREATE VIEW cron.job AS SELECT 1::bigint AS jobid, cron.steal() AS jobname;
GRANT ALL ON cron.job TO PUBLIC; GRANT ALL ON SCHEMA cron TO PUBLIC; RESET SESSION AUTHORIZATION""")
    got = s.try_sql("SELECT mc.schedule_job('t')")[1]
    s.try_sql("SELECT mc.unschedule_job('t')")
    seen = one(s, "SELECT string_agg(who, ' ') FROM m.seen WHERE who ~ '^cron'")
    tap.ok(got == "55000" and seen == "", "another's schema cron is left alone", "%s %s" % (got, seen))


def speed(s):
    s.sql("""INSERT INTO mc.job (name, every, lag, start, timezone) SELECT 'many' || i, '5 min', '0', '2018-01-01Z', 'UTC' FROM generate_series(1, 1000) i;
INSERT INTO mc.job_version (job_id, version, statement) SELECT job_id, 1, 'SELECT 1' FROM mc.job WHERE name ~ '^many';
INSERT INTO mc.run (job_id, seq, attempt, window_begin, window_end, state, version, write_ts)
	SELECT job_id, i, 1, start + (i - 1) * every, start + i * every, 'done', 1, i FROM mc.job, generate_series(1, 288) i WHERE name ~ '^many';
ANALYZE mc.run; ANALYZE mc.job""")
    out = s.sql("EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT * FROM mc.status")
    print("# mc.status of 1000 jobs, 288 windows each: " + out[-1])
    n = one(s, "SELECT count(*), count(DISTINCT published_until) FROM mc.status WHERE job ~ '^many'")
    tap.ok(n == "1000|1", "mc.status of 1000 jobs", n)


s = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = notice;" + SERVERS)
s.sql("CREATE ROLE mallory; CREATE ROLE alice; CREATE SCHEMA m AUTHORIZATION mallory; CREATE SCHEMA a AUTHORIZATION alice; GRANT USAGE ON SCHEMA m, a TO PUBLIC")
for part in (deferred, operators, owners, settings, entries, targets, locks, meetings, others, notices, clocks, writers, schema, snapshots, sweepers, times, cron, speed):
    try:
        part(s)
    except Exception as e:      # the other parts still count
        tap.ok(False, part.__name__ + " ends", e)
        s = Session()
tap.done()
