/*
 * ots_row.c
 *		From the rows of a page to values in a virtual slot, shape 'row'.
 *
 * Short texts become Datums where they stand in the page, by writing a varlena header
 * over the last byte of their length; so the page stays until the next row is asked
 * for, and what walks the cells of a row ('*', __version__) is made before.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "convert_ots.h"

#define ROWS_PER_STEP 1000
#define MAX_NAMES_TO_GET 128	/* beyond it all columns are asked for (2.2) */

/* ---- start ---- */

static void
declare_names(McOtsScan *scan)
{
	bool		rest = false;
	ListCell   *lc;

	scan->declared = palloc(sizeof(mcw_view) * (list_length(scan->columns) + 1));
	foreach(lc, scan->columns)
	{
		const McOtsColumn *column = lfirst(lc);

		if (column->kind == MC_OTS_CELL)
			scan->declared[scan->ndeclared++] = mcw_str(column->wire);
		rest |= column->kind == MC_OTS_REST;
	}
	/* nothing is unknown to '*', and in shape 'cell' everything is shown */
	scan->unknown_error = scan->unknown_error && !rest && !scan->cell_shape;
}

static void
add_field(McOtsScan *scan, const McOtsColumn *column)
{
	bool		read = column->kind == MC_OTS_KEY || column->kind == MC_OTS_CELL;
	McOtsField *field = read ? &scan->fields[scan->nfields++] : &scan->others[scan->nothers++];

	field->column = column;
	field->index = column->attnum - 1;
	field->at = -1;
	if (read || column->kind == MC_OTS_CELL_VALUE)
		field->in = mcOtsInCreate(column, scan->rejects.on_error != MC_ON_ERROR_STOP);
	if (read)
	{
		field->at = scan->nvalues;
		scan->names[scan->nvalues++] = mcw_str(column->wire);
	}
}

/* unknown_columns 'error' counts what it knows: the reader finds every declared column */
static void
read_undemanded(McOtsScan *scan, List *attrs)
{
	ListCell   *lc;

	foreach(lc, scan->columns)
	{
		const McOtsColumn *column = lfirst(lc);

		if (column->kind == MC_OTS_CELL && !list_member_int(attrs, column->attnum))
			scan->names[scan->nvalues++] = mcw_str(column->wire);
	}
}

/*
 * columns_to_get: what is shown and a key column, without which the service leaves
 * out rows that have none of the others; all key columns come with it.
 */
static void
choose_columns(McOtsScan *scan)
{
	const McOtsColumn *key = mcOtsKeyColumn(scan->columns, 0);

	if (scan->cell_shape || scan->nothers > 0 || scan->unknown_error || scan->nvalues >= MAX_NAMES_TO_GET)
		return;
	scan->get = palloc(sizeof(mcw_view) * (scan->nvalues + 1));
	scan->get[scan->nget++] = mcw_str(key->wire);
	for (int i = 0; i < scan->nfields; i++)
	{
		if (scan->fields[i].column->kind == MC_OTS_CELL)
			scan->get[scan->nget++] = scan->names[i];
	}
}

void
mcOtsRowInit(McOtsScan *scan, TupleDesc desc)
{
	List	   *attrs = list_nth(scan->fdw_private, MC_OTS_PRIVATE_ATTRS);
	int			n = list_length(scan->columns) + 1;
	ListCell   *lc;

	scan->fields = palloc0(sizeof(McOtsField) * n);
	scan->others = palloc0(sizeof(McOtsField) * n);
	scan->names = palloc0(sizeof(mcw_view) * n);
	scan->values = palloc0(sizeof(mcw_ots_value) * n);
	declare_names(scan);
	foreach(lc, attrs)
		add_field(scan, mcOtsColumn(scan->columns, lfirst_int(lc)));
	if (scan->unknown_error)
		read_undemanded(scan, attrs);
	choose_columns(scan);

	scan->reader = mcw_ots_reader_create(&scan->conn->alloc, scan->names, scan->nvalues);
	if (scan->reader == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_OUT_OF_MEMORY), errmsg("out of memory")));
	scan->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	for (int i = 0; i < desc->natts; i++)
	{
		scan->slot->tts_values[i] = (Datum) 0;
		scan->slot->tts_isnull[i] = true;
	}
}

/* ---- where we are ---- */

/*
 * The key of the present row.  Headers written in place are taken away for the walk:
 * the byte before a value that short was zero.
 */
static void
row_key(McOtsScan *scan, mcw_ots_key *key)
{
	uint8	   *saved = palloc(scan->nvalues + 1);
	size_t		pos = 0;
	mcw_ots_cell cell;
	bool		is_key;

	for (int i = 0; i < scan->nvalues; i++)
	{
		const mcw_ots_value *value = &scan->values[i];

		saved[i] = 0;
		if ((value->type == MCW_OTS_STRING || value->type == MCW_OTS_BINARY) && value->s.len <= MC_OTS_IN_PLACE_MAX)
		{
			saved[i] = (uint8) value->s.data[-1];
			unconstify(char *, value->s.data)[-1] = 0;
		}
	}
	/* not a step further: in shape 'cell' names behind the key have headers too */
	for (key->n = 0; key->n < Min(scan->row.nkeys, MCW_OTS_MAX_KEYS); key->n++)
	{
		(void) mcw_ots_next_cell(&scan->row, &pos, &cell, &is_key);
		key->v[key->n] = cell.value;
	}
	for (int i = 0; i < scan->nvalues; i++)
	{
		if (saved[i] != 0)
			unconstify(char *, scan->values[i].s.data)[-1] = (char) saved[i];
	}
	pfree(saved);
}

void
mcOtsPlace(const McOtsScan *scan, McPlace *place)
{
	McOtsScan  *mine = unconstify(McOtsScan *, scan);

	memset(place, 0, sizeof(*place));
	place->wrapper = MC_TABLESTORE;
	place->server = scan->server != NULL ? scan->server->name : NULL;
	place->object = scan->object;
	if (scan->page == NULL)
		return;
	if (scan->page->split >= 0)
	{
		snprintf(mine->part, sizeof(mine->part), "split %d", scan->page->split);
		place->part = scan->part;
	}
	if (scan->in_row)
	{
		mcw_ots_key key;

		row_key(mine, &key);
		(void) mcs_ots_key_text(&key, mine->position, sizeof(mine->position));
		place->position = psprintf("key %s", mcShownName(mcw_str(scan->position)));
	}
}

bool
mcOtsBadCell(McOtsScan *scan, const McOtsColumn *column, const McOtsBad *bad, mcw_view value)
{
	McPlace		place;

	mcOtsPlace(scan, &place);
	place.column = column->attname;
	if (column->kind == MC_OTS_KEY && bad->sqlstate == ERRCODE_FDW_INVALID_DATA_TYPE)
	{
		/* no row can have a key like that: what we remember of the table is not so any more */
		mcOtsForgetTable(scan->server, scan->table);
		ereport(ERROR,
				(errcode(bad->sqlstate),
				 errmsg("%s", bad->reason),
				 errhint("The table was made anew with another primary key: compare the declaration of the foreign table."),
				 mcPlaceContext(&place)));
	}
	/* a key column is never NULL: conditions on it and the order of the rows rely on that */
	return mcBadValue(&scan->rejects, &place, bad->sqlstate, bad->reason, value,
					  column->not_null || column->kind == MC_OTS_KEY) == MC_ROW_DROP;
}

static void
malformed_page(McOtsScan *scan, const mcw_error *err)
{
	McPlace		place;

	scan->in_row = false;
	mcOtsPlace(scan, &place);
	mcRaise(err, &place);
}

/* ---- attribute columns that nobody declared ---- */

static bool
is_declared(const McOtsScan *scan, mcw_view name)
{
	for (int i = 0; i < scan->ndeclared; i++)
	{
		if (mcw_view_eq(scan->declared[i], name))
			return true;
	}
	return false;
}

/* unknown_columns 'error': the row has more cells than we know */
static void
refuse_unknown(McOtsScan *scan)
{
	size_t		pos = 0;
	mcw_ots_cell cell;
	bool		is_key;
	McPlace		place;

	while (mcw_ots_next_cell(&scan->row, &pos, &cell, &is_key) == MCW_OK)
	{
		if (is_key || is_declared(scan, cell.name))
			continue;
		mcOtsPlace(scan, &place);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("a row has attribute column \"%s\", which no column of \"%s\" shows", mcShownName(cell.name),
						scan->relname),
				 errhint("Add a column for it, or one with OPTIONS (field '*') for all others, or set unknown_columns 'ignore'."),
				 mcPlaceContext(&place)));
	}
}

static void
check_unknown(McOtsScan *scan)
{
	uint32		found = 0;

	for (int i = 0; i < scan->nvalues; i++)
		found += scan->values[i].type != MCW_OTS_NONE;
	for (int i = 0; i < scan->nfields; i++)
		found -= scan->fields[i].column->kind == MC_OTS_KEY;
	if (unlikely(found != scan->row.ncells))
		refuse_unknown(scan);
}

/* ---- '*' and __version__ ---- */

static bool
rest_value(McOtsScan *scan, Datum *datum, McOtsBad *bad)
{
	bool		swallow = scan->rejects.on_error != MC_ON_ERROR_STOP;
	JsonbParseState *state = NULL;
	size_t		pos = 0;
	mcw_ots_cell cell;
	bool		is_key;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (mcw_ots_next_cell(&scan->row, &pos, &cell, &is_key) == MCW_OK)
	{
		JsonbValue	k;
		JsonbValue	v;

		if (is_key || cell.value.type == MCW_OTS_NONE || is_declared(scan, cell.name))
			continue;
		if (!mcOtsJsonString(cell.name, swallow, &k, bad) || !mcOtsJsonValue(&cell.value, swallow, &v, bad))
			return false;
		(void) pushJsonbValue(&state, WJB_KEY, &k);
		(void) pushJsonbValue(&state, WJB_VALUE, &v);
	}
	*datum = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
	return true;
}

Datum
mcOtsVersion(int64 ms, Oid type)
{
	if (type == INT8OID)
		return Int64GetDatum(ms);
	return TimestampTzGetDatum(ms * 1000 - MC_EPOCH_US);
}

/* False: the row has no attribute cell */
static bool
row_version(McOtsScan *scan, int64 *newest)
{
	size_t		pos = 0;
	mcw_ots_cell cell;
	bool		is_key;

	*newest = MCW_OTS_NO_TIMESTAMP;
	while (mcw_ots_next_cell(&scan->row, &pos, &cell, &is_key) == MCW_OK)
	{
		if (!is_key && cell.timestamp > *newest)
			*newest = cell.timestamp;
	}
	return *newest != MCW_OTS_NO_TIMESTAMP;
}

/* What walks the cells.  False: drop the row. */
static bool
fill_others(McOtsScan *scan)
{
	Datum	   *values = scan->slot->tts_values;
	bool	   *isnull = scan->slot->tts_isnull;

	for (int i = 0; i < scan->nothers; i++)
	{
		const McOtsField *field = &scan->others[i];
		McOtsBad	bad;
		int64		version;

		isnull[field->index] = false;
		if (field->column->kind == MC_OTS_ROW_VERSION)
		{
			if (row_version(scan, &version))
				values[field->index] = mcOtsVersion(version, field->column->type);
			else
				isnull[field->index] = true;
		}
		else if (!rest_value(scan, &values[field->index], &bad))
		{
			if (mcOtsBadCell(scan, field->column, &bad, (mcw_view) {NULL, 0}))
				return false;
			isnull[field->index] = true;
		}
	}
	return true;
}

/* ---- rows ---- */

void
mcOtsStartPage(McOtsScan *scan)
{
	mcw_error	err;

	scan->in_row = false;
	if (mcw_ots_reader_page(scan->reader, scan->page->rows, false, &err) != MCW_OK)
		malformed_page(scan, &err);
}

/*
 * A page takes milliseconds to consume; without this its successors would stay in
 * the sockets' buffers meanwhile and the next requests would start late.
 */
static void
drive_network(McOtsScan *scan)
{
	if (likely(scan->rows - scan->driven_at < ROWS_PER_STEP))
		return;
	scan->driven_at = scan->rows;
	/* an interrupt is served by the executor */
	(void) mcn_loop_step(scan->conn->client.loop, 0);
}

bool
mcOtsReadRow(McOtsScan *scan)
{
	mcw_error	err;
	mcw_status	status;

	drive_network(scan);
	status = mcw_ots_next_row(scan->reader, &scan->row, scan->values, NULL, &err);
	if (likely(status == MCW_OK))
	{
		scan->rows++;
		scan->in_row = true;
		return true;
	}
	if (status != MCW_END)
		malformed_page(scan, &err);
	scan->in_row = false;
	return false;
}

/* Not convertible at sight.  False: drop the row. */
static bool
fill_slowly(McOtsScan *scan, const McOtsField *field, const mcw_ots_value *value)
{
	McOtsBad	bad;

	scan->slot->tts_isnull[field->index] = false;
	if (mcOtsIn(field->in, value, &scan->slot->tts_values[field->index], &bad) == MC_OTS_OK)
		return true;
	scan->slot->tts_isnull[field->index] = true;
	return !mcOtsBadCell(scan, field->column, &bad,
						 scan->rejects.verbose_values ? mcOtsValueText(value) : (mcw_view) {"", 0});
}

static inline bool
fill(McOtsScan *scan, const McOtsField *field)
{
	const mcw_ots_value *value = &scan->values[field->at];
	bool		absent = value->type == MCW_OTS_NONE;

	scan->slot->tts_isnull[field->index] = absent;
	return absent || mcOtsInFast(field->in, value, &scan->slot->tts_values[field->index]) ||
		fill_slowly(scan, field, value);
}

bool
mcOtsFill(McOtsScan *scan, const McOtsField *field)
{
	return fill(scan, field);
}

static bool
fill_row(McOtsScan *scan)
{
	const McOtsField *field = scan->fields;
	const McOtsField *end = field + scan->nfields;

	if (unlikely(scan->unknown_error))
		check_unknown(scan);
	if (scan->nothers > 0 && !fill_others(scan))
		return false;
	for (; field < end; field++)
	{
		if (unlikely(!fill(scan, field)))
			return false;
	}
	return true;
}

bool
mcOtsNextRow(McOtsScan *scan)
{
	if (scan->cell_shape)
		return mcOtsNextCellRow(scan);

	ExecClearTuple(scan->slot);
	while (mcOtsReadRow(scan))
	{
		MemoryContext old;
		bool		keep;

		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		keep = fill_row(scan);
		MemoryContextSwitchTo(old);
		if (likely(keep))
		{
			ExecStoreVirtualTuple(scan->slot);
			return true;
		}
		/* a page may hold thousands of rows and none of them is good */
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}
