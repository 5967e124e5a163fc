"""Tablestore: what one SDK wrote, every other must read; the same for the records of the stream."""
import time

import tablestore_extension as ext
from checks import equal, ok
from mctest import command
from tablestore_values import KEYS, rows


def same(name, got, want):
    """Rows in order; the first that differs is told"""
    for g, w in zip(got, want):
        if g != w:
            return ok(name, False, "row %.300s: %.600s, want %.600s" % (w and w["key"], g, w))
    return equal(name + ", number of rows", len(got), len(want))


def make(table):
    command("tablestore", "create_table", table=table, replace=True, keys=[{"name": k, "type": t} for k, t in KEYS], max_versions=2,
            stream_hours=24)


def records(written):
    """What the stream must say of these writes: cells by name, as the service orders them"""
    return [dict(row, cells=sorted(row["cells"], key=lambda c: c[0])) for row in written]


def extension_reads(s, writer, table, seen):
    """Every shape: cells with two versions, columns of their own types, one object of all columns"""
    same("extension reads the cells %s wrote" % writer, ext.read_cells(s, table, 2), ext.only_cells(seen))
    same("extension reads the cells %s wrote, in parts" % writer,
         sorted(ext.read_cells(s, table, 2, ", split_size '1MB'", order=False), key=lambda r: [bytes(v[1], "utf-8") if v[0] == "STRING" else v[1] for _, v in r["key"]]),
         sorted(ext.only_cells(seen), key=lambda r: [bytes(v[1], "utf-8") if v[0] == "STRING" else v[1] for _, v in r["key"]]))
    for what, got, want in (("rows", ext.read_typed(s, table, seen), ext.typed(seen)), ("'*' columns", ext.read_rest(s, table), ext.as_rest(seen))):
        differs = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), None)
        if differs is None:
            equal("extension reads the %s of %s" % (what, writer), len(got), len(want))
        else:
            g, w = got[differs], want[differs]
            members = [(n, g[1].get(n), w[1].get(n)) for n in sorted(set(g[1]) | set(w[1])) if g[1].get(n) != w[1].get(n)]
            ok("extension reads the %s of %s" % (what, writer), False, "%.200s, want %.200s: %.900s" % (g[0], w[0], members))
    if any(ext.has_nul(c[1]) for r in seen for c in r["cells"]):
        ext.foreign(s, "nul", table, ["c19 text"])
        out, state = s.try_sql("SELECT c19 FROM nul WHERE pk_s = ''")
        ok("extension refuses a NUL character and says where", state == "22P05" and any("c19" in x for x in out), [state] + out)


def sdks(s, run, languages):
    """Values, versions, deletions of each SDK, as every SDK and the extension read them; the stream as Java and Go read it"""
    for writer in languages:
        table = "written_by_" + writer
        written, seen = rows(int(time.time() * 1000))
        make(table)
        run(writer, "tablestore", "write", "demo", table, lines=written)
        for reader in languages:
            same("%s reads what %s wrote" % (reader, writer), run(reader, "tablestore", "read", "demo", table, "2"), seen)
        extension_reads(s, writer, table, seen)
        for reader in (x for x in languages if x in ("java", "go")):
            got = run(reader, "tablestore", "stream", "demo", table)
            sequence = [r.pop("sequence") for r in got]
            ok("%s: the order of the records" % reader, sequence == sorted(sequence) and len({tuple(x) for x in sequence}) == len(sequence), sequence)
            same("%s reads the changes of %s" % (reader, writer), [dict(r, cells=sorted(r["cells"], key=lambda c: c[0])) for r in got], records(written))


CHECKS = [sdks]
