/*
 * mcs_loghub.h
 *		Log Service as a source: signed control calls, and a scan of a receive-time
 *		window over all shards of a logstore.
 *
 * No PostgreSQL header and no Datum here; only net waits.  Reference: the protocol
 * page loghub.md (sections 1 to 6) and guarantees.md 7.1.
 *
 * Vocabulary is the service's: logstore, shard, cursor, log group.  A page is the
 * answer to one PullLogs; a slice is a range of cursors of one shard that is read
 * by one chain of PullLogs.
 */
#ifndef MCS_LOGHUB_H
#define MCS_LOGHUB_H

#include "../net/mcn.h"
#include "../wire/mcw_compress.h"
#include "../wire/mcw_http.h"

#define MCS_CURSOR_MAX 127			/* longest cursor accepted; the service's have 28 */
#define MCS_PULL_MAX_GROUPS 1000	/* limit of the service for 'count' */
#define MCS_PAGE_MAX ((size_t) 64 << 20)	/* largest page, uncompressed */
#define MCS_BUFFERED_DEFAULT ((size_t) 32 << 20)	/* raw bytes of pages in flight or ready */
#define MCS_SETTLE_SECONDS 60		/* a second younger than this may still grow */
#define MCS_TTL_FOREVER 3650		/* days; the service's word for "keep for ever" */
#define MCS_EXPIRY_MARGIN 600		/* seconds; what is about to expire counts as expired */

/* the retry table of Log Service (loghub.md 3.15, 6), for mcn_channel_create */
extern const mcn_retry_rule mcs_loghub_retry_rules[];

typedef struct mcs_cursor
{
	uint8_t		len;			/* 0 = none */
	char		data[MCS_CURSOR_MAX + 1];	/* NUL-terminated */
} mcs_cursor;

static inline mcw_view
mcs_cursor_view(const mcs_cursor *cursor)
{
	mcw_view	v = {cursor->data, cursor->len};

	return v;
}

static inline bool
mcs_cursor_eq(const mcs_cursor *a, const mcs_cursor *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Take a cursor of the service: printable, not empty, not too long; MCW_ERR_PROTOCOL */
extern mcw_status mcs_cursor_set(mcs_cursor *cursor, mcw_view v, mcw_error *err);
/* The integer inside (loghub.md 5.2); false if it is not of that form */
extern bool mcs_cursor_int(const mcs_cursor *cursor, uint64_t *value);
/* The reverse */
extern void mcs_cursor_from_int(mcs_cursor *cursor, uint64_t value);

/*
 * Access to one project.  The channel was opened with the project as virtual host
 * and mcs_loghub_retry_rules; it and the strings behind the views belong to the
 * caller and outlive this.
 */
typedef struct mcs_loghub
{
	mcn_loop   *loop;
	mcn_channel *channel;
	const mcw_alloc *alloc;
	mcw_credentials cred;
	mcw_view	region;			/* empty: signature V1, else V4 */
	int64_t		clock_offset;	/* seconds to add to our clock when signing */
	int64_t		clock_fixed;	/* how often RequestTimeExpired made us set it */
} mcs_loghub;

extern void mcs_loghub_init(mcs_loghub *client, mcn_loop *loop, mcn_channel *channel,
							const mcw_alloc *alloc, const mcw_credentials *cred, mcw_view region);

/*
 * One request with the memory its parameters need.  Init, one of the _get
 * functions, mcn_request_start(&call->req), and when it is done the matching
 * _parse function.  'req.owner' is the call; 'user' and 'req.on_done' are the
 * caller's.
 */
typedef struct mcs_call
{
	mcn_request req;			/* first member */
	mcs_loghub *client;
	void	   *user;
	int			clock_errors;	/* answers that said our clock is wrong; the second is final */
	mcw_error	clock_error;
	char		path[256];
	char		date[32];
	char		number[24];
	char		from[24];
	mcs_cursor	cursor;
	mcs_cursor	end;
	char		digest[65];		/* of the body: MD5 for V1, SHA-256 for V4; "" = no body */
	mcw_buf		authorization;
} mcs_call;

extern void mcs_call_init(mcs_call *call, mcs_loghub *client, size_t max_response);
extern void mcs_call_free(mcs_call *call);	/* cancels */
/* A GET of the logstore's path + suffix, for the builders of requests */
extern mcw_status mcs_call_path(mcs_call *call, mcw_view logstore, const char *suffix, mcw_error *err);
/* What is sent: stays with the caller, unchanged, until the request is over */
extern mcw_status mcs_call_body(mcs_call *call, mcw_view body, mcw_error *err);

extern mcw_status mcs_get_logstore(mcs_call *call, mcw_view logstore, mcw_error *err);
extern mcw_status mcs_parse_logstore(mcs_call *call, int64_t *ttl_days, mcw_error *err);

extern mcw_status mcs_list_shards(mcs_call *call, mcw_view logstore, mcw_error *err);

typedef struct mcs_shard_info
{
	int			id;
	bool		readonly;
	int64_t		create_time;
	char		begin[33];		/* first hash key, 32 lower-case digits */
	char		end[33];		/* the one behind the last */
} mcs_shard_info;

/* The array comes from the client's allocator (mcs_free_shards) */
extern mcw_status mcs_parse_shards(mcs_call *call, mcs_shard_info **shards, int *nshards, mcw_error *err);
extern void mcs_free_shards(mcs_loghub *client, mcs_shard_info *shards, int nshards);

/* 'from' is "begin", "end" or Unix seconds in decimal */
extern mcw_status mcs_get_cursor(mcs_call *call, mcw_view logstore, int shard, const char *from, mcw_error *err);
extern mcw_status mcs_parse_cursor(mcs_call *call, mcs_cursor *cursor, mcw_error *err);

extern mcw_status mcs_get_cursor_time(mcs_call *call, mcw_view logstore, int shard,
									  const mcs_cursor *cursor, mcw_error *err);
extern mcw_status mcs_parse_cursor_time(mcs_call *call, int64_t *seconds, mcw_error *err);

/* 'end' may be empty; query empty = all; codec LZ4_BLOCK, ZSTD or NONE */
extern mcw_status mcs_pull_logs(mcs_call *call, mcw_view logstore, int shard, const mcs_cursor *cursor,
								const mcs_cursor *end, int count, mcw_codec codec, mcw_view query,
								mcw_error *err);

typedef struct mcs_pull_result
{
	mcs_cursor	next;
	uint32_t	groups;
	int64_t		cursor_time;	/* receive time of the data, Unix seconds; 0 = not told */
	uint64_t	last_cursor;	/* integer of the last group; 0 = not told */
} mcs_pull_result;

/*
 * Check an answer to PullLogs and append the uncompressed LogGroupList to 'raw':
 * the announced size and number of groups must be there (MCW_ERR_CHECKSUM).  May
 * be called from the accept callback.
 */
extern mcw_status mcs_parse_pull(mcs_call *call, mcw_buf *raw, mcs_pull_result *result, mcw_error *err);

/* CreateLogstore; 'body' is the JSON document and stays until the call is over.  Not repeated once it was sent. */
extern mcw_status mcs_create_logstore(mcs_call *call, mcw_view body, mcw_error *err);

/* Names of logstores, sorted by the service, 'size' at most from 'offset' */
extern mcw_status mcs_list_logstores(mcs_call *call, int offset, int size, mcw_error *err);

typedef struct mcs_index_field
{
	mcw_view	name;
	mcw_view	type;			/* text, long, double, json */
} mcs_index_field;

extern mcw_status mcs_get_index(mcs_call *call, mcw_view logstore, mcw_error *err);

/* Arrays and texts are in the arena, which the caller has initialised and resets */
extern mcw_status mcs_parse_logstores(mcs_call *call, mcw_arena *arena, mcw_view **names, int *nnames,
									  int64_t *total, mcw_error *err);
extern mcw_status mcs_parse_index(mcs_call *call, mcw_arena *arena, mcs_index_field **fields, int *nfields,
								  mcw_error *err);

/* Start the call and drive the loop until it is over */
extern mcw_status mcs_call_run(mcs_call *call, mcw_error *err);

/* ---- scan ---- */

/* Cursors [begin, end) of a shard, for a scan that is told what to read */
typedef struct mcs_range
{
	int			shard;
	mcs_cursor	begin;
	mcs_cursor	end;
	char		first_key[33];	/* hash keys of the shard as in mcs_shard_info: tell parents from others */
	char		last_key[33];
} mcs_range;

/* Do the shards share hash keys?  Then the one with the greater id descends from the other. */
extern bool mcs_ranges_overlap(const mcs_range *a, const mcs_range *b);

typedef struct mcs_scan_spec
{
	mcw_view	logstore;
	bool		has_begin;		/* else from the oldest retained group */
	bool		has_end;		/* else to what is there when the scan begins */
	int64_t		begin;			/* Unix seconds, inclusive */
	int64_t		end;			/* Unix seconds, exclusive */
	const int  *shards;			/* only these, if not NULL; copied */
	int			nshards;
	int			concurrency;	/* pages in flight or ready, and control calls in flight */
	int			first_pulls;	/* pages in flight before the first is consumed, at most 'concurrency' */
	int			count;			/* groups per PullLogs, 1 .. 1000 */
	mcw_codec	codec;
	mcw_view	query;			/* server-side filter, empty = none */
	bool		clamp_expired;	/* else a begin older than the retention is an error */
	bool		need_cursor_time;	/* each page must know its receive time */
	size_t		max_buffered;	/* raw bytes of pages in flight or ready; 0 = 32 MB */

	/*
	 * Read exactly these, if not NULL: nothing is listed or asked by time, and begin and end
	 * above are only told.  By shard id, copied.
	 */
	const mcs_range *ranges;
	int			nranges;
	int64_t		service_now;	/* when the ranges were fixed */
	int64_t		ttl_days;
	bool		ordered;		/* pages of a shard in their order, and those of its parents before */
} mcs_scan_spec;

typedef struct mcs_page
{
	mcw_view	data;			/* an uncompressed LogGroupList; the holder may write to it */
	int			shard;
	mcs_cursor	cursor;			/* where it was read */
	uint32_t	groups;
	int64_t		cursor_time;	/* 0 = not known */
	uint64_t	first_cursor;	/* integer of the first group's own cursor; 0 = not known */
} mcs_page;

typedef struct mcs_scan_info
{
	bool		resolved;		/* the window below is final */
	bool		has_begin;
	bool		has_end;
	int64_t		begin;
	int64_t		end;
	bool		begin_clamped;	/* the retention cut it */
	bool		end_clamped;	/* the service's clock cut it */
	int64_t		service_now;	/* Unix seconds, when the scan began */
	int64_t		ttl_days;		/* 0 = not asked */
	int			shards;			/* read */
	int			late_shards;	/* of these found when the list was read again */
	int			slices;
	int			slices_done;
	int64_t		pages;
	int64_t		groups;
	int64_t		bytes_compressed;
	int64_t		bytes_raw;
	int64_t		stalls;			/* times the consumer had to wait for a page */
} mcs_scan_info;

typedef struct mcs_scan mcs_scan;

/* Starts nothing yet.  NULL with err filled. */
extern mcs_scan *mcs_scan_create(mcs_loghub *client, const mcs_scan_spec *spec, mcw_error *err);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_scan_free(mcs_scan *scan);

/*
 * The next page: MCW_OK, MCW_END, MCW_ERR_INTERRUPTED (call again or free), or a
 * failure, which is final.  Releases nothing: one page at most may be held.
 */
extern mcw_status mcs_scan_next(mcs_scan *scan, mcs_page **page, mcw_error *err);
/* The same without waiting: MCW_OK with *page NULL = nothing is ready yet */
extern mcw_status mcs_scan_try(mcs_scan *scan, mcs_page **page, mcw_error *err);
extern void mcs_scan_release(mcs_scan *scan, mcs_page *page);
/* would mcs_scan_try return a page, the end or a failure? */
extern bool mcs_scan_has_news(const mcs_scan *scan);

extern const mcs_scan_info *mcs_scan_get_info(const mcs_scan *scan);
/* where the failure happened: shard (-1 = none) and cursor ("" = none) */
extern void mcs_scan_failed_at(const mcs_scan *scan, int *shard, const char **cursor);

#endif							/* MCS_LOGHUB_H */
