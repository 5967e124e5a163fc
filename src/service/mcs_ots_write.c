/*
 * mcs_ots_write.c
 *		The writer's door: taking row changes, keeping them by key, waiting.
 *
 * Not here: what a batch is made of and what becomes of it (mcs_ots_write_batch.c),
 * what several changes of one key come to (mcs_ots_write_merge.c).
 */
#include <stdio.h>

#include "../wire/mcw_hash.h"
#include "mcs_ots_write_private.h"

#define FIRST_BUCKETS 1024
#define MAX_BUCKETS (1u << 22)
#define BACKLOG 2				/* batches taken beyond what is in flight */
#define DRIVE_EVERY 32			/* rows between two looks at the network */
#define MAX_CONDITION 4096
#define MAX_CHANGES_BYTES (2 * MCW_OTS_MAX_BATCH_BYTES)
#define ALIGNED(n) (((n) + 7) & ~(size_t) 7)

/* ---- lists ---- */

void
ots_push(ots_list *list, ots_entry *entry)
{
	entry->next = NULL;
	if (list->tail)
		list->tail->next = entry;
	else
		list->head = entry;
	list->tail = entry;
	list->n++;
}

ots_entry *
ots_pop(ots_list *list)
{
	ots_entry  *entry = list->head;

	if (!entry)
		return NULL;
	list->head = entry->next;
	if (!list->head)
		list->tail = NULL;
	list->n--;
	entry->next = NULL;
	return entry;
}

void
ots_make_ready(mcs_ots_writer *writer, ots_entry *entry)
{
	entry->limit = 0;
	writer->ready_bytes += entry->first->len;
	ots_push(&writer->ready, entry);
}

/* ---- keys ---- */

static size_t
key_size(const mcw_ots_key *key)
{
	size_t		size = 0;

	for (int i = 0; i < key->n; i++)
		size += 1 + (key->v[i].type == MCW_OTS_STRING || key->v[i].type == MCW_OTS_BINARY ?
					 4 + key->v[i].s.len : 8);
	return size;
}

/* Equal keys, and no others, have equal bytes */
static void
key_bytes(const mcw_ots_key *key, char *out)
{
	for (int i = 0; i < key->n; i++)
	{
		const mcw_ots_value *v = &key->v[i];

		*out++ = (char) v->type;
		if (v->type == MCW_OTS_STRING || v->type == MCW_OTS_BINARY)
		{
			uint32_t	len = (uint32_t) v->s.len;

			memcpy(out, &len, 4);
			if (len > 0)
				memcpy(out + 4, v->s.data, len);
			out += 4 + len;
		}
		else
		{
			int64_t		number = v->type == MCW_OTS_INTEGER ? v->i : 0;

			memcpy(out, &number, 8);
			out += 8;
		}
	}
}

void
ots_key_of(const mcs_ots_writer *writer, const ots_entry *entry, mcw_ots_key *key)
{
	const char *p = entry->key;

	key->n = writer->spec.schema->nkeys;
	for (int i = 0; i < key->n; i++)
	{
		mcw_ots_type type = (mcw_ots_type) (unsigned char) *p++;

		if (type == MCW_OTS_STRING || type == MCW_OTS_BINARY)
		{
			uint32_t	len;

			memcpy(&len, p, 4);
			key->v[i] = mcw_ots_bytes(type, (mcw_view) {p + 4, len});
			p += 4 + len;
		}
		else
		{
			int64_t		number;

			memcpy(&number, p, 8);
			key->v[i] = type == MCW_OTS_INTEGER ? mcw_ots_int(number) : mcw_ots_none(type);
			p += 8;
		}
	}
}

static ots_entry *
find(const mcs_ots_writer *writer, uint32_t hash, const char *key, size_t len)
{
	ots_entry  *entry = writer->buckets[hash & (writer->nbuckets - 1)];

	while (entry && (entry->hash != hash || entry->key_len != len || memcmp(entry->key, key, len) != 0))
		entry = entry->hash_next;
	return entry;
}

/* A table that cannot grow only becomes slower */
static void
grow_table(mcs_ots_writer *writer)
{
	uint32_t	n = writer->nbuckets * 2;
	ots_entry **buckets;

	if (n > MAX_BUCKETS || !(buckets = mcw_new0(writer->alloc, n * sizeof(*buckets))))
		return;
	for (uint32_t i = 0; i < writer->nbuckets; i++)
		for (ots_entry *entry = writer->buckets[i], *next; entry; entry = next)
		{
			next = entry->hash_next;
			entry->hash_next = buckets[entry->hash & (n - 1)];
			buckets[entry->hash & (n - 1)] = entry;
		}
	mcw_free(writer->alloc, writer->buckets, writer->nbuckets * sizeof(*buckets));
	writer->buckets = buckets;
	writer->nbuckets = n;
}

static void
unhash(mcs_ots_writer *writer, ots_entry *entry)
{
	ots_entry **at = &writer->buckets[entry->hash & (writer->nbuckets - 1)];

	while (*at != entry)
		at = &(*at)->hash_next;
	*at = entry->hash_next;
}

/* ---- changes ---- */

static void
fill_change(ots_change *change, mcw_ots_change kind, mcw_ots_existence existence, mcw_view row, uint64_t tag)
{
	change->next = NULL;
	change->tag = tag;
	change->len = (uint32_t) row.len;
	change->kind = (uint8_t) kind;
	change->existence = (uint8_t) existence;
	memcpy(change->row, row.data, row.len);
}

static size_t
change_size(size_t row_len)
{
	return sizeof(ots_change) + row_len;
}

static void
free_change(mcs_ots_writer *writer, ots_change *change)
{
	size_t		size = change_size(change->len);

	if (change->embedded)
		return;
	writer->held -= size;
	mcw_free(writer->alloc, change, size);
}

static void
free_entry(mcs_ots_writer *writer, ots_entry *entry)
{
	for (ots_change *change = entry->first, *next; change; change = next)
	{
		next = change->next;
		free_change(writer, change);
	}
	writer->held -= entry->size;
	mcw_free(writer->alloc, entry, entry->size);
}

void
ots_writer_fail(mcs_ots_writer *writer, const mcw_error *err, const ots_entry *entry)
{
	mcw_ots_key key;

	if (writer->failed != MCW_OK)
		return;
	writer->failed = err->status;
	writer->error = *err;
	if (!entry)
		return;
	ots_key_of(writer, entry, &key);
	(void) mcs_ots_key_text(&key, writer->failed_at, sizeof(writer->failed_at));
}

static void
report(mcs_ots_writer *writer, const ots_entry *entry, mcs_ots_row_report *r)
{
	mcw_error	err;

	if (writer->spec.on_row)
		writer->spec.on_row(writer->spec.ctx, r);
	else if (r->outcome == MCS_OTS_ROW_REFUSED)
		ots_writer_fail(writer, r->err, entry);
	else if (r->outcome != MCS_OTS_ROW_DONE)
	{
		(void) mcw_fail(&err, MCW_ERR_SERVICE, "the row %s",
						r->outcome == MCS_OTS_ROW_EXISTS ? "exists already" :
						r->outcome == MCS_OTS_ROW_STALE ? "is older than the stored one" : "does not exist");
		(void) snprintf(err.code, sizeof(err.code), "OTSConditionCheckFail");
		ots_writer_fail(writer, &err, entry);
	}
}

void
ots_settled(mcs_ots_writer *writer, ots_entry *entry, mcs_ots_row_outcome outcome,
			mcw_view row, const mcw_error *err)
{
	mcs_ots_row_report r = {.outcome = outcome, .row = row, .err = err};

	if (outcome == MCS_OTS_ROW_REFUSED && entry->taken > 1)
	{
		/* which of them is at fault shows when they go one by one, in their order */
		entry->solo = entry->taken;
		entry->taken = 0;
		ots_make_ready(writer, entry);
		return;
	}
	ots_key_of(writer, entry, &r.key);
	writer->info.merged += entry->taken - 1;
	if (outcome == MCS_OTS_ROW_DONE)
		writer->info.rows += entry->taken;
	else if (outcome == MCS_OTS_ROW_STALE)
		writer->info.stale += entry->taken;
	entry->solo = entry->solo > entry->taken ? entry->solo - entry->taken : 0;
	entry->exists = entry->first->existence == MCW_OTS_EXPECT_NOT_EXIST && outcome != MCS_OTS_ROW_REFUSED;
	for (; entry->taken > 0; entry->taken--)
	{
		ots_change *change = entry->first;

		r.tag = change->tag;
		report(writer, entry, &r);
		entry->first = change->next;
		free_change(writer, change);
	}
	entry->attempts = 0;
	entry->pending_us = 0;
	entry->maybe = false;
	if (entry->first)
	{
		ots_make_ready(writer, entry);
		return;
	}
	if (!entry->keyless)
		unhash(writer, entry);
	writer->nentries--;
	free_entry(writer, entry);
}

/* ---- life ---- */

mcs_ots_writer *
mcs_ots_writer_create(mcs_ots *ots, const mcs_ots_writer_spec *spec, mcw_error *err)
{
	mcs_ots_writer *writer = mcw_new0(ots->alloc, sizeof(*writer));

	if (!writer)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	writer->ots = ots;
	writer->alloc = ots->alloc;
	writer->spec = *spec;
	if (spec->batch_rows < 1 || spec->batch_rows > MCW_OTS_MAX_BATCH_ROWS)
		writer->spec.batch_rows = MCW_OTS_MAX_BATCH_ROWS;
	if (spec->batch_bytes == 0 || spec->batch_bytes > MCW_OTS_MAX_BATCH_BYTES)
		writer->spec.batch_bytes = MCW_OTS_MAX_BATCH_BYTES;
	writer->spec.concurrency = spec->concurrency < 1 ? 1 : spec->concurrency > 64 ? 64 : spec->concurrency;
	mcw_buf_init(&writer->merged, ots->alloc, 2 * MCW_OTS_MAX_BATCH_BYTES);
	mcw_buf_init(&writer->changes, ots->alloc, MAX_CHANGES_BYTES);
	mcw_buf_init(&writer->key, ots->alloc, MCW_OTS_MAX_BATCH_BYTES);
	mcw_buf_init(&writer->condition, ots->alloc, MAX_CONDITION);
	writer->buckets = mcw_new0(ots->alloc, FIRST_BUCKETS * sizeof(*writer->buckets));
	writer->nbuckets = writer->buckets ? FIRST_BUCKETS : 0;
	writer->slots = mcw_new0(ots->alloc, (size_t) writer->spec.concurrency * sizeof(*writer->slots));
	writer->reader = mcw_ots_reader_create(ots->alloc, NULL, 0);
	if (writer->buckets && writer->slots && writer->reader)
	{
		int			n = 0;

		while (n < writer->spec.concurrency && (writer->slots[n] = ots_slot_create(writer)) != NULL)
			n++;
		if (n == writer->spec.concurrency)
			return writer;
	}
	mcs_ots_writer_free(writer);
	(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return NULL;
}

static void
free_list(mcs_ots_writer *writer, ots_list *list)
{
	ots_entry  *entry;

	while ((entry = ots_pop(list)) != NULL)
		free_entry(writer, entry);
}

void
mcs_ots_writer_free(mcs_ots_writer *writer)
{
	const mcw_alloc *alloc;

	if (!writer)
		return;
	alloc = writer->alloc;
	for (int i = 0; writer->slots && i < writer->spec.concurrency; i++)
		if (writer->slots[i])
		{
			for (int k = 0; k < writer->slots[i]->n; k++)
				free_entry(writer, writer->slots[i]->rows[k]);
			ots_slot_free(writer->slots[i]);
		}
	free_list(writer, &writer->ready);
	free_list(writer, &writer->delayed);
	free_list(writer, &writer->suspects);
	free_list(writer, &writer->settling);
	mcw_free(alloc, writer->slots, (size_t) writer->spec.concurrency * sizeof(*writer->slots));
	mcw_free(alloc, writer->buckets, writer->nbuckets * sizeof(*writer->buckets));
	mcw_free(alloc, writer->cells, MCW_OTS_MAX_ROW_COLUMNS * sizeof(*writer->cells));
	mcw_free(alloc, writer->saved, MCW_OTS_MAX_ROW_COLUMNS * sizeof(*writer->saved));
	mcw_ots_reader_free(writer->reader);
	mcw_buf_free(&writer->merged);
	mcw_buf_free(&writer->changes);
	mcw_buf_free(&writer->key);
	mcw_buf_free(&writer->condition);
	mcw_free(alloc, writer, sizeof(*writer));
}

const mcs_ots_writer_info *
mcs_ots_writer_get_info(const mcs_ots_writer *writer)
{
	return &writer->info;
}

const char *
mcs_ots_writer_failed_at(const mcs_ots_writer *writer)
{
	return writer->failed_at;
}

/* ---- taking rows ---- */

static mcw_status
why_failed(const mcs_ots_writer *writer, mcw_error *err)
{
	if (writer->failed != MCW_OK && err)
		*err = writer->error;
	return writer->failed;
}

/* One look at the network; true if it was waited for and an interrupt came */
static bool
drive(mcs_ots_writer *writer, int timeout)
{
	mcw_status	status = mcn_loop_step(writer->ots->loop, timeout);

	ots_collect(writer);
	return timeout != 0 && status == MCW_ERR_INTERRUPTED;
}

static bool
is_keyless(const mcw_ots_key *key)
{
	for (int i = 0; i < key->n; i++)
		if (key->v[i].type == MCW_OTS_AUTO_INCREMENT)
			return true;
	return false;
}

static mcw_status
take(mcs_ots_writer *writer, mcw_ots_change kind, mcw_ots_existence existence,
	 const mcw_ots_key *key, mcw_view row, uint64_t tag)
{
	size_t		key_len = key_size(key);
	size_t		size = ALIGNED(sizeof(ots_entry) + key_len) + change_size(row.len);
	bool		keyless = is_keyless(key);
	ots_entry  *entry = NULL;
	uint32_t	hash = 0;

	mcw_buf_reset(&writer->key);
	if (!mcw_buf_room(&writer->key, key_len + 1))
		return MCW_ERR_NOMEM;
	key_bytes(key, writer->key.data);
	if (!keyless)
	{
		hash = mcw_crc32c(0, writer->key.data, key_len);
		entry = find(writer, hash, writer->key.data, key_len);
	}
	if (entry)
	{
		ots_change *change = mcw_new(writer->alloc, change_size(row.len));

		if (!change)
			return MCW_ERR_NOMEM;
		fill_change(change, kind, existence, row, tag);
		change->embedded = false;
		writer->held += change_size(row.len);
		entry->last->next = change;
		entry->last = change;
		return MCW_OK;
	}

	entry = mcw_new(writer->alloc, size);
	if (!entry)
		return MCW_ERR_NOMEM;
	memset(entry, 0, sizeof(*entry));
	entry->size = size;
	entry->hash = hash;
	entry->key_len = (uint32_t) key_len;
	entry->keyless = keyless;
	memcpy(entry->key, writer->key.data, key_len);
	entry->first = entry->last = (ots_change *) ((char *) entry + ALIGNED(sizeof(ots_entry) + key_len));
	fill_change(entry->first, kind, existence, row, tag);
	entry->first->embedded = true;
	writer->held += size;
	if (++writer->nentries > writer->nbuckets)
		grow_table(writer);
	if (!keyless)
	{
		entry->hash_next = writer->buckets[hash & (writer->nbuckets - 1)];
		writer->buckets[hash & (writer->nbuckets - 1)] = entry;
	}
	ots_make_ready(writer, entry);
	return MCW_OK;
}

/* No request can carry it */
static void
refuse_large(mcs_ots_writer *writer, const mcw_ots_key *key, size_t len, uint64_t tag)
{
	mcs_ots_row_report r = {.tag = tag, .outcome = MCS_OTS_ROW_REFUSED, .key = *key};
	mcw_error	err;

	(void) mcw_fail(&err, MCW_ERR_LIMIT, "a row of %zu bytes is above the service's limit of %d bytes",
					len, MCW_OTS_MAX_BATCH_BYTES);
	r.err = &err;
	if (writer->spec.on_row)
	{
		writer->spec.on_row(writer->spec.ctx, &r);
		return;
	}
	ots_writer_fail(writer, &err, NULL);
	(void) mcs_ots_key_text(key, writer->failed_at, sizeof(writer->failed_at));
}

/*
 * Two batches beside what is in flight are enough to keep the requests busy; what lies
 * longer only leaves the processor's cache.
 */
static bool
has_room(const mcs_ots_writer *writer, size_t more)
{
	return writer->nentries == 0 ||
		(writer->held + writer->requests + more <= writer->spec.max_buffered &&
		 writer->ready.n < writer->spec.batch_rows * BACKLOG);
}

mcw_status
mcs_ots_writer_add(mcs_ots_writer *writer, mcw_ots_change change, mcw_ots_existence existence,
				   const mcw_ots_key *key, mcw_view row, uint64_t tag, mcw_error *err)
{
	mcw_status	status;

	if (writer->done)
		ots_collect(writer);
	if (writer->busy > 0 && ++writer->adds % DRIVE_EVERY == 0)
		(void) drive(writer, 0);
	if (key->n != writer->spec.schema->nkeys)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the key has %d columns instead of %d", key->n, writer->spec.schema->nkeys);
	if (row.len > MCW_OTS_MAX_BATCH_BYTES)
	{
		refuse_large(writer, key, row.len, tag);
		return why_failed(writer, err);
	}
	while (writer->failed == MCW_OK && !has_room(writer, row.len + sizeof(ots_entry) + sizeof(ots_change)))
	{
		(void) ots_start(writer, writer->busy == 0);
		if (writer->failed == MCW_OK && drive(writer, ots_next_timeout(writer)))
			return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	}
	if (writer->failed != MCW_OK)
		return why_failed(writer, err);
	status = take(writer, change, existence, key, row, tag);
	if (status != MCW_OK)
		return mcw_fail(err, status, "out of memory");
	if (ots_start(writer, false))
		(void) drive(writer, 0);
	return why_failed(writer, err);
}

mcw_status
mcs_ots_writer_flush(mcs_ots_writer *writer, mcw_error *err)
{
	ots_collect(writer);
	while (writer->failed == MCW_OK && writer->nentries > 0)
	{
		(void) ots_start(writer, true);
		if (writer->failed == MCW_OK && drive(writer, ots_next_timeout(writer)))
			return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	}
	return why_failed(writer, err);
}
