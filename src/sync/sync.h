/*
 * sync.h
 *		Private to the sync layer: runs of jobs, their positions, the outbox.
 */
#ifndef MC_SYNC_H
#define MC_SYNC_H

#include "../fdw/entry.h"

#include "executor/spi.h"
#include "tcop/cmdtag.h"
#include "utils/rel.h"

/* ---- spi.c: bookkeeping statements ---- */

/*
 * Execute with arguments ('types' of Oid, nulls where the Datum is 0 and 'nulls' says 'n');
 * raises unless the result is 'expected' (SPI_OK_...).  SPI is connected by the caller.
 */
extern uint64 mcSpi(const char *sql, int expected, int nargs, const Oid *types, const Datum *values, const char *nulls);
/* columns of a row of SPI_tuptable; NULL = SQL NULL; copied into CurrentMemoryContext of SPI */
extern char *mcSpiText(uint64 row, int column);
extern int64 mcSpiInt(uint64 row, int column, int64 if_null);
extern Datum mcSpiDatum(uint64 row, int column, bool *isnull);

/*
 * Until mcBooksEnd() statements are the bootstrap superuser's: for what roles may not write
 * themselves, and for questions about the rows of all roles.  They must run no code of
 * users.  An error ends it, too.
 */
typedef struct McBooks
{
	Oid			user;
	int			context;
	int			nest;
} McBooks;

extern void mcBooksBegin(McBooks *books);
extern void mcBooksEnd(const McBooks *books);

/* ---- run.c ---- */

/* The run that was executed last in this transaction; NULL = none */
extern McJobRun *mcLastRun(void);

/* ---- written.c: rows that the text of a job writes, in run->rows_out ---- */

/* from now on in this session */
extern void mcWrittenCount(void);
/* after a utility statement; does nothing unless the text of a job executes it */
extern void mcWrittenByUtility(const PlannedStmt *pstmt, const QueryCompletion *completion);

/* ---- position.c: recorded positions of sources ---- */
extern void mcLoadSource(McJobRun *run, McJobSource *source);
extern char *mcLoadObjectEtag(McJobRun *run, McJobSource *source, const char *key);
/* mc.run_shard, mc.checkpoint, mc.source_object of everything the run has read.  SPI is connected. */
extern void mcSavePositions(const McJobRun *run);

/* ---- lock.c ---- */

/* raises if the lock of this session's job is gone: its text may have released it */
extern void mcCheckJobLock(void);

/* by the hash of its key, until the end of the transaction; waits */
extern void mcLockTarget(uint32 hash, bool shared);

/* ---- open_targets.c ---- */

/*
 * Locks the targets (McTargetKey *) until the end of the transaction; raises if the outbox
 * has entries for one that are not settled.  A job's own do not count, nor do appends where
 * it appends; job_id 0 = an ad hoc transaction, for which all count.
 */
extern void mcCheckTargets(const List *targets, int64 job_id);

/*
 * Raises if a job of a role whose privileges 'owner' lacks has overwritten one of these
 * targets (McTargetKey *), which are locked.  SPI is connected.
 */
extern void mcCheckOwners(const List *targets, int64 job_id, Oid owner);

/* ---- other_writes.c ---- */

/* From now on this session notes what statements of jobs write by other foreign-data wrappers */
extern void mcWatchOtherWrites(void);

/* ---- fence.c ---- */

/* raises unless the foreign table can hold fences of jobs; sends nothing */
extern void mcFenceCheck(Relation rel);

/* ---- step.c ---- */

/* A point of the protocol that has a name: does nothing unless mc_fdw.fail_at asks for it */
extern void mcStep(const char *label);

#endif							/* MC_SYNC_H */
