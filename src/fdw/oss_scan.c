/*
 * oss_scan.c
 *		Executing a scan of OSS objects: begin, rows, rescan, end.
 *
 * Nothing is asked of the service before the first row is asked for.  Rows come in a
 * virtual slot of our own; its values stay valid until the next row is asked for.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "job.h"
#include "oss_scan.h"
#include "oss_write.h"

/*
 * Runs whenever the context of a run ends, before the connection's own callback:
 * requests leave the loop before their memory goes.
 */
static void
release_run(void *arg)
{
	McOssRun   *run = arg;

	if (run->rows != NULL)
		mcOssRowsClose(run->rows);
	if (run->source != NULL)
		mcOssSourceClose(run->source);
	run->rows = NULL;
	run->source = NULL;
}

static void
release_scan(void *arg)
{
	mcAsyncRelease(arg);
}

static bool
has_news(void *arg)
{
	McOssScan  *scan = arg;

	return scan->run == NULL || mcOssRowsReady(scan->run->rows);
}

/* What EXPLAIN needs too */
static McOssScan *
make_scan(ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	rel = node->ss.ss_currentRelation;
	Oid			relid = RelationGetRelid(rel);
	MemoryContext cxt = AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "oss scan", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOssScan  *scan = palloc0(sizeof(McOssScan));
	List	   *quals = list_nth(plan->fdw_private, MC_OSS_PRIVATE_QUALS);

	scan->cxt = cxt;
	mcAsyncInit(&scan->async, has_news);
	scan->relname = pstrdup(RelationGetRelationName(rel));
	scan->server = mcGetServer(MC_OSS, GetForeignTable(relid)->serverid, mcScanUserId(node), relid, false);
	scan->table = mcOssTable(rel, scan->server);
	scan->quals = mcQualsFromList(quals, plan->fdw_exprs);
	scan->object_quals = list_copy_tail(plan->fdw_exprs, list_length(quals));
	scan->places = list_nth(plan->fdw_private, MC_OSS_PRIVATE_PLACES);
	scan->eager = intVal(list_nth(plan->fdw_private, MC_OSS_PRIVATE_EAGER)) != 0;
	MemoryContextSwitchTo(old);
	return scan;
}

static void
oss_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	rel = node->ss.ss_currentRelation;
	McOssScan  *scan = make_scan(node);
	List	   *values = list_truncate(list_copy(plan->fdw_exprs), list_length(scan->quals));
	MemoryContext old;

	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	old = MemoryContextSwitchTo(scan->cxt);
	scan->server = mcGetServer(MC_OSS, scan->server->serverid, scan->server->userid, scan->server->relid, true);
	scan->begun_at = mcOssWriteSequence();
	scan->alloc = mcContextAlloc(scan->cxt);
	scan->run_cxt = AllocSetContextCreate(scan->cxt, "oss run", ALLOCSET_DEFAULT_SIZES);
	scan->object_cxt = AllocSetContextCreate(scan->cxt, "oss object", ALLOCSET_SMALL_SIZES);
	scan->row_cxt = AllocSetContextCreate(scan->cxt, "oss row", ALLOCSET_SMALL_SIZES);
	scan->callback.func = release_scan;
	scan->callback.arg = scan;
	MemoryContextRegisterResetCallback(scan->cxt, &scan->callback);
	scan->conn = mcOssConnect(scan->server, scan->cxt);
	mcProgressBegin(&scan->progress, scan->cxt, RelationGetRelid(rel), false, NULL);
	mcRejectsInit(&scan->rejects, scan->server);
	mcOssRowInit(scan, RelationGetDescr(rel), list_nth(plan->fdw_private, MC_OSS_PRIVATE_ATTRS));
	/* makes what all runs use */
	mcOssChoose(scan->table, NIL, NULL, NULL, scan->object_quals, rel, (PlanState *) node, &scan->choice);
	MemoryContextSwitchTo(old);
	/* expression states belong to the plan state */
	scan->expr_states = ExecInitExprList(values, (PlanState *) node);
}

/* ---- a run ---- */

pg_noreturn static void
raise_failure(McOssScan *scan, const mcw_error *err)
{
	McPlace		place;
	const char *hint;
	int			sqlstate = 0;

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (scan->run->rows != NULL)
		sqlstate = mcOssRowsFailure(scan->run->rows, &scan->line);
	mcOssScanPlace(scan, &place);
	hint = mcw_rows_hint(err->message);
	if (err->status == MCW_ERR_LIMIT && scan->line > 0)
		hint = "Option \"max_record_size\" sets the limit; a quote that is never closed makes one record of many.";
	else if (err->status == MCW_ERR_FORMAT && hint == NULL && strstr(err->message, "does not begin as") != NULL)
		hint = "Option \"compression\" says how objects are compressed; 'auto' goes by the suffix of the key.";
	mcRaiseAs(sqlstate, hint, err, &place);
}

/* Objects of this transaction are visible only after its commit: the rows would be stale */
static void
refuse_changed_table(const McOssScan *scan)
{
	if (mcOssWriteChanged(scan->conn, scan->table, scan->begun_at))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot read \"%s\" after changing it in the same transaction", scan->relname),
				 errdetail("The changes reach OSS when the transaction commits."),
				 errhint("Commit first, or read before you write.")));
}

static void
start_run(McOssScan *scan, ForeignScanState *node)
{
	MemoryContext old;
	McOssRun   *run;
	Datum	   *values;
	bool	   *nulls;

	/* what the run before has chosen stayed for EXPLAIN */
	MemoryContextReset(scan->run_cxt);
	old = MemoryContextSwitchTo(scan->run_cxt);
	run = palloc0(sizeof(McOssRun));
	refuse_changed_table(scan);
	mcQualsEvaluate(scan->expr_states, node->ss.ps.ps_ExprContext, &values, &nulls);
	mcOssChoose(scan->table, scan->quals, values, nulls, scan->object_quals, node->ss.ss_currentRelation,
				(PlanState *) node, &scan->choice);
	scan->choice.ledger = scan->choice.empty ? NULL :
		mcOssLedgerOpen(scan->conn, scan->table, &scan->choice, scan->quals, values, nulls, scan->object_quals, scan->places);
	scan->started = true;
	scan->object_number = 0;
	if (scan->choice.empty)
		scan->done = true;
	else
	{
		scan->runs++;
		run->callback.func = release_run;
		run->callback.arg = run;
		MemoryContextRegisterResetCallback(scan->run_cxt, &run->callback);
		run->source = mcOssSourceOpen(scan->conn, scan->table, &scan->choice, scan->run_cxt);
		run->rows = mcOssRowsOpen(scan->conn, scan->table, scan->needed, run->source, scan->eager, scan->run_cxt);
		scan->run = run;
	}
	MemoryContextSwitchTo(old);
}

static void
add_figures(McOssSourceStats *listed, McOssRowsStats *read, const McOssSourceStats *l, const McOssRowsStats *r)
{
	listed->listed += l->listed;
	listed->taken += l->taken;
	listed->pruned += l->pruned;
	listed->passed_over += l->passed_over;
	listed->pages += l->pages;
	listed->waiting = l->waiting;
	read->objects += r->objects;
	read->records += r->records;
	read->bytes += r->bytes;
	read->decoded += r->decoded;
	read->stalls += r->stalls;
	read->codecs |= r->codecs;
}

void
mcOssScanStats(const McOssScan *scan, McOssSourceStats *listed, McOssRowsStats *read)
{
	McOssSourceStats source;
	McOssRowsStats rows;

	*listed = scan->listed;
	*read = scan->read;
	if (scan->run == NULL)
		return;
	mcOssSourceStats(scan->run->source, &source);
	mcOssRowsStats(scan->run->rows, &rows);
	add_figures(listed, read, &source, &rows);
}

void
mcOssScanTell(McOssScan *scan)
{
	McOssSourceStats listed;
	McOssRowsStats read;
	McMoved		moved = {0};

	mcOssScanStats(scan, &listed, &read);
	moved.rows = read.records;
	moved.bytes = read.bytes;
	/* the one that was begun last is being read */
	moved.parts_done = scan->run != NULL ? Max(read.objects - 1, 0) : read.objects;
	moved.parts_total = listed.taken + (scan->run != NULL ? listed.waiting : 0);
	mcProgressMoved(&scan->progress, &moved, mcn_channel_stats(scan->conn->channel));
}

static void
finish_run(McOssScan *scan)
{
	mcOssScanStats(scan, &scan->listed, &scan->read);
	if (scan->run != NULL)
		release_run(scan->run);
	scan->run = NULL;
}

/* ---- rows ---- */

/* The scan's next row or its end; NULL if none is there yet and 'wait' is false */
static TupleTableSlot *
next_row(ForeignScanState *node, bool wait)
{
	McOssScan  *scan = node->fdw_state;
	mcw_error	err;
	mcw_status	status;
	bool		pending = false;

	if (unlikely(!scan->started))
		start_run(scan, node);
	if (unlikely(scan->done))
		return ExecClearTuple(scan->slot);
	while (unlikely((status = mcOssNextRow(scan, wait, &pending, &err)) == MCW_ERR_INTERRUPTED))
		CHECK_FOR_INTERRUPTS();
	if (likely(status == MCW_OK && !pending))
		return scan->slot;
	if (pending)
		return NULL;
	if (status != MCW_END)
		raise_failure(scan, &err);
	finish_run(scan);
	mcOssScanTell(scan);
	scan->done = true;
	return scan->slot;
}

static TupleTableSlot *
oss_iterate(ForeignScanState *node)
{
	McOssScan  *scan = node->fdw_state;
	TupleTableSlot *slot = next_row(node, !scan->async.no_wait);

	scan->async.starved = slot == NULL;
	return slot != NULL ? slot : ExecClearTuple(scan->slot);
}

static void
oss_rescan(ForeignScanState *node)
{
	McOssScan  *scan = node->fdw_state;

	if (!scan->started)
		return;
	ExecClearTuple(scan->slot);
	finish_run(scan);
	scan->started = false;
	scan->done = false;
}

/* What the run of a job counts */
static void
count(const McOssScan *scan)
{
	McOssSourceStats listed;
	McOssRowsStats read;

	if (mcJob == NULL)
		return;
	mcOssScanStats(scan, &listed, &read);
	mcJob->rows_in += read.records;
	mcJobCount(mcn_channel_stats(scan->conn->channel), NULL, false);
}

static void
oss_end(ForeignScanState *node)
{
	McOssScan  *scan = node->fdw_state;

	if (scan == NULL || scan->conn == NULL)
		return;
	count(scan);
	/* once for all loops */
	mcRejectsReport(&scan->rejects, scan->relname);
	ExecDropSingleTupleTableSlot(scan->slot);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}

/* A sample would mean reading all objects */
static bool
oss_analyze(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	return false;
}

void
mcOssRoutine(FdwRoutine *routine)
{
	mcOssPlanRoutine(routine);
	mcOssExplainRoutine(routine);
	routine->BeginForeignScan = oss_begin;
	routine->IterateForeignScan = oss_iterate;
	routine->ReScanForeignScan = oss_rescan;
	routine->EndForeignScan = oss_end;
	routine->AnalyzeForeignTable = oss_analyze;
	mcAsyncRoutine(routine);
}
