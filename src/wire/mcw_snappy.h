/*
 * mcw_snappy.h
 *		The snappy framing format over snappy-c's raw blocks.  Used through
 *		mcw_compress.h only.
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

#endif							/* MCW_SNAPPY_H */
