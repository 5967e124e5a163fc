"""Memory of a backend that reads and writes objects does not grow with their size: two
gigabytes each way here; test/bench/run has the long form."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, command  # noqa: E402
from ossbig import Big  # noqa: E402

MEGABYTES = 2000
SMALL = 100000
tap = Tap()


def small_objects():
    """a page of keys is kept, not the list of them"""
    command("oss", "create_bucket", bucket="small", replace=True)
    command("oss", "generate_many", bucket="small", key="many/{n%100:2}/{n:6}.csv", count=SMALL, text="{n},text of {n}\n")
    s = Session("CREATE SERVER oss_small FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'small', url_style 'path', region 'cn-hangzhou');"
                "CREATE USER MAPPING FOR CURRENT_USER SERVER oss_small OPTIONS (access_key_id '%s', access_key_secret '%s');"
                "CREATE FOREIGN TABLE small (__object__ text, id int8, s text) SERVER oss_small OPTIONS (prefix 'many/')" % ((OSS,) + KEY))
    cpu = s.cpu_seconds()
    s.sql("EXPLAIN SELECT count(*) FROM small")
    tap.ok(s.cpu_seconds() - cpu < 0.2, "planning does not look at %d objects" % SMALL)
    s.sql("SELECT 1 FROM small LIMIT 1")
    grown = s.peak_growth_mb("DO $$ BEGIN IF (SELECT row(count(*), sum(id)) FROM small WHERE __object__ < 'many/20') <> row(%d::int8, %d::numeric)"
                             " THEN RAISE 'rows are missing'; END IF; END $$"
                             % (SMALL // 5, sum(i for i in range(SMALL) if i % 100 < 20)))
    tap.ok(grown < 100, "reading %d small objects grows by %.0f MB" % (SMALL // 5, grown))
    grown = s.peak_growth_mb("SELECT 1 FROM mc.objects('small') OFFSET %d" % SMALL)
    tap.ok(grown < 100, "listing %d objects grows by %.0f MB" % (SMALL, grown))
    s.close()


def main():
    s = Session("CREATE EXTENSION mc_fdw")
    s.close()
    big = Big()
    for name, act, megabytes in (("a scan of an object", big.read, MEGABYTES), ("a scan of a gzip object", big.read_gzip, MEGABYTES // 2),
                                 ("INSERT", big.write, MEGABYTES), ("INSERT, gzip", big.write_gzip, MEGABYTES // 10)):
        grown = act(megabytes)
        tap.ok(grown < 200, "%s, %d MB: grows by %.0f MB" % (name, megabytes, grown))
    small_objects()
    tap.done()


main()
