/*
 * mcs_ots_stream_chain.c
 *		Reading a change stream by position: where each shard begins, which records of
 *		its pages are the window's, where it ends (guarantees.md 7.2).
 *
 * The lower bound of a window is where the window before ended, never a time.  The
 * upper bound is in front of the first record that is not older than the end: records
 * behind it that a clock dated back belong to the next window.
 */
#include "mcs_ots_stream_scan.h"

#include <stdio.h>

/* ---- what is known ---- */

static bool
copy_mark(mcs_ots_stream_scan *scan, mcs_ots_mark *mark)
{
	return mcw_arena_copy(&scan->spec_arena, mark->iterator, &mark->iterator) == MCW_OK;
}

bool
mcs_ots_chain_copy(mcs_ots_stream_scan *scan, const mcs_ots_chain *chain)
{
	mcs_ots_chain *copy = mcw_arena_new(&scan->spec_arena, sizeof(*copy));
	mcs_ots_link *links = mcw_arena_new(&scan->spec_arena, sizeof(*links) * (chain->nlinks + 1));

	if (copy == NULL || links == NULL)
		return false;
	*copy = *chain;
	for (int i = 0; i < chain->nlinks; i++)
	{
		links[i] = chain->links[i];
		if (mcw_arena_copy(&scan->spec_arena, chain->links[i].id, &links[i].id) != MCW_OK ||
			!copy_mark(scan, &links[i].begin) || !copy_mark(scan, &links[i].end))
			return false;
	}
	copy->links = links;
	scan->spec.chain = copy;
	return mcw_arena_copy(&scan->spec_arena, chain->stream_id, &copy->stream_id) == MCW_OK;
}

static mcw_status
lost(mcw_error *err, const char *why)
{
	(void) mcw_fail(err, MCW_ERR_RANGE, "%s", why);
	(void) snprintf(err->code, sizeof(err->code), "PositionLost");
	return MCW_ERR_RANGE;
}

mcw_status
mcs_ots_chain_check_id(mcs_ots_stream_scan *scan, mcw_error *err)
{
	mcw_view	id = scan->spec.chain->stream_id;

	if (id.len == 0 || mcw_view_eq(id, scan->state.stream.id))
		return MCW_OK;
	(void) mcw_fail(err, MCW_ERR_RANGE, "the positions are of another change stream");
	(void) snprintf(err->code, sizeof(err->code), "StreamChanged");
	return MCW_ERR_RANGE;
}

static bool
same_place(const mcs_ots_mark *a, const mcs_ots_mark *b)
{
	return a->has_last == b->has_last && (!a->has_last || mcs_ots_sequence_cmp(&a->last, &b->last) == 0);
}

static bool
is_empty(const mcs_ots_link *link)
{
	return link->has_end && link->begin.kind != MCS_OTS_MARK_TIME && same_place(&link->begin, &link->end);
}

mcw_status
mcs_ots_chain_attach(mcs_ots_stream_scan *scan, mcw_error *err)
{
	const mcs_ots_chain *chain = scan->spec.chain;

	for (int i = 0; i < scan->nlanes; i++)
		scan->lanes[i].selected = !chain->has_ends;
	for (int i = 0; i < chain->nlinks; i++)
	{
		const mcs_ots_link *link = &chain->links[i];
		mcs_ots_lane *lane = mcs_ots_graph_find(scan, link->id);

		if (lane == NULL)
		{
			if (link->done || is_empty(link))
				continue;
			(void) lost(err, "a shard is not there any more and was not read to its end");
			(void) snprintf(err->text, sizeof(err->text), "shard %.*s", (int) (link->id.len < 100 ? link->id.len : 100),
							link->id.data);
			return MCW_ERR_RANGE;
		}
		lane->link = link;
		lane->selected = !link->done;
	}
	return MCW_OK;
}

/* ---- positions ---- */

int
mcs_ots_sequence_cmp(const mcs_ots_sequence *a, const mcs_ots_sequence *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

bool
mcs_ots_chain_begin(mcs_ots_lane *lane, int64_t *seek_us)
{
	mcs_ots_stream_scan *scan = lane->scan;

	if (lane->link != NULL)
		lane->begin = lane->link->begin;
	else if (scan->spec.chain->first && !lane->parent_taken)
		lane->begin = (mcs_ots_mark) {.kind = MCS_OTS_MARK_TIME, .time_us = scan->info.begin_us};
	else
		lane->begin = (mcs_ots_mark) {.kind = MCS_OTS_MARK_OLDEST};
	lane->read = lane->link == NULL || !lane->link->has_end;
	lane->skip = lane->begin.skip;
	lane->has_last = lane->begin.has_last;
	lane->last = lane->begin.last;
	lane->compare = lane->has_last && lane->skip == 0;
	lane->leading = lane->begin.kind == MCS_OTS_MARK_TIME;
	lane->closed = lane->link != NULL && lane->link->closed;
	if (lane->begin.kind == MCS_OTS_MARK_OLDEST)
		*seek_us = -1;
	return lane->begin.kind != MCS_OTS_MARK_RECORD && !mcs_ots_chain_is_empty(lane);
}

bool
mcs_ots_chain_is_empty(const mcs_ots_lane *lane)
{
	return lane->link != NULL && is_empty(lane->link);
}

/* ---- pages ---- */

static mcw_status
read_sequence(mcs_ots_stream_scan *scan, const mcw_ots_record_page *page, size_t *pos, mcs_ots_sequence *sequence,
			  mcw_error *err)
{
	mcw_ots_record record;
	mcw_ots_row row;
	mcw_status	status = mcw_ots_next_record(page, pos, &record, err);

	if (status == MCW_OK)
		status = mcw_ots_reader_page(scan->reader, record.record, false, err);
	if (status == MCW_OK)
		status = mcw_ots_next_row(scan->reader, &row, NULL, NULL, err);
	if (status == MCW_END)
		return mcw_fail(err, MCW_ERR_FORMAT, "a record of the change stream is empty");
	if (status == MCW_OK && !row.has_sequence)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a record of the change stream has no commit time");
	if (status == MCW_OK)
		*sequence = (mcs_ots_sequence) {row.epoch, row.row_index, row.time_us};
	return status;
}

typedef enum place
{
	BEFORE,						/* of an earlier window, or older than the first one */
	INSIDE,
	LAST,						/* inside, and nothing behind it is */
	BEHIND
} place;

static mcw_status
place_of(mcs_ots_lane *lane, const mcs_ots_sequence *sequence, place *where, mcw_error *err)
{
	const mcs_ots_stream_scan *scan = lane->scan;
	const mcs_ots_mark *end = lane->link != NULL && lane->link->has_end ? &lane->link->end : NULL;
	int			order = 0;

	*where = BEFORE;
	if (lane->skip > 0)
	{
		if (--lane->skip == 0 && lane->has_last && mcs_ots_sequence_cmp(sequence, &lane->last) != 0)
			return lost(err, "the record at a position is not the one that was there");
		return MCW_OK;
	}
	if (lane->compare && mcs_ots_sequence_cmp(sequence, &lane->last) <= 0)
		return lost(err, "the record behind a position is not newer than the one in front of it");
	lane->compare = false;
	if (end != NULL)
		order = end->has_last ? mcs_ots_sequence_cmp(sequence, &end->last) : 1;
	if (order > 0)
		return lost(err, "the last record of the window is not there any more");
	if (end == NULL && sequence->time_us >= scan->info.end_us)
	{
		*where = BEHIND;
		return MCW_OK;
	}
	lane->last = *sequence;
	lane->has_last = true;
	if (!lane->leading || sequence->time_us >= lane->begin.time_us)
	{
		lane->leading = false;
		lane->taken++;
		lane->late += sequence->time_us < scan->info.begin_us;
		*where = INSIDE;
	}
	if (end != NULL && order == 0)
		*where = *where == BEFORE ? BEHIND : LAST;
	return MCW_OK;
}

/* The shard ends without what was expected in it? */
static mcw_status
check_end(const mcs_ots_lane *lane, const mcw_ots_record_page *page, mcs_ots_ending ending, mcw_error *err)
{
	bool		over = page->next.data == NULL ||
		(page->nrecords == 0 && lane->first_child < 0 && !(page->has_more_flag && page->may_more));

	if (ending != MCS_OTS_ENDING_NONE || !over)
		return MCW_OK;
	if (lane->skip > 0)
		return lost(err, "the shard ends in front of a position");
	if (lane->link != NULL && lane->link->has_end)
		return lost(err, "the shard ends in front of the window's end");
	return MCW_OK;
}

static mcw_status
keep_end(mcs_ots_lane *lane, mcw_view iterator, int64_t passed, mcw_error *err)
{
	lane->passed = passed;
	mcw_buf_reset(&lane->end_iterator);
	if (mcw_buf_append_view(&lane->end_iterator, iterator) != MCW_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return MCW_OK;
}

mcw_status
mcs_ots_chain_page(mcs_ots_lane *lane, mcw_view iterator, const mcw_ots_record_page *page,
				   uint32_t *first, uint32_t *upto, mcs_ots_ending *ending, int64_t *time_us, mcw_error *err)
{
	mcs_ots_sequence sequence = {0};
	size_t		pos = 0;
	uint32_t	i;
	place		where = BEFORE;
	mcw_status	status;

	*first = 0;
	*upto = page->nrecords;
	*ending = MCS_OTS_ENDING_NONE;
	for (i = 0; i < page->nrecords; i++)
	{
		status = read_sequence(lane->scan, page, &pos, &sequence, err);
		if (status == MCW_OK)
			status = place_of(lane, &sequence, &where, err);
		if (status != MCW_OK)
			return status;
		*time_us = sequence.time_us;
		if (where == BEFORE)
			*first = i + 1;
		else if (where != INSIDE)
		{
			*upto = i + (where == LAST);
			*ending = lane->link == NULL || !lane->link->has_end ? MCS_OTS_ENDING_PASSED :
				lane->closed ? MCS_OTS_ENDING_CLOSED : MCS_OTS_ENDING_DRAINED;
			break;
		}
	}
	status = check_end(lane, page, *ending, err);
	if (status != MCW_OK || (lane->link != NULL && lane->link->has_end))
		return status;
	if (*ending != MCS_OTS_ENDING_NONE)
		return keep_end(lane, iterator, i, err);
	if (page->next.data != NULL)
		return keep_end(lane, page->next, 0, err);
	lane->closed = true;
	*ending = MCS_OTS_ENDING_CLOSED;
	return keep_end(lane, iterator, i, err);
}

/* ---- ends ---- */

int
mcs_ots_stream_nshards(const mcs_ots_stream_scan *scan)
{
	return scan->nlanes;
}

const char *
mcs_ots_stream_id(const mcs_ots_stream_scan *scan)
{
	return scan->state.stream.id.data;
}

bool
mcs_ots_stream_shard_end(const mcs_ots_stream_scan *scan, int i, mcs_ots_shard_end *end)
{
	const mcs_ots_lane *lane = &scan->lanes[i];

	if (!lane->read)
		return false;
	end->shard = lane->id;
	end->begin = lane->begin;
	end->end = (mcs_ots_mark) {
		.kind = MCS_OTS_MARK_RECORD,
		.iterator = mcw_buf_view(&lane->end_iterator),
		.skip = lane->passed,
		.has_last = lane->has_last,
		.last = lane->last
	};
	/* nothing was taken: which older records a position by time shows may change until it is read again */
	if (lane->leading)
		end->begin = end->end;
	end->closed = lane->closed;
	end->records = lane->taken;
	end->late = lane->late;
	return true;
}
