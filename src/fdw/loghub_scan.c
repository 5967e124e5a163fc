/*
 * loghub_scan.c
 *		Executing a LogHub scan: begin, rows, rescan, end.
 *
 * Rows come in a virtual slot of our own, which costs no heap tuple; its values stay
 * valid until the next row is asked for.  One page is held at a time; those behind
 * it are in the ring of mcs_scan.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "loghub.h"

/*
 * Runs in every ending: requests leave the loop before their memory goes.  What it
 * touches was allocated in the very context it is registered on.
 */
static void
release_scan(void *arg)
{
	McLogScan  *scan = arg;

	mcLogChainRelease(scan);
	if (scan->scan != NULL)
		mcs_scan_free(scan->scan);
	scan->scan = NULL;
	if (scan->channel != NULL)
		mcn_channel_free(scan->channel);
	scan->channel = NULL;
	mcAsyncRelease(&scan->async);
}

static bool
has_news(void *arg)
{
	McLogScan  *scan = arg;

	return scan->scan == NULL || mcs_scan_has_news(scan->scan);
}

static int64
seconds_option(const McServer *server, const char *name, bool round_up)
{
	int64		ms = mcServerOptionInt(server, name, -1);

	if (ms < 0)
		return -1;
	return (ms + (round_up ? 999 : 0)) / 1000;
}

static void
begin_scan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	McLogScan  *scan;
	MemoryContext cxt;
	MemoryContext old;

	cxt = AllocSetContextCreate(estate->es_query_cxt, "loghub scan", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	scan = palloc0(sizeof(McLogScan));
	scan->cxt = cxt;
	mcAsyncInit(&scan->async, has_news);
	scan->table = pstrdup(RelationGetRelationName(rel));
	scan->columns = mcLogColumns(rel);
	scan->quals = mcQualsFromList(list_nth(plan->fdw_private, MC_PRIVATE_QUALS), plan->fdw_exprs);
	scan->eager = intVal(list_nth(plan->fdw_private, MC_PRIVATE_EAGER)) != 0;
	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		MemoryContextSwitchTo(old);
		return;
	}

	scan->server = mcGetServer(MC_LOGHUB, GetForeignTable(RelationGetRelid(rel))->serverid,
							   mcScanUserId(node), RelationGetRelid(rel), true);
	scan->logstore = pstrdup(mcServerOption(scan->server, "logstore"));
	scan->delay = seconds_option(scan->server, "max_delay", true);
	scan->skew = seconds_option(scan->server, "max_clock_skew", true);
	scan->alloc = mcContextAlloc(cxt);
	scan->select_cxt = AllocSetContextCreate(cxt, "loghub window", ALLOCSET_SMALL_SIZES);
	scan->group_cxt = AllocSetContextCreate(cxt, "loghub group", ALLOCSET_SMALL_SIZES);
	scan->row_cxt = AllocSetContextCreate(cxt, "loghub row", ALLOCSET_SMALL_SIZES);
	scan->callback.func = release_scan;
	scan->callback.arg = scan;
	MemoryContextRegisterResetCallback(cxt, &scan->callback);
	mcProgressBegin(&scan->progress, cxt, RelationGetRelid(rel), false, NULL);
	scan->job = mcJob;
	scan->ordered = mcJob != NULL && mcJobOrdered(node);
	mcRejectsInit(&scan->rejects, scan->server);
	mcLogRowInit(scan, RelationGetDescr(rel), list_nth(plan->fdw_private, MC_PRIVATE_ATTRS));
	MemoryContextSwitchTo(old);
	/* expression states belong to the plan state */
	scan->expr_states = ExecInitExprList(plan->fdw_exprs, (PlanState *) node);
}

/* Once a page: what other sessions see */
static void
tell(McLogScan *scan)
{
	McLogStats	stats;
	McMoved		moved = {0};

	mcLogStatsNow(scan, &stats);
	moved.rows = stats.logs;
	moved.bytes = stats.bytes_compressed;
	moved.parts_done = stats.slices_done;
	moved.parts_total = stats.slices;
	if (scan->page != NULL && scan->page->cursor_time > 0)
		mcProgressPosition(scan->page->cursor_time * USECS_PER_SEC);
	mcProgressMoved(&scan->progress, &moved, mcn_channel_stats(scan->channel));
}

/* The next page of the present window: MCW_OK with scan->page NULL = not yet (only if !wait) */
static mcw_status
next_page(McLogScan *scan, bool wait)
{
	mcw_error	err;
	mcw_status	status;

	if (scan->page != NULL)
	{
		mcLogChainPageDone(scan);
		mcs_scan_release(scan->scan, scan->page);
		scan->page = NULL;
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = wait ? mcs_scan_next(scan->scan, &scan->page, &err)
			: mcs_scan_try(scan->scan, &scan->page, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status != MCW_OK && status != MCW_END)
		mcLogRaise(scan, &err);
	mcLogWindowResolved(scan);
	tell(scan);
	return status;
}

/* NULL when a row needs an answer that is not there yet (only if !wait); else a slot, empty at the end */
static TupleTableSlot *
next_row(ForeignScanState *node, bool wait)
{
	McLogScan  *scan = node->fdw_state;
	MemoryContext old = NULL;

	if (likely(scan->page != NULL))
	{
		if (likely(mcLogNextRow(scan)))
			return scan->slot;
	}
	ExecClearTuple(scan->slot);
	old = MemoryContextSwitchTo(scan->cxt);
	while (!scan->done)
	{
		mcw_status	status;

		if (scan->scan == NULL && !mcLogNextWindow(scan, node))
		{
			scan->done = true;
			break;
		}
		status = next_page(scan, wait);
		if (status == MCW_END)
		{
			mcLogWindowDone(scan);
			continue;
		}
		if (scan->page == NULL)
		{
			MemoryContextSwitchTo(old);
			return NULL;
		}
		scan->page_late = scan->stats.late_groups;
		scan->page_logs = scan->stats.logs;
		scan->page_time = 0;
		mcLogStartPage(scan);
		if (mcLogNextRow(scan))
			break;
	}
	MemoryContextSwitchTo(old);
	return scan->slot;
}

static TupleTableSlot *
iterate_scan(ForeignScanState *node)
{
	McLogScan  *scan = node->fdw_state;
	TupleTableSlot *slot = next_row(node, !scan->async.no_wait);

	scan->async.starved = slot == NULL;
	return slot != NULL ? slot : ExecClearTuple(scan->slot);
}

static void
rescan(ForeignScanState *node)
{
	McLogScan  *scan = node->fdw_state;

	if (!scan->started)
		return;
	mcLogWindowDone(scan);
	ExecClearTuple(scan->slot);
	scan->started = false;
	scan->done = false;
}

static void
end_scan(ForeignScanState *node)
{
	McLogScan  *scan = node->fdw_state;

	if (scan == NULL || scan->server == NULL)
		return;
	if (mcLogUnreadWindow(scan, node))
	{
		MemoryContext old = MemoryContextSwitchTo(scan->cxt);

		mcLogWindowUnread(scan, node);
		MemoryContextSwitchTo(old);
	}
	mcLogWindowDone(scan);
	/* once for all loops */
	mcRejectsReport(&scan->rejects, scan->table);
	ExecDropSingleTupleTableSlot(scan->slot);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}

/* A sample would mean reading the whole retention */
static bool
no_sample(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	return false;
}

void
mcLoghubScanRoutine(FdwRoutine *routine)
{
	routine->GetForeignRelSize = mcLogGetRelSize;
	routine->GetForeignPaths = mcLogGetPaths;
	routine->GetForeignPlan = mcLogGetPlan;
	routine->BeginForeignScan = begin_scan;
	routine->IterateForeignScan = iterate_scan;
	routine->ReScanForeignScan = rescan;
	routine->EndForeignScan = end_scan;
	routine->ExplainForeignScan = mcLogExplain;
	routine->AnalyzeForeignTable = no_sample;
	routine->ImportForeignSchema = mcLogImport;
	mcAsyncRoutine(routine);
}
