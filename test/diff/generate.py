"""Generated tables, rows and queries of the differential test.

Everything comes from one random.Random, so a seed repeats a case.  A query is SQL
with {T} for the table; the same text runs over the foreign table and over a local
copy of its rows.
"""

INT64 = [-2**63, -2**63 + 1, -2**31 - 1, -2**31, -32769, -32768, -1, 0, 1, 2, 3, 5, 7, 32767, 32768,
         2**31 - 1, 2**31, 2**53 + 1, 2**63 - 2, 2**63 - 1]
TEXT = ["", " ", "!", "A", "Z", "a", "a ", "aa", "ab", "abc", "abd", "a%", "a_", "b", "ba", "~", "\x7f", "\u0080", "\u00e9",
        "e\u0301", "\u07ff", "\u0800", "\u4e2d", "\u4e2d\u6587", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff",
        "a\U0010ffff", "x" * 1023, "x" * 1024, "x" * 1023 + "y", "\U0010ffff" * 256, "\x7f" * 1024]
LONG_TEXT = ["x" * 1025, "x" * 1023 + "\u00e9", "\U0010ffff" * 256 + "a", "a" * 5000]
BYTEA = [b"", b"\0", b"\0\0", b"\0\xff", b"\1", b"a", b"a\0", b"a\xff", b"ab", b"b", b"\x7f", b"\x80", b"\xfe", b"\xff", b"\xff\0",
         b"\xff\xff", b"\xff" * 1023, b"\xff" * 1024, b"\0" * 1024, b"\xff" * 1023 + b"\xfe"]
LONG_BYTEA = [b"\xff" * 1025, b"\0" * 1025, b"a" * 3000]
FLOAT8 = ["-Infinity", "-1.7976931348623157e308", "-1.5", "-1", "-2.2250738585072014e-308", "-5e-324", "-0", "0", "5e-324", "1e-310",
          "0.1", "0.30000000000000004", "1", "1.5", "3", "1e16", "1.7976931348623157e308", "Infinity", "NaN"]
FLOAT4 = ["-1.5", "-0", "0", "0.5", "0.1", "3", "1e-45", "3.4028235e38"]
NUMERIC = ["-1", "0", "0.10", "1", "1.5", "3", "12345678901234567890.5"]
DATES = ["1999-12-31", "2000-01-01", "2024-02-29"]

# neighbours: a column whose values are one of these finds every bound that is off by one
FAMILIES = {
    "int2": [[-32768, -32767], [32766, 32767], [-1, 0, 1, 2]],
    "int4": [[-2**31, 1 - 2**31], [2**31 - 2, 2**31 - 1], [-1, 0, 1, 2, 32768]],
    "int8": [[-2**63, 1 - 2**63], [2**63 - 2, 2**63 - 1], [-1, 0, 1, 2, 2**31]],
    "text": [["", " ", "!", "a"], ["a", "a ", "aa", "ab", "abc", "abd", "b"], TEXT[10:11] + TEXT[13:] + ["\u0081", "\uffff~"],
             ["x" * 1022, "x" * 1022 + "y", "x" * 1023, "x" * 1024, "x" * 1023 + "y", "y"],
             ["\U0010ffff" * 255, "\U0010ffff" * 256, "\U0010ffff" * 255 + "\uffff", "\U0010ffff" * 255 + "\uffffa"],
             ["\x7f" * 1023, "\x7f" * 1024, "\x7f" * 1022 + "\u0080", "\x7f" * 1022 + "\u0081"]],
    "bytea": [BYTEA[:5], BYTEA[5:10], BYTEA[12:18], [b"\0" * 1023, b"\0" * 1024, b"\0" * 1023 + b"\1", b"\1"],
              [b"a" + b"\xff" * 1023, b"a" + b"\xff" * 1022, b"a", b"b", b"b\0"]]}
FAMILIES["varchar"] = FAMILIES["icu"] = FAMILIES["text"]

LIMITS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
REMOTE = {"int2": "integer", "int4": "integer", "int8": "integer", "text": "string", "varchar": "string", "icu": "string",
          "bytea": "binary", "float8": "double", "float4": "double", "bool": "boolean", "numeric": "string", "date": "string"}
SQL = {"icu": 'text COLLATE "en-x-icu"', "text": 'text COLLATE "C"', "varchar": 'varchar COLLATE "C"'}
BASE = {"icu": "text", "varchar": "text"}
KEY_TYPES = ["int8", "int8", "int4", "int2", "text", "text", "varchar", "icu", "bytea"]
CELLS = [("a2", "int2"), ("a4", "int4"), ("a8", "int8"), ("f8", "float8"), ("f4", "float4"), ("t", "text"), ("v", "varchar"),
         ("u", "icu"), ("y", "bytea"), ("b", "bool"), ("c", "bool"), ("n", "numeric"), ("d", "date")]
OPERATORS = ["=", "=", "=", "<", "<=", ">", ">=", "<>"]


def pool(kind):
    if kind in LIMITS:
        return [x for x in INT64 if -LIMITS[kind] <= x < LIMITS[kind]]
    return {"text": TEXT, "varchar": TEXT, "icu": TEXT, "bytea": BYTEA, "float8": [x for x in FLOAT8 if x[-1] not in "yN"],
            "float4": FLOAT4, "bool": [False, True], "numeric": NUMERIC, "date": DATES}[kind]


def literal(kind, value):
    """a value as a constant of its type"""
    if value is None:
        return "NULL::" + (BASE.get(kind, kind))
    if kind in LIMITS:
        return "'%d'::%s" % (value, kind)
    if kind in ("text", "varchar", "icu"):
        return "'%s'::text" % value.replace("'", "''")
    if kind == "bytea":
        return "'\\x%s'::bytea" % value.hex()
    if kind == "bool":
        return "true" if value else "false"
    return "'%s'::%s" % (value, kind)


class Table:
    def __init__(self, rnd, number):
        self.number = number
        kinds = [rnd.choice(KEY_TYPES) for _ in range(rnd.randint(1, 4))]
        # two tables of a block are all neighbours in their last column
        dense = self.dense = number >= 2
        if dense:
            kinds = ["int8"] * (number - 2) + [rnd.choice(sorted(FAMILIES))]
        self.keys = [("k%d" % i, kind) for i, kind in enumerate(kinds)]
        self.cells = CELLS
        self.columns = self.keys + self.cells
        self.faulty = rnd.random() < 0.3	# has cells of other types, which are NULL by on_error
        self.rows = {}
        size = 60 if number >= 2 else rnd.choice([0, 1, 20, 60, 120, 200])
        # few values for the first columns, so that prefixes repeat
        few = [rnd.sample(pool(kind), min(len(pool(kind)), rnd.choice([2, 4, 8, 40]))) for _, kind in self.keys]
        few = [rnd.choice(FAMILIES[kind]) if rnd.random() < 0.5 else values for (_, kind), values in zip(self.keys, few)]
        if dense:
            few = [[1, 2]] * (number - 2) + [sorted(set(sum(FAMILIES[kinds[-1]], [])))]
        self.few = few
        for _ in range(size):
            key = tuple(rnd.choice(values) for values in few)
            if key not in self.rows:
                self.rows[key] = [None if rnd.random() < 0.3 else rnd.choice(pool(kind)) for _, kind in self.cells]

    def local_sql(self):
        columns = ", ".join("%s %s%s" % (name, SQL.get(kind, kind), " NOT NULL" if name[0] == "k" else "")
                            for name, kind in self.columns)
        yield "CREATE TABLE l%d (%s)" % (self.number, columns)
        for key, cells in self.rows.items():
            yield "INSERT INTO l%d VALUES (%s)" % (self.number, ", ".join(
                literal(kind, value) for (_, kind), value in zip(self.columns, key + tuple(cells))))
        yield "ANALYZE l%d" % self.number

    def foreign_sql(self, server):
        columns = []
        for i, (name, kind) in enumerate(self.columns):
            sql = SQL.get(kind, kind).split(" ", 1)
            key = " OPTIONS (key '%d')" % (i + 1) if i < len(self.keys) else ""
            columns.append("%s %s%s%s%s" % (name, sql[0], key, " " + sql[1] if len(sql) > 1 else "",
                                            " NOT NULL" if key else ""))
        return "CREATE FOREIGN TABLE f%d (%s) SERVER %s OPTIONS (table 't%d'%s)" % (
            self.number, ", ".join(columns), server, self.number, ", on_error 'set_null'" if self.faulty else "")


class Query:
    """One generated query: parts that the runner puts together"""

    def __init__(self, rnd, table):
        self.rnd = rnd
        self.table = table
        self.params = None			# list of (type, literal) when parameters are wanted

    # ---- values ----

    def value(self, kind, key=None, wide=True):
        """a comparand as SQL: often one that is there, sometimes beyond, sometimes NULL"""
        rnd = self.rnd
        if rnd.random() < 0.03:
            v = None
        elif key is not None and rnd.random() < 0.75:
            v = rnd.choice(self.table.few[key])
        elif kind in ("text", "varchar", "icu") and rnd.random() < 0.1:
            v = rnd.choice(LONG_TEXT)
        elif kind == "bytea" and rnd.random() < 0.1:
            v = rnd.choice(LONG_BYTEA)
        elif kind == "float8":
            v = rnd.choice(FLOAT8)
        else:
            v = rnd.choice(pool(kind))
        if wide and kind in LIMITS and rnd.random() < 0.4:
            kind = rnd.choice(sorted(LIMITS))
            if v is not None and not -LIMITS[kind] <= v < LIMITS[kind]:
                kind = "int8"
            elif rnd.random() < 0.2:
                kind, v = "int8", rnd.choice(INT64)
        if kind == "float8" and rnd.random() < 0.1:
            kind, v = "float4", rnd.choice(FLOAT4)
        if self.params is not None and rnd.random() < 0.6:
            self.params.append((BASE.get(kind, kind), literal(kind, v)))
            return "$%d" % len(self.params)
        text = literal(kind, v)
        if rnd.random() < 0.05 and BASE.get(kind, kind) == "text":
            text = "concat(%s)" % text		# stable, not folded
        return text

    def array(self, kind, key=None):
        rnd = self.rnd
        n = rnd.choice([0, 1, 1, 2, 3, 3, 5, 12, 40]) if rnd.random() < 0.9 else 200
        values = [rnd.choice(self.table.few[key]) if key is not None and rnd.random() < 0.6 else
                  rnd.choice(FLOAT8 if kind == "float8" else pool(kind)) for _ in range(n)]
        if kind == "text" and rnd.random() < 0.1:
            values.append(rnd.choice(LONG_TEXT))
        if rnd.random() < 0.12:
            values.append(None)
        base = BASE.get(kind, kind)
        text = "ARRAY[%s]::%s[]" % (", ".join(literal(kind, v) for v in values), base)
        if rnd.random() < 0.03:
            text = "NULL::%s[]" % base
        if self.params is not None and rnd.random() < 0.5:
            self.params.append((base + "[]", text))
            return "$%d" % len(self.params)
        return text

    # ---- conditions ----

    def key_condition(self, key=None):
        rnd = self.rnd
        keys = self.table.keys
        key = rnd.choice([0, 0, min(1, len(keys) - 1), rnd.randrange(len(keys))]) if key is None else key
        name, kind = keys[key]
        form = rnd.random()
        if form < 0.45:
            op = rnd.choice(OPERATORS)
            a, b = name, self.value(kind, key)
            collate = ""
            if BASE.get(kind, kind) == "text" and rnd.random() < 0.1:
                collate = rnd.choice([' COLLATE "C"', ' COLLATE "en-x-icu"', ' COLLATE "POSIX"', ' COLLATE twoscase'])
            return "%s %s %s%s" % ((a, op, b, collate) if rnd.random() < 0.8 else (b, op, a, collate))
        if form < 0.55:
            return "%s BETWEEN %s AND %s" % (name, self.value(kind, key), self.value(kind, key))
        if form < 0.75:
            if rnd.random() < 0.5:
                return "%s = ANY (%s)" % (name, self.array(kind, key))
            return "%s %sIN (%s)" % (name, rnd.choice(["", "", "", "NOT "]), ", ".join(
                self.value(kind, key, False) for _ in range(rnd.randint(1, 5))))
        if form < 0.9:
            return self.row_condition()
        if form < 0.94 and BASE.get(kind, kind) == "text":
            prefix = rnd.choice(TEXT[:32])
            return rnd.choice(["%s LIKE '%s%%'", "%s LIKE '%s%%a'", "%s LIKE '%s'", "%s NOT LIKE '%s%%'", "%s ^@ '%s'",
                               "%s LIKE '%s_%%'"]) % (name, prefix[:4].replace("'", "''"))
        if form < 0.97:
            return "%s IS %sNULL" % (name, rnd.choice(["", "NOT "]))
        if kind in LIMITS:
            return rnd.choice(["%s::numeric > 0.5", "%s::float8 < 3", "%s %% 2 = 0", "-(%s::numeric) < 3"]) % name
        return "%s::text <> 'a'" % name

    def row_condition(self):
        rnd = self.rnd
        keys = list(enumerate(self.table.keys))
        first = rnd.choice([0, 0, 0, rnd.randrange(len(keys))])
        chosen = [(i, name, kind) for i, (name, kind) in keys[first:]][:rnd.randint(1, 4)]
        if rnd.random() < 0.1:
            rnd.shuffle(chosen)
        left = [name for _, name, _ in chosen]
        right = [self.value(kind, i) for i, _, kind in chosen]
        if len(left) == 1 or rnd.random() < 0.15:
            name, kind = rnd.choice(self.table.cells)
            left.append(name)
            right.append(self.value(kind))
        if rnd.random() < 0.2:
            left, right = right, left
        return "(%s) %s (%s)" % (", ".join(left), rnd.choice(["<", "<=", ">", ">=", "=", "<>"]), ", ".join(right))

    def cell_condition(self):
        rnd = self.rnd
        name, kind = rnd.choice(self.table.cells)
        form = rnd.random()
        if kind == "bool" and form < 0.7:
            return rnd.choice(["%s", "NOT %s", "%s IS TRUE", "%s IS NOT TRUE", "%s IS FALSE", "%s IS NOT FALSE", "%s IS UNKNOWN",
                               "%s = true", "%s <> c", "%s < true", "%s >= b"]) % name
        if form < 0.5:
            return "%s %s %s" % (name, rnd.choice(OPERATORS), self.value(kind))
        if form < 0.6:
            return "%s BETWEEN %s AND %s" % (name, self.value(kind), self.value(kind))
        if form < 0.8:
            return "%s %s (%s)" % (name, rnd.choice(["= ANY", "= ANY", "<> ALL", "< ANY", ">= ALL", "= ALL"]), self.array(kind))
        if form < 0.95:
            return "%s IS %sNULL" % (name, rnd.choice(["", "NOT "]))
        return rnd.choice(["a2 = a4", "a4 < a8", "t = v", "f4 = f8", "%s IS NOT DISTINCT FROM %s" % (name, name), "a8 > k0::text::int8"
                           if self.table.keys[0][1] in LIMITS else "t < v"])

    def condition(self, depth=2):
        rnd = self.rnd
        if depth > 0 and rnd.random() < 0.35:
            parts = ["(%s)" % self.condition(depth - 1) for _ in range(rnd.choice([2, 2, 3, 4]))]
            text = rnd.choice([" AND ", " OR ", " OR "]).join(parts)
            return "NOT (%s)" % text if rnd.random() < 0.15 else text
        return self.key_condition() if rnd.random() < 0.65 else self.cell_condition()

    def gap(self):
        """an OR whose arms leave one key column out, which a condition beside it may give"""
        rnd = self.rnd
        n = rnd.randint(3, len(self.table.keys))
        out = rnd.randrange(n - 1)
        arms = []
        for _ in range(rnd.randint(2, 3)):
            parts = []
            for i, (name, kind) in enumerate(self.table.keys[:n]):
                if i != out:
                    parts.append("%s %s %s" % (name, "=" if i < n - 1 else rnd.choice(["=", "=", "<", ">="]), self.value(kind, i)))
            arms.append("(%s)" % " AND ".join(parts))
        name, kind = self.table.keys[out]
        given = "%s = ANY (%s)" % (name, self.array(kind, out)) if rnd.random() < 0.3 else \
            "%s %s %s" % (name, rnd.choice(["=", "=", "=", ">=", "<"]), self.value(kind, out))
        return [given, " OR ".join(arms)] if rnd.random() < 0.9 else [" OR ".join(arms)]

    def where(self):
        rnd = self.rnd
        parts = []
        # what people write: leading columns fixed, a range behind them
        if rnd.random() < 0.5:
            for i in range(rnd.randint(1, len(self.table.keys))):
                name, kind = self.table.keys[i]
                if rnd.random() < 0.7:
                    parts.append("%s = %s" % (name, self.value(kind, i)))
                elif rnd.random() < 0.6:
                    parts.append("%s = ANY (%s)" % (name, self.array(kind, i)))
                else:
                    parts.append(self.key_condition(i))
        for _ in range(rnd.choice([0, 1, 1, 2, 3])):
            parts.append(self.condition())
        if len(self.table.keys) > 2 and rnd.random() < 0.3:
            parts = self.gap() + parts[:rnd.choice([0, 0, 1])]
        rnd.shuffle(parts)
        return " WHERE " + " AND ".join("(%s)" % p for p in parts) if parts else ""

    # ---- queries ----

    def order(self, prefix=""):
        """ORDER BY that often is the key's, and whether it decides the order of all rows"""
        rnd = self.rnd
        keys = [name for name, _ in self.table.keys]
        direction = rnd.choice(["", "", " DESC"])
        nulls = rnd.choice(["", "", " NULLS FIRST", " NULLS LAST"])
        n = rnd.randint(1, len(keys))
        names = keys[:n]
        if rnd.random() < 0.15:
            rnd.shuffle(names)
        if rnd.random() < 0.1:
            names.append(rnd.choice(["a4", "t", "b"]))
        mixed = rnd.random() < 0.1
        return [prefix + name + (rnd.choice(["", " DESC"]) if mixed else direction) + nulls for name in names], \
            set(keys) <= set(names)

    def boundary(self):
        """a range of the last key column, the others fixed, in either direction"""
        rnd = self.rnd
        keys = self.table.keys
        last, kind = keys[-1]
        parts = ["%s = %s" % (name, self.value(k, i)) for i, (name, k) in enumerate(keys[:-1])]
        if rnd.random() < 0.2:
            parts = parts[:-1]
        for _ in range(rnd.choice([1, 1, 2])):
            parts.append("%s %s %s" % (last, rnd.choice(["=", "<", "<=", ">", ">="]), self.value(kind, len(keys) - 1)))
        if len(keys) > 1 and rnd.random() < 0.4:
            parts = ["(%s) %s (%s)" % (", ".join(n for n, _ in keys), rnd.choice(["<", "<=", ">", ">="]),
                                       ", ".join(self.value(k, i) for i, (_, k) in enumerate(keys)))]
        direction = rnd.choice([" DESC", " DESC", ""])
        return "SELECT %s FROM {T} WHERE %s ORDER BY %s%s" % (
            ", ".join(n for n, _ in keys), " AND ".join(parts), ", ".join(n + direction for n, _ in keys),
            rnd.choice(["", "", " LIMIT 3"])), -1

    def select(self):
        """(SQL, columns whose order is decided: 0 = none, -1 = all)"""
        rnd = self.rnd
        if rnd.random() < (0.4 if self.table.dense else 0.1):
            return self.boundary()
        where = self.where()
        columns = [name for name, _ in self.table.columns]
        chosen = "*" if rnd.random() < 0.3 else ", ".join(rnd.sample(columns, rnd.randint(1, 4)))
        form = rnd.random()
        if form < 0.4:
            return "SELECT %s FROM {T}%s" % (chosen, where), 0
        if form < 0.5:
            name = rnd.choice(columns[:len(self.table.keys) + 3])
            kind = dict(self.table.columns)[name]
            if kind in ("bytea", "bool"):
                return "SELECT count(%s), count(*) FROM {T}%s" % (name, where), -1
            return "SELECT min(%s), max(%s), count(*) FROM {T}%s" % (name, name, where), -1
        if form < 0.55:
            return "SELECT count(*) FROM (SELECT %s FROM {T}%s LIMIT %d OFFSET %d) s" % (
                chosen, where, rnd.choice([0, 1, 3, 10, 100]), rnd.choice([0, 0, 1, 5])), -1
        order, total = self.order()
        text = ", ".join(order)
        names = [x.split()[0] for x in order]
        if not total:
            if rnd.random() < 0.5:
                return "SELECT %s, %s FROM {T}%s ORDER BY %s" % (", ".join(names), chosen, where, text), len(names)
            last = order[0].split(" ", 1)[1] if " " in order[0] else ""
            text = ", ".join(order + [k + " " + last for k, _ in self.table.keys if k not in names])
        limit = ""
        if rnd.random() < 0.7:
            limit = " LIMIT %d" % rnd.choice([0, 1, 2, 5, 20, 1000])
        if rnd.random() < 0.3:
            limit += " OFFSET %d" % rnd.choice([0, 1, 7])
        return "SELECT %s FROM {T}%s ORDER BY %s%s" % (chosen, where, text, limit), -1

    def join(self):
        """a join with rows of the local table 'driver', whose columns are those of the key"""
        rnd = self.rnd
        keys = self.table.keys
        n = rnd.randint(1, len(keys))
        on = []
        for i in range(n):
            name, kind = keys[i]
            if rnd.random() < 0.85:
                on.append("t.%s = d.%s" % (name, name))
            else:
                on.append("t.%s %s d.%s" % (name, rnd.choice(OPERATORS), name))
        if len(keys) > 1 and rnd.random() < 0.15:
            on = ["(t.k0, t.k1) %s (d.k0, d.k1)" % rnd.choice(["<", ">=", ">"])]
        if rnd.random() < 0.15:
            on.append("t.a8 = d.n")
        if rnd.random() < 0.15:
            on.append("t.k0 = ANY (d.many)")
        on = " AND ".join(on)
        form = rnd.random()
        where = " WHERE d.n < %d" % rnd.choice([1, 3, 8])
        # names of the other side are qualified by the subquery
        inner = "(SELECT * FROM {T}%s OFFSET 0)" % self.where() if rnd.random() < 0.2 else "{T}"
        if form < 0.5:
            return "SELECT d.n, t.* FROM {D} d JOIN %s t ON %s%s" % (inner, on, where), 0
        if form < 0.65:
            return "SELECT d.n, t.* FROM {D} d LEFT JOIN %s t ON %s%s" % (inner, on, where), 0
        if form < 0.8:
            return "SELECT d.* FROM {D} d WHERE %sEXISTS (SELECT 1 FROM {T} t WHERE %s)" % (rnd.choice(["", "NOT "]), on), 0
        if form < 0.9:
            order = ", ".join("t." + name for name, _ in keys)
            return "SELECT d.n, s.* FROM {D} d, LATERAL (SELECT * FROM {T} t WHERE %s ORDER BY %s LIMIT 2) s%s" % (on, order, where), 0
        return "SELECT t.*, d.n FROM {T} t JOIN {D} d ON %s ORDER BY %s, d.n" % (
            on, ", ".join("t." + name for name, _ in keys)), -1


def driver_sql(rnd, table):
    """the local table a join is driven from"""
    kinds = dict(table.keys)
    yield "CREATE TABLE d%d (n int, %s, many %s[])" % (
        table.number, ", ".join("%s %s" % (name, SQL.get(kind, kind)) for name, kind in table.keys),
        SQL.get(kinds["k0"], kinds["k0"]).split()[0])
    for n in range(12):
        values = [literal(kind, None if rnd.random() < 0.1 else rnd.choice(table.few[i]))
                  for i, (_, kind) in enumerate(table.keys)]
        many = [literal(kinds["k0"], rnd.choice(table.few[0])) for _ in range(rnd.randint(0, 4))] + ["NULL"] * (n % 3 == 0)
        yield "INSERT INTO d%d VALUES (%d, %s, ARRAY[%s]::%s[])" % (
            table.number, n, ", ".join(values), ", ".join(many), BASE.get(kinds["k0"], kinds["k0"]))
    yield "ANALYZE d%d" % table.number
