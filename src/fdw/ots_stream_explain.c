/*
 * ots_stream_explain.c
 *		What EXPLAIN shows of a scan of a change stream.
 *
 * Plain EXPLAIN shows the conditions that choose the window, from the plan alone:
 * nothing is evaluated and the service is not contacted.  ANALYZE adds the window as
 * it was resolved and what the scan cost.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "explain.h"
#include "ots_stream.h"

static const char *
column_of_kind(const McStreamScan *scan, McStreamQualKind kind)
{
	McOtsKind	wanted = kind == MC_STREAM_TIME ? MC_OTS_COMMIT_TIME : MC_OTS_SHARD;
	ListCell   *lc;

	foreach(lc, scan->columns)
	{
		const McOtsColumn *column = lfirst(lc);

		if (column->kind == wanted)
			return column->attname;
	}
	return "?";
}

static char *
conditions(ForeignScanState *node, McStreamScan *scan, McStreamQualKind kind, ExplainState *es)
{
	return mcQualsText(node, scan->quals, kind, column_of_kind(scan, kind), es);
}

static void
show_columns(ForeignScanState *node, McStreamScan *scan, ExplainState *es)
{
	List	   *attrs = list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_private, MC_STREAM_PRIVATE_ATTRS);
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, attrs)
	{
		const McOtsColumn *column = mcOtsColumn(scan->columns, lfirst_int(lc));

		if (column != NULL)
			names = lappend(names, column->name);
	}
	if (names != NIL)
		ExplainPropertyList("Remote Columns", names, es);
}

static void
show_window(const mcs_ots_stream_info *info, ExplainState *es)
{
	StringInfoData out;

	initStringInfo(&out);
	if (!info->resolved)
		appendStringInfoString(&out, "empty");
	else
	{
		appendStringInfo(&out, "[%s, ", info->has_begin ? timestamptz_to_str(info->begin_us - MC_EPOCH_US) : "-infinity");
		appendStringInfo(&out, "%s)", timestamptz_to_str(info->end_us - MC_EPOCH_US));
	}
	ExplainPropertyText("Window", out.data, es);
}

static void
show_run(const McStreamScan *scan, ExplainState *es)
{
	const mcn_stats *net = mcn_channel_stats(scan->conn->channel);
	mcs_ots_stream_info info;

	mcStreamStatsNow(scan, &info);
	if (info.resolved)
		ExplainPropertyText("Stream", mcPrintable(info.stream_id), es);
	show_window(&info, es);
	if (mcJob != NULL)
		ExplainPropertyText("Read By", scan->source == NULL ? "time, not chained" : scan->source->replay ?
							"recorded positions" : "position", es);
	if (scan->late > 0)
		ExplainPropertyInteger("Late Records", NULL, scan->late, es);
	ExplainPropertyInteger("Shards", NULL, info.shards, es);
	ExplainPropertyInteger("Blocked Shards", NULL, info.blocked, es);
	ExplainPropertyInteger("Pages", NULL, info.pages, es);
	ExplainPropertyInteger("Records", NULL, info.records, es);
	ExplainPropertyInteger("Records Outside The Window", NULL, scan->dropped, es);
	ExplainPropertyInteger("Bytes", NULL, info.bytes, es);
	if (scan->step_us > 0)
		ExplainPropertyFloat("Largest Step Back Of A Clock", "s", scan->step_us / 1e6, 6, es);
	mcExplainRejects(&scan->rejects, es);
	ExplainPropertyInteger("Waits", NULL, info.stalls, es);
	mcExplainRequests(net, scan->conn->client.clock_fixed, es);
	mcExplainTimes(net, es);
}

void
mcOtsStreamExplain(ForeignScanState *node, ExplainState *es)
{
	McStreamScan *scan = node->fdw_state;
	char	   *text;

	if (scan == NULL)
		return;
	ExplainPropertyText("Change Stream Of", scan->table, es);
	if ((text = conditions(node, scan, MC_STREAM_TIME, es)) != NULL)
		ExplainPropertyText("Window Cond", text, es);
	if ((text = conditions(node, scan, MC_STREAM_SHARD, es)) != NULL)
		ExplainPropertyText("Shard Cond", text, es);
	if (es->verbose)
		show_columns(node, scan, es);
	if (es->analyze && scan->started)
		show_run(scan, es);
}
