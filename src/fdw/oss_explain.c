/*
 * oss_explain.c
 *		What EXPLAIN shows of a scan of OSS objects.
 *
 * Plain EXPLAIN says from the plan alone which objects will be read; nothing is
 * evaluated and the service is not contacted.  ANALYZE adds the bounds of the listing
 * and what the scan cost.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "explain.h"
#include "job.h"
#include "oss_scan.h"

/* ---- which objects ---- */

static void
show_objects(const McOssScan *scan, ExplainState *es)
{
	const McServer *server = scan->server;
	const char *object = mcServerOption(server, "object");
	const char *prefix = mcServerOption(server, "prefix");
	const char *pattern = mcServerOption(server, "pattern");
	const char *where = server->bucket ? psprintf("oss://%s/", server->bucket) : psprintf("%s/", server->endpoint);

	if (object != NULL)
		ExplainPropertyText("Object", psprintf("%s%s", where, object), es);
	else
		ExplainPropertyText("Objects", psprintf("%s%s%s", where, prefix ? prefix : "", pattern ? pattern : "*"), es);
}

static void
show_filter(ForeignScanState *node, const McOssScan *scan, ExplainState *es)
{
	List	   *context;
	char	   *text;

	if (scan->object_quals == NIL)
		return;
	context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL);
	text = deparse_expression((Node *) make_ands_explicit(list_copy(scan->object_quals)), context,
							  es->verbose || list_length(es->rtable) > 1, false);
	ExplainPropertyText("Object Filter", text, es);
}

static const char *
column_of_kind(const McOssScan *scan, McOssKind kind, int index)
{
	ListCell   *lc;

	foreach(lc, scan->table->columns)
	{
		const McOssColumn *column = lfirst(lc);

		if (column->kind == kind && (kind != MC_OSS_PATH || column->index == index))
			return column->attname;
	}
	return "?";
}

/* The conditions that shorten the listing */
static void
show_conditions(ForeignScanState *node, const McOssScan *scan, ExplainState *es)
{
	StringInfoData out;
	List	   *seen = NIL;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, scan->quals)
	{
		int			kind = ((McQual *) lfirst(lc))->kind;
		McOssKind	column = kind == MC_OSS_QUAL_MODIFIED ? MC_OSS_LAST_MODIFIED :
			kind == MC_OSS_QUAL_OBJECT ? MC_OSS_OBJECT : MC_OSS_PATH;

		if (list_member_int(seen, kind))
			continue;
		seen = lappend_int(seen, kind);
		appendStringInfo(&out, "%s%s", out.len > 0 ? " AND " : "",
						 mcQualsText(node, scan->quals, kind,
									 column_of_kind(scan, column, kind - MC_OSS_QUAL_PATH), es));
	}
	if (out.len > 0)
		ExplainPropertyText("Listing Cond", out.data, es);
}

static void
show_fields(ForeignScanState *node, const McOssScan *scan, ExplainState *es)
{
	List	   *attrs = list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_private, MC_OSS_PRIVATE_ATTRS);
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, attrs)
		names = lappend(names, mcOssColumn(scan->table, lfirst_int(lc))->name);
	if (names != NIL)
		ExplainPropertyList("Fields", names, es);
}

/* ---- what it cost ---- */

static char *
instant(int64 micros)
{
	return pstrdup(timestamptz_to_str(micros - MC_EPOCH_US));
}

static void
show_bounds(const McOssScan *scan, ExplainState *es)
{
	const McOssChoice *choice = &scan->choice;
	StringInfoData out;

	if (choice->empty)
	{
		ExplainPropertyText("Listing", "none, no object can qualify", es);
		return;
	}
	initStringInfo(&out);
	if (choice->from_key != NULL)
		appendStringInfo(&out, "from \"%s\"", mcOssShown(mcw_str(choice->from_key)));
	if (choice->to_key != NULL)
		appendStringInfo(&out, "%sto \"%s\"", out.len > 0 ? " " : "", mcOssShown(mcw_str(choice->to_key)));
	if (choice->modified_from != PG_INT64_MIN)
		appendStringInfo(&out, "%smodified from %s", out.len > 0 ? ", " : "", instant(choice->modified_from));
	if (choice->modified_to != PG_INT64_MAX)
		appendStringInfo(&out, "%smodified to %s", out.len > 0 ? ", " : "", instant(choice->modified_to));
	for (int i = 0; choice->part_values != NULL && i < scan->table->nparts; i++)
		if (choice->part_values[i] != NULL)
			appendStringInfo(&out, "%s%s=%s", out.len > 0 ? ", " : "", scan->table->parts[i].name,
							 mcOssShown(mcw_str(choice->part_values[i])));
	if (out.len > 0)
		ExplainPropertyText("Listing", out.data, es);
}

static void
show_codecs(int codecs, ExplainState *es)
{
	List	   *names = NIL;

	for (int i = 0; i < 31; i++)
		if ((codecs & 1 << i) && i != MCW_CODEC_NONE)
			names = lappend(names, unconstify(char *, mcw_codec_file_name(i)));
	if (names != NIL)
		ExplainPropertyList("Compression", names, es);
}

static void
show_run(const McOssScan *scan, ExplainState *es)
{
	const mcn_stats *net = mcn_channel_stats(scan->conn->channel);
	McOssSourceStats listed;
	McOssRowsStats read;

	mcOssScanStats(scan, &listed, &read);
	show_bounds(scan, es);
	if (mcJob != NULL)
		ExplainPropertyText("Objects By", mcOssLedgerText(scan->choice.ledger), es);
	if (scan->table->scope != MC_OSS_ONE)
	{
		ExplainPropertyInteger("Objects Listed", NULL, listed.listed, es);
		if (listed.passed_over > 0)
			ExplainPropertyInteger("Objects Passed Over", NULL, listed.passed_over, es);
		ExplainPropertyInteger("List Pages", NULL, listed.pages, es);
	}
	if (scan->object_quals != NIL)
		ExplainPropertyInteger("Objects Pruned", NULL, listed.pruned, es);
	ExplainPropertyInteger("Objects Read", NULL, read.objects, es);
	ExplainPropertyInteger("Records", NULL, read.records, es);
	show_codecs(read.codecs, es);
	ExplainPropertyInteger("Received", "bytes", read.bytes, es);
	if (read.decoded > 0)
		ExplainPropertyInteger("Decompressed", "bytes", read.decoded, es);
	mcExplainRejects(&scan->rejects, es);
	mcExplainRequests(net, 0, es);
	ExplainPropertyInteger("Waits", NULL, read.stalls, es);
	mcExplainTimes(net, es);
}

static void
oss_explain(ForeignScanState *node, ExplainState *es)
{
	McOssScan  *scan = node->fdw_state;

	if (scan == NULL)
		return;
	show_objects(scan, es);
	show_filter(node, scan, es);
	show_conditions(node, scan, es);
	if (es->verbose)
	{
		ExplainPropertyText("Format", scan->table->format->name, es);
		show_fields(node, scan, es);
	}
	if (es->analyze && scan->conn != NULL && (scan->started || scan->runs > 0))
		show_run(scan, es);
}

void
mcOssExplainRoutine(FdwRoutine *routine)
{
	routine->ExplainForeignScan = oss_explain;
}
