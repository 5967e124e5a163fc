/*
 * net_server.h
 *		A scripted HTTP server in a thread of the test program, and the hooks the
 *		net tests give to the loop.
 *
 * The n-th request of the server's life is answered as steps[n] says; after the
 * last step the last one repeats.  One thread per connection, blocking calls, and
 * a pipe that tells every thread to end.
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"
#include "../../src/net/mcn.h"
#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_text.h"

typedef enum net_act
{
	ACT_OK,						/* 200 with 'size' bytes */
	ACT_ECHO,					/* 200, "<method> <target> <body length> <crc32c> <chunked|sized>" */
	ACT_SHOW,					/* 200, the request head as received */
	ACT_STATUS,					/* 'code', headers 'text', body {"code":"..."} of 'size' unused */
	ACT_CHUNKED,				/* 200, chunked answer of 'size' bytes with a trailer */
	ACT_CONTINUE,				/* 100, then 200 */
	ACT_CLOSE,					/* 200 with Connection: close */
	ACT_DROP_IDLE,				/* 200, then waits for the next request and resets */
	ACT_RESET_EARLY,			/* reset after the request was read */
	ACT_RESET_HEADERS,			/* reset inside the header section */
	ACT_RESET_BODY,				/* reset after half of the body */
	ACT_TRUNCATE,				/* orderly close after half of the body */
	ACT_STALL_HEADERS,			/* never answers */
	ACT_STALL_BODY,				/* half of the body, then nothing */
	ACT_STALL_READ,				/* does not read the request's body */
	ACT_DRIP,					/* 'size' bytes, one every 20 ms */
	ACT_GARBAGE,				/* not HTTP */
	ACT_MANY_HEADERS,
	ACT_BIG_HEADERS,
	ACT_LONG_HEADER				/* one line of 200 kB */
} net_act;

typedef struct net_step
{
	net_act		act;
	int			code;
	size_t		size;
	const char *text;
} net_step;

#define NET_MAX_CONNECTIONS 512

struct net_conn;

typedef struct net_server
{
	/* answers every request instead of the steps, several at the same time; false ends the connection */
	bool		(*handler) (struct net_conn *c, const char *head, mcw_view body);
	void	   *handler_ctx;
	int			fd;
	int			port;
	int			stop[2];
	pthread_t	accepter;
	pthread_t	threads[NET_MAX_CONNECTIONS];
	int			nthreads;
	const net_step *steps;
	int			nsteps;
	atomic_int	connections;
	atomic_int	requests;
	atomic_llong body_bytes;
	char		url[64];
} net_server;

typedef struct net_conn
{
	net_server *server;
	int			fd;
	char		head[65536];
	size_t		len;			/* bytes in 'head' that were received */
	size_t		head_len;
	char		method[16];
	char		target[2048];
} net_conn;

/* true when 'fd' has something to read (or was closed), false when the server ends */
static inline bool
net_readable(net_conn *c)
{
	struct pollfd p[2] = {{c->fd, POLLIN, 0}, {c->server->stop[0], POLLIN, 0}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		continue;
	return p[1].revents == 0;
}

static inline void
net_stall(net_conn *c, bool read_on)
{
	char		sink[4096];
	struct pollfd p[2] = {{c->fd, read_on ? POLLIN : POLLRDHUP, 0}, {c->server->stop[0], POLLIN, 0}};

	for (;;)
	{
		if (poll(p, 2, -1) < 0 && errno == EINTR)
			continue;
		if (p[1].revents || !read_on || recv(c->fd, sink, sizeof(sink), 0) <= 0)
			return;
	}
}

static inline bool
net_send(net_conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0)
	{
		ssize_t		n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static inline bool
net_sendf(net_conn *c, const char *fmt,...) MCW_PRINTF(2, 3);

static inline bool
net_sendf(net_conn *c, const char *fmt,...)
{
	char		text[8192];
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return net_send(c, text, n);
}

static inline bool
net_send_pattern(net_conn *c, size_t size)
{
	static char block[65536];
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (block[1] == 0)
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char) ('a' + i % 26);
	pthread_mutex_unlock(&lock);
	while (size > 0)
	{
		size_t		n = size < 65536 - 10 ? size : 65536 - 10;

		if (!net_send(c, block, n))
			return false;
		size -= n;
	}
	return true;
}

static inline void
net_reset(net_conn *c)
{
	struct linger hard = {1, 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

/* one byte of body, buffered or from the socket; false at the end of the connection */
static inline bool
net_more(net_conn *c)
{
	ssize_t		n;

	if (!net_readable(c))
		return false;
	n = recv(c->fd, c->head, sizeof(c->head) - 1, 0);
	if (n <= 0)
		return false;
	c->len = n;
	c->head_len = 0;
	return true;
}

static inline bool
net_head(net_conn *c)
{
	char	   *end;

	memmove(c->head, c->head + c->head_len, c->len - c->head_len);
	c->len -= c->head_len;
	c->head_len = 0;
	for (;;)
	{
		ssize_t		n;

		c->head[c->len] = '\0';
		if ((end = strstr(c->head, "\r\n\r\n")) != NULL)
			break;
		if (!net_readable(c))
			return false;
		n = recv(c->fd, c->head + c->len, sizeof(c->head) - 1 - c->len, 0);
		if (n <= 0)
			return false;
		c->len += n;
	}
	c->head_len = end + 4 - c->head;
	return sscanf(c->head, "%15s %2047s", c->method, c->target) == 2;
}

static inline bool
net_take(net_conn *c, size_t n, uint32_t *crc, size_t *total)
{
	while (n > 0)
	{
		size_t		part;

		if (c->head_len == c->len && !net_more(c))
			return false;
		part = c->len - c->head_len < n ? c->len - c->head_len : n;
		if (crc)
		{
			*crc = mcw_crc32c(*crc, c->head + c->head_len, part);
			*total += part;
			c->server->body_bytes += part;
		}
		c->head_len += part;
		n -= part;
	}
	return true;
}

static inline bool
net_line(net_conn *c, char *line, size_t size)
{
	size_t		n = 0;

	for (;;)
	{
		if (c->head_len == c->len && !net_more(c))
			return false;
		if (n + 1 < size)
			line[n++] = c->head[c->head_len];
		if (c->head[c->head_len++] == '\n')
		{
			line[n] = '\0';
			return true;
		}
	}
}

static inline bool
net_body(net_conn *c, bool chunked, size_t length, uint32_t *crc, size_t *total)
{
	char		line[256];

	if (!chunked)
		return net_take(c, length, crc, total);
	for (;;)
	{
		size_t		n;

		if (!net_line(c, line, sizeof(line)))
			return false;
		n = strtoul(line, NULL, 16);
		if (n == 0)
			return net_line(c, line, sizeof(line));
		if (!net_take(c, n, crc, total) || !net_take(c, 2, NULL, NULL))
			return false;
	}
}

static inline bool
net_many_headers(net_conn *c, net_act act)
{
	static const char filler[1001] = {[0 ... 999] = 'h'};

	net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	if (act == ACT_LONG_HEADER)
	{
		net_sendf(c, "x-long: ");
		for (int i = 0; i < 200; i++)
			net_send(c, filler, 1000);
		net_sendf(c, "\r\n");
	}
	else
		for (int i = 0; i < (act == ACT_MANY_HEADERS ? 2000 : 100); i++)
			net_sendf(c, "x-filler-%d: %s\r\n", i, act == ACT_MANY_HEADERS ? "v" : filler);
	return net_sendf(c, "\r\nok");
}

/* The body of a request with a length, for the handler */
static inline bool
net_handle(net_conn *c, const char *head, size_t length)
{
	char	   *body = malloc(length + 1);
	size_t		got = 0;
	bool		keep;

	while (got < length)
	{
		size_t		part;

		if (c->head_len == c->len && !net_more(c))
		{
			free(body);
			return false;
		}
		part = c->len - c->head_len < length - got ? c->len - c->head_len : length - got;
		memcpy(body + got, c->head + c->head_len, part);
		c->head_len += part;
		got += part;
	}
	keep = c->server->handler(c, head, (mcw_view) {body, length});
	free(body);
	return keep;
}

/* true = the connection stays */
static inline bool
net_answer(net_conn *c, const net_step *step, const char *shown, const char *echo)
{
	const char *date = "Date: Wed, 15 Nov 2023 06:13:20 GMT\r\n";

	switch (step->act)
	{
		case ACT_CONTINUE:
			net_sendf(c, "HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\n");
			/* FALLTHROUGH */
		case ACT_OK:
		case ACT_DROP_IDLE:
			return net_sendf(c, "HTTP/1.1 200 OK\r\n%sx-test:  value \r\nContent-Length: %zu\r\n\r\n", date, step->size) &&
				(strcmp(c->method, "HEAD") == 0 || net_send_pattern(c, step->size));
		case ACT_CLOSE:
			net_sendf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
			net_send_pattern(c, step->size);
			return false;
		case ACT_ECHO:
		case ACT_SHOW:
			{
				const char *text = step->act == ACT_ECHO ? echo : shown;

				return net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text)) &&
					net_send(c, text, strlen(text));
			}
		case ACT_STATUS:
			return net_sendf(c, "HTTP/1.1 %d Word\r\n%sContent-Length: 15\r\n\r\n{\"code\":\"Test\"}", step->code, step->text ? step->text : "");
		case ACT_CHUNKED:
			net_sendf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n%zx\r\n", step->size);
			net_send_pattern(c, step->size);
			return net_sendf(c, "\r\n0\r\nx-sum: 77\r\n\r\n");
		case ACT_RESET_EARLY:
			net_reset(c);
			return false;
		case ACT_RESET_HEADERS:
			net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Le");
			usleep(20000);
			net_reset(c);
			return false;
		case ACT_RESET_BODY:
		case ACT_TRUNCATE:
		case ACT_STALL_BODY:
			net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", step->size);
			net_send_pattern(c, step->size / 2);
			if (step->act == ACT_STALL_BODY)
				net_stall(c, true);
			else if (step->act == ACT_RESET_BODY)
			{
				usleep(20000);
				net_reset(c);
			}
			return false;
		case ACT_STALL_HEADERS:
			net_stall(c, true);
			return false;
		case ACT_DRIP:
			net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", step->size);
			for (size_t i = 0; i < step->size; i++)
			{
				struct pollfd p = {c->server->stop[0], POLLIN, 0};

				if (poll(&p, 1, 20) > 0 || !net_send(c, "d", 1))
					return false;
			}
			return true;
		case ACT_GARBAGE:
			net_sendf(c, "SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n");
			return false;
		case ACT_MANY_HEADERS:
		case ACT_BIG_HEADERS:
		case ACT_LONG_HEADER:
			return net_many_headers(c, step->act);
		case ACT_STALL_READ:
			break;
	}
	return false;
}

static inline void *
net_connection(void *arg)
{
	net_conn   *c = arg;
	net_server *server = c->server;
	bool		drop_next = false;

	while (net_head(c))
	{
		int			n;
		const net_step *step;
		char	   *shown;
		char		echo[4096];
		char	   *field;
		bool		chunked;
		size_t		length = 0;
		size_t		total = 0;
		uint32_t	crc = 0;
		bool		keep;

		if (drop_next)
		{
			net_reset(c);
			break;
		}
		n = server->requests++;
		step = server->handler ? NULL : &server->steps[n < server->nsteps ? n : server->nsteps - 1];
		shown = strndup(c->head, c->head_len);
		chunked = strcasestr(shown, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
		if ((field = strcasestr(shown, "\r\nContent-Length: ")) != NULL)
			length = strtoull(field + 18, NULL, 10);
		if (server->handler)
		{
			keep = net_handle(c, shown, length);
			free(shown);
			if (!keep)
				break;
			continue;
		}
		if (step->act == ACT_STALL_READ)
		{
			net_stall(c, false);
			free(shown);
			break;
		}
		if (!net_body(c, chunked, length, &crc, &total))
		{
			free(shown);
			break;
		}
		(void) snprintf(echo, sizeof(echo), "%s %s %zu %08x %s", c->method, c->target, total, crc,
						chunked ? "chunked" : field ? "sized" : "none");
		keep = net_answer(c, step, shown, echo);
		drop_next = step->act == ACT_DROP_IDLE;
		free(shown);
		if (!keep)
			break;
	}
	(void) close(c->fd);
	free(c);
	return NULL;
}

static inline void *
net_accepter(void *arg)
{
	net_server *server = arg;
	struct pollfd p[2] = {{server->fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

	for (;;)
	{
		net_conn   *c;
		int			fd;
		int			on = 1;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return NULL;
		if ((fd = accept(server->fd, NULL, NULL)) < 0)
			continue;
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		server->connections++;
		c = calloc(1, sizeof(*c));
		if (!c || server->nthreads == NET_MAX_CONNECTIONS)
			abort();
		c->server = server;
		c->fd = fd;
		if (pthread_create(&server->threads[server->nthreads++], NULL, net_connection, c) != 0)
			abort();
	}
}

static inline void
net_start(net_server *server, const net_step *steps, int nsteps)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t	len = sizeof(addr);
	sigset_t	all;
	sigset_t	before;

	memset(server, 0, sizeof(*server));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->steps = steps;
	server->nsteps = nsteps;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->fd < 0 || bind(server->fd, (struct sockaddr *) &addr, sizeof(addr)) != 0 ||
		listen(server->fd, 128) != 0 || pipe(server->stop) != 0 ||
		getsockname(server->fd, (struct sockaddr *) &addr, &len) != 0)
	{
		perror("test server");
		exit(2);
	}
	server->port = ntohs(addr.sin_port);
	(void) snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&server->accepter, NULL, net_accepter, server) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static inline void
net_stop(net_server *server)
{
	if (write(server->stop[1], "x", 1) != 1)
		abort();
	pthread_join(server->accepter, NULL);
	(void) close(server->fd);
	for (int i = 0; i < server->nthreads; i++)
		pthread_join(server->threads[i], NULL);
	(void) close(server->stop[0]);
	(void) close(server->stop[1]);
}

/* Hooks: counts descriptors, interrupts on demand, denies on demand. */
typedef struct net_host
{
	int			fds;			/* open by count_fd */
	int			waits;
	int64_t		interrupt_at_us;	/* mcn_now_us(), 0 = never */
	const char *deny;			/* reason, NULL = allow */
	int			denials;
} net_host;

static inline void
net_wait(void *ctx, int fd, int timeout_ms)
{
	net_host   *host = ctx;
	struct pollfd p = {fd, POLLIN, 0};

	host->waits++;
	if (host->interrupt_at_us != 0)
	{
		int64_t		left = (host->interrupt_at_us - mcn_now_us()) / 1000 + 1;

		if (left < 0)
			left = 0;
		if (timeout_ms < 0 || left < timeout_ms)
			timeout_ms = (int) left;
	}
	(void) poll(&p, 1, timeout_ms);
}

static inline bool
net_interrupted(void *ctx)
{
	net_host   *host = ctx;

	return host->interrupt_at_us != 0 && mcn_now_us() >= host->interrupt_at_us;
}

static inline const char *
net_deny(void *ctx, const mcn_channel *channel, const void *sockaddr, unsigned len)
{
	net_host   *host = ctx;

	if (host->deny)
		host->denials++;
	return host->deny;
}

static inline void
net_count_fd(void *ctx, int delta)
{
	((net_host *) ctx)->fds += delta;
}

/* Loop, channel and server of one case */
typedef struct net_rig
{
	net_server	server;
	net_host	host;
	mcn_loop   *loop;
	mcn_channel *channel;
	mcn_options options;
	const mcn_retry_rule *rules;
	mcw_error	error;
} net_rig;

static inline mcn_loop *
net_loop(net_host *host)
{
	mcn_hooks	hooks = {net_wait, net_interrupted, net_deny, net_count_fd, host};
	mcw_error	error;
	mcn_loop   *loop = mcn_loop_create(&hooks, &error);

	if (!loop)
	{
		printf("%s\n", error.message);
		exit(2);
	}
	return loop;
}

static inline void
net_rig_channel(net_rig *rig)
{
	rig->channel = mcn_channel_create(rig->loop, &mcw_malloc, mcw_str(rig->server.url), MCW_LIT(""),
									  &rig->options, rig->rules, &rig->error);
	if (!CHECK(rig->channel != NULL))
		exit(2);
}

static inline void
net_rig_init(net_rig *rig, const net_step *steps, int nsteps)
{
	memset(rig, 0, sizeof(*rig));
	net_start(&rig->server, steps, nsteps);
	rig->loop = net_loop(&rig->host);
	rig->options = mcn_default_options;
	rig->options.max_retries = 3;
	net_rig_channel(rig);
}

/* Every descriptor that was counted is closed in the end. */
static inline void
net_rig_free(net_rig *rig)
{
	mcn_channel_free(rig->channel);
	mcn_loop_free(rig->loop);
	CHECK_INT(rig->host.fds, 0);
	net_stop(&rig->server);
}

/* Again with other options */
static inline void
net_rig_options(net_rig *rig)
{
	mcn_channel_free(rig->channel);
	net_rig_channel(rig);
}

static inline void
net_request(mcn_request *req, mcn_channel *channel, const char *method, const char *path)
{
	mcn_request_init(req, channel);
	mcw_buf_init(&req->response, &mcw_malloc, 64 * 1024 * 1024);
	req->http.method = mcw_str(method);
	req->http.path = mcw_str(path);
}

static inline mcw_status
net_go(mcn_request *req)
{
	mcn_request_start(req);
	return mcn_request_wait(req);
}

static inline void
net_done(mcn_request *req)
{
	mcn_request_cancel(req);
	mcw_buf_free(&req->response);
}

#endif							/* NET_SERVER_H */
