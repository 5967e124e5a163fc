/*
 * mcs_loghub.c
 *		Requests of Log Service: signing, retry table, control calls, PullLogs.
 *
 * It says what to send and what an answer means; when it is sent is decided by the
 * caller (mcs_loghub_scan.c or mcs_call_run).  loghub.md sections 1 to 3 and 6.
 */
#include "mcs_call.h"
#include "mcs_loghub.h"

#include <stdio.h>

#include "../wire/mcw_doc.h"
#include "../wire/mcw_hash.h"
#include "../wire/mcw_sign.h"
#include "../wire/mcw_text.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MAX_CONTROL_RESPONSE ((size_t) 8 << 20)
#define MAX_ARENA ((size_t) 64 << 20)	/* of a parsed one */
#define MAX_SHARDS 10000
#define MAX_GROUPS 1000000		/* of one page; the service sends at most 'count' */

/* Throttling is always 403 with a code; any other 403 is final. */
const mcn_retry_rule mcs_loghub_retry_rules[] = {
	{"WriteQuotaExceed", 0, MCN_RETRY_SLOW},
	{"ReadQuotaExceed", 0, MCN_RETRY_SLOW},
	{"ShardWriteQuotaExceed", 0, MCN_RETRY_SLOW},
	{"ShardReadQuotaExceed", 0, MCN_RETRY_SLOW},
	{"ExceedQuota", 0, MCN_RETRY_SLOW},
	{"MetaOperationQpsLimitExceeded", 0, MCN_RETRY_SLOW},
	{"ServerBusy", 0, MCN_RETRY_SLOW},
	{"InternalServerError", 0, MCN_RETRY_YES},
	{"RequestTimeout", 0, MCN_RETRY_YES},
	/* signed again with the service's clock, once (see sign) */
	{"RequestTimeExpired", 0, MCN_RETRY_YES},
	{"RequestTimeTooSkewed", 0, MCN_RETRY_YES},
	{NULL, 429, MCN_RETRY_SLOW},
	{NULL, 5, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO}
};

void
mcs_loghub_init(mcs_loghub *client, mcn_loop *loop, mcn_channel *channel,
				const mcw_alloc *alloc, const mcw_credentials *cred, mcw_view region)
{
	memset(client, 0, sizeof(*client));
	client->loop = loop;
	client->channel = channel;
	client->alloc = alloc;
	client->cred = *cred;
	client->region = region;
}

/* ---- cursors ---- */

mcw_status
mcs_cursor_set(mcs_cursor *cursor, mcw_view v, mcw_error *err)
{
	size_t		i;

	if (v.data == NULL || v.len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer has no cursor");
	if (v.len > MCS_CURSOR_MAX)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer has a cursor of %zu bytes", v.len);
	for (i = 0; i < v.len; i++)
	{
		if (v.data[i] <= ' ' || v.data[i] > '~')
			return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer has a cursor with unprintable bytes");
	}
	memcpy(cursor->data, v.data, v.len);
	cursor->data[v.len] = '\0';
	cursor->len = (uint8_t) v.len;
	return MCW_OK;
}

bool
mcs_cursor_int(const mcs_cursor *cursor, uint64_t *value)
{
	static const signed char digit[] = {
		62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1, -1,
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
		-1, -1, -1, -1, -1, -1,
		26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51
	};
	char		text[32];
	mcw_view	v = {text, 0};
	uint32_t	bits = 0;
	int			nbits = 0;
	size_t		i;

	for (i = 0; i < cursor->len && cursor->data[i] != '='; i++)
	{
		int			c = cursor->data[i] - '+';

		if (c < 0 || c >= (int) sizeof(digit) || digit[c] < 0)
			return false;
		bits = bits << 6 | (uint32_t) digit[c];
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			if (v.len == sizeof(text))
				return false;
			text[v.len++] = (char) (bits >> nbits);
		}
	}
	return mcw_view_uint64(v, value);
}

void
mcs_cursor_from_int(mcs_cursor *cursor, uint64_t value)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char		text[24];
	int			n = snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
	char	   *out = cursor->data;
	int			i;

	for (i = 0; i < n; i += 3)
	{
		uint32_t	w = (uint32_t) (unsigned char) text[i] << 16;

		if (i + 1 < n)
			w |= (uint32_t) (unsigned char) text[i + 1] << 8;
		if (i + 2 < n)
			w |= (uint32_t) (unsigned char) text[i + 2];
		*out++ = alphabet[w >> 18];
		*out++ = alphabet[w >> 12 & 63];
		*out++ = i + 1 < n ? alphabet[w >> 6 & 63] : '=';
		*out++ = i + 2 < n ? alphabet[w & 63] : '=';
	}
	*out = '\0';
	cursor->len = (uint8_t) (out - cursor->data);
}

/* ---- signing and errors ---- */

/* Headers that depend on the time, and the signature: called before every attempt. */
static mcw_status
sign(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	mcs_call   *call = req->owner;
	mcs_loghub *client = call->client;
	mcw_request *http = &req->http;
	const mcw_credentials *cred = mcs_call_credentials(req, &client->cred);
	int64_t		now = mcn_unix_us() / 1000000 + client->clock_offset;
	mcw_status	status;

	(void) scratch;
	if (call->clock_errors > 1)
	{
		*err = call->clock_error;
		return err->status;
	}
	mcw_buf_reset(&call->authorization);
	status = mcs_call_token(req, "x-acs-security-token", cred->security_token, err);
	if (status != MCW_OK)
		return status;
	if (client->region.len > 0)
	{
		mcw_iso_basic(now, call->date);
		(void) mcw_request_header(http, MCW_LIT("x-log-date"), mcw_str(call->date));
		(void) mcw_request_header(http, MCW_LIT("x-log-content-sha256"),
								  call->digest[0] ? mcw_str(call->digest) : MCW_LIT(EMPTY_SHA256));
		status = mcw_sls_sign_v4(http, cred, client->region, &call->authorization,
								 NULL, NULL, err);
	}
	else
	{
		mcw_http_date(now, call->date);
		(void) mcw_request_header(http, MCW_LIT("Date"), mcw_str(call->date));
		(void) mcw_request_header(http, MCW_LIT("x-log-signaturemethod"), MCW_LIT("hmac-sha1"));
		if (call->digest[0])
			(void) mcw_request_header(http, MCW_LIT("Content-MD5"), mcw_str(call->digest));
		status = mcw_sls_sign_v1(http, cred, &call->authorization, NULL, err);
	}
	if (status != MCW_OK)
		return status;
	return mcw_request_header(http, MCW_LIT("Authorization"), mcw_buf_view(&call->authorization));
}

/* What a non-2xx answer says; a wrong clock is corrected from its Date header */
static void
explain(mcn_request *req, mcw_error *err)
{
	mcs_call   *call = req->owner;
	mcw_view	id = mcn_response_header(req, "x-log-requestid");
	int64_t		date;

	(void) mcw_error_body(mcw_buf_view(&req->response), err);
	mcs_hide_secrets(err, mcs_call_credentials(req, &call->client->cred));
	if (err->request_id[0] == '\0' && id.data != NULL)
		(void) snprintf(err->request_id, sizeof(err->request_id), "%.*s", (int) id.len, id.data);

	if (mcw_view_ieq(mcw_str(err->code), MCW_LIT("RequestTimeExpired")) ||
		mcw_view_ieq(mcw_str(err->code), MCW_LIT("RequestTimeTooSkewed")))
	{
		if (++call->clock_errors == 1 &&
			mcw_parse_http_date(mcn_response_header(req, "Date"), &date))
		{
			call->client->clock_offset = date - mcn_unix_us() / 1000000;
			call->client->clock_fixed++;
		}
		else
			call->clock_errors = 2;
		call->clock_error = *err;
		if (call->clock_error.status == MCW_OK)
			call->clock_error.status = MCW_ERR_SERVICE;
	}
}

/*
 * A document that was damaged on its way is asked for again.  One that is not said to
 * be JSON comes from something else than Log Service: the parse function says so.
 */
static mcw_status
accept_json(mcn_request *req, mcw_error *err)
{
	mcs_call   *call = req->owner;
	mcw_view	type = mcn_response_header(req, "Content-Type");
	mcw_view	json = MCW_LIT("application/json");
	mcw_arena	arena;
	mcw_node   *root;
	mcw_status	status;

	if (type.len < json.len || !mcw_view_ieq((mcw_view) {type.data, json.len}, json))
		return MCW_OK;
	mcw_arena_init(&arena, call->client->alloc, MAX_ARENA);
	status = mcw_json_parse(mcw_buf_view(&req->response), &arena, &root, err);
	mcw_arena_reset(&arena);
	if (status == MCW_ERR_FORMAT)
		return mcw_fail(err, MCW_ERR_CHECKSUM, "the answer to GET %s is damaged", call->path);
	return status;
}

/* ---- building requests ---- */

void
mcs_call_init(mcs_call *call, mcs_loghub *client, size_t max_response)
{
	memset(call, 0, sizeof(*call));
	call->client = client;
	mcn_request_init(&call->req, client->channel);
	mcw_buf_init(&call->req.response, client->alloc, max_response ? max_response : MAX_CONTROL_RESPONSE);
	mcw_buf_init(&call->authorization, client->alloc, 4096);
}

void
mcs_call_free(mcs_call *call)
{
	mcn_request_cancel(&call->req);
	mcw_buf_free(&call->req.response);
	mcw_buf_free(&call->authorization);
}

static void
common_headers(mcs_call *call)
{
	mcw_request *http = &call->req.http;
	mcs_loghub *client = call->client;

	http->method = MCW_LIT("GET");
	http->path_prefix = mcn_channel_prefix(client->channel);
	http->path = mcw_str(call->path);
	http->nparams = 0;
	http->nheaders = 0;
	call->clock_errors = 0;
	call->digest[0] = '\0';
	call->req.body = (mcw_view) {NULL, 0};
	(void) mcw_request_header(http, MCW_LIT("Host"), mcw_str(mcn_channel_host(client->channel)));
	(void) mcw_request_header(http, MCW_LIT("x-log-apiversion"), MCW_LIT("0.6.0"));
	(void) mcw_request_header(http, MCW_LIT("x-log-bodyrawsize"), MCW_LIT("0"));
	call->req.owner = call;
	call->req.prepare = sign;
	call->req.explain = explain;
	call->req.accept = accept_json;
	mcw_buf_reset(&call->req.response);
}

/* Path of a logstore, or of one of its shards, + suffix */
static mcw_status
set_path(mcs_call *call, mcw_view logstore, int shard, const char *suffix, mcw_error *err)
{
	int			n;

	if (logstore.len == 0 || logstore.len > 128 || memchr(logstore.data, '/', logstore.len))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "\"%.*s\" is not the name of a logstore",
						(int) (logstore.len > 128 ? 128 : logstore.len), logstore.data);
	if (shard < 0)
		n = snprintf(call->path, sizeof(call->path), "/logstores/%.*s%s",
					 (int) logstore.len, logstore.data, suffix);
	else
		n = snprintf(call->path, sizeof(call->path), "/logstores/%.*s/shards/%d",
					 (int) logstore.len, logstore.data, shard);
	if (n < 0 || n >= (int) sizeof(call->path))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the name of the logstore is too long");
	common_headers(call);
	return MCW_OK;
}

mcw_status
mcs_call_path(mcs_call *call, mcw_view logstore, const char *suffix, mcw_error *err)
{
	return set_path(call, logstore, -1, suffix, err);
}

mcw_status
mcs_call_body(mcs_call *call, mcw_view body, mcw_error *err)
{
	bool		v4 = call->client->region.len > 0;
	unsigned char bytes[32];
	mcw_status	status = v4 ? mcw_sha256(body.data, body.len, bytes) : mcw_md5(body.data, body.len, bytes);

	if (status != MCW_OK)
		return mcw_fail(err, status, "the digest of a request's body could not be computed");
	for (int i = 0; i < (v4 ? 32 : 16); i++)
		(void) snprintf(call->digest + 2 * i, 3, v4 ? "%02x" : "%02X", bytes[i]);
	call->req.http.method = MCW_LIT("POST");
	call->req.body = body;
	return MCW_OK;
}

mcw_status
mcs_get_logstore(mcs_call *call, mcw_view logstore, mcw_error *err)
{
	return set_path(call, logstore, -1, "", err);
}

mcw_status
mcs_list_shards(mcs_call *call, mcw_view logstore, mcw_error *err)
{
	return set_path(call, logstore, -1, "/shards", err);
}

mcw_status
mcs_get_index(mcs_call *call, mcw_view logstore, mcw_error *err)
{
	return set_path(call, logstore, -1, "/index", err);
}

mcw_status
mcs_list_logstores(mcs_call *call, int offset, int size, mcw_error *err)
{
	(void) err;
	(void) snprintf(call->path, sizeof(call->path), "/logstores");
	(void) snprintf(call->number, sizeof(call->number), "%d", offset);
	(void) snprintf(call->from, sizeof(call->from), "%d", size);
	common_headers(call);
	(void) mcw_request_param(&call->req.http, MCW_LIT("offset"), mcw_str(call->number));
	return mcw_request_param(&call->req.http, MCW_LIT("size"), mcw_str(call->from));
}

mcw_status
mcs_get_cursor(mcs_call *call, mcw_view logstore, int shard, const char *from, mcw_error *err)
{
	mcw_status	status = set_path(call, logstore, shard, "", err);

	if (status != MCW_OK)
		return status;
	(void) snprintf(call->from, sizeof(call->from), "%s", from);
	(void) mcw_request_param(&call->req.http, MCW_LIT("type"), MCW_LIT("cursor"));
	return mcw_request_param(&call->req.http, MCW_LIT("from"), mcw_str(call->from));
}

mcw_status
mcs_get_cursor_time(mcs_call *call, mcw_view logstore, int shard, const mcs_cursor *cursor,
					mcw_error *err)
{
	mcw_status	status = set_path(call, logstore, shard, "", err);

	if (status != MCW_OK)
		return status;
	call->cursor = *cursor;
	(void) mcw_request_param(&call->req.http, MCW_LIT("type"), MCW_LIT("cursor_time"));
	return mcw_request_param(&call->req.http, MCW_LIT("cursor"), mcs_cursor_view(&call->cursor));
}

mcw_status
mcs_pull_logs(mcs_call *call, mcw_view logstore, int shard, const mcs_cursor *cursor,
			  const mcs_cursor *end, int count, mcw_codec codec, mcw_view query, mcw_error *err)
{
	mcw_request *http = &call->req.http;
	mcw_status	status = set_path(call, logstore, shard, "", err);

	if (status != MCW_OK)
		return status;
	call->cursor = *cursor;
	(void) snprintf(call->number, sizeof(call->number), "%d", count);
	(void) mcw_request_param(http, MCW_LIT("type"), MCW_LIT("log"));
	(void) mcw_request_param(http, MCW_LIT("cursor"), mcs_cursor_view(&call->cursor));
	status = mcw_request_param(http, MCW_LIT("count"), mcw_str(call->number));
	if (end->len > 0)
	{
		call->end = *end;
		status = mcw_request_param(http, MCW_LIT("end_cursor"), mcs_cursor_view(&call->end));
	}
	if (query.len > 0)
	{
		(void) mcw_request_param(http, MCW_LIT("query"), query);
		status = mcw_request_param(http, MCW_LIT("pullMode"), MCW_LIT("scan_on_stream"));
	}
	(void) mcw_request_header(http, MCW_LIT("Accept"), MCW_LIT("application/x-protobuf"));
	/* without the header the body is plain */
	if (codec != MCW_CODEC_NONE)
		(void) mcw_request_header(http, MCW_LIT("Accept-Encoding"),
								  codec == MCW_CODEC_ZSTD ? MCW_LIT("zstd") : MCW_LIT("lz4"));
	return status;
}

/* ---- reading answers ---- */

static mcw_status
parse_json(mcs_call *call, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	mcw_error	inner;
	mcw_status	status;

	mcw_arena_init(arena, call->client->alloc, MAX_ARENA);
	status = mcw_json_parse(mcw_buf_view(&call->req.response), arena, root, &inner);
	if (status != MCW_OK)
	{
		mcw_arena_reset(arena);
		if (status == MCW_ERR_NOMEM || status == MCW_ERR_LIMIT)
		{
			*err = inner;
			return status;
		}
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to GET %s is not JSON: %s",
						call->path, inner.message);
	}
	return MCW_OK;
}

mcw_status
mcs_parse_logstore(mcs_call *call, int64_t *ttl_days, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root;
	mcw_status	status = parse_json(call, &arena, &root, err);

	if (status != MCW_OK)
		return status;
	if (!mcw_node_int(root, "ttl", ttl_days) || *ttl_days <= 0)
		status = mcw_fail(err, MCW_ERR_PROTOCOL, "the description of the logstore has no ttl");
	mcw_arena_reset(&arena);
	return status;
}

mcw_status
mcs_parse_cursor(mcs_call *call, mcs_cursor *cursor, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root;
	mcw_status	status = parse_json(call, &arena, &root, err);

	if (status != MCW_OK)
		return status;
	status = mcs_cursor_set(cursor, mcw_node_text(root, "cursor"), err);
	mcw_arena_reset(&arena);
	return status;
}

mcw_status
mcs_parse_cursor_time(mcs_call *call, int64_t *seconds, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root;
	mcw_status	status = parse_json(call, &arena, &root, err);

	if (status != MCW_OK)
		return status;
	if (!mcw_node_int(root, "cursor_time", seconds))
		status = mcw_fail(err, MCW_ERR_PROTOCOL, "the answer has no cursor_time");
	mcw_arena_reset(&arena);
	return status;
}

/* A hash key of the list; one that is none is left empty, which matches no key */
static void
hash_key(const mcw_node *node, const char *member, char out[33])
{
	mcw_view	v = mcw_node_text(node, member);

	out[0] = '\0';
	if (v.len != 32)
		return;
	for (int i = 0; i < 32; i++)
	{
		if (mcw_hex_value(v.data[i]) < 0)
			return;
		out[i] = "0123456789abcdef"[mcw_hex_value(v.data[i])];
	}
	out[32] = '\0';
}

mcw_status
mcs_parse_shards(mcs_call *call, mcs_shard_info **shards, int *nshards, mcw_error *err)
{
	mcs_loghub *client = call->client;
	mcw_arena	arena;
	mcw_node   *root;
	const mcw_node *node;
	mcs_shard_info *out = NULL;
	int			n = 0;
	mcw_status	status = parse_json(call, &arena, &root, err);

	if (status != MCW_OK)
		return status;
	if (root->kind != MCW_NODE_ARRAY)
		status = mcw_fail(err, MCW_ERR_PROTOCOL, "the list of shards is not an array");
	else if (root->nchildren > MAX_SHARDS)
		status = mcw_fail(err, MCW_ERR_LIMIT, "the list of shards has %d entries", root->nchildren);
	else if (root->nchildren > 0 &&
			 (out = mcw_new0(client->alloc, sizeof(*out) * root->nchildren)) == NULL)
		status = mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (node = root->first; status == MCW_OK && node != NULL; node = node->next)
	{
		int64_t		id;

		if (!mcw_node_int(node, "shardID", &id) || id < 0 || id > INT32_MAX)
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "an entry of the list of shards has no id");
		else
		{
			out[n].id = (int) id;
			out[n].readonly = mcw_view_ieq(mcw_node_text(node, "status"), MCW_LIT("readonly"));
			if (!mcw_node_int(node, "createTime", &out[n].create_time))
				out[n].create_time = 0;
			hash_key(node, "inclusiveBeginKey", out[n].begin);
			hash_key(node, "exclusiveEndKey", out[n].end);
			n++;
		}
	}
	if (status != MCW_OK && out != NULL)
	{
		mcw_free(client->alloc, out, sizeof(*out) * root->nchildren);
		out = NULL;
		n = 0;
	}
	mcw_arena_reset(&arena);
	*shards = out;
	*nshards = n;
	return status;
}

void
mcs_free_shards(mcs_loghub *client, mcs_shard_info *shards, int nshards)
{
	mcw_free(client->alloc, shards, sizeof(*shards) * nshards);
}

/* Walk the top level of a LogGroupList and count its groups */
static mcw_status
count_groups(mcw_view list, uint32_t *groups, mcw_error *err)
{
	const unsigned char *start = (const unsigned char *) list.data;
	const unsigned char *p = start;
	const unsigned char *end = start + list.len;

	*groups = 0;
	while (p < end)
	{
		uint64_t	number[2] = {0, 0};
		int			i;

		for (i = 0; i < 2; i++)
		{
			int			shift = 0;

			do
			{
				if (p >= end || shift > 63)
					return mcw_fail(err, MCW_ERR_FORMAT, "the page is cut at byte %zu", (size_t) (p - start));
				number[i] |= (uint64_t) (*p & 0x7f) << shift;
				shift += 7;
			} while (*p++ & 0x80);
			/* a varint field has no second number to skip by */
			if (i == 0 && (number[0] & 7) == 0)
				continue;
			if (i == 0 && ((number[0] & 7) == 1 || (number[0] & 7) == 5))
			{
				number[1] = (number[0] & 7) == 1 ? 8 : 4;
				break;
			}
			if (i == 0 && (number[0] & 7) != 2)
				return mcw_fail(err, MCW_ERR_FORMAT, "the page has wire type %d at byte %zu",
								(int) (number[0] & 7), (size_t) (p - start));
		}
		if ((number[0] & 7) == 0)
			continue;
		if (number[1] > (uint64_t) (end - p))
			return mcw_fail(err, MCW_ERR_FORMAT, "a log group runs past the end of the page");
		p += number[1];
		if (number[0] == (1 << 3 | 2))
			(*groups)++;
	}
	return MCW_OK;
}

static mcw_status
header_number(mcs_call *call, const char *name, uint64_t max, uint64_t *value, mcw_error *err)
{
	mcw_view	v = mcn_response_header(&call->req, name);

	if (v.data == NULL || !mcw_view_uint64(v, value))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to PullLogs has no valid header %s", name);
	if (*value > max)
		return mcw_fail(err, MCW_ERR_LIMIT, "%s is %llu, the limit is %llu", name,
						(unsigned long long) *value, (unsigned long long) max);
	return MCW_OK;
}

static mcw_status
unpack_pull(mcs_call *call, size_t raw_size, mcw_buf *raw, mcw_error *err)
{
	mcw_view	body = mcw_buf_view(&call->req.response);
	mcw_view	type = mcn_response_header(&call->req, "x-log-compresstype");
	mcw_codec	codec = MCW_CODEC_NONE;
	size_t		before = raw->len;
	mcw_status	status;

	if (raw_size == 0)
	{
		if (body.len != 0)
			return mcw_fail(err, MCW_ERR_CHECKSUM, "a page announced as empty has %zu bytes", body.len);
		return MCW_OK;
	}
	if (type.data != NULL && !mcw_codec_from_sls(type, &codec))
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "unknown x-log-compresstype \"%.*s\"",
						(int) (type.len > 40 ? 40 : type.len), type.data);
	status = mcw_decompress(codec, body, raw_size, raw, err);
	if (status == MCW_OK && raw->len - before != raw_size)
		status = mcw_fail(err, MCW_ERR_CHECKSUM, "a page has %zu bytes, announced were %zu",
						  raw->len - before, raw_size);
	return status;
}

mcw_status
mcs_parse_pull(mcs_call *call, mcw_buf *raw, mcs_pull_result *result, mcw_error *err)
{
	uint64_t	groups;
	uint64_t	raw_size;
	size_t		before = raw->len;
	mcw_view	body;
	mcw_status	status;

	memset(result, 0, sizeof(*result));
	status = mcs_cursor_set(&result->next, mcn_response_header(&call->req, "x-log-cursor"), err);
	if (status == MCW_OK)
		status = header_number(call, "x-log-count", MAX_GROUPS, &groups, err);
	if (status == MCW_OK)
		status = header_number(call, "x-log-bodyrawsize", raw->max, &raw_size, err);
	/* nothing to keep: a block of the right size instead of one grown by doubling */
	if (status == MCW_OK && before == 0 && raw->cap < raw_size)
		mcw_buf_free(raw);
	if (status == MCW_OK)
		status = unpack_pull(call, (size_t) raw_size, raw, err);
	if (status == MCW_OK)
	{
		body.data = raw->data + before;
		body.len = raw->len - before;
		status = count_groups(body, &result->groups, err);
	}
	if (status == MCW_OK && result->groups != groups)
		status = mcw_fail(err, MCW_ERR_CHECKSUM, "a page has %u log groups, x-log-count says %llu",
						  result->groups, (unsigned long long) groups);
	if (status != MCW_OK)
	{
		raw->len = before;
		return status;
	}
	if (!mcw_view_int64(mcn_response_header(&call->req, "x-log-cursor-time"), &result->cursor_time) ||
		result->cursor_time < 0)
		result->cursor_time = 0;
	if (!mcw_view_uint64(mcn_response_header(&call->req, "x-log-read-last-cursor"), &result->last_cursor))
		result->last_cursor = 0;
	return MCW_OK;
}

mcw_status
mcs_call_run(mcs_call *call, mcw_error *err)
{
	mcw_status	status;

	mcn_request_start(&call->req);
	status = mcn_request_wait(&call->req);
	if (status == MCW_ERR_INTERRUPTED)
		return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	if (status != MCW_OK)
		*err = call->req.error;
	return status;
}
