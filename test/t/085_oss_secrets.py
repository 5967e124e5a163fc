"""No secret, token or signature of an OSS server appears in messages, EXPLAIN, the server's log at debug5,
pg_stat_activity or catalogs that others can read; not with wrong or expired keys, an endpoint that answers nonsense
or with what it was sent.  A plain web server is sent no credentials, and a redirection is not followed with them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, Listener, OSS, Session, Tap, call, command, oss_bucket, oss_put  # noqa: E402

tap = Tap()
SEEN = []
# of signatures: the words in front of them in headers and URLs
SECRETS = (KEY[1], "other-secret-5151", "token-6161", "sts-secret", "sts-token", "AWS4-HMAC", "OSS4-HMAC-SHA256 Credential", "Authorization: OSS",
           "x-oss-signature=", "x-oss-security-token: ", "Signature=")
SERVER = """CREATE SERVER o FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou', signature_version 'v4', part_size '100kB');
CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE t (k int, v text) SERVER o OPTIONS (prefix 't/');
CREATE FOREIGN TABLE one (k int, v text) SERVER o OPTIONS (object 't/a.csv');
CREATE FOREIGN TABLE w (k int, v text) SERVER o OPTIONS (prefix 'w/', write_mode 'overwrite');
CREATE SERVER open FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'public', url_style 'path');
CREATE FOREIGN TABLE anonymous (k int, v text) SERVER open OPTIONS (prefix 't/');
CREATE SERVER closed FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'demo', url_style 'path');
CREATE FOREIGN TABLE refused (k int, v text) SERVER closed OPTIONS (prefix 't/');
CREATE ROLE reader; GRANT SELECT ON t, anonymous TO reader;
SET mc_fdw.max_retries = '0'; SET mc_fdw.stall_timeout = '2s'"""


def echoed(data):
    """what was sent, without the words that are looked for"""
    for word, instead in ((b"uthorization: ", b""), (b"x-oss-security-token", b""), (b"Signature", b"Sig-nature"), (b"HMAC", b"HM-AC")):
        data = data.replace(word, instead)
    return Listener.echo(data)


def run(s, sql):
    out, state = s.try_sql(sql)
    SEEN.extend(out)
    errors = [x.split()[1].rstrip(":") for x in out if x.startswith("ERROR:")]
    return errors[-1] if errors else state


def statements(s):
    """all forms that reach the service; what an empty bucket or server would answer is not theirs"""
    return [run(s, sql) for sql in (
        "SELECT * FROM t", "SELECT * FROM one", "INSERT INTO w SELECT g, md5(g::text) FROM generate_series(1, 10000) g", "INSERT INTO w VALUES (1)",
        "SELECT * FROM mc.objects('t')", "SELECT * FROM mc.orphaned_uploads('o', '0', true)", "SELECT mc.cleanup_uploads('o')", "TRUNCATE w",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM t")]


def main():
    oss_bucket()
    oss_bucket("public", acl="public-read")
    oss_put("t/a.csv", "1,a\n")
    oss_put("t/a.csv", "1,a\n", "public")
    s = Session("CREATE EXTENSION mc_fdw;")
    other = Session()
    s.sql(SERVER % ((OSS,) + KEY + (OSS, OSS)))
    for version in ("v4", "v1"):
        s.sql("ALTER SERVER o OPTIONS (SET signature_version '%s')" % version)
        states = statements(s)
        tap.ok(set(states) == {"00000"}, "%s works" % version, states)
        for sql in ("EXPLAIN (VERBOSE) SELECT * FROM t", "EXPLAIN (ANALYZE, VERBOSE) INSERT INTO w VALUES (1)", "SELECT * FROM mc.uploads()", "SELECT * FROM mc.last_rejects()"):
            tap.ok(run(s, sql) == "00000", sql, SEEN[-3:])
        for fault in ({"action": "status", "http": 403, "code": "SignatureDoesNotMatch", "message": "injected"}, {"action": "token_expired"},
                      {"action": "status", "http": 500, "code": "InternalError", "message": "injected"}, {"action": "non_xml"},
                      {"action": "reset_before"}, {"action": "stall_before", "ms": 3000} if version == "v4" else {"action": "drop"}):
            call("faults", [dict(fault, service="oss")])
            states = statements(s)[:2] if fault["action"] != "stall_before" else [run(s, "SELECT * FROM t")]
            tap.ok(all(x not in ("00000", "XX000") for x in states), "%s, fault %s" % (version, fault["action"]), states)
            call("faults", [])

        # others see neither the mapping nor what the session sends
        call("faults", [{"action": "stall_before", "service": "oss"}])
        s.send("SELECT * FROM t")
        SEEN.extend(other.sql("SELECT query, wait_event, application_name FROM pg_stat_activity"))
        other.sql("SELECT pg_cancel_backend(%d)" % s.pid)
        s.finish()
        call("faults", [])
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET access_key_secret 'other-secret-5151', ADD security_token 'token-6161')")
        states = statements(s)
        tap.ok(all(x in ("28P01", "28000", "42501") for x in states), "%s: a wrong secret and token" % version, states)
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET access_key_id 'nobody')")
        states = statements(s)
        tap.ok(all(x in ("28P01", "28000", "42501") for x in states), "%s: an unknown key" % version, states)
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET access_key_id 'sts-id', SET access_key_secret 'sts-secret', SET security_token 'sts-token')")
        states = statements(s)
        tap.ok(set(states) == {"00000"}, "%s: a temporary key" % version, states)
        command("emulator", "access_key", id="sts-id", secret="sts-secret", token="sts-token", expired=True)
        states = statements(s)
        tap.ok(all(x in ("28P01", "28000") for x in states), "%s: an expired one" % version, states)
        command("emulator", "access_key", id="sts-id", secret="sts-secret", token="sts-token", expired=False)

        echo = Listener(echoed)
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET access_key_secret 'other-secret-5151', SET security_token 'token-6161');"
              "ALTER SERVER o OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % echo.port)
        states = statements(s)
        tap.ok(all(x not in ("00000", "XX000") for x in states), "%s: an endpoint that says back what it was sent" % version, states)
        tap.ok(b"uthorization" in echo.seen and b"token-6161" in echo.seen and b"other-secret-5151" not in echo.seen, "which the secret is no part of")
        tap.ok(b"signature=" not in echo.seen.lower().split(b"authorization")[0], "and the signature is not in a URL")
        for answer in Listener.NONSENSE:
            server = Listener(answer)
            s.sql("ALTER SERVER o OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % server.port)
            states = statements(s)
            tap.ok(all(x not in ("00000", "XX000") for x in states), "%s: an endpoint that answers %r" % (version, answer[:20]), states)
            server.server.close()
        states = statements(s)
        tap.ok(all(x not in ("00000", "XX000") for x in states), "an endpoint where nobody listens", states)
        s.sql("ALTER SERVER o OPTIONS (SET endpoint '%s'); ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET access_key_id '%s', SET access_key_secret '%s', DROP security_token)" % ((OSS,) + KEY))

    # a redirection is not followed, so the other host is sent nothing
    target = Listener(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1,a\n")
    redirect = Listener(b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\n\r\n" % target.port)
    s.sql("ALTER SERVER o OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % redirect.port)
    states = statements(s)
    tap.ok(all(x != "00000" for x in states) and redirect.seen and not target.seen, "a redirection is not followed", states)
    s.sql("ALTER SERVER o OPTIONS (SET endpoint '%s')" % OSS)

    # a plain web server gets no credentials, whatever mapping there is
    plain = Listener(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: text/csv\r\n\r\n1,a\n")
    s.sql("CREATE SERVER web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url 'http://127.0.0.1:%d/files'); CREATE FOREIGN TABLE page (k int, v text) SERVER web OPTIONS (object 'a b.csv')" % plain.port)
    for mapping in ("", "CREATE USER MAPPING FOR CURRENT_USER SERVER web OPTIONS (access_key_id 'other-id', access_key_secret 'other-secret-5151', security_token 'token-6161')"):
        if mapping:
            run(s, mapping)
        run(s, "SELECT * FROM page")
        low = plain.seen.lower()
        tap.ok(plain.seen and not any(x in low for x in (b"authorization", b"x-oss", b"token-6161", b"other-id", b"other-secret", b"signature")),
               "a web server is sent no credentials", plain.seen)
    s.sql("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER web")
    tap.ok(run(s, "SELECT * FROM page") == "00000", "and its file is read", SEEN[-5:])

    # without a mapping nothing is signed
    tap.ok(s.sql("SELECT * FROM anonymous") == ["1|a"], "a public bucket without a mapping")
    other.sql("SET ROLE reader")
    tap.ok(other.sql("SELECT * FROM anonymous") == ["1|a"], "of any role")
    tap.ok(run(s, "SELECT * FROM refused") == "42501" and any("without a user mapping" in x for x in SEEN[-8:]), "a private one is refused, and the hint says why", SEEN[-5:])
    tap.ok(run(other, "SELECT * FROM t") == "42501", "no mapping of one's own: another's is not used", SEEN[-5:])
    echo = Listener(echoed)
    s.sql("ALTER SERVER open OPTIONS (SET endpoint 'http://127.0.0.1:%d')" % echo.port)
    run(s, "SELECT * FROM anonymous")
    tap.ok(echo.seen and b"authorization" not in echo.seen.lower(), "an anonymous request has no signature", echo.seen)
    run(other, "SELECT * FROM pg_user_mappings; SELECT * FROM information_schema.user_mapping_options")
    tap.ok(run(other, "SELECT umoptions FROM pg_user_mapping") == "42501", "pg_user_mapping is closed")
    run(other, "SELECT option_name, option_value FROM information_schema.foreign_server_options; SELECT * FROM information_schema.foreign_table_options")
    run(other, "SELECT name, setting FROM pg_settings WHERE name LIKE 'mc%'")
    # a failing commit names uploads in the log and in the message, nothing else
    call("faults", [{"service": "oss", "api": "CompleteMultipartUpload", "action": "status_after", "http": 500}, {"service": "oss", "api": "HeadObject", "action": "status", "http": 500}])
    tap.ok(run(s, "SET mc_fdw.publish_timeout = '1s'; INSERT INTO w SELECT g, md5(g::text) FROM generate_series(1, 10000) g") == "40003", "a commit in doubt", SEEN[-5:])
    call("faults", [])

    tap.hidden(SECRETS, SEEN)
    tap.done()


main()
