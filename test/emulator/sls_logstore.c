/*
 * sls_logstore.c
 *		mc-emulator, Log Service: logstore and index calls.  loghub.md 3.10, 3.11.
 */
#include <stdlib.h>

#include "sls.h"

#define MAX_LOGSTORES 200

static bool
bool_member(const mcw_node *body, const char *name, bool *slot)
{
	const mcw_node *n = mcw_node_get(body, name);

	if (n == NULL || n->kind == MCW_NODE_NULL)
		return true;
	if (n->kind != MCW_NODE_BOOL)
		return false;
	*slot = n->boolean;
	return true;
}

static bool
int_member(const mcw_node *body, const char *name, int64_t min, int64_t max, int64_t *slot)
{
	const mcw_node *n = mcw_node_get(body, name);
	int64_t		v;

	if (n == NULL || n->kind == MCW_NODE_NULL)
		return true;
	if (!mcw_node_int(body, name, &v) || v < min || v > max)
		return false;
	*slot = v;
	return true;
}

void
sls_put_node(mcw_buf *out, const mcw_node *node)
{
	if (node->kind == MCW_NODE_STRING)
		mcw_json_quote(out, node->text.data ? node->text : MCW_LIT(""));
	else if (node->kind == MCW_NODE_NUMBER)
		mcw_buf_append_view(out, node->text);
	else if (node->kind == MCW_NODE_BOOL)
		mcw_buf_append_str(out, node->boolean ? "true" : "false");
	else if (node->kind == MCW_NODE_NULL)
		mcw_buf_append_str(out, "null");
	else
	{
		bool		object = node->kind == MCW_NODE_OBJECT;

		mcw_buf_append_char(out, object ? '{' : '[');
		for (const mcw_node *n = node->first; n; n = n->next)
		{
			if (n != node->first)
				mcw_buf_append_char(out, ',');
			if (object)
			{
				mcw_json_quote(out, n->name);
				mcw_buf_append_char(out, ':');
			}
			sls_put_node(out, n);
		}
		mcw_buf_append_char(out, object ? '}' : ']');
	}
}

static char *
node_json(const mcw_node *node)
{
	mcw_buf		buf;
	char	   *text;

	mcw_buf_init(&buf, &mcw_malloc, (size_t) 16 << 20);
	sls_put_node(&buf, node);
	text = emu_strdup(mcw_buf_view(&buf));
	mcw_buf_free(&buf);
	return text;
}

/* The fields create and update share; unknown ones are ignored as the service does. */
bool
sls_apply_logstore(sls_logstore *store, const mcw_node *body, const char **why)
{
	const mcw_node *encrypt = mcw_node_get(body, "encrypt_conf");
	mcw_view	telemetry = mcw_node_text(body, "telemetryType");
	mcw_view	mode = mcw_node_text(body, "mode");

	*why = "ttl must be in [1-3650]";
	if (!int_member(body, "ttl", 1, 3650, &store->ttl))
		return false;
	*why = "maxSplitShard must be in [1-256]";
	if (!int_member(body, "maxSplitShard", -1, 256, &store->max_split))
		return false;
	*why = "hot_ttl or infrequentAccessTTL is invalid";
	if (!int_member(body, "hot_ttl", -1, 3650, &store->hot_ttl) ||
		!int_member(body, "infrequentAccessTTL", -1, 3650, &store->ia_ttl))
		return false;
	*why = "a flag is not a boolean";
	if (!bool_member(body, "enable_tracking", &store->enable_tracking) ||
		!bool_member(body, "autoSplit", &store->auto_split) ||
		!bool_member(body, "appendMeta", &store->append_meta))
		return false;
	if (telemetry.data)
		sls_replace_text(&store->telemetry, telemetry);
	if (mode.len > 0)
		sls_replace_text(&store->mode, mode);
	if (encrypt && encrypt->kind == MCW_NODE_OBJECT)
	{
		free(store->encrypt_conf);
		store->encrypt_conf = node_json(encrypt);
	}
	return true;
}

static const char *
yes_no(bool b)
{
	return b ? "true" : "false";
}

void
sls_logstore_json(const sls_logstore *s, mcw_buf *out)
{
	int			writable = 0;

	for (int i = 0; i < s->nshards; i++)
		writable += !s->shards[i]->readonly;
	mcw_buf_append_str(out, "{\"logstoreName\":");
	mcw_json_quote(out, mcw_str(s->name));
	mcw_buf_printf(out, ",\"ttl\":%lld,\"shardCount\":%d,\"enable_tracking\":%s,\"autoSplit\":%s,\"maxSplitShard\":%lld,\"appendMeta\":%s",
				   (long long) s->ttl, writable, yes_no(s->enable_tracking), yes_no(s->auto_split),
				   (long long) s->max_split, yes_no(s->append_meta));
	mcw_buf_append_str(out, ",\"telemetryType\":");
	mcw_json_quote(out, mcw_str(s->telemetry));
	mcw_buf_append_str(out, ",\"mode\":");
	mcw_json_quote(out, mcw_str(s->mode));
	if (s->hot_ttl > 0)
		mcw_buf_printf(out, ",\"hot_ttl\":%lld", (long long) s->hot_ttl);
	if (s->ia_ttl > 0)
		mcw_buf_printf(out, ",\"infrequentAccessTTL\":%lld", (long long) s->ia_ttl);
	if (s->encrypt_conf)
		mcw_buf_printf(out, ",\"encrypt_conf\":%s", s->encrypt_conf);
	mcw_buf_printf(out, ",\"createTime\":%lld,\"lastModifyTime\":%lld}",
				   (long long) (s->create_us / 1000000), (long long) (s->modify_us / 1000000));
}

static mcw_node *
json_body(sls_call *call, const char *code)
{
	mcw_node   *root = NULL;
	mcw_error	err;

	if (mcw_json_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK || root->kind != MCW_NODE_OBJECT)
	{
		sls_error(call->resp, 400, code, "The body is not valid json string.");
		return NULL;
	}
	return root;
}

static void
create_logstore(sls_call *call)
{
	mcw_node   *body = json_body(call, "LogStoreInfoInvalid");
	mcw_view	name;
	int64_t		shards = 2;
	int			have = 0;
	sls_logstore *store;
	const char *why;

	if (body == NULL)
		return;
	name = mcw_node_text(body, "logstoreName");
	if (!sls_valid_name(name, true))
	{
		sls_error(call->resp, 400, "LogStoreInfoInvalid", "store name %.*s is invalid", (int) (name.len < 128 ? name.len : 128), name.data ? name.data : "");
		return;
	}
	if (sls_find_logstore(call->project, name))
	{
		sls_error(call->resp, 400, "LogStoreAlreadyExist", "logstore %.*s already exists", (int) name.len, name.data);
		return;
	}
	if (!int_member(body, "shardCount", 1, 10, &shards))
	{
		sls_error(call->resp, 400, "LogStoreInfoInvalid", "shardCount must be in [1-10]");
		return;
	}
	for (sls_logstore *s = call->project->logstores; s; s = s->next)
		have++;
	if (have >= MAX_LOGSTORES)
	{
		sls_error(call->resp, 400, "ProjectQuotaExceed", "Project Quota Exceed.");
		return;
	}
	store = sls_new_logstore(call->project, name, call->req->now_us);
	if (!sls_apply_logstore(store, body, &why))
	{
		sls_drop_logstore(call->project, store);
		sls_error(call->resp, 400, "LogStoreInfoInvalid", "%s", why);
		return;
	}
	sls_initial_shards(store, (int) shards, call->req->now_us);
	sls_json(call->resp);
}

static void
update_logstore(sls_call *call)
{
	mcw_node   *body = json_body(call, "LogStoreInfoInvalid");
	const char *why;

	if (body == NULL)
		return;
	if (!sls_apply_logstore(call->logstore, body, &why))
	{
		sls_error(call->resp, 400, "LogStoreInfoInvalid", "%s", why);
		return;
	}
	call->logstore->modify_us = call->req->now_us;
	sls_json(call->resp);
}

static void
list_logstores(sls_call *call)
{
	mcw_view	name = sls_param(call, "logstoreName");
	mcw_view	telemetry = sls_param(call, "telemetryType");
	mcw_view	mode = sls_param(call, "mode");
	int64_t		offset;
	int64_t		size;
	int64_t		total = 0;
	int64_t		count = 0;
	mcw_buf		list;

	if (!sls_param_int(call, "offset", 0, &offset) || !sls_param_int(call, "size", 200, &size) ||
		offset < 0 || size < 0 || size > 500)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "offset : size pair is invalid");
		return;
	}
	if (mcw_view_eq(telemetry, MCW_LIT("None")))
		telemetry = MCW_LIT("");
	mcw_buf_init(&list, &mcw_malloc, (size_t) 16 << 20);
	for (sls_logstore *s = call->project->logstores; s; s = s->next)
	{
		if (name.len > 0 && memmem(s->name, strlen(s->name), name.data, name.len) == NULL)
			continue;
		if ((telemetry.len > 0 && !mcw_view_eq(telemetry, mcw_str(s->telemetry))) ||
			(mode.len > 0 && !mcw_view_eq(mode, mcw_str(s->mode))))
			continue;
		if (total++ < offset || count >= size)
			continue;
		if (count++ > 0)
			mcw_buf_append_char(&list, ',');
		mcw_json_quote(&list, mcw_str(s->name));
	}
	sls_json(call->resp);
	mcw_buf_printf(&call->resp->body, "{\"count\":%lld,\"total\":%lld,\"logstores\":[", (long long) count, (long long) total);
	mcw_buf_append_view(&call->resp->body, mcw_buf_view(&list));
	mcw_buf_append_str(&call->resp->body, "]}");
	mcw_buf_free(&list);
}

void
sls_handle_logstore(sls_call *call)
{
	switch (call->api)
	{
		case SLS_LIST_LOGSTORES:
			list_logstores(call);
			break;
		case SLS_CREATE_LOGSTORE:
			create_logstore(call);
			break;
		case SLS_UPDATE_LOGSTORE:
			update_logstore(call);
			break;
		case SLS_DELETE_LOGSTORE:
			sls_drop_logstore(call->project, call->logstore);
			call->logstore = NULL;
			sls_json(call->resp);
			break;
		default:
			sls_json(call->resp);
			sls_logstore_json(call->logstore, &call->resp->body);
			break;
	}
}

/* ---- index ---- */

static bool
check_index_key(const mcw_node *key)
{
	mcw_view	type = mcw_node_text(key, "type");
	const mcw_node *token = mcw_node_get(key, "token");

	if (key->kind != MCW_NODE_OBJECT || type.data == NULL)
		return false;
	if (mcw_view_eq(type, MCW_LIT("long")) || mcw_view_eq(type, MCW_LIT("double")))
		return true;
	if (!mcw_view_eq(type, MCW_LIT("text")) && !mcw_view_eq(type, MCW_LIT("json")))
		return false;
	return token && token->kind == MCW_NODE_ARRAY;
}

static bool
check_index(sls_call *call, const mcw_node *body)
{
	const mcw_node *line = mcw_node_get(body, "line");
	const mcw_node *keys = mcw_node_get(body, "keys");
	bool		ok = line || keys;

	if (line)
	{
		const mcw_node *token = mcw_node_get(line, "token");

		ok = ok && token && token->kind == MCW_NODE_ARRAY;
	}
	if (keys)
		for (const mcw_node *n = keys->first; n && ok; n = n->next)
			ok = check_index_key(n);
	if (!ok)
		sls_error(call->resp, 400, "IndexInfoInvalid", "Required field token is lacking or of error format.");
	return ok;
}

static void
put_index(sls_call *call)
{
	mcw_node   *body = json_body(call, "IndexInfoInvalid");

	if (body == NULL)
		return;
	if (call->api == SLS_CREATE_INDEX && call->logstore->index)
	{
		sls_error(call->resp, 400, "IndexAlreadyExist", "Logstore index is already created.");
		return;
	}
	if (call->api == SLS_UPDATE_INDEX && call->logstore->index == NULL)
	{
		sls_error(call->resp, 400, "IndexConfigNotExist", "index config doesn't exist.");
		return;
	}
	if (!check_index(call, body))
		return;
	free(call->logstore->index);
	call->logstore->index = node_json(body);
	call->logstore->index_us = call->req->now_us;
	sls_json(call->resp);
}

/* The body it was made with; ttl and lastModifyTime are the server's. */
static void
get_index(sls_call *call)
{
	mcw_node   *root = NULL;
	mcw_error	err;
	mcw_buf    *out = &call->resp->body;

	if (call->logstore->index == NULL)
	{
		sls_error(call->resp, 400, "IndexConfigNotExist", "index config doesn't exist.");
		return;
	}
	if (mcw_json_parse(mcw_str(call->logstore->index), call->req->arena, &root, &err) != MCW_OK)
		return;
	sls_json(call->resp);
	mcw_buf_printf(out, "{\"index_mode\":\"v2\",\"storage\":\"pg\",\"ttl\":%lld,\"lastModifyTime\":%lld", (long long) call->logstore->ttl,
				   (long long) (call->logstore->index_us / 1000000));
	for (const mcw_node *n = root->first; n; n = n->next)
	{
		if (mcw_view_eq(n->name, MCW_LIT("ttl")) || mcw_view_eq(n->name, MCW_LIT("lastModifyTime")) ||
			mcw_view_eq(n->name, MCW_LIT("storage")) || mcw_view_eq(n->name, MCW_LIT("index_mode")))
			continue;
		mcw_buf_append_char(out, ',');
		mcw_json_quote(out, n->name);
		mcw_buf_append_char(out, ':');
		sls_put_node(out, n);
	}
	mcw_buf_append_char(out, '}');
}

void
sls_handle_index(sls_call *call)
{
	if (call->api == SLS_GET_INDEX)
		get_index(call);
	else if (call->api != SLS_DELETE_INDEX)
		put_index(call);
	else if (call->logstore->index == NULL)
		sls_error(call->resp, 400, "ParameterInvalid", "Log store index not created.");
	else
	{
		sls_replace_text(&call->logstore->index, (mcw_view) {NULL, 0});
		sls_json(call->resp);
	}
}
