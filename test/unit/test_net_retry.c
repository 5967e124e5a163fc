/*
 * test_net_retry.c
 *		net: attempts that fail, what is repeated, and the words of the error.
 */
#include <sys/time.h>

#include "net_server.h"

static const mcn_retry_rule rules[] = {
	{"slowdown", 403, MCN_RETRY_SLOW},
	{"fatal", 5, MCN_RETRY_NO},
	{"busy", 0, MCN_RETRY_YES},
	{NULL, 404, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO}
};

/* the code is what the test put into the answer's x-code header */
static void
explain_header(mcn_request *req, mcw_error *err)
{
	mcw_view	code = mcn_response_header(req, "x-code");

	CHECK_INT(err->status, MCW_ERR_SERVICE);
	CHECK_VIEW(mcw_buf_view(&req->response), mcw_str("{\"code\":\"Test\"}"));
	(void) snprintf(err->code, sizeof(err->code), "%.*s", (int) code.len, code.data ? code.data : "");
}

typedef struct expectation
{
	net_step	step;
	int			requests;		/* the server sees, with max_retries 2 */
	mcw_status	status;
	int			http;
	const char *words;
} expectation;

static void
test_verdicts(void)
{
	static const expectation all[] = {
		{{ACT_STATUS, 500}, 3, MCW_ERR_SERVICE, 500, "HTTP 500 (gave up after 3 attempts"},
		{{ACT_STATUS, 503}, 3, MCW_ERR_SERVICE, 503, "HTTP 503 (gave up after 3 attempts"},
		{{ACT_STATUS, 429, 0, "Retry-After: 0\r\n"}, 3, MCW_ERR_SERVICE, 429, "gave up after 3"},
		{{ACT_STATUS, 400}, 1, MCW_ERR_SERVICE, 400, "HTTP 400"},
		{{ACT_STATUS, 403}, 1, MCW_ERR_SERVICE, 403, "HTTP 403"},
		{{ACT_STATUS, 404}, 3, MCW_ERR_SERVICE, 404, "gave up after 3"},
		{{ACT_STATUS, 403, 0, "x-code: SlowDown\r\n"}, 3, MCW_ERR_SERVICE, 403, "gave up after 3"},
		{{ACT_STATUS, 500, 0, "x-code: Fatal\r\n"}, 1, MCW_ERR_SERVICE, 500, "HTTP 500"},
		{{ACT_STATUS, 400, 0, "x-code: BUSY\r\n"}, 3, MCW_ERR_SERVICE, 400, "gave up after 3"},
		{{ACT_STATUS, 302, 0, "Location: http://127.0.0.1:1/secret\r\n"}, 1, MCW_ERR_SERVICE, 302, "redirects are not followed"},
		{{ACT_STATUS, 307, 0, "Location: /b\r\n"}, 1, MCW_ERR_SERVICE, 307, "redirects are not followed"},
		{{ACT_RESET_EARLY}, 3, MCW_ERR_CONNECT, 0, "lost before the answer (gave up after 3 attempts"},
		{{ACT_RESET_HEADERS}, 3, MCW_ERR_CONNECT, 0, "lost before the answer"},
		{{ACT_RESET_BODY, 0, 1000}, 3, MCW_ERR_CONNECT, 200, "lost after 500 bytes of the answer"},
		{{ACT_TRUNCATE, 0, 1000}, 3, MCW_ERR_CONNECT, 200, "lost after 500 bytes of the answer"},
		{{ACT_STALL_HEADERS}, 3, MCW_ERR_TIMEOUT, 0, "no byte to or from 127.0.0.1:"},
		{{ACT_STALL_BODY, 0, 1000}, 3, MCW_ERR_TIMEOUT, 200, "for 0.1 s (500 bytes of the answer so far)"},
		{{ACT_STALL_READ}, 3, MCW_ERR_TIMEOUT, 0, "no byte to or from"},
		{{ACT_GARBAGE}, 3, MCW_ERR_PROTOCOL, 0, "not valid HTTP"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		net_rig		rig;
		mcn_request req;
		char	   *big = calloc(1, 30 * 1000 * 1000);

		net_rig_init(&rig, &all[i].step, 1);
		rig.rules = rules;
		rig.options.max_retries = 2;
		/* a busy machine must not stall what should not */
		if (all[i].status == MCW_ERR_TIMEOUT)
			rig.options.stall_timeout_ms = 120;
		net_rig_options(&rig);
		net_request(&req, rig.channel, "PUT", "/secretpath");
		CHECK_OK(mcw_request_param(&req.http, MCW_LIT("sig"), MCW_LIT("secret")));
		CHECK_OK(mcw_request_header(&req.http, MCW_LIT("Authorization"), MCW_LIT("secret")));
		req.explain = explain_header;
		if (all[i].step.act == ACT_STALL_READ)
			req.body = (mcw_view) {big, 30 * 1000 * 1000};
		if (!CHECK_INT(net_go(&req), all[i].status) ||
			!CHECK_INT(rig.server.requests, all[i].requests) ||
			!CHECK_INT(req.attempts, all[i].requests) ||
			!CHECK_INT(req.http_status, all[i].http) ||
			!CHECK(strstr(req.error.message, all[i].words) != NULL) ||
			!CHECK(strstr(req.error.message, "secret") == NULL))
			printf("    case %zu: %s\n", i, req.error.message);
		CHECK_INT(req.error.status, all[i].status);
		CHECK_INT(req.error.http_status, all[i].status == MCW_ERR_SERVICE ? all[i].http : 0);
		CHECK(req.sent);
		CHECK_INT(mcn_channel_stats(rig.channel)->retries, all[i].requests - 1);
		net_done(&req);
		net_rig_free(&rig);
		free(big);
	}
}

static void
test_recovers(void)
{
	static const net_step steps[] = {
		{ACT_STATUS, 503}, {ACT_RESET_EARLY}, {ACT_TRUNCATE, 0, 1000}, {ACT_ECHO}
	};
	net_rig		rig;
	mcn_request req;
	char		want[128];
	size_t		len = 3 * 1000 * 1000;

	for (int chunked = 0; chunked < 2; chunked++)
	{
		char	   *body = malloc(len);

		memset(body, 'b', len);
		net_rig_init(&rig, steps, 4);
		net_request(&req, rig.channel, "POST", "/x");
		req.body = (mcw_view) {body, len};
		req.chunked = chunked;
		CHECK_OK(net_go(&req));
		CHECK_INT(req.attempts, 4);
		CHECK_INT(req.error.status, MCW_OK);
		CHECK_STR(req.error.message, "");
		(void) snprintf(want, sizeof(want), "POST /x %zu %08x %s", len, mcw_crc32c(0, body, len), chunked ? "chunked" : "sized");
		CHECK_VIEW(mcw_buf_view(&req.response), mcw_str(want));
		CHECK_INT(mcn_channel_stats(rig.channel)->requests, 4);
		CHECK_INT(mcn_channel_stats(rig.channel)->retries, 3);
		net_done(&req);
		net_rig_free(&rig);
		free(body);
	}
}

/*
 * Six requests, a fault at every attempt index in turn, for every kind of fault:
 * all succeed, with the right bytes, and nothing is sent more often than needed.
 */
static void
test_fault_sweep(void)
{
	static const net_step faults[] = {
		{ACT_STATUS, 503}, {ACT_STATUS, 500}, {ACT_RESET_EARLY}, {ACT_RESET_HEADERS}, {ACT_RESET_BODY, 0, 4000},
		{ACT_TRUNCATE, 0, 4000}, {ACT_STALL_HEADERS}, {ACT_STALL_BODY, 0, 4000}, {ACT_GARBAGE}, {ACT_CLOSE, 0, 3000},
		{ACT_DROP_IDLE, 0, 3000}
	};

	for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
		for (int k = 0; k < 6; k++)
		{
			net_step	steps[7];
			net_rig		rig;
			bool		harmless = faults[f].act == ACT_CLOSE || faults[f].act == ACT_DROP_IDLE;

			for (int i = 0; i < 7; i++)
				steps[i] = i == k ? faults[f] : (net_step) {ACT_OK, 0, 3000};
			net_rig_init(&rig, steps, 7);
			rig.options.stall_timeout_ms = 150;
			net_rig_options(&rig);
			for (int i = 0; i < 6; i++)
			{
				mcn_request req;

				net_request(&req, rig.channel, "GET", "/");
				if (!CHECK_OK(net_go(&req)) || !CHECK_INT(req.response.len, 3000))
					printf("    fault %zu at %d: %s\n", f, k, req.error.message);
				net_done(&req);
			}
			CHECK_INT(rig.server.requests, harmless ? 6 : 7);
			net_rig_free(&rig);
		}
}

static void
test_not_idempotent(void)
{
	static const expectation all[] = {
		{{ACT_STATUS, 500}, 1}, {{ACT_STATUS, 502}, 1}, {{ACT_STATUS, 503}, 4}, {{ACT_STATUS, 429}, 4},
		{{ACT_RESET_EARLY}, 1}, {{ACT_RESET_BODY, 0, 100}, 1}, {{ACT_STALL_HEADERS}, 1}, {{ACT_TRUNCATE, 0, 100}, 1}
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		net_rig		rig;
		mcn_request req;

		net_rig_init(&rig, &all[i].step, 1);
		rig.options.stall_timeout_ms = 100;
		net_rig_options(&rig);
		net_request(&req, rig.channel, "POST", "/");
		req.no_retry_after_send = true;
		CHECK(net_go(&req) != MCW_OK);
		CHECK(req.sent);
		CHECK_INT(rig.server.requests, all[i].requests);
		net_done(&req);
		net_rig_free(&rig);
	}
}

/* A kept-alive connection that dies under a request: repeated at once, or not at all if it must not be. */
static void
test_stale_connection(void)
{
	static const net_step steps[] = {{ACT_DROP_IDLE, 0, 10}};

	for (int once = 0; once < 2; once++)
	{
		net_rig		rig;
		mcn_request req;

		net_rig_init(&rig, steps, 1);
		net_request(&req, rig.channel, "POST", "/");
		CHECK_OK(net_go(&req));
		req.no_retry_after_send = once;
		if (once)
		{
			CHECK_INT(net_go(&req), MCW_ERR_CONNECT);
			CHECK(req.sent);
			CHECK_INT(req.attempts, 1);
			CHECK_INT(rig.server.requests, 1);
		}
		else
		{
			CHECK_OK(net_go(&req));
			CHECK_INT(req.attempts, 2);
			CHECK_INT(rig.server.requests, 2);
			CHECK_INT(mcn_channel_stats(rig.channel)->backoff_us, 0);
		}
		net_done(&req);
		net_rig_free(&rig);
	}
}

/* A dead kept-alive connection is not a failed attempt: the request is sent also when nothing may be retried. */
static void
test_stale_without_retries(void)
{
	static const net_step steps[] = {{ACT_DROP_IDLE, 0, 10}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	rig.options.max_retries = 0;
	net_rig_options(&rig);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_OK(net_go(&req));
	CHECK_OK(net_go(&req));
	CHECK_INT(req.attempts, 2);
	CHECK_INT(rig.server.requests, 2);
	net_done(&req);
	net_rig_free(&rig);
}

static mcw_status
accept_counting(mcn_request *req, mcw_error *err)
{
	int		   *left = req->owner;

	if (*left == 0)
		return MCW_OK;
	if (--*left < 100)
		return mcw_fail(err, MCW_ERR_CHECKSUM, "checksum of the answer is wrong");
	return mcw_fail(err, MCW_ERR_RANGE, "not wanted");
}

static void
test_accept(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 10}};
	net_rig		rig;
	mcn_request req;
	int			left = 2;

	net_rig_init(&rig, steps, 1);
	net_request(&req, rig.channel, "GET", "/");
	req.owner = &left;
	req.accept = accept_counting;
	CHECK_OK(net_go(&req));
	CHECK_INT(req.attempts, 3);
	left = 50;
	CHECK_INT(net_go(&req), MCW_ERR_CHECKSUM);
	CHECK_INT(req.attempts, 4);
	CHECK(strstr(req.error.message, "checksum of the answer is wrong (gave up after 4 attempts") != NULL);
	left = 1000;
	CHECK_INT(net_go(&req), MCW_ERR_RANGE);
	CHECK_INT(req.attempts, 1);
	net_done(&req);
	net_rig_free(&rig);
}

static mcw_status
prepare_fails(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	int		   *calls = req->owner;

	if (++*calls < 3)
		return MCW_OK;
	return mcw_fail(err, MCW_ERR_ARGUMENT, "no credentials");
}

static mcw_status
prepare_floods(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	for (int i = 0; i < 10000; i++)
		(void) mcw_buf_append_str(scratch, "0123456789");
	return MCW_OK;
}

static void
test_prepare(void)
{
	static const net_step steps[] = {{ACT_STATUS, 500}};
	net_rig		rig;
	mcn_request req;
	int			calls = 0;

	net_rig_init(&rig, steps, 1);
	net_request(&req, rig.channel, "GET", "/");
	req.owner = &calls;
	req.prepare = prepare_fails;
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	CHECK_STR(req.error.message, "no credentials");
	CHECK_INT(rig.server.requests, 2);
	req.prepare = prepare_floods;
	CHECK_INT(net_go(&req), MCW_ERR_LIMIT);
	CHECK_INT(rig.server.requests, 2);
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_retry_after(void)
{
	static const net_step steps[] = {
		{ACT_STATUS, 503, 0, "Retry-After: 1\r\n"}, {ACT_OK, 0, 5},
		{ACT_STATUS, 429, 0, "Retry-After: Wed, 15 Nov 2023 06:13:20 GMT\r\n"}, {ACT_OK, 0, 5},
		{ACT_STATUS, 429, 0, "Retry-After: 100000\r\n"},
	};
	net_rig		rig;
	mcn_request req;
	int64_t		planned;

	net_rig_init(&rig, steps, 5);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_OK(net_go(&req));
	planned = mcn_channel_stats(rig.channel)->backoff_us;
	CHECK(planned >= 1000000 && planned <= 1100000);
	CHECK_OK(net_go(&req));
	CHECK(mcn_channel_stats(rig.channel)->backoff_us - planned <= 100000);	/* a date gone by */
	CHECK_INT(mcn_channel_stats(rig.channel)->throttled, 1);
	planned = mcn_channel_stats(rig.channel)->backoff_us;
	mcn_request_start(&req);
	while (mcn_channel_stats(rig.channel)->backoff_us == planned && CHECK_OK(mcn_loop_step(rig.loop, 1000)))
		continue;
	planned = mcn_channel_stats(rig.channel)->backoff_us - planned;
	CHECK(planned >= 60000000 && planned <= 60100000);	/* capped */
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_limits_of_retry(void)
{
	static const net_step steps[] = {{ACT_STATUS, 500}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	rig.options.max_retries = 1000;
	rig.options.retry_max_elapsed_ms = 300;
	net_rig_options(&rig);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_INT(net_go(&req), MCW_ERR_SERVICE);
	CHECK(req.attempts < 1000);
	CHECK(strstr(req.error.message, "gave up after ") != NULL);

	/* a deadline that has no room for the next pause ends it with the last cause */
	rig.options.retry_max_elapsed_ms = 0;
	net_rig_options(&rig);
	req.channel = rig.channel;
	req.deadline_us = mcn_now_us() + 300000;
	CHECK_INT(net_go(&req), MCW_ERR_SERVICE);
	CHECK(mcn_now_us() < req.deadline_us + 5000000);
	net_done(&req);

	rig.options.max_retries = 0;
	net_rig_options(&rig);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_INT(net_go(&req), MCW_ERR_SERVICE);
	CHECK_INT(req.attempts, 1);
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_timeouts(void)
{
	static const net_step steps[] = {{ACT_STALL_HEADERS}, {ACT_DRIP, 0, 100000}, {ACT_STALL_HEADERS}};
	net_rig		rig;
	mcn_request req;
	int64_t		begin = mcn_now_us();

	net_rig_init(&rig, steps, 3);
	net_request(&req, rig.channel, "GET", "/");
	req.deadline_us = mcn_now_us() + 200000;
	CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
	CHECK(strstr(req.error.message, "deadline") != NULL);
	CHECK_INT(req.attempts, 1);

	/* a drip is no stall, but the attempt has its own limit */
	rig.options.max_retries = 0;
	rig.options.stall_timeout_ms = 2000;
	net_rig_options(&rig);
	req.channel = rig.channel;
	req.deadline_us = 0;
	req.total_timeout_ms = 400;
	CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
	CHECK(strstr(req.error.message, "took longer than 0.4 s") != NULL);
	CHECK(req.response.len > 0);

	req.deadline_us = mcn_now_us() - 1;
	CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
	CHECK(mcn_now_us() - begin < 20000000);
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_no_connection(void)
{
	static const net_step steps[] = {{ACT_OK}};
	static const char *const endpoints[] = {"http://127.0.0.1:1", "http://no-such-host.invalid"};
	static const char *const words[] = {
		"could not connect to 127.0.0.1:1: Connection refused (gave up after 3 attempts",
		"could not resolve the host name of no-such-host.invalid:80 (gave up after 3 attempts"
	};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	rig.options.max_retries = 2;
	for (int i = 0; i < 2; i++)
	{
		mcn_channel *channel = mcn_channel_create(rig.loop, &mcw_malloc, mcw_str(endpoints[i]), MCW_LIT(""), &rig.options, NULL, &rig.error);

		net_request(&req, channel, "GET", "/");
		req.no_retry_after_send = true;	/* nothing was sent */
		CHECK_INT(net_go(&req), MCW_ERR_CONNECT);
		CHECK(!req.sent);
		if (!CHECK(strncmp(req.error.message, words[i], strlen(words[i])) == 0))
			printf("    %s\n", req.error.message);
		net_done(&req);
		mcn_channel_free(channel);
	}
	net_rig_free(&rig);
}

/* A full accept queue: the handshake is never answered. */
static void
test_connect_timeout(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t	len = sizeof(addr);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);
	int			fill[8];
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	mcn_options options = mcn_default_options;
	mcn_channel *channel;
	mcn_request req;
	mcw_error	error;
	char		url[64];

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(listener, (struct sockaddr *) &addr, len), 0);
	CHECK_INT(listen(listener, 0), 0);
	CHECK_INT(getsockname(listener, (struct sockaddr *) &addr, &len), 0);
	for (int i = 0; i < 8; i++)
	{
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void) connect(fill[i], (struct sockaddr *) &addr, len);
	}
	(void) snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(addr.sin_port));
	options.connect_timeout_ms = 150;
	options.max_retries = 1;
	channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(url), MCW_LIT(""), &options, NULL, &error);
	net_request(&req, channel, "GET", "/");
	CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
	CHECK(!req.sent);
	CHECK_INT(req.attempts, 2);
	CHECK(strstr(req.error.message, "could not connect to 127.0.0.1:") != NULL);
	CHECK(strstr(req.error.message, "within 0.1") != NULL || strstr(req.error.message, "within 0.2") != NULL);
	net_done(&req);
	mcn_channel_free(channel);
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
	for (int i = 0; i < 8; i++)
		(void) close(fill[i]);
	(void) close(listener);
}

static void
test_denied(void)
{
	static const net_step steps[] = {{ACT_OK}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	rig.host.deny = "private addresses are excluded";
	net_request(&req, rig.channel, "GET", "/");
	CHECK_INT(net_go(&req), MCW_ERR_DENIED);
	CHECK_INT(req.attempts, 1);
	CHECK(strstr(req.error.message, "private addresses are excluded") != NULL);
	CHECK_INT(rig.server.connections, 0);
	rig.host.deny = NULL;
	CHECK_OK(net_go(&req));
	net_done(&req);
	net_rig_free(&rig);
}

/* The deadline passes in a later attempt: the cause of the one before is told too. */
static void
test_deadline_tells_cause(void)
{
	static const net_step steps[] = {{ACT_STATUS, 503}, {ACT_STALL_HEADERS}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 2);
	net_request(&req, rig.channel, "GET", "/");
	req.deadline_us = mcn_now_us() + 1000000;
	CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
	CHECK(strstr(req.error.message, "deadline (attempt 2); before: 127.0.0.1:") != NULL);
	CHECK(strstr(req.error.message, "HTTP 503") != NULL);
	net_done(&req);
	net_rig_free(&rig);
}

/* The epoll set fails under us: an error, not a hang. */
static void
test_broken_set(void)
{
	static const net_step steps[] = {{ACT_OK}};
	net_rig		rig;
	mcn_request req;
	FILE	   *null = fopen("/dev/null", "r");

	net_rig_init(&rig, steps, 1);
	rig.options.max_retries = 1;
	net_rig_options(&rig);
	CHECK(dup2(fileno(null), mcn_loop_fd(rig.loop)) >= 0);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_INT(net_go(&req), MCW_ERR_CONNECT);
	CHECK(strstr(req.error.message, "could not wait for 127.0.0.1:") != NULL);
	CHECK_INT(req.attempts, 2);
	net_done(&req);
	net_rig_free(&rig);
	(void) fclose(null);
}

/* Every allocation of the caller's allocator fails once. */
static mcw_status
one_request(const mcw_alloc *alloc, void *arg)
{
	net_rig    *rig = arg;
	mcw_error	error = {0};
	mcn_channel *channel = mcn_channel_create(rig->loop, alloc, mcw_str(rig->server.url), MCW_LIT(""), NULL, NULL, &error);
	mcn_request req;
	mcw_status	status;

	if (!channel)
		return error.status;
	mcn_request_init(&req, channel);
	mcw_buf_init(&req.response, alloc, 100000);
	req.http.method = MCW_LIT("GET");
	req.http.path = MCW_LIT("/");
	status = net_go(&req);
	CHECK_INT(req.attempts, 1);
	net_done(&req);
	mcn_channel_free(channel);
	return status;
}

static void
test_out_of_memory(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 30000}, {ACT_CHUNKED, 0, 30000}};

	for (int i = 0; i < 2; i++)
	{
		net_rig		rig;

		net_rig_init(&rig, &steps[i], 1);
		unit_torture(one_request, &rig);
		net_rig_free(&rig);
	}
}

static const unit_case cases[] = {
	{"deadline tells cause", test_deadline_tells_cause},
	{"broken set", test_broken_set},
	{"out of memory", test_out_of_memory},
	{"verdicts", test_verdicts},
	{"recovers", test_recovers},
	{"fault sweep", test_fault_sweep},
	{"not idempotent", test_not_idempotent},
	{"stale connection", test_stale_connection},
	{"stale connection without retries", test_stale_without_retries},
	{"accept", test_accept},
	{"prepare", test_prepare},
	{"Retry-After", test_retry_after},
	{"limits of retry", test_limits_of_retry},
	{"timeouts", test_timeouts},
	{"no connection", test_no_connection},
	{"connect timeout", test_connect_timeout},
	{"denied", test_denied},
};

UNIT_MAIN(cases)
