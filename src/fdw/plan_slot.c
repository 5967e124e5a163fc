/*
 * plan_slot.c
 *		Rows read from the slot of the plan below an INSERT, and a target slot that
 *		copies nothing.
 *
 * The plan's slot spares a second deforming of the row; its values are the row's only
 * if nothing between the plan and the sink changes them.
 *
 * Before ExecForeignInsert the executor copies the plan's row into a slot of the
 * target, forming a heap tuple, and materializes it.  A sink that reads the plan's
 * own slot has no use for the copy, which costs as much as encoding the row.  So the
 * target's slot is replaced by one that takes no copy.
 *
 * Such a slot has no values.  That is safe where nobody but the sink looks at the
 * row after the plan made it: no triggers, RETURNING, generated columns, checks of a
 * view, routing.  Whoever looks all the same gets an error of the virtual slot's
 * getsomeattrs, not garbage.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "compat.h"
#include "plan_slot.h"

#define PREFETCH_BYTES 1024

/*
 * A tuple in a shared buffer is about to be walked from value to value, each step a
 * cache miss that waits for the one before.  The copy would have fetched its lines
 * together, so this does (local table to MaxCompute: a tenth of the CPU time).
 */
static void
fetch_lines(TupleTableSlot *src)
{
	HeapTuple	tuple = TTS_IS_BUFFERTUPLE(src) ? ((HeapTupleTableSlot *) src)->tuple : NULL;

	for (uint32 at = 0; tuple && at < Min(tuple->t_len, PREFETCH_BYTES); at += 64)
		__builtin_prefetch((char *) tuple->t_data + at);
}

static void
copy_nothing(TupleTableSlot *dst, TupleTableSlot *src)
{
	fetch_lines(src);
	dst->tts_flags &= ~TTS_FLAG_EMPTY;
	dst->tts_nvalid = 0;
}

static void
materialize_nothing(TupleTableSlot *slot)
{
}

static const TupleTableSlotOps *
hollow_ops(void)
{
	static TupleTableSlotOps ops;

	if (ops.copyslot == NULL)
	{
		ops = TTSOpsVirtual;
		ops.copyslot = copy_nothing;
		ops.materialize = materialize_nothing;
	}
	return &ops;
}

static bool
same_types(TupleDesc plan, TupleDesc target)
{
	if (plan->natts != target->natts)
		return false;
	for (int i = 0; i < plan->natts; i++)
		if (!mcIsNotRemote(TupleDescAttr(target, i)) &&
			TupleDescAttr(target, i)->atttypid != TupleDescAttr(plan, i)->atttypid)
			return false;
	return true;
}

bool
mcPlanSlotIsTheRow(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	TriggerDesc *triggers = rinfo->ri_TrigDesc;
	TupleDesc	target = RelationGetDescr(rinfo->ri_RelationDesc);
	TupleConstr *constr = target->constr;

	return mtstate->operation == CMD_INSERT && rinfo->ri_RootResultRelInfo == NULL &&
		!(triggers && triggers->trig_insert_before_row) &&
		!(constr && constr->has_generated_stored) &&
		outerPlanState(mtstate) != NULL &&
		same_types(ExecGetResultType(outerPlanState(mtstate)), target);
}

bool
mcHollowSlotAllowed(const ModifyTableState *mtstate, const ResultRelInfo *rinfo)
{
	const TriggerDesc *triggers = rinfo->ri_TrigDesc;

	return !(triggers && (triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
						  triggers->trig_insert_instead_row)) &&
		rinfo->ri_returningList == NIL && rinfo->ri_WithCheckOptions == NIL &&
		((ModifyTable *) mtstate->ps.plan)->returningLists == NIL &&
		((ModifyTable *) mtstate->ps.plan)->withCheckOptionLists == NIL &&
		mtstate->mt_transition_capture == NULL;
}

void
mcHollowSlotInstall(EState *estate, ResultRelInfo *rinfo)
{
	MemoryContext old;

	if (rinfo->ri_newTupleSlot == NULL || rinfo->ri_projectNew != NULL)
		return;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	rinfo->ri_newTupleSlot = ExecInitExtraTupleSlot(estate, RelationGetDescr(rinfo->ri_RelationDesc),
													hollow_ops());
	MemoryContextSwitchTo(old);
}
