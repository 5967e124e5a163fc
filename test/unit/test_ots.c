/*
 * test_ots.c
 *		Rows of Tablestore: checksum, writer and reader both ways, every corruption and
 *		every truncation of sample rows, malformed bytes, keys, limits.
 */
#include "unit.h"

#include "../../src/wire/mcw_ots.h"
#include "../vectors/ots_rows.h"

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

/* ---- corruption ---- */

/* Reads all rows: MCW_END or the error */
static mcw_status
read_all(mcw_view bytes, bool padding, mcw_error *err)
{
	static const mcw_view columns[] = {{"pk1", 3}, {"a", 1}, {"col", 3}};
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, columns, 3);
	mcw_ots_value values[3];
	mcw_ots_row row;
	char	   *exact = malloc(bytes.len + 1);
	mcw_view	copy = {exact + 1, bytes.len};
	mcw_status	status;

	memcpy(exact + 1, bytes.data, bytes.len);
	status = mcw_ots_reader_page(reader, copy, padding, err);
	while (status == MCW_OK)
		status = mcw_ots_next_row(reader, &row, values, NULL, err);
	if (status != MCW_END)
	{
		CHECK(status == MCW_ERR_FORMAT || status == MCW_ERR_CHECKSUM);
		CHECK(err->offset <= bytes.len && err->message[0] != '\0');
	}
	free(exact);
	mcw_ots_reader_free(reader);
	return status;
}

/* Two rows with every kind of part; ends[] is where each ends */
static void
sample_rows(mcw_buf *out, size_t ends[2], bool sequence)
{
	static const struct
	{
		const char *name;
		mcw_ots_op	op;
		int			type;
		int64_t		timestamp;
	}			cells[] = {
		{"a", MCW_OTS_PUT, MCW_OTS_STRING, 1700000000001}, {"b", MCW_OTS_PUT, MCW_OTS_INTEGER, 1700000000002},
		{"col", MCW_OTS_PUT, MCW_OTS_DOUBLE, MCW_OTS_NO_TIMESTAMP}, {"col2", MCW_OTS_PUT, MCW_OTS_BOOLEAN, 7},
		{"column", MCW_OTS_PUT, MCW_OTS_BINARY, 1}, {"column1", MCW_OTS_DELETE_ALL, MCW_OTS_NONE, MCW_OTS_NO_TIMESTAMP},
		{"x", MCW_OTS_DELETE_ONE, MCW_OTS_NONE, 1700000000003}, {"n", MCW_OTS_INCREMENT, MCW_OTS_INTEGER, MCW_OTS_NO_TIMESTAMP},
	};

	for (int n = 0; n < 2; n++)
	{
		mcw_ots_writer w;
		mcw_ots_name name = mcw_ots_make_name(MCW_LIT("pk1"));
		mcw_ots_value value = mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("device-0001"));

		if (n == 0)
			mcw_ots_begin_row(&w, out);
		else
			mcw_ots_begin_next_row(&w, out);
		mcw_ots_put_key(&w, &name, &value);
		name = mcw_ots_make_name(MCW_LIT("pk2"));
		value = mcw_ots_int(-77 + n);
		mcw_ots_put_key(&w, &name, &value);
		for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		{
			value = mcw_ots_none((mcw_ots_type) cells[i].type);
			if (value.type == MCW_OTS_STRING || value.type == MCW_OTS_BINARY)
				value.s = MCW_LIT("some text\0with NUL");
			else if (value.type == MCW_OTS_BOOLEAN)
				value.b = true;
			else
				value.i = 0x4009000000000000 + n;
			name = mcw_ots_make_name(mcw_str(cells[i].name));
			mcw_ots_put_cell(&w, &name, &value, cells[i].op, cells[i].timestamp);
		}
		if (n == 1)
			mcw_ots_put_delete_marker(&w);
		if (sequence)
			mcw_ots_put_sequence(&w, 1, 1700000000000000 + n, n);
		CHECK_OK(mcw_ots_end_row(&w));
		ends[n] = out->len;
	}
}

/*
 * No byte of a row may be another: tags and lengths by the structure, all else by
 * the checksums, which see any change within eight bits.
 */
static void
test_corruption(void)
{
	mcw_buf		out;
	size_t		ends[2];
	mcw_error	err = {0};

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	sample_rows(&out, ends, false);
	CHECK_INT(read_all(mcw_buf_view(&out), false, &err), MCW_END);
	for (size_t at = 0; at < out.len; at++)
		for (int change = 1; change < 256; change++)
		{
			out.data[at] ^= (char) change;
			if (read_all(mcw_buf_view(&out), false, &err) == MCW_END)
			{
				CHECK(false);
				printf("    byte %zu changed by %02x is not seen\n", at, change);
			}
			out.data[at] ^= (char) change;
		}
	mcw_buf_free(&out);
}

/* Only the numbers of the sequence information and the tag of its item (which makes it unknown) are not covered */
static void
test_corruption_of_extension(void)
{
	mcw_buf		out;
	size_t		ends[2];
	mcw_error	err = {0};
	int			unseen = 0;

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	sample_rows(&out, ends, true);
	CHECK_INT(read_all(mcw_buf_view(&out), false, &err), MCW_END);
	for (size_t at = 0; at < out.len; at++)
	{
		size_t		end = at < ends[0] ? ends[0] : ends[1];
		size_t		from = end - 2 - 24;	/* the first item */
		size_t		in_item = at - from;
		bool		covered = at < from || at >= end - 2 || (in_item >= 1 && in_item <= 5) || in_item == 10 || in_item == 19;

		out.data[at] ^= 0x41;
		if (read_all(mcw_buf_view(&out), false, &err) == MCW_END)
		{
			unseen++;
			CHECK(!covered);
		}
		out.data[at] ^= 0x41;
	}
	CHECK_INT(unseen, 2 * (1 + 4 + 8 + 4));
	mcw_buf_free(&out);
}

static void
test_truncation(void)
{
	mcw_buf		out;
	size_t		ends[2];
	mcw_error	err = {0};

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	sample_rows(&out, ends, true);
	for (size_t len = 0; len < out.len; len++)
	{
		mcw_view	part = {out.data, len};
		bool		whole = len == 0 || len == 4 || len == ends[0];

		CHECK_INT(read_all(part, false, &err) == MCW_END, whole);
	}
	mcw_buf_free(&out);
}

/* ---- malformed by hand ---- */

#define KEY "01 03 04 03000000 706B31 05 06000000 03 01000000 61 0A 19 "

static mcw_view
from_hex(const char *text, mcw_arena *arena)
{
	char		packed[4096];
	size_t		n = 0;
	mcw_buf		out;
	mcw_view	bytes = {NULL, 0};
	mcw_view	hex;

	for (; *text; text++)
		if (*text != ' ')
			packed[n++] = *text;
	hex.data = packed;
	hex.len = n;
	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	CHECK_OK(mcw_hex_decode(&out, hex));
	CHECK_OK(mcw_arena_copy(arena, mcw_buf_view(&out), &bytes));
	mcw_buf_free(&out);
	return bytes;
}

static void
test_malformed(void)
{
	static const struct
	{
		const char *bytes;
		mcw_status	status;
		uint64_t	offset;
	}			cases[] = {
		{"75000000 " KEY "09 4E", MCW_ERR_CHECKSUM, 27},
		{"75000000 " KEY "09 EA", MCW_END, 0},
		{"75000000", MCW_END, 0},
		{"", MCW_END, 0},
		{"750000", MCW_ERR_FORMAT, 0},
		{"76000000 " KEY "09 EA", MCW_ERR_FORMAT, 0},
		{"75000000 02", MCW_ERR_FORMAT, 4},
		{"75000000 01", MCW_ERR_FORMAT, 4},
		{"75000000 01 09 00", MCW_ERR_FORMAT, 4},	/* no key columns */
		{"75000000 " KEY, MCW_ERR_FORMAT, 27},
		{"75000000 " KEY "09", MCW_ERR_FORMAT, 27},
		{"75000000 " KEY "09 EA 00", MCW_ERR_FORMAT, 29},
		{"75000000 " KEY "02 09 EA", MCW_END, 0},	/* a data part without cells */
		{"75000000 " KEY "02 02 09 EA", MCW_ERR_FORMAT, 28},
		{"75000000 " KEY "08 08 09 ED", MCW_ERR_FORMAT, 28},
		{"75000000 " KEY "0B FFFFFFFF 09 EA", MCW_ERR_FORMAT, 27},	/* negative length */
		{"75000000 " KEY "0B 00000000 09 EA", MCW_END, 0},
		{"75000000 " KEY "0B 08000000 4D 03000000 616263 09 EA", MCW_END, 0},	/* an unknown item */
		{"75000000 " KEY "0B 08000000 4D 04000000 616263 09 EA", MCW_ERR_FORMAT, 32},
		{"75000000 " KEY "0B 08000000 4D FFFFFFFF 616263 09 EA", MCW_ERR_FORMAT, 32},
		{"75000000 " KEY "0B 03000000 4D 0000 09 EA", MCW_ERR_FORMAT, 32},
		/* after an unknown item; twice; parts out of order; too short */
		{"75000000 " KEY "0B 20000000 4D 03000000 616263 0C 13000000 0D 01000000 0E 0200000000000000 0F 03000000 09 EA", MCW_END, 0},
		{"75000000 " KEY "0B 30000000 0C 13000000 0D 01000000 0E 0200000000000000 0F 03000000 "
		"0C 13000000 0D 01000000 0E 0200000000000000 0F 03000000 09 EA", MCW_ERR_FORMAT, 56},
		{"75000000 " KEY "0B 18000000 0C 13000000 0E 0200000000000000 0D 01000000 0F 03000000 09 EA", MCW_ERR_FORMAT, 32},
		{"75000000 " KEY "0B 06000000 0C 01000000 0D 09 EA", MCW_ERR_FORMAT, 32},
		/* marker and extension the other way round */
		{"75000000 " KEY "0B 00000000 08 09 ED", MCW_ERR_FORMAT, 32},
		/* names: negative, too long, empty, none */
		{"75000000 01 03 04 FFFFFFFF 706B31 05 06000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 5},
		{"75000000 01 03 04 FF000000 706B31 05 06000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 5},
		{"75000000 01 03 04 00000000 05 06000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 5},
		{"75000000 01 03 05 06000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 5},
		{"75000000 01 03 04", MCW_ERR_FORMAT, 5},
		/* total: too small, too large, negative; inner length that does not fit it */
		{"75000000 01 03 04 03000000 706B31 05 05000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 07000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 FFFFFFFF 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 06000000 03 02000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 06000000 03 FFFFFFFF 61 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 00000000 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 08000000 00 01000000000000 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		/* types: unknown, NULL, DOUBLE in a key, a boolean of 2 */
		{"75000000 01 03 04 03000000 706B31 05 01000000 05 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 01000000 06 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 09000000 01 0000000000000000 0A 19 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 " KEY "02 03 04 01000000 61 05 02000000 02 02 0A 00 09 EA", MCW_ERR_FORMAT, 35},
		/* INF_MIN as an attribute */
		{"75000000 " KEY "02 03 04 01000000 61 05 01000000 09 0A 00 09 EA", MCW_ERR_FORMAT, 35},
		/* a key without a value, with a timestamp, with an operation */
		{"75000000 01 03 04 03000000 706B31 0A 92 09 EA", MCW_ERR_FORMAT, 14},
		{"75000000 01 03 04 03000000 706B31 05 06000000 03 01000000 61 07 0100000000000000 0A 19 09 EA", MCW_ERR_FORMAT, 34},
		{"75000000 01 03 04 03000000 706B31 05 06000000 03 01000000 61 06 04 0A 19 09 EA", MCW_ERR_FORMAT, 27},
		/* an unknown operation; timestamp before the operation; a cell cut by the row's end */
		{"75000000 " KEY "02 03 04 01000000 61 06 02 0A 00 09 EA", MCW_ERR_FORMAT, 35},
		{"75000000 " KEY "02 03 04 01000000 63 07 7B68E5CF8B010000 06 03 0A D6 09 EA", MCW_ERR_FORMAT, 44},
		{"75000000 " KEY "02 03 04 01000000 61 09 EA", MCW_ERR_FORMAT, 35},
		/* five key columns */
		{"75000000 " KEY "03 04 03000000 706B31 05 06000000 03 01000000 61 0A 19 "
		"03 04 03000000 706B31 05 06000000 03 01000000 61 0A 19 03 04 03000000 706B31 05 06000000 03 01000000 61 0A 19 "
		"03 04 03000000 706B31 05 06000000 03 01000000 61 0A 19 09 EA", MCW_ERR_FORMAT, 4},
	};
	mcw_arena	arena;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mcw_error	err = {0};
		mcw_status	status = read_all(from_hex(cases[i].bytes, &arena), false, &err);

		if (!CHECK_INT(status, cases[i].status) ||
			(status != MCW_END && !CHECK_INT(err.offset, cases[i].offset)))
			printf("    case %zu: %s: %s\n", i, cases[i].bytes, err.message);
	}
	mcw_arena_reset(&arena);
}

static void
test_padding_and_origin(void)
{
	static const mcw_view columns[] = {{"a", 1}};
	mcw_arena	arena;
	mcw_error	err = {0};
	mcw_view	padded;
	mcw_view	origin;
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, columns, 1);
	mcw_ots_value value;
	mcw_ots_row row;
	mcw_ots_cell cell;
	size_t		pos = 0;
	bool		is_key;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	padded = from_hex("75000000 " KEY "09 EA 00 00 00", &arena);
	CHECK_INT(read_all(padded, true, &err), MCW_END);
	CHECK_INT(read_all(padded, false, &err), MCW_ERR_FORMAT);
	CHECK_INT(read_all(from_hex("75000000 " KEY "09 EA 00 01", &arena), true, &err), MCW_ERR_FORMAT);

	origin = from_hex("75000000 02 03 04 01000000 61 05 06000000 03 01000000 78 0A 4D 09 2B", &arena);
	CHECK_INT(read_all(origin, false, &err), MCW_ERR_FORMAT);
	((char *) origin.data)[origin.len - 1] = (char) reference_crc(0, "\x4d\0", 2);
	CHECK_INT(read_all(origin, false, &err), MCW_ERR_FORMAT);
	CHECK_OK(mcw_ots_reader_origin(reader, origin, &err));
	CHECK_OK(mcw_ots_next_row(reader, &row, &value, NULL, &err));
	CHECK_INT(row.nkeys, 0);
	CHECK_INT(row.ncells, 1);
	CHECK(value.type == MCW_OTS_STRING && mcw_view_eq(value.s, MCW_LIT("x")));
	CHECK_OK(mcw_ots_next_cell(&row, &pos, &cell, &is_key));
	CHECK(!is_key && mcw_view_eq(cell.name, MCW_LIT("a")));
	CHECK_INT(mcw_ots_next_cell(&row, &pos, &cell, &is_key), MCW_END);
	CHECK_INT(mcw_ots_next_row(reader, &row, &value, NULL, &err), MCW_END);

	/* and with their key */
	CHECK_OK(mcw_ots_reader_origin(reader, from_hex("75000000 " KEY "09 EA", &arena), &err));
	CHECK_OK(mcw_ots_next_row(reader, &row, &value, NULL, &err));
	CHECK_INT(row.nkeys, 1);
	mcw_ots_reader_free(reader);
	mcw_arena_reset(&arena);
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

static void
test_variants(void)
{
	static const char *const broken[] = {
		"", "00", "0001020304050607", "000102030405060708FF", "01", "02", "0202", "020100", "03", "0300000000FF",
		"0301000000", "03FFFFFFFF", "0700", "04", "05", "06", "08", "0900", "0C", "FF"
	};
	mcw_arena	arena;
	mcw_error	err = {0};
	mcw_ots_value value;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		if (!CHECK_INT(mcw_ots_read_variant(from_hex(broken[i], &arena), &value, &err), MCW_ERR_FORMAT))
			printf("    %s\n", broken[i]);
	CHECK_OK(mcw_ots_read_variant(from_hex("0300000000", &arena), &value, &err));
	CHECK(value.type == MCW_OTS_STRING && value.s.len == 0);
	CHECK_STR(mcw_ots_type_name(MCW_OTS_AUTO_INCREMENT), "AUTO_INCREMENT");
	CHECK_STR(mcw_ots_type_name((mcw_ots_type) 77), "unknown");
	mcw_arena_reset(&arena);
}

static const unit_case cases[] = {
	{"checksum", test_crc},
	{"round trips", test_round_trips},
	{"many names", test_many_names},
	{"corruption", test_corruption},
	{"corruption of an extension", test_corruption_of_extension},
	{"truncation", test_truncation},
	{"malformed", test_malformed},
	{"padding, origins", test_padding_and_origin},
	{"order of keys", test_key_order},
	{"bytes of keys", test_key_bytes},
	{"what the writer refuses", test_writer_refuses},
	{"a full buffer", test_full_buffer},
	{"memory", test_memory},
	{"bare values", test_variants},
};

UNIT_MAIN(cases)
