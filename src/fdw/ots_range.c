/*
 * ots_range.c
 *		Conditions on key columns, evaluated, as ranges and keys.
 */
#include "postgres.h"

#include "ots.h"

void
mcOtsSelect(List *columns, List *fdw_private, const Datum *values, const bool *nulls,
			const Oid *types, int nvalues, McOtsSelection *selection)
{
	bool		backward = boolVal(list_nth(fdw_private, MC_OTS_PRIVATE_BACKWARD));
	mcs_ots_range *range = palloc0(sizeof(mcs_ots_range));
	int			n = mcOtsKeyCount(columns);

	memset(selection, 0, sizeof(*selection));
	range->begin.n = range->end.n = n;
	for (int i = 0; i < n; i++)
	{
		range->begin.v[i] = mcw_ots_none(backward ? MCW_OTS_INF_MAX : MCW_OTS_INF_MIN);
		range->end.v[i] = mcw_ots_none(backward ? MCW_OTS_INF_MIN : MCW_OTS_INF_MAX);
	}
	selection->ranges = range;
	selection->nranges = 1;
}

char *
mcOtsSelectionText(const McOtsSelection *selection)
{
	return pstrdup("all");
}
