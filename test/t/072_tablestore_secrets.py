"""No secret of a Tablestore server appears in messages, EXPLAIN, the server's log at
debug5, pg_stat_activity or catalogs that others can read; not with wrong or
expired keys, an endpoint that answers nonsense or with what it was sent, or none at all."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, Listener, SERVERS, Session, Tap, call, command, ots_create, ots_put  # noqa: E402

tap = Tap()
SEEN = []
SECRETS = (KEY[1], "other-secret-5151", "token-6161", "sts-secret", "sts-token")


def run(s, sql):
    out, state = s.try_sql(sql)
    SEEN.extend(out)
    return state


def statements(s):
    """each must fail; all forms that reach the service"""
    return [run(s, sql) for sql in (
        "SELECT * FROM t", "SELECT * FROM t WHERE k = 1", "INSERT INTO t VALUES (2, 'x')", "EXPLAIN (ANALYZE, VERBOSE) UPDATE t SET v = 'y' WHERE k = 1",
        "SELECT * FROM changes", "SELECT mc.safe_until('changes')", "SELECT * FROM mc.splits('t')",
        "SELECT * FROM mc.stream_shards('changes')", "IMPORT FOREIGN SCHEMA demo FROM SERVER ots INTO imported")]


def main():
    ots_create("t", [("k", "INTEGER")], stream_hours=24)
    ots_put("t", ([1], {"v": "a"}))
    s = Session("CREATE EXTENSION mc_fdw;" + SERVERS)
    other = Session("SET mc_fdw.max_retries = '0'")
    s.sql("""CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1') NOT NULL, v text) SERVER ots;
CREATE FOREIGN TABLE changes (k bigint OPTIONS (key '1'), v text, __commit_time__ timestamptz) SERVER ots OPTIONS (table 't', mode 'stream');
CREATE SCHEMA imported; CREATE ROLE reader; GRANT SELECT ON t TO reader; SET mc_fdw.max_retries = '0'""")
    for sql in ("SELECT * FROM t", "INSERT INTO t VALUES (2, 'x')", "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM t",
                "EXPLAIN (ANALYZE, VERBOSE) INSERT INTO t VALUES (3, 'x')", "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM changes",
                "SELECT * FROM mc.splits('t')", "SELECT * FROM mc.last_rejects()"):
        tap.ok(run(s, sql) == "00000", sql, SEEN[-3:])
    for fault in ({"action": "status", "http": 403, "code": "OTSAuthFailed", "message": "injected"},
                  {"action": "status", "http": 500, "code": "OTSInternalServerError", "message": "injected"},
                  {"action": "reset_before"}, {"action": "truncate_body"}, {"action": "corrupt_body"}):
        call("faults", [dict(fault, service="tablestore")])
        states = statements(s)
        tap.ok(all(x != "00000" for x in states[:3]), "fault %s" % fault["action"], states)
    call("faults", [])

    # others see neither the mapping nor what the session sends
    call("faults", [{"action": "stall_before", "service": "tablestore"}])
    s.send("SELECT * FROM t")
    SEEN.extend(other.sql("SELECT query, wait_event, application_name FROM pg_stat_activity"))
    other.sql("SELECT pg_cancel_backend(%d)" % s.pid)
    s.finish()
    call("faults", [])
    other.sql("SET ROLE reader")
    run(other, "SELECT * FROM pg_user_mappings; SELECT * FROM information_schema.user_mapping_options")
    tap.ok(run(other, "SELECT umoptions FROM pg_user_mapping") == "42501", "pg_user_mapping is closed")
    run(other, "SELECT option_name, option_value FROM information_schema.foreign_server_options")
    run(other, "SELECT name, setting FROM pg_settings WHERE name LIKE 'mc%'")
    tap.ok(run(other, "SELECT * FROM t") == "42704", "no mapping, no access")

    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_secret 'other-secret-5151', ADD security_token 'token-6161')")
    states = statements(s)
    tap.ok(all(x in ("28P01", "28000") for x in states), "a wrong secret and token", states)
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_id 'nobody')")
    states = statements(s)
    tap.ok(all(x in ("28P01", "28000") for x in states), "an unknown key", states)
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_id 'sts-id', SET access_key_secret 'sts-secret', SET security_token 'sts-token')")
    tap.ok(run(s, "SELECT * FROM t") == "00000", "a temporary key")
    command("emulator", "access_key", id="sts-id", secret="sts-secret", token="sts-token", expired=True)
    states = statements(s)
    tap.ok(all(x in ("28P01", "28000") for x in states), "an expired one", states)
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (SET access_key_id '%s', SET access_key_secret '%s', DROP security_token)" % KEY)

    echo = Listener(Listener.echo)
    s.sql("ALTER SERVER ots OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % echo.port)
    states = statements(s)
    tap.ok(all(x != "00000" for x in states), "an endpoint that says back what it was sent", states)
    tap.ok(b"x-ots-signature" in echo.seen.lower() and KEY[1].encode() not in echo.seen, "which the secret is no part of")
    for answer in Listener.NONSENSE:
        server = Listener(answer)
        s.sql("ALTER SERVER ots OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % server.port)
        states = statements(s)
        tap.ok(all(x != "00000" and x != "XX000" for x in states), "an endpoint that answers %r" % answer[:20], states)
        server.server.close()
    states = statements(s)
    tap.ok(all(x != "00000" for x in states), "an endpoint where nobody listens", states)

    tap.hidden(SECRETS, SEEN)
    tap.done()


main()
