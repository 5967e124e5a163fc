/*
 * mcs_call.c
 *		What the calls of all services do alike.
 */
#include "mcs_call.h"

#include "../wire/mcw_hash.h"
#include "../wire/mcw_text.h"

void
mcs_call_remember(mcw_error *failed, mcw_status status, const char *what)
{
	if (status != MCW_OK && failed->status == MCW_OK)
		(void) mcw_fail(failed, status, "could not prepare a request: %s", what);
}

mcw_view
mcs_call_copy(mcw_arena *arena, mcw_error *failed, mcw_view v)
{
	mcw_view	copy = {NULL, 0};

	mcs_call_remember(failed, mcw_arena_copy(arena, v, &copy), "no memory");
	return copy;
}

void
mcs_call_start(mcn_request *req, const mcw_error *failed)
{
	if (failed->status == MCW_OK)
	{
		mcn_request_start(req);
		return;
	}
	req->active = false;
	req->status = failed->status;
	req->error = *failed;
	if (req->on_done)
		req->on_done(req);
}

mcw_status
mcs_call_wait(mcn_request *req, mcw_error *err)
{
	mcw_status	status = req->active ? mcn_request_wait(req) : req->status;

	if (status == MCW_ERR_INTERRUPTED)
	{
		mcn_request_cancel(req);
		return mcw_fail(err, status, "interrupted");
	}
	if (status != MCW_OK && err)
		*err = req->error;
	return status;
}

const mcw_credentials *
mcs_call_credentials(const mcn_request *req, const mcw_credentials *own)
{
	const mcw_credentials *renewed = mcn_request_credentials(req);

	return renewed ? renewed : own;
}

mcw_status
mcs_call_token(mcn_request *req, const char *name, mcw_view token, mcw_error *err)
{
	mcw_request *http = &req->http;

	if (token.len > 0)
		return mcw_request_header(http, mcw_str(name), token) == MCW_OK ? MCW_OK :
			mcw_fail(err, MCW_ERR_LIMIT, "too many request headers");
	for (int i = 0; i < http->nheaders; i++)
		if (mcw_view_ieq(http->headers[i].name, mcw_str(name)))
		{
			memmove(&http->headers[i], &http->headers[i + 1], (http->nheaders - i - 1) * sizeof(mcw_pair));
			http->nheaders--;
			break;
		}
	return MCW_OK;
}

#define SECRET_BEGIN 8			/* so much of one tells too much */

static void
hide(char *text, mcw_view secret)
{
	if (secret.len < SECRET_BEGIN)
		return;
	for (size_t left = strlen(text); left >= SECRET_BEGIN; text++, left--)
	{
		size_t		len = secret.len < left ? secret.len : left;

		if (*text == *secret.data && memcmp(text, secret.data, len) == 0)
			memset(text, '*', len);
	}
}

void
mcs_hide_secrets(mcw_error *err, const mcw_credentials *cred)
{
	hide(err->code, cred->access_key_secret);
	hide(err->code, cred->security_token);
	hide(err->text, cred->access_key_secret);
	hide(err->text, cred->security_token);
}

void
mcs_copy_text(char *to, size_t size, mcw_view from)
{
	size_t		len = from.len < size - 1 ? from.len : size - 1;

	while (len < from.len && len > 0 && ((unsigned char) from.data[len] & 0xc0) == 0x80)
		len--;
	if (len > 0)
		memcpy(to, from.data, len);
	to[len] = '\0';
}

mcw_status
mcs_md5_text(const mcw_alloc *alloc, mcw_view bytes, char out[28], mcw_error *err)
{
	unsigned char md5[16];
	mcw_buf		text;
	mcw_status	status = mcw_md5(bytes.data, bytes.len, md5);

	if (status != MCW_OK)
		return mcw_fail(err, status, "MD5 is not available");
	mcw_buf_init(&text, alloc, 28);
	status = mcw_base64_encode(&text, (mcw_view) {(const char *) md5, sizeof(md5)});
	if (status == MCW_OK)
	{
		memcpy(out, text.data, text.len);
		out[text.len] = '\0';
	}
	mcw_buf_free(&text);
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "out of memory");
}
