/*
 * oss_qual.c
 *		Conditions that choose the objects of a scan.
 *
 * A clause over object-level columns alone is evaluated by the executor's own code for
 * each object, so it is exact whatever its operators.  Beside that a few forms shorten
 * the listing: bounds on the key and on the time, equality on a part of the path.
 * These only narrow; the clause itself still decides.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "oss.h"

/* ---- planning ---- */

static bool
is_object_level(const McOssColumn *column)
{
	return column->kind == MC_OSS_PATH || column->kind == MC_OSS_OBJECT || column->kind == MC_OSS_LAST_MODIFIED ||
		column->kind == MC_OSS_SIZE || column->kind == MC_OSS_ETAG;
}

bool
mcOssIsObjectQual(const McOssTable *table, RelOptInfo *rel, Expr *clause)
{
	Bitmapset  *allowed = NULL;
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		const McOssColumn *column = lfirst(lc);

		if (is_object_level(column))
			allowed = bms_add_member(allowed, column->attnum);
	}
	return mcReadsOnly((Node *) clause, rel->relid, allowed);
}

/* Text comparisons that agree with the bytes of the key: equality always, order under C */
static bool
collation_fits(int strategy, Oid collation)
{
	if (!OidIsValid(collation) || !get_collation_isdeterministic(collation))
		return false;
	if (strategy == BTEqualStrategyNumber)
		return true;
	return (GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII) && mcCollationIsC(collation);
}

static const McOssColumn *
column_of(Node *node, RelOptInfo *rel, const McOssTable *table)
{
	Var		   *var;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	var = (Var *) node;
	if (!IsA(node, Var) || var->varno != rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return mcOssColumn(table, var->varattno);
}

static bool
match_sides(PlannerInfo *root, Node *left, Node *right, Oid opno, Oid collation, bool is_array,
			RelOptInfo *rel, const McOssTable *table, McQual *qual)
{
	const McOssColumn *column = column_of(left, rel, table);
	Oid			type = exprType(left);
	Oid			righttype;
	int			strategy;

	if (column == NULL)
		return false;
	strategy = mcQualStrategy(opno, type, &righttype);
	if (strategy < BTLessStrategyNumber || strategy > BTGreaterStrategyNumber ||
		(is_array && strategy != BTEqualStrategyNumber) || !mcQualUsable(root, right, rel))
		return false;
	switch (column->kind)
	{
		case MC_OSS_LAST_MODIFIED:
			qual->kind = MC_OSS_QUAL_MODIFIED;
			if (is_array || (righttype != TIMESTAMPTZOID && righttype != TIMESTAMPOID && righttype != DATEOID))
				return false;
			break;
		case MC_OSS_OBJECT:
			qual->kind = MC_OSS_QUAL_OBJECT;
			if (type != TEXTOID || righttype != TEXTOID || !collation_fits(strategy, collation))
				return false;
			break;
		case MC_OSS_PATH:
			qual->kind = MC_OSS_QUAL_PATH + column->index;
			/* a varchar(n) does not show all of the value */
			if (is_array || strategy != BTEqualStrategyNumber || type != TEXTOID || righttype != TEXTOID ||
				column->typmod >= 0 || (column->type != TEXTOID && column->type != VARCHAROID) ||
				!collation_fits(strategy, collation))
				return false;
			break;
		default:
			return false;
	}
	qual->op = (McBound) strategy;
	qual->is_array = is_array;
	qual->type = righttype;
	qual->expr = (Expr *) right;
	return true;
}

bool
mcOssMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, const McOssTable *table, McQual *qual)
{
	Node	   *clause = (Node *) rinfo->clause;

	if (rinfo->pseudoconstant || !restriction_is_securely_promotable(rinfo, rel))
		return false;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, op->inputcollid, false, rel, table, qual) ||
			match_sides(root, lsecond(op->args), linitial(op->args), get_commutator(op->opno), op->inputcollid, false,
						rel, table, qual);
	}
	if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, op->inputcollid, true, rel, table, qual);
	}
	return false;
}

/* ---- evaluating ---- */

static void
bound_modified(McOssChoice *choice, const McQual *qual, Datum value)
{
	McInstant	at = mcQualInstant(value, qual->type);
	int64		micros = at.infinite ? (at.infinite > 0 ? PG_INT64_MAX : PG_INT64_MIN) : at.micros;

	if (qual->op >= MC_BOUND_EQ)
		choice->modified_from = Max(choice->modified_from, micros);
	if (qual->op <= MC_BOUND_EQ)
		choice->modified_to = Min(choice->modified_to, micros);
}

static void
bound_key(McOssChoice *choice, McBound op, Datum low, Datum high)
{
	char	   *from = mcOssToWire(TextDatumGetCString(low));
	char	   *to = mcOssToWire(TextDatumGetCString(high));

	choice->narrowed = true;
	if (op >= MC_BOUND_EQ && (choice->from_key == NULL || strcmp(from, choice->from_key) > 0))
		choice->from_key = from;
	if (op <= MC_BOUND_EQ && (choice->to_key == NULL || strcmp(to, choice->to_key) < 0))
		choice->to_key = to;
}

/* = ANY: between the least and the greatest, in the order of bytes */
static void
bound_keys(McOssChoice *choice, Datum array)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
	Datum		low = (Datum) 0;
	Datum		high = (Datum) 0;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (low == (Datum) 0 || strcmp(TextDatumGetCString(values[i]), TextDatumGetCString(low)) < 0)
			low = values[i];
		if (high == (Datum) 0 || strcmp(TextDatumGetCString(values[i]), TextDatumGetCString(high)) > 0)
			high = values[i];
	}
	if (low == (Datum) 0)
		choice->empty = true;
	else
		bound_key(choice, MC_BOUND_EQ, low, high);
}

static void
bound_part(McOssChoice *choice, int part, Datum value)
{
	char	   *wanted = mcOssToWire(TextDatumGetCString(value));

	choice->narrowed = true;
	if (choice->part_values[part] != NULL && strcmp(choice->part_values[part], wanted) != 0)
		choice->empty = true;
	choice->part_values[part] = wanted;
}

static void
add_filter(const McOssTable *table, Expr *clause, Index relid, PlanState *ps, McOssChoice *choice)
{
	McOssFilter *filter = &choice->filters[choice->nfilters++];
	Bitmapset  *attnums = NULL;
	int			x = -1;

	filter->path_only = true;
	pull_varattnos((Node *) clause, relid, &attnums);
	while ((x = bms_next_member(attnums, x)) >= 0)
	{
		const McOssColumn *column = mcOssColumn(table, x + FirstLowInvalidHeapAttributeNumber);

		choice->attnums = bms_add_member(choice->attnums, column->attnum);
		if (column->kind == MC_OSS_PATH)
			filter->parts |= UINT64CONST(1) << column->index;
		else
			filter->path_only = false;
	}
	filter->state = ExecInitQual(list_make1(clause), ps);
}

void
mcOssChoose(const McOssTable *table, List *quals, const Datum *values, const bool *nulls,
			List *object_quals, Relation rel, PlanState *ps, McOssChoice *choice)
{
	Index		relid = ((Scan *) ps->plan)->scanrelid;
	ListCell   *lc;

	if (choice->filters == NULL)
	{
		choice->rel = rel;
		choice->ps = ps;
		choice->econtext = CreateExprContext(ps->state);
		choice->filters = palloc0(sizeof(McOssFilter) * (list_length(object_quals) + 1));
		foreach(lc, object_quals)
			add_filter(table, lfirst(lc), relid, ps, choice);
	}
	choice->empty = false;
	choice->narrowed = false;
	choice->from_key = NULL;
	choice->to_key = NULL;
	choice->modified_from = PG_INT64_MIN;
	choice->modified_to = PG_INT64_MAX;
	choice->part_values = palloc0(sizeof(char *) * (table->nparts + 1));

	foreach(lc, quals)
	{
		const McQual *qual = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (nulls[i])
			choice->empty = true;
		else if (qual->kind == MC_OSS_QUAL_MODIFIED)
			bound_modified(choice, qual, values[i]);
		else if (qual->kind >= MC_OSS_QUAL_PATH)
			bound_part(choice, qual->kind - MC_OSS_QUAL_PATH, values[i]);
		else if (qual->is_array)
			bound_keys(choice, values[i]);
		else
			bound_key(choice, qual->op, values[i], values[i]);
	}
}
