"""Memory of a backend that reads and writes Tablestore does not grow with the data: a
table far larger than the buffers, rows of megabytes, many columns, thousands of
lookups, cursors left open, many savepoints."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, Session, Tap, command, ots_content, ots_create  # noqa: E402

ROWS = 600000                   # about 190 MB of rows
LOOKUPS = 100000
tap = Tap()


def grows(s, name, most, sql, setting=""):
    """in a session of its own, so that what an earlier statement freed does not hide it"""
    own = Session(setting)
    own.sql("SELECT 1 FROM big LIMIT 1; SELECT count(*) FROM pg_class")
    grown = own.peak_growth_mb(sql)
    own.close()
    tap.ok(grown < most, "%s: grows by %.0f MB" % (name, grown), "more than %d" % most)


def contexts(s):
    return int(s.sql("SELECT sum(total_bytes) FROM pg_backend_memory_contexts")[0])


def main():
    s = Session("CREATE EXTENSION mc_fdw;" + SERVERS)
    ots_create("big", [("k", "INTEGER")], splits=[150000, 300000, 450000])
    command("tablestore", "generate", table="big", rows=ROWS, columns=[
        {"name": "n", "kind": "int"}] + [{"name": "s%d" % i, "kind": "text", "size": 60} for i in range(4)])
    ots_create("copy", [("k", "INTEGER")])
    ots_create("wide", [("k", "INTEGER")])
    ots_create("many", [("k", "INTEGER")])
    columns = "n bigint, s0 text, s1 text, s2 text, s3 text"
    s.sql("""CREATE FOREIGN TABLE big (k bigint OPTIONS (key '1') NOT NULL, %s) SERVER ots;
CREATE FOREIGN TABLE big_rest (k bigint OPTIONS (key '1') NOT NULL, rest jsonb OPTIONS (field '*')) SERVER ots OPTIONS (table 'big');
CREATE FOREIGN TABLE big_cells (k bigint OPTIONS (key '1') NOT NULL, __column__ text, __value__ text) SERVER ots
  OPTIONS (table 'big', shape 'cell');
CREATE FOREIGN TABLE copy (k bigint OPTIONS (key '1') NOT NULL, %s) SERVER ots;
CREATE FOREIGN TABLE wide (k bigint OPTIONS (key '1') NOT NULL, a text, b bytea) SERVER ots;
CREATE FOREIGN TABLE many (k bigint OPTIONS (key '1') NOT NULL, rest jsonb OPTIONS (field '*')) SERVER ots;
CREATE TABLE ids AS SELECT (g * 7919) %% %d AS k FROM generate_series(1, %d) g; ANALYZE ids""" % (columns, columns, ROWS, LOOKUPS))
    lookup = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off"

    # concurrency 8 times pages of up to 4 MB, and their decoded form
    grows(s, "a scan", 120, "SELECT count(n), count(s0), count(s1), count(s2), count(s3) FROM big")
    grows(s, "a scan in the order of the key", 120, "SELECT count(s1) FROM (SELECT k, s1 FROM big ORDER BY k OFFSET 0) x")
    grows(s, "a backward scan", 120, "SELECT count(s1) FROM (SELECT k, s1 FROM big ORDER BY k DESC OFFSET 0) x")
    grows(s, "a scan of '*'", 120, "SELECT count(rest) FROM big_rest WHERE k < 200000")
    grows(s, "a scan of cells", 120, "SELECT count(__value__) FROM big_cells WHERE k < 200000")
    grows(s, "20000 lookups, one by one", 60, "SELECT count(big.n) FROM (SELECT * FROM ids LIMIT 20000) ids JOIN big ON big.k = ids.k", lookup)
    grows(s, "an array of %d keys" % LOOKUPS, 150, "SELECT count(n) FROM big WHERE k = ANY (ARRAY(SELECT k FROM ids))")
    grows(s, "INSERT", 120, "INSERT INTO copy SELECT * FROM big")
    tap.ok(ots_content("copy") == ots_content("big"), "which copies everything")
    grows(s, "INSERT insert", 120, "INSERT INTO copy SELECT * FROM big ON CONFLICT DO NOTHING")
    grows(s, "UPDATE", 150, "UPDATE copy SET n = n + 1")
    grows(s, "DELETE", 150, "DELETE FROM copy")
    tap.ok(ots_content("copy")[0] == 0, "which leaves nothing")

    # pages hold at least one row; a batch is 4 MB at most
    grows(s, "INSERT of rows of 2 MB", 150, "INSERT INTO wide SELECT g, repeat(chr(97 + g % 26), 1000000), decode(repeat('ff', 1000000), 'hex')"
          " FROM generate_series(1, 200) g")
    grows(s, "a scan of rows of 2 MB", 200, "SELECT sum(length(a)), sum(length(b)) FROM wide")
    tap.ok(s.sql("SELECT count(*), sum(length(a)), sum(length(b)) FROM wide") == ["200|200000000|200000000"], "which are complete")
    grows(s, "UPDATE of rows of 2 MB", 200, "UPDATE wide SET a = a || 'x'")
    grows(s, "INSERT of rows of 1000 columns", 120, "INSERT INTO many SELECT g, (SELECT jsonb_object_agg('column' || i, i) FROM generate_series(1, 1000) i)"
          " FROM generate_series(1, 1000) g")
    grows(s, "a scan of rows of 1000 columns", 120, "SELECT count(rest) FROM many")

    # what stays in one session
    s.sql("SELECT count(*) FROM big WHERE k < 10; BEGIN; DECLARE c CURSOR FOR SELECT k, s0 FROM big; FETCH 10 FROM c; COMMIT; INSERT INTO copy VALUES (1)")
    before = contexts(s)
    for _ in range(30):
        s.sql("BEGIN; DECLARE c CURSOR FOR SELECT k, s0 FROM big; FETCH 10 FROM c; COMMIT")
        s.sql("BEGIN; SAVEPOINT x; DECLARE c CURSOR FOR SELECT k, s0 FROM big; FETCH 10 FROM c; ROLLBACK TO x; COMMIT")
        s.try_sql("BEGIN; INSERT INTO copy SELECT * FROM big WHERE k < 1000; SELECT 1 / 0; ROLLBACK")
        s.try_sql("SELECT 1 / (k - 500) FROM big WHERE k < 1000")
    grown = contexts(s) - before
    tap.ok(grown < 200000, "cursors closed by the end, and errors, leave nothing", "%d bytes" % grown)
    s.sql("DO $$ BEGIN FOR i IN 1..10 LOOP BEGIN PERFORM 1 FROM big WHERE k = i; INSERT INTO copy VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$")
    before = contexts(s)
    s.sql("DO $$ BEGIN FOR i IN 1..2000 LOOP BEGIN PERFORM 1 FROM big WHERE k = i; INSERT INTO copy VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$")
    grown = contexts(s) - before
    tap.ok(grown < 200000, "2000 subtransactions leave nothing", "%d bytes" % grown)
    own = Session()
    grown = own.peak_growth_mb("DO $$ BEGIN FOR i IN 1..3000 LOOP BEGIN INSERT INTO copy VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$")
    tap.ok(grown < 60, "3000 subtransactions that write: grows by %.0f MB" % grown)
    tap.ok(own.sql("BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT k, s0 FROM big WHERE k < 5000; COMMIT; MOVE ALL IN h; CLOSE h") == [], "WITH HOLD")
    tap.done()


main()
