"""Rows of every type that PostgreSQL reads from files, and files of them written without PostgreSQL."""
import bz2
import csv
import gzip
import io
import json
import lzma

import lz4.frame
import snappy
import zstandard

# name, type, values as text; None is NULL.  What a value reads as is PostgreSQL's own affair: the same text is given to it as literal
COLUMNS = [
    ("id", "int4", None),
    ("i2", "int2", ["-32768", "32767", "0", None]),
    ("i8", "int8", ["-9223372036854775808", "9223372036854775807", " 7 ", None]),
    ("n", "numeric", ["NaN", "-0.000", "1e-30", "123456789012345678901234567890.123456789", "Infinity", None]),
    ("f4", "float4", ["1e-45", "3.4028235e38", "-0", "NaN", None]),
    ("f8", "float8", ["5e-324", "1.7976931348623157e308", "-Infinity", "0.1", "-0", None]),
    ("b", "bool", ["t", "false", "on", "0", None]),
    ("t", "text", ["", "plain", " blanks ", "comma,", 'quo"te', "'single'", "line\nfeed", "car\rriage", "cr\r\nlf", "tab\there", "back\\slash", "\\N", "\\.", "NULL", "#no comment",
                   "中文 é 🎉 \u2028 \ufeff", "a" * 20000, '"', '""', ";|", "\x01\x1f\x7f", None]),
    ("by", "bytea", ["\\x", "\\x00ff", "plain bytes", "\\\\backslash", "\\000\\377", None]),
    ("d", "date", ["4713-01-01 BC", "infinity", "2024-02-29", "5874897-12-31", None]),
    ("ti", "time", ["00:00:00.000001", "24:00:00", "23:59:59.999999", None]),
    ("ts", "timestamp", ["2024-03-10 02:30:00", "-infinity", "0001-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", None]),
    ("tz", "timestamptz", ["2024-03-10 02:30:00", "2024-01-01 00:00:00+08", "2024-11-03 01:30:00-05:30", "infinity", "2024-07-01T12:00:00Z", None]),
    ("iv", "interval", ["1 year -2 mons +3 days -04:05:06.789", "PT0.000001S", "-178000000 years", None]),
    ("u", "uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{00000000-0000-0000-0000-000000000000}", None]),
    ("j", "json", ['{"a": 1,\n "a": "é"}', "null", '"text"', None]),
    ("jb", "jsonb", ['{"b": 1e2, "a": [true, null, "\\u00e9,\\"\\\\"]}', "123456789012345678901234567890", None]),
    ("ai", "int4[]", ["{}", "{1,NULL,-3}", "{{1,2},{3,4}}", None]),
    ("at", "text[]", ['{"",NULL,"NULL","a,b","\\"q\\"","line\nfeed"}', "{}", None]),
    ("c", "char(5)", ["ab", "", "éé", None]),
    ("v", "varchar(4)", ["four", "", None]),
    ("ip", "inet", ["::1/128", "10.0.0.0/8", None]),
    ("r", "int4range", ["empty", "[1,5)", "(,)", None]),
]
NAMES = [n for n, _, _ in COLUMNS]


def make(count):
    """Rows in which each value of each column occurs; columns of different lengths meet in many ways"""
    return [[str(i)] + [values[(i + k) % len(values)] for k, (_, _, values) in enumerate(COLUMNS[1:])] for i in range(count)]


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def values_sql(rows, columns=COLUMNS):
    return ",\n".join("(%s)" % ", ".join("%s::%s" % (literal(v), t) for v, (_, t, _) in zip(row, columns)) for row in rows)


def csv_file(rows, null="", delimiter=",", lineterminator="\n", header=None, quoting=csv.QUOTE_MINIMAL):
    """By Python's csv module.  It writes None as nothing; what is empty but there is quoted by it only in part, so all strings are"""
    out = io.StringIO()
    w = csv.writer(out, delimiter=delimiter, lineterminator=lineterminator, quoting=quoting)
    if header:
        w.writerow(header)
    quoted = csv.writer(out, delimiter=delimiter, lineterminator=lineterminator, quoting=csv.QUOTE_ALL)
    if null == "":
        for row in rows:
            # one field at a time: a NULL bare, anything else quoted
            fields = []
            for v in row:
                one = io.StringIO()
                if v is not None:
                    csv.writer(one, delimiter=delimiter, lineterminator="", quoting=csv.QUOTE_ALL if v == "" or "\r" in v or "\n" in v else quoting).writerow([v])
                fields.append(one.getvalue())
            out.write(delimiter.join(fields) + lineterminator)
    else:
        for row in rows:
            quoted.writerow([null if v is None else v for v in row])
    return out.getvalue().encode()


TEXT_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def text_file(rows, lineterminator="\n"):
    one = lambda v: "\\N" if v is None else "".join(TEXT_ESCAPES.get(c, c) for c in v)
    return "".join("\t".join(one(v) for v in row) + lineterminator for row in rows).encode()


def jsonl_file(rows, ascii_only, sparse):
    """NULL is null, or a missing member"""
    number = {"int2", "int4", "int8"}

    def one(v, t):
        if v is None or t not in number | {"json", "jsonb", "bool"}:
            return json.dumps(v, ensure_ascii=ascii_only)
        if t in number:
            return v.strip()
        if t == "bool":
            return json.dumps(v, ensure_ascii=ascii_only) if v in ("on", "0") else "true" if v == "t" else "false"
        # a nested document keeps the spelling of its numbers; JSON on one line; null is NULL, not the document null
        return v.replace("\n", " ")
    return "".join("{%s}\n" % ", ".join("%s: %s" % (json.dumps(n), one(v, t)) for v, (n, t, _) in zip(row, COLUMNS) if not (sparse and v is None)) for row in rows).encode()


def halves(data):
    """Cut anywhere, also within a line or a character"""
    return data[:len(data) // 2 + 1], data[len(data) // 2 + 1:]


# suffix: (compress several members, decompress)
CODECS = {
    "": (lambda d: d, lambda d: d),
    ".gz": (lambda d: b"".join(gzip.compress(x) for x in halves(d)), gzip.decompress),
    ".bz2": (lambda d: b"".join(bz2.compress(x) for x in halves(d)), bz2.decompress),
    ".xz": (lambda d: b"".join(lzma.compress(x) for x in halves(d)), lzma.decompress),
    ".zst": (lambda d: b"".join(zstandard.ZstdCompressor().compress(x) for x in halves(d)), lambda d: zstandard.ZstdDecompressor().stream_reader(d, read_across_frames=True).read()),
    ".lz4": (lambda d: b"".join(lz4.frame.compress(x) for x in halves(d)), lambda d: b"".join(lz4_frames(d))),
    ".sz": (lambda d: b"".join(snappy.StreamCompressor().add_chunk(x) for x in halves(d)), lambda d: snappy.StreamDecompressor().decompress(d)),
}


def lz4_frames(data):
    while data:
        d = lz4.frame.LZ4FrameDecompressor()
        yield d.decompress(data)
        data = d.unused_data
