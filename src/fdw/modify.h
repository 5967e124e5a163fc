/*
 * modify.h
 *		The executor's side of an INSERT whose rows go to a sink one by one
 *		(LogHub, MaxCompute, OSS).
 */
#ifndef MC_MODIFY_H
#define MC_MODIFY_H

#include "postgres.h"

#include "nodes/execnodes.h"

typedef struct McSinkOps
{
	void	   *(*create) (EState *estate, Relation rel, Oid userid);
	bool		(*row) (void *sink, TupleTableSlot *slot);	/* false: the row was rejected */
	void		(*end) (void *sink);
} McSinkOps;

/* ri_FdwState of a result relation */
typedef struct McModify
{
	const McSinkOps *ops;
	void	   *sink;			/* NULL: EXPLAIN without ANALYZE */
	bool		plan_slot;		/* values are read from the slot of the plan below */
	bool		hollow;			/* replace the target's slot at the first row, which has made it */
} McModify;

/* BeginForeignModify */
extern void mcModifyBegin(const McSinkOps *ops, ModifyTableState *mtstate, ResultRelInfo *rinfo, int eflags);
/* BeginForeignInsert: COPY, and rows routed through a partitioned parent */
extern void mcModifyBeginInsert(const McSinkOps *ops, ModifyTableState *mtstate, ResultRelInfo *rinfo);
/*
 * Checks a row before it is written.  Core makes a view's check afterwards, too late for
 * what is sent at once, and leaves out the row-level security of a partitioned parent where
 * the partition is foreign.
 */
extern void mcCheckNewRow(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot);
/* ExecForeignInsert */
extern TupleTableSlot *mcModifyInsert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot);
/* EndForeignModify, EndForeignInsert */
extern void mcModifyEnd(EState *estate, ResultRelInfo *rinfo);
/* option "updatable" of the table or its server */
extern bool mcIsUpdatable(Relation rel);

#endif							/* MC_MODIFY_H */
