/*
 * mcs_odps_core.c
 *		MaxCompute calls: addressing, signing, error bodies, retry rules, discovery of
 *		the tunnel (maxcompute.md 1, 2.1, 4.4, 7).
 *
 * Knows nothing about what a call is for.
 */
#include "mcs_odps.h"
#include "mcs_call.h"

#include <stdio.h>

#define MAX_CALL_STRINGS (8 * 1024 * 1024)
#define USER_AGENT "mc_fdw/1.0"
#define TUNNEL_VERSION "5"		/* 6 would allow a metrics block in the stream */

/*
 * A code decides before a status does.  Lost connections are net's own business;
 * the row without code and status ends the table.
 */
const mcn_retry_rule mcs_odps_retry_rules[] = {
	{"FlowExceeded", 0, MCN_RETRY_SLOW},
	{"SlotExceeded", 0, MCN_RETRY_SLOW},
	{"QPSExceeded", 0, MCN_RETRY_SLOW},
	{"RequestQuotaExceeded", 0, MCN_RETRY_SLOW},
	{"IncompleteBody", 0, MCN_RETRY_YES},
	{"CorruptedDataStream", 0, MCN_RETRY_YES},
	{"RequestTimeOut", 0, MCN_RETRY_YES},
	{"DataUnderReplication", 0, MCN_RETRY_YES},
	{"DataVersionConflict", 0, MCN_RETRY_YES},
	{"NotImplemented", 0, MCN_RETRY_NO},
	{NULL, 429, MCN_RETRY_SLOW},
	{NULL, 308, MCN_RETRY_YES},
	{NULL, 408, MCN_RETRY_YES},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO},
};

static void
remember(mcs_odps_call *call, mcw_status status, const char *what)
{
	mcs_call_remember(&call->failed, status, what);
}

/* yyyyMMdd in UTC */
static void
signing_day(int64_t seconds, char out[12])
{
	char		iso[20];

	mcw_iso_basic(seconds, iso);
	memcpy(out, iso, 8);
	out[8] = '\0';
}

static mcw_status
sign(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	mcs_odps_call *call = (mcs_odps_call *) req;
	const mcs_odps *odps = call->odps;
	const mcw_credentials *cred = mcs_call_credentials(req, &odps->cred);
	int64_t		now = mcn_unix_us() / 1000000;
	mcw_status	status;

	mcw_http_date(now, call->date);
	status = mcw_request_header(&req->http, MCW_LIT("Date"), mcw_str(call->date));
	if (status != MCW_OK)
		return mcw_fail(err, status, "too many request headers");
	if (cred->access_key_id.len == 0)
		return MCW_OK;
	status = mcs_call_token(req, "authorization-sts-token", cred->security_token, err);
	if (status != MCW_OK)
		return status;

	if (odps->region.len > 0)
	{
		char		day[12];

		signing_day(now, day);
		status = mcw_odps_sign_v4(&req->http, cred, odps->region, mcw_str(day), scratch, NULL, err);
	}
	else
		status = mcw_odps_sign_v2(&req->http, cred, scratch, NULL, err);
	if (status != MCW_OK)
		return status;
	status = mcw_request_header(&req->http, MCW_LIT("Authorization"), mcw_buf_view(scratch));
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "too many request headers");
}

static void
explain(mcn_request *req, mcw_error *err)
{
	mcw_view	body = mcw_buf_view(&req->response);

	if (!mcw_error_body(body, err) && err->text[0] == '\0' && body.len > 0 &&
		mcw_utf8_valid(body.data, body.len) == body.len)
		mcs_copy_text(err->text, 200, body);
	mcs_hide_secrets(err, mcs_call_credentials(req, &((mcs_odps_call *) req)->odps->cred));
	/* REST texts repeat a number that is the code */
	if (err->code[0] && strncmp(err->text, err->code, strlen(err->code)) == 0 && err->text[strlen(err->code)] == ':')
	{
		const char *rest = err->text + strlen(err->code) + 1;

		memmove(err->text, rest, strlen(rest) + 1);
	}
	if (err->request_id[0] == '\0')
	{
		mcw_view	id = mcn_response_header(req, "x-odps-request-id");

		if (id.data)
			mcs_copy_text(err->request_id, sizeof(err->request_id), id);
	}
}

void
mcs_odps_call_init(mcs_odps_call *call, mcs_odps *odps, mcs_odps_where where,
				   const char *method, size_t max_response)
{
	memset(call, 0, sizeof(*call));
	mcn_request_init(&call->req, where == MCS_ODPS_TUNNEL ? odps->tunnel : odps->rest);
	call->odps = odps;
	call->where = where;
	mcw_arena_init(&call->arena, odps->alloc, MAX_CALL_STRINGS);
	mcw_buf_init(&call->req.response, odps->alloc, max_response);
	call->req.http.method = mcw_str(method);
	call->req.http.path_prefix = mcn_channel_prefix(where == MCS_ODPS_TUNNEL ? odps->tunnel : odps->rest);
	call->req.prepare = sign;
	call->req.explain = explain;
	call->req.deadline_us = odps->deadline_us;
	mcs_odps_call_header(call, "User-Agent", USER_AGENT);
	mcs_odps_call_header(call, "x-odps-user-agent", USER_AGENT);
	if (where == MCS_ODPS_TUNNEL)
	{
		mcs_odps_call_header(call, "x-odps-tunnel-version", TUNNEL_VERSION);
		if (odps->quota.len > 0)
			mcs_odps_call_param(call, "quotaName", odps->quota);
	}
}

void
mcs_odps_call_free(mcs_odps_call *call)
{
	if (!call->odps)
		return;
	mcn_request_cancel(&call->req);
	mcw_buf_free(&call->req.response);
	mcw_arena_reset(&call->arena);
	call->odps = NULL;
}

static MCW_PRINTF(2, 0) mcw_view
call_format(mcs_odps_call *call, const char *fmt, va_list args)
{
	mcw_view	out = {NULL, 0};
	va_list		again;
	int			len;
	char	   *text;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	text = len < 0 ? NULL : mcw_arena_new(&call->arena, (size_t) len + 1);
	if (!text)
	{
		remember(call, MCW_ERR_NOMEM, "no memory");
		return out;
	}
	(void) vsnprintf(text, (size_t) len + 1, fmt, args);
	out.data = text;
	out.len = (size_t) len;
	return out;
}

/* an object name is one segment of the path */
static bool
segment_ok(mcw_view name)
{
	return name.len > 0 && memchr(name.data, '/', name.len) == NULL && memchr(name.data, '\0', name.len) == NULL;
}

void
mcs_odps_call_path(mcs_odps_call *call, const char *fmt, ...)
{
	mcw_view	project = call->odps->project;
	mcw_view	rest;
	va_list		args;
	char	   *path;

	if (!segment_ok(project))
		remember(call, MCW_ERR_ARGUMENT, "the project name is empty or contains a slash");
	va_start(args, fmt);
	rest = call_format(call, fmt, args);
	va_end(args);
	if (call->failed.status != MCW_OK)
		return;
	path = mcw_arena_new(&call->arena, sizeof("/projects/") + project.len + rest.len);
	if (!path)
	{
		remember(call, MCW_ERR_NOMEM, "no memory");
		return;
	}
	memcpy(path, "/projects/", 10);
	memcpy(path + 10, project.data, project.len);
	memcpy(path + 10 + project.len, rest.data, rest.len);
	call->req.http.path.data = path;
	call->req.http.path.len = 10 + project.len + rest.len;
}

void
mcs_odps_call_table(mcs_odps_call *call, mcw_view table)
{
	mcw_view	schema = call->odps->schema;

	if (!segment_ok(table) || (schema.len > 0 && !segment_ok(schema)))
	{
		remember(call, MCW_ERR_ARGUMENT, "a table or schema name is empty or contains a slash");
		return;
	}
	if (schema.len > 0 && call->where == MCS_ODPS_TUNNEL)
		mcs_odps_call_path(call, "/schemas/%.*s/tables/%.*s", (int) schema.len, schema.data,
						   (int) table.len, table.data);
	else
	{
		mcs_odps_call_path(call, "/tables/%.*s", (int) table.len, table.data);
		if (schema.len > 0)
			mcs_odps_call_param(call, "curr_schema", schema);
	}
}

void
mcs_odps_call_param(mcs_odps_call *call, const char *name, mcw_view value)
{
	mcw_view	copy = mcs_call_copy(&call->arena, &call->failed, value);

	remember(call, mcw_request_param(&call->req.http, mcw_str(name), copy), "too many parameters");
}

void
mcs_odps_call_paramf(mcs_odps_call *call, const char *name, const char *fmt, ...)
{
	va_list		args;
	mcw_view	value;

	va_start(args, fmt);
	value = call_format(call, fmt, args);
	va_end(args);
	remember(call, mcw_request_param(&call->req.http, mcw_str(name), value), "too many parameters");
}

void
mcs_odps_call_flag(mcs_odps_call *call, const char *name)
{
	mcw_view	none = {NULL, 0};

	remember(call, mcw_request_param(&call->req.http, mcw_str(name), none), "too many parameters");
}

void
mcs_odps_call_header(mcs_odps_call *call, const char *name, const char *value)
{
	mcw_view	copy = mcs_call_copy(&call->arena, &call->failed, mcw_str(value));

	remember(call, mcw_request_header(&call->req.http, mcw_str(name), copy), "too many headers");
}

void
mcs_odps_call_start(mcs_odps_call *call)
{
	if (call->req.http.path.len == 0)
		remember(call, MCW_ERR_ARGUMENT, "it has no path");
	mcs_call_start(&call->req, &call->failed);
}

mcw_status
mcs_odps_call_run(mcs_odps_call *call, mcw_error *err)
{
	mcs_odps_call_start(call);
	return mcs_call_wait(&call->req, err);
}

mcw_status
mcs_odps_discover_tunnel(mcs_odps *odps, mcw_buf *endpoint, mcw_error *err)
{
	mcs_odps_call call;
	mcw_status	status;

	mcs_odps_call_init(&call, odps, MCS_ODPS_REST, "GET", 64 * 1024);
	mcs_odps_call_path(&call, "/tunnel");
	mcs_odps_call_flag(&call, "service");
	if (odps->quota.len > 0)
		mcs_odps_call_param(&call, "quotaName", odps->quota);
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK)
	{
		mcw_view	host = mcw_buf_view(&call.req.response);

		while (host.len > 0 && (unsigned char) host.data[host.len - 1] <= ' ')
			host.len--;
		if (host.len == 0 || host.len > 300)
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "the service did not name a tunnel endpoint");
		for (size_t i = 0; i < host.len && status == MCW_OK; i++)
			if ((unsigned char) host.data[i] <= ' ' || strchr("/@?#", host.data[i]))
				status = mcw_fail(err, MCW_ERR_PROTOCOL, "the service named a malformed tunnel endpoint");
		if (status == MCW_OK)
		{
			status = mcw_buf_append_str(endpoint, mcn_channel_is_tls(odps->rest) ? "https://" : "http://");
			if (status == MCW_OK)
				status = mcw_buf_append_view(endpoint, host);
			if (status != MCW_OK)
				(void) mcw_fail(err, status, "out of memory");
		}
	}
	mcs_odps_call_free(&call);
	return status;
}

mcw_status
mcs_odps_sleep(mcs_odps *odps, int ms, mcw_error *err)
{
	int64_t		until = mcn_now_us() + (int64_t) ms * 1000;
	int64_t		left;

	while ((left = until - mcn_now_us()) > 0)
		if (mcn_loop_step(odps->loop, (int) (left / 1000) + 1) == MCW_ERR_INTERRUPTED)
			return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	return MCW_OK;
}

bool
mcs_odps_error_is(const mcw_error *err, const char *code)
{
	size_t		len = strlen(code);

	if (err->code[0] && mcw_view_ieq(mcw_str(err->code), mcw_str(code)))
		return true;
	return strlen(err->text) >= len && mcw_view_ieq((mcw_view) {err->text, len}, mcw_str(code));
}
