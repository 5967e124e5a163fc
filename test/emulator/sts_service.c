/*
 * sts_service.c
 *		mc-emulator, Security Token Service: AssumeRole, version 2015-04-01, signature 1.0.
 *
 * Keys it issues are accepted by all services until they expire on the emulator's
 * clock.  A role exists once a command declared it.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_sign.h"
#include "sts.h"

#define MAX_ROLES 32
#define MAX_NONCES 4096
#define MAX_SKEW_US (INT64_C(900) * 1000000)
#define MIN_DURATION_S 900
#define MAX_POLICY 2048

typedef struct role
{
	char		arn[256];
	char		external_id[128];	/* "" = none wanted */
	char		trusted[128];	/* the one key that may assume it; "" = any */
	int64_t		max_s;
} role;

static role roles[MAX_ROLES];
static int	nroles = 0;
static char nonces[MAX_NONCES][65]; /* seen ones, the oldest is forgotten */
static uint64_t nnonces = 0;
static int64_t lifetime_us = 0; /* instead of what was asked for */
static uint64_t assumed = 0;

/* ---- shared with the metadata service ---- */

void
sts_time(char out[24], int64_t us)
{
	char		basic[20];

	mcw_iso_basic(us / 1000000, basic);
	(void) snprintf(out, 24, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", basic, basic + 4, basic + 6, basic + 9, basic + 11, basic + 13);
}

void
sts_put_credentials(mcw_buf *out, const emu_key *key)
{
	char		end[24];

	sts_time(end, key->expires_us);
	(void) mcw_buf_printf(out, "\"AccessKeyId\":\"%s\",\"AccessKeySecret\":\"%s\",\"SecurityToken\":\"%s\",\"Expiration\":\"%s\"",
						  key->id, key->secret, key->token, end);
}

void
sts_text(emu_response *resp, int status, const char *text)
{
	resp->status = status;
	emu_header_add(resp, "Content-Type", "text/plain");
	(void) mcw_buf_append_str(&resp->body, text);
}

bool
sts_command_text(const mcw_node *cmd, const char *name, char *out, size_t size, mcw_error *err)
{
	mcw_view	v = mcw_node_text(cmd, name);

	if (v.len >= size)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "\"%s\" is too long", name);
		return false;
	}
	if (v.data)
	{
		memcpy(out, v.data, v.len);
		out[v.len] = '\0';
	}
	return true;
}

/* ---- answers ---- */

static void
sts_error(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	resp->status = status;
	mcw_buf_reset(&resp->body);
	emu_header_add(resp, "Content-Type", "application/json;charset=utf-8");
	(void) mcw_buf_printf(&resp->body, "{\"RequestId\":\"%08llX-0000-4000-8000-%012llX\",\"HostId\":\"sts.aliyuncs.com\",\"Code\":",
						  (unsigned long long) req->serial, (unsigned long long) req->serial);
	(void) mcw_json_quote(&resp->body, mcw_str(code));
	(void) mcw_buf_append_str(&resp->body, ",\"Message\":");
	(void) mcw_json_quote(&resp->body, mcw_str(message));
	(void) mcw_buf_append_char(&resp->body, '}');
}

static bool
refuse(emu_request *req, emu_response *resp, int status, const char *code, const char *message)
{
	sts_error(req, resp, status, code, message);
	return false;
}

static mcw_view
param(const emu_request *req, const char *name)
{
	return mcw_request_get_param(&req->http, mcw_str(name));
}

/* Parameters may come in a form, too, and are signed alike */
static bool
take_form(emu_request *req)
{
	mcw_buf		target;
	mcw_view	kept;
	bool		ok;

	if (req->body.len == 0)
		return true;
	mcw_buf_init(&target, &mcw_malloc, 1 << 20);
	(void) mcw_buf_append_str(&target, "/?");
	(void) mcw_buf_append_view(&target, req->raw_query);
	if (req->raw_query.len > 0)
		(void) mcw_buf_append_char(&target, '&');
	(void) mcw_buf_append_view(&target, req->body);
	ok = mcw_buf_status(&target) == MCW_OK && mcw_arena_copy(req->arena, mcw_buf_view(&target), &kept) == MCW_OK &&
		mcw_request_parse_target(&req->http, kept, req->arena, NULL) == MCW_OK;
	mcw_buf_free(&target);
	return ok;
}

/* ---- who asks ---- */

static bool
check_time(emu_request *req, emu_response *resp)
{
	int64_t		us;
	mcw_view	v = param(req, "Timestamp");

	if (v.len == 0)
		return refuse(req, resp, 400, "MissingTimestamp", "Timestamp is mandatory for this action.");
	if (v.len != 20 || v.data[19] != 'Z' || !mcw_parse_iso8601(v, &us))
		return refuse(req, resp, 400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.");
	if (emu_conf.check_clock && llabs(us - req->now_us) > MAX_SKEW_US)
		return refuse(req, resp, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
	return true;
}

static bool
check_nonce(emu_request *req, emu_response *resp)
{
	mcw_view	v = param(req, "SignatureNonce");
	char	   *slot;

	if (v.len == 0 || v.len > 64)
		return refuse(req, resp, 400, "MissingSignatureNonce", "SignatureNonce is mandatory for this action.");
	for (uint64_t i = 0; i < nnonces && i < MAX_NONCES; i++)
		if (mcw_view_eq(mcw_str(nonces[i]), v))
			return refuse(req, resp, 400, "SignatureNonceUsed", "Specified signature nonce was used already.");
	slot = nonces[nnonces++ % MAX_NONCES];
	memcpy(slot, v.data, v.len);
	slot[v.len] = '\0';
	return true;
}

static bool
check_signature(emu_request *req, emu_response *resp, const emu_key *key)
{
	mcw_buf		ours;
	mcw_buf		text;
	mcw_buf		message;
	bool		ok;

	if (!emu_conf.verify_signature)
		return true;
	if (!mcw_view_eq(param(req, "SignatureMethod"), MCW_LIT("HMAC-SHA1")) ||
		!mcw_view_eq(param(req, "SignatureVersion"), MCW_LIT("1.0")))
		return refuse(req, resp, 400, "InvalidParameter.SignatureMethod", "The parameter SignatureMethod or SignatureVersion is not supported.");
	mcw_buf_init(&ours, &mcw_malloc, 4096);
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	mcw_buf_init(&message, &mcw_malloc, 1 << 20);
	ok = mcw_rpc_sign(&req->http, mcw_str(key->secret), &ours, &text, NULL) == MCW_OK &&
		mcw_secret_eq(mcw_buf_view(&ours), param(req, "Signature"));
	if (!ok)
	{
		(void) mcw_buf_printf(&message, "Specified signature is not matched with our calculation. server string to sign is:%.*s",
							  (int) text.len, text.data);
		(void) mcw_buf_append_char(&message, '\0');
		(void) refuse(req, resp, 400, "SignatureDoesNotMatch", message.data);
	}
	mcw_buf_free(&ours);
	mcw_buf_free(&text);
	mcw_buf_free(&message);
	return ok;
}

static bool
authenticate(emu_request *req, emu_response *resp)
{
	mcw_view	id = param(req, "AccessKeyId");
	mcw_view	token = param(req, "SecurityToken");
	const emu_key *key;

	if (id.len == 0)
		return refuse(req, resp, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.");
	if (!check_time(req, resp))
		return false;
	key = emu_find_key(id);
	if (key == NULL)
		return refuse(req, resp, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
	if (key->disabled)
		return refuse(req, resp, 400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.");
	if (key->token[0] ? !mcw_secret_eq(token, mcw_str(key->token)) : token.len > 0)
		return refuse(req, resp, 400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.");
	if (key->expired)
		return refuse(req, resp, 400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.");
	if (!check_signature(req, resp, key) || !check_nonce(req, resp))
		return false;
	req->key = key;
	return true;
}

/* ---- AssumeRole ---- */

static bool
is_session_name(mcw_view v)
{
	if (v.len < 2 || v.len > 64)
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (!((v.data[i] >= 'a' && v.data[i] <= 'z') || (v.data[i] >= 'A' && v.data[i] <= 'Z') ||
			  (v.data[i] >= '0' && v.data[i] <= '9') || memchr(".@-_", v.data[i], 4)))
			return false;
	return true;
}

static bool
policy_ok(emu_request *req, emu_response *resp)
{
	mcw_view	policy = param(req, "Policy");
	mcw_node   *root;

	if (policy.len == 0)
		return true;
	if (policy.len > MAX_POLICY)
		return refuse(req, resp, 400, "InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes.");
	if (mcw_json_parse(policy, req->arena, &root, NULL) != MCW_OK || mcw_node_get(root, "Statement") == NULL)
		return refuse(req, resp, 400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.");
	return true;
}

static const role *
find_role(mcw_view arn)
{
	for (int i = 0; i < nroles; i++)
		if (mcw_view_eq(mcw_str(roles[i].arn), arn))
			return &roles[i];
	return NULL;
}

static void
assume_role(emu_request *req, emu_response *resp)
{
	mcw_view	arn = param(req, "RoleArn");
	mcw_view	session = param(req, "RoleSessionName");
	mcw_view	duration = param(req, "DurationSeconds");
	int64_t		seconds = 3600;
	const role *r;

	if (arn.len < 10 || memcmp(arn.data, "acs:ram::", 9) != 0)
	{
		(void) refuse(req, resp, 400, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.");
		return;
	}
	if (!is_session_name(session))
	{
		(void) refuse(req, resp, 400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.");
		return;
	}
	r = find_role(arn);
	if ((duration.len > 0 && !mcw_view_int64(duration, &seconds)) || seconds < MIN_DURATION_S || (r && seconds > r->max_s))
	{
		(void) refuse(req, resp, 400, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/1hr.");
		return;
	}
	if (!policy_ok(req, resp))
		return;
	if (r == NULL)
	{
		(void) refuse(req, resp, 404, "EntityNotExist.Role", "The specified Role not exists .");
		return;
	}
	if ((r->trusted[0] && !mcw_view_eq(mcw_str(r->trusted), mcw_str(req->key->id))) ||
		(r->external_id[0] && !mcw_view_eq(mcw_str(r->external_id), param(req, "ExternalId"))))
	{
		(void) refuse(req, resp, 403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.");
		return;
	}
	assumed++;
	resp->status = 200;
	emu_header_add(resp, "Content-Type", "application/json;charset=utf-8");
	(void) mcw_buf_printf(&resp->body, "{\"RequestId\":\"%08llX-0000-4000-8000-%012llX\",\"AssumedRoleUser\":{\"Arn\":\"%s/%.*s\","
						  "\"AssumedRoleId\":\"300000000000000001:%.*s\"},\"Credentials\":{",
						  (unsigned long long) req->serial, (unsigned long long) req->serial, r->arn,
						  (int) session.len, session.data, (int) session.len, session.data);
	sts_put_credentials(&resp->body, emu_issue_key(req->now_us + (lifetime_us > 0 ? lifetime_us : seconds * 1000000)));
	(void) mcw_buf_append_str(&resp->body, "}}");
}

static void
sts_handle(emu_request *req, emu_response *resp)
{
	if (!mcw_view_eq(req->http.path, MCW_LIT("/")) || !take_form(req))
		sts_error(req, resp, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.");
	else if (!mcw_view_eq(param(req, "Version"), MCW_LIT("2015-04-01")))
		sts_error(req, resp, 400, "InvalidVersion", "Specified parameter Version is not valid.");
	else if (!mcw_view_eq(param(req, "Action"), MCW_LIT("AssumeRole")))
		sts_error(req, resp, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.");
	else if (!mcw_view_ieq(param(req, "Format"), MCW_LIT("JSON")))
		sts_error(req, resp, 400, "NotImplemented", "this emulator answers in JSON only");
	else if (authenticate(req, resp))
		assume_role(req, resp);
}

static const char *
sts_api(const emu_request *req)
{
	mcw_view	action = param(req, "Action");

	return action.len == 0 || mcw_view_eq(action, MCW_LIT("AssumeRole")) ? "AssumeRole" : NULL;
}

/* ---- commands ---- */

static bool
command_role(const mcw_node *cmd, mcw_error *err)
{
	role		made = {.max_s = 3600};
	role	   *slot;

	if (!sts_command_text(cmd, "arn", made.arn, sizeof(made.arn), err) ||
		!sts_command_text(cmd, "external_id", made.external_id, sizeof(made.external_id), err) ||
		!sts_command_text(cmd, "trusted", made.trusted, sizeof(made.trusted), err))
		return false;
	(void) mcw_node_int(cmd, "max_s", &made.max_s);
	slot = (role *) find_role(mcw_str(made.arn));
	if (strncmp(made.arn, "acs:ram::", 9) != 0 || (slot == NULL && nroles == MAX_ROLES))
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "a role needs an \"arn\" acs:ram::<account>:role/<name>, and there are at most %d", MAX_ROLES);
		return false;
	}
	*(slot ? slot : &roles[nroles++]) = made;
	return true;
}

static void
put_issued(mcw_buf *reply)
{
	const emu_key *key;

	(void) mcw_buf_append_str(reply, "{\"keys\":[");
	for (int i = 0; (key = emu_issued_key(i)) != NULL; i++)
	{
		(void) mcw_buf_append_str(reply, i ? ",{" : "{");
		sts_put_credentials(reply, key);
		(void) mcw_buf_append_char(reply, '}');
	}
	(void) mcw_buf_append_str(reply, "]}");
}

static bool
sts_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	op = mcw_node_text(cmd, "op");
	int64_t		ms;

	if (mcw_view_eq(op, MCW_LIT("role")))
		return command_role(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("set")))
	{
		if (mcw_node_int(cmd, "lifetime_ms", &ms))
			lifetime_us = ms * 1000;
		return true;
	}
	if (mcw_view_eq(op, MCW_LIT("expire")))
	{
		emu_expire_issued();
		return true;
	}
	if (mcw_view_eq(op, MCW_LIT("issued")))
	{
		put_issued(reply);
		return true;
	}
	mcw_fail(err, MCW_ERR_ARGUMENT, "service sts knows the ops role, set, expire and issued, not \"%.*s\"", (int) op.len,
			 op.data ? op.data : "");
	return false;
}

static void
sts_state(mcw_buf *reply)
{
	(void) mcw_buf_printf(reply, "{\"roles\":%d,\"assumed\":%llu,\"lifetime_ms\":%lld}", nroles, (unsigned long long) assumed,
						  (long long) (lifetime_us / 1000));
}

emu_service emu_sts = {
	.name = "sts",
	.default_port = 7705,
	.handle = sts_handle,
	.command = sts_command,
	.error = sts_error,
	.state = sts_state,
	.api = sts_api,
};
