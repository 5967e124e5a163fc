/*
 * conn.c
 *		mc-emulator: one connection's request cycle.
 *
 * A connection handles one request at a time: its head is copied and parsed, the
 * body collected, the service called, the answer written with sendmsg straight
 * from the service's buffer or shared blob.  Requests received meanwhile wait in
 * the input buffer.  The transport faults of the plan act here.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "conn.h"

#define MAX_HEAD 65536
#define READ_STEP 65536
#define ARENA_MAX ((size_t) 2 << 30)

uint64_t	emu_max_body = (uint64_t) 256 << 20;
int64_t		emu_latency_ms = 0;

static uint64_t next_serial = 0;

void
emu_conn_init(conn *c)
{
	mcw_buf_init(&c->body, &mcw_malloc, emu_max_body);
	mcw_arena_init(&c->arena, &mcw_malloc, ARENA_MAX);
	emu_response_init(&c->resp);
}

void
emu_conn_release(conn *c)
{
	emu_response_free(&c->resp);
	mcw_arena_reset(&c->arena);
	mcw_buf_free(&c->body);
	free(c->head_text);
	c->head_text = NULL;
	free(c->out_head);
	c->out_head = NULL;
	memset(&c->req, 0, sizeof(c->req));
}

static const char *
reason_phrase(int status)
{
	static const struct
	{
		int			status;
		const char *text;
	}			reasons[] = {
		{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {206, "Partial Content"},
		{301, "Moved Permanently"}, {302, "Found"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
		{304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
		{404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
		{411, "Length Required"}, {412, "Precondition Failed"}, {413, "Content Too Large"},
		{415, "Unsupported Media Type"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
		{503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

static bool
has_header(const emu_response *resp, const char *name)
{
	for (int i = 0; i < resp->nheaders; i++)
		if (strcasecmp(resp->headers[i].name, name) == 0)
			return true;
	return false;
}

/* Serialize the head; the body stays where it is. */
static void
response_ready(conn *c)
{
	emu_response *r = &c->resp;
	mcw_buf		head;
	char		date[32];

	if (r->blob)
	{
		c->out_body = r->blob->data;
		c->out_body_len = r->blob_len;
	}
	else
	{
		c->out_body = r->body.data;
		c->out_body_len = r->body.len;
	}
	mcw_buf_init(&head, &mcw_malloc, 1 << 20);
	mcw_buf_printf(&head, "HTTP/1.1 %d %s\r\n", r->status, reason_phrase(r->status));
	for (int i = 0; i < r->nheaders; i++)
	{
		mcw_buf_append_str(&head, r->headers[i].name);
		mcw_buf_append_str(&head, ": ");
		mcw_buf_append_str(&head, r->headers[i].value);
		mcw_buf_append_str(&head, "\r\n");
	}
	if (!has_header(r, "Date"))
	{
		mcw_http_date(emu_now_us() / 1000000, date);
		mcw_buf_printf(&head, "Date: %s\r\n", date);
	}
	if (r->status != 204 && r->status != 304)
		mcw_buf_printf(&head, "Content-Length: %zu\r\n", c->out_body_len);
	mcw_buf_append_str(&head, c->close_after && c->hit.action != EMU_ACT_CLOSE_AFTER ?
					   "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
	if (head.failed)
		emu_oom();
	if (mcw_view_eq(c->req.http.method, MCW_LIT("HEAD")) || r->head_only || r->status == 204 || r->status == 304)
		c->out_body_len = 0;
	c->out_head = head.data;
	c->out_head_len = head.len;
	c->out_limit = c->out_head_len + c->out_body_len;
	c->out_done = 0;
	c->next = c->close_after ? NEXT_CLOSE : NEXT_KEEP;
}

static void
start_write(conn *c)
{
	c->state = CONN_WRITE;		/* conn_step writes; EPOLLOUT only if the socket is full */
}

static void
plain_error(emu_response *resp, int status, const char *text)
{
	emu_response_free(resp);
	emu_response_init(resp);
	resp->status = status;
	emu_header_add(resp, "Content-Type", "text/plain");
	mcw_buf_append_str(&resp->body, text);
	mcw_buf_append_char(&resp->body, '\n');
}

/* The request cannot be understood: answer in plain HTTP and close. */
static void
refuse(conn *c, int status, const char *why)
{
	emu_log("refused a request from %s: %d %s", c->peer, status, why);
	c->close_after = true;
	plain_error(&c->resp, status, why);
	response_ready(c);
	start_write(c);
}

static void
service_error(conn *c, int status, const char *code, const char *message)
{
	emu_response_free(&c->resp);
	emu_response_init(&c->resp);
	if (c->service->error)
		c->service->error(&c->req, &c->resp, status, code, message);
	if (c->resp.status == 0)
		plain_error(&c->resp, status, message);
}

static void
call_service(conn *c)
{
	if (c->service->tick)
		c->service->tick(c->req.now_us);
	if (c->service->handle)
		c->service->handle(&c->req, &c->resp);
	if (c->resp.status == 0 || c->resp.body.failed)
		service_error(c, 500, "InternalServerError", "the emulator did not answer this request");
}

/* What comes after 'done' bytes of a blob's body in one piece: the blob may be repeated */
static mcw_view
body_piece(const emu_response *r, size_t done)
{
	size_t		at = (r->blob_off + done) % r->blob->len;
	size_t		left = r->blob_len - done;

	return (mcw_view) {r->blob->data + at, r->blob->len - at < left ? r->blob->len - at : left};
}

/* A private copy with bits flipped, never the shared blob */
static void
corrupt_body(conn *c)
{
	emu_response *r = &c->resp;
	uint64_t	x = c->hit.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	size_t		len = r->blob ? r->blob_len : r->body.len;
	char	   *copy;
	size_t		at;

	if (len == 0)
		return;
	copy = emu_malloc(len);
	if (r->blob == NULL)
		memcpy(copy, r->body.data, len);
	else
		for (size_t done = 0; done < len;)
		{
			mcw_view	piece = body_piece(r, done);

			memcpy(copy + done, piece.data, piece.len);
			done += piece.len;
		}
	at = c->hit.at >= 0 ? (size_t) c->hit.at % len : (size_t) ((x >> 17) % len);
	copy[at] ^= (char) (1 << ((x >> 11) & 7));
	emu_blob_unref(r->blob);
	r->blob = emu_blob_take(copy, len);
	r->blob_off = 0;
	r->blob_len = len;
}

/* Arrange where sending stops for the faults that strike inside the body. */
static void
cut_body(conn *c, conn_next next)
{
	size_t		at = c->hit.at >= 0 ? (size_t) c->hit.at : c->out_body_len / 2;

	if (at > c->out_body_len)
		at = c->out_body_len;
	c->out_limit = c->out_head_len + at;
	c->next = next;
}

static void
hold(conn *c, int64_t ms, conn_next next)
{
	c->state = CONN_HELD;
	c->next = next;
	emu_conn_watch(c, ms < 0 ? EPOLLRDHUP : 0);
	if (ms >= 0)
		emu_timer_set(c, ms);
	else
		emu_timer_clear(c);
}

static void
respond(conn *c)
{
	emu_fault_hit *hit = &c->hit;
	int64_t		delay = hit->delay_ms;
	conn_next	after;

	if (hit->action == EMU_ACT_STATUS_AFTER)
		service_error(c, hit->http, hit->code, hit->message);
	if (hit->action == EMU_ACT_CORRUPT_BODY)
		corrupt_body(c);
	if (hit->action == EMU_ACT_CLOSE_AFTER)
		c->close_after = true;
	response_ready(c);
	emu_count(&c->req, c->resp.status, c->req.body.len, c->out_body_len, hit->name);
	emu_fault_forget();
	if (hit->action == EMU_ACT_RESET_AFTER)
	{
		emu_conn_close(c, true);
		return;
	}
	if (hit->action == EMU_ACT_RESET_MID_BODY)
		cut_body(c, NEXT_RESET);
	else if (hit->action == EMU_ACT_TRUNCATE_BODY)
		cut_body(c, NEXT_CLOSE);
	else if (hit->action == EMU_ACT_STALL_MID_BODY)
		cut_body(c, NEXT_HOLD);
	if (hit->action == EMU_ACT_STALL_AFTER)
	{
		hold(c, hit->ms, NEXT_WRITE);
		return;
	}
	if (delay > 0)
	{
		after = c->next;
		hold(c, delay, NEXT_WRITE);
		c->next = after;		/* what follows the write; CONN_HELD with a timer writes */
		return;
	}
	start_write(c);
}

static void
process(conn *c)
{
	emu_fault_hit *hit = &c->hit;

	if (hit->action == EMU_ACT_STATUS)
		service_error(c, hit->http, hit->code, hit->message);
	else
	{
		c->req.now_us = emu_now_us();
		emu_fault_begin(&c->req, hit);
		call_service(c);
		emu_fault_forget();
	}
	respond(c);
}

/* A whole request is here. */
static void
request_complete(conn *c)
{
	emu_request *req = &c->req;
	emu_fault_hit *hit = &c->hit;

	req->body = mcw_buf_view(&c->body);
	req->now_us = emu_now_us();
	memset(hit, 0, sizeof(*hit));
	if (req->http.path.len >= 6 && memcmp(req->http.path.data, "/__mc/", 6) == 0)
	{
		emu_control(req, &c->resp);
		response_ready(c);
		start_write(c);
		return;
	}
	req->serial = ++next_serial;
	req->api = c->service->api ? c->service->api(req) : NULL;
	if (req->api == NULL)
		req->api = "other";
	emu_fault_match(req, hit);
	if (emu_latency_ms > 0)
		hit->delay_ms += emu_latency_ms;
	if (hit->action == EMU_ACT_RESET_BEFORE || hit->action == EMU_ACT_DROP ||
		(hit->action == EMU_ACT_STALL_BEFORE && hit->ms < 0))
	{
		emu_count(req, 0, req->body.len, 0, hit->name);
		if (hit->action == EMU_ACT_STALL_BEFORE)
			hold(c, -1, NEXT_CLOSE);
		else
			emu_conn_close(c, hit->action == EMU_ACT_RESET_BEFORE);
		return;
	}
	if (hit->action == EMU_ACT_STALL_BEFORE)
	{
		hold(c, hit->ms, NEXT_PROCESS);
		return;
	}
	process(c);
}

static void
send_continue(conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	(void) !send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
}

/* Try to find a head in the input.  Returns true if the state changed. */
static bool
step_head(conn *c)
{
	char	   *start;
	char	   *end;
	size_t		avail;
	size_t		len;
	const char *why = "malformed request";
	int			status;

	while (c->in_pos < c->in_len && (c->in[c->in_pos] == '\r' || c->in[c->in_pos] == '\n'))
		c->in_pos++;
	start = c->in + c->in_pos;
	avail = c->in_len - c->in_pos;
	end = avail > 0 ? memmem(start, avail, "\r\n\r\n", 4) : NULL;
	if (end == NULL)
	{
		if (avail > MAX_HEAD)
		{
			refuse(c, 431, "request head too large");
			return true;
		}
		return false;
	}
	len = end + 4 - start;
	c->head_text = emu_malloc(len + 1);
	memcpy(c->head_text, start, len);
	c->head_text[len] = '\0';
	c->in_pos += len;
	memset(&c->req, 0, sizeof(c->req));
	c->req.arena = &c->arena;
	c->req.service = c->service;
	c->req.is_loopback = c->loopback;
	memcpy(c->req.client_ip, c->peer, sizeof(c->peer));
	c->req.http.path_prefix = MCW_LIT("");
	c->close_after = false;
	memset(&c->chunks, 0, sizeof(c->chunks));
	memset(&c->hit, 0, sizeof(c->hit));
	status = emu_parse_head(c->head_text, len, &c->req, &c->head, &why);
	if (status == 0 && c->head.length > emu_max_body)
	{
		status = 413;
		why = "request body too large";
	}
	if (status != 0)
	{
		refuse(c, status, why);
		return true;
	}
	c->close_after = !c->head.keep_alive;
	if (!c->head.chunked && c->head.length == 0)
	{
		request_complete(c);
		return true;
	}
	c->state = CONN_BODY;
	if (c->head.expect_continue && c->in_pos == c->in_len)
		send_continue(c);
	if (!c->head.chunked && mcw_buf_grow(&c->body, c->head.length) != MCW_OK)
		refuse(c, 413, "request body too large");
	return true;
}

static bool
step_body(conn *c)
{
	int			rc;

	if (c->head.chunked)
	{
		rc = emu_parse_chunks(&c->chunks, c->in, c->in_len, &c->in_pos, &c->body);
		if (rc > 1)
		{
			refuse(c, rc, "bad chunked body");
			return true;
		}
		if (rc == 0)
			return false;
	}
	else
	{
		size_t		n = c->head.length - c->body.len;

		if (n > c->in_len - c->in_pos)
			n = c->in_len - c->in_pos;
		if (n > 0)
			mcw_buf_append(&c->body, c->in + c->in_pos, n);
		c->in_pos += n;
		if (c->body.len < c->head.length)
			return false;
	}
	request_complete(c);
	return true;
}

/* One read from the socket, straight into a large body when one is expected. */
static bool
conn_read(conn *c)
{
	ssize_t		n;

	if (c->in_pos == c->in_len)
		c->in_pos = c->in_len = 0;
	if (c->state == CONN_BODY && !c->head.chunked && c->in_len == 0)
	{
		n = recv(c->fd, c->body.data + c->body.len, c->head.length - c->body.len, 0);
		if (n > 0)
			c->body.len += n;
	}
	else
	{
		if (c->in_pos > 0)
		{
			memmove(c->in, c->in + c->in_pos, c->in_len - c->in_pos);
			c->in_len -= c->in_pos;
			c->in_pos = 0;
		}
		if (c->in_cap - c->in_len < READ_STEP)
		{
			c->in_cap = c->in_len + READ_STEP;
			c->in = emu_realloc(c->in, c->in_cap);
		}
		n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
		if (n > 0)
			c->in_len += n;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
	{
		emu_conn_close(c, false);
		return false;
	}
	return n > 0;
}

/* The part that was to be sent is out. */
static void
write_done(conn *c)
{
	switch (c->next)
	{
		case NEXT_RESET:
			emu_conn_close(c, true);
			return;
		case NEXT_HOLD:
			c->out_limit = c->out_head_len + c->out_body_len;
			hold(c, c->hit.ms, NEXT_RESUME);
			return;
		case NEXT_CLOSE:
			(void) shutdown(c->fd, SHUT_WR);
			emu_conn_close(c, false);
			return;
		default:
			break;
	}
	emu_conn_release(c);
	c->state = CONN_HEAD;
	emu_conn_watch(c, EPOLLIN);
}

static void
conn_write(conn *c)
{
	while (c->out_done < c->out_limit)
	{
		struct iovec iov[2];
		struct msghdr msg = {.msg_iov = iov};
		size_t		head_left = c->out_done < c->out_head_len ? c->out_head_len - c->out_done : 0;
		size_t		body_done = c->out_done > c->out_head_len ? c->out_done - c->out_head_len : 0;
		size_t		body_left = c->out_limit > c->out_head_len ? c->out_limit - c->out_head_len - body_done : 0;
		ssize_t		n;

		if (head_left > 0)
			iov[msg.msg_iovlen++] = (struct iovec) {c->out_head + c->out_done, head_left};
		if (body_left > 0 && c->resp.blob)
		{
			mcw_view	piece = body_piece(&c->resp, body_done);

			iov[msg.msg_iovlen++] = (struct iovec) {(char *) piece.data, piece.len < body_left ? piece.len : body_left};
		}
		else if (body_left > 0)
			iov[msg.msg_iovlen++] = (struct iovec) {(char *) c->out_body + body_done, body_left};
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (n < 0)
		{
			if (errno == EAGAIN || errno == EINTR)
				emu_conn_watch(c, EPOLLOUT);
			else
				emu_conn_close(c, true);
			return;
		}
		c->out_done += n;
	}
	write_done(c);
}

/* Go on as far as the input and the socket allow. */
static void
conn_step(conn *c)
{
	bool		more = true;

	while (more && c->fd >= 0)
	{
		if (c->state == CONN_WRITE)
		{
			conn_write(c);
			more = c->fd >= 0 && c->state == CONN_HEAD && c->in_pos < c->in_len;
		}
		else if (c->state == CONN_HEAD)
			more = step_head(c);
		else if (c->state == CONN_BODY)
			more = step_body(c);
		else
			more = false;
	}
}

void
emu_conn_wake(conn *c)
{
	conn_next	next = c->next;

	emu_timer_clear(c);
	if (c->state != CONN_HELD)
		return;
	if (next == NEXT_PROCESS)
		process(c);
	else
	{
		if (next == NEXT_WRITE || next == NEXT_RESUME)
			c->next = c->close_after ? NEXT_CLOSE : NEXT_KEEP;
		start_write(c);
	}
	conn_step(c);
}

void
emu_conn_event(conn *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (c->state == CONN_HELD)
	{
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			emu_conn_close(c, false);
		return;
	}
	if (c->state != CONN_WRITE && !conn_read(c))
		return;
	conn_step(c);
}
