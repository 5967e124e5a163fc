/*
 * sls_shard_api.c
 *		mc-emulator, Log Service: ListShards, SplitShard, MergeShards, DeleteShard,
 *		GetCursor, GetCursorTime.  loghub.md 3.1 to 3.3.
 */
#include "sls.h"

#define MAX_SPLIT 64

static void
put_shard(mcw_buf *out, const sls_shard *s)
{
	char		begin[33];
	char		end[33];

	sls_key_text(s->begin, begin);
	sls_key_text(s->end, end);
	mcw_buf_printf(out, "{\"shardID\":%d,\"status\":\"%s\",\"inclusiveBeginKey\":\"%s\",\"exclusiveEndKey\":\"%s\",\"createTime\":%lld}",
				   s->id, s->readonly ? "readonly" : "readwrite", begin, end, (long long) (s->create_us / 1000000));
}

static sls_shard *
wanted_shard(sls_call *call)
{
	int64_t		id;
	sls_shard  *shard = NULL;

	if (mcw_view_int64(call->seg[3], &id))
		shard = sls_find_shard(call->logstore, id);
	if (shard == NULL)
		sls_error(call->resp, 404, "ShardNotExist", "Shard %.*s does not exist", (int) call->seg[3].len, call->seg[3].data);
	return shard;
}

static void
list_shards(sls_call *call)
{
	sls_logstore *s = call->logstore;

	if (s->nshards == 0)
	{
		sls_error(call->resp, 400, "LogStoreWithoutShard", "The logstore has no shard.");
		return;
	}
	sls_json(call->resp);
	mcw_buf_append_char(&call->resp->body, '[');
	for (int i = 0; i < s->nshards; i++)
	{
		if (i)
			mcw_buf_append_char(&call->resp->body, ',');
		put_shard(&call->resp->body, s->shards[i]);
	}
	mcw_buf_append_char(&call->resp->body, ']');
}

static void
split_shard(sls_call *call)
{
	sls_shard  *shard = wanted_shard(call);
	mcw_view	key = sls_param(call, "key");
	int64_t		count;
	unsigned char keys[MAX_SPLIT * 16];
	int			nkeys = 1;
	int			first;

	if (shard == NULL)
		return;
	if (!sls_param_int(call, "shardCount", 2, &count) || count < 2 || count > MAX_SPLIT)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "shardCount must be in [2-%d]", MAX_SPLIT);
		return;
	}
	if (shard->readonly)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "invalid shard id.");
		return;
	}
	if (key.len > 0 ? !sls_parse_key(key, keys) : !sls_even_keys(shard, (int) count, keys))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "invalid mid hash.");
		return;
	}
	if (key.len == 0)
		nkeys = (int) count - 1;
	if (!sls_split(call->logstore, shard, keys, nkeys, call->req->now_us, &first))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "invalid mid hash.");
		return;
	}
	sls_json(call->resp);
	mcw_buf_append_char(&call->resp->body, '[');
	put_shard(&call->resp->body, shard);
	for (int i = first; i < call->logstore->nshards; i++)
	{
		mcw_buf_append_char(&call->resp->body, ',');
		put_shard(&call->resp->body, call->logstore->shards[i]);
	}
	mcw_buf_append_char(&call->resp->body, ']');
}

static void
merge_shards(sls_call *call)
{
	sls_shard  *shard = wanted_shard(call);
	sls_shard  *right;
	sls_shard  *fresh;

	if (shard == NULL)
		return;
	if (shard->readonly)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "invalid shard id.");
		return;
	}
	fresh = sls_merge(call->logstore, shard, &right, call->req->now_us);
	if (fresh == NULL)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "can not merge the last shard");
		return;
	}
	sls_json(call->resp);
	mcw_buf_append_char(&call->resp->body, '[');
	put_shard(&call->resp->body, fresh);
	mcw_buf_append_char(&call->resp->body, ',');
	put_shard(&call->resp->body, shard);
	mcw_buf_append_char(&call->resp->body, ',');
	put_shard(&call->resp->body, right);
	mcw_buf_append_char(&call->resp->body, ']');
}

static void
delete_shard(sls_call *call)
{
	sls_shard  *shard = wanted_shard(call);
	sls_logstore *store = call->logstore;
	int			kept = 0;

	if (shard == NULL)
		return;
	if (!shard->readonly)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "only readonly shard can be deleted");
		return;
	}
	for (int i = 0; i < store->nshards; i++)
		if (store->shards[i] != shard)
			store->shards[kept++] = store->shards[i];
	store->nshards = kept;
	sls_free_shard(shard);
	sls_json(call->resp);
}

static void
get_cursor(sls_call *call)
{
	sls_shard  *shard = wanted_shard(call);
	mcw_view	from = sls_param(call, "from");
	int64_t		seconds;
	int64_t		cursor;
	char		text[64];

	if (shard == NULL)
		return;
	if (from.data == NULL)
	{
		sls_error(call->resp, 400, "MissingParameter", "Missing query key : from");
		return;
	}
	if (mcw_view_eq(from, MCW_LIT("begin")))
		cursor = sls_begin_cursor(shard);
	else if (mcw_view_eq(from, MCW_LIT("end")))
		cursor = shard->next_cursor;
	else if (mcw_view_int64(from, &seconds) && seconds >= 0)
		cursor = sls_cursor_of(shard, seconds > INT64_MAX / 1000000 ? shard->ngroups : sls_find_time(shard, seconds * 1000000));
	else
	{
		sls_error(call->resp, 400, "ParameterInvalid", "Parameter From is not valid");
		return;
	}
	sls_cursor_text(cursor, text);
	sls_json(call->resp);
	mcw_buf_printf(&call->resp->body, "{\"cursor\":\"%s\"}", text);
}

static void
get_cursor_time(sls_call *call)
{
	sls_shard  *shard = wanted_shard(call);
	mcw_view	text = sls_param(call, "cursor");
	int64_t		cursor;
	int64_t		us;
	size_t		at;

	if (shard == NULL)
		return;
	if (text.data == NULL)
	{
		sls_error(call->resp, 400, "MissingParameter", "Missing query key : cursor");
		return;
	}
	if (!sls_parse_cursor(text, &cursor) || cursor < sls_begin_cursor(shard) || cursor > shard->next_cursor)
	{
		sls_error(call->resp, 400, "InvalidCursor", "Invalid cursor %.*s", (int) (text.len < 128 ? text.len : 128), text.data);
		return;
	}
	at = sls_find_cursor(shard, cursor);
	us = at < shard->ngroups ? shard->groups[at].receive_us : call->req->now_us;
	sls_json(call->resp);
	mcw_buf_printf(&call->resp->body, "{\"cursor_time\":%lld}", (long long) (us / 1000000));
}

void
sls_handle_shards(sls_call *call)
{
	switch (call->api)
	{
		case SLS_LIST_SHARDS:
			list_shards(call);
			break;
		case SLS_SPLIT_SHARD:
			split_shard(call);
			break;
		case SLS_MERGE_SHARDS:
			merge_shards(call);
			break;
		case SLS_DELETE_SHARD:
			delete_shard(call);
			break;
		case SLS_GET_CURSOR:
			get_cursor(call);
			break;
		default:
			get_cursor_time(call);
			break;
	}
}
