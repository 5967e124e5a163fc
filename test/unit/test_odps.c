/*
 * test_odps.c
 *		Record stream reader and writer: golden vectors, random schemas and rows there
 *		and back, damaged streams.
 */
#include "unit.h"

#include "../vectors/rows.h"

#define MAX_STREAM ((size_t) 8 << 20)
#define MAX_COLUMNS 24

/* --- golden vectors --------------------------------------------------- */

static void
golden_records(void)
{
	mcw_arena	arena;
	mcw_node   *root;
	const mcw_node *list;
	int			n = 0;

	mcw_arena_init(&arena, &mcw_malloc, ROWS_MAX_FILE);
	root = rows_load(UNIT_VECTORS "maxcompute/tunnel_records.json", &arena, NULL);
	list = mcw_node_get(root, "vectors");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next, n++)
	{
		const mcw_odps_type *types[ROWS_MAX_COLUMNS];
		mcw_odps_value values[ROWS_MAX_COLUMNS];
		mcw_view	raw = rows_hex(mcw_node_get(v, "raw_hex"), &arena);
		int			ntypes = rows_types(mcw_node_get(v, "columns"), types, &arena, NULL);
		mcw_odps_reader reader;
		mcw_odps_writer writer;
		mcw_error	err = {0};
		mcw_buf		out;

		if (!CHECK(ntypes > 0))
			continue;
		mcw_buf_init(&out, &mcw_malloc, MAX_STREAM);
		mcw_odps_reader_init(&reader, types, ntypes, raw);
		mcw_odps_writer_init(&writer, &out);
		for (const mcw_node *row = mcw_node_get(v, "rows")->first; row; row = row->next)
		{
			CHECK_OK(mcw_odps_next(&reader, values, &err));
			mcw_odps_begin_record(&writer);
			for (int i = 0; i < ntypes; i++)
			{
				CHECK(rows_same(types[i], &values[i], rows_at(row, i), &arena));
				CHECK(rows_put(&writer, i + 1, types[i], rows_at(row, i), &arena));
			}
			CHECK_OK(mcw_odps_end_record(&writer));
		}
		CHECK_INT(mcw_odps_next(&reader, values, &err), MCW_END);
		CHECK_INT(mcw_odps_next(&reader, values, &err), MCW_END);
		CHECK_OK(mcw_odps_finish(&writer));
		CHECK_VIEW(mcw_buf_view(&out), raw);
		mcw_buf_free(&out);
	}
	CHECK_INT(n, 14);
	mcw_arena_reset(&arena);
}

/* --- random schemas and rows ------------------------------------------ */

/* What was written, kept to compare with what is read */
typedef struct datum
{
	mcw_odps_value scalar;
	int			nchildren;		/* of a MAP: keys, then values */
	struct datum *children;
} datum;

static void *
take(mcw_arena *arena, size_t size)
{
	void	   *p = mcw_arena_new(arena, size ? size : 1);

	if (p == NULL)
		abort();
	return p;
}

static mcw_odps_type *
random_type(unit_random *r, mcw_arena *arena, int depth)
{
	static const mcw_odps_kind scalars[] = {
		MCW_ODPS_TINYINT, MCW_ODPS_SMALLINT, MCW_ODPS_INT, MCW_ODPS_BIGINT, MCW_ODPS_FLOAT,
		MCW_ODPS_DOUBLE, MCW_ODPS_BOOLEAN, MCW_ODPS_STRING, MCW_ODPS_BINARY, MCW_ODPS_JSON,
		MCW_ODPS_DATE, MCW_ODPS_DATETIME, MCW_ODPS_TIMESTAMP, MCW_ODPS_TIMESTAMP_NTZ,
		MCW_ODPS_INTERVAL_YEAR_MONTH, MCW_ODPS_INTERVAL_DAY_TIME, MCW_ODPS_DECIMAL,
		MCW_ODPS_STRING, MCW_ODPS_BIGINT, MCW_ODPS_GEOGRAPHY, MCW_ODPS_BLOB
	};
	mcw_odps_type *type = take(arena, sizeof(*type));

	type->kind = scalars[unit_below(r, sizeof(scalars) / sizeof(scalars[0]))];
	if (depth >= 4 || unit_below(r, 3) != 0)
		return type;
	type->kind = MCW_ODPS_ARRAY + (mcw_odps_kind) unit_below(r, 4);
	type->nchildren = type->kind == MCW_ODPS_MAP ? 2 : type->kind == MCW_ODPS_STRUCT ? 1 + (int) unit_below(r, 4) : 1;
	type->children = take(arena, (size_t) type->nchildren * sizeof(type->children[0]));
	for (int i = 0; i < type->nchildren; i++)
		type->children[i] = random_type(r, arena, depth + 1);
	if (type->kind == MCW_ODPS_VECTOR)
	{
		type->length = 1 + (int) unit_below(r, 5);
		type->children[0] = take(arena, sizeof(*type));
		type->children[0]->kind = unit_below(r, 2) ? MCW_ODPS_FLOAT : MCW_ODPS_DOUBLE;
	}
	return type;
}

static int64_t
random_int(unit_random *r, mcw_odps_kind kind)
{
	int64_t		v = (int64_t) unit_next(r) >> unit_below(r, 64);

	if (unit_below(r, 6) == 0)
		v = unit_below(r, 2) ? INT64_MIN : INT64_MAX;
	switch (kind)
	{
		case MCW_ODPS_TINYINT:
			return (int8_t) v;
		case MCW_ODPS_SMALLINT:
			return (int16_t) v;
		case MCW_ODPS_INT:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return (int32_t) v;
		default:
			return v;
	}
}

static void
random_scalar(unit_random *r, mcw_arena *arena, mcw_odps_kind kind, mcw_odps_value *v)
{
	uint64_t	bits = unit_next(r);

	if (rows_is_int(kind))
		v->i64 = random_int(r, kind);
	else if (rows_is_instant(kind))
	{
		v->i64 = random_int(r, MCW_ODPS_BIGINT);
		v->nanos = (int32_t) unit_below(r, 1000000000);
		if (kind == MCW_ODPS_INTERVAL_DAY_TIME && unit_below(r, 2))
			v->nanos = -v->nanos;
	}
	else if (kind == MCW_ODPS_BOOLEAN)
		v->i64 = (int64_t) unit_below(r, 2);
	else if (kind == MCW_ODPS_FLOAT)
		memcpy(&v->f32, &bits, 4);	/* any bits: NaNs must survive too */
	else if (kind == MCW_ODPS_DOUBLE)
		memcpy(&v->f64, &bits, 8);
	else
	{
		size_t		len = unit_below(r, 10) == 0 ? unit_below(r, 5000) : unit_below(r, 90);
		char	   *data = take(arena, len);

		unit_fill(r, data, len, 256);
		v->bytes = (mcw_view) {data, len};
	}
}

static void
random_datum(unit_random *r, mcw_arena *arena, const mcw_odps_type *type, bool nullable, datum *d)
{
	memset(d, 0, sizeof(*d));
	d->scalar.is_null = nullable && unit_below(r, 6) == 0;
	if (d->scalar.is_null)
		return;
	if (!rows_is_nested(type->kind))
	{
		random_scalar(r, arena, type->kind, &d->scalar);
		return;
	}
	if (type->kind == MCW_ODPS_STRUCT)
		d->nchildren = type->nchildren;
	else if (type->kind == MCW_ODPS_VECTOR)
		d->nchildren = type->length;
	else
		d->nchildren = (int) unit_below(r, 4) * (type->kind == MCW_ODPS_MAP ? 2 : 1);
	d->children = take(arena, (size_t) d->nchildren * sizeof(datum));
	for (int i = 0; i < d->nchildren; i++)
	{
		int			child = type->kind == MCW_ODPS_STRUCT ? i : type->kind == MCW_ODPS_MAP && i >= d->nchildren / 2;

		random_datum(r, arena, type->children[child], type->kind != MCW_ODPS_VECTOR, &d->children[i]);
	}
}

static void
put_element(mcw_odps_writer *w, const mcw_odps_type *type, bool nullable, const datum *d)
{
	const mcw_odps_value *v = &d->scalar;

	if (nullable)
		mcw_odps_elem_null(w, v->is_null);
	if (v->is_null)
		return;
	if (rows_is_int(type->kind))
		mcw_odps_elem_int(w, v->i64);
	else if (rows_is_instant(type->kind))
		mcw_odps_elem_timestamp(w, v->i64, v->nanos);
	else if (type->kind == MCW_ODPS_BOOLEAN)
		mcw_odps_elem_bool(w, v->i64);
	else if (type->kind == MCW_ODPS_FLOAT)
		mcw_odps_elem_float(w, v->f32);
	else if (type->kind == MCW_ODPS_DOUBLE)
		mcw_odps_elem_double(w, v->f64);
	else if (!rows_is_nested(type->kind))
		mcw_odps_elem_bytes(w, v->bytes.data, v->bytes.len);
	else
		for (int i = 0; i <= d->nchildren; i++)
		{
			int			half = d->nchildren / 2;

			if (type->kind == MCW_ODPS_MAP && (i == 0 || i == half))
				mcw_odps_elem_count(w, (uint32_t) half);
			if (type->kind == MCW_ODPS_MAP && i == 0 && half == 0)
				mcw_odps_elem_count(w, 0);
			if ((type->kind == MCW_ODPS_ARRAY || type->kind == MCW_ODPS_VECTOR) && i == 0)
				mcw_odps_elem_count(w, (uint32_t) d->nchildren);
			if (i < d->nchildren)
				put_element(w, type->children[type->kind == MCW_ODPS_STRUCT ? i : type->kind == MCW_ODPS_MAP && i >= half],
							type->kind != MCW_ODPS_VECTOR, &d->children[i]);
		}
}

static void
put_column(mcw_odps_writer *w, int column, const mcw_odps_type *type, const datum *d)
{
	const mcw_odps_value *v = &d->scalar;

	if (v->is_null)
		return;
	if (rows_is_int(type->kind))
		mcw_odps_put_int(w, column, v->i64);
	else if (rows_is_instant(type->kind))
		mcw_odps_put_timestamp(w, column, v->i64, v->nanos);
	else if (type->kind == MCW_ODPS_BOOLEAN)
		mcw_odps_put_bool(w, column, v->i64);
	else if (type->kind == MCW_ODPS_FLOAT)
		mcw_odps_put_float(w, column, v->f32);
	else if (type->kind == MCW_ODPS_DOUBLE)
		mcw_odps_put_double(w, column, v->f64);
	else if (!rows_is_nested(type->kind))
		mcw_odps_put_bytes(w, column, v->bytes.data, v->bytes.len);
	else
	{
		mcw_odps_put_nested(w, column);
		put_element(w, type, false, d);
	}
}

static bool
same_datum(const mcw_odps_type *type, const mcw_odps_value *v, const datum *d)
{
	mcw_odps_cursor cursor;
	bool		same = true;

	if (v->is_null || d->scalar.is_null)
		return v->is_null && d->scalar.is_null;
	if (rows_is_int(type->kind) || type->kind == MCW_ODPS_BOOLEAN)
		return v->i64 == d->scalar.i64;
	if (rows_is_instant(type->kind))
		return v->i64 == d->scalar.i64 && v->nanos == d->scalar.nanos;
	if (type->kind == MCW_ODPS_FLOAT)
		return memcmp(&v->f32, &d->scalar.f32, 4) == 0;
	if (type->kind == MCW_ODPS_DOUBLE)
		return memcmp(&v->f64, &d->scalar.f64, 8) == 0;
	if (!rows_is_nested(type->kind))
		return mcw_view_eq(v->bytes, d->scalar.bytes);
	cursor = (mcw_odps_cursor) {v->bytes.data, v->bytes.data + v->bytes.len};
	for (int i = 0; same && i <= d->nchildren; i++)
	{
		int			half = d->nchildren / 2;
		uint32_t	count;
		mcw_odps_value child;

		if (type->kind == MCW_ODPS_MAP && (i == 0 || i == half))
			same = mcw_odps_cursor_count(&cursor, &count) == MCW_OK && (int) count == half;
		if (same && type->kind == MCW_ODPS_MAP && i == 0 && half == 0)
			same = mcw_odps_cursor_count(&cursor, &count) == MCW_OK && count == 0;
		if ((type->kind == MCW_ODPS_ARRAY || type->kind == MCW_ODPS_VECTOR) && i == 0)
			same = mcw_odps_cursor_count(&cursor, &count) == MCW_OK && (int) count == d->nchildren;
		if (same && i < d->nchildren)
		{
			const mcw_odps_type *t = type->children[type->kind == MCW_ODPS_STRUCT ? i : type->kind == MCW_ODPS_MAP && i >= half];

			same = mcw_odps_cursor_value(&cursor, t, type->kind != MCW_ODPS_VECTOR, &child) == MCW_OK &&
				same_datum(t, &child, &d->children[i]);
		}
	}
	return same && cursor.pos == cursor.end;
}

/* Some records of a random schema; returns the number of columns */
static int
random_stream(unit_random *r, mcw_arena *arena, const mcw_odps_type **types, datum **rows,
			  int nrows, mcw_buf *out)
{
	int			ntypes = 1 + (int) unit_below(r, MAX_COLUMNS);
	mcw_odps_writer w;

	for (int i = 0; i < ntypes; i++)
		types[i] = random_type(r, arena, 0);
	mcw_odps_writer_init(&w, out);
	for (int n = 0; n < nrows; n++)
	{
		rows[n] = take(arena, (size_t) ntypes * sizeof(datum));
		if (unit_below(r, 5) == 0)
		{
			/* a record given up leaves no trace */
			mcw_odps_begin_record(&w);
			mcw_odps_put_int(&w, 1, 12345);
			mcw_odps_abort_record(&w);
		}
		mcw_odps_begin_record(&w);
		for (int i = 0; i < ntypes; i++)
		{
			random_datum(r, arena, types[i], true, &rows[n][i]);
			put_column(&w, i + 1, types[i], &rows[n][i]);
		}
		CHECK_OK(mcw_odps_end_record(&w));
	}
	CHECK_OK(mcw_odps_finish(&w));
	CHECK_INT(w.nrecords, nrows);
	return ntypes;
}

static void
there_and_back(void)
{
	unit_random r = {2024};
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, MAX_STREAM);
	for (int n = 0; n < 3000; n++)
	{
		const mcw_odps_type *types[MAX_COLUMNS];
		mcw_odps_value values[MAX_COLUMNS];
		datum	   *rows[4];
		int			nrows = (int) unit_below(&r, 4);
		mcw_odps_reader reader;
		mcw_error	err = {0};
		mcw_arena	arena;
		int			ntypes;

		mcw_arena_init(&arena, &mcw_malloc, MAX_STREAM);
		mcw_buf_reset(&out);
		ntypes = random_stream(&r, &arena, types, rows, nrows, &out);
		mcw_odps_reader_init(&reader, types, ntypes, mcw_buf_view(&out));
		for (int i = 0; i < nrows; i++)
		{
			if (!CHECK_OK(mcw_odps_next(&reader, values, &err)))
				printf("    %s\n", err.message);
			for (int c = 0; c < ntypes; c++)
				CHECK(same_datum(types[c], &values[c], &rows[i][c]));
		}
		CHECK_INT(mcw_odps_next(&reader, values, &err), MCW_END);
		mcw_arena_reset(&arena);
	}
	mcw_buf_free(&out);
}

/* --- damage ----------------------------------------------------------- */

/* Read to the end; returns the status that ended it */
static mcw_status
drain(mcw_view stream, const mcw_odps_type *const *types, int ntypes)
{
	mcw_odps_value values[MAX_COLUMNS];
	mcw_odps_reader reader;
	mcw_status	status;
	mcw_error	err = {0};

	mcw_odps_reader_init(&reader, types, ntypes, stream);
	do
		status = mcw_odps_next(&reader, values, &err);
	while (status == MCW_OK);
	/* an error stays */
	CHECK_INT(mcw_odps_next(&reader, values, NULL), status);
	CHECK((status == MCW_END) == (err.message[0] == '\0'));
	CHECK(err.offset <= stream.len);
	return status;
}

static bool
is_damage(mcw_status status)
{
	return status == MCW_ERR_FORMAT || status == MCW_ERR_CHECKSUM;
}

static void
truncation(void)
{
	unit_random r = {5};

	for (int n = 0; n < 40; n++)
	{
		const mcw_odps_type *types[MAX_COLUMNS];
		datum	   *rows[3];
		mcw_arena	arena;
		mcw_buf		out;
		int			ntypes;

		mcw_arena_init(&arena, &mcw_malloc, MAX_STREAM);
		mcw_buf_init(&out, &mcw_malloc, MAX_STREAM);
		ntypes = random_stream(&r, &arena, types, rows, 3, &out);
		for (size_t len = 0; len < out.len && len < 4000; len++)
		{
			char	   *exact = malloc(len ? len : 1);

			/* a block of just that size, for the address sanitizer */
			memcpy(exact, out.data, len);
			CHECK_INT(drain((mcw_view) {exact, len}, types, ntypes), MCW_ERR_FORMAT);
			free(exact);
		}
		CHECK_INT(drain(mcw_buf_view(&out), types, ntypes), MCW_END);
		CHECK_OK(mcw_buf_append_char(&out, '\0'));
		CHECK_INT(drain(mcw_buf_view(&out), types, ntypes), MCW_ERR_FORMAT);
		mcw_buf_free(&out);
		mcw_arena_reset(&arena);
	}
}

/*
 * Every bit of a stream of scalars matters.  (Counts and null flags of nested
 * values are outside of the protocol's checksum: random_damage.)
 */
static void
bit_flips(void)
{
	static const char *const columns[] = {"bigint", "string", "double", "int", "boolean", "timestamp", "float", "decimal(10,2)", "date"};
	const mcw_odps_type *types[9];
	unit_random r = {77};
	mcw_odps_writer w;
	mcw_arena	arena;
	mcw_buf		out;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 16);
	mcw_buf_init(&out, &mcw_malloc, MAX_STREAM);
	for (int i = 0; i < 9; i++)
	{
		mcw_odps_type *type = NULL;

		CHECK_OK(mcw_odps_type_parse(mcw_str(columns[i]), &arena, &type, NULL));
		types[i] = type;
	}
	mcw_odps_writer_init(&w, &out);
	for (int n = 0; n < 5; n++)
	{
		mcw_odps_begin_record(&w);
		mcw_odps_put_int(&w, 1, (int64_t) unit_next(&r) >> (10 * n));
		mcw_odps_put_bytes(&w, 2, "some text of the log", (size_t) n * 5);
		mcw_odps_put_double(&w, 3, 1.5 * n);
		mcw_odps_put_int(&w, 4, -n);
		mcw_odps_put_bool(&w, 5, n & 1);
		mcw_odps_put_timestamp(&w, 6, -n * 1000, 999999999 - n);
		mcw_odps_put_float(&w, 7, 0.1f);
		mcw_odps_put_bytes(&w, 8, "12.50", 5);
		mcw_odps_put_int(&w, 9, 19000);
		CHECK_OK(mcw_odps_end_record(&w));
	}
	CHECK_OK(mcw_odps_finish(&w));
	CHECK_INT(drain(mcw_buf_view(&out), types, 9), MCW_END);
	for (size_t bit = 0; bit < out.len * 8; bit++)
	{
		out.data[bit / 8] ^= (char) (1 << bit % 8);
		CHECK(is_damage(drain(mcw_buf_view(&out), types, 9)));
		out.data[bit / 8] ^= (char) (1 << bit % 8);
	}
	mcw_buf_free(&out);
	mcw_arena_reset(&arena);
}

/* Random damage to random schemas: no crash, and what passes reads to the end */
static void
random_damage(void)
{
	unit_random r = {99};
	int			caught = 0;

	for (int n = 0; n < 400; n++)
	{
		const mcw_odps_type *types[MAX_COLUMNS];
		datum	   *rows[3];
		mcw_arena	arena;
		mcw_buf		out;
		int			ntypes;

		mcw_arena_init(&arena, &mcw_malloc, MAX_STREAM);
		mcw_buf_init(&out, &mcw_malloc, MAX_STREAM);
		ntypes = random_stream(&r, &arena, types, rows, 3, &out);
		for (int i = 0; i < 30; i++)
		{
			size_t		at = unit_below(&r, out.len);
			char		old = out.data[at];
			mcw_status	status;

			out.data[at] = (char) unit_next(&r);
			status = drain(mcw_buf_view(&out), types, ntypes);
			CHECK(status == MCW_END || is_damage(status));
			caught += status != MCW_END;
			out.data[at] = old;
		}
		mcw_buf_free(&out);
		mcw_arena_reset(&arena);
	}
	CHECK(caught > 11000);
}

static void
malformed(void)
{
	static const char footer[] = "\xf0\xff\xff\x7f\x00\xf8\xff\xff\x7f\x00";
	static const struct
	{
		const char *why;
		const char *type;
		mcw_view	stream;
		mcw_status	status;
	}			cases[] = {
		{"empty stream", "bigint", {footer, 10}, MCW_END},
		{"nothing at all", "bigint", MCW_LIT(""), MCW_ERR_FORMAT},
		{"wrong wire type", "bigint", MCW_LIT("\x0a\x01x"), MCW_ERR_FORMAT},
		{"string as varint", "string", MCW_LIT("\x08\x01"), MCW_ERR_FORMAT},
		{"double as float", "double", MCW_LIT("\x0d\1\2\3\4"), MCW_ERR_FORMAT},
		{"unknown column", "bigint", MCW_LIT("\x10\x01"), MCW_ERR_FORMAT},
		{"column zero", "bigint", MCW_LIT("\x00\x01"), MCW_ERR_FORMAT},
		{"column twice", "bigint", MCW_LIT("\x08\x02\x08\x02"), MCW_ERR_FORMAT},
		{"tinyint of 128", "tinyint", MCW_LIT("\x08\x80\x02"), MCW_ERR_FORMAT},
		{"boolean of 2", "boolean", MCW_LIT("\x08\x02"), MCW_ERR_FORMAT},
		{"nanoseconds too large", "timestamp", MCW_LIT("\x0a\x00\x80\xa8\xd6\xb9\x07"), MCW_ERR_FORMAT},
		{"negative nanoseconds", "timestamp", MCW_LIT("\x0a\x00\x01"), MCW_ERR_FORMAT},
		{"null flag of 2", "array<int>", MCW_LIT("\x0a\x01\x02"), MCW_ERR_FORMAT},
		{"count beyond the end", "array<int>", MCW_LIT("\x0a\xff\xff\xff\xff\x0f\x01"), MCW_ERR_FORMAT},
		{"map of unequal halves", "map<int,int>", MCW_LIT("\x0a\x01\x00\x02\x02\x01\x01"), MCW_ERR_FORMAT},
		{"vector of another size", "vector(float,2)", MCW_LIT("\x0a\x01\0\0\0\0"), MCW_ERR_FORMAT},
		{"value of void", "void", MCW_LIT("\x0a\x00"), MCW_ERR_FORMAT},
		{"wrong record checksum", "bigint", MCW_LIT("\x08\x02\x80\xc0\xff\x7f\x01"), MCW_ERR_CHECKSUM},
		{"checksum of 33 bits", "bigint", MCW_LIT("\x80\xc0\xff\x7f\x80\x80\x80\x80\x10"), MCW_ERR_FORMAT},
		{"footer in a record", "bigint", MCW_LIT("\x08\x02\xf0\xff\xff\x7f\x00\xf8\xff\xff\x7f\x00"), MCW_ERR_FORMAT},
		{"wrong count", "bigint", MCW_LIT("\xf0\xff\xff\x7f\x02\xf8\xff\xff\x7f\x00"), MCW_ERR_CHECKSUM},
		{"wrong checksum", "bigint", MCW_LIT("\xf0\xff\xff\x7f\x00\xf8\xff\xff\x7f\x01"), MCW_ERR_CHECKSUM},
		{"another mark", "bigint", MCW_LIT("\x80\xe0\xff\x7f\x00"), MCW_ERR_FORMAT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const mcw_odps_type *types[1];
		mcw_odps_type *type = NULL;
		mcw_arena	arena;

		mcw_arena_init(&arena, &mcw_malloc, 1 << 16);
		CHECK_OK(mcw_odps_type_parse(mcw_str(cases[i].type), &arena, &type, NULL));
		types[0] = type;
		if (!CHECK_INT(drain(cases[i].stream, types, 1), cases[i].status))
			printf("    %s\n", cases[i].why);
		mcw_arena_reset(&arena);
	}
}

/* A field above 8 MB is refused on both sides */
static void
field_limit(void)
{
	const mcw_odps_type string = {.kind = MCW_ODPS_STRING};
	const mcw_odps_type *types[1] = {&string};
	size_t		len = MCW_ODPS_MAX_FIELD + 1;
	char	   *big = calloc(1, len);
	mcw_odps_writer w;
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 2 * len);
	mcw_odps_writer_init(&w, &out);
	mcw_odps_begin_record(&w);
	mcw_odps_put_bytes(&w, 1, big, len);
	CHECK_INT(mcw_odps_end_record(&w), MCW_ERR_RANGE);
	mcw_odps_begin_record(&w);
	mcw_odps_put_nested(&w, 1);
	mcw_odps_elem_count(&w, 1);
	mcw_odps_elem_null(&w, false);
	mcw_odps_elem_bytes(&w, big, len);
	CHECK_INT(mcw_odps_end_record(&w), MCW_ERR_RANGE);
	mcw_odps_begin_record(&w);
	mcw_odps_put_bytes(&w, 1, big, len - 1);
	CHECK_OK(mcw_odps_end_record(&w));
	CHECK_OK(mcw_odps_finish(&w));
	CHECK_INT(drain(mcw_buf_view(&out), types, 1), MCW_END);

	mcw_buf_reset(&out);
	CHECK_OK(mcw_buf_append(&out, "\x0a\x81\x80\x80\x04", 5));
	CHECK_OK(mcw_buf_append(&out, big, len));
	CHECK_INT(drain(mcw_buf_view(&out), types, 1), MCW_ERR_FORMAT);
	mcw_buf_free(&out);
	free(big);
}

/* Between count and checksum a server may put its own times */
static void
metrics_block(void)
{
	static const char json[] = "{\"PanguIOCost\":1}";
	const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[1] = {&bigint};
	uint32_t	crc = mcw_crc32c(mcw_crc32c(0, "\1\0\0\0", 4), json, sizeof(json) - 1);
	char		number[10];
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1 << 10);
	for (int wrong = 0; wrong < 2; wrong++)
	{
		mcw_buf_reset(&out);
		CHECK_OK(mcw_buf_append(&out, "\xf0\xff\xff\x7f\x00\x0a", 6));
		CHECK_OK(mcw_buf_append_char(&out, (char) (sizeof(json) - 1)));
		CHECK_OK(mcw_buf_append_str(&out, json));
		CHECK_OK(mcw_buf_append(&out, "\x80\xf0\xff\x7f", 4));
		CHECK_OK(mcw_buf_append(&out, number, (size_t) (mcw_put_varint(number, crc ^ (uint32_t) wrong) - number)));
		CHECK_OK(mcw_buf_append(&out, "\xf8\xff\xff\x7f\x00", 5));
		CHECK_INT(drain(mcw_buf_view(&out), types, 1), wrong ? MCW_ERR_CHECKSUM : MCW_END);
		for (size_t len = 0; !wrong && len < out.len; len++)
			CHECK_INT(drain((mcw_view) {out.data, len}, types, 1), MCW_ERR_FORMAT);
	}
	mcw_buf_free(&out);
}

/* Columns may come in any order */
static void
any_order(void)
{
	const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[2] = {&bigint, &bigint};
	mcw_odps_value values[2];
	mcw_odps_reader reader;
	uint32_t	crc = 0;
	char		number[10];
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1 << 10);
	CHECK_OK(mcw_buf_append(&out, "\x10\x02\x08\x04\x80\xc0\xff\x7f", 8));
	crc = mcw_crc32c(crc, "\2\0\0\0" "\1\0\0\0\0\0\0\0" "\1\0\0\0" "\2\0\0\0\0\0\0\0", 24);
	CHECK_OK(mcw_buf_append(&out, number, (size_t) (mcw_put_varint(number, crc) - number)));
	mcw_odps_reader_init(&reader, types, 2, mcw_buf_view(&out));
	CHECK_OK(mcw_odps_next(&reader, values, NULL));
	CHECK_INT(values[0].i64, 2);
	CHECK_INT(values[1].i64, 1);
	mcw_buf_free(&out);
}

/* --- writer ----------------------------------------------------------- */

static void
writer_misuse(void)
{
	const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[3] = {&bigint, &bigint, &bigint};
	static const int bad[][2] = {{2, 1}, {2, 2}, {0, 0}, {-1, -1}, {1, MCW_ODPS_MAX_COLUMNS + 1}};
	mcw_odps_writer w;
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 200);
	mcw_odps_writer_init(&w, &out);
	for (int i = 0; i < 5; i++)
	{
		mcw_odps_begin_record(&w);
		mcw_odps_put_int(&w, bad[i][0], 1);
		mcw_odps_put_int(&w, bad[i][1], 1);
		CHECK_INT(mcw_odps_end_record(&w), MCW_ERR_ARGUMENT);
		CHECK_INT(out.len, 0);
	}
	/* a full buffer: the record is dropped, the stream can still be finished */
	for (int i = 0; i < 100; i++)
	{
		mcw_status	status;

		mcw_odps_begin_record(&w);
		mcw_odps_put_int(&w, 1, INT64_MAX);
		mcw_odps_put_int(&w, 3, INT64_MIN);
		status = mcw_odps_end_record(&w);
		CHECK_INT(status, w.nrecords > 5 && status != MCW_OK ? MCW_ERR_LIMIT : MCW_OK);
	}
	out.max += 50;
	CHECK_OK(mcw_odps_finish(&w));
	CHECK(w.nrecords > 3 && w.nrecords < 20);
	CHECK_INT(drain(mcw_buf_view(&out), types, 3), MCW_END);
	mcw_buf_free(&out);
}

static mcw_status
attempt_all(const mcw_alloc *alloc, void *arg)
{
	mcw_odps_type *type;
	mcw_odps_writer w;
	mcw_arena	arena;
	mcw_buf		out;
	mcw_status	status;

	mcw_arena_init(&arena, alloc, 1 << 20);
	mcw_buf_init(&out, alloc, MAX_STREAM);
	status = mcw_odps_type_parse(mcw_buf_view(arg), &arena, &type, NULL);
	mcw_odps_writer_init(&w, &out);
	for (int i = 0; i < 8 && status == MCW_OK; i++)
	{
		mcw_odps_begin_record(&w);
		mcw_odps_put_bytes(&w, 1, ((mcw_buf *) arg)->data, 900);
		mcw_odps_put_nested(&w, 2);
		mcw_odps_elem_count(&w, 1);
		mcw_odps_elem_bytes(&w, ((mcw_buf *) arg)->data, 900);
		mcw_odps_put_timestamp(&w, 3, 1, 2);
		status = mcw_odps_end_record(&w);
	}
	if (status == MCW_OK)
		status = mcw_odps_finish(&w);
	mcw_buf_free(&out);
	mcw_arena_reset(&arena);
	return status;
}

static void
torture(void)
{
	mcw_buf		text;

	mcw_buf_init(&text, &mcw_malloc, 1 << 16);
	CHECK_OK(mcw_buf_append_str(&text, "struct<`a b`:map<string,array<decimal(10,2)>>"));
	for (int i = 0; i < 300; i++)
		CHECK_OK(mcw_buf_append_str(&text, ",another_field:vector(float,3)"));
	CHECK_OK(mcw_buf_append_str(&text, ">"));
	unit_torture(attempt_all, &text);
	mcw_buf_free(&text);
}

/* The inline pieces agree with the function, at every length and alignment */
static void
checksum_pieces(void)
{
	unit_random r = {21};
	char		data[220];
	uint32_t	word;
	uint64_t	wide;

	unit_fill(&r, data, sizeof(data), 256);
	for (size_t start = 0; start < 9; start++)
	{
		uint32_t	before = (uint32_t) unit_next(&r);

		for (size_t len = 0; len + start <= sizeof(data); len++)
			CHECK_INT(~mcw_crc32c_feed(~before, data + start, len), mcw_crc32c(before, data + start, len));
		memcpy(&word, data + start, 4);
		memcpy(&wide, data + start, 8);
		CHECK_INT(~mcw_crc32c_feed_u32(~before, word), mcw_crc32c(before, data + start, 4));
		CHECK_INT(~mcw_crc32c_feed_u64(~before, wide), mcw_crc32c(before, data + start, 8));
	}
	CHECK_INT(~mcw_crc32c_feed(MCW_CRC32C_START, "123456789", 9), 0xE3069283);
}

static const unit_case cases[] = {
	{"checksum pieces", checksum_pieces},
	{"golden records", golden_records},
	{"there and back", there_and_back},
	{"truncation", truncation},
	{"bit flips", bit_flips},
	{"random damage", random_damage},
	{"malformed", malformed},
	{"field limit", field_limit},
	{"metrics block", metrics_block},
	{"any order", any_order},
	{"writer misuse", writer_misuse},
	{"torture", torture},
};

UNIT_MAIN(cases)
