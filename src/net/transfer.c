/*
 * transfer.c
 *		One attempt of a request as a libcurl easy handle: options, request target and
 *		header lines exactly as signed.  Easy handles are pooled.
 */
#include <ctype.h>
#include <stdio.h>

#include "mcn_private.h"

#define MCN_POOL_SAME_CHANNEL 8 /* how far to look for a handle that needs no new set-up */

void
mcn_transfer_free(mcn_transfer *transfer)
{
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	mcw_buf_free(&transfer->scratch);
	mcw_buf_free(&transfer->lines);
	mcw_free(&mcw_malloc, transfer, sizeof(*transfer));
}

mcn_transfer *
mcn_transfer_get(mcn_loop *loop, const mcn_channel *channel)
{
	mcn_transfer *transfer;
	mcn_transfer **link = &loop->pool;

	for (int i = 0; *link && i < MCN_POOL_SAME_CHANNEL; i++, link = &(*link)->next)
	{
		if ((*link)->channel_serial == channel->serial)
			break;
	}
	if (*link == NULL || (*link)->channel_serial != channel->serial)
		link = &loop->pool;
	transfer = *link;
	if (transfer)
	{
		*link = transfer->next;
		loop->npool--;
		return transfer;
	}
	transfer = mcw_new0(&mcw_malloc, sizeof(*transfer));
	if (transfer == NULL)
		return NULL;
	transfer->loop = loop;
	mcw_buf_init(&transfer->scratch, &mcw_malloc, MCN_SCRATCH_SIZE);
	mcw_buf_init(&transfer->lines, &mcw_malloc, MCN_MAX_LINES);
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || mcw_buf_grow(&transfer->scratch, MCN_SCRATCH_SIZE) != MCW_OK)
	{
		mcn_transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

void
mcn_transfer_put(mcn_transfer *transfer)
{
	mcn_loop   *loop = transfer->loop;

	transfer->req = NULL;
	transfer->phase = MCN_IDLE;
	if (loop->npool >= MCN_POOL_MAX)
	{
		mcn_transfer_free(transfer);
		return;
	}
	transfer->next = loop->pool;
	loop->pool = transfer;
	loop->npool++;
}

void
mcn_transfer_started(mcn_transfer *transfer)
{
	if (transfer->starting)
	{
		transfer->starting = false;
		transfer->loop->starting--;
	}
}

void
mcn_transfer_stop(mcn_transfer *transfer)
{
	if (transfer->phase != MCN_RUNNING)
		return;
	transfer->phase = MCN_IDLE;
	transfer->loop->in_multi--;
	(void) curl_multi_remove_handle(transfer->loop->multi, transfer->easy);
	mcn_transfer_started(transfer);
	if (transfer->address_tried)
		mcn_sockets_check(transfer->loop);
}

/* After a pause; bytes libcurl held back are delivered from here. */
void
mcn_transfer_resume(mcn_transfer *transfer, int64_t now)
{
	transfer->paused = false;
	transfer->held = false;
	transfer->due_us = 0;
	transfer->activity_us = now;
	mcn_rate_unblock(transfer, now);
	(void) curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

/*
 * What is the same for all requests of a channel.  Only verified TLS, only http and
 * https, nothing from ~/.netrc, no proxy from the environment, no redirects, no
 * cookies, no content decoding.
 */
static int
set_channel_options(mcn_transfer *transfer, const mcn_channel *channel)
{
	CURL	   *easy;
	const mcn_options *options = &channel->options;
	int			rc = 0;

	/*
	 * A handle whose name resolution failed keeps its download buffer, and
	 * libcurl then refuses CURLOPT_BUFFERSIZE: take a new handle.
	 */
	curl_easy_reset(transfer->easy);
	if (curl_easy_setopt(transfer->easy, CURLOPT_BUFFERSIZE, (long) MCN_DOWNLOAD_BUFFER) != CURLE_OK)
	{
		easy = curl_easy_init();
		if (easy == NULL)
			return 1;
		curl_easy_cleanup(transfer->easy);
		transfer->easy = easy;
	}
	easy = transfer->easy;
	rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
	rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	rc |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
	rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	rc |= curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	rc |= curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy ? options->proxy : "");
	rc |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (options->ca_file)
	{
		rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
		rc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, MCN_USER_AGENT);
	rc |= curl_easy_setopt(easy, CURLOPT_URL, channel->url);
	rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
						   options->connect_timeout_ms > 0 ? (long) options->connect_timeout_ms : 86400000L);
	rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
						   (long) mcn_rate_piece(&channel->rate, MCN_DOWNLOAD_BUFFER));
	rc |= mcn_callbacks_install(transfer);
	if (rc == 0)
		transfer->channel_serial = channel->serial;
	return rc;
}

static bool
is_token(mcw_view name)
{
	for (size_t i = 0; i < name.len; i++)
	{
		unsigned char c = name.data[i];

		if (!isalnum(c) && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return name.len > 0;
}

static bool
is_line(mcw_view value)
{
	return memchr(value.data ? value.data : "", '\r', value.len) == NULL &&
		memchr(value.data ? value.data : "", '\n', value.len) == NULL &&
		memchr(value.data ? value.data : "", '\0', value.len) == NULL;
}

/* One header line; a ';' instead of ": value" is libcurl's way to send an empty value. */
static void
add_line(mcn_transfer *transfer, size_t *offsets, int *n, mcw_view name, mcw_view value)
{
	offsets[(*n)++] = transfer->lines.len;
	(void) mcw_buf_append_view(&transfer->lines, name);
	if (value.len == 0)
		(void) mcw_buf_append_char(&transfer->lines, ';');
	else
	{
		(void) mcw_buf_append(&transfer->lines, ": ", 2);
		(void) mcw_buf_append_view(&transfer->lines, value);
	}
	(void) mcw_buf_append_char(&transfer->lines, '\0');
}

static void
add_text(mcn_transfer *transfer, size_t *offsets, int *n, const char *line)
{
	offsets[(*n)++] = transfer->lines.len;
	(void) mcw_buf_append(&transfer->lines, line, strlen(line) + 1);
}

/*
 * The caller's headers as they are, without those that describe the framing of the
 * body (ours), plus lines that keep libcurl from adding its own.
 */
static mcw_status
add_headers(mcn_transfer *transfer, size_t *offsets, int *n, mcw_error *err)
{
	mcn_request *req = transfer->req;
	const mcw_request *http = &req->http;
	bool		has_host = false;
	bool		has_type = false;
	bool		has_accept = false;

	for (int i = 0; i < http->nheaders; i++)
	{
		mcw_view	name = http->headers[i].name;
		mcw_view	value = http->headers[i].value;

		if (!is_token(name) || !is_line(value))
			return mcw_fail(err, MCW_ERR_ARGUMENT, "header \"%.*s\" cannot be sent: line break or NUL in it",
							is_token(name) ? (int) name.len : 1, is_token(name) ? name.data : "?");
		if (mcw_view_ieq(name, MCW_LIT("Content-Length")) ||
			mcw_view_ieq(name, MCW_LIT("Transfer-Encoding")))
			continue;
		has_host |= mcw_view_ieq(name, MCW_LIT("Host"));
		has_type |= mcw_view_ieq(name, MCW_LIT("Content-Type"));
		has_accept |= mcw_view_ieq(name, MCW_LIT("Accept"));
		add_line(transfer, offsets, n, name, value);
	}
	if (!has_host)
		add_line(transfer, offsets, n, MCW_LIT("Host"), mcw_str(req->channel->host));
	if (!has_type)
		add_text(transfer, offsets, n, "Content-Type:");
	if (!has_accept)
		add_text(transfer, offsets, n, "Accept:");
	add_text(transfer, offsets, n, "Expect:");
	if (req->chunked)
		add_text(transfer, offsets, n, "Transfer-Encoding: chunked");
	return MCW_OK;
}

/* lines: target NUL method NUL header NUL header NUL ... */
static mcw_status
build_lines(mcn_transfer *transfer, size_t *method_at, mcw_error *err)
{
	mcn_request *req = transfer->req;
	mcw_buf    *lines = &transfer->lines;
	size_t		offsets[MCW_MAX_HEADERS + 8];
	int			n = 0;
	mcw_status	status;

	mcw_buf_reset(lines);
	if (!is_token(req->http.method))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "request method is missing or malformed");
	if (req->channel->absolute_target)
		(void) mcw_buf_append_str(lines, req->channel->shown);
	status = mcw_request_target(&req->http, lines);
	if (status != MCW_OK)
		return mcw_fail(err, status, "request target for %s is too long or malformed", req->channel->peer);
	(void) mcw_buf_append_char(lines, '\0');
	*method_at = lines->len;
	(void) mcw_buf_append_view(lines, req->http.method);
	(void) mcw_buf_append_char(lines, '\0');
	status = add_headers(transfer, offsets, &n, err);
	if (status != MCW_OK)
		return status;
	if (lines->failed)
		return mcw_fail(err, MCW_ERR_LIMIT, "target and headers of a request to %s exceed %d bytes",
						req->channel->peer, MCN_MAX_LINES);
	for (int i = 0; i < n; i++)
	{
		transfer->headers[i].data = lines->data + offsets[i];
		transfer->headers[i].next = i + 1 < n ? &transfer->headers[i + 1] : NULL;
	}
	return MCW_OK;
}

/*
 * The body.  A small one is given to libcurl as a block, which puts it into one
 * packet with the headers; a large one is read piece by piece, never copied as a
 * whole.
 */
static int
set_body(mcn_transfer *transfer, const char *method)
{
	CURL	   *easy = transfer->easy;
	mcn_request *req = transfer->req;
	bool		head = req->is_head || strcmp(method, "HEAD") == 0;
	bool		posts = req->body.len > 0 || req->chunked ||
		strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
	const char *natural = head ? "HEAD" : posts ? "POST" : "GET";
	int			rc = 0;

	transfer->by_callback = req->chunked || req->body.len > MCN_SMALL_BODY;
	rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	rc |= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_NOBODY, head ? 1L : 0L);
	rc |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, transfer->by_callback ? 0L : 1L);
	if (posts && !head)
	{
		rc |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
		rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
							   req->chunked ? (curl_off_t) -1 : (curl_off_t) req->body.len);
		if (!transfer->by_callback)
			rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body.len > 0 ? req->body.data : "");
		else
			rc |= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
								   req->body.len < MCN_UPLOAD_BUFFER ? (long) MCN_SMALL_BODY : (long) MCN_UPLOAD_BUFFER);
	}
	rc |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, strcmp(method, natural) == 0 ? NULL : method);
	return rc;
}

static void
reset_attempt(mcn_transfer *transfer)
{
	mcn_request *req = transfer->req;

	transfer->attempt_us = mcn_now_us();
	transfer->activity_us = 0;
	transfer->due_us = 0;
	transfer->body_pos = 0;
	transfer->upload_seen = 0;
	transfer->received = 0;
	transfer->issued = 0;
	transfer->header_lines = 0;
	transfer->headers_ready = false;
	transfer->paused = false;
	transfer->held = false;
	transfer->taken = false;
	transfer->answer = 0;
	transfer->stale = false;
	transfer->address_tried = false;
	transfer->unwatched = 0;
	transfer->denied = NULL;
	transfer->broken = MCW_OK;
	transfer->curl_error[0] = '\0';
	mcw_buf_reset(&transfer->scratch);
	mcw_buf_reset(&req->response);
	mcw_buf_reset(&req->headers);
	req->http_status = 0;
}

/*
 * Begin one attempt: let the caller sign, then hand over to libcurl.  An error is
 * one that would come back on every attempt.
 */
mcw_status
mcn_transfer_begin(mcn_transfer *transfer, mcw_error *err)
{
	mcn_request *req = transfer->req;
	mcn_channel *channel = req->channel;
	size_t		method_at = 0;
	mcw_status	status;
	int			rc = 0;

	reset_attempt(transfer);
	if (req->prepare)
	{
		status = req->prepare(req, &transfer->scratch, err);
		if (status == MCW_OK && transfer->scratch.failed)
			status = mcw_fail(err, MCW_ERR_LIMIT, "headers of a request to %s exceed %d bytes",
							  channel->peer, MCN_SCRATCH_SIZE);
		if (status != MCW_OK)
			return status;
	}
	req->sent = false;
	status = build_lines(transfer, &method_at, err);
	if (status != MCW_OK)
		return status;
	if (transfer->channel_serial != channel->serial)
		rc = set_channel_options(transfer, channel);
	rc |= curl_easy_setopt(transfer->easy, CURLOPT_REQUEST_TARGET, transfer->lines.data);
	rc |= curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	rc |= curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, transfer->fresh ? 1L : 0L);
	rc |= set_body(transfer, transfer->lines.data + method_at);
	if (rc != 0)
	{
		transfer->channel_serial = 0;
		return mcw_fail(err, MCW_ERR_NOMEM, "libcurl refused the request to %s: out of memory or an unusable option",
						channel->peer);
	}
	if (curl_multi_add_handle(transfer->loop->multi, transfer->easy) != CURLM_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "libcurl refused the request to %s", channel->peer);
	transfer->phase = MCN_RUNNING;
	transfer->loop->in_multi++;
	transfer->starting = true;
	transfer->loop->starting++;
	transfer->fresh = false;
	req->attempts++;
	channel->stats.requests++;
	if (req->body.len > 0 && !transfer->by_callback)
		mcn_rate_take(&channel->rate, (int64_t) req->body.len, transfer->attempt_us);
	return MCW_OK;
}
