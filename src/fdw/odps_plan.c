/*
 * odps_plan.c
 *		Planner side of a MaxCompute scan.
 *
 * Planning never talks to the service: which columns are partition keys is known
 * when the scan starts, so every clause that could be answered by the partition list
 * travels along in fdw_exprs, and the scan drops from its quals what the list has
 * answered.  Estimates use what this backend has cached, else pg_class.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "compat.h"
#include "odps_read.h"

#define DEFAULT_ROWS 1000000.0
#define STARTUP_COST 100.0		/* metadata, a session */
#define BYTE_COST 0.00001		/* of the network, beside cpu_tuple_cost */

static void
odpsGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	const mcs_odps_table *table = mcOdpsPeek(baserel->serverid, mcPlanUserId(root, baserel), foreigntableid);

	if (table && table->record_num >= 0)
		baserel->tuples = (double) table->record_num;
	else if (baserel->tuples <= 0 || baserel->pages == 0)
		baserel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

static void
odpsGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	Cost		startup = STARTUP_COST + baserel->baserestrictcost.startup;
	Cost		run = baserel->tuples * (cpu_tuple_cost + baserel->baserestrictcost.per_tuple +
										 baserel->reltarget->width * BYTE_COST);

	add_path(baserel, (Path *) mcCreateForeignScanPath(root, baserel, baserel->rows, startup, startup + run,
													   NIL, baserel->lateral_relids, NIL));
}

/* attnums of the columns that the query looks at */
static List *
needed_columns(RelOptInfo *baserel, Oid foreigntableid)
{
	Relation	rel = table_open(foreigntableid, NoLock);
	int			natts = RelationGetNumberOfAttributes(rel);
	Bitmapset  *attrs = NULL;
	List	   *result = NIL;
	ListCell   *lc;
	bool		whole_row;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &attrs);
	foreach(lc, baserel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, baserel->relid, &attrs);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attrs);
	for (int i = 1; i <= natts; i++)
		if (!mcIsNotRemote(TupleDescAttr(RelationGetDescr(rel), i - 1)) &&
			(whole_row || bms_is_member(i - FirstLowInvalidHeapAttributeNumber, attrs)))
			result = lappend_int(result, i);
	for (int i = FirstLowInvalidHeapAttributeNumber + 1; i < 0; i++)
		if (i != TableOidAttributeNumber && bms_is_member(i - FirstLowInvalidHeapAttributeNumber, attrs))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("system columns of foreign table \"%s\" cannot be read", RelationGetRelationName(rel)),
					 errdetail("Only tableoid has a value.")));
	table_close(rel, NoLock);
	return result;
}

/*
 * Clauses that may be evaluated on the partition list, out of their order among the
 * quals: that must not show a leaky function what a security barrier hides.
 */
static List *
prunable_clauses(RelOptInfo *baserel)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, baserel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (rinfo->pseudoconstant || !restriction_is_securely_promotable(rinfo, baserel) ||
			contain_volatile_functions((Node *) rinfo->clause) || contain_subplans((Node *) rinfo->clause))
			continue;
		result = lappend(result, copyObject(rinfo->clause));
	}
	return result;
}

static ForeignScan *
odpsGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid, ForeignPath *best_path,
				   List *tlist, List *scan_clauses, Plan *outer_plan)
{
	return make_foreignscan(tlist, extract_actual_clauses(scan_clauses, false), baserel->relid,
							prunable_clauses(baserel),
							list_make1(needed_columns(baserel, foreigntableid)),
							NIL, NIL, outer_plan);
}

void
mcOdpsPlanRoutine(FdwRoutine *routine)
{
	routine->GetForeignRelSize = odpsGetForeignRelSize;
	routine->GetForeignPaths = odpsGetForeignPaths;
	routine->GetForeignPlan = odpsGetForeignPlan;
}
