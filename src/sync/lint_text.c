/*
 * lint_text.c
 *		Rules of mc.lint() about the text itself: what makes a second run of a window
 *		differ from the first, what a bad value does, which sources can lose rows.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "../fdw/compat.h"
#include "tools.h"

#define HINT_WINDOW "Use $1 and $2, the window of the run: a window that is run again, or late, must read and write the same."

/* ---- the raw parse tree: analysis folds 'today' into a constant ---- */

static bool
raw_walker(Node *node, void *context)
{
	static const char *const words[] = {"now", "today", "yesterday", "tomorrow"};

	if (node == NULL)
		return false;
	if (IsA(node, TypeCast))
	{
		Node	   *arg = ((TypeCast *) node)->arg;

		if (IsA(arg, A_Const) && IsA(&((A_Const *) arg)->val, String))
			for (int i = 0; i < lengthof(words); i++)
				if (pg_strcasecmp(strVal(&((A_Const *) arg)->val), words[i]) == 0)
					mcLintAdd(context, "error", "clock", psprintf("'%s' is the time at which the job was created or run", words[i]),
							  HINT_WINDOW);
	}
	return raw_expression_tree_walker(node, raw_walker, context);
}

void
mcLintRaw(McLint *lint, Node *raw)
{
	(void) raw_walker(raw, lint);
}

/* ---- functions ---- */

static void
judge_function(McLint *lint, Oid funcid)
{
	static const char *const clocks[] = {
		"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday"
	};
	static const char *const dice[] = {"random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "setseed"};
	char	   *name = get_func_name(funcid);
	char	   *schema = get_namespace_name(get_func_namespace(funcid));

	if (name == NULL || schema == NULL)
		return;
	if (strcmp(schema, "mc") == 0 && strcmp(name, "safe_until") == 0)
	{
		mcLintAdd(lint, "error", "clock", pstrdup("mc.safe_until() differs from run to run"),
				  "Jobs choose windows that are complete by themselves; lag says how long to wait. Use $1 and $2.");
		return;
	}
	if (strcmp(schema, "pg_catalog") == 0)
	{
		for (int i = 0; i < lengthof(clocks); i++)
			if (strcmp(name, clocks[i]) == 0)
				mcLintAdd(lint, "error", "clock", psprintf("%s() is the time at which the job runs", name), HINT_WINDOW);
		for (int i = 0; i < lengthof(dice); i++)
			if (strcmp(name, dice[i]) == 0)
				mcLintAdd(lint, "error", "random", psprintf("%s() gives other values when the window is run again", name),
						  "Make the value from columns of the source, for example with md5() of its position.");
		if (strcmp(name, "age") == 0 && get_func_nargs(funcid) == 1 && get_func_rettype(funcid) == INTERVALOID)
			mcLintAdd(lint, "error", "clock", pstrdup("age() with one argument counts from today"), HINT_WINDOW);
		if (strcmp(name, "nextval") == 0)
			mcLintAdd(lint, "warning", "sequence", pstrdup("nextval() gives other numbers when the window is run again"),
					  "That is harmless for surrogate keys of a local table, but not for keys by which rows are found again.");
		return;
	}
	if (func_volatile(funcid) == PROVOLATILE_VOLATILE)
		mcLintAdd(lint, "warning", "volatile_function",
				  psprintf("%s() is volatile: a window that is run again may give other rows",
						   quote_qualified_identifier(schema, name)),
				  "Declare it STABLE or IMMUTABLE if it is.");
}

static bool
judge_function_checker(Oid funcid, void *context)
{
	judge_function(context, funcid);
	return false;
}

static void
judge_value_function(McLint *lint, SQLValueFunction *f)
{
	static const struct
	{
		SQLValueFunctionOp op;
		const char *name;
	}			words[] = {
		{SVFOP_CURRENT_DATE, "current_date"}, {SVFOP_CURRENT_TIME, "current_time"},
		{SVFOP_CURRENT_TIME_N, "current_time"}, {SVFOP_CURRENT_TIMESTAMP, "current_timestamp"},
		{SVFOP_CURRENT_TIMESTAMP_N, "current_timestamp"}, {SVFOP_LOCALTIME, "localtime"},
		{SVFOP_LOCALTIME_N, "localtime"}, {SVFOP_LOCALTIMESTAMP, "localtimestamp"},
		{SVFOP_LOCALTIMESTAMP_N, "localtimestamp"}
	};

	for (int i = 0; i < lengthof(words); i++)
		if (f->op == words[i].op)
			mcLintAdd(lint, "error", "clock", psprintf("%s is the time at which the job runs", words[i].name), HINT_WINDOW);
}

/* ---- values and sources ---- */

static RangeTblEntry *
entry_of(const McLint *lint, const Var *var)
{
	List	   *rtable;

	if (var->varlevelsup >= (Index) list_length(lint->rtables))
		return NULL;
	rtable = list_nth(lint->rtables, var->varlevelsup);
	if (var->varno <= 0 || var->varno > list_length(rtable))
		return NULL;
	return rt_fetch(var->varno, rtable);
}

static bool
contains_var(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return true;
	return expression_tree_walker(node, contains_var, context);
}

/* text to a number or a time: the first bad value ends the run */
static void
judge_io_cast(McLint *lint, CoerceViaIO *cast)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(exprType((Node *) cast->arg)), &category, &preferred);
	if (category != TYPCATEGORY_STRING || !contains_var((Node *) cast->arg, NULL))
		return;
	get_type_category_preferred(getBaseType(cast->resulttype), &category, &preferred);
	if (category == TYPCATEGORY_NUMERIC || category == TYPCATEGORY_DATETIME || category == TYPCATEGORY_BOOLEAN ||
		category == TYPCATEGORY_TIMESPAN)
		mcLintAdd(lint, "notice", "text_cast",
				  psprintf("one value that is not of type %s ends the run", format_type_be(cast->resulttype)),
				  "Declare the column of the foreign table with that type and set on_error 'reject' (the row is kept aside) or 'set_null'; or use mc.to_int() or mc.to_bool().");
}

static bool
is_window_param(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node != NULL && IsA(node, FuncExpr) && list_length(((FuncExpr *) node)->args) >= 1 &&
		((FuncExpr *) node)->funcformat != COERCE_EXPLICIT_CALL)
		return is_window_param(linitial(((FuncExpr *) node)->args));
	return node != NULL && IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN;
}

static void
judge_comparison(McLint *lint, OpExpr *op)
{
	for (int side = 0; list_length(op->args) == 2 && side < 2; side++)
	{
		Node	   *column = list_nth(op->args, side);
		RangeTblEntry *rte;

		while (IsA(column, RelabelType))
			column = (Node *) ((RelabelType *) column)->arg;
		if (!IsA(column, Var) || !is_window_param(list_nth(op->args, 1 - side)))
			continue;
		rte = entry_of(lint, (Var *) column);
		if (rte == NULL || rte->rtekind != RTE_RELATION || ((Var *) column)->varattno <= 0 ||
			(rte->relkind == RELKIND_FOREIGN_TABLE && mcWrapperOfRelation(rte->relid) != 0) ||
			rte->relkind == RELKIND_VIEW)
			continue;
		mcLintAdd(lint, "warning", "time_column_source",
				  psprintf("rows of %s that are committed late with an earlier \"%s\" are missed",
						   mcRelationText(rte->relid),
						   get_attname(rte->relid, ((Var *) column)->varattno, false)),
				  "Choose a lag that is longer than the longest transaction that writes there, or read windows again with mc.backfill into a target that is overwritten.");
	}
}

static void
judge_var(McLint *lint, Var *var)
{
	RangeTblEntry *rte = var->varattno == 0 ? entry_of(lint, var) : NULL;

	if (rte != NULL && rte->rtekind == RTE_RELATION && mcWrapperOfRelation(rte->relid) != 0)
		mcLintAdd(lint, "notice", "whole_row",
				  psprintf("the whole row of %s is used, so all its columns are read", mcRelationText(rte->relid)),
				  "Name the columns that are needed; UPDATE ... FROM and FOR UPDATE use whole rows, too.");
}

static void
judge_query(McLint *lint, Query *query)
{
	ListCell   *lc;

	if ((query->limitCount != NULL || query->limitOffset != NULL) && query->sortClause == NIL)
		mcLintAdd(lint, "warning", "limit_without_order",
				  pstrdup("LIMIT or OFFSET without ORDER BY takes other rows when the window is run again"),
				  "Add ORDER BY with a unique key.");
	foreach(lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && rte->tablesample != NULL && rte->tablesample->repeatable == NULL)
			mcLintAdd(lint, "warning", "random", pstrdup("TABLESAMPLE takes other rows when the window is run again"),
					  "Add REPEATABLE.");
	}
}

static bool
query_walker(Node *node, void *context)
{
	McLint	   *lint = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		bool		result;

		judge_query(lint, (Query *) node);
		lint->rtables = lcons(((Query *) node)->rtable, lint->rtables);
		result = query_tree_walker((Query *) node, query_walker, context, 0);
		lint->rtables = list_delete_first(lint->rtables);
		return result;
	}
	if (IsA(node, Var))
		judge_var(lint, (Var *) node);
	else if (IsA(node, SQLValueFunction))
		judge_value_function(lint, (SQLValueFunction *) node);
	else if (IsA(node, CoerceViaIO))
		judge_io_cast(lint, (CoerceViaIO *) node);
	else
		(void) check_functions_in_node(node, judge_function_checker, lint);
	if (IsA(node, OpExpr))
		judge_comparison(lint, (OpExpr *) node);
	return expression_tree_walker(node, query_walker, context);
}

/*
 * Called with the query as it was analysed, and again as it was rewritten for what views
 * bring in.  Defaults that the rewriter adds to the target list are the table's affair.
 */
void
mcLintQuery(McLint *lint, Query *query)
{
	List	   *targets = query->targetList;

	if (query->querySource != QSRC_ORIGINAL)
		return;
	if (query->commandType == CMD_INSERT && lint->rtables == NIL)
	{
		ListCell   *lc;

		query->targetList = NIL;
		foreach(lc, targets)
		{
			TargetEntry *tle = lfirst_node(TargetEntry, lc);

			if (exprLocation((Node *) tle->expr) >= 0)
				query->targetList = lappend(query->targetList, tle);
		}
	}
	(void) query_walker((Node *) query, lint);
	query->targetList = targets;
	if (query->commandType == CMD_SELECT && !query->hasModifyingCTE)
		mcLintAdd(lint, "warning", "no_target", pstrdup("the statement writes nothing"),
				  "A job is INSERT INTO target SELECT ... FROM source WHERE time >= $1 AND time < $2.");
}
