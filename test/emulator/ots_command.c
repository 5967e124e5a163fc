/*
 * ots_command.c
 *		mc-emulator, Tablestore part: control and seed commands, and the state document.
 *
 * A table is named by "table" and, unless it is demo, "instance".  docs/emulator.md
 * lists the commands; those of streams are tried after the ones here.
 */
#include <stdlib.h>

#include "ots_private.h"

static bool
bad(mcw_error *err, const char *what, mcw_view name)
{
	mcw_fail(err, MCW_ERR_ARGUMENT, "%s: %.*s", what, (int) (name.len < 300 ? name.len : 300), name.data ? name.data : "");
	return false;
}

static bool
flag(const mcw_node *cmd, const char *name)
{
	const mcw_node *n = mcw_node_get(cmd, name);

	return n && n->kind == MCW_NODE_BOOL && n->boolean;
}

static int64_t
number(const mcw_node *cmd, const char *name, int64_t missing)
{
	int64_t		n;

	return mcw_node_int(cmd, name, &n) ? n : missing;
}

static bool
command_instance(const mcw_node *cmd, ots_instance **inst, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "instance");

	*inst = ots_instance_find(name.len ? name : MCW_LIT("demo"));
	return *inst || bad(err, "no such instance", name);
}

bool
ots_command_table(const mcw_node *cmd, ots_table **table, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "table");
	ots_instance *inst;

	if (!command_instance(cmd, &inst, err))
		return false;
	*table = ots_table_find(inst, name);
	return *table || bad(err, "no such table", name);
}

/* ---- values in JSON ---- */

/*
 * true, "text", 12, 1.5 as BOOLEAN, STRING, INTEGER, DOUBLE; {"bytes": hex},
 * {"double": 2}, {"int": 3} where JSON has no such type.
 */
bool
ots_json_value(const mcw_node *n, mcw_arena *arena, mcw_ots_value *v, mcw_error *err)
{
	mcw_buf		raw;
	const mcw_node *inner = n->kind == MCW_NODE_OBJECT ? n->first : NULL;
	mcw_view	copy;

	if (n->kind == MCW_NODE_BOOL)
	{
		*v = mcw_ots_none(MCW_OTS_BOOLEAN);
		v->b = n->boolean;
		return true;
	}
	if (n->kind == MCW_NODE_STRING)
	{
		*v = mcw_ots_bytes(MCW_OTS_STRING, n->text);
		return true;
	}
	if (inner && mcw_view_eq(inner->name, MCW_LIT("bytes")) && inner->kind == MCW_NODE_STRING)
	{
		bool		ok;

		mcw_buf_init(&raw, &mcw_malloc, (size_t) 1 << 28);
		ok = mcw_hex_decode(&raw, inner->text) == MCW_OK && mcw_arena_copy(arena, mcw_buf_view(&raw), &copy) == MCW_OK;
		mcw_buf_free(&raw);
		if (ok)
			*v = mcw_ots_bytes(MCW_OTS_BINARY, copy);
		return ok || bad(err, "not hexadecimal", inner->text);
	}
	if (inner)
		n = inner;
	if (n->kind == MCW_NODE_NUMBER || (inner && n->kind == MCW_NODE_STRING))
	{
		bool		is_double = inner ? mcw_view_eq(inner->name, MCW_LIT("double")) :
			memchr(n->text.data, '.', n->text.len) || memchr(n->text.data, 'e', n->text.len) || memchr(n->text.data, 'E', n->text.len);
		char		text[400];

		if (!is_double)
		{
			*v = mcw_ots_none(MCW_OTS_INTEGER);
			return mcw_view_int64(n->text, &v->i) || bad(err, "not an integer", n->text);
		}
		snprintf(text, sizeof(text), "%.*s", (int) n->text.len, n->text.data);
		*v = mcw_ots_none(MCW_OTS_DOUBLE);
		v->d = strtod(text, NULL);
		return true;
	}
	return bad(err, "not a value of Tablestore", n->text);
}

static void
put_value(mcw_buf *out, const mcw_ots_value *v)
{
	char		text[40];

	switch (v->type)
	{
		case MCW_OTS_INTEGER:
			mcw_buf_printf(out, "%lld", (long long) v->i);
			break;
		case MCW_OTS_BOOLEAN:
			mcw_buf_append_str(out, v->b ? "true" : "false");
			break;
		case MCW_OTS_STRING:
			mcw_json_quote(out, v->s);
			break;
		case MCW_OTS_DOUBLE:
			snprintf(text, sizeof(text), "%.17g", v->d);
			mcw_buf_printf(out, "{\"double\":\"%s\"}", text);
			break;
		case MCW_OTS_BINARY:
			mcw_buf_append_str(out, "{\"bytes\":\"");
			mcw_hex_encode(out, v->s, false);
			mcw_buf_append_str(out, "\"}");
			break;
		default:
			mcw_buf_append_str(out, "null");
	}
}

/* ---- tables ---- */

static bool
add_key(ots_table *table, const mcw_node *n, mcw_error *err)
{
	mcw_view	name = n->kind == MCW_NODE_OBJECT ? mcw_node_text(n, "name") : n->text;
	mcw_view	type = mcw_node_text(n, "type");
	mcw_ots_type t = mcw_view_ieq(type, MCW_LIT("INTEGER")) ? MCW_OTS_INTEGER :
		mcw_view_ieq(type, MCW_LIT("STRING")) ? MCW_OTS_STRING :
		mcw_view_ieq(type, MCW_LIT("BINARY")) ? MCW_OTS_BINARY : MCW_OTS_NONE;

	if (t == MCW_OTS_NONE || name.len == 0 || table->schema.nkeys == MCW_OTS_MAX_KEYS)
		return bad(err, "a key is {\"name\", \"type\": INTEGER, STRING or BINARY}, one to four", name);
	ots_schema_add(table, name, t, flag(n, "auto_increment"));
	return true;
}

static bool
add_defined(ots_table *table, const mcw_node *n, mcw_error *err)
{
	static const char *const names[] = {"INTEGER", "DOUBLE", "BOOLEAN", "STRING", "", "", "BINARY"};
	mcw_view	type = mcw_node_text(n, "type");

	for (int i = 0; i < 7; i++)
		if (type.len > 0 && mcw_view_ieq(type, mcw_str(names[i])))
		{
			table->defined = emu_realloc(table->defined, (table->ndefined + 1) * sizeof(ots_defined));
			table->defined[table->ndefined++] = (ots_defined) {emu_strdup(mcw_node_text(n, "name")), i + 1};
			return true;
		}
	return bad(err, "a defined column is {\"name\", \"type\"}", type);
}

static bool
split_at(ots_table *table, const mcw_ots_value *at, mcw_error *err)
{
	mcw_buf		sort;
	int			index;

	if (at->type != table->schema.keys[0].type)
		return bad(err, "not a value of the first key column of", mcw_str(table->name));
	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, at, 1);
	index = (int) (ots_table_partition(table, mcw_buf_view(&sort)) - table->parts);
	mcw_buf_free(&sort);
	return ots_partition_split(table, index, at, emu_now_us()) || bad(err, "a partition begins there already in table", mcw_str(table->name));
}

static bool
split_all(ots_table *table, const mcw_node *points, mcw_error *err)
{
	mcw_arena	arena;
	mcw_ots_value v;
	bool		ok = true;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 24);
	for (const mcw_node *n = points ? points->first : NULL; n && ok; n = n->next)
		ok = ots_json_value(n, &arena, &v, err) && split_at(table, &v, err);
	mcw_arena_reset(&arena);
	return ok;
}

static bool
fill_table(ots_table *table, const mcw_node *cmd, mcw_error *err)
{
	const mcw_node *keys = mcw_node_get(cmd, "keys");
	const mcw_node *defined = mcw_node_get(cmd, "defined");
	const mcw_node *allow = mcw_node_get(cmd, "allow_update");

	for (const mcw_node *n = keys ? keys->first : NULL; n; n = n->next)
		if (!add_key(table, n, err))
			return false;
	if (table->schema.nkeys == 0)
		return bad(err, "member \"keys\" is missing for table", mcw_str(table->name));
	for (const mcw_node *n = defined ? defined->first : NULL; n; n = n->next)
		if (!add_defined(table, n, err))
			return false;
	table->ttl = (int32_t) number(cmd, "ttl", -1);
	table->max_versions = (int32_t) number(cmd, "max_versions", 1);
	table->deviation = number(cmd, "deviation", 86400);
	table->allow_update = allow == NULL || allow->boolean;
	table->local_txn = flag(cmd, "local_txn");
	table->reserved_read = (int32_t) number(cmd, "reserved_read", 0);
	table->reserved_write = (int32_t) number(cmd, "reserved_write", 0);
	table->created_us = emu_now_us();
	table->increased_s = table->created_us / 1000000;
	table->ready_us = table->created_us + ots_set.create_ms * 1000;
	ots_partition_reset(table, table->created_us);
	return split_all(table, mcw_node_get(cmd, "splits"), err);
}

static bool
create_table(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "table");
	mcw_view	inst_name = mcw_node_text(cmd, "instance");
	ots_instance *inst = ots_instance_create(inst_name.len ? inst_name : MCW_LIT("demo"));
	ots_table  *old;
	ots_table  *table;
	int64_t		hours = number(cmd, "stream_hours", 0);
	mcw_view	columns[64];
	int			ncolumns = 0;
	const mcw_node *list = mcw_node_get(cmd, "stream_columns");

	if (!ots_name_ok(name, false))
		return bad(err, "not a table name", name);
	old = ots_table_find(inst, name);
	if (old && !flag(cmd, "replace"))
		return bad(err, "the table exists", name);
	table = ots_table_new(inst, name);
	if (!fill_table(table, cmd, err))
	{
		ots_table_free(table);
		return false;
	}
	if (old)
		ots_table_drop(old);
	ots_table_add(table);
	for (const mcw_node *n = list ? list->first : NULL; n && ncolumns < 64; n = n->next)
		columns[ncolumns++] = n->text;
	if (hours > 0)
		ots_stream_on(table, (int32_t) hours, columns, ncolumns, table->created_us);
	return true;
}

static bool
drop_table(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;

	if (!ots_command_table(cmd, &table, err))
		return false;
	ots_table_drop(table);
	return true;
}

static bool
create_instance(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "instance");

	if (name.len == 0)
		return bad(err, "member \"instance\" is missing", name);
	(void) ots_instance_create(name);
	return true;
}

/* ---- rows ---- */

/* A column's member: a value, or an array of {"value", "ts"} or {"delete": true[, "ts"]} or {"increment": n} */
static bool
add_cells(const mcw_node *n, mcw_arena *arena, ots_change_row *row, mcw_error *err)
{
	const mcw_node *one = n->kind == MCW_NODE_ARRAY ? n->first : n;

	for (; one; one = n->kind == MCW_NODE_ARRAY ? one->next : NULL)
	{
		ots_change_cell *c = &row->cells[row->ncells++];
		const mcw_node *value = one;

		*c = (ots_change_cell) {.name = n->name, .value = {.type = MCW_OTS_NONE}, .timestamp = MCW_OTS_NO_TIMESTAMP};
		if (n->kind == MCW_NODE_ARRAY)
		{
			c->timestamp = number(one, "ts", MCW_OTS_NO_TIMESTAMP);
			value = mcw_node_get(one, "value");
			if (flag(one, "delete"))
			{
				c->has_op = true;
				c->op = c->timestamp == MCW_OTS_NO_TIMESTAMP ? MCW_OTS_DELETE_ALL : MCW_OTS_DELETE_ONE;
				continue;
			}
			if (mcw_node_get(one, "increment"))
			{
				c->has_op = true;
				c->op = MCW_OTS_INCREMENT;
				value = mcw_node_get(one, "increment");
			}
		}
		if (value == NULL || !ots_json_value(value, arena, &c->value, err))
			return value != NULL ? false : bad(err, "a cell has no value", n->name);
	}
	return true;
}

static bool
json_row(const ots_table *table, const mcw_node *n, mcw_arena *arena, ots_write *w, mcw_error *err)
{
	const mcw_node *key = mcw_node_get(n, "key");
	const mcw_node *columns = mcw_node_get(n, "columns");
	mcw_view	op = mcw_node_text(n, "do");
	int			cells = 0;
	int			i = 0;

	*w = (ots_write) {.kind = mcw_view_eq(op, MCW_LIT("update")) ? 2 : mcw_view_eq(op, MCW_LIT("delete")) ? 3 : 1};
	w->row.delete_marker = w->kind == 3;
	for (const mcw_node *c = columns ? columns->first : NULL; c; c = c->next)
		cells += c->kind == MCW_NODE_ARRAY ? c->nchildren : 1;
	w->row.keys = mcw_arena_new(arena, MCW_OTS_MAX_KEYS * sizeof(ots_change_cell));
	w->row.cells = mcw_arena_new(arena, (cells + 1) * sizeof(ots_change_cell));
	if (!w->row.keys || !w->row.cells)
		emu_oom();
	for (const mcw_node *k = key ? key->first : NULL; k && i < table->schema.nkeys; k = k->next, i++)
	{
		ots_change_cell *c = &w->row.keys[w->row.nkeys++];

		*c = (ots_change_cell) {.name = table->schema.keys[i].name, .timestamp = MCW_OTS_NO_TIMESTAMP};
		if (k->kind == MCW_NODE_NULL && table->schema.keys[i].auto_increment)
			c->value = mcw_ots_none(MCW_OTS_AUTO_INCREMENT);
		else if (!ots_json_value(k, arena, &c->value, err))
			return false;
	}
	for (const mcw_node *c = columns ? columns->first : NULL; c; c = c->next)
		if (!add_cells(c, arena, &w->row, err))
			return false;
	return true;
}

bool
ots_command_write(ots_table *table, ots_write *w, mcw_arena *arena, mcw_error *err)
{
	emu_request req = {.now_us = emu_now_us(), .arena = arena};
	ots_call	call = {.req = &req, .commit_us = req.now_us};
	ots_fault	why = {0};
	mcw_buf		returned;
	int32_t		units[2];
	bool		ok;

	mcw_buf_init(&returned, &mcw_malloc, 1 << 20);
	ok = ots_check_values(&w->row, &why) && ots_check_cells(&w->row, w->kind, &why) &&
		ots_write_bind(w, table, arena, &why) && ots_write_run(&call, w, &returned, &units[0], &units[1], &why);
	mcw_buf_free(&returned);
	if (!ok)
		mcw_fail(err, MCW_ERR_SERVICE, "%s: %.400s", why.code, why.message);
	return ok;
}

static bool
put_rows(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	const mcw_node *rows = mcw_node_get(cmd, "rows");
	ots_table  *table;
	mcw_arena	arena;
	bool		ok;

	if (!ots_command_table(cmd, &table, err))
		return false;
	if (rows == NULL || rows->kind != MCW_NODE_ARRAY)
		return bad(err, "member \"rows\" is missing", mcw_str(table->name));
	mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 30);
	ok = true;
	for (const mcw_node *n = rows->first; n && ok; n = n->next)
	{
		ots_write	w;

		ok = json_row(table, n, &arena, &w, err) && ots_command_write(table, &w, &arena, err);
		mcw_arena_reset(&arena);
	}
	return ok;
}

static void
dump_row(mcw_buf *out, const ots_table *table, const ots_row *row, bool stamps)
{
	ots_walk	walk;
	ots_cell	cell;
	mcw_view	last = {NULL, 0};
	ots_cell   *cells;
	int			n;

	mcw_buf_append_str(out, "{\"key\":[");
	walk = ots_walk_keys(row);
	for (int i = 0; ots_walk_next(&walk, &cell); i++)
	{
		if (i)
			mcw_buf_append_char(out, ',');
		put_value(out, &cell.value);
	}
	mcw_buf_append_str(out, "],\"columns\":{");
	cells = ots_cells_room(row->ncells);
	n = ots_visible(table, row, emu_now_us(), cells);
	for (int i = 0; i < n; i++)
	{
		bool		same = last.data && mcw_view_eq(last, cells[i].name);

		if (!stamps && same)
			continue;
		if (!same)
		{
			mcw_buf_append_str(out, last.data == NULL ? "" : stamps ? "]," : ",");
			mcw_json_quote(out, cells[i].name);
			mcw_buf_append_str(out, stamps ? ":[" : ":");
		}
		else
			mcw_buf_append_char(out, ',');
		last = cells[i].name;
		if (stamps)
			mcw_buf_append_str(out, "{\"value\":");
		put_value(out, &cells[i].value);
		if (stamps)
			mcw_buf_printf(out, ",\"ts\":%lld}", (long long) cells[i].timestamp);
	}
	mcw_buf_append_str(out, last.data && stamps ? "]}}" : "}}");
}

static bool
dump(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;
	int64_t		limit = number(cmd, "limit", INT64_MAX);
	ots_cursor	c = {0, 0};
	ots_row    *row;
	int64_t		n = 0;

	if (!ots_command_table(cmd, &table, err))
		return false;
	mcw_buf_append_str(reply, "{\"rows\":[");
	for (; n < limit && (row = ots_store_at(&table->rows, c)) != NULL; ots_store_next(&table->rows, &c))
		if (ots_row_alive(table, row, emu_now_us()))
		{
			mcw_buf_append_str(reply, n++ ? ",\n" : "");
			dump_row(reply, table, row, flag(cmd, "timestamps"));
		}
	mcw_buf_printf(reply, "],\"count\":%lld}", (long long) n);
	return true;
}

/* FNV-1a of what dump says of each row, summed: independent of order */
static bool
checksum(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;
	ots_cursor	c = {0, 0};
	ots_row    *row;
	uint64_t	sum = 0;
	uint64_t	count = 0;
	mcw_buf		text;

	if (!ots_command_table(cmd, &table, err))
		return false;
	mcw_buf_init(&text, &mcw_malloc, (size_t) 1 << 30);
	for (; (row = ots_store_at(&table->rows, c)) != NULL; ots_store_next(&table->rows, &c))
	{
		uint64_t	h = UINT64_C(1469598103934665603);

		if (!ots_row_alive(table, row, emu_now_us()))
			continue;
		mcw_buf_reset(&text);
		dump_row(&text, table, row, flag(cmd, "timestamps"));
		for (size_t i = 0; i < text.len; i++)
			h = (h ^ (uint8_t) text.data[i]) * UINT64_C(1099511628211);
		sum += h;
		count++;
	}
	mcw_buf_free(&text);
	mcw_buf_printf(reply, "{\"count\":%llu,\"sum\":\"%016llx\"}", (unsigned long long) count, (unsigned long long) sum);
	return true;
}

/* ---- partitions, settings, counters ---- */

static bool
split_partition(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;
	const mcw_node *at = mcw_node_get(cmd, "at");
	mcw_arena	arena;
	mcw_ots_value v;
	bool		ok;

	if (!ots_command_table(cmd, &table, err))
		return false;
	if (at == NULL)
		return bad(err, "member \"at\" is missing", mcw_str(table->name));
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	ok = ots_json_value(at, &arena, &v, err) && split_at(table, &v, err);
	mcw_arena_reset(&arena);
	return ok;
}

static bool
merge_partitions(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;

	if (!ots_command_table(cmd, &table, err))
		return false;
	return ots_partition_merge(table, (int) number(cmd, "index", 0), emu_now_us()) ||
		bad(err, "there is no such partition with another one behind it in table", mcw_str(table->name));
}

static bool
table_ready(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;

	if (!ots_command_table(cmd, &table, err))
		return false;
	table->ready_us = emu_now_us() + number(cmd, "in_ms", 0) * 1000;
	return true;
}

static bool
set_options(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	static const struct
	{
		const char *name;
		int64_t    *value;
		int64_t		scale;
		int64_t		min;
	}			numbers[] = {
		{"page_rows", &ots_set.page_rows, 1, 1},
		{"page_bytes", &ots_set.page_bytes, 1, 1},
		{"max_body", &ots_set.max_body, 1, 1},
		{"batch_bytes", &ots_set.batch_bytes, 1, 1},
		{"split_unit", &ots_set.split_unit, 1, 1},
		{"split_mib", &ots_set.split_mib, 1, 1},
		{"create_ms", &ots_set.create_ms, 1, 0},
		{"cache_mb", &ots_set.cache_bytes, 1 << 20, 0}
	};

	for (const mcw_node *m = cmd->first; m; m = m->next)
	{
		int64_t		n = 0;
		bool		is_number = m->kind == MCW_NODE_NUMBER && mcw_view_int64(m->text, &n);
		bool		known = mcw_view_eq(m->name, MCW_LIT("op")) || mcw_view_eq(m->name, MCW_LIT("service"));

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !known; i++)
			if (is_number && n >= numbers[i].min && n < (int64_t) 1 << 40 && mcw_view_eq(m->name, mcw_str(numbers[i].name)))
			{
				*numbers[i].value = n * numbers[i].scale;
				known = true;
			}
		if (m->kind == MCW_NODE_BOOL && !known)
		{
			known = true;
			if (mcw_view_eq(m->name, MCW_LIT("compress")))
				ots_set.compress = m->boolean;
			else if (mcw_view_eq(m->name, MCW_LIT("split_prefix")))
				ots_set.split_prefix = m->boolean;
			else if (mcw_view_eq(m->name, MCW_LIT("capacity")))
				ots_set.capacity = m->boolean;
			else
				known = false;
		}
		if (!known)
			return bad(err, "unknown option or bad value", m->name);
	}
	ots_page_forget();
	return true;
}

static bool
capacity(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *table;

	if (!ots_command_table(cmd, &table, err))
		return false;
	mcw_buf_printf(reply, "{\"read\":%llu,\"write\":%llu}", (unsigned long long) table->used.read, (unsigned long long) table->used.write);
	if (flag(cmd, "reset"))
		table->used.read = table->used.write = 0;
	return true;
}

bool
ots_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	static const struct
	{
		const char *name;
		bool		(*run) (const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
	}			commands[] = {
		{"create_instance", create_instance},
		{"create_table", create_table},
		{"drop_table", drop_table},
		{"put", put_rows},
		{"dump", dump},
		{"checksum", checksum},
		{"generate", ots_generate},
		{"split_partition", split_partition},
		{"merge_partitions", merge_partitions},
		{"table_ready", table_ready},
		{"capacity", capacity},
		{"set", set_options}
	};
	mcw_view	op = mcw_node_text(cmd, "op");
	bool		known = false;
	bool		ok;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (op.data && mcw_view_eq(op, mcw_str(commands[i].name)))
			return commands[i].run(cmd, reply, err);
	if (ots_stream_command)
	{
		known = true;
		ok = ots_stream_command(cmd, reply, err, &known);
		if (known)
			return ok;
	}
	return bad(err, "service tablestore knows no such op", op);
}

void
ots_state(mcw_buf *reply)
{
	mcw_buf_append_str(reply, "{\"instances\":[");
	for (ots_instance *i = ots_instances; i; i = i->next)
	{
		mcw_buf_append_str(reply, "{\"instance\":");
		mcw_json_quote(reply, mcw_str(i->name));
		mcw_buf_append_str(reply, ",\"tables\":[");
		for (int t = 0; t < i->ntables; t++)
		{
			const ots_table *table = i->tables[t];

			mcw_buf_append_str(reply, t ? ",{\"table\":" : "{\"table\":");
			mcw_json_quote(reply, mcw_str(table->name));
			mcw_buf_printf(reply, ",\"rows\":%llu,\"bytes\":%llu,\"version\":%llu,\"read_units\":%llu,\"write_units\":%llu,\"partitions\":[",
						   (unsigned long long) table->rows.nrows, (unsigned long long) table->rows.bytes, (unsigned long long) table->version,
						   (unsigned long long) table->used.read, (unsigned long long) table->used.write);
			for (int p = 0; p < table->nparts; p++)
			{
				mcw_buf_printf(reply, "%s{\"id\":%llu,\"epoch\":%d,\"begin\":", p ? "," : "",
							   (unsigned long long) table->parts[p].id, table->parts[p].epoch);
				put_value(reply, &table->parts[p].begin_value);
				mcw_buf_append_char(reply, '}');
			}
			mcw_buf_append_str(reply, "],\"stream_id\":");
			mcw_json_quote(reply, mcw_str(table->stream.id));
			mcw_buf_append_char(reply, '}');
		}
		mcw_buf_append_str(reply, i->next ? "]}," : "]}");
	}
	mcw_buf_append_char(reply, ']');
	if (ots_stream_state)
		ots_stream_state(reply);
	mcw_buf_append_char(reply, '}');
}
