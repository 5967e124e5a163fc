/*
 * oss_sink.h
 *		Inside of a sink: oss_sink.c encodes rows and finds their directory, oss_part.c
 *		owns open objects, buffers and requests in flight.
 */
#ifndef MC_OSS_SINK_H
#define MC_OSS_SINK_H

#include "oss_write.h"

#include "last_keys.h"
#include "progress.h"
#include "lib/ilist.h"
#include "write_pool.h"

/* A directory that received rows in this statement, and its open object */
typedef struct McOssDirectory
{
	char	   *name;			/* literal and path parts; the key for option object */
	int			number;			/* objects begun */
	bool		open;
	McOssUpload *upload;
	mcw_buf		buf;			/* bytes of the object behind its last part */
	Size		accounted;
	mcw_deflater *deflater;
	mcw_buf		raw;			/* records not yet compressed */
	uint64		sent;			/* bytes of this object in parts */
	bool		was_full;		/* its last object was ended by its size */
	dlist_node	lru;			/* among open ones, most recently used first */
} McOssDirectory;

/* A part on its way; its memory is the sink's */
typedef struct McOssFlight
{
	mcs_oss_call call;
	mcw_buf		body;
	McOssUpload *upload;
	int			number;
	bool		queued;			/* until its upload is initiated */
	bool		done;			/* set by the completion callback */
	dlist_node	node;
} McOssFlight;

/* A path column: the value's text becomes a part of the key */
typedef struct McOssPathOut
{
	int			attno;			/* index in the slot */
	Oid			type;
	FmgrInfo	out;
	bool		not_null;
	const char *name;
} McOssPathOut;

struct McOssDirTable;

struct McOssSink
{
	MemoryContext cxt;			/* everything of the sink; its reset callback ends the requests */
	MemoryContext scratch;		/* one row */
	MemoryContextCallback callback;
	dlist_node	live;			/* among the sinks of this backend */
	bool		dead;			/* the transaction has ended: uploads and connection are gone */
	bool		ended;

	McOssTarget *target;
	McServer   *server;			/* of this statement: its settings */
	McPlace		place;
	char	   *relname;
	McOssMode	mode;
	int64		statement;
	char		id[128];		/* in the keys of its objects */
	McJobRun   *job;			/* the run it is part of; NULL = ad hoc */
	const char *suffix;
	int64		seen;			/* rows handed to us, for messages */
	McProgress	progress;
	mcn_stats	before;
	McRejects	rejects;
	TupleDesc	desc;

	McFileOut  *file;
	mcw_buf    *file_target;
	int			nnot_null;
	int		   *not_null;		/* attnos of fields */
	int			nfixed;
	int		   *fixed;			/* attnos of columns that cannot be written */

	McOssPathOut *paths;		/* in the order of the key */
	int			npaths;
	McLastKeys	last;
	StringInfoData name;		/* of the directory of this row */
	struct McOssDirTable *directories;
	McOssDirectory *current;

	McWritePool pool;
	Size		part_size;
	Size		largest_record;
	uint64		max_object;		/* 0 = never split */
	bool		split;			/* may begin another object */
	bool		empty;			/* the object without records is being written */
	int			max_open;
	int			nopen;
	int64		reopened;		/* objects begun because another one had to be ended */
	dlist_head	lru;			/* open directories */
	mcw_codec	codec;
	int			level;

	int			concurrency;
	dlist_head	flight;			/* McOssFlight */
	int			nflight;
	int			nopening;		/* uploads being initiated */
	Size		since_step;		/* bytes encoded since the loop was driven */
	McOssSinkStats stats;
};

/* ---- oss_part.c ---- */

extern void mcOssSinkRegister(McOssSink *sink);
/* begin an object in the directory; may end another one */
extern void mcOssPartOpen(McOssSink *sink, McOssDirectory *dir);
/* where records of the directory go */
extern mcw_buf *mcOssPartTarget(McOssSink *sink, McOssDirectory *dir);
/* a record was appended there: pass it on, keep the budget, let requests progress */
extern void mcOssPartGrown(McOssSink *sink, McOssDirectory *dir);
/* end the object of the directory */
extern void mcOssPartClose(McOssSink *sink, McOssDirectory *dir);
/* end all, wait for every acknowledgement */
extern void mcOssPartFlush(McOssSink *sink);
/* take every request off the loop; safe at any time */
extern void mcOssPartAbandon(McOssSink *sink);

/* ---- oss_sink.c ---- */

/* the first row for the directory: may it be written at all? */
extern void mcOssSinkCheck(McOssSink *sink, McOssDirectory *dir);

#endif							/* MC_OSS_SINK_H */
