/*
 * ots_plan.h
 *		Private to planning and evaluating conditions of a Tablestore scan: ots_plan.c,
 *		ots_path.c, ots_qual.c, ots_bound.c, ots_range.c, ots_select.c, ots_filter.c,
 *		ots_explain.c.
 *
 * Conditions travel from the planner to the executor as lists of integers; their
 * expressions are members of fdw_exprs, named by their number.
 */
#ifndef MC_OTS_PLAN_H
#define MC_OTS_PLAN_H

#include "access/stratnum.h"

#include "ots.h"

/* ---- ots_qual.c: conditions on key columns and cell versions ---- */

/* The first integer of a condition; the others stand behind it */
typedef enum McOtsCond
{
	MC_OTS_COND_COMPARE,		/* key, strategy, expression */
	MC_OTS_COND_ANY,			/* key, expression: key = ANY (array) */
	MC_OTS_COND_PREFIX,			/* key, expression: strings that begin so; always rechecked */
	MC_OTS_COND_ROW,			/* first key, strategy, expression ...: (key, ...) op (...) */
	MC_OTS_COND_NEVER,			/* -: key IS NULL */
	MC_OTS_COND_VERSION,		/* strategy, expression */
	MC_OTS_COND_OR				/* a list node: (OR), arm ...; each arm a list of conditions */
} McOtsCond;

/* Points of a product of key = ANY (...) beyond which its later factors only narrow by their hull */
#define MC_OTS_MAX_PRODUCT 10000

static inline int
mcOtsCondInt(const List *cond, int i)
{
	return list_nth_int(cond, i);
}

static inline McOtsCond
mcOtsCondKind(const List *cond)
{
	if (IsA(cond, IntList))
		return (McOtsCond) linitial_int(cond);
	return (McOtsCond) linitial_int((List *) linitial(cond));
}

/* What planning knows of a foreign table: RelOptInfo.fdw_private */
typedef struct McOtsRel
{
	List	   *columns;
	int			nkeys;
	bool		cell_shape;
	bool		push_upper_versions;	/* shape 'cell': an upper bound of versions may be pushed */
	bool		push_filters;
	struct McOtsPushed *base;	/* of baserestrictinfo */
} McOtsRel;

/* The conditions of one path, sorted */
typedef struct McOtsPushed
{
	List	   *conds;			/* for MC_OTS_PRIVATE_QUALS */
	List	   *filter;			/* for MC_OTS_PRIVATE_FILTER: conjuncts */
	List	   *exprs;
	List	   *local;			/* RestrictInfos that are checked here */
	List	   *exact;			/* RestrictInfos that the pushed conditions imply */
	List	   *keyed;			/* RestrictInfos that narrow the keys that are read */
	List	   *filtered;		/* RestrictInfos that became filters */
	int			narrowed;		/* leading key columns with a condition */
	double		points;			/* all key columns are given: how many keys; else 0 */
	double		parts;			/* ranges or keys, as far as known */
} McOtsPushed;

extern McOtsPushed *mcOtsClassify(PlannerInfo *root, RelOptInfo *rel, List *clauses);
/* key column behind an expression of this relation whose comparisons can be pushed, or NULL */
extern const McOtsColumn *mcOtsPushableKey(RelOptInfo *rel, const McOtsRel *info, Node *expr);
/* is 'expr' of this relation's column?  (relabelled or not) */
extern const McOtsColumn *mcOtsColumnOf(RelOptInfo *rel, const McOtsRel *info, Node *expr);
/* strategy of an operator in the default btree family of the column's type, 0 = none; its right type */
extern int	mcOtsStrategy(Oid opno, Oid column_type, Oid *righttype);
/* may a value of this type be compared with a remote value of that type as the service compares? */
extern bool mcOtsComparable(mcw_ots_type remote, Oid type);
/* does this strategy under this collation agree with byte order? */
extern bool mcOtsCollationFits(mcw_ots_type remote, int strategy, Oid collation);
/* an expression that has one value during the scan */
extern bool mcOtsUsableExpr(PlannerInfo *root, RelOptInfo *rel, Node *expr);
/* its number in pushed->exprs */
extern int	mcOtsAddExpr(List **exprs, Node *expr);
/* (OR), arm ... */
extern List *mcOtsOrArms(const List *cond);

/* ---- ots_bound.c: neighbours of key values ---- */

/* The smallest legal key value above 'v'; false = there is none */
extern bool mcOtsNextValue(mcw_ots_value *v);
/* The largest legal key value below 'v'; false = there is none */
extern bool mcOtsPreviousValue(mcw_ots_value *v);
/*
 * STRING, BINARY: the smallest legal key value above all that begin with 'v'; false
 * = there is none.  Above 'v' itself if that is too long for a key.
 */
extern bool mcOtsAfterPrefix(mcw_ots_value *v);

/* ---- ots_range.c ---- */

/* The values of fdw_exprs */
typedef struct McOtsValues
{
	const Datum *values;
	const bool *nulls;
	const Oid  *types;
} McOtsValues;

typedef struct McOtsKeyRange
{
	mcw_ots_key lo;				/* inclusive */
	mcw_ots_key hi;				/* exclusive */
	int			depth;			/* leading columns that have one value */
	bool		point;			/* one full key */
} McOtsKeyRange;

/* ascending, disjoint */
typedef struct McOtsKeySet
{
	McOtsKeyRange *v;
	int			n;
} McOtsKeySet;

/* The keys that all conditions on keys allow, or more where ots_qual.c says that a condition only narrows */
extern McOtsKeySet mcOtsKeyRanges(List *columns, List *conds, const McOtsValues *in);

static inline bool
mcOtsIsEnd(const mcw_ots_value *v)
{
	return v->type == MCW_OTS_INF_MIN || v->type == MCW_OTS_INF_MAX;
}

/* not NULL; a type for which mcOtsComparable says yes */
extern mcw_ots_value mcOtsComparand(mcw_ots_type remote, Datum value, Oid type);
/* elements that are not NULL; a NULL array has none */
extern Datum *mcOtsElements(const McOtsValues *in, int expr, Oid *type, int *n, bool *has_null);

/* ---- ots_filter.c: conditions on attribute columns ---- */

/* The filter a clause implies, as a list node, or NIL; its expressions are added to *exprs */
extern List *mcOtsMatchFilter(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Node *clause, List **exprs);
/* false: no row can qualify.  *out is empty if the service has nothing to check. */
extern bool mcOtsBuildFilter(List *columns, List *filter, const McOtsValues *in, mcw_view *out);
/* the filter as SQL, for EXPLAIN; 'exprs' are texts */
extern char *mcOtsFilterText(List *columns, List *filter, char **exprs);

/* ---- ots_path.c ---- */

extern void mcOtsSetSize(PlannerInfo *root, RelOptInfo *rel, const McOtsPushed *pushed);

#endif							/* MC_OTS_PLAN_H */
