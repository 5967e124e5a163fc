/*
 * ots_tunnel_client.c
 *		mc-emulator, Tablestore part: the clients of a tunnel and which channels each of
 *		them holds.  tablestore.md 2.6, "Worker protocol".
 *
 * A channel's version rises with every change of its state, whoever makes it; the
 * higher version wins on both sides.  Every client gets the same share of the channels
 * that may be read; who has more is asked to close some.
 */
#include <stdlib.h>

#include "ots_tunnel.h"

#define DEFAULT_TIMEOUT_S 300

static uint64_t next_client = 1;

ots_client *
ots_tunnel_client(ots_tunnel_def *tunnel, mcw_view id)
{
	for (int i = 0; i < tunnel->nclients; i++)
		if (mcw_view_eq(id, mcw_str(tunnel->clients[i].id)))
			return &tunnel->clients[i];
	return NULL;
}

/* Its channels go back to nobody */
static void
remove_client(ots_tunnel_def *tunnel, int index)
{
	for (int i = 0; i < tunnel->nchannels; i++)
	{
		ots_channel *c = &tunnel->channels[i];

		if (strcmp(c->client, tunnel->clients[index].id) != 0)
			continue;
		c->client[0] = '\0';
		c->version++;
		if (!ots_channel_done(c))
			c->status = OTS_CHANNEL_CLOSE;
	}
	tunnel->clients[index] = tunnel->clients[--tunnel->nclients];
}

static void
drop_silent_clients(ots_tunnel_def *tunnel, int64_t now_us)
{
	for (int i = tunnel->nclients - 1; i >= 0; i--)
		if (now_us - tunnel->clients[i].seen_us > tunnel->clients[i].timeout_us)
			remove_client(tunnel, i);
}

void
ots_tunnel_tick(int64_t now_us)
{
	for (ots_tunnel_def *t = ots_tunnels; t; t = t->next)
		drop_silent_clients(t, now_us);
}

static ots_tunnel_def *
need_tunnel(ots_call *call, mcw_view id)
{
	ots_tunnel_def *t = ots_tunnel_by_id(call->inst, id);

	if (t == NULL)
		(void) ots_invalid(&call->fault, "Requested tunnel does not exist.");
	return t;
}

void
ots_tunnel_connect(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	id = {NULL, 0};
	mcw_view	config = {NULL, 0};
	int64_t		timeout = DEFAULT_TIMEOUT_S;
	ots_tunnel_def *t;
	ots_client *c;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			id = f.bytes;
		else if (f.number == 2)
			config = f.bytes;
	pos = 0;
	while (config.len > 0 && mcw_pb_next(config, &pos, &f) == MCW_OK)
		if (f.number == 1 && (int64_t) f.number_value > 0)
			timeout = (int64_t) f.number_value;
	if (call->fault.status || (t = need_tunnel(call, id)) == NULL)
		return;
	if (t->expired)
	{
		(void) ots_fault_set(&call->fault, 400, "OTSTunnelExpired", "The tunnel has expired.");
		return;
	}
	t->clients = emu_realloc(t->clients, (size_t) (t->nclients + 1) * sizeof(ots_client));
	c = &t->clients[t->nclients++];
	snprintf(c->id, sizeof(c->id), "%.36s-%llu", t->id, (unsigned long long) next_client++);
	c->timeout_us = timeout * 1000000;
	c->seen_us = call->req->now_us;
	mcw_pb_put_bytes(call->out, 1, mcw_str(c->id));
}

/* ---- who gets which channel ---- */

static bool
parent_done(const ots_tunnel_def *tunnel, const char *shard)
{
	for (int i = 0; shard[0] && i < tunnel->nchannels; i++)
		if (strcmp(tunnel->channels[i].shard, shard) == 0)
			return ots_channel_done(&tunnel->channels[i]);
	return true;
}

/* Base data comes before changes, parents before children */
static bool
may_run(const ots_tunnel_def *tunnel, const ots_channel *c)
{
	const ots_table *table = ots_tunnel_table(tunnel);
	const ots_stream *stream = table ? ots_stream_of(table) : NULL;
	const ots_shard *shard;

	if (ots_channel_done(c) || c->suspended || table == NULL)
		return false;
	if (c->base)
		return true;
	if (!ots_tunnel_base_done(tunnel))
		return false;
	shard = stream ? ots_shard_find(stream, mcw_str(c->shard)) : NULL;
	return shard == NULL || (parent_done(tunnel, shard->parent) && parent_done(tunnel, shard->sibling));
}

static void
share_channels(ots_tunnel_def *tunnel, ots_client *client)
{
	int			runnable = 0;
	int			held = 0;
	int			share;

	for (int i = 0; i < tunnel->nchannels; i++)
	{
		const ots_channel *c = &tunnel->channels[i];

		runnable += may_run(tunnel, c);
		held += strcmp(c->client, client->id) == 0 && c->status == OTS_CHANNEL_OPEN;
	}
	share = (runnable + tunnel->nclients - 1) / tunnel->nclients;
	for (int i = 0; i < tunnel->nchannels; i++)
	{
		ots_channel *c = &tunnel->channels[i];
		bool		mine = strcmp(c->client, client->id) == 0 && c->status == OTS_CHANNEL_OPEN;

		if (held < share && c->client[0] == '\0' && may_run(tunnel, c))
		{
			snprintf(c->client, sizeof(c->client), "%s", client->id);
			c->status = OTS_CHANNEL_OPEN;
			c->version++;
			held++;
		}
		else if (mine && (held > share || c->suspended))
		{
			c->status = OTS_CHANNEL_CLOSING;
			c->version++;
			held--;
		}
	}
}

/* One Channel message of a heartbeat or of the schedule call */
static bool
parse_channel(mcw_view message, mcw_view *id, int64_t *version, int64_t *status)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_status	st;

	*id = (mcw_view) {NULL, 0};
	*version = *status = 0;
	while ((st = mcw_pb_next(message, &pos, &f)) == MCW_OK)
		if (f.number == 1)
			*id = f.bytes;
		else if (f.number == 2)
			*version = (int64_t) f.number_value;
		else if (f.number == 3)
			*status = (int64_t) f.number_value;
	return st == MCW_END && id->data != NULL;
}

static void
take_report(ots_tunnel_def *tunnel, const ots_client *client, mcw_view message)
{
	mcw_view	id;
	int64_t		version;
	int64_t		status;
	ots_channel *c;

	if (!parse_channel(message, &id, &version, &status) || (c = ots_tunnel_channel(tunnel, id)) == NULL ||
		strcmp(c->client, client->id) != 0 || version <= c->version)
		return;
	if (status != OTS_CHANNEL_CLOSE && status != OTS_CHANNEL_TERMINATED)
		return;
	c->version = version;
	c->client[0] = '\0';
	/* who ends without the final checkpoint has only stopped */
	c->status = status == OTS_CHANNEL_TERMINATED &&
		mcw_view_eq(mcw_buf_view(&c->checkpoint), MCW_LIT(OTS_TUNNEL_FINISHED)) ? OTS_CHANNEL_TERMINATED : OTS_CHANNEL_CLOSE;
}

static bool
gone(ots_call *call)
{
	return ots_fault_set(&call->fault, 400, "OTSResourceGone", "The tunnel client is gone.");
}

void
ots_tunnel_heartbeat(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	id = {NULL, 0};
	mcw_view	client_id = {NULL, 0};
	ots_tunnel_def *t;
	ots_client *client;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			id = f.bytes;
		else if (f.number == 2)
			client_id = f.bytes;
	if (call->fault.status || (t = need_tunnel(call, id)) == NULL)
		return;
	drop_silent_clients(t, call->req->now_us);
	if ((client = ots_tunnel_client(t, client_id)) == NULL)
	{
		(void) gone(call);
		return;
	}
	client->seen_us = call->req->now_us;
	pos = 0;
	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 3 && f.wire == MCW_PB_BYTES)
			take_report(t, client, f.bytes);
	ots_tunnel_discover(t, call->req->now_us);
	if (t->expired)
	{
		(void) ots_fault_set(&call->fault, 400, "OTSTunnelExpired", "The tunnel has expired.");
		return;
	}
	share_channels(t, client);
	for (int i = 0; i < t->nchannels; i++)
	{
		const ots_channel *c = &t->channels[i];
		size_t		mark;

		if (strcmp(c->client, client->id) != 0)
			continue;
		mark = mcw_pb_begin(call->out, 1);
		mcw_pb_put_bytes(call->out, 1, mcw_str(c->id));
		mcw_pb_put_uint(call->out, 2, (uint64_t) c->version);
		mcw_pb_put_uint(call->out, 3, (uint64_t) c->status);
		mcw_pb_end(call->out, mark);
	}
}

void
ots_tunnel_shutdown(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	id = {NULL, 0};
	mcw_view	client_id = {NULL, 0};
	ots_tunnel_def *t;
	ots_client *client;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			id = f.bytes;
		else if (f.number == 2)
			client_id = f.bytes;
	if (call->fault.status || (t = need_tunnel(call, id)) == NULL)
		return;
	if ((client = ots_tunnel_client(t, client_id)) == NULL)
		(void) gone(call);
	else
		remove_client(t, (int) (client - t->clients));
}

/* Channels that are to run (OPEN) or to rest (CLOSE), whoever holds them */
void
ots_tunnel_schedule(ots_call *call)
{
	mcw_pb_field f;
	size_t		pos = 0;
	mcw_view	id = {NULL, 0};
	ots_tunnel_def *t;

	while (ots_tunnel_next_field(call, &pos, &f))
		if (f.number == 1)
			id = f.bytes;
	if (call->fault.status || (t = need_tunnel(call, id)) == NULL)
		return;
	pos = 0;
	while (ots_tunnel_next_field(call, &pos, &f))
	{
		mcw_view	channel;
		int64_t		version;
		int64_t		status;
		ots_channel *c;

		if (f.number != 2 || f.wire != MCW_PB_BYTES || !parse_channel(f.bytes, &channel, &version, &status))
			continue;
		if ((c = ots_tunnel_channel(t, channel)) == NULL)
		{
			(void) ots_invalid(&call->fault, "Requested channel does not exist.");
			return;
		}
		if (status == OTS_CHANNEL_TERMINATED)
		{
			mcw_buf_reset(&c->checkpoint);
			mcw_buf_append_str(&c->checkpoint, OTS_TUNNEL_FINISHED);
		}
		c->suspended = status != OTS_CHANNEL_OPEN && status != OTS_CHANNEL_TERMINATED;
	}
}
