"""The daily load of docs/cookbook-oss.md as it stands there: a log file of a plain web server and a table of a
real MariaDB into one partition of two MaxCompute tables, with everything that web servers do to files."""
import os
import random
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from jobs import difference, faults, recipes  # noqa: E402
from mctest import Session, Tap, call, command, odps_content, odps_sql  # noqa: E402
from servers import MariaDB, Web  # noqa: E402

tap = Tap()
PASSWORD = "pa's\"s"
DAY = "20260101"
LENGTH = ("40001", "54000", "08001", "08006", "08P01")


def log_lines():
    """some MB of an access log, awkward lines included"""
    rng = random.Random(20)
    awkward = ["", " ", "\t", "\\.", "\\N", "NULL", '"', '"quoted, text"', "back\\slash\\", "a|b|c", "tab\tbed\t", "é中文😀\U0010ffff", "\x01\x7f", "'; DROP TABLE x; --",
               "x" * 100000, ",", "\ufeffnot a mark", "trailing blank ", "%s%d{dt}"]
    lines = []
    for i in range(30000):
        lines.append('10.%d.%d.%d - - [01/Jan/2026:%02d:%02d:%02d +0800] "GET /item/%d?q=%s HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux)"' % (
            i % 256, rng.randrange(256), rng.randrange(256), i // 3600 % 24, i // 60 % 60, i % 60, i, rng.choice("äöü中文x"), rng.randrange(100000)))
        if i % 100 == 0:
            lines.append(rng.choice(awkward))
    return lines + awkward


def user_rows():
    rng = random.Random(21)
    edge = [None, "", " ", "NULL", "\\N", "'", '"', "a\\'b", "é", "\u4e2d\u6587", "\U0001f600\U0010ffff", "a\nb\r\n\t", "%", "\x01", "x" * 20]
    rows = [("edge-%d" % i, edge[i % len(edge)], edge[(i * 7 + 3) % len(edge)], edge[i // len(edge)]) for i in range(len(edge) ** 2)]
    rows += [("\U0001f600'\"\\" + str(i), "f", None, "") for i in range(10)]
    return rows + [("%016x" % i, rng.choice("fm"), "%d-%d" % (i % 6 * 10, i % 6 * 10 + 9), rng.choice(["Leo", "狮子座", None])) for i in range(5000)]


def mysql_script(rows):
    """values are in hex"""
    def value(v):
        return "NULL" if v is None else "''" if v == "" else "CONVERT(X'%s' USING utf8mb4)" % v.encode().hex()
    lines = ["CREATE DATABASE workshop",
             "CREATE USER reader@localhost IDENTIFIED BY '%s'" % PASSWORD.replace("'", "''"), "GRANT SELECT ON workshop.* TO reader@localhost",
             "CREATE TABLE workshop.ods_user_info_d (uid VARCHAR(64) PRIMARY KEY, gender VARCHAR(20), age_range VARCHAR(20), zodiac TEXT)"
             " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"]
    for i in range(0, len(rows), 500):
        lines.append("INSERT INTO workshop.ods_user_info_d VALUES " + ",".join("(%s)" % ",".join(map(value, r)) for r in rows[i:i + 500]))
    return ";\n".join(lines) + ";\n"


def stored(table, day):
    rows = command("maxcompute", "dump", project="demo", table=table, partition="dt='%s'" % day, limit=1000000)["rows"]
    return sorted((r[:-1] for r in rows), key=repr)


def one_column(lines):
    return sorted(([x] for x in lines), key=repr)


def both():
    return odps_content("ods_raw_log_d"), odps_content("ods_user_info_d")


def first_day(session, web, lines, users):
    session.sql("SET mc_fdw.block_size = '1MB'; INSERT INTO ods_raw_log_d VALUES ('other day', '20251231'), ('of another tool', '%s')" % DAY)
    for name, text, ranges in (("without ranges, no last line end", "\n".join(lines), False), ("with ranges", "\n".join(lines) + "\n", True),
                               ("CR LF", "\r\n".join(lines) + "\r\n", True), ("a byte order mark", "\ufeff" + "\n".join(lines), False)):
        web.files["/raw/access.log"] = text.encode()
        web.behave = {"ranges"} if ranges else set()
        web.seen.clear()
        session.sql("CALL load_day('2026-01-01')")
        got = stored("ods_raw_log_d", DAY)
        tap.ok(got == one_column(lines), "every line, %s" % name, difference(got, one_column(lines)))
        gets = [x for x in web.seen if x[0] == "GET"]
        tap.ok((len(gets) > 1) == ranges and not any(x[4] for x in web.seen), "%d requests, none signed, %s" % (len(gets), name), web.seen[:5])
    got, wanted = stored("ods_user_info_d", DAY), sorted(map(list, users), key=repr)
    tap.ok(got == wanted, "every user, NULL and empty strings apart", difference(got, wanted))
    tap.ok(stored("ods_raw_log_d", "20251231") == [["other day"]], "another day is left alone")
    before = both()
    session.sql("CALL load_day('2026-01-01')")
    tap.ok(both() == before, "a repeated day changes nothing")
    session.sql("CALL load_day()")
    yesterday = session.sql("SELECT to_char((now() AT TIME ZONE 'Asia/Shanghai')::date - 1, 'YYYYMMDD')")[0]
    tap.ok(set(odps_content("ods_user_info_d")) == {"dt=" + DAY, "dt=" + yesterday} and stored("ods_raw_log_d", yesterday) == one_column(lines),
           "without an argument it is yesterday in Shanghai", sorted(odps_content("ods_user_info_d")))


def refused(session, name, states, what, statement="CALL load_day('2026-01-01')"):
    """the run fails, says why, and both partitions are as they were"""
    before = both()
    out, state = session.try_sql(statement)
    text = "\n".join(out)
    tap.ok(state in states and re.search(what, text) and both() == before, name, "%s\n%s" % (state, text[-1500:]))


def web_faults(session, web, lines):
    data = ("\n".join(lines) + "\n").encode()
    session.sql("SET mc_fdw.max_retries = 1; SET mc_fdw.block_size = '256kB'")
    web.files.clear()
    refused(session, "a file that is not there", ("02000", "42P01", "HV00R", "58P01"), r"access\.log")
    for ranges in (True, False):
        name = "with ranges" if ranges else "without ranges"
        web.files["/raw/access.log"] = data
        web.behave = {"ranges"} if ranges else set()
        web.behave.add("says more")
        refused(session, "a server that announces more than it sends, " + name, LENGTH, r"access\.log")
        web.behave.remove("says more")
        if ranges:                  # without, the rest is taken for the next answer of the connection, and cut off
            web.behave.add("says less")
            refused(session, "a server that announces less than it has, " + name, LENGTH, r"access\.log")
            web.behave.remove("says less")
        web.behave.add("breaks once")
        if ranges:
            session.sql("SET mc_fdw.max_retries = 5; CALL load_day('2026-01-01'); SET mc_fdw.max_retries = 1")
        else:
            refused(session, "a connection that breaks: such a server cannot go on in the middle", ("08001", "08006"), "cannot go on there")
            session.sql("CALL load_day('2026-01-01')")
        tap.ok(stored("ods_raw_log_d", DAY) == one_column(lines), "every line after a connection that broke in the middle, " + name)
    web.behave = {"ranges", "changes"}
    refused(session, "a file that changes while it is read", ("40001",), "changed")
    web.files["/raw/access.log"] = data
    web.behave = {"no length", "no validators"}
    session.sql("CALL load_day('2026-01-01')")
    tap.ok(stored("ods_raw_log_d", DAY) == one_column(lines), "neither length nor ETag: it is read in one stream")
    web.behave = set()
    web.files["/raw/access.log"] = data[:500000] + b"\n\xff\xfe broken\n" + data[500000:]
    refused(session, "bytes that are no UTF-8", ("22021",), r"access\.log.*line|line.*access\.log")
    session.sql("SET mc_fdw.on_error = 'reject'; SET mc_fdw.reject_limit = '1'; CALL load_day('2026-01-01'); RESET mc_fdw.on_error; RESET mc_fdw.reject_limit")
    halves = (data[:500000] + b"\n" + data[500000:]).decode().split("\n")[:-1]
    tap.ok(stored("ods_raw_log_d", DAY) == one_column(halves), "such a line is left out on request", len(stored("ods_raw_log_d", DAY)))
    web.files["/raw/access.log"] = b""
    before = odps_content("ods_raw_log_d")
    session.sql("CALL load_day('2026-01-01')")
    tap.ok(odps_content("ods_raw_log_d") == before, "an empty file leaves the day as it was")
    web.files["/raw/access.log"] = data
    session.sql("RESET mc_fdw.max_retries; RESET mc_fdw.block_size; CALL load_day('2026-01-01')")
    tap.ok(stored("ods_raw_log_d", DAY) == one_column(lines), "the next run has every line")


def both_or_none(session, mysql):
    session.sql("INSERT INTO ods_raw_log_d VALUES ('before', '%s'); INSERT INTO ods_user_info_d VALUES ('u', 'before', '', '', '%s')" % (DAY, DAY))
    faults({"service": "maxcompute", "api": "CommitUpload", "nth": 1, "action": "status", "http": 400, "code": "Refused"})
    refused(session, "the first publication is refused: neither is published", ("HV000", "58030", "38000", "XX000", "08P01", "55000", "22023", "HV00L"), "Refused")
    faults({"service": "maxcompute", "api": "CommitUpload", "nth": 2, "action": "status", "http": 400, "code": "Refused"})
    before = both()
    out, state = session.try_sql("CALL load_day('2026-01-01')")
    faults()
    after, text = both(), "\n".join(out)
    tap.ok(state == "40003" and after[0] != before[0] and after[1] == before[1] and "ods_raw_log_d" in text and "ods_user_info_d" in text,
           "refused in between: 40003 names what is published and what is not", "%s\n%s" % (state, text))
    session.sql("CALL load_day('2026-01-01')")
    tap.ok(len(stored("ods_raw_log_d", DAY)) > 1000 and len(stored("ods_user_info_d", DAY)) > 1000, "the next run publishes both")
    mysql.stop()
    # its message is of memory that it has freed
    refused(session, "MySQL is down", ("HV00L", "HV00N"), r"mysql_fdw\.c")


def main():
    lines, users = log_lines(), user_rows()
    mysql, web = MariaDB(mysql_script(users), PASSWORD), Web()
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.ods_raw_log_d (col STRING) PARTITIONED BY (dt STRING)")
    odps_sql("CREATE TABLE demo.ods_user_info_d (uid STRING, gender STRING, age_range STRING, zodiac STRING) PARTITIONED BY (dt STRING)")
    session = Session()
    session.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw; SET TimeZone = 'America/New_York'")
    session.sql(RECIPES["Cookbook: files in OSS"][0].split("CREATE FOREIGN TABLE")[0])
    tables, load = RECIPES["The workshop: a log file and a MySQL table, every day"]
    tables = re.sub(r"base_url '[^']*'", "base_url '%s'" % web.url, tables)
    load = load.replace("mysql.example.com", "127.0.0.1").replace("'3306'", "'%d'" % mysql.port)
    load = load.replace("password '...'", "password '%s'" % PASSWORD.replace("'", "''")).split("CALL load_day()")[0]
    session.sql(tables + load)
    there = mysql.sql("SELECT count(*), count(gender) FROM ods_user_info_d")
    tap.ok(there == ["%d\t%d" % (len(users), sum(r[1] is not None for r in users))], "MariaDB has the users", there)
    first_day(session, web, lines, users)
    web_faults(session, web, lines)
    both_or_none(session, mysql)
    tap.done()


RECIPES = recipes("cookbook-oss.md", unrun=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # MariaDB ends with us
main()
