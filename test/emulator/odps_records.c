/*
 * odps_records.c
 *		mc-emulator, MaxCompute part: record streams out of contents.
 *
 * All columns in table order: slices of the segments are copied and the footer is
 * computed from the stored CRCs of the records.  Any other column list: records
 * are decoded and written again.  Reference: maxcompute.md 3.2, 3.5, 3.6.
 */
#include "odps.h"

#include <stdlib.h>

/* The segment that holds a row */
static int
segment_of(const odps_content *content, uint64_t row)
{
	int			lo = 0;
	int			hi = content->nsegments - 1;

	while (lo < hi)
	{
		int			mid = (lo + hi + 1) / 2;

		if (content->first[mid] <= row)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static void
put_varint(mcw_buf *out, uint64_t v)
{
	while (v >= 0x80)
	{
		(void) mcw_buf_append_char(out, (char) (v | 0x80));
		v >>= 7;
	}
	(void) mcw_buf_append_char(out, (char) v);
}

static void
put_footer(mcw_buf *out, uint64_t count, uint32_t crc)
{
	(void) mcw_buf_append(out, "\xf0\xff\xff\x7f", 4);
	put_varint(out, count << 1);
	(void) mcw_buf_append(out, "\xf8\xff\xff\x7f", 4);
	put_varint(out, crc);
}

static mcw_status
copy_rows(const odps_content *content, uint64_t start, uint64_t count, mcw_buf *out)
{
	uint64_t	left = count;
	uint32_t	crc = 0;

	if (content->nrecords > 0)
		(void) mcw_buf_grow(out, (size_t) ((double) content->bytes * count / content->nrecords) + 64);
	for (int s = count ? segment_of(content, start) : 0; left > 0; s++)
	{
		const odps_segment *seg = content->segments[s];
		uint32_t	from = (uint32_t) (start - content->first[s]);
		uint32_t	n = seg->nrecords - from;

		if (n > left)
			n = (uint32_t) left;
		(void) mcw_buf_append(out, seg->data + seg->offsets[from],
							  seg->offsets[from + n] - seg->offsets[from]);
		crc = mcw_crc32c(crc, seg->crcs + from, sizeof(uint32_t) * (size_t) n);
		start += n;
		left -= n;
	}
	put_footer(out, count, crc);
	return out->failed ? MCW_ERR_LIMIT : MCW_OK;
}

static mcw_status
project_rows(const odps_schema *schema, const odps_content *content, uint64_t start, uint64_t count,
			 const int *columns, int ncolumns, mcw_buf *out, mcw_error *err)
{
	mcw_odps_value *values = emu_malloc(sizeof(mcw_odps_value) * (schema->ncolumns + 1));
	mcw_odps_writer writer;
	mcw_status	st = MCW_OK;
	uint64_t	left = count;

	mcw_odps_writer_init(&writer, out);
	for (int s = count ? segment_of(content, start) : 0; left > 0 && st == MCW_OK; s++)
	{
		const odps_segment *seg = content->segments[s];
		uint32_t	from = (uint32_t) (start - content->first[s]);
		uint32_t	n = seg->nrecords - from;
		mcw_odps_reader reader;

		if (n > left)
			n = (uint32_t) left;
		mcw_odps_reader_init(&reader, schema->types, schema->ncolumns,
							 (mcw_view) {seg->data + seg->offsets[from], seg->len - seg->offsets[from]});
		for (uint32_t r = 0; r < n && st == MCW_OK; r++)
		{
			st = mcw_odps_next(&reader, values, err);
			if (st != MCW_OK)
				break;
			mcw_odps_begin_record(&writer);
			for (int c = 0; c < ncolumns; c++)
				if (!values[columns[c]].is_null &&
					!odps_value_put(&writer, c + 1, schema->types[columns[c]], &values[columns[c]]))
					st = MCW_ERR_FORMAT;
			if (st == MCW_OK)
				st = mcw_odps_end_record(&writer);
		}
		start += n;
		left -= n;
	}
	free(values);
	return st == MCW_OK ? mcw_odps_finish(&writer) : st;
}

mcw_status
odps_stream_build(const odps_schema *schema, const odps_content *content, uint64_t start, uint64_t count,
				  const int *columns, int ncolumns, mcw_buf *out, mcw_error *err)
{
	bool		all = columns == NULL || ncolumns == schema->ncolumns;

	for (int i = 0; all && columns && i < ncolumns; i++)
		all = columns[i] == i;
	odps_count.rows_out += count;
	if (all)
		return copy_rows(content, start, count, out);
	return project_rows(schema, content, start, count, columns, ncolumns, out, err);
}

mcw_status
odps_content_walk(const odps_schema *schema, const odps_content *content, odps_row_fn fn, void *ctx, mcw_error *err)
{
	mcw_odps_value *values = emu_malloc(sizeof(mcw_odps_value) * (schema->ncolumns + 1));
	mcw_status	st = MCW_OK;
	bool		more = true;

	for (int s = 0; s < content->nsegments && st == MCW_OK && more; s++)
	{
		const odps_segment *seg = content->segments[s];
		mcw_odps_reader reader;

		mcw_odps_reader_init(&reader, schema->types, schema->ncolumns, (mcw_view) {seg->data, seg->len});
		for (uint32_t r = 0; r < seg->nrecords && more; r++)
		{
			st = mcw_odps_next(&reader, values, err);
			if (st != MCW_OK)
				break;
			more = fn(ctx, values, seg, r);
		}
	}
	free(values);
	return st;
}

/* The first rows of a content */
odps_content *
odps_content_head(const odps_content *content, uint64_t count)
{
	odps_segment **segs = emu_malloc(sizeof(odps_segment *) * (content->nsegments + 1));
	odps_segment *cut = NULL;
	odps_content *head;
	int			n = 0;

	while (n < content->nsegments && content->first[n] + content->segments[n]->nrecords <= count)
	{
		segs[n] = content->segments[n];
		n++;
	}
	if (n < content->nsegments && content->first[n] < count)
	{
		const odps_segment *seg = content->segments[n];
		uint32_t	rows = (uint32_t) (count - content->first[n]);
		size_t		len = seg->offsets[rows];
		char	   *data = emu_malloc(len + 1);
		uint32_t   *offsets = emu_malloc(sizeof(uint32_t) * (rows + 1));
		uint32_t   *crcs = emu_malloc(sizeof(uint32_t) * (rows + 1));

		memcpy(data, seg->data, len);
		memcpy(offsets, seg->offsets, sizeof(uint32_t) * (rows + 1));
		memcpy(crcs, seg->crcs, sizeof(uint32_t) * rows);
		cut = odps_segment_take(data, len, rows, offsets, crcs);
		segs[n++] = cut;
	}
	head = odps_content_make(segs, n);
	odps_segment_unref(cut);
	free(segs);
	return head;
}
