/*
 * ots_write.c
 *		mc-emulator, Tablestore part: one row change, from its checks and condition to the
 *		new row, the stream record and what is returned; PutRow, UpdateRow, DeleteRow.
 *		tablestore.md 2.2, 4.3, 4.5, 5.2.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MAX_ROW_BYTES (4 << 20)
#define SEQUENCE_BYTES 29		/* extension of a stream record, before the row's checksum */

enum
{
	OP_PUT = 1, OP_UPDATE = 2, OP_DELETE = 3
};

enum
{
	IGNORE = 0, EXPECT_EXIST = 1, EXPECT_NOT_EXIST = 2
};

enum
{
	RT_NONE = 0, RT_PK = 1, RT_AFTER_MODIFY = 2
};

/* ---- parsing ---- */

static bool
parse_condition(ots_write *w, mcw_view message, mcw_arena *arena, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	bool		seen = false;
	mcw_view	filter = {NULL, 0};

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
		{
			seen = m.number_value <= EXPECT_NOT_EXIST;
			w->existence = (int) m.number_value;
		}
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			filter = m.bytes;
	if (st != MCW_END || !seen)
		return ots_bad_message(why);
	if (filter.len == 0)
		return true;
	w->has_condition = true;
	return ots_filter_parse(filter, false, arena, &w->condition, why);
}

static bool
parse_return(ots_write *w, mcw_view message, mcw_arena *arena, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	ots_selection names = {0};

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
			w->return_type = (int) m.number_value;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			ots_selection_column(&names, arena, m.bytes);
	if (st != MCW_END || w->return_type < RT_NONE || w->return_type > RT_AFTER_MODIFY)
		return ots_bad_message(why);
	w->return_columns = names.columns;
	w->nreturn = names.ncolumns;
	if (w->return_type == RT_PK && w->nreturn > 0)
		return ots_invalid(why, "Return column names cannot be given when return type is RT_PK.");
	return true;
}

/* RT_AFTER_MODIFY names columns that the request increments */
static bool
check_returned(const ots_write *w, ots_fault *why)
{
	if (w->return_type != RT_AFTER_MODIFY)
		return true;
	if (w->kind != OP_UPDATE)
		return ots_invalid(why, "RT_AFTER_MODIFY is only supported in UpdateRow.");
	if (w->nreturn == 0)
		return ots_invalid(why, "Return column names must be given when return type is RT_AFTER_MODIFY.");
	for (int i = 0; i < w->nreturn; i++)
	{
		bool		found = false;

		for (int k = 0; k < w->row.ncells && !found; k++)
			found = mcw_view_eq(w->row.cells[k].name, w->return_columns[i]) && w->row.cells[k].has_op &&
				w->row.cells[k].op == MCW_OTS_INCREMENT;
		if (!found)
			return ots_invalid(why, "Return column: '%.*s' must be an INCREMENT column of the request.",
							   (int) (w->return_columns[i].len < 300 ? w->return_columns[i].len : 300), w->return_columns[i].data);
	}
	return true;
}

/* What needs no table; views stay into the request */
bool
ots_write_parse(ots_write *w, int kind, mcw_view row, mcw_view condition, mcw_view return_content, mcw_arena *arena, ots_fault *why)
{
	*w = (ots_write) {.kind = kind};
	if (!ots_plain_parse(row, arena, &w->row, why) || !ots_check_values(&w->row, why) ||
		!ots_check_cells(&w->row, kind, why) || !parse_condition(w, condition, arena, why))
		return false;
	if (return_content.data && !parse_return(w, return_content, arena, why))
		return false;
	if (w->row.size > MAX_ROW_BYTES)
		return ots_fault_set(why, 400, "OTSOutOfRowSizeLimit", "The total data size of columns in one row exceeded the limit.");
	return check_returned(w, why);
}

bool
ots_write_bind(ots_write *w, ots_table *table, mcw_arena *arena, ots_fault *why)
{
	mcw_buf		sort;

	w->table = table;
	if (!ots_check_key(table, &w->row, OTS_KEY_WRITE, &w->key, why))
		return false;
	for (int i = 0; i < w->key.n; i++)
		if (w->key.v[i].type == MCW_OTS_AUTO_INCREMENT)
			w->auto_increment = true;
	if (w->kind == OP_UPDATE && !table->allow_update)
		return ots_invalid(why, "Update row is not allowed on table: %s.", table->name);
	if (w->auto_increment)
	{
		if (w->kind == OP_DELETE)
			return ots_invalid(why, "Invalid row to delete which with pk auto increment.");
		if (w->existence != IGNORE)
			return ots_invalid(why, "Invalid expect:%s when modify row with pk auto increment.",
							   w->existence == EXPECT_EXIST ? "EXPECT_EXIST" : "EXPECT_NOT_EXIST");
		if (w->has_condition)
			return ots_invalid(why, "Can't set condition when modify row with pk auto increment.");
		return true;			/* no sort key before the value is drawn */
	}
	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, w->key.v, w->key.n);
	if (mcw_arena_copy(arena, mcw_buf_view(&sort), &w->sort) != MCW_OK)
		emu_oom();
	mcw_buf_free(&sort);
	return true;
}

/* ---- the new row ---- */

/* A growing list of cells of one row, by name and version descending */
typedef struct cell_list
{
	ots_cell   *cells;
	int			n;
	int			cap;
} cell_list;

/* Where a cell of that name and version is or belongs */
static int
cell_place(const cell_list *l, mcw_view name, int64_t timestamp, bool *found)
{
	int			lo = 0;
	int			hi = l->n;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;
		int			c = mcw_view_cmp(l->cells[mid].name, name);

		if (c < 0 || (c == 0 && l->cells[mid].timestamp > timestamp))
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < l->n && l->cells[lo].timestamp == timestamp && mcw_view_eq(l->cells[lo].name, name);
	return lo;
}

static void
cell_put(cell_list *l, mcw_view name, const mcw_ots_value *value, int64_t timestamp)
{
	bool		found;
	int			at = cell_place(l, name, timestamp, &found);

	if (!found)
	{
		if (l->n == l->cap)
		{
			l->cap = l->cap ? 2 * l->cap : 32;
			l->cells = emu_realloc(l->cells, l->cap * sizeof(ots_cell));
		}
		memmove(l->cells + at + 1, l->cells + at, (l->n - at) * sizeof(ots_cell));
		l->n++;
	}
	l->cells[at] = (ots_cell) {.name = name, .value = *value, .timestamp = timestamp};
}

static void
cell_remove(cell_list *l, int at, int n)
{
	if (n == 0)
		return;
	memmove(l->cells + at, l->cells + at + n, (l->n - at - n) * sizeof(ots_cell));
	l->n -= n;
}

static void
delete_column(cell_list *l, mcw_view name)
{
	bool		found;
	int			at = cell_place(l, name, INT64_MAX, &found);
	int			n = 0;

	while (at + n < l->n && mcw_view_eq(l->cells[at + n].name, name))
		n++;
	cell_remove(l, at, n);
}

/* Versions beyond the table's number are gone at once */
static void
trim_versions(cell_list *l, int32_t max_versions)
{
	int			versions = 0;
	int			kept = 0;

	for (int i = 0; i < l->n; i++)
	{
		ots_cell	cell = l->cells[i];

		if (kept == 0 || !mcw_view_eq(l->cells[kept - 1].name, cell.name))
			versions = 0;
		if (++versions <= max_versions)
			l->cells[kept++] = cell;
	}
	l->n = kept;
}

/* An increment becomes a put of the result, in the request's cell too: the stream tells it so */
static bool
increment(cell_list *l, ots_change_cell *c, int64_t now_ms, ots_fault *why)
{
	bool		found;
	int			at = cell_place(l, c->name, INT64_MAX, &found);
	int64_t		base = 0;
	int64_t		sum;

	if (at < l->n && mcw_view_eq(l->cells[at].name, c->name))
	{
		if (l->cells[at].value.type != MCW_OTS_INTEGER)
			return ots_invalid(why, "Type of column: '%.*s' is not INTEGER, it can't be incremented.", (int) c->name.len, c->name.data);
		base = l->cells[at].value.i;
	}
	if (__builtin_add_overflow(base, c->value.i, &sum))
		return ots_invalid(why, "The value of column: '%.*s' overflows by INCREMENT.", (int) c->name.len, c->name.data);
	c->value.i = sum;
	c->timestamp = now_ms;
	cell_put(l, c->name, &c->value, now_ms);
	return true;
}

/* [max(now - deviation, now - TTL), now + deviation) */
static bool
check_times(const ots_write *w, int64_t now_ms, ots_fault *why)
{
	int64_t		reach = w->table->deviation > INT64_MAX / 2000 ? INT64_MAX / 2 : w->table->deviation * 1000;
	int64_t		low = now_ms - reach;

	if (w->table->ttl >= 0 && now_ms - (int64_t) w->table->ttl * 1000 > low)
		low = now_ms - (int64_t) w->table->ttl * 1000;
	for (int i = 0; i < w->row.ncells; i++)
	{
		const ots_change_cell *c = &w->row.cells[i];

		if (c->timestamp != MCW_OTS_NO_TIMESTAMP && c->value.type != MCW_OTS_NONE &&
			(c->timestamp < low || c->timestamp >= now_ms + reach))
			return ots_invalid(why, "Invalid timestamp. Cell:%.*s.", (int) c->name.len, c->name.data);
	}
	return true;
}

/* Applies the cells in wire order; *exists: the row is there afterwards */
static bool
apply_cells(ots_write *w, cell_list *l, bool was_there, int64_t now_ms, bool *exists, ots_fault *why)
{
	*exists = was_there || w->kind == OP_PUT;
	for (int i = 0; i < w->row.ncells; i++)
	{
		ots_change_cell *c = &w->row.cells[i];
		bool		found;
		int			at;

		if (c->has_op && c->op == MCW_OTS_DELETE_ALL)
			delete_column(l, c->name);
		else if (c->has_op && c->op == MCW_OTS_DELETE_ONE)
		{
			at = cell_place(l, c->name, c->timestamp, &found);
			if (found)
				cell_remove(l, at, 1);
		}
		else if (c->has_op && c->op == MCW_OTS_INCREMENT)
		{
			if (!increment(l, c, now_ms, why))
				return false;
			*exists = true;
		}
		else
		{
			if (c->timestamp == MCW_OTS_NO_TIMESTAMP)
				c->timestamp = now_ms;
			cell_put(l, c->name, &c->value, c->timestamp);
			*exists = true;
		}
	}
	trim_versions(l, w->table->max_versions);
	return true;
}

/* ---- records ---- */

/* Cells in the order sent: of two of one version the later one counts, here as in the row */
static void
put_record(const ots_write *w, mcw_buf *out)
{
	ots_plain	p;

	ots_plain_header(out);
	ots_plain_begin(&p, out);
	for (int i = 0; i < w->key.n; i++)
		ots_plain_key(&p, w->table->schema.keys[i].name, &w->key.v[i]);
	for (int i = 0; i < w->row.ncells; i++)
	{
		const ots_change_cell *c = &w->row.cells[i];
		bool		put = !c->has_op || c->op == MCW_OTS_INCREMENT;

		ots_plain_cell(&p, c->name, put ? &c->value : NULL, put ? 0 : c->op, c->timestamp);
	}
	if (w->kind == OP_DELETE)
		mcw_buf_append_char(out, 0x08);
	ots_plain_sequence(&p, 0, 0, 0);
	ots_plain_end(&p, w->kind == OP_DELETE);
}

/* The columns the stream asks for, as they were */
static void
put_origin(const ots_table *table, const ots_row *before, int64_t now_us, mcw_buf *out)
{
	ots_selection sel = {.whole_key = true, .has_max_versions = true, .max_versions = 1, .has_key_column = true};
	mcw_view	columns[64];
	size_t		size;

	for (int i = 0; i < table->stream.ncolumns && i < 64; i++)
	{
		int			at = sel.ncolumns++;

		for (; at > 0 && mcw_view_cmp(columns[at - 1], mcw_str(table->stream.columns[i])) > 0; at--)
			columns[at] = columns[at - 1];
		columns[at] = mcw_str(table->stream.columns[i]);
	}
	sel.columns = columns;
	ots_plain_header(out);
	if (!ots_put_row(out, table, before, &sel, now_us, &size))
		mcw_buf_reset(out);
}

/* Epoch, time and row index into the bytes of a record; the row checksum does not cover them */
static void
stamp(const ots_mutation *m)
{
	char	   *p = (char *) m->record.data + m->record.len - 2 - SEQUENCE_BYTES;

	memcpy(p + 11, &m->epoch, 4);
	memcpy(p + 16, &m->time_us, 8);
	memcpy(p + 25, &m->row_index, 4);
}

void
ots_apply(ots_table *table, ots_mutation *m)
{
	const ots_partition *part = ots_table_partition(table, m->sort);

	m->epoch = part->epoch;
	if (m->record.len > 0)
		stamp(m);
	if (table->stream.on && ots_stream_changed)
		ots_stream_changed(table, part, m);
	if (m->after)
		ots_store_put(&table->rows, ots_row_ref(m->after));
	else
		(void) ots_store_remove(&table->rows, m->sort);
	table->version++;
}

/* ---- one change ---- */

/* Unique and increasing over the table, so in every partition key; not contiguous */
static void
draw_number(ots_write *w, int64_t now_us, mcw_arena *arena)
{
	mcw_buf		sort;

	if (w->table->auto_last < now_us)
		w->table->auto_last = now_us;
	w->table->auto_last += 1 + w->table->auto_last % 3;
	for (int i = 0; i < w->key.n; i++)
		if (w->key.v[i].type == MCW_OTS_AUTO_INCREMENT)
			w->key.v[i] = mcw_ots_int(w->table->auto_last);
	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, w->key.v, w->key.n);
	if (mcw_arena_copy(arena, mcw_buf_view(&sort), &w->sort) != MCW_OK)
		emu_oom();
	mcw_buf_free(&sort);
}

static bool
check_condition(const ots_write *w, const ots_row *row, int64_t now_us, ots_fault *why)
{
	bool		ok = w->existence == IGNORE || (w->existence == EXPECT_EXIST) == (row != NULL);

	if (ok && w->has_condition)
	{
		ots_cell   *cells = ots_cells_room((row ? row->ncells : 0) + MCW_OTS_MAX_KEYS);
		int			n = 0;

		if (row)
		{
			ots_walk	walk = ots_walk_keys(row);

			while (ots_walk_next(&walk, &cells[n]))
				n++;
			n += ots_visible(w->table, row, now_us, cells + n);
		}
		ok = ots_filter_match(w->condition, cells, n);
	}
	return ok || ots_fault_set(why, 403, "OTSConditionCheckFail", "Condition check failed.");
}

static void
put_returned(const ots_write *w, const cell_list *l, mcw_buf *out)
{
	ots_plain	p;

	if (w->return_type == RT_NONE)
		return;
	ots_plain_header(out);
	ots_plain_begin(&p, out);
	for (int i = 0; i < w->key.n; i++)
		ots_plain_key(&p, w->table->schema.keys[i].name, &w->key.v[i]);
	for (int i = 0; w->return_type == RT_AFTER_MODIFY && i < l->n; i++)
	{
		bool		asked = false;

		for (int k = 0; k < w->nreturn && !asked; k++)
			asked = mcw_view_eq(w->return_columns[k], l->cells[i].name);
		if (asked && (i == 0 || !mcw_view_eq(l->cells[i].name, l->cells[i - 1].name)))
			ots_plain_cell(&p, l->cells[i].name, &l->cells[i].value, 0, l->cells[i].timestamp);
	}
	ots_plain_end(&p, false);
}

/* The row as it will be, to the store or to the transaction */
static bool
commit(ots_call *call, ots_write *w, ots_row *before, ots_row *after, ots_fault *why)
{
	ots_mutation m = {.kind = w->kind, .sort = w->sort, .before = before, .after = after,
		.time_us = call->commit_us, .row_index = call->rows_changed};
	mcw_buf		record;
	mcw_buf		origin;
	bool		ok = true;

	mcw_buf_init(&record, &mcw_malloc, (size_t) 1 << 28);
	mcw_buf_init(&origin, &mcw_malloc, (size_t) 1 << 28);
	if (w->table->stream.on)
	{
		put_record(w, &record);
		m.record = mcw_buf_view(&record);
		if (before && w->table->stream.ncolumns > 0)
			put_origin(w->table, before, call->req->now_us, &origin);
		m.origin = mcw_buf_view(&origin);
	}
	if (w->txn)
		ok = ots_txn_stage(w->txn, &m, w->row.size, why);
	else
		ots_apply(w->table, &m);
	if (ok)
		call->rows_changed++;
	mcw_buf_free(&record);
	mcw_buf_free(&origin);
	return ok;
}

bool
ots_write_run(ots_call *call, ots_write *w, mcw_buf *returned, int32_t *read, int32_t *written, ots_fault *why)
{
	int64_t		now = call->req->now_us;
	int64_t		now_ms = call->commit_us / 1000;
	const ots_store *store = &w->table->rows;
	ots_row    *before;
	ots_row    *after = NULL;
	cell_list	list = {0};
	bool		exists = false;
	bool		ok;

	*read = w->existence != IGNORE || w->has_condition || w->return_type == RT_AFTER_MODIFY;
	*written = ots_units(w->row.size);
	if (!check_times(w, now_ms, why) || !ots_use_capacity(w->table, *read, *written, now, why))
		return false;
	if (w->auto_increment)
		draw_number(w, now, call->req->arena);
	if (ots_txn_may_write && !ots_txn_may_write(w->txn, w->table, &w->key.v[0], why))
		return false;
	if (w->txn)
		store = ots_txn_store(w->txn);
	before = ots_store_find(store, w->sort);
	if (before && !ots_row_alive(w->table, before, now))
		before = NULL;
	if (!check_condition(w, before, now, why))
		return false;
	if (before)
		before = ots_row_ref(before);	/* cells of the list point into it */
	if (before && w->kind == OP_UPDATE)
	{
		list.cap = (int) before->ncells + w->row.ncells + 1;
		list.cells = emu_malloc(list.cap * sizeof(ots_cell));
		list.n = ots_visible(w->table, before, now, list.cells);
	}
	ok = w->kind == OP_DELETE || apply_cells(w, &list, before != NULL, now_ms, &exists, why);
	if (ok && exists)
		after = ots_row_build(w->table, w->key.v, list.cells, list.n);
	ok = ok && commit(call, w, before, after, why);
	if (ok)
		put_returned(w, &list, returned);
	ots_row_unref(after);
	ots_row_unref(before);
	free(list.cells);
	return ok;
}

/* ---- PutRow, UpdateRow, DeleteRow ---- */

static void
write_call(ots_call *call, int kind)
{
	mcw_view	table_name = {NULL, 0};
	mcw_view	row = {NULL, 0};
	mcw_view	condition = {NULL, 0};
	mcw_view	returns = {NULL, 0};
	mcw_view	txn = {NULL, 0};
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	ots_write	w;
	ots_table  *table;
	int32_t		read;
	int32_t		written;
	mcw_buf		returned;

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
		if (m.wire == MCW_PB_BYTES && m.number >= 1 && m.number <= 5)
			*(m.number == 1 ? &table_name : m.number == 2 ? &row : m.number == 3 ? &condition : m.number == 4 ? &returns : &txn) = m.bytes;
	if (st != MCW_END || !table_name.data || !row.data || !condition.data)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	if (!ots_name_ok(table_name, false))
	{
		(void) ots_call_table(call->inst, table_name, true, call->req->now_us, &call->fault);
		return;
	}
	if (!ots_write_parse(&w, kind, row, condition, returns, call->req->arena, &call->fault))
		return;
	table = ots_call_table(call->inst, table_name, true, call->req->now_us, &call->fault);
	if (table == NULL || !ots_write_bind(&w, table, call->req->arena, &call->fault))
		return;
	if (txn.len > 0 && (w.txn = ots_txn_of(table, txn, call->req->now_us, &call->fault)) == NULL)
		return;
	mcw_buf_init(&returned, &mcw_malloc, (size_t) 1 << 28);
	if (ots_write_run(call, &w, &returned, &read, &written, &call->fault))
	{
		ots_put_consumed(call->out, 1, read, written);
		if (returned.len > 0)
			mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&returned));
	}
	mcw_buf_free(&returned);
}

void
ots_put_row_call(ots_call *call)
{
	write_call(call, OP_PUT);
}

void
ots_update_row_call(ots_call *call)
{
	write_call(call, OP_UPDATE);
}

void
ots_delete_row_call(ots_call *call)
{
	write_call(call, OP_DELETE);
}
