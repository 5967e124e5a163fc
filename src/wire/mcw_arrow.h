/*
 * mcw_arrow.h
 *		Framing of Arrow bodies in the tunnel (maxcompute.md 5.2) and reading of one
 *		Arrow IPC RecordBatch; bucket hash of upsert sessions (5.4).
 */
#ifndef MCW_ARROW_H
#define MCW_ARROW_H

#include "mcw_odps.h"

/* Verify all chunk CRCs and append the payload */
extern mcw_status mcw_arrow_unframe(mcw_view framed, mcw_buf *payload, mcw_error *err);
extern mcw_status mcw_arrow_frame(mcw_view payload, uint32_t chunk_size, mcw_buf *framed);

/* Reader of the RecordBatch messages of a payload, one row at a time, in table order */
typedef struct mcw_arrow_reader mcw_arrow_reader;

extern mcw_arrow_reader *mcw_arrow_reader_create(const mcw_alloc *alloc, const mcw_odps_type *const *types, int ntypes, mcw_view payload);
extern void mcw_arrow_reader_free(mcw_arrow_reader *reader);
/*
 * Scalar types only; nested columns, INTERVAL_DAY_TIME and compressed buffers are
 * MCW_ERR_UNSUPPORTED.  Texts are views into the payload, a DECIMAL's text lives until
 * the next row.  MCW_END at the end of the payload.
 */
extern mcw_status mcw_arrow_next(mcw_arrow_reader *reader, mcw_odps_value *values, mcw_error *err) MCW_MUST_CHECK;

typedef enum mcw_odps_hasher
{
	MCW_ODPS_HASH_DEFAULT, MCW_ODPS_HASH_LEGACY
} mcw_odps_hasher;

extern int32_t mcw_odps_hash(mcw_odps_hasher hasher, const mcw_odps_type *type, const mcw_odps_value *value);
extern int32_t mcw_odps_hash_combine(const int32_t *hashes, int n);

#endif							/* MCW_ARROW_H */
