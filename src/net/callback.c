/*
 * callback.c
 *		The callbacks libcurl calls for one transfer, and the store of response
 *		headers.
 *
 * They only append bytes, note times and set flags: no callback of a request runs
 * from here, nothing is raised, and no libcurl function is called except getinfo.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "mcn_private.h"

static size_t
break_off(mcn_transfer *transfer, mcw_status status, const char *what)
{
	transfer->broken = status;
	(void) mcw_fail(&transfer->req->error, status, "answer of %s: %s",
					transfer->req->channel->peer, what);
	return 0;
}

/* A body that is handed out while it comes? */
static bool
is_stream(const mcn_transfer *transfer)
{
	return transfer->req->window > 0 && transfer->answer / 100 == 2;
}

/* Room for the whole body at once when its length is known; a length above the limit ends it here. */
static bool
reserve_body(mcn_transfer *transfer)
{
	mcw_buf    *response = &transfer->req->response;
	curl_off_t	length = -1;

	if (curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) != CURLE_OK ||
		length <= 0)
		return true;
	if ((uint64_t) length > response->max)
	{
		transfer->broken = MCW_ERR_LIMIT;
		(void) mcw_fail(&transfer->req->error, MCW_ERR_LIMIT,
						"answer of %s has %lld bytes, the limit is %zu",
						transfer->req->channel->peer, (long long) length, response->max);
		return false;
	}
	/* nothing to keep: a block of the right size instead of one grown by doubling */
	if (response->len == 0 && response->cap < (size_t) length)
		mcw_buf_free(response);
	if (mcw_buf_grow(response, (size_t) length) != MCW_OK)
	{
		(void) break_off(transfer, MCW_ERR_NOMEM, "out of memory");
		return false;
	}
	return true;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	mcn_transfer *transfer = arg;
	mcn_request *req = transfer->req;
	mcn_rate   *rate = &req->channel->rate;
	size_t		len = size * count;
	mcw_status	status;

	if (transfer->broken != MCW_OK)
		return 0;				/* libcurl delivered what a pause had held back, and that failed */
	transfer->activity_us = mcn_now_us();
	if (is_stream(transfer) && req->response.len > 0 && req->response.len + len > req->window)
	{
		transfer->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (rate->bytes_per_s > 0)
	{
		int64_t		at = mcn_rate_ready_at(rate, transfer->activity_us);

		if (at > 0)
		{
			transfer->paused = true;
			transfer->due_us = at;
			mcn_rate_block(transfer, transfer->activity_us);
			return CURL_WRITEFUNC_PAUSE;
		}
		mcn_rate_take(rate, (int64_t) len, transfer->activity_us);
	}
	if (transfer->received == 0 && !is_stream(transfer) && !reserve_body(transfer))
		return 0;
	transfer->received += len;
	req->channel->stats.bytes_in += len;
	status = mcw_buf_append(&req->response, data, len);
	if (status == MCW_ERR_LIMIT)
	{
		transfer->broken = status;
		(void) mcw_fail(&req->error, status, "answer of %s is longer than the limit of %zu bytes",
						req->channel->peer, req->response.max);
		return 0;
	}
	if (status != MCW_OK)
		return break_off(transfer, status, "out of memory");
	return len;
}

/*
 * One line of the header section, also of trailers.  A status line starts a new
 * answer (after "100 Continue"), which forgets the lines before it.  Lines are
 * kept in req->headers, each followed by a newline.
 */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	mcn_transfer *transfer = arg;
	mcn_request *req = transfer->req;
	size_t		len = size * count;
	size_t		keep = len;

	transfer->activity_us = mcn_now_us();
	while (keep > 0 && (data[keep - 1] == '\r' || data[keep - 1] == '\n'))
		keep--;
	if (keep >= 5 && memcmp(data, "HTTP/", 5) == 0 && transfer->received == 0)
	{
		mcw_buf_reset(&req->headers);
		transfer->header_lines = 0;
		transfer->headers_ready = false;
		return len;
	}
	if (keep == 0)
	{
		long		code = 0;

		(void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
		transfer->headers_ready = code >= 200;
		transfer->answer = transfer->headers_ready ? (int) code : 0;
		return len;
	}
	if (++transfer->header_lines > MCN_MAX_HEADER_LINES ||
		req->headers.len + keep + 1 > req->headers.max)
		return break_off(transfer, MCW_ERR_LIMIT, "header section is too long");
	if (mcw_buf_append(&req->headers, data, keep) != MCW_OK ||
		mcw_buf_append_char(&req->headers, '\n') != MCW_OK)
		return break_off(transfer, MCW_ERR_NOMEM, "out of memory");
	return len;
}

static size_t
on_read(char *out, size_t size, size_t count, void *arg)
{
	mcn_transfer *transfer = arg;
	mcn_request *req = transfer->req;
	mcn_rate   *rate = &req->channel->rate;
	size_t		room = size * count;
	size_t		left = req->body.len - transfer->body_pos;

	if (left == 0)
		return 0;
	if (room > left)
		room = left;
	if (rate->bytes_per_s > 0)
	{
		int64_t		now = mcn_now_us();
		int64_t		at = mcn_rate_ready_at(rate, now);

		if (at > 0)
		{
			transfer->paused = true;
			transfer->due_us = at;
			mcn_rate_block(transfer, now);
			return CURL_READFUNC_PAUSE;
		}
		room = (size_t) mcn_rate_piece(rate, (int64_t) room);
		mcn_rate_take(rate, (int64_t) room, now);
	}
	memcpy(out, req->body.data + transfer->body_pos, room);
	transfer->body_pos += room;
	return room;
}

static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	mcn_transfer *transfer = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t) offset > transfer->req->body.len)
		return CURL_SEEKFUNC_FAIL;
	transfer->body_pos = (size_t) offset;
	return CURL_SEEKFUNC_OK;
}

/* Seen by the stall timer: bytes of a long upload leave without any other callback. */
static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	mcn_transfer *transfer = arg;

	if (ulnow != transfer->upload_seen)
	{
		transfer->upload_seen = ulnow;
		transfer->activity_us = mcn_now_us();
	}
	return 0;
}

/*
 * Connections are pooled for all channels: one that a trusted channel opened may be
 * about to carry the request of another, for which the address was never judged.
 */
static const char *
deny_peer(mcn_transfer *transfer, const char *ip)
{
	const mcn_hooks *hooks = &transfer->loop->hooks;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (hooks->deny_address == NULL)
		return NULL;
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		return hooks->deny_address(hooks->ctx, transfer->req->channel, &v4, sizeof(v4));
	if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
		return hooks->deny_address(hooks->ctx, transfer->req->channel, &v6, sizeof(v6));
	return "its address is not known";
}

/*
 * libcurl is about to send the request.  It does that a second time by itself when
 * a kept-alive connection turns out to be dead; repeating is our decision.
 */
static int
on_issue(void *arg, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
	mcn_transfer *transfer = arg;
	const char *reason;

	if (transfer->issued++ > 0)
	{
		transfer->stale = true;
		return CURL_PREREQFUNC_ABORT;
	}
	reason = deny_peer(transfer, peer_ip);
	if (reason)
	{
		transfer->broken = mcw_fail(&transfer->req->error, MCW_ERR_DENIED, "connection to %s is not allowed: %s",
									transfer->req->channel->peer, reason);
		return CURL_PREREQFUNC_ABORT;
	}
	mcn_transfer_started(transfer);
	transfer->activity_us = mcn_now_us();
	transfer->req->sent = true;
	return CURL_PREREQFUNC_OK;
}

CURLcode
mcn_callbacks_install(mcn_transfer *transfer)
{
	CURL	   *easy = transfer->easy;
	int			rc = 0;

	rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	rc |= curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	rc |= curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	rc |= curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_issue);
	rc |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, mcn_on_open_socket);
	rc |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, mcn_on_close_socket);
	rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->loop);
	return rc == 0 ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* The next stored line at *pos that is a header; blanks around the value are not part of it */
static bool
next_header(const mcn_request *req, size_t *pos, mcw_pair *header)
{
	while (*pos < req->headers.len)
	{
		const char *line = req->headers.data + *pos;
		const char *stop = memchr(line, '\n', req->headers.len - *pos);
		const char *colon = memchr(line, ':', stop - line);
		mcw_view   *value = &header->value;

		*pos = (size_t) (stop + 1 - req->headers.data);
		if (!colon)
			continue;
		header->name = (mcw_view) {line, (size_t) (colon - line)};
		*value = (mcw_view) {colon + 1, (size_t) (stop - colon - 1)};
		while (value->len > 0 && (*value->data == ' ' || *value->data == '\t'))
		{
			value->data++;
			value->len--;
		}
		while (value->len > 0 && (value->data[value->len - 1] == ' ' || value->data[value->len - 1] == '\t'))
			value->len--;
		return true;
	}
	return false;
}

mcw_view
mcn_response_header(const mcn_request *req, const char *name)
{
	mcw_view	wanted = mcw_str(name);
	size_t		pos = 0;
	mcw_pair	header;

	while (next_header(req, &pos, &header))
		if (mcw_view_ieq(header.name, wanted))
			return header.value;
	return (mcw_view) {NULL, 0};
}

int
mcn_response_headers(const mcn_request *req, const char *prefix, mcw_pair *pairs, int max)
{
	mcw_view	wanted = mcw_str(prefix);
	size_t		pos = 0;
	mcw_pair	header;
	int			n = 0;

	while (next_header(req, &pos, &header))
	{
		if (header.name.len < wanted.len ||
			!mcw_view_ieq((mcw_view) {header.name.data, wanted.len}, wanted))
			continue;
		if (n < max)
			pairs[n] = header;
		n++;
	}
	return n;
}

int
mcn_response_status(const mcn_request *req)
{
	return req->transfer ? req->transfer->answer : req->http_status;
}
