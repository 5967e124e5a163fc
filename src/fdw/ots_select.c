/*
 * ots_select.c
 *		What a scan reads: its ranges, keys, versions and filter, from the conditions of
 *		the plan and their values.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "ots_plan.h"
#include "qual.h"

/* ---- versions ---- */

/* The value in milliseconds, rounded up or down if it is not whole; what is beyond all versions is an end of int64 */
static int64
version_ms(Datum value, Oid type, bool up, bool *exact)
{
	McInstant	x;
	int64		ms;

	*exact = true;
	if (mcOtsComparable(MCW_OTS_INTEGER, type))
		return mcOtsComparand(MCW_OTS_INTEGER, value, type).i;
	x = mcQualInstant(value, type);
	*exact = false;
	if (x.infinite != 0)
		return x.infinite > 0 ? PG_INT64_MAX : PG_INT64_MIN;
	ms = x.micros / 1000 - (x.micros % 1000 < 0);
	*exact = x.micros % 1000 == 0;
	return ms + (up && !*exact);
}

static void
select_versions(const McOtsValues *in, const List *cond, McOtsSelection *selection)
{
	int			strategy = mcOtsCondInt(cond, 1);
	int			expr = mcOtsCondInt(cond, 2);
	bool		exact;
	bool		up = strategy == BTLessStrategyNumber || strategy == BTGreaterEqualStrategyNumber;
	int64		ms;

	if (in->nulls[expr])
	{
		selection->empty = true;
		return;
	}
	if (!selection->has_time_range)
	{
		selection->has_time_range = true;
		selection->start_time = 0;
		selection->end_time = PG_INT64_MAX;
	}
	ms = version_ms(in->values[expr], getBaseType(in->types[expr]), up, &exact);
	switch (strategy)
	{
		case BTLessStrategyNumber:
			selection->end_time = Min(selection->end_time, ms);
			break;
		case BTLessEqualStrategyNumber:
			selection->end_time = Min(selection->end_time, ms == PG_INT64_MAX ? ms : ms + 1);
			break;
		case BTGreaterEqualStrategyNumber:
			selection->start_time = Max(selection->start_time, ms);
			break;
		case BTGreaterStrategyNumber:
			selection->start_time = Max(selection->start_time, ms == PG_INT64_MAX ? ms : ms + 1);
			break;
		default:
			if (!exact)
				selection->empty = true;
			selection->start_time = Max(selection->start_time, ms);
			selection->end_time = Min(selection->end_time, ms == PG_INT64_MAX ? ms : ms + 1);
	}
	if (selection->start_time >= selection->end_time)
		selection->empty = true;
}

/* ---- the selection ---- */

/* For a scan from the larger key down: the range begins at the last key and ends before the first */
static mcw_ots_key
key_before(mcw_ots_key key)
{
	int			last = key.n - 1;

	for (int i = 0; i < key.n; i++)
		if (mcOtsIsEnd(&key.v[i]))
			return key;			/* no key is equal to it */
	if (!mcOtsPreviousValue(&key.v[last]))
		key.v[last] = mcw_ots_none(MCW_OTS_INF_MIN);
	return key;
}

static void
emit(const McOtsKeySet *list, bool ordered, bool backward, McOtsSelection *selection)
{
	bool		mixed = false;

	for (int i = 0; i < list->n; i++)
		mixed = mixed || !list->v[i].point;
	selection->ranges = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(mcs_ots_range) * (list->n + 1));
	selection->keys = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(mcw_ots_key) * (list->n + 1));
	for (int i = 0; i < list->n; i++)
	{
		const McOtsKeyRange *interval = &list->v[backward ? list->n - 1 - i : i];
		mcs_ots_range *range;

		if (interval->point && !(ordered && mixed))
		{
			selection->keys[selection->nkeys++] = interval->lo;
			continue;
		}
		range = &selection->ranges[selection->nranges++];
		range->begin = backward ? key_before(interval->hi) : interval->lo;
		range->end = backward ? key_before(interval->lo) : interval->hi;
	}
	if (list->n == 0)
		selection->empty = true;
}

void
mcOtsSelect(List *columns, List *fdw_private, const Datum *values, const bool *nulls,
			const Oid *types, int nvalues, McOtsSelection *selection)
{
	McOtsValues in = {values, nulls, types};
	List	   *conds = list_nth(fdw_private, MC_OTS_PRIVATE_QUALS);
	McOtsKeySet list = mcOtsKeyRanges(columns, conds, &in);
	ListCell   *lc;

	memset(selection, 0, sizeof(*selection));
	foreach(lc, conds)
		if (mcOtsCondKind(lfirst(lc)) == MC_OTS_COND_VERSION)
			select_versions(&in, lfirst(lc), selection);
	emit(&list, boolVal(list_nth(fdw_private, MC_OTS_PRIVATE_ORDERED)),
		 boolVal(list_nth(fdw_private, MC_OTS_PRIVATE_BACKWARD)), selection);
	if (!mcOtsBuildFilter(columns, list_nth(fdw_private, MC_OTS_PRIVATE_FILTER), &in, &selection->filter))
		selection->empty = true;
	if (selection->empty)
		selection->nranges = selection->nkeys = 0;
}

#define SHOWN_RANGES 3

char *
mcOtsSelectionText(const McOtsSelection *selection)
{
	StringInfoData out;
	char		from[MCS_OTS_KEY_TEXT];
	char		to[MCS_OTS_KEY_TEXT];

	if (selection->empty)
		return pstrdup("none");
	if (selection->nranges == 1 && mcOtsIsEnd(&selection->ranges[0].begin.v[0]) && mcOtsIsEnd(&selection->ranges[0].end.v[0]))
		return pstrdup("all");
	initStringInfo(&out);
	for (int i = 0; i < selection->nranges && i < SHOWN_RANGES; i++)
	{
		const mcs_ots_range *range = &selection->ranges[i];

		appendStringInfo(&out, "%s[%s, %s)", i > 0 ? ", " : "", mcs_ots_key_text(&range->begin, from, sizeof(from)),
						 mcs_ots_key_text(&range->end, to, sizeof(to)));
	}
	for (int i = 0; i < selection->nkeys && selection->nranges == 0 && i < SHOWN_RANGES; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? ", " : "", mcs_ots_key_text(&selection->keys[i], from, sizeof(from)));
	if (Max(selection->nranges, selection->nkeys) > SHOWN_RANGES)
		appendStringInfo(&out, ", %d in all", selection->nranges + selection->nkeys);
	return out.data;
}
