/*
 * ots_write.h
 *		Writing to Tablestore: the sink of one statement.  Private to
 *		ots_{modify,keep,sink,encode,rest,guard}.c.
 *
 * Rows are visible as they are sent; there is nothing to publish and nothing that a
 * rollback takes back.
 */
#ifndef MC_OTS_WRITE_H
#define MC_OTS_WRITE_H

#include "ots.h"
#include "visible.h"

#include "../service/mcs_ots_write.h"

typedef enum McOtsWriteMode
{
	MC_OTS_PUT,
	MC_OTS_UPDATE,
	MC_OTS_INSERT
} McOtsWriteMode;

typedef struct McOtsSinkColumn
{
	const McOtsColumn *column;
	int			at;				/* index of the attribute */
	McOtsOut   *out;			/* KEY, CELL */
	mcw_ots_name name;
	bool		named;			/* the statement names it */
	bool		changed;		/* a BEFORE trigger has given this row another value */
} McOtsSinkColumn;

/* What became of a row that is waited for */
typedef enum McOtsFate
{
	MC_OTS_WAITING,
	MC_OTS_WRITTEN,
	MC_OTS_SKIPPED,				/* it exists, or is missing */
	MC_OTS_REJECTED
} McOtsFate;

/* A row the service refused, not looked at yet */
typedef struct McOtsRefused
{
	struct McOtsRefused *next;
	char	   *key;
	char	   *reason;
	mcw_error  *err;			/* of the first one */
} McOtsRefused;

typedef struct McOtsSink
{
	McVisible	visible;		/* while the writer is open */
	MemoryContext cxt;
	MemoryContext scratch;		/* of one row */
	MemoryContext refused_cxt;	/* of 'refused' */
	MemoryContextCallback callback;
	McServer   *server;
	McOtsConn  *conn;
	mcw_ots_table *live;
	List	   *columns;
	char	   *table;			/* remote name */
	char	   *relname;
	Oid			relid;
	McPlace		place;
	TupleDesc	desc;

	int			nkeys;
	McOtsSinkColumn keys[MCW_OTS_MAX_KEYS];
	int			ncells;
	McOtsSinkColumn *cells;
	McOtsSinkColumn *rest;		/* field '*', NULL = none */
	McOtsSinkColumn *version;	/* __version__, NULL = none */
	int			auto_key;		/* index of the AUTO_INCREMENT key column, -1 = none */

	CmdType		operation;
	const Bitmapset *named;		/* what the statement assigns */
	McOtsWriteMode mode;
	bool		keep_null;		/* NULL leaves a cell as it is where an INSERT updates */
	bool		skip_existing;	/* ON CONFLICT DO NOTHING */
	TupleTableSlot *encoding;	/* the row that is being encoded; NULL = none */
	bool		trigger_writes;	/* a BEFORE trigger may set columns nobody named */
	bool		returning;		/* somebody sees the row after it was written */
	bool		run_timestamp;
	int64		run_ms;			/* cell version of this statement */
	int64		run_at_us;		/* mcn_now_us() when it was taken */
	int64		deviation_us;	/* a version may differ so much from the service's clock */
	int64		own_since;		/* job: versions that attempts of this window may have given, from here */
	int64		own_until;		/* ... to run_ms or to here */
	bool		guarded;		/* option guard_column, see ots_guard.c */
	mcw_ots_name guard;
	McOtsSinkColumn *mark;		/* option delete_column, NULL = none */

	mcw_buf		row;
	mcw_ots_key key;			/* of the row being encoded; bytes in scratch */
	mcs_ots_writer *writer;
	McRejects	rejects;
	int64		seen;			/* rows handed to the sink */
	int64		missing;		/* rows that were gone, told as changed or deleted */

	/* rows that are waited for: tags base .. base + nfates - 1 */
	uint64		next_tag;
	uint64		base;
	int			nfates;
	int			maxfates;
	uint8	   *fates;
	TupleTableSlot **slots;		/* maxfates: those written, for the executor */
	mcw_buf		returned;		/* key the service chose, of the last row */

	/* found by the writer's callback */
	bool		out_of_memory;
	char	   *duplicate;		/* key of the first row that exists */
	McOtsRefused *refused;
	McOtsRefused **refused_tail;
	mcn_stats	before;			/* of the channel */
	McProgress	progress;
} McOtsSink;

/* ---- ots_sink.c ---- */

extern McOtsSink *mcOtsSinkCreate(ModifyTableState *mtstate, EState *estate, ResultRelInfo *rinfo, CmdType operation);
/* Encoded rows on their way; nothing is waited for but room */
extern void mcOtsSinkSend(McOtsSink *sink, mcw_ots_change kind, mcw_ots_existence existence, uint64 tag);
/* From here the fates of 'n' rows are kept */
extern void mcOtsSinkExpect(McOtsSink *sink, int n);
/* Send everything, wait for every answer, raise what has to be raised */
extern void mcOtsSinkFlush(McOtsSink *sink);
extern void mcOtsSinkEnd(McOtsSink *sink);
/* a row of this statement cannot be written: false = it is dropped, true = the value becomes NULL */
extern bool mcOtsSinkRefuse(McOtsSink *sink, const char *column, int sqlstate, const char *reason,
							mcw_view value, bool not_null, const char *hint);
extern bool mcOtsSinkNeedsFates(const McOtsSink *sink);
/* BatchWriteRow requests in flight */
extern int	mcOtsWriteConcurrency(const McServer *server);

/* ---- ots_encode.c: one row to a row change in sink->row and sink->key; false = rejected ---- */

extern bool mcOtsEncodeInsert(McOtsSink *sink, TupleTableSlot *slot, mcw_ots_change *kind, mcw_ots_existence *existence);
/* keys[] are the identity of the row; false with *nothing set: no cell changes */
extern bool mcOtsEncodeUpdate(McOtsSink *sink, TupleTableSlot *slot, const Datum *keys, const bool *nulls,
							  Datum old_rest, bool old_rest_null, bool *nothing);
extern bool mcOtsEncodeDelete(McOtsSink *sink, const Datum *keys, const bool *nulls);
/* McRejects.raw: the row that an INSERT is encoding, as JSON; NULL = none */
extern char *mcOtsRawRow(void *sink);

/* ---- ots_guard.c: option guard_column ---- */

/* before the columns are bound: what the options allow */
extern void mcOtsGuardInit(McOtsSink *sink, Relation rel);
/* afterwards */
extern void mcOtsGuardBind(McOtsSink *sink, Relation rel);
/* is this the guard?  Raises if the statement names it. */
extern bool mcOtsGuardIs(const McOtsSink *sink, const McOtsColumn *column, bool named);
/* the guard of the next change of the run as a cell of this row */
extern void mcOtsGuardPut(McOtsSink *sink, mcw_ots_writer *w, int64 version);

/* ---- ots_keep.c: row changes that wait until their statement has read everything ---- */

typedef struct McOtsKept McOtsKept;

/* does the statement read the table that it changes? */
extern bool mcOtsReadsTarget(EState *estate, const ResultRelInfo *rinfo, const McOtsSink *sink);
extern McOtsKept *mcOtsKeep(McOtsSink *sink, EState *estate);
extern void mcOtsKeepRow(McOtsKept *kept, TupleTableSlot *slot);	/* INSERT */
extern void mcOtsKeepChange(McOtsKept *kept, McOtsSink *sink);	/* what has been encoded */
extern TupleTableSlot *mcOtsKeptRow(McOtsKept *kept);
extern bool mcOtsKeptChange(McOtsKept *kept, McOtsSink *sink);
extern void mcOtsKeptEnd(McOtsKept *kept);

/* ---- ots_rest.c: the members of a jsonb as attribute columns ---- */

typedef struct McOtsRest
{
	McOtsSink  *sink;
	mcw_ots_writer *w;
	bool		deletes;		/* null deletes the column */
	int64		timestamp;
	bool		has_old;
	Datum		old;			/* UPDATE: the value before; only what differs is written */
	int			ncells;			/* written */
} McOtsRest;

/* reason why it cannot be written, or NULL; in CurrentMemoryContext */
extern const char *mcOtsPutRest(McOtsRest *rest, Datum jsonb);
/* delete the members of 'old' that 'now' lacks */
extern void mcOtsDropRest(McOtsRest *rest, Datum now, bool now_null);

#endif							/* MC_OTS_WRITE_H */
