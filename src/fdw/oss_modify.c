/*
 * oss_modify.c
 *		INSERT, COPY and tuple routing into an OSS table: the executor's callbacks
 *		around a sink, and EXPLAIN.
 *
 * Rows of files cannot be changed or deleted; TRUNCATE is in oss_truncate.c.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "modify.h"
#include "oss_write.h"

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan_index)
{
	const char *name = get_rel_name(planner_rt_fetch(rti, root)->relid);

	if (plan->operation == CMD_INSERT && plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT is not possible on \"%s\"", name),
				 errdetail("Objects of OSS have no keys."),
				 errhint("Remove duplicates in the SELECT.")));
	if (plan->operation != CMD_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s on \"%s\" is not possible", plan->operation == CMD_DELETE ? "DELETE" : "UPDATE", name),
				 errdetail("Rows of an object cannot be changed in place."),
				 plan->operation == CMD_DELETE ?
				 errhint("TRUNCATE deletes all objects of the table; INSERT with write_mode 'overwrite' replaces those of a directory.") :
				 errhint("Write the objects again: INSERT with write_mode 'overwrite'.")));
	return NIL;
}

static void *
create(EState *estate, Relation rel, Oid userid)
{
	return mcOssSinkCreate(estate, rel, userid);
}

static bool
put_row(void *sink, TupleTableSlot *slot)
{
	return mcOssSinkRow(sink, slot);
}

static void
end(void *sink)
{
	mcOssSinkEnd(sink);
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
	ForeignTable *ft = GetForeignTable(RelationGetRelid(rel));
	McServer   *server = mcGetServer(MC_OSS, ft->serverid, InvalidOid, RelationGetRelid(rel), false);
	const char *object = mcOptionText(ft->options, "object");
	const char *prefix = mcOptionText(ft->options, "prefix");
	const char *mode = mcServerOption(server, "write_mode");
	const char *format = mcServerOption(server, "format");
	const char *compression = mcServerOption(server, "compression");

	ExplainPropertyText("Target", psprintf("oss://%s/%s", server->bucket ? server->bucket : "",
										   object ? object : prefix ? prefix : ""), es);
	ExplainPropertyText("Write Mode", psprintf("%s, published at commit", mode ? mode : "append"), es);
	if (es->verbose)
	{
		ExplainPropertyText("Format", format ? format : "csv", es);
		ExplainPropertyText("Compression", compression ? compression : "auto", es);
		ExplainPropertyInteger("Concurrency", NULL, server->concurrency, es);
	}
}

static void
explain_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			   int subplan_index, ExplainState *es)
{
	McModify   *modify = rinfo->ri_FdwState;
	const McOssSinkStats *stats;
	int64		requests;
	int64		retries;

	explain_options(rinfo->ri_RelationDesc, es);
	if (!es->analyze || !modify || !modify->sink)
		return;

	/* EXPLAIN prints before EndForeignModify: without this the last parts would be missing */
	mcOssSinkFlush(modify->sink);
	stats = mcOssSinkGetStats(modify->sink);
	mcOssSinkRequests(modify->sink, &requests, &retries);
	ExplainPropertyInteger("Rows Written", NULL, stats->rows, es);
	ExplainPropertyInteger("Rows Rejected", NULL, mcOssSinkRejected(modify->sink), es);
	ExplainPropertyInteger("Directories", NULL, stats->directories, es);
	ExplainPropertyInteger("Objects", NULL, stats->objects, es);
	ExplainPropertyInteger("Parts", NULL, stats->parts, es);
	ExplainPropertyInteger("Bytes Encoded", NULL, stats->raw_bytes, es);
	ExplainPropertyInteger("Bytes Written", NULL, stats->sent_bytes, es);
	ExplainPropertyInteger("Requests", NULL, requests, es);
	ExplainPropertyInteger("Retries", NULL, retries, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", stats->wait_us / 1000.0, 3, es);
}

void
mcOssModifyRoutine(FdwRoutine *routine)
{
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignModify = begin_modify;
	routine->ExecForeignInsert = mcModifyInsert;
	routine->EndForeignModify = mcModifyEnd;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = mcModifyEnd;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
	routine->ExecForeignTruncate = mcOssTruncate;
}
