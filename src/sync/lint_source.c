/*
 * lint_source.c
 *		Rules of mc.lint() about what a job reads: is each source cut at the window?
 *
 * They look at the plan, because conditions may come through views, joins and
 * subqueries; what a scan has taken out of them stands in its fdw_private.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "../fdw/compat.h"
#include "../fdw/loghub.h"
#include "../fdw/odps.h"
#include "../fdw/oss.h"
#include "../fdw/ots_stream.h"
#include "tools.h"

static bool
has_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
		return true;
	return expression_tree_walker(node, has_param, context);
}

static int
window_param(const McQual *qual)
{
	Node	   *node = (Node *) qual->expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (qual->is_array || !IsA(node, Param) || ((Param *) node)->paramkind != PARAM_EXTERN)
		return 0;
	return ((Param *) node)->paramid;
}

/* A source whose positions are chained from window to window, if it is asked for exactly the window */
static void
judge_window(McLint *lint, const char *name, const char *column, List *quals, int kind, bool event_time)
{
	bool		begin = false;
	bool		end = false;
	int			others = 0;
	ListCell   *lc;

	foreach(lc, quals)
	{
		const McQual *qual = lfirst(lc);
		int			param;

		if (qual->kind != kind)
			continue;
		param = window_param(qual);
		if (qual->op == MC_BOUND_GE && param == 1)
			begin = true;
		else if (qual->op == MC_BOUND_LT && param == 2)
			end = true;
		else if (qual->op == MC_BOUND_LE && param == 2)
		{
			mcLintAdd(lint, "error", "window_overlap",
					  psprintf("%s is read up to and including $2, where the next window begins: what arrives at that instant is read twice", name),
					  psprintf("Write %s >= $1 AND %s < $2; BETWEEN includes both ends.", column, column));
			return;
		}
		else if (qual->op == MC_BOUND_GT && param == 1)
		{
			mcLintAdd(lint, "error", "window_gap",
					  psprintf("%s is read from behind $1: what arrives at that instant is in no window", name),
					  psprintf("Write %s >= $1 AND %s < $2.", column, column));
			return;
		}
		else
			others++;
	}
	if (begin && end && others == 0)
		return;
	if (!begin && !end && others == 0)
	{
		if (event_time)
			mcLintAdd(lint, "warning", "event_time",
					  psprintf("%s is cut by the time in the logs: logs that arrive after their window was read are missed", name),
					  psprintf("Cut by %s instead, and put the logs into partitions by their own time.", column));
		else
			mcLintAdd(lint, "error", "unbounded_source",
					  psprintf("%s is read without bounds: each window reads everything that is retained", name),
					  psprintf("Add %s >= $1 AND %s < $2.", column, column));
		return;
	}
	mcLintAdd(lint, "warning", "not_chained",
			  psprintf("%s is not read from exactly $1 to $2, so positions are not carried from window to window", name),
			  psprintf("Only %s >= $1 AND %s < $2, and no other bound of it, reads each record exactly once.", column, column));
}

static void
judge_loghub(McLint *lint, const char *name, ForeignScan *scan)
{
	List	   *quals = mcQualsFromList(list_nth(scan->fdw_private, MC_PRIVATE_QUALS), scan->fdw_exprs);
	bool		event_time = false;
	ListCell   *lc;

	foreach(lc, quals)
		event_time = event_time || ((McQual *) lfirst(lc))->kind == MC_QUAL_TIME;
	/* conditions on the time that bound nothing stay local */
	event_time = event_time || has_param((Node *) scan->scan.plan.qual, NULL);
	judge_window(lint, name, "__receive_time__", quals, MC_QUAL_RECEIVE, event_time);
}

static void
judge_tablestore(McLint *lint, const char *name, ForeignScan *scan, Oid relid)
{
	Relation	rel;
	ListCell   *lc;

	if (mcOtsIsStream(relid))
	{
		judge_window(lint, name, "__commit_time__",
					 mcQualsFromList(list_nth(scan->fdw_private, MC_STREAM_PRIVATE_QUALS), scan->fdw_exprs),
					 MC_STREAM_TIME, false);
		return;
	}
	if (scan->fdw_exprs == NIL)
		mcLintAdd(lint, "notice", "whole_table",
				  psprintf("all of %s is read in each window", name),
				  "Follow its change stream (mode 'stream') to read what has changed; a full copy each time needs write_mode 'overwrite' or a key.");
	rel = relation_open(relid, AccessShareLock);
	foreach(lc, mcOtsColumns(rel))
	{
		const McOtsColumn *column = lfirst(lc);

		if (column->kind == MC_OTS_KEY && OidIsValid(column->collation) && !mcCollationIsC(column->collation))
			mcLintAdd(lint, "warning", "key_collation",
					  psprintf("key column \"%s\" of %s is not of COLLATE \"C\": ranges of it are not asked of the service", column->attname, name),
					  psprintf("ALTER FOREIGN TABLE %s ALTER COLUMN %s TYPE %s COLLATE \"C\".", name,
							   quote_identifier(column->attname), format_type_be(column->type)));
	}
	relation_close(rel, AccessShareLock);
}

static void
judge_maxcompute(McLint *lint, const char *name, ForeignScan *scan, Oid relid)
{
	const mcs_odps_table *table = mcOdpsPeek(GetForeignTable(relid)->serverid, GetUserId(), relid);

	if (scan->fdw_exprs == NIL && (table == NULL || table->nkeys > 0))
		mcLintAdd(lint, "warning", "no_partition_bound",
				  psprintf("all partitions of %s are read in each window", name),
				  "Add a condition on its partition keys, such as pt = to_char($1, 'YYYYMMDD'); an unpartitioned table is read as a whole.");
}

static void
judge_oss(McLint *lint, const char *name, ForeignScan *scan, Oid relid)
{
	if (mcOptionText(GetForeignTable(relid)->options, "object") == NULL && !has_param((Node *) scan->fdw_exprs, NULL))
		mcLintAdd(lint, "warning", "no_object_bound",
				  psprintf("all objects of %s are candidates in each window", name),
				  "Add a condition on a part of the path, or __last_modified__ >= $1 AND __last_modified__ < $2.");
}

static void
judge_scan(McLint *lint, ForeignScan *scan, List *rtable)
{
	RangeTblEntry *rte;
	char	   *name;

	/* a scan of a target, or a join that another wrapper has pushed down */
	if (scan->scan.scanrelid == 0 || scan->operation != CMD_SELECT || scan->resultRelation > 0)
		return;
	rte = rt_fetch(scan->scan.scanrelid, rtable);
	name = mcRelationText(rte->relid);
	switch (mcWrapperOfServer(scan->fs_server))
	{
		case MC_LOGHUB:
			judge_loghub(lint, name, scan);
			break;
		case MC_TABLESTORE:
			judge_tablestore(lint, name, scan, rte->relid);
			break;
		case MC_MAXCOMPUTE:
			judge_maxcompute(lint, name, scan, rte->relid);
			break;
		case MC_OSS:
			judge_oss(lint, name, scan, rte->relid);
			break;
	}
}

static void
walk(McLint *lint, Plan *plan, List *rtable)
{
	List	   *children = NIL;
	ListCell   *lc;

	if (plan == NULL)
		return;
	check_stack_depth();
	if (IsA(plan, ForeignScan))
		judge_scan(lint, (ForeignScan *) plan, rtable);
	else if (IsA(plan, Append))
		children = ((Append *) plan)->appendplans;
	else if (IsA(plan, MergeAppend))
		children = ((MergeAppend *) plan)->mergeplans;
	else if (IsA(plan, SubqueryScan))
		walk(lint, ((SubqueryScan *) plan)->subplan, rtable);
	else if (IsA(plan, CustomScan))
		children = ((CustomScan *) plan)->custom_plans;
	foreach(lc, children)
		walk(lint, lfirst(lc), rtable);
	walk(lint, plan->lefttree, rtable);
	walk(lint, plan->righttree, rtable);
}

void
mcLintPlan(McLint *lint, PlannedStmt *plan)
{
	ListCell   *lc;

	walk(lint, plan->planTree, plan->rtable);
	foreach(lc, plan->subplans)
		walk(lint, lfirst(lc), plan->rtable);
}
