/*
 * ots_stream_plan.c
 *		Planning a scan of a change stream: size, paths, plan.
 *
 * Conditions on __commit_time__ and __shard__ leave the local conditions and go to
 * fdw_exprs and fdw_recheck_quals; parameterized paths carry those of joins, so that
 * a table of windows can drive a scan.  The service is not asked: it has no
 * statistics, so the estimate is a constant rate times the length of the window.
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
#include "ots_stream.h"
#include "scan_path.h"

#define DEFAULT_ROWS 1000000.0	/* of a day, without statistics */
#define DAY 86400e6				/* microseconds */
#define OPEN_WINDOW 3600e6		/* assumed for bounds not known yet */
#define JOIN_ROWS (DEFAULT_ROWS * OPEN_WINDOW / DAY)	/* each bound from a join leaves an hour's worth */
#define STARTUP_COST 1000.0		/* some round trips */
#define ROW_COST 0.03			/* beside cpu_tuple_cost: receive, verify, decode */

typedef struct McStreamRel
{
	List	   *columns;
	List	   *quals;			/* of baserestrictinfo */
	List	   *local;			/* RestrictInfos that stay */
	double		rows_scanned;
} McStreamRel;

List *
mcStreamColumns(Relation rel)
{
	List	   *columns = mcOtsColumns(rel);
	ListCell   *lc;

	foreach(lc, columns)
	{
		const McOtsColumn *column = lfirst(lc);

		/* a rounded time would be in another window than its record */
		if (column->kind == MC_OTS_COMMIT_TIME && column->typmod >= 0 && column->typmod < 6)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
					 errmsg("column \"%s\" cannot be of type timestamptz(%d)", column->attname, column->typmod),
					 errdetail("Commit times have microseconds, and windows are cut at them."),
					 errhint("Declare it as timestamptz.")));
	}
	return columns;
}

/* Rows the scan will fetch, as far as the bounds are known at plan time */
static double
estimate_rows(PlannerInfo *root, List *quals, double tuples)
{
	int			n = list_length(quals);
	Datum	   *values = palloc0(sizeof(Datum) * (n + 1));
	bool	   *nulls = palloc0(sizeof(bool) * (n + 1));
	List	   *known = NIL;
	bool		unknown = false;
	McStreamSelection selection;
	double		length = DAY;
	ListCell   *lc;

	foreach(lc, quals)
	{
		McQual	   *qual = lfirst(lc);
		Node	   *value = estimate_expression_value(root, (Node *) qual->expr);

		if (!IsA(value, Const))
		{
			unknown = unknown || qual->kind == MC_STREAM_TIME;
			continue;
		}
		values[list_length(known)] = ((Const *) value)->constvalue;
		nulls[list_length(known)] = ((Const *) value)->constisnull;
		known = lappend(known, qual);
	}
	mcStreamSelect(known, values, nulls, &selection);
	if (selection.empty)
		return 1;
	if (selection.has_begin && selection.has_end)
		length = Min((double) selection.end - (double) selection.begin, DAY);
	else if (unknown || selection.has_begin)
		length = OPEN_WINDOW;
	return clamp_row_est(tuples * length / DAY);
}

void
mcOtsStreamGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	McStreamRel *info = palloc0(sizeof(McStreamRel));
	Relation	relation = table_open(relid, NoLock);
	double		tuples = rel->tuples > 0 ? rel->tuples : DEFAULT_ROWS;
	ListCell   *lc;

	info->columns = mcStreamColumns(relation);
	table_close(relation, NoLock);
	rel->fdw_private = info;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		McQual	   *qual = palloc0(sizeof(McQual));

		if (mcStreamMatchQual(root, rinfo, rel, info->columns, qual))
			info->quals = lappend(info->quals, qual);
		else
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
	const McStreamRel *info = rel->fdw_private;
	Var		   *var = (Var *) em->em_expr;
	const McOtsColumn *column;

	if (!IsA(var, Var) || var->varno != rel->relid || var->varattno <= 0)
		return false;
	column = mcOtsColumn(info->columns, var->varattno);
	return column != NULL && (column->kind == MC_OTS_COMMIT_TIME || column->kind == MC_OTS_SHARD);
}

static bool
bounds_scan(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	const McStreamRel *info = rel->fdw_private;
	McQual		qual;

	return mcStreamMatchQual(root, rinfo, rel, info->columns, &qual);
}

void
mcOtsStreamGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	const McStreamRel *info = rel->fdw_private;
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
mcOtsStreamGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
				   List *tlist, List *clauses, Plan *outer)
{
	const McStreamRel *info = rel->fdw_private;
	List	   *quals = NIL;
	List	   *exprs = NIL;
	List	   *local = NIL;
	List	   *recheck = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		McQual	   *qual = palloc0(sizeof(McQual));

		if (rinfo->pseudoconstant)
			continue;
		if (mcStreamMatchQual(root, rinfo, rel, info->columns, qual))
		{
			quals = lappend(quals, qual);
			exprs = lappend(exprs, qual->expr);
			recheck = lappend(recheck, rinfo->clause);
		}
		else
			local = lappend(local, rinfo->clause);
	}
	return make_foreignscan(tlist, local, rel->relid, exprs,
							list_make3(makeString("stream"), mcNeededAttributes(rel, info->columns, local),
									   mcQualsToList(quals)),
							NIL, recheck, outer);
}
