"""No secret appears in messages, EXPLAIN, the server's log at debug5, or in catalogs
that others can read."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, KEY, WINDOW, Session, Tap, call, command, generate, odps_sql  # noqa: E402

tap = Tap()
SEEN = []


def run(s, sql):
    out, state = s.try_sql(sql)
    SEEN.extend(out)
    return state


def main():
    s = Session()
    # DDL text is logged by PostgreSQL itself when it fails: this one does not
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS)
    s.sql("""CREATE FOREIGN TABLE source (__receive_time__ timestamptz, c1 text, c2 text) SERVER sls OPTIONS (logstore 'text10');
CREATE FOREIGN TABLE target (c1 text, c2 text, pt text) SERVER odps OPTIONS (table 'target');
CREATE ROLE reader""")
    command("loghub", "create_project", project="web")
    generate("text10", 100)
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.target (c1 STRING, c2 STRING) PARTITIONED BY (pt STRING)")
    insert = "INSERT INTO target SELECT c1, c2, 'x' FROM source WHERE " + WINDOW
    tap.ok(run(s, insert) == "00000", "a sync")
    tap.ok(run(s, "EXPLAIN (ANALYZE, VERBOSE) " + insert) == "00000", "EXPLAIN")
    s.sql("SET mc_fdw.max_retries = '0'")
    for fault in ({"action": "status", "http": 401, "code": "SignatureNotMatch", "message": "injected"},
                  {"action": "status", "http": 500, "code": "InternalServerError", "message": "injected"},
                  {"action": "reset_before"}, {"action": "truncate_body"}, {"action": "corrupt_body"}):
        call("faults", [fault])
        tap.ok(run(s, insert) != "00000", "fault %s" % fault["action"])
    call("faults", [])
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (SET access_key_secret 'other-secret-5151', ADD security_token 'token-6161')")
    tap.ok(run(s, "SELECT * FROM source WHERE " + WINDOW) in ("28000", "28P01"), "a wrong key")
    s.sql("SET ROLE reader")
    run(s, "SELECT * FROM pg_user_mappings")
    tap.ok(run(s, "SELECT umoptions FROM pg_user_mapping") == "42501", "pg_user_mapping is closed")
    s.sql("RESET ROLE")
    run(s, "SELECT option_name, option_value FROM information_schema.foreign_server_options")
    # log_statement is off, so only our own messages could bring them there
    tap.hidden((KEY[1], "other-secret-5151", "token-6161"), SEEN)
    tap.done()


main()
