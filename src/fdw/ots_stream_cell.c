/*
 * ots_stream_cell.c
 *		Shape 'cell' of a change stream: one row for each thing a record does to a cell.
 *
 * The operations: U puts a value, DO deletes one version, DA deletes all versions of a
 * column, DR deletes the row.  A put replaces the row, so it begins with a DR; an
 * update that names no cell gives nothing (tablestore.md 5.4).
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "convert_ots.h"
#include "ots_stream.h"

static void
set(McStreamScan *scan, const McStreamField *field, Datum value)
{
	scan->slot->tts_values[field->index] = value;
	scan->slot->tts_isnull[field->index] = false;
}

static void
set_text(McStreamScan *scan, const McStreamField *field, const char *text)
{
	if (field == NULL)
		return;
	if (text != NULL)
		set(scan, field, CStringGetTextDatum(text));
	else
		scan->slot->tts_isnull[field->index] = true;
}

static void
set_sequence(McStreamScan *scan)
{
	if (scan->sequence != NULL)
		set_text(scan, scan->sequence, psprintf("%s:%010d", scan->sequence_text, scan->line));
	scan->line++;
}

/* The row is deleted: no cell is named */
static void
fill_row_deletion(McStreamScan *scan)
{
	set_text(scan, scan->op, "DR");
	set_text(scan, scan->cell_name, NULL);
	set_text(scan, scan->cell_type, NULL);
	mcStreamVersion(scan, MCW_OTS_NO_TIMESTAMP);
	if (scan->cell_value != NULL)
		scan->slot->tts_isnull[scan->cell_value->index] = true;
	set_sequence(scan);
}

/* True if the line is to be dropped */
static bool
fill_cell(McStreamScan *scan, const mcw_ots_cell *cell)
{
	bool		is_value = cell->value.type != MCW_OTS_NONE;
	bool		is_one = cell->op == MCW_OTS_DELETE_ONE;

	set_text(scan, scan->op, is_value ? "U" : is_one ? "DO" : "DA");
	set_text(scan, scan->cell_type, is_value ? mcw_ots_type_name(cell->value.type) : NULL);
	mcStreamVersion(scan, is_value || is_one ? cell->timestamp : MCW_OTS_NO_TIMESTAMP);
	set_sequence(scan);
	if (scan->cell_name != NULL)
		set(scan, scan->cell_name, mcStreamText(cell->name));
	return scan->cell_value != NULL && mcStreamConvert(scan, scan->cell_value, &cell->value);
}

bool
mcStreamNextLine(McStreamScan *scan)
{
	mcw_ots_cell cell;
	bool		is_key;

	if (scan->line == 0 && scan->record.action != MCW_OTS_UPDATE_ROW)
	{
		fill_row_deletion(scan);
		return true;
	}
	if (mcw_ots_next_cell(&scan->row, &scan->cell_pos, &cell, &is_key) != MCW_OK)
	{
		scan->in_record = false;
		return false;
	}
	return !fill_cell(scan, &cell);
}
