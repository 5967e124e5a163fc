"""The values that travel, in canonical form (../README.md)."""

LONG = "中文🎉é\t\"\\\n\r" * 30
SCALARS = [("id", "bigint"), ("c_tinyint", "tinyint"), ("c_smallint", "smallint"), ("c_int", "int"), ("c_bigint", "bigint"),
           ("c_float", "float"), ("c_double", "double"), ("c_decimal", "decimal(38,18)"), ("c_money", "decimal(10,2)"),
           ("c_string", "string"), ("c_varchar", "varchar(10)"), ("c_char", "char(5)"), ("c_binary", "binary"),
           ("c_boolean", "boolean"), ("c_date", "date"), ("c_datetime", "datetime"), ("c_timestamp", "timestamp"),
           ("c_nanos", "timestamp"), ("c_ntz", "timestamp_ntz"), ("c_months", "interval_year_month"),
           ("c_seconds", "interval_day_time"), ("c_json", "json")]
SCALAR_ROWS = [
    # zero and empty
    ["0", "0", "0", "0", "00000000", "0000000000000000", "0", "0", "", "", "", "", "false", "0", "0", "0:000000000", "0:000000000",
     "0:000000000", "0", "0:000000000", "{}"],
    # greatest
    ["127", "32767", "2147483647", "9223372036854775807", "7f7fffff", "7fefffffffffffff", "99999999999999999999.999999999999999999",
     "99999999.99", LONG, "中文éa", "中é", "00ff7f80", "true", "2932896", "253402300799999", "9000000000:999999000",
     "9000000000:999999999", "9000000000:999999000", "119987", "31535999:999999000", "{\"a\": [1, null, \"é\"], \"b\": {}}"],
    # least
    ["-128", "-32768", "-2147483648", "-9223372036854775807", "ff7fffff", "ffefffffffffffff",
     "-99999999999999999999.999999999999999999", "-99999999.99", " ", " x", "a", "00", "true", "-719162", "-62135596800000",
     "-9000000000:000001000", "-9000000000:000000001", "-9000000000:000001000", "-119987", "-31536000:000001000", "[]"],
    # just before the epoch, smallest steps
    ["-1", "-1", "-1", "-1", "80000001", "8000000000000001", "-0.000001", "-0.01", "\\N", "NULL", "''", "61", "false", "-1",
     "-1", "-1:999999000", "-1:999999999", "-1:500000000", "-1", "-1:999999000", "\"text\""],
    ["1", "1", "1", "1", "7f800000", "7ff0000000000000", "0.1", "12.30", "x" * 126, "0", "0", "61" * 126, "true", "11016", "-1500",
     "-2:000001000", "-2:000000001", "-86400:250000000", "13", "-1:000000000", "-12.5"],
    ["2", "2", "2", "2", "ff800000", "fff0000000000000", "1000000000000000000", "0.50", "y" * 127, "1", "1", "62" * 127, "true", "1",
     "1700000000123", "1700000000:123456000", "1700000000:123456789", "1700000000:123456000", "24", "90061:001000000", "true"],
    ["3", "3", "3", "3", "nan", "nan", "3.14159265358979323", "7", "z" * 128, "2", "2", "63" * 128, "true", "19723", "1704067200000",
     "1704067200:000000000", "1704067200:000000000", "1704067200:000000000", "1", "0:500000000", "[[1, 2], {\"k\": 1.5}]"],
    ["4", "4", "4", "4", "80000000", "8000000000000000", "-1", "-7", "w" * 200000, "3", "3", "64" * 200000, "false", "-141428",
     "1710054000000", "1710054000:500000000", "1710054000:500000000", "1710054000:500000000", "-13", "86400:000000000", "0"],
]
SCALAR_ROWS = [[None] * (len(SCALARS) - 1)] + SCALAR_ROWS
# one NULL in every column, so that each is seen absent beside neighbours that are not
SCALAR_ROWS += [[None if i == j else v for j, v in enumerate(SCALAR_ROWS[6])] for i in range(len(SCALARS) - 1)]
SCALAR_ROWS = [[str(i)] + row for i, row in enumerate(SCALAR_ROWS)]

# n of VARCHAR(n) and CHAR(n) counts characters; the Go SDK counts bytes and loses such values
SHORT = [("id", "bigint"), ("c_varchar", "varchar(10)"), ("c_char", "char(5)")]
SHORT_ROWS = [["0", "中文🎉éabcdef", "中文🎉éa"], ["1", "🎉" * 10, "é" * 5], ["2", "", ""], ["3", " x ", "x  "]]

NESTED = [("id", "bigint"), ("ints", "array<int>"), ("texts", "array<string>"), ("times", "array<timestamp>"),
          ("matrix", "array<array<bigint>>"), ("counts", "map<string,bigint>"), ("by_number", "map<bigint,datetime>"),
          ("point", "struct<x:int,y:string,z:array<double>>"),
          ("deep", "array<struct<k:string,m:map<string,decimal(10,2)>>>"),
          ("mixed", "struct<a:tinyint,b:boolean,c:date,d:binary,e:float,f:datetime>")]
NESTED_ROWS = [
    [None] * 9,
    [[], [], [], [], [], [], [None, None, None], [], [None] * 6],
    [["1", None, "-2147483648", "2147483647"], ["", None, "中文🎉", "\"\\\n"], ["0:000000000", None, "1700000000:123456000"],
     [["1"], [], None, ["9223372036854775807", None]], [["a", "1"], ["", "-9223372036854775807"], ["é", None]],
     [["1", "0"], ["-9007199254740993", "1700000000123"]], ["7", "seven", ["3ff8000000000000", None, "bff8000000000000"]],
     [["k", [["p", "1.25"], ["q", None]]], [None, []], None], ["-128", "true", "19723", "00ff", "3fc00000", "1700000000123"]],
    [["5"], ["x" * 5000], ["-2:250000000"], [["-1"]], [["k%d" % i, str(i)] for i in range(50)], [["5", None]],
     [None, "", []], [["only", None]], [None, "false", None, "", "c0000000", "-1500"]],
]
NESTED_ROWS = [[str(i)] + row for i, row in enumerate(NESTED_ROWS)]

# beyond what the Python SDK can hold or send: timestamps before 1677 and after 2262, decimals that
# it would write with an exponent, the JSON document null
WIDE = [("id", "bigint"), ("c_date", "date"), ("c_datetime", "datetime"), ("c_timestamp", "timestamp"), ("c_ntz", "timestamp_ntz"), ("c_decimal", "decimal(38,18)"), ("c_json", "json")]
WIDE_ROWS = [
    ["0", "-719162", "-62135596800000", "-62135596800:000000000", "-62135596800:000001000", "-0.000000000000000001", 'null'],
    ["1", "2932896", "253402300799999", "253402300799:999999000", "253402300799:999999000", "0.000000000000000001", '9007199254740993'],
    ["2", "-141428", "-12219292800000", "-12219292801:500000000", "-12219292800:000000000", "99999999999999999999.000000000000000001", '[null]'],      # Gregorian reform
    ["3", "-354285", "-30610224001001", "-30610224002:999999000", "-30610224000:000001000", "-0.000000100000000000", '"\\u0041\\n"'],
    ["4", "-25567", "-2177452801000", "-2177452801:750000000", "-2177452800:000000000", "0.0000001", '{"a": null}'],           # before standard time
    ["5", "-20000", "-1728000000001", "-1728000001:999000000", "-1728000001:999000000", "-12345678901234567890.5", '-0.5'],
]

_TIME = 1700000000
LOG_GROUPS = [
    {"topic": "first", "source": "10.0.0.1", "tags": [["env", "prod"], ["中文", "é"]], "compress": "lz4", "logs": [
        {"time": _TIME, "ns": 0, "contents": [["id", "1"], ["v", "plain"], ["empty", ""]]},
        {"time": _TIME, "ns": 1, "contents": [["id", "2"], ["v", "中文 é 🎉 \t\n\r\"\\"]]},
        {"time": _TIME, "ns": 999999999, "contents": [["id", "3"], ["v", "first"], ["v", "second"], ["twice", "1"], ["twice", "2"]]},
        {"time": _TIME, "ns": 123456789, "contents": [["id", "4"], ["键", "值"], ["with space", "x"], ["__odd__", "y"]]}]},
    {"topic": "", "source": "10.0.0.2", "tags": [], "compress": "zstd", "logs": [
        {"time": 1, "ns": 0, "contents": [["id", "5"]]},
        {"time": 4294967295, "ns": 999999000, "contents": [["id", "6"], ["v", ""]]},
        {"time": _TIME - 86400 * 365 * 40, "ns": 500000000, "contents": [["id", "7"], ["v", " leading and trailing "]]}]},
    {"topic": "主题", "source": "源", "tags": [["env", ""], ["env", "again"]], "compress": "plain", "logs": [
        {"time": _TIME, "ns": 5, "contents": [["id", str(100 + n)], ["v", "x" * n], ["w", "é" * (n // 2)]]}
        for n in (0, 1, 125, 126, 127, 128, 129, 200, 16383, 16384, 1048576)]},
    {"topic": "t" * 128, "source": "s" * 128, "tags": [["k" * 100, "v" * 100]], "compress": "lz4", "logs": [
        {"time": _TIME, "ns": 7, "contents": [["id", str(1000 + n)], ["k" * 128, "longest key"], ["v", "%d" % n]]} for n in range(500)]},
]
