/*
 * mcs_ots_write_merge.c
 *		What several waiting changes of one key come to, and whether a stored row is
 *		the one we wrote.
 *
 * A put or a delete makes everything before it void; updates add their cells to what
 * is before.  Changes with a condition are never merged, and neither are deletes of a
 * column with later values of it: the order of cells in one update is the service's
 * affair.
 */
#include "mcs_ots_write_private.h"

#define MAX_MERGED 1000

typedef struct merge
{
	mcs_ots_writer *writer;
	bool		is_put;
	int			n;				/* cells */
	size_t		bytes;			/* of the rows */
} merge;

static bool
same_name(const mcw_ots_cell *a, const mcw_ots_cell *b)
{
	return mcw_view_eq(a->name, b->name);
}

static void
drop_column(merge *m, const mcw_ots_cell *cell)
{
	mcw_ots_cell *cells = m->writer->cells;
	int			kept = 0;

	for (int i = 0; i < m->n; i++)
		if (!same_name(&cells[i], cell))
			cells[kept++] = cells[i];
	m->n = kept;
}

/* False: this cell cannot be merged */
static bool
add_cell(merge *m, const mcw_ots_cell *cell)
{
	mcw_ots_cell *cells = m->writer->cells;

	if (cell->op == MCW_OTS_DELETE_ALL)
	{
		drop_column(m, cell);
		if (m->is_put)
			return true;
	}
	else if (cell->op != MCW_OTS_PUT)
		return false;
	else
		for (int i = 0; i < m->n; i++)
		{
			if (!same_name(&cells[i], cell))
				continue;
			if (cells[i].op != MCW_OTS_PUT)
				return false;
			if (cells[i].timestamp == cell->timestamp)
			{
				cells[i] = *cell;
				return true;
			}
		}
	if (m->n == MCW_OTS_MAX_ROW_COLUMNS)
		return false;
	cells[m->n++] = *cell;
	return true;
}

static mcw_status
open_row(mcs_ots_writer *writer, mcw_view bytes, mcw_ots_row *row, mcw_error *err)
{
	mcw_status	status = mcw_ots_reader_page(writer->reader, bytes, false, err);

	if (status == MCW_OK)
		status = mcw_ots_next_row(writer->reader, row, NULL, NULL, err);
	return status == MCW_END ? mcw_fail(err, MCW_ERR_FORMAT, "no row") : status;
}

/* Add a change, or leave the merge as it was */
static bool
add_change(merge *m, const ots_change *change)
{
	mcs_ots_writer *writer = m->writer;
	size_t		pos = 0;
	int			before = m->n;
	mcw_ots_cell cell;
	mcw_ots_row row;
	mcw_error	err;
	bool		is_key;

	if (m->bytes + change->len > writer->spec.batch_bytes ||
		open_row(writer, (mcw_view) {change->row, change->len}, &row, &err) != MCW_OK)
		return false;
	memcpy(writer->saved, writer->cells, (size_t) before * sizeof(*writer->cells));
	while (mcw_ots_next_cell(&row, &pos, &cell, &is_key) == MCW_OK)
		if (!is_key && !add_cell(m, &cell))
		{
			memcpy(writer->cells, writer->saved, (size_t) before * sizeof(*writer->cells));
			m->n = before;
			return false;
		}
	m->bytes += change->len;
	return true;
}

static mcw_status
encode(merge *m, const ots_entry *entry)
{
	mcs_ots_writer *writer = m->writer;
	const mcw_ots_schema *schema = writer->spec.schema;
	mcw_ots_writer w;
	mcw_ots_key key;

	ots_key_of(writer, entry, &key);
	mcw_buf_reset(&writer->merged);
	mcw_ots_begin_row(&w, &writer->merged);
	for (int i = 0; i < key.n; i++)
	{
		mcw_ots_name name = mcw_ots_make_name(schema->keys[i].name);

		mcw_ots_put_key(&w, &name, &key.v[i]);
	}
	for (int i = 0; i < m->n; i++)
	{
		const mcw_ots_cell *cell = &writer->cells[i];
		mcw_ots_name name = mcw_ots_make_name(cell->name);

		mcw_ots_put_cell(&w, &name, &cell->value, (mcw_ots_op) cell->op, cell->timestamp);
	}
	return mcw_ots_end_row(&w);
}

static bool
make_cells(mcs_ots_writer *writer)
{
	if (!writer->cells)
		writer->cells = mcw_new(writer->alloc, MCW_OTS_MAX_ROW_COLUMNS * sizeof(*writer->cells));
	if (!writer->saved)
		writer->saved = mcw_new(writer->alloc, MCW_OTS_MAX_ROW_COLUMNS * sizeof(*writer->saved));
	return writer->cells && writer->saved;
}

mcw_status
ots_take(mcs_ots_writer *writer, ots_entry *entry, mcw_ots_change *kind, mcw_view *row)
{
	const ots_change *base = entry->first;
	const ots_change *change;
	merge		m = {.writer = writer};
	int			n = 0;

	entry->taken = 1;
	if (entry->solo == 0 && base->existence == MCW_OTS_IGNORE)
		for (change = base; change && change->existence == MCW_OTS_IGNORE && n < MAX_MERGED; change = change->next)
		{
			n++;
			if (change->kind != MCW_OTS_UPDATE_ROW)
			{
				base = change;
				entry->taken = n;
			}
		}
	*kind = (mcw_ots_change) base->kind;
	*row = (mcw_view) {base->row, base->len};
	if (n <= entry->taken || base->kind == MCW_OTS_DELETE_ROW)
		return MCW_OK;

	if (!make_cells(writer))
		return MCW_ERR_NOMEM;
	m.is_put = base->kind == MCW_OTS_PUT_ROW;
	if (!add_change(&m, base))
		return MCW_OK;
	change = base->next;
	if (!add_change(&m, change))
		return MCW_OK;
	for (;;)
	{
		entry->taken++;
		change = change->next;
		if (entry->taken >= n || !add_change(&m, change))
			break;
	}
	if (encode(&m, entry) != MCW_OK)
		return mcw_buf_status(&writer->merged);
	*row = mcw_buf_view(&writer->merged);
	return MCW_OK;
}

bool
ots_version_range(mcs_ots_writer *writer, mcw_view row, int64_t *low, int64_t *high)
{
	mcw_ots_row parsed;
	mcw_ots_cell cell;
	mcw_error	err;
	size_t		pos = 0;
	bool		is_key;
	bool		any = false;

	if (open_row(writer, row, &parsed, &err) != MCW_OK)
		return false;
	while (mcw_ots_next_cell(&parsed, &pos, &cell, &is_key) == MCW_OK)
	{
		if (is_key)
			continue;
		if (cell.timestamp == MCW_OTS_NO_TIMESTAMP)
			return false;
		if (!any || cell.timestamp < *low)
			*low = cell.timestamp;
		if (!any || cell.timestamp + 1 > *high)
			*high = cell.timestamp + 1;
		any = true;
	}
	if (any && writer->spec.own_rows && writer->spec.own_since < *low)
		*low = writer->spec.own_since;
	if (any && writer->spec.own_rows && writer->spec.own_until >= *high)
		*high = writer->spec.own_until + 1;
	return any;
}

mcw_status
ots_guard(mcs_ots_writer *writer, mcw_view row, mcw_view *condition)
{
	mcw_ots_filter filter = {
		.kind = MCW_OTS_FILTER_COMPARE,
		.op = MCW_OTS_LE,
		.column = writer->spec.guard,
		.pass_if_missing = true,
		.latest_only = true
	};
	mcw_ots_row parsed;
	mcw_ots_cell cell;
	mcw_error	err;
	size_t		pos = 0;
	bool		is_key;
	bool		found = false;
	mcw_status	status = open_row(writer, row, &parsed, &err);

	if (status != MCW_OK)
		return status;
	/* changes that were merged may have set it in several versions */
	while (mcw_ots_next_cell(&parsed, &pos, &cell, &is_key) == MCW_OK)
		if (!is_key && cell.op == MCW_OTS_PUT && mcw_view_eq(cell.name, writer->spec.guard) &&
			(!found || mcw_ots_value_cmp(&cell.value, &filter.value) > 0))
		{
			filter.value = cell.value;
			found = true;
		}
	mcw_buf_reset(&writer->condition);
	if (found)
		status = mcw_ots_write_filter(&writer->condition, &filter, &err);
	*condition = mcw_buf_view(&writer->condition);
	return status;
}

static bool
same_value(const mcw_ots_value *a, const mcw_ots_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case MCW_OTS_INTEGER:
			return a->i == b->i;
		case MCW_OTS_DOUBLE:
			return memcmp(&a->d, &b->d, sizeof(double)) == 0;
		case MCW_OTS_BOOLEAN:
			return a->b == b->b;
		default:
			return mcw_view_eq(a->s, b->s);
	}
}

static bool
has_version(const mcs_ots_writer *writer, int64_t theirs, int64_t ours)
{
	return ours == MCW_OTS_NO_TIMESTAMP || theirs == ours ||
		(writer->spec.own_rows && theirs >= writer->spec.own_since &&
		 (theirs < ours || theirs <= writer->spec.own_until));
}

static bool
has_cell(const mcs_ots_writer *writer, const mcw_ots_row *row, const mcw_ots_cell *wanted)
{
	mcw_ots_cell cell;
	size_t		pos = 0;
	bool		is_key;

	while (mcw_ots_next_cell(row, &pos, &cell, &is_key) == MCW_OK)
		if (!is_key && mcw_view_eq(cell.name, wanted->name) &&
			has_version(writer, cell.timestamp, wanted->timestamp) &&
			same_value(&cell.value, &wanted->value))
			return true;
	return false;
}

static bool
has_cells(const mcw_ots_row *row)
{
	mcw_ots_cell cell;
	size_t		pos = 0;
	bool		is_key;

	while (mcw_ots_next_cell(row, &pos, &cell, &is_key) == MCW_OK)
		if (!is_key)
			return true;
	return false;
}

/* A row of ours that is only a key is not one that has cells */
mcw_status
ots_row_holds(mcs_ots_writer *writer, mcw_view theirs, mcw_view ours, bool *holds, mcw_error *err)
{
	mcw_ots_row a;
	mcw_ots_row b;
	mcw_ots_cell cell;
	size_t		pos = 0;
	bool		is_key;
	bool		any = false;
	mcw_status	status = open_row(writer, theirs, &a, err);

	if (status == MCW_OK)
		status = open_row(writer, ours, &b, err);
	if (status != MCW_OK)
		return status;
	*holds = true;
	while (*holds && mcw_ots_next_cell(&b, &pos, &cell, &is_key) == MCW_OK)
		if (!is_key && cell.op == MCW_OTS_PUT)
		{
			*holds = has_cell(writer, &a, &cell);
			any = true;
		}
	if (!any)
		*holds = !has_cells(&a);
	return MCW_OK;
}
