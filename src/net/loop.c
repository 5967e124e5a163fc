/*
 * loop.c
 *		The event loop: libcurl's sockets and one timer descriptor in one epoll set.
 *
 * The epoll descriptor is the only thing the host ever waits on; it becomes
 * readable when a socket is ready or the next timer (libcurl's, a back-off, a
 * stall, a deadline) is due.  Nothing here knows what a request means.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mcn_private.h"

#define MCN_EVENTS 64

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_rc;

int64_t
mcn_now_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
mcn_unix_us(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
mcn_list_push(mcn_list *list, mcn_request *req)
{
	req->prev = list->tail;
	req->next = NULL;
	if (list->tail)
		list->tail->next = req;
	else
		list->head = req;
	list->tail = req;
}

void
mcn_list_remove(mcn_list *list, mcn_request *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		list->head = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		list->tail = req->prev;
	req->prev = req->next = NULL;
}

static int
watch(mcn_loop *loop, int op, curl_socket_t fd, struct epoll_event *ev)
{
	if (epoll_ctl(loop->epfd, op, fd, ev) == 0)
		return 0;
	if (errno == EEXIST)
		op = EPOLL_CTL_MOD;
	else if (errno == ENOENT)
		op = EPOLL_CTL_ADD;
	else
		return errno;
	return epoll_ctl(loop->epfd, op, fd, ev) == 0 ? 0 : errno;
}

/*
 * libcurl wants to watch a socket.  The pointer libcurl keeps for us per socket
 * only says whether it is in the epoll set.  A closed descriptor has left the set
 * by itself, and its number may be in use again: hence the second try in watch().
 * A failure ends the transfer at the next turn; told to libcurl it would end all.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	mcn_loop   *loop = arg;
	struct epoll_event ev = {0};
	char	   *private = NULL;
	int			failure;

	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(loop->epfd, EPOLL_CTL_DEL, fd, &ev);
		return 0;
	}
	ev.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0);
	ev.data.fd = fd;
	failure = watch(loop, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	if (failure != 0 && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) == CURLE_OK && private)
		((mcn_transfer *) private)->unwatched = failure;
	if (!known)
		(void) curl_multi_assign(loop->multi, fd, loop);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	mcn_loop   *loop = arg;

	loop->curl_due_us = timeout_ms < 0 ? 0 : mcn_now_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

/*
 * The resolver of libcurl is a thread and inherits our signal mask; it must not
 * take the host's signals.
 */
static void
curl_action(mcn_loop *loop, curl_socket_t fd, int events)
{
	sigset_t	all;
	sigset_t	before;
	bool		guard = loop->starting > 0;
	int			running = 0;

	if (guard)
	{
		(void) sigfillset(&all);
		guard = pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
	}
	(void) curl_multi_socket_action(loop->multi, fd, events, &running);
	if (guard)
		(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (running < loop->in_multi)
		loop->finished = true;
}

void
mcn_loop_kick(mcn_loop *loop)
{
	loop->curl_due_us = 0;
	curl_action(loop, CURL_SOCKET_TIMEOUT, 0);
}

/*
 * An instant earlier than needed only costs one empty turn, so the descriptor is
 * set again only when something earlier came up or it has gone off.
 */
void
mcn_loop_arm(mcn_loop *loop)
{
	int64_t		due = loop->curl_due_us;
	struct itimerspec spec = {0};

	for (mcn_request *req = loop->running.head; req; req = req->next)
	{
		int64_t		at = mcn_request_due(req);

		if (at != 0 && (due == 0 || at < due))
			due = at;
	}
	if (loop->done.head || loop->finished)
		due = 1;
	if (due == 0 || (loop->armed_us != 0 && loop->armed_us <= due))
		return;
	spec.it_value.tv_sec = due / 1000000;
	spec.it_value.tv_nsec = due % 1000000 * 1000;
	if (timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
		loop->armed_us = due;
}

static void
collect_finished(mcn_loop *loop)
{
	CURLMsg    *msg;
	int			left;

	loop->finished = false;
	while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL)
	{
		char	   *private = NULL;
		CURLcode	result = msg->data.result;

		if (msg->msg != CURLMSG_DONE ||
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK ||
			private == NULL)
			continue;
		mcn_request_finished(((mcn_transfer *) private)->req, result);
	}
}

/* Everything that can be done without waiting; false if there was nothing. */
static bool
drive(mcn_loop *loop)
{
	struct epoll_event events[MCN_EVENTS];
	int			n = epoll_wait(loop->epfd, events, MCN_EVENTS, 0);
	bool		progress = false;
	int64_t		now;

	for (int i = 0; i < n; i++)
	{
		uint32_t	got = events[i].events;
		uint64_t	ticks;

		if (events[i].data.fd == loop->timerfd)
		{
			if (read(loop->timerfd, &ticks, sizeof(ticks)) == sizeof(ticks))
				loop->armed_us = 0;
			continue;
		}
		progress = true;
		curl_action(loop, events[i].data.fd,
					((got & (EPOLLIN | EPOLLHUP)) ? CURL_CSELECT_IN : 0) |
					((got & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
					((got & EPOLLERR) ? CURL_CSELECT_ERR : 0));
	}
	now = mcn_now_us();
	if (loop->curl_due_us != 0 && loop->curl_due_us <= now)
		mcn_loop_kick(loop);
	for (mcn_request *req = loop->running.head, *next; req; req = next)
	{
		int64_t		at = mcn_request_due(req);

		next = req->next;
		if (at != 0 && at <= now)
			mcn_request_timer(req, now);
	}
	if (loop->finished)
		collect_finished(loop);
	if (mcn_run_done(loop))
		progress = true;
	mcn_loop_arm(loop);
	return progress;
}

static bool
interrupted(mcn_loop *loop)
{
	return loop->hooks.interrupted && loop->hooks.interrupted(loop->hooks.ctx);
}

mcw_status
mcn_loop_step(mcn_loop *loop, int timeout_ms)
{
	int64_t		before;
	int64_t		waited;

	if (interrupted(loop))
	{
		if (timeout_ms == 0)
			(void) drive(loop);
		return MCW_ERR_INTERRUPTED;
	}
	if (drive(loop) || timeout_ms == 0)
		return MCW_OK;

	before = mcn_now_us();
	loop->hooks.wait(loop->hooks.ctx, loop->epfd, timeout_ms);
	waited = mcn_now_us() - before;
	for (mcn_channel *channel = loop->channels; channel; channel = channel->next)
	{
		if (channel->active > 0)
			channel->stats.wait_us += waited;
	}
	if (interrupted(loop))
		return MCW_ERR_INTERRUPTED;
	(void) drive(loop);
	return MCW_OK;
}

void
mcn_wait_readable(int fd, int timeout_ms)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	(void) poll(&one, 1, timeout_ms);
}

mcw_status
mcn_request_wait(mcn_request *req)
{
	while (req->active && req->channel && req->channel->loop)
	{
		mcw_status	status = mcn_loop_step(req->channel->loop, -1);

		if (status != MCW_OK && req->active)
			return status;
	}
	return req->status;
}

int
mcn_loop_fd(mcn_loop *loop)
{
	return loop->epfd;
}

static void
global_init(void)
{
	global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static mcw_status
setup(mcn_loop *loop, mcw_error *err)
{
	struct epoll_event ev = {.events = EPOLLIN};

	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ev.data.fd = loop->timerfd;
	if (loop->epfd < 0 || loop->timerfd < 0 ||
		epoll_ctl(loop->epfd, EPOLL_CTL_ADD, loop->timerfd, &ev) != 0)
		return mcw_fail(err, MCW_ERR_CONNECT, "could not create the event loop: %s", strerror(errno));
	loop->multi = curl_multi_init();
	if (loop->multi == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "could not create the event loop: out of memory");
	if (curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) != CURLM_OK ||
		curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
		curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) != CURLM_OK ||
		curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long) MCN_IDLE_CONNECTIONS) != CURLM_OK)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "libcurl refuses to be driven by an event loop");
	return MCW_OK;
}

mcn_loop *
mcn_loop_create(const mcn_hooks *hooks, mcw_error *err)
{
	mcn_loop   *loop;

	if (hooks == NULL || hooks->wait == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "the event loop needs a way to wait");
		return NULL;
	}
	(void) pthread_once(&global_once, global_init);
	if (global_rc != CURLE_OK)
	{
		(void) mcw_fail(err, MCW_ERR_UNSUPPORTED, "could not initialise libcurl: %s",
						curl_easy_strerror(global_rc));
		return NULL;
	}
	loop = mcw_new0(&mcw_malloc, sizeof(*loop));
	if (loop == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "could not create the event loop: out of memory");
		return NULL;
	}
	loop->hooks = *hooks;
	loop->epfd = loop->timerfd = -1;
	if (setup(loop, err) != MCW_OK)
	{
		mcn_loop_free(loop);
		return NULL;
	}
	if (hooks->count_fd)
		hooks->count_fd(hooks->ctx, 2);
	return loop;
}

/* Requests that are still active end without a callback; channels stay but can do nothing any more. */
void
mcn_loop_free(mcn_loop *loop)
{
	mcn_request *req;
	mcn_transfer *transfer;

	if (loop == NULL)
		return;
	while ((req = loop->running.head) != NULL || (req = loop->done.head) != NULL)
	{
		req->status = mcw_fail(&req->error, MCW_ERR_INTERRUPTED, "the event loop was closed");
		mcn_request_detach(req);
	}
	for (mcn_channel *channel = loop->channels, *next; channel; channel = next)
	{
		next = channel->next;
		channel->loop = NULL;
		channel->next = NULL;
	}
	while ((transfer = loop->pool) != NULL)
	{
		loop->pool = transfer->next;
		mcn_transfer_free(transfer);
	}
	if (loop->multi)
		(void) curl_multi_cleanup(loop->multi);
	mcn_sockets_free(loop);
	if (loop->epfd >= 0 && loop->timerfd >= 0 && loop->multi && loop->hooks.count_fd)
		loop->hooks.count_fd(loop->hooks.ctx, -2);
	if (loop->epfd >= 0)
		(void) close(loop->epfd);
	if (loop->timerfd >= 0)
		(void) close(loop->timerfd);
	mcw_free(&mcw_malloc, loop, sizeof(*loop));
}
