/*
 * odps_delete.h
 *		TRUNCATE and DELETE, as odps_modify.c needs them.
 */
#ifndef MC_ODPS_DELETE_H
#define MC_ODPS_DELETE_H

#include "compat.h"
#include "mc_fdw.h"

#include "nodes/pathnodes.h"

extern void mcOdpsTruncate(List *rels, DropBehavior behavior, bool restart_seqs);
/* fills the direct-modify callbacks */
extern void mcOdpsDeleteRoutine(FdwRoutine *routine);
/* raises: says why this DELETE cannot be done */
pg_noreturn extern void mcOdpsRefuseDelete(PlannerInfo *root, ModifyTable *plan, Index rti);

#endif							/* MC_ODPS_DELETE_H */
