/*
 * odps_modify.c
 *		INSERT, COPY and tuple routing into a MaxCompute table: the executor's
 *		callbacks around a sink, and EXPLAIN.
 *
 * UPDATE does not exist; DELETE of partitions is in odps_delete.c, TRUNCATE in
 * odps_truncate.c.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "odps_delete.h"
#include "odps_write.h"
#include "plan_slot.h"

/* ri_FdwState of a result relation */
typedef struct McModify
{
	McSink	   *sink;			/* NULL: EXPLAIN without ANALYZE */
	bool		plan_slot;		/* values are read from the slot of the plan below */
	bool		hollow;			/* replace the target's slot at the first row, which has made it */
} McModify;

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(rti, root);
	const char *name = get_rel_name(rte->relid);

	switch (plan->operation)
	{
		case CMD_INSERT:
			if (plan->onConflictAction != ONCONFLICT_NONE)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("ON CONFLICT is not possible on \"%s\"", name),
						 errdetail("A MaxCompute table that is written by batch upload has no keys."),
						 errhint("Remove duplicates in the SELECT.")));
			return NIL;
		case CMD_DELETE:
			mcOdpsRefuseDelete(root, plan, rti);
			break;
		default:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("UPDATE on \"%s\" is not possible", name),
			 errdetail("Rows of a MaxCompute table cannot be changed in place."),
			 errhint("Write the partition again: INSERT with write_mode 'overwrite'.")));
	return NIL;
}

static McModify *
begin(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	EState	   *estate = mtstate->ps.state;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	McModify   *modify = palloc0(sizeof(McModify));

	modify->sink = mcSinkCreate(estate, rinfo->ri_RelationDesc, mcModifyUserId(rinfo, estate));
	MemoryContextSwitchTo(old);
	return modify;
}

static void
begin_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			 int subplan_index, int eflags)
{
	McModify   *modify;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		rinfo->ri_FdwState = palloc0(sizeof(McModify));
		return;
	}
	modify = begin(mtstate, rinfo);
	modify->plan_slot = mcPlanSlotIsTheRow(mtstate, rinfo);
	modify->hollow = modify->plan_slot && mcHollowSlotAllowed(mtstate, rinfo);
	rinfo->ri_FdwState = modify;
}

/* COPY, and rows routed through a partitioned parent */
static void
begin_insert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	if (rinfo->ri_FdwState)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot route rows into \"%s\" while it is changed by the same statement",
						RelationGetRelationName(rinfo->ri_RelationDesc))));
	rinfo->ri_FdwState = begin(mtstate, rinfo);
}

static TupleTableSlot *
exec_insert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McModify   *modify = rinfo->ri_FdwState;

	if (unlikely(modify->hollow))
	{
		mcHollowSlotInstall(estate, rinfo);
		modify->hollow = false;
	}
	if (!mcSinkRow(modify->sink, modify->plan_slot && plan_slot ? plan_slot : slot))
		return NULL;
	return slot;
}

static void
end_modify(EState *estate, ResultRelInfo *rinfo)
{
	McModify   *modify = rinfo->ri_FdwState;

	if (modify && modify->sink)
	{
		mcSinkEnd(modify->sink);
		modify->sink = NULL;
	}
}

static TupleTableSlot *
exec_delete(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	elog(ERROR, "a row of \"%s\" cannot be deleted", RelationGetRelationName(rinfo->ri_RelationDesc));
	return NULL;
}

static int
is_updatable(Relation rel)
{
	const char *table = mcOptionText(GetForeignTable(RelationGetRelid(rel))->options, "updatable");
	const char *server = mcOptionText(GetForeignServer(GetForeignTable(RelationGetRelid(rel))->serverid)->options,
									  "updatable");
	const char *value = table ? table : server;

	if (value && mcOptionParse("updatable", value) == 0)
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_DELETE);
}

/* what the options say, without network and user mapping */
static void
explain_options(Relation rel, ExplainState *es)
{
	ForeignTable *ft = GetForeignTable(RelationGetRelid(rel));
	McServer   *server = mcGetServer(MC_MAXCOMPUTE, ft->serverid, InvalidOid, RelationGetRelid(rel), false);
	const char *table = mcOptionText(ft->options, "table");
	const char *partition = mcServerOption(server, "partition");
	const char *mode = mcServerOption(server, "write_mode");
	const char *schema = mcServerOption(server, "schema");
	const char *compression = mcServerOption(server, "compression");
	char	   *target = psprintf("%s.%s%s%s", server->project, schema ? schema : "", schema ? "." : "",
								  table ? table : RelationGetRelationName(rel));

	ExplainPropertyText("Target", target, es);
	ExplainPropertyText("Write Mode", mode && pg_strcasecmp(mode, "overwrite") == 0 ?
						"overwrite, published at commit" : "append, published at commit", es);
	if (partition)
		ExplainPropertyText("Partition", partition, es);
	if (es->verbose)
	{
		ExplainPropertyText("Compression", compression ? compression : "auto", es);
		ExplainPropertyInteger("Concurrency", NULL, server->concurrency, es);
	}
}

static void
explain_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			   int subplan_index, ExplainState *es)
{
	McModify   *modify = rinfo->ri_FdwState;
	const McSinkStats *stats;
	int64		requests;
	int64		retries;

	explain_options(rinfo->ri_RelationDesc, es);
	if (!es->analyze || !modify || !modify->sink)
		return;

	/* EXPLAIN prints before EndForeignModify: without this the last blocks would be missing */
	mcSinkFlush(modify->sink);
	stats = mcSinkGetStats(modify->sink);
	mcSinkRequests(modify->sink, &requests, &retries);
	ExplainPropertyInteger("Rows Written", NULL, stats->rows, es);
	ExplainPropertyInteger("Rows Rejected", NULL, mcSinkRejected(modify->sink), es);
	ExplainPropertyInteger("Partitions", NULL, stats->partitions, es);
	ExplainPropertyInteger("Blocks", NULL, stats->blocks, es);
	ExplainPropertyInteger("Bytes Encoded", NULL, stats->raw_bytes, es);
	ExplainPropertyInteger("Bytes Sent", NULL, stats->sent_bytes, es);
	if (es->verbose)
		ExplainPropertyInteger("Blocks Compressed", NULL, stats->compressed, es);
	ExplainPropertyInteger("Requests", NULL, requests, es);
	ExplainPropertyInteger("Retries", NULL, retries, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", stats->wait_us / 1000.0, 3, es);
}

void
mcOdpsModifyRoutine(FdwRoutine *routine)
{
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignModify = begin_modify;
	routine->ExecForeignInsert = exec_insert;
	routine->EndForeignModify = end_modify;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = end_modify;
	routine->ExecForeignDelete = exec_delete;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
	routine->ExecForeignTruncate = mcOdpsTruncate;
	mcOdpsDeleteRoutine(routine);
}
