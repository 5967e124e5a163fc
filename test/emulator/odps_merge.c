/*
 * odps_merge.c
 *		mc-emulator, MaxCompute part: the rows of a partition merged with the packs of an
 *		upsert session.
 *
 * The last record of a key wins, in the order of arrival; rows that no record names
 * stay as they are.  Reference: maxcompute.md 5.4.
 */
#include "odps.h"

#include <stdlib.h>

#define OP_UPSERT 85
#define OP_DELETE 68
#define SEGMENT_BYTES ((size_t) 64 << 20)

/* The last record of one key */
typedef struct last_op
{
	char	   *key;
	size_t		len;
	int			block;
	uint32_t	record;
	bool		upsert;
} last_op;

typedef struct merge
{
	odps_session *session;
	odps_schema *pack_schema;
	int			keys[ODPS_MAX_PRIMARY_KEY];
	int			nkeys;
	last_op    *ops;			/* open addressing; key NULL = free */
	size_t		size;			/* power of two */
	size_t		used;
	int			block;			/* being read */
	mcw_buf		key;
	mcw_buf		records;
	mcw_odps_writer writer;
	odps_segment **segs;
	int			nsegs;
	mcw_error  *err;
	bool		failed;
} merge;

/* Key bytes: the values as an own record would hold them, so equal values are equal bytes */
static bool
make_key(merge *m, const mcw_odps_value *values)
{
	mcw_odps_writer w;

	mcw_buf_reset(&m->key);
	mcw_odps_writer_init(&w, &m->key);
	mcw_odps_begin_record(&w);
	for (int i = 0; i < m->nkeys; i++)
	{
		if (values[m->keys[i]].is_null)
		{
			mcw_fail(m->err, MCW_ERR_RANGE, "NULL in primary key column %s", m->session->schema->columns[m->keys[i]].name);
			return false;
		}
		(void) odps_value_put(&w, i + 1, m->session->schema->types[m->keys[i]], &values[m->keys[i]]);
	}
	return mcw_odps_end_record(&w) == MCW_OK;
}

static last_op *
find_op(merge *m)
{
	size_t		i = mcw_crc32c(0, m->key.data, m->key.len) & (m->size - 1);

	while (m->ops[i].key && (m->ops[i].len != m->key.len || memcmp(m->ops[i].key, m->key.data, m->key.len) != 0))
		i = (i + 1) & (m->size - 1);
	return &m->ops[i];
}

static void
grow(merge *m)
{
	last_op    *old = m->ops;
	size_t		old_size = m->size;

	m->size = old_size ? old_size * 2 : 1024;
	m->ops = emu_malloc(sizeof(last_op) * m->size);
	memset(m->ops, 0, sizeof(last_op) * m->size);
	for (size_t i = 0; i < old_size; i++)
		if (old[i].key)
		{
			size_t		at = mcw_crc32c(0, old[i].key, old[i].len) & (m->size - 1);

			while (m->ops[at].key)
				at = (at + 1) & (m->size - 1);
			m->ops[at] = old[i];
		}
	free(old);
}

/* First pass: which record of each key is the last */
static bool
note_op(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	merge	   *m = ctx;
	int64_t		op = values[m->session->schema->ncolumns + 2].i64;
	last_op    *slot;

	(void) seg;
	m->failed = true;
	if (op != OP_UPSERT && op != OP_DELETE)
	{
		mcw_fail(m->err, MCW_ERR_RANGE, "__operation is %lld, not 85 or 68", (long long) op);
		return false;
	}
	for (int i = 0; op == OP_UPSERT && i < m->session->schema->ncolumns; i++)
		if (values[i].is_null && m->session->schema->columns[i].not_null)
		{
			mcw_fail(m->err, MCW_ERR_RANGE, "NULL in NOT NULL column %s", m->session->schema->columns[i].name);
			return false;
		}
	if (!make_key(m, values))
		return false;
	if (m->used * 2 >= m->size)
		grow(m);
	slot = find_op(m);
	if (!slot->key)
	{
		slot->key = emu_strdup(mcw_buf_view(&m->key));
		slot->len = m->key.len;
		m->used++;
	}
	slot->block = m->block;
	slot->record = record;
	slot->upsert = op == OP_UPSERT;
	m->failed = false;
	return true;
}

static bool
flush_segment(merge *m)
{
	odps_segment *seg = odps_segment_index(m->session->schema, &m->records, m->err);

	if (!seg)
		return false;
	m->segs = emu_realloc(m->segs, sizeof(*m->segs) * (m->nsegs + 1));
	m->segs[m->nsegs++] = seg;
	mcw_odps_writer_init(&m->writer, &m->records);
	return true;
}

static bool
put_row(merge *m, const mcw_odps_value *values)
{
	const odps_schema *s = m->session->schema;

	mcw_odps_begin_record(&m->writer);
	for (int i = 0; i < s->ncolumns; i++)
		if (!values[i].is_null)
			(void) odps_value_put(&m->writer, i + 1, s->types[i], &values[i]);
	m->failed = mcw_odps_end_record(&m->writer) != MCW_OK ||
		(m->records.len >= SEGMENT_BYTES && !flush_segment(m));
	return !m->failed;
}

/* Second pass: old rows without a record */
static bool
keep_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	merge	   *m = ctx;

	(void) seg;
	(void) record;
	m->failed = !make_key(m, values);
	if (m->failed)
		return false;
	return find_op(m)->key ? true : put_row(m, values);
}

/* Third pass: the last records that are upserts */
static bool
add_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	merge	   *m = ctx;
	last_op    *slot;

	(void) seg;
	m->failed = !make_key(m, values);
	if (m->failed)
		return false;
	slot = find_op(m);
	return slot->upsert && slot->block == m->block && slot->record == record ? put_row(m, values) : true;
}

static bool
walk_blocks(merge *m, odps_row_fn fn)
{
	bool		ok = true;

	for (m->block = 0; ok && m->block < m->session->nblocks; m->block++)
	{
		odps_content *one = odps_content_make(&m->session->blocks[m->block].segment, 1);

		/* a content numbers the records of its only segment as the segment does */
		ok = odps_content_walk(m->pack_schema, one, fn, m, m->err) == MCW_OK && !m->failed;
		odps_content_unref(one);
	}
	return ok;
}

odps_content *
odps_merge(odps_session *session, const odps_content *old, mcw_error *err)
{
	merge		m = {session};
	odps_content *merged = NULL;
	bool		ok;

	m.err = err;
	m.pack_schema = odps_upsert_schema(session->schema);
	m.nkeys = odps_key_columns(session->table, m.keys);
	mcw_buf_init(&m.key, &mcw_malloc, (size_t) 64 << 20);
	mcw_buf_init(&m.records, &mcw_malloc, (size_t) 2 << 30);
	mcw_odps_writer_init(&m.writer, &m.records);
	grow(&m);
	ok = m.pack_schema && walk_blocks(&m, note_op) &&
		odps_content_walk(session->schema, old, keep_row, &m, err) == MCW_OK && !m.failed &&
		walk_blocks(&m, add_row) && flush_segment(&m);
	if (ok)
		merged = odps_content_make(m.segs, m.nsegs);
	for (int i = 0; i < m.nsegs; i++)
		odps_segment_unref(m.segs[i]);
	for (size_t i = 0; i < m.size; i++)
		free(m.ops[i].key);
	free(m.ops);
	free(m.segs);
	mcw_buf_free(&m.key);
	mcw_buf_free(&m.records);
	odps_schema_unref(m.pack_schema);
	return merged;
}
