/*
 * plan_slot.h
 *		Sinks that read rows from the slot of the plan below an INSERT.
 */
#ifndef MC_PLAN_SLOT_H
#define MC_PLAN_SLOT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"

/* May values be read from the slot of the plan below?  Nothing may change the row in between. */
extern bool mcPlanSlotIsTheRow(ModifyTableState *mtstate, ResultRelInfo *rinfo);
/* need the executor not copy a row that is read from the plan's slot? */
extern bool mcHollowSlotAllowed(const ModifyTableState *mtstate, const ResultRelInfo *rinfo);
/* at the first row, when the executor has made its slot */
extern void mcHollowSlotInstall(EState *estate, ResultRelInfo *rinfo);

#endif							/* MC_PLAN_SLOT_H */
