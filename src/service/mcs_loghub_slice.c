/*
 * mcs_loghub_slice.c
 *		Dividing the window of a shard into slices that are read side by side.
 *
 * PullLogs of one shard form a chain: each needs the cursor of the one before.  With
 * fewer shards than 'concurrency' the rest of a slice is cut at cursors the service
 * gives for intermediate times.  The end cursor of a slice is the begin cursor of
 * the next, so nothing is lost or doubled, whatever the times mean; a cut is taken
 * only if its cursor lies strictly inside the slice.
 */
#include "mcs_loghub_scan.h"

#include <stdio.h>

#define WORTH_BYTES ((size_t) 256 << 10)

bool
mcs_slice_add(mcs_scan *scan, int shard, const mcs_cursor *begin, const mcs_cursor *end,
			  int64_t time, int64_t end_time)
{
	mcs_slice  *slice = mcw_new0(scan->alloc, sizeof(*slice));
	mcw_error	err;

	if (slice == NULL ||
		mcs_scan_array(scan, (void ***) &scan->slices, scan->nslices, &scan->capslices) != MCW_OK)
	{
		mcw_free(scan->alloc, slice, sizeof(*slice));
		(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
		mcs_scan_fail(scan, &err, shard, NULL);
		return false;
	}
	slice->shard = shard;
	slice->cursor = *begin;
	slice->end = *end;
	slice->time = time;
	slice->end_time = end_time;
	scan->slices[scan->nslices++] = slice;
	scan->active++;
	scan->info.slices++;
	return true;
}

void
mcs_slice_finish(mcs_scan *scan, mcs_slice *slice)
{
	slice->state = MCS_SLICE_DONE;
	scan->info.slices_done++;
	scan->active--;
	mcs_range_finished(scan, slice);
}

static void
plan_cuts(mcs_scan *scan, mcs_slice *slice, int pieces)
{
	int64_t		low = slice->time + 1;
	int64_t		span = slice->end_time - low;
	int			i;

	if (pieces > span)
		pieces = (int) span;
	if (pieces > MCS_MAX_CUTS + 1)
		pieces = MCS_MAX_CUTS + 1;
	if (slice->cuts == NULL && pieces >= 2)
		slice->cuts = mcw_new(scan->alloc, sizeof(mcs_cut) * MCS_MAX_CUTS);
	if (pieces < 2 || slice->cuts == NULL)
	{
		slice->no_split = true;
		slice->state = MCS_SLICE_IDLE;
		return;
	}
	slice->ncuts = pieces - 1;
	for (i = 0; i < slice->ncuts; i++)
	{
		slice->cuts[i].time = low + span * (i + 1) / pieces;
		slice->cuts[i].step = MCS_NEED;
	}
	slice->state = MCS_SLICE_SPLITTING;
}

static int
pieces_for(const mcs_scan *scan)
{
	return scan->active > 0 ? scan->spec.concurrency / scan->active : 0;
}

void
mcs_slice_consider(mcs_scan *scan, mcs_slice *slice, const mcs_slot *slot)
{
	uint64_t	ignored;

	/* slices side by side have no order */
	if (scan->spec.ordered)
		return;
	if (slice->no_split || scan->target < 2 || pieces_for(scan) < 2)
		return;
	if (slot->page.groups * 2 < (uint32_t) scan->spec.count && slot->raw.len < WORTH_BYTES)
		return;
	if (!mcs_cursor_int(&slice->cursor, &ignored) || !mcs_cursor_int(&slice->end, &ignored))
	{
		slice->no_split = true;
		return;
	}
	if (slice->time > 0)
		plan_cuts(scan, slice, pieces_for(scan));
	else
	{
		slice->state = MCS_SLICE_SPLITTING;
		slice->time_step = MCS_NEED;
		slice->ncuts = 0;
	}
}

void
mcs_slice_ask(mcs_scan *scan)
{
	mcs_control *control;
	mcw_error	err;
	int			i;
	int			k;

	for (i = 0; i < scan->nslices; i++)
	{
		mcs_slice  *slice = scan->slices[i];

		if (slice->state != MCS_SLICE_SPLITTING)
			continue;
		if (slice->ncuts == 0 && slice->time_step == MCS_NEED)
		{
			if (scan->asking >= scan->spec.concurrency ||
				(control = mcs_scan_control(scan, MCS_JOB_SLICE_TIME)) == NULL)
				return;
			control->slice = slice;
			slice->time_step = MCS_ASKED;
			mcs_scan_start(scan, control,
						   mcs_get_cursor_time(&control->call, scan->spec.logstore, slice->shard,
											   &slice->cursor, &err), &err);
		}
		for (k = 0; k < slice->ncuts; k++)
		{
			mcs_cut    *cut = &slice->cuts[k];
			char		from[24];

			if (cut->step != MCS_NEED)
				continue;
			if (scan->asking >= scan->spec.concurrency ||
				(control = mcs_scan_control(scan, MCS_JOB_CUT)) == NULL)
				return;
			control->slice = slice;
			control->cut = cut;
			cut->step = MCS_ASKED;
			(void) snprintf(from, sizeof(from), "%lld", (long long) cut->time);
			mcs_scan_start(scan, control,
						   mcs_get_cursor(&control->call, scan->spec.logstore, slice->shard, from, &err),
						   &err);
		}
	}
}

/* All cuts are known: divide. */
static void
divide(mcs_scan *scan, mcs_slice *slice)
{
	mcs_cursor	end = slice->end;
	int64_t		end_time = slice->end_time;
	uint64_t	low;
	uint64_t	high;
	uint64_t	at;
	int			last = -1;
	int			i;

	slice->state = MCS_SLICE_IDLE;
	if (!mcs_cursor_int(&slice->cursor, &low) || !mcs_cursor_int(&end, &high))
		slice->no_split = true;
	else
	{
		for (i = 0; i < slice->ncuts; i++)
		{
			const mcs_cut *cut = &slice->cuts[i];

			if (!mcs_cursor_int(&cut->cursor, &at) || at <= low || at >= high)
				continue;
			if (last < 0)
			{
				slice->end = cut->cursor;
				slice->end_time = cut->time;
			}
			else if (!mcs_slice_add(scan, slice->shard, &slice->cuts[last].cursor, &cut->cursor,
									slice->cuts[last].time, cut->time))
				return;
			last = i;
			low = at;
		}
		if (last < 0)
			slice->no_split = true;
		else
			(void) mcs_slice_add(scan, slice->shard, &slice->cuts[last].cursor, &end,
								 slice->cuts[last].time, end_time);
	}
	slice->ncuts = 0;
}

void
mcs_slice_answer(mcs_scan *scan, mcs_control *control)
{
	mcs_slice  *slice = control->slice;
	mcw_error	err;
	int			i;

	if (control->job == MCS_JOB_SLICE_TIME)
	{
		if (mcs_parse_cursor_time(&control->call, &slice->time, &err) != MCW_OK)
			mcs_scan_fail(scan, &err, slice->shard, &slice->cursor);
		else
			plan_cuts(scan, slice, pieces_for(scan));
		return;
	}
	if (mcs_parse_cursor(&control->call, &control->cut->cursor, &err) != MCW_OK)
	{
		mcs_scan_fail(scan, &err, slice->shard, NULL);
		return;
	}
	control->cut->step = MCS_HAVE;
	for (i = 0; i < slice->ncuts; i++)
	{
		if (slice->cuts[i].step != MCS_HAVE)
			return;
	}
	divide(scan, slice);
}
