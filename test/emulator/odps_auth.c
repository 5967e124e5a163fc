/*
 * odps_auth.c
 *		mc-emulator, MaxCompute part: verification of signatures, tokens, dates and
 *		digests.
 *
 * Reference: maxcompute.md 1.3, 1.5 (V2 and the double decoding of one SDK), 1.6
 * (V4), 1.7 (STS, bearer).  A secret never reaches an answer or the log.
 */
#include "odps.h"
#include "../../src/wire/mcw_sign.h"

#include <stdlib.h>

#define MAX_SKEW_SECONDS (15 * 60)

static bool
refuse(emu_request *req, emu_response *resp, int rest_status, const char *rest_code,
	   int tunnel_status, const char *tunnel_code, const char *message)
{
	bool		tunnel = odps_is_tunnel(req);

	odps_count.auth_failures++;
	odps_error(req, resp, tunnel ? tunnel_status : rest_status, tunnel ? tunnel_code : rest_code,
			   "%s%s%s", tunnel ? "" : rest_code, tunnel ? "" : ":", message);
	return false;
}

/* Credential of an Authorization value: id, or id/date/region/odps/aliyun_v4_request */
typedef struct credential
{
	mcw_view	id;
	mcw_view	date;			/* V4 only */
	mcw_view	region;
	mcw_view	signature;
	bool		v4;
} credential;

static bool
parse_authorization(mcw_view v, credential *c)
{
	const char *colon;
	mcw_view	part[5];
	int			n = 0;

	memset(c, 0, sizeof(*c));
	if (v.len < 6 || memcmp(v.data, "ODPS ", 5) != 0)
		return false;
	v.data += 5;
	v.len -= 5;
	colon = memrchr(v.data, ':', v.len);
	if (!colon)
		return false;
	c->signature = (mcw_view) {colon + 1, v.len - (size_t) (colon + 1 - v.data)};
	v.len = (size_t) (colon - v.data);
	c->id = v;
	while (n < 5)
	{
		const char *slash = memchr(v.data, '/', v.len);

		part[n].data = v.data;
		part[n++].len = slash ? (size_t) (slash - v.data) : v.len;
		if (!slash)
			break;
		v.len -= (size_t) (slash + 1 - v.data);
		v.data = slash + 1;
	}
	if (n == 5 && mcw_view_eq(part[3], MCW_LIT("odps")) &&
		mcw_view_eq(part[4], MCW_LIT("aliyun_v4_request")))
	{
		c->id = part[0];
		c->date = part[1];
		c->region = part[2];
		c->v4 = true;
	}
	return c->id.len > 0;
}

static bool
signature_equals(const mcw_request *http, const credential *c, const emu_key *key, mcw_view given)
{
	mcw_credentials cred = {mcw_str(key->id), mcw_str(key->secret), mcw_str(key->token)};
	mcw_buf		auth;
	mcw_status	st;
	bool		same;

	mcw_buf_init(&auth, &mcw_malloc, 4096);
	if (c->v4)
		st = mcw_odps_sign_v4(http, &cred, c->region, c->date, &auth, NULL, NULL);
	else
		st = mcw_odps_sign_v2(http, &cred, &auth, NULL, NULL);
	same = st == MCW_OK && mcw_secret_eq(mcw_buf_view(&auth), given);
	mcw_buf_free(&auth);
	return same;
}

static mcw_view
decode(mcw_view in, mcw_arena *arena, bool plus)
{
	mcw_buf		buf;
	mcw_view	out = {"", 0};

	mcw_buf_init(&buf, &mcw_malloc, in.len + 16);
	(void) mcw_percent_decode(&buf, in, plus);
	(void) mcw_arena_copy(arena, mcw_buf_view(&buf), &out);
	mcw_buf_free(&buf);
	return out;
}

/* The parameters as an SDK sees them that decodes the query before splitting it */
static void
double_decoded(emu_request *req, mcw_request *http)
{
	mcw_view	query = decode(req->raw_query, req->arena, false);

	http->nparams = 0;
	while (query.len > 0 && http->nparams < MCW_MAX_PARAMS)
	{
		const char *amp = memchr(query.data, '&', query.len);
		mcw_view	one = {query.data, amp ? (size_t) (amp - query.data) : query.len};
		const char *eq = one.len ? memchr(one.data, '=', one.len) : NULL;
		mcw_view	name = {one.data, eq ? (size_t) (eq - one.data) : one.len};
		mcw_view	value = {NULL, 0};

		if (eq)
			value = decode((mcw_view) {eq + 1, one.len - (size_t) (eq + 1 - one.data)}, req->arena, true);
		if (one.len > 0)
			(void) mcw_request_param(http, decode(name, req->arena, true), value);
		query.data += one.len + (amp ? 1 : 0);
		query.len -= one.len + (amp ? 1 : 0);
	}
}

static int
compare_pairs(const void *a, const void *b)
{
	return mcw_view_cmp(((const mcw_pair *) a)->name, ((const mcw_pair *) b)->name);
}

/*
 * One SDK does not sign parameters named x-odps-* as header lines: with all
 * parameters moved into the path nothing but the resource holds them.
 */
static void
resource_only(emu_request *req, mcw_request *http)
{
	mcw_buf		path;

	qsort(http->params, http->nparams, sizeof(mcw_pair), compare_pairs);
	mcw_buf_init(&path, &mcw_malloc, 1 << 20);
	(void) mcw_buf_append_view(&path, http->path);
	for (int i = 0; i < http->nparams; i++)
	{
		(void) mcw_buf_append_char(&path, i ? '&' : '?');
		(void) mcw_buf_append_view(&path, http->params[i].name);
		if (http->params[i].value.len > 0)
		{
			(void) mcw_buf_append_char(&path, '=');
			(void) mcw_buf_append_view(&path, http->params[i].value);
		}
	}
	(void) mcw_arena_copy(req->arena, mcw_buf_view(&path), &http->path);
	mcw_buf_free(&path);
	http->nparams = 0;
}

static bool
signature_ok(emu_request *req, const credential *c, const emu_key *key, mcw_view given)
{
	mcw_request *http = mcw_arena_new(req->arena, sizeof(*http));
	const mcw_view api = MCW_LIT("/api/");

	if (!http)
		emu_oom();
	*http = req->http;
	http->path_prefix = (mcw_view) {"", 0};
	if (http->path.len > api.len && memcmp(http->path.data, api.data, api.len) == 0)
	{
		http->path.data += 4;
		http->path.len -= 4;
	}
	if (signature_equals(http, c, key, given))
		return true;

	double_decoded(req, http);
	if (signature_equals(http, c, key, given))
		return true;
	memcpy(http->params, req->http.params, sizeof(http->params));
	http->nparams = req->http.nparams;
	resource_only(req, http);
	return signature_equals(http, c, key, given);
}

static bool
digest_ok(const emu_request *req)
{
	mcw_view	given = odps_header(req, "Content-MD5");
	unsigned char sum[16];
	mcw_view	raw = {(const char *) sum, 16};
	mcw_buf		text;
	bool		ok;

	if (!given.data || given.len == 0)
		return true;
	mcw_buf_init(&text, &mcw_malloc, 128);
	if (mcw_md5(req->body.data, req->body.len, sum) != MCW_OK)
		return false;
	(void) mcw_hex_encode(&text, raw, false);
	ok = mcw_view_ieq(mcw_buf_view(&text), given);
	mcw_buf_reset(&text);
	(void) mcw_base64_encode(&text, raw);
	ok = ok || mcw_view_eq(mcw_buf_view(&text), given);
	mcw_buf_free(&text);
	return ok;
}

static bool
clock_ok(const emu_request *req)
{
	int64_t		date;

	if (!mcw_parse_http_date(odps_header(req, "Date"), &date))
		return false;
	return llabs(date - req->now_us / ODPS_SECOND) <= MAX_SKEW_SECONDS;
}

/* True when the request may go on; else it has been answered */
bool
odps_authenticate(emu_request *req, emu_response *resp)
{
	mcw_view	given = odps_header(req, "Authorization");
	mcw_view	token = odps_header(req, "authorization-sts-token");
	credential	c;
	const emu_key *key;

	if (!emu_conf.verify_signature)
		return true;
	if (!given.data && odps_header(req, "x-odps-bearer-token").data)
		return refuse(req, resp, 401, "ODPS-0410011", 401, "Unauthorized",
					  "Invalid authorization parameters - bearer tokens are not accepted here");
	if (!given.data || given.len == 0)
		return refuse(req, resp, 401, "ODPS-0410001", 401, "Unauthorized",
					  "Missing authorization parameters - no Authorization header");
	if (!parse_authorization(given, &c))
		return refuse(req, resp, 401, "ODPS-0410011", 401, "Unauthorized",
					  "Invalid authorization parameters - malformed Authorization header");
	key = emu_find_key(c.id);
	if (!key || key->disabled)
		return refuse(req, resp, 401, "ODPS-0410051", 401, "Unauthorized",
					  "Invalid credentials - accessKeyId not found");
	if (emu_conf.check_clock && !clock_ok(req))
		return refuse(req, resp, 400, "ODPS-0410031", 401, "Unauthorized",
					  "Authentication request expired - the Date header is missing or more than 15 minutes off");
	if (!signature_ok(req, &c, key, given))
		return refuse(req, resp, 401, "ODPS-0410042", 403, "SignatureNotMatch",
					  "Invalid signature value - User signature does not match");
	if (key->token[0] ? !mcw_secret_eq(token, mcw_str(key->token)) : token.len > 0)
		return refuse(req, resp, 401, "ODPS-0410051", 401, "Unauthorized",
					  "Invalid credentials - invalid security token");
	if (key->expired)
		return refuse(req, resp, 401, "ODPS-0410051", 401, "Unauthorized",
					  "Invalid credentials - security token expired");
	if (!digest_ok(req))
	{
		odps_error(req, resp, 400, odps_is_tunnel(req) ? "InvalidArgument" : "ODPS-0420051",
				   "Content-MD5 does not match the body");
		return false;
	}
	req->key = key;
	return true;
}
