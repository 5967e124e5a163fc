/*
 * modify.c
 *		The executor's side of an INSERT whose rows go to a sink one by one.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/foreign.h"
#include "utils/rel.h"

#include "mc_fdw.h"
#include "modify.h"
#include "plan_slot.h"

static McModify *
begin(const McSinkOps *ops, ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	EState	   *estate = mtstate->ps.state;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	McModify   *modify = palloc0(sizeof(McModify));

	modify->ops = ops;
	modify->sink = ops->create(estate, rinfo->ri_RelationDesc, mcModifyUserId(rinfo, estate));
	MemoryContextSwitchTo(old);
	return modify;
}

void
mcModifyBegin(const McSinkOps *ops, ModifyTableState *mtstate, ResultRelInfo *rinfo, int eflags)
{
	McModify   *modify;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		rinfo->ri_FdwState = palloc0(sizeof(McModify));
		return;
	}
	modify = begin(ops, mtstate, rinfo);
	modify->plan_slot = mcPlanSlotIsTheRow(mtstate, rinfo);
	modify->hollow = modify->plan_slot && mcHollowSlotAllowed(mtstate, rinfo);
	rinfo->ri_FdwState = modify;
}

void
mcModifyBeginInsert(const McSinkOps *ops, ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	if (rinfo->ri_FdwState)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot route rows into \"%s\" while it is changed by the same statement",
						RelationGetRelationName(rinfo->ri_RelationDesc))));
	rinfo->ri_FdwState = begin(ops, mtstate, rinfo);
}

void
mcCheckNewRow(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot)
{
	if (likely(rinfo->ri_WithCheckOptions == NIL))
		return;
	slot->tts_tableOid = RelationGetRelid(rinfo->ri_RelationDesc);
	/* a row that UPDATE moves to another partition is inserted there */
	ExecWithCheckOptions(WCO_RLS_INSERT_CHECK, rinfo, slot, estate);
	ExecWithCheckOptions(WCO_RLS_UPDATE_CHECK, rinfo, slot, estate);
	ExecWithCheckOptions(WCO_VIEW_CHECK, rinfo, slot, estate);
}

TupleTableSlot *
mcModifyInsert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McModify   *modify = rinfo->ri_FdwState;

	if (unlikely(modify->hollow))
	{
		mcHollowSlotInstall(estate, rinfo);
		modify->hollow = false;
	}
	mcCheckNewRow(estate, rinfo, slot);
	if (!modify->ops->row(modify->sink, modify->plan_slot && plan_slot ? plan_slot : slot))
		return NULL;
	return slot;
}

void
mcModifyEnd(EState *estate, ResultRelInfo *rinfo)
{
	McModify   *modify = rinfo->ri_FdwState;

	if (modify && modify->sink)
	{
		modify->ops->end(modify->sink);
		modify->sink = NULL;
	}
}

bool
mcIsUpdatable(Relation rel)
{
	ForeignTable *ft = GetForeignTable(RelationGetRelid(rel));
	const char *value = mcOptionText(ft->options, "updatable");

	if (!value)
		value = mcOptionText(GetForeignServer(ft->serverid)->options, "updatable");
	return !value || mcOptionParse("updatable", value) != 0;
}
