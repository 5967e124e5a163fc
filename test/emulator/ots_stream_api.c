/*
 * ots_stream_api.c
 *		mc-emulator, Tablestore part: ListStream, DescribeStream, GetShardIterator,
 *		GetStreamRecord.  tablestore.md 2.4, 5.1.
 */
#include <stdlib.h>

#include "ots_stream.h"

#define TRIMMED "Requested stream data is already trimmed or does not exist."
#define MAX_ITERATOR 1024

static bool
next_field(ots_call *call, size_t *pos, mcw_pb_field *f)
{
	mcw_status	status = mcw_pb_next(call->body, pos, f);

	if (status != MCW_OK && status != MCW_END)
		(void) ots_bad_message(&call->fault);
	return status == MCW_OK;
}

static bool
is_bytes(const mcw_pb_field *f, uint32_t number)
{
	return f->number == number && f->wire == MCW_PB_BYTES;
}

static bool
is_varint(const mcw_pb_field *f, uint32_t number)
{
	return f->number == number && f->wire == MCW_PB_VARINT;
}

static void
put_string(mcw_buf *out, uint32_t number, const char *s)
{
	mcw_pb_put_bytes(out, number, mcw_str(s));
}

/* ---- positions as text ---- */

/* base64 of "stream id LF shard id LF number LF checksum": opaque, and a damaged one is noticed */
void
ots_iterator_text(const ots_table *table, const ots_shard *shard, int64_t position, mcw_buf *out)
{
	char		text[MAX_ITERATOR];
	int			n = snprintf(text, sizeof(text), "%s\n%s\n%lld\n", table->stream.id, shard->id, (long long) position);
	uint32_t	crc = mcw_crc32c(0, text, (size_t) n);

	n += snprintf(text + n, sizeof(text) - (size_t) n, "%08x", crc);
	mcw_base64_encode(out, (mcw_view) {text, (size_t) n});
}

static bool
next_part(mcw_view *rest, mcw_view *part)
{
	const char *lf = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;

	if (lf == NULL)
		return false;
	*part = (mcw_view) {rest->data, (size_t) (lf - rest->data)};
	rest->len -= part->len + 1;
	rest->data = lf + 1;
	return true;
}

/* The three parts of an iterator or seek token whose checksum is right */
static bool
open_text(mcw_view text, mcw_buf *plain, mcw_view parts[3])
{
	mcw_view	rest;
	char		crc[16];

	if (text.len == 0 || text.len > 2 * MAX_ITERATOR || mcw_base64_decode(plain, text) != MCW_OK)
		return false;
	rest = mcw_buf_view(plain);
	for (int i = 0; i < 3; i++)
		if (!next_part(&rest, &parts[i]))
			return false;
	snprintf(crc, sizeof(crc), "%08x", mcw_crc32c(0, plain->data, plain->len - rest.len));
	return mcw_view_eq(rest, mcw_str(crc));
}

bool
ots_iterator_parse(const ots_instance *inst, mcw_view text, ots_table **table, ots_shard **shard,
				   int64_t *position, int64_t now_us, ots_fault *why)
{
	mcw_buf		plain;
	mcw_view	part[3];
	bool		ok;

	mcw_buf_init(&plain, &mcw_malloc, 2 * MAX_ITERATOR);
	ok = open_text(text, &plain, part) && mcw_view_int64(part[2], position);
	if (!ok)
		(void) ots_invalid(why, "Invalid shard iterator.");
	else
	{
		*table = ots_stream_table(inst, part[0]);
		*shard = NULL;
		if (*table)
		{
			ots_stream_expire(ots_stream_of(*table), now_us);
			*shard = ots_shard_find(ots_stream_of(*table), part[1]);
		}
		ok = *shard && *position >= (*shard)->first && *position <= (*shard)->next;
		if (!ok)
			(void) ots_fault_set(why, 400, "OTSTrimmedDataAccess", TRIMMED);
	}
	mcw_buf_free(&plain);
	return ok;
}

/* ---- ListStream, DescribeStream ---- */

void
ots_list_stream(ots_call *call)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	name = {NULL, 0};

	while (next_field(call, &pos, &f))
		if (is_bytes(&f, 1))
			name = f.bytes;
	if (call->fault.status || (name.len > 0 && !ots_call_table(call->inst, name, false, call->req->now_us, &call->fault)))
		return;
	for (int i = 0; i < call->inst->ntables; i++)
	{
		const ots_table *t = call->inst->tables[i];
		size_t		mark;

		if (!ots_stream_of(t) || (name.len > 0 && !mcw_view_eq(name, mcw_str(t->name))))
			continue;
		mark = mcw_pb_begin(call->out, 1);
		put_string(call->out, 1, t->stream.id);
		put_string(call->out, 2, t->name);
		mcw_pb_put_uint(call->out, 3, (uint64_t) t->stream.enabled_us);
		mcw_pb_end(call->out, mark);
	}
}

static ots_table *
need_stream(ots_call *call, mcw_view id)
{
	ots_table  *table = ots_stream_table(call->inst, id);

	if (table == NULL)
		(void) ots_fault_set(&call->fault, 404, "OTSObjectNotExist", "Requested stream does not exist.");
	else
		ots_stream_expire(ots_stream_of(table), call->req->now_us);
	return table;
}

static void
put_shard(mcw_buf *out, const ots_shard *shard)
{
	size_t		mark = mcw_pb_begin(out, 6);

	put_string(out, 1, shard->id);
	if (shard->parent[0])
		put_string(out, 2, shard->parent);
	if (shard->sibling[0])
		put_string(out, 3, shard->sibling);
	mcw_pb_end(out, mark);
}

void
ots_describe_stream(ots_call *call)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	id = {NULL, 0};
	mcw_view	start = {NULL, 0};
	int64_t		limit = 0;
	ots_table  *t;
	ots_stream *stream;
	size_t		first = 0;
	bool		active;

	while (next_field(call, &pos, &f))
		if (is_bytes(&f, 1))
			id = f.bytes;
		else if (is_bytes(&f, 2))
			start = f.bytes;
		else if (is_varint(&f, 3))
			limit = (int32_t) f.number_value;
	if (call->fault.status)
		return;
	if (id.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	if (limit < 0)
	{
		(void) ots_invalid(&call->fault, "The shard limit must be greater than 0.");
		return;
	}
	if ((t = need_stream(call, id)) == NULL)
		return;
	stream = ots_stream_of(t);
	if (start.len > 0)
		while (first < stream->nshards && !mcw_view_eq(start, mcw_str(stream->shards[first]->id)))
			first++;
	if (start.len > 0 && first == stream->nshards)
	{
		(void) ots_fault_set(&call->fault, 404, "OTSObjectNotExist", "Requested shard does not exist.");
		return;
	}
	active = ots_stream_active(t, call->req->now_us);
	put_string(call->out, 1, t->stream.id);
	mcw_pb_put_uint(call->out, 2, (uint64_t) t->stream.hours);
	put_string(call->out, 3, t->name);
	mcw_pb_put_uint(call->out, 4, (uint64_t) t->stream.enabled_us);
	mcw_pb_put_uint(call->out, 5, active ? 2 : 1);
	if (limit == 0 || limit > ots_stream_conf.shard_limit)
		limit = ots_stream_conf.shard_limit;
	for (size_t i = first; active && i < stream->nshards; i++)
	{
		if ((int64_t) (i - first) == limit)
		{
			put_string(call->out, 7, stream->shards[i]->id);
			break;
		}
		put_shard(call->out, stream->shards[i]);
	}
}

/* ---- GetShardIterator ---- */

typedef struct seek_request
{
	mcw_view	stream;
	mcw_view	shard;
	mcw_view	token;
	int64_t		us;
	bool		by_time;
} seek_request;

/*
 * A seek that needs several calls: the token counts them.  False: this answer carries
 * a token and no usable position, or the token is bad.
 */
static bool
seek_done(ots_call *call, const seek_request *r)
{
	mcw_buf		plain;
	mcw_view	part[3];
	int64_t		step = 0;
	bool		ok = true;

	mcw_buf_init(&plain, &mcw_malloc, 2 * MAX_ITERATOR);
	if (r->token.len > 0)
	{
		ok = open_text(r->token, &plain, part) && mcw_view_eq(part[0], r->stream) && mcw_view_eq(part[1], r->shard) &&
			mcw_view_int64(part[2], &step) && step < 0;
		if (!ok)
			(void) ots_invalid(&call->fault, "Invalid token.");
	}
	if (ok && -step < ots_stream_conf.iterator_steps)
	{
		ots_table  *t = ots_stream_table(call->inst, r->stream);
		mcw_buf		text;

		/* a token is an iterator with a negative position: how many answers carried one */
		mcw_buf_init(&text, &mcw_malloc, 2 * MAX_ITERATOR);
		ots_iterator_text(t, ots_shard_find(ots_stream_of(t), r->shard), step - 1, &text);
		mcw_pb_put_bytes(call->out, 1, MCW_LIT(""));
		mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&text));
		mcw_buf_free(&text);
		ok = false;
	}
	mcw_buf_free(&plain);
	return ok;
}

/* Faults of the plan for this call; true = answered */
static bool
injected(ots_call *call)
{
	if (emu_fault_armed(call->req, "stream_trimmed"))
	{
		(void) ots_fault_set(&call->fault, 400, "OTSTrimmedDataAccess", TRIMMED);
		return true;
	}
	return false;
}

void
ots_get_shard_iterator(ots_call *call)
{
	size_t		pos = 0;
	mcw_pb_field f;
	seek_request r = {{NULL, 0}};
	ots_table  *t;
	ots_shard  *shard;
	int64_t		position;
	mcw_buf		text;

	while (next_field(call, &pos, &f))
		if (is_bytes(&f, 1))
			r.stream = f.bytes;
		else if (is_bytes(&f, 2))
			r.shard = f.bytes;
		else if (is_varint(&f, 3))
		{
			r.us = (int64_t) f.number_value;
			r.by_time = r.us > 0;	/* SDKs send 0 for "not given" */
		}
		else if (is_bytes(&f, 4))
			r.token = f.bytes;
	if (call->fault.status)
		return;
	if (r.stream.data == NULL || r.shard.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	if (injected(call) || (t = need_stream(call, r.stream)) == NULL)
		return;
	if ((shard = ots_shard_find(ots_stream_of(t), r.shard)) == NULL)
	{
		(void) ots_fault_set(&call->fault, 400, "OTSTrimmedDataAccess", TRIMMED);
		return;
	}
	position = shard->first;
	if (r.by_time)
	{
		if (!seek_done(call, &r))
			return;
		position = ots_shard_seek(shard, r.us) - ots_stream_conf.seek_early;
		if (position < shard->first)
			position = shard->first;
	}
	mcw_buf_init(&text, &mcw_malloc, 2 * MAX_ITERATOR);
	ots_iterator_text(t, shard, position, &text);
	mcw_pb_put_bytes(call->out, 1, mcw_buf_view(&text));
	mcw_buf_free(&text);
}

/* ---- GetStreamRecord ---- */

/* The full chunk as the answer: its next iterator is known, so bytes and digest are made once */
static bool
serve_whole(ots_call *call, const ots_table *t, const ots_shard *shard, ots_chunk *chunk, bool flag)
{
	unsigned char md5[16];
	mcw_buf		tail;
	mcw_buf		text;

	if (chunk->page == NULL)
	{
		mcw_buf_init(&text, &mcw_malloc, 2 * MAX_ITERATOR);
		mcw_buf_init(&tail, &mcw_malloc, 4 * MAX_ITERATOR);
		ots_iterator_text(t, shard, chunk->first + chunk->n, &text);
		mcw_pb_put_bytes(&tail, 2, mcw_buf_view(&text));
		ots_put_consumed(&tail, 3, (int32_t) (chunk->len / 4096 + 1), 0);
		if (flag)
			mcw_pb_put_uint(&tail, 4, 1);
		chunk->page_flag = flag;
		chunk->data = emu_realloc(chunk->data, chunk->len + tail.len);
		memcpy(chunk->data + chunk->len, tail.data, tail.len);
		chunk->page = emu_blob_take(chunk->data, chunk->len + tail.len);
		chunk->data = chunk->page->data;
		mcw_buf_free(&text);
		mcw_buf_reset(&tail);
		if (mcw_md5(chunk->page->data, chunk->page->len, md5) != MCW_OK ||
			mcw_base64_encode(&tail, (mcw_view) {(char *) md5, 16}) != MCW_OK || mcw_buf_cstr(&tail) == NULL)
			emu_oom();
		snprintf(chunk->md5, sizeof(chunk->md5), "%s", tail.data);
		mcw_buf_free(&tail);
	}
	if (chunk->page_flag != flag)
		return false;			/* made for clients that ask differently */
	call->blob = chunk->page;	/* the answer takes its own reference */
	memcpy(call->blob_md5, chunk->md5, sizeof(call->blob_md5));
	return true;
}

void
ots_get_stream_record(ots_call *call)
{
	static uint64_t reads = 0;
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	iterator = {NULL, 0};
	mcw_view	table_name = {NULL, 0};
	int64_t		limit = 0;
	bool		flag = ots_stream_conf.may_more;
	ots_table  *t;
	ots_shard  *shard;
	ots_chunk  *whole;
	int64_t		position;
	int64_t		end;
	int64_t		now = call->req->now_us;
	mcw_buf		text;

	while (next_field(call, &pos, &f))
		if (is_bytes(&f, 1))
			iterator = f.bytes;
		else if (is_varint(&f, 2))
			limit = (int32_t) f.number_value;
		else if (is_bytes(&f, 3))
		{
			flag = true;
			table_name = f.bytes;
		}
	if (call->fault.status || injected(call))
		return;
	if (iterator.data == NULL)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	if (limit < 0)
	{
		(void) ots_invalid(&call->fault, "The limit must be greater than 0.");
		return;
	}
	if (!ots_iterator_parse(call->inst, iterator, &t, &shard, &position, now, &call->fault))
		return;
	if (table_name.len > 0 && !mcw_view_eq(table_name, mcw_str(t->name)))
	{
		(void) ots_invalid(&call->fault, "The shard iterator is not of table: %.*s.",
						   (int) (table_name.len < 300 ? table_name.len : 300), table_name.data);
		return;
	}
	reads++;
	if (limit == 0 && ots_stream_conf.empty_every == 0 && (whole = ots_shard_whole_page(shard, position, now)) &&
		serve_whole(call, t, shard, whole, flag))
		return;
	if (ots_stream_conf.empty_every > 0 && reads % (uint64_t) ots_stream_conf.empty_every == 0)
		end = position;
	else
		end = ots_shard_page(shard, position, limit, now, call->out);
	if (!shard->closed || end < shard->next)
	{
		mcw_buf_init(&text, &mcw_malloc, 2 * MAX_ITERATOR);
		ots_iterator_text(t, shard, end, &text);
		mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&text));
		mcw_buf_free(&text);
	}
	ots_put_consumed(call->out, 3, (int32_t) (call->out->len / 4096 + 1), 0);
	/* of a page that its limit ended the service says yes without a look at what follows */
	if (flag)
		mcw_pb_put_uint(call->out, 4, (limit > 0 && end - position >= limit) || end < ots_shard_readable(shard, now));
}
