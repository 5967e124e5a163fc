/*
 * sls_project.c
 *		mc-emulator, Log Service: project calls.  loghub.md 3.9.
 */
#include <stdio.h>
#include <string.h>

#include "sls.h"

static void
time_text(int64_t us, char out[32])
{
	int64_t		s = us / 1000000;
	int64_t		days = s / 86400;
	int64_t		rest = s % 86400;
	int64_t		year;
	int			month;
	int			day;

	mcw_civil_from_days(days, &year, &month, &day);
	snprintf(out, 32, "%04d-%02d-%02d %02d:%02d:%02d", (int) (year % 10000), month, day,
			 (int) (rest / 3600), (int) (rest / 60 % 60), (int) (rest % 60));
}

static void
put_project(mcw_buf *out, const sls_project *p)
{
	char		created[32];
	char		modified[32];

	time_text(p->create_us, created);
	time_text(p->modify_us, modified);
	mcw_buf_append_str(out, "{\"projectName\":");
	mcw_json_quote(out, mcw_str(p->name));
	mcw_buf_append_str(out, ",\"status\":");
	mcw_json_quote(out, mcw_str(p->status));
	mcw_buf_append_str(out, ",\"owner\":\"1000000000000001\",\"description\":");
	mcw_json_quote(out, mcw_str(p->description));
	mcw_buf_printf(out, ",\"region\":\"cn-test\",\"resourceGroupId\":\"\",\"dataRedundancyType\":\"LRS\","
				   "\"createTime\":\"%s\",\"lastModifyTime\":\"%s\"}", created, modified);
}

static bool
contains(mcw_view text, mcw_view part)
{
	return part.len == 0 || memmem(text.data, text.len, part.data, part.len) != NULL;
}

static void
list_projects(sls_call *call)
{
	mcw_view	name = sls_param(call, "projectName");
	mcw_view	description = sls_param(call, "description");
	int64_t		offset;
	int64_t		size;
	int64_t		total = 0;
	int64_t		count = 0;
	mcw_buf		list;

	if (!sls_param_int(call, "offset", 0, &offset) || !sls_param_int(call, "size", 100, &size) ||
		offset < 0 || size < 0 || size > 500)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "offset : size pair is invalid");
		return;
	}
	mcw_buf_init(&list, &mcw_malloc, (size_t) 64 << 20);
	for (sls_project *p = sls_projects; p; p = p->next)
	{
		if (!contains(mcw_str(p->name), name) || !contains(mcw_str(p->description), description))
			continue;
		if (total++ < offset || count >= size)
			continue;
		if (count++ > 0)
			mcw_buf_append_char(&list, ',');
		put_project(&list, p);
	}
	sls_json(call->resp);
	mcw_buf_printf(&call->resp->body, "{\"count\":%lld,\"total\":%lld,\"projects\":[", (long long) count, (long long) total);
	mcw_buf_append_view(&call->resp->body, mcw_buf_view(&list));
	mcw_buf_append_str(&call->resp->body, "]}");
	mcw_buf_free(&list);
}

static mcw_node *
json_body(sls_call *call)
{
	mcw_node   *root = NULL;
	mcw_error	err;

	if (mcw_json_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK || root->kind != MCW_NODE_OBJECT)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "The body is not valid json string.");
		return NULL;
	}
	return root;
}

/* On the project's own host or on the bare endpoint; a host and a name must agree. */
static void
create_project(sls_call *call)
{
	mcw_node   *body = json_body(call);
	mcw_view	name;
	mcw_view	description;

	if (body == NULL)
		return;
	name = mcw_node_text(body, "projectName");
	description = mcw_node_text(body, "description");
	if (name.data == NULL)
		name = call->project_name;
	if (!sls_valid_name(name, false) || (call->project_name.len > 0 && !mcw_view_eq(name, call->project_name)))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "project name %.*s is invalid", (int) name.len, name.data);
		return;
	}
	if (sls_find_project(name))
	{
		sls_error(call->resp, 400, "ProjectAlreadyExist", "Project %.*s already exist.", (int) name.len, name.data);
		return;
	}
	(void) sls_new_project(name, description.data ? description : MCW_LIT(""), call->req->now_us);
	sls_json(call->resp);
}

static void
update_project(sls_call *call)
{
	mcw_node   *body = json_body(call);
	mcw_view	description;

	if (body == NULL)
		return;
	description = mcw_node_text(body, "description");
	if (description.data)
		sls_replace_text(&call->project->description, description);
	call->project->modify_us = call->req->now_us;
	sls_json(call->resp);
}

void
sls_handle_project(sls_call *call)
{
	switch (call->api)
	{
		case SLS_LIST_PROJECT:
			list_projects(call);
			break;
		case SLS_CREATE_PROJECT:
			create_project(call);
			break;
		case SLS_UPDATE_PROJECT:
			update_project(call);
			break;
		case SLS_DELETE_PROJECT:
			sls_drop_project(call->project);
			call->project = NULL;
			sls_json(call->resp);
			break;
		default:
			sls_json(call->resp);
			put_project(&call->resp->body, call->project);
			break;
	}
}
