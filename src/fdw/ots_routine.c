/*
 * ots_routine.c
 *		tablestore_fdw's scan callbacks: mode 'table' or mode 'stream'.
 *
 * Planner callbacks ask the table's option; executor callbacks ask the plan, whose
 * fdw_private of a stream begins with a String node "stream".
 */
#include "postgres.h"

#include "commands/explain.h"
#include "utils/rel.h"

#include "ots.h"

static void
get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	(mcOtsIsStream(relid) ? mcOtsStreamGetRelSize : mcOtsGetRelSize) (root, rel, relid);
}

static void
get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	(mcOtsIsStream(relid) ? mcOtsStreamGetPaths : mcOtsGetPaths) (root, rel, relid);
}

static ForeignScan *
get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist,
		 List *clauses, Plan *outer)
{
	bool		stream = OidIsValid(relid) && mcOtsIsStream(relid);

	return (stream ? mcOtsStreamGetPlan : mcOtsGetPlan) (root, rel, relid, path, tlist, clauses, outer);
}

static inline bool
is_stream(ForeignScanState *node)
{
	List	   *private = ((ForeignScan *) node->ss.ps.plan)->fdw_private;

	return private != NIL && linitial(private) != NULL && IsA(linitial(private), String);
}

static void
begin_scan(ForeignScanState *node, int eflags)
{
	(is_stream(node) ? mcOtsStreamBegin : mcOtsBegin) (node, eflags);
}

static TupleTableSlot *
iterate_scan(ForeignScanState *node)
{
	return (is_stream(node) ? mcOtsStreamIterate : mcOtsIterate) (node);
}

static void
rescan(ForeignScanState *node)
{
	(is_stream(node) ? mcOtsStreamReScan : mcOtsReScan) (node);
}

static void
end_scan(ForeignScanState *node)
{
	(is_stream(node) ? mcOtsStreamEnd : mcOtsEnd) (node);
}

static void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	(is_stream(node) ? mcOtsStreamExplain : mcOtsExplain) (node, es);
}

/*
 * A sample would mean reading the table: the service picks no random rows, and keys
 * need not be evenly spread.
 */
static bool
analyze(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	return false;
}

void
mcOtsRoutine(FdwRoutine *routine)
{
	routine->GetForeignRelSize = get_rel_size;
	routine->GetForeignPaths = get_paths;
	routine->GetForeignPlan = get_plan;
	routine->BeginForeignScan = begin_scan;
	routine->IterateForeignScan = iterate_scan;
	routine->ReScanForeignScan = rescan;
	routine->EndForeignScan = end_scan;
	routine->ExplainForeignScan = explain_scan;
	routine->AnalyzeForeignTable = analyze;
	routine->ImportForeignSchema = mcOtsImport;
	mcAsyncRoutine(routine);
}
