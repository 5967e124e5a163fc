/*
 * mcs_loghub_chain.h
 *		Where a window of a job begins and ends in each shard of a logstore: positions are
 *		chained from window to window, time only chooses where to cut (guarantees.md 7.1).
 *
 * Add what earlier windows have recorded, run, and take the shards.  The ends are asked
 * for once; a scan reads them as ranges (mcs_scan_spec.ranges).
 */
#ifndef MCS_LOGHUB_CHAIN_H
#define MCS_LOGHUB_CHAIN_H

#include "mcs_loghub.h"

typedef struct mcs_chain_spec
{
	mcw_view	logstore;
	int64_t		begin;			/* of the window, Unix seconds */
	int64_t		end;
	bool		by_time;		/* nothing is recorded at the window's begin: shards older than it begin at its time */
	bool		replay;			/* every range is recorded, none is looked for */
	bool		ordered;		/* a shard is not begun while data of its parents is left for a later window */
	bool		shared;			/* begins are another's ends, which may be behind the window's end: then nothing is to be read */
	int			concurrency;	/* requests in flight */
} mcs_chain_spec;

typedef struct mcs_chain_shard
{
	int			id;
	bool		recorded;		/* given by mcs_chain_add */
	bool		was_finished;	/* read to its end by an earlier window: has no range */
	bool		listed;
	bool		readonly;
	bool		finished;		/* nothing can come after 'range.end' */
	int64_t		create_time;
	mcs_range	range;
	mcs_cursor	tail;			/* cursor "end" of a read-only shard */
	uint8_t		asked;			/* cursors that were asked for */
	bool		lasting;		/* its end was recorded: keep it */
} mcs_chain_shard;

typedef struct mcs_chain mcs_chain;

/* Starts nothing.  NULL = out of memory */
extern mcs_chain *mcs_chain_create(mcs_loghub *client, const mcs_chain_spec *spec);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_chain_free(mcs_chain *chain);
/*
 * A shard that earlier windows have recorded.  'begin' is empty if it is recorded, but not at
 * the begin of this window; 'end' is empty if it must be found.  Cursors are checked.
 */
extern mcw_status mcs_chain_add(mcs_chain *chain, int id, mcw_view begin, mcw_view end, bool was_finished, mcw_error *err);
/*
 * Asks and waits.  MCW_ERR_INTERRUPTED: call again or free; any other failure is final.
 * Codes of its own: WindowNotDue (the end is not MCS_SETTLE_SECONDS old by the service's
 * clock), ExpiredWindow, ShardGone (deleted or expired with data that was not read).
 */
extern mcw_status mcs_chain_run(mcs_chain *chain, mcw_error *err);

/* After mcs_chain_run; by id.  What is recorded, not listed and empty is among them. */
extern int	mcs_chain_count(const mcs_chain *chain);
extern const mcs_chain_shard *mcs_chain_get(const mcs_chain *chain, int i);
extern int64_t mcs_chain_service_now(const mcs_chain *chain);
extern int64_t mcs_chain_ttl_days(const mcs_chain *chain);
/* the shard of a failure, -1 = none */
extern int	mcs_chain_failed_shard(const mcs_chain *chain);

#endif							/* MCS_LOGHUB_CHAIN_H */
