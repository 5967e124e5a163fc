/*
 * odps_content.c
 *		mc-emulator, MaxCompute part: immutable segments and contents, and the
 *		verification that turns an uploaded record stream into a segment.
 *
 * Not a file format: nothing here is written to disk.  Reference: maxcompute.md
 * 3.5, 3.6 (streams), 4.2 (a block counts only when complete and correct).
 */
#include "odps.h"

#include <stdlib.h>

/* ---- segments ---- */

odps_segment *
odps_segment_take(char *data, size_t len, uint32_t nrecords, uint32_t *offsets, uint32_t *crcs)
{
	odps_segment *seg = emu_malloc(sizeof(*seg));

	seg->refs = 1;
	seg->data = data;
	seg->len = len;
	seg->nrecords = nrecords;
	seg->offsets = offsets;
	seg->crcs = crcs;
	seg->mark = 0;
	return seg;
}

void
odps_segment_unref(odps_segment *seg)
{
	if (!seg || --seg->refs > 0)
		return;
	free(seg->data);
	free(seg->offsets);
	free(seg->crcs);
	free(seg);
}

/* ---- contents ---- */

static uint64_t last_version;

odps_content *
odps_content_append(const odps_content *old, odps_segment **segs, int nsegs)
{
	int			nold = old ? old->nsegments : 0;
	odps_content *c = emu_malloc(sizeof(*c));

	memset(c, 0, sizeof(*c));
	c->refs = 1;
	c->version = ++last_version;
	c->segments = emu_malloc(sizeof(odps_segment *) * (nold + nsegs + 1));
	c->first = emu_malloc(sizeof(uint64_t) * (nold + nsegs + 1));
	for (int i = 0; i < nold + nsegs; i++)
	{
		odps_segment *seg = i < nold ? old->segments[i] : segs[i - nold];

		if (!seg || seg->nrecords == 0)
			continue;
		seg->refs++;
		c->segments[c->nsegments] = seg;
		c->first[c->nsegments++] = c->nrecords;
		c->nrecords += seg->nrecords;
		c->bytes += seg->len;
	}
	return c;
}

odps_content *
odps_content_make(odps_segment **segs, int nsegs)
{
	return odps_content_append(NULL, segs, nsegs);
}

void
odps_content_restore(odps_content *content, uint64_t version)
{
	content->version = version;
	if (last_version < version)
		last_version = version;
}

odps_content *
odps_content_ref(odps_content *content)
{
	content->refs++;
	return content;
}

void
odps_content_unref(odps_content *content)
{
	if (!content || --content->refs > 0)
		return;
	for (int i = 0; i < content->nsegments; i++)
		odps_segment_unref(content->segments[i]);
	free(content->segments);
	free(content->first);
	free(content);
}

/* ---- verification ---- */

/* Growing arrays of record ends and CRCs */
typedef struct record_index
{
	uint32_t   *offsets;
	uint32_t   *crcs;
	uint32_t	n;
	uint32_t	cap;
} record_index;

static void
index_add(record_index *ix, size_t end, uint32_t crc)
{
	if (ix->n + 1 >= ix->cap)
	{
		ix->cap = ix->cap ? ix->cap * 2 : 1024;
		ix->offsets = emu_realloc(ix->offsets, sizeof(uint32_t) * ix->cap);
		ix->crcs = emu_realloc(ix->crcs, sizeof(uint32_t) * ix->cap);
	}
	if (ix->n == 0)
		ix->offsets[0] = 0;
	ix->crcs[ix->n] = crc;
	ix->offsets[++ix->n] = (uint32_t) end;
}

static void
index_free(record_index *ix)
{
	free(ix->offsets);
	free(ix->crcs);
}

/* The CRC that ends a record: a varint whose first byte follows a byte below 0x80 */
static uint32_t
trailing_crc(const char *end)
{
	const unsigned char *p = (const unsigned char *) end - 1;
	uint32_t	crc = *p & 0x7f;

	while (p[-1] & 0x80)
		crc = (crc << 7) | (*--p & 0x7f);
	return crc;
}

/* What the reader does not check because it is the table's business */
static bool
check_record(const odps_schema *schema, const mcw_odps_value *values, uint64_t row, mcw_error *err)
{
	for (int i = 0; i < schema->ncolumns; i++)
	{
		const odps_column *col = &schema->columns[i];

		if (values[i].is_null)
		{
			if (mcw_unlikely(col->not_null))
			{
				mcw_fail(err, MCW_ERR_RANGE, "NULL in NOT NULL column %s, record %llu",
						 col->name, (unsigned long long) row);
				return false;
			}
			continue;
		}
		if ((col->type->kind == MCW_ODPS_STRING || col->type->kind == MCW_ODPS_BINARY) &&
			values[i].bytes.len <= MCW_ODPS_MAX_FIELD)
			continue;
		if (mcw_unlikely(!odps_value_check(col->type, &values[i], err)))
		{
			char		why[512];

			snprintf(why, sizeof(why), "%s", err->message);
			mcw_fail(err, MCW_ERR_RANGE, "column %s, record %llu: %s", col->name,
					 (unsigned long long) row, why);
			return false;
		}
	}
	return true;
}

static size_t
crc_bytes(const char *end)
{
	const char *p = end - 1;

	while (p[-1] & 0x80)
		p--;
	return (size_t) (end - p);
}

/*
 * One SDK writes checksums sign-extended, up to ten bytes; readers of other SDKs
 * take five at most.  What is stored, and served again, has the short form.
 */
static void
shorten_crcs(char *data, record_index *ix)
{
	char	   *to = data;
	uint32_t	from = 0;

	for (uint32_t i = 0; i < ix->n; i++)
	{
		uint32_t	end = ix->offsets[i + 1];
		size_t		body = end - from - crc_bytes(data + end);
		uint32_t	crc = ix->crcs[i];

		memmove(to, data + from, body);
		to += body;
		for (; crc >= 0x80; crc >>= 7)
			*to++ = (char) (crc | 0x80);
		*to++ = (char) crc;
		from = end;
		ix->offsets[i + 1] = (uint32_t) (to - data);
	}
}

odps_segment *
odps_segment_verify(const odps_schema *schema, char *data, size_t len, mcw_error *err)
{
	mcw_odps_value *values = emu_malloc(sizeof(mcw_odps_value) * (schema->ncolumns + 1));
	mcw_odps_reader reader;
	record_index ix = {0};
	mcw_status	st;
	bool		long_crcs = false;

	if (len >= UINT32_MAX)
	{
		free(values);
		mcw_fail(err, MCW_ERR_LIMIT, "the emulator does not keep blocks of 4 GB or more");
		return NULL;
	}
	mcw_odps_reader_init(&reader, schema->types, schema->ncolumns, (mcw_view) {data, len});
	while ((st = mcw_odps_next(&reader, values, err)) == MCW_OK)
	{
		if (!check_record(schema, values, ix.n, err))
		{
			st = MCW_ERR_RANGE;
			break;
		}
		index_add(&ix, reader.pos - data, trailing_crc(reader.pos));
		long_crcs = long_crcs || crc_bytes(reader.pos) > 5;
	}
	free(values);
	if (st != MCW_END)
	{
		index_free(&ix);
		return NULL;
	}
	if (long_crcs)
		shorten_crcs(data, &ix);
	if (ix.n == 0)
		index_add(&ix, 0, 0), ix.n = 0;
	return odps_segment_take(data, ix.offsets[ix.n], ix.n, ix.offsets, ix.crcs);
}

odps_segment *
odps_segment_index(const odps_schema *schema, mcw_buf *records, mcw_error *err)
{
	mcw_odps_value *values = emu_malloc(sizeof(mcw_odps_value) * (schema->ncolumns + 1));
	mcw_odps_reader reader;
	record_index ix = {0};
	mcw_status	st = MCW_OK;
	odps_segment *seg = NULL;

	if (records->failed || records->len >= UINT32_MAX)
		st = mcw_fail(err, MCW_ERR_LIMIT, "more than 4 GB in one segment");
	mcw_odps_reader_init(&reader, schema->types, schema->ncolumns, mcw_buf_view(records));
	while (st == MCW_OK && reader.pos < reader.end &&
		   (st = mcw_odps_next(&reader, values, err)) == MCW_OK)
		index_add(&ix, reader.pos - reader.start, trailing_crc(reader.pos));
	free(values);
	if (st != MCW_OK)
	{
		index_free(&ix);
		return NULL;
	}
	if (ix.n == 0)
		index_add(&ix, 0, 0), ix.n = 0;
	seg = odps_segment_take(records->data, ix.offsets[ix.n], ix.n, ix.offsets, ix.crcs);
	mcw_buf_init(records, records->alloc, records->max);
	return seg;
}
