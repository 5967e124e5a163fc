/*
 * ots_stream.c
 *		mc-emulator, Tablestore part: the change log of a table: shards, their family
 *		over splits and merges, records in chunks, expiry, late visibility.  The API
 *		over it is in ots_stream_api.c.  tablestore.md 5.1, 5.2.
 */
#include <stdlib.h>

#include "ots_stream.h"

#define SEQUENCE_BYTES 31		/* extension, checksum tag and checksum end every record */
#define SEQUENCE_EPOCH 11		/* from the begin of those bytes */
#define SEQUENCE_TIME 16
#define SEQUENCE_INDEX 25
#define MIN_CHUNK 4096

ots_stream_settings ots_stream_conf = {
	.page_records = 5000,
	.page_bytes = 4 << 20,
	.shard_limit = 100,
};

ots_stream *
ots_stream_of(const ots_table *table)
{
	return table->stream.on ? table->stream.state : NULL;
}

ots_table *
ots_stream_table(const ots_instance *inst, mcw_view stream_id)
{
	for (int i = 0; i < inst->ntables; i++)
		if (ots_stream_of(inst->tables[i]) && mcw_view_eq(mcw_str(inst->tables[i]->stream.id), stream_id))
			return inst->tables[i];
	return NULL;
}

bool
ots_stream_active(const ots_table *table, int64_t now_us)
{
	return now_us >= table->stream.enabled_us + ots_stream_conf.enabling_us;
}

ots_shard *
ots_shard_find(const ots_stream *stream, mcw_view id)
{
	for (size_t i = 0; i < stream->nshards; i++)
		if (mcw_view_eq(mcw_str(stream->shards[i]->id), id))
			return stream->shards[i];
	return NULL;
}

/* ---- chunks ---- */

static void
chunk_free(ots_chunk *chunk)
{
	if (chunk->page)
		emu_blob_unref(chunk->page);
	else
		free(chunk->data);
	free(chunk->entries);
	free(chunk);
}

static ots_chunk *
chunk_add(ots_shard *shard)
{
	ots_chunk  *chunk = emu_malloc(sizeof(ots_chunk));

	memset(chunk, 0, sizeof(*chunk));
	chunk->first = shard->next;
	if (shard->nchunks == shard->cap)
	{
		shard->cap = shard->cap ? shard->cap * 2 : 8;
		shard->chunks = emu_realloc(shard->chunks, shard->cap * sizeof(ots_chunk *));
	}
	shard->chunks[shard->nchunks++] = chunk;
	return chunk;
}

/* Which chunk holds a record: the last that begins at or before it */
static size_t
chunk_of(const ots_shard *shard, int64_t position)
{
	size_t		low = 0;
	size_t		high = shard->nchunks;

	while (high - low > 1)
	{
		size_t		middle = (low + high) / 2;

		if (shard->chunks[middle]->first <= position)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static const ots_log_entry *
entry_at(const ots_shard *shard, int64_t position)
{
	const ots_chunk *chunk = shard->chunks[chunk_of(shard, position)];

	return &chunk->entries[position - chunk->first];
}

int64_t
ots_shard_time(const ots_shard *shard, int64_t position)
{
	return entry_at(shard, position)->order_us;
}

/* First retained record for which the entry's time exceeds or reaches 'us' */
static int64_t
search(const ots_shard *shard, int64_t us, bool visibility)
{
	int64_t		low = shard->first;
	int64_t		high = shard->next;

	while (low < high)
	{
		int64_t		middle = low + (high - low) / 2;
		const ots_log_entry *e = entry_at(shard, middle);

		if (visibility ? e->visible_us > us : e->order_us >= us)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int64_t
ots_shard_seek(const ots_shard *shard, int64_t us)
{
	return search(shard, us, false);
}

int64_t
ots_shard_readable(const ots_shard *shard, int64_t now_us)
{
	return shard->visible_us <= now_us ? shard->next : search(shard, now_us, true);
}

/* ---- records ---- */

static void
put_varint(ots_chunk *chunk, uint64_t v)
{
	chunk->len = (size_t) (mcw_put_varint(chunk->data + chunk->len, v) - chunk->data);
}

static void
put_member(ots_chunk *chunk, uint32_t number, mcw_view bytes)
{
	put_varint(chunk, number << 3 | MCW_PB_BYTES);
	put_varint(chunk, bytes.len);
	memcpy(chunk->data + chunk->len, bytes.data, bytes.len);
	chunk->len += bytes.len;
}

/* Commit times never fall within an epoch; equal ones are told apart by the row index */
static void
next_sequence(ots_shard *shard, int64_t *time_us, int32_t *row_index)
{
	*time_us += shard->skew_us;
	if (*time_us < shard->last_us)
	{
		*time_us = shard->last_us;
		*row_index = shard->last_index + 1;
	}
	else if (*time_us == shard->last_us && *row_index <= shard->last_index)
		*row_index = shard->last_index + 1;
	shard->last_us = *time_us;
	shard->last_index = *row_index;
	if (shard->order_us < *time_us)
		shard->order_us = *time_us;
}

static ots_chunk *
chunk_for(ots_shard *shard, size_t len)
{
	ots_chunk  *chunk = shard->nchunks ? shard->chunks[shard->nchunks - 1] : NULL;
	size_t		cap;

	if (chunk && !chunk->full && chunk->n > 0 &&
		(chunk->n >= ots_stream_conf.page_records || chunk->len + len > (size_t) ots_stream_conf.page_bytes))
	{
		chunk->full = true;
		chunk->data = emu_realloc(chunk->data, chunk->len);
		chunk->size = chunk->len;
	}
	if (chunk == NULL || chunk->full)
		chunk = chunk_add(shard);
	if (chunk->len + len > chunk->size)
	{
		cap = chunk->size ? chunk->size * 2 : MIN_CHUNK;
		while (cap < chunk->len + len)
			cap *= 2;
		chunk->data = emu_realloc(chunk->data, cap);
		chunk->size = cap;
	}
	if (chunk->n == chunk->cap)
	{
		chunk->cap = chunk->cap ? chunk->cap * 2 : 32;
		chunk->entries = emu_realloc(chunk->entries, chunk->cap * sizeof(ots_log_entry));
	}
	return chunk;
}

void
ots_shard_append(ots_shard *shard, int action, mcw_view record, mcw_view origin, int64_t time_us,
				 int32_t row_index, int64_t now_us)
{
	size_t		body = 2 + 1 + mcw_varint_size(record.len) + record.len;
	ots_chunk  *chunk;
	char	   *tail;

	if (record.len < SEQUENCE_BYTES)
		return;
	if (origin.len > 0)
		body += 1 + mcw_varint_size(origin.len) + origin.len;
	next_sequence(shard, &time_us, &row_index);
	if (ots_stream_conf.visible_after_us > 0 && shard->visible_us < now_us + ots_stream_conf.visible_after_us)
		shard->visible_us = now_us + ots_stream_conf.visible_after_us;
	chunk = chunk_for(shard, 1 + mcw_varint_size(body) + body);
	chunk->entries[chunk->n++] = (ots_log_entry) {shard->order_us, shard->visible_us, (uint32_t) chunk->len};
	put_varint(chunk, 1 << 3 | MCW_PB_BYTES);
	put_varint(chunk, body);
	put_varint(chunk, 1 << 3 | MCW_PB_VARINT);
	put_varint(chunk, (uint64_t) action);
	put_member(chunk, 2, record);
	tail = chunk->data + chunk->len - SEQUENCE_BYTES;
	memcpy(tail + SEQUENCE_EPOCH, &shard->epoch, 4);
	memcpy(tail + SEQUENCE_TIME, &time_us, 8);
	memcpy(tail + SEQUENCE_INDEX, &row_index, 4);
	if (origin.len > 0)
		put_member(chunk, 3, origin);
	shard->next++;
}

/* Number of records of this chunk from 'at' that fit the page and the reader's limits */
static uint32_t
fit(const ots_chunk *chunk, uint32_t at, int64_t records, size_t bytes, bool any)
{
	uint32_t	end = chunk->n;
	uint32_t	low = at;

	if (records < end - at)
		end = at + (uint32_t) records;
	/* the last end whose bytes fit; one record always does when the page is empty */
	while (low < end)
	{
		uint32_t	middle = low + (end - low + 1) / 2;
		size_t		to = middle == chunk->n ? chunk->len : chunk->entries[middle].at;

		if (to - chunk->entries[at].at <= bytes || (any && middle == at + 1))
			low = middle;
		else
			end = middle - 1;
	}
	return low - at;
}

int64_t
ots_shard_page(const ots_shard *shard, int64_t position, int64_t limit, int64_t now_us, mcw_buf *out)
{
	int64_t		end = ots_shard_readable(shard, now_us);
	size_t		room = (size_t) ots_stream_conf.page_bytes;
	int64_t		start = position;

	if (limit <= 0 || limit > ots_stream_conf.page_records)
		limit = ots_stream_conf.page_records;
	if (end - position > limit)
		end = position + limit;
	while (position < end)
	{
		const ots_chunk *chunk = shard->chunks[chunk_of(shard, position)];
		uint32_t	at = (uint32_t) (position - chunk->first);
		uint32_t	n = fit(chunk, at, end - position, room, position == start);
		size_t		from = chunk->entries[at].at;
		size_t		to = at + n == chunk->n ? chunk->len : chunk->entries[at + n].at;

		if (n == 0)
			break;
		mcw_buf_append(out, chunk->data + from, to - from);
		room = room > to - from ? room - (to - from) : 0;
		position += n;
	}
	return position;
}

ots_chunk *
ots_shard_whole_page(const ots_shard *shard, int64_t position, int64_t now_us)
{
	ots_chunk  *chunk;

	if (position >= shard->next)
		return NULL;
	chunk = shard->chunks[chunk_of(shard, position)];
	if (!chunk->full || chunk->first != position || chunk->n != ots_stream_conf.page_records ||
		chunk->len > (size_t) ots_stream_conf.page_bytes || chunk->entries[chunk->n - 1].visible_us > now_us)
		return NULL;
	return chunk;
}

/* ---- shards ---- */

/* Unique for ever and the same in every run; says nothing about the order */
static void
make_shard_id(const ots_stream *stream, char id[OTS_SHARD_ID])
{
	unsigned char h[16];
	char		text[256];
	int			n = snprintf(text, sizeof(text), "%s/%llu", stream->table->stream.id, (unsigned long long) stream->serial);

	if (mcw_md5(text, (size_t) n, h) != MCW_OK)
		emu_oom();
	snprintf(id, OTS_SHARD_ID, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1], h[2], h[3],
			 h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

ots_shard *
ots_shard_add(ots_stream *stream, const ots_shard *parent, const ots_shard *sibling, uint64_t part,
			  int32_t epoch, int64_t now_us)
{
	ots_shard  *shard = emu_malloc(sizeof(ots_shard));

	memset(shard, 0, sizeof(*shard));
	make_shard_id(stream, shard->id);
	stream->serial++;
	shard->part = part;
	shard->epoch = epoch;
	shard->created_us = now_us;
	shard->last_index = -1;
	if (parent)
	{
		snprintf(shard->parent, sizeof(shard->parent), "%s", parent->id);
		if (shard->epoch <= parent->epoch)
			shard->epoch = parent->epoch + 1;
	}
	if (sibling)
	{
		snprintf(shard->sibling, sizeof(shard->sibling), "%s", sibling->id);
		if (shard->epoch <= sibling->epoch)
			shard->epoch = sibling->epoch + 1;
	}
	stream->shards = emu_realloc(stream->shards, (stream->nshards + 1) * sizeof(ots_shard *));
	stream->shards[stream->nshards++] = shard;
	return shard;
}

static void
shard_free(ots_shard *shard)
{
	for (size_t i = 0; i < shard->nchunks; i++)
		chunk_free(shard->chunks[i]);
	free(shard->chunks);
	free(shard);
}

void
ots_stream_free(ots_stream *stream)
{
	for (size_t i = 0; i < stream->nshards; i++)
		shard_free(stream->shards[i]);
	free(stream->shards);
	free(stream);
}

/* Whole chunks are given back; what remains of the first one is hidden by shard->first */
static void
shard_expire(ots_shard *shard, int64_t cutoff_us)
{
	size_t		gone = 0;

	if (shard->first < shard->next && ots_shard_time(shard, shard->first) < cutoff_us)
		shard->first = ots_shard_seek(shard, cutoff_us);
	while (gone < shard->nchunks && shard->chunks[gone]->first + shard->chunks[gone]->n <= shard->first)
		chunk_free(shard->chunks[gone++]);
	if (gone > 0)
	{
		memmove(shard->chunks, shard->chunks + gone, (shard->nchunks - gone) * sizeof(ots_chunk *));
		shard->nchunks -= gone;
	}
}

void
ots_stream_expire(ots_stream *stream, int64_t now_us)
{
	int64_t		cutoff = now_us - stream->table->stream.hours * OTS_HOUR_US;
	size_t		kept = 0;

	for (size_t i = 0; i < stream->nshards; i++)
	{
		ots_shard  *shard = stream->shards[i];

		shard_expire(shard, cutoff);
		if (shard->closed && shard->first == shard->next && shard->closed_us < cutoff)
			shard_free(shard);
		else
			stream->shards[kept++] = shard;
	}
	stream->nshards = kept;
}

static ots_shard *
shard_of_part(ots_stream *stream, uint64_t part)
{
	if (stream->hot && stream->hot->part == part && !stream->hot->closed)
		return stream->hot;
	for (size_t i = 0; i < stream->nshards; i++)
		if (stream->shards[i]->part == part && !stream->shards[i]->closed)
			return stream->hot = stream->shards[i];
	return NULL;
}

static void
shard_close(ots_stream *stream, ots_shard *shard, int64_t now_us)
{
	shard->closed = true;
	shard->closed_us = now_us;
	stream->hot = NULL;
}

/* ---- what the tables call ---- */

void
ots_stream_enabled(ots_table *table)
{
	ots_stream *stream = emu_malloc(sizeof(ots_stream));

	memset(stream, 0, sizeof(*stream));
	stream->table = table;
	stream->serial = 1;
	table->stream.state = stream;
	for (int i = 0; i < table->nparts; i++)
		(void) ots_shard_add(stream, NULL, NULL, table->parts[i].id, table->parts[i].epoch, table->stream.enabled_us);
}

void
ots_stream_disabled(ots_table *table)
{
	if (table->stream.state)
		ots_stream_free(table->stream.state);
	table->stream.state = NULL;
}

void
ots_stream_split(ots_table *table, const ots_partition *old, const ots_partition *left, const ots_partition *right)
{
	ots_stream *stream = ots_stream_of(table);
	ots_shard  *parent = stream ? shard_of_part(stream, old->id) : NULL;

	if (parent == NULL)
		return;
	shard_close(stream, parent, left->created_us);
	(void) ots_shard_add(stream, parent, NULL, left->id, left->epoch, left->created_us);
	(void) ots_shard_add(stream, parent, NULL, right->id, right->epoch, right->created_us);
}

void
ots_stream_merged(ots_table *table, const ots_partition *left, const ots_partition *right, const ots_partition *merged)
{
	ots_stream *stream = ots_stream_of(table);
	ots_shard  *parent = stream ? shard_of_part(stream, left->id) : NULL;
	ots_shard  *sibling = stream ? shard_of_part(stream, right->id) : NULL;

	if (parent == NULL || sibling == NULL)
		return;
	shard_close(stream, parent, merged->created_us);
	shard_close(stream, sibling, merged->created_us);
	(void) ots_shard_add(stream, parent, sibling, merged->id, merged->epoch, merged->created_us);
}

void
ots_stream_changed(ots_table *table, const ots_partition *part, const ots_mutation *m)
{
	ots_stream *stream = ots_stream_of(table);
	ots_shard  *shard = stream ? shard_of_part(stream, part->id) : NULL;

	if (shard && m->record.len > 0)
		ots_shard_append(shard, m->kind, m->record, m->origin, m->time_us, m->row_index, emu_now_us());
}

void
ots_stream_tick(int64_t now_us)
{
	for (ots_instance *inst = ots_instances; inst; inst = inst->next)
		for (int i = 0; i < inst->ntables; i++)
			if (ots_stream_of(inst->tables[i]))
				ots_stream_expire(ots_stream_of(inst->tables[i]), now_us);
	ots_tunnel_tick(now_us);
}
