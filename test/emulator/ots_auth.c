/*
 * ots_auth.c
 *		mc-emulator, Tablestore part: what is checked before an operation sees a request
 *		(headers, digest, key, token, clock, signature V2 and V4, instance) and the
 *		headers and signature of every answer.  tablestore.md 1.2 to 1.5.
 *
 * Signs with its own code, not with the client's.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_compress.h"
#include "../../src/wire/mcw_sign.h"
#include "ots_private.h"

#define MAX_SKEW_US (INT64_C(900) * 1000000)
#define SIGN_MAX 65536

static mcw_view
header(const ots_call *call, const char *name)
{
	return mcw_request_get_header(&call->req->http, mcw_str(name));
}

static mcw_view
trim(mcw_view v)
{
	while (v.len > 0 && (v.data[0] == ' ' || v.data[0] == '\t'))
		v.data++, v.len--;
	while (v.len > 0 && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
		v.len--;
	return v;
}

static bool
denied(ots_call *call, const char *message)
{
	return ots_fault_set(&call->fault, 403, "OTSAuthFailed", "%s", message);
}

/* ---- signatures ---- */

typedef struct line
{
	char	   *name;			/* lower case */
	mcw_view	value;
} line;

static int
line_cmp(const void *a, const void *b)
{
	return strcmp(((const line *) a)->name, ((const line *) b)->name);
}

static bool
is_signed_header(const char *name)
{
	return strncmp(name, "x-ots-", 6) == 0 && strcmp(name, "x-ots-signature") != 0 &&
		strcmp(name, "x-ots-signaturev4") != 0;
}

/* "name:value" lines of all x-ots-* headers, sorted; each ends with LF */
static void
put_lines(mcw_buf *out, line *lines, int n)
{
	qsort(lines, n, sizeof(*lines), line_cmp);
	for (int i = 0; i < n; i++)
	{
		mcw_buf_append_str(out, lines[i].name);
		mcw_buf_append_char(out, ':');
		mcw_buf_append_view(out, trim(lines[i].value));
		mcw_buf_append_char(out, '\n');
		free(lines[i].name);
	}
}

static char *
lower(mcw_view v)
{
	char	   *s = emu_strdup(v);

	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char) (*p + 32);
	return s;
}

static void
request_text(const ots_call *call, mcw_buf *out)
{
	const mcw_request *http = &call->req->http;
	line		lines[MCW_MAX_HEADERS];
	int			n = 0;

	mcw_buf_append_view(out, http->path);
	mcw_buf_append_str(out, "\nPOST\n\n");
	for (int i = 0; i < http->nheaders; i++)
	{
		char	   *name = lower(http->headers[i].name);

		if (is_signed_header(name))
			lines[n++] = (line) {name, http->headers[i].value};
		else
			free(name);
	}
	put_lines(out, lines, n);
}

static void
put_base64(mcw_buf *out, const unsigned char *digest, size_t len)
{
	if (mcw_base64_encode(out, (mcw_view) {(const char *) digest, len}) != MCW_OK)
		emu_oom();
}

static void
hmac256(mcw_view key, mcw_view data, unsigned char out[32])
{
	if (mcw_hmac_sha256(key, data, out) != MCW_OK)
		emu_oom();
}

/* The V4 key as text (1.4) */
static void
v4_key(const char *secret, mcw_view date, mcw_view region, mcw_buf *out)
{
	unsigned char k[32];
	mcw_buf		first;

	mcw_buf_init(&first, &mcw_malloc, 1024);
	mcw_buf_append_str(&first, "aliyun_v4");
	mcw_buf_append_str(&first, secret);
	hmac256(mcw_buf_view(&first), date, k);
	hmac256((mcw_view) {(char *) k, 32}, region, k);
	hmac256((mcw_view) {(char *) k, 32}, MCW_LIT("ots"), k);
	hmac256((mcw_view) {(char *) k, 32}, MCW_LIT("aliyun_v4_request"), k);
	put_base64(out, k, 32);
	mcw_buf_free(&first);
}

static bool
same_signature(const unsigned char *digest, size_t len, mcw_view given)
{
	mcw_buf		ours;
	bool		same;

	mcw_buf_init(&ours, &mcw_malloc, 128);
	put_base64(&ours, digest, len);
	same = mcw_secret_eq(mcw_buf_view(&ours), given);
	mcw_buf_free(&ours);
	return same;
}

static bool
check_v2(ots_call *call, const emu_key *key, mcw_view given)
{
	mcw_buf		text;
	unsigned char digest[20];
	bool		same;

	mcw_buf_init(&text, &mcw_malloc, SIGN_MAX);
	request_text(call, &text);
	if (mcw_hmac_sha1(mcw_str(key->secret), mcw_buf_view(&text), digest) != MCW_OK)
		emu_oom();
	same = !text.failed && same_signature(digest, 20, given);
	mcw_buf_free(&text);
	if (same)
		call->response_key = mcw_str(key->secret);
	return same || !emu_conf.verify_signature || denied(call, "Signature mismatch.");
}

/* The day a V4 key was made for: today, or a neighbour within the allowed skew */
static bool
good_day(mcw_view date, int64_t now_us)
{
	for (int side = -1; side <= 1; side++)
	{
		int64_t		y;
		int			m;
		int			d;
		int64_t		t = now_us + side * MAX_SKEW_US;
		char		text[16];

		mcw_civil_from_days((t >= 0 ? t : t - 86399999999) / 86400000000, &y, &m, &d);
		snprintf(text, sizeof(text), "%04d%02d%02d", (int) (y % 10000), m % 100, d % 100);
		if (mcw_view_eq(date, mcw_str(text)))
			return true;
	}
	return false;
}

static bool
check_v4(ots_call *call, const emu_key *key, mcw_view given)
{
	mcw_view	date = trim(header(call, "x-ots-signdate"));
	mcw_view	region = trim(header(call, "x-ots-signregion"));
	mcw_buf		text;
	mcw_buf		secret;
	unsigned char digest[32];
	bool		same;

	if (date.len == 0)
		return ots_invalid(&call->fault, "Missing header: x-ots-signdate.");
	if (region.len == 0)
		return ots_invalid(&call->fault, "Missing header: x-ots-signregion.");
	if (emu_conf.check_clock && !good_day(date, call->req->now_us))
		return denied(call, "Signature mismatch.");
	mcw_buf_init(&text, &mcw_malloc, SIGN_MAX);
	mcw_buf_init(&secret, &mcw_malloc, 128);
	v4_key(key->secret, date, region, &secret);
	request_text(call, &text);
	mcw_buf_append_str(&text, "ots");
	hmac256(mcw_buf_view(&secret), mcw_buf_view(&text), digest);
	same = !text.failed && same_signature(digest, 32, given);
	if (same && mcw_arena_copy(call->req->arena, mcw_buf_view(&secret), &call->response_key) != MCW_OK)
		emu_oom();
	mcw_buf_free(&text);
	mcw_buf_free(&secret);
	return same || !emu_conf.verify_signature || denied(call, "Signature mismatch.");
}

/* ---- the other checks ---- */

/* 2024-02-29T08:15:30[.digits]Z; the fraction's value is not looked at (1.2) */
static bool
parse_date(mcw_view v, int64_t *us)
{
	char		whole[24];
	size_t		i = 19;

	if (v.len < 20 || v.len > 64 || v.data[v.len - 1] != 'Z')
		return false;
	if (v.data[19] == '.')
	{
		for (i = 20; i < v.len - 1; i++)
			if (v.data[i] < '0' || v.data[i] > '9')
				return false;
		if (i == 20)
			return false;
	}
	if (i != v.len - 1)
		return false;
	memcpy(whole, v.data, 19);
	whole[19] = 'Z';
	return v.data[10] == 'T' && mcw_parse_iso8601((mcw_view) {whole, 20}, us);
}

static bool
check_headers(ots_call *call)
{
	static const char *const required[] = {
		"x-ots-date", "x-ots-apiversion", "x-ots-accesskeyid", "x-ots-instancename", "x-ots-contentmd5"
	};
	mcw_view	version;

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (header(call, required[i]).len == 0)
			return ots_invalid(&call->fault, "Missing header: %s.", required[i]);
	if (emu_conf.verify_signature && header(call, "x-ots-signature").len == 0 &&
		header(call, "x-ots-signaturev4").len == 0)
		return ots_invalid(&call->fault, "Missing header: x-ots-signature.");
	version = trim(header(call, "x-ots-apiversion"));
	if (!mcw_view_eq(version, MCW_LIT("2015-12-31")) && !mcw_view_eq(version, MCW_LIT("2018-04-01")))
		return ots_invalid(&call->fault, "Invalid API version: %.*s.", (int) version.len, version.data);
	return true;
}

static bool
check_digest(ots_call *call)
{
	unsigned char digest[16];
	mcw_view	given = trim(header(call, "x-ots-contentmd5"));

	if (mcw_md5(call->req->body.data, call->req->body.len, digest) != MCW_OK)
		emu_oom();
	return same_signature(digest, 16, given) ||
		denied(call, "Mismatch between MD5 value of request body and x-ots-contentmd5 in header.");
}

static bool
check_key(ots_call *call, const emu_key *key)
{
	mcw_view	token = trim(header(call, "x-ots-ststoken"));

	if (key == NULL)
		return denied(call, "The AccessKeyID does not exist.");
	if (key->disabled)
		return denied(call, "The AccessKeyID is disabled.");
	if (key->expired)
		return denied(call, "The STS token is expired.");
	return mcw_secret_eq(token, mcw_str(key->token)) || denied(call, "The STS token is invalid.");
}

static bool
check_clock(ots_call *call)
{
	mcw_view	date = trim(header(call, "x-ots-date"));
	int64_t		us;
	int64_t		now = call->req->now_us;

	if (!parse_date(date, &us))
		return ots_invalid(&call->fault, "Invalid date format: %.*s.", (int) (date.len < 64 ? date.len : 64), date.data);
	if (emu_conf.check_clock && (us < now - MAX_SKEW_US || us > now + MAX_SKEW_US))
		return ots_fault_set(&call->fault, 403, "OTSAuthFailed", "Mismatch between system time and x-ots-date: %.*s.",
							 (int) date.len, date.data);
	return true;
}

bool
ots_authenticate(ots_call *call)
{
	mcw_view	v4;
	const emu_key *key;
	bool		ok;

	if (!check_headers(call) || !check_digest(call))
		return false;
	key = emu_find_key(trim(header(call, "x-ots-accesskeyid")));
	if (emu_conf.verify_signature || key)
	{
		if (!check_key(call, key))
			return false;
		v4 = trim(header(call, "x-ots-signaturev4"));
		ok = v4.len > 0 ? check_v4(call, key, v4) : check_v2(call, key, trim(header(call, "x-ots-signature")));
		if (!ok)
			return false;
		call->req->key = key;
	}
	if (!check_clock(call))
		return false;
	call->inst = ots_instance_find(trim(header(call, "x-ots-instancename")));
	return call->inst || denied(call, "The instance is not found.");
}

/* The message as the client wrote it before it compressed it */
bool
ots_inflate(ots_call *call)
{
	mcw_view	type = trim(header(call, "x-ots-request-compress-type"));
	mcw_view	size = trim(header(call, "x-ots-request-compress-size"));
	uint64_t	raw;
	mcw_buf		out;
	mcw_view	copy;
	mcw_error	err = {0};

	call->body = call->req->body;
	if (type.len == 0)
		return true;
	if (!mcw_view_ieq(type, MCW_LIT("deflate")))
		return ots_invalid(&call->fault, "Unsupported compress type: %.*s.", (int) type.len, type.data);
	if (!mcw_view_uint64(size, &raw))
		return ots_invalid(&call->fault, "Missing header: x-ots-request-compress-size.");
	if (raw > (uint64_t) ots_set.max_body)
		return ots_fault_set(&call->fault, 413, "OTSRequestBodyTooLarge", "The size of POST data is too large.");
	mcw_buf_init(&out, &mcw_malloc, raw + 1);
	/* RFC 1950 only: a zlib header has method 8 and a check value */
	if (call->body.len < 2 || (call->body.data[0] & 0x0f) != 8 ||
		(((unsigned char) call->body.data[0] << 8) + (unsigned char) call->body.data[1]) % 31 != 0 ||
		mcw_decompress(MCW_CODEC_DEFLATE, call->body, raw, &out, &err) != MCW_OK)
	{
		mcw_buf_free(&out);
		return ots_invalid(&call->fault, "Decompress request data failed.");
	}
	if (mcw_arena_copy(call->req->arena, mcw_buf_view(&out), &copy) != MCW_OK)
		emu_oom();
	call->body = copy;
	mcw_buf_free(&out);
	return true;
}

/* ---- answers ---- */

/* The fault bad_signature: another signature, or none */
static bool
spoil_signature(const ots_call *call, unsigned char *digest)
{
	if (!emu_fault_armed(call->req, "bad_signature"))
		return true;
	digest[0] ^= 1;
	return emu_fault_param("missing", 0) == 0;
}

static void
sign_answer(ots_call *call)
{
	emu_response *resp = call->resp;
	line		lines[48];
	int			n = 0;
	mcw_buf		text;
	mcw_buf		signature;
	unsigned char digest[20];

	for (int i = 0; i < resp->nheaders; i++)
		if (strncmp(resp->headers[i].name, "x-ots-", 6) == 0)
			lines[n++] = (line) {emu_strdup(mcw_str(resp->headers[i].name)), mcw_str(resp->headers[i].value)};
	mcw_buf_init(&text, &mcw_malloc, SIGN_MAX);
	mcw_buf_init(&signature, &mcw_malloc, 128);
	put_lines(&text, lines, n);
	mcw_buf_append_view(&text, call->req->http.path);
	if (mcw_hmac_sha1(call->response_key, mcw_buf_view(&text), digest) != MCW_OK)
		emu_oom();
	if (spoil_signature(call, digest))
	{
		put_base64(&signature, digest, 20);
		emu_header_add(resp, "Authorization", "OTS %s:%s", call->req->key->id, mcw_buf_cstr(&signature));
	}
	mcw_buf_free(&text);
	mcw_buf_free(&signature);
}

static void
compress_answer(ots_call *call)
{
	mcw_view	wanted = trim(header(call, "x-ots-response-compress-type"));
	mcw_buf		packed;
	mcw_error	err = {0};
	size_t		raw = call->resp->body.len;

	if (!ots_set.compress || call->resp->status != 200 || raw < 256 || !mcw_view_ieq(wanted, MCW_LIT("deflate")))
		return;
	mcw_buf_init(&packed, &mcw_malloc, raw * 2 + 1024);
	if (mcw_compress(MCW_CODEC_DEFLATE, 0, mcw_buf_view(&call->resp->body), &packed, &err) != MCW_OK)
		emu_oom();
	mcw_buf_free(&call->resp->body);
	call->resp->body = packed;
	emu_header_add(call->resp, "x-ots-response-compress-type", "deflate");
	emu_header_add(call->resp, "x-ots-response-compress-size", "%zu", raw);
}

/* Headers of an answer whose status and body are there */
void
ots_finish(ots_call *call)
{
	emu_response *resp = call->resp;
	int64_t		now = call->req->now_us;
	int64_t		y;
	int			m;
	int			d;
	int64_t		second = now / 1000000;
	unsigned char digest[16];
	mcw_buf		md5;
	mcw_view	bytes;

	if (resp->blob == NULL)
		compress_answer(call);
	bytes = resp->blob ? (mcw_view) {resp->blob->data + resp->blob_off, resp->blob_len} : mcw_buf_view(&resp->body);
	mcw_buf_init(&md5, &mcw_malloc, 128);
	if (call->blob_md5[0] != '\0')
		mcw_buf_append_str(&md5, call->blob_md5);
	else
	{
		if (mcw_md5(bytes.data, bytes.len, digest) != MCW_OK)
			emu_oom();
		put_base64(&md5, digest, 16);
	}
	snprintf(call->blob_md5, sizeof(call->blob_md5), "%s", mcw_buf_cstr(&md5));
	mcw_civil_from_days(second / 86400, &y, &m, &d);
	emu_header_add(resp, "x-ots-contentmd5", "%s", mcw_buf_cstr(&md5));
	emu_header_add(resp, "x-ots-requestid", "0005%04x-%04x-%04x-%04x-%012llx", (unsigned) (second >> 16 & 0xffff),
				   (unsigned) (second & 0xffff), (unsigned) (now % 65521), 0x0bb0, (unsigned long long) call->req->serial);
	emu_header_add(resp, "x-ots-date", "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int) y, m, d, (int) (second / 3600 % 24),
				   (int) (second / 60 % 60), (int) (second % 60), (int) (now % 1000000));
	emu_header_add(resp, "x-ots-contenttype", "protocol buffer");
	if (call->response_key.len > 0 && call->req->key)
		sign_answer(call);
	mcw_buf_free(&md5);
}
