/*
 * test_net_stream.c
 *		Bodies read as a stream (member 'window' of a request): bounded memory, pauses
 *		that are no stalls, lost connections before and after bytes were taken, errors,
 *		rate limit, cancel.
 */
#include "net_server.h"

#define WINDOW ((size_t) 1 << 20)

static void
stream_request(mcn_request *req, mcn_channel *channel, size_t window)
{
	net_request(req, channel, "GET", "/stream");
	req->window = window;
}

/* Step until there is something to take or the request is over */
static void
await(net_rig *rig, mcn_request *req)
{
	while (req->active && (mcn_response_status(req) / 100 != 2 || req->response.len == 0))
		if (mcn_loop_step(rig->loop, 1000) != MCW_OK)
			return;
}

/* The server's pattern: a..z, begun again every 65526 bytes */
static bool
matches(mcw_view part, size_t offset)
{
	for (size_t i = 0; i < part.len; i++)
		if (part.data[i] != (char) ('a' + (offset + i) % 65526 % 26))
			return false;
	return true;
}

static size_t
read_all(net_rig *rig, mcn_request *req, size_t *most)
{
	mcw_buf		spare;
	size_t		total = 0;

	mcw_buf_init(&spare, &mcw_malloc, req->response.max);
	for (;;)
	{
		await(rig, req);
		if (req->response.len > *most)
			*most = req->response.len;
		if (req->response.len == 0)
			break;
		mcn_response_take(req, &spare);
		if (!CHECK(matches(mcw_buf_view(&spare), total)))
			break;
		total += spare.len;
		spare.len = 0;
	}
	mcw_buf_free(&spare);
	return total;
}

static void
test_all(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 20000000}, {ACT_CHUNKED, 0, 20000000}, {ACT_OK, 0, 0}, {ACT_OK, 0, 10}};
	net_rig		rig;

	net_rig_init(&rig, steps, 4);
	for (int k = 0; k < 4; k++)
	{
		size_t		size = steps[k].size;
		size_t		most = 0;
		mcn_request req;

		rig.server.steps = steps + k;
		rig.server.nsteps = 1;
		stream_request(&req, rig.channel, WINDOW);
		mcn_request_start(&req);
		CHECK_INT(read_all(&rig, &req, &most), size);
		CHECK_OK(req.status);
		CHECK_INT(req.http_status, 200);
		CHECK_INT(mcn_response_status(&req), 200);
		CHECK_INT(req.attempts, 1);
		CHECK(most <= WINDOW);
		net_done(&req);
	}
	net_rig_free(&rig);
}

/* The transfer waits for us longer than the stall limit; then the server for longer than that */
static void
test_pause(void)
{
	static const net_step step = {ACT_OK, 0, 20000000};
	static const net_step stall = {ACT_STALL_BODY, 0, 20000000};
	net_rig		rig;
	mcn_request req;
	size_t		most = 0;
	int64_t		until;

	net_rig_init(&rig, &step, 1);
	rig.options.stall_timeout_ms = 300;
	net_rig_options(&rig);
	stream_request(&req, rig.channel, WINDOW);
	mcn_request_start(&req);
	until = mcn_now_us() + 1000000;
	while (mcn_now_us() < until)
		(void) mcn_loop_step(rig.loop, 50);
	CHECK(req.active);
	CHECK(req.response.len > 0 && req.response.len <= WINDOW);
	CHECK_INT(mcn_channel_stats(rig.channel)->requests, 1);
	CHECK_INT(read_all(&rig, &req, &most), 20000000);
	CHECK_OK(req.status);
	net_done(&req);

	rig.server.steps = &stall;
	stream_request(&req, rig.channel, WINDOW);
	mcn_request_start(&req);
	CHECK_INT(read_all(&rig, &req, &most), 10000000);
	CHECK_INT(req.status, MCW_ERR_TIMEOUT);
	CHECK_INT(req.attempts, 1);
	net_done(&req);
	net_rig_free(&rig);
}

/* Repeated while nothing was taken, not after that; what had come stays readable */
static void
test_lost(void)
{
	static const net_step early[] = {{ACT_RESET_EARLY}, {ACT_TRUNCATE, 0, 1000}, {ACT_STATUS, 503}, {ACT_OK, 0, 5000000}};
	static const net_step late[] = {{ACT_TRUNCATE, 0, 6000000}, {ACT_OK, 0, 10}};
	net_rig		rig;
	mcn_request req;
	size_t		most = 0;

	net_rig_init(&rig, early, 4);
	stream_request(&req, rig.channel, WINDOW);
	mcn_request_start(&req);
	/* nothing is taken before the last attempt, whose window is full */
	while (req.active && (req.attempts < 4 || req.response.len < WINDOW / 2))
		(void) mcn_loop_step(rig.loop, 100);
	CHECK_INT(read_all(&rig, &req, &most), 5000000);
	CHECK_OK(req.status);
	CHECK_INT(req.attempts, 4);
	net_done(&req);
	net_rig_free(&rig);

	net_rig_init(&rig, late, 2);
	stream_request(&req, rig.channel, WINDOW);
	mcn_request_start(&req);
	CHECK_INT(read_all(&rig, &req, &most), 3000000);
	CHECK_INT(req.status, MCW_ERR_CONNECT);
	CHECK_INT(req.attempts, 1);
	CHECK_INT(rig.server.requests, 1);
	net_done(&req);
	net_rig_free(&rig);
}

/* An answer that refuses is read as a whole, however small the window */
static void
test_refused(void)
{
	static const net_step step = {ACT_STATUS, 404};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, &step, 1);
	stream_request(&req, rig.channel, 4);
	CHECK_INT(net_go(&req), MCW_ERR_SERVICE);
	CHECK_INT(req.http_status, 404);
	CHECK_INT(mcn_response_status(&req), 404);
	CHECK_VIEW(mcw_buf_view(&req.response), MCW_LIT("{\"code\":\"Test\"}"));
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_rate(void)
{
	static const net_step step = {ACT_OK, 0, 1500000};
	net_rig		rig;
	mcn_request req;
	size_t		most = 0;
	int64_t		began = mcn_now_us();

	net_rig_init(&rig, &step, 1);
	rig.options.rate_limit = 2000000;
	net_rig_options(&rig);
	stream_request(&req, rig.channel, 300000);
	mcn_request_start(&req);
	CHECK_INT(read_all(&rig, &req, &most), 1500000);
	CHECK_OK(req.status);
	CHECK(mcn_now_us() - began > 500000);
	CHECK(most <= 300000);
	net_done(&req);
	net_rig_free(&rig);
}

/* Cancelled while it is paused, and while the host wants to stop */
static void
test_cancel(void)
{
	static const net_step step = {ACT_OK, 0, 20000000};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, &step, 1);
	stream_request(&req, rig.channel, WINDOW);
	mcn_request_start(&req);
	rig.host.interrupt_at_us = mcn_now_us() + 300000;
	CHECK_INT(net_go(&req), MCW_ERR_INTERRUPTED);
	CHECK(req.active);
	CHECK(req.response.len <= WINDOW);
	mcn_request_cancel(&req);
	CHECK(!req.active);
	rig.host.interrupt_at_us = 0;
	net_done(&req);
	net_rig_free(&rig);
}

static const unit_case cases[] = {
	{"streams", test_all},
	{"pause", test_pause},
	{"lost", test_lost},
	{"refused", test_refused},
	{"rate", test_rate},
	{"cancel", test_cancel},
};

UNIT_MAIN(cases)
