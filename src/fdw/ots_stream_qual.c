/*
 * ots_stream_qual.c
 *		Conditions that choose the window and the shards of a change stream.
 *
 * Commit times are whole microseconds, as timestamptz is, so every bound is exact:
 * t > x is t >= x + 1, t <= x is t < x + 1.  Hence [a, b) and [b, c) tile for every
 * a, b, c, and the conditions need no local check.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "loghub.h"
#include "ots_stream.h"

/* ---- matching ---- */

static bool
match_sides(PlannerInfo *root, Node *left, Node *right, Oid opno, Oid collation, bool is_array,
			RelOptInfo *rel, List *columns, McQual *qual)
{
	Var		   *var = (Var *) left;
	const McOtsColumn *column;
	Oid			righttype;
	int			strategy;

	if (!IsA(left, Var) || var->varno != rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return false;
	column = mcOtsColumn(columns, var->varattno);
	strategy = mcQualStrategy(opno, var->vartype, &righttype);
	if (column == NULL || strategy < BTLessStrategyNumber || strategy > BTGreaterStrategyNumber)
		return false;
	if (column->kind == MC_OTS_COMMIT_TIME)
	{
		if (is_array || (righttype != TIMESTAMPTZOID && righttype != TIMESTAMPOID && righttype != DATEOID))
			return false;
		qual->kind = MC_STREAM_TIME;
	}
	else if (column->kind == MC_OTS_SHARD)
	{
		if (strategy != BTEqualStrategyNumber || righttype != TEXTOID ||
			(OidIsValid(collation) && !get_collation_isdeterministic(collation)))
			return false;
		qual->kind = MC_STREAM_SHARD;
	}
	else
		return false;
	if (!mcQualUsable(root, right, rel))
		return false;
	qual->op = (McBound) strategy;
	qual->is_array = is_array;
	qual->type = righttype;
	qual->expr = (Expr *) right;
	return true;
}

bool
mcStreamMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, List *columns, McQual *qual)
{
	Node	   *clause = (Node *) rinfo->clause;

	if (rinfo->pseudoconstant || !restriction_is_securely_promotable(rinfo, rel))
		return false;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, op->inputcollid,
						   false, rel, columns, qual) ||
			match_sides(root, lsecond(op->args), linitial(op->args), get_commutator(op->opno), op->inputcollid,
						false, rel, columns, qual);
	}
	if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		return match_sides(root, linitial(op->args), lsecond(op->args), op->opno, op->inputcollid,
						   true, rel, columns, qual);
	}
	return false;
}

/* ---- evaluating ---- */

static void
from(McStreamSelection *selection, int64 at)
{
	if (!selection->has_begin || at > selection->begin)
		selection->begin = at;
	selection->has_begin = true;
}

static void
until(McStreamSelection *selection, int64 at)
{
	if (!selection->has_end || at < selection->end)
		selection->end = at;
	selection->has_end = true;
}

static void
narrow_time(McStreamSelection *selection, McBound op, McInstant x)
{
	bool		upper = op == MC_BOUND_LT || op == MC_BOUND_LE;
	bool		lower = op == MC_BOUND_GT || op == MC_BOUND_GE;

	if (x.infinite != 0)
	{
		/* every commit time is above -infinity and below infinity, and equal to neither */
		selection->empty = selection->empty || !(x.infinite > 0 ? upper : lower);
		return;
	}
	if (!upper)
		from(selection, op == MC_BOUND_GT ? x.micros + 1 : x.micros);
	if (!lower)
		until(selection, op == MC_BOUND_LT ? x.micros : x.micros + 1);
}

/* Texts of the condition in UTF-8; NULL elements match nothing */
static mcw_view *
wanted_shards(const McQual *qual, Datum value, int *n)
{
	Datum	   *values = &value;
	bool	   *nulls = NULL;
	int			nvalues = 1;
	mcw_view   *wanted;

	if (qual->is_array)
		deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &nvalues);
	wanted = palloc(sizeof(mcw_view) * (nvalues + 1));
	*n = 0;
	for (int i = 0; i < nvalues; i++)
	{
		char	   *id;

		if (nulls != NULL && nulls[i])
			continue;
		id = TextDatumGetCString(values[i]);
		wanted[(*n)++] = mcw_str(pg_server_to_any(id, strlen(id), PG_UTF8));
	}
	return wanted;
}

static void
narrow_shards(McStreamSelection *selection, const McQual *qual, Datum value)
{
	int			nwanted;
	mcw_view   *wanted = wanted_shards(qual, value, &nwanted);
	int			kept = 0;

	if (selection->shards == NULL)
	{
		selection->shards = wanted;
		selection->nshards = nwanted;
		return;
	}
	for (int i = 0; i < selection->nshards; i++)
	{
		for (int k = 0; k < nwanted; k++)
		{
			if (mcw_view_eq(selection->shards[i], wanted[k]))
			{
				selection->shards[kept++] = selection->shards[i];
				break;
			}
		}
	}
	selection->nshards = kept;
}

void
mcStreamSelect(List *quals, const Datum *values, const bool *nulls, McStreamSelection *selection)
{
	ListCell   *lc;

	memset(selection, 0, sizeof(*selection));
	foreach(lc, quals)
	{
		McQual *qual = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (nulls[i])
			selection->empty = true;
		else if (qual->kind == MC_STREAM_SHARD)
			narrow_shards(selection, qual, values[i]);
		else
			narrow_time(selection, qual->op, mcQualInstant(values[i], qual->type));
	}
	if (selection->has_begin && selection->has_end && selection->begin >= selection->end)
		selection->empty = true;
	if (selection->shards != NULL && selection->nshards == 0)
		selection->empty = true;
}
