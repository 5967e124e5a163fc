/*
 * odps_service.c
 *		mc-emulator, MaxCompute part: the service's entry points, dispatch of requests,
 *		error answers, small helpers for documents.
 *
 * Reference: maxcompute.md 1.1 (paths), 1.4 (response headers), 2.1 (errors), 10.3.
 */
#include "odps.h"

#include <ctype.h>
#include <malloc.h>
#include <stdlib.h>

odps_settings odps_set;
odps_counters odps_count;
uint32_t	odps_id_serial;

/* ---- helpers ---- */

bool
odps_has(const emu_request *req, const char *param)
{
	for (int i = 0; i < req->http.nparams; i++)
		if (mcw_view_eq(req->http.params[i].name, mcw_str(param)))
			return true;
	return false;
}

mcw_view
odps_param(const emu_request *req, const char *param)
{
	return mcw_request_get_param(&req->http, mcw_str(param));
}

bool
odps_param_true(const emu_request *req, const char *param)
{
	mcw_view	v = odps_param(req, param);

	if (!odps_has(req, param))
		return false;
	return v.len == 0 || mcw_view_ieq(v, MCW_LIT("true")) || mcw_view_eq(v, MCW_LIT("1"));
}

mcw_view
odps_header(const emu_request *req, const char *name)
{
	for (int i = 0; i < req->http.nheaders; i++)
		if (mcw_view_ieq(req->http.headers[i].name, mcw_str(name)))
			return req->http.headers[i].value;
	return (mcw_view) {NULL, 0};
}

char *
odps_lower(mcw_view v)
{
	char	   *p = emu_strdup(v);

	for (char *q = p; *q; q++)
		*q = (char) tolower((unsigned char) *q);
	return p;
}

const char *
odps_xml_time(int64_t seconds, char out[32])
{
	mcw_http_date(seconds, out);
	return out;
}

void
odps_xml_text(mcw_buf *out, const char *element, mcw_view text)
{
	(void) mcw_buf_printf(out, "<%s>", element);
	(void) mcw_xml_escape(out, text);
	(void) mcw_buf_printf(out, "</%s>", element);
}

void
odps_xml_time_element(mcw_buf *out, const char *element, int64_t seconds)
{
	char		date[32];

	odps_xml_text(out, element, mcw_str(odps_xml_time(seconds, date)));
}

void
odps_json_member(mcw_buf *out, const char *name, mcw_view text)
{
	(void) mcw_buf_printf(out, "\"%s\":", name);
	(void) mcw_json_quote(out, text);
	(void) mcw_buf_append_char(out, ',');
}

void
odps_reply_json(emu_response *resp, int status)
{
	resp->status = status;
	emu_header_add(resp, "Content-Type", "application/json");
}

void
odps_reply_xml(emu_response *resp, int status)
{
	resp->status = status;
	emu_header_add(resp, "Content-Type", "application/xml");
}

void
odps_reply_text(emu_response *resp, int status)
{
	resp->status = status;
	emu_header_add(resp, "Content-Type", "text/plain; charset=utf-8");
}

void
odps_request_id(const emu_request *req, char out[40])
{
	snprintf(out, 40, "%016llX%08X", (unsigned long long) req->now_us, (unsigned) req->serial);
}

/* yyyyMMddHHmmssSSS and a serial: never repeated in one process, not even by a frozen clock */
void
odps_unique_id(int64_t now_us, char out[40])
{
	int64_t		sec = now_us / ODPS_SECOND;
	int64_t		days = sec / 86400;
	int			rest = (int) (sec - days * 86400);
	int64_t		y;
	int			m;
	int			d;

	mcw_civil_from_days(days, &y, &m, &d);
	snprintf(out, 40, "%04d%02d%02d%02d%02d%02d%03dg%08x", (int) (y % 10000), m, d, rest / 3600,
			 rest / 60 % 60, rest % 60, (int) (now_us / 1000 % 1000), ++odps_id_serial);
}

/* ---- errors ---- */

static bool
ends_with(mcw_view path, const char *tail)
{
	size_t		n = strlen(tail);

	return path.len >= n && memcmp(path.data + path.len - n, tail, n) == 0;
}

bool
odps_is_tunnel(const emu_request *req)
{
	static const char *const marks[] = {
		"downloads", "uploads", "downloadid", "uploadid", "upsertid", "data"
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (odps_has(req, marks[i]))
			return !odps_has(req, "linenum");	/* ?data&linenum= is a call of the REST side */
	return ends_with(req->http.path, "/streams") || ends_with(req->http.path, "/upserts") ||
		ends_with(req->http.path, "/preview");
}

static void
answer_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	char		id[40];
	mcw_buf    *b = &resp->body;

	odps_request_id(req, id);
	mcw_buf_reset(b);
	emu_blob_unref(resp->blob);
	resp->blob = NULL;
	if (status == 429 || status == 503)
		emu_header_add(resp, "Retry-After", "1");
	if (odps_is_tunnel(req))
	{
		(void) mcw_buf_append_char(b, '{');
		odps_json_member(b, "Code", mcw_str(code));
		odps_json_member(b, "Message", mcw_str(message));
		(void) mcw_buf_printf(b, "\"RequestId\":\"%s\"}", id);
		odps_reply_json(resp, status);
		return;
	}
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\"?>\n<Error>");
	odps_xml_text(b, "Code", mcw_str(code));
	odps_xml_text(b, "Message", mcw_str(message));
	odps_xml_text(b, "RequestId", mcw_str(id));
	(void) mcw_buf_append_str(b, "<HostId>http://");
	(void) mcw_xml_escape(b, req->host.data ? req->host : MCW_LIT("localhost"));
	(void) mcw_buf_append_str(b, "</HostId></Error>\n");
	odps_reply_xml(resp, status);
}

void
odps_error(emu_request *req, emu_response *resp, int status, const char *code, const char *fmt,...)
{
	char		message[1024];
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	answer_error(req, resp, status, code, message);
}

/* For faults of the core, which come before or instead of the handler */
static void
service_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	bool		tagged = false;

	for (int i = 0; i < resp->nheaders; i++)
		tagged = tagged || strcmp(resp->headers[i].name, "x-odps-request-id") == 0;
	if (!tagged)
	{
		char		id[40];

		odps_request_id(req, id);
		emu_header_add(resp, "x-odps-request-id", "%s", id);
	}
	answer_error(req, resp, status, code, message);
}

/* ---- dispatch ---- */

static void
split_path(emu_request *req, odps_target *t)
{
	const char *p = req->http.path.data;
	const char *end = p + req->http.path.len;

	memset(t, 0, sizeof(*t));
	while (p < end && t->nseg < 10)
	{
		const char *slash;

		while (p < end && *p == '/')
			p++;
		slash = memchr(p, '/', end - p);
		if (!slash)
			slash = end;
		if (slash > p)
			t->seg[t->nseg++] = (mcw_view) {p, (size_t) (slash - p)};
		p = slash;
	}
	if (t->nseg > 1 && mcw_view_eq(t->seg[0], MCW_LIT("api")))
	{
		memmove(&t->seg[0], &t->seg[1], sizeof(mcw_view) * (t->nseg - 1));
		t->nseg--;
	}
}

/* Moves /schemas/{s} with something behind it out of the way; false after answering */
static bool
resolve(emu_request *req, emu_response *resp, odps_target *t)
{
	mcw_view	schema = odps_param(req, "curr_schema");

	if (schema.len == 0)
		schema = odps_param(req, "schema_name");
	t->project = odps_project_find(t->seg[1]);
	if (!t->project)
	{
		odps_error(req, resp, 404, odps_is_tunnel(req) ? "NoSuchProject" : "NoSuchObject",
				   "%sProject not found - '%.*s'", odps_is_tunnel(req) ? "" : "ODPS-0420111:",
				   (int) t->seg[1].len, t->seg[1].data);
		return false;
	}
	if (t->nseg > 4 && mcw_view_eq(t->seg[2], MCW_LIT("schemas")))
	{
		schema = t->seg[3];
		memmove(&t->seg[2], &t->seg[4], sizeof(mcw_view) * (t->nseg - 4));
		t->nseg -= 2;
	}
	t->ns_given = schema.len > 0;
	t->ns = odps_namespace_find(t->project, schema.len > 0 ? schema : MCW_LIT("default"));
	if (!t->ns)
	{
		odps_error(req, resp, 404, odps_is_tunnel(req) ? "NoSuchSchema" : "NoSuchObject",
				   "Schema not found - '%.*s'", (int) schema.len, schema.data);
		return false;
	}
	return true;
}

static bool
method_is(const emu_request *req, const char *method)
{
	return mcw_view_eq(req->http.method, mcw_str(method));
}

/* Requests of the tunnel below a table or an instance; false: not one of them */
static bool
dispatch_tunnel(emu_request *req, emu_response *resp, odps_target *t)
{
	bool		instance = mcw_view_eq(t->seg[2], MCW_LIT("instances"));
	mcw_view	name = t->seg[3];

	if (t->nseg == 5)
	{
		if (mcw_view_eq(t->seg[4], MCW_LIT("streams")))
			odps_streams(req, resp, t, name);
		else if (mcw_view_eq(t->seg[4], MCW_LIT("upserts")))
			odps_upserts(req, resp, t, name);
		else
			odps_error(req, resp, 501, "NotImplemented", "%.*s is not offered by this emulator",
					   (int) t->seg[4].len, t->seg[4].data);
		return true;
	}
	if (odps_has(req, "downloads") && method_is(req, "POST"))
		odps_download_create(req, resp, t, name, instance);
	else if (odps_has(req, "data") && odps_has(req, "downloadid") && method_is(req, "GET"))
		odps_download_data(req, resp, t, name, instance);
	else if (odps_has(req, "downloadid") && method_is(req, "GET"))
		odps_download_reload(req, resp, t, name, instance);
	else if (!instance && odps_has(req, "uploads") && method_is(req, "POST"))
		odps_upload_create(req, resp, t, name);
	else if (!instance && odps_has(req, "uploadid") && method_is(req, "PUT"))
		odps_upload_block(req, resp, t, name);
	else if (!instance && odps_has(req, "uploadid") && method_is(req, "GET"))
		odps_upload_reload(req, resp, t, name);
	else if (!instance && odps_has(req, "uploadid") && method_is(req, "POST"))
		odps_upload_commit(req, resp, t, name);
	else if (odps_has(req, "data"))
		odps_error(req, resp, 501, "NotImplemented", "reading without a download session is not offered by this emulator");
	else
		odps_error(req, resp, 405, "MethodNotAllowed", "method %.*s is not allowed here",
				   (int) req->http.method.len, req->http.method.data);
	return true;
}

static void
odps_handle(emu_request *req, emu_response *resp)
{
	odps_target t;
	char		id[40];

	odps_count.requests++;
	odps_request_id(req, id);
	emu_header_add(resp, "x-odps-request-id", "%s", id);
	split_path(req, &t);

	/* telemetry: no signature is asked for, the answer is quick */
	if (t.nseg == 3 && mcw_view_eq(t.seg[2], MCW_LIT("logs")))
	{
		odps_error(req, resp, 404, "NoSuchObject", "no telemetry here");
		return;
	}
	if (!odps_authenticate(req, resp))
		return;
	if (t.nseg < 2 || !mcw_view_eq(t.seg[0], MCW_LIT("projects")))
	{
		odps_rest(req, resp, &t);
		return;
	}
	if (!resolve(req, resp, &t))
		return;
	if (t.nseg >= 4 && odps_is_tunnel(req) &&
		(mcw_view_eq(t.seg[2], MCW_LIT("tables")) || mcw_view_eq(t.seg[2], MCW_LIT("instances"))) &&
		dispatch_tunnel(req, resp, &t))
		return;
	odps_rest(req, resp, &t);
}

/* Name of the API for the fault plan and the counters */
static const char *
odps_api(const emu_request *req)
{
	bool		post = method_is(req, "POST");
	bool		put = method_is(req, "PUT");

	if (ends_with(req->http.path, "/streams"))
		return put ? "WriteStream" : odps_has(req, "uploadid") ? "StreamSession" : "CreateStream";
	if (ends_with(req->http.path, "/upserts"))
		return put ? "WriteUpsert" : !odps_has(req, "upsertid") ? "CreateUpsert" : post ? "CommitUpsert" : "UpsertSession";
	if (odps_has(req, "downloads"))
		return "CreateDownload";
	if (odps_has(req, "downloadid"))
		return odps_has(req, "data") ? "ReadData" : "GetDownload";
	if (odps_has(req, "uploads"))
		return "CreateUpload";
	if (odps_has(req, "uploadid"))
		return put ? "WriteBlock" : post ? "CommitUpload" : "GetUpload";
	if (ends_with(req->http.path, "/tunnel"))
		return "GetTunnel";
	if (ends_with(req->http.path, "/instances"))
		return post ? "CreateInstance" : "ListInstances";
	if (memmem(req->http.path.data, req->http.path.len, "/instances/", 11))
		return put ? "CancelInstance" : odps_has(req, "result") ? "GetResult" : "GetInstance";
	if (ends_with(req->http.path, "/tables"))
		return "ListTables";
	if (memmem(req->http.path.data, req->http.path.len, "/tables/", 8))
		return odps_has(req, "partitions") ? "ListPartitions" : odps_has(req, "partition") ? "GetPartition" : "GetTable";
	return "GetProject";
}

static void
odps_init(void)
{
	/* blocks of tens of megabytes come and go: fresh pages cost as much as their check */
	(void) mallopt(M_MMAP_MAX, 0);
	(void) mallopt(M_TRIM_THRESHOLD, 1 << 29);
	odps_set.apply_later_us = 2 * ODPS_SECOND;
	odps_set.stuck_us = 2 * ODPS_SECOND;
	odps_set.session_us = ODPS_SESSION_LIFE;
	odps_set.page_size = 1000;
	odps_set.result_rows = 10000;
	odps_set.rates = true;
	odps_set.modified_check = true;
	odps_set.cache_bytes = (size_t) 512 << 20;
	if (!odps_projects)
		(void) odps_project_create(MCW_LIT("test_project"), emu_now_us() / ODPS_SECOND);
}

static void
odps_tick(int64_t now_us)
{
	odps_instance_tick(now_us);
	odps_session_tick(now_us);
}

emu_service emu_maxcompute = {
	.name = "maxcompute",
	.default_port = 7704,
	.init = odps_init,
	.handle = odps_handle,
	.command = odps_command,
	.error = service_error,
	.state = odps_state,
	.tick = odps_tick,
	.api = odps_api,
	.save = odps_save,
	.load = odps_load,
};
