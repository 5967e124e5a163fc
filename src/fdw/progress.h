/*
 * progress.h
 *		What the running statement has moved, for other sessions (view mc.progress) and,
 *		if mc_fdw.progress_interval is set, as NOTICEs for the user himself.
 */
#ifndef MC_PROGRESS_H
#define MC_PROGRESS_H

#include "mc_fdw.h"

#include "datatype/timestamp.h"

/*
 * A scan (target false) or a write begins; it ends with the memory context 'cxt'.  The statement
 * is shown under the relation of its first write, else of its first scan.
 */
extern void mcProgressBegin(MemoryContext cxt, Oid relid, bool target);
/* Add to what was moved; call once a page, not once a row.  May raise (NOTICE, interrupt). */
extern void mcProgressIn(int64 rows, int64 bytes);
extern void mcProgressOut(int64 rows, int64 bytes);
/* parts of the source (shards, splits, ranges, objects) that are done, and that are known */
extern void mcProgressParts(int64 done, int64 total);
/* where the source stands in its window, by its own time; 0 = unchanged */
extern void mcProgressWindow(TimestampTz begin, TimestampTz end);
extern void mcProgressPosition(TimestampTz position);
extern void mcProgressRequests(int64 requests, int64 retries);

/* GUC: ms between two NOTICEs, 0 = none */
extern int	mc_progress_interval;

#endif							/* MC_PROGRESS_H */
