/*
 * mcw_odps_read.c
 *		Reader of the tunnel record stream (maxcompute.md 3.5 to 3.7) and cursor over
 *		its nested values.
 *
 * Checksums, counts and the shape of every nested value are verified here; what a
 * value means to PostgreSQL (encodings, dates out of range) is not known here.
 */
#include "mcw_odps.h"

static mcw_status
malformed(const mcw_odps_reader *reader, mcw_error *err, const char *pos, const char *what)
{
	mcw_fail(err, MCW_ERR_FORMAT, "malformed record stream: %s", what);
	if (err)
		err->offset = (uint64_t) (pos - reader->start);
	return MCW_ERR_FORMAT;
}

static mcw_status
mismatch(const mcw_odps_reader *reader, mcw_error *err, const char *pos, const char *what)
{
	mcw_fail(err, MCW_ERR_CHECKSUM, "record stream: %s", what);
	if (err)
		err->offset = (uint64_t) (pos - reader->start);
	return MCW_ERR_CHECKSUM;
}

/* --- values ----------------------------------------------------------- */

static uint32_t
wiretype_of(mcw_odps_kind kind)
{
	switch (kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_BOOLEAN:
		case MCW_ODPS_DATE:
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return MCW_ODPS_WIRE_VARINT;
		case MCW_ODPS_FLOAT:
			return MCW_ODPS_WIRE_FIXED32;
		case MCW_ODPS_DOUBLE:
			return MCW_ODPS_WIRE_FIXED64;
		default:
			return MCW_ODPS_WIRE_BYTES;
	}
}

/* Do the bounds of the integer types hold?  The others take all 64 bits. */
static inline bool
int_fits(mcw_odps_kind kind, int64_t v)
{
	switch (kind)
	{
		case MCW_ODPS_TINYINT:
			return v == (int8_t) v;
		case MCW_ODPS_SMALLINT:
			return v == (int16_t) v;
		case MCW_ODPS_INT:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return v == (int32_t) v;
		default:
			return true;
	}
}

/*
 * The scalar readers take the bytes of one value without its tag, feed the
 * checksum, and return the position behind, or NULL if the bytes are no such value.
 */
static inline const char *
read_int(const char *pos, const char *end, mcw_odps_kind kind, mcw_odps_value *value, uint32_t *crc)
{
	uint64_t	raw;

	pos = mcw_get_varint(pos, end, &raw);
	if (mcw_unlikely(pos == NULL))
		return NULL;
	value->i64 = mcw_unzigzag(raw);
	if (mcw_unlikely(!int_fits(kind, value->i64)))
		return NULL;
	*crc = mcw_crc32c_feed_u64(*crc, (uint64_t) value->i64);
	return pos;
}

static inline const char *
read_bytes(const char *pos, const char *end, mcw_odps_value *value, uint32_t *crc)
{
	mcw_view	bytes;

	pos = mcw_get_span(pos, end, &bytes);
	if (mcw_unlikely(pos == NULL || bytes.len > MCW_ODPS_MAX_FIELD))
		return NULL;
	value->bytes = bytes;
	*crc = mcw_crc32c_feed(*crc, bytes.data, bytes.len);
	return pos;
}

static const char *
read_bool(const char *pos, const char *end, mcw_odps_value *value, uint32_t *crc)
{
	if (pos >= end || (unsigned char) *pos > 1)
		return NULL;
	value->i64 = *pos;
	*crc = mcw_crc32c_feed(*crc, pos, 1);
	return pos + 1;
}

static const char *
read_timestamp(const char *pos, const char *end, mcw_odps_kind kind, mcw_odps_value *value,
			   uint32_t *crc)
{
	uint64_t	sec;
	uint32_t	raw;
	int64_t		nanos;

	pos = mcw_get_varint(pos, end, &sec);
	if (pos)
		pos = mcw_get_varint32(pos, end, &raw);
	if (pos == NULL)
		return NULL;
	nanos = mcw_unzigzag(raw);

	/* an interval may count its fraction down from zero */
	if (nanos > 999999999 || nanos < (kind == MCW_ODPS_INTERVAL_DAY_TIME ? -999999999 : 0))
		return NULL;
	value->i64 = mcw_unzigzag(sec);
	value->nanos = (int32_t) nanos;
	*crc = mcw_crc32c_feed_u64(*crc, (uint64_t) value->i64);
	*crc = mcw_crc32c_feed_u32(*crc, (uint32_t) value->nanos);
	return pos;
}

static const char *
read_fixed(const char *pos, const char *end, void *value, size_t size, uint32_t *crc)
{
	if ((size_t) (end - pos) < size)
		return NULL;
	memcpy(value, pos, size);
	*crc = mcw_crc32c_feed(*crc, pos, size);
	return pos + size;
}

static const char *read_nested(const char *pos, const char *end, const mcw_odps_type *type,
							   int depth, uint32_t *crc);

static const char *
read_value(const char *pos, const char *end, const mcw_odps_type *type, int depth,
		   mcw_odps_value *value, uint32_t *crc)
{
	const char *start = pos;

	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_DATE:
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			return read_int(pos, end, type->kind, value, crc);
		case MCW_ODPS_FLOAT:
			return read_fixed(pos, end, &value->f32, 4, crc);
		case MCW_ODPS_DOUBLE:
			return read_fixed(pos, end, &value->f64, 8, crc);
		case MCW_ODPS_BOOLEAN:
			return read_bool(pos, end, value, crc);
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
		case MCW_ODPS_DECIMAL:
		case MCW_ODPS_JSON:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			return read_bytes(pos, end, value, crc);
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			return read_timestamp(pos, end, type->kind, value, crc);
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
		case MCW_ODPS_VECTOR:
			pos = read_nested(pos, end, type, depth, crc);
			if (pos)
			{
				value->bytes.data = start;
				value->bytes.len = (size_t) (pos - start);
			}
			return pos;
		case MCW_ODPS_VOID:
			return NULL;		/* has no values but NULL */
	}
	return NULL;
}

/* Null flag, then the value if there is one */
static const char *
read_element(const char *pos, const char *end, const mcw_odps_type *type, int depth,
			 mcw_odps_value *value, uint32_t *crc)
{
	if (mcw_unlikely(pos >= end || (unsigned char) *pos > 1))
		return NULL;
	value->is_null = *pos++;
	return value->is_null ? pos : read_value(pos, end, type, depth, value, crc);
}

/* A count and that many elements.  Each takes a byte or more: the count is bounded. */
static const char *
read_list(const char *pos, const char *end, const mcw_odps_type *type, int depth,
		  uint32_t *count, uint32_t *crc)
{
	mcw_odps_value value;

	pos = mcw_get_varint32(pos, end, count);
	if (pos == NULL || *count > (size_t) (end - pos))
		return NULL;
	for (uint32_t i = 0; pos && i < *count; i++)
		pos = read_element(pos, end, type, depth, &value, crc);
	return pos;
}

static const char *
read_nested(const char *pos, const char *end, const mcw_odps_type *type, int depth, uint32_t *crc)
{
	mcw_odps_value value;
	uint32_t	count;
	uint32_t	nvalues;

	if (depth >= MCW_ODPS_MAX_DEPTH)
		return NULL;
	depth++;
	switch (type->kind)
	{
		case MCW_ODPS_ARRAY:
			return read_list(pos, end, type->children[0], depth, &count, crc);
		case MCW_ODPS_MAP:
			pos = read_list(pos, end, type->children[0], depth, &count, crc);
			if (pos)
				pos = read_list(pos, end, type->children[1], depth, &nvalues, crc);
			return pos && count == nvalues ? pos : NULL;
		case MCW_ODPS_STRUCT:
			for (int i = 0; pos && i < type->nchildren; i++)
				pos = read_element(pos, end, type->children[i], depth, &value, crc);
			return pos;
		default:
			pos = mcw_get_varint32(pos, end, &count);
			if (pos == NULL || count != (uint32_t) type->length)
				return NULL;
			for (uint32_t i = 0; pos && i < count; i++)
				pos = read_value(pos, end, type->children[0], depth, &value, crc);
			return pos;
	}
}

/* --- records ---------------------------------------------------------- */

void
mcw_odps_reader_init(mcw_odps_reader *reader, const mcw_odps_type *const *types, int ntypes,
					 mcw_view stream)
{
	memset(reader, 0, sizeof(*reader));
	reader->types = types;
	reader->ntypes = ntypes;
	reader->start = reader->pos = stream.data ? stream.data : "";
	reader->end = reader->start + stream.len;
}

/*
 * A checksum.  The compiled writer of one SDK sign-extends it to 64 bits, ten
 * bytes when the top bit is set; as in protocol buffers that is the same number.
 */
static inline const char *
read_crc(const char *pos, const char *end, uint32_t *out)
{
	uint64_t	value;

	pos = mcw_get_varint(pos, end, &value);
	if (mcw_unlikely(pos == NULL || (value > UINT32_MAX && value >> 31 != UINT64_C(0x1FFFFFFFF))))
		return NULL;
	*out = (uint32_t) value;
	return pos;
}

/* The metrics of the server: verified and thrown away.  NULL if malformed. */
static const char *
skip_metrics(const char *pos, const char *end, bool *crc_ok)
{
	mcw_view	text;
	uint32_t	tag;
	uint32_t	expected;

	pos = mcw_get_span(pos, end, &text);
	if (pos)
		pos = mcw_get_varint32(pos, end, &tag);
	if (pos == NULL || tag != MCW_ODPS_END_METRICS << 3)
		return NULL;
	pos = read_crc(pos, end, &expected);
	if (pos)
		*crc_ok = expected == ~mcw_crc32c_feed(mcw_crc32c_feed_u32(MCW_CRC32C_START, 1), text.data, text.len);
	return pos;
}

/* What follows the tag META_COUNT, to the end of the stream */
static mcw_status
read_footer(mcw_odps_reader *reader, const char *pos, mcw_error *err)
{
	const char *end = reader->end;
	const char *field = pos;
	uint64_t	count;
	uint32_t	tag;
	uint32_t	crc;
	bool		metrics_ok = true;

	pos = mcw_get_varint(pos, end, &count);
	if (pos == NULL)
		return malformed(reader, err, field, "record count");
	if (mcw_unzigzag(count) != (int64_t) reader->nrecords)
		return mismatch(reader, err, field, "the number of records differs from the count in the footer");

	field = pos;
	pos = mcw_get_varint32(pos, end, &tag);
	if (pos && tag == (1 << 3 | MCW_ODPS_WIRE_BYTES))
	{
		pos = skip_metrics(pos, end, &metrics_ok);
		if (pos && !metrics_ok)
			return mismatch(reader, err, field, "wrong checksum of the metrics");
		if (pos)
			pos = mcw_get_varint32(pos, end, &tag);
	}
	if (pos == NULL || tag != (uint32_t) MCW_ODPS_META_CHECKSUM << 3)
		return malformed(reader, err, field, "footer");
	field = pos;
	pos = read_crc(pos, end, &crc);
	if (pos == NULL)
		return malformed(reader, err, field, "footer");
	if (crc != reader->crc_of_crcs)
		return mismatch(reader, err, field, "wrong checksum of the stream");
	if (pos != end)
		return malformed(reader, err, pos, "bytes behind the footer");
	reader->pos = pos;
	reader->done = true;
	return MCW_END;
}

/* A tag that is no column; 'nvalues' columns of the record have been read */
static mcw_status
read_mark(mcw_odps_reader *reader, const char *field, const char *pos, uint32_t tag,
		  int nvalues, uint32_t crc, mcw_error *err)
{
	uint32_t	expected;

	if (tag == MCW_ODPS_END_RECORD << 3)
	{
		pos = read_crc(pos, reader->end, &expected);
		if (pos == NULL)
			return malformed(reader, err, field, "checksum of a record");
		if (mcw_unlikely(crc != expected))
			return mismatch(reader, err, field, "wrong checksum of a record");
		reader->crc_of_crcs = mcw_crc32c(reader->crc_of_crcs, &crc, 4);
		reader->nrecords++;
		reader->pos = pos;
		return MCW_OK;
	}
	if (tag == (uint32_t) MCW_ODPS_META_COUNT << 3)
	{
		if (nvalues > 0)
			return malformed(reader, err, field, "footer inside a record");
		return read_footer(reader, pos, err);
	}
	return malformed(reader, err, field, "unknown column");
}

mcw_status
mcw_odps_next(mcw_odps_reader *reader, mcw_odps_value *values, mcw_error *err)
{
	const char *pos = reader->pos;
	const char *end = reader->end;
	uint32_t	crc = MCW_CRC32C_START;
	int			nvalues = 0;

	if (mcw_unlikely(reader->done))
		return MCW_END;
	for (int i = 0; i < reader->ntypes; i++)
		values[i].is_null = true;

	for (;;)
	{
		const char *field = pos;
		const mcw_odps_type *type;
		mcw_odps_value *value;
		uint32_t	tag;
		uint32_t	column;

		pos = mcw_get_varint32(pos, end, &tag);
		if (mcw_unlikely(pos == NULL))
			return malformed(reader, err, field, field == end ? "it ends without a footer" : "tag");
		column = (tag >> 3) - 1;
		if (column >= (uint32_t) reader->ntypes)
			return read_mark(reader, field, pos, tag, nvalues, ~crc, err);
		type = reader->types[column];
		value = &values[column];
		if (mcw_unlikely(!value->is_null))
			return malformed(reader, err, field, "a column occurs twice in a record");

		crc = mcw_crc32c_feed_u32(crc, column + 1);
		if (type->kind == MCW_ODPS_STRING && (tag & 7) == MCW_ODPS_WIRE_BYTES)
			pos = read_bytes(pos, end, value, &crc);
		else if (type->kind == MCW_ODPS_BIGINT && (tag & 7) == MCW_ODPS_WIRE_VARINT)
			pos = read_int(pos, end, MCW_ODPS_BIGINT, value, &crc);
		else if ((tag & 7) == wiretype_of(type->kind))
			pos = read_value(pos, end, type, 0, value, &crc);
		else
			return malformed(reader, err, field, "the wire type does not fit the column's type");
		if (mcw_unlikely(pos == NULL))
		{
			mcw_fail(err, MCW_ERR_FORMAT, "malformed record stream: value of column %u (%s)",
					 column + 1, mcw_odps_kind_name(type->kind));
			if (err)
				err->offset = (uint64_t) (field - reader->start);
			return MCW_ERR_FORMAT;
		}
		value->is_null = false;
		nvalues++;
	}
}

/* --- cursor ----------------------------------------------------------- */

mcw_status
mcw_odps_cursor_count(mcw_odps_cursor *cursor, uint32_t *count)
{
	const char *pos = mcw_get_varint32(cursor->pos, cursor->end, count);

	if (pos == NULL || *count > (size_t) (cursor->end - pos))
		return MCW_ERR_FORMAT;
	cursor->pos = pos;
	return MCW_OK;
}

mcw_status
mcw_odps_cursor_value(mcw_odps_cursor *cursor, const mcw_odps_type *type, bool nullable,
					  mcw_odps_value *value)
{
	uint32_t	unused = 0;
	const char *pos;

	value->is_null = false;
	if (nullable)
		pos = read_element(cursor->pos, cursor->end, type, 1, value, &unused);
	else
		pos = read_value(cursor->pos, cursor->end, type, 1, value, &unused);
	if (pos == NULL)
		return MCW_ERR_FORMAT;
	cursor->pos = pos;
	return MCW_OK;
}
