/*
 * odps_arrow.c
 *		mc-emulator, MaxCompute part: Arrow bodies of the tunnel.
 *
 * Writes RecordBatch messages (flatbuffer metadata laid out by hand, no schema
 * message, no dictionaries, no compression inside) and turns uploaded ones into
 * record streams, so that everything is stored and checked alike.  Scalar types
 * only; nested types and INTERVAL_DAY_TIME, on which the SDKs disagree, are refused.
 * Reference: maxcompute.md 5.2.
 */
#include "odps.h"
#include "../../src/wire/mcw_arrow.h"

#include <stdlib.h>

#define BATCH_ROWS 65536
#define BATCH_BYTES ((size_t) 64 << 20)
#define CHUNK_SIZE 65536

/* One column of the batch being filled */
typedef struct arrow_column
{
	const mcw_odps_type *type;
	int			source;			/* column of the table */
	int			width;			/* bytes of a value; 0 = bits, -1 = variable length */
	bool		split;			/* struct<sec:int64,nano:int32>: seconds in data, nanos in offsets */
	mcw_buf		valid;
	mcw_buf		data;
	mcw_buf		offsets;
	int64_t		nulls;
} arrow_column;

typedef struct arrow_batch
{
	arrow_column *columns;
	int			ncolumns;
	int64_t		rows;
	uint64_t	skip;			/* rows before the range */
	uint64_t	left;			/* rows of the range still to come */
	mcw_buf    *out;
	mcw_error  *err;
	bool		failed;
} arrow_batch;

static int
arrow_width(const mcw_odps_type *type)
{
	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
			return 1;
		case MCW_ODPS_SMALLINT:
			return 2;
		case MCW_ODPS_INT:
		case MCW_ODPS_DATE:
		case MCW_ODPS_FLOAT:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return 4;
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_DOUBLE:
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			return 8;
		case MCW_ODPS_DECIMAL:
			return 16;
		case MCW_ODPS_BOOLEAN:
			return 0;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_JSON:
			return -1;
		default:
			return -2;
	}
}

bool
odps_arrow_supported(const odps_schema *schema, const int *columns, int n)
{
	for (int i = 0; i < n; i++)
		if (arrow_width(schema->types[columns[i]]) < -1)
			return false;
	return true;
}

/* ---- values ---- */

static void
set_bit(mcw_buf *bits, int64_t row, bool on)
{
	if (row % 8 == 0)
		(void) mcw_buf_append_char(bits, 0);
	if (on)
		bits->data[row / 8] |= (char) (1 << (row % 8));
}

/* Decimal text to an integer of the column's scale */
static bool
decimal_value(const mcw_odps_type *type, mcw_view text, __int128 *out)
{
	int			scale = type->precision ? type->scale : 18;
	bool		negative = text.len > 0 && text.data[0] == '-';
	bool		point = false;
	__int128	v = 0;

	for (size_t i = text.len > 0 && (negative || text.data[0] == '+'); i < text.len; i++)
	{
		if (text.data[i] == '.')
		{
			point = true;
			continue;
		}
		if (point && scale == 0)
			continue;
		scale -= point;
		if (v > ((__int128) 1 << 126) / 10)
			return false;
		v = v * 10 + (text.data[i] - '0');
	}
	for (; scale > 0; scale--)
	{
		if (v > ((__int128) 1 << 126) / 10)
			return false;
		v *= 10;
	}
	*out = negative ? -v : v;
	return true;
}

static bool
add_value(arrow_column *c, int64_t row, const mcw_odps_value *value)
{
	static const char zeros[16];
	bool		null = value->is_null;
	uint32_t	end;
	__int128	wide;
	int64_t		ns;

	set_bit(&c->valid, row, !null);
	c->nulls += null;
	if (c->width == 0)
		set_bit(&c->data, row, !null && value->i64 != 0);
	else if (c->width < 0)
	{
		if (!null)
			(void) mcw_buf_append_view(&c->data, value->bytes);
		end = (uint32_t) c->data.len;
		(void) mcw_buf_append(&c->offsets, &end, 4);
	}
	else if (c->split)
	{
		(void) mcw_buf_append(&c->data, null ? zeros : (const char *) &value->i64, 8);
		(void) mcw_buf_append(&c->offsets, null ? zeros : (const char *) &value->nanos, 4);
	}
	else if (null)
		(void) mcw_buf_append(&c->data, zeros, c->width);
	else if (c->type->kind == MCW_ODPS_DECIMAL)
	{
		if (!decimal_value(c->type, value->bytes, &wide))
			return false;
		(void) mcw_buf_append(&c->data, &wide, 16);
	}
	else if (c->type->kind == MCW_ODPS_TIMESTAMP || c->type->kind == MCW_ODPS_TIMESTAMP_NTZ)
	{
		if (__builtin_mul_overflow(value->i64, INT64_C(1000000000), &ns) ||
			__builtin_add_overflow(ns, (int64_t) value->nanos, &ns))
			return false;
		(void) mcw_buf_append(&c->data, &ns, 8);
	}
	else
		(void) mcw_buf_append(&c->data, &value->i64, c->width);	/* the union, little-endian */
	return true;
}

/* ---- messages ---- */

static void
begin_batch(arrow_batch *b)
{
	static const char zero[4];

	b->rows = 0;
	for (int i = 0; i < b->ncolumns; i++)
	{
		mcw_buf_reset(&b->columns[i].valid);
		mcw_buf_reset(&b->columns[i].data);
		mcw_buf_reset(&b->columns[i].offsets);
		b->columns[i].nulls = 0;
		if (b->columns[i].width < 0)
			(void) mcw_buf_append(&b->columns[i].offsets, zero, 4);
	}
}

/* Buffers of a column in the order of the format; how many */
static int
column_buffers(arrow_column *c, mcw_buf **out)
{
	int			n = 0;

	out[n++] = &c->valid;
	if (c->width < 0)
		out[n++] = &c->offsets;
	if (c->split)
		out[n++] = &c->valid;
	out[n++] = &c->data;
	if (c->split)
	{
		out[n++] = &c->valid;
		out[n++] = &c->offsets;
	}
	return n;
}

static void
put32(mcw_buf *out, uint32_t v)
{
	(void) mcw_buf_append(out, &v, 4);
}

static void
put64(mcw_buf *out, int64_t v)
{
	(void) mcw_buf_append(out, &v, 8);
}

/*
 * The metadata, 8-aligned: root offset, vtable and table of Message (at 4 and 16),
 * vtable and table of RecordBatch (at 40 and 52), vectors of nodes and buffers.
 */
static void
put_metadata(arrow_batch *b, int nbuffers, int64_t body)
{
	static const uint16_t message[] = {12, 24, 8, 10, 4, 16};
	static const uint16_t batch[] = {10, 20, 4, 12, 16, 0};
	mcw_buf    *out = b->out;
	uint32_t	nnodes = 0;
	uint32_t	nodes;
	int64_t		at = 0;

	for (int i = 0; i < b->ncolumns; i++)
		nnodes += b->columns[i].split ? 3 : 1;
	nodes = 16 * nnodes;

	put32(out, 0xffffffff);
	put32(out, 88 + nodes + 16 * (uint32_t) nbuffers);
	put32(out, 16);
	(void) mcw_buf_append(out, message, sizeof(message));
	put32(out, 12);				/* to the vtable */
	put32(out, 32);				/* header: the table at 52 */
	(void) mcw_buf_append(out, "\4\0\3\0\0\0\0\0", 8);	/* version V5, RecordBatch */
	put64(out, body);
	(void) mcw_buf_append(out, batch, sizeof(batch));
	put32(out, 12);
	put64(out, b->rows);
	put32(out, 12);				/* nodes at 76 */
	put32(out, 16 + nodes);		/* buffers */
	put32(out, 0);
	put32(out, nnodes);
	for (int i = 0; i < b->ncolumns; i++)
		for (int k = b->columns[i].split ? 3 : 1; k > 0; k--)
		{
			put64(out, b->rows);
			put64(out, b->columns[i].nulls);
		}
	put32(out, 0);
	put32(out, (uint32_t) nbuffers);
	for (int i = 0; i < b->ncolumns; i++)
	{
		mcw_buf    *bufs[5];
		int			n = column_buffers(&b->columns[i], bufs);

		for (int k = 0; k < n; k++)
		{
			put64(out, at);
			put64(out, (int64_t) bufs[k]->len);
			at += (int64_t) ((bufs[k]->len + 7) & ~(size_t) 7);
		}
	}
}

static void
end_batch(arrow_batch *b)
{
	static const char zeros[8];
	int64_t		body = 0;
	int			nbuffers = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < b->ncolumns; i++)
		{
			mcw_buf    *bufs[5];
			int			n = column_buffers(&b->columns[i], bufs);

			for (int k = 0; k < n; k++)
			{
				size_t		pad = -bufs[k]->len & 7;

				if (pass == 0)
					body += (int64_t) (bufs[k]->len + pad);
				else
				{
					(void) mcw_buf_append_view(b->out, mcw_buf_view(bufs[k]));
					(void) mcw_buf_append(b->out, zeros, pad);
				}
			}
			nbuffers += pass == 0 ? n : 0;
		}
		if (pass == 0)
			put_metadata(b, nbuffers, body);
	}
	begin_batch(b);
}

static bool
add_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	arrow_batch *b = ctx;
	size_t		bytes = 0;

	(void) seg;
	(void) record;
	if (b->skip > 0)
	{
		b->skip--;
		return true;
	}
	if (b->left == 0)
		return false;
	for (int i = 0; i < b->ncolumns; i++)
	{
		if (!add_value(&b->columns[i], b->rows, &values[b->columns[i].source]))
		{
			mcw_fail(b->err, MCW_ERR_RANGE, "a value does not fit the Arrow type of its column");
			b->failed = true;
			return false;
		}
		bytes += b->columns[i].data.len;
	}
	b->left--;
	b->rows++;
	if (b->rows == BATCH_ROWS || bytes >= BATCH_BYTES)
		end_batch(b);
	return true;
}

/*
 * Rows of a content as a framed Arrow body; 'columns' in table order.  Results of
 * instances have TIMESTAMPs as struct<sec,nano>.
 */
mcw_status
odps_arrow_build(const odps_schema *schema, const odps_content *content, uint64_t start, uint64_t count,
				 const int *columns, int n, bool split, mcw_buf *out, mcw_error *err)
{
	mcw_buf		payload;
	arrow_batch b = {0};
	mcw_status	st;

	mcw_buf_init(&payload, &mcw_malloc, out->max);
	b.columns = emu_malloc(sizeof(arrow_column) * (n + 1));
	memset(b.columns, 0, sizeof(arrow_column) * (n + 1));
	b.ncolumns = n;
	b.out = &payload;
	b.err = err;
	b.skip = start;
	b.left = count;
	for (int i = 0; i < n; i++)
	{
		b.columns[i].type = schema->types[columns[i]];
		b.columns[i].source = columns[i];
		b.columns[i].width = arrow_width(b.columns[i].type);
		b.columns[i].split = split && (b.columns[i].type->kind == MCW_ODPS_TIMESTAMP ||
									   b.columns[i].type->kind == MCW_ODPS_TIMESTAMP_NTZ);
		mcw_buf_init(&b.columns[i].valid, &mcw_malloc, out->max);
		mcw_buf_init(&b.columns[i].data, &mcw_malloc, out->max);
		mcw_buf_init(&b.columns[i].offsets, &mcw_malloc, out->max);
	}
	begin_batch(&b);
	st = odps_content_walk(schema, content, add_row, &b, err);
	if (st == MCW_OK && b.failed)
		st = MCW_ERR_RANGE;
	if (st == MCW_OK && b.rows > 0)
		end_batch(&b);
	for (int i = 0; i < n; i++)
	{
		mcw_buf_free(&b.columns[i].valid);
		mcw_buf_free(&b.columns[i].data);
		mcw_buf_free(&b.columns[i].offsets);
	}
	free(b.columns);
	if (st == MCW_OK)
		st = payload.failed ? MCW_ERR_LIMIT : mcw_arrow_frame(mcw_buf_view(&payload), CHUNK_SIZE, out);
	mcw_buf_free(&payload);
	odps_count.rows_out += count;
	return st;
}

/* ---- uploads ---- */

static mcw_status
copy_rows(const odps_schema *schema, mcw_arrow_reader *reader, mcw_odps_value *values, mcw_odps_writer *w, mcw_error *err)
{
	mcw_status	st;

	while ((st = mcw_arrow_next(reader, values, err)) == MCW_OK)
	{
		mcw_odps_begin_record(w);
		for (int i = 0; i < schema->ncolumns; i++)
			if (!values[i].is_null)
				(void) odps_value_put(w, i + 1, schema->types[i], &values[i]);
		if (mcw_odps_end_record(w) != MCW_OK)
			return mcw_fail(err, MCW_ERR_LIMIT, "the block is too large");
	}
	return st == MCW_END ? mcw_odps_finish(w) : st;
}

/* A framed Arrow body to a malloced record stream; NULL with err */
char *
odps_arrow_records(const odps_schema *schema, const char *data, size_t len, size_t *out_len, mcw_error *err)
{
	mcw_odps_value *values = emu_malloc(sizeof(*values) * (schema->ncolumns + 1));
	mcw_arrow_reader *reader = NULL;
	mcw_odps_writer w;
	mcw_buf		payload;
	mcw_buf		out;
	mcw_status	st;

	mcw_buf_init(&payload, &mcw_malloc, (size_t) 4 << 30);
	mcw_buf_init(&out, &mcw_malloc, (size_t) 4 << 30);
	mcw_odps_writer_init(&w, &out);
	st = mcw_arrow_unframe((mcw_view) {data, len}, &payload, err);
	if (st == MCW_OK)
	{
		reader = mcw_arrow_reader_create(&mcw_malloc, schema->types, schema->ncolumns, mcw_buf_view(&payload));
		st = reader ? copy_rows(schema, reader, values, &w, err) : mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	}
	mcw_arrow_reader_free(reader);
	mcw_buf_free(&payload);
	free(values);
	if (st != MCW_OK)
	{
		mcw_buf_free(&out);
		err->status = st;
		return NULL;
	}
	*out_len = out.len;
	return out.data;
}
