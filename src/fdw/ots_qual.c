/*
 * ots_qual.c
 *		Which conditions of a query choose keys, and which of those exactly.
 *
 * A condition on a key column narrows what is read only if every key column before
 * it has one value or a list of values.  Conditions that the chosen keys imply leave
 * the local conditions; those that only narrow stay.  Which is which is decided here
 * and must be what ots_range.c does with the values, whatever they are.
 */
#include "postgres.h"

#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "ots_plan.h"

/* A clause on its way */
typedef struct Candidate
{
	RestrictInfo *rinfo;
	List	   *cond;			/* NIL: nothing to evaluate, always true */
	bool		narrows_only;	/* by its form, wherever it stands */
	bool		matched;		/* else it is checked here only */
	int			use;			/* see use_of */
} Candidate;

/* ---- one clause ---- */

static Node *
without_relabel(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

const McOtsColumn *
mcOtsColumnOf(RelOptInfo *rel, const McOtsRel *info, Node *expr)
{
	Var		   *var = (Var *) without_relabel(expr);

	if (var == NULL || !IsA(var, Var) || var->varno != rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return mcOtsColumn(info->columns, var->varattno);
}

int
mcOtsStrategy(Oid opno, Oid column_type, Oid *righttype)
{
	Oid			opclass = GetDefaultOpClass(getBaseType(column_type), BTREE_AM_OID);
	Oid			family;
	Oid			lefttype;
	int			strategy;

	if (!OidIsValid(opno) || !OidIsValid(opclass))
		return 0;
	family = get_opclass_family(opclass);
	if (get_op_opfamily_strategy(opno, family) == 0)
		return 0;
	get_op_opfamily_properties(opno, family, false, &strategy, &lefttype, righttype);
	return strategy;
}

bool
mcOtsComparable(mcw_ots_type remote, Oid type)
{
	type = getBaseType(type);
	switch (remote)
	{
		case MCW_OTS_INTEGER:
			return type == INT2OID || type == INT4OID || type == INT8OID;
		case MCW_OTS_DOUBLE:
			return type == FLOAT8OID || type == FLOAT4OID;
		case MCW_OTS_BOOLEAN:
			return type == BOOLOID;
		case MCW_OTS_STRING:
			return type == TEXTOID || type == VARCHAROID;
		case MCW_OTS_BINARY:
			return type == BYTEAOID;
		default:
			return false;
	}
}

bool
mcOtsCollationFits(mcw_ots_type remote, int strategy, Oid collation)
{
	if (remote != MCW_OTS_STRING)
		return true;
	if (!OidIsValid(collation))
		return false;
	if (strategy == BTEqualStrategyNumber)
		return get_collation_isdeterministic(collation);
	/* other encodings order their characters differently from UTF-8 */
	return (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII) && mcCollationIsC(collation);
}

bool
mcOtsUsableExpr(PlannerInfo *root, RelOptInfo *rel, Node *expr)
{
	return !bms_is_member(rel->relid, pull_varnos(root, expr)) &&
		!contain_volatile_functions(expr) && !contain_subplans(expr);
}

int
mcOtsAddExpr(List **exprs, Node *expr)
{
	*exprs = lappend(*exprs, expr);
	return list_length(*exprs) - 1;
}

List *
mcOtsOrArms(const List *cond)
{
	return list_copy_tail(cond, 1);
}

const McOtsColumn *
mcOtsPushableKey(RelOptInfo *rel, const McOtsRel *info, Node *expr)
{
	const McOtsColumn *column = mcOtsColumnOf(rel, info, expr);

	return column != NULL && column->kind == MC_OTS_KEY && mcOtsComparable(column->remote, column->type) ? column : NULL;
}

static List *
compare_cond(const McOtsColumn *column, int strategy, int expr)
{
	return list_make4_int(MC_OTS_COND_COMPARE, column->key, strategy, expr);
}

/* A comparison of a key column or of the cell version */
static List *
match_compare(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *left, Node *right,
			  Oid opno, Oid collation, List **exprs)
{
	const McOtsColumn *column = mcOtsColumnOf(rel, info, left);
	Oid			righttype;
	int			strategy;

	if (column == NULL || (strategy = mcOtsStrategy(opno, column->type, &righttype)) == 0 ||
		!mcOtsUsableExpr(root, rel, right))
		return NIL;
	if (column->kind == MC_OTS_CELL_VERSION)
	{
		if (!(column->type == INT8OID && mcOtsComparable(MCW_OTS_INTEGER, righttype)) &&
			!(column->type == TIMESTAMPTZOID &&
			  (righttype == TIMESTAMPTZOID || righttype == TIMESTAMPOID || righttype == DATEOID)))
			return NIL;
		if (!info->push_upper_versions && strategy <= BTLessEqualStrategyNumber)
			return NIL;
		return list_make3_int(MC_OTS_COND_VERSION, strategy, mcOtsAddExpr(exprs, right));
	}
	if (mcOtsPushableKey(rel, info, left) == NULL || !mcOtsComparable(column->remote, righttype) ||
		!mcOtsComparable(column->remote, exprType(right)) ||
		!mcOtsCollationFits(column->remote, strategy, collation))
		return NIL;
	return compare_cond(column, strategy, mcOtsAddExpr(exprs, right));
}

static List *
match_any(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, ScalarArrayOpExpr *op, List **exprs)
{
	const McOtsColumn *column = mcOtsPushableKey(rel, info, linitial(op->args));
	Node	   *array = lsecond(op->args);
	Oid			righttype;

	if (column == NULL || !op->useOr ||
		mcOtsStrategy(op->opno, column->type, &righttype) != BTEqualStrategyNumber ||
		!mcOtsComparable(column->remote, righttype) ||
		!mcOtsComparable(column->remote, get_base_element_type(exprType(array))) ||
		!mcOtsCollationFits(column->remote, BTEqualStrategyNumber, op->inputcollid) ||
		!mcOtsUsableExpr(root, rel, array))
		return NIL;
	return list_make3_int(MC_OTS_COND_ANY, column->key, mcOtsAddExpr(exprs, array));
}

/*
 * (k, ...) op (x, ...): the members that follow the order of the key from its first
 * one on.  Members behind them make it a condition that only narrows.
 */
static List *
match_row(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, RowCompareExpr *row, List **exprs, bool *narrows_only)
{
	bool		swap = mcOtsPushableKey(rel, info, linitial(row->largs)) == NULL;
	List	   *left = swap ? row->rargs : row->largs;
	List	   *right = swap ? row->largs : row->rargs;
	int			strategy = mcRowStrategy(row);
	List	   *cond = NIL;
	int			first = -1;
	int			n = 0;
	ListCell   *ll,
			   *lr,
			   *lo,
			   *lc;

	if (strategy == BTEqualStrategyNumber || strategy < BTLessStrategyNumber || strategy > BTGreaterStrategyNumber)
		return NIL;
	if (swap)
		strategy = BTGreaterStrategyNumber + BTLessStrategyNumber - strategy;
	forfour(ll, left, lr, right, lo, row->opnos, lc, row->inputcollids)
	{
		const McOtsColumn *column = mcOtsPushableKey(rel, info, lfirst(ll));
		Oid			opno = swap ? get_commutator(lfirst_oid(lo)) : lfirst_oid(lo);
		Oid			righttype;

		if (column == NULL || column->key != (n == 0 ? column->key : first + n) ||
			mcOtsStrategy(opno, column->type, &righttype) != strategy ||
			!mcOtsComparable(column->remote, righttype) ||
			!mcOtsComparable(column->remote, exprType(lfirst(lr))) ||
			!mcOtsCollationFits(column->remote, strategy, lfirst_oid(lc)) ||
			!mcOtsUsableExpr(root, rel, lfirst(lr)))
			break;
		if (n++ == 0)
			first = column->key;
		cond = lappend_int(cond, mcOtsAddExpr(exprs, lfirst(lr)));
	}
	if (n == 0)
		return NIL;
	if (n < list_length(left))
	{
		*narrows_only = true;
		if (strategy == BTLessStrategyNumber)
			strategy = BTLessEqualStrategyNumber;
		else if (strategy == BTGreaterStrategyNumber)
			strategy = BTGreaterEqualStrategyNumber;
	}
	return list_concat(list_make3_int(MC_OTS_COND_ROW, first, strategy), cond);
}

/* What every string that matches a LIKE pattern begins with; NULL = nothing */
static text *
like_prefix(const char *pattern, int len)
{
	char	   *out = palloc(len + 1);
	int			n = 0;

	for (int i = 0; i < len; i++)
	{
		if (pattern[i] == '%' || pattern[i] == '_')
			break;
		if (pattern[i] == '\\' && ++i >= len)
			break;
		out[n++] = pattern[i];
	}
	return n > 0 ? cstring_to_text_with_len(out, n) : NULL;
}

/* key LIKE 'abc%', key ^@ 'abc' */
static List *
match_prefix(RelOptInfo *rel, const McOtsRel *info, OpExpr *op, List **exprs)
{
	const McOtsColumn *column = mcOtsPushableKey(rel, info, linitial(op->args));
	Const	   *pattern = (Const *) without_relabel(lsecond(op->args));
	text	   *value;
	text	   *prefix;

	/* bytes of a pattern are those of UTF-8 only in these encodings, one by one */
	if (column == NULL || column->remote != MCW_OTS_STRING || !IsA(pattern, Const) || pattern->constisnull ||
		pattern->consttype != TEXTOID || !OidIsValid(op->inputcollid) ||
		(GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII) ||
		!get_collation_isdeterministic(op->inputcollid))
		return NIL;
	if (op->opfuncid != F_TEXTLIKE && op->opfuncid != F_STARTS_WITH)
		return NIL;
	value = DatumGetTextPP(pattern->constvalue);
	prefix = op->opfuncid == F_TEXTLIKE ? like_prefix(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) : value;
	if (prefix == NULL || VARSIZE_ANY_EXHDR(prefix) == 0)
		return NIL;
	return list_make3_int(MC_OTS_COND_PREFIX, column->key,
						  mcOtsAddExpr(exprs, (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
																 PointerGetDatum(prefix), false, false)));
}

static bool match(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *clause, List **exprs,
				  List **cond, bool *narrows_only);

/* An arm that has no condition on keys makes the whole OR useless */
static List *
match_or(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, List *args, List **exprs, bool *narrows_only)
{
	List	   *out = list_make1(list_make1_int(MC_OTS_COND_OR));
	ListCell   *la;

	foreach(la, args)
	{
		List	   *parts = make_ands_implicit(lfirst(la));
		List	   *arm = NIL;
		bool		any = false;
		ListCell   *lp;

		foreach(lp, parts)
		{
			List	   *cond = NIL;

			if (!match(root, rel, info, lfirst(lp), exprs, &cond, narrows_only) ||
				(cond != NIL && (mcOtsCondKind(cond) == MC_OTS_COND_OR || mcOtsCondKind(cond) == MC_OTS_COND_VERSION)))
			{
				*narrows_only = true;
				continue;
			}
			any = any || cond != NIL;
			if (cond != NIL)
				arm = lappend(arm, cond);
		}
		if (!any)
			return NIL;
		out = lappend(out, arm);
	}
	return out;
}

/* True: the clause is *cond; NIL = it holds for every row */
static bool
match(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *clause, List **exprs,
	  List **cond, bool *narrows_only)
{
	*cond = NIL;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;
		Node	   *left = linitial(op->args);
		Node	   *right = lsecond(op->args);

		*cond = match_compare(root, rel, info, left, right, op->opno, op->inputcollid, exprs);
		if (*cond == NIL)
			*cond = match_compare(root, rel, info, right, left, get_commutator(op->opno), op->inputcollid, exprs);
		/* newest versions are chosen before an upper bound is checked */
		if (*cond != NIL && mcOtsCondKind(*cond) == MC_OTS_COND_VERSION && !info->push_upper_versions &&
			mcOtsCondInt(*cond, 1) == BTEqualStrategyNumber)
		{
			lsecond_int(*cond) = BTGreaterEqualStrategyNumber;
			*narrows_only = true;
		}
		if (*cond == NIL && (*cond = match_prefix(rel, info, op, exprs)) != NIL)
			*narrows_only = true;
	}
	else if (IsA(clause, ScalarArrayOpExpr))
		*cond = match_any(root, rel, info, (ScalarArrayOpExpr *) clause, exprs);
	else if (IsA(clause, RowCompareExpr))
		*cond = match_row(root, rel, info, (RowCompareExpr *) clause, exprs, narrows_only);
	else if (IsA(clause, NullTest) && !((NullTest *) clause)->argisrow)
	{
		const McOtsColumn *column = mcOtsColumnOf(rel, info, (Node *) ((NullTest *) clause)->arg);

		if (column == NULL || column->kind != MC_OTS_KEY)
			return false;
		if (((NullTest *) clause)->nulltesttype == IS_NOT_NULL)
			return true;
		*cond = list_make1_int(MC_OTS_COND_NEVER);
	}
	else if (is_orclause(clause))
		*cond = match_or(root, rel, info, ((BoolExpr *) clause)->args, exprs, narrows_only);
	return *cond != NIL;
}

/* ---- all clauses together ---- */

/* Which key columns are given by values, and how many */
typedef struct Reach
{
	double		count[MCW_OTS_MAX_KEYS];	/* 0 = not given, -1 = unknown */
	int			given;			/* leading columns given: conditions on column 'given' are the last that narrow */
	bool		hull;			/* values of column 'given' are too many: it is only narrowed */
	double		points;			/* of the given columns, an estimate if unknown */
} Reach;

#define UNKNOWN_ARRAY 10.0		/* elements of an array not known yet */

static void
give(Reach *reach, const List *cond, List *exprs)
{
	double	   *count;
	double		n = 1;

	if (!IsA(cond, IntList))
		return;
	if (mcOtsCondKind(cond) == MC_OTS_COND_ANY)
	{
		Const	   *array = list_nth(exprs, mcOtsCondInt(cond, 2));

		n = -1;
		if (IsA(array, Const))
			n = array->constisnull ? 1 :
				Max(1, ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(array->constvalue)),
									  ARR_DIMS(DatumGetArrayTypeP(array->constvalue))));
	}
	else if (mcOtsCondKind(cond) != MC_OTS_COND_COMPARE || mcOtsCondInt(cond, 2) != BTEqualStrategyNumber)
		return;
	count = &reach->count[mcOtsCondInt(cond, 1)];
	if (*count == 0 || *count == -1 || (n > 0 && n < *count))
		*count = n == -1 && *count > 0 ? *count : n;
}

/* mirrors expand() of ots_range.c */
static void
reach_out(Reach *reach, int nkeys)
{
	double		product = 1;

	reach->points = 1;
	reach->hull = false;
	for (reach->given = 0; reach->given < nkeys && reach->count[reach->given] != 0; reach->given++)
	{
		double		n = reach->count[reach->given];

		if (n == 1)
			continue;
		if (product == 1)
			product = n;
		else if (n > 0 && product > 0 && n * product <= MC_OTS_MAX_PRODUCT)
			product *= n;
		else
		{
			reach->hull = true;
			break;
		}
		reach->points = product > 0 ? product : UNKNOWN_ARRAY;
	}
}

/* 0 = of no use, 1 = narrows, 2 = is implied by the keys that are read */
static int
use_of(const List *cond, const Reach *reach)
{
	int			key;

	switch (mcOtsCondKind(cond))
	{
		case MC_OTS_COND_NEVER:
		case MC_OTS_COND_VERSION:
			return 2;
		case MC_OTS_COND_ROW:
			return mcOtsCondInt(cond, 1) <= reach->given ? 2 : 0;
		default:
			key = mcOtsCondInt(cond, 1);
			if (key > reach->given)
				return 0;
			return mcOtsCondKind(cond) == MC_OTS_COND_PREFIX || (key == reach->given && reach->hull) ? 1 : 2;
	}
}

/* The same of an OR.  *deepest: the last key column any arm reaches */
static int
use_of_or(const List *cond, const Reach *context, List *exprs, int nkeys, int *deepest)
{
	int			use = 2;
	ListCell   *la;

	*deepest = -1;
	foreach(la, mcOtsOrArms(cond))
	{
		Reach		reach = *context;
		int			arm = 0;
		ListCell   *lc;

		foreach(lc, (List *) lfirst(la))
			give(&reach, lfirst(lc), exprs);
		reach_out(&reach, nkeys);
		*deepest = Max(*deepest, reach.given);
		foreach(lc, (List *) lfirst(la))
		{
			int			one = use_of(lfirst(lc), &reach);

			arm = Max(arm, one);
			if (one < 2)
				use = Min(use, 1);
		}
		if (arm == 0)
			return 0;
	}
	return use;
}

/* The first key column of a condition that is no OR; -1 = of no key column */
static int
first_key(const List *cond)
{
	return mcOtsCondKind(cond) == MC_OTS_COND_NEVER || mcOtsCondKind(cond) == MC_OTS_COND_VERSION ? -1 :
		mcOtsCondInt(cond, 1);
}

/*
 * The use of each candidate.  What reaches a key column only together with an OR is
 * pushed with it, and narrows: the OR was judged as if it were there.
 */
static void
judge(const McOtsRel *info, List *candidates, List *exprs, Reach *reach)
{
	int			deepest = -1;
	ListCell   *lc;

	foreach(lc, candidates)
	{
		Candidate  *c = lfirst(lc);

		if (c->cond != NIL)
			give(reach, c->cond, exprs);
	}
	reach_out(reach, info->nkeys);
	foreach(lc, candidates)
	{
		Candidate  *c = lfirst(lc);
		int			last;

		if (c->cond == NIL)
			continue;
		if (mcOtsCondKind(c->cond) != MC_OTS_COND_OR)
			c->use = use_of(c->cond, reach);
		else if ((c->use = use_of_or(c->cond, reach, exprs, info->nkeys, &last)) > 0)
			deepest = Max(deepest, last);
		if (c->use == 2 && c->narrows_only)
			c->use = 1;
	}
	foreach(lc, candidates)
	{
		Candidate  *c = lfirst(lc);

		if (c->cond != NIL && c->use == 0 && mcOtsCondKind(c->cond) != MC_OTS_COND_OR && first_key(c->cond) <= deepest)
			c->use = 1;
	}
}

/*
 * Candidates become pushed, rechecked or local conditions.  The local ones stay in the
 * order they came in: a row must pass those of a security policy before a function
 * that may leak it.
 */
static void
decide(const McOtsRel *info, List *candidates, McOtsPushed *pushed)
{
	Reach		reach = {0};
	ListCell   *lc;

	judge(info, candidates, pushed->exprs, &reach);
	foreach(lc, candidates)
	{
		Candidate  *c = lfirst(lc);

		if (c->use > 0)
		{
			pushed->conds = lappend(pushed->conds, c->cond);
			pushed->keyed = lappend(pushed->keyed, c->rinfo);
			if (mcOtsCondKind(c->cond) != MC_OTS_COND_VERSION)
				pushed->narrowed = Max(pushed->narrowed, 1);
		}
		/* without a condition it holds for every row */
		if (c->matched && (c->use == 2 || c->cond == NIL))
			pushed->exact = lappend(pushed->exact, c->rinfo);
		else
			pushed->local = lappend(pushed->local, c->rinfo);
	}
	pushed->parts = reach.points;
	if (reach.given == info->nkeys)
		pushed->points = reach.points;
	if (reach.given > 0)
		pushed->narrowed = reach.given + 1;
}

/* Expressions of conditions that were not pushed are not computed */
static void
renumber(List *node, List *old, List **exprs)
{
	ListCell   *lc;
	int			from;

	if (!IsA(node, IntList))
	{
		for_each_from(lc, node, 1)
		{
			List	   *arm = lfirst(lc);
			ListCell   *la;

			foreach(la, arm)
				renumber(lfirst(la), old, exprs);
		}
		return;
	}
	switch (mcOtsCondKind(node))
	{
		case MC_OTS_COND_NEVER:
			return;
		case MC_OTS_COND_COMPARE:
		case MC_OTS_COND_ROW:
			from = 3;
			break;
		default:
			from = 2;
	}
	for_each_from(lc, node, from)
		lfirst_int(lc) = mcOtsAddExpr(exprs, list_nth(old, lfirst_int(lc)));
}

McOtsPushed *
mcOtsClassify(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	const McOtsRel *info = rel->fdw_private;
	McOtsPushed *pushed = palloc0(sizeof(McOtsPushed));
	List	   *candidates = NIL;
	List	   *exprs = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		Candidate  *c = palloc0(sizeof(Candidate));

		c->rinfo = rinfo;
		if (rinfo->pseudoconstant)
			continue;
		c->matched = restriction_is_securely_promotable(rinfo, rel) &&
			match(root, rel, info, (Node *) rinfo->clause, &pushed->exprs, &c->cond, &c->narrows_only);
		candidates = lappend(candidates, c);
	}
	decide(info, candidates, pushed);
	foreach(lc, pushed->conds)
		renumber(lfirst(lc), pushed->exprs, &exprs);
	pushed->exprs = exprs;

	if (!info->push_filters)
		return pushed;
	foreach(lc, pushed->local)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		List	   *filter;

		if (!restriction_is_securely_promotable(rinfo, rel))
			continue;
		filter = mcOtsMatchFilter(root, rel, info, (Node *) rinfo->clause, &pushed->exprs);
		if (filter == NIL)
			continue;
		pushed->filter = lappend(pushed->filter, filter);
		pushed->filtered = lappend(pushed->filtered, rinfo);
	}
	return pushed;
}
