/*
 * mcn_private.h
 *		Declarations shared by the files of src/net; nobody else includes this.
 *
 * A request is on exactly one list of its loop from start to on_done: 'running'
 * (an attempt is under way, or waits for its back-off or for the rate limit) or
 * 'done' (on_done is still to be called).  A transfer - a libcurl easy handle and
 * what one attempt needs - is attached for the same time and then goes back to the
 * loop's pool.
 */
#ifndef MCN_PRIVATE_H
#define MCN_PRIVATE_H

#include <curl/curl.h>

#include "mcn.h"
#include "../wire/mcw_text.h"

#define MCN_USER_AGENT		"mc_fdw/1.0"
#define MCN_MAX_LINES		(256 * 1024)	/* request target and header lines of one request */
#define MCN_MAX_HEADER_BYTES (64 * 1024)	/* header section of one answer */
#define MCN_MAX_HEADER_LINES 256
#define MCN_SMALL_BODY		(64 * 1024) /* up to here a body goes out in one packet with its headers */
#define MCN_UPLOAD_BUFFER	(1024 * 1024)
#define MCN_DOWNLOAD_BUFFER (256 * 1024)
#define MCN_POOL_MAX		64	/* idle transfers kept */
#define MCN_IDLE_CONNECTIONS 64

typedef struct mcn_list
{
	mcn_request *head;
	mcn_request *tail;
} mcn_list;

/* Token bucket kept as the instant at which the debt is paid; see rate.c */
typedef struct mcn_rate
{
	int64_t		bytes_per_s;	/* 0 = no limit */
	int64_t		free_at_us;
	int			blocked;		/* transfers that wait for it */
	int64_t		blocked_since_us;
} mcn_rate;

typedef struct mcn_socket
{
	int			fd;
	uint64_t	inode;
} mcn_socket;

struct mcn_loop
{
	mcn_hooks	hooks;
	CURLM	   *multi;
	int			epfd;
	int			timerfd;
	int64_t		curl_due_us;	/* libcurl's timer; 0 = none */
	int64_t		armed_us;		/* what timerfd is set to; 0 = not set */
	int			in_multi;		/* easy handles inside the multi handle */
	int			starting;		/* of those, how many may still resolve a name */
	bool		finished;		/* libcurl may hold results we have not collected */
	mcn_list	running;
	mcn_list	done;
	struct mcn_transfer *pool;
	int			npool;
	mcn_channel *channels;
	mcn_socket *sockets;		/* open ones, as counted by the host */
	int			nsockets;
	int			max_sockets;
	uint64_t	next_serial;	/* of channels */
};

struct mcn_channel
{
	mcn_loop   *loop;			/* NULL once the loop was freed */
	const mcw_alloc *alloc;
	mcn_channel *next;
	uint64_t	serial;			/* unique in the loop */
	mcn_options options;		/* strings point into 'text' */
	const mcn_retry_rule *rules;	/* the caller's, static */
	bool		tls;
	bool		absolute_target;	/* plain HTTP through an HTTP proxy */
	char	   *text;			/* one block for all strings below */
	size_t		text_size;
	char	   *url;			/* scheme://host[:port]/ as connected to */
	char	   *host;			/* Host header */
	char	   *shown;			/* scheme://host[:port] */
	char	   *peer;			/* host:port for messages */
	mcw_view	prefix;
	int			active;			/* requests started and not done */
	mcn_rate	rate;
	mcn_stats	stats;
	void	   *private_data;	/* the caller's */
	mcn_credentials *credentials;	/* NULL = the caller has keys of its own, or none */
	const mcn_retry_rule *ended;	/* answers that say that they ended */
};

typedef enum mcn_phase
{
	MCN_IDLE = 0,
	MCN_BACKOFF,				/* next attempt at due_us */
	MCN_RATE_START,				/* attempt held back until due_us */
	MCN_CREDENTIALS,			/* attempt held back until new credentials came */
	MCN_RUNNING					/* inside the multi handle */
} mcn_phase;

typedef struct mcn_transfer
{
	CURL	   *easy;
	mcn_loop   *loop;
	mcn_request *req;
	struct mcn_transfer *next;	/* in the pool */
	uint64_t	channel_serial; /* channel whose options the easy handle has */
	mcn_phase	phase;
	mcw_buf		scratch;		/* for req->prepare, fully reserved */
	mcw_buf		lines;			/* target, method and header lines of the attempt */
	struct curl_slist headers[MCW_MAX_HEADERS + 8];
	char		curl_error[CURL_ERROR_SIZE];

	/* whole request */
	int64_t		first_us;		/* first attempt began */
	bool		renewed;		/* was refused once because its credentials had ended */
	bool		asked;			/* credentials were fetched for the attempt that is to come */

	/* one attempt */
	int64_t		attempt_us;		/* began */
	int64_t		activity_us;	/* last byte either way; 0 = not connected yet */
	int64_t		due_us;			/* end of back-off, rate delay or pause; 0 = none */
	size_t		body_pos;		/* body bytes handed to libcurl */
	curl_off_t	upload_seen;
	int64_t		received;		/* body bytes of the answer */
	int			issued;			/* times libcurl was about to send the request */
	int			header_lines;
	bool		headers_ready;
	bool		by_callback;	/* body goes through the read callback */
	bool		starting;		/* counted in loop->starting */
	bool		paused;			/* by the rate limit */
	bool		held;			/* paused because the window is full */
	bool		taken;			/* bytes of a streamed body are gone */
	int			answer;			/* HTTP status, once the headers are complete */
	bool		blocked;		/* counted in channel->rate.blocked */
	bool		stale;			/* a kept-alive connection was dead before it answered */
	bool		fresh;			/* next attempt must not take a kept-alive connection */
	bool		address_tried;
	int			unwatched;		/* errno of watching its socket, 0 = fine */
	const char *denied;			/* reason of deny_address */
	mcw_status	broken;			/* set by a callback that made libcurl stop */
} mcn_transfer;

/* How an attempt ended */
typedef enum mcn_verdict
{
	MCN_SUCCESS,
	MCN_FINAL,					/* error that no repetition cures */
	MCN_LOST,					/* no usable answer: retried unless it may have been executed */
	MCN_STALE,					/* dead kept-alive connection: again at once */
	MCN_ENDED,					/* its credentials had ended: again at once with others */
	MCN_ANSWER,					/* refusing answer, back off */
	MCN_ANSWER_SLOW				/* throttled */
} mcn_verdict;

/* loop.c */
extern void mcn_loop_kick(mcn_loop *loop);	/* let libcurl begin what was added */
extern void mcn_loop_arm(mcn_loop *loop);	/* set the timer descriptor to the next instant */
extern void mcn_list_push(mcn_list *list, mcn_request *req);
extern void mcn_list_remove(mcn_list *list, mcn_request *req);

/* request.c */
extern int64_t mcn_request_due(const mcn_request *req); /* next instant at which something must happen */
extern void mcn_request_timer(mcn_request *req, int64_t now);
extern void mcn_request_finished(mcn_request *req, CURLcode result);
extern bool mcn_run_done(mcn_loop *loop);
extern void mcn_request_detach(mcn_request *req);	/* off all lists, transfer to the pool */

/* credentials.c */
typedef enum mcn_supply
{
	MCN_SUPPLIED,				/* req->secret is good */
	MCN_SUPPLY_LATER,			/* put into phase MCN_CREDENTIALS: ask again when it was taken out of it */
	MCN_SUPPLY_FAILED
} mcn_supply;

extern mcn_supply mcn_credentials_take(mcn_request *req, int64_t now, mcw_error *err);
extern void mcn_credentials_refused(mcn_request *req);
extern void mcn_secret_release(mcn_secret *secret);

/* transfer.c */
extern mcn_transfer *mcn_transfer_get(mcn_loop *loop, const mcn_channel *channel);
extern void mcn_transfer_put(mcn_transfer *transfer);
extern void mcn_transfer_free(mcn_transfer *transfer);
extern mcw_status mcn_transfer_begin(mcn_transfer *transfer, mcw_error *err);
extern void mcn_transfer_stop(mcn_transfer *transfer);	/* out of the multi handle */
extern void mcn_transfer_resume(mcn_transfer *transfer, int64_t now);
extern void mcn_transfer_started(mcn_transfer *transfer);	/* name resolution is behind us */

/* callback.c */
extern CURLcode mcn_callbacks_install(mcn_transfer *transfer);

/* socket.c */
extern curl_socket_t mcn_on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
extern int	mcn_on_close_socket(void *arg, curl_socket_t fd);
extern void mcn_sockets_check(mcn_loop *loop);
extern void mcn_sockets_free(mcn_loop *loop);

/* retry.c */
extern mcn_verdict mcn_judge(mcn_request *req, CURLcode result);
extern mcn_verdict mcn_judge_timeout(mcn_request *req, int64_t now);
extern int64_t mcn_backoff_us(mcn_request *req, mcn_verdict verdict);

/* rate.c: the clock is an argument */
extern void mcn_rate_init(mcn_rate *rate, int64_t bytes_per_s, int64_t now);
extern int64_t mcn_rate_ready_at(const mcn_rate *rate, int64_t now);	/* 0 = bytes may flow now */
extern void mcn_rate_take(mcn_rate *rate, int64_t bytes, int64_t now);
extern int64_t mcn_rate_piece(const mcn_rate *rate, int64_t max);	/* largest piece to move at once */
extern void mcn_rate_block(mcn_transfer *transfer, int64_t now);
extern void mcn_rate_unblock(mcn_transfer *transfer, int64_t now);

#endif							/* MCN_PRIVATE_H */
