/*
 * mcs_oss_write.h
 *		Writing objects: multipart uploads, single puts, deletes, and the protocol that
 *		makes an object visible (oss.md 3.6 to 3.10; guarantees 6.3).
 *
 * A multipart upload is a transaction that the service keeps for us: parts are
 * invisible until Complete, which is one step.
 */
#ifndef MCS_OSS_WRITE_H
#define MCS_OSS_WRITE_H

#include "mcs_oss.h"

#define MCS_OSS_MAX_PARTS 10000
#define MCS_OSS_MIN_PART ((size_t) 100 << 10)

typedef struct mcs_oss_upload
{
	/* set by the caller; the views must stay */
	mcw_view	key;
	mcw_view	content_type;
	mcw_view	token;			/* tells our object from anybody else's */
	bool		may_replace;	/* false: an object that is there is left alone and is an error */
	const mcw_alloc *alloc;

	/* set by us */
	char		id[256];		/* UploadId; empty = not initiated */
	mcw_oss_part *parts;		/* number i + 1; etag filled when it was acknowledged */
	int			nparts;
	int			cap;
	uint64_t	size;
	uint64_t	crc64;			/* of all parts in order, once all are acknowledged */
	bool		sent;			/* Complete or Put may have reached the service */
} mcs_oss_upload;

/* Initiate; net may repeat it, a lost twin is an empty upload that the token's owner can abort */
extern void mcs_oss_upload_open(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload);
extern mcw_status mcs_oss_upload_opened(mcs_oss_call *call, mcs_oss_upload *upload, mcw_error *err);
/* Reserve the next part: MCW_OK, MCW_ERR_LIMIT, MCW_ERR_NOMEM */
extern mcw_status mcs_oss_upload_new_part(mcs_oss_upload *upload, int *number, mcw_error *err);
/*
 * UploadPart; 'body' stays until 'stored' was called.  The answer's CRC-64 is compared
 * with the body, the ETag's MD5 where the service tells no CRC-64; a difference is
 * repaired by sending again.  'stored' records the part, or says why it is not there.
 */
extern void mcs_oss_upload_put_part(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload, int number, mcw_view body);
extern mcw_status mcs_oss_upload_stored(mcs_oss_call *call, mcs_oss_upload *upload, int number, mcw_error *err);
/*
 * The service's list of parts must be exactly ours (numbers, ETags, sizes); MCW_ERR_PROTOCOL
 * if not.  In two steps, for several uploads at the same time; 'end' waits and frees the call.
 */
extern void mcs_oss_upload_verify_begin(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload);
extern mcw_status mcs_oss_upload_verify_end(mcs_oss_call *call, mcs_oss *oss, mcs_oss_upload *upload, mcw_error *err);
/* Does the service still keep the upload?  MCW_OK, MCW_END = no such upload, or an error */
extern mcw_status mcs_oss_upload_waits(mcs_oss *oss, const mcs_oss_upload *upload, mcw_error *err);
/* MCW_OK also if it is gone already; an interrupt ends the wait, not what is on its way */
extern mcw_status mcs_oss_upload_abort(mcs_oss *oss, mcw_view key, mcw_view upload_id, mcw_error *err);

typedef enum mcs_oss_outcome
{
	MCS_OSS_PUBLISHED,
	MCS_OSS_NOT_PUBLISHED,		/* certain */
	MCS_OSS_IN_DOUBT
} mcs_oss_outcome;

/*
 * Make it visible: Complete with the recorded parts, or Put of 'body' for an upload
 * without id.  'once' is a channel that never repeats a request by itself: HEAD, and
 * ListParts where that does not tell, decide before anything is sent again.  Drives
 * the loop until the outcome is known or deadline_us has passed.
 */
extern mcs_oss_outcome mcs_oss_publish(mcs_oss *oss, mcn_channel *once, mcs_oss_upload *upload, mcw_view body,
									   int64_t deadline_us, mcw_error *err);
/*
 * The same in two steps, so that the first requests of several objects are under way at
 * the same time: 'begin' sends it (NULL: nothing was sent, and it is not published),
 * 'end' does all the rest and frees.  Without 'again' nothing is sent a second time: what
 * became of the first request is found out, no more.  'drop' in place of 'end' asks nobody.
 */
typedef struct mcs_oss_publication mcs_oss_publication;
extern mcs_oss_publication *mcs_oss_publish_begin(mcs_oss *oss, mcn_channel *once, mcs_oss_upload *upload, mcw_view body,
												  int64_t deadline_us, mcw_error *err);
extern mcs_oss_outcome mcs_oss_publish_end(mcs_oss_publication *publication, bool again, mcw_error *err);
extern void mcs_oss_publish_drop(mcs_oss_publication *publication);

/* The ETag the finished object will have: MD5 of the part MD5s, "-", number of parts; MCW_ERR_FORMAT = parts have other ETags */
extern mcw_status mcs_oss_upload_etag(const mcs_oss_upload *upload, mcw_buf *etag, mcw_error *err);
/* the record of the parts; not needed where the allocator's memory goes as a whole */
extern void mcs_oss_upload_free(mcs_oss_upload *upload);

/*
 * Delete these objects unless they changed: each is looked at with HEAD (a link with
 * GetSymlink) just before and passed over if its ETag is another one (counted in
 * *changed).  *deleted counts
 * those that are gone, whoever did it.  DeleteMultipleObjects in groups of up to 1000.
 * May be repeated.
 */
extern mcw_status mcs_oss_delete(mcs_oss *oss, const mcs_oss_object *objects, int nobjects, int concurrency,
								 int *deleted, int *changed, mcw_error *err);
/*
 * The same, but 'spare' is asked with the token of each object ("" = it has none): true passes
 * over it.  An object listed without ETag is judged by that alone.
 */
extern mcw_status mcs_oss_delete_unless(mcs_oss *oss, const mcs_oss_object *objects, int nobjects, int concurrency,
										bool (*spare) (const mcs_oss_object *object, mcw_view token, void *arg), void *arg,
										int *deleted, int *changed, mcw_error *err);

/* Uploads under a prefix that were begun and neither completed nor aborted: next page after the markers */
extern mcw_status mcs_oss_list_uploads(mcs_oss *oss, mcw_view prefix, mcw_view key_marker, mcw_view id_marker,
									   mcw_arena *arena, mcw_oss_uploads *uploads, mcw_error *err);

#endif							/* MCS_OSS_WRITE_H */
