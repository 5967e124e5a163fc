/*
 * mcs_ots.h
 *		Tablestore: signed calls, table metadata, and a scan of key ranges.
 *
 * No PostgreSQL header and no Datum here; only net waits.  Reference: tablestore.md
 * sections 1, 2, 4.  Writing is in mcs_ots_write.h, change streams in
 * mcs_ots_stream.h.
 *
 * A page is the answer to one GetRange (or BatchGetRow); a split is a part of a
 * range that is read by one chain of GetRange.
 */
#ifndef MCS_OTS_H
#define MCS_OTS_H

#include "../net/mcn.h"
#include "../wire/mcw_http.h"
#include "../wire/mcw_ots_msg.h"

#define MCS_OTS_PAGE_MAX ((size_t) 64 << 20)	/* largest answer; the service stops a page at 4 MB of data */
#define MCS_OTS_REQUEST_MAX ((size_t) 8 << 20)	/* largest request; the service takes 5 MB */
#define MCS_OTS_BUFFERED_DEFAULT ((size_t) 32 << 20)	/* bytes of pages in flight or ready */

/* the retry table of Tablestore (4.7) for requests that may be repeated, for mcn_channel_create */
extern const mcn_retry_rule mcs_ots_retry_rules[];
/* the same for requests that may have an effect twice: only what was certainly refused */
extern const mcn_retry_rule mcs_ots_once_rules[];
/* May a row that failed with this code in a batch be sent again? (4.7: R) */
extern bool mcs_ots_row_retryable(mcw_view code, mcw_view message);

/*
 * Access to one instance.  The channel was opened on the instance's endpoint with
 * mcs_ots_retry_rules; it and the strings behind the views belong to the caller and
 * outlive this.
 */
typedef struct mcs_ots
{
	mcn_loop   *loop;
	mcn_channel *channel;
	const mcw_alloc *alloc;
	mcw_credentials cred;
	mcw_view	instance;
	mcw_view	region;			/* empty: signature V2, else V4 */
	bool		verify_content;	/* MD5 of all pages of a range; their cells have checksums of their own */
	int64_t		clock_offset;	/* seconds to add to our clock when signing */
	int64_t		clock_fixed;	/* how often an answer made us set it */
	int64_t		read_units;		/* capacity units consumed so far */
	int64_t		write_units;
	int64_t		service_us;		/* x-ots-date of the newest verified answer, Unix microseconds, 0 = none */
	int64_t		service_at_us;	/* mcn_now_us() when it came */
} mcs_ots;

extern void mcs_ots_init(mcs_ots *ots, mcn_loop *loop, mcn_channel *channel, const mcw_alloc *alloc,
						 const mcw_credentials *cred, mcw_view instance, mcw_view region);
/* The service's clock now, Unix microseconds; 0 before the first answer */
extern int64_t mcs_ots_service_now(const mcs_ots *ots);

/*
 * One request with the memory its parameters need.  Init, fill 'body' with the
 * message, mcn_request_start(&call->req) or mcs_ots_call_run; the answer's message
 * is mcw_buf_view(&call->req.response).  'user' and 'req.on_done' are the caller's.
 *
 * Before an answer counts as received its signature (1.5) and its MD5 are verified,
 * except for the MD5 of pages that have rows and a next key, unless verify_content:
 * such a page cannot lose a row without a checksum of a row or key being wrong.
 */
typedef struct mcs_ots_call
{
	mcn_request req;			/* first member; owner is the call */
	mcs_ots    *ots;
	void	   *user;
	const char *operation;		/* "GetRange" */
	bool		is_page;		/* 'check' sees to the MD5, if verify_content does not */
	/* May refuse an answer that was verified, as mcn_request.accept may; NULL allowed */
	mcw_status	(*check) (struct mcs_ots_call *call, mcw_error *err);
	mcw_buf		body;
	int			clock_errors;
	int			unsigned_answers;
	char		path[40];
	char		date[32];
	char		day[12];
	char		md5[28];
	mcw_buf		signature;
	mcw_buf		key;			/* V4 key text */
} mcs_ots_call;

/* 'operation' is a static string */
extern void mcs_ots_call_init(mcs_ots_call *call, mcs_ots *ots, const char *operation, size_t max_response);
extern void mcs_ots_call_free(mcs_ots_call *call);	/* cancels */
/* The call becomes one of another operation; before it is started */
extern void mcs_ots_call_operation(mcs_ots_call *call, const char *operation);
/* Is the answer the one that its header's MD5 was made of? */
extern mcw_status mcs_ots_call_verify(mcs_ots_call *call, mcw_error *err);
/* Empty 'body' and the answer, to use the call again */
extern void mcs_ots_call_reuse(mcs_ots_call *call);
/* Start the call and drive the loop until it is over; interrupted, it is cancelled */
extern mcw_status mcs_ots_call_run(mcs_ots_call *call, mcw_error *err);

/* ---- metadata; everything is copied into the arena; these wait ---- */

extern mcw_status mcs_ots_describe_table(mcs_ots *ots, mcw_view table, mcw_arena *arena, mcw_ots_table *result, mcw_error *err);
/* CreateTable; name, schema, options and stream of 'table' count.  Not repeated once it was sent. */
extern mcw_status mcs_ots_create_table(mcs_ots *ots, const mcw_ots_table *table, mcw_error *err);
extern mcw_status mcs_ots_list_tables(mcs_ots *ots, mcw_arena *arena, mcw_view **names, int *nnames, mcw_error *err);
/*
 * Cut points for parts of about split_size bytes; none if the service refuses the
 * size or the table is small.
 */
extern mcw_status mcs_ots_split_points(mcs_ots *ots, mcw_view table, const mcw_ots_schema *schema, int64_t split_size,
									   mcw_arena *arena, mcw_ots_key **points, int *npoints, mcw_error *err);

/* ---- scan ---- */

/*
 * Keys from 'begin' (inclusive) to 'end' (exclusive) in the direction of the scan:
 * backward, begin is the larger one.  All key columns are there, INF_MIN and INF_MAX
 * allowed.  A range that holds no key is skipped without a request.
 */
typedef struct mcs_ots_range
{
	mcw_ots_key begin;
	mcw_ots_key end;
} mcs_ots_range;

typedef struct mcs_ots_scan_spec
{
	mcw_view	table;
	const mcw_ots_schema *schema;	/* outlives the scan, as all views below */
	const mcw_view *columns;	/* to get; none = all.  Name a key column when rows without any of them count */
	int			ncolumns;
	mcw_view	filter;			/* serialized Filter, empty = none */
	int32_t		max_versions;	/* at least 1, or 0 with a time range */
	bool		has_time_range;
	int64_t		start_time;
	int64_t		end_time;
	/*
	 * What to read: disjoint ranges in the order of the scan, and single keys (read
	 * by BatchGetRow, a missing row gives none) after them.  Both may be empty.
	 */
	const mcs_ots_range *ranges;
	int			nranges;
	const mcw_ots_key *keys;
	int			nkeys;
	bool		backward;
	bool		ordered;		/* pages of ranges come in key order; else as they arrive */
	int64_t		split_size;		/* bytes; 0 = do not split ranges */
	int32_t		row_limit;		/* rows asked for in the first request of a split, doubled with each; 0 = full pages */
	int			concurrency;	/* requests in flight or pages ready */
	int			first_requests;	/* requests in flight before the first page is consumed, at most 'concurrency' */
	size_t		max_buffered;	/* bytes of pages in flight or ready; 0 = default */
} mcs_ots_scan_spec;

typedef struct mcs_ots_page
{
	mcw_view	rows;			/* PlainBuffer; the holder may write to it; may be empty */
	int			split;			/* number of the split, -1 = single keys */
} mcs_ots_page;

typedef struct mcs_ots_scan_info
{
	int			splits;			/* chains of GetRange */
	int			splits_done;
	bool		split_asked;	/* ComputeSplitPointsBySize was called */
	int64_t		pages;
	int64_t		empty_pages;	/* with a next key but without a row */
	int64_t		keys_asked;		/* by BatchGetRow */
	int64_t		bytes;
	int64_t		stalls;			/* times the consumer had to wait for a page */
} mcs_ots_scan_info;

typedef struct mcs_ots_scan mcs_ots_scan;

/* Starts nothing yet.  NULL with err filled. */
extern mcs_ots_scan *mcs_ots_scan_create(mcs_ots *ots, const mcs_ots_scan_spec *spec, mcw_error *err);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_ots_scan_free(mcs_ots_scan *scan);
/*
 * The next page: MCW_OK, MCW_END, MCW_ERR_INTERRUPTED (call again or free), or a
 * failure, which is final.  One page at most may be held; release it first.
 */
extern mcw_status mcs_ots_scan_next(mcs_ots_scan *scan, mcs_ots_page **page, mcw_error *err);
/* The same without waiting: MCW_OK with *page NULL = nothing is ready yet */
extern mcw_status mcs_ots_scan_try(mcs_ots_scan *scan, mcs_ots_page **page, mcw_error *err);
extern void mcs_ots_scan_release(mcs_ots_scan *scan, mcs_ots_page *page);
extern bool mcs_ots_scan_has_news(const mcs_ots_scan *scan);
extern const mcs_ots_scan_info *mcs_ots_scan_get_info(const mcs_ots_scan *scan);
/* the key at which the failed request began, as text for CONTEXT ("" = none) */
extern const char *mcs_ots_scan_failed_at(const mcs_ots_scan *scan);

#define MCS_OTS_KEY_TEXT 640	/* room for any key as text */

/* A key as text for messages: (1, 'abc', \x00ff, INF_MIN), long values cut.  NUL-terminated; returns buf */
extern char *mcs_ots_key_text(const mcw_ots_key *key, char *buf, size_t size);

#endif							/* MCS_OTS_H */
