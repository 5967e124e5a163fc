/*
 * mcs_ots_stream.h
 *		The change stream of a table: shards, iterators, records of a window of commit
 *		times (tablestore.md 5, guarantees.md 7.2).
 *
 * Parents are read before their children, so the records of one key come in order;
 * independent shards are read at the same time.
 */
#ifndef MCS_OTS_STREAM_H
#define MCS_OTS_STREAM_H

#include "mcs_ots.h"

#define MCS_OTS_STREAM_LAG 300	/* seconds; younger records may still be incomplete */
#define MCS_OTS_STREAM_MARGIN 600	/* seconds; what is about to expire counts as expired */

typedef struct mcs_ots_stream_spec
{
	mcw_view	table;
	bool		has_begin;		/* else from the oldest record */
	bool		has_end;		/* else to the newest complete instant */
	int64_t		begin_us;		/* Unix microseconds, inclusive */
	int64_t		end_us;			/* exclusive */
	bool		clamp_expired;	/* else a begin older than the retention is an error */
	bool		clamp_unsettled;	/* an end younger than the lag is cut to it and told in the info; else an error */
	int			concurrency;	/* shards read at the same time, one request in flight and one page ready for each */
	size_t		max_buffered;	/* bytes of pages in flight or ready; 0 = default */
} mcs_ots_stream_spec;

typedef struct mcs_ots_stream_page
{
	mcw_ots_record_page records;	/* the holder may write to the bytes */
	const char *shard;			/* id */
	const char *iterator;		/* it was read with */
} mcs_ots_stream_page;

typedef struct mcs_ots_stream_info
{
	bool		resolved;		/* the window below is final */
	int64_t		begin_us;
	int64_t		end_us;
	bool		has_begin;
	bool		begin_clamped;
	bool		end_clamped;
	int64_t		service_now_us;
	int			shards;			/* read */
	int			blocked;		/* not read: a parent reaches beyond the window's end */
	int64_t		pages;
	int64_t		records;		/* of the pages handed out */
	int64_t		bytes;
	int64_t		stalls;
} mcs_ots_stream_info;

typedef struct mcs_ots_stream_scan mcs_ots_stream_scan;

extern mcs_ots_stream_scan *mcs_ots_stream_create(mcs_ots *ots, const mcs_ots_stream_spec *spec, mcw_error *err);
extern void mcs_ots_stream_free(mcs_ots_stream_scan *scan);	/* safe in a memory-context callback */
/*
 * The next page that may hold records of the window: MCW_OK, MCW_END,
 * MCW_ERR_INTERRUPTED, or a failure (final).  Records outside the window are the
 * caller's to drop; it reports through mcs_ots_stream_passed that a record at or
 * behind the end was seen, which ends the shard for this window.
 */
extern mcw_status mcs_ots_stream_next(mcs_ots_stream_scan *scan, mcs_ots_stream_page **page, mcw_error *err);
extern void mcs_ots_stream_passed(mcs_ots_stream_scan *scan, mcs_ots_stream_page *page);
extern void mcs_ots_stream_release(mcs_ots_stream_scan *scan, mcs_ots_stream_page *page);
extern const mcs_ots_stream_info *mcs_ots_stream_get_info(const mcs_ots_stream_scan *scan);
extern void mcs_ots_stream_failed_at(const mcs_ots_stream_scan *scan, const char **shard, const char **iterator);

/*
 * The newest instant that is complete (service's clock less the lag), the retention
 * and the shards of a table's stream; MCW_ERR_SERVICE with code "StreamNotEnabled"
 * made by us if the table has none.
 */
typedef struct mcs_ots_stream_state
{
	mcw_ots_stream stream;		/* in the arena, all shards */
	int64_t		safe_until_us;
	int64_t		oldest_us;		/* what a window may begin with */
} mcs_ots_stream_state;

extern mcw_status mcs_ots_stream_get_state(mcs_ots *ots, mcw_view table, mcw_arena *arena,
										   mcs_ots_stream_state *state, mcw_error *err);

#endif							/* MCS_OTS_STREAM_H */
