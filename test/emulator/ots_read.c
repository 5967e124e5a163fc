/*
 * ots_read.c
 *		mc-emulator, Tablestore part: what of a row a request gets to see (versions,
 *		columns, filter, in that order), GetRow and BatchGetRow.  tablestore.md 2.2, 4.3, 4.4.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MAX_COLUMNS_TO_GET 1024
#define MAX_BATCH_GET 100

/* ---- what is readable at all ---- */

/* Cells below it are gone: TTL is about the version, in milliseconds */
static int64_t
cutoff(const ots_table *table, int64_t now_us)
{
	return table->ttl < 0 ? INT64_MIN : now_us / 1000 - (int64_t) table->ttl * 1000;
}

bool
ots_row_alive(const ots_table *table, const ots_row *row, int64_t now_us)
{
	int64_t		dead = cutoff(table, now_us);
	ots_walk	walk;
	ots_cell	cell;

	if (row->ncells == 0 || row->oldest >= dead)
		return true;
	walk = ots_walk_cells(row);
	while (ots_walk_next(&walk, &cell))
		if (cell.timestamp >= dead)
			return true;
	return false;
}

int
ots_visible(const ots_table *table, const ots_row *row, int64_t now_us, ots_cell *cells)
{
	int64_t		dead = cutoff(table, now_us);
	ots_walk	walk = ots_walk_cells(row);
	int			n = 0;
	int			versions = 0;
	ots_cell	cell;
	mcw_view	last = {NULL, 0};

	while (ots_walk_next(&walk, &cell))
	{
		if (last.data == NULL || !mcw_view_eq(last, cell.name))
			versions = 0;
		last = cell.name;
		if (cell.timestamp >= dead && ++versions <= table->max_versions)
			cells[n++] = cell;
	}
	return n;
}

/* Shared scratch for the cells of one row */
ots_cell *
ots_cells_room(uint32_t n)
{
	static ots_cell *room = NULL;
	static uint32_t size = 0;

	if (n > size)
	{
		size = n + 256;
		room = emu_realloc(room, size * sizeof(*room));
	}
	return room;
}

int32_t
ots_units(uint64_t bytes)
{
	uint64_t	units = (bytes + 4095) / 4096;

	return units < 1 ? 1 : (int32_t) units;
}

/* Counts; with reserved throughput set and enforced, more than it in one second is refused */
bool
ots_use_capacity(ots_table *table, int32_t read, int32_t write, int64_t now_us, ots_fault *why)
{
	ots_capacity *c = &table->used;

	if (c->second != now_us / 1000000)
	{
		c->second = now_us / 1000000;
		c->read_now = c->write_now = 0;
	}
	if (ots_set.capacity && emu_conf.enforce_rates &&
		((table->reserved_read > 0 && read > 0 && c->read_now >= table->reserved_read) ||
		 (table->reserved_write > 0 && write > 0 && c->write_now >= table->reserved_write)))
		return ots_fault_set(why, 403, "OTSNotEnoughCapacityUnit", "Remaining capacity unit is not enough.");
	c->read_now += read;
	c->write_now += write;
	c->read += (uint64_t) read;
	c->write += (uint64_t) write;
	return true;
}

/* ---- the selection of a request ---- */

void
ots_selection_column(ots_selection *sel, mcw_arena *arena, mcw_view name)
{
	if ((sel->ncolumns & (sel->ncolumns + 1)) == 0 || sel->columns == NULL)
	{
		mcw_view   *more = mcw_arena_new(arena, (2 * sel->ncolumns + 2) * sizeof(*more));

		if (more == NULL)
			emu_oom();
		if (sel->ncolumns > 0)
			memcpy(more, sel->columns, sel->ncolumns * sizeof(*more));
		sel->columns = more;
	}
	sel->columns[sel->ncolumns++] = name;
}

/* TimeRange */
bool
ots_selection_range(ots_selection *sel, mcw_view message, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
	{
		if (m.wire != MCW_PB_VARINT)
			continue;
		if (m.number == 1)
		{
			sel->has_start = true;
			sel->start = (int64_t) m.number_value;
		}
		else if (m.number == 2)
		{
			sel->has_end = true;
			sel->end = (int64_t) m.number_value;
		}
		else if (m.number == 3)
		{
			sel->has_specific = true;
			sel->specific = (int64_t) m.number_value;
		}
	}
	if (st != MCW_END)
		return ots_bad_message(why);
	return true;
}

static int
view_cmp(const void *a, const void *b)
{
	return mcw_view_cmp(*(const mcw_view *) a, *(const mcw_view *) b);
}

static bool
check_times(ots_selection *sel, ots_fault *why)
{
	if (sel->has_start != sel->has_end)
		return ots_invalid(why, "Start and end time must be given at the same time.");
	if (sel->has_specific && (sel->has_start || sel->has_max_versions))
		return ots_invalid(why, "Specific time cannot be given together with a time range or max versions.");
	if (!sel->has_specific && !sel->has_start && !sel->has_max_versions)
		return ots_invalid(why, "No version condition is specified while querying row.");
	if (sel->has_max_versions && sel->max_versions <= 0)
		return ots_invalid(why, "The maximum versions cannot be less than or equal to 0.");
	if (sel->has_start && (sel->start < 0 || sel->end < 0))
		return ots_invalid(why, "Timestamp must be in range [0, INT64_MAX/1000).");
	if (sel->has_start && sel->start >= sel->end)
		return ots_invalid(why, "The start time must be less than the end time.");
	if (sel->has_specific)
	{
		if (sel->specific < 0 || sel->specific >= MCW_OTS_MAX_TIMESTAMP)
			return ots_invalid(why, "Timestamp must be in range [0, INT64_MAX/1000).");
		sel->start = sel->specific;
		sel->end = sel->specific + 1;
	}
	sel->has_range = sel->has_start || sel->has_specific;
	return true;
}

/* After all members were read; the table may be NULL, then only what it does not decide */
bool
ots_selection_check(ots_selection *sel, const ots_table *table, mcw_arena *arena, ots_fault *why)
{
	int			n = 0;

	if (!check_times(sel, why))
		return false;
	if (sel->ncolumns > MAX_COLUMNS_TO_GET)
		return ots_invalid(why, "The number of columns from the request exceeds the limit, limit count: %d, column count: %d.",
						   MAX_COLUMNS_TO_GET, sel->ncolumns);
	for (int i = 0; i < sel->ncolumns; i++)
		if (!ots_name_ok(sel->columns[i], true))
			return ots_invalid(why, "Invalid column name: '%.*s'.",
							   (int) (sel->columns[i].len < 600 ? sel->columns[i].len : 600), sel->columns[i].data);
	if (sel->filter_bytes.data && !ots_filter_parse(sel->filter_bytes, true, arena, &sel->filter, why))
		return false;
	if (sel->ncolumns > 0)
		qsort(sel->columns, sel->ncolumns, sizeof(mcw_view), view_cmp);
	for (int i = 0; i < sel->ncolumns; i++)
		if (n == 0 || !mcw_view_eq(sel->columns[n - 1], sel->columns[i]))
			sel->columns[n++] = sel->columns[i];
	sel->ncolumns = n;
	for (int i = 0; table && i < table->schema.nkeys; i++)
		if (n > 0 && bsearch(&table->schema.keys[i].name, sel->columns, n, sizeof(mcw_view), view_cmp))
			sel->has_key_column = true;
	return true;
}

/* The window of columns a pagination filter keeps; returns the new number of cells */
static int
paginate(ots_cell *cells, int n, int32_t offset, int32_t limit)
{
	int			column = -1;
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		if (i == 0 || !mcw_view_eq(cells[i].name, cells[i - 1].name))
			column++;
		if (column >= offset && column - offset < limit)
		{
			/* names are compared with the cell before, which may not be moved over */
			ots_cell	cell = cells[i];

			if (kept < i)
				cells[kept] = cell;
			kept++;
		}
		if (column - offset >= limit)
			break;
	}
	return kept;
}

/* Versions by time range and number, then columns; both lists are sorted */
static int
select_cells(const ots_selection *sel, ots_cell *cells, int n)
{
	int			kept = 0;
	int			versions = 0;
	int			c = 0;
	mcw_view	last = {NULL, 0};

	for (int i = 0; i < n; i++)
	{
		ots_cell	cell = cells[i];

		if (last.data == NULL || !mcw_view_eq(last, cell.name))
			versions = 0;
		last = cell.name;
		if (sel->has_range && (cell.timestamp < sel->start || cell.timestamp >= sel->end))
			continue;
		if (++versions > sel->max_versions && sel->has_max_versions)
			continue;
		if (sel->ncolumns > 0)
		{
			int			d = -1;

			while (c < sel->ncolumns && (d = mcw_view_cmp(sel->columns[c], cell.name)) < 0)
				c++;
			if (c == sel->ncolumns || d != 0)
				continue;
		}
		if ((sel->start_column.data && mcw_view_cmp(cell.name, sel->start_column) < 0) ||
			(sel->end_column.data && mcw_view_cmp(cell.name, sel->end_column) >= 0))
			continue;
		cells[kept++] = cell;
	}
	return kept;
}

/* The key's columns as a filter sees them: first in the array */
static int
key_cells(const ots_row *row, ots_cell *cells)
{
	ots_walk	walk = ots_walk_keys(row);
	int			n = 0;

	while (n < MCW_OTS_MAX_KEYS && ots_walk_next(&walk, &cells[n]))
		n++;
	return n;
}

static void
put_selected(mcw_buf *out, const ots_row *row, const ots_selection *sel, const ots_cell *cells, int n)
{
	ots_plain	p;
	ots_walk	walk = ots_walk_keys(row);
	ots_cell	key;

	ots_plain_begin(&p, out);
	while (ots_walk_next(&walk, &key))
		if (sel->whole_key || sel->ncolumns == 0 ||
			bsearch(&key.name, sel->columns, sel->ncolumns, sizeof(mcw_view), view_cmp))
			ots_plain_raw(&p, &key, true);
	for (int i = 0; i < n; i++)
		ots_plain_raw(&p, &cells[i], false);
	ots_plain_end(&p, false);
}

bool
ots_put_row(mcw_buf *out, const ots_table *table, const ots_row *row, const ots_selection *sel, int64_t now_us, size_t *size)
{
	bool		no_ttl = table->ttl < 0 || row->oldest >= cutoff(table, now_us);
	ots_cell   *cells;
	int			nkeys;
	int			n;
	int32_t		offset;
	int32_t		limit;

	*size = row->data_size;
	if (!no_ttl && !ots_row_alive(table, row, now_us))
		return false;
	if (row->ncells == row->ncolumns && no_ttl && !sel->has_range && sel->ncolumns == 0 &&
		sel->filter == NULL && sel->start_column.data == NULL && sel->end_column.data == NULL)
	{
		mcw_buf_append_view(out, ots_row_body(row));
		return true;
	}
	cells = ots_cells_room(row->ncells + MCW_OTS_MAX_KEYS);
	nkeys = key_cells(row, cells);
	n = ots_visible(table, row, now_us, cells + nkeys);
	n = select_cells(sel, cells + nkeys, n);
	if (sel->ncolumns > 0 && n == 0 && !sel->has_key_column)
		return false;
	if (sel->filter && !ots_filter_match(sel->filter, cells, nkeys + n))
		return false;
	if (sel->filter && ots_filter_window(sel->filter, &offset, &limit))
		n = paginate(cells + nkeys, n, offset, limit);
	put_selected(out, row, sel, cells + nkeys, n);
	return true;
}

/* ---- GetRow ---- */

/* Reads one key: false with the fault, else the row appended with header, or nothing */
static bool
read_row(ots_table *table, ots_txn *txn, mcw_view key_bytes, const ots_selection *sel, int64_t now_us,
		 mcw_arena *arena, mcw_buf *out, int32_t *units, ots_fault *why)
{
	ots_change_row parsed;
	mcw_ots_key key;
	mcw_buf		sort;
	ots_row    *row;
	const ots_store *store = &table->rows;
	size_t		before = out->len;
	size_t		size = 0;

	if (!ots_plain_parse(key_bytes, arena, &parsed, why) || !ots_check_values(&parsed, why))
		return false;
	if (parsed.ncells > 0 || parsed.delete_marker)
		return ots_invalid(why, "Attribute column cannot be given while reading data.");
	if (!ots_check_key(table, &parsed, OTS_KEY_READ, &key, why))
		return false;
	if (txn)
	{
		if (!ots_txn_may_read(txn, table, &key.v[0], why))
			return false;
		store = ots_txn_store(txn);
	}
	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, key.v, key.n);
	row = ots_store_find(store, mcw_buf_view(&sort));
	mcw_buf_free(&sort);
	*units = ots_units(row ? row->data_size : 0);
	if (!ots_use_capacity(table, *units, 0, now_us, why))
		return false;
	if (row == NULL)
		return true;
	ots_plain_header(out);
	if (!ots_put_row(out, table, row, sel, now_us, &size))
		out->len = before;
	return true;
}

typedef struct get_request
{
	mcw_view	table;
	mcw_view	key;
	mcw_view	txn;
	ots_selection sel;
} get_request;

/* The members GetRow and a table of BatchGetRow share, under their own numbers */
static bool
selection_member(ots_selection *sel, const mcw_pb_field *m, int columns, mcw_arena *arena, ots_fault *why)
{
	bool		bytes = m->wire == MCW_PB_BYTES;

	if (m->number == columns && bytes)
		ots_selection_column(sel, arena, m->bytes);
	else if (m->number == columns + 1 && bytes)
		return ots_selection_range(sel, m->bytes, why);
	else if (m->number == columns + 2 && !bytes)
	{
		sel->has_max_versions = true;
		sel->max_versions = (int32_t) m->number_value;
	}
	else if (m->number == columns + 4 && bytes && m->bytes.len > 0)
		sel->filter_bytes = m->bytes;
	else if (m->number == columns + 5 && bytes)
		sel->start_column = m->bytes;
	else if (m->number == columns + 6 && bytes)
		sel->end_column = m->bytes;
	return true;
}

void
ots_get_row(ots_call *call)
{
	get_request r = {.sel.whole_key = true};
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_buf		row;
	int32_t		units = 1;
	ots_table  *table;
	ots_txn    *txn = NULL;
	int64_t		now = call->req->now_us;

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
	{
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			r.table = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			r.key = m.bytes;
		else if (m.number == 11 && m.wire == MCW_PB_BYTES)
			r.txn = m.bytes;
		else if (m.number < 10 && !selection_member(&r.sel, &m, 3, call->req->arena, &call->fault))
			return;
	}
	if (st != MCW_END || r.table.data == NULL || r.key.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	table = ots_call_table(call->inst, r.table, true, now, &call->fault);
	if (table == NULL || !ots_selection_check(&r.sel, table, call->req->arena, &call->fault))
		return;
	if (r.txn.len > 0 && (txn = ots_txn_of(table, r.txn, now, &call->fault)) == NULL)
		return;
	mcw_buf_init(&row, &mcw_malloc, (size_t) 1 << 30);
	if (read_row(table, txn, r.key, &r.sel, now, call->req->arena, &row, &units, &call->fault))
	{
		ots_put_consumed(call->out, 1, units, 0);
		mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&row));	/* no row: present and empty */
	}
	mcw_buf_free(&row);
}

ots_txn *
ots_txn_of(ots_table *table, mcw_view id, int64_t now_us, ots_fault *why)
{
	if (!ots_txn_find)
	{
		(void) ots_invalid(why, "Unsupported operation: local transaction.");
		return NULL;
	}
	return ots_txn_find(table, id, now_us, why);
}

/* ---- BatchGetRow ---- */

typedef struct batch_table
{
	mcw_view	name;
	mcw_view	message;
	int			nkeys;
	ots_selection sel;
} batch_table;

static bool
parse_batch_table(batch_table *t, mcw_arena *arena, ots_fault *why)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	t->sel.whole_key = true;
	while ((st = mcw_pb_next(t->message, &pos, &m)) == MCW_OK)
	{
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			t->name = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			t->nkeys++;
		else if (m.number >= 4 && !selection_member(&t->sel, &m, 4, arena, why))
			return false;
	}
	return (st == MCW_END && t->name.data) || ots_bad_message(why);
}

/* Everything that fails the request as a whole */
static bool
check_batch(batch_table *tables, int n, mcw_arena *arena, ots_fault *why)
{
	int			rows = 0;

	for (int i = 0; i < n; i++)
	{
		if (!parse_batch_table(&tables[i], arena, why))
			return false;
		if (!ots_name_ok(tables[i].name, false))
			return ots_invalid(why, "Invalid table name: '%.*s'.", (int) (tables[i].name.len < 300 ? tables[i].name.len : 300), tables[i].name.data);
		for (int k = 0; k < i; k++)
			if (mcw_view_eq(tables[k].name, tables[i].name))
				return ots_invalid(why, "Duplicated table name: %.*s.", (int) tables[i].name.len, tables[i].name.data);
		if (tables[i].nkeys == 0)
			return ots_invalid(why, "No row specified in table: '%.*s'.", (int) tables[i].name.len, tables[i].name.data);
		rows += tables[i].nkeys;
	}
	if (rows == 0)
		return ots_invalid(why, "No row specified in the request of BatchGetRow.");
	return rows <= MAX_BATCH_GET || ots_invalid(why, "Rows count exceeds the upper limit: %d.", MAX_BATCH_GET);
}

static void
put_batch_row(ots_call *call, ots_table *table, const ots_selection *sel, mcw_view key, const ots_fault *table_fault)
{
	ots_fault	why = *table_fault;
	int32_t		units = 1;
	mcw_buf		row;
	size_t		mark = mcw_pb_begin(call->out, 2);

	mcw_buf_init(&row, &mcw_malloc, (size_t) 1 << 30);
	if (!why.status)
		(void) ots_row_struck(call, &why);
	if (!why.status && read_row(table, NULL, key, sel, call->req->now_us, call->req->arena, &row, &units, &why))
	{
		mcw_pb_put_uint(call->out, 1, 1);
		ots_put_consumed(call->out, 3, units, 0);
		mcw_pb_put_bytes(call->out, 4, mcw_buf_view(&row));
	}
	else
	{
		mcw_pb_put_uint(call->out, 1, 0);
		ots_put_error(call->out, 2, &why);
	}
	mcw_pb_end(call->out, mark);
	mcw_buf_free(&row);
}

static bool
batch_tables(ots_call *call, batch_table **tables, int *n)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	int			cap = 0;

	*n = 0;
	*tables = NULL;
	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
	{
		if (m.number != 1 || m.wire != MCW_PB_BYTES)
			continue;
		if (*n == cap)
		{
			cap = cap ? 2 * cap : 4;
			*tables = emu_realloc(*tables, cap * sizeof(batch_table));
		}
		(*tables)[*n] = (batch_table) {.message = m.bytes};
		(*n)++;
	}
	return st == MCW_END || ots_bad_message(&call->fault);
}

/* A key that cannot be read at all fails the request; one that fits no table fails its row */
static bool
check_batch_keys(ots_call *call, const batch_table *t)
{
	mcw_pb_field m;
	size_t		pos = 0;
	ots_change_row row;

	while (mcw_pb_next(t->message, &pos, &m) == MCW_OK)
		if (m.number == 2 && m.wire == MCW_PB_BYTES &&
			(!ots_plain_parse(m.bytes, call->req->arena, &row, &call->fault) || !ots_check_values(&row, &call->fault)))
			return false;
	return true;
}

void
ots_batch_get_row(ots_call *call)
{
	batch_table *tables;
	int			n;
	bool		ok;

	ots_plan_rows(call);
	ok = batch_tables(call, &tables, &n) && check_batch(tables, n, call->req->arena, &call->fault);

	for (int i = 0; ok && i < n; i++)
		ok = ots_selection_check(&tables[i].sel, ots_table_find(call->inst, tables[i].name), call->req->arena, &call->fault) &&
			check_batch_keys(call, &tables[i]);
	for (int i = 0; ok && i < n; i++)
	{
		size_t		mark = mcw_pb_begin(call->out, 1);
		ots_fault	why = {0};
		ots_table  *table = ots_call_table(call->inst, tables[i].name, true, call->req->now_us, &why);
		mcw_pb_field m;
		size_t		pos = 0;

		mcw_pb_put_bytes(call->out, 1, tables[i].name);
		while (mcw_pb_next(tables[i].message, &pos, &m) == MCW_OK)
			if (m.number == 2 && m.wire == MCW_PB_BYTES)
				put_batch_row(call, table, &tables[i].sel, m.bytes, &why);
		mcw_pb_end(call->out, mark);
	}
	free(tables);
}
