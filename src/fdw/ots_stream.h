/*
 * ots_stream.h
 *		Private to the ots_stream_*.c files: conditions, scan state and rows of a foreign
 *		table of mode 'stream'.
 */
#ifndef MC_OTS_STREAM_H
#define MC_OTS_STREAM_H

#include "ots.h"

#include "../service/mcs_ots_stream.h"
#include "job.h"
#include "qual.h"

/* The columns of mcOtsColumns; raises if they do not fit a change stream */
extern List *mcStreamColumns(Relation rel);

/* ---- ots_stream_qual.c: conditions that choose the window and the shards ---- */

/* Both kinds are exact: they leave the local conditions */
typedef enum McStreamQualKind
{
	MC_STREAM_TIME,				/* __commit_time__ */
	MC_STREAM_SHARD				/* __shard__ */
} McStreamQualKind;

extern bool mcStreamMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, List *columns,
							  McQual *qual);

/* Unix microseconds [begin, end) */
typedef struct McStreamSelection
{
	bool		empty;			/* no row can qualify: no request is made */
	bool		has_begin;
	bool		has_end;
	int64		begin;
	int64		end;
	mcw_view   *shards;			/* NULL = all; UTF-8 */
	int			nshards;
} McStreamSelection;

/* values[i], nulls[i] belong to the i-th condition; in CurrentMemoryContext */
extern void mcStreamSelect(List *quals, const Datum *values, const bool *nulls, McStreamSelection *selection);

/* ---- the scan ---- */

enum McStreamPrivate
{
	MC_STREAM_PRIVATE_MODE,		/* String "stream", see ots_routine.c */
	MC_STREAM_PRIVATE_ATTRS,	/* list of int: attribute numbers to fill */
	MC_STREAM_PRIVATE_QUALS		/* see mcQualsToList */
};

typedef struct McStreamField
{
	const McOtsColumn *column;
	int			index;			/* of the attribute in the slot */
	McOtsIn    *in;				/* KEY, CELL, CELL_VALUE */
	/* CELL: the newest cell of the record */
	mcw_ots_value value;		/* type NONE = not put by the record */
	int64		timestamp;
} McStreamField;

/* An attribute column of the declaration, wanted or not */
typedef struct McStreamName
{
	mcw_view	wire;
	McStreamField *field;		/* NULL = nobody asks for it */
} McStreamName;

typedef struct McStreamRest
{
	mcw_ots_cell *cells;		/* of the record, in no column */
	int			n;
	int			cap;
} McStreamRest;

typedef struct McStreamScan
{
	McAsync		async;			/* makes no promises */
	McServer   *server;
	McOtsConn  *conn;
	char	   *table;			/* remote name */
	char	   *relname;
	List	   *columns;
	List	   *quals;
	List	   *expr_states;
	mcw_ots_table *live;
	bool		cell_shape;
	bool		unknown_error;	/* unknown_columns 'error' */

	MemoryContext cxt;			/* of the statement */
	MemoryContext select_cxt;	/* conditions evaluated, reset by ReScan */
	MemoryContext record_cxt;	/* what the lines of a record share */
	MemoryContext row_cxt;
	MemoryContextCallback callback;

	/* columns by what they show */
	McStreamField *fields;
	int			nfields;
	McStreamField *keys[MCW_OTS_MAX_KEYS];	/* NULL = nobody asks for it */
	McStreamField *op;
	McStreamField *commit_time;
	McStreamField *sequence;
	McStreamField *shard;
	McStreamField *deleted;
	McStreamField *rest;
	McStreamField *version;		/* of the row or of the cell */
	McStreamField *cell_name;
	McStreamField *cell_type;
	McStreamField *cell_value;
	McStreamName *names;		/* row shape: sorted */
	int			nnames;
	int			guess;			/* where in names[] the next cell probably is */

	/* where we are */
	bool		started;
	bool		done;
	bool		unbounded_noticed;
	bool		begin_noticed;
	bool		end_noticed;
	McStreamSelection selection;	/* as the service's clock and retention left it, once resolved */
	bool		resolved;
	mcs_ots_stream_scan *scan;
	mcs_ots_stream_page *page;
	size_t		page_pos;
	int			undriven;		/* records since the network was driven last */
	mcw_ots_reader *reader;
	mcw_ots_record record;
	mcw_ots_row row;
	bool		in_record;		/* cell shape: more lines may follow */
	size_t		cell_pos;
	int			line;			/* its number in the record */
	char		sequence_text[192];
	McStreamRest others;
	List	   *deleted_names;	/* of the record, Datums */
	TupleTableSlot *slot;
	McRejects	rejects;
	McProgress	progress;

	/* in the run of a job: see ots_stream_chain.c */
	McJobSource *source;		/* NULL = read by time */
	int64		begin;			/* of the window, as the conditions have it */
	int64		end;
	uint32		record_at;		/* number of the next record of the page */
	bool		read_all;
	int64		late;			/* records older than the window, which came in it by position */

	/* for EXPLAIN; of scans that are over */
	mcs_ots_stream_info total;
	int64		rows;
	int64		dropped;		/* records outside the window */
	int64		one_version;	/* deletions of single versions, which row shape cannot show */
	int64		step_us;		/* by how much a shard's clock stepped back at most */
	int64		scans;
	char		part[160];		/* for CONTEXT */
	char		position[256];
} McStreamScan;

/* ots_stream_row.c */
extern void mcStreamPlace(McStreamScan *scan, McPlace *place);
/* ots_stream_window.c: one mcs_ots_stream_scan for each evaluation of the conditions */
extern bool mcStreamOpen(McStreamScan *scan, ForeignScanState *node);	/* false: no row can qualify */
extern void mcStreamOpenWindow(McStreamScan *scan); /* of scan->selection */
extern void mcStreamResolved(McStreamScan *scan);	/* says once what was cut */
extern void mcStreamClose(McStreamScan *scan);
/* sums of this scan so far; the window is the last one's */
extern void mcStreamStatsNow(const McStreamScan *scan, mcs_ots_stream_info *info);
/* raises if the failure is that the table has no change stream */
extern void mcStreamCheckEnabled(const mcw_error *err, const char *table, const McPlace *place);
pg_noreturn extern void mcStreamRaise(McStreamScan *scan, const mcw_error *err);

/* ots_stream_scan.c: the next page with records; false at the end of the window */
extern bool mcStreamNextPage(McStreamScan *scan);

/* ots_stream_chain.c */
extern const mcs_ots_chain *mcStreamChain(McStreamScan *scan);
extern void mcStreamChainEnd(McStreamScan *scan);	/* the scan has read everything */
extern void mcStreamChainFinish(McStreamScan *scan);	/* the plan wants no more of it */
extern void mcStreamCount(const McStreamScan *scan);
/* raises if the failure is one of chains */
extern void mcStreamChainRaise(const McStreamScan *scan, const mcw_error *err, const McPlace *place);

/* ots_stream_row.c */
extern void mcStreamRowInit(McStreamScan *scan, TupleDesc desc, List *attrs);
extern void mcStreamStartPage(McStreamScan *scan);
/* next row of the page in scan->slot; false at the end of the page */
extern bool mcStreamNextRow(McStreamScan *scan);

/* ots_stream_cell.c: one row per cell */
extern bool mcStreamNextLine(McStreamScan *scan);	/* of the record; false: no more, or the line is dropped */

/* shared by both shapes, in ots_stream_row.c */
extern Datum mcStreamText(mcw_view utf8);	/* in CurrentMemoryContext */
/* true if the row is to be dropped; else the value becomes NULL */
extern bool mcStreamConvert(McStreamScan *scan, const McStreamField *field, const mcw_ots_value *value);
extern void mcStreamVersion(McStreamScan *scan, int64 version);

/* ots_safe_until.c: state of a table's stream, in CurrentMemoryContext; raises if it has none */
extern void mcStreamState(Relation rel, McOtsConn **conn, mcw_arena *arena, mcs_ots_stream_state *state);
/* a shard as text, its parents as text[], has it ended? */
extern void mcStreamShard(const mcw_ots_stream *stream, const mcw_ots_shard *shard, Datum *id, Datum *parents, bool *closed);

#endif							/* MC_OTS_STREAM_H */
