/*
 * request.c
 *		Life of a request: start, attempts, back-off, end, cancel.
 *
 * on_done runs from mcn_run_done only, with the request off all lists, so that it
 * may start, cancel or free whatever it likes.
 */
#include <stdio.h>

#include "mcn_private.h"

void
mcn_request_init(mcn_request *req, mcn_channel *channel)
{
	memset(req, 0, sizeof(*req));
	req->channel = channel;
}

static int64_t
min_due(int64_t a, int64_t b)
{
	return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

int64_t
mcn_request_due(const mcn_request *req)
{
	const mcn_transfer *transfer = req->transfer;
	const mcn_options *options = &req->channel->options;
	int64_t		due = min_due(req->deadline_us, transfer->due_us);

	if (transfer->phase != MCN_RUNNING)
		return due;
	if (transfer->unwatched)
		return 1;
	if (options->stall_timeout_ms > 0 && transfer->activity_us != 0 && !transfer->paused && !transfer->held)
		due = min_due(due, transfer->activity_us + (int64_t) options->stall_timeout_ms * 1000);
	if (req->total_timeout_ms > 0)
		due = min_due(due, transfer->attempt_us + (int64_t) req->total_timeout_ms * 1000);
	return due;
}

/* Off the running list, transfer back to the pool, no longer counted. */
static void
release(mcn_request *req)
{
	mcn_transfer *transfer = req->transfer;

	if (transfer == NULL)
		return;
	mcn_rate_unblock(transfer, mcn_now_us());
	mcn_transfer_stop(transfer);
	req->transfer = NULL;
	mcn_list_remove(&transfer->loop->running, req);
	mcn_transfer_put(transfer);
}

void
mcn_request_detach(mcn_request *req)
{
	if (!req->active)
		return;
	if (req->transfer)
		release(req);
	else
		mcn_list_remove(&req->channel->loop->done, req);
	req->active = false;
	req->channel->active--;
}

void
mcn_request_cancel(mcn_request *req)
{
	if (req->active)
	{
		mcn_request_detach(req);
		req->status = mcw_fail(&req->error, MCW_ERR_INTERRUPTED, "request cancelled");
	}
	if (req->headers.alloc)
		mcw_buf_free(&req->headers);
	mcn_secret_release(req->secret);
	req->secret = NULL;
}

/* It is over: req->error says how; on_done follows in a moment. */
static void
complete(mcn_request *req, mcw_status status)
{
	mcn_loop   *loop = req->channel->loop;

	release(req);
	req->status = status;
	if (status == MCW_OK)
		memset(&req->error, 0, sizeof(req->error));
	else if (req->error.status == MCW_OK)
		req->error.status = status;
	mcn_list_push(&loop->done, req);
}

bool
mcn_run_done(mcn_loop *loop)
{
	bool		any = false;
	mcn_request *req;

	while ((req = loop->done.head) != NULL)
	{
		any = true;
		mcn_list_remove(&loop->done, req);
		req->active = false;
		req->channel->active--;
		if (req->on_done)
			req->on_done(req);
	}
	return any;
}

static void
begin_attempt(mcn_request *req)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;
	int64_t		now = mcn_now_us();
	int64_t		ready = mcn_rate_ready_at(&channel->rate, now);
	mcw_error	err = {0};		/* req->error still tells why the attempt before failed */
	mcw_status	status;

	if (ready > 0)
	{
		transfer->phase = MCN_RATE_START;
		transfer->due_us = ready;
		mcn_rate_block(transfer, now);
		return;
	}
	mcn_rate_unblock(transfer, now);
	transfer->phase = MCN_IDLE;
	if (channel->credentials)
	{
		mcn_supply	supply = mcn_credentials_take(req, now, &err);

		if (supply == MCN_SUPPLY_LATER)
		{
			transfer->phase = MCN_CREDENTIALS;
			transfer->due_us = 0;
			return;
		}
		if (supply == MCN_SUPPLY_FAILED)
		{
			req->error = err;
			complete(req, err.status);
			return;
		}
	}
	status = mcn_transfer_begin(transfer, &err);
	if (status != MCW_OK)
	{
		req->error = err;
		complete(req, status);
	}
}

/* Again after a pause, unless the limits of the request forbid it. */
static void
retry_or_give_up(mcn_request *req, mcn_verdict verdict)
{
	mcn_transfer *transfer = req->transfer;
	mcn_channel *channel = req->channel;
	const mcn_options *options = &channel->options;
	int64_t		now = mcn_now_us();
	int64_t		elapsed = now - transfer->first_us;
	int64_t		delay = mcn_backoff_us(req, verdict);

	/* a dead kept-alive connection, or a key that ended, is no failure of the service: once more in any case */
	if (req->attempts > options->max_retries + (verdict == MCN_STALE || verdict == MCN_ENDED) ||
		(options->retry_max_elapsed_ms > 0 &&
		 elapsed + delay > (int64_t) options->retry_max_elapsed_ms * 1000) ||
		(req->deadline_us != 0 && now + delay >= req->deadline_us))
	{
		size_t		len = strlen(req->error.message);

		(void) snprintf(req->error.message + len, sizeof(req->error.message) - len,
						" (gave up after %d attempt%s in %.1f s)",
						req->attempts, req->attempts == 1 ? "" : "s", elapsed / 1e6);
		complete(req, req->error.status);
		return;
	}
	channel->stats.retries++;
	channel->stats.backoff_us += delay;
	transfer->fresh = verdict == MCN_STALE;
	transfer->phase = MCN_BACKOFF;
	transfer->due_us = now + delay;
	if (delay == 0)
		begin_attempt(req);
}

static void
conclude(mcn_request *req, mcn_verdict verdict)
{
	if (verdict == MCN_SUCCESS)
		complete(req, MCW_OK);
	else if (verdict == MCN_FINAL ||
			 ((verdict == MCN_LOST || verdict == MCN_STALE) &&
			  ((req->no_retry_after_send && req->sent) || req->transfer->taken)))
		complete(req, req->error.status);
	else
		retry_or_give_up(req, verdict);
}

/* What the attempt leaves behind in the counters, whatever became of it. */
static void
account(mcn_request *req)
{
	mcn_transfer *transfer = req->transfer;
	mcn_stats  *stats = &req->channel->stats;
	curl_off_t	sent = 0;
	long		code = 0;
	int64_t		date;

	if (transfer->by_callback)
		sent = (curl_off_t) transfer->body_pos;
	else
		(void) curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	stats->bytes_out += sent;
	(void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
	req->http_status = transfer->headers_ready ? (int) code : 0;
	if (req->http_status != 0 && mcw_parse_http_date(mcn_response_header(req, "Date"), &date))
	{
		stats->last_date = date;
		stats->last_date_at_us = mcn_now_us();
	}
}

void
mcn_request_finished(mcn_request *req, CURLcode result)
{
	account(req);
	mcn_transfer_stop(req->transfer);
	conclude(req, mcn_judge(req, result));
}

void
mcn_request_timer(mcn_request *req, int64_t now)
{
	mcn_transfer *transfer = req->transfer;
	mcn_loop   *loop = transfer->loop;

	if (req->deadline_us != 0 && req->deadline_us <= now)
	{
		if (transfer->phase == MCN_RUNNING)
			account(req);
		conclude(req, mcn_judge_timeout(req, now));
	}
	else if (transfer->phase == MCN_BACKOFF || transfer->phase == MCN_RATE_START)
		begin_attempt(req);
	else if (!transfer->unwatched && transfer->paused && transfer->due_us <= now)
	{
		int64_t		ready = mcn_rate_ready_at(&req->channel->rate, now);

		if (ready > 0)
		{
			transfer->due_us = ready;
			return;
		}
		/* behind the others, so that the one at the head does not take it all */
		mcn_list_remove(&loop->running, req);
		mcn_list_push(&loop->running, req);
		mcn_transfer_resume(transfer, now);
		loop->finished = true;
	}
	else
	{
		account(req);
		mcn_transfer_stop(transfer);
		conclude(req, mcn_judge_timeout(req, now));
	}
}

void
mcn_request_start(mcn_request *req)
{
	mcn_channel *channel = req->channel;
	mcn_loop   *loop = channel->loop;

	if (req->active)
		mcn_request_detach(req);
	memset(&req->error, 0, sizeof(req->error));
	req->status = MCW_OK;
	req->attempts = 0;
	req->http_status = 0;
	req->sent = false;
	if (loop == NULL)
	{
		req->status = mcw_fail(&req->error, MCW_ERR_INTERRUPTED, "the event loop was closed");
		return;
	}
	req->active = true;
	channel->active++;
	if (req->response.alloc == NULL)
		req->status = mcw_fail(&req->error, MCW_ERR_ARGUMENT, "request to %s has no buffer for the answer", channel->peer);
	else if ((req->is_head || mcw_view_eq(req->http.method, MCW_LIT("HEAD"))) &&
			 (req->body.len > 0 || req->chunked))
		req->status = mcw_fail(&req->error, MCW_ERR_ARGUMENT, "HEAD request to %s has a body", channel->peer);
	else if ((req->transfer = mcn_transfer_get(loop, channel)) == NULL)
		req->status = mcw_fail(&req->error, MCW_ERR_NOMEM, "out of memory for a request to %s", channel->peer);
	if (req->status != MCW_OK)
	{
		mcn_list_push(&loop->done, req);
		mcn_loop_arm(loop);
		return;
	}
	if (req->headers.alloc == NULL)
		mcw_buf_init(&req->headers, req->response.alloc, MCN_MAX_HEADER_BYTES);
	req->transfer->req = req;
	req->transfer->first_us = mcn_now_us();
	req->transfer->fresh = false;
	req->transfer->renewed = false;
	req->transfer->asked = false;
	mcn_list_push(&loop->running, req);
	if (req->start_after_us > req->transfer->first_us)
	{
		req->transfer->phase = MCN_BACKOFF;
		req->transfer->due_us = req->start_after_us;
	}
	else
		begin_attempt(req);
	if (req->transfer && req->transfer->phase == MCN_RUNNING)
		mcn_loop_kick(loop);
	mcn_loop_arm(loop);
}

/* ---- streamed bodies ---- */

void
mcn_response_take(mcn_request *req, mcw_buf *into)
{
	mcn_transfer *transfer = req->transfer;
	mcw_buf		full = req->response;

	req->response = *into;
	req->response.len = 0;
	*into = full;
	if (transfer == NULL)
		return;
	/* what was taken cannot be asked for a second time */
	transfer->taken |= full.len > 0;
	if (!transfer->held)
		return;
	mcn_transfer_resume(transfer, mcn_now_us());
	transfer->loop->finished = true;
	mcn_loop_arm(transfer->loop);
}
