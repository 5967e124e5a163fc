/*
 * scan_path.c
 *		Paths of a scan that a service bounds by conditions alone.
 */
#include "postgres.h"

#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/restrictinfo.h"

#include "compat.h"
#include "scan_path.h"

/* The sets of outer relations (Relids, distinct) whose rows can bound the scan */
static List *
bounding_relids(PlannerInfo *root, RelOptInfo *rel, ec_matches_callback_type is_pushed, McBoundsScan bounds)
{
	List	   *clauses = list_copy(rel->joininfo);
	List	   *found = NIL;
	ListCell   *lc;

	if (rel->has_eclass_joins)
		clauses = list_concat(clauses,
							  generate_implied_equalities_for_column(root, rel, is_pushed, NULL,
																	 rel->lateral_referencers));
	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		Relids		outer;
		ListCell   *ls;
		bool		known = false;

		if (!join_clause_is_movable_to(rinfo, rel) || !bounds(root, rel, rinfo))
			continue;
		outer = bms_union(rinfo->clause_relids, rel->lateral_relids);
		outer = bms_del_member(outer, rel->relid);
		foreach(ls, found)
			known = known || bms_equal(lfirst(ls), outer);
		if (!known && !bms_is_empty(outer))
			found = lappend(found, outer);
	}
	return found;
}

static void
add_scan(PlannerInfo *root, RelOptInfo *rel, const McScanCost *cost, double scanned, double rows, Relids outer)
{
	QualCost	local;
	QualCost	target = rel->reltarget->cost;
	Cost		startup;
	Cost		total;

	cost_qual_eval(&local, cost->local, root);
	startup = cost->startup + local.startup + target.startup;
	total = startup + scanned * (cost->row + cpu_tuple_cost + local.per_tuple + target.per_tuple);
	add_path(rel, (Path *) mcCreateForeignScanPath(root, rel, rows, startup, total, NIL, outer, NIL));
}

void
mcAddScanPaths(PlannerInfo *root, RelOptInfo *rel, const McScanCost *cost,
			   ec_matches_callback_type is_pushed, McBoundsScan bounds)
{
	ListCell   *lc;

	add_scan(root, rel, cost, cost->rows, rel->rows, rel->lateral_relids);
	foreach(lc, bounding_relids(root, rel, is_pushed, bounds))
	{
		Relids		outer = lfirst(lc);

		add_scan(root, rel, cost, clamp_row_est(Min(cost->rows, cost->joined_rows)),
				 get_baserel_parampathinfo(root, rel, outer)->ppi_rows, outer);
	}
}
