/*
 * mcs_sts.c
 *		AssumeRole of the Security Token Service: temporary credentials of a role for the
 *		keys of a user.
 */
#include "mcs_sts.h"

#include <stdio.h>
#include <sys/random.h>

#include "mcs_call.h"
#include "mcs_sts_private.h"
#include "../wire/mcw_doc.h"
#include "../wire/mcw_sign.h"
#include "../wire/mcw_text.h"

#define API_VERSION "2015-04-01"
#define NONCE_BYTES 16

const mcn_retry_rule mcs_sts_retry_rules[] = {
	{"Throttling", 0, MCN_RETRY_SLOW},
	{"Throttling.Api", 0, MCN_RETRY_SLOW},
	{"Throttling.User", 0, MCN_RETRY_SLOW},
	{"ServiceUnavailable", 0, MCN_RETRY_YES},
	{"InternalError", 0, MCN_RETRY_YES},
	{"SignatureNonceUsed", 0, MCN_RETRY_YES},
	/* signed again with the service's clock, once (see sign) */
	{"InvalidTimeStamp.Expired", 0, MCN_RETRY_YES},
	{NULL, 429, MCN_RETRY_SLOW},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO},
};

const mcn_retry_rule mcs_ended_rules[] = {
	{"SecurityTokenExpired", 0, MCN_RETRY_YES},	/* OSS */
	{"InvalidSecurityToken.Expired", 0, MCN_RETRY_YES},
	{"Unauthorized", 401, MCN_RETRY_YES, "expired"},	/* Log Service, tunnel */
	{"ODPS-0410051", 0, MCN_RETRY_YES, "expired"},
	{"OTSAuthFailed", 403, MCN_RETRY_YES, "expired"},
	{NULL, 0, MCN_RETRY_NO},
};

typedef struct sts
{
	mcn_request req;			/* first: callbacks cast */
	mcn_channel *channel;
	mcn_credentials *credentials;	/* that wait for it */
	mcw_arena	arena;			/* strings of 'role' */
	mcs_role	role;
	char		duration[16];
	int64_t		clock_offset;	/* the service's clock minus ours, seconds */
	int			clock_errors;
	char		time[24];
	char		nonce[2 * NONCE_BYTES + 1];
	char		signature[64];
} sts;

static void
param(mcw_request *http, const char *name, mcw_view value)
{
	/* there is room for all of them */
	if (value.len > 0)
		(void) mcw_request_param(http, mcw_str(name), value);
}

static void
set_time(sts *s)
{
	char		basic[20];

	mcw_iso_basic(mcn_unix_us() / 1000000 + s->clock_offset, basic);
	(void) snprintf(s->time, sizeof(s->time), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", basic, basic + 4, basic + 6,
					basic + 9, basic + 11, basic + 13);
}

static bool
set_nonce(sts *s)
{
	unsigned char bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	for (int i = 0; i < NONCE_BYTES; i++)
		(void) snprintf(s->nonce + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

/* Called before every attempt: no two requests may have the same nonce */
static mcw_status
sign(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	sts		   *s = (sts *) req;
	mcw_request *http = &req->http;
	mcw_status	status;

	if (s->clock_errors > 1)
	{
		*err = req->error;
		return err->status;
	}
	set_time(s);
	if (!set_nonce(s))
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "the system has no random numbers");
	http->nparams = 0;
	param(http, "Action", MCW_LIT("AssumeRole"));
	param(http, "Format", MCW_LIT("JSON"));
	param(http, "Version", MCW_LIT(API_VERSION));
	param(http, "DurationSeconds", mcw_str(s->duration));
	param(http, "RoleArn", s->role.arn);
	param(http, "RoleSessionName", s->role.session_name);
	param(http, "ExternalId", s->role.external_id);
	param(http, "Policy", s->role.policy);
	param(http, "AccessKeyId", s->role.keys.access_key_id);
	param(http, "SecurityToken", s->role.keys.security_token);
	param(http, "SignatureMethod", MCW_LIT("HMAC-SHA1"));
	param(http, "SignatureVersion", MCW_LIT("1.0"));
	param(http, "SignatureNonce", mcw_str(s->nonce));
	param(http, "Timestamp", mcw_str(s->time));
	status = mcw_rpc_sign(http, s->role.keys.access_key_secret, scratch, NULL, err);
	if (status != MCW_OK)
		return status;
	mcs_copy_text(s->signature, sizeof(s->signature), mcw_buf_view(scratch));
	param(http, "Signature", mcw_str(s->signature));
	return MCW_OK;
}

static void
explain(mcn_request *req, mcw_error *err)
{
	sts		   *s = (sts *) req;
	int64_t		date;

	(void) mcw_error_body(mcw_buf_view(&req->response), err);
	mcs_hide_secrets(err, &s->role.keys);
	if (strcmp(err->code, "InvalidTimeStamp.Expired") != 0)
		return;
	if (++s->clock_errors == 1 && mcw_parse_http_date(mcn_response_header(req, "Date"), &date))
		s->clock_offset = date - mcn_unix_us() / 1000000;
	else
		s->clock_errors = 2;
}

/* ---- what both sources do with an answer ---- */

/* How long something lasts that ends at 'ends' on the service's clock; our clock only if the answer shows none */
static int64_t
left_us(const mcn_request *req, int64_t ends)
{
	int64_t		now;

	if (mcw_parse_http_date(mcn_response_header(req, "Date"), &now))
		now *= 1000000;
	else
		now = mcn_unix_us();
	return ends > now ? ends - now : -1;
}

mcw_status
mcs_sts_read(const mcn_request *req, const mcw_node *node, mcs_sts_answer *answer, mcw_error *err)
{
	mcw_view	ends = mcw_node_text(node, "Expiration");
	int64_t		us;

	answer->cred.access_key_id = mcw_node_text(node, "AccessKeyId");
	answer->cred.access_key_secret = mcw_node_text(node, "AccessKeySecret");
	answer->cred.security_token = mcw_node_text(node, "SecurityToken");
	if (answer->cred.access_key_id.len == 0 || answer->cred.access_key_secret.len == 0 ||
		answer->cred.security_token.len == 0 || !mcw_parse_iso8601(ends, &us))
		return mcw_fail(err, MCW_ERR_FORMAT, "the answer of %s is not one with temporary credentials",
						mcn_channel_url(req->channel));
	answer->left_us = left_us(req, us);
	return MCW_OK;
}

void
mcs_sts_failed(mcn_credentials *credentials, const mcw_error *err, const char *what)
{
	mcw_error	told = *err;

	(void) snprintf(told.message, sizeof(told.message), "could not get temporary credentials %s: %.350s", what, err->message);
	mcn_credentials_fail(credentials, &told);
}

/* ---- the source ---- */

static mcw_status
parse(mcn_request *req, mcw_arena *arena, mcs_sts_answer *answer, mcw_error *err)
{
	mcw_node   *root;
	mcw_status	status = mcw_json_parse(mcw_buf_view(&req->response), arena, &root, err);

	if (status != MCW_OK)
		return mcw_fail(err, status, "the answer of %s is not a JSON document", mcn_channel_url(req->channel));
	return mcs_sts_read(req, mcw_node_get(root, "Credentials"), answer, err);
}

/* A damaged answer is asked for again */
static mcw_status
accept_answer(mcn_request *req, mcw_error *err)
{
	mcs_sts_answer answer;
	mcw_arena	arena;
	mcw_status	status;

	mcw_arena_init(&arena, &mcw_malloc, MCS_STS_MAX_TREE);
	status = parse(req, &arena, &answer, err);
	mcw_arena_reset(&arena);
	return status;
}

static void
done(mcn_request *req)
{
	sts		   *s = (sts *) req;
	mcn_credentials *credentials = s->credentials;
	mcs_sts_answer answer;
	mcw_error	err = req->error;
	mcw_arena	arena;
	mcw_status	status = req->status;

	s->credentials = NULL;
	mcw_arena_init(&arena, &mcw_malloc, MCS_STS_MAX_TREE);
	if (status == MCW_OK)
		status = parse(req, &arena, &answer, &err);
	if (status == MCW_OK && (status = mcn_credentials_supply(credentials, &answer.cred, answer.left_us)) != MCW_OK)
		(void) mcw_fail(&err, status, "out of memory");
	if (status != MCW_OK)
		mcs_sts_failed(credentials, &err, "by AssumeRole");
	mcw_arena_reset(&arena);
	mcs_sts_wipe(&req->response);
}

static void
fetch(void *arg, mcn_credentials *credentials)
{
	sts		   *s = arg;

	s->credentials = credentials;
	s->clock_errors = 0;
	mcn_request_start(&s->req);
}

static void
cancel(void *arg)
{
	sts		   *s = arg;

	mcn_request_cancel(&s->req);
	s->credentials = NULL;
}

static void
destroy(void *arg)
{
	sts		   *s = arg;

	mcn_request_cancel(&s->req);
	mcs_sts_wipe(&s->req.response);
	mcw_buf_free(&s->req.response);
	mcn_channel_free(s->channel);
	if (s->role.keys.access_key_secret.len > 0)
		explicit_bzero((char *) s->role.keys.access_key_secret.data, s->role.keys.access_key_secret.len);
	mcw_arena_reset(&s->arena);
	mcw_free(&mcw_malloc, s, sizeof(*s));
}

/* The memory of an answer is not left behind with secrets in it */
void
mcs_sts_wipe(mcw_buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	mcw_buf_reset(buf);
}

static bool
keep(sts *s, mcw_view *kept, mcw_view v)
{
	return mcw_arena_copy(&s->arena, v, kept) == MCW_OK;
}

mcn_credentials *
mcs_sts_assume_role(mcn_loop *loop, mcn_channel *channel, const mcs_role *role, mcw_error *err)
{
	sts		   *s = mcw_new0(&mcw_malloc, sizeof(*s));
	mcn_credential_source source = {fetch, cancel, destroy, s};
	mcn_credentials *credentials = NULL;

	if (s == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	mcw_arena_init(&s->arena, &mcw_malloc, 65536);
	if (keep(s, &s->role.keys.access_key_id, role->keys.access_key_id) &&
		keep(s, &s->role.keys.access_key_secret, role->keys.access_key_secret) &&
		keep(s, &s->role.keys.security_token, role->keys.security_token) &&
		keep(s, &s->role.arn, role->arn) && keep(s, &s->role.session_name, role->session_name) &&
		keep(s, &s->role.external_id, role->external_id) && keep(s, &s->role.policy, role->policy))
		credentials = mcn_credentials_create(loop, &source);
	if (credentials == NULL)
	{
		mcw_arena_reset(&s->arena);
		mcw_free(&mcw_malloc, s, sizeof(*s));
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	(void) snprintf(s->duration, sizeof(s->duration), "%d", role->duration_s);
	s->channel = channel;
	mcn_request_init(&s->req, channel);
	mcw_buf_init(&s->req.response, &mcw_malloc, MCS_STS_MAX_ANSWER);
	s->req.http.method = MCW_LIT("GET");
	s->req.http.path_prefix = mcn_channel_prefix(channel);
	s->req.http.path = MCW_LIT("/");
	s->req.prepare = sign;
	s->req.explain = explain;
	s->req.accept = accept_answer;
	s->req.on_done = done;
	return credentials;
}
