/*
 * loghub_modify.c
 *		INSERT, COPY and tuple routing into a logstore: the executor's callbacks around a
 *		sink, and EXPLAIN.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "loghub_write.h"
#include "modify.h"

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan_index)
{
	const char *name = get_rel_name(planner_rt_fetch(rti, root)->relid);

	if (plan->operation == CMD_INSERT && plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT is not possible on \"%s\"", name),
				 errdetail("Logs have no keys."),
				 errhint("Remove duplicates in the SELECT.")));
	if (plan->operation != CMD_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s on \"%s\" is not possible", plan->operation == CMD_DELETE ? "DELETE" : "UPDATE", name),
				 errdetail("Logs cannot be changed, and go only with the retention of the logstore.")));
	return NIL;
}

static void *
create(EState *estate, Relation rel, Oid userid)
{
	return mcLogSinkCreate(estate, rel, userid);
}

static bool
put_row(void *sink, TupleTableSlot *slot)
{
	return mcLogSinkRow(sink, slot);
}

static void
end(void *sink)
{
	mcLogSinkEnd(sink);
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

static int
is_updatable(Relation rel)
{
	return mcIsUpdatable(rel) ? 1 << CMD_INSERT : 0;
}

/* what the options say, without network and user mapping */
static void
explain_options(Relation rel, ExplainState *es)
{
	McServer   *server = mcGetServer(MC_LOGHUB, GetForeignTable(RelationGetRelid(rel))->serverid, InvalidOid,
									 RelationGetRelid(rel), false);
	const char *compression = mcServerOption(server, "compression");

	ExplainPropertyText("Target", psprintf("%s.%s", server->project, mcServerOption(server, "logstore")), es);
	ExplainPropertyText("Write Mode", mcServerOptionIs(server, "publish", "outbox") ?
						"outbox, sent when the job has committed, at least once" :
						"immediate, visible as sent, at least once", es);
	if (es->verbose)
	{
		ExplainPropertyText("Compression", compression ? compression : "lz4", es);
		ExplainPropertyInteger("Batch Size", NULL, mcServerOptionInt(server, "batch_size", MC_LOG_BATCH_SIZE), es);
		ExplainPropertyInteger("Request Size", NULL, mcServerOptionInt(server, "request_size", MC_LOG_REQUEST_SIZE), es);
		ExplainPropertyInteger("Concurrency", NULL, server->concurrency, es);
	}
}

static void
explain_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			   int subplan_index, ExplainState *es)
{
	McModify   *modify = rinfo->ri_FdwState;
	McLogSink  *sink = modify ? modify->sink : NULL;
	mcs_log_writer_info info = {0};
	const mcn_stats *now;

	explain_options(rinfo->ri_RelationDesc, es);
	if (!es->analyze || !sink)
		return;

	/* EXPLAIN prints before EndForeignModify: without this the last batches would be missing */
	mcLogSinkFlush(sink);
	if (sink->writer)
		info = *mcs_log_writer_get_info(sink->writer);
	now = mcn_channel_stats(sink->channel);
	ExplainPropertyInteger("Rows Written", NULL, info.logs + sink->kept_rows, es);
	ExplainPropertyInteger("Rows Rejected", NULL, sink->rejects.rejected, es);
	ExplainPropertyInteger("Batches", NULL, info.batches + sink->kept_batches, es);
	ExplainPropertyInteger("Bytes Encoded", NULL, info.bytes_raw + sink->kept_raw, es);
	ExplainPropertyInteger("Bytes Sent", NULL, info.bytes_sent + sink->kept_bytes, es);
	ExplainPropertyInteger("Retries", NULL, now->retries - sink->before.retries, es);
	ExplainPropertyInteger("Throttled", NULL, now->throttled - sink->before.throttled, es);
	ExplainPropertyInteger("Rows Possibly Repeated", NULL, info.maybe_twice, es);
	if (es->verbose || info.cut > 0)
		ExplainPropertyInteger("Batches Cut", NULL, info.cut, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", (now->wait_us - sink->before.wait_us) / 1000.0, 3, es);
}

void
mcLoghubModifyRoutine(FdwRoutine *routine)
{
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignModify = begin_modify;
	routine->ExecForeignInsert = mcModifyInsert;
	routine->EndForeignModify = mcModifyEnd;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = mcModifyEnd;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
}
