"""Memory of a backend does not grow with the data (the benchmark moves 5 GB; this is
the short form)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import SERVERS, WINDOW, Session, Tap, command, generate, odps_content, odps_sql  # noqa: E402

ROWS = 1200000                  # about 420 MB of LogGroups
tap = Tap()


def main():
    s = Session()
    columns = ["c%d" % i for i in range(1, 11)]
    declared = ", ".join("%s text" % c for c in columns)
    s.sql("CREATE EXTENSION mc_fdw;" + SERVERS + """;
CREATE FOREIGN TABLE source (__receive_time__ timestamptz, %s) SERVER sls OPTIONS (logstore 'text10');
CREATE FOREIGN TABLE target (%s) SERVER odps OPTIONS (table 'target')""" % (declared, declared))
    command("loghub", "create_project", project="web")
    generate("text10", ROWS, shards=4)
    command("maxcompute", "create_project", project="demo")
    odps_sql("CREATE TABLE demo.target (%s)" % ", ".join("%s STRING" % c for c in columns))
    copy = ", ".join(columns)
    grown = s.peak_growth_mb("INSERT INTO target SELECT %s FROM source WHERE %s" % (copy, WINDOW))
    tap.ok(grown < 200, "LogHub to MaxCompute grows by %.0f MB" % grown)
    tap.ok(sum(v[0] for v in odps_content("target").values()) == ROWS, "all rows arrived")
    grown = s.peak_growth_mb("SELECT %s FROM target" % ", ".join("count(%s)" % c for c in columns))
    tap.ok(grown < 200, "a MaxCompute scan grows by %.0f MB" % grown)
    tap.done()


main()
