/*
 * oss_scan.h
 *		State of a scan of OSS objects.  Private to oss_{scan,row,explain}.c.
 */
#ifndef MC_OSS_SCAN_H
#define MC_OSS_SCAN_H

#include "convert_json.h"
#include "oss.h"
#include "progress.h"

typedef struct McOssField
{
	const McOssColumn *column;
	int			at;				/* in the record */
	int			index;			/* of the attribute in the slot */
	bool		json;			/* a JSON value as it stands: strings are quoted again */
	McJsonColumn *parts;		/* jsonl: array or composite from a JSON array or object; else NULL */
	McTextColumn text;			/* how its bytes become a value */
} McOssField;

/* A column that is the same for all rows of an object */
typedef struct McOssConstant
{
	const McOssColumn *column;
	McTextColumn text;
	Datum		value;
	bool		isnull;
	bool		bad;			/* cannot be converted: judged for each row */
	McTextError error;
	mcw_view	bytes;			/* what cannot */
} McOssConstant;

/* One execution: everything that a rescan begins anew, in a context of its own */
typedef struct McOssRun
{
	McOssSource *source;
	McOssRows  *rows;
	MemoryContextCallback callback;
} McOssRun;

typedef struct McOssScan
{
	McAsync		async;
	McServer   *server;
	McOssTable *table;
	char	   *relname;
	List	   *quals;			/* McQual */
	List	   *object_quals;	/* Expr */
	List	   *places;			/* see MC_OSS_PRIVATE_PLACES */
	List	   *expr_states;	/* of 'quals' */
	bool		eager;

	/* life time: the statement */
	MemoryContext cxt;
	MemoryContext run_cxt;		/* reset when a run begins */
	MemoryContext object_cxt;	/* values of the present object */
	MemoryContext row_cxt;
	mcw_alloc	alloc;
	McOssConn  *conn;
	McOssChoice choice;
	MemoryContextCallback callback;

	/* columns */
	bool	   *needed;			/* for mcOssRowsOpen */
	int			nfields;
	McOssField *fields;
	int			nconstants;
	McOssConstant *constants;
	int			nbad;			/* constants of the present object that are bad */
	int			line_index;		/* of __line__ in the slot, -1 = not wanted */
	mcw_view   *parts;
	mcw_buf		scratch;
	bool		by_member;		/* jsonl: fields are found by name in each record */
	bool		missing_error;	/* ... and an absent one is an error */
	bool		utf8;			/* verified bytes are text of the database */

	/* where we are */
	int64		begun_at;		/* writes of the transaction before this statement */
	bool		started;
	bool		done;
	McOssRun   *run;			/* NULL = nothing is open */
	int64		object_number;	/* whose constants are in the slot, 0 = none */
	int			expected;		/* fields of a record, -1 = any */
	int64		driven_at;		/* records when the network was last looked at */
	int64		records;		/* of all runs */
	uint64		line;			/* of the present record, 0 = none */
	TupleTableSlot *slot;
	McRejects	rejects;
	McProgress	progress;
	const mcw_record *record;	/* being converted */

	/* figures of runs that are over */
	int			runs;
	McOssSourceStats listed;
	McOssRowsStats read;
} McOssScan;

/* now and then: what other sessions see */
extern void mcOssScanTell(McOssScan *scan);

/* oss_row.c: from records to values */
extern void mcOssRowInit(McOssScan *scan, TupleDesc desc, List *attrs);
/*
 * The next row in scan->slot: MCW_OK, MCW_END (with *pending: not yet, only if !wait),
 * or a failure of the pipeline.
 */
extern mcw_status mcOssNextRow(McOssScan *scan, bool wait, bool *pending, mcw_error *err);
/* object, line; memory is CurrentMemoryContext */
extern void mcOssScanPlace(const McOssScan *scan, McPlace *place);

/* oss_scan.c: figures of all runs, the present one included */
extern void mcOssScanStats(const McOssScan *scan, McOssSourceStats *listed, McOssRowsStats *read);

#endif							/* MC_OSS_SCAN_H */
