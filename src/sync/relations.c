/*
 * relations.c
 *		mc._relations(): which relations a statement of a job reads and writes, without
 *		planning it.  Views are followed, children of partitioned tables too.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "../fdw/compat.h"
#include "sync.h"
#include "tools.h"

typedef struct Found
{
	List	   *read;			/* of Oid */
	List	   *written;
} Found;

static void
add_relation(List **list, Oid relid, bool inh)
{
	ListCell   *lc;

	if (!inh || !has_subclass(relid))
	{
		*list = list_append_unique_oid(*list, relid);
		return;
	}
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE)
			*list = list_append_unique_oid(*list, lfirst_oid(lc));
}

static void
utility_relations(Node *statement, Found *found)
{
	ListCell   *lc;

	if (IsA(statement, TruncateStmt))
		foreach(lc, ((TruncateStmt *) statement)->relations)
			add_relation(&found->written, RangeVarGetRelid(lfirst(lc), NoLock, false), ((RangeVar *) lfirst(lc))->inh);
}

static bool
walk(Node *node, void *arg)
{
	Found	   *found = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;
		int			index = 0;
		ListCell   *lc;

		if (query->utilityStmt)
			utility_relations(query->utilityStmt, found);
		foreach(lc, query->rtable)
		{
			RangeTblEntry *rte = lfirst(lc);

			index++;
			if (rte->rtekind != RTE_RELATION || get_rel_relkind(rte->relid) == RELKIND_VIEW)
				continue;
			add_relation(index == query->resultRelation ? &found->written : &found->read, rte->relid, rte->inh);
		}
		return query_tree_walker(query, walk, arg, 0);
	}
	return expression_tree_walker(node, walk, arg);
}

static void
put(FunctionCallInfo fcinfo, Oid relid, bool written)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3];
	bool		nulls[3] = {false, false, true};

	values[0] = CStringGetTextDatum(mcRelationText(relid));
	values[1] = BoolGetDatum(written);
	if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
	{
		values[2] = CStringGetTextDatum(GetForeignDataWrapper(GetForeignServer(GetForeignTable(relid)->serverid)->fdwid)->fdwname);
		nulls[2] = false;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* A position in the job's text is not one in the statement that called us */
static void
error_position(void *arg)
{
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(arg);
}

PG_FUNCTION_INFO_V1(mc_relations);
Datum
mc_relations(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Found		found = {NIL, NIL};
	List	   *parsed;
	ListCell   *lc;
	ListCell   *lc2;
	int			nest;
	ErrorContextCallback callback;
	ErrorContextCallback *outer;

	mcInitMaterializedSRF(fcinfo);
	nest = NewGUCNestLevel();
	(void) set_config_option("search_path", text_to_cstring(PG_GETARG_TEXT_PP(1)), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	/* where an error in the job's text was found out is of no interest */
	outer = error_context_stack;
	callback = (ErrorContextCallback) {NULL, error_position, sql};
	error_context_stack = &callback;
	parsed = pg_parse_query(sql);
	if (parsed == NIL)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("the text of a job has no statement"),
						errhint("A job is INSERT INTO target SELECT ... FROM source WHERE time >= $1 AND time < $2.")));
	foreach(lc, parsed)
		foreach(lc2, pg_analyze_and_rewrite_fixedparams(lfirst_node(RawStmt, lc), sql, types, lengthof(types), NULL))
			(void) walk(lfirst(lc2), &found);
	error_context_stack = outer;
	AtEOXact_GUC(false, nest);
	foreach(lc, found.read)
		put(fcinfo, lfirst_oid(lc), false);
	foreach(lc, found.written)
		put(fcinfo, lfirst_oid(lc), true);
	PG_RETURN_NULL();
}
