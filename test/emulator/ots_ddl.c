/*
 * ots_ddl.c
 *		mc-emulator, Tablestore part: CreateTable, ListTable, DescribeTable, UpdateTable,
 *		DeleteTable, defined columns.  tablestore.md 2.1, 4.1, 4.2.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MAX_TABLES 64
#define MAX_DEFINED 32
#define MIN_TTL 86400
#define MAX_PARTITIONS 10		/* a table is made with */
#define MAX_PARTITION_BYTES 64

typedef struct table_options
{
	bool		given;
	bool		has_ttl;
	int32_t		ttl;
	bool		has_versions;
	int32_t		max_versions;
	bool		has_deviation;
	int64_t		deviation;
	bool		has_allow_update;
	bool		allow_update;
	bool		has_full_row;
	bool		full_row;
} table_options;

typedef struct stream_request
{
	bool		given;
	bool		enable;
	bool		has_hours;
	int32_t		hours;
	mcw_view	columns[64];
	int			ncolumns;
} stream_request;

/* ---- members ---- */

static bool
parse_options(mcw_view message, table_options *o, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	*o = (table_options) {.given = true};
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
	{
		if (m.wire != MCW_PB_VARINT)
			continue;
		if (m.number == 1)
		{
			o->has_ttl = true;
			o->ttl = (int32_t) m.number_value;
		}
		else if (m.number == 2)
		{
			o->has_versions = true;
			o->max_versions = (int32_t) m.number_value;
		}
		else if (m.number == 5)
		{
			o->has_deviation = true;
			o->deviation = (int64_t) m.number_value;
		}
		else if (m.number == 6)
		{
			o->has_allow_update = true;
			o->allow_update = m.number_value != 0;
		}
		else if (m.number == 7)
		{
			o->has_full_row = true;
			o->full_row = m.number_value != 0;
		}
	}
	return st == MCW_END || ots_bad_message(why);
}

static bool
check_options(const table_options *o, ots_fault *why)
{
	if (o->has_ttl && (o->ttl == 0 || o->ttl < -1))
		return ots_invalid(why, "TimeToLive cannot be 0 or less than -1.");
	if (o->has_ttl && o->ttl > 0 && o->ttl < MIN_TTL)
		return ots_invalid(why, "TimeToLive must be -1 or not less than %d.", MIN_TTL);
	if (o->has_versions && o->max_versions <= 0)
		return ots_invalid(why, "The maximum versions cannot be less than or equal to 0.");
	return !o->has_deviation || o->deviation > 0 ||
		ots_invalid(why, "The max deviation of cell version cannot be less than or equal to 0.");
}

static void
set_options(ots_table *table, const table_options *o)
{
	if (o->has_ttl)
		table->ttl = o->ttl;
	if (o->has_versions)
		table->max_versions = o->max_versions;
	if (o->has_deviation)
		table->deviation = o->deviation;
	if (o->has_allow_update)
		table->allow_update = o->allow_update;
	if (o->has_full_row)
		table->update_full_row = o->full_row;
	table->version++;
}

static bool
parse_stream(mcw_view message, stream_request *s, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	*s = (stream_request) {.given = true};
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
			s->enable = m.number_value != 0;
		else if (m.number == 2 && m.wire == MCW_PB_VARINT)
		{
			s->has_hours = true;
			s->hours = (int32_t) m.number_value;
		}
		else if (m.number == 3 && m.wire == MCW_PB_BYTES)
		{
			if (s->ncolumns == 64)
				return ots_invalid(why, "The number of columns from the request exceeds the limit, limit count: 64, column count: 65.");
			s->columns[s->ncolumns++] = m.bytes;
		}
	if (st != MCW_END)
		return ots_bad_message(why);
	if (!s->enable)
		return !s->has_hours || ots_invalid(why, "Expiration time can not be set when stream is disabled.");
	if (!s->has_hours)
		return ots_invalid(why, "Expiration time must be set when stream is enabled.");
	return (s->hours >= 1 && s->hours <= 168) || ots_invalid(why, "Stream expiration time must be in range: [1, 168].");
}

/* ReservedThroughput: both numbers count only if they are there */
static bool
parse_throughput(mcw_view message, int32_t *read, int32_t *write, ots_fault *why)
{
	mcw_pb_field m;
	mcw_pb_field u;
	mcw_status	st;
	size_t		pos = 0;
	bool		seen = false;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
		{
			size_t		inner = 0;

			seen = true;
			while ((st = mcw_pb_next(m.bytes, &inner, &u)) == MCW_OK)
				if (u.wire == MCW_PB_VARINT && u.number <= 2)
					*(u.number == 1 ? read : write) = (int32_t) u.number_value;
			if (st != MCW_END)
				break;
		}
	if (st != MCW_END || !seen)
		return ots_bad_message(why);
	return (*read >= 0 && *write >= 0 && *read <= 100000 && *write <= 100000) ||
		ots_invalid(why, "The capacity unit must be in range: [0, 100000].");
}

static bool
parse_key_column(ots_table *table, mcw_view message, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};
	int			type = 0;
	int			option = 0;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			name = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_VARINT)
			type = (int) m.number_value;
		else if (m.number == 3 && m.wire == MCW_PB_VARINT)
			option = (int) m.number_value;
	if (st != MCW_END || !name.data || type < 1 || type > 3)
		return ots_bad_message(why);
	if (!ots_name_ok(name, true))
		return ots_invalid(why, "Invalid column name: '%.*s'.", (int) (name.len < 600 ? name.len : 600), name.data);
	if (table->schema.nkeys == MCW_OTS_MAX_KEYS)
		return ots_invalid(why, "The number of primary key columns must be in range: [1, 4].");
	for (int i = 0; i < table->schema.nkeys; i++)
		if (mcw_view_eq(table->schema.keys[i].name, name))
			return ots_invalid(why, "Duplicated primary key name: '%.*s'.", (int) name.len, name.data);
	ots_schema_add(table, name, type == 1 ? MCW_OTS_INTEGER : type == 2 ? MCW_OTS_STRING : MCW_OTS_BINARY, option == 1);
	return true;
}

/* Adds a DefinedColumnSchema */
static bool
parse_defined(ots_table *table, mcw_view message, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};
	int			type = 0;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			name = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_VARINT)
			type = (int) m.number_value;
	if (st != MCW_END || !name.data || !((type >= 1 && type <= 4) || type == 7))
		return ots_bad_message(why);
	if (!ots_name_ok(name, true))
		return ots_invalid(why, "Invalid column name: '%.*s'.", (int) (name.len < 600 ? name.len : 600), name.data);
	if (table->ndefined == MAX_DEFINED)
		return ots_invalid(why, "The number of defined columns must be in range: [0, %d].", MAX_DEFINED);
	for (int i = 0; i < table->schema.nkeys; i++)
		if (mcw_view_eq(table->schema.keys[i].name, name))
			return ots_invalid(why, "Duplicated attribute column name with primary key column: %.*s.", (int) name.len, name.data);
	for (int i = 0; i < table->ndefined; i++)
		if (mcw_view_eq(mcw_str(table->defined[i].name), name))
			return ots_invalid(why, "Duplicated defined column name: '%.*s'.", (int) name.len, name.data);
	table->defined = emu_realloc(table->defined, (table->ndefined + 1) * sizeof(ots_defined));
	table->defined[table->ndefined++] = (ots_defined) {emu_strdup(name), type};
	return true;
}

/* ---- CreateTable ---- */

static bool
check_auto_increment(const ots_table *table, ots_fault *why)
{
	int			n = 0;

	for (int i = 0; i < table->schema.nkeys; i++)
	{
		if (!table->schema.keys[i].auto_increment)
			continue;
		if (i == 0)
			return ots_invalid(why, "First primary key can't be auto increment, table: %s.", table->name);
		if (table->schema.keys[i].type != MCW_OTS_INTEGER)
			return ots_invalid(why, "AUTO_INCREMENT primary key must be integer.");
		if (++n > 1)
			return ots_invalid(why, "AUTO_INCREMENT primary key count must <= 1.");
	}
	return true;
}

/* TableMeta; the table is in no list yet */
static bool
parse_meta(ots_call *call, mcw_view message, ots_table **table)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			name = m.bytes;
	if (st != MCW_END || !name.data)
		return ots_bad_message(&call->fault);
	if (!ots_name_ok(name, false))
		return ots_invalid(&call->fault, "Invalid table name: '%.*s'.", (int) (name.len < 300 ? name.len : 300), name.data);
	*table = ots_table_new(call->inst, name);
	for (int number = 2; number <= 3; number++)
		for (pos = 0; mcw_pb_next(message, &pos, &m) == MCW_OK;)
			if ((int) m.number == number && m.wire == MCW_PB_BYTES &&
				!(number == 2 ? parse_key_column : parse_defined) (*table, m.bytes, &call->fault))
				return false;
	if ((*table)->schema.nkeys == 0)
		return ots_invalid(&call->fault, "The number of primary key columns must be in range: [1, 4].");
	return check_auto_increment(*table, &call->fault);
}

typedef struct create_request
{
	ots_table  *table;
	table_options options;
	stream_request stream;
	bool		has_throughput;
	mcw_view	meta;
} create_request;

static bool
parse_create(ots_call *call, create_request *r)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	int32_t		read = 0;
	int32_t		write = 0;
	bool		local_txn = false;
	bool		indexes = false;

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
	{
		bool		bytes = m.wire == MCW_PB_BYTES;

		if (m.number == 1 && bytes)
			r->meta = m.bytes;
		else if (m.number == 2 && bytes)
		{
			r->has_throughput = true;
			if (!parse_throughput(m.bytes, &read, &write, &call->fault))
				return false;
		}
		else if (m.number == 3 && bytes && !parse_options(m.bytes, &r->options, &call->fault))
			return false;
		else if (m.number == 5 && bytes && !parse_stream(m.bytes, &r->stream, &call->fault))
			return false;
		else if (m.number == 7)
			indexes = true;
		else if (m.number == 8)
			local_txn = m.number_value != 0;
	}
	if (st != MCW_END || !r->meta.data || !r->has_throughput)
		return ots_bad_message(&call->fault);
	if (!parse_meta(call, r->meta, &r->table))
		return false;
	if (indexes)
		return ots_invalid(&call->fault, "Unsupported operation: CreateTable with index_metas.");
	if (!r->options.has_ttl)
		return ots_invalid(&call->fault, "Time-to-live is missing while creating table.");
	if (!r->options.has_versions)
		return ots_invalid(&call->fault, "MaxVersions is missing while creating table.");
	if (!check_options(&r->options, &call->fault))
		return false;
	r->table->reserved_read = read;
	r->table->reserved_write = write;
	r->table->local_txn = local_txn;
	return true;
}

static bool
check_partition_value(const ots_table *table, const mcw_ots_value *at, ots_fault *why)
{
	if (at->type != table->schema.keys[0].type)
		return ots_invalid(why, "The value type of partition does not match with primary key.");
	if (at->type == MCW_OTS_INTEGER)
		return (at->i != INT64_MIN && at->i != INT64_MAX) ||
			ots_invalid(why, "The value of partition range can not be INT64_MIN or INT64_MAX.");
	if (at->s.len == 0)
		return ots_invalid(why, "The value of partition range can not be empty %s.", at->type == MCW_OTS_STRING ? "string" : "binary");
	return at->s.len <= MAX_PARTITION_BYTES ||
		ots_invalid(why, "The value of partition range exceeds the MaxLength:%d with CurrentLength:%zu.", MAX_PARTITION_BYTES, at->s.len);
}

/* PartitionRange members cut the table from the start: bare variants of the first key column */
static bool
add_partitions(ots_call *call, ots_table *table)
{
	mcw_pb_field m;
	mcw_pb_field v;
	size_t		pos = 0;
	int			ranges = 0;
	mcw_error	err = {0};

	while (mcw_pb_next(call->body, &pos, &m) == MCW_OK)
	{
		size_t		inner = 0;

		if (m.number != 4 || m.wire != MCW_PB_BYTES)
			continue;
		if (++ranges > MAX_PARTITIONS)
			return ots_invalid(&call->fault, "The count of partitions cannot be greater than %d", MAX_PARTITIONS);
		while (mcw_pb_next(m.bytes, &inner, &v) == MCW_OK)
		{
			mcw_ots_value at;
			mcw_buf		sort;
			int			index;

			if (v.number != 1 || v.wire != MCW_PB_BYTES)
				continue;
			if (mcw_ots_read_variant(v.bytes, &at, &err) != MCW_OK)
				return ots_invalid(&call->fault, "data format is invalid, unknown variant type occured.");
			if (at.type == MCW_OTS_INF_MIN)
				continue;
			if (!check_partition_value(table, &at, &call->fault))
				return false;
			mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
			ots_sort_key(&sort, &at, 1);
			index = (int) (ots_table_partition(table, mcw_buf_view(&sort)) - table->parts);
			mcw_buf_free(&sort);
			if (!ots_partition_split(table, index, &at, call->req->now_us))
				return ots_invalid(&call->fault, "Invalid partition range of table: %s.", table->name);
		}
	}
	return true;
}

void
ots_create_table(ots_call *call)
{
	create_request r = {0};
	ots_table  *table;
	int64_t		now = call->req->now_us;

	if (!parse_create(call, &r))
	{
		if (r.table)
			ots_table_free(r.table);
		return;
	}
	table = r.table;
	ots_partition_reset(table, now);
	if (!add_partitions(call, table))
		;
	else if (ots_table_find(call->inst, mcw_str(table->name)))
		(void) ots_fault_set(&call->fault, 409, "OTSObjectAlreadyExist", "Requested table already exists.");
	else if (call->inst->ntables >= MAX_TABLES)
		(void) ots_fault_set(&call->fault, 403, "OTSQuotaExhausted", "Number of tables exceeds the quota:%d.", MAX_TABLES);
	else
	{
		set_options(table, &r.options);
		table->created_us = now;
		table->increased_s = now / 1000000;
		table->ready_us = now + ots_set.create_ms * 1000;
		ots_table_add(table);
		if (r.stream.given && r.stream.enable)
			ots_stream_on(table, r.stream.hours, r.stream.columns, r.stream.ncolumns, now);
		return;
	}
	ots_table_free(table);
}

/* ---- answers about tables ---- */

static void
put_options(mcw_buf *out, uint32_t number, const ots_table *table)
{
	size_t		mark = mcw_pb_begin(out, number);

	mcw_pb_put_uint(out, 1, (uint64_t) (int64_t) table->ttl);
	mcw_pb_put_uint(out, 2, (uint64_t) table->max_versions);
	mcw_pb_put_uint(out, 5, (uint64_t) table->deviation);
	mcw_pb_put_uint(out, 6, table->allow_update);
	if (table->update_full_row)
		mcw_pb_put_uint(out, 7, 1);
	mcw_pb_end(out, mark);
}

static void
put_throughput(mcw_buf *out, uint32_t number, const ots_table *table)
{
	size_t		mark = mcw_pb_begin(out, number);
	size_t		inner = mcw_pb_begin(out, 1);

	mcw_pb_put_uint(out, 1, (uint64_t) table->reserved_read);
	mcw_pb_put_uint(out, 2, (uint64_t) table->reserved_write);
	mcw_pb_end(out, inner);
	mcw_pb_put_uint(out, 2, (uint64_t) table->increased_s);
	if (table->decreased_s)
		mcw_pb_put_uint(out, 3, (uint64_t) table->decreased_s);
	mcw_pb_end(out, mark);
}

static void
put_stream(mcw_buf *out, uint32_t number, const ots_table *table)
{
	const ots_stream_spec *s = &table->stream;
	size_t		mark = mcw_pb_begin(out, number);

	mcw_pb_put_uint(out, 1, s->on);
	if (s->on)
	{
		mcw_pb_put_bytes(out, 2, mcw_str(s->id));
		mcw_pb_put_uint(out, 3, (uint64_t) s->hours);
		mcw_pb_put_uint(out, 4, (uint64_t) s->enabled_us);
		for (int i = 0; i < s->ncolumns; i++)
			mcw_pb_put_bytes(out, 5, mcw_str(s->columns[i]));
	}
	mcw_pb_end(out, mark);
}

static void
put_meta(mcw_buf *out, const ots_table *table)
{
	size_t		mark = mcw_pb_begin(out, 1);
	size_t		inner;

	mcw_pb_put_bytes(out, 1, mcw_str(table->name));
	for (int i = 0; i < table->schema.nkeys; i++)
	{
		const mcw_ots_key_column *k = &table->schema.keys[i];

		inner = mcw_pb_begin(out, 2);
		mcw_pb_put_bytes(out, 1, k->name);
		mcw_pb_put_uint(out, 2, k->type == MCW_OTS_INTEGER ? 1 : k->type == MCW_OTS_STRING ? 2 : 3);
		if (k->auto_increment)
			mcw_pb_put_uint(out, 3, 1);
		mcw_pb_end(out, inner);
	}
	for (int i = 0; i < table->ndefined; i++)
	{
		inner = mcw_pb_begin(out, 3);
		mcw_pb_put_bytes(out, 1, mcw_str(table->defined[i].name));
		mcw_pb_put_uint(out, 2, (uint64_t) table->defined[i].type);
		mcw_pb_end(out, inner);
	}
	mcw_pb_end(out, mark);
}

void
ots_list_table(ots_call *call)
{
	for (int i = 0; i < call->inst->ntables; i++)
		mcw_pb_put_bytes(call->out, 1, mcw_str(call->inst->tables[i]->name));
}

/* The table of a request whose member 1 is its name; need_ready never, it may be described while it is made */
static ots_table *
named_table(ots_call *call)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			name = m.bytes;
	if (st != MCW_END || !name.data)
	{
		(void) ots_bad_message(&call->fault);
		return NULL;
	}
	return ots_call_table(call->inst, name, false, call->req->now_us, &call->fault);
}

void
ots_describe_table(ots_call *call)
{
	ots_table  *table = named_table(call);
	mcw_buf		key;

	if (table == NULL)
		return;
	put_meta(call->out, table);
	put_throughput(call->out, 2, table);
	put_options(call->out, 3, table);
	mcw_pb_put_uint(call->out, 4, call->req->now_us < table->ready_us ? 3 : 1);	/* LOADING, ACTIVE */
	put_stream(call->out, 5, table);
	mcw_buf_init(&key, &mcw_malloc, 1 << 16);
	for (int i = 1; i < table->nparts; i++)
	{
		mcw_buf_reset(&key);
		ots_plain_primary_key(&key, table, &table->parts[i].begin_value, 1);
		mcw_pb_put_bytes(call->out, 6, mcw_buf_view(&key));
	}
	mcw_buf_free(&key);
	mcw_pb_put_uint(call->out, 9, (uint64_t) table->created_us);
}

void
ots_delete_table(ots_call *call)
{
	ots_table  *table = named_table(call);

	if (table)
		ots_table_drop(table);
}

/* LoadTable, UnloadTable: the service does this by itself; accepted for an existing table */
void
ots_load_table(ots_call *call)
{
	(void) named_table(call);
}

/* ---- UpdateTable ---- */

static bool
check_stream_change(const ots_table *table, const stream_request *s, ots_fault *why)
{
	if (!s->given)
		return true;
	if (s->enable && table->stream.on)
		return ots_invalid(why, "The stream of table: %s has been enabled.", table->name);
	return s->enable || table->stream.on || ots_invalid(why, "The stream of table: %s has been disabled.", table->name);
}

void
ots_update_table(ots_call *call)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	ots_table  *table = named_table(call);
	table_options options = {0};
	stream_request stream = {0};
	bool		throughput = false;
	int32_t		read;
	int32_t		write;

	if (table == NULL)
		return;
	read = table->reserved_read;
	write = table->reserved_write;
	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
	{
		if (m.wire != MCW_PB_BYTES)
			continue;
		if (m.number == 2)
		{
			throughput = true;
			if (!parse_throughput(m.bytes, &read, &write, &call->fault))
				return;
		}
		else if (m.number == 3 && !parse_options(m.bytes, &options, &call->fault))
			return;
		else if (m.number == 4 && !parse_stream(m.bytes, &stream, &call->fault))
			return;
	}
	if (!throughput && !options.given && !stream.given)
	{
		(void) ots_invalid(&call->fault, "No parameter is specified in UpdateTable.");
		return;
	}
	if (options.given && !options.has_ttl && !options.has_versions && !options.has_deviation &&
		!options.has_allow_update && !options.has_full_row)
	{
		(void) ots_invalid(&call->fault, "No parameter is specified in table options.");
		return;
	}
	if (!check_options(&options, &call->fault) || !check_stream_change(table, &stream, &call->fault))
		return;
	set_options(table, &options);
	if (read > table->reserved_read || write > table->reserved_write)
		table->increased_s = call->req->now_us / 1000000;
	if (read < table->reserved_read || write < table->reserved_write)
		table->decreased_s = call->req->now_us / 1000000;
	table->reserved_read = read;
	table->reserved_write = write;
	if (stream.given && stream.enable)
		ots_stream_on(table, stream.hours, stream.columns, stream.ncolumns, call->req->now_us);
	else if (stream.given)
		ots_stream_off(table);
	put_throughput(call->out, 1, table);
	put_options(call->out, 2, table);
	put_stream(call->out, 3, table);
}

/* ---- defined columns ---- */

void
ots_add_defined_column(ots_call *call)
{
	ots_table  *table = named_table(call);
	mcw_pb_field m;
	size_t		pos = 0;
	int			before;

	if (table == NULL)
		return;
	before = table->ndefined;
	while (mcw_pb_next(call->body, &pos, &m) == MCW_OK)
		if (m.number == 2 && m.wire == MCW_PB_BYTES && !parse_defined(table, m.bytes, &call->fault))
		{
			while (table->ndefined > before)
				free(table->defined[--table->ndefined].name);
			return;
		}
}

static int
find_defined(const ots_table *table, mcw_view name)
{
	for (int i = 0; i < table->ndefined; i++)
		if (mcw_view_eq(mcw_str(table->defined[i].name), name))
			return i;
	return -1;
}

void
ots_delete_defined_column(ots_call *call)
{
	ots_table  *table = named_table(call);
	mcw_pb_field m;

	if (table == NULL)
		return;
	for (int round = 0; round < 2; round++)
	{
		size_t		pos = 0;

		while (mcw_pb_next(call->body, &pos, &m) == MCW_OK)
		{
			int			at;

			if (m.number != 2 || m.wire != MCW_PB_BYTES)
				continue;
			at = find_defined(table, m.bytes);
			if (round == 0 && at < 0)
			{
				(void) ots_invalid(&call->fault, "Defined column: '%.*s' does not exist.", (int) (m.bytes.len < 300 ? m.bytes.len : 300), m.bytes.data);
				return;
			}
			if (round == 0 || at < 0)
				continue;
			free(table->defined[at].name);
			memmove(table->defined + at, table->defined + at + 1, (table->ndefined - at - 1) * sizeof(ots_defined));
			table->ndefined--;
		}
	}
}
