"""Temporary credentials: they end before every single request of a scan, of a write and of
COMMIT, for all services, and nothing of it is seen; renewals are shared; sources that fail
say so; no key, secret or token is in messages, EXPLAIN, catalogs or the server's log."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import (KEY, LOGHUB, MAXCOMPUTE, OSS, TABLESTORE, WINDOW, Session, Tap, call, command, generate,  # noqa: E402
                    oss_bucket, oss_get, oss_keys, oss_uploads, odps_content, odps_sql, ots_content, ots_create)

tap = Tap()
SEEN = []
STS = "http://127.0.0.1:" + os.environ["MC_STS_PORT"]
METADATA = "http://127.0.0.1:" + os.environ["MC_METADATA_PORT"]
ARN = "acs:ram::1234567890123456:role/sync"
EXPIRE = {"service": "sts", "op": "expire"}
ASSUME = "credential_source 'assume_role', role_arn '%s', access_key_id '%s', access_key_secret '%s'" % ((ARN,) + KEY)
SERVERS = (("sls", "loghub_fdw", "endpoint '%s', project 'web', fetch_size '2'" % LOGHUB),
           ("odps", "maxcompute_fdw", "endpoint '%s', project 'demo'" % MAXCOMPUTE),
           ("ots", "tablestore_fdw", "endpoint '%s', instance 'demo'" % TABLESTORE),
           ("o", "oss_fdw", "endpoint '%s', bucket 'demo', url_style 'path', region 'cn-hangzhou', missing_ok 'true', part_size '100kB', block_size '64kB'" % OSS))


def run(s, sql):
    out, state = s.try_sql(sql)
    SEEN.extend(out)
    return state, out


def assumed(api="AssumeRole", status=200):
    return sum(c["requests"] for c in call("counters")["counters"] if c["api"] == api and (status is None or c["status"] == status))


def refused():
    """answers that said that a token had ended"""
    return sum(c["requests"] for c in call("counters")["counters"] if c["status"] in (401, 403) and c["service"] != "sts")


def odps_once(table):
    """the rows of a MaxCompute table, which is emptied"""
    content = odps_content(table)
    odps_sql("TRUNCATE TABLE %s" % table)
    return content


def sweep(s, name, sql, content, service):
    """the token ends right before the k-th request, for every k"""
    made = 0
    run(s, sql)     # what is remembered of tables is fetched now
    content()
    call("faults", [])
    state, out = run(s, sql)
    n = call("counters")["requests_since_faults"]
    expected = content(), out
    tap.ok(state == "00000" and n > 0, "%s runs with a role, %d requests" % (name, n), out)
    bad = []
    for k in range(1, n + 1):
        call("faults", [{"service": service, "nth": k, "action": "command", "command": EXPIRE}])
        before = assumed()
        state, out = run(s, sql)
        call("faults", [])
        got = content(), out
        made += assumed() - before
        if state != "00000" or got != expected:
            bad.append((k, state, out[:3]))
    tap.ok(not bad, "%s: the token ends before each of its %d requests" % (name, n), bad)
    tap.ok(n - 1 <= made <= n + 1 and refused() > 0, "%s: each time it is renewed once" % name, (made, n))
    # several times; not so often that a request that is repeated meets it again
    call("faults", [{"service": service, "every": 8, "action": "command", "command": EXPIRE}])
    state, out = run(s, "SET mc_fdw.concurrency = '1'; " + sql)
    call("faults", [])
    s.sql("RESET mc_fdw.concurrency")
    tap.ok(state == "00000" and (content(), out) == expected, "%s: it ends before every eighth request" % name, (state, out[:5]))


def setup(s):
    command("sts", "role", arn=ARN)
    command("loghub", "create_project", project="web")
    command("maxcompute", "create_project", project="demo")
    generate("log", 400, shards=2, logs_per_group=10)
    oss_bucket()
    ots_create("t", [("k", "INTEGER")])
    command("tablestore", "set", page_rows=20)
    s.sql("CREATE EXTENSION mc_fdw")
    for name, wrapper, options in SERVERS:
        s.sql("CREATE SERVER %s FOREIGN DATA WRAPPER %s OPTIONS (%s, sts_endpoint '%s', concurrency '4', max_retries '2');"
              "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (%s)" % (name, wrapper, options, STS, name, ASSUME))
    odps_sql("CREATE TABLE w (a BIGINT, b STRING)")
    odps_sql("CREATE TABLE r (a BIGINT, b STRING)")
    s.sql("""CREATE FOREIGN TABLE log (__receive_time__ timestamptz, __shard__ int, c1 text) SERVER sls OPTIONS (logstore 'log');
CREATE FOREIGN TABLE w (a bigint, b text) SERVER odps; CREATE FOREIGN TABLE r (a bigint, b text) SERVER odps;
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1') NOT NULL, v text) SERVER ots OPTIONS (batch_size '20');
CREATE FOREIGN TABLE f (a int, b text) SERVER o OPTIONS (prefix 'f/');
CREATE FOREIGN TABLE g (a int, b text) SERVER o OPTIONS (prefix 'g/');
INSERT INTO r SELECT g, 'x' || g FROM generate_series(1, 1000) g;
INSERT INTO g SELECT g, md5(g::text) FROM generate_series(1, 4000) g""")


def main():
    s = Session()
    setup(s)
    tap.ok(assumed() == 2, "two mappings were used, two roles were assumed", assumed())
    s.sql("SELECT count(b) FROM r; SELECT count(r.b) FROM r JOIN w USING (a); SELECT count(*) FROM g")
    tap.ok(assumed() == 2, "the session's statements share them", assumed())

    sweep(s, "LogHub scan", "SELECT count(*), count(c1) FROM log WHERE " + WINDOW, lambda: None, "loghub")
    sweep(s, "MaxCompute scan", "SELECT count(*), sum(a), max(b) FROM r", lambda: None, "maxcompute")
    sweep(s, "MaxCompute write", "BEGIN; INSERT INTO w SELECT g, 'x' FROM generate_series(1, 5) g; COMMIT", lambda: odps_once("w"), "maxcompute")
    sweep(s, "Tablestore write", "INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g", lambda: ots_content("t"), "tablestore")
    sweep(s, "Tablestore scan", "SELECT count(*), sum(k), max(v) FROM t WHERE v LIKE 'v%'", lambda: None, "tablestore")
    sweep(s, "OSS scan", "SELECT count(*), sum(a), max(b) FROM g", lambda: None, "oss")
    sweep(s, "OSS write", "BEGIN; TRUNCATE f; INSERT INTO f SELECT g, md5(g::text) FROM generate_series(1, 8000) g; COMMIT",
          lambda: ([oss_get(k) for k in oss_keys("f/")], oss_uploads()), "oss")
    for name, region in (("sls", "cn-hangzhou"), ("odps", "cn-hangzhou"), ("ots", "cn-hangzhou")):
        s.sql("ALTER SERVER %s OPTIONS (ADD region '%s')" % (name, region))
    sweep(s, "LogHub scan, V4", "SELECT count(*), count(c1) FROM log WHERE " + WINDOW, lambda: None, "loghub")
    sweep(s, "MaxCompute scan, V4", "SELECT count(*), sum(a), max(b) FROM r", lambda: None, "maxcompute")
    sweep(s, "Tablestore scan, V4", "SELECT count(*), sum(k), max(v) FROM t WHERE v LIKE 'v%'", lambda: None, "tablestore")

    # the clock of the services, not ours, says when a token ends
    command("emulator", "set", check_clock=False)
    call("faults", [{"service": "maxcompute", "api": "ReadData", "nth": 1, "action": "command", "command": {"service": "emulator", "op": "clock", "advance_s": 7200}}])
    state, out = run(s, "SELECT count(b) FROM r")
    tap.ok(state == "00000" and out == ["1000"], "two hours pass in a statement", out)
    call("faults", [])
    call("clock", {"system": True})
    command("emulator", "set", check_clock=True)
    s.sql("SELECT count(b) FROM r")

    # short lives: renewed beside the requests or, if that is too late, after a refusal
    command("sts", "set", lifetime_ms=2000)
    call("command", EXPIRE)
    command("emulator", "set", latency_ms=40)
    before = assumed()
    s.sql("SET mc_fdw.concurrency = '1'")
    state, out = run(s, "SELECT count(*) FROM log WHERE " + WINDOW + "; SELECT count(*) FROM log WHERE " + WINDOW + "; SELECT count(*) FROM log WHERE " + WINDOW)
    tap.ok(state == "00000" and out == ["400"] * 3 and assumed() - before >= 2, "tokens of two seconds", (state, out[:3], assumed() - before))
    command("emulator", "set", latency_ms=0)
    s.sql("RESET mc_fdw.concurrency")

    # at COMMIT a token that does not last as long as publishing may take is renewed before anything is published
    command("sts", "set", lifetime_ms=300000)
    call("command", EXPIRE)
    s.sql("BEGIN; INSERT INTO w VALUES (1, 'x')")
    before = assumed()
    s.sql("COMMIT")
    tap.ok(assumed() == before + 1, "COMMIT renews what ends within publish_timeout", assumed() - before)
    command("sts", "set", lifetime_ms=0)
    call("command", EXPIRE)
    s.sql("BEGIN; INSERT INTO w VALUES (1, 'x')")
    before = assumed()
    s.sql("COMMIT")
    tap.ok(assumed() == before, "and leaves what lasts", assumed() - before)
    command("sts", "set", lifetime_ms=300000)
    call("command", EXPIRE)
    odps_once("w")
    s.sql("BEGIN; INSERT INTO w VALUES (1, 'x')")
    call("faults", [{"service": "sts", "action": "status", "http": 503, "code": "ServiceUnavailable"}])
    state, out = run(s, "COMMIT")
    call("faults", [])
    tap.ok(state == "HV000" and "could not get temporary credentials" in out[0], "COMMIT fails while none can be had", out)
    tap.ok(odps_content("w") == {}, "and nothing was published")
    command("sts", "set", lifetime_ms=0)
    call("command", EXPIRE)

    failures(s)
    refusals(s)
    instance(s)
    ownership(s)
    mapping_changes(s)
    secrets(s)
    environment(s)
    tap.done()


def failures(s):
    """no credentials: what is said, and that nothing happened"""
    s.sql("ALTER SERVER odps OPTIONS (SET max_retries '0')")
    content = odps_content("w")
    for fault, state in (({"action": "reset_before"}, ("08001",)), ({"action": "drop"}, ("08001",)),
                         ({"action": "status", "http": 500, "code": "InternalError"}, ("HV000",)),
                         ({"action": "status", "http": 400, "code": "Throttling.User"}, ("53400",)),
                         ({"action": "truncate_body"}, ("08001", "08P01"))):
        call("command", EXPIRE)
        call("faults", [dict(fault, service="sts")])
        for sql in ("SELECT count(b) FROM r", "INSERT INTO w VALUES (1, 'x')"):
            got, out = run(s, sql)
            text = "\n".join(out)
            tap.ok(got in state and "could not get temporary credentials by AssumeRole" in text and "HINT:" in text,
                   "STS: %s: %s" % (fault["action"], sql), text)
        call("faults", [])
        got, out = run(s, "SELECT count(b) FROM r")
        tap.ok(got == "00000", "and afterwards it goes on", out)
    # in the middle of a statement
    call("faults", [{"service": "maxcompute", "api": "ReadData", "nth": 1, "action": "command", "command": EXPIRE},
                    {"service": "sts", "action": "reset_before"}])
    got, out = run(s, "SELECT count(b) FROM r")
    call("faults", [])
    tap.ok(got == "08001" and "could not get temporary credentials" in out[0], "STS goes down within a statement", out)
    tap.ok(odps_content("w") == content, "nothing was written")
    # one failure is retried as any other request
    s.sql("ALTER SERVER odps OPTIONS (SET max_retries '5')")
    call("command", EXPIRE)
    call("faults", [{"service": "sts", "nth": 1, "action": "status", "http": 503, "code": "ServiceUnavailable"},
                    {"service": "sts", "nth": 2, "action": "reset_after"}])
    got, out = run(s, "SELECT count(b) FROM r")
    call("faults", [])
    tap.ok(got == "00000", "STS fails twice", out)
    # a new token that is refused as well is not asked for again and again
    before = assumed()
    call("faults", [{"service": "maxcompute", "action": "command", "command": EXPIRE}])
    got, out = run(s, "SELECT count(b) FROM r")
    call("faults", [])
    tap.ok(got == "28000" and assumed() - before <= 2, "tokens that never hold", (out, assumed() - before))
    # cancelled while it waits for the token
    call("command", EXPIRE)
    call("faults", [{"service": "sts", "action": "stall_before"}])
    other = Session()
    s.send("SELECT count(b) FROM r")
    while other.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active' AND wait_event_type = 'Extension'" % s.pid) != ["1"]:
        pass
    while call("faults")[0]["fired"] == 0:
        pass
    other.sql("SELECT pg_cancel_backend(%d)" % s.pid)
    out, got = s.finish()
    call("faults", [])
    tap.ok(got == "57014", "cancelled while it waits for a token", out)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000", "and the next statement works", out)
    other.close()


def refusals(s):
    """what STS says about wrong mappings"""
    command("sts", "role", arn="acs:ram::1:role/closed", trusted="somebody-else")
    command("sts", "role", arn="acs:ram::1:role/ext", external_id="my-id")
    for options, state, hint in (
            ("SET access_key_id 'nobody'", "28000", "access_key_id"),
            ("SET access_key_secret 'other-secret-5151'", "28P01", "access_key_secret"),
            ("ADD security_token 'token-6161'", "28000", "access_key_id"),
            ("SET role_arn 'acs:ram::1:role/none'", "42501", "role_arn"),
            ("SET role_arn 'acs:ram::1:role/closed'", "42501", "role_arn"),
            ("SET role_arn 'acs:ram::1:role/ext'", "42501", "role_arn"),
            ("SET role_arn 'acs:ram::1:role/ext', ADD external_id 'wrong'", "42501", "role_arn"),
            ("ADD session_duration '2h'", "HV024", "session_duration"),
            ("ADD policy '{\"Version\": \"1\"}'", "HV024", "policy")):
        s.sql("BEGIN")
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (%s)" % options)
        got, out = run(s, "SELECT count(b) FROM r")
        s.sql("ROLLBACK")
        text = "\n".join(out)
        tap.ok(got == state and hint in text.split("HINT:")[-1], options, text)
    for options in ("SET role_arn 'acs:ram::1:role/ext', ADD external_id 'my-id'", "ADD session_duration '20min'",
                    "ADD policy '{\"Version\": \"1\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"odps:*\", \"Resource\": \"*\"}]}'",
                    "ADD role_session_name 'nightly@sync'", "SET access_key_id 'sts-id', SET access_key_secret 'sts-secret', ADD security_token 'sts-token'"):
        s.sql("BEGIN")
        s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (%s)" % options)
        got, out = run(s, "SELECT count(b) FROM r")
        s.sql("ROLLBACK")
        tap.ok(got == "00000", options, out)
    tap.ok(run(s, "SELECT count(b) FROM r")[0] == "00000", "the mapping as it was")


def instance(s):
    """ecs_ram_role against the metadata service"""
    s.sql("SET mc_fdw.metadata_endpoint = '%s'; ALTER SERVER odps OPTIONS (SET max_retries '0');"
          "DROP USER MAPPING FOR CURRENT_USER SERVER odps;"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (credential_source 'ecs_ram_role')" % METADATA)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "28000" and "RAM role" in "\n".join(out), "an instance without a role", out)
    command("metadata", "set", role="worker")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000" and assumed("GetToken") > 0 and assumed("GetRole") > 0, "version 2, role of the instance", out)
    command("metadata", "set", lifetime_ms=3600000)
    call("faults", [{"service": "maxcompute", "api": "ReadData", "nth": 1, "action": "command", "command": EXPIRE}])
    got, out = run(s, "SELECT count(b) FROM r")
    call("faults", [])
    tap.ok(got == "00000", "it ends in the middle", out)
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (ADD ecs_role_name 'worker')")
    before = assumed("GetRole")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000" and assumed("GetRole") == before, "a named role is not asked for", out)
    command("metadata", "set", v2=False)
    call("command", EXPIRE)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000", "version 1 where there is no version 2", out)
    command("metadata", "set", v2=True, v1=False)
    call("command", EXPIRE)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000", "version 2 only", out)
    call("command", EXPIRE)
    call("faults", [{"service": "metadata", "api": "GetToken", "action": "status", "http": 500}])
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got != "00000" and "could not get temporary credentials of the instance's role" in out[0], "no version 1 after a failure", out)
    call("faults", [])
    s.sql("ALTER USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (SET ecs_role_name 'other')")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "28000" and "ecs_role_name" in "\n".join(out), "a role the instance does not have", out)


def ownership(s):
    """who may say so"""
    s.sql("CREATE ROLE plain LOGIN; GRANT USAGE ON FOREIGN SERVER odps TO plain; SET ROLE plain")
    for source in ("ecs_ram_role", "env"):
        got, out = run(s, "CREATE USER MAPPING FOR plain SERVER odps OPTIONS (credential_source '%s')" % source)
        tap.ok(got == "42501", "%s is for superusers" % source, out)
    got, out = run(s, "CREATE USER MAPPING FOR plain SERVER odps OPTIONS (%s)" % ASSUME)
    tap.ok(got == "00000", "assume_role with one's own keys is for everybody", out)
    got, out = run(s, "ALTER USER MAPPING FOR plain SERVER odps OPTIONS (SET credential_source 'ecs_ram_role', DROP role_arn, DROP access_key_id, DROP access_key_secret)")
    tap.ok(got == "42501", "nor can it be altered to that", out)
    got, out = run(s, "SET mc_fdw.metadata_endpoint = 'http://127.0.0.1:1'")
    tap.ok(got == "42501", "the metadata address is for superusers", out)
    s.sql("RESET ROLE; GRANT SELECT ON r TO plain")
    s.sql("ALTER USER MAPPING FOR plain SERVER odps OPTIONS (SET credential_source 'ecs_ram_role', DROP role_arn, DROP access_key_id, DROP access_key_secret)")
    s.sql("SET ROLE plain")
    got, out = run(s, "ALTER USER MAPPING FOR plain SERVER odps OPTIONS (ADD ecs_role_name 'x')")
    tap.ok(got == "42501", "nor changed afterwards", out)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "00000", "but used where a superuser made it", out)
    # a server whose owner is not a superuser, at an address that is not listed
    s.sql("RESET ROLE; GRANT USAGE ON FOREIGN DATA WRAPPER maxcompute_fdw TO plain; ALTER SERVER odps OWNER TO plain; SET ROLE plain")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "42501" and "not allowed" in out[0], "an endpoint that is not allowed gets no credentials", out)
    s.sql("RESET ROLE; SET mc_fdw.allowed_endpoints = '127.0.0.1'; SET ROLE plain")
    s.sql("DROP USER MAPPING FOR plain SERVER odps; CREATE USER MAPPING FOR plain SERVER odps OPTIONS (%s)" % ASSUME)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "42501" and "loopback" in "\n".join(out), "nor does STS at an address of this host", out)
    s.sql("ALTER SERVER odps OPTIONS (SET sts_endpoint 'http://localhost:1')")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "42501" and "sts_endpoint" in out[0], "an sts_endpoint that is not allowed", out)
    s.sql("RESET ROLE; RESET mc_fdw.allowed_endpoints; ALTER SERVER odps OWNER TO postgres; ALTER SERVER odps OPTIONS (SET sts_endpoint '%s')" % STS)


def mapping_changes(s):
    """a changed mapping holds for the next statement, a running one keeps its own"""
    s.sql("DROP USER MAPPING FOR CURRENT_USER SERVER odps; CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (%s)" % ASSUME)
    other = Session()
    s.sql("SELECT count(b) FROM r; BEGIN; DECLARE c CURSOR FOR SELECT a FROM r; FETCH 1 FROM c")
    other.sql("ALTER USER MAPPING FOR postgres SERVER odps OPTIONS (SET role_arn 'acs:ram::1:role/none')")
    call("command", EXPIRE)
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "42501", "the next statement sees the new role", out)
    s.sql("ROLLBACK; BEGIN")
    other.sql("ALTER USER MAPPING FOR postgres SERVER odps OPTIONS (SET role_arn '%s')" % ARN)
    call("faults", [{"service": "maxcompute", "api": "ReadData", "nth": 2, "action": "stall_before", "ms": 3000},
                    {"service": "maxcompute", "api": "ReadData", "nth": 2, "action": "command", "command": EXPIRE}])
    s.sql("SET mc_fdw.concurrency = '1'")
    s.send("SELECT count(b) FROM r")
    other.sql("ALTER USER MAPPING FOR postgres SERVER odps OPTIONS (SET access_key_secret 'other-secret-5151')")
    out, got = s.finish()
    SEEN.extend(out)
    call("faults", [])
    s.sql("ROLLBACK; RESET mc_fdw.concurrency")
    other.sql("ALTER USER MAPPING FOR postgres SERVER odps OPTIONS (SET access_key_secret '%s')" % KEY[1])
    tap.ok(got in ("00000", "28P01"), "a statement that runs while the mapping changes", out)
    before = assumed()
    s.sql("SELECT count(b) FROM r; SELECT count(b) FROM r")
    tap.ok(assumed() - before <= 1, "one renewal", assumed() - before)
    other.sql("ALTER USER MAPPING FOR postgres SERVER odps OPTIONS (ADD session_duration '30min')")
    before = assumed()
    s.sql("SELECT count(b) FROM r; SELECT count(b) FROM r")
    tap.ok(assumed() - before == 1, "another after the change", assumed() - before)
    other.sql("DROP USER MAPPING FOR postgres SERVER odps")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "42704", "a dropped mapping", out)
    other.sql("CREATE USER MAPPING FOR postgres SERVER odps OPTIONS (%s)" % ASSUME)
    tap.ok(run(s, "SELECT count(b) FROM r")[0] == "00000", "made anew")
    other.close()


def secrets(s):
    for sql in ("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM r", "EXPLAIN (ANALYZE, VERBOSE) INSERT INTO w VALUES (9, 'y')",
                "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM g", "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM t",
                "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM log WHERE " + WINDOW):
        tap.ok(run(s, sql)[0] == "00000", sql)
    s.sql("SET ROLE plain")
    run(s, "SELECT * FROM pg_user_mappings; SELECT * FROM information_schema.user_mapping_options")
    run(s, "SELECT name, setting FROM pg_settings WHERE name LIKE 'mc%'; SELECT * FROM information_schema.foreign_server_options")
    s.sql("RESET ROLE")
    issued = command("sts", "issued")["keys"]
    tap.ok(len(issued) > 50, "keys were issued")
    hidden = [KEY[1], "other-secret-5151", "token-6161", "sts-secret", "sts-token", "my-id"]
    hidden += [k[x] for k in issued for x in ("AccessKeySecret", "SecurityToken")]
    # the statements that make mappings are the test's own and may be in the log of statements only
    with open(os.path.join(os.environ["MC_DIR"], "server.log"), errors="replace") as f:
        log = f.read()
    everything = "\n".join(SEEN)
    shown = [x[:6] for x in hidden if x in everything]
    tap.ok(not shown, "no message shows a secret", shown)
    lines = log.split("\n")
    shown = [line[:200] for x in hidden if x in log for line in lines if x in line and "MAPPING" not in line]
    tap.ok(not shown, "the server's log has none", "\n".join(shown[:5]))


def environment(s):
    """keys of the server's process"""
    s.sql("DROP USER MAPPING FOR CURRENT_USER SERVER odps;"
          "CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (credential_source 'env')")
    got, out = run(s, "SELECT count(b) FROM r")
    tap.ok(got == "28000" and "ALIBABA_CLOUD_ACCESS_KEY_ID" in out[0] and "HINT" in "\n".join(out), "no keys in the environment", out)
    s.close()
    # the server logs its environment at debug levels
    ctl = ("%s/pg_ctl -D %s/data -l %s/server.log -w restart -m fast -o '-c log_min_messages=warning' >/dev/null"
           % (os.popen("${PG_CONFIG:-pg_config} --bindir").read().strip(), os.environ["MC_DIR"], os.environ["MC_DIR"]))
    user = "runuser -u postgres -- " if os.getuid() == 0 else ""
    for keys, state in (((KEY[0], KEY[1], ""), "00000"), (("sts-id", "sts-secret", "sts-token"), "00000"), (("sts-id", "sts-secret", ""), "28000")):
        os.system("%senv ALIBABA_CLOUD_ACCESS_KEY_ID=%s ALIBABA_CLOUD_ACCESS_KEY_SECRET=%s ALIBABA_CLOUD_SECURITY_TOKEN=%s %s" % ((user,) + keys + (ctl,)))
        s = Session()
        got, out = run(s, "SELECT count(b) FROM r")
        tap.ok(got == state, "keys of the environment, %s" % keys[0], out)
        s.close()


main()
