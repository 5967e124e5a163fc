/*
 * mcw_rows_private.h
 *		Inside of the readers: mcw_rows.c (chunks, seams, BOM, verification) and one file
 *		for each format.
 */
#ifndef MCW_ROWS_PRIVATE_H
#define MCW_ROWS_PRIVATE_H

#include "mcw_rows.h"

/*
 * A window of bytes that a format reads records from: the caller's chunk, or the seam,
 * where a record that crosses chunks, or starts with a chunk, is put together.
 *
 * A format's next() reads one record from [at, end) and ends with
 *	MCW_OK	at, offset and line moved behind the record and its line end (mcw_rows_took);
 *	MCW_END	no whole record there.  If not 'last': 'at' is the beginning of a record, nothing
 *			behind it was changed (lines before it may have been passed over), 'scanned' may say how many bytes behind 'at' need not be looked at again; next() is called
 *			again with the same bytes, perhaps at another address, and more behind them
 *			('window' has changed).  If 'last': at == end, this is the end of the stream;
 *	an error with err->offset set (mcw_rows_fail), 'line' its line.
 * The byte before 'at' may always be overwritten by the caller of mcw_rows_next.
 */
struct mcw_rows
{
	const mcw_format *format;
	mcw_rows_options options;
	const mcw_alloc *alloc;
	void	   *state;			/* the format's, made by its 'open', freed by its 'close' */

	char	   *at;				/* next byte of the window */
	char	   *end;
	bool		last;			/* nothing follows the window */
	uint64_t	offset;			/* of 'at' in the stream */
	uint64_t	line;			/* of 'at', from 1 */
	uint64_t	record_offset;	/* of what mcw_rows_took moved over last */
	char	   *verified_to;	/* window is verified from 'at' up to here */
	uint64_t	window;			/* number of the window: another one whenever bytes moved or were added */
	size_t		scanned;		/* set by the format with MCW_END, 0 again when 'at' moves */

	/* private to mcw_rows.c */
	char	   *chunk;
	size_t		chunk_len;
	size_t		chunk_used;		/* copied to the seam, if in_seam */
	bool		chunk_last;
	mcw_buf		seam;			/* its first byte is reserved */
	bool		in_seam;
	bool		begun;			/* BOM was looked for */
	mcw_error	failure;		/* what ended the stream: told again */

	mcw_field  *fields;			/* options.ncolumns */
	mcw_view   *header;			/* by the format, with the reader's allocator; mcw_rows.c frees them */
	int			nheader;
	mcw_buf		header_text;	/* what 'header' points to */
};

/* the record ends at 'to' (line end included) */
static inline void
mcw_rows_took(mcw_rows *rows, char *to)
{
	rows->record_offset = rows->offset;
	rows->offset += (uint64_t) (to - rows->at);
	rows->at = to;
	rows->scanned = 0;
}

/* a failure at the byte 'where' of the window; returns MCW_ERR_FORMAT or what 'status' is */
extern mcw_status mcw_rows_fail(mcw_rows *rows, mcw_error *err, mcw_status status, const char *where,
								const char *fmt, ...) MCW_PRINTF(5, 6);

/* the record at 'at' is longer than max_record; MCW_ERR_LIMIT */
extern mcw_status mcw_rows_too_long(mcw_rows *rows, mcw_error *err);

/* are the bytes [at, to) valid UTF-8 without NUL?  To be asked before 'at' moves */
extern bool mcw_rows_verify(mcw_rows *rows, const char *to);

/*
 * For formats of one line (line, jsonl): *line is the next line without its LF, which
 * *next lies behind; a last line may lack it.  A CR before the LF is not taken off.
 * MCW_OK, then the format calls mcw_rows_took(rows, *next) and adds 1 to 'line' itself;
 * MCW_END as next().
 */
extern mcw_status mcw_rows_find_line(mcw_rows *rows, mcw_view *line, char **next);

/* The writers' functions, for the tables of formats; csv and text are defined with their readers, jsonl likewise */
extern void mcw_write_csv_header(mcw_row_writer *w);
extern void mcw_write_csv_null(mcw_row_writer *w);
extern void mcw_write_csv_text(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_csv_bare(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_csv_raw(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_csv_end(mcw_row_writer *w);
extern void mcw_write_text_header(mcw_row_writer *w);
extern void mcw_write_text_null(mcw_row_writer *w);
extern void mcw_write_text_text(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_text_bare(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_text_raw(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_text_end(mcw_row_writer *w);
extern void mcw_write_jsonl_header(mcw_row_writer *w);
extern void mcw_write_jsonl_null(mcw_row_writer *w);
extern void mcw_write_jsonl_text(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_jsonl_bare(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_jsonl_raw(mcw_row_writer *w, const char *data, size_t len);
extern void mcw_write_jsonl_end(mcw_row_writer *w);

#endif							/* MCW_ROWS_PRIVATE_H */
