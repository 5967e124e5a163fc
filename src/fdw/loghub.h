/*
 * loghub.h
 *		Private to the loghub_*.c files: columns, pushed-down conditions, scan state.
 */
#ifndef MC_LOGHUB_H
#define MC_LOGHUB_H

#include "mc_fdw.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "../service/mcs_loghub.h"
#include "../wire/mcw_sls.h"
#include "async.h"
#include "convert_text.h"
#include "job.h"
#include "loghub_group.h"
#include "progress.h"
#include "qual.h"

/* ---- loghub_column.c: what a column of the foreign table shows ---- */

typedef enum McLogKind
{
	MC_LOG_FIELD,				/* a content of the log */
	MC_LOG_REST,				/* all contents that no other column shows */
	MC_LOG_TIME,				/* the log's own time */
	MC_LOG_TIME_NS,
	MC_LOG_RECEIVE_TIME,
	MC_LOG_TOPIC,
	MC_LOG_SOURCE,
	MC_LOG_CATEGORY,
	MC_LOG_MACHINE_UUID,
	MC_LOG_TAG,
	MC_LOG_SHARD,
	MC_LOG_CURSOR,
	MC_LOG_HASH_KEY				/* only written: the service does not tell it */
} McLogKind;

typedef struct McLogColumn
{
	AttrNumber	attnum;
	McLogKind	kind;
	char	   *name;			/* remote name; of a tag without "__tag__:" */
	char	   *wire;			/* the same in UTF-8, as the service has it */
	char	   *attname;
	Oid			type;
	int32		typmod;
	bool		not_null;
} McLogColumn;

/* All live columns of the table, in order; raises if a type does not fit. Elements are McLogColumn *. */
extern List *mcLogColumns(Relation rel);
extern const McLogColumn *mcLogColumn(List *columns, AttrNumber attnum);
/* the remote name of a column (option field, else its own) and what it means */
extern McLogKind mcLogKindOf(const char *remote, const char **name);

/* ---- loghub_conn.c ---- */

/* 'alloc' outlives the channel, which the caller frees (reset callback) */
extern void mcLogConnect(const McServer *server, const mcw_alloc *alloc, mcn_channel **channel, mcs_loghub *client);
/* an answer has corrected the client's clock: the session's next statements begin with it */
extern void mcLogRememberClock(const McServer *server, const mcs_loghub *client);

/* ---- loghub_qual.c: conditions that choose the window and the shards ---- */

typedef enum McLogQualKind
{
	MC_QUAL_RECEIVE,			/* exact, removed from the local conditions */
	MC_QUAL_TIME,				/* on the log's own time: only narrows, stays local */
	MC_QUAL_SHARD				/* exact, removed */
} McLogQualKind;

/* Does this clause narrow the scan?  'self' is the relid of the foreign table. */
extern bool mcLogMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, List *columns,
						   bool derive, McQual *qual);
typedef struct McLogSelection
{
	McWindow   *windows;		/* sorted, disjoint; none = no rows */
	int			nwindows;
	int		   *shards;			/* NULL = all */
	int			nshards;
	bool		bounded;		/* a condition on the receive time, or one derived */
} McLogSelection;

/* Evaluate: values[i], nulls[i] belong to the i-th condition.  delay and skew in seconds, -1 = not known. */
extern void mcLogSelect(List *quals, const Datum *values, const bool *nulls,
						int64 delay, int64 skew, McLogSelection *selection);

/* ---- the scan ---- */

enum McLogPrivate
{
	MC_PRIVATE_ATTRS,			/* list of int: attribute numbers to fill */
	MC_PRIVATE_QUALS,			/* see mcQualsToList */
	MC_PRIVATE_EAGER			/* Integer: all rows will be wanted, as far as the plan tells */
};

typedef struct McLogStats
{
	int64		windows;
	int64		shards;			/* of the window that had most */
	int64		late_shards;
	int64		slices;
	int64		slices_done;
	int64		pages;
	int64		groups;
	int64		logs;
	int64		bytes_compressed;
	int64		bytes_raw;
	int64		stalls;
	int64		late_groups;	/* received before the window's begin, inside it by position */
} McLogStats;

typedef struct McLogField
{
	const McLogColumn *column;
	int			index;			/* of the attribute in the slot */
	McTextColumn text;			/* how its bytes become a value */
	/* group fields: the value of the present group */
	Datum		value;
	bool		isnull;
	bool		bad;			/* cannot be converted: judged for each row */
	McTextError error;
	mcw_view	bytes;
} McLogField;

/* What was announced once; the same NOTICE is not repeated for each window or loop */
#define MC_NOTICED_UNBOUNDED	1
#define MC_NOTICED_FUTURE		2
#define MC_NOTICED_SETTLING		4
#define MC_NOTICED_CLAMPED		8
#define MC_NOTICED_NOT_CHAINED	16

/* What a scan has seen of a shard of its run */
typedef struct McLogCounted
{
	int64		late;
	int64		rows;
	int64		max_time;
} McLogCounted;

typedef struct McLogScan
{
	McAsync		async;
	McServer   *server;
	char	   *table;
	char	   *logstore;
	List	   *columns;		/* McLogColumn *, of the table */
	List	   *quals;			/* McQual *, of McLogQualKind */
	List	   *expr_states;
	bool		eager;			/* MC_PRIVATE_EAGER */
	int64		delay;			/* max_delay in seconds; -1 = not declared */
	int64		skew;			/* max_clock_skew */

	/* life time: the statement */
	MemoryContext cxt;			/* everything that the callback needs is in here */
	MemoryContext select_cxt;	/* windows and shards, reset by ReScan */
	MemoryContext group_cxt;	/* values that all logs of a group share */
	MemoryContext row_cxt;
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_loghub	client;
	MemoryContextCallback callback;

	/* columns by how often they change */
	int			nfields;		/* contents: found by the reader */
	McLogField *fields;
	mcw_view   *values;
	int			nlog;			/* other values of a log */
	McLogField *log;
	int			ngroup;			/* values of a group, page or shard */
	McLogField *group;
	bool		group_bad;		/* some group field is */
	bool		want_receive;
	mcw_view   *declared;		/* names that '*' leaves out */
	int			ndeclared;

	/* where we are */
	bool		started;
	bool		done;
	int			noticed;
	McLogSelection selection;
	int			next_window;
	McWindow	window;			/* as resolved by the service's clock and retention */
	bool		resolved;
	mcs_scan   *scan;
	mcs_page   *page;
	mcw_sls_reader *reader;
	mcw_sls_group log_group;
	bool		in_group;
	int64		driven_at;		/* stats.logs when the network was last looked at */
	TupleTableSlot *slot;
	McRejects	rejects;
	McLogStats	stats;			/* of windows that are done */
	McProgress	progress;

	/* in the run of a job, loghub_chain.c */
	McJobRun   *job;			/* NULL = in none */
	bool		ordered;		/* the rows' target wants them in order */
	bool		selected;		/* 'selection' was made */
	bool		chained;		/* the present or last window was */
	struct mcs_chain *chain;	/* while positions are being fixed */
	const struct McLogFixed *fixed; /* what is being read; NULL = a window by time */
	McLogCounted *counted;		/* of each of its ranges */
	int64		page_late;		/* stats at the begin of the page */
	int64		page_logs;
	int64		page_time;		/* largest time of its logs so far */
	char		part[32];		/* for CONTEXT */
	char		position[160];
} McLogScan;

/* loghub_window.c: from conditions to windows, one mcs_scan for each */
extern bool mcLogNextWindow(McLogScan *scan, ForeignScanState *node);	/* false: no more */
extern void mcLogWindowUnread(McLogScan *scan, ForeignScanState *node);	/* at the end of a scan that was never begun */
extern void mcLogWindowResolved(McLogScan *scan);	/* once its first page or its end is there */
extern void mcLogWindowDone(McLogScan *scan);
extern void mcLogStatsNow(const McLogScan *scan, McLogStats *stats);
extern void mcLogRaise(McLogScan *scan, const mcw_error *err);

/* loghub_chain.c: positions of a job's windows */
/* Why the selected window is read by time; NULL = it is the window of the run and is chained */
extern const char *mcLogNotChained(const McLogScan *scan);
/* Fix the positions unless another scan of the run has, and tell what to read */
extern void mcLogChain(McLogScan *scan, mcs_scan_spec *spec);
extern void mcLogChainPageDone(McLogScan *scan);	/* before the page is released */
extern void mcLogChainDone(McLogScan *scan);	/* with the window, or what was read of it */
extern void mcLogChainRelease(McLogScan *scan);
extern bool mcLogUnreadWindow(McLogScan *scan, ForeignScanState *node);

/* loghub_row.c: from logs to values */
extern void mcLogRowInit(McLogScan *scan, TupleDesc desc, List *attrs);
extern void mcLogStartPage(McLogScan *scan);
/* Advance to the next row of the page in scan->slot; false at the end of the page */
extern bool mcLogNextRow(McLogScan *scan);

/* loghub_plan.c */
extern void mcLogGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void mcLogGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *mcLogGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
								 List *tlist, List *clauses, Plan *outer);

/* loghub_explain.c */
extern void mcLogExplain(ForeignScanState *node, struct ExplainState *es);

/* loghub_import.c */
/* SQL type for the type of an index field */
extern const char *mcLogLocalType(mcw_view type);
extern List *mcLogImport(ImportForeignSchemaStmt *stmt, Oid serverid);

#endif							/* MC_LOGHUB_H */
