/*
 * mcs_ots_cell.h
 *		One text in one row of a Tablestore table: read, and set where it is what the
 *		caller believes (tablestore.md 2.5, 4.5).
 */
#ifndef MCS_OTS_CELL_H
#define MCS_OTS_CELL_H

#include "mcs_ots.h"

typedef struct mcs_ots_cell_at
{
	mcw_view	table;
	const mcw_ots_schema *schema;	/* of one STRING column */
	mcw_view	key;
	mcw_view	column;			/* a STRING attribute column */
} mcs_ots_cell_at;

/*
 * MCW_OK with the value in the arena, MCW_END = there is no such row.  A row without
 * that text is MCW_ERR_FORMAT.  These wait.
 */
extern mcw_status mcs_ots_cell_get(mcs_ots *ots, const mcs_ots_cell_at *at, mcw_arena *arena, mcw_view *value, mcw_error *err);
/*
 * The value becomes 'next' where it is 'last'; 'last' empty = where there is no row.
 * MCW_OK = done; MCW_END = the condition did not hold when the request was carried out
 * last: an earlier copy of it may have been the one that changed the row.  After any
 * other status the request may have been, or may still be carried out.
 */
extern mcw_status mcs_ots_cell_swap(mcs_ots *ots, const mcs_ots_cell_at *at, mcw_view last, mcw_view next, mcw_error *err);

#endif							/* MCS_OTS_CELL_H */
