/*
 * loghub_plan.c
 *		Planning a LogHub scan: size, paths, plan.
 *
 * Conditions on the receive time and the shard leave the local conditions and go to
 * fdw_exprs and fdw_recheck_quals; parameterized paths carry those of joins.  The
 * planner never contacts the service: it has no statistics, so the estimate is a
 * constant rate times the length of the window.
 */
#include "postgres.h"

#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "compat.h"
#include "loghub.h"
#include "scan_path.h"

#define DEFAULT_ROWS 10000000.0	/* of a week, without statistics */
#define WEEK (7 * 86400.0)
#define OPEN_WINDOW 3600.0		/* seconds assumed for bounds not known yet */
#define JOIN_ROWS (DEFAULT_ROWS * OPEN_WINDOW / WEEK)	/* each bound from a join leaves an hour's worth */
#define STARTUP_COST 1000.0		/* some round trips */
#define ROW_COST 0.02			/* beside cpu_tuple_cost: receive, decompress, decode */

typedef struct McLogRel
{
	List	   *columns;
	bool		derive;			/* max_delay or max_clock_skew is declared */
	List	   *quals;			/* of baserestrictinfo */
	List	   *local;			/* RestrictInfos that stay */
	double		rows_scanned;
} McLogRel;

/* Sort one clause; true if it leaves the local conditions */
static bool
classify(PlannerInfo *root, RelOptInfo *rel, const McLogRel *info, RestrictInfo *rinfo, List **quals)
{
	McQual  *qual = palloc0(sizeof(McQual));

	if (!mcLogMatchQual(root, rinfo, rel, info->columns, info->derive, qual))
		return false;
	*quals = lappend(*quals, qual);
	return qual->kind != MC_QUAL_TIME;
}

/* Rows the scan will fetch, as far as the bounds are known at plan time */
static double
estimate_rows(PlannerInfo *root, List *quals, double tuples)
{
	int			n = list_length(quals);
	Datum	   *values = palloc0(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc0(sizeof(bool) * (n + 1));
	List	   *known = NIL;
	McLogSelection selection;
	double		seconds = 0;
	bool		unknown = false;
	ListCell   *lc;
	int			i;

	foreach(lc, quals)
	{
		McQual  *qual = lfirst(lc);
		Node	   *value = estimate_expression_value(root, (Node *) qual->expr);

		if (qual->kind == MC_QUAL_TIME)
			continue;
		if (!IsA(value, Const))
		{
			unknown = unknown || qual->kind == MC_QUAL_RECEIVE;
			continue;
		}
		values[list_length(known)] = ((Const *) value)->constvalue;
		nulls[list_length(known)] = ((Const *) value)->constisnull;
		known = lappend(known, qual);
	}
	mcLogSelect(known, values, nulls, -1, -1, &selection);
	for (i = 0; i < selection.nwindows; i++)
	{
		McWindow   *w = &selection.windows[i];

		seconds += w->has_begin && w->has_end ? Min((double) w->end - (double) w->begin, WEEK)
			: (selection.bounded || unknown) ? OPEN_WINDOW : WEEK;
	}
	return clamp_row_est(tuples * seconds / WEEK);
}

void
mcLogGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	McLogRel   *info = palloc0(sizeof(McLogRel));
	Relation	relation = table_open(relid, NoLock);
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);
	double		tuples = rel->tuples > 0 ? rel->tuples : DEFAULT_ROWS;
	ListCell   *lc;

	info->columns = mcLogColumns(relation);
	table_close(relation, NoLock);
	info->derive = mcOptionText(table->options, "max_delay") || mcOptionText(table->options, "max_clock_skew") ||
		mcOptionText(server->options, "max_delay") || mcOptionText(server->options, "max_clock_skew");
	rel->fdw_private = info;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (!classify(root, rel, info, rinfo, &info->quals))
			info->local = lappend(info->local, rinfo);
	}
	info->rows_scanned = estimate_rows(root, info->quals, tuples);
	rel->tuples = info->rows_scanned;
	set_baserel_size_estimates(root, rel);
	rel->rows = clamp_row_est(info->rows_scanned *
							  clauselist_selectivity(root, info->local, 0, JOIN_INNER, NULL));
}

/* A column whose equality conditions are pushed down, for the equivalence classes */
static bool
is_pushed_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	const McLogRel *info = rel->fdw_private;
	Var		   *var = (Var *) em->em_expr;
	const McLogColumn *column;

	if (!IsA(var, Var) || var->varno != rel->relid || var->varattno <= 0)
		return false;
	column = mcLogColumn(info->columns, var->varattno);
	return column != NULL && (column->kind == MC_LOG_RECEIVE_TIME || column->kind == MC_LOG_SHARD);
}

static bool
bounds_scan(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	List	   *quals = NIL;

	return classify(root, rel, rel->fdw_private, rinfo, &quals);
}

void
mcLogGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	const McLogRel *info = rel->fdw_private;
	McScanCost	cost = {
		.startup = STARTUP_COST,
		.row = ROW_COST,
		.rows = info->rows_scanned,
		.joined_rows = JOIN_ROWS,
		.local = info->local,
	};

	mcAddScanPaths(root, rel, &cost, is_pushed_column, bounds_scan);
}

ForeignScan *
mcLogGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
			 List *tlist, List *clauses, Plan *outer)
{
	const McLogRel *info = rel->fdw_private;
	List	   *quals = NIL;
	List	   *exprs = NIL;
	List	   *local = NIL;
	List	   *recheck = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (rinfo->pseudoconstant)
			continue;
		if (classify(root, rel, info, rinfo, &quals))
			recheck = lappend(recheck, rinfo->clause);
		else
			local = lappend(local, rinfo->clause);
	}
	foreach(lc, quals)
		exprs = lappend(exprs, ((McQual *) lfirst(lc))->expr);

	return make_foreignscan(tlist, local, rel->relid, exprs,
							list_make3(mcNeededAttributes(rel, info->columns, local), mcQualsToList(quals),
									   makeInteger(mcAllRowsWanted(root, path))),
							NIL, recheck, outer);
}
