/*
 * oss_answer.c
 *		mc-emulator, Object Storage Service part: parameters of a request, pieces of XML
 *		and headers of an answer, error documents.
 *
 * Reference: oss.md 3.1, 3.2 (encoding of names), 3.14 (errors and their EC).
 */
#include <stdlib.h>

#include "oss.h"

/* ---- requests ---- */

bool
oss_has(const emu_request *req, const char *param)
{
	for (int i = 0; i < req->http.nparams; i++)
		if (mcw_view_eq(req->http.params[i].name, mcw_str(param)))
			return true;
	return false;
}

mcw_view
oss_param(const emu_request *req, const char *param)
{
	return mcw_request_get_param(&req->http, mcw_str(param));
}

mcw_view
oss_header(const emu_request *req, const char *name)
{
	for (int i = 0; i < req->http.nheaders; i++)
		if (mcw_view_ieq(req->http.headers[i].name, mcw_str(name)))
			return req->http.headers[i].value;
	return (mcw_view) {NULL, 0};
}

bool
oss_number(oss_call *call, const char *param, int64_t min, int64_t max, int64_t missing, int64_t *out)
{
	mcw_view	v = oss_param(call->req, param);

	*out = missing;
	if (v.len == 0)
		return true;			/* SDKs send empty ones */
	if (mcw_view_int64(v, out) && *out >= min && *out <= max)
		return true;
	return oss_invalid_argument(call, param, v, "Argument is not a number in the valid range.");
}

bool
oss_url_encoding(oss_call *call, bool *url)
{
	mcw_view	v = oss_param(call->req, "encoding-type");

	*url = mcw_view_ieq(v, MCW_LIT("url"));
	if (*url || v.len == 0)
		return true;
	return oss_invalid_argument(call, "encoding-type", v, "Invalid Encoding Method specified in Request.");
}

mcw_view
oss_unquote(mcw_view v)
{
	while (v.len > 0 && (v.data[0] == '"' || v.data[0] == ' '))
	{
		v.data++;
		v.len--;
	}
	while (v.len > 0 && (v.data[v.len - 1] == '"' || v.data[v.len - 1] == ' '))
		v.len--;
	return v;
}

void
oss_request_id(const emu_request *req, char out[32])
{
	snprintf(out, 32, "%014llX%010llX", (unsigned long long) req->now_us & UINT64_C(0xFFFFFFFFFFFFFF),
			 (unsigned long long) req->serial & UINT64_C(0xFFFFFFFFFF));
}

void
oss_md5_hex(const unsigned char md5[16], char out[33])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02X", md5[i]);
}

/* ---- answers ---- */

void
oss_xml_text(mcw_buf *out, const char *element, mcw_view text)
{
	(void) mcw_buf_printf(out, "<%s>", element);
	(void) mcw_xml_escape(out, text);
	(void) mcw_buf_printf(out, "</%s>", element);
}

void
oss_xml_name(mcw_buf *out, const char *element, mcw_view text, bool url)
{
	if (!url)
	{
		oss_xml_text(out, element, text);
		return;
	}
	(void) mcw_buf_printf(out, "<%s>", element);
	(void) mcw_percent_encode(out, text, false);
	(void) mcw_buf_printf(out, "</%s>", element);
}

/* Whole seconds: one SDK insists on ".000Z" */
void
oss_xml_time(mcw_buf *out, const char *element, int64_t us)
{
	char		basic[20];

	mcw_iso_basic(us / OSS_SECOND, basic);	/* 20231115T061320Z */
	(void) mcw_buf_printf(out, "<%s>%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000Z</%s>", element, basic, basic + 4, basic + 6,
						  basic + 9, basic + 11, basic + 13, element);
}

void
oss_xml_owner(mcw_buf *out)
{
	(void) mcw_buf_append_str(out, "<Owner><ID>" OSS_OWNER "</ID><DisplayName>" OSS_OWNER "</DisplayName></Owner>");
}

void
oss_xml_begin(oss_call *call, const char *root)
{
	(void) mcw_buf_printf(&call->resp->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s>\n", root);
}

void
oss_xml_end(oss_call *call, const char *root)
{
	(void) mcw_buf_printf(&call->resp->body, "</%s>\n", root);
	call->resp->status = 200;
	emu_header_add(call->resp, "Content-Type", "application/xml");
}

void
oss_etag_header(oss_call *call, const char *etag)
{
	emu_header_add(call->resp, "ETag", "\"%s\"", emu_fault_armed(call->req, "wrong_etag") ?
				   "00000000000000000000000000000000" : etag);
}

void
oss_crc_header(oss_call *call, uint64_t crc)
{
	if (emu_fault_armed(call->req, "wrong_crc"))
		crc ^= 1;
	if (!emu_fault_armed(call->req, "no_crc"))
		emu_header_add(call->resp, "x-oss-hash-crc64ecma", "%llu", (unsigned long long) crc);
}

void
oss_time_header(oss_call *call, const char *name, int64_t us)
{
	char		date[32];

	mcw_http_date(us / OSS_SECOND, date);
	emu_header_add(call->resp, name, "%s", date);
}

/* An ETag that is an MD5, as that header spells it */
void
oss_md5_header(oss_call *call, const char *etag)
{
	mcw_buf		raw;
	mcw_buf		text;

	mcw_buf_init(&raw, &mcw_malloc, 64);
	mcw_buf_init(&text, &mcw_malloc, 64);
	if (mcw_hex_decode(&raw, mcw_str(etag)) == MCW_OK && mcw_base64_encode(&text, mcw_buf_view(&raw)) == MCW_OK)
		emu_header_add(call->resp, "Content-MD5", "%s", mcw_buf_cstr(&text));
	mcw_buf_free(&raw);
	mcw_buf_free(&text);
}

/* ---- errors ---- */

/* Codes of oss.md 3.14; those it does not tell are this program's own, in 0099 */
static const char *
error_ec(const char *code)
{
	static const struct
	{
		const char *code;
		const char *ec;
	}			known[] = {
		{"NoSuchKey", "0026-00000001"}, {"PositionNotEqualToLength", "0026-00000016"}, {"AccessDenied", "0003-00000001"},
		{"InvalidAccessKeyId", "0002-00000902"}, {"QpsLimitExceeded", "0004-00000302"},
		{"DownloadTrafficRateLimitExceeded", "0004-00000304"}, {"SecondLevelDomainForbidden", "0003-00001401"},
		{"MissingArgument", "0016-00000501"}, {"NoSuchBucket", "0015-00000101"}, {"SignatureDoesNotMatch", "0002-00000040"},
		{"RequestTimeTooSkewed", "0002-00000504"}
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(code, known[i].code) == 0)
			return known[i].ec;
	return "0099-00000001";
}

void
oss_extra(oss_call *call, const char *element, mcw_view text)
{
	oss_xml_text(&call->extra, element, text);
	(void) mcw_buf_append_char(&call->extra, '\n');
}

/* NULL: all of them */
void
oss_drop_headers(emu_response *resp, const char *name)
{
	for (int i = 0; i < resp->nheaders; i++)
		if (name == NULL || strcasecmp(resp->headers[i].name, name) == 0)
		{
			free(resp->headers[i].name);
			free(resp->headers[i].value);
			resp->headers[i--] = resp->headers[--resp->nheaders];
		}
}

bool
oss_error(oss_call *call, int status, const char *code, const char *fmt,...)
{
	emu_response *resp = call->resp;
	mcw_buf    *b = &resp->body;
	const char *ec = error_ec(code);
	char		message[512];
	char		id[32];
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	oss_request_id(call->req, id);
	emu_blob_unref(resp->blob);
	resp->blob = NULL;
	mcw_buf_reset(b);
	oss_drop_headers(resp, "Content-Type");
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n");
	oss_xml_text(b, "Code", mcw_str(code));
	oss_xml_text(b, "Message", mcw_str(message));
	oss_xml_text(b, "RequestId", mcw_str(id));
	oss_xml_text(b, "HostId", call->req->host);
	(void) mcw_buf_append_view(b, mcw_buf_view(&call->extra));
	oss_xml_text(b, "EC", mcw_str(ec));
	(void) mcw_buf_printf(b, "<RecommendDoc>https://api.aliyun.com/troubleshoot?q=%s</RecommendDoc>\n</Error>\n", ec);
	resp->status = status;
	emu_header_add(resp, "x-oss-ec", "%s", ec);
	if (mcw_view_eq(call->req->http.method, MCW_LIT("HEAD")))
	{
		mcw_buf		coded;

		mcw_buf_init(&coded, &mcw_malloc, 1 << 20);
		(void) mcw_base64_encode(&coded, mcw_buf_view(b));
		emu_header_add(resp, "x-oss-err", "%s", mcw_buf_cstr(&coded));
		mcw_buf_free(&coded);
	}
	emu_header_add(resp, "Content-Type", "application/xml");
	mcw_buf_reset(&call->extra);
	return false;
}

bool
oss_invalid_argument(oss_call *call, const char *name, mcw_view value, const char *message)
{
	oss_extra(call, "ArgumentName", mcw_str(name));
	oss_extra(call, "ArgumentValue", value);
	return oss_error(call, 400, "InvalidArgument", "%s", message);
}

bool
oss_no_such_key(oss_call *call)
{
	if (call->anonymous && call->bucket->acl < OSS_ACL_READ)
		return oss_error(call, 403, "AccessDenied", "You do not have read acl permission on this object.");
	oss_extra(call, "Key", call->key);
	return oss_error(call, 404, "NoSuchKey", "The specified key does not exist.");
}

static void
chosen(char *out, size_t size, mcw_view given, const char *missing)
{
	snprintf(out, size, "%.*s", given.data ? (int) given.len : (int) strlen(missing), given.data ? given.data : missing);
}

void
oss_read_plan(oss_plan *plan, int status, const char *code, const char *message)
{
	plan->status = (int) emu_fault_param("http", status);
	chosen(plan->code, sizeof(plan->code), emu_fault_text("code"), code);
	chosen(plan->message, sizeof(plan->message), emu_fault_text("message"), message);
}

bool
oss_planned_error(oss_call *call, const char *kind, int status, const char *code, const char *message)
{
	oss_plan	plan;
	int64_t		after;

	if (!emu_fault_armed(call->req, kind))
		return false;
	oss_read_plan(&plan, status, code, message);
	after = emu_fault_param("retry_after", -1);
	if (after >= 0)
		emu_header_add(call->resp, "Retry-After", "%lld", (long long) after);
	(void) oss_error(call, plan.status, plan.code, "%s", plan.message);
	return true;
}
