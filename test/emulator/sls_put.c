/*
 * sls_put.c
 *		mc-emulator, Log Service: PutLogs and web tracking, with every check the write
 *		path makes.  loghub.md 3.5, 3.6.
 */
#include "../../src/wire/mcw_compress.h"
#include "sls.h"

#define MAX_VALUE 1048576
#define MAX_KEY 128
#define PAST_S (7 * 86400)
#define FUTURE_S 900

static mcw_view
header(const sls_call *call, const char *name)
{
	return mcw_request_get_header(&call->req->http, mcw_str(name));
}

/* The body after decompression, in 'raw' or the request itself. */
static bool
open_body(sls_call *call, bool is_json, mcw_buf *raw, mcw_view *out)
{
	mcw_view	type = header(call, "x-log-compresstype");
	mcw_view	size = header(call, "x-log-bodyrawsize");
	mcw_view	body = call->req->body;
	mcw_codec	codec;
	uint64_t	raw_size = 0;
	mcw_error	err;

	if (size.len > 0 && !mcw_view_uint64(size, &raw_size))
	{
		sls_error(call->resp, 400, "InvalidBodyRawSize", "x-log-bodyrawsize is not a number");
		return false;
	}
	if (raw_size > SLS_MAX_RAW_BODY || body.len > SLS_MAX_RAW_BODY + SLS_MAX_RAW_BODY / 128)
	{
		sls_error(call->resp, 413, "PostBodyTooLarge", "Body size %llu must little than %d.",
				  (unsigned long long) (raw_size > body.len ? raw_size : body.len), SLS_MAX_RAW_BODY);
		return false;
	}
	if (type.len == 0)
	{
		*out = body;
		if (is_json || size.len == 0 || raw_size == body.len)
			return true;
		sls_error(call->resp, 400, "InvalidBodyRawSize", "x-log-bodyrawsize is %llu, the body has %zu bytes",
				  (unsigned long long) raw_size, body.len);
		return false;
	}
	if (!mcw_codec_from_sls(type, &codec))
	{
		sls_error(call->resp, 400, "InvalidCompressType", "compress type %.*s is not supported", (int) (type.len < 64 ? type.len : 64), type.data);
		return false;
	}
	if (size.len == 0)
	{
		sls_error(call->resp, 400, "MissingBodyRawSize", "Missing http extend header key : x-log-bodyrawsize");
		return false;
	}
	if (mcw_decompress(codec, body, (size_t) raw_size, raw, &err) != MCW_OK)
	{
		sls_error(call->resp, 400, "PostBodyUncompressError", "Body cannot be uncompressed to %llu bytes", (unsigned long long) raw_size);
		return false;
	}
	*out = mcw_buf_view(raw);
	return true;
}

static bool
valid_text(mcw_view v)
{
	return mcw_utf8_valid(v.data, v.len) == v.len;
}

typedef struct pair_check
{
	mcw_view	key;
	mcw_view	value;
	bool		has_key;
	bool		has_value;
} pair_check;

static bool
open_pair(mcw_view bytes, pair_check *p)
{
	size_t		pos = 0;
	sls_field	f;

	memset(p, 0, sizeof(*p));
	while (sls_next_field(bytes, &pos, &f))
	{
		if (f.wire_type != 2)
			continue;
		if (f.number == 1)
		{
			p->key = f.bytes;
			p->has_key = true;
		}
		else if (f.number == 2)
		{
			p->value = f.bytes;
			p->has_value = true;
		}
	}
	return pos == bytes.len && p->has_key && p->has_value;
}

static bool
bad_protobuf(sls_call *call)
{
	sls_error(call->resp, 400, "PostBodyInvalid", "Protobuffer content cannot be parsed.");
	return false;
}

static bool
check_pair(sls_call *call, mcw_view bytes)
{
	pair_check	p;

	if (!open_pair(bytes, &p))
		return bad_protobuf(call);
	if (p.key.len < 1 || p.key.len > MAX_KEY)
	{
		sls_error(call->resp, 400, "InvalidKey", "key length %zu is not in [1-%d]", p.key.len, MAX_KEY);
		return false;
	}
	if (p.value.len > MAX_VALUE)
	{
		sls_error(call->resp, 400, "PostBodyInvalid", "value of %zu bytes is larger than %d", p.value.len, MAX_VALUE);
		return false;
	}
	if (!valid_text(p.key) || !valid_text(p.value))
	{
		sls_error(call->resp, 400, "InvalidEncoding", "Non-UTF8 characters are in logs.");
		return false;
	}
	return true;
}

static bool
check_log(sls_call *call, mcw_view log)
{
	int64_t		now = call->req->now_us / 1000000;
	size_t		pos = 0;
	sls_field	f;
	bool		has_time = false;

	while (sls_next_field(log, &pos, &f))
	{
		if (f.number == 1 && f.wire_type == 0)
		{
			has_time = true;
			if (f.value > UINT32_MAX)
			{
				sls_error(call->resp, 400, "InvalidTimestamp", "invalid timestamps in logs");
				return false;
			}
			if (sls_conf.check_time && ((int64_t) f.value < now - PAST_S || (int64_t) f.value > now + FUTURE_S))
			{
				sls_error(call->resp, 400, "PostBodyInvalid", "The post data time is out of range");
				return false;
			}
		}
		else if (f.number == 4 && f.wire_type == 5 && f.value > 999999999)
		{
			sls_error(call->resp, 400, "InvalidTimestamp", "invalid timestamps in logs");
			return false;
		}
		else if (f.number == 2 && f.wire_type == 2 && !check_pair(call, f.bytes))
			return false;
		else if (f.number == 1 || (f.number == 2 && f.wire_type != 2))
			return bad_protobuf(call);
	}
	return pos == log.len && has_time ? true : bad_protobuf(call);
}

/* All or nothing: the group is stored only if every log of it passes. */
static bool
check_group(sls_call *call, mcw_view group, uint64_t *nlogs)
{
	size_t		pos = 0;
	sls_field	f;

	*nlogs = 0;
	while (sls_next_field(group, &pos, &f))
	{
		if (f.number >= 1 && f.number <= 6 && f.wire_type != 2)
			return bad_protobuf(call);
		if (f.number == 1)
		{
			(*nlogs)++;
			if (!check_log(call, f.bytes))
				return false;
		}
		else if (f.number == 6 && !check_pair(call, f.bytes))
			return false;
		else if ((f.number == 3 || f.number == 4) && (f.bytes.len > MAX_KEY || !valid_text(f.bytes)))
		{
			if (f.bytes.len > MAX_KEY)
				sls_error(call->resp, 400, "PostBodyInvalid", "%s is longer than %d bytes", f.number == 3 ? "topic" : "source", MAX_KEY);
			else
				sls_error(call->resp, 400, "InvalidEncoding", "Non-UTF8 characters are in logs.");
			return false;
		}
	}
	return pos == group.len ? true : bad_protobuf(call);
}

static sls_shard *
choose_shard(sls_call *call)
{
	mcw_view	key = MCW_LIT("");
	unsigned char hash[16];
	sls_shard  *shard;

	if (call->nseg == 4 && mcw_view_eq(call->seg[3], MCW_LIT("route")))
	{
		key = sls_param(call, "key");
		if (key.len == 0)
		{
			sls_error(call->resp, 400, "MissingParameter", "Missing query key : key");
			return NULL;
		}
	}
	else
		key = header(call, "x-log-hashkey");
	if (key.len > 0 && !sls_parse_key(key, hash))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "hash key is not a hexadecimal number of at most 32 digits");
		return NULL;
	}
	shard = key.len > 0 ? sls_route(call->logstore, hash) : sls_next_writable(call->logstore);
	if (shard == NULL)
		sls_error(call->resp, 400, "LogStoreWithoutShard", "The logstore has no shard.");
	return shard;
}

/* Store a checked group, with the server's own tags where the logstore has them. */
static void
store_group(sls_call *call, sls_shard *shard, mcw_view group)
{
	int64_t		receive = call->req->now_us;
	bool		late = emu_fault_armed(call->req, "late_group");
	mcw_buf		tagged;
	char		text[32];
	mcw_error	err;

	if (late)
		receive = shard->last_us - emu_fault_param("seconds", 2) * 1000000;
	else if (receive < shard->last_us)
		receive = shard->last_us;
	mcw_buf_init(&tagged, &mcw_malloc, (size_t) 64 << 20);
	if (call->logstore->append_meta || sls_conf.show_meta)
	{
		snprintf(text, sizeof(text), "%lld", (long long) (receive / 1000000));
		mcw_buf_append_view(&tagged, group);
		sls_put_tag(&tagged, MCW_LIT("__client_ip__"), mcw_str(call->req->client_ip));
		sls_put_tag(&tagged, MCW_LIT("__receive_time__"), mcw_str(text));
		group = mcw_buf_view(&tagged);
	}
	if (emu_fault_armed(call->req, "cursor_gap"))
		shard->next_cursor += emu_fault_param("gap", 1000);
	if (sls_append(shard, group, receive, late, &err) == NULL)
		bad_protobuf(call);
	else
	{
		call->resp->status = 200;
		if (emu_fault_armed(call->req, "apply_then_fail"))
			sls_error(call->resp, 500, "InternalServerError", "the request failed after it was applied");
	}
	mcw_buf_free(&tagged);
}

static void
put_group(sls_call *call, mcw_view group)
{
	uint64_t	nlogs;
	sls_shard  *shard;

	if (group.len > SLS_MAX_RAW_BODY)
	{
		sls_error(call->resp, 413, "PostBodyTooLarge", "Body size %zu must little than %d.", group.len, SLS_MAX_RAW_BODY);
		return;
	}
	if (!check_group(call, group, &nlogs))
		return;
	shard = choose_shard(call);
	if (shard == NULL || !sls_quota(call, shard, true, group.len))
		return;
	if (nlogs > 0)
		store_group(call, shard, group);
	else
		call->resp->status = 200;	/* no logs: accepted, nothing to keep */
}

static void
put_json(sls_call *call, mcw_view body, bool force_now)
{
	mcw_node   *root;
	mcw_buf		group;
	mcw_error	err = {0};

	mcw_buf_init(&group, &mcw_malloc, (size_t) 4 * SLS_MAX_RAW_BODY);
	if (mcw_json_parse(body, call->req->arena, &root, &err) != MCW_OK ||
		!sls_group_from_json(root, (uint32_t) (call->req->now_us / 1000000), force_now, &group, &err))
		sls_error(call->resp, 400, "PostBodyInvalid", "The body is not valid json: %s", err.message);
	else
		put_group(call, mcw_buf_view(&group));
	mcw_buf_free(&group);
}

void
sls_handle_put(sls_call *call)
{
	mcw_view	type = header(call, "Content-Type");
	bool		is_json = type.len >= 16 && mcw_view_ieq((mcw_view) {type.data, 16}, MCW_LIT("application/json"));
	mcw_buf		raw;
	mcw_view	body;

	if (type.len == 0)
	{
		sls_error(call->resp, 400, "MissingContentType", "Missing http extend header key : Content-Type");
		return;
	}
	if (!is_json && !(type.len >= 22 && mcw_view_ieq((mcw_view) {type.data, 22}, MCW_LIT("application/x-protobuf"))))
	{
		sls_error(call->resp, 400, "InvalidContentType", "Content-Type %.*s is not supported", (int) (type.len < 64 ? type.len : 64), type.data);
		return;
	}
	mcw_buf_init(&raw, &mcw_malloc, SLS_MAX_RAW_BODY);
	if (open_body(call, is_json, &raw, &body))
	{
		if (is_json)
			put_json(call, body, false);
		else
			put_group(call, body);
	}
	mcw_buf_free(&raw);
}

/* GET .../track?APIVersion=0.6.0&k=v: every other parameter is a field of one log. */
static void
track_get(sls_call *call)
{
	mcw_buf		group;
	mcw_sls_writer w;
	mcw_view	none = {NULL, 0};
	mcw_view	topic = sls_param(call, "__topic__");
	mcw_view	source = sls_param(call, "__source__");

	mcw_buf_init(&group, &mcw_malloc, SLS_MAX_RAW_BODY);
	mcw_sls_writer_init(&w, &group);
	(void) mcw_sls_begin_log(&w, (uint32_t) (call->req->now_us / 1000000), false, 0);
	for (int i = 0; i < call->req->http.nparams; i++)
	{
		const mcw_pair *p = &call->req->http.params[i];

		if (!mcw_view_eq(p->name, MCW_LIT("APIVersion")) && !mcw_view_eq(p->name, MCW_LIT("__topic__")) &&
			!mcw_view_eq(p->name, MCW_LIT("__source__")))
			(void) mcw_sls_content(&w, p->name, p->value.data ? p->value : MCW_LIT(""));
	}
	if (mcw_sls_end_log(&w) == MCW_OK && mcw_sls_finish_group(&w, none, topic, source, none, NULL, 0) == MCW_OK)
		put_group(call, mcw_buf_view(&group));
	mcw_buf_free(&group);
}

void
sls_handle_webtracking(sls_call *call)
{
	mcw_buf		raw;
	mcw_view	body;

	if (!call->logstore->enable_tracking)
	{
		sls_error(call->resp, 401, "Unauthorized", "web tracking of logstore %s is not enabled", call->logstore->name);
		return;
	}
	if (mcw_view_eq(call->req->http.method, MCW_LIT("GET")))
	{
		track_get(call);
		return;
	}
	mcw_buf_init(&raw, &mcw_malloc, SLS_MAX_RAW_BODY);
	if (open_body(call, true, &raw, &body))
		put_json(call, body, true);
	mcw_buf_free(&raw);
}
