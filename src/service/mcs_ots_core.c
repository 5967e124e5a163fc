/*
 * mcs_ots_core.c
 *		Calls of Tablestore: headers, signature, retry rules, errors, and the proof that
 *		an answer is the service's own (tablestore.md 1, 4.7).
 *
 * Knows nothing about what a call is for.
 */
#include "mcs_ots.h"
#include "mcs_call.h"

#include <stdio.h>

#include "../wire/mcw_sign.h"
#include "../wire/mcw_text.h"

#define API_VERSION "2015-12-31"
#define USER_AGENT "mc_fdw/1.0"
#define MAX_SIGNATURE 256
#define MAX_OTS_HEADERS 24		/* of an answer; the service sends five */
#define MAX_UNSIGNED 3			/* answers that do not prove themselves, then the call fails */

#define CLOCK_WRONG "x-ots-date"	/* in the text of OTSAuthFailed, when the clock is meant */
#define TOO_OFTEN "Too frequent table operations"

/* What the service refused before it did anything */
#define REFUSED_RULES \
	{"OTSAuthFailed", 0, MCN_RETRY_YES, CLOCK_WRONG},	/* signed again with the service's clock, once */ \
	{"OTSNotEnoughCapacityUnit", 0, MCN_RETRY_SLOW}, \
	{"OTSQuotaExhausted", 0, MCN_RETRY_SLOW, TOO_OFTEN}, \
	{"OTSServerBusy", 0, MCN_RETRY_SLOW}, \
	{"OTSOperationThrottled", 0, MCN_RETRY_SLOW}, \
	{"OTSStorageServerBusy", 0, MCN_RETRY_SLOW}, \
	{"OTSFlowControl", 0, MCN_RETRY_SLOW}, \
	{"OTSPartitionUnavailable", 0, MCN_RETRY_YES}, \
	{"OTSTableNotReady", 0, MCN_RETRY_YES}, \
	{"OTSRowOperationConflict", 0, MCN_RETRY_YES}, \
	{NULL, 429, MCN_RETRY_SLOW}

const mcn_retry_rule mcs_ots_retry_rules[] = {
	REFUSED_RULES,
	{"OTSTimeout", 0, MCN_RETRY_YES},
	{"OTSRequestTimeout", 0, MCN_RETRY_YES},
	{"OTSServerUnavailable", 0, MCN_RETRY_YES},
	{"OTSInternalServerError", 0, MCN_RETRY_YES},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO},
};

const mcn_retry_rule mcs_ots_once_rules[] = {
	REFUSED_RULES,
	{NULL, 5, MCN_RETRY_NO},
	{NULL, 0, MCN_RETRY_NO},
};

bool
mcs_ots_row_retryable(mcw_view code, mcw_view message)
{
	const mcn_retry_rule *rule;

	for (rule = mcs_ots_once_rules; rule->code != NULL; rule++)
	{
		if (!mcw_view_ieq(code, mcw_str(rule->code)))
			continue;
		if (rule->text == NULL)
			return true;
		if (message.len > 0 && memmem(message.data, message.len, rule->text, strlen(rule->text)) != NULL)
			return strcmp(rule->text, CLOCK_WRONG) != 0;
	}
	return false;
}

void
mcs_ots_init(mcs_ots *ots, mcn_loop *loop, mcn_channel *channel, const mcw_alloc *alloc,
			 const mcw_credentials *cred, mcw_view instance, mcw_view region)
{
	memset(ots, 0, sizeof(*ots));
	ots->loop = loop;
	ots->channel = channel;
	ots->alloc = alloc;
	ots->cred = *cred;
	ots->instance = instance;
	ots->region = region;
}

int64_t
mcs_ots_service_now(const mcs_ots *ots)
{
	return ots->service_us == 0 ? 0 : ots->service_us + (mcn_now_us() - ots->service_at_us);
}

/* ---- requests ---- */

/* "2023-11-15T06:13:20.123Z" and, for V4, "20231115" */
static void
write_dates(mcs_ots_call *call)
{
	int64_t		now = mcn_unix_us() + call->ots->clock_offset * 1000000;
	char		basic[20];

	mcw_iso_basic(now / 1000000, basic);
	(void) snprintf(call->date, sizeof(call->date), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%03dZ", basic, basic + 4,
					basic + 6, basic + 9, basic + 11, basic + 13, (int) (now / 1000 % 1000));
	if (strncmp(call->day, basic, 8) != 0)
	{
		memcpy(call->day, basic, 8);
		call->day[8] = '\0';
		mcw_buf_reset(&call->key);
	}
}

static mcw_status
sign_v4(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots    *ots = call->ots;
	mcw_request *http = &call->req.http;
	const mcw_credentials *cred = mcs_call_credentials(&call->req, &ots->cred);
	mcw_status	status = MCW_OK;

	(void) mcw_request_header(http, MCW_LIT("x-ots-signdate"), mcw_str(call->day));
	(void) mcw_request_header(http, MCW_LIT("x-ots-signregion"), ots->region);
	/* the key of a day, and of these credentials only */
	if (mcn_request_credentials(&call->req) != NULL)
		mcw_buf_reset(&call->key);
	if (call->key.len == 0)
		status = mcw_ots_v4_key(cred->access_key_secret, mcw_str(call->day), ots->region, &call->key, err);
	if (status == MCW_OK)
		status = mcw_ots_sign_v4(http, mcw_buf_view(&call->key), &call->signature, NULL, err);
	if (status != MCW_OK)
		return status;
	return mcw_request_header(http, MCW_LIT("x-ots-signaturev4"), mcw_buf_view(&call->signature));
}

/* Called before every attempt: what depends on the time and on the body */
static mcw_status
prepare(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	mcs_ots_call *call = req->owner;
	mcs_ots    *ots = call->ots;
	const mcw_credentials *cred = mcs_call_credentials(req, &ots->cred);
	mcw_request *http = &req->http;
	mcw_status	status = mcw_buf_status(&call->body);

	(void) scratch;
	if (call->clock_errors > 1 || call->unsigned_answers >= MAX_UNSIGNED)
	{
		*err = req->error;
		return err->status;
	}
	if (status != MCW_OK)
		return mcw_fail(err, status, "could not build the request %s", call->operation);
	req->body = mcw_buf_view(&call->body);
	write_dates(call);
	status = mcs_md5_text(ots->alloc, req->body, call->md5, err);
	if (status != MCW_OK)
		return status;
	(void) mcw_request_header(http, MCW_LIT("x-ots-date"), mcw_str(call->date));
	(void) mcw_request_header(http, MCW_LIT("x-ots-contentmd5"), mcw_str(call->md5));
	(void) mcw_request_header(http, MCW_LIT("x-ots-accesskeyid"), cred->access_key_id);
	status = mcs_call_token(req, "x-ots-ststoken", cred->security_token, err);
	if (status != MCW_OK)
		return status;
	mcw_buf_reset(&call->signature);
	if (ots->region.len > 0)
		return sign_v4(call, err);
	status = mcw_ots_sign_v2(http, cred->access_key_secret, &call->signature, NULL, err);
	if (status != MCW_OK)
		return status;
	return mcw_request_header(http, MCW_LIT("x-ots-signature"), mcw_buf_view(&call->signature));
}

/* ---- answers ---- */

/* Signs from now on with the clock of the answer; false if it shows none */
static bool
take_clock(mcs_ots_call *call)
{
	mcs_ots    *ots = call->ots;
	int64_t		theirs;
	int64_t		seconds;

	if (!mcw_parse_iso8601(mcn_response_header(&call->req, "x-ots-date"), &theirs))
	{
		if (!mcw_parse_http_date(mcn_response_header(&call->req, "Date"), &seconds))
			return false;
		theirs = seconds * 1000000;
	}
	ots->clock_offset = (theirs - mcn_unix_us()) / 1000000;
	ots->clock_fixed++;
	return true;
}

/* What a non-2xx answer says; a wrong clock is corrected once */
static void
explain(mcn_request *req, mcw_error *err)
{
	mcs_ots_call *call = req->owner;
	mcw_view	body = mcw_buf_view(&req->response);
	mcw_view	code;
	mcw_view	message;

	(void) mcw_fail(err, MCW_ERR_SERVICE, "%s answered HTTP %d to %s", mcn_channel_host(req->channel),
					req->http_status, call->operation);
	if (mcw_ots_read_error(body, &code, &message))
	{
		mcs_copy_text(err->code, sizeof(err->code), code);
		mcs_copy_text(err->text, sizeof(err->text), message);
	}
	else if (body.len > 0 && mcw_utf8_valid(body.data, body.len) == body.len)
		mcs_copy_text(err->text, 200, body);
	mcs_hide_secrets(err, mcs_call_credentials(req, &call->ots->cred));
	mcs_copy_text(err->request_id, sizeof(err->request_id), mcn_response_header(req, "x-ots-requestid"));

	if (strcmp(err->code, "OTSAuthFailed") == 0 && strstr(err->text, CLOCK_WRONG) != NULL &&
		(++call->clock_errors > 1 || !take_clock(call)))
		call->clock_errors = 2;
}

/* "OTS <key id>:<signature>" against our own computation (1.5) */
static mcw_status
verify_signature(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots    *ots = call->ots;
	mcw_view	given = mcn_response_header(&call->req, "Authorization");
	mcw_pair	headers[MAX_OTS_HEADERS];
	int			nheaders = mcn_response_headers(&call->req, "x-ots-", headers, MAX_OTS_HEADERS);
	const mcw_credentials *cred = mcs_call_credentials(&call->req, &ots->cred);
	mcw_view	secret = ots->region.len > 0 ? mcw_buf_view(&call->key) : cred->access_key_secret;
	mcw_view	id = cred->access_key_id;
	mcw_view	ours;
	mcw_status	status;

	if (given.data == NULL)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to %s has no header Authorization", call->operation);
	if (nheaders > MAX_OTS_HEADERS)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to %s has %d x-ots headers", call->operation, nheaders);
	mcw_buf_reset(&call->signature);
	status = mcw_ots_sign_response(headers, nheaders, mcw_str(call->path), secret, &call->signature, err);
	if (status != MCW_OK)
		return status;
	ours = mcw_buf_view(&call->signature);
	if (given.len != 4 + id.len + 1 + ours.len || memcmp(given.data, "OTS ", 4) != 0 ||
		memcmp(given.data + 4, id.data, id.len) != 0 || given.data[4 + id.len] != ':' ||
		!mcw_secret_eq((mcw_view) {given.data + given.len - ours.len, ours.len}, ours))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to %s has a header Authorization that does not match it",
						call->operation);
	return MCW_OK;
}

mcw_status
mcs_ots_call_verify(mcs_ots_call *call, mcw_error *err)
{
	mcw_view	given = mcn_response_header(&call->req, "x-ots-contentmd5");
	char		md5[28];
	mcw_status	status;

	if (given.data == NULL)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to %s has no header x-ots-contentmd5", call->operation);
	status = mcs_md5_text(call->ots->alloc, mcw_buf_view(&call->req.response), md5, err);
	if (status == MCW_OK && !mcw_view_eq(given, mcw_str(md5)))
		status = mcw_fail(err, MCW_ERR_CHECKSUM, "the answer to %s does not match its MD5", call->operation);
	return status;
}

static mcw_status
accept_answer(mcn_request *req, mcw_error *err)
{
	mcs_ots_call *call = req->owner;
	mcs_ots    *ots = call->ots;
	int64_t		theirs;
	mcw_status	status = verify_signature(call, err);

	if (status == MCW_ERR_PROTOCOL)
		call->unsigned_answers++;
	if (status == MCW_OK && (!call->is_page || ots->verify_content))
		status = mcs_ots_call_verify(call, err);
	if (status == MCW_OK)
	{
		if (mcw_parse_iso8601(mcn_response_header(req, "x-ots-date"), &theirs))
		{
			ots->service_us = theirs;
			ots->service_at_us = mcn_now_us();
		}
		if (call->check)
			status = call->check(call, err);
	}
	if (status != MCW_OK && err->request_id[0] == '\0')
		mcs_copy_text(err->request_id, sizeof(err->request_id), mcn_response_header(req, "x-ots-requestid"));
	return status;
}

/* ---- life ---- */

void
mcs_ots_call_operation(mcs_ots_call *call, const char *operation)
{
	if (call->operation == operation)
		return;
	call->operation = operation;
	(void) snprintf(call->path, sizeof(call->path), "/%s", operation);
	call->req.http.path = mcw_str(call->path);
}

void
mcs_ots_call_init(mcs_ots_call *call, mcs_ots *ots, const char *operation, size_t max_response)
{
	mcw_request *http = &call->req.http;

	memset(call, 0, sizeof(*call));
	mcn_request_init(&call->req, ots->channel);
	call->ots = ots;
	mcs_ots_call_operation(call, operation);
	mcw_buf_init(&call->req.response, ots->alloc, max_response);
	mcw_buf_init(&call->body, ots->alloc, MCS_OTS_REQUEST_MAX);
	mcw_buf_init(&call->signature, ots->alloc, MAX_SIGNATURE);
	mcw_buf_init(&call->key, ots->alloc, MAX_SIGNATURE);
	http->method = MCW_LIT("POST");
	http->path_prefix = mcn_channel_prefix(ots->channel);
	(void) mcw_request_header(http, MCW_LIT("User-Agent"), MCW_LIT(USER_AGENT));
	(void) mcw_request_header(http, MCW_LIT("x-ots-apiversion"), MCW_LIT(API_VERSION));
	(void) mcw_request_header(http, MCW_LIT("x-ots-instancename"), ots->instance);
	call->req.owner = call;
	call->req.prepare = prepare;
	call->req.explain = explain;
	call->req.accept = accept_answer;
}

void
mcs_ots_call_free(mcs_ots_call *call)
{
	if (call->ots == NULL)
		return;
	mcn_request_cancel(&call->req);
	mcw_buf_free(&call->req.response);
	mcw_buf_free(&call->body);
	mcw_buf_free(&call->signature);
	mcw_buf_free(&call->key);
	call->ots = NULL;
}

void
mcs_ots_call_reuse(mcs_ots_call *call)
{
	mcw_buf_reset(&call->body);
	mcw_buf_reset(&call->req.response);
	call->clock_errors = 0;
	call->unsigned_answers = 0;
	call->req.start_after_us = 0;
}

mcw_status
mcs_ots_call_run(mcs_ots_call *call, mcw_error *err)
{
	mcn_request_start(&call->req);
	return mcs_call_wait(&call->req, err);
}
