/*
 * ots_txn.c
 *		mc-emulator, Tablestore part: local transactions.  A transaction holds the lock
 *		of one value of the partition key, reads the rows of that value with its own
 *		writes in them, and replays what it staged when it commits.  tablestore.md 2.3,
 *		4.5.
 *
 * While the lock is held nobody else writes there, so the copy of the rows (references,
 * no bytes) that the transaction began with stays what the table has.
 */
#include <stdlib.h>

#include "ots.h"

#define TXN_LIFE_US INT64_C(60000000)
#define TXN_MAX_BYTES 4194304
#define TXN_DEAD_US (10 * TXN_LIFE_US)	/* how long an id that is over is remembered */

typedef enum txn_end
{
	TXN_OPEN, TXN_COMMITTED, TXN_ABORTED, TXN_EXPIRED
} txn_end;

typedef struct staged
{
	ots_mutation m;				/* bytes and rows owned */
	struct staged *next;
} staged;

struct ots_txn
{
	char		id[64];
	ots_table  *table;			/* NULL = dropped */
	mcw_buf		prefix;			/* sort key of the partition key value */
	int64_t		start_us;
	txn_end		end;
	ots_store	rows;
	size_t		bytes;
	staged	   *first;
	staged	  **tail;
	ots_txn    *next;
};

static ots_txn *txns;
static uint64_t next_id = 1;

static mcw_view
copy_view(mcw_view v)
{
	char	   *p;

	if (v.len == 0)
		return (mcw_view) {NULL, 0};
	p = emu_malloc(v.len);
	memcpy(p, v.data, v.len);
	return (mcw_view) {p, v.len};
}

/* The transaction is over: its lock and its rows are given back, its id stays for a while */
static void
finish(ots_txn *txn, txn_end end)
{
	staged	   *s;

	while ((s = txn->first) != NULL)
	{
		txn->first = s->next;
		free((char *) s->m.sort.data);
		free((char *) s->m.record.data);
		free((char *) s->m.origin.data);
		ots_row_unref(s->m.before);
		ots_row_unref(s->m.after);
		free(s);
	}
	txn->tail = &txn->first;
	ots_store_clear(&txn->rows);
	txn->end = end;
}

static void
expire(int64_t now_us)
{
	ots_txn   **p = &txns;

	while (*p)
	{
		ots_txn    *txn = *p;

		if (txn->end == TXN_OPEN && now_us - txn->start_us >= TXN_LIFE_US)
			finish(txn, TXN_EXPIRED);
		if (txn->end != TXN_OPEN && now_us - txn->start_us >= TXN_DEAD_US)
		{
			*p = txn->next;
			mcw_buf_free(&txn->prefix);
			free(txn);
		}
		else
			p = &txn->next;
	}
}

static bool
starts_with(mcw_view v, mcw_view prefix)
{
	return v.len >= prefix.len && memcmp(v.data, prefix.data, prefix.len) == 0;
}

static void
sort_prefix(const mcw_ots_value *first, mcw_buf *out)
{
	mcw_buf_init(out, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(out, first, 1);
}

/* The open transaction that locks this partition key value */
static ots_txn *
holder(const ots_table *table, const mcw_ots_value *first)
{
	mcw_buf		prefix;
	ots_txn    *txn = txns;

	if (txn == NULL)
		return NULL;
	sort_prefix(first, &prefix);
	while (txn && (txn->end != TXN_OPEN || txn->table != table ||
				   !mcw_view_eq(mcw_buf_view(&txn->prefix), mcw_buf_view(&prefix))))
		txn = txn->next;
	mcw_buf_free(&prefix);
	return txn;
}

static bool
conflict(ots_fault *why)
{
	return ots_fault_set(why, 409, "OTSRowOperationConflict", "Data is being modified by the other request.");
}

static ots_txn *
begin(ots_table *table, const mcw_ots_value *first, int64_t now_us)
{
	ots_txn    *txn = emu_malloc(sizeof(ots_txn));
	ots_cursor	c;
	ots_row    *row;

	memset(txn, 0, sizeof(*txn));
	snprintf(txn->id, sizeof(txn->id), "txn-%016llx-%llu", (unsigned long long) now_us, (unsigned long long) next_id++);
	txn->table = table;
	txn->start_us = now_us;
	txn->tail = &txn->first;
	sort_prefix(first, &txn->prefix);
	c = ots_store_seek(&table->rows, mcw_buf_view(&txn->prefix), false);
	while ((row = ots_store_at(&table->rows, c)) != NULL && starts_with(ots_row_sort(row), mcw_buf_view(&txn->prefix)))
	{
		ots_store_put(&txn->rows, ots_row_ref(row));
		ots_store_next(&table->rows, &c);
	}
	txn->next = txns;
	txns = txn;
	return txn;
}

/* ---- the calls ---- */

static bool
next_field(ots_call *call, size_t *pos, mcw_pb_field *f)
{
	mcw_status	status = mcw_pb_next(call->body, pos, f);

	if (status != MCW_OK && status != MCW_END)
		(void) ots_bad_message(&call->fault);
	return status == MCW_OK;
}

void
ots_start_transaction(ots_call *call)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	name = {NULL, 0};
	mcw_view	key = {NULL, 0};
	ots_change_row row;
	ots_table  *t;
	mcw_ots_type type;

	while (next_field(call, &pos, &f))
		if (f.number == 1 && f.wire == MCW_PB_BYTES)
			name = f.bytes;
		else if (f.number == 2 && f.wire == MCW_PB_BYTES)
			key = f.bytes;
	if (call->fault.status)
		return;
	if (name.data == NULL || key.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	if ((t = ots_call_table(call->inst, name, true, call->req->now_us, &call->fault)) == NULL ||
		!ots_plain_parse(key, call->req->arena, &row, &call->fault))
		return;
	if (!t->local_txn)
	{
		(void) ots_invalid(&call->fault, "Try to call method using explicit transaction on explicit-transaction-disabled table.");
		return;
	}
	type = t->schema.keys[0].type;
	if (row.nkeys != 1)
		(void) ots_invalid(&call->fault, "StartLocalTransaction support only one primary key.");
	else if (!mcw_view_eq(row.keys[0].name, t->schema.keys[0].name))
		(void) ots_fault_set(&call->fault, 400, "OTSInvalidPK", "Validate PK name fail. Input: %.*s, Meta: %.*s.",
							 (int) row.keys[0].name.len, row.keys[0].name.data, (int) t->schema.keys[0].name.len,
							 t->schema.keys[0].name.data);
	else if (row.keys[0].value.type != type)
		(void) ots_fault_set(&call->fault, 400, "OTSInvalidPK", "Validate PK type fail. Input: VT_%s, Meta: VT_%s.",
							 mcw_ots_type_name(row.keys[0].value.type), mcw_ots_type_name(type));
	else
	{
		expire(call->req->now_us);
		if (holder(t, &row.keys[0].value))
			(void) conflict(&call->fault);
		else
			mcw_pb_put_bytes(call->out, 1, mcw_str(begin(t, &row.keys[0].value, call->req->now_us)->id));
	}
}

static ots_txn *
find_open(mcw_view id, int64_t now_us, ots_fault *why)
{
	ots_txn    *txn;

	expire(now_us);
	for (txn = txns; txn; txn = txn->next)
		if (mcw_view_eq(mcw_str(txn->id), id))
			break;
	if (txn && txn->end == TXN_OPEN)
		return txn;
	if (txn && txn->end == TXN_EXPIRED)
		(void) ots_fault_set(why, 400, "OTSSessionExpired", "The session has expired.");
	else
		(void) ots_fault_set(why, 404, "OTSSessionNotExist", "Session not exist or may be timeout.");
	return NULL;
}

/* The transaction_id of commit and abort; of this instance */
static ots_txn *
named_transaction(ots_call *call)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	id = {NULL, 0};
	ots_txn    *txn;

	while (next_field(call, &pos, &f))
		if (f.number == 1 && f.wire == MCW_PB_BYTES)
			id = f.bytes;
	if (call->fault.status)
		return NULL;
	if (id.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return NULL;
	}
	if (id.len == 0)
	{
		(void) ots_invalid(&call->fault, "TransactionID is invalid.");
		return NULL;
	}
	txn = find_open(id, call->req->now_us, &call->fault);
	if (txn && txn->table->inst != call->inst)
	{
		(void) ots_fault_set(&call->fault, 404, "OTSSessionNotExist", "Session not exist or may be timeout.");
		return NULL;
	}
	return txn;
}

void
ots_commit_transaction(ots_call *call)
{
	ots_txn    *txn = named_transaction(call);

	if (txn == NULL)
		return;
	for (staged *s = txn->first; s; s = s->next)
	{
		/* one commit time for everything, rows in the order they were written */
		s->m.time_us = call->commit_us;
		s->m.row_index = call->rows_changed++;
		ots_apply(txn->table, &s->m);
	}
	finish(txn, TXN_COMMITTED);
}

void
ots_abort_transaction(ots_call *call)
{
	ots_txn    *txn = named_transaction(call);

	if (txn == NULL)
		return;
	/* the Node SDK reads this answer as if it were the request */
	mcw_pb_put_bytes(call->out, 1, mcw_str(txn->id));
	finish(txn, TXN_ABORTED);
}

/* ---- what reads and writes ask ---- */

ots_txn *
ots_txn_find(const ots_table *table, mcw_view id, int64_t now_us, ots_fault *why)
{
	ots_txn    *txn = find_open(id, now_us, why);

	if (txn && txn->table != table)
	{
		(void) ots_fault_set(why, 400, "OTSDataOutOfRange", "Data is out of the range of the local transaction.");
		return NULL;
	}
	return txn;
}

static bool
in_range(const ots_txn *txn, const mcw_ots_value *first, ots_fault *why)
{
	mcw_buf		prefix;
	bool		ok;

	sort_prefix(first, &prefix);
	ok = mcw_view_eq(mcw_buf_view(&txn->prefix), mcw_buf_view(&prefix));
	mcw_buf_free(&prefix);
	return ok || ots_fault_set(why, 400, "OTSDataOutOfRange", "Data is out of the range of the local transaction.");
}

/* Outside of transactions everything committed may be read */
bool
ots_txn_may_read(ots_txn *txn, const ots_table *table, const mcw_ots_value *first, ots_fault *why)
{
	return txn == NULL || in_range(txn, first, why);
}

bool
ots_txn_may_write(ots_txn *txn, const ots_table *table, const mcw_ots_value *first, ots_fault *why)
{
	if (txn)
		return in_range(txn, first, why);
	if (txns)
		expire(emu_now_us());
	return holder(table, first) == NULL || conflict(why);
}

ots_store *
ots_txn_store(ots_txn *txn)
{
	return &txn->rows;
}

bool
ots_txn_stage(ots_txn *txn, const ots_mutation *m, size_t bytes, ots_fault *why)
{
	staged	   *s;

	if (bytes > TXN_MAX_BYTES - txn->bytes)
		return ots_fault_set(why, 400, "OTSOutOfTransactionDataSizeLimit",
							 "The data size of the local transaction exceeds the limit, limit size: %d.", TXN_MAX_BYTES);
	txn->bytes += bytes;
	s = emu_malloc(sizeof(staged));
	s->m = *m;
	s->m.sort = copy_view(m->sort);
	s->m.record = copy_view(m->record);
	s->m.origin = copy_view(m->origin);
	if (m->before)
		ots_row_ref(m->before);
	if (m->after)
	{
		ots_row_ref(m->after);
		ots_store_put(&txn->rows, ots_row_ref(m->after));
	}
	else
		(void) ots_store_remove(&txn->rows, m->sort);
	s->next = NULL;
	*txn->tail = s;
	txn->tail = &s->next;
	return true;
}

void
ots_txn_table_dropped(ots_table *table)
{
	for (ots_txn *txn = txns; txn; txn = txn->next)
		if (txn->table == table)
		{
			if (txn->end == TXN_OPEN)
				finish(txn, TXN_ABORTED);
			txn->table = NULL;
		}
}
