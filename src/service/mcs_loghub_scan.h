/*
 * mcs_loghub_scan.h
 *		Private to the scan: its state, shared by mcs_loghub_scan.c (life, window,
 *		shards), mcs_loghub_slice.c (dividing shards) and mcs_loghub_ring.c (pages).
 */
#ifndef MCS_LOGHUB_SCAN_H
#define MCS_LOGHUB_SCAN_H

#include "mcs_loghub.h"

#define MCS_MAX_CUTS 63

typedef enum mcs_step
{
	MCS_NEED = 0,
	MCS_ASKED,
	MCS_HAVE
} mcs_step;

typedef struct mcs_shard
{
	int			id;
	bool		readonly;
	bool		sliced;			/* its slices exist */
	bool		extend;			/* only the end is asked again: read on from 'end_before' */
	mcs_step	begin_step;
	mcs_step	end_step;
	mcs_cursor	begin;
	mcs_cursor	end;
	mcs_cursor	end_before;
} mcs_shard;

typedef enum mcs_slice_state
{
	MCS_SLICE_IDLE,				/* the next pull may start */
	MCS_SLICE_PULLING,
	MCS_SLICE_SPLITTING,		/* waits for the cursors of its cuts */
	MCS_SLICE_DONE
} mcs_slice_state;

typedef struct mcs_cut
{
	int64_t		time;
	mcs_step	step;
	mcs_cursor	cursor;
} mcs_cut;

typedef struct mcs_slice
{
	int			shard;
	int			range;			/* index of spec.ranges */
	mcs_slice_state state;
	mcs_cursor	cursor;			/* the next pull begins here */
	mcs_cursor	end;			/* exclusive */
	int64_t		time;			/* receive time near 'cursor', 0 = not known */
	int64_t		end_time;		/* receive time at 'end' */
	bool		no_split;		/* tried in vain */
	mcs_step	time_step;		/* GetCursorTime before a split */
	int			ncuts;
	mcs_cut    *cuts;			/* MCS_MAX_CUTS of them once allocated */
} mcs_slice;

typedef enum mcs_slot_state
{
	MCS_SLOT_FREE,
	MCS_SLOT_PULLING,
	MCS_SLOT_TIMING,			/* page is there, its cursor time is being asked */
	MCS_SLOT_READY,
	MCS_SLOT_HELD,
	MCS_SLOT_SPENT				/* free at the next call from outside the loop */
} mcs_slot_state;

/* One place of the ring: a request and the page it becomes. */
typedef struct mcs_slot
{
	mcs_page	page;			/* first member */
	mcs_scan   *scan;
	mcs_slice  *slice;
	mcs_slot_state state;
	mcs_call	call;
	mcw_buf		raw;
	mcs_pull_result result;
	struct mcs_slot *next_ready;
} mcs_slot;

typedef enum mcs_job
{
	MCS_JOB_LOGSTORE,
	MCS_JOB_SHARDS,
	MCS_JOB_BEGIN,
	MCS_JOB_END,
	MCS_JOB_CUT,
	MCS_JOB_SLICE_TIME,
	MCS_JOB_PAGE_TIME
} mcs_job;

typedef struct mcs_control
{
	mcs_call	call;			/* first member */
	mcs_scan   *scan;
	mcs_job		job;
	mcs_shard  *shard;
	mcs_slice  *slice;
	mcs_cut    *cut;
	mcs_slot   *slot;
	bool		busy;
	bool		spent;			/* done, may be reused from outside the loop */
	struct mcs_control *next;
} mcs_control;

typedef enum mcs_phase
{
	MCS_PHASE_NEW,
	MCS_PHASE_OPENING,			/* logstore and list of shards are asked */
	MCS_PHASE_READING,
	MCS_PHASE_LISTING,			/* list of shards asked again */
	MCS_PHASE_DONE,
	MCS_PHASE_FAILED
} mcs_phase;

struct mcs_scan
{
	mcs_loghub *client;
	const mcw_alloc *alloc;
	mcs_scan_spec spec;
	char		logstore[136];
	char	   *query;
	int		   *only;			/* selected shards */
	mcs_range  *ranges;			/* what to read, NULL = to be found */
	int		   *waits_for;		/* ordered: ranges of ancestors that are not read yet, of each range */
	mcs_scan_info info;
	mcs_phase	phase;
	int			opening;		/* answers still missing in OPENING */
	mcs_shard_info *listed;		/* newest list */
	int			nlisted;
	int64_t		listed_at;		/* service's clock, Unix seconds */

	mcs_shard **shards;
	int			nshards;
	int			capshards;
	mcs_slice **slices;
	int			nslices;
	int			capslices;
	int			active;			/* slices not done */
	int			turn;			/* round robin over slices */

	mcs_slot   *slots;			/* concurrency + 1 */
	int			nslots;
	int			pulling;		/* slots PULLING or TIMING */
	int			ready;
	int			target;			/* pages in flight or ready now allowed */
	size_t		ready_bytes;
	size_t		page_bytes;		/* size of a recent page */
	mcs_slot   *ready_head;
	mcs_slot   *ready_tail;

	mcs_control *controls;
	int			asking;			/* control calls in flight */

	mcw_error	error;			/* FAILED */
	int			error_shard;
	mcs_cursor	error_cursor;
};

/* mcs_loghub_scan.c */
extern void mcs_scan_fail(mcs_scan *scan, const mcw_error *err, int shard, const mcs_cursor *cursor);
extern void mcs_scan_pump(mcs_scan *scan);
extern mcs_control *mcs_scan_control(mcs_scan *scan, mcs_job job);
extern void mcs_scan_start(mcs_scan *scan, mcs_control *control, mcw_status status, const mcw_error *err);
extern mcw_status mcs_scan_array(mcs_scan *scan, void ***array, int n, int *cap);

/* mcs_loghub_slice.c */
extern bool mcs_slice_add(mcs_scan *scan, int shard, const mcs_cursor *begin, const mcs_cursor *end,
						  int64_t time, int64_t end_time);
extern void mcs_slice_finish(mcs_scan *scan, mcs_slice *slice);
/* a page of the slice has arrived and there is more: divide the rest if that pays */
extern void mcs_slice_consider(mcs_scan *scan, mcs_slice *slice, const mcs_slot *slot);
extern void mcs_slice_ask(mcs_scan *scan);	/* start control calls of splits */
extern void mcs_slice_answer(mcs_scan *scan, mcs_control *control);

/* mcs_loghub_range.c: a scan that was told its ranges */
extern mcw_status mcs_range_copy(mcs_scan *scan, const mcs_scan_spec *spec, mcw_error *err);
extern void mcs_range_open(mcs_scan *scan);
extern void mcs_range_finished(mcs_scan *scan, const mcs_slice *slice);
extern void mcs_range_free(mcs_scan *scan);

/* mcs_loghub_ring.c */
extern void mcs_ring_pull(mcs_scan *scan);	/* start as many pulls as allowed */
extern void mcs_ring_timed(mcs_scan *scan, mcs_slot *slot, int64_t time);

#endif							/* MCS_LOGHUB_SCAN_H */
