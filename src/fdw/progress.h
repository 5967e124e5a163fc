/*
 * progress.h
 *		What the running statement has moved, for other sessions (view mc.progress) and,
 *		if mc_fdw.progress_interval is set, as NOTICEs for the user himself.
 */
#ifndef MC_PROGRESS_H
#define MC_PROGRESS_H

#include "mc_fdw.h"

/* What one scan or write has moved since it began, as far as it is known */
typedef struct McMoved
{
	int64		rows;
	int64		bytes;
	/* parts of the source (shards, slices, splits, partitions, objects); writes have none */
	int64		parts_done;
	int64		parts_total;
	int64		rows_expected;	/* 0 = nobody knows */
} McMoved;

/* A scan or write among those of the statement.  Zeroed memory that outlives its context is one not begun. */
typedef struct McProgress
{
	bool		begun;
	bool		write;
	McMoved		told;			/* is in the sums of the statement */
	int64		requests;
	int64		retries;
} McProgress;

/*
 * A scan or a write begins; it ends with the memory context 'cxt', 'progress' lives at
 * least as long.  The statement is shown under the relation of its first write, else of
 * its first scan.  net: what was sent on its channel so far, NULL = nothing.
 */
extern void mcProgressBegin(McProgress *progress, MemoryContext cxt, Oid relid, bool write, const mcn_stats *net);
/*
 * So much it has moved by now; call once a page or block, not once a row.  May raise (NOTICE).
 * Nothing happens before it has begun.
 */
extern void mcProgressMoved(McProgress *progress, const McMoved *now, const mcn_stats *net);
/* the window of the source and where it stands in it, by its own time: Unix microseconds, 0 = not known; shown with the next page */
extern void mcProgressWindow(int64 begin, int64 end);
extern void mcProgressPosition(int64 position);
/* a row was rejected; shown with the next page */
extern void mcProgressRejected(void);

/* GUC: ms between two NOTICEs, 0 = none */
extern int	mc_progress_interval;

#endif							/* MC_PROGRESS_H */
