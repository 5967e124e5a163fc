/*
 * ots_tunnel.c
 *		mc-emulator, Tablestore part: tunnels and their channels; create, list, describe
 *		and delete.  Clients are in ots_tunnel_client.c, data in ots_tunnel_read.c.
 *		tablestore.md 2.6.
 */
#include <stdlib.h>

#include "ots_tunnel.h"

#define DEFAULT_HOURS 168		/* of the stream that creating a tunnel enables */

ots_tunnel_def *ots_tunnels;
static uint64_t next_id = 1;

static const char *const type_names[] = {"", "BaseData", "Stream", "BaseAndStream"};
static const char *const status_names[] = {"", "OPEN", "CLOSING", "CLOSE", "TERMINATED"};

bool
ots_tunnel_next_field(ots_call *call, size_t *pos, mcw_pb_field *f)
{
	mcw_status	status = mcw_pb_next(call->body, pos, f);

	if (status != MCW_OK && status != MCW_END)
		(void) ots_bad_message(&call->fault);
	return status == MCW_OK;
}

static void
put_string(mcw_buf *out, uint32_t number, const char *s)
{
	mcw_pb_put_bytes(out, number, mcw_str(s));
}

ots_tunnel_def *
ots_tunnel_by_id(const ots_instance *inst, mcw_view id)
{
	for (ots_tunnel_def *t = ots_tunnels; t; t = t->next)
		if (t->inst == inst && mcw_view_eq(id, mcw_str(t->id)))
			return t;
	return NULL;
}

ots_table *
ots_tunnel_table(const ots_tunnel_def *tunnel)
{
	return ots_table_find(tunnel->inst, mcw_str(tunnel->table));
}

void
ots_tunnel_link(ots_tunnel_def *tunnel)
{
	ots_tunnel_def **p = &ots_tunnels;

	while (*p)
		p = &(*p)->next;
	*p = tunnel;
}

void
ots_tunnel_drop(ots_tunnel_def *tunnel)
{
	ots_tunnel_def **p = &ots_tunnels;

	while (*p && *p != tunnel)
		p = &(*p)->next;
	if (*p)
		*p = tunnel->next;
	for (int i = 0; i < tunnel->nchannels; i++)
	{
		mcw_buf_free(&tunnel->channels[i].begin);
		mcw_buf_free(&tunnel->channels[i].end);
		mcw_buf_free(&tunnel->channels[i].checkpoint);
	}
	free(tunnel->channels);
	free(tunnel->clients);
	free(tunnel->name);
	free(tunnel->table);
	free(tunnel);
}

void
ots_tunnel_table_dropped(ots_table *table)
{
	ots_tunnel_def *next;

	for (ots_tunnel_def *t = ots_tunnels; t; t = next)
	{
		next = t->next;
		if (t->inst == table->inst && strcmp(t->table, table->name) == 0)
			ots_tunnel_drop(t);
	}
}

/* ---- channels ---- */

ots_channel *
ots_tunnel_add_channel(ots_tunnel_def *tunnel)
{
	ots_channel *c;

	tunnel->channels = emu_realloc(tunnel->channels, (size_t) (tunnel->nchannels + 1) * sizeof(ots_channel));
	c = &tunnel->channels[tunnel->nchannels++];
	memset(c, 0, sizeof(*c));
	mcw_buf_init(&c->begin, &mcw_malloc, OTS_MAX_SORT);
	mcw_buf_init(&c->end, &mcw_malloc, OTS_MAX_SORT);
	mcw_buf_init(&c->checkpoint, &mcw_malloc, 1 << 16);
	c->version = 1;
	c->status = OTS_CHANNEL_OPEN;
	return c;
}

ots_channel *
ots_tunnel_channel(ots_tunnel_def *tunnel, mcw_view id)
{
	for (int i = 0; i < tunnel->nchannels; i++)
		if (mcw_view_eq(id, mcw_str(tunnel->channels[i].id)))
			return &tunnel->channels[i];
	return NULL;
}

bool
ots_channel_done(const ots_channel *channel)
{
	return channel->status == OTS_CHANNEL_TERMINATED;
}

bool
ots_tunnel_base_done(const ots_tunnel_def *tunnel)
{
	for (int i = 0; i < tunnel->nchannels; i++)
		if (tunnel->channels[i].base && !ots_channel_done(&tunnel->channels[i]))
			return false;
	return true;
}

static bool
follows(const ots_tunnel_def *tunnel, const char *shard)
{
	for (int i = 0; shard[0] && i < tunnel->nchannels; i++)
		if (strcmp(tunnel->channels[i].shard, shard) == 0)
			return true;
	return false;
}

static void
add_stream_channel(ots_tunnel_def *tunnel, const ots_table *table, const ots_shard *shard, int64_t position)
{
	ots_channel *c = ots_tunnel_add_channel(tunnel);
	mcw_buf		iterator;

	snprintf(c->id, sizeof(c->id), "%.36s_%s", tunnel->id, shard->id);
	snprintf(c->shard, sizeof(c->shard), "%s", shard->id);
	mcw_buf_init(&iterator, &mcw_malloc, OTS_TUNNEL_TOKEN);
	ots_iterator_text(table, shard, position, &iterator);
	ots_tunnel_token((mcw_view) {NULL, 0}, mcw_buf_view(&iterator), 0, &c->checkpoint);
	mcw_buf_free(&iterator);
}

void
ots_tunnel_discover(ots_tunnel_def *tunnel, int64_t now_us)
{
	ots_table  *table = ots_tunnel_table(tunnel);
	ots_stream *stream = table && strcmp(table->stream.id, tunnel->stream_id) == 0 ? ots_stream_of(table) : NULL;

	if (tunnel->type == 1)
		return;
	if (stream == NULL)
	{
		tunnel->expired = true;
		return;
	}
	for (size_t i = 0; i < stream->nshards; i++)
	{
		const ots_shard *s = stream->shards[i];

		if (!follows(tunnel, s->id) && (follows(tunnel, s->parent) || follows(tunnel, s->sibling) ||
										s->created_us > tunnel->created_us))
			add_stream_channel(tunnel, table, s, s->first);
	}
}

/* Where the stream of a new tunnel begins, for every shard it reads */
static void
first_channels(ots_tunnel_def *tunnel, ots_table *table, int64_t now_us)
{
	const ots_stream *stream = ots_stream_of(table);

	for (int i = 0; tunnel->type != 2 && i < table->nparts; i++)
	{
		ots_channel *c = ots_tunnel_add_channel(tunnel);

		c->base = true;
		snprintf(c->id, sizeof(c->id), "BaseData_%.36s_%d", tunnel->id, i);
		mcw_buf_append_view(&c->begin, table->parts[i].begin);
		if (i + 1 < table->nparts)
			mcw_buf_append_view(&c->end, table->parts[i + 1].begin);
		ots_tunnel_token((mcw_view) {NULL, 0}, (mcw_view) {NULL, 0}, 0, &c->checkpoint);
	}
	for (size_t i = 0; tunnel->type != 1 && i < stream->nshards; i++)
	{
		const ots_shard *s = stream->shards[i];

		if (tunnel->start_ms > 0)
			add_stream_channel(tunnel, table, s, ots_shard_seek(s, tunnel->start_ms * 1000));
		else if (tunnel->flag == 1 && tunnel->type == 2)
			add_stream_channel(tunnel, table, s, s->first);
		else if (!s->closed)
			add_stream_channel(tunnel, table, s, s->next);
	}
}

/* ---- create ---- */

typedef struct create_request
{
	mcw_view	table;
	mcw_view	name;
	int64_t		type;
	mcw_view	config;
	int64_t		flag;
	int64_t		start_ms;
	int64_t		end_ms;
} create_request;

static bool
parse_create(ots_call *call, create_request *r)
{
	mcw_view	whole = call->body;
	mcw_pb_field f;
	size_t		pos = 0;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1 && f.wire == MCW_PB_BYTES)
			call->body = f.bytes;
	if (call->body.data == whole.data)
		return ots_bad_message(&call->fault);
	pos = 0;
	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			r->table = f.bytes;
		else if (f.number == 3)
			r->name = f.bytes;
		else if (f.number == 4)
			r->type = (int64_t) f.number_value;
		else if (f.number == 5)
			r->config = f.bytes;
	call->body = r->config;
	pos = 0;
	while (r->config.len > 0 && ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			r->flag = (int64_t) f.number_value;
		else if (f.number == 2)
			r->start_ms = (int64_t) f.number_value;
		else if (f.number == 3)
			r->end_ms = (int64_t) f.number_value;
	call->body = whole;
	return call->fault.status == 0;
}

static ots_tunnel_def *
find_named(const ots_instance *inst, mcw_view table, mcw_view name)
{
	for (ots_tunnel_def *t = ots_tunnels; t; t = t->next)
		if (t->inst == inst && mcw_view_eq(table, mcw_str(t->table)) && mcw_view_eq(name, mcw_str(t->name)))
			return t;
	return NULL;
}

static void
make_id(char id[64], int64_t now_us)
{
	unsigned char h[16];
	char		text[96];
	int			n = snprintf(text, sizeof(text), "tunnel/%lld/%llu", (long long) now_us, (unsigned long long) next_id++);

	if (mcw_md5(text, (size_t) n, h) != MCW_OK)
		emu_oom();
	for (int i = 0, at = 0; i < 16; i++)
		at += snprintf(id + at, 64 - (size_t) at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", h[i]);
}

static void
create(ots_call *call)
{
	create_request r = {{NULL, 0}};
	int64_t		now = call->req->now_us;
	ots_table  *table;
	ots_tunnel_def *t;

	if (!parse_create(call, &r))
		return;
	if (r.name.len == 0 || r.name.len > 255 || r.type < 1 || r.type > 3 || r.flag < 0 || r.flag > 1 || r.start_ms < 0 ||
		r.end_ms < 0 || (r.end_ms > 0 && r.end_ms <= r.start_ms))
	{
		(void) ots_invalid(&call->fault, "Invalid tunnel.");
		return;
	}
	if ((table = ots_call_table(call->inst, r.table, false, now, &call->fault)) == NULL)
		return;
	if (find_named(call->inst, r.table, r.name))
	{
		(void) ots_fault_set(&call->fault, 400, "OTSTunnelExist", "Requested tunnel already exists.");
		return;
	}
	if (r.type != 1 && !table->stream.on)
		ots_stream_on(table, DEFAULT_HOURS, NULL, 0, now);
	if (r.start_ms > 0 && r.type != 1 && r.start_ms * 1000 < now - table->stream.hours * OTS_HOUR_US)
	{
		(void) ots_invalid(&call->fault, "Invalid stream tunnel config: the start offset is not in the stream any more.");
		return;
	}
	t = emu_malloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	make_id(t->id, now);
	t->name = emu_strdup(r.name);
	t->table = emu_strdup(r.table);
	t->inst = call->inst;
	t->type = (int) r.type;
	t->has_config = r.config.data != NULL;
	t->flag = (int) r.flag;
	t->start_ms = r.start_ms;
	t->end_ms = r.end_ms;
	if (r.type != 1)
		snprintf(t->stream_id, sizeof(t->stream_id), "%s", table->stream.id);
	t->created_us = now;
	ots_tunnel_link(t);
	first_channels(t, table, now);
	put_string(call->out, 1, t->id);
}

/* ---- list, describe, delete ---- */

static void
put_info(mcw_buf *out, uint32_t number, const ots_tunnel_def *t)
{
	size_t		mark = mcw_pb_begin(out, number);
	size_t		config;

	put_string(out, 1, t->id);
	put_string(out, 2, type_names[t->type]);
	put_string(out, 3, t->table);
	put_string(out, 4, t->inst->name);
	put_string(out, 5, t->stream_id);
	put_string(out, 6, t->type == 1 || !ots_tunnel_base_done(t) ? "ProcessBaseData" : "ProcessStream");
	mcw_pb_put_uint(out, 7, t->expired);
	put_string(out, 8, t->name);
	mcw_pb_put_uint(out, 9, 0);
	if (t->has_config)
	{
		config = mcw_pb_begin(out, 10);
		mcw_pb_put_uint(out, 1, (uint64_t) t->flag);
		mcw_pb_put_uint(out, 2, (uint64_t) t->start_ms);
		mcw_pb_put_uint(out, 3, (uint64_t) t->end_ms);
		mcw_pb_end(out, config);
	}
	mcw_pb_put_uint(out, 11, (uint64_t) t->created_us * 1000);	/* nanoseconds */
	mcw_pb_end(out, mark);
}

static void
list(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			name = f.bytes;
	if (call->fault.status || (name.len > 0 && !ots_call_table(call->inst, name, false, call->req->now_us, &call->fault)))
		return;
	for (const ots_tunnel_def *t = ots_tunnels; t; t = t->next)
		if (t->inst == call->inst && (name.len == 0 || mcw_view_eq(name, mcw_str(t->table))))
			put_info(call->out, 1, t);
}

static ots_tunnel_def *
named_tunnel(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	table = {NULL, 0};
	mcw_view	name = {NULL, 0};
	mcw_view	id = {NULL, 0};
	ots_tunnel_def *t;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			table = f.bytes;
		else if (f.number == 2)
			name = f.bytes;
		else if (f.number == 3)
			id = f.bytes;
	if (call->fault.status)
		return NULL;
	t = id.len > 0 ? ots_tunnel_by_id(call->inst, id) : find_named(call->inst, table, name);
	if (t == NULL)
		(void) ots_invalid(&call->fault, "Requested tunnel does not exist.");
	return t;
}

static void
describe(ots_call *call)
{
	ots_tunnel_def *t = named_tunnel(call);
	int64_t		oldest = 0;

	if (t == NULL)
		return;
	ots_tunnel_discover(t, call->req->now_us);
	put_info(call->out, 1, t);
	for (int i = 0; i < t->nchannels; i++)
	{
		const ots_channel *c = &t->channels[i];
		size_t		mark = mcw_pb_begin(call->out, 2);

		put_string(call->out, 1, c->id);
		put_string(call->out, 2, c->base ? "BaseData" : "Stream");
		put_string(call->out, 3, status_names[c->status]);
		put_string(call->out, 4, c->client);
		mcw_pb_put_uint(call->out, 5, (uint64_t) c->record_ms);
		mcw_pb_put_uint(call->out, 6, (uint64_t) c->count);
		mcw_pb_end(call->out, mark);
		if (!c->base && !ots_channel_done(c) && (oldest == 0 || c->record_ms < oldest))
			oldest = c->record_ms;
	}
	mcw_pb_put_uint(call->out, 3, (uint64_t) oldest);
}

static void
delete(ots_call *call)
{
	ots_tunnel_def *t = named_tunnel(call);

	if (t)
		ots_tunnel_drop(t);
}

void
ots_tunnel(ots_call *call)
{
	static const struct
	{
		const char *op;
		void		(*handle) (ots_call *call);
	}			calls[] = {
		{"create", create}, {"list", list}, {"describe", describe}, {"delete", delete},
		{"connect", ots_tunnel_connect}, {"heartbeat", ots_tunnel_heartbeat}, {"shutdown", ots_tunnel_shutdown},
		{"schedule", ots_tunnel_schedule}, {"getcheckpoint", ots_tunnel_get_checkpoint},
		{"readrecords", ots_tunnel_read_records}, {"checkpoint", ots_tunnel_checkpoint},
		{"getrpo", ots_tunnel_get_rpo}, {"getrpobyoffset", ots_tunnel_get_rpo},
	};
	const char *op = call->op + strlen("tunnel/");

	if (emu_fault_armed(call->req, "tunnel_unavailable"))
	{
		(void) ots_fault_set(&call->fault, 503, "OTSTunnelServerUnavailable", "The tunnel server is unavailable.");
		return;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(op, calls[i].op) == 0)
		{
			calls[i].handle(call);
			return;
		}
	(void) ots_invalid(&call->fault, "Unsupported operation: %s.", call->op);
}
