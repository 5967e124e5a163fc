/*
 * test_ots_damage.c
 *		Rows of Tablestore that are not sound: every corruption and every truncation of
 *		sample rows, bytes malformed by hand, padding, origins without a key.
 */
#include "unit.h"

#include "../../src/wire/mcw_ots.h"
#include "../../src/wire/mcw_text.h"
#include "ots_read_all.h"

#define MAX_PAGE ((size_t) 64 << 20)

/* ---- corruption ---- */

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
	((char *) origin.data)[origin.len - 1] = (char) mcw_ots_crc8_portable(0, "\x4d\0", 2);
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
	{"corruption", test_corruption},
	{"corruption of an extension", test_corruption_of_extension},
	{"truncation", test_truncation},
	{"malformed", test_malformed},
	{"padding, origins", test_padding_and_origin},
	{"bare values", test_variants},
};

UNIT_MAIN(cases)
