/*
 * mcw_sign_rpc.c
 *		Signature version 1.0 of the vendor's RPC calls (Security Token Service):
 *		HMAC-SHA1 over the method and all parameters, each encoded twice.
 */
#include "mcw_sign_util.h"
#include "mcw_text.h"

/* name=value&name=value, encoded, in the order of the names' bytes */
static void
add_sorted(mcw_buf *out, const mcw_request *req)
{
	mcw_sign_list list = {.count = 0};

	for (int i = 0; i < req->nparams; i++)
		if (!mcw_view_eq(req->params[i].name, MCW_LIT("Signature")))
			mcw_sign_insert(&list, &req->params[i], false);
	for (int i = 0; i < list.count; i++)
	{
		if (i > 0)
			mcw_sign_add_char(out, '&');
		(void) mcw_percent_encode(out, list.pairs[i].name, false);
		mcw_sign_add_char(out, '=');
		(void) mcw_percent_encode(out, list.pairs[i].value, false);
	}
}

mcw_status
mcw_rpc_sign(const mcw_request *req, mcw_view secret, mcw_buf *signature, mcw_buf *string_to_sign, mcw_error *err)
{
	mcw_buf		query;
	mcw_buf		text;
	mcw_buf		key;
	mcw_status	status;

	if (secret.len == 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "access key secret is empty");
	mcw_buf_init(&query, signature->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&text, signature->alloc, MCW_SIGN_MAX);
	mcw_buf_init(&key, signature->alloc, MCW_SIGN_MAX);
	add_sorted(&query, req);
	mcw_sign_add(&text, req->method);
	mcw_sign_add(&text, MCW_LIT("&%2F&"));
	(void) mcw_percent_encode(&text, mcw_buf_view(&query), false);
	mcw_sign_add(&key, secret);
	mcw_sign_add_char(&key, '&');

	status = mcw_buf_status(&query);
	if (status == MCW_OK)
		status = mcw_buf_status(&text);
	if (status == MCW_OK)
		status = mcw_buf_status(&key);
	if (status == MCW_OK)
		status = mcw_sign_hmac_base64(signature, false, mcw_buf_view(&key), mcw_buf_view(&text));
	if (status == MCW_OK && string_to_sign)
		status = mcw_buf_append_view(string_to_sign, mcw_buf_view(&text));
	if (key.len > 0)
		explicit_bzero(key.data, key.len);
	mcw_buf_free(&key);
	mcw_buf_free(&text);
	mcw_buf_free(&query);
	return mcw_sign_result(status, err);
}
