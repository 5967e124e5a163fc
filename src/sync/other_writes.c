/*
 * other_writes.c
 *		What the statement of a job writes to foreign tables of other extensions: it is
 *		visible at once, and the transaction gets no xid for it that would tell.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

#include "sync.h"
#include "tools.h"

static ExecutorStart_hook_type next_start = NULL;
static ProcessUtility_hook_type next_utility = NULL;

/* Leaf partitions, too: which of them gets a row is not known before */
static void
written(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE && mcWrapperOfRelation(lfirst_oid(lc)) == 0)
			mcJob->direct_effects = true;
}

static void
executor_start(QueryDesc *query, int eflags)
{
	ListCell   *lc;

	(next_start ? next_start : standard_ExecutorStart) (query, eflags);
	if (mcJob == NULL || (eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		return;
	foreach(lc, query->plannedstmt->resultRelations)
		written(rt_fetch(lfirst_int(lc), query->plannedstmt->rtable)->relid);
}

static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
		QueryEnvironment *env, DestReceiver *dest, QueryCompletion *completion)
{
	List	   *relations = NIL;
	ListCell   *lc;

	if (mcJob != NULL && IsA(pstmt->utilityStmt, CopyStmt) && ((CopyStmt *) pstmt->utilityStmt)->is_from)
		relations = list_make1(((CopyStmt *) pstmt->utilityStmt)->relation);
	else if (mcJob != NULL && IsA(pstmt->utilityStmt, TruncateStmt))
		relations = ((TruncateStmt *) pstmt->utilityStmt)->relations;
	foreach(lc, relations)
	{
		Oid			relid = RangeVarGetRelid(lfirst(lc), AccessShareLock, true);

		if (OidIsValid(relid))
			written(relid);
	}
	(next_utility ? next_utility : standard_ProcessUtility) (pstmt, text, read_only_tree, context, params, env, dest, completion);
}

void
mcWatchOtherWrites(void)
{
	static bool hooked = false;

	if (hooked)
		return;
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	hooked = true;
}
