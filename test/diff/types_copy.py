"""Differential test of foreign tables of OSS: generated csv and text files with typed columns, in
many encodings and compressions, in one object or several, must give the rows that COPY FROM of the
same bytes puts into a local table, or the same SQLSTATE.

  types_copy.py DIRECTORY [files [seed]]       test/diff/types, make check-types

Files are written to DIRECTORY, which the server must be able to read.  What docs/oss.md says is
different from COPY (a BOM, the end marker) is never generated; see rows_copy.py for that.
"""
import bz2
import ctypes
import ctypes.util
import gzip
import json
import lzma
import os
import random
import re
import subprocess
import sys

os.environ["PGCLIENTENCODING"] = "UTF8"
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, oss_bucket, oss_put  # noqa: E402

VERIFIED = {"22021", "22P05", "22P04"}
PYTHON = {"UTF8": "utf-8", "GBK": "gbk", "GB18030": "gb18030", "LATIN1": "latin-1", "EUC_JP": "euc_jp", "SQL_ASCII": "utf-8"}
SETUP = r"""
\pset format unaligned
\pset tuples_only on
SET client_min_messages = error;
SET lc_messages = 'C';
SET TimeZone = 'Asia/Shanghai';
CREATE EXTENSION IF NOT EXISTS mc_fdw;
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'types', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FUNCTION rows_of(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT coalesce(string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C"), '''') FROM %%I x', t) INTO result;
  RETURN result;
END $$;
CREATE FUNCTION compare(files text[], options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE copied text; read text; copy_state text = ''; read_state text = ''; copy_message text = ''; read_message text = ''; file text; first int;
BEGIN
  BEGIN
    FOREACH file IN ARRAY files LOOP EXECUTE format('COPY l FROM %%L WITH (%%s)', file, options); END LOOP;
    copied := rows_of('l');
  EXCEPTION WHEN others THEN copy_state := SQLSTATE; copy_message := SQLERRM;
  END;
  BEGIN
    read := rows_of('f');
  EXCEPTION WHEN others THEN read_state := SQLSTATE; read_message := SQLERRM;
  END;
  IF copy_state <> read_state THEN
    RETURN format('DIFFERENT: COPY: %%s %%s %%s; the foreign table: %%s %%s %%s', copy_state, copy_message, left(copied, 300), read_state, read_message, left(read, 300));
  ELSIF copy_state <> '' THEN
    RETURN 'error ' || copy_state;
  ELSIF copied = read THEN
    RETURN 'rows ' || (length(copied) - length(replace(copied, E'\n', '')));
  END IF;
  SELECT min(i) INTO first FROM unnest(string_to_array(copied, E'\n'), string_to_array(read, E'\n')) WITH ORDINALITY x (a, b, i) WHERE a IS DISTINCT FROM b;
  RETURN format('DIFFERENT in line %%s; %%s and %%s characters: COPY: %%s; the foreign table: %%s', first, length(copied), length(read),
    left((string_to_array(copied, E'\n'))[first], 600), left((string_to_array(read, E'\n'))[first], 600));
END $$;
""" % ((OSS,) + KEY)

# ---- compression ----

ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
LZ4 = ctypes.CDLL(ctypes.util.find_library("lz4") or "liblz4.so.1")
SNAPPY = ctypes.CDLL(ctypes.util.find_library("snappy") or "libsnappy.so.1")
for library, name in ((ZSTD, "ZSTD_compressBound"), (ZSTD, "ZSTD_compress"), (LZ4, "LZ4F_compressFrameBound"),
                      (LZ4, "LZ4F_compressFrame"), (SNAPPY, "snappy_max_compressed_length")):
    getattr(library, name).restype = ctypes.c_size_t
CRC32C = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    CRC32C.append(n)


def zstd(data):
    n = ctypes.c_size_t(ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    out = ctypes.create_string_buffer(n.value)
    used = ZSTD.ZSTD_compress(out, n, data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:used]


def lz4(data):
    n = ctypes.c_size_t(LZ4.LZ4F_compressFrameBound(ctypes.c_size_t(len(data)), None))
    out = ctypes.create_string_buffer(n.value)
    used = LZ4.LZ4F_compressFrame(out, n, data, ctypes.c_size_t(len(data)), None)
    return out.raw[:used]


def snappy(data):
    out = b"\xff\x06\x00\x00sNaPpY"
    for at in range(0, len(data), 65536):
        block = data[at:at + 65536]
        crc = 0xFFFFFFFF
        for b in block:
            crc = CRC32C[(crc ^ b) & 255] ^ crc >> 8
        crc ^= 0xFFFFFFFF
        crc = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        n = ctypes.c_size_t(SNAPPY.snappy_max_compressed_length(ctypes.c_size_t(len(block))))
        packed = ctypes.create_string_buffer(n.value)
        SNAPPY.snappy_compress(block, ctypes.c_size_t(len(block)), packed, ctypes.byref(n))
        body = crc.to_bytes(4, "little") + packed.raw[:n.value]
        out += b"\0" + len(body).to_bytes(3, "little") + body
    return out


CODECS = {"none": (lambda d: d, ".csv"), "gzip": (lambda d: gzip.compress(d, 1, mtime=0), ".gz"), "zstd": (zstd, ".zst"),
          "bzip2": (lambda d: bz2.compress(d, 1), ".bz2"), "lz4": (lz4, ".lz4"), "snappy": (snappy, ".snappy"),
          "xz": (lambda d: lzma.compress(d, preset=0), ".xz")}


def compress(rnd, codec, data):
    """in one member or some"""
    pack = CODECS[codec][0]
    if codec == "none" or rnd.random() < 0.6:
        return pack(data)
    cuts = [0] + sorted(rnd.randrange(len(data) + 1) for _ in range(rnd.randrange(1, 4))) + [len(data)]
    return b"".join(pack(data[a:b]) for a, b in zip(cuts, cuts[1:]))


# ---- values ----

NASTY = [False]			# may there be values that their type refuses?


def wrong(rnd):
    return NASTY[0] and rnd.random() < 0.05


LATIN = [False]			# a database of encoding LATIN1
LETTERS = list("abcXYZ 019,;|'\"\\.-_/nNrt\t\r\n") + ["\u4e2d", "\u6587", "\u00e9", "\u00df", "\u3042", "\U0001f600", "\u20ac", "\u0300", "\u9ad8", "\ufa0c"]


def word(rnd, longest=12):
    if rnd.random() < 0.03:
        return rnd.choice(["x" * 127, "y" * 126, "\u4e2d" * 42, "z" * 128, "w" * 5000, "\u6587" * 3000])
    return "".join(rnd.choice(LETTERS) if rnd.random() < 0.4 else rnd.choice("abcdefgh") for _ in range(rnd.randrange(longest)))


def short(rnd, longest):
    return word(rnd, min(longest + 1, 20)) if wrong(rnd) else word(rnd, min(longest + 1, 20))[:longest]


def integer(bits):
    def make(rnd):
        return rnd.choice([str(rnd.randrange(-2 ** (bits - 1), 2 ** (bits - 1))), str(rnd.randrange(100)), str(2 ** (bits - 1) - 1),
                           str(-2 ** (bits - 1)), "-0", "+7", "007", " 5", "6 ", str(2 ** (bits - 1)), "1e2", "", "12a", "0x10", "1_0"][:9 + 6 * (wrong(rnd))])
    return make


def number(digits, scale):
    def make(rnd):
        if NASTY[0] and rnd.random() < 0.1:
            return any_number(rnd)
        n = rnd.randrange(10 ** rnd.randrange(1, digits - scale + 1))
        return rnd.choice(["%d" % n, "-%d" % n, "0", "-0", "-0.0", "0.00", "%d." % (n // 10), "+%d" % n, " %d " % n, ".5", "-.5", "1e0", "NaN",
                           "%d.%0*d" % (n // 10, scale + 1, rnd.randrange(10 ** scale)), "%d.%0*d" % (n // 10, rnd.randrange(1, 20), rnd.randrange(9)), "%.3e" % (n // 10)])
    return make


def any_number(rnd):
    return rnd.choice([str(rnd.randrange(-10 ** 6, 10 ** 6) / 100), "%d.%0*d" % (rnd.randrange(1000), rnd.randrange(1, 20), rnd.randrange(9)), "0", "-0", "-0.0", "0.00",
                       str(rnd.randrange(10 ** 18)), str(rnd.random()), "%.3e" % rnd.random(), "1.", "+1.5", " 2.5 ", "999.995", "9999.99", "99999999.994", "123456789012345678",
                       "NaN", "Infinity", "-inf", ".5", "-.5", "1e400", "1e-400", "1,5", ".", "-", "1.2.3", "1e", "9" * 40][:16 + 12 * (rnd.random() < 0.1)])


def day(rnd):
    return rnd.choice(["%04d-%02d-%02d" % (rnd.randrange(1, 9999), rnd.randrange(1, 13), rnd.randrange(1, 29))] * 8 +
                      ["2024-02-29", "1900-02-28", "0001-01-01", "9999-12-31", "infinity", "20240131", "Jan 5 2020", "2024/1/5", "0044-03-15 BC", "12345-06-07", "epoch"] +
                      ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "x", "2024-1-1x", "2024-04-31", "6000000-01-01"] * (wrong(rnd)))


def clock(rnd):
    return "%02d:%02d:%02d%s" % (rnd.randrange(24), rnd.randrange(60), rnd.randrange(60), rnd.choice(["", "", ".5", ".123456", ".000001", ".1234567", ".9999999", ".100"])) \
        if rnd.random() < 0.97 else rnd.choice(["24:00:00", "23:59:60", "1:2:3", "12:34", "12:34:56."] + ["25:00:00", "12:60:00", "12:34:56 PM", "x"] * NASTY[0])


def plain_day(rnd):
    return "%04d-%02d-%02d" % (rnd.randrange(1, 9999), rnd.randrange(1, 13), rnd.randrange(1, 29))


def stamp(rnd):
    return plain_day(rnd) if rnd.random() < 0.1 else (day(rnd)[:10] if NASTY[0] else plain_day(rnd)) + rnd.choice([" ", " ", " ", "T", "  "]) + clock(rnd) if rnd.random() < 0.98 else rnd.choice(
        ["294276-12-30 23:59:59.999999", "1986-05-04 02:30:00", "1940-06-01 00:30:00", "1900-12-31 23:59:59"])


def zoned(rnd):
    text = stamp(rnd)
    return text + rnd.choice(["", "", "", "Z", "+08", "-03:30", "+0530", "+14", "-15", " UTC", "+15:59", " Asia/Tokyo", "+08:00:00"] + ["+16"] * NASTY[0]) if len(text) > 10 else text


def jsonb(rnd):
    def make(depth):
        k = rnd.random()
        if depth > 3 or k < 0.5:
            return rnd.choice([None, True, rnd.randrange(1000), rnd.random(), word(rnd)])
        return [make(depth + 1) for _ in range(rnd.randrange(4))] if k < 0.7 else {word(rnd, 4): make(depth + 1) for _ in range(rnd.randrange(4))}
    return json.dumps(make(0), ensure_ascii=LATIN[0] or rnd.random() < 0.5) if not wrong(rnd) else rnd.choice(["{", "[1,]", "nul", "", '"\\u0000"', '"\\ud800"', "1e", "{}x"])


def array(rnd):
    def make(depth):
        return "{" + ",".join(rnd.choice(["1", "-7", "NULL", "null", " 3", '"4"', "2147483647"]) for _ in range(rnd.randrange(5))) + "}"
    return make(0) if rnd.random() < 0.97 else rnd.choice(["{{1,2},{3,4}}", "[2:3]={1,2}"] + NASTY[0] * ["{", "1,2", "{1,x}", "{2147483648}", "{{1},{2,3}}"])


def bytes_(rnd):
    raw = bytes(rnd.randrange(256) for _ in range(rnd.randrange(20)))
    return rnd.choice(["\\x" + raw.hex(), "\\x" + raw.hex().upper(), "abc", "a\\\\b", "\\001x", "\\x 61 62"] + ["\\xg1", "\\x1", "\\9"] * (wrong(rnd)))


TYPES = {
    "int2": integer(16), "int4": integer(32), "int8": integer(64), "numeric": number(25, 5), "numeric(10,2)": number(10, 2), "numeric(5,0)": number(5, 0),
    "numeric(18,6)": number(18, 6), "numeric(30,10)": number(30, 10), "float4": number(9, 3), "float8": number(18, 4),
    "bool": lambda r: r.choice(["t", "f", "true", "false", "1", "0", "yes", "off", "TRUE", "of", " t ", "y"] + ["2", "tr ue", "", "o"] * (wrong(r))),
    "text": word, "varchar": word, "varchar(5)": lambda r: short(r, 5) if r.random() < 0.9 else "ab      ", "varchar(200)": lambda r: short(r, 200), "char(4)": lambda r: short(r, 4), "char(150)": lambda r: short(r, 150),
    "date": day, "timestamp": stamp, "timestamptz": zoned, "timestamp(0)": stamp, "timestamptz(3)": zoned, "time": clock,
    "interval": lambda r: r.choice(["1 day", "01:02:03", "P1Y2M", "1 mon -2 days", "-5.5 hours", "@ 1 year ago", "1.5 weeks", "3"] + ["x", "1 foo"] * (wrong(r))),
    "uuid": lambda r: r.choice(["%032x" % r.getrandbits(128), "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}"] + ["a0ee", "g" * 32] * (wrong(r))),
    "bytea": bytes_, "jsonb": jsonb, "json": jsonb, "int[]": array,
}

# ---- files ----


class Case:
    pass


def literal(text):
    return "E'" + "".join(x if x.isalnum() or x in " _-,()/." else "\\x%02x" % ord(x) if ord(x) < 128 else x for x in text) + "'"


def make_case(rnd, latin):
    c = Case()
    c.csv = rnd.random() < 0.6
    c.columns = [("c%d" % i if rnd.random() < 0.8 else rnd.choice(["Name", "x y", "\u00e9t\u00e9", "sel,ect", 'q"q']) + str(i), rnd.choice(list(TYPES))) for i in range(rnd.choice([1, 2, 3, 4, 6, 10, 27]))]
    c.delimiter = rnd.choice(",,,,;|\t\x01 " if c.csv else "\t\t\t\t,|;\x01")
    c.quote = rnd.choice("\"\"\"\"'$") if c.csv else ""
    c.escape = rnd.choice([c.quote, c.quote, "\\", "!"]) if c.csv else ""
    c.null = rnd.choice(["", "", "", "NULL", "\\N", "-"] if c.csv else ["\\N", "\\N", "\\N", "", "NULL", "-"])
    c.header = rnd.choice(["false", "false", "false", "true", "match"])
    c.encoding = rnd.choice(["UTF8"] * 3 + (["LATIN1"] * 2 + ["SQL_ASCII"] if latin else ["GBK", "GB18030", "LATIN1", "EUC_JP", "SQL_ASCII"]))
    c.python = PYTHON[c.encoding] if not (latin and c.encoding == "SQL_ASCII") else "latin-1"
    c.latin = latin
    c.strange = rnd.random() < 0.1
    c.line_end = rnd.choice(["\n", "\n", "\n", "\r\n", "\r\n", "\r"])
    c.force_null = [c.csv and rnd.random() < 0.1 for _ in c.columns]
    c.force_not_null = [c.csv and rnd.random() < 0.1 for _ in c.columns]
    c.codec = rnd.choice(["none"] * 4 + list(CODECS))
    c.named = rnd.random() < 0.5
    c.objects = rnd.choice([1] * 5 + [2, 3, 5])
    c.blocks = rnd.random() < 0.12			# records cross blocks of 64 kB
    c.wrong = rnd.random() < 0.15			# values that the type refuses, wrong structure
    NASTY[0] = c.wrong
    LATIN[0] = latin
    c.dirty = not c.wrong and rnd.random() < 0.03		# bytes that are not of the encoding
    return c


def field(rnd, c, i):
    if rnd.random() < 0.12:
        return c.null
    text = TYPES[c.columns[i][1]](rnd)
    if c.csv:
        must = any(x in text for x in (c.delimiter, c.quote, "\r", "\n")) or text == c.null or "\\." in text
        if not must and rnd.random() < 0.7:
            return text
        return c.quote + "".join(c.escape + x if x in (c.quote, c.escape) else x for x in text) + c.quote
    out = ""
    for x in text:
        plain = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b"}.get(x)
        if x == "\\" or x == c.delimiter or x in "\r\n":
            out += plain if plain and rnd.random() < 0.7 and x != c.delimiter else "\\" + x
        elif rnd.random() < 0.02 and ord(x) < 128:
            out += rnd.choice(["\\%03o", "\\x%02x"]) % ord(x)
        else:
            out += x
    return "\\" + out if out == c.null and rnd.random() < 0.5 and out[:1].isupper() else out


def header(rnd, c):
    names = [n for n, _ in c.columns]
    if c.wrong and rnd.random() < 0.3:
        names[0] += "x"
    if c.csv:
        names = [c.quote + n.replace(c.escape, c.escape * 2).replace(c.quote, c.escape + c.quote if c.quote != c.escape else c.quote) + c.quote
                 if any(x in n for x in (c.delimiter, c.quote, c.escape, " ")) or rnd.random() < 0.3 else n for n in names]
    return c.delimiter.join(names) + c.line_end


def make_file(rnd, c):
    n = rnd.choice([0, 1, 2, 3, 5, 10, 30])
    lines = [header(rnd, c)] if c.header != "false" else []
    rows = [c.delimiter.join(field(rnd, c, i) for i in range(len(c.columns))) for _ in range(n)]
    if c.blocks and n > 0:
        size = sum(map(len, rows)) + 1
        rows = [rnd.choice(rows) for _ in range(min(20000, rnd.randrange(70000, 300000) * n // size))]
    if c.wrong and rows and rnd.random() < 0.3:
        at = rnd.randrange(len(rows))
        rows[at] += rnd.choice([c.delimiter + "1", c.quote or "\\", "\r", ""])
    text = "".join(lines + [r + c.line_end for r in rows])
    if rnd.random() < 0.2 and text.endswith(c.line_end):
        text = text[:-len(c.line_end)]
    text = text.replace("\\.", "\\_")
    if c.latin and not (c.strange and not c.wrong):
        text = text.encode("latin-1", "ignore").decode("latin-1")
    data = text.encode(c.python, "ignore")
    if c.dirty and data:
        for _ in range(rnd.choice([1, 1, 2])):
            at = rnd.randrange(len(data))
            data = data[:at] + rnd.choice([b"\xff", b"\x80", b"\xe4\xb8", b"\0", b"\xc3", b"\xa1", b"\x8e\xa1", b"\xfe\x39"]) + data[at + rnd.randrange(2):]
        data = data.replace(b"\\.", b"\\_")
    return data


def statements(c, number, directory):
    o = ["format " + ("csv" if c.csv else "text"), "delimiter " + literal(c.delimiter), "null " + literal(c.null), "encoding '%s'" % c.encoding]
    if c.csv:
        o += ["quote " + literal(c.quote), "escape " + literal(c.escape)]
    copy = o + ["header " + c.header]
    ours = ["format '%s'" % ("csv" if c.csv else "text")] + o[1:] + ["header '%s'" % c.header]
    columns = [('"%s"' % n.replace('"', '""'), t) for n, t in c.columns]
    for what, flags in (("force_null", c.force_null), ("force_not_null", c.force_not_null)):
        if any(flags):
            copy.append("%s (%s)" % (what, ", ".join(n for (n, _), f in zip(columns, flags) if f)))
    flags = [", ".join(w for w, f in (("force_null 'true'", a), ("force_not_null 'on'", b)) if f) for a, b in zip(c.force_null, c.force_not_null)]
    key = "%d/" % number
    ours.append("object '%s'" % c.keys[0] if c.objects == 1 else "prefix '%s'" % key)
    if not c.named:
        ours.append("compression '%s'" % c.codec)
    if c.blocks:
        ours.append("block_size '64kB'")
    return ["CREATE TABLE l (%s);" % ", ".join("%s %s" % x for x in columns),
            "CREATE FOREIGN TABLE f (%s) SERVER oss OPTIONS (%s);" % (", ".join("%s %s%s" % (n, t, " OPTIONS (%s)" % f if f else "") for (n, t), f in zip(columns, flags)), ", ".join(ours)),
            "SELECT compare(ARRAY[%s], %s);" % (", ".join("'%s'" % p for p in c.paths), literal(", ".join(copy))),
            "DROP TABLE l; DROP FOREIGN TABLE f;"]


def run(database, directory, seed, numbers, latin):
    oss_bucket("types")
    sql = [SETUP]
    cases = []
    for number in numbers:
        rnd = random.Random("%d/%d" % (seed, number))
        c = make_case(rnd, latin)
        c.number = number
        c.paths, c.keys = [], []
        for i in range(c.objects):
            data = make_file(rnd, c)
            c.paths.append(os.path.join(directory, "f%d_%d" % (number, i)))
            c.keys.append("%d/%d%s" % (number, i, CODECS[c.codec][1] if c.named else ".bin"))
            with open(c.paths[-1], "wb") as f:
                f.write(data)
            oss_put(c.keys[-1], compress(rnd, c.codec, data), bucket="types")
        c.sql = statements(c, number, directory)
        sql += c.sql
        cases.append(c)
    answers = subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", database], input="\n".join(sql).encode(), stdout=subprocess.PIPE,
                             check=True).stdout.decode().splitlines()
    return cases, answers


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    only = [int(x) for x in sys.argv[4:]]
    passed = failed = errors = rows = files = 0
    subprocess.run(["psql", "-Xqc", "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0"], check=True)
    split = count * 4 // 5
    for database, numbers in (("postgres", range(split)), ("latin", range(split, count))):
        if only:
            numbers = [n for n in numbers if n in only]
        cases, answers = run(database, directory, seed, numbers, database == "latin")
        merged = []
        for line in answers:
            if line.startswith(("rows ", "error ", "DIFFERENT")):
                merged.append(line)
            else:
                merged[-1] += "\\n" + line
        assert len(merged) == len(cases), "%d answers to %d cases" % (len(merged), len(cases))
        for c, answer in zip(cases, merged):
            files += c.objects
            both = re.match(r"DIFFERENT: COPY: (\w{5}) .*; the foreign table: (\w{5}) ", answer)
            # COPY does not verify what is called SQL_ASCII; we never let bytes in that the database could not hold
            if c.dirty and c.encoding == "SQL_ASCII" and re.search(r"the foreign table: 22021 ", answer):
                both, answer = None, "error 22021"
            # bytes that are not of the encoding, and what they make of the fields around: COPY verifies ahead
            if both and (c.dirty or c.strange) and set(both.groups()) <= VERIFIED:
                passed += 1
                errors += 1
            elif answer.startswith("DIFFERENT"):
                failed += 1
                if failed <= 10 or only:
                    print("FAILED: seed %d, case %d, %s: %s\n  %s" % (seed, c.number, c.encoding, answer[:1500], "\n  ".join(c.sql[:3])))
            else:
                passed += 1
                errors += answer.startswith("error ")
                rows += int(answer.split()[1]) if answer.startswith("rows ") else 0
    print("%d files, %d rows, %d tables are errors" % (files, rows, errors))
    print("types: %d passed, %d failed" % (passed, failed))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
