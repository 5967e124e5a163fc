/*
 * ots_explain.c
 *		What EXPLAIN shows of a Tablestore scan.
 *
 * Plain EXPLAIN says from the plan alone which keys will be read, which filter the
 * service applies and whether rows come in key order; the service is not contacted.
 * ANALYZE adds the keys as they were chosen and what the scan cost.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "compat.h"
#include "explain.h"
#include "ots_plan.h"

static const char *const operators[] = {"", "<", "<=", "=", ">=", ">"};

/* ---- conditions as SQL ---- */

static char **
expression_texts(ForeignScanState *node, ExplainState *es)
{
	List	   *exprs = ((ForeignScan *) node->ss.ps.plan)->fdw_exprs;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL);
	char	  **texts = palloc(sizeof(char *) * (list_length(exprs) + 1));
	ListCell   *lc;

	foreach(lc, exprs)
		texts[foreach_current_index(lc)] =
			deparse_expression(lfirst(lc), context, es->verbose || list_length(es->rtable) > 1, false);
	return texts;
}

static const char *
key_name(const McOtsScan *scan, int key)
{
	const McOtsColumn *column = mcOtsKeyColumn(scan->columns, key);

	return column ? quote_identifier(column->attname) : "?";
}

static const char *
version_name(const McOtsScan *scan)
{
	ListCell   *lc;

	foreach(lc, scan->columns)
		if (((McOtsColumn *) lfirst(lc))->kind == MC_OTS_CELL_VERSION)
			return quote_identifier(((McOtsColumn *) lfirst(lc))->attname);
	return "?";
}

static void
show_row(StringInfo out, const McOtsScan *scan, List *cond, char **exprs)
{
	int			first = mcOtsCondInt(cond, 1);

	appendStringInfoString(out, "(ROW(");
	for (int i = 3; i < list_length(cond); i++)
		appendStringInfo(out, "%s%s", i > 3 ? ", " : "", key_name(scan, first + i - 3));
	appendStringInfo(out, ") %s ROW(", operators[mcOtsCondInt(cond, 2)]);
	for (int i = 3; i < list_length(cond); i++)
		appendStringInfo(out, "%s%s", i > 3 ? ", " : "", exprs[mcOtsCondInt(cond, i)]);
	appendStringInfoString(out, "))");
}

static void
show_cond(StringInfo out, const McOtsScan *scan, List *cond, char **exprs)
{
	ListCell   *la;
	ListCell   *lc;

	switch (mcOtsCondKind(cond))
	{
		case MC_OTS_COND_COMPARE:
			appendStringInfo(out, "(%s %s %s)", key_name(scan, mcOtsCondInt(cond, 1)),
							 operators[mcOtsCondInt(cond, 2)], exprs[mcOtsCondInt(cond, 3)]);
			break;
		case MC_OTS_COND_ANY:
			appendStringInfo(out, "(%s = ANY (%s))", key_name(scan, mcOtsCondInt(cond, 1)),
							 exprs[mcOtsCondInt(cond, 2)]);
			break;
		case MC_OTS_COND_PREFIX:
			appendStringInfo(out, "(%s ^@ %s)", key_name(scan, mcOtsCondInt(cond, 1)), exprs[mcOtsCondInt(cond, 2)]);
			break;
		case MC_OTS_COND_ROW:
			show_row(out, scan, cond, exprs);
			break;
		case MC_OTS_COND_NEVER:
			appendStringInfoString(out, "false");
			break;
		case MC_OTS_COND_VERSION:
			appendStringInfo(out, "(%s %s %s)", version_name(scan), operators[mcOtsCondInt(cond, 1)],
							 exprs[mcOtsCondInt(cond, 2)]);
			break;
		case MC_OTS_COND_OR:
			appendStringInfoChar(out, '(');
			for_each_from(la, cond, 1)
			{
				List	   *arm = lfirst(la);

				appendStringInfo(out, "%s%s", foreach_current_index(la) > 1 ? " OR " : "", list_length(arm) > 1 ? "(" : "");
				foreach(lc, arm)
				{
					appendStringInfoString(out, foreach_current_index(lc) > 0 ? " AND " : "");
					show_cond(out, scan, lfirst(lc), exprs);
				}
				appendStringInfoString(out, list_length(arm) > 1 ? ")" : "");
			}
			appendStringInfoChar(out, ')');
			break;
	}
}

/* All conditions on keys, or all on versions */
static void
show_conds(const McOtsScan *scan, bool versions, char **exprs, ExplainState *es)
{
	List	   *conds = list_nth(scan->fdw_private, MC_OTS_PRIVATE_QUALS);
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, conds)
	{
		if ((mcOtsCondKind(lfirst(lc)) == MC_OTS_COND_VERSION) != versions)
			continue;
		appendStringInfoString(&out, out.len > 0 ? " AND " : "");
		show_cond(&out, scan, lfirst(lc), exprs);
	}
	if (out.len > 0)
		ExplainPropertyText(versions ? "Version Cond" : "Key Cond", out.data, es);
}

/* ---- what is read ---- */

static void
show_selection(const McOtsSelection *selection, ExplainState *es)
{
	if (selection->nranges > 0 || selection->empty)
		ExplainPropertyText("Key Range", mcOtsSelectionText(selection), es);
	if (selection->nkeys > 0)
		ExplainPropertyInteger("Keys", NULL, selection->nkeys, es);
	if (selection->has_time_range && !selection->empty)
		ExplainPropertyText("Time Range", psprintf("[" INT64_FORMAT ", " INT64_FORMAT ")", selection->start_time,
												   selection->end_time), es);
}

/* If it is known without evaluating anything */
static void
show_known_selection(ForeignScanState *node, const McOtsScan *scan, ExplainState *es)
{
	List	   *exprs = ((ForeignScan *) node->ss.ps.plan)->fdw_exprs;
	int			n = list_length(exprs);
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc(sizeof(bool) * (n + 1));
	McOtsSelection selection;
	ListCell   *lc;

	foreach(lc, exprs)
	{
		Const	   *c = lfirst(lc);

		if (!IsA(c, Const))
			return;
		values[foreach_current_index(lc)] = c->constvalue;
		nulls[foreach_current_index(lc)] = c->constisnull;
	}
	mcOtsSelect(scan->columns, scan->fdw_private, values, nulls, scan->expr_types, n, &selection);
	show_selection(&selection, es);
}

static void
show_columns(const McOtsScan *scan, ExplainState *es)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, (List *) list_nth(scan->fdw_private, MC_OTS_PRIVATE_ATTRS))
	{
		const McOtsColumn *column = mcOtsColumn(scan->columns, lfirst_int(lc));

		if (column != NULL)
			names = lappend(names, column->name);
	}
	if (names != NIL)
		ExplainPropertyList("Columns", names, es);
}

static void
show_run(const McOtsScan *scan, ExplainState *es)
{
	const mcn_stats *net = mcn_channel_stats(scan->conn->channel);
	mcs_ots_scan_info info;

	mcOtsStatsNow(scan, &info);
	ExplainPropertyInteger("Splits", NULL, info.splits, es);
	ExplainPropertyInteger("Pages", NULL, info.pages, es);
	if (info.empty_pages > 0)
		ExplainPropertyInteger("Empty Pages", NULL, info.empty_pages, es);
	if (info.keys_asked > 0)
		ExplainPropertyInteger("Keys Asked", NULL, info.keys_asked, es);
	ExplainPropertyInteger("Remote Rows", NULL, scan->rows, es);
	ExplainPropertyInteger("Received", "bytes", info.bytes, es);
	ExplainPropertyInteger("Read Capacity Units", NULL, scan->conn->client.read_units, es);
	mcExplainRejects(&scan->rejects, es);
	mcExplainRequests(net, scan->conn->client.clock_fixed, es);
	ExplainPropertyInteger("Waits", NULL, info.stalls, es);
	mcExplainTimes(net, es);
}

void
mcOtsExplain(ForeignScanState *node, ExplainState *es)
{
	McOtsScan  *scan = node->fdw_state;
	ForeignTable *table = GetForeignTable(RelationGetRelid(node->ss.ss_currentRelation));
	const char *instance = mcOptionText(GetForeignServer(table->serverid)->options, "instance");
	char	  **exprs;
	List	   *filter;

	if (scan == NULL)
		return;
	exprs = expression_texts(node, es);
	ExplainPropertyText("Tablestore Table", psprintf("%s.%s", instance, scan->table), es);
	show_conds(scan, false, exprs, es);
	show_conds(scan, true, exprs, es);
	if (!es->analyze)
		show_known_selection(node, scan, es);
	else if (scan->started)
		show_selection(&scan->selection, es);
	filter = list_nth(scan->fdw_private, MC_OTS_PRIVATE_FILTER);
	if (filter != NIL && scan->rejects.on_error != MC_ON_ERROR_REJECT)
		ExplainPropertyText("Remote Filter", mcOtsFilterText(scan->columns, filter, exprs), es);
	if (boolVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_ORDERED)))
		ExplainPropertyText("Key Order", boolVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_BACKWARD)) ?
							"backward" : "forward", es);
	if (intVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_LIMIT)) > 0)
		ExplainPropertyInteger("Remote Limit", NULL, intVal(list_nth(scan->fdw_private, MC_OTS_PRIVATE_LIMIT)), es);
	if (es->verbose)
		show_columns(scan, es);
	if (es->analyze && scan->conn != NULL && (scan->started || scan->scans > 0))
		show_run(scan, es);
}
