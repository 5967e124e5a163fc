/*
 * mcs_ots_stream.c
 *		Reading a window of a change stream: its life, the window, iterators and pages.
 *
 * Only the state of the stream is waited for; after that answers come in through
 * completion callbacks, which change state and start what is due (pump).  Of each
 * shard one request is in flight and one page waits at most; pages are handed out as
 * they arrived, which keeps the order of every shard, and a child's first request
 * starts after its parents' last answer.
 */
#include "mcs_ots_stream_scan.h"

#include <stdio.h>

#define MICROS INT64_C(1000000)
#define MAX_STATE ((size_t) 512 << 20)	/* of the list of shards */
#define MAX_EMPTY 1000			/* pages in a row */
#define MAX_ROUNDS 1000			/* of GetShardIterator */
#define READY_PER_SHARD 2		/* with the one that takes the place of a request in flight */

static void pump(mcs_ots_stream_scan *scan);

/* ---- life ---- */

static bool
copy_spec(mcs_ots_stream_scan *scan, const mcs_ots_stream_spec *spec)
{
	mcw_view   *shards = NULL;

	scan->spec = *spec;
	if (mcw_arena_copy(&scan->spec_arena, spec->table, &scan->spec.table) != MCW_OK)
		return false;
	if (spec->shards != NULL)
	{
		shards = mcw_arena_new(&scan->spec_arena, sizeof(mcw_view) * (spec->nshards + 1));
		if (shards == NULL)
			return false;
		for (int i = 0; i < spec->nshards; i++)
		{
			if (mcw_arena_copy(&scan->spec_arena, spec->shards[i], &shards[i]) != MCW_OK)
				return false;
		}
	}
	scan->spec.shards = shards;
	if (spec->chain != NULL && !mcs_ots_chain_copy(scan, spec->chain))
		return false;
	if (spec->max_buffered == 0)
		scan->spec.max_buffered = MCS_OTS_BUFFERED_DEFAULT;
	return true;
}

static bool
make_slots(mcs_ots_stream_scan *scan)
{
	int			n = scan->spec.concurrency * READY_PER_SHARD + 1;

	scan->slots = mcw_new0(scan->alloc, sizeof(mcs_ots_slot) * n);
	scan->active = mcw_new0(scan->alloc, sizeof(mcs_ots_lane *) * scan->spec.concurrency);
	scan->reader = mcw_ots_reader_create(scan->alloc, NULL, 0);
	if (scan->slots == NULL || scan->active == NULL || scan->reader == NULL)
		return false;
	scan->nslots = n;
	for (int i = 0; i < n; i++)
	{
		scan->slots[i].scan = scan;
		mcs_ots_call_init(&scan->slots[i].call, scan->ots, "GetStreamRecord", MCS_OTS_PAGE_MAX);
		mcw_buf_init(&scan->slots[i].iterator, scan->alloc, 1 << 16);
	}
	return true;
}

mcs_ots_stream_scan *
mcs_ots_stream_create(mcs_ots *ots, const mcs_ots_stream_spec *spec, mcw_error *err)
{
	mcs_ots_stream_scan *scan;

	if (spec->table.len == 0 || spec->table.len > MCW_OTS_MAX_NAME)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "a name of %zu bytes is not the name of a table", spec->table.len);
		return NULL;
	}
	if (spec->concurrency < 1 || spec->concurrency > 256 || spec->nshards < 0 ||
		(spec->chain != NULL && (!spec->has_begin || !spec->has_end || spec->shards != NULL)))
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "a scan of a change stream was given values out of range");
		return NULL;
	}
	scan = mcw_new0(ots->alloc, sizeof(*scan));
	if (scan == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scan->ots = ots;
	scan->alloc = ots->alloc;
	scan->spec.concurrency = spec->concurrency;
	scan->queue_head = scan->queue_tail = -1;
	mcw_arena_init(&scan->spec_arena, scan->alloc, MAX_STATE);
	mcw_arena_init(&scan->arena, scan->alloc, MAX_STATE);
	mcw_buf_init(&scan->error_iterator, scan->alloc, 1 << 16);
	if (!copy_spec(scan, spec) || !make_slots(scan))
	{
		mcs_ots_stream_free(scan);
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scan->info.has_begin = spec->has_begin;
	scan->info.begin_us = spec->begin_us;
	scan->info.has_end = spec->has_end;
	scan->info.end_us = spec->end_us;
	return scan;
}

static void
cancel_all(mcs_ots_stream_scan *scan)
{
	for (int i = 0; i < scan->nslots; i++)
		mcn_request_cancel(&scan->slots[i].call.req);
	for (int i = 0; i < scan->nlanes; i++)
	{
		if (scan->lanes[i].seek != NULL)
			mcn_request_cancel(&scan->lanes[i].seek->req);
	}
}

void
mcs_ots_stream_free(mcs_ots_stream_scan *scan)
{
	const mcw_alloc *alloc = scan->alloc;

	cancel_all(scan);
	for (int i = 0; i < scan->nslots; i++)
	{
		mcs_ots_call_free(&scan->slots[i].call);
		mcw_buf_free(&scan->slots[i].iterator);
	}
	mcw_free(alloc, scan->slots, sizeof(mcs_ots_slot) * (scan->spec.concurrency * READY_PER_SHARD + 1));
	mcw_free(alloc, scan->active, sizeof(mcs_ots_lane *) * scan->spec.concurrency);
	mcs_ots_graph_free(scan);
	if (scan->reader != NULL)
		mcw_ots_reader_free(scan->reader);
	mcw_buf_free(&scan->error_iterator);
	mcw_arena_reset(&scan->arena);
	mcw_arena_reset(&scan->spec_arena);
	mcw_free(alloc, scan, sizeof(*scan));
}

const mcs_ots_stream_info *
mcs_ots_stream_get_info(const mcs_ots_stream_scan *scan)
{
	return &scan->info;
}

void
mcs_ots_stream_failed_at(const mcs_ots_stream_scan *scan, const char **shard, const char **iterator)
{
	*shard = scan->error_shard ? scan->error_shard : "";
	*iterator = scan->error_iterator.len > 0 ? scan->error_iterator.data : "";
}

/* Copy with a NUL behind it that does not count */
static bool
keep(mcw_buf *to, mcw_view from)
{
	mcw_buf_reset(to);
	return mcw_buf_append_view(to, from) == MCW_OK && mcw_buf_cstr(to) != NULL;
}

/* The first failure is the scan's; requests in flight are stopped by the next outside call or by free */
void
mcs_ots_stream_fail(mcs_ots_stream_scan *scan, const mcw_error *err, const mcs_ots_lane *lane)
{
	if (scan->phase == MCS_OTS_STREAM_FAILED)
		return;
	scan->phase = MCS_OTS_STREAM_FAILED;
	scan->error = *err;
	if (scan->error.status == MCW_OK)
		scan->error.status = MCW_ERR_PROTOCOL;
	if (lane != NULL)
	{
		scan->error_shard = lane->id;
		(void) keep(&scan->error_iterator, mcw_buf_view(&lane->iterator));
	}
}

static void
fail_memory(mcs_ots_stream_scan *scan, const mcs_ots_lane *lane)
{
	mcw_error	err;

	(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
	mcs_ots_stream_fail(scan, &err, lane);
}

/* ---- window ---- */

/* Fix the window; MCW_END if it is empty */
static mcw_status
resolve_window(mcs_ots_stream_scan *scan, mcw_error *err)
{
	const mcs_ots_stream_state *state = &scan->state;
	mcs_ots_stream_info *info = &scan->info;

	(void) snprintf(info->stream_id, sizeof(info->stream_id), "%s", state->stream.id.data);
	info->service_now_us = state->service_now_us;
	info->oldest_us = state->oldest_us;
	info->expiration = state->stream.expiration;
	info->creation_us = state->stream.creation_us;
	if (info->has_begin && info->begin_us < state->oldest_us)
	{
		if (!scan->spec.clamp_expired)
		{
			(void) mcw_fail(err, MCW_ERR_RANGE, "the window begins before the oldest record of the change stream");
			(void) snprintf(err->code, sizeof(err->code), "ExpiredWindow");
			return MCW_ERR_RANGE;
		}
		info->begin_us = state->oldest_us;
		info->begin_clamped = true;
	}
	if (info->has_end && info->end_us > state->safe_until_us)
	{
		if (!scan->spec.clamp_unsettled)
		{
			(void) mcw_fail(err, MCW_ERR_RANGE, "the window ends less than %d seconds before the service's clock",
							MCS_OTS_STREAM_LAG);
			(void) snprintf(err->code, sizeof(err->code), "UnsettledWindow");
			return MCW_ERR_RANGE;
		}
		info->end_clamped = true;
	}
	if (!info->has_end || info->end_clamped)
		info->end_us = state->safe_until_us;
	info->has_end = true;
	info->resolved = true;

	scan->until_us = info->end_us + MCS_OTS_STREAM_SLACK * MICROS;
	scan->seek_us = -1;
	/* a stream has nothing from before it was enabled */
	if (info->has_begin && info->begin_us - MCS_OTS_STREAM_SLACK * MICROS > state->stream.creation_us)
		scan->seek_us = info->begin_us - MCS_OTS_STREAM_SLACK * MICROS;
	return info->has_begin && info->begin_us >= info->end_us ? MCW_END : MCW_OK;
}

/* Waits for the state of the stream; MCW_ERR_INTERRUPTED leaves the scan as new as it was */
static mcw_status
open_scan(mcs_ots_stream_scan *scan, mcw_error *err)
{
	mcw_status	status;

	mcw_arena_reset(&scan->arena);
	status = mcs_ots_stream_get_state(scan->ots, scan->spec.table, &scan->arena, &scan->state, err);
	if (status == MCW_ERR_INTERRUPTED)
		return status;
	if (status == MCW_OK && scan->spec.chain != NULL)
		status = mcs_ots_chain_check_id(scan, err);
	if (status == MCW_OK)
		status = resolve_window(scan, err);
	if (status == MCW_OK)
		status = mcs_ots_graph_build(scan, err);
	if (status == MCW_OK && scan->spec.chain != NULL)
		status = mcs_ots_chain_attach(scan, err);
	if (status == MCW_OK)
		scan->phase = MCS_OTS_STREAM_READING;
	else if (status == MCW_END)
		scan->phase = MCS_OTS_STREAM_DONE;
	else
		mcs_ots_stream_fail(scan, err, NULL);
	return MCW_OK;
}

/* ---- iterators ---- */

static void
end_seek(mcs_ots_lane *lane)
{
	mcs_ots_call_free(lane->seek);
	mcw_free(lane->scan->alloc, lane->seek, sizeof(mcs_ots_call));
	lane->seek = NULL;
}

static void ask_iterator(mcs_ots_lane *lane);

/*
 * An answer with a token is not a position yet: the service is still looking for the
 * time, and wants to be asked again with the token.
 */
static void
iterator_arrived(mcn_request *req)
{
	mcs_ots_call *call = req->owner;
	mcs_ots_lane *lane = call->user;
	mcs_ots_stream_scan *scan = lane->scan;
	mcw_view	iterator;
	mcw_view	token;
	mcw_error	err;

	if (scan->phase == MCS_OTS_STREAM_FAILED)
		return;
	if (req->status != MCW_OK)
	{
		mcs_ots_stream_fail(scan, &req->error, lane);
		return;
	}
	if (mcw_ots_read_get_shard_iterator(mcw_buf_view(&req->response), &iterator, &token, &err) != MCW_OK)
		mcs_ots_stream_fail(scan, &err, lane);
	else if (!keep(&lane->iterator, iterator) || !keep(&lane->token, token))
		fail_memory(scan, lane);
	else if (token.len > 0 && ++lane->rounds > MAX_ROUNDS)
	{
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "the service did not find a position after %d answers", MAX_ROUNDS);
		mcs_ots_stream_fail(scan, &err, lane);
	}
	else if (token.len > 0)
	{
		ask_iterator(lane);
		return;
	}
	end_seek(lane);
	lane->state = MCS_OTS_LANE_IDLE;
	pump(scan);
}

static void
ask_iterator(mcs_ots_lane *lane)
{
	mcs_ots_stream_scan *scan = lane->scan;
	mcw_status	status;
	mcw_error	err;

	lane->state = MCS_OTS_LANE_SEEKING;
	if (lane->seek == NULL)
	{
		lane->seek = mcw_new0(scan->alloc, sizeof(mcs_ots_call));
		if (lane->seek == NULL)
		{
			fail_memory(scan, lane);
			return;
		}
		mcs_ots_call_init(lane->seek, scan->ots, "GetShardIterator", 1 << 20);
	}
	else
		mcs_ots_call_reuse(lane->seek);
	lane->seek->user = lane;
	lane->seek->req.on_done = iterator_arrived;
	status = mcw_ots_put_get_shard_iterator(&lane->seek->body, scan->state.stream.id, mcw_str(lane->id),
											lane->seek_us,
											mcw_buf_view(&lane->token));
	if (status != MCW_OK)
	{
		(void) mcw_fail(&err, status, "could not write a request");
		mcs_ots_stream_fail(scan, &err, lane);
		return;
	}
	mcn_request_start(&lane->seek->req);
}

/* ---- pages ---- */

/* Commit time of the page's last record */
static mcw_status
last_time(mcs_ots_stream_scan *scan, const mcw_ots_record_page *page, int64_t *time_us, mcw_error *err)
{
	mcw_ots_record record;
	mcw_view	last = {NULL, 0};
	mcw_ots_row row;
	size_t		pos = 0;
	mcw_status	status;

	while ((status = mcw_ots_next_record(page, &pos, &record, err)) == MCW_OK)
		last = record.record;
	if (status != MCW_END)
		return status;
	status = mcw_ots_reader_page(scan->reader, last, false, err);
	if (status == MCW_OK)
		status = mcw_ots_next_row(scan->reader, &row, NULL, NULL, err);
	if (status == MCW_END)
		return mcw_fail(err, MCW_ERR_FORMAT, "a record of the change stream is empty");
	if (status == MCW_OK && !row.has_sequence)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a record of the change stream has no commit time");
	if (status == MCW_OK)
		*time_us = row.time_us;
	return status;
}

/*
 * What an empty page means.  A shard that has children is closed, so it has an end,
 * and that is what is waited for; an open one has nothing more before the window's
 * end, which lies behind us.
 */
static void
take_empty(mcs_ots_lane *lane, const mcw_ots_record_page *page)
{
	mcs_ots_stream_scan *scan = lane->scan;
	mcw_error	err;

	scan->info.empty_pages++;
	if (scan->spec.chain != NULL)
	{
		mcs_ots_ending ending = MCS_OTS_ENDING_NONE;
		int64_t		time_us;
		uint32_t	first;
		uint32_t	upto;

		if (mcs_ots_chain_page(lane, mcw_buf_view(&lane->iterator), page, &first, &upto, &ending, &time_us, &err) != MCW_OK)
		{
			mcs_ots_stream_fail(scan, &err, lane);
			return;
		}
	}
	if (page->next.data == NULL)
		mcs_ots_graph_finish(scan, lane, MCS_OTS_ENDING_CLOSED);
	else if (lane->first_child < 0 && !(page->has_more_flag && page->may_more))
		mcs_ots_graph_finish(scan, lane, MCS_OTS_ENDING_DRAINED);
	else if (++lane->empty > MAX_EMPTY)
	{
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "%d empty pages of a shard did not come to its end", MAX_EMPTY);
		mcs_ots_stream_fail(scan, &err, lane);
	}
	else if (!keep(&lane->iterator, page->next))
		fail_memory(scan, lane);
}

static void
make_ready(mcs_ots_stream_scan *scan, mcs_ots_slot *slot)
{
	slot->state = MCS_OTS_SLOT_READY;
	slot->next_ready = NULL;
	if (scan->ready_tail != NULL)
		scan->ready_tail->next_ready = slot;
	else
		scan->ready_head = slot;
	scan->ready_tail = slot;
	scan->ready++;
	scan->ready_bytes += slot->call.req.response.len;
	slot->lane->ready++;
}

static mcw_status
look_at_page(mcs_ots_slot *slot, const mcw_ots_record_page *page, int64_t *time_us, mcs_ots_ending *ending, mcw_error *err)
{
	mcs_ots_stream_scan *scan = slot->scan;
	mcw_status	status;

	if (scan->spec.chain != NULL)
		return mcs_ots_chain_page(slot->lane, mcw_buf_view(&slot->iterator), page, &slot->page.first, &slot->page.upto,
								  ending, time_us, err);
	slot->page.first = 0;
	slot->page.upto = UINT32_MAX;
	status = last_time(scan, page, time_us, err);
	*ending = *time_us >= scan->until_us ? MCS_OTS_ENDING_PASSED :
		page->next.data == NULL ? MCS_OTS_ENDING_CLOSED : MCS_OTS_ENDING_NONE;
	return status;
}

/* A page with records: where does the shard go on? */
static void
take_records(mcs_ots_slot *slot, const mcw_ots_record_page *page)
{
	mcs_ots_lane *lane = slot->lane;
	mcs_ots_stream_scan *scan = slot->scan;
	mcw_error	err;
	int64_t		time_us = 0;
	mcs_ots_ending ending = MCS_OTS_ENDING_NONE;

	if (look_at_page(slot, page, &time_us, &ending, &err) != MCW_OK)
	{
		mcs_ots_stream_fail(scan, &err, lane);
		return;
	}
	if (page->next.data != NULL && mcw_view_eq(page->next, mcw_buf_view(&slot->iterator)))
	{
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL,
						"GetStreamRecord returned %u records and the iterator it was given", page->nrecords);
		mcs_ots_stream_fail(scan, &err, lane);
		return;
	}
	lane->empty = 0;
	lane->last_us = time_us;
	scan->info.records += page->nrecords;
	if (ending != MCS_OTS_ENDING_NONE)
		mcs_ots_graph_finish(scan, lane, ending);
	else if (!keep(&lane->iterator, page->next))
	{
		fail_memory(scan, lane);
		return;
	}
	if (slot->page.first >= slot->page.upto)
		return;
	slot->page.records = *page;
	slot->page.shard = lane->id;
	slot->page.iterator = slot->iterator.data;
	slot->page.newest_us = &lane->newest_us;
	make_ready(scan, slot);
}

static void
page_arrived(mcn_request *req)
{
	mcs_ots_call *call = req->owner;
	mcs_ots_slot *slot = call->user;
	mcs_ots_stream_scan *scan = slot->scan;
	mcs_ots_lane *lane = slot->lane;
	mcw_ots_record_page page;
	mcw_error	err;

	scan->reading--;
	slot->state = MCS_OTS_SLOT_FREE;
	if (scan->phase == MCS_OTS_STREAM_FAILED)
		return;
	if (req->status != MCW_OK)
	{
		mcs_ots_stream_fail(scan, &req->error, lane);
		return;
	}
	if (mcw_ots_read_get_stream_record(mcw_buf_view(&req->response), &page, &err) != MCW_OK)
	{
		mcs_ots_stream_fail(scan, &err, lane);
		return;
	}
	lane->state = MCS_OTS_LANE_IDLE;
	scan->info.pages++;
	scan->info.bytes += (int64_t) req->response.len;
	if (page.nrecords == 0)
		take_empty(lane, &page);
	else
	{
		scan->page_bytes = req->response.len;
		take_records(slot, &page);
	}
	pump(scan);
}

static void
start_page(mcs_ots_stream_scan *scan, mcs_ots_lane *lane, mcs_ots_slot *slot)
{
	mcs_ots_call *call = &slot->call;
	mcw_status	status;
	mcw_error	err;

	mcs_ots_call_reuse(call);
	if (!keep(&slot->iterator, mcw_buf_view(&lane->iterator)))
	{
		fail_memory(scan, lane);
		return;
	}
	status = mcw_ots_put_get_stream_record(&call->body, mcw_buf_view(&slot->iterator), 0, scan->spec.table);
	if (status != MCW_OK)
	{
		(void) mcw_fail(&err, status, "could not write a request");
		mcs_ots_stream_fail(scan, &err, lane);
		return;
	}
	call->user = slot;
	call->req.on_done = page_arrived;
	slot->lane = lane;
	slot->state = MCS_OTS_SLOT_READING;
	lane->state = MCS_OTS_LANE_READING;
	scan->reading++;
	mcn_request_start(&call->req);
}

/* ---- what is due ---- */

/* A lane of a chain that has its position */
static void
begin_at_mark(mcs_ots_lane *lane)
{
	mcs_ots_stream_scan *scan = lane->scan;

	if (mcs_ots_chain_is_empty(lane))
		mcs_ots_graph_finish(scan, lane, lane->closed ? MCS_OTS_ENDING_CLOSED : MCS_OTS_ENDING_DRAINED);
	else if (!keep(&lane->iterator, lane->begin.iterator))
		fail_memory(scan, lane);
	else
		lane->state = MCS_OTS_LANE_IDLE;
}

static void
start_pages(mcs_ots_stream_scan *scan)
{
	int			s = 0;

	for (int i = 0; i < scan->nactive && scan->phase == MCS_OTS_STREAM_READING; i++)
	{
		mcs_ots_lane *lane = scan->active[i];

		if (lane->state != MCS_OTS_LANE_IDLE || lane->ready >= READY_PER_SHARD)
			continue;
		if (scan->reading + scan->ready > 0 &&
			scan->ready_bytes + (size_t) (scan->reading + 1) * scan->page_bytes > scan->spec.max_buffered)
			return;
		while (s < scan->nslots && scan->slots[s].state != MCS_OTS_SLOT_FREE)
			s++;
		if (s == scan->nslots)
			return;
		start_page(scan, lane, &scan->slots[s]);
	}
}

static void
pump(mcs_ots_stream_scan *scan)
{
	while (scan->phase == MCS_OTS_STREAM_READING && scan->nactive < scan->spec.concurrency)
	{
		mcs_ots_lane *lane = mcs_ots_graph_next(scan);

		if (lane == NULL)
			break;
		scan->active[scan->nactive++] = lane;
		scan->info.shards++;
		lane->seek_us = lane->parent_in_window ? -1 : scan->seek_us;
		if (scan->spec.chain == NULL || mcs_ots_chain_begin(lane, &lane->seek_us))
			ask_iterator(lane);
		else
			begin_at_mark(lane);
	}
	start_pages(scan);
	if (scan->phase == MCS_OTS_STREAM_READING && scan->nactive == 0)
		scan->phase = MCS_OTS_STREAM_DONE;
}

/* ---- the consumer ---- */

static void
hand_out(mcs_ots_stream_scan *scan, mcs_ots_stream_page **page)
{
	mcs_ots_slot *slot = scan->ready_head;

	scan->ready_head = slot->next_ready;
	if (scan->ready_head == NULL)
		scan->ready_tail = NULL;
	scan->ready--;
	slot->lane->ready--;
	slot->state = MCS_OTS_SLOT_HELD;
	*page = &slot->page;
	pump(scan);
}

mcw_status
mcs_ots_stream_next(mcs_ots_stream_scan *scan, mcs_ots_stream_page **page, mcw_error *err)
{
	bool		stalled = false;
	mcw_status	status;

	*page = NULL;
	for (;;)
	{
		if (scan->phase == MCS_OTS_STREAM_NEW)
		{
			status = open_scan(scan, err);
			if (status != MCW_OK)
				return status;
		}
		pump(scan);
		if (scan->phase == MCS_OTS_STREAM_FAILED)
		{
			cancel_all(scan);
			*err = scan->error;
			return err->status;
		}
		if (scan->ready > 0)
		{
			hand_out(scan, page);
			return MCW_OK;
		}
		if (scan->phase == MCS_OTS_STREAM_DONE)
			return MCW_END;
		if (!stalled)
			scan->info.stalls++;
		stalled = true;
		status = mcn_loop_step(scan->ots->loop, -1);
		if (status != MCW_OK)
			return mcw_fail(err, status, "interrupted");
	}
}

void
mcs_ots_stream_release(mcs_ots_stream_scan *scan, mcs_ots_stream_page *page)
{
	mcs_ots_slot *slot = (mcs_ots_slot *) page;

	scan->ready_bytes -= slot->call.req.response.len;
	slot->state = MCS_OTS_SLOT_FREE;
	pump(scan);
}
