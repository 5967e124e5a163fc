/*
 * mcn.h
 *		The network layer: one event loop (libcurl multi in an epoll set), retry with
 *		capped full jitter, deadlines, rate limit.  The only layer that waits.
 *
 * It has no PostgreSQL header either.  What it needs from its host - waiting on
 * the epoll descriptor together with a latch, and whether a cancel is pending -
 * comes through mcn_hooks, so that the same code runs in a test program.
 *
 * The process ignores SIGPIPE (a backend does): TLS writes may raise it.
 *
 * No callback given to libcurl raises, allocates with anything that could
 * longjmp, or calls back into the host; completion callbacks run outside libcurl.
 */
#ifndef MCN_H
#define MCN_H

#include "../wire/mcw.h"
#include "../wire/mcw_http.h"

#define MCN_SCRATCH_SIZE 65536

typedef struct mcn_loop mcn_loop;
typedef struct mcn_channel mcn_channel;
typedef struct mcn_request mcn_request;
typedef struct mcn_credentials mcn_credentials;
typedef struct mcn_secret mcn_secret;

typedef struct mcn_hooks
{
	/*
	 * Sleep until 'fd' is readable, timeout_ms passed (-1 = forever) or something
	 * happened that 'interrupted' will report.  Must not longjmp.
	 */
	void		(*wait) (void *ctx, int fd, int timeout_ms);
	/* true if the host wants us to stop; net then unwinds and returns MCW_ERR_INTERRUPTED */
	bool		(*interrupted) (void *ctx);
	/* may this address (a proxy's if one is set) be connected to? reason (static text) if not */
	const char *(*deny_address) (void *ctx, const mcn_channel *channel, const void *sockaddr, unsigned len);
	/* a descriptor was opened (+1) or closed (-1); NULL if nobody counts */
	void		(*count_fd) (void *ctx, int delta);
	void	   *ctx;
} mcn_hooks;

/* One per process and host; lives until freed (in a backend: until it ends). */
extern mcn_loop *mcn_loop_create(const mcn_hooks *hooks, mcw_error *err);
/* Ends active requests without a callback; requests and channels may be cancelled and freed afterwards. */
extern void mcn_loop_free(mcn_loop *loop);
/* The epoll descriptor: readable when mcn_loop_step would make progress. For async append (register a dup). */
extern int	mcn_loop_fd(mcn_loop *loop);
extern int64_t mcn_now_us(void);	/* monotonic */
extern int64_t mcn_unix_us(void);	/* wall clock */
/*
 * How long to pause after the n-th failure in a row (n from 1) of something that is
 * repeated above this layer, such as one row of a batch: capped, with full jitter.
 */
extern int64_t mcn_pause_us(int failures, bool slow);

/*
 * Drive everything once: handle what is ready, else wait up to timeout_ms (0 = do
 * not wait, -1 = as long as it takes).  Runs completion callbacks.  MCW_OK (also
 * after a timeout), MCW_ERR_INTERRUPTED.  While an interrupt is pending only a call
 * with timeout 0 still moves anything: enough to send a last request that cleans up.
 */
extern mcw_status mcn_loop_step(mcn_loop *loop, int timeout_ms);
/* for a host that cannot wait its own way at the moment: until 'fd' is readable, a signal came or the time is over */
extern void mcn_wait_readable(int fd, int timeout_ms);

/*
 * A channel is one service endpoint as one statement uses it: address, limits,
 * retry rules, rate limit and counters.  Connections are pooled per loop, so they
 * outlive the channel.
 */
typedef enum mcn_retry
{
	MCN_RETRY_NO = 0,
	MCN_RETRY_YES,				/* back off, try again */
	MCN_RETRY_SLOW				/* throttled: longer back-off, counted as throttled */
} mcn_retry;

/*
 * First matching row decides; NULL code matches any, http 0 matches any, 5 matches
 * 5xx.  The table is static and ends with a row of zeros ({NULL, 0, MCN_RETRY_NO}),
 * which is not a rule: an answer that met none is retried if it is 5xx or 429.
 */
typedef struct mcn_retry_rule
{
	const char *code;			/* service code, case folded */
	int			http;
	mcn_retry	retry;
	const char *text;			/* if set, the service's text must contain it */
} mcn_retry_rule;

/* Times: 0 = no limit */
typedef struct mcn_options
{
	int			connect_timeout_ms;	/* TCP + TLS; default 10 s */
	int			stall_timeout_ms;	/* no byte either way; default 60 s */
	int			max_retries;	/* per request; default 10 */
	int			retry_max_elapsed_ms;	/* per request, first attempt to giving up; default 10 min */
	int64_t		rate_limit;		/* bytes per second both ways, 0 = none */
	const char *ca_file;		/* NULL = system store; copied */
	const char *proxy;			/* NULL = none; copied */
} mcn_options;

extern const mcn_options mcn_default_options;

typedef struct mcn_stats
{
	int64_t		requests;		/* attempts sent */
	int64_t		retries;
	int64_t		throttled;		/* answers that said so */
	int64_t		bytes_in;		/* bodies as received */
	int64_t		bytes_out;		/* bodies as sent */
	int64_t		wait_us;		/* time inside hooks->wait while this channel had requests in flight */
	int64_t		backoff_us;		/* planned back-off */
	int64_t		rate_us;		/* delay by rate limit */
	int64_t		last_date;		/* Date of the newest answer, Unix seconds, 0 = none */
	int64_t		last_date_at_us;	/* mcn_now_us() when it came */
} mcn_stats;

/*
 * endpoint: http://host[:port][/prefix] or https://...; anything else, userinfo,
 * query or fragment is MCW_ERR_ARGUMENT.  'virtual_host' non-empty is put in front
 * of the host ("project.host"); an IP literal is connected to as it is and only
 * the Host header is prefixed.  Default ports are not written to Host.
 */
extern mcn_channel *mcn_channel_create(mcn_loop *loop, const mcw_alloc *alloc,
									   mcw_view endpoint, mcw_view virtual_host,
									   const mcn_options *options, const mcn_retry_rule *rules,
									   mcw_error *err);
/*
 * Requests of the channel must be gone; one that is still active is cancelled, and
 * then only mcn_request_cancel may be called with it.
 */
extern void mcn_channel_free(mcn_channel *channel);
extern mcn_stats *mcn_channel_stats(mcn_channel *channel);
extern const mcn_options *mcn_channel_options(const mcn_channel *channel);
extern const char *mcn_channel_host(const mcn_channel *channel);	/* as in the Host header */
extern const char *mcn_channel_url(const mcn_channel *channel);	/* scheme://host[:port], for messages */
extern mcw_view mcn_channel_prefix(const mcn_channel *channel);	/* "/api" or "" */
extern bool mcn_channel_is_tls(const mcn_channel *channel);
/* a pointer of the caller's, for deny_address; NULL at birth */
extern void mcn_channel_set_private(mcn_channel *channel, void *private_data);
extern void *mcn_channel_private(const mcn_channel *channel);
/* the service's clock now, Unix microseconds: last Date plus time since (second precision); 0 if nothing came yet */
extern int64_t mcn_channel_service_now(const mcn_channel *channel);

/*
 * Credentials that end and are renewed.  Channels share them; a request of such a
 * channel is signed with mcn_request_credentials, which never ends while the request
 * is prepared and stays the same until its answer was judged.  They are renewed when
 * a quarter of their life (at most 15 minutes) is left, and once for each request
 * that a service refuses because they ended.
 */
typedef struct mcn_credential_source
{
	/*
	 * Begin to get new ones, with requests of its own on the same loop.  Ends in
	 * mcn_credentials_supply or mcn_credentials_fail, at once or from a later step.
	 */
	void		(*fetch) (void *arg, mcn_credentials *credentials);
	void		(*cancel) (void *arg);	/* what fetch began is not wanted any more */
	void		(*destroy) (void *arg);
	void	   *arg;
} mcn_credential_source;

/* With one reference; NULL = no memory.  The source is destroyed with them. */
extern mcn_credentials *mcn_credentials_create(mcn_loop *loop, const mcn_credential_source *source);
extern mcn_credentials *mcn_credentials_keep(mcn_credentials *credentials);
extern void mcn_credentials_release(mcn_credentials *credentials);	/* NULL allowed */
/* New ones that last left_us more (0 = for ever, negative = they have ended already); copied.  MCW_ERR_NOMEM: call mcn_credentials_fail instead. */
extern mcw_status mcn_credentials_supply(mcn_credentials *credentials, const mcw_credentials *cred, int64_t left_us);
extern void mcn_credentials_fail(mcn_credentials *credentials, const mcw_error *err);
/* 0 = there are none that are good; INT64_MAX = they never end */
extern int64_t mcn_credentials_left_us(const mcn_credentials *credentials);
/*
 * If they last less than last_us, get others and wait for them until deadline_us (0 =
 * no limit).  MCW_OK also if the new ones do not last that long either.
 */
extern mcw_status mcn_credentials_renew(mcn_credentials *credentials, int64_t last_us, int64_t deadline_us, mcw_error *err);
/*
 * The channel's requests use them (it keeps a reference).  'ended' is a static table of
 * answers that say that credentials ended; its 'retry' is not looked at, but for a row
 * of zeros at the end.
 */
extern void mcn_channel_set_credentials(mcn_channel *channel, mcn_credentials *credentials, const mcn_retry_rule *ended);
extern bool mcn_channel_has_credentials(const mcn_channel *channel);
/* What this attempt is, or the last one was, signed with; NULL if the channel has no such credentials */
extern const mcw_credentials *mcn_request_credentials(const mcn_request *req);

/*
 * A request.  Embed it or allocate it; all memory it points to belongs to the
 * caller and stays until on_done or mcn_request_cancel.  The sequence is
 * mcn_request_init, fill, mcn_request_start, (loop steps), on_done.
 */
struct mcn_request
{
	/* set by the caller after init */
	mcw_request http;			/* method, path, params, headers without Authorization */
	mcw_view	body;			/* sent with Content-Length, or chunked */
	bool		chunked;
	bool		is_head;
	/*
	 * Not idempotent: once bytes left us, only an answer that refuses is retried:
	 * a rule's SLOW, 503, or anything below 500 that the rules allow.
	 */
	bool		no_retry_after_send;
	/*
	 * Called before every attempt: set date headers, sign.  Strings it makes live
	 * in 'scratch', which net resets before the call; it has MCN_SCRATCH_SIZE bytes
	 * reserved and never moves, so views into it stay good while more is appended.
	 * Until it returns, 'error' and 'sent' tell of the attempt before.
	 */
	mcw_status	(*prepare) (mcn_request *req, mcw_buf *scratch, mcw_error *err);
	/*
	 * Called when an attempt came back with any HTTP answer that is not 2xx, before
	 * the retry table: fill code, text, request_id of err from body and headers.
	 */
	void		(*explain) (mcn_request *req, mcw_error *err);
	/*
	 * Called on a 2xx answer: may refuse it (wrong CRC, short body): MCW_OK, or a
	 * status with err filled; MCW_ERR_CHECKSUM, _FORMAT and _PROTOCOL are retried
	 * like a lost connection.
	 */
	mcw_status	(*accept) (mcn_request *req, mcw_error *err);
	/* Called once when it is over, from mcn_loop_step; may start or cancel requests.  NULL allowed. */
	void		(*on_done) (mcn_request *req);
	void	   *owner;			/* for the callbacks */
	int64_t		deadline_us;	/* mcn_now_us() limit over all attempts, 0 = by options */
	int			total_timeout_ms;	/* one attempt, 0 = none */
	int64_t		start_after_us;	/* mcn_now_us() before which nothing is sent, 0 = at once */
	/*
	 * Not 0: the body of a 2xx answer is read as a stream.  When 'response' would hold
	 * more than that many bytes the transfer pauses until mcn_response_take makes room (a
	 * pause is no stall; one piece of the network may be larger than a tiny window).  Once
	 * bytes were taken nothing is repeated here: the request ends with what it has.
	 * 'accept' sees only the headers and what is left.  Pieces may be taken while
	 * mcn_response_status is 2xx.
	 */
	size_t		window;

	/* result, valid in the callbacks and after */
	bool		active;			/* started and not done */
	mcw_status	status;
	mcw_error	error;
	int			http_status;
	mcw_buf		response;		/* body; caller inits it (allocator, max) before start and frees it */
	int			attempts;
	bool		sent;			/* the last attempt put bytes on the wire */

	/* private */
	mcn_channel *channel;
	struct mcn_transfer *transfer;
	mcn_secret *secret;			/* what the last attempt was signed with; NULL without mcn_credentials */
	mcn_request *prev;
	mcn_request *next;
	mcw_buf		headers;		/* of the last answer; memory of response.alloc, freed by mcn_request_cancel */
};

extern void mcn_request_init(mcn_request *req, mcn_channel *channel);
/* Never waits.  A failure to start is reported through status and on_done like any other. */
extern void mcn_request_start(mcn_request *req);
/*
 * Take it off the loop at once; no callback follows.  Also frees the stored response
 * headers, so it is called for every request in the end, active or not.  Safe in a
 * memory-context callback.
 */
extern void mcn_request_cancel(mcn_request *req);
/* Header of the last answer (name any case); data NULL = absent.  Valid until the next attempt or cancel. */
extern mcw_view mcn_response_header(const mcn_request *req, const char *name);
/* Drive the loop until this request is done; returns its status or MCW_ERR_INTERRUPTED (then it is still active). */
extern mcw_status mcn_request_wait(mcn_request *req);
/*
 * All headers of the last answer whose name begins with 'prefix' (any case): how many
 * they are, of which the first 'max' are stored.  Valid like the one above.
 */
extern int	mcn_response_headers(const mcn_request *req, const char *prefix, mcw_pair *pairs, int max);
/*
 * A streamed body, between loop steps, also after the end: exchange all there is for the empty buffer 'into' (same allocator, same maximum).
 */
extern void mcn_response_take(mcn_request *req, mcw_buf *into);
/* HTTP status of the running attempt, or of the last one; 0 while its header section is not complete */
extern int	mcn_response_status(const mcn_request *req);

#endif							/* MCN_H */
