/*
 * lint_target.c
 *		Rules of mc.lint() about the tables that a job writes and about the columns it
 *		gives them.
 */
#include "postgres.h"

#include "access/attnum.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "../fdw/compat.h"
#include "../fdw/ots.h"
#include "tools.h"

/* ---- which column goes where ---- */

static bool
has_star(Node *raw)
{
	ListCell   *lc;
	SelectStmt *select;

	if (!IsA(raw, InsertStmt) || ((InsertStmt *) raw)->cols != NIL || ((InsertStmt *) raw)->selectStmt == NULL)
		return false;
	select = (SelectStmt *) ((InsertStmt *) raw)->selectStmt;
	if (!IsA(select, SelectStmt))
		return false;
	while (select->op != SETOP_NONE)
		select = select->larg;
	foreach(lc, select->targetList)
	{
		Node	   *value = lfirst_node(ResTarget, lc)->val;

		if (IsA(value, ColumnRef) && IsA(llast(((ColumnRef *) value)->fields), A_Star))
			return true;
	}
	return false;
}

static Node *
strip(Node *node)
{
	for (;;)
	{
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CoerceViaIO))
			node = (Node *) ((CoerceViaIO *) node)->arg;
		else if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST)
			node = linitial(((FuncExpr *) node)->args);
		else
			return node;
	}
}

/* The entry of the SELECT that fills a column; NULL if it cannot be told */
static TargetEntry *
source_entry(Query *query, TargetEntry *tle)
{
	Var		   *var = (Var *) strip((Node *) tle->expr);
	RangeTblEntry *rte;

	if (!IsA(var, Var) || var->varlevelsup > 0 || var->varno <= 0 || var->varno > list_length(query->rtable))
		return NULL;
	rte = rt_fetch(var->varno, query->rtable);
	if (rte->rtekind != RTE_SUBQUERY || var->varattno <= 0 || var->varattno > list_length(rte->subquery->targetList))
		return NULL;
	return list_nth_node(TargetEntry, rte->subquery->targetList, var->varattno - 1);
}

/* Columns are bound by position: names that stand at another place say that it is the wrong one */
static void
judge_order(McLint *lint, Query *query, bool star)
{
	StringInfoData swapped;
	StringInfoData other;
	ListCell   *lc;
	ListCell   *lc2;

	initStringInfo(&swapped);
	initStringInfo(&other);
	foreach(lc, query->targetList)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);
		TargetEntry *from = source_entry(query, tle);
		bool		elsewhere = false;

		if (from == NULL || from->resname == NULL || tle->resname == NULL || strcmp(from->resname, tle->resname) == 0 ||
			strcmp(from->resname, "?column?") == 0)
			continue;
		foreach(lc2, query->targetList)
			elsewhere = elsewhere || strcmp(((TargetEntry *) lfirst(lc2))->resname, from->resname) == 0;
		appendStringInfo(elsewhere ? &swapped : &other, "%s%s into %s",
						 (elsewhere ? &swapped : &other)->len > 0 ? ", " : "",
						 quote_identifier(from->resname), quote_identifier(tle->resname));
	}
	if (swapped.len > 0)
		mcLintAdd(lint, "warning", "column_order",
				  psprintf("columns are bound by position, and these go into one of another name: %s", swapped.data),
				  "Write INSERT INTO target (columns) SELECT in the order of these columns.");
	if (star)
		mcLintAdd(lint, other.len + swapped.len > 0 ? "warning" : "notice", "select_star",
				  other.len > 0 ? psprintf("SELECT * binds columns by position, and these have different names: %s", other.data) :
				  pstrdup("SELECT * binds columns by position: a column that is added to the source goes into the next column of the target"),
				  "Name the columns on both sides.");
}

/* What an assignment does to values that the author may not expect */
static void
judge_assignments(McLint *lint, Query *query)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);
		Node	   *expr = (Node *) tle->expr;
		Oid			from;
		Oid			to = exprType(expr);

		if (!IsA(expr, FuncExpr) || ((FuncExpr *) expr)->funcformat != COERCE_IMPLICIT_CAST)
			continue;
		from = exprType(linitial(((FuncExpr *) expr)->args));
		if ((from == FLOAT4OID || from == FLOAT8OID || from == NUMERICOID) &&
			(to == INT2OID || to == INT4OID || to == INT8OID))
			mcLintAdd(lint, "notice", "rounding",
					  psprintf("values of type %s are rounded to %s in column \"%s\"", format_type_be(from),
							   format_type_be(to), tle->resname),
					  "Write round(), floor() or trunc() to say which is meant.");
		else if (from == TIMESTAMPTZOID && (to == TIMESTAMPOID || to == DATEOID))
			mcLintAdd(lint, "notice", "time_zone",
					  psprintf("the %s in column \"%s\" is that of the job's time zone", format_type_be(to), tle->resname),
					  "Write AT TIME ZONE '...' to say which is meant.");
	}
}

void
mcLintColumns(McLint *lint, Query *query, Node *raw)
{
	if (query->commandType != CMD_INSERT)
		return;
	judge_order(lint, query, has_star(raw));
	judge_assignments(lint, query);
}

/* ---- overwrite: does each window have partitions of its own? ---- */

typedef struct Probe
{
	Expr	   *expr;
	TimestampTz at[2];			/* the beginnings of two windows that follow each other */
	TimestampTz end[2];
	int			now;
	bool		has_time;
	bool		has_data;
	bool		differs;
} Probe;

/* $1 and every column that is a time become the window's begin, $2 its end */
static Node *
substitute(Node *node, void *context)
{
	Probe	   *probe = context;
	Oid			type;

	if (node == NULL)
		return NULL;
	if (IsA(node, Param) || IsA(node, Var))
	{
		TimestampTz at = probe->at[probe->now];

		type = exprType(node);
		if (IsA(node, Param) && ((Param *) node)->paramid == 2)
			at = probe->end[probe->now];
		if (type == TIMESTAMPTZOID)
		{
			probe->has_time = true;
			return (Node *) makeConst(type, -1, InvalidOid, sizeof(TimestampTz), TimestampTzGetDatum(at), false,
									  FLOAT8PASSBYVAL);
		}
		if (type == TIMESTAMPOID)
		{
			probe->has_time = true;
			return (Node *) makeConst(type, -1, InvalidOid, sizeof(Timestamp),
									  DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(at)), false,
									  FLOAT8PASSBYVAL);
		}
		probe->has_data = true;
		return node;
	}
	return expression_tree_mutator(node, substitute, context);
}

static void
evaluate(void *arg)
{
	Probe	   *probe = arg;
	char	   *texts[2];

	for (probe->now = 0; probe->now < 2; probe->now++)
	{
		Node	   *node = substitute((Node *) copyObject(probe->expr), probe);
		Const	   *value;
		Oid			output;
		bool		varlena;

		if (!probe->has_time || probe->has_data || contain_volatile_functions(node) || contain_subplans(node))
			return;
		value = (Const *) evaluate_expr((Expr *) node, exprType(node), exprTypmod(node), exprCollation(node));
		getTypeOutputInfo(value->consttype, &output, &varlena);
		texts[probe->now] = value->constisnull ? "" : OidOutputFunctionCall(output, value->constvalue);
	}
	probe->differs = strcmp(texts[0], texts[1]) != 0;
}

/* A value of the statement that is another one for the next window */
static bool
tells_windows(McLint *lint, Expr *expr)
{
	Probe		probe = {.expr = expr};
	Datum		every;

	/* without 'every': does it depend on the window at all? */
	probe.at[0] = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum("2024-01-03 10:00:00+00"),
														  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	if (lint->every != NULL)
		every = PointerGetDatum(lint->every);
	else
		every = DirectFunctionCall3(interval_in, CStringGetDatum("13 months"), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	probe.at[1] = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(probe.at[0]), every));
	probe.end[0] = probe.at[1];
	probe.end[1] = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(probe.at[1]), every));
	if (mcTry(evaluate, &probe) != NULL)
		return probe.has_time;	/* it cannot be told */
	return probe.differs;
}

/* The expression behind a column of the target, below the SELECT's own list if need be */
static Expr *
column_source(Query *query, TargetEntry *tle)
{
	TargetEntry *from = source_entry(query, tle);

	return from != NULL ? from->expr : tle->expr;
}

static void
judge_overwrite(McLint *lint, Query *query, Oid relid)
{
	ListCell   *lc;

	if (query->commandType == CMD_INSERT)
		foreach(lc, query->targetList)
			if (tells_windows(lint, column_source(query, lfirst_node(TargetEntry, lc))))
				return;
	mcLintAdd(lint, "warning", "overwrite_window",
			  lint->every != NULL ?
			  psprintf("several windows of %s write the same partition of %s, and write_mode is 'overwrite'",
					   DatumGetCString(DirectFunctionCall1(interval_out, PointerGetDatum(lint->every))), mcRelationText(relid)) :
			  psprintf("no column of %s depends on the window, and write_mode is 'overwrite'", mcRelationText(relid)),
			  "Each window replaces what the one before has written: give each window a partition of its own, make every as long as the partition, or use write_mode 'append'.");
}

/* ---- targets ---- */

static void
judge_tablestore(McLint *lint, Query *query, Relation rel, const McServer *server)
{
	List	   *columns = mcOtsColumns(rel);
	const char *name = mcRelationText(RelationGetRelid(rel));
	const char *mode = mcServerOption(server, "write_mode");
	ListCell   *lc;
	ListCell   *lc2;

	if (mcOtsIsStream(RelationGetRelid(rel)))
	{
		mcLintAdd(lint, "error", "not_writable", psprintf("%s is a change stream", name), NULL);
		return;
	}
	foreach(lc, columns)
	{
		McOtsColumn *column = lfirst(lc);
		bool		given = false;

		if (column->kind != MC_OTS_KEY || query->commandType != CMD_INSERT)
			continue;
		foreach(lc2, query->targetList)
		{
			TargetEntry *tle = lfirst_node(TargetEntry, lc2);

			given = given || (tle->resno == column->attnum &&
							  !(IsA(tle->expr, Const) && ((Const *) tle->expr)->constisnull));
		}
		if (!given)
			mcLintAdd(lint, "warning", "auto_increment",
					  psprintf("key column \"%s\" of %s gets its values from the service: each repetition adds rows", column->attname, name),
					  "Rows are written at least once; make the key from columns of the source to have each once.");
	}
	if (mode == NULL || pg_strcasecmp(mode, "put") == 0)
		mcLintAdd(lint, "notice", "put_mode",
				  psprintf("write_mode 'put' replaces whole rows of %s: a request that arrives late can undo a later one", name),
				  "write_mode 'update' writes single cells, whose versions order them.");
}

static void
judge_foreign(McLint *lint, Query *query, Relation rel, bool root)
{
	Oid			relid = RelationGetRelid(rel);
	Oid			serverid = GetForeignTable(relid)->serverid;
	McWrapper	wrapper = mcWrapperOfServer(serverid);
	const char *name = mcRelationText(relid);
	McServer   *server;

	if (wrapper == 0)
	{
		mcLintAdd(lint, "warning", "at_least_once",
				  psprintf("rows are written to %s at least once: its wrapper commits by itself", name),
				  "Give the remote table a unique key and add ON CONFLICT DO NOTHING, so that a repetition changes nothing.");
		return;
	}
	server = mcGetServer(wrapper, serverid, GetUserId(), relid, false);
	if (wrapper == MC_LOGHUB)
		mcLintAdd(lint, "warning", "at_least_once",
				  psprintf("logs are written to %s at least once: the service has no transactions", name),
				  "Write a column that tells repetitions apart, such as the position in the source.");
	if (wrapper == MC_TABLESTORE && root)
		judge_tablestore(lint, query, rel, server);
	if ((wrapper == MC_MAXCOMPUTE || wrapper == MC_OSS) && root && mcServerOptionIs(server, "write_mode", "overwrite"))
		judge_overwrite(lint, query, relid);
}

static void
judge_target(McLint *lint, Query *query, Oid relid, bool root)
{
	Relation	rel = relation_open(relid, AccessShareLock);

	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		judge_foreign(lint, query, rel, root);
	else if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		mcLintAdd(lint, "error", "unlogged_target",
				  psprintf("%s is unlogged: a crash empties it, and the job goes on behind what was lost", mcRelationText(relid)),
				  "ALTER TABLE ... SET LOGGED.");
	else if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		mcLintAdd(lint, "error", "temporary_target",
				  psprintf("%s is a temporary table of this session", quote_identifier(RelationGetRelationName(rel))), NULL);
	relation_close(rel, AccessShareLock);
}

static bool
target_walker(Node *node, void *context)
{
	McLint	   *lint = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		if (query->resultRelation > 0)
		{
			Oid			relid = rt_fetch(query->resultRelation, query->rtable)->relid;
			ListCell   *lc;

			foreach(lc, find_all_inheritors(relid, NoLock, NULL))
				judge_target(lint, query, lfirst_oid(lc), lfirst_oid(lc) == relid);
		}
		return query_tree_walker(query, target_walker, context, 0);
	}
	return expression_tree_walker(node, target_walker, context);
}

void
mcLintTargets(McLint *lint, Query *query)
{
	(void) target_walker((Node *) query, lint);
}
