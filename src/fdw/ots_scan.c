/*
 * ots_scan.c
 *		Executing a scan of a Tablestore table: begin, rows, rescan, end.
 *
 * Nothing is asked of the service before the first row is asked for.  Rows come in a
 * virtual slot of our own; its values stay valid until the next row is asked for.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "convert_text.h"
#include "job.h"
#include "ots.h"

#define FIRST_REQUESTS 4		/* of a scan that will be read whole */
#define FEW_ROWS 200			/* asked for first if few will be wanted; doubled with each request */

/*
 * Runs in every ending, before the connection's own callback: requests leave the loop
 * before their memory goes.  What it touches is in the very context it is registered on.
 */
static void
release_scan(void *arg)
{
	McOtsScan  *scan = arg;

	if (scan->scan != NULL)
		mcs_ots_scan_free(scan->scan);
	scan->scan = NULL;
	mcAsyncRelease(&scan->async);
}

static bool
has_news(void *arg)
{
	McOtsScan  *scan = arg;

	return scan->scan == NULL || mcs_ots_scan_has_news(scan->scan);
}

static int
max_versions(const McOtsScan *scan)
{
	if (!scan->cell_shape)
		return 1;
	return (int) mcServerOptionInt(scan->server, "max_versions", PG_INT32_MAX);
}

/* What EXPLAIN needs too */
static McOtsScan *
make_scan(ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	rel = node->ss.ss_currentRelation;
	MemoryContext cxt = AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "tablestore scan",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOtsScan  *scan = palloc0(sizeof(McOtsScan));
	ListCell   *lc;

	scan->cxt = cxt;
	mcAsyncInit(&scan->async, has_news);
	scan->relname = pstrdup(RelationGetRelationName(rel));
	scan->table = pstrdup(mcOtsRemoteTable(rel));
	scan->wire_table = pg_server_to_any(scan->table, strlen(scan->table), PG_UTF8);
	scan->columns = mcOtsColumns(rel);
	scan->cell_shape = mcOtsIsCellShape(RelationGetRelid(rel));
	scan->fdw_private = plan->fdw_private;
	scan->expr_types = palloc(sizeof(Oid) * (list_length(plan->fdw_exprs) + 1));
	foreach(lc, plan->fdw_exprs)
		scan->expr_types[scan->nexprs++] = exprType((Node *) lfirst(lc));
	MemoryContextSwitchTo(old);
	return scan;
}

void
mcOtsBegin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	rel = node->ss.ss_currentRelation;
	McOtsScan  *scan = make_scan(node);
	MemoryContext old;

	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	old = MemoryContextSwitchTo(scan->cxt);
	scan->server = mcGetServer(MC_TABLESTORE, GetForeignTable(RelationGetRelid(rel))->serverid,
							   mcScanUserId(node), RelationGetRelid(rel), true);
	scan->object = psprintf("%s.%s", scan->server->instance, scan->table);
	scan->max_versions = max_versions(scan);
	scan->unknown_error = mcServerOptionIs(scan->server, "unknown_columns", "error");
	scan->conn = mcOtsConnect(scan->server, scan->cxt);
	scan->select_cxt = AllocSetContextCreate(scan->cxt, "tablestore conditions", ALLOCSET_SMALL_SIZES);
	scan->row_cxt = AllocSetContextCreate(scan->cxt, "tablestore row", ALLOCSET_SMALL_SIZES);
	scan->cell_cxt = AllocSetContextCreate(scan->cxt, "tablestore cell", ALLOCSET_SMALL_SIZES);
	scan->callback.func = release_scan;
	scan->callback.arg = scan;
	MemoryContextRegisterResetCallback(scan->cxt, &scan->callback);
	mcRejectsInit(&scan->rejects, scan->server);
	mcProgressBegin(&scan->progress, scan->cxt, RelationGetRelid(rel), false, NULL);
	mcOtsRowInit(scan, RelationGetDescr(rel));
	MemoryContextSwitchTo(old);
	/* expression states belong to the plan state */
	scan->expr_states = ExecInitExprList(plan->fdw_exprs, (PlanState *) node);
}

/* ---- a scan of the service ---- */

pg_noreturn static void
raise_failure(McOtsScan *scan, const mcw_error *err)
{
	McPlace		place;

	if (err->status == MCW_ERR_SERVICE &&
		(pg_strcasecmp(err->code, "OTSObjectNotExist") == 0 || pg_strcasecmp(err->code, "OTSInvalidPK") == 0 ||
		 pg_strcasecmp(err->code, "OTSMetaNotMatch") == 0))
		mcOtsForgetTable(scan->server, scan->table);
	scan->in_row = false;
	mcOtsPlace(scan, &place);
	if (scan->scan != NULL && mcs_ots_scan_failed_at(scan->scan)[0] != '\0')
		place.position = psprintf("key %s", mcShownName(mcw_str(mcs_ots_scan_failed_at(scan->scan))));
	mcRaise(err, &place);
}

/* Evaluated in the context of the selection, where by-reference results stay */
static void
select_rows(McOtsScan *scan, ForeignScanState *node)
{
	MemoryContext old = MemoryContextSwitchTo(scan->select_cxt);
	Datum	   *values = palloc(sizeof(Datum) * (scan->nexprs + 1));
	bool	   *nulls = palloc(sizeof(bool) * (scan->nexprs + 1));
	ListCell   *lc;
	int			i = 0;

	foreach(lc, scan->expr_states)
	{
		values[i] = ExecEvalExpr((ExprState *) lfirst(lc), node->ss.ps.ps_ExprContext, &nulls[i]);
		i++;
	}
	memset(&scan->selection, 0, sizeof(scan->selection));
	mcOtsSelect(scan->columns, scan->fdw_private, values, nulls, scan->expr_types, scan->nexprs, &scan->selection);
	MemoryContextSwitchTo(old);
}

static void
open_scan(McOtsScan *scan)
{
	const McOtsSelection *selection = &scan->selection;
	int64		limit = intVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_LIMIT));
	bool		eager = boolVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_EAGER));
	mcs_ots_scan_spec spec = {
		.columns = scan->get,
		.ncolumns = scan->nget,
		/* rows that would be rejected have to come */
		.filter = scan->rejects.on_error == MC_ON_ERROR_REJECT ? mcw_str("") : selection->filter,
		.max_versions = scan->max_versions,
		.has_time_range = selection->has_time_range,
		.start_time = selection->start_time,
		.end_time = selection->end_time,
		.ranges = selection->ranges,
		.nranges = selection->nranges,
		.keys = selection->keys,
		.nkeys = selection->nkeys,
		.ordered = boolVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_ORDERED)),
		.backward = boolVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_BACKWARD)),
		.concurrency = scan->server->concurrency,
		.first_requests = 1,
	};
	mcw_error	err;

	spec.table = mcw_str(scan->wire_table);
	spec.schema = &scan->live->schema;
	if (limit > 0)
		spec.row_limit = (int32) Min(limit, PG_INT32_MAX);
	else if (limit < 0)
		spec.row_limit = FEW_ROWS;
	else if (eager)
		spec.first_requests = Min(FIRST_REQUESTS, scan->server->concurrency);
	/* a few rows, and each of many short scans, are not worth asking where to cut */
	if (limit <= 0 && scan->scans == 0 && selection->nranges > 0)
		spec.split_size = mcServerOptionInt(scan->server, "split_size", MC_OTS_SPLIT_SIZE);
	scan->scan = mcs_ots_scan_create(&scan->conn->client, &spec, &err);
	if (scan->scan == NULL)
		raise_failure(scan, &err);
}

static void
start_scan(McOtsScan *scan, ForeignScanState *node)
{
	scan->started = true;
	select_rows(scan, node);
	if (scan->selection.empty)
	{
		scan->done = true;
		return;
	}
	if (scan->live == NULL)
		scan->live = mcOtsLiveTable(scan->conn, scan->table, scan->columns);
	open_scan(scan);
	scan->scans++;
}

static void
add_info(mcs_ots_scan_info *sum, const mcs_ots_scan_info *more)
{
	sum->splits += more->splits;
	sum->splits_done += more->splits_done;
	sum->split_asked |= more->split_asked;
	sum->pages += more->pages;
	sum->empty_pages += more->empty_pages;
	sum->keys_asked += more->keys_asked;
	sum->bytes += more->bytes;
	sum->stalls += more->stalls;
}

void
mcOtsStatsNow(const McOtsScan *scan, mcs_ots_scan_info *info)
{
	*info = scan->total;
	if (scan->scan != NULL)
		add_info(info, mcs_ots_scan_get_info(scan->scan));
}

static void
finish_scan(McOtsScan *scan)
{
	scan->in_row = false;
	scan->page = NULL;
	if (scan->scan == NULL)
		return;
	add_info(&scan->total, mcs_ots_scan_get_info(scan->scan));
	mcs_ots_scan_free(scan->scan);
	scan->scan = NULL;
}

/* Once a page: what other sessions see */
static void
tell(McOtsScan *scan)
{
	mcs_ots_scan_info info;
	McMoved		moved = {0};

	mcOtsStatsNow(scan, &info);
	moved.rows = scan->rows;
	moved.bytes = info.bytes;
	moved.parts_done = info.splits_done;
	moved.parts_total = info.splits;
	mcProgressMoved(&scan->progress, &moved, mcn_channel_stats(scan->conn->channel));
}

/* The next page: false at the end; true with scan->page NULL = not yet (only if !wait) */
static bool
next_page(McOtsScan *scan, bool wait)
{
	mcw_error	err;
	mcw_status	status;

	if (scan->page != NULL)
		mcs_ots_scan_release(scan->scan, scan->page);
	scan->page = NULL;
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = wait ? mcs_ots_scan_next(scan->scan, &scan->page, &err)
			: mcs_ots_scan_try(scan->scan, &scan->page, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	tell(scan);
	if (status == MCW_END)
		return false;
	if (status != MCW_OK)
		raise_failure(scan, &err);
	return true;
}

/* ---- rows ---- */

/* The scan's next row or its end; NULL if none is there yet and 'wait' is false */
static TupleTableSlot *
next_row(ForeignScanState *node, bool wait)
{
	McOtsScan  *scan = node->fdw_state;
	MemoryContext old;

	if (likely(scan->page != NULL) && likely(mcOtsNextRow(scan)))
		return scan->slot;

	ExecClearTuple(scan->slot);
	old = MemoryContextSwitchTo(scan->cxt);
	if (!scan->started)
		start_scan(scan, node);
	while (!scan->done)
	{
		if (!next_page(scan, wait))
		{
			finish_scan(scan);
			scan->done = true;
			break;
		}
		if (scan->page == NULL)
		{
			MemoryContextSwitchTo(old);
			return NULL;
		}
		mcOtsStartPage(scan);
		if (mcOtsNextRow(scan))
			break;
	}
	MemoryContextSwitchTo(old);
	return scan->slot;
}

TupleTableSlot *
mcOtsIterate(ForeignScanState *node)
{
	McOtsScan  *scan = node->fdw_state;
	TupleTableSlot *slot = next_row(node, !scan->async.no_wait);

	scan->async.starved = slot == NULL;
	return slot != NULL ? slot : ExecClearTuple(scan->slot);
}

void
mcOtsReScan(ForeignScanState *node)
{
	McOtsScan  *scan = node->fdw_state;

	if (!scan->started)
		return;
	finish_scan(scan);
	ExecClearTuple(scan->slot);
	MemoryContextReset(scan->select_cxt);
	scan->started = false;
	scan->done = false;
}

/* What the run of a job counts */
static void
count(const McOtsScan *scan)
{
	if (mcJob == NULL)
		return;
	mcJob->rows_in += scan->rows;
	mcJob->read_cu += scan->conn->client.read_units;
	mcJob->write_cu += scan->conn->client.write_units;
	mcJobCount(mcn_channel_stats(scan->conn->channel), NULL, false);
}

void
mcOtsEnd(ForeignScanState *node)
{
	McOtsScan  *scan = node->fdw_state;

	if (scan == NULL || scan->server == NULL)
		return;
	count(scan);
	/* once for all loops */
	mcRejectsReport(&scan->rejects, scan->relname);
	ExecDropSingleTupleTableSlot(scan->slot);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}
