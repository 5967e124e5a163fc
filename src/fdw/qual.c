/*
 * qual.c
 *		Conditions that choose a window, from clauses of the query to values: what LogHub
 *		scans and change streams have in common.
 *
 * Which columns may be matched, and what the values mean, is in loghub_qual.c and
 * ots_stream_qual.c.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/explain.h"
#include "common/int.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "qual.h"

int
mcQualStrategy(Oid opno, Oid column_type, Oid *righttype)
{
	Oid			opclass = GetDefaultOpClass(column_type, BTREE_AM_OID);
	Oid			family;
	Oid			lefttype;
	int			strategy;

	if (!OidIsValid(opno) || !OidIsValid(opclass))
		return 0;
	family = get_opclass_family(opclass);
	if (get_op_opfamily_strategy(opno, family) == 0)
		return 0;
	get_op_opfamily_properties(opno, family, false, &strategy, &lefttype, righttype);
	return lefttype == column_type ? strategy : 0;
}

bool
mcQualUsable(PlannerInfo *root, Node *expr, RelOptInfo *rel)
{
	return !bms_is_member(rel->relid, pull_varnos(root, expr)) &&
		!contain_volatile_functions(expr) && !contain_subplans(expr);
}

bool
mcReadsOnly(Node *clause, Index relid, Bitmapset *allowed)
{
	Bitmapset  *attnums = NULL;
	int			x = -1;

	if (contain_volatile_functions(clause) || contain_subplans(clause))
		return false;
	pull_varattnos(clause, relid, &attnums);
	if (bms_is_empty(attnums))
		return false;
	while ((x = bms_next_member(attnums, x)) >= 0)
	{
		AttrNumber	attnum = x + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 || !bms_is_member(attnum, allowed))
			return false;
	}
	return true;
}

List *
mcQualsToList(List *quals)
{
	List	   *out = NIL;
	ListCell   *lc;

	foreach(lc, quals)
	{
		McQual	   *qual = lfirst(lc);

		out = lappend(out, list_make4_int(qual->kind, qual->op, qual->is_array, (int) qual->type));
	}
	return out;
}

List *
mcQualsFromList(List *list, List *exprs)
{
	List	   *out = NIL;
	ListCell   *lc;
	ListCell   *le;

	forboth(lc, list, le, exprs)
	{
		List	   *numbers = lfirst(lc);
		McQual	   *qual = palloc0(sizeof(McQual));

		qual->kind = linitial_int(numbers);
		qual->op = (McBound) lsecond_int(numbers);
		qual->is_array = lthird_int(numbers) != 0;
		qual->type = (Oid) lfourth_int(numbers);
		qual->expr = lfirst(le);
		out = lappend(out, qual);
	}
	return out;
}

void
mcQualsEvaluate(List *states, ExprContext *econtext, Datum **values, bool **nulls)
{
	int			n = list_length(states);
	ListCell   *lc;

	*values = palloc(sizeof(Datum) * (n + 1));
	*nulls = palloc(sizeof(bool) * (n + 1));
	foreach(lc, states)
	{
		int			i = foreach_current_index(lc);

		(*values)[i] = ExecEvalExprSwitchContext(lfirst(lc), econtext, &(*nulls)[i]);
	}
}

McInstant
mcQualInstant(Datum value, Oid type)
{
	McInstant	x = {0, 0};
	int			overflow = 0;
	TimestampTz t;

	if (type == DATEOID)
		t = date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
	else if (type == TIMESTAMPOID)
		t = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
	else
		t = DatumGetTimestampTz(value);

	if (overflow != 0)
		x.infinite = overflow;
	else if (TIMESTAMP_IS_NOBEGIN(t))
		x.infinite = -1;
	else if (TIMESTAMP_IS_NOEND(t) ||
			 pg_add_s64_overflow(t, MC_EPOCH_US, &x.micros))
		x.infinite = 1;
	return x;
}

char *
mcQualsText(ForeignScanState *node, List *quals, int kind, const char *attname, ExplainState *es)
{
	static const char *const operators[] = {"", "<", "<=", "=", ">=", ">"};
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, NIL);
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, quals)
	{
		const McQual *qual = lfirst(lc);
		char	   *expr;

		if (qual->kind != kind)
			continue;
		expr = deparse_expression((Node *) qual->expr, context, es->verbose || list_length(es->rtable) > 1, false);
		appendStringInfo(&out, "%s%s %s %s%s%s", out.len > 0 ? " AND " : "",
						 quote_identifier(attname), operators[qual->op],
						 qual->is_array ? "ANY (" : "", expr, qual->is_array ? ")" : "");
	}
	return out.len > 0 ? out.data : NULL;
}

List *
mcNeededAttributes(RelOptInfo *rel, List *columns, List *local)
{
	Bitmapset  *used = NULL;
	List	   *attrs = NIL;
	ListCell   *lc;
	bool		whole;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	pull_varattnos((Node *) local, rel->relid, &used);
	whole = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	foreach(lc, columns)
	{
		AttrNumber	attnum = *(const AttrNumber *) lfirst(lc);

		if (whole || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used))
			attrs = lappend_int(attrs, attnum);
	}
	return attrs;
}

bool
mcAllRowsWanted(PlannerInfo *root, ForeignPath *path)
{
	if (path->path.param_info != NULL)
		return false;
	for (; root != NULL; root = root->parent_root)
		if (root->tuple_fraction > 0 || root->parse->limitCount != NULL)
			return false;
	return true;
}
