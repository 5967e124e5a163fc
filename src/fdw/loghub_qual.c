/*
 * loghub_qual.c
 *		Conditions that choose the window and the shards of a LogHub scan.
 *
 * At plan time: which clauses of the query are of the form "column op expression"
 * with an operator of the column's btree family.  At run time: the values of the
 * expressions become windows and a set of shards.  Conditions on the receive time
 * and the shard are exact and need no local recheck; those on the log's own time
 * only narrow the window, by the table's max_delay and max_clock_skew.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "loghub.h"

/* ---- matching ---- */

static const McLogColumn *
column_of(Node *node, RelOptInfo *rel, List *columns)
{
	Var		   *var = (Var *) node;

	if (!IsA(node, Var) || var->varno != rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return mcLogColumn(columns, var->varattno);
}

static bool
is_usable_type(McLogKind kind, Oid type)
{
	if (kind == MC_LOG_SHARD)
		return type == INT2OID || type == INT4OID || type == INT8OID;
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

static bool
match_sides(PlannerInfo *root, Node *left, Node *right, Oid opno, bool is_array,
			RelOptInfo *rel, List *columns, bool derive, McQual *qual)
{
	const McLogColumn *column = column_of(left, rel, columns);
	Oid			righttype;
	int			strategy;

	if (column == NULL)
		return false;
	switch (column->kind)
	{
		case MC_LOG_RECEIVE_TIME:
			qual->kind = MC_QUAL_RECEIVE;
			break;
		case MC_LOG_TIME:
			if (!derive || column->type != TIMESTAMPTZOID || is_array)
				return false;
			qual->kind = MC_QUAL_TIME;
			break;
		case MC_LOG_SHARD:
			qual->kind = MC_QUAL_SHARD;
			break;
		default:
			return false;
	}
	strategy = mcQualStrategy(opno, column->type, &righttype);
	if (strategy < BTLessStrategyNumber || strategy > BTGreaterStrategyNumber ||
		((is_array || qual->kind == MC_QUAL_SHARD) && strategy != BTEqualStrategyNumber) ||
		!is_usable_type(column->kind, righttype) || !mcQualUsable(root, right, rel))
		return false;
	qual->op = (McBound) strategy;
	qual->is_array = is_array;
	qual->type = righttype;
	qual->expr = (Expr *) right;
	return true;
}

bool
mcLogMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, List *columns, bool derive,
			   McQual *qual)
{
	Node	   *clause = (Node *) rinfo->clause;

	if (rinfo->pseudoconstant || !restriction_is_securely_promotable(rinfo, rel))
		return false;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, false,
						   rel, columns, derive, qual) ||
			match_sides(root, lsecond(op->args), linitial(op->args), get_commutator(op->opno), false,
						rel, columns, derive, qual);
	}
	if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, true,
						   rel, columns, derive, qual);
	}
	return false;
}

/* ---- evaluating ---- */

static int64
shard_number(Datum value, Oid type)
{
	if (type == INT2OID)
		return DatumGetInt16(value);
	if (type == INT4OID)
		return DatumGetInt32(value);
	return DatumGetInt64(value);
}

/* Elements that are not NULL; a scalar is an array of one */
static Datum *
elements_of(const McQual *qual, Datum value, int *n)
{
	int16		len;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;
	int			i;

	*n = 0;
	if (!qual->is_array)
	{
		values = palloc(sizeof(Datum));
		values[(*n)++] = value;
		return values;
	}
	get_typlenbyvalalign(qual->type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(value), qual->type, len, byval, align, &values, &nulls, &nvalues);
	for (i = 0; i < nvalues; i++)
	{
		if (!nulls[i])
			values[(*n)++] = values[i];
	}
	return values;
}

/* Keep the points that the condition allows too; *n = -1 means that there is no set yet */
static void
narrow_points(const McQual *qual, Datum value, McInstant **points, int *n)
{
	int			nvalues;
	Datum	   *values = elements_of(qual, value, &nvalues);
	McInstant  *wanted = palloc(sizeof(McInstant) * (nvalues + 1));
	int			kept = 0;
	int			i;
	int			k;

	for (i = 0; i < nvalues; i++)
		wanted[i] = mcQualInstant(values[i], qual->type);
	if (*n < 0)
	{
		*points = wanted;
		*n = nvalues;
		return;
	}
	for (i = 0; i < *n; i++)
	{
		for (k = 0; k < nvalues && (wanted[k].micros != (*points)[i].micros ||
								  wanted[k].infinite != (*points)[i].infinite); k++)
			;
		if (k < nvalues)
			(*points)[kept++] = (*points)[i];
	}
	*n = kept;
}

static void
narrow_shards(const McQual *qual, Datum value, McLogSelection *selection)
{
	int			nvalues;
	Datum	   *values = elements_of(qual, value, &nvalues);
	int		   *shards = palloc(sizeof(int) * (nvalues + 1));
	int			n = 0;
	int			i;
	int			k;

	for (i = 0; i < nvalues; i++)
	{
		int64		id = shard_number(values[i], qual->type);

		if (id < 0 || id > PG_INT32_MAX)
			continue;
		if (selection->shards != NULL)
		{
			for (k = 0; k < selection->nshards && selection->shards[k] != id; k++)
				;
			if (k == selection->nshards)
				continue;
		}
		shards[n++] = (int) id;
	}
	selection->shards = shards;
	selection->nshards = n;
}

void
mcLogSelect(List *quals, const Datum *values, const bool *nulls,
			int64 delay, int64 skew, McLogSelection *selection)
{
	McWindow	window;
	McInstant  *points = NULL;
	int			npoints = -1;
	ListCell   *lc;

	memset(selection, 0, sizeof(*selection));
	mcWindowInit(&window);
	foreach(lc, quals)
	{
		McQual  *qual = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (qual->kind == MC_QUAL_RECEIVE)
			selection->bounded = true;
		if (nulls[i])
			mcWindowNull(&window);
		else if (qual->kind == MC_QUAL_SHARD)
			narrow_shards(qual, values[i], selection);
		else if (qual->kind == MC_QUAL_TIME)
			mcWindowDerive(&window, qual->op, mcQualInstant(values[i], qual->type), delay, skew);
		else if (qual->is_array)
			narrow_points(qual, values[i], &points, &npoints);
		else
			mcWindowBound(&window, qual->op, mcQualInstant(values[i], qual->type));
	}
	if (window.has_begin || window.has_end)
		selection->bounded = true;

	if (npoints >= 0)
	{
		selection->windows = palloc(sizeof(McWindow) * (npoints + 1));
		selection->nwindows = (int) mcWindowPoints(&window, points, npoints, selection->windows);
	}
	else if (!window.empty)
	{
		selection->windows = palloc(sizeof(McWindow));
		selection->windows[0] = window;
		selection->nwindows = 1;
	}
	if (selection->shards != NULL && selection->nshards == 0)
		selection->nwindows = 0;
}
