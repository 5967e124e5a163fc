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
#include "modify.h"
#include "odps_delete.h"
#include "odps_write.h"

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

static void *
create(EState *estate, Relation rel, Oid userid)
{
	return mcSinkCreate(estate, rel, userid);
}

static bool
put_row(void *sink, TupleTableSlot *slot)
{
	return mcSinkRow(sink, slot);
}

static void
end(void *sink)
{
	mcSinkEnd(sink);
}

static const McSinkOps sink_ops = {create, put_row, end};

static void
begin_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			 int subplan_index, int eflags)
{
	mcModifyBegin(&sink_ops, mtstate, rinfo, eflags);
}

static void
begin_insert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	mcModifyBeginInsert(&sink_ops, mtstate, rinfo);
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
	return mcIsUpdatable(rel) ? (1 << CMD_INSERT) | (1 << CMD_DELETE) : 0;
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
	if (mcServerOption(server, "run_column"))
		ExplainPropertyText("Run Column", mcServerOption(server, "run_column"), es);
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
	routine->ExecForeignInsert = mcModifyInsert;
	routine->EndForeignModify = mcModifyEnd;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = mcModifyEnd;
	routine->ExecForeignDelete = exec_delete;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
	routine->ExecForeignTruncate = mcOdpsTruncate;
	mcOdpsDeleteRoutine(routine);
}
