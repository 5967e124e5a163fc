/*
 * mcs_loghub_group.c
 *		Requests about consumer groups; see the header.
 */
#include "mcs_loghub_group.h"

#include <stdio.h>

#include "../wire/mcw_doc.h"

#define MAX_GROUP 64			/* bytes of a name */

/* ".../consumergroups[/G]": the name goes into the path as it is */
static mcw_status
group_path(mcs_call *call, mcw_view logstore, mcw_view group, mcw_error *err)
{
	char		suffix[32 + MAX_GROUP];

	for (size_t i = 0; i < group.len; i++)
	{
		char		c = group.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return mcw_fail(err, MCW_ERR_ARGUMENT, "the name of a consumer group has letters, digits, '-' and '_'");
	}
	if (group.len > MAX_GROUP)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the name of a consumer group has at most %d characters", MAX_GROUP);
	(void) snprintf(suffix, sizeof(suffix), "/consumergroups%s%.*s", group.len > 0 ? "/" : "", (int) group.len, group.data);
	return mcs_call_path(call, logstore, suffix, err);
}

static mcw_status
json_body(mcs_call *call, mcw_buf *body, mcw_error *err)
{
	mcw_status	status;

	if (body->failed)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	status = mcs_call_body(call, mcw_buf_view(body), err);
	if (status == MCW_OK)
		(void) mcw_request_header(&call->req.http, MCW_LIT("Content-Type"), MCW_LIT("application/json"));
	return status;
}

mcw_status
mcs_group_create(mcs_call *call, mcw_view logstore, mcw_view group, int timeout, bool order, mcw_buf *body, mcw_error *err)
{
	mcw_status	status = group_path(call, logstore, group, err);

	if (status == MCW_OK)
		status = group_path(call, logstore, (mcw_view) {NULL, 0}, err);
	if (status != MCW_OK)
		return status;
	mcw_buf_reset(body);
	mcw_buf_append_str(body, "{\"consumerGroup\":");
	mcw_json_quote(body, group);
	mcw_buf_printf(body, ",\"timeout\":%d,\"order\":%s}", timeout, order ? "true" : "false");
	return json_body(call, body, err);
}

mcw_status
mcs_group_set_checkpoint(mcs_call *call, mcw_view logstore, mcw_view group, mcw_view consumer,
						 bool force, int shard, mcw_view cursor, mcw_buf *body, mcw_error *err)
{
	mcw_request *http = &call->req.http;
	mcw_status	status = group_path(call, logstore, group, err);

	if (status != MCW_OK)
		return status;
	(void) mcw_request_param(http, MCW_LIT("type"), MCW_LIT("checkpoint"));
	(void) mcw_request_param(http, MCW_LIT("consumer"), consumer);
	(void) mcw_request_param(http, MCW_LIT("forceSuccess"), force ? MCW_LIT("true") : MCW_LIT("false"));
	mcw_buf_reset(body);
	mcw_buf_printf(body, "{\"shard\":%d,\"checkpoint\":", shard);
	mcw_json_quote(body, cursor);
	mcw_buf_append_str(body, "}");
	return json_body(call, body, err);
}

mcw_status
mcs_group_get_checkpoints(mcs_call *call, mcw_view logstore, mcw_view group, mcw_error *err)
{
	return group_path(call, logstore, group, err);
}

mcw_status
mcs_parse_checkpoints(mcs_call *call, mcw_arena *arena, mcs_checkpoint **points, int *npoints, mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *node;
	mcw_error	inner;
	mcw_status	status = mcw_json_parse(mcw_buf_view(&call->req.response), arena, &root, &inner);

	*npoints = 0;
	*points = NULL;
	if (status != MCW_OK || root->kind != MCW_NODE_ARRAY)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the list of checkpoints is not an array");
	*points = mcw_arena_new(arena, sizeof(mcs_checkpoint) * (size_t) (root->nchildren + 1));
	if (*points == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (node = root->first; node != NULL; node = node->next)
	{
		int64_t		id;

		if (!mcw_node_int(node, "shard", &id) || id < 0 || id > INT32_MAX)
			return mcw_fail(err, MCW_ERR_PROTOCOL, "a checkpoint has no shard");
		(*points)[*npoints].shard = (int) id;
		(*points)[*npoints].consumer = mcw_node_text(node, "consumer");
		(*points)[(*npoints)++].cursor = mcw_node_text(node, "checkpoint");
	}
	return MCW_OK;
}

mcw_status
mcs_group_list(mcs_call *call, mcw_view logstore, mcw_error *err)
{
	return group_path(call, logstore, (mcw_view) {NULL, 0}, err);
}

mcw_status
mcs_parse_group_timeout(mcs_call *call, mcw_arena *arena, mcw_view group, int64_t *timeout, mcw_error *err)
{
	mcw_node   *root;
	mcw_error	inner;

	*timeout = 0;
	if (mcw_json_parse(mcw_buf_view(&call->req.response), arena, &root, &inner) != MCW_OK || root->kind != MCW_NODE_ARRAY)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the list of consumer groups is not an array");
	for (const mcw_node *node = root->first; node != NULL; node = node->next)
		if (mcw_view_eq(mcw_node_text(node, "name"), group) && (!mcw_node_int(node, "timeout", timeout) || *timeout <= 0))
			return mcw_fail(err, MCW_ERR_PROTOCOL, "a consumer group has no timeout");
	return MCW_OK;
}

mcw_status
mcs_group_heartbeat(mcs_call *call, mcw_view logstore, mcw_view group, mcw_view consumer,
					const int *holds, int nholds, mcw_buf *body, mcw_error *err)
{
	mcw_status	status = group_path(call, logstore, group, err);

	if (status != MCW_OK)
		return status;
	(void) mcw_request_param(&call->req.http, MCW_LIT("type"), MCW_LIT("heartbeat"));
	(void) mcw_request_param(&call->req.http, MCW_LIT("consumer"), consumer);
	mcw_buf_reset(body);
	mcw_buf_append_char(body, '[');
	for (int i = 0; i < nholds; i++)
		mcw_buf_printf(body, "%s%d", i > 0 ? "," : "", holds[i]);
	mcw_buf_append_char(body, ']');
	return json_body(call, body, err);
}

mcw_status
mcs_parse_heartbeat(mcs_call *call, mcw_arena *arena, int **shards, int *n, mcw_error *err)
{
	mcw_node   *root;
	mcw_error	inner;

	*n = 0;
	if (mcw_json_parse(mcw_buf_view(&call->req.response), arena, &root, &inner) != MCW_OK || root->kind != MCW_NODE_ARRAY)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to a heartbeat is not an array");
	*shards = mcw_arena_new(arena, sizeof(int) * (size_t) (root->nchildren + 1));
	if (*shards == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (const mcw_node *node = root->first; node != NULL; node = node->next)
	{
		int64_t		id;

		if (!mcw_view_int64(node->text, &id) || id < 0 || id > INT32_MAX)
			return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to a heartbeat has something else than shards");
		(*shards)[(*n)++] = (int) id;
	}
	return MCW_OK;
}
