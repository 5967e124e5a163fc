/*
 * mcs_ots_chain.c
 *		Ranges of a scan: GetRange, one request after the other until the range is
 *		exhausted, and split points that cut what is left of a range.
 *
 * The end of a range is only the absence of a next key; an empty or short page says
 * nothing (tablestore.md 4.4).  Split points are asked for when a full page has a
 * next key and fewer chains are left than requests could be in flight: a table of one
 * page costs one request.  Chains that would go on meanwhile are held, so that what
 * they would read next can still be cut.
 */
#include "mcs_ots_scan.h"

#define FULL_PAGE 5000			/* rows at which the service ends a page (4.4) */
#define MAX_POINTS 4096			/* more are thinned out */

static void ask_splits(mcs_ots_scan *scan);

/* Does a come before b in the direction of the scan? */
static bool
before(const mcs_ots_scan *scan, const mcw_ots_key *a, const mcw_ots_key *b)
{
	int			cmp = mcw_ots_key_cmp(a, b);

	return scan->spec.backward ? cmp > 0 : cmp < 0;
}

static mcs_ots_chain *
add_range(mcs_ots_scan *scan, mcs_ots_chain *after, const mcw_ots_key *begin, const mcw_ots_key *end, int32_t limit)
{
	mcs_ots_chain *chain = mcs_ots_new_chain(scan, after);

	if (chain == NULL)
		return NULL;
	chain->number = scan->next_number++;
	chain->cursor = *begin;
	chain->end = *end;
	chain->limit = limit;
	scan->info.splits++;
	return chain;
}

bool
mcs_ots_open_ranges(mcs_ots_scan *scan)
{
	int32_t		limit = scan->spec.row_limit < FULL_PAGE ? scan->spec.row_limit : 0;

	for (int i = 0; i < scan->spec.nranges; i++)
	{
		const mcs_ots_range *range = &scan->spec.ranges[i];

		if (before(scan, &range->begin, &range->end) &&
			add_range(scan, NULL, &range->begin, &range->end, limit) == NULL)
			return false;
	}
	return true;
}

/* ---- pages ---- */

static mcw_status
check_range(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots_slot *slot = call->user;
	mcw_status	status = mcw_ots_read_get_range(mcw_buf_view(&call->req.response), &slot->result, err);

	if (status == MCW_OK && slot->result.next.data != NULL)
		status = mcw_ots_read_key(slot->result.next, slot->scan->spec.schema, &slot->next_key, err);
	return status;
}

void
mcs_ots_start_range(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	mcs_ots_scan *scan = slot->scan;
	mcs_ots_call *call = &slot->call;
	mcw_error	err;
	mcw_status	status = MCW_OK;

	for (int i = 0; i < 2 && status == MCW_OK; i++)
	{
		mcw_buf_reset(&scan->keys[i]);
		status = mcw_ots_write_key(&scan->keys[i], scan->spec.schema, i == 0 ? &chain->cursor : &chain->end);
	}
	if (status == MCW_OK)
		status = mcw_ots_put_get_range(&call->body, &scan->options, scan->spec.backward, mcw_buf_view(&scan->keys[0]),
									   mcw_buf_view(&scan->keys[1]), chain->limit);
	mcs_ots_call_operation(call, "GetRange");
	call->check = check_range;
	if (status != MCW_OK)
		(void) mcw_fail(&err, status, "could not build the request GetRange");
	if (status != MCW_OK)
		mcs_ots_fail(scan, &err, &chain->cursor);
	else
		mcn_request_start(&call->req);
}

/* The key to go on from: between the one of the request and the end, or the chain would never end */
static bool
take_next(mcs_ots_scan *scan, mcs_ots_chain *chain, mcw_view next, const mcw_ots_key *key)
{
	char		text[MCS_OTS_KEY_TEXT];
	mcw_error	err;
	mcw_status	status;

	if (!before(scan, &chain->cursor, key) || !before(scan, key, &chain->end))
		status = mcw_fail(&err, MCW_ERR_PROTOCOL, "GetRange returned the next key %s, which is not behind its begin and before its end",
						  mcs_ots_key_text(key, text, sizeof(text)));
	else
	{
		/* the answer's bytes go away with the page */
		mcw_buf_reset(&chain->bytes);
		status = mcw_buf_append_view(&chain->bytes, next);
		if (status != MCW_OK)
			(void) mcw_fail(&err, status, "out of memory for a key");
		else
			status = mcw_ots_read_key(mcw_buf_view(&chain->bytes), scan->spec.schema, &chain->cursor, &err);
	}
	if (status == MCW_OK)
		return true;
	mcs_ots_fail(scan, &err, &chain->cursor);
	return false;
}

/* ---- split points ---- */

static void
cut_chain(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	mcw_ots_key end = chain->end;

	chain->cut = true;
	for (int i = 0; i < scan->npoints; i++)
	{
		const mcw_ots_key *point = &scan->points[scan->spec.backward ? scan->npoints - 1 - i : i];
		mcs_ots_chain *rest;

		if (!before(scan, &chain->cursor, point))
			continue;
		if (!before(scan, point, &end))
			return;
		chain->end = *point;
		rest = add_range(scan, chain, point, &end, chain->limit);
		if (rest == NULL)
			return;
		rest->cut = true;
		chain = rest;
	}
}

/* A page with a next key has come: is the rest worth dividing? */
static void
consider_cut(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	if (chain->cut || scan->spec.split_size == 0 || scan->spec.concurrency == 1)
		return;
	if (scan->split == MCS_OTS_SPLIT_NONE && chain->limit == 0 && scan->live < scan->spec.concurrency)
		ask_splits(scan);
	if (scan->split == MCS_OTS_SPLIT_ASKED)
		chain->state = MCS_OTS_CHAIN_HELD;
	else if (scan->split == MCS_OTS_SPLIT_KNOWN)
		cut_chain(scan, chain);
}

static void
thin_points(mcs_ots_scan *scan)
{
	int			step = scan->npoints / MAX_POINTS + 1;
	int			n = 0;

	for (int i = step - 1; i < scan->npoints; i += step)
		scan->points[n++] = scan->points[i];
	scan->npoints = n;
}

static mcw_status
check_splits(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots_scan *scan = call->user;

	mcw_arena_reset(&scan->arena);
	return mcs_ots_take_splits(call, scan->spec.schema, &scan->arena, &scan->points, &scan->npoints, err);
}

static void
splits_arrived(mcn_request *req)
{
	mcs_ots_call *call = req->owner;
	mcs_ots_scan *scan = call->user;
	mcs_ots_chain *chain;
	mcs_ots_chain *next;

	if (scan->phase == MCS_OTS_FAILED)
		return;
	scan->split = MCS_OTS_SPLIT_KNOWN;
	if (req->status != MCW_OK && !mcs_ots_no_splits(&req->error))
	{
		mcs_ots_fail(scan, &req->error, NULL);
		return;
	}
	if (req->status != MCW_OK)
		scan->npoints = 0;
	thin_points(scan);
	for (chain = scan->first; chain != NULL; chain = next)
	{
		next = chain->next;
		if (chain->state == MCS_OTS_CHAIN_HELD)
			chain->state = MCS_OTS_CHAIN_IDLE;
		if (chain->state == MCS_OTS_CHAIN_IDLE && chain->nkeys == 0 && !chain->cut)
			cut_chain(scan, chain);
	}
	mcs_ots_pump(scan);
}

static void
ask_splits(mcs_ots_scan *scan)
{
	mcs_ots_call *call = &scan->split_call;

	scan->split = MCS_OTS_SPLIT_ASKED;
	scan->info.split_asked = true;
	call->check = check_splits;
	call->req.on_done = splits_arrived;
	(void) mcs_ots_ask_splits(call, scan->spec.table, scan->spec.split_size);
	mcn_request_start(&call->req);
}

void
mcs_ots_range_arrived(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	mcs_ots_scan *scan = slot->scan;
	mcw_ots_range_result *result = &slot->result;
	bool		more = result->next.data != NULL;

	scan->ots->read_units += result->consumed.read;
	scan->ots->write_units += result->consumed.write;
	if (more && !take_next(scan, chain, result->next, &slot->next_key))
		return;
	if (more && result->rows.len == 0)
		scan->info.empty_pages++;
	mcs_ots_deliver(slot, chain, result->rows);
	if (!more)
	{
		mcs_ots_chain_done(scan, chain);
		return;
	}
	consider_cut(scan, chain);
	chain->limit = chain->limit < FULL_PAGE / 2 ? chain->limit * 2 : 0;
}
