/*
 * fuzz_http.c
 *		Input: a request target, then lines "name: value" of headers.  A target that
 *		reads must read the same after being written, and every signer must either
 *		sign the request or say why not.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_sign.h"

#define MAX_OUTPUT ((size_t) 1 << 22)

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static mcw_view
next_line(mcw_view *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
	mcw_view	line = *rest;

	if (end)
		line.len = (size_t) (end - rest->data);
	rest->data += line.len + (end != NULL);
	rest->len -= line.len + (end != NULL);
	return line;
}

static void
add_headers(mcw_request *req, mcw_view rest)
{
	while (rest.len > 0)
	{
		mcw_view	line = next_line(&rest);
		const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
		mcw_view	name = {line.data, colon ? (size_t) (colon - line.data) : line.len};
		mcw_view	value = {colon ? colon + 1 : "", colon ? line.len - name.len - 1 : 0};

		(void) mcw_request_header(req, name, value);
	}
}

static void
check_written(const mcw_request *req)
{
	mcw_request back = {req->method};
	mcw_arena	arena;
	mcw_buf		target;

	mcw_arena_init(&arena, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&target, &mcw_malloc, MAX_OUTPUT);
	check(mcw_request_target(req, &target) == MCW_OK);
	check(mcw_request_parse_target(&back, mcw_buf_view(&target), &arena, NULL) == MCW_OK);
	check(mcw_view_eq(back.path, req->path));
	for (int i = 0, j = 0; i < req->nparams; i++)
	{
		/* a parameter with neither name nor "=" cannot have been read */
		check(req->params[i].name.len > 0 || req->params[i].value.data);
		check(j < back.nparams && mcw_view_eq(back.params[j].name, req->params[i].name));
		check(mcw_view_eq(back.params[j].value, req->params[i].value));
		j++;
	}
	mcw_buf_free(&target);
	mcw_arena_reset(&arena);
}

static void
check_signers(const mcw_request *req)
{
	const mcw_credentials cred = {{"id", 2}, {"secret", 6}, {NULL, 0}};

	for (int signer = 0; signer < 4; signer++)
	{
		mcw_buf		authorization;
		mcw_buf		text;
		mcw_error	err;
		mcw_status	status = MCW_OK;

		mcw_buf_init(&authorization, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&text, &mcw_malloc, MAX_OUTPUT);
		err.message[0] = '\0';
		if (signer == 0)
			status = mcw_sls_sign_v1(req, &cred, &authorization, &text, &err);
		else if (signer == 1)
			status = mcw_sls_sign_v4(req, &cred, MCW_LIT("r"), &authorization, NULL, &text, &err);
		else if (signer == 2)
			status = mcw_odps_sign_v2(req, &cred, &authorization, &text, &err);
		else
			status = mcw_odps_sign_v4(req, &cred, MCW_LIT("r"), MCW_LIT("20231115"), &authorization, &text, &err);
		check(status == MCW_OK ? authorization.len > 20 && text.len > 0 : err.message[0] != '\0');
		mcw_buf_free(&authorization);
		mcw_buf_free(&text);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	rest = {(const char *) data, size};
	mcw_view	target = next_line(&rest);
	mcw_request req = {MCW_LIT("GET")};
	mcw_arena	arena;
	mcw_error	err;

	mcw_arena_init(&arena, &mcw_malloc, MAX_OUTPUT);
	if (mcw_request_parse_target(&req, target, &arena, &err) == MCW_OK)
	{
		add_headers(&req, rest);
		check_written(&req);
		check_signers(&req);
	}
	mcw_arena_reset(&arena);
	return 0;
}
