/*
 * test_ots.c
 *		Rows of Tablestore: checksum, writer and reader both ways, keys, what the writer
 *		refuses, memory.
 */
#include "unit.h"

#include "../../src/wire/mcw_ots.h"
#include "../vectors/ots_rows.h"
#include "ots_read_all.h"

#define MAX_PAGE ((size_t) 64 << 20)
#define MAX_CELLS 40
#define MAX_ROWS 12
#define NNAMES 24

static const char *const name_pool[NNAMES] = {
	"a", "b", "c", "pk1", "pk2", "col", "col2", "column", "column1", "column_2", "\xe5\x88\x97\xe5\x90\x8d", "x_",
	"status", "Status", "a_long_name_of_a_column_that_is_longer_than_32_bytes", "n", "o", "pq", "rst", "uvwx",
	"yz012", "name-6", "name--7", "name---8"
};

/* ---- checksum ---- */

static uint8_t
reference_crc(uint8_t crc, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		crc ^= (uint8_t) data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint8_t) (crc & 0x80 ? crc << 1 ^ 0x07 : crc << 1);
	}
	return crc;
}

static void
test_crc(void)
{
	unit_random r = {42};
	char		data[300];

	CHECK_INT(mcw_ots_crc8(0, "123456789", 9), 0xF4);
	CHECK_INT(mcw_ots_crc8_portable(0, "123456789", 9), 0xF4);
	CHECK_INT(mcw_ots_crc8(0x5a, "", 0), 0x5a);
	for (size_t len = 0; len < 300; len++)
	{
		uint8_t		start = (uint8_t) unit_next(&r);
		char	   *exact = malloc(len + 1);
		uint8_t		want;

		unit_fill(&r, data, len, 256);
		memcpy(exact + 1, data, len);
		want = reference_crc(start, data, len);
		CHECK_INT(mcw_ots_crc8(start, exact + 1, len), want);
		CHECK_INT(mcw_ots_crc8_portable(start, exact + 1, len), want);
		free(exact);
	}
}

/* ---- round trips ---- */

typedef struct model_row
{
	int			nkeys;
	int			ncells;			/* keys included */
	bool		deleted;
	bool		has_sequence;
	int32_t		epoch;
	int64_t		time_us;
	int32_t		row_index;
	mcw_ots_cell cells[MAX_CELLS];
} model_row;

static char model_text[1 << 20];
static size_t model_used;

static mcw_view
random_text(unit_random *r)
{
	static const size_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, 1024};
	mcw_view	v = {model_text + model_used, lengths[unit_below(r, 20)]};

	if (model_used + 2048 > sizeof(model_text))
		model_used = 0;
	v.data = model_text + model_used;
	unit_fill(r, model_text + model_used, v.len, unit_below(r, 2) ? 256 : 2);
	model_used += v.len;
	return v;
}

static int64_t
random_int(unit_random *r)
{
	static const int64_t extremes[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, 255, 256};

	return unit_below(r, 2) ? extremes[unit_below(r, 9)] : (int64_t) (unit_next(r) >> unit_below(r, 64));
}

static mcw_ots_value
random_value(unit_random *r, bool is_key)
{
	static const mcw_ots_type key_types[] = {
		MCW_OTS_INTEGER, MCW_OTS_STRING, MCW_OTS_BINARY, MCW_OTS_INTEGER, MCW_OTS_STRING,
		MCW_OTS_INF_MIN, MCW_OTS_INF_MAX, MCW_OTS_AUTO_INCREMENT
	};
	static const mcw_ots_type types[] = {MCW_OTS_INTEGER, MCW_OTS_DOUBLE, MCW_OTS_BOOLEAN, MCW_OTS_STRING, MCW_OTS_BINARY};
	mcw_ots_value v = mcw_ots_none(is_key ? key_types[unit_below(r, 8)] : types[unit_below(r, 5)]);

	if (v.type == MCW_OTS_INTEGER || v.type == MCW_OTS_DOUBLE)
		v.i = random_int(r);	/* any bits are a DOUBLE, NaN and infinities too */
	else if (v.type == MCW_OTS_BOOLEAN)
		v.b = unit_below(r, 2);
	else if (v.type == MCW_OTS_STRING || v.type == MCW_OTS_BINARY)
		v.s = random_text(r);
	return v;
}

static void
random_cell(unit_random *r, mcw_ots_cell *cell, bool is_key)
{
	memset(cell, 0, sizeof(*cell));
	cell->name = mcw_str(name_pool[unit_below(r, NNAMES)]);
	cell->timestamp = MCW_OTS_NO_TIMESTAMP;
	cell->value = mcw_ots_none(MCW_OTS_NONE);
	if (!is_key && unit_below(r, 6) == 0)
	{
		static const mcw_ots_op ops[] = {MCW_OTS_DELETE_ALL, MCW_OTS_DELETE_ONE, MCW_OTS_INCREMENT};

		cell->op = (uint8_t) ops[unit_below(r, 3)];
		if (cell->op == MCW_OTS_DELETE_ONE)
			cell->timestamp = random_int(r) & INT64_MAX;
		else if (cell->op == MCW_OTS_INCREMENT)
			cell->value = mcw_ots_int(random_int(r));
		return;
	}
	cell->value = random_value(r, is_key);
	if (!is_key && unit_below(r, 3) > 0)
		cell->timestamp = random_int(r) & INT64_MAX;
}

/* Half of the rows look like the one before, as rows of one table do */
static void
random_row(unit_random *r, model_row *row, const model_row *before)
{
	memset(row, 0, sizeof(*row));
	row->nkeys = before ? before->nkeys : 1 + (int) unit_below(r, MCW_OTS_MAX_KEYS);
	row->ncells = before && unit_below(r, 2) ? before->ncells : row->nkeys + (int) unit_below(r, MAX_CELLS - 4);
	for (int i = 0; i < row->ncells; i++)
	{
		random_cell(r, &row->cells[i], i < row->nkeys);
		if (before && i < before->ncells && unit_below(r, 4) > 0)
			row->cells[i].name = before->cells[i].name;
	}
	row->deleted = unit_below(r, 4) == 0;
	row->has_sequence = unit_below(r, 3) == 0;
	row->epoch = row->has_sequence ? (int32_t) unit_next(r) : 0;
	row->time_us = row->has_sequence ? random_int(r) : 0;
	row->row_index = row->has_sequence ? (int32_t) unit_next(r) : 0;
}

static void
write_row(mcw_buf *out, const model_row *row, bool first)
{
	mcw_ots_writer w;

	if (first)
		mcw_ots_begin_row(&w, out);
	else
		mcw_ots_begin_next_row(&w, out);
	for (int i = 0; i < row->ncells; i++)
	{
		const mcw_ots_cell *cell = &row->cells[i];
		mcw_ots_name name = mcw_ots_make_name(cell->name);

		if (i < row->nkeys)
			mcw_ots_put_key(&w, &name, &cell->value);
		else
			mcw_ots_put_cell(&w, &name, &cell->value, (mcw_ots_op) cell->op, cell->timestamp);
	}
	if (row->deleted)
		mcw_ots_put_delete_marker(&w);
	if (row->has_sequence)
		mcw_ots_put_sequence(&w, row->epoch, row->time_us, row->row_index);
	CHECK_OK(mcw_ots_end_row(&w));
}

/* What values[] must be: the first cell of that name that has a value */
static const mcw_ots_cell *
expected_cell(const model_row *row, mcw_view name)
{
	for (int i = 0; i < row->ncells; i++)
		if (mcw_view_eq(row->cells[i].name, name) && row->cells[i].value.type != MCW_OTS_NONE)
			return &row->cells[i];
	return NULL;
}

static bool
same_row(const mcw_ots_row *row, const mcw_ots_value *values, const int64_t *timestamps,
		 const mcw_view *columns, int ncolumns, const model_row *want)
{
	size_t		pos = 0;
	mcw_ots_cell cell;
	bool		is_key;

	if ((int) row->nkeys != want->nkeys || (int) (row->nkeys + row->ncells) != want->ncells ||
		row->deleted != want->deleted || row->has_sequence != want->has_sequence ||
		row->epoch != want->epoch || row->time_us != want->time_us || row->row_index != want->row_index)
		return false;
	for (int i = 0; i < want->ncells; i++)
		if (mcw_ots_next_cell(row, &pos, &cell, &is_key) != MCW_OK || is_key != (i < want->nkeys) ||
			!ots_rows_same_cell(&cell, &want->cells[i]))
			return false;
	if (mcw_ots_next_cell(row, &pos, &cell, &is_key) != MCW_END)
		return false;
	for (int i = 0; i < ncolumns; i++)
	{
		const mcw_ots_cell *expected = expected_cell(want, columns[i]);
		mcw_ots_value none = mcw_ots_none(MCW_OTS_NONE);

		if (!ots_rows_same_value(&values[i], expected ? &expected->value : &none) ||
			timestamps[i] != (expected ? expected->timestamp : MCW_OTS_NO_TIMESTAMP))
			return false;
	}
	return true;
}

static void
check_page(mcw_view page, const model_row *rows, int nrows, const mcw_view *columns, int ncolumns, bool padding)
{
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, columns, ncolumns);
	mcw_ots_value values[NNAMES + 2];
	int64_t		timestamps[NNAMES + 2];
	mcw_ots_row row;
	mcw_error	err = {0};

	CHECK_OK(mcw_ots_reader_page(reader, page, padding, &err));
	for (int i = 0; i < nrows; i++)
	{
		if (!CHECK_OK(mcw_ots_next_row(reader, &row, values, timestamps, &err)))
			printf("    %s at %llu\n", err.message, (unsigned long long) err.offset);
		else
			CHECK(same_row(&row, values, timestamps, columns, ncolumns, &rows[i]));
	}
	CHECK_INT(mcw_ots_next_row(reader, &row, values, NULL, &err), MCW_END);
	CHECK_INT(mcw_ots_next_row(reader, &row, values, NULL, &err), MCW_END);
	mcw_ots_reader_free(reader);
}

static void
test_round_trips(void)
{
	static model_row rows[MAX_ROWS];
	unit_random r = {2015};

	for (int round = 0; round < 1500; round++)
	{
		int			nrows = (int) unit_below(&r, MAX_ROWS);
		int			ncolumns = (int) unit_below(&r, NNAMES + 2);
		size_t		padding = unit_below(&r, 3) == 0 ? unit_below(&r, 9) : 0;
		mcw_view	columns[NNAMES + 2];
		mcw_buf		out;
		char	   *exact;
		mcw_view	page;

		mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
		for (int i = 0; i < nrows; i++)
		{
			random_row(&r, &rows[i], i > 0 ? &rows[i - 1] : NULL);
			write_row(&out, &rows[i], i == 0);
		}
		for (int i = 0; i < ncolumns; i++)
			columns[i] = mcw_str(name_pool[unit_below(&r, NNAMES)]);	/* twins too */
		if (nrows == 0)
			padding = 0;

		/* of exactly that size: a read behind the end is seen */
		exact = calloc(1, out.len + padding + 1);
		if (out.len > 0)
			memcpy(exact + 1, out.data, out.len);
		page.data = exact + 1;
		page.len = out.len + padding;
		check_page(page, rows, nrows, columns, ncolumns, padding > 0 || unit_below(&r, 2));
		free(exact);
		mcw_buf_free(&out);
	}
}

/* More names than the reader remembers, in changing order */
static void
test_many_names(void)
{
	mcw_buf		out;
	mcw_view	columns[3] = {MCW_LIT("c0599"), MCW_LIT("c0007"), MCW_LIT("none")};
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, columns, 3);
	mcw_ots_value values[3];
	mcw_ots_row row;
	mcw_error	err = {0};

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	for (int n = 0; n < 20; n++)
	{
		mcw_ots_writer w;
		mcw_ots_name key = mcw_ots_make_name(MCW_LIT("k"));
		mcw_ots_value value = mcw_ots_int(n);

		if (n == 0)
			mcw_ots_begin_row(&w, &out);
		else
			mcw_ots_begin_next_row(&w, &out);
		mcw_ots_put_key(&w, &key, &value);
		for (int c = 0; c < 700; c++)
		{
			char		text[8];
			int			column = n % 2 ? 699 - c : c;
			mcw_ots_name name;

			if (column % (n + 1) != 0 && column != 599)
				continue;
			(void) snprintf(text, sizeof(text), "c%04d", column);
			name = mcw_ots_make_name(mcw_str(text));
			value = mcw_ots_int(column * 100 + n);
			mcw_ots_put_cell(&w, &name, &value, MCW_OTS_PUT, 1);
		}
		CHECK_OK(mcw_ots_end_row(&w));
	}
	CHECK_OK(mcw_ots_reader_page(reader, mcw_buf_view(&out), false, &err));
	for (int n = 0; n < 20; n++)
	{
		CHECK_OK(mcw_ots_next_row(reader, &row, values, NULL, &err));
		CHECK(values[0].type == MCW_OTS_INTEGER && values[0].i == 59900 + n);
		CHECK(7 % (n + 1) == 0 ? values[1].type == MCW_OTS_INTEGER && values[1].i == 700 + n :
			  values[1].type == MCW_OTS_NONE);
		CHECK_INT(values[2].type, MCW_OTS_NONE);
	}
	CHECK_INT(mcw_ots_next_row(reader, &row, values, NULL, &err), MCW_END);
	mcw_ots_reader_free(reader);
	mcw_buf_free(&out);
}

/* ---- keys ---- */

static const mcw_ots_schema schema = {
	.nkeys = 3,
	.keys = {{{"k1", 2}, MCW_OTS_STRING}, {{"k2", 2}, MCW_OTS_INTEGER}, {{"k3", 2}, MCW_OTS_BINARY}}
};

static void
test_key_order(void)
{
	mcw_ots_value inf_min = mcw_ots_none(MCW_OTS_INF_MIN);
	mcw_ots_value inf_max = mcw_ots_none(MCW_OTS_INF_MAX);
	const mcw_ots_value rising[] = {
		inf_min, mcw_ots_int(INT64_MIN), mcw_ots_int(-1), mcw_ots_int(0), mcw_ots_int(INT64_MAX), inf_max
	};
	const mcw_ots_value texts[] = {
		inf_min, mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("")), mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("\0")),
		mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a")), mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a\0")),
		mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("ab")), mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("\xff")), inf_max
	};
	mcw_ots_key a = {2, {inf_min, mcw_ots_int(1)}};
	mcw_ots_key b = {2, {inf_min, mcw_ots_int(2)}};

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
			CHECK_INT((mcw_ots_value_cmp(&rising[i], &rising[j]) > 0) - (mcw_ots_value_cmp(&rising[i], &rising[j]) < 0),
					  (i > j) - (i < j));
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++)
			CHECK_INT((mcw_ots_value_cmp(&texts[i], &texts[j]) > 0) - (mcw_ots_value_cmp(&texts[i], &texts[j]) < 0),
					  (i > j) - (i < j));
	CHECK_INT(mcw_ots_key_cmp(&a, &b), 0);	/* columns behind an infinite one do not count */
	a.v[0] = b.v[0] = mcw_ots_int(5);
	CHECK(mcw_ots_key_cmp(&a, &b) < 0 && mcw_ots_key_cmp(&b, &a) > 0);
	b.v[1] = inf_min;
	CHECK(mcw_ots_key_cmp(&a, &b) > 0);
}

static void
test_key_bytes(void)
{
	mcw_ots_key key = {3, {mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("x\0y")), mcw_ots_int(-3), mcw_ots_none(MCW_OTS_INF_MAX)}};
	mcw_ots_schema other = schema;
	mcw_ots_key got;
	mcw_ots_key copy;
	mcw_arena	arena;
	mcw_buf		out;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, 4096);
	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	for (int n = 1; n <= 3; n++)
	{
		mcw_buf_reset(&out);
		key.n = n;
		CHECK_OK(mcw_ots_write_key(&out, &schema, &key));
		CHECK_OK(mcw_ots_read_key(mcw_buf_view(&out), &schema, &got, &err));
		CHECK_INT(got.n, n);
		CHECK_INT(mcw_ots_key_cmp(&got, &key), 0);
		for (size_t at = 0; at < out.len; at++)
		{
			mcw_view	part = {out.data, at};

			CHECK_INT(mcw_ots_read_key(part, &schema, &got, &err), MCW_ERR_FORMAT);
			out.data[at] ^= 0x10;
			CHECK(mcw_ots_read_key(mcw_buf_view(&out), &schema, &got, &err) != MCW_OK);
			out.data[at] ^= 0x10;
		}
	}
	CHECK_OK(mcw_ots_read_key(mcw_buf_view(&out), &schema, &got, &err));
	CHECK_OK(mcw_ots_key_copy(&arena, &got, &copy));
	mcw_buf_free(&out);			/* the copy is its own */
	CHECK_INT(mcw_ots_key_cmp(&copy, &key), 0);
	CHECK_VIEW(copy.v[0].s, MCW_LIT("x\0y"));

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	CHECK_OK(mcw_ots_write_key(&out, &schema, &key));
	other.keys[1].type = MCW_OTS_STRING;
	CHECK_INT(mcw_ots_read_key(mcw_buf_view(&out), &other, &got, &err), MCW_ERR_FORMAT);
	other = schema;
	other.keys[2].name = MCW_LIT("K3");
	CHECK_INT(mcw_ots_read_key(mcw_buf_view(&out), &other, &got, &err), MCW_ERR_FORMAT);
	other.nkeys = 2;
	CHECK_INT(mcw_ots_read_key(mcw_buf_view(&out), &other, &got, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_ots_write_key(&out, &other, &key), MCW_ERR_ARGUMENT);
	key.n = 0;
	CHECK_INT(mcw_ots_write_key(&out, &schema, &key), MCW_ERR_ARGUMENT);
	mcw_arena_reset(&arena);
	mcw_arena_init(&arena, &mcw_malloc, 1);
	CHECK_INT(mcw_ots_key_copy(&arena, &copy, &got), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
	mcw_buf_free(&out);
}

/* ---- what the writer refuses ---- */

typedef struct bad_cell
{
	mcw_ots_value value;
	mcw_ots_op	op;
	int64_t		timestamp;
	mcw_status	status;
} bad_cell;

static void
test_writer_refuses(void)
{
	static char big[MCW_OTS_MAX_VALUE_BYTES + 1];
	const mcw_view too_big = {big, sizeof(big)};
	const mcw_view key_too_big = {big, MCW_OTS_MAX_KEY_BYTES + 1};
	const mcw_view long_name = {big, MCW_OTS_MAX_NAME + 1};
	mcw_ots_name name = mcw_ots_make_name(MCW_LIT("a"));
	mcw_ots_value one = mcw_ots_int(1);
	const bad_cell bad[] = {
		{mcw_ots_none(MCW_OTS_NONE), MCW_OTS_PUT, 1, MCW_ERR_ARGUMENT},
		{mcw_ots_none(MCW_OTS_INF_MIN), MCW_OTS_PUT, 1, MCW_ERR_ARGUMENT},
		{mcw_ots_none(MCW_OTS_NULL), MCW_OTS_PUT, 1, MCW_ERR_ARGUMENT},
		{one, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP, MCW_ERR_ARGUMENT},
		{mcw_ots_none(MCW_OTS_NONE), MCW_OTS_DELETE_ALL, 1, MCW_ERR_ARGUMENT},
		{mcw_ots_none(MCW_OTS_NONE), MCW_OTS_DELETE_ONE, MCW_OTS_NO_TIMESTAMP, MCW_ERR_ARGUMENT},
		{one, MCW_OTS_DELETE_ONE, 1, MCW_ERR_ARGUMENT},
		{one, MCW_OTS_INCREMENT, 1, MCW_ERR_ARGUMENT},
		{mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("x")), MCW_OTS_INCREMENT, MCW_OTS_NO_TIMESTAMP, MCW_ERR_ARGUMENT},
		{one, (mcw_ots_op) 2, MCW_OTS_NO_TIMESTAMP, MCW_ERR_ARGUMENT},
		{mcw_ots_bytes(MCW_OTS_BINARY, too_big), MCW_OTS_PUT, 1, MCW_ERR_LIMIT},
	};
	mcw_ots_writer w;
	mcw_buf		out;
	mcw_ots_value value;

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	CHECK_OK(mcw_buf_append_str(&out, "before"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		mcw_ots_begin_row(&w, &out);
		mcw_ots_put_key(&w, &name, &one);
		mcw_ots_put_cell(&w, &name, &bad[i].value, bad[i].op, bad[i].timestamp);
		mcw_ots_put_cell(&w, &name, &one, MCW_OTS_PUT, 1);	/* the first failure is kept */
		mcw_ots_put_delete_marker(&w);
		mcw_ots_put_sequence(&w, 1, 2, 3);
		if (!CHECK_INT(mcw_ots_end_row(&w), bad[i].status))
			printf("    case %zu\n", i);
		CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("before"));
	}

	/* order of parts */
	mcw_ots_begin_row(&w, &out);
	mcw_ots_put_cell(&w, &name, &one, MCW_OTS_PUT, 1);
	mcw_ots_put_key(&w, &name, &one);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);
	mcw_ots_begin_row(&w, &out);
	mcw_ots_put_delete_marker(&w);
	mcw_ots_put_cell(&w, &name, &one, MCW_OTS_PUT, 1);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);
	mcw_ots_begin_row(&w, &out);
	mcw_ots_put_delete_marker(&w);
	mcw_ots_put_delete_marker(&w);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);
	mcw_ots_begin_row(&w, &out);
	mcw_ots_put_sequence(&w, 1, 2, 3);
	mcw_ots_put_sequence(&w, 1, 2, 3);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);

	/* keys: number, type, length; names */
	mcw_ots_begin_row(&w, &out);
	for (int i = 0; i < 5; i++)
		mcw_ots_put_key(&w, &name, &one);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_LIMIT);
	mcw_ots_begin_row(&w, &out);
	value = mcw_ots_none(MCW_OTS_DOUBLE);
	value.d = 1;
	mcw_ots_put_key(&w, &name, &value);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);
	mcw_ots_begin_row(&w, &out);
	value = mcw_ots_bytes(MCW_OTS_STRING, key_too_big);
	mcw_ots_put_key(&w, &name, &value);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_LIMIT);
	mcw_ots_begin_row(&w, &out);
	name = mcw_ots_make_name(long_name);
	mcw_ots_put_key(&w, &name, &one);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_LIMIT);
	mcw_ots_begin_row(&w, &out);
	name = mcw_ots_make_name(MCW_LIT(""));
	mcw_ots_put_key(&w, &name, &one);
	CHECK_INT(mcw_ots_end_row(&w), MCW_ERR_ARGUMENT);
	CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("before"));

	value = mcw_ots_none(MCW_OTS_NONE);
	CHECK_INT(mcw_ots_write_variant(&out, &value), MCW_ERR_ARGUMENT);
	value = mcw_ots_bytes(MCW_OTS_STRING, too_big);
	CHECK_INT(mcw_ots_write_variant(&out, &value), MCW_ERR_LIMIT);
	mcw_buf_free(&out);
}

/* A full buffer: the row is taken back, the rows before stay, a smaller row still fits */
static void
test_full_buffer(void)
{
	mcw_ots_name name = mcw_ots_make_name(MCW_LIT("key"));
	mcw_ots_value small = mcw_ots_int(1);
	mcw_ots_value large = mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"
																"0123456789012345678901234567890123456789012345678901234567890123456789"));
	mcw_ots_writer w;
	mcw_error	err = {0};

	for (size_t max = 1; max < 300; max++)
	{
		mcw_buf		out;
		mcw_status	status;
		size_t		good = 0;

		mcw_buf_init(&out, &mcw_malloc, max);
		for (int i = 0; i < 4; i++)
		{
			if (good == 0)
				mcw_ots_begin_row(&w, &out);
			else
				mcw_ots_begin_next_row(&w, &out);
			mcw_ots_put_key(&w, &name, i == 1 ? &large : &small);
			status = mcw_ots_end_row(&w);
			CHECK(status == MCW_OK || status == MCW_ERR_LIMIT);
			CHECK(!out.failed);
			if (status == MCW_OK)
				good = out.len;
			CHECK_INT(out.len, good);
		}
		CHECK_INT(read_all(mcw_buf_view(&out), false, &err), MCW_END);
		mcw_buf_free(&out);
	}
}

static mcw_status
create_reader(const mcw_alloc *alloc, void *arg)
{
	static const mcw_view columns[] = {{"a", 1}, {"b", 1}, {"a", 1}, {"", 0}};
	mcw_ots_reader *reader = mcw_ots_reader_create(alloc, columns, 4);

	if (reader == NULL)
		return MCW_ERR_NOMEM;
	mcw_ots_reader_free(reader);
	return MCW_OK;
}

static mcw_status
write_torture(const mcw_alloc *alloc, void *arg)
{
	mcw_buf		out;
	mcw_ots_writer w;
	mcw_ots_name name = mcw_ots_make_name(MCW_LIT("key"));
	mcw_ots_value value = mcw_ots_int(1);
	mcw_status	status;

	mcw_buf_init(&out, alloc, MAX_PAGE);
	mcw_ots_begin_row(&w, &out);
	mcw_ots_put_key(&w, &name, &value);
	for (int i = 0; i < 100; i++)
		mcw_ots_put_cell(&w, &name, &value, MCW_OTS_PUT, 5);
	mcw_ots_put_delete_marker(&w);
	mcw_ots_put_sequence(&w, 1, 2, 3);
	status = mcw_ots_end_row(&w);
	CHECK_INT(status == MCW_OK, out.len > 0);
	mcw_buf_free(&out);
	return status;
}

static void
test_memory(void)
{
	unit_torture(create_reader, NULL);
	unit_torture(write_torture, NULL);
}

static const unit_case cases[] = {
	{"checksum", test_crc},
	{"round trips", test_round_trips},
	{"many names", test_many_names},
	{"order of keys", test_key_order},
	{"bytes of keys", test_key_bytes},
	{"what the writer refuses", test_writer_refuses},
	{"a full buffer", test_full_buffer},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
