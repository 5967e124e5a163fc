/*
 * mcs_ots_scan.h
 *		Private to the scan: its state, shared by mcs_ots_scan.c (life, slots, the
 *		consumer's side), mcs_ots_chain.c (ranges and split points) and mcs_ots_get.c
 *		(single keys); and the parts of the metadata calls that the scan shares.
 */
#ifndef MCS_OTS_SCAN_H
#define MCS_OTS_SCAN_H

#include "mcs_ots.h"

/* ---- split points (mcs_ots_meta.c) ---- */

#define MCS_OTS_SPLIT_OPERATION "ComputeSplitPointsBySize"
#define MCS_OTS_SPLIT_ANSWER ((size_t) 16 << 20)
#define MCS_OTS_SPLIT_UNIT INT64_C(1048576)

extern mcw_status mcs_ots_ask_splits(mcs_ots_call *call, mcw_view table, int64_t split_size);
extern mcw_status mcs_ots_take_splits(mcs_ots_call *call, const mcw_ots_schema *schema, mcw_arena *arena,
									  mcw_ots_key **points, int *npoints, mcw_error *err);
/* Does this refusal mean that there are just no split points? */
extern bool mcs_ots_no_splits(const mcw_error *err);

/* ---- scan ---- */

typedef struct mcs_ots_slot mcs_ots_slot;

typedef struct mcs_ots_queue
{
	mcs_ots_slot *head;
	mcs_ots_slot *tail;
} mcs_ots_queue;

typedef enum mcs_ots_chain_state
{
	MCS_OTS_CHAIN_IDLE,			/* the next request may start */
	MCS_OTS_CHAIN_ASKING,
	MCS_OTS_CHAIN_HELD,			/* waits for the split points, which may cut it */
	MCS_OTS_CHAIN_DONE			/* nothing to ask; pages may be ready */
} mcs_ots_chain_state;

/* Answers of a group of keys of which some rows failed and are asked again */
typedef struct mcs_ots_patch
{
	int			failures;		/* in a row */
	int64_t		first_us;
	mcw_buf		kept;			/* rows that have come, in order of coming */
	bool		have[MCW_OTS_MAX_BATCH_GET];
	size_t		at[MCW_OTS_MAX_BATCH_GET];
	size_t		len[MCW_OTS_MAX_BATCH_GET];
} mcs_ots_patch;

/*
 * What is read by one request after the other: the rest [cursor, end) of a range, or
 * a group of keys (nkeys > 0), which is one page.
 */
typedef struct mcs_ots_chain
{
	struct mcs_ots_chain *prev;
	struct mcs_ots_chain *next;
	mcs_ots_chain_state state;
	int			number;			/* -1 for keys */
	bool		cut;			/* no split point lies within it */
	int32_t		limit;			/* of the next request, 0 = none */
	mcw_ots_key cursor;			/* its bytes are the caller's, a split point's or in 'bytes' */
	mcw_ots_key end;
	mcw_buf		bytes;
	mcs_ots_queue ready;		/* ordered scans */
	int			first_key;
	int			nkeys;
	mcs_ots_patch *patch;
} mcs_ots_chain;

typedef enum mcs_ots_slot_state
{
	MCS_OTS_SLOT_FREE,
	MCS_OTS_SLOT_ASKING,
	MCS_OTS_SLOT_READY,
	MCS_OTS_SLOT_HELD
} mcs_ots_slot_state;

/* A request and the page it becomes */
struct mcs_ots_slot
{
	mcs_ots_page page;			/* first member */
	mcs_ots_scan *scan;
	mcs_ots_chain *chain;		/* ASKING */
	mcs_ots_slot_state state;
	mcs_ots_call call;
	mcw_ots_range_result result;
	mcw_ots_key next_key;		/* if there is one; its bytes are the answer's */
	mcs_ots_slot *next_ready;
};

typedef enum mcs_ots_phase
{
	MCS_OTS_NEW,
	MCS_OTS_READING,
	MCS_OTS_FAILED
} mcs_ots_phase;

typedef enum mcs_ots_split_state
{
	MCS_OTS_SPLIT_NONE,			/* not asked */
	MCS_OTS_SPLIT_ASKED,
	MCS_OTS_SPLIT_KNOWN
} mcs_ots_split_state;

struct mcs_ots_scan
{
	mcs_ots    *ots;
	const mcw_alloc *alloc;
	mcs_ots_scan_spec spec;
	mcw_ots_read_options options;
	mcs_ots_scan_info info;
	mcs_ots_phase phase;

	mcs_ots_chain *first;		/* in the order of the scan; those done and drained are gone */
	mcs_ots_chain *last;
	int			live;			/* chains not DONE */
	int			next_number;

	mcs_ots_slot *slots;
	int			nslots;
	int			asking;			/* slots in each state */
	int			ready;
	int			target;			/* pages in flight or ready while the scan gains speed */
	bool		took;			/* the consumer has got a page since it last asked */
	size_t		ready_bytes;
	size_t		page_bytes;		/* largest page so far, at first a guess */
	mcs_ots_queue ready_pages;	/* scans without order */

	mcs_ots_split_state split;
	int64_t		split_size;		/* asked for */
	bool		asked_callers;	/* that of the spec */
	bool		asked_small;
	int			coarser;		/* times an answer was too large */
	mcs_ots_call split_call;
	mcw_arena	arena;			/* split points */
	mcw_ots_key *points;
	int			npoints;

	mcw_buf		keys[2];		/* scratch for serialized keys */

	mcw_error	error;			/* FAILED */
	char		failed_at[MCS_OTS_KEY_TEXT];
};

/* mcs_ots_scan.c */
extern void mcs_ots_fail(mcs_ots_scan *scan, const mcw_error *err, const mcw_ots_key *at);
extern void mcs_ots_pump(mcs_ots_scan *scan);
/* append, or insert behind 'after'; NULL after a failure */
extern mcs_ots_chain *mcs_ots_new_chain(mcs_ots_scan *scan, mcs_ots_chain *after);
extern void mcs_ots_chain_done(mcs_ots_scan *scan, mcs_ots_chain *chain);
/* the rows of an answer that has arrived; may be empty: then the slot becomes free */
extern void mcs_ots_deliver(mcs_ots_slot *slot, mcs_ots_chain *chain, mcw_view rows);

/* mcs_ots_chain.c */
extern bool mcs_ots_open_ranges(mcs_ots_scan *scan);
extern void mcs_ots_cut_range(mcs_ots_scan *scan, mcs_ots_chain *chain);
extern void mcs_ots_start_range(mcs_ots_slot *slot, mcs_ots_chain *chain);
extern void mcs_ots_range_arrived(mcs_ots_slot *slot, mcs_ots_chain *chain);

/* mcs_ots_get.c */
extern bool mcs_ots_open_keys(mcs_ots_scan *scan);
extern void mcs_ots_start_keys(mcs_ots_slot *slot, mcs_ots_chain *chain);
extern void mcs_ots_keys_arrived(mcs_ots_slot *slot, mcs_ots_chain *chain);
extern void mcs_ots_free_patch(mcs_ots_scan *scan, mcs_ots_chain *chain);

#endif							/* MCS_OTS_SCAN_H */
