"""Books of jobs over time and between roles: what the sweeper forgets, and when it does not."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, command, odps_content, odps_sql  # noqa: E402

tap = Tap()
START = "2018-01-11 01:30:00+08"


def job(s, name, text, **more):
    s.sql("SELECT mc.create_job('%s', $job$%s$job$, every => '1 minute', start => '%s', retry_delay => '0', lint => false%s)" %
          (name, text, START, "".join(", %s => %s" % x for x in more.items())))


def as_role(s, role):
    s.sql("SET SESSION AUTHORIZATION %s" % role if role else "RESET SESSION AUTHORIZATION")


def one(s, sql):
    return "\n".join(s.sql(sql))


def left(s, name):
    return one(s, "SELECT COALESCE(string_agg(family || ':' || seq || '/' || attempt || ' ' || r.state, ', ' ORDER BY run_id), '') FROM mc.run r JOIN mc.job USING (job_id) WHERE name = '%s'" % name)


def age(s, name, days, where="true"):
    s.sql("UPDATE mc.run r SET started_at = started_at - interval '%d days', finished_at = finished_at - interval '%d days', sealed_at = sealed_at - interval '%d days'"
          " FROM mc.job j WHERE j.job_id = r.job_id AND name = '%s' AND %s" % (days, days, days, name, where))


def sweep(s):
    """the next sweep that may forget"""
    s.sql("UPDATE mc.job SET pruned_at = pruned_at - interval '2 hours'")
    out, state = s.try_sql("CALL mc.resolve_all()")
    return state, out


def forget(s):
    s.sql("CREATE TABLE dst (t timestamptz); CREATE TABLE mine.dst (t timestamptz); GRANT ALL ON dst TO alice")
    job(s, "old", "INSERT INTO dst VALUES ($1)")
    s.sql("CALL mc.run_job('old', 4)")
    age(s, "old", 100, "seq < 4")
    out = s.try_sql("CALL mc.resolve_all()")
    tap.ok(left(s, "old") == "0:4/1 done" and out[1] == "00000", "the sweeper forgets what is beyond the retention", "%s %s" % (left(s, "old"), out))
    age(s, "old", 100)
    sweep(s)
    tap.ok(left(s, "old") == "0:4/1 done", "... never the last window", left(s, "old"))
    s.sql("CALL mc.run_job('old', 1)")
    out = s.try_sql("CALL mc.resolve_all()")
    tap.ok(left(s, "old") == "0:4/1 done, 0:5/1 done" and out == ([], "00000"), "... and not again within the hour", "%s %s" % (left(s, "old"), out))
    sweep(s)
    tap.ok(left(s, "old") == "0:5/1 done", "... but in the next one", left(s, "old"))
    n = one(s, "SELECT count(*), count(DISTINCT t) FROM dst")
    tap.ok(n == "5|5", "the job went on where it was", n)
    # a longer retention; a clock that was ahead
    s.sql("CALL mc.run_job('old', 1); SELECT mc.alter_job('old', retention => '200 days')")
    age(s, "old", 100)
    sweep(s)
    tap.ok(left(s, "old") == "0:5/1 done, 0:6/1 done", "what the retention keeps stays", left(s, "old"))
    s.sql("SELECT mc.alter_job('old', retention => '1 day'); UPDATE mc.job SET pruned_at = '2200-01-01'; CALL mc.resolve_all()")
    tap.ok(left(s, "old") == "0:6/1 done", "a clock that was wrong does not end it", left(s, "old"))
    s.sql("SELECT mc.drop_job('old')")


def open_things(s):
    """nothing that somebody may come back to"""
    job(s, "open", "INSERT INTO target VALUES (to_char($1 AT TIME ZONE 'Asia/Shanghai', 'HH24MI'), 'x')")
    s.sql("CALL mc.run_job('open', 6)")
    s.sql("UPDATE mc.run SET state = 'lost', finished_at = NULL WHERE seq IN (1, 2); UPDATE mc.run SET state = 'blocked' WHERE seq = 3;"
          "UPDATE mc.run SET state = 'discarded' WHERE seq = 4; UPDATE mc.publish SET state = 'conflict' FROM mc.run r WHERE r.run_id = publish.run_id AND seq = 5")
    s.sql("INSERT INTO mc.gap (job_id, window_begin, window_end, run_id, reason) SELECT job_id, window_begin, window_end, run_id, 'x' FROM mc.run WHERE seq = 4;"
          "INSERT INTO mc.run (job_id, seq, attempt, window_begin, window_end, state, version, write_ts, started_at, finished_at)"
          " SELECT job_id, seq, 2, window_begin, window_end, 'done', version, write_ts, started_at, finished_at FROM mc.run WHERE seq = 2")
    age(s, "open", 100)
    out = sweep(s)
    tap.ok(left(s, "open") == "0:1/1 lost, 0:3/1 blocked, 0:4/1 discarded, 0:5/1 done, 0:6/1 done", "open runs, entries and gaps are kept, a loss that was made good is not",
           "%s %s" % (left(s, "open"), out))
    s.sql("UPDATE mc.gap SET closed_at = now()")
    sweep(s)
    tap.ok(left(s, "open") == "0:1/1 lost, 0:3/1 blocked, 0:5/1 done, 0:6/1 done", "a gap that is closed is not", left(s, "open"))
    tap.ok(one(s, "SELECT mc.prune('1 second')") == "0", "mc.prune() keeps the same", left(s, "open"))
    s.sql("SELECT mc.drop_job('open', true)")


def many(s):
    s.sql("""INSERT INTO mc.job (name, every, lag, start, timezone, system_identifier, timeline, database)
	SELECT 'many', '1 min', '0', '2018-01-01Z', 'UTC', system_identifier, mc._timeline(), (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system();
INSERT INTO mc.job_version (job_id, version, statement) SELECT job_id, 1, 'SELECT 1' FROM mc.job WHERE name = 'many';
INSERT INTO mc.run (job_id, seq, attempt, window_begin, window_end, state, version, write_ts, started_at, finished_at)
	SELECT job_id, i, 1, start + (i - 1) * every, start + i * every, 'done', 1, i, start, start FROM mc.job, generate_series(1, 251) i WHERE name = 'many'""")
    n = []
    for _ in range(4):
        s.sql("CALL mc.resolve_all()")
        n.append(one(s, "SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'many'"))
    tap.ok(n == ["151", "51", "1", "1"], "a backlog goes little by little, sweep by sweep", n)
    s.sql("SELECT mc.drop_job('many')")


def disturbed(s):
    """it neither holds up nor fails the sweep"""
    for name, text in (("a1", "INSERT INTO dst VALUES ($1)"), ("a2", "INSERT INTO dst VALUES ($1)"), ("a3", "INSERT INTO target VALUES ('a3', 'x')")):
        job(s, name, text)
    s.sql("CALL mc.run_job('a1', 3); CALL mc.run_job('a2', 3)")
    dying = Session()
    dying.try_sql("SET mc_fdw.fail_at = 'P1:exit'; CALL mc.run_job('a3', 1)")
    dying.close()
    age(s, "a1", 100)
    age(s, "a2", 100)
    other = Session()
    other.sql("BEGIN; UPDATE mc.job SET comment = 'x' WHERE name = 'a1'; SELECT FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'a2' AND seq = 1 FOR UPDATE OF run")
    out, state = s.try_sql("SET statement_timeout = '60s'; CALL mc.resolve_all()", 120)
    s.sql("RESET statement_timeout")
    tap.ok(state == "00000" and "old runs of job \"a1\" are not forgotten yet" in "".join(out), "a lock of somebody else does not hold up the sweep", "%s %s" % (state, out))
    tap.ok(left(s, "a3") == "0:1/1 done" and left(s, "a2") == "0:1/1 done, 0:3/1 done" and len(odps_content("target")) > 0, "... the others are swept", "%s / %s" % (left(s, "a3"), left(s, "a2")))
    other.sql("COMMIT")
    # a job that runs is left alone, and left so for the next sweep
    s.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
          "CREATE TRIGGER refuse BEFORE DELETE ON mc.run FOR EACH ROW EXECUTE FUNCTION refuse()")
    state, out = sweep(s)
    tap.ok(state == "00000" and "refused" in "".join(out) and left(s, "a1") == "0:1/1 done, 0:2/1 done, 0:3/1 done", "nor does an error end it", "%s %s" % (state, out))
    s.sql("DROP TRIGGER refuse ON mc.run; DROP FUNCTION refuse()")
    s.sql("SELECT mc.alter_job('a1', statement => 'SELECT pg_sleep(600)', lint => false)")
    other.send("CALL mc.run_job('a1', 1)")
    running = "SELECT count(*) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'a1' AND state = 'running'"
    while one(s, running) != "1":
        pass
    before = left(s, "a1")
    state, out = sweep(s)
    tap.ok(state == "00000" and left(s, "a1") == before, "a job that runs is left alone", "%s %s %s" % (state, out, left(s, "a1")))
    s.sql("SELECT pg_cancel_backend(%d)" % other.pid)
    other.finish(60)
    sweep(s)
    tap.ok(left(s, "a1") == "0:4/1 failed", "... until it has ended", left(s, "a1"))
    other.close()
    for name in ("a1", "a2", "a3"):
        s.sql("SELECT mc.drop_job('%s')" % name)


def roles(s):
    for role in ("alice", "bob"):
        as_role(s, role)
        job(s, "of_" + role, "SELECT 1")
        s.sql("CALL mc.run_job('of_%s', 2)" % role)
        as_role(s, None)
        age(s, "of_" + role, 100)
    as_role(s, "alice")
    state, out = sweep(s)
    as_role(s, None)
    tap.ok(state == "00000" and left(s, "of_alice") == "0:2/1 done" and left(s, "of_bob") == "0:1/1 done, 0:2/1 done", "a role's sweeper forgets what is the role's",
           "%s %s %s" % (out, left(s, "of_alice"), left(s, "of_bob")))
    # another database's books
    s.sql("UPDATE mc.job SET system_identifier = 1 WHERE name = 'of_bob'")
    sweep(s)
    tap.ok(left(s, "of_bob") == "0:1/1 done, 0:2/1 done", "books of another database are left alone", left(s, "of_bob"))
    s.sql("SELECT mc.drop_job('of_alice'), mc.drop_job('of_bob')")


s = Session("CREATE EXTENSION mc_fdw; SET client_min_messages = warning;" + SERVERS)
s.sql("CREATE ROLE alice; CREATE ROLE bob; CREATE SCHEMA mine AUTHORIZATION alice; GRANT USAGE ON FOREIGN SERVER odps TO alice, bob")
command("maxcompute", "create_project", project="demo")
odps_sql("CREATE TABLE demo.target (a STRING) PARTITIONED BY (p STRING)")
s.sql("CREATE FOREIGN TABLE target (a text, p text) SERVER odps")
for part in (forget, open_things, many, disturbed, roles):
    try:
        part(s)
    except Exception as e:      # the other parts still count
        tap.ok(False, part.__name__ + " ends", e)
        s = Session("SET client_min_messages = warning")
tap.done()
