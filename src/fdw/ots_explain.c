/*
 * ots_explain.c
 *		What EXPLAIN shows of a Tablestore scan.
 */
#include "postgres.h"

#include "compat.h"
#include "ots.h"

void
mcOtsExplain(ForeignScanState *node, ExplainState *es)
{
	McOtsScan  *scan = node->fdw_state;

	if (scan == NULL)
		return;
	ExplainPropertyText("Tablestore Table", scan->table, es);
}
