"""Objects of any size that nobody keeps, read and written while the memory of the backend is watched.

The emulator makes what is read by repeating a block, and of what is written it keeps sizes and sums only.
"""
import base64
import gzip

from mctest import KEY, OSS, Session, command

HOUR = 3600
BLOCK_ROWS = 5000
TEXT = "x" * 59
COLUMNS = "id int8, a text, b text, c float8, at timestamptz"
LINE = "%013d," + TEXT + ",\"" + TEXT + ", y\",12.5,2018-01-11 01:30:00+08\n"
# the same row, as COPY and INSERT write it
ROW = "SELECT 1000000000000 + g, '%s', '%s, y', 12.5, timestamptz '2018-01-11 01:30:00+08' FROM (SELECT generate_series(0::int8, %%d) AS g) x" % (TEXT, TEXT)


class Big:
    def __init__(self):
        command("oss", "create_bucket", bucket="big", replace=True)
        self.block = "".join(LINE % (1000000000000 + i) for i in range(BLOCK_ROWS)).encode()
        s = Session()
        s.sql("CREATE SERVER oss_big FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'big', url_style 'path', region 'cn-hangzhou');"
              "CREATE USER MAPPING FOR CURRENT_USER SERVER oss_big OPTIONS (access_key_id '%s', access_key_secret '%s')" % ((OSS,) + KEY))
        for name in ("csv", "gzip", "write", "write_gzip"):
            s.sql("CREATE FOREIGN TABLE oss_big_%s (%s) SERVER oss_big OPTIONS (prefix '%s/'%s)"
                  % (name, COLUMNS, name, ", compression 'gzip', compression_level '1'" if name == "write_gzip" else ""))
        s.close()

    def scan(self, table, block, suffix, megabytes):
        repeat = max(1, round(megabytes * 1e6 / len(self.block)))
        command("oss", "generate", bucket="big", key="%s/big.csv%s" % (table, suffix), base64=base64.b64encode(block).decode(), repeat=repeat)
        # one row first, so that the catalogs are in memory
        s = Session("SELECT 1 FROM oss_big_%s LIMIT 1" % table)
        rows = repeat * BLOCK_ROWS
        grown = s.peak_growth_mb("DO $$ BEGIN IF (SELECT row(count(*), sum(id - 1000000000000), count(a), sum(length(b)), sum(c), count(at)) FROM oss_big_%s)"
                                 " IS DISTINCT FROM row(%d::int8, %d::numeric, %d::int8, %d::int8, %s::float8, %d::int8) THEN RAISE 'rows are missing'; END IF; END $$"
                                 % (table, rows, repeat * (BLOCK_ROWS * (BLOCK_ROWS - 1) // 2), rows, 62 * rows, 12.5 * rows, rows), HOUR)
        s.close()
        return grown

    def read(self, megabytes):
        """MB that the memory grew by at most; RuntimeError if a row was missing"""
        return self.scan("csv", self.block, "", megabytes)

    def read_gzip(self, megabytes):
        """the same as a file of many members"""
        return self.scan("gzip", gzip.compress(self.block, 1), ".gz", megabytes)

    def insert(self, table, megabytes):
        rows = max(1, round(megabytes * 1e6 / len(self.block))) * BLOCK_ROWS
        command("oss", "discard", bucket="big", prefix=table + "/")
        s = Session("SET TimeZone = 'Asia/Shanghai'; BEGIN; INSERT INTO oss_big_%s %s; ROLLBACK" % (table, ROW % 0))
        grown = s.peak_growth_mb("INSERT INTO oss_big_%s %s" % (table, ROW % (rows - 1)), HOUR)
        s.close()
        return grown, rows, command("oss", "checksum", bucket="big", prefix=table + "/")

    def write(self, megabytes):
        grown, rows, written = self.insert("write", megabytes)
        if written["bytes"] != rows * len(self.block) // BLOCK_ROWS:
            raise RuntimeError("%d bytes of %d rows were written: %s" % (written["bytes"], rows, written))
        return grown

    def write_gzip(self, megabytes):
        grown, rows, written = self.insert("write_gzip", megabytes)
        if not 0 < written["bytes"] < rows * len(self.block) // BLOCK_ROWS // 5:
            raise RuntimeError("%d rows were written as %s" % (rows, written))
        return grown
