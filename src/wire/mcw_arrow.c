/*
 * mcw_arrow.c
 *		Arrow bodies of the tunnel (maxcompute.md 5.2): chunk framing with checksums
 *		and a reader of RecordBatch messages.
 *
 * Not an Arrow library: no schema (the types come from the session), no
 * dictionaries, no compressed buffers, no nested columns.  Metadata is a
 * flatbuffer, of which only the handful of fields needed is looked at, each offset
 * checked against the message.
 */
#include "mcw_arrow.h"

/* --- framing ---------------------------------------------------------- */

static uint32_t
get_be32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static void
append_be32(mcw_buf *out, uint32_t v)
{
	v = __builtin_bswap32(v);
	(void) mcw_buf_append(out, &v, 4);
}

mcw_status
mcw_arrow_unframe(mcw_view framed, mcw_buf *payload, mcw_error *err)
{
	const char *pos = framed.data;
	size_t		left = framed.len;
	uint32_t	whole = 0;
	size_t		chunk;
	mcw_status	status;

	if (left < 4)
		return mcw_fail(err, MCW_ERR_FORMAT, "Arrow body: no chunk size");
	chunk = get_be32(pos);
	pos += 4;
	left -= 4;
	if (left == 0 && chunk == 0)
		return MCW_OK;
	if (left < 4 || chunk == 0)
		return mcw_fail(err, MCW_ERR_FORMAT, "Arrow body: it is cut short or its chunk size is zero");

	/* behind each full chunk and its checksum stands at least the last checksum */
	while (left >= chunk + 8)
	{
		if (mcw_crc32c(0, pos, chunk) != get_be32(pos + chunk))
			return mcw_fail(err, MCW_ERR_CHECKSUM, "Arrow body: wrong checksum of a chunk");
		whole = mcw_crc32c(whole, pos, chunk);
		status = mcw_buf_append(payload, pos, chunk);
		if (status != MCW_OK)
			return mcw_fail(err, status, "Arrow body: it takes too much memory");
		pos += chunk + 4;
		left -= chunk + 4;
	}
	if (left < 4 || left - 4 >= chunk)
		return mcw_fail(err, MCW_ERR_FORMAT, "Arrow body: it is cut short");
	whole = mcw_crc32c(whole, pos, left - 4);
	if (whole != get_be32(pos + left - 4))
		return mcw_fail(err, MCW_ERR_CHECKSUM, "Arrow body: wrong checksum of the body");
	status = mcw_buf_append(payload, pos, left - 4);
	if (status != MCW_OK)
		return mcw_fail(err, status, "Arrow body: it takes too much memory");
	return MCW_OK;
}

mcw_status
mcw_arrow_frame(mcw_view payload, uint32_t chunk_size, mcw_buf *framed)
{
	size_t		start = framed->len;
	size_t		chunks;
	mcw_status	status;

	if (chunk_size == 0)
		return MCW_ERR_ARGUMENT;
	chunks = payload.len / chunk_size;
	status = payload.len > SIZE_MAX / 8 ? MCW_ERR_LIMIT :
		mcw_buf_grow(framed, payload.len + 4 * chunks + 8);
	if (status != MCW_OK)
		return status;
	if (payload.len == 0)
	{
		append_be32(framed, 0);
		return MCW_OK;
	}
	append_be32(framed, chunk_size);
	for (size_t i = 0; i < chunks; i++)
	{
		const char *chunk = payload.data + i * chunk_size;

		(void) mcw_buf_append(framed, chunk, chunk_size);
		append_be32(framed, mcw_crc32c(0, chunk, chunk_size));
	}
	(void) mcw_buf_append(framed, payload.data + chunks * chunk_size,
						  payload.len - chunks * chunk_size);
	append_be32(framed, mcw_crc32c(0, payload.data, payload.len));
	if (framed->failed)
	{
		framed->len = start;
		return MCW_ERR_LIMIT;
	}
	return MCW_OK;
}

/* --- flatbuffers ------------------------------------------------------ */

/* Offsets are positions in the metadata; 0 stands for "absent" and "broken" alike */

static bool
fb_read(mcw_view meta, size_t at, void *out, size_t size)
{
	if (at > meta.len || meta.len - at < size)
		return false;
	memcpy(out, meta.data + at, size);
	return true;
}

/* Where field number 'field' of the table lies */
static size_t
fb_field(mcw_view meta, size_t table, int field)
{
	int32_t		back;
	int64_t		vtable;
	uint16_t	size;
	uint16_t	offset;

	if (table == 0 || !fb_read(meta, table, &back, 4))
		return 0;
	vtable = (int64_t) table - back;
	if (vtable < 0 || !fb_read(meta, (size_t) vtable, &size, 2) || 4 + 2 * field + 2 > size ||
		!fb_read(meta, (size_t) vtable + 4 + 2 * (size_t) field, &offset, 2) || offset == 0)
		return 0;
	return table + offset;
}

/* Follow the reference at a position to a table or vector */
static size_t
fb_follow(mcw_view meta, size_t at)
{
	uint32_t	offset;

	if (at == 0 || !fb_read(meta, at, &offset, 4) || offset > meta.len - at)
		return 0;
	return at + offset;
}

/* A vector of 16-byte structs: its first element and its length */
static bool
fb_vector16(mcw_view meta, size_t at, size_t *first, uint32_t *count)
{
	size_t		vector = fb_follow(meta, at);

	if (vector == 0 || !fb_read(meta, vector, count, 4))
		return false;
	*first = vector + 4;
	return *first <= meta.len && *count <= (meta.len - *first) / 16;
}

/* --- record batches --------------------------------------------------- */

#define HEADER_SCHEMA 1
#define HEADER_RECORD_BATCH 3

/* Digits of 2^255, sign, point and a leading zero fit */
#define DECIMAL_TEXT 96

typedef struct arrow_column
{
	const char *validity;		/* NULL = no nulls */
	const char *data;			/* values or bits */
	size_t		data_len;
	const char *offsets;		/* of texts: int32, one more than rows */
	char		decimal[DECIMAL_TEXT];
} arrow_column;

struct mcw_arrow_reader
{
	mcw_alloc	alloc;
	size_t		size;
	const mcw_odps_type *const *types;
	int			ntypes;
	mcw_view	payload;
	size_t		pos;			/* next message */
	int64_t		row;			/* next row of the batch */
	int64_t		nrows;
	arrow_column columns[];
};

/* Bytes of one value; 0 for bits, -1 for texts, -2 for what is not supported */
static int
value_width(const mcw_odps_type *type)
{
	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
			return 1;
		case MCW_ODPS_SMALLINT:
			return 2;
		case MCW_ODPS_INT:
		case MCW_ODPS_FLOAT:
		case MCW_ODPS_DATE:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return 4;
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_DOUBLE:
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			return 8;
		case MCW_ODPS_DECIMAL:
			return type->precision > 38 ? 32 : 16;
		case MCW_ODPS_BOOLEAN:
			return 0;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			return -1;
		case MCW_ODPS_INTERVAL_DAY_TIME:	/* every SDK lays it out differently */
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
		case MCW_ODPS_VOID:
			return -2;
	}
	return -2;
}

mcw_arrow_reader *
mcw_arrow_reader_create(const mcw_alloc *alloc, const mcw_odps_type *const *types, int ntypes,
						mcw_view payload)
{
	size_t		size = sizeof(mcw_arrow_reader) + (size_t) ntypes * sizeof(arrow_column);
	mcw_arrow_reader *reader = mcw_new0(alloc, size);

	if (reader == NULL)
		return NULL;
	reader->alloc = *alloc;
	reader->size = size;
	reader->types = types;
	reader->ntypes = ntypes;
	reader->payload = payload;
	return reader;
}

void
mcw_arrow_reader_free(mcw_arrow_reader *reader)
{
	mcw_alloc	alloc;

	if (reader == NULL)
		return;
	alloc = reader->alloc;
	mcw_free(&alloc, reader, reader->size);
}

static mcw_status
malformed(mcw_arrow_reader *reader, mcw_error *err, const char *what)
{
	mcw_fail(err, MCW_ERR_FORMAT, "malformed Arrow data: %s", what);
	if (err)
		err->offset = reader->pos;
	return MCW_ERR_FORMAT;
}

/* The next of the batch's buffers; false if there is none or it leaves the body */
static bool
take_buffer(mcw_view meta, size_t *at, uint32_t *left, mcw_view body, mcw_view *out)
{
	int64_t		span[2];		/* offset, length */

	if (*left == 0 || !fb_read(meta, *at, span, 16) || span[0] < 0 || span[1] < 0 ||
		(uint64_t) span[0] > body.len || (uint64_t) span[1] > body.len - (uint64_t) span[0])
		return false;
	out->data = body.data + span[0];
	out->len = (size_t) span[1];
	*at += 16;
	(*left)--;
	return true;
}

/* Buffers of one column, checked to be long enough for all rows */
static bool
map_column(const mcw_odps_type *type, arrow_column *column, uint64_t nrows, mcw_view meta,
		   size_t *at, uint32_t *left, mcw_view body)
{
	mcw_view	validity;
	mcw_view	data;
	int			width = value_width(type);

	if (!take_buffer(meta, at, left, body, &validity) ||
		(validity.len > 0 && validity.len < (nrows + 7) / 8))
		return false;
	column->validity = validity.len > 0 ? validity.data : NULL;
	column->offsets = NULL;
	if (width < 0)
	{
		mcw_view	offsets;

		if (!take_buffer(meta, at, left, body, &offsets) ||
			(nrows > 0 && offsets.len / 4 < nrows + 1))
			return false;
		column->offsets = offsets.data;
	}
	if (!take_buffer(meta, at, left, body, &data))
		return false;
	if (width == 0 ? data.len < (nrows + 7) / 8 : width > 0 && data.len / (size_t) width < nrows)
		return false;
	column->data = data.data;
	column->data_len = data.len;
	return true;
}

static mcw_status
map_batch(mcw_arrow_reader *reader, mcw_view meta, size_t batch, mcw_view body, mcw_error *err)
{
	int64_t		nrows = 0;
	size_t		nodes;
	size_t		buffers;
	uint32_t	nnodes;
	uint32_t	nbuffers;
	size_t		at = fb_field(meta, batch, 0);

	if (at != 0 && !fb_read(meta, at, &nrows, 8))
		return malformed(reader, err, "length of a record batch");
	if (nrows < 0 || nrows > INT32_MAX)
		return malformed(reader, err, "length of a record batch");
	if (fb_field(meta, batch, 3) != 0)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "compressed Arrow buffers are not supported");
	if (reader->ntypes > 0 &&
		(!fb_vector16(meta, fb_field(meta, batch, 1), &nodes, &nnodes) ||
		 !fb_vector16(meta, fb_field(meta, batch, 2), &buffers, &nbuffers) ||
		 nnodes != (uint32_t) reader->ntypes))
		return malformed(reader, err, "a record batch does not have one field for each column");
	for (int i = 0; i < reader->ntypes; i++)
	{
		int64_t		node[2];	/* length, null count */

		if (!fb_read(meta, nodes + 16 * (size_t) i, node, 16) || node[0] != nrows)
			return malformed(reader, err, "a column has another length than its batch");
		if (!map_column(reader->types[i], &reader->columns[i], (uint64_t) nrows, meta, &buffers,
						&nbuffers, body))
			return malformed(reader, err, "buffers of a column");
	}
	if (reader->ntypes > 0 && nbuffers != 0)
		return malformed(reader, err, "a record batch has more buffers than its columns need");
	reader->row = 0;
	reader->nrows = nrows;
	return MCW_OK;
}

/* One encapsulated message.  MCW_END at the end of the payload. */
static mcw_status
next_message(mcw_arrow_reader *reader, mcw_error *err)
{
	mcw_view	rest = {reader->payload.data + reader->pos, reader->payload.len - reader->pos};
	mcw_view	meta;
	mcw_view	body;
	uint32_t	meta_len;
	uint32_t	root;
	int64_t		body_len = 0;
	unsigned char header_type = 0;
	size_t		skip = 0;
	size_t		at;
	mcw_status	status = MCW_OK;

	if (rest.len == 0)
		return MCW_END;
	if (!fb_read(rest, 0, &meta_len, 4))
		return malformed(reader, err, "it is cut short");
	if (meta_len == UINT32_MAX)
	{
		skip = 4;
		if (!fb_read(rest, 4, &meta_len, 4))
			return malformed(reader, err, "it is cut short");
	}
	skip += 4;
	if (meta_len == 0)
		return rest.len == skip ? MCW_END : malformed(reader, err, "bytes behind the end mark");
	if (meta_len > rest.len - skip)
		return malformed(reader, err, "it is cut short");
	meta.data = rest.data + skip;
	meta.len = meta_len;
	skip += meta_len;

	if (!fb_read(meta, 0, &root, 4) || root > meta.len)
		return malformed(reader, err, "metadata of a message");
	at = fb_field(meta, root, 3);
	if (at != 0 && !fb_read(meta, at, &body_len, 8))
		return malformed(reader, err, "metadata of a message");
	if (body_len < 0 || (uint64_t) body_len > rest.len - skip)
		return malformed(reader, err, "it is cut short");
	body.data = rest.data + skip;
	body.len = (size_t) body_len;

	at = fb_field(meta, root, 1);
	if (at == 0 || !fb_read(meta, at, &header_type, 1))
		return malformed(reader, err, "metadata of a message");
	if (header_type == HEADER_RECORD_BATCH)
		status = map_batch(reader, meta, fb_follow(meta, fb_field(meta, root, 2)), body, err);
	else if (header_type != HEADER_SCHEMA)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "Arrow message of type %d is not supported", header_type);
	if (status == MCW_OK)
		reader->pos += skip + (size_t) body_len;
	return status;
}

/* --- values ----------------------------------------------------------- */

/*
 * Decimal text of a little-endian two's complement integer of 'words' 64-bit words
 * with 'scale' digits behind the point, written to the end of 'text'.
 */
static mcw_view
decimal_text(const char *data, int words, int scale, char *text)
{
	uint64_t	word[4];
	char	   *end = text + DECIMAL_TEXT;
	char	   *pos = end;
	bool		negative;
	bool		rest = true;
	mcw_view	out;

	memcpy(word, data, (size_t) words * 8);
	negative = word[words - 1] >> 63;
	if (negative)
	{
		bool		carry = true;

		for (int i = 0; i < words; i++)
		{
			word[i] = ~word[i] + carry;
			carry = carry && word[i] == 0;
		}
	}
	for (int digits = 0; rest || digits <= scale; digits++)
	{
		uint64_t	remainder = 0;

		if (digits == scale && scale > 0)
			*--pos = '.';
		rest = false;
		for (int i = words - 1; i >= 0; i--)
		{
			unsigned __int128 v = (unsigned __int128) remainder << 64 | word[i];

			word[i] = (uint64_t) (v / 10);
			remainder = (uint64_t) (v % 10);
			rest = rest || word[i] != 0;
		}
		*--pos = (char) ('0' + remainder);
	}
	if (negative)
		*--pos = '-';
	out.data = pos;
	out.len = (size_t) (end - pos);
	return out;
}

static void
set_timestamp(int64_t ns, mcw_odps_value *value)
{
	int64_t		sec = ns / 1000000000;
	int64_t		nanos = ns % 1000000000;

	if (nanos < 0)
	{
		nanos += 1000000000;
		sec--;
	}
	value->i64 = sec;
	value->nanos = (int32_t) nanos;
}

static bool
set_bytes(const arrow_column *column, size_t row, mcw_odps_value *value)
{
	int32_t		span[2];

	memcpy(span, column->offsets + 4 * row, 8);
	if (span[0] < 0 || span[1] < span[0] || (size_t) span[1] > column->data_len ||
		span[1] - span[0] > MCW_ODPS_MAX_FIELD)
		return false;
	value->bytes.data = column->data + span[0];
	value->bytes.len = (size_t) (span[1] - span[0]);
	return true;
}

static inline bool
bit_at(const char *bits, size_t i)
{
	return (unsigned char) bits[i / 8] >> (i % 8) & 1;
}

/* One value that is not null; false if its offsets are broken */
static bool
set_value(const mcw_odps_type *type, arrow_column *column, size_t row, mcw_odps_value *value)
{
	int			width = value_width(type);
	const char *data = column->data + (width > 0 ? row * (size_t) width : 0);
	int8_t		i8;
	int16_t		i16;
	int32_t		i32;
	int64_t		i64;

	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
			memcpy(&i8, data, 1);
			value->i64 = i8;
			return true;
		case MCW_ODPS_SMALLINT:
			memcpy(&i16, data, 2);
			value->i64 = i16;
			return true;
		case MCW_ODPS_INT:
		case MCW_ODPS_DATE:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			memcpy(&i32, data, 4);
			value->i64 = i32;
			return true;
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_DATETIME:
			memcpy(&value->i64, data, 8);
			return true;
		case MCW_ODPS_FLOAT:
			memcpy(&value->f32, data, 4);
			return true;
		case MCW_ODPS_DOUBLE:
			memcpy(&value->f64, data, 8);
			return true;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			memcpy(&i64, data, 8);
			set_timestamp(i64, value);
			return true;
		case MCW_ODPS_DECIMAL:
			/* without parameters it is decimal(38,18) */
			value->bytes = decimal_text(data, width / 8, type->precision == 0 ? 18 : type->scale,
										column->decimal);
			return true;
		case MCW_ODPS_BOOLEAN:
			value->i64 = bit_at(column->data, row);
			return true;
		default:
			return set_bytes(column, row, value);
	}
}

mcw_status
mcw_arrow_next(mcw_arrow_reader *reader, mcw_odps_value *values, mcw_error *err)
{
	size_t		row;

	for (int i = 0; i < reader->ntypes; i++)
		if (value_width(reader->types[i]) < -1)
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "column %d: %s is not supported in Arrow data",
							i + 1, mcw_odps_kind_name(reader->types[i]->kind));
	while (reader->row >= reader->nrows)
	{
		mcw_status	status = next_message(reader, err);

		if (status != MCW_OK)
			return status;
	}
	row = (size_t) reader->row;
	for (int i = 0; i < reader->ntypes; i++)
	{
		arrow_column *column = &reader->columns[i];

		values[i].is_null = column->validity && !bit_at(column->validity, row);
		if (!values[i].is_null && !set_value(reader->types[i], column, row, &values[i]))
			return malformed(reader, err, "offsets of a text column");
	}
	reader->row++;
	return MCW_OK;
}
