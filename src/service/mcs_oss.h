/*
 * mcs_oss.h
 *		Object Storage Service: calls, lists, reading objects in ranges (oss.md 1 to 3).
 *		Writing is declared in mcs_oss_write.h.
 *
 * No PostgreSQL header and no Datum.  Functions that take a call and return at once
 * only prepare it; the others drive the loop until their answer is there and return
 * MCW_ERR_INTERRUPTED, with nothing of theirs left on the loop, when the host wants to
 * stop.
 */
#ifndef MCS_OSS_H
#define MCS_OSS_H

#include "../net/mcn.h"
#include "../wire/mcw_oss.h"
#include "../wire/mcw_sign.h"
#include "../wire/mcw_text.h"

/* ---- connection: mcs_oss_core.c ---- */

typedef enum mcs_oss_style
{
	MCS_OSS_VIRTUAL,			/* the channel's host is bucket.endpoint */
	MCS_OSS_PATH,
	MCS_OSS_CNAME,
	MCS_OSS_PLAIN				/* base_url: any web server; no bucket, no signature, no list */
} mcs_oss_style;

/* One bucket as one statement uses it.  The caller fills it (the rest is zero) and owns the channel. */
typedef struct mcs_oss
{
	mcn_loop   *loop;
	const mcw_alloc *alloc;
	mcn_channel *channel;
	mcs_oss_style style;
	mcw_view	bucket;
	mcw_view	region;			/* without "oss-"; needed for V4 */
	bool		v4;
	mcw_credentials cred;		/* id empty = anonymous */
	int64_t		deadline_us;	/* mcn_now_us() limit of every request, 0 = by channel options */

	/* set by us: the service's clock is this far ahead of ours; 0 until it refuses ours */
	int64_t		clock_offset;	/* seconds */
} mcs_oss;

/* oss.md 3.15; pass it when a channel is opened */
extern const mcn_retry_rule mcs_oss_retry_rules[];

#define MCS_OSS_MAX_DOCUMENT ((size_t) 16 << 20)
#define MCS_OSS_MAX_KEY 1023

/*
 * One request.  Use: init, params, headers, body; then run, or start and on_done.
 * req.owner, req.on_done, req.accept, req.body belong to the user; prepare and
 * explain are ours.  Adopts the service's clock after RequestTimeTooSkewed.  Must not
 * move between init and free.
 */
typedef struct mcs_oss_call
{
	mcn_request req;
	mcs_oss    *oss;
	mcw_arena	arena;

	/* private */
	mcw_error	failed;
	char		date[40];
	int			clock_errors;
} mcs_oss_call;

/* key empty: a call on the bucket */
extern void mcs_oss_call_init(mcs_oss_call *call, mcs_oss *oss, const char *method, mcw_view key, size_t max_response);
extern void mcs_oss_call_free(mcs_oss_call *call);	/* harmless twice */
extern void mcs_oss_call_param(mcs_oss_call *call, const char *name, mcw_view value);	/* data NULL = flag; empty ones are not sent */
extern void mcs_oss_call_header(mcs_oss_call *call, const char *name, mcw_view value);
extern void mcs_oss_call_headerf(mcs_oss_call *call, const char *name, const char *fmt, ...) MCW_PRINTF(3, 4);
extern void mcs_oss_call_start(mcs_oss_call *call);
extern mcw_status mcs_oss_call_run(mcs_oss_call *call, mcw_error *err);
extern bool mcs_oss_error_is(const mcw_error *err, const char *code);
/* a key as messages show it: cut at a character's end when it is long */
extern const char *mcs_oss_show_key(mcw_view key, char out[324]);

/* ---- objects: mcs_oss_meta.c ---- */

typedef struct mcs_oss_object
{
	mcw_view	key;
	mcw_view	etag;			/* without quotes; empty = the server tells none (PLAIN) */
	uint64_t	size;			/* UINT64_MAX = unknown (PLAIN without Content-Length) */
	int64_t		last_modified;	/* Unix microseconds, 0 = unknown */
	uint64_t	crc64;
	bool		has_crc64;
	bool		ranges;			/* the server reads ranges */
	bool		appendable;		/* more may be appended to it */
	bool		link;			/* a symbolic link: listed with its own size and ETag; what it points to is read as one stream */
	mcw_view	token;			/* x-oss-meta-mc-token, HEAD only */
} mcs_oss_object;

/* HEAD; missing is MCW_ERR_SERVICE with http_status 404.  Views are arena memory. */
extern mcw_status mcs_oss_head(mcs_oss *oss, mcw_view key, mcw_arena *arena, mcs_oss_object *object, mcw_error *err);

/*
 * The objects under a prefix in byte order of their keys, page by page; the next page
 * is asked for while this one is used.  With a delimiter keys that share a directory
 * come as one prefix.  Entries are valid until the next call.
 */
typedef struct mcs_oss_lister mcs_oss_lister;

typedef struct mcs_oss_listing
{
	bool		is_prefix;		/* 'entry.key' is a common prefix */
	mcw_oss_entry entry;
} mcs_oss_listing;

extern mcw_status mcs_oss_list_open(mcs_oss *oss, mcw_view prefix, mcw_view start_after, mcw_view delimiter,
									mcs_oss_lister **lister, mcw_error *err);
/* wait false: MCW_END with *pending set if the next page is not there yet */
extern mcw_status mcs_oss_list_next(mcs_oss_lister *lister, bool wait, bool *pending,
									mcs_oss_listing *listing, mcw_error *err);
extern int64_t mcs_oss_list_pages(const mcs_oss_lister *lister);
/* objects of the page in use that were not handed out yet */
extern int mcs_oss_list_left(const mcs_oss_lister *lister);
extern void mcs_oss_list_close(mcs_oss_lister *lister);

/* ---- settings of the bucket: mcs_oss_bucket.c ---- */

typedef struct mcs_oss_abort_rule
{
	int64_t		days;			/* -1 = no rule aborts uploads; 0 also for a rule with a date */
	mcw_view	prefix;			/* of the strictest rule */
} mcs_oss_abort_rule;

/* The lifecycle rule in force that aborts the youngest multipart uploads */
extern mcw_status mcs_oss_abort_days(mcs_oss *oss, mcw_arena *arena, mcs_oss_abort_rule *rule, mcw_error *err);
/* "Enabled", "Suspended" or empty */
extern mcw_status mcs_oss_versioning(mcs_oss *oss, mcw_arena *arena, mcw_view *state, mcw_error *err);

/* ---- reading: mcs_oss_read.c ---- */

/*
 * Objects one after the other, as chunks in order; ranges of this object and of the
 * next ones are in flight at the same time.  Every request carries If-Match with the
 * ETag the object was chosen by and asks for standard range behaviour; an object that
 * was replaced, deleted or cut meanwhile is an error that says so
 * (MCW_ERR_SERVICE 412 or 404, MCW_ERR_PROTOCOL).  An object read to its end is
 * compared with its CRC-64 and its size.  Memory is at most
 * concurrency * block_size plus the chunk in use.
 *
 * A server without ranges (PLAIN) is read as one stream, with as much ahead as one
 * block; a connection lost in it is an error unless ranges and ETag allow to go on.
 */
typedef struct mcs_oss_reader mcs_oss_reader;

typedef struct mcs_oss_read_spec
{
	size_t		block_size;
	int			concurrency;
	bool		eager;			/* all will be read: begin with full concurrency */
	/*
	 * The next object to read: MCW_OK with *object (its views stay until the reader has
	 * delivered its last chunk and asked for the next but one object; the reader copies
	 * key and etag), MCW_END = no more, or *pending set when that is not known yet
	 * without waiting and wait is false.
	 */
	mcw_status	(*next_object) (void *ctx, bool wait, bool *pending, mcs_oss_object *object, mcw_error *err);
	void	   *ctx;
} mcs_oss_read_spec;

typedef struct mcs_oss_chunk
{
	const mcs_oss_object *object;	/* valid until the chunk after the last one of this object is asked for */
	char	   *data;			/* may be changed by the consumer; valid until the next call */
	size_t		len;
	uint64_t	offset;			/* in the object */
	bool		first;
	bool		last;			/* of the object; an empty object is one empty chunk */
} mcs_oss_chunk;

typedef struct mcs_oss_read_stats
{
	int64_t		objects;		/* begun */
	int64_t		bytes;			/* delivered */
	int64_t		stalls;			/* calls that had to wait */
} mcs_oss_read_stats;

extern mcw_status mcs_oss_read_open(mcs_oss *oss, const mcs_oss_read_spec *spec, mcs_oss_reader **reader, mcw_error *err);
/* MCW_OK, MCW_END; wait false: MCW_END with *pending set if nothing is there yet */
extern mcw_status mcs_oss_read_next(mcs_oss_reader *reader, bool wait, bool *pending, mcs_oss_chunk *chunk, mcw_error *err);
/* would mcs_oss_read_next return without waiting? */
extern bool mcs_oss_read_ready(const mcs_oss_reader *reader);
extern const mcs_oss_read_stats *mcs_oss_read_get_stats(const mcs_oss_reader *reader);
extern void mcs_oss_read_close(mcs_oss_reader *reader);

#endif							/* MCS_OSS_H */
