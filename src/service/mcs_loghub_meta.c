/*
 * mcs_loghub_meta.c
 *		What IMPORT FOREIGN SCHEMA reads: names of logstores and the fields of an
 *		index (loghub.md 3.10, 3.11).
 */
#include "mcs_loghub.h"

#include <stdio.h>

#include "../wire/mcw_doc.h"

static mcw_status
parse_json(mcs_call *call, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	mcw_error	inner;
	mcw_status	status = mcw_json_parse(mcw_buf_view(&call->req.response), arena, root, &inner);

	if (status == MCW_OK)
		return status;
	if (status != MCW_ERR_NOMEM && status != MCW_ERR_LIMIT)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to GET %s is not JSON: %s", call->path, inner.message);
	*err = inner;
	return status;
}

mcw_status
mcs_parse_logstores(mcs_call *call, mcw_arena *arena, mcw_view **names, int *nnames,
					int64_t *total, mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *list;
	const mcw_node *node;
	mcw_status	status = parse_json(call, arena, &root, err);

	*nnames = 0;
	*names = NULL;
	if (status != MCW_OK)
		return status;
	list = mcw_node_get(root, "logstores");
	if (list == NULL || list->kind != MCW_NODE_ARRAY)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the list of logstores has no names");
	if (!mcw_node_int(root, "total", total))
		*total = list->nchildren;
	*names = mcw_arena_new(arena, sizeof(mcw_view) * (size_t) (list->nchildren + 1));
	if (*names == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (node = list->first; node != NULL; node = node->next)
		(*names)[(*nnames)++] = node->text;
	return MCW_OK;
}

mcw_status
mcs_parse_index(mcs_call *call, mcw_arena *arena, mcs_index_field **fields, int *nfields,
				mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *keys;
	const mcw_node *node;
	mcw_status	status = parse_json(call, arena, &root, err);

	*nfields = 0;
	*fields = NULL;
	if (status != MCW_OK)
		return status;
	keys = mcw_node_get(root, "keys");
	if (keys == NULL || keys->kind != MCW_NODE_OBJECT)
		return MCW_OK;			/* a full-text index only */
	*fields = mcw_arena_new(arena, sizeof(mcs_index_field) * (size_t) (keys->nchildren + 1));
	if (*fields == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (node = keys->first; node != NULL; node = node->next)
	{
		(*fields)[*nfields].name = node->name;
		(*fields)[(*nfields)++].type = mcw_node_text(node, "type");
	}
	return MCW_OK;
}

mcw_status
mcs_create_logstore(mcs_call *call, mcw_view body, mcw_error *err)
{
	mcw_status	status = mcs_list_logstores(call, 0, 1, err);

	/* the same path, without its parameters */
	call->req.http.nparams = 0;
	if (status == MCW_OK)
		status = mcs_call_body(call, body, err);
	if (status == MCW_OK)
		status = mcw_request_header(&call->req.http, MCW_LIT("Content-Type"), MCW_LIT("application/json"));
	(void) snprintf(call->number, sizeof(call->number), "%zu", body.len);
	if (status == MCW_OK)
		status = mcw_request_header(&call->req.http, MCW_LIT("x-log-bodyrawsize"), mcw_str(call->number));
	/* a second one would be told that the logstore exists */
	call->req.no_retry_after_send = true;
	return status;
}
