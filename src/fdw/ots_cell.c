/*
 * ots_cell.c
 *		Shape 'cell': one row for each version of each attribute column.
 *
 * The key is converted once per row of the service; the walk over the cells begins
 * behind the key cells, over whose lengths headers may have been written then.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "convert_ots.h"

/* The type's name as a text Datum that lives for ever */
static Datum
type_text(mcw_ots_type type)
{
	static Datum texts[MCW_OTS_BINARY + 1];

	if (type > MCW_OTS_BINARY)
		elog(ERROR, "unexpected type %d of a cell", (int) type);
	if (texts[type] == (Datum) 0)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		texts[type] = CStringGetTextDatum(mcw_ots_type_name(type));
		MemoryContextSwitchTo(old);
	}
	return texts[type];
}

/* The cell's name.  It has been walked past, so a header may take the last byte of its length (3.1). */
static bool
cell_name(McOtsScan *scan, mcw_view name, Datum *datum, McOtsBad *bad)
{
	McTextError error;
	char	   *text;

	if (likely(name.len <= MC_OTS_IN_PLACE_MAX && mcw_plain_ascii(name.data, name.len)))
	{
		char	   *header = unconstify(char *, name.data) - 1;

		SET_VARSIZE_SHORT(header, name.len + VARHDRSZ_SHORT);
		*datum = PointerGetDatum(header);
		return true;
	}
	text = mcTextToServer(name, scan->rejects.on_error != MC_ON_ERROR_STOP, &error);
	if (text == NULL)
	{
		bad->sqlstate = error.sqlstate;
		bad->reason = error.reason;
		return false;
	}
	*datum = CStringGetTextDatum(text);
	return true;
}

/* False: drop the row */
static bool
fill_cell(McOtsScan *scan, const mcw_ots_cell *cell)
{
	for (int i = 0; i < scan->nothers; i++)
	{
		const McOtsField *field = &scan->others[i];
		Datum	   *value = &scan->slot->tts_values[field->index];
		bool	   *isnull = &scan->slot->tts_isnull[field->index];
		bool		good = true;
		McOtsBad	bad;

		switch (field->column->kind)
		{
			case MC_OTS_CELL_NAME:
				good = cell_name(scan, cell->name, value, &bad);
				break;
			case MC_OTS_CELL_VERSION:
				*value = mcOtsVersion(cell->timestamp, field->column->type);
				break;
			case MC_OTS_CELL_TYPE:
				*value = type_text(cell->value.type);
				break;
			default:
				good = mcOtsInFast(field->in, &cell->value, value) ||
					mcOtsIn(field->in, &cell->value, value, &bad) == MC_OTS_OK;
				break;
		}
		*isnull = !good;
		if (unlikely(!good) &&
			mcOtsBadCell(scan, field->column, &bad,
						 scan->rejects.verbose_values ? mcOtsValueText(&cell->value) : (mcw_view) {"", 0}))
			return false;
	}
	return true;
}

/* The key of the next row of the service.  False: no more rows in the page. */
static bool
next_row(McOtsScan *scan)
{
	while (mcOtsReadRow(scan))
	{
		MemoryContext old;
		mcw_ots_cell cell;
		bool		is_key;
		bool		keep = true;

		if (scan->row.ncells == 0)
			continue;
		scan->cell_pos = 0;
		for (uint32 i = 0; i < scan->row.nkeys; i++)
			(void) mcw_ots_next_cell(&scan->row, &scan->cell_pos, &cell, &is_key);

		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		for (int i = 0; i < scan->nfields && keep; i++)
			keep = mcOtsFill(scan, &scan->fields[i]);
		MemoryContextSwitchTo(old);
		if (keep)
			return true;
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

bool
mcOtsNextCellRow(McOtsScan *scan)
{
	ExecClearTuple(scan->slot);
	for (;;)
	{
		mcw_ots_cell cell;
		bool		is_key;
		MemoryContext old;
		bool		keep;

		if (!scan->in_row && !next_row(scan))
			return false;
		if (mcw_ots_next_cell(&scan->row, &scan->cell_pos, &cell, &is_key) != MCW_OK)
		{
			scan->in_row = false;
			continue;
		}
		if (unlikely(cell.value.type == MCW_OTS_NONE))
			continue;
		MemoryContextReset(scan->cell_cxt);
		old = MemoryContextSwitchTo(scan->cell_cxt);
		keep = fill_cell(scan, &cell);
		MemoryContextSwitchTo(old);
		if (likely(keep))
		{
			ExecStoreVirtualTuple(scan->slot);
			return true;
		}
		CHECK_FOR_INTERRUPTS();
	}
}
