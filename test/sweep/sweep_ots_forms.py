"""The statements of the Tablestore sweep, what they start from, and what is right after
them.  See sweep_ots.py, which has the faults."""
import re
import time

from mctest import SERVERS, WINDOW, Session, call, command, generate, odps_content, odps_sql, ots_put, ots_rows

OLD = int(time.time() * 1000) - 6000000     # version of cells that are there before a statement
COUNTED = """CREATE FUNCTION run(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint; BEGIN EXECUTE query; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$"""
KEY = "k text OPTIONS (key '1') COLLATE \"C\" NOT NULL, n bigint OPTIONS (key '2') NOT NULL"
KEYS = [{"name": "k", "type": "STRING"}, {"name": "n", "type": "INTEGER"}]


def make_table(name, keys, **more):
    """two hours old, so that a clock may go back"""
    call("clock", {"now": int(time.time()) - 7200})
    command("tablestore", "create_table", table=name, replace=True, keys=keys, **more)
    call("clock", {"system": True})


class Form:
    """A statement, run through run() for its row count"""
    sql = ""
    also = set()            # SQLSTATEs that any failure may have
    holds_cancel = False    # a cancel may have to wait
    forgives = False        # it ends in ROLLBACK, which succeeds whatever was before
    own_clock = True        # no other service that has the emulator's clock is asked
    events = {}             # name -> what happens to a table, what undoes it
    short_apis = ()
    short_forever = ("reset_after", "http_500")

    def prepare(self, session):
        """once: services, servers, tables"""
        session.sql("SET client_min_messages = error; CREATE EXTENSION mc_fdw;" + SERVERS + ";" + COUNTED)
        self.session = session      # no fault meets it

    def statement(self):
        return "SELECT run($run$%s$run$)" % self.sql

    @staticmethod
    def tag(out):
        numbers = [x for x in out if re.fullmatch(r"\d+", x)]
        return int(numbers[-1]) if numbers else None

    def reset(self):
        pass

    def content(self):
        raise NotImplementedError

    def learn_before(self):
        self.before = self.content()

    def learn_after(self, out, tag):
        self.after, self.count = self.content(), tag
        assert self.after != self.before and tag > 0, (self.after, tag)

    # None, or what is wrong

    def wrong(self, out, tag):
        now = self.content()
        if now != self.after:
            return "succeeded, but the target is %s, not %s" % (now, self.after)
        return None if tag == self.count else "succeeded with count %s, not %d" % (tag, self.count)

    def wrong_after_failure(self, out, state):
        now = self.content()
        return None if now == self.before else "%s, but the target changed: %s -> %s" % (state, self.before, now)

    def wrong_repeated(self, out, tag):
        return self.wrong(out, tag)


# ---- into a local table: all or nothing

class Local(Form):
    def prepare(self, session):
        super().prepare(session)
        session.sql("CREATE TABLE target (arrival int GENERATED ALWAYS AS IDENTITY, what text, k text, n bigint, a bigint, b text)")

    def reset(self):
        self.session.sql("TRUNCATE target RESTART IDENTITY")

    def content(self):
        return self.session.sql("SELECT count(*), count(DISTINCT (what, k, n, a)), md5(string_agg(concat_ws(',', what, k, n, "
                   "coalesce(a::text, '-'), coalesce(b, '-')), ';' ORDER BY what, k, n, a, b)) FROM target")


def prepare_source(session):
    """420 rows in three partitions, three in seven without column b; small pages"""
    make_table("src", KEYS, splits=["k1", "k2"])
    ots_put("src", *[(["k%d" % (i % 3), i], dict({"a": i * 10}, **({"b": "text %d" % i} if i % 7 < 4 else {}))) for i in range(420)])
    command("tablestore", "set", page_rows=37, split_unit=2000)
    session.sql("CREATE FOREIGN TABLE src (%s, a bigint, b text) SERVER ots OPTIONS (split_size '1MB')" % KEY)


PARTITIONS = {
    "partition_splits": ({"op": "split_partition", "table": "src", "at": "k01"}, {"op": "merge_partitions", "table": "src", "index": 0}),
    "partitions_merge": ({"op": "merge_partitions", "table": "src", "index": 1}, {"op": "split_partition", "table": "src", "at": "k2"}),
}


class Read(Local):
    """ranges in several splits with small pages, a server filter, single keys, a join by key"""
    name = "ots_read"
    events = PARTITIONS
    sql = """INSERT INTO target (what, k, n, a, b)
SELECT 'scan', k, n, a, b FROM src
UNION ALL SELECT 'filter', k, n, a, b FROM src WHERE a >= 2000 AND b = ANY ('{text 210,text 300,text 301,text 310}')
UNION ALL SELECT 'keys', k, n, a, b FROM src WHERE k = 'k1' AND n IN (1, 4, 7, 10, 13, 5, 100000)
UNION ALL SELECT 'key', k, n, a, b FROM src WHERE k = 'k2' AND n = 5
UNION ALL SELECT 'back', k, n, a, b FROM (SELECT * FROM src WHERE k = 'k0' ORDER BY n DESC LIMIT 70) x
UNION ALL SELECT 'join', s.k, s.n, s.a, s.b FROM (VALUES ('k1', 1), ('k1', 34), ('k2', 2)) v (k, n) JOIN src s ON s.k = v.k AND s.n = v.n"""
    short_apis = ("DescribeTable", "GetRange", "GetRow", "BatchGetRow", "ComputeSplitPointsBySize")
    short_forever = ("reset_after", "bad_signature")

    def prepare(self, session):
        super().prepare(session)
        prepare_source(session)

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert tag == 420 + 3 + 5 + 1 + 70 + 3, tag


class Stream(Local):
    """a window of a change stream; its shards split and merge inside"""
    name = "ots_stream"
    short_apis = ("ListStream", "DescribeStream", "GetShardIterator", "GetStreamRecord", "DescribeTable")
    short_forever = ("http_503",)

    def prepare(self, session):
        super().prepare(session)
        prepare_stream(session)
        self.sql = "INSERT INTO target (k, n, a, b) SELECT k, n, a, op FROM changes WHERE " + STREAM_WINDOW

    def wrong(self, out, tag):
        why = super().wrong(out, tag)
        if why:
            return why
        bad = self.session.sql("SELECT count(*) FROM (SELECT a < lag(a) OVER (PARTITION BY k, n ORDER BY arrival) AS bad FROM target) x WHERE bad")
        return None if bad == ["0"] else "the changes of a key are not in order"


STREAM_START = int(time.time()) - 9000
STREAM_WINDOW = "at >= to_timestamp(%d) AND at < to_timestamp(%d)" % (STREAM_START + 130, STREAM_START + 650)


def prepare_stream(session):
    """60 changes 10 seconds apart, on ten keys; the window has 52 of them"""
    call("clock", {"now": STREAM_START})
    command("tablestore", "create_table", table="log", keys=KEYS, stream_hours=24)
    command("tablestore", "stream_set", page_records=10, shard_limit=2, iterator_steps=1, seek_early=2)
    for step in range(60):
        call("clock", {"now": STREAM_START + 10 * step + 100})
        if step == 20:
            command("tablestore", "split_partition", table="log", at="k05")
        if step == 40:
            command("tablestore", "merge_partitions", table="log", index=0)
        do = {"do": "delete"} if step % 9 == 8 else {"do": "update"} if step % 3 == 1 else {}
        command("tablestore", "put", table="log", rows=[dict({"key": ["k%02d" % (step % 10), step % 2]}, **(
            do if do.get("do") == "delete" else dict(do, columns={"a": step})))])
    call("clock", {"system": True})
    session.sql("CREATE FOREIGN TABLE changes (%s, a bigint, op text OPTIONS (field '__op__'), seq text OPTIONS (field '__sequence__'),"
                " at timestamptz OPTIONS (field '__commit_time__')) SERVER ots OPTIONS (table 'log', mode 'stream')" % KEY)


# ---- to MaxCompute: one partition, all or nothing

class ToOdps(Form):
    """a partition is overwritten, so that the statement may be repeated"""
    also = {"40003"}
    holds_cancel = True
    own_clock = False
    short_forever = ()
    columns = ""

    def prepare(self, session):
        super().prepare(session)
        command("maxcompute", "create_project", project="demo")
        command("maxcompute", "set", rates=False)
        session.sql("CREATE FOREIGN TABLE target (%s, pt text) SERVER odps OPTIONS (table 'target', block_size '64kB',"
                    " write_mode 'overwrite')" % self.columns)

    def reset(self):
        for sql in ("DROP TABLE IF EXISTS demo.target",
                    "CREATE TABLE demo.target (k STRING, n BIGINT, a BIGINT, b STRING) PARTITIONED BY (pt STRING)",
                    "ALTER TABLE demo.target ADD PARTITION (pt='now')"):
            odps_sql(sql)
        command("maxcompute", "generate", project="demo", table="target", partition="pt=now", rows=30, seed=5)

    def content(self):
        return odps_content("target")

    def wrong_after_failure(self, out, state):
        """with one session the outcome can be unknown, but never half"""
        if state in ("40003", "57P01", "lost") and self.content() == self.after:
            return None
        return super().wrong_after_failure(out, state)


class TableToOdps(ToOdps):
    """full export"""
    name = "ots_to_maxcompute"
    events = PARTITIONS
    columns = "k text, n bigint, a bigint, b text"
    sql = "INSERT INTO target SELECT k, n, a, b, 'now' FROM src"
    short_apis = ("GetRange", "WriteBlock", "CommitUpload", "BatchGetRow")

    def prepare(self, session):
        super().prepare(session)
        prepare_source(session)


class StreamToOdps(ToOdps):
    """incremental load"""
    name = "ots_stream_to_maxcompute"
    columns = "k text, n bigint, a bigint, b text"
    sql = "INSERT INTO target SELECT k, n, a, op, 'now' FROM changes WHERE " + STREAM_WINDOW
    short_apis = ("GetStreamRecord", "CommitUpload")

    def prepare(self, session):
        super().prepare(session)
        prepare_stream(session)


# ---- to Tablestore: row by row

class Write(Form):
    """What is there before has version OLD; all cells of a statement have one version, its own"""
    keys = KEYS
    max_versions = 1
    options = ""
    columns = "a bigint, b text"
    short_apis = ("BatchWriteRow",)
    old_rows = 60           # keys ('k', 0) to ('k', 59)

    def prepare(self, session):
        super().prepare(session)
        self.reset()
        session.sql("CREATE FOREIGN TABLE target (%s, %s) SERVER ots OPTIONS (batch_size '20'%s)" % (KEY, self.columns, self.options))

    def reset(self):
        make_table("target", self.keys, max_versions=self.max_versions)
        ots_put("target", *[(["k", i], {c: [{"value": v, "ts": OLD}] for c, v in
                                       (("a", i), ("b", "old %d" % i), ("extra", True))}) for i in range(self.old_rows)])

    def rows(self):
        """{key: {column: [(value, version)]}}, newest first"""
        found = {}
        for row in ots_rows("target", timestamps=True):
            columns = row["columns"]
            found[tuple(map(str, row["key"]))] = {
                name: sorted(((str(c["value"]), c["ts"]) for c in cells), key=lambda c: -c[1])
                for name, cells in columns.items()}
        return found

    @staticmethod
    def versions(rows):
        return sorted({ts for row in rows.values() for cells in row.values() for _, ts in cells if ts != OLD})

    def label(self, rows, runs):
        """versions of runs become 'run'; a cell that several runs have written counts once"""
        labelled = {}
        for key, row in rows.items():
            labelled[key] = {}
            for name, cells in row.items():
                seen = []
                for value, ts in cells:
                    cell = (value, "old" if ts == OLD else "run" if ts in runs else ts)
                    if cell not in seen:
                        seen.append(cell)
                labelled[key][name] = seen
        return labelled

    def content(self):
        rows = self.rows()
        return self.label(rows, self.versions(rows)[:1])

    @staticmethod
    def differences(now, want):
        keys = [k for k in set(now) | set(want) if now.get(k) != want.get(k)]
        return "%d rows are wrong, such as %s: %s, not %s" % (len(keys), keys[0], now.get(keys[0]), want.get(keys[0])) if keys else None

    def wrong(self, out, tag):
        why = self.differences(self.content(), self.after)
        return why or (None if tag == self.count else "succeeded with count %s, not %d" % (tag, self.count))

    def wrong_after_failure(self, out, state):
        now = self.content()
        self.left = now
        for key in set(now) | set(self.before) | set(self.after):
            if now.get(key) not in (self.before.get(key), self.after.get(key)):
                return "%s, and row %s is neither as before nor complete: %s" % (state, key, now.get(key))
        return None

    def count_repeated(self):
        return self.count

    def wrong_repeated(self, out, tag):
        rows = self.rows()
        runs = self.versions(rows)
        if len(runs) > 2:
            return "after two runs there are versions of %d" % len(runs)
        return self.differences(self.label(rows, runs), self.after) or (
            None if tag == self.count_repeated() else "repeated with count %s, not %d" % (tag, self.count_repeated()))


class Put(Write):
    """rows are replaced, other rows made"""
    name = "ots_put"
    sql = "INSERT INTO target SELECT 'k', g, g * 7, CASE WHEN g % 3 > 0 THEN 'new ' || g END FROM generate_series(30, 189) g"
    short_forever = ("reset_after", "busy", "timeout_applied")


class Update(Write):
    """cells are set, other cells deleted, versions kept"""
    name = "ots_update_mode"
    sql = "INSERT INTO target (k, n, a, b) SELECT 'k', g, g * 7, CASE WHEN g % 3 > 0 THEN 'new ' || g END FROM generate_series(30, 189) g"
    options = ", write_mode 'update'"
    max_versions = 3


class Insert(Write):
    """rows that exist are left alone and not counted; some keys come twice"""
    name = "ots_insert_nothing"
    sql = ("INSERT INTO target SELECT 'k', g, g * 7, b || g FROM (SELECT 'new ', generate_series(30, 169) UNION ALL "
           "SELECT 'again ', generate_series(160, 175)) x (b, g) ON CONFLICT DO NOTHING")

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert tag == 116, tag

    def count_repeated(self):
        return self.count - (len(self.left) - len(self.before))


class InsertStrict(Write):
    """write_mode 'insert': no row may exist.  What failed is made complete with ON CONFLICT DO NOTHING."""
    name = "ots_insert_mode"
    options = ", write_mode 'insert'"
    old_rows = 10
    plain = "INSERT INTO target SELECT 'k', g, g * 7, 'new ' || g FROM generate_series(30, 169) g"
    sql = plain

    def reset(self):
        super().reset()
        self.sql = self.plain

    def wrong_after_failure(self, out, state):
        self.sql = self.plain + " ON CONFLICT DO NOTHING"
        return super().wrong_after_failure(out, state)

    def count_repeated(self):
        return self.count - (len(self.left) - len(self.before))


class UpdateRows(Write):
    """UPDATE of one column of rows that a scan finds; the others keep their versions"""
    name = "ots_update"
    sql = "UPDATE target SET a = n * 7 WHERE k = 'k' AND n >= 10"
    old_rows = 150
    short_apis = ("BatchWriteRow", "GetRange")


class DeleteRows(Write):
    name = "ots_delete"
    sql = "DELETE FROM target WHERE k = 'k' AND n % 2 = 0"
    old_rows = 150

    def count_repeated(self):
        return self.count - (len(self.before) - len(self.left))


class LogHub(Write):
    """LogHub to Tablestore; the key is what the log says"""
    name = "loghub_to_ots"
    own_clock = False
    columns = "c2 text, c3 text"
    old_rows = 0
    sql = "INSERT INTO target SELECT c1, hashtext(c2), c2, c3 FROM source WHERE " + WINDOW
    short_apis = ("PullLogs", "BatchWriteRow")
    short_forever = ("reset_after",)

    def prepare(self, session):
        super().prepare(session)
        command("loghub", "create_project", project="web")
        generate("text10", 300, seed=7, logs_per_group=50)
        session.sql("CREATE FOREIGN TABLE source (__receive_time__ timestamptz, c1 text, c2 text, c3 text) SERVER sls"
                    " OPTIONS (logstore 'text10', fetch_size '2')")

    def learn_after(self, out, tag):
        super().learn_after(out, tag)
        assert tag == 300 == len(self.after), (tag, len(self.after))


class AutoKey(Form):
    """The service chooses keys, RETURNING shows them.  A request whose answer was lost may
    have made a row, and its repetition makes another: a WARNING must say how many."""
    name = "ots_auto_key"
    rows = 8
    short_apis = ("BatchWriteRow",)

    def prepare(self, session):
        super().prepare(session)
        session.sql("CREATE FOREIGN TABLE target (%s, a bigint) SERVER ots" % KEY)

    def statement(self):
        return "INSERT INTO target (k, a) SELECT 'p', g FROM generate_series(1, %d) g RETURNING a, n" % self.rows

    def reset(self):
        make_table("target", [KEYS[0], dict(KEYS[1], auto_increment=True)])
        self.kept = {}

    def content(self):
        """{chosen key: a}"""
        return {row["key"][1]: row["columns"]["a"] for row in ots_rows("target")}

    @staticmethod
    def tag(out):
        return {int(x.split("|")[1]): int(x.split("|")[0]) for x in out if re.fullmatch(r"\d+\|\d+", x)}

    def learn_after(self, out, tag):
        assert len(tag) == self.rows and tag == self.content(), (tag, self.content())

    def wrong(self, out, tag):
        now = {k: v for k, v in self.content().items() if k not in self.kept}
        if sorted(tag.values()) != list(range(1, self.rows + 1)):
            return "returned %s" % tag
        if any(now.get(k) != v for k, v in tag.items()):
            return "returned %s, the table has %s" % (tag, now)
        told = sum(int(m.group(1)) for x in out for m in [re.search(r"WARNING:.* (\d+) rows? .*more than once", x)] if m)
        values = list(now.values())
        often = sum(values.count(v) > 1 for v in set(values))
        if often > told:
            return "%d rows are there more than once, and the warnings tell of %d" % (often, told)
        return None

    def wrong_after_failure(self, out, state):
        self.kept = self.content()
        strange = [v for v in self.kept.values() if not 1 <= v <= self.rows]
        return "%s, and the table has %s" % (state, strange) if strange else None


FORMS = {c.name: c for c in (Read, Stream, TableToOdps, StreamToOdps, Put, Update, Insert, InsertStrict, UpdateRows, DeleteRows,
                             LogHub, AutoKey)}
