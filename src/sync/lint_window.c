/*
 * lint_window.c
 *		Rule of mc.lint() about a text that names no window: what it appends in one window
 *		it appends in every other, too.
 *
 * That holds for logstores, change streams and local tables.  Objects of OSS are taken
 * once each without a condition; what other tables hold is judged where they are read.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "../fdw/compat.h"
#include "../fdw/ots.h"
#include "tools.h"

typedef struct Windows
{
	List	   *read;			/* of Oid, tables whose rows a later window finds again */
	List	   *written;		/* of Oid, tables to which rows are appended */
	bool		other;			/* another source, a window, or a target that converges */
	bool		unsure;			/* something in the statement may leave out what it has written before */
} Windows;

static void
judge_source(Windows *w, const RangeTblEntry *rte)
{
	McWrapper	wrapper = mcWrapperOfRelation(rte->relid);

	if (rte->relkind == RELKIND_VIEW)
		return;
	if (rte->relkind == RELKIND_FOREIGN_TABLE && wrapper != MC_LOGHUB &&
		!(wrapper == MC_TABLESTORE && mcOtsIsStream(rte->relid)))
		w->other = true;
	/* the server's own state is another one each time */
	if (rte->relid < FirstNormalObjectId)
		w->unsure = true;
	w->read = list_append_unique_oid(w->read, rte->relid);
}

static bool
filters_rows(Relation rel)
{
	return rel->trigdesc != NULL && (rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_insert_instead_row);
}

static void
judge_target(Windows *w, Oid root)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(root, NoLock, NULL))
	{
		Oid			relid = lfirst_oid(lc);
		Relation	rel = relation_open(relid, AccessShareLock);
		McWrapper	wrapper = mcWrapperOfRelation(relid);

		if (filters_rows(rel))
			w->unsure = true;
		if (wrapper == MC_MAXCOMPUTE)
			w->other = w->other || mcServerOptionIs(mcGetServer(wrapper, GetForeignTable(relid)->serverid, GetUserId(), relid, false),
													"write_mode", "overwrite");
		else if (wrapper != MC_LOGHUB && rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			w->other = true;
		relation_close(rel, AccessShareLock);
	}
	w->written = list_append_unique_oid(w->written, root);
}

static bool
may_change(Oid funcid, void *context)
{
	return funcid >= FirstNormalObjectId && func_volatile(funcid) != PROVOLATILE_IMMUTABLE;
}

static bool
walk(Node *node, void *context)
{
	Windows    *w = context;

	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
		w->other = true;
	else if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;
		int			index = 0;
		ListCell   *lc;

		if (query->commandType != CMD_INSERT && query->commandType != CMD_SELECT)
			w->unsure = true;
		else if (query->resultRelation > 0 && query->onConflict == NULL)
			judge_target(w, rt_fetch(query->resultRelation, query->rtable)->relid);
		foreach(lc, query->rtable)
			if (++index != query->resultRelation && lfirst_node(RangeTblEntry, lc)->rtekind == RTE_RELATION)
				judge_source(w, lfirst(lc));
		return query_tree_walker(query, walk, context, 0);
	}
	else if (check_functions_in_node(node, may_change, NULL))
		w->unsure = true;
	return expression_tree_walker(node, walk, context);
}

/* The rows are others each time, or what is wrong has a better name */
static bool
is_told(const McLint *lint)
{
	ListCell   *lc;

	foreach(lc, lint->findings)
	{
		const McFinding *finding = lfirst(lc);

		if (strcmp(finding->rule, "clock") == 0 || strcmp(finding->rule, "unbounded_source") == 0)
			return true;
	}
	return false;
}

/* 'queries' are those that the rewriter has made of one statement; the other rules have been applied */
void
mcLintWindows(McLint *lint, const List *queries)
{
	Windows		w = {NIL};
	ListCell   *lc;
	bool		sure;

	foreach(lc, queries)
		(void) walk(lfirst(lc), &w);
	if (w.other || w.read == NIL || w.written == NIL || is_told(lint))
		return;
	sure = !w.unsure && list_length(list_difference_oid(w.read, w.written)) == list_length(w.read);
	mcLintAdd(lint, sure ? "error" : "warning", "same_rows",
			  psprintf("neither $1 nor $2 is in the text, so each window %s the same rows of %s to %s", sure ? "appends" : "may append",
					   mcRelationText(linitial_oid(w.read)), mcRelationText(linitial_oid(w.written))),
			  "Read what belongs to the window: a condition such as time >= $1 AND time < $2.");
}
