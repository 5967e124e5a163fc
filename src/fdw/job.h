/*
 * job.h
 *		What the run of a job tells the scans and writes of its statement.
 *
 * sync makes a McJobRun before it executes a job's text and takes it away afterwards;
 * outside of jobs mcJob is NULL.  Scans whose window is exactly the run's chain their
 * positions through it (guarantees.md 7); writes take names, tokens and the timestamp
 * of the run from it, and are sealed into the outbox instead of being published at
 * commit (entry.h).
 */
#ifndef MC_JOB_H
#define MC_JOB_H

#include "mc_fdw.h"

#include "datatype/timestamp.h"
#include "utils/hsearch.h"

/* One shard of a chained source.  Strings live in the run's context. */
typedef struct McJobPosition
{
	char	   *shard;
	char	   *begin;			/* where this window begins: the recorded end of the last one; NULL = not seen before */
	char	   *end;			/* replay: where it must end; else set by the scan when the window is frozen */
	bool		was_finished;	/* read to its end by an earlier window: nothing to do */
	bool		finished;		/* set by the scan: nothing can come after 'end' */
	int64		late;			/* log groups or records older than the window, which came in it by position */
	int64		rows;
	int64		max_log_time;	/* LogHub: largest of the logs' own times, Unix seconds; 0 = no log */
} McJobPosition;

/* An object version that a run has taken; see McJobSource.objects */
typedef struct McJobObject
{
	char	   *key;
	char	   *etag;
	int64		size;
	TimestampTz last_modified;
} McJobObject;

typedef struct McJobSource
{
	McWrapper	wrapper;
	char	   *key;			/* service:host/project/logstore, see mcJobSource */
	char	   *generation;		/* id that must not change between windows (stream id); NULL = none recorded yet */
	bool		first;			/* no position is recorded at the begin of this window: it begins by time */
	bool		replay;			/* this window was sealed before: read exactly the recorded ends */
	bool		shared;			/* LogHub: what this window has claimed of shards that others read, too; a replay */
	bool		frozen;			/* the ends are fixed: further scans of this run read the same */
	List	   *positions;		/* McJobPosition * */
	void	   *fixed;			/* LogHub: what scans need besides, once the ends are fixed */

	/* object ledger (OSS) */
	List	   *known;			/* McJobObject *: taken by earlier windows, within the lookback */
	List	   *objects;		/* McJobObject *: taken by this one; replay: those it must read, and only those */
	struct McOssBooks *books;	/* the same in a form that oss_ledger.c looks up */
} McJobSource;

typedef struct McJobRun
{
	MemoryContext cxt;			/* of the transaction */
	int64		run_id;
	int64		job_id;
	char	   *name;
	bool		backfill;		/* its own sequence of windows; never moves positions of the job */
	int64		seq;
	int			attempt;
	Oid			owner;
	TimestampTz lo;				/* $1 */
	TimestampTz hi;				/* $2 */
	int64		write_ts;		/* Unix milliseconds: version of the cells a run writes */
	char	   *token;			/* uuid/incarnation/seq/attempt; each upload adds its ordinal and a nonce */
	char	   *token_seq;		/* uuid/incarnation/seq/: what tokens of all attempts of this window begin with */
	char	   *mark;			/* uuid/incarnation/family.seq/attempt/ of fixed width, for columns that name the run */
	int			nmarks;			/* given so far */
	char	   *stem;			/* "<job>.<window start, UTC>.": object names of the window begin so */
	char	   *overwrite_scope;	/* "window" or "snapshot" */
	char	   *on_object_change;	/* "error", "reread" or "ignore" */
	TimestampTz start;			/* of the job: older objects are not its own */
	int64		lookback_us;	/* of the object ledger */
	int64		prepare_margin_us;	/* how long what is sealed must live at least */
	bool		executing;		/* the job's text is running */
	bool		sealed;
	bool		at_least_once;	/* the owner accepts repetitions where the target cannot avoid them */
	bool		ordered;		/* the target is keyed: rows of a shard must come in order, parents before children */
	bool		direct_effects; /* something was written that is visible without being published */
	List	   *sources;		/* McJobSource * used so far */

	/* what the executor has counted, less what subtransactions took back (sync/written.c) */
	int64		rows_out;
	List	   *levels;

	/* counters of all scans (in) and writes (out) of the run, for mc.run; each adds its own when it ends */
	int64		rows_in;
	int64		bytes_in;
	int64		bytes_out;
	int64		requests;
	int64		retries;
	int64		rejected;
	int64		read_cu;
	int64		write_cu;
	int64		wait_source_us;
	int64		wait_target_us;
	int64		throttled_us;

	/* made by sync: reads recorded positions, or the ledger, of a source */
	void		(*load) (struct McJobRun *run, McJobSource *source);
	/* ... ETag of the newest version of an object that any window has taken, NULL = none */
	char	   *(*object_etag) (struct McJobRun *run, McJobSource *source, const char *key);
} McJobRun;

/* NULL unless the text of a job is being executed in this backend */
extern PGDLLIMPORT McJobRun *mcJob;

/* Is that run's memory still there?  For endings of statements, where mcJob may be NULL already. */
extern bool mcJobAlive(const McJobRun *run);
/*
 * Must this scan of the run give its rows in the order of their keys, shard by shard and
 * parents before children?  Only where a later row replaces an earlier one does it matter:
 * true unless the statement is an INSERT, without ON CONFLICT and triggers on rows, into
 * MaxCompute, OSS or local tables.  Sets run->ordered, too.
 */
struct ForeignScanState;
extern bool mcJobOrdered(struct ForeignScanState *node);

/* Is [lo, hi) the window of the run?  False outside of a run. */
extern bool mcJobWindow(TimestampTz lo, TimestampTz hi);
/*
 * The source of the run with this key, loaded at first use, shared by all scans.  The
 * key is made of the wrapper and the parts: service:host/part/part, host and parts
 * in lower case where the service has no case.
 */
extern McJobSource *mcJobSource(McWrapper wrapper, const char *key);
/* Position of a shard; NULL = the shard is not recorded */
extern McJobPosition *mcJobPosition(McJobSource *source, const char *shard);
/* A shard that was not seen before */
extern McJobPosition *mcJobAddPosition(McJobSource *source, const char *shard);
/* copies into the run's memory */
extern char *mcJobCopy(const char *text);
/* take part in a run's end: resets mcJob in every ending of the transaction */
extern void mcJobBegin(McJobRun *run);
extern void mcJobEnd(void);
/*
 * Requests, bytes and waits of a channel since 'before' (NULL = since it was opened), as
 * those of a scan, or of a write; nothing outside of a run.  Bytes are those of bodies
 * as they were received or sent.
 */
extern void mcJobCount(const mcn_stats *now, const mcn_stats *before, bool write);
/* the same for endings in which mcJob may be NULL already; the run is alive */
extern void mcJobCountFor(McJobRun *run, const mcn_stats *now, const mcn_stats *before, bool write);
/* endpoint without scheme and path, in lower case, for keys of sources and targets */
extern char *mcEndpointHost(const char *endpoint);

#endif							/* MC_JOB_H */
