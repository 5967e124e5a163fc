/*
 * mcw_ots.h
 *		Tablestore rows: values, keys and PlainBuffer (tablestore.md 3), read without
 *		copying and written without intermediate objects.
 *
 * Messages around the rows are in mcw_ots_msg.h.
 */
#ifndef MCW_OTS_H
#define MCW_OTS_H

#include "mcw.h"

#define MCW_OTS_MAX_KEYS 4
#define MCW_OTS_MAX_KEY_BYTES 1024		/* of a STRING or BINARY key value */
#define MCW_OTS_MAX_VALUE_BYTES 2097152	/* of a STRING or BINARY attribute value */
#define MCW_OTS_MAX_NAME 255			/* bytes of a table or column name */
#define MCW_OTS_MAX_ROW_COLUMNS 1024	/* attribute columns in one row change */
#define MCW_OTS_MAX_TIMESTAMP (INT64_MAX / 1000)	/* cell versions are below it, milliseconds */

/* Variant types as on the wire (3.2) */
typedef enum mcw_ots_type
{
	MCW_OTS_INTEGER = 0x00,
	MCW_OTS_DOUBLE = 0x01,
	MCW_OTS_BOOLEAN = 0x02,
	MCW_OTS_STRING = 0x03,
	MCW_OTS_NULL = 0x06,		/* not used by row APIs */
	MCW_OTS_BINARY = 0x07,
	MCW_OTS_INF_MIN = 0x09,		/* keys: bounds only */
	MCW_OTS_INF_MAX = 0x0A,
	MCW_OTS_AUTO_INCREMENT = 0x0B,	/* keys: writes only */
	MCW_OTS_NONE = 0xFF			/* no value here; never on the wire */
} mcw_ots_type;

extern const char *mcw_ots_type_name(mcw_ots_type type);	/* "INTEGER", ... */

typedef struct mcw_ots_value
{
	uint8_t		type;			/* mcw_ots_type */
	union
	{
		int64_t		i;
		double		d;
		bool		b;
		mcw_view	s;			/* STRING (UTF-8), BINARY */
	};
} mcw_ots_value;

static inline mcw_ots_value
mcw_ots_none(mcw_ots_type type)	/* a value that is only its type: INF_MIN, INF_MAX, AUTO_INCREMENT, NONE */
{
	mcw_ots_value v = {.type = (uint8_t) type};

	return v;
}

static inline mcw_ots_value
mcw_ots_int(int64_t i)
{
	mcw_ots_value v = {.type = MCW_OTS_INTEGER, .i = i};

	return v;
}

static inline mcw_ots_value
mcw_ots_bytes(mcw_ots_type type, mcw_view s)
{
	mcw_ots_value v = {.type = (uint8_t) type, .s = s};

	return v;
}

/*
 * Key order: INTEGER numeric; STRING and BINARY bytewise, shorter first; INF_MIN
 * below and INF_MAX above everything.  The two values are of one type or infinite.
 * Filters compare attribute values by the same order, DOUBLE and BOOLEAN included.
 */
extern int	mcw_ots_value_cmp(const mcw_ots_value *a, const mcw_ots_value *b);

/* A key, or a bound; n is the number of key columns of the table, less for a prefix */
typedef struct mcw_ots_key
{
	int			n;
	mcw_ots_value v[MCW_OTS_MAX_KEYS];
} mcw_ots_key;

/* Columns behind an infinite one do not count.  Both have the same n. */
extern int	mcw_ots_key_cmp(const mcw_ots_key *a, const mcw_ots_key *b);
/* A copy whose bytes are in the arena; MCW_ERR_NOMEM, MCW_ERR_LIMIT */
extern mcw_status mcw_ots_key_copy(mcw_arena *arena, const mcw_ots_key *key, mcw_ots_key *out);

typedef struct mcw_ots_key_column
{
	mcw_view	name;
	mcw_ots_type type;			/* INTEGER, STRING, BINARY */
	bool		auto_increment;
} mcw_ots_key_column;

typedef struct mcw_ots_schema
{
	int			nkeys;
	mcw_ots_key_column keys[MCW_OTS_MAX_KEYS];
} mcw_ots_schema;

/* ---- checksum (3.4) ---- */

extern uint8_t mcw_ots_crc8(uint8_t crc, const void *data, size_t len);
/* The tables that serve processors without carry-less multiplication; a test compares both */
extern uint8_t mcw_ots_crc8_portable(uint8_t crc, const void *data, size_t len);

/* ---- writing ---- */

/* Cell operations (3.3) */
typedef enum mcw_ots_op
{
	MCW_OTS_PUT = 0,			/* no operation byte: a value */
	MCW_OTS_DELETE_ALL = 0x01,
	MCW_OTS_DELETE_ONE = 0x03,
	MCW_OTS_INCREMENT = 0x04
} mcw_ots_op;

#define MCW_OTS_NO_TIMESTAMP INT64_MIN

/* A column name with its share of the cell checksum, computed once per statement */
typedef struct mcw_ots_name
{
	mcw_view	name;
	uint8_t		crc;
} mcw_ots_name;

extern mcw_ots_name mcw_ots_make_name(mcw_view name);

/*
 * One row in 'out': begin (writes the header too), key cells in schema order,
 * attribute cells, at most one delete marker, end.  The first failure is kept and
 * returned by end, which then takes back what the row had written.
 */
typedef struct mcw_ots_writer
{
	mcw_buf    *out;
	size_t		start;			/* of the row, header included */
	uint8_t		crc;			/* of the row so far */
	uint8_t		nkeys;
	bool		in_data;
	bool		deleted;
	bool		has_sequence;
	bool		broken;			/* the buffer had failed before this row */
	mcw_status	status;
} mcw_ots_writer;

extern void mcw_ots_begin_row(mcw_ots_writer *w, mcw_buf *out);
/* the same without the header: second and later rows of one buffer */
extern void mcw_ots_begin_next_row(mcw_ots_writer *w, mcw_buf *out);
extern void mcw_ots_put_key(mcw_ots_writer *w, const mcw_ots_name *name, const mcw_ots_value *value);
/* value NULL or of type NONE: absent; timestamp MCW_OTS_NO_TIMESTAMP: absent */
extern void mcw_ots_put_cell(mcw_ots_writer *w, const mcw_ots_name *name, const mcw_ots_value *value,
							 mcw_ots_op op, int64_t timestamp);
extern void mcw_ots_put_delete_marker(mcw_ots_writer *w);
/* the sequence info of a stream record; after all cells and the marker (servers only) */
extern void mcw_ots_put_sequence(mcw_ots_writer *w, int32_t epoch, int64_t time_us, int32_t row_index);
extern mcw_status mcw_ots_end_row(mcw_ots_writer *w);

/* A bare primary key with header: key->n columns named by the schema.  Appends. */
extern mcw_status mcw_ots_write_key(mcw_buf *out, const mcw_ots_schema *schema, const mcw_ots_key *key);
/* A bare variant, as filters and PartitionRange carry it */
extern mcw_status mcw_ots_write_variant(mcw_buf *out, const mcw_ots_value *value);

/* ---- reading ---- */

typedef struct mcw_ots_cell
{
	mcw_view	name;
	mcw_ots_value value;		/* type NONE if absent */
	int64_t		timestamp;		/* MCW_OTS_NO_TIMESTAMP if absent */
	uint8_t		op;				/* mcw_ots_op */
} mcw_ots_cell;

typedef struct mcw_ots_row
{
	mcw_view	body;			/* of the row: from ROW_PK to its checksum; for mcw_ots_next_cell */
	bool		deleted;		/* delete marker */
	bool		has_sequence;	/* stream records */
	int32_t		epoch;
	int64_t		time_us;		/* Unix microseconds */
	int32_t		row_index;
	uint32_t	nkeys;			/* key cells: 1 to MCW_OTS_MAX_KEYS; 0 in an origin only */
	uint32_t	ncells;			/* attribute cells */
} mcw_ots_row;

typedef struct mcw_ots_reader mcw_ots_reader;

/*
 * Reads the named columns of each row, whether key or attribute; ncolumns may be 0.
 * Names are copied.  NULL = out of memory.
 */
extern mcw_ots_reader *mcw_ots_reader_create(const mcw_alloc *alloc, const mcw_view *columns, int ncolumns);
extern void mcw_ots_reader_free(mcw_ots_reader *reader);

/*
 * Start on a buffer of rows: empty, or a header and rows.  'rows' must stay until
 * the next call.  'allow_padding': zero bytes after the last row end the buffer (a
 * server reading what the Node SDK sends, 3.6).  MCW_OK, MCW_ERR_FORMAT.
 */
extern mcw_status mcw_ots_reader_page(mcw_ots_reader *reader, mcw_view rows, bool allow_padding, mcw_error *err) MCW_MUST_CHECK;

/* The same for the origin of a stream record (2.4), whose rows may lack their key */
extern mcw_status mcw_ots_reader_origin(mcw_ots_reader *reader, mcw_view rows, mcw_error *err) MCW_MUST_CHECK;

/*
 * Next row: fills values[0 .. ncolumns-1] with the first (newest) cell of that name
 * that has a value, type NONE if there is none, and timestamps[] likewise unless it
 * is NULL.  All cell and row checksums are verified before it returns.  A STRING or
 * BINARY value is directly preceded by its four length bytes, which the caller may
 * overwrite once the row has been read and its cells have been walked.
 * MCW_OK, MCW_END, MCW_ERR_FORMAT, MCW_ERR_CHECKSUM (with the offset in the page).
 * Whether a row fits the table, its schema and its limits is the caller's matter.
 */
extern mcw_status mcw_ots_next_row(mcw_ots_reader *reader, mcw_ots_row *row, mcw_ots_value *values,
								   int64_t *timestamps, mcw_error *err) MCW_MUST_CHECK;

/*
 * Walk the cells of a row that mcw_ots_next_row has verified, in wire order, key
 * cells first (is_key).  pos starts at 0.  MCW_OK or MCW_END.
 */
extern mcw_status mcw_ots_next_cell(const mcw_ots_row *row, size_t *pos, mcw_ots_cell *cell, bool *is_key);

/*
 * One bare key with header (next_start_primary_key, split point; may be a prefix):
 * views into 'bytes'; names and types must be the schema's, in order; values may be
 * infinite.  MCW_OK, MCW_ERR_FORMAT, MCW_ERR_CHECKSUM.
 */
extern mcw_status mcw_ots_read_key(mcw_view bytes, const mcw_ots_schema *schema, mcw_ots_key *key, mcw_error *err);
/* A bare variant that fills 'bytes' */
extern mcw_status mcw_ots_read_variant(mcw_view bytes, mcw_ots_value *value, mcw_error *err);

#endif							/* MCW_OTS_H */
