/*
 * oss_auth.c
 *		mc-emulator, Object Storage Service part: signatures V1 and V4 in the header and in
 *		the URL, tokens, dates, digests, access control lists.
 *
 * Reference: oss.md 2 and 1.5.  A secret never reaches an answer or the log.
 */
#include <stdlib.h>

#include "oss.h"
#include "../../src/wire/mcw_sign.h"

#define MAX_SKEW_SECONDS (15 * 60)
#define MAX_EXPIRES 604800

typedef struct credential
{
	bool		v4;
	bool		in_url;
	mcw_view	id;
	mcw_view	date;			/* V4: yyyymmdd of the scope */
	mcw_view	region;
	mcw_view	additional;
	mcw_view	signature;
	mcw_view	token;
	mcw_view	time;			/* V1 in the URL: Expires; else the request's time */
	int64_t		seconds;		/* 'time' read */
} credential;

static bool
refuse(oss_call *call, int status, const char *code, const char *message)
{
	oss_count.auth_failures++;
	return oss_error(call, status, code, "%s", message);
}

static mcw_view
trim(mcw_view v)
{
	while (v.len > 0 && (v.data[0] == ' ' || v.data[0] == '\t'))
	{
		v.data++;
		v.len--;
	}
	while (v.len > 0 && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
		v.len--;
	return v;
}

/* The next piece before 'mark'; *rest becomes what follows, data NULL at the end */
static mcw_view
piece(mcw_view *rest, char mark)
{
	const char *at = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
	mcw_view	head = *rest;

	if (at == NULL)
	{
		*rest = (mcw_view) {NULL, 0};
		return head;
	}
	head.len = (size_t) (at - head.data);
	rest->data = at + 1;
	rest->len -= head.len + 1;
	return head;
}

/* id/yyyymmdd/region/oss/aliyun_v4_request */
static bool
read_scope(mcw_view v, credential *c)
{
	mcw_view	product;

	c->id = piece(&v, '/');
	c->date = piece(&v, '/');
	c->region = piece(&v, '/');
	product = piece(&v, '/');
	return c->id.len > 0 && c->date.len == 8 && c->region.len > 0 && mcw_view_eq(product, MCW_LIT("oss")) &&
		mcw_view_eq(v, MCW_LIT("aliyun_v4_request"));
}

/* Credential=...,AdditionalHeaders=...,Signature=... in any order, blanks around */
static bool
read_v4_header(mcw_view v, credential *c)
{
	bool		scope = false;

	while (v.data)
	{
		mcw_view	value = trim(piece(&v, ','));
		mcw_view	name = piece(&value, '=');

		if (mcw_view_eq(name, MCW_LIT("Credential")))
			scope = value.data && read_scope(value, c);
		else if (mcw_view_eq(name, MCW_LIT("AdditionalHeaders")))
			c->additional = value;
		else if (mcw_view_eq(name, MCW_LIT("Signature")))
			c->signature = value;
	}
	return scope && c->signature.len == 64;
}

static bool
read_seconds(mcw_view v, int64_t *seconds)
{
	return mcw_parse_http_date(v, seconds) || mcw_parse_iso_basic(v, seconds);
}

/* What the request claims; 1 = signed, 0 = anonymous, -1 = answered */
static int
read_credential(oss_call *call, credential *c)
{
	emu_request *req = call->req;
	mcw_view	header = oss_header(req, "Authorization");
	mcw_view	v1 = oss_param(req, "Signature");
	mcw_view	v4 = oss_param(req, "x-oss-signature");

	memset(c, 0, sizeof(*c));
	if (header.len == 0 && v1.len == 0 && v4.len == 0)
		return 0;
	if ((header.len > 0) + (v1.len > 0) + (v4.len > 0) > 1)
	{
		(void) refuse(call, 400, "InvalidArgument", "Only one auth mechanism allowed; only the signature in the URL or the Authorization header should be specified.");
		return -1;
	}
	c->in_url = header.len == 0;
	c->token = oss_header(req, "x-oss-security-token");
	if (c->in_url && c->token.len == 0)
		c->token = oss_param(req, v4.len > 0 ? "x-oss-security-token" : "security-token");
	c->time = oss_header(req, "x-oss-date");
	if (c->time.len == 0)
		c->time = oss_header(req, "Date");
	if (v1.len > 0)
	{
		c->id = oss_param(req, "OSSAccessKeyId");
		c->time = oss_param(req, "Expires");
		c->signature = v1;
	}
	else if (v4.len > 0)
	{
		c->v4 = true;
		c->time = oss_param(req, "x-oss-date");
		c->additional = oss_param(req, "x-oss-additional-headers");
		c->signature = v4;
		if (!mcw_view_eq(oss_param(req, "x-oss-signature-version"), MCW_LIT("OSS4-HMAC-SHA256")) ||
			!read_scope(oss_param(req, "x-oss-credential"), c))
			c->id = (mcw_view) {NULL, 0};
	}
	else if (header.len > 4 && memcmp(header.data, "OSS ", 4) == 0)
	{
		mcw_view	rest = {header.data + 4, header.len - 4};

		c->id = trim(piece(&rest, ':'));
		c->signature = trim(rest);
	}
	else if (header.len > 17 && memcmp(header.data, "OSS4-HMAC-SHA256 ", 17) == 0)
	{
		c->v4 = true;
		if (!read_v4_header((mcw_view) {header.data + 17, header.len - 17}, c))
			c->id = (mcw_view) {NULL, 0};
	}
	if (c->id.len == 0 || c->signature.len == 0)
	{
		(void) refuse(call, 400, "InvalidArgument", "Authorization header is invalid.");
		return -1;
	}
	return 1;
}

/* ---- dates ---- */

static bool
skewed(oss_call *call, int64_t seconds)
{
	oss_xml_time(&call->extra, "RequestTime", seconds * OSS_SECOND);
	oss_xml_time(&call->extra, "ServerTime", call->req->now_us);
	return refuse(call, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
}

static bool
time_ok(oss_call *call, credential *c)
{
	int64_t		now = call->req->now_us / OSS_SECOND;
	int64_t		valid = 0;
	char		basic[20];

	if (!c->v4 && c->in_url)
	{
		if (!mcw_view_int64(c->time, &c->seconds))
			return refuse(call, 403, "AccessDenied", "Invalid date (should be seconds since epoch).");
		if (emu_conf.check_clock && now > c->seconds)
		{
			oss_xml_time(&call->extra, "Expires", c->seconds * OSS_SECOND);
			oss_xml_time(&call->extra, "ServerTime", call->req->now_us);
			return refuse(call, 403, "AccessDenied", "Request has expired.");
		}
		return true;
	}
	if (!read_seconds(c->time, &c->seconds))
		return refuse(call, 403, "AccessDenied", "OSS authentication requires a valid Date.");
	if (c->v4)
	{
		mcw_iso_basic(c->seconds, basic);
		if (!mcw_view_eq(c->date, (mcw_view) {basic, 8}))
			return refuse(call, 400, "InvalidArgument", "Invalid signing date in Authorization header.");
	}
	if (c->in_url)
	{
		if (!mcw_view_int64(oss_param(call->req, "x-oss-expires"), &valid) || valid < 1 || valid > MAX_EXPIRES)
			return refuse(call, 400, "InvalidArgument", "x-oss-expires must be a number of seconds from 1 to 604800.");
		if (emu_conf.check_clock && now > c->seconds + valid)
			return refuse(call, 403, "AccessDenied", "Request has expired.");
		if (emu_conf.check_clock && c->seconds > now + MAX_SKEW_SECONDS)
			return skewed(call, c->seconds);
		return true;
	}
	if (emu_conf.check_clock && (c->seconds > now + MAX_SKEW_SECONDS || c->seconds < now - MAX_SKEW_SECONDS))
		return skewed(call, c->seconds);
	return true;
}

/* ---- the signature ---- */

/* The region a V4 scope must name: the one of the host, else the configured one */
static bool
region_ok(const emu_request *req, mcw_view region)
{
	const char *at = req->host.len ? memmem(req->host.data, req->host.len, ".oss-", 5) : NULL;
	mcw_view	host = req->host;
	mcw_view	want = mcw_str(oss_set.region);

	if (at)
	{
		host = (mcw_view) {at + 5, host.len - (size_t) (at + 5 - host.data)};
		want = piece(&host, '.');
		if (want.len > 9 && memcmp(want.data + want.len - 9, "-internal", 9) == 0)
			want.len -= 9;
		if (want.len >= 10 && memcmp(want.data, "accelerate", 10) == 0)
			want = mcw_str(oss_set.region);
	}
	return want.len == 0 || mcw_view_eq(want, region);
}

/* The request as it was signed: bucket and key in the path, no signature, the time in its place */
static mcw_request *
signed_request(oss_call *call, const credential *c, bool slash)
{
	mcw_request *http = mcw_arena_new(call->req->arena, sizeof(*http));
	mcw_buf		path;
	int			n = 0;

	if (http == NULL)
		emu_oom();
	*http = call->req->http;
	mcw_buf_init(&path, &mcw_malloc, 1 << 20);
	(void) mcw_buf_append_char(&path, '/');
	(void) mcw_buf_append_view(&path, call->bucket_name);
	if (call->bucket_name.len > 0 && (slash || call->key.len > 0))
		(void) mcw_buf_append_char(&path, '/');
	(void) mcw_buf_append_view(&path, call->key);
	if (mcw_arena_copy(call->req->arena, mcw_buf_view(&path), &http->path) != MCW_OK)
		emu_oom();
	mcw_buf_free(&path);
	if (!c->in_url)
		return http;
	for (int i = 0; i < http->nparams; i++)
		if (!mcw_view_eq(http->params[i].name, MCW_LIT("x-oss-signature")))
			http->params[n++] = http->params[i];
	http->nparams = n;
	if (mcw_request_header(http, MCW_LIT("Date"), c->time) != MCW_OK)
		emu_oom();
	return http;
}

typedef struct attempt
{
	mcw_buf		canonical;
	mcw_buf		text;
} attempt;

static bool
signs_so(oss_call *call, const credential *c, const emu_key *key, bool slash, bool plain_empty, attempt *a)
{
	mcw_request *http = signed_request(call, c, slash);
	mcw_credentials cred = {mcw_str(key->id), mcw_str(key->secret), MCW_LIT("")};
	mcw_view	mine;
	mcw_buf		auth;
	mcw_status	st;
	bool		same;

	mcw_buf_init(&auth, &mcw_malloc, 65536);
	mcw_buf_reset(&a->canonical);
	mcw_buf_reset(&a->text);
	if (c->v4)
		st = mcw_oss_sign_v4(http, MCW_LIT(""), &cred, c->region, c->additional, plain_empty, &auth, &a->canonical, &a->text, NULL);
	else
		st = mcw_oss_sign_v1(http, MCW_LIT(""), &cred, &auth, &a->text, NULL);
	mine = mcw_buf_view(&auth);
	same = st == MCW_OK && mine.len > c->signature.len &&
		mine.data[mine.len - c->signature.len - 1] == (c->v4 ? '=' : ':') &&
		mcw_secret_eq((mcw_view) {mine.data + mine.len - c->signature.len, c->signature.len}, c->signature);
	mcw_buf_free(&auth);
	return same;
}

static void
spelled_bytes(mcw_buf *out, mcw_view text)
{
	for (size_t i = 0; i < text.len; i++)
		(void) mcw_buf_printf(out, "%s%02X", i ? " " : "", (unsigned char) text.data[i]);
}

/* Resource with and without the trailing slash, parameters in both variants (oss.md 2.1, 2.4) */
static bool
signature_ok(oss_call *call, const credential *c, const emu_key *key)
{
	attempt		first;
	attempt		other;
	mcw_buf		bytes;
	bool		ok;
	bool		bare = call->bucket_name.len > 0 && call->key.len == 0;

	mcw_buf_init(&first.canonical, &mcw_malloc, 1 << 20);
	mcw_buf_init(&first.text, &mcw_malloc, 1 << 20);
	mcw_buf_init(&other.canonical, &mcw_malloc, 1 << 20);
	mcw_buf_init(&other.text, &mcw_malloc, 1 << 20);
	ok = signs_so(call, c, key, true, false, &first) ||
		(c->v4 && signs_so(call, c, key, true, true, &other)) ||
		(bare && signs_so(call, c, key, false, false, &other)) ||
		(bare && c->v4 && signs_so(call, c, key, false, true, &other));
	if (!ok)
	{
		mcw_buf_init(&bytes, &mcw_malloc, 1 << 22);
		spelled_bytes(&bytes, mcw_buf_view(&first.text));
		oss_extra(call, "OSSAccessKeyId", c->id);
		oss_extra(call, "SignatureProvided", c->signature);
		oss_extra(call, "StringToSign", mcw_buf_view(&first.text));
		oss_extra(call, "StringToSignBytes", mcw_buf_view(&bytes));
		if (c->v4)
			oss_extra(call, "CanonicalRequest", mcw_buf_view(&first.canonical));
		mcw_buf_free(&bytes);
		(void) refuse(call, 403, "SignatureDoesNotMatch",
					  "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
	}
	mcw_buf_free(&first.canonical);
	mcw_buf_free(&first.text);
	mcw_buf_free(&other.canonical);
	mcw_buf_free(&other.text);
	return ok;
}

static bool
token_ok(oss_call *call, const credential *c, const emu_key *key)
{
	if (key->token[0] && c->token.len == 0)
	{
		oss_extra(call, "OSSAccessKeyId", c->id);
		return refuse(call, 403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.");
	}
	if (key->token[0] ? !mcw_secret_eq(c->token, mcw_str(key->token)) : c->token.len > 0)
		return refuse(call, 403, "InvalidSecurityToken", "The security token you provided is invalid.");
	if (key->expired)
		return refuse(call, 403, "SecurityTokenExpired", "The security token you provided has expired.");
	return true;
}

bool
oss_authenticate(oss_call *call)
{
	emu_request *req = call->req;
	mcw_view	payload = oss_header(req, "x-oss-content-sha256");
	const emu_key *key;
	credential	c;
	int			found = read_credential(call, &c);

	if (found <= 0)
	{
		call->anonymous = found == 0;
		return found == 0;
	}
	key = emu_find_key(c.id);
	if (key == NULL || key->disabled)
	{
		oss_extra(call, "OSSAccessKeyId", c.id);
		return refuse(call, 403, key ? "UserDisable" : "InvalidAccessKeyId", key ? "The access key is disabled." :
					  "The OSS Access Key Id you provided does not exist in our records.");
	}
	if (!time_ok(call, &c))
		return false;
	if (c.v4 && emu_conf.verify_signature && !region_ok(req, c.region))
		return refuse(call, 400, "InvalidArgument", "Invalid signing region in Authorization header.");
	if (c.v4 && payload.len == 0 && !c.in_url)
		return refuse(call, 400, "InvalidArgument", "x-oss-content-sha256 is missing.");
	if (c.v4 && payload.len > 0 && !mcw_view_eq(payload, MCW_LIT("UNSIGNED-PAYLOAD")))
		return refuse(call, 400, "InvalidArgument", "x-oss-content-sha256 must be UNSIGNED-PAYLOAD.");
	if (emu_conf.verify_signature && !signature_ok(call, &c, key))
		return false;
	if (!token_ok(call, &c, key))
		return false;
	req->key = key;
	return true;
}

/* ---- access control lists: whoever signs owns everything ---- */

bool
oss_allowed(oss_call *call)
{
	oss_acl		acl;
	const oss_object *o = NULL;

	if (!call->anonymous)
		return true;
	if (call->bucket == NULL || call->op->right == OSS_RIGHT_OWNER)
		return refuse(call, 403, "AccessDenied", "Anonymous access is forbidden for this operation.");
	acl = call->bucket->acl;
	if (call->key.len > 0)
		o = oss_object_find(call->bucket, call->key);
	if (o && o->meta.acl != OSS_ACL_DEFAULT)
		acl = o->meta.acl;
	if (acl >= (call->op->right == OSS_RIGHT_READ ? OSS_ACL_READ : OSS_ACL_READ_WRITE))
		return true;
	return refuse(call, 403, "AccessDenied", "You have no right to access this object because of bucket acl.");
}

/* ---- Content-MD5: some SDKs send more than its 16 bytes (oss.md 8, 5) ---- */

bool
oss_body_digest_ok(oss_call *call)
{
	mcw_view	given = oss_header(call->req, "Content-MD5");
	unsigned char sum[16];
	mcw_buf		raw;
	bool		valid;
	bool		same;

	if (given.len == 0)
		return true;
	mcw_buf_init(&raw, &mcw_malloc, 256);
	valid = mcw_base64_decode(&raw, given) == MCW_OK && raw.len >= 16;
	same = valid && mcw_md5(call->req->body.data, call->req->body.len, sum) == MCW_OK && memcmp(raw.data, sum, 16) == 0;
	mcw_buf_free(&raw);
	if (same)
		return true;
	oss_extra(call, "Content-MD5", given);
	return oss_error(call, 400, "InvalidDigest", valid ? "The Content-MD5 you specified did not match what we received." :
					 "The Content-MD5 you specified is invalid.");
}
