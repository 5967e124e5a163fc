/*
 * mcs_ots_scan.c
 *		A scan of Tablestore: its life, the slots in which requests become pages, and
 *		the consumer's side.
 *
 * Nothing here waits but mcs_ots_scan_next.  Answers come in through completion
 * callbacks, which change state and start what is due (mcs_ots_pump).
 *
 * Without order any page that is ready is handed out, and at most 'concurrency' are
 * in flight or ready.  In order, the first chain of the list is handed out; it may
 * always ask, whatever the others have buffered, so the scan cannot lock up.
 */
#include "mcs_ots_scan.h"

#define AHEAD 4					/* ordered: pages ready per request in flight, memory permitting */
#define PAGE_GUESS ((size_t) 512 << 10)	/* before the first one has come */
#define SPARE_SLOTS 2			/* the page held, the first chain of an ordered scan */

/* ---- life ---- */

static bool
check_spec(const mcs_ots_scan_spec *spec, mcw_error *err)
{
	int			nkeys = spec->schema->nkeys;
	bool		ok = nkeys >= 1 && nkeys <= MCW_OTS_MAX_KEYS && spec->concurrency >= 1 && spec->concurrency <= 256 &&
		spec->nranges >= 0 && spec->nkeys >= 0 && spec->row_limit >= 0 && spec->split_size >= 0 &&
		spec->table.len >= 1 && spec->table.len <= MCW_OTS_MAX_NAME;

	for (int i = 0; ok && i < spec->nranges; i++)
		ok = spec->ranges[i].begin.n == nkeys && spec->ranges[i].end.n == nkeys;
	for (int i = 0; ok && i < spec->nkeys; i++)
		ok = spec->keys[i].n == nkeys;
	if (!ok)
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "a scan of Tablestore was given values out of range");
	return ok;
}

static void arrived(mcn_request *req);

static bool
make_slots(mcs_ots_scan *scan)
{
	int			nslots = scan->spec.concurrency * (scan->spec.ordered ? AHEAD : 1);
	int			groups = (scan->spec.nkeys + MCW_OTS_MAX_BATCH_GET - 1) / MCW_OTS_MAX_BATCH_GET;

	/* the inner side of a join makes a scan for a key or two, many times */
	if (scan->spec.nranges == 0 && groups < nslots)
		nslots = groups;
	nslots += SPARE_SLOTS;
	scan->slots = mcw_new0(scan->alloc, sizeof(*scan->slots) * nslots);
	if (scan->slots == NULL)
		return false;
	scan->nslots = nslots;
	for (int i = 0; i < nslots; i++)
	{
		mcs_ots_slot *slot = &scan->slots[i];

		slot->scan = scan;
		mcs_ots_call_init(&slot->call, scan->ots, "GetRange", MCS_OTS_PAGE_MAX);
		slot->call.user = slot;
		slot->call.req.on_done = arrived;
	}
	return true;
}

mcs_ots_scan *
mcs_ots_scan_create(mcs_ots *ots, const mcs_ots_scan_spec *spec, mcw_error *err)
{
	mcs_ots_scan *scan;

	if (!check_spec(spec, err))
		return NULL;
	scan = mcw_new0(ots->alloc, sizeof(*scan));
	if (scan == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scan->ots = ots;
	scan->alloc = ots->alloc;
	scan->spec = *spec;
	if (scan->spec.max_buffered == 0)
		scan->spec.max_buffered = MCS_OTS_BUFFERED_DEFAULT;
	scan->page_bytes = PAGE_GUESS;
	scan->target = spec->first_requests < 1 ? 1 :
		spec->first_requests < spec->concurrency ? spec->first_requests : spec->concurrency;
	scan->options.table = spec->table;
	scan->options.columns = spec->columns;
	scan->options.ncolumns = spec->ncolumns;
	scan->options.filter = spec->filter;
	scan->options.max_versions = spec->max_versions;
	scan->options.has_time_range = spec->has_time_range;
	scan->options.start_time = spec->start_time;
	scan->options.end_time = spec->end_time;
	mcw_arena_init(&scan->arena, scan->alloc, MCS_OTS_SPLIT_ANSWER * 8);
	for (int i = 0; i < 2; i++)
		mcw_buf_init(&scan->keys[i], scan->alloc, MCS_OTS_REQUEST_MAX);
	mcs_ots_call_init(&scan->split_call, ots, MCS_OTS_SPLIT_OPERATION, MCS_OTS_SPLIT_ANSWER);
	scan->split_call.user = scan;
	if (!make_slots(scan) || !mcs_ots_open_ranges(scan) || !mcs_ots_open_keys(scan))
	{
		mcs_ots_scan_free(scan);
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	return scan;
}

static void
drop_chain(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	*(chain->prev ? &chain->prev->next : &scan->first) = chain->next;
	*(chain->next ? &chain->next->prev : &scan->last) = chain->prev;
	mcs_ots_free_patch(scan, chain);
	mcw_buf_free(&chain->bytes);
	mcw_free(scan->alloc, chain, sizeof(*chain));
}

void
mcs_ots_scan_free(mcs_ots_scan *scan)
{
	for (int i = 0; i < scan->nslots; i++)
		mcs_ots_call_free(&scan->slots[i].call);
	mcs_ots_call_free(&scan->split_call);
	while (scan->first != NULL)
		drop_chain(scan, scan->first);
	for (int i = 0; i < 2; i++)
		mcw_buf_free(&scan->keys[i]);
	mcw_arena_reset(&scan->arena);
	mcw_free(scan->alloc, scan->slots, sizeof(*scan->slots) * scan->nslots);
	mcw_free(scan->alloc, scan, sizeof(*scan));
}

const mcs_ots_scan_info *
mcs_ots_scan_get_info(const mcs_ots_scan *scan)
{
	return &scan->info;
}

const char *
mcs_ots_scan_failed_at(const mcs_ots_scan *scan)
{
	return scan->failed_at;
}

/* The first failure is the scan's; requests in flight end with the scan */
void
mcs_ots_fail(mcs_ots_scan *scan, const mcw_error *err, const mcw_ots_key *at)
{
	if (scan->phase == MCS_OTS_FAILED)
		return;
	scan->phase = MCS_OTS_FAILED;
	scan->error = *err;
	if (at != NULL)
		(void) mcs_ots_key_text(at, scan->failed_at, sizeof(scan->failed_at));
}

/* ---- chains ---- */

mcs_ots_chain *
mcs_ots_new_chain(mcs_ots_scan *scan, mcs_ots_chain *after)
{
	mcs_ots_chain *chain = mcw_new0(scan->alloc, sizeof(*chain));
	mcw_error	err;

	if (chain == NULL)
	{
		(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
		mcs_ots_fail(scan, &err, NULL);
		return NULL;
	}
	mcw_buf_init(&chain->bytes, scan->alloc, MCS_OTS_REQUEST_MAX);
	if (after == NULL)
		after = scan->last;
	chain->prev = after;
	chain->next = after ? after->next : NULL;
	*(after ? &after->next : &scan->first) = chain;
	*(chain->next ? &chain->next->prev : &scan->last) = chain;
	scan->live++;
	return chain;
}

void
mcs_ots_chain_done(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	chain->state = MCS_OTS_CHAIN_DONE;
	scan->info.splits_done += chain->number >= 0;
	scan->live--;
	if (chain->ready.head == NULL)
		drop_chain(scan, chain);
}

/* ---- slots ---- */

void
mcs_ots_deliver(mcs_ots_slot *slot, mcs_ots_chain *chain, mcw_view rows)
{
	mcs_ots_scan *scan = slot->scan;
	mcs_ots_queue *queue = scan->spec.ordered ? &chain->ready : &scan->ready_pages;

	if (rows.len == 0)
	{
		slot->state = MCS_OTS_SLOT_FREE;
		return;
	}
	slot->page.rows = rows;
	slot->page.split = chain->number;
	slot->state = MCS_OTS_SLOT_READY;
	slot->next_ready = NULL;
	*(queue->tail ? &queue->tail->next_ready : &queue->head) = slot;
	queue->tail = slot;
	scan->ready++;
	scan->ready_bytes += slot->call.req.response.len;
	scan->info.pages++;
}

static void
arrived(mcn_request *req)
{
	mcs_ots_slot *slot = ((mcs_ots_call *) req->owner)->user;
	mcs_ots_scan *scan = slot->scan;
	mcs_ots_chain *chain = slot->chain;

	scan->asking--;
	slot->state = MCS_OTS_SLOT_FREE;
	slot->chain = NULL;
	if (scan->phase == MCS_OTS_FAILED)
		return;
	if (req->status != MCW_OK)
	{
		mcs_ots_fail(scan, &req->error, &chain->cursor);
		return;
	}
	chain->state = MCS_OTS_CHAIN_IDLE;
	scan->info.bytes += (int64_t) req->response.len;
	if (scan->page_bytes < req->response.len)
		scan->page_bytes = req->response.len;
	if (chain->nkeys > 0)
		mcs_ots_keys_arrived(slot, chain);
	else
		mcs_ots_range_arrived(slot, chain);
	mcs_ots_pump(scan);
}

/* May one more request start, other than that of the chain that is handed out next? */
static bool
has_room(const mcs_ots_scan *scan)
{
	int			busy = scan->asking + scan->ready;

	if (scan->target < scan->spec.concurrency || !scan->spec.ordered)
	{
		if (busy >= scan->target)
			return false;
	}
	else if (scan->asking >= scan->spec.concurrency || busy >= scan->nslots - SPARE_SLOTS)
		return false;
	return busy == 0 ||
		scan->ready_bytes + (size_t) (scan->asking + 1) * scan->page_bytes <= scan->spec.max_buffered;
}

/* The one that needs no new memory, if there is one */
static mcs_ots_slot *
free_slot(mcs_ots_scan *scan)
{
	mcs_ots_slot *best = NULL;

	for (int i = 0; i < scan->nslots; i++)
	{
		mcs_ots_slot *slot = &scan->slots[i];

		if (slot->state == MCS_OTS_SLOT_FREE &&
			(best == NULL || slot->call.req.response.cap > best->call.req.response.cap))
			best = slot;
	}
	return best;
}

void
mcs_ots_pump(mcs_ots_scan *scan)
{
	mcs_ots_chain *chain;
	mcs_ots_chain *next;

	for (chain = scan->first; chain != NULL && scan->phase == MCS_OTS_READING; chain = next)
	{
		bool		first = scan->spec.ordered && chain == scan->first && chain->ready.head == NULL;
		mcs_ots_slot *slot;

		next = chain->next;
		if (!first && !has_room(scan))
			return;
		if (chain->state != MCS_OTS_CHAIN_IDLE)
			continue;
		if ((slot = free_slot(scan)) == NULL)
			return;
		if (scan->split == MCS_OTS_SPLIT_KNOWN && chain->nkeys == 0 && !chain->cut)
		{
			mcs_ots_cut_range(scan, chain);
			if (scan->phase == MCS_OTS_FAILED)
				return;
			next = chain->next;
		}
		slot->state = MCS_OTS_SLOT_ASKING;
		slot->chain = chain;
		chain->state = MCS_OTS_CHAIN_ASKING;
		scan->asking++;
		mcs_ots_call_reuse(&slot->call);
		if (chain->nkeys > 0)
			mcs_ots_start_keys(slot, chain);
		else
			mcs_ots_start_range(slot, chain);
	}
}

/* ---- consumer ---- */

static mcs_ots_queue *
next_pages(mcs_ots_scan *scan)
{
	if (!scan->spec.ordered)
		return &scan->ready_pages;
	return scan->first ? &scan->first->ready : NULL;
}

mcw_status
mcs_ots_scan_try(mcs_ots_scan *scan, mcs_ots_page **page, mcw_error *err)
{
	mcs_ots_queue *queue;
	mcs_ots_slot *slot;

	*page = NULL;
	if (scan->phase == MCS_OTS_NEW)
		scan->phase = MCS_OTS_READING;
	/* who asks for few rows may have had enough with the last page: only now it is known that he has not */
	if (scan->took)
		scan->target = scan->target * 2 < scan->spec.concurrency ? scan->target * 2 : scan->spec.concurrency;
	scan->took = false;
	mcs_ots_pump(scan);
	if (scan->phase == MCS_OTS_FAILED)
	{
		*err = scan->error;
		return scan->error.status;
	}
	queue = next_pages(scan);
	slot = queue ? queue->head : NULL;
	if (slot == NULL)
		return scan->live == 0 ? MCW_END : MCW_OK;
	queue->head = slot->next_ready;
	if (queue->head == NULL)
		queue->tail = NULL;
	scan->ready--;
	scan->ready_bytes -= slot->call.req.response.len;
	slot->state = MCS_OTS_SLOT_HELD;
	*page = &slot->page;
	if (scan->spec.ordered && queue->head == NULL && scan->first->state == MCS_OTS_CHAIN_DONE)
		drop_chain(scan, scan->first);
	scan->took = true;
	if (scan->spec.row_limit == 0)
		mcs_ots_pump(scan);
	return MCW_OK;
}

mcw_status
mcs_ots_scan_next(mcs_ots_scan *scan, mcs_ots_page **page, mcw_error *err)
{
	bool		stalled = false;
	mcw_status	status;

	for (;;)
	{
		/* take what has arrived meanwhile, so that the next requests start early */
		status = mcn_loop_step(scan->ots->loop, 0);
		if (status == MCW_OK)
			status = mcs_ots_scan_try(scan, page, err);
		if (status == MCW_OK && *page == NULL)
		{
			if (!stalled)
				scan->info.stalls++;
			stalled = true;
			status = mcn_loop_step(scan->ots->loop, -1);
			if (status == MCW_OK)
				continue;
		}
		if (status == MCW_ERR_INTERRUPTED)
			(void) mcw_fail(err, status, "interrupted");
		return status;
	}
}

/* A slot keeps its memory for the next page, unless that adds up to too much */
void
mcs_ots_scan_release(mcs_ots_scan *scan, mcs_ots_page *page)
{
	mcs_ots_slot *slot = (mcs_ots_slot *) page;
	size_t		kept = 0;

	for (int i = 0; i < scan->nslots; i++)
		kept += scan->slots[i].call.req.response.cap;
	if (kept > scan->spec.max_buffered)
		mcw_buf_free(&slot->call.req.response);
	slot->state = MCS_OTS_SLOT_FREE;
}

bool
mcs_ots_scan_has_news(const mcs_ots_scan *scan)
{
	const mcs_ots_queue *queue = next_pages((mcs_ots_scan *) scan);

	return (queue != NULL && queue->head != NULL) || scan->live == 0 || scan->phase != MCS_OTS_READING;
}
