/*
 * mcw_sign_odps.c
 *		MaxCompute signatures V2 and V4 (maxcompute.md 1.5, 1.6).  Both sign the same
 *		string; they differ in key and credential.
 */
#include "mcw_sign_util.h"
#include "mcw_hash.h"

#include <openssl/crypto.h>

#define ODPS_PREFIX MCW_LIT("x-odps-")

static void
add_header_or_nothing(mcw_buf *buf, const mcw_request *req, mcw_view name)
{
	mcw_sign_add(buf, mcw_sign_trim(mcw_request_get_header(req, name)));
	mcw_sign_add_char(buf, '\n');
}

/* The service counts x-odps-* parameters as headers too, besides the resource. */
static void
build_string_to_sign(const mcw_request *req, mcw_buf *out)
{
	mcw_sign_list list = {.count = 0};

	mcw_sign_add(out, req->method);
	mcw_sign_add_char(out, '\n');
	add_header_or_nothing(out, req, MCW_LIT("Content-MD5"));
	add_header_or_nothing(out, req, MCW_LIT("Content-Type"));
	add_header_or_nothing(out, req, MCW_LIT("Date"));

	for (int i = 0; i < req->nheaders; i++)
	{
		if (mcw_sign_has_prefix(req->headers[i].name, ODPS_PREFIX))
			mcw_sign_insert(&list, &req->headers[i], true);
	}
	for (int i = 0; i < req->nparams; i++)
	{
		if (mcw_sign_has_prefix(req->params[i].name, ODPS_PREFIX))
			mcw_sign_insert(&list, &req->params[i], true);
	}
	for (int i = 0; i < list.count; i++)
		mcw_sign_add_header_line(out, &list.pairs[i]);

	mcw_sign_add(out, req->path);
	list.count = 0;
	for (int i = 0; i < req->nparams; i++)
		mcw_sign_insert(&list, &req->params[i], false);
	mcw_sign_add_query(out, &list);
}

/* "ODPS <credential>:<signature>" */
static mcw_status
sign(const mcw_request *req, mcw_view credential, mcw_view key,
	 mcw_buf *authorization, mcw_buf *string_to_sign)
{
	mcw_buf		text;
	mcw_status	status;

	mcw_buf_init(&text, authorization->alloc, MCW_SIGN_MAX);
	build_string_to_sign(req, &text);
	status = mcw_buf_status(&text);
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));
	if (status == MCW_OK)
		status = mcw_buf_append_str(authorization, "ODPS ");
	if (status == MCW_OK)
		status = mcw_buf_append_view(authorization, credential);
	if (status == MCW_OK)
		status = mcw_buf_append_char(authorization, ':');
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(authorization, false, key, mcw_buf_view(&text));
	mcw_buf_free(&text);
	return status;
}

static mcw_status
check(const mcw_request *req, const mcw_credentials *cred, mcw_error *err)
{
	mcw_status	status = mcw_sign_check(req, cred, err);

	if (status == MCW_OK && !mcw_request_get_header(req, MCW_LIT("Date")).data)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "cannot sign a request without a Date header");
	return status;
}

mcw_status
mcw_odps_sign_v2(const mcw_request *req, const mcw_credentials *cred,
				 mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_status	status = check(req, cred, err);

	if (status != MCW_OK)
		return status;
	status = sign(req, cred->access_key_id, cred->access_key_secret, authorization, string_to_sign);
	return mcw_sign_result(status, err);
}

mcw_status
mcw_odps_sign_v4(const mcw_request *req, const mcw_credentials *cred, mcw_view region,
				 mcw_view date, mcw_buf *authorization, mcw_buf *string_to_sign,
				 mcw_error *err)
{
	unsigned char key[32];
	mcw_view	key_view = {(const char *) key, sizeof(key)};
	mcw_buf		credential;
	uint64_t	ignored;
	mcw_status	status = check(req, cred, err);

	if (status != MCW_OK)
		return status;
	if (date.len != 8 || !mcw_view_uint64(date, &ignored))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs the day as yyyymmdd");
	if (region.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "signature V4 needs a region");

	mcw_buf_init(&credential, authorization->alloc, MCW_SIGN_MAX);
	mcw_sign_add(&credential, cred->access_key_id);
	mcw_sign_add_char(&credential, '/');
	mcw_sign_add(&credential, date);
	mcw_sign_add_char(&credential, '/');
	mcw_sign_add(&credential, region);
	mcw_sign_add(&credential, MCW_LIT("/odps/aliyun_v4_request"));
	status = mcw_buf_status(&credential);

	if (status == MCW_OK)
		status = mcw_sign_derive_v4_key(authorization->alloc, cred->access_key_secret, date, region,
										MCW_LIT("odps"), key);
	if (status == MCW_OK)
		status = sign(req, mcw_buf_view(&credential), key_view, authorization, string_to_sign);
	OPENSSL_cleanse(key, sizeof(key));
	mcw_buf_free(&credential);
	return mcw_sign_result(status, err);
}
