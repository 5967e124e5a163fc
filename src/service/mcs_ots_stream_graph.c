/*
 * mcs_ots_stream_graph.c
 *		Shards and their parents: which may be read when.
 *
 * A split gives two shards the same parent, a merge gives one shard two.  A parent
 * that is not listed has expired and counts as read.  What a parent's end means for
 * its children is in mcs_ots_ending.
 */
#include "mcs_ots_stream_scan.h"

#include <stdlib.h>

static int
compare_id(const void *key, const void *member)
{
	return mcw_view_cmp(*(const mcw_view *) key, ((const mcw_ots_shard *) member)->id);
}

/* Index of a listed shard, -1 = not listed */
static int
find(const mcs_ots_stream_scan *scan, mcw_view id)
{
	const mcw_ots_stream *stream = &scan->state.stream;
	const mcw_ots_shard *found;

	if (id.len == 0 || stream->nshards == 0)
		return -1;
	found = bsearch(&id, stream->shards, stream->nshards, sizeof(mcw_ots_shard), compare_id);
	return found == NULL ? -1 : (int) (found - stream->shards);
}

mcs_ots_lane *
mcs_ots_graph_find(mcs_ots_stream_scan *scan, mcw_view id)
{
	int			i = find(scan, id);

	return i < 0 ? NULL : &scan->lanes[i];
}

static void
enqueue(mcs_ots_stream_scan *scan, mcs_ots_lane *lane)
{
	int			i = (int) (lane - scan->lanes);

	lane->next = -1;
	if (scan->queue_tail >= 0)
		scan->lanes[scan->queue_tail].next = i;
	else
		scan->queue_head = i;
	scan->queue_tail = i;
}

static mcs_ots_lane *
dequeue(mcs_ots_stream_scan *scan)
{
	mcs_ots_lane *lane;

	if (scan->queue_head < 0)
		return NULL;
	lane = &scan->lanes[scan->queue_head];
	scan->queue_head = lane->next;
	if (scan->queue_head < 0)
		scan->queue_tail = -1;
	return lane;
}

static void
link_parent(mcs_ots_stream_scan *scan, int child, int which, int parent)
{
	mcs_ots_lane *lane = &scan->lanes[child];

	lane->next_child[which] = scan->lanes[parent].first_child;
	scan->lanes[parent].first_child = child * 2 + which;
	lane->pending++;
	lane->has_parents = true;
}

static bool
is_selected(const mcs_ots_stream_scan *scan, mcw_view id)
{
	if (scan->spec.shards == NULL)
		return true;
	for (int i = 0; i < scan->spec.nshards; i++)
	{
		if (mcw_view_eq(scan->spec.shards[i], id))
			return true;
	}
	return false;
}

/*
 * Can every shard's turn come?  Not if parents form a circle, which would otherwise
 * look like a scan without rows.
 */
static bool
is_acyclic(mcs_ots_stream_scan *scan)
{
	int			seen = 0;
	mcs_ots_lane *lane;

	while ((lane = dequeue(scan)) != NULL)
	{
		seen++;
		for (int link = lane->first_child; link >= 0;)
		{
			mcs_ots_lane *child = &scan->lanes[link / 2];

			if (--child->pending == 0)
				enqueue(scan, child);
			link = child->next_child[link % 2];
		}
	}
	return seen == scan->nlanes;
}

/* Count the parents anew and queue who has none */
static void
reset_turns(mcs_ots_stream_scan *scan)
{
	scan->queue_head = scan->queue_tail = -1;
	for (int i = 0; i < scan->nlanes; i++)
		scan->lanes[i].pending = 0;
	for (int i = 0; i < scan->nlanes; i++)
	{
		for (int link = scan->lanes[i].first_child; link >= 0;)
		{
			mcs_ots_lane *child = &scan->lanes[link / 2];

			child->pending++;
			link = child->next_child[link % 2];
		}
	}
	for (int i = 0; i < scan->nlanes; i++)
	{
		if (scan->lanes[i].pending == 0)
			enqueue(scan, &scan->lanes[i]);
	}
}

mcw_status
mcs_ots_graph_build(mcs_ots_stream_scan *scan, mcw_error *err)
{
	const mcw_ots_stream *stream = &scan->state.stream;

	scan->lanes = mcw_new0(scan->alloc, sizeof(mcs_ots_lane) * (stream->nshards + 1));
	if (scan->lanes == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	scan->nlanes = stream->nshards;
	for (int i = 0; i < scan->nlanes; i++)
	{
		mcs_ots_lane *lane = &scan->lanes[i];

		lane->scan = scan;
		lane->id = stream->shards[i].id.data;
		lane->selected = is_selected(scan, stream->shards[i].id);
		lane->first_child = lane->next_child[0] = lane->next_child[1] = lane->next = -1;
		lane->newest_us = lane->last_us = INT64_MIN;
		mcw_buf_init(&lane->iterator, scan->alloc, 1 << 16);
		mcw_buf_init(&lane->token, scan->alloc, 1 << 16);
		mcw_buf_init(&lane->end_iterator, scan->alloc, 1 << 16);
	}
	for (int i = 0; i < scan->nlanes; i++)
	{
		int			parent = find(scan, stream->shards[i].parent);
		int			sibling = find(scan, stream->shards[i].sibling);

		if (parent >= 0)
			link_parent(scan, i, 0, parent);
		if (sibling >= 0 && sibling != parent)
			link_parent(scan, i, 1, sibling);
	}
	reset_turns(scan);
	if (!is_acyclic(scan))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the parents of the stream's shards form a circle");
	reset_turns(scan);
	return MCW_OK;
}

void
mcs_ots_graph_free(mcs_ots_stream_scan *scan)
{
	for (int i = 0; i < scan->nlanes; i++)
	{
		mcs_ots_lane *lane = &scan->lanes[i];

		if (lane->seek != NULL)
		{
			mcs_ots_call_free(lane->seek);
			mcw_free(scan->alloc, lane->seek, sizeof(mcs_ots_call));
		}
		mcw_buf_free(&lane->iterator);
		mcw_buf_free(&lane->token);
		mcw_buf_free(&lane->end_iterator);
	}
	if (scan->lanes != NULL)
		mcw_free(scan->alloc, scan->lanes, sizeof(mcs_ots_lane) * (scan->state.stream.nshards + 1));
	scan->lanes = NULL;
	scan->nlanes = 0;
}

/* The lane and everything below it will not be read; the queue is free to use: these are not in it */
static void
block(mcs_ots_stream_scan *scan, mcs_ots_lane *from)
{
	mcs_ots_lane *stack = from;

	from->next = -1;
	while (stack != NULL)
	{
		mcs_ots_lane *lane = stack;

		stack = lane->next < 0 ? NULL : &scan->lanes[lane->next];
		for (int link = lane->first_child; link >= 0;)
		{
			mcs_ots_lane *child = &scan->lanes[link / 2];

			link = child->next_child[link % 2];
			if (child->state != MCS_OTS_LANE_WAITING)
				continue;
			child->state = MCS_OTS_LANE_BLOCKED;
			if (child->selected)
				scan->info.blocked++;
			child->next = stack == NULL ? -1 : (int) (stack - scan->lanes);
			stack = child;
		}
	}
}

static void
release_children(mcs_ots_stream_scan *scan, mcs_ots_lane *lane)
{
	bool		in_window = scan->seek_us >= 0 && (lane->last_us >= scan->seek_us || lane->parent_in_window);

	for (int link = lane->first_child; link >= 0;)
	{
		mcs_ots_lane *child = &scan->lanes[link / 2];

		link = child->next_child[link % 2];
		child->parent_in_window = child->parent_in_window || (in_window && lane->selected);
		child->parent_taken = child->parent_taken || lane->taken > 0 || lane->parent_taken;
		if (--child->pending == 0 && child->state == MCS_OTS_LANE_WAITING)
			enqueue(scan, child);
	}
}

mcs_ots_lane *
mcs_ots_graph_next(mcs_ots_stream_scan *scan)
{
	mcs_ots_lane *lane;

	while ((lane = dequeue(scan)) != NULL)
	{
		if (lane->selected)
			return lane;
		lane->state = MCS_OTS_LANE_DONE;
		release_children(scan, lane);
	}
	return NULL;
}

void
mcs_ots_graph_finish(mcs_ots_stream_scan *scan, mcs_ots_lane *lane, mcs_ots_ending ending)
{
	lane->state = MCS_OTS_LANE_DONE;
	scan->info.shards_done++;
	for (int i = 0; i < scan->nactive; i++)
	{
		if (scan->active[i] == lane)
		{
			scan->active[i] = scan->active[--scan->nactive];
			break;
		}
	}
	if (ending == MCS_OTS_ENDING_CLOSED)
		release_children(scan, lane);
	else if (ending == MCS_OTS_ENDING_PASSED)
		block(scan, lane);
}
