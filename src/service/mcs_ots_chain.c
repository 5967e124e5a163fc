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
#define MAX_POINTS 32768		/* more are thinned out */
#define CUT_AT_ONCE 64			/* the rest of a range is cut when it is due */

/*
 * In order, the chains behind the first one are only as far ahead as there is room:
 * with parts of about a page all of them are useful.
 */
#define SMALL_SPLIT INT64_C(4194304)

/* How much larger the parts are that are asked for when an answer was too large, and how often */
#define COARSER 32
#define MAX_COARSER 2

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

	scan->split_size = scan->spec.split_size;
	if (scan->spec.ordered && scan->split_size > SMALL_SPLIT)
		scan->split_size = SMALL_SPLIT;
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

/*
 * Checksums of rows and keys do not tell that one is missing, as when a bit of the
 * message around them has changed.  That shows in the MD5 of a page without them.
 */
static mcw_status
check_range(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots_slot *slot = call->user;
	mcw_status	status = mcw_ots_read_get_range(mcw_buf_view(&call->req.response), &slot->result, err);

	if (status == MCW_OK && !call->ots->verify_content &&
		(slot->result.next.data == NULL || slot->result.rows.len == 0))
		status = mcs_ots_call_verify(call, err);
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

	if (scan->spec.row_limit == 0)
		chain->limit = 0;
	for (int i = 0; i < 2 && status == MCW_OK; i++)
	{
		mcw_buf_reset(&scan->keys[i]);
		status = mcw_ots_write_key(&scan->keys[i], scan->spec.schema, i == 0 ? &chain->cursor : &chain->end);
	}
	if (status == MCW_OK)
		status = mcw_ots_put_get_range(&call->body, &scan->options, scan->spec.backward, mcw_buf_view(&scan->keys[0]),
									   mcw_buf_view(&scan->keys[1]), chain->limit);
	mcs_ots_call_operation(call, "GetRange");
	call->is_page = true;
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

/* The i-th split point in the direction of the scan */
static const mcw_ots_key *
split_point(const mcs_ots_scan *scan, int i)
{
	return &scan->points[scan->spec.backward ? scan->npoints - 1 - i : i];
}

/* The first split point behind a key */
static int
point_behind(const mcs_ots_scan *scan, const mcw_ots_key *key)
{
	int			low = 0;
	int			high = scan->npoints;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (before(scan, key, split_point(scan, middle)))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Divide what is left of a range, of which nothing is being asked */
void
mcs_ots_cut_range(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	mcw_ots_key end = chain->end;
	int			first = point_behind(scan, &chain->cursor);

	chain->cut = true;
	for (int i = first; i < scan->npoints && before(scan, split_point(scan, i), &end); i++)
	{
		mcs_ots_chain *rest = add_range(scan, chain, split_point(scan, i), &end, chain->limit);

		if (rest == NULL)
			return;
		chain->end = *split_point(scan, i);
		chain = rest;
		if (i - first == CUT_AT_ONCE - 1)
			return;
		chain->cut = true;
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

	mcw_ots_key *points;
	int			npoints;
	mcw_status	status = mcs_ots_take_splits(call, scan->spec.schema, &scan->arena, &points, &npoints, err);

	/* points of an answer before stay where they are: chains may begin or end there */
	if (status == MCW_OK)
	{
		scan->points = points;
		scan->npoints = npoints;
	}
	return status;
}

/* How many chains there will be */
static int
count_pieces(const mcs_ots_scan *scan)
{
	const mcs_ots_chain *chain;
	int			n = scan->live;

	for (chain = scan->first; chain != NULL; chain = chain->next)
		if (chain->nkeys == 0 && chain->state != MCS_OTS_CHAIN_DONE)
			for (int i = point_behind(scan, &chain->cursor);
				 i < scan->npoints && before(scan, split_point(scan, i), &chain->end); i++)
				n++;
	return n;
}

/*
 * The size to ask for next: that of the caller if a smaller one of ours was refused; a
 * small one if the caller's makes too few parts; a much larger one if there were too
 * many.  0 = the points are good, or none can be had.
 */
static int64_t
other_size(mcs_ots_scan *scan, mcw_status status)
{
	if (status == MCW_ERR_LIMIT)
	{
		scan->asked_small = true;
		return scan->coarser++ < MAX_COARSER && scan->split_size < INT64_MAX / COARSER ? scan->split_size * COARSER : 0;
	}
	if (status != MCW_OK)
		return scan->asked_callers ? 0 : scan->spec.split_size;
	return !scan->asked_small && count_pieces(scan) < scan->spec.concurrency ? SMALL_SPLIT : 0;
}

static void
splits_arrived(mcn_request *req)
{
	mcs_ots_call *call = req->owner;
	mcs_ots_scan *scan = call->user;
	mcs_ots_chain *chain;
	int64_t		other;

	if (scan->phase == MCS_OTS_FAILED)
		return;
	if (req->status != MCW_OK && req->status != MCW_ERR_LIMIT && !mcs_ots_no_splits(&req->error))
	{
		mcs_ots_fail(scan, &req->error, NULL);
		return;
	}
	if (req->status == MCW_OK)
		thin_points(scan);
	other = other_size(scan, req->status);
	if (other != 0)
	{
		scan->split_size = other;
		ask_splits(scan);
		return;
	}
	mcw_buf_free(&req->response);
	scan->split = MCS_OTS_SPLIT_KNOWN;
	for (chain = scan->first; chain != NULL; chain = chain->next)
		if (chain->state == MCS_OTS_CHAIN_HELD)
			chain->state = MCS_OTS_CHAIN_IDLE;
	mcs_ots_pump(scan);
}

static void
ask_splits(mcs_ots_scan *scan)
{
	mcs_ots_call *call = &scan->split_call;

	scan->split = MCS_OTS_SPLIT_ASKED;
	scan->info.split_asked = true;
	scan->asked_callers |= scan->split_size == scan->spec.split_size;
	scan->asked_small |= scan->split_size <= SMALL_SPLIT;
	call->check = check_splits;
	call->req.on_done = splits_arrived;
	mcs_ots_call_reuse(call);
	(void) mcs_ots_ask_splits(call, scan->spec.table, scan->split_size);
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
	/* who has read that much goes on: full pages, and ahead of the reader */
	if (chain->limit == 0)
		scan->spec.row_limit = 0;
}
