/*
 * odps_rest.c
 *		mc-emulator, MaxCompute part: REST calls on projects, schemas, tunnel
 *		discovery and the small services around them.
 *
 * Tables and partitions are in odps_meta.c, instances in odps_instance.c.
 * Reference: maxcompute.md 1.2, 2.2, 2.5, 2.10.
 */
#include "odps.h"

#include <stdlib.h>

static bool
method_is(const emu_request *req, const char *method)
{
	return mcw_view_eq(req->http.method, mcw_str(method));
}

static void
not_allowed(emu_request *req, emu_response *resp)
{
	odps_error(req, resp, 405, "MethodNotAllowed", "method %.*s is not allowed here",
			   (int) req->http.method.len, req->http.method.data);
}

/* Headers that project and schema objects must carry */
static void
object_headers(emu_response *resp, int64_t created)
{
	char		date[32];

	odps_xml_time(created, date);
	emu_header_add(resp, "x-odps-owner", "%s", ODPS_OWNER);
	emu_header_add(resp, "x-odps-creation-time", "%s", date);
	emu_header_add(resp, "Last-Modified", "%s", date);
}

bool
odps_rest_body(emu_request *req, emu_response *resp, mcw_node **root)
{
	mcw_error	err = {0};

	if (mcw_xml_parse(req->body, req->arena, root, &err) == MCW_OK)
		return true;
	odps_error(req, resp, 400, "MalformedXML", "ODPS-0420031:Invalid xml in HTTP request body - %s", err.message);
	return false;
}

int
odps_page(const emu_request *req, mcw_view *marker)
{
	int64_t		n = 0;

	*marker = odps_param(req, "marker");
	if (!mcw_view_int64(odps_param(req, "maxitems"), &n) || n <= 0 || n > odps_set.page_size)
		n = odps_set.page_size;
	return (int) n;
}

/* ---- projects ---- */

static void
property(mcw_buf *b, const char *name, const char *value)
{
	(void) mcw_buf_append_str(b, "<Property>");
	odps_xml_text(b, "Name", mcw_str(name));
	odps_xml_text(b, "Value", mcw_str(value));
	(void) mcw_buf_append_str(b, "</Property>");
}

static void
project_document(mcw_buf *b, const odps_project *p, bool full)
{
	char		rows[24];

	(void) mcw_buf_append_str(b, "<Project>");
	odps_xml_text(b, "Name", mcw_str(p->name));
	(void) mcw_buf_append_str(b, "<Type>managed</Type><Comment></Comment><State>AVAILABLE</State>");
	if (full)
	{
		snprintf(rows, sizeof(rows), "%d", odps_set.result_rows);
		(void) mcw_buf_append_str(b, "<ProjectGroupName></ProjectGroupName><Properties>");
		property(b, "odps.sql.type.system.odps2", "true");
		property(b, "odps.sql.decimal.odps2", "true");
		property(b, "odps.sql.allow.fullscan", "true");
		property(b, "odps.namespace.schema", p->three_tier ? "true" : "false");
		property(b, "odps.schema.model.enabled", p->three_tier ? "true" : "false");
		property(b, "odps.sql.timezone", "Asia/Shanghai");
		property(b, "READ_TABLE_MAX_ROW", rows);
		(void) mcw_buf_append_str(b, "</Properties><ExtendedProperties></ExtendedProperties><Clusters></Clusters>"
								  "<Region></Region><TenantId></TenantId><DefaultQuotaNickname></DefaultQuotaNickname>");
	}
	(void) mcw_buf_append_str(b, "</Project>");
}

static void
get_project(emu_request *req, emu_response *resp, odps_project *p)
{
	if (!method_is(req, "GET") && !method_is(req, "HEAD"))
	{
		not_allowed(req, resp);
		return;
	}
	object_headers(resp, p->created);
	(void) mcw_buf_append_str(&resp->body, "<?xml version=\"1.0\"?>\n");
	project_document(&resp->body, p, true);
	odps_reply_xml(resp, 200);
}

static void
list_projects(emu_request *req, emu_response *resp)
{
	mcw_buf    *b = &resp->body;

	(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<Projects><Marker></Marker><MaxItems>%d</MaxItems>", odps_set.page_size);
	for (odps_project *p = odps_projects; p; p = p->next)
		project_document(b, p, false);
	(void) mcw_buf_append_str(b, "</Projects>");
	odps_reply_xml(resp, 200);
}

/* ---- schemas ---- */

static void
schema_document(mcw_buf *b, const odps_project *p, const odps_namespace *ns)
{
	(void) mcw_buf_append_str(b, "<Schema>");
	odps_xml_text(b, "Project", mcw_str(p->name));
	odps_xml_text(b, "Name", mcw_str(ns->name));
	odps_xml_text(b, "Comment", mcw_str(ns->comment));
	odps_xml_text(b, "Owner", MCW_LIT(ODPS_OWNER));
	(void) mcw_buf_append_str(b, "<Type>MANAGED</Type>");
	odps_xml_time_element(b, "CreationTime", ns->created);
	odps_xml_time_element(b, "CreateTime", ns->created);
	odps_xml_time_element(b, "ModifiedTime", ns->created);
	(void) mcw_buf_append_str(b, "</Schema>");
}

static void
list_schemas(emu_request *req, emu_response *resp, odps_project *p)
{
	mcw_buf    *b = &resp->body;
	mcw_view	prefix = odps_param(req, "name");
	mcw_view	marker;
	int			max = odps_page(req, &marker);
	mcw_buf		items;
	int64_t		at = 0;
	int			n = 0;

	(void) mcw_view_int64(marker, &at);
	mcw_buf_init(&items, &mcw_malloc, (size_t) 64 << 20);
	for (; at >= 0 && at < p->nspaces && n < max; at++)
	{
		mcw_view	name = mcw_str(p->spaces[at]->name);

		if (prefix.len > name.len || (prefix.len && strncasecmp(name.data, prefix.data, prefix.len) != 0))
			continue;
		schema_document(&items, p, p->spaces[at]);
		n++;
	}
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\"?>\n<Schemas>");
	if (at < p->nspaces)
		(void) mcw_buf_printf(b, "<Marker>%lld</Marker>", (long long) at);
	else
		(void) mcw_buf_append_str(b, "<Marker></Marker>");
	(void) mcw_buf_printf(b, "<MaxItems>%d</MaxItems>", max);
	(void) mcw_buf_append_view(b, mcw_buf_view(&items));
	(void) mcw_buf_append_str(b, "</Schemas>");
	mcw_buf_free(&items);
	odps_reply_xml(resp, 200);
}

static void
create_schema(emu_request *req, emu_response *resp, odps_project *p)
{
	mcw_node   *root;
	mcw_view	name;

	if (!odps_rest_body(req, resp, &root))
		return;
	name = mcw_node_text(root, "Name");
	if (name.len == 0)
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - schema name is missing");
	else if (odps_namespace_find(p, name))
		odps_error(req, resp, 409, "ObjectAlreadyExists", "ODPS-0420095:Schema already exists - %.*s", (int) name.len, name.data);
	else
	{
		(void) odps_namespace_create(p, name, mcw_node_text(root, "Comment"), req->now_us / ODPS_SECOND);
		resp->status = 201;
	}
}

static void
one_schema(emu_request *req, emu_response *resp, odps_project *p, mcw_view name)
{
	odps_namespace *ns = odps_namespace_find(p, name);

	if (!ns)
	{
		odps_error(req, resp, 404, "NoSuchObject", "ODPS-0422155:Schema not found - %.*s", (int) name.len, name.data);
		return;
	}
	if (method_is(req, "DELETE"))
	{
		if (mcw_view_ieq(name, MCW_LIT("default")) || !odps_namespace_drop(p, ns))
			odps_error(req, resp, 400, "InvalidParameter", "schema %.*s is not empty or cannot be dropped", (int) name.len, name.data);
		else
			resp->status = 204;
		return;
	}
	object_headers(resp, ns->created);
	(void) mcw_buf_append_str(&resp->body, "<?xml version=\"1.0\"?>\n");
	schema_document(&resp->body, p, ns);
	odps_reply_xml(resp, 200);
}

static void
schemas(emu_request *req, emu_response *resp, odps_target *t)
{
	if (t->nseg == 4)
		one_schema(req, resp, t->project, t->seg[3]);
	else if (method_is(req, "GET"))
		list_schemas(req, resp, t->project);
	else if (method_is(req, "POST"))
		create_schema(req, resp, t->project);
	else
		not_allowed(req, resp);
}

/* ---- around ---- */

static void
discover_tunnel(emu_request *req, emu_response *resp)
{
	if (odps_set.public_endpoint[0])
		(void) mcw_buf_append_str(&resp->body, odps_set.public_endpoint);
	else
		(void) mcw_buf_append_view(&resp->body, req->host);
	odps_reply_text(resp, 200);
}

/* /tenants, /quotas, /logview/host: nothing a client depends on */
static void
outside_projects(emu_request *req, emu_response *resp, odps_target *t)
{
	mcw_view	first = t->nseg ? t->seg[0] : MCW_LIT("");

	if (mcw_view_eq(first, MCW_LIT("projects")) && method_is(req, "GET"))
		list_projects(req, resp);
	else if (mcw_view_eq(first, MCW_LIT("tenants")) && method_is(req, "GET"))
	{
		(void) mcw_buf_append_str(&resp->body, "{\"Tenant\":{\"Name\":\"emulator\",\"OwnerId\":\"1\",\"TenantId\":\"1\","
								  "\"TenantState\":\"NORMAL\",\"CreateTime\":0,\"UpdateTime\":0,\"TenantMeta\":\"\","
								  "\"Parameters\":{}}}");
		odps_reply_json(resp, 200);
	}
	else if (mcw_view_eq(first, MCW_LIT("logview")))
	{
		(void) mcw_buf_append_str(&resp->body, "http://");
		(void) mcw_buf_append_view(&resp->body, req->host);
		odps_reply_text(resp, 200);
	}
	else
		odps_error(req, resp, 404, "NoSuchObject", "no such resource");
}

static void
authorization(emu_request *req, emu_response *resp)
{
	if (!odps_has(req, "sign_bearer_token"))
	{
		odps_error(req, resp, 400, "NotImplemented", "only sign_bearer_token is offered by this emulator");
		return;
	}
	(void) mcw_buf_append_str(&resp->body, "<?xml version=\"1.0\"?>\n<Authorization><Result>emulator</Result></Authorization>");
	odps_reply_xml(resp, 200);
}

void
odps_rest(emu_request *req, emu_response *resp, odps_target *t)
{
	if (t->nseg < 2 || !t->project)
		outside_projects(req, resp, t);
	else if (t->nseg == 2)
		get_project(req, resp, t->project);
	else if (mcw_view_eq(t->seg[2], MCW_LIT("tunnel")) && t->nseg == 3)
		discover_tunnel(req, resp);
	else if (mcw_view_eq(t->seg[2], MCW_LIT("tables")) && t->nseg <= 4)
		odps_rest_tables(req, resp, t, t->nseg == 4 ? t->seg[3] : MCW_LIT(""));
	else if (mcw_view_eq(t->seg[2], MCW_LIT("schemas")) && t->nseg <= 4)
		schemas(req, resp, t);
	else if (mcw_view_eq(t->seg[2], MCW_LIT("instances")) && t->nseg <= 4)
		odps_instances(req, resp, t);
	else if (mcw_view_eq(t->seg[2], MCW_LIT("authorization")) && t->nseg == 3)
		authorization(req, resp);
	else
		odps_error(req, resp, 404, "NoSuchObject", "no such resource, or not offered by this emulator");
}
