/*
 * qual.h
 *		What the planning of windowed scans (LogHub, change streams) shares: conditions
 *		"column op expression" from the planner to EXPLAIN, and the attributes to fill.
 */
#ifndef MC_QUAL_H
#define MC_QUAL_H

#include "mc_fdw.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "window.h"

struct ExplainState;

/* The kinds are the wrapper's own */
typedef struct McQual
{
	int			kind;
	McBound		op;				/* with the column on the left */
	bool		is_array;		/* column = ANY (expr) */
	Oid			type;			/* of the expression, of its elements if is_array */
	Expr	   *expr;
} McQual;

/* Strategy of the operator in the column type's btree family, its right type; 0 = none */
extern int	mcQualStrategy(Oid opno, Oid column_type, Oid *righttype);
/* An expression that can be evaluated before the scan begins */
extern bool mcQualUsable(PlannerInfo *root, Node *expr, RelOptInfo *rel);

/*
 * Does the clause read at least one of these attributes of the relation and no other, and
 * can it be evaluated by itself?  Then it chooses whole partitions or objects.
 */
extern bool mcReadsOnly(Node *clause, Index relid, Bitmapset *allowed);

/* For fdw_private: one list of integers for each condition; the expressions travel in fdw_exprs */
extern List *mcQualsToList(List *quals);
extern List *mcQualsFromList(List *list, List *exprs);

/* Values of the expressions; both arrays have list_length(states) members, in CurrentMemoryContext */
extern void mcQualsEvaluate(List *states, ExprContext *econtext, Datum **values, bool **nulls);
/* A date, timestamp or timestamptz as an instant; what does not fit is infinite */
extern McInstant mcQualInstant(Datum value, Oid type);

/* The conditions of one kind as SQL, or NULL */
extern char *mcQualsText(ForeignScanState *node, List *quals, int kind, const char *attname, struct ExplainState *es);

/*
 * Attribute numbers to fill: what the target list and the local conditions read.
 * 'columns' are structs that begin with their AttrNumber.
 */
extern List *mcNeededAttributes(RelOptInfo *rel, List *columns, List *local);

/*
 * Will the scan be read to its end?  LIMIT, EXISTS and cursors say no, here or in a
 * query around this one.  It decides only how many requests the scan begins with.
 */
extern bool mcAllRowsWanted(PlannerInfo *root, ForeignPath *path);

#endif							/* MC_QUAL_H */
