/*
 * ots_range.c
 *		mc-emulator, Tablestore part: GetRange.  tablestore.md 2.2, 4.4.
 *
 * A page ends after 'limit' returned rows, or when so many rows or bytes were scanned,
 * returned or not: a page may be empty and still not be the last.
 */
#include <stdlib.h>

#include "ots_private.h"

#define WORTH_KEEPING 4096		/* smaller pages are made as fast as they are found */

typedef struct range_request
{
	mcw_view	table_name;
	ots_table  *table;
	ots_txn    *txn;
	mcw_view	txn_id;
	bool		backward;
	bool		has_direction;
	int32_t		limit;			/* 0 = none */
	bool		has_limit;
	mcw_view	begin_bytes;
	mcw_view	end_bytes;
	mcw_buf		begin;			/* sort keys */
	mcw_buf		end;
	ots_selection sel;
} range_request;

static bool
parse(ots_call *call, range_request *r)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
	{
		bool		bytes = m.wire == MCW_PB_BYTES;

		switch (m.number)
		{
			case 1:
				r->table_name = bytes ? m.bytes : r->table_name;
				break;
			case 2:
				r->has_direction = !bytes && m.number_value <= 1;
				r->backward = m.number_value == 1;
				break;
			case 3:
				if (bytes)
					ots_selection_column(&r->sel, call->req->arena, m.bytes);
				break;
			case 4:
				if (bytes && !ots_selection_range(&r->sel, m.bytes, &call->fault))
					return false;
				break;
			case 5:
				r->sel.has_max_versions = true;
				r->sel.max_versions = (int32_t) m.number_value;
				break;
			case 6:
				r->has_limit = true;
				r->limit = (int32_t) m.number_value;
				break;
			case 7:
				r->begin_bytes = bytes ? m.bytes : r->begin_bytes;
				break;
			case 8:
				r->end_bytes = bytes ? m.bytes : r->end_bytes;
				break;
			case 10:
				if (bytes && m.bytes.len > 0)
					r->sel.filter_bytes = m.bytes;
				break;
			case 11:
				r->sel.start_column = bytes ? m.bytes : r->sel.start_column;
				break;
			case 12:
				r->sel.end_column = bytes ? m.bytes : r->sel.end_column;
				break;
			case 14:
				r->txn_id = bytes ? m.bytes : r->txn_id;
				break;
			case 16:
				r->sel.whole_key = m.number_value != 0;
				break;
			default:
				break;
		}
	}
	if (st != MCW_END || !r->table_name.data || !r->has_direction || !r->begin_bytes.data || !r->end_bytes.data)
		return ots_bad_message(&call->fault);
	return true;
}

static bool
read_bound(ots_call *call, range_request *r, mcw_view bytes, mcw_buf *sort, mcw_ots_key *key)
{
	ots_change_row row;

	if (!ots_plain_parse(bytes, call->req->arena, &row, &call->fault) || !ots_check_values(&row, &call->fault))
		return false;
	if (row.ncells > 0 || row.delete_marker)
		return ots_invalid(&call->fault, "Attribute column cannot be given while reading data.");
	if (!ots_check_key(r->table, &row, OTS_KEY_BOUND, key, &call->fault))
		return false;
	ots_sort_key(sort, key->v, key->n);
	return true;
}

static bool
check(ots_call *call, range_request *r)
{
	int64_t		now = call->req->now_us;
	int			cmp;
	mcw_ots_key begin;
	mcw_ots_key end;

	r->table = ots_call_table(call->inst, r->table_name, true, now, &call->fault);
	if (r->table == NULL)
		return false;
	if (r->has_limit && r->limit <= 0)
		return ots_invalid(&call->fault, "The limit must be greater than 0.");
	if (!ots_selection_check(&r->sel, r->table, call->req->arena, &call->fault) ||
		!read_bound(call, r, r->begin_bytes, &r->begin, &begin) || !read_bound(call, r, r->end_bytes, &r->end, &end))
		return false;
	cmp = mcw_view_cmp(mcw_buf_view(&r->begin), mcw_buf_view(&r->end));
	if (!r->backward && cmp >= 0)
		return ots_invalid(&call->fault, "Begin key must less than end key in FORWARD");
	if (r->backward && cmp <= 0)
		return ots_invalid(&call->fault, "Begin key must more than end key in BACKWARD");
	if (r->txn_id.len > 0)
	{
		r->txn = ots_txn_of(r->table, r->txn_id, now, &call->fault);
		return r->txn && ots_txn_may_read(r->txn, r->table, &begin.v[0], &call->fault) &&
			ots_txn_may_read(r->txn, r->table, &end.v[0], &call->fault);
	}
	return true;
}

static ots_row *
behind_end(const range_request *r, ots_row *row)
{
	int			cmp;

	if (row == NULL)
		return NULL;
	cmp = mcw_view_cmp(ots_row_sort(row), mcw_buf_view(&r->end));
	return (r->backward ? cmp <= 0 : cmp >= 0) ? NULL : row;
}

/* Rows into 'rows'; the row the next page begins with, or NULL */
static ots_row *
scan(ots_call *call, range_request *r, mcw_buf *rows, uint64_t *bytes)
{
	const ots_store *store = r->txn ? ots_txn_store(r->txn) : &r->table->rows;
	ots_cursor	c = ots_store_seek(store, mcw_buf_view(&r->begin), r->backward);
	int64_t		now = call->req->now_us;
	int64_t		scanned = 0;
	int32_t		returned = 0;
	ots_row    *row;

	*bytes = 0;
	ots_plain_header(rows);
	if (r->backward)
		ots_store_prev(store, &c);
	while ((row = behind_end(r, ots_store_at(store, c))) != NULL)
	{
		size_t		size;

		if (scanned >= ots_set.page_rows || (int64_t) *bytes >= ots_set.page_bytes || (r->limit > 0 && returned >= r->limit))
			return row;
		if (ots_put_row(rows, r->table, row, &r->sel, now, &size))
			returned++;
		scanned++;
		*bytes += size;
		if (r->backward)
			ots_store_prev(store, &c);
		else
			ots_store_next(store, &c);
	}
	return NULL;
}

static void
answer(ots_call *call, range_request *r)
{
	static mcw_buf rows;		/* kept: fresh memory for every page costs more than filling it */
	mcw_buf		next;
	uint64_t	bytes;
	ots_row    *stop;
	int32_t		units;
	mcw_ots_key key;

	if (!r->txn && ots_page_cached(call, r->table))
		return;
	if (rows.max == 0)
		mcw_buf_init(&rows, &mcw_malloc, (size_t) 1 << 30);
	mcw_buf_reset(&rows);
	mcw_buf_init(&next, &mcw_malloc, (size_t) 1 << 16);
	stop = scan(call, r, &rows, &bytes);
	if (rows.failed || !mcw_buf_room(call->out, rows.len + (1 << 16)))
		emu_oom();
	units = ots_units(bytes);
	if (ots_use_capacity(r->table, units, 0, call->req->now_us, &call->fault))
	{
		ots_put_consumed(call->out, 1, units, 0);
		if (rows.len == OTS_HEADER_BYTES)
			rows.len = 0;
		mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&rows));
		if (stop)
		{
			ots_row_key(r->table, stop, &key);
			ots_plain_primary_key(&next, r->table, key.v, key.n);
			mcw_pb_put_bytes(call->out, 3, mcw_buf_view(&next));
		}
		if (!r->txn && call->out->len >= WORTH_KEEPING)
			ots_page_keep(call, r->table, units);
	}
	mcw_buf_free(&next);
}

void
ots_get_range(ots_call *call)
{
	range_request r = {.sel.whole_key = true};

	mcw_buf_init(&r.begin, &mcw_malloc, OTS_MAX_SORT);
	mcw_buf_init(&r.end, &mcw_malloc, OTS_MAX_SORT);
	if (parse(call, &r) && check(call, &r))
		answer(call, &r);
	mcw_buf_free(&r.begin);
	mcw_buf_free(&r.end);
}
