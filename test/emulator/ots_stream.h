/*
 * ots_stream.h
 *		mc-emulator, Tablestore part: the change log behind a table's stream, shared by
 *		ots_stream*.c and ots_tunnel*.c.
 *
 * A shard is an append-only log cut into chunks.  A record is kept as the member of
 * GetStreamRecordResponse it is sent as, so that a page is a copy of a stretch of one
 * chunk or more, and a chunk that is full is a page itself.  Positions in a shard are
 * record numbers from 0 that never change.  tablestore.md 2.4 and 5.
 */
#ifndef OTS_STREAM_H
#define OTS_STREAM_H

#include "ots.h"

#define OTS_SHARD_ID 64
#define OTS_HOUR_US (INT64_C(3600) * 1000000)

typedef struct ots_log_entry
{
	int64_t		order_us;		/* largest commit time up to here: what a seek and expiry search */
	int64_t		visible_us;		/* readable from then on; never falls along the log */
	uint32_t	at;				/* of its bytes in the chunk */
} ots_log_entry;

typedef struct ots_chunk
{
	int64_t		first;			/* number of its first record */
	uint32_t	n;
	uint32_t	cap;
	ots_log_entry *entries;
	char	   *data;
	size_t		len;			/* of the records */
	size_t		size;			/* allocated */
	emu_blob   *page;			/* made by the first read of a full chunk; then owns data */
	char		md5[32];
	bool		page_flag;		/* the page tells whether more may follow */
	bool		full;
} ots_chunk;

typedef struct ots_shard
{
	char		id[OTS_SHARD_ID];
	char		parent[OTS_SHARD_ID];	/* empty = none */
	char		sibling[OTS_SHARD_ID];	/* the other parent of a merge */
	uint64_t	part;			/* id of the partition that writes here */
	bool		closed;
	int64_t		created_us;
	int64_t		closed_us;
	int32_t		epoch;
	int64_t		skew_us;		/* added to commit times: a clock that is wrong */
	int64_t		last_us;		/* time and row index of the last record of this epoch */
	int32_t		last_index;
	int64_t		order_us;
	int64_t		visible_us;
	ots_chunk **chunks;
	size_t		nchunks;
	size_t		cap;
	int64_t		first;			/* records before it have expired */
	int64_t		next;			/* number of the next record */
} ots_shard;

typedef struct ots_stream
{
	ots_table  *table;
	ots_shard **shards;			/* in the order they were made */
	size_t		nshards;
	uint64_t	serial;			/* of the next shard id */
	ots_shard  *hot;			/* the one written last */
} ots_stream;

/* Settings of the command stream_set; docs/emulator.md */
typedef struct ots_stream_settings
{
	int64_t		page_records;
	int64_t		page_bytes;
	int64_t		shard_limit;	/* shards on a page of DescribeStream that names no limit */
	int64_t		iterator_steps;	/* answers of a seek by time that carry next_token */
	int64_t		seek_early;		/* records before the right one at which a seek lands */
	int64_t		visible_after_us;
	int64_t		enabling_us;	/* how long a new stream is STREAM_ENABLING */
	int64_t		empty_every;	/* each so many reads get an empty page although records follow; 0 = never */
	bool		may_more;		/* send may_more_record also when table_name was not named */
} ots_stream_settings;

extern ots_stream_settings ots_stream_conf;

/* ots_stream.c: the model */
extern ots_stream *ots_stream_of(const ots_table *table);	/* NULL = no stream */
extern ots_table *ots_stream_table(const ots_instance *inst, mcw_view stream_id);	/* NULL = no such stream */
extern ots_shard *ots_shard_find(const ots_stream *stream, mcw_view id);
extern ots_shard *ots_shard_add(ots_stream *stream, const ots_shard *parent, const ots_shard *sibling, uint64_t part,
								int32_t epoch, int64_t now_us);
extern void ots_stream_free(ots_stream *stream);
extern void ots_stream_expire(ots_stream *stream, int64_t now_us);	/* drops what is too old */
extern bool ots_stream_active(const ots_table *table, int64_t now_us);
/* One record; the sequence info at the end of 'record' is overwritten with the shard's */
extern void ots_shard_append(ots_shard *shard, int action, mcw_view record, mcw_view origin, int64_t time_us,
							 int32_t row_index, int64_t now_us);
/* First record with a commit time >= 'us', or the end of the log; never an expired one */
extern int64_t ots_shard_seek(const ots_shard *shard, int64_t us);
extern int64_t ots_shard_readable(const ots_shard *shard, int64_t now_us);	/* number behind the last visible record */
extern int64_t ots_shard_time(const ots_shard *shard, int64_t position);	/* order_us of a retained record */

/*
 * A page: records of one shard from 'position', at most 'limit' (0 = the configured
 * page).  Appends them as members number 1 and returns the position behind them.
 */
extern int64_t ots_shard_page(const ots_shard *shard, int64_t position, int64_t limit, int64_t now_us, mcw_buf *out);
/* The full chunk that is exactly the page at 'position', or NULL */
extern ots_chunk *ots_shard_whole_page(const ots_shard *shard, int64_t position, int64_t now_us);

/* ots_stream_api.c */
extern void ots_iterator_text(const ots_table *table, const ots_shard *shard, int64_t position, mcw_buf *out);
/* false with the fault: malformed, or expired (OTSTrimmedDataAccess) */
extern bool ots_iterator_parse(const ots_instance *inst, mcw_view text, ots_table **table, ots_shard **shard,
							   int64_t *position, int64_t now_us, ots_fault *why);

/* ots_tunnel.c, ots_tunnel_save.c */
extern void ots_tunnel_tick(int64_t now_us);
extern void ots_tunnel_state(mcw_buf *reply);
extern bool ots_tunnel_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err, bool *known);
extern bool ots_tunnel_save(FILE *out);
extern bool ots_tunnel_load(const mcw_node *line, mcw_error *err);	/* one line of the file */

#endif							/* OTS_STREAM_H */
