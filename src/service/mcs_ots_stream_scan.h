/*
 * mcs_ots_stream_scan.h
 *		Private to the scan of a change stream: its state, shared by mcs_ots_stream.c
 *		(life, window, pages), mcs_ots_stream_graph.c (which shard may be read when) and
 *		mcs_ots_stream_chain.c (from which record to which).
 */
#ifndef MCS_OTS_STREAM_SCAN_H
#define MCS_OTS_STREAM_SCAN_H

#include "mcs_ots_stream.h"

typedef enum mcs_ots_lane_state
{
	MCS_OTS_LANE_WAITING,		/* for its parents, or for its turn */
	MCS_OTS_LANE_SEEKING,		/* GetShardIterator is in flight */
	MCS_OTS_LANE_IDLE,			/* the next GetStreamRecord may start */
	MCS_OTS_LANE_READING,
	MCS_OTS_LANE_DONE,
	MCS_OTS_LANE_BLOCKED		/* not read: a parent reached the window's end */
} mcs_ots_lane_state;

/* How the reading of a shard ended */
typedef enum mcs_ots_ending
{
	MCS_OTS_ENDING_CLOSED,		/* all its records are read: its children follow */
	MCS_OTS_ENDING_PASSED,		/* the window's end was passed: its children are of no interest */
	MCS_OTS_ENDING_DRAINED,		/* open, and nothing more is there */
	MCS_OTS_ENDING_NONE			/* not yet */
} mcs_ots_ending;

/* One shard and its place in the graph */
typedef struct mcs_ots_lane
{
	const char *id;
	bool		selected;		/* to be read; else only its place in the order counts */
	bool		has_parents;	/* listed ones */
	bool		parent_in_window;	/* a parent had records at or behind the begin: all of this shard's count */
	mcs_ots_lane_state state;
	int			pending;		/* listed parents that are not done */
	int			first_child;	/* a link: index of the child times 2, plus which of its parents this is; -1 = none */
	int			next_child[2];	/* the parent's next link, for either parent */
	int			next;			/* in the queue of those whose turn may come; -1 = last */
	int			ready;			/* its pages that are ready */
	int			empty;			/* empty pages in a row */
	int			rounds;			/* of GetShardIterator */
	int64_t		seek_us;		/* where it begins, < 0 = at the oldest record */
	int64_t		newest_us;		/* the holders' of its pages, see mcs_ots_stream_page */
	int64_t		last_us;		/* commit time of the last record that arrived; INT64_MIN at first */
	mcw_buf		iterator;		/* NUL-terminated */
	mcw_buf		token;
	mcs_ots_call *seek;			/* NULL unless seeking */
	struct mcs_ots_stream_scan *scan;

	/* of a chain */
	const mcs_ots_link *link;	/* NULL = the shard is new */
	bool		parent_taken;	/* records of a parent were taken: all of this shard's are */
	bool		leading;		/* records older than the begin are still passed over */
	bool		compare;		/* the next record must be behind 'last' */
	bool		read;			/* begin and end are known */
	bool		closed;
	bool		has_last;
	int64_t		skip;			/* records to pass over until the position is reached */
	int64_t		passed;			/* records of the page at 'iterator' that lie in front of the end */
	int64_t		taken;
	int64_t		late;
	mcs_ots_sequence last;		/* of the record in front */
	mcs_ots_mark begin;
	mcw_buf		end_iterator;
} mcs_ots_lane;

typedef enum mcs_ots_slot_state
{
	MCS_OTS_SLOT_FREE,
	MCS_OTS_SLOT_READING,
	MCS_OTS_SLOT_READY,
	MCS_OTS_SLOT_HELD
} mcs_ots_slot_state;

/* One place of the ring: a request and the page it becomes */
typedef struct mcs_ots_slot
{
	mcs_ots_stream_page page;	/* first member */
	mcs_ots_stream_scan *scan;
	mcs_ots_lane *lane;
	mcs_ots_slot_state state;
	mcs_ots_call call;
	mcw_buf		iterator;		/* the page was read with; NUL-terminated */
	struct mcs_ots_slot *next_ready;
} mcs_ots_slot;

typedef enum mcs_ots_stream_phase
{
	MCS_OTS_STREAM_NEW,
	MCS_OTS_STREAM_READING,
	MCS_OTS_STREAM_DONE,
	MCS_OTS_STREAM_FAILED
} mcs_ots_stream_phase;

struct mcs_ots_stream_scan
{
	mcs_ots    *ots;
	const mcw_alloc *alloc;
	mcs_ots_stream_spec spec;
	mcs_ots_stream_info info;
	mcs_ots_stream_phase phase;
	mcw_arena	spec_arena;		/* strings of the spec */
	mcw_arena	arena;			/* of the state */
	mcs_ots_stream_state state;
	int64_t		seek_us;		/* where reading begins, < 0 = at the oldest record */
	int64_t		until_us;		/* where it ends */

	mcs_ots_lane *lanes;		/* as state.stream.shards */
	int			nlanes;
	int			queue_head;		/* lanes that may start; -1 = none */
	int			queue_tail;
	mcs_ots_lane **active;		/* being read; at most spec.concurrency */
	int			nactive;

	mcs_ots_slot *slots;
	int			nslots;
	int			reading;		/* requests in flight */
	int			ready;
	size_t		ready_bytes;	/* of pages ready or held */
	size_t		page_bytes;		/* size of a recent page */
	mcs_ots_slot *ready_head;
	mcs_ots_slot *ready_tail;
	mcw_ots_reader *reader;		/* of no column: it finds the time of a record */

	mcw_error	error;			/* FAILED */
	const char *error_shard;
	mcw_buf		error_iterator;
};

/* mcs_ots_stream.c */
extern void mcs_ots_stream_fail(mcs_ots_stream_scan *scan, const mcw_error *err, const mcs_ots_lane *lane);

/* mcs_ots_stream_chain.c: called only if spec.chain is set */

extern bool mcs_ots_chain_copy(mcs_ots_stream_scan *scan, const mcs_ots_chain *chain);
/* Does the state of the stream have all the positions need? Attaches the links to the lanes. */
extern mcw_status mcs_ots_chain_attach(mcs_ots_stream_scan *scan, mcw_error *err);
extern mcw_status mcs_ots_chain_check_id(mcs_ots_stream_scan *scan, mcw_error *err);
/* The lane's turn has come.  *seek_us: where to seek, < 0 = oldest; false: it has its iterator */
extern bool mcs_ots_chain_begin(mcs_ots_lane *lane, int64_t *seek_us);
/* does the shard have nothing to read? */
extern bool mcs_ots_chain_is_empty(const mcs_ots_lane *lane);
/*
 * A page arrived that was read with 'iterator'.  Which records are to be taken, how the
 * shard ends with them, and the commit time of the last one.
 */
extern mcw_status mcs_ots_chain_page(mcs_ots_lane *lane, mcw_view iterator, const mcw_ots_record_page *page,
									 uint32_t *first, uint32_t *upto, mcs_ots_ending *ending, int64_t *time_us,
									 mcw_error *err);

/* mcs_ots_stream_graph.c */

/* Make the lanes of state.stream and queue those without a listed parent; MCW_ERR_NOMEM, MCW_ERR_PROTOCOL */
extern mcw_status mcs_ots_graph_build(mcs_ots_stream_scan *scan, mcw_error *err);
/* Lane of a listed shard, NULL = not listed */
extern mcs_ots_lane *mcs_ots_graph_find(mcs_ots_stream_scan *scan, mcw_view id);
extern void mcs_ots_graph_free(mcs_ots_stream_scan *scan);
/* The next lane whose turn it is, NULL if none may start now; shards that are not selected are passed over */
extern mcs_ots_lane *mcs_ots_graph_next(mcs_ots_stream_scan *scan);
extern void mcs_ots_graph_finish(mcs_ots_stream_scan *scan, mcs_ots_lane *lane, mcs_ots_ending ending);

#endif							/* MCS_OTS_STREAM_SCAN_H */
