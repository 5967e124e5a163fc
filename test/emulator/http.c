/*
 * http.c
 *		mc-emulator: listeners, the epoll loop, timers, the life of connections.
 *
 * One thread.  What a connection does with its bytes is conn.c's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

#define MAX_LISTENERS 16
#define TICK_MS 100

volatile int emu_stop = 0;

static int	epfd = -1;
static conn listeners[MAX_LISTENERS];
static int	nlisteners = 0;
static conn *all_conns = NULL;
static conn *graveyard = NULL;	/* closed in this round, freed after it */
static conn **heap = NULL;
static int	heap_len = 0;
static int	heap_cap = 0;

/* ---- timers: a binary heap of connections by deadline ---- */

static void
heap_put(int i, conn *c)
{
	heap[i] = c;
	c->heap_at = i;
}

static void
heap_sift(int i, conn *c)
{
	while (i > 0 && heap[(i - 1) / 2]->deadline > c->deadline)
	{
		heap_put(i, heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;)
	{
		int			kid = 2 * i + 1;

		if (kid >= heap_len)
			break;
		if (kid + 1 < heap_len && heap[kid + 1]->deadline < heap[kid]->deadline)
			kid++;
		if (heap[kid]->deadline >= c->deadline)
			break;
		heap_put(i, heap[kid]);
		i = kid;
	}
	heap_put(i, c);
}

void
emu_timer_clear(conn *c)
{
	int			at = c->heap_at;
	conn	   *last;

	c->deadline = 0;
	if (at < 0)
		return;
	c->heap_at = -1;
	last = heap[--heap_len];
	if (last != c)
		heap_sift(at, last);
}

void
emu_timer_set(conn *c, int64_t ms)
{
	emu_timer_clear(c);
	if (heap_len == heap_cap)
	{
		heap_cap = heap_cap ? heap_cap * 2 : 64;
		heap = emu_realloc(heap, heap_cap * sizeof(conn *));
	}
	c->deadline = emu_monotonic_ms() + (ms > 0 ? ms : 0);
	heap_sift(heap_len++, c);
}

/* ---- connections ---- */

void
emu_conn_watch(conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (c->events == events)
		return;
	c->events = events;
	(void) epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev);
}

void
emu_conn_close(conn *c, bool reset)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (c->fd < 0)
		return;
	if (reset)
		(void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	emu_timer_clear(c);
	close(c->fd);
	c->fd = -1;
	emu_conn_release(c);
	free(c->in);
	c->in = NULL;
	if (c->prev_conn)
		c->prev_conn->next_conn = c->next_conn;
	else
		all_conns = c->next_conn;
	if (c->next_conn)
		c->next_conn->prev_conn = c->prev_conn;
	c->next_conn = graveyard;
	graveyard = c;
}

static void
peer_name(const struct sockaddr_storage *sa, char *out, size_t size, bool *loopback)
{
	if (sa->ss_family == AF_INET)
	{
		const struct sockaddr_in *in4 = (const struct sockaddr_in *) sa;

		inet_ntop(AF_INET, &in4->sin_addr, out, size);
		*loopback = (ntohl(in4->sin_addr.s_addr) >> 24) == 127;
	}
	else
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, out, size);
		*loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
			(IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127);
	}
}

static void
accept_all(conn *l)
{
	for (;;)
	{
		struct sockaddr_storage sa;
		socklen_t	salen = sizeof(sa);
		struct epoll_event ev = {.events = EPOLLIN};
		int			one = 1;
		int			fd = accept4(l->fd, (struct sockaddr *) &sa, &salen, SOCK_NONBLOCK | SOCK_CLOEXEC);
		conn	   *c;

		if (fd < 0)
			return;
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = emu_malloc(sizeof(conn));
		memset(c, 0, sizeof(*c));
		c->fd = fd;
		c->service = l->service;
		c->heap_at = -1;
		c->events = EPOLLIN;
		peer_name(&sa, c->peer, sizeof(c->peer), &c->loopback);
		emu_conn_init(c);
		c->next_conn = all_conns;
		if (all_conns)
			all_conns->prev_conn = c;
		all_conns = c;
		ev.data.ptr = c;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
			emu_conn_close(c, true);
	}
}

/* ---- listeners and the loop ---- */

static int
listen_one(const struct addrinfo *ai, int port, emu_service *service, int *actual)
{
	struct sockaddr_storage sa;
	socklen_t	salen = ai->ai_addrlen;
	struct epoll_event ev = {.events = EPOLLIN};
	int			one = 1;
	int			fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	conn	   *l;

	if (fd < 0)
		return -1;
	memcpy(&sa, ai->ai_addr, salen);
	if (ai->ai_family == AF_INET6)
	{
		((struct sockaddr_in6 *) &sa)->sin6_port = htons(port);
		(void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	else
		((struct sockaddr_in *) &sa)->sin_port = htons(port);
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (nlisteners == MAX_LISTENERS || bind(fd, (struct sockaddr *) &sa, salen) != 0 ||
		listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *) &sa, &salen) != 0)
	{
		int			saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	*actual = ntohs(ai->ai_family == AF_INET6 ? ((struct sockaddr_in6 *) &sa)->sin6_port :
					((struct sockaddr_in *) &sa)->sin_port);
	l = &listeners[nlisteners++];
	memset(l, 0, sizeof(*l));
	l->is_listener = true;
	l->fd = fd;
	l->service = service;
	ev.data.ptr = l;
	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
}

/*
 * Listen on one address, or with addr NULL on 127.0.0.1 and, where the machine has
 * IPv6, on ::1 with the same port.
 */
int
emu_listen(const char *addr, int port, emu_service *service, mcw_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE};
	struct addrinfo *ai = NULL;
	int			actual = -1;
	int			other;
	int			rc;

	if (epfd < 0)
		epfd = epoll_create1(EPOLL_CLOEXEC);
	for (int attempt = 0; attempt < 20; attempt++)
	{
		rc = getaddrinfo(addr ? addr : "127.0.0.1", NULL, &hints, &ai);
		if (rc != 0)
		{
			mcw_fail(err, MCW_ERR_ARGUMENT, "--listen %s: not a numeric address", addr);
			return -1;
		}
		rc = listen_one(ai, port, service, &actual);
		freeaddrinfo(ai);
		if (rc != 0)
		{
			mcw_fail(err, MCW_ERR_CONNECT, "cannot listen on %s port %d: %s", addr ? addr : "127.0.0.1", port, strerror(errno));
			return -1;
		}
		if (addr || getaddrinfo("::1", NULL, &hints, &ai) != 0)
			return actual;
		rc = listen_one(ai, actual, service, &other);
		freeaddrinfo(ai);
		if (rc == 0 || errno != EADDRINUSE)
			return actual;		/* no IPv6 here: IPv4 alone will do */
		if (port != 0)
		{
			mcw_fail(err, MCW_ERR_CONNECT, "cannot listen on ::1 port %d: %s", port, strerror(errno));
			return -1;
		}
		close(listeners[--nlisteners].fd);
	}
	mcw_fail(err, MCW_ERR_CONNECT, "no port is free on both 127.0.0.1 and ::1");
	return -1;
}

static void
bury(void)
{
	while (graveyard)
	{
		conn	   *c = graveyard;

		graveyard = c->next_conn;
		free(c);
	}
}

void
emu_loop(void)
{
	struct epoll_event events[128];
	int64_t		last_tick = 0;

	while (!emu_stop)
	{
		int64_t		now = emu_monotonic_ms();
		int64_t		wait = TICK_MS;
		int			n;

		if (now - last_tick >= TICK_MS)
		{
			last_tick = now;
			for (int i = 0; i < emu_nservices; i++)
				if (emu_services[i]->port > 0 && emu_services[i]->tick)
					emu_services[i]->tick(emu_now_us());
		}
		while (heap_len > 0 && heap[0]->deadline <= now)
			emu_conn_wake(heap[0]);
		if (heap_len > 0 && heap[0]->deadline - now < wait)
			wait = heap[0]->deadline - now;
		n = epoll_wait(epfd, events, 128, (int) wait);
		for (int i = 0; i < n; i++)
		{
			conn	   *c = events[i].data.ptr;

			if (c->is_listener)
				accept_all(c);
			else
				emu_conn_event(c, events[i].events);
		}
		bury();
	}
}

void
emu_http_free(void)
{
	while (all_conns)
		emu_conn_close(all_conns, false);
	bury();
	for (int i = 0; i < nlisteners; i++)
		close(listeners[i].fd);
	nlisteners = 0;
	if (epfd >= 0)
		close(epfd);
	epfd = -1;
	free(heap);
	heap = NULL;
	heap_len = heap_cap = 0;
}
