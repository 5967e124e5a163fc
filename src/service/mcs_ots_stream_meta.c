/*
 * mcs_ots_stream_meta.c
 *		The state of a table's change stream: its id, its retention, all its shards,
 *		the newest instant that is complete (tablestore.md 5.1).
 *
 * These wait.  Reading is in mcs_ots_stream.c.
 */
#include "mcs_ots_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_META ((size_t) 8 << 20)		/* an answer */
#define MAX_SHARDS 1000000
#define MICROS INT64_C(1000000)

typedef struct listing
{
	const mcw_alloc *alloc;
	mcw_ots_shard *shards;		/* views into the arena */
	int			n;
	int			cap;
} listing;

static mcw_status
add_shard(listing *list, mcw_arena *arena, const mcw_ots_shard *shard, mcw_error *err)
{
	mcw_ots_shard *to;

	if (list->n == list->cap)
	{
		int			cap = list->cap ? list->cap * 2 : 64;
		mcw_ots_shard *p;

		if (list->n >= MAX_SHARDS)
			return mcw_fail(err, MCW_ERR_LIMIT, "a stream with more than %d shards cannot be read", MAX_SHARDS);
		p = list->alloc->resize(list->alloc->ctx, list->shards, sizeof(*p) * list->cap, sizeof(*p) * cap);
		if (p == NULL)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		list->shards = p;
		list->cap = cap;
	}
	to = &list->shards[list->n];
	if (shard->id.len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "DescribeStream returned a shard without an id");
	if (mcw_arena_copy(arena, shard->id, &to->id) != MCW_OK ||
		mcw_arena_copy(arena, shard->parent, &to->parent) != MCW_OK ||
		mcw_arena_copy(arena, shard->sibling, &to->sibling) != MCW_OK)
		return mcw_fail(err, mcw_arena_why(arena, 1), "the list of shards is too large");
	list->n++;
	return MCW_OK;
}

/* The id of the table's stream; MCW_END if it has none */
static mcw_status
find_stream(mcs_ots *ots, mcw_view table, mcw_arena *arena, mcw_ots_stream *stream, mcw_error *err)
{
	mcs_ots_call call;
	mcw_arena	scratch;
	mcw_ots_stream *found = NULL;
	int			nfound = 0;
	mcw_status	status;

	mcw_arena_init(&scratch, ots->alloc, MAX_META);
	mcs_ots_call_init(&call, ots, "ListStream", MAX_META);
	status = mcw_ots_put_list_stream(&call.body, table);
	if (status != MCW_OK)
		(void) mcw_fail(err, status, "could not write a request");
	else
		status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = mcw_ots_read_list_stream(mcw_buf_view(&call.req.response), &scratch, &found, &nfound, err);
	if (status == MCW_OK)
	{
		status = MCW_END;
		for (int i = 0; i < nfound && status == MCW_END; i++)
		{
			if (!mcw_view_eq(found[i].table, table))
				continue;
			stream->creation_us = found[i].creation_us;
			status = mcw_arena_copy(arena, found[i].id, &stream->id);
			if (status == MCW_OK)
				status = mcw_arena_copy(arena, table, &stream->table);
			if (status != MCW_OK)
				(void) mcw_fail(err, status, "out of memory");
		}
	}
	mcs_ots_call_free(&call);
	mcw_arena_reset(&scratch);
	return status;
}

/* One page of DescribeStream, from shard 'from' on; 'next' is in the arena, empty after the last page */
static mcw_status
describe_page(mcs_ots *ots, mcs_ots_call *call, mcw_arena *arena, mcw_ots_stream *stream,
			  listing *list, mcw_view from, mcw_view *next, mcw_error *err)
{
	mcw_arena	scratch;
	mcw_ots_stream page;
	mcw_status	status;

	mcs_ots_call_reuse(call);
	status = mcw_ots_put_describe_stream(&call->body, stream->id, from);
	if (status != MCW_OK)
		return mcw_fail(err, status, "could not write a request");
	status = mcs_ots_call_run(call, err);
	if (status != MCW_OK)
		return status;

	mcw_arena_init(&scratch, ots->alloc, MAX_META);
	status = mcw_ots_read_describe_stream(mcw_buf_view(&call->req.response), &scratch, &page, err);
	if (status == MCW_OK)
	{
		stream->expiration = page.expiration;
		stream->status = page.status;
		if (page.creation_us > 0)
			stream->creation_us = page.creation_us;
		if (page.next_shard.len > 0 && (page.nshards == 0 || mcw_view_eq(page.next_shard, from)))
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "the pages of DescribeStream do not come to an end");
	}
	for (int i = 0; status == MCW_OK && i < page.nshards; i++)
		status = add_shard(list, arena, &page.shards[i], err);
	if (status == MCW_OK && mcw_arena_copy(arena, page.next_shard, next) != MCW_OK)
		status = mcw_fail(err, mcw_arena_why(arena, 1), "the list of shards is too large");
	mcw_arena_reset(&scratch);
	return status;
}

static int
compare_shards(const void *a, const void *b)
{
	return mcw_view_cmp(((const mcw_ots_shard *) a)->id, ((const mcw_ots_shard *) b)->id);
}

/* Sorted by id, in the arena, each once: a page may begin with the shard the one before ended with */
static mcw_status
keep_shards(listing *list, mcw_arena *arena, mcw_ots_stream *stream, mcw_error *err)
{
	int			n = 0;

	if (list->n > 0)
		qsort(list->shards, list->n, sizeof(mcw_ots_shard), compare_shards);
	for (int i = 0; i < list->n; i++)
	{
		if (n == 0 || !mcw_view_eq(list->shards[n - 1].id, list->shards[i].id))
			list->shards[n++] = list->shards[i];
	}
	stream->nshards = n;
	stream->shards = mcw_arena_new(arena, sizeof(mcw_ots_shard) * (n + 1));
	if (stream->shards == NULL)
		return mcw_fail(err, mcw_arena_why(arena, 1), "the list of shards is too large");
	if (n > 0)
		memcpy(stream->shards, list->shards, sizeof(mcw_ots_shard) * n);
	return MCW_OK;
}

static mcw_status
describe(mcs_ots *ots, mcw_arena *arena, mcw_ots_stream *stream, mcw_error *err)
{
	mcs_ots_call call;
	listing		list = {.alloc = ots->alloc};
	mcw_view	from = {NULL, 0};
	mcw_view	next = {NULL, 0};
	mcw_status	status;

	mcs_ots_call_init(&call, ots, "DescribeStream", MAX_META);
	do
	{
		from = next;
		status = describe_page(ots, &call, arena, stream, &list, from, &next, err);
	} while (status == MCW_OK && next.len > 0);
	if (status == MCW_OK)
		status = keep_shards(&list, arena, stream, err);
	mcs_ots_call_free(&call);
	mcw_free(ots->alloc, list.shards, sizeof(mcw_ots_shard) * list.cap);
	return status;
}

mcw_status
mcs_ots_stream_get_state(mcs_ots *ots, mcw_view table, mcw_arena *arena,
						 mcs_ots_stream_state *state, mcw_error *err)
{
	mcw_status	status;
	int64_t		now;

	memset(state, 0, sizeof(*state));
	status = find_stream(ots, table, arena, &state->stream, err);
	if (status == MCW_END)
	{
		mcw_ots_table live;

		/* a table that does not exist has no stream either, and that is what should be said */
		status = mcs_ots_describe_table(ots, table, arena, &live, err);
		if (status != MCW_OK)
			return status;
		(void) mcw_fail(err, MCW_ERR_SERVICE, "table \"%.*s\" has no change stream", (int) table.len, table.data);
		(void) snprintf(err->code, sizeof(err->code), "StreamNotEnabled");
		return MCW_ERR_SERVICE;
	}
	if (status != MCW_OK)
		return status;

	/* before the shards are listed: whatever is not in the list began later than this */
	state->service_now_us = mcs_ots_service_now(ots);
	if (state->service_now_us == 0)
		state->service_now_us = mcn_unix_us();
	status = describe(ots, arena, &state->stream, err);
	if (status != MCW_OK)
		return status;

	/* whole seconds, so that what is complete now is complete for every later statement */
	now = state->service_now_us;
	state->service_now_us -= now % MICROS;
	state->safe_until_us = state->service_now_us - MCS_OTS_STREAM_LAG * MICROS;
	state->oldest_us = 0;
	if (state->stream.expiration > 0)
		state->oldest_us = state->service_now_us -
			((int64_t) state->stream.expiration * 3600 - MCS_OTS_STREAM_MARGIN) * MICROS;
	if (state->stream.creation_us > state->oldest_us && state->stream.creation_us <= now)
		state->oldest_us = state->stream.creation_us;
	return MCW_OK;
}
