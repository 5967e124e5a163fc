/*
 * ots_batch.c
 *		mc-emulator, Tablestore part: BatchWriteRow.  tablestore.md 2.2, 4.5.
 *
 * What is wrong with the request as such (bytes, sizes, counts, repeated rows with
 * conditions) refuses all of it; what only the table knows fails its row.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MAX_ROWS 200

typedef struct batch_row
{
	ots_write	w;
	int			table;			/* index of its table in the request */
	bool		bound;
	ots_fault	fault;
} batch_row;

typedef struct batch_table
{
	mcw_view	name;
	int			nrows;
	ots_table  *table;			/* NULL: see fault */
	ots_fault	fault;
} batch_table;

typedef struct batch
{
	batch_table *tables;
	int			ntables;
	batch_row  *rows;
	int			nrows;
	size_t		bytes;
	bool		atomic;
	mcw_view	txn;
} batch;

static void *
grow(void *p, int n, size_t size)
{
	return (n & (n - 1)) == 0 ? emu_realloc(p, (n ? 2 * n : 1) * size) : p;
}

static bool
parse_row(ots_call *call, batch *b, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	int			kind = 0;
	mcw_view	row = {NULL, 0};
	mcw_view	condition = {NULL, 0};
	mcw_view	returns = {NULL, 0};
	batch_row  *r;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
			kind = m.number_value <= 3 ? (int) m.number_value : 0;
		else if (m.wire == MCW_PB_BYTES && m.number >= 2 && m.number <= 4)
			*(m.number == 2 ? &row : m.number == 3 ? &condition : &returns) = m.bytes;
	if (st != MCW_END || kind == 0 || !row.data || !condition.data)
		return ots_bad_message(&call->fault);
	b->rows = grow(b->rows, b->nrows, sizeof(*b->rows));
	r = &b->rows[b->nrows++];
	memset(r, 0, sizeof(*r));
	r->table = b->ntables - 1;
	if (!ots_write_parse(&r->w, kind, row, condition, returns, call->req->arena, &call->fault))
		return false;
	b->bytes += r->w.row.size;
	return true;
}

static bool
parse_table(ots_call *call, batch *b, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	batch_table *t;

	b->tables = grow(b->tables, b->ntables, sizeof(*b->tables));
	t = &b->tables[b->ntables++];
	memset(t, 0, sizeof(*t));
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			t->name = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			t->nrows++;
	if (st != MCW_END || !t->name.data)
		return ots_bad_message(&call->fault);
	if (!ots_name_ok(t->name, false))
		return ots_invalid(&call->fault, "Invalid table name: '%.*s'.", (int) (t->name.len < 300 ? t->name.len : 300), t->name.data);
	for (int i = 0; i < b->ntables - 1; i++)
		if (mcw_view_eq(b->tables[i].name, t->name))
			return ots_invalid(&call->fault, "Duplicated table name: %.*s.", (int) t->name.len, t->name.data);
	if (t->nrows == 0)
		return ots_invalid(&call->fault, "No operation is specified for table: '%.*s'.", (int) t->name.len, t->name.data);
	if (b->nrows + t->nrows > MAX_ROWS)
		return ots_invalid(&call->fault, "Rows count exceeds the upper limit: %d.", MAX_ROWS);
	for (pos = 0; mcw_pb_next(message, &pos, &m) == MCW_OK;)
		if (m.number == 2 && m.wire == MCW_PB_BYTES && !parse_row(call, b, m.bytes))
			return false;
	return true;
}

static bool
parse(ots_call *call, batch *b)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
		{
			if (!parse_table(call, b, m.bytes))
				return false;
		}
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			b->txn = m.bytes;
		else if (m.number == 3 && m.wire == MCW_PB_VARINT)
			b->atomic = m.number_value != 0;
	if (st != MCW_END)
		return ots_bad_message(&call->fault);
	if (b->nrows == 0)
		return ots_invalid(&call->fault, "No row is specified in BatchWriteRow.");
	if ((int64_t) b->bytes > ots_set.batch_bytes)
		return ots_invalid(&call->fault,
						   "The total data size of BatchWriteRow request exceeds the limit, limit size: %lld, data size: %zu.",
						   (long long) ots_set.batch_bytes, b->bytes);
	return true;
}

static int
row_cmp(const void *a, const void *b)
{
	const batch_row *x = *(batch_row *const *) a;
	const batch_row *y = *(batch_row *const *) b;
	int			c = x->table - y->table;

	return c != 0 ? c : mcw_view_cmp(x->w.sort, y->w.sort);
}

static bool
increments(const batch_row *r)
{
	for (int i = 0; i < r->w.row.ncells; i++)
		if (r->w.row.cells[i].has_op && r->w.row.cells[i].op == MCW_OTS_INCREMENT)
			return true;
	return false;
}

/* A row may occur again only if none of its changes looks at it first */
static bool
check_repeated(ots_call *call, batch *b)
{
	batch_row **sorted = emu_malloc(b->nrows * sizeof(*sorted));
	int			n = 0;
	bool		ok = true;

	for (int i = 0; i < b->nrows; i++)
		if (b->rows[i].bound && !b->rows[i].w.auto_increment)
			sorted[n++] = &b->rows[i];
	qsort(sorted, n, sizeof(*sorted), row_cmp);
	for (int i = 0; ok && i < n; i++)
	{
		bool		repeated = (i > 0 && row_cmp(&sorted[i - 1], &sorted[i]) == 0) ||
			(i + 1 < n && row_cmp(&sorted[i], &sorted[i + 1]) == 0);

		if (repeated && sorted[i]->w.existence != 0)
			ok = ots_invalid(&call->fault, "Repeated rows do not support row exist expectation check in BatchModify.");
		else if (repeated && sorted[i]->w.has_condition)
			ok = ots_invalid(&call->fault, "Repeated rows do not support row condition check in BatchModify.");
		else if (repeated && increments(sorted[i]))
			ok = ots_invalid(&call->fault, "Repeated rows do not support atomic increment in BatchModify.");
	}
	free(sorted);
	return ok;
}

static void
key_text(const mcw_ots_value *v, char *out, size_t size)
{
	if (v->type == MCW_OTS_INTEGER)
		snprintf(out, size, "%lld", (long long) v->i);
	else
		snprintf(out, size, "%.*s", (int) (v->s.len < 200 ? v->s.len : 200), v->s.data);
}

/* Rows of different partition keys all fail, with the first two keys that differ (seen on the service) */
static bool
refuse_partitions(batch *b, int other)
{
	char		one[256];
	char		two[256];

	key_text(&b->rows[0].w.key.v[0], one, sizeof(one));
	key_text(&b->rows[other].w.key.v[0], two, sizeof(two));
	for (int i = 0; i < b->nrows; i++)
		(void) ots_fault_set(&b->rows[i].fault, 400, "OTSDataOutOfRange",
							 "Data out of scope of atomic. Atomic PartKey:%s. Data PartKey:%s", one, two);
	return true;
}

/* Of an atomic batch: one table, one partition key, nothing wrong with any row */
static bool
check_atomic(ots_call *call, batch *b)
{
	if (call->row_fault.status)
	{
		call->fault = call->row_fault;	/* planned for single rows: there are none */
		return false;
	}
	if (b->ntables != 1)
		return ots_invalid(&call->fault, "Atomic BatchWriteRow only supports one table.");
	for (int i = 0; i < b->nrows; i++)
	{
		if (b->rows[i].fault.status)
		{
			call->fault = b->rows[i].fault;
			return false;
		}
		if (mcw_ots_value_cmp(&b->rows[i].w.key.v[0], &b->rows[0].w.key.v[0]) != 0)
			return refuse_partitions(b, i);
	}
	return true;
}

static void
bind(ots_call *call, batch *b)
{
	for (int i = 0; i < b->ntables; i++)
		b->tables[i].table = ots_call_table(call->inst, b->tables[i].name, true, call->req->now_us, &b->tables[i].fault);
	for (int i = 0; i < b->nrows; i++)
	{
		batch_row  *r = &b->rows[i];
		batch_table *t = &b->tables[r->table];

		if (t->table == NULL)
			r->fault = t->fault;
		else
			r->bound = ots_write_bind(&r->w, t->table, call->req->arena, &r->fault);
	}
}

/* Undo for an atomic batch that failed: the rows as they were */
typedef struct saved_row
{
	mcw_view	sort;
	ots_row    *row;
} saved_row;

static void
put_row_result(mcw_buf *out, const ots_fault *why, int32_t read, int32_t written, const mcw_buf *returned)
{
	size_t		mark = mcw_pb_begin(out, 2);

	mcw_pb_put_uint(out, 1, why->status == 0);
	if (why->status)
		ots_put_error(out, 2, why);
	else
	{
		ots_put_consumed(out, 3, read, written);
		if (returned->len > 0)
			mcw_pb_put_bytes(out, 4, mcw_buf_view(returned));
	}
	mcw_pb_end(out, mark);
}

static void
run_row(ots_call *call, batch_row *r, ots_txn *txn)
{
	mcw_buf		returned;
	int32_t		read = 0;
	int32_t		written = 0;
	ots_fault	struck = {0};

	mcw_buf_init(&returned, &mcw_malloc, (size_t) 1 << 28);
	r->w.txn = txn;
	if (!r->fault.status && ots_row_struck(call, &struck) && !call->row_applied)
		r->fault = struck;
	if (!r->fault.status && ots_write_run(call, &r->w, &returned, &read, &written, &r->fault) && struck.status)
		r->fault = struck;		/* written, and said to have failed */
	put_row_result(call->out, &r->fault, read, written, &returned);
	mcw_buf_free(&returned);
}

/*
 * All or nothing: conditions are checked one row at a time, each against what the
 * ones before wrote, so the whole is tried on the table with its stream held back.
 */
static bool
run_atomic_check(ots_call *call, batch *b)
{
	saved_row  *saved = emu_malloc(b->nrows * sizeof(*saved));
	ots_table  *table = b->tables[0].table;
	ots_stream_spec stream = table->stream;
	uint64_t	version = table->version;
	int64_t		auto_last = table->auto_last;
	ots_capacity used = table->used;
	mcw_buf		returned;
	int32_t		units[2];
	int			n = 0;
	bool		ok = true;

	mcw_buf_init(&returned, &mcw_malloc, (size_t) 1 << 28);
	table->stream.on = false;
	for (int i = 0; ok && !b->rows[0].fault.status && i < b->nrows; i++)
	{
		ots_write	w = b->rows[i].w;

		if (w.auto_increment)
			continue;			/* no condition to fail, no row to meet */
		w.row.cells = emu_malloc((w.row.ncells + 1) * sizeof(ots_change_cell));
		if (w.row.ncells > 0)
			memcpy(w.row.cells, b->rows[i].w.row.cells, w.row.ncells * sizeof(ots_change_cell));
		saved[n] = (saved_row) {w.sort, ots_store_find(&table->rows, w.sort)};
		if (saved[n].row)
			(void) ots_row_ref(saved[n].row);
		n++;
		ok = ots_write_run(call, &w, &returned, &units[0], &units[1], &call->fault);
		free(w.row.cells);
	}
	while (n-- > 0)
		if (saved[n].row)
			ots_store_put(&table->rows, saved[n].row);
		else
			(void) ots_store_remove(&table->rows, saved[n].sort);
	table->stream = stream;
	table->version = version;
	table->auto_last = auto_last;
	table->used = used;
	call->rows_changed = 0;
	mcw_buf_free(&returned);
	free(saved);
	return ok;
}

static void
run(ots_call *call, batch *b, ots_txn *txn)
{
	int			row = 0;

	for (int i = 0; i < b->ntables; i++)
	{
		size_t		mark = mcw_pb_begin(call->out, 1);

		mcw_pb_put_bytes(call->out, 1, b->tables[i].name);
		for (int k = 0; k < b->tables[i].nrows; k++)
			run_row(call, &b->rows[row++], txn);
		mcw_pb_end(call->out, mark);
	}
}

/* Under a transaction one table and its partition key; the rows know the rest */
static bool
find_txn(ots_call *call, batch *b, ots_txn **txn)
{
	*txn = NULL;
	if (b->txn.len == 0)
		return true;
	if (b->ntables != 1)
		return ots_invalid(&call->fault, "BatchWriteRow in a transaction only supports one table.");
	if (b->tables[0].table == NULL)
	{
		call->fault = b->tables[0].fault;
		return false;
	}
	*txn = ots_txn_of(b->tables[0].table, b->txn, call->req->now_us, &call->fault);
	return *txn != NULL;
}

void
ots_batch_write_row(ots_call *call)
{
	batch		b = {0};
	ots_txn    *txn;

	ots_plan_rows(call);
	if (parse(call, &b))
	{
		bind(call, &b);
		if (find_txn(call, &b, &txn) && check_repeated(call, &b) &&
			(!b.atomic || (check_atomic(call, &b) && (txn || run_atomic_check(call, &b)))))
			run(call, &b, txn);
	}
	free(b.tables);
	free(b.rows);
}
