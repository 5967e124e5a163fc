/*
 * ots.h
 *		Private to the ots_*.c files: columns of a Tablestore foreign table, pushed-down
 *		conditions, scan state.
 *
 * ots_stream_*.c (mode 'stream') have their own header, ots_stream.h; writing is in
 * ots_write.h.
 */
#ifndef MC_OTS_H
#define MC_OTS_H

#include "mc_fdw.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "../service/mcs_ots.h"
#include "async.h"
#include "progress.h"

/* ---- ots_column.c: what a column of the foreign table shows ---- */

typedef enum McOtsKind
{
	MC_OTS_KEY,					/* primary key column */
	MC_OTS_CELL,				/* attribute column */
	MC_OTS_REST,				/* field '*': jsonb of the attribute columns no other column shows */
	MC_OTS_ROW_VERSION,			/* __version__, row shape: newest cell version of the row; on write the version of its cells */
	/* shape 'cell' */
	MC_OTS_CELL_NAME,			/* __column__ */
	MC_OTS_CELL_VERSION,		/* __version__ */
	MC_OTS_CELL_TYPE,			/* __type__: INTEGER, DOUBLE, ... */
	MC_OTS_CELL_VALUE,			/* __value__ */
	/* mode 'stream' */
	MC_OTS_OP,					/* __op__ */
	MC_OTS_COMMIT_TIME,			/* __commit_time__ */
	MC_OTS_SEQUENCE,			/* __sequence__ */
	MC_OTS_SHARD,				/* __shard__ */
	MC_OTS_DELETED				/* __deleted__, row shape: attribute columns an update deleted */
} McOtsKind;

typedef struct McOtsColumn
{
	AttrNumber	attnum;
	McOtsKind	kind;
	char	   *name;			/* remote name, as the user wrote it */
	char	   *wire;			/* the same in UTF-8 */
	char	   *attname;
	int			key;			/* KEY: position in the primary key, from 0 */
	mcw_ots_type remote;		/* KEY, CELL: remote type by option "type" or by the local type */
	bool		any_type;		/* CELL, option type 'any': cells of every type are converted, no filter is pushed */
	bool		auto_increment;	/* KEY: filled in by mcOtsLiveTable */
	Oid			type;
	int32		typmod;
	Oid			collation;
	bool		not_null;
} McOtsColumn;

/* All live columns in order (McOtsColumn *); raises if the declaration makes no sense. */
extern List *mcOtsColumns(Relation rel);
extern McOtsColumn *mcOtsColumn(List *columns, AttrNumber attnum);
/* the i-th key column, NULL if there is none */
extern McOtsColumn *mcOtsKeyColumn(List *columns, int key);
extern int	mcOtsKeyCount(List *columns);
/* has the remote name a meaning of its own in some mode or shape? */
extern bool mcOtsIsSystemName(const char *name);
extern bool mcOtsIsStream(Oid relid);	/* mode 'stream' */
extern bool mcOtsIsCellShape(Oid relid);	/* shape 'cell' */
extern const char *mcOtsRemoteTable(Relation rel);	/* option "table" or the relation's name */

#define MC_OTS_SPLIT_SIZE ((int64) 32 << 20)	/* default of option split_size */

/* ---- ots_conn.c: one statement's access to an instance ---- */

typedef struct McOtsConn
{
	McServer   *server;
	MemoryContext cxt;			/* the channel ends with it */
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_ots		client;
	MemoryContextCallback callback;
} McOtsConn;

/* 'cxt' must live as long as every request on the connection */
extern McOtsConn *mcOtsConnect(McServer *server, MemoryContext cxt);
/*
 * The live table, in conn->cxt; remembered by the backend for the transaction and
 * some seconds.  Raises if the declared key is not the live one (missing column, wrong
 * order, wrong type); 'columns' NIL = do not compare.
 */
extern mcw_ots_table *mcOtsLiveTable(McOtsConn *conn, const char *table, List *columns);
/* forget what is remembered about this table (the service says it is not so any more) */
extern void mcOtsForgetTable(const McServer *server, const char *table);

/* ---- convert_ots_in.c: cells to Datums ---- */

typedef struct McOtsIn McOtsIn;

typedef enum McOtsVerdict
{
	MC_OTS_OK,
	MC_OTS_BAD
} McOtsVerdict;

typedef struct McOtsBad
{
	int			sqlstate;
	char	   *reason;			/* in CurrentMemoryContext; without the value */
} McOtsBad;

/* In CurrentMemoryContext.  kind KEY, CELL or CELL_VALUE. */
extern McOtsIn *mcOtsInCreate(const McOtsColumn *column, bool swallow);
/* value is not of type NONE.  Allocates in CurrentMemoryContext or points into the page. */
extern McOtsVerdict mcOtsIn(McOtsIn *in, const mcw_ots_value *value, Datum *datum, McOtsBad *bad);

/* ---- convert_ots_out.c: Datums to cells ---- */

typedef struct McOtsOut McOtsOut;

/* In CurrentMemoryContext: for a column, or for a comparand of another type compared with it (conditions) */
extern McOtsOut *mcOtsOutCreate(const McOtsColumn *column, Oid type);
/*
 * Not NULL.  Bytes are in CurrentMemoryContext or point into the datum.  Checks what
 * the service would refuse: NaN and infinity, lengths of keys and values, NUL is
 * allowed.  MC_OTS_BAD with reason.
 */
extern McOtsVerdict mcOtsOut(McOtsOut *out, Datum datum, mcw_ots_value *value, McOtsBad *bad);

/* ---- ots_qual.c, ots_range.c, ots_filter.c: what to read ---- */

/* Evaluated conditions: the ranges and keys of a scan; memory is the current context's */
typedef struct McOtsSelection
{
	bool		empty;			/* no row can qualify: no request is made */
	mcs_ots_range *ranges;		/* disjoint, in the order of the scan */
	int			nranges;
	mcw_ots_key *keys;			/* full keys, distinct, in the order of the scan */
	int			nkeys;
	mcw_view	filter;			/* serialized, empty = none */
	bool		has_time_range;	/* shape 'cell': conditions on __version__, milliseconds */
	int64		start_time;
	int64		end_time;
} McOtsSelection;

/*
 * Evaluate the conditions of a plan (MC_OTS_PRIVATE_QUALS, MC_OTS_PRIVATE_FILTER of
 * fdw_private); values[i], nulls[i] belong to the i-th expression of fdw_exprs.
 * ordered: keys and ranges may not be mixed (keys become ranges of one key).
 */
extern void mcOtsSelect(List *columns, List *fdw_private, const Datum *values, const bool *nulls,
						const Oid *types, int nvalues, McOtsSelection *selection);
/* "Key Range", "Keys" as text for EXPLAIN, of evaluated conditions */
extern char *mcOtsSelectionText(const McOtsSelection *selection);

/* ---- ots_plan.c ---- */

enum McOtsPrivate
{
	MC_OTS_PRIVATE_ATTRS,		/* list of int: attribute numbers to fill */
	MC_OTS_PRIVATE_QUALS,		/* key and version conditions, see ots_qual.c */
	MC_OTS_PRIVATE_FILTER,		/* pushed filter tree, see ots_filter.c; NIL = none */
	MC_OTS_PRIVATE_ORDERED,		/* Boolean: rows must come in key order */
	MC_OTS_PRIVATE_BACKWARD,	/* Boolean */
	MC_OTS_PRIVATE_EAGER,		/* Boolean: all rows will be wanted, as far as the plan tells */
	MC_OTS_PRIVATE_LIMIT		/* Integer: rows wanted at most when LIMIT is a constant and nothing is checked locally; 0 = all; -1 = few, not known how many */
};

extern void mcOtsGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void mcOtsGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *mcOtsGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
								 List *tlist, List *clauses, Plan *outer);

/* ---- ots_scan.c, ots_row.c: mode 'table' ---- */

typedef struct McOtsField
{
	const McOtsColumn *column;
	int			index;			/* of the attribute in the slot */
	int			at;				/* in values[] of the reader; -1 = made otherwise */
	McOtsIn    *in;				/* KEY, CELL, CELL_VALUE */
} McOtsField;

typedef struct McOtsScan
{
	McAsync		async;
	McServer   *server;
	McOtsConn  *conn;
	char	   *table;			/* remote name */
	char	   *wire_table;		/* the same in UTF-8 */
	char	   *relname;
	List	   *columns;
	List	   *fdw_private;
	List	   *expr_states;	/* of fdw_exprs */
	Oid		   *expr_types;
	int			nexprs;
	mcw_ots_table *live;
	bool		cell_shape;
	bool		unknown_error;	/* unknown_columns 'error' */
	int			max_versions;

	MemoryContext cxt;			/* of the statement */
	MemoryContext select_cxt;	/* conditions evaluated, reset by ReScan */
	MemoryContext row_cxt;
	MemoryContext cell_cxt;		/* shape 'cell': of one cell; row_cxt has the keys */
	MemoryContextCallback callback;

	/* what a row fills */
	int			nfields;		/* found by the reader */
	McOtsField *fields;
	int			nothers;		/* made otherwise: they walk the cells, so they come first */
	McOtsField *others;
	int			nvalues;		/* columns the reader finds: of the fields, then with unknown_error all others */
	int			nkey_values;	/* of them are key columns */
	mcw_view   *names;			/* of values[] */
	mcw_ots_value *values;
	mcw_view   *declared;		/* attribute columns that columns of the foreign table show */
	int			ndeclared;
	mcw_view   *get;			/* columns_to_get; nget 0 = all */
	int			nget;

	bool		started;
	bool		done;
	McOtsSelection selection;
	mcs_ots_scan *scan;
	mcs_ots_page *page;
	mcw_ots_reader *reader;
	mcw_ots_row row;
	size_t		cell_pos;		/* shape 'cell': where in the row we are */
	bool		in_row;			/* the row is valid; shape 'cell': it may have more cells */
	TupleTableSlot *slot;
	McRejects	rejects;
	McProgress	progress;
	int64		driven_at;		/* rows when the network was driven last */

	/* for EXPLAIN, of scans that are over */
	mcs_ots_scan_info total;
	int64		rows;			/* decoded */
	int64		scans;
	char	   *object;			/* instance.table, for CONTEXT */
	char		part[64];
	char		position[512];
} McOtsScan;

extern void mcOtsBegin(ForeignScanState *node, int eflags);
extern TupleTableSlot *mcOtsIterate(ForeignScanState *node);
extern void mcOtsReScan(ForeignScanState *node);
extern void mcOtsEnd(ForeignScanState *node);
extern void mcOtsPlace(const McOtsScan *scan, McPlace *place);
/* sums of this scan so far */
extern void mcOtsStatsNow(const McOtsScan *scan, mcs_ots_scan_info *info);

/* ots_row.c */
extern void mcOtsRowInit(McOtsScan *scan, TupleDesc desc);
extern void mcOtsStartPage(McOtsScan *scan);
/* next row of the page in scan->slot; false at the end of the page */
extern bool mcOtsNextRow(McOtsScan *scan);
/* the next row of the reader in scan->row, scan->values; false at the end of the page */
extern bool mcOtsReadRow(McOtsScan *scan);
/* true: drop the row; else the value becomes NULL.  May raise */
extern bool mcOtsBadCell(McOtsScan *scan, const McOtsColumn *column, const McOtsBad *bad, mcw_view value);
/* one value of the reader into the slot; false: drop the row */
extern bool mcOtsFill(McOtsScan *scan, const McOtsField *field);
/* a cell version in milliseconds as bigint or timestamptz */
extern Datum mcOtsVersion(int64 ms, Oid type);

/* ots_cell.c: shape 'cell' */
extern bool mcOtsNextCellRow(McOtsScan *scan);

/* ots_explain.c */
extern void mcOtsExplain(ForeignScanState *node, struct ExplainState *es);

/* ots_import.c */
extern List *mcOtsImport(ImportForeignSchemaStmt *stmt, Oid serverid);

/* ---- ots_stream.c: the same callbacks for mode 'stream'; ots_routine.c chooses ---- */

extern void mcOtsStreamGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void mcOtsStreamGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *mcOtsStreamGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
									   List *tlist, List *clauses, Plan *outer);
extern void mcOtsStreamBegin(ForeignScanState *node, int eflags);
extern TupleTableSlot *mcOtsStreamIterate(ForeignScanState *node);
extern void mcOtsStreamReScan(ForeignScanState *node);
extern void mcOtsStreamEnd(ForeignScanState *node);
extern void mcOtsStreamExplain(ForeignScanState *node, struct ExplainState *es);

#endif							/* MC_OTS_H */
