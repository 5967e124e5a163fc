/*
 * ots_tunnel_save.c
 *		mc-emulator, Tablestore part: tunnels in the state file, in GET /__mc/state, and
 *		their control command.  Clients are not kept: they connect again.
 */
#include <stdlib.h>

#include "ots_tunnel.h"

static void
put_json(mcw_buf *out, const char *name, const char *value)
{
	mcw_buf_printf(out, ",\"%s\":", name);
	mcw_json_quote(out, mcw_str(value));
}

static void
put_hex(mcw_buf *out, const char *name, const mcw_buf *bytes)
{
	mcw_buf_printf(out, ",\"%s\":\"", name);
	mcw_hex_encode(out, mcw_buf_view(bytes), false);
	mcw_buf_append_char(out, '"');
}

static bool
put_line(FILE *f, mcw_buf *line)
{
	mcw_buf_append_str(line, "}\n");
	return !line->failed && fwrite(line->data, 1, line->len, f) == line->len;
}

bool
ots_tunnel_save(FILE *f)
{
	mcw_buf		line;
	bool		ok = true;

	mcw_buf_init(&line, &mcw_malloc, (size_t) 1 << 20);
	for (const ots_tunnel_def *t = ots_tunnels; ok && t; t = t->next)
	{
		mcw_buf_reset(&line);
		mcw_buf_append_str(&line, "{\"t\":\"tunnel\"");
		put_json(&line, "id", t->id);
		put_json(&line, "name", t->name);
		put_json(&line, "instance", t->inst->name);
		put_json(&line, "table", t->table);
		put_json(&line, "stream", t->stream_id);
		mcw_buf_printf(&line, ",\"type\":%d,\"has_config\":%d,\"flag\":%d,\"start_ms\":%lld,\"end_ms\":%lld,\"expired\":%d,"
					   "\"created_us\":%lld", t->type, t->has_config, t->flag, (long long) t->start_ms, (long long) t->end_ms,
					   t->expired, (long long) t->created_us);
		ok = put_line(f, &line);
		for (int i = 0; ok && i < t->nchannels; i++)
		{
			const ots_channel *c = &t->channels[i];

			mcw_buf_reset(&line);
			mcw_buf_append_str(&line, "{\"t\":\"channel\"");
			put_json(&line, "id", c->id);
			put_json(&line, "shard", c->shard);
			put_hex(&line, "begin", &c->begin);
			put_hex(&line, "end", &c->end);
			put_hex(&line, "checkpoint", &c->checkpoint);
			mcw_buf_printf(&line, ",\"base\":%d,\"version\":%lld,\"status\":%d,\"sequence\":%lld,\"suspended\":%d,\"count\":%lld,"
						   "\"record_ms\":%lld", c->base, (long long) c->version, c->status, (long long) c->sequence,
						   c->suspended, (long long) c->count, (long long) c->record_ms);
			ok = put_line(f, &line);
		}
	}
	mcw_buf_free(&line);
	return ok;
}

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

static bool
load_channel(const mcw_node *n)
{
	ots_tunnel_def *t = ots_tunnels;
	ots_channel *c;

	while (t && t->next)
		t = t->next;
	if (t == NULL)
		return false;
	c = ots_tunnel_add_channel(t);
	copy_text(n, "id", c->id, sizeof(c->id));
	copy_text(n, "shard", c->shard, sizeof(c->shard));
	c->base = number(n, "base") != 0;
	c->version = number(n, "version") + 1;
	c->status = number(n, "status") == OTS_CHANNEL_TERMINATED ? OTS_CHANNEL_TERMINATED : OTS_CHANNEL_CLOSE;
	c->sequence = number(n, "sequence");
	c->suspended = number(n, "suspended") != 0;
	c->count = number(n, "count");
	c->record_ms = number(n, "record_ms");
	return mcw_hex_decode(&c->begin, mcw_node_text(n, "begin")) == MCW_OK &&
		mcw_hex_decode(&c->end, mcw_node_text(n, "end")) == MCW_OK &&
		mcw_hex_decode(&c->checkpoint, mcw_node_text(n, "checkpoint")) == MCW_OK;
}

bool
ots_tunnel_load(const mcw_node *n, mcw_error *err)
{
	mcw_view	kind = mcw_node_text(n, "t");
	ots_tunnel_def *t;

	if (mcw_view_eq(kind, MCW_LIT("channel")))
		return load_channel(n);
	if (!mcw_view_eq(kind, MCW_LIT("tunnel")))
		return false;
	t = emu_malloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	copy_text(n, "id", t->id, sizeof(t->id));
	copy_text(n, "stream", t->stream_id, sizeof(t->stream_id));
	t->name = emu_strdup(mcw_node_text(n, "name"));
	t->table = emu_strdup(mcw_node_text(n, "table"));
	t->inst = ots_instance_find(mcw_node_text(n, "instance"));
	t->type = (int) number(n, "type");
	t->has_config = number(n, "has_config") != 0;
	t->flag = (int) number(n, "flag");
	t->start_ms = number(n, "start_ms");
	t->end_ms = number(n, "end_ms");
	t->expired = number(n, "expired") != 0;
	t->created_us = number(n, "created_us");
	ots_tunnel_link(t);
	return t->inst != NULL && t->type >= 1 && t->type <= 3;
}

/* {"op":"tunnel_expire","tunnel":id}: as if its data had been trimmed before it was read */
bool
ots_tunnel_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err, bool *known)
{
	if (!mcw_view_eq(mcw_node_text(cmd, "op"), MCW_LIT("tunnel_expire")))
	{
		*known = false;
		return false;
	}
	for (ots_tunnel_def *t = ots_tunnels; t; t = t->next)
		if (mcw_view_eq(mcw_node_text(cmd, "tunnel"), mcw_str(t->id)))
			return t->expired = true;
	mcw_fail(err, MCW_ERR_ARGUMENT, "no such tunnel");
	return false;
}

void
ots_tunnel_state(mcw_buf *reply)
{
	mcw_buf_append_str(reply, ",\"tunnels\":[");
	for (const ots_tunnel_def *t = ots_tunnels; t; t = t->next)
	{
		mcw_buf_append_str(reply, t == ots_tunnels ? "{\"id\":" : ",{\"id\":");
		mcw_json_quote(reply, mcw_str(t->id));
		put_json(reply, "name", t->name);
		put_json(reply, "table", t->table);
		mcw_buf_printf(reply, ",\"channels\":%d,\"clients\":%d}", t->nchannels, t->nclients);
	}
	mcw_buf_append_char(reply, ']');
}
