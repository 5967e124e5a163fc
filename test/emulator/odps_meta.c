/*
 * odps_meta.c
 *		mc-emulator, MaxCompute part: REST calls on tables and partitions.
 *
 * Reference: maxcompute.md 2.3, 2.4.  Listings are paged by the position of the
 * next item in name order.
 */
#include "odps.h"

#include <stdlib.h>

#define MAX_BATCH 100

static void
table_summary(mcw_buf *b, const odps_table *t)
{
	odps_xml_text(b, "Name", mcw_str(t->name));
	odps_xml_text(b, "TableId", mcw_str(t->id));
	odps_xml_text(b, "Comment", mcw_str(t->comment));
	odps_xml_text(b, "Owner", MCW_LIT(ODPS_OWNER));
	odps_xml_text(b, "Project", mcw_str(t->project));
	odps_xml_text(b, "SchemaName", mcw_str(t->ns));
	odps_xml_time_element(b, "CreationTime", t->created);
	odps_xml_time_element(b, "LastModifiedTime", t->modified);
}

static void
table_document(mcw_buf *b, const odps_table *t, bool extended)
{
	mcw_buf		json;

	mcw_buf_init(&json, &mcw_malloc, (size_t) 64 << 20);
	odps_rest_schema(&json, t, extended);
	(void) mcw_buf_append_str(b, "<Table>");
	table_summary(b, t);
	(void) mcw_buf_append_str(b, "<Schema format=\"Json\">");
	(void) mcw_xml_escape(b, mcw_buf_view(&json));
	(void) mcw_buf_append_str(b, "</Schema>");
	odps_xml_time_element(b, "LastAccessTime", t->modified);
	(void) mcw_buf_append_str(b, "<TableLabel></TableLabel><CryptoAlgo></CryptoAlgo><TableMaskInfo></TableMaskInfo>"
							  "<Type>MANAGED_TABLE</Type></Table>");
	mcw_buf_free(&json);
}

static void
page_head(mcw_buf *b, const char *element, int64_t next, int max)
{
	(void) mcw_buf_printf(b, "<?xml version=\"1.0\"?>\n<%s>", element);
	if (next >= 0)
		(void) mcw_buf_printf(b, "<Marker>%lld</Marker>", (long long) next);
	else
		(void) mcw_buf_append_str(b, "<Marker></Marker>");
	(void) mcw_buf_printf(b, "<MaxItems>%d</MaxItems>", max);
}

/* ---- tables ---- */

static bool
listed(const emu_request *req, const odps_table *t)
{
	mcw_view	prefix = odps_param(req, "name");
	mcw_view	type = odps_param(req, "type");
	mcw_view	owner = odps_param(req, "owner");
	mcw_view	name = mcw_str(t->name);

	if (prefix.len > name.len || (prefix.len && strncasecmp(prefix.data, name.data, prefix.len) != 0))
		return false;
	if (type.len && !mcw_view_ieq(type, MCW_LIT("MANAGED_TABLE")))
		return false;
	return owner.len == 0 || mcw_view_eq(owner, MCW_LIT(ODPS_OWNER));
}

static void
list_tables(emu_request *req, emu_response *resp, odps_namespace *ns)
{
	mcw_buf    *b = &resp->body;
	mcw_view	marker;
	int			max = odps_page(req, &marker);
	mcw_buf		items;
	int64_t		at = 0;
	int			n = 0;

	if (marker.len > 0 && (!mcw_view_int64(marker, &at) || at < 0))
	{
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - marker");
		return;
	}
	mcw_buf_init(&items, &mcw_malloc, (size_t) 256 << 20);
	for (; at < ns->ntables && n < max; at++)
	{
		if (!listed(req, ns->tables[at]))
			continue;
		(void) mcw_buf_append_str(&items, "<Table>");
		table_summary(&items, ns->tables[at]);
		(void) mcw_buf_append_str(&items, "<TableLabel></TableLabel><Type>MANAGED_TABLE</Type></Table>");
		n++;
	}
	page_head(b, "Tables", at < ns->ntables ? at : -1, max);
	(void) mcw_buf_append_view(b, mcw_buf_view(&items));
	(void) mcw_buf_append_str(b, "</Tables>");
	mcw_buf_free(&items);
	odps_reply_xml(resp, 200);
}

/* POST /tables?query: full documents of up to 100 tables; missing ones are left out */
static void
batch_load(emu_request *req, emu_response *resp, odps_target *target)
{
	mcw_buf    *b = &resp->body;
	mcw_node   *root;
	int			n = 0;

	if (!odps_rest_body(req, resp, &root))
		return;
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\"?>\n<Tables>");
	for (const mcw_node *item = mcw_node_get(root, "Table"); item; item = mcw_node_next(item, "Table"))
	{
		mcw_view	schema = mcw_node_text(item, "Schema");
		mcw_view	project = mcw_node_text(item, "Project");
		odps_project *p = project.len ? odps_project_find(project) : target->project;
		odps_namespace *ns = p ? odps_namespace_find(p, schema.len ? schema : mcw_str(target->ns->name)) : NULL;
		odps_table *t = ns ? odps_table_find(ns, mcw_node_text(item, "Name")) : NULL;

		if (++n > MAX_BATCH)
		{
			odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - more than %d tables", MAX_BATCH);
			return;
		}
		if (t)
			table_document(b, t, false);
	}
	(void) mcw_buf_append_str(b, "</Tables>");
	odps_reply_xml(resp, 200);
}

/* ---- partitions ---- */

static void
partition_item(mcw_buf *b, const odps_table *t, const odps_partition *p, bool name_only)
{
	if (name_only)
	{
		mcw_buf		spec;

		mcw_buf_init(&spec, &mcw_malloc, 1 << 16);
		odps_spec_text(&spec, t->schema, p->values, '/');
		(void) mcw_buf_append_str(b, "<Partition>");
		odps_xml_text(b, "Name", mcw_buf_view(&spec));
		(void) mcw_buf_append_str(b, "</Partition>");
		mcw_buf_free(&spec);
		return;
	}
	(void) mcw_buf_append_str(b, "<Partition>");
	for (int i = 0; i < t->schema->nkeys; i++)
	{
		(void) mcw_buf_printf(b, "<Column Name=\"%s\" Value=\"", t->schema->keys[i].name);
		(void) mcw_xml_escape(b, mcw_str(p->values[i]));
		(void) mcw_buf_append_str(b, "\"/>");
	}
	(void) mcw_buf_printf(b, "<CreationTime>%lld</CreationTime><LastDDLTime>%lld</LastDDLTime>"
						  "<LastModifiedTime>%lld</LastModifiedTime><LastAccessTime>%lld</LastAccessTime>"
						  "<PartitionSize>%llu</PartitionSize><PartitionRecordCount>%llu</PartitionRecordCount></Partition>",
						  (long long) p->created, (long long) p->ddl, (long long) p->modified, (long long) p->modified,
						  (unsigned long long) p->content->bytes, (unsigned long long) p->content->nrecords);
}

/* Leading keys of a spec; false after answering */
static bool
parse_filter(emu_request *req, emu_response *resp, const odps_table *t, mcw_view *values)
{
	mcw_view	spec = odps_param(req, "partition");
	mcw_error	err = {0};

	if (odps_spec_parse(t->schema, spec.data ? spec : MCW_LIT(""), req->arena, values, &err))
		return true;
	odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - %s", err.message);
	return false;
}

static bool
fits(const odps_table *t, const odps_partition *p, const mcw_view *values)
{
	for (int i = 0; i < t->schema->nkeys; i++)
		if (values[i].data && !mcw_view_eq(values[i], mcw_str(p->values[i])))
			return false;
	return true;
}

static void
list_partitions(emu_request *req, emu_response *resp, const odps_table *t)
{
	mcw_buf    *b = &resp->body;
	mcw_view	values[ODPS_MAX_KEYS];
	bool		reverse = odps_param_true(req, "reverse");
	mcw_view	marker;
	int			max = odps_page(req, &marker);
	int64_t		at = 0;
	mcw_buf		items;
	int			n = 0;

	if (t->schema->nkeys == 0)
	{
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - table %s is not partitioned", t->name);
		return;
	}
	if (!parse_filter(req, resp, t, values))
		return;
	if (marker.len > 0 && (!mcw_view_int64(marker, &at) || at < 0))
	{
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - marker");
		return;
	}
	mcw_buf_init(&items, &mcw_malloc, (size_t) 256 << 20);
	for (; at < t->nparts && n < max; at++)
	{
		const odps_partition *p = t->parts[reverse ? t->nparts - 1 - at : at];

		if (!fits(t, p, values))
			continue;
		partition_item(&items, t, p, odps_has(req, "name"));
		n++;
	}
	page_head(b, "Partitions", at < t->nparts ? at : -1, max);
	(void) mcw_buf_append_view(b, mcw_buf_view(&items));
	(void) mcw_buf_append_str(b, "</Partitions>");
	mcw_buf_free(&items);
	odps_reply_xml(resp, 200);
}

static void
get_partition(emu_request *req, emu_response *resp, odps_table *t)
{
	mcw_buf    *b = &resp->body;
	mcw_view	values[ODPS_MAX_KEYS];
	odps_partition *p = NULL;
	bool		all = true;
	mcw_buf		json;

	if (!parse_filter(req, resp, t, values))
		return;
	for (int i = 0; i < t->schema->nkeys; i++)
		all = all && values[i].data;
	if (all && t->schema->nkeys > 0)
		p = odps_partition_find(t, values);
	if (!p)
	{
		odps_error(req, resp, all ? 404 : 400, all ? "NoSuchPartition" : "InvalidParameter",
				   all ? "ODPS-0110061:The specified partition does not exist" :
				   "ODPS-0420061:Invalid parameter - the partition spec does not name every level");
		return;
	}
	mcw_buf_init(&json, &mcw_malloc, 1 << 16);
	(void) mcw_buf_printf(&json, "{\"createTime\":%lld,\"lastDDLTime\":%lld,\"lastModifiedTime\":%lld,"
						  "\"lastAccessTime\":%lld,\"partitionSize\":%llu,\"partitionRecordNum\":%llu",
						  (long long) p->created, (long long) p->ddl, (long long) p->modified, (long long) p->modified,
						  (unsigned long long) p->content->bytes, (unsigned long long) p->content->nrecords);
	if (odps_has(req, "extended"))
		(void) mcw_buf_printf(&json, ",\"IsArchived\":false,\"IsExstore\":false,\"LifeCycle\":%lld,"
							  "\"PhysicalSize\":%llu,\"FileNum\":%d,\"Reserved\":\"{}\"", (long long) t->lifecycle,
							  (unsigned long long) p->content->bytes, p->content->nsegments);
	(void) mcw_buf_append_char(&json, '}');
	(void) mcw_buf_append_str(b, "<?xml version=\"1.0\"?>\n<Partition>");
	odps_xml_text(b, "Schema", mcw_buf_view(&json));
	(void) mcw_buf_append_str(b, "</Partition>");
	mcw_buf_free(&json);
	odps_reply_xml(resp, 200);
}

/* ?data&linenum=n[&partition=][&cols=] */
static void
head_of_table(emu_request *req, emu_response *resp, odps_table *t)
{
	mcw_view	values[ODPS_MAX_KEYS];
	mcw_error	err = {0};
	int64_t		n;

	if (!parse_filter(req, resp, t, values))
		return;
	if (!mcw_view_int64(odps_param(req, "linenum"), &n) || n < 0)
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - linenum");
	else if (!odps_head(t, values, n, odps_param(req, "cols"), req->arena, &resp->body, &err))
		odps_error(req, resp, 400, "InvalidParameter", "ODPS-0420061:Invalid parameter - %s", err.message);
	else
		odps_reply_text(resp, 200);
}

void
odps_rest_tables(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	bool		get = mcw_view_eq(req->http.method, MCW_LIT("GET")) || mcw_view_eq(req->http.method, MCW_LIT("HEAD"));
	odps_table *t;

	if (name.len == 0)
	{
		if (get)
			list_tables(req, resp, target->ns);
		else if (odps_has(req, "query"))
			batch_load(req, resp, target);
		else
			odps_error(req, resp, 405, "MethodNotAllowed", "tables are created by SQL");
		return;
	}
	t = odps_table_find(target->ns, name);
	if (!t)
	{
		odps_error(req, resp, 404, "NoSuchTable", "ODPS-0130131:Table not found - table %s.%.*s cannot be resolved",
				   target->project->name, (int) name.len, name.data);
		return;
	}
	if (!get)
		odps_error(req, resp, 405, "MethodNotAllowed", "tables are changed by SQL");
	else if (odps_has(req, "linenum"))
		head_of_table(req, resp, t);
	else if (odps_has(req, "partitions"))
		list_partitions(req, resp, t);
	else if (odps_has(req, "partition"))
		get_partition(req, resp, t);
	else
	{
		char		date[32];

		odps_xml_time(t->modified, date);
		emu_header_add(resp, "Last-Modified", "%s", date);
		(void) mcw_buf_append_str(&resp->body, "<?xml version=\"1.0\"?>\n");
		table_document(&resp->body, t, odps_has(req, "extended"));
		odps_reply_xml(resp, 200);
	}
}
