/*
 * odps_explain.c
 *		What EXPLAIN says about a MaxCompute scan.
 *
 * Plain EXPLAIN asks the service for the partition list, because the number of
 * partitions is what a user wants to know before running; it must not fail or hang
 * when the service cannot be asked.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "compat.h"
#include "odps_read.h"

#define EXPLAIN_PATIENCE_US INT64CONST(5000000)

static void
show_partitions(McScan *scan, ExplainState *es, bool later)
{
	if (!scan->partitions)
		return;
	if (es->format == EXPLAIN_FORMAT_TEXT)
		ExplainPropertyText("Partitions", psprintf("%s%d of %d", later ? "at most " : "", scan->nparts, scan->nall), es);
	else
	{
		ExplainPropertyInteger("Partitions", NULL, scan->nparts, es);
		ExplainPropertyInteger("Partitions Total", NULL, scan->nall, es);
		if (later)
			ExplainPropertyBool("Partitions Pruned Later", true, es);
	}
}

/*
 * Ask the service; whatever goes wrong becomes a word in the output.  Conditions may
 * call any function, so errors are caught inside a subtransaction only.
 */
static void
explain_only(McScan *scan, ForeignScanState *node, ExplainState *es)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile reason = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
		scan->odps = mcOdpsOpen(scan->serverid, scan->userid, RelationGetRelid(node->ss.ss_currentRelation));
		scan->odps->service.deadline_us = mcn_now_us() + EXPLAIN_PATIENCE_US;
		mcScanConnect(scan, node);
		mcScanPrune(scan, node, true);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(cxt);
		CurrentResourceOwner = owner;
		if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED || edata->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
			ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_INTERNAL_ERROR)
			ReThrowError(edata);
		reason = edata->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;

	if (scan->odps)
		ExplainPropertyText("MaxCompute Table", scan->odps->label, es);
	if (reason)
		ExplainPropertyText("Partitions", psprintf("unknown (%s)", reason), es);
	else
		show_partitions(scan, es, mcScanPrunesLater(scan, node));
}

static char *
remote_columns(McScan *scan, ForeignScanState *node)
{
	List	   *needed = list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_private, McScanPrivateColumns);
	StringInfoData s;
	ListCell   *lc;

	initStringInfo(&s);
	foreach(lc, needed)
	{
		const McOdpsColumn *column = &scan->map->columns[lfirst_int(lc) - 1];

		if (!column->is_key)
			appendStringInfo(&s, "%s%.*s", s.len ? ", " : "", (int) column->remote->name.len, column->remote->name.data);
	}
	return s.len ? s.data : "(none, rows are counted)";
}

static void
show_counters(McScan *scan, ExplainState *es)
{
	const McFetchStats *fetch = mcFetchStatistics(scan->fetch);
	const mcn_stats *tunnel = mcn_channel_stats(scan->odps->service.tunnel);
	const mcn_stats *rest = mcn_channel_stats(scan->odps->service.rest);

	ExplainPropertyInteger("Sessions", NULL, fetch->sessions, es);
	ExplainPropertyInteger("Ranges", NULL, fetch->ranges, es);
	ExplainPropertyInteger("Remote Rows", NULL, fetch->rows, es);
	if (scan->rejects.rejected > 0)
		ExplainPropertyInteger("Rejected Rows", NULL, scan->rejects.rejected, es);
	if (!es->verbose)
		return;
	ExplainPropertyInteger("Requests", NULL, tunnel->requests + rest->requests, es);
	ExplainPropertyInteger("Retries", NULL, tunnel->retries + rest->retries + fetch->repeats, es);
	ExplainPropertyInteger("Throttled", NULL, tunnel->throttled + rest->throttled, es);
	ExplainPropertyInteger("Received", "bytes", tunnel->bytes_in + rest->bytes_in, es);
	ExplainPropertyInteger("Decoded", "bytes", fetch->stream_bytes, es);
	if (es->timing)
		ExplainPropertyFloat("Waiting", "ms", (tunnel->wait_us + rest->wait_us) / 1000.0, 3, es);
}

void
mcOdpsExplainScan(ForeignScanState *node, ExplainState *es)
{
	McScan	   *scan = node->fdw_state;

	if (!scan)
		return;
	if (!es->analyze)
		explain_only(scan, node, es);
	else if (scan->odps)
	{
		ExplainPropertyText("MaxCompute Table", scan->odps->label, es);
		show_partitions(scan, es, false);
	}
	if (es->verbose && scan->map)
		ExplainPropertyText("Remote Columns", remote_columns(scan, node), es);
	if (es->analyze && scan->fetch)
		show_counters(scan, es);
}
