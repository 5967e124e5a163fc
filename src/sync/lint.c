/*
 * lint.c
 *		mc.lint(): what is wrong with the text of a job, before it runs.
 *
 * The text is parsed, analysed and planned with $1 and $2 as timestamptz, in a
 * subtransaction that is rolled back, and never executed.  Planning sends no request;
 * mc.safe_until(), which does when the planner evaluates it, is replaced first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "../fdw/compat.h"
#include "tools.h"

#define NO_WINDOW_PARAM 3		/* stands for what changes from run to run */

PG_FUNCTION_INFO_V1(mc_lint);
PG_FUNCTION_INFO_V1(mc_lint_job);

void
mcLintAdd(McLint *lint, const char *severity, const char *rule, char *message, const char *hint)
{
	McFinding  *finding;
	ListCell   *lc;

	foreach(lc, lint->findings)
	{
		const McFinding *old = lfirst(lc);

		if (strcmp(old->rule, rule) == 0 && strcmp(old->message, message) == 0)
			return;
	}
	finding = palloc(sizeof(McFinding));
	finding->severity = severity;
	finding->rule = rule;
	finding->message = message;
	finding->hint = hint != NULL ? pstrdup(hint) : NULL;
	lint->findings = lappend(lint->findings, finding);
}

static int
rank(const McFinding *finding)
{
	return strcmp(finding->severity, "error") == 0 ? 0 : strcmp(finding->severity, "warning") == 0 ? 1 : 2;
}

static int
by_severity(const ListCell *a, const ListCell *b)
{
	const McFinding *x = lfirst(a);
	const McFinding *y = lfirst(b);

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	return strcmp(x->rule, y->rule) != 0 ? strcmp(x->rule, y->rule) : strcmp(x->message, y->message);
}

static Node *
without_safe_until(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, FuncExpr))
	{
		char	   *name = get_func_name(((FuncExpr *) node)->funcid);
		char	   *schema = get_namespace_name(get_func_namespace(((FuncExpr *) node)->funcid));

		if (name != NULL && schema != NULL && strcmp(name, "safe_until") == 0 && strcmp(schema, "mc") == 0)
		{
			Param	   *param = makeNode(Param);

			param->paramkind = PARAM_EXTERN;
			param->paramid = NO_WINDOW_PARAM;
			param->paramtype = TIMESTAMPTZOID;
			param->paramtypmod = -1;
			param->location = -1;
			return (Node *) param;
		}
	}
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, without_safe_until, context, 0);
	return expression_tree_mutator(node, without_safe_until, context);
}

static void
analyse(void *arg)
{
	McLint	   *lint = arg;
	List	   *raw = pg_parse_query(lint->sql);
	Oid			types[2] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	RawStmt    *statement;
	Node	   *copy;
	Query	   *query;
	List	   *rewritten;
	ListCell   *lc;

	if (list_length(raw) != 1)
	{
		mcLintAdd(lint, "error", "one_statement",
				  psprintf("the text has %d statements", list_length(raw)),
				  "A job is one statement; several targets can be filled by one WITH ... INSERT, or by several jobs with depends_on.");
		return;
	}
	statement = linitial_node(RawStmt, raw);
	if (!IsA(statement->stmt, InsertStmt) && !IsA(statement->stmt, UpdateStmt) && !IsA(statement->stmt, DeleteStmt) &&
		!IsA(statement->stmt, SelectStmt) && !mcIsMerge(statement->stmt))
	{
		mcLintAdd(lint, "error", "statement_kind", pstrdup("the text is not an INSERT, UPDATE, DELETE, MERGE or SELECT"),
				  "Other statements cannot be run again for a window.");
		return;
	}
	mcLintRaw(lint, statement->stmt);
	copy = copyObject(statement->stmt);

	query = mcAnalyze(statement, lint->sql, types, 2);
	mcLintQuery(lint, query);
	mcLintColumns(lint, query, copy);
	rewritten = query->commandType == CMD_UTILITY ? list_make1(query) : QueryRewrite(query);
	foreach(lc, rewritten)
	{
		mcLintQuery(lint, lfirst(lc));
		mcLintTargets(lint, lfirst(lc));
	}
	foreach(lc, rewritten)
	{
		query = (Query *) without_safe_until(lfirst(lc), NULL);
		if (query->commandType != CMD_UTILITY)
			mcLintPlan(lint, pg_plan_query(query, lint->sql, 0, NULL));
	}
	mcLintWindows(lint, rewritten);
}

List *
mcLint(const char *sql, const Interval *every)
{
	McLint	   *lint = palloc0(sizeof(McLint));
	ErrorData  *error;

	lint->sql = sql;
	lint->every = every;
	error = mcTry(analyse, lint);
	if (error != NULL)
		mcLintAdd(lint, "error", "invalid",
				  error->detail != NULL ? psprintf("%s (%s)", error->message, error->detail) : pstrdup(error->message),
				  error->hint);
	list_sort(lint->findings, by_severity);
	return lint->findings;
}

static void
put_findings(FunctionCallInfo fcinfo)
{
	ListCell   *lc;

	foreach(lc, mcLint(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_ARGISNULL(1) ? NULL : PG_GETARG_INTERVAL_P(1)))
	{
		const McFinding *finding = lfirst(lc);
		char	   *row[4] = {(char *) finding->severity, (char *) finding->rule, finding->message, finding->hint};

		mcPutTexts(fcinfo, 4, row);
	}
}

Datum
mc_lint(PG_FUNCTION_ARGS)
{
	mcInitMaterializedSRF(fcinfo);
	if (!PG_ARGISNULL(0))
		put_findings(fcinfo);
	return (Datum) 0;
}

/* The planner evaluates functions that the owner's search_path chooses: with his rights */
Datum
mc_lint_job(PG_FUNCTION_ARGS)
{
	Oid			owner;
	Oid			user;
	int			context;
	int			nest;

	mcInitMaterializedSRF(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return (Datum) 0;
	owner = PG_GETARG_OID(2);
	GetUserIdAndSecContext(&user, &context);
	if (!has_privs_of_role(user, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\"", GetUserNameFromId(owner, false))));
	nest = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   (user != owner ? SECURITY_RESTRICTED_OPERATION : 0));
	(void) set_config_option("search_path", text_to_cstring(PG_GETARG_TEXT_PP(3)), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	put_findings(fcinfo);
	AtEOXact_GUC(false, nest);
	SetUserIdAndSecContext(user, context);
	return (Datum) 0;
}
