/*
 * mcs_loghub_range.c
 *		A scan of ranges of cursors that were fixed before (mcs_loghub_chain.h).
 *
 * A shard with the same hash keys as an older one descends from it.  In an ordered scan
 * it is not begun before the older one is read, so that logs with one key come in the
 * order in which they were written.
 */
#include "mcs_loghub_scan.h"

static bool
is_empty(const mcs_range *range)
{
	return mcs_cursor_eq(&range->begin, &range->end);
}

mcw_status
mcs_range_copy(mcs_scan *scan, const mcs_scan_spec *spec, mcw_error *err)
{
	if (spec->ranges == NULL)
		return MCW_OK;
	scan->ranges = mcw_new(scan->alloc, sizeof(mcs_range) * (spec->nranges + 1));
	if (scan->ranges != NULL)
		scan->waits_for = mcw_new0(scan->alloc, sizeof(int) * (spec->nranges + 1));
	if (scan->waits_for == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	if (spec->nranges > 0)
		memcpy(scan->ranges, spec->ranges, sizeof(mcs_range) * spec->nranges);
	scan->spec.ranges = scan->ranges;
	return MCW_OK;
}

void
mcs_range_free(mcs_scan *scan)
{
	mcw_free(scan->alloc, scan->ranges, sizeof(mcs_range) * (scan->spec.nranges + 1));
	mcw_free(scan->alloc, scan->waits_for, sizeof(int) * (scan->spec.nranges + 1));
}

static bool
descends(const mcs_range *younger, const mcs_range *older)
{
	return younger->shard > older->shard && mcs_ranges_overlap(younger, older);
}

static bool
begin_range(mcs_scan *scan, int i)
{
	const mcs_range *range = &scan->ranges[i];

	if (!mcs_slice_add(scan, range->shard, &range->begin, &range->end, 0, scan->info.end))
		return false;
	scan->slices[scan->nslices - 1]->range = i;
	return true;
}

void
mcs_range_open(mcs_scan *scan)
{
	int			n = scan->spec.nranges;

	scan->info.resolved = true;
	scan->info.service_now = scan->listed_at = scan->spec.service_now;
	scan->info.ttl_days = scan->spec.ttl_days;
	scan->info.shards = n;
	scan->phase = MCS_PHASE_READING;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n && scan->spec.ordered; k++)
			scan->waits_for[i] += !is_empty(&scan->ranges[k]) && descends(&scan->ranges[i], &scan->ranges[k]);
	for (int i = 0; i < n; i++)
		if (!is_empty(&scan->ranges[i]) && scan->waits_for[i] == 0 && !begin_range(scan, i))
			return;
}

/* In an ordered scan a slice is a whole range */
void
mcs_range_finished(mcs_scan *scan, const mcs_slice *slice)
{
	if (scan->ranges == NULL || !scan->spec.ordered)
		return;
	for (int i = 0; i < scan->spec.nranges; i++)
		if (!is_empty(&scan->ranges[i]) && descends(&scan->ranges[i], &scan->ranges[slice->range]) &&
			--scan->waits_for[i] == 0 && !begin_range(scan, i))
			return;
}
