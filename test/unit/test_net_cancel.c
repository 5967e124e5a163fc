/*
 * test_net_cancel.c
 *		net: cancel in every state, interrupts, teardown, the rate limit, and the
 *		descriptor a host may wait on by itself.
 */
#include <signal.h>
#include <sys/epoll.h>

#include "net_server.h"

/* Cancel after k steps, for every k until the request is over before that. */
static void
test_cancel_anywhere(void)
{
	static const net_step kinds[] = {
		{ACT_OK, 0, 2000000}, {ACT_DRIP, 0, 10}, {ACT_STATUS, 503}, {ACT_STALL_HEADERS}, {ACT_STALL_BODY, 0, 1000},
		{ACT_STALL_READ}, {ACT_ECHO}
	};
	char	   *big = calloc(1, 20 * 1000 * 1000);

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
	{
		bool		over = false;

		for (int k = 0; !over && k < 25; k++)
		{
			net_rig		rig;
			mcn_request req;

			net_rig_init(&rig, &kinds[kind], 1);
			net_request(&req, rig.channel, "POST", "/");
			if (kind >= 5)
				req.body = (mcw_view) {big, 20 * 1000 * 1000};
			mcn_request_start(&req);
			CHECK(req.active);
			for (int i = 0; i < k && req.active; i++)
				CHECK_OK(mcn_loop_step(rig.loop, 2));
			over = !req.active;
			mcn_request_cancel(&req);
			CHECK(!req.active);
			if (!over)
				CHECK_INT(req.status, MCW_ERR_INTERRUPTED);
			mcn_request_cancel(&req);	/* harmless */
			mcw_buf_free(&req.response);
			memset(&req, 0x5a, sizeof(req));	/* nobody looks at it any more */
			for (int i = 0; i < 3; i++)
				CHECK_OK(mcn_loop_step(rig.loop, 1));
			net_rig_free(&rig);
		}
	}
	free(big);
}

/* A request taken off before its first attempt could be made, and one not connected yet */
static void
test_cancel_early(void)
{
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	static const char *const endpoints[] = {
		"http://no-such-host.invalid", "http://127.0.0.1:1", "http://localhost:1", "https://127.0.0.1:1"
	};
	mcw_error	error;

	for (size_t i = 0; i < 4; i++)
		for (int k = 0; k < 6; k++)
		{
			mcn_channel *channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(endpoints[i]), MCW_LIT(""), NULL, NULL, &error);
			mcn_request req;

			net_request(&req, channel, "GET", "/");
			mcn_request_start(&req);
			for (int s = 0; s < k; s++)
				CHECK_OK(mcn_loop_step(loop, 5));
			net_done(&req);
			mcn_channel_free(channel);
		}

	/* refused at start: on the queue of finished ones */
	{
		mcn_channel *channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(endpoints[1]), MCW_LIT(""), NULL, NULL, &error);
		mcn_request req;

		net_request(&req, channel, "bad method", "/");
		mcn_request_start(&req);
		CHECK(req.active);
		net_done(&req);
		CHECK_OK(mcn_loop_step(loop, 0));
		mcn_channel_free(channel);
	}
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
}

typedef struct crowd
{
	mcn_request *reqs;
	int			n;
	int			done;
	mcn_channel *channel;
} crowd;

/* the first to finish cancels everybody else, also those already finished */
static void
cancel_all(mcn_request *req)
{
	crowd	   *c = req->owner;

	c->done++;
	CHECK(!req->active);
	for (int i = 0; i < c->n; i++)
	{
		net_done(&c->reqs[i]);
		memset(&c->reqs[i], 0x5a, sizeof(c->reqs[i]));
	}
}

static void
test_cancel_in_on_done(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 100}};
	net_rig		rig;
	mcn_request reqs[20];
	crowd		c = {reqs, 20, 0, NULL};

	net_rig_init(&rig, steps, 1);
	for (int round = 0; round < 5; round++)
	{
		c.done = 0;
		for (int i = 0; i < 20; i++)
		{
			/* some fail before they begin, and so finish in one turn */
			net_request(&reqs[i], rig.channel, round % 2 ? "bad method" : "GET", "/");
			reqs[i].owner = &c;
			reqs[i].on_done = cancel_all;
			mcn_request_start(&reqs[i]);
		}
		while (c.done == 0)
			CHECK_OK(mcn_loop_step(rig.loop, 1000));
		CHECK_OK(mcn_loop_step(rig.loop, 10));
		CHECK_INT(c.done, 1);
	}
	net_rig_free(&rig);
}

/* the channel goes away with the last request */
static void
free_channel(mcn_request *req)
{
	crowd	   *c = req->owner;

	if (--c->n == 0)
	{
		mcn_channel_free(c->channel);
		c->channel = NULL;
	}
}

static void
test_free_in_on_done(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 100}};
	net_rig		rig;
	mcn_request reqs[4];
	crowd		c = {reqs, 4, 0, NULL};

	net_rig_init(&rig, steps, 1);
	c.channel = mcn_channel_create(rig.loop, &mcw_malloc, mcw_str(rig.server.url), MCW_LIT(""), NULL, NULL, &rig.error);
	for (int i = 0; i < 4; i++)
	{
		net_request(&reqs[i], c.channel, "GET", "/");
		reqs[i].owner = &c;
		reqs[i].on_done = free_channel;
		mcn_request_start(&reqs[i]);
	}
	while (c.channel)
		CHECK_OK(mcn_loop_step(rig.loop, 1000));
	for (int i = 0; i < 4; i++)
		net_done(&reqs[i]);
	net_rig_free(&rig);
}

/* Channel or loop freed under running requests; their owners cancel afterwards. */
static void
test_teardown(void)
{
	static const net_step steps[] = {{ACT_STALL_BODY, 0, 1000}};

	for (int order = 0; order < 3; order++)
		for (int k = 0; k < 6; k++)
		{
			net_rig		rig;
			mcn_request reqs[3];

			net_rig_init(&rig, steps, 1);
			for (int i = 0; i < 3; i++)
			{
				net_request(&reqs[i], rig.channel, i == 2 ? "bad method" : "GET", "/");
				mcn_request_start(&reqs[i]);
			}
			for (int i = 0; i < k; i++)
				CHECK_OK(mcn_loop_step(rig.loop, 5));
			if (order == 0)
				mcn_loop_free(rig.loop);
			else if (order == 1)
				mcn_channel_free(rig.channel);
			for (int i = 0; i < 3; i++)
			{
				CHECK(order == 2 || !reqs[i].active);
				net_done(&reqs[i]);
			}
			if (order == 0)
			{
				/* the channel cannot do anything any more, and says so */
				mcn_request req;

				net_request(&req, rig.channel, "GET", "/");
				CHECK_INT(net_go(&req), MCW_ERR_INTERRUPTED);
				net_done(&req);
			}
			if (order != 1)
				mcn_channel_free(rig.channel);
			if (order != 0)
				mcn_loop_free(rig.loop);
			CHECK_INT(rig.host.fds, 0);
			net_stop(&rig.server);
		}
}

static void
test_interrupt(void)
{
	static const net_step kinds[] = {
		{ACT_STALL_HEADERS}, {ACT_STALL_BODY, 0, 1000}, {ACT_STALL_READ}, {ACT_STATUS, 503, 0, "Retry-After: 50\r\n"},
		{ACT_DRIP, 0, 100000}
	};
	char	   *big = calloc(1, 20 * 1000 * 1000);

	for (size_t kind = 0; kind < 5; kind++)
	{
		net_rig		rig;
		mcn_request req;
		int64_t		begin = mcn_now_us();

		net_rig_init(&rig, &kinds[kind], 1);
		net_request(&req, rig.channel, "POST", "/");
		req.body = (mcw_view) {big, 20 * 1000 * 1000};
		mcn_request_start(&req);
		rig.host.interrupt_at_us = begin + 150000;
		CHECK_INT(mcn_request_wait(&req), MCW_ERR_INTERRUPTED);
		CHECK(mcn_now_us() - begin < 5000000);
		CHECK(req.active);
		CHECK_INT(mcn_loop_step(rig.loop, -1), MCW_ERR_INTERRUPTED);

		/* the host may go on */
		rig.host.interrupt_at_us = 0;
		CHECK_OK(mcn_loop_step(rig.loop, 0));
		CHECK(req.active);
		CHECK(mcn_channel_stats(rig.channel)->wait_us > 0);
		net_done(&req);
		net_rig_free(&rig);
	}
	free(big);
}

static void
sleep_idle(net_rig *rig)
{
	struct pollfd p = {mcn_loop_fd(rig->loop), POLLIN, 0};

	CHECK_INT(poll(&p, 1, 50), 0);
}

/* A host that waits on the descriptor itself and only then steps, without waiting */
static void
test_foreign_wait(void)
{
	static const net_step steps[] = {
		{ACT_OK, 0, 3000000}, {ACT_STATUS, 503}, {ACT_RESET_EARLY}, {ACT_STALL_HEADERS}, {ACT_DRIP, 0, 5}, {ACT_ECHO}
	};
	net_rig		rig;
	mcn_request req;
	int			copy;
	char	   *big = calloc(1, 5 * 1000 * 1000);

	net_rig_init(&rig, steps, 6);
	rig.options.stall_timeout_ms = 150;
	net_rig_options(&rig);
	copy = dup(mcn_loop_fd(rig.loop));
	for (int i = 0; i < 4; i++)
	{
		struct pollfd p = {copy, POLLIN, 0};

		net_request(&req, rig.channel, i == 3 ? "bad method" : "POST", "/");
		if (i == 2)
			req.body = (mcw_view) {big, 5 * 1000 * 1000};
		mcn_request_start(&req);
		while (req.active)
		{
			if (!CHECK_INT(poll(&p, 1, 20000), 1))
				break;
			CHECK_OK(mcn_loop_step(rig.loop, 0));
		}
		CHECK_INT(req.status, i == 3 ? MCW_ERR_ARGUMENT : MCW_OK);
		net_done(&req);
	}
	CHECK_OK(mcn_loop_step(rig.loop, 0));
	sleep_idle(&rig);			/* nothing to do: not readable */
	CHECK_INT(mcn_channel_stats(rig.channel)->wait_us, 0);
	(void) close(copy);
	net_rig_free(&rig);
	free(big);
}

static void
timed_transfers(net_rig *rig, int n, size_t upload, const char *what, int64_t bytes)
{
	mcn_request *reqs = calloc(n, sizeof(*reqs));
	char	   *body = calloc(1, upload + 1);
	int64_t		begin = mcn_now_us();
	int64_t		took;
	int64_t		want = bytes * 1000000 / rig->options.rate_limit;

	for (int i = 0; i < n; i++)
	{
		net_request(&reqs[i], rig->channel, upload ? "PUT" : "GET", "/");
		reqs[i].body = (mcw_view) {body, upload};
		mcn_request_start(&reqs[i]);
	}
	for (int i = 0; i < n; i++)
		CHECK_OK(mcn_request_wait(&reqs[i]));
	took = mcn_now_us() - begin;
	/* never faster than agreed; the upper bound only says that it does not hang */
	if (!CHECK(took >= want * 85 / 100) || !CHECK(took < want * 5 + 3000000))
		printf("    %s: %lld us for %lld us\n", what, (long long) took, (long long) want);
	CHECK(mcn_channel_stats(rig->channel)->rate_us > 0);
	CHECK(mcn_channel_stats(rig->channel)->rate_us <= took);
	for (int i = 0; i < n; i++)
		net_done(&reqs[i]);
	free(reqs);
	free(body);
}

static void
test_rate_limit(void)
{
	static const net_step download[] = {{ACT_OK, 0, 400000}};
	static const net_step upload[] = {{ACT_ECHO}};
	net_rig		rig;

	net_rig_init(&rig, download, 1);
	rig.options.rate_limit = 2000000;
	rig.options.stall_timeout_ms = 1000;
	net_rig_options(&rig);
	timed_transfers(&rig, 4, 0, "download", 1600000);
	net_rig_free(&rig);

	net_rig_init(&rig, upload, 1);
	rig.options.rate_limit = 2000000;
	net_rig_options(&rig);
	timed_transfers(&rig, 3, 500000, "upload", 1500000);
	/* small bodies go out whole; their start is what waits */
	net_rig_options(&rig);
	timed_transfers(&rig, 30, 50000, "small uploads", 29 * 50000);
	net_rig_free(&rig);
}

/* Cancel while held back by the rate limit, in both forms */
static void
test_rate_cancel(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 1000000}};
	net_rig		rig;
	mcn_request reqs[6];
	static char body[50000];

	net_rig_init(&rig, steps, 1);
	rig.options.rate_limit = 20000;
	net_rig_options(&rig);
	for (int i = 0; i < 6; i++)
	{
		net_request(&reqs[i], rig.channel, "PUT", "/");
		reqs[i].body = (mcw_view) {body, i % 2 ? 0 : sizeof(body)};
		mcn_request_start(&reqs[i]);
	}
	for (int i = 0; i < 10; i++)
		CHECK_OK(mcn_loop_step(rig.loop, 10));
	CHECK(mcn_channel_stats(rig.channel)->rate_us > 0);	/* while it is still held back */
	for (int i = 0; i < 6; i++)
	{
		CHECK(reqs[i].active);
		net_done(&reqs[i]);
	}
	CHECK(mcn_channel_stats(rig.channel)->rate_us > 0);
	net_rig_free(&rig);
}

static volatile sig_atomic_t signals;
static pthread_t main_thread;
static volatile sig_atomic_t elsewhere;

static void
on_signal(int number)
{
	signals++;
	if (!pthread_equal(pthread_self(), main_thread))
		elsewhere++;
}

/* The resolver thread must not take the host's signals. */
static void
test_signals(void)
{
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	mcn_options options = mcn_default_options;
	mcw_error	error;
	mcn_channel *channel;
	mcn_request reqs[30];
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t	mask;

	main_thread = pthread_self();
	(void) sigaction(SIGUSR1, &action, NULL);
	options.max_retries = 0;
	channel = mcn_channel_create(loop, &mcw_malloc, MCW_LIT("http://no-such-host.invalid"), MCW_LIT(""), &options, NULL, &error);
	for (int i = 0; i < 30; i++)
	{
		net_request(&reqs[i], channel, "GET", "/");
		mcn_request_start(&reqs[i]);
		(void) mcn_loop_step(loop, 0);
		(void) pthread_sigmask(SIG_BLOCK, NULL, &mask);
		CHECK(!sigismember(&mask, SIGUSR1));	/* given back */
		(void) sigemptyset(&mask);
		(void) sigaddset(&mask, SIGUSR1);
		(void) pthread_sigmask(SIG_BLOCK, &mask, NULL);
		(void) kill(getpid(), SIGUSR1);	/* any thread that has it unblocked may take it */
		(void) usleep(1000);
		(void) pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	}
	for (int i = 0; i < 30; i++)
	{
		CHECK_INT(mcn_request_wait(&reqs[i]), MCW_ERR_CONNECT);
		net_done(&reqs[i]);
	}
	CHECK_INT(signals, 30);
	CHECK_INT(elsewhere, 0);
	(void) signal(SIGUSR1, SIG_DFL);
	mcn_channel_free(channel);
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
}

static const unit_case cases[] = {
	{"cancel anywhere", test_cancel_anywhere},
	{"cancel early", test_cancel_early},
	{"cancel in on_done", test_cancel_in_on_done},
	{"free in on_done", test_free_in_on_done},
	{"teardown", test_teardown},
	{"interrupt", test_interrupt},
	{"foreign wait", test_foreign_wait},
	{"rate limit", test_rate_limit},
	{"rate cancel", test_rate_cancel},
	{"signals", test_signals},
};

UNIT_MAIN(cases)
