/*
 * mcw_oss.h
 *		The documents of Object Storage Service (oss.md 3): lists, multipart uploads,
 *		multi-delete.  Errors are read by mcw_error_body.
 */
#ifndef MCW_OSS_H
#define MCW_OSS_H

#include "mcw_doc.h"

typedef struct mcw_oss_entry
{
	mcw_view	key;			/* decoded */
	mcw_view	etag;			/* without quotes */
	mcw_view	type;			/* Normal, Multipart, Appendable, Symlink */
	mcw_view	storage_class;
	uint64_t	size;
	int64_t		last_modified;	/* Unix microseconds */
} mcw_oss_entry;

typedef struct mcw_oss_list
{
	mcw_oss_entry *entries;		/* in the order of the document */
	int			nentries;
	mcw_view   *prefixes;		/* CommonPrefixes, decoded */
	int			nprefixes;
	bool		truncated;
	mcw_view	next_token;		/* NextContinuationToken; NextMarker, decoded, of the old call */
} mcw_oss_list;

typedef struct mcw_oss_part
{
	int			number;
	mcw_view	etag;			/* without quotes */
	uint64_t	size;
	uint64_t	crc64;
	bool		has_crc64;
} mcw_oss_part;

typedef struct mcw_oss_parts
{
	mcw_oss_part *parts;
	int			nparts;
	bool		truncated;
	int			next_marker;
} mcw_oss_parts;

typedef struct mcw_oss_upload
{
	mcw_view	key;			/* decoded */
	mcw_view	upload_id;
	int64_t		initiated;		/* Unix microseconds */
} mcw_oss_upload;

typedef struct mcw_oss_uploads
{
	mcw_oss_upload *uploads;
	int			nuploads;
	bool		truncated;
	mcw_view	next_key;		/* decoded */
	mcw_view	next_upload_id;
} mcw_oss_uploads;

/*
 * Parse an answer; results and their bytes are arena memory.  MCW_ERR_FORMAT if the
 * document is not what it should be, a truncated list without a marker included.
 * ListObjectsV2 is read in one pass over the bytes, without a tree: a page of a
 * thousand entries must cost well below a millisecond.
 */
extern mcw_status mcw_oss_read_list(mcw_view body, mcw_arena *arena, mcw_oss_list *list, mcw_error *err);
extern mcw_status mcw_oss_read_parts(mcw_view body, mcw_arena *arena, mcw_oss_parts *parts, mcw_error *err);
extern mcw_status mcw_oss_read_uploads(mcw_view body, mcw_arena *arena, mcw_oss_uploads *uploads, mcw_error *err);
extern mcw_status mcw_oss_read_initiate(mcw_view body, mcw_arena *arena, mcw_view *upload_id, mcw_error *err);
extern mcw_status mcw_oss_read_complete(mcw_view body, mcw_arena *arena, mcw_view *etag, mcw_error *err);
/* keys that were deleted; a quiet answer is empty */
extern mcw_status mcw_oss_read_deleted(mcw_view body, mcw_arena *arena, mcw_view **keys, int *nkeys, mcw_error *err);

/* Parts in ascending order, at least one */
extern mcw_status mcw_oss_write_complete(const mcw_oss_part *parts, int nparts, mcw_buf *body);
/* MCW_ERR_RANGE: a key holds a control character, which XML cannot say; delete it alone */
extern mcw_status mcw_oss_write_delete(const mcw_view *keys, int nkeys, bool quiet, mcw_buf *body);

/* take off the quotes of an ETag header */
extern mcw_view mcw_oss_etag(mcw_view header);
/* ETags compare without case */
static inline bool
mcw_oss_etag_eq(mcw_view a, mcw_view b)
{
	return mcw_view_ieq(a, b);
}

#endif							/* MCW_OSS_H */
