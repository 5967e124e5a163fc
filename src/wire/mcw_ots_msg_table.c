/*
 * mcw_ots_msg_table.c
 *		Messages about tables (tablestore.md 2.1, 2.3): list, describe, create, cut
 *		points.
 */
#include "mcw_ots_msg_private.h"

#define DEFAULT_DEVIATION 86400

mcw_status
mcw_ots_put_table_name(mcw_buf *out, mcw_view table)
{
	mcw_pb_put_bytes(out, 1, table);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_read_table_names(mcw_view body, mcw_arena *arena, mcw_view **names, int *nnames, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	const ots_member members[] = {{1, OTS_REPEATED, nnames}};
	size_t		pos = 0;
	void	   *array;
	mcw_status	status;

	*nnames = 0;
	status = ots_read_message(&src, "ListTableResponse", body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = ots_msg_array(arena, *nnames, sizeof(mcw_view), &array, err);
	if (status != MCW_OK)
		return status;
	*names = array;
	for (int i = 0; i < *nnames && ots_next_repeated(body, 1, &pos, &(*names)[i]); i++)
		continue;
	return MCW_OK;
}

/* ---- describe ---- */

static mcw_status
read_key_column(const ots_source *src, mcw_view message, mcw_ots_key_column *column)
{
	static const char name[] = "PrimaryKeySchema";
	int32_t		type = 0;
	int32_t		option = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &column->name, true},
		{2, OTS_INT32, &type, true},
		{3, OTS_INT32, &option},
	};
	mcw_status	status = ots_read_message(src, name, message, members, OTS_NMEMBERS(members));

	if (status != MCW_OK)
		return status;
	switch (type)
	{
		case 1:
			column->type = MCW_OTS_INTEGER;
			break;
		case 2:
			column->type = MCW_OTS_STRING;
			break;
		case 3:
			column->type = MCW_OTS_BINARY;
			break;
		default:
			return ots_msg_fail(src, MCW_ERR_UNSUPPORTED, message.data, name,
								"a key column has a type that is not known here");
	}
	if (option > 1)
		return ots_msg_fail(src, MCW_ERR_UNSUPPORTED, message.data, name,
							"a key column has an option that is not known here");
	column->auto_increment = option == 1;
	return MCW_OK;
}

/* The member 'number' of 'message', all of which are key columns */
static mcw_status
read_schema(const ots_source *src, mcw_view message, uint32_t number, mcw_ots_schema *schema)
{
	size_t		pos = 0;
	mcw_view	item;

	schema->nkeys = 0;
	while (ots_next_repeated(message, number, &pos, &item))
	{
		mcw_status	status;

		if (schema->nkeys == MCW_OTS_MAX_KEYS)
			return ots_msg_fail(src, MCW_ERR_UNSUPPORTED, item.data, "primary key", "it has more than four columns");
		memset(&schema->keys[schema->nkeys], 0, sizeof(mcw_ots_key_column));
		status = read_key_column(src, item, &schema->keys[schema->nkeys]);
		if (status != MCW_OK)
			return status;
		schema->nkeys++;
	}
	return MCW_OK;
}

static mcw_status
read_defined_column(const ots_source *src, mcw_view message, mcw_ots_defined_column *column)
{
	int32_t		type = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &column->name, true},
		{2, OTS_INT32, &type, true},
	};
	mcw_status	status = ots_read_message(src, "DefinedColumnSchema", message, members, OTS_NMEMBERS(members));

	switch (type)
	{
		case 1:
			column->type = MCW_OTS_INTEGER;
			break;
		case 2:
			column->type = MCW_OTS_DOUBLE;
			break;
		case 3:
			column->type = MCW_OTS_BOOLEAN;
			break;
		case 4:
			column->type = MCW_OTS_STRING;
			break;
		case 7:
			column->type = MCW_OTS_BINARY;
			break;
		default:
			column->type = MCW_OTS_NONE;
			break;
	}
	return status;
}

static mcw_status
read_meta(const ots_source *src, mcw_view message, mcw_arena *arena, mcw_ots_table *table)
{
	int			nkeys = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &table->name, true},
		{2, OTS_REPEATED, &nkeys, true},
		{3, OTS_REPEATED, &table->ndefined},
	};
	size_t		pos = 0;
	mcw_view	item;
	void	   *array;
	mcw_status	status;

	status = ots_read_message(src, "TableMeta", message, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = read_schema(src, message, 2, &table->schema);
	if (status == MCW_OK)
		status = ots_msg_array(arena, table->ndefined, sizeof(mcw_ots_defined_column), &array, src->err);
	if (status != MCW_OK)
		return status;
	table->defined = array;
	for (int i = 0; status == MCW_OK && ots_next_repeated(message, 3, &pos, &item); i++)
		status = read_defined_column(src, item, &table->defined[i]);
	return status;
}

mcw_status
mcw_ots_read_describe_table(mcw_view body, mcw_arena *arena, mcw_ots_table *table, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	mcw_view	meta = {NULL, 0};
	mcw_view	options = {NULL, 0};
	mcw_view	stream = {NULL, 0};
	int32_t		table_status = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &meta, true},
		{3, OTS_BYTES, &options, true},
		{4, OTS_INT32, &table_status},
		{5, OTS_BYTES, &stream},
	};
	const ots_member option_members[] = {
		{1, OTS_INT32, &table->time_to_live},
		{2, OTS_INT32, &table->max_versions},
		{5, OTS_INT64, &table->deviation},
		{6, OTS_BOOL, &table->allow_update},
	};
	const ots_member stream_members[] = {
		{1, OTS_BOOL, &table->stream_enabled, true},
		{2, OTS_BYTES, &table->stream_id},
		{3, OTS_INT32, &table->stream_expiration},
		{4, OTS_INT64, &table->stream_enabled_us},
	};
	mcw_status	status;

	memset(table, 0, sizeof(*table));
	table->time_to_live = -1;
	table->max_versions = 1;
	table->deviation = DEFAULT_DEVIATION;
	table->allow_update = true;
	status = ots_read_message(&src, "DescribeTableResponse", body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = read_meta(&src, meta, arena, table);
	if (status == MCW_OK)
		status = ots_read_message(&src, "TableOptions", options, option_members, OTS_NMEMBERS(option_members));
	if (status == MCW_OK && stream.data)
		status = ots_read_message(&src, "StreamDetails", stream, stream_members, OTS_NMEMBERS(stream_members));
	table->status = table_status;
	return status;
}

/* ---- create ---- */

static uint64_t
key_type_number(mcw_ots_type type)
{
	return type == MCW_OTS_INTEGER ? 1 : type == MCW_OTS_STRING ? 2 : type == MCW_OTS_BINARY ? 3 : 0;
}

static uint64_t
defined_type_number(mcw_ots_type type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return 1;
		case MCW_OTS_DOUBLE:
			return 2;
		case MCW_OTS_BOOLEAN:
			return 3;
		case MCW_OTS_STRING:
			return 4;
		case MCW_OTS_BINARY:
			return 7;
		default:
			return 0;
	}
}

static void
put_meta(mcw_buf *out, const mcw_ots_table *table)
{
	size_t		meta = mcw_pb_begin(out, 1);

	mcw_pb_put_bytes(out, 1, table->name);
	for (int i = 0; i < table->schema.nkeys; i++)
	{
		const mcw_ots_key_column *key = &table->schema.keys[i];
		size_t		mark = mcw_pb_begin(out, 2);

		mcw_pb_put_bytes(out, 1, key->name);
		mcw_pb_put_uint(out, 2, key_type_number(key->type));
		if (key->auto_increment)
			mcw_pb_put_uint(out, 3, 1);
		mcw_pb_end(out, mark);
	}
	for (int i = 0; i < table->ndefined; i++)
	{
		size_t		mark = mcw_pb_begin(out, 3);

		mcw_pb_put_bytes(out, 1, table->defined[i].name);
		mcw_pb_put_uint(out, 2, defined_type_number(table->defined[i].type));
		mcw_pb_end(out, mark);
	}
	mcw_pb_end(out, meta);
}

static bool
types_known(const mcw_ots_table *table)
{
	for (int i = 0; i < table->schema.nkeys; i++)
		if (key_type_number(table->schema.keys[i].type) == 0)
			return false;
	for (int i = 0; i < table->ndefined; i++)
		if (defined_type_number(table->defined[i].type) == 0)
			return false;
	return true;
}

mcw_status
mcw_ots_put_create_table(mcw_buf *out, const mcw_ots_table *table)
{
	size_t		mark;
	size_t		unit;

	if (table->schema.nkeys < 1 || table->schema.nkeys > MCW_OTS_MAX_KEYS || !types_known(table))
		return MCW_ERR_ARGUMENT;
	put_meta(out, table);

	/* reserved throughput is required; nothing is reserved */
	mark = mcw_pb_begin(out, 2);
	unit = mcw_pb_begin(out, 1);
	mcw_pb_put_uint(out, 1, 0);
	mcw_pb_put_uint(out, 2, 0);
	mcw_pb_end(out, unit);
	mcw_pb_end(out, mark);

	mark = mcw_pb_begin(out, 3);
	mcw_pb_put_uint(out, 1, (uint64_t) (int64_t) table->time_to_live);
	mcw_pb_put_uint(out, 2, (uint64_t) (int64_t) table->max_versions);
	if (table->deviation > 0)
		mcw_pb_put_uint(out, 5, (uint64_t) table->deviation);
	if (!table->allow_update)
		mcw_pb_put_uint(out, 6, 0);
	mcw_pb_end(out, mark);

	if (table->stream_enabled)
	{
		mark = mcw_pb_begin(out, 5);
		mcw_pb_put_uint(out, 1, 1);
		mcw_pb_put_uint(out, 2, (uint64_t) (int64_t) table->stream_expiration);
		mcw_pb_end(out, mark);
	}
	return mcw_buf_status(out);
}

/* ---- cut points ---- */

mcw_status
mcw_ots_put_compute_splits(mcw_buf *out, mcw_view table, int64_t size, int64_t unit)
{
	mcw_pb_put_bytes(out, 1, table);
	mcw_pb_put_uint(out, 2, (uint64_t) size);
	mcw_pb_put_uint(out, 3, (uint64_t) unit);
	return mcw_buf_status(out);
}

static bool
same_schema(const mcw_ots_schema *a, const mcw_ots_schema *b)
{
	if (a->nkeys != b->nkeys)
		return false;
	for (int i = 0; i < a->nkeys; i++)
		if (!mcw_view_eq(a->keys[i].name, b->keys[i].name) || a->keys[i].type != b->keys[i].type)
			return false;
	return true;
}

mcw_status
mcw_ots_read_compute_splits(mcw_view body, mcw_arena *arena, const mcw_ots_schema *schema,
							mcw_ots_key **points, int *npoints, mcw_error *err)
{
	static const char name[] = "ComputeSplitPointsBySizeResponse";
	const ots_source src = ots_source_of(body, err);
	mcw_ots_schema told;
	int			nkeys = 0;
	const ots_member members[] = {
		{2, OTS_REPEATED, &nkeys},
		{3, OTS_REPEATED, npoints},
	};
	size_t		pos = 0;
	mcw_view	item;
	void	   *array;
	mcw_status	status;

	*npoints = 0;
	status = ots_read_message(&src, name, body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = read_schema(&src, body, 2, &told);
	if (status == MCW_OK && nkeys > 0 && !same_schema(&told, schema))
		status = ots_msg_fail(&src, MCW_ERR_PROTOCOL, body.data, name, "the primary key is another than the table's");
	if (status == MCW_OK)
		status = ots_msg_array(arena, *npoints, sizeof(mcw_ots_key), &array, err);
	if (status != MCW_OK)
		return status;
	*points = array;
	for (int i = 0; ots_next_repeated(body, 3, &pos, &item); i++)
	{
		mcw_ots_key *point = &(*points)[i];

		status = mcw_ots_read_key(item, schema, point, err);
		if (status != MCW_OK)
		{
			if (err)
				err->offset += (uint64_t) (item.data - body.data);
			return status;
		}
		while (point->n < schema->nkeys)
			point->v[point->n++] = mcw_ots_none(MCW_OTS_INF_MIN);
		if (i > 0 && mcw_ots_key_cmp(point - 1, point) >= 0)
			return ots_msg_fail(&src, MCW_ERR_PROTOCOL, item.data, name, "the points are not in order");
	}
	return MCW_OK;
}
