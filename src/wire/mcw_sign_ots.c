/*
 * mcw_sign_ots.c
 *		Tablestore signatures (tablestore.md 1.3 to 1.5): V2 and V4 of a request, and
 *		the signature of an answer.  All cover the x-ots-* headers and the path.
 */
#include "mcw_sign_util.h"
#include "mcw_hash.h"
#include "mcw_text.h"

#include <openssl/crypto.h>

#define OTS_PREFIX MCW_LIT("x-ots-")

static bool
is_signature(mcw_view name)
{
	return mcw_view_ieq(name, MCW_LIT("x-ots-signature")) || mcw_view_ieq(name, MCW_LIT("x-ots-signaturev4"));
}

/* Every x-ots-* header but the signatures, in order of names */
static mcw_status
collect_headers(const mcw_pair *headers, int nheaders, mcw_sign_list *list)
{
	list->count = 0;
	for (int i = 0; i < nheaders; i++)
	{
		if (!mcw_sign_has_prefix(headers[i].name, OTS_PREFIX) || is_signature(headers[i].name))
			continue;
		if (list->count == MCW_MAX_HEADERS)
			return MCW_ERR_LIMIT;
		mcw_sign_insert(list, &headers[i], true);
	}
	return MCW_OK;
}

static mcw_status
check(const mcw_request *req, mcw_view secret, mcw_error *err)
{
	if (secret.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without an access key secret");
	if (req->method.len == 0 || req->path.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without method and path");
	if (req->nparams > 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a request of Tablestore has no parameters");
	return MCW_OK;
}

/* 'tail' follows the headers */
static mcw_status
sign(const mcw_request *req, bool sha256, mcw_view key, mcw_view tail,
	 mcw_buf *signature, mcw_buf *string_to_sign)
{
	mcw_sign_list list;
	mcw_buf		text;
	mcw_status	status = collect_headers(req->headers, req->nheaders, &list);

	if (status != MCW_OK)
		return status;
	mcw_buf_init(&text, signature->alloc, MCW_SIGN_MAX);
	mcw_sign_add(&text, req->path);
	mcw_sign_add_char(&text, '\n');
	mcw_sign_add(&text, req->method);
	mcw_sign_add(&text, MCW_LIT("\n\n"));
	for (int i = 0; i < list.count; i++)
		mcw_sign_add_header_line(&text, &list.pairs[i]);
	mcw_sign_add(&text, tail);
	status = mcw_buf_status(&text);
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(signature, sha256, key, mcw_buf_view(&text));
	mcw_buf_free(&text);
	return status;
}

mcw_status
mcw_ots_sign_v2(const mcw_request *req, mcw_view secret,
				mcw_buf *signature, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_status	status = check(req, secret, err);

	if (status != MCW_OK)
		return status;
	return mcw_sign_result(sign(req, false, secret, MCW_LIT(""), signature, string_to_sign), err);
}

mcw_status
mcw_ots_v4_key(mcw_view secret, mcw_view date, mcw_view region, mcw_buf *key, mcw_error *err)
{
	unsigned char raw[32];
	mcw_view	raw_view = {(const char *) raw, sizeof(raw)};
	uint64_t	ignored;
	mcw_status	status;

	if (secret.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without an access key secret");
	if (date.len != 8 || !mcw_view_uint64(date, &ignored))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs the day as yyyymmdd");
	if (region.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs a region");
	status = mcw_sign_derive_v4_key(key->alloc, secret, date, region, MCW_LIT("ots"), raw);
	if (status == MCW_OK)
		status = mcw_base64_encode(key, raw_view);
	OPENSSL_cleanse(raw, sizeof(raw));
	return mcw_sign_result(status, err);
}

mcw_status
mcw_ots_sign_v4(const mcw_request *req, mcw_view key,
				mcw_buf *signature, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_status	status = check(req, key, err);

	if (status != MCW_OK)
		return status;
	if (!mcw_request_get_header(req, MCW_LIT("x-ots-signdate")).data ||
		!mcw_request_get_header(req, MCW_LIT("x-ots-signregion")).data)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs the headers x-ots-signdate and x-ots-signregion");
	return mcw_sign_result(sign(req, true, key, MCW_LIT("ots"), signature, string_to_sign), err);
}

/* Values are signed as they are: one of the official clients does not trim them */
mcw_status
mcw_ots_sign_response(const mcw_pair *headers, int nheaders, mcw_view path, mcw_view secret,
					  mcw_buf *signature, mcw_error *err)
{
	mcw_sign_list list;
	mcw_buf		text;
	mcw_status	status = collect_headers(headers, nheaders, &list);

	if (secret.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign an answer without an access key secret");
	if (status != MCW_OK)
		return mcw_sign_result(status, err);
	mcw_buf_init(&text, signature->alloc, MCW_SIGN_MAX);
	for (int i = 0; i < list.count; i++)
	{
		mcw_sign_add_lower(&text, list.pairs[i].name);
		mcw_sign_add_char(&text, ':');
		mcw_sign_add(&text, list.pairs[i].value);
		mcw_sign_add_char(&text, '\n');
	}
	mcw_sign_add(&text, path);
	status = mcw_buf_status(&text);
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(signature, false, secret, mcw_buf_view(&text));
	mcw_buf_free(&text);
	return mcw_sign_result(status, err);
}
