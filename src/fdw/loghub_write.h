/*
 * loghub_write.h
 *		Writing to LogHub: the sink of one statement.  Private to
 *		loghub_{modify,sink,encode,outbox,publish}.c.
 *
 * A row becomes a log of a log group with its topic, source and tags; full groups are
 * sent while the statement runs and are visible then, or are kept for the outbox of a
 * job (publish 'outbox').
 */
#ifndef MC_LOGHUB_WRITE_H
#define MC_LOGHUB_WRITE_H

#include "lib/ilist.h"
#include "lib/stringinfo.h"

#include "../service/mcs_loghub_put.h"
#include "convert_text_out.h"
#include "last_keys.h"
#include "loghub.h"
#include "visible.h"
#include "write_pool.h"

typedef struct McLogOut
{
	const McLogColumn *column;
	int			at;				/* index of the attribute */
	mcw_view	name;			/* key of the content or tag */
	McTextOut	text;
} McLogOut;

/* Rows that share what a log group says once */
typedef struct McLogGroup
{
	dlist_node	lru;
	mcw_view	key;			/* see mcLogEncodeKey; the views below point into it */
	mcw_view	topic;			/* data NULL = absent, as below */
	mcw_view	source;
	mcw_view	category;
	mcw_view	machine_uuid;
	mcw_pair   *tags;			/* room for two more than ntags */
	int			ntags;
	char		hash_key[MCS_HASH_KEY_DIGITS + 1];	/* "" = the service chooses */
	size_t		finish_size;	/* of what comes behind the logs */
	mcw_buf		buf;			/* only while there are logs */
	Size		accounted;
	mcw_sls_writer w;
	uint64		number;			/* of the batch */
	uint64	   *rows;			/* numbers of its rows */
	uint32		maxrows;
} McLogGroup;

/* A log the service refused, not looked at yet */
typedef struct McLogRefused
{
	struct McLogRefused *next;
	uint64		row;
	mcw_error	err;
} McLogRefused;

#define MC_LOG_BATCH_SIZE 4096
#define MC_LOG_REQUEST_SIZE (3 * 1024 * 1024)
#define MC_LOG_WRITE_BUFFER (32 * 1024 * 1024)
#define MC_LOG_OUTBOX_LIMIT (256 * 1024 * 1024)

struct McLogGroups;

typedef struct McLogSink
{
	McVisible	visible;		/* while the writer is open */
	MemoryContext cxt;
	MemoryContext scratch;		/* of one row */
	MemoryContextCallback callback;
	McServer   *server;
	McPlace		place;
	char	   *relname;
	char	   *logstore;
	TupleDesc	desc;
	List	   *columns;
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_loghub	client;
	mcs_log_writer *writer;		/* NULL: publish 'outbox' */
	bool		outbox;
	mcw_codec	codec;
	McRejects	rejects;
	McProgress	progress;
	int64		seen;			/* rows handed to the sink */
	int64		acknowledged;	/* as told to the transaction */
	mcn_stats	before;			/* of the channel */

	int			nfields;
	McLogOut   *fields;
	McLogOut   *rest;			/* field '*', NULL = none; as below */
	McTextColumn rest_json;		/* of a '*' column that is not jsonb: its text as jsonb */
	McLogOut   *time;
	McLogOut   *time_ns;
	int			ngroup;			/* topic, source, category, machine, tags */
	McLogOut   *group;
	McLogOut   *hash_key;
	int			nfixed;
	McLogOut   *fixed;			/* cannot be written */

	/* identity of rows */
	char	   *run;			/* job/seq/attempt, or a random number of the statement */
	bool		in_job;
	uint64		last_batch;		/* outside of jobs */
	mcw_view	dedup;			/* name of the content, empty = none */
	McLogOut   *dedup_column;	/* the column of that name, NULL = none */

	/* groups */
	McLastKeys	last;
	McLogGroup *current;		/* of 'last' */
	StringInfoData key;			/* of this row's group */
	char		row_hash[MCS_HASH_KEY_DIGITS + 1];
	bool		key_changed;	/* a bad value of it became NULL */
	struct McLogGroups *groups;
	dlist_head	lru;			/* McLogGroup, most recently used first */
	int			ngroups;
	McWritePool pool;
	size_t		request_size;
	uint32		batch_size;

	/* where hash keys lead */
	mcs_call	shard_call;
	bool		shard_call_open;
	mcs_shard_info *shards;
	int			nshards;
	int64		shards_at_us;

	/* found by the writer's callback */
	bool		out_of_memory;
	MemoryContext refused_cxt;
	McLogRefused *refused;
	McLogRefused **refused_tail;

	/* publish 'outbox' */
	int64		kept_rows;
	int64		kept_batches;
	int64		kept_raw;
	int64		kept_bytes;
} McLogSink;

/* ---- loghub_sink.c ---- */

extern McLogSink *mcLogSinkCreate(EState *estate, Relation rel, Oid userid);
/* false: the row was rejected */
extern bool mcLogSinkRow(McLogSink *sink, TupleTableSlot *slot);
/* send everything, wait for every answer */
extern void mcLogSinkFlush(McLogSink *sink);
extern void mcLogSinkEnd(McLogSink *sink);
/* a value of this row cannot be written: false = the row is dropped, true = it becomes NULL */
extern bool mcLogSinkRefuse(McLogSink *sink, const McLogColumn *column, int sqlstate, const char *reason, mcw_view value);
/* the rows of a batch are complete: fills what the shards say about a hash key; in sink->cxt */
extern const mcs_shard_info *mcLogSinkShard(McLogSink *sink, const char *hash_key);

/* ---- loghub_encode.c: one row; false = rejected ---- */

/* What of the row is of its log group, as bytes in sink->key, equal for equal groups */
extern bool mcLogEncodeKey(McLogSink *sink, TupleTableSlot *slot);
/* The group of these bytes: views into them; tags are in CurrentMemoryContext */
extern void mcLogDecodeKey(const McLogSink *sink, McLogGroup *group);
/* A log at the end of the group */
extern bool mcLogEncodeRow(McLogSink *sink, TupleTableSlot *slot, McLogGroup *group);

/* ---- loghub_outbox.c ---- */

/* before the first row: raises if there is no job */
extern void mcLogOutboxBegin(const char *relname);
/* number of the next batch of the run, or of the statement outside of jobs */
extern uint64 mcLogNextBatch(McLogSink *sink);
/* 'group' is complete; copied */
extern void mcLogOutboxAdd(McLogSink *sink, McLogGroup *group, mcw_view body, size_t raw_size);

#endif							/* MC_LOGHUB_WRITE_H */
