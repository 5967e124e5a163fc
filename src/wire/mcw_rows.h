/*
 * mcw_rows.h
 *		Row formats of files: csv, text, jsonl, line.  A format is one table of
 *		functions, for reading and for writing; readers take a stream of chunks and
 *		give records as views into them, writers append records to a buffer.
 *
 * The rules of csv and text are COPY's (oss.md 6.3); where COPY of PostgreSQL 15
 * drops or silently changes data these readers do not, see each format.
 */
#ifndef MCW_ROWS_H
#define MCW_ROWS_H

#include "mcw.h"

typedef struct mcw_rows mcw_rows;
typedef struct mcw_format mcw_format;

/* ---- reading ---- */

/* What a field is, besides its bytes */
#define MCW_FIELD_NULL		0x01	/* the null text, JSON null, or absent */
#define MCW_FIELD_ABSENT	0x02	/* not in the record: fewer fields, or no such member */
#define MCW_FIELD_CHECK		0x04	/* made by escapes: may hold NUL or invalid UTF-8 whatever 'verified' says */
/* jsonl: kind of the value */
#define MCW_FIELD_STRING	0x10	/* decoded */
#define MCW_FIELD_NUMBER	0x20	/* as written, never through a double */
#define MCW_FIELD_BOOL		0x40	/* true or false */
#define MCW_FIELD_NESTED	0x80	/* object or array as written */

typedef struct mcw_field
{
	const char *data;
	uint32_t	len;
	uint32_t	flags;
} mcw_field;

typedef struct mcw_record
{
	mcw_field  *fields;			/* one for each column of the options, those not needed undefined */
	int			nfields;		/* fields the record really has (csv, text); line: 1; jsonl: members */
	uint64_t	line;			/* number of its first line, from 1, in this stream */
	mcw_view	raw;			/* the record as it stood, without line end; after unescaping in place only for messages */
	bool		verified;		/* all bytes are valid UTF-8 without NUL */
	const char *bad;			/* not NULL: this record is malformed, the next ones are not; fields are undefined */
	int			unknown;		/* jsonl, by name: members no column asks for; 'unknown_name' is the first */
	mcw_view	unknown_name;
} mcw_record;

typedef struct mcw_rows_column
{
	mcw_view	name;			/* by_name, header match, jsonl: member name; "*" = a JSON object of the members no other column has */
	bool		needed;
	bool		force_null;		/* csv: a quoted null text is NULL too */
	bool		force_not_null;	/* csv: the null text unquoted is a value */
} mcw_rows_column;

typedef enum mcw_header
{
	MCW_HEADER_NONE,
	MCW_HEADER_SKIP,			/* one logical line */
	MCW_HEADER_MATCH,			/* names and order must be the columns' */
	MCW_HEADER_BY_NAME			/* names say which field is which; a column without one is ABSENT */
} mcw_header;

typedef struct mcw_rows_options
{
	char		delimiter;
	char		quote;			/* csv */
	char		escape;			/* csv; default = quote */
	mcw_view	null;
	mcw_header	header;			/* csv, text */
	const mcw_rows_column *columns;	/* in the order of the file unless by name; stay with the caller */
	int			ncolumns;
	size_t		max_record;		/* longer is MCW_ERR_LIMIT; 0 = 1 GB */
	bool		unescape_off;	/* text without backslash escapes (TSV of other tools): not COPY's */
} mcw_rows_options;

/*
 * For one stream (one object): a BOM of UTF-8 at its start is skipped.  Line ends of
 * csv and text are those of the first line (LF, CR, CRLF), as COPY wants; a line of
 * 'line' and jsonl ends with LF, or CRLF if the first one does, other CRs are data.
 * MCW_ERR_ARGUMENT: options that make no sense together.
 */
extern mcw_status mcw_rows_open(const mcw_format *format, const mcw_rows_options *options,
								const mcw_alloc *alloc, mcw_rows **rows, mcw_error *err);
/*
 * The next bytes of the stream, which the reader may change (unescaping, and the
 * byte before each value belongs to the caller of mcw_rows_next).  They stay until
 * mcw_rows_next has returned MCW_END and the record before it is not used any more.
 * 'last' says that no more bytes follow; a chunk may be empty.
 */
extern void mcw_rows_feed(mcw_rows *rows, char *data, size_t len, bool last);
/*
 * MCW_OK with a record, valid until the next call; MCW_END: feed more, or the end
 * if the last chunk was fed.  Errors (MCW_ERR_FORMAT, _LIMIT, _NOMEM, _UNSUPPORTED)
 * end the stream; err->offset is the byte in the stream, mcw_rows_line the line.
 * Every needed value that is not NULL has a byte before its data that the caller may
 * overwrite, and values do not overlap with these bytes of others.
 */
extern mcw_status mcw_rows_next(mcw_rows *rows, mcw_record *record, mcw_error *err);
extern uint64_t mcw_rows_line(const mcw_rows *rows);	/* line where the reader stands */
/* names of the header line after the first MCW_OK or MCW_END of the whole stream; 0 without one */
extern int	mcw_rows_header(const mcw_rows *rows, const mcw_view **names);
extern void mcw_rows_free(mcw_rows *rows);
/* the HINT that COPY gives with this message of a failure; NULL = none */
extern const char *mcw_rows_hint(const char *message);

/* ---- writing ---- */

typedef struct mcw_write_options
{
	char		delimiter;
	char		quote;
	char		escape;
	mcw_view	null;			/* csv, text */
	const mcw_view *names;		/* jsonl: member names; csv and text: header line */
	int			ncolumns;
	const bool *force_quote;	/* csv, per column; NULL = none */
	bool		omit_null;		/* jsonl: no member for NULL */
} mcw_write_options;

/*
 * One record: for each column in order exactly one call of null, text, bare or raw,
 * then end.  Failures stick to 'out' (mcw_buf_status), so a row is checked once; the
 * caller sets out->len back to drop a row, and calls mcw_row_restart if it was not ended.
 * For the time of a call up to 96 kB more than a value takes in the end may be asked of 'out'.
 *
 * Text is in an encoding whose bytes below 0x80 are always ASCII characters, as all
 * encodings of servers are; a file in another one is converted record by record.
 */
typedef struct mcw_row_writer
{
	const mcw_format *format;
	mcw_write_options options;	/* views stay with the caller */
	mcw_buf    *out;
	int			column;			/* of the next value, from 0 */
	/* private: what is special, the names as they are written */
	bool		plain_bare;		/* csv, text: nothing a bare value consists of is special */
	bool		opened;			/* jsonl: the record has a member */
	uint8_t		special[256];	/* ends a run of bytes that are copied: 1, or what follows the backslash */
	uint8_t		x[16];			/* two of the special bytes, for mcw_rows_copy.h */
	uint8_t		y[16];
	mcw_buf		names;			/* jsonl: ,"name": of each column */
	size_t	   *name_ends;
	const mcw_alloc *alloc;
} mcw_row_writer;

/*
 * MCW_ERR_ARGUMENT for options that would make files nobody can read: COPY's rules for
 * delimiter, quote, escape and null; two members of one name.  MCW_ERR_UNSUPPORTED for
 * a format that cannot be written.
 */
extern mcw_status mcw_row_writer_init(mcw_row_writer *w, const mcw_format *format, const mcw_write_options *options,
									  const mcw_alloc *alloc, mcw_error *err);
extern void mcw_row_writer_free(mcw_row_writer *w);
/* jsonl, between the last column and the end: a member besides the columns; 'json' as for raw */
extern void mcw_row_member(mcw_row_writer *w, mcw_view name, mcw_view json);

/* forget the values since the last end */
static inline void
mcw_row_restart(mcw_row_writer *w)
{
	w->column = 0;
	w->opened = false;
}

struct mcw_format
{
	const char *name;			/* of option "format" */
	const char *suffix;			/* of objects: ".csv" */
	/* reading; NULL = cannot */
	mcw_status	(*open) (mcw_rows *rows, mcw_error *err);
	mcw_status	(*next) (mcw_rows *rows, mcw_record *record, mcw_error *err);
	void		(*close) (mcw_rows *rows);
	/* writing; NULL = cannot */
	void		(*header) (mcw_row_writer *w);
	void		(*null) (mcw_row_writer *w);
	void		(*text) (mcw_row_writer *w, const char *data, size_t len);	/* any text without NUL */
	/* not empty, of ASCII letters, digits, blank, + - . and : only; jsonl: a number, true or false */
	void		(*bare) (mcw_row_writer *w, const char *data, size_t len);
	/* a JSON text: jsonl as it is, but line breaks between tokens become blanks; others as text */
	void		(*raw) (mcw_row_writer *w, const char *data, size_t len);
	void		(*end) (mcw_row_writer *w);
};

extern const mcw_format mcw_format_csv;
extern const mcw_format mcw_format_text;
extern const mcw_format mcw_format_jsonl;
extern const mcw_format mcw_format_line;
extern const mcw_format *mcw_format_find(const char *name);	/* NULL = unknown */

#endif							/* MCW_ROWS_H */
