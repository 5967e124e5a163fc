/*
 * mcw_rows_delimited.h
 *		What the readers of csv and text share: the index of the window, line ends, header.
 */
#ifndef MCW_ROWS_DELIMITED_H
#define MCW_ROWS_DELIMITED_H

#include "mcw_rows_private.h"
#include "mcw_rows_scan.h"

typedef enum mcw_line_end
{
	MCW_LINE_UNKNOWN,			/* in the first line */
	MCW_LINE_LF,
	MCW_LINE_CR,
	MCW_LINE_CRLF
} mcw_line_end;

typedef struct mcw_delimited mcw_delimited;

/* Reads one record as mcw_format.next; the index begins at 'at' */
typedef mcw_status (*mcw_delimited_parse) (mcw_rows *rows, mcw_delimited *d, mcw_record *record, mcw_error *err);

/* in mcw_field.flags until the record is complete: bytes are as in the file, escapes included */
#define MCW_FIELD_RAW 0x8000

struct mcw_delimited
{
	mcw_delimited_parse parse;
	bool		csv;
	mcw_line_end line_end;
	bool		ended;			/* text: behind \. */

	/* the index: positions from 'base' that the scan found */
	mcw_scan_function find;
	mcw_scan	scan;			/* state at 'scanned_to' */
	mcw_scan	tail;			/* state at at + rows->scanned */
	uint64_t	window;			/* which the index belongs to */
	char	   *base;
	char	   *scanned_to;
	uint32_t   *index;
	size_t		n;
	size_t		k;				/* next one to be used */

	/* which column a field is; -1 = nobody needs it */
	int		   *slots;
	int			nslots;
	mcw_field  *fields;
	bool		header_due;
};

extern mcw_status mcw_delimited_open(mcw_rows *rows, bool csv, mcw_delimited_parse parse, mcw_error *err);
extern void mcw_delimited_close(mcw_rows *rows);
extern mcw_status mcw_delimited_next(mcw_rows *rows, mcw_record *record, mcw_error *err);

/* for tests: another scan than the best of this processor, if it has it */
extern void mcw_rows_scan_with(mcw_rows *rows, mcw_scan_level level);

/* The index is used up: scan on.  False: the window has no more bytes. */
extern bool mcw_delimited_more(mcw_rows *rows, mcw_delimited *d);

/*
 * 'stop' is a CR or LF that stands where it ends a line; *after is the byte behind the line
 * end.  MCW_END: the next byte decides, and the window lacks it.
 */
extern mcw_status mcw_delimited_line_end(mcw_rows *rows, mcw_delimited *d, char *stop, char **after, mcw_error *err);

/*
 * The record at 'at' is wrong at 'where': MCW_ERR_FORMAT, unless it is too long anyway, so
 * that the failure does not depend on chunks.
 */
extern mcw_status mcw_delimited_fail(mcw_rows *rows, mcw_delimited *d, const char *where, const char *message, mcw_error *err);

/* The window ends within the record; 'from' = where to look on, or NULL */
extern mcw_status mcw_delimited_incomplete(mcw_rows *rows, mcw_delimited *d, const char *from);

/* Fill what every record has, move behind it; 'stop' is its end without line end */
extern void mcw_delimited_finish(mcw_rows *rows, mcw_delimited *d, mcw_record *record,
								 char *stop, char *after, int nfields, bool lines_inside);

/* lines that end between the two, where they are data */
extern uint64_t mcw_delimited_lines(const mcw_delimited *d, const char *from, const char *to);

static inline bool
mcw_is_null_text(const mcw_rows *rows, const char *data, size_t len)
{
	return len == rows->options.null.len && (len == 0 || memcmp(data, rows->options.null.data, len) == 0);
}

#endif							/* MCW_ROWS_DELIMITED_H */
