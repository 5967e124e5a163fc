/*
 * mcw_sign_sls.c
 *		Log Service signatures V1 and V4 (loghub.md 2.1, 2.2).
 */
#include "mcw_sign_util.h"
#include "mcw_hash.h"
#include "mcw_text.h"

#include <openssl/crypto.h>

/* x-log-* and x-acs-*, less the user metadata of object uploads */
static bool
is_service_header(mcw_view name)
{
	return (mcw_sign_has_prefix(name, MCW_LIT("x-log-")) || mcw_sign_has_prefix(name, MCW_LIT("x-acs-"))) &&
		!mcw_sign_has_prefix(name, MCW_LIT("x-log-meta-"));
}

static void
add_header_or_nothing(mcw_buf *buf, const mcw_request *req, mcw_view name)
{
	mcw_sign_add(buf, mcw_sign_trim(mcw_request_get_header(req, name)));
	mcw_sign_add_char(buf, '\n');
}

static void
sort_params(mcw_sign_list *params, const mcw_request *req)
{
	params->count = 0;
	for (int i = 0; i < req->nparams; i++)
		mcw_sign_insert(params, &req->params[i], false);
}

/*
 * A parameter without value is "name=", except that the clients that sign with
 * SHA-256 write an absent one as "name".
 */
static void
v1_string_to_sign(const mcw_request *req, bool sha256, mcw_view date, mcw_buf *out)
{
	mcw_sign_list list = {.count = 0};

	mcw_sign_add(out, req->method);
	mcw_sign_add_char(out, '\n');
	add_header_or_nothing(out, req, MCW_LIT("Content-MD5"));
	add_header_or_nothing(out, req, MCW_LIT("Content-Type"));
	mcw_sign_add(out, mcw_sign_trim(date));
	mcw_sign_add_char(out, '\n');

	for (int i = 0; i < req->nheaders; i++)
	{
		if (is_service_header(req->headers[i].name) &&
			!mcw_view_ieq(req->headers[i].name, MCW_LIT("x-log-date")))
			mcw_sign_insert(&list, &req->headers[i], true);
	}
	for (int i = 0; i < list.count; i++)
		mcw_sign_add_header_line(out, &list.pairs[i]);

	mcw_sign_add(out, req->path);
	sort_params(&list, req);
	for (int i = 0; i < list.count; i++)
	{
		mcw_sign_add_char(out, i == 0 ? '?' : '&');
		mcw_sign_add(out, list.pairs[i].name);
		if (list.pairs[i].value.data || !sha256)
			mcw_sign_add_char(out, '=');
		mcw_sign_add(out, list.pairs[i].value);
	}
}

mcw_status
mcw_sls_sign_v1(const mcw_request *req, const mcw_credentials *cred,
				mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_view	method = mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("x-log-signaturemethod")));
	mcw_view	date = mcw_request_get_header(req, MCW_LIT("x-log-date"));
	bool		sha256 = mcw_view_ieq(method, MCW_LIT("hmac-sha256"));
	mcw_buf		text;
	mcw_status	status;

	status = mcw_sign_check(req, cred, err);
	if (status != MCW_OK)
		return status;
	if (method.data && !sha256 && !mcw_view_ieq(method, MCW_LIT("hmac-sha1")))
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "signature method \"%.*s\" is not supported",
						(int) (method.len < 64 ? method.len : 64), method.data);
	if (!date.data)
		date = mcw_request_get_header(req, MCW_LIT("Date"));
	if (!date.data)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without Date or x-log-date");

	mcw_buf_init(&text, authorization->alloc, MCW_SIGN_MAX);
	v1_string_to_sign(req, sha256, date, &text);
	status = mcw_buf_status(&text);
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));
	if (status == MCW_OK)
		status = mcw_buf_append_str(authorization, "LOG ");
	if (status == MCW_OK)
		status = mcw_buf_append_view(authorization, cred->access_key_id);
	if (status == MCW_OK)
		status = mcw_buf_append_char(authorization, ':');
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(authorization, sha256, cred->access_key_secret, mcw_buf_view(&text));

	mcw_buf_free(&text);
	return mcw_sign_result(status, err);
}

/* ---- V4 ---- */

static void
v4_canonical_request(const mcw_request *req, mcw_view content_sha256, mcw_buf *out)
{
	mcw_sign_list list = {.count = 0};

	mcw_sign_add(out, req->method);
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, req->path);
	mcw_sign_add_char(out, '\n');

	/* names as they are, values encoded, no "=" without a value */
	sort_params(&list, req);
	for (int i = 0; i < list.count; i++)
	{
		if (i > 0)
			mcw_sign_add_char(out, '&');
		mcw_sign_add(out, list.pairs[i].name);
		if (list.pairs[i].value.len > 0)
			mcw_sign_add_char(out, '=');
		(void) mcw_percent_encode(out, list.pairs[i].value, false);
	}
	mcw_sign_add_char(out, '\n');

	list.count = 0;
	for (int i = 0; i < req->nheaders; i++)
	{
		mcw_view	name = req->headers[i].name;

		if (is_service_header(name) || mcw_view_ieq(name, MCW_LIT("host")) ||
			mcw_view_ieq(name, MCW_LIT("content-type")))
			mcw_sign_insert(&list, &req->headers[i], true);
	}
	for (int i = 0; i < list.count; i++)
		mcw_sign_add_header_line(out, &list.pairs[i]);
	mcw_sign_add_char(out, '\n');
	for (int i = 0; i < list.count; i++)
	{
		if (i > 0)
			mcw_sign_add_char(out, ';');
		mcw_sign_add_lower(out, list.pairs[i].name);
	}
	mcw_sign_add_char(out, '\n');
	mcw_sign_add(out, content_sha256);
}

static mcw_status
v4_authorization(const mcw_credentials *cred, mcw_view date, mcw_view region, mcw_view scope,
				 mcw_view text, mcw_buf *out)
{
	unsigned char key[32];
	unsigned char mac[32];
	mcw_view	key_view = {(const char *) key, sizeof(key)};
	mcw_view	mac_view = {(const char *) mac, sizeof(mac)};
	mcw_status	status;

	status = mcw_sign_derive_v4_key(out->alloc, cred->access_key_secret, date, region, MCW_LIT("sls"), key);
	if (status == MCW_OK)
		status = mcw_hmac_sha256(key_view, text, mac);
	OPENSSL_cleanse(key, sizeof(key));

	if (status == MCW_OK)
		status = mcw_buf_append_str(out, "SLS4-HMAC-SHA256 Credential=");
	if (status == MCW_OK)
		status = mcw_buf_append_view(out, cred->access_key_id);
	if (status == MCW_OK)
		status = mcw_buf_append_char(out, '/');
	if (status == MCW_OK)
		status = mcw_buf_append_view(out, scope);
	if (status == MCW_OK)
		status = mcw_buf_append_str(out, ",Signature=");
	if (status == MCW_OK)
		status = mcw_hex_encode(out, mac_view, false);
	return status;
}

mcw_status
mcw_sls_sign_v4(const mcw_request *req, const mcw_credentials *cred, mcw_view region,
				mcw_buf *authorization, mcw_buf *canonical_request,
				mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_view	time = mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("x-log-date")));
	mcw_view	body = mcw_sign_trim(mcw_request_get_header(req, MCW_LIT("x-log-content-sha256")));
	mcw_view	date = {time.data, 8};
	int64_t		ignored;
	mcw_buf		canonical;
	mcw_buf		scope;
	mcw_buf		text;
	mcw_status	status;

	status = mcw_sign_check(req, cred, err);
	if (status != MCW_OK)
		return status;
	if (!time.data || !mcw_parse_iso_basic(time, &ignored))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs x-log-date as yyyymmddThhmmssZ");
	if (body.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs x-log-content-sha256");
	if (region.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs a region");

	mcw_buf_init(&canonical, authorization->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&scope, authorization->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&text, authorization->alloc, MCW_SIGN_MAX);

	v4_canonical_request(req, body, &canonical);
	status = mcw_buf_status(&canonical);
	mcw_sign_add(&scope, date);
	mcw_sign_add_char(&scope, '/');
	mcw_sign_add(&scope, region);
	mcw_sign_add(&scope, MCW_LIT("/sls/aliyun_v4_request"));
	if (status == MCW_OK)
		status = mcw_buf_status(&scope);
	if (status == MCW_OK)
		status = mcw_sign_v4_text(MCW_LIT("SLS4-HMAC-SHA256\n"), mcw_buf_view(&canonical), time, mcw_buf_view(&scope), &text);
	if (status == MCW_OK)
		status = v4_authorization(cred, date, region, mcw_buf_view(&scope), mcw_buf_view(&text), authorization);
	if (status == MCW_OK && canonical_request)
		status = mcw_buf_append_view(canonical_request, mcw_buf_view(&canonical));
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));

	mcw_buf_free(&text);
	mcw_buf_free(&scope);
	mcw_buf_free(&canonical);
	return mcw_sign_result(status, err);
}
