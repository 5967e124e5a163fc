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
 * where a record that crosses chunks is put together.
 */
struct mcw_rows
{
	const mcw_format *format;
	mcw_rows_options options;
	const mcw_alloc *alloc;
	void	   *state;			/* the format's */

	char	   *at;				/* next byte of the window */
	char	   *end;
	bool		last;			/* nothing follows the window */
	uint64_t	offset;			/* of 'at' in the stream */
	uint64_t	line;			/* of 'at' */
	char	   *verified_to;	/* window is verified up to here */

	/* private to mcw_rows.c */
	char	   *chunk;
	size_t		chunk_len;
	size_t		chunk_used;
	bool		chunk_last;
	mcw_buf		seam;
	bool		in_seam;
	bool		begun;			/* BOM was looked for */

	mcw_field  *fields;			/* options.ncolumns */
	mcw_view   *header;
	int			nheader;
};

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
