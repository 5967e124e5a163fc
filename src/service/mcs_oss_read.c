/*
 * mcs_oss_read.c
 *		The reader: a ring of ranges in the order of delivery, filled ahead of the
 *		consumer, and the chunks he takes from it.
 *
 * Objects are fetched from their source only on behalf of the consumer, never from a
 * completion callback: the source may run code of the host that does not return.  A
 * callback asks for more ranges of the object at hand.
 *
 * An object of size 0 (but not a link) is one empty chunk without a request: whatever it is now, when it
 * was chosen it had no bytes.
 */
#include "mcs_oss_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "../wire/mcw_hash.h"

#define RING_PER_REQUEST 4		/* small objects that wait for the consumer, per request in flight */
#define FIRST_BLOCK ((size_t) 256 << 10)	/* who may stop soon begins with little */

/* ---- life ---- */

mcw_status
mcs_oss_read_open(mcs_oss *oss, const mcs_oss_read_spec *spec, mcs_oss_reader **reader, mcw_error *err)
{
	mcs_oss_reader *r;

	*reader = NULL;
	if (spec->block_size < 1 || spec->concurrency < 1 || spec->concurrency > 1024 || spec->next_object == NULL)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a reader of objects was given values out of range");
	r = mcw_new0(oss->alloc, sizeof(*r));
	if (r == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	r->oss = oss;
	r->spec = *spec;
	r->nslots = spec->concurrency * RING_PER_REQUEST;
	r->slots = mcw_new0(oss->alloc, sizeof(*r->slots) * r->nslots);
	r->spare = mcw_new0(oss->alloc, sizeof(*r->spare) * (r->nslots + 1));
	if (r->slots == NULL || r->spare == NULL)
	{
		mcs_oss_read_close(r);
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	}
	mcw_buf_init(&r->held, oss->alloc, 0);
	r->target = spec->eager ? spec->concurrency : 1;
	r->block_size = spec->eager || spec->block_size < FIRST_BLOCK ? spec->block_size : FIRST_BLOCK;
	*reader = r;
	return MCW_OK;
}

static void
free_slot(mcs_oss_slot *slot)
{
	mcs_oss_reader *r = slot->reader;

	if (slot->call.req.active)
		r->asking--;
	mcs_oss_call_free(&slot->call);
	mcw_buf_free(&slot->etag);
	r->bytes -= slot->len;
	memset(slot, 0, sizeof(*slot));
	r->head = (r->head + 1) % r->nslots;
	r->count--;
}

static void
free_source(mcs_oss_reader *r, mcs_oss_source *source)
{
	r->first = source->next;
	if (r->first == NULL)
		r->last = NULL;
	mcw_free(r->oss->alloc, source, source->block);
}

/* Takes everything off the loop.  Objects stay: an error may name the one at hand. */
static void
drop_slots(mcs_oss_reader *r)
{
	while (r->count > 0)
		free_slot(&r->slots[r->head]);
	r->issuing = NULL;
}

void
mcs_oss_read_close(mcs_oss_reader *r)
{
	const mcw_alloc *alloc;

	if (r == NULL)
		return;
	alloc = r->oss->alloc;
	drop_slots(r);
	while (r->first != NULL)
		free_source(r, r->first);
	if (r->held.alloc != NULL)
		mcw_buf_free(&r->held);
	for (int i = 0; i < r->nspare; i++)
		mcw_buf_free(&r->spare[i]);
	mcw_free(alloc, r->slots, sizeof(*r->slots) * r->nslots);
	mcw_free(alloc, r->spare, sizeof(*r->spare) * (r->nslots + 1));
	mcw_free(alloc, r, sizeof(*r));
}

const mcs_oss_read_stats *
mcs_oss_read_get_stats(const mcs_oss_reader *r)
{
	return &r->stats;
}

static mcw_status
interrupted(mcs_oss_reader *r, mcw_error *err)
{
	(void) mcw_fail(&r->failed, MCW_ERR_INTERRUPTED, "interrupted");
	drop_slots(r);
	*err = r->failed;
	return err->status;
}

/* ---- objects ---- */

static mcw_status
add_source(mcs_oss_reader *r, const mcs_oss_object *object)
{
	size_t		block = sizeof(mcs_oss_source) + object->key.len + object->etag.len + 2;
	mcs_oss_source *source = mcw_new0(r->oss->alloc, block);
	char	   *text;

	if (source == NULL)
		return mcw_fail(&r->source_failed, MCW_ERR_NOMEM, "out of memory");
	text = (char *) (source + 1);
	source->object = *object;
	source->object.token = (mcw_view) {NULL, 0};
	source->block = block;
	if (object->link)
	{
		source->object.size = UINT64_MAX;
		source->object.etag.len = 0;
		source->object.last_modified = 0;
		object = &source->object;
	}
	source->stream = object->size == UINT64_MAX || !object->ranges;
	source->known = object->size != UINT64_MAX || object->etag.len > 0;
	if (object->key.len > 0)
		memcpy(text, object->key.data, object->key.len);
	source->object.key.data = text;
	text += object->key.len + 1;
	if (object->etag.len > 0)
		memcpy(text, object->etag.data, object->etag.len);
	source->object.etag.data = text;
	*(r->last ? &r->last->next : &r->first) = source;
	r->last = source;
	r->issuing = source;
	return MCW_OK;
}

/* One more object; false if there is none, or none yet */
static bool
fetch(mcs_oss_reader *r, bool wait)
{
	mcs_oss_object object;
	bool		pending = false;
	mcw_error	err = {0};
	mcw_status	status;

	if (r->ended || r->source_failed.status != MCW_OK)
		return false;
	memset(&object, 0, sizeof(object));
	status = r->spec.next_object(r->spec.ctx, wait, &pending, &object, &err);
	if (status == MCW_OK)
		return add_source(r, &object) == MCW_OK;
	if (status != MCW_END)
	{
		r->source_failed = err;
		r->source_failed.status = status;
	}
	else if (!pending)
		r->ended = true;
	return false;
}

/* ---- asking ahead ---- */

static bool
has_room(const mcs_oss_reader *r)
{
	uint64_t	limit = (uint64_t) r->spec.concurrency * r->spec.block_size;
	uint64_t	left = r->issuing ? r->issuing->object.size - r->issuing->asked : 1;

	if (r->count == 0)
		return true;
	if (r->asking >= r->target || r->count >= (r->target < r->spec.concurrency ? r->target : r->nslots))
		return false;
	return r->bytes + (left < r->block_size ? left : r->block_size) <= limit;
}

static void
issue(mcs_oss_reader *r)
{
	mcs_oss_source *source = r->issuing;
	mcs_oss_slot *slot = &r->slots[(r->head + r->count) % r->nslots];
	uint64_t	left = source->object.size - source->asked;

	memset(slot, 0, sizeof(*slot));
	slot->reader = r;
	slot->source = source;
	slot->offset = source->asked;
	mcw_buf_init(&slot->etag, r->oss->alloc, 8192);
	r->count++;
	if (source->object.size == 0)
	{
		slot->ready = true;
		r->issuing = NULL;
		return;
	}
	slot->len = source->stream || left > r->block_size ? r->block_size : (size_t) left;
	if (source->stream)
		slot->len = r->spec.block_size;
	source->asked = source->stream ? source->object.size : source->asked + slot->len;
	if (source->asked == source->object.size)
		r->issuing = NULL;
	r->bytes += slot->len;
	r->asking++;
	if (source->stream)
		mcs_oss_ask_stream(slot);
	else
		mcs_oss_ask_range(slot);
}

static void
pump(mcs_oss_reader *r, bool for_consumer)
{
	if (r->pumping)
		return;
	r->pumping = true;
	while (r->failed.status == MCW_OK && has_room(r))
	{
		if (r->issuing != NULL)
			issue(r);
		else
		{
			bool		more = false;

			if (for_consumer)
			{
				r->pumping = false;
				more = fetch(r, false);
				r->pumping = true;
			}
			if (!more)
				break;
		}
	}
	r->pumping = false;
}

void
mcs_oss_slot_done(mcs_oss_slot *slot)
{
	mcs_oss_reader *r = slot->reader;

	r->asking--;
	if (slot->status == MCW_OK && !slot->source->stream)
		pump(r, false);
}

/* ---- consumer ---- */

/* What was handed out last is no longer used */
static void
put_back(mcs_oss_reader *r)
{
	size_t		limit = (size_t) r->spec.concurrency * r->spec.block_size;

	if (r->current != NULL && r->current->stream)
		mcw_buf_reset(&r->held);	/* a stream exchanges it for the next piece */
	else if (r->held.cap > 0)
	{
		if (r->nspare <= r->nslots && r->spare_bytes + r->held.cap + r->bytes <= limit)
		{
			r->spare_bytes += r->held.cap;
			r->spare[r->nspare++] = r->held;
			memset(&r->held, 0, sizeof(r->held));
			mcw_buf_init(&r->held, r->oss->alloc, 0);
		}
		else
			mcw_buf_free(&r->held);
	}
	if (r->took)
	{
		/* he may have had enough with it: only now it is known that he has not */
		r->target = r->target * 2 < r->spec.concurrency ? r->target * 2 : r->spec.concurrency;
		r->block_size = r->block_size * 2 < r->spec.block_size ? r->block_size * 2 : r->spec.block_size;
	}
	r->took = false;
	if (r->current == NULL && r->first != NULL && r->first->delivered == UINT64_MAX)
		free_source(r, r->first);
}

/* Something to hand out, or to report? */
static bool
head_ready(const mcs_oss_reader *r)
{
	const mcs_oss_slot *slot = &r->slots[r->head];
	const mcn_request *req = &slot->call.req;

	if (r->count == 0)
		return false;
	return slot->ready || (slot->source->stream && mcn_response_status(req) / 100 == 2 && req->response.len > 0);
}

static mcw_status
failed(mcs_oss_reader *r, const mcw_error *why, mcw_error *err)
{
	r->failed = *why;
	drop_slots(r);
	*err = r->failed;
	return err->status;
}

/* The whole object was read: its checksum, and its size if that was not known */
static mcw_status
check_end(const mcs_oss_source *source, mcw_error *err)
{
	const mcs_oss_object *object = &source->object;
	char		shown[324];

	if (object->size != UINT64_MAX && source->delivered != object->size)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "object %s ended after %" PRIu64 " bytes, its size is %" PRIu64,
						mcs_oss_show_key(object->key, shown), source->delivered, object->size);
	if (object->has_crc64 && !source->crc_done && source->crc != object->crc64)
		return mcw_fail(err, MCW_ERR_CHECKSUM, "object %s has CRC-64 %" PRIu64 " as it was read, the service says %" PRIu64,
						mcs_oss_show_key(object->key, shown), source->crc, object->crc64);
	return MCW_OK;
}

/* The head of the ring as a chunk; MCW_END: its stream goes on elsewhere, wait */
static mcw_status
deliver(mcs_oss_reader *r, mcs_oss_chunk *chunk, mcw_error *err)
{
	mcs_oss_slot *slot = &r->slots[r->head];
	mcs_oss_source *source = slot->source;
	mcn_request *req = &slot->call.req;
	bool		over = slot->ready;
	static char nothing[1];
	mcw_error	why;

	/* a stream that broke still holds good bytes */
	if (over && slot->status != MCW_OK && !(source->stream && mcn_response_status(req) / 100 == 2 && req->response.len > 0))
	{
		if (source->stream && mcs_oss_resume_stream(slot, &why))
			return MCW_END;
		if (!source->stream || source->delivered == 0)
			why = slot->error;
		return failed(r, &why, err);
	}
	if (source->stream && !slot->checked && slot->call.oss != NULL && mcs_oss_check_stream(slot, &why) != MCW_OK)
		return failed(r, &why, err);
	memset(chunk, 0, sizeof(*chunk));
	if (slot->call.oss != NULL)
	{
		r->held.max = req->response.max;
		if (source->stream)
			mcn_response_take(req, &r->held);
		else
		{
			mcw_buf		empty = r->held;

			r->held = req->response;
			req->response = empty;
		}
	}
	if (r->held.len > 0)
		slot->failures = 0;
	chunk->object = &source->object;
	chunk->data = r->held.data ? r->held.data : nothing;
	chunk->len = r->held.len;
	chunk->offset = source->delivered;
	chunk->first = r->current == NULL;
	if (!source->crc_done && (source->object.has_crc64 || r->oss->style != MCS_OSS_PLAIN))
		source->crc = mcw_crc64(source->crc, chunk->data, chunk->len);
	source->delivered += chunk->len;
	if (source->object.size != UINT64_MAX && source->delivered > source->object.size)
	{
		char		shown[324];

		(void) mcw_fail(&why, MCW_ERR_PROTOCOL, "object %s has more bytes than its size, %" PRIu64,
						mcs_oss_show_key(source->object.key, shown), source->object.size);
		return failed(r, &why, err);
	}
	chunk->last = source->stream ? over && slot->status == MCW_OK : source->delivered == source->object.size;
	if (chunk->last && check_end(source, &why) != MCW_OK)
		return failed(r, &why, err);
	if (chunk->first)
		r->stats.objects++;
	r->stats.bytes += (int64_t) chunk->len;
	r->current = source;
	r->took = true;
	if (!source->stream || chunk->last)
		free_slot(slot);
	if (chunk->last)
	{
		source->delivered = UINT64_MAX; /* freed when the next chunk is asked for */
		r->current = NULL;
	}
	return MCW_OK;
}

mcw_status
mcs_oss_read_next(mcs_oss_reader *r, bool wait, bool *pending, mcs_oss_chunk *chunk, mcw_error *err)
{
	bool		stalled = false;
	mcw_status	status;

	if (pending)
		*pending = false;
	put_back(r);
	for (;;)
	{
		if (r->failed.status != MCW_OK)
		{
			*err = r->failed;
			return err->status;
		}
		/* take what has arrived meanwhile, so that the next requests start early */
		if (mcn_loop_step(r->oss->loop, 0) == MCW_ERR_INTERRUPTED)
			return interrupted(r, err);
		pump(r, true);
		if (head_ready(r))
		{
			status = deliver(r, chunk, err);
			/* ahead of who may stop now only once he has gone on */
			if (status == MCW_OK && (r->spec.eager || r->target > 1))
				pump(r, false);
			if (status != MCW_END)
				return status;
		}
		if (r->count == 0)
		{
			if (r->source_failed.status != MCW_OK)
				return failed(r, &r->source_failed, err);
			if (r->ended)
				return MCW_END;
		}
		if (!wait)
		{
			if (pending)
				*pending = true;
			return MCW_END;
		}
		if (!stalled)
			r->stats.stalls++;
		stalled = true;
		if (r->count == 0)
		{
			(void) fetch(r, true);
			if (r->source_failed.status == MCW_ERR_INTERRUPTED)
				return interrupted(r, err);
		}
		else if (mcn_loop_step(r->oss->loop, -1) == MCW_ERR_INTERRUPTED)
			return interrupted(r, err);
	}
}

bool
mcs_oss_read_ready(const mcs_oss_reader *reader)
{
	mcs_oss_reader *r = (mcs_oss_reader *) reader;

	/* the next object may be known by now; only then there is something to wait for */
	if (r->count == 0 && r->failed.status == MCW_OK)
		pump(r, true);
	return head_ready(r) || r->failed.status != MCW_OK ||
		(r->count == 0 && (r->ended || r->source_failed.status != MCW_OK));
}
