"""Statements of every form on Tablestore tables: transactions and what they leave behind,
several targets, triggers, partitions, row-level security, cursors, changed options,
tables made anew, roles."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, SERVERS, Session, Tap, call, command, ots_create, ots_rows  # noqa: E402

tap = Tap()
KEYED = "k bigint OPTIONS (key '1') NOT NULL"
MAPPING = "CREATE USER MAPPING FOR %%s SERVER ots OPTIONS (access_key_id '%s', access_key_secret '%s')" % KEY


def make(*tables):
    for t in tables:
        ots_create(t, [("k", "INTEGER")])


def keys(table):
    return [r["key"][0] for r in ots_rows(table)]


def gives(s, name, sql, *want, state="00000"):
    """the statement's output, without DETAIL and what follows, is as wanted"""
    out, got = s.try_sql(sql)
    out = [x for x in out if not x.startswith(("LOCATION:", "HINT:", "CONTEXT:", "PL/pgSQL"))]
    tap.ok(got == state and out == list(want), name, "%s\n%s: %s" % (sql, got, "\n".join(out)))


def refused(s, name, sql, state, text):
    out, got = s.try_sql(sql)
    s.try_sql("ROLLBACK")
    tap.ok(got == state and any(text in x for x in out), name, "%s\n%s: %s" % (sql, got, "\n".join(out)))


def stays(rows, what="transaction"):
    return ("WARNING:  01000: what the %s wrote to Tablestore stays although it is rolled back" % what,
            "DETAIL:  Row changes acknowledged by the service: %d. Each is visible as soon as it was sent, and cannot be taken back." % rows)


def doubt(rows):
    return ("DETAIL:  Row changes acknowledged by the service: 0, sent without an answer: %d (each of these may have been made, or not)."
            " Each is visible as soon as it was sent, and cannot be taken back." % rows)


def transactions(s):
    make("a")
    s.sql("CREATE FOREIGN TABLE a (%s, n int, s text) SERVER ots" % KEYED)
    gives(s, "ROLLBACK says what stays", "BEGIN; INSERT INTO a SELECT g, g FROM generate_series(1, 500) g; ROLLBACK", *stays(500))
    gives(s, "UPDATE and DELETE too", "BEGIN; UPDATE a SET n = 0 WHERE k < 11; DELETE FROM a WHERE k > 490; ROLLBACK", *stays(20))
    gives(s, "COMMIT says nothing", "BEGIN; DELETE FROM a WHERE k > 400; COMMIT; ROLLBACK",
          "WARNING:  25P01: there is no transaction in progress")
    gives(s, "a savepoint", "BEGIN; SAVEPOINT x; INSERT INTO a VALUES (1); ROLLBACK TO x; COMMIT", *stays(1, "subtransaction"))
    gives(s, "a released savepoint counts for those around it",
          "BEGIN; SAVEPOINT x; SAVEPOINT y; INSERT INTO a VALUES (1), (2); RELEASE y; ROLLBACK TO x; INSERT INTO a VALUES (3); ROLLBACK",
          *(stays(2, "subtransaction") + stays(1, "subtransaction")))
    body = "BEGIN INSERT INTO a VALUES (i); IF i % 2 = 0 THEN RAISE EXCEPTION 'x'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END;"
    gives(s, "blocks with EXCEPTION", "BEGIN; DO $$ BEGIN FOR i IN 1..6 LOOP %s END LOOP; END $$; ROLLBACK" % body,
          *(stays(1, "subtransaction") * 3 + stays(3)))
    s.sql("SET statement_timeout = '500ms'")
    for how in ("stall_before", "stall_after", "reset_after"):
        for name, sql in (("INSERT", "INSERT INTO a VALUES (700), (701), (702)"),
                          ("a block", "DO $$ BEGIN INSERT INTO a VALUES (700), (701), (702); END $$")):
            call("faults", [{"action": how, "api": "BatchWriteRow"}])
            out, state = s.try_sql(sql)
            call("faults", [])
            tap.ok(state == "57014" and doubt(3) in out, "%s, %s: rows without an answer are told" % (name, how), "%s %s" % (state, out))
    call("faults", [{"action": "stall_after", "api": "BatchWriteRow"}])
    out, state = s.try_sql("BEGIN; DO $$ BEGIN BEGIN INSERT INTO a VALUES (700); EXCEPTION WHEN query_canceled THEN NULL; END; END $$; COMMIT")
    call("faults", [])
    tap.ok(state == "00000" and doubt(1) in out, "in a subtransaction too", "%s %s" % (state, out))
    s.sql("RESET statement_timeout; SET mc_fdw.max_retries = '0'; DELETE FROM a WHERE k >= 700")
    for action, told in (({"action": "reset_after"}, True), ({"action": "status_after", "http": 503, "code": "OTSTimeout"}, True),
                         ({"action": "status", "http": 403, "code": "OTSNoPermissionAccess"}, False)):
        call("faults", [dict(action, api="BatchWriteRow")])
        out, state = s.try_sql("INSERT INTO a VALUES (700), (701)")
        call("faults", [])
        tap.ok(state != "00000" and (doubt(2) in out) == told and (told or not any("WARNING" in x for x in out)),
               "%s: %s" % (action.get("code", "reset"), "in doubt" if told else "not in doubt"), "%s %s" % (state, out))
    s.sql("RESET mc_fdw.max_retries; DELETE FROM a WHERE k >= 700")
    refused(s, "SERIALIZABLE", "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO a VALUES (900)", "0A000", "SERIALIZABLE")
    refused(s, "SERIALIZABLE DELETE", "BEGIN ISOLATION LEVEL SERIALIZABLE; DELETE FROM a WHERE k = 1", "0A000", "SERIALIZABLE")
    gives(s, "SERIALIZABLE may read", "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM a; COMMIT", "400")
    refused(s, "PREPARE TRANSACTION", "BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'p'", "0A000", "PREPARE")
    refused(s, "a read-only transaction", "BEGIN READ ONLY; INSERT INTO a VALUES (900)", "25006", "read-only")
    s.sql("""CREATE TABLE loc (id int);
CREATE FUNCTION send() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO a VALUES (NEW.id); IF NEW.id = 1003 THEN RAISE EXCEPTION 'late'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER send AFTER INSERT ON loc DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION send()""")
    gives(s, "a deferred trigger writes at COMMIT", "BEGIN; INSERT INTO loc VALUES (1001); SELECT count(*) FROM a WHERE k > 1000; COMMIT", "0")
    out, state = s.try_sql("BEGIN; INSERT INTO loc VALUES (1002), (1003); COMMIT")
    tap.ok(state == "P0001" and stays(2)[1] in out, "and what stays is told when COMMIT fails", out)
    tap.ok(keys("a")[-3:] == [1001, 1002, 1003], "the rows are there", keys("a")[-3:])


def several_targets(s):
    make("a", "b")
    s.sql("CREATE FOREIGN TABLE b (%s, n int, s text) SERVER ots" % KEYED)
    gives(s, "two targets in one statement", "WITH x AS (INSERT INTO a SELECT g, g FROM generate_series(1, 300) g RETURNING k, n)"
          " INSERT INTO b SELECT k, n FROM x; SELECT (SELECT count(*) FROM a), (SELECT sum(n) FROM b)", "300|45150")
    gives(s, "UPDATE and DELETE in one", "WITH x AS (DELETE FROM a WHERE k <= 100 RETURNING k), y AS (UPDATE b SET s = 'y' WHERE k < 50 RETURNING s)"
          " SELECT (SELECT count(*) FROM x), (SELECT count(s) FROM y)", "100|49")
    gives(s, "INSERT from the table itself", "INSERT INTO a SELECT k + 1000, n FROM a; SELECT count(*), max(k) FROM a", "400|1300")
    gives(s, "rows and whole rows returned", "INSERT INTO b VALUES (1000, 1, 'r') RETURNING tableoid::regclass, b, *;"
          " UPDATE b SET n = 2 WHERE k = 1000 RETURNING b.tableoid::regclass, b;"
          " DELETE FROM b WHERE k = 1000 RETURNING b.tableoid::regclass, b, b.s",
          "b|(1000,1,r)|1000|1|r", "b|(1000,2,r)", "b|(1000,2,r)|r")
    s.sql("CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);"
          "CREATE FOREIGN TABLE dom (k positive OPTIONS (key '1') NOT NULL, n positive) SERVER ots OPTIONS (table 'b')")
    gives(s, "a key of a domain", "UPDATE dom SET n = 7 WHERE k = 300 RETURNING *; DELETE FROM dom WHERE k = 300 RETURNING k", "300|7", "300")
    refused(s, "a domain's check", "INSERT INTO dom VALUES (-1, 1)", "23514", "positive")
    s.sql("""CREATE FOREIGN TABLE made (k bigint OPTIONS (key '1') GENERATED ALWAYS AS IDENTITY, n int DEFAULT 42,
  g int GENERATED ALWAYS AS (n * 2) STORED) SERVER ots OPTIONS (table 'b')""")
    gives(s, "identity, default, generated", "DELETE FROM b; INSERT INTO made DEFAULT VALUES; INSERT INTO made (n) VALUES (1), (2);"
          " UPDATE made SET n = 5 WHERE k = 2; SELECT * FROM made ORDER BY k", "1|42|84", "2|5|10", "3|2|4")


def partitions(s):
    make("c", "d")
    s.sql("""CREATE TABLE par (s text, n int, k bigint) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE pf1 (gone int, k bigint OPTIONS (key '1') NOT NULL, n int, s text) SERVER ots OPTIONS (table 'c');
ALTER FOREIGN TABLE pf1 DROP COLUMN gone;
CREATE FOREIGN TABLE pf2 (n int, s text, k bigint OPTIONS (key '1') NOT NULL) SERVER ots OPTIONS (table 'd');
CREATE TABLE pl (x int, k bigint, s text, n int); ALTER TABLE pl DROP COLUMN x;
ALTER TABLE par ATTACH PARTITION pf1 FOR VALUES FROM (0) TO (100);
ALTER TABLE par ATTACH PARTITION pf2 FOR VALUES FROM (100) TO (200);
ALTER TABLE par ATTACH PARTITION pl FOR VALUES FROM (200) TO (300)""")
    gives(s, "routing", "INSERT INTO par (k, n, s) SELECT g * 3, g, 's' || g FROM generate_series(0, 99) g;"
          " SELECT tableoid::regclass, count(*), sum(n) FROM par GROUP BY 1 ORDER BY 1", "pf1|34|561", "pf2|33|1650", "pl|33|2739")
    gives(s, "RETURNING of routed rows", "INSERT INTO par (k, n, s) VALUES (1, 1, 'a'), (101, 1, 'b'), (202, 1, 'c') RETURNING tableoid::regclass, *, par",
          "pf1|a|1|1|(a,1,1)", "pf2|b|1|101|(b,1,101)", "pl|c|1|202|(c,1,202)")
    gives(s, "ON CONFLICT DO NOTHING through the parent", "INSERT INTO par (k, n) VALUES (1, 100), (4, 4), (104, 4), (204, 4)"
          " ON CONFLICT DO NOTHING RETURNING tableoid::regclass, k", "pf1|4", "pf2|104", "pl|204")
    gives(s, "COPY", "COPY par (k, n) FROM PROGRAM 'for i in 5 105 205; do echo $i,5; done' (FORMAT csv);"
          " SELECT tableoid::regclass, k FROM par WHERE n = 5 ORDER BY k", "pf1|5", "pf1|15", "pf2|105", "pl|205")
    gives(s, "UPDATE where the key is another column in each partition",
          "WITH u AS (UPDATE par SET n = n + 1000 WHERE k IN (1, 101, 202) RETURNING tableoid::regclass AS t, *) SELECT * FROM u ORDER BY k",
          "pf1|a|1001|1", "pf2|b|1001|101", "pl|c|1001|202")
    gives(s, "DELETE too", "WITH u AS (DELETE FROM par WHERE n = 4 AND s IS NULL RETURNING tableoid::regclass AS t, par) SELECT * FROM u ORDER BY 1",
          "pf1|(,4,4)", "pf2|(,4,104)", "pl|(,4,204)")
    gives(s, "UPDATE moves a row into a foreign partition", "DELETE FROM par WHERE k = 9; UPDATE par SET k = 9 WHERE k = 202;"
          " SELECT tableoid::regclass, s, n FROM par WHERE k IN (9, 202)", "pf1|c|1001")
    refused(s, "but not out of one", "UPDATE par SET k = 299 WHERE k = 9", "0A000", "key column")
    refused(s, "nor into one that the statement changes", "UPDATE par SET k = 11 WHERE k IN (9, 205)", "0A000", "key column")
    s.sql("""CREATE ROLE limited; GRANT ALL ON par TO limited; GRANT USAGE ON FOREIGN SERVER ots TO limited;
ALTER TABLE par ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON par TO limited USING (n < 50) WITH CHECK (n < 50);""" + MAPPING % "limited")
    s.sql("SET ROLE limited")
    gives(s, "row-level security of the parent: what is seen", "SELECT max(n) FROM par WHERE k < 200", "49")
    refused(s, "what is inserted", "INSERT INTO par (k, n) VALUES (70, 60)", "42501", "row-level security")
    refused(s, "what is updated", "UPDATE par SET n = 99 WHERE k = 6", "42501", "row-level security")
    refused(s, "what is moved", "UPDATE par SET k = 72, n = 99 WHERE k = 205", "42501", "row-level security")
    gives(s, "what is allowed", "INSERT INTO par (k, n) VALUES (71, 6); UPDATE par SET n = 9 WHERE k = 71;"
          " UPDATE par SET k = 72, n = 9 WHERE k = 205; DELETE FROM par WHERE k IN (9, 153); SELECT k, n FROM par WHERE k IN (71, 72) ORDER BY 1",
          "71|9", "72|9")
    s.sql("RESET ROLE")
    gives(s, "refused rows are not there, hidden ones are not deleted", "SELECT k FROM par WHERE k IN (70, 9, 153) OR n = 99 ORDER BY 1", "9", "153", "297")
    s.sql("CREATE VIEW vpar AS SELECT k, n FROM par WHERE n < 10 WITH CHECK OPTION")
    refused(s, "a view on the parent checks", "INSERT INTO vpar VALUES (150, 1), (50, 100)", "44000", "check option")
    gives(s, "and takes", "INSERT INTO vpar VALUES (50, 1); SELECT n FROM par WHERE k = 50", "1")


def cursors(s):
    make("b")
    gives(s, "a cursor and UPDATE", "INSERT INTO b SELECT g, g FROM generate_series(1, 100) g; BEGIN; DECLARE c SCROLL CURSOR FOR SELECT k, n FROM b ORDER BY k;"
          " FETCH 2 FROM c; UPDATE b SET n = -1 WHERE k = 100; FETCH FIRST FROM c; FETCH LAST FROM c; COMMIT", "1|1", "2|2", "1|1", "100|100")
    gives(s, "WITH HOLD", "BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT k FROM b ORDER BY k LIMIT 3; FETCH 1 FROM h; COMMIT; FETCH 9 FROM h; CLOSE h",
          "1", "2", "3")
    refused(s, "WHERE CURRENT OF", "BEGIN; DECLARE c CURSOR FOR SELECT k FROM b; FETCH 1 FROM c; UPDATE b SET n = 5 WHERE CURRENT OF c", "0A000", "CURRENT OF")
    gives(s, "a cursor outlives a savepoint that failed",
          "BEGIN; DECLARE c CURSOR FOR SELECT k FROM b ORDER BY k; FETCH 1 FROM c; SAVEPOINT x; SELECT 1 FROM nowhere; ROLLBACK TO x; FETCH 1 FROM c; COMMIT",
          "1", "ERROR:  42P01: relation \"nowhere\" does not exist", "LINE 1: SELECT 1 FROM nowhere;", "                      ^", "2")
    gives(s, "a cursor of a savepoint that is rolled back", "BEGIN; SAVEPOINT x; DECLARE c CURSOR FOR SELECT k FROM b; FETCH 1 FROM c; ROLLBACK TO x; SELECT count(*) FROM b; COMMIT",
          "1", "100")
    gives(s, "a cursor that is first read in a savepoint", "BEGIN; DECLARE c CURSOR FOR SELECT k FROM b ORDER BY k; SAVEPOINT x; FETCH 2 FROM c;"
          " ROLLBACK TO x; FETCH 1 FROM c; ROLLBACK TO x; MOVE 95 IN c; FETCH ALL FROM c; COMMIT", "1", "2", "3", "99", "100")
    gives(s, "two cursors and a write between", "BEGIN; DECLARE c CURSOR FOR SELECT k FROM b ORDER BY k; DECLARE d CURSOR FOR SELECT k FROM b ORDER BY k DESC;"
          " FETCH 2 FROM c; FETCH 1 FROM d; INSERT INTO b VALUES (2000); FETCH 1 FROM c; FETCH 1 FROM d; DELETE FROM b WHERE k = 2000; COMMIT",
          "1", "2", "100", "3", "99")
    gives(s, "many savepoints", "BEGIN; DO $$ BEGIN FOR i IN 1..300 LOOP BEGIN PERFORM 1 FROM b WHERE k = i; EXCEPTION WHEN division_by_zero THEN NULL; END;"
          " END LOOP; END $$; SELECT count(*) FROM b; COMMIT", "100")


def changed_options(s):
    make("a", "b")
    s.sql("INSERT INTO a VALUES (1, 10, 'a'); INSERT INTO b VALUES (1, 20, 'b'); SET plan_cache_mode = force_generic_plan;"
          "PREPARE q(bigint) AS SELECT n FROM b WHERE k = $1; PREPARE i(bigint) AS INSERT INTO b VALUES ($1, 1)")
    gives(s, "a generic plan", "EXECUTE q(1)", "20")
    gives(s, "table changed", "ALTER FOREIGN TABLE b OPTIONS (ADD table 'a'); EXECUTE q(1); ALTER FOREIGN TABLE b OPTIONS (DROP table)", "10")
    gives(s, "field changed", "ALTER FOREIGN TABLE b ALTER n OPTIONS (ADD field 'other'); EXECUTE q(1); ALTER FOREIGN TABLE b ALTER n OPTIONS (DROP field); EXECUTE q(1)",
          "", "20")
    refused(s, "write_mode changed", "EXECUTE i(2); ALTER FOREIGN TABLE b OPTIONS (ADD write_mode 'insert'); EXECUTE i(2)", "23505", "exists already")
    s.sql("ALTER FOREIGN TABLE b OPTIONS (DROP write_mode)")
    refused(s, "instance changed", "ALTER SERVER ots OPTIONS (SET instance 'other'); EXECUTE q(1)", "HV00Q", "OTSAuthFailed")
    s.sql("ALTER SERVER ots OPTIONS (SET instance 'demo'); ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_secret 'wrong')")
    refused(s, "secret changed, read", "EXECUTE q(1)", "28P01", "Signature mismatch")
    refused(s, "secret changed, write", "EXECUTE i(1)", "28P01", "Signature mismatch")
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_secret '%s')" % KEY[1])
    gives(s, "and back", "EXECUTE q(1)", "20")
    for name, key, text in (("another type", [("k", "STRING")], "STRING"),
                            ("another name", [("other", "INTEGER")], "other"),
                            ("a longer key", [("k", "INTEGER"), ("l", "INTEGER")], "key column")):
        ots_create("b", key)
        out, state = s.try_sql("EXECUTE q(1)")
        tap.ok(state.startswith("HV") and any("HINT" in x and "key" in x for x in out), "made anew with %s, read" % name, "%s %s" % (state, out))
        out, state = s.try_sql("EXECUTE i(1)")
        tap.ok(state.startswith("HV") and any(text in x for x in out), "made anew with %s, written" % name, "%s %s" % (state, out))
        ots_create("b", [("k", "INTEGER")])
        gives(s, "and as it was", "EXECUTE i(1); EXECUTE q(1)", "1")
        ots_create("b", key)
        out, state = s.try_sql("EXECUTE i(1)")
        tap.ok(state.startswith("HV"), "made anew with %s, first written" % name, "%s %s" % (state, out))
        ots_create("b", [("k", "INTEGER")])
        gives(s, "and as it was again", "EXECUTE i(1); EXECUTE q(1)", "1")
    command("tablestore", "drop_table", table="b")
    out, state = s.try_sql("EXECUTE q(1)")
    tap.ok(state == "HV00R", "dropped", "%s %s" % (state, out))
    make("b")
    gives(s, "and made again", "EXECUTE i(1); EXECUTE q(1)", "1")


def roles(s):
    s.sql("CREATE ROLE stranger; CREATE ROLE nobody; GRANT SELECT, INSERT ON b TO stranger; GRANT ALL ON b TO limited;"
          "CREATE VIEW own AS SELECT * FROM b; GRANT ALL ON own TO stranger; ALTER VIEW own OWNER TO limited; SET ROLE stranger")
    for sql in ("SELECT * FROM b", "INSERT INTO b VALUES (5)", "\\copy b from program 'echo 1'", "SELECT * FROM mc.splits('b')",
                "SELECT mc.safe_until('b')", "SELECT * FROM mc.stream_shards('b')"):
        out, state = s.try_sql(sql)
        tap.ok(state == "42704" and any("no user mapping" in x for x in out), "a role without mapping: %s" % sql, "%s %s" % (state, out))
    gives(s, "a view has its owner's mapping", "INSERT INTO own VALUES (7, 7); UPDATE own SET n = 8 WHERE k = 7; SELECT n FROM own WHERE k = 7;"
          " DELETE FROM own WHERE k = 7; SELECT count(*) FROM own", "8", "1")
    s.sql("RESET ROLE; SET ROLE nobody")
    for sql in ("SELECT * FROM b", "SELECT * FROM mc.splits('b')", "SELECT mc.safe_until('b')", "SELECT * FROM mc.stream_shards('b')",
                "IMPORT FOREIGN SCHEMA demo FROM SERVER ots INTO public", "SELECT mc.tablestore_handler()"):
        out, state = s.try_sql(sql)
        tap.ok(state in ("42501", "0A000") and any("denied" in x or "cannot display" in x for x in out), "a role without privileges: %s" % sql, "%s %s" % (state, out))
    s.sql("RESET ROLE")


def main():
    s = Session("CREATE EXTENSION mc_fdw;" + SERVERS)
    for part in (transactions, several_targets, partitions, cursors, changed_options, roles):
        part(s)
    tap.done()


main()
