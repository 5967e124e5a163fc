/*
 * ots_tunnel.h
 *		mc-emulator, Tablestore part: tunnels, shared by ots_tunnel*.c.
 *
 * A tunnel delivers the rows a table holds (base data), then its changes, over
 * channels that its clients share.  tablestore.md 2.6.
 */
#ifndef OTS_TUNNEL_H
#define OTS_TUNNEL_H

#include "ots_stream.h"

#define OTS_TUNNEL_FINISHED "finished"
#define OTS_TUNNEL_TOKEN 4096

typedef enum ots_channel_status
{
	OTS_CHANNEL_OPEN = 1, OTS_CHANNEL_CLOSING, OTS_CHANNEL_CLOSE, OTS_CHANNEL_TERMINATED
} ots_channel_status;

typedef struct ots_channel
{
	char		id[128];
	bool		base;
	char		shard[OTS_SHARD_ID];	/* of a stream channel */
	mcw_buf		begin;			/* base data: sort keys, empty = without bound */
	mcw_buf		end;
	int64_t		version;
	ots_channel_status status;
	char		client[64];		/* who holds it; empty = nobody */
	mcw_buf		checkpoint;		/* token, or OTS_TUNNEL_FINISHED */
	int64_t		sequence;
	bool		suspended;		/* by the schedule call: given to nobody */
	int64_t		count;			/* records read */
	int64_t		read_us;		/* when it was read last */
	int64_t		record_ms;		/* commit time of the last record handed out */
} ots_channel;

typedef struct ots_client
{
	char		id[64];
	int64_t		timeout_us;
	int64_t		seen_us;
} ots_client;

typedef struct ots_tunnel_def
{
	char		id[64];
	char	   *name;
	ots_instance *inst;
	char	   *table;
	int			type;			/* TunnelType */
	bool		has_config;
	int			flag;			/* StartOffsetFlag */
	int64_t		start_ms;		/* 0 = by the flag */
	int64_t		end_ms;			/* 0 = never ends */
	char		stream_id[128];
	bool		expired;
	int64_t		created_us;
	ots_channel *channels;
	int			nchannels;
	ots_client *clients;
	int			nclients;
	struct ots_tunnel_def *next;
} ots_tunnel_def;

extern ots_tunnel_def *ots_tunnels;

/* ots_tunnel.c */
extern ots_tunnel_def *ots_tunnel_by_id(const ots_instance *inst, mcw_view id);	/* NULL = none */
extern ots_table *ots_tunnel_table(const ots_tunnel_def *tunnel);	/* NULL = gone */
extern void ots_tunnel_drop(ots_tunnel_def *tunnel);
extern void ots_tunnel_link(ots_tunnel_def *tunnel);
extern ots_channel *ots_tunnel_add_channel(ots_tunnel_def *tunnel);
extern ots_channel *ots_tunnel_channel(ots_tunnel_def *tunnel, mcw_view id);
extern bool ots_channel_done(const ots_channel *channel);
extern bool ots_tunnel_base_done(const ots_tunnel_def *tunnel);
/* Shards that split and merge made since the last look become channels */
extern void ots_tunnel_discover(ots_tunnel_def *tunnel, int64_t now_us);
extern bool ots_tunnel_next_field(ots_call *call, size_t *pos, mcw_pb_field *f);

/* ots_tunnel_client.c */
extern void ots_tunnel_connect(ots_call *call);
extern void ots_tunnel_heartbeat(ots_call *call);
extern void ots_tunnel_shutdown(ots_call *call);
extern void ots_tunnel_schedule(ots_call *call);
extern ots_client *ots_tunnel_client(ots_tunnel_def *tunnel, mcw_view id);

/* ots_tunnel_read.c */
extern void ots_tunnel_get_checkpoint(ots_call *call);
extern void ots_tunnel_read_records(ots_call *call);
extern void ots_tunnel_checkpoint(ots_call *call);
extern void ots_tunnel_get_rpo(ots_call *call);
/* base64 of Token{version 1, TokenContent} */
extern void ots_tunnel_token(mcw_view key, mcw_view iterator, int64_t time_ms, mcw_buf *out);

#endif							/* OTS_TUNNEL_H */
