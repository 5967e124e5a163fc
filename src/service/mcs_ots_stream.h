/*
 * mcs_ots_stream.h
 *		The change stream of a table: shards, iterators, records of a window of commit
 *		times (tablestore.md 5, guarantees.md 7.2).
 *
 * Parents are read before their children, so the records of one key come in order;
 * independent shards are read at the same time.
 *
 * A window [begin, end) of commit times is the records whose time is in it, each once.
 * Records of a shard are in the order (epoch, time, index), and nothing says that a
 * later epoch cannot begin with an earlier time.  So times are not taken for
 * positions: a shard is read from MCS_OTS_STREAM_SLACK before the begin until a record
 * that much behind the end, and the caller takes the records whose time is inside.
 * Windows tile as long as no shard's clock steps back by more than the slack; a step
 * that is larger shows in the newest time of a page's shard.
 *
 * A child is not read if a parent reached the end: whatever it holds was written
 * later than that.
 *
 * A chain is read by position instead: every shard goes on where the window before
 * ended, and ends in front of its first record that is not older than the end.  Then
 * windows tile whatever the clocks do; what is late comes in the next window.
 */
#ifndef MCS_OTS_STREAM_H
#define MCS_OTS_STREAM_H

#include "mcs_ots.h"

#define MCS_OTS_STREAM_LAG 300	/* seconds; younger records may still be incomplete */
#define MCS_OTS_STREAM_MARGIN 600	/* seconds; what is about to expire counts as expired */
#define MCS_OTS_STREAM_SLACK 60	/* seconds by which the commit times of a shard may step back */

typedef struct mcs_ots_sequence
{
	int32_t		epoch;
	int32_t		index;			/* of the records of one instant */
	int64_t		time_us;
} mcs_ots_sequence;

typedef enum mcs_ots_mark_kind
{
	MCS_OTS_MARK_OLDEST,		/* in front of the shard's oldest record */
	MCS_OTS_MARK_TIME,			/* in front of its first record that is not older than time_us */
	MCS_OTS_MARK_RECORD			/* 'skip' records behind 'iterator' */
} mcs_ots_mark_kind;

/* A position in a shard */
typedef struct mcs_ots_mark
{
	mcs_ots_mark_kind kind;
	int64_t		time_us;		/* TIME */
	int64_t		skip;			/* RECORD */
	mcw_view	iterator;		/* RECORD */
	bool		has_last;		/* RECORD: 'last' is the record in front of the position */
	mcs_ots_sequence last;
} mcs_ots_mark;

/* What a chain knows of a shard before it is read */
typedef struct mcs_ots_link
{
	mcw_view	id;
	bool		done;			/* an earlier window has read it to its end */
	mcs_ots_mark begin;
	bool		has_end;		/* the window was read before: it ends exactly there */
	bool		closed;			/* ... and the shard with it */
	mcs_ots_mark end;
} mcs_ots_link;

/*
 * Reading by position.  A shard that is in no link is begun at its oldest record, in a
 * first chain at the window's begin.  With ends only the shards of the links are read.
 */
typedef struct mcs_ots_chain
{
	bool		first;			/* no window was read before this one */
	bool		has_ends;		/* read again what was read before: every link has its end */
	mcw_view	stream_id;		/* that the positions are of; empty = not known yet */
	const mcs_ots_link *links;
	int			nlinks;
} mcs_ots_chain;

typedef struct mcs_ots_stream_spec
{
	mcw_view	table;
	bool		has_begin;		/* else from the oldest record */
	bool		has_end;		/* else to the newest complete instant */
	int64_t		begin_us;		/* Unix microseconds, inclusive */
	int64_t		end_us;			/* exclusive */
	bool		clamp_expired;	/* else a begin older than what the stream has is an error */
	bool		clamp_unsettled;	/* an end younger than the lag is cut to it and told in the info; else an error */
	const mcw_view *shards;		/* ids to read; NULL = all */
	int			nshards;
	const mcs_ots_chain *chain; /* NULL = by time; with it begin and end are given, never cut, and shards is NULL */
	int			concurrency;	/* shards read at the same time, one request in flight and one page ready for each */
	size_t		max_buffered;	/* bytes of pages in flight or ready; 0 = default */
} mcs_ots_stream_spec;

typedef struct mcs_ots_stream_page
{
	mcw_ots_record_page records;	/* the holder may write to the bytes */
	const char *shard;			/* id */
	const char *iterator;		/* it was read with */
	uint32_t	first;			/* of its records those from 'first' to in front of 'upto' are to be taken */
	uint32_t	upto;			/* UINT32_MAX = by time: the holder decides */
	int64_t    *newest_us;		/* newest commit time of the shard that the holders of its pages saw; INT64_MIN at first */
} mcs_ots_stream_page;

typedef struct mcs_ots_stream_info
{
	bool		resolved;		/* what follows is final, up to 'shards' */
	char		stream_id[128];	/* cut if longer */
	bool		has_begin;
	bool		has_end;		/* false only before it is resolved */
	int64_t		begin_us;
	int64_t		end_us;
	bool		begin_clamped;
	bool		end_clamped;
	int64_t		service_now_us;	/* whole seconds: what the service's Date says */
	int64_t		oldest_us;		/* what a window may begin with */
	int32_t		expiration;		/* hours */
	int64_t		creation_us;	/* the stream was enabled then; nothing older was recorded */
	int			shards;			/* read */
	int			shards_done;
	int			blocked;		/* not read: a parent reached the window's end */
	int64_t		pages;
	int64_t		empty_pages;
	int64_t		records;		/* of the pages */
	int64_t		bytes;
	int64_t		stalls;
} mcs_ots_stream_info;

typedef struct mcs_ots_stream_scan mcs_ots_stream_scan;

extern mcs_ots_stream_scan *mcs_ots_stream_create(mcs_ots *ots, const mcs_ots_stream_spec *spec, mcw_error *err);
extern void mcs_ots_stream_free(mcs_ots_stream_scan *scan);	/* safe in a memory-context callback */
/*
 * The next page that may hold records of the window: MCW_OK, MCW_END,
 * MCW_ERR_INTERRUPTED (call again or free), or a failure (final).  Records outside the
 * window are the caller's to drop.  One page at most may be held; release it first.
 *
 * Failures that are ours have the status MCW_ERR_RANGE and a code: "ExpiredWindow",
 * "UnsettledWindow", of chains also "StreamChanged" (another stream than the positions
 * are of) and "PositionLost" (the records are not those that were there); see mcs_ots_stream_get_state for "StreamNotEnabled".
 */
extern mcw_status mcs_ots_stream_next(mcs_ots_stream_scan *scan, mcs_ots_stream_page **page, mcw_error *err);
extern void mcs_ots_stream_release(mcs_ots_stream_scan *scan, mcs_ots_stream_page *page);
extern const mcs_ots_stream_info *mcs_ots_stream_get_info(const mcs_ots_stream_scan *scan);
/* the shard and the iterator of the request that failed; "" = none */
extern void mcs_ots_stream_failed_at(const mcs_ots_stream_scan *scan, const char **shard, const char **iterator);

/*
 * Where the shards of a chain were begun and ended, once mcs_ots_stream_next has
 * returned MCW_END.  Shards that were not read, or not again, are left out.
 */
typedef struct mcs_ots_shard_end
{
	const char *shard;
	mcs_ots_mark begin;
	mcs_ots_mark end;
	bool		closed;			/* nothing can come after it */
	int64_t		records;		/* taken */
	int64_t		late;			/* of them those older than the window */
} mcs_ots_shard_end;

extern int	mcs_ots_stream_nshards(const mcs_ots_stream_scan *scan);	/* for i */
extern bool mcs_ots_stream_shard_end(const mcs_ots_stream_scan *scan, int i, mcs_ots_shard_end *end);
extern const char *mcs_ots_stream_id(const mcs_ots_stream_scan *scan);
extern int	mcs_ots_sequence_cmp(const mcs_ots_sequence *a, const mcs_ots_sequence *b);

/*
 * The newest instant that is complete (service's clock less the lag), the retention
 * and the shards of a table's stream; MCW_ERR_SERVICE with code "StreamNotEnabled"
 * made by us if the table has none.  Waits; interrupted, it may be called again.
 */
typedef struct mcs_ots_stream_state
{
	mcw_ots_stream stream;		/* in the arena, all shards, each once */
	int64_t		service_now_us;	/* whole seconds */
	int64_t		safe_until_us;
	int64_t		oldest_us;		/* what a window may begin with */
} mcs_ots_stream_state;

extern mcw_status mcs_ots_stream_get_state(mcs_ots *ots, mcw_view table, mcw_arena *arena,
										   mcs_ots_stream_state *state, mcw_error *err);

#endif							/* MCS_OTS_STREAM_H */
