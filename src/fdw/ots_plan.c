/*
 * ots_plan.c
 *		Planning a Tablestore scan: size, paths, plan.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "compat.h"
#include "ots.h"

#define DEFAULT_ROWS 1000000.0	/* without ANALYZE */

void
mcOtsGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	Relation	relation = table_open(relid, NoLock);

	rel->fdw_private = mcOtsColumns(relation);
	table_close(relation, NoLock);
	if (rel->tuples <= 0)
		rel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, rel);
}

void
mcOtsGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	add_path(rel, (Path *) mcCreateForeignScanPath(root, rel, rel->rows, 100, 100 + rel->tuples * 0.02, NIL,
												   rel->lateral_relids, NIL));
}

static List *
needed_attributes(RelOptInfo *rel, List *local)
{
	Bitmapset  *used = NULL;
	List	   *attrs = NIL;
	ListCell   *lc;
	bool		whole;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	pull_varattnos((Node *) local, rel->relid, &used);
	whole = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	foreach(lc, (List *) rel->fdw_private)
	{
		const McOtsColumn *column = lfirst(lc);

		if (whole || bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, used))
			attrs = lappend_int(attrs, column->attnum);
	}
	return attrs;
}

ForeignScan *
mcOtsGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
			 List *tlist, List *clauses, Plan *outer)
{
	List	   *local = extract_actual_clauses(clauses, false);
	List	   *private = list_make5(needed_attributes(rel, local), NIL, NIL, makeBoolean(false), makeBoolean(false));

	private = lappend(private, makeBoolean(true));
	private = lappend(private, makeInteger(0));
	return make_foreignscan(tlist, local, rel->relid, NIL, private, NIL, NIL, outer);
}

void
mcOtsGetUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input,
				   RelOptInfo *output, void *extra)
{
}
