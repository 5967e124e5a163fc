/*
 * sls_auth.c
 *		mc-emulator, Log Service: what is checked before an API sees a request:
 *		version, digests, access key, security token, clock, signature V1 and V4.
 *		loghub.md 1.2, 2.
 */
#include <openssl/crypto.h>

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_sign.h"
#include "sls.h"

#define MAX_SKEW_S 900
#define AUTH_MAX 65536

static mcw_view
header(const sls_call *call, const char *name)
{
	return mcw_request_get_header(&call->req->http, mcw_str(name));
}

static bool
missing(sls_call *call, const char *code, const char *name)
{
	sls_error(call->resp, 400, code, "Missing http extend header key : %s", name);
	return false;
}

static bool
check_digests(sls_call *call)
{
	mcw_view	md5 = header(call, "Content-MD5");
	mcw_view	sha = header(call, "x-log-content-sha256");
	unsigned char digest[32];
	mcw_buf		hex;
	bool		ok = true;

	mcw_buf_init(&hex, &mcw_malloc, 128);
	if (md5.len > 0)
	{
		ok = mcw_md5(call->req->body.data, call->req->body.len, digest) == MCW_OK &&
			mcw_hex_encode(&hex, (mcw_view) {(char *) digest, 16}, true) == MCW_OK &&
			mcw_view_eq(mcw_buf_view(&hex), md5);
		if (!ok)
			sls_error(call->resp, 400, "InvalidArgument", "Content-MD5 does not match the body");
	}
	if (ok && sha.len > 0)
	{
		mcw_buf_reset(&hex);
		ok = mcw_sha256(call->req->body.data, call->req->body.len, digest) == MCW_OK &&
			mcw_hex_encode(&hex, (mcw_view) {(char *) digest, 32}, false) == MCW_OK &&
			mcw_view_eq(mcw_buf_view(&hex), sha);
		if (!ok)
			sls_error(call->resp, 400, "InvalidArgument", "x-log-content-sha256 does not match the body");
	}
	mcw_buf_free(&hex);
	return ok;
}

static bool
check_token(sls_call *call, const emu_key *key)
{
	mcw_view	token = header(call, "x-acs-security-token");

	if (key->disabled)
	{
		sls_error(call->resp, 401, "Unauthorized", "AccessKeyId is disabled: %s", key->id);
		return false;
	}
	if (key->expired)
	{
		sls_error(call->resp, 401, "Unauthorized", "The security token you provided has expired.");
		return false;
	}
	if (!mcw_secret_eq(token, mcw_str(key->token)))
	{
		sls_error(call->resp, 401, "Unauthorized", "The security token you provided is invalid.");
		return false;
	}
	return true;
}

static bool
check_clock(sls_call *call, bool v4)
{
	mcw_view	date = header(call, "x-log-date");
	int64_t		t;
	int64_t		now = call->req->now_us / 1000000;

	if (date.len == 0 && !v4)
		date = header(call, "Date");
	if (date.len == 0)
		return missing(call, "MissingDate", v4 ? "x-log-date" : "Date");
	if (v4 ? !mcw_parse_iso_basic(date, &t) : !mcw_parse_http_date(date, &t))
	{
		sls_error(call->resp, 400, "InvalidDateFormat", "Date %.*s must follow RFC822", (int) date.len, date.data);
		return false;
	}
	if (emu_conf.check_clock && (t < now - MAX_SKEW_S || t > now + MAX_SKEW_S))
	{
		sls_error(call->resp, 400, "RequestTimeExpired", "request time %lld has been expired while server time is %lld.",
				  (long long) t, (long long) now);
		return false;
	}
	return true;
}

/* A signature that our own signer would have made for the same request */
static bool
compare(sls_call *call, mcw_status status, const mcw_buf *expected, mcw_view given)
{
	const char *cut = NULL;

	if (status == MCW_OK)
		cut = memrchr(expected->data, memcmp(expected->data, "LOG ", 4) == 0 ? ':' : ',', expected->len);
	if (cut)
	{
		mcw_view	ours = {cut + 1, expected->data + expected->len - cut - 1};

		if (ours.len > 10 && memcmp(ours.data, "Signature=", 10) == 0)
		{
			ours.data += 10;
			ours.len -= 10;
		}
		if (mcw_secret_eq(ours, given))
			return true;
	}
	sls_error(call->resp, 401, "SignatureNotMatch", "Signature %.*s not matched.", (int) (given.len < 128 ? given.len : 128), given.data);
	return false;
}

static const emu_key *
known_key(sls_call *call, mcw_view id)
{
	const emu_key *key = emu_find_key(id);

	if (key == NULL)
		sls_error(call->resp, 401, "Unauthorized", "AccessKeyId not found: %.*s", (int) (id.len < 128 ? id.len : 128), id.data);
	return key;
}

static bool
verify_v1(sls_call *call, mcw_view auth)
{
	mcw_view	method = header(call, "x-log-signaturemethod");
	mcw_view	rest = {auth.data + 4, auth.len - 4};
	const char *colon = memchr(rest.data, ':', rest.len);
	mcw_view	id;
	mcw_view	signature;
	const emu_key *key;
	mcw_credentials cred;
	mcw_buf		ours;
	mcw_status	status;
	bool		ok;

	if (colon == NULL)
	{
		sls_error(call->resp, 400, "MissAccessKeyId", "Authorization must be LOG <AccessKeyId>:<Signature>");
		return false;
	}
	if (method.len == 0)
		return missing(call, "MissingSignatureMethod", "x-log-signaturemethod");
	if (!mcw_view_ieq(method, MCW_LIT("hmac-sha1")) && !mcw_view_ieq(method, MCW_LIT("hmac-sha256")))
	{
		sls_error(call->resp, 400, "InvalidSignatureMethod", "signature method %.*s is not supported", (int) method.len, method.data);
		return false;
	}
	id = (mcw_view) {rest.data, colon - rest.data};
	signature = (mcw_view) {colon + 1, rest.data + rest.len - colon - 1};
	key = known_key(call, id);
	if (key == NULL || !check_token(call, key) || !check_clock(call, false))
		return false;
	cred = (mcw_credentials) {mcw_str(key->id), mcw_str(key->secret), mcw_str(key->token)};
	mcw_buf_init(&ours, &mcw_malloc, AUTH_MAX);
	status = mcw_sls_sign_v1(&call->req->http, &cred, &ours, NULL, NULL);
	ok = compare(call, status, &ours, signature);
	mcw_buf_free(&ours);
	call->req->key = ok ? key : NULL;
	return ok;
}

/* Split at the slashes of <ak>/<date>/<region>/sls/aliyun_v4_request. */
static bool
parse_scope(mcw_view scope, mcw_view part[5])
{
	const char *p = scope.data;
	const char *end = scope.data + scope.len;

	for (int i = 0; i < 5; i++)
	{
		const char *slash = memchr(p, '/', end - p);

		if ((slash == NULL) != (i == 4))
			return false;
		part[i] = (mcw_view) {p, (slash ? slash : end) - p};
		p = slash ? slash + 1 : end;
	}
	return mcw_view_eq(part[3], MCW_LIT("sls")) && mcw_view_eq(part[4], MCW_LIT("aliyun_v4_request"));
}

static bool
verify_v4(sls_call *call, mcw_view auth)
{
	static const char prefix[] = "SLS4-HMAC-SHA256 Credential=";
	mcw_view	rest = {auth.data + sizeof(prefix) - 1, auth.len - (sizeof(prefix) - 1)};
	const char *comma = memchr(rest.data, ',', rest.len);
	mcw_view	part[5];
	mcw_view	date = header(call, "x-log-date");
	mcw_view	signature;
	const emu_key *key;
	mcw_credentials cred;
	mcw_buf		ours;
	mcw_status	status;
	bool		ok;

	if (comma == NULL || !parse_scope((mcw_view) {rest.data, comma - rest.data}, part))
	{
		sls_error(call->resp, 400, "InvalidArgument", "Authorization has no credential scope");
		return false;
	}
	signature = (mcw_view) {comma + 1, rest.data + rest.len - comma - 1};
	while (signature.len > 0 && signature.data[0] == ' ')
		signature.data++, signature.len--;
	if (signature.len < 10 || memcmp(signature.data, "Signature=", 10) != 0)
	{
		sls_error(call->resp, 400, "InvalidArgument", "Authorization has no Signature");
		return false;
	}
	signature.data += 10;
	signature.len -= 10;
	if (header(call, "x-log-content-sha256").len == 0)
		return missing(call, "MissingParameter", "x-log-content-sha256");
	key = known_key(call, part[0]);
	if (key == NULL || !check_token(call, key) || !check_clock(call, true))
		return false;
	if (part[1].len != 8 || memcmp(part[1].data, date.data, 8) != 0)
		return compare(call, MCW_ERR_ARGUMENT, NULL, signature);
	cred = (mcw_credentials) {mcw_str(key->id), mcw_str(key->secret), mcw_str(key->token)};
	mcw_buf_init(&ours, &mcw_malloc, AUTH_MAX);
	status = mcw_sls_sign_v4(&call->req->http, &cred, part[2], &ours, NULL, NULL, NULL);
	ok = compare(call, status, &ours, signature);
	mcw_buf_free(&ours);
	call->req->key = ok ? key : NULL;
	return ok;
}

bool
sls_authenticate(sls_call *call)
{
	mcw_view	auth = header(call, "Authorization");
	mcw_view	version = header(call, "x-log-apiversion");

	if (version.len == 0 && call->api == SLS_WEBTRACKING)
		version = sls_param(call, "APIVersion");
	if (version.len == 0)
		return missing(call, "MissingAPIVersion", "x-log-apiversion");
	if (!mcw_view_eq(version, MCW_LIT("0.6.0")))
	{
		sls_error(call->resp, 400, "InvalidAPIVersion", "API version %.*s is not supported", (int) version.len, version.data);
		return false;
	}
	if (!check_digests(call))
		return false;
	if (call->api == SLS_WEBTRACKING || !emu_conf.verify_signature)
		return true;
	if (auth.len == 0)
		return missing(call, "MissingParameter", "Authorization");
	if (auth.len > 4 && memcmp(auth.data, "LOG ", 4) == 0)
		return verify_v1(call, auth);
	if (auth.len > 28 && memcmp(auth.data, "SLS4-HMAC-SHA256 Credential=", 28) == 0)
		return verify_v4(call, auth);
	sls_error(call->resp, 400, "InvalidArgument", "Authorization is neither LOG nor SLS4-HMAC-SHA256");
	return false;
}
