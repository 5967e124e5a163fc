"""Differential test of Tablestore scans: the same generated query over the foreign
table and over a local copy of its rows must give the same answer.

  test/diff/run [cases [seed]]          make check-diff DIFF="cases seed"

Fifty cases share a set of tables and are a block; blocks have consecutive seeds.  A
case that fails is printed with its SQL, its plan and its block, which
"test/diff/run 50 <seed of the block>" repeats.
"""
import os
import random
import struct
import sys
import urllib.error

os.environ["PGCLIENTENCODING"] = "UTF8"
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import generate as g
import mctest as mc

BLOCK = 50					# cases with one set of tables
INSTANCE = "demo"
SEPARATOR = "\x1f"

SETUP = """
\\pset fieldsep '%s'
\\pset null '<null>'
SET client_min_messages = error;
SET lc_messages = 'C';
CREATE SERVER ots FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'http://127.0.0.1:%s', instance '%s');
CREATE USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE COLLATION twoscase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
""" % ((SEPARATOR, os.environ.get("MC_TABLESTORE_PORT", "1"), INSTANCE) + mc.KEY)

SWITCHES = ["enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_sort", "enable_incremental_sort", "enable_material",
            "enable_memoize"]



def remote(kind, value):
    """a value as the emulator's commands take it"""
    if g.REMOTE[kind] == "binary":
        return {"bytes": value.hex()}
    if g.REMOTE[kind] == "double":
        return {"double": "%.17g" % (struct.unpack("f", struct.pack("f", float(value)))[0] if kind == "float4" else float(value))}
    if g.REMOTE[kind] == "integer":
        return {"int": str(value)}
    return value


def misfit(rnd, kind):
    """a value that a column of this kind cannot show"""
    values = {"integer": ["1", {"double": "1"}, True, {"bytes": "01"}], "double": [{"int": "1"}, "1.5"], "boolean": ["true", {"int": "1"}],
              "string": [{"int": "1"}, {"bytes": "61"}, {"double": "1.5"}], "binary": ["a", {"int": "1"}]}[g.REMOTE[kind]]
    if kind in ("int2", "int4"):
        values.append({"int": str(g.LIMITS[kind])})
    if kind in ("numeric", "date"):
        values.append("x")
    return rnd.choice(values)


def command(op, **arguments):
    try:
        mc.command("tablestore", op, **arguments)
    except urllib.error.HTTPError as e:
        raise SystemExit("%s: %s" % (op, e.read().decode(errors="replace")[:1000]))


class Runner:
    def __init__(self):
        self.session = mc.Session(SETUP)
        self.failed = self.passed = 0

    def answers(self, statements):
        """output and SQLSTATE of each statement"""
        out = []
        for text in statements:
            lines, state = self.session.try_sql(text)
            if state == "lost":
                raise SystemExit("the server is gone after: %s" % text)
            out.append(([x for x in lines if not x.startswith("psql:")] if state == "00000" else [], state))
        return out

    def block(self, seed, cases):
        rnd = random.Random(seed)
        tables = [g.Table(rnd, i) for i in range(4)]
        setup = []
        for table in tables:
            setup += list(table.local_sql()) + list(g.driver_sql(rnd, table))
            setup.append(table.foreign_sql("ots"))
            setup.append("CREATE VIEW v%d AS SELECT * FROM f%d OFFSET 0" % (table.number, table.number))
        self.session.sql(";\n".join(setup))
        for table in tables:
            self.load(rnd, table)
            command("set", page_rows=rnd.choice([1, 2, 7, 30, 5000]), page_bytes=rnd.choice([2000, 4 << 20]),
                    split_mib=rnd.choice([1, 30, 1 << 20]), split_prefix=rnd.random() < 0.7)
            if rnd.random() < 0.5:
                # what ANALYZE would have found changes the plans
                self.session.sql("UPDATE pg_class SET reltuples = %d WHERE relname = 'f%d'" % (len(table.rows), table.number))
        for number in range(cases):
            self.case(random.Random(seed * 1000003 + number), tables, seed, number)
        self.session.sql(";\n".join("DROP FOREIGN TABLE f%d CASCADE; DROP TABLE l%d, d%d" % ((t.number,) * 3) for t in tables))

    def load(self, rnd, table):
        name = "t%d" % table.number
        command("create_table", table=name, replace=True, keys=[{"name": n, "type": g.REMOTE[kind].upper()} for n, kind in table.keys])
        rows = []
        for key, cells in table.rows.items():
            columns = {n: remote(kind, v) for (n, kind), v in zip(table.cells, cells) if v is not None}
            for n, kind in table.cells if table.faulty else []:
                if n not in columns and rnd.random() < 0.3:
                    columns[n] = misfit(rnd, kind)
            rows.append({"key": [remote(kind, v) for (_, kind), v in zip(table.keys, key)], "columns": columns})
        command("put", table=name, rows=rows)

    def case(self, rnd, tables, seed, number):
        table = rnd.choice(tables)
        query = g.Query(rnd, table)
        prepared = rnd.random() < 0.3
        if prepared:
            query.params = []
        sql, ordered = query.join() if rnd.random() < 0.2 else query.select()
        switches = [s for s in SWITCHES if rnd.random() < 0.2]
        settings = "; ".join(["SET %s = off" % s for s in switches] +
                             ["SET plan_cache_mode = %s" % rnd.choice(["force_generic_plan", "force_custom_plan"])])
        foreign = rnd.choice(["f", "f", "f", "f", "f", "f", "v"])
        texts = [sql.replace("{T}", "%s%d" % (name, table.number)).replace("{D}", "d%d" % table.number)
                 for name in (foreign, "l")]
        run = texts
        if prepared and query.params:
            types = ", ".join(t for t, _ in query.params)
            values = ", ".join(v for _, v in query.params)
            for name, text in zip("fl", texts):
                self.session.try_sql("PREPARE %s (%s) AS %s" % (name, types, text))
            run = ["EXECUTE %s (%s)" % (name, values) for name in "fl"]
        self.session.sql(settings)
        (rows, state), (wanted, wanted_state) = self.answers(run)
        why = None
        if state != wanted_state:
            why = "SQLSTATE %s, wanted %s" % (state, wanted_state)
        elif sorted(rows) != sorted(wanted):
            why = "rows differ"
        elif ordered < 0 and rows != wanted:
            why = "order differs"
        elif ordered > 0 and [x.split(SEPARATOR)[:ordered] for x in rows] != [x.split(SEPARATOR)[:ordered] for x in wanted]:
            why = "order differs"
        if why is None:
            self.passed += 1
        else:
            self.failed += 1
            self.report(seed, number, why, settings, table, texts, run, rows, wanted)
        self.session.try_sql("DEALLOCATE ALL; RESET ALL; SET client_min_messages = error")

    def report(self, seed, number, why, settings, table, texts, run, rows, wanted):
        print("FAILED: block seed %d, case %d: %s" % (seed, number, why))
        print("  %s;\n  %s;" % (settings, texts[0]))
        if run[0] != texts[0]:
            print("  %s;" % run[0])
        print("  key: %s" % (table.keys,))
        for line in self.session.try_sql("EXPLAIN (VERBOSE, COSTS OFF) " + run[0])[0]:
            print("  | " + line[:400])
        for line in self.session.try_sql(run[0])[0][:3] if not rows else []:
            print("  > " + line[:400])
        for name, lines in (("not wanted", set(rows) - set(wanted)), ("missing", set(wanted) - set(rows))):
            for line in sorted(lines)[:3]:
                print("  %s: %s" % (name, line[:400].replace(SEPARATOR, "|")))
        print("  %d rows, wanted %d" % (len(rows), len(wanted)), flush=True)


def main():
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20240101
    runner = Runner()
    done = 0
    while done < cases:
        n = min(BLOCK, cases - done)
        runner.block(seed, n)
        seed += 1
        done += n
        if runner.failed >= 10:
            break				# the same, most likely
    print("diff: %d passed, %d failed" % (runner.passed, runner.failed))
    raise SystemExit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
