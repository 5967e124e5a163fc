/*
 * ots_range.c
 *		Conditions on key columns with their values, as ranges of keys.
 *
 * Everything is a sorted list of disjoint intervals [lo, hi) of full keys; a single
 * key is the interval from it to the next one.  Conditions of single columns give
 * the list, row comparisons cut it, ORs are unions that are intersected with it.
 * Which conditions hold exactly was promised by ots_qual.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "ots_plan.h"

/* A place between two values of one column: before 'v' or after it */
typedef struct Cut
{
	mcw_ots_value v;			/* INF_MAX: behind everything */
	bool		after;
} Cut;

/* The conditions of one column */
typedef struct ColumnSet
{
	bool		has_points;
	mcw_ots_value *points;		/* ascending, distinct */
	int			npoints;
	bool		has_lo;
	bool		has_hi;
	Cut			lo;
	Cut			hi;
} ColumnSet;

typedef struct Eval
{
	const McOtsValues *in;
	int			nkeys;
	mcw_ots_type type[MCW_OTS_MAX_KEYS];
} Eval;

/* ---- values ---- */

mcw_ots_value
mcOtsComparand(mcw_ots_type remote, Datum value, Oid type)
{
	mcw_ots_value v = mcw_ots_none(remote);

	type = getBaseType(type);
	switch (remote)
	{
		case MCW_OTS_INTEGER:
			v.i = type == INT2OID ? DatumGetInt16(value) : type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
			break;
		case MCW_OTS_DOUBLE:
			v.d = type == FLOAT4OID ? (double) DatumGetFloat4(value) : DatumGetFloat8(value);
			break;
		case MCW_OTS_BOOLEAN:
			v.b = DatumGetBool(value);
			break;
		case MCW_OTS_STRING:
			{
				text	   *t = DatumGetTextPP(value);
				char	   *utf8 = pg_server_to_any(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), PG_UTF8);

				v.s.data = utf8;
				v.s.len = utf8 == VARDATA_ANY(t) ? VARSIZE_ANY_EXHDR(t) : strlen(utf8);
				break;
			}
		default:
			{
				bytea	   *b = DatumGetByteaPP(value);

				v.s.data = VARDATA_ANY(b);
				v.s.len = VARSIZE_ANY_EXHDR(b);
			}
	}
	return v;
}

Datum *
mcOtsElements(const McOtsValues *in, int expr, Oid *type, int *n, bool *has_null)
{
	int16		len;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;

	*n = 0;
	*has_null = false;
	*type = get_base_element_type(in->types[expr]);
	if (in->nulls[expr])
		return NULL;
	get_typlenbyvalalign(*type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(in->values[expr]), *type, len, byval, align, &values, &nulls, &nvalues);
	for (int i = 0; i < nvalues; i++)
	{
		if (nulls[i])
			*has_null = true;
		else
			values[(*n)++] = values[i];
	}
	return values;
}

static bool
is_too_long(const mcw_ots_value *v)
{
	return v->type != MCW_OTS_INTEGER && v->s.len > MCW_OTS_MAX_KEY_BYTES;
}

/* No key is as long as the value may be: then the place is before the next key there can be */
static Cut
make_cut(mcw_ots_value v, bool after)
{
	Cut			cut = {v, after};

	if (is_too_long(&v))
	{
		cut.after = false;
		if (!mcOtsAfterPrefix(&cut.v))
			cut.v = mcw_ots_none(MCW_OTS_INF_MAX);
	}
	return cut;
}

static int
compare_cuts(const Cut *a, const Cut *b)
{
	int			cmp = mcw_ots_value_cmp(&a->v, &b->v);

	return cmp != 0 ? cmp : (int) a->after - (int) b->after;
}

static int
compare_values(const void *a, const void *b)
{
	return mcw_ots_value_cmp(a, b);
}

/* ---- one column ---- */

static void
narrow_lo(ColumnSet *set, Cut cut)
{
	if (!set->has_lo || compare_cuts(&cut, &set->lo) > 0)
		set->lo = cut;
	set->has_lo = true;
}

static void
narrow_hi(ColumnSet *set, Cut cut)
{
	if (!set->has_hi || compare_cuts(&cut, &set->hi) < 0)
		set->hi = cut;
	set->has_hi = true;
}

/* keep the values that are in both sets; 'points' may be in any order and repeat */
static void
narrow_points(ColumnSet *set, mcw_ots_value *points, int n)
{
	int			kept = 0;

	qsort(points, n, sizeof(mcw_ots_value), compare_values);
	for (int i = 0; i < n; i++)
	{
		if (kept > 0 && mcw_ots_value_cmp(&points[kept - 1], &points[i]) == 0)
			continue;
		if (set->has_points &&
			bsearch(&points[i], set->points, set->npoints, sizeof(mcw_ots_value), compare_values) == NULL)
			continue;
		points[kept++] = points[i];
	}
	set->has_points = true;
	set->points = points;
	set->npoints = kept;
}

static void
narrow_any(const Eval *eval, ColumnSet *set, mcw_ots_type remote, int expr)
{
	Oid			type;
	bool		has_null;
	int			n;
	int			kept = 0;
	Datum	   *values = mcOtsElements(eval->in, expr, &type, &n, &has_null);
	mcw_ots_value *points = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(mcw_ots_value) * (n + 1));

	for (int i = 0; i < n; i++)
	{
		points[kept] = mcOtsComparand(remote, values[i], type);
		if (!is_too_long(&points[kept]))
			kept++;
	}
	narrow_points(set, points, kept);
}

/* A condition of one column; false: it allows nothing */
static bool
narrow_column(const Eval *eval, ColumnSet *set, const List *cond)
{
	int			key = mcOtsCondInt(cond, 1);
	mcw_ots_type remote = eval->type[key];
	int			expr;
	mcw_ots_value v;

	set += key;
	if (mcOtsCondKind(cond) == MC_OTS_COND_ANY)
	{
		narrow_any(eval, set, remote, mcOtsCondInt(cond, 2));
		return true;
	}
	expr = mcOtsCondInt(cond, mcOtsCondKind(cond) == MC_OTS_COND_COMPARE ? 3 : 2);
	if (eval->in->nulls[expr])
		return false;
	v = mcOtsComparand(remote, eval->in->values[expr], eval->in->types[expr]);
	if (mcOtsCondKind(cond) == MC_OTS_COND_PREFIX)
	{
		narrow_lo(set, make_cut(v, false));
		if (mcOtsAfterPrefix(&v))
			narrow_hi(set, make_cut(v, false));
		return true;
	}
	switch (mcOtsCondInt(cond, 2))
	{
		case BTLessStrategyNumber:
			narrow_hi(set, make_cut(v, false));
			break;
		case BTLessEqualStrategyNumber:
			narrow_hi(set, make_cut(v, true));
			break;
		case BTGreaterEqualStrategyNumber:
			narrow_lo(set, make_cut(v, false));
			break;
		case BTGreaterStrategyNumber:
			narrow_lo(set, make_cut(v, true));
			break;
		default:
			{
				mcw_ots_value *point = palloc(sizeof(mcw_ots_value));

				*point = v;
				narrow_points(set, point, is_too_long(&v) ? 0 : 1);
			}
	}
	return true;
}

/* values outside the bounds go; false: nothing is left */
static bool
settle_column(ColumnSet *set)
{
	int			kept = 0;

	if (!set->has_points)
		return !set->has_lo || !set->has_hi || compare_cuts(&set->lo, &set->hi) < 0;
	for (int i = 0; i < set->npoints; i++)
	{
		Cut			before = {set->points[i], false};
		Cut			after = {set->points[i], true};

		if ((!set->has_lo || compare_cuts(&set->lo, &before) <= 0) &&
			(!set->has_hi || compare_cuts(&after, &set->hi) <= 0))
			set->points[kept++] = set->points[i];
	}
	set->npoints = kept;
	return kept > 0;
}

/* ---- keys ---- */

/* The place after the first 'n' columns of the key, or before them, as the first full key behind it */
static void
finish_key(mcw_ots_key *key, int n, int nkeys, bool after)
{
	key->n = nkeys;
	if (after && n == nkeys && key->v[n - 1].type != MCW_OTS_INF_MAX && !mcOtsNextValue(&key->v[n - 1]))
		key->v[n - 1] = mcw_ots_none(MCW_OTS_INF_MAX);
	for (int i = n; i < nkeys; i++)
		key->v[i] = mcw_ots_none(after ? MCW_OTS_INF_MAX : MCW_OTS_INF_MIN);
}

/* The same at a cut in column 'n'; a cut outside all values is the end of the column, so that an empty range shows */
static void
finish_key_at(mcw_ots_key *key, int n, Cut cut, int nkeys)
{
	if (cut.after && cut.v.type == MCW_OTS_INTEGER && cut.v.i == PG_INT64_MAX)
		cut.v = mcw_ots_none(MCW_OTS_INF_MAX);
	else if (!cut.after && (cut.v.type == MCW_OTS_INTEGER ? cut.v.i == PG_INT64_MIN :
							cut.v.type != MCW_OTS_INF_MAX && cut.v.s.len == 0))
		cut.v = mcw_ots_none(MCW_OTS_INF_MIN);
	key->v[n] = cut.v;
	if (mcOtsIsEnd(&cut.v))
		cut.after = cut.v.type == MCW_OTS_INF_MAX;
	finish_key(key, n + 1, nkeys, cut.after);
}

/* The end of the keys that begin with the first 'n' columns of 'prefix' and a value at the cut, if any */
static mcw_ots_key
key_at(const mcw_ots_key *prefix, int n, const Cut *cut, bool after, int nkeys)
{
	mcw_ots_key key = *prefix;

	if (cut != NULL)
		finish_key_at(&key, n, *cut, nkeys);
	else
		finish_key(&key, n, nkeys, after);
	return key;
}

static McOtsKeySet
new_list(size_t n)
{
	McOtsKeySet list = {MemoryContextAllocHuge(CurrentMemoryContext, sizeof(McOtsKeyRange) * (n + 1)), 0};

	return list;
}

static void
add_interval(McOtsKeySet *list, const McOtsKeyRange *interval)
{
	if (mcw_ots_key_cmp(&interval->lo, &interval->hi) < 0)
		list->v[list->n++] = *interval;
}

/* The product of the columns' values, as far as it goes, and the range of the column behind them */
static McOtsKeySet
expand(const Eval *eval, ColumnSet *sets)
{
	mcw_ots_key *prefixes = palloc0(sizeof(mcw_ots_key));
	size_t		n = 1;
	int			depth;
	McOtsKeySet out;

	for (depth = 0; depth < eval->nkeys && sets[depth].has_points; depth++)
	{
		const ColumnSet *set = &sets[depth];
		mcw_ots_key *longer;

		if (n > 1 && set->npoints > 1 && (double) n * set->npoints > MC_OTS_MAX_PRODUCT)
			break;
		longer = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(mcw_ots_key) * n * set->npoints);
		for (size_t i = 0; i < n; i++)
			for (int k = 0; k < set->npoints; k++)
			{
				mcw_ots_key *key = &longer[i * set->npoints + k];

				*key = prefixes[i];
				key->v[depth] = set->points[k];
			}
		pfree(prefixes);
		prefixes = longer;
		n *= set->npoints;
	}

	out = new_list(n);
	for (size_t i = 0; i < n; i++)
	{
		McOtsKeyRange	interval = {.depth = depth, .point = depth == eval->nkeys};
		ColumnSet  *set = depth < eval->nkeys ? &sets[depth] : NULL;
		Cut			lo;
		Cut			hi;
		bool		has_lo = set != NULL && (set->has_points || set->has_lo);
		bool		has_hi = set != NULL && (set->has_points || set->has_hi);

		if (has_lo)
			lo = set->has_points ? (Cut) {set->points[0], false} : set->lo;
		if (has_hi)
			hi = set->has_points ? (Cut) {set->points[set->npoints - 1], true} : set->hi;
		interval.lo = key_at(&prefixes[i], depth, has_lo ? &lo : NULL, false, eval->nkeys);
		interval.hi = key_at(&prefixes[i], depth, has_hi ? &hi : NULL, true, eval->nkeys);
		add_interval(&out, &interval);
		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return out;
}

/* ---- row comparisons ---- */

/* Cut one interval; the comparison applies to the keys that share its first columns */
static void
cut_row(const Eval *eval, McOtsKeyRange *interval, const List *cond)
{
	int			n = mcOtsCondInt(cond, 1);
	int			strategy = mcOtsCondInt(cond, 2);
	bool		lower = strategy == BTGreaterStrategyNumber || strategy == BTGreaterEqualStrategyNumber;
	bool		after = strategy == BTGreaterStrategyNumber || strategy == BTLessEqualStrategyNumber;
	mcw_ots_key key = interval->lo;
	Cut			cut;

	if (n > interval->depth)
		return;
	for (int i = 3; i < list_length(cond); i++)
	{
		int			expr = mcOtsCondInt(cond, i);
		mcw_ots_value value;

		/* equal so far and then NULL is not true: what differs before decides */
		if (eval->in->nulls[expr])
		{
			if (i == 3)
				interval->hi = interval->lo;
			else
				cut = make_cut(key.v[--n], lower);
			break;
		}
		value = mcOtsComparand(eval->type[n], eval->in->values[expr], eval->in->types[expr]);
		cut = make_cut(value, after);
		if (is_too_long(&value) || i == list_length(cond) - 1)
			break;
		key.v[n++] = value;
	}
	if (mcw_ots_key_cmp(&interval->lo, &interval->hi) >= 0)
		return;
	finish_key_at(&key, n, cut, eval->nkeys);
	if (lower && mcw_ots_key_cmp(&key, &interval->lo) > 0)
		interval->lo = key;
	if (!lower && mcw_ots_key_cmp(&key, &interval->hi) < 0)
		interval->hi = key;
}

/* ---- lists of intervals ---- */

static McOtsKeySet
intersect(McOtsKeySet a, McOtsKeySet b)
{
	McOtsKeySet out = new_list((size_t) a.n + b.n);
	int			i = 0;
	int			k = 0;

	while (i < a.n && k < b.n)
	{
		McOtsKeyRange	both = a.v[i];

		if (mcw_ots_key_cmp(&b.v[k].lo, &both.lo) > 0)
			both.lo = b.v[k].lo;
		if (mcw_ots_key_cmp(&b.v[k].hi, &both.hi) < 0)
			both.hi = b.v[k].hi;
		both.point = a.v[i].point || b.v[k].point;
		both.depth = Max(a.v[i].depth, b.v[k].depth);
		add_interval(&out, &both);
		if (mcw_ots_key_cmp(&a.v[i].hi, &b.v[k].hi) <= 0)
			i++;
		else
			k++;
	}
	return out;
}

static int
compare_intervals(const void *a, const void *b)
{
	return mcw_ots_key_cmp(&((const McOtsKeyRange *) a)->lo, &((const McOtsKeyRange *) b)->lo);
}

/* Sorts and merges what overlaps */
static void
unite(McOtsKeySet *list)
{
	int			kept = 0;

	qsort(list->v, list->n, sizeof(McOtsKeyRange), compare_intervals);
	for (int i = 0; i < list->n; i++)
	{
		McOtsKeyRange   *last = kept > 0 ? &list->v[kept - 1] : NULL;

		if (last == NULL || mcw_ots_key_cmp(&list->v[i].lo, &last->hi) >= 0)
		{
			list->v[kept++] = list->v[i];
			continue;
		}
		last->point = last->point && list->v[i].point;
		last->depth = 0;
		if (mcw_ots_key_cmp(&list->v[i].hi, &last->hi) > 0)
			last->hi = list->v[i].hi;
	}
	list->n = kept;
}

/* The keys that conditions of columns and row comparisons, all together, allow */
static McOtsKeySet
ranges_of(const Eval *eval, List *conds, List *more)
{
	ColumnSet	sets[MCW_OTS_MAX_KEYS] = {0};
	List	   *all = list_concat_copy(conds, more);
	McOtsKeySet none = {NULL, 0};
	McOtsKeySet cut;
	McOtsKeySet out;
	ListCell   *lc;

	foreach(lc, all)
	{
		const List *cond = lfirst(lc);

		switch (mcOtsCondKind(cond))
		{
			case MC_OTS_COND_COMPARE:
			case MC_OTS_COND_ANY:
			case MC_OTS_COND_PREFIX:
				if (!narrow_column(eval, sets, cond))
					return none;
				break;
			case MC_OTS_COND_NEVER:
				return none;
			default:
				break;
		}
	}
	for (int i = 0; i < eval->nkeys; i++)
		if (!settle_column(&sets[i]))
			return none;
	cut = expand(eval, sets);
	out = new_list(cut.n);
	for (int i = 0; i < cut.n; i++)
	{
		foreach(lc, all)
			if (mcOtsCondKind(lfirst(lc)) == MC_OTS_COND_ROW)
				cut_row(eval, &cut.v[i], lfirst(lc));
		add_interval(&out, &cut.v[i]);
	}
	return out;
}

static McOtsKeySet
or_of(const Eval *eval, List *conds, const List *cond)
{
	McOtsKeySet out = {NULL, 0};
	ListCell   *la;

	foreach(la, mcOtsOrArms(cond))
	{
		McOtsKeySet arm = ranges_of(eval, conds, lfirst(la));
		McOtsKeySet both = new_list((size_t) out.n + arm.n);

		if (out.n > 0)
			memcpy(both.v, out.v, sizeof(McOtsKeyRange) * out.n);
		if (arm.n > 0)
			memcpy(both.v + out.n, arm.v, sizeof(McOtsKeyRange) * arm.n);
		both.n = out.n + arm.n;
		out = both;
	}
	unite(&out);
	return out;
}

McOtsKeySet
mcOtsKeyRanges(List *columns, List *conds, const McOtsValues *in)
{
	Eval		eval = {.in = in, .nkeys = mcOtsKeyCount(columns)};
	McOtsKeySet list;
	ListCell   *lc;

	for (int i = 0; i < eval.nkeys; i++)
		eval.type[i] = mcOtsKeyColumn(columns, i)->remote;
	list = ranges_of(&eval, conds, NIL);
	foreach(lc, conds)
		if (mcOtsCondKind(lfirst(lc)) == MC_OTS_COND_OR && list.n > 0)
			list = intersect(list, or_of(&eval, conds, lfirst(lc)));
	return list;
}
