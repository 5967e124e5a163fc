/*
 * ots_stream_save.c
 *		mc-emulator, Tablestore part: streams and tunnels behind the tables in the state
 *		file of --data.  JSON lines; a shard's line is followed by its chunks in binary.
 *		Private to one build of the emulator.
 */
#include <stdlib.h>

#include "ots_stream.h"

typedef struct chunk_header
{
	int64_t		first;
	uint64_t	len;
	uint32_t	n;
	uint32_t	full;
} chunk_header;

static bool
put_line(FILE *f, mcw_buf *line)
{
	mcw_buf_append_char(line, '\n');
	return !line->failed && fwrite(line->data, 1, line->len, f) == line->len;
}

static bool
save_shard(FILE *f, const ots_shard *s, mcw_buf *line)
{
	mcw_buf_reset(line);
	mcw_buf_printf(line, "{\"t\":\"shard\",\"id\":\"%s\",\"parent\":\"%s\",\"sibling\":\"%s\",\"part\":\"%llu\",\"closed\":%d,"
				   "\"created_us\":%lld,\"closed_us\":%lld,\"epoch\":%d,\"skew_us\":%lld,\"last_us\":%lld,\"last_index\":%d,"
				   "\"order_us\":%lld,\"visible_us\":%lld,\"first\":%lld,\"next\":%lld,\"chunks\":%zu}",
				   s->id, s->parent, s->sibling, (unsigned long long) s->part, s->closed, (long long) s->created_us,
				   (long long) s->closed_us, s->epoch, (long long) s->skew_us, (long long) s->last_us, s->last_index,
				   (long long) s->order_us, (long long) s->visible_us, (long long) s->first, (long long) s->next, s->nchunks);
	if (!put_line(f, line))
		return false;
	for (size_t i = 0; i < s->nchunks; i++)
	{
		const ots_chunk *c = s->chunks[i];
		chunk_header h = {c->first, c->len, c->n, c->full};

		if (fwrite(&h, sizeof(h), 1, f) != 1 || fwrite(c->entries, sizeof(ots_log_entry), c->n, f) != c->n ||
			fwrite(c->data, 1, c->len, f) != c->len)
			return false;
	}
	return true;
}

bool
ots_stream_save(FILE *f)
{
	mcw_buf		line;
	bool		ok = true;

	mcw_buf_init(&line, &mcw_malloc, (size_t) 1 << 20);
	for (const ots_instance *inst = ots_instances; ok && inst; inst = inst->next)
		for (int i = 0; ok && i < inst->ntables; i++)
		{
			const ots_stream *stream = ots_stream_of(inst->tables[i]);

			if (stream == NULL)
				continue;
			mcw_buf_reset(&line);
			mcw_buf_append_str(&line, "{\"t\":\"stream\",\"instance\":");
			mcw_json_quote(&line, mcw_str(inst->name));
			mcw_buf_append_str(&line, ",\"table\":");
			mcw_json_quote(&line, mcw_str(inst->tables[i]->name));
			mcw_buf_printf(&line, ",\"serial\":%llu}", (unsigned long long) stream->serial);
			ok = put_line(f, &line);
			for (size_t s = 0; ok && s < stream->nshards; s++)
				ok = save_shard(f, stream->shards[s], &line);
		}
	mcw_buf_free(&line);
	return ok && ots_tunnel_save(f) && fputs("{\"t\":\"end_of_streams\"}\n", f) >= 0;
}

/* ---- reading it back ---- */

static int64_t
number(const mcw_node *n, const char *name)
{
	int64_t		v = 0;

	(void) mcw_node_int(n, name, &v);
	return v;
}

static void
copy_text(const mcw_node *n, const char *name, char *to, size_t size)
{
	mcw_view	v = mcw_node_text(n, name);

	snprintf(to, size, "%.*s", (int) v.len, v.len ? v.data : "");
}

static ots_stream *
load_stream(const mcw_node *n)
{
	const ots_instance *inst = ots_instance_find(mcw_node_text(n, "instance"));
	ots_table  *t = inst ? ots_table_find(inst, mcw_node_text(n, "table")) : NULL;
	ots_stream *stream;

	if (t == NULL || !t->stream.on)
		return NULL;
	ots_stream_disabled(t);
	stream = emu_malloc(sizeof(ots_stream));
	memset(stream, 0, sizeof(*stream));
	stream->table = t;
	stream->serial = (uint64_t) number(n, "serial");
	t->stream.state = stream;
	return stream;
}

static bool
load_chunk(FILE *f, ots_chunk *c)
{
	chunk_header h;

	if (fread(&h, sizeof(h), 1, f) != 1 || h.n > 1 << 28 || h.len > (uint64_t) 1 << 32)
		return false;
	c->first = h.first;
	c->n = c->cap = h.n;
	c->len = c->size = h.len;
	c->full = h.full != 0;
	c->entries = emu_malloc((h.n ? h.n : 1) * sizeof(ots_log_entry));
	c->data = emu_malloc(h.len ? h.len : 1);
	return fread(c->entries, sizeof(ots_log_entry), h.n, f) == h.n && fread(c->data, 1, h.len, f) == h.len;
}

static bool
load_shard(FILE *f, const mcw_node *n, ots_stream *stream)
{
	ots_shard  *s = ots_shard_add(stream, NULL, NULL, 0, (int32_t) number(n, "epoch"), number(n, "created_us"));
	size_t		chunks = (size_t) number(n, "chunks");

	stream->serial--;
	copy_text(n, "id", s->id, sizeof(s->id));
	copy_text(n, "parent", s->parent, sizeof(s->parent));
	copy_text(n, "sibling", s->sibling, sizeof(s->sibling));
	(void) mcw_view_uint64(mcw_node_text(n, "part"), &s->part);
	s->closed = number(n, "closed") != 0;
	s->closed_us = number(n, "closed_us");
	s->skew_us = number(n, "skew_us");
	s->last_us = number(n, "last_us");
	s->last_index = (int32_t) number(n, "last_index");
	s->order_us = number(n, "order_us");
	s->visible_us = number(n, "visible_us");
	s->first = number(n, "first");
	s->next = number(n, "next");
	if (chunks > (size_t) 1 << 24)
		return false;
	s->chunks = emu_malloc((chunks ? chunks : 1) * sizeof(ots_chunk *));
	s->cap = chunks ? chunks : 1;
	for (size_t i = 0; i < chunks; i++)
	{
		ots_chunk  *c = emu_malloc(sizeof(ots_chunk));

		memset(c, 0, sizeof(*c));
		s->chunks[s->nchunks++] = c;
		if (!load_chunk(f, c))
			return false;
	}
	return true;
}

bool
ots_stream_load(FILE *f, mcw_error *err)
{
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;
	ots_stream *stream = NULL;
	bool		ok = true;
	bool		end = false;

	while (ok && !end && (len = getline(&line, &size, f)) > 0)
	{
		mcw_arena	arena;
		mcw_node   *n = NULL;
		mcw_view	t;

		mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 24);
		ok = mcw_json_parse((mcw_view) {line, (size_t) len}, &arena, &n, NULL) == MCW_OK;
		t = mcw_node_text(n, "t");
		if (ok && mcw_view_eq(t, MCW_LIT("end_of_streams")))
			end = true;
		else if (ok && mcw_view_eq(t, MCW_LIT("stream")))
			ok = (stream = load_stream(n)) != NULL;
		else if (ok && mcw_view_eq(t, MCW_LIT("shard")))
			ok = stream && load_shard(f, n, stream);
		else if (ok)
			ok = ots_tunnel_load(n, err);
		mcw_arena_reset(&arena);
	}
	free(line);
	if (!ok || !end)
		mcw_fail(err, MCW_ERR_FORMAT, "the streams of the state file are damaged");
	return ok && end;
}
