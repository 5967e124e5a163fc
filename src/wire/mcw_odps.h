/*
 * mcw_odps.h
 *		MaxCompute types (maxcompute.md 6) and the tunnel record stream (3.5, 3.6).
 */
#ifndef MCW_ODPS_H
#define MCW_ODPS_H

#include "mcw_hash.h"
#include "mcw_varint.h"

typedef enum mcw_odps_kind
{
	MCW_ODPS_TINYINT, MCW_ODPS_SMALLINT, MCW_ODPS_INT, MCW_ODPS_BIGINT,
	MCW_ODPS_FLOAT, MCW_ODPS_DOUBLE, MCW_ODPS_BOOLEAN,
	MCW_ODPS_STRING, MCW_ODPS_VARCHAR, MCW_ODPS_CHAR, MCW_ODPS_BINARY,
	MCW_ODPS_DECIMAL, MCW_ODPS_JSON,
	MCW_ODPS_DATE, MCW_ODPS_DATETIME, MCW_ODPS_TIMESTAMP, MCW_ODPS_TIMESTAMP_NTZ,
	MCW_ODPS_INTERVAL_YEAR_MONTH, MCW_ODPS_INTERVAL_DAY_TIME,
	MCW_ODPS_ARRAY, MCW_ODPS_MAP, MCW_ODPS_STRUCT,
	MCW_ODPS_VECTOR, MCW_ODPS_GEOGRAPHY, MCW_ODPS_BLOB, MCW_ODPS_VOID
} mcw_odps_kind;

typedef struct mcw_odps_type
{
	mcw_odps_kind kind;
	int			precision;		/* DECIMAL; 0 = legacy decimal without parameters */
	int			scale;			/* DECIMAL */
	int			length;			/* VARCHAR, CHAR, VECTOR dimension */
	int			nchildren;		/* ARRAY, VECTOR 1; MAP 2 (key, value); STRUCT n */
	struct mcw_odps_type **children;
	mcw_view   *names;			/* STRUCT field names */
} mcw_odps_type;

#define MCW_ODPS_MAX_DEPTH 20
#define MCW_ODPS_MAX_COLUMNS 1600
#define MCW_ODPS_MAX_FIELD 8388608

/* field numbers that are no columns (maxcompute.md 3.5) */
#define MCW_ODPS_END_RECORD 33553408
#define MCW_ODPS_META_COUNT 33554430
#define MCW_ODPS_META_CHECKSUM 33554431
#define MCW_ODPS_END_METRICS 33554176

/* Grammar of maxcompute.md 6; case-insensitive, blanks ignored.  MCW_ERR_FORMAT, _UNSUPPORTED, _LIMIT */
extern mcw_status mcw_odps_type_parse(mcw_view text, mcw_arena *arena, mcw_odps_type **type, mcw_error *err);
/* lower case, decimal(p,s), no blanks, names quoted only if needed */
extern mcw_status mcw_odps_type_format(const mcw_odps_type *type, mcw_buf *out);
extern const char *mcw_odps_kind_name(mcw_odps_kind kind);	/* "bigint" */

/*
 * A decoded value.  Integers, BOOLEAN, DATE (days), DATETIME (ms) and
 * INTERVAL_YEAR_MONTH (months) are in i64; TIMESTAMPs and INTERVAL_DAY_TIME are
 * seconds in i64 and nanos; text-like values are in bytes; ARRAY, MAP, STRUCT and
 * VECTOR are the validated encoded span in bytes, to be walked with an
 * mcw_odps_cursor.
 */
typedef struct mcw_odps_value
{
	union
	{
		int64_t		i64;
		double		f64;
		float		f32;
		mcw_view	bytes;
	};
	int32_t		nanos;
	bool		is_null;
} mcw_odps_value;

/*
 * Reader of one complete record stream held in memory.  CRC of every record and
 * the footer's count and CRC of CRCs are verified; bytes behind the footer are
 * MCW_ERR_FORMAT; a metrics block is accepted and skipped (3.7).
 * A string value of at most 127 bytes is directly preceded by its one length
 * byte, which the caller may overwrite once the record has been read.
 */
typedef struct mcw_odps_reader
{
	const mcw_odps_type *const *types;
	int			ntypes;
	const char *start;
	const char *pos;
	const char *end;
	uint64_t	nrecords;		/* verified so far */
	uint32_t	crc_of_crcs;
	bool		done;
} mcw_odps_reader;

extern void mcw_odps_reader_init(mcw_odps_reader *reader, const mcw_odps_type *const *types, int ntypes, mcw_view stream);
/* values[ntypes]; MCW_OK, MCW_END once the footer is verified, MCW_ERR_FORMAT, MCW_ERR_CHECKSUM */
extern mcw_status mcw_odps_next(mcw_odps_reader *reader, mcw_odps_value *values, mcw_error *err) MCW_MUST_CHECK;

/* Walk a nested span of a type: elements in wire order */
typedef struct mcw_odps_cursor
{
	const char *pos;
	const char *end;
} mcw_odps_cursor;

/* element count of an ARRAY or VECTOR; of the keys (or, called again, the values) of a MAP */
extern mcw_status mcw_odps_cursor_count(mcw_odps_cursor *cursor, uint32_t *count);
/* null flag and value of one element (VECTOR elements carry no flag: nullable false) */
extern mcw_status mcw_odps_cursor_value(mcw_odps_cursor *cursor, const mcw_odps_type *type, bool nullable, mcw_odps_value *value);

/*
 * Writer of a record stream.  Columns are numbered from 1 and must be written in
 * ascending order; a NULL is simply not written.  A record that is not ended can
 * be dropped with mcw_odps_abort_record.  The first failure of a record is kept in
 * 'status'; end_record reports it and drops the record.
 */
typedef struct mcw_odps_writer
{
	mcw_buf    *out;
	size_t		record_start;
	uint32_t	crc;			/* of the open record, as mcw_crc32c_feed's state */
	uint32_t	crc_of_crcs;
	uint64_t	nrecords;
	int			last_column;	/* of the open record */
	mcw_status	status;
} mcw_odps_writer;

#define MCW_ODPS_WIRE_VARINT 0
#define MCW_ODPS_WIRE_FIXED64 1
#define MCW_ODPS_WIRE_BYTES 2
#define MCW_ODPS_WIRE_FIXED32 5

/* Room for n more bytes of a record */
static inline bool
mcw_odps_room(mcw_odps_writer *writer, size_t n)
{
	mcw_status	status;

	if (mcw_likely(writer->out->cap - writer->out->len >= n))
		return true;
	status = mcw_buf_grow(writer->out, n);
	if (status != MCW_OK && writer->status == MCW_OK)
		writer->status = status;
	return status == MCW_OK;
}

/*
 * Tag and checksum of a column whose value takes at most n bytes; NULL if it
 * cannot be written.
 */
static inline char *
mcw_odps_open_column(mcw_odps_writer *writer, int column, int wiretype, size_t n)
{
	if (mcw_unlikely(column <= writer->last_column || column > MCW_ODPS_MAX_COLUMNS))
	{
		writer->status = MCW_ERR_ARGUMENT;
		return NULL;
	}
	if (mcw_unlikely(!mcw_odps_room(writer, n + 2)))
		return NULL;
	writer->last_column = column;
	writer->crc = mcw_crc32c_feed_u32(writer->crc, (uint32_t) column);
	return mcw_put_varint(writer->out->data + writer->out->len,
						  (uint32_t) column << 3 | (uint32_t) wiretype);
}

extern void mcw_odps_writer_init(mcw_odps_writer *writer, mcw_buf *out);
extern void mcw_odps_begin_record(mcw_odps_writer *writer);

/* all integers, DATE, DATETIME, YEAR_MONTH */
static inline void
mcw_odps_put_int(mcw_odps_writer *writer, int column, int64_t value)
{
	char	   *pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_VARINT, 10);

	if (mcw_unlikely(pos == NULL))
		return;
	pos = mcw_put_varint(pos, mcw_zigzag(value));
	writer->crc = mcw_crc32c_feed_u64(writer->crc, (uint64_t) value);
	writer->out->len = (size_t) (pos - writer->out->data);
}

/* everything that travels as a length and bytes; more than MCW_ODPS_MAX_FIELD is MCW_ERR_RANGE */
static inline void
mcw_odps_put_bytes(mcw_odps_writer *writer, int column, const char *data, size_t len)
{
	char	   *pos;

	if (mcw_unlikely(len > MCW_ODPS_MAX_FIELD))
	{
		writer->status = MCW_ERR_RANGE;
		return;
	}
	pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_BYTES, len + 5);
	if (mcw_unlikely(pos == NULL))
		return;
	pos = mcw_put_varint(pos, len);
	if (len > 0)
		memcpy(pos, data, len);
	/* from the source: a load across the copy's overlapping stores would stall */
	writer->crc = mcw_crc32c_feed(writer->crc, data, len);
	writer->out->len = (size_t) (pos + len - writer->out->data);
}

extern void mcw_odps_put_bool(mcw_odps_writer *writer, int column, bool value);
extern void mcw_odps_put_float(mcw_odps_writer *writer, int column, float value);
extern void mcw_odps_put_double(mcw_odps_writer *writer, int column, double value);
extern void mcw_odps_put_timestamp(mcw_odps_writer *writer, int column, int64_t sec, int32_t nanos);	/* also INTERVAL_DAY_TIME */
/* nested: open the column, then elements */
extern void mcw_odps_put_nested(mcw_odps_writer *writer, int column);
extern void mcw_odps_elem_count(mcw_odps_writer *writer, uint32_t count);
extern void mcw_odps_elem_null(mcw_odps_writer *writer, bool is_null);	/* flag; the value follows if false */
extern void mcw_odps_elem_int(mcw_odps_writer *writer, int64_t value);
extern void mcw_odps_elem_bool(mcw_odps_writer *writer, bool value);
extern void mcw_odps_elem_float(mcw_odps_writer *writer, float value);
extern void mcw_odps_elem_double(mcw_odps_writer *writer, double value);
extern void mcw_odps_elem_bytes(mcw_odps_writer *writer, const char *data, size_t len);
extern void mcw_odps_elem_timestamp(mcw_odps_writer *writer, int64_t sec, int32_t nanos);
extern mcw_status mcw_odps_end_record(mcw_odps_writer *writer) MCW_MUST_CHECK;
extern void mcw_odps_abort_record(mcw_odps_writer *writer);
extern mcw_status mcw_odps_finish(mcw_odps_writer *writer) MCW_MUST_CHECK;	/* footer */

#endif							/* MCW_ODPS_H */
