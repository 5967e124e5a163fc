"""Differential test of the readers of csv and text: generated files, read by us and by
COPY FROM of a PostgreSQL into tables of text columns, must give the same rows or the
same error (SQLSTATE, message, hint).

  rows_copy.py PROGRAM DIRECTORY [files [seed]]       test/diff/rows, make check-rows

PROGRAM is rows_read.  Files are written to DIRECTORY, which the server must be able to
read.  The differences that docs/options.md promises are modelled here, each where it says so.
"""
import json
import os
import random
import subprocess
import sys

BOM = b"\xef\xbb\xbf"
NAMES = ["a", "b", "Name", "x y", "e", "f\u00e9", "g", "h"]
SURPLUS = 40				# columns that we read behind those of the table: COPY verifies these fields too
ENCODING = 'invalid byte sequence for encoding "UTF8": '
SETUP = r"""
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = error;
SET lc_messages = 'C';
CREATE OR REPLACE FUNCTION try_copy(t text, file text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; hint text; result text; columns text;
BEGIN
  EXECUTE 'DELETE FROM ' || t;
  EXECUTE format('COPY %s FROM %L WITH (%s)', t, file, options);
  SELECT string_agg(format('coalesce(''v'' || encode(convert_to(%I, ''UTF8''), ''hex''), ''n'')', attname), ' || '','' || ' ORDER BY attnum)
    INTO columns FROM pg_attribute WHERE attrelid = t::regclass AND attnum > 0;
  EXECUTE format('SELECT ''R'' || coalesce(string_agg(%s, '';'' ORDER BY ctid), '''') FROM %s', columns, t) INTO result;
  RETURN result;
EXCEPTION WHEN others THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws('|', 'E' || state, encode(convert_to(message, 'UTF8'), 'hex'), encode(convert_to(hint, 'UTF8'), 'hex'));
END $$;
"""


class Case:
    pass


def quoted_name(name):
    return '"%s"' % name


def literal(text):
    """an SQL literal of any ASCII bytes"""
    return "E'" + "".join("\\x%02x" % b for b in text) + "'"


def random_options(rnd):
    c = Case()
    c.csv = rnd.random() < 0.6
    c.ncols = rnd.choice([1, 1, 2, 3, 3, 4, 8])
    if c.csv:
        c.delimiter = rnd.choice([b","] * 5 + [b";", b"\t", b"|", b"\x01", b".", b"n", b" ", b"\\"])
        c.quote = rnd.choice([b'"'] * 6 + [b"'", b"q", b"\\", b"$"])
        c.escape = rnd.choice([c.quote] * 3 + [b"\\", b"e", b"!", c.delimiter])
        if c.delimiter == c.quote:
            c.delimiter = b","
        c.null = rnd.choice([b""] * 4 + [b"NULL", b"\\N", b"-", b"e"])
    else:
        c.delimiter = rnd.choice([b"\t"] * 4 + [b",", b"|", b"\x01", b"A", b"F", b"/", b" "])
        c.quote = c.escape = b""
        c.null = rnd.choice([b"\\N"] * 4 + [b"", b"NULL", b"-", b"\\", b"\\\\", b"\\x41"])
    if c.delimiter in c.null or (c.quote and c.quote in c.null):
        c.null = b""
    c.header = rnd.choice([0, 0, 0, 0, 1, 2])
    c.names = NAMES[:c.ncols]
    c.force_null = [c.csv and rnd.random() < 0.15 for _ in c.names]
    c.force_not_null = [c.csv and rnd.random() < 0.15 for _ in c.names]
    c.needed = [rnd.random() < 0.85 for _ in c.names]
    c.line_end = rnd.choice([b"\n"] * 4 + [b"\r\n", b"\r\n", b"\r"])
    c.chunk = rnd.choice([1, 2, 3, 7, 64, 500, 4096, 1 << 20, 1 << 20])
    c.level = rnd.randrange(3)
    return c


def tokens(c):
    t = [c.delimiter] * 6 + [b"\n", b"\r", b"\r\n", c.line_end, c.line_end, c.line_end, c.null, b"\\", b"a", b"bc", b" ", b"1",
                            "\u4e2d".encode(), "\u00e9".encode(), "\U0001f600".encode(), b"xyz" * 30, b".", b"N"]
    if c.csv:
        t += [c.quote] * 6 + [c.escape, c.escape, c.quote * 2, c.escape + c.quote, c.quote + c.delimiter + c.quote]
    else:
        t += [b"\\n", b"\\t", b"\\b", b"\\f", b"\\v", b"\\r", b"\\\\", b"\\101", b"\\0", b"\\7", b"\\400", b"\\x4", b"\\x41", b"\\xg", b"\\x",
              b"\\N", b"\\" + c.delimiter, b"\\\n", b"\\\r", b"\\303\\251", b"\\xff", b"\\xe4\\xb8\\xad", b"\\000", b"\\xAF", b"\\xFAB"]
    return t


def dirt(rnd):
    return rnd.choice([b"\0", b"\xff", b"\xc3", b"\xe4\xb8", b"\xed\xa0\x80", b"\xf5", b"\x80", b"\xc0\x80", b"\xf0\x9f\x98"])


def value(rnd, c, t):
    """a field, well-formed most of the time"""
    kind = rnd.random()
    if kind < 0.15:
        return c.null
    if kind < 0.25:
        return b""
    raw = b"".join(rnd.choice(t) for _ in range(rnd.choice([1, 1, 2, 3, 6])))
    if c.csv:
        if kind < 0.55:
            return bytes(x for x in raw if bytes([x]) not in (c.delimiter, c.quote, b"\r", b"\n"))
        if kind < 0.6:
            return c.quote + c.null + c.quote
        out = b""
        for x in raw:
            b = bytes([x])
            out += c.escape + b if b in (c.quote, c.escape) else b
        out = c.quote + out + c.quote
        return out if kind < 0.95 else rnd.choice([b"a", b" ", c.null]) + out + rnd.choice([b"", b"z", out])
    if kind < 0.9:
        return b"".join(b"\\" + bytes([x]) if bytes([x]) in (c.delimiter, b"\r", b"\n") else bytes([x]) for x in raw).replace(b"\\.", b"\\\\.")
    return raw


def header_line(rnd, c):
    names = [n.encode() for n in c.names]
    if rnd.random() < 0.25:
        names[rnd.randrange(len(names))] = rnd.choice([b"zz", b"", c.null, b"A"])
    if rnd.random() < 0.1:
        names.append(b"more")
    if rnd.random() < 0.05:
        names.pop()
    if c.csv:
        names = [c.quote + n + c.quote if rnd.random() < 0.3 or c.delimiter in n or c.quote in n else n for n in names]
        if c.header == 1 and rnd.random() < 0.2:
            names[0:1] = [c.quote + b"two" + c.line_end + b"lines" + c.quote]
    return c.delimiter.join(names) + c.line_end


def random_file(rnd, c):
    t = tokens(c)
    style = rnd.random()
    if style < 0.2:
        data = b"".join(rnd.choice(t) for _ in range(rnd.choice([0, 1, 2, 3, 5, 10, 30, 100])))
    else:
        rows = rnd.choice([0, 1, 2, 3, 5, 8, 20, 20, 200, 1500] if style < 0.4 else [1, 2, 3, 6])
        small = [value(rnd, c, t) for _ in range(40)] if rows > 100 else None
        lines = []
        for _ in range(rows):
            n = c.ncols if rnd.random() < 0.99 else rnd.choice([1, c.ncols + 1, max(1, c.ncols - 1)])
            lines.append(c.delimiter.join(rnd.choice(small) if small else value(rnd, c, t) for _ in range(n)) + c.line_end)
        data = b"".join(lines)
    if c.header and rnd.random() < 0.9:
        data = header_line(rnd, c) + data
    end = rnd.random()
    if end < 0.2 and data.endswith(c.line_end):
        data = data[:-len(c.line_end)]
    elif end < 0.35:
        data += b"\\." + rnd.choice([c.line_end, c.line_end, c.line_end, b"", b"\n", b"\r", c.line_end + b"x", b"x"])
    elif end < 0.4:
        data += rnd.choice([b"\\", c.quote, c.delimiter, b"\r", b"\n"])
    for _ in range(rnd.choice([0] * 6 + [1, 1, 2])):
        at = rnd.randrange(len(data) + 1)
        change = rnd.random()
        if change < 0.4:
            data = data[:at] + rnd.choice(t) + data[at:]
        elif change < 0.7:
            data = data[:at] + data[at + rnd.choice([1, 1, 2, 5]):]
        elif change < 0.85:
            data = data[:at] + rnd.choice([c.line_end, b"\\.", b"\\." + c.line_end, c.line_end + b"\\." + c.line_end]) + data[at:]
        else:
            data = data[:at] + dirt(rnd) + data[at:]
    if b"\\" in (c.delimiter, c.quote) and c.csv:
        data = data.replace(b"\\.", b"\\_")		# for COPY the end of the data, and nothing says the same without being it
    if rnd.random() < 0.05:
        data = BOM + data
    return data


def first_invalid(data):
    """position of the first byte that is not UTF-8, or NUL; None"""
    try:
        data.decode("utf-8")
        at = None
    except UnicodeDecodeError as e:
        at = e.start
    nul = data.find(b"\0")
    if nul >= 0 and (at is None or nul < at):
        at = nul
    return at


def encoding_error(data, at):
    lead = data[at]
    n = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 if lead < 0xF8 else 1
    return ("E", "22021", ENCODING + " ".join("0x%02x" % b for b in data[at:at + n]), "")


def bad_file(c):
    return encoding_error(c.copied, first_invalid(c.copied))


def our_answer(c, data, out):
    """what we read, as COPY's rules for the number of fields would have it"""
    if "refused" in out:
        return ("E", "?", out["refused"], "")
    bad = first_invalid(data)
    rows = []
    crlf = any(data[r[4] - 2:r[4]] == b"\r\n" for r in out["records"])
    for line, nfields, verified, start, end, fields in out["records"]:
        # COPY looks at the byte behind a CR before it deals with the CR itself: in csv always, in text unless it knows the line end
        peeks = data[end - 1:end] == b"\r" and (c.csv or (not rows and not c.header))
        if bad is not None and (bad < end or (bad == end and peeks)):
            if bad < end and verified:
                return ("E", "?", "a record is called verified and is not", "")
            return bad_file(c)
        if not verified:
            return ("E", "?", "a record is not verified, but valid", "")
        for f in fields:
            if f[0] == "c":
                raw = bytes.fromhex(f[1:])
                wrong = first_invalid(raw)
                if wrong is not None:
                    return encoding_error(raw, wrong)
        if nfields > c.ncols:
            return ("E", "22P04", "extra data after last expected column", "")
        if nfields < c.ncols:
            return ("E", "22P04", 'missing data for column "%s"' % c.names[nfields], "")
        rows.append(["v" + f[1:] if f[0] == "c" else f for f in fields[:c.ncols]])
    if "error" in out:
        message = bytes.fromhex(out["message"]).decode("utf-8", "replace")
        at = out["offset"]
        if message == "received copy data after EOF marker" and not c.csv:
            return ("marker", rows)		# COPY passes over it
        if message == "end-of-copy marker is not alone on its line" and not c.csv and data[at:at + 2] == b"\\.":
            return ("inside", rows)		# COPY takes it for the end of the line, and reads on
        if message.startswith(ENCODING):
            # in the header; of bad bytes of the file COPY shows what follows the line, too
            shown = bad_file(c) if bad is not None else None
            return shown if shown and shown[2].startswith(message) else ("E", "22021", message, "")
        if bad is not None and (bad < at or (bad == at + 1 and data[at:at + 1] == b"\r" and (c.csv or crlf)) or
                                (data[at:at + 2] == b"\\." and bad <= at + 4)):
            return bad_file(c)
        if message == "unterminated CSV quoted field" and c.header == 1 and not out["header"]:
            return ("R", [])			# COPY takes the rest of the file for the header
        if bad is not None and message.split()[0] in ("wrong", "column") and data[bad - 1:bad] == b"\r" and bad == out["end"]:
            return bad_file(c)			# that look behind the header's CR
        return ("E", "22P04", message, bytes.fromhex(out["hint"]).decode())
    return ("R", rows)


def for_copy(c, data, out):
    """the file as COPY must get it: no BOM; csv: a line \\. is data for us, so it is quoted"""
    parts = []
    at = 0
    if c.csv:
        starts = {0, out.get("end", 0)} | {r[3] for r in out.get("records", [])}
        for s in sorted(starts):
            if data[s:s + 2] == b"\\.":
                parts += [data[at:s], c.quote, b"\\" * (1 + (c.escape == b"\\")), c.quote, b"."]
                at = s + 2
    return b"".join(parts) + data[at:]


def job_line(c, path):
    def flags(f):
        return "".join("01"[x] for x in f) + "0" * SURPLUS
    surplus = SURPLUS if c.header != 2 else 0
    names = ",".join(n.encode().hex() for n in c.names + ["surplus%d" % i for i in range(surplus)])
    needed = "".join("01"[x] for x in c.needed) + "1" * surplus
    if not c.csv:
        needed = "1" * len(needed)		# COPY verifies what escapes made in every field
    return " ".join([["text", "csv"][c.csv], c.delimiter.hex(), c.quote.hex() or "-", c.escape.hex() or "-", c.null.hex() or "-",
                     str(c.header), names, needed, flags(c.force_null), flags(c.force_not_null), str(c.chunk), str(c.level), path])


def copy_options(c):
    o = ["FORMAT csv" if c.csv else "FORMAT text", "ENCODING 'UTF8'", "DELIMITER " + literal(c.delimiter), "NULL " + literal(c.null)]
    if c.csv:
        o += ["QUOTE " + literal(c.quote), "ESCAPE " + literal(c.escape)]
        for word, flags in (("FORCE_NULL", c.force_null), ("FORCE_NOT_NULL", c.force_not_null)):
            if any(flags):
                o.append("%s (%s)" % (word, ", ".join(quoted_name(n) for n, f in zip(c.names, flags) if f)))
    o.append("HEADER " + ["false", "true", "match"][c.header])
    return ", ".join(o)


def show(data):
    return repr(data if len(data) < 600 else data[:300] + b" ... " + data[-300:])


def main():
    program, directory = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 6000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    cases = []
    for i in range(count):
        rnd = random.Random("%d/%d" % (seed, i))
        c = random_options(rnd)
        c.number = i
        c.data = random_file(rnd, c)
        c.path = os.path.join(directory, "f%d" % i)
        with open(c.path, "wb") as f:
            f.write(c.data)
        cases.append(c)
    jobs = "".join(job_line(c, c.path) + "\n" for c in cases)
    ours = subprocess.run([program], input=jobs.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(ours) == count, "%d answers to %d jobs" % (len(ours), count)

    sql = [SETUP]
    for n in sorted(set(c.ncols for c in cases)):
        sql.append("CREATE TEMP TABLE t%d (%s);" % (n, ", ".join(quoted_name(x) + " text" for x in NAMES[:n])))
    for c, line in zip(cases, ours):
        c.out = json.loads(line)
        bom = len(BOM) if c.data.startswith(BOM) else 0
        c.seen = c.data[bom:]
        for r in c.out.get("records", []):
            r[3] -= bom
            r[4] -= bom
        for key in ("offset", "end"):
            c.out[key] = c.out.get(key, bom) - bom
        c.copied = for_copy(c, c.seen, c.out)
        with open(c.path, "wb") as f:
            f.write(c.copied)
        if c.number % 50 == 0:
            sql.append("TRUNCATE %s;" % ", ".join("t%d" % n for n in sorted(set(x.ncols for x in cases))))
        sql.append("SELECT try_copy('t%d', %s, %s);" % (c.ncols, literal(c.path.encode()), "$o$" + copy_options(c) + "$o$"))
    answers = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1"], input="\n".join(sql).encode(), stdout=subprocess.PIPE,
                             check=True).stdout.decode().splitlines()
    assert len(answers) == count, "%d answers of psql to %d files" % (len(answers), count)

    passed = failed = errors = 0
    for c, answer in zip(cases, answers):
        got = our_answer(c, c.seen, c.out)
        if answer.startswith("E"):
            errors += 1
            state, message, hint = answer[1:].split("|")
            want = ("E", state, bytes.fromhex(message).decode(), bytes.fromhex(hint).decode())
        else:
            rows = [r.split(",") for r in answer[1:].split(";")] if answer != "R" else []
            if c.csv:
                rows = [[v if need else "u" for v, need in zip(r, c.needed)] for r in rows]
            want = ("R", rows)
        if got[0] == "marker":
            got = ("R", got[1])
        if got[0] == "inside" and (want[0] == "E" or want[1][:len(got[1])] == got[1]):
            got = want
        why = wrong_lines(c)
        if c.header == 2 and not c.csv and got[2:3] == ("extra data after last expected column",) and want[1] == "22021":
            got = want				# COPY verifies surplus fields before it counts them; with this header we read none
        if got != want:
            why = "differs"
        if why is None:
            passed += 1
            continue
        failed += 1
        if failed <= 10:
            print("FAILED: seed %d, file %d: %s\n  %s\n  data   %s\n  copied %s\n  ours   %s\n  COPY   %s" %
                  (seed, c.number, why, copy_options(c), show(c.data), show(c.copied), str(got)[:600], str(want)[:600]))
    print("%d files, %d errors among them" % (count, errors))
    print("rows: %d passed, %d failed" % (passed, failed))
    raise SystemExit(1 if failed else 0)


def wrong_lines(c):
    """lines of records are physical ones"""
    records = c.out.get("records", [])
    for r in records:
        before = c.seen[:r[3]]
        if r[0] != 1 + (before.count(b"\n") if b"\n" in before[-1:] else before.count(b"\r")):
            return "line %d of a record" % r[0]
    return None


if __name__ == "__main__":
    main()
