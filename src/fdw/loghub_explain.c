/*
 * loghub_explain.c
 *		What EXPLAIN shows of a LogHub scan.
 *
 * Plain EXPLAIN shows the logstore and the conditions that choose the window, from
 * the plan alone: nothing is evaluated and the service is not contacted.  ANALYZE
 * adds the window as it was resolved and what the scan cost.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "explain.h"
#include "loghub.h"

static const char *
column_of_kind(const McLogScan *scan, McLogQualKind kind)
{
	McLogKind	wanted = kind == MC_QUAL_RECEIVE ? MC_LOG_RECEIVE_TIME :
		kind == MC_QUAL_TIME ? MC_LOG_TIME : MC_LOG_SHARD;
	ListCell   *lc;

	foreach(lc, scan->columns)
	{
		const McLogColumn *column = lfirst(lc);

		if (column->kind == wanted)
			return column->attname;
	}
	return "?";
}

static char *
conditions(ForeignScanState *node, McLogScan *scan, McLogQualKind kind, ExplainState *es)
{
	return mcQualsText(node, scan->quals, kind, column_of_kind(scan, kind), es);
}

static void
show_fields(ForeignScanState *node, McLogScan *scan, ExplainState *es)
{
	List	   *attrs = list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_private, MC_PRIVATE_ATTRS);
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, attrs)
	{
		const McLogColumn *column = mcLogColumn(scan->columns, lfirst_int(lc));

		if (column == NULL)
			continue;
		if (column->kind == MC_LOG_FIELD || column->kind == MC_LOG_REST)
			names = lappend(names, column->name);
		else if (column->kind == MC_LOG_TAG)
			names = lappend(names, psprintf("__tag__:%s", column->name));
		else
		{
			const char *own = mcColumnOption(RelationGetRelid(node->ss.ss_currentRelation),
											 column->attnum, "field");

			names = lappend(names, unconstify(char *, own ? own : column->attname));
		}
	}
	if (names != NIL)
		ExplainPropertyList("Fields", names, es);
}

static void
show_window(const McLogScan *scan, ExplainState *es)
{
	StringInfoData out;

	initStringInfo(&out);
	if (scan->selection.nwindows == 0)
		appendStringInfoString(&out, "empty");
	else
	{
		appendStringInfo(&out, "[%s, ", scan->window.has_begin ?
						 timestamptz_to_str((scan->window.begin - MC_EPOCH_SECONDS) * USECS_PER_SEC) : "-infinity");
		appendStringInfo(&out, "%s)", scan->window.has_end ?
						 timestamptz_to_str((scan->window.end - MC_EPOCH_SECONDS) * USECS_PER_SEC) : "end of data");
		if (scan->selection.nwindows > 1)
			appendStringInfo(&out, ", last of %d", scan->selection.nwindows);
	}
	ExplainPropertyText("Window", out.data, es);
}

static void
show_chained(const McLogScan *scan, ExplainState *es)
{
	const char *why;

	if (scan->job == NULL)
		why = "only in the run of a job";
	else if (!scan->selected)
		return;
	else
		why = mcLogNotChained(scan);
	ExplainPropertyText("Chained", why ? psprintf("no, %s", why) : scan->ordered ? "yes, in order" : "yes", es);
}

static void
show_run(const McLogScan *scan, ExplainState *es)
{
	McLogStats	stats;
	const mcn_stats *net;

	mcLogStatsNow(scan, &stats);
	show_window(scan, es);
	ExplainPropertyInteger("Shards", NULL, stats.shards, es);
	if (stats.late_shards > 0)
		ExplainPropertyInteger("Shards Found Late", NULL, stats.late_shards, es);
	ExplainPropertyInteger("Slices", NULL, stats.slices, es);
	ExplainPropertyInteger("Pages", NULL, stats.pages, es);
	ExplainPropertyInteger("Log Groups", NULL, stats.groups, es);
	ExplainPropertyInteger("Compressed Bytes", NULL, stats.bytes_compressed, es);
	ExplainPropertyInteger("Raw Bytes", NULL, stats.bytes_raw, es);
	if (stats.late_groups > 0)
		ExplainPropertyInteger("Late Groups", NULL, stats.late_groups, es);
	mcExplainRejects(&scan->rejects, es);
	ExplainPropertyInteger("Waits", NULL, stats.stalls, es);
	if (scan->channel == NULL)
		return;
	net = mcn_channel_stats(scan->channel);
	mcExplainRequests(net, scan->client.clock_fixed, es);
	mcExplainTimes(net, es);
}

void
mcLogExplain(ForeignScanState *node, ExplainState *es)
{
	McLogScan  *scan = node->fdw_state;
	ForeignTable *table = GetForeignTable(RelationGetRelid(node->ss.ss_currentRelation));
	const char *logstore = mcOptionText(table->options, "logstore");
	char	   *text;

	if (scan == NULL)
		return;
	ExplainPropertyText("Logstore", logstore ? logstore : "", es);
	if ((text = conditions(node, scan, MC_QUAL_RECEIVE, es)) != NULL)
		ExplainPropertyText("Window Cond", text, es);
	if ((text = conditions(node, scan, MC_QUAL_TIME, es)) != NULL)
		ExplainPropertyText("Window Derived From", text, es);
	if ((text = conditions(node, scan, MC_QUAL_SHARD, es)) != NULL)
		ExplainPropertyText("Shard Cond", text, es);
	if (es->verbose)
		show_fields(node, scan, es);
	if (es->verbose || es->analyze || scan->job != NULL)
		show_chained(scan, es);
	if (es->analyze && scan->started)
		show_run(scan, es);
}
