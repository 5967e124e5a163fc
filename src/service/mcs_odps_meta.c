/*
 * mcs_odps_meta.c
 *		Tables and partitions over REST (maxcompute.md 2.3, 2.4).
 *
 * Everything is copied into the caller's arena; the XML and JSON trees live in an
 * arena of their own for the length of one page.
 */
#include "mcs_odps.h"

#include <limits.h>

#define PAGE_SIZE 1000			/* partitions and tables a page */
#define MAX_TABLES 1000000

/* arena of a document: the tree is a multiple of the text */
static void
doc_arena_init(mcw_arena *arena, mcs_odps *odps)
{
	mcw_arena_init(arena, odps->alloc, (size_t) MCS_ODPS_MAX_DOCUMENT * 16);
}

static mcw_status
copy_text(mcw_arena *arena, mcw_view from, mcw_view *to, mcw_error *err)
{
	mcw_status	status;

	to->data = "";
	to->len = 0;
	if (from.len == 0)
		return MCW_OK;
	status = mcw_arena_copy(arena, from, to);
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "metadata is too large");
}

static bool
node_bool(const mcw_node *node, const char *name, bool absent)
{
	const mcw_node *child = mcw_node_get(node, name);

	if (!child)
		return absent;
	if (child->kind == MCW_NODE_BOOL)
		return child->boolean;
	if (child->kind == MCW_NODE_STRING)
		return mcw_view_ieq(child->text, MCW_LIT("true"));
	return absent;
}

static int64_t
node_int(const mcw_node *node, const char *name, int64_t absent)
{
	int64_t		value;

	return mcw_node_int(node, name, &value) ? value : absent;
}

static mcw_status
parse_column(const mcw_node *node, mcw_arena *arena, mcs_odps_column *column, mcw_error *err)
{
	mcw_view	name = mcw_node_text(node, "name");
	mcw_view	type = mcw_node_text(node, "type");
	mcw_odps_type *parsed;
	mcw_error	ignored;

	if (name.len == 0 || type.len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a column without name or type in the schema");
	if (copy_text(arena, name, &column->name, err) != MCW_OK ||
		copy_text(arena, type, &column->type_text, err) != MCW_OK ||
		copy_text(arena, mcw_node_text(node, "comment"), &column->comment, err) != MCW_OK)
		return err ? err->status : MCW_ERR_NOMEM;
	column->type = mcw_odps_type_parse(column->type_text, arena, &parsed, &ignored) == MCW_OK ? parsed : NULL;

	/* table metadata says isNullable, a tunnel session nullable */
	column->nullable = node_bool(node, "isNullable", node_bool(node, "nullable", true));
	column->has_default = node_bool(node, "hasDefaultValue", false);
	return MCW_OK;
}

static mcw_status
parse_columns(const mcw_node *list, mcw_arena *arena, mcs_odps_column **columns, int *ncolumns, mcw_error *err)
{
	int			n = list && list->kind == MCW_NODE_ARRAY ? list->nchildren : 0;
	int			i = 0;

	*ncolumns = 0;
	*columns = NULL;
	if (n > MCW_ODPS_MAX_COLUMNS * 4)
		return mcw_fail(err, MCW_ERR_LIMIT, "a schema of %d columns is too large", n);
	if (n == 0)
		return MCW_OK;
	*columns = mcw_arena_new(arena, (size_t) n * sizeof(mcs_odps_column));
	if (!*columns)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (const mcw_node *node = list->first; node; node = node->next)
	{
		mcw_status	status = parse_column(node, arena, &(*columns)[i++], err);

		if (status != MCW_OK)
			return status;
	}
	*ncolumns = n;
	return MCW_OK;
}

mcw_status
mcs_odps_parse_schema(const mcw_node *node, mcw_arena *arena, mcs_odps_table *table, mcw_error *err)
{
	mcw_status	status;

	status = parse_columns(mcw_node_get(node, "columns"), arena, &table->columns, &table->ncolumns, err);
	if (status == MCW_OK)
		status = parse_columns(mcw_node_get(node, "partitionKeys"), arena, &table->keys, &table->nkeys, err);
	table->is_view = node_bool(node, "isVirtualView", node_bool(node, "IsVirtualView", false));
	table->is_external = node_bool(node, "isExternal", false);
	table->size = node_int(node, "size", -1);
	table->record_num = node_int(node, "recordNum", -1);
	table->last_ddl = node_int(node, "lastDDLTime", 0);
	table->last_modified = node_int(node, "lastModifiedTime", 0);
	return status;
}

/* <Table> with the schema as JSON text inside */
mcw_status
mcs_odps_parse_table(mcw_view body, mcw_view name, mcw_arena *doc, mcw_arena *arena,
					 mcs_odps_table *table, mcw_error *err)
{
	mcw_node   *root;
	mcw_node   *schema;
	mcw_view	text;
	mcw_status	status;

	status = mcw_xml_parse(body, doc, &root, err);
	if (status != MCW_OK)
		return status;
	text = mcw_node_text(root, "Schema");
	if (text.len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the table's answer has no schema");
	status = mcw_json_parse(text, doc, &schema, err);
	if (status != MCW_OK)
		return status;
	status = mcs_odps_parse_schema(schema, arena, table, err);
	if (status != MCW_OK)
		return status;
	if (mcw_view_ieq(mcw_node_text(root, "Type"), MCW_LIT("VIRTUAL_VIEW")))
		table->is_view = true;
	status = copy_text(arena, name, &table->name, err);
	if (status == MCW_OK)
		status = copy_text(arena, mcw_node_text(schema, "comment"), &table->comment, err);
	return status;
}

mcw_status
mcs_odps_get_table(mcs_odps *odps, mcw_view name, mcw_arena *arena, mcs_odps_table **table, mcw_error *err)
{
	mcs_odps_call call;
	mcw_arena	doc;
	mcw_status	status;

	*table = mcw_arena_new(arena, sizeof(mcs_odps_table));
	if (!*table)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	doc_arena_init(&doc, odps);
	mcs_odps_call_init(&call, odps, MCS_ODPS_REST, "GET", MCS_ODPS_MAX_DOCUMENT);
	mcs_odps_call_table(&call, name);
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK)
		status = mcs_odps_parse_table(mcw_buf_view(&call.req.response), name, &doc, arena, *table, err);
	mcs_odps_call_free(&call);
	mcw_arena_reset(&doc);
	return status;
}

static mcw_status
parse_part_state(mcw_view body, mcw_arena *doc, mcs_odps_part_state *state, mcw_error *err)
{
	mcw_node   *root;
	mcw_node   *schema;
	mcw_status	status = mcw_xml_parse(body, doc, &root, err);

	if (status == MCW_OK)
		status = mcw_json_parse(mcw_node_text(root, "Schema"), doc, &schema, err);
	if (status != MCW_OK)
		return status;
	state->exists = true;
	state->last_modified = node_int(schema, "lastModifiedTime", 0);
	state->record_num = node_int(schema, "partitionRecordNum", -1);
	return MCW_OK;
}

mcw_status
mcs_odps_get_part_state(mcs_odps *odps, mcw_view table, mcw_view quoted, mcs_odps_part_state *state, mcw_error *err)
{
	mcs_odps_call call;
	mcw_arena	doc;
	mcw_status	status;

	memset(state, 0, sizeof(*state));
	state->record_num = -1;
	doc_arena_init(&doc, odps);
	if (quoted.len == 0)
	{
		mcs_odps_table *found;

		status = mcs_odps_get_table(odps, table, &doc, &found, err);
		if (status == MCW_OK)
		{
			state->exists = true;
			state->last_modified = found->last_modified;
			state->record_num = found->record_num;
		}
	}
	else
	{
		mcs_odps_call_init(&call, odps, MCS_ODPS_REST, "GET", MCS_ODPS_MAX_DOCUMENT);
		mcs_odps_call_table(&call, table);
		mcs_odps_call_param(&call, "partition", quoted);
		status = mcs_odps_call_run(&call, err);
		if (status == MCW_OK)
			status = parse_part_state(mcw_buf_view(&call.req.response), &doc, state, err);
		mcs_odps_call_free(&call);
	}
	mcw_arena_reset(&doc);
	if (status == MCW_ERR_SERVICE && err->http_status == 404)
		return MCW_OK;
	return status;
}

static int
find_by_name(const mcs_odps_column *columns, int ncolumns, mcw_view name)
{
	for (int i = 0; i < ncolumns; i++)
		if (mcw_view_ieq(columns[i].name, name))
			return i;
	return -1;
}

int
mcs_odps_find_column(const mcs_odps_table *table, mcw_view name)
{
	return find_by_name(table->columns, table->ncolumns, name);
}

int
mcs_odps_find_key(const mcs_odps_table *table, mcw_view name)
{
	return find_by_name(table->keys, table->nkeys, name);
}

/* ---- paged lists ---- */

/* Items of all pages, grown by doubling inside the caller's arena */
typedef struct item_list
{
	mcw_arena  *arena;
	size_t		item_size;
	char	   *items;
	int			nitems;
	int			room;
	int			max;
} item_list;

static void *
list_add(item_list *list, mcw_error *err)
{
	if (list->nitems == list->room)
	{
		int			room = list->room ? list->room * 2 : 64;
		char	   *items;

		if (list->nitems >= list->max)
		{
			(void) mcw_fail(err, MCW_ERR_LIMIT, "more than %d entries in a list", list->max);
			return NULL;
		}
		items = mcw_arena_new(list->arena, (size_t) room * list->item_size);
		if (!items)
		{
			(void) mcw_fail(err, MCW_ERR_NOMEM, "the list is too large");
			return NULL;
		}
		if (list->nitems > 0)
			memcpy(items, list->items, (size_t) list->nitems * list->item_size);
		list->items = items;
		list->room = room;
	}
	return list->items + (size_t) list->nitems++ * list->item_size;
}

/* What differs between the lists */
typedef struct list_kind
{
	void		(*target) (mcs_odps_call *call, const void *arg);
	const char *element;
	mcw_status	(*item) (const mcw_node *node, const void *arg, item_list *list, mcw_error *err);
	const void *arg;
} list_kind;

/* *marker is that of this page, then that of the next one, in memory of 'markers'; empty at the end */
static mcw_status
parse_page(mcw_view body, const list_kind *kind, mcw_arena *doc, mcw_arena *markers, mcw_view *marker,
		   item_list *list, mcw_error *err)
{
	mcw_node   *root;
	mcw_view	next;
	mcw_status	status = mcw_xml_parse(body, doc, &root, err);

	if (status != MCW_OK)
		return status;
	for (const mcw_node *node = mcw_node_get(root, kind->element); node; node = mcw_node_next(node, kind->element))
		if ((status = kind->item(node, kind->arg, list, err)) != MCW_OK)
			return status;
	next = mcw_node_text(root, "Marker");
	if (next.len > 0 && mcw_view_eq(next, *marker))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service repeats a page of a list");
	return copy_text(markers, next, marker, err);
}

static mcw_status
read_page(mcs_odps *odps, const list_kind *kind, mcw_arena *markers, mcw_view *marker,
		  item_list *list, mcw_error *err)
{
	mcs_odps_call call;
	mcw_arena	doc;
	mcw_status	status;

	doc_arena_init(&doc, odps);
	mcs_odps_call_init(&call, odps, MCS_ODPS_REST, "GET", MCS_ODPS_MAX_DOCUMENT);
	kind->target(&call, kind->arg);
	mcs_odps_call_param(&call, "expectmarker", MCW_LIT("true"));
	mcs_odps_call_paramf(&call, "maxitems", "%d", PAGE_SIZE);
	if (marker->len > 0)
		mcs_odps_call_param(&call, "marker", *marker);
	status = mcs_odps_call_run(&call, err);
	if (status == MCW_OK)
		status = parse_page(mcw_buf_view(&call.req.response), kind, &doc, markers, marker, list, err);
	mcs_odps_call_free(&call);
	mcw_arena_reset(&doc);
	return status;
}

static mcw_status
read_list(mcs_odps *odps, const list_kind *kind, item_list *list, mcw_error *err)
{
	mcw_arena	markers;
	mcw_view	marker = {"", 0};
	mcw_status	status;

	mcw_arena_init(&markers, odps->alloc, MCS_ODPS_MAX_DOCUMENT);
	do
		status = read_page(odps, kind, &markers, &marker, list, err);
	while (status == MCW_OK && marker.len > 0);
	mcw_arena_reset(&markers);
	return status;
}

static void
tables_target(mcs_odps_call *call, const void *arg)
{
	mcs_odps_call_path(call, "/tables");
	if (call->odps->schema.len > 0)
		mcs_odps_call_param(call, "curr_schema", call->odps->schema);
}

static mcw_status
tables_item(const mcw_node *node, const void *arg, item_list *list, mcw_error *err)
{
	mcs_odps_name *name = list_add(list, err);
	mcw_status	status;

	if (!name)
		return err->status;
	status = copy_text(list->arena, mcw_node_text(node, "Name"), &name->name, err);
	if (status == MCW_OK)
		status = copy_text(list->arena, mcw_node_text(node, "Comment"), &name->comment, err);
	name->is_view = mcw_view_ieq(mcw_node_text(node, "Type"), MCW_LIT("VIRTUAL_VIEW"));
	if (status == MCW_OK && name->name.len == 0)
		status = mcw_fail(err, MCW_ERR_PROTOCOL, "a table without a name in the list of tables");
	return status;
}

mcw_status
mcs_odps_list_tables(mcs_odps *odps, mcw_arena *arena, mcs_odps_name **names, int *nnames, mcw_error *err)
{
	list_kind	kind = {tables_target, "Table", tables_item, NULL};
	item_list	list = {arena, sizeof(mcs_odps_name), NULL, 0, 0, MAX_TABLES};
	mcw_error	local;
	mcw_status	status = read_list(odps, &kind, &list, err ? err : &local);

	*names = (mcs_odps_name *) list.items;
	*nnames = list.nitems;
	return status;
}

static void
partitions_target(mcs_odps_call *call, const void *arg)
{
	const mcs_odps_table *table = arg;

	mcs_odps_call_table(call, table->name);
	mcs_odps_call_flag(call, "partitions");
}

static mcw_status
partitions_item(const mcw_node *node, const void *arg, item_list *list, mcw_error *err)
{
	const mcs_odps_table *table = arg;
	mcs_odps_partition *partition = list_add(list, err);
	int			found = 0;

	if (!partition)
		return err->status;
	partition->values = mcw_arena_new(list->arena, (size_t) (table->nkeys + 1) * sizeof(mcw_view));
	if (!partition->values)
		return mcw_fail(err, MCW_ERR_NOMEM, "the list of partitions is too large");
	for (const mcw_node *column = mcw_node_get(node, "Column"); column; column = mcw_node_next(column, "Column"))
	{
		int			key = mcs_odps_find_key(table, mcw_node_text(column, "@Name"));

		if (key < 0 || partition->values[key].data)
			return mcw_fail(err, MCW_ERR_PROTOCOL, "a partition does not fit the partition keys of the table");
		if (copy_text(list->arena, mcw_node_text(column, "@Value"), &partition->values[key], err) != MCW_OK)
			return err->status;
		found++;
	}
	if (found != table->nkeys)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a partition has %d values for %d partition keys", found, table->nkeys);
	partition->size = node_int(node, "PartitionSize", -1);
	partition->record_num = node_int(node, "PartitionRecordCount", -1);
	partition->last_modified = node_int(node, "LastModifiedTime", 0);
	return MCW_OK;
}

mcw_status
mcs_odps_parse_partitions(mcw_view body, const mcs_odps_table *table, mcw_arena *doc, mcw_arena *arena,
						  mcs_odps_partitions *partitions, mcw_view *marker, mcw_error *err)
{
	list_kind	kind = {partitions_target, "Partition", partitions_item, table};
	item_list	list = {arena, sizeof(mcs_odps_partition), NULL, 0, 0, MCS_ODPS_MAX_PARTITIONS};
	mcw_status	status = parse_page(body, &kind, doc, arena, marker, &list, err);

	partitions->items = (mcs_odps_partition *) list.items;
	partitions->nitems = list.nitems;
	return status;
}

mcw_status
mcs_odps_list_partitions(mcs_odps *odps, const mcs_odps_table *table, mcw_arena *arena,
						 mcs_odps_partitions *partitions, mcw_error *err)
{
	list_kind	kind = {partitions_target, "Partition", partitions_item, table};
	item_list	list = {arena, sizeof(mcs_odps_partition), NULL, 0, 0, MCS_ODPS_MAX_PARTITIONS};
	mcw_error	local;
	mcw_status	status = read_list(odps, &kind, &list, err ? err : &local);

	partitions->items = (mcs_odps_partition *) list.items;
	partitions->nitems = list.nitems;
	return status;
}

mcw_status
mcs_odps_partition_spec(const mcs_odps_table *table, const mcw_view *values, bool quoted, mcw_buf *out)
{
	for (int i = 0; i < table->nkeys; i++)
	{
		if (i > 0)
			(void) mcw_buf_append_char(out, ',');
		(void) mcw_buf_append_view(out, table->keys[i].name);
		(void) mcw_buf_append_char(out, '=');
		if (!quoted)
		{
			(void) mcw_buf_append_view(out, values[i]);
			continue;
		}
		(void) mcw_buf_append_char(out, '\'');
		for (size_t j = 0; j < values[i].len; j++)
		{
			if (values[i].data[j] == '\'' || values[i].data[j] == '\\')
				(void) mcw_buf_append_char(out, '\\');
			(void) mcw_buf_append_char(out, values[i].data[j]);
		}
		(void) mcw_buf_append_char(out, '\'');
	}
	return out->failed ? MCW_ERR_LIMIT : MCW_OK;
}
