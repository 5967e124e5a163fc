/*
 * odps_delete.c
 *		DELETE of whole partitions: which ones is decided by the executor's evaluation of
 *		the original quals over the partition list, the drop itself happens at commit.
 *
 * Any other DELETE is refused with the reason.
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "job.h"
#include "odps_delete.h"
#include "odps_write.h"
#include "qual.h"

typedef struct McDelete
{
	bool		can_set_tag;
	bool		done;
	int			listed;
	int			dropped;
	McTarget   *target;			/* NULL: EXPLAIN without ANALYZE */
	McPruner   *pruner;
} McDelete;

/* the keys need metadata, which planning takes from the backend's cache or asks for */
static Bitmapset *
key_attnums(PlannerInfo *root, Index rti, char **names)
{
	RangeTblEntry *rte = planner_rt_fetch(rti, root);
	Oid			userid = root->simple_rel_array[rti]->userid;
	Relation	rel = table_open(rte->relid, NoLock);
	McOdps	   *odps = mcOdpsOpen(GetForeignTable(rte->relid)->serverid,
								  OidIsValid(userid) ? userid : GetUserId(), rte->relid);
	const mcs_odps_table *table = mcOdpsTable(odps, false);
	McOdpsMap  *map = mcOdpsMapColumns(rel, table, &odps->place);
	Bitmapset  *result = NULL;

	for (int k = 0; k < table->nkeys; k++)
		if (map->key_attnum[k] > 0)
			result = bms_add_member(result, map->key_attnum[k]);
	*names = table->nkeys > 0 ? mcOdpsKeyNames(table) : NULL;
	table_close(rel, NoLock);
	return result;
}

/* the quals if all of them choose partitions; else NIL and the reason */
static List *
partition_quals(PlannerInfo *root, ModifyTable *plan, Index rti, const char **reason, char **keys)
{
	RelOptInfo *baserel = root->simple_rel_array[rti];
	Plan	   *subplan = outerPlan(plan);
	Bitmapset  *attnums = key_attnums(root, rti, keys);
	List	   *quals = NIL;
	ListCell   *lc;

	*reason = NULL;
	if (*keys == NULL)
		*reason = "the remote table has no partitions";
	else if (plan->returningLists != NIL)
		*reason = "RETURNING would need the rows of the partition";
	else if (!IsA(subplan, ForeignScan) || ((ForeignScan *) subplan)->scan.scanrelid != rti)
		*reason = "the condition is constant, or the statement has USING, a join or several tables";
	else if (baserel->baserestrictinfo == NIL)
		*reason = "there is no WHERE clause";
	if (*reason)
		return NIL;
	foreach(lc, baserel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (!restriction_is_securely_promotable(rinfo, baserel) ||
			!mcReadsOnly((Node *) rinfo->clause, rti, attnums))
		{
			*reason = "a condition is not on partition keys alone, or is volatile or has a subquery";
			return NIL;
		}
		quals = lappend(quals, rinfo->clause);
	}
	return quals;
}

void
mcOdpsRefuseDelete(PlannerInfo *root, ModifyTable *plan, Index rti)
{
	const char *name = get_rel_name(planner_rt_fetch(rti, root)->relid);
	const char *reason;
	char	   *keys;

	(void) partition_quals(root, plan, rti, &reason, &keys);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("DELETE on \"%s\" is only possible for whole partitions", name),
			 errdetail("Here %s.", reason ? reason : "a trigger or a stored generated column needs the rows"),
			 keys ? errhint("Use a WHERE clause on the partition keys (%s), TRUNCATE, or an INSERT with write_mode 'overwrite'.", keys) :
			 errhint("Use TRUNCATE, or an INSERT with write_mode 'overwrite'.")));
}

static bool
plan_direct(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan_index)
{
	const char *reason;
	char	   *keys;
	List	   *quals;
	ForeignScan *scan;

	if (plan->operation != CMD_DELETE || subplan_index > 0)
		return false;
	quals = partition_quals(root, plan, rti, &reason, &keys);
	if (quals == NIL)
		return false;			/* PlanForeignModify raises with the reason */
	scan = (ForeignScan *) outerPlan(plan);
	scan->operation = CMD_DELETE;
	scan->resultRelation = rti;
	scan->scan.plan.qual = NIL;
	scan->fdw_exprs = copyObject(quals);
	scan->fdw_recheck_quals = NIL;
	scan->fdw_scan_tlist = NIL;
	scan->fdw_private = list_make1(makeInteger(plan->canSetTag));
	return true;
}

static void
begin_direct(ForeignScanState *node, int eflags)
{
	ForeignScan *scan = (ForeignScan *) node->ss.ps.plan;
	ResultRelInfo *rinfo = node->resultRelInfo;
	McDelete   *del = palloc0(sizeof(McDelete));
	McOdpsMap  *map;

	node->fdw_state = del;
	del->can_set_tag = intVal(linitial(scan->fdw_private)) != 0;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	del->target = mcWriteTarget(rinfo->ri_RelationDesc, mcModifyUserId(rinfo, node->ss.ps.state));
	map = mcOdpsMapColumns(rinfo->ri_RelationDesc, del->target->table, &del->target->odps->place);
	del->pruner = mcPrunerCreate(rinfo->ri_RelationDesc, scan->fdw_exprs, del->target->table, map,
								 &node->ss.ps, del->target->odps);
}

static TupleTableSlot *
iterate_direct(ForeignScanState *node)
{
	McDelete   *del = node->fdw_state;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	EState	   *estate = node->ss.ps.state;
	const mcs_odps_partitions *list;
	int64		rows = 0;

	if (del->done)
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	del->done = true;
	if (mcSinkOn(del->target))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot delete from \"%s\" while the same statement inserts into it", del->target->name),
				 errdetail("The order of the two is not defined."),
				 errhint("Use two statements in one transaction.")));
	list = mcOdpsPartitions(del->target->odps, true);
	del->listed = list->nitems;
	for (int i = 0; i < list->nitems; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		if (!mcPrunerMatch(del->pruner, econtext, &list->items[i]))
			continue;
		mcWriteIntend(del->target, list->items[i].values);
		del->dropped++;
		rows += Max(list->items[i].record_num, 0);
	}
	if (del->can_set_tag)
		estate->es_processed += rows;
	else if (mcJob)
		mcJob->rows_out += rows;
	if (node->ss.ps.instrument)
		node->ss.ps.instrument->tuplecount += rows;
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

static void
end_direct(ForeignScanState *node)
{
}

static void
explain_direct(ForeignScanState *node, ExplainState *es)
{
	McDelete   *del = node->fdw_state;
	List	   *quals = ((ForeignScan *) node->ss.ps.plan)->fdw_exprs;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL);

	ExplainPropertyText("Drops Partitions", "at commit", es);
	ExplainPropertyText("Partition Filter",
						deparse_expression((Node *) make_ands_explicit(list_copy(quals)), context,
										   list_length(es->rtable) > 1 || es->verbose, false), es);
	if (es->analyze && del->done)
	{
		ExplainPropertyInteger("Partitions Listed", NULL, del->listed, es);
		ExplainPropertyInteger("Partitions To Drop", NULL, del->dropped, es);
	}
}

void
mcOdpsDeleteRoutine(FdwRoutine *routine)
{
	routine->PlanDirectModify = plan_direct;
	routine->BeginDirectModify = begin_direct;
	routine->IterateDirectModify = iterate_direct;
	routine->EndDirectModify = end_direct;
	routine->ExplainDirectModify = explain_direct;
}
