/*
 * odps_sink.h
 *		Inside of a sink: odps_sink.c encodes rows, odps_block.c owns buffers and
 *		requests in flight.
 */
#ifndef MC_ODPS_SINK_H
#define MC_ODPS_SINK_H

#include "odps_write.h"

#include "last_keys.h"
#include "progress.h"
#include "utils/hsearch.h"
#include "write_pool.h"

typedef struct McSinkColumn
{
	int			attno;			/* index in the slot */
	int			number;			/* of the tunnel column, from 1 */
	McOutType  *out;
	bool		not_null;
	bool		is_mark;		/* names the run; attno is -1 if it is not declared */
	const char *name;			/* local */
} McSinkColumn;

/* One partition that received rows in this statement */
typedef struct McSinkPartition
{
	char	   *spec;
	McUpload   *upload;			/* NULL until the first row */
	char	   *mark;			/* what run_column says in the rows that are encoded; NULL = nothing */
	bool		open;			/* 'buf' holds an unfinished record stream */
	mcw_buf		buf;
	Size		accounted;		/* of buf.cap in the pool */
	mcw_odps_writer writer;
	dlist_node	lru;			/* among open ones, most recently used first */
} McSinkPartition;

/* A block on its way; its memory is the sink's */
typedef struct McBlock
{
	mcs_odps_call call;
	mcw_buf		body;
	McUpload   *upload;
	int			id;
	bool		done;			/* set by the completion callback */
	dlist_node	node;
} McBlock;

struct McSink
{
	MemoryContext cxt;			/* everything of the sink; its reset callback ends the requests */
	MemoryContext scratch;		/* one row */
	MemoryContextCallback callback;
	dlist_node	live;			/* among the sinks of this backend */
	bool		dead;			/* the transaction has ended: uploads and channels are gone */
	bool		ended;

	McTarget   *target;
	McPlace		place;
	char	   *relname;
	bool		overwrite;
	bool		marks;			/* rows name the run of the job ... */
	int			mark_column;	/* ... in this remote column, from 0 */
	int64		seen;			/* rows handed to us, for messages */
	mcn_stats	before;			/* of the transaction's tunnel channel */
	McRejects	rejects;
	McOutContext out;
	McSinkColumn *columns;
	int			ncolumns;
	TupleDesc	desc;

	McKeySource *keys;
	int			nkeys;
	const char *null_partition;
	McLastKeys	last;			/* keys of the last row, to skip the look-up */
	StringInfoData spec;
	HTAB	   *partitions;
	McSinkPartition *current;

	Size		block_size;
	McWritePool pool;			/* buffers */
	Size		largest_record;
	int			max_open;
	int			nopen;
	dlist_head	lru;			/* open partitions */

	int			concurrency;
	dlist_head	flight;			/* McBlock */
	int			nflight;
	int			nopening;		/* sessions being created */
	Size		since_step;		/* bytes encoded since the loop was driven */

	bool		compress_auto;
	mcw_codec	codec;			/* what to use when compressing */
	int64		blocked_us;		/* since then: waiting for room among the blocks */
	int64		mark_us;		/* when the last block was handed over */
	double		pressure;		/* share of the time since then that was waiting, averaged */
	McSinkStats stats;
	McProgress	progress;
};

/* the partition's buffer, opened if it is not; may send another partition's block */
extern void mcBlockOpen(McSink *sink, McSinkPartition *part);
/* with run_column, before the first row of a buffer: sets part->mark */
extern void mcBlockMark(McSink *sink, McSinkPartition *part);
/* the buffer has its first row: find or make the upload session, which is created meanwhile */
extern void mcBlockAttach(McSink *sink, McSinkPartition *part);
/* the buffer has grown: keep the budget */
extern void mcBlockGrown(McSink *sink, McSinkPartition *part);
/* finish the partition's stream and put it on its way; its buffer is closed */
extern void mcBlockSend(McSink *sink, McSinkPartition *part);
/* let requests progress without waiting */
extern void mcBlockProgress(McSink *sink);
/* send everything, wait for every acknowledgement */
extern void mcBlockFlush(McSink *sink);
/* take every request off the loop; safe at any time */
extern void mcBlockAbandon(McSink *sink);
extern void mcSinkRegister(McSink *sink);

#endif							/* MC_ODPS_SINK_H */
