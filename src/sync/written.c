/*
 * written.c
 *		mc.run.rows_out: rows that the text of a job has inserted, updated, deleted or
 *		merged, by all its statements and whatever they call.
 *
 * The executor counts the rows of a statement for its command tag, which leaves out CTEs
 * that write.  Their nodes are made to count, too, beside the tag, which stays as it is.
 * Functions, triggers and actions of foreign keys execute statements of their own, so they
 * come here by themselves.  What a subtransaction took back is not counted.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sync.h"

static ExecutorStart_hook_type next_start = NULL;
static ExecutorFinish_hook_type next_finish = NULL;
static ExecProcNodeMtd modify_table = NULL;

typedef struct Level
{
	SubTransactionId subid;
	int64		rows_before;
} Level;

static bool
counting(void)
{
	return mcJob != NULL && mcJob->executing;
}

/* Temporary tables are the statement's own affair; rows of a view are written by its trigger */
static bool
counts(const ModifyTableState *node)
{
	Form_pg_class form = node->rootResultRelInfo->ri_RelationDesc->rd_rel;

	return form->relpersistence != RELPERSISTENCE_TEMP && form->relkind != RELKIND_VIEW;
}

/* A CTE that writes; its rows may come from another one, which counts for itself */
static TupleTableSlot *
modify_beside_tag(PlanState *ps)
{
	ModifyTableState *node = castNode(ModifyTableState, ps);
	EState	   *estate = ps->state;
	uint64		tag = estate->es_processed;
	TupleTableSlot *slot;

	node->canSetTag = true;
	slot = modify_table(ps);
	node->canSetTag = false;
	if (counting() && counts(node))
		mcJob->rows_out += estate->es_processed - tag;
	estate->es_processed = tag;
	return slot;
}

static void
executor_start(QueryDesc *query, int eflags)
{
	ListCell   *lc;

	if (next_start)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (!counting() || (eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		return;
	foreach(lc, query->estate->es_auxmodifytables)
	{
		PlanState  *ps = lfirst(lc);

		if (modify_table == NULL)
			modify_table = ps->ExecProcNodeReal;
		if (ps->ExecProcNodeReal == modify_table)
			ExecSetExecProcNode(ps, modify_beside_tag);
	}
}

static void
executor_finish(QueryDesc *query)
{
	/* the tag is complete; what the standard function does has executors, or nodes, of its own */
	if (counting() && query->operation != CMD_SELECT && query->operation != CMD_UTILITY &&
		!(IsA(query->planstate, ModifyTableState) && !counts(castNode(ModifyTableState, query->planstate))))
		mcJob->rows_out += query->estate->es_processed;
	if (next_finish)
		next_finish(query);
	else
		standard_ExecutorFinish(query);
}

/* COPY and CREATE TABLE AS give no plan that writes */
void
mcWrittenByUtility(const PlannedStmt *pstmt, const QueryCompletion *completion)
{
	const Node *statement;
	const RangeVar *target = NULL;
	Oid			relid;

	if (!counting())
		return;
	statement = pstmt->utilityStmt;
	if (IsA(statement, CopyStmt) && ((const CopyStmt *) statement)->is_from)
		target = ((const CopyStmt *) statement)->relation;
	else if (IsA(statement, CreateTableAsStmt))
		target = ((const CreateTableAsStmt *) statement)->into->rel;
	if (target == NULL || completion->commandTag == CMDTAG_UNKNOWN)
		return;
	relid = RangeVarGetRelid(target, NoLock, true);
	if (OidIsValid(relid) && get_rel_persistence(relid) != RELPERSISTENCE_TEMP && get_rel_relkind(relid) != RELKIND_VIEW)
		mcJob->rows_out += completion->nprocessed;
}

static void
subxact_callback(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	Level	   *level;

	if (!counting())
		return;
	if (event == SUBXACT_EVENT_START_SUB)
	{
		MemoryContext old = MemoryContextSwitchTo(mcJob->cxt);

		level = palloc(sizeof(Level));
		level->subid = subid;
		level->rows_before = mcJob->rows_out;
		mcJob->levels = lappend(mcJob->levels, level);
		MemoryContextSwitchTo(old);
	}
	else if ((event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB) && mcJob->levels != NIL)
	{
		level = llast(mcJob->levels);
		/* not one that is older than the run's text */
		if (level->subid != subid)
			return;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			mcJob->rows_out = level->rows_before;
		mcJob->levels = list_delete_last(mcJob->levels);
		pfree(level);
	}
}

void
mcWrittenCount(void)
{
	static bool hooked = false;

	if (hooked)
		return;
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = executor_finish;
	RegisterSubXactCallback(subxact_callback, NULL);
	hooked = true;
}
