/*
 * mcs_odps_upload.h
 *		Batch upload sessions of MaxCompute: create, put blocks, compare, commit
 *		(maxcompute.md 4; the commit protocol is guarantees.md 6.1).
 *
 * A session is a transaction that the service keeps for us: blocks are invisible
 * until the commit.  All blocks the server holds are committed, so what it holds is
 * compared with what was sent before every commit.
 */
#ifndef MCS_ODPS_UPLOAD_H
#define MCS_ODPS_UPLOAD_H

#include "mcs_odps.h"

#define MCS_ODPS_MAX_BLOCKS 20000	/* ids 0..19999 */

typedef enum mcs_odps_upload_status
{
	MCS_ODPS_UPLOAD_NONE = 0,	/* not created */
	MCS_ODPS_UPLOAD_NORMAL,
	MCS_ODPS_UPLOAD_CLOSING,	/* closing or committing: ask again */
	MCS_ODPS_UPLOAD_CLOSED,		/* published */
	MCS_ODPS_UPLOAD_CANCELED,	/* canceled or critical */
	MCS_ODPS_UPLOAD_EXPIRED,
	MCS_ODPS_UPLOAD_GONE,		/* the service does not know it (any more) */
	MCS_ODPS_UPLOAD_UNKNOWN		/* a word we do not know */
} mcs_odps_upload_status;

typedef struct mcs_odps_upload
{
	/* set by the caller; the views must stay */
	mcw_view	table;
	mcw_view	partition;		/* pt=1,region=hz; empty = not partitioned */
	bool		overwrite;
	bool		create_partition;

	/*
	 * An append whose rows the caller can count: a session that is normal although a
	 * commit was sent is not committed again before he has looked.  MCS_ODPS_IN_DOUBT
	 * with 'held' set, then.
	 */
	bool		countable;
	const mcw_alloc *alloc;

	/* set by us */
	char		id[128];		/* empty = not created */
	mcs_odps_upload_status status;	/* as last seen */
	int64_t		max_field;		/* bytes of one field, 0 = not told */
	int64_t		opened_us;		/* mcn_now_us() */
	int64_t		created_us;		/* the service's clock, Unix microseconds; 0 = not told */
	int64_t    *block_rows;		/* rows of block id 0..nblocks-1 as sent */
	int			nblocks;
	int			cap;
	int64_t		rows;			/* sum of block_rows */
	bool		commit_sent;	/* a commit request may have reached the service */
	bool		residue_possible;	/* append whose commit the service reported as failed */
	bool		held;			/* see 'countable'; the next call may send the commit once more */
	bool		mismatch;		/* it holds other blocks than were sent */
	char		request_id[64]; /* of the newest answer about its state */
} mcs_odps_upload;

/*
 * Prepare the call that creates the session; may be retried by net, a lost twin has
 * no blocks and is never committed.  'opened' reads the answer and checks that the
 * session has the columns of 'table'.
 */
extern void mcs_odps_upload_open(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload);
extern mcw_status mcs_odps_upload_opened(mcs_odps_call *call, const mcs_odps_table *table,
										 mcs_odps_upload *upload, mcw_error *err);

/* Reserve the next block id for a block of so many rows: MCW_OK, MCW_ERR_LIMIT (no id left), MCW_ERR_NOMEM */
extern mcw_status mcs_odps_upload_new_block(mcs_odps_upload *upload, int64_t rows, int *block, mcw_error *err);

/*
 * Prepare the call that puts a block: 'body' is a whole record stream in coding
 * 'codec' and must stay until the call is over.  A retry sends the identical bytes
 * under the same id and so replaces the block by itself.
 */
extern void mcs_odps_upload_put(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload,
								int block, mcw_codec codec, mcw_view body);

/*
 * Prepare the call that asks for state and blocks; 'reloaded' reads the answer,
 * also the one that the session is unknown (status GONE, MCW_OK), and, while the
 * status is NORMAL, requires that ids and record counts are exactly ours
 * (MCW_ERR_PROTOCOL if not).
 */
extern void mcs_odps_upload_reload(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload);
extern mcw_status mcs_odps_upload_reloaded(mcs_odps_call *call, mcs_odps_upload *upload, mcw_error *err);

typedef enum mcs_odps_outcome
{
	MCS_ODPS_PUBLISHED,
	MCS_ODPS_NOT_PUBLISHED,		/* certain, up to residue_possible */
	MCS_ODPS_IN_DOUBT			/* the service may publish it or may have done so */
} mcs_odps_outcome;

/*
 * Commit a session whose blocks have been compared.  'once' is a tunnel channel
 * that never repeats a request by itself: the state is read before every repetition
 * here.  Drives the loop until the outcome is known or deadline_us (mcn_now_us) has
 * passed; err says why if it is not MCS_ODPS_PUBLISHED.
 */
extern mcs_odps_outcome mcs_odps_upload_commit(mcs_odps *odps, mcn_channel *once, mcs_odps_upload *upload,
											   int64_t deadline_us, mcw_error *err);

/*
 * The same for a session that somebody may have committed before: the state is read
 * first.  commit_sent is the caller's word for that; if it is set, a session that is
 * gone is MCS_ODPS_IN_DOUBT.
 */
extern mcs_odps_outcome mcs_odps_upload_settle(mcs_odps *odps, mcn_channel *once, mcs_odps_upload *upload,
											   int64_t deadline_us, mcw_error *err);
/* reads the state, also when the first questions fail; see mcs_odps_upload_reloaded */
extern mcw_status mcs_odps_upload_look(mcs_odps *odps, mcs_odps_upload *upload, int64_t deadline_us, mcw_error *err);

extern const char *mcs_odps_upload_status_name(mcs_odps_upload_status status);

#endif							/* MCS_ODPS_UPLOAD_H */
