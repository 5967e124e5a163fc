/*
 * oss_plan.c
 *		Planning a scan of OSS objects: size, paths, plan.
 *
 * Conditions that read only columns of the object leave the local conditions and go to
 * fdw_exprs and fdw_recheck_quals; parameterized paths carry those of joins.  The
 * planner never contacts the service: the estimate is reltuples, which VACUUM cannot
 * set, or a constant.
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
#include "oss.h"
#include "scan_path.h"

#define DEFAULT_ROWS 1000000.0	/* without statistics */
#define JOIN_ROWS 10000.0		/* ... of the objects that one value of a join chooses, at most */
#define STARTUP_COST 1000.0		/* some round trips */
#define ROW_COST 0.01			/* beside cpu_tuple_cost: receive, split, convert */

typedef struct McOssRel
{
	McOssTable *table;
	List	   *object;			/* RestrictInfos that choose objects */
	List	   *local;			/* the others */
	double		rows_scanned;
} McOssRel;

static bool
chooses_objects(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	const McOssRel *info = rel->fdw_private;

	/* it is evaluated before every condition that stays */
	return !rinfo->pseudoconstant && restriction_is_securely_promotable(rinfo, rel) &&
		mcOssIsObjectQual(info->table, rel, rinfo->clause);
}

static void
oss_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	McOssRel   *info = palloc0(sizeof(McOssRel));
	Relation	relation = table_open(relid, NoLock);
	McServer   *server = mcGetServer(MC_OSS, GetForeignTable(relid)->serverid, mcPlanUserId(root, rel), relid, false);
	double		tuples = rel->tuples > 0 ? rel->tuples : DEFAULT_ROWS;
	ListCell   *lc;

	info->table = mcOssTable(relation, server);
	table_close(relation, NoLock);
	rel->fdw_private = info;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (chooses_objects(root, rel, rinfo))
			info->object = lappend(info->object, rinfo);
		else
			info->local = lappend(info->local, rinfo);
	}
	info->rows_scanned = clamp_row_est(tuples * clauselist_selectivity(root, info->object, 0, JOIN_INNER, NULL));
	rel->tuples = tuples;
	set_baserel_size_estimates(root, rel);
}

/* A column whose equality conditions choose objects, for the equivalence classes */
static bool
is_object_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	const McOssRel *info = rel->fdw_private;

	return IsA(em->em_expr, Var) && ((Var *) em->em_expr)->varno == rel->relid &&
		mcOssIsObjectQual(info->table, rel, em->em_expr);
}

static void
oss_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	const McOssRel *info = rel->fdw_private;
	McScanCost	cost = {
		.startup = STARTUP_COST,
		.row = ROW_COST,
		.rows = info->rows_scanned,
		.joined_rows = JOIN_ROWS,
		.local = info->local,
	};

	mcAddScanPaths(root, rel, &cost, is_object_column, chooses_objects);
}

static ForeignScan *
oss_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist, List *clauses, Plan *outer)
{
	const McOssRel *info = rel->fdw_private;
	List	   *quals = NIL;
	List	   *exprs = NIL;
	List	   *object = NIL;
	List	   *local = NIL;
	List	   *places = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		McQual	   *qual = palloc0(sizeof(McQual));

		if (rinfo->pseudoconstant)
			continue;
		if (!chooses_objects(root, rel, rinfo))
		{
			local = lappend(local, rinfo->clause);
			continue;
		}
		object = lappend(object, rinfo->clause);
		if (!mcOssMatchQual(root, rinfo, rel, info->table, qual))
			continue;
		quals = lappend(quals, qual);
		exprs = lappend(exprs, qual->expr);
		places = lappend_int(places, list_length(object) - 1);
	}
	return make_foreignscan(tlist, local, rel->relid, list_concat(exprs, object),
							list_make4(mcNeededAttributes(rel, info->table->columns, local), mcQualsToList(quals),
									   makeInteger(mcAllRowsWanted(root, path)), places),
							NIL, list_copy(object), outer);
}

void
mcOssPlanRoutine(FdwRoutine *routine)
{
	routine->GetForeignRelSize = oss_rel_size;
	routine->GetForeignPaths = oss_paths;
	routine->GetForeignPlan = oss_plan;
}
