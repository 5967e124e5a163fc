/*
 * fuzz_ots.c
 *		Rows of Tablestore.  What the reader accepts is walked cell by cell and written
 *		again: the values it found must be the walk's, and what was written must be read
 *		as the same and, if the input is as we write it, be the same bytes.  The first
 *		byte: bit 0 repairs the checksums, without which few inputs would get far; bit 1
 *		allows padding; bit 2 reads an origin.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_ots_private.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NCOLUMNS 4
#define MAX_OUT ((size_t) 1 << 24)

static const mcw_view wanted[NCOLUMNS] = {{"pk1", 3}, {"a", 1}, {"c_int", 5}, {"a", 1}};

/* Set the checksum of every cell and row that can be told apart */
static void
repair(char *bytes, size_t size)
{
	const char *end = bytes + size;
	char	   *p = bytes + (size < OTS_HEADER_SIZE ? size : OTS_HEADER_SIZE);
	uint8_t		row_crc = 0;
	bool		is_key = true;

	while (p < end)
	{
		ots_raw_cell raw;
		const char *behind;
		const char *fail;
		const char *what;

		if (*p == TAG_CELL)
		{
			behind = mcw_ots_parse_cell(p, end, is_key, &raw, &fail, &what);
			if (behind == NULL)
				return;
			raw.crc = ots_cell_crc(&raw, ots_crc_feed(0, raw.cell.name.data, raw.cell.name.len));
			p += behind - p;
			p[-1] = (char) raw.crc;
			row_crc = ots_crc_byte(row_crc, raw.crc);
			continue;
		}
		if (*p == TAG_ROW_DATA)
			is_key = false;
		if (*p == TAG_EXTENSION && end - p >= 5 && ots_load32(p + 1) <= (size_t) (end - p - 5))
		{
			p += 5 + ots_load32(p + 1);
			continue;
		}
		if (*p == TAG_ROW_CHECKSUM && end - p >= 2)
		{
			p[1] = (char) ots_crc_byte(row_crc, p[-1] == TAG_DELETE_MARKER);
			row_crc = 0;
			is_key = true;
			p++;
		}
		p++;
	}
}

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static bool
same_value(const mcw_ots_value *a, const mcw_ots_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return a->i == b->i;
		case MCW_OTS_BOOLEAN:
			return a->b == b->b;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return mcw_view_eq(a->s, b->s);
		default:
			return true;
	}
}

/* Walks a row, checks values[] against it, writes it; false: a row that nobody may write */
static bool
rewrite(const mcw_ots_row *row, const mcw_ots_value *values, const int64_t *timestamps, mcw_buf *out, bool first)
{
	mcw_ots_value found[NCOLUMNS];
	int64_t		versions[NCOLUMNS];
	mcw_ots_writer w;
	mcw_ots_cell cell;
	size_t		pos = 0;
	uint32_t	nkeys = 0;
	uint32_t	ncells = 0;
	bool		is_key;

	for (int i = 0; i < NCOLUMNS; i++)
	{
		found[i] = mcw_ots_none(MCW_OTS_NONE);
		versions[i] = MCW_OTS_NO_TIMESTAMP;
	}
	if (first)
		mcw_ots_begin_row(&w, out);
	else
		mcw_ots_begin_next_row(&w, out);
	while (mcw_ots_next_cell(row, &pos, &cell, &is_key) == MCW_OK)
	{
		mcw_ots_name name = mcw_ots_make_name(cell.name);

		nkeys += is_key;
		ncells += !is_key;
		for (int i = 0; i < NCOLUMNS; i++)
			if (found[i].type == MCW_OTS_NONE && mcw_view_eq(cell.name, wanted[i]) && cell.value.type != MCW_OTS_NONE)
			{
				found[i] = cell.value;
				versions[i] = cell.timestamp;
			}
		if (is_key)
			mcw_ots_put_key(&w, &name, &cell.value);
		else
			mcw_ots_put_cell(&w, &name, &cell.value, (mcw_ots_op) cell.op, cell.timestamp);
	}
	must(nkeys == row->nkeys && ncells == row->ncells);
	for (int i = 0; i < NCOLUMNS; i++)
		must(same_value(&found[i], &values[i]) && versions[i] == timestamps[i]);
	if (row->deleted)
		mcw_ots_put_delete_marker(&w);
	if (row->has_sequence)
		mcw_ots_put_sequence(&w, row->epoch, row->time_us, row->row_index);
	return mcw_ots_end_row(&w) == MCW_OK;
}

/* All rows; 'out' gets them again.  The number of rows, or -1 */
static int
read_rows(mcw_view bytes, bool padding, bool origin, mcw_buf *out, bool *rewritten)
{
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, wanted, NCOLUMNS);
	mcw_ots_value values[NCOLUMNS];
	int64_t		timestamps[NCOLUMNS];
	mcw_error	err;
	mcw_ots_row row;
	mcw_status	status;
	int			n = 0;

	status = origin ? mcw_ots_reader_origin(reader, bytes, &err) : mcw_ots_reader_page(reader, bytes, padding, &err);
	while (status == MCW_OK && (status = mcw_ots_next_row(reader, &row, values, timestamps, &err)) == MCW_OK)
	{
		if (*rewritten)
			*rewritten = rewrite(&row, values, timestamps, out, n == 0);
		n++;
	}
	if (status != MCW_END)
		must((status == MCW_ERR_FORMAT || status == MCW_ERR_CHECKSUM) && err.offset <= bytes.len);
	mcw_ots_reader_free(reader);
	return status == MCW_END ? n : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *bytes;
	mcw_view	page;
	mcw_buf		once;
	mcw_buf		twice;
	bool		origin;
	bool		rewritten = true;
	int			n;

	if (size == 0)
		return 0;
	bytes = malloc(size);
	memcpy(bytes, data + 1, size - 1);
	page.data = bytes;
	page.len = size - 1;
	origin = data[0] & 4;
	if (data[0] & 1)
		repair(bytes, page.len);
	mcw_buf_init(&once, &mcw_malloc, MAX_OUT);
	mcw_buf_init(&twice, &mcw_malloc, MAX_OUT);
	n = read_rows(page, data[0] & 2, origin, &once, &rewritten);
	if (n > 0 && rewritten)
	{
		must(read_rows(mcw_buf_view(&once), false, origin, &twice, &rewritten) == n && rewritten);
		must(mcw_view_eq(mcw_buf_view(&once), mcw_buf_view(&twice)));
		/* nothing was left out that is counted in the length: then all of it is the same */
		if (once.len == page.len)
			must(memcmp(once.data, bytes, page.len) == 0 || !(data[0] & 1) || origin);
	}
	mcw_buf_free(&once);
	mcw_buf_free(&twice);
	free(bytes);
	return 0;
}
