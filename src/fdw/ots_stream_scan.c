/*
 * ots_stream_scan.c
 *		Executing a scan of a change stream: begin, rows, rescan, end.
 *
 * Rows come in a virtual slot of our own; its values stay valid until the next row is
 * asked for.  One page is held at a time.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "ots_stream.h"

/* Runs in every ending: requests leave the loop before their memory and the channel go */
static void
release_scan(void *arg)
{
	McStreamScan *scan = arg;

	if (scan->scan != NULL)
		mcs_ots_stream_free(scan->scan);
	scan->scan = NULL;
	if (scan->reader != NULL)
		mcw_ots_reader_free(scan->reader);
	scan->reader = NULL;
}

void
mcOtsStreamBegin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	Oid			relid = RelationGetRelid(rel);
	const char *unknown;
	McStreamScan *scan;
	MemoryContext cxt;
	MemoryContext old;

	cxt = AllocSetContextCreate(estate->es_query_cxt, "tablestore stream", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	scan = palloc0(sizeof(McStreamScan));
	scan->cxt = cxt;
	scan->relname = pstrdup(RelationGetRelationName(rel));
	scan->table = pstrdup(mcOtsRemoteTable(rel));
	scan->columns = mcStreamColumns(rel);
	scan->quals = mcQualsFromList(list_nth(plan->fdw_private, MC_STREAM_PRIVATE_QUALS), plan->fdw_exprs);
	scan->cell_shape = mcOtsIsCellShape(relid);
	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		MemoryContextSwitchTo(old);
		return;
	}

	scan->server = mcGetServer(MC_TABLESTORE, GetForeignTable(relid)->serverid, mcScanUserId(node), relid, true);
	unknown = mcServerOption(scan->server, "unknown_columns");
	scan->unknown_error = unknown != NULL && pg_strcasecmp(unknown, "error") == 0;
	scan->select_cxt = AllocSetContextCreate(cxt, "tablestore stream window", ALLOCSET_SMALL_SIZES);
	scan->record_cxt = AllocSetContextCreate(cxt, "tablestore stream record", ALLOCSET_SMALL_SIZES);
	scan->row_cxt = AllocSetContextCreate(cxt, "tablestore stream row", ALLOCSET_SMALL_SIZES);
	mcRejectsInit(&scan->rejects, scan->server);
	/* registered after the channel's, hence run before it */
	scan->conn = mcOtsConnect(scan->server, cxt);
	scan->callback.func = release_scan;
	scan->callback.arg = scan;
	MemoryContextRegisterResetCallback(cxt, &scan->callback);
	mcProgressBegin(&scan->progress, cxt, relid, false, NULL);
	mcStreamRowInit(scan, RelationGetDescr(rel), list_nth(plan->fdw_private, MC_STREAM_PRIVATE_ATTRS));
	MemoryContextSwitchTo(old);
	/* expression states belong to the plan state */
	scan->expr_states = ExecInitExprList(plan->fdw_exprs, (PlanState *) node);
}

/* Once a page: what other sessions see */
static void
tell(McStreamScan *scan)
{
	const mcs_ots_stream_info *info = mcs_ots_stream_get_info(scan->scan);
	McMoved		moved = {0};

	moved.rows = scan->rows;
	moved.bytes = scan->total.bytes + info->bytes;
	moved.parts_done = info->shards_done;
	moved.parts_total = info->shards;
	mcProgressMoved(&scan->progress, &moved, mcn_channel_stats(scan->conn->channel));
}

bool
mcStreamNextPage(McStreamScan *scan)
{
	mcw_error	err;
	mcw_status	status;

	if (scan->page != NULL)
	{
		if (*scan->page->newest_us != PG_INT64_MIN)
			mcProgressPosition(*scan->page->newest_us);
		mcs_ots_stream_release(scan->scan, scan->page);
	}
	scan->page = NULL;
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_stream_next(scan->scan, &scan->page, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status != MCW_OK && status != MCW_END)
		mcStreamRaise(scan, &err);
	mcStreamResolved(scan);
	tell(scan);
	if (status == MCW_END)
		mcStreamChainEnd(scan);
	return status == MCW_OK;
}

TupleTableSlot *
mcOtsStreamIterate(ForeignScanState *node)
{
	McStreamScan *scan = node->fdw_state;
	MemoryContext old;

	if (likely(scan->page != NULL) && likely(mcStreamNextRow(scan)))
		return scan->slot;
	ExecClearTuple(scan->slot);
	if (scan->done)
		return scan->slot;
	old = MemoryContextSwitchTo(scan->cxt);
	if (!scan->started)
	{
		scan->started = true;
		scan->done = !mcStreamOpen(scan, node);
	}
	while (!scan->done)
	{
		if (!mcStreamNextPage(scan))
		{
			mcStreamClose(scan);
			scan->done = true;
			break;
		}
		mcStreamStartPage(scan);
		if (mcStreamNextRow(scan))
			break;
	}
	MemoryContextSwitchTo(old);
	return scan->slot;
}

void
mcOtsStreamReScan(ForeignScanState *node)
{
	McStreamScan *scan = node->fdw_state;

	if (!scan->started)
		return;
	mcStreamClose(scan);
	ExecClearTuple(scan->slot);
	scan->started = false;
	scan->done = false;
}

/* What the rows could not show is said once for all loops */
static void
report(const McStreamScan *scan)
{
	mcRejectsReport(&scan->rejects, scan->relname);
	if (scan->one_version > 0)
		ereport(NOTICE,
				(errmsg("%lld deletions of single versions are not shown by \"%s\"",
						(long long) scan->one_version, scan->relname),
				 errhint("A foreign table of shape 'cell' shows them.")));
	if (scan->source == NULL && scan->step_us > MCS_OTS_STREAM_SLACK * INT64CONST(1000000))
		ereport(WARNING,
				(errmsg("commit times in the change stream of \"%s\" step back by up to %.3f seconds",
						scan->relname, scan->step_us / 1e6),
				 errdetail("Windows of commit times are complete only if the clock of a shard never steps back by more than %d seconds.",
						   MCS_OTS_STREAM_SLACK),
				 errhint("Compare the copies made from this change stream with the table.")));
}

void
mcOtsStreamEnd(ForeignScanState *node)
{
	McStreamScan *scan = node->fdw_state;

	if (scan == NULL || scan->server == NULL)
		return;
	mcStreamChainFinish(scan);
	mcStreamCount(scan);
	mcStreamClose(scan);
	report(scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}
