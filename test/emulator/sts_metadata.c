/*
 * sts_metadata.c
 *		mc-emulator: the metadata service of an ECS instance, as far as its RAM role goes.
 *
 * Version 2 (with a session token) and version 1; which of them are offered is a
 * setting.  Credentials are made anew once half of their life is over, as the real
 * service does long before they end.
 */
#include <stdlib.h>

#include "sts.h"

#define MAX_TTL_S 21600
#define MAX_TOKENS 256
#define ROLES "/latest/meta-data/ram/security-credentials/"

typedef struct token
{
	char		text[48];
	int64_t		expires_us;
} token;

static token tokens[MAX_TOKENS];
static uint64_t ntokens = 0;
static char role_name[128] = "";	/* "" = the instance has none */
static bool offers_v1 = true;
static bool offers_v2 = true;
static int64_t life_us = INT64_C(6) * 3600 * 1000000;
static const emu_key *current = NULL;
static int64_t current_since = 0;

static mcw_view
header(const emu_request *req, const char *name)
{
	return mcw_request_get_header(&req->http, mcw_str(name));
}

static void
metadata_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	mcw_buf_reset(&resp->body);
	sts_text(resp, status, message);
}

static void
give_token(emu_request *req, emu_response *resp)
{
	int64_t		seconds;
	token	   *t;

	if (!mcw_view_int64(header(req, "X-aliyun-ecs-metadata-token-ttl-seconds"), &seconds) || seconds < 1 || seconds > MAX_TTL_S)
	{
		sts_text(resp, 400, "Bad Request");
		return;
	}
	t = &tokens[ntokens++ % MAX_TOKENS];
	(void) snprintf(t->text, sizeof(t->text), "meta-%llu-%08lx%08lx", (unsigned long long) ntokens, random(), random());
	t->expires_us = req->now_us + seconds * 1000000;
	sts_text(resp, 200, t->text);
}

static bool
token_ok(const emu_request *req)
{
	mcw_view	given = header(req, "X-aliyun-ecs-metadata-token");

	if (given.data == NULL)
		return offers_v1;
	for (int i = 0; offers_v2 && i < MAX_TOKENS; i++)
		if (mcw_view_eq(mcw_str(tokens[i].text), given))
			return req->now_us < tokens[i].expires_us;
	return false;
}

static void
give_credentials(emu_request *req, emu_response *resp)
{
	char		at[24];

	if (current == NULL || req->now_us >= current->expires_us || req->now_us - current_since >= life_us / 2)
	{
		current = emu_issue_key(req->now_us + life_us);
		current_since = req->now_us;
	}
	resp->status = 200;
	emu_header_add(resp, "Content-Type", "text/plain");
	sts_time(at, current_since);
	(void) mcw_buf_append_char(&resp->body, '{');
	sts_put_credentials(&resp->body, current);
	(void) mcw_buf_printf(&resp->body, ",\"LastUpdated\":\"%s\",\"Code\":\"Success\"}", at);
}

static void
metadata_handle(emu_request *req, emu_response *resp)
{
	mcw_view	path = req->http.path;
	size_t		prefix = sizeof(ROLES) - 1;
	mcw_view	role;

	if (mcw_view_eq(path, MCW_LIT("/latest/api/token")))
	{
		if (!offers_v2)
			sts_text(resp, 404, "Not Found");
		else if (!mcw_view_eq(req->http.method, MCW_LIT("PUT")))
			sts_text(resp, 405, "Method Not Allowed");
		else
			give_token(req, resp);
		return;
	}
	if (!mcw_view_eq(req->http.method, MCW_LIT("GET")))
	{
		sts_text(resp, 405, "Method Not Allowed");
		return;
	}
	if (!token_ok(req))
	{
		sts_text(resp, 403, "Forbidden");
		return;
	}
	if (path.len < prefix || memcmp(path.data, ROLES, prefix) != 0 || role_name[0] == '\0')
	{
		sts_text(resp, 404, "Not Found");
		return;
	}
	role = (mcw_view) {path.data + prefix, path.len - prefix};
	if (role.len == 0)
		sts_text(resp, 200, role_name);
	else if (mcw_view_eq(role, mcw_str(role_name)))
		give_credentials(req, resp);
	else
		sts_text(resp, 404, "Not Found");
}

static const char *
metadata_api(const emu_request *req)
{
	mcw_view	path = req->http.path;

	if (mcw_view_eq(path, MCW_LIT("/latest/api/token")))
		return "GetToken";
	if (mcw_view_eq(path, MCW_LIT(ROLES)))
		return "GetRole";
	return path.len > sizeof(ROLES) - 1 && memcmp(path.data, ROLES, sizeof(ROLES) - 1) == 0 ? "GetCredentials" : NULL;
}

static void
read_bool(const mcw_node *cmd, const char *name, bool *out)
{
	const mcw_node *node = mcw_node_get(cmd, name);

	if (node && node->kind == MCW_NODE_BOOL)
		*out = node->boolean;
}

static bool
metadata_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	op = mcw_node_text(cmd, "op");
	int64_t		ms;

	if (!mcw_view_eq(op, MCW_LIT("set")))
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "service metadata knows the op set, not \"%.*s\"", (int) op.len, op.data ? op.data : "");
		return false;
	}
	if (!sts_command_text(cmd, "role", role_name, sizeof(role_name), err))
		return false;
	read_bool(cmd, "v1", &offers_v1);
	read_bool(cmd, "v2", &offers_v2);
	if (mcw_node_int(cmd, "lifetime_ms", &ms) && ms > 0)
	{
		life_us = ms * 1000;
		current = NULL;
	}
	return true;
}

static void
metadata_state(mcw_buf *reply)
{
	(void) mcw_buf_printf(reply, "{\"role\":\"%s\",\"tokens\":%llu}", role_name, (unsigned long long) ntokens);
}

emu_service emu_metadata = {
	.name = "metadata",
	.default_port = 7706,
	.handle = metadata_handle,
	.command = metadata_command,
	.error = metadata_error,
	.state = metadata_state,
	.api = metadata_api,
};
