/*
 * mcs_metadata.c
 *		The metadata service of an ECS instance: a session token (version 2 of the
 *		service), the name of the instance's role, the role's temporary credentials.
 *
 * Version 1, without the session token, is used only where the service answers that it
 * has no version 2: an answer below 500 to the request for the token.
 */
#include "mcs_sts.h"

#include <stdio.h>

#include "mcs_call.h"
#include "mcs_sts_private.h"
#include "../wire/mcw_text.h"

#define TOKEN_SECONDS "21600"
#define MAX_TOKEN 1024
#define MAX_ROLE 128
#define ROLES "/latest/meta-data/ram/security-credentials/"

const mcn_retry_rule mcs_metadata_retry_rules[] = {
	{NULL, 429, MCN_RETRY_SLOW},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO},
};

typedef enum step
{
	GET_TOKEN, GET_ROLE, GET_CREDENTIALS
} step;

typedef struct metadata
{
	mcn_request req;			/* first: callbacks cast */
	mcn_channel *channel;
	mcn_credentials *credentials;	/* that wait for it */
	step		step;
	char		given[MAX_ROLE + 1];	/* role of the mapping, "" = the instance's */
	char		role[MAX_ROLE + 1];
	char		token[MAX_TOKEN + 1];	/* "" = version 1 */
	char		path[sizeof(ROLES) + MAX_ROLE];
} metadata;

static void done(mcn_request *req);

static void
explain(mcn_request *req, mcw_error *err)
{
	metadata   *m = (metadata *) req;

	if (m->step == GET_CREDENTIALS && req->http_status == 404)
		mcs_copy_text(err->code, sizeof(err->code), MCW_LIT("NoSuchRole"));
	else if (m->step == GET_ROLE && req->http_status == 404)
		mcs_copy_text(err->code, sizeof(err->code), MCW_LIT("NoRole"));
}

static bool
is_word(mcw_view v, size_t max)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.data[i] <= ' ' || v.data[i] >= 127)
			return false;
	return v.len > 0 && v.len <= max;
}

static mcw_status
parse(mcn_request *req, mcw_arena *arena, mcs_sts_answer *answer, mcw_error *err)
{
	mcw_node   *root;
	mcw_view	code;
	mcw_status	status = mcw_json_parse(mcw_buf_view(&req->response), arena, &root, err);

	if (status != MCW_OK)
		return mcw_fail(err, status, "the answer of %s is not a JSON document", mcn_channel_url(req->channel));
	code = mcw_node_text(root, "Code");
	if (code.len > 0 && !mcw_view_eq(code, MCW_LIT("Success")))
	{
		(void) mcw_fail(err, MCW_ERR_SERVICE, "%s has no credentials", mcn_channel_url(req->channel));
		err->http_status = req->http_status;
		mcs_copy_text(err->code, sizeof(err->code), code);
		return err->status;
	}
	return mcs_sts_read(req, root, answer, err);
}

static mcw_status
accept_answer(mcn_request *req, mcw_error *err)
{
	metadata   *m = (metadata *) req;
	mcw_view	text = mcw_view_trim(mcw_buf_view(&req->response));
	mcs_sts_answer answer;
	mcw_arena	arena;
	mcw_status	status;

	if (m->step != GET_CREDENTIALS)
		return is_word(text, m->step == GET_TOKEN ? MAX_TOKEN : MAX_ROLE) ? MCW_OK :
			mcw_fail(err, MCW_ERR_FORMAT, "the answer of %s is not the %s of an instance", mcn_channel_url(m->channel),
					 m->step == GET_TOKEN ? "session token" : "role");
	mcw_arena_init(&arena, &mcw_malloc, MCS_STS_MAX_TREE);
	status = parse(req, &arena, &answer, err);
	mcw_arena_reset(&arena);
	return status;
}

static void
begin(metadata *m, step next)
{
	mcw_request *http = &m->req.http;

	m->step = next;
	http->nheaders = 0;
	http->method = next == GET_TOKEN ? MCW_LIT("PUT") : MCW_LIT("GET");
	if (next == GET_TOKEN)
		(void) snprintf(m->path, sizeof(m->path), "/latest/api/token");
	else
		(void) snprintf(m->path, sizeof(m->path), ROLES "%s", next == GET_CREDENTIALS ? m->role : "");
	http->path = mcw_str(m->path);
	if (next == GET_TOKEN)
		(void) mcw_request_header(http, MCW_LIT("X-aliyun-ecs-metadata-token-ttl-seconds"), MCW_LIT(TOKEN_SECONDS));
	else if (m->token[0])
		(void) mcw_request_header(http, MCW_LIT("X-aliyun-ecs-metadata-token"), mcw_str(m->token));
	mcs_sts_wipe(&m->req.response);
	mcn_request_start(&m->req);
}

static void
finish(metadata *m, mcw_status status, mcw_error *err)
{
	mcn_credentials *credentials = m->credentials;
	mcs_sts_answer answer;
	mcw_arena	arena;

	m->credentials = NULL;
	mcw_arena_init(&arena, &mcw_malloc, MCS_STS_MAX_TREE);
	if (status == MCW_OK)
		status = parse(&m->req, &arena, &answer, err);
	if (status == MCW_OK && (status = mcn_credentials_supply(credentials, &answer.cred, answer.left_us)) != MCW_OK)
		(void) mcw_fail(err, status, "out of memory");
	if (status != MCW_OK)
		mcs_sts_failed(credentials, err, "of the instance's role");
	mcw_arena_reset(&arena);
	mcs_sts_wipe(&m->req.response);
}

static void
done(mcn_request *req)
{
	metadata   *m = (metadata *) req;
	mcw_error	err = req->error;
	mcw_view	text = mcw_view_trim(mcw_buf_view(&req->response));
	bool		no_version_2 = req->status == MCW_ERR_SERVICE && req->http_status >= 400 && req->http_status < 500;

	if (m->step == GET_TOKEN && (req->status == MCW_OK || no_version_2))
	{
		mcs_copy_text(m->token, sizeof(m->token), req->status == MCW_OK ? text : MCW_LIT(""));
		memcpy(m->role, m->given, sizeof(m->role));
		begin(m, m->role[0] ? GET_CREDENTIALS : GET_ROLE);
	}
	else if (m->step == GET_ROLE && req->status == MCW_OK)
	{
		mcs_copy_text(m->role, sizeof(m->role), text);
		begin(m, GET_CREDENTIALS);
	}
	else
		finish(m, req->status, &err);
}

static void
fetch(void *arg, mcn_credentials *credentials)
{
	metadata   *m = arg;

	m->credentials = credentials;
	begin(m, GET_TOKEN);
}

static void
cancel(void *arg)
{
	metadata   *m = arg;

	mcn_request_cancel(&m->req);
	m->credentials = NULL;
}

static void
destroy(void *arg)
{
	metadata   *m = arg;

	mcn_request_cancel(&m->req);
	mcs_sts_wipe(&m->req.response);
	mcw_buf_free(&m->req.response);
	mcn_channel_free(m->channel);
	explicit_bzero(m, sizeof(*m));
	mcw_free(&mcw_malloc, m, sizeof(*m));
}

mcn_credentials *
mcs_metadata_role(mcn_loop *loop, mcn_channel *channel, mcw_view role_name, mcw_error *err)
{
	metadata   *m;
	mcn_credential_source source = {fetch, cancel, destroy, NULL};
	mcn_credentials *credentials;

	if (role_name.len > MAX_ROLE)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "the name of the role is too long");
		return NULL;
	}
	source.arg = m = mcw_new0(&mcw_malloc, sizeof(*m));
	credentials = m ? mcn_credentials_create(loop, &source) : NULL;
	if (credentials == NULL)
	{
		mcw_free(&mcw_malloc, m, m ? sizeof(*m) : 0);
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	m->channel = channel;
	mcs_copy_text(m->given, sizeof(m->given), role_name);
	mcn_request_init(&m->req, channel);
	mcw_buf_init(&m->req.response, &mcw_malloc, MCS_STS_MAX_ANSWER);
	m->req.http.path_prefix = mcn_channel_prefix(channel);
	m->req.explain = explain;
	m->req.accept = accept_answer;
	m->req.on_done = done;
	return credentials;
}
