/*
 * mcw_snappy.h
 *		The snappy framing format over snappy-c's raw blocks: whole bodies for
 *		mcw_compress.h, chunks for mcw_stream_snappy.c.
 */
#ifndef MCW_SNAPPY_H
#define MCW_SNAPPY_H

#include "mcw.h"

extern mcw_status mcw_snappy_compress(mcw_view src, mcw_buf *dst);

/*
 * At most 'limit' bytes are appended; more is MCW_ERR_LIMIT.  The format has no
 * end mark: input cut between two chunks reads as a shorter stream.
 */
extern mcw_status mcw_snappy_decompress(mcw_view src, size_t limit, mcw_buf *dst, mcw_error *err);

/* ---- chunks ---- */

#define MCW_SNAPPY_HEADER 4
#define MCW_SNAPPY_MAX_DATA ((size_t) 65536)
/* header, checksum, and the largest packed form of that much data */
#define MCW_SNAPPY_MAX_CHUNK (MCW_SNAPPY_HEADER + 4 + 32 + MCW_SNAPPY_MAX_DATA + MCW_SNAPPY_MAX_DATA / 6)

typedef struct mcw_snappy_chunk
{
	unsigned char type;
	size_t		len;			/* behind the header */
	bool		skip;			/* holds nothing for us */
} mcw_snappy_chunk;

/* Judge the four bytes a chunk begins with; the 'first' of a stream must be its identifier */
extern mcw_status mcw_snappy_header(const char *header, bool first, mcw_snappy_chunk *chunk, mcw_error *err);
/* A whole chunk that is not to be skipped: append its data, at most 'limit' bytes */
extern mcw_status mcw_snappy_read_chunk(mcw_view chunk, size_t limit, mcw_buf *dst, mcw_error *err);
extern mcw_status mcw_snappy_write_identifier(mcw_buf *dst);
/* at most MCW_SNAPPY_MAX_DATA bytes */
extern mcw_status mcw_snappy_write_chunk(const char *data, size_t len, mcw_buf *dst);

#endif							/* MCW_SNAPPY_H */
