"""Rows looked up by key are checked again when the row that gave the key was changed
by another transaction meanwhile (EvalPlanQual)."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, Session, Tap, command  # noqa: E402

tap = Tap()
SETUP = """
CREATE EXTENSION mc_fdw;
CREATE SERVER ots FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'http://127.0.0.1:%s', instance 'demo');
CREATE USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE big (a bigint OPTIONS (key '1') NOT NULL, b text OPTIONS (key '2') COLLATE "C" NOT NULL, n int) SERVER ots;
CREATE TABLE few (id int PRIMARY KEY, a bigint, b text COLLATE "C", n int)
""" % ((os.environ["MC_TABLESTORE_PORT"],) + KEY)

# condition of the join, change by the other transaction, is the row still one of the result?
CASES = [
    ("big.a = few.a AND big.b = few.b", "n = 7", True),
    ("big.a = few.a AND big.b = few.b", "a = 2", False),
    ("big.a = few.a AND big.b >= few.b", "b = 'a'", True),
    ("big.a = few.a AND big.b >= few.b", "b = 'zz'", False),
    ("(big.a, big.b) <= (few.a, few.b) AND big.a = few.a", "b = 'a'", False),
    ("big.a = ANY (ARRAY[few.a]) AND big.b = few.b", "a = NULL", False),
    ("big.a = few.a AND big.b = few.b AND big.n = few.n", "n = 2", False),
]


def waits(session, pid):
    for _ in range(1000):
        if session.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'" % pid) == ["1"]:
            return True
        time.sleep(0.01)
    return False


def main():
    command("tablestore", "create_table", table="big", keys=[{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "STRING"}])
    command("tablestore", "put", table="big", rows=[{"key": [1, "k"], "columns": {"n": 1}}])
    one = Session(SETUP)
    two = Session()
    two.sql("SET enable_hashjoin = off; SET enable_mergejoin = off")
    for on, change, stays in CASES:
        one.sql("TRUNCATE few; INSERT INTO few VALUES (1, 1, 'k', 1)")
        query = "SELECT big.n FROM few JOIN big ON %s FOR UPDATE OF few" % on
        plan = "\n".join(two.sql("EXPLAIN (COSTS OFF) " + query))
        one.sql("BEGIN; UPDATE few SET %s" % change)
        two.send(query)
        waited = waits(one, two.pid)
        one.sql("COMMIT")
        rows, state = two.finish()
        tap.ok("Key Cond" in plan and waited and state == "00000" and rows == (["1"] if stays else []),
               "%s after %s" % (on, change), "%s\n%s %s %s" % (plan, waited, state, rows))
    tap.done()


if __name__ == "__main__":
    main()
