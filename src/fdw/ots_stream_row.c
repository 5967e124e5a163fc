/*
 * ots_stream_row.c
 *		From the records of a page to values in a virtual slot: records outside the
 *		window are dropped, shape 'row' gives one row for each record.
 *
 * One walk over the cells finds what the columns need: the newest value of each
 * column, the deleted ones, what no column shows.  Values are converted after it,
 * since short texts become Datums in place, over the lengths that the walk reads.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "convert_ots.h"
#include "ots_stream.h"

#define RECORDS_PER_STEP 1000

/* ---- start ---- */

static int
compare_names(const void *a, const void *b)
{
	return mcw_view_cmp(((const McStreamName *) a)->wire, ((const McStreamName *) b)->wire);
}

static void
place_field(McStreamScan *scan, McStreamField *field)
{
	const McOtsColumn *column = field->column;

	if (column->kind == MC_OTS_KEY || column->kind == MC_OTS_CELL || column->kind == MC_OTS_CELL_VALUE)
		field->in = mcOtsInCreate(column, scan->rejects.on_error != MC_ON_ERROR_STOP);
	switch (column->kind)
	{
		case MC_OTS_KEY:
			scan->keys[column->key] = field;
			break;
		case MC_OTS_OP:
			scan->op = field;
			break;
		case MC_OTS_COMMIT_TIME:
			scan->commit_time = field;
			break;
		case MC_OTS_SEQUENCE:
			scan->sequence = field;
			break;
		case MC_OTS_SHARD:
			scan->shard = field;
			break;
		case MC_OTS_DELETED:
			scan->deleted = field;
			break;
		case MC_OTS_REST:
			scan->rest = field;
			break;
		case MC_OTS_ROW_VERSION:
		case MC_OTS_CELL_VERSION:
			scan->version = field;
			break;
		case MC_OTS_CELL_NAME:
			scan->cell_name = field;
			break;
		case MC_OTS_CELL_TYPE:
			scan->cell_type = field;
			break;
		case MC_OTS_CELL_VALUE:
			scan->cell_value = field;
			break;
		case MC_OTS_CELL:
			break;
	}
}

/* All attribute columns of the declaration: what is in none of them is unknown, or '*' shows it */
static void
declare_names(McStreamScan *scan)
{
	bool		has_rest = false;
	ListCell   *lc;

	scan->names = palloc0(sizeof(McStreamName) * (list_length(scan->columns) + 1));
	foreach(lc, scan->columns)
	{
		const McOtsColumn *column = lfirst(lc);
		McStreamName *name;

		has_rest = has_rest || column->kind == MC_OTS_REST;
		if (column->kind != MC_OTS_CELL)
			continue;
		name = &scan->names[scan->nnames++];
		name->wire = mcw_str(column->wire);
		for (int i = 0; i < scan->nfields; i++)
		{
			if (scan->fields[i].column == column)
				name->field = &scan->fields[i];
		}
	}
	if (has_rest)
		scan->unknown_error = false;
	qsort(scan->names, scan->nnames, sizeof(McStreamName), compare_names);
}

void
mcStreamRowInit(McStreamScan *scan, TupleDesc desc, List *attrs)
{
	ListCell   *lc;

	scan->fields = palloc0(sizeof(McStreamField) * (list_length(attrs) + 1));
	foreach(lc, attrs)
	{
		McStreamField *field = &scan->fields[scan->nfields++];

		field->column = mcOtsColumn(scan->columns, lfirst_int(lc));
		field->index = field->column->attnum - 1;
		place_field(scan, field);
	}
	declare_names(scan);
	scan->reader = mcw_ots_reader_create(&scan->conn->alloc, NULL, 0);
	if (scan->reader == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_OUT_OF_MEMORY), errmsg("out of memory")));
	scan->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	for (int i = 0; i < desc->natts; i++)
	{
		scan->slot->tts_values[i] = (Datum) 0;
		scan->slot->tts_isnull[i] = true;
	}
}

void
mcStreamStartPage(McStreamScan *scan)
{
	scan->page_pos = 0;
	scan->record_at = 0;
	scan->in_record = false;
}

/* ---- where we are ---- */

void
mcStreamPlace(McStreamScan *scan, McPlace *place)
{
	memset(place, 0, sizeof(*place));
	place->wrapper = MC_TABLESTORE;
	place->server = scan->server->name;
	place->object = psprintf("%s.%s", scan->server->instance, scan->table);
	if (scan->page == NULL)
		return;
	snprintf(scan->part, sizeof(scan->part), "shard %s", scan->page->shard);
	place->part = scan->part;
	if (scan->row.has_sequence)
		snprintf(scan->position, sizeof(scan->position), "record %s", scan->sequence_text);
	else
		snprintf(scan->position, sizeof(scan->position), "iterator %s", scan->page->iterator);
	place->position = scan->position;
}

static void
malformed(McStreamScan *scan, const mcw_error *err)
{
	McPlace		place;

	scan->row.has_sequence = false;
	mcStreamPlace(scan, &place);
	mcRaise(err, &place);
}

/* True if the row is to be dropped; else the value becomes NULL.  May raise. */
static bool
bad_value(McStreamScan *scan, const McOtsColumn *column, const McOtsBad *bad, mcw_view value)
{
	McPlace		place;

	mcStreamPlace(scan, &place);
	place.column = column->attname;
	return mcBadValue(&scan->rejects, &place, bad->sqlstate, bad->reason, value, column->not_null) == MC_ROW_DROP;
}

/* ---- values ---- */

static void
set(McStreamScan *scan, const McStreamField *field, Datum value)
{
	if (field == NULL)
		return;
	scan->slot->tts_values[field->index] = value;
	scan->slot->tts_isnull[field->index] = false;
}

static void
set_null(McStreamScan *scan, const McStreamField *field)
{
	if (field != NULL)
		scan->slot->tts_isnull[field->index] = true;
}

Datum
mcStreamText(mcw_view utf8)
{
	if (mcTextIsServer(utf8))
		return PointerGetDatum(cstring_to_text_with_len(utf8.data, (int) utf8.len));
	return CStringGetTextDatum(mcTextToServer(utf8, false, NULL));
}

bool
mcStreamConvert(McStreamScan *scan, const McStreamField *field, const mcw_ots_value *value)
{
	McOtsBad	bad;
	Datum		datum;

	if (value->type == MCW_OTS_NONE)
	{
		set_null(scan, field);
		return false;
	}
	if (likely(mcOtsInFast(field->in, value, &datum)) || mcOtsIn(field->in, value, &datum, &bad) == MC_OTS_OK)
	{
		set(scan, field, datum);
		return false;
	}
	set_null(scan, field);
	return bad_value(scan, field->column, &bad,
					 scan->rejects.verbose_values ? mcOtsValueText(value) : (mcw_view) {"", 0});
}

void
mcStreamVersion(McStreamScan *scan, int64 version)
{
	if (scan->version == NULL)
		return;
	if (version == MCW_OTS_NO_TIMESTAMP)
		set_null(scan, scan->version);
	else
		set(scan, scan->version, mcOtsVersion(version, scan->version->column->type));
}

/* ---- what all rows of a record share ---- */

/* Key columns.  True if the record is to be dropped. */
static bool
fill_key(McStreamScan *scan)
{
	mcw_ots_cell cell;
	bool		is_key;

	scan->cell_pos = 0;
	for (uint32 i = 0; i < scan->row.nkeys; i++)
	{
		const McOtsColumn *column = mcOtsKeyColumn(scan->columns, (int) i);

		(void) mcw_ots_next_cell(&scan->row, &scan->cell_pos, &cell, &is_key);
		if (unlikely(column == NULL || !mcw_view_eq(cell.name, mcw_str(column->wire))))
		{
			mcw_error	err;

			(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "a record of the change stream has another primary key than the table");
			malformed(scan, &err);
		}
		if (scan->keys[i] != NULL && mcStreamConvert(scan, scan->keys[i], &cell.value))
			return true;
	}
	return false;
}

static bool
fill_record(McStreamScan *scan)
{
	set(scan, scan->commit_time, TimestampTzGetDatum(scan->row.time_us - MC_EPOCH_US));
	if (scan->shard != NULL)
		set(scan, scan->shard, mcStreamText(mcw_str(scan->page->shard)));
	if (scan->sequence != NULL && !scan->cell_shape)
		set(scan, scan->sequence, CStringGetTextDatum(scan->sequence_text));
	return fill_key(scan);
}

/* ---- shape 'row' ---- */

/* The declared attribute column of that name, NULL if there is none.  Records mostly have the same order. */
static McStreamName *
find_name(McStreamScan *scan, mcw_view name)
{
	McStreamName key = {.wire = name};
	McStreamName *found;

	if (scan->guess < scan->nnames && mcw_view_eq(scan->names[scan->guess].wire, name))
		found = &scan->names[scan->guess];
	else if (scan->nnames > 0)
		found = bsearch(&key, scan->names, scan->nnames, sizeof(McStreamName), compare_names);
	else
		found = NULL;
	if (found != NULL)
		scan->guess = (int) (found - scan->names) + 1;
	return found;
}

static void
refuse_unknown(McStreamScan *scan, mcw_view name)
{
	McPlace		place;

	mcStreamPlace(scan, &place);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("a record has attribute column \"%s\", which no column of \"%s\" shows",
					TextDatumGetCString(mcStreamText(name)), scan->relname),
			 errhint("Add a column for it, or one with OPTIONS (field '*') for all others, or set unknown_columns 'ignore'."),
			 mcPlaceContext(&place)));
}

/* A column that was deleted after it was put in the same record */
static void
forget_value(McStreamScan *scan, const McStreamName *name, mcw_view column)
{
	McStreamRest *rest = &scan->others;

	if (name != NULL)
	{
		if (name->field != NULL)
			name->field->value.type = MCW_OTS_NONE;
		return;
	}
	for (int i = 0; i < rest->n; i++)
	{
		if (mcw_view_eq(rest->cells[i].name, column))
		{
			rest->cells[i] = rest->cells[--rest->n];
			return;
		}
	}
}

/* A value that no column shows, for '*': of several versions the newest, of two of one version the later */
static void
add_rest(McStreamScan *scan, const mcw_ots_cell *cell)
{
	McStreamRest *rest = &scan->others;

	for (int i = 0; i < rest->n; i++)
	{
		if (!mcw_view_eq(rest->cells[i].name, cell->name))
			continue;
		if (cell->timestamp >= rest->cells[i].timestamp)
			rest->cells[i] = *cell;
		return;
	}
	if (rest->n == rest->cap)
	{
		rest->cap = rest->cap ? rest->cap * 2 : 32;
		if (rest->cells == NULL)
			rest->cells = MemoryContextAlloc(scan->cxt, sizeof(mcw_ots_cell) * rest->cap);
		else
			rest->cells = repalloc(rest->cells, sizeof(mcw_ots_cell) * rest->cap);
	}
	rest->cells[rest->n++] = *cell;
}

static void
take_cell(McStreamScan *scan, const mcw_ots_cell *cell, int64 *newest)
{
	McStreamName *name = find_name(scan, cell->name);

	if (unlikely(name == NULL && scan->unknown_error))
		refuse_unknown(scan, cell->name);
	if (cell->value.type == MCW_OTS_NONE)
	{
		if (cell->op == MCW_OTS_DELETE_ONE)
		{
			scan->one_version++;
			return;
		}
		forget_value(scan, name, cell->name);
		if (scan->deleted != NULL)
			scan->deleted_names = lappend(scan->deleted_names, DatumGetPointer(mcStreamText(cell->name)));
		return;
	}
	if (cell->timestamp > *newest)
		*newest = cell->timestamp;
	if (name == NULL)
	{
		if (scan->rest != NULL)
			add_rest(scan, cell);
	}
	else if (name->field != NULL &&
			 (name->field->value.type == MCW_OTS_NONE || cell->timestamp >= name->field->timestamp))
	{
		name->field->value = cell->value;
		name->field->timestamp = cell->timestamp;
	}
}

static void
fill_deleted(McStreamScan *scan)
{
	int			n = list_length(scan->deleted_names);
	Datum	   *names;

	if (scan->deleted == NULL)
		return;
	if (n == 0)
	{
		set_null(scan, scan->deleted);
		return;
	}
	names = palloc(sizeof(Datum) * n);
	for (int i = 0; i < n; i++)
		names[i] = PointerGetDatum(list_nth(scan->deleted_names, i));
	set(scan, scan->deleted, PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* True if the row is to be dropped */
static bool
fill_rest(McStreamScan *scan)
{
	bool		swallow = scan->rejects.on_error != MC_ON_ERROR_STOP;
	JsonbParseState *state = NULL;
	McOtsBad	bad;

	if (scan->rest == NULL)
		return false;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < scan->others.n; i++)
	{
		const mcw_ots_cell *cell = &scan->others.cells[i];
		JsonbValue	k;
		JsonbValue	v;

		if (!mcOtsJsonString(cell->name, swallow, &k, &bad) || !mcOtsJsonValue(&cell->value, swallow, &v, &bad))
		{
			set_null(scan, scan->rest);
			return bad_value(scan, scan->rest->column, &bad, (mcw_view) {NULL, 0});
		}
		(void) pushJsonbValue(&state, WJB_KEY, &k);
		(void) pushJsonbValue(&state, WJB_VALUE, &v);
	}
	set(scan, scan->rest, JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL))));
	return false;
}

static const char *
op_name(mcw_ots_change action)
{
	return action == MCW_OTS_PUT_ROW ? "put" : action == MCW_OTS_UPDATE_ROW ? "update" : "delete";
}

/* The row of a record.  True if it is to be dropped. */
static bool
fill_row(McStreamScan *scan)
{
	int64		newest = MCW_OTS_NO_TIMESTAMP;
	mcw_ots_cell cell;
	bool		is_key;
	size_t		pos = 0;

	scan->others.n = 0;
	scan->deleted_names = NIL;
	scan->guess = 0;
	for (int i = 0; i < scan->nnames; i++)
	{
		if (scan->names[i].field != NULL)
			scan->names[i].field->value.type = MCW_OTS_NONE;
	}
	while (mcw_ots_next_cell(&scan->row, &pos, &cell, &is_key) == MCW_OK)
	{
		if (!is_key)
			take_cell(scan, &cell, &newest);
	}
	if (scan->op != NULL)
		set(scan, scan->op, CStringGetTextDatum(op_name(scan->record.action)));
	mcStreamVersion(scan, newest);
	fill_deleted(scan);
	if (fill_rest(scan) || fill_record(scan))
		return true;
	for (int i = 0; i < scan->nnames; i++)
	{
		const McStreamField *field = scan->names[i].field;

		if (field != NULL && mcStreamConvert(scan, field, &field->value))
			return true;
	}
	return false;
}

/* ---- records ---- */

/* Is the record of the window?  Also watches the clock of its shard. */
static bool
in_window(McStreamScan *scan)
{
	int64		at = scan->row.time_us;
	int64	   *newest = scan->page->newest_us;

	if (at > *newest)
		*newest = at;
	else
		scan->step_us = Max(scan->step_us, *newest - at);
	if (scan->source != NULL)
		return true;
	return (!scan->selection.has_begin || at >= scan->selection.begin) &&
		(!scan->selection.has_end || at < scan->selection.end);
}

/*
 * A page takes milliseconds to consume; without this its successors would stay in
 * the sockets' buffers meanwhile and the next requests would start late.
 */
static void
drive_network(McStreamScan *scan)
{
	if (likely(++scan->undriven < RECORDS_PER_STEP))
		return;
	scan->undriven = 0;
	/* an interrupt is served by the executor */
	(void) mcn_loop_step(scan->conn->client.loop, 0);
}

/* The next record of the window in scan->record and scan->row; false at the end of the page */
static bool
next_record(McStreamScan *scan)
{
	mcw_error	err;
	mcw_status	status;

	for (;;)
	{
		drive_network(scan);
		if (scan->record_at == scan->page->upto)
			return false;
		status = mcw_ots_next_record(&scan->page->records, &scan->page_pos, &scan->record, &err);
		if (status == MCW_END)
			return false;
		if (status == MCW_OK && scan->record_at++ < scan->page->first)
		{
			scan->dropped++;
			continue;
		}
		if (status == MCW_OK)
			status = mcw_ots_reader_page(scan->reader, scan->record.record, false, &err);
		if (status == MCW_OK)
			status = mcw_ots_next_row(scan->reader, &scan->row, NULL, NULL, &err);
		if (status == MCW_END)
			(void) mcw_fail(&err, MCW_ERR_FORMAT, "a record of the change stream is empty");
		else if (status == MCW_OK && !scan->row.has_sequence)
		{
			status = MCW_ERR_PROTOCOL;
			(void) mcw_fail(&err, status, "a record of the change stream has no commit time");
		}
		if (status != MCW_OK)
			malformed(scan, &err);
		if (in_window(scan))
			break;
		scan->dropped++;
	}
	snprintf(scan->sequence_text, sizeof(scan->sequence_text), "%010d_%020lld_%010d_%s", scan->row.epoch,
			 (long long) scan->row.time_us, scan->row.row_index, scan->page->shard);
	return true;
}

/* Shape 'cell': the first line of the record follows.  False: the record is dropped. */
static bool
start_record(McStreamScan *scan)
{
	MemoryContext old;

	MemoryContextReset(scan->record_cxt);
	old = MemoryContextSwitchTo(scan->record_cxt);
	scan->in_record = !fill_record(scan);
	MemoryContextSwitchTo(old);
	scan->line = 0;
	return scan->in_record;
}

bool
mcStreamNextRow(McStreamScan *scan)
{
	ExecClearTuple(scan->slot);
	for (;;)
	{
		MemoryContext old;
		bool		keep;

		if (!scan->in_record)
		{
			if (!next_record(scan))
				return false;
			if (scan->cell_shape && !start_record(scan))
			{
				CHECK_FOR_INTERRUPTS();
				continue;
			}
		}
		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		keep = scan->cell_shape ? mcStreamNextLine(scan) : !fill_row(scan);
		MemoryContextSwitchTo(old);
		if (likely(keep))
		{
			scan->rows++;
			ExecStoreVirtualTuple(scan->slot);
			return true;
		}
		/* a page may hold thousands of records and none of them is good */
		CHECK_FOR_INTERRUPTS();
	}
}
