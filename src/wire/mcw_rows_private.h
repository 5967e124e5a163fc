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

#endif							/* MCW_ROWS_PRIVATE_H */
