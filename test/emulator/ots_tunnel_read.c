/*
 * ots_tunnel_read.c
 *		mc-emulator, Tablestore part: what a tunnel delivers: tokens, checkpoints, rows of
 *		the table as puts, records of the stream, how far behind the readers are.
 *		tablestore.md 2.6.
 */
#include <stdlib.h>

#include "ots_private.h"
#include "ots_tunnel.h"

typedef struct data_request
{
	mcw_view	tunnel_id;
	mcw_view	client_id;
	mcw_view	channel_id;
	mcw_view	token;
	int64_t		sequence;
	ots_tunnel_def *tunnel;
	ots_channel *channel;
} data_request;

/* The four ids are members 1 to 4 in every data call; the channel must be the client's */
static bool
open_request(ots_call *call, data_request *r)
{
	mcw_pb_field f;
	size_t		pos = 0;
	ots_client *client;

	*r = (data_request) {{NULL, 0}};
	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			r->tunnel_id = f.bytes;
		else if (f.number == 2)
			r->client_id = f.bytes;
		else if (f.number == 3)
			r->channel_id = f.bytes;
		else if (f.number == 4)
			r->token = f.bytes;
		else if (f.number == 5)
			r->sequence = (int64_t) f.number_value;
	if (call->fault.status)
		return false;
	if ((r->tunnel = ots_tunnel_by_id(call->inst, r->tunnel_id)) == NULL)
		return ots_invalid(&call->fault, "Requested tunnel does not exist.");
	if (r->tunnel->expired)
		return ots_fault_set(&call->fault, 400, "OTSTunnelExpired", "The tunnel has expired.");
	if ((client = ots_tunnel_client(r->tunnel, r->client_id)) == NULL)
		return ots_fault_set(&call->fault, 400, "OTSResourceGone", "The tunnel client is gone.");
	r->channel = ots_tunnel_channel(r->tunnel, r->channel_id);
	if (r->channel == NULL || strcmp(r->channel->client, client->id) != 0)
		return ots_fault_set(&call->fault, 400, "OTSResourceGone", "The channel is not held by this client.");
	return true;
}

/* ---- tokens ---- */

void
ots_tunnel_token(mcw_view key, mcw_view iterator, int64_t time_ms, mcw_buf *out)
{
	mcw_buf		content;
	mcw_buf		token;

	mcw_buf_init(&content, &mcw_malloc, 1 << 16);
	mcw_buf_init(&token, &mcw_malloc, 1 << 16);
	if (key.len > 0)
		mcw_pb_put_bytes(&content, 1, key);
	if (iterator.len > 0)
		mcw_pb_put_bytes(&content, 2, iterator);
	mcw_pb_put_uint(&content, 3, (uint64_t) time_ms);
	mcw_pb_put_uint(&token, 1, 1);
	mcw_pb_put_bytes(&token, 2, mcw_buf_view(&content));
	mcw_base64_encode(out, mcw_buf_view(&token));
	mcw_buf_free(&content);
	mcw_buf_free(&token);
}

/* 'plain' holds the bytes that key and iterator point into */
static bool
parse_token(mcw_view text, mcw_buf *plain, mcw_view *key, mcw_view *iterator)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	content = {NULL, 0};
	mcw_status	st;

	*key = *iterator = (mcw_view) {NULL, 0};
	if (text.len > OTS_TUNNEL_TOKEN * 4 || mcw_base64_decode(plain, text) != MCW_OK)
		return false;
	while ((st = mcw_pb_next(mcw_buf_view(plain), &pos, &f)) == MCW_OK)
		if (f.number == 2 && f.wire == MCW_PB_BYTES)
			content = f.bytes;
	if (st != MCW_END || content.data == NULL)
		return false;
	pos = 0;
	while ((st = mcw_pb_next(content, &pos, &f)) == MCW_OK)
		if (f.number == 1 && f.wire == MCW_PB_BYTES)
			*key = f.bytes;
		else if (f.number == 2 && f.wire == MCW_PB_BYTES)
			*iterator = f.bytes;
	return st == MCW_END;
}

/* ---- base data ---- */

/* A row of the table as the put that would make it */
static void
put_base_record(mcw_buf *out, const ots_table *table, const ots_row *row, int64_t now_us)
{
	size_t		record = mcw_pb_begin(out, 1);
	size_t		bytes;
	ots_cell   *cells = ots_cells_room(row->ncells);
	int			n = ots_visible(table, row, now_us, cells);
	mcw_ots_key key;
	ots_plain	p;

	mcw_pb_put_uint(out, 1, 1);
	bytes = mcw_pb_begin(out, 2);
	ots_row_key(table, row, &key);
	ots_plain_header(out);
	ots_plain_begin(&p, out);
	for (int i = 0; i < key.n; i++)
		ots_plain_key(&p, table->schema.keys[i].name, &key.v[i]);
	for (int i = 0; i < n; i++)
		ots_plain_cell(&p, cells[i].name, &cells[i].value, 0, cells[i].timestamp);
	ots_plain_sequence(&p, 0, 0, 0);
	ots_plain_end(&p, false);
	mcw_pb_end(out, bytes);
	mcw_pb_end(out, record);
}

/* The sort key at which to go on: the token's key, or where the channel begins */
static bool
base_start(ots_call *call, const ots_table *table, const ots_channel *c, mcw_view key, mcw_buf *sort)
{
	ots_change_row row;
	mcw_ots_key values;

	if (key.len == 0)
	{
		mcw_buf_append_view(sort, mcw_buf_view(&c->begin));
		return true;
	}
	if (!ots_plain_parse(key, call->req->arena, &row, &call->fault) ||
		!ots_check_key(table, &row, OTS_KEY_READ, &values, &call->fault))
		return false;
	ots_sort_key(sort, values.v, values.n);
	return true;
}

static bool
read_base(ots_call *call, ots_channel *c, mcw_view key, mcw_buf *next, const ots_table *table)
{
	int64_t		now = call->req->now_us;
	int64_t		rows = 0;
	mcw_view	end = mcw_buf_view(&c->end);
	mcw_buf		sort;
	ots_cursor	at;
	ots_row    *row;

	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	if (!base_start(call, table, c, key, &sort))
	{
		mcw_buf_free(&sort);
		return false;
	}
	at = ots_store_seek(&table->rows, mcw_buf_view(&sort), false);
	mcw_buf_free(&sort);
	while ((row = ots_store_at(&table->rows, at)) != NULL && (end.len == 0 || mcw_view_cmp(ots_row_sort(row), end) < 0))
	{
		if (rows == ots_stream_conf.page_records || call->out->len >= (size_t) ots_stream_conf.page_bytes)
		{
			mcw_ots_key k;
			mcw_buf		plain;

			mcw_buf_init(&plain, &mcw_malloc, 1 << 16);
			ots_row_key(table, row, &k);
			ots_plain_primary_key(&plain, table, k.v, k.n);
			ots_tunnel_token(mcw_buf_view(&plain), (mcw_view) {NULL, 0}, 0, next);
			mcw_buf_free(&plain);
			break;
		}
		if (ots_row_alive(table, row, now))
		{
			put_base_record(call->out, table, row, now);
			rows++;
		}
		ots_store_next(&table->rows, &at);
	}
	c->count += rows;
	if (next->len == 0)
		mcw_buf_append_str(next, OTS_TUNNEL_FINISHED);
	return true;
}

/* ---- stream ---- */

static bool
read_stream(ots_call *call, const ots_tunnel_def *tunnel, ots_channel *c, mcw_view iterator, mcw_buf *next)
{
	int64_t		now = call->req->now_us;
	ots_table  *table;
	ots_shard  *shard;
	int64_t		position;
	int64_t		end;
	int64_t		limit = 0;
	int64_t		stop = INT64_MAX;

	if (!ots_iterator_parse(call->inst, iterator, &table, &shard, &position, now, &call->fault))
	{
		if (strcmp(call->fault.code, "OTSTrimmedDataAccess") == 0)
			(void) ots_fault_set(&call->fault, 400, "OTSTunnelExpired", "The tunnel has expired.");
		return false;
	}
	if (tunnel->end_ms > 0)
	{
		stop = ots_shard_seek(shard, tunnel->end_ms * 1000);
		limit = stop - position;
	}
	if (stop <= position)
		end = position;
	else
		end = ots_shard_page(shard, position, limit, now, call->out);
	c->count += end - position;
	if (end > position)
		c->record_ms = ots_shard_time(shard, end - 1) / 1000;
	if ((shard->closed && end >= shard->next) ||
		(end >= stop && (stop < shard->next || now >= tunnel->end_ms * 1000)))
		mcw_buf_append_str(next, OTS_TUNNEL_FINISHED);
	else
	{
		mcw_buf		text;

		mcw_buf_init(&text, &mcw_malloc, OTS_TUNNEL_TOKEN);
		ots_iterator_text(table, shard, end, &text);
		ots_tunnel_token((mcw_view) {NULL, 0}, mcw_buf_view(&text), c->record_ms, next);
		mcw_buf_free(&text);
	}
	mcw_pb_put_uint(call->out, 3, end < ots_shard_readable(shard, now));
	return true;
}

/* ---- the calls ---- */

void
ots_tunnel_get_checkpoint(ots_call *call)
{
	data_request r;

	if (!open_request(call, &r))
		return;
	mcw_pb_put_bytes(call->out, 1, mcw_buf_view(&r.channel->checkpoint));
	mcw_pb_put_uint(call->out, 2, (uint64_t) r.channel->sequence);
}

void
ots_tunnel_read_records(ots_call *call)
{
	data_request r;
	mcw_buf		plain;
	mcw_buf		next;
	mcw_view	key;
	mcw_view	iterator;
	const ots_table *table;
	bool		ok;

	if (!open_request(call, &r))
		return;
	mcw_buf_init(&plain, &mcw_malloc, OTS_TUNNEL_TOKEN * 4);
	mcw_buf_init(&next, &mcw_malloc, OTS_TUNNEL_TOKEN * 4);
	r.channel->read_us = call->req->now_us;
	if (mcw_view_eq(r.token, MCW_LIT(OTS_TUNNEL_FINISHED)))
		ok = mcw_buf_append_str(&next, OTS_TUNNEL_FINISHED) == MCW_OK;
	else if (!parse_token(r.token, &plain, &key, &iterator) || r.channel->base != (iterator.len == 0))
		ok = ots_invalid(&call->fault, "Invalid token.");
	else if (r.channel->base)
		ok = (table = ots_tunnel_table(r.tunnel)) != NULL && read_base(call, r.channel, key, &next, table);
	else
		ok = read_stream(call, r.tunnel, r.channel, iterator, &next);
	if (ok)
		mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&next));
	mcw_buf_free(&plain);
	mcw_buf_free(&next);
}

/* Sequence numbers rise by one; the last one may be sent again with the same token */
void
ots_tunnel_checkpoint(ots_call *call)
{
	data_request r;
	bool		again;

	if (!open_request(call, &r))
		return;
	again = r.sequence == r.channel->sequence && mcw_view_eq(r.token, mcw_buf_view(&r.channel->checkpoint));
	if (!again && r.sequence != r.channel->sequence + 1)
	{
		(void) ots_fault_set(&call->fault, 400, "OTSSequenceNumberNotMatch", "The sequence number does not match, expect %lld.",
							 (long long) r.channel->sequence + 1);
		return;
	}
	r.channel->sequence = r.sequence;
	mcw_buf_reset(&r.channel->checkpoint);
	mcw_buf_append_view(&r.channel->checkpoint, r.token);
}

/* {channel: {client: {...}}} and {"BaseData"|"Stream": {...}} as the Go SDK reads them */
void
ots_tunnel_get_rpo(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	id = {NULL, 0};
	ots_tunnel_def *t;
	mcw_buf		json;
	int64_t		total[2] = {0, 0};
	bool		any = false;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			id = f.bytes;
	if (call->fault.status)
		return;
	if ((t = ots_tunnel_by_id(call->inst, id)) == NULL)
	{
		(void) ots_invalid(&call->fault, "Requested tunnel does not exist.");
		return;
	}
	mcw_buf_init(&json, &mcw_malloc, 1 << 24);
	mcw_buf_append_char(&json, '{');
	for (int i = 0; i < t->nchannels; i++)
	{
		const ots_channel *c = &t->channels[i];

		mcw_buf_printf(&json, "%s\"%s\":{\"%s\":{\"ChannelTyp\":\"%s\",\"Status\":\"%s\",\"TotalCount\":%lld,\"AccessTime\":%lld,"
					   "\"RpoTime\":%lld}}", any ? "," : "", c->id, c->client, c->base ? "BaseData" : "Stream",
					   ots_channel_done(c) ? "TERMINATED" : "OPEN", (long long) c->count, (long long) c->read_us * 1000,
					   (long long) c->record_ms * 1000000);
		total[!c->base] += c->count;
		any = true;
	}
	mcw_buf_append_char(&json, '}');
	mcw_pb_put_bytes(call->out, 1, mcw_buf_view(&json));
	mcw_buf_reset(&json);
	mcw_buf_printf(&json, "{\"BaseData\":{\"Status\":\"%s\",\"TotalCount\":%lld,\"AccessTime\":0,\"RpoTime\":0},"
				   "\"Stream\":{\"Status\":\"OPEN\",\"TotalCount\":%lld,\"AccessTime\":0,\"RpoTime\":0}}",
				   ots_tunnel_base_done(t) ? "TERMINATED" : "OPEN", (long long) total[0], (long long) total[1]);
	mcw_pb_put_bytes(call->out, 2, mcw_buf_view(&json));
	mcw_pb_put_bytes(call->out, 3, mcw_str(t->id));
	mcw_buf_free(&json);
}
