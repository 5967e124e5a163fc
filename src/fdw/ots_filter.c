/*
 * ots_filter.c
 *		Conditions on attribute columns that the service can check (tablestore.md 2.5).
 *
 * A filter lets at least every row pass that the condition lets pass; the condition
 * itself stays and is checked again here.  Comparisons are within one type, a missing
 * column passes nothing, only the newest version counts.  The service's NOT is not
 * used: with it, a row without the column would be decided differently.
 *
 * A filter in the plan is a list of integers (leaf), or a list whose first member is
 * the list of one integer AND or OR.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "ots_plan.h"

typedef enum Kind
{
	F_COMPARE,					/* attribute number, comparator, expression */
	F_ANY,						/* the same: holds for one element of the array */
	F_ALL,						/* the same: holds for every element */
	F_BOOL,						/* attribute number, 0 or 1: is false, is true */
	F_EXISTS,					/* attribute number */
	F_AND,
	F_OR
} Kind;

#define MAX_LIST 24				/* elements of an array that become comparisons of their own */

/* ---- planning ---- */

/* The column if its comparisons agree with the service's */
static const McOtsColumn *
filter_column(RelOptInfo *rel, const McOtsRel *info, Node *expr)
{
	const McOtsColumn *column = mcOtsColumnOf(rel, info, expr);

	/* a float4 compares after rounding */
	if (column == NULL || column->kind != MC_OTS_CELL || column->any_type ||
		getBaseType(column->type) == FLOAT4OID || !mcOtsComparable(column->remote, column->type))
		return NULL;
	return column;
}

static int
comparator_of(Oid opno, const McOtsColumn *column, Oid collation, Oid *righttype)
{
	static const int comparators[] = {0, MCW_OTS_LT, MCW_OTS_LE, MCW_OTS_EQ, MCW_OTS_GE, MCW_OTS_GT};
	int			strategy = mcOtsStrategy(opno, column->type, righttype);
	bool		negated = false;
	Oid			positive;

	if (strategy == 0 && OidIsValid(positive = get_negator(opno)))
	{
		strategy = mcOtsStrategy(positive, column->type, righttype);
		negated = true;
		if (strategy != BTEqualStrategyNumber)
			return 0;
	}
	if (strategy == 0 || !mcOtsComparable(column->remote, *righttype) ||
		!mcOtsCollationFits(column->remote, strategy, collation))
		return 0;
	return negated ? MCW_OTS_NE : comparators[strategy];
}

static List *
match_op(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *left, Node *right,
		 Oid opno, Oid collation, List **exprs)
{
	const McOtsColumn *column = filter_column(rel, info, left);
	Oid			righttype;
	int			op;

	if (column == NULL || !OidIsValid(opno) || !mcOtsUsableExpr(root, rel, right) ||
		!mcOtsComparable(column->remote, exprType(right)) ||
		(op = comparator_of(opno, column, collation, &righttype)) == 0)
		return NIL;
	return list_make4_int(F_COMPARE, column->attnum, op, mcOtsAddExpr(exprs, right));
}

static List *
match_array(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, ScalarArrayOpExpr *clause, List **exprs)
{
	const McOtsColumn *column = filter_column(rel, info, linitial(clause->args));
	Node	   *array = lsecond(clause->args);
	Oid			righttype;
	int			op;

	if (column == NULL || !mcOtsUsableExpr(root, rel, array) ||
		!mcOtsComparable(column->remote, get_base_element_type(exprType(array))) ||
		(op = comparator_of(clause->opno, column, clause->inputcollid, &righttype)) == 0)
		return NIL;
	return list_make4_int(clause->useOr ? F_ANY : F_ALL, column->attnum, op, mcOtsAddExpr(exprs, array));
}

static List *
match_bool(RelOptInfo *rel, const McOtsRel *info, Node *expr, bool value)
{
	const McOtsColumn *column = filter_column(rel, info, expr);

	if (column == NULL || column->remote != MCW_OTS_BOOLEAN)
		return NIL;
	return list_make3_int(F_BOOL, column->attnum, value);
}

/* Of AND the members that can be pushed, of OR all or none */
static List *
match_tree(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, BoolExpr *clause, List **exprs)
{
	bool		is_or = clause->boolop == OR_EXPR;
	List	   *out = list_make1(list_make1_int(is_or ? F_OR : F_AND));
	ListCell   *lc;

	foreach(lc, clause->args)
	{
		List	   *one = mcOtsMatchFilter(root, rel, info, lfirst(lc), exprs);

		if (one != NIL)
			out = lappend(out, one);
		else if (is_or)
			return NIL;
	}
	if (list_length(out) <= 2)
		return list_length(out) == 2 ? lsecond(out) : NIL;
	return out;
}

List *
mcOtsMatchFilter(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *clause, List **exprs)
{
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			{
				OpExpr	   *op = (OpExpr *) clause;
				List	   *out;

				if (list_length(op->args) != 2)
					return NIL;
				out = match_op(root, rel, info, linitial(op->args), lsecond(op->args), op->opno,
							   op->inputcollid, exprs);
				return out != NIL ? out : match_op(root, rel, info, lsecond(op->args), linitial(op->args),
												   get_commutator(op->opno), op->inputcollid, exprs);
			}
		case T_ScalarArrayOpExpr:
			return match_array(root, rel, info, (ScalarArrayOpExpr *) clause, exprs);
		case T_Var:
		case T_RelabelType:
			return match_bool(rel, info, clause, true);
		case T_BooleanTest:
			{
				BooleanTest *test = (BooleanTest *) clause;

				if (test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE)
					return NIL;
				return match_bool(rel, info, (Node *) test->arg, test->booltesttype == IS_TRUE);
			}
		case T_NullTest:
			{
				NullTest   *test = (NullTest *) clause;
				const McOtsColumn *column = filter_column(rel, info, (Node *) test->arg);

				if (column == NULL || test->nulltesttype != IS_NOT_NULL || test->argisrow)
					return NIL;
				return list_make2_int(F_EXISTS, column->attnum);
			}
		case T_BoolExpr:
			if (((BoolExpr *) clause)->boolop == NOT_EXPR)
				return match_bool(rel, info, linitial(((BoolExpr *) clause)->args), false);
			return match_tree(root, rel, info, (BoolExpr *) clause, exprs);
		default:
			return NIL;
	}
}

/* ---- evaluating ---- */

/* What became of a part: decided, or something for the service */
typedef enum Verdict
{
	NOBODY,						/* no row passes */
	EVERYBODY,					/* nothing to check */
	CHECK
} Verdict;

typedef struct Build
{
	List	   *columns;
	const McOtsValues *in;
} Build;

static Verdict
compare(const McOtsColumn *column, mcw_ots_comparator op, mcw_ots_value value, mcw_ots_filter **out)
{
	mcw_ots_filter *f = palloc0(sizeof(mcw_ots_filter));

	f->kind = MCW_OTS_FILTER_COMPARE;
	f->op = op;
	f->column = mcw_str(column->wire);
	f->value = value;
	f->latest_only = true;
	*out = f;
	return CHECK;
}

static mcw_ots_value
double_value(double d)
{
	mcw_ots_value v = mcw_ots_none(MCW_OTS_DOUBLE);

	v.d = d;
	return v;
}

/* A cell of the column's type is there */
static Verdict
exists(const McOtsColumn *column, mcw_ots_filter **out)
{
	mcw_ots_value least = mcw_ots_none(column->remote);

	switch (column->remote)
	{
		case MCW_OTS_INTEGER:
			least.i = PG_INT64_MIN;
			break;
		case MCW_OTS_DOUBLE:
			least.d = -DBL_MAX;
			break;
		case MCW_OTS_BOOLEAN:
			least.b = false;
			break;
		default:
			least.s = mcw_str("");
	}
	return compare(column, MCW_OTS_GE, least, out);
}

static Verdict
composite(Kind kind, mcw_ots_filter **sub, int n, mcw_ots_filter **out)
{
	mcw_ots_filter *f;

	if (n == 0)
		return kind == F_AND ? EVERYBODY : NOBODY;
	if (n == 1)
	{
		*out = sub[0];
		return CHECK;
	}
	f = palloc0(sizeof(mcw_ots_filter));
	f->kind = kind == F_AND ? MCW_OTS_FILTER_AND : MCW_OTS_FILTER_OR;
	f->sub = sub;
	f->nsub = n;
	*out = f;
	return CHECK;
}

/*
 * No cell is NaN or infinite; PostgreSQL puts NaN above everything.  Whether the
 * service tells -0 from 0 is not known: both sides of zero are asked for.
 */
static Verdict
compare_double(const McOtsColumn *column, mcw_ots_comparator op, double d, mcw_ots_filter **out)
{
	if (isnan(d) || isinf(d))
	{
		bool		above = isnan(d) || d > 0;
		bool		holds = op == MCW_OTS_NE ||
			(above ? op == MCW_OTS_LT || op == MCW_OTS_LE : op == MCW_OTS_GT || op == MCW_OTS_GE);

		return holds ? exists(column, out) : NOBODY;
	}
	if (d == 0 && op == MCW_OTS_EQ)
	{
		mcw_ots_filter **sub = palloc(sizeof(mcw_ots_filter *) * 2);

		compare(column, MCW_OTS_GE, double_value(-0.0), &sub[0]);
		compare(column, MCW_OTS_LE, double_value(0.0), &sub[1]);
		return composite(F_AND, sub, 2, out);
	}
	if (d == 0 && op == MCW_OTS_LE)
		d = 0.0;
	else if (d == 0 && op == MCW_OTS_GE)
		d = -0.0;
	return compare(column, op, double_value(d), out);
}

/* A column of a smaller type has no value where the service's integer may have one */
static Verdict
compare_integer(const McOtsColumn *column, mcw_ots_comparator op, mcw_ots_value value, mcw_ots_filter **out)
{
	Oid			type = getBaseType(column->type);
	int64		max = type == INT2OID ? PG_INT16_MAX : type == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;
	bool		above = value.i > max;
	bool		below = value.i < -max - 1;

	if ((above && (op == MCW_OTS_EQ || op == MCW_OTS_GT || op == MCW_OTS_GE)) ||
		(below && (op == MCW_OTS_EQ || op == MCW_OTS_LT || op == MCW_OTS_LE)))
		return NOBODY;
	if (above || below)
		return exists(column, out);
	return compare(column, op, value, out);
}

static Verdict
compare_any(const McOtsColumn *column, mcw_ots_comparator op, Datum datum, Oid type, mcw_ots_filter **out)
{
	mcw_ots_value value = mcOtsComparand(column->remote, datum, type);

	if (column->remote == MCW_OTS_DOUBLE)
		return compare_double(column, op, value.d, out);
	if (column->remote == MCW_OTS_INTEGER)
		return compare_integer(column, op, value, out);
	if (column->remote != MCW_OTS_BOOLEAN && value.s.len > MCW_OTS_MAX_VALUE_BYTES)
		return op == MCW_OTS_EQ ? NOBODY : exists(column, out);
	return compare(column, op, value, out);
}

static int
order_of(const mcw_ots_value *a, const mcw_ots_value *b)
{
	if (a->type == MCW_OTS_DOUBLE)
		return a->d < b->d ? -1 : a->d > b->d;
	if (a->type == MCW_OTS_BOOLEAN)
		return (int) a->b - (int) b->b;
	return mcw_ots_value_cmp(a, b);
}

/* column = ANY (many values): between the smallest and the largest */
static Verdict
between(const McOtsColumn *column, const Datum *values, Oid type, int n, mcw_ots_filter **out)
{
	mcw_ots_filter **sub = palloc(sizeof(mcw_ots_filter *) * 2);
	mcw_ots_value min = mcOtsComparand(column->remote, values[0], type);
	mcw_ots_value max = min;

	for (int i = 0; i < n; i++)
	{
		mcw_ots_value v = mcOtsComparand(column->remote, values[i], type);

		if (column->remote == MCW_OTS_DOUBLE && (isnan(v.d) || isinf(v.d) || isnan(min.d)))
			return exists(column, out);
		if (order_of(&v, &min) < 0)
			min = v;
		if (order_of(&v, &max) > 0)
			max = v;
	}
	if (column->remote != MCW_OTS_INTEGER && column->remote != MCW_OTS_DOUBLE && column->remote != MCW_OTS_BOOLEAN &&
		(min.s.len > MCW_OTS_MAX_VALUE_BYTES || max.s.len > MCW_OTS_MAX_VALUE_BYTES))
		return exists(column, out);
	if (column->remote == MCW_OTS_DOUBLE)
	{
		min.d = min.d == 0 ? -0.0 : min.d;
		max.d = max.d == 0 ? 0.0 : max.d;
	}
	compare(column, MCW_OTS_GE, min, &sub[0]);
	compare(column, MCW_OTS_LE, max, &sub[1]);
	return composite(F_AND, sub, 2, out);
}

static Verdict
build_array(const Build *build, const List *leaf, const McOtsColumn *column, mcw_ots_filter **out)
{
	Kind		kind = (Kind) linitial_int(leaf);
	mcw_ots_comparator op = (mcw_ots_comparator) lthird_int(leaf);
	mcw_ots_filter **sub = palloc(sizeof(mcw_ots_filter *) * MAX_LIST);
	int			expr = lfourth_int(leaf);
	int			nsub = 0;
	Oid			type;
	bool		has_null;
	int			n;
	Datum	   *values;

	if (build->in->nulls[expr])
		return NOBODY;
	values = mcOtsElements(build->in, expr, &type, &n, &has_null);
	if (kind == F_ALL && has_null)
		return NOBODY;
	if (n > MAX_LIST)
	{
		if (kind == F_ANY)
			return op == MCW_OTS_EQ ? between(column, values, type, n, out) : exists(column, out);
		n = MAX_LIST;			/* the others are checked here only */
	}
	for (int i = 0; i < n; i++)
	{
		Verdict		one = compare_any(column, op, values[i], type, &sub[nsub]);

		if (one == (kind == F_ANY ? EVERYBODY : NOBODY))
			return one;
		if (one == CHECK)
			nsub++;
	}
	return composite(kind == F_ANY ? F_OR : F_AND, sub, nsub, out);
}

static Verdict
build_leaf(const Build *build, const List *leaf, mcw_ots_filter **out)
{
	const McOtsColumn *column = mcOtsColumn(build->columns, (AttrNumber) lsecond_int(leaf));
	mcw_ots_value value;
	int			expr;

	switch ((Kind) linitial_int(leaf))
	{
		case F_EXISTS:
			return exists(column, out);
		case F_BOOL:
			value = mcw_ots_none(MCW_OTS_BOOLEAN);
			value.b = lthird_int(leaf) != 0;
			return compare(column, MCW_OTS_EQ, value, out);
		case F_COMPARE:
			expr = lfourth_int(leaf);
			if (build->in->nulls[expr])
				return NOBODY;
			return compare_any(column, (mcw_ots_comparator) lthird_int(leaf), build->in->values[expr],
							   build->in->types[expr], out);
		default:
			return build_array(build, leaf, column, out);
	}
}

/* Conjuncts that do not fit are left to the local check, alternatives never */
static Verdict
build_tree(const Build *build, List *node, int budget, mcw_ots_filter **out)
{
	Kind		kind;
	mcw_ots_filter **sub;
	int			nsub = 0;
	int			nodes = 1;
	ListCell   *lc;

	check_stack_depth();
	if (IsA(node, IntList))
	{
		Verdict		leaf = build_leaf(build, node, out);

		return leaf == CHECK && mcw_ots_filter_nodes(*out) > budget ? EVERYBODY : leaf;
	}
	kind = (Kind) linitial_int((List *) linitial(node));
	sub = palloc(sizeof(mcw_ots_filter *) * list_length(node));
	for_each_from(lc, node, 1)
	{
		Verdict		one = build_tree(build, lfirst(lc), budget - nodes, &sub[nsub]);

		if (one == (kind == F_OR ? EVERYBODY : NOBODY))
			return one;
		if (one == CHECK)
			nodes += mcw_ots_filter_nodes(sub[nsub++]);
	}
	return composite(kind, sub, nsub, out);
}

bool
mcOtsBuildFilter(List *columns, List *filter, const McOtsValues *in, mcw_view *out)
{
	Build		build = {columns, in};
	mcw_ots_filter *tree = NULL;
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		buf;
	mcw_error	err;

	*out = mcw_str("");
	if (filter == NIL)
		return true;
	switch (build_tree(&build, list_concat(list_make1(list_make1_int(F_AND)), filter), MCW_OTS_MAX_FILTER_NODES, &tree))
	{
		case NOBODY:
			return false;
		case EVERYBODY:
			return true;
		case CHECK:
			break;
	}
	memset(&err, 0, sizeof(err));
	mcw_buf_init(&buf, &alloc, MCS_OTS_PAGE_MAX);
	mcCheck(mcw_ots_write_filter(&buf, tree, &err), &err, NULL);
	*out = mcw_buf_view(&buf);
	return true;
}

/* ---- EXPLAIN ---- */

static void
show(StringInfo out, List *columns, List *node, char **exprs, bool nested)
{
	static const char *const operators[] = {"", "=", "<>", ">", ">=", "<", "<="};
	ListCell   *lc;

	if (IsA(node, IntList))
	{
		const McOtsColumn *column = mcOtsColumn(columns, (AttrNumber) lsecond_int(node));
		const char *name = column ? quote_identifier(column->attname) : "?";
		Kind		kind = (Kind) linitial_int(node);

		if (kind == F_EXISTS)
			appendStringInfo(out, "(%s IS NOT NULL)", name);
		else if (kind == F_BOOL)
			appendStringInfo(out, lthird_int(node) ? "%s" : "(NOT %s)", name);
		else
			appendStringInfo(out, kind == F_COMPARE ? "(%s %s %s)" : "(%s %s %s (%s))", name, operators[lthird_int(node)],
							 kind == F_COMPARE ? exprs[lfourth_int(node)] : kind == F_ANY ? "ANY" : "ALL",
							 exprs[lfourth_int(node)]);
		return;
	}
	if (nested)
		appendStringInfoChar(out, '(');
	for_each_from(lc, node, 1)
	{
		if (foreach_current_index(lc) > 1)
			appendStringInfoString(out, linitial_int((List *) linitial(node)) == F_OR ? " OR " : " AND ");
		show(out, columns, lfirst(lc), exprs, true);
	}
	if (nested)
		appendStringInfoChar(out, ')');
}

char *
mcOtsFilterText(List *columns, List *filter, char **exprs)
{
	StringInfoData out;

	initStringInfo(&out);
	if (list_length(filter) == 1)
		show(&out, columns, linitial(filter), exprs, false);
	else
		show(&out, columns, list_concat(list_make1(list_make1_int(F_AND)), filter), exprs, false);
	return out.data;
}
