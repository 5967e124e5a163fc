/*
 * mcs_loghub_ring.c
 *		The bounded ring of pages of a scan: PullLogs in flight, pages ready, the page
 *		the consumer holds.
 *
 * At most 'concurrency' pages are in flight or ready; the scan begins with
 * 'first_pulls' and the number doubles each time the consumer takes a page, so that a
 * LIMIT does not fetch the ring.  The next pull of a slice starts when its page has arrived, before
 * the page is used.
 */
#include "mcs_loghub_scan.h"

static void
make_ready(mcs_scan *scan, mcs_slot *slot)
{
	slot->state = MCS_SLOT_READY;
	slot->next_ready = NULL;
	if (scan->ready_tail != NULL)
		scan->ready_tail->next_ready = slot;
	else
		scan->ready_head = slot;
	scan->ready_tail = slot;
	scan->ready++;
	scan->ready_bytes += slot->raw.len;
}

static mcw_status
accept_page(mcn_request *req, mcw_error *err)
{
	mcs_call   *call = req->owner;
	mcs_slot   *slot = call->user;

	mcw_buf_reset(&slot->raw);
	return mcs_parse_pull(call, &slot->raw, &slot->result, err);
}

/*
 * Is 'next' a legal successor?  Equal to the request's cursor means that nothing is
 * left; past the end cursor, or backwards, must not happen and is never guessed about.
 */
static bool
check_next(mcs_scan *scan, mcs_slot *slot, const mcs_slice *slice)
{
	const mcs_cursor *next = &slot->result.next;
	uint64_t	from;
	uint64_t	to;
	uint64_t	end;
	mcw_error	err;

	if (mcs_cursor_eq(next, &slice->cursor))
	{
		if (slot->result.groups == 0)
			return true;
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL,
						"PullLogs returned %u log groups and the cursor it was given", slot->result.groups);
		mcs_scan_fail(scan, &err, slice->shard, &slice->cursor);
		return false;
	}
	if (mcs_cursor_eq(next, &slice->end) || !mcs_cursor_int(next, &to) ||
		!mcs_cursor_int(&slice->cursor, &from) || !mcs_cursor_int(&slice->end, &end))
		return true;
	if (to > end || to < from)
	{
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "the next cursor %s is %s",
						next->data, to > end ? "behind the end cursor" : "before the one read");
		mcs_scan_fail(scan, &err, slice->shard, &slice->cursor);
		return false;
	}
	return true;
}

static void
fill_page(mcs_slot *slot, const mcs_slice *slice)
{
	mcs_page   *page = &slot->page;

	page->data = mcw_buf_view(&slot->raw);
	page->shard = slice->shard;
	page->cursor = slice->cursor;
	page->groups = slot->result.groups;
	page->cursor_time = slot->result.cursor_time;
	page->first_cursor = slot->result.last_cursor >= page->groups && page->groups > 0 ?
		slot->result.last_cursor - page->groups + 1 : 0;
}

/* The slice of a page that has arrived: read on, or done */
static void
advance(mcs_scan *scan, mcs_slot *slot)
{
	mcs_slice  *slice = slot->slice;

	if (mcs_cursor_eq(&slot->result.next, &slice->cursor) ||
		mcs_cursor_eq(&slot->result.next, &slice->end))
		mcs_slice_finish(scan, slice);
	else
	{
		slice->cursor = slot->result.next;
		if (slot->result.cursor_time > 0)
			slice->time = slot->result.cursor_time;
		slice->state = MCS_SLICE_IDLE;
		mcs_slice_consider(scan, slice, slot);
	}
}

static void
page_arrived(mcn_request *req)
{
	mcs_call   *call = req->owner;
	mcs_slot   *slot = call->user;
	mcs_scan   *scan = slot->scan;
	mcs_slice  *slice = slot->slice;
	bool		timing;

	scan->pulling--;
	slot->state = MCS_SLOT_SPENT;
	if (scan->phase == MCS_PHASE_FAILED)
		return;
	if (req->status != MCW_OK)
	{
		mcs_scan_fail(scan, &req->error, slice->shard, &slice->cursor);
		return;
	}
	if (!check_next(scan, slot, slice))
		return;
	fill_page(slot, slice);
	scan->info.bytes_compressed += (int64_t) req->response.len;
	if (slot->page.groups > 0)
	{
		scan->page_bytes = slot->raw.len;
		scan->info.pages++;
		scan->info.groups += slot->page.groups;
		scan->info.bytes_raw += (int64_t) slot->raw.len;
	}

	timing = slot->page.groups > 0 && scan->spec.need_cursor_time && slot->page.cursor_time == 0;
	/* a page that waits for its time would be overtaken by the next */
	if (!(timing && scan->spec.ordered))
		advance(scan, slot);
	if (slot->page.groups > 0)
	{
		if (timing)
		{
			mcs_control *control = mcs_scan_control(scan, MCS_JOB_PAGE_TIME);
			mcw_error	err;

			if (control == NULL)
				return;
			slot->state = MCS_SLOT_TIMING;
			scan->pulling++;
			control->slot = slot;
			mcs_scan_start(scan, control,
						   mcs_get_cursor_time(&control->call, scan->spec.logstore, slot->page.shard,
											   &slot->page.cursor, &err), &err);
		}
		else
			make_ready(scan, slot);
	}
	mcs_scan_pump(scan);
}

void
mcs_ring_timed(mcs_scan *scan, mcs_slot *slot, int64_t time)
{
	slot->page.cursor_time = time;
	scan->pulling--;
	if (scan->spec.ordered)
		advance(scan, slot);
	make_ready(scan, slot);
}

static void
start_pull(mcs_scan *scan, mcs_slot *slot, mcs_slice *slice)
{
	mcs_call   *call = &slot->call;
	mcw_error	err;
	mcw_status	status;

	call->user = slot;
	status = mcs_pull_logs(call, scan->spec.logstore, slice->shard, &slice->cursor, &slice->end,
						   scan->spec.count, scan->spec.codec, scan->spec.query, &err);
	if (status != MCW_OK)
	{
		mcs_scan_fail(scan, &err, slice->shard, &slice->cursor);
		return;
	}
	call->req.accept = accept_page;
	call->req.on_done = page_arrived;
	slot->slice = slice;
	slot->state = MCS_SLOT_PULLING;
	slice->state = MCS_SLICE_PULLING;
	scan->pulling++;
	mcn_request_start(&call->req);
}

void
mcs_ring_pull(mcs_scan *scan)
{
	int			tries;
	int			s = 0;

	for (tries = 0; tries < scan->nslices && scan->phase == MCS_PHASE_READING; tries++)
	{
		mcs_slice  *slice;

		if (scan->pulling + scan->ready >= scan->target ||
			(scan->pulling + scan->ready > 0 &&
			 scan->ready_bytes + (size_t) (scan->pulling + 1) * scan->page_bytes > scan->spec.max_buffered))
			return;
		slice = scan->slices[scan->turn++ % scan->nslices];
		if (slice->state != MCS_SLICE_IDLE)
			continue;
		while (s < scan->nslots && scan->slots[s].state != MCS_SLOT_FREE)
			s++;
		if (s == scan->nslots)
			return;
		start_pull(scan, &scan->slots[s], slice);
	}
}

/* SPENT to FREE; only from outside the loop */
static void
recycle(mcs_scan *scan)
{
	int			i;
	mcs_control *control;

	for (i = 0; i < scan->nslots; i++)
	{
		if (scan->slots[i].state == MCS_SLOT_SPENT)
			scan->slots[i].state = MCS_SLOT_FREE;
	}
	for (control = scan->controls; control != NULL; control = control->next)
	{
		if (control->spent)
			control->busy = control->spent = false;
	}
}

mcw_status
mcs_scan_try(mcs_scan *scan, mcs_page **page, mcw_error *err)
{
	mcs_slot   *slot;

	*page = NULL;
	recycle(scan);
	if (scan->phase != MCS_PHASE_FAILED)
		mcs_scan_pump(scan);
	if (scan->phase == MCS_PHASE_FAILED)
	{
		*err = scan->error;
		return scan->error.status;
	}
	slot = scan->ready_head;
	if (slot == NULL)
		return scan->phase == MCS_PHASE_DONE ? MCW_END : MCW_OK;
	scan->ready_head = slot->next_ready;
	if (scan->ready_head == NULL)
		scan->ready_tail = NULL;
	scan->ready--;
	scan->ready_bytes -= slot->raw.len;
	slot->state = MCS_SLOT_HELD;
	*page = &slot->page;
	scan->target = scan->target * 2 < scan->spec.concurrency ? scan->target * 2 : scan->spec.concurrency;
	mcs_scan_pump(scan);
	return MCW_OK;
}

mcw_status
mcs_scan_next(mcs_scan *scan, mcs_page **page, mcw_error *err)
{
	bool		stalled = false;
	mcw_status	status;

	for (;;)
	{
		/* take what has arrived meanwhile, so that the next pulls start early */
		status = mcn_loop_step(scan->client->loop, 0);
		if (status == MCW_OK)
			status = mcs_scan_try(scan, page, err);
		if (status == MCW_OK && *page == NULL)
		{
			if (!stalled)
				scan->info.stalls++;
			stalled = true;
			status = mcn_loop_step(scan->client->loop, -1);
			if (status == MCW_OK)
				continue;
		}
		if (status == MCW_ERR_INTERRUPTED)
			(void) mcw_fail(err, status, "interrupted");
		return status;
	}
}

void
mcs_scan_release(mcs_scan *scan, mcs_page *page)
{
	mcs_slot   *slot = (mcs_slot *) page;

	(void) scan;
	slot->state = MCS_SLOT_FREE;
}

bool
mcs_scan_has_news(const mcs_scan *scan)
{
	return scan->ready_head != NULL || scan->phase == MCS_PHASE_DONE ||
		scan->phase == MCS_PHASE_FAILED || scan->phase == MCS_PHASE_NEW;
}
