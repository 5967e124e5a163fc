/*
 * mcs_oss_core.c
 *		Calls of OSS: addressing, signing, errors, retry rules, the service's clock
 *		(oss.md 1, 2, 3.14, 3.15).
 *
 * Knows nothing about what a call is for.
 */
#include "mcs_oss.h"
#include "mcs_call.h"

#include <stdio.h>

#define MAX_CALL_STRINGS (16 * 1024 * 1024)
#define MAX_ERROR_TREE (1024 * 1024)
#define USER_AGENT "mc_fdw/1.0"
#define SHOWN_KEY 300

/*
 * A code decides before a status does.  What is retried here has no effect twice;
 * calls that would have one say so themselves (no_retry_after_send).
 */
const mcn_retry_rule mcs_oss_retry_rules[] = {
	{"RequestTimeTooSkewed", 0, MCN_RETRY_YES}, /* signed again with the service's clock, once */
	{"RequestTimeout", 0, MCN_RETRY_YES},
	{"QpsLimitExceeded", 0, MCN_RETRY_SLOW},
	{"TotalQpsLimitExceeded", 0, MCN_RETRY_SLOW},
	{"MetaOperationQpsLimitExceeded", 0, MCN_RETRY_SLOW},
	{"ActiveRequestLimitExceeded", 0, MCN_RETRY_SLOW},
	{"CpuLimitExceeded", 0, MCN_RETRY_SLOW},
	{"DownloadTrafficRateLimitExceeded", 0, MCN_RETRY_SLOW},
	{"UploadTrafficRateLimitExceeded", 0, MCN_RETRY_SLOW},
	{"NotImplemented", 0, MCN_RETRY_NO},
	{NULL, 501, MCN_RETRY_NO},
	{NULL, 408, MCN_RETRY_YES},
	{NULL, 429, MCN_RETRY_SLOW},
	{NULL, 503, MCN_RETRY_SLOW},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO},
};

static void
remember(mcs_oss_call *call, mcw_status status, const char *what)
{
	mcs_call_remember(&call->failed, status, what);
}

const char *
mcs_oss_show_key(mcw_view key, char out[324])
{
	size_t		len = key.len < SHOWN_KEY ? key.len : SHOWN_KEY;

	while (len < key.len && len > 0 && ((unsigned char) key.data[len] & 0xc0) == 0x80)
		len--;
	(void) snprintf(out, 324, "\"%.*s%s\"", (int) len, len > 0 ? key.data : "", len < key.len ? "..." : "");
	return out;
}

/* ---- signing ---- */

static bool
is_signed(const mcs_oss *oss)
{
	return oss->style != MCS_OSS_PLAIN && (oss->cred.access_key_id.len > 0 || mcn_channel_has_credentials(oss->channel));
}

/* Called before every attempt: what depends on the time */
static mcw_status
sign(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	const mcs_oss *oss = call->oss;
	const mcw_credentials *cred = mcs_call_credentials(req, &oss->cred);
	int64_t		now = mcn_unix_us() / 1000000 + oss->clock_offset;
	char		name[68];
	mcw_view	resource = {"", 0};
	mcw_status	status;

	if (call->clock_errors > 1)
	{
		*err = req->error;
		return err->status;
	}
	if (!is_signed(oss))
		return MCW_OK;
	status = mcs_call_token(req, "x-oss-security-token", cred->security_token, err);
	if (status != MCW_OK)
		return status;
	if (oss->style != MCS_OSS_PATH)
	{
		if (oss->bucket.len > 63)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "the bucket's name is too long");
		(void) snprintf(name, sizeof(name), "/%.*s", (int) oss->bucket.len, oss->bucket.data);
		resource = mcw_str(name);
	}
	if (oss->v4)
	{
		mcw_iso_basic(now, call->date);
		status = mcw_request_header(&req->http, MCW_LIT("x-oss-date"), mcw_str(call->date));
		if (status == MCW_OK)
			status = mcw_request_header(&req->http, MCW_LIT("x-oss-content-sha256"), MCW_LIT("UNSIGNED-PAYLOAD"));
		if (status == MCW_OK && (status = mcw_oss_sign_v4(&req->http, resource, cred, oss->region, MCW_LIT(""),
														  false, scratch, NULL, NULL, err)) != MCW_OK)
			return status;
	}
	else
	{
		mcw_http_date(now, call->date);
		status = mcw_request_header(&req->http, MCW_LIT("Date"), mcw_str(call->date));
		if (status == MCW_OK && (status = mcw_oss_sign_v1(&req->http, resource, cred, scratch, NULL, err)) != MCW_OK)
			return status;
	}
	if (status == MCW_OK)
		status = mcw_request_header(&req->http, MCW_LIT("Authorization"), mcw_buf_view(scratch));
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "too many request headers");
}

/* ---- errors ---- */

static MCW_PRINTF(2, 3) void
add_text(mcw_error *err, const char *fmt, ...)
{
	size_t		len = strlen(err->text);
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(err->text + len, sizeof(err->text) - len, fmt, args);
	va_end(args);
}

/* Signs from now on with the clock of the answer; false if it shows none */
static bool
take_clock(mcs_oss_call *call, mcw_view server_time)
{
	int64_t		theirs;
	int64_t		seconds;

	if (mcw_parse_iso8601(server_time, &theirs))
		seconds = theirs / 1000000;
	else if (!mcw_parse_http_date(mcn_response_header(&call->req, "Date"), &seconds))
		return false;
	call->oss->clock_offset = seconds - mcn_unix_us() / 1000000;
	return true;
}

/* The error document, also that of a HEAD, which comes in a header */
static bool
read_document(mcs_oss_call *call, mcw_view body, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root;
	mcw_view	code;
	mcw_view	endpoint;
	bool		known;

	mcw_arena_init(&arena, call->oss->alloc, MAX_ERROR_TREE);
	known = body.len > 0 && body.len <= 65536 && mcw_xml_parse(body, &arena, &root, NULL) == MCW_OK &&
		mcw_view_eq(root->name, MCW_LIT("Error")) && (code = mcw_node_text(root, "Code")).len > 0;
	if (known)
	{
		mcs_copy_text(err->code, sizeof(err->code), code);
		mcs_copy_text(err->text, sizeof(err->text) - 256, mcw_node_text(root, "Message"));
		mcs_copy_text(err->request_id, sizeof(err->request_id), mcw_node_text(root, "RequestId"));
		endpoint = mcw_node_text(root, "Endpoint");
		if (endpoint.len > 0)
			add_text(err, " The endpoint of the bucket is \"%.*s\".", (int) (endpoint.len < 128 ? endpoint.len : 128),
					 endpoint.data);
		if (mcw_view_eq(code, MCW_LIT("RequestTimeTooSkewed")) &&
			(++call->clock_errors > 1 || !take_clock(call, mcw_node_text(root, "ServerTime"))))
			call->clock_errors = 2;
	}
	mcw_arena_reset(&arena);
	return known;
}

static bool
read_header_document(mcs_oss_call *call, mcw_error *err)
{
	mcw_view	header = mcn_response_header(&call->req, "x-oss-err");
	mcw_buf		text;
	bool		known;

	mcw_buf_init(&text, call->oss->alloc, 65536);
	known = header.len > 0 && mcw_base64_decode(&text, header) == MCW_OK &&
		read_document(call, mcw_buf_view(&text), err);
	mcw_buf_free(&text);
	return known;
}

static void
explain(mcn_request *req, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	mcw_view	body = mcw_buf_view(&req->response);
	mcw_view	ec = mcn_response_header(req, "x-oss-ec");
	mcw_view	location = mcn_response_header(req, "Location");

	if (call->oss->style == MCS_OSS_PLAIN)
	{
		/* a web page says nothing that the status does not */
		if (location.len > 0)
			add_text(err, "Location: %.*s", (int) (location.len < 400 ? location.len : 400), location.data);
		return;
	}
	if (!read_document(call, body, err) && !read_header_document(call, err) && body.len > 0 &&
		mcw_utf8_valid(body.data, body.len) == body.len)
		mcs_copy_text(err->text, 200, body);
	mcs_hide_secrets(err, mcs_call_credentials(req, &call->oss->cred));
	if (err->code[0] == '\0' && req->is_head && req->http_status == 404)
		mcs_copy_text(err->code, sizeof(err->code), MCW_LIT("NoSuchKey"));
	if (ec.len > 0 && ec.len < 40)
		add_text(err, "%s(EC %.*s)", err->text[0] ? " " : "", (int) ec.len, ec.data);
	if (err->request_id[0] == '\0')
		mcs_copy_text(err->request_id, sizeof(err->request_id), mcn_response_header(req, "x-oss-request-id"));
}

bool
mcs_oss_error_is(const mcw_error *err, const char *code)
{
	return mcw_view_ieq(mcw_str(err->code), mcw_str(code));
}

/* ---- calls ---- */

/* "/key", or "/bucket/key" where the bucket is not in the host */
static void
set_path(mcs_oss_call *call, mcw_view key)
{
	const mcs_oss *oss = call->oss;
	mcw_view	bucket = oss->style == MCS_OSS_PATH ? oss->bucket : (mcw_view) {NULL, 0};
	size_t		len = (bucket.len > 0 ? bucket.len + 1 : 0) + 1 + key.len;
	char	   *path = mcw_arena_new(&call->arena, len + 1);
	char	   *at = path;

	if (path == NULL)
	{
		remember(call, MCW_ERR_NOMEM, "no memory");
		return;
	}
	if (bucket.len > 0)
	{
		*at++ = '/';
		memcpy(at, bucket.data, bucket.len);
		at += bucket.len;
	}
	*at++ = '/';
	if (key.len > 0)
		memcpy(at, key.data, key.len);
	call->req.http.path = (mcw_view) {path, len};
}

void
mcs_oss_call_init(mcs_oss_call *call, mcs_oss *oss, const char *method, mcw_view key, size_t max_response)
{
	memset(call, 0, sizeof(*call));
	mcn_request_init(&call->req, oss->channel);
	call->oss = oss;
	mcw_arena_init(&call->arena, oss->alloc, MAX_CALL_STRINGS);
	mcw_buf_init(&call->req.response, oss->alloc, max_response);
	call->req.http.method = mcw_str(method);
	call->req.http.path_prefix = mcn_channel_prefix(oss->channel);
	call->req.is_head = strcmp(method, "HEAD") == 0;
	call->req.prepare = sign;
	call->req.explain = explain;
	call->req.deadline_us = oss->deadline_us;
	set_path(call, key);
	mcs_oss_call_header(call, "User-Agent", mcw_str(USER_AGENT));
}

void
mcs_oss_call_free(mcs_oss_call *call)
{
	if (!call->oss)
		return;
	mcn_request_cancel(&call->req);
	mcw_buf_free(&call->req.response);
	mcw_arena_reset(&call->arena);
	call->oss = NULL;
}

/* Both signatures of servers differ on parameters with an empty value, so none is sent (oss.md 2.4) */
void
mcs_oss_call_param(mcs_oss_call *call, const char *name, mcw_view value)
{
	mcw_view	copy = {NULL, 0};

	if (value.data != NULL)
	{
		if (value.len == 0)
			return;
		copy = mcs_call_copy(&call->arena, &call->failed, value);
	}
	remember(call, mcw_request_param(&call->req.http, mcw_str(name), copy), "too many parameters");
}

void
mcs_oss_call_header(mcs_oss_call *call, const char *name, mcw_view value)
{
	mcw_view	copy = mcs_call_copy(&call->arena, &call->failed, value);

	remember(call, mcw_request_header(&call->req.http, mcw_str(name), copy), "too many headers");
}

void
mcs_oss_call_headerf(mcs_oss_call *call, const char *name, const char *fmt, ...)
{
	char		text[1024];
	va_list		args;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0 || (size_t) len >= sizeof(text))
		remember(call, MCW_ERR_LIMIT, "a header is too long");
	else
		mcs_oss_call_header(call, name, (mcw_view) {text, (size_t) len});
}

void
mcs_oss_call_start(mcs_oss_call *call)
{
	mcs_call_start(&call->req, &call->failed);
}

mcw_status
mcs_oss_call_run(mcs_oss_call *call, mcw_error *err)
{
	mcs_oss_call_start(call);
	return mcs_call_wait(&call->req, err);
}
